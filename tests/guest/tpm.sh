#!/usr/bin/env bash
# Keys of kind tpm over the boots of one machine, with swtpm as its TPM: what is sealed opens
# at the next boot, changed PCRs and another TPM are told and mended by another key, a closed door
# stays closed, and a recovery key is asked for only when all else fails. cryptsetup judges the
# keyslots, tpm2-tools the PCRs. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"
# shellcheck source=tests/guest/swtpm.sh
. "$(dirname "${BASH_SOURCE[0]}")/swtpm.sh"

file=$root/var/mnt/data/file
device=$(blank_device 40)

# declare_keys KEY...: of the volume data, each as in YAML's braces.
declare_keys() {
	declare_none
	declare_volume data "$device" "$@"
	options+=(--tcti "$tcti")
}

metadata() {
	json_area "$device" 1 | tr -d '\0'
}

# One boot of the machine up to the end of "up": the volume was closed and the TPM restarted.
boot() {
	down
	reboot_tpm
	said mortise up "$@"
}

opened_by() {
	[[ $(mortise status --json | jq -r '.volumes[0] | "\(.keyslot) \(.keyKind)"') == "$1" ]]
}

slot_cost() {
	metadata | jq -r --arg slot "$1" '.keyslots[$slot].kdf | "\(.type) \(.time) \(.memory) \(.cpus)"'
}

token_of() {
	metadata | jq -r --arg id "$1" '.tokens[$id].type // "none"'
}

# Header and keyslots; a file system is written to when it is mounted.
header_sum() {
	head -c 16M "$device" | cksum
}

unchanged_by() {
	local before
	before=$(header_sum)
	"$@" >/dev/null 2>&1 || true
	[[ $(header_sum) == "$before" ]]
}

## Formatting and the boots after it.
up_cost=(--pbkdf-memory 64 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
start_tpm first
pcr7=firmware
reboot_tpm
declare_keys 'slot: 0, tpm: {}' 'slot: 1, static: {passphrase: spare}'
check "a volume is formatted with a TPM key" said mortise up
check "that there is no signed policy is a notice" \
	says 'keyslot 0 (tpm) is bound to PCR 7 alone: this machine has no signed policy of PCR 11'
echo kept >"$file"
check_equal "its token is Talos's, under the number of its slot" "$(token_of 0)" talos-tpm2
check_equal "its slot has the least cost" "$(slot_cost 0)" 'argon2id 4 32 1'
check_equal "the other slot has what was asked for" "$(slot_cost 1)" 'argon2id 4 64 1'
check_equal "the token says what Talos would" \
	"$(metadata | jq -c '.tokens["0"] | [.keyslots, .UserData.keyslots, .UserData.pcrs,
		.UserData.alg, .UserData.encryption_version]')" '[[],[0],[7],"sha256","1"]'
check "cryptsetup opens the static one" \
	cryptsetup open --test-passphrase --key-slot 1 --key-file <(printf spare) "$device"
check "the next boot opens" boot
check "by the TPM" opened_by '0 tpm'
check_equal "and the data is there" "$(cat "$file")" kept
check "a boot without changes writes nothing" unchanged_by boot

## A PCR changes: the spare key opens, the plan says what will be done, up does it.
down
pcr7=other-firmware
reboot_tpm
check "plan tells which PCR has changed" said mortise plan
check "and that a TPM key wants Secure Boot" says 'a tpm key is strong with Secure Boot only'
check "by its number" says 'replace keyslot 0 (tpm): PCR 7 has changed'
check "and does nothing" unchanged_by mortise plan
check "the other slot opens the volume" said mortise up
check "it is said that the key was enrolled again" \
	says 'keyslot 0 (tpm) was enrolled again: PCR 7 has changed'
check "opened by the spare key" opened_by '1 static'
check "status remembers the notice" bash -c "[[ \$('$MORTISE' status ${options[*]@Q} --json |
	jq -r '.volumes[0].notices[0]') == *'enrolled again'* ]]"
check_equal "the data is there" "$(cat "$file")" kept
check "the boot after that opens" boot
check "by the TPM again" opened_by '0 tpm'

## Another TPM, then none.
start_tpm second
pcr7=other-firmware
check "a board with another TPM boots" boot
check "which is said" says 'another TPM'
check "the key is sealed by the new one" boot
check "and opens" opened_by '0 tpm'
stop_tpm
down
check "without a TPM the spare key opens" said mortise up
check "what failed is told" says 'keyslot 0 (tpm)'
check_equal "and the slot is left" "$(token_of 0)" talos-tpm2
start_tpm second
check "when the TPM is back" boot
check "its key opens as before" opened_by '0 tpm'

