#!/usr/bin/env bash
# Debian's cryptdisks opens what /etc/crypttab lists, with cryptsetup and with mortise in its place:
# each entry ends the same way and gives the same mapping. Runs in a guest: see tests/guest/cryptdisks.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
package=$1

# The scripts are where Debian has them. They call /sbin/cryptsetup, which becomes the program under
# test.
mount -t overlay -o "lowerdir=$package/lib:/usr/lib" overlay /usr/lib
cp "$(command -v cryptsetup)" "$work/theirs"
programs="$work/theirs $(command -v "$MORTISE")"
export DM_DISABLE_UDEV=1 TABFILE=$work/crypttab TERM=dumb
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)

printf 'the passphrase' >"$work/key"
printf 'no passphrase' >"$work/wrong"
head -c 16 /dev/zero | tr '\\0' k >"$work/short"
printf '12345the passphrase67' >"$work/long"
printf '#!/bin/sh\nprintf "the passphrase"\n' >"$work/script"
chmod 700 "$work/script"
chmod 600 "$work/short" "$work/key" "$work/wrong" "$work/long"
disk=$(blank_device 32)
plain=$(blank_device 32)
old=$(blank_device 32)
detached=$(blank_device 32)
"$work/theirs" luksFormat -q --type luks2 "${cheap[@]}" "$disk" "$work/key"
"$work/theirs" luksAddKey -q "${cheap[@]}" -S 1 -d "$work/key" "$disk" "$work/key"
"$work/theirs" luksFormat -q --type luks1 "${cheap[@]}" "$old" "$work/key"
"$work/theirs" luksFormat -q --type luks2 "${cheap[@]}" --header "$work/header" "$detached" "$work/key"
uuid=$("$work/theirs" luksUUID "$disk")

cat >"$TABFILE" <<END
luks	$disk	$work/key	luks
detected	$disk	$work/key	loud
by-uuid	UUID=$uuid	$work/key	luks
discard	$disk	$work/key	luks,discard
readonly	$disk	$work/key	luks,readonly
slot	$disk	$work/key	luks,keyslot=1
no-slot	$disk	$work/key	luks,keyslot=5
part-of-file	$disk	$work/long	luks,keyfile-offset=5,keyfile-size=14
perf	$disk	$work/key	luks,same-cpu-crypt,submit-from-crypt-cpus
queues	$disk	$work/key	luks,no-read-workqueue,no-write-workqueue
script	$disk	none	luks,keyscript=$work/script
header	$detached	$work/key	luks,header=$work/header
header-only	$detached	$work/key	header=$work/header
wrong	$disk	$work/wrong	luks
missing	/dev/missing	$work/key	luks
no-key	$disk	$work/nothing	luks
not-luks	$plain	$work/key	luks
checked	$disk	$work/key	luks,check=blkid
luks1	$old	$work/key	luks
luks1-detected	$old	$work/key	noearly
swap	$plain	/dev/urandom	plain,swap,cipher=aes-xts-plain64,size=256
tmp	$plain	/dev/urandom	plain,tmp=ext4,cipher=aes-xts-plain64,size=512
plain	$plain	$work/short	plain,cipher=aes-cbc-essiv:sha256,size=128
plain-size	$plain	$work/key	plain,cipher=aes-cbc-essiv:sha256,size=112
plain-script	$plain	none	plain,keyscript=$work/script,hash=sha256,cipher=aes-cbc-essiv:sha256,size=256
plain-ripemd	$plain	none	plain,keyscript=$work/script,hash=ripemd160,cipher=aes-cbc-essiv:sha256,size=256
plain-offset	$plain	/dev/urandom	plain,swap,cipher=aes-xts-plain64,size=256,offset=2048,skip=8
plain-sector	$plain	/dev/urandom	plain,swap,cipher=aes-xts-plain64,size=256,sector-size=4096
plain-readonly	$plain	none	plain,keyscript=$work/script,hash=sha512,cipher=aes-xts-plain64,size=256,readonly
END

# seen NAME KEY: the exit status of cryptdisks_start, the mapping that it made with its key unless that
# is random, what is in it, and whether cryptdisks_stop removes it.
seen() {
	local status=0 show=--showkeys

	[[ $2 != /dev/urandom ]] || show=--

	"$package/sbin/cryptdisks_start" "$1" >"$work/output" 2>&1 || status=$?
	echo "start $status"
	dmsetup table "$show" "$1" 2>/dev/null || echo "no mapping"
	dmsetup info -c --noheadings -o name,attr,uuid "$1" 2>/dev/null |
		sed 's/\(CRYPT-[A-Z0-9]*\)-.*/\1/'
	[[ ! -b /dev/mapper/$1 ]] || blkid -p -o value -s TYPE "/dev/mapper/$1" || echo "no contents"
	status=0
	"$package/sbin/cryptdisks_stop" "$1" >>"$work/output" 2>&1 || status=$?
	echo "stop $status"
	dmsetup info "$1" >/dev/null 2>&1 && dmsetup remove "$1" && echo "not removed"
	wipefs -qa "$plain" 2>/dev/null || true
}

rm -f "$work"/with.*
good=0
count=0
for program in $programs; do
	mount --bind "$program" /usr/sbin/cryptsetup
	while IFS=$'\t' read -r name _ key _; do
		seen "$name" "$key" >"$work/with.${program##*/}.$name" || true
		cp "$work/output" "$work/output.${program##*/}.$name"
	done <"$TABFILE"
	umount /usr/sbin/cryptsetup
done
while IFS=$'\t' read -r name _; do
	count=$((count + 1))
	theirs=$(<"$work/with.theirs.$name")
	ours=$(<"$work/with.${MORTISE##*/}.$name")
	[[ $theirs != "$ours" ]] || good=$((good + 1))
	check_equal "cryptdisks_start and cryptdisks_stop: $name ($(head -n 1 <<<"$theirs"))" "$ours" "$theirs"
	[[ $theirs == "$ours" ]] || cat "$work/output.${MORTISE##*/}.$name"
done <"$TABFILE"
echo "$good of $count entries as with cryptsetup"
finish
