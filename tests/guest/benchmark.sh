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
short=(--quick --cipher "$cipher")

# is_complete FILE: the document has the wanted measurement. If documents are checked, every
# measurement was made, and took long enough for a request to complete.
wanted='"driver": "xts'
is_complete() {
	grep -q "$wanted" "$1" && { [[ -z $sources ]] || { ! grep -q 'time limit reached' "$1" &&
		jq -e '.results | all(.metrics.throughput | .median // .value > 0)' "$1"; }; }
}

# run FILE OPTION...: write the JSON document to FILE. A slow machine gets more time, not fewer
# measurements; one measurement is enough if documents are not checked, and one cipher takes less.
run() {
	local file=$1 limit status=0 limits=(8 16 32 64 128 256 512)
	shift

	[[ -n $sources && "$*" != *--cipher* ]] || limits=(2 4 "${limits[@]}")
	for limit in "${limits[@]}"; do
		"$MORTISE" benchmark dm-crypt --json --time-limit "$limit" "$@" \
			>"$file" 2>"$log" || status=$?
		[[ $status -eq 0 ]] && ! is_complete "$file" || break
	done
	return "$status"
}

has_mapping() {
	grep -qv '^No devices' < <(dmsetup ls)
}

# interrupt SIGNAL: run the benchmark, and send the signal when a mapping exists.
interrupt() {
	(until_holds has_mapping && kill -s "$1" "$(cat "$work/pid")") &
	# shellcheck disable=SC2016  # for the inner shell
	bash -c 'echo $$ >"$0" && exec "$@"' "$work/pid" "$MORTISE" benchmark dm-crypt --json
}

# left: print the remaining mappings, after giving the kernel time to remove them.
left() {
	local names=

	for _ in {1..600}; do
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

check "a quick run" run "$result" --quick
check_equal "no mapping is left" "$(left)" ""
check_equal "the module of RAM disks is unloaded" "$(ls -d /sys/module/brd 2>/dev/null)" ""
case $GUEST in
uml) emulator="User Mode Linux" ;;
qemu) emulator="QEMU TCG" ;;
esac
check "results are marked as emulated" grep -q "\"emulator\": \"$emulator\"" "$result"
check "the driver of the cipher is named" grep -q '"driver": "xts' "$result"

if [[ -n $sources ]]; then
	for schema in result dm-crypt; do
		check "the document matches $schema.json" "$sources/tests/bench/schema" \
			"$sources/bench/schema/$schema.json" "$result"
	done
	holds "names are unique" '[.results[].name] | length == (unique | length)'
	holds "rows with a throughput" '.results | length > 20 and
		all(.metrics.throughput | .median // .value > 0)'
	holds "reads and writes on dm-zero and a RAM disk, with and without dm-crypt" \
		'[.results[].parameters | [.backing, .operation, .cipher == null]] | unique | length == 8'
	holds "both sector sizes, AES and Adiantum" '[.results[].parameters |
		select(.cipher) | [.sectorSize, (.cipher | test("adiantum"))]] | unique | length == 4'
	holds "options, and two volumes at once" '[.results[].parameters] |
		any(.options == "no_read_workqueue,no_write_workqueue") and any(.volumes == 2)'
	holds "each cipher names its driver" 'all(.results[].parameters; (.cipher == null) == (.driver == null))'
	holds "throughput relative to the device without dm-crypt" '[.results[] | select(.metrics.ofBare)] | length > 5'
	holds "a recommendation" '.recommendation | length >= 2 and
		(.[0].options | test("cipher: ") and test("blockSize: ")) and
		(.[1].options | test("--sector-size "))'
fi

# Interrupted and killed runs.
check_fails "interrupted" interrupt INT
check_equal "no mapping is left by SIGINT" "$(left)" ""
check_status 137 "killed" interrupt KILL
check_equal "no mapping is left by SIGKILL" "$(left)" ""

# What follows does not depend on the number of processors.
[[ $GUEST == uml ]] || finish

# A device given by --device: by default it is only read, and its data is unchanged.
device=$(noise_device)
before=$(sum "$device")
check "a device is measured" run "$result" "${short[@]}" --device "$device"
check "the device is read" grep -q '"dm-crypt/device/bare/read 4K' "$result"
check_fails "the device is not written" grep -q '"dm-crypt/device/.*/write' "$result"
check_equal "the data is unchanged" "$(sum "$device")" "$before"
check_status 1 "writes without a terminal require --batch-mode" run "$result" "${short[@]}" \
	--device "$device" --destroy-data
check_equal "the data is unchanged after the refusal" "$(sum "$device")" "$before"
check "--destroy-data --batch-mode" run "$result" "${short[@]}" \
	--device "$device" --destroy-data --batch-mode
check "writes are measured" grep -q '"dm-crypt/device/bare/write 4K' "$result"
check_fails "the data is lost" test "$(sum "$device")" = "$before"

mkfs.ext4 -q "$device"
mkdir -p "$work/mnt"
mount "$device" "$work/mnt"
check_status 5 "a mounted device is refused" run "$result" "${short[@]}" --device "$device"
check_status 5 "a mounted device is refused for writing, too" run "$result" "${short[@]}" --device "$device" \
	--destroy-data --batch-mode
umount "$work/mnt"
check_status 4 "a device that is not there" run "$result" "${short[@]}" --device /dev/nowhere
check_status 1 "a cipher that the kernel does not know" run "$result" --quick --cipher foo-xts-plain64
check "the error names the cipher" grep -q "does not know cipher foo-xts-plain64" "$log"
check_equal "no mapping is left by failures" "$(left)" ""

# A RAM disk in use.
helper=$(cat /proc/sys/kernel/modprobe)
"$helper" brd rd_nr=1 rd_size=16384
echo "some data" | dd of=/dev/ram0 bs=512 seek=9 conv=sync,fsync status=none
before=$(sum /dev/ram0)
check "a RAM disk that holds data" run "$result" "${short[@]}"
check "the RAM disk is skipped with a warning" grep -q "in use or hold data" "$result"
check_equal "the RAM disk is unchanged" "$(sum /dev/ram0)" "$before"
dd if=/dev/zero of=/dev/ram0 bs=1M count=16 conv=fsync status=none
wanted='"dm-crypt/ram/'
check "an empty RAM disk" run "$result" "${short[@]}"
check "the empty RAM disk is measured" grep -q '"dm-crypt/ram/' "$result"
check_equal "the RAM disk is empty afterwards" "$(tr -d '\0' </dev/ram0 | wc -c)" 0
check "the module is not unloaded, because it was loaded before" test -d /sys/module/brd

finish
