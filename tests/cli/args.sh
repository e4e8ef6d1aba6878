#!/bin/bash
# SPDX-License-Identifier: MIT
# Command line parsing, checked with --test-args: the accepted arguments, and the exact error for
# each rejected one.
. "$(dirname "$(realpath "$0")")/lib.sh"

cs=as/cryptsetup
accepts() { exits 0 "accepts: $*" $cs --test-args "$@"; }
rejects() {
	text=$1
	shift
	says 1 "$text" "rejects: $*" $cs --test-args "$@"
}

accepts open DEV NAME
accepts luksOpen DEV NAME --header H --key-file=- --keyfile-size=7 --key-slot=3
accepts open DEV NAME --perf-same_cpu_crypt --perf-submit_from_crypt_cpus \
	--perf-no_read_workqueue --perf-no_write_workqueue --allow-discards --persistent
accepts open DEV --test-passphrase -S1 --disable-keyring --disable-locks -T 5 -t 9
accepts open DEV NAME --master-key-file F --type luks2 --readonly
accepts close NAME --deferred
accepts luksClose NAME --cancel-deferred
accepts remove NAME
accepts status NAME
accepts luksDump DEV --dump-json-metadata
accepts luksDump DEV --dump-master-key --volume-key-file F -q
accepts luksDump DEV --unbound -S 4
accepts luksAddKey DEV NF -d F -l 3 --new-keyfile-size 4 --key-size=512
accepts luksAddKey DEV --key-file=- --keyfile-size=3 --new-keyfile=- --new-keyfile-size=5 \
	--key-size=512 --perf-no_read_workqueue --key-slot=2
accepts luksAddKey DEV --unbound --key-size 256 --new-key-slot 5
accepts luksChangeKey DEV -S 3 --pbkdf argon2i --pbkdf-memory 64 --pbkdf-parallel 2
accepts luksRemoveKey DEV F
accepts luksKillSlot DEV 31 -q
accepts luksErase DEV
accepts isLuks DEV --type luks
accepts luksUUID DEV --uuid 12345678-1234-1234-1234-123456789abc
accepts token import DEV --json-file F --token-id 1 --token-replace -S 0
accepts token export -q DEV --token-id 1
accepts token remove DEV --token-id 1
accepts luksConfig DEV --label L --subsystem S
accepts config DEV --priority prefer -S 1
accepts luksFormat --type luks2 --key-file=- -c aes-xts-plain64 DEV --key-slot=0 \
	--key-size=512 --perf-no_read_workqueue --sector-size=4096
accepts luksFormat DEV --luks2-metadata-size 64k --luks2-keyslots-size=16MiB
accepts luksFormat DEV -h=sha512 -qvi 100
accepts luksFormat DEV --keyslot-cipher C --keyslot-key-size 256 --offset 8192
accepts luksFormat -- DEV -file
accepts luksFormat DEV --use-random
accepts luksFormat DEV --use-urandom --force-password

rejects "--bogus: unknown option" luksFormat DEV --bogus
rejects "--key-s: unknown option" luksFormat DEV --key-s 3
rejects "-x: unknown option" luksFormat DEV -x
rejects "-s: missing argument" luksFormat DEV -s
rejects "--key-slot: missing argument" luksFormat DEV --key-slot
rejects "--batch-mode=3: option does not take an argument" luksFormat DEV --batch-mode=3
rejects "$cs: Argument <action> missing."
rejects "$cs: Unknown action." frobnicate DEV
rejects "$cs: Unknown action." up
rejects "$cs: luksDump: requires <device> as arguments" luksDump
rejects "$cs: status: requires <name> as arguments" status
rejects "$cs: luksKillSlot: requires <device> <key slot> as arguments" luksKillSlot DEV
rejects "$cs: Option --label is not allowed with luksDump action." luksDump DEV --label L
rejects "$cs: Option --file is not allowed with status action." status NAME -f F
rejects "$cs: invalid numeric value" luksFormat DEV --key-slot a
rejects "$cs: invalid numeric value" luksFormat DEV --timeout 4294967296
rejects "$cs: invalid numeric value" luksFormat DEV --keyfile-size -1
rejects "$cs: Key slot is invalid." luksFormat DEV -S-1
rejects "$cs: Key slot is invalid." luksKillSlot DEV -- -1
rejects "$cs: Key slot is invalid." luksKillSlot DEV zero
rejects "$cs: Key size must be a multiple of 8 bits" luksFormat DEV -s=7
rejects "$cs: Unsupported encryption sector size." luksFormat DEV --sector-size 511
rejects "$cs: Invalid size specification in parameter --luks2-metadata-size." \
	luksFormat DEV --luks2-metadata-size=16Q
