#!/usr/bin/env bash
# Authenticated encryption, with cryptsetup as the referee in both directions: dm-crypt's and
# dm-integrity's tables, status and luksDump are equal, data written by one program is read by the
# other, and a changed sector is an error. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

forge=${FORGE:-$(dirname "$MORTISE")/tests/forge}
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
device=$(blank_device 24)
offset=$((1 << 20)) # of the data, in bytes
printf 'the passphrase' >"$work/key"

# format PROGRAM OPTION...: always with the same layout.
format() {
	local program=$1
	shift

	"$program" luksFormat -q --type luks2 "${cheap[@]}" --offset $((offset / 512)) \
		--key-file "$work/key" "$@" "$device"
}

opens() {
	local program=$1
	shift
	"$program" open --key-file "$work/key" "$@" "$device" t
}

# The mappings, without keys and device numbers, and what the program says of them.
tables() {
	dmsetup table | sed -E 's/ [0-9a-f]{32,} / KEY /; s/-d0 0 [0-9]+:[0-9]+ /-d0 0 DEV /' | sort
	dmsetup info -c --noheadings -o name,uuid,attr | sort
	"$1" status t | grep -v '^  loop'
	"$1" luksDump "$device" | sed -n '/^Data segments/,/^Keyslots/p'
}

compare() {
	opens cryptsetup
	tables cryptsetup >"$work/theirs"
	cryptsetup close t
	opens "$MORTISE"
	tables "$MORTISE" >"$work/ours"
	"$MORTISE" close t
	diff "$work/theirs" "$work/ours"
}

pattern() {
	head -c 65536 < <(yes "$1")
}

# exchange FROM TO: data that one program wrote, the other reads.
exchange() {
	opens "$1" && pattern "$1" | dd of=/dev/mapper/t bs=64K oflag=direct status=none &&
		"$1" close t && opens "$2" &&
		cmp <(dd if=/dev/mapper/t bs=64K count=1 iflag=direct status=none) <(pattern "$1") &&
		"$2" close t
}

# The ends of the device hold data of every layout: overwrite one sector there.
spoil() {
	printf 'XXXXX' | dd of="$device" bs=1M seek=20 conv=notrunc,fsync status=none
}

# detects PROGRAM: a read through the mapping fails.
detects() {
	local status=0

	opens "$1" || return 1
	dd if=/dev/mapper/t of=/dev/null bs=64K iflag=direct >"$work/said" 2>&1 || status=1
	"$1" close t || return 1
	[[ $status -eq 1 ]]
}

readable() {
	opens "$1" && dd if=/dev/mapper/t of=/dev/null bs=64K iflag=direct status=none &&
		"$1" close t
}

# The combinations on the list. Fewer options than columns: the defaults are used.
combinations() {
	cat <<-'END'
		aes-xts-plain64 hmac-sha256
		aes-cbc-essiv:sha256 hmac-sha256 --key-size 128 --sector-size 512
		aes-xts-random hmac-sha256 --key-size 256 --sector-size 4096
		aes-xts-plain64 hmac-sha512 --sector-size 4096
		aes-xts-plain64 hmac-sha1 --sector-size 4096
		aes-gcm-random aead --sector-size 4096
		aes-gcm-random aead --key-size 128 --sector-size 512
		aes-ccm-random aead --key-size 280 --sector-size 4096
		chacha20-random poly1305 --sector-size 512
		aegis128-random aead --key-size 128 --sector-size 4096
		aes-xts-random none
	END
}

test_combinations() {
	local cipher type options what

	while read -r cipher type options; do
		what="$cipher $type $options"
		# shellcheck disable=SC2086  # several options
		check "$what: mortise formats" format "$MORTISE" --cipher "$cipher" \
			--integrity "$type" $options
		check "$what: every sector is readable" readable cryptsetup
		check "$what: both programs map it alike" compare
		check "$what: cryptsetup reads mortise's data" exchange "$MORTISE" cryptsetup
		check "$what: mortise reads cryptsetup's data" exchange cryptsetup "$MORTISE"
		# shellcheck disable=SC2086  # several options
		format cryptsetup --cipher "$cipher" --integrity "$type" $options \
			--integrity-legacy-padding
		check "$what: cryptsetup's volume is mapped alike" compare
		check "$what: both programs read each other's data" exchange cryptsetup "$MORTISE"
		[[ $type != none ]] || continue
		spoil
		check "$what: a changed sector is an error" detects "$MORTISE"
		check_match "$what: it is EILSEQ" "$(cat "$work/said")" '*Invalid or incomplete multibyte*'
	done < <(combinations)
}

