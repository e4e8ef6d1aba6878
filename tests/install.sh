#!/bin/bash
# SPDX-License-Identifier: MIT
# What `cmake --install` installs, at a place that it was not configured for, and moved to another one
# afterwards: the headers compile alone, and a program finds the library with CMake and with pkg-config,
# shared and static. The options of a build and docs/building.md agree.
# MORTISE, BUILD.
set -eEuo pipefail
trap 'echo "not ok - line $LINENO: $BASH_COMMAND"' ERR
tree=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

BUILD=$(realpath "$BUILD")
cmake --install "$BUILD" --prefix "$work/installed" > /dev/null
cp -a "$work/installed" "$work/usr"
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
prefix=$work/usr
configure() { # DIRECTORY WANTED PARTS
	cmake -S consumer -B "$1" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED="$2" -DPARTS="$3" \
		-DCMAKE_C_FLAGS="$flags" > "$1.log" 2>&1
}
for place in installed usr; do
	prefix=$work/$place
	configure $place.both 0.1 ""
	grep -q "found mortise $version" $place.both.log
	cmake --build $place.both > both.log 2>&1 || { cat both.log; exit 1; }
	opens $place.both/shared
	opens $place.both/static
	grep -q "libmortise.so.0 => $prefix/" < <(ldd $place.both/shared)
	ldd $place.both/static > static.libraries
	fails grep -q libmortise static.libraries
done
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

# Neither has the names of the other place.
mv "$work/installed" "$work/gone"
clean=1
case $flags in *sanitize*) clean= ;; esac
for prefix in "$work/gone" "$work/usr"; do
	export PKG_CONFIG_PATH
	PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name mortise.pc)")
	[ "$(pkg-config --modversion mortise)" = "$version" ]
	lib=$(pkg-config --variable libdir mortise)
	export LD_LIBRARY_PATH=$lib
	eval "cc $flags consumer/example.c -o shared $(pkg-config --cflags --libs mortise)"
	eval "cc $flags consumer/example.c -o static $(pkg-config --cflags mortise) $lib/libmortise.a \
		$(pkg-config --libs-only-l --static mortise | sed 's/-lmortise//')"
	opens ./shared
	opens ./static
	grep -q "libmortise.so.0 => $(realpath "$lib")/" < <(ldd ./shared)
	# getaddrinfo(3) and dlopen(3) in OpenSSL get a warning.
	if [ -n "$clean" ]; then
		eval "cc -static $flags consumer/example.c -o all_static \
			$(pkg-config --static --cflags --libs mortise)" 2> link.log ||
			{ cat link.log; exit 1; }
		opens ./all_static
	fi
done
unset LD_LIBRARY_PATH
echo "ok - pkg-config, installed and moved"

# /usr in a root for a cross compiler: pkg-config puts the root in front of the paths, once.
DESTDIR=$work/root cmake --install "$BUILD" --prefix /usr > /dev/null
PKG_CONFIG_PATH=$(dirname "$(find "$work/root" -name mortise.pc)")
[ "$(pkg-config --variable prefix mortise)" = /usr ]
case $(pkg-config --cflags mortise) in *-I/usr/include | *"-I/usr/include "*) exit 1 ;; esac
export PKG_CONFIG_SYSROOT_DIR=$work/root
lib=$(dirname "$PKG_CONFIG_PATH")
eval "cc $flags consumer/example.c -o shared $(pkg-config --cflags --libs mortise)"
LD_LIBRARY_PATH=$lib opens ./shared
case $(pkg-config --cflags mortise) in *"$work/root$work"*) exit 1 ;; esac
unset PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_PATH
echo "ok - pkg-config in a root"

# The same targets in a project that contains mortise. An absolute directory is taken as it is.
cat > consumer/CMakeLists.txt << 'END'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
add_subdirectory(${TREE} mortise)
foreach(kind mortise static)
	add_executable(${kind}_user example.c)
	target_link_libraries(${kind}_user PRIVATE mortise::${kind})
endforeach()
END
cmake -S consumer -B inside -G Ninja -DTREE="$tree" -DCMAKE_INSTALL_LIBDIR=/opt/lib \
	-DMORTISE_CRYPTSETUP_NAME=ON -DMORTISE_SYSTEMD=ON > inside.log 2>&1 || { cat inside.log; exit 1; }
ninja -C inside -t commands mortise_user static_user > commands
grep -q -- "$tree/include .*-o CMakeFiles/static_user.dir" commands
grep -q -- "-o mortise_user .* mortise/libmortise.so" commands
grep -q -- "-o static_user .* mortise/libmortise.a .*json-c" commands
fails grep -q "tests/" commands
grep -qx "libdir=/opt/lib" inside/mortise/mortise.pc
fails grep -q pcfiledir inside/mortise/mortise.pc
echo "ok - add_subdirectory"

# The name cryptsetup: a link to the program, and a manual page.
mkdir name
touch inside/mortise/mortise inside/mortise/libmortise.{a,so,so.0,so.$version}
DESTDIR=$work/name cmake --install inside/mortise --prefix /usr > install.log
[ "$(readlink name/usr/sbin/cryptsetup)" = mortise ]
[ "$(cat name/usr/share/man/man8/cryptsetup.8)" = ".so man8/mortise-luks.8" ]
[ -e name/usr/share/man/man8/mortise-luks.8 ]
[ -e "$(find name -path '*tmpfiles.d/mortise.conf')" ]
fails test -e usr/sbin/cryptsetup
echo "ok - MORTISE_CRYPTSETUP_NAME"

# Each option is listed with a text, and documented.
cmake -LH -N "$BUILD" > options
sed -n 's/^\(MORTISE_[A-Z0-9_]*\):.*/\1/p' options | sort > listed
sed -n 's/^| `\(MORTISE_[A-Z0-9_]*\)`.*/\1/p' "$tree/docs/building.md" | sort > documented
# An option that depends on another one that is off is not listed.
[ -s listed ] && [ -z "$(comm -23 listed documented)" ]
[ "$(grep -B 1 '^MORTISE_' options | grep -c '^// .')" = "$(wc -l < listed)" ]
sed -nE 's/^\t*(option|cmake_dependent_option|set)\((MORTISE_[A-Z0-9_]+) (.*)/\2 \1 \3/p' \
	"$tree/CMakeLists.txt" | sed -nE 's/ (.*option .*|set .* CACHE .*)$//p' | sort > declared
diff declared documented
echo "ok - docs/building.md lists the options"
