#!/bin/bash
# SPDX-License-Identifier: MIT
# Bad input of every kind. The program must exit with an error status (the one of cryptsetup, where
# cryptsetup knows the case), print a message on standard error, and leave the image unchanged.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee

printf 'secret' >key
printf 'newkey' >new
printf 'wrong' >wrong
truncate -s 17M good
"$referee" luksFormat -q $cheap --key-file key good || exit 1
fast_argon="--pbkdf-memory 32 --pbkdf-force-iterations 4 --pbkdf-parallel 1"

# A CRC: a cryptographic hash of 17 MB takes longer than the two programs that are compared.
sum() { cksum "$1" 2>/dev/null; }

# refused STATUS|same DESCRIPTION ARGUMENT...: mortise fails on ./x with STATUS, or, for "same",
# with the status of cryptsetup.
refused() {
	local want=$1 what=$2 got before
	shift 2
	before=$(sum x)
	"$MORTISE" "$@" >out 2>err </dev/null
	got=$?
	if [ "$before" != "$(sum x)" ]; then
		result 1 "$what: the image was changed"
		return
	fi
	if [ "$want" = same ]; then
		if [ -f x ]; then cp --sparse=always x x.before; fi
		"$referee" "$@" >/dev/null 2>err.c </dev/null
		want=$?
		if [ -f x ]; then cp --sparse=always x.before x; fi
	fi
	if [ "$got" = "$want" ] && [ "$got" != 0 ] && [ -s err ]; then
		result 0 "$what (status $got)"
	else
		result 1 "$what (status $got, expected $want; or no message)"
		sed 's/^/# /' out err
	fi
}

# Runs every verb on an unusable device.
device() { # DESCRIPTION
	refused same "$1: open" open --test-passphrase --key-file key x
	refused same "$1: luksDump" luksDump x
	refused same "$1: luksAddKey" luksAddKey -q $cheap --key-file key x new
	refused same "$1: luksKillSlot" luksKillSlot -q x 0
	refused same "$1: token export" token export --token-id 0 x
	refused same "$1: config" config --label l x
	"$MORTISE" isLuks x >/dev/null 2>&1
	status_m=$?
	"$referee" isLuks x >/dev/null 2>&1
	result $(($? != status_m)) "$1: isLuks (status $status_m)"
}

for size in 0 511 4096 16384 32768 1048576; do
	rm -f x
	head -c $size good >x
	device "cut to $size bytes"
done
# An intact header on a device that ends inside the keyslots area.
rm -f x
head -c 16777215 good >x
device "one byte too short"
rm -f x
mkdir x
device "a directory"
refused 4 "a directory: luksFormat" luksFormat -q $cheap x key
rmdir x
device "missing device"
refused 4 "missing device: luksFormat" luksFormat -q $cheap x key
refused 4 "missing device: header" open --test-passphrase --header x --key-file key good
# cryptsetup waits for a writer, possibly forever.
mkfifo x
exits 4 "a fifo: open" timeout 300 "$MORTISE" open --test-passphrase --key-file key x
exits 4 "a fifo: luksFormat" timeout 300 "$MORTISE" luksFormat -q $cheap x key
rm x
for verb in "open --test-passphrase --key-file key" luksDump \
	"luksFormat -q $cheap --key-file key"; do
	# shellcheck disable=SC2086
	exits 4 "a character device: ${verb%% *}" "$MORTISE" $verb /dev/zero
done
head -c 20000000 /dev/urandom >x
device "random data"

cp --sparse=always good x
read_only() { # DESCRIPTION
	exits 0 "$1: open" "$MORTISE" open --test-passphrase --key-file key x
	exits 0 "$1: luksDump" "$MORTISE" luksDump x
	for verb in "luksAddKey -q $cheap --key-file key x new" "luksKillSlot -q x 0" \
		"config --label l x" "luksFormat -q $cheap x key"; do
		# shellcheck disable=SC2086
		refused ${2:-same} "$1: ${verb%% *}" $verb
	done
}
if [ "$(id -u)" != 0 ]; then
	chmod 400 x
	read_only "a read-only file"
elif chattr +i x 2>/dev/null; then
	# cryptsetup fails to take its own lock here, and exits with another status.
	read_only "an immutable file" 4
	chattr -i x
