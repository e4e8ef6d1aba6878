/* SPDX-License-Identifier: MIT */
/* What a person should know of the keys that a plan rests on: Talos's guide says it in notes. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"

#define EFIVARS "/sys/firmware/efi/efivars"

__attribute__((format(printf, 2, 3))) static bool note(struct mortise_plan *plan,
						       const char *format, ...)
{
	char **grown = realloc(plan->notes, (plan->note_count + 1) * sizeof(*grown));
	va_list arguments;
	int size;

	if (!grown)
		return false;
	plan->notes = grown;
	va_start(arguments, format);
	size = vasprintf(&grown[plan->note_count], format, arguments);
	va_end(arguments);
	plan->note_count += size >= 0;
	return size >= 0;
}

static bool has_kind(const struct config_volume *volume, enum config_key_kind kind)
{
	for (size_t i = 0; i < volume->key_count; i++)
		if (volume->keys[i].kind == kind)
			return true;
	return false;
}

/* "STATE, EPHEMERAL": those with a key of this kind; "" for none. */
static void list_volumes(const struct mortise_plan *plan, enum config_key_kind kind, char *list,
			 size_t room)
{
	size_t used = 0;

	list[0] = '\0';
	for (size_t i = 0; i < plan->count && used < room; i++)
		if (has_kind(plan->volumes[i]->volume, kind))
			used += (size_t)snprintf(list + used, room - used, "%s%s", used ? ", " : "",
						 plan->volumes[i]->volume->name);
}

static bool note_state(struct mortise_plan *plan)
{
	const struct config_volume *state = plan->count ? plan->volumes[0]->volume : NULL;
	bool ok = true;

	if (!state || !volume_is_state(state))
		return true;
	if (has_kind(state, CONFIG_KEY_STATIC))
		ok = note(plan, "STATE: its static passphrase is stored in META in clear text, "
				"where whoever holds the disk reads it");
	if (ok && has_kind(state, CONFIG_KEY_KMS))
		ok = note(plan,
			  "STATE: a kms key needs the network before STATE is open: network "
			  "settings and CA certificates that are kept in STATE come too late for "
			  "it");
	return ok;
}

static bool note_node_id(struct mortise_plan *plan)
{
	char list[200];

	list_volumes(plan, CONFIG_KEY_NODE_ID, list, sizeof(list));
	return !*list ||
	       note(plan,
		    "%s: a nodeID key protects a drive that was removed from this machine, "
		    "not one that is taken together with it",
		    list);
}

static bool state_is_encrypted(const struct config *declared)
{
	for (size_t i = 0; i < declared->volume_count; i++)
		if (volume_is_state(&declared->volumes[i]))
			return declared->volumes[i].encrypted;
	return false;
}

/* Talos's guide allows static keys of other volumes for an encrypted STATE alone. */
static bool note_static(const struct config *declared, struct mortise_plan *plan)
{
	char list[200];

	if (state_is_encrypted(declared))
		return true;
	list_volumes(plan, CONFIG_KEY_STATIC, list, sizeof(list));
	return !*list ||
	       note(plan,
		    "%s: a static passphrase is part of the configuration, which `mortise apply` "
		    "stores in STATE, in clear text as long as STATE is not encrypted: whoever "
		    "holds the disk reads it",
		    list);
}

/* With Secure Boot off, another system can bring the PCRs to what they are now. */
static bool note_tpm(struct mortise_plan *plan)
{
	struct mortise_error why;
	char list[200];

	list_volumes(plan, CONFIG_KEY_TPM, list, sizeof(list));
	if (!*list || keys_secureboot_check(EFIVARS, &why) != MORTISE_E_POLICY)
		return true;
	return note(plan,
		    "%s: a tpm key is strong with Secure Boot only, and this machine has it off: "
		    "another system that is started here can have the key unsealed",
		    list);
}

/* Nothing that opens it now is declared any more. */
static bool note_replaced(struct mortise_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->volumes[i]->keys_replaced &&
		    !note(plan,
			  "%s: none of its keys was kept, and keys are changed by one that opens "
			  "the volume: rotate in two steps, the new key beside the old one first",
			  plan->volumes[i]->volume->name))
			return false;
	return true;
}

enum mortise_code volume_notes_make(const struct config *declared, struct mortise_plan *plan,
				    struct mortise_error *err)
{
	if (note_state(plan) && note_static(declared, plan) && note_node_id(plan) &&
	    note_tpm(plan) && note_replaced(plan))
		return MORTISE_OK;
	return error_memory(err);
}
