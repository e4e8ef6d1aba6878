/* SPDX-License-Identifier: MIT */
/* The endpoint of a KMS as written in configurations, parsed like Talos does. */
#ifndef KEYS_KMS_ENDPOINT_H
#define KEYS_KMS_ENDPOINT_H

#include <mortise.h>

#define KEYS_KMS_SCHEME_MAX 15u	 /* bytes of a scheme, NUL not counted */
#define KEYS_KMS_HOST_MAX   255u /* bytes of a host, brackets included; a DNS name has 253 */

struct keys_kms_endpoint {
	bool tls;
	char scheme[KEYS_KMS_SCHEME_MAX + 1]; /* lower case */
	char host[KEYS_KMS_HOST_MAX + 1];     /* ready for a URL: an IPv6 address has brackets */
	uint16_t port;
};

/*
 * Parses [SCHEME://][USER@]HOST[:PORT][/PATH][?QUERY][#FRAGMENT]. The default scheme is grpc, which
 * is HTTP/2 without TLS; every other scheme uses TLS. The default port is 443, as in gRPC. User,
 * path, query and fragment are ignored. MORTISE_E_USAGE: invalid; the message shows the endpoint.
 */
MORTISE_MUST_CHECK enum mortise_code
keys_kms_endpoint_parse(const char *text, struct keys_kms_endpoint *out, struct mortise_error *err);

#endif
