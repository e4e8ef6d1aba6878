#!/bin/bash
# shellcheck disable=SC2154  # set in a sourced file
# SPDX-License-Identifier: MIT
# libblockdev links libcryptsetup, but its tests (2.28) also call the program: each of these command lines
# has the exit status, the output and the effect of cryptsetup. The ones that need device-mapper are in
# tests/guest/cryptdisks.sh.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
need_referee
printf pw >key

# at_least VERSION: what libblockdev asks before a test: the version in --version.
at_least() {
	local version

	version=$(as/cryptsetup --version | sed -nE 's/.*cryptsetup ([0-9+.]+).*/\1/p')
	[ "$(printf '%s\n' "$1" "$version" | sort -V | head -n 1)" = "$1" ]
}
for version in 2.0.3 2.3.0 2.4.0; do
	at_least $version
	result $? "--version says at least $version"
done

# Its tests search luksDump for the label, the costs, the offset of the data and the key size, and
# Debian's hook of the initramfs for the hashes.
# dumped NAME FORMAT-OPTION...
dumped() {
	name=$1
	shift
	truncate -s 0 image
	truncate -s 20M image
	"$referee" luksFormat -q "$@" image key
	same "luksDump: $name" luksDump x
	as/cryptsetup luksDump -- x | sed -nr 's/^\s*(AF hash|Hash|Hash spec)\s*:\s*//Ip' >hashes.m
	"$referee" luksDump -- x | sed -nr 's/^\s*(AF hash|Hash|Hash spec)\s*:\s*//Ip' >hashes.c
	[ -s hashes.m ] && cmp -s hashes.m hashes.c
	result $? "hashes in it: $(paste -sd ' ' hashes.c)"
}
dumped "label" --label blockdevLUKS $cheap
dumped "PBKDF2, whirlpool" --hash whirlpool $cheap
dumped "Argon2id" --pbkdf argon2id --pbkdf-memory 102400 --pbkdf-force-iterations 4 --pbkdf-parallel 1
dumped "Argon2i" --pbkdf argon2i --pbkdf-memory 32768 --pbkdf-force-iterations 4 --pbkdf-parallel 2
if has "luks1 yes"; then
	dumped "LUKS1" --type luks1 --pbkdf-force-iterations 1000
	dumped "LUKS1, CBC" --type luks1 --pbkdf-force-iterations 1000 --cipher aes-cbc-essiv:sha256
	dumped "LUKS1, ripemd160" --type luks1 --pbkdf-force-iterations 1000 --hash ripemd160 --key-size 256
fi

# The header is destroyed and its backup restored.
truncate -s 0 image
truncate -s 20M image
"$referee" luksFormat -q $cheap image key
"$referee" luksHeaderBackup image --header-backup-file backup
same "erase DEVICE -q" erase x -q
wipefs -qa x
result $? "wipefs -a"
[ -z "$(blkid -p -ovalue -sTYPE x)" ]
result $? "blkid finds nothing"
exits 0 "the backup is restored" as/cryptsetup luksHeaderRestore -q x --header-backup-file backup
exits 0 "the other program opens it" "$referee" open --test-passphrase -d key x

# The passphrase is the first line of standard input, or all of it for a key file.
newline='\n'
feed() { printf "key$newline"; }
truncate -s 0 image
truncate -s 20M image
same "luksFormat DEVICE -" luksFormat x - $cheap
feed | "$referee" open --test-passphrase x --key-file=-
result $? "the other program opens it with --key-file=-"
cp x image
same "open DEVICE --key-file=-" open --test-passphrase x --key-file=-
newline=
same "without the newline it fails" open --test-passphrase x --key-file=-
finish
