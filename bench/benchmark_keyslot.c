/* SPDX-License-Identifier: MIT */
/* What a keyslot costs to make and to open, in a header that lies in memory. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keys/af.h"
#include "base/error.h"
#include "base/sized.h"
#include "keys/kdf.h"
#include "base/secret.h"
#include "luks2/area.h"
#include "luks2/model.h"
#include "bench/benchmark.h"

#define FILE_SIZE     (4u << 20) /* bytes: header, two keyslots, and some data */
#define KEYSLOTS_SIZE (1u << 20)
#define DATA_OFFSET   (2u << 20)

enum { CREATE_KDF, CREATE_SPLIT, CREATE_AREA, CREATE_COMMIT, CREATE_STEPS };

static const char *const create_names[CREATE_STEPS] = {
	[CREATE_KDF] = "kdf",
	[CREATE_SPLIT] = "splitter",
	[CREATE_AREA] = "area",
	[CREATE_COMMIT] = "header",
};

struct subject {
	int fd;
	struct mortise_luks2 *header;
	struct mortise_secret *passphrase;
	struct mortise_kdf_choice cost;
	struct mortise_keyslot_new what;
	int slot; /* that holds the measured keyslot, -1: none */
};

static void subject_free(struct subject *subject)
{
	mortise_luks2_free(&subject->header);
	mortise_secret_free(&subject->passphrase);
	if (subject->fd >= 0)
		close(subject->fd);
}

static enum mortise_code memory_file(int *fd, struct mortise_error *err)
{
	*fd = memfd_create("mortise-benchmark", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, FILE_SIZE))
		return error_set(err, MORTISE_E_SYSTEM, errno, "no file in memory for a benchmark");
	return MORTISE_OK;
}

static enum mortise_code subject_new(const struct mortise_kdf *kdf, struct subject *subject,
				     struct mortise_error *err)
{
	const struct mortise_format format = {
		.struct_size = sizeof(format),
		.keyslots_size = KEYSLOTS_SIZE,
		.data_offset = DATA_OFFSET,
	};
	struct mortise_location location = { .struct_size = sizeof(location) };
	enum mortise_code code;
	char path[48];

	*subject = (struct subject){
		.slot = -1,
		.cost = {
			.struct_size = sizeof(struct mortise_kdf_choice),
			.type = kdf->type,
			.forced_time = kdf->time,
			.memory_kib = kdf->memory_kib,
			.lanes = kdf->lanes,
			.hash = kdf->hash[0] ? kdf->hash : NULL,
		},
		.what = {
			.struct_size = sizeof(struct mortise_keyslot_new),
			.keyslot = MORTISE_ANY,
			.kdf = &subject->cost,
		},
	};
	code = memory_file(&subject->fd, err);
	if (code)
		return code;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", subject->fd);
	location.device = path;
	code = mortise_luks2_format(&location, &format, &subject->header, err);
	if (!code)
		code = secret_random(16, &subject->passphrase, err);
	return code;
}

/* Adds the keyslot in one piece, as luksAddKey does once it has the volume key. */
static enum mortise_code measure_create(struct subject *subject, struct benchmark_recorder *create,
					struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	uint64_t start;
	int old = subject->slot;

	start = benchmark_now();
	code = mortise_keyslot_add(subject->header, &subject->what, subject->passphrase, NULL,
				   &subject->slot, err);
	if (code)
		return code;
	benchmark_samples_add(&create->total, benchmark_ms_since(start));
	return old < 0 ? MORTISE_OK : mortise_keyslot_remove(subject->header, old, err);
}

/* An update that changes nothing but the sequence number: both copies, each flushed. */
static enum mortise_code commit(struct mortise_luks2 *header, struct mortise_error *err)
{
	struct luks2_update update;
	enum mortise_code code = luks2_update_begin(header, &update, err);

	return code ? code : luks2_update_commit(&update, err);
}

