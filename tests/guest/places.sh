#!/usr/bin/env bash
# Which META, which STATE and which device are meant: found by label, given by --device, late, or
# not to be written. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work, meta: in what is sourced; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

# labelled SIZE LABEL=MIB...: a disk with these partitions, as its loop device.
labelled() {
	local file part

	file=$(mktemp "$work/disk.XXXXXX")
	truncate -s "${1}M" "$file"
	shift
	{
		echo 'label: gpt'
		for part; do
			printf 'size=%sMiB, name="%s"\n' "${part#*=}" "${part%=*}"
		done
	} | sfdisk --quiet --no-reread --no-tell-kernel "$file"
	losetup --find --show --partscan "$file"
}

# META that has the label belongs to this machine's STATE, and to no other that is given.
test_other_disk() {
	local disk other before

	new_machine
	losetup --detach "$meta" "$state"
	disk=$(labelled 400 META=1 STATE=330)
	other=$(blank_device 330)
	places=(--device "data=$data")
	declare_keys "static: {passphrase: first}, slot: 0" "$node"
	check "apply by labels" mortise apply -f "$config"
	down
	before=$("$MORTISE" meta get 9)
	places=(--device "STATE=$other" --device "data=$data")
	declare_keys "static: {passphrase: other}, slot: 0" "$node"
	check_status 4 "apply to a STATE on another disk" mortise apply -f "$config"
	check_equal "leaves META alone" "$("$MORTISE" meta get 9)" "$before"
	check "up of it" "$MORTISE" up -f "$config" STATE "${cost[@]}" --root "$root" "${places[@]}"
	check_equal "leaves META alone, too" "$("$MORTISE" meta get 9)" "$before"
	"$MORTISE" down -f "$config" --root "$root" "${places[@]}" >"$work/down" 2>&1
	check_fails "up by what is stored" said mortise up --wait 0
	check "does not go by that META" says 'META lies on another disk than STATE'
	check "reset of it" said "$MORTISE" reset --yes STATE --device "STATE=$other"
	check_fails "does not speak of META" says META
	check_equal "and leaves it alone" "$("$MORTISE" meta get 9)" "$before"
	places=(--device "STATE=${disk}p2" --device "data=$data")
	check "STATE by device, on the disk of META" mortise up
	down
	places=(--device "data=$data")
	check "up by labels" mortise up
	down
	check "reset, on the disk of META" \
		said "$MORTISE" reset --yes STATE --device "STATE=${disk}p2"
	check "says what META loses" says "META (${disk}p1) forgets how STATE is encrypted (tag 9)."
	check_fails "which is gone" "$MORTISE" meta get 9
	check "reset once more" said "$MORTISE" reset --yes STATE
	check_fails "has nothing to say of META" says META
}

