/* SPDX-License-Identifier: MIT */
#include "disk/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/spawn.h"
#include "luks2/device.h"

#define KIB		 (UINT64_C(1) << 10)
#define MIB		 (UINT64_C(1) << 20)
#define XFS_SUPPORTED	 (300 * MIB) /* below, mkfs.xfs 5.19 and later requires --unsupported */
#define SWAP_PAGES	 10	     /* mkswap(8) refuses less */
#define FILESYSTEMS	 "/proc/filesystems"
#define OUTPUT_ROOM	 512

/* For a module that is being loaded: 10 s in all. */
#define LOADING_PAUSE_NS 20000000
#define LOADING_TRIES	 500u

/* Offsets in the superblocks: fs/xfs/libxfs/xfs_format.h, fs/ext4/ext4.h, fs/btrfs/ctree.h. */
enum {
	XFS_INPROGRESS = 126, /* sb_inprogress: mkfs.xfs has not finished */
	EXT_SUPERBLOCK = 1024,
	EXT_MOUNT_TIME = EXT_SUPERBLOCK + 0x2c, /* s_mtime: 0 until first mounted */
	EXT_MAGIC = EXT_SUPERBLOCK + 0x38,
	BTRFS_MAGIC = 0x10040, /* mkfs.btrfs writes it last */
	SUPERBLOCKS = 0x11000,
};

static const struct filesystem {
	const char *type;
	const char *program;
	/*
	 * Measured with xfsprogs 6.1, e2fsprogs 1.47 and btrfs-progs 6.2. ext4 needs the most with
	 * sectors of 4096 bytes.
	 */
	uint64_t least;
	size_t label_room;
	size_t magic_offset;
	const char *magic;
	char force[3];
} filesystems[] = {
	{ "xfs", "mkfs.xfs", 16 * MIB, 12, 0, "XFSB", "-f" },
	{ "ext4", "mkfs.ext4", 256 * KIB, 16, EXT_MAGIC, "\x53\xef", "-F" },
	{ "btrfs", "mkfs.btrfs", 109 * MIB, 255, BTRFS_MAGIC, "_BHRfS_M", "-f" },
};

#define FILESYSTEM_COUNT (sizeof(filesystems) / sizeof(*filesystems))

/* NULL: "swap" */
static const struct filesystem *find_type(const char *type)
{
	for (size_t i = 0; i < FILESYSTEM_COUNT; i++)
		if (!strcmp(type, filesystems[i].type))
			return &filesystems[i];
	return NULL;
}

uint64_t disk_filesystem_least(const char *type)
{
	const struct filesystem *found = find_type(type);

	return found ? found->least : SWAP_PAGES * (uint64_t)sysconf(_SC_PAGESIZE);
}

enum mortise_code disk_filesystem_check_mkfs(const char *type, struct mortise_error *err)
{
	const struct filesystem *found = find_type(type);
	const char *program = found ? found->program : "mkswap";

	if (spawn_finds(program))
		return MORTISE_OK;
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "%s is not installed, or not in a directory of PATH", program);
}

/* Does a line of /proc/filesystems, whose last word is the type, name it? */
static bool is_registered(const char *type)
{
	FILE *file = fopen(FILESYSTEMS, "re");
	char line[128], *word;
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		word = strrchr(line, '\t');
		found = word && !strcmp(word + 1, type);
	}
	if (file)
		fclose(file);
	return found;
}

#ifdef SYS_fsopen
/* A line of /proc/modules: NAME SIZE USES USERS STATE ADDRESS */
static bool is_loading(void)
{
	FILE *file = fopen("/proc/modules", "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (file && !found && getline(&line, &size, file) > 0)
		found = strstr(line, " Loading ") != NULL;
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* Loads the module, as mount(2) would. */
static bool can_open(const char *type)
{
	const int fd = (int)syscall(SYS_fsopen, type, 1u /* FSOPEN_CLOEXEC */);
	const bool can = fd >= 0 || errno != ENODEV;

	if (fd >= 0)
		close(fd);
	return can;
}

/*
 * While another thread or process loads the module, the modprobe of busybox does not wait for it,
 * and the kernel does not know the type yet.
 */
static bool can_load(const char *type)
{
	const struct timespec pause = { .tv_nsec = LOADING_PAUSE_NS };
	bool loading = true, can = can_open(type);

	for (unsigned i = 0; !can && loading && i < LOADING_TRIES; i++) {
		loading = is_loading();
		if (loading)
			(void)nanosleep(&pause, NULL);
		can = can_open(type);
	}
	return can;
}
#endif

enum mortise_code disk_filesystem_check_kernel(const char *type, struct mortise_error *err)
{
	if (is_registered(type))
		return MORTISE_OK;
#ifdef SYS_fsopen
	if (!can_load(type))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "this kernel cannot mount %s, and has no module for it", type);
#endif
	return MORTISE_OK;
}

static enum mortise_code read_superblocks(const char *device, uint8_t *bytes,
					  struct mortise_error *err)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : pread(fd, bytes, SUPERBLOCKS, 0);
	const int sys = errno;

	if (fd >= 0)
		close(fd);
	return size < 0 ? error_set(err, MORTISE_E_DEVICE, sys, "cannot read %s", device)
			: MORTISE_OK;
}

