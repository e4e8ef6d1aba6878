#!/usr/bin/env bash
# Changes of a disk by someone without a key, while the machine is off: forged marks, exchanged
# labels, a header of the attacker's own, flags, an erased volume. The next unattended boot must do
# nothing on the word of the disk, and say what is wrong; afterwards, the machine is as it was.
# Each attack works on mortise 0.1, which had no seal. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work: set in a sourced file; functions: called through check
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/guest/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/guest/attack_lib.sh
. "$here/attack_lib.sh"

root=$work/root
mkdir "$root"
uuid=8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815
cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
cheap=(--pbkdf argon2id "${cost[@]}")
config=$work/config.yaml

mortise() {
	local verb=$1 options=(--root "$root")
	shift

	case $verb in
	up | apply) options+=("${cost[@]}" --node-uuid "$uuid") ;;
	plan) options+=(--node-uuid "$uuid") ;;
	esac
	"$MORTISE" "$verb" "$@" "${options[@]}"
}

# volume KIND NAME TYPE KEY...: print a document; TYPE is the file system, or "-".
volume() {
	printf -- '---\napiVersion: v1alpha1\nkind: %s\nname: %s\n' "$1" "$2"
	[[ $3 == - ]] || printf 'filesystem: {type: %s}\n' "$3"
	printf 'encryption:\n  provider: luks2\n  keys:\n'
	shift 3
	printf '    - {%s}\n' "$@"
}

# configure KEY...: data has these keys; the other volumes always have the same ones.
configure() {
	volume VolumeConfig STATE - "$shared" 'slot: 1, nodeID: {}'
	volume UserVolumeConfig data ext4 "$@"
	volume UserVolumeConfig logs ext4 "$shared"
	volume UserVolumeConfig tenant xfs "$shared"
}

shared='slot: 0, static: {passphrase: shared}'
node='slot: 0, nodeID: {}'

# down, also if STATE was replaced and holds no configuration.
down() {
	mortise down >"$work/down" 2>&1 || true
	check_equal "nothing is left open" "$(dmsetup ls)" 'No devices found'
}

# new_machine KEY...: create a machine, with a file in each volume.
new_machine() {
	losetup --detach-all
	rm -f "$work"/disk.*
	disk=$(labeled_disk 800 META=1 STATE=330 u-tenant=330 u-data=40 u-logs=40)
	state=${disk}p2 data=${disk}p4 logs=${disk}p5
	configure "$@" >"$config"
	check "a machine is set up" said mortise apply -f "$config"
	for name in tenant data logs; do
		echo "secret of $name" >"$root/var/mnt/$name/file"
	done
	down
	check "the machine boots" said mortise up
	down
}

# holds NAME: the volume is mounted and has its own file.
holds() {
	grep -q "secret of $1" "$root/var/mnt/$1/file"
}

# refused NAME TEXT [STATUS]: the boot refuses this volume with this text, and changes nothing on it.
refused() {
	local device=${!1} before

	before=$(header_sum "$device")
	check_status "${3-6}" "up refuses $1" said mortise up
	check "up says: $2" says "$2"
	check_fails "$1 is not open" test -e "/dev/mapper/luks2-u-$1"
	check_equal "the header of $1 is unchanged" "$(header_sum "$device")" "$before"
}

# boots NAME: the machine boots, without a word, and the volume has its file.
boots() {
	check "the machine boots with its own disk" said mortise up
	check_fails "up has nothing to report" says 'sealed'
	check "$1 has its file" holds "$1"
	down
}

