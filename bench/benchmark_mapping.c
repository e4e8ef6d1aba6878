/* SPDX-License-Identifier: MIT */
/* The time of creating and removing a mapping, which shows no data: its key is random. */
#include <stdio.h>
#include <unistd.h>

#include "dm/dm.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"
#include "luks2/header.h"
#include "luks2/policy.h"
#include "bench/benchmark.h"

enum { MAPPING_CREATE, MAPPING_REMOVE, MAPPING_STEPS };

static const char *const mapping_names[MAPPING_STEPS] = {
	[MAPPING_CREATE] = "create",
	[MAPPING_REMOVE] = "remove",
};

/* Attaches a file to a loop device, as opening it does. */
static enum mortise_code attach_file(const char *path, char loop[static 32], int *loop_fd,
				     struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	enum mortise_code code = luks2_device_open(path, false, &device, err);

	if (code)
		return code;
	if (!device->block)
		code = dm_loop_attach(device->fd, true, 512, loop, loop_fd, err);
	luks2_device_close(device);
	return code;
}

/* Describes a mapping of the first sector of the data: its cost does not depend on its size. */
static enum mortise_code get_target(const struct mortise_luks2 *header, const char *device,
				    const struct mortise_secret *key,
				    struct dm_crypt_target *target, struct mortise_error *err)
{
	struct luks2_segment segment;
	enum mortise_code code = luks2_segment_get(luks2_header_metadata(header), &segment, err);

	if (!code && segment.integrity.type)
		code = error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "cannot measure the mapping of a volume with integrity");
	if (!code)
		code = luks2_header_check_cipher(header, "segment 0", segment.cipher,
						 (uint32_t)mortise_secret_size(key), err);
	if (code)
		return code;
	*target = (struct dm_crypt_target){
		.cipher = segment.cipher,
		.key = key,
		.device = device,
		.device_offset = segment.offset,
		.size = segment.sector_size,
		.sector_size = segment.sector_size,
	};
	return MORTISE_OK;
}

static enum mortise_code measure_mapping(struct dm_control *control,
					 const struct dm_crypt_target *target,
					 struct benchmark_recorder *recorder,
					 struct mortise_error *err)
{
	const struct dm_mapping_options options = { .readonly = true, .hidden = true };
	uint64_t start = clock_now_ns(), mark = start;
	enum mortise_code code;
	char name[64];

	snprintf(name, sizeof(name), "temporary-mortise-benchmark-%ld", (long)getpid());
	code = dm_crypt_create(control, name, &options, target, NULL, err);
	if (code)
		return code;
	benchmark_step_done(recorder, MAPPING_CREATE, &mark);
	code = dm_remove(control, name, DM_REMOVE_NOW, err);
	if (code)
		return code;
	benchmark_step_done(recorder, MAPPING_REMOVE, &mark);
	benchmark_samples_add(&recorder->total, benchmark_ms_since(start));
	return MORTISE_OK;
}

/* The size of the volume key in bytes, from a keyslot; 0 without a usable keyslot. */
static uint32_t find_key_size(const struct mortise_luks2 *header)
{
	struct json_object *metadata = luks2_header_metadata(header);
	struct luks2_keyslot keyslot;
	struct mortise_error ignored;

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (luks2_keyslot_opens_data(metadata, id) &&
		    !luks2_keyslot_get(metadata, id, &keyslot, &ignored))
			return keyslot.key_size;
	return 0;
}

enum mortise_code mortise_benchmark_mapping(struct mortise_luks2 *header,
					    const struct mortise_benchmark *how,
					    struct mortise_benchmark_steps *steps,
					    struct mortise_error *err)
{
	const uint32_t key_size = find_key_size(header);
	struct benchmark_recorder recorder = { 0 };
	struct dm_control *control = NULL;
	struct mortise_secret *key = NULL;
	struct dm_crypt_target target;
	struct benchmark_loop loop;
	enum mortise_code code;
	const char *device = luks2_header_data_path(header);
	char loop_path[32] = "";
	int loop_fd = -1;

	if (!key_size)
		return error_set(err, MORTISE_E_NO_KEYSLOT, 0, "No usable keyslot is available.");
	code = secret_random(key_size, &key, err);
	if (code)
		return code;
	code = attach_file(device, loop_path, &loop_fd, err);
	if (code)
		goto out;
	code = get_target(header, loop_fd >= 0 ? loop_path : device, key, &target, err);
	if (code)
		goto out;
	code = dm_open(&control, err);
	if (code)
		goto out;
	code = benchmark_loop_begin(&loop, how, err);
	if (code)
		goto out;
	while (benchmark_loop_next(&loop, "mapping")) {
		code = measure_mapping(control, &target, &recorder, err);
		if (code)
			goto out;
	}
	benchmark_recorder_finish(&recorder, mapping_names, MAPPING_STEPS, steps);
out:
	dm_close(control);
	if (loop_fd >= 0)
		close(loop_fd);
	mortise_secret_free(&key);
	return code;
}
