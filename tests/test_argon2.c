/* SPDX-License-Identifier: MIT */
/* Argon2 compared with libargon2, with every kernel that this processor supports. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <cmocka.h>

#include "keys/argon2/arena.h"
#include "keys/argon2/blake2b.h"
#include "keys/argon2/crew.h"
#include "tests/argon2/referee.h"
#include "tests/vectors/hex.h"

#define CASES	   2500u
#define CASES_MIN  100u
#define MEMORY_MAX 65536u
/* With a sanitizer or on a busy machine, fewer cases are run in this time. */
#define SECONDS	   15

/* How many threads can still be created; others fail, as on a system that has reached its limit. */
static unsigned threads_left = UINT32_MAX;
static unsigned threads_made;

/* The linker option --wrap=pthread_create redirects calls to these functions. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *argument);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *argument)
{
	if (!threads_left)
		return EAGAIN;
	threads_left--;
	threads_made++;
	return __real_pthread_create(thread, attributes, start, argument);
}

static void expect_tag(struct argon2_case *c, const uint8_t *expected, const char *what)
{
	uint8_t tag[CASE_TAG_MAX];

	memset(tag, 0, sizeof(tag));
	assert_int_equal(keys_argon2(&c->kdf, &c->input, tag, c->tag_size, NULL), MORTISE_OK);
	if (memcmp(tag, expected, c->tag_size))
		fail_msg("%s, %u threads: type %d version 0x%x time %u memory %u lanes %u", what,
			 c->input.threads, (int)c->kdf.type, c->input.version, c->kdf.time,
			 c->kdf.memory_kib, c->kdf.lanes);
}

static void test_random(void **state)
{
	const time_t end = time(NULL) + SECONDS;
	const struct keys_argon2_kernel *kernel;
	static struct argon2_case c;
	uint8_t expected[CASE_TAG_MAX];
	unsigned number;

	(void)state;
	for (number = 0; number < CASES_MIN || (number < CASES && time(NULL) < end); number++) {
		case_make(&c, number, MEMORY_MAX);
		assert_int_equal(referee(&c, expected), ARGON2_OK);
		for (unsigned k = 0; (kernel = keys_argon2_kernel_at(k)); k++) {
			c.input.kernel = kernel;
			c.input.threads = 1 + (number + k) % 4;
			expect_tag(&c, expected, kernel->name);
		}
		c.input.kernel = NULL;
		c.input.threads = 0;
		expect_tag(&c, expected, "default");
	}
	print_message("%u cases\n", number);
}

/* RFC 9106, sections 5.2 and 5.3. */
static const struct {
	enum mortise_kdf_type type;
	const char *tag;
} rfc9106[] = {
	{ MORTISE_KDF_ARGON2I, "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8" },
	{ MORTISE_KDF_ARGON2ID,
	  "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659" },
};

static void test_rfc9106(void **state)
{
	static struct argon2_case c;
	const struct keys_argon2_kernel *kernel;
	uint8_t expected[32];

	(void)state;
	memset(c.passphrase, 1, 32);
	memset(c.salt, 2, 16);
	memset(c.secret, 3, 8);
	memset(c.associated, 4, 12);
	c.input = (struct keys_argon2_input){
		.passphrase = { c.passphrase, 32 },
		.salt = { c.salt, 16 },
		.secret = { c.secret, 8 },
		.associated_data = { c.associated, 12 },
	};
	c.tag_size = sizeof(expected);
	for (size_t i = 0; i < sizeof(rfc9106) / sizeof(rfc9106[0]); i++)
		for (unsigned k = 0; (kernel = keys_argon2_kernel_at(k)); k++)
			for (unsigned threads = 1; threads <= 4; threads++) {
				c.kdf = (struct mortise_kdf){ .type = rfc9106[i].type,
							      .time = 3,
							      .memory_kib = 32,
							      .lanes = 4 };
				c.input.kernel = kernel;
				c.input.threads = threads;
				from_hex(rfc9106[i].tag, expected, sizeof(expected));
				expect_tag(&c, expected, kernel->name);
			}
}

/* RFC 7693, appendix A; the empty one is b2sum's of coreutils. */
static void test_blake2b(void **state)
{
	static const struct {
		const char *text, *digest;
	} vectors[] = {
		{ "abc", "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
			 "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923" },
		{ "", "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419"
		      "d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce" },
	};
	uint8_t digest[64], expected[64];
	struct keys_blake2b hash;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		keys_blake2b_init(&hash, 64);
		keys_blake2b_update(&hash, vectors[i].text, strlen(vectors[i].text));
		keys_blake2b_final(&hash, digest);
		from_hex(vectors[i].digest, expected, sizeof(expected));
		assert_memory_equal(digest, expected, sizeof(digest));
	}
}

/* Plans a job on memory that the test can inspect. */
static uint64_t *plan(struct keys_argon2_job *job, struct argon2_case *c, size_t offset)
{
	uint8_t *memory;

	keys_argon2_plan(job, &c->kdf, &c->input);
	memory = aligned_alloc(4096, (size_t)keys_argon2_job_size(job) / 4096 * 4096 + 8192);
	assert_non_null(memory);
	job->memory = (uint64_t *)(void *)(memory + offset);
	return (uint64_t *)(void *)memory;
}

