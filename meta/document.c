/* SPDX-License-Identifier: MIT */
/* One document: which kind it is, which volume it declares, and where that is mounted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "meta/volume.h"

/* 36 characters of a GPT label less those of "u-". */
#define USER_NAME_MAX 34u

enum {
	F_API_VERSION,
	F_KIND,
	F_NAME,
	F_PROVISIONING,
	F_FILESYSTEM,
	F_ENCRYPTION,
	F_MOUNT,
	F_TRIM,
	F_SCRUB,
	F_VOLUME_TYPE, /* user volumes only */
	F_COUNT,
};

static const char *const field_names[F_COUNT] = {
	[F_API_VERSION] = "apiVersion",
	[F_KIND] = "kind",
	[F_NAME] = "name",
	[F_PROVISIONING] = "provisioning",
	[F_FILESYSTEM] = "filesystem",
	[F_ENCRYPTION] = "encryption",
	[F_MOUNT] = "mount",
	[F_TRIM] = "trim",
	[F_SCRUB] = "scrub",
	[F_VOLUME_TYPE] = "volumeType",
};

enum mount_policy {
	MOUNT_FREE,	    /* "mount" is taken as it is */
	MOUNT_FREE_NOEXEC,  /* and secure means noexec too */
	MOUNT_FIXED_SECURE, /* "mount" is not allowed */
	MOUNT_FIXED_PLAIN,
};

/* Talos's system volumes. Those that live in a directory of EPHEMERAL can be promoted. */
static const struct system_volume {
	const char *name;
	const char *mount_point;
	unsigned mode;
	enum mount_policy policy;
	enum meta_filesystem filesystem;
	bool promoted; /* a partition only when provisioning is asked for */
} system_volumes[] = {
	{ "STATE", "/system/state", 0700, MOUNT_FIXED_SECURE, META_FS_XFS, false },
	{ "EPHEMERAL", "/var", 0755, MOUNT_FREE, META_FS_XFS, false },
	{ "IMAGECACHE", "/system/imagecache/disk", 0700, MOUNT_FIXED_PLAIN, META_FS_EXT4, false },
	{ "ETCD", "/var/lib/etcd", 0700, MOUNT_FREE_NOEXEC, META_FS_XFS, true },
	{ "CRI", "/var/lib/containerd", 0700, MOUNT_FREE, META_FS_XFS, true },
	{ "KUBELET", "/var/lib/kubelet", 0700, MOUNT_FREE, META_FS_XFS, true },
	{ "LOG", "/var/log", 0755, MOUNT_FREE_NOEXEC, META_FS_XFS, true },
};

char *meta_copy(struct meta_log *log, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		log->no_memory = true;
	return copy;
}

static const struct meta_node *child_of(const struct meta_node *mapping, const char *name)
{
	for (const struct meta_node *key = mapping->child; key; key = key->next->next)
		if (meta_node_is(key, name))
			return meta_node_null(key->next) ? NULL : key->next;
	return NULL;
}

/* A kind that is not read, or none: says which are. */
static void kind_refuse(struct meta_log *log, const struct meta_node *root,
			const struct meta_node *kind, const struct meta_node *version)
{
	char shown[META_SHOW_ROOM];

	if (kind && kind->kind == META_SCALAR)
		meta_error(log, kind->place,
			   "kind \"%s\" is not read by this version; VolumeConfig and "
			   "UserVolumeConfig are",
			   meta_show(meta_node_text(kind), meta_node_size(kind), shown));
	else if (kind)
		meta_error(log, kind->place, "\"kind\" must be text");
	else if (version || child_of(root, "name"))
		meta_error(log, root->place, "kind is missing: VolumeConfig or UserVolumeConfig");
	else
		meta_error(log, root->place,
			   "a document without apiVersion and kind is a v1alpha1 machine "
			   "configuration, which is not read by this version; VolumeConfig and "
			   "UserVolumeConfig are");
}

