/* SPDX-License-Identifier: MIT */
/*
 * Values of the YAML that Talos's decoder (go-yaml) accepts: integers, sizes, anchors, aliases, merge
 * keys and tags, and the bounds of what aliases may expand to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/size.h"

/* Returns the value of "v" in text; *tree owns it. */
static struct config_field read_value(const char *text, struct config_log *log,
				      struct config_tree **tree)
{
	static const char *const names[] = { "v" };
	static const struct config_schema schema = { .names = names, .count = 1 };
	struct config_field field = { 0 };

	*tree = config_tree_parse(text, strlen(text), log);
	assert_non_null(*tree);
	if (!log->errors) {
		const size_t last = (*tree)->document_count - 1;

		config_fields_read(log, (*tree)->document[last], &schema, &field);
	}
	return field;
}

static void test_integers(void **state)
{
	static const struct {
		const char *text;
		long long value; /* -1000: refused */
	} rows[] = {
		{ "1", 1 },
		{ "+1", 1 },
		{ "-1", -1 },
		{ "-0", 0 },
		{ "0", 0 },
		{ "00", 0 },
		{ "0x1", 1 },
		{ "0X1f", 31 },
		{ "-0x1F", -31 },
		{ "0b101", 5 },
		{ "0o17", 15 },
		{ "017", 15 },
		{ "08", 8 },
		{ "1_0", 10 },
		{ "0x1_f", 31 },
		{ "1.0", 1 },
		{ "1.", 1 },
		{ "9223372036854775807", 9223372036854775807 },
		{ "!!int 7", 7 },
		{ "!!int \"7\"", 7 },
		{ "!!float 7", 7 },
		{ "!<tag:yaml.org,2002:int> 7", 7 },
		{ "!!str 7", -1000 },
		{ "\"7\"", -1000 },
		{ "'7'", -1000 },
		{ "! 7", -1000 },
		{ "!!bool 7", -1000 },
		{ "1.5", -1000 },
		{ "1:30", -1000 },
		{ "0x", -1000 },
		{ "0x+1", -1000 },
		{ "0b2", -1000 },
		{ "0o8", -1000 },
		{ "+-1", -1000 },
		{ "_", -1000 },
		{ "one", -1000 },
		{ "12345678901234567890", -1000 },
		{ "[1]", -1000 },
		{ "0b1111111111111111111111111111111111111111111111111111111111111111111111111",
		  -1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config_diagnostics diagnostics = { 0 };
		struct config_log log = { .diagnostics = &diagnostics };
		struct config_tree *tree;
		struct config_field field;
		long long value = -1000;
		char text[120];

		snprintf(text, sizeof(text), "v: %s\n", rows[i].text);
		field = read_value(text, &log, &tree);
		if (config_field_number(&log, &field, &value) != (rows[i].value != -1000) ||
		    value != rows[i].value || log.errors != (rows[i].value == -1000))
			fail_msg("%s: %lld, %zu errors", rows[i].text, value, log.errors);
		config_tree_free(tree);
		config_diagnostics_clear(&diagnostics);
	}
}

/* The first rows are the tests of go-humanize. */
static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t value; /* UINT64_MAX: refused */
		bool negative;
		bool percent;
	} rows[] = {
		{ "42", 42, false, false },
		{ "42MB", 42000000, false, false },
		{ "42MiB", 44040192, false, false },
		{ "42mib", 44040192, false, false },
		{ "42MIB", 44040192, false, false },
		{ "42 mib", 44040192, false, false },
		{ "42.5MB", 42500000, false, false },
		{ "42.5 MiB", 44564480, false, false },
		{ "42M", 42000000, false, false },
		{ "42 MI", 44040192, false, false },
		{ "42.5 Mi", 44564480, false, false },
		{ "1,005.03 MB", 1005030000, false, false },
		{ "12.5 EB", UINT64_C(12500000000000000000), false, false },
		{ "12.5 E", UINT64_C(12500000000000000000), false, false },
		{ "12.5 EiB", UINT64_C(14411518807585587200), false, false },
		{ "84 JB", UINT64_MAX, false, false },
		{ "16 EiB", UINT64_MAX, false, false },
		{ "1,000MB", 1000000000, false, false },
		{ "1,0,0", 100, false, false },
		{ ",1", 1, false, false },
		{ ",", UINT64_MAX, false, false },
		{ ".", UINT64_MAX, false, false },
		{ "1.", 1, false, false },
		{ ".5k", 500, false, false },
		{ "1.2.3", UINT64_MAX, false, false },
		{ "100 b ", 100, false, false },
		{ "1k b", UINT64_MAX, false, false },
		{ "1ib", UINT64_MAX, false, false },
		{ "1bb", UINT64_MAX, false, false },
		{ "1_000MB", UINT64_MAX, false, false },
		{ "+1MB", UINT64_MAX, false, false },
		{ "0x10", UINT64_MAX, false, false },
		{ "1e3", UINT64_MAX, false, false },
		{ "-1,000MB", 1000000000, true, false },
		{ "80%", 80, false, true },
		{ "33.9%", 33, false, true },
		{ "-20%", 20, true, true },
		{ "+5%", 5, false, true },
		{ "1e1%", 10, false, true },
		{ "1000e-1%", 100, false, true },
		{ "1e%", UINT64_MAX, false, false },
		{ "1e3%", UINT64_MAX, false, false },
		{ "1,0%", UINT64_MAX, false, false },
		{ "--5%", UINT64_MAX, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config_diagnostics diagnostics = { 0 };
		struct config_log log = { .diagnostics = &diagnostics };
		struct config_tree *tree;
		struct config_field field;
		struct config_size size;
		char text[120];

		snprintf(text, sizeof(text), "v: \"%s\"\n", rows[i].text);
		field = read_value(text, &log, &tree);
		config_field_size(&log, &field, true, &size);
		if (size.given != (rows[i].value != UINT64_MAX) ||
		    log.errors != (rows[i].value == UINT64_MAX) ||
		    (size.given &&
		     (size.value != rows[i].value || size.percent != rows[i].percent ||
		      size.negative != rows[i].negative)))
			fail_msg("%s: %llu", rows[i].text, (unsigned long long)size.value);
		config_tree_free(tree);
		config_diagnostics_clear(&diagnostics);
	}
}

