#!/bin/bash
# SPDX-License-Identifier: MIT
# Tokens of type systemd-tpm2. mortise opens what systemd-cryptenroll 252 enrolls, and tokens of
# newer versions of systemd, made with tpm2-tools; cryptsetup's plugin of systemd reads what mortise
# enrolls (tests/guest/systemd_tpm.sh opens it with systemd-cryptsetup). MORTISE: the program.
. "$(dirname "$(realpath "$0")")/lib.sh"
for tool in systemd-cryptenroll cryptsetup jq python3; do
	command -v $tool >/dev/null || {
		echo "skipped: no $tool"
		exit 77
	}
done
case $(systemd-cryptenroll --version) in
"systemd 252"*) ;;
*)
	echo "skipped: the expected tokens are those of systemd 252"
	exit 77
	;;
esac
cheap="--pbkdf argon2id --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4"
printf secret >key
truncate -s 17M empty
cryptsetup luksFormat -q --type luks2 $cheap empty key
tpm one
measure 0 7 11

# enrolled NAME ARGUMENT...: a disk with a key enrolled by systemd-cryptenroll.
enrolled() {
	local name=$1
	shift
	cp --sparse=always empty "$name"
	PASSWORD=secret systemd-cryptenroll --tpm2-device="$TPM2TOOLS_TCTI" "$@" "$name" >out 2>&1
	result $? "systemd-cryptenroll $*"
	[ $? = 0 ] || sed 's/^/# /' out
	flush # systemd 252 leaves a session in the TPM
}

flush() {
	tpm2_flushcontext -t
	tpm2_flushcontext -l
}

# mortise STATUS DESCRIPTION TEXT ARGUMENT...: open with these arguments. TEXT: part of the error.
mortise() {
	local want=$1 what=$2 text=$3
	shift 3
	"$MORTISE" open --test-passphrase --tcti "$TPM2TOOLS_TCTI" "$@" >out 2>err
	[ $? = "$want" ] && { [ -z "$text" ] || grep -qF -- "$text" err; }
	result $? "$what"
	[ "$(tail -n 1 err)" = "$text" ] || sed 's/^/# /' err
	is_empty "$what"
}

enrolled pcrs --tpm2-pcrs=0+7
mortise 0 "bound to PCR 0 and PCR 7" "" --token-only pcrs </dev/null
mortise 0 "without an option, the token is tried first" "" pcrs </dev/null
enrolled unbound --tpm2-pcrs=
mortise 0 "bound to no PCR" "" --token-only unbound </dev/null
tpm2_pcrextend "4:sha1=$(printf %040d 4)"
enrolled sha1 --tpm2-pcrs=4
jq -e '.tokens["0"]["tpm2-pcr-bank"] == "sha1"' \
	<(cryptsetup luksDump --dump-json-metadata sha1) >/dev/null
result $? "systemd uses the SHA-1 bank of a PCR that has no other value"
mortise 0 "bound to a PCR of the SHA-1 bank" "" --token-only sha1 </dev/null

NEWPIN=1234 enrolled pin --tpm2-pcrs=7 --tpm2-with-pin=yes
mortise 0 "with a PIN" "" --token-only pin <<<1234
mortise 0 "with a PIN, by token number" "" --token-id 0 pin <<<1234
mortise 2 "with a wrong PIN" "mortise: token 0 (systemd-tpm2): the PIN is wrong" \
	--token-only pin <<<12345
mortise 2 "without a PIN" "Nothing to read on input." --token-only pin </dev/null
mortise 0 "unasked, a PIN is not requested" "it needs a PIN; to enter it, use --token-only" pin \
	<<<secret

new_key maker
sign maker
mkdir policy
IFS=: read -r pol fingerprint file <<<"$signature"
cp maker.pem policy/tpm2-pcr-public-key.pem
printf '{"sha256":[{"pcrs":[11],"pkfp":"%s","pol":"%s","sig":"%s"}]}' "$fingerprint" "$pol" \
	"$(base64 -w 0 "$file")" >policy/tpm2-pcr-signature.json
