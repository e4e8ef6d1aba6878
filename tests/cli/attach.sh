#!/bin/sh
# SPDX-License-Identifier: MIT
# attach: how it reads a line of crypttab(5). With -v it prints the words of the open command that
# the line stands for, and --test-args stops before device-mapper is used.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"

truncate -s 20M blank luks file
"$MORTISE" luksFormat -q $cheap --key-file /dev/stdin luks <<-END || exit 1
	the passphrase
END
head -c 64 /dev/urandom >key

# becomes "WORD ..." NAME DEVICE KEYFILE OPTIONS: attach stands for these words of open.
becomes() {
	want=$1
	shift
	"$MORTISE" attach -v --test-args "$@" >out 2>err </dev/null
	got=$(grep -v '^Command' out | tr '\n' ' ')
	want="open --batch-mode $want --verbose -- $2 $1 "
	[ "$got" = "$want" ]
	result $? "$*"
	[ "$got" = "$want" ] || printf '# got  %s\n# want %s\n' "$got" "$want"
	[ "$got" = "$want" ] || sed 's/^/# /' err
}

# refused TEXT NAME DEVICE KEYFILE OPTIONS
refused() {
	text=$1
	shift
	"$MORTISE" attach --test-args "$@" >out 2>err
	[ $? = 1 ] && grep -qF -- "$text" err
	result $? "refused: $*"
	grep -qF -- "$text" err || sed 's/^/# /' err
}

becomes "--type=luks" v luks
becomes "--type=luks" v luks none
becomes "--type=luks" v luks - ''
becomes "--type=luks --key-file=key" v luks key
becomes "--type=luks --allow-discards --readonly --key-slot=3" v luks none luks,discard,readonly,key-slot=3
becomes "--type=luks --allow-discards" v luks none allow-discards,noauto,nofail,_netdev,x-initrd.attach,x-systemd.device-timeout=10
becomes "--type=luks --keyfile-size=16 --keyfile-offset=8 --key-file=key" v luks key keyfile-size=16,keyfile-offset=8
becomes "--type=luks --header=luks" v blank none header=luks
becomes "--type=luks --tries=4294967295 --timeout=90 --verify-passphrase" v luks none tries=0,timeout=90s,verify
becomes "--type=luks --timeout=120" v luks none timeout=2min
becomes "--type=luks --perf-same_cpu_crypt --perf-submit_from_crypt_cpus --perf-no_read_workqueue --perf-no_write_workqueue" \
	v luks none same-cpu-crypt,submit-from-crypt-cpus,no-read-workqueue,no-write-workqueue
becomes "--type=luks --token-only" v luks none headless
becomes "--type=luks" v luks none headless=no,password-echo=no,tpm2-pcrs=7,tpm2-device=auto,tpm2-measure-pcr=no
becomes "--type=luks" v luks none initramfs,noearly,loud,quiet
becomes "--type=luks" v luks none cipher=aes-xts-plain64,size=512
grep -q "option cipher is ignored for luks" err
result $? "options of plain mappings are ignored for LUKS, with a warning"
becomes "--type=plain --cipher=aes-xts-plain64 --key-size=512 --hash=sha256" \
	v blank none plain,cipher=aes-xts-plain64,size=512,hash=sha256
becomes "--type=plain --cipher=aes-xts-plain64" v blank none cipher=aes-xts-plain64
becomes "--type=plain --offset=8 --skip=16 --sector-size=4096 --key-file=key" \
	v blank key plain,offset=8,skip=16,sector-size=4096
becomes "--type=plain --cipher=aes-cbc-essiv:sha256 --key-size=256 --key-file=/dev/urandom" \
	v blank /dev/urandom swap,cipher=aes-cbc-essiv:sha256,size=256,hash=sha1
becomes "--type=plain --key-file=/dev/random" v blank /dev/random tmp
becomes "--type=plain --key-file=/dev/urandom" v blank /dev/urandom tmp=xfs
becomes "--type=plain --cipher=a,b-c --key-file=/dev/urandom" v blank /dev/urandom 'swap,cipher=a\054b-c'
becomes "--type=plain --cipher=a,b-c --key-file=/dev/urandom" v blank /dev/urandom 'swap,cipher=a\,b-c'
becomes "--type=luks" v luks none ,,luks,

