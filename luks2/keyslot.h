/* SPDX-License-Identifier: MIT */
/* Adding and removing keyslots in an update. */
#ifndef LUKS2_KEYSLOT_H
#define LUKS2_KEYSLOT_H

#include "luks2/header.h"

/* A new keyslot. */
struct luks2_keyslot_request {
	const struct mortise_keyslot_new *what;
	const struct mortise_kdf *kdf;	/* from luks2_keyslot_cost() */
	const struct mortise_secret *passphrase;
	const struct mortise_secret *key;
};

/*
 * Writes the keyslot's area to a place that no header refers to, and adds the keyslot to the
 * update, under the digest of the data segment. *id: the id or MORTISE_ANY; receives the id.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_keyslot_stage(struct luks2_update *update, const struct luks2_keyslot_request *request,
		    int *id, struct mortise_error *err);

/* The same under another digest. */
MORTISE_MUST_CHECK enum mortise_code
luks2_keyslot_stage_for(struct luks2_update *update, const struct luks2_keyslot_request *request,
			int digest, int *id, struct mortise_error *err);

/*
 * Chooses the cost of a new keyslot. This can run a benchmark for seconds: call it before taking a
 * lock.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_keyslot_cost(const struct mortise_luks2 *header,
							const struct mortise_keyslot_new *what,
							struct mortise_kdf *kdf,
							struct mortise_error *err);

/*
 * Removes a keyslot from the update and from the lists of digests and, with token_links, tokens.
 * The commit wipes its area.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_keyslot_stage_removal(struct luks2_update *update,
								 int id, bool token_links,
								 struct mortise_error *err);

/*
 * Exchanges two keyslots. Tokens keep listing the same ids: link them to both before, or use what they
 * unseal for both. False: out of memory.
 */
bool luks2_keyslots_exchange(struct json_object *metadata, int a, int b);

#endif
