#!/bin/sh
# SPDX-License-Identifier: MIT
# luksHeaderBackup and luksHeaderRestore: files and devices are exchanged with cryptsetup, and both
# programs print the same.
. "$(dirname "$(realpath "$0")")/lib.sh"
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
finish
