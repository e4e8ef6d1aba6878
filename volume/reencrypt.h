/* SPDX-License-Identifier: MIT */
/* The steps of a reencryption that continuing it and opening its volume have in common. */
#ifndef VOLUME_REENCRYPT_H
#define VOLUME_REENCRYPT_H

#include "volume/hotzone.h"

struct continuation {
	struct mortise_luks2 *header;
	struct luks2_reencryption state;
	struct mortise_secret *old_key, *new_key; /* NULL: not encrypted; new_key: the same */
	struct hotzone *hotzone;
	struct online *online;	/* NULL: offline */
	uint64_t limit;		/* bytes of a zone, 0: the default */
	uint64_t rate;		/* bytes per second, 0: no limit */
	const struct mortise_events *events;
	int lock_fd;		/* -1: not locked */
	bool unprotected;	/* the metadata has no digest to verify */
	bool ended;		/* the header has no reencryption any more */
	struct json_object *last; /* the metadata before the end, which the state refers to */
};

/*
 * Takes the lock of the reencryption, and reads header and state again: another process may have
 * continued since. MORTISE_E_BUSY, MORTISE_E_USAGE: it has ended.
 */
MORTISE_MUST_CHECK enum mortise_code reencrypt_lock(struct continuation *run,
						    struct mortise_error *err);

/*
 * Opens both keys, verifies the digest over the metadata, and makes the header know the keys. *opened
 * (may be NULL): the last keyslot, as in cryptsetup.
 */
MORTISE_MUST_CHECK enum mortise_code reencrypt_open_keys(struct continuation *run,
							 const struct mortise_secret *passphrase,
							 int keyslot, int *opened,
							 struct mortise_error *err);
/*
 * The same with keys that are known: key is the one before, and the header knows the one after. Of an
 * encryption, key is the one after.
 */
MORTISE_MUST_CHECK enum mortise_code reencrypt_take_keys(struct continuation *run,
							 const struct mortise_secret *key,
							 struct mortise_error *err);
const struct mortise_secret *reencrypt_key_after(const struct continuation *run);

/* Finishes the zone whose conversion was interrupted, if there is one. */
MORTISE_MUST_CHECK enum mortise_code reencrypt_recover(struct continuation *run,
						       struct mortise_error *err);

/* All data is done: removes the metadata of the reencryption. */
MORTISE_MUST_CHECK enum mortise_code reencrypt_end(struct continuation *run,
						   struct mortise_error *err);

/* Changes the protection to how->resilience (NULL: keeps it), after recovering an interrupted zone. */
MORTISE_MUST_CHECK enum mortise_code reencrypt_change_guard(struct continuation *run,
							    const struct mortise_reencrypt_run *how,
							    bool *changed,
							    struct mortise_error *err);

/* Sets the size of the data (bytes, 0: as it is), which only a reencryption at its start allows. */
MORTISE_MUST_CHECK enum mortise_code reencrypt_choose_size(struct luks2_reencryption *state,
							   uint64_t size,
							   struct mortise_error *err);

/* Frees the keys, closes the data device, and ends the lock. */
void reencrypt_close(struct continuation *run);

#endif
