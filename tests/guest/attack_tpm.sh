#!/usr/bin/env bash
# Attacks on a machine whose volumes are opened by its TPM, by someone who writes its disk while it is
# off, and may also boot another system on it. A planted STATE gets neither the key of the real one
# nor those of other volumes, because PCR 15 differs. tpm2-tools ask the TPM as a program in the
# planted STATE would. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
# shellcheck source=tests/guest/swtpm.sh
. "$(dirname "${BASH_SOURCE[0]}")/swtpm.sh"

tpm='tpm: {}, slot: 0'
pcr7=firmware
file=$root/var/mnt/data/file
plain_marker='mortise:no encrypted STATE'
closed_marker='mortise:STATE is not open'

# boot COMMAND...: the machine's next boot, to the end of this command.
boot() {
	local verb=$1
	shift

	down
	reboot_tpm
	said mortise "$verb" --tcti "$tcti" "$@"
}

# up COMMAND...: the same in the current boot.
again() {
	local verb=$1
	shift

	said mortise "$verb" --tcti "$tcti" "$@"
}

# Another system on this machine can remove what the TPM remembers of STATE.
forget() {
	tpm2 nvundefine -Q -C o 0x01a06d6f
}

# plant: another disk takes the place of STATE, and META can be written. unplant: undo this, and
# restore the TPM's memory.
plant() {
	down
	stop_tpm
	rm -rf "$work/kept"
	cp -a "$tpm_state" "$work/kept"
	start_tpm one
	dd if="$meta" of="$work/meta" bs=1M status=none
	real_state=$state
	state=$(blank_device 330)
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
}

unplant() {
	local file

	down
	stop_tpm
	cp -a "$work/kept/." "$tpm_state"
	start_tpm one
	dd if="$work/meta" of="$meta" bs=1M status=none
	file=$(losetup --noheadings --output BACK-FILE "$state")
	losetup --detach "$state"
	rm "$file"
	state=$real_state
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
}

# identity DEVICE MAPPING PASSPHRASE: what systemd-cryptsetup would measure, by cryptsetup and openssl.
identity() {
	local key

	key=$(cryptsetup luksDump --dump-volume-key --batch-mode --key-file <(printf %s "$3") "$1" |
		sed -n '/MK dump:/,$p' | sed 's/MK dump://' | tr -d ' \t\n')
	printf 'cryptsetup:%s:%s' "$2" "$(cryptsetup luksUUID "$1")" |
		openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" | sed 's/.*= //'
}

# after DIGEST: the value of PCR 15 that was zero and is extended with DIGEST.
after() {
	printf '%064d%s' 0 "$1" | xxd -r -p | sha256sum | cut -d ' ' -f 1
}

# token FILE: the sealed object of keyslot 0.
token() {
	dd if="$1" bs=4096 skip=1 count=3 status=none | tr -d '\0' | jq -c '.tokens["0"].UserData'
}

# tpm_unseals FILE: tpm2-tools unseal the key of keyslot 0 of this header with the current PCRs.
tpm_unseals() {
	local dir=$work/ask pcrs status=0

	rm -rf "$dir"
	mkdir "$dir"
	token "$1" | jq -r .sealed_blob_private | base64 -d >"$dir/private"
	token "$1" | jq -r .sealed_blob_public | base64 -d >"$dir/public"
	pcrs=$(token "$1" | jq -r '.pcrs | join(",")')
	# The template of the storage root key: two coordinates, each with a size of 32 bytes.
	{
		printf '\040\000'
		head -c 128 /dev/zero
		printf '\040\000'
		head -c 128 /dev/zero
	} >"$dir/unique"
	tpm2 createprimary -Q -C o -g sha256 -G ecc256:aes128cfb -u "$dir/unique" -c "$dir/srk" -a \
		"fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"
	tpm2 flushcontext -t
	tpm2 load -Q -C "$dir/srk" -u "$dir/public" -r "$dir/private" -c "$dir/object"
	tpm2 flushcontext -t
	tpm2 unseal -Q -c "$dir/object" -p "pcr:sha256:$pcrs" -o "$dir/key" || status=1
	tpm2 flushcontext -t
	tpm2 flushcontext -l
	[[ $status -eq 0 && -s $dir/key ]]
}

