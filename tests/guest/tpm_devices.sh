#!/usr/bin/env bash
# tpm keys through the kernel: /dev/tpmrm0, and /dev/tpm0 without a resource manager; only one
# program at a time can open the latter. Runs in a guest with a TPM: see tools/guest/qemu.
#   --file .../tpm_call:/bin/tpm_call --file .../tpm2:/bin/tpm2
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$work"
export TPM2TOOLS_TCTI=device:/dev/tpm0

round() {
	tpm_call seal object 7 <secret 2>/dev/null && tpm_call unseal object >out 2>/dev/null &&
		cmp out secret
}

# hold COMMAND...: has the TPM to itself until the command ends.
hold() {
	exec 9<>/dev/tpm0
	touch held
	"$@"
}

is_waited_for() {
	until_holds pidof tpm_call && sleep 3
}

# now: print the milliseconds since the boot.
now() {
	local seconds rest

	read -r seconds rest </proc/uptime
	echo "${seconds/./}0"
}

took() {
	echo "$1: $(($(now) - begin)) ms"
}

left_behind() {
	tpm2 getcap handles-transient && tpm2 getcap handles-loaded-session
}

head -c 32 /dev/urandom >secret
tpm2 pcrextend "7:sha256=$(printf %064d 7)"
begin=$(now)
check "/dev/tpmrm0 seals and unseals" round
took "sealing and unsealing, this emulated machine"
check_equal "nothing is left in the TPM" "$(left_behind)" ''

mv /dev/tpmrm0 "$work/hidden"
check "/dev/tpm0 seals and unseals" round
check_equal "nothing is left in the TPM" "$(left_behind)" ''
hold is_waited_for &
until_holds test -e held
begin=$(now)
check "the call waits while another program has the device open" round
took "of which about 3 s are the other program's"
wait
rm held
hold until_holds test -e ended &
until_holds test -e held
check_equal "the call stops waiting after a limit" "$(tpm_call -L 5000 unseal object 2>/dev/null)" \
	"KMS or TPM does not answer: cannot open the TPM /dev/tpm0, which another program uses: $(
	)Device or resource busy"
touch ended
wait
tpm2 pcrextend "7:sha256=$(printf %064d 7)"
check_equal "a changed PCR is reported" "$(tpm_call unseal object 2>/dev/null)" \
	"TPM can no longer unseal this: PCR 7 has changed since it was sealed"
check_equal "nothing is left in the TPM" "$(left_behind)" ''
mv "$work/hidden" /dev/tpmrm0
finish
