#!/usr/bin/env bash
# docs/factory.md: runs its commands on one device with a TPM and on one without, and compares the
# messages of its table with those of the program. Each block of commands must have been run, and each
# message printed, at the end. Then the first examples of mortise(8). Runs in a guest: see
# tools/guest/uml.
# shellcheck disable=SC2034,SC2154,SC2317  # variables of lib.sh and swtpm.sh; functions: called by check
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
page=$here/../docs/factory.md

# The commands of the page write to /etc and /, which are read-only here. The UUID of a machine is in
# sysfs, where no directory can be made.
if [[ -z ${DEVICE_ROOT-} ]]; then
	mkdir -p /run/upper /run/overlay /run/device /run/class/dmi/id
	mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/overlay overlay /run/device
	for directory in proc sys dev run tmp; do mount --rbind "/$directory" "/run/device/$directory"; done
	for directory in /sys/class/*; do
		mkdir "/run/class/${directory##*/}"
		mount --bind "$directory" "/run/class/${directory##*/}"
	done
	mount --rbind /run/class /run/device/sys/class
	exec env DEVICE_ROOT=1 chroot /run/device bash "$0" "$@"
fi
# shellcheck source=tests/guest/lib.sh
. "$here/guest/lib.sh"
# shellcheck source=tests/guest/swtpm.sh
. "$here/guest/swtpm.sh"

blocks=$work/blocks
factory=$work/factory
mkdir "$blocks" "$work/manual" "$factory" "$work/bin"
python3 "$here/manual_config.py" blocks "$page" "$blocks"
for name in mortise.8 mortise-config.5; do
	python3 "$here/manual_config.py" blocks "$here/../docs/$name" "$work/manual"
done
mkdir -p /etc/mortise /dev/disk/by-partlabel
cd "$factory"
ln -s "$MORTISE" mortise
ln -s "$here/../contrib" contrib

# Keep key derivation cheap; its cost is not tested here.
cat >"$work/bin/mortise" <<END
#!/bin/sh
case \$1 in
up | apply) exec "$MORTISE" "\$@" --pbkdf-memory=32 --pbkdf-parallel=1 --pbkdf-force-iterations=4 ;;
esac
exec "$MORTISE" "\$@"
END
chmod +x "$work/bin/mortise"
PATH=$work/bin:$PATH

# run BLOCK: run these commands of the page, in the current directory. In a subshell of check, only
# files remain.
run() {
	echo "$1" >>"$work/ran"
	said bash -eu "$blocks/$1"
}

# message TEXT: the last command printed this text of the page's table.
message() {
	echo "$1" >>"$work/messages"
	check "the message is: $1" says "$1"
	check "the page has it" grep -qF -- "\`$1\`" "$page"
}

machine_uuid() {
	echo "$1" >/sys/class/dmi/id/product_uuid
}

# partition_device LABEL: print the partition's device.
partition_device() {
	local directory label

	for directory in "/sys/class/block/${disk##*/}"/*/partition; do
		directory=${directory%/partition}
		label=$(sed -n 's/^PARTNAME=//p' "$directory/uevent")
		[[ $label != "$1" ]] || echo "/dev/${directory##*/}"
	done
}

# blank_disk NAME: the only disk of the machine is blank, and has this name.
blank_disk() {
	losetup --detach-all
	rm -f "$work/disk"
	truncate -s 1300M "$work/disk"
	disk=$(losetup --find --show --partscan "$work/disk")
	ln -sfn "$disk" "/dev/$1"
}

# new_disk: a blank disk, with partitions that the factory creates.
new_disk() {
	local label

	blank_disk mmcblk0
	check "the partitions are created" run partitions.1.sh
	for label in META STATE EPHEMERAL u-data; do
		ln -sfn "$(partition_device "$label")" "/dev/disk/by-partlabel/$label"
	done
}

# restart: the machine is switched off and on.
restart() {
	mortise down >"$work/down" 2>&1 || true
	check_equal "nothing is left open" "$(dmsetup ls)" 'No devices found'
	rm -rf /run/mortise
	reboot_tpm
}

boots() { # boots DESCRIPTION
	restart
	check "$1" said mortise up
}

