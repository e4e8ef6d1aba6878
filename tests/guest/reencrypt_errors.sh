#!/usr/bin/env bash
# What may go wrong while a volume is re-encrypted: a full disk, read and write errors, a device that
# shrinks, and processes that were killed and leave a mapping incomplete. Each has a clear error, and no data is lost.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/reencrypt_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/reencrypt_lib.sh"
mib=8
export DM_DISABLE_UDEV=1

offline() {
	"$MORTISE" reencrypt -q "${key[@]}" --hotzone-size 512K --force-offline-reencrypt "$@"
}

# fails STATUS TEXT PATTERN COMMAND...: with this status, and one message that matches.
fails() {
	local status=$1 text=$2 pattern=$3 got=0
	shift 3

	said_quietly "$@" || got=$?
	check_equal "$text: exit status" "$got" "$status"
	check_match "$text: the reason" "$(cat "$work/said")" "$pattern"
}

said_quietly() {
	"$@" </dev/null >"$work/said" 2>&1
}

# has_data PROGRAM [OPTION...]: the volume opens, and has its data.
has_data() {
	local program=$1 status=0
	shift

	"$program" open "${key[@]}" "$@" "$device" v || return
	[[ $(sum_of /dev/mapper/v) == "$sum" ]] || status=1
	"$program" close v || status=1
	return $status
}

# volume_on_disk: a volume on the mapping disk, whose table the test changes. Its header is elsewhere.
volume_on_disk() {
	losetup -D
	rm -f "$work"/disk.* "$work/header"
	loop=$(blank_device $mib)
	dmsetup create disk --table "0 $((mib * 2048)) linear $loop 0"
	device=/dev/mapper/disk
	detached=(--header "$work/header")
	"$MORTISE" luksFormat -q "${cheap[@]}" "${key[@]}" "${detached[@]}" "$device"
	"$MORTISE" open "${key[@]}" "${detached[@]}" "$device" v
	head -c ${mib}M /dev/urandom >/dev/mapper/v
	sum=$(sum_of /dev/mapper/v)
	sum_6m=$(head -c 6M /dev/mapper/v | sha256sum)
	"$MORTISE" close v
}

# disk TABLE: the disk gets this table.
disk() {
	dmsetup load disk --table "$1"
	dmsetup suspend --noflush --nolockfs disk
	dmsetup resume disk
}

# An image file that is sparse, on a file system that gets full.
test_full() {
	local image=$work/full/image

	mkdir -p "$work/full"
	mount -t tmpfs -o size=24m tmpfs "$work/full"
	truncate -s $((mib + 16))M "$image"
	cryptsetup luksFormat -q --type luks2 "${cheap[@]}" "${key[@]}" "$image"
	device=$image
	"$MORTISE" open "${key[@]}" "$device" v
	head -c $((mib / 2))M /dev/urandom >/dev/mapper/v
	sum=$(sum_of /dev/mapper/v)
	"$MORTISE" close v
	# The rest of the volume takes space only as it is written.
	fails 1 'no space for a zone' '*cannot write*No space left on device*' \
		full_disk 2 offline "${cheap[@]}" "$device"
	check 'it has begun' in_reencryption
	fails 1 'a full disk has no space for the rest of the zone' \
		'*reencryption recovery failed*cannot write*No space left on device*' \
		"$MORTISE" open "${key[@]}" "$device" v
	rm -f "$work/full/rest"
	check 'with space, its data is there' has_data cryptsetup
	check 'with space, it ends' offline --resume-only "$device"
	check_fails 'it has ended' in_reencryption
	check 'its data is there' has_data "$MORTISE"
	umount "$work/full"
}

# full_disk MIB COMMAND...: with so little space left on the file system.
full_disk() {
	local space=$1 free
	shift

	rm -f "$work/full/rest"
	free=$(df --output=avail -k "$work/full" | tail -n 1)
	head -c $(((free - space * 1024) * 1024)) /dev/zero >"$work/full/rest"
	"$@"
}

# Read and write errors in the middle of the data, offline, and of the header's device.
test_io() {
	local half=$((mib * 1024)) kind bad header

	for kind in read write; do
		volume_on_disk
		bad="$half $half error"
		[[ $kind == read ]] || bad="$half $half flakey $loop $half 0 1 1 error_writes"
		offline --init-only "${cheap[@]}" "${detached[@]}" "$device"
		disk "0 $half linear $loop 0
$bad"
		fails 1 "a $kind error" "*cannot *$device*Input/output error*" \
			offline --resume-only "${detached[@]}" "$device"
		[[ $kind == write ]] || fails 1 'a read error again' \
			"*cannot read*$device*" offline --resume-only "${detached[@]}" "$device"
		disk "0 $((mib * 2048)) linear $loop 0"
		check 'its data is there' has_data "$MORTISE" "${detached[@]}"
		check 'cryptsetup finds it, too' has_data cryptsetup "${detached[@]}"
		check 'it ends' offline --resume-only "${detached[@]}" "$device"
		check 'its data is there' has_data cryptsetup "${detached[@]}"
		dmsetup remove disk
	done
	volume_on_disk
	header=$(losetup --find --show "$work/header")
	dmsetup create head --table "0 $(blockdev --getsz "$header") linear $header 0"
	detached=(--header /dev/mapper/head)
	offline --init-only "${cheap[@]}" "${detached[@]}" "$device"
	for program in offline online; do
		[[ $program == offline ]] || "$MORTISE" open "${key[@]}" "${detached[@]}" "$device" v
		dmsetup load head --table \
			"0 $(blockdev --getsz "$header") flakey $header 0 0 1 1 error_writes"
		dmsetup suspend --noflush --nolockfs head
		dmsetup resume head
		fails 1 "$program: a write error of the header" '*cannot */dev/mapper/head*Input/output error*' \
			$program --resume-only "${detached[@]}" "$device"
		[[ $program == offline ]] ||
			check 'the mapping has its data' test "$(sum_of /dev/mapper/v)" = "$sum"
		dmsetup load head --table "0 $(blockdev --getsz "$header") linear $header 0"
		dmsetup suspend --noflush --nolockfs head
		dmsetup resume head
		[[ $program == offline ]] ||
			check 'the mapping has its data' test "$(sum_of /dev/mapper/v)" = "$sum"
	done
	check 'it ends' online --resume-only "${detached[@]}" "$device"
	check_equal 'the mapping has its data' "$(sum_of /dev/mapper/v)" "$sum"
	"$MORTISE" close v
	check 'its data is there' has_data cryptsetup "${detached[@]}"
	dmsetup remove head
	dmsetup remove disk
}

