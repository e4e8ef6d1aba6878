#!/bin/bash
# SPDX-License-Identifier: MIT
# The tree is the architecture: who may include whom, what is exported, the format of the
# code, what clang-tidy and cppcheck find, what contrib/ installs, and the manual. BUILD: the build
# directory.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=0

fail() {
	echo "not ok - $*"
	failed=1
}

folders="cli declared bench volume meta disk config luks2 dm keys base"

# The folders whose headers a folder may include, besides include/. DESIGN: docs/architecture.md.
allowed() {
	case $1 in
	cli) echo "cli" ;;
	declared) echo "declared volume meta disk config luks2 dm keys base" ;;
	bench) echo "bench volume luks2 dm keys base" ;;
	volume) echo "volume luks2 dm keys base" ;;
	meta) echo "meta disk config luks2 keys base" ;;
	disk) echo "disk luks2 dm base" ;;
	config) echo "config base" ;;
	luks2) echo "luks2 keys base" ;;
	dm) echo "dm base" ;;
	keys) echo "keys base" ;;
	base) echo "base" ;;
	esac
}

includes() {
	local folder file target entry good
	for folder in $folders; do
		while IFS=: read -r file target; do
			good=
			for entry in $(allowed $folder); do
				case $target in "$entry"/*) good=1 ;; esac
			done
			[ -n "$good" ] || fail "$file includes $target: $folder/ may not include it"
		done < <(grep -rHoP --include='*.[ch]' '^#include "\K[^"]+' $folder)
		! grep -rnE --include='*.[ch]' '#include <(libcryptsetup|libdevmapper)' $folder ||
			fail "$folder/ uses libcryptsetup or libdevmapper"
	done
	! grep -rnE --include='*.[ch]' '#include <(openssl|nettle|mbedtls)/' . --exclude-dir=build |
		grep -v -e '^\./keys/openssl/' -e '^\./keys/nettle/' -e '^\./keys/mbedtls/' \
			-e '^\./tools/musl/' ||
		fail "a crypto library is called outside its folder"
	! grep -rnE --include='*.[ch]' '#include "keys/(crypto\.h|openssl/|nettle/|mbedtls/)' . \
		--exclude-dir=build | grep -v -e '^\./keys/' -e '^\./tests/' ||
		fail "keys/crypto.h is used outside keys/"
	! grep -rn --include='*.[ch]' '#include "luks2/private.h"' . --exclude-dir=build |
		grep -v -e '^\./luks2/' -e '^\./tests/' ||
		fail "luks2/private.h is used outside luks2/"
	# Text from the disk must not control the terminal.
	! grep -rnE --include='*.c' '\b(v?f?printf|f?puts|f?putc|putchar|perror|dprintf)\(' cli |
		grep -v '^cli/output\.c:' || fail "cli/ prints without cli/output.h"
	! grep -rlE --include='*.c' 'dm-ioctl\.h' . --exclude-dir=build | grep -v '^\./dm/' |
		grep -v '^\./tests/' || fail "device-mapper ioctls are issued outside dm/"
}

# Each folder lists its files in its own CMakeLists.txt: none is forgotten, none is found by a pattern.
lists() {
	local file folder
	for file in $(git ls-files '*/CMakeLists.txt' CMakeLists.txt); do
		! grep -nE '\bGLOB(_RECURSE)?\b|REGEX EXCLUDE|EXCLUDE REGEX' "$file" ||
			fail "$file chooses files by a pattern"
	done
	for folder in $folders; do
		while read -r file; do
			grep -qE "(^|[[:space:](])$(basename "$file")([[:space:]),.;]|$)" \
				"$(dirname "$file")/CMakeLists.txt" ||
				fail "$(dirname "$file")/CMakeLists.txt does not list $(basename "$file")"
		done < <(git ls-files "$folder/*.c")
	done
}