/* Prints a tree as flow YAML: text as it is, "..." where the room ends. */
static void print_node(FILE *out, const struct config_node *node)
{
	const char *before = "";

	if (node->kind == CONFIG_SCALAR) {
		fwrite(config_node_text(node), 1, config_node_size(node), out);
		return;
	}
	fputc(node->kind == CONFIG_LIST ? '[' : '{', out);
	for (const struct config_node *at = node->child; at; at = at->next) {
		fputs(before, out);
		print_node(out, at);
		before = ",";
		if (node->kind == CONFIG_MAPPING) {
			fputc(':', out);
			at = at->next;
			print_node(out, at);
		}
	}
	fputc(node->kind == CONFIG_LIST ? ']' : '}', out);
}

static void test_aliases(void **state)
{
	static const struct {
		const char *text;
		const char *expected; /* the value, or a part of the error */
	} rows[] = {
		{ "{a: &x 1, v: [*x, *x]}", "[1,1]" },
		{ "a: &x {k: 1}\nv: *x", "{k:1}" },
		{ "a: &x {k: 1}\nv: {m: *x, n: [*x]}", "{m:{k:1},n:[{k:1}]}" },
		{ "a: &x 1\nb: &x 2\nv: *x", "2" },
		{ "a: &k v\n*k : 3", "3" },
		/* go-yaml keeps anchors from one document to the next. */
		{ "a: &x {k: 1}\n---\nv: *x", "{k:1}" },
		/* Merge keys: own keys win, then earlier mappings. */
		{ "a: &x {k: 1, l: 2}\nv: {<<: *x, k: 3}", "{k:3,l:2}" },
		{ "a: &x {k: 1, l: 2}\nv: {k: 3, <<: *x}", "{k:3,l:2}" },
		{ "a: &x {k: 1}\nb: &y {k: 2, l: 3}\nv: {<<: [*x, *y]}", "{k:1,l:3}" },
		{ "a: &x {k: 1}\nb: &y {<<: *x, l: 2}\nv: {<<: *y, m: 3}", "{m:3,l:2,k:1}" },
		{ "v: {<<: {k: 1}}", "{k:1}" },
		{ "v: {<<: []}", "{}" },
		{ "v: {\"<<\": 1}", "{<<:1}" },
		{ "a: &x {v: 5}\n<<: *x", "5" },
		{ "v: {<<: 1}", "<< must be a mapping or a list of mappings" },
		{ "v: {<<: [{k: 1}, 2]}", "<< must be a mapping or a list of mappings" },
		{ "v: {<<: [[{k: 1}]]}", "<< must be a mapping or a list of mappings" },
		{ "v: *x", "unknown anchor: no &x comes before this alias" },
		{ "v: [*x, &x 1]", "unknown anchor" },
		{ "v: &x [*x]", "the value of anchor &x contains itself" },
		{ "v: &x {k: [{l: *x}]}", "the value of anchor &x contains itself" },
		{ "v: &x {<<: *x}", "the value of anchor &x contains itself" },
		{ "v: !!binary AQID", "!!binary is not supported" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config_diagnostics diagnostics = { 0 };
		struct config_log log = { .diagnostics = &diagnostics };
		struct config_tree *tree =
			config_tree_parse(rows[i].text, strlen(rows[i].text), &log);
		const struct config_node *value = NULL;
		char got[200] = "";
		struct config_field field;

		assert_non_null(tree);
		if (!log.errors)
			value = config_node_child(tree->document[tree->document_count - 1], "v");
		if (value) {
			FILE *out = fmemopen(got, sizeof(got), "w");

			print_node(out, value);
			fclose(out);
		}
		config_tree_free(tree);
		if (!log.errors) {
			field = read_value(rows[i].text, &log, &tree);
			(void)field;
			config_tree_free(tree);
		}
		/* The keys other than "v" are unknown to read_value(). */
		if (strcmp(got, rows[i].expected) != 0 &&
		    (!log.errors || !strstr(diagnostics.diagnostic[0].text, rows[i].expected)))
			fail_msg("%s: \"%s\", %s", rows[i].text, got,
				 log.errors ? diagnostics.diagnostic[0].text : "no error");
		config_diagnostics_clear(&diagnostics);
	}
}

static void assert_bounded(const char *text, const char *expected)
{
	struct config_diagnostics diagnostics = { 0 };
	struct config_log log = { .diagnostics = &diagnostics };
	struct config_tree *tree = config_tree_parse(text, strlen(text), &log);

	config_tree_free(tree);
	if (!expected && log.errors)
		fail_msg("%.60s...: %s", text, diagnostics.diagnostic[0].text);
	if (expected && (!log.errors || !strstr(diagnostics.diagnostic[0].text, expected)))
		fail_msg("%.60s...: %s, expected %s", text,
			 log.errors ? diagnostics.diagnostic[0].text : "no error", expected);
	config_diagnostics_clear(&diagnostics);
}

/* Each list has ten aliases of the one before it: ten to the power of the number of levels. */
static void test_laughs(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	fprintf(out, "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol,lol]\n");
	for (int level = 1; level < 10; level++) {
		fprintf(out, "a%d: &a%d [", level, level);
		for (int i = 0; i < 10; i++)
			fprintf(out, "%s*a%d", i ? "," : "", level - 1);
		fprintf(out, "]\n");
		if (level != 3)
			continue;
		fflush(out);
		assert_bounded(text, NULL); /* 12345 values */
	}
	fclose(out);
	assert_bounded(text, "more than 65536 values, with all aliases written out");
	free(text);
}

/* Depth, anchors, and keys of a merged mapping: the largest number, and one more. */
static void test_alias_bounds(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		/* The root, fifteen lists, and the sixteen of the alias. */
		fprintf(out, "a: &x [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\nv: ");
		for (int i = 0; i < 15 + more; i++)
			fprintf(out, "[");
		fprintf(out, "*x");
		for (int i = 0; i < 15 + more; i++)
			fprintf(out, "]");
		fclose(out);
		assert_bounded(text, more ? "nested more than 32 levels deep" : NULL);
		free(text);

		out = open_memstream(&text, &size);
		for (unsigned i = 0; i < CONFIG_ANCHORS_MAX + (unsigned)more; i++)
			fprintf(out, "- &a%u x\n", i);
		fclose(out);
		assert_bounded(text, more ? "more than 256 anchors" : NULL);
		free(text);

		out = open_memstream(&text, &size);
		fprintf(out, "a: &a {");
		for (unsigned i = 1; i < CONFIG_MERGED_MAX + (unsigned)more; i++)
			fprintf(out, "k%u: 1, ", i);
		fprintf(out, "}\nv: {<<: *a, own: 1}\n");
		fclose(out);
		assert_bounded(text, more ? "more than 256 keys in a mapping with <<" : NULL);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),     cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_aliases),	     cmocka_unit_test(test_laughs),
		cmocka_unit_test(test_alias_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
