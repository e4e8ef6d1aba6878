#!/bin/bash
# SPDX-License-Identifier: MIT
# The small static programs run every verb in 2 MiB of address space, including code and stack; the
# memory that Argon2 is configured to use is added to that. glibc alone takes more than 1 MiB: with
# it, the limit is the size of the program plus 1 MiB, or plus 2 MiB where libblkid searches for
# signatures.
. "$(dirname "$(realpath "$0")")/lib.sh"

if ldd "$MORTISE" 2>/dev/null | grep -q '=>'; then
	echo "skipped: not a static program"
	exit 77
fi
program=$(($(stat -c %s "$MORTISE") / 1024))
limit=2048
[ $program -lt 700 ] || limit=$((program + 1024))

# small STATUS DESCRIPTION ARGUMENT...: runs mortise with limited address space.
small() {
	local want=$1 what=$2
	shift 2
	exits "$want" "$what" bash -c 'ulimit -v "$1" && shift && exec "$@"' - $limit \
		"$MORTISE" "$@"
}

printf secret >key
printf another >new
truncate -s 17M image
small 0 luksFormat luksFormat -q $cheap image key
small 0 isLuks isLuks image
small 0 luksUUID luksUUID image
small 0 luksDump luksDump image
small 0 "luksDump --dump-json-metadata" luksDump --dump-json-metadata image
small 0 "luksDump --dump-volume-key" luksDump -q --dump-volume-key -d key image
small 0 "open" open --test-passphrase -d key image
small 2 "open with a wrong key" open --test-passphrase -d new image
small 0 luksAddKey luksAddKey -q $cheap -d key image new
small 0 luksChangeKey luksChangeKey -q $cheap -d key image new
small 0 config config --label x image
echo '{"type":"t","keyslots":[]}' >token.json
small 0 "token import" token import --json-file token.json image
small 0 "token export" token export --token-id 0 image
small 0 luksKillSlot luksKillSlot -q image 1
small 0 luksRemoveKey luksRemoveKey -q image new
small 0 erase erase -q image
if [ $program -lt 700 ]; then
	# The 64 KiB that Argon2 uses.
	limit=$((limit + 64))
	small 0 "luksFormat with Argon2" luksFormat -q --pbkdf-memory 64 \
		--pbkdf-force-iterations 4 --pbkdf-parallel 1 image key
	small 0 "open with Argon2" open --test-passphrase -d key image
	limit=$((limit - 64))
fi
if has "declared yes"; then
	[ $program -lt 700 ] || limit=$((limit + 1024))
	truncate -s 64M state
	cat >config.yaml <<-'YAML'
		apiVersion: v1alpha1
		kind: VolumeConfig
		name: STATE
		encryption:
		  provider: luks2
		  keys:
		    - slot: 0
		      static:
		        passphrase: a passphrase
	YAML
	small 0 "plan" plan -f config.yaml --device STATE=state
	small 1 "status of volumes" status -f config.yaml --device STATE=state
fi
finish