exports() {
	local strays
	strays=$(nm -D --defined-only "$BUILD/libmortise.so" | awk '{print $3}' |
		grep -v -e '^mortise_' -e '^MORTISE_')
	[ -z "$strays" ] || fail "libmortise.so exports $strays"
	strays=$(nm -g --defined-only "$BUILD/libmortise.a" | awk 'NF == 3 {print $3}' |
		grep -v '^mortise_')
	[ -z "$strays" ] || fail "libmortise.a has global $strays"
	# Headers, map and libraries have the same functions, and each its version from the map.
	diff <(grep -ohP '\bmortise_[a-z0-9_]+(?=\()' include/*.h | sort -u) \
		<(grep -oE '\bmortise_[a-z0-9_]+' include/mortise.map | sort) ||
		fail "the headers and include/mortise.map differ"
	diff <(awk '/^MORTISE_[0-9.]+ \{/ {node = $1} /^\t\tmortise_/ {sub(";", ""); print $1 "@@" node}' \
		include/mortise.map | sort) \
		<(nm -D --defined-only "$BUILD/libmortise.so" | awk '$2 == "T" {print $3}' | sort) ||
		fail "include/mortise.map and libmortise.so differ"
	diff <(grep -oE '\bmortise_[a-z0-9_]+' include/mortise.map | sort) \
		<(nm -g --defined-only "$BUILD/libmortise.a" | awk '$2 == "T" {print $3}' | sort) ||
		fail "include/mortise.map and libmortise.a differ"
}

format() {
	# shellcheck disable=SC2046
	clang-format --dry-run -Werror $(git ls-files '*.c') || fail "clang-format"
	! git ls-files '*.c' '*.h' '*.sh' '*.md' | xargs grep -nE '[[:space:]]+$' ||
		fail "blanks at the ends of lines"
	! git ls-files '*.c' '*.h' | xargs grep -LE '^/\* SPDX-License-Identifier: MIT \*/$' |
		grep . || fail "a file without its licence line"
}

# With pipefail a pipe fails if its reader ends before its writer has written everything: sometimes.
# `READER < <(WRITER)` does not fail then.
hasty_reader='\|\s*(\\\n\s*|\n\s*)?(grep\s+-\w*[qm]|head\b(?!\s+-[nc]\s*-)|sed\s+(-n\s+)?[^|\n]*[0-9;{]q\b|awk\s[^|\n]*\bexit\b)'

analysis_cppcheck() {
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1 -I include -I . -D_GNU_SOURCE \
		--suppress=missingIncludeSystem --suppress=preprocessorErrorDirective:keys/mbedtls/md.h $folders || fail "cppcheck"
}

analysis_tidy() {
	# Its status counts, not what a filter behind it found: each finding is an error, and so is
	# a clang-tidy that could not run. On stderr it only counts what it has passed over.
	# The analyzer's default limit of 225000 states for each function takes three times as long.
	for folder in $folders; do git ls-files "$folder/*.c"; done |
		xargs -P2 -n8 clang-tidy -p "${BUILD:?the build directory}" --quiet \
			--extra-arg=-Xclang --extra-arg=-analyzer-config \
			--extra-arg=-Xclang --extra-arg=max-nodes=50000 2> /dev/null ||
		fail "clang-tidy"
}

analysis_scripts() {
	! git grep -l pipefail -- ':!*.md' | grep -vx tests/structure.sh |
		xargs perl -0777 -ne 's/\|\|//g;
			print "$ARGV: $&\n" while /'"$hasty_reader"'/g' | grep . ||
		fail "a pipe that fails if its reader ends first"
	git ls-files 'tools/*' 'examples/*' '*.sh' .ci/run | while read -r file; do
		case $(head -n1 "$file") in '#!'*sh) echo "$file" ;; esac
	done | xargs shellcheck -x -P SCRIPTDIR -S warning -e SC2154,SC2086 || fail "shellcheck"
}

# Phrases of the dialect that this tree was once written in, as Perl regular expressions. A line
# break inside a comment counts as a blank.
phrases='
\b(is|are|was|were) told\b
(?<!there )\b(is|was) no (?!longer\b|more than\b|less than\b)
(?<!there )(?-i:\bis none\b)
\bstands\b(?! for\b)
\bgoes by\b
\b(is|can be|could be) had\b
\bin step\b
\banew\b
\bbeside\b
\b(nobody|somebody)\b
\bsuch an?\b
\bwhat is looked at\b
\bthe way out\b
\bof that name\b
\bis meant\b
'

