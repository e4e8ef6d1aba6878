#!/usr/bin/env bash
# Devices that look like something else than they hold, labels that two partitions have, and
# read-only or shrunk disks. Without mkfs.xfs: ext4 is enough, and quicker. cryptsetup opens the same
# volumes as the referee. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

static="slot: 0, static: {passphrase: declared}"
key=$work/key
printf declared >"$key"

# put DEVICE SECTOR BYTES: SECTOR counts from the end, if it is negative.
put() {
	local sector=$2

	[[ $sector -ge 0 ]] || sector=$(($(blockdev --getsz "$1") + sector))
	printf '%b' "$3" | dd of="$1" bs=512 seek="$sector" conv=notrunc,fsync status=none
}

# plain NAME TYPE [DEVICE]: declare a volume without encryption.
plain() {
	printf -- '---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: %s\n' "$1" >>"$config"
	printf 'filesystem: {type: %s}\n' "$2" >>"$config"
	[[ $# -lt 3 ]] || options+=(--device "$1=$3")
}

# labeled NAME: declare an encrypted volume that is found by its label.
labeled() {
	printf -- '---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: %s\n' "$1" >>"$config"
	printf 'filesystem: {type: ext4}\nencryption: {provider: luks2, keys: [{%s}]}\n' \
		"${2:-$static}" >>"$config"
}

# Random bytes of a volume are no RAID member.
test_signatures() {
	local device bytes

	device=$(blank_device 24)
	declare_none
	declare_volume data "$device" "$static"
	check "up formats a blank device" mortise up
	echo kept >"$root/var/mnt/data/file"
	down
	for bytes in '-1 JM' '-1 $XIDE$' '-63 Promise Technology, Inc.' '-11 \0363\026\0170\0132'; do
		put "$device" "${bytes%% *}" "${bytes#* }"
		check "cryptsetup opens a volume that ends with ${bytes#* }" \
			cryptsetup open --test-passphrase --key-file "$key" "$device"
		check "so does up" mortise up
		check_equal "the data is there" "$(cat "$root/var/mnt/data/file")" kept
		down
	done
	# Version 1.0: magic, version, and at byte 144 its own position in sectors.
	put "$device" -16 '\0374\0116\0053\0251\0001\0000\0000\0000'
	printf '\360\277\0\0\0\0\0\0' | dd of="$device" bs=1 \
		seek=$((($(blockdev --getsz "$device") - 16) * 512 + 144)) conv=notrunc,fsync status=none
	check_fails "a member of an md array is refused" said mortise up
	check "the error names the array" says "holds a LUKS2 header and linux_raid_member"
	check_fails "the error does not advise to reset it" says "mortise reset"
	down || true
}

# A file system that holds disk images, one of them with a second header at a probed offset.
test_images() {
	local device at

	device=$(blank_device 24)
	mkfs.ext4 -q -E lazy_itable_init=0 "$device"
	declare_none
	plain data ext4 "$device"
	for at in 64 128 256; do
		printf 'SKUL\272\276\0\002' |
			dd of="$device" bs=16K seek="$at" conv=notrunc,fsync status=none
	done
	put "$device" -1 JM
	check_fails "blkid sees no ext4" test "$(blkid -p -o value -s TYPE "$device")" = ext4
	check "up mounts the file system" mortise up
	check "it is mounted" mountpoint -q "$root/var/mnt/data"
	check "a second up succeeds" mortise up
	check "status succeeds" mortise status
	down
}

# clone DISK: print a loop device with a copy of the disk.
clone() {
	local file

	sync
	file=$(mktemp "$work/clone.XXXXXX")
	cp --sparse=always "$(losetup --noheadings --output BACK-FILE "$1")" "$file"
	losetup --find --show --partscan "$file"
}

# A clone of the disk while its volumes are open, and at the next boot.
test_clone() {
	local disk copy

	disk=$(labeled_disk 80 META=1 u-data=24 u-plain=20)
	mkfs.ext4 -q "${disk}p3"
	declare_none
	labeled data
	plain plain ext4
	check "up finds the volumes by label" mortise up
	echo kept >"$root/var/mnt/data/file"
	copy=$(clone "$disk")
	check "status finds the open volumes" said mortise status
	check "status names the partition" says "${disk}p2"
	check "plan has nothing to do" said mortise plan
	check "up has nothing to do" mortise up
	declare_none
	labeled data "$static}, {slot: 1, static: {passphrase: rotated}"
	plain plain ext4
	check "up adds a key to the open volume" mortise up
	check "cryptsetup opens the volume with it" \
		cryptsetup open --test-passphrase --key-slot 1 --key-file <(printf rotated) "${disk}p2"
	check_fails "the clone has no such key" \
		cryptsetup open --test-passphrase --key-slot 1 --key-file <(printf rotated) "${copy}p2"
	check "down closes the volumes" mortise down
	check_fails "neither is open" test -e /dev/mapper/luks2-u-data
	check_fails "at the next boot, up refuses to choose" said mortise up
	check "the error names both partitions" says "${copy}p2"
	check "the error names both partitions" says "${disk}p2"
	check "the error says how to select one" says "--device data=/dev/X"
	losetup --detach "$copy"
	until_holds test ! -e "${copy}p2"
	check "without the clone, up succeeds" mortise up
	check_equal "the data is there" "$(cat "$root/var/mnt/data/file")" kept
	down
	losetup --detach "$disk"
	until_holds test ! -e "${disk}p2"
}

# A stick with one label of the machine, but without META.
test_stick() {
	local disk stick before

	disk=$(labeled_disk 80 META=1 u-data=24 u-plain=20)
	mkfs.ext4 -q "${disk}p3"
	declare_none
	labeled data
	plain plain ext4
	mortise up >"$work/out"
	down
	stick=$(labeled_disk 60 u-data=24 u-plain=20)
	mkfs.ext4 -q "${stick}p2"
	before=$(checksum "$stick")
	check "up prefers the disk with META" mortise up
	check_equal "the volume is on this disk" \
		"$(findmnt -n -o SOURCE "$root/var/mnt/plain")" "${disk}p3"
	check_equal "the stick is unchanged" "$(checksum "$stick")" "$before"
	down
	# The machine's own partition is blank: it is not formatted while there are two of them.
	dd if=/dev/zero of="${disk}p2" bs=1M count=24 conv=fsync status=none
	before=$(checksum "$disk")
	check_fails "a blank partition is not formatted while another has its label" \
		said mortise up data
	check "the error says why" says "${disk}p2 is not formatted: 2 partitions are labeled"
	check_equal "the disk is unchanged" "$(checksum "$disk")" "$before"
	check "with --device, it is formatted" mortise up --device "data=${disk}p2" data
	"$MORTISE" down "${options[@]}" --device "data=${disk}p2" >"$work/down" 2>&1
	# The stick claims to be the system disk as well.
	losetup --detach "$stick"
	until_holds test ! -e "${stick}p2"
	stick=$(labeled_disk 60 u-data=24 META=1)
	before=$(checksum "$stick")
	check_fails "with two METAs, up refuses to choose" said mortise up data
	check "the error names both partitions" says "(${disk}p2, ${stick}p1)"
	check_equal "the stick is unchanged" "$(checksum "$stick")" "$before"
	losetup --detach "$stick"
	until_holds test ! -e "${stick}p2"
	losetup --detach "$disk"
	until_holds test ! -e "${disk}p2"
}

# The list of known volumes has the PARTUUID: another partition of the label is not used instead.
test_known() {
	local disk other file

	disk=$(labeled_disk 400 META=1 STATE=330 spare=20)
	other=$(labeled_disk 40 u-plain=20)
	file=$(losetup --noheadings --output BACK-FILE "$disk")
	mkfs.ext4 -q "${disk}p3"
	mkfs.ext4 -q "${other}p1"
	declare_none
	printf -- '---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n' >"$config"
	printf 'encryption: {provider: luks2, keys: [{%s}]}\n' "$static" >>"$config"
	plain plain ext4
	check "up records the volume" mortise up
	check "down succeeds" mortise down
	losetup --detach "$disk"
	until_holds test ! -e "${disk}p3"
	sfdisk -q --no-reread --no-tell-kernel --part-label "$file" 3 u-plain
	disk=$(losetup --find --show --partscan "$file")
	check_fails "a partition on the system disk with the label is not used instead" said mortise up
	check "the error says why" says "${disk}p3 is not the partition of u-plain on this machine"
	check_fails "nothing is mounted" mountpoint -q "$root/var/mnt/plain"
	down || true
	check "with --device, the known one is used" mortise up --device "plain=${other}p1"
	check "status finds it" said mortise status
	check "status names the known partition" says "${other}p1"
	down
	losetup --detach "$disk" "$other"
	until_holds test ! -e "${disk}p3"
}

# shown NAME: print the mount options.
shown() {
	findmnt -n -o OPTIONS "$root/var/mnt/$1"
}

test_readonly() {
	local crypt plain blank before

	crypt=$(blank_device 24)
	plain=$(blank_device 20)
	blank=$(blank_device 24)
	mkfs.ext4 -q "$plain"
	declare_none
	declare_volume crypt "$crypt" "$static"
	plain plain ext4 "$plain"
	mortise up >"$work/out" 2>&1
	echo kept >"$root/var/mnt/crypt/file"
	echo kept >"$root/var/mnt/plain/file"
	down
	blockdev --setro "$crypt" "$plain" "$blank"
	before=$(checksum "$crypt" "$plain")
	check "up succeeds on write-protected disks" said mortise up
	check "up reports it" says "mounted read-only, because the device is write-protected"
	check_match "the encrypted volume is read-only" "$(shown crypt)" "ro,*"
	check_match "the plain volume is read-only" "$(shown plain)" "ro,*"
	check_equal "the data is there" "$(cat "$root"/var/mnt/{crypt,plain}/file)" $'kept\nkept'
	check "a second up succeeds" mortise up
	check "status succeeds" mortise status
	check "down succeeds" mortise down
	check "cryptsetup opens the volume" \
		cryptsetup open --readonly --key-file "$key" "$crypt" referee
	cryptsetup close referee
	check_equal "nothing was written" "$(checksum "$crypt" "$plain")" "$before"
	declare_none
	declare_volume crypt "$blank" "$static"
	check_fails "a blank write-protected disk is refused by plan" said mortise plan
	check "the error says why" says "$blank is not formatted: it is write-protected"
}

# shrink DEVICE MIB: as a partition that was made smaller.
shrink() {
	truncate -s "$2M" "$(losetup --noheadings --output BACK-FILE "$1")"
	losetup --set-capacity "$1"
}

test_shrunk() {
	local crypt plain

	crypt=$(blank_device 40)
	plain=$(blank_device 20)
	mkfs.ext4 -q "$plain"
	declare_none
	declare_volume crypt "$crypt" "$static"
	plain plain ext4 "$plain"
	mortise up >"$work/out" 2>&1
	down
	shrink "$crypt" 24
	shrink "$plain" 10
	check_fails "up refuses shrunk disks" said mortise up
	check "the error has both sizes of the plain volume" says \
		"the file system has $((20 << 20)) bytes, but the device has only $((10 << 20))"
	check "the error has both sizes of the encrypted volume" says \
		"the file system has $((24 << 20)) bytes, but the device has only $((8 << 20))"
	down || true
	shrink "$crypt" 40
	shrink "$plain" 20
	check "with their sizes restored, up succeeds" mortise up
	down
	shrink "$crypt" 8
	check_fails "up refuses a disk that is smaller than the header" said mortise up crypt
	check "the error has both sizes" says \
		"the header needs $((16 << 20)) bytes, the device has $((8 << 20))"
}

topics=(signatures images clone stick known readonly shrunk)
[[ -z ${1-} ]] || topics=("$@")
for topic in "${topics[@]}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
