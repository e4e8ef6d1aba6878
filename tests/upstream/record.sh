# shellcheck shell=bash
# Sourced by each of upstream's scripts (BASH_ENV), in which `fail` is a call of this function: it
# records the line of the script that failed, and the script goes on. A line that calls a function of
# the script is followed by the line of the function.
upstream_failed() {
	local line=${BASH_LINENO[${#BASH_LINENO[@]} - 2]} inner=${BASH_LINENO[1]}

	echo "$line" >>"$UPSTREAM_FAILED"
	printf 'FAILED line %s: %s %s\n' "$line" "$(sed -n "${line}p" "$0")" "$*"
	[[ $inner == "$line" ]] ||
		printf 'FAILED line %s: in line %s: %s\n' "$line" "$inner" "$(sed -n "${inner}p" "$0")"
}

# upstream_section NUMBER: a section of the script begins.
upstream_section() {
	echo "$1 $(date +%s)" >>"$UPSTREAM_SECTIONS"
}
