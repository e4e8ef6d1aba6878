#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The parts of the benchmarks that need a kernel with device-mapper: "benchmark unlock --mapping"
# creates its mapping over a device, a file and a volume in use, and leaves nothing behind.
# Runs in a guest: see tools/guest/uml.
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

device=$(blank_device 64)
key=$work/key
file=$work/file
result=$work/result
printf 'a passphrase' >"$key"
cheap=(--pbkdf argon2id --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)

# measured TEXT VOLUME: the result contains both creation and removal.
measured() {
	"$MORTISE" benchmark unlock "$2" --mapping --runs 3 --json >"$result" 2>&1 || true
	check_equal "$1" "$(grep -c '"create"\|"remove"\|"unlock/mapping"' "$result")" 3
}

mappings() {
	dmsetup ls 2>/dev/null | grep -v '^No devices found' || true
}

"$MORTISE" luksFormat -q "${cheap[@]}" "$device" "$key"
truncate -s 20M "$file"
"$MORTISE" luksFormat -q "${cheap[@]}" "$file" "$key"
before=$(sha256sum "$device" "$file")
loops=$(losetup -a)
measured "the mapping over a device" "$device"
measured "the mapping over a file" "$file"
check_equal "no mapping is left" "$(mappings)" ""
check_equal "device and file are unchanged" "$(sha256sum "$device" "$file")" "$before"
check_equal "no loop device is left" "$(losetup -a)" "$loops"
"$MORTISE" open --key-file "$key" "$device" inuse
measured "the mapping over a device in use" "$device"
check_equal "the mapping of the volume in use stays" "$(mappings | cut -f1)" inuse
"$MORTISE" close inuse
if grep -q 'User Mode Linux' /proc/cpuinfo; then
	check_equal "results of an emulated machine are marked" \
		"$(grep -c 'User Mode Linux: times mean nothing' "$result")" 1
fi
finish
