#!/usr/bin/env bash
# What mortise has noted of each key saves the boot a derivation for all but one of them. It is
# believed when it is right, and when it is wrong, old or gone no key is lost by it.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"
# shellcheck source=tests/guest/keyslots.sh
. "$(dirname "${BASH_SOURCE[0]}")/keyslots.sh"

test_step() {
	local offset size

	format beta --key-slot 1
	add 2 gamma beta
	declare_keys 1=beta 2=gamma
	check "two keys are brought up" boot
	cryptsetup luksChangeKey "${cheap[@]}" --key-slot 2 --key-file <(printf gamma) "$device" \
		<(printf other)
	check "up brings a changed key back in step" mortise up
	check "the declared one opens" opens 2 gamma
	# Only trying it tells that a keyslot with the same salt does not open any more.
	offset=$(metadata | jq -r '.keyslots."2".area.offset')
	size=$(metadata | jq -r '.keyslots."2".area.size')
	dd if=/dev/urandom of="$device" bs=4096 seek=$((offset / 4096)) \
		count=$((size / 4096)) conv=notrunc,fsync status=none
	check "a boot believes what was noted" boot
	check_status 2 "of a keyslot that does not open" opens 2 gamma
	check_match "plan --check-keys finds it" "$(mortise plan --check-keys)" "*key-replace*2*"
	check "up --check-keys" mortise up --check-keys
	check "replaces it" opens 2 gamma
	check_equal "the data is still there" "$(cat "$file")" kept
	check "as Talos wants it" fits_talos
}

# Byte for byte, where the metadata says that they are.
areas() {
	local offset size

	metadata | jq -r '.keyslots | to_entries | sort_by(.key)[].value.area | .offset, .size' |
		while read -r offset && read -r size; do
			dd if="$device" bs=4096 skip=$((offset / 4096)) \
				count=$((size / 4096)) status=none
		done | sha256sum
}

record() {
	metadata | jq -r ".tokens | to_entries[] | select(.value.type == \"mortise\") | .$1"
}

# put_record JSON: in the place of what mortise had noted.
put_record() {
	cryptsetup token import --token-id "$(record key)" --token-replace --json-file - "$device" \
		<<<"$1"
}

# without_record TEXT COMMAND...: what the next boot makes of a record that the command spoilt.
without_record() {
	local text=$1 before
	shift

	before=$(areas)
	check "the record is $text" "$@"
	check "the next boot" boot
	check_equal "leaves the keys as they were" "$(areas)" "$before"
	check_equal "none failed" \
		"$(mortise status --json | jq -c '.volumes[0].failedSyncs')" "[]"
	check_equal "and notes anew what is there" "$(record 'value.keys | {"0", "1"}')" "$right"
	before=$(whole_header)
	check "the one after it" boot
	check_equal "writes nothing" "$(whole_header)" "$before"
}

# What mortise has noted of keyslots may be anything: that costs time, and never a key.
test_record() {
	local right old

	down
	device=$(blank_device 40)
	declare_keys 0=alpha 1=beta
	check "a volume with two keys" mortise up
	echo kept >"$file"
	old=$(record value)
	declare_keys 0=alpha 1=gamma
	check "one is replaced" boot
	right=$(record 'value.keys | {"0", "1"}')
	without_record "older than a key" put_record "$old"
	without_record "of the wrong slots" put_record \
		"$(record value | jq '.keys |= {"0": .["1"], "1": .["0"]}')"
	without_record garbled put_record '{"type": "mortise", "keyslots": [],
		"keys": {"0": "AAAAAAAAAAAAAAAAAAAAAA==", "1": "no base64", "2": 17, "x": {}}}'
	without_record "of another form" put_record \
		'{"type": "mortise", "keyslots": [], "keys": ["0", "1"]}'
	without_record gone cryptsetup token remove --token-id "$(record key)" "$device"
	check "the first key opens" opens 0 alpha
	check "and the second" opens 1 gamma
	check_equal "the data is still there" "$(cat "$file")" kept
	check "as Talos wants it" fits_talos
}

for topic in step record; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
