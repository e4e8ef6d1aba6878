#!/usr/bin/env bash
# Keys change over the boots of one machine: what is declared comes, what is not goes, nothing
# is written when nothing changes, and the data stays. cryptsetup is the judge of each key, and
# makes the headers that are not ours. Runs in a guest: see tools/guest/uml.
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
	check "the first boot formats" mortise up
	echo kept >"$file"
	check "as Talos wants it" fits_talos
	before=$(whole_header)
	check "the second boot opens" boot
	check_equal "and writes nothing to the header" "$(whole_header)" "$before"
	declare_keys 0=alpha 1=beta
	check "the third boot adds a key" boot
	check "the new one opens" opens 1 beta
	check "and so does the old one" opens 0 alpha
	check_equal "the data is still there" "$(cat "$file")" kept
	declare_keys 1=beta
	check "the old one is removed from an open volume" mortise up
	check_equal "its slot is gone" "$(slots)" 1
	check "its passphrase opens nothing" opens_nothing alpha
	check "as Talos wants it" fits_talos
	before=$(whole_header)
	check "up again" mortise up
	check_equal "writes nothing" "$(whole_header)" "$before"
	check "up that tries every key" mortise up --check-keys
	check_equal "writes nothing either" "$(whole_header)" "$before"
	check "the next boot opens with the new key" boot
	check_equal "and finds the data" "$(cat "$file")" kept
}

test_strangers() {
	format beta --key-slot 1
	declare_keys 1=beta
	check "a header of cryptsetup's is brought up" mortise up
	check_equal "with its data" "$(cat "$file")" kept
	add 5 stranger beta
	add 6 recovery beta
	cryptsetup token import --json-file - "$device" \
		<<<'{"type": "systemd-recovery", "keyslots": ["6"]}'
	check_match "plan says what will go" "$(mortise plan)" "*key-remove*5*not declared*"
	check "up of an open volume" mortise up
	check_equal "removes what is not declared and no recovery key" "$(slots)" "1 6"
	check "the recovery key opens" opens 6 recovery
	check "the stranger's does not" opens_nothing stranger
	check_match "its token is kept" "$(cryptsetup token export --token-id 0 "$device")" \
		"*systemd-recovery*"
	check "as Talos wants it" fits_talos
}

# Room for one keyslot: the second cannot be had, which keeps nobody from the data.
test_no_room() {
	format alpha --luks2-keyslots-size 258048
	declare_keys 0=alpha 1=beta
	check "a key that cannot be added does not fail up" mortise up
	check_equal "the volume is ready" "$(mortise status --json | jq -r '.volumes[0].phase')" \
		ready
	check_match "status names the key and why" \
		"$(mortise status --json | jq -r '.volumes[0].failedSyncs[0]')" "cannot add keyslot 1 (static): *pace*"
	check_equal "the data is there" "$(cat "$file")" kept
	check "the other key opens" opens 0 alpha
	format first --luks2-keyslots-size 258048
	declare_keys "0=first\\nsecond"
	check "neither does one that cannot be replaced" mortise up
	check_match "status names it" "$(mortise status --json | jq -r '.volumes[0].failedSyncs[0]')" \
		"cannot replace keyslot 0 (static): *pace*"
	check "the old one opens" opens 0 first
}

# Talos before 2026 added keys through a pipe that ended at the first newline.
test_newline() {
	format first
	declare_keys "0=first\\nsecond"
	check "a key cut at its newline opens" mortise up
	check "and is replaced by the whole one" opens 0 'first\nsecond'
	check "the cut one opens nothing" opens_nothing first
	check_equal "the data is there" "$(cat "$file")" kept
	check "as Talos wants it" fits_talos
}

# The guide's two steps, its text as it stands, each brought about by COMMAND.
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
		check "the guide's volume" mortise up
		echo kept >"$kept"
		cat >>"$config" <<-END
			    - static:
			        passphrase: newkey
			      slot: 1
		END
		# shellcheck disable=SC2086  # a command and its argument
		check "$command adds the new key" $command
		check "which opens" opens 1 newkey
		check "beside the old one" opens 0 oldkey
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
		check_equal "its slot is gone" "$(slots)" 1
		check "it opens nothing" opens_nothing oldkey
		check "the next boot" boot
		check_equal "finds the data" "$(cat "$kept")" kept
		check "as Talos wants it" fits_talos
		down
	done
}

