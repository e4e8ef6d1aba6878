#!/bin/bash
# SPDX-License-Identifier: MIT
# enroll --recovery-key: the key has systemd's format, cryptsetup and systemd accept it, it is
# printed in exactly one place, and if that fails the header is unchanged.
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
	result $? "$1: the image is unchanged"
}

# The file, the token and the keyslot that enroll creates.
fresh
exits 0 "a recovery key into a file" "$MORTISE" enroll x --recovery-key -d key --recovery-file rk -v
grep -qx 'Key slot 1 created.' out
result $? "-v prints the key slot"
[ "$(stat -c '%a %s' rk)" = "600 71" ]
result $? "the file is readable only by its owner and holds only the key"
letters='[cbdefghijklnrtuv]\{8\}'
grep -qx "$letters\(-$letters\)\{7\}" rk
result $? "the key has systemd's notation"
! grep -q -F -f rk out err
result $? "the key is not on standard output or standard error"
metadata >json
jq -e '.tokens == {"31": {"type": "systemd-recovery", "keyslots": ["1"]}}' json >/dev/null
result $? "the token is the one that systemd writes"
jq -e '.keyslots["1"].kdf | del(.salt) == {"type": "argon2id", "time": 4, "memory": 32, "cpus": 1}' \
	json >/dev/null
result $? "the keyslot has the minimum cost"
jq -e '.digests["0"].keyslots == ["0", "1"]' json >/dev/null
result $? "the key slot is bound to the data segment"

# Opening with the recovery key.
exits 0 "cryptsetup opens with the file" "$referee" open --test-passphrase x -d rk
exits 0 "mortise opens with the file" "$MORTISE" open --test-passphrase x -d rk
(cat rk; echo) >line
opens() { # STATUS DESCRIPTION PROGRAM [ARGUMENT]...: with the key on standard input
	want=$1
	what=$2
	shift 2
	"$@" open --test-passphrase x <line >out 2>err
	got=$?
	[ $got = "$want" ]
	result $? "$what (status $got)"
}
opens 0 "cryptsetup, on standard input" "$referee"
opens 0 "mortise, on standard input" "$MORTISE"
opens 0 "mortise under the name cryptsetup, on standard input" as/cryptsetup
(tr -d - <rk | tr a-z A-Z; echo) >line
opens 2 "cryptsetup, in capital letters without dashes" "$referee"
opens 0 "in capital letters without dashes" "$MORTISE"
opens 0 "the same under the name cryptsetup" as/cryptsetup
(tr a-z A-Z <rk | sed 's/^/ \t/; s/$/  /'; echo) >line
opens 0 "surrounded by blanks" "$MORTISE"
"$MORTISE" open --test-passphrase x -S 1 <line 2>/dev/null
result $? "with its key slot selected"
"$MORTISE" open --test-passphrase x -S 0 <line >out 2>err
[ $? = 2 ] && [ "$(cat err)" = "No key available with this passphrase." ]
result $? "with another key slot selected, the key is wrong"
(cut -c 1-70 rk; echo) >line
opens 2 "one letter short" "$MORTISE"
# Two groups are exchanged, so that every letter is valid.
(sed 's/^\(........\)-\(........\)/\2-\1/' rk; echo) >line
opens 2 "two groups exchanged" "$MORTISE"
[ "$(cat err)" = "No key available with this passphrase." ]
result $? "the error is the one for any wrong passphrase"
(cat rk rk; echo) >line
opens 2 "twice on one line" "$MORTISE"
"$MORTISE" token remove x --token-id 31
(tr -d - <rk; echo) >line
opens 2 "without its token, the key is an ordinary passphrase" "$MORTISE"
opens 2 "without its token, no other notation opens" "$MORTISE"
exits 0 "without its token, the key as printed opens" "$MORTISE" open --test-passphrase x -d rk

if systemd-cryptenroll --version >/dev/null 2>&1; then
	fresh
	enroll -d key --recovery-file rk-systemd >/dev/null 2>&1
	systemd-cryptenroll x >out 2>err
	grep -q '^ *1 recovery *$' out
	result $? "systemd-cryptenroll lists it as a recovery key"
	PASSWORD=secret systemd-cryptenroll x --recovery-key >systemd-key 2>err
	metadata | jq -e '.tokens | (.["31"] | .keyslots = ["2"]) == .["0"]' >/dev/null
	result $? "a recovery key of systemd has the same token"
	tr -d -- - <systemd-key | tr a-z A-Z >line
	opens 0 "a recovery key of systemd, in capital letters without dashes" "$MORTISE"
	PASSWORD=$(cat rk-systemd) systemd-cryptenroll x --wipe-slot=recovery >out 2>err
	metadata | jq -e '.keyslots | keys == ["0"]' >/dev/null
	result $? "systemd-cryptenroll wipes both"
fi

# The credentials that enroll accepts.
fresh
exits 0 "with a volume key" "$MORTISE" enroll x --recovery-key --recovery-file rk2 \
	--volume-key-file vk -S 7
