#!/bin/sh
# SPDX-License-Identifier: MIT
# Arguments: what is taken, what is refused and with which words, by --test-args.
. "$(dirname "$(realpath "$0")")/lib.sh"

cs=as/cryptsetup
takes() { exits 0 "takes: $*" $cs --test-args "$@"; }
refuses() {
	text=$1
	shift
	says 1 "$text" "refuses: $*" $cs --test-args "$@"
}

takes open DEV NAME
takes luksOpen DEV NAME --header H --key-file=- --keyfile-size=7 --key-slot=3
takes open DEV NAME --perf-same_cpu_crypt --perf-submit_from_crypt_cpus \
	--perf-no_read_workqueue --perf-no_write_workqueue --allow-discards --persistent
takes open DEV --test-passphrase -S1 --disable-keyring --disable-locks -T 5 -t 9
takes open DEV NAME --master-key-file F --type luks2 --readonly
takes close NAME --deferred
takes luksClose NAME --cancel-deferred
takes remove NAME
takes status NAME
takes luksDump DEV --dump-json-metadata
takes luksDump DEV --dump-master-key --volume-key-file F -q
takes luksDump DEV --unbound -S 4
takes luksAddKey DEV NF -d F -l 3 --new-keyfile-size 4 --key-size=512
takes luksAddKey DEV --key-file=- --keyfile-size=3 --new-keyfile=- --new-keyfile-size=5 \
	--key-size=512 --perf-no_read_workqueue --key-slot=2
takes luksAddKey DEV --unbound --key-size 256 --new-key-slot 5
takes luksChangeKey DEV -S 3 --pbkdf argon2i --pbkdf-memory 64 --pbkdf-parallel 2
takes luksRemoveKey DEV F
takes luksKillSlot DEV 31 -q
takes luksErase DEV
takes isLuks DEV --type luks
takes luksUUID DEV --uuid 12345678-1234-1234-1234-123456789abc
takes token import DEV --json-file F --token-id 1 --token-replace -S 0
takes token export -q DEV --token-id 1
takes token remove DEV --token-id 1
takes luksConfig DEV --label L --subsystem S
takes config DEV --priority prefer -S 1
takes luksFormat --type luks2 --key-file=- -c aes-xts-plain64 DEV --key-slot=0 \
	--key-size=512 --perf-no_read_workqueue --sector-size=4096
takes luksFormat DEV --luks2-metadata-size 64k --luks2-keyslots-size=16MiB
takes luksFormat DEV -h=sha512 -qvi 100
takes luksFormat DEV --keyslot-cipher C --keyslot-key-size 256 --offset 8192
takes luksFormat -- DEV -file

refuses "--bogus: unknown option" luksFormat DEV --bogus
refuses "--key-s: unknown option" luksFormat DEV --key-s 3
refuses "-x: unknown option" luksFormat DEV -x
refuses "-s: missing argument" luksFormat DEV -s
refuses "--key-slot: missing argument" luksFormat DEV --key-slot
refuses "--batch-mode=3: option does not take an argument" luksFormat DEV --batch-mode=3
refuses "$cs: Argument <action> missing."
refuses "$cs: Unknown action." frobnicate DEV
refuses "$cs: Unknown action." up
refuses "$cs: luksDump: requires <device> as arguments" luksDump
refuses "$cs: status: requires <name> as arguments" status
refuses "$cs: luksKillSlot: requires <device> <key slot> as arguments" luksKillSlot DEV
refuses "$cs: Option --label is not allowed with luksDump action." luksDump DEV --label L
refuses "$cs: Option --file is not allowed with status action." status NAME -f F
refuses "$cs: invalid numeric value" luksFormat DEV --key-slot a
refuses "$cs: invalid numeric value" luksFormat DEV --timeout 4294967296
refuses "$cs: invalid numeric value" luksFormat DEV --keyfile-size -1
refuses "$cs: Key slot is invalid." luksFormat DEV -S-1
refuses "$cs: Key slot is invalid." luksKillSlot DEV -- -1
refuses "$cs: Key slot is invalid." luksKillSlot DEV zero
refuses "$cs: Key size must be a multiple of 8 bits" luksFormat DEV -s=7
refuses "$cs: Unsupported encryption sector size." luksFormat DEV --sector-size 511
refuses "$cs: Invalid size specification in parameter --luks2-metadata-size." \
	luksFormat DEV --luks2-metadata-size=16Q
