/* SPDX-License-Identifier: MIT */
/* Tokens inside an update. */
#ifndef LUKS2_TOKEN_H
#define LUKS2_TOKEN_H

#include "luks2/header.h"

/*
 * Puts token (taken over) into the update under how->token. *id receives the id.
 * MORTISE_E_NO_TOKEN: all are in use; MORTISE_E_EXISTS: "Token N in use."
 */
MORTISE_MUST_CHECK enum mortise_code luks2_token_stage(struct luks2_update *update,
						       const struct mortise_token_import *how,
						       struct json_object *token, int *id,
						       struct mortise_error *err);

#endif
