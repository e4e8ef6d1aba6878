#!/usr/bin/env bash
# META on partitions: found by its label, and with the locks that Talos takes.
# Runs in a guest: see tools/guest/uml.
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# disk NAME...: create a disk with 1 MiB partitions that have these labels.
disk() {
	local device

	device=$(blank_device 8)
	{
		echo "label: gpt"
		printf 'size=1MiB, name="%s"\n' "$@"
	} | sfdisk --quiet --no-reread --no-tell-kernel "$device"
	losetup --detach "$device"
	losetup --find --show --partscan "$(ls -t "$work"/disk.* | head -n1)"
}

meta() {
	"$MORTISE" meta "$@"
}

# under KIND DEVICE COMMAND...: run COMMAND for at most a second while DEVICE is locked.
under() { # KIND DEVICE COMMAND...
	local kind=$1 device=$2
	shift 2

	flock "$kind" "$device" timeout --kill-after=20 1 "$@"
}

check_status 4 "no partition of that label" meta list
device=$(disk first META last)
sum=$(cksum <"${device}p1"; cksum <"${device}p3")
printf null >"$work/null"
check "set" meta set 9 "$work/null"
check_equal "get" "$(meta get 9)" null
check_equal "the partitions beside it are as they were" "$(cksum <"${device}p1"; cksum <"${device}p3")" \
	"$sum"
check_equal "it is on the disk" "$(dd if="${device}p2" bs=1 skip=12 count=4 iflag=direct status=none \
	2>/dev/null || dd if="${device}p2" bs=1 skip=12 count=4 status=none)" null
check "by its path, too" meta get 9 --device "META=${device}p2"
check_status 4 "the disk is no META" meta get 9 --device "META=$device"

check "a reader does not wait for a reader" under --shared "${device}p2" "$MORTISE" meta get 9
check "nor for whoever holds the disk" under --exclusive "$device" "$MORTISE" meta get 9
check_status 124 "it waits for a writer" under --exclusive "${device}p2" "$MORTISE" meta get 9
check_status 124 "a writer waits for a reader" under --shared "${device}p2" \
	"$MORTISE" meta delete 9
check_status 124 "and for whoever holds the disk" under --shared "$device" \
	"$MORTISE" meta delete 9
check_match "a signal ends the wait" \
	"$(under --exclusive "${device}p2" "$MORTISE" meta get 9 2>&1)" "*canceled*"
check_equal "nothing was written meanwhile" "$(meta get 9)" null
for i in {1..20}; do
	printf '%s' "$i" | meta set $((20 + i)) &
done
wait
check_equal "twenty writers at once: none is lost" "$(meta list | wc -l)" 22

check "the same value waits for no reader" under --shared "${device}p2" "$MORTISE" meta set 9 \
	"$work/null"
check "nor for whoever holds the disk" under --exclusive "$device" "$MORTISE" meta set 9 \
	"$work/null"
flock --shared "${device}p2" sleep 60 &
holder=$!
sleep 0.2
check_status 5 "a lock that is held for long ends the wait" said timeout 30 "$MORTISE" meta delete 9
check "and is told" says "META is locked by another program"
kill "$holder"
wait "$holder" || true
check_equal "nothing was written" "$(meta get 9)" null

blockdev --setro "${device}p2"
check_status 4 "read-only: not written" meta delete 9
check "read-only: read" meta get 9
check "read-only: the same value" meta set 9 "$work/null"
blockdev --setrw "${device}p2"

other=$(disk META)
check_status 4 "two of that label" meta list
check "one of them named" meta list --device "META=${other}p1"
mkfs.ext4 -qF "${other}p1" 2>/dev/null
check_status 1 "a file system is not META" meta set 9 "$work/null" --device "META=${other}p1"
finish
