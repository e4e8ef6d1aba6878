/* SPDX-License-Identifier: MIT */
/* Directories below a root: which symbolic links are followed, with openat2(2) and without it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rooted.h"

#define LINK " is a symbolic link of another file system or user"

static char top[32], root[64];

static void remove_tree(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	assert_int_equal(system(command), 0);
}

/* root is a symbolic link to a directory that holds a/b/c, and links to a directory outside. */
static int make_tree(void **state)
{
	(void)state;
	strcpy(top, "/tmp/rooted.XXXXXX");
	assert_non_null(mkdtemp(top));
	assert_int_equal(chdir(top), 0);
	assert_int_equal(mkdir("real", 0755) | mkdir("victim", 0755) | mkdir("victim/c", 0755), 0);
	assert_int_equal(mkdir("real/a", 0755) | mkdir("real/a/b", 0755), 0);
	assert_int_equal(mkdir("real/a/b/c", 0700), 0);
	assert_int_equal(symlink("real", "root"), 0);
	assert_int_equal(symlink("../../victim", "real/a/link"), 0);
	assert_int_equal(symlink("/proc/self/cwd", "real/a/magic"), 0);
	assert_int_equal(symlink("b", "real/a/inside"), 0);
	close(open("real/a/file", O_CREAT | O_WRONLY, 0600));
	snprintf(root, sizeof(root), "%s/root", top);
	return 0;
}

static int remove_it(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	remove_tree();
	return 0;
}

static const char *path_of(const char *below)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s%s", root, below);
	return path;
}

static void assert_is(int fd, const char *path)
{
	struct stat got, expected;

	assert_int_equal(fstat(fd, &got), 0);
	assert_int_equal(stat(path, &expected), 0);
	assert_int_equal(got.st_ino, expected.st_ino);
	close(fd);
}

static void test_open(void **state)
{
	static const char *const forms[] = { "/a/b/c", "//a/b//c/", "/a/./b/c" };
	struct mortise_error why;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(rooted_open(root, path_of(forms[i]), O_PATH, &fd, &why), 0);
		assert_is(fd, "real/a/b/c");
	}
	assert_int_equal(rooted_open(root, path_of(""), O_RDONLY, &fd, &why), 0);
	assert_is(fd, "real");
	assert_int_equal(rooted_open("root", "root/a/b", O_RDONLY, &fd, &why), 0);
	assert_is(fd, "real/a/b");
	assert_int_equal(rooted_open(NULL, "/usr/bin", O_PATH, &fd, &why), 0);
	assert_is(fd, "/usr/bin");
	assert_int_equal(rooted_open("/", "//usr/bin", O_PATH, &fd, &why), 0);
	assert_is(fd, "/usr/bin");
}

static void assert_refused(const char *below, int cause, const char *text, bool create)
{
	char expected[512];
	struct mortise_error why = { 0 };
	enum mortise_code code;
	int fd = 0;

	code = create ? rooted_make(root, path_of(below), &fd, &why)
		      : rooted_open(root, path_of(below), O_PATH, &fd, &why);
	assert_int_equal(code, MORTISE_E_DEVICE);
	assert_int_equal(fd, -1);
	assert_int_equal(why.sys_errno, cause);
	/* Texts may end in the cause, in the words of the C library. */
	snprintf(expected, sizeof(expected), text, root, strerror(cause));
	assert_string_equal(why.text, expected);
}

/* Links on the root's file system are followed, and lead to a place below the root. */
static void test_links(void **state)
{
	static const struct {
		const char *below, *leads_to;
	} links[] = {
		{ "/a/inside/c", "real/a/b/c" },
		{ "/a/inside", "real/a/b" },
		{ "/a/absolute/c", "real/a/b/c" },
		{ "/a/absolute//c/", "real/a/b/c" },
		{ "/a/chain/c", "real/a/b/c" },
		{ "/a/chain/up/b", "real/a/b" },
		{ "/a/top/a/b", "real/a/b" },
		/* As after chroot(2), nothing is above the root. */
		{ "/a/link/c", "real/victim/c" },
		{ "/a/high/a", "real/a" },
	};
	struct mortise_error why;
	int fd;

	(void)state;
	assert_int_equal(mkdir("real/victim", 0755) | mkdir("real/victim/c", 0755), 0);
	assert_int_equal(symlink("/a/b", "real/a/absolute"), 0);
	assert_int_equal(symlink("absolute/../inside/", "real/a/chain"), 0);
	assert_int_equal(symlink("..", "real/a/b/up"), 0);
	assert_int_equal(symlink("/", "real/a/top"), 0);
	assert_int_equal(symlink("../../../..", "real/a/high"), 0);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		assert_int_equal(rooted_open(root, path_of(links[i].below), O_PATH, &fd, &why), 0);
		assert_is(fd, links[i].leads_to);
		assert_int_equal(rooted_make(root, path_of(links[i].below), &fd, &why), 0);
		assert_is(fd, links[i].leads_to);
	}
	assert_int_equal(symlink("/far/away", "real/a/dangling"), 0);
	assert_int_equal(rooted_make(root, path_of("/a/dangling/new"), &fd, &why), 0);
	assert_is(fd, "real/far/away/new");
	assert_int_equal(symlink("loop", "real/a/loop"), 0);
	assert_refused("/a/loop/c", ELOOP, "%s/a/loop" LINK, false);
	/* ".." is for the target of a link alone. */
	assert_refused("/a/inside/../b", EXDEV, "cannot open directory %s/a/b/..: %s", false);
	assert_refused("/a/magic/x", ENOENT, "cannot open directory %s/proc: %s", false);
	assert_int_equal(access("victim/new", F_OK), -1);
}

