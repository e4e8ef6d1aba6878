#!/bin/sh
# SPDX-License-Identifier: MIT
# token add and unassign, luksConvertKey, luksAddKey --new-token-id and the tokens of removed
# keyslots, compared with cryptsetup 2.6.1: exit status, output, and the tokens afterwards.
if [ -z "${IN_SESSION:-}" ]; then
	if ! keyctl session - true >/dev/null 2>&1; then
		echo "skipped: no keyctl, or no keyrings here"
		exit 77
	fi
	IN_SESSION=1 exec keyctl session - "$(realpath "$0")"
fi
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee

printf 'secret' >key
printf 'other' >key1
keyctl add user mortise:right secret @s >/dev/null || exit 1
keyctl add user mortise:new 'a new one' @s >/dev/null || exit 1
printf 'a new one' >new
truncate -s 17M image
"$referee" luksFormat -q $cheap image key || exit 1
"$referee" luksAddKey -q $cheap image -d key key1 || exit 1
cp --sparse=always image bare

tokens_of() {
	"$referee" luksDump --dump-json-metadata "$1" | jq -S .tokens
}

# both DESCRIPTION ARGUMENT...: as same, and both leave the same tokens in x.
both() {
	same "$@"
	tokens_of x >tokens.m
	cp --sparse=always image x
	shift
	feed | "$referee" "$@" >/dev/null 2>&1
	tokens_of x >tokens.c
	cmp -s tokens.c tokens.m
	result $? "the tokens are the same: $*"
}

kept() { # make x the image
	cp --sparse=always x image
}

# Adding and unlinking.
both "a token for all keyslots" token add x --key-description mortise:right -v
both "a token with a number" token add x --key-description mortise:right --token-id 7 -v
both "a token for one keyslot" token add x --key-description mortise:right --key-slot 1 -v
both "a token for no keyslot" token add x --key-description mortise:right --unbound -v
exits 1 "an empty description" "$MORTISE" token add image --key-description ''
both "no such keyslot" token add x --key-description mortise:right --key-slot 5
both "no such number" token add x --key-description mortise:right --token-id 32
"$referee" token add image --key-description mortise:right --key-slot 0 --token-id 3
both "a number in use" token add x --key-description other --token-id 3
both "its replacement" token add x --key-description other --token-id 3 --token-replace -v
both "unassign" token unassign x --token-id 3 --key-slot 0 -v
kept
both "unassign it again" token unassign x --token-id 3 --key-slot 0 -v
both "unassign a keyslot that does not exist" token unassign x --token-id 3 --key-slot 9
both "unassign a token that does not exist" token unassign x --token-id 9 --key-slot 0

cp bare image
exits 0 "a token of mortise" "$MORTISE" token add image --key-description mortise:right --key-slot 0
exits 0 "opens for cryptsetup" "$referee" open --test-passphrase --token-only image
exits 0 "and for mortise" "$MORTISE" open --test-passphrase --token-only image
# cryptsetup refuses quotes and backslashes.
exits 0 "odd characters" "$MORTISE" token add image --key-description 'a"\ü	%s' --token-id 20
[ "$(tokens_of image | jq -r '.["20"].key_description')" = 'a"\ü	%s' ]
result $? "they are stored as they are"
cp bare image

# A keyslot whose passphrase is that of a token.
"$referee" token add image --key-description mortise:new --token-id 5 --unbound
same "luksAddKey --new-token-id" luksAddKey -q $cheap x -d key --new-token-id 5
exits 0 "its passphrase opens the keyslot" \
	"$referee" open --test-passphrase -d new --key-slot 2 x
exits 2 "another one does not" "$referee" open --test-passphrase -d key --key-slot 2 x
feed() { printf 'secret\n'; }
same "with a passphrase" luksAddKey -q $cheap x --new-token-id 5
feed() { :; }
cp image x
"$referee" token add x --token-id 8 --key-description mortise:right --key-slot 0
exits 0 "both keys by token" "$MORTISE" luksAddKey -q $cheap x --token-only --new-token-id 5
exits 0 "its passphrase opens the keyslot" "$referee" open --test-passphrase -d new -S 2 x
exits 1 "a token that does not exist" "$MORTISE" luksAddKey -q $cheap x -d key --new-token-id 9
keyctl purge user mortise:new >/dev/null 2>&1
exits 2 "a key that does not exist" "$MORTISE" luksAddKey -q $cheap x -d key --new-token-id 5
"$referee" luksDump -q --dump-volume-key --volume-key-file vk -d key bare >/dev/null
cp bare x
exits 0 "luksAddKey by volume key" "$MORTISE" luksAddKey -q $cheap x --volume-key-file vk new
exits 0 "the keyslot opens" "$referee" open --test-passphrase -d new -S 2 x
head -c 64 /dev/urandom >vk.wrong
exits 2 "another volume key is refused" \
	"$MORTISE" luksAddKey -q $cheap x --volume-key-file vk.wrong key

