#!/bin/bash
# SPDX-License-Identifier: MIT
# The scripts of contrib/ for an initramfs, without one: unlock-root and image-files with programs that
# print how they are called, in a mount namespace with another kernel command line, /etc/mortise, console
# and /run; and the hooks of mkinitcpio and mkinitfs with stubs of these programs' functions.
# tests/guest/encrypted_root boots what the real ones make. As root.
set -eEuo pipefail
trap 'echo "not ok - line $LINENO: $BASH_COMMAND"' ERR
tree=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" = 0 ] && unshare --mount true 2> /dev/null || {
	echo "# not root, or no mount namespaces"
	exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,etc,system}

# The program: prints its arguments to calls, answers from standard input to typed, and fails once for each
# line in refuse that is a part of its arguments.
cat > "$work/bin/mortise" << 'END'
#!/bin/sh
echo "$*" >> "$WORK/calls"
case $1 in isLuks) [ ! -e "$WORK/missing" ] || exit 4 && exit 0 ;; esac
case $* in *headless | up*[!y]\ STATE* | up*--wait\ 1\ --log*) ;; *) [ -t 0 ] || head -n 1 >> "$WORK/typed" ;; esac
while read -r part; do
	case $* in *"$part"*) echo "refused: $part" && exit 2 ;; esac
