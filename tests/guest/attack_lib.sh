# shellcheck shell=bash disable=SC2154  # lib.sh sets work
# For scripts that attack a machine through its disk, in addition to lib.sh: functions that change a
# disk without a key, while the machine is off.

# The tool that writes JSON to both header copies, with valid checksums. A guest that does not share
# the host's tree needs it as a file, and FORGE.
forge=${FORGE:-$(dirname "${MORTISE:?lib.sh comes first}")/tests/forge}

# copy_bytes DEVICE: print the size of a header copy.
copy_bytes() {
	echo $((0x$(dd if="$1" bs=1 skip=8 count=8 status=none | od -An -v -tx1 | tr -d ' \n')))
}

# header_json DEVICE: print the JSON text of the first header copy.
header_json() {
	head -c "$(copy_bytes "$1")" "$1" | tail -c +4097 | tr -d '\0'
}

# forge_json DEVICE: write the JSON text on standard input to both header copies.
forge_json() {
	"$forge" "$1" && sync "$1"
}

# edit_header DEVICE FILTER [OPTION]...: change both header copies with a filter of jq. The order of
# the members stays.
edit_header() {
	local device=$1 filter=$2
	shift 2

	header_json "$device" | jq -cj "$@" "$filter" >"$work/forged.json" &&
		[[ -s $work/forged.json ]] &&
		! cmp -s "$work/forged.json" <(header_json "$device") &&
		forge_json "$device" <"$work/forged.json"
}

# edit_header_python DEVICE STATEMENTS: the same in Python; the variable header holds the JSON.
edit_header_python() {
	local device=$1

	header_json "$device" >"$work/forged.old" &&
		python3 - "$2" >"$work/forged.json" 3<"$work/forged.old" <<-'END' &&
			import json, os, sys
			header = json.load(os.fdopen(3))
			exec(sys.argv[1])
			json.dump(header, sys.stdout, separators=(",", ":"))
		END
		! cmp -s "$work/forged.json" "$work/forged.old" &&
		forge_json "$device" <"$work/forged.json"
}

# edit_binary DEVICE OFFSET TEXT: write TEXT at this offset of both binary headers (24: label,
# 168: UUID, 208: subsystem), and repair the checksums.
edit_binary() {
	local device=$1 offset=$2 copy

	header_json "$device" >"$work/forged.json"
	for copy in 0 "$(copy_bytes "$device")"; do
		printf %s "$3" | dd of="$device" bs=1 seek=$((copy + offset)) conv=notrunc status=none
		checksum_copy "$device" "$copy" || return
	done
	forge_json "$device" <"$work/forged.json"
}

# checksum_copy DEVICE OFFSET: compute the checksum of one header copy.
checksum_copy() {
	python3 - "$1" "$2" "$(copy_bytes "$1")" <<-'END'
		import hashlib, sys
		with open(sys.argv[1], "r+b") as disk:
		    disk.seek(int(sys.argv[2]))
		    copy = bytearray(disk.read(int(sys.argv[3])))
		    copy[448:512] = bytes(64)
		    copy[448:480] = hashlib.sha256(copy).digest()
		    disk.seek(int(sys.argv[2]))
		    disk.write(copy)
	END
}

# header_sum DEVICE: print the checksum of the header and the keyslots area.
header_sum() {
	head -c 16M "$1" | sha256sum | cut -d' ' -f1
}

# save_header DEVICE FILE, put_header DEVICE FILE: copy the header and the keyslots area.
save_header() {
	head -c 16M "$1" >"$2"
}

put_header() {
	dd if="$2" of="$1" bs=1M conv=notrunc,fsync status=none
}

# exchange_labels DISK NUMBER NUMBER: exchange the labels of two partitions of a loop device, which
# is attached once more under its old name.
exchange_labels() {
	local disk=$1 file first second

	file=$(losetup --noheadings --output BACK-FILE "$disk")
	first=$(sfdisk --part-label "$disk" "$2")
	second=$(sfdisk --part-label "$disk" "$3")
	losetup --detach "$disk"
	sfdisk --quiet --part-label "$file" "$2" "$second" >/dev/null
	sfdisk --quiet --part-label "$file" "$3" "$first" >/dev/null
	losetup --partscan "$disk" "$file"
}
