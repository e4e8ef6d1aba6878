/* SPDX-License-Identifier: MIT */
/* PCR 15 in this boot: one line in a file under /run. */
#include "volume/measured.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/run_dir.h"

#define FILE_NAME RUN_DIR "/pcr-15"
#define NOTHING	  "-"

static const uint8_t zeros[KEYS_TPM_DIGEST_SIZE];

/* Of this process, where the file cannot be written. */
static struct volume_measured unwritten;

void volume_measured_read(struct volume_measured *measured)
{
	char digest[2 * KEYS_TPM_DIGEST_SIZE + 1], uuid[MORTISE_UUID_LEN + 1];
	FILE *file = fopen(FILE_NAME, "re");
	unsigned extended, foreign;

	*measured = unwritten;
	if (!file)
		return;
	*measured = (struct volume_measured){ .extended = false };
	if (fscanf(file, "%1u %1u %64s %36s", &extended, &foreign, digest, uuid) == 4) {
		measured->extended = extended;
		measured->foreign = foreign;
		measured->state_known = hex_decode(digest, measured->state, KEYS_TPM_DIGEST_SIZE);
		if (strcmp(uuid, NOTHING))
			memcpy(measured->state_uuid, uuid, sizeof(uuid));
	}
	fclose(file);
}

enum mortise_code volume_measured_store(const struct volume_measured *measured,
					struct mortise_error *err)
{
	char digest[2 * KEYS_TPM_DIGEST_SIZE + 1] = NOTHING;
	char text[sizeof(digest) + MORTISE_UUID_LEN + 8];
	struct mortise_error why;
	enum mortise_code code;

	for (size_t i = 0; measured->state_known && i < KEYS_TPM_DIGEST_SIZE; i++)
		snprintf(digest + 2 * i, 3, "%02x", measured->state[i]);
	snprintf(text, sizeof(text), "%d %d %s %s\n", measured->extended, measured->foreign, digest,
		 *measured->state_uuid ? measured->state_uuid : NOTHING);
	code = run_dir_store(FILE_NAME, text, &why);
	if (code && why.sys_errno != EROFS && why.sys_errno != ENOENT)
		return error_set(err, code, 0, "%s", why.text);
	if (!code)
		return MORTISE_OK;
	/* A later process finds the value in the PCR itself. */
	unwritten = *measured;
	return MORTISE_OK;
}

enum mortise_code volume_measured_predict(const struct volume_measured *measured, bool of_state,
					  uint8_t value[static KEYS_TPM_DIGEST_SIZE],
					  struct mortise_error *err)
{
	if (of_state) {
		memcpy(value, zeros, sizeof(zeros));
		return MORTISE_OK;
	}
	return keys_tpm_extended(zeros, measured->state, value, err);
}

/* When, and by which program, PCR 15 got another value than zero. */
static const char *describe_extension(const struct volume_measured *measured)
{
	if (measured->foreign || !measured->extended)
		return "before mortise opened STATE, by another program or before a kexec";
	if (!measured->state_known)
		return "in this boot while mortise had not opened STATE, because another volume "
		       "was opened, or another program opened STATE";
	if (!*measured->state_uuid)
		return "in this boot for a machine without an encrypted STATE";
	return "in this boot when STATE was opened";
}

enum mortise_code volume_measured_explain(const struct keys_tpm_object *object,
					  struct mortise_error *err)
{
	const uint8_t *sealed = object->pcr_values[KEYS_TPM_IDENTITY_PCR];
	uint8_t expected[KEYS_TPM_DIGEST_SIZE];
	struct volume_measured measured;

	volume_measured_read(&measured);
	if (!memcmp(sealed, zeros, sizeof(zeros)))
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "PCR 15 was extended %s; a key of STATE can be unsealed only "
				 "before that%s",
				 describe_extension(&measured),
				 measured.foreign || !measured.extended
					 ? "; restart the machine, or bind the key to other PCRs"
				 : *measured.state_uuid ? ""
							: "; restart the machine");
	if (!measured.extended)
		return error_set(err, MORTISE_E_WAIT, 0,
				 "bound to PCR 15, which `mortise up` has not extended yet");
	if (!measured.state_known)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "PCR 15 was extended in this boot without STATE; restart the "
				 "machine");
	if (volume_measured_predict(&measured, false, expected, err))
		return MORTISE_E_MEMORY;
	if (memcmp(sealed, expected, sizeof(expected)))
		return error_set(err, MORTISE_E_STALE, 0,
				 "PCR 15 has changed since it was sealed: this is not the STATE "
				 "that the key belongs to");
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "PCR 15 has another value than the identity of STATE gives it: another "
			 "program has extended it, or STATE was not open before; restart the "
			 "machine");
}