rejects "$cs: Option --priority can be only ignore/normal/prefer." config DEV --priority high
rejects "$cs: Keyslot specification is required." config DEV --priority prefer
rejects "$cs: Keyslot specification is required." luksDump DEV --unbound
rejects "$cs: Key size is required with --unbound option." luksAddKey DEV --unbound
rejects "$cs: Only one --key-file argument is allowed." open DEV NAME -d F -d G
rejects "$cs: Options --align-payload and --offset cannot be combined." \
	luksFormat DEV --align-payload 8 --offset 8
rejects "$cs: PBKDF forced iterations cannot be combined with iteration time option." \
	luksFormat DEV -i 5 --pbkdf-force-iterations 5
rejects "$cs: Options --keyslot-cipher and --keyslot-key-size must be used together." \
	luksFormat DEV --keyslot-cipher C
rejects "$cs: Option --persistent is not allowed with --test-passphrase." \
	open DEV NAME --persistent --test-passphrase
rejects "$cs: Options --refresh and --test-passphrase are mutually exclusive." \
	open NAME --refresh --test-passphrase
rejects "$cs: Options --refresh and --test-passphrase are mutually exclusive." \
	refresh NAME --test-passphrase
rejects "$cs: Option --unbound cannot be used without --test-passphrase." \
	open DEV NAME --unbound
rejects "$cs: Action requires specific token. Use --token-id parameter." token export DEV
rejects "$cs: Invalid token action." token frobnicate DEV

# The error names each unsupported type and option.
rejects "$cs: Type luks1 is not supported by this version." luksFormat DEV --type luks1
for foreign in "loopaes (loop-AES)" "tcrypt (TrueCrypt and VeraCrypt)" "bitlk (BitLocker)" \
	"fvault2 (FileVault)"; do
	type=${foreign%% *}
	rejects "$cs: Type $foreign is not supported; use cryptsetup." open DEV NAME --type $type
	rejects "$cs: Type $foreign is not supported; use cryptsetup." ${type}Open DEV NAME
	[ $type = loopaes ] || rejects "$cs: Action ${type}Dump ${foreign#* } is not supported; use cryptsetup." \
		${type}Dump DEV
done
rejects "$cs: Type verity (dm-verity) is not supported; use veritysetup." open DEV NAME --type verity
rejects "$cs: Unrecognized metadata device type plain." luksFormat DEV --type plain

# Plain mappings.
accepts create NAME DEV
accepts plainOpen DEV NAME -c aes-cbc-plain -s 128 -h sha1 -o 8 -p 8 -b 8 -r --shared
accepts open DEV NAME --type plain --device-size 32M --sector-size 4096 --iv-large-sectors
accepts close NAME --type plain
for option in "--offset 8" "--skip 8" --shared "--sector-size 4096" --iv-large-sectors "--size 8" \
	"--device-size 1M"; do
	"$MORTISE" --test-args open DEV NAME $option >out 2>err
	[ $? = 1 ] && grep -q "only .*plain" err
	result $? "open ${option%% *} is for plain devices"
done
rejects "$cs: Option --test-passphrase is allowed only for open of LUKS devices." \
	open DEV --type plain --test-passphrase
rejects "$cs: Options --device-size and --size cannot be combined." \
	open DEV NAME --type plain --size 8 --device-size 4096
rejects "$cs: Large IV sectors option is supported only for opening plain type device with sector size larger than 512 bytes." \
	open DEV NAME --type plain --iv-large-sectors
rejects "$cs: Invalid offset specification." open DEV NAME --type plain --offset 18446744073709551615
for option in "--header H" "--key-slot 1" "--volume-key-file F" --persistent "--token-id 1"; do
	"$MORTISE" --test-args open DEV NAME --type plain $option >out 2>err
	[ $? = 1 ] && grep -q "are not allowed for open of plain device" err
	result $? "open --type plain refuses ${option%% *}"