# A disk smaller than the data that is done, or than the data of a fixed size.
test_shrunk() {
	local size

	volume_on_disk
	offline --init-only "${cheap[@]}" "${detached[@]}" --device-size $((mib - 2))M "$device"
	killed 12 "$MORTISE" reencrypt -q "${key[@]}" --resume-only --hotzone-size 512K \
		"${detached[@]}" "$device"
	check 'it was in the middle' in_reencryption "$work/header"
	sha256sum "$work/header" "$loop" >"$work/before"
	for size in $((mib - 3)) 1; do
		disk "0 $((size * 2048)) linear $loop 0"
		fails 1 "$size MiB are left" "*Device $device is too small*$((size << 20)))*" \
			offline --resume-only "${detached[@]}" "$device"
		check_fails "open with $size MiB" "$MORTISE" open "${key[@]}" "${detached[@]}" "$device" v
	done
	check 'nothing was written' sha256sum --quiet -c "$work/before"
	disk "0 $((mib * 2048)) linear $loop 0"
	check 'with all of the disk, it ends' offline --resume-only "${detached[@]}" "$device"
	cryptsetup open "${key[@]}" "${detached[@]}" "$device" v
	check_equal 'its data is there' "$(head -c 6M /dev/mapper/v | sha256sum)" "$sum_6m"
	cryptsetup close v
	dmsetup remove disk
}

# Killed after the header's reencryption has ended, before the mapping has its table.
test_ended() {
	local writes metadata mib=12

	new_volume
	"$MORTISE" open "${key[@]}" "$device" v
	strace -f -qq -o "$work/trace" -e trace=pwrite64 "$MORTISE" reencrypt -q "${cheap[@]}" \
		"${key[@]}" --hotzone-size 1M "$device" >"$work/out" 2>&1
	# Of the first thread, which writes the header. The last one wipes old keyslots.
	writes=$(grep -c "^$(awk 'NR == 1 { print $1 }' "$work/trace") .*pwrite64(" "$work/trace")
	for way in resume again close; do
		start_writer
		killed "$writes" "$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --hotzone-size 1M "$device"
		check_fails "killed at write $writes, $way: the header has ended" in_reencryption
		check_equal 'a helper is left' "$(helpers)" 1
		check_match 'status' "$("$MORTISE" status v)" '*done, but the mapping is incomplete*--resume-only*'
		metadata=$("$MORTISE" luksDump --dump-json-metadata "$device")
		check_status 2 'a wrong passphrase' "$MORTISE" reencrypt -q --key-file "$work/wrong" "$device"
		check_equal 'the helper is left' "$(helpers)" 1
		case $way in
		resume) check 'it is completed' online --resume-only "$device" ;;
		again) check 'it is completed, and not begun again' online "$device" ;;
		close)
			check 'it is closed, as by a reboot' reboot
			check 'no helper is left' test "$(helpers)" = 0
			check 'it is opened' "$MORTISE" open "${key[@]}" "$device" v
			;;
		esac
		check 'one target is left, and no helper' plain_mapping 1
		check_equal 'the header is as before' \
			"$("$MORTISE" luksDump --dump-json-metadata "$device")" "$metadata"
		if [[ $way != close ]]; then
			stop_writer
			check 'the file system is intact' intact
		fi
	done
	check_status 1 'there is nothing to resume' online --resume-only "$device"
	"$MORTISE" close v
}

# cryptsetup's mappings, after it was killed.
test_theirs() {
	local number

	for number in 60 110; do
		new_volume
		"$MORTISE" open "${key[@]}" "$device" v
		killed $number cryptsetup reencrypt -q "${cheap[@]}" "${key[@]}" --hotzone-size 512K \
			--active-name v "$device"
		check "killed at write $number: it was in the middle" in_reencryption
		fails 5 'it cannot be continued online' '*cryptsetup was interrupted*close*open*' \
			"$MORTISE" reencrypt -q --resume-only "${key[@]}" "$device"
		fails 5 'nor by name' '*cryptsetup was interrupted*close*open*' \
			"$MORTISE" reencrypt -q --resume-only "${key[@]}" --active-name v "$device"
		check 'it is closed' "$MORTISE" close v
		check_equal 'no mapping is left' "$(dmsetup ls)" 'No devices found'
		check 'it is opened' "$MORTISE" open "${key[@]}" "$device" v
		check_equal 'its data is there' "$(sum_of /dev/mapper/v)" "$sum"
		check 'it is continued online' online --resume-only "$device"
		check_equal 'its data is there' "$(sum_of /dev/mapper/v)" "$sum"
		"$MORTISE" close v
	done
}

topics=(full io shrunk ended theirs)
for topic in "${@:-${topics[@]}}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
echo "# $SECONDS s"
finish
