#!/bin/bash
# SPDX-License-Identifier: MIT
# bench/report makes one page of sample results: its pictures are there and not empty, nothing
# in it is fetched, and nothing in a result file is taken for HTML or for gnuplot's language.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/cli/lib.sh
. "$here/../cli/lib.sh"
report=$here/../../bench/report
schema=$here/../../bench/schema
for tool in /usr/bin/python3 gnuplot jq; do
	command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done

sample() {
	"$here/sample" "$@"
}

for kind in argon2 dm-crypt programs; do
	sample $kind "Board A" 1 >a-$kind.json
	sample $kind "Board B, emulated" 3 >b-$kind.json
done
exits 0 "samples are results" "$here/schema" "$schema/result.json" a-*.json b-*.json
exits 0 "of dm-crypt too" "$here/schema" "$schema/dm-crypt.json" a-dm-crypt.json

exits 0 "a page of one result" "$report" --output one.html a-dm-crypt.json
exits 0 "its pictures" "$here/pictures" one.html
exits 0 "a page of several machines" "$report" --output all.html a-*.json b-*.json
"$here/pictures" all.html >pictures
exits 0 "its pictures" "$here/pictures" all.html
# Each line with the bars of its spread.
exits 0 "time against memory, a line for each of 3 lanes on 2 machines" \
	grep -q "^Time of an unlock: 12 plots" pictures
# Seven sets of options and the bare ground.
exits 0 "throughput against block size, a line for each option" \
	grep -q "^Reads: aes-xts-plain64 512, sectors of 4096: 16 plots" pictures
exits 0 "machines side by side" grep -q "^Reads over dm-zero: 4 plots" pictures
exits 0 "programs" grep -q "^Unlock with 1 GiB, whole process: 2 plots" pictures
exits 0 "emulated machines are marked" grep -q 'class="emulated">emulated: QEMU TCG' all.html
exits 0 "what to paste" grep -q "cipher: aes-xts-plain64" all.html
exits 1 "a warning is not HTML" grep -q "<b>figures</b>" all.html
exits 0 "the same page without a file" sh -c '"$0" a-argon2.json | grep -q "</html>"' "$report"

exits 0 "the pictures as files" "$report" --pictures drawn --output one.html a-dm-crypt.json
[ "$(find drawn -name '*.svg' -size +1k | wc -l)" = "$(grep -o '<figure>' one.html | wc -l)" ]
result $? "each of them"
exits 0 "which are SVG" sh -c 'head -c 4 drawn/01-*.svg | grep -q "^<svg"'

# A board's name is data, whatever it looks like.
name="'; system('touch caught'); \`touch caught\` <script>\$(touch caught)</script>"
for kind in argon2 dm-crypt programs; do
	sample $kind "$name" 1 | jq --arg name "$name" '.results[].parameters |=
		(if .cipher then .cipher = .cipher + $name | .driver = $name
		elif .type then .type = $name else . end)' >hostile-$kind.json
done
exits 0 "a hostile name" "$report" --output hostile.html hostile-*.json b-*.json
exits 0 "leaves the pictures whole" "$here/pictures" hostile.html
exits 1 "is not run" test -e caught
exits 1 "nor becomes a script" grep -q "<script" hostile.html

exits 1 "a file that is no result" "$report" /etc/passwd
exits 1 "nor a list" sh -c 'echo "[]" >list.json; "$0" list.json' "$report"
exits 1 "a result without rows" sh -c \
	'jq ".results = []" a-argon2.json >empty.json; "$0" empty.json' "$report"
exits 1 "a file that is not there" "$report" nowhere.json

# The eye that looks for empty pictures is not blind.
sed 's/<path [^>]*>//g; s/<polygon [^>]*>//g; s/<use [^>]*>//g; s/<rect [^>]*>//g' one.html >blank.html
exits 1 "a page whose pictures are empty is found out" "$here/pictures" blank.html
finish