# The superblock, where cryptsetup makes it, byte for byte.
superblock() {
	dd if="$device" bs=4096 skip=$((offset / 4096)) count=1 iflag=direct status=none | sha256sum
}

test_superblock() {
	local options ours

	for options in '' --integrity-legacy-padding '--sector-size 512'; do
		# shellcheck disable=SC2086  # several options
		format "$MORTISE" --integrity hmac-sha256 --integrity-no-wipe $options
		ours=$(superblock)
		# shellcheck disable=SC2086  # several options
		format cryptsetup --integrity hmac-sha256 --integrity-no-wipe $options
		check_equal "superblock ${options:-by default}" "$ours" "$(superblock)"
	done
}

# is_open NAME...: exactly these mappings exist.
is_open() {
	[[ $(dmsetup ls | grep -v 'No devices' | cut -f 1 | sort | xargs) == "$*" ]]
}

test_lifetime() {
	local held

	format "$MORTISE" --integrity hmac-sha256
	opens "$MORTISE"
	check "two mappings exist" is_open t t_dif
	check_status 5 "it is not opened twice" opens "$MORTISE"
	check_status 1 "resize is refused" "$MORTISE" resize --key-file "$work/key" t
	check_status 1 "also to a size" "$MORTISE" resize --key-file "$work/key" --size 64 t
	exec {held}</dev/mapper/t
	check_status 5 "a mapping in use is not closed" "$MORTISE" close t
	check "its tags stay" is_open t t_dif
	check "a deferred close succeeds" "$MORTISE" close --deferred t
	check "both mappings stay while it is used" is_open t t_dif
	check "the close is canceled" "$MORTISE" close --cancel-deferred t
	exec {held}<&-
	check "both mappings stay" is_open t t_dif
	exec {held}</dev/mapper/t
	"$MORTISE" close --deferred t
	exec {held}<&-
	check "with the last user, both mappings go" until_holds is_open
	opens "$MORTISE"
	dmsetup remove t
	check "an interrupted open leaves the tags behind" is_open t_dif
	check "another open replaces them" opens "$MORTISE"
	check "cryptsetup closes both" cryptsetup close t
	check "nothing is left" is_open
	check_fails "a wrong key leaves nothing behind" "$MORTISE" open --key-file /etc/passwd \
		"$device" t
	check "nothing is left" is_open
}

flags() {
	dmsetup table t_dif | cut -d ' ' -f 7
}

