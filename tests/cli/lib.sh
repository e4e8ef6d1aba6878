# SPDX-License-Identifier: MIT
# Functions for the scripts of this directory. The caller sets MORTISE to the program under test;
# CRYPTSETUP may name the program to compare with, Debian's cryptsetup 2.6.1.

: "${MORTISE:?MORTISE must be the path of the program}"
MORTISE=$(realpath "$MORTISE")
referee=${CRYPTSETUP:-$(command -v cryptsetup || echo /usr/sbin/cryptsetup)}
work=$(mktemp -d "${TMPDIR:-/tmp}/mortise-cli.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1
mkdir as
ln -s "$MORTISE" as/cryptsetup
# Other users may be unable to enter the build directory (tests/quick).
if [ -e "${referee%/*}/preload.so" ]; then
	mkdir quick
	cp "$referee" "${referee%/*}/preload.so" quick
	referee=$work/quick/cryptsetup
fi
count=0
failed=0

# A cheap PBKDF, for tests that do not depend on the cost.
cheap="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"

# has LINE: --version of the program prints this line ("declared yes").
has() {
	"$MORTISE" --version | grep -qx "$1"
}

need_referee() {
	if ! "$referee" --version >/dev/null 2>&1; then
		echo "skipped: no cryptsetup to compare with"
		exit 77
	fi
	case $("$referee" --version) in
	"cryptsetup 2.6.1 "*) ;;
	*)
		echo "skipped: the expected texts are those of cryptsetup 2.6.1"
		exit 77
		;;
	esac
}

result() { # 0|1 description
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=$((failed + 1))
	fi
}

finish() {
	echo "1..$count"
	[ "$failed" = 0 ]
	exit
}

# exits STATUS DESCRIPTION COMMAND...: the command exits with STATUS.
exits() {
	want=$1
	what=$2
	shift 2
	"$@" >out 2>err </dev/null
	got=$?
	if [ "$got" = "$want" ]; then
		result 0 "$what"
	else
		result 1 "$what (status $got, expected $want)"
		sed 's/^/# /' out err
	fi
}

# says STATUS TEXT DESCRIPTION COMMAND...: the command exits with STATUS, and the last line of its
# standard error is TEXT.
says() {
	want=$1
	text=$2
	what=$3
	shift 3
	"$@" >out 2>err </dev/null
	got=$?
	if [ "$got" = "$want" ] && [ "$(tail -n 1 err)" = "$text" ]; then
		result 0 "$what"
	else
		result 1 "$what (status $got, expected $want; or another text)"
		sed 's/^/# /' out err
	fi
}

# same DESCRIPTION ARGUMENT...: both programs, each on its own copy of ./image (named ./x), have the
# same output and exit status. The shell function "feed" writes their standard input.
same() {
	what=$1
	shift
	cp --reflink=auto --sparse=always image x
	feed | "$referee" "$@" >out.c 2>err.c
	status_c=$?
	cp --reflink=auto --sparse=always image x
	feed | as/cryptsetup "$@" >out.m 2>err.m
	status_m=$?
	if [ $status_c = $status_m ] && cmp -s out.c out.m && cmp -s err.c err.m; then
		result 0 "$what"
	else
		result 1 "$what (status $status_m, cryptsetup $status_c)"
		diff out.c out.m | sed 's/^/# /'
		diff err.c err.m | sed 's/^/# /'
	fi
}

feed() { :; }
