/* SPDX-License-Identifier: MIT */
/* Kind kms: bytes sealed by a network KMS, over gRPC (sidero.kms.KMSService, as Talos has it). */
#ifndef KEYS_KMS_H
#define KEYS_KMS_H

#include <mortise.h>

#define KEYS_KMS_DATA_SIZE  32u	  /* bytes that are sealed */
#define KEYS_KMS_SEALED_MAX 4096u /* bytes that a KMS may answer with */

/* Whom to ask, and as whom. Strings are the caller's. */
struct keys_kms {
	const char *endpoint;	/* as configurations have it: "grpc://kms:4050", "https://kms" */
	const char *node_uuid;
	const char *ca;		/* PEM file of the roots to trust; NULL: the system's */
	const char *cert;	/* PEM file of our certificate, with key; NULL: none */
	const char *key;
	const struct mortise_events *events; /* NULL: the call cannot be canceled */
};

/*
 * Each is one call that takes at most 10 s. MORTISE_E_UNREACHABLE: another try may help
 * (refused connection, unknown name, deadline, gRPC status UNAVAILABLE and the like).
 * MORTISE_E_SOURCE: it will not (TLS, other statuses, an answer that is none).
 * MORTISE_E_USAGE: the endpoint is none, or a file cannot be read. MORTISE_E_UNSUPPORTED: not
 * in this build, or libcurl is not installed.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_seal(const struct keys_kms *kms,
						   const uint8_t data[static KEYS_KMS_DATA_SIZE],
						   uint8_t sealed[static KEYS_KMS_SEALED_MAX],
						   size_t *sealed_size, struct mortise_error *err);

/* *data: at least 1 byte; what the KMS holds for the right bytes, whatever they are. */
MORTISE_MUST_CHECK enum mortise_code keys_kms_unseal(const struct keys_kms *kms,
						     const uint8_t *sealed, size_t sealed_size,
						     struct mortise_secret **data,
						     struct mortise_error *err);

#endif
