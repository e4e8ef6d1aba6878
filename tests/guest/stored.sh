#!/usr/bin/env bash
# The configuration that a machine carries: what apply refuses, what up does when META or STATE do
# not have what it needs, kills at many moments of an apply, and that nothing is derived twice.
# Runs in a guest: see tools/guest/uml.
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
	check_status 1 "apply without a file" mortise apply
	check_status 1 "apply of some volumes" mortise apply -f "$config" data
	check_status 1 "staged on a blank machine" said mortise apply --staged -f "$config"
	check "says what it lacks" says '--staged needs a STATE that is there already'
	# An encrypted STATE that nothing could open again.
	places=(--device "STATE=$state" --device "data=$data")
	check_status 4 "without META" said mortise apply -f "$config"
	check "says why" says 'no partition is labelled "META"'
	mkfs.ext4 -q "$meta"
	places+=(--device "META=$meta")
	check_fails "a META that holds a file system" said mortise apply -f "$config"
	check "is named" says ext4
	dd if=/dev/zero of="$meta" bs=1M count=1 status=none
	echo 'kind: VolumeConfig' >"$work/bad.yaml"
	check_status 1 "a file with errors" said mortise apply -f "$work/bad.yaml"
	check_equal "and none of it changed anything" "$(checksum "$meta" "$state" "$data")" \
		"$before"
	check_status 1 "up on a blank machine" said mortise up
	check "says what to do" says 'mortise apply -f config.yaml'
	check "plan" said mortise plan
	check "tells that too" says 'this machine has no configuration yet'
	check_equal "and changes nothing" "$(checksum "$meta" "$state" "$data")" "$before"
}

test_first() {
	new_machine
	declare_keys "$node" "$node, lockToState: true"
	check "apply" said mortise apply -f "$config"
	check "stored" cmp "$config" "$root/system/state/config.yaml"
	check "status by what is stored" said mortise status
	check "knows data" says "$data"
	check "apply again changes nothing" mortise apply -f "$config"
	check "down" mortise down
	check_status 1 "status without STATE" said mortise status
	check "is about STATE alone" says "$state"
	check "plan without STATE" said mortise plan
	check "opens it, and no more" says "open $state as luks2-STATE with keyslot 0"
	check "saying so" says 'STATE is not open'
	check "up" said mortise up
	check "with all" test -e "$root/var/mnt/data/lost+found"
	down
	check_fails "another machine" "$MORTISE" up --root "$root" --node-uuid "$other_uuid" \
		"${places[@]}"
	check_fails "opens nothing" test -e /dev/mapper/luks2-STATE
	printf %s "$uuid" >"$work/uuid"
	check "META gives it this one's UUID" \
		"$MORTISE" meta set 15 "$work/uuid" --device "META=$meta"
	check "and it opens" "$MORTISE" up --root "$root" "${places[@]}"
	down
	check "the UUID goes again" "$MORTISE" meta delete UUIDOverride --device "META=$meta"
}

