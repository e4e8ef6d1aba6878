#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs luks2-validation-test of cryptsetup on mortise under the name cryptsetup: 86 images, each
# with one error, or with one oddity that is valid. CRYPTSETUP_TESTS: the tests directory of the
# cryptsetup source. MORTISE: the program.
set -euo pipefail

: "${CRYPTSETUP_TESTS:=$("$(dirname "$0")/../../tools/cryptsetup-tests")}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The test writes to its own directory.
cp -r "$CRYPTSETUP_TESTS" "$work/tests"
mkdir "$work/bin"
ln -s "$MORTISE" "$work/bin/cryptsetup"

# A JSON area is padded with NUL bytes, which jq 1.6 with Debian's security update parses as a
# value.
cat > "$work/bin/jq" <<'JQ'
#!/bin/bash
last=${!#}
if [ -f "$last" ]; then
	tr -d '\0' < "$last" | "$REAL_JQ" "${@:1:$#-1}"
else
	exec "$REAL_JQ" "$@"
fi
JQ
chmod +x "$work/bin/jq"
REAL_JQ=$(command -v jq)
export REAL_JQ

cd "$work/tests"
PATH="$work/bin:$PATH" CRYPTSETUP_PATH="$work/bin" bash ./luks2-validation-test > "$work/log" 2>&1 ||
	{ grep -v -e 'OK$' -e 'done$' "$work/log"; exit 1; }
passed=$(grep -c 'OK$' "$work/log")
echo "$passed images accepted or rejected as by cryptsetup"
test "$passed" -ge 80
