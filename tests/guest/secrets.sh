#!/usr/bin/env bash
# apply, up and reset leave no passphrase in the memory of the program: neither those of the
# configuration nor those that META and STATE hold. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

library=$(dirname "$MORTISE")/tests/libmemory_search.so
program=$MORTISE
first='the passphrase of STATE, which META and STATE hold'
second='the passphrase of the data volume, which only STATE holds'

# search PASSPHRASE: what the program has of it in memory when it ends is written to $work/found.
search() {
	rm -f "$work/found"
	cat >"$work/searched" <<-END
		#!/bin/sh
		LD_PRELOAD=$library MEMORY_SEARCH_OUT=$work/found \\
		MEMORY_SEARCH=$(printf %s "$1" | perl -0777 -ne 'printf "%02x", ord($_) ^ 0x5a for split //') \\
		exec $program "\$@"
	END
	chmod +x "$work/searched"
	MORTISE=$work/searched
}

# forgets NAME COMMAND...: it succeeds, and neither it nor a program that it runs has a copy of one
# of the passphrases; then $undo.
forgets() {
	local name=$1 secret
	shift

	for secret in "$first" "$second"; do
		search "$secret"
		check "$name" "$@"
		check_equal "$name: no copy of \"${secret:0:22}...\"" \
			"$(sort -u "$work/found")" "raw 0 hex 0 base64 0"
		MORTISE=$program
		"$undo"
	done
}

again() {
	down
	new_machine
}

undo=again
new_machine
declare_keys "static: {passphrase: '$first'}, slot: 0" \
	"static: {passphrase: '$second'}, slot: 0, lockToState: true"
forgets "apply" mortise apply -f "$config"
mortise apply -f "$config" >"$work/out" 2>&1
down
undo=down
forgets "up" mortise up
mortise up >"$work/out" 2>&1
undo=true
forgets "up of open volumes" mortise up
forgets "plan" mortise plan
forgets "status" mortise status
forgets "apply of the same" mortise apply -f "$config"
down
search "$first"
check "reset" "$MORTISE" reset --yes STATE --device "META=$meta" --device "STATE=$state"
check_equal "reset: no copy" "$(sort -u "$work/found")" "raw 0 hex 0 base64 0"
finish
