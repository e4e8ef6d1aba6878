/* SPDX-License-Identifier: MIT */
/*
 * Device-mapper by ioctl(2) on /dev/mapper/control (linux/dm-ioctl.h), without libdevmapper,
 * cookies and semaphores. Other folders never count in sectors of 512 bytes, except for iv_offset.
 */
#ifndef DM_DM_H
#define DM_DM_H

#include <mortise.h>

#include <sys/types.h>

#define DM_UUID_MAX 128u	/* bytes of a mapping's UUID without its NUL; longer ones are truncated */

struct dm_ioctl;

/*
 * The interface to the kernel, which tests replace. request is one of linux/dm-ioctl.h's DM_*.
 * Returns 0 or an errno value.
 */
struct dm_kernel {
	int (*ioctl)(void *context, unsigned long request, struct dm_ioctl *data);
	void *context;
};

struct dm_control;

/*
 * Opens /dev/mapper/control, after creating the node if necessary, and checks that the interface
 * has version 4. MORTISE_E_KERNEL: the kernel has no device-mapper; the error names the module.
 * MORTISE_E_DEVICE: permission denied.
 */
MORTISE_MUST_CHECK enum mortise_code dm_open(struct dm_control **out, struct mortise_error *err);
/* Uses the caller's kernel instead, and creates no nodes. */
MORTISE_MUST_CHECK enum mortise_code
dm_open_kernel(const struct dm_kernel *kernel, struct dm_control **out, struct mortise_error *err);
void dm_close(struct dm_control *control);

/* Reads the version of a target ("crypt"), loading its module. MORTISE_E_KERNEL: unknown target. */
MORTISE_MUST_CHECK enum mortise_code dm_target_version(struct dm_control *control,
						       const char *target,
						       uint32_t version[static 3],
						       struct mortise_error *err);

/* Options of dm-crypt, bits. */
enum dm_crypt_flags {
	DM_CRYPT_ALLOW_DISCARDS = 1u << 0,
	DM_CRYPT_SAME_CPU_CRYPT = 1u << 1,
	DM_CRYPT_SUBMIT_FROM_CRYPT_CPUS = 1u << 2,
	DM_CRYPT_NO_READ_WORKQUEUE = 1u << 3,
	DM_CRYPT_NO_WRITE_WORKQUEUE = 1u << 4,
	DM_CRYPT_IV_LARGE_SECTORS = 1u << 5,
};

#define DM_TARGETS_MAX 8u /* in one table */

/* A dm-crypt or dm-linear target over a block device or part of it. */
struct dm_crypt_target {
	const char *cipher;	/* "aes-xts-plain64" or "capi:..."; NULL: dm-linear, which uses device,
				 * device_offset, size and next only */
	const struct mortise_secret *key;
	const char *key_description; /* "cryptsetup:UUID-d0": pass the key in the keyring under
				      * this name if possible; NULL: pass it in the table */
	const char *device;	/* path of the block device */
	uint64_t device_offset;	/* bytes, multiple of 512 */
	uint64_t size;		/* bytes, multiple of sector_size */
	uint64_t iv_offset;	/* in 512-byte sectors, as the header's iv_tweak */
	uint32_t sector_size;	/* bytes: 512, 1024, 2048, 4096 */
	uint32_t flags;		/* enum dm_crypt_flags */
	const char *integrity;	/* "28:aead": device is a dm-integrity mapping with tags of this
				 * many bytes; NULL: no tags */
	uint32_t integrity_key_size; /* bytes of key that the MAC takes; 0: its default */
	const struct dm_crypt_target *next; /* the part of the mapping behind this one, or NULL */
};

struct dm_mapping_options {
	const char *uuid;	/* "CRYPT-LUKS2-..." or NULL */
	bool readonly;		/* implied if the device is write-protected */
	bool hidden;		/* a temporary mapping: udev makes no links under /dev/disk and
				 * does not scan it, and other mappings may use the device */
	bool shared;		/* other mappings may use the device */
};

