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
