#!/usr/bin/env bash
# 200 machines boot at once, and their KMS answers 20 calls per second. All of them must open their
# volume in the end. Each machine is a process that plans a volume whose only key is from the KMS.
# The script prints the distribution of their attempts. MORTISE: the program.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${MORTISE:?the program under test}"
machines=200
rate=20

NODE_PATH=$("$here/../../tools/npm-packages")
export NODE_PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/mortise-fleet.XXXXXX")
kms=

end() {
	[[ -z $kms ]] || kill "$kms" 2>/dev/null || true
	rm -rf "$work"
}
trap end EXIT

# start RATE: starts the KMS, with the same key each time.
start() {
	[[ -z $kms ]] || kill "$kms"
	rm -f "$work/port"
	: >"$work/log"
	node "$here/server.mjs" --port-file "$work/port" --key-path "$work/key" --log "$work/log" \
		--rate "$1" </dev/null &
	kms=$!
	for _ in {1..3000}; do
		[[ ! -s $work/port ]] || break
		sleep 0.1
	done
	port=$(cat "$work/port")
}

start 0
truncate -s 20M "$work/disk"
printf fleet >"$work/passphrase"
"$MORTISE" luksFormat -q --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4 \
	--key-file "$work/passphrase" --key-slot 1 "$work/disk"
"$MORTISE" enroll "$work/disk" --kms "127.0.0.1:$port" --key-slot 0 \
	--node-uuid 00000000-0000-4000-8000-000000000000 --key-file "$work/passphrase"
start "$rate"
cat >"$work/config.yaml" <<END
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
encryption:
  provider: luks2
  keys:
    - {slot: 0, kms: {endpoint: "grpc://127.0.0.1:$port"}}
END

pids=()
for ((i = 0; i < machines; i++)); do
	"$MORTISE" plan -q -f "$work/config.yaml" --device "data=$work/disk" --wait 1200 \
		--node-uuid "$(printf '%08d-0000-4000-8000-%012d' "$i" "$i")" \
		</dev/null >"$work/said.$i" 2>&1 &
	pids+=($!)
done
failed=0
for ((i = 0; i < machines; i++)); do
	wait "${pids[i]}" || true
	grep -q 'open .* with keyslot 0' "$work/said.$i" || {
		failed=$((failed + 1))
		cat "$work/said.$i"
	}
done

# Each line of the log is an attempt, with the UUID of the machine.
jq -s -r --argjson machines "$machines" --argjson rate "$rate" '
	(map(.ms) | min) as $begin | map(. + {second: ((.ms - $begin) / 1000 | floor)}) as $tries |
	($tries | group_by(.node) | map(length) | sort) as $each |
	"\($machines) machines, \($rate) answers per second: \($tries | length) attempts, " +
	"per machine \($each | first) to \($each | last), median \($each[($each | length) / 2 | floor])",
	"second  tries  answered",
	($tries | group_by(.second)[] | "\(.[0].second | tostring | "      "[length:] + .)  " +
	"\(length | tostring | "     "[length:] + .)  \(map(select(.status == 0 or .status == "OK")) |
	length | tostring | "        "[length:] + .)")' "$work/log"
echo "$((machines - failed)) of $machines opened"
[[ $failed -eq 0 ]]