done < "$WORK/refuse"
END
for program in modprobe sleep; do printf '#!/bin/sh\n' > "$work/bin/$program"; done
chmod +x "$work"/bin/*

# enter COMMAND...: with the kernel command line in $work/cmdline. SHELL_UNDER_TEST runs the scripts.
enter() {
	: > "$work/calls"
	: > "$work/typed"
	: > "$work/kmsg"
	# shellcheck disable=SC2016  # expanded by the inner shell
	WORK=$work unshare --mount --propagation private bash -euc '
		mount --bind "$WORK/cmdline" /proc/cmdline
		mkdir -p /etc/mortise
		mount --bind "$WORK/etc" /etc/mortise
		mount -t tmpfs tmpfs /run
		[ ! -e "$WORK/systemd" ] || mkdir -p /run/systemd/system
		mount --bind "${CONSOLE:-/dev/null}" /dev/console
		# Messages go to standard error if the kernel log cannot be written.
		[ ! -e /dev/kmsg ] || mount --bind /dev/full /dev/kmsg
		PATH=$WORK/bin:$PATH
		exec "$@"' - "$@" 2>> "$work/kmsg"
}

# unlock COMMAND-LINE: what unlock-root calls, in $work/calls; its status in $status.
unlock() {
	echo "$1" > "$work/cmdline"
	status=0
	enter "${shell[@]}" "$tree/contrib/initramfs/unlock-root" open > "$work/out" || status=$?
}

# calls LINE...: exactly these, without what asks whether a device exists.
calls() {
	diff <(printf '%s\n' "$@") <(grep -v ^isLuks "$work/calls")
}

command_line() {
	: > "$work/refuse"
	unlock "quiet root=/dev/sda2 ro rd.luks.uuid"
	[ ! -s "$work/calls" ]
	rm -f "$work/etc/key"
	unlock "rd.luks.uuid=luks-0a0b0c0d-0000-0000-0000-00000000000f rd.luks.options=discard"
	calls "attach luks-0a0b0c0d-0000-0000-0000-00000000000f UUID=0a0b0c0d-0000-0000-0000-00000000000f none discard,headless"
	unlock "rd.luks.options=0a0b0c0d-0000-0000-0000-00000000000f=tries=1 luks.name=0a0b0c0d-0000-0000-0000-00000000000f=root rd.luks.key=/etc/mortise/key rd.luks.options=discard"
	grep -q 'key file /etc/mortise/key of root is not in the initramfs' "$work/kmsg"
	: > "$work/etc/key"
	unlock "rd.luks.options=0a0b0c0d-0000-0000-0000-00000000000f=tries=1 luks.name=0a0b0c0d-0000-0000-0000-00000000000f=root rd.luks.key=/etc/mortise/key rd.luks.options=discard"
	calls "attach root UUID=0a0b0c0d-0000-0000-0000-00000000000f /etc/mortise/key tries=1,headless"
	unlock "cryptdevice=PARTLABEL=x:root:allow-discards,sector-size=4096 cryptkey=rootfs:/etc/mortise/key"
	calls "attach root PARTLABEL=x /etc/mortise/key allow-discards,sector-size=4096,headless"
	unlock "cryptdevice=/dev/null:root"
	calls "attach root /dev/null none luks,headless"
	unlock "cryptroot=/dev/null cryptdm=vault cryptkey=/etc/mortise/key cryptdiscards"
	calls "attach vault /dev/null /etc/mortise/key luks,discard,headless"
	unlock "cryptdm=vault cryptheader=/h cryptroot=UUID=x nocryptdiscards"
	calls "attach vault UUID=x none luks,header=/h,headless"
	printf '%s\n' '# a comment' '' 'one /dev/null none' 'two PARTLABEL=t /etc/mortise/key luks,discard' \
		> "$work/etc/crypttab"
	unlock ""
	calls "attach one /dev/null none luks,headless" "attach two PARTLABEL=t /etc/mortise/key luks,discard,headless"
	unlock "rd.luks=0 cryptroot=/dev/null root=/dev/mapper/luks2-r-root"
	[ ! -s "$work/calls" ]
	rm "$work/etc/crypttab"
	unlock "root=/dev/mapper/luks2-r-root rootdelay=7"
	calls "up --wait 7 --root /run/mortise-root STATE r-root"
	unlock "root=UUID=1 mortise.root=vault"
	calls "up --wait 30 --root /run/mortise-root STATE vault"
	echo "MORTISE_ROOT=vault MORTISE_WAIT=3" > "$work/etc/initramfs.conf"
	unlock "root=UUID=1"
	calls "up --wait 3 --root /run/mortise-root STATE vault"
	rm "$work/etc/initramfs.conf"
	# Patterns and commands are words like others.
	unlock 'cryptdevice=/dev/nul*:$(touch${IFS}pwned):* rootdelay=0'
	[ "$status" = 1 ]
	[ ! -e pwned ]
	echo "ok - the kernel command line and crypttab"
}

failures() {
	: > "$work/missing"
	unlock "cryptdevice=PARTLABEL=late:root rootdelay=1"
	[ "$status" = 1 ]
	grep -q 'device PARTLABEL=late did not appear' "$work/kmsg"
	grep -qv attach "$work/calls"
	printf '%s\n' 'a PARTLABEL=late none x-systemd.device-timeout=1s' > "$work/etc/crypttab"
	unlock ""
	[ "$status" = 1 ]
	rm "$work/missing" "$work/etc/crypttab"
	echo headless > "$work/refuse"
	unlock "cryptdevice=/dev/null:root"
	[ "$status" = 1 ]
	grep -q 'root is not open, and there is no console to ask' "$work/kmsg"
	calls "attach root /dev/null none luks,headless"
	# A declared root, without a console.
	echo up > "$work/refuse"
	unlock "mortise.root=vault"
	[ "$status" = 1 ]
	grep -q 'STATE is not open, and there is no console to ask' "$work/kmsg"
	calls "up --wait 30 --root /run/mortise-root STATE vault" \
		"up --wait 1 --log=kmsg --root /run/mortise-root STATE"
	echo "ok - late devices, no console"
}

# agent NAME: answers "first", "second", and then nothing.
agent() {
	printf '#!/bin/sh\n[ "$1" != --ping ] || exit 0\necho "$*" >> "$WORK/asked"\n%s\n' \
		'if [ "$(wc -l < "$WORK/asked")" = 1 ]; then echo first; else echo second; fi' > "$work/bin/$1"
	chmod +x "$work/bin/$1"
	: > "$work/asked"
}

agents() {
	local program

	for program in plymouth systemd-ask-password; do
		agent "$program"
		[ "$program" = plymouth ] || : > "$work/systemd"
		printf '%s\n' headless > "$work/refuse"
		unlock "cryptdevice=/dev/null:root"
		[ "$status" = 0 ]
		calls "attach root /dev/null none luks,headless" "attach root /dev/null - luks"
		[ "$(cat "$work/typed")" = first ]
		printf '%s\n' attach > "$work/refuse"
		: > "$work/asked"
		unlock "cryptdevice=/dev/null:root:tries=2"
		[ "$status" = 1 ]
		[ "$(tr '\n' ' ' < "$work/typed")" = "first second " ]
		rm "$work/bin/$program"
	done
	agent systemd-ask-password
	printf '%s\n' "STATE vault" "root vault" "STATE" > "$work/refuse"
	unlock "mortise.root=vault"
	[ "$status" = 1 ]
	grep -q -- '--timeout=90 Recovery key for the volume STATE' "$work/asked"
	# The mount for STATE is made once, and removed without STATE.
	: > "$work/refuse"
	# shellcheck disable=SC2016  # expanded by the inner shell
	[ "$(enter sh -euc '
		"$@" open
		if grep " /run/mortise-root " /proc/mounts; then exit 1; fi
		mkdir -p /run/mortise-root/system/state
		"$@" open
		"$@" open
		grep -c " /run/mortise-root " /proc/mounts' - "${shell[@]}" "$tree/contrib/initramfs/unlock-root")" = 1 ]
	rm "$work/systemd" "$work/bin/systemd-ask-password"
	echo "ok - plymouth and systemd-ask-password"
}

# image: what image-files prints.
image() {
	: > "$work/cmdline"
	cp "$work/system"/* "$work/etc/" 2> /dev/null || true
	WORK=$work unshare --mount --propagation private bash -euc '
		mount -t tmpfs tmpfs /mnt
		mkdir /mnt/etc
		cp -r /etc/ld.so* /etc/mke2fs.conf /etc/passwd /mnt/etc/ 2>/dev/null || true
		cp -r "$WORK/system/." /mnt/etc/
		mkdir -p /mnt/etc/mortise
		mount --bind "$WORK/etc" /mnt/etc/mortise
		mount --rbind /mnt/etc /etc
		PATH=$WORK/bin:$PATH
		exec "$@"' - dash "$tree/contrib/initramfs/image-files" > "$work/image" 2> "$work/warnings"
}

# prints LINE...: lines of image-files; with ! in front, not.
prints() {
	local line

	for line; do
		case $line in
		!*) ! grep -qE -- "^${line#!}$" "$work/image" ;;
		*) grep -qE -- "^$line$" "$work/image" ;;
		esac || {
			cat "$work/image" "$work/warnings"
			echo "not ok - image-files: $line"
			return 1
		}
	done
}

images() {
	: > "$work/refuse"
	for program in mkfs.btrfs btrfs resize2fs; do printf '#!/bin/sh\n' > "$work/bin/$program"; done
	chmod +x "$work"/bin/*
	image
	prints "program .*/mortise" "program .*/mkfs.ext4" "module dm-crypt" "module xfs" "!.*btrfs" \
		"!program .*resize2fs" "!library .*(tss2|curl).*" "!secret .*" "!crypttab .*"
	printf '%s\n' 'filesystem:' '  type: btrfs  # not type: ext2' > "$work/etc/config.yaml"
	: > "$work/etc/trust.yaml"
	image
	prints "program .*/mkfs.btrfs" "program .*/btrfs" "module btrfs" "!module ext2" \
		"secret /etc/mortise/config.yaml" "secret /etc/mortise/trust.yaml"
	printf '%s\n' 'filesystem: {type: "Ext4"}' '#  type: btrfs' '# tpm: {}' > "$work/etc/config.yaml"
	image
	prints "program .*/resize2fs" "!.*btrfs.*" "!module tpm_crb"
	printf '%s\n' 'keys: [{slot: 0, tpm: {}}, {slot: 1, kms: {endpoint: x}}]' > "$work/etc/config.yaml"
	image
	prints "module tpm_crb" "setting MORTISE_KMS=yes"
	rm "$work/etc"/*.yaml
	printf '%s\n' 'MORTISE_FILESYSTEMS="btrfs f2fs"' 'MORTISE_TPM=yes' "MORTISE_KEYFILES='/etc/keys/*.key'" \
		'MORTISE_MODULES=serpent_generic' > "$work/etc/initramfs.conf"
	printf '%s\n' '# comment' 'swap PARTLABEL=swap /dev/urandom swap,initramfs' 'other UUID=1 none luks' \
		'root PARTLABEL=root /etc/keys/root.key luks,x-initrd.attach' 'data /dev/sda2 - discard,initramfs' \
		'secret PARTLABEL=x /etc/secrets/x luks,force' > "$work/system/crypttab"
	image
	prints "module btrfs" "module f2fs" "module tpm_crb" "module serpent_generic" \
		"crypttab root PARTLABEL=root /etc/keys/root.key luks,x-initrd.attach" \
		"crypttab data /dev/sda2 - discard,initramfs" "secret /etc/keys/root.key" "!.*swap PART.*" "!.*other.*" \
		"crypttab secret .*" "!secret /etc/secrets/x"
	grep -q 'mkfs.f2fs is not installed' "$work/warnings"
	echo 'root UUID=2' > "$work/system/crypttab.initramfs"
	image
	prints "crypttab root UUID=2 none luks" "!crypttab data .*"
	rm "$work"/system/* "$work/etc/initramfs.conf" "$work/bin"/{mkfs.btrfs,btrfs,resize2fs}
	echo "ok - what an image contains"
}

mkinitcpio() {
	local BUILDROOT=$work/buildroot

	printf '%s\n' 'root UUID=2' > "$work/system/crypttab.initramfs"
	: > "$work/etc/trust.yaml"
	image
	sed 's|/usr/lib/mortise/image-files|cat "$work/image"|' "$tree/contrib/mkinitcpio/install/mortise" \
		> "$work/install"
	(
		map() { local what=$1 item && shift && for item; do "$what" "$item"; done; }
		for stub in add_binary add_module add_file add_runscript add_udev_rule add_systemd_unit; do
			eval "$stub() { echo \"$stub \$*\" >> \"\$work/built\"; }"
		done
		add_dir() { mkdir -p "$BUILDROOT$1"; }
		. "$work/install"
		help > "$work/help"
		build
		mkdir -p "$BUILDROOT/usr/lib/systemd"
		: > "$BUILDROOT/usr/lib/systemd/systemd"
		echo systemd >> "$work/built"
		build
	)
	[ "$(sort -u "$BUILDROOT/etc/mortise/crypttab")" = "root UUID=2 none luks" ]
	grep -qx "add_file /etc/mortise/trust.yaml /etc/mortise/trust.yaml 600" "$work/built"
	grep -qx "add_binary sh" "$work/built"
	sed '/^systemd/,$d' "$work/built" | grep "^add_runscript" > "$work/log"
	sed '1,/^systemd/d' "$work/built" > "$work/second"
	grep -qx "add_systemd_unit mortise-root.service" "$work/second"
	! grep -q "^add_runscript" "$work/second" || return 1
	rm "$work"/system/* "$work/etc/trust.yaml"
	printf '#!/bin/sh\necho "$*" >> "$WORK/hook"\nexit 1\n' > "$work/bin/unlock"
	chmod +x "$work/bin/unlock"
	sed "s|/usr/lib/mortise/unlock-root|$work/bin/unlock|" "$tree/contrib/mkinitcpio/hooks/mortise" \
		> "$work/hooks"
	WORK=$work busybox sh -c 'err() { echo "$*" >> "$WORK/hook"; }; . "$WORK/hooks"; run_hook; run_latehook' || true
	diff - <(sed 's/;.*//' "$work/hook") <<- 'END'
		open
		The encrypted root is not open
		move /new_root
	END
	echo "ok - mkinitcpio"
}

