/* SPDX-License-Identifier: MIT */
/* Volume keys that were found a moment ago: by the plan that was shown, by the look into STATE. */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "declared/declared.h"

void volume_known_clear(struct volume_known *known)
{
	mortise_secret_free(&known->volume_key);
	*known = (struct volume_known){ .keyslot = -1 };
}

/* What plan knows; the key stays the plan's. */
static struct volume_known known_by(const struct volume_plan *plan)
{
	struct volume_known known = { .keyslot = -1 };

	if (!plan->header || !plan->volume_key)
		return known;
	known.volume_key = plan->volume_key;
	known.keyslot = plan->opened;
	known.seqid = luks2_header_seqid(plan->header);
	known.cut = plan->opened_by_first_line;
	known.declared = plan->opened_by_declared_key;
	known.recovered = plan->recovered;
	snprintf(known.header, sizeof(known.header), "%s", luks2_header_uuid(plan->header));
	return known;
}

enum mortise_code volume_known_set(struct volume_known *known, const struct volume_plan *plan,
				   struct mortise_error *err)
{
	const struct volume_known found = known_by(plan);
	enum mortise_code code = MORTISE_OK;

	volume_known_clear(known);
	if (!found.volume_key)
		return MORTISE_OK;
	*known = found;
	code = mortise_secret_from(mortise_secret_data(found.volume_key),
				   mortise_secret_size(found.volume_key), &known->volume_key, err);
	/* Read as declared by META, which the configuration in STATE need not agree with. */
	known->declared = false;
	return code;
}

static struct volume_known find(const struct volume_run *run, const struct volume_plan *plan)
{
	const struct mortise_plan *shown = run->options->plan;
	const char *header = luks2_header_uuid(plan->header);

	for (size_t i = 0; shown && i < shown->count; i++) {
		struct volume_known known = known_by(shown->volumes[i]);

		if (shown->volumes[i]->volume == plan->volume && known.volume_key &&
		    !strcmp(known.header, header))
			return known;
	}
	if (run->state && run->state->volume_key && !strcmp(run->state->header, header))
		return *run->state;
	return (struct volume_known){ .keyslot = -1 };
}

bool volume_use_known(const struct volume_run *run, struct volume_plan *plan)
{
	const struct volume_known known = find(run, plan);
	struct mortise_error ignored;

	/* Whatever is known, the header on the device has the last word. */
	if (!known.volume_key ||
	    mortise_volume_key_verify(plan->header, known.volume_key, &ignored) ||
	    mortise_secret_from(mortise_secret_data(known.volume_key),
				mortise_secret_size(known.volume_key), &plan->volume_key, &ignored))
		return false;
	plan->opened = known.keyslot;
	/* Which passphrase a keyslot holds is known as long as nobody has changed the header. */
	if (known.seqid == luks2_header_seqid(plan->header)) {
		plan->opened_by_first_line = known.cut;
		plan->opened_by_declared_key = known.declared;
	}
	plan->recovered = known.recovered;
	return true;
}
