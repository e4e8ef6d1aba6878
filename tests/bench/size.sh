#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs bench/size once, with two verbs. Every table must be printed, with the size of the file.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/cli/lib.sh
. "$here/../cli/lib.sh"
need_referee
for tool in strace prlimit cc gcc-nm; do
	command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done

exits 0 "bench/size --tiny" "$here/../../bench/size" --tiny --build "$(dirname "$BUILD")" \
	--cryptsetup "$referee"
cp out tables
[ "$(grep -c '^### ' tables)" = 5 ]
result $? "five tables"
grep '^| \*\*stripped file\*\* |' tables | tr -d ', ' |
	grep -q "|$(stat -c %s "$MORTISE")|"
result $? "the first table has the size of the file"
for part in cli/ dm/ keys/ keys/argon2/ luks2/ volume/ libc; do
	grep -q "^| $part | [0-9,]*[0-9]" tables
	result $? "a row for $part"
done
[ "$(grep -c '^| isLuks |' tables)" = 3 ]
result $? "system calls, peak memory and address space of a verb"
finish