/*
 * Creates the mapping and /dev/mapper/NAME, without waiting for udev. A failure undoes
 * everything. *dropped (or NULL) receives the enum dm_crypt_flags that this kernel does not know
 * and that were omitted: discards, workqueue and CPU options only.
 * MORTISE_E_EXISTS: a mapping with this name or UUID is active. MORTISE_E_BUSY: the device is in
 * use. MORTISE_E_KERNEL: this kernel does not know the target, cipher or sector size; the error
 * says which. MORTISE_E_NO_SPACE: the device is smaller than the table. MORTISE_E_USAGE: invalid
 * name.
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_create(struct dm_control *control, const char *name,
						     const struct dm_mapping_options *options,
						     const struct dm_crypt_target *target,
						     uint32_t *dropped, struct mortise_error *err);

/*
 * Replaces the table of an existing mapping while it is in use. I/O waits meanwhile, and is not
 * lost. After an error the old table is live. *dropped (or NULL): as for dm_crypt_create().
 * MORTISE_E_INACTIVE, MORTISE_E_NO_SPACE.
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_reload(struct dm_control *control, const char *name,
						     const struct dm_crypt_target *target,
						     uint32_t *dropped, struct mortise_error *err);

/*
 * For a mapping below a mounted file system, which is not frozen: I/O waits only while the table is
 * replaced. A suspended mapping is resumed. hidden: as in struct dm_mapping_options. Otherwise like
 * dm_crypt_reload().
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_switch(struct dm_control *control, const char *name,
						     const struct dm_crypt_target *target,
						     bool hidden, struct mortise_error *err);
/* Likewise: waits for the I/O that has begun, and makes all other I/O wait. MORTISE_E_INACTIVE. */
MORTISE_MUST_CHECK enum mortise_code dm_hold(struct dm_control *control, const char *name,
					     struct mortise_error *err);
/* Lets I/O go on with the table that the mapping has. */
MORTISE_MUST_CHECK enum mortise_code dm_release(struct dm_control *control, const char *name,
						struct mortise_error *err);
/* Makes all I/O fail with EIO, also what waits. size: bytes, that of the mapping. */
MORTISE_MUST_CHECK enum mortise_code dm_fail_io(struct dm_control *control, const char *name,
						uint64_t size, struct mortise_error *err);

/*
 * Suspends a dm-crypt mapping, whose I/O waits from now on, and makes the kernel wipe its key. After
 * an error the mapping is as before. MORTISE_E_INACTIVE.
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_suspend(struct dm_control *control, const char *name,
						      struct mortise_error *err);
/*
 * Gives a suspended mapping its key again, and resumes it. target: cipher, key and key_description;
 * the rest is not used. After an error the mapping is suspended and has no key.
 */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_resume(struct dm_control *control, const char *name,
						     const struct dm_crypt_target *target,
						     struct mortise_error *err);

/* A dm-integrity target that stores tags for dm-crypt, and checks nothing itself. */
struct dm_integrity_target {
	const char *device;	/* path of the block device */
	uint64_t device_offset;	/* bytes, multiple of 512 */
	uint64_t size;		/* bytes, multiple of sector_size */
	uint32_t tag_size;	/* bytes for each sector */
	uint32_t sector_size;	/* bytes: 512, 1024, 2048, 4096 */
	bool no_journal;	/* after a crash, sectors may not match their tags */
	bool legacy_padding;	/* a new superblock that Linux before 5.4 can read */
};

/*
 * Creates a mapping that other programs do not scan. If the 4096 bytes at device_offset are zero,
 * the kernel writes its superblock there. Errors: as dm_crypt_create().
 */
MORTISE_MUST_CHECK enum mortise_code
dm_integrity_create(struct dm_control *control, const char *name,
		    const struct dm_mapping_options *options,
		    const struct dm_integrity_target *target, struct mortise_error *err);

/* A dm-integrity target as the kernel reports it. */
struct dm_integrity_table {
	dev_t device;		/* the device below */
	uint64_t device_offset;	/* bytes */
	uint32_t tag_size;	/* bytes */
	bool no_journal;
};

/* MORTISE_E_UNSUPPORTED: the mapping is not a single dm-integrity target. */
MORTISE_MUST_CHECK enum mortise_code dm_integrity_table(struct dm_control *control,
							const char *name,
							struct dm_integrity_table *table,
							struct mortise_error *err);

/*
 * Creates a hidden mapping of size bytes (a multiple of 4096) that reads as zeros and discards
 * writes, to measure dm-crypt without a disk. Otherwise like dm_crypt_create().
 */
MORTISE_MUST_CHECK enum mortise_code dm_zero_create(struct dm_control *control, const char *name,
						    uint64_t size, struct mortise_error *err);

