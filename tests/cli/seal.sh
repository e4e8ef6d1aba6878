#!/bin/bash
# SPDX-License-Identifier: MIT
# The seal of a header by hand: which verbs keep it valid and which warn, the verb seal, luksDump and
# open --sealed. cryptsetup works on a sealed header as before, and its changes are reported. A
# second implementation of the seal, in Python, agrees with mortise in both directions.
here=$(dirname "$(realpath "$0")")
FORGE=$(realpath "${FORGE:?FORGE must be the path of the tool forge}")
. "$here/lib.sh"
need_referee
command -v jq >/dev/null || { echo "skipped: no jq"; exit 77; }
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }

printf 'secret' >key
printf 'newkey' >new
printf 'wrong' >wrong
printf '{"type":"x","keyslots":["0"]}' >token
cheap_id="--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 32 --pbkdf-parallel 1"
small="--luks2-keyslots-size 4m"
uncovered="mortise: warning: the seal of i does not cover this change; to seal the header, run \`mortise seal i\`"

# fresh [OPTION...]: i is a header that mortise has made, with two keyslots.
fresh() {
	rm -f i
	truncate -s 17M i
	"$MORTISE" luksFormat -q $cheap $small "$@" i key &&
		"$MORTISE" luksAddKey -q $cheap -d key i new || exit 1
}

record() { "$referee" luksDump --dump-json-metadata i | jq -c .config.mortise; }
epoch() { record | jq -r .epoch; }

# valid DESCRIPTION [KEYFILE]: the seal matches, and the referee has the same one.
valid() {
	exits 0 "$1: the seal is valid" "$MORTISE" seal -q i --check -d "${2-key}"
	agree "$1" "${2-key}"
}

# agree DESCRIPTION [KEYFILE]
agree() {
	rm -f vk
	"$referee" luksDump -q --dump-volume-key --volume-key-file vk -d "${2-key}" i >/dev/null
	exits 0 "$1: the referee computes the same seal" python3 "$here/seal_referee.py" check i vk
}

# broken PARTS DESCRIPTION [KEYFILE]
broken() {
	says 1 "mortise: the seal of i does not match its header ($1 changed)" \
		"$2: $1 changed" "$MORTISE" seal -q i --check -d "${3-key}"
}

# silent DESCRIPTION COMMAND...: the command succeeds, and prints nothing about the seal.
silent() {
	exits 0 "$@"
	! grep -q seal err
	result $? "$1: not a word about the seal"
}

# Verbs that know the volume key seal the header with their change; each one raises the epoch.
fresh
[ "$(epoch)" = 2 ]
result $? "luksFormat and luksAddKey have sealed the header"
valid "luksFormat, luksAddKey"
"$referee" luksDump -q --dump-volume-key --volume-key-file volume-key -d key i >/dev/null
sealed() { # DESCRIPTION COMMAND...
	before=$(epoch)
	silent "$@"
	[ "$(epoch)" = $((before + 1)) ]
	result $? "$1: the epoch is one more"
	valid "$1"
}
sealed "luksAddKey" "$MORTISE" luksAddKey -q $cheap_id -S 7 -d key i wrong
sealed "luksAddKey, with the volume key" "$MORTISE" luksAddKey -q $cheap -S 9 \
	--volume-key-file volume-key i wrong
sealed "luksChangeKey" "$MORTISE" luksChangeKey -q $cheap -d wrong i wrong
sealed "luksRemoveKey" "$MORTISE" luksRemoveKey -q i wrong
sealed "luksKillSlot" "$MORTISE" luksKillSlot -q -d key i 1
sealed "enroll --recovery-key" "$MORTISE" enroll i --recovery-key -d key --recovery-file rk
sealed "under the name cryptsetup" as/cryptsetup luksAddKey -q $cheap -S 12 -d key i wrong
sealed "seal" "$MORTISE" seal -q i -d key
sealed "seal, by a recovery key" "$MORTISE" seal -q i -d rk
sealed "seal, by the volume key" "$MORTISE" seal -q i --volume-key-file volume-key

