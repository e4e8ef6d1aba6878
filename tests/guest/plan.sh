#!/usr/bin/env bash
# The plan that is shown is the plan that is executed. A volume that changes in between is planned
# again, which is reported; nothing is formatted that the plan did not format; a volume that waits
# for STATE is planned in a second stage. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

spare='static: {passphrase: spare}, slot: 1'

machine_of() {
	down || true
	new_machine
	declare_keys "$1" "$2"
	mortise apply -q -f "$config" >/dev/null
	down
}

slots() {
	cryptsetup luksDump --dump-json-metadata "$1" | jq -c '.keyslots | keys | map(tonumber)'
}

# apply_after COMMAND...: run apply, and COMMAND between its plan and its first step. Sets $status.
apply_after() {
	local pid lock _

	exec {lock}>>/run/mortise/lock
	flock "$lock"
	mortise apply -f "$config" >"$work/said" 2>&1 {lock}>&- &
	pid=$!
	for _ in {1..300}; do
		! grep -q '^VOLUME' "$work/said" || break
		sleep 0.1
	done
	"$@" >"$work/between" 2>&1 {lock}>&- || fail "$*" "$(cat "$work/between")"
	exec {lock}>&-
	status=0
	wait "$pid" || status=$?
}

add_stranger() {
	cryptsetup luksAddKey -q --pbkdf argon2id "${cost[@]}" --key-slot 5 \
		--key-file <(printf %s "${uuid}u-data") "$data" <(printf stranger)
}

test_unchanged() {
	machine_of "$node" "$node"
	apply_after true
	check_equal "apply of an unchanged machine succeeds" "$status" 0
	check_fails "apply plans no volume again" says 'planned again'
	down
}

# A keyslot is added, and another one is removed, between the plan and its execution.
test_header() {
	machine_of "$node" "$node;$spare"
	apply_after add_stranger
	check_equal "apply succeeds after a keyslot was added" "$status" 0
	check "apply reports the change" says \
		'data: notice: changed since the plan was made (its header was updated); planned again:'
	check "apply lists the new steps" says 'remove keyslot 5, which is not declared'
	check_equal "apply removes the undeclared keyslot" "$(slots "$data")" '[0,1]'
	check_match "status shows the change too" \
		"$(mortise status --json | jq -r '.volumes[1].notices[]')" '*changed since*'
	down
	apply_after cryptsetup luksKillSlot -q "$data" 1
	check_equal "apply succeeds after a keyslot was removed" "$status" 0
	check "apply reports this change, too" says 'planned again: '
	check "apply adds the declared key again" opens "$data" 1 spare
	check_equal "no other keyslot is left" "$(slots "$data")" '[0,1]'
	down
	# The keyslot that opened the volume: its key is known, and the declared key is enrolled again.
	apply_after cryptsetup luksKillSlot -q "$data" 0 --key-file <(printf spare)
	check_equal "apply succeeds after the keyslot that opened was removed" "$status" 0
	check "apply adds its key again" opens "$data" 0 "${uuid}u-data"
	down
	apply_after cryptsetup luksFormat -q --type luks2 --pbkdf argon2id "${cost[@]}" \
		--key-file <(printf other) "$data"
	check_equal "apply refuses a header whose keys are not declared" "$status" 1
	check "apply says why" says 'no declared key opens'
	check_equal "the new header is unchanged" "$(slots "$data")" '[0]'
	down || true
}

# No device is formatted that was not empty when the plan was made, or is not empty now.
test_contents() {
	local before

	new_machine
	declare_keys "$node" "$node"
	before=$(checksum "$meta" "$state")
	apply_after mkfs.ext4 -q "$data"
	check_equal "apply refuses a device that is no longer empty" "$status" 1
	check "apply names its contents" says "$data holds ext4: not formatted"
	check_equal "apply has written nothing at all" "$(checksum "$meta" "$state")" "$before"
	check_equal "the file system is left" "$(blkid -p -o value -s TYPE "$data")" ext4
	machine_of "$node" "$node"
	apply_after dd if=/dev/zero of="$data" bs=1M count=64 conv=fsync status=none
	check_equal "apply does not format a volume that was wiped meanwhile" "$status" 6
	check "apply says so" says "not formatted: $data is empty now"
	check_equal "the device is still empty" "$(tr -d '\0' <"$data" | wc -c)" 0
	down
	# The plan cannot show that it replaces a known volume before STATE is open.
	check_status 6 "another apply opens STATE" mortise apply -f "$config"
	check "then apply plans for the empty device" mortise apply -f "$config"
	down
}

test_mapping() {
	machine_of "$node" "$node"
	apply_after cryptsetup open --key-file <(printf %s "${uuid}u-data") "$data" luks2-u-data
	check_equal "apply succeeds after another program opened a volume" "$status" 0
	check "apply reports it" says 'data: notice: changed since the plan was made (it was opened)'
	check "apply mounts the volume" mountpoint -q "$root/var/mnt/data"
	down
}

test_second_stage() {
	new_machine
	declare_keys "$node" "$node, lockToState: true"
	check "apply succeeds with a volume locked to a new STATE" said mortise apply -f "$config"
	check "the plan says that the volume waits" says 'locked to STATE, and STATE is not'
	check "the steps are reported once they are planned" \
		says "data: notice: planned in the second stage: format $data"
	down
	declare_keys "$node" "nodeID: {}, slot: 0, lockToState: true;$spare"
	check "apply adds a key in the second stage" mortise apply -f "$config"
	check "the added key opens" opens "$data" 1 spare
	check_fails "the second stage does not appear as a notice of the volume" \
		grep -q 'second stage' <(mortise status --json)
	down
	check "plan of a volume that is locked to STATE waits" said mortise plan -f "$config"
	check "plan says what it waits for" says 'keyslot 0 is locked to STATE'
}

# JSON has the steps as executed, also those of the second stage.
test_json() {
	new_machine
	declare_keys "$node" "$node, lockToState: true"
	"$MORTISE" apply -q --json -f "$config" "${cost[@]}" --root "$root" --node-uuid "$uuid" \
		"${places[@]}" >"$work/json"
	check "JSON has the steps of the second stage" \
		jq -e '[.steps[] | select(.volume == "data") | .kind] ==
			["format", "key-add", "open", "mkfs", "mount"]' "$work/json"
	down
}

for topic in unchanged header contents mapping second_stage json; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
