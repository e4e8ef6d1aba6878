#!/usr/bin/env bash
# Plain mappings: cryptsetup 2.6.1 and the program under test create the same table, key included,
# from the same command line. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mkdir "$work/as"
ln -s "$(command -v "$MORTISE")" "$work/as/cryptsetup"
truncate -s 8M "$work/disk"
device=$(losetup --find --show "$work/disk")
pass='correct horse battery staple'
head -c 4096 /dev/urandom >"$work/key"
printf 'short' >"$work/short"
resizes=1

# opened PROGRAM WORD...: open as "p" with $input as standard input; print status and table.
opened() {
	local program=$1 status=0
	shift

	printf '%s' "$input" | "$program" "$@" >"$work/out" 2>"$work/err" || status=$?
	echo "status $status"
	if [[ $status -eq 0 ]]; then
		dmsetup table --showkeys p
		dmsetup info -c --noheadings -o uuid p
		"$program" status p
		[[ -z $resizes ]] || resized "$program"
		"$program" close p
	fi
}

# resized PROGRAM: resize "p" twice; print the tables.
resized() {
	local program=$1

	"$program" resize p --size 16 2>&1 || echo "resize $?"
	dmsetup table --showkeys p | sed 's/capi:cbc(aes)/aes-cbc/'
	"$program" resize p 2>&1 || echo "resize $?"
	dmsetup table p | sed 's/capi:cbc(aes)/aes-cbc/'
}

# same TEXT WORD...: both programs create the same mapping.
same() {
	local text=$1
	shift

	opened cryptsetup "$@" >"$work/theirs"
	opened "$work/as/cryptsetup" "$@" >"$work/ours"
	sed -i 1q "$work/err"
	check_equal "$text: $*" "$(cat "$work/ours")" "$(cat "$work/theirs")"
	[[ -z ${opens-yes} ]] || check "$text: opens" grep -qx 'status 0' "$work/ours"
}

plain() { same "$1" open --type plain "${@:2}" "$device" p; }

test_keys() {
	local hash size mode

	input=$pass$'\n'
	plain "defaults"
	# Where the key comes from makes no difference to a resize.
	resizes=
	for hash in ripemd160 sha1 sha256 sha512 sha384 sha3-256; do
		for size in 128 256 512; do
			[[ $size -eq 512 ]] && mode=xts || mode=cbc
			plain "hash" --hash $hash --key-size $size --cipher aes-$mode-plain64
		done
	done
	plain "a long key" --hash ripemd160 --key-size 512 --cipher aes-xts-plain64
	plain "a part of the hash" --hash sha256:20
	plain "a part of two hashes" --hash sha1:30
	plain "no hash" --hash plain
	plain "no hash, a part" --hash plain:16
	input=$'\n'
	plain "an empty passphrase" --hash sha256
	input=abc
	plain "no newline" --hash sha256
	plain "no hash, a short passphrase" --hash plain
	opens='' plain "no hash, too short for a part" --hash plain:16
	opens='' plain "unknown hash" --hash nonsense
	opens='' plain "a part longer than the key" --hash sha256:64
	opens='' plain "a part that is not a number" --hash sha256:x
	opens='' plain "no key" --key-size 0 --hash ""
	input=$'line\nanother line\n'
	plain "one line" --hash sha256
	plain "all of standard input" --hash sha256 --key-file -
	plain "a part of standard input" --hash sha256 --key-file=- --keyfile-size 7
	plain "a line, with a size" --hash sha256 --keyfile-size 3
	input=$(head -c 300 /dev/zero | tr '\0' x)
	plain "standard input is the key" --hash plain --key-file=-
	plain "standard input is the key, from an offset" --hash plain --key-file=- --keyfile-offset 3
	input=
	opens='' plain "no input"
	plain "key file" --key-file "$work/key"
	plain "key file, hash ignored" --key-file "$work/key" --hash sha256
	plain "key file, size ignored" --key-file "$work/key" --keyfile-size 8 --key-size 512 \
		--cipher aes-xts-plain64
	plain "key file, offset" --key-file "$work/key" --keyfile-offset 1000
	opens='' plain "key file that is too short" --key-file "$work/short"
	opens='' plain "no key file" --key-file "$work/nothing"
	resizes=1
}

