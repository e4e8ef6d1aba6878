# shellcheck shell=bash disable=SC2034  # the guests use what is set here
# What both guests share: where things are kept, the command line, packages that are unpacked
# without being installed, and the console, which is the only way back from a guest.
#
# Usage of either:  tools/guest/NAME [OPTION]... SCRIPT [ARGUMENT]...
#   --disk FILE        a raw disk image; may be repeated, and is written to
#   --mem MB           memory of the guest
#   --timeout S        seconds until the guest is killed and the run has failed: 1800, which
#                      only guards against hanging
#   --env NAME=VALUE   environment of SCRIPT; MORTISE is handed on by itself
# SCRIPT is run by bash, as root, without standard input. What it prints comes out on standard
# output, and its exit status is ours. A guest that panics or hangs makes 125 or 124, and the
# end of its console is shown. Options end at SCRIPT.

guest_fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

guest_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Debian keeps modprobe and its like out of the PATH of ordinary users.
PATH=$PATH:/usr/sbin:/sbin
guest_cache=${MORTISE_GUEST_CACHE:-$guest_here/../../build/guest}
guest_mem=1024
guest_timeout=1800
guest_disks=()
guest_env=()
guest_words=()
guest_script=1
guest_run=
guest_pid=
guest_helpers=()

# An option that only one of the guests has: overridden there. Leaves in $1 what it did not take.
guest_option() {
	guest_fail "unknown option $1"
}

guest_options() {
	while [[ ${1-} == --* ]]; do
		[[ $# -ge 2 ]] || guest_fail "$1 needs a value"
		case $1 in
		--disk) guest_disks+=("$(realpath -e "$2")") ;;
		--mem) guest_mem=$2 ;;
		--timeout) guest_timeout=$2 ;;
		--env) guest_env+=("$2") ;;
		*) guest_option "$1" "$2" ;;
		esac
		shift 2
	done
	[[ -n $guest_script ]] || return 0
	[[ $# -ge 1 ]] || guest_fail "no script was given"
	guest_words=("$(realpath -e "$1")" "${@:2}")
}

# The lock is for two runs that start at once in a tree where nothing is cached yet.
guest_begin() {
	mkdir -p "$guest_cache"
	guest_cache=$(cd "$guest_cache" && pwd)
	guest_run=$(mktemp -d "${TMPDIR:-/tmp}/mortise-guest.XXXXXX")
	trap guest_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	guest_mark="mortise-guest-$RANDOM$RANDOM"
	exec {guest_lock}>"$guest_cache/lock"
	flock "$guest_lock"
}

# The cache is made: what is started from here on must not keep its lock.
guest_unlock() {
	exec {guest_lock}>&-
}

guest_end() {
	local status=$?

	trap '' INT TERM HUP
	guest_stop || true
	[[ ${#guest_helpers[@]} -eq 0 ]] || kill "${guest_helpers[@]}" 2>/dev/null || true
	rm -rf "$guest_run"
	exit "$status"
}

# timeout(1) leads a process group of its own and passes the signal on to all of it.
guest_stop() {
	[[ -n $guest_pid ]] || return 0
	kill -TERM "$guest_pid" 2>/dev/null || return 0
	wait "$guest_pid" 2>/dev/null
}

# Debian removes a package from its servers when a newer one is out, so what an old list names
# may be gone: one more try with a new list.
guest_download() {
	# apt reads packages as its own user, which cannot enter a directory of ours.
	(cd "$1" && apt-get -q -o APT::Sandbox::User=root download "$2") >&2
}

# Unpacks Debian's package $1 as the directory $2; nothing is installed.
guest_package() {
	local name=$1 into=$2 work=$guest_run/package

	[[ ! -d $into ]] || return 0
	mkdir -p "$work"
	echo "fetching Debian's $name" >&2
	guest_download "$work" "$name" || return 1
	rm -rf "$into.new"
	dpkg -x "$work"/*.deb "$into.new"
	rm -rf "$work"
	mv "$into.new" "$into"
}

guest_refresh() {
	echo "reading Debian's list of packages again" >&2
	apt-get -q update >&2 || guest_fail "apt-get update failed: is the network there, are we root?"
}

# What init and the script are told. $1: the guest's name, $2: path of the script inside it.
guest_job() {
	local guest=$1 script=$2 pair

	guest_unlock
	{
		printf 'export GUEST=%q LC_ALL=C HOME=/run TERM=dumb\n' "$guest"
		printf 'export PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin\n'
		for pair in ${guest_env[@]+"${guest_env[@]}"}; do
			printf 'export %s=%q\n' "${pair%%=*}" "${pair#*=}"
		done
		printf 'cd /\nexec bash %q' "$script"
		printf ' %q' "${guest_words[@]:1}"
		echo
	} >"$guest_run/job"
	printf 'mark=%s\n' "$guest_mark" >"$guest_run/settings"
}

# Reads the console on standard input, shows what stands between the marks, sets guest_status.
# A mark may follow output that did not end its line.
guest_console() {
	local line shown=

	while IFS= read -r line || [[ -n $line ]]; do
		line=${line%$'\r'}
		printf '%s\n' "$line" >>"$guest_run/console"
		case $line in
		*"$guest_mark begin") shown=1 ;;
		*"$guest_mark exit "*)
			guest_status=${line##* }
			line=${line%"$guest_mark exit "*}
			[[ -z $line ]] || printf '%s\n' "$line"
			shown=
			;;
		*) [[ -z $shown ]] || printf '%s\n' "$line" ;;
		esac
	done
}

# Runs the guest's command line and returns with the exit status of the script in it.
guest_boot() {
	local status=0

	guest_status=
	: >"$guest_run/console"
	exec {guest_output}< <(exec timeout -k 5 "$guest_timeout" "$@" </dev/null 2>&1)
	guest_pid=$!
	guest_console <&"$guest_output"
	wait "$guest_pid" || status=$?
	guest_pid=
	[[ -z $guest_status ]] || return "$guest_status"

	tail -n 40 "$guest_run/console" >&2
	if [[ $status -eq 124 || $status -eq 137 ]]; then
		echo "${0##*/}: killed after $guest_timeout s" >&2
		return 124
	fi
	echo "${0##*/}: the guest ended without a result (exit status $status)" >&2
	return 125
}