enrolled signed --tpm2-pcrs=7 --tpm2-public-key=maker.pem --tpm2-public-key-pcrs=11
mortise 0 "with a signed policy" "" --token-only --tpm-policy policy signed </dev/null
mkdir none
mortise 1 "without a signature" \
	"token 0 (systemd-tpm2): none lacks tpm2-pcr-signature.json: this boot image has no signed policy" \
	--token-only --tpm-policy none signed </dev/null
NEWPIN=xyz enrolled both --tpm2-pcrs= --tpm2-public-key=maker.pem --tpm2-public-key-pcrs=11 \
	--tpm2-with-pin=yes
mortise 0 "with a signed policy and a PIN" "" --token-only --tpm-policy policy both <<<xyz
# Signatures over several PCRs.
tpm2_startauthsession -S trial.ctx
tpm2_policypcr -Q -S trial.ctx -l sha256:0,11 -L two
tpm2_flushcontext trial.ctx
openssl dgst -sha256 -sign maker.key -out two.sig two
mkdir two.policy
jq -n -c --arg pol "$(od -An -v -t x1 two | tr -d ' \n')" --arg key "$fingerprint" \
	--arg sig "$(base64 -w 0 two.sig)" --slurpfile old policy/tpm2-pcr-signature.json \
	'{sha256: ($old[0].sha256 + [{pcrs: [0, 11], pkfp: $key, pol: $pol, sig: $sig}])}' \
	>two.policy/tpm2-pcr-signature.json
enrolled several --tpm2-pcrs= --tpm2-public-key=maker.pem --tpm2-public-key-pcrs=0+11
mortise 0 "with a signature over two PCRs" "" --token-only --tpm-policy two.policy several </dev/null
mortise 1 "which the other file lacks" "the value of PCR 0 and PCR 11 is not signed" --token-only \
	--tpm-policy policy several </dev/null

# sealed NAME PARENT POLICY [ARGUMENT]...: seals a secret with tpm2-tools, as another version of
# systemd would.
sealed() {
	local name=$1 parent=$2 policy=$3
	shift 3
	rm -f private public
	tpm2_create -Q -C "$parent" -g sha256 -i secret -L "$policy" -u public -r private \
		-a "fixedtpm|fixedparent" "$@"
	cat private public | base64 -w 0 >blob
	tpm2_flushcontext -t
	cp --sparse=always empty "$name"
	base64 -w 0 secret >sealed.key
	cryptsetup luksAddKey -q $cheap "$name" sealed.key -d key
	hash=$(od -An -v -t x1 "$policy" | tr -d ' \n')
}

# with_token NAME MEMBERS: gives the disk a token, with more members.
with_token() {
	jq -n -c --rawfile blob blob --arg hash "$hash" "{type: \"systemd-tpm2\", keyslots: [\"1\"],
		\"tpm2-blob\": \$blob, \"tpm2-pcrs\": [7], \"tpm2-pcr-bank\": \"sha256\",
		\"tpm2-policy-hash\": \$hash} + $2" >token
	"$MORTISE" token import --token-id 0 --token-replace --json-file token "$1"
}

parent="restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth"
tpm2_createpolicy -Q --policy-pcr -l sha256:7 -L policy7
flush
tpm2_createprimary -Q -C o -g sha256 -G rsa2048:aes128cfb -c rsa.ctx -a "$parent"
flush
sealed rsa rsa.ctx policy7
with_token rsa '{"tpm2-primary-alg": "rsa", "tpm2-pin": false}'
mortise 0 "with an RSA key as parent" "" --token-only rsa </dev/null
with_token rsa '{"tpm2-primary-alg": "ecc"}'
mortise 1 "with another parent" "the sealed object was created by another TPM, or is damaged" \
	--token-only rsa </dev/null
