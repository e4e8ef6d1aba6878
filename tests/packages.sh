#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds and checks packages.
#   tests/packages.sh TOPIC...
#   dist       the release tarball and its SBOM: the same bytes from another clone, and what is refused
#   debian     dpkg-buildpackage without unit tests, lintian, and the packages used as they are unpacked
#   debian_twice  builds them once more, with unit tests, at another time and place, with another umask,
#              locale, time zone and number of jobs: the same bytes
#   debian_root  installs, uses, updates and purges them in a root that debootstrap makes; as root
#   recipes    the recipes agree with the tree: version, options, checksums of the license; shellcheck.
#              BUILDROOT: a tree of Buildroot, whose check-package and Kconfig read packaging/buildroot
#   arch       makepkg, and pacman installs the package in a new root; as root
#   encrypted_root  boots encrypted roots in User Mode Linux and QEMU, with the initramfs of initramfs-tools, and
#              of dracut with and without systemd; and, if MKINITCPIO or MKINITFS is a tree of its source,
#              with that of mkinitcpio or mkinitfs; as root
#   cross      builds for 64-bit and 32-bit Arm, RISC-V and s390x (big-endian) with tools/cross, and runs
#              unit tests and the comparison with cryptsetup on files in QEMU's user emulation.
#              ARCHITECTURES: a part of them
#   examples   runs the commands of examples/*/README.md, which boot each image in QEMU, and prints the
#              sizes of their initramfs. EXAMPLES: a part of them
#   alpine     runs the functions of the APKBUILD without abuild, on this machine's C library
#   site       chromium looks at each page of the documentation (tests/site.sh)
# Packages come from the archives that apt on this machine uses. PACKAGES: where to build (default:
# build/packages).
set -eEuo pipefail
trap 'echo "not ok - line $LINENO: $BASH_COMMAND"' ERR
cd "$(dirname "$0")/.."
packages=$(realpath -m "${PACKAGES:-build/packages}")
mkdir -p "$packages"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
exec 9> "$packages/lock"
flock 9

# For the table at the end: what a topic does, and in $size, how large its result is.
declare -A shown=(
	[dist]="packed twice, compared, verified"
	[debian]="built, checked by lintian, used"
	[debian_twice]="built again with unit tests, compared"
	[debian_root]="installed, used, updated, purged"
	[recipes]="compared with the tree only"
	[arch]="built by makepkg, installed by pacman, used"
	[encrypted_root]="booted, see above"
	[cross]="built for other processors, tested in an emulator"
	[examples]="built, booted in QEMU"
	[alpine]="functions run without abuild, used"
	[site]="each page looked at in a browser"
)

# needs PROGRAM...: skip the test without them.
needs() {
	local program

	for program; do
		command -v "$program" > /dev/null || {
			echo "# $program is not installed"
			exit 77
		}
	done
}

# fails COMMAND...: with an error of tools/dist.
fails() {
	! "$@" > "$work/log" 2>&1 && grep -q '^tools/dist: ' "$work/log"
}

