#!/usr/bin/env bash
# One volume, two programs: whatever mortise does to the kernel or the header, cryptsetup must
# see as its own work, and the other way round. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ours=$MORTISE
theirs=cryptsetup
device=$(blank_device 64)
key=$work/key
name=both
mapped=/dev/mapper/$name
printf 'interop passphrase' >"$key"
printf 'another one' >"$work/key2"
printf 'not the passphrase' >"$work/wrong"
# Four passes over 32 KiB: the strength of the key is not what is tested here.
cheap=(--pbkdf argon2id --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)

# format PROGRAM [OPTION]...
format() {
	local program=$1
	shift
	"$program" luksFormat -q --type luks2 "${cheap[@]}" "$@" "$device" "$key"
}

# open PROGRAM [OPTION]...
open() {
	local program=$1
	shift
	"$program" open --key-file "$key" "$@" "$device" "$name"
}

# put PROGRAM WORD, get PROGRAM WORD: through a mapping that this program makes and removes.
# Chained, because set -e does not count in what check calls.
put() {
	yes "$2" | head -c 1M >"$work/written" || true
	open "$1" &&
		dd if="$work/written" of="$mapped" bs=1M seek=2 conv=fsync status=none &&
		"$1" close "$name"
}

get() {
	yes "$2" | head -c 1M >"$work/expected" || true
	open "$1" &&
		dd if="$mapped" of="$work/read" bs=1M skip=2 count=1 status=none &&
		"$1" close "$name" &&
		cmp "$work/read" "$work/expected"
}

# What the world sees of the mapping, each by somebody else's eyes.
seen() {
	dmsetup table --showkeys "$name"
	dmsetup info -c --noheadings -o name,uuid,open,segments,attr "$name"
	"$theirs" status "$name"
	lsblk --noheadings --raw -o NAME,TYPE,SIZE,RO,LOG-SEC,PHY-SEC "$mapped"
	lsblk --noheadings --raw -o NAME,TYPE "$device"
	[[ -b $mapped ]] && echo "$mapped is a block device"
}

# The same volume opened with these options by each of the two looks the same.
same_mapping() {
	local text=$1 by_ours by_theirs
	shift

	open "$theirs" "$@" && by_theirs=$(seen) && "$theirs" close "$name"
	open "$ours" "$@" || true
	by_ours=$(seen 2>&1) || true
	"$ours" close "$name" || "$theirs" close "$name" || true
	check_equal "$text" "$by_ours" "$by_theirs"
}

test_data() {
	check "ours formats" format "$ours"
	check "theirs reads our header" "$theirs" luksDump "$device"
	check_equal "both name the same UUID" "$("$ours" luksUUID "$device")" \
		"$("$theirs" luksUUID "$device")"
	check "theirs writes to the volume we formatted" put "$theirs" one
	check "ours reads what theirs wrote" get "$ours" one
	check "ours writes" put "$ours" two
	check "theirs reads what ours wrote" get "$theirs" two
	check "theirs formats" format "$theirs"
	check "ours writes to the volume they formatted" put "$ours" three
	check "theirs reads what ours wrote there" get "$theirs" three
}

test_mappings() {
	format "$theirs"
	same_mapping "the same mapping"
	same_mapping "the same mapping without the keyring" --disable-keyring
	same_mapping "the same mapping, read-only" --readonly
	same_mapping "the same mapping with discards" --allow-discards
	same_mapping "the same mapping with performance flags" --perf-same_cpu_crypt \
		--perf-no_read_workqueue --perf-no_write_workqueue
	open "$ours"
	check_match "the key is in the kernel's keyring" "$(dmsetup table --showkeys "$name")" \
		"* :64:logon:cryptsetup:* *"
	"$ours" close "$name"
	open "$ours" --disable-keyring
	check_equal "or in the table" \
		"$(dmsetup table --showkeys "$name" | cut -d' ' -f5 | grep -Ec '^[0-9a-f]{128}$')" 1
	check_equal "where dmsetup hides it" "$(dmsetup table "$name" | cut -d' ' -f5 | tr -d 0)" ""
	"$ours" close "$name"
}

test_persistent_flags() {
	format "$theirs"
	open "$ours" --allow-discards --persistent
	"$ours" close "$name"
	check_match "theirs finds the flags we stored" "$("$theirs" luksDump "$device")" \
		"*allow-discards*"
	same_mapping "the same mapping with flags from the header"
}

test_ciphers() {
	local cipher bits program

	while read -r cipher bits; do
		for program in "$ours" "$theirs"; do
			format "$program" -c "$cipher" -s "$bits"
			check "write, $cipher" put "$ours" "$cipher"
			check "read, $cipher" get "$theirs" "$cipher"
		done
		same_mapping "the same mapping, $cipher"
	done <<-'END'
		aes-xts-plain64 256
		xchacha12,aes-adiantum-plain64 256
		xchacha20,aes-adiantum-plain64 256
		serpent-xts-plain64 512
		twofish-xts-plain64 512
		aes-cbc-essiv:sha256 256
	END
	format "$ours" --sector-size 4096
	same_mapping "the same mapping, sectors of 4096 bytes"
}

