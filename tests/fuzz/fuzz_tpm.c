/* SPDX-License-Identifier: MIT */
/*
 * A hostile TPM behind tpm2-tss: the functions of ESYS are replaced. They return what a valid TPM
 * would, unless a byte of the input says otherwise. The first byte selects the call.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "keys/sources/tpm/nv.h"
#include "keys/sources/tpm/operations.h"
#include "keys/sources/tpm/pcr.h"
#include "keys/sources/tpm/policy.h"
#include "keys/sources/tpm/response.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#define HANDLE	0x40000000u
#define HONEST	0x20u /* bytes from here on: no error, or the value of a valid TPM */
#define PCRS	(UINT32_C(1) << 7 | UINT32_C(1) << 15)
#define MODULUS 256u

enum kind { SEALED, UNSEALED, READ, WRITTEN, PCR_READ, EXTENDED, PARSED, EXPLAINED };
const char *const fuzz_kinds[] = { "sealed",	      "unsealed", "memories read",
				   "written",	      "PCR sets", "extended",
				   "memories parsed", "codes",	  NULL };

static struct {
	struct keys_tpm_context context;
	uint8_t pcrs[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE];
	struct keys_tpm_signed_policy policy;
	struct keys_tpm_memory memory;
	struct keys_tpm_object object[2]; /* without and with the signed policy */
} honest;

/* The policy session. */
static struct {
	bool authorized;
	uint32_t pcrs;
} session;

static const struct keys_tpm_signed_policy *policy; /* of this machine in this run, or NULL */

/* The response code of a command. */
static TSS2_RC respond(void)
{
	static const TSS2_RC codes[] = {
		TPM2_RC_FAILURE,     TPM2_RC_HANDLE,	  TPM2_RC_BAD_AUTH,
		TPM2_RC_NV_SPACE,    TPM2_RC_RETRY,	  TPM2_RC_SIGNATURE,
		TPM2_RC_SIZE,	     TPM2_RC_VALUE,	  TSS2_TCTI_RC_IO_ERROR,
		TPM2_RC_PCR_CHANGED, TPM2_RC_POLICY_FAIL, TSS2_ESYS_RC_MEMORY,
	};
	const unsigned choice = next();

	return choice < HONEST ? codes[choice % (sizeof(codes) / sizeof(*codes))] : 0;
}

static void *new_answer(size_t size)
{
	void *made = calloc(1, size);

	check(made != NULL);
	return made;
}

/* A size and its bytes, which tpm2-tss has checked to fit in room. */
static void put(UINT16 *size, BYTE *bytes, size_t room, const void *valid, size_t valid_size)
{
	const unsigned choice = next();

	if (choice >= HONEST || !input.left) {
		*size = (UINT16)valid_size;
		memcpy(bytes, valid, valid_size);
		return;
	}
	*size = (UINT16)((next() | next() << 8) % (room + 1));
	(void)next_bytes(bytes, *size);
}

static void put_selection(TPML_PCR_SELECTION *selection, uint32_t pcrs)
{
	*selection = keys_tpm_pcr_selection(TPM2_ALG_SHA256, pcrs);
	if (next() >= HONEST)
		return;
	selection->count = next() % (TPM2_NUM_PCR_BANKS + 1);
	for (unsigned i = 0; i < selection->count; i++) {
		TPMS_PCR_SELECTION *bank = &selection->pcrSelections[i];

		bank->hash = next() % 2 ? TPM2_ALG_SHA256 : TPM2_ALG_SHA1;
		bank->sizeofSelect = (UINT8)(next() % (TPM2_PCR_SELECT_MAX + 1));
		(void)next_bytes(bank->pcrSelect, sizeof(bank->pcrSelect));
	}
}

static TSS2_RC get_capability(ESYS_CONTEXT *esys, ESYS_TR a, ESYS_TR b, ESYS_TR c,
			      TPM2_CAP capability, UINT32 property, UINT32 count, TPMI_YES_NO *more,
			      TPMS_CAPABILITY_DATA **data)
{
	const TSS2_RC rc = respond();

	(void)esys, (void)a, (void)b, (void)c, (void)property, (void)count;
	check(capability == TPM2_CAP_PCRS);
	if (rc)
		return rc;
	*more = 0;
	*data = new_answer(sizeof(**data));
	put_selection(&(*data)->data.assignedPCR, KEYS_TPM_PCR_MASK);
	return 0;
}

