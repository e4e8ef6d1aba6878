#!/bin/bash
# SPDX-License-Identifier: MIT
# Errors for sealed objects that can no longer be unsealed: which PCR changed, another TPM, another
# policy.
. "$(dirname "$(realpath "$0")")/lib.sh"

stale="TPM can no longer unseal this"
another="$stale: it was sealed by another TPM, or the TPM was cleared since (srk name does not match)"
unsigned="KMS or TPM provides no key: the value of PCR 11 is not signed: this is another boot image, or \
a phase of the boot in which the key is unavailable; with the right boot image, restart the machine"

tpm one
measure 0 4 7 11
new_key maker
new_key other
sign maker
signed=(-k maker.pem -s "$signature")
succeeds "sealed: 7" seal literal 7
succeeds "sealed: 0,7" seal two 0,7
succeeds "sealed: 0,4,7" seal three 0,4,7
succeeds "sealed: 7 and signed 11" "${signed[@]}" seal signed 7
succeeds "sealed: signed 11" "${signed[@]}" seal only-signed -

# A restart of the machine with unchanged PCRs, then with changed ones.
tpm one
measure 0 4 7 11
opens "after a restart: 7" unseal literal
opens "after a restart: 0,4,7" unseal three
opens "after a restart: 7 and signed 11" "${signed[@]}" unseal signed

tpm2_pcrextend "7:sha256=$(printf %064d 1)"
says "$stale: PCR 7 has changed since it was sealed" "PCR 7 changed, bound to 7" unseal literal
says "$stale: PCR 7 has changed since it was sealed" "PCR 7 changed, bound to 0,7" unseal two
says "$stale: PCR 7 has changed since it was sealed" "PCR 7 changed, bound to 7 and signed 11" \
	"${signed[@]}" unseal signed
opens "PCR 7 changed, not bound to it" "${signed[@]}" unseal only-signed
tpm2_pcrextend "0:sha256=$(printf %064d 1)"
says "$stale: PCR 0 and PCR 7 have changed since it was sealed" "both PCRs changed" unseal two
tpm2_pcrextend "4:sha256=$(printf %064d 1)"
says "$stale: PCR 0, PCR 4 and PCR 7 have changed since it was sealed" "all three PCRs changed" unseal three

# A token of Talos does not record the values of the PCRs.
echo "0 145 0" >three/bound
says "$stale: PCR 0, PCR 4 or PCR 7 has changed since it was sealed" "three PCRs, values unknown" \
	unseal three
echo "0 128 0" >literal/bound
says "$stale: PCR 7 has changed since it was sealed" "one PCR, value unknown" unseal literal
echo "1 128 0" >signed/bound
says "$stale: PCR 7 has changed since it was sealed, or the key that signs the policy of PCR 11 has" \
	"one PCR, value unknown, and signed 11" "${signed[@]}" unseal signed

tpm one
measure 0 4 7 11
sign other
says "$stale: PCR 7 has changed since it was sealed, or the key that signs the policy of PCR 11 has" \
	"another signing key, PCR value unknown" -k other.pem -s $signature unseal signed
echo "1 128 128" >signed/bound
says "$stale: it was sealed to another key for the policy of PCR 11 than the key in this boot image" \
	"another signing key, PCR value known" -k other.pem -s $signature unseal signed
says "$stale: it was sealed to another key for the policy of PCR 11 than the key in this boot image" \
	"another signing key, no other PCR" -k other.pem -s $signature unseal only-signed
says "$stale: it is bound to a signed policy of PCR 11, and this boot image has none" \
	"no signed policy" unseal signed
says "$unsigned" "no signature" -k maker.pem unseal signed
says "KMS or TPM provides no key: certificate fingerprint does not match: the value of PCR 11 is \
signed by another key than the one in the boot image" "a signature by another key" \
	-k maker.pem -s $signature unseal signed
cp maker.fingerprint other.fingerprint
sign other
says "KMS or TPM provides no key: the signature over the value of PCR 11 is invalid: the boot image \
is damaged or was tampered with" "a signature by another key with this key's fingerprint" \
	-k maker.pem -s $signature unseal signed
false_signature=$signature
sign maker
opens "the valid one of several signatures is used" \
	-k maker.pem -s "${false_signature/:*:/:$(printf %064d 0):}" -s $signature unseal signed
call "${signed[@]}" extend 11 "$(printf %064d 5)"
says "$unsigned" "PCR 11 extended after the boot phase" "${signed[@]}" unseal signed

# Another TPM, and a damaged token.
tpm two
measure 0 4 7 11
says "$another" "another TPM" unseal two
tpm one
measure 0 4 7 11
opens "on the TPM that sealed the object" unseal two
cp -r two damaged
printf '\377' | dd of=damaged/private bs=1 seek=60 conv=notrunc status=none
call unseal damaged >out
grep -q "^$stale: the sealed object was created by another TPM, or is damaged (TPM2_Load" out
result $? "a damaged object"
is_empty "a damaged object"
head -c 40 two/public >damaged/public
call unseal damaged >out
grep -q "^$stale: the token contains no sealed object" out
result $? "half an object"
cp two/public damaged/public
cp two/private damaged/private
printf '\377' | dd of=damaged/policy bs=1 seek=3 conv=notrunc status=none
says "$stale: sealing policy digest does not match, and no PCR has changed: the token was modified" \
	"another policy hash" unseal damaged
tpm2_clear
says "$another" "a cleared TPM" unseal two
finish
