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
	losetup --find --show --partscan "$(head -n1 < <(ls -t "$work"/disk.*))"
}

meta() {
	"$MORTISE" meta "$@"
}

# under KIND DEVICE COMMAND...: run COMMAND while DEVICE is locked.
under() {
	flock "$@"
}

# waits END KIND DEVICE COMMAND...: the command finds the device locked again and again. Then END
# ends the wait: a signal, or the release of the lock.
waits() {
	local end=$1 kind=$2 device=$3 lock pid
	shift 3

	exec {lock}<"$device"
	flock "$kind" "$lock"
	traced flock "$@" {lock}<&-
	pid=$!
	until_called 3 EAGAIN || return 99
	[[ $end != signal ]] || kill "$(cat "$work/pid")"
	[[ $end != release ]] || exec {lock}<&-
	wait "$pid"
}

# A writer that has waited for too long tries again: the limit is fixed, the machine's speed is not.
set_tag() { # TAG VALUE
	local status=5

	while [[ $status -eq 5 ]]; do
		status=0
		printf '%s' "$2" | meta set "$1" || status=$?
	done
}

check_status 4 "no partition of that label" meta list
device=$(disk first META last)
sum=$(cksum <"${device}p1"; cksum <"${device}p3")
printf null >"$work/null"
check "set" meta set 9 "$work/null"
check_equal "get" "$(meta get 9)" null
check_equal "the neighboring partitions are unchanged" "$(cksum <"${device}p1"; cksum <"${device}p3")" \
	"$sum"
check_equal "it is on the disk" "$(dd if="${device}p2" bs=1 skip=12 count=4 iflag=direct status=none \
	2>/dev/null || dd if="${device}p2" bs=1 skip=12 count=4 status=none)" null
check "by its path, too" meta get 9 --device "META=${device}p2"
check_status 4 "the whole disk is refused as META" meta get 9 --device "META=$device"

check "a reader does not wait for a reader" under --shared "${device}p2" "$MORTISE" meta get 9
check "it does not wait for a process that holds the disk" under --exclusive "$device" "$MORTISE" meta get 9
check_status 143 "a reader waits for a writer" waits signal --exclusive "${device}p2" "$MORTISE" meta get 9
check "a signal ends the wait" says "canceled"
check_equal "it does not try again" "$(sed '1,/SIGTERM/d' "$work/trace")" ""
check "the signal came in time" grep -q SIGTERM "$work/trace"
check_status 143 "a writer waits for a reader" waits signal --shared "${device}p2" \
	"$MORTISE" meta delete 9
check_status 143 "a writer waits for a process that holds the disk" waits signal --shared "$device" \
	"$MORTISE" meta delete 9
check_equal "nothing was written in the meantime" "$(meta get 9)" null
check "a reader gets its turn" waits release --exclusive "${device}p2" "$MORTISE" meta get 9
check "so does a writer" waits release --shared "${device}p2" "$MORTISE" meta set 20 "$work/null"
check "the waiting writer then succeeds" meta delete 20
for i in {1..20}; do
	set_tag $((20 + i)) "$i" &
done
wait
check_equal "twenty writers at once: none is lost" "$(meta list | wc -l)" 22

check "the same value waits for no reader" under --shared "${device}p2" "$MORTISE" meta set 9 \
	"$work/null"
check "it does not wait for a process that holds the disk" under --exclusive "$device" "$MORTISE" meta set 9 \
	"$work/null"
exec {lock}<"${device}p2"
flock --shared "$lock"
check_status 5 "a lock that is held for long ends the wait" said "$MORTISE" meta delete 9
check "the error says that META is locked" says "META is locked by another program"
exec {lock}<&-
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
