#!/usr/bin/env bash
# An old header is put back, in which a leaked passphrase still works, on a machine whose TPM
# remembers the epochs of its headers. The attacker writes the disk, and may use the TPM from another
# operating system, with other PCR values. Then the machine itself changes: a cut between header and
# TPM, another Secure Boot configuration, another TPM. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work, meta, ...: set in sourced files; functions: called by check
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/guest/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$here/machine.sh"
# shellcheck source=tests/guest/attack_lib.sh
. "$here/attack_lib.sh"
# shellcheck source=tests/guest/swtpm.sh
. "$here/swtpm.sh"

index=0x01a06d6f
attributes="authread|ownerread|policywrite|no_da"
tpm_key='tpm: {}, slot: 0'
leaked='static: {passphrase: leaked}, slot: 1'
fresh='static: {passphrase: fresh}, slot: 2'

on_machine() {
	local verb=$1 more=(--root "$root" --tcti "$tcti")
	shift

	case $verb in
	up | apply) more+=("${cost[@]}" --node-uuid "$uuid") ;;
	status | down) more=(--root "$root") ;;
	esac
	"$MORTISE" "$verb" "$@" "${more[@]}" "${places[@]}"
}

power_off() {
	on_machine down >"$work/down" 2>&1 || true
	check_equal "nothing is left open" "$(dmsetup ls)" 'No devices found'
	rm -rf /run/mortise
	reboot_tpm
}

# The memory as tpm2-tools read it, in hex.
memory() {
	tpm2 nvread "$index" 2>/dev/null | xxd -p -c 1024
}

