/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits in external input. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

/* Returns the value of a digit in upper or lower case, -1 if c is not one. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