opened_by() {
	[[ $(mortise status --json | jq -r --arg name "$1" \
		'.volumes[] | select(.name == $name) | "\(.keyslot) \(.keyKind)"') == "$2" ]]
}

header_sum() {
	head -c 16M "$1" | cksum
}

# plant_plain KEYS [DOCUMENT]: a STATE without encryption, whose configuration gives data these keys.
plant_plain() {
	declare_keys - "$1"
	printf '%s' "${2-}" >>"$config"
	plant
	forget
	"$MORTISE" meta delete StateEncryptionConfig --device "META=$meta" >/dev/null
	mkfs.xfs -q -L STATE "$state"
	mount "$state" /mnt
	cp "$config" /mnt/config.yaml
	chmod 600 /mnt/config.yaml
	umount /mnt
}

nothing_is_said_of() {
	! says "$1" >/dev/null
}

## The identity of STATE, as systemd-cryptsetup measures it.
start_tpm one
reboot_tpm
new_machine
declare_keys "$tpm; slot: 1, static: {passphrase: spare}" "$tpm"
check "apply creates the volumes" again apply -f "$config"
real=$(after "$(identity "$state" luks2-STATE spare)")
check_equal "PCR 15 has the value that cryptsetup, openssl and tpm2-tools compute" "$(pcr 15)" "$real"
check_equal "STATE's key is sealed to PCR 7 and PCR 15" "$(token "$state" | jq -c .pcrs)" '[7,15]'
check_equal "the key of data is sealed to PCR 7 and PCR 15" "$(token "$data" | jq -c .pcrs)" '[7,15]'
echo kept >"$file"
check "the next boot opens the volumes" boot up
check "the TPM opened STATE" opened_by STATE '0 tpm'
check "the TPM opened data" opened_by data '0 tpm'
check_equal "PCR 15 has the same value as in the last boot" "$(pcr 15)" "$real"
check "another up succeeds" again up
check_equal "PCR 15 is not extended twice" "$(pcr 15)" "$real"
check "plan succeeds" again plan
check "the same configuration can be applied again" again apply -f "$config"
check_fails "the TPM does not unseal STATE's key again" tpm_unseals "$state"
check "the TPM unseals the key of data" tpm_unseals "$data"
rm /run/mortise/pcr-15
check "up succeeds when the record is lost" again up
check_equal "PCR 15 is not extended twice" "$(pcr 15)" "$real"
check_status 1 "--extend-pcr is refused for PCR 15" again up --extend-pcr 15:word
check "the error says why" says 'PCR 15 is extended with the identity of STATE'

## A run was killed after it had written its record, and before it extended the PCR.
down
reboot_tpm
echo '1 0 - -' >/run/mortise/pcr-15
check "up succeeds" again up
check_equal "PCR 15 is extended" "$(pcr 15)" "$real"
check_fails "the TPM does not unseal STATE's key again" tpm_unseals "$state"

## Another program has extended PCR 15 first.
down
reboot_tpm
tpm2 pcrextend "15:sha256=$(digest_of machine-id)"
before=$(header_sum "$state")
check "up succeeds with STATE's other key" again up STATE
check "a notice names the PCR" says 'PCR 15 was extended before mortise opened STATE'
check_equal "no key is enrolled again" "$(header_sum "$state")" "$before"
check_fails "data waits for the next boot" again up
check "the error names the PCR" says 'PCR 15 has another value than the identity of STATE gives it'
check "the next boot opens the volumes" boot up
check "the TPM opened data" opened_by data '0 tpm'

## A keyslot that is not declared any more is removed at the next boot, with STATE's key.
declare_keys "$tpm" "$tpm"
for verb in plan apply up; do
	options=()
	[[ $verb == up ]] || options=(-f "$config")
	check "$verb succeeds" again $verb ${options[@]+"${options[@]}"}
	check "$verb reports the keyslot" says 'keyslot 1, which is not declared, is not removed now: '
	check "it reports it once" test "$(grep -c '^mortise: .*keyslot 1, which' "$work/said")" -le 1
	check "it says when" says 'the next boot removes it'
done
check "the keyslot is unchanged" opens "$state" 1 spare
check "the next boot succeeds" boot up
check_fails "the keyslot is removed" opens "$state" 1 spare
check "another up succeeds" again up
check_fails "nothing is said of the keyslot any more" says 'keyslot 1'

