#!/usr/bin/env bash
# tpm keys over several boots of one machine, with swtpm as its TPM: sealed keys open at the next
# boot; changed PCRs and another TPM are reported, and another key repairs the keyslot; a key sealed
# to a PCR that was extended stays unavailable; and a recovery key is requested only when all other
# keys fail. cryptsetup checks the keyslots, tpm2-tools the PCRs.
# Runs in a guest: see tools/guest/uml.
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

# declare_keys KEY...: declare keys of the volume data, each as in YAML's braces.
declare_keys() {
	declare_none
	declare_volume data "$device" "$@"
	options+=(--tcti "$tcti")
}

metadata() {
	json_area "$device" | tr -d '\0'
}

# One boot of the machine to the end of up: the volume is closed and the TPM restarted.
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

# The checksum of header and keyslots only, because mounting writes to the file system.
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
check "a volume is formatted with a tpm key" said mortise up
check "a notice says that the signed policy is missing" \
	says 'keyslot 0 (tpm) is bound to PCR 7, 15 only: this machine has no signed policy of PCR 11'
echo kept >"$file"
check_equal "the token is Talos's, with the number of its keyslot" "$(token_of 0)" talos-tpm2
check_equal "the tpm keyslot has the minimum cost" "$(slot_cost 0)" 'argon2id 4 32 1'
check_equal "the other keyslot has the requested cost" "$(slot_cost 1)" 'argon2id 4 64 1'
check_equal "the token has the fields of Talos" \
	"$(metadata | jq -c '.tokens["0"] | [.keyslots, .UserData.keyslots, .UserData.pcrs,
		.UserData.alg, .UserData.encryption_version]')" '[[],[0],[7,15],"sha256","1"]'
check "cryptsetup opens the static keyslot" \
	cryptsetup open --test-passphrase --key-slot 1 --key-file <(printf spare) "$device"
check "the next boot succeeds" boot
check "the tpm key opens the volume" opened_by '0 tpm'

## Another volume key: the same token opens its keyslot.
before=$(metadata | jq -c '.digests[].digest')
sed -i 's/^  provider: luks2$/&\n  rotateVolumeKey: new/' "$config"
check "the next boot replaces the volume key" boot
check_fails "it is another one" test "$(metadata | jq -c '.digests[].digest')" = "$before"
check "the tpm key opened the volume" opened_by '0 tpm'
check_equal "the data is still there" "$(cat "$file")" kept
check_equal "the tpm keyslot has the minimum cost" "$(slot_cost 0)" 'argon2id 4 32 1'
check_equal "the other keyslot has the requested cost" "$(slot_cost 1)" 'argon2id 4 64 1'
check "the next boot succeeds" boot
check "the tpm key opens the volume again" opened_by '0 tpm'
check "cryptsetup opens the static keyslot" \
	cryptsetup open --test-passphrase --key-slot 1 --key-file <(printf spare) "$device"
check_equal "the data is still there" "$(cat "$file")" kept
check "a boot without changes writes nothing" unchanged_by boot

## A PCR changes: the spare key opens the volume, plan shows the re-enrollment, up performs it.
down
pcr7=other-firmware
reboot_tpm
check "plan succeeds after a PCR has changed" said mortise plan
check "plan says that a tpm key needs Secure Boot" says 'a tpm key protects the volume only with Secure Boot'
check "plan says that the key waits for PCR 15" says \
	'keyslot 0 (tpm) unchanged: bound to PCR 15, which '
check "plan changes nothing" unchanged_by mortise plan
check "up succeeds with the other keyslot" said mortise up
check "a notice says that the key was enrolled again" \
	says 'keyslot 0 (tpm) was enrolled again: PCR 7 has changed'
check "the spare key opened the volume" opened_by '1 static'
check "status shows the notice" bash -c "[[ \$('$MORTISE' status ${options[*]@Q} --json |
	jq -r '.volumes[0].notices[0]') == *'enrolled again'* ]]"
check_equal "the data is still there" "$(cat "$file")" kept
check "the next boot succeeds" boot
check "the tpm key opens the volume again" opened_by '0 tpm'

