/* SPDX-License-Identifier: MIT */
/*
 * The NV index that holds the memory. All commands that create, read, write or remove it run in
 * sessions salted with the storage root key, so that their responses come from the TPM.
 */
#include "keys/sources/tpm/nv.h"

#include <string.h>

#include "base/error.h"
#include "keys/sources/tpm/pcr.h"
#include "keys/sources/tpm/policy.h"
#include "keys/sources/tpm/response.h"
#include "keys/sources/tpm/session.h"
#include "keys/sources/tpm/signed.h"

/*
 * All programs may read the index, with the empty password of the index or of the owner. Only a
 * policy session may write it. Wrong passwords do not count for the TPM's lockout.
 */
#define ATTRIBUTES    (TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_POLICYWRITE | TPMA_NV_NO_DA)

#define UNSIGNED_PCRS (UINT32_C(1) << 7) /* the state of Secure Boot and its keys */

struct index {
	ESYS_TR handle;	 /* ESYS_TR_NONE: the index does not exist */
	ESYS_TR primary; /* the storage root key */
	ESYS_TR session; /* HMAC */
	bool ours;	 /* as this boot image would create it */
	bool readable;	 /* it has the size and the rights to read that it would have */
	bool written;
	uint8_t policy[KEYS_TPM_DIGEST_SIZE]; /* of the index, if it is readable */
	TPM2B_NV_PUBLIC wanted;		      /* as this boot image would create it */
};

static enum mortise_code find_index(const struct keys_tpm_context *context, struct index *index,
				    struct mortise_error *err)
{
	TSS2_RC rc;

	do
		rc = context->library.Esys_TR_FromTPMPublic(context->esys, KEYS_TPM_MEMORY_INDEX,
							    ESYS_TR_NONE, ESYS_TR_NONE,
							    ESYS_TR_NONE, &index->handle);
	while (keys_tpm_again(context, rc));
	if (!rc)
		return MORTISE_OK;
	index->handle = ESYS_TR_NONE;
	return keys_tpm_reason(rc) == TPM2_RC_HANDLE
		       ? MORTISE_OK
		       : keys_tpm_failed(rc, "TPM2_NV_ReadPublic", err);
}

/* Connects to the index, if it exists. */
static enum mortise_code open_index(struct keys_tpm_context *context, struct index *index,
				    struct mortise_error *err)
{
	TPM2B_NAME *name = NULL;
	enum mortise_code code;

	memset(index, 0, sizeof(*index));
	code = keys_tpm_primary(context, &index->primary, &name, err);
	context->library.Esys_Free(name);
	if (!code)
		code = keys_tpm_session(context, index->primary, ESYS_TR_NONE, TPM2_SE_HMAC,
					TPMA_SESSION_AUDIT, &index->session, err);
	return code ? code : find_index(context, index, err);
}

/* Computes the public area with which this boot image creates the index. */
static enum mortise_code make_public(const struct keys_tpm_context *context,
				     const struct keys_tpm_signed_policy *policy,
				     TPM2B_NV_PUBLIC *public, struct mortise_error *err)
{
	uint8_t values[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE] = { 0 };
	const uint32_t pcrs = policy ? 0 : UNSIGNED_PCRS;
	enum mortise_code code = MORTISE_OK;

	*public = (TPM2B_NV_PUBLIC){
		.nvPublic = {
			.nvIndex = KEYS_TPM_MEMORY_INDEX,
			.nameAlg = TPM2_ALG_SHA256,
			.attributes = ATTRIBUTES,
			.authPolicy.size = KEYS_TPM_DIGEST_SIZE,
			.dataSize = KEYS_TPM_MEMORY_SIZE,
		},
	};
	if (pcrs)
		code = keys_tpm_pcr_read(context, pcrs, values, err);
	return code ? code
		    : keys_tpm_policy_digest(policy, pcrs, values,
					     public->nvPublic.authPolicy.buffer, err);
}

/*
 * Compares the public area with the one that this boot image would create. The session protects
 * the response to this command; the TPM checks the name that ESYS uses later, since it is part of
 * the authorization.
 */
static enum mortise_code compare_public(const struct keys_tpm_context *context, struct index *index,
					struct mortise_error *err)
{
	const TPMS_NV_PUBLIC *wanted = &index->wanted.nvPublic, *found;
	TPM2B_NV_PUBLIC *public = NULL;
	TSS2_RC rc;

