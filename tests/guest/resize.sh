#!/usr/bin/env bash
# resize: a live mapping becomes larger and smaller while it is in use. The same cases run with
# MORTISE=cryptsetup. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
header_sectors=$((16 * 2048))

resize() {
	printf 'the passphrase' | "$MORTISE" resize --key-file - "$@"
}

sectors() {
	blockdev --getsz /dev/mapper/resized
}

# new_mapping MIB [OPEN-OPTION...]: format $device and open it.
new_mapping() {
	disk=$(mktemp "$work/disk.XXXXXX")
	truncate -s "${1}M" "$disk"
	device=$(losetup --find --show "$disk")
	shift
	printf 'the passphrase' |
		"$MORTISE" luksFormat -q --type luks2 "${cheap[@]}" \
		--sector-size 4096 --key-file - "$device"
	printf 'the passphrase' | "$MORTISE" open --key-file - "$@" "$device" resized
}

end_mapping() {
	"$MORTISE" close resized
	losetup --detach "$device"
	rm "$disk"
}

test_sizes() {
	new_mapping 64
	check_equal "a new mapping reaches the end" "$(sectors)" $((64 * 2048 - header_sectors))
	check "resize --size" resize --size 20480 resized
	check_equal "the mapping has this size" "$(sectors)" 20480
	check "resize --device-size" resize --device-size 20M resized
	check_equal "the mapping has this size in bytes" "$(sectors)" $((20 * 2048))
	check "resize to the same size" resize --device-size 20M resized
	check "resize without a size" resize resized
	check_equal "the mapping reaches the end" "$(sectors)" $((64 * 2048 - header_sectors))
	check_status 1 "resize beyond the end fails" resize --size $((64 * 2048)) resized
	check_status 1 "a part of a sector is refused" resize --size 20481 resized
	check_status 1 "so is one in bytes" resize --device-size 1000 resized
	check_fails "two sizes are refused" resize --size 8 --device-size 4096 resized
	check_status 4 "resize of no mapping fails" resize --size 8 nothing
	check_status 2 "a wrong passphrase is refused" \
		"$MORTISE" resize --size 8 --key-file <(printf wrong) resized
	check_equal "failures change nothing" "$(sectors)" $((64 * 2048 - header_sectors))
	check "resize by the path of the mapping" resize --size 20480 /dev/mapper/resized
	check_equal "the mapping has the size" "$(sectors)" 20480
	check "options of the mapping stay" dmsetup table resized
	end_mapping
}

# The key is not in the keyring, so that no passphrase is asked for.
test_table_key() {
	new_mapping 32 --disable-keyring --allow-discards
	check "resize without a passphrase" "$MORTISE" resize --size 16384 resized </dev/null
	check_equal "the mapping has the size" "$(sectors)" 16384
	check_match "the flags stay" "$(dmsetup table resized)" '0 16384 crypt *allow_discards*'
	end_mapping
}

# The disk grows, then the mapping, then the file system, all of them in use.
test_growth() {
	local writer

	new_mapping 48
	mkfs.ext4 -q /dev/mapper/resized
	mkdir -p /run/mounted
	mount /dev/mapper/resized /run/mounted
	head -c 8M /dev/urandom >/run/mounted/data
	sync
	sum=$(sha256sum </run/mounted/data)
	{
		while [[ ! -e $work/stop ]]; do
			head -c 2M /dev/urandom >/run/mounted/busy && sync /run/mounted/busy
		done
	} &
	writer=$!
	truncate -s 96M "$disk"
	losetup --set-capacity "$device"
	check "resize while files are written" resize resized
	check_equal "the mapping has grown" "$(sectors)" $((96 * 2048 - header_sectors))
	check "the file system grows" resize2fs /dev/mapper/resized
	touch "$work/stop"
	wait "$writer"
	umount /run/mounted
	check "the file system is intact" e2fsck -fn /dev/mapper/resized
	"$MORTISE" close resized
	printf 'the passphrase' | "$MORTISE" open --key-file - "$device" resized
	mount /dev/mapper/resized /run/mounted
	check_equal "the data is intact" "$(sha256sum </run/mounted/data)" "$sum"
	umount /run/mounted
	end_mapping
}

# A mapping over another header of the same device.
test_foreign() {
	new_mapping 32
	printf 'the passphrase' | "$MORTISE" luksFormat -q --type luks2 "${cheap[@]}" \
		--header "$work/header" --key-file - "$disk"
	check_fails "a header that is not that of the mapping is refused" \
		resize --size 16384 --header "$work/header" resized
	end_mapping
}

test_sizes
test_table_key
test_growth
[[ $(basename "$MORTISE") == cryptsetup ]] || test_foreign
finish
