/* SPDX-License-Identifier: MIT */
/*
 * Device-mapper by ioctl(2) on /dev/mapper/control: linux/dm-ioctl.h, without libdevmapper,
 * cookies or semaphores. Sectors of 512 bytes exist inside this folder only.
 */
#ifndef DM_DM_H
#define DM_DM_H

#include <mortise.h>

#include <sys/types.h>

#define DM_UUID_MAX 128u	/* bytes of a mapping's UUID without its NUL; a longer one is cut */

struct dm_ioctl;

/*
 * The seam to the kernel. request is one of linux/dm-ioctl.h's DM_*; returns 0 or an errno
 * value. Tests put a table of expected requests and canned replies here.
 */
struct dm_kernel {
	int (*ioctl)(void *context, unsigned long request, struct dm_ioctl *data);
	void *context;
};

struct dm_control;

/*
 * Opens /dev/mapper/control, making the node from /proc/misc when there is none, and checks
 * that the kernel speaks interface 4. MORTISE_E_KERNEL when device-mapper is not there (says
 * which module to load), MORTISE_E_DEVICE without permission.
 */
MORTISE_MUST_CHECK enum mortise_code dm_open(struct dm_control **out, struct mortise_error *err);
/* The same over a kernel of the caller's; no nodes are made. */
MORTISE_MUST_CHECK enum mortise_code
dm_open_kernel(const struct dm_kernel *kernel, struct dm_control **out, struct mortise_error *err);
void dm_close(struct dm_control *control);

/* Version of a target ("crypt"), loading its module; MORTISE_E_KERNEL when there is none. */
MORTISE_MUST_CHECK enum mortise_code dm_target_version(struct dm_control *control,
						       const char *target,
						       uint32_t version[static 3],
						       struct mortise_error *err);

/* Activation options of dm-crypt, bits. */
enum dm_crypt_flags {
	DM_CRYPT_ALLOW_DISCARDS = 1u << 0,
	DM_CRYPT_SAME_CPU_CRYPT = 1u << 1,
	DM_CRYPT_SUBMIT_FROM_CRYPT_CPUS = 1u << 2,
	DM_CRYPT_NO_READ_WORKQUEUE = 1u << 3,
	DM_CRYPT_NO_WRITE_WORKQUEUE = 1u << 4,
	DM_CRYPT_IV_LARGE_SECTORS = 1u << 5,
};

/* One dm-crypt target over (part of) a block device. */
struct dm_crypt_target {
	const char *cipher;	/* "aes-xts-plain64" or "capi:..." */
	const struct mortise_secret *key;
	const char *key_description; /* "cryptsetup:UUID-d0": try the keyring first under this
				      * name; NULL: the key goes into the table */
	const char *device;	/* path of the block device */
	uint64_t device_offset;	/* bytes, multiple of 512 */
	uint64_t size;		/* bytes, multiple of sector_size */
	uint64_t iv_offset;	/* in 512-byte sectors, as the header's iv_tweak */
	uint32_t sector_size;	/* bytes: 512, 1024, 2048, 4096 */
	uint32_t flags;		/* enum dm_crypt_flags */
};

struct dm_mapping_options {
	const char *uuid;	/* "CRYPT-LUKS2-..." or NULL */
	bool readonly;		/* also without it when the device is write-protected */
	bool hidden;		/* a temporary mapping: udev makes no links under /dev/disk and
				 * scans nothing, and other mappings may stand on the device */
};

/*
 * Creates the mapping, loads the table, resumes it, and sees to /dev/mapper/NAME (waits for
 * nobody: udev's node or our own). On failure nothing is left behind. *dropped receives the
 * enum dm_crypt_flags that this kernel did not know and that were left out (discards,
 * workqueue and CPU options only; NULL: not wanted).
 * MORTISE_E_EXISTS: a mapping of that name or UUID is active. MORTISE_E_BUSY: the device is
 * in use. MORTISE_E_KERNEL: target, cipher or sector size unknown to this kernel, said which.
 * MORTISE_E_NO_SPACE: the device is smaller than the table. MORTISE_E_USAGE: bad name.
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_create(struct dm_control *control, const char *name,
						     const struct dm_mapping_options *options,
						     const struct dm_crypt_target *target,
						     uint32_t *dropped, struct mortise_error *err);

/*
 * A hidden mapping of size bytes (a multiple of 4096) that reads as zeros and forgets what is
 * written: what dm-crypt costs is measured over it. Otherwise as dm_crypt_create.
 */