# find_phrases FILE...: prints FILE: PHRASE for each one found.
find_phrases() {
	PHRASES=$phrases perl -0777 -ne '
		s/\n[ \t]*(?:\*|#|\/\/|\.\\")?[ \t]*/ /g;
		s/"[ \t]+"//g;
		for my $phrase (grep { length } split(/\n/, $ENV{PHRASES})) {
			print "$ARGV: ", substr($_, $-[0] > 30 ? $-[0] - 30 : 0, 80), "\n" while /$phrase/gi;
		}' "$@"
}

language() {
	local found sample work
	found=$(git ls-files | grep -vE '^tests/(structure\.sh|vectors/|fuzz/corpus/)|\.svg$|package-lock\.json$' |
		xargs -d '\n' bash -c 'for file; do [ -L "$file" ] || echo "$file"; done' - |
		while read -r file; do find_phrases "$file"; done)
	[ -z "$found" ] || {
		echo "$found"
		fail "phrases that docs/architecture.md, \"Language\", rules out"
	}
	# The lint finds each of them, also across a line break.
	work=$(mktemp)
	while read -r sample; do
		printf '/* a\n * %s\n */\n' "${sample//_/$'\n * '}" > "$work"
		[ -n "$(find_phrases "$work")" ] || fail "the lint passes \"$sample\""
	done << 'END'
the caller is told
they are told
this is no header
this is none
it stands in the header
it goes by the name
a key is had
a key that can_be had
keys are in_step
read anew
the file beside it
nobody asks
somebody asks
such a key
what is_looked at
the way_out
a mapping of that name
what is_meant
END
	rm -f "$work"
}

# What contrib/ installs, and what the tools of those who run it think of it.
boot() {
	local work said trim
	work=$(mktemp -d)
	cmake -S . -B "$work/build" -DBUILD_TESTING=OFF -DMORTISE_SYSTEMD=ON \
		-DMORTISE_SYSTEMD_INITRD=ON -DMORTISE_INITRAMFS_TOOLS=ON -DMORTISE_DRACUT=ON -DMORTISE_MKINITCPIO=ON \
		-DMORTISE_MKINITFS=ON -DMORTISE_OPENRC=ON > /dev/null &&
		DESTDIR=$work/root cmake --install "$work/build" --component boot > /dev/null ||
		fail "contrib/ cannot be installed"
	diff - <(cd "$work/root" && find . -type f -printf '%m %P\n' |
		sed 's|usr/lib/systemd|lib/systemd|' | sort) << 'END' || fail "other files are installed"
644 etc/conf.d/mortise
644 etc/mkinitfs/features.d/mortise-btrfs.files
644 etc/mkinitfs/features.d/mortise-kms.files
644 etc/mkinitfs/features.d/mortise-tpm.files
644 etc/mkinitfs/features.d/mortise-tpm.modules
644 etc/mkinitfs/features.d/mortise.files
644 etc/mkinitfs/features.d/mortise.modules
644 lib/systemd/system/mortise-continue.path
644 lib/systemd/system/mortise-continue.service
644 lib/systemd/system/mortise-metrics.service
644 lib/systemd/system/mortise-metrics.timer
644 lib/systemd/system/mortise-network.service
644 lib/systemd/system/mortise-root-move.service
644 lib/systemd/system/mortise-root.service
644 lib/systemd/system/mortise-trim.service
644 lib/systemd/system/mortise-trim.timer
644 lib/systemd/system/mortise.service
644 usr/lib/dracut/dracut.conf.d/50-mortise.conf
644 usr/lib/initcpio/hooks/mortise
644 usr/lib/initcpio/install/mortise
644 usr/lib/tmpfiles.d/mortise.conf
644 usr/share/initramfs-tools/conf-hooks.d/mortise
755 etc/init.d/mortise
755 etc/init.d/mortise-continue
755 lib/systemd/system-generators/mortise-root-generator
755 usr/lib/dracut/modules.d/90mortise/module-setup.sh
755 usr/lib/dracut/modules.d/90mortise/mortise-move.sh
755 usr/lib/dracut/modules.d/90mortise/mortise-open.sh
755 usr/lib/mortise/image-files
755 usr/lib/mortise/mkinitfs/init
755 usr/lib/mortise/mkinitfs/nlplug-findfs
755 usr/lib/mortise/unlock-root
755 usr/share/initramfs-tools/hooks/mortise
755 usr/share/initramfs-tools/scripts/local-bottom/mortise
755 usr/share/initramfs-tools/scripts/local-top/mortise
END
	# The daily run of trim: `enabled` adds a link for systemd and a script for cron.
	for trim in off enabled; do
		cmake -DMORTISE_TRIM=$trim "$work/build" > /dev/null &&
			DESTDIR=$work/$trim cmake --install "$work/build" --component boot > /dev/null ||
			fail "MORTISE_TRIM=$trim cannot be installed"
	done
	[ -z "$(find "$work/off" -name '*trim*')" ] || fail "MORTISE_TRIM=off installs trim"
	diff <(cd "$work/root" && { find . ! -type d && echo ./etc/cron.daily/mortise-trim &&
		echo ./lib/systemd/system/timers.target.wants/mortise-trim.timer; } |
		sed 's|usr/lib/systemd|lib/systemd|' | sort) \
		<(cd "$work/enabled" && find . ! -type d | sed 's|usr/lib/systemd|lib/systemd|' | sort) ||
		fail "MORTISE_TRIM=enabled installs other files"
	[ -x "$work/enabled/etc/cron.daily/mortise-trim" ] &&
		[ -s "$(find "$work/enabled" -path '*wants/mortise-trim.timer')" ] ||
		fail "the link or the script of MORTISE_TRIM=enabled"
	mkdir "$work/bin"
	printf '#!/bin/sh\necho "$@" >&2\n' > "$work/bin/mortise"
	chmod +x "$work/bin/mortise"
	said=$(PATH=$work/bin:/usr/bin:/bin "$work/enabled/etc/cron.daily/mortise-trim" 2>&1)
	[ -d /run/systemd/system ] || [ "$said" = "trim --log=kmsg" ] || fail "the script of cron: $said"
	! cmake -DMORTISE_TRIM=maybe "$work/build" > /dev/null 2>&1 || fail "MORTISE_TRIM=maybe"
	! cmake -DMORTISE_TRIM=enabled -DMORTISE_DECLARED=OFF "$work/build" > /dev/null 2>&1 ||
		fail "MORTISE_TRIM=enabled without the verb"
	# Without another option, the script of cron alone; in another directory, too.
	cmake -S . -B "$work/cron" -DBUILD_TESTING=OFF -DMORTISE_TRIM=enabled \
		-DMORTISE_CRON_DIR=/etc/periodic/daily > /dev/null &&
		DESTDIR=$work/alone cmake --install "$work/cron" --component boot > /dev/null &&
		[ "$(cd "$work/alone" && find . ! -type d)" = ./etc/periodic/daily/mortise-trim ] ||
		fail "MORTISE_TRIM=enabled without an init system"
	# Variables and files that are there where the scripts run; every sh of theirs has local.
	grep -rlE '^#!/(bin/sh|sbin/openrc-run)$' contrib |
		xargs shellcheck -s sh -e SC1090,SC1091,SC2034,SC2154,SC2317,SC3043 || fail "shellcheck"
	diff <(grep -oE 'mortise_[a-z]+' contrib/openrc/mortise.initd | sort -u) \
		<(sed -n 's/^#\(mortise_[a-z]*\)=.*/\1/p' contrib/openrc/mortise.confd | sort) ||
		fail "conf.d of OpenRC does not list what the service knows"
	# It wants the program installed, and says what it finds without an exit status.
	find "$work/root" -name '*.service' \
		-exec sed -i "s|=mortise |=$(realpath "$BUILD")/mortise |; s|=/usr/lib/mortise|=$PWD/contrib/initramfs|" {} +
	said=$(find "$work/root" -name '*.service' -exec systemd-analyze --man=no verify {} + 2>&1)
	[ -z "$said" ] || fail "systemd-analyze: $said"
	rm -rf "$work"
}

# The manual: its syntax, its agreement with the headers, its examples, and its names.
manual() {
	local work example page name warnings='-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror'
	work=$(mktemp -d)
	mandoc -T lint -W warning docs/*.[1-9] || fail "mandoc"
	tests/manual.pl || fail "docs/*.3 and include/*.h differ; tests/manual.pl --update may help"
	for page in docs/*.[0-9]; do
		grep -qE "(^|[[:space:]])$(basename "$page")(\)|$)" docs/CMakeLists.txt ||
			fail "docs/CMakeLists.txt does not list $(basename "$page")"
	done
	tests/manual.pl --examples "$work" || fail "no examples"
	for example in "$work"/*.c; do
		cc $warnings -I include -fsyntax-only "$example" ||
			fail "example $(basename "$example" .c) cannot be compiled"
	done
	# The example of mortise.3 is a program.
	truncate -s 20M "$work/image"
	cc $warnings -I include "$work/mortise.3-1.c" -o "$work/example" "$BUILD/libmortise.so" \
		-Wl,-rpath,"$(realpath "$BUILD")" &&
		[ "$(printf secret | "$work/example" "$work/image")" = \
			"added keyslot 0, opened keyslot 0" ] &&
		printf secret | cryptsetup open --test-passphrase --key-file - "$work/image" ||
		fail "the example of mortise.3"
	cmake --install "$BUILD" --prefix "$work/usr" > /dev/null || fail "cmake --install"
	for name in $(sed -n 's/^\.Nm \(mortise_[a-z0-9_]*\).*/\1/p' docs/*.3); do
		[ -n "$(find "$work/usr" -path "*/man3/$name.3")" ] || fail "man 3 $name finds nothing"
	done
	rm -rf "$work"
}

analysis() {
	analysis_cppcheck
	analysis_tidy
	analysis_scripts
}

case ${1-all} in
all)
	includes
	lists
	exports
	format
	analysis
	language
	boot
	manual
	;;
*) "$1" ;;
esac
[ $failed = 0 ] && echo "ok - ${1-all}"
exit $failed
