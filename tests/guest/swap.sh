#!/usr/bin/env bash
# Swap and raw volumes over several boots: the LUKS layer stays, each boot creates a new swap area,
# and data that may be useful is never overwritten. Checked with the kernel's own list of swap
# areas, blkid and cryptsetup. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

key=$work/key
printf declared >"$key"
inside=/dev/mapper/luks2-s-crypt

# one KIND NAME DEVICE [KEY]: declare a volume; without a key, it is not encrypted.
one() {
	printf -- '---\napiVersion: v1alpha1\nkind: %s\nname: %s\n' "$1" "$2" >>"$config"
	[[ $# -lt 4 ]] || printf 'encryption:\n  provider: luks2\n  keys: [{%s}]\n' "$4" >>"$config"
	options+=(--device "$2=$3")
}

# alone KIND DEVICE [KEY]: declare only this volume.
alone() {
	declare_none
	one "$1" only "${@:2}"
}

# value TAG DEVICE: print a value of blkid, read from the device and not from its cache.
value() {
	blkid -p -o value -s "$1" "$2" || true
}

# areas: print the devices that the kernel uses for swap, with links resolved.
areas() {
	local path

	tail -n +2 /proc/swaps | while read -r path _; do
		realpath "$path"
	done | sort
}

same_areas() {
	[[ $(areas) == "$(realpath "$@" | sort)" ]]
}

headers() {
	{ json_area "$1" && json_area "$1" second; } | sha256sum
}

ready() {
	said mortise status --json &&
		[[ $(jq -r '[.volumes[] | .phase] | unique | join(" ")' "$work/said") == ready ]]
}

# place NAME: print the mount point in the status.
place() {
	mortise status --json | jq -r ".volumes[] | select(.name == \"$1\") | .mountPoint"
}

test_first() {
	local before

	before=$(checksum "$crypt" "$plain" "$secret" "$open")
	check "plan succeeds" said mortise plan
	check "plan creates a swap area" says "create a swap area on luks2-s-crypt"
	check "plan turns swap on" says "enable swap on luks2-s-crypt"
	check "plan creates a swap area without encryption" says "create a swap area on $plain"
	check_fails "plan creates nothing in a raw volume" says "on luks2-r-secret"
	check_equal "plan writes nothing" \
		"$(checksum "$crypt" "$plain" "$secret" "$open")" "$before"
	check "up succeeds" mortise up
	check "both areas are in use" same_areas "$inside" "$plain"
	check_equal "the encrypted volume holds swap" "$(value TYPE "$inside")" swap
	check_equal "its label is its id" "$(value LABEL "$inside")" s-crypt
	check_equal "the plain volume holds swap" "$(value TYPE "$plain")" swap
	check_equal "a label that is too long is truncated" \
		"$(value LABEL "$plain")" s-a-name-longer
	check "cryptsetup opens the header" cryptsetup open --test-passphrase --key-slot 0 \
		--key-file "$key" "$crypt"
	check_fails "the header has no mark for a file system" grep -q mkfs <(json_area "$crypt")
	check "the raw mapping exists" test -b /dev/mapper/luks2-r-secret
	check_fails "the raw mapping is empty" blkid -p /dev/mapper/luks2-r-secret
	check_fails "the raw volume has no mark for a file system" \
		grep -q mkfs <(json_area "$secret")
	check_equal "the plain raw volume is unchanged" "$(value TYPE "$open")" ext4
	check "all volumes are ready" ready
	check_equal "status shows swap as [swap]" "$(place crypt)" "[swap]"
	check_equal "status shows no mount point for a raw volume" "$(place secret)" null
}

test_again() {
	local before

	before="$(value UUID "$inside") $(value UUID "$plain") $(headers "$crypt")"
	check "up succeeds with all volumes in use" mortise up
	check_equal "no area was created again" \
		"$(value UUID "$inside") $(value UUID "$plain") $(headers "$crypt")" "$before"
	check "both areas are still in use" same_areas "$inside" "$plain"
	check "plan succeeds" said mortise plan
	check_fails "plan has no step" says "swap on"
}

test_next_boot() {
	local before plain_before header data

	before=$(value UUID "$inside")
	plain_before=$(value UUID "$plain")
	printf 'data of the raw volume' | dd of=/dev/mapper/luks2-r-secret conv=notrunc,fsync status=none
	check "down succeeds" mortise down
	check_equal "no swap is in use" "$(areas)" ""
	check_fails "the mapping is gone" test -e "$inside"
	header=$(headers "$crypt")
	check "up --no-mount succeeds" mortise up --no-mount
	check_equal "no swap is in use" "$(areas)" ""
	check_equal "no area was created again" "$(value UUID "$inside")" "$before"
	mortise down >"$work/out" 2>&1
	check "up succeeds again" mortise up
	check "both areas are in use" same_areas "$inside" "$plain"
	check_fails "the encrypted area is new" test "$(value UUID "$inside")" = "$before"
	check_fails "the plain area is new" test "$(value UUID "$plain")" = "$plain_before"
	check_equal "the header is unchanged" "$(headers "$crypt")" "$header"
	data=$(head -c 22 /dev/mapper/luks2-r-secret)
	check_equal "the raw volume keeps its data" "$data" "data of the raw volume"
	check "down succeeds" mortise down
	check_equal "the plain raw volume is unchanged" "$(value TYPE "$open")" ext4
}

# refuses DEVICE WORDS [KEY]
refuses() {
	local before

	alone SwapVolumeConfig "$1" "${@:3}"
	before=$(checksum "$1")
	check_fails "up creates no swap area over it" said mortise up
	check "the error says: $2" says "$2"
	check_equal "nothing was written" "$(checksum "$1")" "$before"
	check_equal "no swap is in use" "$(areas)" ""
	down || true
}

suspended() {
	mkswap "$1" >"$work/out" 2>&1
	printf S1SUSPEND | dd of="$1" bs=1 seek=4086 conv=notrunc,fsync status=none
}

test_refusals() {
	local device

	device=$(blank_device 20)
	suspended "$device"
	check_equal "blkid recognizes a suspended system" "$(value TYPE "$device")" swsuspend
	refuses "$device" "the image of a system that was suspended to disk"
	device=$(blank_device 20)
	printf ULSUSPEND | dd of="$device" bs=1 seek=4086 conv=notrunc,fsync status=none
	refuses "$device" "the image of a system that was suspended to disk"
	device=$(blank_device 20)
	mkfs.ext4 -q "$device"
	refuses "$device" "it holds ext4"
	device=$(blank_device 20)
	sfdisk -q --no-reread --no-tell-kernel "$device" <<<'label: gpt'
	refuses "$device" "it holds a partition table (gpt)"
	device=$(blank_device 20)
	printf x | dd of="$device" bs=1 seek=700000 conv=notrunc,fsync status=none
	refuses "$device" "it holds unknown data"
	device=$(blank_device 40)
	cryptsetup luksFormat -q --type luks2 "${cheap[@]}" "$device" "$key"
	refuses "$device" "no encryption config provided"
}

# make_inside DEVICE COMMAND...: cryptsetup formats the device, and COMMAND writes inside.
make_inside() {
	local device=$1

	cryptsetup luksFormat -q --type luks2 "${cheap[@]}" "$device" "$key"
	cryptsetup open --key-file "$key" "$device" made
	"${@:2}" /dev/mapper/made
	cryptsetup close made
	# The first run writes the record of the keys, which is not tested here.
	alone RawVolumeConfig "$device" "$static"
	mortise up >"$work/out"
	mortise down >"$work/out" 2>&1
	"$MORTISE" seal --batch-mode --volume s-only --key-file "$key" "$device" >"$work/out"
}

test_refusals_inside() {
	local device

	device=$(blank_device 40)
	make_inside "$device" suspended
	refuses "$device" "was suspended to disk" "$static"
}

# over TEXT COMMAND...: what COMMAND writes inside an encrypted volume does not stop up.
over() {
	local device

	device=$(blank_device 40)
	make_inside "$device" "${@:2}"
	alone SwapVolumeConfig "$device" "$static"
	check "up succeeds over $1" mortise up
	check "the area is in use" same_areas /dev/mapper/luks2-s-only
	check_equal "the swap area is new" "$(value LABEL /dev/mapper/luks2-s-only)" s-only
	check "down succeeds" mortise down
}

# pages DEVICE: swapped-out pages that look like a file system, a RAID member and a header.
pages() {
	mkswap -q "$1"
	printf '\123\357' | dd of="$1" bs=1 seek=1080 conv=notrunc,fsync status=none
	printf JM | dd of="$1" bs=512 seek=$(($(blockdev --getsz "$1") - 1)) conv=notrunc,fsync \
		status=none
	dd if="$crypt" of="$1" bs=64K skip=1 seek=1 count=1 conv=notrunc,fsync status=none
}

# Contents created by an old Talos or a user, or by the kernel.
test_foreign() {
	local device

	over "a foreign swap area" mkswap -q -L old
	over noise true
	over "an ext4 signature" mkfs.ext4 -q
	over "swapped-out pages" pages
	# Without encryption.
	device=$(blank_device 20)
	pages "$device"
	alone SwapVolumeConfig "$device"
	check "up succeeds over swapped-out pages without encryption" mortise up
	check "the area is in use" same_areas "$device"
	check "down succeeds" mortise down
}

test_programs() {
	local device

	device=$(blank_device 20)
	alone SwapVolumeConfig "$device"
	mkdir "$work/small"
	mount --bind /dev/null /usr/sbin/mkswap
	check_fails "up fails without mkswap" said mortise up
	check "the error says what is missing" \
		says "cannot create the swap area on $device: mkswap is not installed"
	ln -s "$(command -v busybox)" "$work/small/mkswap"
	check "up succeeds with busybox's mkswap" \
		env PATH="$work/small" "$MORTISE" up "${options[@]}"
	umount /usr/sbin/mkswap
	check "the area is in use" same_areas "$device"
	check_equal "the area has its label" "$(value LABEL "$device")" s-only
	check "down succeeds" mortise down
}

# A raw volume accepts any contents, and down releases it.
test_raw() {
	local device before

	device=$(blank_device 20)
	mkfs.ext4 -q "$device"
	before=$(checksum "$device")
	alone RawVolumeConfig "$device"
	check "up succeeds with a plain raw volume" mortise up
	check "the volume is ready" ready
	check_equal "the volume is unchanged" "$(checksum "$device")" "$before"
	check "down succeeds" mortise down
	alone RawVolumeConfig "$device" "$static"
	check_fails "an encrypted raw volume is refused on a device that is not empty" \
		said mortise up
	check "the error names the contents" says "holds ext4: not formatted"
	check_equal "the device is unchanged" "$(checksum "$device")" "$before"
	alone RawVolumeConfig "$work/nothing"
	check_fails "a missing device is refused" mortise up
}

static="slot: 0, static: {passphrase: declared}"
crypt=$(blank_device 60)
plain=$(blank_device 60)
secret=$(blank_device 40)
open=$(blank_device 20)
mkfs.ext4 -q "$open"

declare_none
one SwapVolumeConfig crypt "$crypt" "$static"
one SwapVolumeConfig a-name-longer-than-15-bytes "$plain"
one RawVolumeConfig secret "$secret" "$static"
one RawVolumeConfig open "$open"

test_first
test_again
test_next_boot
test_refusals
test_refusals_inside
test_foreign
test_programs
test_raw
finish
