#!/usr/bin/env bash
# Write the disk of the machine that tests/guest/cryptroot boots: KEYS is the directory of its keys, ROOT
# its root. Runs in a guest.
set -euo pipefail
keys=$1
root=$2
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
export DM_DISABLE_UDEV=1

printf 'secret of the root' >/run/root.key
printf 'secret of script!' >/run/script.key
"$MORTISE" luksFormat -q --pbkdf argon2id --pbkdf-memory 32768 --pbkdf-force-iterations 4 /dev/ubda1 \
	/run/root.key
"$MORTISE" luksFormat -q "${cheap[@]}" /dev/ubda2 "$keys/data.key"
"$MORTISE" luksFormat -q "${cheap[@]}" /dev/ubda3 /run/script.key
"$MORTISE" open -d /run/root.key /dev/ubda1 root
mkfs.ext4 -q -d "$root" /dev/mapper/root
"$MORTISE" close root
# The scripts of the initramfs remove a plain mapping without a file system.
"$MORTISE" open --type plain --cipher aes-xts-plain64 --key-size 512 -d "$keys/plain.key" /dev/ubda4 plain
mkfs.ext4 -q /dev/mapper/plain
"$MORTISE" close plain
