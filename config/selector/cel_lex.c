/* SPDX-License-Identifier: MIT */
/* Splitting a disk selector into tokens. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/selector/cel.h"

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_name_byte(char byte)
{
	return is_digit(byte) || byte == '_' || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z');
}

/* The value of a hexadecimal digit; 16 for any other character. */
static unsigned digit_value(char byte)
{
	if (is_digit(byte))
		return (unsigned)(byte - '0');
	if (byte >= 'a' && byte <= 'f')
		return (unsigned)(byte - 'a') + 10;
	if (byte >= 'A' && byte <= 'F')
		return (unsigned)(byte - 'A') + 10;
	return 16;
}

bool config_cel_is(const struct config_cel_reader *reader, const char *operator_text)
{
	const struct config_cel_token *token = &reader->token;

	return token->kind == CONFIG_CEL_OPERATOR && token->size == strlen(operator_text) &&
	       !memcmp(reader->text + token->at, operator_text, token->size);
}

bool config_cel_named(const struct config_cel_reader *reader, const struct config_cel_token *token,
		      const char *name)
{
	return token->kind == CONFIG_CEL_NAME && token->size == strlen(name) &&
	       !memcmp(reader->text + token->at, name, token->size);
}

static void skip_blanks_and_comments(struct config_cel_reader *reader)
{
	for (;;) {
		const char *text = reader->text + reader->at;

		reader->at += strspn(text, " \t\r\n\f");
		text = reader->text + reader->at;
		if (text[0] != '/' || text[1] != '/')
			return;
		reader->at += strcspn(text, "\n");
	}
}

static char *put_code_point(char *out, unsigned long code)
{
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
		*out++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*out++ = (char)(0xe0 | code >> 12);
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	} else {
		*out++ = (char)(0xf0 | code >> 18);
		*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	}
	return out;
}

/*
 * The code point after "\x", "\u" or "\U", or three octal digits after "\". In bytes, "\x" and octal
 * digits are a byte.
 */
static bool read_escaped_number(struct config_cel_reader *reader, bool bytes, char **out)
{
	const char *text = reader->text;
	const size_t at = reader->at - 1;
	const char letter = text[reader->at];
	const unsigned base = is_digit(letter) ? 8 : 16;
	unsigned digits = letter == 'U' ? 8 : letter == 'u' ? 4 : base == 8 ? 3 : 2;
	unsigned long code = 0;

	if (bytes && digits > 3)
		return config_cel_fail(reader, at,
				       "bytes have no code points; write \\x and octal");
	for (reader->at += base == 16; digits > 0; digits--, reader->at++) {
		const unsigned digit = digit_value(text[reader->at]);

		if (digit >= base)
			return config_cel_fail(reader, at, "incomplete escape sequence");
		code = code * base + digit;
	}
	if (!code)
		return config_cel_unsupported(reader, at, "NUL is not supported");
	if (code > (base == 8 ? 0xff : 0x10ffff) || (code >= 0xd800 && code < 0xe000))
		return config_cel_fail(reader, at, "no character has this code point");
	if (bytes)
		*(*out)++ = (char)code;
	else
		*out = put_code_point(*out, code);
	return true;
}

/* reader->at is after a backslash. */
static bool read_escape(struct config_cel_reader *reader, bool bytes, char **out)
{
	static const char letters[] = "\\\"'`?abfnrtv";
	static const char values[] = "\\\"'`?\a\b\f\n\r\t\v";
	const char letter = reader->text[reader->at];
	const char *found = letter ? strchr(letters, letter) : NULL;

	if (found) {
		*(*out)++ = values[found - letters];
		reader->at++;
		return true;
	}
	if (letter && strchr("0123xXuU", letter))
		return read_escaped_number(reader, bytes, out);
	return config_cel_fail(reader, reader->at - 1,
			       "unknown escape sequence; write \\\\ for a "
			       "backslash");
}

/* The letters before the quotation mark of a literal: "b" for bytes, then "r" for raw. */
static size_t measure_prefix(const char *text)
{
	size_t size = (text[0] | 0x20) == 'b';

	size += (text[size] | 0x20) == 'r';
	return text[size] == '"' || text[size] == '\'' ? size : 0;
}

