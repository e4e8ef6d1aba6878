/* SPDX-License-Identifier: MIT */
/* Encoding of the names and UUIDs of mappings, as in libdevmapper. */
#include "dm/control.h"
#include "base/error.h"

#include <string.h>

#define ESCAPE 4u /* bytes of "\xNN" */

static bool is_plain(char c)
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

/* True if the text has \xNN, and no other byte that needs encoding. */
static bool is_encoded(const char *text)
{
	bool escapes = false;

	while (*text) {
		if (is_escape(text)) {
			escapes = true;
			text += ESCAPE;
		} else if (is_plain(*text)) {
			text++;
		} else {
			return false;
		}
	}
	return escapes;
}

/* Returns false if the result is truncated, at a whole byte. */
static bool encode_text(const char *text, char *out, size_t room)
{
	static const char digits[] = "0123456789abcdef";
	bool keep = is_encoded(text);
	size_t used = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool one = is_plain(*text) || keep;
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
		return error_set(err, MORTISE_E_USAGE, 0,
				 "the name of a mapping must not be empty");
	if (strlen(name) > MORTISE_NAME_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Name \"%.160s\" too long. Use at most %u bytes.", name,
				 MORTISE_NAME_MAX);
	if (strchr(name, '/'))
		return error_set(err, MORTISE_E_USAGE, 0, "Name \"%s\" invalid. It contains \"/\".",
				 name);
	/* The node would replace the control node or a directory. */
	if (!strcmp(name, "control") || !strcmp(name, ".") || !strcmp(name, ".."))
		return error_set(err, MORTISE_E_USAGE, 0, "Name \"%s\" invalid. It is reserved.",
				 name);
	if (!encode_text(name, encoded, DM_NAME_LEN))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Name \"%s\" too long. Use at most %u bytes; bytes other than "
				 "letters, digits and #+-.:=@_ count four times.",
				 name, MORTISE_NAME_MAX);
	/* Half or twice encoded. libdevmapper refuses it, too. */
	if (strstr(encoded, "\\x5cx"))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Name \"%s\" invalid. It mixes encoded (\\x20) and plain bytes.",
				 name);
	return MORTISE_OK;
}

void dm_uuid_encode(const char *uuid, char encoded[static DM_UUID_LEN])
{
	char cut[DM_UUID_LEN];

	/* cryptsetup truncates the plain text and encodes the rest. */
	strncpy(cut, uuid, sizeof(cut) - 1);
	cut[sizeof(cut) - 1] = '\0';
	(void)encode_text(cut, encoded, DM_UUID_LEN);
}

void dm_name_decode(const char *encoded, char *decoded)
{
	const char *from = encoded;
	char *to = decoded;

	while (*from) {
		int value = is_escape(from) ? hex_value(from[2]) * 16 + hex_value(from[3]) : -1;

		/* A byte that a name cannot contain: leave the whole name encoded. */
		if (value == 0 || value == '/')
			break;
		*to++ = value > 0 ? (char)value : *from;
		from += value > 0 ? ESCAPE : 1;
	}
	*to = '\0';
	if (*from)
		memcpy(decoded, encoded, strlen(encoded) + 1);
}
