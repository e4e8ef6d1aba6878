#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No branch and no address depends on a secret in the code that time.c calls, with any crypto library.
#
# usage: time.sh PROGRAM... (built from time.c)
set -euo pipefail

if ! command -v valgrind >/dev/null; then
	echo "skipped: valgrind is not installed"
	exit 77
fi
for program; do
	said=$(valgrind --quiet "$program" 2>"${TMPDIR:-/tmp}/mortise-time.$$") || {
		echo "$said"
		exit 1
	}
	said=${said//$'\n'/, }
	echo "$said"
	if [[ $said != *", comparison: 0, base64: 0, hex: 0, merge: 0, hmac: 0, memcmp: "[1-9]* ]]; then
		cat "${TMPDIR:-/tmp}/mortise-time.$$"
		exit 1
	fi
	rm "${TMPDIR:-/tmp}/mortise-time.$$"
done
[[ $# -gt 0 ]]
