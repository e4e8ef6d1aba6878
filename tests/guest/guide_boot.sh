#!/usr/bin/env bash
# One boot of the machine in tests/guest/guide. cryptsetup checks every header, with passphrases
# composed here by the guide's rules.
# shellcheck disable=SC2317  # functions are called through check and by their names
set -euo pipefail

boots='blank plain migrate_ephemeral ephemeral_encrypted reset_state state_encrypted keys_first
	keys_second keys_third keys_done rotation_add rotation_remove rotation_done state_replaced
	ephemeral_again plain_again end'
[[ $1 != --boots ]] || { echo "$boots" && exit; }
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

root=$work/root
mkdir "$root"
uuid=8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815
# Keep key derivation cheap; its cost is not tested here.
cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
# The guest has no UUID of its own; the image permits META to name it.
trust=$work/trust.yaml
printf 'meta: {node-uuid: true}\n' >"$trust"
chmod 644 "$trust"
meta=/dev/ubda1
state=/dev/ubda2
ephemeral=/dev/ubda3
user=/dev/ubda4

mortise() {
	local verb=$1 more=()
	shift

	[[ $verb != up && $verb != apply ]] || more=("${cost[@]}")
	[[ $verb == meta || $verb == reset ]] || more+=(--root "$root")
	[[ $verb == meta || $verb == reset || $verb == down ]] || more+=(--trust "$trust")
	"$MORTISE" "$verb" "$@" ${more[@]+"${more[@]}"}
}

# signature DEVICE: the type of the device's contents, independent of the partition table.
signature() {
	blkid -p -o value -s TYPE "$1" || true
}

is_luks() {
	cryptsetup isLuks --type luks2 "$1"
}

# opens DEVICE SLOT PASSPHRASE
opens() {
	printf %s "$3" | cryptsetup open --test-passphrase --key-slot "$2" --key-file - "$1"
}

# locked PASSPHRASE: print it with STATE's salt appended. The result is binary, so put it in a file.
locked() {
	local number

	printf %s "$1"
	grep -oE '[0-9]+$' "$root/system/state/encryption-salt.yaml" | while read -r number; do
		# shellcheck disable=SC2059  # the format is an octal escape
		printf "\\$(printf %o "$number")"
	done
}

opens_locked() {
	locked "$3" >"$work/passphrase"
	cryptsetup open --test-passphrase --key-slot "$2" --key-file "$work/passphrase" "$1"
}

slots() {
	cryptsetup luksDump --dump-json-metadata "$1" | jq -r '.keyslots | keys | join(" ")'
}

tag9() {
	mortise meta get 9
}

# write_files DIRECTORY...: write user data that must not be lost.
write_files() {
	local directory

	for directory; do
		echo "kept in $directory" >"$root$directory/file"
	done
}

files_kept() {
	local directory

	for directory; do
		[[ $(cat "$root$directory/file") == "kept in $directory" ]] || return 1
	done
}

document() {
	printf -- '---\napiVersion: v1alpha1\nkind: %s\nname: %s\n' "$1" "$2"
}

