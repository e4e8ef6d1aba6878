#!/bin/bash
# SPDX-License-Identifier: MIT
# The TPM's memory: its contents and attributes as tpm2-tools see them, and what an attacker who has
# the owner's authorization, but another boot image, can do to it.
. "$(dirname "$(realpath "$0")")/lib.sh"

index=0x01a06d6f
attributes="authread|ownerread|policywrite|no_da"

# reads TEXT DESCRIPTION [OPTION]...: memory-read prints TEXT.
reads() {
	local text=$1 what=$2
	shift 2
	call "$@" memory-read >out 2>err && [ "$(cat out)" = "$text" ]
	result $? "$what"
	[ "$(cat out)" = "$text" ] || sed 's/^/# /' out err
	is_empty "$what"
}

# public NAME: prints a line of the index's public area.
public() {
	tpm2_nvreadpublic $index | sed -n "s/^ *$1: //p"
}

# volume ID: prints the first 8 bytes of its SHA-256.
volume() {
	printf %s "$1" | sha256sum | cut -c1-16
}

# policy_digest: prints the digest of PolicyPCR over the current PCR 7, computed by tpm2-tools.
policy_digest() {
	tpm2_startauthsession -S trial.ctx
	tpm2_policypcr -Q -S trial.ctx -l sha256:7 -L pol7
	tpm2_flushcontext trial.ctx
	od -An -v -t x1 pol7 | tr -d ' \n'
}

# bytes: prints the contents of the index as tpm2-tools read them.
bytes() {
	tpm2_nvread "$@" $index | od -An -v -t x1 | tr -d ' \n'
}

# ---------------------------------------------------------------- without a signed policy: PCR 7
tpm one
nothing="KMS or TPM provides no key: PCR bank 7 is populated with all zeroes: nothing was measured \
into it, and a key bound to it would open after any boot"
says "$nothing" "nothing was measured into PCR 7: write" memory-write f 12 STATE=7
says "$nothing" "nothing was measured into PCR 7: read" memory-read
measure 7
reads "no index:  0" "no index"
succeeds "write" memory-write fe 12 STATE=7 u-data=18446744073709551615
one="valid: fe 12
7 $(volume STATE)
18446744073709551615 $(volume u-data)"
reads "$one" "read"

