#!/bin/bash
# SPDX-License-Identifier: MIT
# bench/compare once, with tiny parameters: that it runs, and that its document is one.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/cli/lib.sh
. "$here/../cli/lib.sh"
need_referee
schema=$here/../../bench/schema/result.json
for tool in valgrind strace cc; do
	command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
# Sanitizers neither run under valgrind nor say anything about speed.
if ldd "$MORTISE" | grep -q asan; then
	echo "skipped: built with sanitizers"
	exit 77
fi

exits 0 "bench/compare --tiny" "$here/../../bench/compare" --tiny --mortise "$MORTISE" \
	--cryptsetup "$referee" --output programs.json
exits 0 "its document" "$here/schema" "$schema" programs.json
exits 0 "every comparison is there" jq -e '[.results[].name] == ["programs/unlock m=64 t=4 p=1",
	"programs/unlock m=64 t=4 p=2", "programs/cheapest time", "programs/cheapest peak memory",
	"programs/cheapest instructions", "programs/cheapest system calls"]' programs.json
exits 0 "both programs are in each" jq -e '.results |
	all(.metrics | has("mortise") and has("cryptsetup") and ."cryptsetup/mortise".value > 0)' \
	programs.json
exits 0 "two such documents are compared" "$MORTISE" benchmark --compare programs.json programs.json
finish
