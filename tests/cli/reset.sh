#!/bin/sh
# SPDX-License-Identifier: MIT
# reset on files that cryptsetup formatted: afterwards no part of header and keys is left anywhere
# in the image, libblkid finds no signature, and plan treats the device as empty.
. "$(dirname "$(realpath "$0")")/lib.sh"

need_referee
if [ ! -w /run ]; then
	echo "skipped: /run is not writable"
	exit 77
fi
printf secret >key
cat >config.yaml <<'YAML'
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
encryption:
  provider: luks2
  keys:
    - {slot: 0, static: {passphrase: secret}}
---
apiVersion: v1alpha1
kind: VolumeConfig
name: STATE
YAML

# As on a disk without discard: discarding would hide blocks that were not overwritten.
cannot_discard="strace -f -qq -o trace -e trace=fallocate -e inject=fallocate:error=EOPNOTSUPP"
$cannot_discard true 2>/dev/null || cannot_discard=

reset() { # image [OPTION]...
	image=$1
	shift
	ASAN_OPTIONS=detect_leaks=0 $cannot_discard \
		"$MORTISE" reset --yes data --device data="$image" "$@"
}

plan() { # image
	"$MORTISE" plan -f config.yaml --device data="$1" data
}

volume() { # image MIB [OPTION]...: a volume with keyslots 0 and 31
	image=$1
	truncate -s "$2M" "$image"
	shift 2
	"$referee" luksFormat -q --type luks2 $cheap --key-file key "$@" "$image" &&
		"$referee" luksAddKey -q $cheap --key-file key -S 31 "$image" key
}

# left OLD NEW: prints how many blocks of 512 bytes in NEW, at any position, equal a block in OLD
# that is not all zeros.
left() {
	perl -e '
		$/ = \512;
		open(my $old, "<", $ARGV[0]) or die;
		open(my $new, "<", $ARGV[1]) or die;
		while (<$old>) { $seen{$_} = 1 if /[^\0]/ }
		while (<$new>) { $count++ if $seen{$_} }
		print $count + 0;
	' "$1" "$2"
}

# wiped IMAGE DESCRIPTION: libblkid finds nothing, both ends are zero, and plan sees an empty
# device.
wiped() {
	! blkid -p "$1" >out 2>&1
	result $? "$2: libblkid finds nothing"
	[ "$( (head -c 1048576 "$1" && tail -c 1048576 "$1") | tr -d '\0' | wc -c)" = 0 ]
	result $? "$2: both ends are zero"
	plan "$1" >out 2>&1
	# Without STATE, whose list may have the volume, it is not formatted.
	grep -q "^data *wait *$1 .* is empty, and STATE" out
	result $? "$2: plan sees an empty device"
}

volume image 40
head -c 16777216 image >header
[ "$(left header image)" -gt 500 ]
result $? "before the reset, the scan finds header and keys"
exits 0 "reset of a volume" reset image
[ "$(left header image)" = 0 ]
result $? "no block of header or keys is left"
wiped image "a volume"
exits 1 "cryptsetup opens nothing" \
	"$referee" open --test-passphrase --key-file key image
"$referee" repair -q image >out 2>&1
exits 1 "nor after cryptsetup repair" "$referee" open --test-passphrase --key-file key image
[ "$(stat -c %s image)" = 41943040 ]
result $? "the size is unchanged"
exits 0 "reset of the empty device" reset image
grep -q '^data *image *40.0 MiB *no *nothing$' out
result $? "reset lists it as empty"
wiped image "an empty device"

# Talos wipes only the first and the last MiB, which leaves the keyslots from 4 on. reset must wipe
# them.
volume image 40
dd if=/dev/zero of=image bs=1M count=1 conv=notrunc status=none
head -c 16777216 image >header
[ "$(left header image)" -gt 200 ]
result $? "a reset by Talos leaves key material"
exits 0 "reset of the leftovers, which are not a volume" reset image
[ "$(left header image)" = 0 ]
result $? "no block of the leftovers is left"
wiped image "leftovers"

# A header area of more than 16 MiB, also when only its metadata is damaged.
for damage in none json; do
	volume image 60 --luks2-keyslots-size 32M --luks2-metadata-size 4M --offset 81920
	head -c 41943040 image >header
	if [ $damage = json ]; then
		printf x | dd of=image bs=1 seek=4100 conv=notrunc status=none
		printf x | dd of=image bs=1 seek=4198500 conv=notrunc status=none
	fi
	exits 0 "a large header area, damage: $damage" reset image
	[ "$(left header image)" = 0 ]
	result $? "no block of the header area is left"
	wiped image "a large header area, damage: $damage"
done

# Other contents, and small devices.
make() { # kind
	case $1 in
	erased) volume image 20 && "$referee" erase -q image ;;
	second) volume image 20 && dd if=/dev/zero of=image bs=4096 count=4 conv=notrunc status=none ;;
	first) volume image 20 && dd if=/dev/zero of=image bs=4096 seek=4 count=4 conv=notrunc status=none ;;
	luks1) "$referee" luksFormat -q --type luks1 --pbkdf-force-iterations 1000 image key ;;
	ext4) mkfs.ext4 -qF image ;;
	swap) mkswap image ;;
	noise) head -c 20971520 /dev/urandom >image ;;
	gpt) printf 'label: gpt\n,8M\n' | sfdisk -q image ;;
	# A RAID whose magic is outside the first 16 MiB and the last 1 MiB: in sector 3087 from
	# the end.
	raid) printf 'Promise Technology, Inc.' |
		dd of=image bs=512 seek=$((40960 - 3087)) conv=notrunc status=none ;;
	small) truncate -s 0 image && truncate -s 1500000 image && mkfs.ext4 -qF image ;;
	tiny) head -c 5000 /dev/urandom >image ;;
	esac >/dev/null 2>&1
}

