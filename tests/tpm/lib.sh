# SPDX-License-Identifier: MIT
# Functions for the scripts of this directory. TPM_CALL and TPM_PROXY: the programs built from
# tpm_call.c and proxy.c. Each script starts its own emulated TPMs, on sockets in its own directory,
# and ends them.

: "${TPM_CALL:?TPM_CALL must be the path of tpm_call}" "${TPM_PROXY:?}"
TPM_CALL=$(realpath "$TPM_CALL")
TPM_PROXY=$(realpath "$TPM_PROXY")
for tool in swtpm tpm2_createprimary openssl; do
	command -v $tool >/dev/null || {
		echo "skipped: no $tool"
		exit 77
	}
done
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$(realpath "$0")")/../cli/lib.sh"
export TPM2TOOLS_TCTI
pid=

end_tpm() {
	[ -z "$pid" ] || kill "$pid"
	[ -z "$pid" ] || wait "$pid"
	pid=
} 2>/dev/null

trap 'end_tpm; cd /; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# tpm DIR [SWTPM_ARGUMENT]...: starts the TPM with its state in DIR, in place of the current one.
# Its PCRs have their values after a reset.
tpm() {
	local dir=$1
	shift
	end_tpm
	mkdir -p "$dir"
	rm -f tpm tpm.ctrl
	[ $# != 0 ] || set -- --tpm2 --flags not-need-init,startup-clear
	# In a session of its own, because a test stops it: when the process group of the tests is orphaned
	# while one of its processes is stopped, the kernel sends SIGHUP to all of them.
	setsid swtpm socket --tpmstate dir="$dir" --server type=unixio,path=tpm \
		--ctrl type=unixio,path=tpm.ctrl "$@" >swtpm.log 2>&1 &
	pid=$!
	for _ in $(seq 3000); do
		[ ! -S tpm ] || [ ! -S tpm.ctrl ] || break
		sleep 0.1
	done
	TPM2TOOLS_TCTI=swtpm:path=$work/tpm
}

# measure PCR...: extends the PCRs as a boot would, with the same values each time.
measure() {
	local pcr
	for pcr; do
		tpm2_pcrextend "$pcr:sha256=$(printf %064d "$pcr")"
	done
}

# call ARGUMENT...: runs tpm_call on the current TPM.
call() {
	"$TPM_CALL" -T "$TPM2TOOLS_TCTI" "$@"
}

# is_empty DESCRIPTION: no object and no session is left in the TPM. Checked after every call,
# because /dev/tpm0 has no resource manager that would flush them.
is_empty() {
	if [ -z "$(tpm2_getcap handles-transient)$(tpm2_getcap handles-loaded-session)" ]; then
		return 0
	fi
	result 1 "$1: left in the TPM"
	tpm2_flushcontext -t
	tpm2_flushcontext -l
}

# opens DESCRIPTION ARGUMENT...: the call prints the contents of ./secret.
opens() {
	local what=$1
	shift
	call "$@" >out 2>err
	cmp -s out secret
	result $? "$what"
	[ -z "$(sed -n '/^tpm_call/p' err)" ] || sed 's/^/# /' err
	is_empty "$what"
}

# succeeds DESCRIPTION ARGUMENT...
succeeds() {
	local what=$1
	shift
	call "$@" >out 2>err <secret
	result $? "$what"
	sed 's/^/# /' out
	is_empty "$what"
}

# says TEXT DESCRIPTION ARGUMENT...: the call fails, and prints TEXT and nothing else.
says() {
	local text=$1 what=$2 status
	shift 2
	call "$@" >out 2>err <secret
	status=$?
	[ $status = 1 ] && [ "$(cat out)" = "$text" ]
	result $? "$what"
	[ "$(cat out)" = "$text" ] || sed 's/^/# /' out err
	[ -n "$skip_empty_check" ] || is_empty "$what"
}
skip_empty_check=

head -c 32 /dev/urandom >secret

# The template of Talos's storage root key. unique is in the TSS's memory layout: two fields, each a
# size (32) and a buffer of 128 bytes, of which 32 are used.
order=$(printf '\001\000' | od -An -t u2 | tr -d ' ')
[ "$order" = 1 ] && size='\040\000' || size='\000\040'
{
	printf "$size"
	head -c 128 /dev/zero
	printf "$size"
	head -c 128 /dev/zero
} >unique

srk() {
	tpm2_createprimary -Q -C o -g sha256 -G ecc256:aes128cfb -u unique -c srk.ctx -a \
		"fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"
	tpm2_flushcontext -t
}

# new_key NAME: creates a key that signs boot images.
new_key() {
	openssl genrsa -out "$1.key" 2048 2>/dev/null
	openssl rsa -in "$1.key" -pubout -out "$1.pem" 2>/dev/null
	openssl rsa -in "$1.key" -RSAPublicKey_out -outform DER 2>/dev/null |
		sha256sum | cut -d' ' -f1 >"$1.fingerprint"
}

# sign NAME: signs the current value of PCR 11, as systemd-measure does, and sets $signature.
sign() {
	tpm2_startauthsession -S trial.ctx
	tpm2_policypcr -Q -S trial.ctx -l sha256:11 -L pol11
	tpm2_flushcontext trial.ctx
	openssl dgst -sha256 -sign "$1.key" -out "$1.signature" pol11
	signature=$(od -An -v -t x1 pol11 | tr -d ' \n'):$(cat "$1.fingerprint"):$1.signature
}
