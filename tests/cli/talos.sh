#!/bin/bash
# SPDX-License-Identifier: MIT
# The cryptsetup commands that Talos Linux runs (go-blockdevice, encryption/luks), with nothing
# changed but the program: exit status, messages and header must be the same as with cryptsetup.
# Commands that need device-mapper are tested in tests/guest.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee
command -v jq >/dev/null || { echo "skipped: no jq"; exit 77; }

# Passphrases in the forms that Talos uses: text, a node's UUID followed by 32 random bytes
# (lockToState), and bytes that have caused bugs: newline and NUL.
printf 'a static passphrase' >static
{ printf '9b3b1d5e-5d5c-4f4e-8f3e-1c2d3e4f5a6bSTATE'; printf 'salt\nwith\0nul\n\0%020d' 7; } >salted
printf '\0\n\0' >odd
head -c 32 /dev/urandom | base64 -w0 >kms
printf 'not a passphrase' >wrong
: >nothing
mkdir c m
cp static salted odd kms wrong nothing c
cp static salted odd kms wrong nothing m
# Talos leaves the cost to the program. It is set here wherever it is not the subject of the test.
cost="--pbkdf-memory 32 --pbkdf-force-iterations 4 --pbkdf-parallel 1"

json() {
	dd if="$1" bs=4096 skip="${2:-1}" count=3 status=none | tr -d '\0'
}

normal='
	(.keyslots[].kdf.salt, .digests[].salt, .digests[].digest) |= "random"
	| .digests[].iterations |= "measured"
	| del(.config.mortise)'
measured='| (.keyslots[].kdf.time, .keyslots[].kdf.memory, .keyslots[].kdf.cpus) |= "measured"'

same_headers() { # DESCRIPTION
	local i
	for i in c m; do
		json $i/dev | jq -c "$normal $measured_too" >json.$i
	done
	if [ -s json.c ] && cmp -s json.c json.m; then
		result 0 "$1: same header"
	else
		result 1 "$1: different header"
		diff json.c json.m | sed 's/^/# /'
	fi
}

# talos DESCRIPTION INPUT ARGUMENT...: runs both programs, each in its own directory. With loose=1,
# standard error may differ.
loose=
talos() {
	local what=$1 input=$2
	shift 2
	(cd c && "$referee" "$@" >out 2>err; echo $? >status) <"$input"
	(cd m && ../as/cryptsetup "$@" >out 2>err; echo $? >status) <"$input"
	if cmp -s c/status m/status && cmp -s c/out m/out &&
		{ cmp -s c/err m/err || [ -n "$loose" ]; }; then
		result 0 "$what (status $(cat m/status))"
	else
		result 1 "$what (status $(cat m/status), cryptsetup $(cat c/status))"
		diff c/out m/out | sed 's/^/# /'
		diff c/err m/err | sed 's/^/# /'
	fi
}

# Talos checks the exit status and, for status 1, searches standard error for these texts.
answers() { # STATUS TEXT
	[ "$(cat m/status)" = "$1" ] && { [ -z "$2" ] || grep -qF "$2" m/err; }
	result $? "... status $1${2:+, \"$2\"}"
}

size() { stat -c %s "$1"; }

be() { # IMAGE OFFSET BYTES: a big-endian number
	od -An -v -tu1 -j"$2" -N"$3" "$1" | awk '{ for (i = 1; i <= NF; i++) n = n * 256 + $i } END { print n + 0 }'
}

# The checks that current Talos makes of a header before it uses it (luks2 header validation).
accepted() { # DESCRIPTION
	local bad="" copy=16384 cipher='aes-xts-plain64|xchacha12,aes-adiantum-plain64|xchacha20,aes-adiantum-plain64'
	local image=m/dev
	[ "$(od -An -tx1 -N6 $image | tr -d ' ')" = 4c554b53babe ] || bad="magic"
	[ "$(be $image 6 2)" = 2 ] || bad="$bad version"
	[ "$(be $image 8 8)" = $copy ] || bad="$bad size"
	[ "$(be $image $((copy + 8)) 8)" = $copy ] || bad="$bad second-size"
	[ "$(be $image 16 8)" = "$(be $image $((copy + 16)) 8)" ] || bad="$bad seqid"
	cmp -s -n $((copy - 4096)) $image $image 4096 $((copy + 4096)) || bad="$bad copies"
	# One JSON text, then zeros to the end of the area.
	dd if=$image bs=4096 skip=1 count=3 status=none >area
	[ "$(tr -d '\0' <area | wc -c)" = "$(tr '\0' '\n' <area | head -n 1 | tr -d '\n' | wc -c)" ] ||
		bad="$bad fill"
	json $image | jq -e --arg cipher "^($cipher)\$" '
		(.keyslots | length > 0)
		and ([.keyslots[] | .type == "luks2" and (.area.encryption | test($cipher))
			and (.kdf.type | test("^argon2id?$"))] | all)
		and (.segments | keys == ["0"])
		and .segments["0"].type == "crypt"
		and (.segments["0"].encryption | test($cipher))
		and (.segments["0"] | has("flags") | not)
		and (.segments["0"].offset | test("^[1-9][0-9]*$"))' >/dev/null || bad="$bad json"
	result "$([ -z "$bad" ]; echo $?)" "$1: Talos accepts the header${bad:+, but for:$bad}"
}