# Verbs without the volume key cannot seal. They warn, but not in place of cryptsetup.
uncovered() { # PARTS DESCRIPTION ARGUMENT...
	local parts=$1 verb=$2
	shift 2
	fresh
	says 0 "$uncovered" "$verb: a warning" "$MORTISE" "$@"
	broken "$parts" "$verb"
	fresh
	silent "$verb, under the name cryptsetup" as/cryptsetup "$@"
}
uncovered tokens "token import" token import i --json-file token
uncovered keyslots "config --priority" config i -S 1 --priority prefer
uncovered "digests, keyslots" "luksKillSlot -q" luksKillSlot -q i 1
uncovered "digests, keyslots" "luksAddKey --unbound" luksAddKey -q $cheap --unbound -s 256 i wrong
uncovered UUID "luksUUID" luksUUID -q i --uuid 12345678-abcd-1234-1234-123456789abc
says 0 "$uncovered" "a change after that one: a warning" "$MORTISE" token import i --json-file token
says 0 "$uncovered" "a change with the key, too" "$MORTISE" luksAddKey -q $cheap -d key i wrong
broken "UUID, digests, keyslots, tokens" "a change with the key does not accept the others"
exits 0 "seal accepts them" "$MORTISE" seal -q i -q -d key
valid "seal accepts them"
exits 0 "token remove" "$MORTISE" token remove i --token-id 0
exits 0 "another change" "$MORTISE" luksAddKey -q $cheap --unbound -s 256 -S 20 i wrong
exits 0 "the opposite change" "$MORTISE" luksKillSlot -q i 20
broken tokens "a keyslot that was added and removed"
exits 0 "the token once more" "$MORTISE" token import i --token-id 0 --json-file token
valid "a change that was taken back"
silent "a label" "$MORTISE" config i --label L --subsystem S
valid "a label is not covered"
fresh
silent "erase" "$MORTISE" erase -q i
fresh
exits 2 "a wrong passphrase" "$MORTISE" luksKillSlot -q -d wrong i 0
valid "a failed change"

# The verb seal.
fresh
exits 0 "seal --check" "$MORTISE" seal -q i --check -d key
echo 'The seal is valid: epoch 2, no declared volume' | cmp -s - out
result $? "seal --check: text"
cp --sparse=always i j
exits 0 "seal --check again" "$MORTISE" seal -q i --check -d new
cmp -s i j
result $? "seal --check changes nothing"
says 2 "No key available with this passphrase." "seal: wrong key" "$MORTISE" seal -q i -d wrong
says 2 "No key available with this passphrase." "seal --check: wrong key" \
	"$MORTISE" seal -q i --check -d wrong
says 1 "Failed to open key file." "seal: no such key file" "$MORTISE" seal -q i -d no-such-file
says 4 "Device no-such-device does not exist or access denied." "seal: no such device" \
	"$MORTISE" seal no-such-device -d key
says 1 "Device key is not a valid LUKS2 device." "seal: no header" "$MORTISE" seal key -d key
exits 1 "seal --check --volume" "$MORTISE" seal -q i --check --volume u-data -d key
grep -q 'Options --check and --volume cannot be combined.' err
result $? "seal --check --volume: text"
says 1 "the volume id is longer than 127 bytes" "seal: long id" \
	"$MORTISE" seal -q i --volume "$(printf '%0128d' 0)" -d key