# A mark that a file system has yet to be made, over live data that is noise under other sectors.
test_mkfs_mark() {
	save_header "$data" "$work/good"
	check "a mark is forged" edit_header "$data" '.segments["0"].sector_size = 4096 |
		.config.mortise.mkfs = "ext4" |
		(.tokens[] | select(.type == "mortise")).mkfs = "ext4"'
	refused data "cannot trust the header of $data: segments, record changed after it was sealed"
	down
	put_header "$data" "$work/good"
	check "another IV is forged" edit_header "$data" '.segments["0"].iv_tweak = "8" |
		.config.mortise.mkfs = "ext4"'
	refused data "the header of $data is not that of a declared volume: its sector numbers do not start at 0"
	down
	put_header "$data" "$work/good"
	boots data
	check "only the mark is forged, and the superblock is destroyed" edit_header "$data" \
		'.config.mortise.mkfs = "ext4" |
		(.tokens[] | select(.type == "mortise")).mkfs = "ext4"'
	dd if="$data" of="$work/superblock" bs=4096 skip=4096 count=1 status=none
	dd if=/dev/urandom of="$data" bs=4096 seek=4096 count=1 conv=notrunc,fsync status=none
	refused data "cannot trust the header of $data: record changed after it was sealed"
	down
	put_header "$data" "$work/good"
	dd if="$work/superblock" of="$data" bs=4096 seek=4096 conv=notrunc,fsync status=none
	boots data
}

# The labels of two volumes with the same key are exchanged.
test_labels() {
	exchange_labels "$disk" 4 5
	data=${disk}p5 logs=${disk}p4
	refused data "the header on $data is not that of u-data on this machine"
	check "the other volume is refused, too" \
		says "the header on $logs is not that of u-logs on this machine"
	down
	# A machine without STATE has no list of its volumes: the seal shows it.
	volume UserVolumeConfig data ext4 "$shared" >"$work/stateless.yaml"
	volume UserVolumeConfig logs ext4 "$shared" >>"$work/stateless.yaml"
	check_status 1 "without STATE, up refuses the volumes" said mortise up -f "$work/stateless.yaml"
	check "the error names the other volume" \
		says "cannot trust the header of $data: sealed for volume u-logs"
	check "the other volume is refused, too" \
		says "cannot trust the header of $logs: sealed for volume u-data"
	check_fails "data is not open" test -e /dev/mapper/luks2-u-data
	down
	exchange_labels "$disk" 4 5
	data=${disk}p4 logs=${disk}p5
	boots data
	# A tenant's file would become the configuration of the machine.
	check "up succeeds" said mortise up
	configure 'slot: 0, static: {passphrase: of the attacker}' >"$root/var/mnt/tenant/config.yaml"
	down
	exchange_labels "$disk" 2 3
	check_status 1 "up refuses a volume of a tenant as STATE" said mortise up
	check "the error says so" \
		says "cannot trust the header of ${disk}p3: sealed for volume u-tenant"
	check_fails "the tenant's volume is not mounted as STATE" \
		mountpoint -q "$root/system/state"
	down
	exchange_labels "$disk" 2 3
	boots data
}

slots() {
	header_json "$data" | jq -c '.keyslots | keys'
}

# The mark of a recovery key is forged for a keyslot whose passphrase has leaked: a rotation must not
# keep it.
test_recovery_mark() {
	local rotated=$work/rotated.yaml

	new_machine "$node" 'slot: 1, static: {passphrase: leaked}'
	save_header "$data" "$work/good"
	check "the leaked keyslot is marked as a recovery key" edit_header "$data" \
		'.tokens["28"] = {"type": "systemd-recovery", "keyslots": ["1"]}'
	configure "$node" 'slot: 2, static: {passphrase: fresh}' >"$rotated"
	before=$(header_sum "$data")
	check_status 6 "up refuses to rotate the keys" said mortise up -f "$rotated"
	check "the error names the change" \
		says "cannot trust the header of $data: tokens changed after it was sealed"
	check_equal "no keyslot was added or removed" "$(header_sum "$data")" "$before"
	down
	put_header "$data" "$work/good"
	check "the rotation succeeds without the mark" said mortise apply -f "$rotated"
	check_equal "the leaked keyslot is gone" "$(slots)" '["0","2"]'
	down
	boots data
	# An operator who accepts the header sees which keyslot the mark protects.
	check "the header is put back" put_header "$data" "$work/good"
	check "the mark is forged once more" edit_header "$data" \
		'.tokens["28"] = {"type": "systemd-recovery", "keyslots": ["1"]}'
	check "apply shows what it accepts" said mortise apply -f "$rotated"
	check "apply names the change" says 'tokens changed after it was sealed'
	check_equal "the mark of an unsealed header protects nothing" "$(slots)" '["0","2"]'
	down
}

