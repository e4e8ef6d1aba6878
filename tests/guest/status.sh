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
	losetup --detach-all
	rm -f "$work"/disk.*
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
	check "up succeeds" mortise up
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

# trimmed [NAME]...: print NAME and STATE of each volume after trim --json, and keep it.
trimmed() {
	mortise trim --json "$@" >"$work/json" 2>"$work/said"
	jq -c '[.volumes[] | {key: .name, value: .state}] | from_entries' "$work/json"
}

# written_and_removed NAME: unused blocks that the disk still stores.
written_and_removed() {
	dd if=/dev/urandom of="$root/var/mnt/$1/file" bs=1M count=20 status=none
	sync -f "$root/var/mnt/$1"
	rm "$root/var/mnt/$1/file"
	sync -f "$root/var/mnt/$1"
}

stored() {
	du -B1 "$(losetup --noheadings --output BACK-FILE "$1")" | cut -f1
}

# ago FILE NAME SECONDS: set the time of the last trim.
ago() {
	jq -c --arg id "u-$2" --argjson time $(($(date +%s) - $3)) '.[$id].time = $time' "$1" >"$work/ago"
	cat "$work/ago" >"$1"
}

test_trim() {
	local state before times

	down
	new_disk
	declare_none
	user data "$encryption, allowDiscards: true}" 'trim: {interval: 24h}'
	user dense "$encryption}" 'trim: {}'
	user open 'trim: {enabled: false}'
	check "up succeeds" mortise up
	written_and_removed data
	before=$(stored "$disk")
	check_equal "the first trim is due" "$(trimmed)" '{"data":"trimmed","dense":"skipped"}'
	check "the disk stores less: $before, then $(stored "$disk")" \
		test "$(stored "$disk")" -lt $((before - 15000000))
	check "the bytes are reported" jq -e '.volumes[0] | .bytes > 20000000 and .interval == 86400' "$work/json"
	check "a volume without allowDiscards is reported" says \
		'dense: notice: not trimmed: its mapping does not pass discards on; add "allowDiscards: true"'
	check_equal "the second trim is not due" "$(trimmed)" '{"data":"not due","dense":"skipped"}'
	same data '.lastTrim.time == now or .lastTrim.time > now - 600' echo true
	check_equal "--force trims now" "$(trimmed --force)" '{"data":"trimmed","dense":"skipped"}'
	check_status 1 "trim of a volume that cannot be trimmed" mortise trim dense
	check_status 1 "trim of a volume without it" said mortise trim open
	check "the reason" says 'open: notice: not trimmed: the configuration has no "trim" for it; use --force'
	written_and_removed open
	before=$(stored "$disk")
	check_equal "--force of a named volume" "$(trimmed --force open)" '{"open":"trimmed"}'
	check "the disk stores less again" test "$(stored "$disk")" -lt $((before - 15000000))
	for times in "75600 trimmed" "75500 not due" "-60 trimmed" "86400 trimmed"; do
		ago /run/mortise/trim data "${times%% *}"
		check_equal "a trim ${times%% *} seconds ago" "$(trimmed data)" "{\"data\":\"${times#* }\"}"
	done
	echo '{"u-data":' >/run/mortise/trim
	check_equal "a damaged record" "$(trimmed data)" '{"data":"trimmed"}'
	check_equal "it is replaced" "$(trimmed data)" '{"data":"not due"}'
	mortise down data >/dev/null 2>&1
	check_equal "a volume that is not mounted" "$(trimmed --force data)" '{"data":"skipped"}'
	down
	# STATE, once it is mounted, keeps the times over boots.
	state=$(blank_device 330)
	printf -- '---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n' >>"$config"
	options+=(--device "STATE=$state")
	check "up with STATE" mortise up --adopt
	rm -f /run/mortise/trim
	check_equal "trim with STATE" "$(trimmed data)" '{"data":"trimmed"}'
	check "the time is in STATE" jq -e '."u-data".time > 0' "$root/system/state/trim.json"
	check_fails "and nowhere else" test -e /run/mortise/trim
	ln -sf /etc/passwd "$root/system/state/trim.json"
	before=$(checksum /etc/passwd)
	check_equal "a symbolic link is not followed" "$(trimmed data)" '{"data":"trimmed"}'
	check_equal "nor written through" "$(checksum /etc/passwd)" "$before"
	down
	rm -rf /run/mortise
	check "the next boot" mortise up
	check_equal "the next boot knows the time" "$(trimmed data)" '{"data":"not due"}'
	ago "$root/system/state/trim.json" data 90000
	mark
	check "trim --log=kmsg" mortise trim --log=kmsg
	check "the bytes are logged" logged info "data: trimmed [0-9]+ bytes"
	check "and what is skipped" logged notice "dense: notice: not trimmed: .*"
	down
}

marks=0
exposition=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../cli/exposition.py
new_disk
topics=(facts metrics log last_up trim)
[[ -z ${1-} ]] || topics=("$@")
for topic in "${topics[@]}"; do
	"test_$topic"
done
finish
