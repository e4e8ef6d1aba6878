#!/usr/bin/env bash
# Power cuts at any moment while keys change: dm-log-writes records the writes that a real kernel
# sends to the disk, and replay tests each state in which a cut could leave the disk.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/guest/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$here/volumes.sh"

device=
log=

# declare_word WORD DEVICE: declare the keys of a mark, such as 0=passphrase,1=another.
declare_word() {
	local key keys=()

	for key in ${1//,/ }; do
		keys+=("slot: ${key%%=*}, static: {passphrase: ${key#*=}}")
	done
	declare_none
	declare_volume data "$2" "${keys[@]}"
}

# mark WORD: the log entries from here on belong to WORD. First flush the writes that precede it.
mark() {
	sync "$device"
	dmsetup message logged 0 mark "$1"
}

# rotate WORD: one run, between its mark and the mark "done".
rotate() {
	declare_word "$1" "$device"
	cp "$config" "$work/$1.yaml"
	mark "$1"
	check "up succeeds with $1" mortise up
	mark "done"
}

# begin_recording WORD: create a volume with these keys and a file in it, and close it.
begin_recording() {
	local disk

	disk=$(mktemp "$work/disk.XXXXXX")
	truncate -s 24M "$disk"
	device=$(losetup --find --show "$disk")
	log=$(blank_device 64)
	declare_word "$1" "$device"
	check "up formats a volume with $1" mortise up
	echo kept >"$root/var/mnt/data/file"
	down
	sync "$device"
	cp "$disk" "$work/image"
	# udev, which would create the node, is not running.
	DM_DISABLE_UDEV=1 dmsetup create logged --table \
		"0 $(blockdev --getsz "$device") log-writes $device $log"
	device=/dev/mapper/logged
	declare_word "$1" "$device"
	mark "$1"
}

# The script that replay runs after a cut: the next boot, with the new configuration.
make_next_boot() {
	cat >"$work/next_boot" <<-END
		set -e
		options=(-f "$work/\$1.yaml" --root "$root" --device data=$1)
		"$MORTISE" up "\${options[@]}" ${up_cost[*]}
		echo kept | cmp - "$root/var/mnt/data/file"
		"$MORTISE" down "\${options[@]}"
	END
}

replay_recording() {
	local image

	down
	DM_DISABLE_UDEV=1 dmsetup remove logged
	image=$(losetup --find --show "$work/image")
	make_next_boot "$image"
	check "no key is lost at any cut" said "$here/replay" "$work/image" "$log" \
		bash "$work/next_boot"
	cat "$work/said"
	log_states up "$(awk '/^to / { n += $3 + $(NF - 3) } END { print n + 0 }' "$work/said")"
	losetup -d "$image"
}

test_closed() {
	begin_recording 0=old,1=extra
	rotate 0=old,1=new,2=another
	down
	rotate 1=new,2=another,3=last
	replay_recording
}

test_open() {
	begin_recording 0=old,1=extra
	check "the volume is open" mortise up
	rotate 0=old,1=new,2=another
	rotate 1=new,2=another,3=last
	replay_recording
}

"$(cat /proc/sys/kernel/modprobe)" dm-log-writes
for topic in closed open; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
echo "# $SECONDS s"
finish