/* Memory at any alignment to 64 bytes: the tag is correct, and the memory is wiped. */
static void test_wiped(void **state)
{
	static struct argon2_case c;
	struct keys_argon2_job job;
	uint8_t tag[CASE_TAG_MAX], expected[CASE_TAG_MAX];
	uint64_t *memory;

	(void)state;
	case_make(&c, 7, MEMORY_MAX);
	c.kdf.memory_kib = 1999;
	assert_int_equal(referee(&c, expected), ARGON2_OK);
	for (unsigned threads = 1; threads <= 4; threads++) {
		memory = plan(&job, &c, 64 * threads);
		assert_true(keys_argon2_crew_run(&job, &c.input, threads, tag, c.tag_size));
		assert_memory_equal(tag, expected, c.tag_size);
		for (size_t i = 0; i < keys_argon2_job_size(&job) / 8; i++)
			assert_true(!job.memory[i]);
		free(memory);
	}
}

static void assert_wiped(const struct keys_argon2_job *job)
{
	for (size_t i = 0; i < keys_argon2_job_size(job) / 8; i++)
		assert_true(!job->memory[i]);
}

static unsigned pieces_left;

static bool populate_some(void *pages, void *memory, uint64_t size)
{
	(void)pages;
	(void)memory;
	(void)size;
	if (!__atomic_load_n(&pieces_left, __ATOMIC_RELAXED))
		return false;
	__atomic_sub_fetch(&pieces_left, 1, __ATOMIC_RELAXED);
	return true;
}

/* If memory runs out, at any piece and with any number of threads, the job fails. */
static void test_no_memory(void **state)
{
	static struct argon2_case c;
	struct keys_argon2_job job;
	uint8_t tag[CASE_TAG_MAX];
	unsigned failed = 0;
	uint64_t *memory;
	bool well;

	(void)state;
	case_make(&c, 7, MEMORY_MAX);
	c.kdf.memory_kib = 16384;
	c.kdf.lanes = 3;
	c.kdf.time = 1;
	for (unsigned threads = 1; threads <= 4; threads++)
		for (unsigned pieces = 0; pieces < 30; pieces++) {
			memory = plan(&job, &c, 0);
			job.populate = populate_some;
			pieces_left = pieces;
			memset(job.memory, 0, (size_t)keys_argon2_job_size(&job));
			well = keys_argon2_crew_run(&job, &c.input, threads, tag, c.tag_size);
			failed += !well;
			assert_wiped(&job);
			free(memory);
		}
	/* 3 lanes of 4 slices, each in 1 to 2 pieces. */
	assert_in_range(failed, 4 * 12, 4 * 29);
}

static unsigned asks_left;

static bool cancel_then(void *watch)
{
	(void)watch;
	if (!__atomic_load_n(&asks_left, __ATOMIC_RELAXED))
		return true;
	__atomic_sub_fetch(&asks_left, 1, __ATOMIC_RELAXED);
	return false;
}

/* Canceled at any moment, with any number of threads: nothing of the memory is left. */
static void test_canceled(void **state)
{
	static struct argon2_case c;
	struct keys_argon2_job job;
	uint8_t tag[CASE_TAG_MAX];
	unsigned canceled = 0;
	uint64_t *memory;

	(void)state;
	case_make(&c, 7, MEMORY_MAX);
	c.kdf.memory_kib = 24 * 1024;
	c.kdf.time = 2;
	for (c.kdf.lanes = 1; c.kdf.lanes <= 6; c.kdf.lanes += 5)
		for (unsigned threads = 1; threads <= 4; threads++)
			for (unsigned asks = 0; asks < 90; asks += 7) {
				memory = plan(&job, &c, 0);
				memset(job.memory, 0, (size_t)keys_argon2_job_size(&job));
				job.canceled = cancel_then;
				asks_left = asks;
				canceled += !keys_argon2_crew_run(&job, &c.input, threads, tag,
								  c.tag_size);
				assert_wiped(&job);
				free(memory);
			}
	assert_in_range(canceled, 60, 2 * 4 * 13);
}

/* If threads cannot be created, the result is still correct. */
static void test_few_threads(void **state)
{
	static struct argon2_case c;
	uint8_t expected[CASE_TAG_MAX];

	(void)state;
	case_make(&c, 11, MEMORY_MAX);
	c.kdf.lanes = 7;
	c.kdf.memory_kib = 20000;
	c.kdf.time = 1;
	assert_int_equal(referee(&c, expected), ARGON2_OK);
	for (unsigned left = 0; left < 4; left++) {
		threads_left = left;
		threads_made = 0;
		c.input.threads = 8;
		expect_tag(&c, expected, "few threads");
		assert_int_equal(threads_made, left);
	}
	threads_left = UINT32_MAX;
	/* One thread for each of the 7 lanes and one that populates; one of them is the caller. */
	threads_made = 0;
	c.input.threads = 100;
	expect_tag(&c, expected, "many threads");
	assert_int_equal(threads_made, 7);
}

