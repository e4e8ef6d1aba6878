#!/usr/bin/env bash
# A device with 64 MB of memory and no swap: format with the memory that is available, open, and
# bring up declared volumes. Runs in a guest with --mem 64 and a disk of 200 MiB: see
# tools/guest/uml.
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

# memory_of: print the Argon2 memory of the first keyslot, in KiB.
memory_of() {
	awk '/Memory:/ && !found++ {print $2}' <("$MORTISE" luksDump "$disk")
}

total=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)
check_equal "the machine has no swap" "$(wc -l </proc/swaps)" 1
check_equal "the machine has less than 64 MB, because the kernel reserves some" \
	"$((total < 65536))" 1

check "luksFormat succeeds with parameters that fit the machine" \
	"$MORTISE" luksFormat -q --key-file "$work/key" "$disk"
check_equal "Argon2 uses at most half of the memory" "$(($(memory_of) <= total / 2))" 1
check "open succeeds" "$MORTISE" open --key-file "$work/key" "$disk" small
check "the mapping is writable" dd if=/dev/urandom of=/dev/mapper/small bs=1M count=4 \
	conv=fsync status=none
check "close succeeds" "$MORTISE" close small

# A cost that exceeds the memory is refused before it is tried.
check_status 3 "a keyslot that needs 1 GiB gives exit status 3" \
	"$MORTISE" luksAddKey -q --key-file "$work/key" \
	--pbkdf-memory 1048576 --pbkdf-force-iterations 4 --pbkdf-parallel 1 "$disk" "$work/key"

blkdiscard -f "$disk" 2>/dev/null || dd if=/dev/zero of="$disk" bs=1M status=none || true
check "up formats the declared volume" mortise up
echo kept >"$work/root/var/mnt/data/file"
check "down succeeds" mortise down
# Emulated, this machine can be slower than when it chose the cost.
check "up opens the volume" mortise up --max-unlock-time 0
check_equal "the file is still there" "$(cat "$work/root/var/mnt/data/file")" kept
check "down succeeds again" mortise down
check_equal "the kernel has killed no process" "$(dmesg | grep -ci 'out of memory')" 0
finish
