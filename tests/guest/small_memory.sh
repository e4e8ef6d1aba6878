#!/usr/bin/env bash
# A device with 64 MB of memory and no swap: format with what the machine can give, open, and
# the declared job. Runs in a guest with --mem 64 and a disk of 200 MiB: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

disk=$1
printf 'a passphrase' >"$work/key"
cat >"$work/config.yaml" <<'YAML'
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
filesystem:
  type: ext4
encryption:
  provider: luks2
  keys:
    - slot: 0
      static:
        passphrase: a passphrase
    - slot: 1
      static:
        passphrase: another one
YAML

mortise() {
	local verb=$1
	shift
	"$MORTISE" "$verb" -f "$work/config.yaml" --root "$work/root" --device "data=$disk" "$@"
}

# The memory of a keyslot, in KiB.
memory_of() {
	"$MORTISE" luksDump "$disk" | sed -n 's/.*Memory: *\t*//p' | head -n 1
}

total=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)
check_equal "there is no swap" "$(wc -l </proc/swaps)" 1
check_equal "64 MB, less what the kernel keeps" "$((total < 65536))" 1

check "format with parameters that the machine can give" \
	"$MORTISE" luksFormat -q --key-file "$work/key" "$disk"
check_equal "Argon2 with at most half of memory" "$(($(memory_of) <= total / 2))" 1
check "open" "$MORTISE" open --key-file "$work/key" "$disk" small
check "write through the mapping" dd if=/dev/urandom of=/dev/mapper/small bs=1M count=4 \
	conv=fsync status=none
check "close" "$MORTISE" close small

# A keyslot from a larger machine is named, not tried.
check_status 3 "1 GiB is more than there is" "$MORTISE" luksAddKey -q --key-file "$work/key" \
	--pbkdf-memory 1048576 --pbkdf-force-iterations 4 --pbkdf-parallel 1 "$disk" "$work/key"

blkdiscard -f "$disk" 2>/dev/null || dd if=/dev/zero of="$disk" bs=1M status=none || true
check "the declared job: format" mortise up
echo kept >"$work/root/var/mnt/data/file"
check "down" mortise down
check "and open" mortise up
check_equal "to the file" "$(cat "$work/root/var/mnt/data/file")" kept
check "down again" mortise down
check_equal "nobody was killed" "$(dmesg | grep -ci 'out of memory')" 0
finish
