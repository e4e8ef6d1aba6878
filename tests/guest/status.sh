#!/usr/bin/env bash
# What status reports of open volumes, compared with what the system's tools say: sizes, partitions,
# discards, file system use, the last up of this boot. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

# volume NAME FILTER: print what a filter of jq gives for the volume in status --json.
volume() {
	mortise status --json 2>/dev/null | jq -c --arg name "$1" ".volumes[] | select(.name == \$name) | $2"
}

# user NAME [LINE]...: declare a user volume with ext4 and a static key, and these lines.
user() {
	local name=$1
	shift

	{
		printf -- '---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: %s\n' "$name"
		echo 'filesystem: {type: ext4}'
		printf '%s\n' "$@"
	} >>"$config"
}

encryption='encryption: {provider: luks2, keys: [{slot: 0, static: {passphrase: declared_passphrase}}]'

new_disk() {
	disk=$(labeled_disk 220 u-data=64 u-dense=64 u-open=32)
	for _ in {1..100}; do
		[[ ! -b ${disk}p3 ]] || break
		sleep 0.1
	done
	declare_none
	user data "$encryption, allowDiscards: true}"
	user dense "$encryption}"
	user open
}

# same NAME FILTER COMMAND...: status reports what the command prints.
same() {
	local name=$1 filter=$2
	shift 2

	check_equal "status of $name: $filter" "$(volume "$name" "$filter")" "$("$@")"
}

df_of() {
	df -B1 --output=size,used,avail,itotal,iused "$1" |
		awk 'NR == 2 { printf "[%s,%s,%s,%s,%s]\n", $1, $2, $3, $4, $5 }'
}

test_facts() {
	local name number=0

	check "up succeeds" mortise up
	for name in data dense open; do
		number=$((number + 1))
		same $name .size blockdev --getsize64 "${disk}p$number"
		same $name .disk echo "\"$disk\""
		same $name .partition echo $number
		same $name .partitionUuid echo "\"$(blkid -p -o value -s PART_ENTRY_UUID "${disk}p$number")\""
		head -c $((number * 300000)) /dev/urandom >"$root/var/mnt/$name/file"
		sync -f "$root/var/mnt/$name"
		same $name '.use | [.size, .used, .available, .inodes, .inodesUsed]' \
			df_of "$root/var/mnt/$name"
		same $name '.lastUp.error' echo null
		check "the time of the last up of $name" \
			test "$(volume $name .lastUp.time)" -gt $(($(date +%s) - 600))
	done
	same data .discards echo true
	same dense .discards echo false
	same open .discards echo null
	same data .pcrs echo '[]'
	down
	same data .use echo null
	same data .discards echo null
	same data .lastUp.error echo null
}

# The last up of a volume that fails is kept, next to those of other volumes, until the next one.
test_last_up() {
	down
	cryptsetup luksChangeKey -q "${cheap[@]}" --key-file <(printf declared_passphrase) "${disk}p1" <(printf other)
	check_status 6 "up of a volume with another key" mortise up
	check_match "status has the error of the last up" "$(volume data .lastUp.error)" '"*keyslot*"'
	same open .lastUp.error echo null
	check "up of another volume" mortise up open
	check_match "the error is kept" "$(volume data .lastUp.error)" '"*keyslot*"'
	cryptsetup luksChangeKey -q "${cheap[@]}" --key-file <(printf other) "${disk}p1" <(printf declared_passphrase)
	check "up with the right key" mortise up --adopt
	same data .lastUp.error echo null
	echo '{"u-data": [' >/run/mortise/last-up
	same data .lastUp echo null
	check "up replaces a damaged record" mortise up data
	same data .lastUp.error echo null
	down
}

parsed() {
	python3 "$exposition" <"$work/said" >"$work/samples"
}

