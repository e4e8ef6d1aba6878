# shellcheck shell=bash disable=SC2034,SC2154  # for the scripts that source it, after lib.sh
# For guests that re-encrypt a volume.

cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
key=(--key-file "$work/key")
mib=12

printf 'the passphrase' >"$work/key"
printf 'another one' >"$work/wrong"

# new_volume OPTION...: format a device, and fill the volume with random data, whose checksum is $sum.
new_volume() {
	# The memory of the guest holds the disks.
	losetup -D
	rm -f "$work"/disk.*
	device=$(blank_device $((mib + 16)))
	cryptsetup luksFormat -q --type luks2 "${cheap[@]}" "${key[@]}" "$@" "$device"
	cryptsetup open "${key[@]}" "$device" v
	head -c ${mib}M /dev/urandom >/dev/mapper/v
	sum=$(sum_of /dev/mapper/v)
	cryptsetup close v
}

sum_of() {
	sha256sum <"$1"
}

# killed NUMBER PROGRAM ARGUMENT...: killed at this write.
killed() {
	local number=$1 call=pwrite64
	shift
	[[ $1 != cryptsetup ]] || call='write'
	# A shell of its own, so that the signal is not reported.
	(! strace -f -qq -o /dev/null -e trace=$call -e inject="$call:signal=${signal:-KILL}:when=$number" \
		"$@") >"$work/out" 2>&1
}

# helpers: the mappings that an online reencryption uses in addition.
helpers() {
	dmsetup ls | grep -cE '^v-' || true
}

# plain_mapping COUNT: the mapping has this many targets, and no helper.
plain_mapping() {
	[[ $(dmsetup table v | wc -l) == "$1" && $(helpers) == 0 ]] || {
		dmsetup table
		return 1
	}
}

# written: start a writer of blocks with checksums below $work/mnt.
start_writer() {
	mkdir -p "$work/mnt"
	mkfs.ext4 -q -F -b 4096 /dev/mapper/v
	mount /dev/mapper/v "$work/mnt"
	head -c 3M /dev/urandom >"$work/mnt/still"
	sha256sum "$work/mnt/still" >"$work/still.sum"
	rm -f "$work/stop" "$work/bad"
	(
		n=0
		while [[ ! -e $work/stop ]]; do
			n=$((n + 1))
			head -c 300000 /dev/urandom >"$work/block"
			dd if="$work/block" of="$work/mnt/f$((n % 10))" conv=fsync bs=64k status=none
			echo 1 >/proc/sys/vm/drop_caches
			cmp -s "$work/block" "$work/mnt/f$((n % 10))" || echo "$n" >>"$work/bad"
			cp "$work/block" "$work/copy$((n % 10))"
		done
		echo "$n" >"$work/writes"
	) &
	writer=$!
}

stop_writer() {
	touch "$work/stop"
	wait "$writer" || touch "$work/bad"
}

# intact: the writer has seen no error; all files are what was written.
intact() {
	local n status=0

	[[ ! -e $work/bad ]] || status=1
	umount "$work/mnt" || return
	echo 1 >/proc/sys/vm/drop_caches
	e2fsck -fn /dev/mapper/v >"$work/out" 2>&1 || status=1
	mount -o ro /dev/mapper/v "$work/mnt"
	sha256sum --quiet -c "$work/still.sum" || status=1
	for n in "$work/mnt"/f*; do
		cmp "$n" "$work/copy${n##*f}" || status=1
	done
	umount "$work/mnt"
	[[ $status -eq 0 ]] || cat "$work/out"
	return $status
}

online() {
	"$MORTISE" reencrypt -q "${cheap[@]}" "${key[@]}" --hotzone-size 512K "$@"
}

# in_reencryption [HEADER]
in_reencryption() {
	grep -q online-reencrypt <(cryptsetup luksDump "${1-$device}")
}

# The writer and the mount do not survive it.
reboot() {
	touch "$work/stop"
	umount -l "$work/mnt"
	dmsetup info -c --noheadings -o name,suspended v-hotzone-forward || true
	"$MORTISE" close v || dmsetup remove --force v
	[[ $(helpers) == 0 ]]
}
