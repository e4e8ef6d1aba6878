#!/bin/bash
# SPDX-License-Identifier: MIT
# No secret crosses the bus in the clear, and no copy of it stays in memory.
. "$(dirname "$(realpath "$0")")/lib.sh"

# The bytes of a file as one line of hex, so that grep finds them across newlines.
hex() {
	od -An -v -t x1 "$1" | tr -d ' \n'
}

secret=$(hex secret)

# crossed FILE: any quarter of the secret is in FILE. Looking for quarters also detects a secret
# that is encrypted only in its first block.
crossed() {
	local from
	for from in 0 16 32 48; do
		! hex "$1" | grep -q "${secret:from:16}" || return 0
	done
	return 1
}

tpm one
measure 7 11
new_key maker
sign maker
direct=$TPM2TOOLS_TCTI
TPM2TOOLS_TCTI="cmd:$TPM_PROXY $work/tpm log $work/bus"

# Check that crossed finds an unencrypted secret: tpm2-tools use encrypted sessions only on request.
tpm2_createprimary -Q -C o -G ecc -c srk.ctx
tpm2_create -Q -C srk.ctx -i secret -u public -r private
crossed bus
result $? "without encryption, sealing shows the secret"
rm bus
TPM2TOOLS_TCTI=$direct tpm2_flushcontext -t
tpm2_load -Q -C srk.ctx -u public -r private -c object.ctx
tpm2_unseal -c object.ctx >out
cmp -s out secret && crossed bus
result $? "without encryption, unsealing shows the secret"
rm bus
TPM2TOOLS_TCTI=$direct tpm2_flushcontext -t

call -k maker.pem -s $signature seal object 7 <secret 2>err
[ -s bus ] && ! crossed bus
result $? "sealing: the secret does not cross the bus"
grep -qx "copies 1" err
result $? "sealing leaves no copy in memory"
rm bus
call -k maker.pem -s $signature unseal object >out 2>err
cmp -s out secret && [ -s bus ] && ! crossed bus
result $? "unsealing: the secret does not cross the bus"
grep -qx "copies 1" err
result $? "unsealing leaves no copy in memory except the returned one"

# An HMAC and a policy session, both salted (with the handle of a key, and a secret after the nonce)
# and not bound: 80 01, size, TPM_CC_StartAuthSession, transient key, TPM_RH_NULL.
[ "$(hex bus | grep -o '8001........0000017680......40000007' | wc -l)" = 2 ]
result $? "both sessions are salted with the storage root key"
finish
