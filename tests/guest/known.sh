#!/usr/bin/env bash
# The list of known volumes in STATE: up neither formats a known volume again nor opens another one in
# its place, reset and apply replace it, and no power cut makes up need help. The identities in the
# list are computed with cryptsetup and openssl. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

list=$root/system/state/volumes.json
static='static: {passphrase: declared}, slot: 0'
printf declared >"$work/key"

# listed ID MEMBER: print a member of this entry, or "none".
listed() {
	jq -r --arg id "$1" --arg member "$2" \
		'[.volumes[] | select(.id == $id) | .[$member]][0] | if . == null then "none" else . end' "$list"
}

uuid_of() {
	cryptsetup luksUUID "$1"
}

# identity DEVICE ID: systemd's measurement of this volume, in base64.
identity() {
	local key

	cryptsetup luksDump -q --dump-volume-key --volume-key-file "$work/volume-key" \
		--key-file "$work/key" "$1" >"$work/dump"
	key=$(od -An -tx1 -v "$work/volume-key" | tr -d ' \n')
	rm "$work/volume-key"
	printf 'cryptsetup:luks2-%s:%s' "$2" "$(uuid_of "$1")" |
		openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64 -w 0
}

# replace_data MIB: another disk is where the volume was.
replace_data() {
	losetup -d "$data"
	data=$(blank_device "$1")
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
}

# other_volume DEVICE [unsealed | UUID]: a volume with the declared key that another machine has
# made.
other_volume() {
	local device=$1 kind=${2:-}

	[[ -z $kind || $kind == unsealed ]] || set -- "$device" --uuid "$kind"
	[[ -n $kind && $kind != unsealed ]] || set -- "$device"
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		--key-file "$work/key" "$@"
	cryptsetup open --key-file "$work/key" "$device" made
	mkfs.ext4 -q /dev/mapper/made
	cryptsetup close made
	[[ $kind == unsealed ]] || "$MORTISE" seal --batch-mode --volume u-data --key-file "$work/key" "$device" >/dev/null
}

# refuses TEXT WORDS: up fails, says these words, opens nothing and leaves the device as it is.
refuses() {
	local before

	before=$(checksum "$data")
	check_fails "$1" said mortise up
	check "the error says: $2" says "$2"
	check_fails "$1: it is not open" test -e /dev/mapper/luks2-u-data
	check_equal "$1: its device is unchanged" "$(checksum "$data")" "$before"
	check "$1: STATE is ready" mountpoint -q "$root/system/state"
}

ready() {
	check "$1" said mortise up
	check "$1: it is mounted" mountpoint -q "$root/var/mnt/data"
}

test_first() {
	local node

	new_machine
	declare_keys "$static" "$static"
	check "apply succeeds on a blank machine" mortise apply -f "$config"
	check "status succeeds" said mortise status --json
	check_equal "status shows the volume, its seal and its UUID" \
		"$(jq -r '.volumes[1] | .known + " " + .seal + " " + .uuid' "$work/said")" \
		"known unverified $(uuid_of "$data")"
	check "status has a line for it" said mortise status
	check "it says the same" says "data: UUID $(uuid_of "$data"), known, seal unverified"
	check_equal "only root can read the list" "$(stat -c %a "$list")" 600
	check_equal "the list has both volumes" \
		"$(listed STATE status) $(listed u-data status)" "ready ready"
	check_equal "the list has the UUID of data" "$(listed u-data uuid)" "$(uuid_of "$data")"
	check_equal "the list has the UUID of STATE" "$(listed STATE uuid)" "$(uuid_of "$state")"
	check_equal "the identity of data is systemd's" \
		"$(listed u-data identity)" "$(identity "$data" u-data)"
	check_equal "the identity of STATE is systemd's" \
		"$(listed STATE identity)" "$(identity "$state" STATE)"
	check_equal "a loop device has no PARTUUID" "$(listed u-data partuuid)" ""
	node=$(stat -c '%i %y' "$list")
	check "up of open volumes succeeds" mortise up
	down
	check "up of closed volumes succeeds" mortise up
	check_equal "an ordinary up does not write the list" "$(stat -c '%i %y' "$list")" "$node"
	down
}