# dracut's module without and with systemd; and the generator, in an initramfs.
dracut() {
	local initdir=$work/initdir moddir=$tree/contrib/dracut/90mortise systemdutildir=/lib/systemd
	# shellcheck disable=SC2034  # for the module
	local systemdsystemunitdir=$systemdutildir/system
	local libgcc

	libgcc=$(ldconfig -p | awk '/libgcc_s.so.1 .*=> / && !n++ {print $NF}')
	printf '%s\n' "program $work/bin/mortise" "library $libgcc" "module dm-crypt" "module xfs" \
		"secret /etc/mortise/trust.yaml" "crypttab root UUID=2 none luks" "setting MORTISE_KMS=yes" > "$work/image"
	sed 's|/usr/lib/mortise/image-files|cat "$work/image"|' "$moddir/module-setup.sh" > "$work/module"
	mkdir -p "$initdir/etc/mortise"
	: > "$initdir/etc/mortise/trust.yaml"
	for systemd in false true; do
		(
			for stub in inst inst_simple inst_script inst_multiple inst_hook instmods dracut_need_initqueue; do
				eval "$stub() { echo \"$stub \$*\" >> \"\$work/built-$systemd\"; }"
			done
			dracut_module_included() { $systemd; }
			. "$work/module"
			depends >> "$work/built-$systemd"
			installkernel
			install
		)
	done
	for line in "dm rootfs-block" "instmods dm-crypt xfs" "inst $work/bin/mortise" "inst $libgcc" \
		"inst $(ldd "$libgcc" | sed -n 's/.*libc.so.6 => \([^ ]*\) .*/\1/p')" \
		"inst_simple /etc/mortise/trust.yaml" "inst_hook initqueue/settled 50 $moddir/mortise-open.sh"; do
		grep -qx "$line" "$work/built-false"
	done
	[ "$(stat -c %a "$initdir/etc/mortise/trust.yaml")" = 600 ]
	[ "$(tail -n 1 "$initdir/etc/mortise/crypttab")" = "root UUID=2 none luks" ]
	grep -q 'mortise-root.service.*/system-generators/mortise-root-generator' "$work/built-true"
	grep -q systemd-ask-password "$work/built-true"
	! grep -q inst_hook "$work/built-true" || return 1
	echo "ok - dracut"
}

