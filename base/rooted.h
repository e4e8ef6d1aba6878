/* SPDX-License-Identifier: MIT */
/*
 * Directories below a root that the operator chose. The root itself may be reached through symbolic
 * links. Below it, links of root or the caller on the root's own file system are followed, and lead
 * to a place below the root, as after chroot(2). Others are refused: a file system mounted there may
 * hold one that leads elsewhere.
 */
#ifndef BASE_ROOTED_H
#define BASE_ROOTED_H

#include <mortise.h>

#define ROOTED_LINK_SIZE 32u /* for rooted_link(), including the NUL */

/*
 * Opens the directory path, which begins with root, with O_PATH or O_RDONLY; root may be NULL. If
 * this fails, *fd is -1, the text of why names the component, and its sys_errno is the cause: ELOOP
 * for a symbolic link that is not followed.
 */
MORTISE_MUST_CHECK enum mortise_code rooted_open(const char *root, const char *path, int flags,
						 int *fd, struct mortise_error *why);

/* The same with O_PATH. Creates missing directories with mode 0755, but of root only the last one. */
MORTISE_MUST_CHECK enum mortise_code rooted_make(const char *root, const char *path, int *fd,
						 struct mortise_error *why);

/* Writes a path that the kernel resolves to the open directory. False if /proc is not mounted. */
bool rooted_link(int fd, char link[static ROOTED_LINK_SIZE]);

#endif
