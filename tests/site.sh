#!/bin/bash
# SPDX-License-Identifier: MIT
# The documentation as a site (tools/site).
#   tests/site.sh build    the site is complete, the same twice, and each fault of a page or a link is found
#   tests/site.sh browser  chromium shows each page, in both color schemes, at 360 and 1280 pixels
# PICTURES: where screenshots go (default: nowhere).
set -eEuo pipefail
trap 'echo "not ok - line $LINENO: $BASH_COMMAND"' ERR
tree=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for program in cmark-gfm mandoc python3; do
	command -v "$program" > /dev/null || {
		echo "# $program is not installed"
		exit 77
	}
done

# refuses TEXT COMMAND...: fails with this error of tools/site.
refuses() {
	local text=$1
	shift

	! "$@" > "$work/log" 2>&1 || {
		echo "not refused: $text"
		return 1
	}
	grep -qE "^tools/site: .*$text" "$work/log" || {
		cat "$work/log"
		return 1
	}
}

# spoil TEXT FILE PERL: makes a fault in a file of a copy of the site.
spoil() {
	perl -0777 -pi -e "$3" "$work/spoiled/$2"
	! cmp -s "$work/site/$2" "$work/spoiled/$2"
	echo "^tools/site: $2: .*$1" >> "$work/faults"
}

# find_faults COMMAND...: the command refuses with the error of each fault.
find_faults() {
	local fault

	refuses . "$@"
	while read -r fault; do
		grep -qE -- "$fault" "$work/log" || {
			cat "$work/log"
			echo "not found: $fault"
			return 1
		}
	done < "$work/faults"
	[ "$(wc -l < "$work/log")" -le 40 ]
	rm "$work/faults"
}

# change TEXT FILE PERL: makes a fault in a file of a copy of the tree; find_changed looks for its error.
change() {
	perl -0777 -pi -e "$3" "$work/the tree/$2"
	! cmp -s "$tree/$2" "$work/the tree/$2"
	echo "^tools/site: .*$1" >> "$work/faults"
}

# find_changed: a build refuses the tree, and leaves nothing.
find_changed() {
	find_faults "$work/the tree/tools/site" "$work/other"
	[ -z "$(find "$work" -maxdepth 1 -name 'other*')" ]
	cp -r "$tree"/{README.md,docs} "$work/the tree/"
}