fi
if [ "$(id -u)" = 0 ] && loop=$(losetup --show -r -f good 2>/dev/null); then
	exits 0 "a read-only loop device: open" "$MORTISE" open --test-passphrase \
		--key-file key "$loop"
	exits 4 "a read-only loop device: luksAddKey" "$MORTISE" luksAddKey -q $cheap \
		--key-file key "$loop" new
	losetup -d "$loop"
fi

rm -f x
cp --sparse=always good x
head -c 8388609 /dev/zero >too-long
for file in "as" no-such-file too-long; do
	refused same "key file $file" open --test-passphrase --key-file $file x
	refused same "new key file $file" luksAddKey -q $cheap --key-file key x $file
	refused same "format with key file $file" luksFormat -q $cheap x $file
done
refused same "key file shorter than --keyfile-size" open --test-passphrase --key-file key -l 7 x
refused same "offset beyond the key file" open --test-passphrase --key-file key --keyfile-offset 7 x
refused same "new key file shorter than --new-keyfile-size" luksAddKey -q $cheap --key-file key --new-keyfile-size 7 x new
refused same "offset beyond the new key file" luksAddKey -q $cheap --key-file key --new-keyfile-offset 7 x new
refused same "wrong key" open --test-passphrase --key-file wrong x
refused same "wrong key: add" luksAddKey -q $cheap --key-file wrong x new
refused same "wrong key: change" luksChangeKey -q $cheap --key-file wrong x new
refused same "wrong key: remove" luksRemoveKey -q x wrong
refused same "no input" open --test-passphrase x

for slot in 32 99 2147483647 -1 -2 x 1x 0x1 "" 99999999999999999999; do
	refused same "add to slot \"$slot\"" luksAddKey -q $cheap --key-file key -S "$slot" x new
	refused same "format slot \"$slot\"" luksFormat -q $cheap -S "$slot" x key
	refused same "open slot \"$slot\"" open --test-passphrase --key-file key -S "$slot" x
	refused same "token id \"$slot\"" token remove --token-id "$slot" x
done
for slot in 31 33 -1 99999999999; do
	"$MORTISE" luksKillSlot -q x -- "$slot" >out 2>err </dev/null
	result $(($? != 1)) "kill slot $slot: status 1"
done
# cryptsetup parses these as 0 and removes keyslot 0.
for slot in x 1x ""; do
	refused 1 "kill slot \"$slot\"" luksKillSlot -q x "$slot"
done
refused same "add to a full slot" luksAddKey -q $cheap --key-file key -S 0 x new
refused same "change an empty slot" luksChangeKey -q $cheap --key-file key -S 5 x new
refused same "kill an empty slot" luksKillSlot -q x 5
refused same "priority of an empty slot" config -S 5 --priority prefer x

for number in x -1 1.5 1x 99999999999999999999 ""; do
	for option in key-size sector-size pbkdf-memory pbkdf-force-iterations iter-time offset \
		align-payload keyfile-size luks2-metadata-size luks2-keyslots-size; do
		refused same "--$option \"$number\"" luksFormat -q "--$option=$number" x key
	done
done
for size in 1 8191 16385 17k 8m 3m; do
	refused same "metadata size $size" luksFormat -q $cheap --luks2-metadata-size $size x key
done
for size in 1 1000 4097 129m 1t; do
	refused same "keyslots size $size" luksFormat -q $cheap --luks2-keyslots-size $size x key
done
refused same "both sizes and an offset too small" luksFormat -q $cheap --luks2-metadata-size 64k \
	--luks2-keyslots-size 16m --offset 128 x key
for uuid in x 12345678 12345678-1234-1234-1234-12345678901 12345678-1234-1234-1234-1234567890123 \
	12345678-1234-1234-1234-12345678901g 12345678x1234-1234-1234-123456789012; do
	refused 1 "format uuid $uuid" luksFormat -q $cheap --uuid "$uuid" x key
	refused same "set uuid $uuid" luksUUID -q --uuid "$uuid" x
done
# cryptsetup 2.6.1 silently truncates these.
long=123456789012345678901234567890123456789012345678
for option in label subsystem; do
	refused 1 "format $option of 48 bytes" luksFormat -q $cheap --$option $long x key
	refused 1 "set $option of 48 bytes" config --$option $long x
	cp --sparse=always x y
	exits 0 "set $option of 47 bytes" "$MORTISE" config --$option ${long%8} y
	"$referee" luksDump y | grep -q "${long%8}\$"
	result $? "set $option of 47 bytes: it is stored in full"