## A machine that only its TPM opens.
down
new_machine
reboot_tpm
declare_keys "$tpm" "$tpm"
check "apply creates the volumes" again apply -f "$config"
echo secret >"$file"
real=$(pcr 15)
check "the next boot opens the volumes" boot up
check_equal "the data is there" "$(cat "$file")" secret
check "a second up succeeds" again up
check "no notice says that STATE's key could not be checked" nothing_is_said_of 'not checked'
check "the same configuration can be applied again" again apply -f "$config"
check "a third up succeeds" again up
down

## Another system on this machine: PCR 7 differs.
pcr7=another-system
reboot_tpm
check_fails "the TPM does not unseal STATE's key" tpm_unseals "$state"
check_fails "the TPM does not unseal the key of data" tpm_unseals "$data"
pcr7=firmware
reboot_tpm
check "this image could unseal STATE's key" tpm_unseals "$state"
check_fails "before STATE is open, it could not unseal the key of data" tpm_unseals "$data"

## STATE replaced by a plain file system, whose configuration adds a passphrase to data.
plant_plain "$tpm; slot: 1, static: {passphrase: planted}"
before=$(header_sum "$data")
check_fails "up does not open data" boot up
check "the error says that this is another STATE" \
	says 'PCR 15 has changed since it was sealed: this is not the STATE that the key belongs to'
check_equal "PCR 15 was extended with the marker" "$(pcr 15)" "$(extended "$plain_marker")"
check_equal "data is unchanged" "$(header_sum "$data")" "$before"
check_fails "the planted passphrase does not open data" opens "$data" 1 planted
check_fails "a program in the planted STATE does not get the key of data" tpm_unseals "$data"
check_fails "nor the key of the real STATE" tpm_unseals "$real_state"
unplant
check "the real disk opens again" boot up
check_equal "the data is there" "$(cat "$file")" secret

## The same with the old STATE as another volume, to read its salt.
plant_plain "$tpm" "$(printf -- '\n---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: loot\n%s' \
	'encryption: {provider: luks2, keys: [{slot: 0, tpm: {}}]}')"
check_fails "up opens neither volume" boot up --device "loot=$real_state"
check "the error says when a key of STATE can be unsealed" \
	says 'in this boot for a machine without an encrypted STATE; a key of STATE can be unsealed only before that'
check_fails "loot is not open" test -e /dev/mapper/luks2-u-loot
check_fails "data is not open" test -e /dev/mapper/luks2-u-data
unplant

## A STATE of the attacker's own, encrypted, with a key that this TPM has sealed, or with a nodeID key.
for key in "$tpm" "$node"; do
	plant
	forget
	dd if=/dev/zero of="$meta" bs=1M count=1 status=none
	declare_keys "$key" "$tpm; slot: 1, static: {passphrase: planted}"
	sed '/kind: UserVolumeConfig/,$d' "$config" | head -n -2 >"$work/state.yaml"
	reboot_tpm
	check "the attacker makes a STATE ($key)" said "$MORTISE" apply -f "$work/state.yaml" \
		--tcti "$tcti" "${cost[@]}" --root "$root" --node-uuid "$uuid" \
		--device "META=$meta" --device "STATE=$state"
	cp "$config" "$root/system/state/config.yaml"
	printf '{"version":1,"volumes":[{"id":"u-data","status":"expected"}]}' \
		>"$root/system/state/volumes.json"
	check_fails "up does not open data" boot up
	check "STATE is open" test -e /dev/mapper/luks2-STATE
	check "the error says that this is another STATE" \
		says 'PCR 15 has changed since it was sealed: this is not the STATE that the key belongs to'
	check_fails "a program in this STATE does not get the key of data" tpm_unseals "$data"
	check_fails "nor the key of the real STATE" tpm_unseals "$real_state"
	check_fails "nor its own key" tpm_unseals "$state"
	unplant
done

## The PCR is extended before STATE is mounted: here it cannot be mounted.
plant_plain "$tpm"
dd if=/dev/zero of="$state" bs=512 seek=1 count=7 conv=notrunc status=none
check_fails "up fails, since the file system in STATE is damaged" boot up
check_equal "PCR 15 was extended with the marker" "$(pcr 15)" "$(extended "$plain_marker")"
unplant

