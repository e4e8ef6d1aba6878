#!/usr/bin/env bash
# Volumes in reencryption: opened half done, after interruptions, by each program; and re-encrypted
# while a file system in them is written.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/reencrypt_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/reencrypt_lib.sh"

# opens PROGRAM OPTION...: the volume has its data, and the mapping so many targets.
opens() {
	local program=$1 status=0
	shift

	"$program" open "${key[@]}" "$@" "$device" v || return
	dmsetup table v | wc -l >"$work/targets"
	[[ $(sum_of /dev/mapper/v) == "$sum" ]] || status=1
	"$program" close v || status=1
	return $status
}

# both_open WHAT PROGRAM PROGRAM [OPTION...]: first by one, then by the other program.
both_open() {
	local what=$1 first=$2 second=$3
	shift 3

	check "$what: $(basename "$first") opens it" opens "$first" "$@"
	check_match "$what: with several targets" "$(cat "$work/targets")" '[234]'
	check "$what: $(basename "$second") opens it" opens "$second" "$@"
}

test_open() {
	local program other resilience number

	for program in "$MORTISE" cryptsetup; do
		for resilience in checksum journal; do
			other=cryptsetup
			[[ $program != cryptsetup ]] || other=$MORTISE
			new_volume
			number=30
			[[ $program != cryptsetup ]] || number=100
			killed $number "$program" reencrypt -q "${cheap[@]}" "${key[@]}" \
				--resilience $resilience --hotzone-size 1M "$device"
			check "$resilience, killed: $(basename "$program") was in the middle" \
				grep -q online-reencrypt <(cryptsetup luksDump "$device")
			both_open "$resilience, begun by $(basename "$program")" "$other" "$program"
			check "the rest is done by $(basename "$other")" \
				"$other" reencrypt -q --resume-only "${key[@]}" "$device"
			check "it opens afterwards" opens "$MORTISE"
			check_equal "with one target" "$(cat "$work/targets")" 1
		done
	done
}

half_done() {
	new_volume "$@"
	"$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --init-only --sector-size 4096 \
		--force-offline-reencrypt "$device"
	killed 30 "$MORTISE" reencrypt -q "${key[@]}" --hotzone-size 1M "$device"
}

# Encryption in place and decryption, which move the data: 24 MiB of 40.
test_moved() {
	local program other header=$work/header

	# cryptsetup makes a temporary file.
	cd "$work"

	for program in "$MORTISE" cryptsetup; do
		other=cryptsetup
		[[ $program != cryptsetup ]] || other=$MORTISE
		device=$(blank_device 40)
		head -c 24M /dev/urandom >"$work/plain"
		dd if="$work/plain" of="$device" bs=1M conv=fsync status=none
		sum=$(sum_of "$work/plain")
		check "it begins, and is open" "$program" reencrypt -q "${cheap[@]}" "${key[@]}" --encrypt \
			--init-only --reduce-device-size 16M "$device" v
		check_equal "the mapping has the data" "$(sum_of /dev/mapper/v)" "$sum"
		check "close" "$program" close v
		both_open "encryption by $(basename "$program"), begun" "$other" "$program"
		killed 12 "$program" reencrypt -q --resume-only --hotzone-size 1M "${key[@]}" "$device"
		both_open "encryption by $(basename "$program"), killed" "$other" "$program"
		check "the rest is done by $(basename "$other")" \
			"$other" reencrypt -q --resume-only "${key[@]}" "$device"
		"$program" open "${key[@]}" "$device" v
		check_equal "encrypted" "$(head -c 24M /dev/mapper/v | sha256sum)" "$sum"
		sum=$(sum_of /dev/mapper/v)
		"$program" close v
		rm -f "$header"
		"$program" reencrypt -q --decrypt --init-only --header "$header" "${key[@]}" "$device"
		both_open "decryption by $(basename "$program"), begun" "$other" "$program" \
			--header "$header"
		killed 6 "$program" reencrypt -q --resume-only --header "$header" "${key[@]}" "$device"
		both_open "decryption by $(basename "$program"), killed" "$other" "$program" \
			--header "$header"
		check "the rest is done by $(basename "$other")" \
			"$other" reencrypt -q --resume-only --header "$header" "${key[@]}" "$device"
		check "decrypted" cmp -n 25165824 "$work/plain" "$device"
	done
}

