/* SPDX-License-Identifier: MIT */
/*
 * The kernel does not give a volume key back, so that the key of an open mapping cannot be compared
 * with the header. It need not be: only root can create a mapping. What an attacker can change is on
 * the disk, while the machine is off. The mapping is of this boot, its name, UUID and device are
 * those of the volume, and the header is, byte for byte, the one whose seal a run of this boot has
 * verified with the volume key. Any difference leads to a derivation.
 */
#include "declared/verified.h"

#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/secret.h"
#include "config/salt.h"
#include "declared/handover.h"
#include "declared/measure.h"
#include "declared/plan_reencrypt.h"
#include "declared/trust.h"
#include "keys/hash.h"
#include "luks2/canonical.h"

#define DESCRIPTION "mortise:verified:"

/* The payload of the key. The digest covers passphrases, and key is what keeps it from a guess. */
struct verified {
	uint8_t key[32];
	uint8_t digest[32];
};

static void describe(const struct volume_plan *plan,
		     char description[static sizeof(DESCRIPTION) + MORTISE_NAME_MAX])
{
	snprintf(description, sizeof(DESCRIPTION) + MORTISE_NAME_MAX, DESCRIPTION "%s",
		 plan->mapping);
}

static bool read_kept(const struct volume_plan *plan, struct verified *kept)
{
	char description[sizeof(DESCRIPTION) + MORTISE_NAME_MAX];
	long id, got;

	describe(plan, description);
	id = volume_kept_find(description);
	if (id < 0)
		return false;
	got = syscall(SYS_keyctl, KEYCTL_READ, id, kept, sizeof(*kept));
	volume_kept_release(id);
	return got == (long)sizeof(*kept);
}

/* digest = HMAC(key, digest and the parts): each call covers all earlier ones. */
static bool add(struct verified *kept, const struct keys_bytes *part)
{
	const struct keys_bytes key = { kept->key, sizeof(kept->key) };
	const struct keys_bytes parts[] = {
		{ kept->digest, sizeof(kept->digest) },
		part[0],
		part[1],
	};

	return !keys_hmac_sha256(key, parts, 3, kept->digest, NULL);
}

static bool add_text(struct verified *kept, const char *text)
{
	return add(kept, (struct keys_bytes[]){ { text, strlen(text) + 1 }, { "", 0 } });
}

static bool add_header(struct verified *kept, const struct volume_plan *plan)
{
	const uint64_t seqid = luks2_header_binary(plan->header)->seqid;
	char *text = NULL;
	bool added;

	if (luks2_canonical(luks2_header_metadata(plan->header), NULL, &text, NULL))
		return false;
	added = add_text(kept, text) && add_text(kept, luks2_header_uuid(plan->header)) &&
		add(kept, (struct keys_bytes[]){ { &seqid, sizeof(seqid) }, { "", 0 } });
	free(text);
	return added;
}

/* Facts outside the declaration that decide about a keyslot: UUIDs, salt, predicted PCR. */
static bool add_circumstances(struct verified *kept, const struct volume_run *run,
			      const struct volume_plan *plan, const struct config_key *key)
{
	char uuid[VOLUME_NODE_UUID_ROOM];
	uint8_t value[32] = { 0 }, salt[CONFIG_SALT_SIZE] = { 0 };
	struct mortise_error why;
	bool added = true;

	if (volume_key_needs_node_uuid(key)) {
		if (volume_node_uuid(&run->sources, uuid, &why))
			uuid[0] = '\0';
		added = add_text(kept, uuid) &&
			add_text(kept, run->meta_uuid ? run->meta_uuid : "");
	}
	if (key->kind == CONFIG_KEY_KMS)
		added = added && !volume_trust_check_kms(run->trust, key->kms_endpoint,
							 run->open_only, &why);
	if (key->kind == CONFIG_KEY_TPM &&
	    !volume_measure_check(run, plan->volume, volume_key_pcrs(key), &why))
		added = added && !volume_measure_predict(plan->volume, value, &why);
	if (key->lock_to_state)
		added = added && !volume_state_salt(run, salt, &why);
	added = added && add(kept, (struct keys_bytes[]){ { value, sizeof(value) },
							  { salt, sizeof(salt) } });
	secret_wipe(salt, sizeof(salt));
	return added;
}