# volume NAME [ENCRYPTION]: one of the guide's documents; ENCRYPTION is the text below that key.
volume() {
	case $1 in
	STATE | EPHEMERAL) document VolumeConfig "$1" ;;
	*) document UserVolumeConfig "$1" ;;
	esac
	[[ $# -lt 2 ]] || printf 'encryption:\n%s\n' "$2"
}

luks() {
	printf '  provider: luks2\n  keys:\n'
	printf '    - %s\n' "$@"
}

node='nodeID: {}'
user_volume() {
	volume my-user-volume "$(luks "{$node, slot: 0}")"
}

config=$work/config.yaml

# A machine without a configuration says what it needs.
boot_blank() {
	check_fails "up fails on a blank machine" said mortise up
	check "up says what to do" says 'mortise apply -f config.yaml'
	check "META is empty" test -z "$(mortise meta list | tail -n +2)"
	printf %s "$uuid" >"$work/uuid"
	check "META stores a UUID for this machine" mortise meta set UUIDOverride "$work/uuid"
	# Disk encryption is disabled by default.
	{ volume EPHEMERAL && volume my-user-volume; } >"$config"
	check "apply --dry-run succeeds" said mortise apply --dry-run -f "$config"
	check "apply --dry-run shows its plan" says 'create an xfs file system on'
	check_equal "apply --dry-run changes nothing" "$(signature "$state")" ""
	check "apply succeeds" said mortise apply -f "$config"
	check "the configuration is stored" cmp "$config" "$root/system/state/config.yaml"
	check_equal "only root can read the configuration" \
		"$(stat -c %a "$root/system/state/config.yaml")" 600
	check_equal "META says that STATE is not encrypted" "$(tag9)" null
	check_fails "STATE is not encrypted" is_luks "$state"
	write_files /var /var/mnt/my-user-volume
}

boot_plain() {
	check "up succeeds with nothing but the disk" mortise up
	check "the files are still there" files_kept /var /var/mnt/my-user-volume
	check "status succeeds" said mortise status
	check "status lists the user volume" says my-user-volume
	# The guide's first sample.
	{
		volume STATE "$(luks "{$node, slot: 0}")"
		volume EPHEMERAL "$(luks "{$node, slot: 0}")"
	} >"$config"
	check_status 1 "encrypting a volume that holds data is refused" \
		said mortise apply -f "$config"
	check "the error names the reset command" says 'mortise reset STATE'
	check "a note says what a nodeID key protects against" says \
		'a nodeID key protects a drive that is removed from this machine'
	check_fails "the new configuration is not stored" \
		cmp "$config" "$root/system/state/config.yaml"
	check "the files are still there" files_kept /var /var/mnt/my-user-volume
}

# "Ephemeral Partition": staged, wiped, booted.
boot_migrate_ephemeral() {
	check "up succeeds" mortise up
	{ volume EPHEMERAL "$(luks "{$node, slot: 0}")" && user_volume; } >"$config"
	check_status 1 "apply without --staged is refused" said mortise apply -f "$config"
	check "the error suggests --staged" says --staged
	check "apply --staged succeeds" said mortise apply --staged -f "$config"
	check "apply --staged stores the configuration" \
		cmp "$config" "$root/system/state/config.yaml"
	check "apply --staged leaves the volumes as they are" \
		files_kept /var /var/mnt/my-user-volume
	check_fails "up refuses a volume that holds files" said mortise up
	check "the error names the reset command" says 'mortise reset EPHEMERAL'
	# "talosctl reset --system-labels-to-wipe EPHEMERAL --reboot=true", on a machine in use.
	(cd "$root/var" && exec sleep 600) &
	until_holds executes $! sleep
	check_status 5 "a volume in use is not wiped" said mortise reset --yes EPHEMERAL
	printf '#!/bin/sh\necho rebooting\n' >"$work/reboot"
	chmod +x "$work/reboot"
	check "reset --staged --reboot orders the wipe" said env PATH="$work:$PATH" \
		"$MORTISE" reset --yes --staged --reboot EPHEMERAL my-user-volume
	check "the machine reboots" says rebooting
	check "nothing is wiped before" files_kept /var /var/mnt/my-user-volume
}

boot_ephemeral_encrypted() {
	check "up succeeds" said mortise up
	check "up has wiped the first volume" says "EPHEMERAL: notice: erased (xfs), ordered by"
	check "up has wiped the second one" says "my-user-volume: notice: erased (xfs), ordered by"
	check "EPHEMERAL is LUKS2" is_luks "$ephemeral"
	check "this machine's UUID opens EPHEMERAL" opens "$ephemeral" 0 "${uuid}EPHEMERAL"
	check "this machine's UUID opens the user volume" opens "$user" 0 "${uuid}u-my-user-volume"
	check_fails "EPHEMERAL's old file is gone" test -e "$root/var/file"
	check_fails "STATE is not encrypted" is_luks "$state"
	write_files /var /var/mnt/my-user-volume
}

# "State Partition": wiped, then applied again.
boot_reset_state() {
	check "up succeeds" mortise up
	check "reset STATE succeeds" said mortise reset --yes STATE
	check_fails "META no longer has an entry for STATE" tag9
	check "META still has the machine's UUID" test "$(mortise meta get 15)" = "$uuid"
	check "EPHEMERAL is unchanged" files_kept /var
}

boot_state_encrypted() {
	check_fails "up fails without a configuration" said mortise up
	check "up says what to do" says 'mortise apply -f config.yaml'
	{
		volume STATE "$(luks "{$node, slot: 0}")"
		volume EPHEMERAL "$(luks "{$node, slot: 0}")" && user_volume
	} >"$config"
	check "apply succeeds" said mortise apply -f "$config"
	check "STATE is LUKS2 and opens" opens "$state" 0 "${uuid}STATE"
	check_equal "META describes STATE's encryption as Talos does" \
		"$(tag9)" '{"EncryptionProvider":"luks2",'`
		`'"EncryptionKeys":[{"KeySlot":0,"KeyStatic":null,"KeyNodeID":{},"KeyKMS":null,'`
		`'"KeyTPM":null,"KeyLockToSTATE":null}],"EncryptionCipher":"",'`
		`'"EncryptionKeySize":0,"EncryptionBlockSize":0,"EncryptionPerfOptions":null,'`
		`'"EncryptionAllowDiscards":null}'
	check "the other volumes are unchanged" files_kept /var /var/mnt/my-user-volume
	# A change of all keys of STATE at once could lock the machine out.
	volume STATE "$(luks "{$node, slot: 1}")" >"$config"
	check_status 1 "replacing STATE's only keyslot is refused" \
		said mortise apply --staged -f "$config"
	check "the error says which keyslot to keep" \
		says 'keep the previous key of keyslot 0 for one more run'
	check_match "META is unchanged" "$(tag9)" '*"KeySlot":0,*'
}

# "Encryption Keys": reach the guide's sample in steps that each keep one key.
boot_keys_first() {
	check "up succeeds" mortise up
	check "the files are still there" files_kept /var /var/mnt/my-user-volume
	{
		volume STATE "$(luks "{$node, slot: 0}" "{$node, slot: 1}")"
		volume EPHEMERAL "$(luks "{$node, slot: 0}" "{$node, slot: 1}")" && user_volume
	} >"$config"
	check "apply changes the keys of open volumes" said mortise apply -f "$config"
	check_equal "STATE has both keyslots" "$(slots "$state")" "0 1"
	check_equal "EPHEMERAL has both keyslots" "$(slots "$ephemeral")" "0 1"
}

boot_keys_second() {
	local static='{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}'

	check "up succeeds" mortise up
	{
		# Without a provider, as in the guide.
		volume STATE $'  keys:\n    - nodeID: {}\n      slot: 1'
		volume EPHEMERAL "$(luks "$static" "{$node, slot: 1}")" && user_volume
	} >"$config"
	check "apply --staged prepares the next boot" said mortise apply --staged -f "$config"
	check_equal "STATE's keyslots are unchanged" "$(slots "$state")" "0 1"
}

boot_keys_third() {
	check "up succeeds" said mortise up
	check_equal "STATE has only keyslot 1" "$(slots "$state")" "1"
	check "the same nodeID key opens it" opens "$state" 1 "${uuid}STATE"
	check "EPHEMERAL's static key, locked to STATE, opens" \
		opens_locked "$ephemeral" 0 supersecret
	check_fails "the static key does not open without STATE's salt" \
		opens "$ephemeral" 0 supersecret
	{
		volume STATE $'  keys:\n    - nodeID: {}\n      slot: 1'
		volume EPHEMERAL $'  keys:\n    - static:\n        passphrase: supersecret\n'`
			`$'      slot: 0\n      lockToSTATE: true'
		user_volume
	} >"$config"
	check "apply accepts the guide's sample verbatim" said mortise apply -f "$config"
	check_equal "EPHEMERAL has only keyslot 0" "$(slots "$ephemeral")" "0"
}

boot_keys_done() {
	check "up succeeds" mortise up
	check "the files are still there" files_kept /var /var/mnt/my-user-volume
	check "plan succeeds" said mortise plan
	check "plan has nothing to do" says 'Nothing to do.'
	# Static keys of STATE are stored in META: mortise warns before it stores them.
	volume STATE "$(luks "{$node, slot: 1}" '{static: {passphrase: weak}, slot: 2}')" >"$config"
	check "apply --dry-run accepts a static key for STATE" \
		said mortise apply --dry-run -f "$config"
	check "mortise warns that META stores the passphrase in clear text" \
		says 'its static passphrase is stored in META in clear text'
	volume STATE "$(luks "{$node, slot: 1}" \
		'{kms: {endpoint: "grpc://127.0.0.1:1"}, slot: 2}')" >"$config"
	said mortise apply --dry-run -f "$config" || true
	check "mortise warns that a kms key for STATE needs the network" \
		says 'kms key needs the network before STATE'
}

# "Key Rotation", with the guide's own documents, except for the provider.
rotation() {
	volume STATE "$(luks "{$node, slot: 1}")"
	printf -- '---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nencryption:\n  keys:\n'
	printf '    - static:\n        passphrase: %s\n      slot: %s\n' "$@"
	user_volume
}

boot_rotation_add() {
	check "up succeeds" mortise up
	{
		volume STATE "$(luks "{$node, slot: 1}")"
		volume EPHEMERAL "$(luks '{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}' \
			'{static: {passphrase: oldkey}, slot: 5}')"
		user_volume
	} >"$config"
	check "apply adds the old key as a second key" mortise apply -f "$config"
	rotation oldkey 5 oldkey 0 >"$config"
	check "apply moves the old key to keyslot 0" mortise apply -f "$config"
	rotation newkey 1 >"$config"
	check_status 1 "replacing all keys at once is refused" said mortise apply -f "$config"
	check "the error suggests two steps" says 'rotate keys in two steps'
	check_match "the error names the keyslots to keep" \
		"$(cat "$work/said")" '*keep the previous key of keyslot 0 or 5 for one more run*'
	rotation oldkey 0 newkey 1 >"$config"
	check "the first step adds the new key" said mortise apply --staged -f "$config"
	check_equal "the new keyslot is not added before the boot" "$(slots "$ephemeral")" "0 5"
}

boot_rotation_remove() {
	check "up succeeds" mortise up
	check "the new key opens" opens "$ephemeral" 1 newkey
	check "the old key still opens" opens "$ephemeral" 0 oldkey
	rotation newkey 1 >"$config"
	check "the second step removes the old key" said mortise apply --staged -f "$config"
}

boot_rotation_done() {
	check "up succeeds" mortise up
	check_equal "one keyslot is left" "$(slots "$ephemeral")" "1"
	check "the new key opens it" opens "$ephemeral" 1 newkey
	check_fails "the old key opens no keyslot" opens "$ephemeral" 0 oldkey
	check "the files are still there" files_kept /var /var/mnt/my-user-volume
	rotation newkey 1 >"$config"
	{
		volume STATE "$(luks "{$node, slot: 1}")"
		volume EPHEMERAL "$(luks '{static: {passphrase: newkey}, slot: 1}' \
			'{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}')"
		user_volume
	} >"$config"
	check "apply adds a key locked to STATE" mortise apply -f "$config"
	{
		volume STATE "$(luks "{$node, slot: 1}")"
		volume EPHEMERAL "$(luks \
			'{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}')"
		user_volume
	} >"$config"
	check "apply removes the other key" mortise apply -f "$config"
	cp "$config" "$root/var/mnt/my-user-volume/config.yaml"
	check "reset STATE succeeds" said mortise reset --yes STATE
}

# lockToSTATE: a volume locked to a wiped STATE is lost; the other volumes survive.
boot_state_replaced() {
	check_fails "up fails without a configuration" mortise up
	{
		volume STATE "$(luks "{$node, slot: 1}")" && user_volume
	} >"$config"
	check "apply succeeds" said mortise apply -f "$config"
	check "the volume that is not locked to STATE survives" files_kept /var/mnt/my-user-volume
	{
		cat "$config"
		volume EPHEMERAL "$(luks \
			'{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}')"
	} >"$work/all.yaml"
	check_fails "EPHEMERAL can no longer be opened" said mortise apply -f "$work/all.yaml"
	check "the error says why" says 'locked to STATE, which may have been wiped or replaced'
	check "apply --staged succeeds" mortise apply --staged -f "$work/all.yaml"
	check "reset EPHEMERAL succeeds" mortise reset --yes EPHEMERAL
}

boot_ephemeral_again() {
	check "up succeeds" mortise up
	check "EPHEMERAL is new" opens_locked "$ephemeral" 0 supersecret
	check_fails "EPHEMERAL is empty" test -e "$root/var/file"
	check "the user volume keeps its file" files_kept /var/mnt/my-user-volume
	# "And Vice Versa".
	{ volume STATE "$(luks "{$node, slot: 1}")" && volume EPHEMERAL && user_volume; } >"$config"
	check_status 1 "an encrypted volume that is declared plain is refused" \
		said mortise apply -f "$config"
	check "the error names the reset command" says 'mortise reset EPHEMERAL'
	check "apply --staged succeeds" mortise apply --staged -f "$config"
	check "reset EPHEMERAL succeeds" mortise reset --yes EPHEMERAL
}

boot_plain_again() {
	check "up succeeds" mortise up
	check_equal "EPHEMERAL is plain" "$(signature "$ephemeral")" xfs
	write_files /var
	check "reset STATE succeeds" mortise reset --yes STATE
	{ volume EPHEMERAL && user_volume; } >"$config"
	check "apply succeeds without encryption of STATE" said mortise apply -f "$config"
	check_equal "STATE is plain" "$(signature "$state")" xfs
	check_equal "META says that STATE is not encrypted" "$(tag9)" null
}

boot_end() {
	check "up succeeds" mortise up
	check "the files are still there" files_kept /var /var/mnt/my-user-volume
	check "down succeeds" mortise down
	check_equal "nothing is open" "$(dmsetup ls)" "No devices found"
	# Compare both copies of META directly.
	check_equal "META's copies agree" "$(head -c 262144 "$meta" | sha256sum)" \
		"$(dd if="$meta" bs=262144 skip=1 count=1 status=none | sha256sum)"
}

"boot_$1"
sync
finish
