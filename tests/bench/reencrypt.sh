#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs bench/reencrypt once on small images: each kind of reencryption, with several zones. It checks
# the data at the end.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/cli/lib.sh
. "$here/../cli/lib.sh"
need_referee

exits 0 "each kind of reencryption" "$here/../../bench/reencrypt" --mortise "$MORTISE" \
	--cryptsetup "$referee" --directory . --size 8 --rounds 1 --sector-size 512
grep -qF "| decrypt, none |" out
result $? "the table has the last kind"
finish
