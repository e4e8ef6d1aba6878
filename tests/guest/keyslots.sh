# shellcheck shell=bash disable=SC2154  # set in volumes.sh, which must be sourced first
# For scripts about the keys of one volume, in addition to volumes.sh: declare keys and check them.

file=$root/var/mnt/data/file
device=

# declare_keys SLOT=PASSPHRASE...: quoted with YAML's double quotes, so that \n is a newline.
declare_keys() {
	local key keys=()

	for key; do
		keys+=("slot: ${key%%=*}, static: {passphrase: \"${key#*=}\"}")
	done
	declare_none
	declare_volume data "$device" "${keys[@]}"
}

boot() {
	mortise down && mortise up "$@"
}

# opens SLOT PASSPHRASE: cryptsetup opens this keyslot with the passphrase.
opens() {
	printf '%b' "$2" | cryptsetup open --test-passphrase --key-slot "$1" --key-file - "$device"
}

# opens_nothing PASSPHRASE: cryptsetup opens no keyslot with the passphrase.
opens_nothing() {
	local status=0

	printf '%b' "$1" | cryptsetup open --test-passphrase --key-file - "$device" || status=$?
	[[ $status -eq 2 ]]
}

metadata() {
	json_area "$device" | tr -d '\0'
}

slots() {
	metadata | jq -r '.keyslots | keys | join(" ")'
}

# Talos's checks before opening: both JSON areas are equal and padded with zeros, and follow its
# rules.
fits_talos() {
	local length

	length=$(metadata | wc -c)
	[[ $(head -c 8 "$device" | od -An -tx1 | tr -d ' ') == 4c554b53babe0002 ]] &&
		cmp <(json_area "$device") <(json_area "$device" second) &&
		[[ $(json_area "$device" | tail -c +$((length + 1)) | tr -d '\0' | wc -c) -eq 0 ]] &&
		metadata | jq -e '["aes-xts-plain64", "xchacha12,aes-adiantum-plain64",
				"xchacha20,aes-adiantum-plain64"] as $ciphers |
			(.keyslots | length) > 0 and
			([.keyslots[] | .type == "luks2" and
				(.kdf.type == "argon2id" or .kdf.type == "argon2i") and
				(.area.encryption as $cipher | any($ciphers[]; . == $cipher))] |
				all) and
			(.segments | keys) == ["0"] and (.segments."0" | .type == "crypt" and
				(.encryption as $cipher | any($ciphers[]; . == $cipher)) and
				(has("flags") | not) and (.offset | test("^[1-9][0-9]*$")))'
}

# reseal PASSPHRASE: accept the changes that another program has made to the header.
reseal() {
	"$MORTISE" seal --batch-mode --volume u-data --key-file <(printf %b "$1") "$device"
}

# salt_of_state: the salt that STATE holds, without the volume.
salt_of_state() {
	mkdir -p "$root/system/state"
	{
		echo diskSalt:
		printf '    - %s\n' {1..32}
	} >"$root/system/state/encryption-salt.yaml"
	chmod 600 "$root/system/state/encryption-salt.yaml"
}

whole_header() {
	head -c 16M "$device" | sha256sum
}

# format PASSPHRASE [OPTION]...
format() {
	[[ ! -e $file ]] || down
	device=$(blank_device 40)
	format_with_file "$device" "$@"
}

# add SLOT PASSPHRASE KNOWN: cryptsetup adds a key, authorized by the passphrase KNOWN.
add() {
	cryptsetup luksAddKey -q "${cheap[@]}" --key-slot "$1" --key-file <(printf %s "$3") \
		"$device" <(printf %s "$2")
}
