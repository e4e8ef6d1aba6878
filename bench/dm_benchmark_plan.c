/* SPDX-License-Identifier: MIT */
/*
 * Measuring all combinations would take hours. The plan compares ciphers with the default options,
 * and options with the best cipher.
 */
#include "bench/dm_benchmark_plan.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIB	     1024u
#define USUAL_DEPTH  16u

static const struct bench_cipher ciphers[] = {
	{ "aes-xts-plain64", 64, true },
	{ "aes-xts-plain64", 32, true },
	{ "xchacha12,aes-adiantum-plain64", 32, true },
	{ "xchacha20,aes-adiantum-plain64", 32, true },
	{ "aes-cbc-essiv:sha256", 32, false },
	{ "serpent-xts-plain64", 64, false },
	{ "twofish-xts-plain64", 64, false },
	{ "camellia-xts-plain64", 64, false },
	{ "sm4-xts-plain64", 32, false },
};

static const uint32_t sectors[] = { 4096, 512 };
static const uint32_t blocks[] = { 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB };
/* For ciphers: small requests show the cost of a request, large requests the cost of the bytes. */
static const uint32_t two_blocks[] = { 4 * KIB, 256 * KIB };

static const uint32_t options[] = {
	0,
	MORTISE_NO_READ_WORKQUEUE,
	MORTISE_NO_WRITE_WORKQUEUE,
	MORTISE_NO_READ_WORKQUEUE | MORTISE_NO_WRITE_WORKQUEUE,
	MORTISE_SAME_CPU_CRYPT,
	MORTISE_SUBMIT_FROM_CRYPT_CPUS,
	MORTISE_SAME_CPU_CRYPT | MORTISE_SUBMIT_FROM_CRYPT_CPUS,
	MORTISE_NO_READ_WORKQUEUE | MORTISE_SUBMIT_FROM_CRYPT_CPUS,
};

/* The first and the fourth of these, for depths and volumes. */
static const uint32_t two_options[] = {
	0,
	MORTISE_NO_READ_WORKQUEUE | MORTISE_NO_WRITE_WORKQUEUE,
};

static const uint32_t depths[] = { 1, 4, 64 };

bool bench_cipher(size_t i, struct bench_cipher *cipher)
{
	if (i < COUNT(ciphers))
		*cipher = ciphers[i];
	return i < COUNT(ciphers);
}

bool bench_is_declared(const char *cipher)
{
	for (size_t i = 0; i < COUNT(ciphers); i++)
		if (!strcmp(ciphers[i].name, cipher))
			return ciphers[i].declared;
	return false;
}

bool bench_same_setup(const struct bench_case *a, const struct bench_case *b)
{
	if (!a->cipher || !b->cipher)
		return a->cipher == b->cipher && a->volumes == b->volumes;
	return !strcmp(a->cipher, b->cipher) && a->key_size == b->key_size &&
	       a->sector_size == b->sector_size && a->flags == b->flags && a->volumes == b->volumes;
}

static void add_case(struct bench_plan *plan, const struct bench_case *one)
{
	struct bench_case *grown;

	if (plan->count == plan->room) {
		size_t room = plan->room ? plan->room * 2 : 64;

		grown = reallocarray(plan->cases, room, sizeof(*grown));
		if (!grown) {
			plan->no_memory = true;
			return;
		}
		plan->cases = grown;
		plan->room = room;
	}
	plan->cases[plan->count++] = *one;
}

static bool is_planned(const struct bench_plan *plan, const struct bench_case *one)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct bench_case *other = &plan->cases[i];

		if (bench_same_setup(one, other) && one->write == other->write &&
		    one->block_size == other->block_size && one->depth == other->depth)
			return true;
	}
	return false;
}

/* Adds reads, and writes if they are allowed, of one size. Reduces the depth to fit the memory. */
static void add_block(struct bench_plan *plan, const struct bench_scope *scope,
		      const struct bench_case *pattern, uint32_t block_size, uint32_t depth)
{
	struct bench_case one = *pattern;

	while (depth > 1 && (uint64_t)depth * block_size * one.volumes > scope->bytes_max)
		depth /= 2;
	one.block_size = block_size;
	one.depth = depth;
	for (int write = 0; write <= (scope->writes ? 1 : 0); write++) {
		one.write = write;
		if (!is_planned(plan, &one))
			add_case(plan, &one);
	}
}

static void add_cipher(struct bench_plan *plan, const struct bench_scope *scope,
		       const struct bench_cipher *cipher)
{
	struct bench_case pattern = {
		.cipher = cipher->name,
		.key_size = cipher->key_size,
		.volumes = 1,
	};

	for (size_t s = 0; s < COUNT(sectors); s++) {
		pattern.sector_size = sectors[s];
		for (size_t b = 0; b < COUNT(two_blocks); b++)
			add_block(plan, scope, &pattern, two_blocks[b], USUAL_DEPTH);
	}
}

void bench_plan_ciphers(struct bench_plan *plan, const struct bench_scope *scope)
{
	const struct bench_case bare = { .volumes = 1 };

	for (size_t b = 0; b < COUNT(blocks); b += scope->quick ? 3 : 1)
		add_block(plan, scope, &bare, blocks[b], USUAL_DEPTH);
	for (size_t d = 0; d < COUNT(depths) && !scope->quick; d++)
		for (size_t b = 0; b < 3; b += 2)
			add_block(plan, scope, &bare, blocks[b], depths[d]);
	if (scope->only.name)
		add_cipher(plan, scope, &scope->only);
	/* A quick run tries AES and one variant of Adiantum. */
	for (size_t i = 0; i < (scope->quick ? 4 : COUNT(ciphers)) && !scope->only.name; i++)
		if (!scope->quick || i % 2 == 0)
			add_cipher(plan, scope, &ciphers[i]);
}

void bench_plan_options(struct bench_plan *plan, const struct bench_scope *scope,
			const struct bench_cipher *cipher, uint32_t sector_size)
{
	struct bench_case pattern = {
		.cipher = cipher->name,
		.key_size = cipher->key_size,
		.sector_size = sector_size,
	};
	size_t flags = scope->quick ? COUNT(two_options) : COUNT(options);

	pattern.volumes = 1;
	for (size_t o = 0; o < flags; o++) {
		pattern.flags = scope->quick ? two_options[o] : options[o];
		for (size_t b = 0; b < COUNT(blocks); b += scope->quick ? 3 : 1)
			add_block(plan, scope, &pattern, blocks[b], USUAL_DEPTH);
	}
	for (size_t o = 0; o < COUNT(two_options); o++) {
		pattern.flags = two_options[o];
		for (size_t d = 0; d < COUNT(depths) && !scope->quick; d++)
			for (size_t b = 0; b < 3; b += 2)
				add_block(plan, scope, &pattern, blocks[b], depths[d]);
	}
	for (size_t o = 0; o < COUNT(two_options); o++) {
		pattern.flags = two_options[o];
		for (pattern.volumes = 2; pattern.volumes <= (scope->quick ? 2 : 4);
		     pattern.volumes *= 2)
			add_block(plan, scope, &pattern, blocks[2], USUAL_DEPTH);
	}
}

void bench_plan_clear(struct bench_plan *plan)
{
	free(plan->cases);
	memset(plan, 0, sizeof(*plan));
}
