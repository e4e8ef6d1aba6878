#!/usr/bin/env bash
# Partitions: `mortise apply` creates those that the configuration declares, on blank disks and in
# the free space of others, and refuses all other disks. sfdisk and sgdisk judge the tables. Runs in
# a guest with a blank disk of 300 MiB: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MIB=$((1 << 20))
whole=$1
shift
root=$work/root
config=$work/config.yaml
cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
keys='{provider: luks2, keys: [{slot: 0, static: {passphrase: growing}}]}'
mkdir "$root"

# system NAME [LINE]...: declare an encrypted system volume.
system() {
	printf -- '---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: %s\nencryption: %s\n' "$1" \
		"$keys"
	shift
	[[ $# -eq 0 ]] || printf '%s\n' "$@"
}

# volume NAME PROVISIONING [LINE]...: declare a user volume with ext4.
volume() {
	printf -- '---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: %s\n' "$1"
	printf 'filesystem: {type: ext4}\nprovisioning: {diskSelector: {match: "%s"}, %s}\n' \
		"${match-system_disk}" "$2"
	shift 2
	[[ $# -eq 0 ]] || printf '%s\n' "$@"
}

apply() {
	"$MORTISE" apply -f "$config" --root "$root" "${cost[@]}" "$@"
}

up() {
	"$MORTISE" up --root "$root" "${cost[@]}" "$@"
}

down() {
	"$MORTISE" down --root "$root" >"$work/down" 2>&1
}

# blank MIB [SECTOR]: a blank loop device that can have partitions, $device.
blank() {
	losetup --detach-all
	rm -f "$work"/disk.*
	disk=$(mktemp "$work/disk.XXXXXX")
	truncate -s "${1}M" "$disk"
	device=$(losetup --find --show --partscan --sector-size "${2-512}" "$disk")
}

# clear_whole: $whole has no contents, at its end neither.
clear_whole() {
	dd if=/dev/zero of="$whole" bs=1M count=150 status=none
	dd if=/dev/zero of="$whole" bs=1M seek=$(($(blockdev --getsize64 "$whole") / MIB - 1)) \
		count=1 status=none
	blockdev --rereadpt "$whole"
}

table_is_good() {
	sfdisk --verify "$device" && sgdisk --verify "$device" | grep 'No problems found'
}

# table: number, MiB of the start, MiB of the size, and label of each partition.
table() {
	sfdisk --json "$device" | jq -r --argjson mib "$MIB" \
		'.partitiontable | .sectorsize as $s | .partitions[] |
		 [(.node | sub(".*[a-z]"; "")), .start * $s / $mib, .size * $s / $mib, .name] | join(" ")'
}

# From a blank disk to mounted volumes by one command, and the next boot.
test_blank() {
	local sector

	for sector in 512 4096; do
		blank 700 "$sector"
		{
			system STATE
			system EPHEMERAL 'provisioning: {minSize: 64MiB, maxSize: 50%}' \
				'filesystem: {type: ext4}'
			volume data 'minSize: 20MiB, maxSize: 40MiB' "encryption: $keys"
		} >"$config"
		check_fails "$sector: apply without a system disk" said apply
		check "it says so" says 'use --system-disk /dev/X'
		check "$sector: dry run" said apply --system-disk "$device" --dry-run
		check "$sector: plan" said "$MORTISE" plan -f "$config" --root "$root" \
			--system-disk "$device" --json
		# The notes are on standard error.
		check_equal "$sector: the first partition in JSON" \
			"$(grep -v '^mortise: note' "$work/said" |
				jq -cS '[.steps[] | .partition // empty][0]')" \
			'{"disk":"'"$device"'","label":"META","number":1,"size":1048576,"start":1048576,"type":"0fc63daf-8483-4772-8e79-3d69d8477de4"}'
		check "$sector: nothing was written" cmp -n "$MIB" "$device" /dev/zero
		check "$sector: apply" said apply --system-disk "$device"
		check "it names the partition" \
			says "create partition 2 of $device, labeled STATE: 100 MiB at 2 MiB"
		check "$sector: the table is good" table_is_good
		check_equal "$sector: the partitions" "$(table)" "$(cat <<-'END'
			1 1 1 META
			2 2 100 STATE
			3 102 298 EPHEMERAL
			4 400 40 u-data
		END
		)"
		echo kept >"$root/var/mnt/data/file"
		check "$sector: META says how to open STATE" \
			"$MORTISE" meta get StateEncryptionConfig
		check "$sector: down" down
		check "$sector: the next boot needs nothing" said up
		check_equal "$sector: the data is there" "$(cat "$root/var/mnt/data/file")" kept
		check "$sector: apply again" said apply --dry-run
		check_fails "it creates nothing" says 'create partition'
		down
	done
}

# A whole disk, selected as one that is not the system disk, which is still blank.
test_other_disk() {
	blank 200
	clear_whole
	{
		system STATE
		printf -- '---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: data\nvolumeType: disk\n'
		printf 'filesystem: {type: ext4}\nencryption: %s\n' "$keys"
		printf 'provisioning: {diskSelector: {match: "!system_disk && disk.dev_path == '"'%s'"'"}}\n' "$whole"
	} >"$config"
	check "plan of a whole disk" said "$MORTISE" plan -f "$config" --root "$root" --system-disk "$device"
	check "it formats the other disk" says "format $whole"
	check "apply with a whole disk" said apply --system-disk "$device"
	check_fails "the plan was still right" says 'planned again'
	check "it is mounted" mountpoint -q "$root/var/mnt/data"
	down
	clear_whole
}

# up creates nothing, and the message says what does.
test_up() {
	blank 700
	volume data 'minSize: 20MiB' >"$config"
	check_fails "up without the partition" said "$MORTISE" up -f "$config" --root "$root" "${cost[@]}"
	check "it names apply" says 'to create it, run `mortise apply`'
	check_fails "plan without the partition" said "$MORTISE" plan -f "$config" --root "$root"
	check "it names apply" says 'to create it, run `mortise apply`'
	check "nothing was written" cmp "$device" /dev/zero -n "$((700 * MIB))"
	check_status 1 "--staged and --system-disk" apply --staged --system-disk "$device"
}

# installed MIB: a machine with STATE, which is open.
installed() {
	blank "$1"
	system STATE >"$config"
	apply --system-disk "$device" >/dev/null 2>&1
}

# Volumes that are declared later, on a disk that is in use.
test_later() {
	installed 400
	volume data 'minSize: 20MiB, maxSize: 40MiB' "encryption: $keys" >>"$config"
	check "apply while STATE is mounted" said apply
	check_equal "the partition follows" "$(table | tail -n 1)" '3 102 40 u-data'
	check "the table is good" table_is_good
	check "the label is found, although the kernel does not show it" \
		said "$MORTISE" status --root "$root" data
	echo kept >"$root/var/mnt/data/file"
	down
	check "up after that" said up
	check_equal "the data is there" "$(cat "$root/var/mnt/data/file")" kept
	down
	blockdev --rereadpt "$device"
	check "up at the next boot" said up
	check_equal "the data is there" "$(cat "$root/var/mnt/data/file")" kept
	# While STATE is closed, the plan is made without its list.
	down
	volume more 'minSize: 20MiB, maxSize: 30MiB' >>"$config"
	printf -- '---\napiVersion: v1alpha1\nkind: SwapVolumeConfig\nname: swap\n' >>"$config"
	printf 'provisioning: {diskSelector: {match: system_disk}, minSize: 20MiB, maxSize: 10%%}\n' \
		>>"$config"
	check "apply while STATE is closed" said apply
	check_equal "both partitions follow" "$(table | tail -n 2)" "$(printf '4 142 30 u-more\n5 172 22 s-swap')"
	check "the type is that of swap" \
		eval 'grep -qi 0657FD6D-A4AB-43C4-84E5-0933C84B4F4F < <(sfdisk --dump "$device" | grep s-swap)'
	check "the table is good" table_is_good
	down
}

# EPHEMERAL, which grows, leaves room for a new volume.
test_growing() {
	installed 500
	system EPHEMERAL 'provisioning: {minSize: 100MiB, maxSize: 150MiB}' 'filesystem: {type: ext4}' \
		>>"$config"
	check "apply" said apply
	down
	sed -i 's/, maxSize: 150MiB//' "$config"
	volume data 'minSize: 40MiB, maxSize: 40MiB' >>"$config"
	check "a volume is added, and EPHEMERAL loses its limit" said apply
	check_equal "the volume is behind EPHEMERAL" "$(table | tail -n 2)" \
		"$(printf '3 102 150 EPHEMERAL\n4 252 40 u-data')"
	down
}

# What has contents stays as it is.
test_refused() {
	local name make sum

	system STATE >"$config"
	while read -r name make; do
		blank 200
		eval "$make" >/dev/null 2>&1
		sum=$(sha256sum <"$disk")
		check_fails "a disk with $name" said apply --system-disk "$device"
		check "$name: nothing changed" test "$sum" = "$(sha256sum <"$disk")"
		check "$name: the reason" says "cannot create the partition META: $device: "
	done <<-'END'
		ext4 mkfs.ext4 -Fq $device
		MBR echo 'label: dos' | sfdisk -q $device
		LUKS printf x | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $device
		bytes echo data | dd of=$device bs=1 seek=$((199 * MIB + 4096))
		hybrid printf 'label: gpt\nsize=10MiB' | sfdisk -q $device && sgdisk --hybrid=1 $device
		full echo 'label: gpt' | sfdisk -q $device && echo 'size=+' | sfdisk -q $device
		entries (echo label: gpt; seq -f 'start=%g,size=1' 2048 2175) | sfdisk -q $device
		damage (echo label: gpt; echo size=10MiB) | sfdisk -q $device && printf x | dd of=$device bs=1 seek=600
		lost (echo label: gpt; echo size=10MiB) | sfdisk -q $device && dd if=/dev/zero of=$device bs=1M count=1 conv=notrunc
	END
	blank 200
	mkfs.ext4 -Fq "$device" && mount "$device" /mnt
	check_fails "a disk that is mounted" said apply --system-disk "$device"
	check "it says so" says 'in use as a whole'
	umount /mnt
	blank 200
	losetup --detach "$device"
	device=$(losetup --find --show "$disk")
	check "a loop device whose table the kernel does not read" said apply --system-disk "$device"
	check "the label is found nevertheless" said "$MORTISE" status --root "$root" STATE
	down
	# They would outlive the loop device.
	partx --delete "$device"
	check_fails "a disk that does not exist" said apply --system-disk /dev/none
	blank 200
	blockdev --setro "$device"
	check_fails "a read-only disk" said apply --system-disk "$device"
	check "it says so" says 'read-only'
	blockdev --setrw "$device"
	blank 60
	check_fails "a small disk" said apply --system-disk "$device"
	check "it says so" says 'cannot create the partition STATE'
	check "with the sizes" says 'not enough space (57 MiB free, 100 MiB needed)'
	check "nothing was written" cmp -n "$MIB" "$device" /dev/zero
	# The minimum does not hold the file system.
	blank 400
	{
		system STATE
		volume data 'minSize: 10MiB, maxSize: 20MiB' "encryption: $keys" | sed 's/ext4/xfs/'
	} >"$config"
	check "a volume that is too small for xfs fails" \
		eval '! said apply --system-disk "$device" --dry-run'
	check "it says so" says 'is too small'
}

# Other partitions keep their places, numbers and contents, and the lowest free entry is used.
test_others() {
	local before

	blank 400
	printf 'label: gpt\nstart=2048,size=20480,name=a\nstart=40960,size=20480,name=b,type=uefi\n' |
		sfdisk -q "$device"
	sfdisk -q --delete "$device" 1
	head -c 10M /dev/urandom >"${device}p2"
	before=$(sfdisk --dump "$device" | grep 'name="b"')
	# What is left of the deleted partition must not come back.
	mkfs.ext4 -qF -b 4096 "$device" -E offset=$((16 * MIB)) 4M >/dev/null 2>&1 || true
	system STATE >"$config"
	head -c 10M "${device}p2" | sha256sum >"$work/sum"
	check "apply on a disk with a partition" said apply --system-disk "$device"
	# In front of the first partition, nothing is created below 16 MiB.
	check_equal "META and STATE" "$(table | grep -v ' b$')" "$(printf '1 16 1 META\n3 30 100 STATE')"
	check_equal "the other entry is unchanged" "$(sfdisk --dump "$device" | grep 'name="b"')" "$before"
	check "and so are its contents" \
		eval 'sha256sum --status --check "$work/sum" < <(head -c 10M "${device}p2")'
	check "the table is good" table_is_good
	down
}

# STATE exists, and its disk has no META.
test_meta() {
	blank 200
	printf 'label: gpt\nstart=4096,size=100MiB,name=STATE\n' | sfdisk -q "$device"
	system STATE >"$config"
	check_fails "up without META" said up
	check "apply without META" said apply
	check "the plan says so" says 'create partition 2 of'
	check_equal "META is created on the disk of STATE" "$(table)" \
		"$(printf '1 2 100 STATE\n2 102 1 META')"
	check "the table is good" table_is_good
	down
	check "the next boot" said up
	down
	# Without room for it, nothing is stored.
	blank 110
	printf 'label: gpt\nstart=2048,size=108MiB,name=STATE\n' | sfdisk -q "$device"
	check_fails "apply without room for META" said apply
	check "it says so" says "cannot create the partition META: $device: not enough space"
	check "STATE is empty" cmp -n $((100 * MIB)) "${device}p1" /dev/zero
}

# A known volume is not created again by itself.
test_known() {
	installed 400
	volume data 'minSize: 20MiB, maxSize: 40MiB' "encryption: $keys" >>"$config"
	apply >/dev/null 2>&1
	down
	sfdisk -q --delete "$device" 3
	for state in closed open; do
		check_fails "apply without a known volume, STATE $state" said apply
		check "it says so" says 'and is missing: connect its disk'
		check_equal "no partition is created" "$(table | wc -l)" 2
	done
	check_fails "up without it" said up
	check "plan --recreate" said "$MORTISE" plan -f "$config" --root "$root" --recreate
	check "it names the known volume" says 'it replaces the known volume u-data'
	check "apply --recreate" said apply --recreate
	check_equal "the partition is there" "$(table | tail -n 1)" '3 102 40 u-data'
	down
	check "up" said up
	# After reset --drop, the volume is not known any more.
	check "reset --drop" "$MORTISE" reset --yes --drop data
	check "apply after it" said apply
	check_equal "the partition is there" "$(table | tail -n 1)" '3 102 40 u-data'
	down
}

# Disks with the same label or GUID.
test_copies() {
	local other

	installed 200
	down
	cp "$disk" "$work/copy"
	other=$(losetup --find --show --partscan "$work/copy")
	volume data 'minSize: 20MiB' >>"$config"
	check_fails "apply with a copy of the system disk" said apply
	check "it names both" says "2 partitions are labeled \"STATE\""
	losetup --detach "$other"
	check_fails "another disk than the one with STATE" said apply --system-disk "$whole"
	check "it says so" says "is not the system disk of this machine"
	check_fails "STATE stays closed" test -e /dev/mapper/luks2-STATE
	rm "$work/copy"
	# Two disks of the machine: $whole is listed, and the system disk is a copy of it.
	echo 'label: gpt' | sfdisk -q "$whole"
	blank 300
	dd if="$whole" of="$device" bs=1M status=none
	system STATE >"$config"
	check_fails "a disk with the GUID of another one" said apply --system-disk "$device"
	check "it says so" says "its table has the GUID of $whole: one is a copy of the other"
	clear_whole
	blank 1
}

# The first disk that matches and has room; machine.install.
test_choice() {
	blank 700
	{
		system STATE
		match='disk.size < 400u * MiB' volume data 'minSize: 20MiB, maxSize: 90%'
		printf -- '---\nmachine:\n  install: {disk: %s}\n' "$device"
	} >"$config"
	check "apply with machine.install.disk" said apply
	check_equal "the system volumes" "$(table)" "$(printf '1 1 1 META\n2 2 100 STATE')"
	check "the user volume is on the other disk" \
		eval 'grep -q "size= *$((268 * 2048)),.*u-data" < <(sfdisk --dump "$whole")'
	check "its table is good" sgdisk --verify "$whole"
	down
	"$MORTISE" reset --yes --drop data >/dev/null 2>&1
	blank 1
	clear_whole
	{
		system STATE
		printf -- '---\nmachine:\n  install: {diskSelector: {size: "< 1GB"}}\n'
	} >"$config"
	check "apply with machine.install.diskSelector" said apply
	check "STATE is on the disk that it selects" \
		eval 'grep -q STATE < <(sfdisk --dump "$whole")'
	down
	clear_whole
}

topics=(blank other_disk up later growing refused others meta known copies choice)
for topic in "${@:-${topics[@]}}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