# A persistent parent and a PIN with salt (systemd 254 and later).
tpm2_createprimary -Q -C o -g sha256 -G ecc256:aes128cfb -c ecc.ctx -a "$parent|noda"
tpm2_evictcontrol -Q -C o -c ecc.ctx -o srk 0x81000001
flush
pin=$(python3 -c 'import base64, hashlib
text = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"1234", b"salt" * 8, 10000))
print(hashlib.sha256(text).hexdigest())')
tpm2_startauthsession -S trial.ctx
tpm2_policypcr -Q -S trial.ctx -l sha256:7
tpm2_policyauthvalue -Q -S trial.ctx -L policy.pin
tpm2_flushcontext trial.ctx
sealed salted 0x81000001 policy.pin -p "hex:$pin"
salt="$(printf 'salt%.0s' 1 2 3 4 5 6 7 8 | base64 -w 0)"
with_token salted "{\"tpm2-pin\": true, \"tpm2_salt\": \"$salt\", \"tpm2_srk\": \"$(base64 -w 0 srk)\"}"
mortise 0 "with a persistent parent, and a PIN with salt" "" --token-only salted <<<1234
mortise 2 "with a wrong PIN" "the PIN is wrong" --token-only salted <<<4321
tpm2_dictionarylockout -Q --setup-parameters --max-tries=32 --clear-lockout
for change in '"AAAA"' '""' '"gQAAAQ=="' '"gAAAAAAA"' '7'; do
	with_token salted "{\"tpm2-pin\": true, \"tpm2_salt\": \"$salt\", \"tpm2_srk\": $change}"
	"$MORTISE" open --test-passphrase --token-only --tcti "$TPM2TOOLS_TCTI" salted <<<1234 \
		>out 2>err
	[ $? = 1 ] && grep -q 'tpm2_srk\|another TPM' err
	result $? "tpm2_srk is $change"
	is_empty "tpm2_srk is $change"
done
# The name of the signing key with the exponent 0.
python3 - "$(openssl rsa -pubin -in maker.pem -modulus -noout | cut -d= -f2)" >policy.zero <<'END'
import hashlib, struct, sys
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
n = bytes.fromhex(sys.argv[1])
key = struct.pack(">HHIHHHHIH", 1, 11, 0x00060040, 0, 16, 16, len(n) * 8, 0, len(n)) + n
sys.stdout.buffer.write(sha(sha(bytes(32), struct.pack(">I", 0x16a), struct.pack(">H", 11), sha(key))))
END
tpm2_createprimary -Q -C o -g sha256 -G ecc256:aes128cfb -c ecc.ctx -a "$parent"
flush
sealed zero ecc.ctx policy.zero
with_token zero "{\"tpm2-pcrs\": [], \"tpm2_pubkey_pcrs\": [11],
	\"tpm2_pubkey\": \"$(base64 -w 0 maker.pem)\"}"
mortise 0 "a signing key whose exponent is written as 0" "" --token-only --tpm-policy policy zero \
	</dev/null

# What only systemd supports is refused by name; damage is named.
refused() {
	with_token rsa "$1"
	mortise 1 "$1" "token 0 (systemd-tpm2): it $2" --token-only rsa </dev/null
}

systemd="which mortise does not support; use systemd-cryptsetup"
refused '{tpm2_pcrlock: true}' "is bound to a policy of systemd-pcrlock (tpm2_pcrlock), $systemd"
refused '{"tpm2-blob": ["AAAA", "AAAA"]}' "has several sealed objects, $systemd"
refused '{"tpm2-policy-hash": ["00", "00"]}' "has several policies, $systemd"
refused '{"tpm2-blob": "AAEAAAEAAAEA"}' \
	"was sealed on another machine (--tpm2-device-key); use systemd-cryptsetup"