## A key enrolled by hand, after up has extended PCR 15.
by_hand=(--token-only --tcti "$tcti")
check "enroll adds a tpm key" said "$MORTISE" enroll "$device" --tpm --key-slot 5 "${by_hand[@]}"
check "a notice says when it can be unsealed" \
	says 'keyslot 5 (tpm) is bound to PCR 7 and PCR 15: it can be unsealed only after '
check_equal "it is sealed to PCR 7 and PCR 15" \
	"$(metadata | jq -c '.tokens["5"].UserData.pcrs')" '[7,15]'
check "the TPM unseals it" "$MORTISE" open --test-passphrase --token-id 5 "${by_hand[@]}" "$device"
down
reboot_tpm
check_fails "the TPM does not unseal it before up" \
	said "$MORTISE" open --test-passphrase --token-id 5 "${by_hand[@]}" "$device"
check "the error says why" says 'bound to PCR 15, which '
check "enroll adds another one" said "$MORTISE" enroll "$device" --tpm --key-slot 6 \
	--key-file <(printf spare) --tcti "$tcti"
check_equal "before up, PCR 15 is not a default" \
	"$(metadata | jq -c '.tokens["6"].UserData.pcrs')" '[7]'
check "the next boot removes these keys" boot

## Another TPM, then no TPM.
start_tpm second
pcr7=other-firmware
check "the boot succeeds with another TPM" boot
check "a notice mentions the other TPM" says 'another TPM'
check "the boot succeeds with a key sealed by the new TPM" boot
check "the tpm key opens the volume" opened_by '0 tpm'
stop_tpm
down
check "up succeeds without a TPM" said mortise up
check "a notice names the tpm keyslot" says 'keyslot 0 (tpm)'
check_equal "the token is still there" "$(token_of 0)" talos-tpm2
start_tpm second
check "the boot succeeds when the TPM is back" boot
check "the tpm key opens the volume as before" opened_by '0 tpm'

## Missing, foreign and damaged tokens, accepted by an operator.
reseal() {
	said "$MORTISE" seal --batch-mode --volume u-data --key-file <(printf spare) "$device"
}
down
cryptsetup token remove --token-id 0 "$device"
check "an operator seals the header" reseal
check "the boot succeeds without the token of the tpm keyslot" boot
check "the tpm keyslot has a token again" test "$(token_of 0)" = talos-tpm2
down
cryptsetup token remove --token-id 0 "$device"
echo '{"type":"clevis","keyslots":["1"],"jwe":{"kept":1}}' |
	cryptsetup token import --token-id 0 --json-file - "$device"
check "an operator seals the header" reseal
check "the boot succeeds with a foreign token of the same number" boot
check "the tpm keyslot has a token again" test "$(token_of 0)" = talos-tpm2
check_equal "the foreign token is kept under another number" \
	"$(metadata | jq -c '[.tokens[] | select(.type == "clevis") | .jwe.kept]')" '[1]'
check "the next boot succeeds" boot
check "the tpm key opens the volume" opened_by '0 tpm'
down
metadata | jq -c '.tokens["0"].UserData.sealed_blob_private = "AAIBAg==" | .tokens["0"]' |
	cryptsetup token import --token-replace --token-id 0 --json-file - "$device"
check "an operator seals the header" reseal
check "the boot succeeds with a damaged blob" boot
check "the spare key opened the volume" opened_by '1 static'
check "the boot succeeds with the repaired token" boot
check "the tpm key opens the volume" opened_by '0 tpm'

## Changed declarations.
declare_keys 'slot: 0, tpm: {options: {pcrs: [7, 0]}}' 'slot: 1, static: {passphrase: spare}'
check "the boot succeeds when other PCRs are declared" boot
check "the key is sealed to the declared PCRs" \
	test "$(metadata | jq -c '.tokens["0"].UserData.pcrs')" = '[0,7]'