	do
		rc = context->library.Esys_NV_ReadPublic(context->esys, index->handle,
							 index->session, ESYS_TR_NONE, ESYS_TR_NONE,
							 &public, NULL);
	while (keys_tpm_again(context, rc));
	if (rc)
		return keys_tpm_failed(rc, "TPM2_NV_ReadPublic", err);
	found = &public->nvPublic;
	index->written = found->attributes & TPMA_NV_WRITTEN;
	index->readable = found->nvIndex == wanted->nvIndex && found->nameAlg == wanted->nameAlg &&
			  found->dataSize == wanted->dataSize &&
			  (found->attributes & ~TPMA_NV_WRITTEN) == wanted->attributes;
	if (index->readable && found->authPolicy.size == KEYS_TPM_DIGEST_SIZE)
		memcpy(index->policy, found->authPolicy.buffer, KEYS_TPM_DIGEST_SIZE);
	index->ours = !memcmp(index->policy, wanted->authPolicy.buffer, KEYS_TPM_DIGEST_SIZE);
	context->library.Esys_Free(public);
	return MORTISE_OK;
}

/* *locked: the index has a password, which its public area does not show. */
static enum mortise_code read_index(const struct keys_tpm_context *context,
				    const struct index *index,
				    uint8_t bytes[static KEYS_TPM_MEMORY_SIZE], bool *locked,
				    struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	TPM2B_MAX_NV_BUFFER *data = NULL;
	TSS2_RC rc;

	do
		rc = context->library.Esys_NV_Read(context->esys, index->handle, index->handle,
						   index->session, ESYS_TR_NONE, ESYS_TR_NONE,
						   KEYS_TPM_MEMORY_SIZE, 0, &data);
	while (keys_tpm_again(context, rc));
	*locked = keys_tpm_reason(rc) == TPM2_RC_BAD_AUTH;
	if (*locked)
		return MORTISE_OK;
	if (rc)
		return keys_tpm_failed(rc, "TPM2_NV_Read", err);
	if (data->size == KEYS_TPM_MEMORY_SIZE)
		memcpy(bytes, data->buffer, KEYS_TPM_MEMORY_SIZE);
	else
		code = error_set(err, MORTISE_E_SOURCE, 0,
				 "the TPM returned %u bytes instead of %u (TPM2_NV_Read)",
				 data->size, KEYS_TPM_MEMORY_SIZE);
	context->library.Esys_Free(data);
	return code;
}

enum mortise_code keys_tpm_nv_read(struct keys_tpm_context *context,
				   const struct keys_tpm_signed_policy *policy,
				   struct keys_tpm_memory *memory,
				   enum keys_tpm_memory_state *state, struct mortise_error *err)
{
	uint8_t bytes[KEYS_TPM_MEMORY_SIZE];
	enum mortise_code code;
	bool locked, parsed;
	struct index index;

	memset(memory, 0, sizeof(*memory));
	*state = KEYS_TPM_MEMORY_NO_INDEX;
	code = open_index(context, &index, err);
	if (!code)
		code = make_public(context, policy, &index.wanted, err);
	if (code)
		return code;
	memcpy(memory->wanted, index.wanted.nvPublic.authPolicy.buffer, KEYS_TPM_DIGEST_SIZE);
	if (index.handle == ESYS_TR_NONE)
		return MORTISE_OK;
	code = compare_public(context, &index, err);
	if (code)
		return code;
	memcpy(memory->policy, index.policy, KEYS_TPM_DIGEST_SIZE);
	*state = index.ours ? KEYS_TPM_MEMORY_UNWRITTEN : KEYS_TPM_MEMORY_FOREIGN;
	if (!index.readable || !index.written)
		return MORTISE_OK;
	code = read_index(context, &index, bytes, &locked, err);
	if (code)
		return code;
	*state = KEYS_TPM_MEMORY_FOREIGN;
	if (locked)
		return MORTISE_OK;
	parsed = keys_tpm_memory_parse(bytes, memory);
	if (index.ours)
		*state = parsed ? KEYS_TPM_MEMORY_VALID : KEYS_TPM_MEMORY_DAMAGED;
	return MORTISE_OK;
}

static enum mortise_code remove_index(const struct keys_tpm_context *context, struct index *index,
				      struct mortise_error *err)
{
	TSS2_RC rc;

	do
		rc = context->library.Esys_NV_UndefineSpace(context->esys, ESYS_TR_RH_OWNER,
							    index->handle, index->session,
							    ESYS_TR_NONE, ESYS_TR_NONE);
	while (keys_tpm_again(context, rc));
	index->handle = ESYS_TR_NONE;
	return rc ? keys_tpm_failed(rc, "TPM2_NV_UndefineSpace", err) : MORTISE_OK;
}