test_options() {
	format "$MORTISE" --integrity hmac-sha256
	opens "$MORTISE"
	check_equal "by default there is a journal" "$(flags)" J
	"$MORTISE" close t
	check "open without a journal" opens "$MORTISE" --integrity-no-journal --persistent
	check_equal "the journal is off" "$(flags)" D
	"$MORTISE" close t
	check_match "the header says so" "$("$MORTISE" luksDump "$device")" '*no-journal*'
	opens "$MORTISE"
	check_equal "the journal stays off" "$(flags)" D
	"$MORTISE" close t
	opens cryptsetup
	check_equal "for cryptsetup, too" "$(flags)" D
	cryptsetup close t
	check "open read-only" opens "$MORTISE" --readonly
	check_match "both mappings are read-only" "$(dmsetup info -c --noheadings -o attr | xargs)" \
		'L--r L--r'
	check "the data is readable" dd if=/dev/mapper/t of=/dev/null bs=1M status=none
	"$MORTISE" close t
	check_status 1 "discards are refused" opens "$MORTISE" --allow-discards
	check "nothing is left" is_open
	check "a key in the table" opens "$MORTISE" --disable-keyring
	"$MORTISE" close t
	check "a volume key in a file" "$MORTISE" luksDump -q --dump-volume-key --key-file \
		"$work/key" --volume-key-file "$work/volume-key" "$device"
	check_equal "it has the key of the MAC" "$(stat -c %s "$work/volume-key")" 96
	check "it formats" format "$MORTISE" --integrity hmac-sha256 --volume-key-file \
		"$work/volume-key"
	check "it opens" "$MORTISE" open --volume-key-file "$work/volume-key" "$device" t
	"$MORTISE" close t
	check_status 1 "an unknown type" said format "$MORTISE" --integrity hmac-md5
	check "it is named" says 'No known integrity specification pattern detected. (hmac-md5)'
	check_status 1 "another key size" said format "$MORTISE" --integrity hmac-sha256 \
		--integrity-key-size 512
	check "the kernel lacks it" says 'integrity_key_size option is not supported'
	check "the size of the hash" format "$MORTISE" --integrity hmac-sha256 \
		--integrity-key-size 256 --integrity-no-wipe
	check_status 1 "inline tags" said format "$MORTISE" --integrity hmac-sha256 \
		--integrity-inline
	check "the device has none" says "Device $device does not provide inline integrity data"
	check_status 1 "inline, without integrity" said format "$MORTISE" --integrity-inline
	check "it is refused" says 'Inline integrity must be used together with --integrity option.'
	format "$MORTISE" --integrity hmac-sha256 --key-size 256 --sector-size 512 \
		--integrity-no-wipe
	check_fails "LUKS1 has no integrity" said "$MORTISE" convert -q --type luks1 "$device"
	check "convert says so" says 'Cannot convert to LUKS1 format - device uses integrity.'
	check "none stores nothing without a random IV" format "$MORTISE" --integrity none
	check_fails "the header has no integrity" grep -q integrity <("$MORTISE" luksDump "$device")
}

# A header file, data on a device of its own, and both in files.
test_places() {
	local file=$work/data header=$work/header

	check "a detached header" format "$MORTISE" --integrity aead --cipher aes-gcm-random \
		--header "$header"
	check "it opens" opens "$MORTISE" --header "$header"
	check_match "status names the device" "$("$MORTISE" status --header "$header" t)" \
		"*LUKS2*aead*device:  $device"$'\n'*
	check "it closes" "$MORTISE" close t
	check "cryptsetup opens it" opens cryptsetup --header "$header"
	cryptsetup close t
	check_status 1 "not at the place of other data" "$MORTISE" open --key-file "$work/key" \
		--header "$header" "$(blank_device 8)" t
	truncate -s 24M "$file"
	check "a file" "$MORTISE" luksFormat -q --type luks2 "${cheap[@]}" --offset 2048 --key-file \
		"$work/key" --integrity hmac-sha256 "$file"
	check "it opens" "$MORTISE" open --key-file "$work/key" "$file" t
	check "it closes" "$MORTISE" close t
	check_equal "no loop device is left" "$(losetup --list --noheadings --output BACK-FILE |
		grep -c "^$file")" 0
	truncate -s 1100K "$file"
	check_status 1 "too little room for the tags" "$MORTISE" luksFormat -q --type luks2 \
		"${cheap[@]}" --offset 2048 --key-file "$work/key" --integrity hmac-sha256 "$file"
	check "nothing is left" is_open
}

unreadable() {
	opens "$1" && check_fails "$2" dd if=/dev/mapper/t of=/dev/null bs=64K iflag=direct
	"$1" close t
}

# The wipe can be interrupted: the volume opens, and each sector is readable once it was written.
test_interruption() {
	local slow

	format "$MORTISE" --integrity hmac-sha256 --integrity-no-wipe
	unreadable "$MORTISE" "without the wipe, nothing is readable"
	opens "$MORTISE"
	check "a written sector is readable" dd if=/dev/zero of=/dev/mapper/t bs=1M count=1 \
		oflag=direct status=none
	"$MORTISE" close t
	slow=$(mktemp "$work/disk.XXXXXX")
	truncate -s 160M "$slow"
	traced pwrite64 "$MORTISE" luksFormat -q --type luks2 "${cheap[@]}" --offset 2048 \
		--key-file "$work/key" --integrity hmac-sha256 "$slow"
	until_holds test -s "$work/pid"
	until_called 20 'pwrite64.* 1048576, '
	kill -TERM "$(cat "$work/pid")"
	wait || true
	check "the wipe was interrupted" says 'Wipe interrupted.'
	check "no mapping is left" is_open
	check "the volume opens" "$MORTISE" open --key-file "$work/key" "$slow" t
	check "its start is readable" dd if=/dev/mapper/t of=/dev/null bs=1M count=1 iflag=direct
	check_fails "its end is not" dd if=/dev/mapper/t of=/dev/null bs=4096 iflag=direct \
		skip=$(($(blockdev --getsz /dev/mapper/t) / 8 - 1))
	"$MORTISE" close t
	rm "$slow"
}

