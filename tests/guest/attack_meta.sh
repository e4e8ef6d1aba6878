#!/usr/bin/env bash
# Attacks through META and STATE by an attacker who writes the disk while the machine is off. Runs in
# a guest: see tools/guest/uml.
# shellcheck disable=SC2154  # work, meta, ...: set in sourced files
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

rogue_uuid=0f8fad5b-d9cb-469f-a165-70867728950e
spare='static: {passphrase: spare}, slot: 1'
trust=$work/trust.yaml

# firmware UUID: what /sys/class/dmi reports, which a guest of User Mode Linux does not have. The
# links in /sys/class/block lead out of the directory, so each class is mounted in its place.
firmware() {
	local class

	if [[ ! -d $work/class ]]; then
		mkdir "$work/class"
		mount -t tmpfs class "$work/class"
		for class in /sys/class/*/; do
			mkdir "$work/class/$(basename "$class")"
			mount --bind "$class" "$work/class/$(basename "$class")"
		done
		mkdir -p "$work/class/dmi/id"
		mount --rbind "$work/class" /sys/class
	fi
	rm -f "$work/class/dmi/id/product_uuid"
	[[ -z $1 ]] || echo "$1" >"$work/class/dmi/id/product_uuid"
}

# The image of these machines says what it trusts, unless a test removes the file.
trusts() {
	printf '%s\n' "$@" >"$trust"
}

# on_machine VERB [OPTION]...: as in a boot, without --node-uuid.
on_machine() {
	local verb=$1 more=(--root "$root")
	shift

	case $verb in
	up | apply) more+=("${cost[@]}") ;;
	esac
	[[ ! -e $trust ]] || more+=(--trust "$trust")
	"$MORTISE" "$verb" "$@" "${more[@]}" "${places[@]}"
}

power_off() {
	"$MORTISE" down --root "$root" "${places[@]}" >"$work/down" 2>&1 || close_by_hand
}

# STATE must be mounted: it records that the volume may be formatted again.
wipe_data() {
	"$MORTISE" reset --yes u-data --device "u-data=$data" >"$work/out"
}

set_tag() {
	printf %s "$2" >"$work/value"
	"$MORTISE" meta set "$1" "$work/value" --device "META=$meta"
}

# has_key DEVICE SLOT PASSPHRASE
has_key() {
	printf %s "$3" | cryptsetup open --test-passphrase --key-slot "$2" --key-file - "$1"
}

# The owner's machine: STATE and a volume with keys of the machine's UUID, and a spare key.
install_machine() {
	new_machine
	rm -f "$trust"
	declare_keys "$node" "$node;$spare"
	check "apply installs the machine" on_machine apply -f "$config"
	power_off
}

# META says that STATE is not encrypted, and STATE holds the attacker's configuration.
test_plain_state() {
	install_machine
	trusts 'state: {encrypted: true, keys: [nodeID, tpm]}' 'headers: sealed'
	check "up opens the machine's own STATE" on_machine up
	cp "$root/system/state/encryption-salt.yaml" "$work/salt"
	power_off

	"$MORTISE" meta delete 9 --device "META=$meta"
	mkfs.xfs -q -f --unsupported "$state"
	mkdir -p "$work/rogue"
	mount "$state" "$work/rogue"
	declare_keys - "$node;$spare;static: {passphrase: rogue}, slot: 2"
	install -m 600 "$config" "$work/rogue/config.yaml"
	cp "$work/salt" "$work/rogue/encryption-salt.yaml"
	umount "$work/rogue"
	check_fails "up refuses a STATE that is not encrypted" said on_machine up
	check "the error names the trust file" \
		says "it is not encrypted, but $trust requires it"
	check_fails "STATE is not mounted" mountpoint -q "$root/system/state"
	check_fails "the volume is not open" test -e /dev/mapper/luks2-u-data
	check_fails "the attacker's key is not enrolled" has_key "$data" 2 rogue

	set_tag 9 null
	check_fails "up refuses a STATE with null in META" said on_machine up
	check "the error names the trust file" says "$trust requires it"

	trusts 'state: {encrypted: false}'
	check "without the requirement, the attack succeeds" on_machine up
	check "the attacker's key is enrolled" has_key "$data" 2 rogue
	power_off
}

# STATE is encrypted, with a key that the attacker knows and writes to META.
test_rogue_keys() {
	install_machine
	trusts 'state: {keys: [nodeID, tpm]}'
	printf rogue | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		--key-file - "$state"
	set_tag 9 '{"Provider":"luks2","KeyOptions":null,"EncryptionKeys":[{"KeySlot":0,"KeyStatic":{"KeyData":"rogue"}}]}'
	check_fails "up refuses a static key of STATE" said on_machine up
	check "the error names the key, the trust file and the permitted kinds" says \
		"it has a static key (keyslot 0), but $trust permits only nodeID, tpm"
	check_fails "STATE is not open" test -e /dev/mapper/luks2-STATE
	check_fails "apply stores no configuration with a static key of STATE" \
		said on_machine apply -f <(declare_keys "$spare" "$node"; cat "$config")
	check "the error says why" says "it has a static key (keyslot 1)"
}

# A header without a seal is not adopted, not even on a machine without a list of volumes.
test_unsealed_state() {
	new_machine
	trusts 'headers: sealed'
	declare_keys "$node" "$node"
	printf %s "${uuid}STATE" | cryptsetup luksFormat -q --pbkdf pbkdf2 \
		--pbkdf-force-iterations 1000 --key-slot 0 --key-file - "$state"
	check_fails "up refuses a STATE without a seal" said on_machine up -f "$config" STATE
	check "the error says why" says "cannot trust the header of $state: no seal"
	check_fails "STATE is not open" test -e /dev/mapper/luks2-STATE
	trusts 'headers: adopt'
	check "adoption is possible otherwise" \
		said on_machine plan -f "$config" STATE
	check "the plan seals the header" says "accept the header of $state (no seal)"
}

# META names another machine, so that keys of its UUID could replace those of the machine.
test_rogue_uuid() {
	install_machine
	set_tag 15 "$rogue_uuid"
	check "up opens the volumes" said on_machine up
	check "reset of the volume succeeds" wipe_data
	power_off
	check "STATE's keyslot is unchanged" has_key "$state" 0 "${uuid}STATE"
	check "up formats the volume again" on_machine up
	power_off
	check "with a key of the firmware's UUID" has_key "$data" 0 "${uuid}u-data"
	check_fails "without a key of the UUID in META" has_key "$data" 0 "${rogue_uuid}u-data"

	firmware ''
	check_fails "STATE cannot be opened without the firmware's UUID" on_machine up -f "$config"
	check_fails "no keyslot was replaced by one of the UUID in META" \
		has_key "$data" 0 "${rogue_uuid}u-data"
	check "the volume's keyslot is unchanged" has_key "$data" 0 "${uuid}u-data"
	power_off
	firmware "$uuid"
}

# The machine's UUID has changed. Another key opens the volume; the keyslot stays.
test_changed_firmware() {
	install_machine
	declare_keys "$spare" "$node;$spare"
	firmware "$other_uuid"
	check "up opens the volume with its other key" \
		said on_machine up -f "$config" data --no-mount
	check "the failed key is explained" says "the UUID of the firmware does not open it; if \
this machine's UUID has changed"
	"$MORTISE" down -f "$config" "${places[@]}" >"$work/out"
	check "the keyslot is not replaced" has_key "$data" 0 "${uuid}u-data"
	check_fails "no key of the other UUID was added" has_key "$data" 0 "${other_uuid}u-data"
	firmware "$uuid"
}

# Version 0.1 used the UUID in META without a permission.
test_installed_with_meta() {
	new_machine
	rm -f "$trust"
	firmware "$other_uuid"
	set_tag 15 "$uuid"
	declare_keys "$node" "$node;$spare"
	check "apply is the operator's step: it uses the UUID in META" on_machine apply -f "$config"
	power_off
	check "the key is the one of the UUID in META" has_key "$data" 0 "${uuid}u-data"
	check "up opens these keyslots" said on_machine up
	check "it reports the UUID and the permission" \
		says "keyslot 0 opened with the UUID in META (tag 15), not with the firmware's"
	check "of STATE, too" says "STATE: notice: keyslot 0 opened with the UUID in META"
	power_off
	check "up does not derive a key that is on record" said on_machine plan
	check_fails "nothing is enrolled again" says replace

	set_tag 15 "$rogue_uuid"
	check_fails "another UUID in META does not open STATE" said on_machine up
	check "the error explains the wrong key" \
		says 'keyslot 0 (nodeID): wrong key; the UUID of this machine may have changed'
	declare_keys "$spare" "$node;$spare"
	check "the volume opens with its other key" \
		said on_machine up -f "$config" data --no-mount
	check "the failed key is explained" \
		says "the UUID of the firmware, and the one in META, does not open it"
	"$MORTISE" down -f "$config" "${places[@]}" >"$work/out"
	check "its keyslot is not replaced" has_key "$data" 0 "${uuid}u-data"
	set_tag 15 "$uuid"

	firmware ''
	check "a machine whose firmware has no UUID comes up" said on_machine up
	power_off
	trusts 'meta: {node-uuid: false}'
	check_fails "a trust file without the permission forbids it" said on_machine up
	firmware "$other_uuid"
	check_fails "also where the firmware has a UUID" said on_machine up
	trusts 'meta: {node-uuid: true}'
	check "with the permission, up uses the UUID in META" said on_machine up
	check_fails "and reports nothing" says notice
	power_off
	firmware "$uuid"
}

# listen: accept connections on a free port of the loopback device, and close them. Writes the port to
# $work/port, and one line for each connection to $work/connections.
listen() {
	ip link set lo up
	: >"$work/connections"
	rm -f "$work/port"
	python3 - "$work/port" "$work/connections" <<-'END' &
		import os, socket, sys
		server = socket.create_server(("127.0.0.1", 0))
		with open(sys.argv[1] + ".new", "w") as port:
		    port.write(str(server.getsockname()[1]))
		os.rename(sys.argv[1] + ".new", sys.argv[1])
		while True:
		    connection, _ = server.accept()
		    with open(sys.argv[2], "a") as log:
		        log.write("connection\n")
		    connection.close()
	END
	server=$!
	until_holds test -e "$work/port"
	endpoint=grpc://127.0.0.1:$(cat "$work/port")
}

# connected: has the server had a connection since it was last asked?
connected() {
	local found=1

	[[ ! -s $work/connections ]] || found=0
	: >"$work/connections"
	return "$found"
}

# META names a KMS of the attacker. A request would tell it the machine's UUID and the sealed key.
test_rogue_kms() {
	local server endpoint keys

	new_machine
	rm -f "$trust"
	listen
	printf spare | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		--key-file - "$state"
	echo '{"type":"sideroKMS","keyslots":[],"UserData":{"sealedData":"c2VhbGVk"}}' |
		cryptsetup token import --token-id 0 "$state"
	keys='"KeyStatic":null,"KeyNodeID":null,"KeyKMS":{"KMSEndpoint":"'$endpoint'"}'
	set_tag 9 '{"Provider":"luks2","EncryptionKeys":[{"KeySlot":0,'"$keys"'}]}'
	for verb in plan up; do
		check_fails "$verb refuses a KMS without TLS that META names" said on_machine "$verb"
		check "the error names the KMS and the permission" says "cannot trust the KMS \
$endpoint: META names it, and it does not use TLS; to permit it, set kms.insecure in \
/etc/mortise/trust.yaml"
	done
	check_fails "the KMS got no connection" connected
	trusts 'kms: {insecure: true}'
	check_fails "with the permission, up fails at the KMS" said on_machine up --wait 1
	check "the KMS got a connection" connected

	declare_keys "kms: {endpoint: \"$endpoint\"}, slot: 0" -
	trusts 'kms: {endpoints: ["https://kms.example.com:4050"], insecure: true}'
	for verb in plan up; do
		check_fails "$verb refuses a KMS that the trust file does not list" \
			said on_machine "$verb" -f "$config"
		check "the error names the KMS and the trust file" \
			says "cannot trust the KMS $endpoint: $trust does not list it"
	done
	check_fails "new keys are not sealed by this KMS" \
		on_machine plan --try-keys -f "$config" --device "STATE=$(blank_device 330)"
	trusts 'kms: {ca: /etc/mortise/kms/ca.pem}'
	check_fails "up refuses a KMS without TLS if the CA is pinned" said on_machine up -f "$config"
	check "the error says why" says "it does not use TLS, but $trust names the CA of the KMS"
	check_fails "the KMS got no connection" connected
	trusts "kms: {endpoints: ['GRPC://127.0.0.1:${endpoint##*:}/path']}"
	check_fails "up asks a KMS that is listed in another form" \
		said on_machine up -f "$config" --wait 1
	check "the KMS got a connection" connected
	rm "$trust"
	check_fails "up asks a KMS without TLS that an operator names" \
		said on_machine up -f "$config" --wait 1
	check "the KMS got a connection" connected
	check "plan of this configuration succeeds" said on_machine plan -f "$config"
	check "it notes that TLS is missing" says 'STATE: its KMS is contacted without TLS'
	check "and what the next boot needs" says 'STATE: a boot that finds this KMS in META'
	kill "$server"
}

# Another user of the machine could write the configuration.
test_writable_config() {
	install_machine
	check "up opens the volumes" on_machine up
	chmod 666 "$root/system/state/config.yaml"
	power_off
	check_fails "up refuses a configuration that others can write" said on_machine up
	check "the error says why" says "config.yaml"
	check_fails "the volume is not open" test -e /dev/mapper/luks2-u-data
	umount "$root/system/state" && cryptsetup close luks2-STATE
}

firmware "$uuid"
topics=("$@") # all, without an argument
[[ -n ${1-} ]] || topics=(plain_state rogue_keys unsealed_state rogue_uuid changed_firmware
	installed_with_meta rogue_kms writable_config)
for topic in "${topics[@]}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