generator() {
	local units=$work/units

	sed "s|/usr/lib/mortise|$tree/contrib/initramfs|; s|/etc/initrd-release|$work/release|" \
		"$tree/contrib/systemd-initrd/mortise-root-generator" > "$work/generator"
	mkdir "$units"
	rm -f "$work/etc/crypttab"
	echo "root=UUID=01-2 mortise.root=a-b cryptdevice=/dev/null:x" > "$work/cmdline"
	enter dash "$work/generator" "$units" a b
	[ -z "$(ls "$units")" ]
	: > "$work/release"
	enter dash "$work/generator" "$units" a b
	diff - <(cd "$units" && LC_ALL=C ls -d ./*/*) <<- 'END'
		./dev-disk-by\x2duuid-01\x2d2.device.d/mortise.conf
		./dev-mapper-luks2\x2da\x2db.device.d/mortise.conf
		./dev-mapper-x.device.d/mortise.conf
		./initrd-root-device.target.wants/mortise-root.service
		./initrd-root-fs.target.wants/mortise-root-move.service
	END
	! command -v systemd-escape > /dev/null || [ "$(systemd-escape --path /dev/disk/by-uuid/01-2).device" = 'dev-disk-by\x2duuid-01\x2d2.device' ]
	rm -r "$units" && mkdir "$units"
	echo "root=UUID=01-2 quiet" > "$work/cmdline"
	enter dash "$work/generator" "$units" a b
	[ -z "$(ls "$units")" ]
	echo "ok - units of systemd"
}

# What Alpine's init calls: the options of cryptroot= are left out, and the root is opened once.
mkinitfs() {
	printf '#!/bin/sh\necho "$0 $*" >> "$WORK/found"\n[ "$*" != "-p /sbin/mdev /dev/nothing" ] || exec sleep 1\n' \
		> "$work/bin/find"
	printf '#!/bin/sh\necho "unlock $* $MORTISE_EARLY" >> "$WORK/found"\necho root\n' > "$work/bin/unlock"
	chmod +x "$work/bin"/*
	sed "s|/usr/lib/mortise/unlock-root|$work/bin/unlock|; s|^find=.*|find=$work/bin/find|" \
		"$tree/contrib/mkinitfs/nlplug-findfs" > "$work/nlplug"
	: > "$work/found"
	# shellcheck disable=SC2016  # expanded by the inner shell
	enter busybox sh -c 'for _ in 1 2; do
		sh "$WORK/nlplug" -c /dev/sda2 -D -m root -H /h -o 7 -k /key -p /sbin/mdev -d /dev/mapper/root; done' \
		> "$work/out"
	grep -v nothing "$work/found" | sed "s|$work/bin/||" | diff - <(printf '%s\n' "unlock names /" "unlock open /" \
		"find -p /sbin/mdev -d /dev/mapper/root" "find -p /sbin/mdev -d /dev/mapper/root")
	echo "ok - mkinitfs"
}

# The shells of initramfs-tools and of busybox.
for under in "dash" "busybox sh"; do
	read -ra shell <<< "$under"
	command -v "${shell[0]}" > /dev/null || continue
	command_line
	failures
	agents
done
images
dracut
generator
mkinitcpio
mkinitfs