static const struct filesystem *find_superblock(const uint8_t *bytes)
{
	for (size_t i = 0; i < FILESYSTEM_COUNT; i++)
		if (!memcmp(bytes + filesystems[i].magic_offset, filesystems[i].magic,
			    strlen(filesystems[i].magic)))
			return &filesystems[i];
	return NULL;
}

enum mortise_code disk_filesystem_find(const char *device, const char **type,
				       struct mortise_error *err)
{
	uint8_t *bytes = calloc(1, SUPERBLOCKS);
	const struct filesystem *found;
	enum mortise_code code;

	*type = "";
	if (!bytes)
		return error_memory(err);
	code = read_superblocks(device, bytes, err);
	found = code ? NULL : find_superblock(bytes);
	if (found)
		*type = found->type;
	free(bytes);
	return code;
}

/* Was mkfs finished or, as ext4 does not show that, was the file system mounted? */
static bool is_complete(const uint8_t *bytes)
{
	static const uint8_t never[4] = { 0 };
	const struct filesystem *found = find_superblock(bytes);

	if (!found)
		return false;
	if (!strcmp(found->type, "xfs"))
		return !bytes[XFS_INPROGRESS];
	return strcmp(found->type, "ext4") != 0 ||
	       memcmp(bytes + EXT_MOUNT_TIME, never, sizeof(never)) != 0;
}

/* mkfs must not overwrite a file system that may hold data. */
static enum mortise_code refuse_used(const char *device, struct mortise_error *err)
{
	uint8_t *bytes = calloc(1, SUPERBLOCKS);
	enum mortise_code code;

	if (!bytes)
		return error_memory(err);
	code = read_superblocks(device, bytes, err);
	if (!code && is_complete(bytes))
		code = error_set(err, MORTISE_E_NOT_EMPTY, 0,
				 "cannot make a file system on %s: it holds a complete one already",
				 device);
	free(bytes);
	return code;
}

static enum mortise_code get_size(const char *device, uint64_t *size, struct mortise_error *err)
{
	struct luks2_device *open = NULL;
	enum mortise_code code = luks2_device_open(device, false, &open, err);

	*size = code ? 0 : open->size;
	luks2_device_close(open);
	return code;
}

/* Talos's options. */
static enum mortise_code make_xfs(const struct mortise_events *events, char *label, char *device,
				  struct mortise_error *err)
{
	static char program[] = "mkfs.xfs", quiet[] = "-q", force[] = "-f", label_option[] = "-L",
		    naming[] = "-n", file_types[] = "ftype=1", small[] = "--unsupported";
	char output[OUTPUT_ROOM];
	char *argv[] = { program, quiet,      force,  label_option, label,
			 naming,  file_types, device, NULL,	    NULL };
	uint64_t size;
	enum mortise_code code = get_size(device, &size, err);

	if (code)
		return code;
	if (size > XFS_SUPPORTED)
		return spawn(events, argv, output, sizeof(output), err);
	/* getopt(3) sorts options before the device, but musl's does not. */
	argv[7] = small;
	argv[8] = device;
	code = spawn(events, argv, output, sizeof(output), err);
	/* Older versions of mkfs.xfs neither know nor need the option, and say so first. */
	output[strcspn(output, "\n")] = '\0';
	if (code != MORTISE_E_SYSTEM || !strstr(output, "option"))
		return code;
	argv[7] = device;
	argv[8] = NULL;
	return spawn(events, argv, output, sizeof(output), err);
}

enum mortise_code disk_make_filesystem(const struct mortise_events *events, const char *type,
				       const char *name, const char *device,
				       struct mortise_error *err)
{
	const struct filesystem *filesystem = find_type(type);
	char program[16], force[sizeof(filesystem->force)], node[512], output[OUTPUT_ROOM];
	char quiet[] = "-q", label_option[] = "-L", label[64];
	char *argv[] = { program, quiet, force, label_option, label, node, NULL };
	enum mortise_code code = refuse_used(device, err);

	if (code)
		return code;
	/* A long label is cut: nothing looks it up. */
	snprintf(label, sizeof(label), "%.*s", (int)filesystem->label_room, name);
	snprintf(node, sizeof(node), "%s", device);
	if (!strcmp(type, "xfs"))
		return make_xfs(events, label, node, err);
	snprintf(program, sizeof(program), "%s", filesystem->program);
	snprintf(force, sizeof(force), "%s", filesystem->force);
	return spawn(events, argv, output, sizeof(output), err);
}