static TSS2_RC pcr_read(ESYS_CONTEXT *esys, ESYS_TR a, ESYS_TR b, ESYS_TR c,
			const TPML_PCR_SELECTION *wanted, UINT32 *counter,
			TPML_PCR_SELECTION **selection, TPML_DIGEST **digests)
{
	const TSS2_RC rc = respond();
	uint32_t pcrs = 0;

	(void)esys, (void)a, (void)b, (void)c, (void)counter;
	if (rc)
		return rc;
	for (unsigned i = 0; i < MORTISE_PCRS / 8; i++)
		pcrs |= (uint32_t)wanted->pcrSelections[0].pcrSelect[i] << 8 * i;
	*selection = new_answer(sizeof(**selection));
	*digests = new_answer(sizeof(**digests));
	for (unsigned pcr = 0; pcr < MORTISE_PCRS; pcr++) {
		TPM2B_DIGEST *digest = &(*digests)->digests[(*digests)->count];

		if (!(pcrs >> pcr & 1))
			continue;
		if ((*digests)->count == 8 || next() == 1) {
			pcrs &= ~(UINT32_C(1) << pcr);
			continue;
		}
		put(&digest->size, digest->buffer, sizeof(digest->buffer), honest.pcrs[pcr],
		    KEYS_TPM_DIGEST_SIZE);
		(*digests)->count++;
	}
	put_selection(*selection, pcrs);
	return 0;
}

static TSS2_RC pcr_extend(ESYS_CONTEXT *esys, ESYS_TR pcr, ESYS_TR a, ESYS_TR b, ESYS_TR c,
			  const TPML_DIGEST_VALUES *digests)
{
	(void)esys, (void)pcr, (void)a, (void)b, (void)c;
	check(digests->count == 1);
	return respond();
}

static TSS2_RC create_primary(ESYS_CONTEXT *esys, ESYS_TR hierarchy, ESYS_TR a, ESYS_TR b,
			      ESYS_TR c, const TPM2B_SENSITIVE_CREATE *sensitive,
			      const TPM2B_PUBLIC *public, const TPM2B_DATA *data,
			      const TPML_PCR_SELECTION *pcrs, ESYS_TR *handle,
			      TPM2B_PUBLIC **public_out, TPM2B_CREATION_DATA **creation,
			      TPM2B_DIGEST **hash, TPMT_TK_CREATION **ticket)
{
	(void)esys, (void)hierarchy, (void)a, (void)b, (void)c, (void)sensitive, (void)public;
	(void)data, (void)pcrs, (void)public_out, (void)creation, (void)hash, (void)ticket;
	*handle = HANDLE;
	return respond();
}

/* ESYS computes a name itself, with a hash of at most 64 bytes. */
static TSS2_RC get_name(ESYS_CONTEXT *esys, ESYS_TR handle, TPM2B_NAME **name)
{
	static const uint8_t valid[KEYS_TPM_OBJECT_NAME_SIZE] = { 0, 0x0b, 1, 2, 3 };
	const TSS2_RC rc = respond();

	(void)esys, (void)handle;
	if (rc)
		return rc;
	*name = new_answer(sizeof(**name));
	put(&(*name)->size, (*name)->name, 2 + 64, valid, sizeof(valid));
	return 0;
}

static TSS2_RC start_session(ESYS_CONTEXT *esys, ESYS_TR key, ESYS_TR bind, ESYS_TR a, ESYS_TR b,
			     ESYS_TR c, const TPM2B_NONCE *nonce, TPM2_SE type,
			     const TPMT_SYM_DEF *cipher, TPMI_ALG_HASH hash, ESYS_TR *handle)
{
	(void)esys, (void)key, (void)bind, (void)a, (void)b, (void)c, (void)nonce, (void)type;
	(void)cipher, (void)hash;
	*handle = HANDLE;
	session.authorized = false;
	session.pcrs = 0;
	return respond();
}

