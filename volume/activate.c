/* SPDX-License-Identifier: MIT */
/* Activation: creates a dm-crypt mapping from a segment and a volume key. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dm/dm.h"
#include "base/error.h"
#include "base/sized.h"
#include "luks2/header.h"
#include "luks2/integrity.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "volume/activate.h"
#include "volume/flags.h"
#include "volume/integrity.h"
#include "volume/integrity_cipher.h"

static void format_uuid(const char *type, const struct mortise_luks2 *header, const char *name,
			char uuid[static DM_UUID_MAX + 1])
{
	char plain[MORTISE_UUID_LEN + 1];
	size_t used = 0;

	for (const char *at = luks2_header_uuid(header); *at && used < MORTISE_UUID_LEN; at++)
		if (*at != '-')
			plain[used++] = *at;
	plain[used] = '\0';
	snprintf(uuid, DM_UUID_MAX, "CRYPT-%s-%s-%s", type, plain, name);
}

void volume_mapping_uuid(const struct mortise_luks2 *header, const char *name,
			 char uuid[static DM_UUID_MAX + 1])
{
	format_uuid(luks2_header_is_luks1(header) ? "LUKS1" : "LUKS2", header, name, uuid);
}

void volume_subdevice_uuid(const struct mortise_luks2 *header, const char *name,
			   char uuid[static DM_UUID_MAX + 1])
{
	format_uuid("INTEGRITY", header, name, uuid);
}

void volume_helper_uuid(const struct mortise_luks2 *header, const char *helper,
			char uuid[static DM_UUID_MAX + 1])
{
	format_uuid("SUBDEV", header, helper, uuid);
}

static enum mortise_code attach_loop(const char *path, bool readonly,
				     struct volume_backing *backing, struct mortise_error *err)
{
	enum mortise_code code;
	int fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s", path);
	code = dm_loop_attach(fd, readonly, 512, backing->path, &backing->loop_fd, err);
	close(fd);
	return code;
}

enum mortise_code volume_backing_open(const char *path, bool readonly,
				      struct volume_backing *backing, struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	enum mortise_code code;

	*backing = (struct volume_backing){ .loop_fd = -1 };
	code = luks2_device_open(path, false, &device, err);
	if (code)
		return code;
	backing->size = device->size;
	snprintf(backing->path, sizeof(backing->path), "%s", path);
	if (!device->block)
		code = attach_loop(path, readonly, backing, err);
	luks2_device_close(device);
	return code;
}

void volume_backing_close(struct volume_backing *backing)
{
	if (backing->loop_fd >= 0)
		close(backing->loop_fd);
	backing->loop_fd = -1;
}

enum mortise_code volume_check_key(struct mortise_luks2 *header,
				   const struct mortise_secret *volume_key,
				   struct luks2_segment *segment, struct mortise_error *err)
{
	struct json_object *metadata = luks2_header_metadata(header);
	const size_t key_size = mortise_secret_size(volume_key);
	enum mortise_code code;

	code = luks2_usable(metadata, err);
	if (code)
		return code;
	code = luks2_segment_get(metadata, segment, err);
	if (code)
		return code;
	code = luks2_header_check_segment(header, segment, key_size, err);
	if (code)
		return code;
	return mortise_volume_key_verify(header, volume_key, err);
}

/* A segment of dynamic size, 0 in the header, ends with the last whole sector of the device. */
static enum mortise_code fit_segment(const struct mortise_luks2 *header, uint64_t device_size,
				     struct luks2_segment *segment, struct mortise_error *err)
{
	if (!segment->size && device_size > segment->offset)
		segment->size = (device_size - segment->offset) / segment->sector_size *
				segment->sector_size;
	if (!segment->size || segment->size > device_size ||
	    segment->offset > device_size - segment->size)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Device %s is too small. (the data begins at byte %" PRIu64
				 " and has %" PRIu64 " bytes, the device has %" PRIu64 ")",
				 luks2_header_data_path(header), segment->offset, segment->size,
				 device_size);
	return MORTISE_OK;
}

/* A mapping to create. flags: MORTISE_ flags. */
struct request {
	struct mortise_luks2 *header;
	const char *name;
	const struct mortise_secret *volume_key;
	uint32_t flags;
	bool hidden;
};

/* Opens dm-integrity, unless the tags are in the sectors, and describes dm-crypt above it. */
static enum mortise_code open_integrity(struct dm_control *control, const struct request *request,
					const struct luks2_segment *segment, const char *device,
					struct volume_integrity *below,
					struct dm_crypt_target *target, struct mortise_error *err)
{
	enum mortise_code code;

