#!/bin/bash
# SPDX-License-Identifier: MIT
# Ciphers that are not on the list, by hand: refused by name with the remedy, and accepted with
# --allow-cipher. Headers made with it open in cryptsetup. Without device-mapper, the crypto library
# must have the cipher.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee

printf secret >key
printf another >new
remedy="is not on the list of accepted ciphers; to accept it by hand, use --allow-cipher"

# refused NAME ERROR COMMAND...: status 1, this line on standard error, and an unchanged image.
refused() {
	local name=$1 error=$2 before
	shift 2
	before=$(sha256sum image)
	exits 1 "$name is refused" "$MORTISE" "$@"
	grep -qxF "$error" err
	result $? "$name: the error names the cipher and the remedy"
	[ "$(sha256sum image)" = "$before" ]
	result $? "$name: the image is unchanged"
}

truncate -s 20M image
cipher=aes-ecb
refused "a format" "cannot format: cipher $cipher with a key of 256 bits $remedy $cipher" \
	luksFormat -q $cheap -c $cipher -s 256 --key-file key image
refused "a format with another cipher allowed" \
	"cannot format: cipher $cipher with a key of 256 bits $remedy $cipher" \
	luksFormat -q $cheap -c $cipher -s 256 --key-file key --allow-cipher aes-cbc-null image
refused "a keyslot of a new header" \
	"cannot encrypt a keyslot: cipher $cipher with a key of 256 bits $remedy $cipher" \
	luksFormat -q $cheap --keyslot-cipher $cipher --keyslot-key-size 256 --key-file key image
refused "a size of the key" \
	"cannot format: cipher aes-xts-plain64 with a key of 384 bits $remedy aes-xts-plain64" \
	luksFormat -q $cheap -s 384 --key-file key image
refused "a null cipher that is allowed" \
	"cannot format with cipher cipher_null-ecb: it does not encrypt" \
	luksFormat -q $cheap -c cipher_null-ecb -s 256 --key-file key \
	--allow-cipher cipher_null-ecb image

exits 0 "a format with the cipher allowed" "$MORTISE" luksFormat -q $cheap -c $cipher -s 256 \
	--keyslot-cipher $cipher --keyslot-key-size 256 --key-file key --allow-cipher $cipher image
exits 0 "luksDump shows the header" "$MORTISE" luksDump image
grep -q "cipher: $cipher" out
result $? "luksDump shows the cipher"
exits 0 "cryptsetup opens it" "$referee" open --test-passphrase --key-file key image

data="segment 0: cipher $cipher $remedy $cipher"
refused "open" "$data" open --test-passphrase --key-file key image
refused "luksDump of the volume key" "$data" luksDump -q --dump-volume-key --key-file key image
refused "luksAddKey" "$data" luksAddKey -q $cheap --key-file key image new
refused "luksChangeKey" "$data" luksChangeKey -q $cheap --key-file key image new
refused "luksRemoveKey" "$data" luksRemoveKey -q image key
refused "luksKillSlot" "$data" luksKillSlot --key-file key image 0
refused "enroll" "$data" enroll --recovery-key --recovery-file recovery --key-file key image
refused "open with another cipher allowed" "$data" open --test-passphrase --key-file key \
	--allow-cipher aes-cbc-null image

allow="--allow-cipher $cipher"
exits 0 "open, allowed" "$MORTISE" open $allow --test-passphrase --key-file key image
exits 0 "luksAddKey, allowed" "$MORTISE" luksAddKey $allow -q $cheap --key-file key image new
exits 0 "luksChangeKey, allowed" "$MORTISE" luksChangeKey $allow -q $cheap --key-file new image key
exits 0 "luksDump of the volume key, allowed" "$MORTISE" luksDump $allow -q --dump-volume-key \
	--key-file key image
exits 0 "luksKillSlot, allowed" "$MORTISE" luksKillSlot $allow --key-file key image 0
exits 0 "enroll, allowed" "$MORTISE" enroll $allow --recovery-key --recovery-file recovery \
	--key-file key image
exits 0 "luksRemoveKey, allowed" "$MORTISE" luksRemoveKey $allow -q image key

# A keyslot alone, in a header whose data has a listed cipher.
exits 0 "a format by cryptsetup" "$referee" luksFormat -q --type luks2 $cheap \
	--keyslot-cipher aes-cbc-null --keyslot-key-size 256 image key
refused "a keyslot" "keyslot 0: cipher aes-cbc-null with a key of 256 bits $remedy aes-cbc-null" \
	open --test-passphrase --key-file key image
exits 0 "a keyslot, allowed" "$MORTISE" open --allow-cipher aes-cbc-null --test-passphrase \
	--key-file key image
refused "a new keyslot" \
	"cannot encrypt a keyslot: cipher aes-ecb with a key of 256 bits $remedy aes-ecb" \
	luksAddKey -q $cheap --allow-cipher aes-cbc-null --keyslot-cipher aes-ecb \
	--keyslot-key-size 256 --key-file key image new

exits 1 "a declared verb does not take the option" "$MORTISE" up --allow-cipher aes-ecb
finish
