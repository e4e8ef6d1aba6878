#!/usr/bin/env bash
# Growth: the disk becomes larger, and the partition, the mapping and the file system follow, at a
# boot and on a live machine, also after a cut between any two of them. sfdisk and sgdisk judge the
# tables. Runs in a guest with a blank disk of 100 MiB: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MIB=$((1 << 20))
whole=$1
shift
root=$work/root
config=$work/config.yaml
cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
keys='{provider: luks2, keys: [{slot: 0, static: {passphrase: growing}}]}'
mkdir "$root"

# new_disk MIB LABEL=MIB...: a disk with these partitions, $device.
new_disk() {
	losetup --detach-all
	rm -f "$work"/disk.*
	device=$(labeled_disk "$@")
	disk=$(losetup --noheadings --output BACK-FILE "$device")
}

# enlarge MIB: what a hypervisor or dd to a larger disk does.
enlarge() {
	truncate -s "${1}M" "$disk"
	losetup --set-capacity "$device"
}

# volume NAME PROVISIONING [LINE]...: declare a user volume with ext4.
volume() {
	printf -- '---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: %s\n' "$1"
	printf 'filesystem: {type: ext4}\nprovisioning: {diskSelector: {match: "true"}, %s}\n' "$2"
	shift 2
	printf '%s\n' "$@"
}

mortise() {
	local verb=$1 more=()
	shift

	[[ $verb != up && $verb != grow ]] || more=("${cost[@]}")
	"$MORTISE" "$verb" -f "$config" --root "$root" "$@" "${more[@]}"
}

down() {
	mortise down >"$work/down" 2>&1
}

mib_of() {
	echo $(($(blockdev --getsize64 "$1") / MIB))
}

# blocks NAME: the size of the mounted file system in MiB, without its own structures.
blocks() {
	echo $(($(stat -f -c '%b * %S' "$root/var/mnt/$1") / MIB))
}

table_is_good() {
	sfdisk --verify "${1:-$disk}" && sgdisk --verify "${1:-$disk}" | grep 'No problems found'
}

# fill NAME: a file whose checksum shows later that no data was lost.
fill() {
	head -c 5M /dev/urandom >"$root/var/mnt/$1/data"
	sha256sum <"$root/var/mnt/$1/data" >"$work/sum.$1"
}

intact() {
	sha256sum --status --check <(sed "s|-|$root/var/mnt/$1/data|" "$work/sum.$1")
}

# The volumes of a disk, each of which may grow only if the free space is behind it.
test_kinds() {
	new_disk 120 u-data=60 u-other=40
	{
		volume data 'minSize: 20MiB, grow: true' "encryption: $keys"
		volume other 'minSize: 20MiB, grow: true'
	} >"$config"
	check "up makes the file systems" said mortise up
	check_equal "a partition with another one behind it keeps its size" \
		"$(mib_of "${device}p1")" 60
	check_equal "the last one takes the free space" "$(mib_of "${device}p2")" 58
	fill data
	fill other
	down
	enlarge 240
	check "plan shows the growth" said mortise plan
	check "plan shows the sizes" says "grow partition ${device}p2 from $((58 * MIB)) to $((178 * MIB)) bytes"
	check_equal "plan changes nothing" "$(mib_of "${device}p2")" 58
	check "up grows the last partition" said mortise up
	check_equal "it ends before the second copy of the table" "$(mib_of "${device}p2")" 178
	check "sfdisk and sgdisk accept the table" table_is_good
	check_match "the file system has grown" "$(blocks other)" '1[5-7]?'
	check "up says so" says 'the file system has grown'
	check "the data is intact" intact other
	check "the other one is intact" intact data
	check "a second up does nothing" said mortise up
	check_fails "it says nothing" says grown
	down
	check "the file system is clean" e2fsck -fn "${device}p2"
}