static TSS2_RC set_attributes(ESYS_CONTEXT *esys, ESYS_TR handle, TPMA_SESSION flags,
			      TPMA_SESSION mask)
{
	(void)esys, (void)handle, (void)flags, (void)mask;
	return respond();
}

static TSS2_RC flush_context(ESYS_CONTEXT *esys, ESYS_TR handle)
{
	(void)esys, (void)handle;
	return 0;
}

static TSS2_RC create(ESYS_CONTEXT *esys, ESYS_TR parent, ESYS_TR a, ESYS_TR b, ESYS_TR c,
		      const TPM2B_SENSITIVE_CREATE *sensitive, const TPM2B_PUBLIC *template,
		      const TPM2B_DATA *data, const TPML_PCR_SELECTION *pcrs,
		      TPM2B_PRIVATE **private, TPM2B_PUBLIC **public,
		      TPM2B_CREATION_DATA **creation, TPM2B_DIGEST **hash,
		      TPMT_TK_CREATION **ticket)
{
	static const uint8_t valid[160] = { 1, 2, 3 };
	TSS2_RC rc;

	(void)esys, (void)a, (void)b, (void)c, (void)sensitive, (void)data, (void)pcrs;
	(void)creation, (void)hash, (void)ticket;
	/* The call that only replaces the sensitive data. */
	if (parent != HANDLE)
		return TSS2_ESYS_RC_BAD_TR;
	rc = respond();
	if (rc)
		return rc;
	*private = new_answer(sizeof(**private));
	*public = new_answer(sizeof(**public));
	put(&(*private)->size, (*private)->buffer, sizeof((*private)->buffer), valid,
	    sizeof(valid));
	**public = *template;
	return 0;
}

static TSS2_RC load(ESYS_CONTEXT *esys, ESYS_TR parent, ESYS_TR a, ESYS_TR b, ESYS_TR c,
		    const TPM2B_PRIVATE *private, const TPM2B_PUBLIC *public, ESYS_TR *handle)
{
	(void)esys, (void)parent, (void)a, (void)b, (void)c, (void)private, (void)public;
	*handle = HANDLE;
	return respond();
}

static TSS2_RC load_external(ESYS_CONTEXT *esys, ESYS_TR a, ESYS_TR b, ESYS_TR c,
			     const TPM2B_SENSITIVE *private, const TPM2B_PUBLIC *public,
			     ESYS_TR hierarchy, ESYS_TR *handle)
{
	(void)esys, (void)a, (void)b, (void)c, (void)private, (void)public, (void)hierarchy;
	*handle = HANDLE;
	return respond();
}

static TSS2_RC verify_signature(ESYS_CONTEXT *esys, ESYS_TR key, ESYS_TR a, ESYS_TR b, ESYS_TR c,
				const TPM2B_DIGEST *digest, const TPMT_SIGNATURE *signature,
				TPMT_TK_VERIFIED **ticket)
{
	const TSS2_RC rc = respond();

	(void)esys, (void)key, (void)a, (void)b, (void)c, (void)digest, (void)signature;
	if (!rc)
		*ticket = new_answer(sizeof(**ticket));
	return rc;
}

static TSS2_RC policy_pcr(ESYS_CONTEXT *esys, ESYS_TR handle, ESYS_TR a, ESYS_TR b, ESYS_TR c,
			  const TPM2B_DIGEST *digest, const TPML_PCR_SELECTION *pcrs)
{
	(void)esys, (void)handle, (void)a, (void)b, (void)c, (void)digest;
	for (unsigned i = 0; i < MORTISE_PCRS / 8; i++)
		session.pcrs |= (uint32_t)pcrs->pcrSelections[0].pcrSelect[i] << 8 * i;
	return respond();
}

static TSS2_RC policy_authorize(ESYS_CONTEXT *esys, ESYS_TR handle, ESYS_TR a, ESYS_TR b, ESYS_TR c,
				const TPM2B_DIGEST *approved, const TPM2B_NONCE *reference,
				const TPM2B_NAME *name, const TPMT_TK_VERIFIED *ticket)
{
	(void)esys, (void)handle, (void)a, (void)b, (void)c, (void)approved, (void)reference;
	(void)name, (void)ticket;
	session.authorized = true;
	session.pcrs = 0;
	return respond();
}

