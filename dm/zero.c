/* SPDX-License-Identifier: MIT */
/* A mapping of one dm-zero target, which has no device below. */
#include "base/error.h"
#include "dm/simple.h"

enum mortise_code dm_zero_create(struct dm_control *control, const char *name, uint64_t size,
				 struct mortise_error *err)
{
	const struct dm_simple simple = {
		.control = control, .name = name, .type = "zero", .params = "", .size = size
	};
	uint32_t version[3];
	enum mortise_code code;
	bool known;

	if (!size || size % 4096)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "the size of mapping %s must be a multiple of 4096 bytes", name);
	code = dm_target_query(control, "zero", version, &known, err);
	return code ? code : dm_simple_create(&simple, err);
}
