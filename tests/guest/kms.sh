#!/usr/bin/env bash
# Keys of kind kms over the boots of one machine, with a KMS that is gRPC's own: formatted,
# opened, the KMS down, back, late, with another key; TLS with a private CA and a client
# certificate; disks that Talos would have made, and the reverse. cryptsetup judges the keyslots.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/guest/lib.sh
. "$here/guest/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$here/guest/volumes.sh"

ip link set lo up
NODE_PATH=$("$here/../tools/npm-packages")
export NODE_PATH
port=4050
state=$(blank_device 400) # the least that xfs takes, and more
data=$(blank_device 40)
log=$work/kms.log
: >"$log"

# start_kms [OPTION]...: on the same port each time, with the key of $work/kms-key.
start_kms() {
	rm -f "$work/port"
	node "$here/kms/server.mjs" --port "$port" --port-file "$work/port" \
		--key-path "$work/kms-key" --log "$log" "$@" </dev/null >"$work/kms.out" 2>&1 &
	echo $! >"$work/kms.pid"
	appears "$work/port" "$work/kms.out"
}

stop_kms() {
	local pid
	pid=$(cat "$work/kms.pid")
	kill "$pid" 2>/dev/null || true
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# How often it was asked: calls Seal|Unseal.
calls() {
	grep -c "\"method\":\"$1\"" "$log" || true
}

boot() {
	down
	said mortise up "$@"
}

# opened_by VOLUME "SLOT KIND"
opened_by() {
	[[ $(mortise status --json | jq -r --arg name "$1" \
		'.volumes[] | select(.name == $name) | "\(.keyslot) \(.keyKind)"') == "$2" ]]
}

metadata() {
	json_area "$1" 1 | tr -d '\0'
}

client() {
	node "$here/kms/client.mjs" "127.0.0.1:$port" "$@"
}

# The passphrase that Talos would use for token 0 of a device: asked for by the other client.
talos_passphrase() {
	client unseal "$uuid" "$(metadata "$1" | jq -r '.tokens["0"].UserData.sealedData')" |
		tr -d '\n'
}

header_sum() {
	head -c 16M "$1" | cksum
}

kms="kms: {endpoint: 'grpc://127.0.0.1:$port'}"
start_kms

## STATE and a volume locked to it.
declare_none
declare_volume STATE "$state" "slot: 0, $kms" 'slot: 1, nodeID: {}'
declare_volume data "$data" "slot: 0, $kms, lockToState: true"
check "volumes are formatted with KMS keys" said mortise up
check_equal "one call seals each" "$(calls Seal)" 2
check "the KMS knows the machine by its UUID" grep -q "\"node\":\"$uuid\"" "$log"
echo kept >"$root/var/mnt/data/file"
check_equal "the token is Talos's" \
	"$(metadata "$state" | jq -c '.tokens["0"] | [.type, .keyslots, (.UserData | keys)]')" \
	'["sideroKMS",[],["sealedData"]]'
check_equal "its slot has the least cost" \
	"$(metadata "$state" | jq -c '.keyslots["0"].kdf | [.type, .time, .memory, .cpus]')" \
	'["argon2id",4,32,1]'
check "what Talos would unseal opens the slot in cryptsetup" bash -c \
	"printf '%s' '$(talos_passphrase "$state")' |
	cryptsetup open --test-passphrase --key-slot 0 --key-file - '$state'"
check "the next boot opens" boot
check "STATE by the KMS" opened_by STATE '0 kms'
check "the volume that is locked to it too" opened_by data '0 kms'
check_equal "the data is there" "$(cat "$root/var/mnt/data/file")" kept
check_equal "each was unsealed once, and once by the other client" "$(calls Unseal)" 3

## The KMS is down: the fallback opens, what has none waits.
stop_kms
before=$(header_sum "$data")
check_status 6 "without the KMS one volume is ready" boot --wait 0
check "STATE, by its other key" opened_by STATE '1 nodeID'
check "which is told" says "keyslot 0 (kms) left as it is"
check "with the endpoint and the reason" says "127.0.0.1:$port"
check "the other volume waits" says 'no declared key opens'
check_equal "and is as it was" "$(header_sum "$data")" "$before"
(sleep 4 && start_kms) &
check "a KMS that comes while up waits" said mortise up --wait 600
wait
check "opens the volume" opened_by data '0 kms'
stop_kms
check "an open volume stays ready while the KMS is down" said mortise up --wait 0
check "that its key was not checked is told" says 'keyslot 0 (kms) not checked'

## A slot that is not needed asks nobody.
start_kms
declare_none
declare_volume data "$data" "slot: 0, $kms, lockToState: true" 'slot: 1, static: {passphrase: spare}'
declare_volume STATE "$state" "slot: 0, $kms" 'slot: 1, nodeID: {}'
check "a spare key is added" boot
declare_none
declare_volume data "$data" 'slot: 1, static: {passphrase: spare}' "slot: 2, $kms"
check "the KMS key moves behind it" boot
asked=$(calls Unseal)
check "a boot that opens with the first key" boot
check_equal "asks no KMS" "$(calls Unseal)" "$asked"
check "with --check-keys it does" boot --check-keys
check_equal "once" "$(calls Unseal)" "$((asked + 1))"

## A KMS that has lost its key answers with random bytes.
declare_none
declare_volume data "$data" "slot: 0, $kms" 'slot: 1, static: {passphrase: spare}'
check "back in the first slot" boot
check "opened by it" boot
check "the KMS opens" opened_by data '0 kms'
stop_kms
rm "$work/kms-key"
start_kms
check "the spare key opens" boot
check "opened by it" opened_by data '1 static'
check "the KMS key is made anew, and it is said" says 'keyslot 0 (kms) was enrolled again'
check "the boot after that opens" boot
check "by the KMS" opened_by data '0 kms'
stop_kms
start_kms --fault late
asked=$(calls Unseal)
check "a KMS that never answers does not keep the spare key from opening" boot
check_equal "which asks it once" "$(calls Unseal)" "$((asked + 1))"
check "which is told" says 'keyslot 0 (kms) left as it is'
stop_kms
down

## A disk of Talos's: its slot, at its cost, its token; and the reverse above.
start_kms
talos=$(blank_device 40)
secret=$(head -c 32 /dev/urandom | base64 -w 0)
format_with_file "$talos" "$secret" --key-slot 0
printf '{"UserData":{"sealedData":"%s"},"type":"sideroKMS","keyslots":[]}' \
	"$(client seal "$uuid" "$secret")" |
	cryptsetup token import --token-id 0 --json-file - "$talos"
declare_none
declare_volume data "$talos" "slot: 0, $kms"
check "a disk that Talos sealed opens" boot
check_equal "the data is there" "$(cat "$root/var/mnt/data/file")" kept
down
check "by hand too, when the KMS is named" "$MORTISE" open --test-passphrase --token-only \
	--kms "127.0.0.1:$port" --node-uuid "$uuid" "$talos"
check_fails "and not when it is not" "$MORTISE" open --test-passphrase --token-only "$talos"
check "one more slot by hand, authorised by the token" "$MORTISE" enroll "$talos" --key-slot 3 \
	--kms "127.0.0.1:$port" --node-uuid "$uuid" --token-id 0
check_equal "with the token of its number" \
	"$(metadata "$talos" | jq -r '.tokens["3"].type')" sideroKMS
check "that opens it" "$MORTISE" open --test-passphrase --token-id 3 --token-only \
	--kms "127.0.0.1:$port" --node-uuid "$uuid" "$talos"
stop_kms

## TLS: a private CA and a client certificate, by options and by the files in their place.
mkdir "$work/tls"
(cd "$work/tls" && "$here/kms/certificates.sh" >/dev/null 2>&1)
start_kms --tls-cert "$work/tls/server.pem" --tls-key "$work/tls/server.key" \
	--client-ca "$work/tls/ca.pem"
declare_none
declare_volume data "$talos" "slot: 0, kms: {endpoint: 'https://localhost:$port'}"
check_status 1 "without the CA it is refused" boot --wait 0
check "which is told" says 'certificate'
check "with the CA and a certificate it opens" boot --wait 0 --kms-ca "$work/tls/ca.pem" \
	--kms-cert "$work/tls/client.pem" --kms-key "$work/tls/client.key"
mkdir "$work/etc" "$work/etc-work"
mount -t overlay -o "lowerdir=/etc,upperdir=$work/etc,workdir=$work/etc-work" overlay /etc
mkdir -p /etc/mortise/kms
cp "$work/tls/ca.pem" /etc/mortise/kms/ca.pem
cp "$work/tls/client.pem" /etc/mortise/kms/cert.pem
cp "$work/tls/client.key" /etc/mortise/kms/key.pem
check "with the files in /etc/mortise/kms too" boot --wait 0
rm /etc/mortise/kms/key.pem
check_status 1 "a certificate without its key is refused" boot --wait 0
check "which is told" says 'only the certificate is given'
umount /etc

down
stop_kms
finish