check "the next boot succeeds" boot
check "the tpm key opens the volume" opened_by '0 tpm'
down
pcr7=third-firmware
reboot_tpm
check "plan succeeds after one of two PCRs has changed" said mortise plan
check "plan names the changed PCR" says 'replace keyslot 0 (tpm): PCR 7 has changed'
check "the boot succeeds and enrolls the key again" boot
declare_keys 'slot: 0, static: {passphrase: instead}' 'slot: 1, static: {passphrase: spare}'
check "a passphrase replaces the tpm key" boot
check_equal "the tpm keyslot's token is removed" "$(token_of 0)" none
declare_keys 'slot: 1, static: {passphrase: spare}' \
	'slot: 2, tpm: {checkSecurebootStatusOnEnroll: true}'
check "the boot succeeds without Secure Boot, which the new key requires" boot
check "a notice says that the key was not enrolled" says 'failed to enroll the TPM2 key'
check_equal "the new keyslot does not exist" "$(metadata | jq -c '.keyslots | keys')" '["1"]'

## --extend-pcr: after it, the TPM no longer unseals the key in this boot.
declare_keys 'slot: 0, tpm: {}' 'slot: 1, static: {passphrase: spare}'
check "the boot succeeds with the tpm key declared again" boot
check "up extends the PCR after the volumes are ready" boot --extend-pcr 7:start-the-world
check "PCR 7 has the value of Talos's recipe" \
	test "$(pcr 7)" = "$(extended "$pcr7" start-the-world)"
check "a second up succeeds" said mortise up --extend-pcr 7:start-the-world
check "PCR 7 was extended once" test "$(pcr 7)" = "$(extended "$pcr7" start-the-world)"
down
check "up succeeds in the same boot" said mortise up
check "a notice says that the PCR was extended" says 'PCR 7 was extended in this boot'
check "the spare key opened the volume" opened_by '1 static'
check "no key was enrolled again" bash -c "! grep -q 'enrolled again' '$work/said'"
rm /run/mortise/closed-pcrs # as at a new boot
check "the next boot succeeds" boot
check "the tpm key opens the volume" opened_by '0 tpm'

## A volume that only the TPM opens, with its PCR extended, and a recovery key.
check "PCR 7 is extended while the volume is open" said mortise up --extend-pcr 7:start-the-world
declare_keys 'slot: 0, tpm: {}'
check "the open volume stays ready" said mortise up
check "a notice says why the spare key stays" says \
	'keyslot 1, which is not declared, is not removed now: no declared key is available'
rm /run/mortise/closed-pcrs
check "the boot removes the spare key" boot --extend-pcr 7:start-the-world
check "an open volume stays ready when its key is not available" said mortise up --check-keys
check "a notice says that the key was not checked" says 'keyslot 0 (tpm) not checked'
"$MORTISE" open --test-passphrase --key-file <(printf spare) "$device" &&
	fail "the spare key no longer opens"
rm /run/mortise/closed-pcrs
check "the next boot succeeds" boot
check "enroll adds a recovery key, authorized by the TPM" said "$MORTISE" enroll "$device" \
	--recovery-key --recovery-file "$work/recovery" --token-only --tcti "$tcti"
check_equal "systemd's token marks the recovery keyslot" \
	"$(metadata | jq -c '[.tokens[] | select(.type == "systemd-recovery") | .keyslots]')" '[["1"]]'
check "cryptsetup opens with the recovery key" cryptsetup open --test-passphrase --key-slot 1 \
	--key-file <(tr -d '\n' <"$work/recovery") "$device"
check "the next boot succeeds with the recovery key in the header" boot
check "up does not remove the recovery key" \
	test "$(metadata | jq -c '.keyslots | keys')" = '["0","1"]'
check "status shows the recovery keyslot" \
	test "$(mortise status --json | jq -c '.volumes[0].recoveryKeyslots')" = '[1]'

down
start_tpm third
reboot_tpm
check_fails "with another TPM and no other key, up fails" mortise up
said mortise up || true
check "the error suggests --recovery" says 'mortise up --recovery'
check "up changes nothing" unchanged_by mortise up
printf 'wrong\nwrong again\n%s\n' "$(tr '[:lower:]' '[:upper:]' <"$work/recovery" | tr -d -- '-\n')" >"$work/typed"
check "the third attempt, in capitals without dashes, opens the volume" \
	said type_to "$work/typed" "$MORTISE" up "${options[@]}" --recovery