## Tokens that are none.
down
cryptsetup token remove --token-id 0 "$device"
check "without its token the slot is made anew" boot
check "and has one again" test "$(token_of 0)" = talos-tpm2
down
cryptsetup token remove --token-id 0 "$device"
echo '{"type":"clevis","keyslots":["1"],"jwe":{"kept":1}}' |
	cryptsetup token import --token-id 0 --json-file - "$device"
check "a foreign token in its place is no crash" boot
check "the slot is made anew" test "$(token_of 0)" = talos-tpm2
check_equal "and the foreign token is kept elsewhere" \
	"$(metadata | jq -c '[.tokens[] | select(.type == "clevis") | .jwe.kept]')" '[1]'
check "the boot after that opens" boot
check "by the TPM" opened_by '0 tpm'
down
metadata | jq -c '.tokens["0"].UserData.sealed_blob_private = "AAIBAg==" | .tokens["0"]' |
	cryptsetup token import --token-replace --token-id 0 --json-file - "$device"
check "a damaged blob is no crash" boot
check "opened by the spare key" opened_by '1 static'
check "the damaged one is mended" boot
check "and opens" opened_by '0 tpm'

## Declared otherwise.
declare_keys 'slot: 0, tpm: {options: {pcrs: [7, 0]}}' 'slot: 1, static: {passphrase: spare}'
check "other PCRs are declared" boot
check "the key is sealed to them" \
	test "$(metadata | jq -c '.tokens["0"].UserData.pcrs')" = '[0,7]'
check "and opens" boot
check "by the TPM" opened_by '0 tpm'
down
pcr7=third-firmware
reboot_tpm
check "of two PCRs one changes" said mortise plan
check "it is known which" says 'replace keyslot 0 (tpm): PCR 7 has changed'
check "and mended" boot
declare_keys 'slot: 0, static: {passphrase: instead}' 'slot: 1, static: {passphrase: spare}'
check "a passphrase takes the TPM key's place" boot
check_equal "its token is gone" "$(token_of 0)" none
declare_keys 'slot: 1, static: {passphrase: spare}' \
	'slot: 2, tpm: {checkSecurebootStatusOnEnroll: true}'
check "without Secure Boot a key that wants it is not enrolled" boot
check "which is told" says 'failed to enroll the TPM2 key'
check_equal "there is no such slot" "$(metadata | jq -c '.keyslots | keys')" '["1"]'

## Closing the door.
declare_keys 'slot: 0, tpm: {}' 'slot: 1, static: {passphrase: spare}'
check "the TPM key is declared again" boot
check "the door is closed after the volumes are ready" boot --extend-pcr 7:start-the-world
check "PCR 7 holds what Talos's recipe says" test "$(pcr 7)" = "$(extended "$pcr7" start-the-world)"
check "a second up leaves the PCR as it is" said mortise up --extend-pcr 7:start-the-world
check "PCR 7 was extended once" test "$(pcr 7)" = "$(extended "$pcr7" start-the-world)"
down
check "in this boot the TPM unseals no more" said mortise up
check "which is told" says 'PCR 7 was extended in this boot'
check "the spare key opens" opened_by '1 static'
check "and nothing was enrolled again" bash -c "! grep -q 'enrolled again' '$work/said'"
rm /run/mortise/closed-pcrs # as a new boot has it
check "the next boot opens" boot
check "by the TPM" opened_by '0 tpm'

## A volume that only the TPM opens, with its door closed and a recovery key.
declare_keys 'slot: 0, tpm: {}'
check "the spare key is taken away" boot --extend-pcr 7:start-the-world
check "an open volume stays ready when its key is not to be had" said mortise up
check "which is told" says 'keyslot 0 (tpm) not checked'
"$MORTISE" open --test-passphrase --key-file <(printf spare) "$device" && fail "the spare key is gone"
rm /run/mortise/closed-pcrs
check "the next boot has it" boot
check "a recovery key is enrolled, authorised by the TPM" said "$MORTISE" enroll "$device" \
	--recovery-key --recovery-file "$work/recovery" --token-only --tcti "$tcti"
check_equal "into a slot that systemd's token marks" \
	"$(metadata | jq -c '[.tokens[] | select(.type == "systemd-recovery") | .keyslots]')" '[["1"]]'
check "cryptsetup opens with it" cryptsetup open --test-passphrase --key-slot 1 \
	--key-file <(tr -d '\n' <"$work/recovery") "$device"
check "the key sync leaves it" boot
check "it is still there" test "$(metadata | jq -c '.keyslots | keys')" = '["0","1"]'
check "status shows it" test "$(mortise status --json | jq -c '.volumes[0].recoveryKeyslots')" = '[1]'

