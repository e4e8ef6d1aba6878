/* SPDX-License-Identifier: MIT */
/* Makes text from a KMS, libcurl or a configuration safe to show in an error message. */
#ifndef KEYS_KMS_TEXT_H
#define KEYS_KMS_TEXT_H

#include <mortise.h>

/*
 * Copies size bytes after mortise_escape(), shortened to fit into room, which includes the NUL and
 * is at least 1.
 */
void keys_kms_text(char *to, size_t room, const char *from, size_t size);

#endif
