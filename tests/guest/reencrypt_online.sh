#!/usr/bin/env bash
# Volumes in reencryption: opened half done, after interruptions, by each program.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
key=(--key-file "$work/key")
mib=12

printf 'the passphrase' >"$work/key"
printf 'another one' >"$work/wrong"

# new_volume OPTION...: format a device, and fill the volume with random data, whose checksum is $sum.
new_volume() {
	device=$(blank_device $((mib + 16)))
	cryptsetup luksFormat -q --type luks2 "${cheap[@]}" "${key[@]}" "$@" "$device"
	cryptsetup open "${key[@]}" "$device" v
	head -c ${mib}M /dev/urandom >/dev/mapper/v
	sum=$(sum_of /dev/mapper/v)
	cryptsetup close v
}

sum_of() {
	sha256sum <"$1"
}

# killed NUMBER PROGRAM ARGUMENT...: killed at this write.
killed() {
	local number=$1 call=pwrite64
	shift
	[[ $1 != cryptsetup ]] || call='write'
	# A shell of its own, so that the signal is not reported.
	(! strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when="$number" \
		"$@") >"$work/out" 2>&1
}

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
	"$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --init-only --sector-size 4096 "$device"
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

test_verbs() {
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

	for member in '.area.hash = "sha512"' '.direction = "backward"' '.area.hash = "sha1"'; do
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

topics=(open moved verbs forged)
for topic in "${@:-${topics[@]}}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
