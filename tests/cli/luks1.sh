#!/bin/sh
# SPDX-License-Identifier: MIT
# LUKS1 headers of Debian's cryptsetup 2.6.1: read, print and open; damaged ones are refused.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
need_referee
if has "luks1 no"; then
	truncate -s 4M image
	printf key >key
	"$referee" luksFormat -q --type luks1 --pbkdf-force-iterations 1000 image key || exit 1
	for verb in isLuks luksDump luksUUID; do
		"$MORTISE" $verb image >out 2>err
		grep -q "LUKS1, which this build does not support" err
		result $? "$verb: the build lacks LUKS1"
	done
	exits 0 "isLuks says yes, so that scripts do not format the device" "$MORTISE" isLuks image
	finish
fi

uuid=12345678-1234-1234-1234-123456789abc
printf 'the first key' >key
printf 'the second key' >second
printf 'a wrong key' >wrong

# format OPTION...: ./image with two keyslots, 0 and 5.
format() {
	rm -f image
	truncate -s 8M image
	"$referee" luksFormat -q --type luks1 --uuid $uuid --pbkdf-force-iterations 1000 "$@" \
		image key &&
		"$referee" luksAddKey -q --pbkdf-force-iterations 1000 -d key -S 5 image second ||
		exit 1
}

# Every variant that runs without the kernel's ciphers.
while read -r options; do
	# shellcheck disable=SC2086  # several words
	format $options
	same "$options: dump" luksDump x
	same "$options: the key opens" open --test-passphrase -v x -d key
	same "$options: keyslot 5" open --test-passphrase -v x -d second -S 5
	same "$options: the wrong keyslot" open --test-passphrase -v x -d second -S 0
	same "$options: a wrong key" open --test-passphrase x -d wrong
	same "$options: the volume key" luksDump -q --dump-volume-key x -d second
done <<'LIST'
-c aes-xts-plain64 -s 512 -h sha256
-c aes-xts-plain64 -s 256 -h sha1
-c aes-xts-plain -s 512 -h sha512
-c aes-cbc-essiv:sha256 -s 256 -h ripemd160
-c aes-cbc-plain64 -s 128 -h sha3-256
-c aes-cbc-plain -s 192 -h blake2b-512
-c aes-xts-plain64 -s 512 -h sha224 --align-payload 8192
LIST

format
same "uuid" luksUUID x
same "isLuks" isLuks -v x
same "isLuks: LUKS1 as luks1" isLuks -v x --type luks1
same "isLuks: LUKS1 as luks2" isLuks -v x --type luks2
same "uuid: LUKS1 as luks2" luksUUID -v x --type luks2
same "dump: no JSON" luksDump --dump-json-metadata x
same "open: LUKS1 as luks1" open --type luks1 --test-passphrase -v x -d key
same "open: LUKS1 as luks2" open --type luks2 --test-passphrase -v x -d key
same "open: keyslot 3 is not active" open --test-passphrase -v x -d key -S 3
same "open: keyslot 8 does not exist" open --test-passphrase -v x -d key -S 8
same "open: the volume key of another header" open --test-passphrase -v x \
	--volume-key-file wrong --key-size 88
feed() { cat key; }
same "open: standard input" open --test-passphrase -v x
feed() { :; }
cp image header
truncate -s 1M data
same "dump: detached" luksDump data --header x
same "open: detached" open --test-passphrase data --header x -d key

# Verbs that change a header say what to do, and change nothing.
cp image before
while read -r words; do
	# shellcheck disable=SC2086
	"$MORTISE" $words >out 2>err </dev/null
	got=$?
	[ $got = 1 ] && grep -q "convert --type luks2" err && cmp -s image before
	result $? "refused: $words"
done <<'LIST'
luksAddKey -q image -d key second
luksChangeKey -q image -d key second
luksRemoveKey -q image key
luksKillSlot -q image 5
luksUUID -q image --uuid 87654321-1234-1234-1234-123456789abc
config image --label x
erase -q image
token export image --token-id 0
seal image -d key
LIST
rm image
truncate -s 17M image
# shellcheck disable=SC2086
"$referee" luksFormat -q $cheap image key || exit 1
same "isLuks: LUKS2 as luks1" isLuks -v x --type luks1
same "uuid: LUKS2 as luks1" luksUUID -v x --type luks1
same "dump: LUKS2 as luks1" open --test-passphrase x -d key --type luks1