cmp -s i j
result $? "failures change nothing"
exits 0 "seal --volume" "$MORTISE" seal -q i --volume u-data -d key
echo 'The seal is valid: epoch 3, volume u-data' | cmp -s - out
result $? "seal --volume: text"
exits 0 "seal, without --volume" "$MORTISE" seal -q i -d key
echo 'The seal is valid: epoch 4, volume u-data' | cmp -s - out
result $? "seal keeps the volume"
"$MORTISE" luksAddKey -q $cheap -d key i wrong
exits 0 "luksAddKey" "$MORTISE" seal -q i --check -d key
echo 'The seal is valid: epoch 5, volume u-data' | cmp -s - out
result $? "luksAddKey keeps the volume"
exits 0 "seal --volume ''" "$MORTISE" seal -q i --volume '' -d key
echo 'The seal is valid: epoch 6, no declared volume' | cmp -s - out
result $? "seal --volume '': no volume"
exits 0 "seal: the longest id" "$MORTISE" seal -q i --volume "$(printf '%0127d' 0)" -d key
valid "the longest id"
printf secret | "$MORTISE" seal -q i --check >out 2>err
result $? "seal reads a passphrase from standard input"
printf wrong | "$MORTISE" seal -q i --token-only >out 2>err
[ $? = 1 ] && grep -q token err
result $? "seal --token-only, without a token"
exits 1 "under the name cryptsetup, seal does not exist" as/cryptsetup seal i --check -d key

# On a terminal, seal asks before it accepts a change.
fresh
"$MORTISE" token import i --json-file token 2>/dev/null
terminal() { # ANSWER ARGUMENT...
	answer=$1
	shift
	printf '%s\n' "$answer" | script -qec "'$MORTISE' $*" /dev/null >out 2>&1
}
terminal yes seal i -d key
[ $? = 1 ] && grep -q 'the seal of i does not match its header (tokens changed)\.' out &&
	grep -q 'This accepts the header as it is now\.' out && grep -q 'Not sealed\.' out
result $? "the question names the change; yes is not YES"
broken tokens "not sealed"
terminal YES seal i -d key
grep -q 'The seal is valid: epoch 3, no declared volume' out
result $? "YES seals the header"
valid "sealed on a terminal"
terminal no seal i -d key
grep -q '^The seal is valid: epoch 4' out && ! grep -q accepts out
result $? "without a change there is no question"
"$MORTISE" token remove i --token-id 0 2>/dev/null
terminal no seal -q i -d key
grep -q '^The seal is valid: epoch 5' out && ! grep -q accepts out
result $? "with -q there is no question"

# luksDump shows the seal, but not in place of cryptsetup.
section() { # VOLUME EPOCH
	printf 'Seal:\n\tVolume:     %s\n\tEpoch:      %s\n' "$1" "$2"
	printf '\tState:      not checked (run mortise seal --check)\n'
}
fresh
"$MORTISE" luksDump i | tail -n 4 | cmp -s - <(section '(no declared volume)' 2)
result $? "luksDump shows the seal"
"$MORTISE" seal -q i --volume u-data -d key >/dev/null
"$MORTISE" luksDump i | cmp -s - <("$referee" luksDump i; section u-data 3)
result $? "luksDump shows the volume; the rest is as by cryptsetup"
cp --sparse=always i image
same "luksDump under the name cryptsetup" luksDump x
"$MORTISE" luksDump i --dump-json-metadata | cmp -s - <("$referee" luksDump i --dump-json-metadata)
result $? "luksDump --dump-json-metadata"

# open warns; with --sealed, it refuses.
mismatch="the seal of i does not match its header (tokens changed); to accept the change, run \`mortise seal i\`"
opens() { "$MORTISE" open --test-passphrase -d key i "$@"; }
fresh
silent "open" opens
silent "open --sealed" opens --sealed
silent "open --sealed, with the volume key" "$MORTISE" open --test-passphrase i --sealed \
	--volume-key-file <("$referee" luksDump -q --dump-volume-key --volume-key-file v.$$ \
		-d key i >/dev/null; cat v.$$)
"$referee" token import i --json-file token
says 0 "mortise: warning: $mismatch" "open: a warning" opens
says 1 "mortise: $mismatch" "open --sealed fails" opens --sealed
says 2 "No key available with this passphrase." "open --sealed: the key comes first" \
	"$MORTISE" open --test-passphrase --sealed -d wrong i
