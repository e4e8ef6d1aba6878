/* SPDX-License-Identifier: MIT */
/* Findings that a repair mends: bad copies, and what an update removes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "luks2/check.h"
#include "luks2/mending.h"

const char *mortise_finding_name(enum mortise_finding_kind kind)
{
	static const char *const names[] = {
		[MORTISE_FINDING_COPY] = "copy",     [MORTISE_FINDING_FOREIGN] = "foreign",
		[MORTISE_FINDING_RULE] = "rule",     [MORTISE_FINDING_POLICY] = "policy",
		[MORTISE_FINDING_WEAK] = "weak",     [MORTISE_FINDING_AREA] = "area",
		[MORTISE_FINDING_TOKEN] = "token",   [MORTISE_FINDING_SEQUENCE] = "sequence",
		[MORTISE_FINDING_BACKUP] = "backup",
	};

	return (unsigned)kind < sizeof(names) / sizeof(*names) ? names[kind] : "unknown";
}

void luks2_find(struct luks2_findings *findings, enum mortise_finding_kind kind, bool error,
		enum luks2_remedy remedy, int keyslot, const struct mortise_error *what)
{
	struct mortise_error text = { 0 };
	const struct mortise_finding finding = {
		.struct_size = sizeof(finding),
		.kind = kind,
		.error = error,
		.repairable = remedy == LUKS2_REMEDY_REPAIR,
		.offset = what->offset,
		.text = what->text,
		.remedy = text.text,
	};
	const char *path = findings->path;

	findings->count++;
	findings->repairable += finding.repairable;
	if (findings->canceled || !findings->report ||
	    (findings->repairable_only && !finding.repairable))
		return;
	if (remedy == LUKS2_REMEDY_REPAIR)
		error_set(&text, MORTISE_OK, 0, "run `mortise repair %s`", path);
	else if (remedy == LUKS2_REMEDY_RESTORE)
		error_set(&text, MORTISE_OK, 0,
			  "restore a backup: `mortise luksHeaderRestore %s --header-backup-file "
			  "FILE`",
			  path);
	else if (remedy == LUKS2_REMEDY_BACKUP)
		error_set(&text, MORTISE_OK, 0,
			  "make a new one: `mortise luksHeaderBackup %s --header-backup-file FILE`",
			  path);
	else if (remedy == LUKS2_REMEDY_CHANGE_KEY)
		error_set(&text, MORTISE_OK, 0, "run `mortise luksChangeKey -S %d %s`", keyslot,
			  path);
	else if (remedy == LUKS2_REMEDY_KILL_SLOT)
		error_set(&text, MORTISE_OK, 0,
			  "use another keyslot, and run `mortise luksKillSlot %s %d`", path,
			  keyslot);
	findings->canceled = !findings->report(findings->context, &finding);
}

static bool are_equal(const struct luks2_copy copy[2])
{
	const struct luks2_binary *a = &copy[0].binary, *b = &copy[1].binary;

	return !strcmp(a->uuid, b->uuid) && !strcmp(a->label, b->label) &&
	       !strcmp(a->subsystem, b->subsystem) &&
	       json_object_equal(copy[0].metadata, copy[1].metadata);
}

void luks2_check_copies(struct luks2_findings *findings, const struct luks2_device *device,
			const struct luks2_copy copy[2])
{
	static const char *const names[] = { "first", "second" };
	const bool one = copy[0].valid || copy[1].valid;
	const unsigned good =
		!copy[0].valid || (copy[1].valid && copy[1].binary.seqid > copy[0].binary.seqid);
	const uint64_t other_offset = good ? 0 : copy[good].binary.copy_size;
	struct mortise_error what;
	bool bad = false;

	for (unsigned i = 0; i < 2; i++) {
		if (copy[i].valid)
			continue;
		bad = true;
		error_set_at(&what, MORTISE_E_CORRUPT, 0, one ? other_offset : copy[i].offset,
			     "the %s header copy is not valid: %s", names[i], copy[i].why.text);
		luks2_find(findings, MORTISE_FINDING_COPY, !one,
			   one ? LUKS2_REMEDY_REPAIR : LUKS2_REMEDY_RESTORE, 0, &what);
	}
	if (!one)
		return;
	if (!bad && copy[0].binary.seqid != copy[1].binary.seqid) {
		bad = true;
		error_set_at(&what, MORTISE_E_CORRUPT, 0, other_offset,
			     "the %s header copy is older: sequence number %" PRIu64
			     ", not %" PRIu64,
			     names[!good], copy[!good].binary.seqid, copy[good].binary.seqid);
		luks2_find(findings, MORTISE_FINDING_COPY, false, LUKS2_REMEDY_REPAIR, 0, &what);
	} else if (!bad && !are_equal(copy)) {
		error_set_at(&what, MORTISE_E_CORRUPT, 0, other_offset,
			     "the header copies differ, and have one sequence number, %" PRIu64,
			     copy[0].binary.seqid);
		luks2_find(findings, MORTISE_FINDING_COPY, false, LUKS2_REMEDY_REPAIR, 0, &what);
	}
	if (bad &&
	    luks2_mending_allowed(device, &copy[good].binary, other_offset) != LUKS2_MENDING_SAFE) {
		error_set_at(&what, MORTISE_E_CORRUPT, 0, other_offset,
			     "the place of the %s header copy may hold other data: it is not "
			     "mended without a question",
			     names[!good]);
		luks2_find(findings, MORTISE_FINDING_FOREIGN, true, LUKS2_REMEDY_REPAIR, 0, &what);
	}
}

bool luks2_token_is_orphan(struct json_object *token)
{
	/* The secret of each of these types opens one keyslot. */
	static const char *const types[] = {
		"sideroKMS",	  "talos-tpm2",	      "systemd-tpm2", "systemd-fido2",
		"systemd-pkcs11", "systemd-recovery", "clevis",
	};
	struct json_object *keyslots = luks2_json_get(token, "keyslots", json_type_array);
	const char *type = luks2_json_text(token, "type");

	if (!type || !keyslots || json_object_array_length(keyslots))
		return false;
	for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

void luks2_check_leftovers(struct luks2_findings *findings, const struct mortise_luks2 *header)
{
	struct mortise_error what;

	json_object_object_foreach(luks2_tokens(header->metadata), id, token) {
		if (!luks2_token_is_orphan(token))
			continue;
		error_set(&what, MORTISE_E_CORRUPT, 0, "token %.20s (%.40s) belongs to no keyslot",
			  id, luks2_json_text(token, "type"));
		luks2_find(findings, MORTISE_FINDING_TOKEN, false, LUKS2_REMEDY_REPAIR, 0, &what);
	}
	if (header->binary.seqid < LUKS2_SEQID_MAX)
		return;
	error_set(&what, MORTISE_E_CORRUPT, 0,
		  "the sequence number %" PRIu64
		  " is close to its end: an update would count as the "
		  "older header",
		  header->binary.seqid);
	luks2_find(findings, MORTISE_FINDING_SEQUENCE, false, LUKS2_REMEDY_REPAIR, 0, &what);
}
