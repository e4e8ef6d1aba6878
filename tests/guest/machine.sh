# shellcheck shell=bash
# For scripts about a machine that carries its configuration, in addition to lib.sh: META, STATE and
# a user volume on blank devices, and the program with options that name them.

root=${work:?lib.sh comes first}/root
mkdir "$root"
uuid=8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815
# shellcheck disable=SC2034  # scripts use it
other_uuid=1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed
cost=(--pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
config=$work/config.yaml
places=()

# new_machine: create META, STATE and one user volume, all blank, and free the last ones' memory.
new_machine() {
	losetup --detach-all
	rm -f "$work"/disk.*
	meta=$(blank_device 1)
	state=$(blank_device 100)
	data=$(blank_device 64)
	places=(--device "META=$meta" --device "STATE=$state" --device "data=$data")
}

mortise() {
	local verb=$1 more=()
	shift

	case $verb in
	up | apply) more=("${cost[@]}" --root "$root" --node-uuid "$uuid") ;;
	plan | continue) more=(--root "$root" --node-uuid "$uuid") ;;
	status | down) more=(--root "$root") ;;
	esac
	"$MORTISE" "$verb" "$@" ${more[@]+"${more[@]}"} "${places[@]}"
}

meta_tag() {
	"$MORTISE" meta get "$1" --device "META=$meta"
}

# declare_keys STATE-KEYS DATA-KEYS: keys as in YAML's braces, separated by ";"; "-": not encrypted.
declare_keys() {
	local key

	document() {
		printf -- '---\napiVersion: v1alpha1\nkind: %s\nname: %s\n' "$1" "$2"
		[[ $3 != - ]] || return 0
		printf 'encryption:\n  provider: luks2\n  keys:\n'
		while IFS= read -r key; do
			printf '    - {%s}\n' "$key"
		done <<<"${3//;/$'\n'}"
	}
	{
		document VolumeConfig STATE "$1"
		document UserVolumeConfig data "$2"
		echo 'filesystem: {type: ext4}'
	} >"$config"
}

down() {
	mortise down >"$work/down" 2>&1
}

# Close the volumes without mortise, without a configuration that names them.
close_by_hand() {
	umount "$root/var/mnt/data" "$root/system/state"
	cryptsetup close luks2-u-data
	cryptsetup close luks2-STATE
}

opens() {
	printf %s "$3" | cryptsetup open --test-passphrase --key-slot "$2" --key-file - "$1"
}

# shellcheck disable=SC2034  # scripts use it
node='nodeID: {}, slot: 0'
