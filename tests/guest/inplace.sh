#!/usr/bin/env bash
# Declared volumes whose volume key is replaced (rotateVolumeKey): at the next boot, after kills at
# each flush, with a configuration in STATE, and with disks that an attacker has changed. cryptsetup
# checks the result. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
# shellcheck source=tests/guest/attack_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/attack_lib.sh"

fallback='static: {passphrase: other}, slot: 3'
files=$root/var/mnt/data

# serials STATE-SERIAL DATA-SERIAL: declare them in addition to declare_keys; "-": none.
serials() {
	local serial

	for serial; do
		[[ $serial == - ]] || sed -i "0,/^  provider: luks2$/s//  rotateVolumeKey: $serial\n  provider:  luks2/" \
			"$config"
		[[ $serial != - ]] || sed -i "0,/^  provider: luks2$/s//  provider:  luks2/" "$config"
	done
}

declare_both() {
	declare_keys "$node" "$node;$fallback"
	serials "$1" "$2"
}

fill() {
	mkdir "$files/tree"
	for name in {1..20}; do
		head -c "$((name * 40000))" /dev/urandom >"$files/tree/$name"
	done
	(cd "$files" && sha256sum tree/*) >"$work/sums"
}

unchanged() {
	(cd "$files" && sha256sum --quiet -c "$work/sums")
}

# The digest of the volume key: another key has another one.
digest() {
	cryptsetup luksDump --dump-json-metadata "$1" | jq -c '.digests[].digest'
}

record() {
	cryptsetup luksDump --dump-json-metadata "$1" | jq -r ".config.mortise.$2 // \"none\""
}

slots() {
	cryptsetup luksDump --dump-json-metadata "$1" | jq -r '.keyslots | keys | join(" ")'
}

boot() {
	mortise down -f "$config" && mortise up -f "$config" "$@"
}

# killed_at N COMMAND...: SIGKILL at the Nth flush. False: it ended before.
killed_at() {
	local count=$1 status=0
	shift

	{ strace -f -qq -o /dev/null -e trace=fsync,fdatasync \
		-e "inject=fsync,fdatasync:signal=KILL:when=$count" "$@" >"$work/said" 2>&1 || status=$?; } 2>/dev/null
	[[ $status -eq 137 ]]
}

# kills LAST STEP: numbers of flushes. CUTS=all in the environment (--env): all of them.
kills() {
	local step=$2

	[[ ${CUTS-} != all ]] || step=1
	seq 1 $step "$1"
}

test_rotate() {
	local before

	new_machine
	declare_both - 2026-01
	check "the first up formats" mortise up -f "$config"
	fill
	before=$(digest "$data")
	check_equal "the format records the serial" "$(record "$data" rotated)" 2026-01
	check "the next boot succeeds" boot
	check_equal "nothing is rotated" "$(digest "$data")" "$before"
	declare_both - 2026-02
	check_match "plan shows the rotation of an open volume" "$(mortise plan -f "$config")" \
		"*reencrypt*rotate volume key of $data, which is open, at the next boot: 48 MiB, *"
	check "up orders it" mortise up -f "$config"
	check_equal "the order is in the header" "$(record "$data" rotate)" 2026-02
	check_equal "the key is the same" "$(digest "$data")" "$before"
	mortise down -f "$config" >/dev/null
	check_match "plan shows the rotation" "$(mortise plan -f "$config")" \
		"*reencrypt*rotate volume key of $data: 48 MiB, about * s*open*"
	check "up rotates" said mortise up -f "$config"
	check "up says so" says "data: replacing the volume key of $data"
	check_fails "the key is another one" test "$(digest "$data")" = "$before"
	check_equal "the serial is recorded" "$(record "$data" rotated)" 2026-02
	check_equal "the order is dropped" "$(record "$data" rotate)" none
	check_equal "the keyslots have the declared numbers" "$(slots "$data")" "0 3"
	check "the files are the same" unchanged
	check "the second key opens it in cryptsetup" opens "$data" 3 other
	before=$(digest "$data")
	check "the next boot succeeds" boot
	check_equal "it rotates nothing" "$(digest "$data")" "$before"
	check "the files are the same" unchanged
	mortise down -f "$config" >/dev/null
	check "the file system is clean" bash -c "printf other | cryptsetup open --key-file - $data c &&
		e2fsck -fn /dev/mapper/c; status=\$?; cryptsetup close c; exit \$status"
}

# Every flush of a rotation is a place for a cut; the next up continues by itself.
test_cuts() {
	local count before serial=0 continued=0

	new_machine
	declare_both - first
	check "up formats" mortise up -f "$config"
	fill
	for count in $(kills 60 4); do
		mortise down -f "$config" >/dev/null
		before=$(digest "$data")
		serial=$((serial + 1))
		declare_both - "cut-$serial"
		if ! killed_at "$count" "$MORTISE" up -f "$config" --root "$root" --node-uuid "$uuid" \
			"${cost[@]}" "${places[@]}"; then
			break
		fi
		if mortise plan -f "$config" 2>&1 | grep "continue to rotate" >/dev/null; then
			continued=$((continued + 1))
		fi
		said mortise up -f "$config" || {
			fail "up continues after a kill at flush $count" "$(cat "$work/said")"
			break
		}
		[[ $(record "$data" rotated) == "cut-$serial" && $(digest "$data") != "$before" &&
			$(slots "$data") == "0 3" ]] || {
			fail "the rotation is complete after a kill at flush $count" "$(cat "$work/said")"
			break
		}
		unchanged || fail "the files are the same after a kill at flush $count"
	done
	check_match "up ran into the kills" "$count" "[1-9]*"
	check "some were in the rotation" test "$continued" -gt 1
	echo "    $count flushes, $continued continued"
	check "the next boot succeeds" boot
	check "the files are the same" unchanged
}

# The configuration is in STATE, which is open when it is read.
test_state() {
	local before

	new_machine
	declare_both one one
	check "apply succeeds" mortise apply -f "$config"
	fill
	declare_both two two
	before=$(digest "$state")
	check "apply succeeds on open volumes" said mortise apply -f "$config"
	check_equal "the key of STATE is the same" "$(digest "$state")" "$before"
	check_equal "its rotation is ordered" "$(record "$state" rotate)" two
	mortise down -f "$config" >/dev/null
	if killed_at 12 "$MORTISE" up --root "$root" --node-uuid "$uuid" "${cost[@]}" "${places[@]}"; then
		ok "a boot is killed"
	fi
	check "the next boot succeeds without a file" said mortise up
	check_fails "the key of STATE is another one" test "$(digest "$state")" = "$before"
	check_equal "its serial is recorded" "$(record "$state" rotated)" two
	check_equal "that of data, too" "$(record "$data" rotated)" two
	check "the files are the same" unchanged
	before=$(digest "$state")
	mortise down -f "$config" >/dev/null
	check "the next boot succeeds" mortise up
	check_equal "nothing is rotated" "$(digest "$state")" "$before"
	check "the files are the same" unchanged
}

test_refused() {
	local before

	new_machine
	declare_both - one
	check "up formats" mortise up -f "$config"
	fill
	check "a recovery key is enrolled" "$MORTISE" enroll "$data" --recovery-key --key-slot 7 \
		--key-file <(printf other) --recovery-file "$work/recovery"
	before=$(digest "$data")
	declare_both - two
	check "the next boot succeeds" boot
	check_match "status says why the key was not replaced" \
		"$(mortise status -f "$config" --json | jq -r '.volumes[1].failedSyncs[0]')" \
		"the volume key is not replaced: keyslot 7 holds a recovery key*"
	check_equal "the key is the same" "$(digest "$data")" "$before"
	check "the recovery key opens" opens "$data" 7 "$(cat "$work/recovery")"
	check "the recovery key is removed" "$MORTISE" luksKillSlot "$data" 7 --key-file <(printf other)
	check "the next boot succeeds" boot
	check_fails "the key is another one" test "$(digest "$data")" = "$before"
	check "the files are the same" unchanged
	mortise down -f "$config" >/dev/null
	rm "$work/recovery"
	# An attacker suppresses a rotation, or orders one.
	before=$(digest "$data")
	check "a serial is forged" edit_header "$data" '.config.mortise.rotated = "three"'
	declare_both - three
	check_fails "up refuses the header" said mortise up -f "$config"
	check "it says why" says "cannot trust the header of $data: record changed after it was sealed"
	mortise down -f "$config" >/dev/null
	check "the serial is put back" edit_header "$data" '.config.mortise.rotated = "two"'
	check "an order is forged" edit_header "$data" '.config.mortise.rotate = "three"'
	check_fails "up refuses the header" mortise up -f "$config"
	check_equal "the key is the same" "$(digest "$data")" "$before"
	mortise down -f "$config" >/dev/null
}

# in_place: declare that data is encrypted in place.
in_place() {
	declare_keys "$node" "$node;$fallback"
	sed -i '/^name: data$/,$ s/^  provider: luks2$/&\n  inPlace: true/' "$config"
}

# plain_machine [MIB]: data is plain ext4, and known.
plain_machine() {
	new_machine
	declare_keys "$node" -
	mortise up -f "$config" >/dev/null
	fill
}

test_encrypt() {
	plain_machine
	in_place
	check_fails "up does not encrypt a mounted volume" said mortise up -f "$config"
	check "it says when" says "$data is mounted; the next boot encrypts it in place"
	mortise down -f "$config" >/dev/null
	check "up encrypts it" said mortise up -f "$config"
	check "up says so" says "data: encrypting $data"
	check_equal "data is mounted" "$(findmnt -no SOURCE "$files")" /dev/mapper/luks2-u-data
	check "the files are the same" unchanged
	check_equal "both keys are in the header" "$(slots "$data")" "0 3"
	check "cryptsetup opens it" opens "$data" 3 other
	check_equal "status knows it" \
		"$(mortise status -f "$config" --json | jq -r '.volumes[1] | .known, .reencryption')" \
		$'known\nnull'
	check "the next boot succeeds" boot
	check "the files are the same" unchanged
	sed -i 's/^  inPlace: true$/&\n  rotateVolumeKey: after/' "$config"
	check "the next boot rotates its key" boot
	check_equal "it is done" "$(record "$data" rotated)" after
	check "the files are the same" unchanged
	mortise down -f "$config" >/dev/null
	# An attacker puts a plain file system in its place.
	mkfs.ext4 -q "$data"
	check_fails "a plain file system in its place is refused" said mortise up -f "$config"
	check "it says why" says "the volume of this machine is encrypted"
	mortise down -f "$config" >/dev/null
	check_fails "by apply, too" said mortise apply -f "$config"
	check_equal "it is unchanged" "$(blkid -p -o value -s TYPE "$data")" ext4
}

# killed_up COUNT SAVED: up on the disks as they were saved, killed at flush COUNT.
killed_up() {
	cat "$work/$2.data" >"$data"
	cat "$work/$2.state" >"$state"
	killed_at "$1" "$MORTISE" up -f "$config" --root "$root" --node-uuid "$uuid" "${cost[@]}" "${places[@]}"
}

# Kills at flushes of mortise, e2fsck and resize2fs, each from the same plain disks.
test_encrypt_cuts() {
	local count continued=0 killed=0

	plain_machine
	in_place
	mortise down -f "$config" >/dev/null
	cat "$data" >"$work/plain.data"
	cat "$state" >"$work/plain.state"
	for count in $(kills 80 9); do
		killed_up "$count" plain && killed=$((killed + 1))
		! grep -q "^data:.*done" "$work/said" || break
		if mortise plan -f "$config" 2>&1 | grep "continue to encrypt" >/dev/null; then
			continued=$((continued + 1))
			[[ $continued -ne 2 ]] || cat "$data" >"$work/half"
		fi
		said mortise up -f "$config" ||
			fail "up continues after a kill at flush $count" "$(cat "$work/said")"
		[[ $(findmnt -no SOURCE "$files") == /dev/mapper/luks2-u-data ]] ||
			fail "data is encrypted after a kill at flush $count"
		unchanged || fail "the files are the same after a kill at flush $count"
		mortise down -f "$config" >/dev/null
		if [[ -e $work/half ]]; then
			cat "$work/half" >"$data"
			rm "$work/half"
			check_fails "a disk from the time of the encryption is refused" \
				said mortise up -f "$config"
			check "the error says why" says "it was finished before; an old disk was put back"
			mortise down -f "$config" >/dev/null
		fi
	done
	check "up ran into the kills" test "$killed" -gt 5
	check "some were in the encryption" test "$continued" -gt 1
	echo "    flush $count, $killed killed, $continued continued"
	rm "$work"/plain.*
}

# Where the room for the header comes from, or the reason why it is missing.
test_room() {
	local disk

	plain_machine
	head -c 30M /dev/urandom >"$files/large"
	in_place
	mortise down -f "$config" >/dev/null
	check "a full ext4 gets its header in STATE" mortise up -f "$config"
	check "the files are the same" detached
	mortise down -f "$config" >/dev/null
	new_machine
	declare_keys "$node" -
	sed -i 's/type: ext4/type: xfs/' "$config"
	mortise up -f "$config" >/dev/null
	fill
	in_place
	sed -i 's/type: ext4/type: xfs/' "$config"
	mortise down -f "$config" >/dev/null
	check_match "an xfs without free space gets its header in STATE" "$(mortise plan -f "$config")" \
		"*STATE, which may hold its header, is not mounted*"
	new_machine
	disk=$(labeled_disk 120 u-data=64)
	data=${disk}p1
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
	declare_keys "$node" -
	sed -i 's/type: ext4/type: xfs/' "$config"
	mortise up -f "$config" >/dev/null
	fill
	in_place
	sed -i 's/type: ext4/type: xfs/' "$config"
	mortise down -f "$config" >/dev/null
	check "an xfs with free space behind its partition is encrypted" said mortise up -f "$config"
	check "the partition grows" says "data: growing $data"
	check "the files are the same" unchanged
	check_equal "data is encrypted" "$(findmnt -no SOURCE "$files")" /dev/mapper/luks2-u-data
}

# STATE: only an operator's apply, before it is mounted.
test_encrypt_state() {
	new_machine
	declare_keys - -
	sed -i 's/^name: STATE$/&\nfilesystem: {type: ext4}/' "$config"
	check "apply makes a plain STATE" mortise apply -f "$config"
	fill
	echo kept >"$root/system/state/kept"
	declare_keys "$node" -
	sed -i 's/^name: STATE$/&\nfilesystem: {type: ext4}/; 0,/^  provider: luks2$/ s//&\n  inPlace: true/' \
		"$config"
	check_fails "a mounted STATE is refused" said mortise apply -f "$config"
	mortise down -f "$config" >/dev/null
	check_fails "up does not encrypt STATE" said mortise up -f "$config"
	check "it says why" says "run \`mortise apply\` before it is mounted"
	mortise down -f "$config" >/dev/null
	killed_at 30 "$MORTISE" apply -f "$config" --yes --root "$root" --node-uuid "$uuid" \
		"${cost[@]}" "${places[@]}" || true
	check "apply encrypts it" said mortise apply -f "$config"
	check_equal "STATE is kept" "$(cat "$root/system/state/kept")" kept
	check_equal "it is encrypted" "$(findmnt -no SOURCE "$root/system/state")" /dev/mapper/luks2-STATE
	mortise down >/dev/null
	check "the next boot succeeds without a file" mortise up
	check_equal "STATE is kept" "$(cat "$root/system/state/kept")" kept
	check "the files of data are the same" unchanged
}

# back: declare that data is decrypted in place.
back() {
	in_place
	sed -i '/^name: data$/,$ s/^  provider: luks2$/  provider: none/' "$config"
}

is_plain() {
	[[ $(findmnt -no SOURCE "$files") == "$data" && ! -e $(header_of data) ]] && unchanged
}

header_of() {
	echo "$root/system/state/header-u-$1.luks2"
}

# Plain, encrypted, another key, and back, each at a boot.
test_decrypt() {
	plain_machine
	in_place
	check "up encrypts" boot
	sed -i 's/^  inPlace: true$/&\n  rotateVolumeKey: one/' "$config"
	check "up rotates" boot
	check_equal "the serial is recorded" "$(record "$data" rotated)" one
	check "the files are the same" unchanged
	cat "$data" >"$work/encrypted"
	back
	check_fails "up does not decrypt an open volume" said mortise up -f "$config"
	check "it says when" says "$data is open; the next boot decrypts it in place"
	check_match "status says so, too" "$(mortise status -f "$config" 2>&1)" \
		"*still open and encrypted*the next boot decrypts it*"
	mortise down -f "$config" >/dev/null
	sed -i '/^name: data$/,/^filesystem/ s/^  provider: none$/  provider: luks2/' "$config"
	check "the volume opens as before" mortise up -f "$config"
	back
	mortise down -f "$config" >/dev/null
	check "up decrypts" said mortise up -f "$config"
	check "up says so" says "data: decrypting $data"
	check "the files are the same, and the header is removed" is_plain
	check "the next boot succeeds" boot
	check "the files are the same" is_plain
	check_equal "status knows it" "$(mortise status -f "$config" --json |
		jq -r '.volumes[1] | .known, .encrypted')" $'known\nfalse'
	mortise down -f "$config" >/dev/null
	check "the file system is clean" e2fsck -fn "$data"
	cat "$data" >"$work/plain"
	# An attacker puts the encrypted disk back.
	cat "$work/encrypted" >"$data"
	check_fails "another LUKS2 volume is not decrypted" said mortise up -f "$config"
	check "it says why" says "u-data was not encrypted on this machine"
	mortise down -f "$config" >/dev/null
	cat "$work/plain" >"$data"
	declare_keys "$node" -
	check "the encryption is removed from the configuration" mortise up -f "$config"
	check "the files are the same" is_plain
	rm "$work"/{plain,encrypted}
}

# Kills at flushes, each from the same encrypted disks, and what must not happen meanwhile.
test_decrypt_cuts() {
	local count continued=0 killed=0 header

	new_machine
	declare_keys "$node" "$node;$fallback"
	check "up formats" mortise up -f "$config"
	fill
	header=$(header_of data)
	mortise down -f "$config" >/dev/null
	back
	cat "$data" >"$work/before.data"
	cat "$state" >"$work/before.state"
	for count in $(kills 50 9); do
		killed_up "$count" before && killed=$((killed + 1))
		! grep -q "^data:.*done" "$work/said" || break
		if mortise plan -f "$config" 2>&1 | grep "continue to decrypt" >/dev/null; then
			continued=$((continued + 1))
			[[ $continued -ne 2 ]] || unfinished "$header"
		fi
		said mortise up -f "$config" ||
			fail "up continues after a kill at flush $count" "$(cat "$work/said")"
		is_plain || fail "the files are the same after a kill at flush $count"
		mortise down -f "$config" >/dev/null
	done
	check "up ran into the kills" test "$killed" -gt 2
	check "some were in the decryption" test "$continued" -gt 1
	echo "    flush $count, $killed killed, $continued continued"
	rm "$work"/before.*
}

# unfinished HEADER: the decryption of data is not finished.
unfinished() {
	check_match "status says how far it is" \
		"$(mortise status -f "$config" --json | jq -r '.volumes[1] | .known, .reencryption')" \
		$'decrypting\n* of * MiB are decrypted; the next up continues'
	check_equal "only root reads the header" "$(stat -c %a "$1")" 600
	mortise down -f "$config" >/dev/null
	in_place
	check_fails "it is not encrypted again" said mortise up -f "$config"
	check "the error says how to continue" says "declare provider: none, inPlace: true and its keys"
	mortise down -f "$config" >/dev/null
	declare_keys "$node" -
	check_fails "it is not taken for unknown data" said mortise apply -f "$config"
	check "the error does not advise to erase it" says "STATE, which may hold its header, is not mounted"
	check_fails "it is not mounted as a plain volume" said mortise up -f "$config"
	check "the error says how to continue" says "declare provider: none, inPlace: true and its keys"
	mortise down -f "$config" >/dev/null
	back
	mortise up -f "$config" STATE >/dev/null
	mv "$1" "$1.lost"
	mortise down -f "$config" >/dev/null
	check_fails "without its header, it is not used" said mortise apply -f "$config"
	check "the error says so" says "is being decrypted in place, and neither $data nor STATE holds"
	mv "$1.lost" "$1"
	mortise down -f "$config" >/dev/null
}

# xfs: $config as declared by declare_keys, with this file system.
xfs() {
	"$@"
	sed -i 's/type: ext4/type: xfs/' "$config"
}

# detached: data is open with its header in STATE, and has its files.
detached() {
	[[ $(findmnt -no SOURCE "$files") == /dev/mapper/luks2-u-data && -e $(header_of data) ]] && unchanged
}

# kill_until_done SAVED HOLDS: kill up at flushes, each time from the saved disks, until it ends before.
# HOLDS: what must be true after each kill and the next up, and at the end.
kill_until_done() {
	local count killed=0

	for count in $(kills 60 8) 9999; do
		killed_up "$count" "$1" && killed=$((killed + 1)) || count=last
		[[ $count == last ]] || said mortise up -f "$config" ||
			fail "up continues after a kill at flush $count" "$(cat "$work/said")"
		"$2" || fail "$2 after a kill at flush $count" "$(cat "$work/said")"
		[[ $count != last ]] || break
		mortise down -f "$config" >/dev/null
	done
	check "up ran into the kills" test "$killed" -gt 1
}

# An xfs without room for a header.
test_detached() {
	local header

	new_machine
	xfs declare_keys "$node" -
	mortise up -f "$config" >/dev/null
	fill
	header=$(header_of data)
	mortise down -f "$config" >/dev/null
	cat "$data" >"$work/plain.data"
	cat "$state" >"$work/plain.state"
	xfs in_place
	kill_until_done plain detached
	check "data is encrypted" detached
	check_equal "only root reads the header" "$(stat -c %a "$header")" 600
	check "the next boot succeeds" boot
	check "the files are the same" detached
	check_equal "status knows it" \
		"$(mortise status -f "$config" --json | jq -r '.volumes[1] | .known, .reencryption, .seal')" \
		$'known\nnull\nunverified'
	cp "$header" "$work/header"
	sed -i 's/^  inPlace: true$/&\n  rotateVolumeKey: one/' "$config"
	check "the next boot rotates its key" boot
	check_equal "it is done" "$(record "$header" rotated)" one
	check "the files are the same" detached
	mortise down -f "$config" >/dev/null
	mv "$work/plain.state" "$work/encrypted.state"
	cat "$state" >"$work/encrypted.state"
	check_fails "the device has no file system" blkid -p "$data"
	# An attacker puts a plain file system in its place.
	cat "$data" >"$work/encrypted.data"
	cat "$work/plain.data" >"$data"
	check_fails "a plain file system in its place is not mounted" mortise up -f "$config"
	check_fails "it is not mounted" mountpoint -q "$files"
	mortise down -f "$config" >/dev/null
	xfs declare_keys "$node" -
	check_fails "nor if it is declared plain" said mortise up -f "$config"
	check "it says why" says "u-data is encrypted, and its header is "
	xfs in_place
	mortise down -f "$config" >/dev/null
	cat "$work/encrypted.data" >"$data"
	check "the volume opens" mortise up -f "$config"
	check "the files are the same" detached
	# The header is lost, or an old one.
	mv "$header" "$work/kept"
	mortise down -f "$config" >/dev/null
	check_fails "without its header, it is not used" said mortise up -f "$config"
	check "it says why" says "u-data cannot be opened without its header "
	cp "$work/header" "$header"
	check_fails "an old header is refused" said mortise up -f "$config"
	check "it says why" says "another volume key: not opened"
	cp "$work/kept" "$header"
	check "with its header, it opens" mortise up -f "$config"
	check "the files are the same" detached
	mortise down -f "$config" >/dev/null
	mortise up -f "$config" STATE >/dev/null
	check "it can be reset" mortise reset data --yes
	check_fails "the header is removed" test -e "$header"
	check "it is formatted again" mortise up -f "$config"
	mortise down -f "$config" >/dev/null
	decrypt_detached
	rm -f "$work"/{plain.data,encrypted.data,encrypted.state,header,kept}
}

# data, which is encrypted with its header in STATE, is decrypted, also after kills.
decrypt_detached() {
	xfs back
	kill_until_done encrypted is_plain
	check "data is plain, and its header is removed" is_plain
	check "the next boot succeeds" boot
	check "the files are the same" is_plain
	mortise down -f "$config" >/dev/null
	check "the file system is clean" xfs_repair -n "$data"
}

# online: declare that data is encrypted while it is in use.
online() {
	sed -i '/^name: data$/,$ s/^  provider:  *luks2$/&\n  reencrypt: {when: online}/' "$config"
}

# Writes and checks files until $work/stop exists; leaves their checksums in $work/written.
writer() {
	local number=0

	: >"$work/written"
	until [[ -e $work/stop ]]; do
		number=$(((number + 1) % 8))
		head -c 300000 /dev/urandom >"$work/block"
		cp "$work/block" "$files/busy.$number"
		sync "$files/busy.$number"
		echo 3 >/proc/sys/vm/drop_caches
		cmp "$work/block" "$files/busy.$number" || return 1
	done
}

busy() {
	rm -f "$work/stop"
	writer >"$work/writer" 2>&1 &
	writing=$!
}

not_busy() {
	local status=0

	touch "$work/stop"
	wait "$writing" || status=$?
	check_equal "the writer has read what it wrote" "$status" 0
}

progress() {
	mortise status -f "$config" --json | jq -r ".volumes[1].reencryptionProgress$1"
}

# continuing MIB: re-encrypt in the background, slowly, until MIB are done.
continuing() {
	local log=$work/continued.$1

	"$MORTISE" continue -f "$config" --root "$root" --node-uuid "$uuid" "${places[@]}" \
		--limit-rate 8M >"$log" 2>&1 &
	continuing=$!
	until_holds has_done "$1"
	kill -0 "$continuing" || cat "$log"
}

# By the process that runs, or that has ended too early.
has_done() {
	[[ $(progress '| .running and .done >= '"$1"' * 1048576') == true ]] || ! kill -0 "$continuing"
}

test_online() {
	local before

	new_machine
	declare_both - one
	check "the first up formats" mortise up -f "$config"
	fill
	mortise down -f "$config" >/dev/null
	declare_both - two
	online
	before=$(digest "$data")
	check_match "plan shows the rotation" "$(mortise plan -f "$config")" \
		"*rotate volume key of $data, while it is in use: 48 MiB, about * s*open*"
	check "up begins it" said mortise up -f "$config"
	check "up says so" says "data: replacing the volume key of $data"
	check "the files are the same" unchanged
	check_equal "nothing is done yet" "$(progress '| "\(.done) \(.total) \(.running)"')" \
		"0 50331648 false"
	check "up runs again" mortise up -f "$config"
	busy
	continuing 4
	check_match "status shows how far it is" "$(mortise status -f "$config")" \
		"*data: * of 48 MiB are re-encrypted; \`mortise continue\` is running*"
	check_fails "a second process is refused" said mortise continue -f "$config"
	check "it says why" says "another process re-encrypts it"
	check "up runs meanwhile" mortise up -f "$config"
	check "it ends" kill -TERM "$continuing"
	wait "$continuing" || true
	check_equal "it is not running" "$(progress .running)" false
	check_fails "it is not done" test "$(progress .done)" = 50331648
	not_busy
	check "the files are the same" unchanged
	check "down closes the volume" mortise down -f "$config"
	check_match "the next boot continues online" "$(mortise plan -f "$config")" \
		"*continue to rotate volume key of $data, while it is in use: * of 48 MiB are done*"
	check "the next boot succeeds" mortise up -f "$config"
	check "the files are the same" unchanged
	busy
	continuing 8
	not_busy
	check "down stops it" said mortise down -f "$config"
	wait "$continuing" || true
	check "it says why" grep -q "stopped, because the volume is being closed" "$work/continued.8"
	check "the next boot succeeds" mortise up -f "$config"
	busy
	continuing 12
	kill -KILL "$continuing"
	wait "$continuing" 2>/dev/null || true
	touch "$work/stop"
	check "it continues after a kill" said mortise continue -f "$config"
	not_busy
	check_equal "it is done" "$(progress "")" null
	check_fails "the key is another one" test "$(digest "$data")" = "$before"
	check_equal "the serial is recorded" "$(record "$data" rotated)" two
	check_equal "the keyslots have the declared numbers" "$(slots "$data")" "0 3"
	check "the files are the same" unchanged
	check_equal "status knows it" \
		"$(mortise status -f "$config" --json | jq -r '.volumes[1] | .known, .reencryption')" \
		$'known\nnull'
	check "nothing is left to do" said mortise continue -f "$config"
	check "it says so" says "No volume is being re-encrypted."
	check "the second key opens it in cryptsetup" opens "$data" 3 other
	check "the next boot succeeds" boot
	check "the files are the same" unchanged
	mortise down -f "$config" >/dev/null
	check "the file system is clean" bash -c "printf other | cryptsetup open --key-file - $data c &&
		e2fsck -fn /dev/mapper/c; status=\$?; cryptsetup close c; exit \$status"
}

# The volume stays open: another key size, then plain data, and STATE with a stored configuration.
test_online_convert() {
	local before

	new_machine
	declare_both - -
	check "the first up formats" mortise up -f "$config"
	fill
	before=$(digest "$data")
	sed -i '/^name: data$/,$ s/^  provider:  *luks2$/&\n  inPlace: true\n  keySize: 256/' "$config"
	check_fails "another key size of an open volume is refused" said mortise apply -f "$config"
	online
	busy
	check "online, apply begins at once" said mortise apply -f "$config"
	check_equal "data stays mounted" "$(findmnt -no SOURCE "$files")" /dev/mapper/luks2-u-data
	check "continue ends it" said mortise continue -f "$config"
	not_busy
	check_equal "the key has the declared size" "$(cryptsetup luksDump --dump-json-metadata "$data" |
		jq -r '.keyslots | map(.key_size) | unique | join(" ")')" 32
	check_fails "the key is another one" test "$(digest "$data")" = "$before"
	check "the files are the same" unchanged
	check "the next boot succeeds" boot
	check "the files are the same" unchanged
}

test_online_encrypt() {
	local before

	plain_machine
	in_place
	online
	mortise down -f "$config" >/dev/null
	cat "$data" >"$work/plain"
	check "up begins to encrypt, and mounts" said mortise up -f "$config"
	check_equal "data is mounted" "$(findmnt -no SOURCE "$files")" /dev/mapper/luks2-u-data
	check "the files are the same" unchanged
	check_equal "status knows it" "$(mortise status -f "$config" --json | jq -r '.volumes[1].known')" \
		encrypting
	check "up runs again" mortise up -f "$config"
	busy
	continuing 8
	kill -TERM "$continuing"
	wait "$continuing" || true
	not_busy
	mortise down -f "$config" >/dev/null
	cat "$data" >"$work/half"
	check "the next boot goes on" said mortise up -f "$config"
	check "the files are the same" unchanged
	busy
	check "continue ends it" said mortise continue -f "$config"
	not_busy
	check_equal "status knows it" \
		"$(mortise status -f "$config" --json | jq -r '.volumes[1] | .known, .reencryption')" \
		$'known\nnull'
	before=$(digest "$data")
	serials - two
	check "in the same boot, a rotation begins" mortise apply -f "$config"
	check "continue ends it" mortise continue -f "$config"
	check_fails "the key is another one" test "$(digest "$data")" = "$before"
	check "cryptsetup opens it" opens "$data" 3 other
	check "the next boot succeeds" boot
	check "the files are the same" unchanged
	mortise down -f "$config" >/dev/null
	cat "$work/half" >"$data"
	check_fails "a disk from the time of the encryption is refused" said mortise up -f "$config"
	check "it says why" says "but another volume key: not opened"
	mortise down -f "$config" >/dev/null
	cat "$work/plain" >"$data"
	check_fails "the plain file system is refused" mortise up -f "$config"
	rm "$work/half" "$work/plain"
}

# By the process that runs, or that has ended too early.
state_runs() {
	[[ $(mortise status --json | jq '.volumes[0].reencryptionProgress.running') == true ]] ||
		! kill -0 "$continuing"
}

test_online_state() {
	local before

	new_machine
	declare_both one one
	check "apply succeeds" mortise apply -f "$config"
	fill
	declare_both two two
	sed -i 's/^  rotateVolumeKey: two$/&\n  reencrypt: {when: online}/' "$config"
	before=$(digest "$state")
	check "apply begins on open volumes" said mortise apply -f "$config"
	check_equal "the rotation of STATE has begun" "$(record "$state" rotated)" two
	check "it is recorded as one that is online" test "$(record "$state" online)" = true
	mortise down >/dev/null
	check "the next boot succeeds without a file" said mortise up
	check_fails "STATE is not done" test "$(mortise status --json |
		jq '.volumes[0].reencryptionProgress')" = null
	"$MORTISE" continue --root "$root" --node-uuid "$uuid" "${places[@]}" --limit-rate 1M \
		>"$work/continued.state" 2>&1 &
	continuing=$!
	until_holds state_runs
	check "down stops it" said mortise down
	wait "$continuing" || true
	check_fails "it opens no volume again" test -e /dev/mapper/luks2-u-data
	check_fails "nor does it say that data is done" grep "^data:.*done" "$work/continued.state"
	check "the next boot succeeds without a file" said mortise up
	check "continue ends it" said mortise continue
	check_fails "the key of STATE is another one" test "$(digest "$state")" = "$before"
	check_equal "both are done" "$(mortise status --json |
		jq -c '[.volumes[] | .known, .reencryption]')" '["known",null,"known",null]'
	check "the files are the same" unchanged
	mortise down >/dev/null
	check "the next boot succeeds" mortise up
	check "the files are the same" unchanged
}

topics=(rotate cuts state refused encrypt encrypt_cuts room encrypt_state decrypt decrypt_cuts detached
	online online_convert online_encrypt online_state)
for topic in "${@:-${topics[@]}}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
	mortise down -f "$config" >/dev/null
done
finish
