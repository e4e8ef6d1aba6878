/* SPDX-License-Identifier: MIT */
/*
 * The rules for segments and requirements, one at a time: a valid header with one part replaced.
 * The texts are those of headers of cryptsetup 2.7 with OPAL, and of interrupted reencryptions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "luks2/validate.h"

#define JSON_SIZE 12288u

#define CRYPT(offset, size, more)                                        \
	"{\"type\":\"crypt\",\"offset\":\"" offset "\",\"size\":\"" size \
	"\",\"iv_tweak\":\"0\",\"encryption\":\"aes-xts-plain64\",\"sector_size\":512" more "}"
#define LINEAR(offset, size, more) \
	"{\"type\":\"linear\",\"offset\":\"" offset "\",\"size\":\"" size "\"" more "}"
#define OPAL(type, size, more)                                            \
	"{\"type\":\"" type "\",\"offset\":\"16777216\",\"size\":\"" size \
	"\",\"iv_tweak\":\"0\",\"encryption\":\"aes-xts-plain64\",\"sector_size\":512" more "}"
#define OPAL_MEMBERS \
	",\"opal_segment_number\":1,\"opal_key_size\":32,\"opal_segment_size\":\"1048576\""
#define FLAGS(flags) ",\"flags\":[" flags "]"
#define SER	     "\"serpent-xts-plain64\""
#define DYNAMIC	     CRYPT("16777216", "dynamic", "")
#define FINAL	     CRYPT("16777216", "dynamic", FLAGS("\"backup-final\""))
#define PREVIOUS     LINEAR("0", "dynamic", FLAGS("\"backup-previous\""))
#define MIXED                                                               \
	"{\"type\":\"crypt\",\"offset\":\"16777216\",\"size\":\"1048576\"," \
	"\"iv_tweak\":\"0\",\"encryption\":" SER ",\"sector_size\":512}"
#define REENCRYPTION "\"online-reencrypt-v2\""

/* Segments in JSON: S0 ... S1 ... END. */
#define S0	     "{\"0\":"
#define S1	     ",\"1\":"
#define S2	     ",\"2\":"
#define S3	     ",\"3\":"
#define S4	     ",\"4\":"
#define S5	     ",\"5\":"
#define S6	     ",\"6\":"
#define END	     "}"

struct rule {
	const char *segments;
	const char *mandatory;
	const char *broken; /* a part of the error; NULL: valid */
};

static enum mortise_code validate(const struct rule *rule, struct mortise_error *err)
{
	struct json_object *metadata;
	enum mortise_code code;
	char text[8192], ids[64] = "";

	/* One digest for the first six segments, as far as they exist. */
	for (char id = '0'; id < '6'; id++) {
		char key[8];

		snprintf(key, sizeof(key), "\"%c\":", id);
		if (strstr(rule->segments, key))
			snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s\"%c\"",
				 *ids ? "," : "", id);
	}
	snprintf(text, sizeof(text),
		 "{\"keyslots\":{},\"tokens\":{},\"segments\":%s,\"digests\":{\"0\":{\"type\":"
		 "\"pbkdf2\",\"keyslots\":[],\"segments\":[%s]}},\"config\":{\"json_size\":"
		 "\"12288\",\"keyslots_size\":\"4096\",\"requirements\":{\"mandatory\":[%s]}}}",
		 rule->segments, ids, rule->mandatory ? rule->mandatory : "");
	metadata = json_tokener_parse(text);
	if (!metadata)
		fail_msg("no JSON: %s", text);
	code = rule->mandatory ? luks2_validate_segments(metadata, err)
			       : luks2_validate(metadata, JSON_SIZE, err);
	json_object_put(metadata);
	return code;
}

