#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs each benchmark once, with tiny parameters. The document must match the schema, the figures
# must be plausible, and the text must have cryptsetup's format. No times are compared.
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

# measure FILE ARGUMENT...: runs a benchmark, and checks the document in FILE against the schema.
measure() {
	local file=$1
	shift
	ok "benchmark $* --json" sh -c '"$@" >"$0"' "$file" "$MORTISE" benchmark "$@" --json
	ok "benchmark $*: the document matches the schema" "$here/schema" "$schema" "$file"
}

# holds FILE FILTER DESCRIPTION: the jq filter is true for the document.
holds() {
	ok "$3" jq -e "$2" "$1"
}

tiny="--pbkdf-memory 64 --pbkdf-force-iterations 4 --runs 3"

# Argon2: rows and figures.
# shellcheck disable=SC2086
measure argon2.json argon2 $tiny
holds argon2.json '[.results[].name] == ["argon2/argon2id m=64 t=4 p=1",
	"argon2/argon2id m=64 t=4 p=2", "argon2/argon2id m=64 t=4 p=4"]' "a row for each of 1, 2, 4 lanes"
holds argon2.json '.results | all(.metrics | .time.runs == 3 and .limit.runs == 3 and
	.time.min <= .time.median and .time.median <= .time.p99 and .limit.median > 0 and
	.bandwidth.value > 0 and .guesses.value > 0)' "argon2: plausible figures"
holds argon2.json '.results[0].metrics | (.bandwidth.value * .time.median / 1000 / (64 * 1024 * 11) - 1) |
	fabs < 0.01' "argon2: bandwidth counts 2 KiB per block in the first pass, then 3 KiB"
holds argon2.json '.machine | .cpus > 0 and .memory > 0 and (.kernel | startswith("Linux")) and
	.architecture != null' "description of the machine"

holds argon2.json '.results | all(.parameters.implementation | length > 0)' "argon2: name of the implementation"

# --scale selects options for the device of a result file: here 1 ms for 1024 KiB per pass, one
# lane.
jq '.machine.cpus = 1 | .machine.memory = 1073741824 | .results = [.results[0] |
	.parameters = { type: "argon2id", memoryKiB: 65536, passes: 4, lanes: 1 } |
	.metrics.time.median = 256 | .metrics.firstPass.median = 64]' argon2.json >slow.json
scaled() {
	"$MORTISE" benchmark argon2 --scale slow.json "$@" | tail -n 1
}
ok "--scale: the most memory that fits the time" test "$(scaled --target-ms 512 --target-memory 1G)" = \
	"--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 131072 --pbkdf-parallel 1"
ok "--scale: then more passes" test "$(scaled --target-ms 512 --target-memory 64M)" = \
	"--pbkdf argon2id --pbkdf-force-iterations 8 --pbkdf-memory 65536 --pbkdf-parallel 1"
ok "--scale: at most half of the device's memory" test "$(scaled --target-ms 100000 --target-memory 4G)" = \
	"--pbkdf argon2id --pbkdf-force-iterations 195 --pbkdf-memory 524288 --pbkdf-parallel 1"
exits 1 "--scale: a time too short for any cost" "$MORTISE" benchmark argon2 --scale argon2.json \
	--target-ms 1 --target-memory 16K
exits 1 "--scale: a file that is not a result" "$MORTISE" benchmark argon2 --scale /etc/passwd
# luksFormat accepts the printed options.
truncate -s 20M volume
printf x >key
# shellcheck disable=SC2046
ok "luksFormat accepts the printed options" "$MORTISE" luksFormat -q $(scaled --target-ms 1 --target-memory 64K) \
	volume key

# Keyslots.
# shellcheck disable=SC2086
measure keyslot.json keyslot $tiny --pbkdf-parallel 1
holds keyslot.json '[.results[].name] == ["keyslot/least/create", "keyslot/least/open",
	"keyslot/forced/create", "keyslot/forced/open"]' "keyslot: minimum and given cost"
holds keyslot.json '.results | all(.metrics | .kdf.runs == 3 and .total.runs == 3 and
	.splitter.median > 0)' "keyslot: times of the steps"

# unlock of a device: without a key, all slots are listed; with a key, its slot is opened.
printf y >second
ok "a second slot" "$MORTISE" luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 -d key \
	volume second
sum=$(sha256sum volume)
measure unlock.json unlock volume --runs 3
holds unlock.json '[.results[].name] == ["unlock/header", "unlock/keyslot 0", "unlock/keyslot 1"]' \
	"unlock: header and slots"
