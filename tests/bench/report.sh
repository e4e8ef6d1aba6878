#!/bin/bash
# SPDX-License-Identifier: MIT
# Creates a page with bench/report from sample results. Its pictures must exist and not be empty,
# it must not refer to external resources, and no text of a result file may be interpreted as HTML
# or as gnuplot commands.
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
exits 0 "the samples match the schema" "$here/schema" "$schema/result.json" a-*.json b-*.json
exits 0 "the dm-crypt sample matches its schema" "$here/schema" "$schema/dm-crypt.json" a-dm-crypt.json

exits 0 "a page from one result" "$report" --output one.html a-dm-crypt.json
exits 0 "pictures of one result" "$here/pictures" one.html
exits 0 "a page from several machines" "$report" --output all.html a-*.json b-*.json
"$here/pictures" all.html >pictures
exits 0 "pictures of several machines" "$here/pictures" all.html
# Each line has a second plot: the bars of its spread.
exits 0 "time against memory: a line for each of 3 lanes on 2 machines" \
	grep -q "^Time of an unlock: 12 plots" pictures
# Seven sets of options and the device without dm-crypt.
exits 0 "throughput against block size: a line for each set of options" \
	grep -q "^Reads: aes-xts-plain64 512, sectors of 4096: 16 plots" pictures
exits 0 "machines side by side" grep -q "^Reads on dm-zero: 4 plots" pictures
exits 0 "comparison of programs" grep -q "^Unlock with 1 GiB, whole process: 2 plots" pictures
exits 0 "emulated machines are marked" grep -q 'class="emulated">emulated: QEMU TCG' all.html
exits 0 "recommended configuration" grep -q "cipher: aes-xts-plain64" all.html
exits 1 "HTML in a warning is escaped" grep -q "<b>figures</b>" all.html
exits 0 "the page on standard output" sh -c '"$0" a-argon2.json | grep -q "</html>"' "$report"

exits 0 "pictures as files" "$report" --pictures drawn --output one.html a-dm-crypt.json
[ "$(find drawn -name '*.svg' -size +1k | wc -l)" = "$(grep -o '<figure>' one.html | wc -l)" ]
result $? "each picture has a file"
exits 0 "the files are SVG" sh -c 'head -c 4 drawn/01-*.svg | grep -q "^<svg"'

# The name of a board must not be interpreted, whatever it contains.
name="'; system('touch caught'); \`touch caught\` <script>\$(touch caught)</script>"
for kind in argon2 dm-crypt programs; do
	sample $kind "$name" 1 | jq --arg name "$name" '.results[].parameters |=
		(if .cipher then .cipher = .cipher + $name | .driver = $name
		elif .type then .type = $name else . end)' >hostile-$kind.json
done
exits 0 "a hostile board name" "$report" --output hostile.html hostile-*.json b-*.json
exits 0 "a hostile name does not damage the pictures" "$here/pictures" hostile.html
exits 1 "a hostile name is not executed" test -e caught
exits 1 "a hostile name does not become a script element" grep -q "<script" hostile.html

exits 1 "a file that is not JSON" "$report" /etc/passwd
exits 1 "JSON that is a list" sh -c 'echo "[]" >list.json; "$0" list.json' "$report"
exits 1 "a result without rows" sh -c \
	'jq ".results = []" a-argon2.json >empty.json; "$0" empty.json' "$report"
exits 1 "a missing file" "$report" nowhere.json

# Check that the test detects empty pictures.
sed 's/<path [^>]*>//g; s/<polygon [^>]*>//g; s/<use [^>]*>//g; s/<rect [^>]*>//g' one.html >blank.html
exits 1 "a page with empty pictures is detected" "$here/pictures" blank.html
finish