# verify_dist DIRECTORY: what the SBOM says is in the tarball, and nothing else.
verify_dist() {
	local name

	name=$(basename "$1"/*.tar.xz .tar.xz)
	(cd "$1" && sha256sum --check --quiet SHA256SUMS)
	rm -rf "$work/unpacked"
	mkdir "$work/unpacked"
	tar -C "$work/unpacked" -xf "$1/$name.tar.xz"
	[ "$(ls "$work/unpacked")" = "$name" ]
	jq -r '.files[] | "\(.checksums[1].checksumValue)  \(.fileName)"' "$1/$name.spdx.json" \
		> "$work/sums"
	(cd "$work/unpacked/$name" && sha256sum --check --quiet "$work/sums")
	diff <(cd "$work/unpacked/$name" && find . ! -type d | LC_ALL=C sort) \
		<(jq -r '.files[].fileName' "$1/$name.spdx.json")
	# SPDX's verification code is the checksum of the sorted checksums of all files.
	[ "$(jq -r '.packages[0].packageVerificationCode.packageVerificationCodeValue' \
		"$1/$name.spdx.json")" = "$(cd "$work/unpacked/$name" && find . -type f -print0 |
		xargs -0 sha1sum | cut -d ' ' -f 1 | sort | tr -d '\n' | sha1sum | cut -d ' ' -f 1)" ]
	[ "$(jq '[.packages, .files] | add | map(.SPDXID) | length == (unique | length)' \
		"$1/$name.spdx.json")" = true ]
	[ "$(jq '([.packages, .files] | add | map(.SPDXID)) as $known | [.relationships[] |
		select(.relationshipType != "DESCRIBES") | .spdxElementId, .relatedSpdxElement] |
		. - $known == []' "$1/$name.spdx.json")" = true ]
	[ -z "$(find "$work/unpacked" ! -type l -perm /022)" ]
}

dist() {
	local tree=$work/clone

	needs jq xz ssh-keygen
	[ -e .git ] || { echo "# not a git repository" && exit 77; }
	tools/dist --snapshot --output "$work/first" > "$work/log"
	git clone -q . "$tree"
	(
		umask 0077
		export TZ=Asia/Kathmandu HOME=$work XZ_DEFAULTS=--check=crc32
		git config --global core.autocrlf true
		git config --global tar.umask 0077
		cd "$tree"
		tools/dist --snapshot --output "$work/second" > "$work/log"
		rm "$work/.gitconfig"
	)
	diff -r "$work/first" "$work/second"
	verify_dist "$work/first"
	cmake -S "$work"/unpacked/* -B "$work/configured" -DBUILD_TESTING=OFF > "$work/log"
	echo "ok - a snapshot is reproducible"

	(
		cd "$tree"
		export HOME=$work
		git config user.name Test
		git config user.email test@localhost
		version=$(sed -n 's/^#define MORTISE_VERSION "\(.*\)"/\1/p' include/mortise.h)
		fails tools/dist
		git tag -a -m unsigned "v$version"
		fails tools/dist
		grep -q 'not signed' "$work/log"
		git tag -d "v$version" > /dev/null
		ssh-keygen -q -t ed25519 -N '' -f "$work/key"
		git config gpg.format ssh
		git config user.signingKey "$work/key"
		sed -i "s/^## $version,.*/## $version, unreleased/" CHANGELOG.md
		git commit -q --allow-empty -am unreleased
		git tag -s -m "mortise $version" "v$version"
		fails tools/dist
		grep -q 'no date' "$work/log"
		git tag -d "v$version" > /dev/null
		sed -i "s/^## $version,.*/## $version, 2026-12-01/" CHANGELOG.md
		git commit -qam release
		git tag -s -m other v99.0.0
		fails tools/dist v99.0.0
		git tag -s -m "mortise $version" "v$version"
		echo dirty >> README.md
		tools/dist --output "$work/release" > "$work/log"
		[ -e "$work/release/mortise-$version.tar.xz" ]
		[ "$(git get-tar-commit-id < <(xz -dc "$work/release/mortise-$version.tar.xz"))" = \
			"$(git rev-parse HEAD)" ]
		# A library that only one list has.
		sed -i /json-c/d tools/dependencies.txt
		git commit -qam lacks
		if tools/dist --snapshot --output "$work/lacks" > "$work/log" 2>&1; then exit 1; fi
		grep -q 'json-c' "$work/log"
	)
	verify_dist "$work/release"
	size=$(du -b "$work"/release/*.tar.xz | awk '{ print $1 " bytes" }')
	echo "ok - a release is a signed tag"
}

# build_debian DIRECTORY OPTIONS: packaging/debian/build with these DEB_BUILD_OPTIONS.
build_debian() {
	DEB_BUILD_OPTIONS=$2 packaging/debian/build --output "$1" > "$work/build.log" 2>&1 < /dev/null || {
		tail -n 20 "$work/build.log" | cut -c -400
		return 1
	}
}

built=
debian() {
	local said root=$work/unpacked deb

	needs dpkg-buildpackage dh lintian
	build_debian "$packages/debian" "nocheck parallel=2"
	said=$(cd "$packages/debian" && lintian --allow-root --fail-on none *.changes < /dev/null 2>&1) ||
		true
	[ -z "$said" ] || {
		echo "$said"
		return 1
	}
	echo "ok - lintian finds nothing"
	for deb in "$packages"/debian/*.deb; do
		case $deb in *-dbgsym_*) continue ;; esac
		dpkg-deb -x "$deb" "$root"
	done
	packaging/debian/tests/use "$root"
	[ "$(readlink "$root/usr/sbin/cryptsetup")" = mortise ]
	size=$(du -cb "$packages"/debian/{lib,}mortise*[0-9]_*.deb | awk 'END { print $1 " bytes" }')
	# Nothing that cmake --install installs is left out.
	diff <(cd "$packages/debian"/mortise-*/debian/tmp && find . ! -type d | sort |
		sed 's|zsh/site-functions|zsh/vendor-completions|') \
		<(cd "$root" && find . ! -type d ! -path './usr/share/doc/*' \
			! -path './usr/share/lintian/*' | sed '/man/s/\.gz$//' | sort)
	built=1
	echo "ok - Debian packages are complete"
}

