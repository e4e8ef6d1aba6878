#!/usr/bin/env bash
# Resetting volumes that are open, mounted or swapped on: closed first, or left alone when
# something holds them; cut off in the middle; and afterwards formatted afresh by up.
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

# is_busy TEXT PATTERN NAME DEVICE: reset says what is in the way, with status 5.
is_busy() {
	local text=$1 pattern=$2
	shift 2

	check_status 5 "$text" reset "$@"
	check_match "$text: said" "$(reset "$@" 2>&1)" "*$pattern*"
}

# Open and mounted by up.
test_open() {
	local device holder

	declare_none
	device=$(blank_device 40)
	declare_volume data "$device" "$declared"
	check "up" mortise up
	echo lost >"$root/var/mnt/data/file"
	(cd "$root/var/mnt/data" && exec sleep 600) &
	holder=$!
	until_holds executes "$holder" sleep
	is_busy "a process has a directory" "it is mounted at $root/var/mnt/data, where a process has" \
		data "$device"
	check "nothing was wiped" opens "$device"
	check_equal "nor closed" "$(cat "$root/var/mnt/data/file")" lost
	kill "$holder"
	wait "$holder" || true
	check "reset" said reset data "$device"
	check "showed that it was in use" says "  yes     LUKS2"
	check_equal "nothing is open" "$(dmsetup ls)" "No devices found"
	check_fails "nor mounted" findmnt "$root/var/mnt/data"
	check "it is blank" is_blank "$device"
	check_fails "and opens no more" opens "$device"
	check_match "plan formats it" "$(mortise plan)" "*format*$device*(empty)*"
	check "up afresh" mortise up
	check_fails "without the file" test -e "$root/var/mnt/data/file"
	down
}

# The blocks that data took are given back.
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
	check "reset" reset data "$device"
	after=$(stat -c %b "$file")
	check "discards" test "$after" -lt $((before - 30000))
	check "it is blank" is_blank "$device"
}

# What others have put on a mapping or a device is not ours to end.
test_foreign() {
	local device size

	declare_none
	device=$(blank_device 40)
	declare_volume data "$device" "$declared"
	"$MORTISE" up "${options[@]}" "${up_cost[@]}" --no-mount >"$work/out"
	size=$(blockdev --getsz /dev/mapper/luks2-u-data)
	dmsetup create --noudevsync foreign --table "0 $size linear /dev/mapper/luks2-u-data 0"
	is_busy "a mapping of others above" "/dev/dm-1 (foreign) stands on it" data "$device"
	check "nothing was closed" dmsetup info luks2-u-data
	check "nor wiped" opens "$device"
	dmsetup remove --noudevsync foreign
	check "LUKS on LUKS" cryptsetup luksFormat -q "${cheap[@]}" --key-file "$key" \
		/dev/mapper/luks2-u-data
	cryptsetup open --key-file "$key" /dev/mapper/luks2-u-data inner
	mkfs.ext4 -q /dev/mapper/inner
	mount /dev/mapper/inner /mnt
	check "is closed from the top down" reset data "$device"
	check_equal "nothing is open" "$(dmsetup ls)" "No devices found"
	check "it is blank" is_blank "$device"

	dmsetup create --noudevsync foreign --table "0 2048 linear $device 0"
	is_busy "a mapping of others on the device" "dm-? (foreign) stands on it" data "$device"
	dmsetup remove --noudevsync foreign
}

# A file system without encryption, mounted in several places.
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
		is_busy "a tmpfs at $place" "mounted in it at $work/$place: unmount" data "$device"
		check "which stays" findmnt -t tmpfs "$work/$place"
		umount "$work/$place"
	done
	check_equal "nothing was unmounted" "$(findmnt -n -o TARGET "$device" | wc -l)" 2
	unshare -m --propagation private sleep 600 &
	holder=$!
	until_holds executes "$holder" sleep
	is_busy "mounted in another namespace" "another mount namespace has it mounted" data "$device"
	kill "$holder"
	wait "$holder" || true
	mount "$device" "$work/first"
	mount --bind "$work/first/below" "$work/a place"
	other=$(blank_device 10)
	mkfs.ext4 -q "$other"
	mount "$other" "$work/first/below"
	check "mounted twice, and another volume in it" reset data "$device"
	check_fails "unmounted" findmnt "$device"
	check_fails "and so is the other" findmnt "$other"
	check_equal "which is not touched" "$(blkid -p -s TYPE -o value "$other")" ext4
	check "it is blank" is_blank "$device"
	rmdir "$work/first"
}

