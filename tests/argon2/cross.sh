#!/usr/bin/env bash
# Tests Argon2 on other processors: AArch64 (NEON and C), 32-bit x86 (C) and s390x (C, big-endian).
#   cross.sh [MACHINE:COMPILER:KERNEL]...
# Each program is compiled statically, run with QEMU's user emulation, and compared with tags from
# libargon2. Skipped if a compiler or emulator is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cases=200 memory=1024
targets=("$@")
[[ $# -gt 0 ]] || targets=(aarch64:aarch64-linux-gnu-gcc:neon i386:i686-linux-gnu-gcc:portable
	s390x:s390x-linux-gnu-gcc:portable)

for target in "${targets[@]}"; do
	IFS=: read -r machine compiler _ <<<"$target"
	for program in "qemu-$machine" "$compiler"; do
		if ! command -v "$program" >/dev/null; then
			echo "skipped: $program is not installed"
			exit 77
		fi
	done
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-std=c11 -D_GNU_SOURCE -O2 -Iinclude -I. -Wall -Wextra -Wconversion -Wsign-conversion
	-Wshadow -Wcast-qual -Wmissing-prototypes -Wvla -Werror)
core=(keys/argon2/{arena,argon2,blake2b,core,crew,kernel,kernel_portable,segment}.c
	base/{clock,error,escape,events,file,machine,secret}.c)

"${CC:-cc}" "${flags[@]}" tests/argon2/vectors.c -largon2 -o "$work/vectors"
"$work/vectors" "$cases" "$memory" >"$work/tags"

for target in "${targets[@]}"; do
	IFS=: read -r machine compiler kernel <<<"$target"
	sources=("${core[@]}")
	if [[ $kernel != portable ]]; then
		sources+=("keys/argon2/kernel_$kernel.c")
	fi
	"$compiler" "${flags[@]}" -static "${sources[@]}" tests/argon2/check.c -pthread \
		-o "$work/check-$machine"
	answer=$("qemu-$machine" "$work/check-$machine" "$memory" <"$work/tags") || {
		echo "$machine: $answer"
		exit 1
	}
	echo "$machine: $answer"
	if [[ $answer != *" $kernel"* ]]; then
		echo "$machine: the $kernel kernel was not tested"
		exit 1
	fi
done
