# shellcheck shell=bash disable=SC2034  # the guests use the variables set here
# The common part of both guests: the cache, the command line, packages that are unpacked without
# being installed, and the console, which is the only way to get results out of a guest.
#
# Usage of either:  tools/guest/NAME [OPTION]... SCRIPT [ARGUMENT]...
#   --disk FILE        a raw disk image, which the guest writes to; may be repeated
#   --mem MB           memory of the guest
#   --timeout S        seconds until the guest is killed and the run fails (default: 1800). The limit
#                      only guards against hanging
#   --env NAME=VALUE   environment of SCRIPT; MORTISE is always passed on
#   --answers FILE     type on the console: each second line of FILE, when the console shows the text
#                      of the line before
# bash runs SCRIPT as root, without standard input. Its output goes to standard output, and its
# exit status becomes the exit status of the run. If the guest panics the status is 125, if it hangs
# 124, and the end of its console is printed. Options end at SCRIPT.

guest_fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

guest_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Debian keeps modprobe and similar programs out of the PATH of ordinary users.
PATH=$PATH:/usr/sbin:/sbin
guest_cache=${MORTISE_GUEST_CACHE:-$guest_here/../../build/guest}
guest_mem=1024
guest_timeout=1800
guest_disks=()
guest_env=()
guest_answers=
guest_words=()
guest_script=1
guest_run=
guest_pid=
guest_helpers=()

# Handle an option of one guest only. That guest overrides this function.
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
		--answers) guest_answers=$(realpath -e "$2") ;;
		*) guest_option "$1" "$2" ;;
		esac
		shift 2
	done
	[[ -n $guest_script ]] || return 0
	[[ $# -ge 1 ]] || guest_fail "missing script"
	guest_words=("$(realpath -e "$1")" "${@:2}")
}

# The lock is for two runs that start at the same time in a tree with an empty cache.
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

# The cache is complete: processes started from here on must not inherit its lock.
guest_unlock() {
	exec {guest_lock}>&-
}

guest_end() {
	local status=$?

	trap '' INT TERM HUP
	[[ $status -eq 0 ]] || echo "${0##*/}: exit status $status" >&2
	guest_stop || true
	[[ ${#guest_helpers[@]} -eq 0 ]] || kill "${guest_helpers[@]}" 2>/dev/null || true
	rm -rf "$guest_run"
	exit "$status"
}

# timeout(1) leads its own process group and passes the signal on to all of it.
guest_stop() {
	[[ -n $guest_pid ]] || return 0
	kill -TERM "$guest_pid" 2>/dev/null || return 0
	wait "$guest_pid" 2>/dev/null
}

# Debian removes a package from its servers when a newer version is released, so an old package list
# may name a missing file: then update the list and try once more.
guest_download() {
	# apt downloads as its own user, which cannot enter the temporary directory.
	(cd "$1" && apt-get -q -o APT::Sandbox::User=root download "$2") >&2
}

# Unpack Debian's package $1 into the directory $2; nothing is installed.
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
	echo "updating Debian's package lists" >&2
	apt-get -q update >&2 || guest_fail "apt-get update failed; it needs the network and root"
}

# Write the job and the settings for init. $1: the guest's name, $2: path of the script inside it.
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

# Read the console from standard input, print the lines between the marks, and set guest_status.
# A mark may follow output that does not end with a newline.
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

# A console with input: guest_input.
guest_keyboard() {
	mkfifo "$guest_run/input"
	exec {guest_input}<>"$guest_run/input"
}

# A prompt has no newline at its end.
guest_type() {
	local text answer shown=0

	while IFS= read -r text && IFS= read -r answer; do
		until grep -aqF -- "$text" < <(tail -c +$((shown + 1)) "$guest_run/raw"); do
			sleep 0.1
		done
		shown=$(stat -c %s "$guest_run/raw")
		printf '%s\n' "$answer" >&"$guest_input"
	done <"$guest_answers"
}

# Run the guest's command line; return the exit status of the script in it.
guest_boot() {
	local status=0 input=/dev/null

	guest_status=
	: >"$guest_run/console"
	if [[ -n $guest_answers ]]; then
		: >"$guest_run/raw"
		guest_type &
		guest_helpers+=($!)
		input=$guest_run/input
	fi
	exec {guest_output}< <(exec timeout -k 5 "$guest_timeout" "$@" <"$input" 2>&1 \
		> >(exec tee "$guest_run/raw"))
	guest_pid=$!
	guest_console <&"$guest_output"
	wait "$guest_pid" || status=$?
	guest_pid=
	[[ -z $guest_status ]] || return "$guest_status"

	tail -n ${GUEST_TAIL:-40} "$guest_run/console" >&2
	if [[ $status -eq 124 || $status -eq 137 ]]; then
		echo "${0##*/}: killed after $guest_timeout s" >&2
		return 124
	fi
	echo "${0##*/}: the guest ended without a result (exit status $status)" >&2
	return 125
}