check "the tpm key is enrolled again" says 'keyslot 0 (tpm) was enrolled again'
check_equal "the data is still there" "$(cat "$file")" kept
check "the next boot succeeds" boot
check "the tpm key opens the volume" opened_by '0 tpm'
check "the recovery key is still there" test "$(token_of 31)" != none
printf 'wrong\nwrong\nwrong\n' >"$work/typed"
down
start_tpm fourth
reboot_tpm
check_fails "up fails after three wrong attempts" \
	type_to "$work/typed" "$MORTISE" up "${options[@]}" \
	--recovery

## The signed policy of PCR 11, created by openssl and tpm2-tools.
start_tpm fifth
reboot_tpm
sign_pcr_11 "$work/policy" enter-initrd leave-initrd enter-machined
device=$(blank_device 40)
declare_keys 'slot: 0, tpm: {options: {}}' 'slot: 1, static: {passphrase: spare}'
options+=(--tpm-policy "$work/policy")
pcr11='enter-initrd leave-initrd enter-machined'
check "a key is bound to the signed policy" boot
check_equal "the token has Talos's form" "$(metadata | jq -c '.tokens["0"].UserData |
	[.pcrs, .pubkey_pcrs]')" '[null,[11]]'
check "the next boot succeeds" boot
check "the tpm key opens the volume" opened_by '0 tpm'
pcr7=whatever
check "the boot succeeds with another value of PCR 7" boot
check "the tpm key opens the volume" opened_by '0 tpm'
pcr11='enter-initrd leave-initrd enter-machined start-the-world'
check "the boot succeeds with a value of PCR 11 that is not signed" boot
check "the spare key opened the volume" opened_by '1 static'
check "a notice says that the value of PCR 11 is not signed" \
	says 'the value of PCR 11 is not signed'
check "the key is not enrolled again, because a new one would not open either" bash -c \
	"! grep -q 'enrolled again' '$work/said'"
pcr11='enter-initrd leave-initrd enter-machined'
check "the boot succeeds with the signed value" boot
check "up extends PCR 11" said mortise up --extend-pcr 11:start-the-world
down
check "up succeeds in the same boot with the spare key" said mortise up
check "a notice says that the PCR was extended" says 'PCR 11 was extended in this boot'
rm /run/mortise/closed-pcrs
pcr11='enter-initrd leave-initrd enter-machined'
check "the next boot succeeds with the signed value" boot
check "the tpm key opens the volume" opened_by '0 tpm'

## A machine that carries its configuration: META says that a tpm key opens STATE.
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
check "apply succeeds" said "$MORTISE" apply -f "$work/state.yaml" "${places[@]}"
check_fails "STATE's key cannot be unsealed again in the boot that opened STATE" said "$MORTISE" enroll \
	"$state" --recovery-key --recovery-file "$work/recovery.state" --token-only --tcti "$tcti"
"$MORTISE" down "${places[@]}" >"$work/down" 2>&1
reboot_tpm
check "enroll adds a recovery key to STATE before it is opened" said "$MORTISE" enroll "$state" --recovery-key \
	--recovery-file "$work/recovery.state" --token-only --tcti "$tcti"
carried() {
	"$MORTISE" down "${places[@]}" >"$work/down" 2>&1
	reboot_tpm
	said "$MORTISE" up "${places[@]}" "$@"
}
check "the next boot needs only the disk and the TPM" carried
"$MORTISE" down "${places[@]}" >"$work/down" 2>&1
start_tpm seventh
check_fails "another TPM does not open STATE" carried
check "the error suggests --recovery" says 'mortise up --recovery'
tr -d '\n' <"$work/recovery.state" >"$work/typed"
echo >>"$work/typed"
check "the recovery key opens STATE" \
	said type_to "$work/typed" "$MORTISE" up "${places[@]}" --recovery --adopt
check "a notice says that the recovery key was used" says 'opened with the recovery key'
check "STATE's tpm key is enrolled again" says 'keyslot 0 (tpm) was enrolled again'
check "the next boot needs no recovery key" carried
"$MORTISE" down "${places[@]}" >"$work/down" 2>&1
stop_tpm
finish