forge_header() {
	dd if="$device" bs=4096 skip=1 count=3 status=none | tr -d '\0' | jq -c "$1" |
		"$forge" "$device"
}

# refused TEXT FILTER ERROR [OPTION]: edit the header of a valid volume.
refused() {
	dd if="$device" of="$work/header" bs=4096 count=8 status=none
	forge_header "$2"
	check_fails "$1: open fails" said opens "$MORTISE" ${4:+"$4"}
	check "$1: the error says why" says "$3"
	check "$1: nothing is left" is_open
	dd if="$work/header" of="$device" bs=4096 conv=notrunc,fsync status=none
}

# The header is edited by someone without a key. Both copies get valid checksums.
test_policy() {
	local sealed='does not match its header (segments changed)'
	local none='{"type":"none","journal_encryption":"none","journal_integrity":"none"}'

	format "$MORTISE" --integrity hmac-sha256
	refused "integrity removed" 'del(.segments."0".integrity)' \
		'cipher aes-xts-plain64 with a key of 768 bits is not on the list'
	refused "another hash" '.segments."0".integrity.type = "hmac(sha1)"' \
		'aes-xts-plain64 with integrity type hmac(sha1) and a key of 608 bits is not on the'
	refused "another type" '.segments."0".integrity.type = "crc32c"' \
		'integrity type crc32c is not supported'
	refused "a name of the command line" '.segments."0".integrity.type = "hmac-sha256"' \
		'integrity type hmac-sha256 is not supported'
	refused "no authentication" '.segments."0".integrity.type = "none"' \
		'cipher aes-xts-plain64 stores nothing with integrity type none'
	refused "random IV without authentication" '.segments."0".integrity.type = "none" |
		.segments."0".encryption = "aes-xts-random"' 'is not on the list'
	refused "an encrypted journal" '.segments."0".integrity.journal_encryption = "ctr(aes)"' \
		'Unsupported device integrity configuration.'
	refused "another sector size" '.segments."0".sector_size = 1024' \
		'does not match the header'
	format "$MORTISE" --integrity aead --cipher aes-gcm-random --integrity-no-wipe
	refused "integrity of AEAD removed" 'del(.segments."0".integrity)' \
		'cipher aes-gcm-random is not on the list'
	refused "sector numbers as nonces" '.segments."0".encryption = "aes-gcm-plain64"' \
		'cipher aes-gcm-plain64 with integrity type aead is not on the list'
	check_status 1 "nor does a format accept them" format "$MORTISE" --integrity poly1305 \
		--cipher chacha20-plain64 --key-size 256
	check "by hand it does" format "$MORTISE" --integrity poly1305 --cipher chacha20-plain64 \
		--key-size 256 --allow-cipher chacha20-plain64
	check "and opens it" opens "$MORTISE" --allow-cipher chacha20-plain64
	"$MORTISE" close t
	dd if=/dev/zero of="$device" bs=1M seek=1 count=1 conv=notrunc,fsync status=none
	format "$MORTISE"
	none=".segments.\"0\" += {\"integrity\":$none} | .segments.\"0\".encryption = \"aes-xts-random\""
	refused "integrity added" "$none" \
		'has no integrity superblock where its header puts the data'
	"$MORTISE" seal -q --key-file "$work/key" "$device"
	refused "integrity added under a seal" "$none" "$sealed" --sealed
	format "$MORTISE" --integrity hmac-sha256 --integrity-no-wipe
	"$MORTISE" seal -q --key-file "$work/key" "$device"
	check "a sealed volume opens" opens "$MORTISE" --sealed
	"$MORTISE" close t
	refused "integrity changed under a seal" \
		'.segments."0".integrity.key_size = 16 | .segments."0".encryption = "aes-xts-plain64"' \
		"$sealed" --sealed
}

