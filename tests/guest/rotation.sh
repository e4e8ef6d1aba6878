#!/usr/bin/env bash
# Keys change over several boots of one machine: declared keys are added, undeclared keys are
# removed, nothing is written if nothing changes, and the data stays. cryptsetup checks each key,
# and creates the foreign headers. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"
# shellcheck source=tests/guest/keyslots.sh
. "$(dirname "${BASH_SOURCE[0]}")/keyslots.sh"

test_rotation() {
	local before

	device=$(blank_device 40)
	declare_keys 0=alpha
	check "the first boot formats the volume" mortise up
	echo kept >"$file"
	check "the header fits Talos" fits_talos
	before=$(whole_header)
	check "the second boot succeeds" boot
	check_equal "the second boot does not write to the header" "$(whole_header)" "$before"
	declare_keys 0=alpha 1=beta
	check "the third boot adds a key" boot
	check "the new key opens" opens 1 beta
	check "the old key still opens" opens 0 alpha
	check_equal "the data is still there" "$(cat "$file")" kept
	declare_keys 1=beta
	check "up removes the old key from an open volume" mortise up
	check_equal "its keyslot is gone" "$(slots)" 1
	check "its passphrase opens no keyslot" opens_nothing alpha
	check "the header fits Talos" fits_talos
	before=$(whole_header)
	check "up succeeds again" mortise up
	check_equal "up does not write to the header" "$(whole_header)" "$before"
	check "up --check-keys succeeds" mortise up --check-keys
	check_equal "up --check-keys does not write to the header" "$(whole_header)" "$before"
	check "the next boot succeeds with the new key" boot
	check_equal "the data is still there" "$(cat "$file")" kept
}

test_strangers() {
	format beta --key-slot 1
	declare_keys 1=beta
	check "up succeeds with a header of cryptsetup" mortise up
	check_equal "the data is there" "$(cat "$file")" kept
	add 5 stranger beta
	add 6 recovery beta
	cryptsetup token import --json-file - "$device" \
		<<<'{"type": "systemd-recovery", "keyslots": ["6"]}'
	check_match "plan refuses the header that cryptsetup has changed" "$(mortise plan 2>&1)" \
		"*refuse*cannot trust the header of $device: *keyslots, tokens changed after it was sealed*"
	check "an operator seals the header" reseal beta
	check_match "plan shows the key to be removed" \
		"$(mortise plan)" "*key-remove*5*not declared*"
	check "up succeeds with an open volume" mortise up
	check_equal "up removes the undeclared key, but not the recovery key" "$(slots)" "1 6"
	check "the recovery key opens" opens 6 recovery
	check "the undeclared key opens no keyslot" opens_nothing stranger
	check_match "the recovery token is kept" \
		"$(cryptsetup token export --token-id 0 "$device")" \
		"*systemd-recovery*"
	check "the header fits Talos" fits_talos
}

# Room for one keyslot only: the second one cannot be added, but the volume still opens.
test_no_room() {
	format alpha --luks2-keyslots-size 258048
	declare_keys 0=alpha 1=beta
	check "up succeeds although a key cannot be added" mortise up
	check_equal "the volume is ready" "$(mortise status --json | jq -r '.volumes[0].phase')" \
		ready
	check_match "status names the key and the reason" \
		"$(mortise status --json | jq -r '.volumes[0].failedSyncs[0]')" "cannot add keyslot 1 (static): *pace*"
	check_equal "the data is there" "$(cat "$file")" kept
	check "the other key opens" opens 0 alpha
	format first --luks2-keyslots-size 258048
	declare_keys "0=first\\nsecond"
	check "up succeeds although a key cannot be replaced" mortise up
	check_match "status names the key and the reason" \
		"$(mortise status --json | jq -r '.volumes[0].failedSyncs[0]')" \
		"cannot replace keyslot 0 (static): *pace*"
	check "the old key opens" opens 0 first
}

# Talos before 2026 added keys through a pipe that ended at the first newline.
test_newline() {
	format first
	declare_keys "0=first\\nsecond"
	check "up succeeds with a key truncated at its newline" mortise up
	check "the whole key replaces it" opens 0 'first\nsecond'
	check "the truncated key opens no keyslot" opens_nothing first
	check_equal "the data is there" "$(cat "$file")" kept
	check "the header fits Talos" fits_talos
}

# The two steps of the guide, with its own text; COMMAND executes each step.
test_guide() {
	local command kept=$root/var/file

	down
	for command in boot "mortise up"; do
		device=$(blank_device 330)
		declare_none
		options+=(--device "EPHEMERAL=$device")
		cat >"$config" <<-END
			apiVersion: v1alpha1
			kind: VolumeConfig
			name: EPHEMERAL
			encryption:
			  keys:
			    - static:
			        passphrase: oldkey
			      slot: 0
		END
		check "up formats the guide's volume" mortise up
		echo kept >"$kept"
		cat >>"$config" <<-END
			    - static:
			        passphrase: newkey
			      slot: 1
		END
		# shellcheck disable=SC2086  # a command and its argument
		check "$command adds the new key" $command
		check "the new key opens" opens 1 newkey
		check "the old key still opens" opens 0 oldkey
		cat >"$config" <<-END
			apiVersion: v1alpha1
			kind: VolumeConfig
			name: EPHEMERAL
			encryption:
			  keys:
			    - static:
			        passphrase: newkey
			      slot: 1
		END
		# shellcheck disable=SC2086
		check "$command removes the old key" $command
		check_equal "its keyslot is gone" "$(slots)" 1
		check "the old key opens no keyslot" opens_nothing oldkey
		check "the next boot succeeds" boot
		check_equal "the data is still there" "$(cat "$kept")" kept
		check "the header fits Talos" fits_talos
		down
	done
}

