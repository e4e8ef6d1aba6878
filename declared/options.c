/* SPDX-License-Identifier: MIT */
/* The options of a caller, whose structure may have fewer or more members than this one. */
#include "base/sized.h"
#include "declared/declared.h"

enum mortise_code volume_options_copy(struct mortise_up_options *copy,
				      const struct mortise_up_options *options,
				      struct mortise_error *err)
{
	enum mortise_code code = sized_input(SIZED(mortise_up_options), copy, options, err);

	/* The functions that use these copy them; a wrong size must fail before any work. */
	if (!code && copy->sources)
		code = sized_check(SIZED(mortise_key_sources), copy->sources, err);
	if (!code && copy->cost)
		code = sized_check(SIZED(mortise_kdf_choice), copy->cost, err);
	return code;
}