static TSS2_RC policy_get_digest(ESYS_CONTEXT *esys, ESYS_TR handle, ESYS_TR a, ESYS_TR b,
				 ESYS_TR c, TPM2B_DIGEST **digest)
{
	uint8_t valid[KEYS_TPM_DIGEST_SIZE];
	const TSS2_RC rc = respond();

	(void)esys, (void)handle, (void)a, (void)b, (void)c;
	if (rc)
		return rc;
	check(!keys_tpm_policy_digest(session.authorized ? &honest.policy : NULL, session.pcrs,
				      (const uint8_t(*)[KEYS_TPM_DIGEST_SIZE])honest.pcrs, valid,
				      NULL));
	*digest = new_answer(sizeof(**digest));
	put(&(*digest)->size, (*digest)->buffer, sizeof((*digest)->buffer), valid, sizeof(valid));
	return 0;
}

static TSS2_RC unseal(ESYS_CONTEXT *esys, ESYS_TR item, ESYS_TR a, ESYS_TR b, ESYS_TR c,
		      TPM2B_SENSITIVE_DATA **data)
{
	static const uint8_t valid[KEYS_TPM_SECRET_SIZE] = { 42 };
	const TSS2_RC rc = respond();

	(void)esys, (void)item, (void)a, (void)b, (void)c;
	if (rc)
		return rc;
	*data = new_answer(sizeof(**data));
	put(&(*data)->size, (*data)->buffer, sizeof((*data)->buffer), valid, sizeof(valid));
	return 0;
}

static TSS2_RC get_sys_context(ESYS_CONTEXT *esys, TSS2_SYS_CONTEXT **sys)
{
	(void)esys, (void)sys;
	return TSS2_ESYS_RC_BAD_REFERENCE;
}

static TSS2_RC from_public(ESYS_CONTEXT *esys, TPM2_HANDLE index, ESYS_TR a, ESYS_TR b, ESYS_TR c,
			   ESYS_TR *handle)
{
	(void)esys, (void)index, (void)a, (void)b, (void)c;
	*handle = HANDLE;
	return respond();
}

static void fill_public(TPMS_NV_PUBLIC *public)
{
	uint8_t digest[KEYS_TPM_DIGEST_SIZE];

	check(!keys_tpm_policy_digest(policy, policy ? 0 : UINT32_C(1) << 7,
				      (const uint8_t(*)[KEYS_TPM_DIGEST_SIZE])honest.pcrs, digest,
				      NULL));
	public->nvIndex = KEYS_TPM_MEMORY_INDEX;
	public->nameAlg = TPM2_ALG_SHA256;
	public->attributes = TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_POLICYWRITE |
			     TPMA_NV_NO_DA | TPMA_NV_WRITTEN;
	public->dataSize = KEYS_TPM_MEMORY_SIZE;
	put(&public->authPolicy.size, public->authPolicy.buffer, sizeof(public->authPolicy.buffer),
	    digest, sizeof(digest));
}

static TSS2_RC nv_read_public(ESYS_CONTEXT *esys, ESYS_TR index, ESYS_TR a, ESYS_TR b, ESYS_TR c,
			      TPM2B_NV_PUBLIC **public, TPM2B_NAME **name)
{
	const TSS2_RC rc = respond();
	unsigned choice;

	(void)esys, (void)index, (void)a, (void)b, (void)c, (void)name;
	if (rc)
		return rc;
	*public = new_answer(sizeof(**public));
	fill_public(&(*public)->nvPublic);
	choice = next();
	if (choice == 1)
		(*public)->nvPublic.attributes ^= next() | next() << 8;
	else if (choice == 2)
		(*public)->nvPublic.dataSize = (UINT16)(next() | next() << 8);
	else if (choice == 3)
		(*public)->nvPublic.attributes &= ~(TPMA_NV)TPMA_NV_WRITTEN;
	return 0;
}

