#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs compat-args-test of cryptsetup on mortise under the name cryptsetup. CRYPTSETUP_TESTS is the
# unpacked tests directory of cryptsetup 2.6.1, which is not part of this repository. Only the lines
# for unsupported features, listed below, are left out.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
: "${CRYPTSETUP_TESTS:=$("$here/../../tools/cryptsetup-tests")}"

if [ ! -f "${CRYPTSETUP_TESTS:-}/compat-args-test" ]; then
	echo "skipped: CRYPTSETUP_TESTS does not hold compat-args-test"
	exit 77
fi

# Only lines that expect success can depend on an unsupported feature; an error is always correct.
cat >lacking <<'LIST'
exp_pass resize
exp_pass reencrypt
exp_pass refresh
exp_pass tcryptDump
exp_pass .*--type (loopaes|tcrypt|bitlk)
exp_pass luksFormat.*--type luks1
exp_pass .*--serialize-memory-hard-pbkdf
exp_pass .*--refresh
LIST
has "benchmark no" && echo "exp_pass benchmark" >>lacking
has "luks1 no" && echo "exp_pass convert" >>lacking
sed 's/^/^/' lacking >patterns
grep -v -E -f patterns "$CRYPTSETUP_TESTS/compat-args-test" >compat-args-test
left=$(grep -c '^exp_' compat-args-test)
out=$(grep -c -E -f patterns "$CRYPTSETUP_TESTS/compat-args-test")
echo "# $left lines, $out left out"
CRYPTSETUP_PATH=$work/as bash ./compat-args-test >log 2>&1
result $? "compat-args-test, $left lines"
[ "$failed" = 0 ] || sed 's/^/# /' log
[ "$left" -gt 110 ]
result $? "most lines were run"
finish