# What META says and what STATE holds may differ: the configuration counts, META follows.
test_disagreement() {
	mortise up >/dev/null
	cp "$config" "$work/before.yaml"
	declare_keys "$node;static: {passphrase: second}, slot: 4" "$node, lockToState: true"
	cp "$config" "$root/system/state/config.yaml"
	down
	check "a configuration that META knows nothing of" mortise up
	check "its key is made" opens "$state" 4 second
	check_match "and META follows" "$(meta_tag 9)" '*"KeySlot":4*'
	down
	declare_keys "static: {passphrase: second}, slot: 4" "$node, lockToState: true"
	mortise up >/dev/null
	cp "$config" "$root/system/state/config.yaml"
	down
	check "a key that only META has still opens" mortise up
	check_fails "and is removed" opens "$state" 0 "${uuid}STATE"
	check_match "from META too" "$(meta_tag 9)" '*"EncryptionKeys":\[{"KeySlot":4*'
	echo nonsense: 1 >"$root/system/state/config.yaml"
	check_status 1 "down says it too" mortise down
	close_by_hand
	check_status 1 "a stored file with errors" said mortise up
	check "is told with its place" says 'config.yaml in STATE:1:1:'
	check "STATE is open, to mend it" mountpoint -q "$root/system/state"
	check "apply mends it" mortise apply -f "$config"
	rm "$root/system/state/config.yaml"
	close_by_hand
	check_status 1 "no stored file" said mortise up
	check "says what to do" says 'STATE holds no configuration'
	check "apply" mortise apply -f "$config"
	down
	# META damaged, in one copy and in both.
	dd if=/dev/urandom of="$meta" bs=4096 seek=3 count=1 conv=notrunc status=none
	check "one copy of META is as good as two" mortise up
	down
	"$MORTISE" meta delete 9 --device "META=$meta"
	check_fails "META without STATE" said mortise up
	check "is told" says 'META has none for STATE'
	check "apply brings it back" mortise apply -f "$config"
	down
	check "up" mortise up
	down
}

# as_it_was WORDS: status tells that data is open, and down closes it, whatever is declared.
as_it_was() {
	check_status 6 "status of what is open as it was" said mortise status --json
	check "says so" says "it is still open as it was, $1, and not as it is declared"
	check_equal "and where" "$(jq -r '.volumes[1].mountPoint' <(sed -n '/^{/,$p' "$work/said"))" \
		"$root/var/mnt/data"
	mount -t tmpfs tmpfs "$root/var/mnt/data/lost+found"
	check_status 1 "down of what is in use" said mortise down data
	check "names it" says "data: cannot unmount"
	umount "$root/var/mnt/data/lost+found"
	check "down" mortise down
	check_fails "unmounts it" grep -q "$root/var/mnt/data" /proc/mounts
	check_equal "and leaves no mapping" "$(dmsetup ls)" "No devices found"
}

# A change between plain and encrypted that is staged leaves the volume open as it is.
test_other_way() {
	new_machine
	declare_keys "$node" "$node"
	mortise apply -q -f "$config" >/dev/null
	declare_keys "$node" -
	check "encrypted is to be plain" mortise apply --staged -f "$config"
	as_it_was encrypted
	new_machine
	declare_keys "$node" -
	mortise apply -q -f "$config" >/dev/null
	declare_keys "$node" "$node"
	check "plain is to be encrypted" mortise apply --staged -f "$config"
	as_it_was "not encrypted"
	# Somebody else's mapping has the name: it is no way to this volume, and not ours to remove.
	declare_keys "$node" -
	mortise apply -q -f "$config" >/dev/null
	dmsetup create luks2-u-data --table "0 8 zero"
	check "down beside a mapping of that name" mortise down
	check "leaves it" dmsetup info luks2-u-data
	dmsetup remove luks2-u-data
	# Without STATE, which was closed, what is declared is not known any more.
	declare_keys "$node" "$node"
	new_machine
	mortise apply -q -f "$config" >/dev/null
	mount -t tmpfs tmpfs "$root/var/mnt/data/lost+found"
	check_status 6 "down of what is in use, and of STATE" mortise down
	umount "$root/var/mnt/data/lost+found"
	check "down of the rest" mortise down
	check_equal "which is unmounted and closed" "$(dmsetup ls)" "No devices found"
	new_machine
	declare_keys "$node" -
	mortise apply -q -f "$config" >/dev/null
	# Mounted where no configuration says.
	mkdir -p "$work/elsewhere"
	mount "$data" "$work/elsewhere"
	check_status 6 "down of what is mounted elsewhere, too" said mortise down
	check "says so" says "data: $data is still in use"
	umount "$work/elsewhere"
	down
}

# late COMMAND...: with STATE found after two seconds only.
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