fresh() {
	rm -f c/dev m/dev
	truncate -s 17M c/dev
	truncate -s 17M m/dev
}

# The cost that the programs choose themselves: once only, because measuring it is slow.
measured_too=$measured
fresh
talos "format, cost measured" static luksFormat --type luks2 --key-file=- \
	--keyfile-size="$(size static)" -c aes-xts-plain64 dev --key-slot=0 --key-size=512
same_headers "format, cost measured"
accepted "format, cost measured"
[ "$(json m/dev | jq -c '[.segments["0"].offset, .config.json_size, .config.keyslots_size,
	.keyslots["0"].area.size, .keyslots["0"].kdf.type, (.keyslots["0"].kdf.memory <= 1048576),
	(.keyslots["0"].kdf.cpus <= 4)]')" = \
	'["16777216","12288","16744448","258048","argon2id",true,true]' ]
result $? "format, cost measured: the layout and bounds that Talos expects"
measured_too=

# Other forms of the command: without size, with perf flags, sector sizes and another slot.
fresh
talos "format without size" static luksFormat --type luks2 --key-file=- -c aes-xts-plain64 dev \
	--key-slot=3 --key-size=512 --perf-no_read_workqueue --perf-no_write_workqueue \
	--perf-same_cpu_crypt --sector-size=4096 $cost
same_headers "format without size"
accepted "format without size"
for sector in 512 1024 2048; do
	fresh
	talos "format, sectors of $sector" odd luksFormat --type luks2 --key-file=- \
		--keyfile-size=3 -c aes-xts-plain64 dev --key-slot=0 --key-size=256 \
		--sector-size=$sector $cost
	same_headers "format, sectors of $sector"
	accepted "format, sectors of $sector"
done

open() { # DESCRIPTION KEY SLOT
	talos "$1" "$2" luksOpen --test-passphrase dev --key-file=- --keyfile-size="$(size "$2")" \
		--key-slot="$3"
}

fresh
talos "format" static luksFormat --type luks2 --key-file=- --keyfile-size="$(size static)" \
	-c aes-xts-plain64 dev --key-slot=0 --key-size=512 $cost
talos "check" static luksOpen --test-passphrase dev --key-file=- --key-slot=0
answers 0
open "check with size" static 0
answers 0
open "check: wrong key" wrong 0
answers 2
open "check: right key, another slot" static 1
answers 1 "No usable keyslot is available."
# luksOpen without --test-passphrase, up to the point where the key turns out to be wrong.
cp c/dev c/header
cp m/dev m/header
loose=1
talos "open with a copy of the header, wrong key" wrong luksOpen dev luks2-STATE \
	--header=header --key-file=- --keyfile-size="$(size wrong)" --key-slot=0 \
	--perf-no_read_workqueue --allow-discards
loose=

add() { # DESCRIPTION OLD NEW SLOT
	cat "$2" "$3" >both
	talos "$1" both luksAddKey dev --key-file=- --keyfile-size="$(size "$2")" --new-keyfile=- \
		--new-keyfile-size="$(size "$3")" --key-size=512 --key-slot="$4" \
		--perf-no_read_workqueue $cost
	same_headers "$1"
	accepted "$1"
}
token() { # DESCRIPTION SLOT JSON
	printf '%s' "$3" >json
	talos "$1" json token import -q dev --token-id "$2" --json-file=- --token-replace
	same_headers "$1"
}

