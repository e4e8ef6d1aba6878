#!/usr/bin/env bash
# Keyslot areas and data with ciphers that only the kernel implements: mortise opens volumes that
# cryptsetup formatted, cryptsetup opens keyslots that mortise added, and no temporary mapping is
# left. At the end, hostile metadata must be refused where it could be mapped.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/guest/lib.sh
. "$here/lib.sh"

ours=$MORTISE
theirs=cryptsetup
# Built next to the program.
export FORGE=${FORGE:-$(dirname "$MORTISE")/tests/forge}
name=ciphers
mapped=/dev/mapper/$name
key=$work/key
new_key=$work/new_key
printf 'a passphrase' >"$key"
printf 'another one' >"$new_key"
cheap=(--pbkdf argon2id --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4)
list='xchacha12,aes-adiantum-plain64 256
xchacha20,aes-adiantum-plain64 256
serpent-xts-plain64 512
twofish-xts-plain64 512
aes-cbc-essiv:sha256 256'

# on DEVICE PROGRAM VERB [WORD]...
on() {
	local device=$1 program=$2 verb=$3
	shift 3
	"$program" "$verb" -q --key-file "$key" "$device" "$@"
}

# exchange DEVICE WRITER READER: each program opens its own mapping; one writes, the other reads.
# Commands are chained, because set -e has no effect inside functions that check calls.
exchange() {
	head -c 256K /dev/urandom >"$work/written" &&
		on "$1" "$2" open "$name" &&
		dd if="$work/written" of="$mapped" bs=64K conv=fsync status=none &&
		"$2" close "$name" &&
		on "$1" "$3" open "$name" &&
		cmp -n 262144 "$work/written" "$mapped" &&
		"$3" close "$name"
}

volume_key() {
	on "$1" "$2" luksDump --dump-volume-key
}

# add_key DEVICE PROGRAM CIPHER BITS
add_key() {
	"$2" luksAddKey -q "${cheap[@]}" --key-file "$key" --keyslot-cipher "$3" \
		--keyslot-key-size "$4" "$1" "$new_key"
}

opens_new() {
	"$2" open --test-passphrase --key-slot 1 --key-file "$new_key" "$1"
}

area_cipher() {
	"$theirs" luksDump --dump-json-metadata "$1" | jq -r '.keyslots."1".area.encryption'
}

# one_cipher CIPHER BITS SECTOR DEVICE: DEVICE is a block device or a file.
one_cipher() {
	local cipher=$1 bits=$2 sector=$3 device=$4
	local text="$cipher, sectors of $sector"

	[[ -b $device ]] || text+=", in a file"
	"$theirs" luksFormat -q --type luks2 "${cheap[@]}" -c "$cipher" -s "$bits" \
		--keyslot-cipher "$cipher" --keyslot-key-size "$bits" --sector-size "$sector" \
		"$device" "$key"
	check "$text: mortise opens a volume of cryptsetup" \
		on "$device" "$ours" open --test-passphrase
	check_equal "both programs print the same volume key" "$(volume_key "$device" "$ours")" \
		"$(volume_key "$device" "$theirs")"
	check "mortise reads data that cryptsetup wrote" exchange "$device" "$theirs" "$ours"
	check "cryptsetup reads data that mortise wrote" exchange "$device" "$ours" "$theirs"
	on "$device" "$theirs" open "$name"
	check "mortise adds a key with this keyslot cipher while the volume is open" \
		add_key "$device" "$ours" "$cipher" "$bits"
	check "mortise opens the new keyslot" opens_new "$device" "$ours"
	"$theirs" close "$name"
	check "cryptsetup opens the new keyslot" opens_new "$device" "$theirs"
	check_equal "the new keyslot area uses this cipher" "$(area_cipher "$device")" "$cipher"
	check_equal "no mapping is left" "$(dmsetup ls)" "No devices found"
	if [[ ! -b $device ]]; then
		check_equal "no loop device is left" "$(losetup -j "$device")" ""
	fi
}

# Each cipher on a block device and in a file, with one of the two sector sizes in each, by turns.
test_list() {
	local cipher bits sector=512 other=4096 device file=$work/file

	device=$(blank_device 20)
	truncate -s 20M "$file"
	while read -r cipher bits; do
		one_cipher "$cipher" "$bits" "$sector" "$device"
		one_cipher "$cipher" "$bits" "$other" "$file"
		read -r sector other <<<"$other $sector"
	done <<<"$list"
}

# A wrong passphrase is also checked with the kernel's cipher.
test_wrong() {
	local device

	device=$(blank_device 20)
	"$theirs" luksFormat -q --type luks2 "${cheap[@]}" -c serpent-xts-plain64 -s 512 "$device" \
		"$key"
	check_status 2 "a wrong passphrase gives exit status 2" \
		"$ours" open --test-passphrase --key-file "$new_key" "$device"
	check_equal "a wrong passphrase leaves no mapping" "$(dmsetup ls)" "No devices found"
}

# Unload the unused module and keep the kernel from loading it again.
test_no_module() {
	local device modprobe before

	device=$(blank_device 20)
	"$theirs" luksFormat -q --type luks2 "${cheap[@]}" -c serpent-xts-plain64 -s 512 "$device" \
		"$key"
	modprobe=$(cat /proc/sys/kernel/modprobe)
	echo /bin/false >/proc/sys/kernel/modprobe
	rmmod serpent_generic
	before=$(checksum "$device")
	check_match "without the module, the error names the cipher" \
		"$(on "$device" "$ours" open --test-passphrase 2>&1)" \
		"*keyslot area*serpent-xts-plain64*kernel*"
	check_fails "without the module, no key is added" \
		add_key "$device" "$ours" serpent-xts-plain64 512
	check_equal "nothing was written" "$(checksum "$device")" "$before"
	check_equal "no mapping is left" "$(dmsetup ls)" "No devices found"
	echo "$modprobe" >/proc/sys/kernel/modprobe
	check "with the module, the key opens" on "$device" "$ours" open --test-passphrase
}

test_evil() {
	local status=0

	bash "$here/../evil/evil.sh" >"$work/evil" 2>&1 || status=$?
	check_equal "hostile metadata is refused" "$(grep '^not ok' "$work/evil") $status" " 0"
	check_match "hostile metadata is refused where it would be mapped" "$(cat "$work/evil")" \
		"*segment-linear is rejected with its reason*"
}

for topic in list wrong no_module evil; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
