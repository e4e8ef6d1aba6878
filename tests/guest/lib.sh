# shellcheck shell=bash
# For scripts that run in a guest (tools/guest): counts what held and what did not, and says
# so at the end. A script sources it, checks, and ends with finish.
#
# MORTISE is the program under test. With MORTISE=cryptsetup the referee is tested against
# itself, which shows whether a script asks for what cryptsetup really does.

passed=0
failed=0
work=$(mktemp -d /run/test.XXXXXX)
: "${MORTISE:?the program under test}"

ok() {
	passed=$((passed + 1))
	printf 'ok - %s\n' "$1"
}

fail() {
	failed=$((failed + 1))
	printf 'FAILED - %s\n' "$1"
	[[ $# -lt 2 ]] || printf '    %s\n' "${2//$'\n'/$'\n'    }"
}

# check_status STATUS TEXT COMMAND...: holds when the command ends with this exit status.
# In a function that is called so, set -e does not count: its commands are chained by &&.
check_status() {
	local expected=$1 text=$2 status=0 output
	shift 2

	output=$("$@" </dev/null 2>&1) || status=$?
	if [[ $status -eq $expected ]]; then
		ok "$text"
	else
		fail "$text" "$* ended with $status, not $expected
$output"
	fi
}

# check TEXT COMMAND...
check() {
	check_status 0 "$@"
}

# check_fails TEXT COMMAND...: which exit status says it is not what counts.
check_fails() {
	local text=$1 output
	shift

	if output=$("$@" </dev/null 2>&1); then
		fail "$text" "$* did not fail
$output"
	else
		ok "$text"
	fi
}

# check_equal TEXT GOT EXPECTED
check_equal() {
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		fail "$1" "$(printf 'got:      %s\nexpected: %s' "$2" "$3")"
	fi
}

# check_match TEXT GOT PATTERN: a pattern of the shell's.
check_match() {
	# shellcheck disable=SC2053  # it is a pattern on purpose
	if [[ $2 == $3 ]]; then
		ok "$1"
	else
		fail "$1" "$(printf 'got:          %s\ndoes not fit: %s' "$2" "$3")"
	fi
}

# What the last command printed goes to $work/said, for says.
said() {
	local status=0
	"$@" >"$work/said" 2>&1 || status=$?
	[[ $status -eq 0 ]] || cat "$work/said"
	return "$status"
}

says() {
	grep -qF -- "$1" "$work/said" || {
		cat "$work/said"
		return 1
	}
}

# took COMMAND...: its milliseconds go to $work/took.
took() {
	local begin status=0

	begin=$(date +%s%N)
	"$@" || status=$?
	echo $((($(date +%s%N) - begin) / 1000000)) >"$work/took"
	return "$status"
}

# appears PATH LOG: waits until somebody has made it; the log is shown when nobody does.
appears() {
	local _

	for _ in {1..3000}; do
		[[ ! -e $1 ]] || return 0
		sleep 0.1
	done
	cat "$2"
	return 1
}

# until_holds COMMAND...: tries it 20 times a second. The limit only guards against hanging. Without
# pauses, the guest's one processor would have no time for what is waited for.
until_holds() {
	local end=$((SECONDS + 600))

	until "$@"; do
		[[ $SECONDS -le $end ]] || return 1
		sleep 0.05
	done
}

# traced SYSCALLS COMMAND...: starts the command in the background. These system calls go to
# $work/trace, its process ID to $work/pid and its output to $work/said.
traced() {
	local calls=$1
	shift

	rm -f "$work/trace" "$work/pid"
	# shellcheck disable=SC2016  # for the inner shell
	strace -f -qq -o "$work/trace" -e "trace=$calls" bash -c 'echo $$ >"$0" && exec "$@"' \
		"$work/pid" "$@" </dev/null >"$work/said" 2>&1 &
}

# has_called COUNT PATTERN: the traced command has made so many calls like this.
has_called() {
	[[ $(grep -c "$2" "$work/trace" 2>/dev/null) -ge $1 ]]
}

called_or_ended() {
	has_called "$@" || { [[ -s $work/pid ]] && ! kill -0 "$(cat "$work/pid")" 2>/dev/null; }
}

# until_called COUNT PATTERN: fails if the traced command ends before that.
until_called() {
	until_holds called_or_ended "$@"
	has_called "$@"
}

# executes PID NAME: a process that was started in the background has got as far as this program.
executes() {
	[[ $(cat "/proc/$1/comm" 2>/dev/null) == "$2" ]]
}

# A loop device of $1 MiB, blank, whose memory is taken as it is written to.
blank_device() {
	local file

	file=$(mktemp "$work/disk.XXXXXX")
	truncate -s "${1}M" "$file"
	losetup --find --show "$file"
}

# A script that checked nothing has not succeeded.
finish() {
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[[ $failed -eq 0 && $passed -gt 0 ]]
	exit
}