	if (request->flags & MORTISE_ALLOW_DISCARDS)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Discard/TRIM is not supported. A volume with integrity needs its "
				 "tags.");
	target->cipher = below->cipher;
	target->integrity = below->tags;
	if (segment->integrity.own_key_size)
		target->integrity_key_size = segment->integrity.key_size;
	code = volume_integrity_form(segment, below, err);
	if (code || segment->integrity.inline_tags)
		return code;
	code = volume_integrity_open(control, request->header, request->name, segment, device,
				     request->flags, below, err);
	target->device = below->path;
	target->device_offset = 0;
	target->size = below->size;
	return code;
}

/* *unknown receives the flags that the kernel does not support. */
static enum mortise_code create_mapping(const struct request *request,
					const struct luks2_segment *segment, const char *device,
					uint32_t *unknown, struct mortise_error *err)
{
	char uuid[DM_UUID_MAX + 1], description[96];
	const struct dm_mapping_options options = { .uuid = uuid,
						    .readonly = request->flags & MORTISE_READONLY,
						    .hidden = request->hidden };
	struct volume_integrity below = { .size = 0 };
	struct dm_crypt_target target = {
		.cipher = segment->cipher,
		.key = request->volume_key,
		.key_description = request->flags & MORTISE_NO_KEYRING ? NULL : description,
		.device = device,
		.device_offset = segment->offset,
		.size = segment->size,
		.iv_offset = segment->iv_tweak,
		.sector_size = segment->sector_size,
		.flags = volume_flags_to_dm(request->flags),
	};
	struct dm_control *control = NULL;
	enum mortise_code code;

	*unknown = 0;
	volume_mapping_uuid(request->header, request->name, uuid);
	snprintf(description, sizeof(description), "cryptsetup:%s-d%d",
		 luks2_header_uuid(request->header), segment->digest);
	code = dm_open(&control, err);
	if (!code && segment->integrity.type)
		code = open_integrity(control, request, segment, device, &below, &target, err);
	if (code)
		goto out;
	code = dm_crypt_create(control, request->name, &options, &target, unknown, err);
	if (code && segment->integrity.inline_tags && err && err->code == MORTISE_E_KERNEL)
		code = error_set(err, MORTISE_E_KERNEL, 0,
				 "The kernel cannot use the integrity tags in the sectors of %s: "
				 "this needs Linux 6.11 and %u bytes of metadata in each sector",
				 device, segment->integrity.tag_size);
	else if (code && *below.name)
		(void)!dm_remove(control, below.name, DM_REMOVE_NOW, NULL);
	*unknown = volume_flags_from_dm(*unknown);
out:
	dm_close(control);
	return code;
}

enum mortise_code volume_activate(struct mortise_luks2 *header, const char *name,
				  const struct mortise_secret *volume_key, uint32_t flags,
				  bool hidden, uint32_t *dropped, struct mortise_error *err)
{
	const uint32_t all = volume_flags_choose(header, flags);
	const struct request request = { header, name, volume_key, all, hidden };
	uint32_t unknown = 0;
	struct luks2_segment segment;
	struct volume_backing backing;
	enum mortise_code code;

	if (luks2_online_reencrypt_count(luks2_header_metadata(header)))
		return volume_reencrypt_activate(header, name, volume_key, flags, hidden, dropped,
						 err);
	code = volume_check_key(header, volume_key, &segment, err);
	if (code)
		return code;
	code = volume_backing_open(luks2_header_data_path(header), flags & MORTISE_READONLY,
				   &backing, err);
	if (code)
		return code;
	code = fit_segment(header, backing.size, &segment, err);
	if (code)
		goto out;
	code = create_mapping(&request, &segment, backing.path, &unknown, err);
	if (dropped)
		*dropped = unknown;
	if (!code)
		code = volume_flags_persist(header, name, all & ~unknown, err);
out:
	volume_backing_close(&backing);
	return code;
}

enum mortise_code mortise_activate(struct mortise_luks2 *header, const char *name,
				   const struct mortise_secret *volume_key, uint32_t flags,
				   uint32_t *dropped, struct mortise_error *err)
{
	return volume_activate(header, name, volume_key, flags, false, dropped, err);
}

/* "CRYPT-TYPE-...": of LUKS the rest begins with the header's UUID, without its dashes. */
static void parse_mapping_uuid(const char *mapping, struct mortise_mapping_info *info)
{
	static const char prefix[] = "CRYPT-";
	const char *type = mapping + sizeof(prefix) - 1, *hex;
	size_t used = 0, length;

	if (strncmp(mapping, prefix, sizeof(prefix) - 1) != 0)
		return;
	length = strcspn(type, "-");
	hex = type + length + (type[length] == '-');
	if (length < sizeof(info->type))
		memcpy(info->type, type, length);
	info->luks2 = !strcmp(info->type, "LUKS2") && strlen(hex) > 32;
	if (!info->luks2 && (strcmp(info->type, "LUKS1") != 0 || strlen(hex) <= 32))
		return;
	for (size_t i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			info->uuid[used++] = '-';
		info->uuid[used++] = hex[i];
	}
}

