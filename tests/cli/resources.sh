#!/bin/bash
# SPDX-License-Identifier: MIT
# Headers that ask for resources: JSON that would need gigabytes of memory or minutes to check, and
# key derivations that would take years. All numbers are far beyond any machine, and the limits of
# time only guard against hanging.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee
: "${FORGE:?FORGE must be the path of forge}"

least="--pbkdf argon2id --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4"
printf secret >key
printf second >second
printf wrong >wrong
truncate -s 20M good
"$MORTISE" luksFormat -q $least --luks2-metadata-size 4m --key-file key good
"$MORTISE" luksAddKey -q $least --key-file key good second
dd if=good bs=4096 skip=1 count=1023 status=none | tr -d '\0' >good.json

# text START COUNT ITEM END: the good header with a member "x" before the others.
text() {
	python3 - "$@" <<-'END'
		import sys
		start, count, item, end = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
		good = open("good.json").read()
		print('{"x":' + start + item * count + end + ',' + good[1:], end="")
	END
}

# measured COMMAND...: runs it; prints its exit status, its memory in KiB and its processor seconds.
measured() {
	python3 - "$@" <<-'END'
		import resource, subprocess, sys
		with open("out", "wb") as out, open("err", "wb") as err:
		    status = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=out,
		                            stderr=err, timeout=600).returncode
		used = resource.getrusage(resource.RUSAGE_CHILDREN)
		print(status, used.ru_maxrss, int(used.ru_utime + used.ru_stime))
	END
}

# A sanitizer multiplies the memory of a program.
if grep -q __asan_init "$MORTISE"; then memory_max=$((1 << 20)); else memory_max=$((64 << 10)); fi

# loads STATUS DESCRIPTION [ERROR]: ./evil is loaded or not, within the limits.
loads() {
	local status memory seconds
	read -r status memory seconds < <(measured "$MORTISE" luksDump evil)
	[ "$status" = "$1" ]
	result $? "$2: luksDump exits with $1 ($status)"
	[ "${memory:-$memory_max}" -lt $memory_max ]
	result $? "$2: less than $memory_max KiB of memory ($memory)"
	[ "${seconds:-20}" -lt 20 ]
	result $? "$2: less than 20 s ($seconds)"
	[ -z "${3-}" ] || grep -qF "$3" err
	result $? "$2: the error says why"
}

forged() { "$FORGE" evil; }

cp --sparse=always good evil
loads 0 "a header of 4 MiB"
text '[' 1398000 '{},' '0]' | forged
loads 1 "a million objects" "too many values"
text '[' 8000000 '' "$(printf '0,%.0s' {1..9000})0]" | forged
loads 1 "9000 numbers" "too many values"
text '' 100000 '[' "$(printf ']%.0s' {1..10})" | forged
loads 1 "deep nesting" "nested too deeply"
text '"' 3000000 'a' '"' | forged
loads 0 "a text of 3 MB"
text '[' 7000 "\"$(printf 'b%.0s' {1..400})\"," '0]' | forged
loads 0 "7000 texts of 400 bytes"
text '[' 7000 '{"a":{}},' '0]' | forged
loads 1 "14000 objects" "too many values"
text '[' 7000 '{},' '0]' | forged
loads 0 "7000 objects"
text "[1,/* a '\"' */" 1398000 '{},' '0]' | forged
loads 1 "a comment that hides a quote" "not valid JSON"

# many FILTER DESCRIPTION ERROR: too many objects or references.
many() {
	jq -c "$1" good.json | forged
	loads 1 "$2" "$3"
}

many '.keyslots = ([range(33) as $i | {("\($i)"): .keyslots."0"}] | add)' "33 keyslots" \
	"more than 32 keyslots"
many '.digests = ([range(9) as $i | {("\($i)"): .digests."0"}] | add)' "9 digests" \
	"more than 8 digests"
many '.tokens = ([range(33) | {("\(.)"): {type: "a", keyslots: []}}] | add)' "33 tokens" \
	"more than 32 tokens"
many '.segments = ([range(33) as $i | {("\($i)"): .segments."0"}] | add)' "33 segments" \
	"more than 32 segments"
many '.tokens."0" = {type: "a", keyslots: [range(33) | "0"]}' "a token with 33 references" \
	"keyslots must list existing keyslots"
many '.digests."0".keyslots += [range(33) | "0"]' "a digest with 35 references" \
	"keyslots must list existing keyslots"

# Tokens from outside have the same limits.
cp --sparse=always good evil
printf '{"type":"a","keyslots":[],"x":[%s0]}' "$(printf '{},%.0s' {1..9000})" >token.json
exits 1 "a token with 9000 objects" "$MORTISE" token import --json-file token.json evil
grep -q '^invalid token: too many values' err
result $? "a token with 9000 objects: the error says why"

# bomb FILTER: slot 0 of ./evil gets another cost.
bomb() {
	jq -c "$1" good.json | forged
}

# slow WHO DESCRIPTION ARGUMENT...: refused, with a time that does not end.
slow() {
	local who=$1 what=$2
	shift 2
	exits 1 "$what" timeout 600 "$MORTISE" open --test-passphrase "$@" evil
	grep -qE "^$who would take about [0-9]{3,} s to derive on this machine, and the limit is [0-9]+ s; to wait longer, use --max-unlock-time" err
	result $? "$what: the error names the time and the option"
}

argon='.keyslots."0".kdf.time = 4294967295'
big="$argon | .keyslots.\"0\".kdf.memory = 65536"
pbkdf2='.keyslots."0".kdf = {type: "pbkdf2", hash: "sha256", iterations: 4294967295,
	salt: .keyslots."0".kdf.salt}'
for filter in "$argon" "$big" "$pbkdf2"; do
	bomb "$filter"
	slow "keyslot 0" "keyslot 0 would take years" --key-file key -S 0
	exits 0 "keyslot 1 is tried all the same" timeout 600 "$MORTISE" open --test-passphrase \
		--key-file second evil
	exits 2 "no keyslot opens with a wrong passphrase" timeout 600 "$MORTISE" open \
		--test-passphrase --key-file wrong evil
	grep -q '^No key available with this passphrase. (keyslot 0 would take' err
	result $? "the error names the keyslot that was not tried"
	exits 0 "a keyslot is added with the other key" timeout 600 "$MORTISE" luksAddKey -q $least \
		--key-file second evil key
done
bomb '.digests."0".iterations = 4294967295'
slow "digest 0" "a digest would take hours" --key-file key --max-unlock-time 20
exits 1 "the volume key is not verified" timeout 600 "$MORTISE" luksDump -q --dump-volume-key \
	--key-file second evil

# An ordinary cost within the limit, and without one. SIGTERM ends a derivation.
bomb '.'
exits 0 "an ordinary keyslot with a limit of a second" "$MORTISE" open --test-passphrase \
	--key-file key --max-unlock-time 1 evil
bomb "$argon"
"$MORTISE" open --test-passphrase --key-file key -S 0 --max-unlock-time 0 evil >out 2>err &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
[ $? = 143 ] && grep -q '^canceled' err
result $? "without a limit, SIGTERM ends the derivation"
finish
