#!/usr/bin/env bash
# One boot of a machine with a TPM: see tpm_boots. Runs in a guest: see tools/guest/qemu.
#   tpm_boot.sh 1|2|3|4
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
boot=$1
root=$work/root
options=(-f "$work/config.yaml" --root "$root" --device data=/dev/vda)
mkdir "$root"
cat >"$work/config.yaml" <<'END'
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
filesystem: {type: ext4}
encryption:
  provider: luks2
  keys:
    - {slot: 0, tpm: {}}
    - {slot: 1, nodeID: {}}
END

extend_7() {
	TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2 pcrextend \
		"7:sha256=$(printf '%s' "$1" | sha256sum | cut -d ' ' -f 1)"
}

mortise() {
	local verb=$1
	shift
	"$MORTISE" "$verb" "${options[@]}" "$@"
}

# With the cheapest key derivation, because the emulated processor is slow.
# shellcheck disable=SC2120  # arguments: through check
up() {
	mortise up --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4 "$@"
}

# opened_by PATTERN: the status table shows the keyslot that opened the volume.
opened_by() {
	grep -Eq "^data +/dev/vda +ready +$1 " < <(mortise status)
}

# Firmware measures these words: they change before the third boot, and then stay the same.
if [[ $boot -lt 3 ]]; then extend_7 'Secure Boot keys'; else extend_7 'other keys'; fi

if [[ $boot -eq 3 ]]; then
	check_match "plan says that the key waits for PCR 15" "$(mortise plan 2>&1)" \
		'*keyslot 0 (tpm) unchanged: bound to PCR 15, which*'
fi
up >"$work/said" 2>&1 || fail "up" "$(cat "$work/said")"
case $boot in
1) echo "kept over boots" >"$root/var/mnt/data/file" ;;
2 | 4) check "the tpm key opened the volume" opened_by '0 +tpm' ;;
3)
	check "the fallback key opened the volume" opened_by '1 +nodeID'
	check "the TPM key was enrolled again" grep -q \
		'keyslot 0 (tpm) was enrolled again: PCR 7 has changed' "$work/said"
	;;
esac
check_equal "the data is there" "$(cat "$root/var/mnt/data/file")" "kept over boots"
check_equal "cryptsetup lists Talos's token" \
	"$(cryptsetup luksDump /dev/vda | grep -c '0: talos-tpm2')" 1
check_equal "mortise left no object in the TPM" \
	"$(TPM2TOOLS_TCTI=device:/dev/tpm0 tpm2 getcap handles-transient)" ''
if [[ $boot -eq 4 ]]; then
	check "up extends PCR 7" up --extend-pcr 7:start-the-world
	mortise down
	up >"$work/said" 2>&1 || fail "up" "$(cat "$work/said")"
	check "the TPM no longer unseals the key in this boot" opened_by '1 +nodeID'
	check "a notice says that the PCR was extended" \
		grep -q 'PCR 7 was extended in this boot' "$work/said"
fi
check "down succeeds" mortise down
finish
