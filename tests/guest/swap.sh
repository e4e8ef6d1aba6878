#!/usr/bin/env bash
# Swap and raw volumes over several boots: the LUKS layer stays, the swap area is new each time,
# and nothing is written over what may be of use to somebody. Judges: the kernel's own list of
# swap areas, blkid and cryptsetup.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

key=$work/key
printf declared >"$key"
inside=/dev/mapper/luks2-s-crypt

# one KIND NAME DEVICE [KEY]: without a key it is not encrypted.
one() {
	printf -- '---\napiVersion: v1alpha1\nkind: %s\nname: %s\n' "$1" "$2" >>"$config"
	[[ $# -lt 4 ]] || printf 'encryption:\n  provider: luks2\n  keys: [{%s}]\n' "$4" >>"$config"
	options+=(--device "$2=$3")
}

# kind KIND DEVICE [KEY]: this volume alone.
alone() {
	declare_none
	one "$1" only "${@:2}"
}

# A value of blkid's, read from the device and not from its cache.
value() {
	blkid -p -o value -s "$1" "$2" || true
}

# What the kernel swaps to: devices, resolved.
areas() {
	local path

	tail -n +2 /proc/swaps | while read -r path _; do
		realpath "$path"
	done | sort
}

same_areas() {
	[[ $(areas) == "$(realpath "$@" | sort)" ]]
}

checksum() {
	sha256sum "$@" | cut -d' ' -f1
}

headers() {
	{ json_area "$1" 1 && json_area "$1" 5; } | sha256sum
}

ready() {
	said mortise status --json &&
		[[ $(jq -r '[.volumes[] | .phase] | unique | join(" ")' "$work/said") == ready ]]
}

# place NAME: where status says that it is mounted.
place() {
	mortise status --json | jq -r ".volumes[] | select(.name == \"$1\") | .mountPoint"
}

test_first() {
	local before

	before=$(checksum "$crypt" "$plain" "$secret" "$open")
	check "plan" said mortise plan
	check "it says that a swap area is made" says "make a swap area on luks2-s-crypt"
	check "and switched on" says "swap on luks2-s-crypt"
	check "also without encryption" says "make a swap area on $plain"
	check_fails "nothing is made in a raw volume" says "on luks2-r-secret"
	check_equal "plan wrote nothing" "$(checksum "$crypt" "$plain" "$secret" "$open")" "$before"
	check "up" mortise up
	check "both areas are in use" same_areas "$inside" "$plain"
	check_equal "the encrypted one" "$(value TYPE "$inside")" swap
	check_equal "its label is its id, cut to what fits" "$(value LABEL "$inside")" s-crypt
	check_equal "the plain one" "$(value TYPE "$plain")" swap
	check_equal "a label that is too long is cut" "$(value LABEL "$plain")" s-a-name-longer
	check "cryptsetup opens the header" cryptsetup open --test-passphrase --key-slot 0 \
		--key-file "$key" "$crypt"
	check_fails "no file system is waited for" grep -q mkfs <(json_area "$crypt" 1)
	check "the raw mapping is there" test -b /dev/mapper/luks2-r-secret
	check_fails "with nothing in it" blkid -p /dev/mapper/luks2-r-secret
	check_fails "nor is one waited for" grep -q mkfs <(json_area "$secret" 1)
	check_equal "the plain raw volume was not touched" "$(value TYPE "$open")" ext4
	check "all are ready" ready
	check_equal "where swap is" "$(place crypt)" "[swap]"
	check_equal "where a raw volume is" "$(place secret)" null
}

test_again() {
	local before

	before="$(value UUID "$inside") $(value UUID "$plain") $(headers "$crypt")"
	check "up, with all of it in use" mortise up
	check_equal "no area was made anew" \
		"$(value UUID "$inside") $(value UUID "$plain") $(headers "$crypt")" "$before"
	check "both are in use still" same_areas "$inside" "$plain"
	check "plan has no step" said mortise plan
	check_fails "none at all" says "swap on"
}

test_next_boot() {
	local before plain_before header data

	before=$(value UUID "$inside")
	plain_before=$(value UUID "$plain")
	printf 'data of the raw volume' | dd of=/dev/mapper/luks2-r-secret conv=notrunc,fsync status=none
	check "down" mortise down
	check_equal "nothing is swapped to" "$(areas)" ""
	check_fails "the mapping is gone" test -e "$inside"
	header=$(headers "$crypt")
	check "up, without using what is there" mortise up --no-mount
	check_equal "no area is used" "$(areas)" ""
	check_equal "nor made" "$(value UUID "$inside")" "$before"
	mortise down >"$work/out" 2>&1
	check "up, once more" mortise up
	check "both areas are in use" same_areas "$inside" "$plain"
	check_fails "the encrypted one is new" test "$(value UUID "$inside")" = "$before"
	check_fails "so is the plain one" test "$(value UUID "$plain")" = "$plain_before"
	check_equal "the header is the same, to the byte" "$(headers "$crypt")" "$header"
	data=$(head -c 22 /dev/mapper/luks2-r-secret)
	check_equal "what is in the raw volume stays" "$data" "data of the raw volume"
	check "down" mortise down
	check_equal "the plain raw volume was not touched" "$(value TYPE "$open")" ext4
}

# refuses DEVICE WORDS [KEY]
refuses() {
	local before

	alone SwapVolumeConfig "$1" "${@:3}"
	before=$(checksum "$1")
	check_fails "up does not make a swap area over it" said mortise up
	check "it says why: $2" says "$2"
	check_equal "nothing was written" "$(checksum "$1")" "$before"
	check_equal "nothing is swapped to" "$(areas)" ""
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
	check_equal "blkid sees a suspended system" "$(value TYPE "$device")" swsuspend
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

# make_inside DEVICE COMMAND...: a header of cryptsetup's, and what the command makes inside.
make_inside() {
	local device=$1

	cryptsetup luksFormat -q --type luks2 "${cheap[@]}" "$device" "$key"
	cryptsetup open --key-file "$key" "$device" made
	"${@:2}" /dev/mapper/made
	cryptsetup close made
	# The record of the keys, which is no part of this, is written the first time.
	alone RawVolumeConfig "$device" "$static"
	mortise up >"$work/out"
	mortise down >"$work/out" 2>&1
}

test_refusals_inside() {
	local device

	device=$(blank_device 40)
	make_inside "$device" mkfs.ext4 -q
	refuses "$device" "cannot make a swap area on /dev/mapper/luks2-s-only: it holds ext4" "$static"
	device=$(blank_device 40)
	make_inside "$device" suspended
	refuses "$device" "was suspended to disk" "$static"
}

# What old Talos or a person made is taken as it is: an area in a header, noise in a header.
test_foreign() {
	local device

	device=$(blank_device 40)
	make_inside "$device" mkswap -q -L old
	alone SwapVolumeConfig "$device" "$static"
	check "up, over another's swap area" mortise up
	check_equal "it is a new one" "$(value LABEL /dev/mapper/luks2-s-only)" s-only
	check "down" mortise down
	device=$(blank_device 40)
	make_inside "$device" true
	alone SwapVolumeConfig "$device" "$static"
	check "up, over noise" mortise up
	check "it is in use" same_areas /dev/mapper/luks2-s-only
	check "down" mortise down
}

test_programs() {
	local device

	device=$(blank_device 20)
	alone SwapVolumeConfig "$device"
	mkdir "$work/none" "$work/small"
	check_fails "up, without mkswap" said env PATH="$work/none" "$MORTISE" up "${options[@]}"
	check "it says what is missing" says "cannot run mkswap; is it installed?"
	ln -s "$(command -v busybox)" "$work/small/mkswap"
	check "up, with busybox" env PATH="$work/small" "$MORTISE" up "${options[@]}"
	check "it is in use" same_areas "$device"
	check_equal "and labelled" "$(value LABEL "$device")" s-only
	check "down" mortise down
}

# A raw volume takes whatever there is, and lets it go again.
test_raw() {
	local device before

	device=$(blank_device 20)
	mkfs.ext4 -q "$device"
	before=$(checksum "$device")
	alone RawVolumeConfig "$device"
	check "up of a plain raw volume" mortise up
	check "it is ready" ready
	check_equal "and not touched" "$(checksum "$device")" "$before"
	check "down" mortise down
	alone RawVolumeConfig "$device" "$static"
	check_fails "to be encrypted, it has to be empty" said mortise up
	check "it says so" says "holds ext4: not formatted"
	check_equal "and not touched" "$(checksum "$device")" "$before"
	alone RawVolumeConfig "$work/nothing"
	check_fails "one that is not there" mortise up
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
