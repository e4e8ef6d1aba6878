#!/bin/bash
# SPDX-License-Identifier: MIT
# No passphrase is left in the memory of the program when it exits: not in its heap, its stack or the
# buffers of stdio and libblkid. MEMORY_SEARCH_LIBRARY: tests/memory_search.c, to be preloaded.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"

if [ -z "$MEMORY_SEARCH_LIBRARY" ] || ! ldd "$MORTISE" 2>/dev/null | grep -q '=>'; then
	echo "skipped: the search needs a dynamic program"
	exit 77
fi

secret='correct horse battery staple, 48 bytes in all ++'
mask=$(printf %s "$secret" | perl -0777 -ne 'printf "%02x", ord($_) ^ 0x5a for split //')
printf %s "$secret" >pass

# searched COMMAND...: run it with the search.
searched() {
	rm -f found
	LD_PRELOAD=$MEMORY_SEARCH_LIBRARY MEMORY_SEARCH=$mask MEMORY_SEARCH_OUT=$work/found "$@"
}

# forgets STATUS DESCRIPTION ARGUMENT...: the program ends with this status and has no copy.
forgets() {
	local want=$1 what=$2
	shift 2
	exits "$want" "$what" searched "$MORTISE" "$@"
	[ "$(cat found)" = "raw 0 hex 0 base64 0" ]
	result $? "$what: no copy of the passphrase"
	[ "$(cat found)" = "raw 0 hex 0 base64 0" ] || sed 's/^/# /' found
}

MEMORY_SEARCH_LEAK=1 searched "$MORTISE" --version >out
grep -qx 'raw [1-9].* hex [1-9].* base64 [1-9].*' found
result $? "the search finds what is leaked"
# What the program is given on its command line stays there.
searched "$MORTISE" isLuks "$secret" 2>err
! grep -q 'raw 0' found
result $? "the search finds the arguments"

truncate -s 20M image
forgets 0 luksFormat luksFormat -q $cheap image pass
forgets 0 open open --test-passphrase --key-file pass image
printf another >new
forgets 0 luksAddKey luksAddKey -q $cheap --key-file pass image new
forgets 0 luksChangeKey luksChangeKey -q $cheap -S 1 --key-file new image pass

if has "declared yes"; then
	cat >config.yaml <<-YAML
		apiVersion: v1alpha1
		kind: UserVolumeConfig
		name: data
		encryption: {provider: luks2, keys: [{static: {passphrase: "$secret"}, slot: 0}]}
	YAML
	forgets 0 "plan of a new volume" plan -f config.yaml --device data=image
	truncate -s 40M blank
	forgets 0 "plan of a blank device" plan -f config.yaml --device data=blank
	forgets 1 status status -f config.yaml --device data=image

	# META with the keys of STATE, as Talos writes them.
	printf '{"EncryptionProvider":"luks2","EncryptionKeys":[{"KeySlot":0,"KeyStatic":{"KeyData":"%s"}}]}' \
		"$secret" >tag9
	truncate -s 1M meta
	forgets 0 "meta set" meta set 9 tag9 --device META=meta
	forgets 0 "meta set, unchanged" meta set 9 tag9 --device META=meta
	echo value >tag10
	forgets 0 "meta set of another tag" meta set 10 tag10 --device META=meta
	forgets 0 "meta list" meta list --device META=meta
	forgets 0 "meta list --json" meta list --json --device META=meta
	forgets 0 "meta get" meta get 9 --device META=meta
	forgets 0 "meta delete" meta delete 10 --device META=meta
	# STATE cannot be mounted here; META is read, and its key is tried.
	searched "$MORTISE" plan --device META=meta --device STATE=image >out 2>err
	[ "$(cat found)" = "raw 0 hex 0 base64 0" ]
	result $? "plan with META: no copy of the passphrase"
	searched "$MORTISE" up --wait 0 --device META=meta --device STATE=image >out 2>err
	[ "$(cat found)" = "raw 0 hex 0 base64 0" ]
	result $? "up with META: no copy of the passphrase"
fi
finish
