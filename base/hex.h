/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits of what others wrote. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

/* The value of a digit in either case, -1 when it is none. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