/* A link in another file system than the root's may have been planted there. */
static void test_foreign_links(void **state)
{
	struct mortise_error why;
	int fd;

	(void)state;
	assert_int_equal(rooted_open(NULL, "/proc/self/fd", O_PATH, &fd, &why), MORTISE_E_DEVICE);
	assert_int_equal(why.sys_errno, ELOOP);
	assert_string_equal(why.text, "/proc/self" LINK);
	assert_int_equal(rooted_open("/proc", "/proc/self/fd", O_PATH, &fd, &why), 0);
	close(fd);
	if (geteuid())
		return;
	assert_int_equal(symlink("b", "real/a/user"), 0);
	assert_int_equal(lchown("real/a/user", 65534, 65534), 0);
	assert_refused("/a/user/c", ELOOP, "%s/a/user" LINK, false);
}

static void test_other_failures(void **state)
{
	char name[300], text[600];

	(void)state;
	assert_refused("/a/no/c", ENOENT,
		       "cannot open directory %s/a/no: No such file or directory", false);
	assert_refused("/a/file", ENOTDIR, "cannot open directory %s/a/file: Not a directory",
		       false);
	assert_refused("/a/file/c", ENOTDIR, "cannot create directory %s/a/file: Not a directory",
		       true);
	assert_refused("/a/../../victim", EXDEV, "cannot open directory %s/a/..: %s", false);
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "cannot create directory %%s%s: %%s", name);
	assert_refused(name, ENAMETOOLONG, text, true);
}

static void test_make(void **state)
{
	struct mortise_error why;
	mode_t mask = umask(022);
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(rooted_make(root, path_of("/a/new/d"), &fd, &why), 0);
	assert_is(fd, "real/a/new/d");
	assert_int_equal(stat("real/a/new", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(rooted_make(root, path_of("/a/new/d"), &fd, &why), 0);
	assert_is(fd, "real/a/new/d");
	/* A root that does not exist is created, but not the directories above it. */
	assert_int_equal(rooted_make("other", "other/var", &fd, &why), 0);
	assert_is(fd, "other/var");
	assert_int_equal(rooted_make("no/other", "no/other/var", &fd, &why), MORTISE_E_DEVICE);
	assert_int_equal(why.sys_errno, ENOENT);
	umask(mask);
}

static void test_link_of(void **state)
{
	char link[ROOTED_LINK_SIZE];
	struct mortise_error why;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(rooted_open(root, path_of("/a/b/c"), O_PATH, &fd, &why), 0);
	assert_true(rooted_link(fd, link));
	assert_int_equal(stat(link, &st), 0);
	assert_is(fd, "real/a/b/c");
	assert_false(rooted_link(fd, link));
}

/* From here on, openat2(2) does not exist, as before Linux 5.6. */
static int remove_openat2(void **state)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	(void)state;
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	assert_int_equal(syscall(SYS_openat2, -1, "", NULL, 0), -1);
	assert_int_equal(errno, ENOSYS);
	return 0;
}

#define tree_test(function) cmocka_unit_test_setup_teardown(function, make_tree, remove_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(test_open),	       tree_test(test_links),
		tree_test(test_foreign_links), tree_test(test_other_failures),
		tree_test(test_make),	       tree_test(test_link_of),
	};
	int failed = cmocka_run_group_tests_name("with openat2", tests, NULL, NULL);

	return failed + cmocka_run_group_tests_name("without openat2", tests, remove_openat2, NULL);
}
