#!/bin/bash
# SPDX-License-Identifier: MIT
# reencrypt that moves data: --encrypt makes room for the header, --decrypt takes its place. cryptsetup
# is the referee, and each program continues what the other one began and was killed in. Files need no
# device-mapper. MORTISE, FORGE: the programs.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
need_referee
if has "reencrypt no"; then
	echo "skipped: the build lacks reencryption"
	exit 77
fi

printf secret >pass
printf other >pass2
offline="-q --force-offline-reencrypt --key-file pass"

# by_cryptsetup ARGUMENT...: cryptsetup. As root it would use dm-crypt for the data.
by_cryptsetup() {
	local program=("$referee" --disable-locks)
	if [ "$(id -u)" = 0 ]; then
		chown -R 65534 .
		program=(setpriv --reuid=65534 --clear-groups "${program[@]}")
	fi
	"${program[@]}" "$@" </dev/null
}

# plain SIZE: a new device with random data.
plain() {
	head -c "$1" /dev/urandom >plain
	cp plain data
	rm -f header
}

# is_data BYTES: the first bytes are the data that was there.
is_data() {
	cmp -s -n "$1" plain data
}

encrypt() {
	"$MORTISE" reencrypt $offline $cheap --encrypt "$@" data
}
decrypt() {
	"$MORTISE" reencrypt $offline --decrypt --header header "$@" data
}

