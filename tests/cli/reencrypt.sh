#!/bin/bash
# SPDX-License-Identifier: MIT
# reencrypt, with cryptsetup as the referee: it encrypts the data before and decrypts it after, and each
# program continues what the other one began and was killed in. Files with detached headers need no
# device-mapper. MORTISE, FORGE: the programs.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
need_referee

SIZE=1M
printf secret >pass
printf other >pass2
head -c $SIZE /dev/urandom >plain
offline="-q --force-offline-reencrypt --key-file pass"

# by_cryptsetup ARGUMENT...: cryptsetup. As root it would use dm-crypt for the data.
by_cryptsetup() {
	if [ "$(id -u)" = 0 ]; then
		chown -R 65534 .
		setpriv --reuid=65534 --clear-groups "$referee" --disable-locks "$@"
	else
		"$referee" --disable-locks "$@"
	fi
}

if has "reencrypt no"; then
	lacks="the volume is in reencryption, which this build does not support; use one with MORTISE_REENCRYPT"
	unmet="Unmet LUKS2 requirements detected. (online-reencrypt-v2; this build cannot continue it: use one with MORTISE_REENCRYPT)"
	truncate -s 32M image
	"$referee" luksFormat -q --type luks2 $cheap image pass || exit 1
	"$referee" reencrypt --init-only -q $cheap -d pass image || exit 1
	cp image before
	for words in "image" "--resume-only image" "--encrypt --reduce-device-size 32M plain" \
		"--decrypt --header header --limit-rate 1M --hotzone-size 1M image"; do
		says 1 "$MORTISE: Action reencrypt is not supported by this version." \
			"the build lacks reencryption: $words" "$MORTISE" reencrypt -q $words
	done
	says 1 "$lacks" "open" "$MORTISE" open --test-passphrase -d pass image
	says 1 "$lacks" "repair" "$MORTISE" repair -q -d pass image
	printf other >new
	for verb in "luksAddKey -q -d pass image new" "luksKillSlot -q image 0" \
		"luksChangeKey -q -d pass image new" "config image --label x" \
		"luksConvertKey -q -d pass $cheap image"; do
		says 1 "$unmet" "${verb%% *}" "$MORTISE" $verb
	done
	cmp image before
	result $? "the volume is unchanged"
	exits 0 "isLuks" "$MORTISE" isLuks image
	exits 0 "luksDump" "$MORTISE" luksDump image
	grep -q "online-reencrypt-v2" out
	result $? "luksDump names the requirement"
	"$MORTISE" --help >out
	! grep -qE -- "reencrypt <|--hotzone-size|--resilience" out
	result $? "--help does not list reencrypt"
	if has "declared yes"; then
		printf '%s\n' "apiVersion: v1alpha1" "kind: UserVolumeConfig" "name: data" \
			"filesystem: {type: ext4}" \
			"encryption: {provider: luks2, inPlace: true, keys: [{slot: 0, static: {passphrase: secret}}]}" >c.yaml
		plan="$MORTISE plan -q -f c.yaml --adopt --device"
		exits 6 "plan: a volume in reencryption" $plan data=image
		grep -q "refuse .*cannot open image: $lacks" out
		result $? "plan: the reason"
		truncate -s 64M plain
		mkfs.ext4 -q plain
		exits 6 "plan: a plain file system to encrypt in place" $plan data=plain
		grep -q "refuse .*plain holds ext4: not encrypted in place, because this build does not" out
		result $? "plan: the reason"
	fi
	by_cryptsetup reencrypt $offline image
	exits 0 "open, after cryptsetup has finished it" "$MORTISE" open --test-passphrase -d pass image
	finish
fi

reencrypt() {
	"$MORTISE" reencrypt $offline $cheap --header header data "$@"
}

# encrypted OPTION...: data is plain, encrypted by cryptsetup under a new header.
encrypted() {
	rm -f header
	cp plain data
	by_cryptsetup reencrypt $offline $cheap --encrypt --header header "$@" data >/dev/null
}

# filtered FILTER: changes the metadata of header.
filtered() {
	dd if=header bs=4096 skip=1 count=3 status=none | tr -d '\0' | jq -c "$1" | "$FORGE" header
}

