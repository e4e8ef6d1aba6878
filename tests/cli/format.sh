#!/bin/sh
# SPDX-License-Identifier: MIT
# luksFormat and its layout options: apart from random values, the header must be the one that
# cryptsetup 2.6.1 writes, and the errors must be the same.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee

printf 'secret' >key
head -c 64 /dev/zero >vk

# Prints a dump without its random parts. The keyslot's cipher is left out if the data cipher is not
# the default: mortise then keeps AES-XTS for keyslots, cryptsetup uses the data cipher.
steady() {
	"$referee" luksDump "$1" 2>&1 | sed -e 's/^UUID: .*/UUID/' -e 's/image\.[cm]/image/' \
		-e 's/\([0-9a-f][0-9a-f] \)\{16\}$/HEX/' $drop
}

made() { # SIZE_OF_THE_FILE [OPTION]...
	size=$1
	shift
	drop=
	case " $*" in
	*" -c "*) drop='-e /Cipher/d' ;;
	esac
	for program in "$referee" as/cryptsetup; do
		n=${program##*/}
		[ "$program" = "$referee" ] && n=c || n=m
		rm -f image.$n header
		truncate -s "$size" image.$n
		ln -f image.$n image
		"$program" luksFormat -q image key $cheap "$@" >out.$n 2>err.$n
		echo $? >>err.$n
		if [ -f header ]; then
			mv header image.$n
			rm -f image
		fi
	done
	steady image.c >dump.c
	steady image.m >dump.m
	if cmp -s dump.c dump.m && [ "$(tail -n 1 err.c)" = "$(tail -n 1 err.m)" ]; then
		result 0 "format $size $*"
	else
		result 1 "format $size $*"
		diff dump.c dump.m | sed 's/^/# /'
		diff err.c err.m | sed 's/^/# /'
		return
	fi
	[ "$(tail -n 1 err.m)" = 0 ] || return
	[ "$(stat -c %s image.c)" = "$(stat -c %s image.m)" ]
	result $? "format $size $*: the files have the same size"
	"$referee" open --test-passphrase image.m -d key
	result $? "format $size $*: cryptsetup opens it"
}

made 20M
made 20M --sector-size 512
made 20M --sector-size 2048
made 20M -c aes-cbc-essiv:sha256 -s 256
made 20M -c aes
made 20M -c aes-plain
made 20M -s 256
made 20M -h sha512
made 20M --pbkdf argon2i --pbkdf-force-iterations 4 --pbkdf-memory 32 \
	--pbkdf-parallel 1
made 20M --luks2-metadata-size 64k
made 20M --luks2-metadata-size 4m
made 20M --luks2-keyslots-size 1m
made 20M --luks2-metadata-size 32k --luks2-keyslots-size 2m
made 20M --luks2-metadata-size 17k
made 20M --luks2-keyslots-size 1000
made 20M --offset 16384
made 20M --offset 8
made 20M --offset 65
made 20M --align-payload 4097 --sector-size 512
made 20M --align-payload 2048 --luks2-keyslots-size 1m
made 20M --keyslot-cipher aes-cbc-plain64 --keyslot-key-size 256
made 20M --label a-label --subsystem a-subsystem
made 20M -S 5
made 20M -S 32
made 20M --volume-key-file vk
made 20M --volume-key-file vk -s 256
made 20M -h no-such-hash
made 20M --uuid 12345678-1234-1234-1234-123456789ABC
made 20M --uuid 12345678
made 16M
made 20M --header header
made 20M --header header --offset 8192
made 20M --header header --luks2-keyslots-size 1m
finish