# maxSize in bytes, as a percentage, and as what remains free.
test_maximum() {
	local max want

	while read -r max want; do
		new_disk 100 u-data=40
		volume data "minSize: 20MiB, maxSize: $max, grow: true" "encryption: $keys" >"$config"
		check "up with maxSize $max" said mortise up
		check_equal "the size for $max" "$(mib_of "${device}p1")" "$want"
		check_equal "the mapping for $max" "$(mib_of /dev/mapper/luks2-u-data)" $((want - 16))
		down
	done <<-END
		64MiB 64
		30MiB 40
		"80%" 78
		"-20MiB" 78
		"-10%" 88
		1TiB 98
	END
}

test_not_declared() {
	new_disk 100 u-data=40
	volume data 'minSize: 20MiB' "encryption: $keys" >"$config"
	check "up without grow" said mortise up
	check_equal "the size is kept" "$(mib_of "${device}p1")" 40
	fill data
	check "grow on the live machine" said mortise grow data
	check_equal "the partition has grown" "$(mib_of "${device}p1")" 98
	check_equal "the mapping has grown" "$(mib_of /dev/mapper/luks2-u-data)" 82
	check_match "the file system has grown" "$(blocks data)" '7?'
	check "the data is intact" intact data
	check "grow again" said mortise grow data
	check_fails "nothing grows" says 'has grown'
	check "the table is good" table_is_good
	down
	check "up opens the volume" said mortise up
	check "the data is intact" intact data
	down
	check "grow of a closed volume" said mortise grow data
	down
	check_fails "grow needs a name" mortise grow
	check_fails "grow of an unknown volume" mortise grow nothing
}

# writes NAME: write a file of the volume again and again, each time verify it; $work/verified has
# the result. fio verifies nothing with a time limit.
writes() {
	fio --name=growth --directory="$root/var/mnt/$1" --size=2M --bs=16k --rw=randwrite \
		--direct=1 --ioengine=psync --verify=crc32c --verify_backlog=64 --verify_fatal=1 \
		--loops=1000000 --thread --status-interval=1 --trigger-file="$work/stop" \
		>"$work/fio" 2>&1 && echo right >"$work/verified" || echo wrong >"$work/verified"
}

has_reports() {
	[[ $(grep -c READ: "$work/fio") -ge $1 ]]
}

# Each layer grows while fio writes to the volume and verifies what it has written.
test_busy() {
	local writer type encryption reports

	while read -r type encryption; do
		rm -f "$work/stop"
		new_disk 240 u-data=200
		volume data 'minSize: 20MiB, grow: true' ${encryption:+"encryption: $keys"} |
			sed "s/ext4/$type/" >"$config"
		check "$type $encryption: up" said mortise up
		fill data
		enlarge 400
		writes data &
		writer=$!
		until_holds test -s "$root/var/mnt/data/growth.0.0"
		check "$type $encryption: grow while files are written" said mortise grow data
		check_match "$type $encryption: the file system has grown" "$(blocks data)" '3??'
		# The first of two reports began before the growth, the other one after it.
		reports=$(grep -c READ: "$work/fio" || true)
		until_holds has_reports $((reports + 2))
		: >"$work/stop"
		wait "$writer"
		check_equal "$type $encryption: fio reads what it has written" "$(cat "$work/verified")" right
		check_equal "the partition has grown" "$(mib_of "${device}p1")" 398
		check "the data is intact" intact data
		down
		check "$type $encryption: the file system is clean" is_clean "$type" $encryption
	done <<-END
		ext4 encrypted
		ext4
		btrfs encrypted
		btrfs
	END
	# A block that another program overwrites is found.
	rm -f "$work/stop"
	mkdir -p "$root/var/mnt/data"
	writes data &
	writer=$!
	until_holds test -s "$root/var/mnt/data/growth.0.0"
	until_holds eval '! kill -0 "$writer" 2>/dev/null ||
		! dd if=/dev/zero of="$root/var/mnt/data/growth.0.0" bs=16k seek=100 count=1 conv=notrunc 2>/dev/null'
	wait "$writer"
	check_equal "fio notices other data" "$(cat "$work/verified")" wrong
}

