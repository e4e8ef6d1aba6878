#!/usr/bin/env bash
# attach and detach: lines of crypttab(5), opened by mortise and compared with what cryptsetup opens,
# and the init script in contrib/crypttab. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

script=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../contrib/crypttab/crypttab.initd")
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
mkdir "$work/bin"
ln -s "$MORTISE" "$work/bin/mortise"
PATH=$work/bin:$PATH
head -c 64 /dev/urandom >"$work/key"

luks=$(blank_device 20)
printf 'the passphrase' | mortise luksFormat -q "${cheap[@]}" --key-file - "$luks"
mortise luksAddKey -q "${cheap[@]}" --key-file <(printf 'the passphrase') "$luks" "$work/key"
plain=$(blank_device 8)
swap=$(blank_device 8)
tmp=$(blank_device 16)

table() { dmsetup table --showkeys "$1"; }

# as_cryptsetup NAME TEXT WORD...: the mapping is that of cryptsetup open WORD...
as_cryptsetup() {
	local name=$1 text=$2 ours

	ours=$(table "$name")
	mortise detach "$name"
	cryptsetup -q open "${@:3}" "$name" </dev/null
	check_equal "$text" "$ours" "$(table "$name")"
	cryptsetup close "$name"
}

test_lines() {
	check "a LUKS device with a key file" \
		mortise attach v "$luks" "$work/key" luks,discard,no-read-workqueue
	check "once more, it is active" mortise attach v "$luks" "$work/key" luks
	as_cryptsetup v "cryptsetup opens it alike" --key-file "$work/key" --allow-discards \
		--perf-no_read_workqueue "$luks"
	printf 'the passphrase\n' | mortise attach v "$luks" none luks
	check "a passphrase from a pipe" mortise detach v
	check "detach without a mapping" mortise detach v
	check_status 2 "a wrong key" mortise attach v "$luks" "$MORTISE" keyfile-size=9
	check_fails "leaves no mapping" dmsetup info v
	check "a plain device" mortise attach v "$plain" "$work/key" \
		plain,cipher=aes-xts-plain64,size=512,offset=64,skip=8,sector-size=4096
	as_cryptsetup v "cryptsetup opens it alike" --type plain --cipher aes-xts-plain64 \
		--key-size 512 --offset 64 --skip 8 --sector-size 4096 --key-file "$work/key" "$plain"
	printf 'the passphrase\n' | mortise attach v "$plain" - plain,hash=sha512,size=256,cipher=aes-cbc-plain64
	printf 'the passphrase\n' | cryptsetup -q open --type plain --shared --hash sha512 --key-size 256 \
		--cipher aes-cbc-plain64 "$plain" w
	check_equal "with a passphrase, too" "$(table v)" "$(table w)"
	mortise detach v
	mortise detach w
	check "the UUID names the device" mortise attach --test-args v "UUID=$(blkid -s UUID -o value "$luks")" \
		"$work/key" luks
}

test_swap() {
	local turn

	mkswap "$swap" >/dev/null
	for turn in first second third; do
		check "$turn swap" mortise attach s "$swap" /dev/urandom swap,cipher=aes-xts-plain64,size=512
		check "swapon" swapon /dev/mapper/s
		# This takes 5 seconds, in which a device may become free.
		[[ $turn != first ]] || check_status 5 "in use it is not closed" mortise detach s
		swapoff /dev/mapper/s
		mortise detach s
		check_equal "nothing shows on the device" "$(blkid -p "$swap")" ""
	done
	mkfs.ext4 -qF "$swap"
	check_status 1 "a file system is not overwritten" \
		mortise attach s "$swap" /dev/urandom swap,cipher=aes-xts-plain64,size=512
	check "it is intact" e2fsck -fn "$swap"
	check_status 1 "nor is LUKS" mortise attach s "$luks" /dev/urandom swap
	check "the header is intact" mortise open --test-passphrase --key-file "$work/key" "$luks"
	check_fails "no mapping is left" dmsetup info s
}

test_tmp() {
	local turn

	for turn in first second; do
		check "$turn tmp" mortise attach t "$tmp" /dev/urandom tmp,cipher=aes-xts-plain64,size=512
		mkdir -p /run/mounted
		mount /dev/mapper/t /run/mounted
		check_equal "everyone may write" "$(stat -c %a /run/mounted)" 1777
		check_equal "it is empty" "$(ls /run/mounted)" lost+found
		touch /run/mounted/file
		umount /run/mounted
		mortise detach t
	done
	check_status 1 "mkfs fails" mortise attach t "$tmp" /dev/urandom tmp=btrfs
	check_status 1 "an unknown file system" mortise attach t "$tmp" /dev/urandom tmp=nonsense
	check_fails "no mapping is left" dmsetup info t
}

test_options() {
	cp "$work/key" "$work/erased"
	check_status 2 "a wrong key" mortise attach v "$luks" "$work/erased" keyfile-erase,keyfile-size=9
	check "is kept" cmp "$work/key" "$work/erased"
	check "the right key" mortise attach v "$luks" "$work/erased" keyfile-erase
	check_fails "is erased" test -e "$work/erased"
	mortise detach v
	mortise attach v "$plain" "$work/key" plain
	mkfs.ext4 -q /dev/mapper/v
	mortise detach v
	check "check finds the file system" mortise attach v "$plain" "$work/key" plain,check
	mortise detach v
	check "and its type" mortise attach v "$plain" "$work/key" plain,check=blkid,checkargs=ext4
	mortise detach v
	check_status 1 "another type" mortise attach v "$plain" "$work/key" plain,check,checkargs=xfs
	check_status 1 "a wrong key" mortise attach v "$plain" "$work/key" plain,check,keyfile-offset=1
	check_fails "no mapping is left" dmsetup info v
	mkdir -p /run/cryptsetup-keys.d
	cp "$work/key" /run/cryptsetup-keys.d/v.key
	check "the key file of the name" mortise attach v "$luks" none luks
	mortise detach v
	rm /run/cryptsetup-keys.d/v.key
}

test_script() {
	wipefs -qa "$swap"
	cat >"$work/crypttab" <<-END
		# name device key options
		one $luks $work/key luks,discard

		two\\040blanks $plain	$work/key plain,cipher=aes-cbc-essiv:sha256,size=256
		swap $swap /dev/urandom swap,cipher=aes-xts-plain64,size=512,nofail
		absent /dev/nothing $work/key luks,nofail
		manual $tmp $work/key plain,noauto
		inner /dev/mapper/one $work/key plain,cipher=aes-xts-plain64
	END
	export CRYPTTAB=$work/crypttab CRYPTTAB_TTY=/dev/null
	check "start" "$script" start
	check_equal "the mappings" "$(dmsetup ls | cut -f1 | sort | tr '\n' ' ')" \
		'inner one swap two blanks '
	check "start again" "$script" start
	check "stop" "$script" stop
	check_equal "no mapping is left" "$(dmsetup ls)" "No devices found"
	echo "other /dev/nothing $work/key luks" >>"$work/crypttab"
	check_status 1 "a device is missing" "$script" start
	check "stop" "$script" stop
}

[[ -n ${1-} ]] || set -- lines swap tmp options script
for topic; do
	"test_$topic"
done
finish