/* The mappings below NAME that an interrupted online reencryption has left, from top to bottom. */
static const char *const helpers[] = { VOLUME_OVERLAY, VOLUME_HELPER, "-hotzone-backward" };
#define HELPERS (sizeof(helpers) / sizeof(*helpers))

static bool helper_info(struct dm_control *control, const char *name, size_t i,
			struct dm_info *info)
{
	char helper[DM_UUID_MAX + 1];

	snprintf(helper, sizeof(helper), "%.80s%s", name, helpers[i]);
	return !dm_info(control, helper, info, NULL) && !strncmp(info->uuid, "CRYPT-SUBDEV-", 13);
}

/*
 * I/O that waits in a helper fails, so that the mapping above is not in use. *lock: of the reencryption,
 * if there are helpers. MORTISE_E_BUSY: its process runs.
 */
static enum mortise_code stop_helpers(struct dm_control *control, const char *name, int *lock,
				      struct mortise_error *err)
{
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
	struct dm_crypt_table parts[DM_TARGETS_MAX];
	enum mortise_code code = MORTISE_OK;
	struct dm_info info, own;
	size_t count;

	for (size_t i = 0; !code && i < HELPERS; i++) {
		uint64_t size = 0;

		if (!helper_info(control, name, i, &info))
			continue;
		if (*lock < 0 && !dm_info(control, name, &own, NULL)) {
			parse_mapping_uuid(own.uuid, &mapping);
			code = luks2_reencrypt_lock(NULL, mapping.uuid, lock, err);
		}
		if (code == MORTISE_E_BUSY)
			error_set(err, code, 0,
				  "Reencryption in-progress. Cannot deactivate device.");
		if (code || !info.suspended)
			continue;
		if (!dm_crypt_tables(control, info.name, parts, &count, NULL))
			while (count)
				size += parts[--count].size;
		dm_crypt_tables_clear(parts);
		code = dm_fail_io(control, info.name, size, err);
	}
	return code;
}

static enum mortise_code remove_helpers(struct dm_control *control, const char *name,
					enum dm_remove_mode mode, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	struct dm_info info;

	for (size_t i = 0; !code && i < HELPERS; i++)
		if (helper_info(control, name, i, &info))
			code = dm_remove(control, info.name, mode, err);
	return code;
}

enum mortise_code mortise_deactivate(const char *name, enum mortise_deactivation how,
				     struct mortise_error *err)
{
	static const enum dm_remove_mode mode[] = {
		[MORTISE_CLOSE_NOW] = DM_REMOVE_NOW,
		[MORTISE_CLOSE_DEFERRED] = DM_REMOVE_DEFERRED,
		[MORTISE_CLOSE_CANCEL_DEFERRED] = DM_REMOVE_CANCEL_DEFERRED,
	};
	struct dm_crypt_table table = { 0 };
	struct dm_control *control = NULL;
	struct dm_info below;
	bool layered = false;
	int lock = -1;
	enum mortise_code code = dm_open(&control, err);

	if (!code && !dm_crypt_table(control, name, &table, NULL))
		layered = volume_integrity_below(control, &table, &below);
	dm_crypt_table_clear(&table);
	if (!code && how != MORTISE_CLOSE_CANCEL_DEFERRED)
		code = stop_helpers(control, name, &lock, err);
	if (!code)
		code = dm_remove(control, name, mode[how], err);
	if (!code && layered)
		code = dm_remove(control, below.name, mode[how], err);
	if (!code && lock >= 0)
		code = remove_helpers(control, name, mode[how], err);
	if (lock >= 0)
		close(lock);
	dm_close(control);
	return code;
}

enum mortise_code mortise_is_active(const char *name, struct mortise_error *err)
{
	struct dm_control *control = NULL;
	struct dm_info info;
	enum mortise_code code = dm_open(&control, err);

	if (!code)
		code = dm_info(control, name, &info, err);
	dm_close(control);
	return code;
}

bool volume_mapping_is_tableless(const struct mortise_luks2 *header, const char *name)
{
	struct dm_control *control = NULL;
	char uuid[DM_UUID_MAX + 1];
	struct mortise_error ignored;
	struct dm_info info;
	bool tableless = false;

	volume_mapping_uuid(header, name, uuid);
	if (!dm_open(&control, &ignored) && !dm_info(control, name, &info, &ignored))
		tableless = !info.has_table && !info.open_count && !strcmp(info.uuid, uuid);
	dm_close(control);
	return tableless;
}

/* The tags of a mapping: its data device is below dm-integrity. */
static void fill_integrity(struct dm_control *control, struct dm_crypt_table *table,
			   struct mortise_mapping_info *info)
{
	struct luks2_integrity integrity;
	struct dm_integrity_table tags;
	struct dm_info below;