silent "open under the name cryptsetup" as/cryptsetup open --test-passphrase -d key i
rm i
truncate -s 17M i
"$referee" luksFormat -q $cheap $small i key
silent "open without a seal" opens
says 1 "mortise: the header of i has no seal; to seal it, run \`mortise seal i\`" \
	"open --sealed without a seal" opens --sealed
says 1 "mortise: the header of i has no seal" "seal --check without a seal" \
	"$MORTISE" seal -q i --check -d key
! "$MORTISE" luksDump i | grep -q Seal
result $? "luksDump without a seal"
silent "a change without the key, and without a seal" "$MORTISE" token import i --json-file token
silent "a change with the key" "$MORTISE" luksAddKey -q $cheap -d key i new
valid "the first change with the key seals a header of cryptsetup"

# cryptsetup on sealed headers: everything works, the record stays, and the change is reported.
cryptsetup_changes() { # PARTS DESCRIPTION COMMAND...
	local parts=$1 verb=$2 before
	shift 2
	before=$(record)
	exits 0 "cryptsetup: $verb" "$@"
	[ "$(record)" = "$before" ]
	result $? "cryptsetup: $verb: the record is as before"
	if [ -n "$parts" ]; then
		broken "$parts" "cryptsetup: $verb"
		"$MORTISE" seal -q i -d key >/dev/null
	fi
	valid "cryptsetup: $verb"
}
fresh
"$MORTISE" seal -q i --volume u-data -d key >/dev/null
cryptsetup_changes "" "open" "$referee" open --test-passphrase -d new i
cryptsetup_changes "" "label" "$referee" config --label L --subsystem S i
cryptsetup_changes "" "luksHeaderBackup" "$referee" luksHeaderBackup i --header-backup-file backup
cryptsetup_changes "digests, keyslots" "luksAddKey" "$referee" luksAddKey -q $cheap -d key i wrong
cryptsetup_changes keyslots "luksChangeKey" "$referee" luksChangeKey -q $cheap -d wrong i wrong
cryptsetup_changes keyslots "luksConvertKey" "$referee" luksConvertKey -q $cheap_id -S 1 -d new i
cryptsetup_changes "digests, keyslots" "luksRemoveKey" "$referee" luksRemoveKey -q i wrong
cryptsetup_changes "digests, keyslots" "luksAddKey --unbound" \
	"$referee" luksAddKey -q $cheap --unbound -s 128 -S 30 i wrong
cryptsetup_changes "digests, keyslots" "luksKillSlot" "$referee" luksKillSlot -q i 30
cryptsetup_changes keyslots "priority" "$referee" config -S 1 --priority ignore i
cryptsetup_changes tokens "token import" "$referee" token import i --json-file token
cryptsetup_changes tokens "token add" "$referee" token add i --key-description mortise:none
cryptsetup_changes tokens "token remove" "$referee" token remove i --token-id 0
cryptsetup_changes UUID "luksUUID" "$referee" luksUUID -q i --uuid 12345678-abcd-1234-1234-123456789abc
# What open --persistent writes: it takes a mapping, but the header can be changed without one.
cat >flags.py <<'PYTHON'
import ctypes, sys
library = ctypes.CDLL("libcryptsetup.so.12")
device = ctypes.c_void_p()
assert library.crypt_init(ctypes.byref(device), b"i") == 0
assert library.crypt_load(device, b"LUKS2", None) == 0
assert library.crypt_persistent_flags_set(device, 0, int(sys.argv[1])) == 0
library.crypt_free(device)
PYTHON
cryptsetup_changes flags "persistent allow-discards" python3 flags.py 8
"$referee" luksDump i | grep -q '^Flags:.*allow-discards'
result $? "the flag is in the header"
cryptsetup_changes flags "no persistent flags" python3 flags.py 0
cp --sparse=always i j
"$MORTISE" luksAddKey -q $cheap -d key i wrong
rm backup
"$referee" luksHeaderBackup j --header-backup-file backup
exits 0 "cryptsetup: luksHeaderRestore" "$referee" luksHeaderRestore -q i --header-backup-file backup
valid "a header put back is valid, with its own epoch"
[ "$(record)" = "$("$referee" luksDump --dump-json-metadata j | jq -c .config.mortise)" ]
result $? "its record is the old one"
before=$(record)
"$referee" erase -q i
[ "$(record)" = "$before" ]
result $? "cryptsetup: erase keeps the record"

