# shellcheck shell=bash
# For the scripts that make the images of the examples: copy programs, libraries and kernel modules of
# this machine (Debian) into a directory, and pack it as an initramfs.

PATH=$PATH:/usr/sbin:/sbin
libraries=/usr/lib/$(gcc -print-multiarch)

# image_layout TREE: empty directories, in Debian's layout.
image_layout() {
	mkdir -p "$1"/usr/{bin,lib,lib64} "$1"/{proc,sys,dev,run,tmp,etc,var}
	# mktemp(1) made the tree, which becomes /, for its user only.
	chmod 755 "$1"
	chmod 1777 "$1/tmp"
	ln -s bin "$1/usr/sbin"
	ln -s usr/bin usr/sbin usr/lib usr/lib64 "$1/"
}

# image_copy TREE FILE [PATH]: copy a file, and the libraries that a program is linked with.
image_copy() {
	local tree=$1 from to=${3-$2} library

	from=$(realpath -e "$2")
	install -D -m 0755 "$from" "$tree$to"
	# ldd fails for static programs, which need no libraries.
	ldd "$from" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
		[[ -e $tree$library ]] || install -D "$library" "$tree$library"
	done || true
}

# image_programs TREE NAME...: copy programs from this machine to /usr/bin.
image_programs() {
	local tree=$1 name path
	shift

	for name; do
		path=$(command -v "$name") || {
			echo "${0##*/}: $name is not installed" >&2
			return 1
		}
		image_copy "$tree" "$path" "/usr/bin/$name"
	done
}

# image_opener TREE PROGRAM: the program that opens the volumes: mortise or, if $cryptsetup is set,
# Debian's cryptsetup.
image_opener() {
	local program=$2

	[[ -z ${cryptsetup-} ]] || program=$(command -v cryptsetup)
	image_copy "$1" "$program" "/usr/bin/$(basename "$program")"
	strip "$1/usr/bin/$(basename "$program")"
	# glibc loads it when a thread ends. A static program has it.
	! ldd "$program" >/dev/null 2>&1 || image_copy "$1" "${libraries#/usr}/libgcc_s.so.1"
}

# image_busybox TREE: busybox with all its applets.
image_busybox() {
	local name

	image_programs "$1" busybox
	for name in $(busybox --list | grep -vx busybox); do
		ln -s busybox "$1/usr/bin/$name"
	done
}

# image_modules TREE DIRECTORY NAME...: copy kernel modules, and the modules that they depend on, from
# DIRECTORY (the kernel's lib/modules/VERSION), and list the names in /etc/modules.
image_modules() {
	local tree=$1 from version root module
	from=$(realpath -e "$2")
	shift 2

	version=${from##*/}
	root=$(mktemp -d)
	mkdir -p "$root/lib/modules"
	cp -r "$from" "$root/lib/modules/$version"
	depmod -b "$root" "$version"
	printf '%s\n' "$@" >"$tree/etc/modules"
	modprobe -d "$root" -S "$version" -a --show-depends "$@" |
		sed -n "s|^insmod $root/\([^ ]*\).*|\1|p" | sort -u | while read -r module; do
		install -D -m 0644 "$root/$module" "$tree/usr/$module"
	done
	cp "$root/lib/modules/$version"/modules.{builtin,builtin.modinfo,order} \
		"$tree/usr/lib/modules/$version/"
	depmod -b "$tree" "$version"
	rm -rf "$root"
}

# image_pack TREE FILE: pack an initramfs, compressed with zstd.
image_pack() {
	(cd "$1" && find . -print0 | sort -z | cpio -0 -o -H newc --quiet -R 0:0 --reproducible) |
		zstd -q -19 -f -o "$2"
	chmod 600 "$2"
}
