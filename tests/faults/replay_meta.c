/* SPDX-License-Identifier: MIT */
/* META after a power cut: the values of some commit, and the next change succeeds. */
#include <mortise-declared.h>

#include "tests/faults/replay.h"

#if MORTISE_DECLARED
static uint64_t hash_values(const struct mortise_meta *meta)
{
	const struct mortise_meta_entry *entry;
	uint64_t hash = 5;

	for (size_t i = 0; (entry = mortise_meta_entry(meta, i)); i++) {
		hash = disk_hash(hash, &entry->tag, sizeof(entry->tag));
		hash = disk_hash(hash, entry->value, entry->size);
	}
	return hash;
}

static uint64_t read_values(const char *file)
{
	struct mortise_meta *meta = NULL;
	uint64_t hash;

	if (mortise_meta_read(file, NULL, &meta, NULL))
		return 0;
	hash = hash_values(meta);
	mortise_meta_free(&meta);
	return hash;
}

void meta_commit(const struct replay_check *check)
{
	const uint64_t hash = read_values(check->header);

	if (hash)
		check_add_commit(hash);
}

const char *meta_check(const struct replay_check *check)
{
	const uint64_t hash = read_values(check->header);

	if (!hash)
		return "META cannot be read";
	if (!check_is_committed(hash))
		return "the values are neither the old nor the new";
	if (mortise_meta_set(check->header, NULL, 200, "again", 5, NULL))
		return "META cannot be written";
	if (mortise_meta_delete(check->header, NULL, 200, NULL) ||
	    read_values(check->header) != hash)
		return "another change has lost a value";
	return NULL;
}
#else
void meta_commit(const struct replay_check *check)
{
	(void)check;
}

const char *meta_check(const struct replay_check *check)
{
	(void)check;
	return "this build has no META";
}
#endif
