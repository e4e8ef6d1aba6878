# shellcheck shell=bash
# For scripts about declared volumes, beside lib.sh: a configuration, the program with it, and
# headers of cryptsetup's making.

root=${work:?lib.sh comes first}/root
config=$work/config.yaml
options=()
uuid=8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815
mkdir "$root"
# The cost of a key is not what is tested; Talos accepts Argon2 only.
up_cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
cheap=(--pbkdf argon2id "${up_cost[@]}")

declare_none() {
	: >"$config"
	options=(-f "$config" --root "$root" --node-uuid "$uuid")
}

# declare_volume NAME DEVICE KEY...: one more, each key as in YAML's braces.
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

# For what is not looked at.
down() {
	mortise down >"$work/down" 2>&1
}

# format_with_file DEVICE PASSPHRASE [OPTION]...: by cryptsetup, with ext4 and a file inside.
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

# json_area DEVICE 1|5: the JSON text and its zeros, of the first and of the second header.
json_area() {
	dd if="$1" bs=4096 skip="$2" count=3 status=none
}