# The data is what it was, says cryptsetup.
is_plain() {
	by_cryptsetup reencrypt $offline --decrypt --header header data >out 2>err && cmp -s plain data
}

while read -r before after; do
	encrypted ${before//,/ }
	[ "$after" != - ] || after=
	exits 0 "from $before: $after" reencrypt ${after//,/ }
	! cmp -s plain data && is_plain
	result $? "from $before: $after: cryptsetup decrypts it"
done <<-END
	--sector-size,512 -
	--sector-size,512 --resilience,journal,--hotzone-size,64K
	--sector-size,4096 --resilience,none
	--sector-size,512 --sector-size,4096
	--sector-size,4096 --sector-size,512,--hotzone-size,256K
	--cipher,aes-cbc-essiv:sha256 --cipher,aes-xts-plain64,--key-size,256
	--cipher,aes-xts-plain64 --cipher,aes-cbc-essiv:sha256,--key-size,256
	--sector-size,512 --keep-key,--sector-size,1024
	--sector-size,512 --resilience-hash,sha512
END

encrypted
exits 0 "decrypt" reencrypt --decrypt
cmp plain data
result $? "the data is plain"

# Killed at a write, and continued by the other program.
# killed NUMBER PROGRAM ARGUMENT...
killed() {
	local number=$1
	shift
	# A shell of its own, so that the signal is not reported.
	(! strace -f -qq -o /dev/null -e trace=pwrite64 \
		-e inject=pwrite64:signal=KILL:when="$number" "$@") >out 2>err
}

for resilience in checksum journal; do
	for number in 1 3 9 20 27; do
		encrypted --sector-size 512
		reencrypt --init-only --resilience $resilience
		killed $number "$MORTISE" reencrypt $offline --hotzone-size 128K --header header data
		result $? "$resilience: mortise is killed at write $number"
		cp header header.cut
		cp data data.cut
		by_cryptsetup repair -q --key-file pass --header header data </dev/null >out 2>err
		by_cryptsetup reencrypt $offline --resume-only --header header data >out 2>err && is_plain
		result $? "$resilience: cryptsetup continues after write $number"
		cp header.cut header
		cp data.cut data
		exits 0 "$resilience: mortise continues after write $number" reencrypt --resume-only
		is_plain
		result $? "$resilience: the data is there after write $number"
	done
done

# cryptsetup writes with write(2).
referee_killed() {
	local number=$1 program=("$referee" --disable-locks)
	shift
	[ "$(id -u)" != 0 ] || program=(setpriv --reuid=65534 --clear-groups "${program[@]}")
	(! strace -f -qq -o /dev/null -e trace=write -e inject=write:signal=KILL:when="$number" \
		"${program[@]}" "$@") >out 2>err
}
for resilience in checksum journal; do
	for number in 12 30; do
		encrypted --sector-size 512
		by_cryptsetup reencrypt $offline $cheap --init-only --resilience $resilience --header header data
		referee_killed $number reencrypt $offline --hotzone-size 128K --header header data
		exits 0 "$resilience: mortise continues after write $number of cryptsetup" \
			reencrypt --resume-only
		is_plain
		result $? "$resilience: the data is there after write $number of cryptsetup"
	done
done

# The protection changes while it is in progress, also that of an interrupted zone.
resilience() {
	"$MORTISE" luksDump --dump-json-metadata header |
		jq -r '.keyslots[] | select(.type == "reencrypt") | .area | "\(.type) \(.hash // "-")"'
}
for change in checksum:journal:- checksum:none:- journal:checksum:sha256 none:checksum:sha512 \
	checksum:checksum:sha512; do
	IFS=: read -r from to hash <<<"$change"
	encrypted --sector-size 512
	reencrypt --init-only --resilience "$from"
	killed 9 "$MORTISE" reencrypt $offline --hotzone-size 128K --header header data
	options="--resilience $to"
	[ "$hash" = - ] || options="$options --resilience-hash $hash"
	killed 9 "$MORTISE" reencrypt $offline --hotzone-size 128K $options --header header data
	[ "$(resilience)" = "$to $hash" ]
	result $? "the resilience changes from $from to $to $hash"
	by_cryptsetup repair -q --key-file pass --header header data </dev/null >out 2>err
	by_cryptsetup reencrypt $offline --resume-only --header header data >out 2>err && is_plain
	result $? "cryptsetup continues with resilience $to $hash"
done

# What is refused changes nothing.
unchanged() {
	cmp -s header header.before && cmp -s data data.before
	result $? "$1: nothing has changed"
}
encrypted --sector-size 512
cp header header.before
cp data data.before
says 1 "Command requires device as argument." "no device" "$MORTISE" reencrypt $offline $cheap
says 1 "Command requires device as argument." "--encrypt without a device" \
	"$MORTISE" reencrypt -q --encrypt --active-name v
says 1 "Device reencryption not in progress." "--resume-only" reencrypt --resume-only
says 1 "No data segment parameters changed. Reencryption aborted." "--keep-key alone" \
	reencrypt --keep-key
says 2 "No key available with this passphrase." "a wrong passphrase" \
	"$MORTISE" reencrypt -q --force-offline-reencrypt --key-file pass2 --header header data
says 1 "Unsupported resilience mode what" "an unknown resilience" reencrypt --resilience what
exits 1 "an unknown hash" reencrypt --resilience-hash what
exits 1 "a refused cipher" reencrypt --cipher cipher_null-ecb
exits 1 "a file without --force-offline-reencrypt" \
	"$MORTISE" reencrypt -q --key-file pass --header header data
grep -q "Device data is not a block device. Can not auto-detect if it is active or not." err
result $? "a file without --force-offline-reencrypt: the reason"
exits 1 "data that is not a multiple of the sector" reencrypt --device-size 1000K --sector-size 4096 \
	--hotzone-size 1000
unchanged "refused options"
exits 0 "another keyslot" "$MORTISE" luksAddKey -q $cheap --key-file pass header pass2
cp header header.before
says 1 "Key file can be used only with --key-slot or with exactly one key slot active." \
	"two keyslots and one file" reencrypt
unchanged "two keyslots"

# The other keyslot gets no new one.
exits 0 "--key-slot" reencrypt --key-slot 0
exits 2 "the passphrase of the other keyslot" "$MORTISE" open --test-passphrase --key-file pass2 header
is_plain
result $? "the data is there"

# In between a passphrase of both keys opens the volume; its state is shown, and bound to its keys.
encrypted --sector-size 512
exits 0 "--init-only" reencrypt --init-only
exits 1 "--init-only again" reencrypt --init-only
unmet="Unmet LUKS2 requirements detected. (online-reencrypt-v2; to finish it, run \`mortise reencrypt\`)"
exits 0 "open" "$MORTISE" open --test-passphrase --key-file pass header
exits 2 "open with a wrong passphrase" "$MORTISE" open --test-passphrase --key-file pass2 header
says 1 "$unmet" "luksAddKey" "$MORTISE" luksAddKey -q $cheap --key-file pass header pass2
"$MORTISE" check header >out 2>err
[ $? = 8 ] && [ "$(grep '^error' out)" = "error: $unmet" ]
result $? "check has one error"
"$MORTISE" luksDump header >dump
grep -q "online-reencrypt-v2" dump && grep -q "Resilience: *checksum" dump
result $? "luksDump shows it"
cp header header.before
cp data data.before
while IFS='|' read -r what filter; do
	cp header.before header
	filtered "$filter"
	cp header header.forged
	"$MORTISE" reencrypt $offline --resume-only --header header data >out 2>err
	[ $? = 1 ] && cmp -s header header.forged && cmp -s data data.before
	result $? "forged $what is refused, and nothing changes"
done <<-'END'
	mode|.keyslots |= map_values(if .type == "reencrypt" then .mode = "decrypt" else . end)
	direction|.keyslots |= map_values(if .type == "reencrypt" then .direction = "backward" else . end)
	resilience|.keyslots |= map_values(if .type == "reencrypt" then .area.type = "journal" else . end)
	form|.segments |= map_values(if .flags == ["backup-final"] then .sector_size = 1024 else . end)
	digest|(.digests[] | select(.segments == [] and .keyslots != [])).iterations = 1001
	progress|.segments["0"].size = "12345"
	version|.config.requirements.mandatory = ["online-reencrypt"]
	future|.config.requirements.mandatory = ["online-reencrypt-v999"]
	flag|.config.requirements.mandatory = []
	flags|.config.requirements.mandatory += ["online-reencrypt"]
	digest|(.keyslots | to_entries[] | select(.value.type == "reencrypt").key) as $id | .digests |= with_entries(select(.value.keyslots != [$id]))
END
cp header.before header
for change in "--resilience datashift" "--resilience datashift-journal" "--resilience what" \
	"--resilience journal --resilience-hash what --device-size 1000" "--device-size 2M"; do
	exits 1 "resumed with $change" reencrypt $change
	cmp -s header header.before && cmp -s data data.before
	result $? "resumed with $change: nothing has changed"
done

# repair checks a reencryption with its passphrase, as cryptsetup does.
repair() {
	"$MORTISE" repair -q --key-file pass --header header data
}
exits 0 "repair of a right header" repair
exits 2 "repair with a wrong passphrase" "$MORTISE" repair -q --key-file pass2 --header header data
cmp -s header header.before
result $? "repair of a right header: nothing has changed"
while IFS='|' read -r what filter; do
	cp header.before header
	filtered "$filter"
	cp header header.forged
	exits 1 "repair of a forged $what" repair
	cmp -s header header.forged && cmp -s data data.before
	result $? "repair of a forged $what: nothing has changed"
done <<-'END'
	mode|.keyslots |= map_values(if .type == "reencrypt" then .mode = "decrypt" else . end)
	resilience|.keyslots |= map_values(if .type == "reencrypt" then .area.type = "journal" else . end)
	segment|.segments |= map_values(if .flags == ["backup-previous"] then .iv_tweak = "8" else . end)
	future|.config.requirements.mandatory = ["online-reencrypt-v999"]
	flag|.config.requirements.mandatory = []
	flags|.config.requirements.mandatory += ["online-reencrypt"]
	unprotected mode|.config.requirements.mandatory = ["online-reencrypt"] | .keyslots |= map_values(if .type == "reencrypt" then .mode = "encrypt" else . end)
	shared digest|.config.requirements.mandatory = ["online-reencrypt"] | (.keyslots | to_entries[] | select(.value.type == "reencrypt").key) as $id | .digests |= (with_entries(select(.value.keyslots != [$id])) | .["0"].keyslots += [$id])
END
# Without a digest, as old programs wrote it: nothing but repair continues it, and then either program.
while IFS='|' read -r what filter; do
	for program in "$MORTISE" by_cryptsetup; do
		cp header.before header
		cp data.before data
		filtered "$filter"
		says 1 "Unprotected LUKS2 reencryption metadata detected. Run repair first." "$what" \
			reencrypt --resume-only
		exits 1 "$what: open" "$MORTISE" open --test-passphrase --key-file pass header
		exits 2 "$what: a wrong passphrase" "$MORTISE" repair -q --key-file pass2 --header header data
		exits 0 "$what: repair" repair
		"$MORTISE" luksDump header | grep -q "online-reencrypt-v2"
		result $? "$what: it is protected"
		exits 0 "$what: open after the repair" "$MORTISE" open --test-passphrase --key-file pass header
		"$program" reencrypt $offline --resume-only --header header data >out 2>err && is_plain
		result $? "$what: ${program##*/} continues"
	done
done <<-'END'
	version 1 without digest|.config.requirements.mandatory = ["online-reencrypt"] | (.keyslots | to_entries[] | select(.value.type == "reencrypt").key) as $id | .digests |= with_entries(select(.value.keyslots != [$id]))
	version 2 without digest|(.keyslots | to_entries[] | select(.value.type == "reencrypt").key) as $id | .digests |= with_entries(select(.value.keyslots != [$id]))
	version 1 with a digest|.config.requirements.mandatory = ["online-reencrypt"]
END
# An interrupted zone is finished.
for filter in . '.config.requirements.mandatory = ["online-reencrypt"]'; do
	encrypted --sector-size 512
	reencrypt --init-only --resilience journal
	killed 9 "$MORTISE" reencrypt $offline --hotzone-size 128K --header header data
	filtered "$filter"
	exits 0 "repair of an interrupted zone: $filter" repair
	! "$MORTISE" luksDump --dump-json-metadata header | grep -q '"in-reencryption"'
	result $? "repair of an interrupted zone: it is finished"
	by_cryptsetup reencrypt $offline --resume-only --header header data >out 2>err && is_plain
	result $? "repair of an interrupted zone: the data is there"
done
# New keyslots are like the old ones, unless options describe them. --keep-key needs one passphrase.
encrypted --sector-size 512
"$MORTISE" luksAddKey -q --pbkdf argon2i --pbkdf-force-iterations 4 --pbkdf-memory 64 --pbkdf-parallel 1 \
	--key-file pass header pass2
printf 'secret\nother\n' |
	"$MORTISE" reencrypt -q --force-offline-reencrypt --init-only --header header data >out 2>err
result $? "two keyslots"
[ "$("$MORTISE" luksDump --dump-json-metadata header |
	jq -c '[.keyslots[] | select(.type == "luks2").kdf | [.type, .iterations, .memory]]')" = \
	'[["pbkdf2",1000,null],["argon2i",null,64],["pbkdf2",1000,null],["argon2i",null,64]]' ]
result $? "the new keyslots are like the old ones"
encrypted --sector-size 512
"$MORTISE" luksAddKey -q $cheap --key-file pass header pass2
exits 0 "--keep-key with the key file of the second keyslot" "$MORTISE" reencrypt -q \
	--force-offline-reencrypt --key-file pass2 --keep-key --sector-size 1024 --header header data
exits 0 "decryption with the key file of the second keyslot" "$MORTISE" reencrypt -q \
	--force-offline-reencrypt --key-file pass2 --decrypt --header header data
cmp -s plain data
result $? "decryption with the key file of the second keyslot: the data is plain"
# As in cryptsetup, another cipher has its usual key size.
encrypted --cipher aes-cbc-essiv:sha256 --key-size 128
exits 0 "another cipher" reencrypt --cipher aes-xts-plain64
"$MORTISE" luksDump header | grep -q "Key: *512 bits"
result $? "another cipher has its usual key size"
encrypted --cipher aes-cbc-essiv:sha256 --key-size 128
exits 0 "the same cipher" reencrypt --cipher aes-cbc-essiv:sha256
"$MORTISE" luksDump header | grep -q "Key: *128 bits"
result $? "the same cipher keeps its key size"
cp header.before header
cp data.before data
exits 0 "the true header continues" reencrypt --resume-only --progress-json
jq -se 'last.device_bytes == "1048576"' out >/dev/null
result $? "--progress-json"
is_plain
result $? "its data is there"

cp plain data
rm header
by_cryptsetup reencrypt $offline $cheap --encrypt --init-only --header header data >/dev/null
"$MORTISE" check header >out 2>err
[ $? = 8 ] && [ "$(grep '^error' out)" = "error: $unmet" ]
result $? "check has one error during an encryption"
exits 0 "an encryption continues" reencrypt --resume-only
is_plain
result $? "an encryption continues: the data is there"

# A keyslot that only --key-slot opens elsewhere.
encrypted --sector-size 512
exits 0 "ignore a keyslot" "$MORTISE" config --priority ignore --key-slot 0 header
exits 0 "an ignored keyslot" reencrypt
is_plain
result $? "an ignored keyslot: the data is there"

# The seal: valid before, valid after, under the new key.
exits 0 "format" "$MORTISE" luksFormat -q $cheap --key-file pass --offset 0 --header sealed data
cp plain data
exits 0 "re-encrypt" "$MORTISE" reencrypt $offline $cheap --header sealed data
exits 0 "the new key has sealed the header" "$MORTISE" open --test-passphrase --sealed --key-file pass sealed

# What would stop the first zone is found before the header says that a reencryption has begun.
formatted() {
	cp plain data
	"$MORTISE" luksFormat -q $cheap --key-file pass --offset 0 --header header data "$@" 2>/dev/null
}
# refused DESCRIPTION TEXT OPTION...: reencrypt fails with TEXT.
refused() {
	local what=$1 text=$2
	shift 2
	cp header header.before
	cp data data.before
	says 1 "$text" "$what" reencrypt "$@"
	unchanged "$what"
}
formatted
filtered '.segments["0"].integrity = { type: "hmac(sha256)", journal_encryption: "none", journal_integrity: "none" }'
refused "integrity" "Reencryption of device with integrity profile is not supported."
formatted
head -c 64 /dev/zero >weak
refused "equal halves of a key" "an XTS key with equal halves is refused" --volume-key-file weak
formatted --cipher xchacha20,aes-adiantum-plain64 --key-size 256
refused "a cipher that is missing" "the crypto library does not support cipher \
xchacha20,aes-adiantum-plain64 with a key of 256 bits" --cipher aes-xts-plain64 --key-size 512
formatted --sector-size 512
filtered '.segments["0"].size = "520704"'
refused "a size in the header" "Data device is not aligned to encryption sector size (4096 bytes)." \
	--sector-size 4096
filtered '.segments["0"].size = "524288"'
cp data data.before
exits 0 "a size in the header" reencrypt
"$MORTISE" luksDump --dump-json-metadata header | jq -e '.segments["0"].size == "524288"' >/dev/null &&
	! cmp -s data data.before && cmp -s -i 524288 data data.before
result $? "a size in the header: it stays, and so does what follows the data"

# The header file as the data.
overwrite="its header is detached, and the data would overwrite it; name the data device, and this file \
with --header"
formatted
cp header header.before
ln header link
for name in header "--header header header" "--header header link"; do
	says 1 "cannot re-encrypt ${name##* }: $overwrite" "$name as the data" \
		"$MORTISE" reencrypt $offline $cheap $name
	cmp -s header header.before
	result $? "$name as the data: it is unchanged"
done
exits 0 "begin" reencrypt --init-only
cp header header.before
says 1 "cannot re-encrypt header: $overwrite" "resume without --header" "$MORTISE" reencrypt $offline header
cmp -s header header.before
result $? "resume without --header: it is unchanged"
rm link

# A JSON area with too little room for the updates of the zones.
begun=0 unbegun=0
formatted --sector-size 512
used=$(dd if=header bs=4096 skip=1 count=3 status=none | tr -d '\0' | wc -c)
for room in 1000 1300 1350 1400 1450 1600 1800 2000 2300; do
	fill=$((12288 - used - room))
	formatted --sector-size 512
	printf '{"type":"fill","keyslots":[],"text":"%*s"}' $fill '' |
		"$MORTISE" token import header --json-file - 2>/dev/null
	cp header header.before
	if reencrypt --hotzone-size 128K >out 2>err; then
		begun=$((begun + 1))
	elif grep -q "the metadata needs" err && cmp -s -n 32768 header header.before; then
		unbegun=$((unbegun + 1))
	else
		result 1 "with $room bytes of room, the JSON area stops a reencryption that has begun"
	fi
done
[ $begun -gt 0 ] && [ $unbegun -gt 0 ]
result $? "tokens that fill the JSON area stop a reencryption before it begins, or not at all"

# Two at once. The lock is a file in /run, which only root can write.
if [ "$(id -u)" = 0 ]; then
	encrypted
	"$MORTISE" reencrypt $offline $cheap --header header --hotzone-size 64K --limit-rate 32K data \
		>first 2>&1 &
	first=$!
	until "$MORTISE" luksDump header 2>err | grep 'online-reencrypt' >out || ! kill -0 $first; do
		sleep 0.1
	done
	says 5 "Reencryption process is already running." "a second run is refused" \
		"$MORTISE" reencrypt $offline --resume-only --header header data
	says 5 "Reencryption process is already running." "a second change of its protection is refused" \
		"$MORTISE" reencrypt $offline --resume-only --resilience journal --header header data
	kill -TERM $first
	wait $first
	grep -q "Reencryption interrupted." first
	result $? "the first one stops when it is asked to"
	exits 0 "another one continues" "$MORTISE" reencrypt $offline --resume-only --header header data
	is_plain
	result $? "the data is what it was"
fi
finish
