#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs bench/sealed once, with small costs, and checks that its output has every comparison.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/cli/lib.sh
. "$here/../cli/lib.sh"
need_referee
if ldd "$MORTISE" | grep -q asan; then
	echo "skipped: built with sanitizers"
	exit 77
fi
exits 0 "bench/sealed --tiny" "$here/../../bench/sealed" "$MORTISE" --tiny
for line in "cryptsetup, Talos's keyslot" "mortise, KMS on this machine" \
	"mortise, swtpm on this machine" "mortise, local work alone"; do
	grep -q "^$line.* us" out
	result $? "a line for $line"
done
finish
