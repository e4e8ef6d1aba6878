#!/usr/bin/env bash
# Machines in the field, whose disks mortise 0.1 has written (tests/field), are updated: the first up
# comes up unattended, adopts the volumes, and reports it; the second one changes nothing. From then
# on a header without a seal is refused, until an operator accepts it. cryptsetup opens everything.
# Runs in a guest: see tools/guest/uml.
# shellcheck disable=SC2154,SC2317  # work, machine: set in sourced files; functions: through check
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/guest/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/guest/attack_lib.sh
. "$here/attack_lib.sh"
# shellcheck source=tests/guest/field.sh
. "$here/field.sh"
# shellcheck source=tests/guest/swtpm.sh
. "$here/swtpm.sh"

known=$root/system/state/volumes.json
accepted='was accepted and sealed'

down() {
	mortise down >"$work/down" 2>&1
}

# encrypted: print the labels of this machine's LUKS2 volumes that its configuration declares.
encrypted() {
	basename -as .header.xz "$machine"/*.header.xz | grep -v u-talos
}

# keyslots LABEL: print what a keyslot consists of, except where it is.
keyslots() {
	header_json "$(partition "$1")" | jq -cS '.keyslots, .digests, .segments'
}

# sums: print the checksums of META, of all headers, and of the files in STATE.
sums() {
	local label

	sha256sum <"$(partition META)"
	for label in $(encrypted); do header_sum "$(partition "$label")"; done
	cat "$root/system/state"/* | sha256sum
}

# keys_open LABEL: cryptsetup opens each keyslot with the passphrase that it had before the update.
# What the TPM has sealed is not known here.
keys_open() {
	local slot key

	while read -r slot key; do
		[[ $slot != volume-key && $key != area ]] || continue
		field_passphrase "$1" "$slot" >"$work/passphrase" &&
			cryptsetup open --test-passphrase --key-slot "$slot" \
				--key-file "$work/passphrase" "$(partition "$1")" || return
	done <"$machine/$1.keys"
}

# seal_of LABEL: print the volume that a header is sealed for.
seal_of() {
	header_json "$(partition "$1")" | jq -r '.config.mortise | select(.seal) | .volume'
}

# listed: print the volumes that STATE lists.
listed() {
	jq -r '.. | objects | .id? // empty' "$known" | sort | xargs
}

# kept LABEL: print what must not change. A TPM key of 0.1 is sealed again, to PCR 15, too.
kept() {
	if [[ $1 == STATE && ${machine##*/} == tpm ]]; then tail -n 2; else cat; fi
}

# adopted: everything that the first up of the new version leaves behind.
adopted() {
	local label

	for label in $(encrypted); do
		check "up reports that $label was adopted" says \
			"the header of $(partition "$label") (no seal) $accepted"
		check_equal "the header of $label is sealed for it" "$(seal_of "$label")" "$label"
		check_equal "$label has its keyslots, digest and segment as before" \
			"$(keyslots "$label" | kept "$label")" "$(kept "$label" <"$work/before.$label")"
		check_equal "$label has no token of mortise any more" "$(header_json \
			"$(partition "$label")" | jq '[.tokens[] | select(.type == "mortise")]')" '[]'
		check "all keys of $label open it as before" keys_open "$label"
	done
	check "the data is there" grep -q kept "$root/var/mnt/data/file"
	check_equal "STATE lists the volumes" "$(listed)" "$(declared)"
	check_equal "the list is readable by root only" "$(stat -c %a "$known")" 600
}

# declared: print the ids of all volumes of this machine.
declared() {
	cut -d ' ' -f 1 "$machine/partitions" | grep -v 'META\|u-talos' | sort | xargs
}

# same_files: the configuration and the salt are those that 0.1 has stored.
same_files() {
	cmp "$root/system/state/config.yaml" "$machine/state/config.yaml" &&
		cmp "$root/system/state/encryption-salt.yaml" "$machine/state/encryption-salt.yaml"
}

# update NAME: the first two boots of this machine with the new version. The function restart, if it
# is defined, prepares each boot.
update() {
	local label before

	field_machine "$1"
	declare -F restart >/dev/null || restart() { :; }
	restart
	for label in $(encrypted); do
		keyslots "$label" >"$work/before.$label"
		save_header "$(partition "$label")" "$work/old.$label"
	done
	check "$1: the machine comes up unattended" said mortise up
	adopted
	check "the files in STATE are those of 0.1" same_files
	down
	restart
	mortise up >"$work/said" 2>&1 || fail "$1: the second boot succeeds" "$(cat "$work/said")"
	check_fails "the second boot reports nothing" grep -q "$accepted\|notice" "$work/said"
	before=$(sums)
	down
	restart
	check "$1: the third boot succeeds" said mortise up
	check_equal "the third boot writes nothing" "$(sums)" "$before"
}

# put_old LABEL: the header as it was before the update, with its keyslots.
put_old() {
	put_header "$(partition "$1")" "$work/old.$1"
}

test_node() {
	update node
	check "status shows the recovery key" said mortise status
	check "the recovery key of vault is reported" says 'vault: recovery key in keyslot 1'
	for name in vault old open; do
		check "$name is mounted with its file" grep -q kept "$root/var/mnt/$name/file"
	done
	check_match "swap is switched on" "$(mortise status)" "*swap *ready *\[swap\]*"
	down
}

