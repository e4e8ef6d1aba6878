#!/bin/sh
# SPDX-License-Identifier: MIT
# status --prometheus: the text format is valid and agrees with status --json.
here=$(dirname "$(realpath "$0")")
. "$here/lib.sh"
for tool in jq python3; do
	command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done

cat >config.yaml <<'YAML'
apiVersion: v1alpha1
kind: VolumeConfig
name: STATE
encryption: {provider: luks2, keys: [{slot: 0, static: {passphrase: a passphrase}}]}
---
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
---
apiVersion: v1alpha1
kind: RawVolumeConfig
name: data
encryption: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}
YAML
truncate -s 64M state
truncate -s 20M raw
weird=$(printf 'a "quoted" \\ back\033slash\nand \377 newline')
truncate -s 1M "$weird"

# metrics STATUS DESCRIPTION OPTION...: sets ./samples, which is JSON.
metrics() {
	want=$1
	what=$2
	shift 2
	exits "$want" "$what" "$MORTISE" status --prometheus "$@"
	python3 "$here/exposition.py" <out >samples 2>why
	result $? "$what: the format is valid"
	[ ! -s why ] || sed 's/^/# /' why
	if command -v promtool >/dev/null; then
		promtool check metrics <out >lint 2>&1
		result $? "$what: promtool accepts it"
		[ ! -s lint ] || sed 's/^/# /' lint
	fi
}
holds() { # DESCRIPTION EXPRESSION
	jq -e "def value(\$n; \$v): [.[] | select(.name == \"mortise_\" + \$n and .labels.volume == \$v) | .value];
		$2" samples >/dev/null
	result $? "$1"
}

metrics 1 "three volumes" -f config.yaml --device STATE=state --device "u-data=$weird" --device r-data=raw
holds "the version" '.[0].name == "mortise_build_info" and .[0].labels.version != ""'
holds "the state was read" 'any(.name == "mortise_status_error" and .value == 0)'
holds "sizes in bytes" 'value("volume_size_bytes"; "STATE") == [67108864] and
	value("volume_size_bytes"; "u-data") == [1048576] and value("volume_size_bytes"; "r-data") == [20971520]'
holds "no volume is ready" '[.[] | select(.name == "mortise_volume_ready") | .value] == [0, 0, 0]'
holds "one phase of each volume" '[.[] | select(.name == "mortise_volume_phase" and .value == 1) | .labels]
	== [{volume: "STATE", phase: "located"}, {volume: "u-data", phase: "located"}, {volume: "r-data", phase: "located"}]'
holds "every phase has a row" '[.[] | select(.name == "mortise_volume_phase")] | length == 21'
holds "no numbers of what is not known" 'all(.name != "mortise_volume_keyslot" and
	.name != "mortise_volume_filesystem_size_bytes" and .name != "mortise_volume_discards")'
"$MORTISE" status --json -f config.yaml --device STATE=state --device "u-data=$weird" \
	--device r-data=raw >json 2>/dev/null
jq -e --slurpfile samples samples '[.volumes[] | {id, name, filesystem, encrypted}] ==
	($samples[0] | [.[] | select(.name == "mortise_volume_encrypted") |
		{(.labels.volume): .value}] | add) as $encrypted |
	[$samples[0][] | select(.name == "mortise_volume_info") | .labels |
		{id: .volume, name, filesystem, encrypted: ($encrypted[.volume] == 1)}]' json >/dev/null
result $? "it agrees with status --json"
holds "quotes, backslashes, newlines and control characters are escaped" \
	'[.[] | select(.name == "mortise_volume_info" and .labels.volume == "u-data") | .labels.device] ==
	["a \"quoted\" \\ back\\x1bslash\\x0aand \\xff newline"]'

metrics 1 "no devices" -f config.yaml
holds "missing volumes" '[.[] | select(.name == "mortise_volume_phase" and .value == 1) | .labels.phase] ==
	["missing", "missing", "missing"]'
holds "an error of each volume" '[.[] | select(.name == "mortise_volume_error") | .value] == [1, 1, 1]'

printf 'apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: 7!\n' >bad.yaml
metrics 1 "an invalid configuration" -f bad.yaml
holds "it is reported" 'any(.name == "mortise_status_error" and .value == 1) and length == 2'
metrics 1 "a missing configuration" -f no-such-file
holds "it is reported, too" 'any(.name == "mortise_status_error" and .value == 1) and length == 2'
printf -- '---\n' >none.yaml
metrics 0 "no volumes" -f none.yaml
holds "no volumes have no rows" 'length == 2'

says 1 "$MORTISE: Options --json and --prometheus cannot be combined." "both formats" \
	"$MORTISE" status --json --prometheus -f config.yaml
says 1 "$MORTISE: Option --prometheus is not allowed with up action." "only for status" \
	"$MORTISE" up --prometheus -f config.yaml
if [ -c /dev/full ]; then
	"$MORTISE" status --prometheus -f none.yaml >/dev/full 2>err
	[ $? = 1 ]
	result $? "a full disk is an error"
fi
finish