static void check_rules(const struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct mortise_error err = { 0 };
		enum mortise_code code = validate(&rules[i], &err);

		if (code != (rules[i].broken ? MORTISE_E_CORRUPT : MORTISE_OK))
			fail_msg("rule %zu (%s): %s", i, rules[i].segments, err.text);
		if (rules[i].broken && !strstr(err.text, rules[i].broken))
			fail_msg("rule %zu (%s): %s, not %s", i, rules[i].segments, err.text,
				 rules[i].broken);
	}
}

#define CHECK(rules) check_rules(rules, sizeof(rules) / sizeof(*(rules)))

static void test_extents(void **state)
{
	static const struct rule rules[] = {
		{ S0 DYNAMIC END, NULL, NULL },
		{ S0 CRYPT("16777216", "1048576", "") S1 CRYPT("17825792", "dynamic", "") END, NULL,
		  NULL },
		/* In any order on the disk. */
		{ S0 CRYPT("17825792", "1048576", "") S1 LINEAR("16777216", "1048576", "") END,
		  NULL, NULL },
		{ S0 CRYPT("17825792", "1048576", "") S1 LINEAR("16777216", "1049088", "") END,
		  NULL, "segments overlap at byte 17825792" },
		{ "{}", NULL, "segments object is empty" },
		{ S0 DYNAMIC S1 DYNAMIC END, NULL, "dynamic but not the last" },
		{ S0 CRYPT("16777216", "1048576", "") S1 CRYPT("17825280", "1048576", "") END, NULL,
		  "segments overlap at byte 17825280" },
		{ S0 CRYPT("16777216", "18446744073709551104", "")
			  S1 CRYPT("17825792", "dynamic", "") END,
		  NULL, "segment 0 ends beyond 2^64" },
		{ S0 CRYPT("16777216", "0", "") END, NULL, "invalid offset or size" },
		{ S0 CRYPT("16777217", "dynamic", "") END, NULL, "not a multiple of 512" },
		{ S0 CRYPT("16777216", "513", "") END, NULL, "not a multiple of 512" },
		{ S0 DYNAMIC S2 DYNAMIC END, NULL, "segment 1 is missing" },
		{ "{\"x\":" DYNAMIC END, NULL, "its key is not a number" },
	};

	(void)state;
	CHECK(rules);
}

static void test_members(void **state)
{
	static const struct rule rules[] = {
		{ S0 CRYPT("16777216", "dynamic",
			   ",\"integrity\":{\"type\":\"hmac(sha256)\","
			   "\"journal_encryption\":\"none\",\"journal_integrity\":\"none\"}") END,
		  NULL, NULL },
		{ S0 CRYPT("16777216", "dynamic", ",\"integrity\":{\"type\":\"x\"}") END, NULL,
		  "segment 0: invalid integrity" },
		{ S0 CRYPT("16777216", "dynamic", FLAGS("\"unknown\"")) END, NULL, NULL },
		{ S0 CRYPT("16777216", "dynamic", FLAGS("1")) END, NULL,
		  "flags is not an array of strings" },
		{ S0 CRYPT("16777216", "dynamic", ",\"flags\":\"backup-final\"") END, NULL,
		  "flags is not an array of strings" },
		{ "{\"0\":{\"type\":\"crypt\",\"offset\":\"0\",\"size\":\"dynamic\"}}", NULL,
		  "invalid iv_tweak" },
		{ "{\"0\":{\"type\":\"crypt\",\"offset\":\"0\",\"size\":\"dynamic\","
		  "\"iv_tweak\":\"0\"}}",
		  NULL, "has no encryption" },
		{ "{\"0\":{\"type\":\"crypt\",\"offset\":\"0\",\"size\":\"dynamic\","
		  "\"iv_tweak\":\"0\",\"encryption\":\"a\",\"sector_size\":513}}",
		  NULL, "invalid sector_size" },
		{ "{\"0\":{\"type\":\"crypt\",\"offset\":\"0\",\"size\":\"4608\","
		  "\"iv_tweak\":\"0\",\"encryption\":\"a\",\"sector_size\":4096}}",
		  NULL, "size is not a multiple of its sector_size" },
		{ "{\"0\":{\"offset\":\"0\",\"size\":\"dynamic\"}}", NULL, "has no type" },
		/* A type of a later version. */
		{ S0 LINEAR("16777216", "dynamic", "") END, NULL, NULL },
		/* Only the first six are in the digest. */
		{ S0 CRYPT("16777216", "512", "") S1 CRYPT("16777728", "512", "")
			  S2 CRYPT("16778240", "512", "") S3 CRYPT("16778752", "512", "")
				  S4 CRYPT("16779264", "512", "")
					  S5 CRYPT("167797"
						   "76",
						   "512", "") ","
							      "\""
							      "6"
							      "\""
							      ":" CRYPT("16780288", "512", "") END,
		  NULL, "segment 6 is in no digest" },
	};

	(void)state;
	CHECK(rules);
}

