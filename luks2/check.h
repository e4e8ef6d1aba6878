/* SPDX-License-Identifier: MIT */
/* Inside luks2/: finding what is wrong with a header, for the check and for the repair. */
#ifndef LUKS2_CHECK_H
#define LUKS2_CHECK_H

#include "luks2/private.h"

struct luks2_findings {
	bool (*report)(void *context, const struct mortise_finding *finding); /* NULL: none */
	void *context;
	const char *path;		/* of the header's device, for remedies */
	bool repairable_only;		/* report nothing else */
	bool canceled;
	unsigned repairable, count;	/* numbers of findings */
};

enum luks2_remedy {
	LUKS2_REMEDY_NONE,
	LUKS2_REMEDY_REPAIR,
	LUKS2_REMEDY_RESTORE,
	LUKS2_REMEDY_BACKUP,
	LUKS2_REMEDY_CHANGE_KEY,	/* of a keyslot */
	LUKS2_REMEDY_KILL_SLOT,
};

/* Reports what, which has text and offset. keyslot: for the remedies that name one. */
void luks2_find(struct luks2_findings *findings, enum mortise_finding_kind kind, bool error,
		enum luks2_remedy remedy, int keyslot, const struct mortise_error *what);

/* Reports the state of both copies. */
void luks2_check_copies(struct luks2_findings *findings, const struct luks2_device *device,
			const struct luks2_copy copy[2]);

/* Reports each rule that metadata breaks, in a copy at offset with a JSON area of json_size bytes. */
void luks2_check_rules(struct luks2_findings *findings, uint64_t offset,
		       struct json_object *metadata, uint64_t json_size);

/* Reports tokens that belong to no keyslot, and a sequence number that is close to its end. */
void luks2_check_leftovers(struct luks2_findings *findings, const struct mortise_luks2 *header);

/* Is it a token of a type that opens one keyslot, and has none? */
bool luks2_token_is_orphan(struct json_object *token);

/* From here on, the sequence number is reset: its overflow would make new copies the older ones. */
#define LUKS2_SEQID_MAX (UINT64_MAX / 2)

#endif
