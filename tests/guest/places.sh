#!/usr/bin/env bash
# Which META, STATE and device mortise uses: found by label, given with --device, appearing late, or
# read-only. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work, meta: set in sourced files; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

# META found by its label belongs to this machine's STATE, and not to another STATE that is given.
test_other_disk() {
	local disk other before

	new_machine
	losetup --detach "$meta" "$state"
	disk=$(labeled_disk 120 META=1 STATE=100)
	other=$(blank_device 100)
	places=(--device "data=$data")
	declare_keys "static: {passphrase: first}, slot: 0" "$node"
	check "apply finds the volumes by label" mortise apply -f "$config"
	down
	before=$("$MORTISE" meta get 9)
	places=(--device "STATE=$other" --device "data=$data")
	declare_keys "static: {passphrase: other}, slot: 0" "$node"
	check_status 4 "apply to a STATE on another disk fails" mortise apply -f "$config"
	check_equal "apply leaves META unchanged" "$("$MORTISE" meta get 9)" "$before"
	check "up succeeds with this STATE" \
		"$MORTISE" up -f "$config" STATE "${cost[@]}" --root "$root" "${places[@]}"
	check_equal "up leaves META unchanged" "$("$MORTISE" meta get 9)" "$before"
	"$MORTISE" down -f "$config" --root "$root" "${places[@]}" >"$work/down" 2>&1
	check_fails "up fails with the stored configuration" said mortise up --wait 0
	check "up does not use META on another disk" says 'META is on another disk than STATE'
	check "reset of this STATE succeeds" \
		said "$MORTISE" reset --yes STATE --device "STATE=$other"
	check_fails "reset does not mention META" says META
	check_equal "reset leaves META unchanged" "$("$MORTISE" meta get 9)" "$before"
	places=(--device "STATE=${disk}p2" --device "data=$data")
	check "up finds META on the disk of the given STATE" mortise up
	down
	test_inserted_meta "$other"
	places=(--device "data=$data")
	check "up finds the volumes by label" mortise up
	down
	check "reset of the STATE on META's disk succeeds" \
		said "$MORTISE" reset --yes STATE --device "STATE=${disk}p2"
	check "reset says what it removes from META" \
		says "The encryption of STATE will be deleted from META (${disk}p1, tag 9)."
	check_fails "the entry is gone from META" "$MORTISE" meta get 9
	check "a second reset succeeds" said "$MORTISE" reset --yes STATE
	check_fails "the second reset does not mention META" says META
}

# test_inserted_meta OTHER: anyone can connect another disk with a META.
test_inserted_meta() {
	local stick

	losetup --detach "$1"
	stick=$(labeled_disk 20 META=1)
	printf %s "$other_uuid" >"$work/uuid"
	"$MORTISE" meta set 15 "$work/uuid" --device "META=${stick}p1"
	places=(--device "data=$data")
	check "with a second META on another disk, up uses that of STATE's disk" mortise up
	down
	losetup --detach "$stick"
	until_holds test ! -e "${stick}p1"
}

