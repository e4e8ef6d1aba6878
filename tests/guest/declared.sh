#!/usr/bin/env bash
# Declared volumes, starting from a blank disk: cryptsetup opens the volumes that up formatted, with
# passphrases composed here by Talos's rules, and a device that is not empty is never formatted.
# Runs in a guest: see tools/guest/uml. The argument is the demonstration's configuration.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

config=$1
uuid=8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815
root=$work/root
mkdir "$root"
state=$(blank_device 100)
ephemeral=$(blank_device 100)
data=$(blank_device 200)
options=(-f "$config" --root "$root" --node-uuid "$uuid" --device "STATE=$state"
	--device "EPHEMERAL=$ephemeral" --device "data=$data")

mortise() {
	local verb=$1
	shift
	# Keep key derivation cheap, because every keyslot is opened several times.
	[[ $verb != up ]] || set -- --iter-time 100 "$@"
	"$MORTISE" "$verb" "${options[@]}" "$@"
}

# opens DEVICE SLOT FILE: cryptsetup opens this keyslot with the passphrase in FILE.
opens() {
	cryptsetup open --test-passphrase --key-slot "$2" --key-file "$3" "$1"
}

# The salt is stored as a YAML list of 32 numbers; it is used as 32 bytes.
salt_bytes() {
	local number

	grep -oE '[0-9]+$' "$root/system/state/encryption-salt.yaml" | while read -r number; do
		# shellcheck disable=SC2059  # the format is an octal escape
		printf "\\$(printf %o "$number")"
	done
}

test_plan() {
	local before

	before=$(checksum "$state" "$ephemeral" "$data")
	check "plan succeeds on a blank disk" mortise plan
	check_equal "plan writes nothing" "$(checksum "$state" "$ephemeral" "$data")" "$before"
	check_status 1 "plan creates no mapping" test -e /dev/mapper/luks2-STATE
}

test_first() {
	check "up succeeds" mortise up
	check_equal "STATE is xfs" "$(findmnt -no FSTYPE "$root/system/state")" xfs
	check_equal "EPHEMERAL is xfs" "$(findmnt -no FSTYPE "$root/var")" xfs
	check_equal "data is ext4" "$(findmnt -no FSTYPE "$root/var/mnt/data")" ext4
	check_equal "the salt has 32 bytes" "$(salt_bytes | wc -c)" 32
	check_equal "only root can read the salt" \
		"$(stat -c %a "$root/system/state/encryption-salt.yaml")" 600
	salt_bytes >"$work/salt"
	echo kept >"$root/var/file"
	echo kept >"$root/var/mnt/data/file"
	check "status succeeds" mortise status
	check "up succeeds again" mortise up
	check_equal "the second up keeps the files" \
		"$(cat "$root/var/file" "$root/var/mnt/data/file")" $'kept\nkept'
	check "down succeeds" mortise down
	check_equal "down closes all mappings" "$(dmsetup ls)" "No devices found"
}

test_passphrases() {
	printf %s "${uuid}STATE" >"$work/state"
	printf %s "${uuid}EPHEMERAL" >"$work/ephemeral"
	{ printf %s "correct horse battery staple" && cat "$work/salt"; } >"$work/static"
	{ printf %s "${uuid}u-data" && cat "$work/salt"; } >"$work/data"
	check "STATE's nodeID keyslot opens" opens "$state" 0 "$work/state"
	check "EPHEMERAL's static keyslot, locked to STATE, opens" \
		opens "$ephemeral" 0 "$work/static"
	check "EPHEMERAL's nodeID keyslot opens" opens "$ephemeral" 1 "$work/ephemeral"
	check "data's nodeID keyslot, locked to STATE, opens" opens "$data" 0 "$work/data"
	check_status 2 "one volume's key does not open another" opens "$ephemeral" 1 "$work/state"
}

test_second() {
	local before

	before=$(cryptsetup luksUUID "$ephemeral")
	check "the next up succeeds" mortise up
	check_equal "the files are still there" \
		"$(cat "$root/var/file" "$root/var/mnt/data/file")" \
		$'kept\nkept'
	check_equal "the header is unchanged" "$(cryptsetup luksUUID "$ephemeral")" "$before"
	check "down succeeds" mortise down
}

# A foreign file system is on the device of data.
test_refusal() {
	local before

	wipefs -qa "$data"
	dd if=/dev/zero of="$data" bs=1M count=20 conv=notrunc status=none
	mkfs.ext4 -qF "$data"
	before=$(checksum "$data")
	check_match "plan refuses it and names the file system" \
		"$(mortise plan 2>&1 || true)" "*data*ext4*"
	check_fails "up fails" mortise up
	check_equal "up does not write to the refused device" "$(checksum "$data")" "$before"
	check "up brings up the other volumes" test -e "$root/var/file"
	mortise down || true
}

# A new STATE has a new salt, so a keyslot locked to the old STATE no longer opens.
test_wiped_state() {
	dd if=/dev/zero of="$state" bs=1M count=100 conv=notrunc status=none
	check_fails "up fails with a wiped STATE" mortise up
	check_equal "EPHEMERAL opens with its other key" "$(cat "$root/var/file")" kept
	check_status 2 "the old passphrase no longer opens" opens "$ephemeral" 0 "$work/static"
	mortise down || true
}

for topic in plan first passphrases second refusal wiped_state; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
