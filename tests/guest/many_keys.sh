#!/usr/bin/env bash
# From 1 to 32 declared keys of all kinds on one volume: format, boot, add, remove and rotate. A
# header of cryptsetup and one with Talos's tokens, both with 32 keyslots, are adopted. The ids of
# tokens are those of Talos: token N belongs to keyslot N. cryptsetup checks the header and the keys.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/guest/lib.sh
. "$here/guest/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$here/guest/volumes.sh"
# shellcheck source=tests/guest/keyslots.sh
. "$here/guest/keyslots.sh"
# shellcheck source=tests/guest/kms_server.sh
. "$here/guest/kms_server.sh"
# shellcheck source=tests/guest/swtpm.sh
. "$here/guest/swtpm.sh"

forge=${FORGE:-$(dirname "$MORTISE")/tests/forge}

# key_of SLOT: the key of this keyslot, whose kind depends on the number.
key_of() {
	case $(($1 % 6)) in
	0) echo "nodeID: {}" ;;
	1) echo "static: {passphrase: word$1}" ;;
	2) echo "kms: {endpoint: 'grpc://127.0.0.1:$port'}" ;;
	3) echo "tpm: {options: {pcrs: [0, 7]}}" ;;
	4) echo "static: {passphrase: locked$1}, lockToState: true" ;;
	5) echo "kms: {endpoint: 'grpc://127.0.0.1:$port'}, lockToState: true" ;;
	esac
}

# declare_slots SLOT...: declare these keyslots.
declare_slots() {
	local slot keys=()

	for slot; do
		keys+=("slot: $slot, $(key_of "$slot")")
	done
	declare_none
	declare_volume data "$device" "${keys[@]}"
	options+=(--tcti "$tcti")
}

failed_syncs() {
	mortise status --json | jq -c '.volumes[0].failedSyncs'
}

# as_declared COUNT: the header has COUNT keyslots, each sealed key has the token of its number, and
# there is no other token. cryptsetup reads the header.
as_declared() {
	check_equal "$1 keyslots are in use" "$(metadata | jq '.keyslots | length')" "$1"
	check_equal "the tokens are those of the sealed keys" \
		"$(metadata | jq -Sc '.tokens | with_entries(.value = .value.type)')" \
		"$(metadata | jq -Sc '[.keyslots | keys[] | tonumber] | map(
			if . % 6 == 3 then {key: tostring, value: "talos-tpm2"}
			elif . % 6 == 2 or . % 6 == 5 then {key: tostring, value: "sideroKMS"}
			else empty end) | from_entries')"
	check_equal "no key failed" "$(failed_syncs)" "[]"
	check "cryptsetup reads the header" said cryptsetup luksDump "$device"
	check "the header fits Talos" fits_talos
}

# boots_without_writing TEXT: the next boot opens the volume and writes nothing to its header; so
# does up on the open volume.
boots_without_writing() {
	local before
	before=$(whole_header)

	check "$1: the next boot succeeds" boot
	check "$1: up succeeds on the open volume" mortise up
	check_equal "$1: the header is unchanged" "$(whole_header)" "$before"
	check_equal "$1: no key failed" "$(failed_syncs)" "[]"
	check_equal "$1: the data is there" "$(cat "$file")" kept
}

test_mixed() {
	device=$(blank_device 40)
	declare_slots 1
	check "up formats a volume with one key" mortise up
	echo kept >"$file"
	# shellcheck disable=SC2046
	declare_slots $(seq 1 31)
	check "up adds 30 keys of all kinds" mortise up
	as_declared 31
	# shellcheck disable=SC2046
	declare_slots $(seq 0 31)
	check "the boot adds the key of keyslot 0" boot
	as_declared 32
	check "a static key opens" opens 31 word31
	check "a nodeID key opens" opens 30 "${uuid}u-data"
	boots_without_writing "32 keys"
	# One key left at a time: each kind opens the volume alone.
	for slot in 2 3 4 5; do
		declare_slots "$slot"
		check "a boot opens the volume with keyslot $slot alone, and removes the others" boot
		as_declared 1
		declare_slots "$slot" $((slot + 1))
		check "up adds the next key" mortise up
	done
	boots_without_writing "two keys left"
	down
}

test_format() {
	device=$(blank_device 40)
	# shellcheck disable=SC2046
	declare_slots $(seq 0 31)
	check "up formats a volume with 32 keys of all kinds" mortise up
	as_declared 32
	echo kept >"$file"
	boots_without_writing "formatted with 32 keys"
	down
	# Without the seal and the record, the header is one that Talos could have written.
	metadata | jq -cj '.config |= del(.mortise)' >"$work/talos"
	"$forge" "$device" <"$work/talos"
	check "up adopts a header with the tokens of Talos" mortise up
	as_declared 32
	boots_without_writing "adopted from Talos"
	down
}

# declare_words: declare word0 to word31.
declare_words() {
	local slot keys=()

	for slot in {0..31}; do
		keys+=("$slot=word$slot")
	done
	declare_keys "${keys[@]}"
}

# room: the bytes of the JSON area that are free.
room() {
	echo $((12287 - $(metadata | wc -c)))
}

# A header of cryptsetup has copies of 16 KiB, with room for 32 keyslots, the seal and the record.
test_cryptsetup() {
	local slot padding before

	format word0 --key-slot 0
	for slot in {1..31}; do
		add "$slot" "word$slot" word0
	done
	head -c 16M "$device" >"$work/header"
	declare_words
	check "up adopts a header of cryptsetup with 32 keyslots" mortise up
	check_equal "no key failed" "$(failed_syncs)" "[]"
	check_equal "all keyslots are recorded" "$(metadata | jq '.config.mortise.keys | length')" 32
	boots_without_writing "adopted from cryptsetup"
	down
	# A token that leaves room for the seal and a few fingerprints only.
	dd if="$work/header" of="$device" bs=1M conv=notrunc,fsync status=none
	padding=$(printf "%$(($(room) - 700))s" | tr ' ' x)
	cryptsetup token import --json-file - "$device" \
		<<<"{\"type\": \"padding\", \"keyslots\": [], \"text\": \"$padding\"}"
	check "up adopts a header whose JSON area is almost full" said mortise up
	check_equal "no key failed" "$(failed_syncs)" "[]"
	check "a notice says that not all keyslots are recorded" \
		says "no room to record all keyslots"
	check_match "some of them are recorded" "$(metadata | jq '.config.mortise.keys | length')" \
		"[1-9]"
	check "the next boot succeeds" boot
	before=$(whole_header)
	check "the boot after that succeeds" boot
	check_equal "it does not write to the header" "$(whole_header)" "$before"
	check_equal "no key failed" "$(failed_syncs)" "[]"
	check "a key can be removed" declare_all_but 31
	check "up removes it" mortise up
	check_equal "31 keyslots are left" "$(metadata | jq '.keyslots | length')" 31
	check_equal "the data is there" "$(cat "$file")" kept
}

declare_all_but() {
	local slot keys=()

	for slot in {0..31}; do
		[[ $slot == "$1" ]] || keys+=("$slot=word$slot")
	done
	declare_keys "${keys[@]}"
}

salt_of_state
start_kms
start_tpm board
reboot_tpm
# shellcheck disable=SC2048  # the topics on the command line
for topic in ${*:-mixed format cryptsetup}; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
