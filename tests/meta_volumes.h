/* SPDX-License-Identifier: MIT */
/* Compares two declared volumes, for tests that parse what they have written. */
#ifndef TESTS_META_VOLUMES_H
#define TESTS_META_VOLUMES_H

#include <string.h>

#include "config/config.h"

static inline bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static inline bool same_secret(const struct mortise_secret *a, const struct mortise_secret *b)
{
	return a && b ? mortise_secret_equal(a, b) : a == b;
}

static inline bool same_key(const struct config_key *a, const struct config_key *b)
{
	return a->slot == b->slot && a->kind == b->kind &&
	       same_secret(a->passphrase, b->passphrase) &&
	       same_text(a->kms_endpoint, b->kms_endpoint) &&
	       a->tpm_pcr_count == b->tpm_pcr_count &&
	       memcmp(a->tpm_pcrs, b->tpm_pcrs, a->tpm_pcr_count) == 0 &&
	       a->tpm_check_secureboot == b->tpm_check_secureboot &&
	       a->lock_to_state == b->lock_to_state;
}

/* The same volume, not counting the line. */
static inline bool same_volume(const struct config_volume *a, const struct config_volume *b)
{
	bool same = same_text(a->name, b->name) && same_text(a->id, b->id) && a->kind == b->kind &&
		    same_text(a->disk_selector, b->disk_selector) && a->encrypted == b->encrypted &&
		    same_text(a->cipher, b->cipher) && a->key_size == b->key_size &&
		    a->block_size == b->block_size && a->perf == b->perf &&
		    a->allow_discards == b->allow_discards && a->key_count == b->key_count &&
		    a->filesystem == b->filesystem && same_text(a->mount_point, b->mount_point) &&
		    a->mount_secure == b->mount_secure && a->mount_noexec == b->mount_noexec &&
		    a->mount_noatime == b->mount_noatime &&
		    a->mount_project_quota == b->mount_project_quota &&
		    a->mount_mode == b->mount_mode;

	for (size_t i = 0; same && i < a->key_count; i++)
		same = same_key(&a->keys[i], &b->keys[i]);
	return same;
}

#endif