# patch OFFSET BYTES: write escaped bytes to the superblock.
patch() {
	printf '%b' "$2" | dd of="$device" bs=1 seek=$((offset + $1)) conv=notrunc,fsync status=none
}

# The superblock is not sealed: its values are checked, or the kernel checks them.
test_hostile_superblock() {
	local at bytes text

	format "$MORTISE" --integrity hmac-sha256 --integrity-no-wipe
	dd if="$device" of="$work/superblock" bs=4096 skip=$((offset / 4096)) count=1 status=none
	while read -r at bytes text; do
		patch "$at" "$bytes"
		check_fails "$text: open fails" said opens "$MORTISE"
		check "$text: nothing is left" is_open
		dd if="$work/superblock" of="$device" bs=4096 seek=$((offset / 4096)) \
			conv=notrunc,fsync status=none
	done <<-'END'
		0 I another magic
		8 \x00 version 0
		8 \x07 version 7
		9 \x40 huge interleave
		10 \x00\x01 another tag size
		12 \xff\xff\xff\x7f a huge journal
		12 \x00\x00\x00\x00 no journal
		16 \xff\xff\xff\xff\xff\xff\xff\xff more sectors than there are
		16 \x00\x00\x00\x00\x00\x00\x00\x00 no sectors
		16 \xff\xff\x00\x00\x00\x00\x00\x00 a few more sectors than fit
		28 \x09 another sector size
	END
	check "the restored superblock is accepted" opens "$MORTISE"
	"$MORTISE" close t
}

# make_hardware DEVICE TAG_SIZE: dm-integrity without a hash in the place of a disk with metadata in
# its sectors; this works since Linux 4.12.
make_hardware() {
	local table="integrity $1 0 $2 D 1 block_size:4096" sectors

	DM_DISABLE_UDEV=1 dmsetup create hardware --table "0 8 $table"
	DM_DISABLE_UDEV=1 dmsetup remove hardware
	sectors=$(dd if="$1" bs=4096 count=1 iflag=direct status=none | od -An -tu8 -j16 -N8)
	DM_DISABLE_UDEV=1 dmsetup create hardware --table "0 $((sectors)) $table"
}

test_inline() {
	local disk=$device device=/dev/mapper/hardware

	dd if=/dev/zero of="$disk" bs=1M count=2 conv=notrunc,fsync status=none
	make_hardware "$disk" 32
	check_status 1 "too long tags" said format "$MORTISE" --integrity hmac-sha512 \
		--integrity-inline
	check "the error says so" says 'Inline tag size 64 [bytes] is larger than 32 provided'
	check_status 1 "other sectors" said format "$MORTISE" --integrity hmac-sha256 \
		--integrity-inline --sector-size 512
	check "the error says so" says 'must be the same as device hardware sector (4096 bytes).'
	check "format" said format "$MORTISE" --integrity hmac-sha256 --integrity-inline
	check_match "the requirement" "$("$MORTISE" luksDump "$device")" '*inline-hw-tags*'
	check_fails "cryptsetup 2.6 does not know it" opens cryptsetup
	check "open" opens "$MORTISE"
	check "no mapping of tags" is_open hardware t
	check_match "dm-crypt stores them" "$(dmsetup table t)" '*capi:authenc(hmac(sha256),xts(aes))*integrity:32:aead*'
	check_match "status" "$("$MORTISE" status t)" '*hmac(sha256)*'
	check "every sector is readable" dd if=/dev/mapper/t of=/dev/null bs=64K iflag=direct status=none
	pattern inline | dd of=/dev/mapper/t bs=64K oflag=direct status=none
	check "close" "$MORTISE" close t
	check_status 1 "discards" opens "$MORTISE" --allow-discards
	check "another open" opens "$MORTISE"
	check "reads the data" cmp <(dd if=/dev/mapper/t bs=64K count=1 iflag=direct status=none) \
		<(pattern inline)
	"$MORTISE" close t
	check "another key" "$MORTISE" luksAddKey -q "${cheap[@]}" --key-file "$work/key" "$device" \
		<(printf another)
	check "opens it" "$MORTISE" open --test-passphrase --key-file <(printf another) "$device"
	check "a backup" "$MORTISE" luksHeaderBackup --header-backup-file "$work/backup" "$device"
	check "is restored" "$MORTISE" luksHeaderRestore -q --header-backup-file "$work/backup" \
		"$device"
	check_fails "no reencryption" "$MORTISE" reencrypt -q --key-file "$work/key" "$device"
	printf XXXXX | dd of="$device" bs=1M seek=10 conv=notrunc,fsync status=none
	check "a changed sector is an error" detects "$MORTISE"
	check "it is EILSEQ" says 'Invalid or incomplete multibyte'
	DM_DISABLE_UDEV=1 dmsetup remove hardware
	device=$disk
	format "$MORTISE" --integrity hmac-sha256 --integrity-no-wipe
	refused "inline tags on another disk" \
		'.config.requirements = {"mandatory": ["inline-hw-tags"]}' 'this needs Linux 6.11'
	format "$MORTISE"
	refused "inline tags without integrity" \
		'.config.requirements = {"mandatory": ["inline-hw-tags"]}' 'but it has no integrity'
	refused "and another requirement" \
		'.config.requirements = {"mandatory": ["inline-hw-tags", "new"]}' \
		'Unmet LUKS2 requirements detected. (new)'
}

