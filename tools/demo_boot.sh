#!/usr/bin/env bash
# One boot of the demonstration: bring the volumes up, write a file or look for it, and bring the
# volumes down. The first boot has a blank disk, and gives the machine its configuration; the second
# has only the disk; in the third, the disk is larger; in the fourth, the header of data was changed,
# so that up fails with status 6. Runs in the guest or on the host.
#   demo_boot.sh first|second|grown|attacked CONFIG ROOT DISK [OPTION-OF-MORTISE]...
# APPLY_OPTIONS: options of the first boot's `mortise apply`.
# Lines that begin with "result" are for tools/demo; they rely on cryptsetup, not on mortise.
set -euo pipefail
boot=$1 config=$2 root=$3 disk=$4
shift 4
prefix=$disk
[[ $disk != *[0-9] ]] || prefix=${disk}p
options=(--root "$root" "$@")
bring_up=(up)
# shellcheck disable=SC2206  # words
[[ $boot != first ]] || bring_up=(apply -f "$config" --system-disk "$disk" ${APPLY_OPTIONS-})

names=(STATE EPHEMERAL data)
declare -A partition=([STATE]=2 [EPHEMERAL]=3 [data]=4)
declare -A mapping=([STATE]=luks2-STATE [EPHEMERAL]=luks2-EPHEMERAL [data]=luks2-u-data)
declare -A directory=([STATE]=/system/state [EPHEMERAL]=/var [data]=/var/mnt/data)

step() {
	printf '\n$ %s\n' "$*"
	"$@"
}

# header NAME: print the UUID of the LUKS2 header on a volume's partition, or "none".
header() {
	cryptsetup luksUUID "$prefix${partition[$1]}" 2>/dev/null || echo none
}

# file_of NAME: print the state of the file in a volume. A file outside the mounted volume does not
# count.
file_of() {
	local file=$root${directory[$1]}/demo-file
	local text="this was written to $1 on the first boot"

	if ! mountpoint -q "$root${directory[$1]}"; then
		echo not-mounted
	elif [[ $boot == first ]]; then
		echo "$text" >"$file" && echo written
	elif [[ ! -e $file ]]; then
		echo lost
	elif [[ $(cat "$file") == "$text" ]]; then
		echo kept
	else
		echo changed
	fi
}

declare -A before file
for name in "${names[@]}"; do before[$name]=$(header "$name"); done

mkdir -p "$root"
status=0
step "$MORTISE" "${bring_up[@]}" "${options[@]}" || status=$?
up_status=$status
for name in "${names[@]}"; do file[$name]=$(file_of "$name"); done
# Sizes in MiB: of the partition, the mapping, and the file system of data, which grows.
data_sizes="$(($(blockdev --getsize64 "${prefix}4") >> 20)) \
$(($(blockdev --getsize64 /dev/mapper/luks2-u-data 2>/dev/null || echo 0) >> 20)) \
$(($(stat -f -c '%b * %S' "$root/var/mnt/data") >> 20))"
step "$MORTISE" status "${options[@]}" || status=$?
step "$MORTISE" down "${options[@]}" || status=$?

for name in "${names[@]}"; do
	closed=closed
	! dmsetup info "${mapping[$name]}" >/dev/null 2>&1 || closed=open
	echo "result $boot $name ${before[$name]} $(header "$name") ${file[$name]} $closed"
done
echo "sizes $boot" $data_sizes
# Two of three volumes are ready: up and status fail.
[[ $boot != attacked ]] || status=$((up_status != 6))
exit "$status"
