#!/bin/sh
# SPDX-License-Identifier: MIT
# meta list, get, set, delete on files. What was written is read, and what is read was made, by
# meta_image.py, which knows the published layouts and nothing of ours.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"

image() {
	python3 "$here/meta_image.py" "$@"
}
shows() { # LINE DESCRIPTION: meta_image.py says so of the file META
	image show META >shown
	grep -qxF "$1" shown
	result $? "$2"
}
meta() {
	"$MORTISE" meta "$@" --device META=META
}
new() {
	rm -f "$1"
	truncate -s 1M "$1"
}
hex() {
	od -An -v -tx1 | tr -d ' \n'
}

image make META 9=null 12= "200=a later one" "old:6=A" "old:9=from the older block"
exits 0 "list" meta list
cat >want <<'TABLE'
TAG  NAME                   SIZE  VALUE
6    Upgrade                1     A
9    StateEncryptionConfig  4     null
12   UserReserved1          0     (empty)
200  -                      11    a later one
TABLE
cmp out want
result $? "list: a table, ascending"
exits 0 "get by number" meta get 9
[ "$(cat out)" = null ]
result $? "get: the value and nothing else"
exits 0 "get by name" meta get stateencryptionconfig
exits 0 "get by hexadecimal number" meta get 0xC8
[ "$(hex <out)" = 61206c61746572206f6e65 ]
result $? "get: no newline behind it"
says 1 "mortise: META holds nothing under tag 13." "get: nothing there" meta get 13
[ ! -s out ]
result $? "get: and nothing on standard output"

# Binary, from a file, from standard input, and longer than one read.
printf '\000\001\377\nend\000' >binary
exits 0 "set from a file" meta set 13 binary
shows "A 13 0001ff0a656e6400" "the first copy holds it"
shows "B 13 0001ff0a656e6400" "the second copy holds it"
meta get 13 >back
cmp -s back binary
result $? "get: binary"
head -c 200000 /dev/urandom >long
# In two pieces, as a pipe has them.
{
	head -c 1000 long
	sleep 0.2
	tail -c +1001 long
} | meta set UserReserved3 -
result $? "set from standard input"
meta get 14 | cmp -s - long
result $? "get: a long one"
shows "A 9 6e756c6c" "the others are as they were"
shows "old 6 41" "the older block, too"
exits 0 "list with binary values" meta list
grep -q '^13   UserReserved2          8       (not text)$' out
result $? "list: they are not shown"

# Limits.
head -c 262097 /dev/zero >large
says 1 "mortise: Cannot take the value from large: it has more than 262096 bytes" \
	"a value too long for any META" meta set 12 large
head -c 262096 /dev/zero >large
exits 1 "a value too long for what is left" meta set 12 large
grep -q 'META has room for [0-9]* bytes under tag 12, not for 262096' err
result $? "it says how much there is"
new META
exits 0 "the longest value in a new META" meta set 12 large
[ "$(meta get 12 | wc -c)" = 262096 ]
result $? "it is there"
exits 1 "nothing beside it" meta set 13 /dev/null
exits 0 "delete" meta delete 12
shows "A good" "a META without values is good"
shows "B rest zero" "nothing is left of the value"
exits 0 "delete what is not there" meta delete 12
exits 0 "list of an empty META" meta list
[ "$(cat out)" = "No values." ]
result $? "list says so"

# Delete takes it out of the older block too.
image make META 9=null "old:9=from the older block" "old:6=A"
exits 0 "delete, also in the older block" meta delete 9
exits 1 "it does not show through" meta get 9
shows "old 6 41" "the older block keeps the rest"
shows "older good" "both halves of it"
! grep -q "^old 9" shown
result $? "and not this"

# Damage: the other copy counts, and the next write makes it good.
image make META 9=null
printf 'XX' | dd of=META bs=1 seek=100 conv=notrunc 2>/dev/null
exits 0 "the first copy is damaged" meta get 9
shows "A bad" "reading mends nothing"
printf null | meta set 9
shows "A good" "the same value again mends it"
printf null >null
touch -d '2001-01-01' META
exits 0 "the same value" meta set 9 null
[ "$(stat -c %Y META)" = "$(date -d '2001-01-01' +%s)" ]
result $? "is not written again"