# On a busy machine STATE may be there before the command looks for it, but not each time.
misses_late() {
	local _

	for _ in {1..10}; do
		late "$@" || return 0
	done
	return 1
}

# A device that comes late is waited for before anything is planned.
test_late() {
	new_machine
	declare_keys "$node" "$node"
	check "plan does not wait by itself" misses_late said mortise plan -f "$config"
	check "plan waits when it is told" late said mortise plan --wait 300 -f "$config"
	check "apply waits" late mortise apply -q --wait 300 -f "$config"
	check "and has stored it" cmp "$config" "$root/system/state/config.yaml"
	down
}

# What apply showed to a person is in its JSON.
test_json() {
	new_machine
	declare_keys "static: {passphrase: weak}, slot: 0" "$node"
	"$MORTISE" apply -q --json -f "$config" "${cost[@]}" --root "$root" --node-uuid "$uuid" \
		"${places[@]}" >"$work/json"
	check "notes" jq -e '.notes | any(contains("in META in clear text"))' "$work/json"
	check "steps" jq -e '.steps | any(.volume == "data" and .kind == "format")' "$work/json"
	check "volumes" jq -e '.volumes | length == 2 and all(.phase == "ready")' "$work/json"
	down
}

# The derivation is what costs. A keyslot whose area is noise opens by no derivation.
test_derivations() {
	new_machine
	declare_keys "$node;static: {passphrase: second}, slot: 1" \
		"$node;static: {passphrase: second}, slot: 1"
	mortise apply -f "$config" >/dev/null
	down
	spoil "$state" 1
	spoil "$data" 1
	check "second slots are not looked at" said mortise up
	check_fails "no complaint" says 'slot 1'
	down
	# STATE is opened as META says and planned as the stored configuration says.
	new_machine
	declare_keys "$node;static: {passphrase: second}, slot: 1" \
		"$node;static: {passphrase: second}, slot: 1"
	cost=(--pbkdf-memory 20000 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
	mortise apply -f "$config" >/dev/null
	down
	check_equal "a boot derives one key a volume" "$(derivations up)" 2
	down
	declare_keys "$node;static: {passphrase: second}, slot: 1" \
		"$node;static: {passphrase: third}, slot: 1"
	# Two opened, one found changed when it is shown and when it is done, one made.
	check_equal "an apply no more than it needs" "$(derivations apply -f "$config")" 5
	cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
	down
}

# How often this run of the program takes the memory that the cost of a keyslot asks for.
derivations() {
	local verb=$1
	shift

	strace -f -qq -e trace=mmap -o "$work/trace" "$MORTISE" "$verb" "$@" --root "$root" \
		--node-uuid "$uuid" "${cost[@]}" "${places[@]}" >/dev/null 2>&1 || true
	awk -F'[(, ]+' '$4 ~ /^[0-9]+$/ && $4 >= 20000 * 1024 && $4 < 24000 * 1024' "$work/trace" | wc -l
}

# spoil DEVICE SLOT: noise over the area of a keyslot.
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

# A killed apply: before, the old configuration counts, after, the new one; never neither.
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
			check "$delay s: the old keys" opens "$data" 1 old
		else
			check "$delay s: the new configuration" \
				cmp "$root/system/state/config.yaml" "$new"
			check "$delay s: the new keys" opens "$data" 2 new
		fi
		check "$delay s: the file" grep -q kept "$root/var/mnt/data/file"
		mortise apply -f "$old" >/dev/null 2>&1 || fail "back again"
		down
	done
}

# On the first apply of all: what a cut leaves is finished by another apply.
test_first_kills() {
	local delay

	for delay in 0.02 0.05 0.1 0.15 0.25 0.4; do
		new_machine
		declare_keys "$node" "$node, lockToState: true"
		killed_apply "$config" "$delay"
		check "$delay s: apply again" mortise apply -f "$config"
		down
		check "$delay s: up" mortise up
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
