#!/usr/bin/env bash
# Write the disk of the machines that tests/guest/encrypted_root boots: CONFIG declares its volumes, ROOT is
# the tree of each root, and UUID the machine's. Prints the recovery keys. Runs in a guest.
set -euo pipefail
config=$1
root=$2
uuid=$3
disk=/dev/ubda
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
export DM_DISABLE_UDEV=1

mkdir /run/recovery /run/early
"$MORTISE" apply --pbkdf-force-iterations 4 --pbkdf-memory 32 --node-uuid "$uuid" --root /run/early --recovery-dir=/run/recovery -f "$config" >/run/log 2>&1 || {
	cat /run/log
	exit 1
}
printf 'secret of the root' >/run/root.key
"$MORTISE" luksFormat -q "${cheap[@]}" "${disk}5" /run/root.key
"$MORTISE" enroll "${disk}5" --recovery-key --key-slot=7 -d /run/root.key \
	--recovery-file=/run/recovery/hand
"$MORTISE" open -d /run/root.key "${disk}5" hand
for mapping in luks2-r-root luks2-r-spare hand; do
	mkfs.ext4 -q -d "$root" "/dev/mapper/$mapping"
done
"$MORTISE" close hand
"$MORTISE" down --root /run/early >/run/log
for key in /run/recovery/*; do echo "key ${key##*/} $(cat "$key")"; done
