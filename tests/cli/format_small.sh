#!/bin/sh
# SPDX-License-Identifier: MIT
# luksFormat never extends a data file, nor a header file that has contents: what is too small is
# refused before the first write. Warnings for small devices are those of cryptsetup 2.6.1.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee

printf 'secret' >key

# fill SIZE FILE: a file of this size that is not blank, however short.
fill() {
	yes mortise | head -c "$1" >"$2"
}

# refused SIZE BYTES [OPTION]...: both the file and its size remain; the error says how much is needed.
refused() {
	size=$1
	need=$2
	shift 2
	for kind in full sparse; do
		rm -f image
		if [ $kind = full ]; then fill "$size" image; else truncate -s "$size" image; fi
		cp image before
		says 1 "Device image is too small. Need at least $need bytes." \
			"$kind file of $size bytes is refused: $*" \
			"$MORTISE" luksFormat -q image key $cheap "$@"
		cmp -s image before
		result $? "$kind file of $size bytes is unchanged: $*"
	done
}

refused 0 16777216
refused 4 16777216
refused 4 1048576 --luks2-keyslots-size 256k
refused 511 16777216
refused 4096 16777216
refused 32768 16777216
refused 36864 1048576
refused 65536 1048576
refused 290816 1048576
refused 1048575 1048576
refused 1048576 2097152 --offset 4096
refused 524288 1048576 --luks2-keyslots-size 256k
refused 8388608 16777216 --luks2-metadata-size 4M
refused 16777216 33554432 --align-payload 65536
refused 16777215 16777216 --offset 32768

# accepted SIZE [OPTION]...: the file keeps its size, cryptsetup reads the header, and the warnings
# are those that cryptsetup prints for a file of this size.
accepted() {
	size=$1
	shift
	for program in "$referee" as/cryptsetup; do
		n=m
		[ "$program" = "$referee" ] && n=c
		rm -f image
		truncate -s "$size" image
		"$program" luksFormat -q image key $cheap "$@" >out.$n 2>err.$n
		result $? "${program##*/} formats a file of $size bytes: $*"
	done
	[ "$(stat -c %s image)" = "$size" ]
	result $? "the file keeps its $size bytes: $*"
	"$referee" open --test-passphrase image -d key
	result $? "cryptsetup opens the header on $size bytes: $*"
	if [ -n "${extends-}" ]; then return; fi
	cmp -s out.c out.m && cmp -s err.c err.m
	result $? "the same warnings for $size bytes: $*"
}

accepted 16777216
accepted 16777728
accepted 17825793
accepted 15728640 --offset 2048
accepted 1048576 --offset 2048
accepted 2097152 --luks2-keyslots-size 1m
accepted 33554432 --luks2-keyslots-size 4060k
accepted 33554432 --luks2-keyslots-size 4064k
accepted 33554432 --luks2-keyslots-size 3m --luks2-metadata-size 4m
# cryptsetup extends these files to 16 MiB; a block device of this size gets the header below.
extends=1
accepted 1048576
grep -qx 'WARNING: keyslots area (1015808 bytes) is very small, available LUKS2 keyslot count is very limited.' out.m
result $? "a small keyslots area is reported"
grep -qx 'Device image is too small for activation, there is no remaining space for data.' out.m
result $? "a device without space for data is reported"
accepted 15728640
accepted 9437184 --luks2-metadata-size 4m

# A key file and a device in the wrong order.
truncate -s 4M disk
cp key before
says 1 "Device key is too small. Need at least 16777216 bytes." "a key file as the device is refused" \
	"$MORTISE" luksFormat -q key disk $cheap
cmp -s key before
result $? "the key file is unchanged"

# A detached header: a new, an empty or a blank file becomes one, any other file does not grow.
truncate -s 1M data
header() { # DESCRIPTION STATUS SIZE_OF_THE_HEADER
	if [ -e h ]; then cp h before; else rm -f before; fi
	exits "$2" "header file: $1" "$MORTISE" luksFormat -q data key --header h $cheap
	[ "$(stat -c %s h)" = "$3" ]
	result $? "header file: $1: its size is $3"
	if [ "$2" != 0 ]; then
		cmp -s h before
		result $? "header file: $1: unchanged"
		grep -qx "Device h is too small. Need at least [0-9]* bytes." err
		result $? "header file: $1: the error names it"
	fi
	[ "$(stat -c %s data)" = 1048576 ]
	result $? "header file: $1: the data keeps its size"
}
rm -f h
header missing 0 16777216
# Keyslots that are not used take no space on the disk, and can be added by either program.
[ "$(du -k h | cut -f 1)" -lt 2048 ]
result $? "a new header file is sparse"
printf 'second' >key2
printf 'third' >key3
exits 0 "mortise adds a keyslot there" "$MORTISE" luksAddKey h key2 -d key $cheap
exits 0 "cryptsetup opens it" "$referee" open --test-passphrase h -d key2
exits 0 "cryptsetup adds a keyslot there" "$referee" luksAddKey -q h key3 -d key $cheap
exits 0 "mortise opens it" "$MORTISE" open --test-passphrase h -d key3
exits 0 "cryptsetup opens the data" "$referee" open --test-passphrase data --header h -d key
: >h
header empty 0 16777216
rm -f h
truncate -s 1M h
header blank 0 16777216
cp key h
header "a key file" 1 6
fill 4096 h
header "4 KiB of text" 1 4096
{
	head -c 4095 /dev/zero
	printf x
} >h
header "blank except for its last byte" 1 4096
rm -f h
fill 2097152 h
header "2 MiB of text, in which a smaller header fits" 0 2097152

# A header file that was created is removed if the format fails.
rm -f h
exits 1 "a bad sector size with a new header file" \
	"$MORTISE" luksFormat -q data key --header h $cheap --sector-size 1000
[ ! -e h ]
result $? "no header file is left"
finish