fresh --sector-size 512
exits 0 "cryptsetup: convert to LUKS1" "$referee" convert -q --type luks1 i
exits 0 "cryptsetup: convert to LUKS2" "$referee" convert -q --type luks2 i
says 1 "mortise: the header of i has no seal" "the seal is lost on the way through LUKS1" \
	"$MORTISE" seal -q i --check -d key
fresh --sector-size 512
exits 0 "cryptsetup: reencrypt" "$referee" reencrypt -q --force-offline-reencrypt $cheap -d key -S 0 i
exits 1 "another volume key: the seal does not match" "$MORTISE" seal -q i --check -d key
exits 0 "seal accepts the new volume key" "$MORTISE" seal -q i -q -d key
valid "another volume key"
fresh
"$referee" reencrypt --init-only -q $cheap -d key -S 0 i
remedy="to finish it, run \`mortise reencrypt\`"
has "reencrypt yes" || remedy="this build cannot continue it: use one with MORTISE_REENCRYPT"
says 1 "Unmet LUKS2 requirements detected. (online-reencrypt-v2; $remedy)" \
	"a header that is being re-encrypted is not sealed" "$MORTISE" seal -q i -q -d key

# Changes that only a forger makes.
forge() { # FILTER
	"$referee" luksDump --dump-json-metadata i | jq -cj "$1" >forged && "$FORGE" i <forged
}
forged() { # PARTS FILTER
	fresh
	forge "$2"
	broken "$1" "forged: $2"
}
forged segments '.segments["0"].encryption = "serpent-xts-plain64"'
forged digests '.digests["0"].unknown = 1'
forged digests '.digests["1"] = (.digests["0"] | .keyslots = [] | .segments = [])'
forged keyslots '.keyslots["0"].unknown = 1'
forged record '.config.mortise.mkfs = "xfs"'
forged record '.config.mortise.epoch = "3"'
forged record '.config.mortise.volume = "u-data"'
forged flags '.config.flags = ["allow-discards"]'
forged flags '.config.flags = []'
forged requirements '.config.requirements = {"mandatory": []}'
forged "segments, tokens" '.segments["0"].unknown = 1 | .tokens["3"] = {"type": "x", "keyslots": []}'
fresh
# The parts only tell what has changed.
forge '.config.mortise.seal.parts = ""'
exits 0 "no parts" "$MORTISE" seal -q i --check -d key
seal_changed() { # FILTER
	fresh
	forge "$1"
	says 1 "mortise: the seal of i does not match its header (something else changed)" \
		"forged: $1" "$MORTISE" seal -q i --check -d key
}
seal_changed '.config.mortise.seal |= {all: .parts, parts: .parts}'
seal_changed '.config.mortise.seal.all = 1'
seal_changed 'del(.config.mortise.seal.all)'
seal_changed '.config.mortise.seal = {}'
seal_changed '.segments["0"].unknown = 1 | del(.config.mortise.seal.parts)'
seal_changed '.unknown = 1'
# The referee and mortise agree on unusual headers, in both directions.
token() { # JSON: a token of cryptsetup's
	printf '{"type":"x","keyslots":[],%b}' "$1" >token.json
	exits 0 "token: $1" "$referee" token import i --json-file token.json
}
both() { # DESCRIPTION
	exits 0 "seal: $1" "$MORTISE" seal -q i -q -d key
	agree "$1"
	# A commit of cryptsetup that changes nothing of the JSON.
	"$referee" config --label "$1" i
	valid "$1, written once more by cryptsetup"
	cp --sparse=always i j
	"$MORTISE" token import i --json-file token 2>/dev/null
	exits 0 "$1: the referee makes a seal" \
		python3 "$here/seal_referee.py" make i vk "by the referee"
	"$FORGE" i <out
	exits 0 "$1: mortise accepts it" "$MORTISE" seal -q i --check -d key
	grep -q 'epoch [0-9]*, volume by the referee$' out
	result $? "$1: volume and epoch"
	cp --sparse=always j i
}
fresh
both "two keyslots"
token '"a":"\\" \\\\ / \\/ \\b\\f\\n\\r\\t \\u0001 \\u001F \\u007f"'
token '"":1,"\\"":2,"!":3,"#":4,"A":5,"a":6,"/":7,"\\n":8,"\\u001f":9,"Z":10,"a b":11,"ab":12,"a\\u0020":13'
both "escapes in names and strings"
token '"a":"\\u00e4\\u20ac\\ud83d\\ude00","\303\244":1,"\\u00e4b":2,"\357\277\275":3,"\\ud83d\\ude00":4,"z":5,"~":6,"\177":7'
token '"a":"\\ud800 \\udc00x \\u2028 \\ufeff","\\uffff":"\\u0080"'
token '"a":"\377\376 \200","\351":"Latin-1","\302":1'
both "Unicode, and bytes that are not"
token '"a":[0,-0,-1,255,2147483648,9007199254740993,-9223372036854775808,9223372036854775807,18446744073709551615]'
token '"a":[1.0,1.50,-0.0,1e5,1E+05,0.1e-7,123456789012345678.125,1e400,2e-400],"b":[true,false,null]'
both "numbers"
token '"a":{"b":{"c":[[],{},[[{"d":[]}]],{"z":{},"y":[null]}]}},"b":{"b":1,"a":{"b":1,"a":2}}'
token '"a":[[[[[[[[[[[[[[[[[[[[[[[["deep"]]]]]]]]]]]]]]]]]]]]]]]]'
token '"a":1,"a":2, "b" : [ 1 , 2 ] ,\n"\\u0062":3'
token '"seal":{"all":"","parts":""},"mortise":{"seal":{}},"config":{"mortise":{"seal":1}}'
both "nested values"
for id in 5 9 31; do
	"$referee" luksAddKey -q $cheap -S $id -d key i wrong
