#!/bin/sh
# SPDX-License-Identifier: MIT
# luksDump and the other verbs that print or change metadata: the output must be, byte for byte,
# that of cryptsetup 2.6.1, on headers that cryptsetup created.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee

printf 'secret' >key
printf 'newkey' >new
truncate -s 20M no-luks
cheap_id="--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 32 --pbkdf-parallel 1"
cheap_i="--pbkdf argon2i --pbkdf-force-iterations 4 --pbkdf-memory 64 --pbkdf-parallel 2"

format() { # options of luksFormat
	rm -f image
	truncate -s 20M image
	"$referee" luksFormat -q image key $cheap "$@" >/dev/null 2>log || { cat log; exit 1; }
}
change() { "$referee" "$@" >/dev/null 2>log || { cat log; exit 1; }; }
dump() { # description
	same "$1" luksDump x
	same "$1: json" luksDump x --dump-json-metadata
	same "$1: uuid" luksUUID x
	same "$1: isLuks -v" isLuks -v x
}

format
dump "pbkdf2"
same "volume key" luksDump x --dump-volume-key -d key
same "volume key, -v" luksDump -v x --dump-volume-key -d key
same "volume key, wrong passphrase" luksDump -v x --dump-volume-key -d new
for program in "$referee" as/cryptsetup; do
	rm -f vk
	cp --sparse=always image x
	$program luksDump x --dump-volume-key -d key --volume-key-file vk >"out.${program##*/}.$$"
	stat -c %a vk >>"out.${program##*/}.$$"
	md5sum <vk >>"out.${program##*/}.$$"
	mv "out.${program##*/}.$$" "file.$((n = n + 1))"
done
cmp -s file.1 file.2
result $? "volume key into a file: contents, mode and output"
same "volume key into an existing file" luksDump x --dump-volume-key -d key \
	--volume-key-file key

format $cheap_id
dump "argon2id"
format $cheap_i
dump "argon2i"
format --label home --subsystem a-subsystem
dump "label and subsystem"
format -c aes-cbc-essiv:sha256 -s 256 -h sha512
dump "aes-cbc-essiv, sha512"
format -s 256
dump "aes-xts, 256 bits"
format --sector-size 512 --offset 40960 --luks2-metadata-size 64k
dump "metadata 64k, offset 40960"
format --luks2-metadata-size 4m --luks2-keyslots-size 4m
dump "metadata 4m"
format --luks2-keyslots-size 1m
dump "keyslots 1m"
format --keyslot-cipher aes-cbc-plain64 --keyslot-key-size 128
dump "another keyslot cipher"
format --align-payload 65536
dump "aligned"
format --uuid 12345678-1234-1234-1234-123456789ABC
dump "uuid given"

format
change luksAddKey -q image -d key new $cheap_id -S 7
change luksAddKey -q image -d key new $cheap_i -S 3
change luksAddKey -q image new $cheap --unbound --key-size 256 -S 12
change config image -S 3 --priority prefer
change config image -S 7 --priority ignore
dump "slots, one unbound, priorities"
same "unbound key" luksDump x --unbound -S 12 -d new
same "unbound key, -v, wrong passphrase" luksDump -v x --unbound -S 12 -d key
same "unbound key of a bound slot" luksDump x --unbound -S 3 -d new
same "unbound key of an inactive slot" luksDump x --unbound -S 20 -d new
same "open unbound" open -v --test-passphrase x -S 12 -d new
same "open ignored slot: by number" open -v --test-passphrase x -S 7 -d new
same "open preferred slot" open -v --test-passphrase x -d new
change token add image --key-description one:two -S 0
change token add image --key-description three --unbound
change token import image --json-file - -S 7 <<'JSON'
{"type":"some-token","keyslots":["3","0"],"member":{"a":[1,2.50,"\u00e9/"]}}
JSON
dump "tokens"
same "token export" token export x --token-id 2
same "token export, not in use" token export -v x --token-id 9
same "token remove" token remove -v x --token-id 2
same "token remove, not in use" token remove -v x --token-id 9
same "token remove, no such id" token remove -v x --token-id 32
feed() { printf '{"type":"t","keyslots":["3"]}'; }
same "token import" token import -v x
same "token import, in use" token import -v x --token-id 0
same "token import, no such id" token import -v x --token-id 40
same "token import, inactive slot" token import -v x -S 30
same "token import, no file" token import -v x --json-file no-such-file
same "token, no header" token export no-luks --token-id 0
feed() { :; }
change luksKillSlot -q image 3 </dev/null
dump "a slot removed"
change erase -q image
dump "erased"

format
cat >clevis.json <<'JSON'
{"type":"clevis","keyslots":["0"],"jwe":{"ciphertext":"","encrypted_key":"","iv":"","protected":"","tag":""}}
JSON
change token import image --json-file clevis.json
dump "clevis token"

says 1 "Keyslot 9 is not active." "config: priority of an inactive slot" \
	as/cryptsetup config image -S 9 --priority prefer
same "config: nothing to do" config x
same "config: label" config -v x --label L
same "config: no header" config -v no-luks --label L
same "dump: no header" luksDump -v no-luks
same "dump: no such device" luksDump -v no-such-device
same "uuid: no header" luksUUID -v no-luks
same "uuid: set" luksUUID -q x --uuid 87654321-1234-1234-1234-123456789abc
same "uuid: wrong" luksUUID -q x --uuid 87654321
same "isLuks: no header" isLuks -v no-luks
same "isLuks: no such device" isLuks -v no-such-device
same "isLuks: two devices" isLuks -v x x
same "dump: detached" luksDump no-such-device --header x

# A sequence of changes made by mortise: after each, both programs print the same.
format
for words in "config image --label new --subsystem sub" "config image -S 0 --priority prefer" \
	"luksAddKey -q $cheap image -d key new" "luksChangeKey -q $cheap image -d new key" \
	"luksUUID -q image --uuid 11111111-2222-3333-4444-555555555555" \
	"luksAddKey -q $cheap image -d key --unbound --key-size 128 new" \
	"luksKillSlot -q image 0"; do
	as/cryptsetup $words </dev/null 2>/dev/null || result 1 "$words"
	dump "after $words"
done
finish
