/* SPDX-License-Identifier: MIT */
#include "base/rooted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_openat2
#include <linux/openat2.h>
#endif

#include "base/error.h"

struct walk {
	const char *path; /* below the root, without a slash at its start */
	int flags;
	bool create;
	/* The component that failed ends here. */
	const char *end;
};

/* One system call, since Linux 5.6. */
static int open_at_once(int root, const struct walk *walk)
{
#ifdef SYS_openat2
	const struct open_how how = {
		.flags = (unsigned)walk->flags | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH,
	};

	return (int)syscall(SYS_openat2, root, walk->path, &how, sizeof(how));
#else
	(void)root;
	(void)walk;
	errno = ENOSYS;
	return -1;
#endif
}

static int open_component(int dir, const char *name, const struct walk *walk)
{
	const int flags = *walk->end ? O_PATH : walk->flags;
	struct stat st;
	int fd;

	if (walk->create && mkdirat(dir, name, 0755) && errno != EEXIST)
		return -1;
	fd = openat(dir, name, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* With O_DIRECTORY, the kernel reports a symbolic link as ENOTDIR. */
	if (fd < 0 && errno == ENOTDIR && !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
	return fd;
}

static int open_each(int root, struct walk *walk)
{
	int dir = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];

	for (const char *at = walk->path; dir >= 0 && *at;
	     at = walk->end + strspn(walk->end, "/")) {
		const size_t length = strcspn(at, "/");
		int next, sys;

		walk->end = at + length;
		snprintf(name, sizeof(name), "%.*s", (int)length, at);
		errno = length > NAME_MAX ? ENAMETOOLONG : EXDEV;
		next = length > NAME_MAX || !strcmp(name, "..") ? -1
								: open_component(dir, name, walk);
		sys = errno;
		close(dir);
		errno = sys;
		dir = next;
	}
	return dir;
}

static enum mortise_code set_error(const struct walk *walk, const char *path,
				   struct mortise_error *why)
{
	const int sys = errno, length = (int)(walk->end - path);

	if (sys == ELOOP)
		error_set(why, MORTISE_E_DEVICE, 0, "%.*s is a symbolic link", length, path);
	else
		error_set(why, MORTISE_E_DEVICE, sys, "cannot %s directory %.*s",
			  walk->create ? "create" : "open", length, path);
	why->sys_errno = sys;
	return why->code;
}

static enum mortise_code open_below(const char *root, const char *path, struct walk *walk, int *fd,
				    struct mortise_error *why)
{
	const size_t length = root ? strlen(root) : 0;
	int root_fd;

	*fd = -1;
	walk->path = path + length;
	walk->path += strspn(walk->path, "/");
	walk->end = walk->path;
	if (walk->create && length)
		(void)mkdir(root, 0755); /* on failure, open() sets the cause */
	root_fd = open(length ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return set_error(walk, path, why);
	*fd = open_at_once(root_fd, walk);
	/* On failure, this finds the component to name, and creates directories. */
	if (*fd < 0)
		*fd = open_each(root_fd, walk);
	if (*fd < 0)
		set_error(walk, path, why);
	close(root_fd);
	return *fd < 0 ? why->code : MORTISE_OK;
}

enum mortise_code rooted_open(const char *root, const char *path, int flags, int *fd,
			      struct mortise_error *why)
{
	struct walk walk = { .flags = flags };

	return open_below(root, path, &walk, fd, why);
}

enum mortise_code rooted_make(const char *root, const char *path, int *fd,
			      struct mortise_error *why)
{
	struct walk walk = { .flags = O_PATH, .create = true };

	return open_below(root, path, &walk, fd, why);
}

bool rooted_link(int fd, char link[static ROOTED_LINK_SIZE])
{
	snprintf(link, ROOTED_LINK_SIZE, "/proc/self/fd/%d", fd);
	return !access(link, F_OK);
}