# declare NAME INTEGRITY LINE...: another declared volume, with further lines of its document.
declare_volume() {
	local name=$1 type=$2
	shift 2

	printf -- '---\napiVersion: v1alpha1\nname: %s\n' "$name"
	printf '%s\n' "$@"
	printf 'encryption:\n  provider: luks2\n  integrity: %s\n' "$type"
}

keys='  keys: [{slot: 0, static: {passphrase: the}}]'
ext4='filesystem: {type: ext4}'

# configure [INTEGRITY]: data, with this integrity, and logs.
configure() {
	{
		declare_volume data "${1:-hmac-sha256}" 'kind: UserVolumeConfig' "$ext4"
		echo "$keys"
		declare_volume logs aead 'kind: UserVolumeConfig' "$ext4"
		echo "$keys"
	} >"$work/config.yaml"
}

declared() {
	local verb=$1 cost=()
	shift

	case $verb in
	up | apply | grow)
		cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
		;;
	esac
	"$MORTISE" "$verb" -f "$work/config.yaml" --root "$work/root" --device "data=$data" \
		${logs:+--device} ${logs:+"logs=$logs"} ${cost[@]+"${cost[@]}"} "$@"
}

# read_all PROGRAM DEVICE: every sector of the volume is readable.
read_all() {
	"$1" open --readonly --key-file <(printf the) "$2" t &&
		dd if=/dev/mapper/t of=/dev/null bs=64K iflag=direct status=none
	"$1" close t
}

holds_file() {
	[[ $(head -n 1 "$work/root/var/mnt/data/file") == data ]]
}

other_program_reads() {
	cryptsetup open --key-file <(printf the) "$data" t && mount -o ro /dev/mapper/t /mnt &&
		grep -q '^data$' /mnt/file
	umount /mnt
	cryptsetup close t
}