refused "unknown option" v luks none luks,discards
refused "unknown option" v luks none Luks
refused "unknown option" v luks none 'luks discard'
refused "invalid option keyscript=/bin/x: programs are not run" v luks none keyscript=/bin/x
for option in pkcs11-uri=auto fido2-device=auto link-volume-key=@u::%user:x tpm2-measure-pcr=yes \
	tpm2-measure-pcr=15 try-empty-password tpm2-signature=/x check=/bin/true; do
	refused "invalid option $option" v luks none $option
done
for option in timeout=soon timeout=-1 timeout tries headless=maybe cipher= size; do
	refused "invalid option $option" v blank none plain,$option
done
refused "invalid numeric value" v blank none plain,size=x
refused "a random key opens only a plain mapping" v luks /dev/urandom
refused "a random key opens only a plain mapping" v luks /dev/urandom luks
refused "swap and tmp are for plain mappings only" v luks /dev/urandom luks,swap
refused "need a random key" v blank none swap
refused "need a random key" v blank key tmp
refused "there is no LUKS header" v blank none
refused "there is no LUKS header" v blank key size=256
refused "which headless forbids" v blank none plain,headless
refused "a key file on another device is not supported" v luks /key:UUID=1234 luks
refused "standard input is a file" v luks none luks <file
refused "a value is missing" v luks none key-slot
for type in bitlk tcrypt veracrypt fvault2; do
	refused "is not supported; use cryptsetup" v blank none $type
done

# Data of others is not destroyed.
refused "the device has a LUKS header" v luks /dev/urandom swap
refused "the device has a LUKS header" v luks /dev/urandom swap,offset=40000
refused "the device has a LUKS header" v luks key plain
cp luks half
dd if=/dev/urandom of=half bs=4096 count=1 conv=notrunc 2>/dev/null
refused "the device has a LUKS header" v half /dev/urandom tmp
"$MORTISE" open --test-passphrase --key-file /dev/stdin luks <<-END
	the passphrase
END
result $? "the header is intact"
mkfs.ext4 -qF file
for options in swap tmp plain; do
	refused "file contains other data (ext" v file /dev/urandom $options
done
truncate -s 0 file
truncate -s 20M file
mkfs.ext4 -qF -E offset=1048576 file 4096
refused "file contains other data (ext" v file /dev/urandom swap,offset=2048
mkswap file >/dev/null 2>&1
becomes "--type=plain --key-file=/dev/urandom" v file /dev/urandom swap
refused "file contains other data (swap)" v file /dev/urandom tmp
printf 'label: dos\n2048,2048\n' | sfdisk -q file >/dev/null 2>&1 || printf 'label: dos\n2048,2048\n' | /sbin/sfdisk -q file
refused "contains other data" v file /dev/urandom swap

exits 1 "attach needs a device" "$MORTISE" attach v
exits 1 "attach takes four arguments" "$MORTISE" attach v luks none luks discard
exits 1 "options of open are refused" "$MORTISE" attach v luks none luks --readonly
exits 1 "detach takes no options either" "$MORTISE" detach v --deferred
exits 1 "not under the name cryptsetup" as/cryptsetup attach v luks
says 4 "mortise: cannot attach v: device /dev/disk/by-uuid/1234-abcd does not exist" "UUID=" \
	"$MORTISE" attach v UUID=1234-ABCD none luks
says 4 "mortise: cannot attach v: device /dev/disk/by-partuuid/0-a does not exist" "PARTUUID=" \
	"$MORTISE" attach v PARTUUID=0-A none luks
says 4 "mortise: cannot attach v: device /dev/disk/by-label/A\\x20b does not exist" "LABEL=" \
	"$MORTISE" attach v 'LABEL=A b' none luks
says 4 "mortise: cannot attach v: device /dev/disk/by-partlabel/..\\x2fx does not exist" "PARTLABEL=" \
	"$MORTISE" attach v 'PARTLABEL=../x' none luks
finish
