/* SPDX-License-Identifier: MIT */
/* Plain mappings: dm-crypt without a header, as cryptsetup's type plain. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "luks2/ciphers.h"
#include "volume/activate.h"
#include "volume/flags.h"

/* The mapping ends with the device, unless a size is given. dm/ checks the rest. */
static enum mortise_code fit(struct dm_crypt_target *target, uint64_t device_size,
			     struct mortise_error *err)
{
	if (target->device_offset >= device_size)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Requested offset is beyond real size of device %s. It has "
				 "%" PRIu64 " bytes.",
				 target->device, device_size);
	if (!target->size)
		target->size = device_size - target->device_offset;
	return MORTISE_OK;
}

/* The command line chooses the cipher, not the disk: every cipher that encrypts is accepted. */
static enum mortise_code check_cipher(const char *cipher, struct mortise_error *err)
{
	if (!luks2_cipher_is_null(cipher))
		return MORTISE_OK;
	return error_set(err, MORTISE_E_POLICY, 0,
			 "cannot create a plain mapping with cipher %.60s: it does not encrypt",
			 cipher);
}

static enum mortise_code create(const char *name, const struct mortise_plain *plain,
				const struct dm_crypt_target *target, bool readonly,
				uint32_t *dropped, struct mortise_error *err)
{
	char uuid[DM_UUID_MAX + 1];
	const struct dm_mapping_options options = { .uuid = uuid,
						    .readonly = readonly,
						    .shared = plain->shared };
	struct dm_control *control = NULL;
	uint32_t unknown = 0;
	enum mortise_code code = dm_open(&control, err);

	snprintf(uuid, sizeof(uuid), "CRYPT-PLAIN-%s", name);
	if (!code)
		code = dm_crypt_create(control, name, &options, target, &unknown, err);
	if (dropped)
		*dropped = volume_flags_from_dm(unknown);
	dm_close(control);
	return code;
}

enum mortise_code mortise_plain_open(const struct mortise_plain *plain, const char *name,
				     const struct mortise_secret *key, uint32_t flags,
				     uint32_t *dropped, struct mortise_error *err)
{
	struct dm_crypt_target target = { .key = key, .flags = volume_flags_to_dm(flags) };
	struct volume_backing backing;
	struct mortise_plain how;
	enum mortise_code code;

	code = sized_input(SIZED(mortise_plain), &how, plain, err);
	if (code)
		return code;
	if (!how.device || !name)
		return error_set(err, MORTISE_E_USAGE, 0, "no device or no name is given");
	target.cipher = how.cipher ? how.cipher : "aes-cbc-essiv:sha256";
	code = check_cipher(target.cipher, err);
	if (!code)
		code = volume_backing_open(how.device, flags & MORTISE_READONLY, &backing, err);
	if (code)
		return code;
	target.device = backing.path;
	target.device_offset = how.offset;
	target.size = how.size;
	target.iv_offset = how.iv_offset;
	target.sector_size = how.sector_size ? how.sector_size : 512;
	if (how.iv_large_sectors)
		target.flags |= DM_CRYPT_IV_LARGE_SECTORS;
	code = fit(&target, backing.size, err);
	if (!code)
		code = create(name, &how, &target, flags & MORTISE_READONLY, dropped, err);
	volume_backing_close(&backing);
	return code;
}
