/* SPDX-License-Identifier: MIT */
/* benchmark without an argument: the table of cryptsetup, and a recommendation. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/bench/benchmark.h"
#include "cli/print.h"
#include "cli/signals.h"

#define KEY_BITS_DEFAULT  256u
#define TARGET_MS_DEFAULT 2000u
#define CIPHER_SHARE	  100u /* ms per cipher, as in cryptsetup */
#define CHOICE_FACTOR	  4u   /* choosing a cost takes at most this many times its target time */

/* The rows of cryptsetup 2.6.1. */
static const struct {
	const char *name;
	const char *mode;
	uint32_t key_bits;
} ciphers[] = {
	{ "aes", "cbc", 128 }, { "serpent", "cbc", 128 }, { "twofish", "cbc", 128 },
	{ "aes", "cbc", 256 }, { "serpent", "cbc", 256 }, { "twofish", "cbc", 256 },
	{ "aes", "xts", 256 }, { "serpent", "xts", 256 }, { "twofish", "xts", 256 },
	{ "aes", "xts", 512 }, { "serpent", "xts", 512 }, { "twofish", "xts", 512 },
};

static const enum mortise_kdf_type argon2_types[] = { MORTISE_KDF_ARGON2I, MORTISE_KDF_ARGON2ID };

static const char *const hashes[] = { "sha1", "sha256", "sha512", "ripemd160", "whirlpool" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t get_key_bits(const struct benchmark *b)
{
	uint32_t bits = option_number32(&b->c->options, OPTION_KEY_SIZE);

	return bits > 0 ? bits : KEY_BITS_DEFAULT;
}

static uint32_t get_target_ms(const struct benchmark *b)
{
	uint32_t ms = option_number32(&b->c->options, OPTION_ITER_TIME);

	return ms > 0 ? ms : TARGET_MS_DEFAULT;
}

static enum mortise_code print_pbkdf2(struct benchmark *b, const char *hash,
				      struct mortise_error *err)
{
	const struct benchmark_unit rate = { "1/s", BETTER_HIGHER };
	enum mortise_code code;
	uint32_t iterations = 0;
	char name[64];

	progress_tell(&b->progress, hash, 0, 1);
	code = mortise_benchmark_pbkdf2(hash, get_key_bits(b) / 8, &signals_events, &iterations,
					err);
	if (code) {
		benchmark_print(b, "PBKDF2-%-9s     N/A\n", hash);
		return code;
	}
	benchmark_print(b, "PBKDF2-%-9s %7u iterations per second for %u-bit key\n", hash,
			iterations, get_key_bits(b));
	snprintf(name, sizeof(name), "table/pbkdf2 %.40s", hash);
	benchmark_add_value(benchmark_add_row(b, name), "iterations", rate, iterations);
	return code;
}

static enum mortise_code print_argon2(struct benchmark *b, enum mortise_kdf_type type,
				      struct mortise_kdf *kdf, struct mortise_error *err)
{
	const struct options *options = &b->c->options;
	const struct mortise_kdf_choice choice = {
		.struct_size = sizeof(choice),
		.type = type,
		.target_ms = get_target_ms(b),
		.memory_kib = option_number32(options, OPTION_PBKDF_MEMORY),
		.lanes = option_number32(options, OPTION_PBKDF_PARALLEL),
	};
	const char *type_name = mortise_kdf_name(type);
	struct json_object *row;
	enum mortise_code code;
	char name[64];

	progress_tell(&b->progress, type_name, 0, 1);
	*kdf = (struct mortise_kdf){ 0 };
	code = mortise_benchmark_kdf_choice(&choice, get_key_bits(b) / 8, &signals_events, kdf,
					    err);
	if (code) {
		benchmark_print(b, "%-10s N/A\n", type_name);
		return code;
	}
	benchmark_print(b,
			"%-10s %4u iterations, %5u memory, %1u parallel threads (CPUs) for "
			"%u-bit key (requested %u ms time)\n",
			type_name, kdf->time, kdf->memory_kib, kdf->lanes, get_key_bits(b),
			choice.target_ms);
	snprintf(name, sizeof(name), "table/%s %u ms", type_name, choice.target_ms);
	row = benchmark_add_row(b, name);
	benchmark_add_cost(row, kdf);
	benchmark_add_number(row, "requestedMs", choice.target_ms);
	benchmark_add_value(row, "work", (struct benchmark_unit){ "KiB*passes", BETTER_HIGHER },
			    (double)kdf->memory_kib * kdf->time);
	return code;
}

static enum mortise_code print_kdf(struct benchmark *b, const char *pbkdf, const char *hash,
				   struct mortise_kdf *kdf, struct mortise_error *err)
{
	if (strcasecmp(pbkdf, "argon2id") == 0)
		return print_argon2(b, MORTISE_KDF_ARGON2ID, kdf, err);
	if (strcasecmp(pbkdf, "argon2i") == 0)
		return print_argon2(b, MORTISE_KDF_ARGON2I, kdf, err);
	return print_pbkdf2(b, hash ? hash : "sha256", err);
}

/* Splits a cipher into name and mode. The IV does not matter here; cryptsetup ignores it, too. */
static bool split_cipher(const char *cipher, char name[static 32], char mode[static 32])
{
	int fields = sscanf(cipher, "%31[^-]-%31[^-]", name, mode);

	if (fields == 1)
		snprintf(mode, 32, "cbc");
	return fields >= 1;
}

struct cipher_speed {
	struct mortise_spread encrypt, decrypt; /* ms a MiB */
};

static enum mortise_code measure_cipher(struct benchmark *b, const char *algorithm, uint32_t bits,
					struct cipher_speed *speed, struct mortise_error *err)
{
	struct mortise_benchmark how = benchmark_limits(b, 1);
	const struct benchmark_unit unit = { "ms/MiB", BETTER_LOWER };
	const char *iv = strstr(algorithm, "-ecb") ? "" : "-plain64";
	struct json_object *row;
	enum mortise_code code;
	char name[128];

	if (how.time_limit_ms > CIPHER_SHARE && how.runs == 0) {
		how.time_limit_ms = CIPHER_SHARE;
		how.runs = MORTISE_BENCHMARK_RUNS_MAX;
	}
	snprintf(name, sizeof(name), "%s%s", algorithm, iv);
	code = mortise_benchmark_cipher(name, bits / 8, &how, &speed->encrypt, &speed->decrypt,
					err);
	if (code)
		return code;
	snprintf(name, sizeof(name), "table/%s %u", algorithm, bits);
	row = benchmark_add_row(b, name);
	benchmark_add_text(row, "cipher", algorithm);
	benchmark_add_number(row, "keyBits", bits);
	benchmark_add_metric(row, "encryption", unit, &speed->encrypt);
	benchmark_add_metric(row, "decryption", unit, &speed->decrypt);
	benchmark_check_noise(b, name, &speed->encrypt);
	return MORTISE_OK;
}

static double mib_per_second(const struct mortise_spread *spread)
{
	return spread->median > 0 ? 1000 / spread->median : 0;
}

static void print_note(struct benchmark *b)
{
	benchmark_print(b,
			"# Ciphers run in the crypto library of this program, on one processor, in "
			"sectors of\n"
			"# 512 bytes. Volumes are encrypted by the kernel.\n");
}

static enum status print_cipher(struct benchmark *b, const char *cipher)
{
	struct cipher_speed speed;
	struct mortise_error err;
	char name[32], mode[32], algorithm[80];
	int width;

	if (!split_cipher(cipher, name, mode))
		return fail_with(STATUS_USAGE, "No known cipher specification pattern detected.");
	snprintf(algorithm, sizeof(algorithm), "%s-%s", name, mode);
	if (measure_cipher(b, algorithm, get_key_bits(b), &speed, &err))
		return fail_with(STATUS_USAGE, "Cipher %s (with %u bits key) is not available.",
				 cipher, get_key_bits(b));
	width = (int)strlen(algorithm) > 11 ? (int)strlen(algorithm) : 11;
	print_note(b);
	benchmark_print(b, "#%*s Algorithm |       Key |      Encryption |      Decryption\n",
			width - 11, "");
	benchmark_print(b, "%*s-%s  %9ub  %10.1f MiB/s  %10.1f MiB/s\n",
			width - (int)strlen(mode) - 1, name, mode, get_key_bits(b),
			mib_per_second(&speed.encrypt), mib_per_second(&speed.decrypt));
	return STATUS_OK;
}

static void print_ciphers(struct benchmark *b)
{
	struct cipher_speed speed;
	struct mortise_error err;
	char algorithm[32];

	print_note(b);
	benchmark_print(b, "#     Algorithm |       Key |      Encryption |      Decryption\n");
	for (size_t i = 0; i < COUNT(ciphers) && !signals_caught(); i++) {
		snprintf(algorithm, sizeof(algorithm), "%s-%s", ciphers[i].name, ciphers[i].mode);
		if (measure_cipher(b, algorithm, ciphers[i].key_bits, &speed, &err))
			benchmark_print(b, "%15s  %9ub %17s %17s\n", algorithm, ciphers[i].key_bits,
					"N/A", "N/A");
		else
			benchmark_print(b, "%15s  %9ub  %10.1f MiB/s  %10.1f MiB/s\n", algorithm,
					ciphers[i].key_bits, mib_per_second(&speed.encrypt),
					mib_per_second(&speed.decrypt));
	}
}

static void recommend(struct benchmark *b, const struct mortise_kdf *kdf)
{
	const bool fast_aes = strstr(b->machine.cpu_features, "aes") != NULL;
	char options[160], reason[160];

	if (kdf->time > 0) {
		benchmark_format_options(kdf, options, sizeof(options));
		snprintf(reason, sizeof(reason), "an unlock takes about %u ms and %u MiB here",
			 get_target_ms(b), (kdf->memory_kib + 1023) / 1024);
		benchmark_recommend(b, "passphrase keyslots", options, reason);
	}
	benchmark_recommend(b, "data",
			    fast_aes ? "--cipher aes-xts-plain64 --key-size 512"
				     : "--cipher xchacha12,aes-adiantum-plain64 --key-size 256",
			    fast_aes ? "this CPU has AES instructions"
				     : "this CPU has no AES instructions; measure the kernel with "
				       "\"benchmark dm-crypt\"");
}

/* Choosing a cost cannot be stopped once it has started. */
static bool has_time_for_choice(struct benchmark *b, enum mortise_kdf_type type)
{
	uint64_t now = progress_elapsed_ms(&b->progress);
	uint64_t needed = (uint64_t)get_target_ms(b) * CHOICE_FACTOR;

	if (now + needed <= b->end_ms)
		return true;
	benchmark_warn(b, "skipped %s: it does not fit into the time limit",
		       mortise_kdf_name(type));
	return false;
}

enum status benchmark_table(struct benchmark *b)
{
	const struct options *options = &b->c->options;
	const char *pbkdf = option_text(options, OPTION_PBKDF);
	const char *hash = option_text(options, OPTION_HASH);
	struct mortise_error err = { 0 };
	struct mortise_kdf kdf = { 0 };

	benchmark_print(b, "# Tests are approximate using memory only (no storage IO).\n");
	if (pbkdf || hash) {
		if (!print_kdf(b, pbkdf ? pbkdf : "pbkdf2", hash, &kdf, &err))
			return STATUS_OK;
		return (enum status)mortise_exit_status(err.code);
	}
	if (option_set(options, OPTION_CIPHER))
		return print_cipher(b, option_text(options, OPTION_CIPHER));
	for (size_t i = 0; i < COUNT(hashes) && !signals_caught(); i++)
		(void)!print_pbkdf2(b, hashes[i], &err);
	for (size_t i = 0; i < COUNT(argon2_types) && !signals_caught(); i++)
		if (has_time_for_choice(b, argon2_types[i]))
			(void)!print_argon2(b, argon2_types[i], &kdf, &err);
	print_ciphers(b);
	if (!b->c->as_cryptsetup && !signals_caught())
		recommend(b, &kdf);
	return STATUS_OK;
}
