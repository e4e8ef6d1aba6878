#!/usr/bin/env bash
# The configuration that a machine carries: apply refuses bad configurations, up reports missing or
# damaged information in META and STATE, apply can be killed at many moments, and no key is derived
# twice. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

test_refusals() {
	local before

	new_machine
	declare_keys "$node" "$node"
	before=$(checksum "$meta" "$state" "$data")
	check_status 1 "apply without a file is refused" mortise apply
	check_status 1 "apply of some volumes is refused" mortise apply -f "$config" data
	check_status 1 "apply --staged is refused on a blank machine" \
		said mortise apply --staged -f "$config"
	check "the error says that STATE is missing" \
		says '--staged needs an existing STATE'
	# Without META, the encrypted STATE could never be opened again.
	places=(--device "STATE=$state" --device "data=$data")
	check_status 4 "apply is refused without META" said mortise apply -f "$config"
	check "the error says that META is missing" says 'no partition on its disk is labeled "META"'
	places=(--device "META=$meta" --device "data=$data")
	check_fails "apply is refused without STATE" said mortise apply -f "$config" --wait 0
	places=(--device "data=$data")
	check_fails "and without STATE and META" said mortise apply -f "$config" --wait 0
	check "the error says that STATE is missing" says \
		'nothing was stored, because STATE would not be ready: cannot create the partition STATE: the system disk is unknown'
	places+=(--device "STATE=$state")
	mkfs.ext4 -q "$meta"
	places+=(--device "META=$meta")
	check_fails "a META that holds a file system is refused" said mortise apply -f "$config"
	check "the error names the file system" says ext4
	dd if=/dev/zero of="$meta" bs=1M count=1 status=none
	echo 'kind: VolumeConfig' >"$work/bad.yaml"
	check_status 1 "a file with errors is refused" said mortise apply -f "$work/bad.yaml"
	check_equal "the refused operations changed nothing" \
		"$(checksum "$meta" "$state" "$data")" \
		"$before"
	check_status 1 "up fails on a blank machine" said mortise up
	check "up says what to do" says 'mortise apply -f config.yaml'
	check "plan succeeds" said mortise plan
	check "plan says that the configuration is missing" \
		says 'this machine has no configuration yet'
	check_equal "up and plan change nothing" "$(checksum "$meta" "$state" "$data")" "$before"
}

test_first() {
	new_machine
	declare_keys "$node" "$node, lockToState: true"
	check "apply succeeds" said mortise apply -f "$config"
	check "apply stores the configuration" cmp "$config" "$root/system/state/config.yaml"
	check "status uses the stored configuration" said mortise status
	check "status lists data" says "$data"
	check "apply succeeds again" mortise apply -f "$config"
	check "down succeeds" mortise down
	check_status 1 "status fails without STATE" said mortise status
	check "status lists STATE" says "$state"
	check "plan succeeds without STATE" said mortise plan
	check "plan opens STATE" says "open $state as luks2-STATE with keyslot 0"
	check "plan says that STATE is not open" says 'STATE is not open'
	check "up succeeds" said mortise up
	check "up mounts data" test -e "$root/var/mnt/data/lost+found"
	down
	check_fails "up fails on another machine" \
		"$MORTISE" up --root "$root" --node-uuid "$other_uuid" \
		"${places[@]}"
	check_fails "STATE is not open" test -e /dev/mapper/luks2-STATE
	printf %s "$uuid" >"$work/uuid"
	check "META stores this machine's UUID" \
		"$MORTISE" meta set 15 "$work/uuid" --device "META=$meta"
	check "up uses the UUID in META" "$MORTISE" up --root "$root" "${places[@]}"
	down
	check "the UUID is removed from META" \
		"$MORTISE" meta delete UUIDOverride --device "META=$meta"
}

# If META and the configuration in STATE differ, the configuration counts and META is updated.
test_disagreement() {
	mortise up >/dev/null
	cp "$config" "$work/before.yaml"
	declare_keys "$node;static: {passphrase: second}, slot: 4" "$node, lockToState: true"
	cp "$config" "$root/system/state/config.yaml"
	down
	check "up applies a configuration that META does not match" mortise up
	check "the new key opens STATE" opens "$state" 4 second
	check_match "META contains the new key" "$(meta_tag 9)" '*"KeySlot":4*'
	down
	declare_keys "static: {passphrase: second}, slot: 4" "$node, lockToState: true"
	mortise up >/dev/null
	cp "$config" "$root/system/state/config.yaml"
	down
	check "a key that only META contains still opens STATE" mortise up
	check_fails "the key is removed from the header" opens "$state" 0 "${uuid}STATE"
	check_match "the key is removed from META" \
		"$(meta_tag 9)" '*"EncryptionKeys":\[{"KeySlot":4*'
	echo nonsense: 1 >"$root/system/state/config.yaml"
	check_status 1 "down fails with an invalid stored configuration" mortise down
	close_by_hand
	check_status 1 "up fails with an invalid stored configuration" said mortise up
	check "the error names the position in the file" says 'config.yaml in STATE:1:1:'
	check "STATE is open, so that it can be repaired" mountpoint -q "$root/system/state"
	check "apply repairs the configuration" mortise apply -f "$config"
	rm "$root/system/state/config.yaml"
	close_by_hand
	check_status 1 "up fails without a stored configuration" said mortise up
	check "up says what is missing" says 'STATE holds no configuration'
	check "apply succeeds" mortise apply -f "$config"
	down
	# Damage one copy of META, then remove STATE's entry from both.
	dd if=/dev/urandom of="$meta" bs=4096 seek=3 count=1 conv=notrunc status=none
	check "up succeeds with one copy of META" mortise up
	down
	"$MORTISE" meta delete 9 --device "META=$meta"
	check_fails "up fails without STATE's entry in META" said mortise up
	check "the error says that the entry is missing" says 'META does not describe STATE'
	check "apply restores the entry" mortise apply -f "$config"
	down
	check "up succeeds" mortise up
	down
}

