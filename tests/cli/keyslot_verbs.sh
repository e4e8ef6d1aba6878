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
exits 2 "another one does not" \
	keyctl session - "$referee" open --test-passphrase -d key --key-slot 2 x
exits 0 "the token opens it" "$referee" open --test-passphrase --token-only --token-id 5 x
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

# The volume key from a keyring, and into one, as in cryptsetup 2.7 and 2.8.
cp bare x
opens_by() { # STATUS KEY
	exits "$1" "a volume key named $2" \
		"$MORTISE" open --test-passphrase x --volume-key-keyring "$2"
}
serial=$(keyctl padd user mortise:vk @s <vk)
keyctl padd user mortise:vk.wrong @s <vk.wrong >/dev/null
opens_by 0 mortise:vk
opens_by 0 %user:mortise:vk
opens_by 0 "$serial"
opens_by 2 mortise:vk.wrong
opens_by 2 mortise:missing
opens_by 2 %logon:mortise:vk
opens_by 2 %:
opens_by 2 %toolongtoolongtoolongtoolongtoolong:x
exits 0 "luksAddKey by a key in a keyring" \
	"$MORTISE" luksAddKey -q $cheap x --volume-key-keyring mortise:vk new
exits 0 "the keyslot opens" "$referee" open --test-passphrase -d new -S 2 x
exits 1 "not together with a file" "$MORTISE" open --test-passphrase x \
	--volume-key-keyring mortise:vk --volume-key-file vk
links() { # STATUS TARGET
	exits "$1" "the volume key is stored in $2" \
		"$MORTISE" open --test-passphrase x -d key --link-vk-to-keyring "$2"
}
ring=$(keyctl newring mortise-ring @s)
for target in @s::%user:mortise:linked @s::mortise:linked "$ring::mortise:linked" \
	%:mortise-ring::mortise:linked %keyring:mortise-ring::mortise:linked; do
	keyctl purge user mortise:linked >/dev/null 2>&1
	links 0 "$target"
	keyctl pipe %user:mortise:linked | cmp -s - vk
	result $? "this is the volume key"
done
links 0 @s::%logon:mortise:linked
keyctl search @s logon mortise:linked >/dev/null
result $? "it is a logon key"
for target in '' :: @s @s: @s:: ::key @s::%user: @s::%big_key:x; do
	links 1 "$target"
done
links 2 %:missing::key
keyctl purge user mortise:linked >/dev/null 2>&1
exits 2 "a wrong passphrase" "$MORTISE" open --test-passphrase x -d vk.wrong \
	--link-vk-to-keyring @s::mortise:linked
keyctl search @s user mortise:linked >/dev/null 2>&1
[ $? = 1 ]
result $? "stores no key"
exits 1 "not without the keyring" "$MORTISE" open --test-passphrase x -d key \
	--disable-keyring --link-vk-to-keyring @s::mortise:linked
exits 1 "plug-ins are refused by name" "$MORTISE" open --test-passphrase x -d key \
	--external-tokens-path /lib
grep 'plug-ins are never loaded' err >/dev/null
result $? "the error says why"

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
echo '{"type":"systemd-tpm2","keyslots":["1"]}' | "$referee" token import image --token-id 8
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
	result $? "the number of an orphan is available"
	"$MORTISE" enroll x --kms grpc://127.0.0.1:1 -d key --key-slot 0 >out 2>err
	grep 'is full' err >/dev/null
	result $? "a keyslot in use is"
fi

# A keyslots area without a gap: the new area goes to unused space before the data.
full() { # PROGRAM OPTION...
	rm -f x
	truncate -s 17M x
	program=$1
	shift
	"$program" luksFormat -q $cheap --luks2-keyslots-size 252K "$@" x key 2>/dev/null || exit 1
}
change() {
	"$MORTISE" luksChangeKey -q $cheap x -d "$1" "$2"
}
keyslots_size() {
	"$referee" luksDump --dump-json-metadata x | jq -r .config.keyslots_size
}
for program in "$referee" "$MORTISE"; do
	full "$program"
	exits 0 "luksChangeKey in a full area" change key new
	exits 0 "the new key opens for cryptsetup" "$referee" open --test-passphrase -d new x
	exits 2 "the old one does not" "$referee" open --test-passphrase -d key x
	[ "$(keyslots_size)" = 516096 ]
	result $? "the area has room for two"
	exits 0 "change it once more" change new key
	[ "$(keyslots_size)" = 516096 ]
	result $? "the area has the same size"
	exits 0 "luksConvertKey" "$MORTISE" luksConvertKey -q x -d key $cheap
	exits 0 "the key opens for cryptsetup" "$referee" open --test-passphrase -d key x
done
full "$referee"
printf 'x' | dd of=x bs=1 seek=$((32768 + 258048 + 4097)) conv=notrunc 2>/dev/null
cp x before
exits 1 "space before the data that is not zero is not used" change key new
grep 'the keyslots area is full; remove another keyslot' err >/dev/null
result $? "the error says why"
cmp -s x before
result $? "nothing was written"
full "$referee" --offset 568
cp x before
exits 1 "no space before the data" change key new
cmp -s x before
result $? "nothing was written"
# Eight keyslots fill the area, as after a conversion from LUKS1.
full "$referee" --offset 4096 --luks2-keyslots-size 2016K
for slot in 1 2 3 4 5 6 7; do
	printf 'key %d' "$slot" >"key$slot"
	"$referee" luksAddKey -q $cheap x -d key "key$slot" || exit 1
done
cp x before
exits 1 "eight keyslots and no space" change key3 new
cmp -s x before
result $? "nothing was written"
exits 0 "remove one of them" "$MORTISE" luksKillSlot -q x 5 -d key
exits 0 "now there is space" change key3 new
exits 0 "the key opens for cryptsetup" "$referee" open --test-passphrase -S 3 -d new x

# What makes the whole header unusable is reported once, before a key is read.
cp bare x
"$referee" luksDump --dump-json-metadata x |
	jq -cj '.config.requirements={"mandatory":["from-the-future"]}' >json
"$FORGE" x <json
for program in "$MORTISE" as/cryptsetup; do
	"$program" open --test-passphrase x -d key >out 2>err
	[ "$(cat err)" = 'Unmet LUKS2 requirements detected. (from-the-future)' ]
	result $? "an unknown requirement is reported once"
done
"$referee" luksDump --dump-json-metadata bare |
	jq -cj '.segments["0"].encryption = "cipher_null-ecb"' >json
cp bare x
"$FORGE" x <json
"$MORTISE" open --test-passphrase x -d key >out 2>err
[ "$(grep -c 'is not encrypted' err)" = 1 ]
result $? "so is a segment without encryption"
finish