# format_own DEVICE [OPTION]...: a header of the attacker's own under the key of the node, whose UUID
# is not secret, with a file system inside.
format_own() {
	local device=$1
	shift

	wipefs -aq "$device"
	printf '%su-data' "$uuid" | cryptsetup luksFormat -q --type luks2 "${cheap[@]}" \
		--key-file - "$@" "$device"
	printf '%su-data' "$uuid" | cryptsetup open --key-file - "$device" own
	mkfs.ext4 -q /dev/mapper/own
	cryptsetup close own
}

test_own_header() {
	local name

	new_machine "$node" 'slot: 1, static: {passphrase: secret}'
	dd if="$data" of="$work/good" bs=1M status=none
	check "the attacker formats the volume" format_own "$data"
	refused data "the header on $data is not that of u-data on this machine"
	check_equal "the declared passphrase was not enrolled" "$(slots)" '["0"]'
	down
	# With a seal of the attacker's own, for this volume, and with the UUID of the real one.
	check "the attacker formats the volume with its UUID" \
		format_own "$data" --uuid "$(cryptsetup luksUUID "$work/good")"
	check "the attacker seals it" "$MORTISE" seal -q --volume u-data "$data" \
		--key-file <(printf '%su-data' "$uuid")
	refused data "the header on $data has the UUID of u-data on this machine, but another volume key"
	check_equal "the declared passphrase was not enrolled" "$(slots)" '["0"]'
	down
	dd if="$work/good" of="$data" bs=1M conv=notrunc,fsync status=none
	boots data
	# The same in place of STATE, whose keys are in META.
	dd if="$state" of="$work/good" bs=1M conv=sparse status=none
	wipefs -aq "$state"
	printf '%sSTATE' "$uuid" | cryptsetup luksFormat -q --type luks2 "${cheap[@]}" --key-slot 1 \
		--key-file - "$state"
	printf '%sSTATE' "$uuid" | cryptsetup open --key-file - "$state" own
	mkfs.xfs -q /dev/mapper/own
	mount /dev/mapper/own /mnt
	configure 'slot: 0, static: {passphrase: of the attacker}' >/mnt/config.yaml
	chmod 600 /mnt/config.yaml
	umount /mnt
	cryptsetup close own
	printf 'headers: sealed\n' >"$work/trust.yaml"
	check_status 1 "up refuses a STATE without a seal" \
		said mortise up --trust "$work/trust.yaml"
	check "the error says so" says "cannot trust the header of $state: no seal"
	check_fails "STATE is not open" test -e /dev/mapper/luks2-STATE
	for name in data logs tenant; do
		check_fails "$name is not open" test -e "/dev/mapper/luks2-u-$name"
	done
	down
	dd if="$work/good" of="$state" bs=1M conv=notrunc,fsync,sparse status=none
}

# A known volume that reads as zeros is not a first boot.
test_erased() {
	new_machine "$node"
	dd if="$data" of="$work/good" bs=1M status=none
	dd if=/dev/zero of="$data" bs=1M status=none 2>/dev/null || true
	check_status 6 "up does not format a known volume" said mortise up
	check "the error says what happened" \
		says "data: u-data was on this machine (UUID $(cryptsetup luksUUID "$work/good")), and $data is empty now: not formatted"
	check "the error says what an operator can do" says 'mortise apply'
	check_equal "the device is still empty" "$(tr -d '\0' <"$data" | wc -c)" 0
	down
	dd if="$work/good" of="$data" bs=1M conv=notrunc,fsync status=none
	boots data
	dd if=/dev/zero of="$data" bs=1M status=none 2>/dev/null || true
	# Its plan cannot say so before STATE is mounted.
	check_status 6 "apply does not format what it has not announced" \
		said mortise apply -f "$config"
	check "the error says so" says 'STATE was not mounted when the plan was made; run the command again'
	check "an operator's second apply formats it" said mortise apply -f "$config"
	check "its plan names the volume" says 'it replaces the known volume u-data'
	check "data is mounted" mountpoint -q "$root/var/mnt/data"
	down
	check "the machine boots" said mortise up
	down
}

