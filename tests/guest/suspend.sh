#!/usr/bin/env bash
# luksSuspend and luksResume: the kernel forgets the key, and I/O waits until a verified key is back.
# Suspended by mortise, resumed by cryptsetup, and the other way round. The cases without a comment
# pass with MORTISE=cryptsetup, too. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
reference=$([[ $(basename "$MORTISE") == cryptsetup ]] && echo yes || echo)
node=/dev/mapper/frozen
zeros=$(printf '%0128d' 0)

printf 'the passphrase' >"$work/key"
printf 'another one' >"$work/wrong"
device=$(blank_device 20)
"$MORTISE" luksFormat -q --type luks2 "${cheap[@]}" --key-file "$work/key" "$device"
"$MORTISE" luksDump -q --dump-volume-key --volume-key-file "$work/volume_key" \
	--key-file "$work/key" "$device" >/dev/null
head -c 64 /dev/urandom >"$work/wrong_key"
volume_key=$(od -An -v -tx1 "$work/volume_key" | tr -d ' \n')

begin() {
	"$MORTISE" open --key-file "$work/key" "$device" frozen
	head -c 65536 /dev/urandom >"$work/data"
	dd if="$work/data" of=$node oflag=direct bs=65536 status=none
}

keyed() {
	dmsetup table --showkeys frozen | cut -d ' ' -f 5
}

# data_intact: nothing was encrypted with another key.
data_intact() {
	dd if=$node iflag=direct bs=65536 count=1 status=none | cmp - "$work/data"
}

# is_waiting PID: the process waits for I/O and cannot be interrupted.
is_waiting() {
	[[ $(cut -d ' ' -f 3 "/proc/$1/stat") == D ]]
}

test_key_gone() {
	local table writer

	begin
	table=$(dmsetup table frozen)
	check_match "the key is in use" "$(keyed)" ':64:logon:cryptsetup:*-d0'
	check "suspend" "$MORTISE" luksSuspend frozen
	check_equal "the kernel has no key" "$(keyed)" "$zeros"
	check_match "status shows it" "$("$MORTISE" status frozen)" '*read/write (suspended)*'
	dd if=/dev/zero of=$node oflag=direct bs=4096 seek=100 count=1 status=none &
	writer=$!
	check "a writer waits" until_holds is_waiting "$writer"
	check_status 2 "a wrong passphrase is refused" \
		"$MORTISE" luksResume --key-file "$work/wrong" frozen
	check_equal "no key was loaded" "$(keyed)" "$zeros"
	check_match "the mapping is still suspended" "$("$MORTISE" status frozen)" '*(suspended)*'
	check "resume" "$MORTISE" luksResume --key-file "$work/key" frozen
	check "the writer ends" wait "$writer"
	check "the data is intact" data_intact
	check_equal "the table is as before" "$(dmsetup table frozen)" "$table"
	check "close" "$MORTISE" close frozen
}

test_ways() {
	begin
	"$MORTISE" luksSuspend frozen
	check "resume with the key in the table" \
		"$MORTISE" luksResume --disable-keyring --key-file "$work/key" frozen
	check_equal "this is the volume key" "$(keyed)" "$volume_key"
	"$MORTISE" luksSuspend /dev/mapper/frozen
	check_equal "the key is gone from the table" "$(keyed)" "$zeros"
	check_status 2 "a keyslot that does not open" \
		"$MORTISE" luksResume --key-slot 0 --key-file "$work/wrong" /dev/mapper/frozen
	check "resume by a keyslot and the path" \
		"$MORTISE" luksResume --key-slot 0 --key-file "$work/key" /dev/mapper/frozen
	check "the data is intact" data_intact
	"$MORTISE" luksSuspend frozen
	check "a suspended mapping is closed" "$MORTISE" close frozen
}