for kind in erased second first luks1 ext4 swap noise gpt raid small; do
	rm -f image
	truncate -s 20M image
	make $kind
	head -c 16777216 image >header
	exits 0 "reset of $kind" reset image
	sed -n 2p out | sed 's/^/# /'
	[ "$(left header image)" = 0 ]
	result $? "$kind: no block is left"
	wiped image "$kind"
done
make tiny
exits 0 "reset of 5000 bytes" reset image
[ "$(tr -d '\0' <image | wc -c)" = 0 ]
result $? "all bytes are zero"

# With discard, the data is erased too.
rm image
volume image 40
printf x | dd of=image bs=1 seek=20000000 conv=notrunc status=none
exits 0 "reset with discard" "$MORTISE" reset --yes data --device data=image
[ "$(tr -d '\0' <image | wc -c)" = 0 ]
result $? "the data is erased too"
wiped image "discarded"

# --full
rm image
volume image 40
dd if=/dev/urandom of=image bs=1M seek=16 count=24 conv=notrunc status=none
exits 0 "reset --full" reset image --full
[ "$(tr -d '\0' <image | wc -c)" = 0 ]
result $? "all bytes are zero"

# The file size limit kills the process in the middle of the reset. The device must be marked as
# being reset, and no longer be a volume.
volume image 40
head -c 16777216 image >header
(
	ulimit -f 36000
	exec "$MORTISE" reset --yes --full data --device data=image
) >out 2>&1
[ $? -gt 128 ]
result $? "killed while overwriting the whole device"
plan image >out 2>&1
grep -q '^data *refuse *image .*: a reset was interrupted; to finish it, run `mortise reset u-data --device u-data=image`$' out
result $? "plan refuses, and prints the command that finishes the reset"
exits 1 "isLuks fails" "$MORTISE" isLuks image
"$referee" repair -q image >out 2>&1
exits 1 "cryptsetup opens nothing" "$referee" open --test-passphrase --key-file key image
[ "$(left header image)" = 0 ]
result $? "the keys are wiped already"
exits 0 "second reset" reset image
grep -q '^data *image *40.0 MiB *no *an interrupted reset$' out
result $? "the second reset lists an interrupted reset"
wiped image "after the second reset"

# The mark records the size of the header area.
volume image 60 --luks2-keyslots-size 32M --luks2-metadata-size 4M --offset 81920
head -c 41943040 image >header
(
	ulimit -f 32768
	exec "$MORTISE" reset --yes data --device data=image
) >out 2>&1
[ "$(left header image)" -gt 100 ]
result $? "killed while overwriting the keys of a large header area"
exits 1 "isLuks fails" "$MORTISE" isLuks image
exits 0 "second reset of a large header area" reset image
[ "$(left header image)" = 0 ]
result $? "the second reset wipes the whole header area"

# STATE: reset removes its encryption from META, and nothing else. If META cannot be read, reset
# fails before it wipes anything.
truncate -s 1M meta
printf '{"provider":"luks2"}' | "$MORTISE" meta set 9 --device META=meta
printf kept | "$MORTISE" meta set 200 --device META=meta
volume image 20
exits 0 "reset of STATE" "$MORTISE" reset -q STATE --device STATE=image --device META=meta
[ ! -s out ]
result $? "-q prints nothing"
[ "$("$MORTISE" meta get 200 --device META=meta)" = kept ]
result $? "other tags of META are kept"
exits 1 "the encryption of STATE is removed from META" "$MORTISE" meta get 9 --device META=meta
volume image 20
cp image before
truncate -s 1000 bad
exits 4 "unreadable META" \
	"$MORTISE" reset --yes STATE --device STATE=image --device META=bad
cmp -s image before
result $? "the image is unchanged"

# Requests that fail without changing anything.
says 1 "mortise: not a terminal; use --yes to confirm" "no terminal, no --yes" \
	"$MORTISE" reset data --device data=image
says 1 "mortise: a device is given for \"date\", which is not among the volumes to reset" "a device for a misspelled volume" \
	"$MORTISE" reset --yes data --device data=image --device date=header
says 1 "mortise: data and u-data are the same device: ./image" "the same device twice" \
	"$MORTISE" reset --yes data u-data --device data=image --device u-data=./image
exits 1 "META" "$MORTISE" reset --yes META --device META=image
exits 4 "no such device" "$MORTISE" reset --yes data --device data=nowhere
exits 4 "a missing partition label" "$MORTISE" reset --yes no-such-volume
exits 4 "a directory" "$MORTISE" reset --yes data --device data=/
exits 1 "a path as a name" "$MORTISE" reset --yes ../x --device ../x=image
exits 1 "one invalid name among others" \
	"$MORTISE" reset --yes data EFI/x --device data=image --device EFI/x=header
chmod a-w image
[ "$(id -u)" = 0 ] || exits 4 "no permission to write" reset image
cmp -s image before
result $? "none of these changed the image"
exits 1 "the verb does not exist under the name cryptsetup" as/cryptsetup reset --yes data
finish
