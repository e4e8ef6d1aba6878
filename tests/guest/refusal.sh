#!/usr/bin/env bash
# mortise must not format a device that is not empty, must not write in read-only operations, and
# must not take a foreign mapping for its own.
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

# put DEVICE OFFSET [BYTES]: write BYTES, given as octal escapes.
put() {
	printf '%b' "${3:-x}" | dd of="$1" bs=1 seek="$2" conv=notrunc,fsync status=none
}

json() {
	jq -r "$1" "$work/json"
}

# The superblock of md version 1.2 is at 4 KiB: magic and version, set and name, level 1 with two
# disks, and at byte 144 its own position in sectors (md_p.h of the kernel).
make_raid() {
	put "$1" 4096 '\0374\0116\0053\0251\0001'
	put "$1" 4112 'sixteen bytes id'
	put "$1" 4128 'guest:0'
	put "$1" 4168 '\0001'
	put "$1" 4188 '\0002'
	put "$1" 4240 '\0010'
}

# mkfs.xfs needs 300 MiB, but the signature does not need most of them.
make_xfs() {
	local file

	truncate -s 300M "$work/xfs"
	mkfs.xfs -q "$work/xfs"
	file=$(losetup --noheadings --output BACK-FILE "$1")
	dd if="$work/xfs" of="$file" bs=1M count=20 conv=notrunc,sparse status=none
	rm "$work/xfs"
}

# A volume overwritten with a file system that happens to spare the second header.
make_two() {
	format_with_file "$1" declared
	dd if="$1" of="$work/second" bs=16K skip=1 count=1 status=none
	mkfs.ext4 -qF "$1"
	dd if="$work/second" of="$1" bs=16K seek=1 conv=notrunc,fsync status=none
}

make() {
	local size=$((20 << 20))

	case $1 in
	ext4) mkfs.ext4 -q "$2" ;;
	xfs) make_xfs "$2" ;;
	luks1) cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 "$2" "$key" ;;
	raid) make_raid "$2" ;;
	gpt) sfdisk -q "$2" <<<'label: gpt' ;;
	dos) sfdisk -q "$2" <<<$'label: dos\n2048,8192' ;;
	swap) mkswap "$2" >"$work/out" ;;
	start) put "$2" 0 ;;
	edge) put "$2" $(((1 << 20) - 1)) ;;
	end) put "$2" $((size - (1 << 20))) ;;
	last) put "$2" $((size - 1)) ;;
	damaged) format_with_file "$2" declared && put "$2" 4200 && put "$2" 20600 ;;
	two) make_two "$2" ;;
	foreign) format_with_file "$2" other ;;
	esac
}

# The contents of each device, and the expected error.
declare -A refusals=(
	[ext4]="holds ext4: not formatted*" [xfs]="holds xfs: not formatted*"
	[luks1]="holds LUKS1: not opened or formatted*" [raid]="holds linux_raid_member: not formatted*"
	[gpt]="holds a partition table (gpt): *" [dos]="holds a partition table (dos): *"
	[swap]="holds swap: *" [start]="holds unknown data (the sector at byte 0 is not zero): *"
	[edge]="holds unknown data (the sector at byte 1048064 is not zero): *"
	[end]="holds unknown data (its last MiB, from byte 19922944 on, is not zero): *"
	[last]="holds unknown data (its last MiB, from byte 19922944 on, is not zero): *"
	[damaged]="holds a damaged LUKS2 header: *" [two]="holds half a LUKS2 header and ext4: *"
	[foreign]="no declared key opens *: keyslot 0 (static): wrong key; to change keys, keep the previous key of keyslot 0 for one more run"
)