static void test_small_pages(void **state)
{
	static struct argon2_case c;
	uint8_t expected[CASE_TAG_MAX];

	(void)state;
	case_make(&c, 12, MEMORY_MAX);
	c.kdf.memory_kib = 30001;
	c.kdf.time = 2;
	assert_int_equal(referee(&c, expected), ARGON2_OK);
	assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	for (c.input.threads = 1; c.input.threads <= 4; c.input.threads++)
		expect_tag(&c, expected, "small pages");
	assert_int_equal(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
}

/* Returns whether the mapping with this address has this flag in /proc/self/smaps. */
static bool mapping_has(const void *address, const char *flag)
{
	const uintptr_t at = (uintptr_t)address;
	uintptr_t from, to;
	bool here = false, has = false;
	char line[512];
	FILE *file = fopen("/proc/self/smaps", "r");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			here = from <= at && at < to;
		if (here && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag) != NULL;
	}
	fclose(file);
	return has;
}

/*
 * Huge pages are used while they are cheap. Otherwise small pages are used if they are cheaper,
 * with huge pages tried again now and then.
 */
static void test_slow_huge_pages(void **state)
{
	const size_t piece = (size_t)KEYS_ARGON2_PIECE;
	struct keys_arena arena;
	unsigned small = 0;

	(void)state;
	assert_true(keys_arena_map(&arena, 48 * piece));
	if (!mapping_has(arena.memory, " hg"))
		skip();
	for (size_t i = 0; i < 48; i++) {
		uint8_t *at = (uint8_t *)arena.memory + i * piece;

		arena.huge_us = i < 16 ? 1000 : 1000000;
		arena.small_us = i < 32 ? 500 : 1000000;
		assert_true(arena.populate(&arena, at, piece));
		small += mapping_has(at, " nh");
		if (i == 15)
			assert_int_equal(small, 0);
		if (i == 31)
			assert_int_equal(small, 15);
	}
	assert_int_equal(small, 16);
	keys_arena_unmap(&arena);
}

static void test_many_lanes(void **state)
{
	static struct argon2_case c;
	uint8_t expected[CASE_TAG_MAX];

	(void)state;
	case_make(&c, 13, MEMORY_MAX);
	c.kdf.lanes = 301;
	c.kdf.memory_kib = 301 * 9;
	c.kdf.time = 2;
	assert_int_equal(referee(&c, expected), ARGON2_OK);
	for (c.input.threads = 1; c.input.threads <= 4; c.input.threads++)
		expect_tag(&c, expected, "many lanes");
}

/* While this is set, a piece of a trial takes longer on the clock with or without prefetching. */
static const struct keys_argon2_trial *timed;
static bool prefetching_is_slow;

/* The linker option --wrap=clock_now_ns redirects calls to these functions. */
uint64_t __wrap_clock_now_ns(void);
uint64_t __real_clock_now_ns(void);

uint64_t __wrap_clock_now_ns(void)
{
	static uint64_t now;

	if (!timed)
		return __real_clock_now_ns();
	now += timed->prefetches == prefetching_is_slow ? 150 : 100;
	return now;
}

/* A single lane is filled in the way that was faster in its second pass. */
static void test_trial(void **state)
{
	static struct keys_argon2_workspace work;
	const struct mortise_kdf kdf = {
		.type = MORTISE_KDF_ARGON2ID, .time = 2, .memory_kib = 24576, .lanes = 1
	};
	const struct keys_argon2_input input = { .passphrase = { "x", 1 }, .salt = { "salt", 4 } };
	struct keys_argon2_job job;

	(void)state;
	keys_argon2_plan(&job, &kdf, &input);
	job.memory = aligned_alloc(64, keys_argon2_job_size(&job));
	assert_non_null(job.memory);
	for (int slow = 0; slow < 2; slow++) {
		struct keys_argon2_part part = { .count = 1 };

		memset(&work, 0, sizeof(work));
		prefetching_is_slow = slow;
		timed = &work.trial;
		keys_argon2_start(&job, &input, 32);
		for (; part.pass < kdf.time; part.pass++)
			for (part.slice = 0; part.slice < KEYS_ARGON2_SLICES; part.slice++)
				assert_true(keys_argon2_fill(&job, &part, &work));
		timed = NULL;
		assert_int_equal(work.trial.prefetches, !slow);
	}
	free(job.memory);
}

static void test_select(void **state)
{
	(void)state;
	assert_null(keys_argon2_select("sse5"));
	assert_ptr_equal(keys_argon2_select("portable"), &keys_argon2_portable);
	assert_ptr_equal(keys_argon2_select(NULL), keys_argon2_kernel_at(0));
	assert_string_equal(keys_argon2_kernel(), keys_argon2_kernel_at(0)->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blake2b),	    cmocka_unit_test(test_rfc9106),
		cmocka_unit_test(test_wiped),	    cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_canceled),    cmocka_unit_test(test_few_threads),
		cmocka_unit_test(test_small_pages), cmocka_unit_test(test_slow_huge_pages),
		cmocka_unit_test(test_many_lanes),  cmocka_unit_test(test_select),
		cmocka_unit_test(test_trial),	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