# The metrics of open volumes are the numbers of status --json, and the manual describes each one.
test_metrics() {
	local manual name
	manual=$(dirname "$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")")/docs/mortise.8

	check "up succeeds" mortise up
	check "status --prometheus succeeds" said mortise status --prometheus
	check "the format is valid" parsed
	mortise status --json >"$work/json"
	check_equal "the metrics agree with --json" "$(jq -c '[.volumes[] | {key: .id, value: [
		.phase == "ready", .encrypted, .keyslot, .size, .discards, .use.size, .use.inodesUsed,
		.lastUp.time]}] | from_entries' "$work/json")" "$(jq -c 'def number($n; $v): first(.[] |
		select(.name == "mortise_volume_" + $n and .labels.volume == $v) | .value) // null;
		def flag($n; $v): number($n; $v) | if . == null then . else . == 1 end;
		. as $all | [$all[] | select(.name == "mortise_volume_info") | .labels.volume | . as $v |
		{key: ., value: ($all | [flag("ready"; $v), flag("encrypted"; $v), number("keyslot"; $v),
		number("size_bytes"; $v), flag("discards"; $v), number("filesystem_size_bytes"; $v),
		number("filesystem_inodes_used"; $v), number("last_up_time_seconds"; $v)])}] |
		from_entries' "$work/samples")"
	for name in $(sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$work/said"); do
		check "the manual describes $name" grep -qw "^\.It Va.* $name" "$manual"
	done
	down
}

# records: print what mortise has logged since the last mark, as "PRIORITY TEXT", without
# the time.
mark() {
	echo "mark $((marks += 1))" >/dev/kmsg
}
records() {
	dmesg --decode | sed "1,/mark $marks\$/d" |
		sed -nE 's/^user *:([a-z]+) *: \[[^]]*\] (mortise\[.*)/\1 \2/p'
}
# logged PRIORITY PATTERN: a record of mortise has this priority and fits the extended pattern.
logged() {
	records >"$work/records"
	grep -qE "^$1 mortise\[[0-9]+\]: $2\$" "$work/records" || {
		cat "$work/records"
		return 1
	}
}

test_log() {
	local long i

	check "up succeeds" mortise up
	down
	mark
	check "up --log=kmsg succeeds" said mortise up -v --log=kmsg
	check_fails "no step is printed" says "opening"
	check "the steps are in the kernel log" logged info "data: opening ${disk}p1, slot 0 \.\.\."
	check "so is their end" logged info "open: done: .*"
	check "and the state of each volume" logged info "dense: ready"
	check_fails "each record has the priority and the name of the program" \
		grep -vE '^(err|warn|notice|info) mortise\[[0-9]+\]: [^ ]' "$work/records"
	check_equal "all records have one process ID" \
		"$(grep -o 'mortise\[[0-9]*' "$work/records" | sort -u | wc -l)" 1
	mark
	check "down --log=kmsg succeeds" mortise down --log=kmsg
	check "down logs the state of each volume" logged info "data: closed"
	mark
	check_status 6 "up with a bad device" mortise up --log=kmsg --device data=/dev/none
	check "the error has priority 3" logged err "data: .*/dev/none.*"
	check_fails "the log has no passphrase" grep -q declared_passphrase "$work/records"
	down
	# More records than the kernel takes from one open file in five seconds.
	declare_none
	for i in {1..30}; do
		user "many$i"
	done
	mark
	check_status 1 "status of many volumes" mortise status --log=kmsg
	records >"$work/records"
	check_equal "no record is lost" "$(grep -cE '^err mortise\[[0-9]+\]: many[0-9]+: ' "$work/records")" 30
	long=$work
	for i in {1..5}; do
		long=$long/$(printf '%0240d' "$i")
	done
	mkdir -p "$long"
	echo 'apiVersion: v1' >"$long/config.yaml"
	mark
	check_status 1 "a bad configuration with a long path" "$MORTISE" up --log=kmsg -f "$long/config.yaml"
	check "its remark is logged, and cut" logged err "$work/0*1/.*/0*\\.\\.\\."
	echo off >/proc/sys/kernel/printk_devkmsg
	check_status 1 "without the kernel log" said "$MORTISE" up --log=kmsg -f "$long/config.yaml"
	check "a message says so" says \
		"mortise: cannot open /dev/kmsg: Operation not permitted; messages go to standard error"
	check "the messages go to standard error" says "config.yaml:1:1: "
	echo ratelimit >/proc/sys/kernel/printk_devkmsg
	new_disk
}

marks=0
exposition=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../cli/exposition.py
new_disk
topics=(facts metrics log last_up)
[[ -z ${1-} ]] || topics=("$@")
for topic in "${topics[@]}"; do
	"test_$topic"
done
finish