metadata | jq -e '.keyslots["7"] and .tokens["31"].keyslots == ["7"]' >/dev/null
result $? "into the requested key slot"
printf 'secret\n' | "$MORTISE" enroll x --recovery-key --recovery-file rk3 >out 2>err
result $? "with a passphrase on standard input"
(tr -d - <rk3 | tr a-z A-Z; echo) | "$MORTISE" enroll x --recovery-key --recovery-file rk4 >out 2>err
result $? "with a recovery key in another notation"
printf 'xxsecretyy' >part
exits 0 "with a part of a key file" "$MORTISE" enroll x --recovery-key --recovery-file rk5 -d part \
	--keyfile-offset 2 --keyfile-size 6
for made in rk2 rk3 rk4 rk5; do
	exits 0 "cryptsetup opens with $made" "$referee" open --test-passphrase x -d $made
done
[ "$(for made in rk2 rk3 rk4 rk5; do cat $made && echo; done | sort -u | wc -l)" = 4 ]
result $? "all recovery keys differ"
"$MORTISE" luksErase -q x
exits 1 "no key slot is left to unlock" "$MORTISE" enroll x --recovery-key --recovery-file rk6 -d key
exits 0 "the volume key is sufficient" "$MORTISE" enroll x --recovery-key --recovery-file rk6 \
	--volume-key-file vk --key-size 512
exits 0 "the new recovery key opens" "$referee" open --test-passphrase x -d rk6

# A rejected request changes neither the header nor the file.
fresh
says 1 "mortise: A recovery key is printed only to a terminal, so that it does not end up in a log; use --recovery-file FILE." \
	"no terminal and no file" "$MORTISE" enroll x --recovery-key -d key
unchanged "no terminal"
[ ! -s out ]
result $? "nothing is printed"
cp rk kept
says 5 "mortise: Cannot create file rk: File exists." "the file exists" \
	"$MORTISE" enroll x --recovery-key -d key --recovery-file rk
unchanged "file exists"
ln -s nowhere link
says 5 "mortise: Cannot create file link: File exists." "the file is a link" \
	"$MORTISE" enroll x --recovery-key -d key --recovery-file link
[ ! -e nowhere ] && cmp -s rk kept
result $? "neither file was written"
says 1 "mortise: Cannot create file no/such: No such file or directory." "no such folder" \
	"$MORTISE" enroll x --recovery-key -d key --recovery-file no/such
unchanged "the file cannot be created"
refused() { # STATUS TEXT DESCRIPTION ARGUMENT...
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
refused 1 "Key slot 0 is full, please select another one." "the key slot is in use" -d key -S 0
refused 1 "Key slot 32 is invalid, please select between 0 and 31." "no such key slot" -d key -S 32
refused 2 "Volume key does not match the volume." "wrong volume key" --volume-key-file x
refused 1 "mortise: No usable token is available." "no token" --token-only
refused 1 "mortise: Token 3 is not in use." "no such token" --token-id 3

# The file is created before the header changes, and removed if that fails.
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
# LeakSanitizer does not work under strace.
if command -v strace >/dev/null; then
	strace -f -E ASAN_OPTIONS=detect_leaks=0 -o trace \
		-e trace=?open,openat,write,pwrite64,fsync,fdatasync,unlink,ftruncate \
		"$MORTISE" enroll x --recovery-key --recovery-file rk7 -d key >out 2>err
	made=$(grep -n 'open.*"rk7".*O_EXCL.*0600' trace | cut -d: -f1 | head -n 1)
	synced=$(grep -n fsync trace | cut -d: -f1 | head -n 1)
	stored=$(grep -n 'pwrite64' trace | cut -d: -f1 | head -n 1)
	[ -n "$made" ] && [ "$made" -lt "$synced" ] && [ "$synced" -lt "$stored" ]
	result $? "the file is created and flushed before the header is written"
	grep -A 9 "write(.*$(cut -c 1-20 rk7)" trace | grep -q 'fsync('
	result $? "the file is flushed again after the key is written to it"
	fresh
	says 1 "mortise: Cannot write to none: No space left on device." "no room for the file" \
		strace -f -E ASAN_OPTIONS=detect_leaks=0 -o trace -e trace=fsync \
		-e inject=fsync:error=ENOSPC:when=1 \
		"$MORTISE" enroll x --recovery-key -d key --recovery-file none
	[ ! -e none ]
	result $? "no room for the file: no file is left"
	unchanged "no room for the file"
	exits 1 "the key cannot be written to the file" strace -f -E ASAN_OPTIONS=detect_leaks=0 \
		-o trace -e trace=ftruncate -e inject=ftruncate:error=EIO "$MORTISE" enroll x --recovery-key -d key \
		--recovery-file none
	[ "$(tail -n 1 err)" = "cannot enroll a recovery key: it was not handed over" ] && [ ! -e none ]
	result $? "the error says so, and no file is left"
	metadata | jq -e '(.keyslots | keys == ["0"]) and .tokens == {}' >/dev/null
	result $? "no key slot is left without a known key"
fi

# A detached header.
truncate -s 4M data
"$referee" luksFormat -q $cheap data key --header h || exit 1
exits 0 "detached header" "$MORTISE" enroll data --header h --recovery-key -d key --recovery-file rk8
exits 0 "cryptsetup opens with it" "$referee" open --test-passphrase data --header h -d rk8
finish
