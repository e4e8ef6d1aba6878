#!/bin/bash
# SPDX-License-Identifier: MIT
# reencrypt, with cryptsetup as the referee: it encrypts the data before and decrypts it after, and each
# program continues what the other one began and was killed in. Files with detached headers need no
# device-mapper. MORTISE, FORGE: the programs.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
need_referee

SIZE=1M
printf secret >pass
printf other >pass2
head -c $SIZE /dev/urandom >plain
offline="-q --force-offline-reencrypt --key-file pass"

# by_cryptsetup ARGUMENT...: cryptsetup. As root it would use dm-crypt for the data.
by_cryptsetup() {
	if [ "$(id -u)" = 0 ]; then
		chown -R 65534 .
		setpriv --reuid=65534 --clear-groups "$referee" --disable-locks "$@"
	else
		"$referee" --disable-locks "$@"
	fi
}

reencrypt() {
	"$MORTISE" reencrypt $offline $cheap --header header data "$@"
}

# encrypted OPTION...: data is plain, encrypted by cryptsetup under a new header.
encrypted() {
	rm -f header
	cp plain data
	by_cryptsetup reencrypt $offline $cheap --encrypt --header header "$@" data >/dev/null
}

# The data is what it was, says cryptsetup.
is_plain() {
	by_cryptsetup reencrypt $offline --decrypt --header header data >out 2>err && cmp -s plain data
}

