/* SPDX-License-Identifier: MIT */
/* The time of each step of opening a keyslot. */
#include <fcntl.h>
#include <stdio.h>

#include "keys/af.h"
#include "base/clock.h"
#include "base/error.h"
#include "keys/kdf.h"
#include "base/secret.h"
#include "luks2/area.h"
#include "luks2/digest.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "bench/benchmark.h"

enum { UNLOCK_KDF, UNLOCK_AREA, UNLOCK_MERGE, UNLOCK_DIGEST, UNLOCK_STEPS };

static const char *const unlock_names[UNLOCK_STEPS] = {
	[UNLOCK_KDF] = "kdf",
	[UNLOCK_AREA] = "area",
	[UNLOCK_MERGE] = "splitter",
	[UNLOCK_DIGEST] = "digest",
};

/* One keyslot, and buffers for opening it. */
struct unlock {
	const struct mortise_events *events;
	struct mortise_luks2 *header;
	struct luks2_keyslot keyslot;
	struct luks2_area area;
	const struct mortise_secret *passphrase;
	struct mortise_secret *area_key, *split, *key;
	int digest;
	bool must_open; /* false: the passphrase is random */
};

static void unlock_clear(struct unlock *unlock)
{
	mortise_secret_free(&unlock->area_key);
	mortise_secret_free(&unlock->split);
	mortise_secret_free(&unlock->key);
}

static enum mortise_code unlock_begin(struct unlock *unlock, int id, struct mortise_error *err)
{
	struct luks2_keyslot *keyslot = &unlock->keyslot;
	struct json_object *metadata = luks2_header_metadata(unlock->header);
	enum mortise_code code;
	char who[32];

	code = luks2_keyslot_get(metadata, id, keyslot, err);
	if (code)
		return code;
	snprintf(who, sizeof(who), "keyslot %d", id);
	code = luks2_header_check_cipher(unlock->header, who, keyslot->cipher,
					 keyslot->area_key_size, err);
	if (code)
		return code;
	code = keys_kdf_fits(&keyslot->kdf, who, err);
	if (code)
		return code;
	unlock->digest = luks2_digest_of_keyslot(luks2_header_metadata(unlock->header), id);
	unlock->area = (struct luks2_area){
		.cipher = keyslot->cipher,
		.key_size = keyslot->area_key_size,
		.offset = keyslot->area_offset,
		.size = luks2_area_used(keyslot->key_size),
	};
	code = mortise_secret_new(keyslot->area_key_size, &unlock->area_key, err);
	if (code)
		return code;
	code = mortise_secret_new(unlock->area.size, &unlock->split, err);
	if (code)
		return code;
	return mortise_secret_new(keyslot->key_size, &unlock->key, err);
}

/* Drops the bytes from the page cache, if possible: at boot, they are not cached. */
static void drop_cached(const struct luks2_device *device, uint64_t offset, uint64_t size)
{
	(void)posix_fadvise(device->fd, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
}

static enum mortise_code measure_steps(struct unlock *unlock, struct benchmark_recorder *recorder,
				       struct mortise_error *err)
{
	const struct luks2_keyslot *keyslot = &unlock->keyslot;
	enum mortise_code code;
	uint64_t mark;

	drop_cached(luks2_header_device(unlock->header), unlock->area.offset, unlock->area.size);
	mark = clock_now_ns();
	code = keys_kdf_derive(&keyslot->kdf, unlock->events, unlock->passphrase,
			       (struct keys_bytes){ keyslot->salt, keyslot->salt_size },
			       mortise_secret_writable(unlock->area_key), keyslot->area_key_size,
			       err);
	if (code)
		return code;
	benchmark_step_done(recorder, UNLOCK_KDF, &mark);
	unlock->area.key = mortise_secret_data(unlock->area_key);
	code = luks2_area_read(unlock->header, &unlock->area,
			       mortise_secret_writable(unlock->split), err);
	if (code)
		return code;
	benchmark_step_done(recorder, UNLOCK_AREA, &mark);
	code = keys_af_merge(mortise_secret_data(unlock->split), keyslot->key_size, KEYS_AF_STRIPES,
			     keyslot->af_hash, mortise_secret_writable(unlock->key), err);
	if (code)
		return code;
	benchmark_step_done(recorder, UNLOCK_MERGE, &mark);
	code = luks2_digest_verify(unlock->header, unlock->digest, unlock->key, err);
	benchmark_step_done(recorder, UNLOCK_DIGEST, &mark);
	/* A random passphrase gives a wrong key, which takes the same time. */
	return code == MORTISE_E_KEY && !unlock->must_open ? MORTISE_OK : code;
}

static enum mortise_code measure_whole(struct unlock *unlock, struct benchmark_recorder *recorder,
				       struct mortise_error *err)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = unlock->keyslot.id,
						   .unbound = true };
	enum mortise_code code;
	uint64_t start;

	if (!unlock->must_open)
		return MORTISE_OK;
	drop_cached(luks2_header_device(unlock->header), unlock->area.offset, unlock->area.size);
	start = clock_now_ns();
	code = mortise_keyslot_open(unlock->header, &search, unlock->passphrase, NULL, NULL, err);
	if (!code)
		benchmark_samples_add(&recorder->total, benchmark_ms_since(start));
	return code;
}

enum mortise_code mortise_benchmark_unlock(struct mortise_luks2 *header, int id,
					   const struct mortise_secret *passphrase,
					   const struct mortise_benchmark *how,
					   struct mortise_benchmark_steps *steps,
					   struct mortise_error *err)
{
	struct unlock unlock = {
		.header = header,
		.passphrase = passphrase,
		.must_open = passphrase,
	};
	struct benchmark_recorder recorder = { 0 };
	struct mortise_secret *random = NULL;
	struct benchmark_loop loop;
	enum mortise_code code;
	char step[32];

	code = luks2_usable(luks2_header_metadata(header), err);
	if (code)
		return code;
	if (!passphrase) {
		code = secret_random(32, &random, err);
		if (code)
			return code;
		unlock.passphrase = random;
	}
	code = unlock_begin(&unlock, id, err);
	if (code)
		goto out;
	snprintf(step, sizeof(step), "opening keyslot %d", id);
	code = benchmark_loop_begin(&loop, how, err);
	if (code)
		goto out;
	unlock.events = loop.how.events;
	while (benchmark_loop_next(&loop, step)) {
		code = measure_steps(&unlock, &recorder, err);
		if (code)
			break;
		code = measure_whole(&unlock, &recorder, err);
		if (code)
			break;
	}
	code = benchmark_loop_end(&loop, code);
	if (code)
		goto out;
	benchmark_recorder_finish(&recorder, unlock_names, UNLOCK_STEPS, steps);
out:
	unlock_clear(&unlock);
	mortise_secret_free(&random);
	return code;
}