test_options() {
	local cipher size

	input=$pass$'\n'
	for cipher in aes-cbc-essiv:sha256 aes-xts-plain64 aes-cbc-plain aes aes-plain aes-ecb \
		twofish-cbc-essiv:sha256 twofish-xts-plain64 serpent-xts-plain64 serpent-cbc-plain \
		aes-xts-plain64be aes-cbc-null 'capi:cbc(aes)-plain64' aes:64-cbc-lmk; do
		opens='' plain "cipher" --hash sha256 --cipher "$cipher"
	done
	opens='' plain "unknown cipher" --hash sha256 --cipher nonsense-xts-plain64
	plain "offset" --hash sha256 --offset 8
	plain "offset and skip" --hash sha256 --offset 64 --skip 32
	plain "size" --hash sha256 --size 64 --skip 1
	plain "size in bytes" --hash sha256 --device-size 1M
	plain "letters" -h sha256 -o 8 -p 8 -b 16 -s 128 -c aes-cbc-plain
	opens='' plain "two sizes" --hash sha256 --device-size 1M --size 8
	opens='' plain "offset behind the end" --hash sha256 --offset 16384
	opens='' plain "size behind the end" --hash sha256 --offset 16000 --size 1000
	for size in 512 1024 4096; do
		plain "sector size" --hash sha256 --sector-size $size
		plain "sector size and skip" --hash sha256 --sector-size $size --skip 8
	done
	plain "large sectors" --hash sha256 --sector-size 4096 --iv-large-sectors
	plain "large sectors and skip" --hash sha256 --sector-size 2048 --iv-large-sectors --skip 8
	opens='' plain "part of a sector" --hash sha256 --sector-size 4096 --offset 1
	check_fails "skip part of a sector" "$MORTISE" open --type plain --sector-size 4096 --skip 1 \
		--key-file "$work/key" "$device" p
	opens='' plain "sector size" --hash sha256 --sector-size 8192
	opens='' plain "large sectors of 512" --hash sha256 --sector-size 512 --iv-large-sectors
	plain "read-only" --hash sha256 --readonly
	plain "flags" --hash sha256 --allow-discards --perf-same_cpu_crypt \
		--perf-submit_from_crypt_cpus --perf-no_read_workqueue --perf-no_write_workqueue
	same "create" create p "$device" --hash sha256
	same "plainOpen" plainOpen "$device" p --hash sha256
	same "a file" open --type plain --hash sha256 --size 128 "$work/disk" p
}

test_state() {
	input=$pass$'\n'
	printf '%s' "$input" | "$MORTISE" open --type plain --hash sha256 --size 256 "$device" first
	check_status 5 "the name exists" "$MORTISE" open --type plain -d "$work/key" "$device" first
	check_status 5 "the device is in use" \
		"$MORTISE" open --type plain -d "$work/key" "$device" second
	check "the device is shared" "$MORTISE" open --type plain --shared --offset 256 \
		-d "$work/key" "$device" second
	check_match "both are active" "$(dmsetup table second)" '0 16128 crypt *'
	check "close" "$MORTISE" close first
	check "plainClose" "$MORTISE" plainClose second
	check_status 4 "no device" "$MORTISE" open --type plain -d "$work/key" /dev/nothing p
	check_status 1 "a cipher that does not encrypt" \
		"$MORTISE" open --type plain -d "$work/key" --cipher cipher_null-ecb "$device" p
	check_fails "no name" "$MORTISE" open --type plain -d "$work/key" "$device"
	check_fails "nothing is left" dmsetup info p
}

# refreshed PROGRAM WORD...: open as "p", refresh with these options, print status and table.
refreshed() {
	local program=$1 status=0

	printf '%s' "$pass" | "$program" -q open --type plain --hash sha256 --offset 8 --skip 8 \
		--allow-discards "$device" p
	printf '%s' "$pass" | "$program" -q refresh "${@:2}" >"$work/out" 2>"$work/err" || status=$?
	echo "status $status"
	dmsetup table --showkeys p
	"$program" close p
}

test_refresh() {
	local words

	for words in "p --hash sha256" "p --hash sha256 --perf-no_read_workqueue" \
		"p --hash sha256 --allow-discards --perf-same_cpu_crypt" "$device p --hash sha256"; do
		# shellcheck disable=SC2086  # split into words
		check_equal "refresh $words" "$(refreshed "$work/as/cryptsetup" $words)" \
			"$(refreshed cryptsetup $words)"
	done
	check_match "another hash is refused" "$(refreshed "$work/as/cryptsetup" p --hash sha512)" \
		"status 2"$'\n'"* 1 allow_discards"
	check_match "so is another key" "$(refreshed "$work/as/cryptsetup" p --key-file "$work/key")" \
		"status 2"$'\n'"* 1 allow_discards"
}

# Data that one program has written is read by the other.
test_data() {
	local options=(--type plain --hash sha256 --cipher aes-xts-plain64 --key-size 512 --skip 7)

	printf '%s' "$pass" | cryptsetup -q open "${options[@]}" "$device" p
	mkfs.ext4 -q /dev/mapper/p
	cryptsetup close p
	printf '%s' "$pass" | "$MORTISE" open "${options[@]}" "$device" p
	check "a file system of cryptsetup is read" e2fsck -fn /dev/mapper/p
	"$MORTISE" close p
	printf 'wrong' | "$MORTISE" open "${options[@]}" "$device" p
	check_fails "a wrong passphrase shows none" blkid -p /dev/mapper/p
	"$MORTISE" close p
}

# What else is on the device is named, and with -q it is not.
test_signatures() {
	local program

	mkfs.ext4 -qF "$device"
	for program in cryptsetup "$work/as/cryptsetup"; do
		"$program" open --type plain -d "$work/key" "$device" p >"$work/said" 2>&1 </dev/null
		check "a file system is named" says "already contains a 'ext4' superblock signature."
		"$program" close p
		"$program" -q open --type plain -d "$work/key" "$device" p >"$work/said" 2>&1 </dev/null
		check_equal "with -q it is not" "$(cat "$work/said")" ""
		"$program" close p
	done
	wipefs -qa "$device"
}

[[ -n ${1-} ]] || set -- keys options state refresh data signatures
for topic; do
	"test_$topic"
done
finish
