#!/bin/sh
# SPDX-License-Identifier: MIT
# plan and status of declared volumes on files, without device-mapper.
. "$(dirname "$(realpath "$0")")/lib.sh"

cat >config.yaml <<'YAML'
apiVersion: v1alpha1
kind: VolumeConfig
name: STATE
encryption:
  provider: luks2
  keys:
    - slot: 0
      static:
        passphrase: a passphrase
---
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
YAML
sed 's/provider: luks2/provider: rot13/' config.yaml >bad.yaml
truncate -s 64M state
truncate -s 64M data
mkfs_magic='\123\357' # magic number of ext4, little endian, at offset 1080
printf "$mkfs_magic" | dd of=data bs=1 seek=1080 conv=notrunc 2>/dev/null
both="--device STATE=state --device data=data"
json() { # expression of jq
	jq -e "$1" out >/dev/null
}

if [ ! -e /etc/mortise/config.yaml ]; then
	exits 1 "no configuration" "$MORTISE" plan
fi
exits 1 "missing configuration file" "$MORTISE" plan -f no-such-file
exits 1 "invalid configuration" "$MORTISE" up -f bad.yaml
grep -q '^mortise: bad.yaml:5:[0-9]*: ' err
result $? "the error has line and column"
says 1 "mortise: no volume \"unknown\" is declared" "unknown volume" \
	"$MORTISE" plan -f config.yaml $both unknown
exits 0 "plan of one volume" "$MORTISE" plan -q -f config.yaml $both STATE
grep -q '^STATE *format *state ' out
result $? "an empty device is planned to be formatted"
[ ! -s err ]
result $? "-q: no notices"
exits 6 "plan without devices" "$MORTISE" plan -f config.yaml
exits 1 "status: no volume is ready" "$MORTISE" status -f config.yaml $both
grep -q '^VOLUME *DEVICE *PHASE *SLOT *KEY *MOUNTED$' out
result $? "status: prints a table"
exits 0 "continue: no volume is open" "$MORTISE" continue -f config.yaml $both
grep -q '^No volume is being re-encrypted.$' out
result $? "continue: says so"
cmp -s state /dev/zero 2>/dev/null || [ "$(tr -d '\0' <state | wc -c)" = 0 ]
result $? "nothing was written"

if command -v jq >/dev/null; then
	"$MORTISE" plan --json -f config.yaml $both >out 2>err
	json '.command == "plan" and .error == null and (.steps | length > 0)'
	result $? "plan --json"
	json '[.steps[] | select(.volume == "STATE") | .kind][0] == "format"'
	result $? "plan --json: first step"
	"$MORTISE" status --json -f config.yaml $both >out 2>err
	json '[.volumes[].name] == ["STATE", "data"] and (.volumes[0].keyKinds == ["static"])'
	result $? "status --json"
	json '.volumes[0].mountPoint == null and .volumes[0].encrypted'
	result $? "status --json: nulls and booleans"
	json '.volumes | all(.notices == [] and .recoveryKeyslots == [])'
	result $? "status --json: empty lists"
	json '.volumes | all(keys == (["device", "disk", "discards", "encrypted", "error", "failedSyncs",
		"filesystem", "fsck", "id", "keyKind", "keyKinds", "keyslot", "known", "lastTrim", "lastUp",
		"lockedToState", "mapping", "mountPoint", "name", "notices", "partition", "partitionUuid", "pcrs", "phase",
		"recoveryKeyslots", "reencryption", "reencryptionProgress", "resetStaged", "seal", "signedPcr11", "size", "text", "use", "uuid"] | sort))'
	result $? "status --json: the members of each volume"
	json '.volumes | all(.size == 67108864 and .pcrs == [] and .signedPcr11 == false and
		([.disk, .discards, .partition, .partitionUuid, .use] | all(. == null)))'
	result $? "status --json: facts of a file"
	"$MORTISE" plan --json -f bad.yaml >out 2>err
	json '.remarks[0].severity == "error" and .remarks[0].line == 5 and .error.text'
	result $? "--json with an invalid configuration"
fi

# A static passphrase is only as secret as STATE, which stores the configuration.
cat >static.yaml <<'YAML'
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
encryption:
  provider: luks2
  keys:
    - {slot: 0, static: {passphrase: a passphrase}}
