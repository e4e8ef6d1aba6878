# shellcheck shell=bash
# Sourced by each of upstream's scripts (BASH_ENV), in which `fail` is a call of this function: it
# records the line of the script that failed, and the script goes on.
upstream_failed() {
	local line=${BASH_LINENO[${#BASH_LINENO[@]} - 2]}

	echo "$line" >>"$UPSTREAM_FAILED"
	printf 'FAILED line %s: %s %s\n' "$line" "$(sed -n "${line}p" "$0")" "$*"
}
