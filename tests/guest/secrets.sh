#!/usr/bin/env bash
# The verbs that use device-mapper, and those of declared volumes, leave no passphrase, area key or volume
# key: neither in the memory of any process when it ends, nor in /run or the kernel's log. A process
# that aborts leaves no core dump. tests/secrets/verbs.py has the other verbs. Runs in a guest: see
# tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
# shellcheck source=tests/guest/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$here/machine.sh"

program=$MORTISE
secrets=$here/../secrets
first='the passphrase of STATE, which META and STATE hold'
second='the passphrase of the data volume, which only STATE holds'
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
export PYTHONDONTWRITEBYTECODE=1

watch=$work/watch
mkdir "$watch"
mkfifo "$watch/arguments" "$watch/status"
: >"$watch/secrets"
/usr/bin/python3 "$secrets/watch.py" "$watch" "$program" &
cat >"$work/watched" <<END
#!/bin/bash
printf '%s\\0' "\$@" >"$watch/arguments"
read -r status count <"$watch/status"
cat "$watch/out"
cat "$watch/err" >&2
echo "\$1 \$count" >>"$work/searched"
exit "\$status"
END
chmod +x "$work/watched"

# forgets NAME COMMAND...: it succeeds, and nothing that it runs has a copy of a secret at its end.
forgets() {
	local name=$1
	shift

	rm -f "$watch/found"
	MORTISE=$work/watched
	check "$name" "$@"
	MORTISE=$program
	check_equal "$name: no copy of a secret" "$(cat "$watch/found")" ""
}

# of_device VERB ARGUMENT...
of_device() {
	forgets "$*" "$work/watched" "$@"
}

test_verbs() {
	local device

	printf %s "$first" >"$work/key"
	device=$(blank_device 40)
	"$program" luksFormat -q "${cheap[@]}" "$device" "$work/key"
	printf 'passphrase %s\ndevice %s\n' "$first" "$device" >"$watch/secrets"
	of_device open --debug --key-file "$work/key" "$device" v
	of_device status v
	of_device refresh --debug --key-file "$work/key" --allow-discards v
	# The key moves into the table and back.
	of_device refresh --debug --key-file "$work/key" --disable-keyring v
	of_device resize --debug --key-file "$work/key" --size 2048 v
	of_device resize --debug --key-file "$work/key" v
	of_device luksSuspend --debug v
	of_device luksResume --debug --key-file "$work/key" v
	of_device reencrypt -q --debug --key-file "$work/key" "${cheap[@]}" --init-only "$device" v
	of_device reencrypt -q --debug --key-file "$work/key" --resume-only "$device" v
	of_device close --debug v
	of_device attach v "$device" "$work/key" luks
	of_device detach v
}

rotate() {
	sed "s/^  provider: luks2$/  rotateVolumeKey: $1\n  reencrypt: {when: online}\n  provider: luks2/" \
		"$work/declared" >"$config"
}

test_declared() {
	new_machine
	declare_keys "static: {passphrase: '$first'}, slot: 0" \
		"static: {passphrase: '$second'}, slot: 0, lockToState: true"
	cp "$config" "$work/declared"
	printf 'passphrase %s\npassphrase %s\ndevice %s\ndevice %s\n' "$first" "$second" "$state" "$data" \
		>"$watch/secrets"
	rotate one
	forgets "apply" mortise apply -f "$config"
	down
	forgets "up" mortise up --log=kmsg
	check "up writes to the kernel's log" grep -q mortise <(dmesg)
	forgets "up of open volumes" mortise up
	forgets "plan" mortise plan
	forgets "plan --json" mortise plan --json
	forgets "status --json" mortise status --json
	forgets "grow" mortise grow --root "$root" --node-uuid "$uuid" data
	forgets "trim" mortise trim
	rotate two
	forgets "apply, which begins a rotation" mortise apply -f "$config"
	check_match "the rotation has begun" "$(mortise status)" "*re-encrypted*"
	forgets "continue" mortise continue
	forgets "down" mortise down
	forgets "reset" mortise reset --yes STATE data
}

# Where the secrets of both tests may not be; the keys of the kernel have descriptions only.
test_system() {
	local place secret

	mkdir "$work/system"
	dmesg >"$work/system/dmesg"
	cat /proc/keys >"$work/system/keys"
	cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >"$work/system/processes" 2>/dev/null || true
	cp -r /run/mortise /run/cryptsetup "$work/system"
	for secret in "$first" "$second"; do
		for place in "$secret" "$(printf %s "$secret" | xxd -p -c 999)" \
			"$(printf %s "$secret" | base64 -w 0 | cut -c 1-40)"; do
			check_fails "not in /run, the kernel's log and processes: ${place:0:20}..." \
				grep -raF -- "$place" "$work/system"
		done
	done
}

# The kernel writes core dumps of other programs here, but none of this one.
test_core_dump() {
	local device status=0

	echo "$work/core" >/proc/sys/kernel/core_pattern
	ulimit -c unlimited
	bash -c 'kill -ABRT $$' 2>/dev/null || true
	check "core dumps are on" compgen -G "$work/core*"
	rm -f "$work"/core*
	device=$(blank_device 40)
	"$program" luksFormat -q "${cheap[@]}" "$device" "$work/key"
	"$program" luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 100000000 --key-file "$work/key" \
		"$device" "$work/key" &
	until_holds derives $!
	kill -ABRT $!
	wait $! || status=$?
	check_equal "it aborts" "$status" 134
	check_fails "no core dump" compgen -G "$work/core*"
}

derives() {
	[[ $(cut -d ' ' -f 14 "/proc/$1/stat") -ge 20 ]]
}

test_verbs
test_declared
: >"$watch/arguments"
wait
test_system
test_core_dump
check_equal "the verbs that tests/secrets/verbs.py leaves to this script" \
	"$(cut -d ' ' -f 1 "$work/searched" | sort -u)" \
	"$(/usr/bin/python3 "$secrets/verbs.py" --guest | sort)"
while read -r count verb; do
	log_states "$verb" "$count" secrets
done < <(awk '{ count[$1] += $2 } END { for (verb in count) print count[verb], verb }' "$work/searched")
finish