	if (volume_integrity_below(control, table, &below) &&
	    !dm_integrity_table(control, below.name, &tags, NULL)) {
		table->device = tags.device;
		info->flags |= tags.no_journal ? MORTISE_NO_JOURNAL : 0;
	}
	volume_integrity_parse(table->cipher, table->integrity);
	if (*table->integrity && !luks2_integrity_find(table->integrity, table->cipher,
						       table->integrity_key_size, &integrity, NULL))
		info->integrity_key_size = integrity.key_size;
}

static void fill_table(const struct dm_crypt_table *table, struct mortise_mapping_info *info)
{
	snprintf(info->cipher, sizeof(info->cipher), "%s", table->cipher);
	snprintf(info->integrity, sizeof(info->integrity), "%s", table->integrity);
	info->key_size = table->key_size;
	info->key_in_keyring = table->key_in_keyring;
	info->sector_size = table->sector_size;
	info->offset = table->device_offset;
	info->size = table->size;
	info->iv_offset = table->iv_offset;
	info->flags |= volume_flags_from_dm(table->flags);
	dm_loop_backing(table->device, info->loop_file, sizeof(info->loop_file));
}

/* The data device of a volume that has no encrypted part yet. A part may lead to the helper. */
static void find_plain(struct dm_control *control, const char *name,
		       const struct dm_crypt_table *parts, size_t count,
		       struct dm_crypt_table *table)
{
	struct dm_crypt_table below[DM_TARGETS_MAX];
	struct dm_info helper = { .device = 0 };
	char path[DM_UUID_MAX + 1];
	size_t deeper = 0;

	snprintf(path, sizeof(path), "%.80s" VOLUME_HELPER, name);
	if (!dm_info(control, path, &helper, NULL))
		(void)!dm_crypt_tables(control, path, below, &deeper, NULL);
	for (size_t i = 0; i < count && !table->device; i++)
		table->device = parts[i].device != helper.device ? parts[i].device : 0;
	if (deeper && !table->device)
		table->device = below[0].device;
	if (helper.device)
		dm_crypt_tables_clear(below);
}

/*
 * The parts of a volume in reencryption, as one: the form and the flags are those of the first
 * encrypted part, offsets those that it has at the start of the mapping.
 */
static enum mortise_code read_parts(struct dm_control *control, const char *name,
				    struct dm_crypt_table *table, struct mortise_error *err)
{
	struct dm_crypt_table parts[DM_TARGETS_MAX];
	uint64_t size = 0;
	size_t count;
	enum mortise_code code = dm_crypt_tables(control, name, parts, &count, err);

	for (size_t i = 0; !code && i < count; size += parts[i++].size) {
		if (table->cipher[0] || !parts[i].cipher[0])
			continue;
		*table = parts[i];
		parts[i].key = NULL;
		table->device_offset -= size < table->device_offset ? size : 0;
		table->iv_offset -= size / 512 <= table->iv_offset ? size / 512 : 0;
	}
	table->size = size;
	if (!code && !table->cipher[0]) {
		find_plain(control, name, parts, count, table);
		code = error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Device %s is not encrypted: it has no dm-crypt target.", name);
	}
	dm_crypt_tables_clear(parts);
	return code;
}

enum mortise_code mortise_mapping_info(const char *name, struct mortise_mapping_info *info,
				       struct mortise_error *err)
{
	struct mortise_mapping_info filled = { .struct_size = sizeof(filled) };
	const struct sized_type *sized = SIZED_SINCE(mortise_mapping_info, type);
	struct dm_control *control = NULL;
	struct dm_crypt_table table = { 0 };
	enum mortise_code code, output;
	struct dm_info mapping;
	struct mortise_error ignored;

	code = sized_check(sized, info, err);
	if (!code)
		code = dm_open(&control, err);
	if (!code)
		code = dm_info(control, name, &mapping, err);
	if (code)
		goto out;
	filled.in_use = mapping.open_count > 0;
	filled.suspended = mapping.suspended;
	filled.readonly = mapping.readonly;
	parse_mapping_uuid(mapping.uuid, &filled);
	code = mapping.target_count > 1 || filled.luks2
		       ? read_parts(control, name, &table, err)
		       : dm_crypt_table(control, name, &table, err);
	if (!code) {
		fill_integrity(control, &table, &filled);
		fill_table(&table, &filled);
	}
	/* A device that has disappeared has no path; the mapping is still active. */
	if (table.device &&
	    dm_device_path(table.device, filled.device, sizeof(filled.device), &ignored))
		filled.device[0] = '\0';
	output = sized_output(sized, info, &filled, code ? NULL : err);
	if (!code)
		code = output;
out:
	dm_crypt_table_clear(&table);
	dm_close(control);
	return code;
}