done
rejects "$cs: Unrecognized metadata device type foo." open DEV NAME --type foo
accepts luksFormat DEV --integrity aead
accepts luksFormat DEV --integrity aead --integrity-no-wipe --integrity-legacy-padding
accepts open DEV NAME --integrity-no-journal
rejects "$cs: Option --integrity-no-wipe can be used only for format action with integrity extension." \
	luksFormat DEV --integrity-no-wipe
rejects "$cs: Option --serialize-memory-hard-pbkdf is not supported by this version with open action." \
	open DEV NAME --serialize-memory-hard-pbkdf
for option in "--token-id 1" --token-only "--token-type t"; do
	accepts open DEV NAME $option
	accepts luksAddKey DEV $option
	rejects "$cs: Option ${option%% *} is not supported by this version with luksRemoveKey action." \
		luksRemoveKey DEV $option
done
rejects "$cs: --key-description parameter is mandatory for token add action." token add DEV
rejects "$cs: Action requires specific keyslot. Use --key-slot parameter." \
	token unassign DEV --token-id 1
rejects "$cs: Action requires specific token. Use --token-id parameter." \
	token unassign DEV --key-slot 1
rejects "$cs: Option --unbound is valid only with token add action." \
	token export DEV --token-id 1 --unbound
rejects "$cs: Options --key-slot and --unbound cannot be combined." \
	token add DEV --key-description D --key-slot 1 --unbound

# The options of mortise itself, for keys from a KMS, the TPM or paper: accepted in every build,
# but only when the program is called mortise.
program=$MORTISE
mortise_accepts() { exits 0 "mortise accepts: $*" "$program" --test-args "$@"; }
mortise_rejects() {
	text=$1
	shift
	says 1 "$text" "mortise rejects: $*" "$program" --test-args "$@"
}
for option in "--kms grpc://kms" "--kms-ca F" "--kms-cert F" "--kms-key F" "--tcti T" \
	"--tpm-policy D" "--node-uuid U"; do
	rejects "$cs: Option ${option%% *} is not allowed with open action." open DEV NAME $option
done
rejects "$cs: Unknown action." enroll DEV --recovery-key
mortise_accepts open DEV NAME --kms https://kms:4050 --kms-ca F --kms-cert F --kms-key F --node-uuid U
mortise_accepts open DEV --test-passphrase --tcti swtpm --tpm-policy D --token-id 1 --token-only
mortise_accepts luksAddKey DEV --token-only --kms grpc://kms
mortise_accepts enroll DEV --recovery-key -S 4 --recovery-file F -d F --header H
mortise_accepts enroll DEV --kms grpc://kms:4050 --node-uuid U --token-only
for list in "" none 7 0,7 23,0,11; do
	mortise_accepts enroll DEV --tpm --tpm-pcrs "$list"
done
mortise_accepts enroll DEV --tpm --tpm-policy D --tcti T --tpm-check-secureboot --volume-key-file F
mortise_accepts enroll DEV --tpm --kms grpc://kms --token-only
for list in "," "7," ",7" "7,,7" 24 007 0x7 -1 "7 " 7+8 all; do
	mortise_rejects "$program: Option --tpm-pcrs takes a list of numbers from 0 to 23, separated by commas, or an empty list." \
		enroll DEV --tpm --tpm-pcrs "$list"
done
mortise_rejects "$program: enroll: requires <device> as arguments" enroll
mortise_rejects "$program: enroll: --recovery-key, --kms or --tpm is required" enroll DEV
one="$program: Only one of --recovery-key, --kms and --tpm can be enrolled at a time."
mortise_rejects "$one" enroll DEV --tpm --kms grpc://kms
mortise_rejects "$one" enroll DEV --tpm --recovery-key
mortise_rejects "$one" enroll DEV --tpm --recovery-key --kms grpc://kms --token-only
mortise_rejects "$program: Option --recovery-file is allowed only with --recovery-key." \
	enroll DEV --tpm --recovery-file F
