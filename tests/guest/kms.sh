#!/usr/bin/env bash
# kms keys over several boots of one machine, with a KMS that uses gRPC's own library: formatting
# and opening; the KMS down, back, late, or with another key; TLS with a private CA and a client
# certificate; disks that Talos could have created, and the reverse. cryptsetup checks the keyslots.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/guest/lib.sh
. "$here/guest/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$here/guest/volumes.sh"
# shellcheck source=tests/guest/kms_server.sh
. "$here/guest/kms_server.sh"

state=$(blank_device 400) # more than the minimum of xfs
data=$(blank_device 40)

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
	json_area "$1" | tr -d '\0'
}

client() {
	node "$here/kms/client.mjs" "127.0.0.1:$port" "$@"
}

# talos_passphrase DEVICE: the passphrase that Talos would use for token 0, unsealed by the other
# client.
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
check "plan of blank disks succeeds" said mortise plan
check "plan says who will seal" says "add keyslot 0 (kms): its key will be sealed by KMS grpc://127.0.0.1:$port"
check_equal "plan does not ask the KMS" "$(calls Seal) $(calls Unseal)" "0 0"
check "plan --try-keys succeeds" said mortise plan --try-keys STATE
check_equal "plan --try-keys has each key sealed" "$(calls Seal) $(calls Unseal)" "1 0"
check_equal "plan --try-keys writes nothing" "$(head -c 16M "$state" | tr -d '\0' | wc -c)" 0
stop_kms
check "plan --try-keys succeeds without the KMS, by the other key" said mortise plan --try-keys STATE
check "plan --try-keys names the key that is not available" says 'keyslot 0 (kms): '
: >"$log"
start_kms
check "volumes are formatted with kms keys" said mortise up
check_equal "the KMS sealed each key once" "$(calls Seal)" 2
check "the KMS receives the machine's UUID" grep -q "\"node\":\"$uuid\"" "$log"
echo kept >"$root/var/mnt/data/file"
check_equal "the token has Talos's form" \
	"$(metadata "$state" | jq -c '.tokens["0"] | [.type, .keyslots, (.UserData | keys)]')" \
	'["sideroKMS",[],["sealedData"]]'
check_equal "the keyslot has the minimum cost" \
	"$(metadata "$state" | jq -c '.keyslots["0"].kdf | [.type, .time, .memory, .cpus]')" \
	'["argon2id",4,32,1]'
check "cryptsetup opens the keyslot with the passphrase that Talos would unseal" bash -c \
	"printf '%s' '$(talos_passphrase "$state")' |
	cryptsetup open --test-passphrase --key-slot 0 --key-file - '$state'"
check "the next boot succeeds" boot
check "the kms key opens STATE" opened_by STATE '0 kms'
check "the kms key opens the volume locked to STATE" opened_by data '0 kms'
check_equal "the data is still there" "$(cat "$root/var/mnt/data/file")" kept
check_equal "the KMS unsealed each key once, and one for the other client" "$(calls Unseal)" 3

## Another volume key: the KMS unseals what it has sealed, and seals nothing.
before=$(metadata "$data" | jq -c '.digests[].digest')
sed -i '/^name: data$/,$ s/^  provider: luks2$/&\n  rotateVolumeKey: new/' "$config"
check "the next boot replaces the volume key" boot
check_fails "data has another one" test "$(metadata "$data" | jq -c '.digests[].digest')" = "$before"
check "the kms key opens data" opened_by data '0 kms'
check_equal "the data is still there" "$(cat "$root/var/mnt/data/file")" kept
check_equal "the KMS sealed no key" "$(calls Seal)" 2
check "the boot after it succeeds" boot

## The KMS is down: the fallback key opens STATE; a volume without a fallback waits.
stop_kms
before=$(header_sum "$data")
check_status 6 "without the KMS, one of two volumes is ready" boot --wait 0
check "STATE's other key opens it" opened_by STATE '1 nodeID'
check "the kms keyslot is unchanged, with a notice" says "keyslot 0 (kms) unchanged"
check "the notice names the endpoint" says "127.0.0.1:$port"
check_equal "each volume reports the KMS once" \
	"$(grep -c "127.0.0.1:$port" "$work/said") $(grep -c '^mortise: data: ' "$work/said")" '2 1'
check "the other volume cannot be opened" says 'no declared key opens'
check_equal "its header is unchanged" "$(header_sum "$data")" "$before"
(sleep 4 && start_kms) &
check "up waits until the KMS is back" said mortise up --wait 600
wait
check "the kms key opens the volume" opened_by data '0 kms'
stop_kms
check "an open volume needs no KMS" said mortise up --wait 0
check_fails "and nothing is to be reported" says 'not checked'
check "an open volume stays ready while the KMS is down" said mortise up --check-keys --wait 0
check "a notice says that its kms key was not checked" says 'keyslot 0 (kms) not checked'
check_equal "no line is printed twice" "$(sort "$work/said" | uniq -d)" ""

## A keyslot that is not needed causes no call.
start_kms
declare_none
declare_volume data "$data" "slot: 0, $kms, lockToState: true" 'slot: 1, static: {passphrase: spare}'
declare_volume STATE "$state" "slot: 0, $kms" 'slot: 1, nodeID: {}'
check "a spare key is added" boot
declare_none
declare_volume data "$data" 'slot: 1, static: {passphrase: spare}' "slot: 2, $kms"
check "the kms key moves behind the spare key" boot
asked=$(calls Unseal)
check "the boot succeeds with the first key" boot
check_equal "the boot does not call the KMS" "$(calls Unseal)" "$asked"
check "the boot succeeds with --check-keys" boot --check-keys
check_equal "--check-keys calls the KMS once" "$(calls Unseal)" "$((asked + 1))"

