/* SPDX-License-Identifier: MIT */
/* What the boot image trusts (config/trust.h): loading it, and the questions that a run has. */
#ifndef VOLUME_TRUST_H
#define VOLUME_TRUST_H

#include "config/trust.h"

/*
 * Reads the trust file at path and the kernel command line; *out has the stricter of both. NULL
 * means CONFIG_TRUST_FILE, which need not exist. Never falls back to the defaults: MORTISE_E_DEVICE
 * or MORTISE_E_CONFIG if the file cannot be read or is invalid, MORTISE_E_POLICY if a user other
 * than root can write it.
 */
MORTISE_MUST_CHECK enum mortise_code volume_trust_load(const char *path, struct config_trust **out,
						       struct mortise_error *err);

/*
 * Checks that the configuration of STATE asks for no less than trust; from_meta: it is META's.
 * MORTISE_E_POLICY: it does not, and STATE must not be opened or mounted.
 */
MORTISE_MUST_CHECK enum mortise_code volume_trust_check_state(const struct config_trust *trust,
							      const struct config_volume *state,
							      bool from_meta,
							      struct mortise_error *err);

/*
 * Checks that this KMS may be contacted; from_meta: META names it. Call it before anything is sent.
 * MORTISE_E_POLICY: it may not. MORTISE_E_USAGE: the endpoint is invalid.
 */
MORTISE_MUST_CHECK enum mortise_code volume_trust_check_kms(const struct config_trust *trust,
							    const char *endpoint, bool from_meta,
							    struct mortise_error *err);

/* Is it a valid endpoint without TLS? */
bool volume_kms_is_plain(const char *endpoint);

#endif
