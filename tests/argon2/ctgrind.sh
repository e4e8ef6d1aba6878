#!/usr/bin/env bash
# Timing and addresses of Argon2i must not depend on the passphrase: valgrind reports nothing. Argon2id
# depends on it by design, but not in its first half pass. valgrind must report the rest, or this test
# detects nothing.
#
# usage: ctgrind.sh PROGRAM (built from ctgrind.c)
set -euo pipefail
program=$1

if ! command -v valgrind >/dev/null; then
	echo "skipped: valgrind is not installed"
	exit 77
fi

# run TYPE KERNEL: prints 0 if valgrind reports nothing, 9 if it reports a dependency, 4 if the kernel
# is not supported under valgrind.
run() {
	local status=0
	valgrind --quiet --error-exitcode=9 "$program" "$1" "$2" \
		>/dev/null 2>&1 || status=$?
	echo "$status"
}

tried=0
for kernel in portable sse2 ssse3 avx2 avx512 neon; do
	independent=$(run i "$kernel")
	if [[ $independent == 4 ]]; then
		continue
	fi
	half=$(run half "$kernel")
	dependent=$(run id "$kernel")
	echo "$kernel: argon2i $independent, first half of argon2id $half, argon2id $dependent"
	if [[ $independent != 0 || $half != 0 || $dependent != 9 ]]; then
		echo "$kernel: expected 0, 0 and 9"
		exit 1
	fi
	tried=$((tried + 1))
done
[[ $tried -ge 1 ]]