# is_clean TYPE [encrypted]
is_clean() {
	local place=${device}p1 status=0

	if [[ -n ${2-} ]]; then
		printf growing | cryptsetup open --key-file - "$place" check || return 1
		place=/dev/mapper/check
	fi
	if [[ $1 = btrfs ]]; then
		btrfs check "$place" || status=1
	else
		e2fsck -fn "$place" || status=1
	fi
	[[ -z ${2-} ]] || cryptsetup close check
	return $status
}

# xfs, on the system volume that grows by default.
test_xfs() {
	new_disk 400 EPHEMERAL=330
	printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nencryption: %s\n' \
		"$keys" >"$config"
	check "EPHEMERAL is made" said mortise up
	check_equal "it takes the free space by default" "$(mib_of "${device}p1")" 398
	down
	enlarge 700
	check "the next boot" said mortise up
	check_equal "its partition grows" "$(mib_of "${device}p1")" 698
	check_match "and its file system" "$(($(stat -f -c '%b * %S' "$root/var") / MIB))" '6??'
	down
	printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning: {grow: false}\n' \
		>"$config"
	printf 'encryption: %s\n' "$keys" >>"$config"
	enlarge 800
	check "up with grow: false" said mortise up
	check_equal "it keeps its size" "$(mib_of "${device}p1")" 698
	down
}

# Raw volumes and swap follow the partition.
test_others() {
	new_disk 100 s-swap=30
	printf 'apiVersion: v1alpha1\nkind: SwapVolumeConfig\nname: swap\n' >"$config"
	printf 'provisioning: {diskSelector: {match: "true"}, minSize: 20MiB, grow: true}\n' \
		>>"$config"
	check "swap" said mortise up
	check_equal "its partition grows" "$(mib_of "${device}p1")" 98
	check_match "the swap area has grown" "$(swapon --noheadings --bytes --show=SIZE)" '102*'
	down
	new_disk 100 r-raw=30
	printf 'apiVersion: v1alpha1\nkind: RawVolumeConfig\nname: raw\nencryption: %s\n' "$keys" \
		>"$config"
	printf 'provisioning: {diskSelector: {match: "true"}, minSize: 20MiB, grow: true}\n' \
		>>"$config"
	check "a raw volume" said mortise up
	check_equal "its mapping grows" "$(mib_of /dev/mapper/luks2-r-raw)" 82
	down
}

# A kill at each call that changes something leaves a volume that the next boot opens, and that the
# next run grows. On $whole, because a loop device never counts as a disk of the machine.
test_kills() {
	local number call

	for call in pwrite64 fsync ioctl; do
		# Of the many ioctls every second one.
		for number in {1..40}; do
			[[ $call != ioctl || $((number % 2)) -eq 0 ]] || continue
			losetup --detach-all
			dd if=/dev/zero of="$whole" bs=1M count=1 status=none
			printf 'label: gpt\nsize=40MiB, name=u-data\n' | sfdisk --quiet --wipe always --wipe-partitions always \
					"$whole"
			volume data 'minSize: 20MiB' "encryption: $keys" >"$config"
			wipe "${whole}1"
			mortise up >/dev/null 2>&1
			fill data
			killed "$call" "$number" grow || break
			check "$call $number: sfdisk reads the table" \
				eval 'grep -q u-data < <(sfdisk --dump "$whole" 2>/dev/null)'
			down || true
			blockdev --rereadpt "$whole"
			check "$call $number: up opens the volume" said mortise up
			check "$call $number: the data is intact" intact data
			check "$call $number: grow finishes" said mortise grow data
			check_equal "$call $number: the size" "$(mib_of /dev/mapper/luks2-u-data)" 82
			check "$call $number: the table is good" table_is_good "$whole"
			down
		done
		check "$call: killed at $((number - 1)) calls" test "$number" -gt 1
		down
	done
	# The label would make that of the next disk ambiguous.
	dd if=/dev/zero of="$whole" bs=1M count=1 status=none
	blockdev --rereadpt "$whole"
}

