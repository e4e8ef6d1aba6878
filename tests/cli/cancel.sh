#!/bin/sh
# SPDX-License-Identifier: MIT
# The first SIGINT or SIGTERM ends every wait, with status 128 + n. The image is as it was, and opens.
. "$(dirname "$(realpath "$0")")/lib.sh"
need_referee

# is_ready PID NUMBER: the process catches this signal, which mortise does before it starts a verb.
is_ready() {
	mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
	[ $((0x${mask:-0} >> ($2 - 1) & 1)) = 1 ] || ! kill -0 "$1" 2>/dev/null
}

# canceled SIGNAL LIMIT DESCRIPTION COMMAND...: the command, which would run for much longer than
# LIMIT seconds, receives SIGNAL a second after it catches signals, and then exits with status
# 128 + its number within LIMIT seconds.
canceled() {
	signal=$1
	limit=$2
	what=$3
	shift 3
	case $signal in HUP) number=1 ;; INT) number=2 ;; QUIT) number=3 ;; TERM) number=15 ;; esac
	# A shell lets its background processes ignore SIGINT and SIGQUIT.
	env --default-signal=INT,QUIT "$@" >out 2>err </dev/null &
	command=$!
	until is_ready $command $number; do sleep 0.05; done
	sleep 1
	start=$(date +%s)
	kill -s "$signal" $command
	sent=$?
	(sleep 100 && exec kill -s KILL $command) >/dev/null 2>&1 &
	guard=$!
	wait $command
	got=$?
	took=$(($(date +%s) - start))
	kill $guard 2>/dev/null
	if [ $sent = 0 ] && [ $got = ${expected:-$((128 + number))} ] && [ $took -le "$limit" ]; then
		result 0 "$what"
	else
		result 1 "$what (status $got, after $took s)"
		sed 's/^/# /' out err
	fi
}

# said TEXT: the command's last line on standard error is TEXT.
said() {
	[ "$(tail -n 1 err)" = "$1" ]
	result $? "it says: $1"
}

# unchanged DESCRIPTION: no byte of the image has changed, and cryptsetup opens it.
unchanged() {
	cmp -s image before && printf cheap | "$referee" open --test-passphrase -S 0 image -d -
	result $? "$1"
}

# A listener that accepts connections and never answers, on two neighboring ports: the TCTI for
# swtpm connects to both. The first is in $port.
listen() {
	python3 -c '
import socket, time
while True:
	a, b = socket.socket(), socket.socket()
	try:
		a.bind(("127.0.0.1", 0))
		b.bind(("127.0.0.1", a.getsockname()[1] + 1))
		break
	except (OSError, OverflowError):
		a.close()
		b.close()
a.listen(8)
b.listen(8)
open("port", "w").write(str(a.getsockname()[1]) + "\n")
time.sleep(600)' &
	listener=$!
	trap 'kill $listener; rm -rf "$work"' EXIT
	while ! grep -q . port 2>/dev/null; do sleep 0.1; done
	port=$(cat port)
}

# A keyslot that takes hours to open: 2000000 passes.
printf cheap >cheap.key
truncate -s 17M image
"$referee" luksFormat -q $cheap image cheap.key || exit 1
cp --sparse=always image cost
"$MORTISE" luksAddKey -q --pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 65536 \
	--pbkdf-parallel 2 -S 1 cost cheap.key -d cheap.key || exit 1
"$MORTISE" luksDump --dump-json-metadata cost >json
grep -q '"time":4' json || grep -q '"time": *4' json
result $? "the header has an Argon2 cost to replace"
# The forger of the evil tests writes what no program would agree to make.
cp --sparse=always cost image
if [ -n "$FORGE" ] && command -v jq >/dev/null; then
	jq '.keyslots["1"].kdf.time = 2000000' json | "$FORGE" image >/dev/null 2>forge.err || {
		sed 's/^/# /' forge.err
		result 1 "a keyslot with 2000000 passes"
	}
	cp --sparse=always image before
	for signal in INT TERM HUP QUIT; do
		canceled $signal 20 "SIG$signal ends Argon2" \
			"$MORTISE" open --max-unlock-time 0 --test-passphrase -S 1 image -d cheap.key
		said "canceled"
	done
	expected=1
	canceled INT 20 "also under the name cryptsetup, with its status" \
		as/cryptsetup luksOpen --test-passphrase -S 1 image -d cheap.key
	expected=
	canceled INT 20 "and while all keyslots are tried" sh -c \
		'exec "$1" open --max-unlock-time 0 --test-passphrase image -d json' sh "$MORTISE"
	unchanged "the header is unchanged"
	for verb in "luksChangeKey -q $cheap image cheap.key -S 1" "luksRemoveKey -q image"; do
		canceled TERM 20 "SIGTERM ends Argon2 in ${verb%% *}" \
			"$MORTISE" $verb --max-unlock-time 0 -d json
		unchanged "${verb%% *}: the header is unchanged"
	done
	# timeout(1) sends the signal once.
	timeout 1 "$MORTISE" open --max-unlock-time 0 --test-passphrase -S 1 image -d cheap.key
	[ $? = 124 ]
	result $? "timeout(1) ends Argon2"
	cp --sparse=always cost image
	jq '.keyslots["1"].kdf = {type: "pbkdf2", hash: "sha512", iterations: 4000000000,
		salt: .keyslots["1"].kdf.salt}' json | "$FORGE" image >/dev/null
	cp --sparse=always image before
	canceled TERM 20 "SIGTERM ends PBKDF2 of a keyslot" \
		"$MORTISE" open --max-unlock-time 0 --test-passphrase -S 1 image -d cheap.key
	cp --sparse=always cost image
	jq '.digests["0"].iterations = 4000000000' json | "$FORGE" image >/dev/null
	canceled TERM 20 "SIGTERM ends PBKDF2 of the digest" \
		"$MORTISE" open --max-unlock-time 0 --test-passphrase -S 0 image -d cheap.key
	cp --sparse=always before image
