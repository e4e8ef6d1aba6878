#!/usr/bin/env bash
# A machine that carries its configuration can be opened at the next boot, even if an apply did not
# complete: META read-only, STATE full, a KMS out of reach, two runs at once, no key available for a
# blank volume. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

a='static: {passphrase: aaaa}, slot: 0'
b='static: {passphrase: bbbb}, slot: 1'
c='static: {passphrase: cccc}, slot: 0'
kms='kms: {endpoint: "grpc://127.0.0.1:1"}, slot: 0'

# machine_of STATE-KEYS: create a machine that carries these keys.
machine_of() {
	down || true
	new_machine
	declare_keys "$1" "$node"
	mortise apply -q -f "$config" >/dev/null
}

slots() {
	cryptsetup luksDump --dump-json-metadata "$state" | jq -c '.keyslots | keys'
}

boots() {
	down
	said mortise up
}

# Keys listed in META stay in the header until META lists the new ones.
test_meta_read_only() {
	machine_of "$a"
	blockdev --setro "$meta"
	declare_keys "$a;$b" "$node"
	check "up adds a key with META read-only" said mortise up -f "$config"
	check "up reports META" says META
	declare_keys "$b" "$node"
	check "up succeeds without the old key in the configuration" said mortise up -f "$config"
	check "up does not yet remove the old key" says 'keyslot 0 unchanged'
	check_equal "the old key is still there" "$(slots)" '["0","1"]'
	check_fails "apply fails" said mortise apply -f "$config"
	check "apply says that it did not store the configuration" \
		says 'the configuration was not stored'
	check_equal "apply does not remove the old key either" "$(slots)" '["0","1"]'
	blockdev --setrw "$meta"
	check "the next boot succeeds" boots
	declare_keys "$b" "$node"
	check "apply succeeds with META writable" mortise apply -f "$config"
	check_equal "apply removes the old key" "$(slots)" '["1"]'
	check "the boot after that succeeds" boots
}

test_state_full() {
	machine_of "$a"
	# Fill it with one large file, and use up the rest in small writes.
	dd if=/dev/zero of="$root/system/state/fill" bs=64k 2>/dev/null || true
	dd if=/dev/zero of="$root/system/state/rest" bs=512 2>/dev/null || true
	head -c 200000 /dev/zero | tr '\0' '#' >"$work/long.yaml"
	declare_keys "$a;$b" "$node"
	cat "$work/long.yaml" >>"$config"
	check_fails "apply into a full STATE fails" said mortise apply -f "$config"
	declare_keys "$b" "$node"
	cat "$work/long.yaml" >>"$config"
	check_fails "the second step fails, too" said mortise apply -f "$config"
	check_equal "the old key is still there" "$(slots)" '["0","1"]'
	check "the next boot succeeds" boots
}

# A machine must not be left with only keys that have never opened it.
test_unproven() {
	machine_of "$a"
	declare_keys "$kms" "$node"
	check_fails "apply with a KMS out of reach fails" said mortise apply -f "$config" --wait 0
	check_match "META is unchanged" "$(meta_tag 9)" '*"KeyData":"aaaa"*'
	check_fails "apply --staged fails, too" said mortise apply --staged -f "$config" --wait 0
	down
	check_fails "apply --staged fails with STATE closed" \
		said mortise apply --staged -f "$config" --wait 0
	check "the next boot succeeds" boots
	# Edit the configuration by hand, so that it has no key that opens: META's key stays.
	declare_keys "$kms" "$node"
	cp "$config" "$root/system/state/config.yaml"
	down
	check "up succeeds with a KMS out of reach in the stored configuration" \
		said mortise up --wait 0
	check "a notice says that the kms key is not available" says 'keyslot 0 (kms) unchanged'
	check_equal "the old keyslot is still there" "$(slots)" '["0"]'
	check_match "META still contains the old key" "$(meta_tag 9)" '*"KeyData":"aaaa"*'
}

# Two runs that were both planned before either got the lock.
test_two_at_once() {
	local y x lock

	machine_of "$a;$b"
	down
	declare_keys "$c;$b" "$node"
	cp "$config" "$work/y.yaml"
	declare_keys "$a" "$node"
	cp "$config" "$work/x.yaml"
	exec {lock}>>/run/mortise/lock
	flock "$lock"
	mortise apply -f "$work/y.yaml" >"$work/y.out" 2>&1 {lock}>&- &
	y=$!
	planned "$work/y.out"
	mortise apply -f "$work/x.yaml" >"$work/x.out" 2>&1 {lock}>&- &
	x=$!
	planned "$work/x.out"
	exec {lock}>&-
	wait "$y" || true
	wait "$x" || true
	check "the machine boots after two applies at once" boots
	# The same with a staged apply.
	machine_of "$a;$b"
	down
	exec {lock}>>/run/mortise/lock
	declare_keys "$a" "$node"
	cp "$config" "$work/x.yaml"
	declare_keys "$b" "$node"
	mortise up >/dev/null 2>&1 {lock}>&- &
	x=$!
	sleep 0.5
	exec {lock}>&-
	wait "$x"
	exec {lock}>>/run/mortise/lock
	flock "$lock"
	mortise apply -f "$config" >"$work/y.out" 2>&1 {lock}>&- &
	y=$!
	planned "$work/y.out"
	mortise apply --staged -f "$work/x.yaml" >"$work/x.out" 2>&1 {lock}>&- &
	x=$!
	planned "$work/x.out"
	exec {lock}>&-
	wait "$y" || true
	wait "$x" || true
	check "the machine boots after an apply and a staged apply at once" boots
}

