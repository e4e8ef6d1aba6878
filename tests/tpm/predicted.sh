#!/bin/bash
# SPDX-License-Identifier: MIT
# Keys sealed to predicted PCR values, and PCR 15: tpm2-tools compute the same policy from a file of
# values, extend PCRs, and show when the TPM unseals.
. "$(dirname "$(realpath "$0")")/lib.sh"
. "$(dirname "$(realpath "$0")")/recipe.sh"

identity=$(openssl rand -hex 32)
stale="TPM can no longer unseal this"

# zeros: 32 zero bytes. extended HEX: the value of a PCR that was zero and is extended with HEX.
zeros() {
	head -c 32 /dev/zero
}
extended() {
	{
		zeros
		printf %s "$1" | xxd -r -p
	} | openssl dgst -sha256 -binary
}

# policy_of PCRS VALUES_FILE: tpm2-tools compute the policy from these values, not from the PCRs.
policy_of() {
	tpm2_startauthsession -S trial.ctx
	tpm2_policypcr -Q -S trial.ctx -l "sha256:$1" -f "$2" -L digest
	tpm2_flushcontext trial.ctx
}

# tools_refuse DIR PCRS DESCRIPTION: the TPM itself refuses, whatever mortise checks.
tools_refuse() {
	tools_unseal unsigned "$2" "$1" >out 2>err
	[ ! -s out ] && grep -q 'policy check failed' err
	result $? "$3"
	tpm2_flushcontext -t
	tpm2_flushcontext -l
}

tpm one
measure 7
zeros >15.first
extended "$identity" >15.after
{
	tpm2_pcrread -Q -o 7.value sha256:7
	cat 7.value 15.first >7,first
	cat 7.value 15.after >7,after
}
succeeds "sealed to PCR 7 and PCR 15 = 0" seal first 7,15 15 15.first
succeeds "sealed to PCR 7 and the later PCR 15" seal after 7,15 15 15.after
policy_of 7,15 7,first
cmp -s digest first/policy
result $? "tpm2-tools compute the policy of PCR 15 = 0 from the values"
policy_of 7,15 7,after
cmp -s digest after/policy
result $? "tpm2-tools compute the policy of the later PCR 15 from the values"
says "KMS or TPM provides no key: PCR bank 15 is populated with all zeroes: nothing was measured \
into it, and a key bound to it would open after any boot" "a value of zero is sealed only if predicted" \
	seal refused 7,15
says "KMS or TPM provides no key: PCR bank 8 is populated with all zeroes: nothing was measured \
into it, and a key bound to it would open after any boot" "another PCR than the predicted one is zero" \
	seal refused 8,15 15 15.first

# Before the extension.
opens "PCR 15 is zero: the first key is unsealed" unseal first
tools_unseal unsigned 7,15 first >out
cmp -s out secret
result $? "tpm2-tools unseal the first key"
says "$stale: PCR 15 has changed since it was sealed" "PCR 15 is zero: the later key is not" \
	unseal after
grep -q '^changed 8000$' err
result $? "the changed PCR is returned as a bit"
tools_refuse after 7,15 "the TPM refuses tpm2-tools the later key"
call pcr-value 15 >out
[ "$(cat out)" = "$(printf %064d 0)" ]
result $? "mortise reads PCR 15 as zero"

# The extension.
succeeds "extend PCR 15" extend 15 "$identity"
tpm2_pcrread -Q -o value sha256:15
cmp -s value 15.after
result $? "tpm2_pcrread shows the computed value"
[ "$(call pcr-value 15)" = "$(xxd -p -c 64 15.after)" ]
result $? "mortise reads the same value"
tpm2_pcrread sha1:15 | grep -q '15: 0x0*$'
result $? "PCR 15 of the SHA-1 bank was not extended"
opens "PCR 15 is extended: the later key is unsealed" unseal after
says "$stale: PCR 15 has changed since it was sealed" "PCR 15 is extended: the first key is not" \
	unseal first
tools_refuse first 7,15 "the TPM refuses tpm2-tools the first key"
tpm2_pcrextend "7:sha256=$(printf %064d 1)"
says "$stale: PCR 7 and PCR 15 have changed since it was sealed" "both PCRs have changed" unseal first
grep -q '^changed 8080$' err
result $? "both PCRs are returned as bits"

# The same by tpm2-tools alone, and another identity.
tpm one
measure 7
tpm2_pcrextend "15:sha256=$identity"
opens "PCR 15 was extended by tpm2-tools: the later key is unsealed" unseal after
tpm one
measure 7
tpm2_pcrextend "15:sha256=$(openssl rand -hex 32)"
says "$stale: PCR 15 has changed since it was sealed" "another identity: the later key is not" \
	unseal after
tools_refuse after 7,15 "the TPM refuses tpm2-tools the later key"
finish
