#!/bin/bash
# shellcheck disable=SC2154  # set in a sourced file
# SPDX-License-Identifier: MIT
# clevis calls the program under the name cryptsetup: each of its commands, with two Tang servers on
# this machine. What works with cryptsetup works with mortise, and the other program opens the device
# after it. clevis 19 adds keyslots to LUKS1 too, which mortise does not.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
need_referee
tangd=/usr/libexec/tangd
for needed in $tangd clevis clevis-luks-bind systemd-socket-activate curl; do
	command -v $needed >/dev/null || {
		echo "skipped: $needed is not installed"
		exit 77
	}
done
mkdir keys theirs
ln -s "$referee" theirs/cryptsetup
${tangd}-keygen keys sig exc
servers=
trap 'kill $servers 2>/dev/null; rm -rf "$work"' EXIT
# Two servers, so that a configuration can change. A port that is in use is not theirs: try another.
serve() {
	for _ in 1 2 3 4 5 6 7 8 9; do
		port=$((20000 + RANDOM % 10000))
		systemd-socket-activate -l 127.0.0.1:$port --inetd -a $tangd "$work/keys" 2>/dev/null &
		servers="$servers $!"
		for _ in $(seq 100); do
			curl -sf http://127.0.0.1:$port/adv -o "$1" && return
			kill -0 $! 2>/dev/null || break
			sleep 0.1
		done
	done
	echo "skipped: no Tang server"
	exit 77
}
serve first.adv
first='{"url":"http://127.0.0.1:'$port'","adv":"first.adv"}'
serve second.adv
second='{"url":"http://127.0.0.1:'$port'","adv":"second.adv"}'
sss='{"t":2,"pins":{"tang":['$first,$second']}}'
printf pw >key

# steps: what clevis does with a device, one name and one command a line.
steps() {
	cat <<END
bind	clevis luks bind -f -k key -d image tang '$first'
bind to a keyslot	clevis luks bind -f -k key -s 5 -d image tang '$second'
bind to two servers	clevis luks bind -f -k key -d image sss '$sss'
list	clevis luks list -d image
list one	clevis luks list -d image -s 5
pass	clevis luks pass -d image -s 1 >pass
the passphrase opens	cryptsetup open --test-passphrase -d pass -S 1 image
the other program opens	other open --test-passphrase -d pass -S 1 image
the old one still does	other open --test-passphrase -d key image
test a keyslot	clevis luks unlock -d image -n x -t 5
report	clevis luks report -q -d image -s 1
regen	clevis luks regen -q -d image -s 1
pass after regen	clevis luks pass -d image -s 1 >pass2
regen changed it	! cmp -s pass pass2 && other open --test-passphrase -d pass2 -S 1 image
the first no longer opens	! other open --test-passphrase -d pass -S 1 image
edit	clevis luks edit -d image -s 1 -c '$second'
edit changed it	clevis luks list -d image -s 1 | grep -F "$port"
bind by the first binding	clevis luks bind -f -k pass3 -d image tang '$first'
unbind	clevis luks unbind -f -d image -s 5
unbind removed it	! clevis luks list -d image | grep -q '^5:'
unbind all	clevis luks unbind -f -d image -s 1 && clevis luks unbind -f -d image -s 2
no binding is left	clevis luks unbind -f -d image -s 3; ! clevis luks list -d image | grep .
the key still opens	other open --test-passphrase -d key image
END
}

# run PROGRAM OTHER: write "ok" or "no" for each step.
run() {
	local other=$2

	truncate -s 0 image
	truncate -s 20M image
	"$referee" luksFormat -q --type luks2 $cheap image key
	PATH=$work/$1:$PATH
	steps >steps
	while IFS='	' read -r name command <&3; do
		[ "$name" != "bind by the first binding" ] || clevis luks pass -d image -s 1 >pass3
		if (
			other() { "$work/$other/cryptsetup" "$@"; }
			eval "$command"
		) >out 2>&1 </dev/null; then
			echo "ok	$name"
		else
			echo "no	$name"
			sed 's/^/# /' out >&2
		fi
	done 3<steps
}
(run theirs as) >with.c 2>/dev/null
(run as theirs) >with.m 2>why
while IFS='	' read -r theirs name ours _; do
	[ "$theirs" = no ] || [ "$ours" = ok ]
	result $? "$name (cryptsetup $theirs, mortise $ours)"
done < <(paste with.c with.m)
[ "$failed" = 0 ] || cat why
echo "# $(grep -c ^ok with.c) of $(wc -l <with.c) steps pass with cryptsetup," \
	"$(grep -c ^ok with.m) with mortise"
[ "$(grep -c ^ok with.c)" -gt 20 ]
result $? "most steps pass with cryptsetup"
finish
