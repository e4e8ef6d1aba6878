#!/bin/bash
# SPDX-License-Identifier: MIT
# Text from the disk never controls the terminal: every verb that prints escapes it. MORTISE, FORGE:
# the programs.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"

# Terminal sequences, C0, DEL, C1 in UTF-8, a newline, a bidirectional override, and invalid UTF-8.
raw=$'\e[31m\a\b\r\x7f\xc2\x9b1m\n\xe2\x80\xae\xff\x9b'
# The same as the inner part of a JSON string; @ becomes the bytes that jq cannot write.
json='\u001b[31m\u0007\b\r\u007f\u009b1m\n\u202e@'
json_of() { # FILTER: apply it to good.json, with $evil set
	jq -c --argjson evil "\"$json\"" "$1" good.json | LC_ALL=C sed 's/@/\xff\x9b/g'
}

# is_clean FILE...: printable UTF-8, newlines and tabs; and something was printed.
is_clean() {
	python3 - "$@" <<-'END'
		import sys, unicodedata
		text = b"".join(open(name, "rb").read() for name in sys.argv[1:]).decode("utf-8")
		bad = [c for c in text if c not in "\n\t" and (unicodedata.category(c) == "Cc"
		       or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069")]
		sys.exit(f"not escaped: {bad}" if bad else not text)
	END
}

# clean DESCRIPTION COMMAND...: the output of the command is clean and contains escaped text.
clean() {
	local what=$1
	shift
	"$@" >out 2>err </dev/null
	is_clean out err 2>why
	result $? "$what: clean"
	[ ! -s why ] || sed 's/^/# /' why out err | LC_ALL=C cat -v
	grep -qE '\\x1b|\\u001b' out err
	result $? "$what: escaped"
}

# only_clean DESCRIPTION COMMAND...: the same of a command that need not print the text.
only_clean() {
	local what=$1
	shift
	"$@" >out 2>err </dev/null
	is_clean out err
	result $? "$what: clean"
}

# The check itself sees each kind.
for byte in '\e' '\a' '\r' '\x7f' '\xc2\x9b' '\xe2\x80\xae' '\xff'; do
	printf "a${byte}b" >bad
	! is_clean bad 2>/dev/null
	result $? "the check sees $byte"
done

printf secret >pass
truncate -s 20M good
"$MORTISE" luksFormat -q $cheap --key-file pass good
dd if=good bs=4096 skip=1 count=3 status=none | tr -d '\0' >good.json

# new FILTER [SUBSYSTEM LABEL UUID]: make the image evil.
new() {
	cp --sparse=always good evil
	json_of "$1" | "$FORGE" evil "${@:2}"
}

# What luksDump prints.
new '.config.flags=["a"+$evil] |
	.tokens={"0":{"type":("t"+$evil),"keyslots":["0"],("k"+$evil):("v"+$evil)},
		"1":{"type":"luks2-keyring","keyslots":["0"],"key_description":("d"+$evil)}} |
	.config.mortise.volume="v"+$evil |
	.segments."0".flags=["f"+$evil] | .segments."0".encryption="aes-xts-"+$evil |
	.segments."0".integrity={"type":("i"+$evil),"journal_encryption":"none",
		"journal_integrity":"none"} |
	.keyslots."0".area.encryption="aes-"+$evil | .keyslots."0".af.hash="h"+$evil |
	.digests."0".hash="h"+$evil' "$raw" "$raw" "$raw"
clean luksDump "$MORTISE" luksDump evil
for what in Label Subsystem UUID Flags Cipher 'AF hash' cipher Hash flags 'Key description' integrity Volume; do
	grep -q "$what *: *.*\\\\x1b" out
	result $? "luksDump: $what"
done
[ "$(grep -c . out)" = "$(grep -ac . out)" ] && [ "$(grep -c 'UUID:' out)" = 1 ]
result $? "luksDump: lines"
clean "luksDump --dump-json-metadata" "$MORTISE" luksDump --dump-json-metadata evil
jq -e --argjson evil "\"${json/@/\\u00ff\\u009b}\"" '.tokens."0".type=="t"+$evil' out >/dev/null
result $? "luksDump --dump-json-metadata: the same text in JSON"
clean "token export" "$MORTISE" token export --token-id 0 evil
jq -e . out >/dev/null
result $? "token export: JSON"
clean luksUUID "$MORTISE" luksUUID evil
clean "open" "$MORTISE" open --test-passphrase --key-file pass evil
clean "luksAddKey" "$MORTISE" luksAddKey -q $cheap --key-file pass evil pass
clean "luksDump --debug" "$MORTISE" luksDump --debug evil
only_clean "isLuks -v" "$MORTISE" isLuks -v evil

# What errors name.
number=0
while IFS= read -r filter; do
	number=$((number + 1))
	new "$filter"
	clean "open, error $number" "$MORTISE" open --test-passphrase --key-file pass evil
done <<'END'
.segments."0".encryption="cipher_null-"+$evil
.keyslots."0".area.encryption="cipher_null-"+$evil
.keyslots."0".kdf.type="k"+$evil
.keyslots."0".kdf.hash="h"+$evil
.keyslots."0".af.hash="h"+$evil
.config.requirements={"mandatory":["r"+$evil]}
.digests."0".hash="d"+$evil
END

if has "declared yes"; then
	cat >config.yaml <<-'YAML'
		apiVersion: v1alpha1
		kind: UserVolumeConfig
		name: data
		encryption: {provider: luks2, keys: [{static: {passphrase: secret}, slot: 0}]}
	YAML
	new '.segments."0".encryption="cipher_null-"+$evil'
	for how in plan "plan --json" up "up --json" "up --verbose"; do
		clean "$how" "$MORTISE" $how -f config.yaml --device data=evil
	done
	only_clean "status --json" "$MORTISE" status --json -f config.yaml --device data=evil
	# A configuration of the attacker.
	for key in kind name provider passphrase; do
		sed "s/$key: \([a-zA-Z0-9]*\)/$key: \"\1\\\\e[31m\\\\a\\\\u009b\"/" config.yaml >evil.yaml
		for how in plan "plan --json"; do
			only_clean "$how, hostile $key" \
				"$MORTISE" $how -f evil.yaml --device data=evil
		done
	done

	truncate -s 1M meta
	printf 'v%s' "$raw" >value
	"$MORTISE" meta set 10 value --device META=meta
	result $? "meta set"
	printf '{"a":"b%s"}' "${json/@/}" >value
	"$MORTISE" meta set 9 value --device META=meta
	for how in "meta list" "meta list --json"; do
		only_clean "$how" "$MORTISE" $how --device META=meta
	done
	printf 'v%s' "$raw" >value
	"$MORTISE" meta get 10 --device META=meta | cmp - value
	result $? "meta get: the value itself to a file"
	if script -qec true /dev/null >/dev/null 2>&1; then
		script -qec "$MORTISE meta get 10 --device META=meta" /dev/null </dev/null |
			tr -d '\r' >out
		is_clean out && grep -q 'v\\x1b' out
		result $? "meta get: escaped on a terminal"
	fi
fi
finish