test_refusals() {
	begin
	check_status 4 "suspend of no mapping" "$MORTISE" luksSuspend nothing
	check_status 4 "resume of no mapping" "$MORTISE" luksResume --key-file "$work/key" nothing
	check_status 1 "resume of a live mapping" "$MORTISE" luksResume --key-file "$work/key" frozen
	"$MORTISE" luksSuspend frozen
	check_status 1 "a second suspend" "$MORTISE" luksSuspend frozen
	"$MORTISE" luksResume --key-file "$work/key" frozen
	"$MORTISE" close frozen
	dmsetup create frozen --uuid CRYPT-PLAIN-frozen \
		--table "0 8192 crypt aes-xts-plain64 $volume_key 0 $device 32768"
	check_status 1 "a mapping without a LUKS header" "$MORTISE" luksSuspend frozen
	check_match "it is not suspended" "$(dmsetup info frozen)" '*ACTIVE*'
	dmsetup remove frozen
}

# Options that cryptsetup 2.6.1 lacks, and what it does not refuse.
test_beyond() {
	local foreign=$work/foreign

	begin
	"$MORTISE" luksSuspend frozen
	check_status 2 "a wrong volume key is refused" \
		"$MORTISE" luksResume --volume-key-file "$work/wrong_key" frozen
	check_equal "no key was loaded" "$(keyed)" "$zeros"
	check_status 1 "a suspended mapping is not resized: a new table would have no key" \
		"$MORTISE" resize --size 8192 --key-file "$work/key" frozen
	check_equal "no key was loaded" "$(keyed)" "$zeros"
	"$MORTISE" luksFormat -q --type luks2 "${cheap[@]}" --key-file "$work/key" \
		--header "$foreign" "$(blank_device 18)"
	check_status 1 "another header is refused" \
		"$MORTISE" luksResume --key-file "$work/key" --header "$foreign" frozen
	cryptsetup token add --key-description changed "$device"
	check_status 1 "so is a header whose seal is broken, on request" \
		"$MORTISE" luksResume --sealed --key-file "$work/key" frozen
	check_equal "no key was loaded" "$(keyed)" "$zeros"
	check "resume by the volume key" \
		"$MORTISE" luksResume --volume-key-file "$work/volume_key" frozen
	check "the data is intact" data_intact
	"$MORTISE" close frozen
}

# Each program resumes what the other one has suspended.
test_both() {
	local one other _

	begin
	for _ in "$MORTISE cryptsetup" "cryptsetup $MORTISE"; do
		read -r one other <<<"$_"
		check "suspend" "$one" luksSuspend frozen
		check_equal "the kernel has no key" "$(keyed)" "$zeros"
		check_match "both show it" "$("$other" status frozen)" '*(suspended)*'
		check_status 1 "a second suspend" "$other" luksSuspend frozen
		check "resume" "$other" luksResume --key-file "$work/key" frozen
		check_match "the key is in the keyring" "$(keyed)" ':64:logon:cryptsetup:*-d0'
		check "the data is intact" data_intact
	done
	"$MORTISE" close frozen
}

test_detached() {
	local header=$work/header data

	data=$(blank_device 4)
	"$MORTISE" luksFormat -q --type luks2 "${cheap[@]}" --key-file "$work/key" \
		--header "$header" "$data"
	"$MORTISE" open --key-file "$work/key" --header "$header" "$data" frozen
	check "suspend without the detached header" "$MORTISE" luksSuspend frozen
	check_equal "the kernel has no key" "$(keyed)" "$zeros"
	check_status 1 "resume needs the header" "$MORTISE" luksResume --key-file "$work/key" frozen
	check "resume with the header" \
		"$MORTISE" luksResume --key-file "$work/key" --header "$header" frozen
	"$MORTISE" close frozen
}

# The disk below disappears from sysfs, as one that was pulled out.
test_vanished() {
	begin
	mount -t tmpfs none /sys/dev/block
	check "status of a mapping without its disk" "$MORTISE" status frozen
	check_match "it is active" "$("$MORTISE" status frozen)" '*frozen is active.*'
	umount /sys/dev/block
	check "close" "$MORTISE" close frozen
}

topics=(key_gone ways refusals both detached vanished)
[[ $reference ]] || topics+=(beyond)
for topic in "${@:-${topics[@]}}"; do
	"test_$topic"
done
finish
