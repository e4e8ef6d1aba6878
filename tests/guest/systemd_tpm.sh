#!/usr/bin/env bash
# Keys of systemd-cryptenroll in the kernel's hands: open and a declared volume use its token, a
# declared key that no longer opens replaces it, and systemd-cryptsetup 252 attaches what
# `mortise enroll --format systemd` made: bound to a PCR, to a PIN, and to a signed policy.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"
# shellcheck source=tests/guest/swtpm.sh
. "$(dirname "${BASH_SOURCE[0]}")/swtpm.sh"

if ! command -v systemd-cryptenroll >/dev/null || [[ ! -x /lib/systemd/systemd-cryptsetup ]]; then
	check "skipped: systemd-cryptenroll is not installed" true
	finish
fi
file=$root/var/mnt/data/file
device=$(blank_device 40)

declare_keys() {
	declare_none
	declare_volume data "$device" "$@"
	options+=(--tcti "$tcti")
}

metadata() {
	json_area "$device" | tr -d '\0'
}

types() {
	metadata | jq -r '[.tokens[].type | select(. != "mortise")] | sort | join(" ")'
}

# systemd 252 leaves sessions in the TPM, which has no resource manager here.
flush() {
	tpm2 flushcontext -t && tpm2 flushcontext -l
}

# attached [OPTIONS]: systemd-cryptsetup maps the device with its token.
attached() {
	DM_DISABLE_UDEV=1 /lib/systemd/systemd-cryptsetup attach theirs "$device" - \
		"luks,headless,tpm2-device=$tcti${1:+,$1}" >"$work/said" 2>&1 || {
		cat "$work/said"
		return 1
	}
	flush
	[[ -b /dev/mapper/theirs || $(dmsetup info -c --noheadings -o name theirs) == theirs ]]
	cryptsetup close theirs
}

start_tpm first
reboot_tpm
declare_keys 'slot: 0, static: {passphrase: spare}'
check "a volume is formatted" said mortise up
echo kept >"$file"
down
enroll_by_systemd() {
	PASSWORD=spare systemd-cryptenroll "--tpm2-device=$tcti" --tpm2-pcrs=7 "$device" && flush
}
check "systemd-cryptenroll adds a key" enroll_by_systemd
check "systemd-cryptsetup attaches it" attached
check "mortise opens it" said "$MORTISE" open --token-only --tcti "$tcti" "$device" ours
check_match "with a mapping" "$(cryptsetup status ours)" '*LUKS2*'
"$MORTISE" close ours
check_fails "up refuses the header that systemd has changed" said mortise up
reseal() {
	said "$MORTISE" seal --batch-mode --volume u-data --key-file <(printf spare) "$device"
}
check "an operator accepts it" reseal
declare_keys 'slot: 1, tpm: {options: {pcrs: [7]}}' 'slot: 4, static: {passphrase: other}'
check "up opens the volume with systemd's token" said mortise up
check_equal "by the declared key" \
	"$(mortise status --json | jq -r '.volumes[0] | "\(.keyslot) \(.keyKind)"')" '1 tpm'
check_equal "the data is there" "$(cat "$file")" kept
check_equal "the token stays" "$(types)" systemd-tpm2
down
pcr7=changed
reboot_tpm
check "up succeeds after PCR 7 has changed" said mortise up
check "it says that the key was enrolled again" says 'PCR 7 has changed'
check_equal "a token of Talos replaces that of systemd" "$(types)" talos-tpm2
down

enroll() {
	said "$MORTISE" enroll "$device" --tpm --format systemd --tcti "$tcti" \
		--key-file <(printf other) "$@"
}
check "enroll makes a token of systemd" enroll --key-slot 5
check "systemd-cryptsetup attaches it" attached
"$MORTISE" luksKillSlot -q "$device" 5 --key-file <(printf other)
cryptsetup token remove --token-id 31 "$device" 2>/dev/null || true
with_pin() {
	"$MORTISE" enroll "$device" --tpm --format systemd --tcti "$tcti" --tpm-pin --key-slot 6 \
		--key-file <(printf other) <<<1234 >"$work/said" 2>&1
}
check "enroll makes one with a PIN" with_pin
export PIN=1234
check "systemd-cryptsetup attaches it with the PIN" attached
export PIN=1235
check_fails "but not with another one" attached
flush
tpm2 dictionarylockout --setup-parameters --max-tries=32 --clear-lockout
unset PIN
"$MORTISE" luksKillSlot -q "$device" 6 --key-file <(printf other)
for id in $(metadata | jq -r '.tokens | to_entries[] | select(.value.type == "systemd-tpm2").key'); do
	cryptsetup token remove --token-id "$id" "$device"
done
sign_pcr_11 "$work/policy" kernel phase
pcr11="kernel phase"
reboot_tpm
check "enroll makes one with a signed policy" enroll --tpm-pcrs none --tpm-policy "$work/policy"
check "systemd-cryptsetup attaches it with the signature" \
	attached "tpm2-signature=$work/policy/tpm2-pcr-signature.json"
check "mortise opens it with the signature" "$MORTISE" open --test-passphrase --tcti "$tcti" \
	--token-only --token-type systemd-tpm2 --tpm-policy "$work/policy" "$device"
stop_tpm
finish