damaged() {
	with_token rsa "$1"
	mortise 1 "$1" "$2" --token-only rsa </dev/null
}
damaged '{"tpm2-blob": "////"}' "tpm2-blob"
damaged '{"tpm2-blob": ""}' "tpm2-blob"
damaged '{"tpm2-policy-hash": "00"}' "tpm2-policy-hash"
damaged '{"tpm2-pcrs": [24]}' "list of PCRs"
damaged '{"tpm2-pcrs": {}}' "list of PCRs"
damaged '{"tpm2-pcr-bank": "md5"}' "tpm2-pcr-bank"
damaged '{"tpm2-primary-alg": "dsa"}' "tpm2-primary-alg"
damaged '{tpm2_pubkey_pcrs: [11]}' "tpm2_pubkey"
damaged '{tpm2_salt: 7}' "tpm2_salt"

# The reverse.
enroll() {
	local name=$1 what=$2
	shift 2
	cp --sparse=always empty "$name"
	"$MORTISE" enroll "$name" --tpm --format systemd --tcti "$TPM2TOOLS_TCTI" -d key "$@" >out 2>err
	result $? "$what"
	sed 's/^/# /' err
	is_empty "$what"
	cryptsetup luksDump --dump-json-metadata "$name" >json
}

enroll mine "enrolled by mortise" </dev/null
enrolled theirs --tpm2-pcrs=7
cryptsetup luksDump --dump-json-metadata theirs >theirs.json
members='[.[] | select(.type == "systemd-tpm2") | del(."tpm2-blob")]'
[ "$(jq -c ".tokens | $members" json)" = "$(jq -c ".tokens | $members" theirs.json)" ]
result $? "the token has the members of systemd's"
cryptsetup luksDump mine >out 2>&1
grep -q 'tpm2-hash-pcrs: *7' out && grep -q 'tpm2-pin: *false' out
result $? "systemd's plugin reads it"
mortise 0 "mortise opens it" "" --token-only mine </dev/null
enroll mine.pin "enrolled with a PIN" --tpm-pin <<<abc
mortise 0 "mortise opens it with the PIN" "" --token-only mine.pin <<<abc
mortise 2 "not with another PIN" "the PIN is wrong" --token-only mine.pin <<<abd
enroll mine.signed "enrolled with a signed policy" --tpm-policy policy --tpm-pcrs none </dev/null
enrolled theirs.signed --tpm2-pcrs= --tpm2-public-key=maker.pem --tpm2-public-key-pcrs=11
cryptsetup luksDump --dump-json-metadata theirs.signed >theirs.json
[ "$(jq -c ".tokens | $members" json)" = "$(jq -c ".tokens | $members" theirs.json)" ]
result $? "the token has the members and the policy of systemd's"
mortise 0 "mortise opens it with the signature" "" --token-only --tpm-policy policy mine.signed </dev/null
for bad in "--format=systemd|Option --format is allowed only with --tpm." \
	"--tpm --format=talos2|Option --format can be only talos or systemd." \
	"--tpm --tpm-pin|Option --tpm-pin is allowed only with --format systemd."; do
	exits 1 "${bad%|*}" "$MORTISE" enroll mine -d key --recovery-key ${bad%|*}
done
exits 1 "an empty PIN" "$MORTISE" enroll mine --tpm --format systemd --tpm-pin -d key \
	--tcti "$TPM2TOOLS_TCTI"

# Changed machines.
tpm2_pcrextend "7:sha256=$(printf %064d 1)"
mortise 1 "PCR 7 has changed" "PCR 0 or PCR 7 has changed since it was sealed" --token-only pcrs </dev/null
mortise 1 "it is bound to PCR 7 alone" "PCR 7 has changed since it was sealed" --token-only mine </dev/null
tpm2_pcrextend "11:sha256=$(printf %064d 1)"
mortise 1 "PCR 11 has changed" "the value of PCR 11 is not signed" --token-only --tpm-policy policy \
	mine.signed </dev/null
tpm other
measure 0 7 11
mortise 1 "another TPM" "the sealed object was created by another TPM" --token-only mine </dev/null
mortise 0 "the passphrase opens all the same" "" mine <<<secret
finish
