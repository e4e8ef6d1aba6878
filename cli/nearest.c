/* SPDX-License-Identifier: MIT */
#include <ctype.h>

#include "cli/nearest.h"
#include "cli/option_table.h"
#include "cli/verbs.h"

#define LENGTH_MAX 40u /* longer than every name */

struct search {
	const char *word;
	size_t length;	  /* of word, up to LENGTH_MAX */
	const char *best; /* NULL: no name is near enough */
	size_t distance;  /* of best */
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many letters are missing, added, different or exchanged with the next one. The case counts for
 * nothing.
 */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][LENGTH_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		last[j] = before[j] = j;
	for (size_t i = 0; i < a_length; i++) {
		const int x = tolower((unsigned char)a[i]);
		size_t *row = now;

		now[0] = i + 1;
		for (size_t j = 0; j < b_length; j++) {
			const int y = tolower((unsigned char)b[j]);

			now[j + 1] = least(least(last[j + 1], now[j]) + 1, last[j] + (x != y));
			if (i > 0 && j > 0 && x == tolower((unsigned char)b[j - 1]) &&
			    y == tolower((unsigned char)a[i - 1]))
				now[j + 1] = least(now[j + 1], before[j - 1] + 1);
		}
		now = before;
		before = last;
		last = row;
	}
	return last[b_length];
}

/* The beginning of a name is near, whatever follows. Otherwise every third letter may be wrong. */
static void consider(struct search *s, const char *name)
{
	const size_t length = strlen(name);
	size_t far;

	if (!s->length || s->length > LENGTH_MAX)
		return;
	far = distance(s->word, s->length, name, length);
	if (s->length > 2 && strncmp(s->word, name, s->length) == 0)
		far = 1;
	if (far * 3 <= length + 1 && (!s->best || far < s->distance)) {
		s->best = name;
		s->distance = far;
	}
}

const char *nearest_verb(const char *word)
{
	struct search s = { .word = word, .length = strlen(word) };
	const struct verb *verb;
	const char *alias, *type;

	for (size_t i = 0; (verb = verb_at(i)); i++) {
		if (verb->run)
			consider(&s, verb->name);
	}
	for (size_t i = 0; (alias = verb_alias_at(i)); i++) {
		verb = verb_find(alias, &type);
		if (verb->run)
			consider(&s, alias);
	}
	return s.best;
}

const char *nearest_option(const char *word)
{
	struct search s = { .word = word + 2 };

	if (strncmp(word, "--", 2) != 0)
		return NULL;
	s.length = strcspn(s.word, "=");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (option_table[i].help && option_table[i].verbs)
			consider(&s, option_table[i].name);
	}
	return s.best;
}