mortise_rejects "$program: Option --tpm-pcrs is allowed only with --tpm." \
	enroll DEV --recovery-key --tpm-pcrs 7
mortise_rejects "$program: Option --tpm-check-secureboot is allowed only with --tpm." \
	enroll DEV --recovery-key --tpm-check-secureboot
mortise_rejects "$program: Options --kms-cert and --kms-key must be used together." \
	enroll DEV --kms https://kms --kms-cert F
for clear in kms kms:4050 grpc://kms GRPC://kms; do
	for verb in open enroll; do
		mortise_rejects "$program: Options --kms-ca, --kms-cert and --kms-key need a KMS over TLS: --kms https://HOST:PORT." \
			$verb DEV NAME --kms $clear --kms-ca F
	done
done
mortise_rejects "$program: Option --recovery-key is not allowed with open action." \
	open DEV NAME --recovery-key

if has "declared yes"; then
	# The verbs for declared volumes exist only when the program is called mortise.
	exits 0 "mortise up accepts its options" "$MORTISE" --test-args up -f F --device A=/dev/b \
		--device C=/dev/d --node-uuid U --root R --check-keys --no-mount --json A
	exits 0 "mortise up accepts --adopt" "$MORTISE" --test-args up --adopt
	mortise_rejects "$program: Option --adopt is not allowed with apply action." \
		apply -f F --adopt
	exits 0 "mortise status needs no name" "$MORTISE" --test-args status
	exits 0 "mortise up accepts key sources" "$MORTISE" --test-args up --wait 5 --recovery \
		--extend-pcr 11:booted --kms-ca F --kms-cert F --kms-key F --tcti T --tpm-policy D
	exits 0 "mortise plan accepts key sources" "$MORTISE" --test-args plan --wait 0 --kms-ca F --tcti T
	longest=$(printf '%64s' '' | tr ' ' w)
	for extension in 0:x 23:y "7:two words" "7:a:b" "7:$longest"; do
		mortise_accepts up --extend-pcr "$extension"
	done
	for extension in "" : 7 7: :word 24:x -1:x 007:x x:7 "7:$(printf '\011')" "7:${longest}w" \
		"7:$(printf '\303\244')"; do
		mortise_rejects "$program: Option --extend-pcr takes N:WORD: a number from 0 to 23 and 1 to 64 printable characters." \
			up --extend-pcr "$extension"
	done
	mortise_rejects "$program: invalid numeric value" up --wait 4294968
	mortise_rejects "$program: Option --wait is not allowed with down action." down --wait 1
	mortise_rejects "$program: Option --recovery is not allowed with plan action." plan --recovery
	for how in --dry-run --staged; do
		mortise_rejects "$program: Option --extend-pcr is not allowed with $how." \
			apply -f F $how --extend-pcr 11:booted
	done
	says 1 "mortise: invalid --device \"A\"; use NAME=/dev/X" "--device without a path" \
		"$MORTISE" up -f F --device A
	flags="BLKID KEYRING"
else
	for verb in plan up down benchmark; do
		says 1 "$MORTISE: Action $verb is not supported by this version." \
			"$verb is not in this build" "$MORTISE" $verb
	done
	says 1 "$MORTISE: Option --json is not allowed with status action." \
		"options of declared volumes are not in this build" "$MORTISE" status x --json
	says 1 "$MORTISE: status: requires <name> as arguments" "status needs a name" \
		"$MORTISE" status
	"$MORTISE" --help | grep -q -e --no-mount -e --extend-pcr -e '	up '
	[ $? = 1 ]
	result $? "--help does not list them"
	flags=KEYRING
fi
exits 0 "cryptsetup --version" $cs --version
[ "$(cat out)" = "cryptsetup 2.6.1 flags: $flags " ]
result $? "cryptsetup --version is one line"
exits 0 "mortise --version" "$MORTISE" -V
head -n 1 out | grep -q '^mortise [0-9]'
result $? "mortise --version prints name and version"
exits 0 "--help" $cs --help
exits 0 "--usage" $cs --usage

# --help after an action: its arguments, its own options, and no other.
exits 0 "close --help" "$MORTISE" close --help
cat >expected <<END
Usage: $MORTISE [OPTION...] close <name>