debian_twice() {
	local file name

	[ -n "$built" ] || debian
	# dpkg-buildflags leaves -ffile-prefix-map out if the path has a blank.
	(
		umask 0077
		export TZ=Asia/Kathmandu LC_ALL=C.UTF-8 HOME=/nonexistent
		build_debian "$work/elsewhere/at-a-place" "parallel=1"
	)
	for file in "$packages"/debian/mortise_*.{dsc,orig.tar.xz,debian.tar.xz} \
		"$packages"/debian/*.deb; do
		name=$(basename "$file")
		cmp "$file" "$work/elsewhere/at-a-place/$name"
	done
	echo "ok - Debian packages are reproducible"
}

# The archive of Debian that apt has; apt-get update if it has none yet.
mirror() {
	apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)' |
		awk -v release="$1" '$1 == "Packages" && $2 == release && $3 == "main" { uri = $4 }
			END { print uri }'
}

# snapshot: the files in the root, and what dpkg has written down about packages and diversions.
snapshot() {
	(cd "$root" && find . \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp \
		-o -path ./var/cache -o -path ./var/log -o -path ./var/lib/apt \
		-o -path './var/lib/dpkg/status*' -o -path './var/lib/dpkg/*-old' \
		-o -path './var/lib/dpkg/lock*' -o -path ./var/lib/dpkg/triggers/Lock \) -prune \
		-o -printf '%p %m %U %G %l\n' -type f -exec sha256sum {} +) | sort
	chroot "$root" dpkg --list
}

in_root() {
	DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 unshare --mount sh -c \
		'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@" < /dev/null
}

debian_root() {
	local release uri root=$work/root file

	needs debootstrap dpkg-buildpackage dh
	[ "$(id -u)" = 0 ] || {
		echo "# not root"
		exit 77
	}
	[ -n "$built" ] || debian
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	uri=$(mirror "$release")
	[ -n "$uri" ] || { apt-get -q update && uri=$(mirror "$release"); } > "$work/log"
	if [ ! -e "$packages/root.tar" ]; then
		debootstrap --variant=minbase "$release" "$root" "$uri" > "$work/log" 2>&1 ||
			{ tail "$work/log"; return 1; }
		tar -C "$root" --one-file-system -cf "$packages/root.tar.new" .
		mv "$packages/root.tar.new" "$packages/root.tar"
		rm -rf "$root"
	fi
	mkdir "$root"
	tar -C "$root" -xf "$packages/root.tar"
	rm -f "$root/etc/apt/sources.list"
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.{sources,list}; do
		[ ! -e "$file" ] || cp "$file" "$root${file%/*}/"
	done
	apt-config dump | grep '^Acquire' > "$root/etc/apt/apt.conf.d/99host"
	cat > "$root/usr/sbin/policy-rc.d" << 'END'
#!/bin/sh
exit 101
END
	chmod 755 "$root/usr/sbin/policy-rc.d"
	cp -r "$packages"/debian/*.deb "$root/tmp/"
	rm "$root"/tmp/*-dbgsym_*
	cp packaging/debian/tests/{use,name} "$root/tmp/"

	# The dependencies first, so that what the packages themselves leave behind is seen.
	{
		in_root apt-get -q update
		in_root apt-get -q -y --no-install-recommends install gcc libc6-dev pkgconf man-db systemd \
			initramfs-tools cryptsetup-bin
		in_root sh -c 'apt-get -q -y --no-install-recommends install $(
			for file in /tmp/*.deb; do dpkg-deb -f "$file" Depends; done |
			tr "," "\n" | sed "s/ *([^)]*)//; s/^ *//; /mortise/d")'
	} > "$work/log" 2>&1 || { tail "$work/log"; return 1; }
	mkdir -p "$root/lib/modules"
	snapshot > "$work/before"

	in_root sh -c 'dpkg -i /tmp/*.deb' > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	in_root /tmp/use
	in_root /tmp/name
	# Installed, but not enabled.
	[ -e "$root/lib/systemd/system/mortise.service" ]
	[ -z "$(find "$root/etc/systemd" -name 'mortise*')" ]
	[ "$(stat -c %a "$root/run/mortise" "$root/run/cryptsetup" | sort -u)" = 700 ]
	# An image for a kernel without modules.
	mkdir -p "$root/lib/modules/6.0-test"
	echo CONFIG_RD_GZIP=y > "$root/boot/config-6.0-test"
	touch "$root"/lib/modules/6.0-test/modules.{builtin,order,builtin.modinfo}
	in_root depmod 6.0-test
	in_root mkinitramfs -o /tmp/initrd 6.0-test 2> "$work/log" || { cat "$work/log"; return 1; }
	[ "$(stat -c %a "$root/tmp/initrd")" = 600 ]
	in_root lsinitramfs /tmp/initrd > "$work/list"
	grep -qE '^(usr/)?sbin/mortise$' "$work/list"
	grep -qx scripts/local-bottom/mortise "$work/list"
	grep -qx scripts/local-top/mortise "$work/list"
	grep -qx usr/lib/mortise/unlock-root "$work/list"
	rm -r "$root/lib/modules/6.0-test" "$root/boot/config-6.0-test"
	echo "ok - Debian packages are installed and used"

	# The diversion holds through updates of both packages, in either order, and after a removal of
	# one. The purge of mortise-cryptsetup gives the name back.
	{
		in_root sh -c 'dpkg -i /tmp/mortise-cryptsetup_*.deb'
		in_root apt-get -q -y --reinstall install cryptsetup-bin
		in_root /tmp/name
		in_root dpkg --remove cryptsetup-bin
		in_root sh -c 'dpkg --purge mortise-cryptsetup && dpkg -i /tmp/mortise-cryptsetup_*.deb'
		in_root apt-get -q -y install cryptsetup-bin
		in_root /tmp/name
	} > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	in_root dpkg --purge mortise-cryptsetup > "$work/log"
	[ "$(in_root readlink -f /sbin/cryptsetup)" = /usr/sbin/cryptsetup ]
	grep -q '^cryptsetup 2' < <(in_root cryptsetup --version)
	in_root sh -c 'dpkg -i /tmp/*.deb' > "$work/log"
	in_root dpkg --purge mortise-cryptsetup mortise-dracut mortise-initramfs libmortise-dev libmortise0 mortise \
		> "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	snapshot > "$work/after"
	diff "$work/before" "$work/after"
	echo "ok - nothing is left after the purge"
}