# A plain device is encrypted while its mapping is in use.
test_encrypt() {
	device=$(blank_device 40)
	head -c 24M /dev/urandom >"$work/plain"
	dd if="$work/plain" of="$device" bs=1M conv=fsync status=none
	sum=$(sum_of "$work/plain")
	check "it begins, and is open" "$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --encrypt \
		--init-only --reduce-device-size 16M "$device" v
	check_match "status of a mapping that is still plain" "$("$MORTISE" status v)" \
		'*type:    LUKS2*reencryption:  in-progress*done:    0 of *'
	for part in {0..39}; do
		dd if="$work/plain" of=/dev/mapper/v bs=64k count=3 seek=$((part * 5)) \
			skip=$((part * 5)) conv=fsync,notrunc status=none
	done &
	check "it is encrypted online, by the name of the mapping" \
		"$MORTISE" reencrypt -q --resume-only "${key[@]}" --hotzone-size 1M --active-name v
	wait $!
	check_equal "the mapping keeps its data and its size" "$(sum_of /dev/mapper/v)" "$sum"
	check_equal "with one target" "$(dmsetup table v | wc -l)" 1
	check "close" "$MORTISE" close v
	check "cryptsetup opens it" cryptsetup open "${key[@]}" "$device" v
	check_equal "the data is there" "$(head -c 24M /dev/mapper/v | sha256sum)" "$sum"
	cryptsetup close v
}

test_verbs() {
	new_volume --sector-size 512
	check_status 1 "larger sectors offline" \
		"$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --sector-size 1024 "$device"
	check_status 1 "larger sectors offline, with --init-only" "$MORTISE" reencrypt -q \
		"${cheap[@]}" "${key[@]}" --init-only --sector-size 4096 "$device"
	check_fails "the header has no requirement" in_reencryption
	half_done --sector-size 512
	check "--test-passphrase" "$MORTISE" open "${key[@]}" --test-passphrase "$device"
	check_status 2 "a wrong passphrase" "$MORTISE" open --key-file "$work/wrong" "$device" v
	check_status 2 "a wrong passphrase is tested" \
		"$MORTISE" open --test-passphrase --key-file "$work/wrong" "$device"
	head -c 64 /dev/urandom >"$work/volume_key"
	check_status 1 "a volume key is refused" \
		"$MORTISE" open --volume-key-file "$work/volume_key" "$device" v
	check_match "by name" \
		"$("$MORTISE" open --volume-key-file "$work/volume_key" "$device" v 2>&1)" \
		'*two volume keys*passphrase*'
	check_fails "a token is refused" "$MORTISE" open --token-only "$device" v
	check "open" "$MORTISE" open "${key[@]}" --allow-discards "$device" v
	check_match "status" "$("$MORTISE" status v)" '*reencryption:  in-progress*done: *of*%*discards*'
	cryptsetup status v >"$work/theirs"
	"$MORTISE" status v | grep -v '^  done:' >"$work/ours"
	check "status is that of cryptsetup" diff "$work/ours" "$work/theirs"
	check_fails "resize is refused" "$MORTISE" resize --size 8192 "${key[@]}" v
	check_fails "refresh is refused" "$MORTISE" refresh "${key[@]}" v
	check_fails "luksSuspend is refused" "$MORTISE" luksSuspend v
	check_equal "the mapping is active" "$(dmsetup info -c --noheadings -o suspended v)" Active
	check_status 5 "reencrypt of a device in use" \
		"$MORTISE" reencrypt -q --resume-only --force-offline-reencrypt "${key[@]}" "$device"
	check_equal "the data is there" "$(sum_of /dev/mapper/v)" "$sum"
	check "close" "$MORTISE" close v
	check "read-only" "$MORTISE" open "${key[@]}" --readonly "$device" v
	check_match "status shows it" "$("$MORTISE" status v)" '*mode:    readonly*'
	"$MORTISE" close v
	check "with the keys in the table" "$MORTISE" open "${key[@]}" --disable-keyring "$device" v
	check_equal "no key is in the keyring" "$(dmsetup table --showkeys v | grep -c logon)" 0
	"$MORTISE" close v
	exec 9>"/run/cryptsetup/LN_LUKS2-reencryption-$(cryptsetup luksUUID "$device")"
	flock 9
	check_status 5 "while another process re-encrypts" "$MORTISE" open "${key[@]}" "$device" v
	exec 9>&-
}