## A KMS that has lost its key replies with random bytes.
declare_none
declare_volume data "$data" "slot: 0, $kms" 'slot: 1, static: {passphrase: spare}'
check "the kms key moves back to the first keyslot" boot
check "the next boot succeeds" boot
check "the kms key opens the volume" opened_by data '0 kms'
stop_kms
rm "$work/kms-key"
start_kms
check "the boot succeeds after the KMS has lost its key" boot
check "the spare key opens the volume" opened_by data '1 static'
check "a notice says that the kms key was enrolled again" says 'keyslot 0 (kms) was enrolled again'
check "the next boot succeeds" boot
check "the kms key opens the volume" opened_by data '0 kms'
stop_kms
start_kms --fault late
asked=$(calls Unseal)
check "a KMS that never answers does not prevent opening with the spare key" boot
check_equal "the KMS is asked once" "$(calls Unseal)" "$((asked + 1))"
check "a notice says that the kms keyslot is unchanged" says 'keyslot 0 (kms) unchanged'
stop_kms
down

## A disk of Talos: its keyslot, at its cost, and its token. The reverse is tested above.
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
# The passphrase of a kms key is random: a keyslot that asks for years is an attack.
metadata "$talos" >"$work/json"
jq -c '.keyslots."0".kdf.time = 4294967295' "$work/json" | "$(dirname "$MORTISE")/tests/forge" "$talos"
check_status 1 "a keyslot that would take years is refused" boot
check "the limit is that of sealed keys" says 's to derive on this machine, and the limit is 10 s'
"$(dirname "$MORTISE")/tests/forge" "$talos" <"$work/json"
check "open uses the token when --kms names the KMS" \
	"$MORTISE" open --test-passphrase --token-only \
	--kms "127.0.0.1:$port" --node-uuid "$uuid" "$talos"
check_fails "open fails without --kms" "$MORTISE" open --test-passphrase --token-only "$talos"
check "enroll adds a keyslot, authorized by the token" "$MORTISE" enroll "$talos" --key-slot 3 \
	--kms "127.0.0.1:$port" --node-uuid "$uuid" --token-id 0
check_equal "the token number equals the keyslot number" \
	"$(metadata "$talos" | jq -r '.tokens["3"].type')" sideroKMS
check "the new token opens the volume" "$MORTISE" open --test-passphrase --token-id 3 --token-only \
	--kms "127.0.0.1:$port" --node-uuid "$uuid" "$talos"
stop_kms

## TLS: a private CA and a client certificate, given by options and by the default files.
mkdir "$work/tls"
(cd "$work/tls" && "$here/kms/certificates.sh" >/dev/null 2>&1)
start_kms --tls-cert "$work/tls/server.pem" --tls-key "$work/tls/server.key" \
	--client-ca "$work/tls/ca.pem"
declare_none
declare_volume data "$talos" "slot: 0, kms: {endpoint: 'https://localhost:$port'}"
check_status 1 "without the CA, the connection is refused" boot --wait 0
check "the error mentions the certificate" says 'certificate'
check "the volume opens with the CA and a client certificate" \
	boot --wait 0 --kms-ca "$work/tls/ca.pem" \
	--kms-cert "$work/tls/client.pem" --kms-key "$work/tls/client.key"
mkdir "$work/etc" "$work/etc-work"
mount -t overlay -o "lowerdir=/etc,upperdir=$work/etc,workdir=$work/etc-work" overlay /etc
mkdir -p /etc/mortise/kms
cp "$work/tls/ca.pem" /etc/mortise/kms/ca.pem
cp "$work/tls/client.pem" /etc/mortise/kms/cert.pem
cp "$work/tls/client.key" /etc/mortise/kms/key.pem
check "the volume opens with the files in /etc/mortise/kms" boot --wait 0
rm /etc/mortise/kms/key.pem
check_status 1 "a certificate without its key is refused" boot --wait 0
check "the error says that the key is missing" says 'only the certificate is given'
umount /etc

down
stop_kms

## apply seals each key once: what it shows is what it executes.
start_kms
plain=$(blank_device 330)
data=$(blank_device 40)
umount "$root/system/state"
cryptsetup close luks2-STATE
declare_none
printf -- '---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n' >"$config"
declare_volume data "$data" "slot: 0, $kms"
options+=(--device "STATE=$plain")
: >"$log"
check "apply to blank disks succeeds" said mortise apply
check_equal "apply has one key sealed, once, and none unsealed" \
	"$(calls Seal) $(calls Unseal)" "1 0"
check "the next boot opens" boot
check_equal "one call unseals the key" "$(calls Seal) $(calls Unseal)" "1 1"
: >"$log"
check "apply of the same configuration to open volumes succeeds" said mortise apply
check_equal "apply unseals the only key, once" "$(calls Seal) $(calls Unseal)" "0 1"
down
: >"$log"
check "apply to closed volumes succeeds" said mortise apply
check_equal "apply unseals the key that opens, once" "$(calls Seal) $(calls Unseal)" "0 1"
down
stop_kms

## A server that never answers: one signal ends the call, long before its time limit.
start_kms --fault late
"$MORTISE" up "${options[@]}" >"$work/said" 2>&1 &
pid=$!
sleep 4
begin=$(date +%s%N)
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
took=$((($(date +%s%N) - begin) / 1000000))
check_equal "an interrupted call of the KMS gives exit status 143" "$status" 143
check "the call ends in time ($took ms)" test "$took" -lt 8000
check "the error says so" says canceled
stop_kms
finish
