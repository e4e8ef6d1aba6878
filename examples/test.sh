# shellcheck shell=bash
# For the tests of the examples: machines that boot their images in QEMU (tools/guest/qemu).

# The caller sets tree, the directory of the sources.
work=$(mktemp -d "${TMPDIR:-/tmp}/mortise-example.XXXXXX")
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2034  # for the caller
modules=$(echo "$("${tree:?}/tools/guest/kernel")"/lib/modules/*)
uuid=b7a4f0d2-6c1e-4d35-9a58-20e9c3f4716b

# add_files IMAGE TREE: append a directory to an initramfs.
add_files() {
	# The kernel expects an archive at a multiple of 4 bytes.
	truncate -s %4 "$1"
	(cd "$2" && find . | cpio -o -H newc --quiet -R 0:0) >>"$1"
}

# check_begin [FILE]: the head of a check, which runs in the machine, and finds its words in FILE there.
check_begin() {
	sed "s|WORDS|${1-/proc/cmdline}|" <<-'END'
		#!/bin/sh
		exec </dev/null >/dev/console 2>&1
		mark=$(sed -n 's/.*guest\.mark=\([^ ]*\).*/\1/p' WORDS)
		boot=$(sed -n 's/.*example\.boot=\([^ ]*\).*/\1/p' WORDS)
		failed=0
		holds() { # TEXT COMMAND...
			text=$1
			shift
			if "$@"; then
				echo "ok - $boot boot: $text"
			else
				echo "FAILED - $boot boot: $text"
				failed=1
			fi
		}
		mounted() { # DEVICE DIRECTORY
			grep -q "^$1 $2 " /proc/mounts
		}
		echo "$mark begin"
	END
}

check_end() {
	cat <<-'END'
		[ "$failed" = 0 ] || dmesg | grep 'mortise\['
		echo "$mark exit $failed"
	END
}

# boot NAME IMAGE OPTION...: boot the machine with $work/disk; options are those of tools/guest/qemu.
boot() {
	local name=$1 image=$2
	shift 2

	"${tree:?}/tools/guest/qemu" --uuid "$uuid" --timeout 600 --disk "$work/disk" --initrd "$image" \
		--append "example.boot=$name" "$@"
}

# compare_sizes IMAGE CRYPTSETUP: print the sizes of both images.
compare_sizes() {
	local file

	for file; do
		printf '%d bytes (%d unpacked)\n' "$(stat -c %s "$file")" "$(zstd -dc "$file" | wc -c)"
	done | paste -d '|' - - | sed 's/^/initramfs: /; s/|/; with cryptsetup: /'
}

# extract PARTITION: copy the first 16 MiB of the partition, where its header is, to $work/header.
extract() {
	dd if="$work/disk" of="$work/header" bs=512 count=32768 status=none \
		skip="$(sfdisk --json "$work/disk" | jq ".partitiontable.partitions[$1 - 1].start")"
}
