#!/usr/bin/env bash
# Declared volumes from a blank disk on: what up makes is opened by cryptsetup with passphrases
# put together here by Talos's rules, and nothing that is not empty is formatted.
# Runs in a guest: see tools/guest/uml. Needs the demonstration's configuration as argument.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

config=$1
uuid=8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815
root=$work/root
mkdir "$root"
state=$(blank_device 400)
ephemeral=$(blank_device 400)
data=$(blank_device 200)
options=(-f "$config" --root "$root" --node-uuid "$uuid" --device "STATE=$state"
	--device "EPHEMERAL=$ephemeral" --device "data=$data")

mortise() {
	local verb=$1
	shift
	# Every slot made here is opened some times.
	[[ $verb != up ]] || set -- --iter-time 100 "$@"
	"$MORTISE" "$verb" "${options[@]}" "$@"
}

# opens DEVICE SLOT FILE: does cryptsetup open this slot with the passphrase in the file?
opens() {
	cryptsetup open --test-passphrase --key-slot "$2" --key-file "$3" "$1"
}

checksum() {
	sha256sum "$@" | cut -d' ' -f1
}

# The salt is stored as a YAML list of 32 numbers; it is used as 32 bytes.
salt_bytes() {
	local number

	grep -oE '[0-9]+$' "$root/system/state/encryption-salt.yaml" | while read -r number; do
		# shellcheck disable=SC2059  # an octal escape is made
		printf "\\$(printf %o "$number")"
	done
}

test_plan() {
	local before

	before=$(checksum "$state" "$ephemeral" "$data")
	check "plan of a blank disk" mortise plan
	check_equal "plan wrote nothing" "$(checksum "$state" "$ephemeral" "$data")" "$before"
	check_status 1 "and made no mapping" test -e /dev/mapper/luks2-STATE
}

test_first() {
	check "up" mortise up
	check_equal "STATE is xfs" "$(findmnt -no FSTYPE "$root/system/state")" xfs
	check_equal "EPHEMERAL is xfs" "$(findmnt -no FSTYPE "$root/var")" xfs
	check_equal "data is ext4" "$(findmnt -no FSTYPE "$root/var/mnt/data")" ext4
	check_equal "32 bytes of salt" "$(salt_bytes | wc -c)" 32
	check_equal "for root only" "$(stat -c %a "$root/system/state/encryption-salt.yaml")" 600
	salt_bytes >"$work/salt"
	echo kept >"$root/var/file"
	echo kept >"$root/var/mnt/data/file"
	check "status" mortise status
	check "up again does nothing" mortise up
	check_equal "to the files" "$(cat "$root/var/file" "$root/var/mnt/data/file")" $'kept\nkept'
	check "down" mortise down
	check_equal "closes all" "$(dmsetup ls)" "No devices found"
}

test_passphrases() {
	printf %s "${uuid}STATE" >"$work/state"
	printf %s "${uuid}EPHEMERAL" >"$work/ephemeral"
	{ printf %s "correct horse battery staple" && cat "$work/salt"; } >"$work/static"
	{ printf %s "${uuid}u-data" && cat "$work/salt"; } >"$work/data"
	check "STATE's nodeID slot" opens "$state" 0 "$work/state"
	check "EPHEMERAL's static slot, locked to STATE" opens "$ephemeral" 0 "$work/static"
	check "EPHEMERAL's nodeID slot" opens "$ephemeral" 1 "$work/ephemeral"
	check "data's nodeID slot, locked to STATE" opens "$data" 0 "$work/data"
	check_status 2 "one volume's key does not open another" opens "$ephemeral" 1 "$work/state"
}

test_second() {
	local before

	before=$(cryptsetup luksUUID "$ephemeral")
	check "up the next time" mortise up
	check_equal "finds the files" "$(cat "$root/var/file" "$root/var/mnt/data/file")" \
		$'kept\nkept'
	check_equal "under the same header" "$(cryptsetup luksUUID "$ephemeral")" "$before"
	check "down" mortise down
}

# A stranger's file system where data should be.
test_refusal() {
	local before

	wipefs -qa "$data"
	dd if=/dev/zero of="$data" bs=1M count=20 conv=notrunc status=none
	mkfs.ext4 -qF "$data"
	before=$(checksum "$data")
	check_match "plan refuses it by name" "$(mortise plan 2>&1 || true)" "*data*ext4*"
	check_fails "so does up" mortise up
	check_equal "which left it alone" "$(checksum "$data")" "$before"
	check "and brought up the others" test -e "$root/var/file"
	mortise down || true
}

# Another STATE has another salt: what is locked to the old one stays shut.
test_wiped_state() {
	dd if=/dev/zero of="$state" bs=1M count=400 conv=notrunc status=none
	check_fails "up with a wiped STATE" mortise up
	check_equal "EPHEMERAL opens with its other key" "$(cat "$root/var/file")" kept
	check_status 2 "the old passphrase is worth nothing" opens "$ephemeral" 0 "$work/static"
	mortise down || true
}

for topic in plan first passphrases second refusal wiped_state; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
