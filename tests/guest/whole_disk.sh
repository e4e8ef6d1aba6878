#!/usr/bin/env bash
# A volume on a whole disk, found by a selector. Judges: cryptsetup, blkid and findmnt.
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

# by SELECTOR [KEY]: the volume that it declares.
by() {
	declare_none
	{
		printf 'apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: data\nvolumeType: disk\n'
		printf 'filesystem: {type: ext4}\nprovisioning:\n  diskSelector:\n'
		printf '    match: >-\n      %s\n' "$1"
		[[ $# -lt 2 ]] || printf 'encryption:\n  provider: luks2\n  keys: [{%s}]\n' "$2"
	} >>"$config"
}

checksum() {
	sha256sum "$@" | cut -d' ' -f1
}

# refuses TEXT SELECTOR WORDS
refuses() {
	local before

	by "$2" "$static"
	before=$(checksum "$large" "$small")
	check_fails "$1" said mortise up
	check "it says: $3" says "$3"
	check_equal "nothing was written" "$(checksum "$large" "$small")" "$before"
}

test_choice() {
	refuses "two disks fit" 'disk.size > 1u * MB' \
		"holds for 2 disks, and one is needed: $large (300 MiB), $small (120 MiB)"
	refuses "no disk fits" 'disk.size > 1u * TiB' \
		"holds for no disk; there are: $large (300 MiB), $small (120 MiB)"
	refuses "no disk is the system's" 'system_disk' "is not known: none has a partition labelled"
	refuses "not an expression" 'disk.size > 100' \
		"disk selector is invalid: 1:11: no matching overload"
}

# A busy machine may need a second without waiting, but not each time.
takes_no_second() {
	local _

	for _ in {1..100}; do
		took "$@" || return 1
		[[ $(cat "$work/took") -ge 1000 ]] || return 0
	done
	return 1
}

# The disk that a selector finds first may not be the one that it means: before an empty one is
# taken, no other may have turned up for a second. Without a file system there is nothing to do.
test_wait() {
	by 'disk.size < 200u * MiB'
	check "up, without a file system, waits for nothing" takes_no_second mortise up --no-mount
	check "up, which may wait" took mortise up --no-mount --wait 300
	check "waits a second before an empty disk is taken" test "$(cat "$work/took")" -ge 1000
	check "and no longer" test "$(cat "$work/took")" -lt 300000
	by 'disk.size > 1u * TiB'
	check_fails "up of a disk that never comes" took mortise up --no-mount --wait 2
	check "waits as long as it may" test "$(cat "$work/took")" -ge 2000
	check_fails "nothing was written" blkid -p "$small"
}

test_whole() {
	by "disk.size < 200u * MiB && !disk.readonly && disk.dev_path.startsWith('/dev/ubd')" \
		"$static"
	check "up" mortise up
	check "the disk is a volume of LUKS2" cryptsetup isLuks --type luks2 "$small"
	check "cryptsetup opens it" cryptsetup open --test-passphrase --key-slot 0 --key-file "$key" \
		"$small"
	check_equal "it is mounted" "$(findmnt -no SOURCE "$root/var/mnt/data")" \
		/dev/mapper/luks2-u-data
	check_fails "the other disk was not touched" blkid -p "$large"
	echo kept >"$root/var/mnt/data/file"
	check "status" said mortise status --json
	check_equal "which disk it is" "$(jq -r '.volumes[0].device' "$work/said")" "$small"
	check_equal "its id" "$(jq -r '.volumes[0].id' "$work/said")" u-data
	check "down" mortise down
	check "up" mortise up
	check_equal "what was in it is in it" "$(cat "$root/var/mnt/data/file")" kept
	check "down" mortise down
}

# The disk that holds STATE is the system's; the partition's own name is its place in a disk.
test_system_disk() {
	sfdisk -q "$large" <<<$'label: gpt\nsize=100MiB, name=STATE'
	check_equal "the kernel knows the label" \
		"$(sed -n 's/^PARTNAME=//p' "/sys/class/block/${large#/dev/}"*1/uevent)" STATE
	by '!system_disk' "$static"
	check "up of the one that is not the system's" mortise up
	check_equal "what was in it is in it" "$(cat "$root/var/mnt/data/file")" kept
	check "down" mortise down
	refuses "a disk with partitions" 'system_disk' "$large holds a partition table (gpt)"
	by 'system_disk'
	check_fails "also without encryption" said mortise up
	check "it says so" says "a partition table (gpt) != ext4"
	check "the partition is there still" grep -q PARTNAME=STATE \
		"/sys/class/block/${large#/dev/}"*1/uevent
}

# What --device says counts, whatever the selector would say.
test_given() {
	by 'disk.size > 1u * TiB' "$static"
	options+=(--device "data=$small")
	check "up of a disk by name" mortise up
	check_equal "what was in it is in it" "$(cat "$root/var/mnt/data/file")" kept
	check "down" mortise down
}

static="slot: 0, static: {passphrase: declared}"
test_choice
test_wait
test_whole
test_system_disk
test_given
finish
