#!/usr/bin/env bash
# One SIGTERM or SIGINT ends each kind of wait of the declared volumes' commands: exit status 128 + n, long
# before the wait would have ended, and the next run continues.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

# A port without a server: the connection is refused at once, and tried again with pauses.
kms='kms: {endpoint: "grpc://127.0.0.1:1"}'
# Each wait lasts a minute or longer. On a busy machine the end of a run takes more than a second.
patience_ms=15000
ip link set lo up

# interrupt SIGNAL READY COMMAND...: start COMMAND, wait until READY (a command) succeeds, and send
# the signal once. Sets $status and $took, in milliseconds from the signal on.
interrupt() {
	local signal=$1 ready=$2 pid begin _
	expected=$((128 + $(kill -l "$signal")))
	shift 2

	# A shell starts its background jobs with SIGINT ignored.
	env --default-signal=INT "$@" >"$work/said" 2>&1 </dev/null &
	pid=$!
	for _ in {1..200}; do
		! $ready "$pid" || break
		sleep 0.1
	done
	sleep 0.5
	if ! kill -0 "$pid" 2>/dev/null; then
		fail "$* waits" "$(cat "$work/said")"
	fi
	begin=$(date +%s%N)
	kill -s "$signal" "$pid" 2>/dev/null || true
	status=0
	wait "$pid" || status=$?
	took=$((($(date +%s%N) - begin) / 1000000))
}

# ends_at_once TEXT
ends_at_once() {
	check_equal "$1: exit status" "$status" "$expected"
	check "$1: in time ($took ms)" test "$took" -lt "$patience_ms"
	check "$1: the message" says 'canceled'
}

# Ready tests, called with the process id.
runs() {
	[[ -d /proc/$1 ]]
}

has_formatted() {
	cryptsetup isLuks "$device" && [[ -e /dev/mapper/luks2-u-data ]]
}

test_devices() {
	declare_none
	declare_volume data "$work/nowhere" "slot: 0, static: {passphrase: secret}"
	for verb in up plan; do
		interrupt TERM runs "$MORTISE" "$verb" "${options[@]}" --wait 60
		ends_at_once "$verb that waits for a device"
	done
	interrupt INT runs "$MORTISE" up "${options[@]}" --wait 60
	ends_at_once "up that waits for a device, SIGINT"
}

test_lock() {
	local lock

	device=$(blank_device 24)
	declare_none
	declare_volume data "$device" "slot: 0, static: {passphrase: secret}"
	mkdir -p /run/mortise
	exec {lock}>>/run/mortise/lock
	flock "$lock"
	for verb in up down; do
		interrupt TERM runs "$MORTISE" "$verb" "${options[@]}"
		ends_at_once "$verb that waits for another run"
	done
	interrupt TERM runs "$MORTISE" reset --yes data --device "data=$device"
	ends_at_once "reset that waits for another run"
	exec {lock}>&-
	check_equal "the device is unchanged" "$(tr -d '\0' <"$device" | wc -c)" 0
	# udev, Talos or another program holds the device.
	exec {lock}<"$device"
	flock "$lock"
	interrupt TERM runs "$MORTISE" up "${options[@]}" "${up_cost[@]}"
	ends_at_once "up that waits for the lock of a device to format"
	check_equal "the device is still unchanged" "$(tr -d '\0' <"$device" | wc -c)" 0
	interrupt TERM runs "$MORTISE" reset --yes data --device "data=$device"
	ends_at_once "reset that waits for the lock of a device"
	exec {lock}<&-
	check "up succeeds afterwards" mortise up
	down
}

# A KMS that cannot be reached is tried again with pauses.
test_retries() {
	device=$(blank_device 24)
	declare_none
	declare_volume data "$device" "slot: 0, $kms"
	interrupt TERM runs "$MORTISE" up "${options[@]}" --wait 60
	ends_at_once "up that retries a KMS to format"
	check_equal "the device is unchanged" "$(tr -d '\0' <"$device" | wc -c)" 0
	declare_none
	declare_volume data "$device" "slot: 0, static: {passphrase: secret}"
	mortise up >/dev/null
	down
	# A token of the KMS, in a keyslot that only it opens.
	printf '{"type":"sideroKMS","keyslots":[],"UserData":{"sealedData":"%s"}}' \
		"$(head -c 60 /dev/urandom | base64 -w 0)" |
		cryptsetup token import --token-id 0 --json-file - "$device"
	declare_none
	declare_volume data "$device" "slot: 0, $kms"
	before=$(checksum "$device")
	for verb in up plan; do
		interrupt TERM runs "$MORTISE" "$verb" "${options[@]}" --wait 60
		ends_at_once "$verb that retries a KMS to open"
	done
	check_equal "the device is unchanged" "$(checksum "$device")" "$before"
}

# A volume waits with its mount for the volume above it.
test_order() {
	local outer

	outer=$(blank_device 330)
	device=$(blank_device 24)
	declare_none
	{
		printf -- '---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\n'
		printf 'encryption:\n  provider: luks2\n  keys:\n    - {slot: 0, %s}\n' "$kms"
	} >>"$config"
	options+=(--device "EPHEMERAL=$outer")
	declare_volume data "$device" "slot: 0, static: {passphrase: secret}"
	interrupt TERM has_formatted "$MORTISE" up "${options[@]}" "${up_cost[@]}" --wait 60
	ends_at_once "up with a volume that waits for the one above it"
	check_fails "the inner volume is not mounted" mountpoint -q "$root/var/mnt/data"
	check_equal "the outer device is unchanged" "$(tr -d '\0' <"$outer" | wc -c)" 0
	sed -i "s|$kms|nodeID: {}|" "$config"
	check "the next run finishes both" mortise up
	check "the inner volume is mounted" mountpoint -q "$root/var/mnt/data"
	down
}

# A keyslot that costs minutes: the format is unfinished, and the next run begins it again.
test_derivation() {
	device=$(blank_device 24)
	declare_none
	declare_volume data "$device" "slot: 0, static: {passphrase: secret}"
	interrupt INT is_marked "$MORTISE" up "${options[@]}" --pbkdf-memory 1024 --pbkdf-parallel 1 \
		--pbkdf-force-iterations 4000000
	ends_at_once "up that derives a key to format"
	check_equal "no keyslot was written" \
		"$(cryptsetup luksDump --dump-json-metadata "$device" | jq -c .keyslots)" '{}'
	check "the next run formats the device" mortise up
	check "the volume is mounted" mountpoint -q "$root/var/mnt/data"
	down
	mortise up >/dev/null
	declare_none
	declare_volume data "$device" "slot: 0, static: {passphrase: secret}" \
		"slot: 1, static: {passphrase: other}"
	interrupt TERM runs "$MORTISE" up "${options[@]}" --pbkdf-memory 1024 --pbkdf-parallel 1 \
		--pbkdf-force-iterations 4000000
	ends_at_once "up that derives a key to add"
	check_equal "no keyslot was added" \
		"$(cryptsetup luksDump --dump-json-metadata "$device" | jq -c '.keyslots | keys')" '["0"]'
	down
}

# mortise holds the header's lock while it derives the key, so cryptsetup would wait for it here.
is_marked() {
	grep -aq mortise-unfinished < <(head -c 8192 "$device")
}

for topic in devices lock retries order derivation; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
