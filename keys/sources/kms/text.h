/* SPDX-License-Identifier: MIT */
/* Makes text from a KMS, libcurl or a configuration safe to show in an error message. */
#ifndef KEYS_KMS_TEXT_H
#define KEYS_KMS_TEXT_H

#include <mortise.h>

/*
 * Copies size bytes, shortened to fit into room, but never in the middle of a character. Replaces
 * control characters, characters that change the direction of text, and invalid UTF-8 by '?',
 * since the message may be shown on a console. room includes the NUL and is at least 1.
 */
void keys_kms_text(char *to, size_t room, const char *from, size_t size);

#endif