static enum mortise_code create_index(const struct keys_tpm_context *context, struct index *index,
				      struct mortise_error *err)
{
	const TPM2B_AUTH no_password = { 0 };
	TSS2_RC rc;

	do
		rc = context->library.Esys_NV_DefineSpace(
			context->esys, ESYS_TR_RH_OWNER, index->session, ESYS_TR_NONE, ESYS_TR_NONE,
			&no_password, &index->wanted, &index->handle);
	while (keys_tpm_again(context, rc));
	if (keys_tpm_reason(rc) == TPM2_RC_NV_SPACE)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "the TPM has no room for an NV index of %u bytes; remove unused "
				 "ones (tpm2_getcap handles-nv-index, tpm2_nvundefine)",
				 KEYS_TPM_MEMORY_SIZE);
	return rc ? keys_tpm_failed(rc, "TPM2_NV_DefineSpace", err) : MORTISE_OK;
}

/*
 * Provides an index that this boot image can write. An index that was never written is created
 * again, because its creator may have set a password for reading.
 */
static enum mortise_code provide_index(struct keys_tpm_context *context, struct index *index,
				       bool replace, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	if (index->handle != ESYS_TR_NONE) {
		code = compare_public(context, index, err);
		if (code || (index->ours && index->written))
			return code;
		if (!index->ours && !replace)
			return error_set(err, MORTISE_E_EXISTS, 0,
					 "the TPM's NV index 0x%08x was created by another boot "
					 "image or program",
					 KEYS_TPM_MEMORY_INDEX);
		code = remove_index(context, index, err);
	}
	return code ? code : create_index(context, index, err);
}

/* Starts a session that satisfies the policy, and checks that it does. */
static enum mortise_code start_policy(struct keys_tpm_context *context,
				      const struct keys_tpm_signed_policy *policy,
				      const struct index *index, ESYS_TR *session,
				      struct mortise_error *err)
{
	uint8_t digest[KEYS_TPM_DIGEST_SIZE];
	enum mortise_code code;

	code = keys_tpm_session(context, index->primary, ESYS_TR_NONE, TPM2_SE_POLICY, 0, session,
				err);
	if (!code)
		code = policy ? keys_tpm_authorize(context, policy, *session, err)
			      : keys_tpm_policy_pcr(context, *session, TPM2_ALG_SHA256,
						    UNSIGNED_PCRS, err);
	if (!code)
		code = keys_tpm_session_digest(context, *session, digest, err);
	if (!code && memcmp(digest, index->wanted.nvPublic.authPolicy.buffer, sizeof(digest)))
		code = error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "a PCR was extended during the operation; try again");
	return code;
}

static enum mortise_code write_index(const struct keys_tpm_context *context,
				     const struct index *index, ESYS_TR session,
				     const struct keys_tpm_memory *memory,
				     struct mortise_error *err)
{
	TPM2B_MAX_NV_BUFFER data = { .size = KEYS_TPM_MEMORY_SIZE };
	TSS2_RC rc;

	keys_tpm_memory_encode(memory, data.buffer);
	do
		rc = context->library.Esys_NV_Write(context->esys, index->handle, index->handle,
						    session, ESYS_TR_NONE, ESYS_TR_NONE, &data, 0);
	while (keys_tpm_again(context, rc));
	return rc ? keys_tpm_failed(rc, "TPM2_NV_Write", err) : MORTISE_OK;
}

enum mortise_code keys_tpm_nv_write(struct keys_tpm_context *context,
				    const struct keys_tpm_signed_policy *policy,
				    const struct keys_tpm_memory *memory, bool replace,
				    struct mortise_error *err)
{
	enum mortise_code code;
	struct index index;
	ESYS_TR session = ESYS_TR_NONE;

	code = open_index(context, &index, err);
	if (!code)
		code = make_public(context, policy, &index.wanted, err);
	/* Before an index is removed: otherwise the memory would be lost. */
	if (!code)
		code = start_policy(context, policy, &index, &session, err);
	if (!code)
		code = provide_index(context, &index, replace, err);
	return code ? code : write_index(context, &index, session, memory, err);
}

enum mortise_code keys_tpm_nv_remove(struct keys_tpm_context *context, struct mortise_error *err)
{
	enum mortise_code code;
	struct index index;

	code = open_index(context, &index, err);
	if (code || index.handle == ESYS_TR_NONE)
		return code;
	return remove_index(context, &index, err);
}