static bool add_key(struct verified *kept, const struct volume_run *run,
		    const struct volume_plan *plan, const struct config_key *key)
{
	const uint32_t facts[] = { key->slot, key->kind, key->lock_to_state, volume_key_pcrs(key),
				   key->tpm_check_secureboot };
	struct keys_bytes passphrase = { "", 0 };

	if (key->passphrase)
		passphrase = (struct keys_bytes){ mortise_secret_data(key->passphrase),
						  mortise_secret_size(key->passphrase) };
	return add(kept, (struct keys_bytes[]){ { facts, sizeof(facts) }, passphrase }) &&
	       add_text(kept, key->kms_endpoint ? key->kms_endpoint : "") &&
	       add_circumstances(kept, run, plan, key);
}

/* Computes the digest under kept->key. */
static bool compute(struct verified *kept, const struct volume_run *run,
		    const struct volume_plan *plan)
{
	bool added;

	memset(kept->digest, 0, sizeof(kept->digest));
	added = add_header(kept, plan) &&
		add(kept, (struct keys_bytes[]){ { &plan->volume->recovery_slots,
						   sizeof(plan->volume->recovery_slots) },
						 { "", 0 } });
	for (size_t i = 0; added && i < plan->volume->key_count; i++)
		added = add_key(kept, run, plan, &plan->volume->keys[i]);
	return added;
}

bool volume_verified(struct volume_run *run, const struct volume_plan *plan)
{
	struct known_volume known = { .status = KNOWN_READY };
	struct verified kept, now;
	bool equal = false;

	/* An operator's run compares everything. To resize a mapping, its key is needed. */
	if (!plan->active || run->unlock || run->options->check_keys || run->options->adopt ||
	    run->options->try_keys || run->options->new_recovery_keys || run->options->grow ||
	    volume_measure_needs_key(plan) ||
	    volume_record_mkfs(luks2_header_metadata(plan->header)) || plan->converts ||
	    volume_in_reencryption(plan) || volume_rotation_is_wanted(run, plan))
		return false;
	if (run->known.state == KNOWN_LISTED &&
	    (!known_find(&run->known.list, plan->volume->id, &known) ||
	     known.status != KNOWN_READY))
		return false;
	if (read_kept(plan, &kept)) {
		now = kept;
		equal = compute(&now, run, plan) &&
			secret_equal(now.digest, kept.digest, sizeof(now.digest));
	}
	secret_wipe(&kept, sizeof(kept));
	secret_wipe(&now, sizeof(now));
	return equal;
}

void volume_verified_keep(const struct volume_run *run, const struct volume_plan *plan,
			  const struct volume_result *result)
{
	char description[sizeof(DESCRIPTION) + MORTISE_NAME_MAX];
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	struct mortise_error ignored;
	struct verified kept = { .digest = { 0 } };

	if (!plan->volume->encrypted || !volume_plan_key(plan) || run->open_only ||
	    result->phase != MORTISE_PHASE_READY || result->opening.failed_syncs ||
	    plan->unlisted || plan->recovered || !plan->proven || plan->lacks_salt ||
	    mortise_seal_check(plan->header, &seal, &ignored) || seal.state != MORTISE_SEAL_VALID)
		return;
	describe(plan, description);
	if (!random_bytes(kept.key, sizeof(kept.key), &ignored) && compute(&kept, run, plan))
		(void)syscall(SYS_add_key, "user", description, &kept, sizeof(kept),
			      KEY_SPEC_USER_KEYRING);
	secret_wipe(&kept, sizeof(kept));
}