# The same as seen by tpm2-tools.
[ "$(public size)" = 512 ] && [ "$(public value)" = "0xB
0x22060008" ]
result $? "512 bytes, SHA-256, $attributes, written"
[ "$(public "authorization policy")" = "$(policy_digest | tr a-f A-F)" ]
result $? "its policy is PolicyPCR over PCR 7"
cp pol7 policy_7
contents="6d6f727469736501 0003 000c 0002 0000 $(volume STATE) 0000000000000007 $(volume u-data)"
contents="${contents// /}ffffffffffffffff"
bytes >out
[ "$(cat out)" = "$contents$(printf %0$((1024 - ${#contents}))d 0)" ]
result $? "layout"
bytes -C o | cmp -s - out
result $? "the owner can read it"

# Updates keep the index.
succeeds "write again" memory-write fs 4 STATE=8
reads "valid: fs 4
8 $(volume STATE)" "read again"
volumes=()
for i in $(seq 31); do
	volumes+=("u-$i=$i")
done
succeeds "31 volumes" memory-write fe 12 "${volumes[@]}"
[ "$(call memory-read | wc -l)" = 32 ]
result $? "31 volumes are read"
says "not enough space: the TPM remembers the epochs of at most 31 volumes" "32 volumes" \
	memory-write fe 12 "${volumes[@]}" u-32=1
succeeds "write STATE" memory-write fe 12 STATE=7 u-data=18446744073709551615

# After a restart, with the same PCR 7, and in another boot image.
tpm one
measure 7
reads "$one" "after a restart"
succeeds "write after a restart" memory-write fe 12 STATE=7 u-data=18446744073709551615
tpm2_pcrextend "7:sha256=$(printf %064d 1)"
reads "foreign: fe 12
7 $(volume STATE)
18446744073709551615 $(volume u-data)" "another boot image reads it as foreign"
says "already exists: the TPM's NV index $index was created by another boot image or program" \
	"another boot image does not write it" memory-write f 0 STATE=1

# ------------------------------------------- the attacker: owner authorization, other PCR values
bytes >before
printf mortise >attack
! tpm2_nvwrite -Q -C o -i attack $index 2>/dev/null
result $? "attack: write with the owner's authorization"
! tpm2_nvwrite -Q -i attack $index 2>/dev/null
result $? "attack: write with the empty password"
tpm2_startauthsession --policy-session -S session.ctx
tpm2_policypcr -Q -S session.ctx -l sha256:7
! tpm2_nvwrite -Q -P session:session.ctx -i attack $index 2>/dev/null
result $? "attack: write with a policy session over other values"
tpm2_flushcontext session.ctx
! tpm2_nvundefine -Q -C o -P session:none $index 2>/dev/null
tpm2_nvwritelock -C o $index 2>/dev/null
bytes | cmp -s - before
result $? "attack: the contents are unchanged"

# The attacker can remove the index, and create one with the same public area, but not write it.
tpm one
measure 7
tpm2_nvundefine -Q -C o $index
reads "no index:  0" "attack: removed"
tpm2_nvdefine -Q -C o -s 512 -a "$attributes" -L policy_7 $index
reads "unwritten:  0" "attack: created, with the policy of the boot image"
tpm2_nvundefine -Q -C o $index
tpm2_nvdefine -Q -C o -s 512 -a "$attributes" -L policy_7 -p secret $index
reads "unwritten:  0" "attack: created with a password"
succeeds "the boot image replaces an index that was never written" memory-write fe 12 STATE=7
reads "valid: fe 12
7 $(volume STATE)" "without the password"

# Other attributes, sizes, policies and names, written with contents that parse.
printf %s "$contents$(printf %0$((1024 - ${#contents}))d 0)" | xxd -r -p >forged
forge() { # forge DESCRIPTION SIZE TPM2_NVDEFINE_ARGUMENT...
	local what=$1 size=$2
	shift 2
	tpm2_nvundefine -Q -C o $index
	tpm2_nvdefine -Q -C o -s $size "$@" $index
	head -c $size forged >"cut"
	tpm2_nvwrite -Q -C o -i cut $index || echo "# cannot forge: $what"
	call memory-read >out
	[[ $(cat out) == "foreign: "* ]]
	result $? "attack: $what"
	sed 's/^/# /' out
}
forge "the owner may write" 512 -a "$attributes|ownerwrite" -L policy_7
forge "the owner may write, no policy" 512 -a "authread|ownerread|ownerwrite|no_da"
forge "a lock for writing" 512 -a "$attributes|ownerwrite|write_stclear" -L policy_7
forge "a lock for reading" 512 -a "$attributes|ownerwrite|read_stclear" -L policy_7
forge "another hash" 512 -g sha1 -a "authread|ownerread|ownerwrite|no_da"
tpm2_nvundefine -Q -C o $index
tpm2_nvdefine -Q -C o -s 256 -a "$attributes" -L policy_7 $index
reads "foreign:  0" "attack: another size"
says "already exists: the TPM's NV index $index was created by another boot image or program" \
	"a forged index is not replaced" memory-write f 0 STATE=1
succeeds "replace it" memory-replace fe 12 STATE=7
reads "valid: fe 12
7 $(volume STATE)" "replaced"

# A policy that the attacker satisfies, and a password that only the attacker knows.
tpm2_pcrextend "7:sha256=$(printf %064d 1)"
policy_digest >/dev/null
cp pol7 policy_attack
forge_policy() { # forge_policy [TPM2_NVDEFINE_ARGUMENT]...
	tpm2_nvundefine -Q -C o $index
	tpm2_nvdefine -Q -C o -s 512 -a "$attributes" -L policy_attack "$@" $index
	tpm2_startauthsession --policy-session -S session.ctx
	tpm2_policypcr -Q -S session.ctx -l sha256:7
	tpm2_nvwrite -Q -P session:session.ctx -i forged $index || echo "# cannot forge"
	tpm2_flushcontext session.ctx
}
forge_policy
tpm one
measure 7
reads "foreign: fe 12
7 $(volume STATE)
18446744073709551615 $(volume u-data)" "attack: written under another policy"
tpm2_pcrextend "7:sha256=$(printf %064d 1)"
forge_policy -p secret
tpm one
measure 7
reads "foreign:  0" "attack: written under another policy, with a password"

# Contents that only a boot image with the right policy could write, and that do not parse.
succeeds "replace" memory-replace fe 12 STATE=7
write_as_image() { # write_as_image OFFSET HEX
	printf %s "$2" | xxd -r -p >part
	tpm2_startauthsession --policy-session -S session.ctx
	tpm2_policypcr -Q -S session.ctx -l sha256:7
	tpm2_nvwrite -Q -P session:session.ctx -i part --offset $1 $index
	tpm2_flushcontext session.ctx
}
for case in "magic 0 6e" "version 7 02" "flags 8 8001" "count 12 ffff" "count 13 20" "reserved 14 01" \
	"duplicate 12 0002000000000000000000000000000000000000000000000000000000000000000000000000"; do
	# shellcheck disable=SC2086
	set -- $case
	write_as_image 0 "$contents"
	write_as_image $2 $3
	reads "damaged:  0" "damaged: $1 at $2"
done
succeeds "a damaged memory is written again" memory-write fe 12 STATE=7
succeeds "remove" memory-remove
reads "no index:  0" "removed"
succeeds "remove again" memory-remove

# ------------------------------------------------------------------ with a signed policy: PCR 11
measure 11
new_key maker
new_key other
sign maker
signed=(-k maker.pem -s "$signature")
succeeds "signed: write" "${signed[@]}" memory-write fe 12 STATE=7
reads "valid: fe 12
7 $(volume STATE)" "signed: read" "${signed[@]}"
policy=$(public "authorization policy")
reads "foreign: fe 12
7 $(volume STATE)" "signed: foreign without the key"
reads "foreign: fe 12
7 $(volume STATE)" "signed: foreign with another key" -k other.pem
. "$(dirname "$(realpath "$0")")/recipe.sh"
tpm2_startauthsession -S trial.ctx
policy trial.ctx signed -
tpm2_flushcontext trial.ctx
[ "$policy" = "$(od -An -v -t x1 digest | tr -d ' \n' | tr a-f A-F)" ]
result $? "signed: its policy is PolicyAuthorize"

# The next boot image, signed with the same key, and one with another PCR 7.
tpm one
tpm2_pcrextend "7:sha256=$(printf %064d 1)" "11:sha256=$(printf %064d 12)"
sign maker
next=(-k maker.pem -s "$signature")
reads "valid: fe 12
7 $(volume STATE)" "signed: the next boot image reads" "${next[@]}"
succeeds "signed: and writes" "${next[@]}" memory-write fe 12 STATE=8
tpm2_pcrextend "11:sha256=$(printf %064d 1)"
reads "valid: fe 12
8 $(volume STATE)" "signed: read in a later phase of the boot" "${next[@]}"
unsigned="KMS or TPM provides no key: the value of PCR 11 is not signed: this is another boot image, \
or a phase of the boot in which the key is unavailable; with the right boot image, restart the machine"
says "$unsigned" "signed: no write in a later phase" "${next[@]}" memory-write fe 12 STATE=9
says "$unsigned" "signed: nor a replacement" "${next[@]}" memory-replace fe 12 STATE=9
reads "valid: fe 12
8 $(volume STATE)" "signed: unchanged" "${next[@]}"

# ---------------------------------------------------------------------------------------- the bus
tpm one
measure 7
succeeds "bus: write" memory-replace fe 12 STATE=7
TPM2TOOLS_TCTI="cmd:$TPM_PROXY $work/tpm log $work/bus"
call memory-read >/dev/null
# TPM_ST_SESSIONS with a session handle, not TPM_RS_PW: the response has an HMAC of the TPM.
od -An -v -t x1 bus | tr -d ' \n' >bus.hex
grep -q "8002000000..0000014e01a06d6f01a06d6f........02" bus.hex
result $? "bus: the memory is read in an HMAC session"
# After this error, ESYS cannot flush the session; the kernel's resource manager would.
skip_empty_check=1
for command in "169 2 TPM2_NV_ReadPublic" "14e 1 TPM2_NV_Read"; do
	TPM2TOOLS_TCTI="cmd:$TPM_PROXY $work/tpm flip ${command% *}"
	says "KMS or TPM provides no key: the response to ${command##* } is not from the TPM that \
started the session" "bus: a changed response to ${command##* }" memory-read
done
finish