MORTISE_MUST_CHECK enum mortise_code dm_zero_create(struct dm_control *control, const char *name,
						    uint64_t size, struct mortise_error *err);

enum dm_remove_mode {
	DM_REMOVE_NOW,		/* MORTISE_E_BUSY when in use; a few short retries first */
	DM_REMOVE_DEFERRED,	/* when in use: removed by the kernel after the last close */
	DM_REMOVE_CANCEL_DEFERRED,
};

/* MORTISE_E_INACTIVE when there is no such mapping. */
MORTISE_MUST_CHECK enum mortise_code dm_remove(struct dm_control *control, const char *name,
					       enum dm_remove_mode mode, struct mortise_error *err);

/* What a mapping is. Strings are NUL-terminated; empty when not known. */
struct dm_info {
	char name[DM_UUID_MAX];
	char uuid[DM_UUID_MAX + 1];
	dev_t device;		/* of the mapping itself */
	uint32_t open_count;
	uint32_t target_count;
	bool readonly;
	bool suspended;
	bool deferred_remove;
	bool has_table;
};

/* MORTISE_E_INACTIVE when there is no such mapping. */
MORTISE_MUST_CHECK enum mortise_code dm_info(struct dm_control *control, const char *name,
					     struct dm_info *info, struct mortise_error *err);

/* The one dm-crypt target of a mapping, read back from the kernel. */
struct dm_crypt_table {
	char cipher[MORTISE_CIPHER_MAX + 1];
	uint32_t key_size;	/* bytes */
	bool key_in_keyring;
	char key_description[256]; /* when in the keyring, without "logon:" */
	struct mortise_secret *key; /* when in the table; freed by dm_crypt_table_clear */
	dev_t device;		/* the device below */
	uint64_t device_offset;	/* bytes */
	uint64_t size;		/* bytes */
	uint64_t iv_offset;	/* 512-byte sectors */
	uint32_t sector_size;	/* bytes */
	uint32_t flags;		/* enum dm_crypt_flags */
	char integrity[64];	/* "28:aead", empty without */
};

/* MORTISE_E_UNSUPPORTED when the mapping is not one dm-crypt target: says what it is. */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_table(struct dm_control *control, const char *name,
						    struct dm_crypt_table *table,
						    struct mortise_error *err);
void dm_crypt_table_clear(struct dm_crypt_table *table);

/*
 * The block devices that a mapping stands on, the first *count of them (at most 64). *count:
 * room in, number out.
 */
MORTISE_MUST_CHECK enum mortise_code dm_deps(struct dm_control *control, const char *name,
					     dev_t *devices, size_t *count,
					     struct mortise_error *err);

/* Calls each for every mapping; a callback that returns false ends the walk. */
MORTISE_MUST_CHECK enum mortise_code
dm_list(struct dm_control *control, bool (*each)(void *context, const char *name, dev_t dev),
	void *context, struct mortise_error *err);

/*
 * A regular file becomes a block device: attaches fd to a free loop device that detaches
 * itself after the last close. *loop_fd keeps it alive until closed; path has the node.
 */
MORTISE_MUST_CHECK enum mortise_code dm_loop_attach(int fd, bool readonly, uint32_t sector_size,
						    char path[static 32], int *loop_fd,
						    struct mortise_error *err);
/* The file behind a loop device ("" when it is none). */
void dm_loop_backing(dev_t device, char *file, size_t room);

/* The path of a block device by its number, from sysfs: "/dev/vda2", "/dev/mapper/x". */
MORTISE_MUST_CHECK enum mortise_code dm_device_path(dev_t device, char *path, size_t room,
						    struct mortise_error *err);

#endif
