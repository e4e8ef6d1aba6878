#!/bin/sh
# SPDX-License-Identifier: MIT
# The lists in mortise-luks(8) of what is supported of cryptsetup 2.6.1: they are complete, what they
# have runs, and what they lack is refused by name.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
need_referee
manual=$here/../../docs/mortise-luks.8
without=none
has "benchmark yes" || without="$without|benchmark"
has "luks1 yes" || without="$without|convert"

# list TITLE: the words of the list, one a line.
list() {
	sed -n "/^\\.It $1\$/{n;s/^\\.[A-Z][a-z] //;s/ , /\n/g;p;}" "$manual" | sed 's/^-*//'
}
list "Supported actions" | grep -vxE "$without" >actions
list "Actions that are not supported" >no_actions
list "Supported aliases" >aliases
list "Aliases of types that are not supported" >no_aliases
list "Supported options" >options
list "Options that are not supported" >no_options

# Complete: every action and option in the help of cryptsetup. refresh is an action that it lists
# elsewhere; dump-volume-key-file appears in it, but is not an option.
"$referee" --help >help
sed -n '/^<action> is one of/,/^You can also/s/^\t\([A-Za-z0-9]*\) [<[].*/\1/p' help | sort >theirs
list "Supported actions" | cat - no_actions | grep -vx refresh | sort | diff theirs - >difference
result $? "every action of cryptsetup is listed once"
sed 's/^/# /' difference
sed -n '/^  /p' help | grep -oE -- '--[a-z0-9_-]+' | sed 's/^--//' | grep -vx dump-volume-key-file |
	sort -u >theirs
sort options no_options | diff theirs - >difference
result $? "every option of cryptsetup is listed once"
sed 's/^/# /' difference
sed -n '/old <action> syntax aliases/,/^$/p' help | grep -oE '\b(create|remove|[a-z0-9]+(Open|Close|Erase|Config))\b' |
	sort -u >theirs
sort -u aliases no_aliases | comm -13 - theirs >difference
[ ! -s difference ]
result $? "every alias of cryptsetup is listed"
sed 's/^/# /' difference

# --test-args checks the action, its arguments and its options, and does nothing.
checked() { # WORD...: two arguments are enough for every action
	"$MORTISE" --test-args "$@" >out 2>err
}
while read -r action; do
	case $action in
	token) checked token export 1 --token-id 0 ;;
	status | close) checked "$action" 1 ;;
	benchmark) checked benchmark ;;
	*) checked "$action" 1 2 ;;
	esac
	result $? "action $action"
done <actions
while read -r action; do
	"$MORTISE" "$action" 1 2 >out 2>err
	[ $? = 1 ] && tail -n 1 err | grep -q "^$MORTISE: Action $action .*is not supported"
	result $? "no action $action"
	[ ! -s out ]
	result $? "no action $action: nothing is printed"
done <no_actions
while read -r alias; do
	checked "$alias" 1 2
	result $? "alias $alias"
done <aliases
while read -r alias; do
	type=${alias%Open}
	"$MORTISE" "$alias" 1 2 >out 2>err
	[ $? = 1 ] && tail -n 1 err | grep -q "^$MORTISE: Type $type .* is not supported; use cryptsetup.$"
	result $? "no alias $alias"
done <no_aliases
"$MORTISE" --help | grep -oE -- '--[a-z0-9_-]+' | sed 's/^--//' | sort -u >ours
sort options | comm -23 - ours >difference
[ ! -s difference ]
result $? "--help shows every supported option"
sed 's/^/# /' difference
sort no_options | comm -12 - ours >difference
[ ! -s difference ]
result $? "--help shows no other option of cryptsetup"
sed 's/^/# /' difference

# An option is refused by its name, or with an action that is not supported either.
while read -r option; do
	name=$option
	[ "$option" != new ] || name=encrypt
	refused=1
	for action in luksDump open luksFormat luksAddKey reencrypt; do
		for value in "" =1; do
			"$MORTISE" "$action" 1 2 "--$option$value" >out 2>err && refused=0
			grep -qE "(Option --$name is not (supported by this version|allowed) with|--$option=?1?: )|Action $action" err ||
				refused=0
		done
	done
	[ $refused = 1 ]
	result $? "no option --$option"
done <no_options
finish
