#!/usr/bin/env bash
# Two runs at once, interrupted runs, a volume in use, and a lost STATE: no step is done twice, and
# the next run completes the unfinished steps.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

declared="slot: 0, static: {passphrase: declared}"
device=

# Two runs at once on blank disks. Then STATE is lost, to which data's only key is locked.
test_state() {
	local state data first=0 second=0 epoch before

	declare_none
	state=$(blank_device 330)
	data=$(blank_device 20)
	declare_volume STATE "$state" "slot: 0, nodeID: {}"
	declare_volume data "$data" "slot: 0, nodeID: {}, lockToState: true"
	mortise up >"$work/first" 2>&1 &
	mortise up >"$work/second" 2>&1 || second=$?
	wait $! || first=$?
	check_equal "two runs at once succeed" "$first $second" "0 0"
	check_equal "only one of them formatted data" \
		"$(cat "$work/first" "$work/second" | grep -c '^data: formatting')" 1
	check_equal "data is mounted once" "$(findmnt -n "$root/var/mnt/data" | wc -l)" 1
	epoch=$(cryptsetup luksDump "$state" | grep Epoch)
	check_equal "both headers were written equally often" "$epoch" \
		"$(cryptsetup luksDump "$data" | grep Epoch)"
	(cd "$root/var/mnt/data" && exec sleep 600) &
	until_holds executes $! sleep
	check_status 6 "down of a volume in use gives exit status 6" mortise down
	check_match "down names the busy volume" "$(mortise down 2>&1)" "*data*cannot unmount*in use*"
	check_equal "data stays mounted" "$(findmnt -n "$root/var/mnt/data" | wc -l)" 1
	kill $!
	wait $! || true
	check "down succeeds when the volume is no longer in use" mortise down
	check_equal "down closes all mappings" "$(dmsetup ls)" "No devices found"

	# Discard STATE: it reads as zeros again, and the guest's memory for it is freed.
	blkdiscard -f "$state"
	before=$(checksum "$data")
	check_status 6 "up gives exit status 6 without the STATE that data is locked to" mortise up
	check_match "up says why" "$(mortise up data 2>&1)" \
		"*data*locked to STATE, which may have been wiped*"
	check_equal "one run writes the header as often as two at once" \
		"$(cryptsetup luksDump "$state" | grep Epoch)" "$epoch"
	down
	check_status 1 "up of data alone fails" mortise up data
	check_match "the error says that STATE is missing" \
		"$(mortise up data 2>&1)" "*locked to STATE, and STATE is not*"
	check_equal "data is unchanged" "$(checksum "$data")" "$before"
	down
}

is_marked() {
	grep -aq mortise-unfinished < <(head -c 8192 "$1")
}

is_mapped() {
	dmsetup info luks2-u-data >"$work/out" 2>&1
}

# start_up COMMAND...: start up, and kill it as soon as COMMAND succeeds.
start_up() {
	local run

	"$MORTISE" up "${options[@]}" >"$work/first" 2>&1 &
	run=$!
	until_holds "$@"
	kill -9 "$run" || true
	wait "$run" 2>"$work/out" || true
}

# make_endless_mkfs BYTES: create an mkfs that writes this many bytes and never ends.
make_endless_mkfs() {
	mkdir -p "$work/bin"
	rm -f "$work/endless"
	cat >"$work/bin/mkfs.ext4" <<-END
		#!/bin/sh
		for device; do :; done
		[ $1 = 0 ] || head -c $1 /dev/urandom >"\$device"
		echo \$\$ >$work/endless
		exec sleep 600
	END
	chmod +x "$work/bin/mkfs.ext4"
}

# new_disk: declare a volume on a blank disk.
new_disk() {
	device=$(blank_device 20)
	declare_none
	declare_volume data "$device" "$declared"
}

# finished TEXT: another run completes the volume.
finished() {
	check "up succeeds after a run that was killed $1" mortise up
	check_equal "the file system is mounted" "$(findmnt -no FSTYPE "$root/var/mnt/data")" ext4
	check "the declared key opens the volume" cryptsetup open --test-passphrase \
		--key-file <(printf declared) "$device"
	check_status 1 "no format mark is left" is_marked "$device"
	check_equal "no file system mark is left" \
		"$(json_area "$device" | tr -d '\0' | jq .config.mortise.mkfs)" \
		null
	check "down succeeds" mortise down
}

test_cuts() {
	new_disk
	start_up is_marked "$device"
	check_match "plan reports an interrupted format" "$(mortise plan)" "*interrupted format*"
	finished "at its first write"
	new_disk
	make_endless_mkfs 0
	PATH=$work/bin:$PATH start_up test -s "$work/endless"
	check "the killed run had created the mapping" is_mapped
	kill "$(cat "$work/endless")"
	check_match "plan continues after a run killed with the mapping open" \
		"$(mortise plan)" "*create an ext4 file system*mount*"
	finished "after it created the mapping"
	new_disk
	make_endless_mkfs 100000
	PATH=$work/bin:$PATH start_up test -s "$work/endless"
	kill "$(cat "$work/endless")"
	until_holds cryptsetup close luks2-u-data
	check_match "plan continues after a killed mkfs" "$(mortise plan)" "*open*create an ext4 file system*"
	finished "during mkfs"
	new_disk
	start_up sleep "$((RANDOM % 4)).$((RANDOM % 10))"
	finished "at a random moment"
}

# set_mark: mark that a file system must still be created, and seal the mark.
set_mark() {
	json_area "$device" | tr -d '\0' | jq -cj '.config.mortise.mkfs = "ext4"' >"$work/marked" &&
		"$(dirname "$MORTISE")/tests/forge" "$device" <"$work/marked" &&
		"$MORTISE" seal --batch-mode --volume u-data --key-file <(printf declared) "$device" >/dev/null
}

test_mark() {
	new_disk
	format_with_file "$device" declared
	set_mark
	check "up succeeds with a mark on a file system that was used" mortise up
	check_equal "up keeps the data" "$(cat "$root/var/mnt/data/file")" kept
	check_equal "up removes the mark" \
		"$(json_area "$device" | tr -d '\0' | jq .config.mortise.mkfs)" null
	down
	cryptsetup open --key-file <(printf declared) "$device" made
	dd if=/dev/urandom of=/dev/mapper/made bs=1M count=1 conv=fsync status=none
	cryptsetup close made
	check_status 1 "up without a mark creates no file system" mortise up
	check_match "up reports the mount error" "$(mortise up 2>&1)" "*cannot mount*ext4*"
	check "down succeeds" mortise down
	set_mark
	check "up with a mark creates a file system" mortise up
	check_equal "the new file system is empty" "$(ls "$root/var/mnt/data")" lost+found
	down
}

for topic in state cuts mark; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
