#!/usr/bin/env bash
# Whole processes in turn on one header: cryptsetup open --test-passphrase against mortise's.
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
# cryptsetup caps the lanes at the processors when it formats, so ours does this.
"$mortise" luksFormat --batch-mode --key-file "$work/key" --pbkdf argon2id \
	--pbkdf-memory "$memory" --pbkdf-force-iterations "$passes" --pbkdf-parallel "$lanes" \
	"$work/header"
got=$(cryptsetup luksDump "$work/header" | grep -m1 Threads: | tr -dc 0-9)
if [[ $got != "$lanes" ]]; then
	echo "formatted with $got lanes, not $lanes" >&2
fi

# Memory that was free for long may be with the host of a guest, which gives it back slowly.
warm() {
	dd if=/dev/zero of=/dev/null bs=$((memory * 4 / 3))K count=1 status=none
}

# once PROGRAM: microseconds
once() {
	local start
	warm
	start=${EPOCHREALTIME/./}
	"$1" open --test-passphrase --key-file "$work/key" "$work/header"
	echo $((${EPOCHREALTIME/./} - start))
}

for ((round = 0; round < rounds; round++)); do
	once cryptsetup >>"$work/theirs"
	once "$mortise" >>"$work/ours"
done
for who in theirs ours; do
	sort -n "$work/$who" >"$work/$who.sorted"
done
middle=$((rounds / 2 + 1))
theirs=$(sed -n "${middle}p" "$work/theirs.sorted")
ours=$(sed -n "${middle}p" "$work/ours.sorted")
echo "$memory KiB, $passes passes, $got lanes, $rounds rounds, us: median (min)"
echo "cryptsetup $theirs ($(head -n1 "$work/theirs.sorted"))"
echo "mortise    $ours ($(head -n1 "$work/ours.sorted"))"
echo "ratio      $((theirs * 100 / ours)) %"
