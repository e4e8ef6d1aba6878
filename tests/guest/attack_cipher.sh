#!/usr/bin/env bash
# Attack: while the machine is off, the headers of STATE and of an encrypted swap volume are edited,
# so that the true volume key would be used with a cipher that protects nothing, or data would be
# mapped elsewhere. Both header copies get valid checksums. up must refuse, name the reason, create
# no mapping and write nothing. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

forge=${FORGE:-$(dirname "$MORTISE")/tests/forge}

# forge_header DEVICE FILTER: edit the JSON text of both header copies with jq.
forge_header() {
	dd if="$1" bs=4096 skip=1 count=3 status=none | tr -d '\0' | jq -c "$2" | "$forge" "$1"
}

# refused NAME DEVICE FILTER ERROR: the attack on one device, and the header put back afterwards.
refused() {
	local name=$1 device=$2 before

	dd if="$device" of="$work/header" bs=64K count=2 status=none
	forge_header "$device" "$3"
	before=$(checksum "$device")
	check_fails "$name: up fails" said mortise up
	check "$name: the error says why" says "$4"
	check_fails "$name: the volume is not mapped" test -e "/dev/mapper/$5"
	check_equal "$name: nothing is written" "$(checksum "$device")" "$before"
	down
	dd if="$work/header" of="$device" bs=64K conv=notrunc,fsync status=none
}

on_state() {
	refused "STATE, $1" "$state" "$2" "$3" luks2-STATE
}

on_swap() {
	refused "swap, $1" "$swap" "$2" "$3" luks2-s-swap
}

# uses FOUND DECLARED: the part of the error that follows the name of the device.
uses() {
	printf ' uses %s, but the configuration declares %s; it may have been tampered with' "$1" "$2"
}

test_ciphers() {
	local cipher filter

	for cipher in aes:2-ctr-null aes:2-ecb-null aes:4-cbc-null aes-xts-null aes-ecb \
		'capi:ecb(aes)-null' aes-cbc-plain64; do
		filter=".segments.\"0\".encryption = \"$cipher\""
		on_swap "$cipher" "$filter" \
			"the header of $swap$(uses "cipher $cipher" aes-xts-plain64)"
	done
	# With half of the key for a MAC, its size would still be the declared one.
	on_swap "integrity" '.segments."0".integrity = {"type": "hmac(sha256)",
		"journal_encryption": "none", "journal_integrity": "none"}' \
		"the header of $swap$(uses 'integrity hmac(sha256)' none)"
	on_swap "no encryption" '.segments."0".encryption = "cipher_null-ecb"' \
		'segment 0 is not encrypted (cipher_null-ecb)'
	# META describes STATE, and its cipher counts.
	for cipher in aes:2-ctr-null aes-xts-null; do
		filter=".segments.\"0\".encryption = \"$cipher\""
		on_state "$cipher" "$filter" \
			"the header of $state$(uses "cipher $cipher" aes-xts-plain64)"
	done
}

# A keyslot area under a weak cipher shows the volume key. Only the keyslot is refused.
test_areas() {
	on_swap "keyslot area" '.keyslots."0".area.encryption = "aes-xts-null"' \
		'cipher aes-xts-null with a key of 512 bits is not on the list'
	on_swap "keyslot area without encryption" \
		'.keyslots."0".area.encryption = "cipher_null-ecb"' \
		'its area is not encrypted (cipher_null-ecb)'
}

test_sizes() {
	on_swap "key size" '.keyslots."0".key_size = 32' \
		"$(uses 'a volume key of 256 bits in keyslot 0' '512 bits')"
	on_swap "sector size" '.segments."0".sector_size = 1024' \
		"$(uses 'sectors of 1024 bytes' 'no size, which means 512 or 4096')"
	on_swap "offset" '.segments."0".offset = "0"' "not that of a declared volume: its data does not begin behind the header"
	on_swap "sector numbers" '.segments."0".iv_tweak = "8"' \
		"not that of a declared volume: its sector numbers do not start at 0"
	on_swap "second segment" '.segments."0".size = "1048576" |
		.segments."1" = (.segments."0" | .offset = "17825792" | .size = "dynamic") |
		.digests."0".segments = ["0", "1"]' \
		"not that of a declared volume: cannot map more than one data segment"
	on_swap "backup segment" '.segments."0".size = "1048576" |
		.segments."1" = (.segments."0" | .offset = "17825792" | .size = "dynamic" |
			.flags = ["backup-x"]) |
		.digests."0".segments = ["0", "1"]' "not that of a declared volume: it has more than one segment"
}

# declare_block_size BYTES
declare_block_size() {
	sed -i "/kind: SwapVolumeConfig/,\$s/blockSize: .*/blockSize: $1/" "$config"
}

# What the configuration declares counts, not what a format would have chosen.
test_block_size() {
	declare_block_size 4096
	check_fails "another declared sector size is refused" said mortise apply -f "$config"
	check "the error names both sizes" says "$(uses 'sectors of 512 bytes' 4096)"
	declare_block_size 512
	check "the right sector size is accepted" mortise apply -f "$config"
	check "swap is in use" grep -q . <(tail -n +2 /proc/swaps)
	down
}

# A header that was adopted with flags in it: only the configuration decides.
test_flags() {
	local device one=$work/one.yaml

	device=$(blank_device 32)
	printf flags >"$work/key"
	cryptsetup luksFormat -q --type luks2 --pbkdf argon2id "${cost[@]}" "$device" "$work/key"
	cryptsetup open --allow-discards --persistent --key-file "$work/key" "$device" made
	cryptsetup close made
	printf 'apiVersion: v1alpha1\nkind: RawVolumeConfig\nname: flags\n%s\n' \
		'encryption: {provider: luks2, keys: [{slot: 0, static: {passphrase: flags}}]}' >"$one"
	check "a volume with allow-discards in its header opens" "$MORTISE" up -f "$one" \
		"${cost[@]}" --device "flags=$device" --node-uuid "$uuid"
	check_match "it is mapped" "$(dmsetup table luks2-r-flags)" '*crypt*'
	check_fails "the header does not allow discards" \
		grep -q allow_discards <(dmsetup table luks2-r-flags)
	"$MORTISE" down -f "$one" --device "flags=$device" >"$work/down"
	check "by hand, the header's flags count" \
		"$MORTISE" open --key-file "$work/key" "$device" made
	check_match "discards are allowed" "$(dmsetup table made)" '*allow_discards*'
	"$MORTISE" close made
}

new_machine
swap=$(blank_device 64)
places+=(--device "swap=$swap")
declare_keys "$node" "$node"
printf -- '---\napiVersion: v1alpha1\nkind: SwapVolumeConfig\nname: swap\nencryption:\n%s\n%s\n' \
	'  provider: luks2' '  keys: [{nodeID: {}, slot: 0}]' >>"$config"
echo '  blockSize: 0' >>"$config"
check "the machine is set up" mortise apply -f "$config"
down
for topic in ciphers areas sizes block_size flags; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
check "the machine comes up with its own headers" mortise up
check "the file system of data is mounted" test -e "$root/var/mnt/data/lost+found"
down
finish
