/* SPDX-License-Identifier: MIT */
/* Encrypting a plain file system in place. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "declared/continue.h"
#include "declared/meta_state.h"
#include "declared/plan_in_place.h"
#include "declared/plan_known.h"
#include "declared/plan_reencrypt.h"
#include "declared/state_header.h"
#include "disk/shrink.h"
#include "luks2/metadata.h"
#include "luks2/reencrypt.h"
#include "volume/filesystem.h"
#include "volume/header_place.h"

static struct mortise_location get_location(const struct volume_work *work)
{
	return (struct mortise_location){ .struct_size = sizeof(struct mortise_location),
					  .device = work->plan->device,
					  .events = &work->run->events };
}

/* Is the volume's entry already that of an encryption? Then it says which header may be there. */
static bool has_begun(struct volume_work *work)
{
	struct known_volume known;

	return work->run->known.state == KNOWN_LISTED &&
	       known_find(&work->run->known.list, work->plan->volume->id, &known) &&
	       known.status == KNOWN_ENCRYPTING;
}

/* Makes the space behind the file system that the header needs. */
static enum mortise_code make_room(struct volume_work *work, bool begun, struct mortise_error *err)
{
	const struct volume_plan *plan = work->plan;
	struct luks2_device *device;
	uint64_t size, room;
	const char *name;
	enum mortise_code code = luks2_device_open(plan->device, false, &device, err);

	if (code)
		return code;
	room = device->size - 2 * plan->header_room;
	code = filesystem_size(device, &size, &name, err);
	luks2_device_close(device);
	if (code || size <= room)
		return code;
	code = disk_shrink(config_filesystem_name(plan->volume->filesystem), plan->device, room,
			   begun, err);
	if (code)
		error_prefix(err, "cannot shrink the file system on %s", plan->device);
	return code;
}

/* Puts keys, tokens and seal into the header, which is in memory, and records what it will be. */
static enum mortise_code fill(void *context, struct mortise_luks2 *header,
			      struct mortise_error *err)
{
	struct volume_work *work = context;
	enum mortise_code code;

	luks2_header_set_limiter(header, volume_budget_limiter(&work->run->budget));
	work->plan->header = header;
	code = volume_write_first_keys(work, true, err);
	work->plan->header = NULL;
	return code;
}

/* Makes the header in memory, so that the file in STATE is complete or does not exist. */
static enum mortise_code begin_detached(struct volume_work *work, struct mortise_format *format,
					struct mortise_encrypt_new *what, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	struct mortise_location location = get_location(work);
	struct mortise_luks2 *header = NULL;
	char memory[HEADER_FILE_ROOM], path[VOLUME_PATH_MAX];
	enum mortise_code code;
	int fd;

	code = header_place_file(&fd, memory, err);
	if (code)
		return code;
	location.header = memory;
	location.no_locks = true;
	format->data_offset_given = true;
	format->keyslots_size = STATE_HEADER_SIZE - 2 * format->metadata_size;
	what->reduction = 0;
	code = mortise_encrypt_begin(&location, format, what, &header, err);
	if (!code)
		code = state_header_store(work->run->options->root, work->run->known.dir,
					  plan->volume->id, header, path, err);
	mortise_luks2_free(&header);
	close(fd);
	if (code)
		return code;
	snprintf(plan->header_file, sizeof(plan->header_file), "%s", path);
	plan->has_header = true;
	location = volume_plan_location(plan, false, &work->run->events);
	return mortise_luks2_load(&location, &plan->header, err);
}

static enum mortise_code begin(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	const struct mortise_location location = get_location(work);
	struct mortise_format format = {
		.struct_size = sizeof(format),
		.cipher = plan->volume->cipher,
		.key_size = plan->volume->key_size,
		.sector_size = 512,
		.metadata_size = volume_metadata_size(plan),
	};
	struct mortise_encrypt_new what = {
		.struct_size = sizeof(what),
		.reduction = 2 * plan->header_room,
		.fill = fill,
		.context = work,
	};
	const bool begun = has_begun(work);
	enum mortise_code code = MORTISE_OK;

	if (!begun)
		code = volume_known_record_encryption(work->run, plan, err);
	if (!code && !plan->header_room)
		return begin_detached(work, &format, &what, err);
	if (!code)
		code = make_room(work, begun, err);
	return code ? code : mortise_encrypt_begin(&location, &format, &what, &plan->header, err);
}