enum dm_remove_mode {
	DM_REMOVE_NOW,		/* in use for about 5 s: MORTISE_E_BUSY */
	DM_REMOVE_DEFERRED,	/* in use: the kernel removes it after the last close */
	DM_REMOVE_CANCEL_DEFERRED,
};

/* MORTISE_E_INACTIVE: the mapping does not exist. */
MORTISE_MUST_CHECK enum mortise_code dm_remove(struct dm_control *control, const char *name,
					       enum dm_remove_mode mode, struct mortise_error *err);

/* A mapping. Unknown strings are empty. */
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

/*
 * Can a caller store tags in the sectors of this device, or of the disk of this partition? *size:
 * bytes in each sector; 0: the kernel does not tell.
 */
bool dm_has_inline_tags(dev_t device, uint32_t *size);

/* The UUID of a dm-integrity mapping of mortise or cryptsetup; since 2.8, that has another prefix. */
bool dm_uuid_is_integrity(const char *uuid);

/* MORTISE_E_INACTIVE: the mapping does not exist. */
MORTISE_MUST_CHECK enum mortise_code dm_info(struct dm_control *control, const char *name,
					     struct dm_info *info, struct mortise_error *err);

/* A dm-crypt or dm-linear target as the kernel reports it. */
struct dm_crypt_table {
	char cipher[MORTISE_CIPHER_MAX + 1]; /* "": dm-linear: device, device_offset and size are set */
	uint32_t key_size;	/* bytes */
	bool key_in_keyring;
	char key_description[256]; /* if in the keyring, without "logon:" */
	struct mortise_secret *key; /* if in the table; freed by dm_crypt_table_clear() */
	dev_t device;		/* the device below */
	uint64_t device_offset;	/* bytes */
	uint64_t size;		/* bytes */
	uint64_t iv_offset;	/* 512-byte sectors */
	uint32_t sector_size;	/* bytes */
	uint32_t flags;		/* enum dm_crypt_flags */
	char integrity[64];	/* "28:aead", or empty */
	uint32_t integrity_key_size; /* bytes, 0: the default */
};

/* MORTISE_E_UNSUPPORTED: the mapping is not a single dm-crypt target; the error says what it is. */
MORTISE_MUST_CHECK enum mortise_code dm_crypt_table(struct dm_control *control, const char *name,
						    struct dm_crypt_table *table,
						    struct mortise_error *err);
void dm_crypt_table_clear(struct dm_crypt_table *table);

/*
 * Reads a table of dm-crypt and dm-linear targets. *count: how many. MORTISE_E_UNSUPPORTED: another
 * target. Call dm_crypt_tables_clear() in every case.
 */
MORTISE_MUST_CHECK enum mortise_code
dm_crypt_tables(struct dm_control *control, const char *name,
		struct dm_crypt_table tables[static DM_TARGETS_MAX], size_t *count,
		struct mortise_error *err);
void dm_crypt_tables_clear(struct dm_crypt_table tables[static DM_TARGETS_MAX]);

/* Calls each for every mapping until it returns false. */
MORTISE_MUST_CHECK enum mortise_code
dm_list(struct dm_control *control, bool (*each)(void *context, const char *name, dev_t dev),
	void *context, struct mortise_error *err);

/*
 * Attaches the regular file fd to a free loop device, which is detached after the last close.
 * *loop_fd keeps it attached; path receives its node.
 */
MORTISE_MUST_CHECK enum mortise_code dm_loop_attach(int fd, bool readonly, uint32_t sector_size,
						    char path[static 32], int *loop_fd,
						    struct mortise_error *err);
/* Tells a loop device to take the present size of its file. Other devices have no need for it. */
void dm_loop_refresh(const char *path);
/* The file of a loop device, or "". */
void dm_loop_backing(dev_t device, char *file, size_t room);

/*
 * Is the file or block device on this device: through file systems, partitions, mappings, RAID or loop
 * devices? What cannot be found out counts as no.
 */
bool dm_file_is_on(const char *path, dev_t device);

/* Finds the path of a block device in sysfs: "/dev/vda2", "/dev/mapper/x". */
MORTISE_MUST_CHECK enum mortise_code dm_device_path(dev_t device, char *path, size_t room,
						    struct mortise_error *err);

#endif