# has FILE TEXT
has() {
	grep -qF -- "$2" "$1" || {
		echo "$1 lacks $2"
		return 1
	}
}

recipes() {
	local version md5 sha256 file option name

	needs shellcheck
	[ -e .git ] || { echo "# not a git repository" && exit 77; }
	version=$(sed -n 's/^#define MORTISE_VERSION "\(.*\)"/\1/p' include/mortise.h)
	has packaging/arch/PKGBUILD "pkgver=$version"
	has packaging/alpine/APKBUILD "pkgver=$version"
	has packaging/openwrt/mortise/Makefile "PKG_VERSION:=$version"
	has packaging/nix/package.nix "version = \"$version\""
	has packaging/buildroot/package/mortise/mortise.mk "MORTISE_VERSION = $version"
	[ -e "packaging/yocto/meta-mortise/recipes-security/mortise/mortise_$version.bb" ]
	has packaging/yocto/meta-mortise/conf/layer.conf 'FEATURE_PACKAGES_mortise = "mortise '
	for name in META STATE EPHEMERAL; do
		grep -qE "^part --fstype=none --part-name $name --fixed-size " \
			packaging/yocto/meta-mortise/wic/mortise.wks
	done
	md5=$(md5sum < LICENSE | cut -d ' ' -f 1)
	sha256=$(sha256sum < LICENSE | cut -d ' ' -f 1)
	has packaging/yocto/meta-mortise/recipes-security/mortise/mortise_*.bb "$md5"
	has packaging/buildroot/package/mortise/mortise.hash "$sha256"
	for option in $(git grep -hoE -e '-D(MORTISE_[A-Z0-9_]+)=' -- packaging | sort -u); do
		grep -qE "\(${option:2:-1}\>" CMakeLists.txt || {
			echo "no option ${option:2:-1}"
			return 1
		}
	done
	# The license is stated in each file that may have a comment.
	for file in $(git ls-files packaging | grep -E '/(APKBUILD|PKGBUILD|build|source|rules|tests/[^c].*|S[0-9].*|Makefile|.*\.(bb|nix|init))$'); do
		has "$file" "SPDX-License-Identifier: MIT"
	done
	shellcheck -S warning packaging/source packaging/*/build packaging/debian/tests/{use,name} \
		packaging/debian/*.p{reinst,ostrm}
	shellcheck -S warning -s bash -e SC2034,SC2154,SC2164 packaging/arch/PKGBUILD
	shellcheck -S warning -s dash -e SC2034,SC2154,SC2164,SC3043 packaging/alpine/APKBUILD
	shellcheck packaging/buildroot/package/mortise/S[0-9]*
	openwrt
	if command -v nix-instantiate > /dev/null; then
		for file in packaging/nix/*.nix; do
			nix-instantiate --parse "$file" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
		done
	fi
	if [ -n "${BUILDROOT-}" ]; then
		git ls-files packaging/buildroot | xargs "$BUILDROOT/utils/check-package" -b
		make -C "$BUILDROOT" O="$work/buildroot" BR2_EXTERNAL="$PWD/packaging/buildroot" \
			qemu_x86_64_defconfig > "$work/log" 2>&1 || { tail "$work/log"; return 1; }
		echo BR2_PACKAGE_MORTISE=y >> "$work/buildroot/.config"
		make -C "$work/buildroot" olddefconfig > "$work/log" 2>&1
		if grep 'unmet direct' "$work/log"; then return 1; fi
		make -s -C "$work/buildroot" mortise-show-info 2> "$work/log" |
			jq -e '.mortise.dependencies | contains(["json-c", "libyaml"])' > "$work/log"
	fi
	echo "ok - recipes agree with the tree"
}

# openwrt: the init script of OpenWrt with a stub of rc.common; the program prints its arguments.
openwrt() {
	local bin=$work/openwrt

	mkdir -p "$bin"
	printf '#!/bin/sh\necho "$@"\n' > "$bin/mortise"
	chmod +x "$bin/mortise"
	cat > "$bin/rc.common" << 'END'
config_load() { :; }
config_get_bool() { case $3 in trim) eval "$1=${TRIM-0}" ;; *) eval "$1=${ENABLED-$4}" ;; esac; }
config_get() { case $3 in wait) eval "$1=7" ;; *) eval "$1=\$5" ;; esac; }
config_list_foreach() { for volume in $VOLUMES; do "$3" "$volume"; done; }
procd_add_reload_trigger() { :; }
procd_open_instance() { :; }
procd_set_param() { [ "$1" != command ] || { shift; echo "run $*"; }; }
procd_close_instance() { :; }
END
	run_init() { # FUNCTION
		PATH=$bin:$PATH sh -c '. "$1/rc.common"; . packaging/openwrt/mortise/files/mortise.init
			"$2"' - "$bin" "$1"
	}
	[ "$(run_init start_service)" = $'up --wait 7 --log=kmsg\nrun mortise continue --log=kmsg' ]
	[ "$(VOLUMES="STATE u-x" run_init start_service)" = \
		$'up --wait 7 --log=kmsg STATE u-x\nrun mortise continue --log=kmsg STATE u-x' ]
	[ "$(VOLUMES="STATE u-x" run_init stop_service)" = "down --log=kmsg STATE u-x" ]
	[ -z "$(ENABLED=0 run_init start_service)" ]
	# The line of crond comes once and goes again; other lines stay.
	export CRONTABS=$bin
	TRIM=1 run_init start_service > "$work/log"
	echo "5 4 * * * mortise trim" >> "$bin/root"
	TRIM=1 run_init start_service > "$work/log"
	[ "$(grep -c 'nice mortise trim' "$bin/root")" = 1 ]
	TRIM=1 ENABLED=0 run_init start_service
	[ "$(cat "$bin/root")" = "5 4 * * * mortise trim" ]
	TRIM=1 run_init start_service > "$work/log"
	run_init start_service > "$work/log"
	[ "$(cat "$bin/root")" = "5 4 * * * mortise trim" ]
	unset CRONTABS
	shellcheck -s sh -e SC2034,SC3043 packaging/openwrt/mortise/files/mortise.init
}

# installed ROOT: the program of an unpacked package works.
installed() {
	local program

	program=$(find "$1/usr" -path '*bin/mortise' -type f)
	truncate -s 20M "$work/image"
	printf right | "$program" luksFormat -q --key-file - --pbkdf pbkdf2 \
		--pbkdf-force-iterations 1000 "$work/image"
	printf right | "$program" open --test-passphrase --key-file - "$work/image"
	[ -s "$1/usr/share/man/man8/mortise.8" ] || [ -s "$1/usr/share/man/man8/mortise.8.gz" ]
	[ -d "$1/etc/mortise" ]
}

arch() {
	local output=$packages/arch

	needs makepkg pacman bsdtar setpriv
	[ "$(id -u)" = 0 ] || {
		echo "# not root"
		exit 77
	}
	rm -rf "$output"
	mkdir "$output"
	cp packaging/arch/PKGBUILD "$output/"
	packaging/source "$output" > "$work/log"
	chown -R 65534 "$output"
	chmod 755 "$work"
	(
		cd "$output"
		HOME=$output PKGEXT=.pkg.tar.gz setpriv --reuid 65534 --clear-groups \
			makepkg --nodeps --force > "$work/build.log" 2>&1 < /dev/null
	) || { tail -n 20 "$work/build.log" | cut -c -400; return 1; }
	mkdir -p "$work/arch/var/lib/pacman"
	pacman --root "$work/arch" --dbpath "$work/arch/var/lib/pacman" --noconfirm --noscriptlet -Udd \
		"$output"/mortise-[0-9]*.pkg.tar.gz > "$work/log" 2>&1 || { tail "$work/log"; return 1; }
	pacman --root "$work/arch" --dbpath "$work/arch/var/lib/pacman" -Qkk mortise > "$work/log"
	grep -q ' 0 altered files' "$work/log"
	installed "$work/arch"
	[ -s "$work/arch/usr/lib/systemd/system/mortise.service" ]
	[ -s "$work/arch/usr/share/licenses/mortise/LICENSE" ]
	size=$(du -b "$output"/mortise-[0-9]*.pkg.tar.gz | awk '{ print $1 " bytes" }')
	echo "ok - Arch Linux"
}

alpine() {
	packaging/source "$work/alpine" > "$work/log"
	(
		srcdir=$work/alpine/src pkgdir=$work/alpine/pkg
		mkdir "$srcdir" "$pkgdir"
		tar -C "$srcdir" -xf "$work"/alpine/*.tar.xz
		want_check() { return 1; }
		. packaging/alpine/APKBUILD
		cd "$builddir"
		build && package
	) > "$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" | cut -c -400; return 1; }
	installed "$work/alpine/pkg"
	[ -x "$work/alpine/pkg/etc/init.d/mortise" ]
	[ -s "$work/alpine/pkg/etc/conf.d/mortise" ]
	[ -x "$work/alpine/pkg/etc/periodic/daily/mortise-trim" ]
	echo "ok - Alpine Linux"
}

encrypted_root() {
	local guest system
	# The console agent of systemd does not run in User Mode Linux.
	local -A systems=([uml]="initramfs-tools dracut-plain" [qemu]="initramfs-tools dracut")

	needs unshare qemu-system-x86_64 swtpm
	[ "$(id -u)" = 0 ] || {
		echo "# not root"
		exit 77
	}
	[ -n "$built" ] || debian
	[ -z "${MKINITCPIO-}" ] || systems[uml]+=" mkinitcpio" systems[qemu]+=" mkinitcpio-systemd"
	[ -z "${MKINITFS-}" ] || systems[uml]+=" mkinitfs"
	export MORTISE=$work/unpacked/usr/sbin/mortise
	for guest in uml qemu; do
		for system in ${systems[$guest]}; do
			echo "# $guest, $system"
			PEER=1 tests/guest/encrypted_root "tools/guest/$guest" "$system"
		done
	done
	echo "# failures, late consoles and TPMs"
	tests/guest/encrypted_root tools/guest/uml dracut-plain fails
	tests/guest/encrypted_root tools/guest/qemu initramfs-tools absent
	tests/guest/encrypted_root tools/guest/qemu dracut fails late
	tests/guest/encrypted_root tools/guest/qemu initramfs-tools tpm
	tests/guest/encrypted_root tools/guest/qemu dracut tpm
}

site() {
	tests/site.sh browser
}

# build_cross BUILD ARCHITECTURE OPTION...
build_cross() {
	local build=$1 architecture=$2
	shift 2

	cmake -S . -B "$build" -G Ninja --toolchain "tools/cross/$architecture.cmake" \
		-DMORTISE_WERROR=ON "$@" > "$work/log" 2>&1 || { tail "$work/log"; return 1; }
}

# A program for another processor that uses the installed library, found as by a cross compiler.
linked_cross() { # ARCHITECTURE BUILD
	local root=$work/root-$1 machine emulator
	machine=$(sed -n 's/^set(mortise_machine \(.*\))/\1/p' "tools/cross/$1.cmake")

	rm -rf "$root"
	cp -al "build/cross/$1" "$root"
	DESTDIR=$root cmake --install "$2" --prefix /usr > "$work/log"
	sed -n '/^```c$/,/^```$/p' README.md | grep -v '^```' > "$work/example.c"
	# shellcheck disable=SC2046  # words
	"$machine-gcc" --sysroot="$root" "-B$root/usr/lib/$machine/" "$work/example.c" -o "$work/example" \
		$(PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root/usr/lib/pkgconfig:$root/usr/lib/$machine/pkgconfig \
			pkg-config --cflags --libs mortise) "-Wl,-rpath-link,$root/usr/lib/$machine"
	emulator=$(sed -n 's/^exec \(.*\) --argv0 .*/\1/p' "$2/tests/emulated/mortise")
	[ "$(${emulator/ --library-path / --library-path $root/usr/lib:} "$work/example" "$work/image" \
		right)" = "keyslot 0" ]
}

