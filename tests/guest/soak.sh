#!/usr/bin/env bash
# Two runs at once for each pair of verbs of declared volumes, then many boots of one volume with
# random changes of its configuration, of which some are killed: `mortise up`, `mortise down`, and a
# blank /run/mortise. After each boot the last acknowledged contents must be there.
# Runs in a guest: see tools/guest/uml.   soak.sh [BOOTS [SEED]]
# shellcheck disable=SC2154,SC2317  # set in volumes.sh; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"
boots=${1:-4}
RANDOM=${2:-1}
echo "# SOAK_BOOTS=$boots SOAK_SEED=${2:-1}"
device=$(blank_device 20)
file=$root/var/mnt/data/file
written=0

declare_keys() {
	declare_none
	declare_volume data "$device" "$@"
}

# What is on the volume is what was acknowledged last.
is_kept() {
	[[ $(cat "$file") == "$written" ]]
}

write_file() {
	written=$((written + 1))
	echo $written >"$file"
	sync "$file"
}

# status_of FILE COMMAND...: run it, and write its status.
status_of() {
	local status=0 to=$1
	shift

	"$@" >"$to.out" 2>&1 || status=$?
	echo $status >"$to"
}

# Each run ends with 0, or with a status and a message that name the conflict.
ended_well() {
	local name

	for name; do
		[[ $(cat "$work/$name") == 0 ]] && continue
		[[ $(cat "$work/$name") -le 6 && -s $work/$name.out ]] && continue
		cat "$work/$name" "$work/$name.out"
		return 1
	done
}

# Opens it again, whatever two runs have left.
comes_up() {
	mortise up >"$work/up" 2>&1 && is_kept || {
		cat "$work/up"
		return 1
	}
}

test_pair() {
	local -a one two
	read -ra one <<<"$1"
	read -ra two <<<"$2"
	status_of "$work/one" mortise "${one[@]}" &
	status_of "$work/two" mortise "${two[@]}"
	wait $!
	check "$1 and $2 end" ended_well one two
	check "$1 and $2: up opens the volume" comes_up
	check "$1 and $2: cryptsetup reads the header" said cryptsetup luksDump "$device"
}

declare_keys 'slot: 0, nodeID: {}' 'slot: 1, static: {passphrase: first}'
check "the volume is made" said mortise up
write_file
verbs=(up down 'plan' 'status' 'apply --yes' 'up --check-keys')
for one in "${verbs[@]}"; do
	for two in "${verbs[@]}"; do
		[[ $one > $two || $one == plan || $two == status ]] || test_pair "$one" "$two"
	done
done

# change: another configuration. The node's key stays, so that each one is reachable.
change() {
	local -a keys=('slot: 0, nodeID: {}')

	((RANDOM % 2)) && keys+=("slot: 1, static: {passphrase: p$((RANDOM % 4))}")
	((RANDOM % 3)) || keys+=("slot: 5, static: {passphrase: q$((RANDOM % 4))}")
	declare_keys "${keys[@]}"
}

# The kernel forgets nothing of a closed volume, but /run/mortise is of one boot.
power_off() {
	until_holds down
	rm -rf "$root/run/mortise" /run/mortise
}

power_off
killed=0
for ((boot = 1; boot <= boots; boot++)); do
	((RANDOM % 2)) && change
	if ((RANDOM % 3 == 0)); then
		"$MORTISE" up "${options[@]}" "${up_cost[@]}" >"$work/first" 2>&1 &
		run=$!
		sleep "0.$(printf %03d $((RANDOM % 400)))"
		kill -9 $run 2>/dev/null || true
		wait $run 2>/dev/null || true
		killed=$((killed + 1))
		((RANDOM % 2)) && power_off
	fi
	check "boot $boot" comes_up
	[[ $failed -eq 0 ]] || break
	write_file
	((boot % 100)) || check "cryptsetup reads the header" said cryptsetup luksDump "$device"
	power_off
done
check "cryptsetup opens the first keyslots" cryptsetup luksDump "$device"
echo "# $((boot - 1)) boots, $killed killed, $SECONDS s"
finish