# epoch VOLUME: what the TPM remembers.
epoch() {
	local entry
	entry=$(memory | grep -o "$(printf %s "$1" | sha256sum | cut -c1-16)................") &&
		echo $((16#${entry:16}))
}

header_epoch() {
	header_json "$1" | jq -r .config.mortise.epoch
}

refused() { # refused DESCRIPTION TEXT
	check_fails "$1: refused" said on_machine up
	check "the error says why" says "$2"
	check_fails "the volume is not open" test -e /dev/mapper/luks2-u-data
	power_off
}

boots() { # boots DESCRIPTION
	check "$1" said on_machine up
	check_equal "the data is still there" "$(cat "$root/var/mnt/data/file")" kept
	check_equal "the TPM remembers STATE's epoch" "$(epoch STATE)" "$(header_epoch "$state")"
	check_equal "the TPM remembers the volume's epoch" "$(epoch u-data)" "$(header_epoch "$data")"
	power_off
}

older="an old header was put back"
forgotten="the TPM does not remember its epoch any more"

## The machine, and a backup of a header by the attacker.
start_tpm board
pcr7=firmware
reboot_tpm
new_machine
declare_keys "$tpm_key;$node" "$tpm_key;$leaked"
sed -i 's/nodeID: {}, slot: 0/nodeID: {}, slot: 3/' "$config"
check "apply installs the machine" on_machine apply -f "$config"
echo kept >"$root/var/mnt/data/file"
power_off
check_equal "the TPM remembers two volumes, and what STATE must be" \
	"$(memory | cut -c1-32)" 6d6f727469736501"0007000a"00020000
boots "the machine boots"
before=$(memory)
headers=$(header_sum "$state")$(header_sum "$data")
boots "the machine boots again"
check_equal "an ordinary boot does not write the TPM's memory" "$(memory)" "$before"
check_equal "nor the headers" "$(header_sum "$state")$(header_sum "$data")" "$headers"
save_header "$data" "$work/old"

## The passphrase leaks, and is replaced. The attacker puts the old header back.
declare_keys "$tpm_key;$node" "$tpm_key;$fresh"
sed -i 's/nodeID: {}, slot: 0/nodeID: {}, slot: 3/' "$config"
check "apply removes the leaked passphrase" on_machine apply -f "$config"
power_off
boots "the machine boots"
check_fails "the leaked passphrase does not open the volume" opens "$data" 1 leaked
save_header "$data" "$work/good"
put_header "$data" "$work/old"
check "the leaked passphrase opens the old header" opens "$data" 1 leaked
refused "an old header" "$older"
check "the error names both epochs" says \
	"it is older (epoch $(header_epoch "$data")) than the one that this machine last wrote (epoch $(epoch u-data))"

## The attacker boots another system, and removes or replaces the memory.
cp -r "$tpm_state" "$work/board.good"
tpm2 nvundefine -C o "$index" >/dev/null
refused "an old header, and no memory" "$forgotten"
tpm2 nvdefine -Q -C o -s 512 -a "$attributes|ownerwrite" "$index"
xxd -r -p <<<"${before//$'\n'/}" >"$work/forged"
tpm2 nvwrite -Q -C o -i "$work/forged" "$index"
refused "an old header, and a forged memory" "$forgotten"
tpm2 nvundefine -C o "$index" >/dev/null
pcr7=attacker
reboot_tpm
tpm2 startauthsession -S "$work/trial"
tpm2 policypcr -Q -S "$work/trial" -l sha256:7 -L "$work/policy"
tpm2 flushcontext "$work/trial"
tpm2 nvdefine -Q -C o -s 512 -a "$attributes" -L "$work/policy" "$index"
tpm2 startauthsession --policy-session -S "$work/session"
tpm2 policypcr -Q -S "$work/session" -l sha256:7
tpm2 nvwrite -Q -P "session:$work/session" -i "$work/forged" "$index"
tpm2 flushcontext "$work/session"
check_equal "the attacker writes the memory of the past" "$(memory)" "$before"
pcr7=firmware
reboot_tpm
refused "an old header, and a memory under another policy" "$forgotten"
put_header "$data" "$work/good"
refused "the machine's own header, and a memory under another policy" "$forgotten"
check "apply accepts the machine as it is" said on_machine apply -f "$config"
check "it says so" says "$forgotten"
power_off
boots "the machine boots"
put_header "$data" "$work/good"
refused "the header from before" "$older"
check "apply accepts it" on_machine apply -f "$config"
power_off
boots "the machine boots"

## A power cut between the header and the TPM: the header is newer.
cp -r "$tpm_state" "$work/board.before"
printf fresh | "$MORTISE" luksAddKey --key-file - --new-keyfile <(printf other) "${cost[@]}" "$data"
check "the header is newer than the memory" test "$(header_epoch "$data")" -gt "$(epoch u-data)"
boots "the machine boots with the newer header"

## Another Secure Boot configuration: the TPM keys are sealed again, and the memory follows.
pcr7=updated-firmware
reboot_tpm
boots "the machine boots after PCR 7 has changed"
check "a notice says that the key was enrolled again" says 'was enrolled again'
boots "the machine boots again"
save_header "$data" "$work/newest"
put_header "$data" "$work/good"
refused "an old header, from before the change" "$older"
put_header "$data" "$work/newest"
boots "the machine boots"

## The TPM breaks, and is replaced.
stop_tpm
check_fails "up refuses the volumes without the TPM" said on_machine up
check "the error says why" says "the TPM that remembers its epoch is not available"
power_off
start_tpm spare
reboot_tpm
refused "another TPM" "$forgotten"
check "apply accepts the other TPM" on_machine apply -f "$config"
power_off
boots "the machine boots with the other TPM"

## STATE is replaced by one that is not encrypted, and META says so.
save_header "$state" "$work/state"
"$MORTISE" meta delete 9 --device "META=$meta"
mkfs.xfs -q -f --unsupported "$state"
mkdir -p "$work/rogue"
mount "$state" "$work/rogue"
declare_keys - "$tpm_key;$fresh"
install -m 600 "$config" "$work/rogue/config.yaml"
umount "$work/rogue"
check_fails "up refuses a STATE that is not encrypted" said on_machine up
check "the error names the TPM" says "it is not encrypted, but the TPM's memory requires it"
check_fails "STATE is not mounted" mountpoint -q "$root/system/state"
check_fails "the volume is not open" test -e /dev/mapper/luks2-u-data
finish