# planned FILE: wait for the plan in this output: it is printed before the wait for the lock.
planned() {
	local _

	for _ in {1..3000}; do
		! grep -q '^VOLUME' "$1" || break
		sleep 0.1
	done
	check "a plan is shown while another run holds the lock" grep -q '^VOLUME' "$1"
	sleep 0.3
}

# A volume is not formatted if no key would open it.
test_no_key() {
	down
	new_machine
	declare_keys "$a" "$kms"
	check_status 6 "apply with a KMS out of reach gives exit status 6" \
		said mortise apply -f "$config" --wait 0
	check "apply says that data is not formatted" \
		says 'not formatted: no key is available'
	check_fails "data is not formatted" blkid -p "$data"
	declare_keys "$a" "$node"
	check "apply formats data with another key" mortise apply -f "$config"
	down
	new_machine
	declare_keys "$a" "$node, lockToState: true"
	check_fails "up of data without the STATE that it is locked to fails" \
		said mortise up -f "$config" data
	check_fails "data is not formatted either" blkid -p "$data"
}

# --device may name another STATE than the open one.
test_other_state() {
	local other

	machine_of "$a"
	other=$(blank_device 330)
	places=(--device "META=$meta" --device "STATE=$other" --device "data=$data")
	declare_keys - "$node"
	check_fails "apply with a plain STATE on another device fails" \
		said mortise apply -f "$config"
	check "the error says that STATE is open" says '(mapping luks2-STATE)'
	check_fails "apply --staged fails, too" said mortise apply --staged -f "$config"
	check_match "META is unchanged" "$(meta_tag 9)" '*"KeyData":"aaaa"*'
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
	check "the machine boots" boots
}

slots_of() {
	cryptsetup luksDump --dump-json-metadata "$1" | jq -c '.keyslots | keys'
}

# close_all: the volumes of the last configuration, or none.
close_all() {
	mortise down -f "$config" >"$work/down" 2>&1 || true
}