# patch OFFSET HEX: overwrite bytes of ./x.
patch() {
	printf "$(printf %s "$2" | sed 's/../\\x&/g')" |
		dd of=x bs=1 seek="$1" conv=notrunc status=none
}

# Both programs accept a damaged header, or neither does. Keyslot 1 begins at byte 256.
format
while read -r at bytes what; do
	cp image x
	patch "$at" "$bytes"
	"$referee" luksDump x >/dev/null 2>&1
	status_c=$?
	"$MORTISE" luksDump x >out 2>err
	status_m=$?
	[ $status_c = $status_m ]
	result $? "damaged: $what ($status_m, cryptsetup $status_c)"
done <<'LIST'
0 00 magic
6 0000 version 0
6 0003 version 3
104 00000800 payload offset inside the areas
104 00000fc8 payload offset at the end of the last area
104 00000fc7 payload offset before the end of the last area
104 00000000 no payload offset: detached
108 00000fff key size: areas overlap
256 12345678 keyslot state
296 00000000 offset inside the header
296 00000001 offset in the second sector
296 00000008 offset of keyslot 0
296 000001fb offset shares one sector with keyslot 0
296 000001fc offset right behind keyslot 0
296 ffffffff offset beyond the device
300 00000fa1 stripes
252 00000000 stripes of keyslot 0
168 00 no UUID
LIST
# cryptsetup crashes or prints garbage with these.
for patch in "8 00 cipher" "8 22 cipher" "72 00 hash" "72 1b hash" "108 00000000 key" "108 ffffffff key"; do
	cp image x
	# shellcheck disable=SC2086
	set -- $patch
	patch "$1" "$2"
	"$MORTISE" luksDump x >out 2>err
	[ $? = 1 ] && grep -q "LUKS1 header: invalid $3" err
	result $? "damaged: byte $1 is $2: the error names the field"
done
cp image x
patch 212 ffffffff
"$MORTISE" open --test-passphrase x -d key >out 2>err
[ $? = 2 ] && grep -q "keyslot 0 .*second" err
result $? "a keyslot that takes hours is refused"
exits 0 "and the other one opens" "$MORTISE" open --test-passphrase x -d second
cp image x
patch 164 ffffffff
exits 1 "a digest that takes hours is refused" "$MORTISE" open --test-passphrase x -d key
head -c 591 image >x
exits 1 "a truncated header" "$MORTISE" isLuks x
head -c 100000 image >x
exits 1 "areas beyond the end of the device" "$MORTISE" luksDump x

# Upstream's images of hostile and old headers. They are GPL and only fetched, not in this tree.
: "${CRYPTSETUP_TESTS:=$("$here/../../tools/cryptsetup-tests" 2>/dev/null)}"
if [ ! -f "$CRYPTSETUP_TESTS/compatv10image.img.xz" ]; then
	echo "# upstream's images are not available"
	finish
fi
for name in keyslot_overlap luks_hdr_damage payload_overwrite small_luks_device stripes_payload_dmg; do
	xz -dc "$CRYPTSETUP_TESTS/evil_hdr-$name.xz" >x
	exits 1 "upstream's evil header: $name" "$MORTISE" luksDump x
done
# Of cryptsetup 1.0.0: 10 iterations of the digest, aes-cbc-plain, data at sector 1010.
for name in compatimage compatv10image; do
	xz -dc "$CRYPTSETUP_TESTS/$name.img.xz" >image
	same "upstream's $name: dump" luksDump x
	feed() { printf compatkey; }
	same "upstream's $name: open" open --test-passphrase x
	feed() { :; }
done
tar xf "$CRYPTSETUP_TESTS/luks1-images.tar.xz"
cp luks1-images/keyfile1 key
for file in luks1-images/luks1_aes-cbc*.img luks1-images/luks1_aes-xts-plain64-sha*.img; do
	cp "$file" image
	same "upstream's $(basename "$file")" open --test-passphrase x -d key
done
finish
