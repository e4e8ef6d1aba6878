#!/usr/bin/env bash
# Attack: the header asks for more time than any machine has. A keyslot that would take years must
# not keep the next key from opening the volume at boot; a digest that would must be refused. Runs in
# a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

forge=${FORGE:-$(dirname "$MORTISE")/tests/forge}
limit='s to derive on this machine, and the limit is'
device=$(blank_device 40)
other=$(blank_device 40)
printf first >"$work/key"
printf second >"$work/second"

forge_header() {
	json_area "$1" | tr -d '\0' | jq -c "$2" | "$forge" "$1"
}

format_with_file "$device" first
cryptsetup luksAddKey -q "${cheap[@]}" --key-file "$work/key" "$device" "$work/second"
format_with_file "$other" first
declare_none
declare_volume data "$device" "slot: 0, static: {passphrase: first}" \
	"slot: 1, static: {passphrase: second}"
declare_volume other "$other" "slot: 0, static: {passphrase: first}"

forge_header "$device" '.keyslots."0".kdf.time = 4294967295'
forge_header "$other" '.digests."0".iterations = 4294967295'
check_status 6 "up opens one of the two volumes" said mortise up
check_equal "the other key opened the volume" "$(cat "$root/var/mnt/data/file")" kept
check_equal "status reports its keyslot" "$(mortise status --json |
	jq -r '.volumes[] | select(.name == "data") | .keyslot')" 1
check "the error names the digest and the limit" says "digest 0 would take about"
check "the limit is that of up" says "$limit 30 s; to wait longer, use --max-unlock-time"
check_fails "the volume with the digest is not mapped" test -e /dev/mapper/luks2-u-other
down

declare_none
declare_volume data "$device" "slot: 0, static: {passphrase: first}"
check_status 1 "up without another key fails" said mortise up --max-unlock-time 7
check "the error names the keyslot" says "keyslot 0 would take about"
check "the limit is the given one" says "$limit 7 s"
finish
