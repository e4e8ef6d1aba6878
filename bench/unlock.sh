#!/usr/bin/env bash
# Compare "open --test-passphrase" of cryptsetup and mortise on one header, alternating.
# usage: unlock.sh MORTISE [MEMORY-KIB [PASSES [LANES [ROUNDS]]]]
set -euo pipefail

if [[ $# -lt 1 ]]; then
	echo "usage: $0 MORTISE [MEMORY-KIB [PASSES [LANES [ROUNDS]]]]" >&2
	exit 1
fi
mortise=$1 memory=${2-1048576} passes=${3-4} lanes=${4-4} rounds=${5-5}
if ! command -v cryptsetup >/dev/null; then
	echo "skipped: cryptsetup is not installed"
	exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'correct horse' >"$work/key"
truncate -s 20M "$work/header"
# cryptsetup does not format with more lanes than processors, so mortise formats.
"$mortise" luksFormat --batch-mode --key-file "$work/key" --pbkdf argon2id \
	--pbkdf-memory "$memory" --pbkdf-force-iterations "$passes" --pbkdf-parallel "$lanes" \
	"$work/header"
got=$(cryptsetup luksDump "$work/header" | awk '/Threads:/ && !found++ {print $2}')
if [[ $got != "$lanes" ]]; then
	echo "formatted with $got lanes instead of $lanes" >&2
fi

# The host of a virtual machine may have reclaimed free memory; returning it takes time.
touch_memory() {
	dd if=/dev/zero of=/dev/null bs=$((memory * 4 / 3))K count=1 status=none
}

# measure_once PROGRAM: print the time in microseconds.
measure_once() {
	local start
	touch_memory
	start=${EPOCHREALTIME/./}
	"$1" open --test-passphrase --key-file "$work/key" "$work/header"
	echo $((${EPOCHREALTIME/./} - start))
}

for ((round = 0; round < rounds; round++)); do
	measure_once cryptsetup >>"$work/cryptsetup"
	measure_once "$mortise" >>"$work/mortise"
done
for program in cryptsetup mortise; do
	sort -n "$work/$program" >"$work/$program.sorted"
done
middle=$((rounds / 2 + 1))
reference=$(sed -n "${middle}p" "$work/cryptsetup.sorted")
own=$(sed -n "${middle}p" "$work/mortise.sorted")
echo "$memory KiB, $passes passes, $got lanes, $rounds rounds, us: median (min)"
echo "cryptsetup $reference ($(head -n1 "$work/cryptsetup.sorted"))"
echo "mortise    $own ($(head -n1 "$work/mortise.sorted"))"
echo "ratio      $((reference * 100 / own))%"
