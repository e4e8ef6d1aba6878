/* SPDX-License-Identifier: MIT */
/* Options that describe a new keyslot. */
#include <string.h>
#include <strings.h>

#include "cli/keyslot.h"
#include "cli/print.h"

#define ARGON2_LANES_MAX 4u

static bool find_type(const char *name, enum mortise_kdf_type *type)
{
	static const enum mortise_kdf_type types[] = {
		MORTISE_KDF_ARGON2ID,
		MORTISE_KDF_ARGON2I,
		MORTISE_KDF_PBKDF2,
	};

	*type = MORTISE_KDF_ARGON2ID;
	if (!name)
		return true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcasecmp(name, mortise_kdf_name(types[i])) == 0) {
			*type = types[i];
			return true;
		}
	}
	return false;
}

void keyslot_cost(const struct command *c, struct mortise_kdf_choice *kdf)
{
	const struct options *options = &c->options;

	kdf->forced_time = option_number32(options, OPTION_PBKDF_FORCE_ITERATIONS);
	kdf->target_ms = option_number32(options, OPTION_ITER_TIME);
	if (kdf->type == MORTISE_KDF_PBKDF2)
		return;
	kdf->memory_kib = option_number32(options, OPTION_PBKDF_MEMORY);
	kdf->lanes = option_number32(options, OPTION_PBKDF_PARALLEL);
	if (kdf->lanes > ARGON2_LANES_MAX)
		kdf->lanes = ARGON2_LANES_MAX;
}

enum status keyslot_describe(const struct command *c, struct mortise_keyslot_new *what,
			     struct mortise_kdf_choice *kdf)
{
	const struct options *options = &c->options;
	const char *hash = option_text(options, OPTION_HASH);
	struct mortise_error err = { 0 };
	enum status status;

	*what = (struct mortise_keyslot_new){
		.struct_size = sizeof(struct mortise_keyslot_new),
		.keyslot = MORTISE_ANY,
		.kdf = kdf,
		.hash = hash,
		.cipher = option_text(options, OPTION_KEYSLOT_CIPHER),
		.area_key_size = option_number32(options, OPTION_KEYSLOT_KEY_SIZE) / 8,
		.allow_cipher = option_text(options, OPTION_ALLOW_CIPHER),
	};
	*kdf = (struct mortise_kdf_choice){ .struct_size = sizeof(*kdf) };
	if (!find_type(option_text(options, OPTION_PBKDF), &kdf->type))
		return STATUS_USAGE; /* not reached: main.c refuses it */
	keyslot_cost(c, kdf);
	if (kdf->type == MORTISE_KDF_PBKDF2)
		kdf->hash = hash;
	if (mortise_keyslot_check(what, &err) == MORTISE_OK)
		return STATUS_OK;
	status = fail(c, &err);
	fail_with(status, "Failed to set pbkdf parameters.");
	return status;
}

enum status keyslot_check_free(const struct mortise_luks2 *header, int id)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };

	if (id == MORTISE_ANY)
		return STATUS_OK;
	if (id >= (int)MORTISE_KEYSLOTS_MAX)
		return fail_with(STATUS_USAGE,
				 "Key slot %d is invalid, please select between 0 and %u.", id,
				 MORTISE_KEYSLOTS_MAX - 1);
	if (header && mortise_keyslot_info(header, id, &info, NULL) == MORTISE_OK)
		return fail_with(STATUS_USAGE, "Key slot %d is full, please select another one.",
				 id);
	return STATUS_OK;
}
