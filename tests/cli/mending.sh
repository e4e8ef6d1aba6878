#!/bin/sh
# SPDX-License-Identifier: MIT
# When a header is read, a copy that an interrupted update left outdated or damaged is repaired,
# also in a build without libblkid. That build does not overwrite data that may be something else
# than a header copy.
. "$(dirname "$(realpath "$0")")/lib.sh"

printf secret >key
truncate -s 17M old
"$MORTISE" luksFormat -q $cheap old key || exit 1
cp --sparse=always old new
"$MORTISE" config new -S 0 --priority prefer || exit 1

# put FROM FIRST COUNT: sectors of FROM into ./image.
put() {
	dd if="$1" of=image bs=512 skip="$2" seek="$2" count="$3" conv=notrunc status=none
}

# alike: both copies hold the same metadata.
alike() {
	dd if=image bs=4096 skip=1 count=3 status=none of=first
	dd if=image bs=4096 skip=5 count=3 status=none of=second
	cmp -s first second
}

opens() {
	exits 0 "$1 opens" "$MORTISE" open --test-passphrase image -d key
}

# A copy has 32 sectors: 8 for the binary header, 24 for the JSON area. The first $cut sectors of
# the copy come from "new", as if power failed during the update.
for cut in 1 3 8 9 16 20 31 32; do
	cp --sparse=always old image
	put new 0 $cut
	opens "primary cut after $cut sectors"
	alike
	result $? "primary cut after $cut sectors is repaired"
	cp --sparse=always old image
	put new 0 $((32 + cut))
	opens "secondary cut after $cut sectors"
	alike
	result $? "secondary cut after $cut sectors is repaired"
	"$MORTISE" luksDump image | grep -q 'Priority: *preferred'
	result $? "secondary cut after $cut sectors: the new header is used"
done

# foreign DESCRIPTION SECTOR: unknown bytes are written to the sector.
foreign() {
	cp --sparse=always new image
	printf 'who knows\001' | dd of=image bs=512 seek="$2" conv=notrunc status=none
	cp --sparse=always image before
	opens "$1"
	if has "signatures no"; then
		exits 1 "$1: no update is made" "$MORTISE" config image --label again
		grep -q 'may hold other data; use a build with libblkid, which can tell' err
		result $? "$1: the error gives the reason"
		cmp -s image before
		result $? "$1: the image is unchanged"
	else
		alike
		result $? "$1: the copy is repaired, because libblkid finds no signature"
	fi
}
foreign "bytes over the primary" 0
foreign "bytes in its padding" 2
foreign "bytes in its JSON area" 30
foreign "bytes over the secondary" 32
foreign "bytes in the secondary's JSON area" 63
finish
