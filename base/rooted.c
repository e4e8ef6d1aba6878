/* SPDX-License-Identifier: MIT */
#include "base/rooted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_openat2
#include <linux/openat2.h>
#endif

#include "base/error.h"

#define LINKS_MAX 40u /* as in the kernel */

struct walk {
	const char *root;    /* may be NULL */
	char path[PATH_MAX]; /* below the root; a link that is followed is replaced by its target */
	int flags;
	bool create;
	size_t end; /* of the component that failed */
	/* ".." is allowed as long as more than this is left of path: in the target of a link. */
	size_t tail;
	unsigned links; /* followed so far */
	dev_t device;	/* of the root */
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

/* Opens the directory above dir, or the root itself. */
static int open_parent(int root, int dir, const struct walk *walk)
{
	struct stat top, here;

	if (fstat(root, &top) || fstat(dir, &here))
		return -1;
	return openat(dir, top.st_dev == here.st_dev && top.st_ino == here.st_ino ? "." : "..",
		      (walk->path[walk->end] ? O_PATH : walk->flags) | O_DIRECTORY | O_CLOEXEC);
}

static int open_component(int dir, const char *name, const struct walk *walk)
{
	const int flags = walk->path[walk->end] ? O_PATH : walk->flags;
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

/* Reads a link that may be followed. False: it may not. */
static bool read_link(int dir, const char *name, const struct walk *walk,
		      char target[static PATH_MAX])
{
	ssize_t length = -1;
	struct stat above, st;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	/* overlayfs may show another device for a link, but not for the directory that holds it. */
	if (fd >= 0 && !fstat(dir, &above) && !fstat(fd, &st) && above.st_dev == walk->device &&
	    (st.st_uid == 0 || st.st_uid == geteuid()))
		length = readlinkat(fd, "", target, PATH_MAX);
	if (fd >= 0)
		close(fd);
	if (length <= 0 || length >= PATH_MAX)
		return false;
	target[length] = '\0';
	return true;
}

/*
 * Replaces the link at *at by its target, which starts at the root if it is absolute. False: the
 * link may not be followed.
 */
static bool follow(int dir, const char *name, struct walk *walk, size_t *at)
{
	char target[PATH_MAX], rest[PATH_MAX];
	int length;

	if (walk->links++ >= LINKS_MAX || !read_link(dir, name, walk, target))
		return false;
	snprintf(rest, sizeof(rest), "%s", walk->path + walk->end);
	if (strlen(rest) < walk->tail)
		walk->tail = strlen(rest);
	if (*target == '/')
		*at = 0;
	length = snprintf(walk->path + *at, sizeof(walk->path) - *at, "%s%s",
			  target + strspn(target, "/"), rest);
	return *at + (size_t)length < sizeof(walk->path);
}

static int open_each(int root, struct walk *walk)
{
	int dir = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];
	size_t at = 0;

	while (dir >= 0 && walk->path[at += strspn(walk->path + at, "/")]) {
		const size_t length = strcspn(walk->path + at, "/");
		int next = -1, sys = ENAMETOOLONG;

		walk->end = at + length;
		snprintf(name, sizeof(name), "%.*s", (int)length, walk->path + at);
		if (length <= NAME_MAX && strcmp(name, "..") != 0) {
			next = open_component(dir, name, walk);
			sys = errno;
		} else if (length <= NAME_MAX) {
			errno = EXDEV;
			if (strlen(walk->path + at) > walk->tail)
				next = open_parent(root, dir, walk);
			sys = errno;
		}
		if (next < 0 && sys == ELOOP && follow(dir, name, walk, &at))
			next = openat(at ? dir : root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		else
			at = walk->end;
		close(dir);
		errno = sys;
		dir = next;
	}
	return dir;
}

static enum mortise_code set_error(const struct walk *walk, struct mortise_error *why)
{
	const char *root = walk->root ? walk->root : "";
	const int sys = errno, length = (int)walk->end;
	const char *slash = !length || (*root && root[strlen(root) - 1] == '/') ? "" : "/";

	if (sys == ELOOP)
		error_set(why, MORTISE_E_DEVICE, 0,
			  "%.250s%s%.*s is a symbolic link of another file system or user", root,
			  slash, length, walk->path);
	else
		error_set(why, MORTISE_E_DEVICE, sys, "cannot %s directory %.250s%s%.*s",
			  walk->create ? "create" : "open", *root || length ? root : "/", slash,
			  length, walk->path);
	why->sys_errno = sys;
	return why->code;
}

static enum mortise_code open_below(const char *path, struct walk *walk, int *fd,
				    struct mortise_error *why)
{
	const size_t length = walk->root ? strlen(walk->root) : 0;
	struct stat st;
	int root_fd;

	*fd = -1;
	walk->tail = SIZE_MAX;
	path += length;
	path += strspn(path, "/");
	if (strlen(path) >= sizeof(walk->path)) {
		errno = ENAMETOOLONG;
		return set_error(walk, why);
	}
	snprintf(walk->path, sizeof(walk->path), "%s", path);
	if (walk->create && length)
		(void)mkdir(walk->root, 0755); /* on failure, open() sets the cause */
	root_fd = open(length ? walk->root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0 || fstat(root_fd, &st))
		return set_error(walk, why);
	walk->device = st.st_dev;
	*fd = open_at_once(root_fd, walk);
	/* On failure, this follows links, finds the component to name, and creates directories. */
	if (*fd < 0)
		*fd = open_each(root_fd, walk);
	if (*fd < 0)
		set_error(walk, why);
	close(root_fd);
	return *fd < 0 ? why->code : MORTISE_OK;
}

enum mortise_code rooted_open(const char *root, const char *path, int flags, int *fd,
			      struct mortise_error *why)
{
	struct walk walk = { .root = root, .flags = flags };

	return open_below(path, &walk, fd, why);
}

enum mortise_code rooted_make(const char *root, const char *path, int *fd,
			      struct mortise_error *why)
{
	struct walk walk = { .root = root, .flags = O_PATH, .create = true };

	return open_below(path, &walk, fd, why);
}

bool rooted_link(int fd, char link[static ROOTED_LINK_SIZE])
{
	snprintf(link, ROOTED_LINK_SIZE, "/proc/self/fd/%d", fd);
	return !access(link, F_OK);
}