# Row by row: what a disk can look like where a known volume was.
test_replaced() {
	local known

	known=$(uuid_of "$data")
	replace_data 64
	refuses "an empty device is not formatted" \
		"u-data was on this machine (UUID $known), and $data is empty now: not formatted"
	check "the error names both remedies" says "run \`mortise reset u-data --device \
u-data=$data\` or \`mortise apply\`"
	down
	# plan cannot see the list before STATE is open; the run itself does.
	check "plan succeeds while STATE is closed" mortise plan
	refuses "an empty device is not formatted, once more" "is empty now: not formatted"
	check_fails "plan says so, too, when STATE is open" said mortise plan
	check "plan names the volume" says "u-data was on this machine (UUID $known)"
	down
	other_volume "$data"
	refuses "a volume of another machine is not opened" \
		"is not that of u-data on this machine (UUID $(uuid_of "$data"), not $known)"
	check_equal "status shows another volume" \
		"$(mortise status --json | jq -r '.volumes[1].known')" other
	down
	other_volume "$data" "$known"
	refuses "a volume with the same UUID is not opened" \
		"has the UUID of u-data on this machine, but another volume key: not opened"
	# Keys are not touched, and the KDF did not run: cryptsetup still opens the only keyslot.
	check "its key still opens it" cryptsetup open --test-passphrase --key-file "$work/key" "$data"
	check "apply shows that it replaces the volume" said mortise apply -f "$config"
	check "apply names the known volume" \
		says "it replaces the known volume u-data (UUID $known)"
	check "the volume is open" test -e /dev/mapper/luks2-u-data
	check_equal "the list has the new identity" \
		"$(listed u-data identity)" "$(identity "$data" u-data)"
	down
	known=$(uuid_of "$data")
	replace_data 64
	check_fails "up fails, and opens STATE" mortise up
	check "apply formats an empty device instead" said mortise apply -f "$config"
	check "apply shows what it replaces" says "it replaces the known volume u-data (UUID $known)"
	check_equal "the list has the new volume" "$(listed u-data uuid)" "$(uuid_of "$data")"
	down
	ready "up opens it"
	down
	# While STATE is closed, apply cannot show that it replaces a volume, and does not.
	replace_data 64
	check_fails "apply with a closed STATE replaces nothing" said mortise apply -f "$config"
	check "it says why" says "STATE was not mounted when the plan was made; run the command again"
	check_fails "nothing was formatted" cryptsetup isLuks "$data"
	check "the second apply formats it" mortise apply -f "$config"
	down
}

test_reset() {
	local known

	mortise up >/dev/null
	known=$(uuid_of "$data")
	check "reset succeeds" "$MORTISE" reset --yes --device "data=$data" \
		--device "STATE=$state" data
	check_equal "reset removes the volume from the list" "$(listed u-data status)" none
	check_equal "reset keeps the others" "$(listed STATE status)" ready
	ready "up formats it again"
	check_fails "it is another volume" test "$(uuid_of "$data")" = "$known"
	down
	# In an initramfs, for example, STATE is closed.
	check "reset with a closed STATE succeeds" said "$MORTISE" reset --yes \
		--device "data=$data" --device "STATE=$state" data
	check "it says that the list is unchanged" \
		says "mortise: data: notice: STATE is not mounted, and its list of known volumes is"
	refuses "up does not format it" "is empty now: not formatted"
	check "reset once more succeeds" "$MORTISE" reset --yes --device "u-data=$data" u-data
	ready "then up formats it"
	check "reset of STATE and data succeeds" "$MORTISE" reset --yes --device "data=$data" \
		--device "STATE=$state" --device "META=$meta" STATE data
	check "apply starts again" mortise apply -f "$config"
	down
}

