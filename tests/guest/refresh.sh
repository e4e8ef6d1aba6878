#!/usr/bin/env bash
# refresh and open --persistent: other activation flags for a mapping that is in use, and flags stored
# in the header. The same cases run with MORTISE=cryptsetup, except the last one. Runs in a guest:
# see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
node=/dev/mapper/fresh

printf 'the passphrase' >"$work/key"
printf 'another one' >"$work/wrong"
device=$(blank_device 24)
"$MORTISE" luksFormat -q --type luks2 "${cheap[@]}" --sector-size 4096 --key-file "$work/key" \
	"$device"

open() {
	"$MORTISE" open --key-file "$work/key" "$@" "$device" fresh
}

refresh() {
	"$MORTISE" refresh --key-file "$work/key" "$@"
}

# The words after the number of options.
flags() {
	dmsetup table fresh | cut -d ' ' -f 10-
}

stored() {
	cryptsetup luksDump "$device" | sed -n 's/^Flags:[[:space:]]*\(.*[^ ]\) *$/\1/p'
}

test_flags() {
	local plain

	open
	plain=$(dmsetup table fresh)
	check_equal "no flags" "$(flags)" sector_size:4096
	check "refresh with a flag" refresh --allow-discards fresh
	check_equal "the mapping has it" "$(flags)" 'allow_discards sector_size:4096'
	check "another flag, by the path" refresh --perf-no_read_workqueue --perf-same_cpu_crypt \
		/dev/mapper/fresh
	check_equal "it replaces the first one" "$(flags)" \
		'same_cpu_crypt no_read_workqueue sector_size:4096'
	check "refresh without flags" refresh fresh
	check_equal "the table is as before" "$(dmsetup table fresh)" "$plain"
	check "open --refresh with a name" "$MORTISE" open --refresh --key-file "$work/key" \
		--perf-no_write_workqueue fresh
	check_equal "the mapping has the flag" "$(flags)" 'no_write_workqueue sector_size:4096'
	check "open --refresh with device and name" "$MORTISE" open --refresh \
		--key-file "$work/key" --perf-submit_from_crypt_cpus "$device" fresh
	check_equal "the mapping has the flag" "$(flags)" 'submit_from_crypt_cpus sector_size:4096'
	check_equal "nothing was stored" "$(stored)" '(no flags)'
	check "the key moves into the table" refresh --disable-keyring fresh
	check_match "it is there" "$(dmsetup table --showkeys fresh)" \
		"0 16384 crypt aes-xts-plain64 $(printf '[0-9a-f]%.0s' {1..128}) 0 *"
	check "and back into the keyring" refresh fresh
	check_equal "the table is as at first" "$(dmsetup table fresh)" "$plain"
	"$MORTISE" close fresh
}

test_refusals() {
	local table

	open --allow-discards
	table=$(dmsetup table fresh)
	check_status 1 "no mapping" refresh nothing
	check_status 2 "a wrong passphrase" "$MORTISE" refresh --key-file "$work/wrong" fresh
	check_status 1 "--test-passphrase" refresh --test-passphrase fresh
	check_status 1 "--test-passphrase with open --refresh" \
		"$MORTISE" open --refresh --test-passphrase fresh
	check_equal "the mapping is as before" "$(dmsetup table fresh)" "$table"
	"$MORTISE" close fresh
	open --readonly
	check "a read-only mapping" refresh --allow-discards fresh
	check_equal "it has the flag" "$(flags)" 'allow_discards sector_size:4096'
	check_match "it is still read-only" "$("$MORTISE" status fresh)" '*mode:    readonly*'
	"$MORTISE" close fresh
}

test_stored() {
	open
	check "store a flag" refresh --persistent --allow-discards fresh
	check_equal "the header has it" "$(stored)" allow-discards
	check "a flag that is not stored" refresh --perf-no_read_workqueue fresh
	check_equal "it is added to the stored one" "$(flags)" \
		'allow_discards no_read_workqueue sector_size:4096'
	check_equal "the header is as before" "$(stored)" allow-discards
	"$MORTISE" close fresh
	open
	check_equal "the next mapping has the flag" "$(flags)" 'allow_discards sector_size:4096'
	check "store other flags" refresh --persistent --perf-same_cpu_crypt fresh
	check_equal "they replace those of the header" "$(stored)" same-cpu-crypt
	check "store none" refresh --persistent fresh
	check_equal "the header has none" "$(stored)" '(no flags)'
	check_equal "nor has the mapping" "$(flags)" sector_size:4096
	"$MORTISE" close fresh
	open --persistent --allow-discards --perf-no_write_workqueue
	check_equal "open stores flags" "$(stored)" 'allow-discards no-write-workqueue'
	"$MORTISE" close fresh
	open --persistent
	check_equal "open --persistent without flags removes them" "$(stored)" '(no flags)'
	check_equal "and does not use them" "$(flags)" sector_size:4096
	"$MORTISE" close fresh
}

# Flags change while files are written.
test_in_use() {
	local writer flag

	open
	mkfs.ext4 -q $node
	mkdir -p /run/mounted
	mount $node /run/mounted
	{
		while [[ ! -e $work/stop ]]; do
			head -c 1M /dev/urandom | tee /run/mounted/data | sha256sum >"$work/sum"
			sync /run/mounted/data
		done
	} &
	writer=$!
	for flag in allow-discards perf-no_write_workqueue perf-no_read_workqueue perf-same_cpu_crypt; do
		check "refresh --$flag while files are written" refresh --$flag fresh
	done
	touch "$work/stop"
	wait "$writer"
	umount /run/mounted
	"$MORTISE" close fresh
	open
	check "the file system is intact" e2fsck -fn $node
	mount $node /run/mounted
	check_equal "the data is intact" "$(sha256sum </run/mounted/data)" "$(cat "$work/sum")"
	umount /run/mounted
	"$MORTISE" close fresh
}

# Where cryptsetup makes the mapping larger again, or loads a table without a key.
test_beyond() {
	open
	"$MORTISE" resize --size 8192 --key-file "$work/key" fresh
	check "refresh of a smaller mapping" refresh --allow-discards fresh
	check_equal "its size stays" "$(blockdev --getsz $node)" 8192
	"$MORTISE" luksSuspend fresh
	check_status 1 "a suspended mapping is refused" refresh fresh
	check_match "it is still suspended" "$("$MORTISE" status fresh)" '*(suspended)*'
	"$MORTISE" luksResume --key-file "$work/key" fresh
	"$MORTISE" luksFormat -q --type luks2 "${cheap[@]}" --key-file "$work/key" \
		--header "$work/foreign" "$(blank_device 18)"
	check_status 1 "another header is refused" refresh --header "$work/foreign" fresh
	cryptsetup token add --key-description changed "$device"
	check_status 1 "so is a header whose seal is broken, on request" refresh --sealed fresh
	check_equal "failures change nothing" "$(flags)" 'allow_discards sector_size:4096'
	"$MORTISE" close fresh
}

topics=(flags refusals stored in_use)
[[ $(basename "$MORTISE") == cryptsetup ]] || topics+=(beyond)
for topic in "${@:-${topics[@]}}"; do
	"test_$topic"
done
finish