fi
truncate -s 17M new
canceled TERM 20 "SIGTERM ends luksFormat's benchmark" "$MORTISE" luksFormat -q --iter-time 1000000 \
	--pbkdf-memory 65536 new cheap.key
cp --sparse=always image before
canceled INT 20 "SIGINT ends the making of a keyslot" "$MORTISE" luksAddKey -q --pbkdf argon2id \
	--pbkdf-force-iterations 2000000 --pbkdf-memory 65536 image cheap.key -S 4 -d cheap.key
unchanged "no keyslot was added"
canceled TERM 20 "SIGTERM ends PBKDF2" "$MORTISE" luksAddKey -q --pbkdf pbkdf2 \
	--pbkdf-force-iterations 4000000000 image cheap.key -S 4 -d cheap.key
unchanged "no keyslot was added then, either"
canceled INT 20 "SIGINT ends the benchmark of a cost" "$MORTISE" luksAddKey -q --pbkdf argon2id \
	--iter-time 1000000 --pbkdf-memory 65536 image cheap.key -S 4 -d cheap.key
unchanged "nor after this"

# Another program has the header's lock, which for an image is on the file itself.
flock --no-fork --exclusive image sleep 600 &
holder=$!
trap 'kill $holder; rm -rf "$work"' EXIT
sleep 0.2
canceled INT 20 "SIGINT ends the wait for a lock" \
	"$MORTISE" open --max-unlock-time 0 --test-passphrase -S 0 image -d cheap.key
canceled TERM 20 "SIGTERM ends a writer's wait" "$MORTISE" config --label x image
kill $holder
wait $holder 2>/dev/null
trap 'rm -rf "$work"' EXIT
unchanged "the label was not written"

# A prompt, on a pipe that stays empty.
mkfifo pipe
sleep 600 >pipe &
holder=$!
trap 'kill $holder; rm -rf "$work"' EXIT
canceled INT 20 "SIGINT ends the wait for a passphrase" \
	sh -c 'exec "$1" open --max-unlock-time 0 --test-passphrase image <pipe' sh "$MORTISE"
kill $holder
wait $holder 2>/dev/null
trap 'rm -rf "$work"' EXIT

if command -v strace >/dev/null && strace -o trace true 2>/dev/null; then
	truncate -s 40M formatted
	# The first writes are the header copies; then comes the area, in pieces of 128 KiB.
	# LeakSanitizer does not work under strace.
	ASAN_OPTIONS=detect_leaks=0 strace -qq -o trace -e trace=pwrite64 -e inject=pwrite64:signal=INT:when=40 \
		"$MORTISE" luksFormat -q $cheap --luks2-keyslots-size 16M formatted cheap.key >out 2>err
	[ $? = 130 ]
	result $? "SIGINT ends luksFormat while it overwrites the keyslots area"
	said "canceled"
	[ "$(grep -c pwrite64 trace)" -lt 60 ]
	result $? "most of the area is not written"
	exits 1 "the device has no keyslot" "$MORTISE" open --max-unlock-time 0 --test-passphrase formatted -d cheap.key
	exits 0 "it can be formatted" "$MORTISE" luksFormat -q $cheap formatted cheap.key
	"$referee" open --test-passphrase formatted -d cheap.key
	result $? "and opens then"
fi

if command -v python3 >/dev/null; then
	listen
	if has "keys .*kms.*"; then
		canceled INT 8 "SIGINT ends a call to a KMS that does not answer" "$MORTISE" enroll image \
			--kms "grpc://127.0.0.1:$port" \
			--node-uuid 12345678-9abc-def0-1234-56789abcdef0 -d cheap.key
		unchanged "nothing was enrolled"
	fi
	if has "keys .*tpm.*" && ldconfig -p | grep -q libtss2-tcti-swtpm; then
		canceled TERM 15 "SIGTERM ends a call to a TPM that does not answer" "$MORTISE" enroll \
			image --tpm --tpm-pcrs 7 --tcti "swtpm:host=127.0.0.1,port=$port" -d cheap.key
		unchanged "nothing was enrolled here, either"
	fi
fi
finish
