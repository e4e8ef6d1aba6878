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

# The slot that opened it stands in the table.
opened_by() {
	mortise status | grep -Eq "^data +/dev/vda +ready +$1 "
}

# What firmware measures: it changes before the third boot, and stays so.
if [[ $boot -lt 3 ]]; then extend_7 'Secure Boot keys'; else extend_7 'other keys'; fi

if [[ $boot -eq 3 ]]; then
	check_match "plan says what will be done" "$(mortise plan 2>&1)" \
		'*replace keyslot 0 (tpm): PCR 7 has changed*'
fi
mortise up >"$work/said" 2>&1 || fail "up" "$(cat "$work/said")"
case $boot in
1) echo "kept over boots" >"$root/var/mnt/data/file" ;;
2 | 4) check "opened by the TPM" opened_by '0 +tpm' ;;
3)
	check "opened by the fallback" opened_by '1 +nodeID'
	check "the TPM key was enrolled again" grep -q \
		'keyslot 0 (tpm) was enrolled again: PCR 7 has changed' "$work/said"
	;;
esac
check_equal "the data is there" "$(cat "$root/var/mnt/data/file")" "kept over boots"
check_equal "cryptsetup sees Talos's token" \
	"$(cryptsetup luksDump /dev/vda | grep -c '0: talos-tpm2')" 1
check_equal "the TPM holds no object of ours" \
	"$(TPM2TOOLS_TCTI=device:/dev/tpm0 tpm2 getcap handles-transient)" ''
if [[ $boot -eq 4 ]]; then
	check "the door is closed" mortise up --extend-pcr 7:start-the-world
	mortise down
	mortise up >"$work/said" 2>&1 || fail "up" "$(cat "$work/said")"
	check "and the TPM unseals no more in this boot" opened_by '1 +nodeID'
	check "which is told" grep -q 'PCR 7 was extended in this boot' "$work/said"
fi
check "closed" mortise down
finish
