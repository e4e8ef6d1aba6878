#!/bin/sh
# SPDX-License-Identifier: MIT
# Contents of devices that look like something else, or that were damaged: what plan says of them,
# and whether its advice works. cryptsetup makes the volumes, and opens them as the referee.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee
PATH=$PATH:/usr/sbin:/sbin

printf pw >key
encryption='encryption: {provider: luks2, keys: [{slot: 0, static: {passphrase: pw}}]}'
declare_as() { # kind type encryption
	printf 'apiVersion: v1alpha1\nkind: %s\nname: data\n' "$1"
	[ -z "$2" ] || printf 'filesystem: {type: %s}\n' "$2"
	printf '%s\n' "$3"
}
declare_as UserVolumeConfig ext4 "$encryption" >crypt.yaml
declare_as UserVolumeConfig ext4 '' >ext4.yaml
declare_as UserVolumeConfig xfs '' >xfs.yaml
declare_as SwapVolumeConfig '' '' >swap.yaml

truncate -s 20M volume
"$referee" luksFormat -q --type luks2 $cheap volume key
planned() { # configuration
	"$MORTISE" plan -q -f "$1.yaml" --device data=disk >out 2>err
}
opens() { # device
	"$referee" open --test-passphrase --key-file key "$1" 2>/dev/null
}
# The plan opens the volume, and so does the referee.
opens_volume() { # description
	planned crypt
	grep -q '^data *open *disk *0 *open disk as luks2-u-data with keyslot 0' out && opens disk
	result $? "$1 does not hide an intact volume"
}
# The plan is a refusal with this text, which never advises to reset.
refused() { # configuration text
	before=$(sha256sum <disk)
	planned "$1"
	grep -q '^data *refuse ' out && grep -qF "$2" out && ! grep -q 'mortise reset' out
	result $? "$1: refused: $2"
	[ "$before" = "$(sha256sum <disk)" ]
	result $? "the device is unchanged"
}
# advice: run each command in the text of the refusal. FILE is the backup.
advice() {
	sed -n 's/.*\(to restore\|to keep\)/\1/p' out | grep -o '`[^`]*`' | tr -d '`' |
		sed "s/cryptsetup repair/$(echo "$referee" | sed 's,/,\\/,g') repair -q/
			s/cryptsetup luksHeaderRestore/cryptsetup luksHeaderRestore -q/
			s/cryptsetup convert/cryptsetup convert -q/
			s/FILE/backup/" >commands
	[ -s commands ] && sh -e commands >log 2>&1
}
restored() { # description
	advice && opens disk
	result $? "after the advice, cryptsetup opens the volume: $1"
	planned crypt
	grep -q '^data *open ' out
	result $? "so does mortise"
}
put() { # seek in sectors, bytes as in printf
	printf "$2" | dd of=disk bs=512 seek="$1" conv=notrunc 2>/dev/null
}
again() {
	cp --sparse=always volume disk
}
sectors=$((20 * 2048))

# Random bytes and old signatures on an intact volume.
again
put $((sectors - 1)) JM
opens_volume "a jmicron signature"
again
put $((sectors - 2)) 'Intel Raid ISM Cfg Sig. 1.3.00'
opens_volume "an isw signature"
again
put $((sectors - 63)) 'Promise Technology, Inc.'
opens_volume "a Promise signature"
put $((sectors - 11)) '\363\026\170\132'
put $((sectors - 1)) '$XIDE$'
opens_volume "several signatures"
again
truncate -s 20M table
echo 'label: gpt' | sfdisk -q table 2>/dev/null
tail -c 16896 table | dd of=disk bs=512 seek=$((sectors - 33)) conv=notrunc 2>/dev/null
opens_volume "the backup of a GPT"
again
put $((sectors - 16)) '\374\116\053\251\001'
printf '\360\237' | dd of=disk bs=1 seek=$((20971520 - 8192 + 144)) conv=notrunc 2>/dev/null
refused crypt 'disk holds a LUKS2 header and linux_raid_member: not opened or formatted'
grep -q 'use its RAID array instead' out
result $? "the advice names the array"