build() {
	local file name

	"$tree/tools/site" "$work/site" > "$work/log"
	for file in "$tree"/{README,SECURITY,CHANGELOG}.md "$tree"/docs/*.md; do
		name=$(basename "$file" .md)
		[ -s "$work/site/${name,,}.html" ]
	done
	for file in "$tree"/docs/*.[1-9]; do
		[ -s "$work/site/$(basename "$file").html" ]
	done
	! grep -lE '(src|href)="(https?:)?//' "$work"/site/*.css
	# Each figure of the front page is one of docs/performance.md.
	sed -n '/id="compared"/,/<\/table>/s/<td class="right">\(.*\)<\/td>/\1/p' "$work/site/index.html" \
		> "$work/figures"
	[ "$(wc -l < "$work/figures")" -ge 6 ]
	while read -r name; do
		grep -qwF -- "$name" "$tree/docs/performance.md"
	done < "$work/figures"
	# Each way to get it, too.
	for file in "$tree"/packaging/*/build; do
		grep -q "packaging/$(basename "$(dirname "$file")")/build" "$work/site/index.html"
	done
	echo "ok - the site is complete"

	(
		umask 0077
		export TZ=Asia/Kathmandu LC_ALL=C PYTHONHASHSEED=7 HOME=/nonexistent
		cd /
		"$tree/tools/site" "$work/elsewhere/at a place" > "$work/log"
	)
	diff -r "$work/site" "$work/elsewhere/at a place"
	diff <(cd "$work/site" && stat -c '%a %n' . *) <(cd "$work/elsewhere/at a place" && stat -c '%a %n' . *)
	echo "ok - the site is reproducible"

	# A folder with other contents is left as it is; a site is replaced.
	mkdir "$work/other"
	echo precious > "$work/other/index.html"
	refuses "has other contents" "$tree/tools/site" "$work/other"
	[ "$(cat "$work/other/index.html")" = precious ]
	rm -r "$work/other"
	touch "$work/site/old.html"
	"$tree/tools/site" "$work/site" > "$work/log"
	[ ! -e "$work/site/old.html" ]
	ln -s site "$work/link"
	refuses "is not a folder" "$tree/tools/site" "$work/link"

	cp -r "$work/site" "$work/spoiled"
	spoil "no file" readme.html 's/href="trust\.html"/href="rust.html"/'
	spoil "no anchor" building.html 's/href="factory\.html#image"/href="factory.html#images"/'
	spoil "no anchor" mortise-luks.8.html 's/href="#/href="#x/'
	spoil "no file" index.html 's/src="mortise.svg"/src="mortise.png"/'
	spoil "outside the site" guides.html 's/href="style.css"/href="https:\/\/example.org\/a.css"/'
	spoil "script" manual.html 's/<\/main>/<script>1<\/script><\/main>/'
	spoil "not https" mortise.8.html 's/https:\/\/manpages/http:\/\/manpages/'
	spoil "no host" mortise-config.5.html 's/https:\/\/manpages\.debian\.org/https:\/\/manpages/'
	spoil "no language" security.html 's/ lang="en"//'
	spoil "0 elements <main>" cryptsetup.html 's/<(\/?)main/<$1div/g'
	spoil "heading of level 3 after level 1" trust.html 's/<h2(.*?)<\/h2>/<h3$1<\/h3>/'
	spoil "without a label" performance.html 's/ aria-labelledby="[^"]*"//'
	spoil "without alt" index.html 's/ alt=""//'
	spoil "twice" architecture.html 's/<h2 id="[^"]*"/<h2 id="page-content"/'
	spoil "closes" formats.html 's/<\/table>//'
	spoil "refers to another file" style.css 's/}/}\n\@font-face { src: url(a.woff) }/'
	find_faults "$tree/tools/site" --check "$work/spoiled"
	refuses "no index.html" "$tree/tools/site" --check "$work/elsewhere"
	touch "$work/site/orphan.html"
	refuses "no page refers to it" "$tree/tools/site" --check "$work/site"
	echo "ok - faults of a page are found"

	mkdir "$work/the tree"
	find "$tree" -mindepth 1 -maxdepth 1 ! -name build ! -name tests ! -name '.*' \
		-exec cp -r {} "$work/the tree/" \;
	"$work/the tree/tools/site" "$work/other" > "$work/log"
	diff -r "$work/elsewhere/at a place" "$work/other"
	# Files and folders that are linked become pages.
	printf '\n[units](contrib/systemd) and [init](contrib/busybox/init)\n' >> "$work/the tree/README.md"
	"$work/the tree/tools/site" "$work/other" > "$work/log"
	grep -q 'href="contrib-systemd-mortise.service.html"' "$work/other/contrib-systemd.html"
	grep -q '<code>#!/bin/' "$work/other/contrib-busybox-init.html"
	cp "$tree/README.md" "$work/the tree/"
	rm -r "$work/other"
	echo "{}" > "$work/bad.json"
	refuses "not a result" "$tree/tools/site" --results "$work/bad.json" "$work/other"
	[ ! -e "$work/other" ]
	change "README.md: .*does not exist" README.md 's/\(docs\/trust\.md/(docs\/rust.md/'
	change "mortise.8: .*no manual page mortise-lux\(8\)" docs/mortise.8 's/Xr mortise-luks 8/Xr mortise-lux 8/'
	change "factory.md: .*no manual page mortise-lux\(8\)" docs/factory.md 's/$/\nSee mortise-lux(8).\n/'
	change 'has no section "Recover"' docs/mortise-config.5 's/^\.Dq Recovery/.Dq Recover/m'
	change 'has no section "Difference"' docs/cryptsetup.md 's/"Differences from cryptsetup"/"Difference"/'
	change "no place for the chart size" docs/performance.md 's/### Installed size/### Size/'
	change "trust.md: .*HTML" docs/trust.md 's/$/\n<b>x<\/b>\n/'
	find_changed
	# Anchors are checked once all pages are made.
	change "building.html: .*no anchor" docs/building.md 's/factory\.md#image/factory.md#images/'
	change "mortise.8.html: .*no anchor" docs/mortise.8 's/Sx Recovery/Sx Recover/'
	find_changed
	change "has no \"cryptsetup\"" docs/performance.md 's/\| cryptsetup \| 9\.1/| upstream | 9.1/'
	find_changed
	change "needs a description" docs/performance.md 's/!\[time[^]]*\]/![]/'
	find_changed
	change "no title" docs/trust.md 's/^# //'
	find_changed
	echo "ok - faults of the tree are found"
}

# Results of a benchmark become a page of the site. Made-up ones suffice.
with_results() {
	local kind options=()

	if command -v gnuplot > /dev/null; then
		for kind in argon2 dm-crypt programs; do
			"$tree/tests/bench/sample" $kind "Board <A>" 1 > "$work/$kind.json"
			options+=(--results "$work/$kind.json")
		done
	fi
	"$tree/tools/site" "${options[@]}" "$1" > "$work/log"
}

browser() {
	command -v chromium > /dev/null || {
		echo "# chromium is not installed"
		exit 77
	}
	with_results "$work/site"
	python3 "$tree/tests/site_browser.py" "$work/site" ${PICTURES:+"$PICTURES"}
}

"$1"
