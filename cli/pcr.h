/* SPDX-License-Identifier: MIT */
/* PCR numbers on the command line. */
#ifndef CLI_PCR_H
#define CLI_PCR_H

#include <stdbool.h>
#include <stdint.h>

#include <mortise.h>

#define PCR_WORD_MAX 64u /* characters of the word for --extend-pcr */

/* "0,7": bit n of *pcrs is PCR n. "" and "none" give 0. */
bool pcr_list(const char *text, uint32_t *pcrs);

/* "11:word"; *word points into text and has 1 to PCR_WORD_MAX printable ASCII characters. */
bool pcr_extension(const char *text, unsigned *pcr, const char **word);

#endif
