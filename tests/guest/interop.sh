#!/usr/bin/env bash
# One volume, two programs: cryptsetup must accept every change that mortise makes to the kernel
# or the header, and mortise must accept cryptsetup's. Runs in a guest: see tools/guest/uml.
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
# Four passes over 32 KiB: the cost of key derivation is not tested here.
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

# put PROGRAM WORD, get PROGRAM WORD: write or read data through a mapping that PROGRAM opens and
# closes. Commands are chained, because set -e has no effect inside functions that check calls.
put() {
	head -c 1M < <(yes "$2") >"$work/written"
	open "$1" &&
		dd if="$work/written" of="$mapped" bs=1M seek=2 conv=fsync status=none &&
		"$1" close "$name"
}

get() {
	head -c 1M < <(yes "$2") >"$work/expected"
	open "$1" &&
		dd if="$mapped" of="$work/read" bs=1M skip=2 count=1 status=none &&
		"$1" close "$name" &&
		cmp "$work/read" "$work/expected"
}

# Print how dmsetup, cryptsetup and lsblk describe the mapping.
seen() {
	dmsetup table --showkeys "$name"
	dmsetup info -c --noheadings -o name,uuid,open,segments,attr "$name"
	"$theirs" status "$name"
	lsblk --noheadings --raw -o NAME,TYPE,SIZE,RO,LOG-SEC,PHY-SEC "$mapped"
	lsblk --noheadings --raw -o NAME,TYPE "$device"
	[[ -b $mapped ]] && echo "$mapped is a block device"
}

# same_mapping TEXT [OPTION]...: both programs create the same mapping with these options.
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
	check "mortise formats" format "$ours"
	check "cryptsetup reads mortise's header" "$theirs" luksDump "$device"
	check_equal "both programs print the same UUID" "$("$ours" luksUUID "$device")" \
		"$("$theirs" luksUUID "$device")"
	check "cryptsetup writes to a volume formatted by mortise" put "$theirs" one
	check "mortise reads data that cryptsetup wrote" get "$ours" one
	check "mortise writes" put "$ours" two
	check "cryptsetup reads data that mortise wrote" get "$theirs" two
	check "cryptsetup formats" format "$theirs"
	check "mortise writes to a volume formatted by cryptsetup" put "$ours" three
	check "cryptsetup reads data that mortise wrote there" get "$theirs" three
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
	check_match "the volume key is in the kernel's keyring" \
		"$(dmsetup table --showkeys "$name")" \
		"* :64:logon:cryptsetup:* *"
	"$ours" close "$name"
	open "$ours" --disable-keyring
	check_equal "with --disable-keyring, the volume key is in the table" \
		"$(dmsetup table --showkeys "$name" | cut -d' ' -f5 | grep -Ec '^[0-9a-f]{128}$')" 1
	check_equal "dmsetup hides the volume key in the table" \
		"$(dmsetup table "$name" | cut -d' ' -f5 | tr -d 0)" ""
	"$ours" close "$name"
}

test_persistent_flags() {
	format "$theirs"
	open "$ours" --allow-discards --persistent
	"$ours" close "$name"
	check_match "cryptsetup finds the flags that mortise stored" \
		"$("$theirs" luksDump "$device")" \
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
	check_status 4 "status of a name that is not active gives exit status 4" \
		"$ours" status "$name"
}

