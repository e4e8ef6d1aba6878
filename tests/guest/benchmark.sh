#!/usr/bin/env bash
# benchmark dm-crypt on a kernel: it measures the cases that it lists, marks the results of a guest
# as emulated, and leaves data unchanged and no mapping behind, however it ends. No figures are
# compared. Runs in a guest: see tools/guest/uml.
# Usage: benchmark.sh [SOURCE-DIRECTORY]: without it, the JSON documents are not checked.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sources=${1-}
result=$work/result.json
log=$work/log
cipher=aes-xts-plain64
short=(--quick --cipher "$cipher" --time-limit 4)

# run FILE OPTION...: write the JSON document to FILE.
run() {
	local file=$1
	shift
	"$MORTISE" benchmark dm-crypt --json "$@" >"$file" 2>"$log"
}

# left: print the remaining mappings, after giving the kernel time to remove them.
left() {
	local names=

	for _ in {1..20}; do
		names=$(dmsetup ls | grep -v '^No devices') || true
		[[ -n $names ]] || break
		sleep 0.1
	done
	echo "$names"
	find /dev/mapper -mindepth 1 ! -name control
}

holds() {
	check "$1" jq -e "$2" "$result"
}

noise_device() {
	local device

	device=$(blank_device 32)
	dd if=/dev/urandom of="$device" bs=1M status=none 2>/dev/null || true
	echo "$device"
}

sum() {
	sha256sum <"$1"
}

check "a quick run" run "$result" --quick --time-limit 8
check_equal "no mapping is left" "$(left)" ""
check_equal "nor the module of RAM disks" "$(ls -d /sys/module/brd 2>/dev/null)" ""
case $GUEST in
uml) emulator="User Mode Linux" ;;
qemu) emulator="QEMU TCG" ;;
esac
check "figures are marked as emulated" grep -q "\"emulator\": \"$emulator\"" "$result"
check "the driver of the cipher is told" grep -q '"driver": "xts' "$result"

if [[ -n $sources ]]; then
	for schema in result dm-crypt; do
		check "its document, by $schema.json" "$sources/tests/bench/schema" \
			"$sources/bench/schema/$schema.json" "$result"
	done
	holds "names are unique" '[.results[].name] | length == (unique | length)'
	holds "something was measured" '.results | length > 20 and
		all(.metrics.throughput | .median // .value > 0)'
	holds "on dm-zero and a RAM disk, both ways, with and without dm-crypt" \
		'[.results[].parameters | [.backing, .operation, .cipher == null]] | unique | length == 8'
	holds "with both sector sizes, AES and Adiantum" '[.results[].parameters |
		select(.cipher) | [.sectorSize, (.cipher | test("adiantum"))]] | unique | length == 4'
	holds "options, and two volumes at once" '[.results[].parameters] |
		any(.options == "no_read_workqueue,no_write_workqueue") and any(.volumes == 2)'
	holds "each cipher names its driver" 'all(.results[].parameters; (.cipher == null) == (.driver == null))'
	holds "throughput relative to the device without dm-crypt" '[.results[] | select(.metrics.ofBare)] | length > 5'
	holds "it says what to paste" '.recommendation | length >= 2 and
		(.[0].options | test("cipher: ") and test("blockSize: ")) and
		(.[1].options | test("--sector-size "))'
fi

# A device given by --device: by default it is only read, and its data is unchanged.
device=$(noise_device)
before=$(sum "$device")
check "a device is measured" run "$result" "${short[@]}" --time-limit 6 --device "$device"
check "with reads" grep -q '"dm-crypt/device/bare/read 4K' "$result"
check_fails "and no writes" grep -q '"dm-crypt/device/.*/write' "$result"
check_equal "it has not changed" "$(sum "$device")" "$before"
check_status 1 "writes need --batch-mode where nobody can be asked" run "$result" "${short[@]}" \
	--device "$device" --destroy-data
check_equal "it still has not changed" "$(sum "$device")" "$before"
check "with it, writes are measured" run "$result" "${short[@]}" --time-limit 6 \
	--device "$device" --destroy-data --batch-mode
check "and told" grep -q '"dm-crypt/device/bare/write 4K' "$result"
check_fails "its data is lost" test "$(sum "$device")" = "$before"

mkfs.ext4 -q "$device"
mkdir -p "$work/mnt"
mount "$device" "$work/mnt"
check_status 5 "a mounted device is refused" run "$result" "${short[@]}" --device "$device"
check_status 5 "all the more for writing" run "$result" "${short[@]}" --device "$device" \
	--destroy-data --batch-mode
umount "$work/mnt"
check_status 4 "a device that is not there" run "$result" "${short[@]}" --device /dev/nowhere
check_status 1 "a cipher that the kernel does not know" run "$result" --quick --cipher foo-xts-plain64
check "is named" grep -q "does not know cipher foo-xts-plain64" "$log"
check_equal "no mapping is left by failures" "$(left)" ""

# Interrupted runs. timeout(1) passes the command's exit status on.
check_fails "interrupted" timeout --signal INT 3 "$MORTISE" benchmark dm-crypt --json
check_equal "no mapping is left by SIGINT" "$(left)" ""
check_fails "killed" timeout --signal KILL 3 "$MORTISE" benchmark dm-crypt --json
check_equal "no mapping is left by SIGKILL" "$(left)" ""

# A RAM disk in use.
helper=$(cat /proc/sys/kernel/modprobe)
"$helper" brd rd_nr=1 rd_size=16384
echo "somebody's data" | dd of=/dev/ram0 bs=512 seek=9 conv=sync,fsync status=none
before=$(sum /dev/ram0)
check "a RAM disk that holds something" run "$result" "${short[@]}"
check "is left out, and that is said" grep -q "in use or hold data" "$result"
check_equal "it has not changed" "$(sum /dev/ram0)" "$before"
dd if=/dev/zero of=/dev/ram0 bs=1M count=16 conv=fsync status=none
check "an empty one is measured" run "$result" "${short[@]}" --time-limit 8
check "really" grep -q '"dm-crypt/ram/' "$result"
check_equal "and left empty" "$(tr -d '\0' </dev/ram0 | wc -c)" 0
check "the module stays, which was there before" test -d /sys/module/brd

finish
