#!/usr/bin/env bash
# A volume on a whole disk, found by a selector. Checked with cryptsetup, blkid and findmnt.
# Runs in a guest with two blank disks, of 300 and of 120 MiB: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

large=$1
small=$2
key=$work/key
printf declared >"$key"

# by SELECTOR [KEY]: declare the volume with this selector.
by() {
	declare_none
	{
		printf 'apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: data\nvolumeType: disk\n'
		printf 'filesystem: {type: ext4}\nprovisioning:\n  diskSelector:\n'
		printf '    match: >-\n      %s\n' "$1"
		[[ $# -lt 2 ]] || printf 'encryption:\n  provider: luks2\n  keys: [{%s}]\n' "$2"
	} >>"$config"
}

# refuses TEXT SELECTOR WORDS
refuses() {
	local before

	by "$2" "$static"
	before=$(checksum "$large" "$small")
	check_fails "$1" said mortise up
	check "the error says: $3" says "$3"
	check_equal "nothing was written" "$(checksum "$large" "$small")" "$before"
}

test_choice() {
	refuses "two disks fit" 'disk.size > 1u * MB' \
		"matches 2 disks instead of one: $large (300 MiB), $small (120 MiB)"
	refuses "no disk fits" 'disk.size > 1u * TiB' \
		"matches no disk; disks found: $large (300 MiB), $small (120 MiB)"
	refuses "no disk is the system's" 'system_disk' "no disk has a partition labeled"
	refuses "not an expression" 'disk.size > 100' \
		"disk selector is invalid: 1:11: no matching overload"
}

# takes_no_second COMMAND...: a busy machine may need a second without waiting, but not each time.
takes_no_second() {
	local _

	for _ in {1..100}; do
		took "$@" || return 1
		[[ $(cat "$work/took") -ge 1000 ]] || return 0
	done
	return 1
}

# The first disk that a selector matches may be the wrong one: an empty disk is used only after no
# other one has appeared for a second.
test_wait() {
	by 'disk.size < 200u * MiB'
	check "plan does not wait" takes_no_second mortise plan
	check "plan --wait succeeds" took mortise plan --wait 300
	check "plan --wait waits a second before it uses an empty disk" test "$(cat "$work/took")" -ge 1000
	check "plan --wait does not wait until its limit" test "$(cat "$work/took")" -lt 300000
	by 'disk.size > 1u * TiB'
	check_fails "up fails if no disk appears" took mortise up --wait 2
	check "up waits for the given time" test "$(cat "$work/took")" -ge 2000
	check_fails "nothing was written" blkid -p "$small"
}

test_whole() {
	by "disk.size < 200u * MiB && !disk.readonly && disk.dev_path.startsWith('/dev/ubd')" \
		"$static"
	check "up succeeds" mortise up
	check "the disk holds a LUKS2 volume" cryptsetup isLuks --type luks2 "$small"
	check "cryptsetup opens it" cryptsetup open --test-passphrase --key-slot 0 --key-file "$key" \
		"$small"
	check_equal "the volume is mounted" "$(findmnt -no SOURCE "$root/var/mnt/data")" \
		/dev/mapper/luks2-u-data
	check_fails "the other disk is unchanged" blkid -p "$large"
	echo kept >"$root/var/mnt/data/file"
	check "status succeeds" said mortise status --json
	check_equal "status shows the disk" "$(jq -r '.volumes[0].device' "$work/said")" "$small"
	check_equal "status shows the id" "$(jq -r '.volumes[0].id' "$work/said")" u-data
	check "down succeeds" mortise down
	check "up succeeds again" mortise up
	check_equal "the file is still there" "$(cat "$root/var/mnt/data/file")" kept
	check "down succeeds" mortise down
}

# by_with_state SELECTOR: declare a STATE, too, which lists the volumes of the machine.
by_with_state() {
	by "$1" "$static"
	printf -- '---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n' >>"$config"
	options+=(--device "STATE=$state")
}

# The selector matches an empty disk while the right one is missing.
test_missing() {
	state=$(blank_device 100)
	by_with_state 'disk.size < 200u * MiB'
	check "up succeeds with STATE" mortise up
	check "down succeeds" mortise down
	by_with_state 'disk.size > 200u * MiB'
	check_fails "up does not use an empty disk in place of the right one" said mortise up
	check "it says why" says \
		"u-data was on this machine (UUID $(cryptsetup luksUUID "$small")), and $large is empty"
	check_fails "the empty disk is unchanged" blkid -p "$large"
	mortise down >/dev/null
}

# The system disk is the one that holds META. A partition's device name starts with its disk's
# name.
test_system_disk() {
	sfdisk -q "$large" <<<$'label: gpt\nsize=100MiB, name=META'
	check_equal "the kernel knows the label" \
		"$(sed -n 's/^PARTNAME=//p' "/sys/class/block/${large#/dev/}"*1/uevent)" META
	by '!system_disk' "$static"
	check "up uses the disk that is not the system disk" mortise up
	check_equal "the file is still there" "$(cat "$root/var/mnt/data/file")" kept
	check "down succeeds" mortise down
	refuses "a disk with partitions" 'system_disk' "$large holds a partition table (gpt)"
	by 'system_disk'
	check_fails "the partitioned disk is also refused without encryption" said mortise up
	check "the error names the partition table" says "a partition table (gpt) != ext4"
	check "the partition is still there" grep -q PARTNAME=META \
		"/sys/class/block/${large#/dev/}"*1/uevent
}

# --device takes precedence over the selector.
test_given() {
	by 'disk.size > 1u * TiB' "$static"
	options+=(--device "data=$small")
	check "up uses the given disk" mortise up
	check_equal "the file is still there" "$(cat "$root/var/mnt/data/file")" kept
	check "down succeeds" mortise down
}

static="slot: 0, static: {passphrase: declared}"
test_choice
test_wait
test_whole
test_missing
test_system_disk
test_given
finish
