# shellcheck shell=bash
# For scripts about declared volumes, in addition to lib.sh: a configuration, a function that runs
# the program with it, and headers created by cryptsetup.

root=${work:?lib.sh comes first}/root
config=$work/config.yaml
options=()
uuid=8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815
mkdir "$root"
# Keep key derivation cheap; its cost is not tested. Talos accepts only Argon2.
up_cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
cheap=(--pbkdf argon2id "${up_cost[@]}")

declare_none() {
	: >"$config"
	options=(-f "$config" --root "$root" --node-uuid "$uuid")
}

# declare_volume NAME DEVICE KEY...: declare another volume, with each key as in YAML's braces.
declare_volume() {
	local name=$1 device=$2 kind=UserVolumeConfig
	shift 2

	[[ $name != STATE ]] || kind=VolumeConfig
	{
		printf -- '---\napiVersion: v1alpha1\nkind: %s\nname: %s\n' "$kind" "$name"
		[[ $name == STATE ]] || echo 'filesystem: {type: ext4}'
		printf 'encryption:\n  provider: luks2\n  keys:\n'
		printf '    - {%s}\n' "$@"
	} >>"$config"
	options+=(--device "$name=$device")
}

mortise() {
	local verb=$1 cost=()
	shift

	[[ $verb != up ]] || cost=("${up_cost[@]}")
	"$MORTISE" "$verb" "${options[@]}" "${cost[@]}" "$@"
}

# For calls whose output is not checked.
down() {
	mortise down >"$work/down" 2>&1
}

# format_with_file DEVICE PASSPHRASE [OPTION]...: with cryptsetup, with ext4 and a file inside.
format_with_file() {
	local device=$1 passphrase=$2
	shift 2

	printf '%b' "$passphrase" | cryptsetup luksFormat -q --type luks2 "${cheap[@]}" \
		--key-file - "$@" "$device"
	printf '%b' "$passphrase" | cryptsetup open --key-file - "$device" made
	mkfs.ext4 -q /dev/mapper/made
	mount /dev/mapper/made /mnt
	echo kept >/mnt/file
	umount /mnt
	cryptsetup close made
}

# copy_size DEVICE: print the size of a header copy, in units of 4 KiB.
copy_size() {
	echo $((0x$(dd if="$1" bs=1 skip=8 count=8 status=none | od -An -v -tx1 | tr -d ' \n') / 4096))
}

# json_area DEVICE [second]: print the padded JSON text of the first or of the second header.
json_area() {
	local size
	size=$(copy_size "$1")
	dd if="$1" bs=4096 skip=$((${2:+size} + 1)) count=$((size - 1)) status=none
}