# The digest binds all that describes the reencryption.
test_forged() {
	local member

	for member in '.area.hash = "sha512"' '.area.sector_size = 8192' '.area.hash = "sha1"'; do
		half_done
		dd if="$device" bs=4096 skip=1 count=3 status=none | tr -d '\0' |
			jq -cj "(.keyslots[] | select(.type == \"reencrypt\"))$member" >"$work/forged"
		"$(dirname "$MORTISE")/tests/forge" "$device" <"$work/forged"
		check_status 1 "a forged state is not opened: $member" \
			"$MORTISE" open "${key[@]}" "$device" v
		check_match "the reason" "$("$MORTISE" open "${key[@]}" "$device" v 2>&1)" \
			'*invalid*'
		check_fails "nor tested" "$MORTISE" open --test-passphrase "${key[@]}" "$device"
	done
}

test_online() {
	local options

	for options in "--resilience checksum" "--resilience journal --sector-size 4096" \
		"--resilience none --cipher aes-cbc-essiv:sha256 --key-size 256" \
		"--keep-key --sector-size 1024 --active-name /dev/mapper/v"; do
		new_volume --sector-size 512
		[[ $options == *--active-name* ]] || options+=" $device"
		"$MORTISE" open "${key[@]}" --allow-discards "$device" v
		start_writer
		# shellcheck disable=SC2086
		check "online: $options" online $options
		check "one target is left, and no helper" plain_mapping 1
		check_match "the flags are as before" "$(dmsetup table v)" '*:logon:*allow_discards*'
		stop_writer
		check "the file system is intact" intact
		check_fails "the header has no requirement" grep -q online-reencrypt \
			<(cryptsetup luksDump "$device")
		sum=$(sum_of /dev/mapper/v)
		"$MORTISE" close v
		check "cryptsetup opens it" opens cryptsetup
	done
}

# A mapping that is smaller than its volume: the rest would be lost. cryptsetup does not ask.
test_part() {
	new_volume --sector-size 512
	"$MORTISE" open "${key[@]}" "$device" v
	"$MORTISE" resize "${key[@]}" --size 8192 v
	sum=$(sum_of /dev/mapper/v)
	check_status 1 "a part of the volume is mapped" online "$device"
	check_fails "nothing has begun" in_reencryption
	ln -s "$MORTISE" "$work/cryptsetup"
	check "as cryptsetup" "$work/cryptsetup" reencrypt -q "${cheap[@]}" "${key[@]}" "$device"
	check_match "the mapping keeps its size" "$(dmsetup table v)" "0 8192 crypt *"
	check_equal "the data is there" "$(sum_of /dev/mapper/v)" "$sum"
	"$MORTISE" close v
	cryptsetup open "${key[@]}" "$device" v
	check_equal "cryptsetup reads it" "$(head -c 4M /dev/mapper/v | sha256sum)" "$sum"
	cryptsetup close v
}

# Two devices are open with one header file, whose key is then replaced for one of them.
test_other_key() {
	local header=$work/header first second option

	for option in '' --disable-keyring; do
		rm -f "$header"
		first=$(blank_device 4)
		second=$(blank_device 4)
		cryptsetup luksFormat -q --type luks2 "${cheap[@]}" "${key[@]}" --header "$header" "$first"
		"$MORTISE" open "${key[@]}" ${option:+"$option"} --header "$header" "$first" v
		"$MORTISE" open "${key[@]}" ${option:+"$option"} --header "$header" "$second" w 2>/dev/null ||
			cryptsetup open "${key[@]}" ${option:+"$option"} --header "$header" "$second" w
		check "${option:-keyring}: the first one is re-encrypted" \
			"$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --header "$header" --active-name v
		check_status 1 "the second one has another key" said "$MORTISE" reencrypt -q "${cheap[@]}" \
			"${key[@]}" --header "$header" --active-name w
		check "it says so" says "close it first"
		check_fails "nothing has begun" grep -q online-reencrypt <(cryptsetup luksDump "$header")
		cryptsetup close v
		cryptsetup close w
	done
}

decrypt() {
	"$MORTISE" reencrypt -q "${key[@]}" --decrypt --hotzone-size 512K --header "$@"
}

# A header file in a file system in a file in the volume.
stacked() {
	mib=64 new_volume --sector-size 512
	"$MORTISE" open "${key[@]}" "$device" v
	mkfs.ext2 -qF /dev/mapper/v
	mkdir -p "$work/mnt" "$work/stacked"
	mount /dev/mapper/v "$work/mnt"
	truncate -s 24M "$work/mnt/file"
	mkfs.ext2 -qF "$work/mnt/file"
	mount -o loop "$work/mnt/file" "$work/stacked"
	check_match "the header file would be in a file system in the volume" \
		"$(decrypt "$work/stacked/header" "$device" 2>&1)" "*is in the volume v itself*"
	check_fails "it is not left there" test -e "$work/stacked/header"
	umount "$work/stacked" "$work/mnt"
	"$MORTISE" close v
}