holds unlock.json '.results[1].metrics | has("total") | not' "unlock: no slot is opened without a key"
measure opened.json unlock volume --key-file key --runs 3
holds opened.json '.results[1].metrics.total.runs == 3 and (.results[2].metrics | has("total") | not)' \
	"unlock: the slot of the key is opened"
measure one.json unlock volume --key-slot 1 --runs 3
holds one.json '.results | length == 2' "unlock: only the selected slot"
ok "unlock: the device is unchanged" test "$sum" = "$(sha256sum volume)"
exits 2 "unlock: wrong key" sh -c 'printf z | "$0" benchmark unlock volume --key-file - --runs 1' "$MORTISE"
exits 1 "unlock: no header" "$MORTISE" benchmark unlock /etc/passwd
exits 4 "unlock: no device" "$MORTISE" benchmark unlock nowhere

# The table of cryptsetup.
measure table.json --cipher aes-xts-plain64 --key-size 512 --runs 3
holds table.json '.results[0] | .name == "table/aes-xts 512" and .metrics.encryption.median > 0' \
	"table: a cipher"
ok "table: the line of PBKDF2" sh -c '"$0" benchmark --hash sha256 |
	grep -qE "^PBKDF2-sha256 +[0-9]+ iterations per second for 256-bit key$"' "$MORTISE"
ok "table: the line of Argon2" sh -c '"$0" benchmark --pbkdf argon2id --iter-time 10 --pbkdf-memory 1024 |
	grep -qE "^argon2id +[0-9]+ iterations, +[0-9]+ memory, [0-9] parallel threads \(CPUs\) for 256-bit key \(requested 10 ms time\)$"' \
	"$MORTISE"
says 1 "Cipher serpent-xts-plain64 (with 256 bits key) is not available." "table: an unavailable cipher" \
	"$MORTISE" benchmark --cipher serpent-xts-plain64
exits 1 "table: an unavailable hash" "$MORTISE" benchmark --hash nothing

# Comparison of two results.
measure compare.json --compare argon2.json argon2.json
holds compare.json '.results | length == 3 and all(.metrics.time | .verdict == "same" and .ratio == 1)' \
	"compare: a result equals itself"
jq '.results[0].metrics.time |= (.min *= 3 | .median *= 3 | .p99 *= 30)' argon2.json >slower.json
"$MORTISE" benchmark --compare argon2.json slower.json --json >compare.json
holds compare.json '.results[0].metrics.time | .verdict != "better" and .ratio > 2.9' "compare: three times slower"
jq '.results[0].metrics.time |= (.min = 1 | .median = 2 | .p99 = 3)' argon2.json >a.json
jq '.results[0].metrics.time |= (.min = 4 | .median = 5 | .p99 = 6)' argon2.json >b.json
"$MORTISE" benchmark --compare a.json b.json --json >compare.json
holds compare.json '.results[0].metrics.time.verdict == "worse"' "compare: slower by more than the spread is worse"
"$MORTISE" benchmark --compare b.json a.json --json >compare.json
holds compare.json '.results[0].metrics.time.verdict == "better"' "compare: faster by more than the spread is better"
jq 'del(.started, .machine.kernel)' argon2.json >short.json
exits 0 "compare: a member that one document lacks" "$MORTISE" benchmark --compare argon2.json short.json
grep -q '^# B: short.json, -$' out && grep -q '^# kernel: .* | -$' out
result $? "compare: prints - for it"

# All benchmarks in one run, and errors.
measure all.json all volume --runs 1 --time-limit 1
holds all.json '[.results[].name | split("/")[0]] | unique | length >= 1' "all: rows"
holds all.json '.warnings | any(contains("time limit"))' "all: a warning about the time limit"
exits 1 "unknown benchmark" "$MORTISE" benchmark speed
exits 1 "a device for a benchmark without one" "$MORTISE" benchmark argon2 volume
exits 1 "unlock without a device" "$MORTISE" benchmark unlock
exits 1 "zero runs" "$MORTISE" benchmark argon2 --runs 0
says 1 "as/cryptsetup: Option --time-limit is not allowed with benchmark action." \
	"under the name cryptsetup: only cryptsetup's options" as/cryptsetup benchmark --time-limit 1
says 1 "as/cryptsetup: Option --key-slot is not allowed with benchmark action." \
	"under the name cryptsetup: no --key-slot" as/cryptsetup benchmark --key-slot 1
finish
