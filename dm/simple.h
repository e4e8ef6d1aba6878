/* SPDX-License-Identifier: MIT */
/* Inside dm/: creating a mapping of one target whose parameters hold no key. */
#ifndef DM_SIMPLE_H
#define DM_SIMPLE_H

#include "dm/control.h"

struct dm_simple {
	struct dm_control *control;
	const char *name;
	const char *uuid;	/* or NULL */
	const char *type;	/* "zero" */
	const char *params;
	uint64_t size;		/* bytes */
	bool readonly;
};

/* Creates a hidden mapping and its node. A failure undoes everything. */
MORTISE_MUST_CHECK enum mortise_code dm_simple_create(const struct dm_simple *simple,
						      struct mortise_error *err);

#endif
