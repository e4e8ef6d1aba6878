#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs bench/compare once, with tiny parameters, and checks its document.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/cli/lib.sh
. "$here/../cli/lib.sh"
need_referee
schema=$here/../../bench/schema/result.json
for tool in valgrind strace cc; do
	command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
# A program with sanitizers does not run under valgrind, and its speed is meaningless.
if ldd "$MORTISE" | grep -q asan; then
	echo "skipped: built with sanitizers"
	exit 77
fi

exits 0 "bench/compare --tiny" "$here/../../bench/compare" --tiny --mortise "$MORTISE" \
	--cryptsetup "$referee" --output programs.json
exits 0 "the document matches the schema" "$here/schema" "$schema" programs.json
exits 0 "the document has every comparison" jq -e '[.results[].name] == ["programs/unlock m=64 t=4 p=1",
	"programs/unlock m=64 t=4 p=2", "programs/cheapest time", "programs/cheapest peak memory",
	"programs/cheapest instructions", "programs/cheapest system calls"]' programs.json
exits 0 "each comparison has both programs" jq -e '.results |
	all(.metrics | has("mortise") and has("cryptsetup") and ."cryptsetup/mortise".value > 0)' \
	programs.json
exits 0 "benchmark --compare accepts the document" "$MORTISE" benchmark --compare programs.json programs.json
finish
