#!/bin/bash
# SPDX-License-Identifier: MIT
# Objects sealed by mortise are unsealed by tpm2-tools and the reverse, and both compute the same
# policy digests.
. "$(dirname "$(realpath "$0")")/lib.sh"
. "$(dirname "$(realpath "$0")")/recipe.sh"

# mask PCRS: prints the list of PCRs as a bit mask.
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
result $? "the fingerprint is the SHA-256 of OpenSSL's RSAPublicKey"

for case in unsigned:7 unsigned:0,7 signed:- signed:7 signed:0,7 signed:7,11; do
	pcrs=${case#*:}
	bound=${case%:*}
	words=()
	[ $bound = unsigned ] || words=(-k maker.pem -s "$signature")
	succeeds "$case: mortise seals" "${words[@]}" seal mortise $pcrs
	tools_unseal $bound $pcrs mortise >out
	cmp -s out secret
	result $? "$case: tpm2-tools unseal it"
	cmp -s digest mortise/policy
	result $? "$case: tpm2-tools compute the same policy digest"
	tpm2_print -t TPM2B_PUBLIC mortise/public 2>&1 | grep -q 'raw: 0x412$'
	result $? "$case: attributes 0x412"
	opens "$case: mortise unseals it" "${words[@]}" unseal mortise

	tools_seal $bound $pcrs tools "fixedtpm|fixedparent|noda"
	echo "$([ $bound = signed ] && echo 1 || echo 0) $(mask $pcrs) 0" >tools/bound
	cmp -s tools/name mortise/name
	result $? "$case: both use the same storage root key"
	opens "$case: mortise unseals an object of tpm2-tools" "${words[@]}" unseal tools
	tools_seal $bound $pcrs tools "fixedtpm|fixedparent"
	tpm2_print -t TPM2B_PUBLIC tools/public 2>&1 | grep -q 'raw: 0x12$'
	result $? "$case: attributes 0x12"
	opens "$case: mortise unseals an object with the attributes of Talos up to 1.11" \
		"${words[@]}" unseal tools

	if [ $pcrs != - ]; then
		tpm2_pcrread -Q -o values sha256:$pcrs
	fi
	words=()
	[ $bound = unsigned ] || words=(-k maker.pem)
	call "${words[@]}" digest $pcrs values >out
	od -An -v -t x1 digest | tr -d ' \n' | diff -q - <(tr -d '\n' <out) >/dev/null
	result $? "$case: keys_tpm_policy_digest computes the digest of tpm2-tools"
done
call -k maker.pem key-name >out
od -An -v -t x1 key.name | tr -d ' \n' | diff -q - <(tr -d '\n' <out) >/dev/null
result $? "the computed name of the policy's key is the TPM's name for it"

tpm2_pcrread -Q -o before sha256:11
succeeds "extend" extend 11 "$(printf start-the-world | openssl dgst -sha256 -r | cut -d' ' -f1)"
tpm2_pcrread -Q -o after sha256:11
{
	cat before
	printf start-the-world | openssl dgst -sha256 -binary
} | openssl dgst -sha256 -binary | cmp -s - after
result $? "PCR 11 was extended with the digest"
tpm2_pcrread sha1:11 | grep -q '11: 0x0*$'
result $? "PCR 11 of the SHA-1 bank was not extended"
finish