# An old header in place of a sealed one.
test_old_header() {
	local device

	device=$(partition u-data)
	put_old u-data
	check_status 6 "up refuses a header without a seal" said mortise up
	check "the error says what an operator can do" says "data: cannot trust the header of $device: no seal; to accept it, run \`mortise apply\` or \`mortise seal --volume u-data $device\`"
	check_fails "the volume is not open" test -e /dev/mapper/luks2-u-data
	check "the other volumes are up" grep -q kept "$root/var/mnt/vault/file"
	check_equal "the header is left as it is" "$(head -c 16M "$device" | cmp - "$work/old.u-data" && echo same)" same
	check_status 6 "the next up refuses it, too" said mortise up
	check "an operator seals it with a key" "$MORTISE" seal -q --volume u-data "$device" \
		--key-file <(printf 'field data')
	check "up succeeds" said mortise up
	check_fails "up has nothing to report" says "$accepted"
	down
	put_old u-data
	check_status 6 "the header is put in place once more" said mortise up
	cp "$root/system/state/config.yaml" "$work/config.yaml"
	check "apply succeeds" said mortise apply -f "$work/config.yaml"
	check "apply reports what it has accepted" says "the header of $device (no seal) $accepted"
	check "the file is there" grep -q kept "$root/var/mnt/data/file"
	down
	check "up succeeds after apply" said mortise up
	check_fails "up has nothing to report" says "$accepted"
	down
}

test_old_state() {
	local device

	device=$(partition STATE)
	put_old STATE
	check_status 1 "up refuses a STATE without a seal that lists volumes" said mortise up
	check "the error says why" says 'no seal, although STATE lists the volumes of this machine'
	check_fails "STATE is not mounted" mountpoint -q "$root/system/state"
	check_equal "nothing is open" "$(dmsetup ls)" 'No devices found'
	check "an operator seals it with a key" "$MORTISE" seal -q --volume STATE "$device" \
		--key-file <(printf 'field state')
	check "up succeeds" said mortise up
}

# A volume that cryptsetup has formatted as Talos does is declared later.
test_talos() {
	local device

	device=$(partition u-talos)
	{
		cat "$machine/state/config.yaml"
		printf -- '---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: talos\n'
		printf 'filesystem: {type: ext4}\nencryption:\n  provider: luks2\n'
		printf '  keys: [{slot: 0, static: {passphrase: field talos}}]\n'
	} >"$work/config.yaml"
	check_status 6 "up does not adopt a volume that is new to this machine" \
		said mortise up -f "$work/config.yaml"
	check "the error names apply" says "talos: the LUKS2 volume on $device is not known to this machine: not opened; to accept it, run \`mortise apply\`"
	check "apply accepts it" said mortise apply -f "$work/config.yaml"
	check "apply reports it" says "the header of $device (no seal) $accepted"
	check "the file is there" grep -q kept "$root/var/mnt/talos/file"
	check "its key opens it as before" keys_open u-talos
	check_equal "STATE lists it" "$(listed)" "$(declared | sed 's/u-open/& u-talos/' | tr ' ' '\n' | sort | xargs)"
	down
	check "the next boot succeeds" said mortise up
	check_fails "the boot has nothing to report" says "$accepted"
	down
}

# The trust file can forbid the first adoption.
test_forbidden() {
	local before

	field_machine node
	printf 'headers: sealed\n' >"$work/trust.yaml"
	more=(--trust "$work/trust.yaml")
	before=$(header_sum "$(partition STATE)")
	check_status 1 "up does not adopt if the trust file forbids it" said mortise up
	check "the error says so" says "cannot trust the header of $(partition STATE): no seal"
	check_fails "STATE is not open" test -e /dev/mapper/luks2-STATE
	check_equal "the header is unchanged" "$(header_sum "$(partition STATE)")" "$before"
	check "an operator's apply adopts the volumes" said \
		mortise apply -f "$machine/state/config.yaml"
	adopted
	down
	check "up succeeds" said mortise up
	down
	more=()
}

test_tpm() {
	restart() {
		more=(--tcti "$tcti")
		if [[ ! -d $work/tpm-field ]]; then
			mkdir "$work/tpm-field"
			xz -dc "$machine/tpm2-00.permall.xz" >"$work/tpm-field/tpm2-00.permall"
			start_tpm field
		fi
		reboot_tpm
	}
	update tpm
	check_equal "STATE's key is bound to PCR 15, too" "$(header_json "$(partition STATE)" |
		jq -c '.tokens["0"].UserData.pcrs')" '[7,15]'
	check_match "the TPM opened STATE" "$(mortise status)" '*STATE *ready *0 *tpm *'
	down
	stop_tpm
	unset -f restart
}

test_kms() {
	cp "$field_here/kms/kms-key" "$work/kms-key"
	field_kms "$work/kms-key"
	update kms
	check_match "the KMS opened STATE" "$(mortise status)" '*STATE *ready *0 *kms *'
	down
	# 0.1 also contacted a KMS without TLS that META names.
	"$MORTISE" meta get 9 --device "META=$(partition META)" >"$work/tag"
	sed -i 's/https:/grpc:/' "$work/tag"
	check "META names a KMS without TLS" \
		"$MORTISE" meta set 9 "$work/tag" --device "META=$(partition META)"
	check_status 1 "up does not contact it" said mortise up
	check "the error says what to do" says 'cannot trust the KMS grpc://localhost:4050: META names it, and it does not use TLS; to permit it, set kms.insecure in /etc/mortise/trust.yaml of the boot image'
	check_fails "STATE is not open" test -e /dev/mapper/luks2-STATE
	kill "$(cat "$work/kms.pid")"
	more=()
}

topics=("$@") # all, without an argument
[[ -n ${1-} ]] || topics=(node old_header old_state talos forbidden tpm kms)
for topic in "${topics[@]}"; do
	echo "# $topic, after $SECONDS s"
	"test_$topic"
done
finish