refuses "$cs: Option --priority can be only ignore/normal/prefer." config DEV --priority high
refuses "$cs: Keyslot specification is required." config DEV --priority prefer
refuses "$cs: Keyslot specification is required." luksDump DEV --unbound
refuses "$cs: Key size is required with --unbound option." luksAddKey DEV --unbound
refuses "$cs: Only one --key-file argument is allowed." open DEV NAME -d F -d G
refuses "$cs: Options --align-payload and --offset cannot be combined." \
	luksFormat DEV --align-payload 8 --offset 8
refuses "$cs: PBKDF forced iterations cannot be combined with iteration time option." \
	luksFormat DEV -i 5 --pbkdf-force-iterations 5
refuses "$cs: Options --keyslot-cipher and --keyslot-key-size must be used together." \
	luksFormat DEV --keyslot-cipher C
refuses "$cs: Option --persistent is not allowed with --test-passphrase." \
	open DEV NAME --persistent --test-passphrase
refuses "$cs: Option --unbound cannot be used without --test-passphrase." \
	open DEV NAME --unbound
refuses "$cs: Action requires specific token. Use --token-id parameter." token export DEV
refuses "$cs: Invalid token action." token frobnicate DEV

# What this version lacks is named.
for verb in resize repair reencrypt convert luksConvertKey luksSuspend luksResume \
	luksHeaderBackup luksHeaderRestore tcryptDump bitlkDump fvault2Dump refresh; do
	refuses "$cs: Action $verb is not supported by this version." $verb DEV
done
for type in luks1 plain loopaes tcrypt bitlk fvault2; do
	refuses "$cs: Type $type is not supported by this version." open DEV NAME --type $type
done
refuses "$cs: Type plain is not supported by this version." create NAME DEV
refuses "$cs: Unrecognized metadata device type foo." open DEV NAME --type foo
for option in "--integrity aead" --progress-json; do
	refuses "$cs: Option ${option%% *} is not supported by this version with luksFormat action." \
		luksFormat DEV $option
done
for option in --serialize-memory-hard-pbkdf "--size 8" --refresh --debug-json; do
	refuses "$cs: Option ${option%% *} is not supported by this version with open action." \
		open DEV NAME $option
done
for option in "--token-id 1" --token-only "--token-type t"; do
	takes open DEV NAME $option
	takes luksAddKey DEV $option
	refuses "$cs: Option ${option%% *} is not supported by this version with luksRemoveKey action." \
		luksRemoveKey DEV $option
done
refuses "$cs: Token action add is not supported by this version." token add DEV

# Ours: keys from a KMS, the TPM or paper, in every build and by our own name only.
program=$MORTISE
ours_takes() { exits 0 "mortise takes: $*" "$program" --test-args "$@"; }
ours_refuses() {
	text=$1
	shift
	says 1 "$text" "mortise refuses: $*" "$program" --test-args "$@"
}
for option in "--kms grpc://kms" "--kms-ca F" "--kms-cert F" "--kms-key F" "--tcti T" \
	"--tpm-policy D" "--node-uuid U"; do
	refuses "$cs: Option ${option%% *} is not allowed with open action." open DEV NAME $option
done
refuses "$cs: Unknown action." enroll DEV --recovery-key
ours_takes open DEV NAME --kms https://kms:4050 --kms-ca F --kms-cert F --kms-key F --node-uuid U
ours_takes open DEV --test-passphrase --tcti swtpm --tpm-policy D --token-id 1 --token-only
ours_takes luksAddKey DEV --token-only --kms grpc://kms
ours_takes enroll DEV --recovery-key -S 4 --recovery-file F -d F --header H
ours_takes enroll DEV --kms grpc://kms:4050 --node-uuid U --token-only
for list in "" none 7 0,7 23,0,11; do
	ours_takes enroll DEV --tpm --tpm-pcrs "$list"
done
ours_takes enroll DEV --tpm --tpm-policy D --tcti T --tpm-check-secureboot --volume-key-file F
ours_takes enroll DEV --tpm --kms grpc://kms --token-only
for list in "," "7," ",7" "7,,7" 24 007 0x7 -1 "7 " 7+8 all; do
	ours_refuses "$program: Option --tpm-pcrs wants numbers from 0 to 23 with commas between them, or none." \
		enroll DEV --tpm --tpm-pcrs "$list"
