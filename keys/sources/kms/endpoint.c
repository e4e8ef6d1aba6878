/* SPDX-License-Identifier: MIT */
/* The endpoint of a KMS: scheme, host and port. */
#include "keys/sources/kms/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "keys/sources/kms/text.h"

#define DEFAULT_PORT 443u
#define ZONE_MAX     15u /* bytes: the name of an interface, IFNAMSIZ without its NUL */
#define SHOWN	     120u

/* A part of the endpoint's text. */
struct span {
	const char *at;
	size_t size;
};

/* Finds the authority at the start of rest, and in it the offset of the host, after any '@'. */
static struct span find_authority(const char *rest, size_t *host)
{
	const struct span authority = { rest, strcspn(rest, "/?#") };

	*host = authority.size;
	while (*host && authority.at[*host - 1] != '@')
		--*host;
	return authority;
}

static enum mortise_code refuse(const char *text, const char *why, struct mortise_error *err)
{
	const char *rest = strstr(text, "://");
	char shown[SHOWN + 1];
	size_t length, host;

	rest = rest ? rest + 3 : text;
	/* The text before '@' may be a password. */
	(void)find_authority(rest, &host);
	keys_kms_text(shown, sizeof(shown), text, (size_t)(rest - text));
	length = strlen(shown);
	keys_kms_text(shown + length, sizeof(shown) - length, rest + host, strlen(rest + host));
	return error_set(err, MORTISE_E_USAGE, 0,
			 "invalid KMS endpoint \"%s\": %s; use the form grpc://kms.example:4050 or "
			 "https://kms.example",
			 shown, why);
}

/* RFC 3986, section 3.1. */
static bool is_scheme(struct span scheme)
{
	if (!scheme.size || !isalpha((unsigned char)scheme.at[0]))
		return false;
	for (size_t i = 1; i < scheme.size; i++)
		if (!isalnum((unsigned char)scheme.at[i]) && !memchr("+-.", scheme.at[i], 3))
			return false;
	return true;
}

/* Parses the scheme and moves *text to the authority. Returns false if the scheme is too long. */
static bool take_scheme(const char **text, struct keys_kms_endpoint *out)
{
	const char *end = strstr(*text, "://");
	const struct span scheme = { *text, end ? (size_t)(end - *text) : 0 };

	if (!is_scheme(scheme)) {
		strcpy(out->scheme, "grpc");
	} else {
		if (scheme.size > KEYS_KMS_SCHEME_MAX)
			return false;
		for (size_t i = 0; i < scheme.size; i++)
			out->scheme[i] = (char)tolower((unsigned char)scheme.at[i]);
		*text = end + 3;
	}
	out->tls = strcmp(out->scheme, "grpc") != 0;
	return true;
}

/* No digits select the default port. */
static bool read_port(struct span digits, uint16_t *port)
{
	uint32_t value = 0;

	*port = DEFAULT_PORT;
	if (!digits.size)
		return true;
	for (size_t i = 0; i < digits.size; i++) {
		if (!isdigit((unsigned char)digits.at[i]))
			return false;
		value = value * 10 + (uint32_t)(digits.at[i] - '0');
		if (value > UINT16_MAX)
			return false;
	}
	*port = (uint16_t)value;
	return value > 0;
}

/* Parses "[ADDRESS]" or "[ADDRESS%25ZONE]" (RFC 6874); the "25" is optional, as many omit it. */
static bool read_ipv6(struct span host, char out[static KEYS_KMS_HOST_MAX + 1])
{
	const struct span inner = { host.at + 1, host.size - 2 };
	const char *percent = memchr(inner.at, '%', inner.size);
	const size_t length = percent ? (size_t)(percent - inner.at) : inner.size;
	char address[INET6_ADDRSTRLEN];
	struct span zone = { NULL, 0 };
	struct in6_addr parsed;

	if (length >= sizeof(address))
		return false;
	memcpy(address, inner.at, length);
	address[length] = '\0';
	if (inet_pton(AF_INET6, address, &parsed) != 1)
		return false;
	if (percent) {
		zone = (struct span){ percent + 1, inner.size - length - 1 };
		if (zone.size > 2 && memcmp(zone.at, "25", 2) == 0)
			zone = (struct span){ zone.at + 2, zone.size - 2 };
		if (!zone.size || zone.size > ZONE_MAX)
			return false;
		for (size_t i = 0; i < zone.size; i++)
			if (!isalnum((unsigned char)zone.at[i]) && !memchr("-._~", zone.at[i], 4))
				return false;
	}
	snprintf(out, KEYS_KMS_HOST_MAX + 1, "[%s%s%.*s]", address, zone.size ? "%25" : "",
		 (int)zone.size, zone.size ? zone.at : "");
	return true;
}

/* Refuses characters with a meaning in URLs. Accepts UTF-8, since libcurl supports IDNA. */
static bool read_name(struct span host, char out[static KEYS_KMS_HOST_MAX + 1])
{
	if (!host.size || host.size > KEYS_KMS_HOST_MAX)
		return false;
	for (size_t i = 0; i < host.size; i++) {
		const unsigned char c = (unsigned char)host.at[i];

		if (c < 0x80 && !isalnum(c) && !memchr("-._", c, 3))
			return false;
	}
	memcpy(out, host.at, host.size);
	out[host.size] = '\0';
	return true;
}

static const char *read_authority(struct span authority, struct keys_kms_endpoint *out)
{
	struct span host = authority, port = { NULL, 0 };
	const char *end;

	if (host.size && host.at[0] == '[') {
		end = memchr(host.at, ']', host.size);
		if (!end)
			return "no ']' after the IPv6 address";
		host.size = (size_t)(end + 1 - host.at);
		if (!read_ipv6(host, out->host))
			return "no IPv6 address between the brackets";
	} else {
		end = memchr(host.at, ':', host.size);
		if (end && memchr(end + 1, ':', (size_t)(host.at + host.size - end - 1)))
			return "more than one ':'; put an IPv6 address in brackets";
		host.size = end ? (size_t)(end - host.at) : host.size;
		if (!host.size)
			return "no host";
		if (!read_name(host, out->host))
			return "the host is neither a name nor an address";
	}
	port.at = host.at + host.size;
	port.size = authority.size - host.size;
	if (port.size && port.at[0] != ':')
		return "only a port may follow the host";
	if (port.size)
		port = (struct span){ port.at + 1, port.size - 1 };
	return read_port(port, &out->port) ? NULL : "the port is not a number from 1 to 65535";
}

enum mortise_code keys_kms_endpoint_parse(const char *text, struct keys_kms_endpoint *out,
					  struct mortise_error *err)
{
	const char *rest = text, *why;
	struct span authority;
	size_t host;

	memset(out, 0, sizeof(*out));
	for (const char *at = text; *at; at++)
		if (iscntrl((unsigned char)*at))
			return refuse(text, "it contains a control character", err);
	if (!take_scheme(&rest, out))
		return refuse(text, "the scheme is too long", err);
	authority = find_authority(rest, &host);
	authority = (struct span){ authority.at + host, authority.size - host };
	why = read_authority(authority, out);
	return why ? refuse(text, why, err) : MORTISE_OK;
}
