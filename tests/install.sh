#!/bin/bash
# SPDX-License-Identifier: MIT
# What `cmake --install` installs, at a place that it was not configured for: the headers compile
# alone, and a program finds the library with CMake and with pkg-config, shared and static.
# MORTISE, BUILD.
set -eEuo pipefail
trap 'echo "not ok - line $LINENO: $BASH_COMMAND"' ERR
tree=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

BUILD=$(realpath "$BUILD")
cmake --install "$BUILD" --prefix "$work/moved" > /dev/null
mv "$work/moved" "$work/usr"
cd "$work"
for file in bash-completion/completions/mortise zsh/site-functions/_mortise \
	fish/vendor_completions.d/mortise.fish; do
	test -s "usr/share/$file"
done
echo "ok - completion is installed for bash, zsh and fish"
flags=$(sed -n 's/^CMAKE_C_FLAGS:STRING=//p' "$BUILD/CMakeCache.txt")
version=$(sed -n 's/^#define MORTISE_VERSION "\(.*\)"/\1/p' usr/include/mortise.h)

for header in mortise.h mortise-declared.h mortise-bench.h; do
	echo "#include <$header>" > header.c
	cc -std=c99 -Wall -Wextra -Wpedantic -Werror -Iusr/include -fsyntax-only header.c
	if command -v c++ > /dev/null; then
		c++ -xc++ -Wall -Wextra -Wpedantic -Werror -Iusr/include -fsyntax-only header.c
	fi
done
echo "ok - each header compiles alone"

truncate -s 20M image
printf right | "$MORTISE" luksFormat -q --key-file - --pbkdf pbkdf2 \
	--pbkdf-force-iterations 1000 -S 5 image
fails() { # COMMAND...
	if "$@"; then
		echo "not ok - this should fail: $*"
		exit 1
	fi
}
opens() { # PROGRAM
	[ "$("$1" image right)" = "keyslot 5" ]
}

mkdir consumer
sed -n '/^```c$/,/^```$/p' "$tree/README.md" | grep -v '^```' > consumer/example.c
cat > consumer/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.16)
project(consumer LANGUAGES C)
find_package(mortise ${WANTED} REQUIRED COMPONENTS ${PARTS})
message(STATUS "found mortise ${mortise_VERSION}")
if(NOT PARTS STREQUAL "static")
	add_executable(shared example.c)
	target_link_libraries(shared PRIVATE mortise::mortise)
endif()
if(TARGET mortise::static)
	add_executable(static example.c)
	target_link_libraries(static PRIVATE mortise::static)
endif()
END
configure() { # DIRECTORY WANTED PARTS
	cmake -S consumer -B "$1" -DCMAKE_PREFIX_PATH="$work/usr" -DWANTED="$2" -DPARTS="$3" \
		-DCMAKE_C_FLAGS="$flags" > "$1.log" 2>&1
}
configure both 0.1 ""
grep -q "found mortise $version" both.log
cmake --build both > both.log 2>&1 || { cat both.log; exit 1; }
opens both/shared
opens both/static
grep -q libmortise.so.0 < <(ldd both/shared)
ldd both/static > static.libraries
fails grep -q libmortise static.libraries
configure archive "$version" static
cmake --build archive > archive.log 2>&1
opens archive/static
echo "ok - find_package(mortise 0.1)"
for wanted in 0.2 1.0 0.0; do
	fails configure "other$wanted" $wanted ""
	grep -q "compatible with requested version" "other$wanted.log"
done
fails configure nothing 0.1 nothing
# Without the libraries that the archive is linked with there is the shared library only.
export PKG_CONFIG_LIBDIR=/nonexistent
configure alone 0.1 ""
cmake --build alone > alone.log 2>&1
opens alone/shared
fails test -e alone/static
fails configure without 0.1 static
unset PKG_CONFIG_LIBDIR
echo "ok - what is not there is not found"

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name mortise.pc)")
[ "$(pkg-config --modversion mortise)" = "$version" ]
lib=$(pkg-config --variable libdir mortise)
export LD_LIBRARY_PATH=$lib
eval "cc $flags consumer/example.c -o shared $(pkg-config --cflags --libs mortise)"
eval "cc $flags consumer/example.c -o static $(pkg-config --cflags mortise) $lib/libmortise.a \
	$(pkg-config --libs-only-l --static mortise | sed 's/-lmortise//')"
opens ./shared
opens ./static
echo "ok - pkg-config"
