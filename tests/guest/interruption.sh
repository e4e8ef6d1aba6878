#!/usr/bin/env bash
# Two runs at once, runs that are cut off, a volume that is in use, and a STATE that is lost:
# nothing is done twice, and what was left undone is finished.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

declared="slot: 0, static: {passphrase: declared}"
device=

# Two runs at once on blank disks; then STATE is lost, on which data's only key depends.
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
	check_equal "one of them formatted" \
		"$(cat "$work/first" "$work/second" | grep -c '^data: formatting')" 1
	check_equal "data is mounted once" "$(findmnt -n "$root/var/mnt/data" | wc -l)" 1
	epoch=$(cryptsetup luksDump "$state" | grep Epoch)
	check_equal "both volumes were written to as often" "$epoch" \
		"$(cryptsetup luksDump "$data" | grep Epoch)"
	(cd "$root/var/mnt/data" && exec sleep 600) &
	until_holds executes $! sleep
	check_status 6 "down while a directory is in use is not all" mortise down
	check_match "and says so" "$(mortise down 2>&1)" "*data*unmount*busy*"
	check_equal "data stays" "$(findmnt -n "$root/var/mnt/data" | wc -l)" 1
	kill $!
	wait $! || true
	check "down when it is free" mortise down
	check_equal "closes all" "$(dmsetup ls)" "No devices found"

	# Zeros again, and the memory that they took is given back.
	blkdiscard -f "$state"
	before=$(sha256sum "$data")
	check_status 6 "up without the STATE that data is locked to" mortise up
	check_match "says why" "$(mortise up data 2>&1)" \
		"*data*does not open, and is locked to STATE: was STATE wiped*"
	check_equal "one run writes as often as two at once" \
		"$(cryptsetup luksDump "$state" | grep Epoch)" "$epoch"
	down
	check_status 1 "up of data alone" mortise up data
	check_match "waits for STATE" "$(mortise up data 2>&1)" "*locked to STATE, and STATE is not*"
	check_equal "data is as it was" "$(sha256sum "$data")" "$before"
	down
}

is_marked() {
	head -c 8192 "$1" | grep -aq mortise-unfinished
}

is_mapped() {
	dmsetup info luks2-u-data >"$work/out" 2>&1
}

# start_up COMMAND...: a run of up, killed at the moment when the command holds.
start_up() {
	local run

	"$MORTISE" up "${options[@]}" >"$work/first" 2>&1 &
	run=$!
	until_holds "$@"
	kill -9 "$run" || true
	wait "$run" 2>"$work/out" || true
}

# make_endless_mkfs BYTES: an mkfs that writes so many and comes to no end.
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

# A disk that is blank and declared.
new_disk() {
	device=$(blank_device 20)
	declare_none
	declare_volume data "$device" "$declared"
}

# finished TEXT: another run does the rest.
finished() {
	check "up after one that was cut off $1" mortise up
	check_equal "has made the file system" "$(findmnt -no FSTYPE "$root/var/mnt/data")" ext4
	check "the declared key opens it" cryptsetup open --test-passphrase \
		--key-file <(printf declared) "$device"
	check_status 1 "no mark is left" is_marked "$device"
	check_equal "of either kind" "$(cryptsetup token export --token-id 31 "$device" | jq .mkfs)" \
		null
	check "down" mortise down
}

test_cuts() {
	new_disk
	start_up is_marked "$device"
	check_match "a cut format is known" "$(mortise plan)" "*format cut off*"
	finished "at its first write"
	new_disk
	make_endless_mkfs 0
	PATH=$work/bin:$PATH start_up test -s "$work/endless"
	check "it had mapped" is_mapped
	kill "$(cat "$work/endless")"
	check_match "a cut run is known" "$(mortise plan)" "*make ext4*mount*"
	finished "when it had mapped"
	new_disk
	make_endless_mkfs 100000
	PATH=$work/bin:$PATH start_up test -s "$work/endless"
	kill "$(cat "$work/endless")"
	until_holds cryptsetup close luks2-u-data
	check_match "a cut mkfs is known" "$(mortise plan)" "*open*make ext4*"
	finished "in mkfs"
	new_disk
	start_up sleep "$((RANDOM % 4)).$((RANDOM % 10))"
	finished "at any moment"
}

# cryptsetup token import with the mark that a file system is still to be made.
set_mark() {
	cryptsetup token import --token-id 31 --token-replace "$device" \
		<<<'{"type": "mortise", "keyslots": [], "mkfs": "ext4"}'
}

test_mark() {
	new_disk
	format_with_file "$device" declared
	set_mark
	check "up with a mark on a file system that was in use" mortise up
	check_equal "keeps the data" "$(cat "$root/var/mnt/data/file")" kept
	check_equal "and takes the mark away" \
		"$(cryptsetup token export --token-id 31 "$device" | jq .mkfs)" null
	down
	cryptsetup open --key-file <(printf declared) "$device" made
	dd if=/dev/urandom of=/dev/mapper/made bs=1M count=1 conv=fsync status=none
	cryptsetup close made
	check_status 1 "up without a mark makes no file system" mortise up
	check_match "and says what is wrong" "$(mortise up 2>&1)" "*cannot mount*ext4*"
	check "down" mortise down
	set_mark
	check "up with a mark makes it" mortise up
	check_equal "an empty one" "$(ls "$root/var/mnt/data")" lost+found
	down
}

for topic in state cuts mark; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