static TSS2_RC nv_read(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a, ESYS_TR b,
		       ESYS_TR c, UINT16 size, UINT16 offset, TPM2B_MAX_NV_BUFFER **data)
{
	uint8_t valid[KEYS_TPM_MEMORY_SIZE];
	const TSS2_RC rc = respond();

	(void)esys, (void)auth, (void)index, (void)a, (void)b, (void)c;
	check(size == KEYS_TPM_MEMORY_SIZE && !offset);
	if (rc)
		return rc;
	keys_tpm_memory_encode(&honest.memory, valid);
	*data = new_answer(sizeof(**data));
	put(&(*data)->size, (*data)->buffer, sizeof((*data)->buffer), valid, sizeof(valid));
	return 0;
}

static TSS2_RC nv_write(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a, ESYS_TR b,
			ESYS_TR c, const TPM2B_MAX_NV_BUFFER *data, UINT16 offset)
{
	struct keys_tpm_memory parsed = { 0 };

	(void)esys, (void)auth, (void)index, (void)a, (void)b, (void)c;
	check(data->size == KEYS_TPM_MEMORY_SIZE && !offset);
	check(keys_tpm_memory_parse(data->buffer, &parsed));
	return respond();
}

static TSS2_RC nv_define(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR a, ESYS_TR b, ESYS_TR c,
			 const TPM2B_AUTH *password, const TPM2B_NV_PUBLIC *public, ESYS_TR *index)
{
	(void)esys, (void)auth, (void)a, (void)b, (void)c, (void)password, (void)public;
	*index = HANDLE;
	return respond();
}

static TSS2_RC nv_undefine(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a, ESYS_TR b,
			   ESYS_TR c)
{
	(void)esys, (void)auth, (void)index, (void)a, (void)b, (void)c;
	return respond();
}

static TSS2_RC set_auth(ESYS_CONTEXT *esys, ESYS_TR handle, TPM2B_AUTH const *auth)
{
	(void)esys, (void)handle;
	check(auth->size <= KEYS_TPM_DIGEST_SIZE);
	return respond();
}

static TSS2_RC policy_auth_value(ESYS_CONTEXT *esys, ESYS_TR policy_session, ESYS_TR a, ESYS_TR b,
				 ESYS_TR c)
{
	(void)esys, (void)policy_session, (void)a, (void)b, (void)c;
	return respond();
}

static void release(void *answer)
{
	free(answer);
}

static void make_object(struct keys_tpm_object *object, const struct keys_tpm_signed_policy *with)
{
	static const uint8_t name[] = { 0, KEYS_TPM_OBJECT_NAME_SIZE, 0, 0x0b, 1, 2, 3 };
	TPM2B_PUBLIC public = { .publicArea = { .type = TPM2_ALG_KEYEDHASH,
						.nameAlg = TPM2_ALG_SHA256 } };
	const TPM2B_PRIVATE private = { .size = 160 };

	public.publicArea.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL;
	check(!honest.context.library.Tss2_MU_TPM2B_PRIVATE_Marshal(&private, object->private_blob,
								    sizeof(object->private_blob),
								    &object->private_size));
	check(!honest.context.library.Tss2_MU_TPM2B_PUBLIC_Marshal(
		&public, object->public_blob, sizeof(object->public_blob), &object->public_size));
	memcpy(object->key_name, name, sizeof(name));
	object->key_name_size = 2 + KEYS_TPM_OBJECT_NAME_SIZE;
	object->signed_policy = with;
	object->pcrs = object->values_known = PCRS;
	memcpy(object->pcr_values, honest.pcrs, sizeof(object->pcr_values));
	check(!keys_tpm_policy_digest(with, PCRS,
				      (const uint8_t(*)[KEYS_TPM_DIGEST_SIZE])honest.pcrs,
				      object->policy_hash, NULL));
}