# as_it_was WORDS: status reports that data is open in its old state, and down closes it, although
# the declaration has changed.
as_it_was() {
	check_status 6 "status of a volume open in its old state gives exit status 6" \
		said mortise status --json
	check "status reports the old state" \
		says "still open in its previous state ($1), not as declared"
	check_equal "status reports the mount point" \
		"$(jq -r '.volumes[1].mountPoint' <(sed -n '/^{/,$p' "$work/said"))" \
		"$root/var/mnt/data"
	mount -t tmpfs tmpfs "$root/var/mnt/data/lost+found"
	check_status 1 "down of a volume in use fails" said mortise down data
	check "the error names the volume" says "data: cannot unmount"
	umount "$root/var/mnt/data/lost+found"
	check "down succeeds" mortise down
	check_fails "data is not mounted" grep -q "$root/var/mnt/data" /proc/mounts
	check_equal "no mapping is left" "$(dmsetup ls)" "No devices found"
}

# A staged change between plain and encrypted leaves the open volume in its old state.
test_other_way() {
	new_machine
	declare_keys "$node" "$node"
	mortise apply -q -f "$config" >/dev/null
	declare_keys "$node" -
	check "apply --staged accepts a change from encrypted to plain" \
		mortise apply --staged -f "$config"
	as_it_was encrypted
	new_machine
	declare_keys "$node" -
	mortise apply -q -f "$config" >/dev/null
	declare_keys "$node" "$node"
	check "apply --staged accepts a change from plain to encrypted" \
		mortise apply --staged -f "$config"
	as_it_was "not encrypted"
	# A foreign mapping has the volume's name: it does not lead to the volume, and stays open.
	declare_keys "$node" -
	mortise apply -q -f "$config" >/dev/null
	dmsetup create luks2-u-data --table "0 8 zero"
	check "down succeeds with a foreign mapping of the volume's name" mortise down
	check "the foreign mapping stays" dmsetup info luks2-u-data
	dmsetup remove luks2-u-data
	# When STATE has been closed, mortise cannot read the declared configuration any more.
	declare_keys "$node" "$node"
	new_machine
	mortise apply -q -f "$config" >/dev/null
	mount -t tmpfs tmpfs "$root/var/mnt/data/lost+found"
	check_status 6 "down with one volume in use gives exit status 6" mortise down
	umount "$root/var/mnt/data/lost+found"
	check "down closes the remaining volume" mortise down
	check_equal "no mapping is left" "$(dmsetup ls)" "No devices found"
	new_machine
	declare_keys "$node" -
	mortise apply -q -f "$config" >/dev/null
	# The volume is mounted at a place that no configuration names.
	mkdir -p "$work/elsewhere"
	mount "$data" "$work/elsewhere"
	check_status 6 "down of a volume mounted elsewhere gives exit status 6" said mortise down
	check "down says that the device is in use" says "data: $data is still in use"
	umount "$work/elsewhere"
	down
}

# late COMMAND...: run COMMAND; STATE's device appears after two seconds.
late() {
	local status=0

	rm -f "$work/late"
	places=(--device "META=$meta" --device "STATE=$work/late" --device "data=$data")
	(sleep 2 && ln -s "$state" "$work/late") &
	"$@" || status=$?
	wait
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
	return "$status"
}

# misses_late COMMAND...: on a busy machine, STATE may appear before COMMAND looks for it, but not
# each time.
misses_late() {
	local _

	for _ in {1..10}; do
		late "$@" || return 0
	done
	return 1
}

# With --wait, mortise waits for a late device before it plans.
test_late() {
	new_machine
	declare_keys "$node" "$node"
	check "plan does not wait by default" misses_late said mortise plan -f "$config"
	check "plan --wait waits" late said mortise plan --wait 300 -f "$config"
	check "apply --wait waits" late mortise apply -q --wait 300 -f "$config"
	check "the configuration is stored" cmp "$config" "$root/system/state/config.yaml"
	down
}

