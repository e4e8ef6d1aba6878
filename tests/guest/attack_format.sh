#!/usr/bin/env bash
# Attack: the marks of an unfinished format, on a volume that holds data, so that the next boot formats
# it. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

forge=${FORGE:-$(dirname "$MORTISE")/tests/forge}
mark='{"mortise-unfinished":""}'

# forged FILTER [SUBSYSTEM]: the header of the data volume as an attacker writes it.
forged() {
	dd if="$data" bs=4096 skip=1 count=3 status=none | tr -d '\0' | jq -c "$1" >"$work/json"
	"$forge" "$data" "${@:2}" <"$work/json"
}

put_back() {
	dd if="$work/before" of="$data" bs=128K conv=notrunc,fsync status=none
}

# Everything behind both header copies.
contents() {
	tail -c +131073 "$data" | checksum
}

fill() {
	echo "precious data" >"$root/var/mnt/data/file"
}

has_file() {
	[[ $(cat "$root/var/mnt/data/file") == "precious data" ]]
}

# opened NAME: up opens the volume with its data.
opened() {
	check "$1: up opens the volume" said up
	check_fails "$1: and formats nothing" says format
	check "$1: the data is there" has_file
	down_all
	put_back
}

# refused NAME: up does not open the volume, and leaves it unchanged.
refused() {
	local contents
	contents=$(contents)

	check_fails "$1: up fails" said up
	check_fails "$1: and formats nothing" says formatting
	check_equal "$1: the volume is unchanged" "$(contents)" "$contents"
	down_all
	put_back
	check "$1: it opens with its own header" up
	check "$1: the data is there" has_file
	down_all
}

attacks() {
	local text=$1 sector

	dd if="$data" of="$work/before" bs=128K count=1 status=none
	forged . mortise-unfinished
	opened "$text, the mark in the binary header"
	# The seal covers the JSON, so that the volume is not opened either.
	forged "$mark + ." mortise-unfinished
	refused "$text, both marks"
	forged "{\"mortise-unfinished\":null} + ." mortise-unfinished
	refused "$text, null as the mark"
	forged "$mark + ." mortise-unfinished
	dd if=/dev/zero of="$data" bs=64K count=1 conv=notrunc,fsync status=none
	refused "$text, both marks in the second copy alone"
	# What is left of a first write that was cut: the marks in sectors of invalid copies.
	for sector in 0 128; do
		forged "$mark + ." mortise-unfinished
		printf x | dd of="$data" bs=1 seek=$((sector * 512 + 450)) conv=notrunc,fsync status=none
	done
	printf x | dd of="$data" bs=1 seek=450 conv=notrunc,fsync status=none
	refused "$text, marks in invalid copies"
}

test_machine() {
	up() {
		mortise up
	}
	down_all() {
		down
	}
	new_machine
	declare_keys "$node" "static: {passphrase: second}, slot: 0"
	check "apply" mortise apply -f "$config"
	fill
	down
	attacks "known volume"
	# Without its keyslots the volume is lost, but this machine knows it.
	forged "$mark + . | .keyslots={} | .tokens={} | .digests.\"0\".keyslots=[]" mortise-unfinished
	refused "known volume, no keyslot"
}

test_no_state() {
	up() {
		"$MORTISE" up -f "$config" --root "$root" --device "data=$data" "${cost[@]}"
	}
	down_all() {
		"$MORTISE" down -f "$config" --root "$root" --device "data=$data" >"$work/down" 2>&1
	}
	new_machine
	cat >"$config" <<-'END'
		apiVersion: v1alpha1
		kind: UserVolumeConfig
		name: data
		encryption: {provider: luks2, keys: [{static: {passphrase: second}, slot: 0}]}
		filesystem: {type: ext4}
	END
	check "up makes the volume" up
	fill
	down_all
	attacks "machine without STATE"
	# The other direction: an interrupted format is still formatted again.
	dd if=/dev/zero of="$data" bs=1M count=64 status=none
	printf second | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		"$data" -
	forged "$mark + . | .keyslots={} | .digests.\"0\".keyslots=[]" mortise-unfinished
	check "an unfinished format is finished" said up
	check "and reported" says formatting
	down_all
}

test_machine
test_no_state
finish