done
refused 1 "unknown hash" luksFormat -q $cheap -h no-such-hash x key
refused 1 "unknown hash for a keyslot" luksAddKey -q $cheap -h no-such-hash --key-file key x new
refused 1 "hash name too long" luksFormat -q $cheap -h $long$long x key
for spec in "no-such-cipher -s 256" "aes-nomode-plain64 -s 256" "aes-xts-noiv -s 512" \
	"aes-xts-plain64 -s 384" \
	"aes-xts-plain64 -s 8" "aes-xts-plain64 -s 1024" "aes-cbc-essiv:sha256 -s 512" \
	"aes-xts-plain64 -s 257" "cipher_null-ecb -s 256" "$long$long$long-xts-plain64 -s 512"; do
	# shellcheck disable=SC2086
	refused 1 "cipher ${spec}" luksFormat -q $cheap -c $spec x key
done
for area in "aes-xts-plain64 384" "aes-xts-plain64 8" "cipher_null-ecb 256" "no-such-cipher 256" \
	"aes-xts-plain64 7"; do
	refused 1 "keyslot cipher $area" luksAddKey -q $cheap --key-file key \
		--keyslot-cipher "${area% *}" --keyslot-key-size "${area#* }" x new
done
for size in 0 256 511 513 8192; do
	refused 1 "sector size $size" luksFormat -q $cheap --sector-size $size x key
done

# A KDF that needs more memory than the process may use: reported before it is run.
rm -f huge
truncate -s 17M huge
"$referee" luksFormat -q --pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 524288 \
	--pbkdf-parallel 1 --key-file key huge
before=$(sum huge)
# A program built with a sanitizer does not even start in this little address space.
if (ulimit -v 300000 && exec "$MORTISE" --version) >/dev/null 2>&1; then
	(ulimit -v 300000 && exec "$MORTISE" open --test-passphrase --key-file key huge) >out 2>err
	[ $? = 3 ] && grep -q "keyslot 0.*MiB" err
	result $? "no memory for a keyslot: status 3 and the reason"
	sed 's/^/# /' err
	(ulimit -v 300000 && exec "$MORTISE" luksAddKey -q --pbkdf argon2id --pbkdf-force-iterations 4 \
		--pbkdf-memory 524288 --key-file key x new) >out 2>err
	[ $? = 3 ] && grep -q "keyslot.*MiB" err
	result $? "no memory for a new keyslot: status 3 and the reason"
fi
[ "$before" = "$(sum huge)" ]
result $? "no memory: the image is unchanged"

# Headers that are full: keyslots, tokens, JSON area, keyslots area.
rm -f x
cp --sparse=always good x
for _ in $(seq 31); do
	"$MORTISE" luksAddKey -q $cheap --key-file key x new 2>err || break
done
exits 0 "32 keyslots: the last one opens" "$MORTISE" open --test-passphrase -S 31 --key-file new x
refused same "a 33rd keyslot" luksAddKey -q $cheap --key-file key x new
refused same "a 33rd keyslot, by number" luksAddKey -q $cheap --key-file key -S 7 x new

rm -f x
cp --sparse=always good x
for _ in 1 2 3 4 5 6 7; do
	"$MORTISE" luksAddKey -q $cheap --unbound -s 256 x new 2>err || break
done
exits 0 "8 digests: the last one opens" "$MORTISE" open --test-passphrase --unbound -S 7 \
	--key-file new x
refused same "a 9th digest" luksAddKey -q $cheap --unbound -s 256 x new

rm -f x
cp --sparse=always good x
printf '{"type":"t","keyslots":[]}' >token
for _ in $(seq 32); do
	"$MORTISE" token import --json-file token x 2>err || break
done
"$MORTISE" token export --token-id 31 x >out 2>err
cmp -s token out
result $? "32 tokens: the last one is stored"
refused same "a 33rd token" token import --json-file token x

rm -f x
cp --sparse=always good x
printf '{"type":"t","keyslots":[],"fill":"%4000s"}' "" >token
imported=0
while "$MORTISE" token import --json-file token x 2>/dev/null; do
	imported=$((imported + 1))
