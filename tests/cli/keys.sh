#!/bin/sh
# SPDX-License-Identifier: MIT
# Reading keys from standard input, pipes and files: mortise must use the same bytes as cryptsetup
# 2.6.1, and print the same errors.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee

printf 'secret' >key
printf 'secret\n' >key-nl
printf 'two\nlines\n' >key-lines
printf 'xxxxsecretyyyy' >key-inside
: >key-empty
printf 'newkey' >new
head -c 8388608 /dev/zero >key-8M
head -c 8388609 /dev/zero >key-more
truncate -s 17M image
"$referee" luksFormat -q $cheap image key || exit 1
"$referee" luksAddKey -q $cheap image -d key key-lines || exit 1
"$referee" luksAddKey -q $cheap image -d key key-empty || exit 1
"$referee" luksAddKey -q $cheap image -d key key-8M || exit 1

open="open -v --test-passphrase x"
feed() { cat key; }
same "stdin without newline" $open
same "stdin, --key-file=-" $open --key-file=-
same "stdin, -d - short form" $open -d -
feed() { cat key-nl; }
same "stdin: newline is removed" $open
same "stdin, --key-file=-: newline counts" $open --key-file=-
same "stdin, -l limits the size" $open --key-file=- -l 6
feed() { cat key-lines; }
same "stdin: ends at the first newline" $open
same "stdin, --key-file=-: all lines" $open --key-file=-
feed() { printf '\n'; }
same "stdin: an empty line is an empty passphrase" $open
feed() { :; }
same "stdin: nothing" $open
same "stdin, --key-file=-: nothing" $open --key-file=-
same "empty key file" $open -d key-empty
feed() { cat key-inside; }
same "stdin: offset on a pipe" $open --key-file=- --keyfile-offset 4 -l 6
same "stdin: line with offset and size" $open --keyfile-offset 4 -l 6
same "stdin: offset beyond the end" $open --key-file=- --keyfile-offset 40
same "stdin: size beyond the end" $open --key-file=- -l 40
feed() { printf 'sec\nret'; }
same "stdin: a line shorter than -l" $open -l 6
feed() { :; }
same "file" $open -d key
same "file with a newline" $open -d key-nl
same "file: offset and size" $open -d key-inside --keyfile-offset 4 -l 6
same "file: offset at the end" $open -d key-inside --keyfile-offset 14
same "file: offset beyond the end" $open -d key-inside --keyfile-offset 15
same "file: size beyond the end" $open -d key-inside -l 15
same "file: -l 0 is all" $open -d key -l 0
same "file is missing" $open -d no-such-file
same "file is a directory" $open -d as
# piped DESCRIPTION FILE: standard input gives what the file has just given. cryptsetup takes seconds
# to read that much from a pipe.
piped() {
	cat "$2" | as/cryptsetup $open --key-file=- >out 2>err
	[ $? = "$status_m" ] && cmp -s out out.m && cmp -s err err.m
	result $? "$1"
}
same "file of 8 MiB" $open -d key-8M
piped "stdin of 8 MiB" key-8M
same "file of more" $open -d key-more
piped "stdin of more" key-more
feed() { cat key; }
same "-y without a terminal" $open -y
same "by slot" $open -S 0
same "by another slot" $open -S 1
same "by an inactive slot" $open -S 9
same "by an invalid slot" $open -S 99
same "by volume key: too short" $open --volume-key-file key
head -c 64 /dev/zero >vk
same "by volume key: wrong" $open --volume-key-file vk
same "by volume key: missing" $open --volume-key-file no-such-file
"$referee" luksDump -q image -d key --dump-volume-key --volume-key-file vk-right >/dev/null
same "by volume key" $open --volume-key-file vk-right
same "no such device" open -v --test-passphrase no-such-device
truncate -s 20M no-luks
same "no LUKS device" open -v --test-passphrase no-luks
same "too few arguments" open -v x
same "detached header, device without one" open -v --test-passphrase no-luks --header x

# twice DESCRIPTION ARGUMENT...: like "same", but keeps the image of each program, as x.c
# (cryptsetup) and x.m (mortise).
twice() {
	what=$1
	shift
	cp --sparse=always image x
	feed | "$referee" "$@" >out.c 2>err.c
	status_c=$?
	mv x x.c
	cp --sparse=always image x
	feed | as/cryptsetup "$@" >out.m 2>err.m
	status_m=$?
	mv x x.m
	# mortise does not print cryptsetup's -v line for each signature that is wiped.
	sed -i '/^Existing .* will be wiped\.$/d' out.c
	has "signatures no" && sed -i '/^WARNING: Device .* already contains /d' out.c out.m
	if [ $status_c = $status_m ] && cmp -s out.c out.m && cmp -s err.c err.m; then
		result 0 "$what"
	else
		result 1 "$what (status $status_m, cryptsetup $status_c)"
		diff out.c out.m | sed 's/^/# /'
		diff err.c err.m | sed 's/^/# /'
	fi
}
# added SLOT KEY: in both images, KEY opens the slot.
added() {
	for image in x.c x.m; do
		"$referee" open --test-passphrase $image -S "$1" -d "$2" 2>/dev/null
		result $? "$what: $2 opens slot $1 of $image"
	done
}
# slots: both images have the same number of keyslots.
slots() {
	[ "$("$referee" luksDump x.c | grep -c ': luks2')" = \
	  "$("$referee" luksDump x.m | grep -c ': luks2')" ]
	result $? "$what: same number of slots"
}