# declare_all WORD [FIRST]: declare the passphrases WORD1 to WORD31 for keyslots 1 to 31, and FIRST0
# (default: WORD0) for keyslot 0.
declare_all() {
	local slot keys=("0=${2:-$1}0")

	for slot in {1..31}; do
		keys+=("$slot=$1$slot")
	done
	declare_keys "${keys[@]}"
}

test_all_slots() {
	local before

	device=$(blank_device 40)
	declare_keys 0=first0
	check "up formats a volume with one key" mortise up
	echo kept >"$file"
	declare_all first
	check "up adds 31 keys in one run" mortise up
	check_equal "all keyslots are in use" "$(metadata | jq '.keyslots | length')" 32
	check "the first key opens" opens 0 first0
	check "a key in the middle opens" opens 17 first17
	check "the last key opens" opens 31 first31
	before=$(whole_header)
	check "the next boot succeeds" boot
	check_equal "the boot does not write to the header" "$(whole_header)" "$before"
	declare_all second
	down
	check_fails "changing all keys at once is refused" mortise up
	check_equal "the header is unchanged" "$(whole_header)" "$before"
	declare_all second first
	check "up replaces all keys but one in one run" mortise up
	check "the remaining key opens" opens 0 first0
	check "a replaced key opens" opens 31 second31
	declare_all second
	check "the next boot replaces the remaining key" boot
	check_equal "no key failed" \
		"$(mortise status --json | jq -c '.volumes[0].failedSyncs')" "[]"
	check "the first key opens" opens 0 second0
	check "a key in the middle opens" opens 17 second17
	check "an old key opens no keyslot" opens_nothing first17
	before=$(whole_header)
	check "up --check-keys succeeds" mortise up --check-keys
	check_equal "up --check-keys does not write to the header" "$(whole_header)" "$before"
	check_equal "the data is still there" "$(cat "$file")" kept
	check "the header fits Talos" fits_talos
}

# A recovery key that mortise enrolled, and a declaration that uses its keyslot.
test_recovery() {
	format beta --key-slot 1
	declare_keys 1=beta
	check "enroll adds a recovery key" "$MORTISE" enroll "$device" --recovery-key --key-slot 7 \
		--key-file <(printf beta) --recovery-file "$work/recovery"
	check "the next boot succeeds" boot
	check_equal "the boot keeps the recovery keyslot" "$(slots)" "1 7"
	declare_keys 1=beta 7=gamma
	check "up succeeds with a key declared for that keyslot" mortise up
	check_match "status says that the keyslot is unchanged" \
		"$(mortise status --json | jq -r '.volumes[0].failedSyncs[0]')" \
		"keyslot 7 (static) unchanged: it holds a recovery key*"
	declare_keys 1=beta 2=gamma
	check "a rotation starts" boot
	declare_keys 2=gamma
	check "the rotation completes" boot
	check_equal "the rotation keeps the recovery keyslot" "$(slots)" "2 7"
	check "the recovery key opens" opens 7 "$(cat "$work/recovery")"
	check_equal "the data is still there" "$(cat "$file")" kept
	rm "$work/recovery"
}

# Format with the same calls as Talos: STATE with its costs, too, which take long.
test_talos() {
	local disk id type state before cost

	down
	state=$(blank_device 330)
	device=$(blank_device 40)
	declare_none
	declare_volume STATE "$state" "slot: 0, nodeID: {}"
	declare_volume data "$device" "slot: 0, nodeID: {}"
	while read -r disk id type; do
		cost=("${cheap[@]}")
		[[ $id != STATE ]] || cost=()
		printf %s "$uuid$id" | cryptsetup luksFormat -q --type luks2 --key-file=- \
			--keyfile-size=$((36 + ${#id})) -c aes-xts-plain64 "$disk" --key-slot=0 \
			--key-size=512 ${cost[@]+"${cost[@]}"}
		printf %s "$uuid$id" | cryptsetup luksOpen "$disk" made --key-file=- --key-slot=0
		"mkfs.$type" -q -L "$id" /dev/mapper/made
		cryptsetup luksClose made
	done <<-END
		$state STATE xfs
		$device u-data ext4
	END
	check "up succeeds with Talos's volumes" mortise up
	check_equal "STATE is mounted" "$(findmnt -no FSTYPE "$root/system/state")" xfs
	check_equal "data is mounted" \
		"$(findmnt -no SOURCE "$root/var/mnt/data")" /dev/mapper/luks2-u-data
	check "the header still fits Talos" fits_talos
	before=$(cryptsetup luksDump "$state" | grep Epoch)
	check "the next boot succeeds" boot
	check_equal "the boot does not write to STATE's header" \
		"$(cryptsetup luksDump "$state" | grep Epoch)" "$before"
}

for topic in rotation guide all_slots strangers recovery no_room newline talos; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