static void version_check(struct meta_log *log, const struct meta_node *root,
			  const struct meta_node *version)
{
	char shown[META_SHOW_ROOM];

	if (!version)
		meta_error(log, root->place, "apiVersion is missing: add \"apiVersion: v1alpha1\"");
	else if (version->kind != META_SCALAR)
		meta_error(log, version->place, "\"apiVersion\" must be text");
	else if (!meta_node_is(version, "v1alpha1"))
		meta_error(log, version->place,
			   "apiVersion \"%s\" is not read by this version; v1alpha1 is",
			   meta_show(meta_node_text(version), meta_node_size(version), shown));
}

static void mount_not_allowed(struct meta_log *log, const struct meta_field *field,
			      const char *name)
{
	meta_error(log, field->key->place, "mount config is not allowed for the \"%s\" volume",
		   name);
}

static void system_mount(struct meta_log *log, const struct meta_field *field,
			 const struct system_volume *system, bool partition,
			 struct meta_volume *volume)
{
	struct meta_mount mount;

	meta_mount_read(log, field, &mount);
	if (mount.given && system->policy >= MOUNT_FIXED_SECURE)
		mount_not_allowed(log, field, system->name);
	else if (mount.given && !partition)
		meta_error(log, field->key->place,
			   "mount config for the \"%s\" volume is only supported when it is "
			   "provisioned onto a dedicated partition",
			   system->name);
	volume->mount_secure = mount.secure && system->policy != MOUNT_FIXED_PLAIN;
	volume->mount_noexec = volume->mount_secure && system->policy != MOUNT_FREE;
	volume->mount_noatime = mount.noatime;
	volume->mount_mode = system->mode;
	volume->mount_point = meta_copy(log, system->mount_point);
}

static void partition_notice(struct meta_log *log, const struct meta_field *field, const char *id)
{
	meta_notice(log, field->key->place,
		    "provisioning: partitions are not created by this version; the volume is "
		    "found by its partition label \"%s\"",
		    id);
}

static const struct system_volume *system_find(struct meta_log *log, const struct meta_node *root,
					       const struct meta_field *name)
{
	const char *text = "";

	if (name->value && !meta_field_text(log, name, &text))
		return NULL;
	for (size_t i = 0; i < sizeof(system_volumes) / sizeof(system_volumes[0]); i++)
		if (strcmp(text, system_volumes[i].name) == 0)
			return &system_volumes[i];
	meta_error(log, name->key ? meta_field_place(name) : root->place,
		   "only [\"STATE\" \"EPHEMERAL\" \"IMAGECACHE\" \"ETCD\" \"CRI\" \"KUBELET\" "
		   "\"LOG\"] volumes are supported");
	return NULL;
}

static void system_read(struct meta_log *log, const struct meta_node *root,
			const struct meta_field *field, struct meta_volume *volume)
{
	const struct system_volume *system = system_find(log, root, &field[F_NAME]);
	bool partition;
	bool provisioned;

	if (!system)
		return;
	volume->name = meta_copy(log, system->name);
	if (!volume->name)
		return;
	volume->filesystem = system->filesystem;
	provisioned = meta_provisioning_read(log, &field[F_PROVISIONING], volume);
	partition = provisioned || !system->promoted;
	if (provisioned && system == &system_volumes[0])
		meta_error(log, field[F_PROVISIONING].key->place,
			   "provisioning config is not allowed for the \"STATE\" volume");
	else if (provisioned)
		partition_notice(log, &field[F_PROVISIONING], system->name);
	system_mount(log, &field[F_MOUNT], system, partition, volume);
	if (system->filesystem != META_FS_XFS && field[F_FILESYSTEM].value &&
	    field[F_FILESYSTEM].value->child)
		meta_error(log, field[F_FILESYSTEM].key->place,
			   "filesystem config is not allowed for the \"%s\" volume", system->name);
	else
		meta_filesystem_read(log, &field[F_FILESYSTEM], volume);
	meta_encryption_read(log, &field[F_ENCRYPTION], volume);
	if (partition)
		volume->id = meta_copy(log, system->name);
	else
		meta_notice(log, root->place,
			    "volume %s without provisioning is a directory of EPHEMERAL: there is "
			    "nothing to do for it%s",
			    system->name,
			    volume->encrypted ? ", and its encryption is not used" : "");
}

