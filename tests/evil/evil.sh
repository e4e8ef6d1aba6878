#!/bin/bash
# SPDX-License-Identifier: MIT
# Hostile metadata: headers that the format allows but that must not be used are rejected when they
# are opened, with an error that names the reason, and nothing is written. Also keyslots that need
# more memory than the machine has. MORTISE, FORGE: the programs.
here=$(dirname "$(realpath "$0")")
. "$here/../cli/lib.sh"
need_referee

printf secret > pass
truncate -s 20M good
"$MORTISE" luksFormat -q $cheap --key-file pass good
dd if=good bs=4096 skip=1 count=3 status=none | tr -d '\0' > good.json

# Both programs must load the header; mortise must fail to open it, with the given error.
while IFS= read -r line; do
	case $line in '#'* | '') continue ;; esac
	line=${line//\\|/$'\001'}
	IFS='|' read -r kind name filter sentence <<< "$line"
	filter=${filter//$'\001'/|}
	cp --sparse=always good evil
	jq -c "$filter" good.json | "$FORGE" evil
	cp --sparse=always evil before
	exits 0 "$name loads in cryptsetup" "$referee" --disable-locks luksDump evil
	exits 0 "$name loads" "$MORTISE" luksDump evil
	action="--test-passphrase"
	# Without device-mapper, open would fail for that reason first.
	if [ "$kind" = map ]; then
		grep -qw device-mapper /proc/misc || continue
		action=no-such-mapping
	fi
	if "$MORTISE" open evil $action --key-file pass > out 2> err; then
		result 1 "$name opened"
	elif [ "$(tail -n1 err)" = "$sentence" ]; then
		result 0 "$name is rejected with its reason"
	else
		result 1 "$name: another error"
		sed 's/^/# /' err
	fi
	cmp -s evil before
	result $? "$name: the image is unchanged"
done < "$here/cases"

# Marks of an unfinished format on a volume with keys: never formatted, and as usable as before.
# marked NAME FILTER SUBSYSTEM
marked() {
	cp --sparse=always good evil
	jq -c "$2" good.json | "$FORGE" evil "$3"
	cp --sparse=always evil before
	exits 0 "$1: opens" "$MORTISE" open evil --test-passphrase --key-file pass
	if has "declared yes"; then
		"$MORTISE" plan -f config.yaml --device data=evil > out 2> err
		! grep -qi format out err
		result $? "$1: no plan formats it"
	fi
	cmp -s evil before
	result $? "$1: the image is unchanged"
	exits 0 "$1: luksAddKey" "$MORTISE" luksAddKey -q $cheap --key-file pass evil new
	exits 0 "$1: the new key opens" "$MORTISE" open evil --test-passphrase --key-file new
	! "$MORTISE" luksDump evil | grep -q null
	result $? "$1: the mark does not become a subsystem"
}

printf another > new
cat > config.yaml <<- 'END'
	apiVersion: v1alpha1
	kind: UserVolumeConfig
	name: data
	encryption: {provider: luks2, keys: [{static: {passphrase: secret}, slot: 0}]}
END
mark='"mortise-unfinished"'
marked "mark in the JSON" "{$mark:\"\"}+." ""
marked "mark in both places" "{$mark:\"\"}+." mortise-unfinished
marked "null as the mark" "{$mark:null}+." mortise-unfinished
marked "an object as the mark" "{$mark:{}}+." mortise-unfinished
marked "a mark at the end" ".+{$mark:\"x\"}" mortise-unfinished

# A keyslot that needs more memory than the machine has: the error comes before the derivation.
jq -c '.keyslots."0".kdf={type:"argon2id",time:1,memory:4294967295,cpus:4,
	salt:.keyslots."0".kdf.salt}' good.json > bomb.json
cp --sparse=always good evil
"$FORGE" evil < bomb.json
"$MORTISE" open --test-passphrase evil --key-file pass > out 2> err
status=$?
if [ $status = 3 ] && grep -q '^keyslot 0 needs 419430[0-9] MiB, .* MiB is available' err; then
	result 0 "memory bomb: rejected before the derivation"
else
	result 1 "memory bomb: status $status"
	sed 's/^/# /' err
fi
finish
