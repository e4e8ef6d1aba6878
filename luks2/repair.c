/* SPDX-License-Identifier: MIT */
/* Repairing a header: first its copies, then, in one update, what an update can remove. */
#include <inttypes.h>

#include "base/error.h"
#include "base/events.h"
#include "base/sized.h"
#include "luks2/check.h"
#include "luks2/policy.h"

/* The keys of tokens are deleted while no iterator is in use. */
static void remove_orphans(struct json_object *metadata)
{
	struct json_object *tokens = luks2_tokens(metadata);
	bool again = true;

	while (again) {
		again = false;
		json_object_object_foreach(tokens, id, token) {
			if (!luks2_token_is_orphan(token))
				continue;
			json_object_object_del(tokens, id);
			again = true;
			break;
		}
	}
}

static enum mortise_code update(struct mortise_luks2 *header, struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code = luks2_usable(header->metadata, err);

	if (!code)
		code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	remove_orphans(update->metadata);
	/* The commit adds one: as after a format, where the old copy is the newer one until the end. */
	if (update->binary.seqid >= LUKS2_SEQID_MAX)
		update->binary.seqid = 2;
	return luks2_update_commit(&update, err);
}

/* What luks2_header_read() mends is reported before, and the rest from the header that it made. */
static enum mortise_code repair(struct luks2_device **device, const struct mortise_repair *how,
				bool attached, struct luks2_findings *findings,
				struct mortise_error *err)
{
	struct luks2_copy copy[2] = { { .metadata = NULL } };
	struct mortise_luks2 *header = NULL;
	enum mortise_code code = luks2_copies_read(*device, copy, err);
	const bool differ =
		copy[0].valid && copy[1].valid && copy[0].binary.seqid == copy[1].binary.seqid;
	unsigned mended;

	if (code)
		return code;
	if (copy[0].valid || copy[1].valid)
		luks2_check_copies(findings, *device, copy);
	json_object_put(copy[0].metadata);
	json_object_put(copy[1].metadata);
	mended = differ ? 0 : findings->repairable;
	if (!findings->canceled)
		code = luks2_header_read(*device,
					 how->dry_run	     ? LUKS2_MEND_NEVER
					 : how->over_foreign ? LUKS2_MEND_ALWAYS
							     : LUKS2_MEND_UNLESS_FOREIGN,
					 &header, err);
	if (code || findings->canceled)
		return code ? code : events_cancel_error(err);
	*device = NULL; /* the header's */
	if (attached && header->device->size < luks2_first_data_offset(header->metadata))
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Header detected but device %s is too small.",
				 header->device->path);
	if (!code && !how->copies_only)
		luks2_check_leftovers(findings, header);
	if (!code && !how->dry_run && !findings->canceled && findings->repairable > mended)
		code = update(header, err);
	mortise_luks2_free(&header);
	return findings->canceled ? events_cancel_error(err) : code;
}

enum mortise_code mortise_repair(const struct mortise_location *location,
				 const struct mortise_repair *how, struct mortise_error *err)
{
	struct luks2_findings findings = { .repairable_only = true };
	struct luks2_device *device = NULL;
	struct mortise_location where;
	struct mortise_repair wanted;
	enum mortise_code code;

	code = sized_input(SIZED_SINCE(mortise_location, allow_cipher), &where, location, err);
	if (!code)
		code = sized_input(SIZED(mortise_repair), &wanted, how, err);
	if (!code && !wanted.dry_run && (where.readonly || where.no_locks))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "cannot repair a header that is read-only or not locked");
	if (code)
		return code;
	findings.report = wanted.report;
	findings.context = wanted.context;
	code = luks2_device_open_location(&where, &device, err);
	if (code)
		return code;
	findings.path = device->path;
	code = repair(&device, &wanted, !where.header, &findings, err);
	luks2_device_close(device);
	return code;
}