test_contents() {
	local name device before devices=() text kind

	declare_none
	for name in "${!refusals[@]}"; do
		device=$(blank_device 20)
		make "$name" "$device"
		declare_volume "$name" "$device" "$declared"
		devices+=("$device")
	done
	before=$(checksum "${devices[@]}")
	check_status 6 "plan gives exit status 6" mortise plan --json
	mortise plan --json >"$work/json" || true
	for name in "${!refusals[@]}"; do
		text=$(json ".steps[] | select(.volume == \"$name\") | .text")
		kind=$(json ".steps[] | select(.volume == \"$name\") | .kind")
		check_match "plan of $name" "$kind: $text" \
			"*@(refuse|fail): *${refusals[$name]}"
	done
	check_status 1 "status gives exit status 1" mortise status
	check_status 1 "up brings up no volume" mortise up
	mortise up --json >"$work/json" 2>"$work/out" || true
	for name in "${!refusals[@]}"; do
		check_match "up refuses $name" \
			"$(json ".volumes[] | select(.name == \"$name\") | .error")" \
			"*${refusals[$name]}"
	done
	check_equal "the devices are unchanged" "$(checksum "${devices[@]}")" "$before"
	check_equal "no mapping was created" "$(dmsetup ls)" "No devices found"
}

# Only the second header is left, or one of the two is damaged: read-only operations do not write.
test_half_headers() {
	local device before damage verb

	declare_none
	device=$(blank_device 20)
	format_with_file "$device" declared
	declare_volume data "$device" "$declared"
	for damage in "first 0 16384" "second 20480 16"; do
		read -r damage offset size <<<"$damage"
		dd if=/dev/zero of="$device" bs=16 seek=$((offset / 16)) count=$((size / 16)) \
			conv=notrunc,fsync status=none
		before=$(checksum "$device")
		check "isLuks recognizes the volume without the $damage header" \
			"$MORTISE" isLuks "$device"
		check_match "plan opens it" "$(mortise plan)" "*open*with keyslot 0*mount*"
		check_status 1 "status gives exit status 1" mortise status
		check_equal "none of these verbs wrote to the device" \
			"$(checksum "$device")" "$before"
		verb=(luksDump "$device")
		[[ $damage == first ]] ||
			verb=(open --test-passphrase --key-file "$key" "$device")
		check "${verb[0]} succeeds" "$MORTISE" "${verb[@]}"
		check "${verb[0]} repairs the header" \
			cmp <(dd if="$device" bs=4096 skip=1 count=3 status=none) \
			<(dd if="$device" bs=4096 skip=5 count=3 status=none)
		check "the first header has its magic again" \
			cmp <(head -c 6 "$device") <(printf 'LUKS\xba\xbe')
	done
	dd if=/dev/zero of="$device" bs=4096 count=4 conv=notrunc,fsync status=none
	check "up succeeds with only the second header" mortise up
	check_equal "the data is still there" "$(cat "$root/var/mnt/data/file")" kept
	check "up repairs the first header" cmp <(head -c 6 "$device") <(printf 'LUKS\xba\xbe')
	down
}

test_mappings() {
	local device other before

	declare_none
	device=$(blank_device 20)
	other=$(blank_device 20)
	declare_volume data "$device" "$declared"
	format_with_file "$other" declared
	cryptsetup open --key-file "$key" "$other" luks2-u-data
	check_match "up refuses a blank device if its name is in use" "$(mortise up 2>&1)" \
		"*luks2-u-data is already active, but does not belong to $device*"
	check "the device is still blank" cmp -n $((20 << 20)) "$device" /dev/zero
	format_with_file "$device" declared
	check_match "up refuses the mapping of another device" \
		"$(mortise up 2>&1)" "*but does not belong to $device*"
	# Both devices have the same header, as after copying a disk.
	dd if="$other" of="$device" bs=1M conv=notrunc,fsync status=none
	before=$(checksum "$device")
	check_match "up refuses the mapping of a copy" \
		"$(mortise up 2>&1)" "*but does not belong to $device*"
	check_match "down refuses it, too" \
		"$(mortise down 2>&1)" "*but does not belong to $device*"
	check_equal "the copy is unchanged" "$(checksum "$device")" "$before"
	cryptsetup close luks2-u-data
	check "up succeeds when the name is free" mortise up
	down
}

shopt -s extglob
for topic in contents half_headers mappings; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
