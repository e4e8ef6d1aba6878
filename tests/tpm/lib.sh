# SPDX-License-Identifier: MIT
# What the scripts of this folder share. TPM_CALL and TPM_PROXY: the programs beside it. Each
# script has its own emulated TPMs, on sockets in its own directory, and ends them.

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

# tpm DIR [SWTPM_WORDS...]: from now on the TPM whose state is kept in DIR, just started: its
# PCRs are as after a reset.
tpm() {
	local dir=$1
	shift
	end_tpm
	mkdir -p "$dir"
	rm -f tpm tpm.ctrl
	[ $# != 0 ] || set -- --tpm2 --flags not-need-init,startup-clear
	swtpm socket --tpmstate dir="$dir" --server type=unixio,path=tpm \
		--ctrl type=unixio,path=tpm.ctrl "$@" >swtpm.log 2>&1 &
	pid=$!
	for _ in $(seq 3000); do
		[ ! -S tpm ] || [ ! -S tpm.ctrl ] || break
		sleep 0.1
	done
	TPM2TOOLS_TCTI=swtpm:path=$work/tpm
}

# measure PCR...: what a boot would do; the same each time.
measure() {
	local pcr
	for pcr; do
		tpm2_pcrextend "$pcr:sha256=$(printf %064d "$pcr")"
	done
}

# call WORDS...: tpm_call on the TPM of now.
call() {
	"$TPM_CALL" -T "$TPM2TOOLS_TCTI" "$@"
}

# is_empty DESCRIPTION: no object and no session was left in the TPM. Asked after every call:
# /dev/tpm0 has no resource manager that would see to it.
is_empty() {
	if [ -z "$(tpm2_getcap handles-transient)$(tpm2_getcap handles-loaded-session)" ]; then
		return 0
	fi
	result 1 "$1: left in the TPM"
	tpm2_flushcontext -t
	tpm2_flushcontext -l
}

# opens DESCRIPTION WORDS...: the call gives what is in ./secret.
opens() {
	local what=$1
	shift
	call "$@" >out 2>err
	cmp -s out secret
	result $? "$what"
	[ -z "$(sed -n '/^tpm_call/p' err)" ] || sed 's/^/# /' err
	is_empty "$what"
}

# succeeds DESCRIPTION WORDS...
succeeds() {
	local what=$1
	shift
	call "$@" >out 2>err <secret
	result $? "$what"
	sed 's/^/# /' out
	is_empty "$what"
}

# says TEXT DESCRIPTION WORDS...: the call fails, and this is all that it says.
says() {
	local text=$1 what=$2 status
	shift 2
	call "$@" >out 2>err <secret
	status=$?
	[ $status = 1 ] && [ "$(cat out)" = "$text" ]
	result $? "$what"
	[ "$(cat out)" = "$text" ] || sed 's/^/# /' out err
	[ -n "$unasked" ] || is_empty "$what"
}
unasked=

head -c 32 /dev/urandom >secret

# The template of the recipe. unique as the TSS has it in memory: twice a size, of 32, and 128
# bytes, of which 32 count.
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

# new_key NAME: of a maker of boot images.
new_key() {
	openssl genrsa -out "$1.key" 2048 2>/dev/null
	openssl rsa -in "$1.key" -pubout -out "$1.pem" 2>/dev/null
	openssl rsa -in "$1.key" -RSAPublicKey_out -outform DER 2>/dev/null |
		sha256sum | cut -d' ' -f1 >"$1.fingerprint"
}

# sign NAME: what PCR 11 holds now, as systemd-measure would; sets $signature.
sign() {
	tpm2_startauthsession -S trial.ctx
	tpm2_policypcr -Q -S trial.ctx -l sha256:11 -L pol11
	tpm2_flushcontext trial.ctx
	openssl dgst -sha256 -sign "$1.key" -out "$1.signature" pol11
	signature=$(od -An -v -t x1 pol11 | tr -d ' \n'):$(cat "$1.fingerprint"):$1.signature
}