# Without a list, as after an update of the program, up takes the volumes as they are, once.
test_adoption() {
	local other

	mortise up >/dev/null
	rm "$list"
	down
	other_volume "$data"
	ready "without a list, up opens a sealed volume"
	check_equal "and records it" "$(listed u-data uuid)" "$(uuid_of "$data")"
	down
	check "up succeeds again" mortise up
	# The same without a seal: by an older version of the program, for example.
	rm "$list"
	down
	other_volume "$data" unsealed
	ready "without a list, up opens a volume without a seal"
	check "a notice says that it was sealed" says "(no seal) was accepted and sealed"
	check_equal "the list has it" "$(listed u-data uuid)" "$(uuid_of "$data")"
	down
	other_volume "$data" unsealed
	refuses "with a list, it is refused" "is not that of u-data on this machine"
	check "apply accepts it" mortise apply -f "$config"
	# A volume that is missing at the first run is taken later.
	rm "$list"
	down
	other=$data
	places=(--device "META=$meta" --device "STATE=$state" --device data=/dev/absent)
	check_fails "a volume is missing at the first run" mortise up
	check_equal "it is expected" "$(listed u-data status)" expected
	down
	data=$other
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
	check "the next run opens it" mortise up
	check_equal "it is known now" "$(listed u-data status)" ready
	down
	# A volume that the list never had is not taken: neither its seal nor its key proves anything.
	mortise up >/dev/null
	python3 - "$list" <<-'END'
		import json, sys
		list = json.load(open(sys.argv[1]))
		list["volumes"] = [v for v in list["volumes"] if v["id"] != "u-data"]
		json.dump(list, open(sys.argv[1], "w"))
	END
	down
	refuses "an unknown volume is not opened" \
		"the LUKS2 volume on $data is not known to this machine: not opened"
	check "apply accepts it" said mortise apply -f "$config"
	check "apply shows that it adds it" says "it is added to the known volumes"
	down
	check "then up opens it" mortise up
	down
}

test_damaged() {
	mortise up >/dev/null 2>&1
	echo '{"version":1,"volumes":[{}]}' >"$list"
	down
	refuses "with a damaged list, nothing is opened" "volumes.json is damaged: an entry is invalid"
	check "the error names the remedy" says "run \`mortise apply\`"
	check "apply writes the list again" mortise apply -f "$config"
	check_equal "it has the volume" "$(listed u-data uuid)" "$(uuid_of "$data")"
	rm "$list"
	mkdir "$list"
	down
	refuses "a list that is a directory counts as damaged" "is damaged: not a regular file"
	rmdir "$list"
	check "up writes a new list" mortise up
	down
}

test_without_state() {
	local keyslots

	check "up opens all" mortise up
	down
	# A volume that is known and sealed opens, but its keys stay as they are.
	declare_keys "$static" "$static;static: {passphrase: more}, slot: 1"
	mv "$config" "$work/more.yaml"
	declare_keys "$static" "$static"
	keyslots=$(cryptsetup luksDump "$data" | grep -c 'luks2$')
	check "data alone is opened" said mortise up -f "$work/more.yaml" data
	check "a notice says that its keys were not compared" \
		says "its keys were not compared, because STATE, which lists the volumes"
	check_equal "no keyslot was added" "$(cryptsetup luksDump "$data" | grep -c 'luks2$')" \
		"$keyslots"
	down
	check "with STATE, it is added" mortise up -f "$work/more.yaml"
	check_equal "there is one more" "$(cryptsetup luksDump "$data" | grep -c 'luks2$')" \
		$((keyslots + 1))
	check "up removes it again" mortise up
	down
	replace_data 64
	check_fails "an empty device waits for STATE" said mortise up -f "$config" data
	check "the error says that STATE is not mounted" \
		says "$data is empty, and STATE, which lists the volumes of this machine, is not mounted"
	check_fails "nothing was formatted" cryptsetup isLuks "$data"
	check_fails "with a STATE that fails, it waits, too" \
		said mortise up -f "$config" --device STATE=/dev/absent
	check_fails "nothing was formatted" cryptsetup isLuks "$data"
	check "--no-mount does not use the list of a closed STATE" \
		mortise up -f "$config" --no-mount data
	down
	check_fails "up does not know this volume" mortise up
	check "apply accepts it" mortise apply -f "$config"
	down
}

