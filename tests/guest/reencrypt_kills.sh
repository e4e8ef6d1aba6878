#!/usr/bin/env bash
# One boot of the machine of reencrypt_kills: open the volume, which recovers what was interrupted;
# check all data; then re-encrypt the volume, again and again, while it is written, until the machine is
# killed. Runs in a guest: see tools/guest/uml.
#   SEED STILL [last]    STILL: the data that is not written. last: finish the reencryption, and end
# Disks: the volume, and the log of acknowledged writes. reencrypt_kills has the places of the data.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/guest/lib.sh
. "$here/lib.sh"
RANDOM=$1
still=$2
last=${3-}
half=$((FIO_SIZE / 2))
fio_pattern=(--bs=4k --direct=1 --verify_fatal=1 --verify_state_save=0 --filename=/dev/mapper/v
	--name=pattern --verify=pattern --verify_pattern=%o --offset="$FIO_OFFSET" --size="$half")
acknowledged=("$ACKNOWLEDGED_OFFSET" "$ACKNOWLEDGED_COUNT" /dev/ubdb)
device=/dev/ubda
key=(--key-file "$work/key")
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)

printf 'the passphrase' >"$work/key"
cd "$work"

# any WORD...: one of them.
any() {
	shift $((RANDOM % $#))
	echo "$1"
}

program=$(any "$MORTISE" "$MORTISE" cryptsetup)

in_reencryption() {
	grep -q online-reencrypt <("$MORTISE" luksDump $device)
}

# open_volume: it says how the kill has left the volume.
open_volume() {
	if ! "$MORTISE" isLuks $device; then
		echo 'state: no header'
		return
	fi
	"$MORTISE" luksDump --dump-json-metadata $device >metadata
	if grep -q '"in-reencryption"' metadata; then
		echo 'state: in a zone'
	elif in_reencryption; then
		echo 'state: in reencryption'
	else
		echo 'state: in no reencryption'
	fi
	check "$(basename "$program") opens it" "$program" open "${key[@]}" $device v
	check_data
}

check_data() {
	check 'the data that was not written' cmp -n "$(stat -c %s "$still")" /dev/mapper/v "$still"
	check 'fio: the data that is written again and again' said fio "${fio_pattern[@]}" --rw=read
	check 'no acknowledged write is lost' said "$here/acknowledged" check /dev/mapper/v \
		"${acknowledged[@]}"
	tail -n 1 "$work/said"
}

# fio reads each block again, 64 blocks later.
start_writers() {
	fio --rw=randwrite --time_based --runtime=3600 --verify_backlog=64 --randseed=$RANDOM \
		--thinktime=500us "${fio_pattern[@]}" --name=checksums --verify=crc32c \
		--offset=$((FIO_OFFSET + half)) --size=$half >"$work/fio" 2>&1 &
	fio=$!
	"$here/acknowledged" write /dev/mapper/v "${acknowledged[@]}" >"$work/writer" 2>&1 &
	writer=$!
}

# Not in a subshell, which cannot wait for them.
stop_writers() {
	local status=0

	kill -INT $fio
	kill $writer
	# Ended by the signal.
	wait $fio || [[ $? == 128 ]] || status=1
	[[ $(grep -c 'err= 0' "$work/fio") == 2 ]] || status=1
	wait $writer || status=1
	check_equal 'the writers have seen no error' $status 0
	[[ $status == 0 ]] || cat "$work/fio" "$work/writer"
}

# Begin the encryption of plain data, if it has not begun.
begin() {
	[[ ! -e /dev/mapper/v ]] || return 0
	check 'it begins to be encrypted' "$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --encrypt \
		--init-only --reduce-device-size "$REDUCTION" $device v
}

reencrypt() {
	local words=(-q "${key[@]}" --hotzone-size "$(any 256K 2M 8M)" --active-name v)

	if in_reencryption; then
		words+=(--resume-only)
	else
		# While plain data was encrypted, the mapping was smaller than the data is now.
		check 'the mapping gets its full size' "$MORTISE" resize v "${key[@]}"
		words+=("${cheap[@]}" --resilience "$(any checksum journal)" --sector-size "$(any 512 4096)")
	fi
	check "$(basename "$program") ${words[*]:5}" "$program" reencrypt "${words[@]}" $device
	check 'one target is left' test "$(dmsetup table v | wc -l)" = 1
	check 'and no other mapping' test "$(dmsetup ls | wc -l)" = 1
}

open_volume
begin
start_writers
echo running
reencrypt
if [[ -z $last ]]; then
	while reencrypt && [[ $failed == 0 ]]; do
		program=$(any "$MORTISE" "$MORTISE" cryptsetup)
	done
	stop_writers
	finish
fi
stop_writers
check_data
check 'close' "$MORTISE" close v
check 'cryptsetup opens it' cryptsetup open "${key[@]}" $device v
check_data
cryptsetup close v
finish
