/* SPDX-License-Identifier: MIT */
/* Names and UUIDs of mappings as libdevmapper writes them into the kernel. */
#include "dm/control.h"
#include "base/error.h"

#include <string.h>

#define ESCAPE 4u /* bytes of "\xNN" */

static bool plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("#+-.:=@_", c));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_escape(const char *text)
{
	return text[0] == '\\' && text[1] == 'x' && hex_value(text[2]) >= 0 &&
	       hex_value(text[3]) >= 0;
}

/* Is it written with \xNN already, and nothing in it that would have to be? */
static bool is_encoded(const char *text)
{
	bool escapes = false;

	while (*text) {
		if (is_escape(text)) {
			escapes = true;
			text += ESCAPE;
		} else if (plain(*text)) {
			text++;
		} else {
			return false;
		}
	}
	return escapes;
}

/* Returns false when it was cut, before a byte that had no room. */
static bool encode(const char *text, char *out, size_t room)
{
	static const char digits[] = "0123456789abcdef";
	bool keep = is_encoded(text);
	size_t used = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool one = plain(*text) || keep;
		size_t step = keep && is_escape(text) ? ESCAPE : 1;

		if (used + (one ? step : ESCAPE) >= room)
			break;
		if (one) {
			memcpy(out + used, text, step);
			used += step;
			text += step - 1;
		} else {
			out[used++] = '\\';
			out[used++] = 'x';
			out[used++] = digits[c >> 4];
			out[used++] = digits[c & 15];
		}
	}
	out[used] = '\0';
	return !*text;
}

enum mortise_code dm_name_encode(const char *name, char encoded[static DM_NAME_LEN],
				 struct mortise_error *err)
{
	if (!name || !*name)
		return error_set(err, MORTISE_E_USAGE, 0, "A mapping needs a name.");
	if (strlen(name) > MORTISE_NAME_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Name \"%.160s\" too long. It may have %u bytes.", name,
				 MORTISE_NAME_MAX);
	if (strchr(name, '/'))
		return error_set(err, MORTISE_E_USAGE, 0, "Name \"%s\" invalid. It contains \"/\".",
				 name);
	/* The node would be the control node or a directory. */
	if (!strcmp(name, "control") || !strcmp(name, ".") || !strcmp(name, ".."))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Name \"%s\" invalid. Device-mapper keeps it for itself.", name);
	if (!encode(name, encoded, DM_NAME_LEN))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Name \"%s\" too long. Bytes other than letters, digits and "
				 "#+-.:=@_ count four times, %u in all.",
				 name, MORTISE_NAME_MAX);
	/* libdevmapper refuses it too: half of it is encoded already, or all of it twice. */
	if (strstr(encoded, "\\x5cx"))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Name \"%s\" invalid. It mixes encoded bytes (\\x20) with plain "
				 "ones.",
				 name);
	return MORTISE_OK;
}

void dm_uuid_encode(const char *uuid, char encoded[static DM_UUID_LEN])
{
	char cut[DM_UUID_LEN];

	/* Cut first: cryptsetup cuts the plain text and encodes what is left. */
	strncpy(cut, uuid, sizeof(cut) - 1);
	cut[sizeof(cut) - 1] = '\0';
	(void)encode(cut, encoded, DM_UUID_LEN);
}

void dm_name_decode(const char *encoded, char *decoded)
{
	const char *from = encoded;
	char *to = decoded;

	while (*from) {
		int value = is_escape(from) ? hex_value(from[2]) * 16 + hex_value(from[3]) : -1;

		/* What no name may hold stays escaped, and is found again in that form. */
		if (value == 0 || value == '/')
			break;
		*to++ = value > 0 ? (char)value : *from;
		from += value > 0 ? ESCAPE : 1;
	}
	*to = '\0';
	if (*from)
		memcpy(decoded, encoded, strlen(encoded) + 1);
}