## STATE destroyed, and a volume of the attacker's own in place of data, on a machine whose
## configuration is in its image: programs in data must not get STATE's key.
declare_keys "$tpm" "$node"
cp "$config" "$work/image.yaml"
check "the machine's other volume is reset" said "$MORTISE" reset data --yes --device "data=$data"
check_fails "up of data waits for an operator" boot up -f "$work/image.yaml"
check "apply gives it a nodeID key" again apply -f "$work/image.yaml"
plant
mkfs.ext4 -q "$state"
check_fails "up fails without STATE" boot up -f "$work/image.yaml"
check "data is open" test -e "$root/var/mnt/data/lost+found"
check_equal "PCR 15 was extended with the marker" "$(pcr 15)" "$(extended "$closed_marker")"
check_fails "a program in data does not get STATE's key" tpm_unseals "$real_state"
unplant
check "the next boot succeeds" boot up -f "$work/image.yaml"
check "the TPM opened STATE" opened_by STATE '0 tpm'
down
reboot_tpm
check "data opens without STATE" again up -f "$work/image.yaml" data
check_fails "STATE does not open in this boot" again up -f "$work/image.yaml" STATE
check "the error says why" says 'PCR 15 was extended in this boot while mortise had not opened STATE'
check "the next boot succeeds" boot up -f "$work/image.yaml"
check_fails "the TPM does not unseal STATE's key again" tpm_unseals "$state"
umount "$root/system/state"
cryptsetup close luks2-STATE
check_fails "up does not open STATE twice in a boot" again up -f "$work/image.yaml" STATE
check "the error says why" says 'PCR 15 was extended in this boot when STATE was opened'

## Keys of version 0.1, which are bound to PCR 7 alone, and another STATE.
down
new_machine
reboot_tpm
seven='tpm: {options: {pcrs: [7]}}, slot: 0'
declare_keys "$seven" "$seven; slot: 1, nodeID: {}"
check "apply creates volumes with keys bound to PCR 7" again apply -f "$config"
check_equal "STATE's key is sealed to PCR 7" "$(token "$state" | jq -c .pcrs)" '[7]'
declare_keys "$tpm" "$tpm; slot: 1, nodeID: {}"
check "the default is stored for the next boot" again apply --staged -f "$config"
check "the next boot succeeds" boot up
check "STATE's key is sealed again" says 'STATE: notice: keyslot 0 (tpm) was enrolled again'
check "the key of data is sealed again" says 'data: notice: keyslot 0 (tpm) was enrolled again'
check_equal "STATE's key is sealed to PCR 7 and PCR 15" "$(token "$state" | jq -c .pcrs)" '[7,15]'
check "the boot after it succeeds" boot up
check "nothing is sealed again" nothing_is_said_of 'enrolled again'
check "the TPM opened STATE" opened_by STATE '0 tpm'
check "the TPM opened data" opened_by data '0 tpm'
umount "$root/var/mnt/data"
cryptsetup close luks2-u-data
before=$(pcr 15)
check "STATE is reset" said "$MORTISE" reset STATE --yes --device "STATE=$state"
check "apply creates another STATE, in the same boot" again apply -f "$config"
check_equal "PCR 15 is not extended a second time" "$(pcr 15)" "$before"
check "the key of data is sealed again" says 'keyslot 0 (tpm) was enrolled again'
check "the next boot succeeds" boot up
check "the TPM opened STATE" opened_by STATE '0 tpm'
check "the TPM opened data" opened_by data '0 tpm'

## Where STATE has no tpm key, a volume that opens without STATE leaves PCR 15 for STATE's identity.
down
new_machine
reboot_tpm
declare_keys "$node" "$node"
cp "$config" "$work/image.yaml"
check "apply creates volumes without tpm keys" again apply -f "$config"
check "up opens data alone" boot up -f "$work/image.yaml" data
check_equal "PCR 15 is not extended" "$(pcr 15)" "$(printf %064d 0)"
check "up opens STATE, too" again up -f "$work/image.yaml"
check_fails "PCR 15 is extended" test "$(pcr 15)" = "$(printf %064d 0)"
forget
declare_keys - "$node"
cp "$config" "$work/image.yaml"
# Without STATE and the TPM's memory, data stays closed.
check_fails "up of data alone, where STATE is not encrypted" boot up -f "$work/image.yaml" data
check_equal "PCR 15 was extended with the marker" "$(pcr 15)" "$(extended "$plain_marker")"

down
stop_tpm
finish
