#!/bin/sh
# SPDX-License-Identifier: MIT
# open and luksAddKey by tokens, before a passphrase is asked for: the same order, words and
# exit status as cryptsetup 2.6.1, with the one token type that it needs no plug-in for.
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

# every CASE: what is asked of an image, with the right passphrase on standard input or none.
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
every "one that opens"
feed() { :; }
same "it is not looked at for a volume key" open -v --test-passphrase x --volume-key-file key
same "--key-slot says nothing about tokens" open -v --test-passphrase x -S 1
same "no such token" open -v --test-passphrase x --token-only --token-id 7
same "no such token, passphrase file" open -v --test-passphrase x --token-id 7 -d key
same "a token that cannot be" open -v --test-passphrase x --token-only --token-id 32
same "another" open -v --test-passphrase x --token-only --token-id -2
same "any by number" open -v --test-passphrase x --token-only --token-id -1

cp bare image
token 0 mortise:missing 0
every "a key that is in no keyring"
token 2 mortise:other 1
every "and a second one that opens"
cp bare image
token 0 mortise:wrong 0
every "a key that opens nothing"
cp bare image
token 0 mortise:right 1
every "the key of another keyslot"
cp bare image
foreign 0 foreign '"0"'
every "an unknown type"
cp bare image
printf '{"type":"luks2-keyring","keyslots":[],"key_description":"mortise:right"}' |
	"$referee" token import image --token-id 0 || exit 1
every "a token of no keyslot"
cp bare image
printf '{"type":"luks2-keyring","keyslots":["1","0"],"key_description":"mortise:right"}' |
	"$referee" token import image --token-id 0 || exit 1
every "a token of two keyslots"

# Priorities count as they do for passphrases.
cp bare image
token 0 mortise:right 0
token 1 mortise:other 1
"$referee" config image -S 0 --priority ignore
every "a keyslot to be ignored"
"$referee" config image -S 0 --priority normal
"$referee" config image -S 1 --priority prefer
every "a keyslot to be preferred"

# luksAddKey: any of the three options means tokens, unless there is a key file.
add="luksAddKey -v x $cheap"
cp bare image
token 0 mortise:right 0
feed() { printf 'newkey\n'; }
for how in --token-only "--token-id 0" "--token-type luks2-keyring"; do
	same "add: $how" $add $how
	as/cryptsetup open --test-passphrase x -d new --disable-external-tokens 2>/dev/null
	result $? "add: $how: opens"
	same "add: $how, file" $add $how new
done
same "add: no such token" $add --token-id 5
same "add: no such type" $add --token-type foreign
same "add: a key file wins" $add --token-id 5 -d key new
same "add: a volume key wins" $add --token-id 0 --volume-key-file key new

# By our own name a token that fails is told, and then the passphrase is asked for.
cp bare x
printf '{"type":"luks2-keyring","keyslots":["0"],"key_description":"mortise:missing"}' |
	"$MORTISE" token import x --token-id 3
says 0 'mortise: token 3 (luks2-keyring): no key "mortise:missing" in the keyrings of this process: Required key not available' \
	"a token that fails is told" "$MORTISE" open --test-passphrase x -d key
exits 2 "and is the end with --token-only" "$MORTISE" open --test-passphrase x -d key --token-only
says 1 "mortise: token 3 (luks2-keyring): it is not one that can be used" "nor of this type" \
	"$MORTISE" open --test-passphrase x --token-id 3 --token-only --token-type foreign
says 1 "mortise: No usable token is available." "no token at all" \
	"$MORTISE" open --test-passphrase bare --token-only
finish
