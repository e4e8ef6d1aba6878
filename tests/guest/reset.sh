#!/usr/bin/env bash
# Resetting volumes that are open, mounted or used for swap: reset closes them first, or leaves them
# alone if they are in use; an interrupted reset; and up formats a reset volume again.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

declared="slot: 0, static: {passphrase: declared}"
key=$work/key
printf declared >"$key"

# reset NAME DEVICE [OPTION]...
reset() {
	local name=$1 device=$2
	shift 2

	"$MORTISE" reset --yes "$name" --device "$name=$device" "$@"
}

opens() {
	cryptsetup open --test-passphrase --key-file "$key" "$1"
}

is_blank() {
	[[ -z $(blkid -p -s TYPE -s PTTYPE "$1") ]] && cmp -n 1048576 "$1" /dev/zero &&
		tail -c 1048576 "$1" | cmp -n 1048576 - /dev/zero
}

# is_busy TEXT PATTERN NAME DEVICE: reset gives exit status 5 and says what is in the way.
is_busy() {
	local text=$1 pattern=$2
	shift 2

	check_status 5 "$text" reset "$@"
	check_match "$text: reset says so" "$(reset "$@" 2>&1)" "*$pattern*"
}

# A volume that up opened and mounted.
test_open() {
	local device holder

	declare_none
	device=$(blank_device 40)
	declare_volume data "$device" "$declared"
	check "up succeeds" mortise up
	echo lost >"$root/var/mnt/data/file"
	(cd "$root/var/mnt/data" && exec sleep 600) &
	holder=$!
	until_holds executes "$holder" sleep
	is_busy "a process uses a directory" \
		"mounted at $root/var/mnt/data, where files are open in sleep (process $holder)" \
		data "$device"
	check "nothing was wiped" opens "$device"
	check_equal "nothing was closed" "$(cat "$root/var/mnt/data/file")" lost
	kill "$holder"
	wait "$holder" || true
	check "reset succeeds" said reset data "$device"
	check "reset showed that the volume was in use" says "  yes     LUKS2"
	check_equal "no mapping is open" "$(dmsetup ls)" "No devices found"
	check_fails "the volume is not mounted" findmnt "$root/var/mnt/data"
	check "it is blank" is_blank "$device"
	check_fails "the volume can no longer be opened" opens "$device"
	check_match "plan formats it" "$(mortise plan)" "*format*$device*(empty)*"
	check "up formats the volume again" mortise up
	check_fails "the old file is gone" test -e "$root/var/mnt/data/file"
	down
}

# reset discards the blocks of the data.
test_discard() {
	local device file before after

	declare_none
	device=$(blank_device 60)
	file=$(losetup --noheadings --output BACK-FILE "$device")
	declare_volume data "$device" "$declared"
	mortise up >"$work/out"
	head -c 20000000 /dev/urandom >"$root/var/mnt/data/file"
	sync
	before=$(stat -c %b "$file")
	check "reset succeeds" reset data "$device"
	after=$(stat -c %b "$file")
	check "the blocks are discarded" test "$after" -lt $((before - 30000))
	check "it is blank" is_blank "$device"
}

# mortise must not remove foreign users of a mapping or a device.
test_foreign() {
	local device size

	declare_none
	device=$(blank_device 40)
	declare_volume data "$device" "$declared"
	"$MORTISE" up "${options[@]}" "${up_cost[@]}" --no-mount >"$work/out"
	size=$(blockdev --getsz /dev/mapper/luks2-u-data)
	dmsetup create --noudevsync foreign --table "0 $size linear /dev/mapper/luks2-u-data 0"
	is_busy "a foreign mapping uses the volume" \
		"held by /dev/dm-1 (foreign); close" data "$device"
	check "nothing was closed" dmsetup info luks2-u-data
	check "the volume is not wiped" opens "$device"
	dmsetup remove --noudevsync foreign
	check "LUKS inside LUKS is formatted" \
		cryptsetup luksFormat -q "${cheap[@]}" --key-file "$key" \
		/dev/mapper/luks2-u-data
	cryptsetup open --key-file "$key" /dev/mapper/luks2-u-data inner
	mkfs.ext4 -q /dev/mapper/inner
	mount /dev/mapper/inner /mnt
	check "reset closes it from the top down" reset data "$device"
	check_equal "no mapping is open" "$(dmsetup ls)" "No devices found"
	check "it is blank" is_blank "$device"

	dmsetup create --noudevsync foreign --table "0 2048 linear $device 0"
	is_busy "a foreign mapping uses the device" "held by /dev/dm-? (foreign); close" data "$device"
	dmsetup remove --noudevsync foreign
}

