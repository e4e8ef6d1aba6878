#!/usr/bin/env bash
# Keys change over the boots of one machine: what is declared comes, what is not goes, nothing
# is written when nothing changes, and the data stays. cryptsetup is the judge of each key, and
# makes the headers that are not ours. Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/guest/volumes.sh
. "$(dirname "${BASH_SOURCE[0]}")/volumes.sh"

file=$root/var/mnt/data/file
device=

# declare_keys SLOT=PASSPHRASE...: in YAML's double quotes, so that \n is a newline.
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

# opens SLOT PASSPHRASE: does cryptsetup open this slot with it?
opens() {
	printf '%b' "$2" | cryptsetup open --test-passphrase --key-slot "$1" --key-file - "$device"
}

# Of no slot at all.
opens_nothing() {
	local status=0

	printf '%b' "$1" | cryptsetup open --test-passphrase --key-file - "$device" || status=$?
	[[ $status -eq 2 ]]
}

metadata() {
	json_area "$device" 1 | tr -d '\0'
}

slots() {
	metadata | jq -r '.keyslots | keys | join(" ")'
}

# What Talos checks before it opens: both texts alike, zeros behind them, and the rules.
fits_talos() {
	local length

	length=$(metadata | wc -c)
	[[ $(head -c 8 "$device" | od -An -tx1 | tr -d ' ') == 4c554b53babe0002 ]] &&
		cmp <(json_area "$device" 1) <(json_area "$device" 5) &&
		[[ $(json_area "$device" 1 | tail -c +$((length + 1)) | tr -d '\0' | wc -c) -eq 0 ]] &&
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

whole_header() {
	head -c 16M "$device" | sha256sum
}

# format PASSPHRASE [OPTION]...
format() {
	[[ ! -e $file ]] || down
	device=$(blank_device 40)
	format_with_file "$device" "$@"
}

# add SLOT PASSPHRASE KNOWN: a key of cryptsetup's, authorised by another.
add() {
	cryptsetup luksAddKey -q "${cheap[@]}" --key-slot "$1" --key-file <(printf %s "$3") \
		"$device" <(printf %s "$2")
}

test_rotation() {
	local before

	device=$(blank_device 40)
	declare_keys 0=alpha
	check "the first boot formats" mortise up
	echo kept >"$file"
	check "as Talos wants it" fits_talos
	before=$(whole_header)
	check "the second boot opens" boot
	check_equal "and writes nothing to the header" "$(whole_header)" "$before"
	declare_keys 0=alpha 1=beta
	check "the third boot adds a key" boot
	check "the new one opens" opens 1 beta
	check "and so does the old one" opens 0 alpha
	check_equal "the data is still there" "$(cat "$file")" kept
	declare_keys 1=beta
	check "the old one is removed from an open volume" mortise up
	check_equal "its slot is gone" "$(slots)" 1
	check "its passphrase opens nothing" opens_nothing alpha
	check "as Talos wants it" fits_talos
	before=$(whole_header)
	check "up again" mortise up
	check_equal "writes nothing" "$(whole_header)" "$before"
	check "up that tries every key" mortise up --check-keys
	check_equal "writes nothing either" "$(whole_header)" "$before"
	check "the next boot opens with the new key" boot
	check_equal "and finds the data" "$(cat "$file")" kept
}

test_strangers() {
	format beta --key-slot 1
	declare_keys 1=beta
	check "a header of cryptsetup's is brought up" mortise up
	check_equal "with its data" "$(cat "$file")" kept
	add 5 stranger beta
	add 6 recovery beta
	cryptsetup token import --json-file - "$device" \
		<<<'{"type": "systemd-recovery", "keyslots": ["6"]}'
	check_match "plan says what will go" "$(mortise plan)" "*key-remove*5*not declared*"
	check "up of an open volume" mortise up
	check_equal "removes what is not declared and no recovery key" "$(slots)" "1 6"
	check "the recovery key opens" opens 6 recovery
	check "the stranger's does not" opens_nothing stranger
	check_match "its token is kept" "$(cryptsetup token export --token-id 0 "$device")" \
		"*systemd-recovery*"
	check "as Talos wants it" fits_talos
}

test_step() {
	local offset size

	format beta --key-slot 1
	add 2 gamma beta
	declare_keys 1=beta 2=gamma
	check "two keys are brought up" boot
	cryptsetup luksChangeKey "${cheap[@]}" --key-slot 2 --key-file <(printf gamma) "$device" \
		<(printf other)
	check "up brings a changed key back in step" mortise up
	check "the declared one opens" opens 2 gamma
	# Only trying it tells that a keyslot with the same salt does not open any more.
	offset=$(metadata | jq -r '.keyslots."2".area.offset')
	size=$(metadata | jq -r '.keyslots."2".area.size')
	dd if=/dev/urandom of="$device" bs=4096 seek=$((offset / 4096)) \
		count=$((size / 4096)) conv=notrunc,fsync status=none
	check "up believes what it noted" mortise up
	check_status 2 "of a keyslot that does not open" opens 2 gamma
	check_match "plan --check-keys finds it" "$(mortise plan --check-keys)" "*key-replace*2*"
	check "up --check-keys" mortise up --check-keys
	check "replaces it" opens 2 gamma
	check_equal "the data is still there" "$(cat "$file")" kept
	check "as Talos wants it" fits_talos
}

# Room for one keyslot: the second cannot be had, which keeps nobody from the data.
test_no_room() {
	format alpha --luks2-keyslots-size 258048
	declare_keys 0=alpha 1=beta
	check "a key that cannot be added does not fail up" mortise up
	check_equal "the volume is ready" "$(mortise status --json | jq -r '.volumes[0].phase')" \
		ready
	check_match "status names the key and why" \
		"$(mortise status --json | jq -r '.volumes[0].failedSyncs[0]')" "cannot add keyslot 1 (static): *pace*"
	check_equal "the data is there" "$(cat "$file")" kept
	check "the other key opens" opens 0 alpha
	format first --luks2-keyslots-size 258048
	declare_keys "0=first\\nsecond"
	check "neither does one that cannot be replaced" mortise up
	check_match "status names it" "$(mortise status --json | jq -r '.volumes[0].failedSyncs[0]')" \
		"cannot replace keyslot 0 (static): *pace*"
	check "the old one opens" opens 0 first
}

# Talos before 2026 added keys through a pipe that ended at the first newline.
test_newline() {
	format first
	declare_keys "0=first\\nsecond"
	check "a key cut at its newline opens" mortise up
	check "and is replaced by the whole one" opens 0 'first\nsecond'
	check "the cut one opens nothing" opens_nothing first
	check_equal "the data is there" "$(cat "$file")" kept
	check "as Talos wants it" fits_talos
}

# Talos's own calls, with its costs.
test_talos() {
	local disk id type state before

	down
	state=$(blank_device 330)
	device=$(blank_device 40)
	declare_none
	declare_volume STATE "$state" "slot: 0, nodeID: {}"
	declare_volume data "$device" "slot: 0, nodeID: {}"
	while read -r disk id type; do
		printf %s "$uuid$id" | cryptsetup luksFormat -q --type luks2 --key-file=- \
			--keyfile-size=$((36 + ${#id})) -c aes-xts-plain64 "$disk" --key-slot=0 \
			--key-size=512
		printf %s "$uuid$id" | cryptsetup luksOpen "$disk" made --key-file=- --key-slot=0
		"mkfs.$type" -q -L "$id" /dev/mapper/made
		cryptsetup luksClose made
	done <<-END
		$state STATE xfs
		$device u-data ext4
	END
	check "Talos's volumes come up" mortise up
	check_equal "STATE is mounted" "$(findmnt -no FSTYPE "$root/system/state")" xfs
	check_equal "and data" "$(findmnt -no SOURCE "$root/var/mnt/data")" /dev/mapper/luks2-u-data
	check "as Talos wants it afterwards" fits_talos
	before=$(cryptsetup luksDump "$state" | grep Epoch)
	check "the next boot" boot
	check_equal "writes nothing" "$(cryptsetup luksDump "$state" | grep Epoch)" "$before"
}

for topic in rotation strangers step no_room newline talos; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
