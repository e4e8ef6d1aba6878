# shellcheck shell=bash
# A TPM for scripts, in addition to lib.sh: swtpm on a socket, with PCRs extended as by a boot.

tcti=swtpm:path=${work:?lib.sh comes first}/tpm
pcr0=crtm
pcr7=firmware
pcr11=
tpm_state=

# check runs commands in a subshell, so state that must persist is kept in files.
tpm_runs() {
	[[ -s $work/tpm.pid ]] && kill -0 "$(cat "$work/tpm.pid" 2>/dev/null)" 2>/dev/null
}

stop_tpm() {
	! tpm_runs || kill "$(cat "$work/tpm.pid")"
	while tpm_runs; do sleep 0.05; done
	rm -f "$work/tpm" "$work/tpm.ctrl" "$work/tpm.pid"
}

# start_tpm NAME: start a TPM with this state, which survives its process, as on a board.
start_tpm() {
	stop_tpm
	tpm_state=$work/tpm-$1
	mkdir -p "$tpm_state"
	swtpm socket --tpm2 --tpmstate "dir=$tpm_state" --flags startup-clear \
		--server "type=unixio,path=$work/tpm" --ctrl "type=unixio,path=$work/tpm.ctrl" \
		--pid "file=$work/tpm.pid" --daemon </dev/null >"$work/swtpm.log" 2>&1
	appears "$work/tpm" "$work/swtpm.log"
}

tpm2() {
	TPM2TOOLS_TCTI=$tcti command tpm2 "$@"
}

digest_of() {
	printf '%s' "$1" | sha256sum | cut -d ' ' -f 1
}

# A power cycle: the PCRs are zero, then firmware and boot loader extend them. The new boot does not
# know what the last one has extended into PCR 15.
reboot_tpm() {
	local word

	tpm_runs || return 0
	rm -f /run/mortise/pcr-15
	start_tpm "${tpm_state#"$work/tpm-"}"
	tpm2 pcrextend "0:sha256=$(digest_of "$pcr0")" "7:sha256=$(digest_of "$pcr7")"
	for word in $pcr11; do tpm2 pcrextend "11:sha256=$(digest_of "$word")"; done
}

# pcr NUMBER: print a PCR's value, in hex.
pcr() {
	tpm2 pcrread "sha256:$1" | sed -n 's/.*0x\([0-9A-Fa-f]*\).*/\1/p' | tr 'A-F' 'a-f'
}

# extended WORD...: print the value of a PCR extended with the words' hashes, computed by sha256sum.
extended() {
	local value word

	value=$(printf '%064d' 0)
	for word; do
		value=$(printf '%s%s' "$value" "$(digest_of "$word")" | xxd -r -p | sha256sum |
			cut -d ' ' -f 1)
	done
	echo "$value"
}

# sign_pcr_11 DIRECTORY WORD...: create a signed policy for PCR 11 extended with these words, in the
# format of systemd-measure. The TPM itself computes the policy's digest from those values.
sign_pcr_11() {
	local directory=$1 fingerprint policy
	shift

	mkdir -p "$directory"
	extended "$@" | xxd -r -p >"$work/pcr-11"
	tpm2 startauthsession -S "$work/trial"
	tpm2 policypcr -S "$work/trial" -l sha256:11 -f "$work/pcr-11" -L "$work/pol" >/dev/null
	tpm2 flushcontext "$work/trial"
	openssl genrsa -out "$work/signer.pem" 2048 2>/dev/null
	openssl rsa -in "$work/signer.pem" -pubout -out "$directory/tpm2-pcr-public-key.pem" 2>/dev/null
	fingerprint=$(openssl rsa -in "$work/signer.pem" -RSAPublicKey_out -outform DER 2>/dev/null |
		sha256sum | cut -d ' ' -f 1)
	policy=$(xxd -p -c 64 "$work/pol")
	openssl dgst -sha256 -sign "$work/signer.pem" -out "$work/signature" "$work/pol"
	printf '{"sha256":[{"pcrs":[11],"pkfp":"%s","pol":"%s","sig":"%s"}]}' "$fingerprint" \
		"$policy" "$(base64 -w 0 "$work/signature")" >"$directory/tpm2-pcr-signature.json"
}

# type_to FILE COMMAND...: run COMMAND on its own terminal, and type a line of FILE at each prompt.
type_to() {
	local lines=$1
	shift

	expect -f - -- "$lines" "$@" <<-'END'
		set timeout 600
		set lines [open [lindex $argv 0]]
		spawn -noecho {*}[lrange $argv 1 end]
		while {1} {
			expect {
				-re {Recovery key for [^\n]*: $} {
					if {[gets $lines line] < 0} { exit 98 }
					send -- "$line\r"
				}
				eof { break }
				timeout { exit 99 }
			}
		}
		lassign [wait] pid spawned system status
		exit $status
	END
}
