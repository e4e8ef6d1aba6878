#!/bin/bash
# SPDX-License-Identifier: MIT
# TPMs that are missing, busy, broken, full, or of an unsupported kind.
. "$(dirname "$(realpath "$0")")/lib.sh"

source="KMS or TPM provides no key"
unreachable="KMS or TPM does not answer"
create=153 create_primary=131 unseal=15e

# through PROXY_ARGUMENT...: sends the following calls through the proxy.
through() {
	TPM2TOOLS_TCTI="cmd:$TPM_PROXY $work/tpm $*"
	skip_empty_check=1
}

directly() {
	TPM2TOOLS_TCTI=swtpm:path=$work/tpm
	skip_empty_check=
}

# answers CC RC CODE PATTERN: if the TPM answers RC to command CC, the error has CODE and PATTERN.
answers() {
	through answer $1 $2 1000000
	call -L 3000 unseal object >out 2>err
	grep -q "^$3: $4 (TPM2_[A-Za-z_]*: 0x00000$2)$" out
	result $? "TPM_RC $2 to command $1"
	grep -q "^$3: $4" out || sed 's/^/# /' out err
	directly
	is_empty "TPM_RC $2 to command $1"
}

no_device=
for device in /dev/tpmrm0 /dev/tpm0; do
	[ ! -e $device ] || no_device=skip
done
if [ -z "$no_device" ]; then
	"$TPM_CALL" seal object 7 <secret >out 2>&1
	[ "$(cat out)" = "$source: this machine has no TPM 2.0 (/dev/tpmrm0, /dev/tpm0)" ]
	result $? "no TPM"
fi
"$TPM_CALL" -T swtpm:path=$work/nowhere seal object 7 <secret >out 2>&1
grep -q "^$source: cannot reach a TPM through the TCTI swtpm:path=.* (0x000a" out
result $? "no TPM at the TCTI"
[ "$(wc -l <out)" = 1 ]
result $? "nothing else is printed"

tpm one
says "$source: PCR bank 7 is populated with all zeroes: nothing was measured into it, and a key \
bound to it would open after any boot" "PCR 7 not measured" seal object 7
says "$source: PCR bank 17 is populated with all 0xFF: nothing was measured into it, and a key \
bound to it would open after any boot" "a PCR of all ones" seal object 17
measure 7
says "$source: PCR bank 0 is populated with all zeroes: nothing was measured into it, and a key \
bound to it would open after any boot" "one of two PCRs not measured" seal object 0,7
new_key maker
sign maker
says "$source: PCR bank 11 is populated with all zeroes: nothing was measured into it, and a key \
bound to it would open after any boot" "PCR 11 not measured" -k maker.pem -s $signature seal object 7
measure 0 11
says "wrong or missing parameters: cannot bind a key of kind tpm to the boot: this boot image has no \
signed policy of PCR 11, and the list of PCRs is empty" "bound to nothing" seal object -
openssl genrsa 4096 2>/dev/null | openssl rsa -pubout -out large.pem 2>/dev/null
call -k large.pem seal object 7 <secret >out
grep -q "^not supported: this TPM does not support the key that signs .*: RSA with 4096 bits" out
result $? "a key that this TPM cannot load is rejected before an object is bound to it"
is_empty "an RSA key that is too large"

succeeds "seal" seal object 7
succeeds "seal to the signed policy" -k maker.pem -s $signature seal signed 7
tpm one
says "$source: PCR bank 7 is populated with all zeroes: nothing was measured into it, and a key \
bound to it would open after any boot" "not measured when unsealing" unseal object
measure 7
says "$source: PCR bank 11 is populated with all zeroes: nothing was measured into it, and a key \
bound to it would open after any boot" "PCR 11 not measured when unsealing" \
	-k maker.pem -s $signature unseal signed

# More retries than ESYS makes by itself.
for rc in 922 908 90a; do
	through answer $unseal $rc 12
	opens "TPM_RC $rc twelve times, then an answer" unseal object
	through answer $create $rc 12
	succeeds "TPM_RC $rc twelve times when sealing" seal again 7