test_declared() {
	local data logs

	has_declared || return 0
	data=$(blank_device 100) logs=$(blank_device 48)
	mkdir -p "$work/root"
	configure
	check "the plan" said declared plan
	check "it names the integrity" says 'aes-xts-plain64, 512-bit key, integrity hmac-sha256'
	check "for AEAD, too" says 'aes-gcm-random, 256-bit key, integrity aead'
	check "up" said declared up
	check "both volumes are open" is_open luks2-u-data luks2-u-data_dif luks2-u-logs \
		luks2-u-logs_dif
	check "status" said declared status
	head -c 1000000 < <(yes data) >"$work/root/var/mnt/data/file"
	check "another run changes nothing" said declared up
	check_fails "it formats nothing" says formatting
	check "down" declared down
	check "nothing is left" is_open
	check "all sectors are readable" read_all "$MORTISE" "$data"
	check "cryptsetup reads all, too" read_all cryptsetup "$logs"
	check "cryptsetup reads the file" other_program_reads
	check_match "the header has integrity" "$(cryptsetup luksDump "$data")" '*hmac(sha256)*'
	check "the next boot opens them" declared up
	check "with their data" holds_file
	check_status 1 "growing is refused" said declared grow data
	check "with the reason" says 'new sectors would have no integrity tags'
	check "it stays mounted" holds_file
	declared down
	printf XXXXX | dd of="$data" bs=1M seek=70 conv=notrunc,fsync status=none
	check "the volume opens" declared up
	dd if=/dev/mapper/luks2-u-data of=/dev/null bs=64K iflag=direct >"$work/said" 2>&1 || true
	check "a changed sector is EILSEQ" says 'Invalid or incomplete multibyte'
	check "reset of an open volume" "$MORTISE" reset --yes data --device "data=$data"
	check "the other one stays" is_open luks2-u-logs luks2-u-logs_dif
	check "it is made again" declared up
	check_fails "without its data" holds_file
	declared down
}

has_declared() {
	grep -q "^declared yes" < <("$MORTISE" --version)
}

# differs CHANGE ERROR: with another configuration, the header is refused; with its own, it is not.
differs() {
	check_fails "$1: up fails" said declared up data
	check "$1: the error says why" says "$2"
	check "$1: nothing is open" is_open
	configure
}

# Header and configuration must agree, also where the header has no seal.
test_declared_trust() {
	local data logs=''

	has_declared || return 0
	data=$(blank_device 32)
	mkdir -p "$work/root"
	configure
	check "up" declared up data
	declared down >"$work/out"
	sed -i '0,/  integrity.*/s///' "$work/config.yaml"
	differs "not declared" 'uses integrity hmac(sha256), but the configuration declares none'
	configure hmac-sha512
	differs "another hash" 'but the configuration declares hmac-sha512'
	configure aead
	differs "another type" 'uses cipher aes-xts-plain64, but the configuration declares aes-gcm'
	configure
	sed -i '0,/  integrity/s//  keySize: 256\n  integrity/' "$work/config.yaml"
	differs "another key size" 'a volume key of 768 bits in keyslot 0, but the configuration'
	dd if="$data" of="$work/header" bs=4096 count=32 status=none
	forged "integrity removed" 'del(.segments."0".integrity)' \
		'uses no integrity, but the configuration declares hmac-sha256'
	forged "integrity weakened" '.segments."0".integrity.type = "hmac(sha1)"' \
		'uses integrity hmac(sha1), but the configuration declares hmac-sha256'
	forged "a shorter key of the MAC" '.segments."0".integrity.key_size = 16' \
		'uses integrity hmac(sha256) with a key of 128 bits'
	forged "another block size" '.segments."0".sector_size = 4096' 'cannot trust the header'
	declared up data >"$work/out"
	declared down >"$work/out"
	blkdiscard -f "$data"
	sed -i '0,/  integrity.*/s///' "$work/config.yaml"
	declared up data >"$work/out"
	declared down >"$work/out"
	dd if="$data" of="$work/header" bs=4096 count=32 status=none
	forged "integrity added" ".segments.\"0\".integrity = {\"type\":\"hmac(sha256)\",
		\"journal_encryption\":\"none\",\"journal_integrity\":\"none\"}" \
		'uses integrity hmac(sha256), but the configuration declares none'
}

# forged TEXT FILTER ERROR: someone without a key edits both copies of the header.
forged() {
	dd if="$data" bs=4096 skip=1 count=15 status=none | tr -d '\0' | jq -c "$2" |
		"$forge" "$data"
	differs "$1" "$3"
	dd if="$work/header" of="$data" bs=4096 conv=notrunc,fsync status=none
}

# cut_up AT SIGNAL: run up on a blank device, which gets this signal at this write.
cut_up() {
	blkdiscard -f "$data"
	strace -f -qq -o "$work/trace" -e trace=pwrite64 \
		-e inject="pwrite64:signal=$2:when=$1" "$MORTISE" up -f "$work/config.yaml" \
		--root "$work/root" --device "data=$data" --pbkdf-memory 32 --pbkdf-parallel 1 \
		--pbkdf-force-iterations 4 data >"$work/said" 2>&1
}