down
start_tpm third
reboot_tpm
check_fails "with a dead TPM and nothing else the volume stays closed" mortise up
said mortise up || true
check "the way out is told" says 'mortise up --recovery'
check "nothing was changed" unchanged_by mortise up
printf 'wrong\nwrong again\n%s\n' "$(tr '[:lower:]' '[:upper:]' <"$work/recovery" | tr -d -- '-\n')" >"$work/typed"
check "the third try, in capitals without dashes, opens it" \
	said type_to "$work/typed" "$MORTISE" up "${options[@]}" --recovery
check "the dead TPM key is enrolled again" says 'keyslot 0 (tpm) was enrolled again'
check_equal "the data is there" "$(cat "$file")" kept
check "the boot after that opens" boot
check "by the TPM" opened_by '0 tpm'
check "the recovery key is still there" test "$(token_of 31)" != none
printf 'wrong\nwrong\nwrong\n' >"$work/typed"
down
start_tpm fourth
reboot_tpm
check_fails "three wrong tries are the end" type_to "$work/typed" "$MORTISE" up "${options[@]}" \
	--recovery

## The signed policy of PCR 11, made by openssl and tpm2-tools.
start_tpm fifth
reboot_tpm
sign_pcr_11 "$work/policy" enter-initrd leave-initrd enter-machined
device=$(blank_device 40)
declare_keys 'slot: 0, tpm: {options: {}}' 'slot: 1, static: {passphrase: spare}'
options+=(--tpm-policy "$work/policy")
pcr11='enter-initrd leave-initrd enter-machined'
check "a key is bound to the signed policy" boot
check_equal "as Talos has it" "$(metadata | jq -c '.tokens["0"].UserData |
	[.pcrs, .pubkey_pcrs]')" '[null,[11]]'
check "the next boot opens" boot
check "by the TPM" opened_by '0 tpm'
pcr7=whatever
check "PCR 7 may change" boot
check "by the TPM still" opened_by '0 tpm'
pcr11='enter-initrd leave-initrd enter-machined start-the-world'
check "a state of PCR 11 that nobody has signed does not open it" boot
check "by the spare key" opened_by '1 static'
check "which is told" says 'PCR 11 is in a state that nobody has signed'
check "nothing is made anew, since that would not open either" bash -c \
	"! grep -q 'enrolled again' '$work/said'"
pcr11='enter-initrd leave-initrd enter-machined'
check "the signed state" boot
check "the door of PCR 11 is closed" said mortise up --extend-pcr 11:start-the-world
down
check "in this boot the spare key opens" said mortise up
check "the door is told" says 'PCR 11 was extended in this boot'
rm /run/mortise/closed-pcrs
pcr11='enter-initrd leave-initrd enter-machined'
check "in the signed state it opens" boot
check "by the TPM" opened_by '0 tpm'

## A machine that carries its configuration: META says that the TPM opens STATE.
down
start_tpm sixth
pcr7=firmware
pcr11=
reboot_tpm
meta=$(blank_device 1)
state=$(blank_device 330)
places=(--root "$root" --node-uuid "$uuid" --tcti "$tcti" --device "META=$meta"
	--device "STATE=$state")
printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\nencryption:\n  provider: luks2\n' \
	>"$work/state.yaml"
printf '  keys:\n    - {slot: 0, tpm: {}}\n' >>"$work/state.yaml"
check "apply" said "$MORTISE" apply -f "$work/state.yaml" "${places[@]}"
check "a recovery key for STATE" said "$MORTISE" enroll "$state" --recovery-key \
	--recovery-file "$work/recovery.state" --token-only --tcti "$tcti"
carried() {
	"$MORTISE" down "${places[@]}" >"$work/down" 2>&1
	reboot_tpm
	said "$MORTISE" up "${places[@]}" "$@"
}
check "the next boot has nothing but the disk and the TPM" carried
"$MORTISE" down "${places[@]}" >"$work/down" 2>&1
start_tpm seventh
check_fails "another TPM does not open STATE" carried
check "the way out is told" says 'mortise up --recovery'
tr -d '\n' <"$work/recovery.state" >"$work/typed"
echo >>"$work/typed"
check "the recovery key does" \
	said type_to "$work/typed" "$MORTISE" up "${places[@]}" --recovery
check "it is told" says 'opened with the recovery key'
check "and STATE's TPM key is enrolled again" says 'keyslot 0 (tpm) was enrolled again'
check "the boot after that needs nobody" carried
"$MORTISE" down "${places[@]}" >"$work/down" 2>&1
stop_tpm
finish
