/* SPDX-License-Identifier: MIT */
#include "keys/sources/kms/text.h"

void keys_kms_text(char *to, size_t room, const char *from, size_t size)
{
	to[mortise_escape(MORTISE_ESCAPE_LINE, &from, &size, to, room - 1)] = '\0';
}
