/* SPDX-License-Identifier: MIT */
/* Notes on the protection that the declared keys give, from the guide of Talos. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/reset/ordered.h"
#include "declared/trust.h"
#include "volume/measured.h"

#define EFIVARS "/sys/firmware/efi/efivars"

__attribute__((format(printf, 2, 3))) static bool add_note(struct mortise_plan *plan,
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

/* Lists the volumes with a key of this kind: "STATE, EPHEMERAL". */
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
		ok = add_note(plan, "STATE: its static passphrase is stored in META in clear text; "
				    "anyone with access to the disk can read it");
	if (ok && has_kind(state, CONFIG_KEY_KMS))
		ok = add_note(
			plan,
			"STATE: its kms key needs the network before STATE is open; network "
			"settings and CA certificates that are stored in STATE are not available "
			"then");
	return ok;
}

static bool note_node_id(struct mortise_plan *plan)
{
	char list[200];

	list_volumes(plan, CONFIG_KEY_NODE_ID, list, sizeof(list));
	return !*list ||
	       add_note(plan,
			"%s: a nodeID key protects a drive that is removed from this machine, but "
			"not a drive that is stolen together with the machine",
			list);
}

static bool state_is_encrypted(const struct config *declared)
{
	for (size_t i = 0; i < declared->volume_count; i++)
		if (volume_is_state(&declared->volumes[i]))
			return declared->volumes[i].encrypted;
	return false;
}

/*
 * A program on another machine or a planted STATE that gets the key still lacks STATE's salt. Talos's
 * guide recommends the lock for every volume but STATE.
 */
static bool note_no_lock(const struct config *declared, struct mortise_plan *plan)
{
	char list[200] = "";
	size_t used = 0;

	if (!state_is_encrypted(declared))
		return true;
	for (size_t i = 0; i < plan->count && used < sizeof(list); i++) {
		const struct config_volume *volume = plan->volumes[i]->volume;
		bool unlocked = false;

		for (size_t j = 0; j < volume->key_count; j++)
			unlocked |= !volume->keys[j].lock_to_state;
		if (unlocked && !volume_is_state(volume))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
						 used ? ", " : "", volume->name);
	}
	return !*list || add_note(plan,
				  "%s: a key is not locked to STATE, and opens the volume without "
				  "it; lockToState: true is recommended",
				  list);
}

/* The guide of Talos allows static keys of other volumes only if STATE is encrypted. */
static bool note_static(const struct config *declared, struct mortise_plan *plan)
{
	char list[200];

	if (state_is_encrypted(declared))
		return true;
	list_volumes(plan, CONFIG_KEY_STATIC, list, sizeof(list));
	return !*list ||
	       add_note(plan,
			"%s: a static passphrase is part of the configuration, which `mortise "
			"apply` "
			"stores in STATE, in clear text as long as STATE is not encrypted; anyone "
			"with access to the disk can read it then",
			list);
}

/* Without Secure Boot, another system can extend the PCRs to their current values. */
static bool note_tpm(struct mortise_plan *plan)
{
	struct mortise_error why;
	char list[200];

	list_volumes(plan, CONFIG_KEY_TPM, list, sizeof(list));
	if (!*list || keys_secureboot_check(EFIVARS, &why) != MORTISE_E_POLICY)
		return true;
	return add_note(
		plan,
		"%s: a tpm key protects the volume only with Secure Boot, which is disabled "
		"on this machine: another system booted here can unseal the key",
		list);
}

/* Named PCRs are taken exactly, as Talos does. */
static bool names_pcrs_without_15(const struct config_volume *volume)
{
	for (size_t i = 0; i < volume->key_count; i++)
		if (volume->keys[i].kind == CONFIG_KEY_TPM && volume->keys[i].tpm_pcrs_named &&
		    !(volume_key_pcrs(&volume->keys[i]) & VOLUME_PCR_15))
			return true;
	return false;
}