done
ours_refuses "$program: enroll: requires <device> as arguments" enroll
ours_refuses "$program: enroll: requires --recovery-key, --kms or --tpm" enroll DEV
one="$program: Only one of --recovery-key, --kms and --tpm can be enrolled at a time."
ours_refuses "$one" enroll DEV --tpm --kms grpc://kms
ours_refuses "$one" enroll DEV --tpm --recovery-key
ours_refuses "$one" enroll DEV --tpm --recovery-key --kms grpc://kms --token-only
ours_refuses "$program: Option --recovery-file is allowed only with --recovery-key." \
	enroll DEV --tpm --recovery-file F
ours_refuses "$program: Option --tpm-pcrs is allowed only with --tpm." \
	enroll DEV --recovery-key --tpm-pcrs 7
ours_refuses "$program: Option --tpm-check-secureboot is allowed only with --tpm." \
	enroll DEV --recovery-key --tpm-check-secureboot
ours_refuses "$program: Options --kms-cert and --kms-key must be used together." \
	enroll DEV --kms https://kms --kms-cert F
for clear in kms kms:4050 grpc://kms GRPC://kms; do
	for verb in open enroll; do
		ours_refuses "$program: Options --kms-ca, --kms-cert and --kms-key need a KMS over TLS: --kms https://HOST:PORT." \
			$verb DEV NAME --kms $clear --kms-ca F
	done
done
ours_refuses "$program: Option --recovery-key is not allowed with open action." \
	open DEV NAME --recovery-key

if has "declared yes"; then
	# By its own name it knows the declared volumes.
	exits 0 "mortise up takes its options" "$MORTISE" --test-args up -f F --device A=/dev/b \
		--device C=/dev/d --node-uuid U --root R --check-keys --no-mount --json A
	exits 0 "mortise status needs no name" "$MORTISE" --test-args status
	exits 0 "mortise up takes key sources" "$MORTISE" --test-args up --wait 5 --recovery \
		--extend-pcr 11:booted --kms-ca F --kms-cert F --kms-key F --tcti T --tpm-policy D
	exits 0 "mortise plan too" "$MORTISE" --test-args plan --wait 0 --kms-ca F --tcti T
	longest=$(printf '%64s' '' | tr ' ' w)
	for extension in 0:x 23:y "7:two words" "7:a:b" "7:$longest"; do
		ours_takes up --extend-pcr "$extension"
	done
	for extension in "" : 7 7: :word 24:x -1:x 007:x x:7 "7:$(printf '\011')" "7:${longest}w" \
		"7:$(printf '\303\244')"; do
		ours_refuses "$program: Option --extend-pcr wants N:WORD: a number from 0 to 23 and 1 to 64 printable characters." \
			up --extend-pcr "$extension"
	done
	ours_refuses "$program: invalid numeric value" up --wait 4294968
	ours_refuses "$program: Option --wait is not allowed with down action." down --wait 1
	ours_refuses "$program: Option --recovery is not allowed with plan action." plan --recovery
	for how in --dry-run --staged; do
		ours_refuses "$program: Option --extend-pcr is not allowed with $how." \
			apply -f F $how --extend-pcr 11:booted
	done
	says 1 "mortise: --device wants NAME=/dev/X, not \"A\"." "--device without a path" \
		"$MORTISE" up -f F --device A
	flags="BLKID KEYRING"
else
	for verb in plan up down benchmark; do
		says 1 "$MORTISE: Action $verb is not supported by this version." \
			"$verb is not in this build" "$MORTISE" $verb
	done
	says 1 "$MORTISE: Option --json is not allowed with status action." \
		"nor are its options" "$MORTISE" status x --json
	says 1 "$MORTISE: status: requires <name> as arguments" "status needs a name" \
		"$MORTISE" status
	"$MORTISE" --help | grep -q -e --no-mount -e --extend-pcr -e '	up '
	[ $? = 1 ]
	result $? "and help does not offer them"
	flags=KEYRING
fi
exits 0 "cryptsetup --version" $cs --version
[ "$(cat out)" = "cryptsetup 2.6.1 flags: $flags " ]
result $? "cryptsetup --version is one line"
exits 0 "mortise --version" "$MORTISE" -V
head -n 1 out | grep -q '^mortise [0-9]'
result $? "mortise --version names it"
exits 0 "--help" $cs --help
exits 0 "--usage" $cs --usage
exits 1 "an option that is wrong comes before --help" $cs --bogus --help
"$MORTISE" --help >/dev/full 2>/dev/null
[ $? = 1 ]
result $? "a full standard output is no success"
finish
