#!/bin/bash
# SPDX-License-Identifier: MIT
# Our objects opened by tpm2-tools driven by the recipe, theirs opened by us, and the same
# policy digests from both.
. "$(dirname "$(realpath "$0")")/lib.sh"
. "$(dirname "$(realpath "$0")")/recipe.sh"

# mask PCRS
mask() {
	local pcr sum=0
	for pcr in ${1//,/ }; do
		[ $pcr = - ] || sum=$((sum + (1 << pcr)))
	done
	echo $sum
}

tpm one
measure 0 7 11
new_key maker
sign maker
call -k maker.pem fingerprint >out
diff out maker.fingerprint
result $? "the fingerprint is that of OpenSSL's RSAPublicKey"

for case in unsigned:7 unsigned:0,7 signed:- signed:7 signed:0,7 signed:7,11; do
	pcrs=${case#*:}
	bound=${case%:*}
	words=()
	[ $bound = unsigned ] || words=(-k maker.pem -s "$signature")
	succeeds "$case: we seal" "${words[@]}" seal ours $pcrs
	unseal_theirs $bound $pcrs ours >out
	cmp -s out secret
	result $? "$case: tpm2-tools unseal ours"
	cmp -s digest ours/policy
	result $? "$case: and reach the policy that we computed"
	tpm2_print -t TPM2B_PUBLIC ours/public 2>&1 | grep -q 'raw: 0x412$'
	result $? "$case: attributes 0x412"
	opens "$case: we unseal ours" "${words[@]}" unseal ours

	theirs $bound $pcrs theirs "fixedtpm|fixedparent|noda"
	echo "$([ $bound = signed ] && echo 1 || echo 0) $(mask $pcrs) 0" >theirs/bound
	cmp -s theirs/name ours/name
	result $? "$case: both have the same storage root key"
	opens "$case: we unseal theirs" "${words[@]}" unseal theirs
	theirs $bound $pcrs theirs "fixedtpm|fixedparent"
	tpm2_print -t TPM2B_PUBLIC theirs/public 2>&1 | grep -q 'raw: 0x12$'
	result $? "$case: attributes 0x12"
	opens "$case: we unseal one as Talos made it up to 1.11" "${words[@]}" unseal theirs

	if [ $pcrs != - ]; then
		tpm2_pcrread -Q -o values sha256:$pcrs
	fi
	words=()
	[ $bound = unsigned ] || words=(-k maker.pem)
	call "${words[@]}" digest $pcrs values >out
	od -An -v -t x1 digest | tr -d ' \n' | diff -q - <(tr -d '\n' <out) >/dev/null
	result $? "$case: keys_tpm_policy_digest is the digest of tpm2-tools"
done
call -k maker.pem key-name >out
od -An -v -t x1 key.name | tr -d ' \n' | diff -q - <(tr -d '\n' <out) >/dev/null
result $? "the policy's key has the name that the TPM gives it"

tpm2_pcrread -Q -o before sha256:11
succeeds "extend" extend 11 start-the-world
tpm2_pcrread -Q -o after sha256:11
{
	cat before
	printf start-the-world | openssl dgst -sha256 -binary
} | openssl dgst -sha256 -binary | cmp -s - after
result $? "PCR 11 was extended by the SHA-256 of the word"
tpm2_pcrread sha1:11 | grep -q '11: 0x0*$'
result $? "and that of no other bank was"
finish
