#!/bin/bash
# SPDX-License-Identifier: MIT
# Header compatibility in both directions, on files: each program opens the other's headers and
# finds the same volume key, for several KDFs, key sizes, sector sizes, slots and unusual
# passphrases. After each change by mortise, cryptsetup finds nothing to repair or report.
. "$(dirname "$0")/lib.sh"
need_referee

fast_argon="--pbkdf-memory 32 --pbkdf-force-iterations 4 --pbkdf-parallel 1"

printf 'with\0nul' > pass.nul
printf 'with\nnewline\n' > pass.newline
printf 'p\xc3\xa4ssw\xc3\xb6rd \xe2\x98\x83' > pass.utf8
: > pass.empty
head -c 512 /dev/urandom > pass.512
printf 'plain' > pass.plain
passes="nul newline utf8 empty 512 plain"

# volume_key PROGRAM IMAGE PASSFILE: the volume key in hex, from the program's dump.
volume_key() {
	"$1" luksDump --dump-volume-key -q --key-file "$3" "$2" 2>&1 |
		sed -n '/MK dump:/,$p' | sed 's/MK dump://' | tr -d ' \t\n'
}

json() {
	dd if="$1" bs=4096 skip=1 count=3 status=none | tr -d '\0'
}

copies_equal() { # IMAGE [COPY_SIZE]
	local size=${2:-16384}
	cmp -s -n $((size - 4096)) "$1" "$1" 4096 $((size + 4096))
}

# clean IMAGE DESCRIPTION [COPY_SIZE]: cryptsetup reads the header and repairs nothing, and both
# copies hold the same JSON.
clean() {
	cp --sparse=always "$1" before
	if "$referee" luksDump "$1" > /dev/null 2> err && [ ! -s err ] &&
		"$referee" repair -q "$1" > out 2> err && [ ! -s err ] &&
		cmp -s before "$1" && copies_equal "$1" "${3-}"; then
		result 0 "$2: cryptsetup reports no problem"
	else
		result 1 "$2: cryptsetup reports a problem, or the copies differ"
		sed 's/^/# /' out err
	fi
}

# matrix WRITER READER
matrix() {
	local writer=$1 reader=$2 kdf cost bits sector slot pass hash
	for kdf in argon2id argon2i pbkdf2; do
		for bits in 256 512; do
			for sector in 512 4096; do
				for slot in 0 3 31; do
					pass=pass.$(shuf -n1 -e $passes)
					hash=$(shuf -n1 -e sha1 sha256 sha512)
					cost=$fast_argon
					[ $kdf = pbkdf2 ] && cost="--pbkdf-force-iterations 1000"
					rm -f i
					truncate -s 17M i
					# shellcheck disable=SC2086
					"$writer" luksFormat -q --type luks2 -c aes-xts-plain64 -s $bits \
						--sector-size $sector -S $slot --hash $hash --pbkdf $kdf \
						$cost --key-file "$pass" i 2> err
					what="$(basename "$writer") $kdf $bits $sector slot $slot $hash $pass"
					if "$reader" open --test-passphrase -S $slot --key-file "$pass" i &&
						! "$reader" open --test-passphrase --key-file /dev/null \
							--keyfile-size 1 i 2> /dev/null &&
						[ -n "$(volume_key "$reader" i "$pass")" ] &&
						[ "$(volume_key "$writer" i "$pass")" = \
							"$(volume_key "$reader" i "$pass")" ]; then
						result 0 "$what"
					else
						result 1 "$what"
						sed 's/^/# /' err
					fi
				done
			done
		done
	done
}

matrix "$MORTISE" "$referee"
matrix "$referee" "$MORTISE"

# Every passphrase in two slots of one header, one slot added by each program.
rm -f i
truncate -s 17M i
"$MORTISE" luksFormat -q $cheap --key-file pass.plain i
slot=1
for pass in $passes; do
	for program in "$MORTISE" "$referee"; do
		"$program" luksAddKey -q $cheap --key-file pass.plain --new-key-slot $slot \
			--new-keyfile pass.$pass i
		for reader in "$MORTISE" "$referee"; do
			exits 0 "$pass in slot $slot by $(basename $program), read by $(basename $reader)" \
				"$reader" open --test-passphrase -S $slot --key-file pass.$pass i
		done
		slot=$((slot + 1))
	done
done
clean i "twelve keyslots"

# Headers after each kind of change.
change() { # DESCRIPTION COMMAND...
	what=$1
	shift
	exits 0 "$what" "$@"
	clean i "$what"
}
change "change" "$MORTISE" luksChangeKey -q $cheap -S 1 --key-file pass.nul i pass.plain
exits 0 "the changed slot opens" "$referee" open --test-passphrase -S 1 --key-file pass.plain i
exits 2 "its old key does not" "$referee" open --test-passphrase -S 1 --key-file pass.nul i
change "kill" "$MORTISE" luksKillSlot -q i 2
exits 1 "the killed slot no longer opens" "$referee" open --test-passphrase -S 2 --key-file pass.nul i
change "remove" "$MORTISE" luksRemoveKey -q i pass.utf8
change "priority" "$MORTISE" config -S 1 --priority prefer i
change "label" "$MORTISE" config --label "a label" --subsystem "and more" i
printf '{"type":"x","keyslots":["3"],"unknown":{"k":[1.50,12345678901234567890,"\\u00e9/"]}}' > t
change "token" "$MORTISE" token import --json-file t --token-id 7 i
change "kill under a token" "$MORTISE" luksKillSlot -q i 3
change "unbound" "$MORTISE" luksAddKey -q $cheap --unbound -s 256 -S 20 i pass.512
exits 0 "the unbound slot opens" "$referee" open --test-passphrase --unbound -S 20 \
	--key-file pass.512 i
change "uuid" "$MORTISE" luksUUID -q --uuid 12345678-ABCD-1234-1234-123456789abc i
change "token removed" "$MORTISE" token remove --token-id 7 i
change "erase" "$MORTISE" erase -q i

# mortise changes the label, which is not in the JSON: cryptsetup's JSON must stay the same, byte
# for byte.
rm -f i
truncate -s 17M i
"$referee" luksFormat -q $cheap --key-file pass.plain i
"$referee" luksAddKey -q $fast_argon --key-file pass.plain --new-key-slot 9 i pass.utf8
sed -i 's/"3"/"9"/' t
"$referee" token import --json-file t --token-id 3 i
"$referee" config -S 9 --priority ignore i
json i > json.before
"$MORTISE" config --label other i
json i > json.after
if cmp -s json.before json.after; then result 0 "JSON unchanged"; else result 1 "JSON changed"; fi

# Every metadata size, also with the second copy alone, whose offset depends on the size.
for size in 16k 32k 64k 128k 256k 512k 1m 2m 4m; do
	rm -f i
	truncate -s 40M i
	"$MORTISE" luksFormat -q $cheap --luks2-metadata-size $size --key-file pass.plain i
	exits 0 "metadata of $size read by cryptsetup" \
		"$referee" open --test-passphrase --key-file pass.plain i
	dd if=/dev/zero of=i bs=4096 count=1 conv=notrunc status=none
	exits 0 "metadata of $size, primary header erased: still opens" \
		"$MORTISE" open --test-passphrase --key-file pass.plain i
	exits 0 "metadata of $size: the primary header is repaired" "$referee" isLuks i
	clean i "repaired header, metadata of $size" "$(numfmt --from=iec "${size^^}")"
done

finish