# The command that a refusal names wipes the device that was refused.
test_way_out() {
	local disk first second hint

	new_machine
	disk=$(labelled 200 r-data=80 EPHEMERAL=80)
	first=$(blank_device 80)
	second=$(blank_device 80)
	mkfs.ext4 -q "${disk}p1"
	mkfs.ext4 -q "${disk}p2"
	mkfs.btrfs -q "$first" 2>/dev/null || mkswap -q "$first"
	mkfs.ext4 -q "$second"
	{
		declare_document RawVolumeConfig data
		declare_document UserVolumeConfig data "encryption: {provider: luks2, keys: [$static]}"
		declare_document UserVolumeConfig EPHEMERAL \
			"encryption: {provider: luks2, keys: [$static]}"
	} >"$config"
	check_status 6 "plan refuses both" said "$MORTISE" plan -f "$config" \
		--device "u-data=$first" --device "u-EPHEMERAL=$second"
	check "says which" says "mortise reset u-EPHEMERAL --device u-EPHEMERAL=$second"
	while read -r hint; do
		# shellcheck disable=SC2086  # its words
		check "$hint" "$MORTISE" reset --yes ${hint#mortise reset }
	done < <(grep -o 'mortise reset [^`]*' "$work/said")
	check_equal "what was refused is wiped" "$(blkid -p -o device "$first" "$second" || true)" ""
	check_equal "and nothing else" "$(blkid -p -o value -s TYPE "${disk}p1")" ext4
	check_equal "is" "$(blkid -p -o value -s TYPE "${disk}p2")" ext4
	# A label of a system volume is never a user volume's name.
	check_status 1 "a device for EPHEMERAL" said "$MORTISE" plan -f "$config" \
		--device "EPHEMERAL=$second" --device "u-data=$first"
	check "is none for the user volume" \
		says 'a device is given for "EPHEMERAL", which is not declared (u-EPHEMERAL is)'
	check_status 1 "up of EPHEMERAL" said "$MORTISE" up -f "$config" EPHEMERAL --wait 0
	check "is not of the user volume" says 'no volume "EPHEMERAL" is declared (u-EPHEMERAL is)'
	check_status 1 "one device for two" said "$MORTISE" plan -f "$config" \
		--device "data=$first" --device "u-EPHEMERAL=$second"
	check "is refused" says 'which 2 volumes are called'
	declare_document VolumeConfig EPHEMERAL "encryption: {provider: luks2, keys: [$static]}" \
		>>"$config"
	check_status 6 "with both declared" said "$MORTISE" plan -f "$config" --device "r-data=$data" \
		--device "u-data=$first" --device "EPHEMERAL=$second"
	check "the system volume is meant" says "open $second as luks2-EPHEMERAL"
	check_fails "alone" says "open $second as luks2-u-EPHEMERAL"
}

# declare_document KIND NAME [LINE]
declare_document() {
	printf -- '---\napiVersion: v1alpha1\nkind: %s\nname: %s\n' "$1" "$2"
	[[ $# -lt 3 ]] || echo "$3"
}

# A plain raw volume is its user's, but for what another configuration left.
test_raw() {
	local keys="encryption: {provider: luks2, keys: [$static]}"

	new_machine
	raw() {
		local verb=$1
		shift

		"$MORTISE" "$verb" -f "$config" --device "raw=$data" "$@"
	}
	declare_document RawVolumeConfig raw >"$config"
	check "blank" raw up
	mkfs.ext4 -q "$data"
	check "with a file system" raw up
	check "which stays" blkid -p "$data"
	"$MORTISE" reset --yes raw --device "raw=$data" >"$work/out"
	declare_document RawVolumeConfig raw "$keys" >"$config"
	raw up "${cost[@]}" >"$work/out" 2>&1
	raw down >"$work/out"
	declare_document RawVolumeConfig raw >"$config"
	check_fails "no longer encrypted" said raw up
	check "is told" says 'volume is encrypted, but no encryption config provided'
	check "with the way out" says "mortise reset r-raw --device r-raw=$data"
	printf 'mortise: being reset, not a volume: finish it with `mortise reset'"'"'\n%s\n' \
		'keys-end 16777216' | dd of="$data" conv=notrunc status=none
	check_fails "a reset cut off" said raw up
	check "is told" says "a reset of it was cut off; \`mortise reset r-raw --device r-raw=$data"
}

# META that cannot be written hinders nobody who would not change it.
test_readonly() {
	new_machine
	declare_keys "$node" "$node"
	mortise apply -f "$config" >/dev/null
	blockdev --setro "$meta"
	check "apply of the same, META read-only" mortise apply -f "$config"
	down
	check "up" mortise up
	declare_keys "$node;static: {passphrase: second}, slot: 1" "$node"
	check_fails "apply of other keys" said mortise apply -f "$config"
	check "tells what that means" says "META could not be brought in step: the next boot goes by"
	blockdev --setrw "$meta"
	check "apply when it can be written" mortise apply -f "$config"
	check_match "brings META in step" "$(meta_tag 9)" '*"KeySlot":1*'
	down
}

# up_with_late_meta OPTION...: META's disk turns up after two seconds.
up_with_late_meta() {
	local pid status=0

	(sleep 2 && losetup --find --partscan --show "$meta_file" >"$work/late") &
	pid=$!
	said "$MORTISE" up --root "$root" "${places[@]}" "$@" || status=$?
	wait "$pid"
	return "$status"
}

# META's disk turns up within the second that is given to it: the program is stopped meanwhile.
up_with_meta_in_time() {
	local pid

	traced /nanosleep "$MORTISE" up -f "$config" --root "$root" --wait 300 "${places[@]}"
	pid=$!
	until_called 2 nanosleep || return 99
	kill -STOP "$(cat "$work/pid")"
	losetup --find --partscan --show "$meta_file" >"$work/late"
	kill -CONT "$(cat "$work/pid")"
	wait "$pid"
}

took_between() {
	local milliseconds
	milliseconds=$(cat "$work/took")
	check "in $milliseconds ms, $1 to $2" test "$milliseconds" -ge "$1" -a "$milliseconds" -le "$2"
}

# META may lie on a disk that is found later than STATE's. That there is none is told from it.
test_late_meta() {
	local disk

	new_machine
	losetup --detach "$meta" "$state"
	meta=$(labelled 20 META=1)
	meta_file=$(losetup --noheadings --output BACK-FILE "$meta")
	disk=$(labelled 400 STATE=330)
	places=(--device "data=$data")
	declare_keys "static: {passphrase: first}, slot: 0" "$node"
	check "apply" mortise apply -f "$config"
	down
	printf %s "$uuid" >"$work/uuid"
	"$MORTISE" meta set 15 "$work/uuid"
	losetup --detach "$meta"
	until_holds test ! -e "${meta}p1"
	check_fails "up without META" said mortise up --wait 0
	check "says that there is none" says "no partition is labelled META"
	check "up waits for META of a STATE that is LUKS2" up_with_late_meta --wait 300
	losetup --detach "$(cat "$work/late")"
	until_holds test ! -e "$(cat "$work/late")p1"
	check "STATE is mounted: META is not waited for" took mortise up --wait 300
	took_between 0 299999
	down
	check_fails "META that never comes" took mortise up --wait 2
	took_between 2000 299999
	# The UUID that META would give: not long, since most machines have no META.
	check "a machine without META" took "$MORTISE" up -f "$config" --root "$root" --wait 300 \
		"${cost[@]}" --node-uuid "$uuid" "${places[@]}"
	took_between 0 299999
	"$MORTISE" down -f "$config" --root "$root" "${places[@]}" >"$work/down" 2>&1
	declare_keys "static: {passphrase: first}, slot: 0" "static: {passphrase: x}, slot: 0"
	took "$MORTISE" up -f "$config" --root "$root" --wait 300 "${places[@]}" data \
		>"$work/out" 2>&1 || true
	took_between 0 299999
	declare_keys "static: {passphrase: first}, slot: 0" "$node"
	took "$MORTISE" up -f "$config" --root "$root" --wait 300 "${places[@]}" data \
		>"$work/out" 2>&1 || true
	took_between 1000 299999
	check "META gives the UUID in time" up_with_meta_in_time
	down
}

static="{static: {passphrase: declared}, slot: 0}"
test_other_disk
test_way_out
test_raw
test_readonly
test_late_meta
finish
