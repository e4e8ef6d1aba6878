#!/usr/bin/env bash
# Debian's cryptdisks and cryptsetup-initramfs with mortise as /sbin/cryptsetup: the tests of Debian's
# source package, and what they leave out. Runs in a guest: see tests/guest/cryptdisks.
#   cryptdisks.sh SOURCE PACKAGES [TOPIC]...   SOURCE: of cryptsetup; PACKAGES: the unpacked packages
# Two topics run only if they are named: cryptdisks-all also runs the cases in which mortise does what it
# does in others; initramfs-hook makes 14 images, which takes 5 minutes in this guest, whereas
# tests/guest/cryptroot makes one and boots it.
# Left out: the tests cryptroot-*, which install a whole system with debootstrap.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source=$1
packages=$2
shift 2

# The files are where Debian has them, and the tests can write to /etc and to the folder of askpass.
for tree in etc usr; do
	mkdir "$work/$tree" "$work/$tree.work"
	mount -t overlay overlay "/$tree" \
		-o "lowerdir=$packages/$tree:/$tree,upperdir=$work/$tree,workdir=$work/$tree.work"
done
cp -r "$packages/lib/." /usr/lib/
cp -r "$packages/sbin/." /usr/sbin/
cp "$(command -v cryptsetup)" "$work/theirs"
cp "$(command -v "$MORTISE")" "$work/ours"
cp --remove-destination "$work/ours" /usr/sbin/cryptsetup
# The guest runs without udev.
ln -sf true /usr/bin/udevadm
export DM_DISABLE_UDEV=1 TERM=dumb TMPDIR=$work

# cases SCRIPT: split a script into its cases, in $work/cases. Each file begins with the lines before the
# first case. A case that continues with the disk of the previous one is in the same file.
# prompt waits for an askpass that has no answer yet, where the script sleeps.
cases() {
	rm -rf "$work/cases"
	mkdir "$work/cases"
	sed -e 's/^sleep 1$/:/' -e 's/do sleep 1;/do sleep 0.05;/' -e 's/^mkdir "/mkdir -p "/' \
		-e 's/dd if="\/dev\/zero" of=\("$CRYPT_IMG"\) bs=1M count=64/: >\1; truncate -s 64M \1/' \
		-e '/^pid2=/,/cut -sd/c pid2=$(pidof askpass)' \
		-e 's|^[^ ]* .*>/lib/cryptsetup/passfifo|prompt; &|' "$1" |
		awk -v dir="$work/cases" -v title="${1##*/}" '
		function flush() {
			if (text ~ /disk_setup/ || !n) {
				file = sprintf("%s/%02d", dir, ++n)
				printf "%s", head >file
			}
			print title >(file ".name")
			printf "%s", text >file
			text = ""
		}
		/^####/ { if (begun) flush(); else head = text; text = ""; begun = 2; next }
		begun == 2 && /^# / { title = substr($0, 3); begun = 1; next }
		$0 == "disk_setup" && last ~ /^# / && text ~ /disk_setup/ {
			sub(/[^\n]*\n$/, "", text)
			flush()
			title = substr(last, 3)
		}
		{ last = $0; text = text $0 "\n" }
		END { flush() }'
}