test_plain() {
	local known

	new_machine
	declare_keys - -
	check "apply succeeds without encryption" mortise apply -f "$config"
	known=$(blkid -p -o value -s UUID "$data")
	check_equal "the list has the UUID of the file system" \
		"$(listed u-data uuid) $(listed u-data encrypted)" "$known false"
	echo kept >"$root/var/mnt/data/file"
	down
	check "up succeeds" mortise up
	down
	dd if=/dev/zero of="$data" bs=1M count=64 status=none
	refuses "an empty device gets no file system" \
		"u-data was on this machine (UUID $known), and $data is empty now: not formatted"
	mkfs.ext4 -q "$data"
	down
	check "the contents of an unencrypted volume are not judged" said mortise up
	check "a notice names both UUIDs" says "before $known"
	down
	# Encryption is changed by an operator alone.
	declare_keys - "$static"
	dd if=/dev/zero of="$data" bs=1M count=64 status=none
	check_fails "up does not encrypt it" said mortise up -f "$config"
	check "it says why" says "u-data was not encrypted on this machine and is now declared with"
	check_fails "nothing was formatted" cryptsetup isLuks "$data"
	check "apply encrypts it" mortise apply -f "$config"
	check_equal "the list says so" "$(listed u-data encrypted)" true
	down
	declare_keys - -
	dd if=/dev/zero of="$data" bs=1M count=64 status=none
	check_fails "up does not use it without encryption" said mortise up -f "$config"
	check "it says why" says "u-data was encrypted on this machine and is now declared without"
	check_fails "it has no file system" blkid -p "$data"
	down
}

# A disk that was copied to a larger one has the same volumes on other partitions.
test_partition() {
	local disk first second

	new_machine
	disk=$work/disk.parted
	truncate -s 160M "$disk"
	sfdisk -q "$disk" <<-'END'
		label: gpt
		size=64M, uuid=11111111-2222-4333-8444-555555555555, name=first
		size=64M, uuid=66666666-7777-4888-8999-aaaaaaaaaaaa, name=second
	END
	disk=$(losetup --find --show --partscan "$disk")
	first=${disk}p1
	second=${disk}p2
	data=$first
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
	declare_keys "$static" "$static"
	check "apply succeeds on a partition" mortise apply -f "$config"
	check_equal "the list has its PARTUUID" "$(listed u-data partuuid)" \
		11111111-2222-4333-8444-555555555555
	down
	dd if="$first" of="$second" bs=1M status=none
	wipefs -q -a "$first"
	data=$second
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
	ready "the copy opens on another partition"
	check "a notice says so" says \
		"PARTUUID 66666666-7777-4888-8999-aaaaaaaaaaaa, before 11111111-2222"
	check_equal "the list has the new PARTUUID" "$(listed u-data partuuid)" \
		66666666-7777-4888-8999-aaaaaaaaaaaa
	down
	check "the next up has no notice" said mortise up
	check_fails "the next up has no notice" says PARTUUID
	down
	losetup -d "$disk"
}

# cut_at NUMBER COMMAND...: SIGKILL at this system call of those that make writes durable or visible.
cut_at() {
	local number=$1
	shift

	strace -f -qq -o "$work/trace" -e trace=fsync,fdatasync,renameat,renameat2 \
		-e "inject=fsync,fdatasync,renameat,renameat2:signal=KILL:when=$number" "$@" \
		</dev/null >"$work/said" 2>&1
}