# recover OPTION...: up --recovery, with the recovery keys of the archive.
recover() {
	expect -f - -- "$@" <<-'END' >"$work/said"
		set timeout 600
		spawn -noecho mortise up --recovery {*}$argv
		while {1} {
			expect {
				-re {Recovery key for (\S+) \([^\n]*: $} {
					set name [string map {data u-data} $expect_out(1,string)]
					set file [open "recovery/$name-7"]
					send -- "[read $file]\r"
					close $file
				}
				eof { break }
				timeout { exit 99 }
			}
		}
		lassign [wait] pid spawned system status
		exit $status
	END
}

keyslots() {
	cryptsetup luksDump --dump-json-metadata "/dev/disk/by-partlabel/$1" |
		jq -r '.keyslots | keys | join(" ")'
}

kept() {
	[[ $(cat /var/mnt/data/file) == kept ]]
}

## The image.
cp "$blocks/image.2.yaml" trust.yaml
check "the image is built" run image.1.sh
check "it has /init" test -x image/init
install -m 644 image/etc/mortise/trust.yaml /etc/mortise/trust.yaml

## The factory. One partition holds the remains of something else.
export MORTISE_TCTI=$tcti TPM2TOOLS_TCTI=$tcti
start_tpm board
reboot_tpm
machine_uuid 8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815
new_disk
mkfs.ext4 -q /dev/disk/by-partlabel/u-data
cp "$blocks/first-boot.1.yaml" config.yaml
check_status 6 "plan refuses a partition that is not empty" said mortise plan -f config.yaml
check "the message is that of the page" says "$(sed -n 's/^    .*u-data//p' "$page")"
check "it is erased" run partitions.2.sh
check "the configuration is applied" run first-boot.2.sh
echo kept >/var/mnt/data/file
sed '/name: EPHEMERAL/,/^---/s/tpm: {}/tpm: {checkSecurebootStatusOnEnroll: true, options: {pcrs: [7]}}/' config.yaml >refused.yaml
check "apply succeeds although the TPM's keys are refused" said mortise apply -f refused.yaml
check_fails "the last step notices it" run first-boot.3.sh
check "the configuration is applied again" said mortise apply -f config.yaml
restart
check "the finished device boots, with all its keys" run first-boot.3.sh
check "the data is still there" kept
check_equal "the archive has the recovery keys" "$(echo recovery/*)" 'recovery/STATE-7 recovery/u-data-7'

## In the field.
restart
pcr7=again
reboot_tpm
check_fails "up fails after PCR 7 has changed" said mortise up
message "PCR 7 has changed"
check "the recovery keys open the volumes" recover
boots "the device boots without recovery keys"
check "the data is still there" kept

restart
start_tpm third
reboot_tpm
check_fails "up fails with another TPM" said mortise up
message "it was sealed by another TPM, or the TPM was cleared since"
check "status has it, too" bash -c "mortise status --json |
	jq -e '.volumes[0].lastUp.error | test(\"was sealed by another TPM\")'"
check "the recovery keys open the volumes" recover --adopt
boots "the device boots with the other TPM"

restart
stop_tpm
check_fails "up fails without a TPM" said env -u MORTISE_TCTI mortise up
message "this machine has no TPM 2.0"
check "the recovery keys open the volumes" env -u MORTISE_TCTI "$BASH" -c "$(declare -f recover)
	work=$work; recover --adopt"
check "the data is still there" kept
mortise down >"$work/down"
start_tpm third
boots "the device boots with its TPM"

restart
dd if=/dev/zero of=/dev/disk/by-partlabel/META bs=1M count=1 status=none
check_fails "up fails without META" said mortise up
message "META does not describe STATE"
check "apply restores META" said mortise apply -f config.yaml

restart
sed -n '/^label: gpt/,/^END/p' "$blocks/partitions.1.sh" | grep -v END >"$work/table"
check "the partition table is written again" bash -c "sfdisk --quiet /dev/mmcblk0 <'$work/table'"
check "the device boots" said mortise up
check "a notice says so" says "the volume is on another partition than before"
check "the data is still there" kept

restart
wipefs --quiet --all /dev/disk/by-partlabel/u-data
check_fails "up refuses a volume without a signature" said mortise up
message "to restore it, run"
sed -n '1,/to restore it/s/.*to restore it//p' "$work/said" | grep -o '`[^`]*`' |
	tr -d '`' | sed 's/cryptsetup repair/& -q/' >"$work/repair"
check "the commands of the message restore it" bash -e "$work/repair"
check "the device boots" said mortise up
check "the data is still there" kept

restart
blkdiscard -f /dev/disk/by-partlabel/u-data 2>/dev/null
check_fails "an empty volume is refused" said mortise up
message "is empty now: not formatted"
check "reset permits it" mortise reset --yes data
check "up formats it" mortise up

## A device comes back, is erased, and is made again.
check "the device is erased" run returning-a-device.1.sh
check "META has no values" says "No values."
check "the memory of the TPM is removed" run returning-a-device.2.sh
restart
check_fails "the device is as new" said mortise up
message "this machine has no configuration yet"
rm -r recovery
mkdir recovery
check "apply makes it a device again" said mortise apply -f config.yaml --recovery-dir=recovery
check "with new recovery keys" test -s recovery/u-data-7
check "a recovery key is replaced" run when-a-device-fails-in-the-field.1.sh
check "the new one opens the volume" cryptsetup open --test-passphrase --key-slot 7 --key-file new.key \
	/dev/disk/by-partlabel/u-data
check_fails "the old one does not" cryptsetup open --test-passphrase --key-file recovery/u-data-7 \
	/dev/disk/by-partlabel/u-data

## A device without a TPM, without a UUID, and without a trust file.
mortise down >"$work/down"
stop_tpm
unset MORTISE_TCTI
rm -rf /run/mortise /sys/class/dmi/id/product_uuid /etc/mortise/trust.yaml
losetup --detach-all
check_fails "up fails without a disk" said mortise up
message "no partition is labeled"
new_disk
check_fails "a device without a configuration does not come up" said mortise up
message "this machine has no configuration yet"
cat >template.yaml <<'END'
apiVersion: v1alpha1
kind: VolumeConfig
name: STATE
encryption:
  provider: luks2
  keys:
    - slot: 0
      nodeID: {}
---
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
filesystem:
  type: ext4
encryption:
  provider: luks2
  keys:
    - slot: 0
      static:
        passphrase: PASSPHRASE
      lockToState: true
END
check "a passphrase is generated" run many-devices.2.sh
cp device.yaml other.yaml
check "another one is generated" run many-devices.2.sh
check_fails "they differ" cmp device.yaml other.yaml
check_equal "they are long enough" "$(sed -n 's/.*passphrase: //p' device.yaml | tr -d 0-9a-f)" ''
check_fails "the board has no UUID" said mortise plan -f device.yaml
message "failed to get UUID"
printf 'meta: {node-uuid: true}\n' >/etc/mortise/trust.yaml
check "the board gets a UUID" run many-devices.1.sh
check "the configuration is applied" said mortise apply -f device.yaml
echo kept >/var/mnt/data/file
machine_uuid 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed
boots "the device boots with the UUID in META"
rm -r recovery
mkdir recovery
sed 's/^      nodeID: {}$/&\n    - slot: 7\n      recovery: {}/' device.yaml >recovery.yaml
check "STATE gets a recovery key" mortise apply -f recovery.yaml --recovery-dir=recovery
restart
check "META is lost" mortise meta delete UUIDOverride
check_fails "another board does not open the volumes" said mortise up
message "wrong key; the UUID of this machine may have changed"
check "the former UUID opens them" run when-a-device-fails-in-the-field.2.sh
check "the data is still there" kept
restart
check "the recovery key opens STATE" recover --adopt
boots "the device boots with the UUID of the board"
check "the data is still there" kept
restart
dd if=/dev/zero of=/dev/disk/by-partlabel/META bs=1M count=1 status=none
check_fails "up fails without META" said mortise up
message "META does not describe STATE"
check "apply restores META" said mortise apply -f device.yaml
check "STATE is erased" mortise reset --yes STATE
check_fails "a volume that was locked to it does not open" said mortise apply -f device.yaml
message "it is locked to STATE, which may have been wiped or replaced"

## The image holds the configuration.
restart
new_disk
printf 'state: {encrypted: true}\nheaders: sealed\n' >/etc/mortise/trust.yaml
cp device.yaml /etc/mortise/config.yaml
check "up formats the volumes" said mortise up
boots "the device boots"
mortise down >"$work/down"
rm /etc/mortise/*.yaml

## The manual.
blank_disk sda
cp "$work/manual/description.1.yaml" config.yaml
check "the first example of mortise(8) sets up a machine" said bash -eu "$work/manual/examples.1.sh"
check "the volume is mounted" grep -q ' /var/mnt/data ' /proc/mounts
restart
check "the second one brings it up, and closes it" said bash -eu "$work/manual/examples.2.sh"
check_equal "nothing is left open" "$(dmsetup ls)" 'No devices found'

## An encrypted root.
export MORTISE_TCTI=$tcti
start_tpm root
reboot_tpm
new_disk
sfdisk --quiet --part-label /dev/mmcblk0 5 r-root
cp "$blocks/encrypted-root.1.yaml" config.yaml
mkdir /early
check "apply formats the root" said mortise apply --root /early -f config.yaml
mkfs.ext4 -q /dev/mapper/luks2-r-root
mkdir /sysroot
mount /dev/mapper/luks2-r-root /sysroot
mkdir -p /sysroot/system/state
umount /sysroot
mortise down --root /early >"$work/down" 2>&1
rm -r /early
restart
check "the root is opened and mounted" run encrypted-root.2.sh
check "STATE is below the root" mountpoint -q /sysroot/system/state

mapfile -t blocks_run < <(sort -u "$work/ran")
check_equal "each block of commands was run" "${blocks_run[*]}" "$(cd "$blocks" && echo *.sh)"
sed -n '/^| what happened/,/^$/s/^|[^|]*| `\([^|]*\)` |.*/\1/p' "$page" | while read -r text; do
	grep -qxF -- "$text" "$work/messages" || grep -rqF --exclude=factory.sh -- "$text" "$here" ||
		echo "$text"
done >"$work/unseen"
check_equal "each message of the table was printed here, or is compared by another test" \
	"$(cat "$work/unseen")" ''
finish