# An unencrypted file system, mounted in several places.
test_mounts() {
	local device other holder

	device=$(blank_device 40)
	mkfs.ext4 -q "$device"
	mkdir "$work/first" "$work/a place" "$work/other"
	mount "$device" "$work/first"
	mkdir "$work/first/below"
	mount --bind "$work/first/below" "$work/a place"
	for place in first/below first; do
		mount -t tmpfs none "$work/$place"
		is_busy "a tmpfs is mounted at $place" \
			"mounted in it at $work/$place; unmount" data "$device"
		check "the tmpfs stays mounted" findmnt -t tmpfs "$work/$place"
		umount "$work/$place"
	done
	check_equal "nothing was unmounted" "$(findmnt -n -o TARGET "$device" | wc -l)" 2
	unshare -m --propagation private sleep 600 &
	holder=$!
	until_holds executes "$holder" sleep
	is_busy "another namespace has it mounted" \
		"mounted in another mount namespace" data "$device"
	kill "$holder"
	wait "$holder" || true
	mount "$device" "$work/first"
	mount --bind "$work/first/below" "$work/a place"
	other=$(blank_device 10)
	mkfs.ext4 -q "$other"
	mount "$other" "$work/first/below"
	check "reset of a device mounted twice, with another file system mounted in it" \
		reset data "$device"
	check_fails "the device is not mounted" findmnt "$device"
	check_fails "the other file system is not mounted" findmnt "$other"
	check_equal "the other file system is unchanged" \
		"$(blkid -p -s TYPE -o value "$other")" ext4
	check "it is blank" is_blank "$device"
	rmdir "$work/first"
}

test_swap() {
	local device

	device=$(blank_device 40)
	mkswap "$device" >"$work/out"
	swapon "$device"
	check "reset of unencrypted swap" reset swap "$device"
	check_equal "swap is off" "$(tail -n +2 /proc/swaps)" ""
	check "it is blank" is_blank "$device"

	format_with_file "$device" declared
	cryptsetup open --key-file "$key" "$device" luks2-s-swap
	mkswap /dev/mapper/luks2-s-swap >"$work/out"
	swapon /dev/mapper/luks2-s-swap
	check "reset of swap on a mapping" reset swap "$device"
	check_equal "swap is off" "$(tail -n +2 /proc/swaps)" ""
	check_equal "no mapping is open" "$(dmsetup ls)" "No devices found"

	format_with_file "$device" declared
	cryptsetup open --key-file "$key" "$device" made
	mount /dev/mapper/made /mnt
	dd if=/dev/zero of=/mnt/swap bs=1M count=4 status=none
	chmod 600 /mnt/swap
	mkswap /mnt/swap >"$work/out"
	swapon /mnt/swap
	check "reset of a swap file on a mapping" reset data "$device"
	check_equal "swap is off" "$(tail -n +2 /proc/swaps)" ""
	check "it is blank" is_blank "$device"
}

# A file behind a loop device.
test_file() {
	local file=$work/file loop

	truncate -s 40M "$file"
	cryptsetup luksFormat -q "${cheap[@]}" --key-file "$key" "$file"
	cryptsetup open --key-file "$key" "$file" made
	check "reset of a file that cryptsetup has open" reset data "$file"
	check_equal "no mapping is open" "$(dmsetup ls)" "No devices found"
	loop=$(losetup --find --show "$file")
	is_busy "a foreign loop device uses the file" \
		"attached to $loop; run losetup -d $loop first" data "$file"
	losetup -d "$loop"
	check "reset of the file without the loop device" reset data "$file"
	rm "$file"
}