static bool note_pcr_15(struct mortise_plan *plan)
{
	char list[200] = "";
	size_t used = 0;

	for (size_t i = 0; i < plan->count && used < sizeof(list); i++)
		if (names_pcrs_without_15(plan->volumes[i]->volume))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
						 used ? ", " : "", plan->volumes[i]->volume->name);
	return !*list ||
	       add_note(plan,
			"%s: a tpm key is not bound to PCR 15, the identity of STATE: a program in "
			"a planted STATE can unseal it; add 15 to its PCRs",
			list);
}

/* None of the keys that open the volume is declared any more. */
static bool note_replaced(struct mortise_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->volumes[i]->keys_replaced &&
		    !add_note(
			    plan,
			    "%s: none of its previous keys is declared, but changing keys requires "
			    "one that opens the volume; rotate keys in two steps: first declare "
			    "the new key in addition to the old one",
			    plan->volumes[i]->volume->name))
			return false;
	return true;
}

/* Anyone who can read this file can unseal this machine's keys. */
static bool note_kms_key_file(struct mortise_plan *plan, const struct mortise_up_options *options)
{
	const char *path = volume_kms_key_file(options->sources);
	char list[200];
	struct stat st;

	list_volumes(plan, CONFIG_KEY_KMS, list, sizeof(list));
	if (!*list || !path || stat(path, &st) || !(st.st_mode & (S_IRGRP | S_IROTH)))
		return true;
	return add_note(plan, "other users can read %.200s (mode %04o); run `chmod go= %.200s`",
			path, st.st_mode & 07777u, path);
}

static bool has_plain_kms(const struct config_volume *volume)
{
	for (size_t i = 0; i < volume->key_count; i++)
		if (volume->keys[i].kind == CONFIG_KEY_KMS &&
		    volume_kms_is_plain(volume->keys[i].kms_endpoint))
			return true;
	return false;
}

/* Without TLS, nothing shows that the KMS is the right one, and its answer is a key. */
static bool note_plain_kms(const struct volume_run *run, struct mortise_plan *plan)
{
	bool ok = true;

	for (size_t i = 0; ok && i < plan->count; i++) {
		const struct config_volume *volume = plan->volumes[i]->volume;

		if (!has_plain_kms(volume))
			continue;
		ok = add_note(
			plan,
			"%s: its KMS is contacted without TLS; anyone on the network can read "
			"the key; use https://",
			volume->name);
		if (ok && volume_is_state(volume) && !run->trust->kms_insecure)
			ok = add_note(
				plan,
				"STATE: a boot that finds this KMS in META does not contact it "
				"unless kms.insecure is set in " CONFIG_TRUST_FILE
				" of the boot image");
	}
	return ok;
}

static bool note_meta(const struct volume_run *run, struct mortise_plan *plan)
{
	return !*run->meta_notice || add_note(plan, "META: %s", run->meta_notice);
}

/* The orders in META are executed before there is a plan. */
static bool note_reset(const struct volume_run *run, struct mortise_plan *plan)
{
	struct reset_orders orders = { .count = 0 };
	bool ok = true;

	reset_meta_show(run->options, &orders);
	for (size_t i = 0; ok && i < orders.count; i++)
		ok = add_note(plan,
			      "%s will be erased by the next `mortise up` that finds it closed, "
			      "together with STATE: " RESET_ORDERED,
			      orders.order[i].id);
	reset_orders_clear(&orders);
	return ok;
}

enum mortise_code volume_notes_make(const struct volume_run *run, struct mortise_plan *plan,
				    struct mortise_error *err)
{
	if (note_state(plan) && note_static(run->config, plan) && note_node_id(plan) &&
	    note_no_lock(run->config, plan) && note_meta(run, plan) && note_plain_kms(run, plan) &&
	    note_tpm(plan) && note_pcr_15(plan) && note_kms_key_file(plan, run->options) &&
	    note_replaced(plan) && note_reset(run, plan))
		return MORTISE_OK;
	return error_memory(err);
}
