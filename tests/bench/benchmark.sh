#!/bin/bash
# SPDX-License-Identifier: MIT
# Each benchmark once, with tiny parameters: the document against the schema, the figures
# against common sense, text against cryptsetup's. No time is compared with any other.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/cli/lib.sh
. "$here/../cli/lib.sh"
schema=$here/../../bench/schema/result.json
if ! /usr/bin/python3 -c 'import jsonschema' 2>/dev/null; then
	echo "skipped: no python3-jsonschema"
	exit 77
fi

# ok DESCRIPTION COMMAND...
ok() {
	local what=$1
	shift
	"$@" >log 2>&1
	local got=$?
	result $got "$what"
	[ $got = 0 ] || sed 's/^/# /' log
}

# measure FILE WORDS...: a document that the schema takes.
measure() {
	local file=$1
	shift
	ok "benchmark $* --json" sh -c '"$@" >"$0"' "$file" "$MORTISE" benchmark "$@" --json
	ok "its document" "$here/schema" "$schema" "$file"
}

# holds FILE FILTER DESCRIPTION
holds() {
	ok "$3" jq -e "$2" "$1"
}

tiny="--pbkdf-memory 64 --pbkdf-force-iterations 4 --runs 3"

# Argon2: shape and arithmetic.
# shellcheck disable=SC2086
measure argon2.json argon2 $tiny
holds argon2.json '[.results[].name] == ["argon2/argon2id m=64 t=4 p=1",
	"argon2/argon2id m=64 t=4 p=2", "argon2/argon2id m=64 t=4 p=4"]' "a row for each of 1, 2, 4 lanes"
holds argon2.json '.results | all(.metrics | .time.runs == 3 and .limit.runs == 3 and
	.time.min <= .time.median and .time.median <= .time.p99 and .limit.median > 0 and
	.bandwidth.value > 0 and .guesses.value > 0)' "its figures"
holds argon2.json '.results[0].metrics | (.bandwidth.value * .time.median / 1000 / (64 * 1024 * 11) - 1) |
	fabs < 0.01' "bandwidth counts 2 KiB a block, then 3"
holds argon2.json '.machine | .cpus > 0 and .memory > 0 and (.kernel | startswith("Linux")) and
	.architecture != null' "facts of the machine"

holds argon2.json '.results | all(.parameters.implementation | length > 0)' "whose Argon2 it is"

# A result of another device chooses for it: 1 ms for 1024 KiB a pass, with one lane.
jq '.machine.cpus = 1 | .machine.memory = 1073741824 | .results = [.results[0] |
	.parameters = { type: "argon2id", memoryKiB: 65536, passes: 4, lanes: 1 } |
	.metrics.time.median = 256 | .metrics.firstPass.median = 64]' argon2.json >slow.json
scaled() {
	"$MORTISE" benchmark argon2 --scale slow.json "$@" | tail -n 1
}
ok "the most memory that fits the time" test "$(scaled --target-ms 512 --target-memory 1G)" = \
	"--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 131072 --pbkdf-parallel 1"
ok "then more passes" test "$(scaled --target-ms 512 --target-memory 64M)" = \
	"--pbkdf argon2id --pbkdf-force-iterations 8 --pbkdf-memory 65536 --pbkdf-parallel 1"
ok "half of its memory at most" test "$(scaled --target-ms 100000 --target-memory 4G)" = \
	"--pbkdf argon2id --pbkdf-force-iterations 195 --pbkdf-memory 524288 --pbkdf-parallel 1"
exits 1 "a time too short for any cost" "$MORTISE" benchmark argon2 --scale argon2.json \
	--target-ms 1 --target-memory 16K
exits 1 "a file that is no result" "$MORTISE" benchmark argon2 --scale /etc/passwd
# What is pasted is taken.
truncate -s 20M volume
printf x >key
# shellcheck disable=SC2046
ok "luksFormat takes the options" "$MORTISE" luksFormat -q $(scaled --target-ms 1 --target-memory 64K) \
	volume key

# Keyslots.
# shellcheck disable=SC2086
measure keyslot.json keyslot $tiny --pbkdf-parallel 1
holds keyslot.json '[.results[].name] == ["keyslot/least/create", "keyslot/least/open",
	"keyslot/forced/create", "keyslot/forced/open"]' "least and given cost"
