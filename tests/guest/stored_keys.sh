#!/usr/bin/env bash
# A machine that carries its configuration opens at the next boot, whatever kept an apply from its
# end: META read-only, STATE full, a KMS that is not there, two at once, a source that gives no
# key for a blank volume. Runs in a guest: see tools/guest/uml.
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

# machine_of STATE-KEYS: one that carries them.
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

# Keys that META knows stay in the header until META has learnt the new ones.
test_meta_read_only() {
	machine_of "$a"
	blockdev --setro "$meta"
	declare_keys "$a;$b" "$node"
	check "a key is added with META read-only" said mortise up -f "$config"
	check "which is told" says META
	declare_keys "$b" "$node"
	check "the old key goes" said mortise up -f "$config"
	check "later" says 'keyslot 0 is left as it is'
	check_equal "it is still there" "$(slots)" '["0","1"]'
	check_fails "apply fails" said mortise apply -f "$config"
	check "and says what was not done" says 'the configuration was not stored'
	check_equal "and leaves it too" "$(slots)" '["0","1"]'
	blockdev --setrw "$meta"
	check "the next boot opens" boots
	declare_keys "$b" "$node"
	check "apply, with META" mortise apply -f "$config"
	check_equal "takes it away" "$(slots)" '["1"]'
	check "and the boot after opens" boots
}

test_state_full() {
	machine_of "$a"
	# One large file, and small ones for what is left.
	dd if=/dev/zero of="$root/system/state/fill" bs=64k 2>/dev/null || true
	dd if=/dev/zero of="$root/system/state/rest" bs=512 2>/dev/null || true
	head -c 200000 /dev/zero | tr '\0' '#' >"$work/long.yaml"
	declare_keys "$a;$b" "$node"
	cat "$work/long.yaml" >>"$config"
	check_fails "apply into a full STATE" said mortise apply -f "$config"
	declare_keys "$b" "$node"
	cat "$work/long.yaml" >>"$config"
	check_fails "and the second step" said mortise apply -f "$config"
	check_equal "the old key is there" "$(slots)" '["0","1"]'
	check "the next boot opens" boots
}

# A key of which nobody knows that it opens is not what a machine is left with.
test_unproven() {
	machine_of "$a"
	declare_keys "$kms" "$node"
	check_fails "a KMS that is not there" said mortise apply -f "$config" --wait 0
	check_match "nothing of it is stored" "$(meta_tag 9)" '*"KeyData":"aaaa"*'
	check_fails "nor staged" said mortise apply --staged -f "$config" --wait 0
	down
	check_fails "nor staged with STATE closed" said mortise apply --staged -f "$config" --wait 0
	check "the next boot opens" boots
	# Edited by hand, with no key that opens: META's key stays.
	declare_keys "$kms" "$node"
	cp "$config" "$root/system/state/config.yaml"
	down
	check "a stored configuration with a KMS that is not there" said mortise up --wait 0
	check "says that its key was not to be had" says 'keyslot 0 (kms) left as it is'
	check_equal "keeps what opened: the slot" "$(slots)" '["0"]'
	check_match "and META" "$(meta_tag 9)" '*"KeyData":"aaaa"*'
}

# Both were planned before either had the lock.
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
	check "two applies at once leave a machine that opens" boots
	# And one that is staged meanwhile.
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
	check "an apply and a staged one too" boots
}

# The plan is shown before the lock is waited for.
planned() {
	local _

	for _ in {1..3000}; do
		! grep -q '^VOLUME' "$1" || break
		sleep 0.1
	done
	check "a plan is shown while another run holds the lock" grep -q '^VOLUME' "$1"
	sleep 0.3
}

# A volume that nothing could open is not made.
test_no_key() {
	down
	new_machine
	declare_keys "$a" "$kms"
	check_status 6 "apply with a KMS that is not there" said mortise apply -f "$config" --wait 0
	check "says what was not done" says 'not formatted: none of its keys can be had'
	check_fails "and has not done it" blkid -p "$data"
	declare_keys "$a" "$node"
	check "another key, and it is made" mortise apply -f "$config"
	down
	new_machine
	declare_keys "$a" "$node, lockToState: true"
	check_fails "locked to a STATE that is not there" said mortise up -f "$config" data
	check_fails "it is not made either" blkid -p "$data"
}

# --device may mean another STATE than the one that is open.
test_other_state() {
	local other

	machine_of "$a"
	other=$(blank_device 330)
	places=(--device "META=$meta" --device "STATE=$other" --device "data=$data")
	declare_keys - "$node"
	check_fails "a plain STATE elsewhere" said mortise apply -f "$config"
	check "while one is open" says 'luks2-STATE is active'
	check_fails "nor staged" said mortise apply --staged -f "$config"
	check_match "META stays" "$(meta_tag 9)" '*"KeyData":"aaaa"*'
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
	check "the machine opens" boots
}

test_meta_read_only
test_state_full
test_unproven
test_two_at_once
test_no_key
test_other_state
finish