test_status() {
	format "$theirs"
	open "$theirs"
	check_equal "status of an active mapping" "$("$ours" status "$name" | tr -s ' ')" \
		"$("$theirs" status "$name" | tr -s ' ')"
	"$theirs" close "$name"
	check_status 4 "status of none is 4" "$ours" status "$name"
}

test_refusals() {
	format "$theirs"
	check_status 2 "a wrong passphrase is 2" \
		"$ours" open --key-file "$work/wrong" "$device" "$name"
	check_status 2 "and so is a wrong one that is only tested" \
		"$ours" open --test-passphrase --key-file "$work/wrong" "$device"
	check "the right one is tested" "$ours" open --test-passphrase --key-file "$key" "$device"
	check_status 1 "testing makes no mapping" test -e "$mapped"
	check_status 4 "a device that is not there is 4" \
		"$ours" open --key-file "$key" /dev/nowhere "$name"
	check_status 4 "closing what is not open is 4" "$ours" close "$name"
	open "$theirs"
	check_status 5 "a name that is taken is 5" open "$ours"
	check_status 5 "a device that is in use is 5" \
		"$ours" open --key-file "$key" "$device" second
	# 1 from cryptsetup 2.6.1, 5 from ours.
	check_fails "formatting a device in use is refused" format "$ours"
	"$theirs" close "$name"
}

test_busy() {
	format "$theirs"
	open "$ours"
	mkfs.ext4 -q "$mapped"
	mount "$mapped" /mnt
	echo kept >/mnt/file
	check_status 5 "closing a mounted volume is 5" "$ours" close "$name"
	check_equal "and it goes on working" "$(cat /mnt/file)" kept
	check "deferred close of a mounted volume" "$ours" close --deferred "$name"
	check "leaves it there" dmsetup info "$name"
	check "until cancelled" "$ours" close --cancel-deferred "$name"
	umount /mnt
	check "it is there after its last user" dmsetup info "$name"
	# cryptsetup takes the node away at once, and does not make it again when cancelling.
	dmsetup mknodes "$name"
	mount "$mapped" /mnt
	check "deferred again" "$ours" close --deferred "$name"
	umount /mnt
	check_status 1 "it goes with its last user" dmsetup info "$name"
	# Nobody of ours runs when the kernel removes it.
	rm -f "$mapped"
	open "$theirs"
	mount "$mapped" /mnt
	check_equal "the file is still there" "$(cat /mnt/file)" kept
	umount /mnt
	check "ours closes theirs" "$ours" close "$name"
	check_status 1 "the node is gone, with no udev to remove it" test -e "$mapped"
}

test_suspend() {
	format "$theirs"
	open "$ours"
	check "ours suspends" "$ours" luksSuspend "$name"
	check_match "theirs sees it" "$("$theirs" status "$name")" "*suspended*"
	check "theirs resumes" "$theirs" luksResume --key-file "$key" "$name"
	check "theirs suspends" "$theirs" luksSuspend "$name"
	check_status 2 "a wrong key does not resume" \
		"$ours" luksResume --key-file "$work/wrong" "$name"
	check "ours resumes" "$ours" luksResume --key-file "$key" "$name"
	check "reads go on" dd if="$mapped" of=/dev/null bs=1M count=1
	"$ours" close "$name"
}

test_resize() {
	format "$theirs"
	open "$ours" --disable-keyring
	check "ours makes it smaller" "$ours" resize --size 2048 "$name"
	check_equal "to 1 MiB" "$(blockdev --getsize64 "$mapped")" 1048576
	check "ours makes it whole again" "$ours" resize "$name"
	check_equal "to the end of the device" "$(blockdev --getsize64 "$mapped")" $((48 << 20))
	"$ours" close "$name"
}

test_keys() {
	format "$theirs"
	check "ours adds a key" "$ours" luksAddKey -q "${cheap[@]}" --key-file "$key" \
		"$device" "$work/key2"
	check "theirs opens with it" "$theirs" open --test-passphrase --key-slot 1 \
		--key-file "$work/key2" "$device"
	check "ours kills the first" "$ours" luksKillSlot -q --key-file "$work/key2" "$device" 0
	check_status 2 "theirs cannot open with it" "$theirs" open --test-passphrase \
		--key-file "$key" "$device"
	check "theirs adds it again" "$theirs" luksAddKey -q "${cheap[@]}" \
		--key-file "$work/key2" "$device" "$key"
	check "ours opens with it" "$ours" open --test-passphrase --key-file "$key" "$device"
}

topics=(data mappings persistent_flags ciphers status refusals busy keys)
# Not every version of ours has these, and it says so in its help.
help=$("$ours" --help)
[[ $help != *luksSuspend* ]] || topics+=(suspend)
[[ $help != *resize* ]] || topics+=(resize)

for topic in "${topics[@]}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
