/* SPDX-License-Identifier: MIT */
/* PCRs extended in this boot: one number in a file under /run. */
#include "volume/extended_pcrs.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/run_dir.h"

#define FILE_NAME RUN_DIR "/closed-pcrs"

uint32_t volume_extended_pcrs(void)
{
	FILE *file = fopen(FILE_NAME, "re");
	uint32_t pcrs = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNx32, &pcrs) != 1)
		pcrs = 0;
	fclose(file);
	return pcrs;
}

enum mortise_code volume_extended_pcr_store(unsigned pcr, bool closed, struct mortise_error *err)
{
	uint32_t pcrs = volume_extended_pcrs();
	char text[16];

	pcrs = closed ? pcrs | UINT32_C(1) << pcr : pcrs & ~(UINT32_C(1) << pcr);
	snprintf(text, sizeof(text), "%" PRIx32 "\n", pcrs);
	return run_dir_store(FILE_NAME, text, err);
}