# Declared recovery keys are handed over once, by an operator's run, and are never made by a boot.
test_recovery() {
	local keys=$work/keys recovery='recovery: {}, slot: 7'

	close_all
	new_machine
	mkdir "$keys"
	declare_keys "$node;$recovery" "$node, lockToState: true;slot: 3, recovery: {}"
	check_status 1 "apply refuses a directory that does not exist" \
		said mortise apply -f "$config" --recovery-dir "$work/none"
	check_fails "nothing is formatted" blkid -p "$state"
	check "up formats both volumes" said mortise up -f "$config"
	check "a notice says that no recovery key was made" \
		says "keyslot 7 holds no recovery key yet"
	check_equal "the keyslot is free" "$(slots_of "$state")" '["0"]'
	close_all
	new_machine
	check "apply formats both volumes" said mortise apply -f "$config" --recovery-dir "$keys"
	check "it names the file" says "$keys/STATE-7"
	check_equal "there is one file for each key" "$(cd "$keys" && stat -c '%n %a %s' ./*)" \
		"./STATE-7 600 71
./u-data-3 600 71"
	check_fails "the keys differ" cmp "$keys/STATE-7" "$keys/u-data-3"
	check "STATE's recovery key opens its keyslot" opens "$state" 7 "$(cat "$keys/STATE-7")"
	check "so does the other" opens "$data" 3 "$(cat "$keys/u-data-3")"
	check_equal "tokens mark the keyslots" "$(cryptsetup luksDump --dump-json-metadata "$data" |
		jq -c '.tokens')" '{"3":{"type":"systemd-recovery","keyslots":["3"]}}'
	check_fails "META, which Talos reads, lists no such key" grep -q '"KeySlot":7' <(meta_tag 9)
	check "the next boot succeeds" boots
	check_fails "without a notice" says "no recovery key"
	check_equal "and keeps the keys" "$(slots_of "$data")" '["0","3"]'
	declare_keys "$node" "$node, lockToState: true"
	check "without the declaration" said mortise up -f "$config"
	check_equal "the keys stay, too" "$(slots_of "$state")" '["0","7"]'
	declare_keys "$node;$recovery" "$node, lockToState: true;slot: 3, recovery: {}"
	# A file is never overwritten, and a key without a file is not enrolled.
	close_all
	new_machine
	said mortise apply -f "$config" --recovery-dir "$keys" || true
	check "the error names the file" says "Cannot create file $keys/STATE-7: File exists"
	check_equal "the keys are not enrolled" "$(slots_of "$state")" '["0"]'
	rm -f "$keys"/*
	check "another apply makes them" said mortise apply -f "$config" --recovery-dir "$keys"
	check "the key opens" opens "$state" 7 "$(cat "$keys/STATE-7")"
	check "and opens STATE on any machine" recovers
	test_from_config
}

enroll_declared() {
	local file=$1
	shift

	rm -f "$file"
	said "$MORTISE" enroll --recovery-key --from-config -f "$config" --root "$root" \
		--node-uuid "$uuid" "${places[@]}" --recovery-file "$file" "$@"
}

# Any declared key is the authority for a recovery key, also one that no user can type.
test_from_config() {
	check "a boot opens the volumes" boots
	declare_keys "$node;$recovery" "$node, lockToState: true"
	check "without a declared keyslot, a free one is used" enroll_declared "$work/first" data
	check "its key opens" opens "$data" 1 "$(cat "$work/first")"
	declare_keys "$node;$recovery" "$node, lockToState: true;slot: 5, recovery: {}"
	check "up succeeds with a recovery key that is not declared" said mortise up -f "$config"
	check "a notice says which keyslot has none" says "keyslot 5 holds no recovery key yet"
	check "the declared keyslot is used" enroll_declared "$work/second" data
	check "its key opens" opens "$data" 5 "$(cat "$work/second")"
	check_fails "a keyslot in use is not replaced" enroll_declared "$work/third" data
	check "unless this is asked for" enroll_declared "$work/third" --replace data
	check "the new key opens" opens "$data" 5 "$(cat "$work/third")"
	check_fails "the old one does not" opens "$data" 5 "$(cat "$work/second")"
	check_equal "there is still one token for the keyslot" "$(cryptsetup luksDump \
		--dump-json-metadata "$data" | jq '[.tokens[] | select(.keyslots == ["5"])] | length')" 1
	check "up trusts the header" said mortise up -f "$config"
	check_fails "and has nothing to report" says "holds no recovery key"
	check_fails "a key that is not a recovery key is not replaced" \
		enroll_declared "$work/fourth" --replace --key-slot 0 data
	check "the boot succeeds" boots
	check_fails "the same for a volume that no key opens" "$MORTISE" enroll --recovery-key \
		--from-config -f "$config" --root "$root" --node-uuid "$other_uuid" "${places[@]}" \
		--recovery-file "$work/fourth" STATE
}

# recovers: the recovery key opens STATE on a machine with another UUID.
recovers() {
	close_all
	"$MORTISE" open --test-passphrase --key-file "$keys/STATE-7" "$state"
}

# A machine without SMBIOS, whose image says what names it instead.
test_node_id() {
	local id=5f0c4a7e9b2d4c18a3e6d1f27b8c9045 trust=$work/trust.yaml

	on_node() {
		local verb=$1
		shift
		said "$MORTISE" "$verb" -f "$config" --root "$root" --trust "$trust" \
			"${places[@]}" "$@"
	}
	close_all
	new_machine
	echo "$id" >"$work/machine-id"
	chmod 444 "$work/machine-id"
	mount --bind "$work/machine-id" /etc/machine-id
	declare_keys "$node" "$node"
	echo 'node-id: [smbios]' >"$trust"
	check_fails "up fails without a name of the machine" on_node up "${cost[@]}"
	check "the error says so" says "machine UUID is not populated"
	check_fails "nothing is formatted" blkid -p "$state"
	echo 'node-id: [smbios, device-tree, machine-id]' >"$trust"
	check "up uses the machine-id if the image permits it" on_node up "${cost[@]}"
	check "the passphrase is this name and the volume's id" opens "$state" 0 "${id}STATE"
	close_all
	check "the next boot succeeds with the same name" on_node up
	close_all
	echo "${id//5/6}" >"$work/other-id"
	chmod 444 "$work/other-id"
	umount /etc/machine-id
	mount --bind "$work/other-id" /etc/machine-id
	check_fails "another machine-id opens nothing" on_node up
	check "an operator gives the former one" on_node up --node-uuid "$id"
	close_all
	echo 'headers: adopt' >"$trust"
	check_fails "without the list, the machine-id is not used" on_node up
	umount /etc/machine-id
}

test_recovery
test_node_id
test_meta_read_only
test_state_full
test_unproven
test_two_at_once
test_no_key
test_other_state
finish
