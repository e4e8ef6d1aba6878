/* SPDX-License-Identifier: MIT */
/*
 * Look-ups in the JSON metadata of a header or an update. They work before validation, too: each
 * returns "absent" for a member of the wrong type.
 */
#ifndef LUKS2_METADATA_H
#define LUKS2_METADATA_H

#include "luks2/json.h"
#include "luks2/model.h"

/* True if the metadata has a keyslot with this id. */
bool luks2_keyslot_in_use(struct json_object *metadata, int id);

/* The id of the digest that lists the keyslot or segment, or -1. */
int luks2_digest_of_keyslot(struct json_object *metadata, int keyslot);
int luks2_digest_of_segment(struct json_object *metadata, int segment);

/* True if the keyslot holds the volume key: the digest of segment 0 lists it. */
bool luks2_keyslot_opens_data(struct json_object *metadata, int keyslot);

/* The end of the keyslots area in bytes, or 0 if json_size or keyslots_size is invalid. */
uint64_t luks2_keyslots_end(struct json_object *metadata);

/* The lowest offset of a segment that is not a backup segment, in bytes, or 0. */
uint64_t luks2_first_data_offset(struct json_object *metadata);

/* A new segment of type crypt or, without a cipher, linear. NULL: out of memory. */
struct json_object *luks2_segment_new(const struct luks2_segment *segment);

/* True if one of the segment's flags starts with prefix. */
bool luks2_segment_has_flag(struct json_object *segment, const char *prefix);

/* True if the segment only records a state before or after reencryption ("backup-..." flag). */
bool luks2_segment_is_backup(struct json_object *segment);

/* requirements.mandatory[i], or NULL past the end. */
const char *luks2_requirement(struct json_object *metadata, unsigned i);

/* Requirement of cryptsetup 2.8: the device stores the tags of the segment in its sectors. */
#define LUKS2_REQUIREMENT_INLINE "inline-hw-tags"

/* Makes name the only requirement. False: out of memory. */
bool luks2_requirement_set(struct json_object *metadata, const char *name);

/* The first requirement other than this one, or NULL. *inline_tags: this one is present. */
const char *luks2_requirement_unmet(struct json_object *metadata, bool *inline_tags);

/* The keyslot of type reencrypt and its id, or NULL. */
struct json_object *luks2_reencrypt_keyslot(struct json_object *metadata, int *id);

/* The number of requirements named "online-reencrypt" or "online-reencrypt-vN". */
unsigned luks2_online_reencrypt_count(struct json_object *metadata);

/* True if config.flags contains flag. */
bool luks2_config_has_flag(struct json_object *metadata, const char *flag);

/* Replaces config.flags. The array belongs to config afterwards, also after a failure. */
bool luks2_config_set_flags(struct json_object *metadata, struct json_object *flags);

/* The tokens object. */
struct json_object *luks2_tokens(struct json_object *metadata);

/* The token with this id, or NULL. */
struct json_object *luks2_token_get(struct json_object *metadata, int id);

#endif
