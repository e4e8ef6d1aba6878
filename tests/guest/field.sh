# shellcheck shell=bash disable=SC2034,SC2154  # scripts use the variables; lib.sh sets work
# The machines of tests/field, in addition to lib.sh: disks as they are in the field, which mortise 0.1
# has written. field_machine makes the disk of one of them again, and the functions below use it.

field_scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
field_here=${FIELD:-$field_scripts/../field}
field_uuid=$(cat "$field_here/node-uuid")
root=$work/root
mkdir -p "$root"
cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
more=()

# mortise VERB [ARGUMENT]...: the program as this machine runs it, without a configuration.
mortise() {
	local verb=$1 options=(--root "$root")
	shift

	case $verb in
	up | apply) options+=("${cost[@]}" --node-uuid "$field_uuid" "${more[@]}") ;;
	plan) options+=(--node-uuid "$field_uuid" "${more[@]}") ;;
	meta) options=() ;;
	esac
	"$MORTISE" "$verb" "$@" "${options[@]}"
}

# partition NAME: print the device of this volume.
partition() {
	echo "${disk}p$(grep -n "^$1 " "$machine/partitions" | cut -d: -f1)"
}

# partition_table FILE: create the partitions that $machine/partitions lists: label, size in MiB,
# UUID, and what is inside: the file system, and the directory with its files, or "-".
partition_table() {
	local label size id rest total=2

	while read -r label size id rest; do
		total=$((total + size))
	done <"$machine/partitions"
	truncate -s "${total}M" "$1"
	{
		echo 'label: gpt'
		while read -r label size id rest; do
			echo "size=${size}MiB, name=\"$label\", uuid=$id"
		done <"$machine/partitions"
	} | sfdisk --quiet --no-reread --no-tell-kernel "$1"
}

# field_area DEVICE LABEL SLOT KEY VOLUME-KEY: write the area of a keyslot. The kernel encrypts it,
# unless the machine's files hold the area itself.
field_area() {
	local device=$1 label=$2 slot=$3 key=$4 offset size

	read -r offset size < <(python3 "$field_here/area.py" place "$work/field-header" "$slot")
	if [[ $key == area ]]; then
		dd if="$machine/$label.$slot" of="$device" bs=512 seek="$offset" conv=fsync status=none
		return
	fi
	dmsetup create field-area --table "0 $size crypt aes-xts-plain64 $key 0 $device $offset"
	dmsetup mknodes field-area
	python3 "$field_here/area.py" split "$work/field-header" "$slot" "$5" |
		dd of=/dev/mapper/field-area bs=64k conv=fsync iflag=fullblock status=none
	dmsetup remove --retry field-area
}

# field_volume DEVICE LABEL: write a header and its keyslot areas.
field_volume() {
	local device=$1 label=$2 header=$work/field-header volume_key slot key

	xz -dc "$machine/$label.header.xz" >"$header"
	dd if="$header" of="$device" bs=4096 conv=fsync status=none
	while read -r slot key; do
		case $slot in
		volume-key) volume_key=$key ;;
		*) field_area "$device" "$label" "$slot" "$key" "$volume_key" ;;
		esac
	done <"$machine/$label.keys"
	printf %s "$volume_key" | xxd -r -p >"$work/field-key"
}

# field_contents DEVICE TYPE DIRECTORY: make the file system and copy the files of this directory.
field_contents() {
	case $2 in
	xfs) mkfs.xfs -q "$1" ;;
	ext4) mkfs.ext4 -q "$1" ;;
	swap) mkswap "$1" >"$work/mkswap" && return ;;
	esac
	mount "$1" /mnt
	cp "$field_here/$3"/* /mnt/
	[[ ! -e /mnt/config.yaml ]] || chmod 600 /mnt/*
	umount /mnt
}

# field_machine NAME: make the machine's disk; sets disk, its loop device, and machine, its directory.
field_machine() {
	local label size id type directory device

	[[ -z ${disk-} ]] || losetup --detach "$disk"
	rm -f "$work/field-disk"
	machine=$field_here/$1
	partition_table "$work/field-disk"
	disk=$(losetup --find --show --partscan "$work/field-disk")
	while read -r label size id type directory; do
		device=$(partition "$label")
		[[ $label != META ]] || xz -dc "$machine/META.xz" >"$device"
		if [[ -e $machine/$label.header.xz ]]; then
			field_volume "$device" "$label"
			cryptsetup open --type luks2 --volume-key-file "$work/field-key" "$device" field
			field_contents /dev/mapper/field "$type" "$directory"
			cryptsetup close field
		elif [[ $type != - ]]; then
			field_contents "$device" "$type" "$directory"
		fi
	done <"$machine/partitions"
}

# field_salt: print the salt in this machine's STATE.
field_salt() {
	sed -n 's/^ *- //p' "$field_here/${machine##*/}/state/encryption-salt.yaml" |
		xargs printf '%02x' | xxd -r -p
}

# field_passphrase LABEL SLOT: print the passphrase of a keyslot.
field_passphrase() {
	case ${machine##*/}/$1/$2 in
	node/STATE/0 | node/s-swap/0) printf '%s%s' "$field_uuid" "$1" ;;
	node/u-data/0 | tpm/u-data/0) printf '%s%s' "$field_uuid" "$1" && field_salt ;;
	node/STATE/1) printf 'field state' ;;
	node/u-data/1) printf 'field data' ;;
	node/u-vault/0) printf 'field vault' ;;
	node/u-vault/1) tr -d '\n' <"$machine/u-vault.recovery" ;;
	node/u-old/0) printf 'field old' ;;
	node/u-talos/0) printf 'field talos' ;;
	kms/*) field_unseal "$1" && { [[ $1 == STATE ]] || field_salt; } ;;
	*) return 1 ;;
	esac
}

# field_kms: start the KMS of the machine kms, with TLS; field_kms_stop ends it.
field_kms() {
	local tests=$field_scripts/..

	ip link set lo up
	mkdir -p "$work/tls"
	[[ -e $work/tls/server.pem ]] ||
		(cd "$work/tls" && "$tests/kms/certificates.sh" >"$work/certificates" 2>&1)
	rm -f "$work/port"
	NODE_PATH=$("$tests/../tools/npm-packages") node "$tests/kms/server.mjs" --port 4050 \
		--port-file "$work/port" --key-path "$1" --tls-cert "$work/tls/server.pem" \
		--tls-key "$work/tls/server.key" </dev/null >"$work/kms.out" 2>&1 &
	echo $! >"$work/kms.pid"
	appears "$work/port" "$work/kms.out"
	more=(--kms-ca "$work/tls/ca.pem")
}

# field_unseal LABEL: print what token 0 holds, unsealed with the key of the KMS.
field_unseal() {
	xz -dc "$machine/$1.header.xz" | head -c 16384 | tail -c +4097 | tr -d '\0' |
		jq -r '.tokens["0"].UserData.sealedData' >"$work/sealed"
	node --input-type=module -e '
		import fs from "node:fs";
		import { unseal } from "'"$field_scripts"'/../kms/seal.mjs";
		const [key, sealed] = process.argv.slice(1).map((path) => fs.readFileSync(path));
		process.stdout.write(unseal(key, Buffer.from(sealed.toString(), "base64"))
			.toString("base64"));' "$machine/kms-key" "$work/sealed"
}