add="luksAddKey -v x $cheap"
feed() { printf 'secret\nnewkey\n'; }
twice "add: two lines" $add
added 4 new
feed() { printf 'secretnewkey'; }
twice "add: two keys by size" $add --key-file=- -l 6 --new-keyfile=- --new-keyfile-size=6
added 4 new
feed() { printf 'secretnewkey\nrest'; }
twice "add: old by size, new to the newline" $add --key-file=- -l 6
added 4 new
feed() { printf 'secret\n'; }
twice "add: no second line" $add
twice "add: new from a file" $add new
added 4 new
feed() { :; }
twice "add: both from files" $add -d key new
added 4 new
twice "add: part of a new file" $add -d key key-inside --new-keyfile-offset 4 \
	--new-keyfile-size 6
added 4 key
twice "add: --new-keyfile" $add -d key --new-keyfile new
added 4 new
twice "add: into slot 7" $add -d key new --key-slot 7
added 7 new
twice "add: into slot 7, quietly" $add -q -d key new --key-slot 7
twice "add: --new-key-slot" $add -d key new --key-slot 0 --new-key-slot 9
added 9 new
twice "add: slot is full" $add -d key new --key-slot 1
twice "add: no such slot" $add -d key new --key-slot 40
twice "add: volume key" $add --volume-key-file vk-right new
added 4 new
twice "add: wrong volume key" $add --volume-key-file vk new
feed() { printf 'wrong\nnewkey\n'; }
twice "add: wrong passphrase" $add
feed() { printf 'newkey\n'; }
twice "add: unbound" $add --unbound --key-size 256 -S 12
added 12 new

change="luksChangeKey -v x $cheap"
feed() { printf 'secret\nnewkey\n'; }
twice "change: two lines" $change
added 0 new
slots
feed() { :; }
twice "change: files" $change -d key new
added 0 new
twice "change: by slot" $change -d key new -S 0
added 0 new
twice "change: by the wrong slot" $change -d key new -S 1
twice "change: by an inactive slot" $change -d key new -S 20

twice "remove: file as an argument" luksRemoveKey -v x key
slots
twice "remove: file by option" luksRemoveKey -v x -d key
twice "remove: both" luksRemoveKey -v x -d key key-lines
slots
twice "remove: wrong" luksRemoveKey -v x new
twice "kill: by another key" luksKillSlot -v x 0 -d key-lines
slots
twice "kill: by its own key" luksKillSlot -v x 0 -d key
slots
twice "kill: quietly, nothing on stdin" luksKillSlot -q -v x 0
slots
twice "kill: nothing on stdin" luksKillSlot -v x 0
slots
feed() { printf 'wrong\n'; }
twice "kill: quietly, wrong on stdin" luksKillSlot -q -v x 0
slots
feed() { :; }
twice "kill: inactive" luksKillSlot -v x 20 -d key
twice "kill: no such slot" luksKillSlot -v x 33 -d key
twice "erase" erase -v x -q
slots
twice "kill: after erase" luksKillSlot -v x 0 -d key

# luksFormat: where the passphrase comes from, and errors before anything is written.
for key in key key-nl key-lines; do
	feed() { cat $key; }
	twice "format: stdin of $key" luksFormat -v -q $cheap x --key-file=-
	added 0 $key
done
feed() { printf 'secret\nrest\n'; }
twice "format: a line" luksFormat -v $cheap x
added 0 key
feed() { :; }
twice "format: file as an argument, slot 3" luksFormat -v $cheap x key -S 3
added 3 key
twice "format: given volume key" luksFormat -q $cheap x key --volume-key-file vk-right
for image in x.c x.m; do
	"$referee" open --test-passphrase $image --volume-key-file vk-right
	result $? "format: volume key of $image"
done
twice "format: no such file" luksFormat -v $cheap x no-such-file
twice "format: no such device" luksFormat -v $cheap no-such-device key
# The runs above leave no x for the mv in "twice": create one for the next run.
cp --sparse=always image x
for wrong in "--pbkdf argon2id --pbkdf-force-iterations 3" \
	"--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 31" \
	"--pbkdf argon2i --pbkdf-memory 4194305" "--pbkdf pbkdf2 --pbkdf-force-iterations 999"; do
	twice "format: $wrong" luksFormat -v -q x key $wrong
	cmp -s image x.m
	result $? "format: $wrong: the image is unchanged"
done
finish
