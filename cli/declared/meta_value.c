/* SPDX-License-Identifier: MIT */
/*
 * Text and JSON in values of META. A JSON library would leave copies of passphrases in memory that
 * it does not wipe. To hide them, a scanner is enough: no tree is needed.
 */
#include <string.h>
#include <strings.h>

#include "cli/declared/meta_value.h"

#define DEPTH_MAX 32u
#define HIDDEN	  "\"******\""

/* RFC 3629: no surrogates, nothing above 0x10ffff, only the shortest encoding of a character. */
size_t meta_value_character(const char *text, size_t size)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = size > 0 ? (unsigned char)text[0] : 0;
	size_t length = first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	unsigned long code;

	if (first < 0x80)
		return (first >= ' ' && first != 0x7f) || first == '\t' || first == '\n' ||
		       first == '\r';
	if (length == 0 || length > size || first > 0xf4)
		return 0;
	code = first & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	}
	/* U+0080 to U+009F control terminals. */
	if (code < least[length] || code < 0xa0 || code > 0x10ffff || (code & ~0x7fful) == 0xd800)
		return 0;
	return length;
}

bool meta_value_is_text(const char *value, size_t size)
{
	size_t at = 0, length = 1;

	while (at < size && length > 0) {
		length = meta_value_character(value + at, size - at);
		at += length;
	}
	return length > 0;
}

struct json {
	const char *at;
	const char *end;
	const char *copied; /* the text before it has been copied or hidden */
	char *out;	    /* NULL: only check */
	unsigned depth;	    /* of objects and arrays */
	unsigned hiding;    /* number of hidden values around this position */
};

static char peek(const struct json *json)
{
	return json->at < json->end ? *json->at : '\0';
}

static void skip_blanks(struct json *json)
{
	while (json->at < json->end && strchr(" \t\r\n", *json->at) && *json->at != '\0')
		json->at++;
}

static void copy_to_here(struct json *json)
{
	size_t size = (size_t)(json->at - json->copied);

	if (json->out && json->hiding == 0) {
		memcpy(json->out, json->copied, size);
		json->out += size;
	}
	json->copied = json->at;
}

static bool skip_escape(struct json *json)
{
	const char *hex = "0123456789abcdefABCDEF";
	char kind;

	json->at++;
	kind = peek(json);
	if (kind == '\0' || !strchr("\"\\/bfnrtu", kind))
		return false;
	json->at++;
	for (unsigned left = kind == 'u' ? 4 : 0; left > 0; left--, json->at++) {
		if (peek(json) == '\0' || !strchr(hex, peek(json)))
			return false;
	}
	return true;
}

static bool skip_string(struct json *json)
{
	if (peek(json) != '"')
		return false;
	json->at++;
	while (json->at < json->end && *json->at != '"') {
		size_t length = meta_value_character(json->at, (size_t)(json->end - json->at));

		if (*json->at == '\\') {
			if (!skip_escape(json))
				return false;
			continue;
		}
		/* RFC 8259 allows U+007F to U+009F in strings. They are refused here: see above. */
		if (length == 0 || (unsigned char)*json->at < ' ')
			return false;
		json->at += length;
	}
	if (json->at == json->end)
		return false;
	json->at++;
	return true;
}

static bool skip_digits(struct json *json)
{
	const char *first = json->at;

	while (peek(json) >= '0' && peek(json) <= '9')
		json->at++;
	return json->at > first;
}

static bool skip_number(struct json *json)
{
	json->at += peek(json) == '-';
	if (peek(json) == '0')
		json->at++;
	else if (!skip_digits(json))
		return false;
	if (peek(json) == '.') {
		json->at++;
		if (!skip_digits(json))
			return false;
	}
	if (peek(json) == 'e' || peek(json) == 'E') {
		json->at++;
		json->at += peek(json) == '+' || peek(json) == '-';
		return skip_digits(json);
	}
	return true;
}

static bool skip_word(struct json *json, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(json->end - json->at) < size || memcmp(json->at, word, size) != 0)
		return false;
	json->at += size;
	return true;
}

/*
 * Passphrases have these names: Talos's in META, which Go matches in any case, and the one in a
 * configuration. A name with an escape sequence may be one of them too.
 */
static bool is_secret(const char *name, size_t size)
{
	static const char *const secrets[] = { "\"KeyData\"", "\"passphrase\"" };

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (size == strlen(secrets[i]) && strncasecmp(name, secrets[i], size) == 0)
			return true;
	return memchr(name, '\\', size) != NULL;
}

static bool skip_value(struct json *json);

static bool skip_hidden(struct json *json)
{
	bool skipped;

	copy_to_here(json);
	json->hiding++;
	skipped = skip_value(json);
	copy_to_here(json);
	json->hiding--;
	if (json->out && json->hiding == 0) {
		memcpy(json->out, HIDDEN, sizeof(HIDDEN) - 1);
		json->out += sizeof(HIDDEN) - 1;
	}
	return skipped;
}

static bool skip_member(struct json *json)
{
	const char *name = json->at;
	bool secret;

	if (!skip_string(json))
		return false;
	secret = is_secret(name, (size_t)(json->at - name));
	skip_blanks(json);
	if (peek(json) != ':')
		return false;
	json->at++;
	skip_blanks(json);
	return secret ? skip_hidden(json) : skip_value(json);
}

/* Skips an object or an array; its opening bracket comes next. */
static bool skip_items(struct json *json, char end, bool (*skip_item)(struct json *json))
{
	if (json->depth == DEPTH_MAX)
		return false;
	json->depth++;
	json->at++;
	skip_blanks(json);
	if (peek(json) != end) {
		for (;;) {
			skip_blanks(json);
			if (!skip_item(json))
				return false;
			skip_blanks(json);
			if (peek(json) != ',')
				break;
			json->at++;
		}
	}
	if (peek(json) != end)
		return false;
	json->at++;
	json->depth--;
	return true;
}

static bool skip_value(struct json *json)
{
	switch (peek(json)) {
	case '{':
		return skip_items(json, '}', skip_member);
	case '[':
		return skip_items(json, ']', skip_value);
	case '"':
		return skip_string(json);
	case 't':
		return skip_word(json, "true");
	case 'f':
		return skip_word(json, "false");
	case 'n':
		return skip_word(json, "null");
	default:
		return skip_number(json);
	}
}

bool meta_value_json(const char *value, size_t size, char *shown)
{
	struct json json = { .at = value, .end = value + size, .copied = value, .out = shown };
	bool good;

	skip_blanks(&json);
	good = skip_value(&json);
	skip_blanks(&json);
	good = good && json.at == json.end;
	copy_to_here(&json);
	if (shown)
		*json.out = '\0';
	return good;
}