# The header of a volume in use moves to a file, the data to the start of the device.
test_decrypt() {
	local number last header=$work/moved begun=0 unbegun=0

	stacked
	new_volume --sector-size 512
	"$MORTISE" open "${key[@]}" "$device" v
	start_writer
	check_status 1 "the header file would be in the volume" decrypt "$work/mnt/header" "$device"
	check_fails "it is not left there" test -e "$work/mnt/header"
	rm -f "$header"
	check "the device has its header" "$MORTISE" isLuks "$device"
	check "it is decrypted online" decrypt "$header" "$device"
	check_match "the mapping is plain" "$(dmsetup table v)" "0 $((mib * 2048)) linear *"
	stop_writer
	umount "$work/mnt"
	check_fails "the mapping ends with its last use" "$MORTISE" status v
	echo 1 >/proc/sys/vm/drop_caches
	e2fsck -fn "$device" >"$work/out" 2>&1 || touch "$work/bad"
	mount -o ro "$device" "$work/mnt"
	sha256sum --quiet -c "$work/still.sum" || touch "$work/bad"
	for n in "$work/mnt"/f*; do
		cmp "$n" "$work/copy${n##*f}" || touch "$work/bad"
	done
	umount "$work/mnt"
	check_fails "the file system is intact" test -e "$work/bad"

	# All data is moved ahead.
	mib=1 new_volume --sector-size 512
	rm -f "$header"
	"$MORTISE" open "${key[@]}" "$device" v
	check "a small volume: it begins" decrypt "$header" --init-only "$device"
	check_equal "the mapping has its data" "$(sum_of /dev/mapper/v)" "$sum"
	"$MORTISE" close v
	check "cryptsetup opens it" opens cryptsetup --header "$header"
	check "it ends" decrypt "$header" "$device"
	check_equal "the data is there" "$(head -c 1M "$device" | sha256sum)" "$sum"

	# Killed while it began: I/O waits until another process goes on, or the mapping is resumed.
	new_volume --sector-size 512
	rm -f "$header"
	"$MORTISE" open "${key[@]}" "$device" v
	strace -f -qq -o "$work/writes" -e trace=pwrite64 "$MORTISE" reencrypt -q "${key[@]}" \
		--decrypt --init-only --header "$header" "$device"
	check "it has begun" in_reencryption "$header"
	check_equal "the mapping has its data" "$(sum_of /dev/mapper/v)" "$sum"
	"$MORTISE" close v
	last=$(grep -c pwrite64 "$work/writes")
	for number in 9 $((last - 3)) $((last - 1)) "$last"; do
		new_volume --sector-size 512
		rm -f "$header"
		"$MORTISE" open "${key[@]}" "$device" v
		killed $number "$MORTISE" reencrypt -q "${key[@]}" --decrypt --init-only \
			--header "$header" "$device"
		if [[ -e $header ]] && in_reencryption "$header"; then
			begun=$((begun + 1))
			check "killed at write $number: it goes on" decrypt "$header" "$device"
			check_equal "the data is there" "$(head -c ${mib}M "$device" | sha256sum)" "$sum"
			continue
		fi
		unbegun=$((unbegun + 1))
		dmsetup resume v
		check_equal "killed at write $number: the mapping has its data" \
			"$(sum_of /dev/mapper/v)" "$sum"
		"$MORTISE" close v
		"$MORTISE" isLuks "$device" || set -- --header "$header"
		check "cryptsetup opens it" opens cryptsetup "$@"
		set --
	done
	check "both cases occur" test "$begun" -gt 0 -a "$unbegun" -gt 0
}