# The passphrase of STATE is shown to nobody.
cat >state.json <<'JSON'
{"EncryptionProvider":"luks2","EncryptionKeys":[{"KeySlot":0,"KeyStatic":{"KeyData":"open \"sesame\""}},
{"KeySlot":1,"KeyStatic":{"KeyData": "s\u0065same\\"},"KeyNodeID":null},{"KeyStatic":{"keydata":["sesame"]}},
{"KeyStatic":{"\u004beyData":"sesame"}},{"KeyStatic":{"KeyData":""}}],"EncryptionKeySize":0}
JSON
new META
exits 0 "set how STATE is encrypted" meta set 9 state.json
meta get 9 | cmp -s - state.json
result $? "get: the whole of it"
exits 0 "list --json" meta list --json
! grep -q 'same' out
result $? "--json: no passphrase"
if command -v jq >/dev/null; then
	jq -e '.command == "meta" and .error == null and (.entries | length) == 1 and
		(.entries[0] | .tag == 9 and .name == "StateEncryptionConfig" and .old == false)' \
		out >/dev/null
	result $? "--json: an entry"
	jq -r '.entries[0].value' out | jq -e '[.. | .KeyData? // .keydata? // empty] ==
		["******", "******", "******", "******", "******"]' >/dev/null
	result $? "--json: what stands instead"
fi
exits 0 "list" meta list
! grep -q 'same' out
result $? "table: no passphrase"
printf '{"Passphrase":"sesame","a":[{"static":{"passphrase":{"of":"sesame"}}}],"passphrases":"shown"}' >tale
exits 0 "set a passphrase that is not Talos's" meta set 9 tale
exits 0 "list --json" meta list --json
! grep -q sesame out && grep -q shown out
result $? "it is hidden, too"
for bad in '' '{' '{"KeyData":"sesame"' 'nul' '{"a":1,}' '[1 2]' '01' '"\x"' '{"a":"b' "$(printf '"\001"')" \
	"$(printf '"\377"')" 'null null' '{a:1}' '-' '1.' '1e' \
	"$(head -c 40 /dev/zero | tr '\0' '[')$(head -c 40 /dev/zero | tr '\0' ']')"; do
	printf '%s' "$bad" >bad
	says 1 "mortise: Under tag 9 stands how STATE is encrypted, as JSON: this is none. null \
means that it is not encrypted." "not JSON: $bad" meta set 9 bad
done
for good in null ' { } ' '[-0.5e+3,true,false,"ü",{"a":{}}]' '"\ud83d\ude00\n"'; do
	printf '%s' "$good" >good
	exits 0 "JSON: $good" meta set 9 good
done
image make META '9={"KeyData":"sesame'
exits 0 "list of what is not JSON" meta list
grep -q '(not text)' out && ! grep -q sesame out
result $? "nothing of it is shown"

# A UUID is one.
printf '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed' >uuid
exits 0 "set UUIDOverride" meta set uuidoverride uuid
shows "B 15 $(hex <uuid)" "it is there"
echo >>uuid
says 1 "mortise: tag 15 is a UUID of 36 characters with nothing behind it, or empty" \
	"a newline is no part of it" meta set 15 uuid
exits 0 "empty it" meta set 15 /dev/null

# What a terminal must not get.
printf 'a\033[2Jb' >escape
exits 0 "set an escape sequence" meta set 12 escape
exits 0 "list" meta list
! grep -q "$(printf '\033')" out
result $? "list: not shown"
printf 'line\n\tand %s' "$(head -c 100 /dev/zero | tr '\0' x)" >lines
exits 0 "set several lines" meta set 12 lines
exits 0 "list" meta list
grep -q "^12 .*  line  and x*\.\.\.$" out
result $? "list: one line, the beginning"

# Arguments.
exits 1 "no action" "$MORTISE" meta
exits 1 "another action" meta show
exits 1 "no tag" meta get
exits 1 "a word too many" meta delete 9 9
exits 1 "--json with get" meta get 9 --json
exits 1 "no such tag" meta get 256
exits 1 "no such name" meta get State
exits 1 "tag 0" meta set 0 null
exits 1 "another volume" "$MORTISE" meta list --device STATE=META
exits 1 "not under cryptsetup's name" as/cryptsetup meta list
exits 4 "no such device" "$MORTISE" meta list --device META=nothing
exits 4 "no such file" meta set 12 nothing
truncate -s 2M larger
says 4 "mortise: larger has 2097152 bytes: a META partition has exactly 1048576" "too large" \
	"$MORTISE" meta list --device META=larger
if command -v mkfs.ext4 >/dev/null || [ -x /sbin/mkfs.ext4 ]; then
	new other
	PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -qF other 2>/dev/null
	sum=$(cksum <other)
	exits 1 "a file system" "$MORTISE" meta set 9 null --device META=other
	grep -q '^mortise: other is not META: it holds ext4' err
	result $? "it is named"
	[ "$(cksum <other)" = "$sum" ]
	result $? "and left as it is"
fi

finish