/* The parts of it one by one, over the area of the keyslot that is there. */
static enum mortise_code measure_create_steps(struct subject *subject,
					      struct benchmark_recorder *create,
					      struct mortise_error *err)
{
	struct mortise_secret *key = NULL, *split = NULL;
	struct luks2_keyslot keyslot;
	struct luks2_area area;
	enum mortise_code code;
	uint64_t mark;

	code = luks2_keyslot_get(subject->header->metadata, subject->slot, &keyslot, err);
	if (code)
		return code;
	area = (struct luks2_area){
		.cipher = keyslot.cipher,
		.key_size = keyslot.area_key_size,
		.offset = keyslot.area_offset,
		.size = ((size_t)keyslot.key_size * KEYS_AF_STRIPES + 511) / 512 * 512,
	};
	code = mortise_secret_new(keyslot.area_key_size, &key, err);
	if (!code)
		code = mortise_secret_new(area.size, &split, err);
	if (code)
		goto out;
	mark = benchmark_now();
	code = keys_kdf_derive(&keyslot.kdf, subject->passphrase,
			       (struct keys_bytes){ keyslot.salt, keyslot.salt_size },
			       mortise_secret_data(key), keyslot.area_key_size, err);
	if (code)
		goto out;
	benchmark_step_done(create, CREATE_KDF, &mark);
	code = keys_af_split(mortise_secret_data(subject->header->volume_key), keyslot.key_size,
			     KEYS_AF_STRIPES, keyslot.af_hash, mortise_secret_data(split), err);
	if (code)
		goto out;
	benchmark_step_done(create, CREATE_SPLIT, &mark);
	area.key = mortise_secret_data(key);
	code = luks2_area_write(subject->header, &area, mortise_secret_data(split), err);
	if (code)
		goto out;
	benchmark_step_done(create, CREATE_AREA, &mark);
	code = commit(subject->header, err);
	if (!code)
		benchmark_step_done(create, CREATE_COMMIT, &mark);
out:
	mortise_secret_free(&split);
	mortise_secret_free(&key);
	return code;
}

static enum mortise_code choose(const struct mortise_kdf_choice *choice,
				struct mortise_keyslot_benchmark *result, struct mortise_error *err)
{
	uint64_t start = benchmark_now();
	enum mortise_code code = keys_kdf_choose(choice, 64, &result->kdf, err);

	if (!code && !(choice && choice->forced_time))
		result->choice_ms = benchmark_ms_since(start);
	return code;
}

enum mortise_code mortise_benchmark_keyslot(const struct mortise_kdf_choice *choice,
					    const struct mortise_benchmark *how,
					    struct mortise_keyslot_benchmark *result,
					    struct mortise_error *err)
{
	struct benchmark_recorder create = { 0 };
	struct mortise_benchmark half = { .struct_size = sizeof(half) };
	struct mortise_keyslot_benchmark filled = { 0 };
	struct subject subject = { .fd = -1 };
	struct benchmark_loop loop;
	enum mortise_code code;

	code = sized_check(SIZED(mortise_keyslot_benchmark), result, err);
	if (!code && how)
		code = sized_input(SIZED(mortise_benchmark), &half, how, err);
	if (!code)
		code = choose(choice, &filled, err);
	if (!code)
		code = keys_kdf_fits(&filled.kdf, "a new keyslot", err);
	if (!code)
		code = subject_new(&filled.kdf, &subject, err);
	half.time_limit_ms /= 2;
	if (!code)
		code = benchmark_loop_begin(&loop, &half, err);
	while (!code && benchmark_loop_next(&loop, "keyslot, created")) {
		code = measure_create(&subject, &create, err);
		if (!code)
			code = measure_create_steps(&subject, &create, err);
	}
	if (!code)
		code = mortise_benchmark_unlock(subject.header, subject.slot, subject.passphrase,
						&half, &filled.open, err);
	if (!code) {
		benchmark_recorder_finish(&create, create_names, CREATE_STEPS, &filled.create);
		code = sized_output(SIZED(mortise_keyslot_benchmark), result, &filled, err);
	}
	subject_free(&subject);
	return code;
}
