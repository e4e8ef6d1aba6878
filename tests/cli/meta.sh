#!/bin/sh
# SPDX-License-Identifier: MIT
# meta list, get, set and delete on files. meta_image.py, an independent implementation of the
# published layouts, creates the images to read and reads the images that were written.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"

image() {
	python3 "$here/meta_image.py" "$@"
}
shows() { # LINE DESCRIPTION: meta_image.py prints LINE for the file META
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
result $? "list: a table, sorted by tag"
exits 0 "get by number" meta get 9
[ "$(cat out)" = null ]
result $? "get: only the value"
exits 0 "get by name" meta get stateencryptionconfig
exits 0 "get by hexadecimal number" meta get 0xC8
[ "$(hex <out)" = 61206c61746572206f6e65 ]
result $? "get: no newline is added"
says 1 "mortise: META tag 13 has no value" "get: missing tag" meta get 13
[ ! -s out ]
result $? "get: nothing on standard output"

# Binary, from a file, from standard input, and longer than one read.
printf '\000\001\377\nend\000' >binary
exits 0 "set from a file" meta set 13 binary
shows "A 13 0001ff0a656e6400" "the first copy has the value"
shows "B 13 0001ff0a656e6400" "the second copy has the value"
meta get 13 >back
cmp -s back binary
result $? "get: binary"
head -c 200000 /dev/urandom >long
# In two pieces, as from a pipe.
{
	head -c 1000 long
	sleep 0.2
	tail -c +1001 long
} | meta set UserReserved3 -
result $? "set from standard input"
meta get 14 | cmp -s - long
result $? "get: a long value"
shows "A 9 6e756c6c" "other values are unchanged"
shows "old 6 41" "the older block is unchanged"
exits 0 "list with binary values" meta list
grep -q '^13   UserReserved2          8       (not text)$' out
result $? "list: binary values are not printed"

# Limits.
head -c 262097 /dev/zero >large
says 1 "mortise: cannot read large: it has more than 262096 bytes" \
	"a value too long for any META partition" meta set 12 large
head -c 262096 /dev/zero >large
exits 1 "a value too long for the free space" meta set 12 large
grep -q 'cannot store 262096 bytes under META tag 12: only [0-9]* are free; delete a tag' err
result $? "the error gives the free space"
new META
exits 0 "the longest possible value in a new META" meta set 12 large
[ "$(meta get 12 | wc -c)" = 262096 ]
result $? "it is stored"
exits 1 "no room for another tag" meta set 13 /dev/null
exits 0 "delete" meta delete 12
shows "A good" "a META without values is valid"
shows "B rest zero" "the value is erased"
exits 0 "delete a missing tag" meta delete 12
exits 0 "list of an empty META" meta list
[ "$(cat out)" = "No values." ]
result $? "list prints that there are no values"

# Delete also removes the tag from the older block.
image make META 9=null "old:9=from the older block" "old:6=A"
exits 0 "delete, also from the older block" meta delete 9
exits 1 "get does not find it in the older block" meta get 9
shows "old 6 41" "the older block keeps the other tags"
shows "older good" "both halves of the older block are valid"
! grep -q "^old 9" shown
result $? "the older block does not have the deleted tag"

# A damaged copy: the other copy is used, and the next write repairs it.
image make META 9=null
printf 'XX' | dd of=META bs=1 seek=100 conv=notrunc 2>/dev/null
exits 0 "the first copy is damaged" meta get 9
shows "A bad" "reading repairs nothing"
printf null | meta set 9
shows "A good" "setting the same value again repairs it"
printf null >null
touch -d '2001-01-01' META
exits 0 "set the same value" meta set 9 null
[ "$(stat -c %Y META)" = "$(date -d '2001-01-01' +%s)" ]
result $? "an unchanged value is not written again"

# list does not print the passphrases of STATE.
cat >state.json <<'JSON'
{"EncryptionProvider":"luks2","EncryptionKeys":[{"KeySlot":0,"KeyStatic":{"KeyData":"open \"sesame\""}},
{"KeySlot":1,"KeyStatic":{"KeyData": "s\u0065same\\"},"KeyNodeID":null},{"KeyStatic":{"keydata":["sesame"]}},
{"KeyStatic":{"\u004beyData":"sesame"}},{"KeyStatic":{"KeyData":""}}],"EncryptionKeySize":0}
JSON
new META
exits 0 "set the encryption of STATE" meta set 9 state.json
meta get 9 | cmp -s - state.json
result $? "get: the complete value"
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
	result $? "--json: asterisks replace the passphrases"
fi
exits 0 "list" meta list
! grep -q 'same' out
result $? "table: no passphrase"
printf '{"Passphrase":"sesame","a":[{"static":{"passphrase":{"of":"sesame"}}}],"passphrases":"shown"}' >tale
exits 0 "set passphrases under other names than Talos's" meta set 9 tale
exits 0 "list --json" meta list --json
! grep -q sesame out && grep -q shown out
result $? "they are hidden too"
for bad in '' '{' '{"KeyData":"sesame"' 'nul' '{"a":1,}' '[1 2]' '01' '"\x"' '{"a":"b' "$(printf '"\001"')" \
	"$(printf '"\377"')" 'null null' '{a:1}' '-' '1.' '1e' \
	"$(head -c 40 /dev/zero | tr '\0' '[')$(head -c 40 /dev/zero | tr '\0' ']')"; do
	printf '%s' "$bad" >bad
	says 1 "mortise: invalid value of META tag 9: it must be JSON that describes the \
encryption of STATE, or null for no encryption" "not JSON: $bad" meta set 9 bad
done
for good in null ' { } ' '[-0.5e+3,true,false,"ü",{"a":{}}]' '"\ud83d\ude00\n"'; do
	printf '%s' "$good" >good
	exits 0 "JSON: $good" meta set 9 good
done
image make META '9={"KeyData":"sesame'
exits 0 "list a value that is not JSON" meta list
grep -q '(not text)' out && ! grep -q sesame out
result $? "no part of it is printed"

# UUIDOverride must be a UUID.
printf '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed' >uuid
exits 0 "set UUIDOverride" meta set uuidoverride uuid
shows "B 15 $(hex <uuid)" "it is stored"
echo >>uuid
says 1 "mortise: invalid value of META tag 15: it must be a UUID of 36 characters, or empty" \
	"a UUID followed by a newline" meta set 15 uuid
exits 0 "set an empty UUIDOverride" meta set 15 /dev/null

# Control characters must not reach a terminal.
printf 'a\033[2Jb' >escape
exits 0 "set an escape sequence" meta set 12 escape
exits 0 "list" meta list
! grep -q "$(printf '\033')" out
result $? "list: escape sequences are not printed"
printf 'line\n\tand %s' "$(head -c 100 /dev/zero | tr '\0' x)" >lines
exits 0 "set a value of several lines" meta set 12 lines
exits 0 "list" meta list
grep -q "^12 .*  line  and x*\.\.\.$" out
result $? "list: the beginning of the value, on one line"

# Arguments.
exits 1 "no action" "$MORTISE" meta
exits 1 "unknown action" meta show
exits 1 "no tag" meta get
exits 1 "too many arguments" meta delete 9 9
exits 1 "--json with get" meta get 9 --json
exits 1 "tag out of range" meta get 256
exits 1 "unknown tag name" meta get State
exits 1 "tag 0" meta set 0 null
exits 1 "another volume" "$MORTISE" meta list --device STATE=META
exits 1 "not under the name cryptsetup" as/cryptsetup meta list
exits 4 "no such device" "$MORTISE" meta list --device META=nothing
exits 4 "no such file" meta set 12 nothing
truncate -s 2M larger
says 4 "mortise: larger is not a META partition: it has 2097152 bytes instead of 1048576" "too large" \
	"$MORTISE" meta list --device META=larger
if command -v mkfs.ext4 >/dev/null || [ -x /sbin/mkfs.ext4 ]; then
	new other
	PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -qF other 2>/dev/null
	sum=$(cksum <other)
	exits 1 "a file system" "$MORTISE" meta set 9 null --device META=other
	grep -q '^mortise: other is not META: it holds ext4' err
	result $? "the error names it"
	[ "$(cksum <other)" = "$sum" ]
	result $? "it is unchanged"
fi

finish
