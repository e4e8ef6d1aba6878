#!/bin/sh
# SPDX-License-Identifier: MIT
# --log, and the priorities of messages when standard error is the journal. For the kernel log, see
# tests/guest/status.sh.
. "$(dirname "$(realpath "$0")")/lib.sh"

cat >config.yaml <<'YAML'
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
encryption: {provider: luks2, keys: [{slot: 0, static: {passphrase: a passphrase}}]}
scrub: {}
YAML
truncate -s 64M data

# journal STATUS DESCRIPTION COMMAND...: run it with the file err as the journal's stream.
journal() {
	want=$1
	what=$2
	shift 2
	: >err
	JOURNAL_STREAM=$(stat -c %d:%i err) "$@" >out 2>>err </dev/null
	[ $? = "$want" ]
	result $? "$what"
}
has_line() { # DESCRIPTION PATTERN
	grep -qx "$2" err
	result $? "$1"
}

journal 1 "status of a missing volume" "$MORTISE" status -f config.yaml
has_line "an error has priority 3" '<3>mortise: data: no partition is labeled "u-data".*'
has_line "a notice has priority 5" '<5>mortise: config.yaml:5:1: notice: "scrub" is ignored.*'
! grep -qv '^<[3-6]>mortise: ' err
result $? "each line has a priority"
! grep -q '<[0-9]>' out
result $? "the table has none"
journal 0 "plan" "$MORTISE" plan -f config.yaml --device data=data
has_line "a note has priority 5" '<5>mortise: note: data: .*'
printf 'kind: [\n' >bad.yaml
journal 1 "an invalid configuration" "$MORTISE" plan -f bad.yaml
has_line "an error in it has priority 3" '<3>mortise: bad.yaml:[0-9:]* .*'
journal 1 "--log=stderr in the journal" "$MORTISE" status -f config.yaml --log=stderr
! grep -q '^<' err
result $? "--log=stderr: no priorities"
journal 4 "a verb of cryptsetup in the journal" "$MORTISE" luksDump no-such-file
has_line "its messages are unchanged" 'Device no-such-file does not exist or access denied.'
JOURNAL_STREAM=1:2 "$MORTISE" status -f config.yaml >out 2>err
! grep -q '^<' err
result $? "the journal's stream is not standard error: no priorities"

# Each message is one line, whatever a path has.
path=$(printf 'new\nline')
journal 1 "a path with a newline" "$MORTISE" status -q -f config.yaml --device "data=$path"
[ "$(wc -l <err)" = 1 ]
result $? "one message, one line"
# A message is cut at the length that the kernel takes, between two characters.
directory=$(printf '%0100d' 0 | sed 's/0/\xc3\xa4/g')
long=x$directory/$directory/$directory/$directory/$directory
mkdir -p "$long"
cp bad.yaml "$long/config.yaml"
journal 1 "a long path" "$MORTISE" status -f "$long/config.yaml"
[ "$(wc -l <err)" = 1 ] && [ "$(wc -c <err)" -le 976 ] && [ "$(wc -c <err)" -gt 960 ] && iconv -f UTF-8 -t UTF-8 <err >/dev/null && grep -q "\.\.\.$" err
result $? "a long message remains one line of valid UTF-8"

says 1 "$MORTISE: Option --log takes kmsg or stderr." "another target" "$MORTISE" status --log=syslog
says 1 "$MORTISE: Option --log is not allowed with luksDump action." "not for other verbs" \
	"$MORTISE" luksDump --log=kmsg data
finish
