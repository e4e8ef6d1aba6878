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

# spoil SLOT: overwrite the area of a keyslot, which only a derivation can show.
spoil() {
	local offset size

	offset=$(metadata | jq -r --arg slot "$1" '.keyslots[$slot].area.offset')
	size=$(metadata | jq -r --arg slot "$1" '.keyslots[$slot].area.size')
	dd if=/dev/urandom of="$device" bs=4096 seek=$((offset / 4096)) \
		count=$((size / 4096)) conv=notrunc,fsync status=none
}

test_changed() {
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
	spoil 2
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

declare_kinds() {
	declare_none
	declare_volume data "$device" "slot: 0, nodeID: {}" \
		"slot: 1, static: {passphrase: $1}" \
		"slot: 2, static: {passphrase: locked}, lockToState: true"
}

# derives TEXT COMMAND...: after this change, up on the open volume derives keys again.
derives() {
	local text=$1
	shift

	check "$text" "$@"
	check_fails "$text: up derives keys" said mortise up
	check "$text: the error names the keyslots" says "no declared key opens"
}

# An open volume that this boot has verified needs no key. Without the areas of its keyslots, each
# derivation gives a wrong key.
test_open() {
	[[ ! -e $file ]] || down
	device=$(blank_device 40)
	declare_kinds beta
	check "up formats a volume" mortise up
	check "the boot opens it" boot
	head -c 16M "$device" >"$work/header"
	spoil 0
	spoil 1
	spoil 2
	check "up succeeds on the open volume without a derivation" mortise up
	check_equal "no key failed" "$(mortise status --json | jq -c '.volumes[0].failedSyncs')" "[]"
	check_equal "status names the keyslot that opened it" \
		"$(mortise status --json | jq -r '.volumes[0].keyslot')" 0
	check_equal "plan has nothing to do" "$(mortise plan)" "Nothing to do."
	derives "a static key is declared with another passphrase" declare_kinds gamma
	declare_kinds beta
	check "up succeeds with the first declaration" mortise up
	options+=(--node-uuid 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed)
	derives "the machine has another UUID" true
	declare_kinds beta
	printf '\n' >>"$root/system/state/encryption-salt.yaml"
	check "up succeeds with the salt in another notation" mortise up
	sed -i 's/- 32$/- 33/' "$root/system/state/encryption-salt.yaml"
	derives "STATE has another salt" true
	salt_of_state
	check "up succeeds with the first salt" mortise up
	check_fails "up --check-keys derives keys" mortise up --check-keys
	derives "the header was written again" cryptsetup config "$device" --label other
	check "the header is put back" dd if="$work/header" of="$device" bs=1M conv=notrunc,fsync
	check "the next boot succeeds" boot
}

salt_of_state
for topic in changed record open; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
