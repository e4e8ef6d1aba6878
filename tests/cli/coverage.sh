#!/bin/bash
# SPDX-License-Identifier: MIT
# The tables in docs/cryptsetup.md of what is supported of cryptsetup's command line: they have all
# of cryptsetup 2.6.1, what they call supported runs, what they do not is refused by name, and each
# named test exists and contains the action or option.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
need_referee
document=$here/../../docs/cryptsetup.md
without=none
has "benchmark yes" || without="$without|benchmark"
has "luks1 yes" || without="$without|convert"
has "reencrypt yes" ||
	without="$without|(active-name|(de|en)crypt|force-offline-reencrypt|hotzone-size|init-only|keep-key|new|reduce-device-size|reencrypt|resilience(-hash)?|resume-only)"

# table SECTION: its rows: name, support and tests, separated by tabs.
table() {
	awk -F ' *[|] *' -v section="## $1" '
		/^## /{ on = $0 == section }
		on && $2 ~ /^`/ { gsub(/`/, ""); print $2 "\t" $(NF - 2) "\t" $(NF - 1) }' "$document"
}
table Actions >actions.table
table "Older names" >aliases.table
table Options | sed 's/^--//' >options.table
# Rows of releases after 2.6.1.
grep -E '^\| `[^|]*\| [^|]*since' "$document" | sed 's/^| `\(--\)\{0,1\}\([^`]*\)`.*/\2/' >later

# names TABLE yes|no: the names with this support.
names() {
	awk -F '\t' -v want="$2" 'index($2, want) == 1 { print $1 }' "$1.table"
}
for list in actions aliases options; do
	names $list yes | grep -vxE "$without" >$list
	names $list no >no_$list
	[ -s $list ] && [ $(($(names $list yes | wc -l) + $(wc -l <no_$list))) = "$(wc -l <$list.table)" ]
	result $? "each row of the $list says yes or no"
	awk -F '\t' '$2 == "no" || $2 == "no:"' $list.table >reasonless
	[ ! -s reasonless ]
	result $? "each no of the $list has a reason"
	cut -f 1 $list.table | sort | uniq -d >twice
	[ ! -s twice ]
	result $? "no row of the $list is there twice"
done

# Complete: every action and option in the help of cryptsetup. refresh is an action that it lists
# elsewhere; dump-volume-key-file appears in it, but is not an option.
"$referee" --help >help
sed -n '/^<action> is one of/,/^You can also/s/^\t\([A-Za-z0-9]*\) [<[].*/\1/p' help | sort >theirs
cut -f 1 actions.table | grep -vx refresh | sort | diff theirs - >difference
result $? "every action of cryptsetup is listed"
sed 's/^/# /' difference
sed -n '/^  /p' help | grep -oE -- '--[a-z0-9_-]+' | sed 's/^--//' | grep -vx dump-volume-key-file |
	sort -u >theirs
cut -f 1 options.table | grep -vxF -f later | sort | diff theirs - >difference
result $? "every option of cryptsetup is listed"
sed 's/^/# /' difference
sed -n '/old <action> syntax aliases/,/^$/p' help | grep -oE '\b(create|remove|[a-z0-9]+(Open|Close|Erase|Config))\b' |
	sort -u >theirs
cut -f 1 aliases.table | sort -u | comm -13 - theirs >difference
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
	status | close | refresh | luksSuspend | luksResume) checked "$action" 1 ;;
	luksHeader*) checked "$action" 1 --header-backup-file 2 ;;
	convert) checked convert 1 --type luks1 ;;
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
			grep -qE "(Option --$name is not (supported|allowed)|--$option(=1)?: |Action $action)" err ||
				refused=0
		done
	done
	[ $refused = 1 ]
	result $? "no option --$option"
done <no_options

# file_of TEST: the file of a test with this name.
file_of() {
	case $1 in
	cli_tty) echo "$here/tty.exp" ;;
	cli_*) echo "$here/${1#cli_}.sh" ;;
	guest_*) echo "$here/../guest/${1#guest_}.sh" ;;
	upstream_*) echo "$CRYPTSETUP_TESTS/${1#upstream_}" ;;
	*) echo "$here/../$1.c" ;;
	esac
}
# shows NAME PATTERN TESTS: each test exists and has the pattern.
shows() {
	bad=
	[ -n "$3" ] || bad=" none"
	for test in $(echo "$3" | tr ',' ' '); do
		file=$(file_of "$test")
		[ -f "$file" ] || bad="$bad $test does not exist;"
		[ "$test" = cli_coverage ] || [ ! -f "$file" ] || grep -qE -e "$2" "$file" ||
			bad="$bad not in $test;"
	done
	[ -z "$bad" ]
	result $? "the tests of $1${bad:+:$bad}"
}
: "${CRYPTSETUP_TESTS:=$("$here/../../tools/cryptsetup-tests")}"
cat actions.table aliases.table >both
while IFS='	' read -r name _ tests; do
	shows "$name" "(^|[^-[:alnum:]_])$name([^-[:alnum:]_]|\$)" "$tests"
done <both
"$MORTISE" --help >help
while IFS='	' read -r name _ tests; do
	letter=$(sed -n "s/^  \\(-.\\), --${name}[= ].*/\\1/p" help)
	shows "--$name" "--$name([^a-z_-]|\$)${letter:+|[ {\"]$letter}" "$tests"
done <options.table
finish
