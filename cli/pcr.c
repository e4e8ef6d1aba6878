/* SPDX-License-Identifier: MIT */
/* Parses PCR numbers. */
#include <string.h>

#include "cli/pcr.h"

/* Parses one or two digits and advances *text. */
static bool read_number(const char **text, unsigned *pcr)
{
	size_t digits = strspn(*text, "0123456789");

	if (digits < 1 || digits > 2)
		return false;
	*pcr = 0;
	for (; digits > 0; digits--)
		*pcr = *pcr * 10 + (unsigned)(*(*text)++ - '0');
	return *pcr < MORTISE_PCRS;
}

bool pcr_list(const char *text, uint32_t *pcrs)
{
	unsigned pcr;

	*pcrs = 0;
	if (*text == '\0' || strcmp(text, "none") == 0)
		return true;
	while (read_number(&text, &pcr)) {
		*pcrs |= UINT32_C(1) << pcr;
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			break;
	}
	return false;
}

bool pcr_extension(const char *text, unsigned *pcr, const char **word)
{
	size_t length;

	if (!read_number(&text, pcr) || *text != ':')
		return false;
	*word = text + 1;
	length = strlen(*word);
	for (size_t i = 0; i < length; i++) {
		if ((*word)[i] < ' ' || (*word)[i] > '~')
			return false;
	}
	return length >= 1 && length <= PCR_WORD_MAX;
}