# Flags in the header: discards would show which blocks are in use.
test_flags() {
	save_header "$data" "$work/good"
	check "flags are forged" edit_header "$data" \
		'.config.flags = ["allow-discards", "same-cpu-crypt"]'
	refused data "cannot trust the header of $data: flags changed after it was sealed"
	down
	put_header "$data" "$work/good"
	check "the machine boots" said mortise up
	check_fails "discards are not allowed" \
		grep -q allow_discards <(dmsetup table luks2-u-data)
	down
	# An operator accepts a header with this flag: the configuration decides.
	check "flags are forged once more" edit_header "$data" \
		'.config.flags = ["allow-discards", "same-cpu-crypt"]'
	check "apply accepts the header" said mortise apply -f "$config"
	check_fails "the configuration does not allow discards" \
		grep -q 'allow_discards\|same_cpu_crypt' <(dmsetup table luks2-u-data)
	down
	check "the machine boots" said mortise up
	check_fails "the configuration does not allow discards" \
		grep -q 'allow_discards\|same_cpu_crypt' <(dmsetup table luks2-u-data)
	down
}

# by_cryptsetup SECTION COMMAND...: cryptsetup, which knows no seal, changes the header: the change is
# reported by section, and accepted by a key holder.
by_cryptsetup() {
	local section=$1
	shift

	check "cryptsetup changes the header: $section" "$@"
	refused data "cannot trust the header of $data: $section changed after it was sealed; to accept it, run \`mortise apply\` or \`mortise seal --volume u-data $data\`"
	down
	check_status 2 "seal fails with a wrong key" said "$MORTISE" seal -q "$data" \
		--key-file <(printf wrong)
	check_status 1 "seal --check names the change" said "$MORTISE" seal --check "$data" \
		--key-file <(printf known)
	check "the text names the section" \
		says "the seal of $data does not match its header ($section changed)"
	check "seal accepts the change" said "$MORTISE" seal -q "$data" --key-file <(printf known)
	check "the machine boots" said mortise up
	check "data has its file" holds data
	down
}

test_by_cryptsetup() {
	new_machine "$node" 'slot: 1, static: {passphrase: known}'
	printf known >"$work/known"
	by_cryptsetup 'digests, keyslots' cryptsetup luksAddKey -q "${cheap[@]}" --key-slot 5 \
		--key-file "$work/known" "$data" <(printf other)
	by_cryptsetup tokens cryptsetup token add --key-description somewhere --key-slot 1 "$data"
	by_cryptsetup keyslots cryptsetup config --priority prefer --key-slot 1 "$data"
	by_cryptsetup flags persistent_flag
	check "cryptsetup changes the UUID" cryptsetup luksUUID -q \
		--uuid 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed "$data"
	refused data "the header on $data is not that of u-data on this machine"
	check "apply shows the known volume" said mortise apply -f "$config"
	check "apply names the change" says "UUID changed after it was sealed"
	check "apply reports the new UUID" says \
		'replaced in the list of known volumes: UUID 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed'
	check "data has its file" holds data
	down
	boots data
}

persistent_flag() {
	cryptsetup open --key-file "$work/known" --perf-no_read_workqueue --persistent "$data" own &&
		cryptsetup close own
}

new_machine "$shared"
topics=("$@") # all, without an argument
[[ -n ${1-} ]] || topics=(mkfs_mark labels recovery_mark own_header erased flags by_cryptsetup)
for topic in "${topics[@]}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