YAML
notes() { # CONFIGURATION [VOLUME]
	"$MORTISE" plan -f "$@" --device STATE=state --device data=empty 2>&1 >/dev/null |
		grep -q 'note: data: a static passphrase .* in clear text as long as STATE is not encrypted'
}
truncate -s 64M empty
{
	printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n---\n'
	cat static.yaml
} >plain_state.yaml
{
	sed '/^---/,$d' config.yaml
	echo ---
	cat static.yaml
} >encrypted_state.yaml
notes plain_state.yaml
result $? "a static key with an unencrypted STATE causes a warning"
notes plain_state.yaml data
result $? "also when that volume alone is planned"
! notes encrypted_state.yaml
result $? "a static key with an encrypted STATE causes no warning"
! notes encrypted_state.yaml data
result $? "nor when that volume alone is planned"
# The lock to STATE is recommended where STATE is encrypted.
recommends() { # CONFIGURATION
	"$MORTISE" plan -f "$1" --device STATE=state --device data=empty 2>&1 >/dev/null |
		grep -c 'note: data: a key is not locked to STATE.*lockToState: true'
}
sed 's/slot: 0, static: {passphrase: a passphrase}}/& # two keys\n    - {slot: 1, nodeID: {}, lockToState: true}/' \
	encrypted_state.yaml >two_keys.yaml
sed 's/{slot: 0, static/{slot: 0, lockToState: true, static/' encrypted_state.yaml >locked.yaml
[ "$(recommends encrypted_state.yaml)" = 1 ] && [ "$(recommends two_keys.yaml)" = 1 ] &&
	[ "$(recommends locked.yaml)" = 0 ] && [ "$(recommends plain_state.yaml)" = 0 ]
result $? "plan recommends the lock to STATE once, where it helps"
"$MORTISE" plan -f static.yaml --device data=empty 2>&1 >/dev/null | grep -q 'note: data: a static passphrase'
result $? "an undeclared STATE counts as unencrypted"

# plan names the key sources that this build lacks and the configuration needs.
cat >elsewhere.yaml <<'YAML'
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
encryption:
  provider: luks2
  keys:
    - {slot: 0, kms: {endpoint: 'grpc://127.0.0.1:1'}}
    - {slot: 1, tpm: {}}
    - {slot: 2, static: {passphrase: a passphrase}}
YAML
"$MORTISE" plan -f elsewhere.yaml --device data=state --tcti device:/nowhere \
	--node-uuid 5f0c2a4e-7d18-4b6f-92e3-0a1b8c9d4e57 >out 2>err
for kind in kms tpm; do
	if has "keys .*$kind.*"; then
		! grep -q "this build of mortise does not support keys of kind $kind" out
	else
		grep -q "this build of mortise does not support keys of kind $kind" out
	fi
	result $? "keys of kind $kind are supported, or reported as missing from this build"
done
grep -q 'format *state' out && grep -q 'add keyslot 2 (static)' out
result $? "the other keys are planned"

# A KMS that accepts connections and never answers is asked once for all keyslots and volumes, and
# the call takes no longer than --wait.
if "$MORTISE" --version | grep -q "^keys .*kms" && command -v python3 >/dev/null; then
	cat >silent.py <<-'PYTHON'
		import os, socket, sys
		server = socket.create_server(("127.0.0.1", 0))
		with open("port.new", "w") as file:
		    file.write(str(server.getsockname()[1]))
		os.rename("port.new", "port")
		kept = []
		while True:
		    kept.append(server.accept()[0])
		    with open("connections", "a") as file:
		        file.write("x")
	PYTHON
	python3 silent.py &
	silent=$!
	trap 'kill $silent; rm -rf "$work"' EXIT
	until [ -e port ]; do sleep 0.1; done
	rm -f data more
	truncate -s 20M data
	printf key >key
	# shellcheck disable=SC2086  # options
	"$MORTISE" luksFormat -q $cheap --key-file key --key-slot 5 data
	for slot in 0 1 2; do
		# shellcheck disable=SC2086
		"$MORTISE" luksAddKey -q $cheap --key-file key --key-slot $slot data key
		echo '{"type":"sideroKMS","keyslots":[],"UserData":{"sealedData":"AAAA"}}' |
			"$MORTISE" token import --json-file - --token-id $slot data
	done
	cp data more
	endpoint="grpc://127.0.0.1:$(cat port)"
	for volume in data more; do
		cat <<-YAML
			---
			apiVersion: v1alpha1
			kind: UserVolumeConfig
			name: $volume
			encryption:
			  provider: luks2
			  keys:
			    - {slot: 0, kms: {endpoint: '$endpoint'}}
			    - {slot: 1, kms: {endpoint: '$endpoint'}}
			    - {slot: 2, kms: {endpoint: '$endpoint'}}
		YAML
	done >kms.yaml
	exits 0 "plan with a silent KMS" "$MORTISE" plan -f kms.yaml --wait 2 --device data=data \
		--device more=more --node-uuid 8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815
	[ "$(grep -c "^data .*no answer within 2 s" out)" = 1 ] &&
		[ "$(grep -c "^more .*no answer within 2 s" out)" = 1 ]
	result $? "the call to the KMS takes no longer than --wait"
	grep -q "^data .*; keyslot 1 (kms): the same; keyslot 2 (kms): the same$" out
	result $? "the error is printed once for each volume"
	[ "$(cat connections)" = x ]
	result $? "one call is made for all keyslots of all volumes"
fi
finish
