#!/bin/bash
# SPDX-License-Identifier: MIT
# Disks with keyslots and tokens as Talos creates them, in both formats, opened by mortise; and a
# key that mortise enrolls, unsealed by tpm2-tools and opened by cryptsetup. MORTISE: the program.
. "$(dirname "$(realpath "$0")")/lib.sh"
. "$(dirname "$(realpath "$0")")/recipe.sh"
for tool in cryptsetup jq; do
	command -v $tool >/dev/null || {
		echo "skipped: no $tool"
		exit 77
	}
done
cheap="--pbkdf argon2id --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4"

tpm one
measure 0 7 11
new_key maker
sign maker
mkdir policy
cp maker.pem policy/tpm2-pcr-public-key.pem
IFS=: read -r pol fingerprint file <<<"$signature"
printf '{"sha256":[{"pcrs":[11],"pkfp":"%s","pol":"%s","sig":"%s"}]}' "$fingerprint" "$pol" \
	"$(base64 -w 0 "$file")" >policy/tpm2-pcr-signature.json
base64 -w 0 secret >passphrase

# disk NAME: formats the disk as Talos does, with cryptsetup and the sealed passphrase.
disk() {
	truncate -s 17M $1
	cryptsetup luksFormat -q --type luks2 $cheap --key-slot 1 --key-file passphrase $1
}

# token DIR MEMBERS: prints a token of Talos with the members of its version.
token() {
	local dir=$1
	shift
	jq -n -c --arg private "$(base64 -w 0 $dir/private)" --arg public "$(base64 -w 0 $dir/public)" \
		--arg name "$(base64 -w 0 $dir/name)" --arg policy "$(base64 -w 0 $dir/policy)" \
		"{UserData: ({keyslots: [1], sealed_blob_private: \$private,
			sealed_blob_public: \$public, alg: \"sha256\", policy_hash: \$policy,
			key_name: \$name} + $*), type: \"talos-tpm2\", keyslots: []}"
}

# opens_disk DESCRIPTION DISK
opens_disk() {
	"$MORTISE" open --test-passphrase --token-only --tcti "$TPM2TOOLS_TCTI" --tpm-policy policy \
		"$2" >out 2>&1
	result $? "$1"
	sed 's/^/# /' out
	is_empty "$1"
}

tools_seal signed 7 old "fixedtpm|fixedparent"
disk disk-1.11
token old '{pcrs: [11]}' >old/token
cryptsetup token import --token-id 1 --json-file old/token disk-1.11
opens_disk "a disk of Talos 1.11: its token names PCR 11, and it is also bound to PCR 7" disk-1.11

tools_seal signed 0,7 new "fixedtpm|fixedparent|noda"
disk disk-1.12
token new '{pcrs: [0, 7], pubkey_pcrs: [11], encryption_version: "1"}' >new/token
cryptsetup token import --token-id 1 --json-file new/token disk-1.12
opens_disk "a disk of Talos 1.12" disk-1.12

tools_seal signed - none "fixedtpm|fixedparent|noda"
disk disk-none
token none '{pubkey_pcrs: [11], encryption_version: "1"}' >none/token
cryptsetup token import --token-id 1 --json-file none/token disk-none
opens_disk "a disk bound only to the signed policy" disk-none

# The reverse: a key enrolled by mortise, read as Talos would read it.
"$MORTISE" enroll disk-1.12 --tpm --tpm-pcrs 7,0 --key-slot 4 --tcti "$TPM2TOOLS_TCTI" \
	--tpm-policy policy --key-file passphrase >out 2>&1
result $? "enrolled by mortise"
sed 's/^/# /' out
mkdir enrolled
cryptsetup token export --token-id 4 disk-1.12 >enrolled/token
jq -e '[.type, .keyslots, .UserData.keyslots, .UserData.pcrs, .UserData.pubkey_pcrs,
	.UserData.encryption_version, .UserData.alg] ==
	["talos-tpm2", [], [4], [0, 7], [11], "1", "sha256"]' enrolled/token >/dev/null
result $? "the token has the format of Talos 1.12"
for blob in private public; do
	jq -r .UserData.sealed_blob_$blob enrolled/token | base64 -d >enrolled/$blob
done
tools_unseal signed 0,7 enrolled >unsealed
base64 -w 0 unsealed >unsealed.passphrase
cryptsetup open --test-passphrase --key-slot 4 --key-file unsealed.passphrase disk-1.12
result $? "cryptsetup opens the disk with the secret that tpm2-tools unseals"
finish