done
"$referee" luksAddKey -q $cheap --unbound -s 128 -S 12 i wrong
"$referee" config i -S 9 --priority prefer
"$MORTISE" enroll i --recovery-key -d key --recovery-file rk.2 2>/dev/null
python3 flags.py 12
both "keyslots, priorities and flags"
forge '.config.requirements = {"mandatory": []} | .unknown = {"b": 1, "a": "/"} |
	.config.mortise += {"mkfs": "xfs", "keys": {"10": "", "9": ""}, "unknown": [1.50]}'
both "members that mortise does not know"
rm -f i
truncate -s 40M i
"$referee" luksFormat -q $cheap --luks2-metadata-size 256k -c aes-cbc-essiv:sha256 -s 256 \
	--sector-size 512 --uuid 12345678-ABCD-1234-1234-123456789abc i key
for id in $(seq 1 31); do
	"$referee" luksAddKey -q $cheap -S "$id" -d key i new
	printf '{"type":"x","keyslots":["%d"],"text":"%0999d"}' "$id" "$id" |
		"$referee" token import i --token-id "$id"
done
both "32 keyslots and long tokens, made by cryptsetup"
# The referee sees a change.
exits 0 "the referee, before a change" python3 "$here/seal_referee.py" check i vk
forge '.tokens["3"].text = "" | .config.mortise.epoch = "9"'
exits 1 "the referee, after a change" python3 "$here/seal_referee.py" check i vk
echo 'differs: all, tokens, record' | cmp -s - out
result $? "the referee names the change"
finish