# declare_all WORD [WORD]: WORD0 to WORD31; slot 0 from the second word.
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
	check "a volume with one key" mortise up
	echo kept >"$file"
	declare_all first
	check "31 keys come in one run" mortise up
	check_equal "and all slots are taken" "$(metadata | jq '.keyslots | length')" 32
	check "the first opens" opens 0 first0
	check "one in the middle" opens 17 first17
	check "the last" opens 31 first31
	before=$(whole_header)
	check "the next boot" boot
	check_equal "writes nothing" "$(whole_header)" "$before"
	declare_all second
	down
	check_fails "all keys changed at once" mortise up
	check_equal "change nothing" "$(whole_header)" "$before"
	declare_all second first
	check "all but one are replaced in one run" mortise up
	check "the one that stays opens" opens 0 first0
	check "one that was replaced" opens 31 second31
	declare_all second
	check "and that one in another" boot
	check_equal "none failed" \
		"$(mortise status --json | jq -c '.volumes[0].failedSyncs')" "[]"
	check "the first opens" opens 0 second0
	check "one in the middle" opens 17 second17
	check "an old one does not" opens_nothing first17
	before=$(whole_header)
	check "every key is tried" mortise up --check-keys
	check_equal "and is in step" "$(whole_header)" "$before"
	check_equal "the data is still there" "$(cat "$file")" kept
	check "as Talos wants it" fits_talos
}

# A recovery key of ours, and a declaration that wants its slot.
test_recovery() {
	format beta --key-slot 1
	declare_keys 1=beta
	check "a recovery key is made" "$MORTISE" enroll "$device" --recovery-key --key-slot 7 \
		--key-file <(printf beta) --recovery-file "$work/recovery"
	check "the next boot" boot
	check_equal "keeps its slot" "$(slots)" "1 7"
	declare_keys 1=beta 7=gamma
	check "up that wants this slot" mortise up
	check_match "says that it will not have it" \
		"$(mortise status --json | jq -r '.volumes[0].failedSyncs[0]')" \
		"keyslot 7 (static) left as it is: it holds a recovery key*"
	declare_keys 1=beta 2=gamma
	check "a rotation" boot
	declare_keys 2=gamma
	check "to its end" boot
	check_equal "leaves it alone too" "$(slots)" "2 7"
	check "it opens" opens 7 "$(cat "$work/recovery")"
	check_equal "the data is still there" "$(cat "$file")" kept
	rm "$work/recovery"
}

# Talos's own calls, with its costs.
test_talos() {
	local disk id type state before

	down
	state=$(blank_device 330)
	device=$(blank_device 40)
	declare_none
	declare_volume STATE "$state" "slot: 0, nodeID: {}"
	declare_volume data "$device" "slot: 0, nodeID: {}"
	while read -r disk id type; do
		printf %s "$uuid$id" | cryptsetup luksFormat -q --type luks2 --key-file=- \
			--keyfile-size=$((36 + ${#id})) -c aes-xts-plain64 "$disk" --key-slot=0 \
			--key-size=512
		printf %s "$uuid$id" | cryptsetup luksOpen "$disk" made --key-file=- --key-slot=0
		"mkfs.$type" -q -L "$id" /dev/mapper/made
		cryptsetup luksClose made
	done <<-END
		$state STATE xfs
		$device u-data ext4
	END
	check "Talos's volumes come up" mortise up
	check_equal "STATE is mounted" "$(findmnt -no FSTYPE "$root/system/state")" xfs
	check_equal "and data" "$(findmnt -no SOURCE "$root/var/mnt/data")" /dev/mapper/luks2-u-data
	check "as Talos wants it afterwards" fits_talos
	before=$(cryptsetup luksDump "$state" | grep Epoch)
	check "the next boot" boot
	check_equal "writes nothing" "$(cryptsetup luksDump "$state" | grep Epoch)" "$before"
}

for topic in rotation guide all_slots strangers recovery no_room newline talos; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