while read -r size reduction kept options; do
	options=${options//,/ }
	plain "$size"
	exits 0 "$size, $reduction: mortise encrypts" encrypt --reduce-device-size "$reduction" $options
	! is_data 512
	result $? "$size, $reduction: the data is not plain"
	cp data encrypted
	by_cryptsetup reencrypt $offline --decrypt --header header data >out 2>err && is_data "$kept"
	result $? "$size, $reduction: cryptsetup decrypts it"
	cp encrypted data
	rm -f header
	exits 0 "$size, $reduction: mortise decrypts" decrypt
	is_data "$kept"
	result $? "$size, $reduction: the data is there"
	[ "$size" != 8M ] || continue
	cp plain data
	rm -f header
	by_cryptsetup reencrypt $offline $cheap --encrypt --reduce-device-size "$reduction" $options \
		data >out 2>err
	exits 0 "$size, $reduction: mortise decrypts what cryptsetup encrypted" decrypt --resilience journal
	is_data "$kept"
	result $? "$size, $reduction: the data is there"
done <<-END
	12M 4M 8388608
	8M 2M 6291456 --sector-size,4096
	9M 6M 3145728 --cipher,aes-cbc-essiv:sha256,--key-size,256
	33M 32M 1048576 --offset,32768
	12M 10M 8388608 --offset,4096
END

# Killed at a write, and continued by the other program.
# killed CALL NUMBER PROGRAM ARGUMENT...
killed() {
	local call=$1 number=$2
	shift 2
	# A shell of its own, so that the signal is not reported.
	(! strace -f -qq -o /dev/null -e "trace=$call" \
		-e "inject=$call:signal=KILL:when=$number" "$@") >out 2>err </dev/null
}
referee_killed() {
	local number=$1 program=("$referee" --disable-locks)
	shift
	[ "$(id -u)" != 0 ] || program=(setpriv --reuid=65534 --clear-groups "${program[@]}")
	chown -R 65534 . 2>/dev/null
	killed write "$number" "${program[@]}" "$@"
}

for number in 1 7 16; do
	plain 12M
	encrypt --init-only --reduce-device-size 4M
	killed pwrite64 $number "$MORTISE" reencrypt $offline data
	result $? "mortise is killed at write $number"
	cp data cut
	by_cryptsetup repair -q --key-file pass data >out 2>err
	by_cryptsetup reencrypt $offline --resume-only data >out 2>err
	by_cryptsetup reencrypt $offline --decrypt --header header data >out 2>err && is_data 8M
	result $? "cryptsetup continues after write $number"
	cp cut data
	rm -f header
	exits 0 "mortise continues after write $number" "$MORTISE" reencrypt $offline --resume-only data
	decrypt --init-only
	killed pwrite64 $number "$MORTISE" reencrypt $offline --decrypt --header header data
	result $? "mortise is killed while it decrypts"
	cp data cut
	cp header header.cut
	"$MORTISE" reencrypt $offline --decrypt --header header data && is_data 8M
	result $? "mortise continues to decrypt"
	cp cut data
	cp header.cut header
	by_cryptsetup repair -q --key-file pass --header header data >out 2>err
	by_cryptsetup reencrypt $offline --decrypt --header header data >out 2>err && is_data 8M
	result $? "cryptsetup continues to decrypt"
done
for number in 8 21; do
	plain 12M
	by_cryptsetup reencrypt $offline $cheap --encrypt --init-only --reduce-device-size 4M data >out 2>err
	referee_killed $number reencrypt $offline data
	exits 0 "mortise continues after write $number of cryptsetup" \
		"$MORTISE" reencrypt $offline --resume-only data
	by_cryptsetup reencrypt $offline --decrypt --init-only --header header data >out 2>err
	referee_killed $number reencrypt $offline --decrypt --header header data
	exits 0 "mortise continues to decrypt after write $number of cryptsetup" decrypt
	is_data 8M
	result $? "the data is there"
done

# The beginning, too: without a header the same command continues.
for number in 2 4 6 7 8; do
	plain 12M
	killed pwrite64 $number "$MORTISE" reencrypt $offline $cheap --encrypt --init-only \
		--reduce-device-size 4M data
	if "$MORTISE" isLuks data; then
		cp data cut
		exits 0 "cut before it began, write $number: it opens" \
			"$MORTISE" open --test-passphrase --key-file pass cut
	fi
	"$MORTISE" reencrypt $offline $cheap --encrypt --reduce-device-size 4M data >out 2>err
	cp data encrypted
	exits 0 "cut before it began, write $number" decrypt
	is_data 8M
	result $? "cut before it began, write $number: the data is there"
done

# A file that a cut has left without a header, or with one, and the device with the other.
for number in 1 5 9; do
	cp encrypted data
	rm -f header
	killed pwrite64 $number "$MORTISE" reencrypt $offline --decrypt --header header data
	"$MORTISE" isLuks header || rm -f header
	exits 0 "decryption cut before it began, write $number" decrypt
	is_data 8M
	result $? "decryption cut before it began, write $number: the data is there"
done

# Data smaller than the header's space leaves no copy of the header behind it.
plain 33M
encrypt --reduce-device-size 32M
[ "$(LC_ALL=C grep -abo $'LUKS\xba\xbe\|SKUL\xba\xbe' data | wc -l)" = 2 ]
result $? "the device has one header"

# The resilience of data that moves changes, too, while it does not lose its shift.
plain 12M
encrypt --init-only --reduce-device-size 4M
for resilience in journal none datashift-checksum; do
	exits 1 "--resilience $resilience for data that moves" \
		"$MORTISE" reencrypt $offline --resilience $resilience data
done
exits 0 "--resilience datashift" "$MORTISE" reencrypt $offline --resilience datashift data
decrypt --init-only --resilience checksum
exits 1 "datashift for a decryption" decrypt --resilience datashift
exits 1 "none for a decryption" decrypt --resilience none
exits 0 "another resilience for a decryption" decrypt --resilience journal
is_data 8M
result $? "another resilience for a decryption: the data is there"

# A detached header: the data stays.
plain 1M
exits 0 "a detached header" "$MORTISE" reencrypt $offline $cheap --new --header header \
	--resilience journal data
by_cryptsetup reencrypt $offline --decrypt --header header data >out 2>err && is_data 1M
result $? "a detached header: cryptsetup decrypts it"
plain 8M
exits 0 "a detached header with an offset" encrypt --header header --offset 4096 \
	--reduce-device-size 2M
cmp -s -n 2M plain data
result $? "a detached header: what precedes the data is unchanged"
exits 0 "the header finds its place" "$MORTISE" luksHeaderRestore -q --header-backup-file header data
exits 0 "the header opens" "$MORTISE" open --test-passphrase --key-file pass data

# All data is moved ahead: no segment is left behind it, which would have no byte.
for kib in 1024 512; do
	head -c $((4096 + kib))K /dev/urandom >data
	"$MORTISE" luksFormat -q $cheap --key-file pass --offset 8192 --sector-size 512 data
	cp data encrypted
	rm -f header
	by_cryptsetup reencrypt $offline --decrypt --header header data >out 2>err
	cp data plain
	cp encrypted data
	rm -f header
	exits 0 "a volume of $kib KiB: it begins" decrypt --init-only
	"$MORTISE" luksDump --dump-json-metadata header |
		jq -e '.segments | length == 4 and .["0"].size == "'$((kib * 1024))'"' >/dev/null
	result $? "a volume of $kib KiB: it has one segment"
	cp header header.begun
	cp data begun
	by_cryptsetup reencrypt $offline --resume-only --header header data >out 2>err &&
		is_data $((kib * 1024))
	result $? "a volume of $kib KiB: cryptsetup ends it"
	cp header.begun header
	cp begun data
	exits 0 "a volume of $kib KiB: mortise ends it" decrypt
	is_data $((kib * 1024))
	result $? "a volume of $kib KiB: the data is there"
done

# What is refused changes nothing.
unchanged() {
	cmp -s plain data && [ ! -e header ]
	result $? "$1: nothing has changed"
}
plain 8M
says 1 "Encryption without detached header (--header) is not possible without data device size reduction (--reduce-device-size)." \
	"no reduction" encrypt
exits 1 "a reduction larger than the device" encrypt --reduce-device-size 16M
exits 1 "the data would have no byte" encrypt --reduce-device-size 8M
exits 1 "a reduction too small for a header" encrypt --reduce-device-size 64K
exits 1 "no multiple of 512" encrypt --reduce-device-size 2000001
exits 1 "2 GiB" encrypt --reduce-device-size 2G
says 1 "Requested data offset must be less than or equal to half of --reduce-device-size parameter." \
	"an offset behind the half" encrypt --reduce-device-size 2M --offset 4096
exits 1 "a null cipher" encrypt --reduce-device-size 2M --cipher cipher_null-ecb
exits 1 "no header to decrypt" decrypt
says 1 "Device reencryption not in progress." "nothing to resume" \
	encrypt --reduce-device-size 2M --resume-only
unchanged "refused options"
mkfs.ext4 -q -F data
cp data plain
exits 1 "a file system that is too large" encrypt --reduce-device-size 2M
grep -q "its ext2, ext3 or ext4 file system has 8388608 bytes" err
result $? "a file system that is too large: the reason"
unchanged "a file system that is too large"
# The kernel would refuse its writes. Without libblkid, the size of its blocks is not known.
if has "signatures libblkid"; then
	while read -r block sector fits; do
		head -c 8M /dev/zero >data
		mkfs.ext4 -q -F -b "$block" data 6M 2>/dev/null
		cp data plain
		if [ "$fits" = yes ]; then
			exits 0 "sectors of $sector bytes, blocks of $block" encrypt --init-only \
				--reduce-device-size 2M --sector-size "$sector"
			continue
		fi
		exits 1 "sectors of $sector bytes, blocks of $block" encrypt --reduce-device-size 2M \
			--sector-size "$sector"
		grep -q "Requested --sector-size $sector is incompatible with ext4 superblock" err
		result $? "sectors of $sector bytes, blocks of $block: the reason"
		exits 1 "sectors of $sector bytes, blocks of $block, with --header" \
			encrypt --header header --sector-size "$sector"
		[ ! -e header ]
		result $? "no header is made"
		unchanged "sectors of $sector bytes, blocks of $block"
	done <<-END
		1024 4096 no
		2048 4096 no
		1024 1024 yes
		4096 4096 yes
	END
	cp plain data
fi
exits 0 "a file system that fits" mkfs.ext4 -q -F data 6M
exits 0 "a file system that fits is encrypted" encrypt --reduce-device-size 2M
cp data plain
says 1 "Device data is already LUKS device. Aborting operation." "encrypted twice" \
	encrypt --reduce-device-size 2M
says 1 "LUKS2 decryption requires --header option." "decryption without --header" \
	"$MORTISE" reencrypt $offline --decrypt data
exits 2 "a wrong passphrase" "$MORTISE" reencrypt -q --force-offline-reencrypt --key-file pass2 \
	--decrypt --header header data
exits 1 "a resilience for data that stays" decrypt --resilience none
exits 1 "a moved part larger than the shift" decrypt --hotzone-size 4M
unchanged "refused decryptions"
dd if=/dev/zero of=data bs=4096 count=1 conv=notrunc status=none
dd if=/dev/zero of=data bs=4096 seek=4 count=1 conv=notrunc status=none
printf 'LUKS\272\276\0\2' | dd of=data conv=notrunc status=none
cp data plain
exits 1 "a damaged header" encrypt --reduce-device-size 2M
unchanged "a damaged header"
finish
