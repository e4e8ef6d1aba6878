#!/bin/bash
# SPDX-License-Identifier: MIT
# --debug, --debug-json, --progress-frequency and --progress-json: their forms are those of
# cryptsetup, and they print no secrets.
. "$(dirname "$(realpath "$0")")/lib.sh"
command -v jq >/dev/null || { echo "skipped: no jq"; exit 77; }
printf 'a-passphrase-to-find' >key
head -c 64 /dev/zero | tr '\0' 'Z' >volume.key
truncate -s 70M image

# The last line of a step is always printed, however quick it is.
exits 0 "luksFormat --progress-json" "$MORTISE" luksFormat -q $cheap --luks2-keyslots-size 64M \
	--volume-key-file volume.key --progress-json image key
jq -e -s 'length > 0 and all(.[]; .device == "image" and .device_size == "67108864" and
	keys == ["device", "device_bytes", "device_size", "eta_ms", "speed", "time_ms"] and
	all(.[]; type == "string")) and .[-1].device_bytes == "67108864" and .[-1].eta_ms == "0"' \
	out >/dev/null
result $? "the lines are those of cryptsetup"
exits 0 "luksFormat --progress-frequency" "$MORTISE" luksFormat $cheap --luks2-keyslots-size 64M \
	--progress-frequency 1 image key
grep -qE '^Finished, time [0-9]{2}m[0-9]{2}s,   64 MiB written, speed +[0-9]+\.[0-9] [KMG]?i?B/s$' out
result $? "the last line is that of cryptsetup"
exits 0 "the same with -q" "$MORTISE" luksFormat -q $cheap --luks2-keyslots-size 64M \
	--progress-frequency 1 image key
[ ! -s out ]
result $? "-q hides the text"
exits 0 "without an option" "$MORTISE" luksFormat -q $cheap --luks2-keyslots-size 64M image key
[ ! -s out ]
result $? "nothing is printed"
exits 1 "--progress-json is not for open" "$MORTISE" open --progress-json --test-passphrase image
exits 1 "a frequency that is not a number" "$MORTISE" luksFormat -q --progress-frequency x image key

exits 0 "open --debug" "$MORTISE" open --debug --test-passphrase image -d key
grep -qE '^# header of image: UUID [0-9a-f-]{36}, epoch 3, metadata 16384 bytes, ' out
result $? "it describes the header"
exits 2 "a wrong passphrase" "$MORTISE" open --debug --test-passphrase image -d volume.key
! grep -q 'ZZZZ\|5a5a\|WlpaWl' out err
result $? "the passphrase is not printed"
for verb in "open --test-passphrase" luksDump luksUUID; do
	exits 0 "$verb --debug-json" "$MORTISE" $verb --debug-json image -d key
	! grep -q "a-passphrase" out err
	result $? "$verb: without the passphrase"
done
"$MORTISE" open --debug-json --test-passphrase image -d key | sed -n '/^# {/,/^}/p' | sed 's/^# //' |
	jq -e '.segments["0"].type == "crypt"' >/dev/null
result $? "--debug-json prints the metadata"
exits 1 "an error" "$MORTISE" luksDump --debug key
grep -q '^# ' out
result $? "with its code"
finish