static void begin(void)
{
	struct keys_tpm_library *l = &honest.context.library;
	struct keys_tpm_signature *signature = &honest.policy.signatures[0];

	check(!keys_tpm_library_load(l, NULL));
	l->Esys_Free = release;
	l->Esys_GetSysContext = get_sys_context;
	l->Esys_TR_FromTPMPublic = from_public;
	l->Esys_TR_GetName = get_name;
	l->Esys_TR_SetAuth = set_auth;
	l->Esys_PolicyAuthValue = policy_auth_value;
	l->Esys_TRSess_SetAttributes = set_attributes;
	l->Esys_GetCapability = get_capability;
	l->Esys_PCR_Read = pcr_read;
	l->Esys_PCR_Extend = pcr_extend;
	l->Esys_StartAuthSession = start_session;
	l->Esys_FlushContext = flush_context;
	l->Esys_CreatePrimary = create_primary;
	l->Esys_Create = create;
	l->Esys_Load = load;
	l->Esys_LoadExternal = load_external;
	l->Esys_VerifySignature = verify_signature;
	l->Esys_PolicyPCR = policy_pcr;
	l->Esys_PolicyGetDigest = policy_get_digest;
	l->Esys_PolicyAuthorize = policy_authorize;
	l->Esys_Unseal = unseal;
	l->Esys_NV_ReadPublic = nv_read_public;
	l->Esys_NV_DefineSpace = nv_define;
	l->Esys_NV_UndefineSpace = nv_undefine;
	l->Esys_NV_Read = nv_read;
	l->Esys_NV_Write = nv_write;
	for (unsigned pcr = 0; pcr < MORTISE_PCRS; pcr++)
		memset(honest.pcrs[pcr], (int)pcr + 1, KEYS_TPM_DIGEST_SIZE);
	memset(honest.policy.modulus, 0xc5, MODULUS);
	honest.policy.modulus_size = MODULUS;
	honest.policy.exponent = 65537;
	honest.policy.signature_count = 1;
	signature->signature_size = MODULUS;
	check(!keys_tpm_policy_digest(NULL, UINT32_C(1) << KEYS_TPM_SIGNED_PCR,
				      (const uint8_t(*)[KEYS_TPM_DIGEST_SIZE])honest.pcrs,
				      signature->policy, NULL));
	check(!keys_tpm_fingerprint(&honest.policy, signature->fingerprint, NULL));
	honest.memory.facts = honest.memory.state_encrypted = true;
	check(!keys_tpm_memory_set_epoch(&honest.memory, "STATE", 7, NULL));
	check(!keys_tpm_memory_set_epoch(&honest.memory, "u-data", UINT64_MAX, NULL));
	make_object(&honest.object[0], NULL);
	make_object(&honest.object[1], &honest.policy);
}

static enum mortise_code run_seal(struct keys_tpm_context *context, struct mortise_error *err)
{
	struct keys_tpm_binding binding = { .pcrs = PCRS,
					    .predicted = next() % 2 ? UINT32_C(1) << 15 : 0 };
	static const uint8_t bytes[KEYS_TPM_SECRET_SIZE] = { 42 };
	struct keys_tpm_object *object = new_answer(sizeof(*object));
	struct mortise_secret *secret = NULL;
	enum mortise_code code;

	check(!mortise_secret_from(bytes, sizeof(bytes), &secret, NULL));
	code = keys_tpm_seal_object(context, policy, &binding, NULL, secret, object, err);
	if (!code) {
		check(object->private_size <= KEYS_TPM_BLOB_MAX &&
		      object->public_size <= KEYS_TPM_BLOB_MAX &&
		      object->key_name_size <= KEYS_TPM_NAME_MAX);
		fuzz_accepted(SEALED);
	}
	mortise_secret_free(&secret);
	free(object);
	return code;
}

static enum mortise_code run_unseal(struct keys_tpm_context *context, struct mortise_error *err)
{
	const uint32_t form = next();
	struct keys_tpm_object object = honest.object[form % 2];
	struct mortise_secret *secret = NULL, *pin = NULL;
	enum mortise_code code;
	uint32_t changed = 0;

	object.systemd = form >> 6 & 1;
	object.pin = form >> 7 & 1;
	check(!mortise_secret_new(KEYS_TPM_DIGEST_SIZE, &pin, NULL));
	code = keys_tpm_unseal_object(context, policy, pin, &object, &secret, &changed, err);
	mortise_secret_free(&pin);
	check(!secret == (code != MORTISE_OK) && !(changed & ~PCRS));
	if (!code) {
		check(mortise_secret_size(secret) == KEYS_TPM_SECRET_SIZE);
		fuzz_accepted(UNSEALED);
	}
	mortise_secret_free(&secret);
	return code;
}