test_refusals() {
	format "$theirs"
	check_status 2 "open with a wrong passphrase gives exit status 2" \
		"$ours" open --key-file "$work/wrong" "$device" "$name"
	check_status 2 "open --test-passphrase with a wrong passphrase gives exit status 2" \
		"$ours" open --test-passphrase --key-file "$work/wrong" "$device"
	check "open --test-passphrase accepts the right passphrase" \
		"$ours" open --test-passphrase --key-file "$key" "$device"
	check_status 1 "open --test-passphrase creates no mapping" test -e "$mapped"
	check_status 4 "open of a missing device gives exit status 4" \
		"$ours" open --key-file "$key" /dev/nowhere "$name"
	check_status 4 "close of a name that is not active gives exit status 4" \
		"$ours" close "$name"
	open "$theirs"
	check_status 5 "open with a name in use gives exit status 5" open "$ours"
	check_status 5 "open of a device in use gives exit status 5" \
		"$ours" open --key-file "$key" "$device" second
	# The exit status is 1 with cryptsetup 2.6.1 and 5 with mortise.
	check_fails "formatting a device in use is refused" format "$ours"
	"$theirs" close "$name"
}

test_busy() {
	format "$theirs"
	open "$ours"
	mkfs.ext4 -q "$mapped"
	mount "$mapped" /mnt
	echo kept >/mnt/file
	check_status 5 "close of a mounted volume gives exit status 5" "$ours" close "$name"
	check_equal "the volume still works" "$(cat /mnt/file)" kept
	check "close --deferred accepts a mounted volume" "$ours" close --deferred "$name"
	check "close --deferred keeps a volume in use open" dmsetup info "$name"
	check "close --cancel-deferred succeeds" "$ours" close --cancel-deferred "$name"
	umount /mnt
	check "after the cancellation, the volume stays when its last user ends" \
		dmsetup info "$name"
	# cryptsetup removes the node at once, and does not create it again on cancellation.
	dmsetup mknodes "$name"
	mount "$mapped" /mnt
	check "close --deferred succeeds again" "$ours" close --deferred "$name"
	umount /mnt
	check_status 1 "the volume closes when its last user ends" dmsetup info "$name"
	# The kernel removes the mapping when no mortise process is running to remove the node.
	rm -f "$mapped"
	open "$theirs"
	mount "$mapped" /mnt
	check_equal "the file is still there" "$(cat /mnt/file)" kept
	umount /mnt
	check "mortise closes a mapping of cryptsetup" "$ours" close "$name"
	check_status 1 "the node is gone, without udev to remove it" test -e "$mapped"
}

test_suspend() {
	format "$theirs"
	open "$ours"
	check "mortise suspends" "$ours" luksSuspend "$name"
	check_match "cryptsetup shows that the mapping is suspended" \
		"$("$theirs" status "$name")" "*suspended*"
	check "cryptsetup resumes" "$theirs" luksResume --key-file "$key" "$name"
	check "cryptsetup suspends" "$theirs" luksSuspend "$name"
	check_status 2 "luksResume with a wrong key gives exit status 2" \
		"$ours" luksResume --key-file "$work/wrong" "$name"
	check "mortise resumes" "$ours" luksResume --key-file "$key" "$name"
	check "reads succeed again" dd if="$mapped" of=/dev/null bs=1M count=1
	"$ours" close "$name"
}

test_keys() {
	format "$theirs"
	check "mortise adds a key" "$ours" luksAddKey -q "${cheap[@]}" --key-file "$key" \
		"$device" "$work/key2"
	check "cryptsetup opens the new keyslot" "$theirs" open --test-passphrase --key-slot 1 \
		--key-file "$work/key2" "$device"
	check "mortise kills the first keyslot" \
		"$ours" luksKillSlot -q --key-file "$work/key2" "$device" 0
	check_status 2 "cryptsetup no longer opens with the first key" \
		"$theirs" open --test-passphrase \
		--key-file "$key" "$device"
	check "cryptsetup adds the first key again" "$theirs" luksAddKey -q "${cheap[@]}" \
		--key-file "$work/key2" "$device" "$key"
	check "mortise opens with the first key" \
		"$ours" open --test-passphrase --key-file "$key" "$device"
}

topics=(data mappings persistent_flags ciphers status refusals busy keys)
# Some builds of mortise lack these verbs; its help lists those that it has.
help=$("$ours" --help)
[[ $help != *luksSuspend* ]] || topics+=(suspend)

for topic in "${topics[@]}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
