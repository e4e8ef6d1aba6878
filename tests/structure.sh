#!/bin/bash
# SPDX-License-Identifier: MIT
# The tree is the architecture: who may include whom, what is exported, the format of the
# code, and what clang-tidy and cppcheck find. BUILD: the build directory.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=0

fail() {
	echo "not ok - $*"
	failed=1
}

# Folder by folder, the folders of ours that it may include; the public header is everybody's.
allowed() {
	case $1 in
	cli) echo "cli" ;;
	volume) echo "volume luks2 dm meta keys" ;;
	luks2) echo "luks2 keys" ;;
	dm | meta) echo "$1 keys/secret.h keys/error.h" ;;
	keys) echo "keys" ;;
	esac
}

includes() {
	local folder file target entry good
	for folder in cli volume luks2 dm meta keys; do
		while IFS=: read -r file target; do
			good=
			for entry in $(allowed $folder); do
				case $target in "$entry" | "$entry"/*) good=1 ;; esac
			done
			[ -n "$good" ] || fail "$file includes $target: $folder may not"
		done < <(grep -rHoP --include='*.[ch]' '^#include "\K[^"]+' $folder)
		! grep -rnE --include='*.[ch]' '#include <(libcryptsetup|libdevmapper)' $folder ||
			fail "$folder uses what we do without"
	done
	! grep -rnE --include='*.[ch]' '#include <(openssl|nettle|mbedtls)/' . --exclude-dir=build |
		grep -v -e '^\./keys/openssl/' -e '^\./keys/nettle/' -e '^\./keys/mbedtls/' \
			-e '^\./tools/musl/' ||
		fail "a crypto library is called outside its folder"
	! grep -rnE --include='*.[ch]' '#include "keys/(crypto\.h|openssl/|nettle/|mbedtls/)' . \
		--exclude-dir=build | grep -v -e '^\./keys/' -e '^\./tests/' ||
		fail "keys/crypto.h is used outside keys/"
	! grep -rlE --include='*.c' 'dm-ioctl\.h' . --exclude-dir=build | grep -v '^\./dm/' |
		grep -v '^\./tests/' || fail "device-mapper is spoken to outside dm/"
}

exports() {
	local strays
	strays=$(nm -D --defined-only "$BUILD/libmortise.so" | awk '{print $3}' |
		grep -v -e '^mortise_' -e '^MORTISE_')
	[ -z "$strays" ] || fail "libmortise.so exports $strays"
	strays=$(nm -g --defined-only "$BUILD/libmortise.a" | awk 'NF == 3 {print $3}' |
		grep -v '^mortise_')
	[ -z "$strays" ] || fail "libmortise.a has global $strays"
	# Every function that the header declares is there, and no other.
	diff <(grep -oP '\bmortise_[a-z0-9_]+(?=\()' include/mortise.h | sort -u) \
		<(nm -D --defined-only "$BUILD/libmortise.so" | awk '$2 == "T" {print $3}' |
			sed 's/@.*//' | sort -u) || fail "the header and the exports differ"
}

format() {
	# shellcheck disable=SC2046
	clang-format --dry-run -Werror $(git ls-files '*.c') || fail "clang-format"
	! git ls-files '*.c' '*.h' '*.sh' '*.md' | xargs grep -nE '[[:space:]]+$' ||
		fail "blanks at the ends of lines"
	! git ls-files '*.c' '*.h' | xargs grep -LE '^/\* SPDX-License-Identifier: MIT \*/$' |
		grep . || fail "a file without its licence line"
}

analysis() {
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1 -I include -I . -D_GNU_SOURCE \
		--suppress=missingIncludeSystem luks2 volume keys dm meta cli || fail "cppcheck"
	# Its status counts, not what a filter behind it found: each finding is an error, and so is
	# a clang-tidy that could not run. On stderr it only counts what it has passed over.
	git ls-files 'luks2/*.c' 'volume/*.c' 'keys/*.c' 'dm/*.c' 'meta/*.c' 'cli/*.c' |
		xargs -P2 -n8 clang-tidy -p "${BUILD:?the build directory}" --quiet 2> /dev/null ||
		fail "clang-tidy"
	git ls-files 'tools/*' '*.sh' .ci/run | while read -r file; do
		case $(head -n1 "$file") in '#!'*sh) echo "$file" ;; esac
	done | xargs shellcheck -x -P SCRIPTDIR -S warning -e SC2154,SC2086 || fail "shellcheck"
}

case ${1-all} in
all)
	includes
	exports
	format
	analysis
	;;
*) "$1" ;;
esac
[ $failed = 0 ] && echo "ok - ${1-all}"
exit $failed