static enum mortise_code run_read(struct keys_tpm_context *context, struct mortise_error *err)
{
	struct keys_tpm_memory *memory = new_answer(sizeof(*memory));
	enum keys_tpm_memory_state state;
	enum mortise_code code = keys_tpm_nv_read(context, policy, memory, &state, err);

	check(memory->volume_count <= KEYS_TPM_MEMORY_VOLUMES);
	if (!code && state == KEYS_TPM_MEMORY_VALID) {
		check(!memcmp(memory->policy, memory->wanted, KEYS_TPM_DIGEST_SIZE));
		fuzz_accepted(READ);
	} else if (state != KEYS_TPM_MEMORY_FOREIGN) {
		check(!memory->facts && !memory->volume_count);
	}
	free(memory);
	return code;
}

static enum mortise_code run_write(struct keys_tpm_context *context, struct mortise_error *err)
{
	const bool replace = next() % 2;
	enum mortise_code code = keys_tpm_nv_write(context, policy, &honest.memory, replace, err);

	if (!code)
		fuzz_accepted(WRITTEN);
	return code;
}

static enum mortise_code run_remove(struct keys_tpm_context *context, struct mortise_error *err)
{
	return keys_tpm_nv_remove(context, err);
}

static enum mortise_code run_pcrs(struct keys_tpm_context *context, struct mortise_error *err)
{
	uint8_t values[MORTISE_PCRS][KEYS_TPM_DIGEST_SIZE] = { 0 };
	const uint32_t pcrs = next() | next() << 8 | next() << 16;
	enum mortise_code code = keys_tpm_pcr_read(context, pcrs, values, err);

	if (!code && pcrs)
		fuzz_accepted(PCR_READ);
	return code;
}

static enum mortise_code run_extend(struct keys_tpm_context *context, struct mortise_error *err)
{
	static const uint8_t digest[KEYS_TPM_DIGEST_SIZE] = { 1 };
	enum mortise_code code = keys_tpm_pcr_extend(context, next() % MORTISE_PCRS, digest, err);

	if (!code)
		fuzz_accepted(EXTENDED);
	return code;
}

/* An accepted memory is written the same, except for bytes behind its volumes. */
static enum mortise_code run_parse(struct keys_tpm_context *context, struct mortise_error *err)
{
	struct keys_tpm_memory *memory = new_answer(sizeof(*memory));
	uint8_t bytes[KEYS_TPM_MEMORY_SIZE] = { 0 }, again[KEYS_TPM_MEMORY_SIZE];

	(void)context;
	(void)err;
	(void)next_bytes(bytes, sizeof(bytes));
	if (keys_tpm_memory_parse(bytes, memory)) {
		check(memory->volume_count <= KEYS_TPM_MEMORY_VOLUMES);
		keys_tpm_memory_encode(memory, again);
		check(!memcmp(bytes, again, 16 + 16 * memory->volume_count));
		fuzz_accepted(PARSED);
	}
	free(memory);
	return MORTISE_OK;
}

static enum mortise_code run_explain(struct keys_tpm_context *context, struct mortise_error *err)
{
	const TSS2_RC rc = next() | next() << 8 | next() << 16 | (TSS2_RC)next() << 24;

	(void)context;
	fuzz_accepted(EXPLAINED);
	(void)keys_tpm_busy(rc);
	return keys_tpm_failed(rc, "TPM2_Create", err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static enum mortise_code (*const calls[])(struct keys_tpm_context *,
						  struct mortise_error *) = {
		run_seal, run_unseal, run_read,	 run_write,   run_remove,
		run_pcrs, run_extend, run_parse, run_explain,
	};
	struct mortise_error err;
	enum mortise_code code;
	unsigned call;

	if (!honest.policy.modulus_size)
		begin();
	input_begin(data, size);
	call = next();
	policy = call & 0x80 ? &honest.policy : NULL;
	honest.context.kept_count = 0;
	code = calls[(call & 0x7f) % (sizeof(calls) / sizeof(*calls))](&honest.context, &err);
	check(!code || (code == err.code && *err.text));
	for (const char *at = err.text; code && *at; at++)
		check(!iscntrl((unsigned char)*at));
	return 0;
}
