/* SPDX-License-Identifier: MIT */
/* Keys of kind kms: data sealed by a network KMS over gRPC (sidero.kms.KMSService, as in Talos). */
#ifndef KEYS_KMS_H
#define KEYS_KMS_H

#include <mortise.h>

#define KEYS_KMS_DATA_SIZE  32u	  /* bytes of data to seal */
#define KEYS_KMS_SEALED_MAX 4096u /* maximum bytes of data in an answer of a KMS */

/* A KMS, and how this machine identifies itself. The strings belong to the caller. */
struct keys_kms {
	const char *endpoint;	/* as in configurations: "grpc://kms:4050", "https://kms" */
	const char *node_uuid;
	const char *ca;		/* PEM file of trusted root certificates; NULL: the system's */
	const char *cert;	/* PEM file of the client certificate, used with key; NULL: none */
	const char *key;
	uint32_t timeout_ms;	/* of one call; 0 or more than 10 s: 10 s */
	const struct mortise_events *events; /* NULL: the call cannot be canceled */
};

/*
 * Seal data, or unseal it again. Each function makes one call, which takes at most timeout_ms.
 * MORTISE_E_UNREACHABLE: another attempt may succeed (connection refused, unknown name, timeout,
 * gRPC status UNAVAILABLE and others). MORTISE_E_SOURCE: it will not (TLS, other gRPC statuses,
 * invalid answer). MORTISE_E_USAGE: the endpoint is invalid, or a file cannot be read.
 * MORTISE_E_UNSUPPORTED: built without MORTISE_KMS, or libcurl is not installed.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_seal(const struct keys_kms *kms,
						   const uint8_t data[static KEYS_KMS_DATA_SIZE],
						   uint8_t sealed[static KEYS_KMS_SEALED_MAX],
						   size_t *sealed_size, struct mortise_error *err);

/* *data has at least 1 byte. The KMS decides what it returns; the caller must verify it. */
MORTISE_MUST_CHECK enum mortise_code keys_kms_unseal(const struct keys_kms *kms,
						     const uint8_t *sealed, size_t sealed_size,
						     struct mortise_secret **data,
						     struct mortise_error *err);

#endif
