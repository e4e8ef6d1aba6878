#!/bin/bash
# SPDX-License-Identifier: MIT
# cryptsetup's own luks2-validation-test, run on mortise under the name cryptsetup: 86 images
# with one thing wrong (or only seemingly wrong) each.
# CRYPTSETUP_TESTS: the tests directory of cryptsetup's source. MORTISE: the program.
set -euo pipefail

: "${CRYPTSETUP_TESTS:=$("$(dirname "$0")/../../tools/cryptsetup-tests")}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# It writes beside itself.
cp -r "$CRYPTSETUP_TESTS" "$work/tests"
mkdir "$work/bin"
ln -s "$MORTISE" "$work/bin/cryptsetup"

# A JSON area ends in NUL bytes. The security update of jq 1.6 takes them for a value.
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
echo "$passed images judged as cryptsetup judges them"
test "$passed" -ge 80
