/* SPDX-License-Identifier: MIT */
/* tpm2-tss, loaded when the first key of kind tpm is used: other programs do not load it. */
#ifndef KEYS_TPM_LIBRARY_H
#define KEYS_TPM_LIBRARY_H

#include <mortise.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_sys.h>
#include <tss2/tss2_tctildr.h>

enum keys_tpm_library_file {
	KEYS_TPM_ESYS,
	KEYS_TPM_MU,
	KEYS_TPM_TCTILDR,
	KEYS_TPM_LIBRARY_FILES,
};

/* Tss2_Sys_GetRpBuffer is found through libtss2-esys, which is linked with libtss2-sys. */
#define KEYS_TPM_SYMBOLS(X)                                                                        \
	X(KEYS_TPM_TCTILDR, Tss2_TctiLdr_Initialize)                                               \
	X(KEYS_TPM_TCTILDR, Tss2_TctiLdr_Finalize)                                                 \
	X(KEYS_TPM_MU, Tss2_MU_TPM2B_PRIVATE_Marshal)                                              \
	X(KEYS_TPM_MU, Tss2_MU_TPM2B_PRIVATE_Unmarshal)                                            \
	X(KEYS_TPM_MU, Tss2_MU_TPM2B_PUBLIC_Marshal)                                               \
	X(KEYS_TPM_MU, Tss2_MU_TPM2B_PUBLIC_Unmarshal)                                             \
	X(KEYS_TPM_ESYS, Esys_Initialize)                                                          \
	X(KEYS_TPM_ESYS, Esys_Finalize)                                                            \
	X(KEYS_TPM_ESYS, Esys_Free)                                                                \
	X(KEYS_TPM_ESYS, Esys_GetSysContext)                                                       \
	X(KEYS_TPM_ESYS, Tss2_Sys_GetRpBuffer)                                                     \
	X(KEYS_TPM_ESYS, Esys_TR_FromTPMPublic)                                                    \
	X(KEYS_TPM_ESYS, Esys_TR_GetName)                                                          \
	X(KEYS_TPM_ESYS, Esys_TR_SetAuth)                                                          \
	X(KEYS_TPM_ESYS, Esys_TR_Deserialize)                                                      \
	X(KEYS_TPM_ESYS, Esys_TRSess_SetAttributes)                                                \
	X(KEYS_TPM_ESYS, Esys_GetCapability)                                                       \
	X(KEYS_TPM_ESYS, Esys_PCR_Read)                                                            \
	X(KEYS_TPM_ESYS, Esys_PCR_Extend)                                                          \
	X(KEYS_TPM_ESYS, Esys_StartAuthSession)                                                    \
	X(KEYS_TPM_ESYS, Esys_FlushContext)                                                        \
	X(KEYS_TPM_ESYS, Esys_CreatePrimary)                                                       \
	X(KEYS_TPM_ESYS, Esys_Create)                                                              \
	X(KEYS_TPM_ESYS, Esys_Load)                                                                \
	X(KEYS_TPM_ESYS, Esys_LoadExternal)                                                        \
	X(KEYS_TPM_ESYS, Esys_VerifySignature)                                                     \
	X(KEYS_TPM_ESYS, Esys_PolicyPCR)                                                           \
	X(KEYS_TPM_ESYS, Esys_PolicyGetDigest)                                                     \
	X(KEYS_TPM_ESYS, Esys_PolicyAuthorize)                                                     \
	X(KEYS_TPM_ESYS, Esys_PolicyAuthValue)                                                     \
	X(KEYS_TPM_ESYS, Esys_Unseal)                                                              \
	X(KEYS_TPM_ESYS, Esys_NV_ReadPublic)                                                       \
	X(KEYS_TPM_ESYS, Esys_NV_DefineSpace)                                                      \
	X(KEYS_TPM_ESYS, Esys_NV_UndefineSpace)                                                    \
	X(KEYS_TPM_ESYS, Esys_NV_Read)                                                             \
	X(KEYS_TPM_ESYS, Esys_NV_Write)

#define KEYS_TPM_MEMBER(file, name) __typeof__(&name) name;

/* The functions have the same names as in tpm2-tss's documentation. */
struct keys_tpm_library {
	void *files[KEYS_TPM_LIBRARY_FILES];
	KEYS_TPM_SYMBOLS(KEYS_TPM_MEMBER)
};

/*
 * MORTISE_E_UNSUPPORTED: not installed, or too old. The caller calls keys_tpm_library_unload() in
 * every case.
 */
MORTISE_MUST_CHECK enum mortise_code keys_tpm_library_load(struct keys_tpm_library *library,
							   struct mortise_error *err);
void keys_tpm_library_unload(struct keys_tpm_library *library);

#endif
