#!/bin/sh
# SPDX-License-Identifier: MIT
# The trust file, and the permissions of configuration files, on files without device-mapper.
. "$(dirname "$(realpath "$0")")/lib.sh"

umask 022
cat >config.yaml <<'YAML'
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
encryption:
  provider: luks2
  keys:
    - {slot: 0, static: {passphrase: a passphrase}}
YAML
cat >trust.yaml <<'YAML'
state:
  encrypted: true
headers: sealed
YAML
truncate -s 64M data
declared() { # VERB OPTION...
	verb=$1
	shift
	"$MORTISE" "$verb" -f config.yaml --device data=data "$@"
}

exits 0 "plan with a trust file" declared plan --trust trust.yaml
says 4 "mortise: cannot read the trust file no-such-file: No such file or directory" \
	"a trust file that was named must exist" declared plan --trust no-such-file
says 4 "mortise: cannot read .: Is a directory" "and be a file" declared plan --trust .
printf 'state:\n  encrypt: true\n' >bad.yaml
for verb in plan up status; do
	says 1 "mortise: bad.yaml:2:3: unknown key \"encrypt\": did you mean \"encrypted\"?" \
		"$verb: an invalid trust file ends the run" declared $verb --trust bad.yaml
done
says 1 "mortise: bad.yaml:2:3: unknown key \"encrypt\": did you mean \"encrypted\"?" \
	"apply: an invalid trust file ends the run" \
	"$MORTISE" apply --dry-run -f config.yaml --device data=data --trust bad.yaml
: >empty.yaml
says 1 "mortise: empty.yaml: the file is empty; remove it, or write {}" \
	"an empty trust file ends the run" declared plan --trust empty.yaml
exits 1 "down: reads no trust file" declared down --trust trust.yaml
for mode in 0664 0646; do
	chmod $mode trust.yaml
	says 1 "mortise: other users can write trust.yaml (mode $mode); run \`chmod go-w trust.yaml\`" \
		"a trust file of mode $mode is refused" declared plan --trust trust.yaml
done
chmod 644 trust.yaml
if [ "$(id -u)" = 0 ]; then
	chown 12345 trust.yaml
	says 1 "mortise: trust.yaml belongs to user 12345, who can change it; run \`chown root trust.yaml\`" \
		"a trust file of another user is refused" declared plan --trust trust.yaml
	chown 0 trust.yaml
fi
exits 0 "and accepted afterwards" declared plan --trust trust.yaml

# Without META's entry, STATE counts as not encrypted. The error names the cause, not the trust file.
truncate -s 1M meta
truncate -s 64M state
printf 'state: {encrypted: true, keys: [nodeID, tpm]}\n' >state.yaml
chmod 644 state.yaml
stored() { # VERB OPTION...
	verb=$1
	shift
	"$MORTISE" "$verb" --device META=meta --device STATE=state --trust state.yaml "$@"
}
planned() { # TEXT NAME: plan fails, and a step has this text.
	stored plan >out 2>err
	grep -qF "$1" out
	result $? "$2"
	! grep -qF 'state.yaml' out err
	result $? "and not as if trust.yaml had refused it"
}
planned "state is empty, and this machine has no configuration yet" "a blank STATE is reported"
cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 state trust.yaml
planned "META does not describe STATE; to restore the description, run" \
	"an encrypted STATE without META's entry is reported"
dd if=/dev/zero of=state bs=512 count=1 conv=notrunc 2>/dev/null
planned "META does not describe STATE; to restore the description, run" \
	"and if one copy of its header is left"
dd if=/dev/zero of=state bs=16k count=2 conv=notrunc 2>/dev/null
printf 'LUKS\272\276\000\002' | dd of=state conv=notrunc 2>/dev/null
stored plan >out 2>err
result "$((! $?))" "a damaged header is refused"
! grep -q 'mortise reset' out err
result $? "without advice to erase it"
truncate -s 0 state
truncate -s 64M state
mkfs.ext4 -q state
stored plan >out 2>err
grep -qF 'it is not encrypted, but state.yaml requires it; restore the configuration with' out err
result $? "a file system in place of STATE is refused by the trust file"

# What an operator's configuration lacks is corrected there.
state_with() { # [ENCRYPTION]
	printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n' >given.yaml
	[ $# -eq 0 ] || printf 'encryption: {provider: luks2, keys: [%s]}\n' "$1" >>given.yaml
}
state_with '{slot: 0, static: {passphrase: a passphrase}}'
stored plan -f given.yaml >out 2>err
grep -qF 'it has a static key (keyslot 0), but state.yaml permits only nodeID, tpm; declare other keys' out err
result $? "a kind of key that the trust file does not permit"
state_with '{slot: 3, kms: {endpoint: "https://127.0.0.1:1"}}'
stored plan -f given.yaml >out 2>err
grep -qF 'it has a kms key (keyslot 3), but state.yaml permits only nodeID, tpm; declare other keys' out err
result $? "another kind"
state_with
stored plan -f given.yaml >out 2>err
grep -qF 'it is not encrypted, but state.yaml requires it; declare its encryption' out err
result $? "no encryption"

# A configuration that an operator names is only reported.
exits 0 "plan" declared plan
! grep -q 'other users' err
result $? "a private configuration causes no notice"
chmod 666 config.yaml
exits 0 "plan with a configuration that others can write" declared plan
grep -qxF 'mortise: config.yaml: notice: other users can write config.yaml (mode 0666); run `chmod go-w config.yaml`' err
result $? "causes a notice"

# The private key for a KMS.
sed 's/static: .*}}/kms: {endpoint: "https:\/\/127.0.0.1:1"}}/' config.yaml >kms.yaml
: >key.pem
kms_note() {
	"$MORTISE" plan -f kms.yaml --device data=data --kms-cert key.pem --kms-key key.pem 2>&1 >/dev/null |
		grep -qxF 'mortise: note: other users can read key.pem (mode 0644); run `chmod go= key.pem`'
}
kms_note
result $? "a private key that others can read causes a note"
chmod 600 key.pem
! kms_note
result $? "a private one does not"
finish
