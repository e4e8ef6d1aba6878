/* SPDX-License-Identifier: MIT */
/* For builds without reencryption (MORTISE_REENCRYPT). */
#include "base/error.h"
#include "luks2/header.h"
#include "volume/activate.h"
#include "volume/header_place.h"
#include "volume/reencrypt_begin.h"

static enum mortise_code unsupported(struct mortise_error *err)
{
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "this build does not support reencryption; use one with "
			 "MORTISE_REENCRYPT");
}

/* "Device is not in reencryption.", or that this build cannot continue it. */
static enum mortise_code refuse(const struct mortise_luks2 *header, struct mortise_error *err)
{
	struct luks2_reencryption state;

	return luks2_reencryption_get(luks2_header_metadata(header), &state, err);
}

enum mortise_code mortise_reencrypt_info(const struct mortise_luks2 *header,
					 struct mortise_reencrypt_info *info,
					 struct mortise_error *err)
{
	(void)info;
	return refuse(header, err);
}

enum mortise_code mortise_reencrypt_continue(struct mortise_luks2 *header,
					     const struct mortise_secret *passphrase,
					     const struct mortise_reencrypt_run *how,
					     struct mortise_error *err)
{
	(void)passphrase;
	(void)how;
	return refuse(header, err);
}

enum mortise_code mortise_reencrypt_repair(struct mortise_luks2 *header,
					   const struct mortise_secret *passphrase, int keyslot,
					   struct mortise_error *err)
{
	(void)passphrase;
	(void)keyslot;
	return refuse(header, err);
}

enum mortise_code mortise_reencrypt_unlock(struct mortise_luks2 *header,
					   const struct mortise_secret *passphrase, int keyslot,
					   struct mortise_secret **volume_key, int *opened,
					   struct mortise_error *err)
{
	(void)passphrase;
	(void)keyslot;
	(void)opened;
	if (volume_key)
		*volume_key = NULL;
	return refuse(header, err);
}

enum mortise_code volume_reencrypt_activate(struct mortise_luks2 *header, const char *name,
					    const struct mortise_secret *volume_key, uint32_t flags,
					    bool hidden, uint32_t *dropped,
					    struct mortise_error *err)
{
	(void)name;
	(void)volume_key;
	(void)flags;
	(void)hidden;
	(void)dropped;
	return refuse(header, err);
}

enum mortise_code mortise_reencrypt_active(const struct mortise_luks2 *header, char *name,
					   size_t room, struct mortise_error *err)
{
	(void)header;
	(void)name;
	(void)room;
	return unsupported(err);
}

enum mortise_code mortise_reencrypt_is_left(const struct mortise_luks2 *header, const char *name,
					    struct mortise_error *err)
{
	(void)header;
	return error_set(err, MORTISE_E_INACTIVE, 0, "mapping %s is complete", name);
}

enum mortise_code reencrypt_stage(struct mortise_luks2 *header,
				  struct reencrypt_beginning *beginning, struct mortise_error *err)
{
	(void)header;
	(void)beginning;
	return unsupported(err);
}

void reencrypt_beginning_clear(struct reencrypt_beginning *beginning)
{
	(void)beginning;
}

enum mortise_code mortise_reencrypt_begin(struct mortise_luks2 *header,
					  const struct mortise_reencrypt_new *what,
					  struct mortise_error *err)
{
	(void)header;
	(void)what;
	return unsupported(err);
}

enum mortise_code mortise_encrypt_begin(const struct mortise_location *location,
					const struct mortise_format *format,
					const struct mortise_encrypt_new *what,
					struct mortise_luks2 **out, struct mortise_error *err)
{
	(void)location;
	(void)format;
	(void)what;
	*out = NULL;
	return unsupported(err);
}

enum mortise_code mortise_decrypt_begin(struct mortise_luks2 *header, const char *file,
					const struct mortise_reencrypt_new *what,
					struct mortise_luks2 **out, struct mortise_error *err)
{
	(void)header;
	(void)file;
	(void)what;
	*out = NULL;
	return unsupported(err);
}

enum mortise_code header_place_resume(struct luks2_device *device, uint64_t shift, bool *done,
				      struct mortise_error *err)
{
	(void)device;
	(void)shift;
	*done = false;
	return unsupported(err);
}
