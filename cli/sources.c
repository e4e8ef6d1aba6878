/* SPDX-License-Identifier: MIT */
/* Fills struct mortise_key_sources from options and environment. */
#include <mortise-declared.h>

#include <stdlib.h>

#include "cli/sources.h"
#include "cli/signals.h"

void sources_fill(const struct command *c, struct mortise_key_sources *sources)
{
	const char *tcti = option_text(&c->options, OPTION_TCTI);

	if (!tcti)
		tcti = secure_getenv("MORTISE_TCTI");
	/* tpm2-tss writes to standard error as it goes; the library's sentence says it in one. */
	if (!option_set(&c->options, OPTION_DEBUG))
		setenv("TSS2_LOG", "all+none", 0);
	*sources = (struct mortise_key_sources){
		.struct_size = sizeof(struct mortise_key_sources),
		.events = &signals_events,
		.node_uuid = option_text(&c->options, OPTION_NODE_UUID),
		.kms_endpoint = option_text(&c->options, OPTION_KMS),
		.kms_ca = option_text(&c->options, OPTION_KMS_CA),
		.kms_cert = option_text(&c->options, OPTION_KMS_CERT),
		.kms_key = option_text(&c->options, OPTION_KMS_KEY),
		.tcti = tcti && tcti[0] != '\0' ? tcti : NULL,
		.tpm_policy = option_text(&c->options, OPTION_TPM_POLICY),
	};
}