# killed CALL NUMBER VERB: strace kills the program at this call. False: it ends before.
killed() {
	# A shell of its own, so that bash does not report the signal.
	(! strace -f -qq -o "$work/trace" -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" \
		"$MORTISE" "$3" -f "$config" --root "$root" data "${cost[@]}") >"$work/said" 2>&1
}

wipe() {
	dd if=/dev/zero of="$1" bs=1M count=18 status=none
	dd if=/dev/zero of="$1" bs=1M seek=39 count=1 status=none
}

# What is refused stays as it is, the partition too.
test_refused() {
	new_disk 100 u-data=40
	volume data 'minSize: 20MiB' "encryption: $keys" >"$config"
	mortise up >/dev/null 2>&1
	down
	volume data 'minSize: 20MiB, grow: true' "encryption: ${keys/growing/wrong}" >"$config"
	check_fails "up with another key" said mortise up
	check_equal "a volume that does not open does not grow" "$(mib_of "${device}p1")" 40
	new_disk 100 u-data=40
	printf 'unknown data' >"${device}p1"
	check_fails "up on unknown data" said mortise up
	check_equal "its partition does not grow" "$(mib_of "${device}p1")" 40
	volume data 'minSize: 20MiB, grow: true' 'filesystem: {type: xfs}' >"$config"
	sed -i '/type: ext4/d' "$config"
	new_disk 14 u-data=10
	check_fails "up on a device that is too small for xfs, also when grown" said mortise up
	check "it says so" says 'is too small'
	check_equal "it does not grow" "$(mib_of "${device}p1")" 10
}

# reset --drop deletes the partition, and growth takes its place.
test_drop() {
	new_disk 160 u-data=60 u-old=40 u-kept=40
	{
		volume data 'minSize: 20MiB, grow: true' "encryption: $keys"
		volume old 'minSize: 20MiB' "encryption: $keys"
		volume kept 'minSize: 20MiB'
	} >"$config"
	mortise up >/dev/null 2>&1
	fill data
	fill kept
	check_status 1 "--drop and --staged" "$MORTISE" reset --yes --drop --staged u-old
	check "reset --drop of an open volume" \
		said "$MORTISE" reset --yes --drop u-old
	check "it says so" says 'partitions of these volumes are deleted'
	check_status 1 "the partition is gone from the kernel" test -e "${device}p2"
	check "the table is good" table_is_good
	check_match "the other partitions keep their numbers" \
		"$(sfdisk --dump "$disk" | sed -n 's/.*disk[^ ]*\([0-9]\) : .*name="\(.*\)"/\1\2/p' | tr '\n' ' ')" \
		'1u-data 3u-kept '
	check "the data of the others is intact" intact data
	check "and of the last" intact kept
	down
	check_fails "up misses the volume" said mortise up
	check "it is missing" says 'no partition is labeled "u-old"'
	check_equal "the volume before it grows into the gap" "$(mib_of "${device}p1")" 100
	check "its data is intact" intact data
	down
	check_status 4 "a reset of the deleted volume fails" \
		"$MORTISE" reset --yes --drop u-old
	losetup --detach-all
	device=$(blank_device 40)
	check_fails "--drop of a whole disk fails" \
		said "$MORTISE" reset --yes --drop u-data --device "u-data=$device"
	check "the error says why" says 'is not a partition'
}

# A table that cannot be read keeps no volume closed.
test_damaged() {
	new_disk 100 u-data=40
	volume data 'minSize: 20MiB, grow: true' "encryption: $keys" >"$config"
	for offset in 520 $((100 * MIB - 500)); do
		printf x | dd of="$device" bs=1 seek="$offset" conv=notrunc status=none
	done
	check "up opens a volume of a disk whose table is damaged" said mortise up
	check "it says so" says 'both copies of the partition table'
	check_equal "the size is kept" "$(mib_of "${device}p1")" 40
	down
}

topics=(kinds maximum not_declared busy xfs others refused drop damaged kills)
for topic in "${@:-${topics[@]}}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
