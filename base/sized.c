/* SPDX-License-Identifier: MIT */
/* Structs that begin with their size, exchanged with callers built for other releases. */
#include "base/sized.h"

#include <string.h>

#include "base/error.h"

enum mortise_code sized_check(const struct sized_type *type, const void *given,
			      struct mortise_error *err)
{
	size_t size = 0;

	if (given)
		memcpy(&size, given, sizeof(size));
	if (size >= type->least && size <= SIZED_MAX)
		return MORTISE_OK;
	if (!given)
		return error_set(err, MORTISE_E_USAGE, 0, "struct %s is missing", type->name);
	return error_set(err, MORTISE_E_USAGE, 0,
			 "struct_size of struct %s is %zu; set it to the size of the struct",
			 type->name, size);
}

enum mortise_code sized_input(const struct sized_type *type, void *copy, const void *given,
			      struct mortise_error *err)
{
	enum mortise_code code = sized_check(type, given, err);
	const uint8_t *bytes = given;
	size_t size;

	memset(copy, 0, type->size);
	if (code)
		return code;
	memcpy(&size, given, sizeof(size));
	for (size_t i = type->size; i < size; i++)
		if (bytes[i])
			return error_set(err, MORTISE_E_USAGE, 0,
					 "struct %s sets a member that libmortise " MORTISE_VERSION
					 " does not know",
					 type->name);
	memcpy(copy, given, size < type->size ? size : type->size);
	memcpy(copy, &type->size, sizeof(type->size));
	return MORTISE_OK;
}

enum mortise_code sized_output(const struct sized_type *type, void *given, const void *filled,
			       struct mortise_error *err)
{
	enum mortise_code code = sized_check(type, given, err);
	size_t size;

	if (code)
		return code;
	memcpy(&size, given, sizeof(size));
	memset(given, 0, size);
	memcpy(given, filled, size < type->size ? size : type->size);
	memcpy(given, &size, sizeof(size));
	return MORTISE_OK;
}