while read -r before after; do
	encrypted ${before//,/ }
	[ "$after" != - ] || after=
	exits 0 "from $before: $after" reencrypt ${after//,/ }
	! cmp -s plain data && is_plain
	result $? "from $before: $after: cryptsetup decrypts it"
done <<-END
	--sector-size,512 -
	--sector-size,512 --resilience,journal,--hotzone-size,64K
	--sector-size,4096 --resilience,none
	--sector-size,512 --sector-size,4096
	--sector-size,4096 --sector-size,512,--hotzone-size,256K
	--cipher,aes-cbc-essiv:sha256 --cipher,aes-xts-plain64,--key-size,256
	--cipher,aes-xts-plain64 --cipher,aes-cbc-essiv:sha256,--key-size,256
	--sector-size,512 --keep-key,--sector-size,1024
	--sector-size,512 --resilience-hash,sha512
END

encrypted
exits 0 "decrypt" reencrypt --decrypt
cmp plain data
result $? "the data is plain"

# Killed at a write, and continued by the other program.
# killed NUMBER PROGRAM ARGUMENT...
killed() {
	local number=$1
	shift
	# A shell of its own, so that the signal is not reported.
	(! strace -f -qq -o /dev/null -e trace=pwrite64 \
		-e inject=pwrite64:signal=KILL:when="$number" "$@") >out 2>err
}

for resilience in checksum journal; do
	for number in 1 3 9 20 27; do
		encrypted --sector-size 512
		reencrypt --init-only --resilience $resilience
		killed $number "$MORTISE" reencrypt $offline --hotzone-size 128K --header header data
		result $? "$resilience: mortise is killed at write $number"
		cp header header.cut
		cp data data.cut
		by_cryptsetup repair -q --key-file pass --header header data </dev/null >out 2>err
		by_cryptsetup reencrypt $offline --resume-only --header header data >out 2>err && is_plain
		result $? "$resilience: cryptsetup continues after write $number"
		cp header.cut header
		cp data.cut data
		exits 0 "$resilience: mortise continues after write $number" reencrypt --resume-only
		is_plain
		result $? "$resilience: the data is there after write $number"
	done
done

# cryptsetup writes with write(2).
referee_killed() {
	local number=$1 program=("$referee" --disable-locks)
	shift
	[ "$(id -u)" != 0 ] || program=(setpriv --reuid=65534 --clear-groups "${program[@]}")
	(! strace -f -qq -o /dev/null -e trace=write -e inject=write:signal=KILL:when="$number" \
		"${program[@]}" "$@") >out 2>err
}
for resilience in checksum journal; do
	for number in 12 30; do
		encrypted --sector-size 512
		by_cryptsetup reencrypt $offline $cheap --init-only --resilience $resilience --header header data
		referee_killed $number reencrypt $offline --hotzone-size 128K --header header data
		exits 0 "$resilience: mortise continues after write $number of cryptsetup" \
			reencrypt --resume-only
		is_plain
		result $? "$resilience: the data is there after write $number of cryptsetup"
	done
done

# What is refused changes nothing.
unchanged() {
	cmp -s header header.before && cmp -s data data.before
	result $? "$1: nothing has changed"
}
encrypted --sector-size 512
cp header header.before
cp data data.before
says 1 "Device reencryption not in progress." "--resume-only" reencrypt --resume-only
says 1 "No data segment parameters changed. Reencryption aborted." "--keep-key alone" \
	reencrypt --keep-key
says 2 "No key available with this passphrase." "a wrong passphrase" \
	"$MORTISE" reencrypt -q --force-offline-reencrypt --key-file pass2 --header header data
says 1 "Unsupported resilience mode what" "an unknown resilience" reencrypt --resilience what
exits 1 "an unknown hash" reencrypt --resilience-hash what
exits 1 "a refused cipher" reencrypt --cipher cipher_null-ecb
exits 1 "a file without --force-offline-reencrypt" \
	"$MORTISE" reencrypt -q --key-file pass --header header data
exits 1 "data that is not a multiple of the sector" reencrypt --device-size 1000K --sector-size 4096 \
	--hotzone-size 1000
unchanged "refused options"
exits 0 "another keyslot" "$MORTISE" luksAddKey -q $cheap --key-file pass header pass2
cp header header.before
says 1 "Key file can be used only with --key-slot or with exactly one key slot active." \
	"two keyslots and one file" reencrypt
unchanged "two keyslots"

# The other keyslot gets no new one.
exits 0 "--key-slot" reencrypt --key-slot 0
exits 2 "the passphrase of the other keyslot" "$MORTISE" open --test-passphrase --key-file pass2 header
is_plain
result $? "the data is there"

# In between a passphrase of both keys opens the volume; its state is shown, and bound to its keys.
encrypted --sector-size 512
exits 0 "--init-only" reencrypt --init-only
exits 1 "--init-only again" reencrypt --init-only
unmet="Unmet LUKS2 requirements detected. (online-reencrypt-v2; to finish it, run \`mortise reencrypt\`)"
exits 0 "open" "$MORTISE" open --test-passphrase --key-file pass header
exits 2 "open with a wrong passphrase" "$MORTISE" open --test-passphrase --key-file pass2 header
says 1 "$unmet" "luksAddKey" "$MORTISE" luksAddKey -q $cheap --key-file pass header pass2
"$MORTISE" check header >out 2>err
[ $? = 8 ] && [ "$(grep '^error' out)" = "error: $unmet" ]
result $? "check has one error"
"$MORTISE" luksDump header >dump
grep -q "online-reencrypt-v2" dump && grep -q "Resilience: *checksum" dump
result $? "luksDump shows it"
cp header header.before
cp data data.before
while IFS='|' read -r what filter; do
	cp header.before header
	dd if=header bs=4096 skip=1 count=3 status=none | tr -d '\0' | jq -c "$filter" | "$FORGE" header
	cp header header.forged
	"$MORTISE" reencrypt $offline --resume-only --header header data >out 2>err
	[ $? = 1 ] && cmp -s header header.forged && cmp -s data data.before
	result $? "forged $what is refused, and nothing changes"
done <<-'END'
	mode|.keyslots |= map_values(if .type == "reencrypt" then .mode = "decrypt" else . end)
	direction|.keyslots |= map_values(if .type == "reencrypt" then .direction = "backward" else . end)
	resilience|.keyslots |= map_values(if .type == "reencrypt" then .area.type = "journal" else . end)
	form|.segments |= map_values(if .flags == ["backup-final"] then .sector_size = 1024 else . end)
	digest|(.digests[] | select(.segments == [] and .keyslots != [])).iterations = 1001
	progress|.segments["0"].size = "12345"
	version|.config.requirements.mandatory = ["online-reencrypt"]
END
cp header.before header
exits 0 "the true header continues" reencrypt --resume-only --progress-json
jq -se 'last.device_bytes == "1048576"' out >/dev/null
result $? "--progress-json"
is_plain
result $? "its data is there"

cp plain data
rm header
by_cryptsetup reencrypt $offline $cheap --encrypt --init-only --header header data >/dev/null
"$MORTISE" check header >out 2>err
[ $? = 8 ] && [ "$(grep '^error' out)" = "error: $unmet" ]
result $? "check has one error during an encryption"
exits 0 "an encryption continues" reencrypt --resume-only
is_plain
result $? "an encryption continues: the data is there"

# A keyslot that only --key-slot opens elsewhere.
encrypted --sector-size 512
exits 0 "ignore a keyslot" "$MORTISE" config --priority ignore --key-slot 0 header
exits 0 "an ignored keyslot" reencrypt
is_plain
result $? "an ignored keyslot: the data is there"

# The seal: valid before, valid after, under the new key.
exits 0 "format" "$MORTISE" luksFormat -q $cheap --key-file pass --offset 0 --header sealed data
cp plain data
exits 0 "re-encrypt" "$MORTISE" reencrypt $offline $cheap --header sealed data
exits 0 "the new key has sealed the header" "$MORTISE" open --test-passphrase --sealed --key-file pass sealed

# What would stop the first zone is found before the header says that a reencryption has begun.
formatted() {
	cp plain data
	"$MORTISE" luksFormat -q $cheap --key-file pass --offset 0 --header header data "$@" 2>/dev/null
}
# filtered FILTER: changes the metadata of header.
filtered() {
	dd if=header bs=4096 skip=1 count=3 status=none | tr -d '\0' | jq -c "$1" | "$FORGE" header
}
# refused DESCRIPTION TEXT OPTION...: reencrypt fails with TEXT.
refused() {
	local what=$1 text=$2
	shift 2
	cp header header.before
	cp data data.before
	says 1 "$text" "$what" reencrypt "$@"
	unchanged "$what"
}
formatted
filtered '.segments["0"].integrity = { type: "hmac(sha256)", journal_encryption: "none", journal_integrity: "none" }'
refused "integrity" "Reencryption of device with integrity profile is not supported."
formatted
head -c 64 /dev/zero >weak
refused "equal halves of a key" "an XTS key with equal halves is refused" --volume-key-file weak
formatted --cipher xchacha20,aes-adiantum-plain64 --key-size 256
refused "a cipher that is missing" "the crypto library does not support cipher \
xchacha20,aes-adiantum-plain64 with a key of 256 bits" --cipher aes-xts-plain64 --key-size 512
formatted --sector-size 512
filtered '.segments["0"].size = "520704"'
refused "a size in the header" "Data device is not aligned to encryption sector size (4096 bytes)." \
	--sector-size 4096
filtered '.segments["0"].size = "524288"'
cp data data.before
exits 0 "a size in the header" reencrypt
"$MORTISE" luksDump --dump-json-metadata header | jq -e '.segments["0"].size == "524288"' >/dev/null &&
	! cmp -s data data.before && cmp -s -i 524288 data data.before
result $? "a size in the header: it stays, and so does what follows the data"

# The header file as the data.
overwrite="its header is detached, and the data would overwrite it; name the data device, and this file \
with --header"
formatted
cp header header.before
ln header link
for name in header "--header header header" "--header header link"; do
	says 1 "cannot re-encrypt ${name##* }: $overwrite" "$name as the data" \
		"$MORTISE" reencrypt $offline $cheap $name
	cmp -s header header.before
	result $? "$name as the data: it is unchanged"
done
exits 0 "begin" reencrypt --init-only
cp header header.before
says 1 "cannot re-encrypt header: $overwrite" "resume without --header" "$MORTISE" reencrypt $offline header
cmp -s header header.before
result $? "resume without --header: it is unchanged"
rm link

# A JSON area with too little room for the updates of the zones.
begun=0 unbegun=0
formatted --sector-size 512
used=$(dd if=header bs=4096 skip=1 count=3 status=none | tr -d '\0' | wc -c)
for room in 1000 1300 1350 1400 1450 1600 1800 2000 2300; do
	fill=$((12288 - used - room))
	formatted --sector-size 512
	printf '{"type":"fill","keyslots":[],"text":"%*s"}' $fill '' |
		"$MORTISE" token import header --json-file - 2>/dev/null
	cp header header.before
	if reencrypt --hotzone-size 128K >out 2>err; then
		begun=$((begun + 1))
	elif grep -q "the metadata needs" err && cmp -s -n 32768 header header.before; then
		unbegun=$((unbegun + 1))
	else
		result 1 "with $room bytes of room, the JSON area stops a reencryption that has begun"
	fi
done
[ $begun -gt 0 ] && [ $unbegun -gt 0 ]
result $? "tokens that fill the JSON area stop a reencryption before it begins, or not at all"
finish