/* The header was being placed when an earlier run was cut. */
static enum mortise_code complete(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	const struct mortise_location location = get_location(work);
	struct luks2_device *device;
	bool done = false;
	enum mortise_code code = luks2_device_open(plan->device, false, &device, err);

	if (code)
		return code;
	code = header_place_resume(device, plan->header_room, &done, err);
	luks2_device_close(device);
	if (!code && !done)
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "%s holds neither its file system nor the header of an "
				 "interrupted encryption",
				 plan->device);
	return code ? code : mortise_luks2_load(&location, &plan->header, err);
}

static enum mortise_code try_passphrase(struct volume_plan *plan, int digest, int keyslot,
					const struct mortise_secret *passphrase)
{
	struct mortise_secret *key = NULL;
	struct mortise_error ignored;
	enum mortise_code code = luks2_keyslot_open_digest(plan->header, digest, keyslot,
							   passphrase, &key, NULL, &ignored);

	if (!code)
		code = luks2_header_set_volume_key(plan->header, key, &ignored);
	mortise_secret_free(&key);
	if (!code)
		plan->opened = keyslot;
	return code;
}

/* Finds a declared key that opens the header: the one just made, or that of the interrupted run. */
static enum mortise_code find_passphrase(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	struct luks2_reencryption state;
	enum mortise_code code =
		luks2_reencryption_get(luks2_header_metadata(plan->header), &state, err);

	for (size_t i = 0; !code && i < plan->step_count; i++) {
		const struct volume_step *step = &plan->steps[i];

		if (step->made.passphrase && !step->recovery &&
		    !try_passphrase(plan, state.after.digest, step->keyslot,
				    step->made.passphrase)) {
			plan->proven = true;
			return MORTISE_OK;
		}
	}
	for (size_t i = 0; !code && i < plan->volume->key_count; i++) {
		if (volume_try_key(work->run, plan, i))
			continue;
		plan->opened = (int)plan->volume->keys[i].slot;
		plan->proven = true;
		return MORTISE_OK;
	}
	return code ? code
		    : error_set(err, MORTISE_E_KEY, 0, "no declared key opens the header of %s",
				plan->device);
}

/* The header may be another one than that which this machine has made. */
static enum mortise_code check_seal(const struct volume_plan *plan, struct mortise_error *err)
{
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	enum mortise_code code = mortise_seal_check(plan->header, &seal, err);

	if (code || (seal.state == MORTISE_SEAL_VALID && !strcmp(seal.volume, plan->volume->id)))
		return code;
	return error_set(err, MORTISE_E_POLICY, 0, "cannot trust the header of %s", plan->device);
}

static enum mortise_code encrypt_volume(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	const char *type = config_filesystem_name(plan->volume->filesystem);
	enum mortise_code code;
	bool holds = false;

	code = disk_holds_filesystem(plan->device, type, &holds, err);
	if (!code)
		code = holds ? begin(work, err) : complete(work, err);
	if (code)
		return code;
	volume_plan_attach(plan, work->run);
	code = find_passphrase(work, err);
	if (!code)
		code = check_seal(plan, err);
	/* The next boot opens STATE as META describes it. */
	if (!code && volume_is_state(plan->volume))
		code = volume_meta_state_store(work->run->options, work->run->config, err);
	if (!code && plan->volume->online)
		volume_continue_later(plan);
	return code || plan->volume->online ? code : volume_reencrypt_all(work, err);
}

enum mortise_code volume_do_encrypt(struct volume_work *work, struct mortise_error *err)
{
	int fd = -1;
	enum mortise_code code = volume_prepare_header(work, err);

	if (!code)
		code = volume_lock_device(work, &fd, err);
	if (!code)
		code = encrypt_volume(work, err);
	if (code)
		error_prefix(err, "cannot encrypt %s in place", work->plan->device);
	else
		snprintf(work->result->text, sizeof(work->result->text), "%s",
			 work->plan->volume->online ? "encryption in place begun"
						    : "encrypted in place");
	if (fd >= 0)
		close(fd);
	return code;
}