holds keyslot.json '.results | all(.metrics | .kdf.runs == 3 and .total.runs == 3 and
	.splitter.median > 0)' "its steps"

# One device: every slot without a passphrase, one of them with it.
printf y >second
ok "a second slot" "$MORTISE" luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 -d key \
	volume second
sum=$(sha256sum volume)
measure unlock.json unlock volume --runs 3
holds unlock.json '[.results[].name] == ["unlock/header", "unlock/keyslot 0", "unlock/keyslot 1"]' \
	"header and slots"
holds unlock.json '.results[1].metrics | has("total") | not' "nothing is opened without a key"
measure opened.json unlock volume --key-file key --runs 3
holds opened.json '.results[1].metrics.total.runs == 3 and (.results[2].metrics | has("total") | not)' \
	"the slot of the key is opened"
measure one.json unlock volume --key-slot 1 --runs 3
holds one.json '.results | length == 2' "only the slot asked for"
ok "the device is as before" test "$sum" = "$(sha256sum volume)"
exits 2 "a wrong key" sh -c 'printf z | "$0" benchmark unlock volume --key-file - --runs 1' "$MORTISE"
exits 1 "no header" "$MORTISE" benchmark unlock /etc/passwd
exits 4 "no device" "$MORTISE" benchmark unlock nowhere

# The table, in cryptsetup's words.
measure table.json --cipher aes-xts-plain64 --key-size 512 --runs 3
holds table.json '.results[0] | .name == "table/aes-xts 512" and .metrics.encryption.median > 0' \
	"a cipher"
ok "the line of PBKDF2" sh -c '"$0" benchmark --hash sha256 |
	grep -qE "^PBKDF2-sha256 +[0-9]+ iterations per second for 256-bit key$"' "$MORTISE"
ok "the line of Argon2" sh -c '"$0" benchmark --pbkdf argon2id --iter-time 10 --pbkdf-memory 1024 |
	grep -qE "^argon2id +[0-9]+ iterations, +[0-9]+ memory, [0-9] parallel threads \(CPUs\) for 256-bit key \(requested 10 ms time\)$"' \
	"$MORTISE"
says 1 "Cipher serpent-xts-plain64 (with 256 bits key) is not available." "a cipher that is not there" \
	"$MORTISE" benchmark --cipher serpent-xts-plain64
exits 1 "a hash that is not there" "$MORTISE" benchmark --hash nothing

# Side by side.
measure compare.json --compare argon2.json argon2.json
holds compare.json '.results | length == 3 and all(.metrics.time | .verdict == "same" and .ratio == 1)' \
	"a run differs from itself in nothing"
jq '.results[0].metrics.time |= (.min *= 3 | .median *= 3 | .p99 *= 30)' argon2.json >slower.json
"$MORTISE" benchmark --compare argon2.json slower.json --json >compare.json
holds compare.json '.results[0].metrics.time | .verdict != "better" and .ratio > 2.9' "three times slower"
jq '.results[0].metrics.time |= (.min = 1 | .median = 2 | .p99 = 3)' argon2.json >a.json
jq '.results[0].metrics.time |= (.min = 4 | .median = 5 | .p99 = 6)' argon2.json >b.json
"$MORTISE" benchmark --compare a.json b.json --json >compare.json
holds compare.json '.results[0].metrics.time.verdict == "worse"' "beyond the spread: worse"
"$MORTISE" benchmark --compare b.json a.json --json >compare.json
holds compare.json '.results[0].metrics.time.verdict == "better"' "the other way round: better"

# All in one, and what is refused.
measure all.json all volume --runs 1 --time-limit 1
holds all.json '[.results[].name | split("/")[0]] | unique | length >= 1' "rows of all"
holds all.json '.warnings | any(contains("time limit"))' "what did not fit is said"
exits 1 "an unknown benchmark" "$MORTISE" benchmark speed
exits 1 "a device where none is used" "$MORTISE" benchmark argon2 volume
exits 1 "unlock without one" "$MORTISE" benchmark unlock
exits 1 "no runs at all" "$MORTISE" benchmark argon2 --runs 0
says 1 "as/cryptsetup: Option --time-limit is not allowed with benchmark action." \
	"as cryptsetup: its options only" as/cryptsetup benchmark --time-limit 1
says 1 "as/cryptsetup: Option --key-slot is not allowed with benchmark action." \
	"as cryptsetup: no key slot" as/cryptsetup benchmark --key-slot 1
finish
