#!/usr/bin/env bash
# One boot of the machine that tests/guest/guide takes through the guide. cryptsetup is the
# judge of every header, with passphrases that are put together here by the guide's rules.
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
# The cost of a key is not what is tested.
cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
meta=/dev/ubda1
state=/dev/ubda2
ephemeral=/dev/ubda3
user=/dev/ubda4

mortise() {
	local verb=$1 more=()
	shift

	[[ $verb != up && $verb != apply ]] || more=("${cost[@]}")
	[[ $verb == meta || $verb == reset ]] || more+=(--root "$root")
	"$MORTISE" "$verb" "$@" ${more[@]+"${more[@]}"}
}

# What the device holds by its own word, not by that of the partition table.
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

# locked PASSPHRASE: with STATE's salt behind it, in a file, since that is binary.
locked() {
	local number

	printf %s "$1"
	grep -oE '[0-9]+$' "$root/system/state/encryption-salt.yaml" | while read -r number; do
		# shellcheck disable=SC2059  # an octal escape is made
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

# What a volume holds that nobody may lose.
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

# state|ephemeral [ENCRYPTION]: the guide's documents; ENCRYPTION is what stands below that key.
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

# A machine that was never given anything says what it wants.
boot_blank() {
	check_fails "up on a blank machine" said mortise up
	check "says what to do" says 'mortise apply -f config.yaml'
	check "META is empty" test -z "$(mortise meta list | tail -n +2)"
	printf %s "$uuid" >"$work/uuid"
	check "a UUID for this machine" mortise meta set UUIDOverride "$work/uuid"
	# Disk encryption is disabled by default.
	{ volume EPHEMERAL && volume my-user-volume; } >"$config"
	check "dry run" said mortise apply --dry-run -f "$config"
	check "shows what it would do" says 'make xfs on'
	check_equal "and has done nothing" "$(signature "$state")" ""
	check "apply" said mortise apply -f "$config"
	check "the configuration is stored" cmp "$config" "$root/system/state/config.yaml"
	check_equal "for root alone" "$(stat -c %a "$root/system/state/config.yaml")" 600
	check_equal "META says that STATE is not encrypted" "$(tag9)" null
	check_fails "and it is not" is_luks "$state"
	write_files /var /var/mnt/my-user-volume
}

boot_plain() {
	check "up, with nothing but the disk" mortise up
	check "files" files_kept /var /var/mnt/my-user-volume
	check "status" said mortise status
	check "knows the volumes" says my-user-volume
	# The guide's first sample.
	{
		volume STATE "$(luks "{$node, slot: 0}")"
		volume EPHEMERAL "$(luks "{$node, slot: 0}")"
	} >"$config"
	check_status 1 "encryption of what holds data is refused" said mortise apply -f "$config"
	check "naming the way out" says 'mortise reset STATE'
	check "and what it would be good for" says \
		'a nodeID key protects a drive that was removed from this machine'
	check_fails "nothing was stored" cmp "$config" "$root/system/state/config.yaml"
	check "the files are there" files_kept /var /var/mnt/my-user-volume
}

# Ephemeral Partition: staged, wiped, booted.
boot_migrate_ephemeral() {
	check "up" mortise up
	{ volume EPHEMERAL "$(luks "{$node, slot: 0}")" && user_volume; } >"$config"
	check_status 1 "not without --staged" said mortise apply -f "$config"
	check "which it names" says --staged
	check "apply --staged" said mortise apply --staged -f "$config"
	check "is stored" cmp "$config" "$root/system/state/config.yaml"
	check "and changed nothing" files_kept /var /var/mnt/my-user-volume
	check_fails "up refuses what holds files" said mortise up
	check "with the way out" says 'mortise reset EPHEMERAL'
	check "reset of what is mounted" said mortise reset --yes EPHEMERAL my-user-volume
	check_equal "nothing is left that anybody knows" "$(signature "$ephemeral")" ""
}

boot_ephemeral_encrypted() {
	check "up" said mortise up
	check "EPHEMERAL is LUKS2" is_luks "$ephemeral"
	check "opened by this machine's UUID" opens "$ephemeral" 0 "${uuid}EPHEMERAL"
	check "the user volume too" opens "$user" 0 "${uuid}u-my-user-volume"
	check_fails "its old file is gone" test -e "$root/var/file"
	check_fails "STATE is not encrypted" is_luks "$state"
	write_files /var /var/mnt/my-user-volume
}

# State Partition: wiped, then applied afresh.
boot_reset_state() {
	check "up" mortise up
	check "reset STATE" said mortise reset --yes STATE
	check_fails "META knows nothing of STATE" tag9
	check "but the machine's UUID" test "$(mortise meta get 15)" = "$uuid"
	check "EPHEMERAL stays as it is" files_kept /var
}

boot_state_encrypted() {
	check_fails "up without a configuration" said mortise up
	check "says what to do" says 'mortise apply -f config.yaml'
	{
		volume STATE "$(luks "{$node, slot: 0}")"
		volume EPHEMERAL "$(luks "{$node, slot: 0}")" && user_volume
	} >"$config"
	check "apply" said mortise apply -f "$config"
	check "STATE is LUKS2" opens "$state" 0 "${uuid}STATE"
	check_equal "META says how, as Talos writes it" "$(tag9)" '{"EncryptionProvider":"luks2",'`
		`'"EncryptionKeys":[{"KeySlot":0,"KeyStatic":null,"KeyNodeID":{},"KeyKMS":null,'`
		`'"KeyTPM":null,"KeyLockToSTATE":null}],"EncryptionCipher":"",'`
		`'"EncryptionKeySize":0,"EncryptionBlockSize":0,"EncryptionPerfOptions":null,'`
		`'"EncryptionAllowDiscards":null}'
	check "the other volumes survived" files_kept /var /var/mnt/my-user-volume
	# Every key of STATE at once is what no machine would come back from.
	volume STATE "$(luks "{$node, slot: 1}")" >"$config"
	check_status 1 "another slot at once" said mortise apply --staged -f "$config"
	check "keep a key" says 'now: keep slot 0 as it was until the next run'
	check_match "META stays" "$(tag9)" '*"KeySlot":0,*'
}

# Encryption Keys: the guide's sample, from what there is, in steps that each keep a key.
boot_keys_first() {
	check "up" mortise up
	check "files" files_kept /var /var/mnt/my-user-volume
	{
		volume STATE "$(luks "{$node, slot: 0}" "{$node, slot: 1}")"
		volume EPHEMERAL "$(luks "{$node, slot: 0}" "{$node, slot: 1}")" && user_volume
	} >"$config"
	check "apply on open volumes" said mortise apply -f "$config"
	check_equal "STATE has both" "$(slots "$state")" "0 1"
	check_equal "EPHEMERAL too" "$(slots "$ephemeral")" "0 1"
}

boot_keys_second() {
	local static='{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}'

	check "up" mortise up
	{
		# Without a provider, as the guide has it.
		volume STATE $'  keys:\n    - nodeID: {}\n      slot: 1'
		volume EPHEMERAL "$(luks "$static" "{$node, slot: 1}")" && user_volume
	} >"$config"
	check "apply --staged for the next boot" said mortise apply --staged -f "$config"
	check_equal "STATE as before" "$(slots "$state")" "0 1"
}

boot_keys_third() {
	check "up" said mortise up
	check_equal "STATE has slot 1" "$(slots "$state")" "1"
	check "opened by the same" opens "$state" 1 "${uuid}STATE"
	check "EPHEMERAL's static key, locked to STATE" opens_locked "$ephemeral" 0 supersecret
	check_fails "and not without STATE's salt" opens "$ephemeral" 0 supersecret
	{
		volume STATE $'  keys:\n    - nodeID: {}\n      slot: 1'
		volume EPHEMERAL $'  keys:\n    - static:\n        passphrase: supersecret\n'`
			`$'      slot: 0\n      lockToSTATE: true'
		user_volume
	} >"$config"
	check "the guide's sample to the letter" said mortise apply -f "$config"
	check_equal "EPHEMERAL has slot 0" "$(slots "$ephemeral")" "0"
}

boot_keys_done() {
	check "up" mortise up
	check "files" files_kept /var /var/mnt/my-user-volume
	check "plan" said mortise plan
	check "has nothing to do" says 'Nothing to do.'
	# Static keys of STATE stand in META: said before it is done.
	volume STATE "$(luks "{$node, slot: 1}" '{static: {passphrase: weak}, slot: 2}')" >"$config"
	check "a static key for STATE" said mortise apply --dry-run -f "$config"
	check "is warned of" says 'its static passphrase is stored in META in clear text'
	volume STATE "$(luks "{$node, slot: 1}" \
		'{kms: {endpoint: "grpc://127.0.0.1:1"}, slot: 2}')" >"$config"
	said mortise apply --dry-run -f "$config" || true
	check "a kms key for STATE is warned of" says 'a kms key needs the network before STATE'
}

# Key Rotation, with the guide's own files but for the provider.
rotation() {
	volume STATE "$(luks "{$node, slot: 1}")"
	printf -- '---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nencryption:\n  keys:\n'
	printf '    - static:\n        passphrase: %s\n      slot: %s\n' "$@"
	user_volume
}

boot_rotation_add() {
	check "up" mortise up
	{
		volume STATE "$(luks "{$node, slot: 1}")"
		volume EPHEMERAL "$(luks '{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}' \
			'{static: {passphrase: oldkey}, slot: 5}')"
		user_volume
	} >"$config"
	check "oldkey beside it" mortise apply -f "$config"
	rotation oldkey 5 oldkey 0 >"$config"
	check "oldkey in slot 0" mortise apply -f "$config"
	rotation newkey 1 >"$config"
	check_status 1 "not both at once" said mortise apply -f "$config"
	check "says how" says 'rotate in two steps'
	check_match "and where" "$(cat "$work/said")" '*now: keep slot 0 or 5 as it was*'
	rotation oldkey 0 newkey 1 >"$config"
	check "first add a new key" said mortise apply --staged -f "$config"
	check_equal "which is not there before the boot" "$(slots "$ephemeral")" "0 5"
}

boot_rotation_remove() {
	check "up" mortise up
	check "the new key opens" opens "$ephemeral" 1 newkey
	check "the old key still does" opens "$ephemeral" 0 oldkey
	rotation newkey 1 >"$config"
	check "then remove the old key" said mortise apply --staged -f "$config"
}

boot_rotation_done() {
	check "up" mortise up
	check_equal "one slot" "$(slots "$ephemeral")" "1"
	check "of the new key" opens "$ephemeral" 1 newkey
	check_fails "the old one opens nothing" opens "$ephemeral" 0 oldkey
	check "files" files_kept /var /var/mnt/my-user-volume
	rotation newkey 1 >"$config"
	{
		volume STATE "$(luks "{$node, slot: 1}")"
		volume EPHEMERAL "$(luks '{static: {passphrase: newkey}, slot: 1}' \
			'{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}')"
		user_volume
	} >"$config"
	check "locked to STATE again" mortise apply -f "$config"
	{
		volume STATE "$(luks "{$node, slot: 1}")"
		volume EPHEMERAL "$(luks \
			'{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}')"
		user_volume
	} >"$config"
	check "and by nothing else" mortise apply -f "$config"
	cp "$config" "$root/var/mnt/my-user-volume/config.yaml"
	check "reset STATE" said mortise reset --yes STATE
}

# lockToSTATE: what is locked to a wiped STATE is gone, the rest survives.
boot_state_replaced() {
	check_fails "up has no configuration" mortise up
	{
		volume STATE "$(luks "{$node, slot: 1}")" && user_volume
	} >"$config"
	check "apply" said mortise apply -f "$config"
	check "what is not locked survives" files_kept /var/mnt/my-user-volume
	{
		cat "$config"
		volume EPHEMERAL "$(luks \
			'{static: {passphrase: supersecret}, slot: 0, lockToSTATE: true}')"
	} >"$work/all.yaml"
	check_fails "EPHEMERAL opens no more" said mortise apply -f "$work/all.yaml"
	check "and why" says 'is locked to STATE: was STATE wiped or replaced?'
	check "staged" mortise apply --staged -f "$work/all.yaml"
	check "reset EPHEMERAL" mortise reset --yes EPHEMERAL
}

boot_ephemeral_again() {
	check "up" mortise up
	check "EPHEMERAL is new" opens_locked "$ephemeral" 0 supersecret
	check_fails "and empty" test -e "$root/var/file"
	check "the user volume is not" files_kept /var/mnt/my-user-volume
	# And Vice Versa.
	{ volume STATE "$(luks "{$node, slot: 1}")" && volume EPHEMERAL && user_volume; } >"$config"
	check_status 1 "what is encrypted is not taken for plain" said mortise apply -f "$config"
	check "with the way out" says 'mortise reset EPHEMERAL'
	check "staged" mortise apply --staged -f "$config"
	check "reset" mortise reset --yes EPHEMERAL
}

boot_plain_again() {
	check "up" mortise up
	check_equal "EPHEMERAL is plain" "$(signature "$ephemeral")" xfs
	write_files /var
	check "reset STATE" mortise reset --yes STATE
	{ volume EPHEMERAL && user_volume; } >"$config"
	check "apply without encryption of STATE" said mortise apply -f "$config"
	check_equal "STATE is plain" "$(signature "$state")" xfs
	check_equal "and META knows" "$(tag9)" null
}

boot_end() {
	check "up" mortise up
	check "files" files_kept /var /var/mnt/my-user-volume
	check "down" mortise down
	check_equal "nothing is open" "$(dmsetup ls)" "No devices found"
	# Both copies of META, whoever reads it.
	check_equal "META's copies agree" "$(head -c 262144 "$meta" | sha256sum)" \
		"$(tail -c +262145 "$meta" | head -c 262144 | sha256sum)"
}

"boot_$1"
sync
finish
