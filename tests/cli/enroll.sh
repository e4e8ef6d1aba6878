#!/bin/bash
# SPDX-License-Identifier: MIT
# enroll --recovery-key: what it makes is what systemd makes, others open with it, it is shown in
# one place, and when that cannot be nothing is changed.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee
command -v jq >/dev/null || { echo "skipped: no jq"; exit 77; }

printf 'secret' >key
printf 'wrong' >wrong
truncate -s 17M image
"$referee" luksFormat -q $cheap image key || exit 1
"$referee" luksDump -q image -d key --dump-volume-key --volume-key-file vk >/dev/null
fresh() { cp --sparse=always image x; }
enroll() { "$MORTISE" enroll x --recovery-key "$@"; }
metadata() { "$referee" luksDump --dump-json-metadata x; }
unchanged() { # DESCRIPTION
	cmp -s image x
	result $? "$1: nothing was changed"
}

# What is made.
fresh
exits 0 "a recovery key into a file" "$MORTISE" enroll x --recovery-key -d key --recovery-file rk -v
grep -qx 'Key slot 1 created.' out
result $? "-v: tells the key slot"
[ "$(stat -c '%a %s' rk)" = "600 71" ]
result $? "the file is ours alone and holds the key only"
letters='[cbdefghijklnrtuv]\{8\}'
grep -qx "$letters\(-$letters\)\{7\}" rk
result $? "its notation is systemd's"
! grep -q -F -f rk out err
result $? "it is on neither output"
metadata >json
jq -e '.tokens == {"31": {"type": "systemd-recovery", "keyslots": ["1"]}}' json >/dev/null
result $? "its token is systemd's"
jq -e '.keyslots["1"].kdf | del(.salt) == {"type": "argon2id", "time": 4, "memory": 32, "cpus": 1}' \
	json >/dev/null
result $? "its cost is the least"
jq -e '.digests["0"].keyslots == ["0", "1"]' json >/dev/null
result $? "the key slot is of the data"

# Who opens with it.
exits 0 "cryptsetup opens with the file" "$referee" open --test-passphrase x -d rk
exits 0 "so do we" "$MORTISE" open --test-passphrase x -d rk
(cat rk; echo) >line
opens() { # STATUS DESCRIPTION PROGRAM WORDS...: by standard input
	want=$1
	what=$2
	shift 2
	"$@" open --test-passphrase x <line >out 2>err
	got=$?
	[ $got = "$want" ]
	result $? "$what (status $got)"
}
opens 0 "cryptsetup, typed" "$referee"
opens 0 "typed" "$MORTISE"
opens 0 "typed, by cryptsetup's name" as/cryptsetup
(tr -d - <rk | tr a-z A-Z; echo) >line
opens 2 "cryptsetup, in capital letters without dashes" "$referee"
opens 0 "in capital letters without dashes" "$MORTISE"
opens 0 "the same by cryptsetup's name" as/cryptsetup
(tr a-z A-Z <rk | sed 's/^/ \t/; s/$/  /'; echo) >line
opens 0 "with blanks around it" "$MORTISE"
"$MORTISE" open --test-passphrase x -S 1 <line 2>/dev/null
result $? "by its key slot"
"$MORTISE" open --test-passphrase x -S 0 <line >out 2>err
[ $? = 2 ] && [ "$(cat err)" = "No key available with this passphrase." ]
result $? "by another key slot it is wrong"
(cut -c 1-70 rk; echo) >line
opens 2 "one letter short" "$MORTISE"
# Two groups changed places: all letters are right.
(sed 's/^\(........\)-\(........\)/\2-\1/' rk; echo) >line
opens 2 "two groups in each other's place" "$MORTISE"
[ "$(cat err)" = "No key available with this passphrase." ]
result $? "and the words are those for any passphrase"
(cat rk rk; echo) >line
opens 2 "twice in a line" "$MORTISE"
"$MORTISE" token remove x --token-id 31
(tr -d - <rk; echo) >line
opens 2 "without its token, it is a passphrase like any other" "$MORTISE"
opens 2 "in no other notation" "$MORTISE"
exits 0 "but as it is" "$MORTISE" open --test-passphrase x -d rk

if systemd-cryptenroll --version >/dev/null 2>&1; then
	fresh
	enroll -d key --recovery-file rk-systemd >/dev/null 2>&1
	systemd-cryptenroll x >out 2>err
	grep -q '^ *1 recovery *$' out
	result $? "systemd-cryptenroll knows it for what it is"
	PASSWORD=secret systemd-cryptenroll x --recovery-key >theirs 2>err
	metadata | jq -e '.tokens | (.["31"] | .keyslots = ["2"]) == .["0"]' >/dev/null
	result $? "theirs has the same token"
	tr -d -- - <theirs | tr a-z A-Z >line
	opens 0 "theirs, in capital letters without dashes" "$MORTISE"
	PASSWORD=$(cat rk-systemd) systemd-cryptenroll x --wipe-slot=recovery >out 2>err
	metadata | jq -e '.keyslots | keys == ["0"]' >/dev/null
	result $? "systemd-cryptenroll wipes both"
fi

# Who may enroll.
fresh
exits 0 "by a volume key" "$MORTISE" enroll x --recovery-key --recovery-file rk2 \
	--volume-key-file vk -S 7
metadata | jq -e '.keyslots["7"] and .tokens["31"].keyslots == ["7"]' >/dev/null
result $? "into the key slot asked for"
printf 'secret\n' | "$MORTISE" enroll x --recovery-key --recovery-file rk3 >out 2>err
result $? "by a passphrase on standard input"
(tr -d - <rk3 | tr a-z A-Z; echo) | "$MORTISE" enroll x --recovery-key --recovery-file rk4 >out 2>err
result $? "by a recovery key in another notation"
printf 'xxsecretyy' >part
exits 0 "by a part of a file" "$MORTISE" enroll x --recovery-key --recovery-file rk5 -d part \
	--keyfile-offset 2 --keyfile-size 6
