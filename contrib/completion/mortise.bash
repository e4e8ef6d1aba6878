# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion of mortise's command line for bash. Actions, options and arguments are read from what
# --help prints, which the program generates from its own tables.

# _mortise_offer WORD...: the words that begin as the word under the cursor.
_mortise_offer() {
	mapfile -t COMPREPLY < <(compgen -W "$*" -- "$_mortise_word")
}

# _mortise_value NAME: candidates for an argument with this name in the help.
_mortise_value() {
	local name=${1//[]<>[]/}

	case $name in
	*\|*) _mortise_offer "${name//|/ }" ;;
	DIR) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "$_mortise_word") ;;
	name)
		local mappings=(/dev/mapper/*)

		mappings=("${mappings[@]##*/}")
		_mortise_offer "${mappings[@]/#control/}"
		;;
	FILE | PATH | NAME=PATH | device | *file)
		compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$_mortise_word")
		;;
	esac
}

_mortise() {
	local program=$1 PATH=$PATH:/usr/sbin:/sbin help action='' option='' names=() seen=0 i
	local _mortise_word=$2 previous=$3

	# bash makes a word of its own of the "=" in --option=value.
	if [[ $_mortise_word == = ]]; then
		_mortise_word=
	elif [[ $previous == = ]]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} != -* ]] || continue
		action=${COMP_WORDS[i]}
		break
	done
	help=$("$program" ${action:+"$action"} --help 2>/dev/null) || return 0

	# takes_value WORD: WORD is an option with an argument; sets option to its name.
	takes_value() {
		option=
		[[ $1 == -?* && $1 != *=* ]] || return 1
		option=$(sed -n -e "s/^  \(-.,\|   \) $1=\([^ ]*\) .*/\2/p" \
			-e "s/^  $1, --[^ =]*=\([^ ]*\) .*/\1/p" <<<"$help")
		[[ -n $option ]]
	}
	if takes_value "$previous"; then
		_mortise_value "$option"
	elif [[ $_mortise_word == -* ]]; then
		mapfile -t names < <(sed -n -e 's/^  \(-.,\|   \) \(--[^ =]*=\{0,1\}\).*/\2/p' \
			-e 's/^Every action also takes //p' <<<"$help" | tr ' ' '\n')
		_mortise_offer "${names[@]}"
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
	elif [[ -z $action ]]; then
		mapfile -t names < <(sed -n 's/^\t\([A-Za-z0-9]*\) .* - .*/\1/p' <<<"$help")
		_mortise_offer "${names[@]}"
	else
		mapfile -t names < <(sed -n '1s/\[--type <type>\]//;1s/^Usage: .* \[OPTION...\] [^ ]* //p' \
			<<<"$help" | grep -o '\[\{0,1\}<[^>]*>\|\[[a-z0-9|-]*\]')
		for ((i++; i < COMP_CWORD; i++)); do
			if [[ ${COMP_WORDS[i]} == = ]] || { takes_value "${COMP_WORDS[i]}" &&
				[[ ${COMP_WORDS[i + 1]} != = ]]; }; then
				((i++))
			elif [[ ${COMP_WORDS[i]} != -* ]]; then
				((++seen))
			fi
		done
		# The name of a mapping exists already, unless open makes it.
		[[ $action != open && $action != luksOpen || $seen -eq 0 ]] || return 0
		_mortise_value "${names[seen]-}"
	fi
}

complete -F _mortise mortise
