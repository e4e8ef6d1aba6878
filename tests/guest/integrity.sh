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
	check_status 1 "tags in the sectors" said format "$MORTISE" --integrity hmac-sha256 \
		--integrity-inline
	check "they are refused by name" says 'Option --integrity-inline is not supported'
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

topics=(combinations superblock lifetime options places interruption policy hostile_superblock)
for topic in "${@:-${topics[@]}}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
