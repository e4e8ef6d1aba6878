/* SPDX-License-Identifier: MIT */
/* Reading small files whole. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <mortise.h>

#include <sys/types.h>

/*
 * Reads from fd to its end into bytes[0..room-1]. Returns the number of bytes, which is room when
 * the file is at least that large, or -1 with errno set. Restarts after EINTR.
 */
ssize_t file_read_fd(int fd, void *bytes, size_t room);

/*
 * The same for the file at path, as text: at most room - 1 bytes, followed by a NUL. text is ""
 * after a failure. For files of sysfs and procfs.
 */
ssize_t file_read_text(const char *path, char *text, size_t room);

/*
 * Reads a file of at most max bytes from fd into a new secret. MORTISE_E_USAGE: it is larger.
 * MORTISE_E_DEVICE: it cannot be read. name is the path for the error.
 */
MORTISE_MUST_CHECK enum mortise_code file_read_secret(int fd, const char *name, size_t max,
						      struct mortise_secret **out,
						      struct mortise_error *err);

/*
 * Checks that no user but root and the caller's can write the regular file open as fd. name is the
 * path for the error. MORTISE_E_POLICY: another user can; the error says how to change that.
 */
MORTISE_MUST_CHECK enum mortise_code file_check_writers(int fd, const char *name,
							struct mortise_error *err);

#endif
