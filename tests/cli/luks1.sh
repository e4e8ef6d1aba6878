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

# Every variant that runs without the kernel's ciphers. Not every crypto library has all the hashes.
while read -r options; do
	case $options in
	*whirlpool | *blake2* | *sha3-* | *sha512-256) has "crypto openssl" || continue ;;
	esac
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
-c aes-xts-plain64 -s 512 -h whirlpool
-c aes-xts-plain64 -s 256 -h sha512-256
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

# convert: the questions and refusals are cryptsetup's.
feed() { echo YES; }
same "convert: to the same version" convert --type luks2 x
same "convert: no type" convert x
same "convert: another type" convert --type luks x
feed() { :; }
truncate -s 4M blank
same "convert: no LUKS" convert -q --type luks2 blank
# refused OPTION...: a LUKS2 header that LUKS1 cannot express; the shell function "also" changes it.
refused() {
	rm -f image
	truncate -s 20M image
	# shellcheck disable=SC2086
	"$referee" luksFormat -q $cheap --sector-size 512 "$@" image key && also || exit 1
	same "convert to luks1: refused: $what" convert -q --type luks1 x
	"$MORTISE" convert -q --type luks1 x >out 2>err
	cmp -s image x
	result $? "convert to luks1: nothing was changed: $what"
}
also() { :; }
what="sectors of 4096 bytes" refused --sector-size 4096
what="Argon2" refused --pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 32
what="another cipher of the keyslot" refused --keyslot-cipher aes-cbc-plain64 --keyslot-key-size 256
also() { echo '{"type":"x","keyslots":[]}' | "$referee" token import image; }
what="a token" refused
# shellcheck disable=SC2086
also() { "$referee" luksAddKey -q $cheap -d key -S 8 image second; }
what="keyslot 8" refused
# shellcheck disable=SC2086
also() { "$referee" luksAddKey -q $cheap -d key -S 1 --hash sha512 image second; }
what="two hashes" refused
# shellcheck disable=SC2086
also() { "$referee" luksAddKey -q $cheap -d key --unbound --key-size 512 image second; }
what="an unbound keyslot" refused

# converted WHAT: ./image in the other version holds the same key for each program.
converted() {
	"$MORTISE" luksDump image | sed -n '/Version/s/.*\t//p' | grep -qx "$2" &&
		"$referee" luksDump -q --dump-volume-key -d key image >out 2>err &&
		[ "$(sed -n '/MK dump/,$p' out)" = "$(sed -n '/MK dump/,$p' key.before)" ] &&
		"$referee" open --test-passphrase -S 5 -d second image &&
		"$MORTISE" open --test-passphrase -S 5 -d second image &&
		[ "$("$referee" luksUUID image)" = $uuid ]
	result $? "$1"
}
while read -r options; do
	# shellcheck disable=SC2086
	format $options
	"$referee" luksDump -q --dump-volume-key -d key image >key.before
	cp image old
	exits 0 "convert to luks2: $options" "$MORTISE" convert -q --type luks2 image
	converted "it has the same keys: $options" 2
	exits 0 "convert back: $options" "$MORTISE" convert -q --type luks1 image
	converted "it has the same keys again: $options" 1
	exits 0 "cryptsetup can change it" \
		"$referee" luksAddKey -q --pbkdf-force-iterations 1000 -d key -S 7 image wrong
	cp old image
	exits 0 "converted by cryptsetup: $options" "$referee" convert -q --type luks2 image
	converted "mortise opens what cryptsetup converts: $options" 2
	exits 0 "convert it back: $options" "$MORTISE" convert -q --type luks1 image
	converted "with the same keys: $options" 1
done <<'LIST'
-c aes-xts-plain64 -s 512 -h sha256
-c aes-xts-plain64 -s 256 -h sha1
-c aes-cbc-essiv:sha256 -s 256 -h sha512
LIST
# A detached header, whose data begins at sector 0.
format --align-payload 1
cp image header
printf '\0\0\0\0' | dd of=header bs=1 seek=104 conv=notrunc status=none
exits 0 "convert: detached" "$MORTISE" convert -q --type luks2 data --header header
exits 0 "cryptsetup opens it" "$referee" open --test-passphrase -d second --header header data
exits 0 "convert back: detached" "$MORTISE" convert -q --type luks1 data --header header
exits 0 "cryptsetup opens it again" "$referee" open --test-passphrase -d second --header header data

# What mortise would not open afterwards is not converted.
format -c aes-cbc-benbi -s 128
says 1 "cannot convert: cipher aes-cbc-benbi with a key of 128 bits is not on the list of accepted \
ciphers; to accept it by hand, use --allow-cipher aes-cbc-benbi" "convert: a weak cipher" \
	"$MORTISE" convert -q --type luks2 image
# luksmeta keeps its data behind the areas: 8 of 258048 bytes from byte 4096 on.
format
printf LUKSMETA | dd of=image bs=1 seek=2068480 conv=notrunc status=none
same "convert: luksmeta" convert -q --type luks2 x
"$MORTISE" convert -q --type luks2 image >out 2>err
grep -q "^Unable to convert header with LUKSMETA additional metadata.$" err
result $? "convert: the error names luksmeta"
format
for slot in 1 2 3 4 6 7; do
	"$referee" luksAddKey -q --pbkdf-force-iterations 1000 -d key -S $slot image wrong
done
cp image before
exits 1 "convert: eight keyslots and no space" "$MORTISE" convert -q --type luks2 image
cmp -s image before
result $? "nothing was changed"

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
[ $? = 2 ] && grep -q "keyslot 0 would take .* to derive" err
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
# Its images for conversion, with two or eight keyslots, whose passphrases are in api-test-2.c.
tar xf "$CRYPTSETUP_TESTS/conversion_imgs.tar.xz"
for file in conversion_imgs/l1_*b conversion_imgs/l2_*b conversion_imgs/l?_*_det conversion_imgs/l2_*full; do
	cp "$file" x
	opened=0
	lost=0
	case $file in
	*l1_*) version=2 ;;
	*) version=1 ;;
	esac
	"$MORTISE" convert -q --type luks$version x || lost=1
	for word in 0:aaa 1:hhh 2:ccc 3:ddd 4:eee 5:fff 6:ggg 7:bbb; do
		printf %sblabl "${word#*:}" >key.one
		"$referee" open --test-passphrase -S "${word%:*}" -d key.one "$file" 2>err || continue
		opened=$((opened + 1))
		"$referee" open --test-passphrase -S "${word%:*}" -d key.one x || lost=1
	done
	[ $lost = 0 ] && [ $opened -ge 2 ]
	result $? "upstream's $(basename "$file") as luks$version: $opened passphrases open"
done
for file in luks1-images/luks1_aes-cbc*.img luks1-images/luks1_aes-xts-plain64-*.img; do
	[ "${file#*whirlpool}" = "$file" ] || has "crypto openssl" || continue
	cp "$file" image
	same "upstream's $(basename "$file")" open --test-passphrase x -d key
done
finish