# After a cut, up comes up without help. Each round removes the list, or only the volume from it. With
# CUTS=all in the environment (--env), every cut is made, otherwise every third.
cuts() {
	local number step=3 lost=0 recovered=0

	[[ ${CUTS-} != all ]] || step=1
	for ((number = 1; number < 200; number += step)); do
		mortise up >/dev/null 2>&1 || true
		if [[ $1 == list ]]; then
			rm "$list"
			down
			dd if=/dev/zero of="$data" bs=1M count=64 status=none
		else
			"$MORTISE" reset --yes --device "data=$data" --device "STATE=$state" data \
				>/dev/null 2>&1
			down
		fi
		! cut_at "$number" "$MORTISE" up "${cost[@]}" --root "$root" --node-uuid "$uuid" \
			"${places[@]}" || break
		if mortise up >"$work/said" 2>&1 && mountpoint -q "$root/var/mnt/data" &&
			[[ $(listed u-data status) == ready ]]; then
			recovered=$((recovered + 1))
		else
			lost=$((lost + 1))
			cat "$work/said"
		fi
	done
	check_equal "up recovers from each cut ($1)" "$lost" 0
	check "there were cuts ($1)" test "$recovered" -ge 5
	check "the last run was not cut ($1)" mountpoint -q "$root/var/mnt/data"
	down
}

test_cuts() {
	new_machine
	declare_keys "$static" "$static"
	check "apply succeeds" mortise apply -f "$config"
	cuts list
	cuts volume
}

# An interrupted format whose volume is recorded may be formatted again; a known one may not.
test_unfinished() {
	mortise up >/dev/null
	check_equal "the volume is known" "$(listed u-data status)" ready
	down
	printf x >"$work/other-key"
	dd if=/dev/zero of="$data" bs=1M count=64 status=none
	# A format that this program did not finish, with the mark.
	traced_format "$data"
	refuses "a known volume is not formatted over an interrupted format" \
		"holds an interrupted format now: not formatted"
	down
}

# traced_format DEVICE: kill a format at its first keyslot.
traced_format() {
	strace -qq -f -o "$work/trace" -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=6 \
		"$MORTISE" luksFormat -q --key-file "$work/key" --pbkdf pbkdf2 \
		--pbkdf-force-iterations 1000 "$1" >/dev/null 2>&1 || true
}

# Many volumes write the list at the same time. A STATE of 100 MiB is as small as Talos's.
test_many() {
	local i number

	losetup --detach-all
	rm -f "$work"/disk.*
	meta=$(blank_device 1)
	state=$(blank_device 100)
	places=(--device "META=$meta" --device "STATE=$state")
	# mkfs.xfs makes file systems of this size only on request.
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		--key-file "$work/key" "$state"
	cryptsetup open --key-file "$work/key" "$state" made
	mkfs.xfs -q --unsupported /dev/mapper/made
	cryptsetup close made
	{
		printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n'
		printf 'encryption: {provider: luks2, keys: [{%s}]}\n' "$static"
		for i in {1..32}; do
			printf -- '---\napiVersion: v1alpha1\nkind: UserVolumeConfig\n'
			printf 'name: v%s\nfilesystem: {type: ext4}\n' "$i"
		done
	} >"$config"
	for i in {1..32}; do
		number=$(blank_device 2)
		places+=(--device "v$i=$number")
	done
	check "32 volumes and a STATE of 100 MiB come up" mortise apply -f "$config"
	check_equal "the list has all of them" "$(grep -o '"status":"ready"' "$list" | wc -l)" 33
	number=$(stat -c %i "$list")
	down
	check "they come up again" mortise up
	check_equal "without a write" "$(stat -c %i "$list")" "$number"
	down
}

topics=("$@") # all, without an argument
[[ -n ${1-} ]] || topics=(first replaced reset adoption damaged without_state unfinished plain
	partition many cuts)
for topic in "${topics[@]}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