# A signal stops it at the end of a zone. Each program opens the volume, and continues.
test_signal() {
	local other=cryptsetup

	new_volume --sector-size 512
	"$MORTISE" open "${key[@]}" "$device" v
	start_writer
	signal=INT killed 40 "$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --hotzone-size 256K "$device"
	check "it says so" grep -q "Reencryption interrupted." "$work/out"
	check "the reencryption is in progress" in_reencryption
	check "there are two targets, and no helper" plain_mapping 2
	check_match "status" "$("$MORTISE" status v)" '*in-progress*done: *'
	check "mortise continues" online "$device"
	check "there is one target, and no helper" plain_mapping 1
	stop_writer
	check "the file system is intact" intact
	sum=$(sum_of /dev/mapper/v)

	killed 30 "$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --hotzone-size 256K "$device"
	"$MORTISE" close v
	check "close removes the helper" test "$(helpers)" = 0
	check "$other opens it" cryptsetup open "${key[@]}" "$device" v
	check_equal "the data is there" "$(sum_of /dev/mapper/v)" "$sum"
	check "$other continues online" cryptsetup reencrypt -q --resume-only "${key[@]}" \
		--hotzone-size 512K --active-name v "$device"
	check_equal "the data is there" "$(sum_of /dev/mapper/v)" "$sum"
	cryptsetup reencrypt -q "${cheap[@]}" "${key[@]}" --init-only --active-name v "$device"
	check "what $other began is done by mortise" online --resume-only "$device"
	check_equal "the data is there" "$(sum_of /dev/mapper/v)" "$sum"
	"$MORTISE" close v
}

# Killed at a write, with the mapping in use, and continued without a reboot, or after one.
test_kill() {
	local number resilience

	for number in 19 20 21 22 23 24 25; do
		resilience=checksum
		[[ $((number % 2)) == 0 ]] || resilience=journal
		new_volume
		"$MORTISE" open "${key[@]}" "$device" v
		start_writer
		killed $number "$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" \
			--resilience $resilience --hotzone-size 1M "$device"
		check "killed at write $number: it was in the middle" in_reencryption
		if [[ $((number % 3)) == 0 ]]; then
			check "the mapping is repaired offline, after a reboot" reboot
			check "it is opened" "$MORTISE" open "${key[@]}" "$device" v
			check "fsck" e2fsck -fp /dev/mapper/v
			mount /dev/mapper/v "$work/mnt"
			check "the file that was not written" sha256sum --quiet -c "$work/still.sum"
			umount "$work/mnt"
		else
			check "it is repaired and continued online" online --resume-only "$device"
			stop_writer
			check "the file system is intact" intact
			check "one target is left, and no helper" plain_mapping 1
		fi
		"$MORTISE" close v
	done
}

# errors KIND: the disk has errors of this kind (read, write) in its second half, or none.
errors() {
	local half=$((mib * 1024))

	case $1 in
	none) echo "0 $((2 * half)) linear $loop 0" ;;
	read) printf '%s\n' "0 $half linear $loop 0" "$half $half error" ;;
	write) printf '%s\n' "0 $half linear $loop 0" \
		"$half $half flakey $loop $half 0 1 1 error_writes" ;;
	esac | dmsetup load disk
	dmsetup suspend --noflush --nolockfs disk
	dmsetup resume disk
}

# A disk with errors: the mapping goes on after a read error, and not with a torn zone. The header is
# elsewhere.
test_errors() {
	local kind options=(--header "$work/header")

	loop=$(blank_device $mib)
	dmsetup create disk --table "0 $((mib * 2048)) linear $loop 0"
	dmsetup mknodes disk
	device=/dev/mapper/disk
	for kind in read write; do
		rm -f "$work/header"
		"$MORTISE" luksFormat -q "${cheap[@]}" "${key[@]}" "${options[@]}" "$device"
		"$MORTISE" open "${key[@]}" "${options[@]}" "$device" v
		head -c ${mib}M /dev/urandom >/dev/mapper/v
		sum=$(sum_of /dev/mapper/v)
		"$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --init-only "${options[@]}" "$device"
		errors $kind
		check_fails "a $kind error" online --resume-only "${options[@]}" "$device"
		if [[ $kind == read ]]; then
			check "there are two targets, and no helper" plain_mapping 2
		else
			check_match "the zone fails" "$(dmsetup table v-hotzone-forward)" '*error*'
			check_fails "it cannot be read" sum_of /dev/mapper/v
			check "the rest can" dd if=/dev/mapper/v of=/dev/null bs=1M skip=7 status=none
		fi
		errors none
		check "after the errors it is continued online" \
			online --resume-only "${options[@]}" "$device"
		check "there is one target, and no helper" plain_mapping 1
		check_equal "the data is there" "$(sum_of /dev/mapper/v)" "$sum"
		"$MORTISE" close v
	done
	dmsetup remove disk
}

topics=(open moved encrypt verbs forged online part other_key decrypt signal kill errors)
for topic in "${@:-${topics[@]}}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
