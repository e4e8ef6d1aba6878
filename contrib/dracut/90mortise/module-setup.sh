#!/bin/bash
# SPDX-License-Identifier: MIT
# dracut module: opens the encrypted root with mortise, in place of the module crypt.

check() {
	require_binaries mortise /usr/lib/mortise/image-files /usr/lib/mortise/unlock-root || return 1
	return 0
}

depends() {
	local modules="dm rootfs-block"

	if dracut_module_included systemd; then modules+=" systemd-ask-password"; fi
	echo "$modules"
}

# files KIND...: the lines of image-files in $printed of these kinds, without the kind.
files() {
	local line kind

	for kind; do
		while read -r line; do
			[[ $line != "$kind "* ]] || echo "${line#* }"
		done <<< "$printed"
	done
}

# needed: what the libraries need. dracut finds this only for files that are executable, which Debian's
# libraries are not.
needed() {
	local file

	while read -r file; do
		ldd "$file"
	done < <(files library) | sed -n 's|.* => \(/[^ ]*\) .*|\1|p' | sort -u
}

installkernel() {
	local modules printed

	printed=$(/usr/lib/mortise/image-files 2> /dev/null) || return 1
	mapfile -t modules < <(files module)
	hostonly='' instmods "${modules[@]}"
}

install() {
	local file printed

	printed=$(/usr/lib/mortise/image-files) || return 1
	inst_multiple cat mkdir mount sleep modprobe
	inst_script /usr/lib/mortise/unlock-root
	while read -r file; do
		inst "$file"
	done < <(files program library file && needed)
	while read -r file; do
		inst_simple "$file"
		chmod go= "$initdir/$file"
	done < <(files secret)
	mkdir -p "$initdir/etc/mortise"
	files crypttab > "$initdir/etc/mortise/crypttab"
	files setting >> "$initdir/etc/mortise/initramfs.conf"
	if dracut_module_included systemd; then
		inst_multiple umount "$systemdsystemunitdir"/mortise-root{,-move}.service \
			"$systemdutildir/system-generators/mortise-root-generator"
	else
		inst_hook initqueue/settled 50 "$moddir/mortise-open.sh"
		inst_hook pre-pivot 50 "$moddir/mortise-move.sh"
	fi
	dracut_need_initqueue
}
