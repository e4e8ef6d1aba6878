/* SPDX-License-Identifier: MIT */
/* Decrypting a volume in place, with its header in STATE until the data is plain. */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "declared/plan_decrypt.h"
#include "declared/plan_known.h"
#include "declared/plan_reencrypt.h"
#include "declared/state_header.h"
#include "luks2/policy.h"

/* The header of data that begins at the start of the device is in STATE already. */
static enum mortise_code begin_detached(struct volume_plan *plan,
					const struct mortise_reencrypt_keyslot *opened,
					struct mortise_error *err)
{
	const struct mortise_reencrypt_new what = { .struct_size = sizeof(what),
						    .mode = MORTISE_DECRYPT,
						    .keyslots = opened,
						    .keyslot_count = 1 };

	return mortise_reencrypt_begin(plan->header, &what, err);
}

/*
 * Moves the header to STATE. If a cut has ended this before the data began to move, the header is
 * still on the device, and the file is made again; or it is only in the file.
 */
static enum mortise_code begin(struct volume_work *work, const struct key_attempt *attempt,
			       struct mortise_error *err)
{
	const struct volume_run *run = work->run;
	struct volume_plan *plan = work->plan;
	const struct mortise_reencrypt_keyslot opened = { plan->opened, attempt->passphrase };
	const struct mortise_reencrypt_new what = { .struct_size = sizeof(what),
						    .keyslots = &opened,
						    .keyslot_count = 1 };
	struct mortise_luks2 *moved = NULL;
	char file[VOLUME_PATH_MAX];
	struct luks2_segment segment;
	enum mortise_code code =
		luks2_segment_get(luks2_header_metadata(plan->header), &segment, err);
	bool found;

	if (!code && !segment.offset)
		return begin_detached(plan, &opened, err);
	if (!code && !*plan->header_file)
		code = state_header_remove(run->options->root, run->known.dir, plan->volume->id,
					   err);
	if (!code)
		code = state_header_find(run->options->root, run->known.dir, plan->volume->id, file,
					 &found, err);
	if (!code)
		code = mortise_decrypt_begin(plan->header, file, &what, &moved, err);
	if (code)
		return code;
	snprintf(plan->header_file, sizeof(plan->header_file), "%s", file);
	luks2_header_inherit(moved, plan->header);
	mortise_luks2_free(&plan->header);
	plan->header = moved;
	return MORTISE_OK;
}

/* The list of known volumes has the file system before its header is removed. */
static enum mortise_code end(struct volume_work *work, struct mortise_error *err)
{
	struct volume_run *run = work->run;
	struct volume_plan *plan = work->plan;
	enum mortise_code code = volume_known_record_decryption(run, plan, true, err);

	if (!code)
		code = state_header_remove(run->options->root, run->known.dir, plan->volume->id,
					   err);
	volume_plan_forget_header(plan);
	plan->header_file[0] = '\0';
	plan->has_header = false;
	return code;
}

static enum mortise_code decrypt_locked(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	const struct key_attempt *attempt = volume_find_attempt(plan);
	enum mortise_code code = volume_reload_header(plan, err);

	if (code || volume_plan_is_decrypted(plan))
		return code ? code : end(work, err);
	if (!attempt)
		return error_set(err, MORTISE_E_KEY, 0, "no declared key has opened it");
	code = volume_known_record_decryption(work->run, plan, false, err);
	if (!code && !volume_in_reencryption(plan))
		code = begin(work, attempt, err);
	if (!code)
		code = volume_know_keys(plan, err);
	if (!code)
		code = volume_reencrypt_all(work, err);
	return code ? code : end(work, err);
}

enum mortise_code volume_do_decrypt(struct volume_work *work, struct mortise_error *err)
{
	int fd = -1;
	enum mortise_code code = volume_lock_device(work, &fd, err);

	if (!code)
		code = decrypt_locked(work, err);
	if (code)
		error_prefix(err, "cannot decrypt %s in place", work->plan->device);
	else
		snprintf(work->result->text, sizeof(work->result->text), "decrypted in place");
	if (fd >= 0)
		close(fd);
	return code;
}