static void test_opal(void **state)
{
	static const struct rule rules[] = {
		{ S0 OPAL("hw-opal", "1048576", OPAL_MEMBERS) END, NULL, NULL },
		{ S0 OPAL("hw-opal-crypt", "1048576", OPAL_MEMBERS) END, NULL, NULL },
		{ S0 OPAL("hw-opal", "1049088", OPAL_MEMBERS) END, NULL,
		  "segment 0: invalid OPAL members" },
		{ S0 OPAL("hw-opal-crypt", "1048576", "") END, NULL,
		  "segment 0: invalid OPAL members" },
		{ S0 OPAL("hw-opal", "dynamic", OPAL_MEMBERS) END, NULL,
		  "segment 0: invalid OPAL members" },
		/* The data below is encrypted, too. */
		{ "{\"0\":{\"type\":\"hw-opal-crypt\",\"offset\":\"0\",\"size\":"
		  "\"512\"" OPAL_MEMBERS "}}",
		  NULL, "invalid iv_tweak" },
		{ "{\"0\":{\"type\":\"hw-opal\",\"offset\":\"0\",\"size\":\"512\"" OPAL_MEMBERS
		  "}}",
		  NULL, NULL },
	};

	(void)state;
	CHECK(rules);
}

static void test_reencryption(void **state)
{
	static const struct rule rules[] = {
		/* Encryption of data in place: what is done, what is left, and both ends. */
		{ S0 CRYPT("16777216", "1048576", "") S1 LINEAR("17825792", "dynamic", "")
			  S2 PREVIOUS S3 FINAL END,
		  REENCRYPTION, NULL },
		{ S0 CRYPT("16777216", "1048576", FLAGS("\"in-reencryption\""))
			  S1 LINEAR("17825792", "dynamic", "") S2 FINAL S3 PREVIOUS END,
		  REENCRYPTION, NULL },
		{ S0 LINEAR("16777216", "1048576", FLAGS("\"in-reencryption\""))
			  S1 LINEAR("17825792", "dynamic", "") S2 PREVIOUS S3 FINAL END,
		  REENCRYPTION, "segment 0 matches neither backup segment" },
		{ S0 MIXED S1 LINEAR("17825792", "dynamic", "") S2 PREVIOUS S3 FINAL END,
		  REENCRYPTION, "segment 0 matches neither backup segment" },
		{ S0 DYNAMIC S1 PREVIOUS END, REENCRYPTION,
		  "a backup segment of the reencryption is missing" },
		{ S0 DYNAMIC S1 FINAL END, REENCRYPTION,
		  "a backup segment of the reencryption is missing" },
		{ S0 DYNAMIC END, REENCRYPTION, "a backup segment of the reencryption is missing" },
		/* Other requirements have no such segments. */
		{ S0 DYNAMIC END, "\"online-reencrypt-vx\",\"inline-hw-tags\"", NULL },
		{ S0 PREVIOUS S1 FINAL END, REENCRYPTION, "the only segments are backup segments" },
		{ S0 DYNAMIC S1 PREVIOUS S2 FINAL S3 DYNAMIC END, REENCRYPTION,
		  "segment 3 follows a backup segment" },
	};

	(void)state;
	CHECK(rules);
}