# Volumes found by label, on a disk with partitions; META forgets STATE's encryption.
test_labels() {
	local file disk meta

	file=$work/gpt
	truncate -s 100M "$file"
	sfdisk -q "$file" <<-'END'
		label: gpt
		size=1M, name=META
		size=20M, name=STATE
		size=20M, name=u-data
		size=20M, name=r-data
		size=20M, name=r-raw
	END
	disk=$(losetup --find --partscan --show "$file")
	meta=${disk}p1
	for part in 2 3 4 5; do
		cryptsetup luksFormat -q "${cheap[@]}" --key-file "$key" "${disk}p$part"
	done
	printf '{}' | "$MORTISE" meta set 9 --device "META=$meta"
	printf kept | "$MORTISE" meta set 200 --device "META=$meta"
	check_status 1 "a disk with partitions is refused" reset data "$disk"
	check_match "the error names the partitions" \
		"$(reset data "$disk" 2>&1)" "*$disk has partitions (*${disk#/dev/}p3*"
	check_status 4 "a name that matches two volumes is refused" "$MORTISE" reset --yes data
	check_match "the error names both volumes" \
		"$("$MORTISE" reset --yes data 2>&1)" "*u-data and r-data*"
	check_status 1 "META cannot be reset" "$MORTISE" reset --yes META
	check "reset of STATE, and of raw by its declared name" \
		said "$MORTISE" reset --yes STATE raw
	check "reset shows the first volume" says "STATE   ${disk}p2"
	check "reset shows the second volume" says "raw     ${disk}p5"
	check "reset of a volume by its label" "$MORTISE" reset --yes u-data
	for part in 2 3 5; do
		check "partition $part is blank" is_blank "${disk}p$part"
	done
	check "partition 4 is not blank" opens "${disk}p4"
	check_status 1 "META has no entry for STATE's encryption" "$MORTISE" meta get 9
	check_equal "META keeps its other entries" "$("$MORTISE" meta get 200)" kept
	losetup -d "$disk"
}

# interrupt SIGNAL DEVICE: a reset that receives SIGNAL at its 150th write, after the header area of
# 16 MiB, which it writes in pieces of 128 KiB.
interrupt() {
	strace -qq -o "$work/trace" -e trace=pwrite64 -e "inject=pwrite64:signal=$1:when=150" \
		"$MORTISE" reset --yes --full data --device "data=$2" >"$work/said" 2>&1
}

# An interrupted reset --full: the volume is refused until another reset has completed.
test_interrupted() {
	local device

	declare_none
	device=$(blank_device 100)
	format_with_file "$device" declared
	declare_volume data "$device" "$declared"
	check_status 137 "a reset is killed" interrupt KILL "$device"
	check_match "up refuses the volume" "$(mortise up 2>&1)" \
		"*$device: a reset was interrupted; to finish it, run \`mortise reset u-data --device u-data=$device\`*"
	check_status 1 "up refuses the volume every time" mortise up
	check_fails "cryptsetup cannot open the volume" opens "$device"
	cryptsetup repair -q "$device" >"$work/out" 2>&1 || true
	check_fails "cryptsetup cannot open the volume after repairing it" opens "$device"
	check_status 130 "a reset is interrupted" interrupt INT "$device"
	check "reset says that it is unfinished" \
		says "cannot finish the reset of $device, whose keys are erased; run it again"
	check_status 1 "up still refuses the volume" mortise up
	check "another reset succeeds" said reset data "$device"
	check "reset recognizes the interrupted one" says "an interrupted reset"
	check "it is blank" is_blank "$device"
	check "up formats it" mortise up
	check "reset wipes it again" reset data "$device"
}

# A killed run of up may leave a mapping without a table, which must not be in the way.
test_given_up() {
	local device

	declare_none
	device=$(blank_device 40)
	format_with_file "$device" declared
	declare_volume data "$device" "$declared"
	dmsetup create --noudevsync luks2-u-data --notable --uuid CRYPT-LUKS2-x-luks2-u-data
	check "reset of a device with a mapping without a table" reset data "$device"
	check_equal "the mapping is gone" "$(dmsetup ls)" "No devices found"
	check "up succeeds" mortise up
	down
}

# Two resets at once: the second one notices that the device has changed since it was listed.
test_two() {
	local device first=0 second=0

	declare_none
	device=$(blank_device 60)
	declare_volume data "$device" "$declared"
	mortise up >"$work/out"
	reset data "$device" --full >"$work/first" 2>&1 &
	reset data "$device" --full >"$work/second" 2>&1 || second=$?
	wait $! || first=$?
	check_match "one succeeds, and the other succeeds or fails with status 1" \
		"$first $second" "@(0 [01]|1 0)"
	check "it is blank" is_blank "$device"
}

shopt -s extglob
for topic in ${1:-open discard foreign mounts swap file labels interrupted given_up two}; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
