/* SPDX-License-Identifier: MIT */
#include "luks2/uuid.h"

#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"

static bool is_dash(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

enum mortise_code luks2_uuid_parse(const char *text, char uuid[static MORTISE_UUID_LEN + 1],
				   struct mortise_error *err)
{
	bool good = strlen(text) == MORTISE_UUID_LEN;

	for (size_t i = 0; good && i < MORTISE_UUID_LEN; i++) {
		good = is_dash(i) ? text[i] == '-' : isxdigit((unsigned char)text[i]) != 0;
		uuid[i] = (char)tolower((unsigned char)text[i]);
	}
	if (!good)
		return error_set(err, MORTISE_E_USAGE, 0, "Wrong LUKS UUID format provided.");
	uuid[MORTISE_UUID_LEN] = '\0';
	return MORTISE_OK;
}

enum mortise_code luks2_uuid_random(char uuid[static MORTISE_UUID_LEN + 1],
				    struct mortise_error *err)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[16];
	size_t at = 0;
	enum mortise_code code = random_bytes(bytes, sizeof(bytes), err);

	if (code)
		return code;
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		if (is_dash(at))
			uuid[at++] = '-';
		uuid[at++] = digits[bytes[i] >> 4];
		uuid[at++] = digits[bytes[i] & 15];
	}
	uuid[at] = '\0';
	return MORTISE_OK;
}