for made in rk2 rk3 rk4 rk5; do
	exits 0 "cryptsetup opens with $made" "$referee" open --test-passphrase x -d $made
done
[ "$(for made in rk2 rk3 rk4 rk5; do cat $made && echo; done | sort -u | wc -l)" = 4 ]
result $? "all differ"
"$MORTISE" luksErase -q x
exits 1 "no key slot is left" "$MORTISE" enroll x --recovery-key --recovery-file rk6 -d key
exits 0 "the volume key is enough then" "$MORTISE" enroll x --recovery-key --recovery-file rk6 \
	--volume-key-file vk --key-size 512
exits 0 "and it opens again" "$referee" open --test-passphrase x -d rk6

# What is refused changes neither the header nor the file.
fresh
says 1 "mortise: A recovery key is shown on a terminal only, so that it gets into no log: use one, or --recovery-file FILE." \
	"no terminal, no file" "$MORTISE" enroll x --recovery-key -d key
unchanged "no terminal"
[ ! -s out ]
result $? "and nothing is printed"
cp rk kept
says 5 "mortise: Cannot make the file rk: File exists." "the file exists" \
	"$MORTISE" enroll x --recovery-key -d key --recovery-file rk
unchanged "file exists"
ln -s nowhere link
says 5 "mortise: Cannot make the file link: File exists." "it is a link" \
	"$MORTISE" enroll x --recovery-key -d key --recovery-file link
[ ! -e nowhere ] && cmp -s rk kept
result $? "and neither was written"
says 1 "mortise: Cannot make the file no/such: No such file or directory." "no such folder" \
	"$MORTISE" enroll x --recovery-key -d key --recovery-file no/such
unchanged "no file can be made"
refused() { # STATUS TEXT DESCRIPTION WORDS...
	status=$1
	text=$2
	what=$3
	shift 3
	says "$status" "$text" "$what" "$MORTISE" enroll x --recovery-key --recovery-file none "$@"
	[ ! -e none ]
	result $? "$what: no file is left"
	unchanged "$what"
}
refused 2 "No key available with this passphrase." "wrong key file" -d wrong
refused 1 "Key slot 0 is full, please select another one." "the key slot is taken" -d key -S 0
refused 1 "Key slot 32 is invalid, please select between 0 and 31." "no such key slot" -d key -S 32
refused 2 "Volume key does not match the volume." "wrong volume key" --volume-key-file x
refused 1 "mortise: No usable token is available." "no token" --token-only
refused 1 "mortise: Token 3 is not in use." "no such token" --token-id 3

# The file is there before the header changes, and goes when that fails.
slots=$(seq 1 31)
for slot in $slots; do
	printf '{"type":"foreign","keyslots":[]}' | "$referee" token import x --token-id "$slot"
done
printf '{"type":"foreign","keyslots":[]}' | "$referee" token import x --token-id 0
cp --sparse=always x image-full
cp --sparse=always image image-kept
cp --sparse=always image-full image
exits 1 "no token is free" "$MORTISE" enroll x --recovery-key --recovery-file none -d key
[ ! -e none ]
result $? "no token is free: no file is left"
unchanged "no token is free"
cp --sparse=always image-kept image
fresh
# A search for leaks and strace are in each other's way.
if command -v strace >/dev/null; then
	strace -f -E ASAN_OPTIONS=detect_leaks=0 -o trace \
		-e trace=?open,openat,write,pwrite64,fsync,fdatasync,unlink,ftruncate \
		"$MORTISE" enroll x --recovery-key --recovery-file rk7 -d key >out 2>err
	made=$(grep -n 'open.*"rk7".*O_EXCL.*0600' trace | cut -d: -f1 | head -n 1)
	synced=$(grep -n fsync trace | cut -d: -f1 | head -n 1)
	stored=$(grep -n 'pwrite64' trace | cut -d: -f1 | head -n 1)
	[ -n "$made" ] && [ "$made" -lt "$synced" ] && [ "$synced" -lt "$stored" ]
	result $? "the file is made and flushed before the header is written"
	grep -A 9 "write(.*$(cut -c 1-20 rk7)" trace | grep -q 'fsync('
	result $? "and flushed again with the key in it"
	fresh
	says 1 "mortise: Cannot write to none: No space left on device." "no room for the file" \
		strace -f -E ASAN_OPTIONS=detect_leaks=0 -o trace -e trace=fsync \
		-e inject=fsync:error=ENOSPC:when=1 \
		"$MORTISE" enroll x --recovery-key -d key --recovery-file none
	[ ! -e none ]
	result $? "no room for the file: none is left"
	unchanged "no room for the file"
	exits 1 "the key cannot be handed over" strace -f -E ASAN_OPTIONS=detect_leaks=0 \
		-o trace -e trace=ftruncate -e inject=ftruncate:error=EIO "$MORTISE" enroll x --recovery-key -d key \
		--recovery-file none
	[ "$(tail -n 1 err)" = "mortise: No recovery key was enrolled." ] && [ ! -e none ]
	result $? "that is said, and no file is left"
	metadata | jq -e '(.keyslots | keys == ["0"]) and .tokens == {}' >/dev/null
	result $? "nor a key slot that nobody has the key of"
fi

# A detached header.
truncate -s 4M data
"$referee" luksFormat -q $cheap data key --header h || exit 1
exits 0 "detached header" "$MORTISE" enroll data --header h --recovery-key -d key --recovery-file rk8
exits 0 "cryptsetup opens with it" "$referee" open --test-passphrase data --header h -d rk8
finish
