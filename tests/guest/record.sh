#!/usr/bin/env bash
# The record that mortise keeps of each key saves the boot all derivations except one. A correct
# record is trusted; a wrong, outdated or missing one never causes the loss of a key.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"
# shellcheck source=tests/guest/keyslots.sh
. "$(dirname "${BASH_SOURCE[0]}")/keyslots.sh"

test_changed() {
	local offset size

	format beta --key-slot 1
	add 2 gamma beta
	declare_keys 1=beta 2=gamma
	check "the boot succeeds with two keys" boot
	cryptsetup luksChangeKey "${cheap[@]}" --key-slot 2 --key-file <(printf gamma) "$device" \
		<(printf other)
	check_fails "up refuses the header that cryptsetup has changed" mortise up
	check "the header is sealed again" reseal beta
	check "up restores a key that was changed" mortise up
	check "the declared key opens" opens 2 gamma
	# The salt is unchanged, so only a derivation can show that the keyslot no longer opens.
	offset=$(metadata | jq -r '.keyslots."2".area.offset')
	size=$(metadata | jq -r '.keyslots."2".area.size')
	dd if=/dev/urandom of="$device" bs=4096 seek=$((offset / 4096)) \
		count=$((size / 4096)) conv=notrunc,fsync status=none
	check "a boot trusts the record" boot
	check_status 2 "the spoiled keyslot does not open" opens 2 gamma
	check_match "plan --check-keys finds the spoiled keyslot" \
		"$(mortise plan --check-keys)" "*key-replace*2*"
	check "up --check-keys succeeds" mortise up --check-keys
	check "up --check-keys replaces the keyslot" opens 2 gamma
	check_equal "the data is still there" "$(cat "$file")" kept
	check "the header fits Talos" fits_talos
}

# areas: the checksum of the keyslot areas, at the places given in the metadata.
areas() {
	local offset size

	metadata | jq -r '.keyslots | to_entries | sort_by(.key)[].value.area | .offset, .size' |
		while read -r offset && read -r size; do
			dd if="$device" bs=4096 skip=$((offset / 4096)) \
				count=$((size / 4096)) status=none
		done | sha256sum
}

record() {
	metadata | jq -c ".config.mortise.$1"
}

# put_keys JSON: replace the fingerprints, and seal the header with them.
put_keys() {
	metadata | jq -cj --argjson keys "$1" '.config.mortise.keys |= $keys' >"$work/forged" &&
		"$(dirname "$MORTISE")/tests/forge" "$device" <"$work/forged" &&
		reseal alpha
}

# without_record TEXT COMMAND...: boot with a record that COMMAND has spoiled.
without_record() {
	local text=$1 before
	shift

	before=$(areas)
	check "the record is $text" "$@"
	check "the next boot succeeds" boot
	check_equal "the keys are unchanged" "$(areas)" "$before"
	check_equal "no key failed" \
		"$(mortise status --json | jq -c '.volumes[0].failedSyncs')" "[]"
	check_equal "the record is correct again" "$(record 'keys | {"0", "1"}')" "$right"
	before=$(whole_header)
	check "the boot after that succeeds" boot
	check_equal "the boot writes nothing" "$(whole_header)" "$before"
}

# Any contents of the record may cost time, but never a key.
test_record() {
	local right old

	down
	device=$(blank_device 40)
	declare_keys 0=alpha 1=beta
	check "up formats a volume with two keys" mortise up
	echo kept >"$file"
	old=$(record keys)
	declare_keys 0=alpha 1=gamma
	check "the boot replaces a key" boot
	right=$(record 'keys | {"0", "1"}')
	without_record "older than a key" put_keys "$old"
	without_record "for the wrong keyslots" put_keys \
		"$(record keys | jq -c '{"0": .["1"], "1": .["0"]}')"
	without_record garbled put_keys \
		'{"0": "AAAAAAAAAAAAAAAAAAAAAA==", "1": "no base64", "2": 17, "x": {}}'
	without_record "in an unknown form" put_keys '["0", "1"]'
	without_record gone put_keys null
	check "the first key opens" opens 0 alpha
	check "the second key opens" opens 1 gamma
	check_equal "the data is still there" "$(cat "$file")" kept
	check "the header fits Talos" fits_talos
}

salt_of_state
for topic in changed record; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
