#!/bin/sh
# SPDX-License-Identifier: MIT
# enroll --tpm, and opening with its token, on an emulated TPM. The record of what another test has
# extended into PCR 15 is hidden: it belongs to another TPM.
if [ "$(id -u)" = 0 ] && [ -z "${PRIVATE_RUN-}" ]; then
	mkdir -p /run/mortise
	PRIVATE_RUN=1 exec unshare --mount sh -c \
		'mount -t tmpfs -o mode=700 tmpfs /run/mortise && exec "$0"' "$0"
fi
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee
has "keys .*tpm.*" || { echo "skipped: this build has no keys of kind tpm"; exit 77; }
for tool in swtpm tpm2_pcrextend jq; do
	command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done

mkdir tpm
swtpm socket --tpm2 --tpmstate "dir=$work/tpm" --server "type=unixio,path=$work/tpm/sock" \
	--ctrl "type=unixio,path=$work/tpm/sock.ctrl" --flags not-need-init,startup-clear 2>swtpm.log &
tpm=$!
trap 'kill $tpm; rm -rf "$work"' EXIT
tries=0
while [ ! -S tpm/sock ] && [ $tries -lt 3000 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
tcti=swtpm:path=$work/tpm/sock
extend() { # PCR WORD
	TPM2TOOLS_TCTI=$tcti tpm2_pcrextend "$1:sha256=$(printf %s "$2" | sha256sum | cut -d' ' -f1)"
}

printf 'secret' >key
truncate -s 17M x
"$referee" luksFormat -q $cheap x key || exit 1
cp --sparse=always x before
says 1 "PCR bank 7 is populated with all zeroes: nothing was measured into it, and a key bound to it would open after any boot" \
	"a PCR without measurements" "$MORTISE" enroll x --tpm -d key --tcti "$tcti"
cmp -s x before
result $? "the image is unchanged"
extend 7 secureboot || exit 1
extend 0 firmware || exit 1
exits 0 "bound to PCR 7" "$MORTISE" enroll x --tpm -d key --tcti "$tcti" -v
grep -q '^mortise: notice: keyslot 1 (tpm) is bound to PCR 7 only' err
result $? "a notice reports it"
"$referee" luksDump --dump-json-metadata x >json
jq -e '.keyslots["1"].kdf | del(.salt) == {"type": "argon2id", "time": 4, "memory": 32, "cpus": 1}' \
	json >/dev/null
result $? "the keyslot has the minimum cost"
jq -e '.tokens["1"].type == "talos-tpm2"' json >/dev/null
result $? "the token has the number of the key slot"
exits 0 "the token opens" "$MORTISE" open --test-passphrase x --token-only --tcti "$tcti"
MORTISE_TCTI=$tcti
export MORTISE_TCTI
exits 0 "the environment may set the TCTI" "$MORTISE" open --test-passphrase x --token-only -v
grep -qx 'Key slot 1 unlocked.' out
result $? "the token opens the new key slot"
exits 0 "the token opens under the name cryptsetup" as/cryptsetup open --test-passphrase x --token-only
# The token of Talos Linux belongs to the keyslot of its own number.
cp --sparse=always x y
exits 0 "the token gives its passphrase to a reencryption" "$MORTISE" reencrypt -q -S 1 \
	--force-offline-reencrypt --init-only y
exits 0 "the token opens the volume in reencryption" "$MORTISE" open --test-passphrase y --token-only
exits 0 "the token continues the reencryption" "$MORTISE" reencrypt -q --force-offline-reencrypt y
exits 0 "the token opens the volume with its new key" "$MORTISE" open --test-passphrase y --token-only -v
grep -qx 'Key slot 1 unlocked.' out
result $? "the new keyslot has the number of the token"
rm y
exits 1 "not with --disable-external-tokens" as/cryptsetup open --test-passphrase x --token-only \
	--disable-external-tokens
exits 0 "a key bound to two PCRs, enrolled with the token" "$MORTISE" enroll x --tpm --tpm-pcrs 7,0 \
	--token-id 1 -q -S 4
[ ! -s err ]
result $? "-q: no notice"
if has "declared yes"; then
	printf '%s\n' 'apiVersion: v1alpha1' 'kind: UserVolumeConfig' 'name: x' \
		'encryption: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}' >config.yaml
	"$MORTISE" status --json -f config.yaml --device x=x >out 2>err
	jq -e '.volumes[0] | .pcrs == [0, 7] and .signedPcr11 == false' out >/dev/null
	result $? "status reports the PCRs to which keys are bound"
fi
exits 0 "a recovery key, enrolled with the token" "$MORTISE" enroll x --recovery-key --recovery-file rk \
	--token-type talos-tpm2
says 5 "Token 5 is in use; the token of a KMS or TPM key has the number of its keyslot; select another keyslot" \
	"the token's number is in use" sh -c '
	printf "{\"type\":\"foreign\",\"keyslots\":[]}" | "$0" token import x --token-id 5 &&
	exec "$0" enroll x --tpm -S 5 -d key' "$MORTISE"
exits 0 "the header with the foreign token is sealed" "$MORTISE" seal -q x -d key

extend 0 update || exit 1
exits 0 "PCR 0 has changed: the token of PCR 7 still opens" "$MORTISE" open --test-passphrase x \
	--token-only
extend 7 other || exit 1
says 1 "mortise: token 1 (talos-tpm2): PCR 7 has changed since it was sealed" "PCR 7 has changed" \
	"$MORTISE" open --test-passphrase x --token-only --token-id 1
says 0 "mortise: token 1 (talos-tpm2): PCR 7 has changed since it was sealed" \
	"after the token fails, the passphrase opens" "$MORTISE" open --test-passphrase x --token-id 1 -d key
exits 0 "after the token fails, the recovery key opens" "$MORTISE" open --test-passphrase x -d rk
kill $tpm
wait $tpm 2>/dev/null
exits 0 "no TPM: the passphrase opens" "$MORTISE" open --test-passphrase x -d key
grep -q '^mortise: token [14] (talos-tpm2): cannot reach a TPM' err
result $? "one line gives the reason"
[ "$(wc -l <err)" = 1 ]
result $? "no lines from the TSS library"
trap 'rm -rf "$work"' EXIT
finish
