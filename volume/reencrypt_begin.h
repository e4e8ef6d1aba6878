/* SPDX-License-Identifier: MIT */
/* Beginning a reencryption: the same steps for data that stays and for data that moves. */
#ifndef VOLUME_REENCRYPT_BEGIN_H
#define VOLUME_REENCRYPT_BEGIN_H

#include "luks2/policy.h"
#include "luks2/reencrypt.h"

/* What the caller wants, with the defaults filled in from the header. */
struct reencrypt_beginning {
	struct mortise_reencrypt_new what;
	bool shifts;			/* the data moves by the space of the header */
	uint64_t moved_size;		/* decryption that shifts: bytes moved ahead */
	struct luks2_segment now;	/* the data segment */
	struct luks2_reencryption next;
	const struct mortise_secret *old_key; /* of the keyslots; also the key after with keep_key */
	const struct mortise_secret *new_key; /* NULL: old_key, or not encrypted */
	struct mortise_secret *opened, *random;
	struct mortise_kdf kdf;
	struct mortise_keyslot_new keyslot;
	struct luks2_update *update;
	/*
	 * NULL, or adds the keyslots of the new key, under this digest, in place of those of
	 * what.keyslots. It may change more of the update.
	 */
	enum mortise_code (*stage)(void *context, struct luks2_update *update, int digest,
				   const struct mortise_secret *key, struct mortise_error *err);
	void *context;
};

/*
 * Checks everything that would stop the reencryption later, and stages it in beginning->update. The
 * header on disk is unchanged until luks2_update_commit(). Call reencrypt_beginning_clear() in every
 * case.
 */
MORTISE_MUST_CHECK enum mortise_code reencrypt_stage(struct mortise_luks2 *header,
						     struct reencrypt_beginning *beginning,
						     struct mortise_error *err);
void reencrypt_beginning_clear(struct reencrypt_beginning *beginning);

#endif
