/* SPDX-License-Identifier: MIT */
/* Where a KMS is: the endpoint as configurations have it, taken apart as Talos does. */
#ifndef KEYS_KMS_ENDPOINT_H
#define KEYS_KMS_ENDPOINT_H

#include <mortise.h>

#define KEYS_KMS_SCHEME_MAX 15u	 /* bytes of a scheme, NUL not counted */
#define KEYS_KMS_HOST_MAX   255u /* bytes of a host, brackets included; a DNS name has 253 */

struct keys_kms_endpoint {
	bool tls;
	char scheme[KEYS_KMS_SCHEME_MAX + 1]; /* lower case */
	char host[KEYS_KMS_HOST_MAX + 1];     /* fit for a URL; an IPv6 address in brackets */
	uint16_t port;
};

/*
 * [SCHEME://][USER@]HOST[:PORT][/PATH][?QUERY][#FRAGMENT]: no scheme is grpc, which is HTTP/2
 * in the clear; every other one is TLS. No port is 443, gRPC's default. User, path, query and
 * fragment say nothing. MORTISE_E_USAGE with a sentence that shows the endpoint.
 */
MORTISE_MUST_CHECK enum mortise_code
keys_kms_endpoint_parse(const char *text, struct keys_kms_endpoint *out, struct mortise_error *err);

#endif
