#!/usr/bin/env bash
# Power cuts during a reencryption: dm-log-writes records the writes that a real kernel sends to the
# disk. After each cut, mortise or cryptsetup continues, and all data is there. CUTS=more: of other
# kinds, too. CUTS=all: both programs, after every cut that is possible (some hours).
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/guest/lib.sh
. "$here/lib.sh"

cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
key=(--key-file "$work/key")
# Of the data, and of the space for a header, which a 32-byte volume key lets be small.
data=$((2 << 20))
space=$((512 << 10))

printf 'the passphrase' >"$work/key"
head -c $data /dev/urandom >"$work/plain"
# cryptsetup makes a temporary file.
cd "$work"

# record BYTES: $device records its writes from now on.
record() {
	image=$work/image
	device=/dev/mapper/logged
	log=$(blank_device 96)
	disk=$(losetup --find --show "$work/disk")
	cp "$work/disk" "$image"
	# udev, which would create the node, is not running.
	DM_DISABLE_UDEV=1 dmsetup create logged --table \
		"0 $(blockdev --getsz "$disk") log-writes $disk $log"
}

# replay WHAT KIND [HEADER]: make each cut, and continue by both programs.
replay() {
	local what=$1 kind=$2 programs=() program

	sync $device
	DM_DISABLE_UDEV=1 dmsetup remove logged
	losetup -d "$disk"
	disk=$(losetup --find --show "$image")
	for program in "$MORTISE" cryptsetup; do
		programs+=("bash $work/continue $kind $disk $program")
	done
	check "$what" said "$here/replay_commands" "$image" "$log" "${programs[@]}"
	tail -n 1 "$work/said"
	log_states reencrypt "$(awk 'END { print $3 + 0 }' "$work/said")"
	losetup -d "$disk"
}

# The script after a cut. KIND: of the reencryption. It ends with the data compared.
cat >"$work/continue" <<-END
	kind=\$1 device=\$2 program=\$3
	set -e
	key="${key[*]}"
	header=\$device
	detached=
	if [[ \$kind == detached ]]; then
		# Header and data are on one disk, so that the order of their writes is known.
		DM_DISABLE_UDEV=1 dmsetup create head --table "0 2048 linear \$device 0"
		DM_DISABLE_UDEV=1 dmsetup create tail --table "0 $((data / 512)) linear \$device 2048"
		trap 'DM_DISABLE_UDEV=1 dmsetup remove head tail' EXIT
		header=/dev/mapper/head device=/dev/mapper/tail
		detached="--header \$header"
	fi
	blockdev --flushbufs \$device
	# All data is done; only the reencryption's metadata is left.
	is_done() {
		[[ \$("$MORTISE" luksDump --dump-json-metadata \$header |
			jq '[.segments[] | select(.flags == null)] | length') == 1 ]]
	}
	if ! "$MORTISE" isLuks \$header; then
		[[ \$kind == encrypt ]]
		! cmp -s -n $data "$work/plain" \$device || exit 0
		# Only mortise continues a beginning without a header.
		"$MORTISE" reencrypt -q ${cheap[*]} \$key --encrypt --reduce-device-size $((2 * space)) \
			--key-size 256 \$device
	elif grep -q online-reencrypt <("$MORTISE" luksDump \$header); then
		# With a cut while the encryption began, too.
		"$MORTISE" open --test-passphrase \$key \$header
		[[ \$program != cryptsetup ]] || cryptsetup repair -q \$key \$detached \$device
		# cryptsetup's repair may do the last zone. It cannot end what has only to be ended.
		! grep -q online-reencrypt <("$MORTISE" luksDump \$header) ||
			"\$program" reencrypt -q --resume-only \$key \$detached \$device ||
			{ is_done && "$MORTISE" reencrypt -q --resume-only \$key \$detached \$device; }
	fi
	! cmp -s -n $data "$work/plain" \$device || exit 0
	"\$program" open \$key \$detached \$device after
	cmp -n $data "$work/plain" /dev/mapper/after || status=1
	"\$program" close after
	exit \${status:-0}
END

# new_volume OPTION...: a volume that contains the data.
new_volume() {
	truncate -s 0 "$work/disk"
	truncate -s $((space + data)) "$work/disk"
	"$MORTISE" luksFormat -q "${cheap[@]}" --key-size 256 --offset $((space / 512)) "$@" "$work/disk" \
		"$work/key"
	"$MORTISE" open "${key[@]}" "$work/disk" v
	cat "$work/plain" >/dev/mapper/v
	"$MORTISE" close v
}

test_reencrypt() {
	local resilience

	for resilience in journal ${CUTS:+checksum}; do
		new_volume --sector-size 512
		record
		"$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --resilience $resilience \
			--hotzone-size 1M $device
		replay "a new key, $resilience" reencrypt
	done
}

test_encrypt() {
	truncate -s 0 "$work/disk"
	truncate -s $((data + 2 * space)) "$work/disk"
	dd if="$work/plain" of="$work/disk" conv=notrunc status=none
	record
	"$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --encrypt --reduce-device-size $((2 * space)) \
		--key-size 256 $device
	replay "encryption in place, from its beginning on" encrypt
}

test_detached() {
	local head=(--header /dev/mapper/head)

	truncate -s 0 "$work/disk"
	truncate -s $(((1 << 20) + data)) "$work/disk"
	dd if="$work/plain" of="$work/disk" bs=1M seek=1 conv=notrunc status=none
	record
	DM_DISABLE_UDEV=1 dmsetup create head --table "0 2048 linear $device 0"
	DM_DISABLE_UDEV=1 dmsetup create tail --table "0 $((data / 512)) linear $device 2048"
	"$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --encrypt "${head[@]}" --key-size 256 \
		--luks2-keyslots-size 512K --resilience journal --hotzone-size 1M /dev/mapper/tail
	"$MORTISE" reencrypt -q "${key[@]}" --decrypt "${head[@]}" --hotzone-size 1M /dev/mapper/tail
	DM_DISABLE_UDEV=1 dmsetup remove head tail
	replay "encryption and decryption with a detached header" detached
}

"$(cat /proc/sys/kernel/modprobe)" dm-log-writes
topics=(reencrypt encrypt ${CUTS:+detached})
for topic in "${@:-${topics[@]}}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
echo "# $SECONDS s"
finish
