/* SPDX-License-Identifier: MIT */
/* PCRs extended in this boot: one number in a file under /run. */
#include "volume/extended_pcrs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
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
	enum mortise_code code;
	bool written;
	FILE *file;

	pcrs = closed ? pcrs | UINT32_C(1) << pcr : pcrs & ~(UINT32_C(1) << pcr);
	code = run_dir_make(err);
	if (code)
		return code;
	file = fopen(FILE_NAME ".new", "we");
	if (!file)
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot write " FILE_NAME);
	written = fprintf(file, "%" PRIx32 "\n", pcrs) > 0;
	written &= !fclose(file);
	if (!written || rename(FILE_NAME ".new", FILE_NAME))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot write " FILE_NAME);
	return MORTISE_OK;
}
