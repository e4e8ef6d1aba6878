/* SPDX-License-Identifier: MIT */
/* The time of each step of reading and checking a header. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/sized.h"
#include "luks2/header.h"
#include "luks2/validate.h"
#include "bench/benchmark.h"

enum { HEADER_READ, HEADER_CHECKSUM, HEADER_PARSE, HEADER_VALIDATE, HEADER_STEPS };

static const char *const header_names[HEADER_STEPS] = {
	[HEADER_READ] = "read",
	[HEADER_CHECKSUM] = "checksum",
	[HEADER_PARSE] = "parse",
	[HEADER_VALIDATE] = "validate",
};

/* Measures opening, reading and checking in total. The header is not in the page cache. */
static enum mortise_code measure_whole(const char *path, struct benchmark_recorder *recorder,
				       struct luks2_binary *binary, struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	struct mortise_luks2 *header = NULL;
	enum mortise_code code;
	uint64_t start;

	code = luks2_device_open(path, true, &device, err);
	if (code)
		return code;
	(void)posix_fadvise(device->fd, 0, 2 * LUKS2_COPY_SIZE_MAX, POSIX_FADV_DONTNEED);
	luks2_device_close(device);
	start = clock_now_ns();
	code = luks2_device_open(path, true, &device, err);
	if (code)
		return code;
	code = luks2_header_read(device, LUKS2_MEND_NEVER, &header, err);
	if (code) {
		luks2_device_close(device);
		return code;
	}
	benchmark_samples_add(&recorder->total, benchmark_ms_since(start));
	*binary = *luks2_header_binary(header);
	mortise_luks2_free(&header);
	return MORTISE_OK;
}

/* Measures the steps with the first copy and its JSON; bytes has room for both copies. */
static enum mortise_code measure_copy(const struct luks2_device *device,
				      const struct luks2_binary *binary, uint8_t *bytes,
				      struct benchmark_recorder *recorder,
				      struct mortise_error *err)
{
	const size_t size = (size_t)binary->copy_size;
	struct json_object *metadata = NULL;
	struct mortise_error ignored;
	enum mortise_code code;
	const char *why;
	uint64_t mark;
	size_t end;

	(void)posix_fadvise(device->fd, 0, (off_t)(2 * size), POSIX_FADV_DONTNEED);
	mark = clock_now_ns();
	code = luks2_device_read(device, bytes, 2 * size, 0, err);
	if (code)
		return code;
	benchmark_step_done(recorder, HEADER_READ, &mark);
	/* measure_whole() has checked the header: only the time matters here. */
	(void)!luks2_checksum_check(binary, bytes, &ignored);
	(void)!luks2_checksum_check(binary, bytes + size, &ignored);
	benchmark_step_done(recorder, HEADER_CHECKSUM, &mark);
	metadata = luks2_json_parse((char *)bytes + LUKS2_BINARY_SIZE, size - LUKS2_BINARY_SIZE,
				    &end, &why);
	benchmark_step_done(recorder, HEADER_PARSE, &mark);
	if (metadata)
		(void)!luks2_validate(metadata, size - LUKS2_BINARY_SIZE, &ignored);
	benchmark_step_done(recorder, HEADER_VALIDATE, &mark);
	json_object_put(metadata);
	return MORTISE_OK;
}

static enum mortise_code measure_steps(const char *path, const struct luks2_binary *binary,
				       struct benchmark_recorder *recorder,
				       struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	uint8_t *bytes = malloc(2 * (size_t)binary->copy_size);
	enum mortise_code code;

	if (!bytes)
		return error_memory(err);
	code = luks2_device_open(path, false, &device, err);
	if (code)
		goto out;
	code = measure_copy(device, binary, bytes, recorder, err);
out:
	luks2_device_close(device);
	free(bytes);
	return code;
}

enum mortise_code mortise_benchmark_header(const struct mortise_location *location,
					   const struct mortise_benchmark *how,
					   struct mortise_benchmark_steps *steps,
					   struct mortise_error *err)
{
	struct mortise_location where;
	const char *path;
	struct benchmark_recorder recorder = { 0 };
	struct luks2_binary binary;
	enum mortise_code code;
	struct benchmark_loop loop;

	code = sized_input(SIZED_SINCE(mortise_location, allow_cipher), &where, location, err);
	if (code)
		return code;
	path = where.header ? where.header : where.device;
	if (!path)
		return error_set(err, MORTISE_E_USAGE, 0, "no device is named");
	code = benchmark_loop_begin(&loop, how, err);
	if (code)
		return code;
	while (benchmark_loop_next(&loop, "header")) {
		code = measure_whole(path, &recorder, &binary, err);
		if (code)
			return code;
		code = measure_steps(path, &binary, &recorder, err);
		if (code)
			return code;
	}
	benchmark_recorder_finish(&recorder, header_names, HEADER_STEPS, steps);
	return MORTISE_OK;
}
