#!/usr/bin/env bash
# Time and addresses of Argon2i do not depend
# on the passphrase: valgrind reports nothing. The rest of Argon2id does depend on it, by
# design, and must be reported, or this test sees nothing at all.
# usage: ctgrind.sh PROGRAM (ctgrind.c)
set -euo pipefail
program=$1

if ! command -v valgrind >/dev/null; then
	echo "skipped: valgrind is not installed"
	exit 77
fi

# run TYPE KERNEL: 0 nothing reported, 9 something was, 4 valgrind does not run such a kernel
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
	dependent=$(run id "$kernel")
	echo "$kernel: argon2i $independent, argon2id $dependent"
	if [[ $independent != 0 || $dependent != 9 ]]; then
		echo "$kernel: 0 and 9 were expected"
		exit 1
	fi
	tried=$((tried + 1))
done
[[ $tried -ge 1 ]]