/* Parts of the metadata outside segments. */
static void test_metadata(void **state)
{
	static const char valid[] =
		"{\"keyslots\":{},\"tokens\":{},\"segments\":{\"0\":" DYNAMIC "},\"digests\":"
		"{\"0\":{\"type\":\"pbkdf2\",\"keyslots\":[],\"segments\":[\"0\"]}},\"config\":"
		"{\"json_size\":\"12288\",\"keyslots_size\":\"4096\",\"requirements\":{}}}";
	static const struct {
		const char *from, *to, *broken;
	} changes[] = {
		{ "\"requirements\":{}", "\"requirements\":[]", "requirements is not an object" },
		{ "\"requirements\":{}", "\"requirements\":{\"mandatory\":[1]}",
		  "requirements.mandatory is not an array of strings" },
		{ "\"requirements\":{}", "\"requirements\":{\"mandatory\":{}}",
		  "requirements.mandatory is not an array of strings" },
		{ "\"requirements\":{}",
		  "\"requirements\":{\"mandatory\":[\"online-reencrypt\",\"online-reencrypt-v2\"]}",
		  "more than one online-reencrypt requirement" },
		{ "\"requirements\":{}", "\"flags\":[1]", "flags is not an array of strings" },
		{ "\"requirements\":{}", "\"flags\":{}", "flags is not an array of strings" },
		{ "\"12288\"", "\"28672\"", "json_size differs" },
		{ "\"12288\"", "\"12289\"", "invalid json_size" },
		{ "\"4096\"", "\"4097\"", "invalid keyslots_size" },
		{ "\"4096\"", "\"16777216\"", "keyslots_size 16777216 overlaps the data at" },
		{ "\"tokens\":{}", "\"tokens\":{\"a\":{}}", "its key is not a number" },
		{ "\"tokens\":{}", "\"tokens\":{\"0\":{}}", "token 0 has no type" },
		{ "\"tokens\":{}", "\"tokens\":{\"0\":{\"type\":\"x\",\"keyslots\":[\"0\"]}}",
		  "must list existing keyslots" },
		{ "\"segments\":[\"0\"]", "\"segments\":[\"1\"]", "must list existing segments" },
		{ "\"keyslots\":[]", "\"keyslots\":[\"0\"]", "must list existing keyslots" },
		{ "\"pbkdf2\"", "0", "digest 0 has no type" },
	};
	struct json_object *metadata = json_tokener_parse(valid);
	struct mortise_error err = { 0 };
	char text[2048];

	(void)state;
	assert_int_equal(luks2_validate(metadata, JSON_SIZE, &err), MORTISE_OK);
	assert_int_equal(luks2_validate(metadata, JSON_SIZE / 2, &err), MORTISE_E_CORRUPT);
	json_object_put(metadata);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		const char *at = strstr(valid, changes[i].from);

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - valid), valid, changes[i].to,
			 at + strlen(changes[i].from));
		metadata = json_tokener_parse(text);
		if (!metadata)
			fail_msg("no JSON: %s", text);
		assert_int_equal(luks2_validate(metadata, JSON_SIZE, &err), MORTISE_E_CORRUPT);
		if (!strstr(err.text, changes[i].broken))
			fail_msg("%s: %s", changes[i].to, err.text);
		json_object_put(metadata);
	}
	metadata = json_tokener_parse("[]");
	assert_int_equal(luks2_validate(metadata, JSON_SIZE, &err), MORTISE_E_CORRUPT);
	json_object_put(metadata);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extents),	 cmocka_unit_test(test_members),
		cmocka_unit_test(test_opal),	 cmocka_unit_test(test_reencryption),
		cmocka_unit_test(test_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
