#!/bin/bash
# SPDX-License-Identifier: MIT
# A keyslot that mortise refuses to open: when the passphrase opens no other one, the error names
# each keyslot that was skipped, and why.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee
: "${FORGE:?FORGE must be the path of forge}"

least="--pbkdf argon2id --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4"
printf secret >key
printf second >second
printf wrong >wrong
truncate -s 20M good
"$MORTISE" luksFormat -q $least --key-file key good
"$MORTISE" luksAddKey -q $least --key-file key good second
dd if=good bs=4096 skip=1 count=3 status=none | tr -d '\0' >good.json
plain="No key available with this passphrase."

# skipped FILTER REASON: with the changed header, the right passphrase of keyslot 0 does not open it.
skipped() {
	cp --sparse=always good evil
	jq -c "$1" good.json | "$FORGE" evil
	says 2 "$plain ($2)" "$2" "$MORTISE" open --test-passphrase --key-file key evil
	says 2 "($2)" "$2: under the name cryptsetup" as/cryptsetup open --test-passphrase \
		--key-file key evil
	grep -qxF "$plain" err
	result $? "$2: with the line of cryptsetup"
	exits 0 "$2: the other keyslot opens" "$MORTISE" open --test-passphrase --key-file second evil
}

slot='.keyslots."0"'
skipped "$slot.kdf.salt = \"AAAAAA==\"" "keyslot 0: invalid salt"
skipped "$slot.area.encryption = \"cipher_null-ecb\"" \
	"keyslot 0: its area is not encrypted (cipher_null-ecb); the header may have been tampered with"
skipped "$slot.kdf.type = \"scrypt\"" "keyslot 0: unknown key derivation function \"scrypt\""
skipped "$slot.af.stripes = 10" "keyslot 0: its key is not split into 4000 stripes"
skipped "$slot.af.hash = \"md4\"" "keyslot 0: hash md4 is not available"
# Two keyslots are skipped, and a third one is tried.
cp --sparse=always good three
"$MORTISE" luksAddKey -q $least --key-file key three wrong
dd if=three bs=4096 skip=1 count=3 status=none | tr -d '\0' |
	jq -c "$slot.kdf.salt = \"AAAAAA==\" | .keyslots.\"1\".af.stripes = 1" | "$FORGE" three
says 2 "$plain (keyslot 0: invalid salt; keyslot 1: its key is not split into 4000 stripes)" \
	"two keyslots are skipped" "$MORTISE" open --test-passphrase --key-file key three
exits 0 "the third one opens" "$MORTISE" open --test-passphrase --key-file wrong three
# Without any keyslot to try, the reasons are the error.
cp --sparse=always good none
jq -c "$slot.kdf.salt = \"AAAAAA==\" | .keyslots.\"1\".kdf.salt = \"AAAAAA==\"" good.json | "$FORGE" none
says 1 "keyslot 0: invalid salt; keyslot 1: invalid salt" "every keyslot is skipped" \
	"$MORTISE" open --test-passphrase --key-file key none
# More keyslots and lanes than cryptsetup would choose are no reason.
jq -c "$slot.kdf.cpus = 5 | $slot.kdf.memory = 64" good.json >cpus.json
cp --sparse=always good evil
"$FORGE" evil <cpus.json
says 2 "$plain" "keyslot 0 is tried with 5 lanes; another key results" \
	"$MORTISE" open --test-passphrase --key-file key evil
says 2 "$plain" "a wrong passphrase" "$MORTISE" open --test-passphrase --key-file wrong good
# A requirement that is not known is one error, not one for tokens and one for passphrases.
cp --sparse=always good evil
jq -c '.config.requirements = {mandatory: ["new"]}' good.json | "$FORGE" evil
for option in "" --token-only; do
	exits 1 "an unknown requirement $option" "$MORTISE" open --test-passphrase $option \
		--key-file key evil
	[ "$(grep -c 'Unmet LUKS2 requirements detected. (new)' err)" = 1 ]
	result $? "it is named once"
done
jq -c '.segments."0".encryption = "cipher_null-ecb"' good.json | "$FORGE" evil
exits 1 "data that is not encrypted" "$MORTISE" open --test-passphrase --key-file key evil
[ "$(wc -l <err)" = 1 ]
result $? "it is named once, too"
# The verbs that ask for a passphrase say the same.
cp --sparse=always good evil
jq -c "$slot.kdf.salt = \"AAAAAA==\"" good.json | "$FORGE" evil
for verb in "luksAddKey -q evil second" "luksChangeKey -q evil second" "luksRemoveKey -q evil" \
	"luksDump -q --dump-volume-key evil"; do
	says 2 "$plain (keyslot 0: invalid salt)" "${verb%% *}" "$MORTISE" $verb --key-file key
done
finish