test_swap() {
	local device

	device=$(blank_device 40)
	mkswap "$device" >"$work/out"
	swapon "$device"
	check "swap, without encryption" reset swap "$device"
	check_equal "is off" "$(tail -n +2 /proc/swaps)" ""
	check "it is blank" is_blank "$device"

	format_with_file "$device" declared
	cryptsetup open --key-file "$key" "$device" luks2-s-swap
	mkswap /dev/mapper/luks2-s-swap >"$work/out"
	swapon /dev/mapper/luks2-s-swap
	check "swap on a mapping" reset swap "$device"
	check_equal "is off" "$(tail -n +2 /proc/swaps)" ""
	check_equal "nothing is open" "$(dmsetup ls)" "No devices found"

	format_with_file "$device" declared
	cryptsetup open --key-file "$key" "$device" made
	mount /dev/mapper/made /mnt
	dd if=/dev/zero of=/mnt/swap bs=1M count=4 status=none
	chmod 600 /mnt/swap
	mkswap /mnt/swap >"$work/out"
	swapon /mnt/swap
	check "a swap file on a mapping" reset data "$device"
	check_equal "is off" "$(tail -n +2 /proc/swaps)" ""
	check "it is blank" is_blank "$device"
}

# A file that is a loop device.
test_file() {
	local file=$work/file loop

	truncate -s 40M "$file"
	cryptsetup luksFormat -q "${cheap[@]}" --key-file "$key" "$file"
	cryptsetup open --key-file "$key" "$file" made
	check "a file that cryptsetup has open" reset data "$file"
	check_equal "nothing is open" "$(dmsetup ls)" "No devices found"
	loop=$(losetup --find --show "$file")
	is_busy "a loop device of others" "it is $loop: losetup -d $loop first" data "$file"
	losetup -d "$loop"
	check "when it has gone" reset data "$file"
	rm "$file"
}

# By label, on a disk with partitions; STATE's encryption goes from META.
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
	check_status 1 "a disk with partitions" reset data "$disk"
	check_match "names them" "$(reset data "$disk" 2>&1)" "*$disk has partitions (*${disk#/dev/}p3*"
	check_status 4 "two volumes of that name" "$MORTISE" reset --yes data
	check_match "which are named" "$("$MORTISE" reset --yes data 2>&1)" "*u-data and r-data*"
	check_status 1 "META is none" "$MORTISE" reset --yes META
	check "STATE, and raw by the name that is declared" said "$MORTISE" reset --yes STATE raw
	check "the first" says "STATE   ${disk}p2"
	check "the second" says "raw     ${disk}p5"
	check "one by its label" "$MORTISE" reset --yes u-data
	for part in 2 3 5; do
		check "partition $part is blank" is_blank "${disk}p$part"
	done
	check "the other one is not" opens "${disk}p4"
	check_status 1 "STATE's encryption is gone from META" "$MORTISE" meta get 9
	check_equal "the rest of META is not" "$("$MORTISE" meta get 200)" kept
	losetup -d "$disk"
}

# interrupt SIGNAL DEVICE: a reset that gets it with its 150th write, beyond the header area of
# 16 MiB, which is written in pieces of 128 KiB.
interrupt() {
	strace -qq -o "$work/trace" -e trace=pwrite64 -e "inject=pwrite64:signal=$1:when=150" \
		"$MORTISE" reset --yes --full data --device "data=$2" >"$work/said" 2>&1
}

# While it overwrites everything: refused until another reset has finished it.
test_interrupted() {
	local device

	declare_none
	device=$(blank_device 100)
	format_with_file "$device" declared
	declare_volume data "$device" "$declared"
	check_status 137 "killed" interrupt KILL "$device"
	check_match "up refuses" "$(mortise up 2>&1)" \
		"*$device: a reset of it was cut off; \`mortise reset u-data --device u-data=$device\` finishes it*"
	check_status 1 "every time" mortise up
	check_fails "cryptsetup opens nothing" opens "$device"
	cryptsetup repair -q "$device" >"$work/out" 2>&1 || true
	check_fails "nor when it has repaired" opens "$device"
	check_status 1 "interrupted" interrupt INT "$device"
	check "says how it stands" says "nothing opens it any more, but its reset is not finished"
	check_status 1 "still refused" mortise up
	check "another reset" said reset data "$device"
	check "knows what it is" says "a reset that was cut off"
	check "it is blank" is_blank "$device"
	check "up formats it" mortise up
	check "and reset wipes it" reset data "$device"
}

# A run of up that was killed may leave a mapping without a table, which would be in the way.
test_given_up() {
	local device

	declare_none
	device=$(blank_device 40)
	format_with_file "$device" declared
	declare_volume data "$device" "$declared"
	dmsetup create --noudevsync luks2-u-data --notable --uuid CRYPT-LUKS2-x-luks2-u-data
	check "a mapping without a table" reset data "$device"
	check_equal "is gone" "$(dmsetup ls)" "No devices found"
	check "up" mortise up
	down
}

# Two at once: the second one sees that nothing is as it was listed.
test_two() {
	local device first=0 second=0

	declare_none
	device=$(blank_device 60)
	declare_volume data "$device" "$declared"
	mortise up >"$work/out"
	reset data "$device" --full >"$work/first" 2>&1 &
	reset data "$device" --full >"$work/second" 2>&1 || second=$?
	wait $! || first=$?
	check_match "one succeeds, the other says that it is too late" "$first $second" "@(0 [01]|1 0)"
	check "it is blank" is_blank "$device"
}

shopt -s extglob
for topic in ${1:-open discard foreign mounts swap file labels interrupted given_up two}; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
