/* SPDX-License-Identifier: MIT */
/* Error messages for response codes (TPM 2.0 Library, part 2, section 6.6). */
#include "keys/sources/tpm/response.h"

#include <tss2/tss2_tpm2_types.h>

#include "base/error.h"

#define NO_ROOM                                                                           \
	"the TPM has no room left: a program left objects or sessions in it; flush them " \
	"(tpm2_flushcontext -t -l -s) or restart the machine"
#define BUSY "the TPM is busy; try again later"
#define AUTHORIZATION                                                                            \
	"the TPM refuses an empty password for its owner hierarchy; remove the password of the " \
	"hierarchy (tpm2_changeauth -c owner)"

static const struct {
	TSS2_RC reason;
	enum mortise_code code;
	const char *sentence;
} responses[] = {
	{ TPM2_RC_LOCKOUT, MORTISE_E_UNREACHABLE,
	  "the TPM is in lockout after too many wrong passwords; wait until the lockout ends, or "
	  "end it with tpm2_dictionarylockout --clear-lockout" },
	{ TPM2_RC_RETRY, MORTISE_E_UNREACHABLE, BUSY },
	{ TPM2_RC_YIELDED, MORTISE_E_UNREACHABLE, BUSY },
	{ TPM2_RC_TESTING, MORTISE_E_UNREACHABLE, BUSY },
	{ TPM2_RC_NV_RATE, MORTISE_E_UNREACHABLE, BUSY },
	{ TPM2_RC_NV_UNAVAILABLE, MORTISE_E_UNREACHABLE, BUSY },
	{ TPM2_RC_PCR_CHANGED, MORTISE_E_UNREACHABLE,
	  "a PCR was extended during the operation; try again" },
	{ TPM2_RC_AUTH_FAIL, MORTISE_E_SOURCE, AUTHORIZATION },
	{ TPM2_RC_BAD_AUTH, MORTISE_E_SOURCE, AUTHORIZATION },
	{ TPM2_RC_AUTH_MISSING, MORTISE_E_SOURCE, AUTHORIZATION },
	{ TPM2_RC_HIERARCHY, MORTISE_E_SOURCE,
	  "the TPM's owner hierarchy is disabled; enable it in the firmware setup" },
	{ TPM2_RC_FAILURE, MORTISE_E_SOURCE,
	  "the TPM is in failure mode; switch the machine off and on" },
	{ TPM2_RC_INITIALIZE, MORTISE_E_SOURCE,
	  "the TPM is not started; the firmware or the kernel must start it" },
	{ TPM2_RC_REBOOT, MORTISE_E_SOURCE, "the TPM requires a restart of the machine" },
	{ TPM2_RC_UPGRADE, MORTISE_E_SOURCE, "a firmware update of the TPM is in progress" },
	{ TPM2_RC_LOCALITY, MORTISE_E_SOURCE,
	  "the TPM does not let an operating system change this PCR" },
	{ TPM2_RC_OBJECT_MEMORY, MORTISE_E_SOURCE, NO_ROOM },
	{ TPM2_RC_SESSION_MEMORY, MORTISE_E_SOURCE, NO_ROOM },
	{ TPM2_RC_MEMORY, MORTISE_E_SOURCE, NO_ROOM },
	{ TPM2_RC_OBJECT_HANDLES, MORTISE_E_SOURCE, NO_ROOM },
	{ TPM2_RC_SESSION_HANDLES, MORTISE_E_SOURCE, NO_ROOM },
	{ TPM2_RC_CONTEXT_GAP, MORTISE_E_SOURCE, NO_ROOM },
	{ TPM2_RC_COMMAND_CODE, MORTISE_E_UNSUPPORTED, "this TPM does not support the command" },
	{ TPM2_RC_INTEGRITY, MORTISE_E_STALE,
	  "the sealed object was created by another TPM, or is damaged" },
	{ TPM2_RC_POLICY_FAIL, MORTISE_E_STALE,
	  "the policy of the sealed object differs from the policy in the token" },
};

/* The kernel's resource manager may answer a command instead of the TPM. */
static bool from_tpm(TSS2_RC rc)
{
	const TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER;
}

TSS2_RC keys_tpm_reason(TSS2_RC rc)
{
	const TSS2_RC bare = rc & ~TSS2_RC_LAYER_MASK;

	/* In the format with bit 7 set, bits 6 and 8-11 number the parameter, session or handle. */
	return bare & TPM2_RC_FMT1 ? bare & (TPM2_RC_FMT1 | 0x3fu) : bare;
}

bool keys_tpm_busy(TSS2_RC rc)
{
	const TSS2_RC reason = keys_tpm_reason(rc);

	return from_tpm(rc) && (reason == TPM2_RC_RETRY || reason == TPM2_RC_YIELDED ||
				reason == TPM2_RC_TESTING || reason == TPM2_RC_NV_RATE);
}

enum mortise_code keys_tpm_failed(TSS2_RC rc, const char *command, struct mortise_error *err)
{
	const TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	for (size_t i = 0; from_tpm(rc) && i < sizeof(responses) / sizeof(responses[0]); i++) {
		if (keys_tpm_reason(rc) == responses[i].reason)
			return error_set(err, responses[i].code, 0, "%s (%s: 0x%08x)",
					 responses[i].sentence, command, rc);
	}
	/* A TPM 1.2 answers in another format, which tpm2-tss reports with these codes. */
	if (rc == TSS2_SYS_RC_GENERAL_FAILURE || rc == TPM2_RC_BAD_TAG)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "this is a TPM 1.2; a key requires a TPM 2.0 (%s: 0x%08x)",
				 command, rc);
	if ((rc & ~TSS2_RC_LAYER_MASK) == TSS2_BASE_RC_MEMORY && !from_tpm(rc))
		return error_memory(err);
	if (layer == TSS2_TCTI_RC_LAYER)
		return error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "the TPM does not answer %s (0x%08x)", command, rc);
	if (rc == TSS2_ESYS_RC_RSP_AUTH_FAILED)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the response to %s is not from the TPM that started the session",
				 command);
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "the TPM refused %s with 0x%08x (tpm2_rc_decode 0x%x explains it)",
			 command, rc, rc);
}
