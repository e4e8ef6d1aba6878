#!/bin/sh
# SPDX-License-Identifier: MIT
# reset on files: after it nothing of header and keys is left in the whole image, libblkid finds
# nothing, and plan takes the device for empty. cryptsetup makes what is wiped.
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

# As on a disk that cannot discard, which would hide what was not overwritten.
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

volume() { # image MIB [OPTION]...: slots 0 and 31
	image=$1
	truncate -s "$2M" "$image"
	shift 2
	"$referee" luksFormat -q --type luks2 $cheap --key-file key "$@" "$image" &&
		"$referee" luksAddKey -q $cheap --key-file key -S 31 "$image" key
}

# left OLD NEW: how many blocks of 512 bytes that are not all zero are in OLD and, wherever, in NEW.
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

# wiped IMAGE DESCRIPTION: nothing is found, and both ends are zero.
wiped() {
	! blkid -p "$1" >out 2>&1
	result $? "$2: libblkid finds nothing"
	[ "$( (head -c 1048576 "$1" && tail -c 1048576 "$1") | tr -d '\0' | wc -c)" = 0 ]
	result $? "$2: both ends are zero"
	plan "$1" >out 2>&1
	grep -q "^data *format *$1 .*(empty)" out
	result $? "$2: empty for plan"
}

volume image 40
head -c 16777216 image >header
[ "$(left header image)" -gt 500 ]
result $? "the scan finds what is there before"
exits 0 "reset of a volume" reset image
[ "$(left header image)" = 0 ]
result $? "no block of header and keys is left"
wiped image "a volume"
exits 1 "cryptsetup opens nothing" \
	"$referee" open --test-passphrase --key-file key image
"$referee" repair -q image >out 2>&1
exits 1 "nor when it has repaired" "$referee" open --test-passphrase --key-file key image
[ "$(stat -c %s image)" = 41943040 ]
result $? "it is as long as before"
exits 0 "another reset of what is empty" reset image
grep -q '^data *image *40.0 MiB *no *nothing$' out
result $? "which says so"
wiped image "an empty device"

# Talos wipes the first and the last MiB: slots from 4 on stay, and reset takes them.
volume image 40
dd if=/dev/zero of=image bs=1M count=1 conv=notrunc status=none
head -c 16777216 image >header
[ "$(left header image)" -gt 200 ]
result $? "leftovers of a reset by Talos"
exits 0 "are no volume, but are reset" reset image
[ "$(left header image)" = 0 ]
result $? "and gone"
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
	result $? "no block of it is left"
	wiped image "a large header area, damage: $damage"
done

# What else may be there, and devices of a few KiB and up.
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
	# A RAID whose magic is neither in the first 16 MiB nor in the last one: sector 3087 from
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
	result $? "$kind: nothing is left"
	wiped image "$kind"
done
make tiny
exits 0 "reset of 5000 bytes" reset image
[ "$(tr -d '\0' <image | wc -c)" = 0 ]
result $? "all of them are zero"

# With discard, data goes too.
rm image
volume image 40
printf x | dd of=image bs=1 seek=20000000 conv=notrunc status=none
exits 0 "reset with discard" "$MORTISE" reset --yes data --device data=image
[ "$(tr -d '\0' <image | wc -c)" = 0 ]
result $? "takes the data too"
wiped image "discarded"

# --full
rm image
volume image 40
dd if=/dev/urandom of=image bs=1M seek=16 count=24 conv=notrunc status=none
exits 0 "reset --full" reset image --full
[ "$(tr -d '\0' <image | wc -c)" = 0 ]
result $? "all of it is zero"

# Killed in the middle, at a byte beyond which it may not write: marked, and no longer a volume.
volume image 40
head -c 16777216 image >header
(
	ulimit -f 36000
	exec "$MORTISE" reset --yes --full data --device data=image
) >out 2>&1
[ $? -gt 128 ]
result $? "killed while it overwrites everything"
plan image >out 2>&1
grep -q '^data *refuse *image .*: a reset of it was cut off; `mortise reset u-data --device u-data=image` finishes it$' out
result $? "plan refuses, and says what finishes it"
exits 1 "isLuks says no" "$MORTISE" isLuks image
"$referee" repair -q image >out 2>&1
exits 1 "cryptsetup opens nothing" "$referee" open --test-passphrase --key-file key image
[ "$(left header image)" = 0 ]
result $? "the keys are gone already"
exits 0 "another reset" reset image
grep -q '^data *image *40.0 MiB *no *an interrupted reset$' out
result $? "says what it is"
wiped image "after another reset"

# What a header knew of its size stands in the mark.
volume image 60 --luks2-keyslots-size 32M --luks2-metadata-size 4M --offset 81920
head -c 41943040 image >header
(
	ulimit -f 32768
	exec "$MORTISE" reset --yes data --device data=image
) >out 2>&1
[ "$(left header image)" -gt 100 ]
result $? "killed while it overwrites the keys of a large header area"
exits 1 "which is no LUKS any more" "$MORTISE" isLuks image
exits 0 "another reset" reset image
[ "$(left header image)" = 0 ]
result $? "knows how far they went"

# STATE: its encryption goes from META, and nothing else does. META that cannot be read is told
# before anything is wiped.
truncate -s 1M meta
printf '{"provider":"luks2"}' | "$MORTISE" meta set 9 --device META=meta
printf kept | "$MORTISE" meta set 200 --device META=meta
volume image 20
exits 0 "reset of STATE" "$MORTISE" reset -q STATE --device STATE=image --device META=meta
[ ! -s out ]
result $? "-q says nothing"
[ "$("$MORTISE" meta get 200 --device META=meta)" = kept ]
result $? "other tags of META stay"
exits 1 "its encryption is gone from META" "$MORTISE" meta get 9 --device META=meta
volume image 20
cp image before
truncate -s 1000 bad
exits 4 "META that cannot be read" \
	"$MORTISE" reset --yes STATE --device STATE=image --device META=bad
cmp -s image before
result $? "nothing was changed"

# Refused, and nothing changed.
says 1 "mortise: Nobody is there to ask: --yes says that it is meant." "nobody to ask" \
	"$MORTISE" reset data --device data=image
says 1 "mortise: a device is given for \"date\", which is not to be reset" "a slip" \
	"$MORTISE" reset --yes data --device data=image --device date=header
says 1 "mortise: data and u-data are the same: ./image" "the same twice" \
	"$MORTISE" reset --yes data u-data --device data=image --device u-data=./image
exits 1 "META" "$MORTISE" reset --yes META --device META=image
exits 4 "no such device" "$MORTISE" reset --yes data --device data=nowhere
exits 4 "a label that is not there" "$MORTISE" reset --yes no-such-volume
exits 4 "a directory" "$MORTISE" reset --yes data --device data=/
exits 1 "a path is no name" "$MORTISE" reset --yes ../x --device ../x=image
exits 1 "one that is not there among others" \
	"$MORTISE" reset --yes data EFI/x --device data=image --device EFI/x=header
chmod a-w image
[ "$(id -u)" = 0 ] || exits 4 "no permission to write" reset image
cmp -s image before
result $? "none of these has changed it"
exits 1 "as cryptsetup there is no such verb" as/cryptsetup reset --yes data
finish
