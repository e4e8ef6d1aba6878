#!/usr/bin/env bash
# LUKS1 on a kernel with device-mapper: mortise opens what cryptsetup formatted, with every cipher that
# old installers chose, reads the same data, and status prints the same.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if grep -qx 'luks1 no' < <("$MORTISE" --version); then
	ok "skipped: this build lacks LUKS1"
	finish
fi
theirs=cryptsetup
mapped=/dev/mapper/old
key=$work/key
printf 'a passphrase' >"$key"
cheap=(--pbkdf-force-iterations 1000)

device=$(blank_device 8)

# format OPTION...
format() {
	"$theirs" luksFormat -q --type luks1 "${cheap[@]}" --key-file "$key" "$@" "$device"
}

digest() {
	sha256sum <"$mapped"
}

# same_status TEXT PROGRAM: status and table are those that cryptsetup made.
same_status() {
	check_equal "$1: status" "$("$2" status old)" "$status"
	check_equal "$1: table" "$(dmsetup table --showkeys old)" "$table"
	check_equal "$1: UUID" "$(dmsetup info -c --noheadings -o uuid old)" "$uuid"
}

# exchange TEXT [OPEN-OPTION...]: what cryptsetup writes through its mapping, mortise reads.
exchange() {
	local text=$1 written status table uuid
	shift

	"$theirs" open --key-file "$key" "$device" old
	head -c 256K /dev/urandom >"$mapped"
	written=$(digest)
	status=$("$theirs" status old)
	table=$(dmsetup table --showkeys old)
	uuid=$(dmsetup info -c --noheadings -o uuid old)
	check_equal "$text: status of cryptsetup's mapping" "$("$MORTISE" status old)" "$status"
	"$theirs" close old
	check "$text: open" "$MORTISE" open --key-file "$key" "$@" "$device" old
	check_equal "$text: the data" "$(digest)" "$written"
	same_status "$text" "$MORTISE"
	check "$text: close" "$MORTISE" close old
}

test_ciphers() {
	local cipher bits

	while read -r cipher bits; do
		format -c "$cipher" -s "$bits"
		exchange "$cipher $bits"
	done <<-'LIST'
		aes-xts-plain64 512
		aes-xts-plain 256
		aes-cbc-essiv:sha256 256
		aes-cbc-plain64 128
		serpent-xts-plain64 512
		twofish-xts-plain64 256
	LIST
	format -c aes-cbc-benbi -s 128
	check_status 1 "a cipher that is not on the list is refused" \
		"$MORTISE" open --key-file "$key" "$device" old
	exchange "with --allow-cipher" --allow-cipher aes-cbc-benbi
}

test_open() {
	format
	check "readonly" "$MORTISE" open --readonly --key-file "$key" "$device" old
	check_match "the mapping is read-only" "$("$MORTISE" status old)" '*mode:    readonly*'
	check_equal "cryptsetup says the same" "$("$MORTISE" status old)" "$("$theirs" status old)"
	check_status 5 "the name is in use" "$MORTISE" open --key-file "$key" "$device" old
	check "resize" "$MORTISE" resize --size 1024 old
	check_equal "the size" "$(blockdev --getsz "$mapped")" 1024
	check "close" "$MORTISE" close old
	# As in cryptsetup, the mapping is active nevertheless.
	check_status 1 "flags cannot be stored" \
		"$MORTISE" open --persistent --allow-discards --key-file "$key" "$device" old
	check "close" "$MORTISE" close old
	check "discards" "$MORTISE" open --allow-discards --key-file "$key" "$device" old
	written=$(digest)
	table=$(dmsetup table --showkeys old)
	check "refresh" "$MORTISE" refresh --allow-discards --key-file "$key" old
	check_equal "the table is the same" "$(dmsetup table --showkeys old)" "$table"
	check "suspend" "$MORTISE" luksSuspend old
	check "resume" "$MORTISE" luksResume --key-file "$key" old
	check_equal "the table has the key again" "$(dmsetup table --showkeys old)" "$table"
	check_equal "the data" "$(digest)" "$written"
	check_match "the table has the flag" "$(dmsetup table old)" '*allow_discards'
	check "close" "$MORTISE" close old
}

test_detached() {
	rm -f "$work/header"
	truncate -s 2M "$work/header"
	"$theirs" luksFormat -q --type luks1 "${cheap[@]}" --key-file "$key" \
		--header "$work/header" --align-payload 0 "$device"
	"$theirs" open --key-file "$key" --header "$work/header" "$device" old
	head -c 64K /dev/urandom >"$mapped"
	written=$(digest)
	table=$(dmsetup table --showkeys old)
	"$theirs" close old
	check "a detached header" "$MORTISE" open --key-file "$key" --header "$work/header" "$device" old
	check_equal "the data" "$(digest)" "$written"
	check_equal "the table" "$(dmsetup table --showkeys old)" "$table"
	check_equal "status with the header" "$("$MORTISE" status --header "$work/header" old)" \
		"$("$theirs" status --header "$work/header" old)"
	check "close" "$MORTISE" close old
}

# A header changes its version, not its data, and never under a mapping.
test_convert() {
	format
	"$theirs" open --key-file "$key" "$device" other
	head -c 256K /dev/urandom >/dev/mapper/other
	written=$(sha256sum </dev/mapper/other)
	check_status 5 "not while it is open" "$MORTISE" convert -q --type luks2 "$device"
	"$theirs" close other
	check "convert to luks2" "$MORTISE" convert -q --type luks2 "$device"
	check "cryptsetup opens it" "$theirs" open --key-file "$key" "$device" old
	check_equal "the data" "$(digest)" "$written"
	check_status 5 "not back while it is open" "$MORTISE" convert -q --type luks1 "$device"
	"$theirs" close old
	check "convert to luks1" "$MORTISE" convert -q --type luks1 "$device"
	check "it opens" "$MORTISE" open --key-file "$key" "$device" old
	check_equal "the data is the same" "$(digest)" "$written"
	check_match "as LUKS1" "$("$theirs" status old)" '*type:    LUKS1*'
	check "close" "$MORTISE" close old
	# The device is not in use, but a mapping with another header file is.
	dd if="$device" of="$work/header" bs=1M count=2 status=none
	check "a detached header" "$MORTISE" open --key-file "$key" --header "$work/header" "$device" old
	check_status 5 "not while a mapping has its UUID" \
		"$MORTISE" convert -q --type luks2 --header "$work/header" "$device"
	check "close" "$MORTISE" close old
}

[[ -n ${1-} ]] || set -- ciphers open detached convert
for topic; do
	"test_$topic"
done
finish