# Not run in an emulator: its address space and seccomp differ (test_keys_secret, test_rooted); the
# tests replace open(2), which is open64 on 32-bit processors (test_dm_*, test_keys_tpm);
# tests/argon2/cross.sh tests the same in less time; or they take minutes.
emulated='^test_(argon2|dm_block|dm_host|keys_secret|keys_tpm|rooted|luks2_failures|.*_cuts)$'

cross() {
	local architecture build program

	needs {aarch64-linux-gnu,arm-linux-gnueabihf,riscv64-linux-gnu,s390x-linux-gnu}-gcc \
		qemu-{aarch64,arm,riscv64,s390x}
	for architecture in ${ARCHITECTURES:-arm64 armhf riscv64 s390x}; do
		build=$packages/cross-$architecture
		tools/cross/libraries "$architecture"
		build_cross "$build" "$architecture" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
			-DCMAKE_INSTALL_LIBDIR=lib
		cmake --build "$build" --parallel --target unit_tests quick mortise_shared mortise_archive \
			> "$work/log" 2>&1 || { tail "$work/log"; return 1; }
		ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel 2 --timeout 600 \
			--label-regex unit --exclude-regex "$emulated" > "$work/log" ||
			{ tail -n 60 "$work/log"; return 1; }
		ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel 2 --timeout 3000 \
			--tests-regex '^cli_interop$' > "$work/log" ||
			{ tail -n 60 "$work/log"; return 1; }

		# Offsets beyond 32 bits, and a header that this machine's cryptsetup opens.
		program=$build/tests/emulated/mortise
		rm -f "$work/image"
		truncate -s 5G "$work/image"
		printf right | "$program" luksFormat -q --key-file - --pbkdf-memory 1024 \
			--pbkdf-force-iterations 4 "$work/image"
		printf right | cryptsetup open --test-passphrase --key-file - "$work/image"
		printf right | "$program" open --test-passphrase --key-file - "$work/image"
		linked_cross "$architecture" "$build"

		build_cross "$build-static" "$architecture" -DCMAKE_BUILD_TYPE=MinSizeRel -DMORTISE_STATIC=ON \
			-DMORTISE_CRYPTO=nettle -DMORTISE_BENCHMARK=OFF -DBUILD_TESTING=OFF
		cmake --build "$build-static" --parallel > "$work/log" 2>&1 || { tail "$work/log"; return 1; }
		program=$(sed -n 's/^set(mortise_emulator \(.*\))/\1/p' "tools/cross/$architecture.cmake")
		printf right | "$program" "$build-static/mortise" open --test-passphrase --key-file - \
			"$work/image"
		size+="$architecture $(stat -c %s "$build-static/mortise"), "
		echo "ok - $architecture"
	done
	size="static: ${size%, }"
	tests/argon2/cross.sh arm:arm-linux-gnueabihf-gcc:portable riscv64:riscv64-linux-gnu-gcc:portable
}