# Sourced by each case. udev would make links of the nodes in /dev/mapper.
cat >"$work/before" <<'END'
exec {BASH_XTRACEFD}>>"$TMPDIR/trace"
asked=
prompt() {
	local pid
	while pid=$(pidof askpass || :); [[ $pid == "$asked" || ! -p /lib/cryptsetup/passfifo ]]; do
		sleep 0.05
	done
	asked=$pid
}
readlink() {
	echo "/dev/$(dmsetup info -c --noheadings -o blkdevname "${2##*/}")"
}
END

# run SCRIPT [CASE]...: run a test of Debian's source package, without the cases that the pattern in the
# variable skipped matches; the named cases fail.
skipped=
run() {
	local script=$1 case name status
	shift

	cases "$source/debian/tests/$script"
	rm -rf "$work/tmp"
	mkdir "$work/tmp"
	for case in "$work/cases"/??; do
		status=0
		: >"$work/trace"
		name=$(paste -sd, "$case.name")
		# shellcheck disable=SC2053  # a pattern
		[[ $name != $skipped ]] || continue
		BASH_ENV=$work/before AUTOPKGTEST_TMP=$work/tmp script -qec "bash $case" /dev/null \
			>"$work/log" 2>&1 </dev/null || status=$?
		if [[ ",${*-}," == *",$name,"* ]]; then
			check_equal "$script: $name fails" "$status" 1
		else
			check_equal "$script: $name" "$status" 0
			[[ $status -eq 0 ]] || tail -n 15 "$work/log" "$work/trace"
		fi
		dmsetup remove_all
		losetup -D
	done
}

test_cryptdisks-all() {
	run cryptdisks
	run cryptdisks.init
}

test_cryptdisks() {
	local skipped='@(tmp=|check*|noauto)'
	test_cryptdisks-all
}

# The modules of this kernel, and what mkinitramfs wants to know of it. Two cases format with blowfish
# and LUKS1, which mortise does not.
test_initramfs-hook() {
	local loader

	read -r loader </proc/sys/kernel/modprobe
	mkdir -p /usr/lib/modules
	mount --bind "${loader%/*}/root/lib/modules/" /usr/lib/modules
	mount -t tmpfs tmpfs /boot
	echo CONFIG_RD_ZSTD=y >"/boot/config-$(uname -r)"
	if [[ $MORTISE == cryptsetup ]]; then
		run initramfs-hook
	else
		run initramfs-hook "legacy ciphers and hashes" "LUKS1, whirlpool"
	fi
}

cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)

# luks TYPE MIB: print a device with the passphrase in $work/key.
luks() {
	local device

	device=$(blank_device "$2")
	"$work/theirs" luksFormat -q --type "$1" "${cheap[@]}" "$device" "$work/key"
	echo "$device"
}

# as_theirs NAME WORD...: the mapping is the one that cryptsetup open WORD... makes.
as_theirs() {
	local name=$1 ours
	shift

	ours=$(dmsetup table --showkeys "$name")
	cryptsetup close "$name"
	"$work/theirs" -q open "$@" "$name"
	check_equal "$name: cryptsetup makes the same mapping" "$ours" "$(dmsetup table --showkeys "$name")"
}