# apply --json contains what apply prints for a user.
test_json() {
	new_machine
	declare_keys "static: {passphrase: weak}, slot: 0" "$node"
	"$MORTISE" apply -q --json -f "$config" "${cost[@]}" --root "$root" --node-uuid "$uuid" \
		"${places[@]}" >"$work/json"
	check "the output contains the notes" \
		jq -e '.notes | any(contains("in META in clear text"))' "$work/json"
	check "the output contains the steps" \
		jq -e '.steps | any(.volume == "data" and .kind == "format")' "$work/json"
	check "the output contains the volumes" \
		jq -e '.volumes | length == 2 and all(.phase == "ready")' "$work/json"
	down
}

# Derivations are the main cost. A keyslot area overwritten with noise cannot be opened, so an
# unneeded derivation would be reported.
test_derivations() {
	new_machine
	declare_keys "$node;static: {passphrase: second}, slot: 1" \
		"$node;static: {passphrase: second}, slot: 1"
	mortise apply -f "$config" >/dev/null
	down
	spoil "$state" 1
	spoil "$data" 1
	check "up succeeds with spoiled second keyslots" said mortise up
	check_fails "up does not mention the second keyslots" says 'slot 1'
	down
	# STATE is opened as META says and then planned as the stored configuration says.
	new_machine
	declare_keys "$node;static: {passphrase: second}, slot: 1" \
		"$node;static: {passphrase: second}, slot: 1"
	cost=(--pbkdf-memory 20000 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
	mortise apply -f "$config" >/dev/null
	down
	check_equal "a boot derives one key per volume" "$(derivations up)" 2
	down
	declare_keys "$node;static: {passphrase: second}, slot: 1" \
		"$node;static: {passphrase: third}, slot: 1"
	# Two keys to open the volumes, one to find a changed key, and one for the new keyslot.
	check_equal "apply derives no more keys than necessary" \
		"$(derivations apply -f "$config")" 4
	cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
	down
}

# derivations VERB [ARGUMENT]...: how often this run allocates the memory that a keyslot requires.
derivations() {
	local verb=$1
	shift

	strace -f -qq -e trace=mmap -o "$work/trace" "$MORTISE" "$verb" "$@" --root "$root" \
		--node-uuid "$uuid" "${cost[@]}" "${places[@]}" >/dev/null 2>&1 || true
	awk -F'[(, ]+' '$4 ~ /^[0-9]+$/ && $4 >= 20000 * 1024 && $4 < 24000 * 1024' "$work/trace" | wc -l
}

# spoil DEVICE SLOT: overwrite the area of a keyslot with noise.
spoil() {
	local offset size

	read -r offset size < <(cryptsetup luksDump --dump-json-metadata "$1" |
		jq -r --arg slot "$2" '.keyslots[$slot].area | "\(.offset) \(.size)"')
	dd if=/dev/urandom of="$1" bs=4096 seek=$((offset / 4096)) count=$((size / 4096)) \
		conv=notrunc,fsync status=none
}

# killed_apply FILE SECONDS
killed_apply() {
	local pid

	"$MORTISE" apply -f "$1" "${cost[@]}" --root "$root" --node-uuid "$uuid" \
		"${places[@]}" >/dev/null 2>&1 &
	pid=$!
	sleep "$2"
	kill -9 "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	down || true
}

# After a killed apply, either the old configuration or the new one is in effect.
test_kills() {
	local delay old=$work/old.yaml new=$work/new.yaml

	new_machine
	declare_keys "$node" "$node;static: {passphrase: old}, slot: 1"
	cp "$config" "$old"
	declare_keys "$node;static: {passphrase: new}, slot: 2" \
		"$node;static: {passphrase: new}, slot: 2"
	cp "$config" "$new"
	mortise apply -f "$old" >/dev/null
	echo kept >"$root/var/mnt/data/file"
	down
	for delay in 0.01 0.02 0.03 0.05 0.07 0.09 0.12 0.16 0.2 0.3; do
		killed_apply "$new" "$delay"
		said mortise up || fail "up after a kill at $delay s" "$(cat "$work/said")"
		if cmp -s "$root/system/state/config.yaml" "$old"; then
			check "$delay s: the old key opens" opens "$data" 1 old
		else
			check "$delay s: the new configuration is stored" \
				cmp "$root/system/state/config.yaml" "$new"
			check "$delay s: the new key opens" opens "$data" 2 new
		fi
		check "$delay s: the file is still there" grep -q kept "$root/var/mnt/data/file"
		mortise apply -f "$old" >/dev/null 2>&1 || fail "apply of the old configuration"
		down
	done
}

# The very first apply is killed: another apply completes it.
test_first_kills() {
	local delay

	for delay in 0.02 0.05 0.1 0.15 0.25 0.4; do
		new_machine
		declare_keys "$node" "$node, lockToState: true"
		killed_apply "$config" "$delay"
		check "$delay s: apply succeeds again" mortise apply -f "$config"
		down
		check "$delay s: up succeeds" mortise up
		down
	done
}

test_refusals
test_first
test_disagreement
test_other_way
test_late
test_json
test_derivations
test_kills
test_first_kills
finish