# luksConvertKey.
cp bare image
same "convert" luksConvertKey -q x -d key -S 0 $cheap --hash sha512
same "convert, verbosely" luksConvertKey -v -q x -d key1 -S 1 --pbkdf pbkdf2 \
	--pbkdf-force-iterations 1234
exits 0 "it still opens for cryptsetup" "$referee" open --test-passphrase -S 1 -d key1 x
"$MORTISE" luksDump --dump-json-metadata x |
	jq -e '.keyslots["1"].kdf.iterations == 1234 and .keyslots["0"].kdf.iterations == 1000 and
		.digests["0"].keyslots == ["0", "1"]' >out 2>err
result $? "only this keyslot has the new cost"
cp bare x
exits 0 "another area cipher" "$MORTISE" luksConvertKey -q x -d key -S 0 --pbkdf argon2id \
	--pbkdf-force-iterations 4 --pbkdf-memory 32 --keyslot-cipher aes-cbc-essiv:sha256 \
	--keyslot-key-size 256
exits 0 "cryptsetup opens it" "$referee" open --test-passphrase -S 0 -d key x
exits 0 "the other one, too" "$referee" open --test-passphrase -S 1 -d key1 x
same "a wrong passphrase" luksConvertKey -q x -d new -S 0 $cheap
same "the passphrase of another keyslot" luksConvertKey -q x -d key1 -S 0 $cheap
same "no such keyslot" luksConvertKey -q x -d key -S 7 $cheap
same "not LUKS2" luksConvertKey -q key -d key -S 0 $cheap

# Removed keyslots take the tokens of their sealed keys along, and no others.
sealed='{"type":"talos-tpm2","keyslots":[],"sealed_private":"AA==","sealed_public":"AA=="}'
cp bare image
echo "$sealed" | "$referee" token import image --token-id 1
echo '{"type":"sideroKMS","keyslots":[],"sealedData":"AA=="}' |
	"$referee" token import image --token-id 0
echo '{"type":"systemd-recovery","keyslots":["1"]}' | "$referee" token import image --token-id 4
echo '{"type":"systemd-recovery","keyslots":["0","1"]}' |
	"$referee" token import image --token-id 5
echo '{"type":"clevis","keyslots":["1"]}' | "$referee" token import image --token-id 6
"$referee" token add image --token-id 7 --key-description other --key-slot 1
left() {
	tokens_of x | jq -c '[keys[] | tonumber] | sort'
}
cp image x
exits 0 "luksKillSlot" "$MORTISE" luksKillSlot -q x 1
[ "$(left)" = '[0,5,6,7]' ]
result $? "the tokens of the sealed and the recovery key are gone, no others"
cp image x
exits 0 "luksRemoveKey" "$MORTISE" luksRemoveKey -q x key1
[ "$(left)" = '[0,5,6,7]' ]
result $? "so they are after luksRemoveKey"
cp image x
exits 0 "erase" "$MORTISE" erase -q x
[ "$(left)" = '[6,7]' ]
result $? "erase leaves only tokens of other programs"

# Tokens that cryptsetup has left behind are replaced.
cp image x
"$referee" luksKillSlot -q x 1 -d key
"$MORTISE" --version >version
if grep "^keys.* kms" version >/dev/null; then
	"$MORTISE" enroll x --kms grpc://127.0.0.1:1 -d key --key-slot 1 >out 2>err
	grep 'in use' err >/dev/null
	[ $? = 1 ]
	result $? "an orphan is no reason to refuse a number"
	"$MORTISE" enroll x --kms grpc://127.0.0.1:1 -d key --key-slot 0 >out 2>err
	grep 'is full' err >/dev/null
	result $? "a keyslot in use is"
fi
finish