# One copy is lost.
again
echo ',' | sfdisk -q --label dos disk 2>/dev/null
refused crypt 'half a LUKS2 header and a partition table (dos)'
restored "a partition table (dos)"
again
dd if=disk of=second bs=16K skip=1 count=1 2>/dev/null
mkfs.ext4 -qF -E nodiscard disk 2>/dev/null
dd if=second of=disk bs=16K seek=1 conv=notrunc 2>/dev/null
refused crypt 'half a LUKS2 header and ext4'
grep -q 'run `cryptsetup repair disk`' out && advice && "$referee" isLuks disk
result $? "after the advice, cryptsetup reads the header"
again
dd if=/dev/zero of=disk bs=4K count=1 conv=notrunc 2>/dev/null
put $((sectors - 1)) JM
refused crypt 'half a LUKS2 header and jmicron_raid_member'
restored "a damaged first copy and a signature"
again
dd if=/dev/zero of=disk bs=4K count=1 conv=notrunc 2>/dev/null
planned ext4
grep -q 'volume is encrypted, but no encryption config provided; to keep it, declare its keys; to restore the header' out
result $? "a plain declaration of half a header is refused without a reset"
opens_volume "a damaged first copy"

# Both copies are lost.
again
"$referee" luksHeaderBackup --header-backup-file backup volume
wipefs -qa disk
refused crypt 'disk holds a LUKS2 header without its magic: not opened or formatted'
restored "wipefs -a"
again
wipefs -qa disk
dd if=/dev/zero of=disk bs=4K count=1 conv=notrunc 2>/dev/null
refused crypt 'disk holds a LUKS2 header without its magic'
restored "wipefs -a, and a damaged first copy"
again
echo 'label: gpt' | sfdisk -q disk 2>/dev/null
refused crypt 'disk holds a damaged LUKS2 header and a partition table (gpt)'
restored "a partition table (gpt)"
again
printf x | dd of=disk bs=1 seek=4200 conv=notrunc 2>/dev/null
printf x | dd of=disk bs=1 seek=20600 conv=notrunc 2>/dev/null
refused crypt 'disk holds a damaged LUKS2 header: not opened or formatted'
refused ext4 'filesystem type mismatch: a damaged LUKS2 header != ext4'
restored "damaged metadata"

# Every size of the metadata has its own place for the second copy.
for size in 64k 512k 4m; do
	rm -f disk
	truncate -s 24M disk
	"$referee" luksFormat -q --type luks2 $cheap --luks2-metadata-size $size \
		--luks2-keyslots-size 4m disk key
	dd if=/dev/zero of=disk bs=1K count=48 conv=notrunc 2>/dev/null
	opens_volume "metadata of $size without its first copy"
	dd if=/dev/zero of=disk bs=1K count=4 conv=notrunc 2>/dev/null
	mkfs.ext4 -qF -E nodiscard,lazy_itable_init=1 -O ^resize_inode disk >/dev/null 2>&1
	planned crypt
	grep -q '^data *refuse .*LUKS2 header and ext4' out && ! grep -q 'mortise reset' out
	result $? "mkfs over metadata of $size: no reset is advised"
done

# LUKS1 can be converted.
rm -f disk
truncate -s 20M disk
"$referee" luksFormat -q --type luks1 --pbkdf-force-iterations 1000 disk key
refused crypt 'disk holds LUKS1'
restored LUKS1

# A plain file system whose own superblock is valid.
for type in ext4 xfs; do
	rm -f disk
	truncate -s 20M disk
	[ $type = ext4 ] || truncate -s 300M disk
	mkfs.$type -q disk
	size=$(stat -c %s disk)
	put 65536 x
	dd if=volume of=disk bs=16K skip=1 seek=256 count=1 conv=notrunc 2>/dev/null
	for at in 2 4 8 16 32 64 128 256; do
		# Where it does not overwrite the file system's own blocks: only the magic counts.
		printf 'SKUL\272\276\000\002' |
			dd of=disk bs=1 seek=$((at * 16384)) conv=notrunc 2>/dev/null
	done
	put $((size / 512 - 1)) JM
	planned $type
	grep -q "^data *mount *disk *- *mount disk at " out
	result $? "$type with a disk image and a signature inside is mounted"
	other=xfs
	[ $type = ext4 ] || other=ext4
	planned $other
	grep -q '^data *refuse .*filesystem type mismatch' out && ! grep -q 'mortise reset' out
	result $? "$type: the other type is refused"
done

# Swap without encryption.
rm -f disk
truncate -s 20M disk
mkswap -q disk
put $((sectors - 1)) JM
dd if=volume of=disk bs=16K skip=1 seek=1 count=1 conv=notrunc 2>/dev/null
printf '\123\357' | dd of=disk bs=1 seek=1080 conv=notrunc 2>/dev/null
planned swap
grep -q '^data *mkfs *disk *- *create a swap area on disk' out
result $? "a swap area is replaced, whatever its pages look like"
for image in S1SUSPEND ULSUSPEND LINHIB0001; do
	printf '%s' $image | dd of=disk bs=1 seek=4086 conv=notrunc 2>/dev/null
	planned swap
	grep -q '^data *refuse .*the image of a system that was suspended to disk' out
	result $? "the image of a suspended system ($image) is refused"
done
finish
