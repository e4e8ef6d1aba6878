/* SPDX-License-Identifier: MIT */
/* Adding tokens to an update. */
#ifndef LUKS2_TOKEN_H
#define LUKS2_TOKEN_H

#include "luks2/header.h"

/*
 * Adds token, which the update owns afterwards, also after a failure. how->token is the id or
 * MORTISE_ANY; *id receives the id. MORTISE_E_NO_SPACE: all ids are in use. MORTISE_E_USAGE: the id
 * is invalid or in use, or the token is.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_token_stage(struct luks2_update *update,
						       const struct mortise_token_import *how,
						       struct json_object *token, int *id,
						       struct mortise_error *err);

/* Links each token of one keyslot to another one, too. False: out of memory. */
bool luks2_tokens_link(struct json_object *metadata, int from, int to);

#endif
