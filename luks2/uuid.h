/* SPDX-License-Identifier: MIT */
/* The UUID of a header (RFC 4122, text form). */
#ifndef LUKS2_UUID_H
#define LUKS2_UUID_H

#include <mortise.h>

/* Checks for 8-4-4-4-12 hex digits. uuid receives them in lower case. MORTISE_E_USAGE. */
MORTISE_MUST_CHECK enum mortise_code luks2_uuid_parse(const char *text,
						      char uuid[static MORTISE_UUID_LEN + 1],
						      struct mortise_error *err);

/* Makes a random UUID, version 4. */
MORTISE_MUST_CHECK enum mortise_code luks2_uuid_random(char uuid[static MORTISE_UUID_LEN + 1],
						       struct mortise_error *err);

#endif
