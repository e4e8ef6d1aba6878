#!/bin/sh
# SPDX-License-Identifier: MIT
# luksHeaderBackup, luksHeaderRestore and repair: files and devices are exchanged with cryptsetup, and
# both programs print the same. check.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
need_referee

printf secret >key
printf other >other
truncate -s 20M volume
"$MORTISE" luksFormat -q $cheap volume key || exit 1
header=16777216 # bytes of the header area

opens() { # IMAGE KEY DESCRIPTION: with both programs
	"$referee" open --test-passphrase -d "$2" "$1" 2>err && "$MORTISE" open --test-passphrase -d "$2" "$1" 2>>err
	result $? "$3"
}
again() {
	cp --sparse=always volume image
}

# A backup is cryptsetup's, byte for byte, for several sizes of a header and a detached one.
again
exits 0 "a backup" "$MORTISE" luksHeaderBackup image --header-backup-file ours
"$referee" luksHeaderBackup image --header-backup-file theirs
cmp ours theirs && [ "$(stat -c %a ours)" = 400 ]
result $? "it is the same file as cryptsetup's, with mode 400"
for size in 16k:252k 64k:1m 4m:8m; do
	rm -f small our their
	truncate -s 20M small
	"$referee" luksFormat -q $cheap --type luks2 --luks2-metadata-size ${size%:*} \
		--luks2-keyslots-size ${size#*:} small key
	"$MORTISE" luksHeaderBackup small --header-backup-file our
	"$referee" luksHeaderBackup small --header-backup-file their
	cmp our their
	result $? "the same for $size"
	"$MORTISE" luksAddKey -q $cheap -d key small other
	exits 0 "a restore of $size" "$MORTISE" luksHeaderRestore -q small --header-backup-file their
	cmp -n "$(stat -c %s their)" small their
	result $? "the header is the backup of $size"
done
"$MORTISE" luksFormat -q $cheap volume key --header detached
"$MORTISE" luksHeaderBackup /nonexistent --header detached --header-backup-file ours.d
cmp ours.d detached
result $? "the backup of a detached header"

# The same texts and statuses.
again
same "an existing file" luksHeaderBackup x --header-backup-file ours
same "no option" luksHeaderBackup x
same "no option to restore" luksHeaderRestore x
same "not LUKS" luksHeaderBackup key --header-backup-file new
same "no device" luksHeaderBackup missing --header-backup-file new
same "a restore" luksHeaderRestore x --header-backup-file ours
says 1 "Cannot open header backup file missing." "no backup" \
	"$MORTISE" luksHeaderRestore image --header-backup-file missing
same "another file" luksHeaderRestore x --header-backup-file key
same "not a device" luksHeaderRestore missing --header-backup-file ours
same "metadata of another size" luksHeaderRestore x --header-backup-file our
cp image keep
"$referee" luksFormat -q $cheap --type luks2 --offset 32768 --luks2-keyslots-size 1m image key
same "another end of the keyslots area" luksHeaderRestore x --header-backup-file ours
"$referee" luksFormat -q $cheap --type luks2 --offset 16384 image key
same "another start of the data" luksHeaderRestore x --header-backup-file ours
cp keep image
again
exits 1 "no directory" "$MORTISE" luksHeaderBackup image --header-backup-file missing/file
exits 1 "a directory" "$MORTISE" luksHeaderBackup image --header-backup-file .
(
	trap '' XFSZ
	ulimit -f 1000
	"$MORTISE" luksHeaderBackup image --header-backup-file full 2>err
)
[ $? = 1 ] && [ ! -e full ]
result $? "no space for the file: it is removed"

# Each program restores the other's backup; the seal returns with it.
"$MORTISE" seal -q image -d key >out
rm -f sealed
"$MORTISE" luksHeaderBackup image --header-backup-file sealed
"$referee" luksAddKey -q $cheap -d key image other
"$MORTISE" luksKillSlot -q image 0
opens image other "another key"
exits 0 "cryptsetup's restore" "$referee" luksHeaderRestore -q image --header-backup-file sealed
opens image key "after cryptsetup's restore"
"$MORTISE" luksChangeKey -q $cheap -d key image other
exits 0 "a restore over another keyslot" "$MORTISE" luksHeaderRestore -q image --header-backup-file sealed
opens image key "after the restore"
exits 2 "the other key is gone" "$MORTISE" open --test-passphrase -d other image
cmp -n $header image sealed
result $? "the header is the backup"
exits 0 "the seal is valid" "$MORTISE" seal --check image -d key

# A device without a header: wiped, formatted by mistake, or of another layout.
dd if=/dev/zero of=image bs=1M count=16 conv=notrunc status=none
exits 0 "a restore of a wiped header" "$MORTISE" luksHeaderRestore -q image --header-backup-file ours
opens image key "after a restore of a wiped header"
mkfs.ext4 -qF -E nodiscard image 2>/dev/null
exits 0 "a restore over ext4" "$MORTISE" luksHeaderRestore -q image --header-backup-file ours
opens image key "after a restore over ext4"
"$MORTISE" luksFormat -q $cheap image other
exits 0 "a restore over another volume" "$MORTISE" luksHeaderRestore -q image --header-backup-file ours
grep -q 'warning: ours has another volume key than the header of image' err
result $? "its volume key is compared"
opens image key "after a restore over another volume"
"$MORTISE" luksFormat -q $cheap --offset 24576 image other
cp --sparse=always image before
says 1 "mortise: to restore it anyway, use --force" "another start of the data" \
	"$MORTISE" luksHeaderRestore -q image --header-backup-file ours
grep -qx 'Data offset differ on device and backup, restore failed.' err && cmp -s image before
result $? "it is named, and nothing is changed"
exits 0 "by force" "$MORTISE" luksHeaderRestore -q --force image --header-backup-file ours
opens image key "after a restore by force"

# Detached headers.
cp --sparse=always volume image
says 1 "mortise: to restore it anyway, use --force" "a detached header on another start of the data" \
	"$MORTISE" luksHeaderRestore -q image --header-backup-file ours.d
dd if=/dev/urandom of=image bs=1M count=1 conv=notrunc status=none
cp --sparse=always image before
exits 1 "a detached header over data" "$MORTISE" luksHeaderRestore -q image --header-backup-file ours.d
grep -q "ours.d is the backup of a detached header, and image may hold the data" err && cmp -s image before
result $? "it is refused, and nothing is changed"
: >empty
exits 0 "an empty header file" "$MORTISE" luksHeaderRestore -q empty --header-backup-file ours.d
cmp empty detached
result $? "it is extended and restored"
head -c 1M /dev/urandom >damaged
exits 1 "a header file that is too short" \
	"$MORTISE" luksHeaderRestore -q image --header damaged --header-backup-file ours.d
cp --sparse=always detached damaged
dd if=/dev/urandom of=damaged bs=1M count=1 conv=notrunc status=none
exits 0 "--header" "$MORTISE" luksHeaderRestore -q image --header damaged --header-backup-file ours.d
cmp damaged detached && cmp -s image before
result $? "it alone is restored"

# Damaged backups.
cp ours half
chmod 600 half
dd if=/dev/zero of=half bs=4K count=1 conv=notrunc status=none
again
exits 0 "one copy is enough" "$MORTISE" luksHeaderRestore -q image --header-backup-file half
opens image key "after one copy"
cp --sparse=always image before
dd if=/dev/zero of=half bs=4K count=8 conv=notrunc status=none
exits 1 "no copy" "$MORTISE" luksHeaderRestore -q image --header-backup-file half
head -c 1M ours >short
exits 1 "a short file" "$MORTISE" luksHeaderRestore -q image --header-backup-file short
exits 1 "the device itself" "$MORTISE" luksHeaderRestore -q image --header-backup-file image
rm -f one one.backup
truncate -s 20M one
"$referee" luksFormat -q --type luks1 --pbkdf-force-iterations 1000 one key
"$referee" luksHeaderBackup one --header-backup-file one.backup
says 1 "cannot restore one.backup: it is the backup of a LUKS1 header, not LUKS2" "a LUKS1 backup" \
	"$MORTISE" luksHeaderRestore -q image --header-backup-file one.backup
says 1 "cannot back up the header of one: it is LUKS1, not LUKS2" "a LUKS1 device" \
	"$MORTISE" luksHeaderBackup one --header-backup-file new
[ ! -e new ] && cmp -s image before
result $? "nothing is changed"

# repair: a bad copy, as in cryptsetup.
mends() { # DESCRIPTION
	exits 0 "$1: a repair" "$MORTISE" repair -q image
	exits 0 "$1: nothing is left" "$MORTISE" repair --dry-run image
	grep -qx 'No known problems detected for LUKS header.' out
	result $? "$1: nothing is left to do"
	dd if=image bs=4096 skip=1 count=3 status=none of=first
	dd if=image bs=4096 skip=5 count=3 status=none of=second
	cmp first second
	result $? "$1: the copies are equal"
	opens image key "$1"
}
would() { # DESCRIPTION TEXT: --dry-run says it and changes nothing
	cp --sparse=always image before
	exits 0 "$1: --dry-run" "$MORTISE" repair --dry-run image
	grep -qF "would repair: $2" out && cmp -s image before
	result $? "$1: --dry-run says so, and changes nothing"
}
again
same "repair of a good header" repair -v x
same "repair without a question" repair -v -q x
cp key image
same "repair of another file" repair x
same "repair of no device" repair missing
for copy in 0 1; do
	again
	printf x | dd of=image bs=1 seek=$((copy * 16384 + 4200)) conv=notrunc status=none
	same "repair of copy $copy" repair -v x
	would "copy $copy" "the $([ $copy = 0 ] && echo first || echo second) header copy is not valid: checksum does not match"
	mends "copy $copy"
done
again
cp --sparse=always image new
"$MORTISE" config new --label other
dd if=new of=image bs=16K count=1 conv=notrunc status=none
would "an older copy" "the second header copy is older: sequence number 3, not 4"
mends "an older copy"
json=image.json
forge() { # FILTER [FORGE-ARGUMENT...]: changes the metadata of both copies
	dd if=image bs=4096 skip=1 count=3 status=none | tr -d '\0' | jq -c "$1" >$json
	shift
	"$FORGE" image "$@" <$json
}
again
cp --sparse=always image new
dd if=image bs=4096 skip=1 count=3 status=none | tr -d '\0' |
	jq -c '.config.flags=["allow-discards"]' | "$FORGE" new
dd if=new of=image bs=16K skip=1 seek=1 count=1 conv=notrunc status=none
would "copies that differ" "the header copies differ, and have one sequence number, 3"
mends "copies that differ"
for type in talos-tpm2 systemd-recovery sideroKMS clevis; do
	again
	forge '.tokens."5"={type:"'$type'",keyslots:[]}|.tokens."6"={type:"mine",keyslots:[]}|.tokens."7"={type:"'$type'",keyslots:["0"]}'
	would "an orphan of $type" "token 5 ($type) belongs to no keyslot"
	mends "an orphan of $type"
	[ "$("$referee" luksDump --dump-json-metadata image | jq -c '.tokens|keys')" = '["6","7"]' ]
	result $? "an orphan of $type: other tokens stay"
done
for high in 7fffffffffffffff fffffffffffffffe ffffffffffffffff; do
	again
	perl -e 'print pack("H*", $ARGV[0])' $high | dd of=image bs=1 seek=16 conv=notrunc status=none
	forge .
	would "sequence number $high" "the sequence number $(python3 -c "print(0x$high)") is close to its end"
	mends "sequence number $high"
	"$referee" luksDump image | grep -q '^Epoch:.*3$'
	result $? "sequence number $high: it begins again"
	exits 0 "sequence number $high: cryptsetup updates it" "$referee" config image --label L
done

# A foreign signature covers one copy: upstream's image with LVM, and others.
: "${CRYPTSETUP_TESTS:=$("$here/../../tools/cryptsetup-tests")}"
xz -dc "$CRYPTSETUP_TESTS/blkid-luks2-pv.img.xz" >pv
foreign() { # DESCRIPTION: of ./image
	has "signatures no" && return
	for option in "" --disable-locks "--type luks2"; do
		same "$1: isLuks $option" isLuks $option x
	done
	cp --sparse=always image before
	exits 1 "$1: luksDump" "$MORTISE" luksDump image
	exits 8 "$1: check" "$MORTISE" check image
	grep -q '^error: the place of the .* header copy may hold other data' out && cmp -s image before
	result $? "$1: check says so, and changes nothing"
	same "$1: repair" repair x
	same "$1: repair -q" repair -q x
	exits 0 "$1: isLuks after the repair" "$MORTISE" isLuks x
	exits 0 "$1: cryptsetup isLuks" "$referee" isLuks x
}
cp pv image
foreign "LVM"
again
dd if=/dev/zero of=image bs=16K count=1 conv=notrunc status=none
echo ',' | sfdisk -q --label dos image 2>/dev/null
foreign "a partition table"
again
dd if=/dev/zero of=image bs=16K seek=1 count=1 conv=notrunc status=none
printf '\001CD001\001' | dd of=image bs=1 seek=32768 conv=notrunc status=none
foreign "ISO 9660"
again
dd if=/dev/zero of=image bs=32K count=1 conv=notrunc status=none
same "repair without a header" repair -q x
exits 1 "isLuks without a header" "$MORTISE" isLuks image

# check: strong choices have no findings.
rm -f strong
truncate -s 20M strong
"$referee" luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 600000 strong key
exits 0 "check without findings" "$MORTISE" check strong
[ ! -s out ]
result $? "nothing is printed"
exits 0 "check --json" "$MORTISE" check --json strong
[ "$(jq -c '[.device,.findings,.error]' out)" = '["strong",[],""]' ]
result $? "no findings in JSON"
exits 4 "check of no device" "$MORTISE" check missing
exits 1 "check of another file" "$MORTISE" check key

# found STATUS KIND TEXT DESCRIPTION: the findings of ./image, as text and as JSON.
found() {
	cp --sparse=always image before
	exits "$1" "check: $4" "$MORTISE" check image
	grep -qF "$3" out
	result $? "check: $4: the text"
	exits "$1" "check --json: $4" "$MORTISE" check --json image
	jq -r ".findings[]|select(.kind==\"$2\")|.text" out | grep -qF "$3" && cmp -s image before
	result $? "check --json: $4: the text, and nothing is changed"
}
for fill in '\0:are zero' '\377:are 0xff' 'A:do not hold random bytes'; do
	cp --sparse=always strong image
	head -c 8192 /dev/zero | tr '\0' "${fill%%:*}" | dd of=image bs=4096 seek=10 conv=notrunc status=none
	found 8 area "2 of 62 blocks of its area ${fill#*:}, the first at byte 40960" "an area: ${fill#*:}"
	[ "$(jq '.findings[0].offset' out)" = 40960 ]
	result $? "an area: ${fill#*:}: the offset"
	exits 2 "an area: ${fill#*:}: it does not open" "$referee" open --test-passphrase -d key image
done
cp --sparse=always strong image
"$referee" luksAddKey -q --pbkdf argon2id --pbkdf-memory 32768 --pbkdf-force-iterations 4 --pbkdf-parallel 1 \
	-d key image other
found 7 weak 'keyslot 1: argon2id with 4 passes over 32768 KiB is weak for a passphrase' "a weak cost"
grep -q 'keyslot 0' out
[ $? = 1 ]
result $? "a strong one is not named"
forge '.tokens."0"={type:"talos-tpm2",keyslots:["1"]}'
exits 0 "a keyslot with a token has a random key" "$MORTISE" check image
cp --sparse=always strong image
forge '.digests."0".iterations=10'
found 8 policy 'digest 0 is weak (hash sha256, 10 iterations, 32 bytes)' "a weak digest"
cp --sparse=always strong image
"$referee" erase -q image
found 8 policy 'no keyslot opens the data' "no keyslot"

# Each broken rule is named.
cp --sparse=always strong image
"$referee" luksAddKey -q $cheap -d key image other
forge '.tokens."0"={type:"x",keyslots:["9"]}|.tokens."1"={keyslots:[]}|.digests."0".segments=["7"]|
	del(.keyslots."0".kdf)|.keyslots."1".area.offset="512"|.config.keyslots_size="1"'
exits 8 "check of a header with many errors" "$MORTISE" check image
for text in 'token 0: keyslots must list' 'token 1 has no type' 'digest 0: segments must list' \
	'keyslot 0: invalid kdf' 'config: invalid keyslots_size'; do
	grep -qF "error: $text" out
	result $? "it names: $text"
done
cp --sparse=always strong image
"$referee" luksAddKey -q $cheap -d key image other
forge '.keyslots."1".area.offset="32768"'
found 8 rule 'keyslot areas overlap at byte 32768' "overlapping areas"
cp --sparse=always strong image
truncate -s 16M image
truncate -s 17M image
forge '.segments."0".offset="18874368"'
found 8 rule 'the data begins at byte 18874368, the device ends at 17825792' "a device that is too small"

# Everything that open refuses.
while IFS= read -r line; do
	case $line in '#'* | '' | *'would take longer'* | *'than this machine'*) continue ;; esac
	line=$(echo "$line" | sed 's/\\|/\x01/g')
	cp --sparse=always strong image
	forge "$(echo "$line" | cut -d'|' -f3 | tr '\001' '|')"
	exits 8 "check: $(echo "$line" | cut -d'|' -f2)" "$MORTISE" check image
done <"$here/../evil/cases"

# Backups.
cp --sparse=always strong image
rm -f young old
"$MORTISE" luksHeaderBackup image --header-backup-file young
exits 0 "check with a backup" "$MORTISE" check image --header-backup-file young
"$referee" config image --label new
exits 7 "check with an old backup" "$MORTISE" check image --header-backup-file young
grep -q '^warning: the header has changed since its backup young: sequence number 4, not 3; make a new one' out
result $? "it is named"
"$MORTISE" luksHeaderBackup image --header-backup-file old
cp --sparse=always strong image
exits 7 "check of an old header" "$MORTISE" check image --header-backup-file old
grep -q '^warning: the header is older than its backup old: sequence number 3, not 4; restore' out
result $? "it is named"
exits 7 "check with another backup" "$MORTISE" check image --header-backup-file ours
grep -q 'the backup ours belongs to another volume' out
result $? "it is named"
exits 7 "check with an invalid backup" "$MORTISE" check image --header-backup-file key
exits 4 "check with no backup" "$MORTISE" check image --header-backup-file missing
exits 0 "check of a detached header" "$MORTISE" check /nonexistent --header strong
finish
