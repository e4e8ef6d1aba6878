# shellcheck shell=bash
# For scripts that run in a guest (tools/guest): count the checks that passed and failed, and print
# the result at the end. A script sources this file, runs checks, and ends with finish.
#
# MORTISE is the program under test. With MORTISE=cryptsetup the reference program is tested against
# itself, which shows whether a script expects what cryptsetup really does.

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

# check_status STATUS TEXT COMMAND...: passes if the command exits with this status.
# set -e has no effect inside a function called this way: its commands are chained with &&.
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

# check_fails TEXT COMMAND...: passes on any exit status other than 0.
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

# check_match TEXT GOT PATTERN: PATTERN is a shell pattern.
check_match() {
	# shellcheck disable=SC2053  # the right side is a pattern on purpose
	if [[ $2 == $3 ]]; then
		ok "$1"
	else
		fail "$1" "$(printf 'got:          %s\ndoes not fit: %s' "$2" "$3")"
	fi
}

# said COMMAND...: run it and save its output to $work/said, which says TEXT searches.
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

# took COMMAND...: run it and write its duration in milliseconds to $work/took.
took() {
	local begin status=0

	begin=$(date +%s%N)
	"$@" || status=$?
	echo $((($(date +%s%N) - begin) / 1000000)) >"$work/took"
	return "$status"
}

# appears PATH LOG: wait until PATH exists; on timeout, print LOG.
appears() {
	local _

	for _ in {1..3000}; do
		[[ ! -e $1 ]] || return 0
		sleep 0.1
	done
	cat "$2"
	return 1
}

# until_holds COMMAND...: run COMMAND 20 times a second until it succeeds. The limit only guards
# against hanging. Without pauses, the guest's only processor would have no time for other processes.
until_holds() {
	local end=$((SECONDS + 600))

	until "$@"; do
		[[ $SECONDS -le $end ]] || return 1
		sleep 0.05
	done
}

# traced SYSCALLS COMMAND...: start COMMAND in the background. Writes these system calls to
# $work/trace, the process ID to $work/pid and the output to $work/said.
traced() {
	local calls=$1
	shift

	rm -f "$work/trace" "$work/pid"
	# shellcheck disable=SC2016  # for the inner shell
	strace -f -qq -o "$work/trace" -e "trace=$calls" bash -c 'echo $$ >"$0" && exec "$@"' \
		"$work/pid" "$@" </dev/null >"$work/said" 2>&1 &
}

# has_called COUNT PATTERN: the traced command has made at least COUNT calls that match PATTERN.
has_called() {
	[[ $(grep -c "$2" "$work/trace" 2>/dev/null) -ge $1 ]]
}

called_or_ended() {
	has_called "$@" || { [[ -s $work/pid ]] && ! kill -0 "$(cat "$work/pid")" 2>/dev/null; }
}

# until_called COUNT PATTERN: wait for these calls; fail if the traced command ends before.
until_called() {
	until_holds called_or_ended "$@"
	has_called "$@"
}

# executes PID NAME: the background process has reached execve(2) of this program.
executes() {
	[[ $(cat "/proc/$1/comm" 2>/dev/null) == "$2" ]]
}

# checksum [FILE]...: a CRC, which in a guest takes a tenth of the time of SHA-256.
checksum() {
	cksum "$@"
}

# blank_device MIB: print a blank loop device, whose memory is allocated as it is written.
blank_device() {
	local file

	file=$(mktemp "$work/disk.XXXXXX")
	truncate -s "${1}M" "$file"
	losetup --find --show "$file"
}

# labeled_disk MIB LABEL=MIB...: create a disk with these partitions; print its loop device.
labeled_disk() {
	local file part

	file=$(mktemp "$work/disk.XXXXXX")
	truncate -s "${1}M" "$file"
	shift
	{
		echo 'label: gpt'
		for part; do
			printf 'size=%sMiB, name="%s"\n' "${part#*=}" "${part%=*}"
		done
	} | sfdisk --quiet --no-reread --no-tell-kernel "$file"
	losetup --find --show --partscan "$file"
}

# log_states VERB NUMBER [EXPERIMENT]: for docs/reliability.md; tools/reliability reads it in the output.
log_states() {
	printf 'reliability\t%s\t%s\t%d\n' "$1" "${3:-guest}" "$2"
}

# A script without checks fails.
finish() {
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[[ $failed -eq 0 && $passed -gt 0 ]]
	exit
}
