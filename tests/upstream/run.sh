#!/usr/bin/env bash
# Run scripts from the tests of cryptsetup 2.6.1 on mortise under the name cryptsetup. Runs in a
# guest: see tools/guest/uml.
#   run.sh DIRECTORY SCRIPT[:SECTIONS]...   DIRECTORY: what tools/cryptsetup-tests prints
# SECTIONS, such as 1-5,22, are the numbers that a script prints: only these parts of it run, for
# example luks2-reencryption-test:6-7. Parts that use devices of earlier parts need these too: 3-5, 6-7,
# 8-9, 10-11, 12-15, 16-17, 18-20, 25-27, 28-31 and 32-36. 16 to 21 take 2 to 4 minutes each.
# A line of a script that fails must be in left-out, which names the reason; a line in left-out that
# does not fail is an error too. With MORTISE=cryptsetup the reference program runs instead, and
# left-out does not apply. With UPSTREAM_LOG=1, the output of the scripts is printed.
# shellcheck disable=SC2154  # work: set in a sourced file
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/guest/lib.sh
. "$here/../guest/lib.sh"
upstream=$1
shift

# The environment that the scripts expect: a writable directory, the program under its name, modprobe
# as the guest has it, and no need to wait for udev.
mkdir "$work/bin"
real_sleep=$(command -v sleep)
# A copy: under load, the guest's view of the host sometimes refuses to execute a file.
cp "$(command -v "$MORTISE")" "$work/bin/cryptsetup"
ln -s /bin/true "$work/bin/udevadm"
# The scripts sleep until udev has seen a disk: 1 to 2 seconds each time.
cat >"$work/bin/sleep" <<END
#!/bin/sh
exec $real_sleep 0.02
END
# They read devices by sectors, to see whether an error is found: 16 times as many system calls. They
# write headers byte by byte.
cat >"$work/bin/dd" <<'END'
#!/bin/bash
case " $* " in
*' bs=1 '*) exec /bin/dd "${@/#bs=1/bs=64K}" iflag=count_bytes,skip_bytes oflag=seek_bytes ;;
*' bs='*) ;;
*' of=/dev/null '*) exec /bin/dd bs=8K "$@" ;;
esac
exec /bin/dd "$@"
END
cat >"$work/bin/modprobe" <<'END'
#!/bin/bash
read -r loader </proc/sys/kernel/modprobe
"$loader" "$@" || exit
[[ $1 == scsi_debug ]] || exit 0
"$loader" sd_mod || exit
for _ in {1..500}; do
	disk=$(grep -ls scsi_debug /sys/block/*/device/model | cut -d/ -f4)
	[[ -z $disk || ! -b /dev/$disk ]] || exit 0
	/bin/sleep 0.01
done
exit 1
END
cat >"$work/bin/modinfo" <<'END'
#!/bin/bash
exec /sbin/modinfo -b "$(dirname "$(cat /proc/sys/kernel/modprobe)")/root" "$@"
END
chmod +x "$work"/bin/{sleep,dd,modprobe,modinfo}
export PATH=$work/bin:$PATH CRYPTSETUP_PATH=$work/bin BASH_ENV=$here/record.sh
# libdevmapper then creates the device nodes itself.
export DM_DISABLE_UDEV=1
export UPSTREAM_FAILED=$work/failed UPSTREAM_SECTIONS=$work/sections
# Section 37 of luks2-reencryption-test has a disk of 512 MiB. What is recorded always has room.
mkdir "$work/space"
mount -t tmpfs -o size=80% tmpfs "$work/space"
tests=$work/space/tests

# left_out SCRIPT: the lines of SCRIPT in left-out, one a line, and marks=NUMBER.
left_out() {
	[[ $MORTISE != cryptsetup ]] || return 0
	awk -v script="$1" '$1 == script { print $2 }' "$here/left-out" | tr , '\n' |
		while IFS=- read -r first last; do
			if [[ $first == marks=* ]]; then echo "$first"; else seq "$first" "${last:-$first}"; fi
		done | sort -u
}

# marks SCRIPT: print how often SCRIPT says that it has passed a case. Three scripts go on without a
# failure after a format or a mapping that the program refuses.
marks() {
	case $1 in
	mode-test) grep -o '\[\(table \|status \)\{0,1\}OK\]' "$work/log" | wc -l ;;
	luks2-integrity-test) grep -c '\[OK\]$' "$work/log" || true ;;
	device-test) grep -oE '\[(512|1024|2048|4096|OK)(/IV)?\]' "$work/log" | wc -l ;;
	*) echo 0 ;;
	esac
}

# What marks prints with cryptsetup.
marks_of() {
	case $1 in
	mode-test) echo 385 ;;
	luks2-integrity-test) echo 32 ;;
	device-test) echo 15 ;;
	*) echo 0 ;;
	esac
}

# The crypto library of mortise re-encrypts neither Twofish nor Serpent data: other ciphers take their
# place in the scripts.
replace_ciphers() {
	if [[ $MORTISE == cryptsetup ]]; then cat; else
		sed 's/twofish-cbc/camellia-cbc/g; /luksFormat\|reencrypt/s/\(twofish\|serpent\)-xts/aes-xts/g'
	fi
}

# only SECTIONS: empty the lines of a script that belong to other sections.
only() {
	local sections

	sections=" $(tr , '\n' <<<"$1" | while IFS=- read -r first last; do
		seq -s ' ' "$first" "${last:-$first}"
	done | tr '\n' ' ')"
	awk -v sections="$sections" '
		match($0, /^\t*echo (-n )?"\[[0-9]+\]/) {
			section = substr($0, RSTART, RLENGTH)
			gsub(/[^0-9]/, "", section)
		}
		/^(remove_mapping|exit 0)$/ { section = "" }
		{ print section == "" || index(sections, " " section " ") ? $0 : "" }'
}

# mark_sections: let a script record when each of its sections begins.
mark_sections() {
	sed -E 's/^(\t*echo (-n )?"\[([0-9]+)\].*)/\1; upstream_section \3/'
}

# print_sections: the time of each section that has run.
print_sections() {
	echo "end $(date +%s)" >>"$work/sections"
	awk 'NR > 1 && section != "end" { printf "  section %s: %d s\n", section, $2 - begin }
		{ section = $1; begin = $2 }' "$work/sections"
}

# run SCRIPT[:SECTIONS]: in a copy, in which fail is upstream_failed; lines keep their numbers.
run() {
	local script=${1%%:*} sections=${1#"${1%%:*}"} status=0 begin=$SECONDS checks line count wanted

	rm -rf "$tests"
	cp -r "$upstream" "$tests"
	cd "$tests"
	sed 's/^\(function \)\{0,1\}\(fail\|skip\)()/\2() { upstream_failed "$@"; }; \2_and_exit()/' \
		"$upstream/$script" | replace_ciphers | mark_sections >"$script"
	[[ -z $sections ]] || only "${sections#:}" <"$script" >"$script.only"
	[[ -z $sections ]] || mv "$script.only" "$script"
	checks=$(grep -c '\<fail\>' "$upstream/$script")
	: >"$work/failed"
	: >"$work/sections"
	if [[ -n ${UPSTREAM_LOG-} ]]; then
		bash "./$script" 2>&1 </dev/null | tee "$work/log" || status=$?
	else
		bash "./$script" >"$work/log" 2>&1 </dev/null || status=$?
	fi
	cd /
	sort -u "$work/failed" >"$work/lines"
	left_out "$script" >"$work/left-out"
	printf '%s: %d lines with checks, %d failed, %d s\n' "$script" "$checks" \
		"$(wc -l <"$work/lines")" $((SECONDS - begin))
	print_sections
	if [[ $status -eq 0 ]]; then
		ok "$script runs to its end"
	else
		fail "$script runs to its end" "exit status $status
$(tail -n 5 "$work/log")"
	fi
	count=$(marks "$script")
	wanted=$(sed -n 's/^marks=//p' "$work/left-out")
	check_equal "$script: cases that have passed" "$count" "${wanted:-$(marks_of "$script")}"
	sed -i '/^marks=/d' "$work/left-out"
	while read -r line; do
		fail "$script, line $line" "$(grep -B 3 -A 2 "^FAILED line $line:" "$work/log")"
	done < <(comm -23 "$work/lines" "$work/left-out" | sort -n)
	while read -r line; do
		# Lines of other sections are empty in the copy.
		[[ -n $(sed -n "${line}p" "$tests/$script") ]] || continue
		fail "$script, line $line passes; remove it from tests/upstream/left-out" \
			"$(sed -n "${line}p" "$upstream/$script")"
	done < <(comm -13 "$work/lines" "$work/left-out" | sort -n)
}

for script; do
	run "$script"
done
finish