/* reader->at is at the literal. In a raw one, a backslash is literal. */
static bool read_string(struct config_cel_reader *reader)
{
	const char *text = reader->text;
	const size_t prefix = measure_prefix(text + reader->at);
	const bool bytes = prefix && (text[reader->at] | 0x20) == 'b';
	const bool raw = prefix > bytes;
	const char quote = text[reader->at + prefix];
	char *begin = reader->strings + reader->strings_size, *out = begin;
	size_t quotes = 1;

	reader->token.type = bytes ? CONFIG_CEL_BYTES : CONFIG_CEL_STRING;
	reader->token.kind = CONFIG_CEL_LITERAL;
	reader->at += prefix;
	if (text[reader->at + 1] == quote && text[reader->at + 2] == quote)
		quotes = 3;
	reader->at += quotes;
	while (text[reader->at] != quote ||
	       (quotes == 3 && (text[reader->at + 1] != quote || text[reader->at + 2] != quote))) {
		const char byte = text[reader->at];

		if (!byte || (byte == '\n' && quotes == 1))
			return config_cel_fail(reader, reader->token.at,
					       "unterminated string: %c is missing", quote);
		reader->at++;
		if (byte != '\\' || raw)
			*out++ = byte;
		else if (!read_escape(reader, bytes, &out))
			return false;
	}
	reader->at += quotes;
	*out++ = '\0';
	reader->strings_size += (size_t)(out - begin);
	reader->token.value.string = begin;
	return true;
}

size_t config_cel_measure_decimal(const char *text)
{
	size_t size = strspn(text, "0123456789"), digits;

	if (text[size] == '.') {
		digits = strspn(text + size + 1, "0123456789");
		if (digits)
			size += 1 + digits;
	}
	if (size && (text[size] == 'e' || text[size] == 'E')) {
		const size_t sign = text[size + 1] == '+' || text[size + 1] == '-';

		digits = strspn(text + size + 1 + sign, "0123456789");
		if (digits)
			size += 1 + sign + digits;
	}
	return size;
}

bool config_cel_parse_decimal(const char *text, size_t size, double *out)
{
	const size_t mantissa = strcspn(text, "eE");
	double value = 0, scale = 1;
	bool fraction = false;
	long exponent = 0;

	for (size_t i = 0; i < size && i < mantissa; i++) {
		fraction |= text[i] == '.';
		if (text[i] == '.')
			continue;
		value = value * 10 + (text[i] - '0');
		scale *= fraction ? 10 : 1;
	}
	if (mantissa < size)
		exponent = strtol(text + mantissa + 1, NULL, 10);
	if (exponent > 300 || exponent < -300 || size > 100)
		return false;
	for (value /= scale; exponent > 0; exponent--)
		value *= 10;
	for (; exponent < 0; exponent++)
		value /= 10;
	*out = value;
	return true;
}

static bool read_number(struct config_cel_reader *reader)
{
	struct config_cel_token *token = &reader->token;
	const char *text = reader->text + reader->at;
	const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const size_t real = hex ? 0 : config_cel_measure_decimal(text);
	char *end;

	token->kind = CONFIG_CEL_LITERAL;
	if (real > strspn(text, "0123456789")) {
		token->type = CONFIG_CEL_DOUBLE;
		if (!config_cel_parse_decimal(text, real, &token->value.real))
			return config_cel_fail(reader, token->at,
					       "the number is too long or too large");
		reader->at += real;
	} else {
		errno = 0;
		token->value.natural = strtoull(text, &end, hex ? 16 : 10);
		if (errno == ERANGE)
			return config_cel_fail(reader, token->at, "the number is too large");
		reader->at += (size_t)(end - text);
		token->type = *end == 'u' || *end == 'U' ? CONFIG_CEL_UINT : CONFIG_CEL_INT;
		reader->at += token->type == CONFIG_CEL_UINT;
	}
	if (is_name_byte(reader->text[reader->at]))
		return config_cel_fail(reader, token->at, "the number contains a letter");
	return true;
}

bool config_cel_advance(struct config_cel_reader *reader)
{
	static const char *const pairs[] = { "==", "!=", "<=", ">=", "&&", "||" };
	struct config_cel_token *token = &reader->token;
	const char *text;
	char next;

	skip_blanks_and_comments(reader);
	text = reader->text + reader->at;
	*token = (struct config_cel_token){ .kind = CONFIG_CEL_OPERATOR, .at = reader->at };
	next = text[0] ? text[1] : '\0';
	if (!text[0]) {
		token->kind = CONFIG_CEL_END;
		return true;
	}
	if (text[0] == '"' || text[0] == '\'' || measure_prefix(text))
		return read_string(reader);
	if (is_digit(text[0]) || (text[0] == '.' && is_digit(next)))
		return read_number(reader);
	if (is_name_byte(text[0])) {
		token->kind = CONFIG_CEL_NAME;
		while (is_name_byte(text[token->size]))
			token->size++;
		reader->at += token->size;
		return true;
	}
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (text[0] == pairs[i][0] && next == pairs[i][1])
			token->size = 2;
	if (!token->size && !strchr("!-*/%+<>?:.,()[]{}", text[0]))
		return config_cel_fail(reader, token->at,
				       text[0] == '='	? "write == for equal"
				       : text[0] == '&' ? "write && for and"
				       : text[0] == '|' ? "write || for or"
							: "unexpected character");
	token->size = token->size ? token->size : 1;
	reader->at += token->size;
	return true;
}