# In the order of FormatAndEncrypt: first the token, then the key of that slot.
token "token of slot 1" 1 '{"type":"sideroKMS","keyslots":[],"userData":{"sealedData":"AAECAwQ/+w=="}}'
add "add the key of a KMS" static kms 1
add "add a salted key" static salted 2
add "add a key of NUL and newline" kms odd 31
for i in "kms 1" "salted 2" "odd 31"; do
	# shellcheck disable=SC2086
	open "check ${i% *}" $i
	answers 0
	# Each program reads what the other has written.
	"$referee" open --test-passphrase m/dev --key-slot="${i#* }" --key-file=- <"${i% *}"
	result $? "cryptsetup opens slot ${i#* } written by mortise"
	as/cryptsetup open --test-passphrase c/dev --key-slot="${i#* }" --key-file=- <"${i% *}"
	result $? "mortise opens slot ${i#* } written by cryptsetup"
done
cat wrong kms >both
talos "add with a wrong key" both luksAddKey dev --key-file=- --keyfile-size="$(size wrong)" \
	--new-keyfile=- --new-keyfile-size="$(size kms)" --key-size=512 --key-slot=5 $cost
answers 2
cat static kms >both
talos "add to a slot in use" both luksAddKey dev --key-file=- --keyfile-size="$(size static)" \
	--new-keyfile=- --new-keyfile-size="$(size kms)" --key-size=512 --key-slot=1 $cost
answers 1
talos "add with too short an input" static luksAddKey dev --key-file=- \
	--keyfile-size="$(size static)" --new-keyfile=- --new-keyfile-size=44 --key-slot=6 $cost
same_headers "after the failures"

# As Talos did before it used --new-keyfile-size: the new key ends at its first newline.
cat static salted >both
talos "add as old Talos versions did" both luksAddKey dev --key-file=- --keyfile-size="$(size static)" \
	--key-size=512 --key-slot=7 $cost
head -n 1 salted | tr -d '\n' >./cut
open "check the key that old Talos versions stored" cut 7
answers 0
open "check the complete key" salted 7
answers 2

# Tokens as for KMS, TPM and other types: export must return the imported bytes.
for i in '{"type":"sideroTPM2","keyslots":[],"userData":{"keySlots":["0"],"sealed":"/+==","pcrs":[0,7],"n":1.50}}' \
	'{"type":"x","keyslots":["1","31"],"deep":{"a":[1,-2,3e5,true,null]},"uni":"é\"\\"}'; do
	token "token replaced" 1 "$i"
	talos "token export" nothing token export -q dev --token-id 1
	answers 0
	printf '%s' "$i" | cmp -s - m/out
	result $? "token export returns the imported bytes"
done
talos "token export: not in use" nothing token export -q dev --token-id 2
answers 1 "Failed to get token"
talos "token remove: not in use" nothing token remove --token-id 2 dev
answers 1 "is not in use"
talos "token import in use, no replace" json token import -q dev --token-id 1 --json-file=-
answers 1
printf 'no json' >json
loose=1
talos "token import: no JSON" json token import -q dev --token-id 4 --json-file=- --token-replace
answers 1 "Failed to import token from file."
loose=
talos "token remove" nothing token remove --token-id 1 dev
answers 0
same_headers "token removed"

# Removing a keyslot requires the key of another slot.
talos "kill with another slot's key" static luksKillSlot dev 1 --key-file=-
answers 0
same_headers "killed"
accepted "killed"
open "check the killed slot" kms 1
answers 1 "No usable keyslot is available."
talos "kill with its own key" salted luksKillSlot dev 2 --key-file=-
answers 2
talos "kill with a wrong key" wrong luksKillSlot dev 2 --key-file=-
answers 2
talos "kill an inactive slot" static luksKillSlot dev 1 --key-file=-
answers 1
same_headers "after the failed removals"

talos "isLuks of the device" nothing isLuks dev
answers 0
truncate -s 17M c/empty m/empty
talos "isLuks of an empty file" nothing isLuks empty
answers 1
talos "isLuks of a missing file" nothing isLuks missing
answers 4
for i in c m; do
	[ "$("$MORTISE" luksUUID $i/dev)" = "$("$referee" luksUUID $i/dev)" ]
	result $? "the UUID of $i"
done
loose=1
talos "status of a mapping that is not open" nothing status luks2-STATE
! grep -qsw device-mapper /proc/misc || answers 4
talos "close a mapping that is not open" nothing luksClose luks2-STATE
answers 4
finish