done
directly
is_empty "busy"
through answer $unseal 920 2
opens "TPM_RC_NV_RATE twice, then an answer" unseal object
answers $unseal 922 "$unreachable" "the TPM is busy; try again later"
answers $create_primary 920 "$unreachable" "the TPM is busy; try again later"
answers $unseal 921 "$unreachable" "the TPM is in lockout after .*"
answers $unseal 128 "$unreachable" "a PCR was extended during .*"
answers $create_primary 101 "$source" "the TPM is in failure mode; .*"
answers $create_primary 100 "$source" "the TPM is not started; .*"
answers $create_primary 185 "$source" "the TPM's owner hierarchy is disabled; .*"
answers $unseal 143 "not supported" "this TPM does not support the command"
answers $unseal 99d "TPM can no longer unseal this" "the policy of the sealed object differs .*"
through answer $unseal 1b5 1
call unseal object >out
grep -q "^$source: the TPM refused TPM2_Unseal with 0x000001b5 (tpm2_rc_decode 0x1b5 explains it)$" out
result $? "the error has the number of any other code"
directly

# mortise gives up a TPM that does not answer, at any command.
given_up() { # DESCRIPTION ARGUMENT...
	local what=$1 begin
	shift
	begin=$(date +%s)
	call -L 1000 "$@" >out 2>err <secret
	grep -q "^$unreachable: the TPM did not answer within [1-9][0-9]* s$" out &&
		[ $(($(date +%s) - begin)) -lt 300 ]
	result $? "$what"
}

through mute $unseal
given_up "TPM that does not answer one command" unseal object
directly
sleep 1
tpm2_flushcontext -t
tpm2_flushcontext -l
kill -STOP $pid
given_up "stopped TPM" seal again 7
kill -CONT $pid
opens "a continued TPM is used again" -L 300000 unseal object
{
	kill $pid
	wait $pid
} 2>/dev/null
pid=

# A full TPM: swtpm has room for three objects.
tpm one
measure 7
srk
for _ in 1 2 3; do
	tpm2_load -Q -C srk.ctx -u object/public -r object/private -c object.ctx ||
		tpm2_createprimary -Q -C o -c other.ctx
done 2>/dev/null
skip_empty_check=1
call unseal object >out
grep -q "^$source: the TPM has no room left: .* (TPM2_CreatePrimary: 0x00000902)$" out
result $? "no room for an object"
skip_empty_check=
tpm2_flushcontext -t
opens "room again" unseal object

# Lockout does not affect objects without a password.
tpm2_dictionarylockout -s -n 1 -t 1000 -l 1000
srk
tpm2_create -Q -C srk.ctx -p right -i secret -u public -r private
tpm2_flushcontext -t
tpm2_load -Q -C srk.ctx -u public -r private -c guarded.ctx
tpm2_flushcontext -t
tpm2_unseal -Q -c guarded.ctx -p wrong 2>/dev/null
tpm2_flushcontext -t
tpm2_getcap properties-variable | grep -q 'inLockout: *1'
result $? "in lockout"
opens "in lockout, an object without a password is unsealed" unseal object
mkdir old
cp object/* old
tpm2_create -Q -C srk.ctx -g sha256 -a "fixedtpm|fixedparent" -L object/policy -i secret \
	-u old/public -r old/private
tpm2_flushcontext -t
opens "in lockout, an object of Talos up to 1.11 is unsealed, as no session is bound to it" unseal old
tpm2_changeauth -c owner secret
call unseal object >out
grep -q "^$source: the TPM refuses an empty password for its owner hierarchy; " out
result $? "owner hierarchy with a password"
is_empty "owner hierarchy with a password"

tpm no_bank
tpm2_pcrallocate -Q sha1:all+sha256:none >/dev/null
tpm no_bank
for words in "extend 11 $(printf %064d 5)" "seal again 7,11"; do
	call $words <secret >out
	grep -q "^$source: the TPM has no SHA-256 bank of PCR .*11; enable it in the firmware setup$" out
	result $? "no SHA-256 bank: $words"
done

tpm twelve --flags not-need-init
TPM2TOOLS_TCTI="cmd:$TPM_PROXY $work/tpm"
skip_empty_check=1
call unseal object >out
grep -q "^$source: this is a TPM 1.2; a key requires a TPM 2.0 (TPM2_GetCapability: 0x00080001)$" out
result $? "a TPM 1.2"
finish