# The reset command in an error message wipes the refused device.
test_way_out() {
	local disk first second hint

	new_machine
	disk=$(labeled_disk 200 r-data=80 EPHEMERAL=80)
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
	check_status 6 "plan refuses both volumes" said "$MORTISE" plan -f "$config" \
		--device "u-data=$first" --device "u-EPHEMERAL=$second"
	check "the error names the device" \
		says "mortise reset u-EPHEMERAL --device u-EPHEMERAL=$second"
	while read -r hint; do
		# shellcheck disable=SC2086  # split into words
		check "$hint" "$MORTISE" reset --yes ${hint#mortise reset }
	done < <(grep -o 'mortise reset [^`]*' "$work/said")
	check_equal "the refused devices are wiped" \
		"$(blkid -p -o device "$first" "$second" || true)" ""
	check_equal "the first partition is not wiped" \
		"$(blkid -p -o value -s TYPE "${disk}p1")" ext4
	check_equal "the second partition is not wiped" \
		"$(blkid -p -o value -s TYPE "${disk}p2")" ext4
	# The label of a system volume is never the name of a user volume.
	check_status 1 "plan refuses --device EPHEMERAL without a system volume" \
		said "$MORTISE" plan -f "$config" \
		--device "EPHEMERAL=$second" --device "u-data=$first"
	check "the error names the user volume" \
		says 'a device is given for "EPHEMERAL", which is not declared; did you mean u-EPHEMERAL?'
	check_status 1 "up refuses EPHEMERAL without a system volume" \
		said "$MORTISE" up -f "$config" EPHEMERAL --wait 0
	check "the error names the user volume" \
		says 'no volume "EPHEMERAL" is declared; did you mean u-EPHEMERAL?'
	check_status 1 "a --device name shared by two volumes is refused" \
		said "$MORTISE" plan -f "$config" \
		--device "data=$first" --device "u-EPHEMERAL=$second"
	check "the error says that the name is ambiguous" says '2 volumes have this name'
	declare_document VolumeConfig EPHEMERAL "encryption: {provider: luks2, keys: [$static]}" \
		>>"$config"
	check_status 6 "plan refuses the user volumes when both EPHEMERAL volumes are declared" \
		said "$MORTISE" plan -f "$config" --device "r-data=$data" \
		--device "u-data=$first" --device "EPHEMERAL=$second"
	check "EPHEMERAL means the system volume" says "open $second as luks2-EPHEMERAL"
	check_fails "EPHEMERAL does not mean the user volume" \
		says "open $second as luks2-u-EPHEMERAL"
}

# declare_document KIND NAME [LINE]
declare_document() {
	printf -- '---\napiVersion: v1alpha1\nkind: %s\nname: %s\n' "$1" "$2"
	[[ $# -lt 3 ]] || echo "$3"
}

# mortise accepts any contents of a plain raw volume, except for leftovers of another configuration.
test_raw() {
	local keys="encryption: {provider: luks2, keys: [$static]}"

	new_machine
	raw() {
		local verb=$1
		shift

		"$MORTISE" "$verb" -f "$config" --device "raw=$data" "$@"
	}
	declare_document RawVolumeConfig raw >"$config"
	check "up accepts a blank device" raw up
	mkfs.ext4 -q "$data"
	check "up accepts a file system" raw up
	check "the file system is still there" blkid -p "$data"
	"$MORTISE" reset --yes raw --device "raw=$data" >"$work/out"
	declare_document RawVolumeConfig raw "$keys" >"$config"
	raw up "${cost[@]}" >"$work/out" 2>&1
	raw down >"$work/out"
	declare_document RawVolumeConfig raw >"$config"
	check_fails "up refuses a volume that is no longer declared encrypted" said raw up
	check "the error says why" says 'volume is encrypted, but no encryption config provided'
	check "the error names the reset command" says "mortise reset r-raw --device r-raw=$data"
	printf 'mortise: being reset, not a volume: finish it with `mortise reset'"'"'\n%s\n' \
		'keys-end 16777216' | dd of="$data" conv=notrunc status=none
	check_fails "up refuses a volume with an interrupted reset" said raw up
	check "the error names the reset command" \
		says "a reset was interrupted; to finish it, run \`mortise reset r-raw --device r-raw=$data"
}

# A read-only META prevents only operations that would change it.
test_readonly() {
	new_machine
	declare_keys "$node" "$node"
	mortise apply -f "$config" >/dev/null
	blockdev --setro "$meta"
	check "apply of an unchanged configuration succeeds with META read-only" \
		mortise apply -f "$config"
	down
	check "up succeeds with META read-only" mortise up
	declare_keys "$node;static: {passphrase: second}, slot: 1" "$node"
	check_fails "apply of other keys fails with META read-only" said mortise apply -f "$config"
	check "apply reports the consequences" \
		says "cannot update META; the next boot uses the keys stored there"
	blockdev --setrw "$meta"
	check "apply succeeds when META is writable again" mortise apply -f "$config"
	check_match "apply updates META" "$(meta_tag 9)" '*"KeySlot":1*'
	down
}

# up_with_late_meta OPTION...: run up; META's disk appears after two seconds.
up_with_late_meta() {
	local pid status=0

	(sleep 2 && losetup --partscan "$meta" "$meta_file") &
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
	losetup --partscan "$meta" "$meta_file"
	kill -CONT "$(cat "$work/pid")"
	wait "$pid"
}

took_between() {
	local milliseconds
	milliseconds=$(cat "$work/took")
	check "the run takes $milliseconds ms, from $1 to $2" \
		test "$milliseconds" -ge "$1" -a "$milliseconds" -le "$2"
}

# META may be on a disk that appears later than STATE's. This is not the same as having no META.
test_late_meta() {
	local disk

	new_machine
	losetup --detach "$meta" "$state"
	meta=$(labeled_disk 20 META=1)
	meta_file=$(losetup --noheadings --output BACK-FILE "$meta")
	disk=$(labeled_disk 120 STATE=100)
	# META counts only on the disk of STATE, unless its device is given.
	places=(--device "META=${meta}p1" --device "data=$data")
	declare_keys "static: {passphrase: first}, slot: 0" "$node"
	check "apply succeeds" mortise apply -f "$config"
	down
	printf %s "$uuid" >"$work/uuid"
	"$MORTISE" meta set 15 "$work/uuid"
	losetup --detach "$meta"
	until_holds test ! -e "${meta}p1"
	check_fails "up fails without META" said mortise up --wait 0
	check "the error says that META is missing" says "Device ${meta}p1 does not exist"
	check "up waits for META if STATE is LUKS2" up_with_late_meta --wait 300
	losetup --detach "$meta"
	until_holds test ! -e "${meta}p1"
	check "up does not wait for META if STATE is mounted" took mortise up --wait 300
	took_between 0 299999
	down
	check_fails "up fails if META never appears" took mortise up --wait 2
	took_between 2000 299999
	# mortise waits only briefly for the UUID in META, because most machines have no META.
	check "up succeeds on a machine without META" \
		took "$MORTISE" up -f "$config" --root "$root" --wait 300 \
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
	check "up uses the UUID in META if it appears in time" up_with_meta_in_time
	down
}

# Links of the root's own file system lead to a place below the root; down finds what up mounted.
test_links() {
	local mount=$root/data/elsewhere

	new_machine
	rm -rf "$root"
	mkdir -p "$root/data/var/mnt" "$root/other"
	ln -s /data/var "$root/var"
	ln -s ../../elsewhere "$root/data/var/mnt/data"
	ln -s data "$root/system"
	declare_keys "static: {passphrase: first}, slot: 0" "${static:1:-1}"
	check "apply succeeds" mortise apply -f "$config"
	check "an absolute and a relative link stay below the root" mountpoint -q "$mount"
	check "so does a link to a directory" mountpoint -q "$root/data/state"
	check_fails "nothing is created outside" test -e /data
	check "status finds the volumes" mortise status
	check "up finds them, too" said mortise up
	check_fails "it mounts nothing again" says "mounting"
	check "down" mortise down
	check_fails "the volume is unmounted" mountpoint -q "$mount"
	check "up succeeds" mortise up
	ln -sfn ../../../other "$root/data/var/mnt/data"
	check "down unmounts it, wherever the link leads now" mortise down
	check_fails "the volume is unmounted" mountpoint -q "$mount"
	ln -s loop "$root/other/loop"
	ln -sfn /other/loop "$root/data/var/mnt/data"
	check_status 6 "a loop of links is refused" said mortise up
	check "the error names the link" says "$root/other/loop is a symbolic link"
	ln -sfn /other "$root/data/var/mnt/data"
	chown -h 1000 "$root/data/var/mnt/data"
	check_status 6 "a link of another user is refused" said mortise up
	down
	declare_keys - -
	losetup --detach "$state" "$data"
	state=$(blank_device 100)
	data=$(blank_device 64)
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
	chown -h 0 "$root/data/var/mnt/data"
	check "apply without encryption" mortise apply -f "$config"
	check "the link is followed" mountpoint -q "$root/other"
	ln -sfn ../../elsewhere "$root/data/var/mnt/data"
	check "down unmounts a plain volume, wherever the link leads now" mortise down
	check_fails "it is unmounted" mountpoint -q "$root/other"
	rm -rf "$root"
	mkdir "$root"
}

static="{static: {passphrase: declared}, slot: 0}"
test_links
test_other_disk
test_way_out
test_raw
test_readonly
test_late_meta
finish