static void user_name_read(struct meta_log *log, const struct meta_node *root,
			   const struct meta_field *field, struct meta_volume *volume)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-";
	struct meta_place place = field->key ? meta_field_place(field) : root->place;
	const char *text = "";
	size_t errors = log->errors;
	size_t length;

	if (field->value && !meta_field_text(log, field, &text))
		return;
	length = strlen(text);
	if (length == 0)
		meta_error(log, place, "name is required");
	if (length < 1 || length > USER_NAME_MAX)
		meta_error(log, place, "name must be between 1 and %u characters long",
			   USER_NAME_MAX);
	if (text[strspn(text, allowed)])
		meta_error(log, place,
			   "name can only contain lowercase and uppercase ASCII letters, digits, "
			   "and hyphens");
	volume->name = meta_copy(log, text);
	if (log->errors > errors)
		return;
	if (asprintf(&volume->id, "u-%s", text) < 0) {
		volume->id = NULL;
		log->no_memory = true;
	}
	if (asprintf(&volume->mount_point, "/var/mnt/%s", text) < 0) {
		volume->mount_point = NULL;
		log->no_memory = true;
	}
}

static void user_type_check(struct meta_log *log, const struct meta_field *field)
{
	const char *text = "partition";
	char shown[META_SHOW_ROOM];

	if (field->value && !meta_field_text(log, field, &text))
		return;
	if (strcasecmp(text, "partition") == 0)
		return;
	if (strcasecmp(text, "disk") == 0 || strcasecmp(text, "directory") == 0)
		meta_error(log, field->value->place,
			   "volumeType %s is not done by this version; partition is", text);
	else
		meta_error(log, field->value->place, "unsupported volume type \"%s\"",
			   meta_show(text, strlen(text), shown));
}

static void user_read(struct meta_log *log, const struct meta_node *root,
		      const struct meta_field *field, struct meta_volume *volume)
{
	struct meta_mount mount;

	volume->kind = META_VOLUME_USER;
	user_name_read(log, root, &field[F_NAME], volume);
	user_type_check(log, &field[F_VOLUME_TYPE]);
	if (meta_provisioning_read(log, &field[F_PROVISIONING], volume) && volume->id)
		partition_notice(log, &field[F_PROVISIONING], volume->id);
	meta_filesystem_read(log, &field[F_FILESYSTEM], volume);
	meta_encryption_read(log, &field[F_ENCRYPTION], volume);
	meta_mount_read(log, &field[F_MOUNT], &mount);
	volume->mount_secure = mount.secure;
	volume->mount_noexec = mount.secure;
	volume->mount_noatime = mount.noatime;
	volume->mount_mode = 0755;
}

enum meta_document_kind meta_document_read(struct meta_log *log, const struct meta_node *root,
					   struct meta_volume *volume)
{
	struct meta_schema schema = { .names = field_names, .count = F_VOLUME_TYPE };
	struct meta_field field[F_COUNT];
	const struct meta_node *kind;
	const struct meta_node *version;

	*volume = (struct meta_volume){ .line = root->place.line };
	if (root->kind != META_MAPPING) {
		if (root->kind != META_REFUSED && !meta_node_null(root))
			meta_error(log, root->place, "a document must be a mapping, not %s",
				   meta_node_kind_name(root));
		return META_DOCUMENT_OTHER;
	}
	kind = child_of(root, "kind");
	version = child_of(root, "apiVersion");
	if (!kind ||
	    (!meta_node_is(kind, "VolumeConfig") && !meta_node_is(kind, "UserVolumeConfig"))) {
		kind_refuse(log, root, kind, version);
		return META_DOCUMENT_OTHER;
	}
	if (meta_node_is(kind, "UserVolumeConfig"))
		schema.count = F_COUNT;
	version_check(log, root, version);
	meta_fields_read(log, root, &schema, field);
	meta_upkeep_read(log, &field[F_TRIM], &field[F_SCRUB]);
	if (schema.count == F_COUNT)
		user_read(log, root, field, volume);
	else
		system_read(log, root, field, volume);
	return schema.count == F_COUNT ? META_DOCUMENT_USER : META_DOCUMENT_SYSTEM;
}
