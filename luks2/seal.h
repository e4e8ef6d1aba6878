/* SPDX-License-Identifier: MIT */
/*
 * The seal: a MAC under the volume key over the whole header (docs/formats.md). It is stored in
 * config.mortise, an object that other programs preserve. The volume's id and an epoch, which each
 * sealed commit increases, are stored there, too.
 */
#ifndef LUKS2_SEAL_H
#define LUKS2_SEAL_H

#include "luks2/header.h"

#define LUKS2_RECORD "mortise" /* the member of config */

/* config.mortise, or NULL. */
struct json_object *luks2_record(struct json_object *metadata);
/* The same, created if it is missing. NULL: out of memory. */
struct json_object *luks2_record_or_new(struct json_object *metadata);

/*
 * Without a call of luks2_update_seal(), a commit seals the header if its volume key is known and
 * the header that was read was sealed or had no seal. A seal that does not match stays as it is.
 *
 * luks2_update_seal() lets the commit seal the header whatever its state was: a caller's own format,
 * or an operator's decision. volume: the volume's id, at most LUKS2_VOLUME_ID_MAX bytes; NULL:
 * unchanged. MORTISE_E_USAGE: the volume key is unknown, or the id is too long.
 */
#define LUKS2_VOLUME_ID_MAX 127u
MORTISE_MUST_CHECK enum mortise_code luks2_update_seal(struct luks2_update *update,
						       const char *volume,
						       struct mortise_error *err);

/* Seals the metadata of the update, as described above, for luks2_update_commit(). */
MORTISE_MUST_CHECK enum mortise_code luks2_seal_commit(struct luks2_update *update,
						       struct mortise_error *err);

#endif
