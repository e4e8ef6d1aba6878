# SPDX-License-Identifier: MIT
# Sealing and unsealing of tpm keys with tpm2-tools, independent of mortise. Needs lib.sh.

# policy SESSION SIGNED PCRS: executes the policy in a session of tpm2-tools, and writes its digest
# to ./digest.
policy() {
	if [ $2 = signed ]; then
		tpm2_policypcr -Q -S $1 -l sha256:11 -L pol11
		tpm2_loadexternal -Q -C o -G rsa -u maker.pem -a "decrypt|sign|userwithauth" \
			-c key.ctx -n key.name
		tpm2_verifysignature -Q -c key.ctx -g sha256 -f rsassa -m pol11 \
			-s maker.signature -t ticket
		tpm2_policyauthorize -Q -S $1 -i pol11 -n key.name -t ticket -L digest
		tpm2_flushcontext -t
	fi
	[ $3 = - ] || tpm2_policypcr -Q -S $1 -l sha256:$3 -L digest
}

# tools_seal SIGNED PCRS DIR ATTRIBUTES: seals ./secret with tpm2-tools.
tools_seal() {
	mkdir -p $3
	tpm2_startauthsession -S trial.ctx
	policy trial.ctx $1 $2
	tpm2_flushcontext trial.ctx
	srk
	tpm2_create -Q -C srk.ctx -g sha256 -a "$4" -L digest -i secret -u $3/public -r $3/private
	tpm2_flushcontext -t
	tpm2_readpublic -Q -c srk.ctx -n srk.name
	tpm2_flushcontext -t
	printf '\000\042' | cat - srk.name >$3/name
	cp digest $3/policy
	: >$3/values
}

# tools_unseal SIGNED PCRS DIR: unseals with tpm2-tools, to standard output.
tools_unseal() {
	srk
	tpm2_load -Q -C srk.ctx -u $3/public -r $3/private -c object.ctx
	tpm2_flushcontext -t
	tpm2_startauthsession --policy-session -S session.ctx
	policy session.ctx $1 $2
	tpm2_unseal -c object.ctx -p session:session.ctx
	tpm2_flushcontext session.ctx
	tpm2_flushcontext -t
}
