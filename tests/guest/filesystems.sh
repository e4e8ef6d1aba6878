#!/usr/bin/env bash
# File systems of declared volumes: real sizes, types, mkfs that fails, mount points, fsck. Whatever
# cannot work is refused by plan, and nothing is written. Runs in a guest: see tools/guest/uml. The
# arguments are the topics to test; without one, all.
# shellcheck disable=SC2154,SC2317  # work: set in lib.sh; functions: called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

keys='encryption: {provider: luks2, keys: [{slot: 0, static: {passphrase: p}}]}'
options=()

begin() {
	: >"$config"
	options=(-f "$config" --root "$root")
}

# document KIND NAME [LINE]...
document() {
	printf -- '---\napiVersion: v1alpha1\nkind: %s\nname: %s\n' "$1" "$2"
	shift 2
	[[ $# -eq 0 ]] || printf '%s\n' "$@"
}

# add KIND NAME KIB [LINE]...: declare a volume on a new blank device of this size.
add() {
	local file device

	file=$work/$2.disk
	rm -f "$file"
	truncate -s "$3K" "$file"
	device=$(losetup --find --show "$file")
	options+=(--device "$2=$device")
	document "$1" "$2" "${@:4}" >>"$config"
}

run() {
	local verb=$1 more=()
	shift

	[[ $verb != up ]] || more=("${cost[@]}")
	"$MORTISE" "$verb" "${options[@]}" ${more[@]+"${more[@]}"} "$@"
}

# Close everything and remove the devices.
end() {
	run down >"$work/down" 2>&1 || cat "$work/down"
	losetup --detach-all
	rm -f "$work"/*.disk
}

# hide PROGRAM [REPLACEMENT]: hide a program, or let another one run in its place.
hide() {
	mount --bind "${2:-/dev/null}" "/usr/sbin/$1"
}

show() {
	umount "/usr/sbin/$1"
}

type_of() {
	findmnt -no FSTYPE "$root$1"
}

# is_blank NAME...: nothing was ever written to the device.
is_blank() {
	local name

	for name; do
		cmp -n "$(stat -c %s "$work/$name.disk")" "$work/$name.disk" /dev/zero || return 1
	done
}

json() {
	run status --json 2>/dev/null | jq -r "$1"
}

no_reset() {
	! grep -q 'mortise reset' "$work/said" || {
		cat "$work/said"
		return 1
	}
}

# Partitions of the least size that holds the file system, and STATE as Talos makes it. mkfs.xfs
# changes its mind at 300 MiB, which an encrypted volume has in a partition of 316 MiB.
test_sizes() {
	local name

	begin
	add VolumeConfig STATE $((100 << 10)) "$keys"
	add UserVolumeConfig xfs-below $((315 << 10)) "$keys"
	add UserVolumeConfig xfs-at $((316 << 10)) "$keys"
	add UserVolumeConfig xfs-above $((317 << 10)) "$keys"
	add UserVolumeConfig xfs-odd $(((316 << 10) + 516)) "$keys"
	add UserVolumeConfig xfs-least $((32 << 10)) "$keys"
	add UserVolumeConfig xfs-plain $((16 << 10))
	add UserVolumeConfig ext-least $(((16 << 10) + 256)) "$keys" 'filesystem: {type: ext4}'
	add UserVolumeConfig ext-plain 256 'filesystem: {type: ext4}'
	add UserVolumeConfig btr-least $((125 << 10)) "$keys" 'filesystem: {type: btrfs}'
	add UserVolumeConfig btr-plain $((109 << 10)) 'filesystem: {type: btrfs}'
	add RawVolumeConfig raw-least $(((16 << 10) + 4)) "$keys"
	add SwapVolumeConfig swap-least $(((16 << 10) + 40)) "$keys"
	check "plan succeeds with the least sizes" run plan
	check "up makes a STATE of 100 MiB and all volumes of the least sizes" run up
	check_equal "STATE is xfs" "$(type_of /system/state)" xfs
	for name in below at above odd least plain; do
		check_equal "xfs-$name is xfs" "$(type_of "/var/mnt/xfs-$name")" xfs
	done
	check_equal "ext-least is ext4" "$(type_of /var/mnt/ext-least)" ext4
	check_equal "btr-least is btrfs" "$(type_of /var/mnt/btr-least)" btrfs
	check "xfs has file types in directories" \
		grep -q 'ftype=1' <(xfs_info "$root/system/state")
	check "all volumes close" run down
	check "and open again" run up
	end
}

test_too_small() {
	local name names=()

	begin
	add UserVolumeConfig xfs-small $(((32 << 10) - 4)) "$keys"
	add UserVolumeConfig xfs-plain $(((16 << 10) - 4))
	add UserVolumeConfig ext-small $(((16 << 10) + 252)) "$keys" 'filesystem: {type: ext4}'
	add UserVolumeConfig ext-header $((16 << 10)) "$keys" 'filesystem: {type: ext4}'
	add UserVolumeConfig ext-tiny 1024 "$keys" 'filesystem: {type: ext4}'
	add UserVolumeConfig btr-small $(((125 << 10) - 4)) "$keys" 'filesystem: {type: btrfs}'
	add RawVolumeConfig raw-header $((16 << 10)) "$keys"
	add RawVolumeConfig raw-tiny 4 "$keys"
	add SwapVolumeConfig swap-small $(((16 << 10) + 36)) "$keys"
	add SwapVolumeConfig swap-plain 36
	names=(xfs-small xfs-plain ext-small ext-header ext-tiny btr-small raw-header raw-tiny
		swap-small swap-plain)
	check_fails "plan refuses volumes that are too small" said run plan
	check "it says what the volume needs" says "is too small: it has 32764 KiB"
	check "and how large it has to be" \
		says "the xfs file system at least 16 MiB; enlarge it to at least 32 MiB"
	check_fails "up refuses them, too" said run up
	check "the advice is not to erase them" no_reset
	for name in "${names[@]}"; do
		check "$name is named" grep -q "^mortise: $name: .*too small" "$work/said"
	done
	check "nothing was written" is_blank "${names[@]}"
	end
}

# META does not name the file system of STATE, from which the configuration is read.
test_types() {
	new_machine
	losetup --detach "$state" "$data"
	state=$(blank_device 100)
	data=$(blank_device 125)
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
	{
		document VolumeConfig STATE 'filesystem: {type: ext4}' "$keys"
		document UserVolumeConfig data 'filesystem: {type: btrfs}' "$keys"
	} >"$config"
	check "apply makes an ext4 STATE of 100 MiB" mortise apply -f "$config"
	check_equal "STATE is ext4" "$(type_of /system/state)" ext4
	down
	check "up finds the configuration in an ext4 STATE" mortise up
	check_equal "the volume is btrfs" "$(type_of /var/mnt/data)" btrfs
	down
	sed -i 's/btrfs/xfs/' "$config"
	check_fails "another type than the volume has is refused" \
		said "$MORTISE" up -f "$config" --root "$root" "${cost[@]}" "${places[@]}"
	check "the error says what to declare" \
		says 'filesystem type mismatch: btrfs != xfs; /dev/mapper/luks2-u-data is unchanged'
	check "not to reset the volume" no_reset
	down
	check "it is mounted as before" mortise up
	down
}

test_plain_types() {
	new_machine
	places=(--device "META=$meta" --device "STATE=$state")
	document VolumeConfig STATE 'filesystem: {type: ext4}' >"$config"
	check "apply makes an ext4 STATE without encryption" mortise apply -f "$config"
	down
	check "up finds the configuration in it" mortise up
	check_equal "STATE is ext4" "$(type_of /system/state)" ext4
	down
}

# A mkfs that fails leaves a header that says so; the next up repeats it.
test_mkfs_fails() {
	printf '#!/bin/sh\necho; echo the first reason; echo Usage: a; echo Usage: b; exit 3\n' \
		>"$work/bad_mkfs"
	chmod +x "$work/bad_mkfs"
	begin
	add VolumeConfig STATE $((100 << 10)) "$keys"
	add UserVolumeConfig data $((64 << 10)) "$keys" 'filesystem: {type: ext4}'
	hide mkfs.xfs "$work/bad_mkfs"
	hide mkfs.ext4
	check_fails "plan fails if mkfs is missing" said run plan
	check "the error names the device" says 'cannot create the ext4 file system on'
	check_fails "up fails if mkfs does" said run up
	check "the first line of its output is kept" \
		says 'STATE: mkfs.xfs failed with status 3: the first reason'
	check_fails "not the last one" says Usage
	check "the volume without mkfs is unchanged" is_blank data
	run status >"$work/said" 2>&1 || true
	check "status advises to erase neither" no_reset
	check_fails "plan fails as long as mkfs is missing" said run plan
	check "plan repeats a mkfs that failed" \
		says 'create an xfs file system on luks2-STATE'
	check "without advice to erase" no_reset
	show mkfs.xfs
	show mkfs.ext4
	check "the next up makes the file systems" run up
	check_equal "STATE has its file system" "$(type_of /system/state)" xfs
	echo kept >"$root/var/mnt/data/file"
	run down >"$work/down" 2>&1
	check "up makes no file system again" run up
	check_equal "the file is kept" "$(cat "$root/var/mnt/data/file")" kept
	end
}

# The device reports write errors in the middle of mkfs, as a thin pool without space does.
test_full() {
	local device

	begin
	mkdir "$work/pool"
	mount -t tmpfs -o size=17m none "$work/pool"
	truncate -s 100M "$work/pool/disk"
	device=$(losetup --find --show "$work/pool/disk")
	document VolumeConfig STATE "$keys" >"$config"
	options+=(--device "STATE=$device")
	check_fails "up fails on a disk without space" said run up
	check "and advises not to erase it" no_reset
	run down >"$work/down" 2>&1
	mount -o remount,size=120m "$work/pool"
	check "up completes the volume when there is space" run up
	check_equal "STATE has its file system" "$(type_of /system/state)" xfs
	end
	umount "$work/pool"
}

test_kernel() {
	begin
	add UserVolumeConfig data $((64 << 10)) "$keys"
	grep -v xfs /proc/filesystems >"$work/filesystems"
	mount --bind "$work/filesystems" /proc/filesystems
	check "a kernel that loads a module for the file system will do" run plan
	check_fails "another one will not" said strace -f -o "$work/trace" \
		-e trace=fsopen -e inject=fsopen:error=ENODEV \
		"$MORTISE" up "${options[@]}" "${cost[@]}"
	check "the error says so" says 'this kernel cannot mount xfs, and has no module for it'
	check "nothing was written" is_blank data
	umount /proc/filesystems
	check "up succeeds" run up
	end
}

test_mount_points() {
	begin
	add UserVolumeConfig inner $((64 << 10)) "$keys" 'mount: {path: /srv/a b/c/d/e/f/g/h}'
	add UserVolumeConfig outer $((64 << 10)) "$keys" 'mount: {path: /srv/a b/c/d/e/f/g}'
	add UserVolumeConfig plain $((16 << 10)) 'mount: {path: /srv}'
	add UserVolumeConfig default $((64 << 10)) "$keys"
	check "up mounts volumes at their paths, the outer one first" run up
	check_equal "inner is inside of outer" \
		"$(findmnt -no TARGET "$root/srv/a b/c/d/e/f/g/h")" "$root/srv/a b/c/d/e/f/g/h"
	echo kept >"$root/srv/a b/c/d/e/f/g/h/file"
	check_equal "status names the path" \
		"$(json '.volumes[] | select(.name == "plain").mountPoint')" "$root/srv"
	check "down unmounts all" run down
	check_status 1 "nothing is mounted" findmnt "$root/srv"
	check "up mounts them again" run up
	check_equal "the file is kept" "$(cat "$root/srv/a b/c/d/e/f/g/h/file")" kept
	end
}

test_bad_mount_points() {
	local read_only=$work/read-only

	begin
	echo file | tee "$root/in-the-way" >"$root/other-file"
	add UserVolumeConfig file $((64 << 10)) "$keys" 'mount: {path: /in-the-way}'
	add UserVolumeConfig above $((64 << 10)) "$keys" 'mount: {path: /other-file/a/b}'
	add UserVolumeConfig plain $((64 << 10)) 'mount: {path: /other-file/c}'
	check_fails "plan refuses a file as mount point" said run plan
	check "it names the file" says "$root/in-the-way: Not a directory"
	check "also above the mount point" says "$root/other-file: Not a directory"
	check_fails "up refuses it" run up
	check "nothing was written" is_blank file above plain
	end
	mkdir "$read_only"
	mount -t tmpfs none "$read_only"
	mkdir -p "$read_only/var/mnt/there"
	mount -o remount,ro "$read_only"
	begin
	add UserVolumeConfig there $((64 << 10)) "$keys"
	add UserVolumeConfig missing $((64 << 10)) "$keys"
	add UserVolumeConfig inside $((64 << 10)) "$keys" 'mount: {path: /var/mnt/there/inside}'
	options+=(--root "$read_only")
	check_fails "plan refuses a mount point that a read-only root lacks" said run plan
	check "it says why" says "it does not exist, and $read_only/var/mnt/ is read-only"
	check_fails "up fails for this volume" said run up
	check "its device is unchanged" is_blank missing
	check "a mount point inside another volume can be created" \
		findmnt "$read_only/var/mnt/there/inside"
	end
	umount "$read_only"
}

# damage NAME REQUEST...: change the closed file system of a volume with debugfs.
damage() {
	local name=$1 request
	shift

	run down >"$work/down" 2>&1
	run up --no-mount "$name" >"$work/out" 2>&1
	for request; do
		debugfs -w -R "$request" "/dev/mapper/luks2-u-$name" >"$work/debugfs" 2>&1
	done
}

fsck_of() {
	json ".volumes[] | select(.name == \"$1\").fsck"
}

test_fsck() {
	local broken='set_super_value free_blocks_count 1'

	begin
	add UserVolumeConfig preen $((24 << 10)) "$keys" 'filesystem: {type: ext4}'
	add UserVolumeConfig force $((24 << 10)) "$keys" 'filesystem: {type: ext4, fsck: force}'
	add UserVolumeConfig none $((24 << 10)) "$keys" 'filesystem: {type: ext4, fsck: none}'
	check "up succeeds" run up
	check_equal "a new file system is not checked" "$(fsck_of preen)" null
	run down >"$work/down" 2>&1
	check "up succeeds again" run up
	check_equal "a clean file system is clean" "$(fsck_of preen) $(fsck_of force)" 'clean clean'
	check_equal "without a check nothing is known" "$(fsck_of none)" null
	damage preen "$broken"
	damage force "$broken"
	damage none "$broken"
	check "plan names a forced check" grep -q 'check and mount' <(run plan)
	check "up corrects what needs no decision" run up
	check_equal "preen trusts a file system that seems clean" "$(fsck_of preen)" clean
	check_match "force does not" "$(fsck_of force)" 'corrected: *'
	check "status prints it" grep -q '^force: file system: corrected: ' <(run status)
	damage preen "$broken" 'set_super_value state 2'
	check "up succeeds" run up
	check_match "preen corrects a file system with known errors" "$(fsck_of preen)" \
		'corrected: *'
	damage preen 'unlink lost+found' 'set_super_value state 2'
	check_fails "up does not mount a file system that needs decisions" said run up
	check "it says what to do" says 'run `e2fsck -f /dev/mapper/luks2-u-preen`, then `mortise up`'
	check "not to erase it" no_reset
	check_match "status knows it" "$(fsck_of preen)" 'errors: *'
	check_equal "it is open" "$(json '.volumes[] | select(.name == "preen").phase')" prepared
	check_status 1 "it is not mounted" findmnt "$root/var/mnt/preen"
	e2fsck -fy /dev/mapper/luks2-u-preen >"$work/e2fsck" 2>&1 || true
	check "up mounts it when it is corrected" run up
	check_equal "it is clean" "$(fsck_of preen)" clean
	end
}

test_fsck_programs() {
	printf '#!/bin/sh\necho "$@" >%s; echo killed; kill -9 $$\n' "$work/called" >"$work/killed"
	printf '#!/bin/sh\necho ERROR: a bad root; exit 1\n' >"$work/errors"
	chmod +x "$work/killed" "$work/errors"
	begin
	add UserVolumeConfig preen $((24 << 10)) "$keys" 'filesystem: {type: ext4}'
	add UserVolumeConfig tree $((125 << 10)) "$keys" 'filesystem: {type: btrfs, fsck: force}'
	add UserVolumeConfig log $((100 << 10)) "$keys"
	check "up succeeds" run up
	run down >"$work/down" 2>&1
	hide e2fsck
	check "a machine without e2fsck mounts its volumes" run up
	check_match "status says that they are not checked" "$(fsck_of preen)" \
		'not checked: cannot run e2fsck*'
	check_equal "btrfs is checked" "$(fsck_of tree)" clean
	run down >"$work/down" 2>&1
	sed -i 's/ext4}/ext4, fsck: force}/' "$config"
	check_fails "plan fails if a forced check is not possible" said run plan
	check "it says why" says 'e2fsck is not installed'
	show e2fsck
	hide e2fsck "$work/killed"
	check_fails "a forced check that fails prevents the mount" said run up
	check "the error says so" says 'not mounted: cannot check /dev/mapper/luks2-u-preen'
	run down >"$work/down" 2>&1
	show e2fsck
	check "up succeeds with e2fsck" run up
	run down >"$work/down" 2>&1
	mount --bind "$work/errors" /usr/bin/btrfs
	run up --no-mount log >"$work/out" 2>&1
	xfs_db -x -c 'agi 0' -c 'write -c magicnum 0' /dev/mapper/luks2-u-log >"$work/out" 2>&1
	check_fails "up mounts neither btrfs nor xfs with errors" said run up
	umount /usr/bin/btrfs
	check "btrfs" says 'run `btrfs check /dev/mapper/luks2-u-tree`, then `mortise up`'
	check "xfs" says 'run `xfs_repair /dev/mapper/luks2-u-log`, then `mortise up`'
	xfs_repair /dev/mapper/luks2-u-log >"$work/out" 2>&1 || cat "$work/out"
	check "up mounts them when they are corrected" run up
	end
}

test_no_mount() {
	begin
	add UserVolumeConfig data $((64 << 10)) "$keys"
	add UserVolumeConfig plain $((16 << 10)) 'filesystem: {type: ext4}'
	check "up --no-mount succeeds" run up --no-mount
	check_equal "it has made the file systems" \
		"$(blkid -p -o value -s TYPE /dev/mapper/luks2-u-data)" xfs
	check_equal "also that of a volume without encryption" \
		"$(blkid -p -o value -s TYPE "$work/plain.disk")" ext4
	check_status 1 "and mounted nothing" findmnt "$root/var/mnt/data"
	mount /dev/mapper/luks2-u-data /mnt
	echo kept >/mnt/file
	check "up --no-mount changes nothing then" run up --no-mount
	umount /mnt
	check "up mounts it" run up
	check_equal "the file is kept" "$(cat "$root/var/mnt/data/file")" kept
	end
}

[[ -n ${1:-} ]] || set -- sizes too_small types plain_types mkfs_fails full kernel mount_points \
	bad_mount_points fsck fsck_programs no_mount
for topic; do
	"test_$topic"
done
finish
