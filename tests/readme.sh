#!/bin/bash
# SPDX-License-Identifier: MIT
# Compiles the README's example against the installed library with the README's command, once shared
# and once static, and runs it. MORTISE: the program. BUILD: the build directory.
set -euo pipefail
tree=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

BUILD=$(realpath "$BUILD")
cmake --install "$BUILD" --prefix "$work/usr" > /dev/null
sed -n '/^```c$/,/^```$/p' "$tree/README.md" | grep -v '^```' > "$work/example.c"
command=$(sed -n 's/^cc example.c \(.*\)/\1/p' "$tree/README.md")
[ -n "$command" ]

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name mortise.pc)")
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
cd "$work"
# A library built with a sanitizer needs its runtime.
flags=$(sed -n 's/^CMAKE_C_FLAGS:STRING=//p' "$BUILD/CMakeCache.txt")
eval "cc -Wall -Werror $flags example.c -o shared $command"
eval "cc -Wall -Werror $flags example.c -o static -I$work/usr/include \
	$LD_LIBRARY_PATH/libmortise.a $(pkg-config --libs-only-l --static mortise |
		sed 's/-lmortise//')"

truncate -s 20M image
printf right | "$MORTISE" luksFormat -q --key-file - --pbkdf pbkdf2 \
	--pbkdf-force-iterations 1000 -S 5 image
for program in ./shared ./static; do
	[ "$($program image right)" = "keyslot 5" ]
	status=0
	$program image wrong 2> err || status=$?
	[ $status = 2 ]
	[ "$(cat err)" = "No key available with this passphrase." ]
done
echo "ok - README example"
