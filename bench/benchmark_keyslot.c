/* SPDX-License-Identifier: MIT */
/* The time of each step of creating and opening a keyslot, in a header in memory. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keys/af.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/sized.h"
#include "keys/kdf.h"
#include "base/secret.h"
#include "luks2/area.h"
#include "luks2/policy.h"
#include "bench/benchmark.h"

#define FILE_SIZE     (4u << 20) /* bytes: header, two keyslots, and data */
#define KEYSLOTS_SIZE (1u << 20)
#define DATA_OFFSET   (2u << 20)

enum { CREATE_KDF, CREATE_SPLIT, CREATE_AREA, CREATE_COMMIT, CREATE_STEPS };

static const char *const create_names[CREATE_STEPS] = {
	[CREATE_KDF] = "kdf",
	[CREATE_SPLIT] = "splitter",
	[CREATE_AREA] = "area",
	[CREATE_COMMIT] = "header",
};

/* A header in a file in memory. */
struct test_header {
	int fd;
	struct mortise_luks2 *header;
	struct mortise_secret *passphrase;
	struct mortise_kdf_choice cost;
	struct mortise_keyslot_new request;
	const struct mortise_events *events;
	int slot; /* of the measured keyslot; -1: not created yet */
};

static void test_header_free(struct test_header *test)
{
	mortise_luks2_free(&test->header);
	mortise_secret_free(&test->passphrase);
	if (test->fd >= 0)
		close(test->fd);
}

static enum mortise_code create_file(int *fd, struct mortise_error *err)
{
	*fd = memfd_create("mortise-benchmark", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, FILE_SIZE))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot create a file in memory");
	return MORTISE_OK;
}

static enum mortise_code test_header_new(const struct mortise_kdf *kdf,
					 const struct mortise_events *events,
					 struct test_header *test, struct mortise_error *err)
{
	const struct mortise_format format = {
		.keyslots_size = KEYSLOTS_SIZE,
		.struct_size = sizeof(format),
		.data_offset = DATA_OFFSET,
	};
	struct mortise_location location = { .struct_size = sizeof(location) };
	enum mortise_code code;
	char path[48];

	*test = (struct test_header){
		.events = events,
		.slot = -1,
		.cost = {
			.struct_size = sizeof(struct mortise_kdf_choice),
			.type = kdf->type,
			.forced_time = kdf->time,
			.memory_kib = kdf->memory_kib,
			.lanes = kdf->lanes,
			.hash = kdf->hash[0] ? kdf->hash : NULL,
		},
		.request = {
			.struct_size = sizeof(struct mortise_keyslot_new),
			.keyslot = MORTISE_ANY,
			.kdf = &test->cost,
		},
	};
	code = create_file(&test->fd, err);
	if (code)
		return code;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", test->fd);
	location.device = path;
	location.events = events;
	code = mortise_luks2_format(&location, &format, &test->header, err);
	return code ? code : secret_random(16, &test->passphrase, err);
}

/* Measures adding the keyslot in total, as luksAddKey does it after getting the volume key. */
static enum mortise_code measure_create(struct test_header *test, struct benchmark_recorder *create,
					struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	uint64_t start;
	int old = test->slot;

	start = clock_now_ns();
	code = mortise_keyslot_add(test->header, &test->request, test->passphrase, NULL,
				   &test->slot, err);
	if (code)
		return code;
	benchmark_samples_add(&create->total, benchmark_ms_since(start));
	return old < 0 ? MORTISE_OK : mortise_keyslot_remove(test->header, old, err);
}

/* Writes and flushes both copies; only the sequence number changes. */
static enum mortise_code write_header(struct mortise_luks2 *header, struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code = luks2_update_begin(header, &update, err);

	if (code)
		return code;
	return luks2_update_commit(&update, err);
}

/* Measures each step of adding the keyslot, overwriting the area of the existing keyslot. */
static enum mortise_code measure_create_steps(struct test_header *test,
					      struct benchmark_recorder *create,
					      struct mortise_error *err)
{
	struct mortise_secret *key = NULL, *split = NULL;
	struct luks2_keyslot keyslot;
	struct luks2_area area;
	enum mortise_code code;
	uint64_t mark;

	code = luks2_keyslot_get(luks2_header_metadata(test->header), test->slot, &keyslot, err);
	if (code)
		return code;
	area = (struct luks2_area){
		.cipher = keyslot.cipher,
		.key_size = keyslot.area_key_size,
		.offset = keyslot.area_offset,
		.size = luks2_area_used(keyslot.key_size),
	};
	code = mortise_secret_new(keyslot.area_key_size, &key, err);
	if (code)
		return code;
	code = mortise_secret_new(area.size, &split, err);
	if (code)
		goto out;
	mark = clock_now_ns();
	code = keys_kdf_derive(&keyslot.kdf, test->events, test->passphrase,
			       (struct keys_bytes){ keyslot.salt, keyslot.salt_size },
			       mortise_secret_writable(key), keyslot.area_key_size, err);
	if (code)
		goto out;
	benchmark_step_done(create, CREATE_KDF, &mark);
	code = keys_af_split(mortise_secret_data(luks2_header_volume_key(test->header)),
			     keyslot.key_size, KEYS_AF_STRIPES, keyslot.af_hash,
			     mortise_secret_writable(split), err);
	if (code)
		goto out;
	benchmark_step_done(create, CREATE_SPLIT, &mark);
	area.key = mortise_secret_data(key);
	code = luks2_area_write(test->header, &area, mortise_secret_writable(split), err);
	if (code)
		goto out;
	benchmark_step_done(create, CREATE_AREA, &mark);
	code = write_header(test->header, err);
	if (code)
		goto out;
	benchmark_step_done(create, CREATE_COMMIT, &mark);
out:
	mortise_secret_free(&split);
	mortise_secret_free(&key);
	return code;
}

static enum mortise_code choose_cost(const struct mortise_kdf_choice *choice,
				     const struct mortise_events *events,
				     struct mortise_keyslot_benchmark *result,
				     struct mortise_error *err)
{
	uint64_t start = clock_now_ns();
	enum mortise_code code = keys_kdf_choose(choice, 64, events, &result->kdf, err);

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
	struct test_header test = { .fd = -1 };
	struct benchmark_loop loop;
	enum mortise_code code;

	code = sized_check(SIZED(mortise_keyslot_benchmark), result, err);
	if (!code && how)
		code = sized_input(SIZED(mortise_benchmark), &half, how, err);
	half.time_limit_ms /= 2;
	if (!code)
		code = benchmark_loop_begin(&loop, &half, err);
	if (!code)
		code = choose_cost(choice, half.events, &filled, err);
	if (!code)
		code = keys_kdf_fits(&filled.kdf, "a new keyslot", err);
	if (code)
		return code;
	code = test_header_new(&filled.kdf, half.events, &test, err);
	if (code)
		goto out;
	loop.start = clock_now_ns();
	while (benchmark_loop_next(&loop, "creating a keyslot")) {
		code = measure_create(&test, &create, err);
		if (code)
			goto out;
		code = measure_create_steps(&test, &create, err);
		if (code)
			goto out;
	}
	code = mortise_benchmark_unlock(test.header, test.slot, test.passphrase, &half,
					&filled.open, err);
	if (code)
		goto out;
	benchmark_recorder_finish(&create, create_names, CREATE_STEPS, &filled.create);
	code = sized_output(SIZED(mortise_keyslot_benchmark), result, &filled, err);
out:
	test_header_free(&test);
	return code;
}
