/* SPDX-License-Identifier: MIT */
/* Keyslot areas with ciphers that only the kernel supports, through a temporary mapping. */
#include "volume/kernel_cipher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dm/dm.h"
#include "keys/area.h"
#include "base/error.h"
#include "base/secret.h"
#include "luks2/ciphers.h"

struct temporary {
	const char *tags;
	uint32_t mac_key_size;
	struct dm_control *control;
	char name[64];
	char loop[32];
	int loop_fd;
	int fd; /* of the mapping */
	bool mapped;
};

static void temporary_close(struct temporary *temporary)
{
	struct mortise_error ignored;

	if (temporary->fd >= 0)
		close(temporary->fd);
	/* If another process has it open, the kernel removes it when that process closes it. */
	if (temporary->mapped &&
	    dm_remove(temporary->control, temporary->name, DM_REMOVE_DEFERRED, &ignored))
		temporary->mapped = false;
	if (temporary->loop_fd >= 0)
		close(temporary->loop_fd);
	dm_close(temporary->control);
}

static enum mortise_code temporary_open(const struct luks2_device *device,
					const struct luks2_area *area, bool writing,
					struct temporary *temporary, struct mortise_error *err)
{
	const struct dm_mapping_options options = { .readonly = !writing, .hidden = true };
	struct dm_crypt_target target = {
		.cipher = area->cipher,
		.device = device->path,
		.device_offset = area->offset,
		.size = area->size,
		.sector_size = 512,
		.integrity = temporary->tags,
		.integrity_key_size = temporary->mac_key_size,
	};
	struct mortise_secret *key = NULL;
	enum mortise_code code;
	char path[96];

	snprintf(temporary->name, sizeof(temporary->name), "temporary-mortise-%ld-%llx",
		 (long)getpid(), (unsigned long long)area->offset);
	code = dm_open(&temporary->control, err);
	if (!code && !device->block) {
		code = dm_loop_attach(device->fd, !writing, 512, temporary->loop,
				      &temporary->loop_fd, err);
		target.device = temporary->loop;
	}
	if (!code)
		code = mortise_secret_from(area->key, area->key_size, &key, err);
	target.key = key;
	if (!code)
		code = dm_crypt_create(temporary->control, temporary->name, &options, &target, NULL,
				       err);
	mortise_secret_free(&key);
	if (code)
		return code;
	temporary->mapped = true;
	snprintf(path, sizeof(path), "/dev/mapper/%s", temporary->name);
	temporary->fd = open(path, (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (temporary->fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s", path);
	return MORTISE_OK;
}

static enum mortise_code transfer(int fd, uint8_t *bytes, size_t size, bool writing,
				  struct mortise_error *err)
{
	for (size_t done = 0; done < size;) {
		ssize_t moved = writing ? pwrite(fd, bytes + done, size - done, (off_t)done)
					: pread(fd, bytes + done, size - done, (off_t)done);

		if (moved < 0 && errno == EINTR)
			continue;
		if (moved <= 0)
			return error_set(err, MORTISE_E_SYSTEM, moved ? errno : EIO,
					 "cannot %s a keyslot area through the kernel's cipher",
					 writing ? "write" : "read");
		done += (size_t)moved;
	}
	if (writing && fsync(fd))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot flush a keyslot area");
	return MORTISE_OK;
}

static enum mortise_code through_mapping(const struct luks2_device *device,
					 const struct luks2_area *area, uint8_t *bytes,
					 bool writing, struct mortise_error *err)
{
	struct temporary temporary = { .fd = -1, .loop_fd = -1 };
	enum mortise_code code;

	/* The mapping bypasses the page cache of the device, which must be flushed first. */
	code = luks2_device_flush(device, err);
	if (code)
		return code;
	code = temporary_open(device, area, writing, &temporary, err);
	if (!code)
		code = transfer(temporary.fd, bytes, area->size, writing, err);
	if (code)
		error_prefix(err, "keyslot area under %.60s", area->cipher);
	temporary_close(&temporary);
	if (!code && writing)
		code = luks2_device_flush(device, err);
	(void)posix_fadvise(device->fd, (off_t)area->offset, (off_t)area->size,
			    POSIX_FADV_DONTNEED);
	return code;
}

static enum mortise_code area_read(void *context, const struct luks2_device *device,
				   const struct luks2_area *area, uint8_t *plain,
				   struct mortise_error *err)
{
	(void)context;
	return through_mapping(device, area, plain, false, err);
}

static enum mortise_code area_write(void *context, const struct luks2_device *device,
				    const struct luks2_area *area, uint8_t *plain,
				    struct mortise_error *err)
{
	(void)context;
	return through_mapping(device, area, plain, true, err);
}

const struct luks2_kernel_cipher volume_kernel_cipher = {
	.read = area_read,
	.write = area_write,
};

enum mortise_code volume_cipher_check(const struct luks2_device *device, const char *cipher,
				      uint32_t key_size, const char *tags, uint32_t mac_key_size,
				      struct mortise_error *err)
{
	uint8_t key[512];
	const struct luks2_area area = {
		.cipher = cipher, .key = key, .key_size = key_size, .size = 4096
	};
	struct temporary temporary = { tags, mac_key_size, .fd = -1, .loop_fd = -1 };
	struct mortise_error why = { 0 };
	bool available;

	if (!tags && keys_area_supported(cipher, key_size))
		return MORTISE_OK;
	if (key_size > sizeof(key))
		return error_set(err, MORTISE_E_USAGE, 0, "a key of %u bits is too large",
				 key_size * 8);
	/* Without access to device-mapper: the kernel that maps it decides. */
	available = luks2_cipher_listed(cipher, key_size);
	if (device->size >= area.size && !random_bytes(key, key_size, &why)) {
		available = !temporary_open(device, &area, false, &temporary, &why) ||
			    (why.code != MORTISE_E_KERNEL && why.code != MORTISE_E_UNSUPPORTED &&
			     available);
		/* dm-crypt allocates its ciphers before it refuses a device without tags. */
		available |= tags && why.sys_errno == EINVAL;
		available |= !temporary.control && luks2_cipher_listed(cipher, key_size);
		temporary_close(&temporary);
	}
	if (!available)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Cipher %.60s with a key of %u bits is not available.%s%.200s",
				 cipher, key_size * 8, *why.text ? " " : "", why.text);
	return MORTISE_OK;
}