# After a cut, the next run formats again, until there is a key; then it keeps the volume.
after_cut() {
	local made=0

	check "$1: no mapping stays" until_holds is_open
	! cryptsetup luksDump "$data" >"$work/out" 2>&1 ||
		made=$(grep -c '^  0: luks2' "$work/out") || true
	check "$1: up succeeds" said declared up data
	check_equal "$1: it formats again, unless there is a key" \
		"$(grep -c formatting "$work/said")" $((1 - made))
	declared down >"$work/out"
	check "$1: every sector is readable" read_all "$MORTISE" "$data"
}

test_declared_cuts() {
	local data logs='' at count

	has_declared || return 0
	data=$(blank_device 21)
	mkdir -p "$work/root"
	declare_volume data hmac-sha256 'kind: RawVolumeConfig' >"$work/config.yaml"
	echo "$keys" >>"$work/config.yaml"
	cut_up 9999 KILL 2>"$work/out"
	count=$(grep -c 'pwrite64(' "$work/trace")
	declared down >"$work/out"
	# The last writes are those of the tags, of the area of the key, and of the header.
	for at in 2 $((count / 2)) $((count - 5)) $((count - 1)); do
		check_fails "killed at write $at of $count" cut_up "$at" KILL
		after_cut "killed at write $at of $count"
	done
	at=$(awk '/pwrite64/ {n++} /pwrite64.* 1048576, / {print n + 1; exit}' "$work/trace")
	check_status 143 "terminated at the first tags" cut_up "$at" TERM
	check "up says so" says 'canceled'
	check "the plan says so" said declared plan
	check "it formats again" says 'interrupted format'
	after_cut "terminated at write $at"
}

# smallest LINE...: the error of a device that is too small gives the least size, which is enough.
smallest() {
	local file=$work/small least

	{
		declare_volume data "$1" 'kind: UserVolumeConfig' "$ext4"
		echo "$keys"
		printf '%s\n' "${@:2}"
	} >"$work/config.yaml"
	rm -f "$file"
	truncate -s 16896K "$file"
	data=$file
	check_fails "$*: too small" said declared up
	least=$(sed -n 's/.*room for integrity tags; enlarge it to at least \([0-9]*\) MiB$/\1/p' \
		"$work/said")
	check "$*: the error gives a size" test -n "$least"
	truncate -s $((least - 1))M "$file"
	check_fails "$*: a MiB less is too small" declared up
	truncate -s "$least"M "$file"
	check "$*: $least MiB are enough" said declared up
	check "$*: cryptsetup reads all" declared down
	check "$*: every sector is readable" read_all cryptsetup "$file"
}

test_declared_sizes() {
	local data logs='' slot

	has_declared || return 0
	mkdir -p "$work/root"
	smallest hmac-sha256 '  blockSize: 512'
	smallest hmac-sha512 '  blockSize: 512'
	smallest hmac-sha512 '  blockSize: 4096'
	smallest aead '  blockSize: 1024'
	data=$(blank_device 100)
	{
		declare_volume data hmac-sha512 'kind: UserVolumeConfig' "$ext4"
		echo '  keys:'
		for slot in {0..31}; do
			echo "    - {slot: $slot, static: {passphrase: key$slot}}"
		done
	} >"$work/config.yaml"
	check "32 keys" declared up
	declared down >"$work/out"
	check "the last one opens it" cryptsetup open --test-passphrase --key-file \
		<(printf key31) --key-slot 31 "$data"
	sed -i 's/key7}/another}/' "$work/config.yaml"
	check "one of 32 changes" said declared up
	declared down >"$work/out"
	check "the new one opens it" cryptsetup open --test-passphrase --key-file \
		<(printf another) --key-slot 7 "$data"
}

topics=(combinations superblock lifetime options places interruption policy hostile_superblock
	inline declared declared_trust declared_cuts declared_sizes)
for topic in "${@:-${topics[@]}}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