examples() {
	local page name word

	needs cpio zstd jq qemu-system-x86_64 busybox mkfs.xfs mkfs.ext4 sfdisk depmod npm
	for page in examples/*/README.md; do
		name=$(basename "${page%/*}")
		[[ " ${EXAMPLES:-$name} " = *" $name "* ]] || continue
		# The files in the first column of its table.
		for word in $(sed -n 's/^| \(`[^|]*\)|.*/\1/p' "$page" | tr -d '`,'); do
			[ -e "${page%/*}/$word" ] || {
				echo "$page names $word"
				return 1
			}
		done
		sed -n '/^```sh$/,/^```$/p' "$page" | grep -v '^```' > "$work/commands"
		[ -s "$work/commands" ]
		bash -eu "$work/commands" > "$work/log" 2>&1 < /dev/null || { tail -n 40 "$work/log"; return 1; }
		grep "^ok - $name" "$work/log"
		sed -n 's/^initramfs: \([0-9]*\) .*cryptsetup: \([0-9]*\) .*/\1 \2/p' "$work/log" |
			while read -r own peer; do printf '%-16s %11d %19d\n' "$name" "$own" "$peer"; done >> "$work/sizes"
	done
	printf '%-16s %11s %19s\n' initramfs bytes "with cryptsetup" && cat "$work/sizes"
}

[ $# -gt 0 ] || {
	echo "usage: tests/packages.sh dist|debian|debian_twice|debian_root|recipes|arch|alpine|encrypted_root|site|cross|examples..." >&2
	exit 1
}
for topic; do
	case $topic in
	dist | debian | debian_twice | debian_root | recipes | arch | alpine | encrypted_root | site | cross | examples)
		SECONDS=0 size=
		"$topic"
		printf '%-14s %-44s %5s s   %s\n' "$topic" "${shown[$topic]}" "$SECONDS" "$size" \
			>> "$work/table"
		;;
	*) echo "unknown topic $topic" >&2 && exit 1 ;;
	esac
done
[ $# -eq 1 ] || cat "$work/table"