close: remove the mapping

      --cancel-deferred                cancel a deferred close
      --deferred                       close the mapping when its last user closes it
END
grep -B 99 deferred out | diff expected - >difference
result $? "it shows the arguments and options of close"
sed 's/^/# /' difference
exits 0 "--help of an older name" "$MORTISE" luksClose --help
head -n 1 out | diff - <(head -n 1 expected) >difference
result $? "it shows the action"
grep -qxE 'Every action also takes --help --usage --version --batch-mode --debug( --debug-json)? --test-args --verbose' out
result $? "it names the options of all actions"
exits 0 "open --usage" "$MORTISE" open --usage
grep -q 'open <device>' out
result $? "it shows the arguments of open"
says 1 "$MORTISE: Action tcryptDump (TrueCrypt and VeraCrypt) is not supported; use cryptsetup." \
	"--help of an action that is not supported" "$MORTISE" tcryptDump --help

# Every option that an action shows is accepted with it, and every option is shown by an action.
"$MORTISE" --help | sed -n 's/^\(  -.,\|     \) --\([a-z0-9_-]*\).*/\2/p' >all
"$MORTISE" --help | sed -n 's/^\t\([A-Za-z0-9]*\) .* - .*/\1/p' >actions
: >shown
while read -r action; do
	"$MORTISE" "$action" --help >out
	sed -n 's/^Every action also takes //p' out | tr ' ' '\n' | sed 's/^--//' >>shown
	sed -n 's/^\(  -.,\|     \) --\([a-z0-9_-]*=\{0,1\}\).*/\2/p' out >own
	sed 's/=$//' own >>shown
	refused=
	while read -r option; do
		case $option in *=) option=${option}1 ;; esac
		"$MORTISE" --test-args "$action" 1 2 "--$option" 2>&1 |
			grep -E "Option --.* is not (supported|allowed with $action)|: unknown option" &&
			refused=1
	done <own >refusals
	[ -z "$refused" ]
	result $? "$action accepts the options that its help shows"
	sed 's/^/# /' refusals
done <actions
sort -u shown | diff - <(sort -u all) >difference
result $? "every option is in the help of an action"
sed 's/^/# /' difference
for pair in isLuks:--key-file luksUUID:--cipher close:--hash luksDump:--readonly token:--pbkdf-memory; do
	"$MORTISE" "${pair%:*}" --help | grep -q -e " ${pair#*:}"
	[ $? = 1 ]
	result $? "the help of ${pair%:*} does not show ${pair#*:}, which it ignores"
done

# A word that is nearly an action or an option.
mortise_rejects "$MORTISE: unknown action opne; did you mean open?" opne DEV NAME
mortise_rejects "$MORTISE: unknown action luksformat; did you mean luksFormat?" luksformat DEV
mortise_rejects "$MORTISE: unknown action luksAdd; did you mean luksAddKey?" luksAdd DEV
mortise_rejects "$MORTISE: unknown action luksopen; did you mean luksOpen?" luksopen DEV NAME
mortise_rejects "$MORTISE: unknown action frobnicate; --help lists the actions" frobnicate DEV
mortise_rejects "$MORTISE: unknown action ; --help lists the actions" ""
long=$(printf '%300s' '' | tr ' ' x)
mortise_rejects "$MORTISE: unknown action $long; --help lists the actions" "$long"
mortise_rejects "--key-fiel: unknown option; did you mean --key-file?" open DEV NAME --key-fiel F
mortise_rejects "--key-fiel=F: unknown option; did you mean --key-file?" open DEV --key-fiel=F
mortise_rejects "--Header: unknown option; did you mean --header?" open DEV --Header H
mortise_rejects "--reado: unknown option; did you mean --readonly?" open DEV --reado
mortise_rejects "--frobnicate: unknown option" open DEV --frobnicate
mortise_rejects "-x: unknown option" open DEV -x
rejects "$cs: Unknown action." opne DEV NAME
rejects "--key-fiel: unknown option" open DEV NAME --key-fiel F
exits 1 "an invalid option takes precedence over --help" $cs --bogus --help
"$MORTISE" --help >/dev/full 2>/dev/null
[ $? = 1 ]
result $? "--help fails when standard output is full"
finish
