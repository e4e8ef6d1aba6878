#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Completion for bash, zsh and fish, each asked in the shell itself. A case is a command line that
# ends at the cursor, and the candidates that must and must not be offered.
set -euo pipefail
contrib=$(cd "$(dirname "$0")/../contrib/completion" && pwd)
: "${MORTISE:?the program under test}"
# shellcheck disable=SC1091
. "$(dirname "$0")/cli/lib.sh"
set +e
mkdir -p bin files/sub
ln -s "$(realpath "$MORTISE")" bin/mortise
: >files/header.img
PATH=$PWD/bin:$PATH

# LINE | candidates that must be offered | that must not be offered
cat >cases <<'END'
mortise luksO|@nothing|open
mortise luksF|luksFormat|open
mortise cl|close|open
mortise |open close luksFormat token|tcryptDump --header
mortise open --test|--test-passphrase|--label
mortise open --|--header= --readonly --batch-mode|--label= --pbkdf=
mortise luksFormat --la|--label=|
mortise close --|--deferred --cancel-deferred|--header=
mortise luksFormat --pbkdf |argon2id argon2i pbkdf2|sha256
mortise luksFormat --pbkdf p|pbkdf2|argon2id
mortise config --priority |ignore normal prefer|
mortise open files/|files/header.img|
mortise open --header files/h|files/header.img|
mortise open -d files/h|files/header.img|
mortise open files/header.img |@nothing|files
mortise luksFormat --label=x --pbkdf=pbkdf2 files/|files/header.img|
mortise luksFormat --label x -y files/|files/header.img|
mortise token |import export remove|files
mortise token import files/|files/header.img|export
mortise -q luksFormat --la|--label=|
mortise frobnicate |@nothing|open
mortise frobnicate --|@nothing|--header
END
# "=" is a part of the word in zsh and fish.
cat >cases.equals <<'END'
mortise luksFormat --pbkdf=|--pbkdf=argon2id --pbkdf=pbkdf2|
mortise open --header=files/h|--header=files/header.img|
END

# judge SHELL CASES: the function of this name prints the candidates, one a line.
judge() {
	local shell=$1 line wanted unwanted word offered bad

	while IFS='|' read -r line wanted unwanted; do
		bad=
		offered=$("$shell" "$line" 2>err)
		for word in $wanted; do
			if [[ $word == @nothing ]]; then
				[[ -z $offered ]] || bad+=" not:$offered"
			else
				grep -qxF -- "$word" <<<"$offered" || bad+=" missing:$word"
			fi
		done
		for word in $unwanted; do
			! grep -qxF -- "$word" <<<"$offered" || bad+=" wrong:$word"
		done
		[[ ! -s err ]] || bad+=" $(head -n 1 err)"
		[[ -z $bad ]]
		result $? "$shell: $line"
		[[ -z $bad ]] || printf '# %s\n' "$bad"
	done <"$2"
}

by_bash() {
	bash --norc -c '
		# compopt works only while bash completes.
		compopt() { :; }
		. "$1"
		line=$2
		read -ra COMP_WORDS <<<"${line//=/ = }"
		[[ $line != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_mortise "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		((${#COMPREPLY[@]} == 0)) || printf "%s\n" "${COMPREPLY[@]}"
	' by_bash "$contrib/mortise.bash" "$1"
}

by_fish() {
	HOME=$PWD fish --no-config -c '
		source $argv[1]
		complete -C $argv[2] | string replace -r "\t.*" ""
	' "$contrib/mortise.fish" "$1"
}

# Outside of zsh's completion, its commands do not exist: here they print the candidates.
by_zsh() {
	zsh -f -c '
		compadd() {
			local suffix= before=$IPREFIX
			while [[ $1 == -* && $1 != -- ]]; do
				[[ $1 != -S ]] || suffix=$2
				shift 2
			done
			shift
			local word
			for word; do [[ $word != $PREFIX* ]] || print -r -- $before$word$suffix; done
		}
		_files() { local word; for word in $PREFIX*(N); do print -r -- $IPREFIX$word; done }
		_describe() { compadd -- ${${(P)2}%%:*} }
		compset() { IPREFIX=${PREFIX%%=*}=; PREFIX=${PREFIX#*=}; }
		words=(${(z)2}) IPREFIX=
		[[ $2 != *" " ]] || words+=("")
		CURRENT=$#words PREFIX=$words[-1]
		. $1/_mortise
	' by_zsh "$contrib" "$1"
}

judge by_bash cases
for shell in zsh fish; do
	if command -v "$shell" >/dev/null; then
		judge "by_$shell" cases
		judge "by_$shell" cases.equals
	else
		echo "# $shell is not installed"
	fi
done
finish