# Devices by UUID and label, LUKS1, and the key scripts of the package, without those that ask for a
# passphrase by other programs (openssl, gpg, a smart card).
test_entries() {
	local disk old plain cached derived keys device

	printf 'the passphrase' >"$work/key"
	chmod 600 "$work/key"
	printf '#!/bin/sh\nexec cat %s/key\n' "$work" >"$work/script"
	chmod 700 "$work/script"
	disk=$(luks luks2 20)
	old=$(luks luks1 20)
	cached=$(luks luks2 20)
	device=$(luks luks2 20)
	plain=$(blank_device 24)
	derived=$(blank_device 4)
	keys=$(blank_device 2)
	mkdir "$work/keys"
	cp "$work/key" "$work/keys/key"
	mkfs.ext4 -q -d "$work/keys" "$keys"
	keyctl padd user cryptsetup:id @u <"$work/key" >/dev/null
	"$work/theirs" config --label 'a label' "$cached"
	cat >/etc/crypttab <<-END
		by-uuid UUID=$("$work/theirs" luksUUID "$disk") $work/key quiet
		luks1 $old $work/key read-only,key-slot=0
		by-label LABEL=a\\040label id luks,keyscript=decrypt_keyctl
		passdev $device $keys:/key luks,keyscript=passdev,no-read-workqueue
		plain $plain none plain,keyscript=$work/script,hash=ripemd160,cipher=aes-cbc-essiv:sha256,size=256
		derived $derived luks1 plain,keyscript=decrypt_derived,hash=sha512,cipher=aes-xts-plain64,size=512
		missing /dev/missing $work/key luks
		broken $keys $work/key luks
	END
	check "cryptdisks_start" cryptdisks_start by-uuid luks1 by-label passdev plain derived
	check "cryptdisks_start: they are active" cryptdisks_start by-uuid luks1
	dmsetup table --showkeys luks1 | cut -d' ' -f5 | tr -d '\n' >"$work/derived"
	as_theirs derived -d - --type plain --hash sha512 --cipher aes-xts-plain64 --key-size 512 "$derived" \
		<"$work/derived"
	as_theirs by-uuid -d "$work/key" "$disk"
	as_theirs luks1 -d "$work/key" --readonly "$old"
	as_theirs by-label -d "$work/key" "$cached"
	as_theirs passdev -d "$work/key" --perf-no_read_workqueue "$device"
	as_theirs plain -d - --type plain --hash ripemd160 --cipher aes-cbc-essiv:sha256 --key-size 256 \
		"$plain" <"$work/key"
	cryptsetup luksSuspend by-uuid
	check "resume_device, which cryptsetup-suspend calls" sh -c \
		'. /lib/cryptsetup/functions && resume_device by-uuid'
	check_equal "the device is active" "$(dmsetup info -c --noheadings -o suspended by-uuid)" Active
	check "cryptdisks_stop" cryptdisks_stop by-uuid luks1 by-label passdev plain derived
	check_fails "a missing device" cryptdisks_start missing
	check_fails "a device without a header" cryptdisks_start broken
	check_equal "no mapping is left" "$(dmsetup ls)" "No devices found"
	mkdir "$work/bin"
	cat >"$work/bin/cryptsetup" <<-END
		#!/bin/sh
		[ "\$1" != luksFormat ] || set -- "\$@" ${cheap[*]}
		exec /usr/sbin/cryptsetup "\$@"
	END
	chmod 700 "$work/bin/cryptsetup"
	# cryptsetup discards an answer that comes while it is switching off the echo.
	check "luksformat" env PATH="$work/bin:$PATH" expect -c "
		set timeout 2
		spawn luksformat -t ext4 $plain
		expect {Type 'yes' in capital letters): } { send YES\n }
		expect -re {passphrase[^:]*: } { send secret\n; exp_continue } \
			timeout { send secret\n; exp_continue } eof
		exit [lindex [wait] 3]"
	printf secret >"$work/key"
	"$work/theirs" open -d "$work/key" "$plain" formatted
	check "cryptsetup opens its file system" fsck.ext4 -fn /dev/mapper/formatted
}

# What the tests of libblockdev 2.28 do by the program, as far as it needs device-mapper.
test_libblockdev() {
	local disk old

	disk=$(blank_device 20)
	echo key | cryptsetup luksFormat "$disk" - "${cheap[@]}"
	echo key | cryptsetup open "$disk" libbd_dm_tests-subsystem_crypt --key-file=-
	check_equal "libblockdev: subsystem of a mapping" CRYPT \
		"$(dmsetup info -c --noheadings -o subsystem libbd_dm_tests-subsystem_crypt)"
	check_equal "libblockdev: key location of LUKS2" keyring \
		"$(cryptsetup status libbd_dm_tests-subsystem_crypt | sed -n 's/ *key location: *//p')"
	check "libblockdev: close" cryptsetup close libbd_dm_tests-subsystem_crypt
	check_status 4 "libblockdev: close again" cryptsetup close libbd_dm_tests-subsystem_crypt
	printf 'the passphrase' >"$work/key"
	old=$(luks luks1 20)
	cryptsetup open -d "$work/key" "$old" old
	check_equal "libblockdev: key location of LUKS1" dm-crypt \
		"$(cryptsetup status old | sed -n 's/ *key location: *//p')"
	cryptsetup close old
}

[[ -n ${1-} ]] || set -- cryptdisks entries libblockdev
for topic; do
	"test_$topic"
done
finish