done
result $((imported != 2)) "tokens of 4 kB until the JSON area is full: two fit"
refused same "a token that does not fit" token import --json-file token x
"$MORTISE" token import --json-file token x 2>err
grep -q "JSON area has 12288" err
result $? "a token that does not fit: the error gives the size of the area"
# A token that fills the JSON area to the last byte is accepted; one byte more is not.
used=$(dd if=x bs=4096 skip=1 count=3 status=none | tr -d '\0' | wc -c)
sized() { printf '{"type":"t","keyslots":[],"fill":"%*s"}' "$1" ""; }
base=$(($(sized 0 | wc -c) + 5))
sized $((12288 - used - base)) >token
refused 1 "a token one byte too large" token import --json-file token x
sized $((12287 - used - base)) >token
exits 0 "a token that fills the area" "$MORTISE" token import --json-file token x
exits 0 "... cryptsetup reads the header" "$referee" luksDump x
refused 1 "a keyslot that does not fit the JSON area" luksAddKey -q $cheap --key-file key x new
exits 0 "... the image still opens" "$referee" open --test-passphrase --key-file key x

# A keyslots area with room for one keyslot: adding fails. Changing needs a second area, because the old
# key must not be overwritten, and takes it from the space before the data; without this, it fails, too.
rm -f x
truncate -s 17M x
"$referee" luksFormat -q $cheap --luks2-keyslots-size 256k --key-file key x >/dev/null 2>&1
refused same "no room for another keyslot" luksAddKey -q $cheap --key-file key x new
exits 0 "the keyslots area grows for the changed key" \
	"$MORTISE" luksChangeKey -q $cheap --key-file key x new
exits 0 "... cryptsetup opens it" "$referee" open --test-passphrase --key-file new x
"$referee" luksFormat -q $cheap --luks2-keyslots-size 256k --offset 576 --key-file key x >/dev/null 2>&1
refused 1 "no second area for the changed key" luksChangeKey -q $cheap --key-file key x new

for json in '' '{' '[]' '"x"' 'null' '{}' '{"type":"t"}' '{"keyslots":[]}' \
	'{"type":"","keyslots":[]}' \
	'{"type":1,"keyslots":[]}' '{"type":"t","keyslots":{}}' '{"type":"t","keyslots":[0]}' \
	'{"type":"t","keyslots":["9"]}' '{"type":"luks2-new","keyslots":[]}' \
	'{"type":"luks2-keyring","keyslots":[]}'; do
	printf '%s' "$json" >token
	refused same "token $json" token import --json-file token x
done
refused same "token file missing" token import --json-file no-such-file x
refused same "token file is a directory" token import --json-file as x

# Processes that add keys at the same time must each get a keyslot of their own.
rm -f x
cp --sparse=always good x
for run in 1 2 3; do
	pids=
	for i in 1 2 3; do
		"$MORTISE" luksAddKey -q $fast_argon --key-file key x new 2>err.$i &
		pids="$pids $!"
	done
	all=0
	for pid in $pids; do
		wait "$pid" || all=1
	done
	result $all "three luksAddKey at once, run $run"
	cat err.1 err.2 err.3 | sed 's/^/# /'
done
[ "$("$referee" luksDump x | grep -c ': luks2')" = 10 ]
result $? "all their keyslots exist"
for slot in 1 2 3 4 5 6 7 8 9; do
	exits 0 "slot $slot opens" "$referee" open --test-passphrase -S $slot --key-file new x
done
# One process adds a key while another removes one: the area of the removed keyslot may be reused
# only after it is wiped.
for run in 1 2 3 4 5; do
	"$MORTISE" luksAddKey -q $cheap --key-file key -S 20 x new
	"$MORTISE" luksKillSlot -q x 20 </dev/null 2>err &
	"$MORTISE" luksAddKey -q $cheap --key-file key -S 21 x new 2>err.2
	status=$?
	wait $!
	[ $status = 0 ] && "$referee" open --test-passphrase -S 21 --key-file new x
	result $? "add during a removal, run $run"
	"$MORTISE" luksKillSlot -q x 21 </dev/null 2>/dev/null
	"$MORTISE" luksKillSlot -q x 20 </dev/null 2>/dev/null
done
finish
