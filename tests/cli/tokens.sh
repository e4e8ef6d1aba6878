#!/bin/sh
# SPDX-License-Identifier: MIT
# open and luksAddKey try tokens before they ask for a passphrase: the order, messages and exit
# status must be those of cryptsetup 2.6.1. Tested with luks2-keyring, the one token type for which
# cryptsetup needs no plug-in.
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
printf 'newkey' >new
keyctl add user mortise:right secret @s >/dev/null || exit 1
keyctl add user mortise:other other @s >/dev/null || exit 1
keyctl add user mortise:wrong nonsense @s >/dev/null || exit 1
truncate -s 17M image
"$referee" luksFormat -q $cheap image key || exit 1
"$referee" luksAddKey -q $cheap image -d key key1 || exit 1
cp --sparse=always image bare

token() { # ID DESCRIPTION KEYSLOT
	"$referee" token add image --token-id "$1" --key-description "$2" --key-slot "$3" || exit 1
}
foreign() { # ID TYPE KEYSLOTS
	printf '{"type":"%s","keyslots":[%s]}' "$2" "$3" |
		"$referee" token import image --token-id "$1" || exit 1
}

# every CASE: opens the image with each token option, with the correct passphrase on standard input
# and without one.
every() {
	for input in secret ''; do
		feed() { printf '%s' "$input"; }
		say="$1, input \"$input\""
		same "$say" open -v --test-passphrase x
		same "$say, quietly" open --test-passphrase x
		same "$say, key file" open -v --test-passphrase x -d key
		same "$say, --token-only" open -v --test-passphrase x --token-only
		same "$say, --token-only, quietly" open --test-passphrase x --token-only
		same "$say, --token-id 0" open -v --test-passphrase x --token-id 0
		same "$say, --token-id 0 only" open -v --test-passphrase x --token-id 0 \
			--token-only
		same "$say, --token-type" open -v --test-passphrase x --token-type luks2-keyring
		same "$say, --token-type only" open -v --test-passphrase x --token-only \
			--token-type luks2-keyring
		same "$say, another type" open -v --test-passphrase x --token-type foreign
		same "$say, another type only" open -v --test-passphrase x --token-only \
			--token-type foreign
		same "$say, no plug-ins" open -v --test-passphrase x --token-only \
			--disable-external-tokens
		same "$say, another type and no plug-ins" open -v --test-passphrase x \
			--token-only --token-type foreign --disable-external-tokens
	done
}

every "no token"
token 0 mortise:right 0
every "a token that opens"
feed() { :; }
same "with a volume key, tokens are not tried" open -v --test-passphrase x --volume-key-file key
same "--key-slot does not select a token" open -v --test-passphrase x -S 1
same "no such token" open -v --test-passphrase x --token-only --token-id 7
same "no such token, passphrase file" open -v --test-passphrase x --token-id 7 -d key
same "token number out of range" open -v --test-passphrase x --token-only --token-id 32
same "negative token number" open -v --test-passphrase x --token-only --token-id -2
same "token number -1: any token" open -v --test-passphrase x --token-only --token-id -1

cp bare image
token 0 mortise:missing 0
every "a key that is not in a keyring"
token 2 mortise:other 1
every "a second token that opens"
cp bare image
token 0 mortise:wrong 0
every "a key that opens nothing"
cp bare image
token 0 mortise:right 1
every "a key that opens another keyslot"
cp bare image
foreign 0 foreign '"0"'
every "an unknown type"
cp bare image
printf '{"type":"luks2-keyring","keyslots":[],"key_description":"mortise:right"}' |
	"$referee" token import image --token-id 0 || exit 1
every "a token without a keyslot"
cp bare image
printf '{"type":"luks2-keyring","keyslots":["1","0"],"key_description":"mortise:right"}' |
	"$referee" token import image --token-id 0 || exit 1
every "a token for two keyslots"

# Keyslot priorities apply as for passphrases.
cp bare image
token 0 mortise:right 0
token 1 mortise:other 1
"$referee" config image -S 0 --priority ignore
every "a keyslot with priority ignore"
"$referee" config image -S 0 --priority normal
"$referee" config image -S 1 --priority prefer
every "a keyslot with priority prefer"

# luksAddKey: each of the three token options selects tokens, unless a key file is given.
add="luksAddKey -v x $cheap"
cp bare image
token 0 mortise:right 0
feed() { printf 'newkey\n'; }
for how in --token-only "--token-id 0" "--token-type luks2-keyring"; do
	same "add: $how" $add $how
	as/cryptsetup open --test-passphrase x -d new --disable-external-tokens 2>/dev/null
	result $? "add: $how: the new key opens"
	same "add: $how, file" $add $how new
done
same "add: no such token" $add --token-id 5
same "add: no such type" $add --token-type foreign
same "add: a key file takes precedence" $add --token-id 5 -d key new
same "add: a volume key takes precedence" $add --token-id 0 --volume-key-file key new

# Under the name mortise, a failing token is reported before the passphrase is read.
cp bare x
printf '{"type":"luks2-keyring","keyslots":["0"],"key_description":"mortise:missing"}' |
	"$MORTISE" token import x --token-id 3
says 0 'mortise: token 3 (luks2-keyring): no key "mortise:missing" in the keyrings of this process: Required key not available' \
	"the error of a failing token is printed" "$MORTISE" open --test-passphrase x -d key
exits 2 "with --token-only, a failing token is an error" "$MORTISE" open --test-passphrase x -d key --token-only
says 1 "mortise: token 3 (luks2-keyring): the token cannot be used" "a token of another type" \
	"$MORTISE" open --test-passphrase x --token-id 3 --token-only --token-type foreign
says 1 "mortise: No usable token is available." "no token at all" \
	"$MORTISE" open --test-passphrase bare --token-only

# A reencryption takes passphrases from tokens, and keeps the tokens.
again() { "$MORTISE" reencrypt -q --force-offline-reencrypt "$@" </dev/null; }
token_opens() { "$MORTISE" open --test-passphrase x --token-only; }
cp bare x
"$referee" luksKillSlot -q x 1 2>/dev/null || "$referee" luksKillSlot x 1 -d key
printf '{"type":"luks2-keyring","keyslots":["0"],"key_description":"mortise:right"}' |
	"$MORTISE" token import x --token-id 2
exits 0 "reencrypt: the token gives the passphrase" again x --init-only
exits 0 "reencrypt: the token opens the volume meanwhile" token_opens
cp x image
every "in reencryption"
exits 0 "reencrypt: the token continues it" again x --resume-only
exits 0 "reencrypt: the token opens the volume afterwards" token_opens
exits 0 "reencrypt: check finds nothing" "$MORTISE" check x
"$referee" open --test-passphrase --token-only x
result $? "reencrypt: cryptsetup opens it by the token, too"
exits 1 "reencrypt: cryptsetup's name asks" as/cryptsetup reencrypt -q --force-offline-reencrypt x \
	</dev/null
exits 0 "decrypt: the token gives the passphrase" again --decrypt --header moved x --init-only
exits 0 "decrypt: the token continues it" again --decrypt --header moved x
printf '{"type":"luks2-keyring","keyslots":["0"],"key_description":"mortise:other"}' >other.json
cp bare x
"$MORTISE" token import x --token-id 2 --json-file other.json
cp x before
exits 1 "reencrypt: a token whose passphrase opens nothing" again x -S 0
cmp -s before x
result $? "reencrypt: nothing changed"
finish
