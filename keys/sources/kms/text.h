/* SPDX-License-Identifier: MIT */
/* Words of others (a KMS, libcurl, a configuration) made fit for a sentence of ours. */
#ifndef KEYS_KMS_TEXT_H
#define KEYS_KMS_TEXT_H

#include <mortise.h>

/*
 * Copies size bytes, cut off where room ends, never inside a character. Control characters,
 * those that turn the direction of text, and what is not UTF-8 become '?': the sentence may
 * end up on a console. room counts the NUL and is at least 1.
 */
void keys_kms_text(char *to, size_t room, const char *from, size_t size);

#endif
