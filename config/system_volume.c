/* SPDX-License-Identifier: MIT */
/* Talos's system volumes, and the VolumeConfig that may say more of one. */
#include <stdlib.h>
#include <string.h>

#include "config/volume.h"

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
	enum config_filesystem filesystem;
	bool promoted; /* a partition only when provisioning is asked for */
} system_volumes[] = {
	{ "STATE", "/system/state", 0700, MOUNT_FIXED_SECURE, CONFIG_FS_XFS, false },
	{ "EPHEMERAL", "/var", 0755, MOUNT_FREE, CONFIG_FS_XFS, false },
	{ "IMAGECACHE", "/system/imagecache/disk", 0700, MOUNT_FIXED_PLAIN, CONFIG_FS_EXT4, false },
	{ "ETCD", "/var/lib/etcd", 0700, MOUNT_FREE_NOEXEC, CONFIG_FS_XFS, true },
	{ "CRI", "/var/lib/containerd", 0700, MOUNT_FREE, CONFIG_FS_XFS, true },
	{ "KUBELET", "/var/lib/kubelet", 0700, MOUNT_FREE, CONFIG_FS_XFS, true },
	{ "LOG", "/var/log", 0755, MOUNT_FREE_NOEXEC, CONFIG_FS_XFS, true },
};

#define SYSTEM_VOLUMES (sizeof(system_volumes) / sizeof(system_volumes[0]))

/* secure is what "mount" says, true when it says nothing. */
static void mount_set(const struct system_volume *system, const struct config_mount *mount,
		      struct config_volume *volume)
{
	volume->mount_secure = mount->secure && system->policy != MOUNT_FIXED_PLAIN;
	volume->mount_noexec = volume->mount_secure && system->policy != MOUNT_FREE;
	volume->mount_noatime = mount->noatime;
}

static void volume_set(struct config_log *log, const struct system_volume *system,
		       struct config_volume *volume)
{
	volume->kind = CONFIG_VOLUME_SYSTEM;
	volume->name = config_copy(log, system->name);
	volume->id = config_copy(log, system->name);
	volume->filesystem = system->filesystem;
	volume->mount_point = config_copy(log, system->mount_point);
	volume->mount_mode = system->mode;
	mount_set(system, &(struct config_mount){ .secure = true }, volume);
}

static const struct system_volume *find_by_name(const char *name)
{
	for (size_t i = 0; i < SYSTEM_VOLUMES; i++)
		if (strcmp(name, system_volumes[i].name) == 0)
			return &system_volumes[i];
	return NULL;
}

void config_system_volume(struct config_log *log, const char *name, struct config_volume *volume)
{
	const struct system_volume *system = find_by_name(name);

	if (system)
		volume_set(log, system, volume);
}

static const struct system_volume *
system_find(struct config_log *log, const struct config_node *root, const struct config_field *name)
{
	const struct system_volume *system;
	const char *text = "";

	if (name->value && !config_field_text(log, name, &text))
		return NULL;
	system = find_by_name(text);
	if (!system)
		config_error(log, name->key ? config_field_place(name) : root->place,
			     "only [\"STATE\" \"EPHEMERAL\" \"IMAGECACHE\" \"ETCD\" \"CRI\" "
			     "\"KUBELET\" \"LOG\"] volumes are supported");
	return system;
}

static void mount_read(struct config_log *log, const struct config_field *field,
		       const struct system_volume *system, bool partition,
		       struct config_volume *volume)
{
	struct config_mount mount;

	config_mount_read(log, field, &mount);
	if (mount.given && system->policy >= MOUNT_FIXED_SECURE)
		config_error(log, field->key->place,
			     "mount config is not allowed for the \"%s\" volume", system->name);
	else if (mount.given && !partition)
		config_error(log, field->key->place,
			     "mount config for the \"%s\" volume is only supported when it is "
			     "provisioned onto a dedicated partition",
			     system->name);
	mount_set(system, &mount, volume);
}

static void filesystem_read(struct config_log *log, const struct config_field *field,
			    const struct system_volume *system, struct config_volume *volume)
{
	if (system->filesystem != CONFIG_FS_XFS && field->value && field->value->child)
		config_error(log, field->key->place,
			     "filesystem config is not allowed for the \"%s\" volume",
			     system->name);
	else
		config_filesystem_read(log, field, volume);
}

/* True when the volume is a partition, not a directory of EPHEMERAL. */
static bool provisioning_read(struct config_log *log, const struct config_field *field,
			      const struct system_volume *system,
			      const struct config_volume *volume)
{
	bool asked = config_provisioning_read(log, field, volume);

	if (asked && system == &system_volumes[0])
		config_error(log, field->key->place,
			     "provisioning config is not allowed for the \"STATE\" volume");
	else if (asked)
		config_provisioning_notice(log, field, volume);
	return asked || !system->promoted;
}

static void not_ours(struct config_log *log, struct config_place root, struct config_volume *volume)
{
	free(volume->id);
	volume->id = NULL;
	config_notice(
		log, root,
		"volume %s without provisioning is a directory of EPHEMERAL: there is nothing "
		"to do for it%s",
		volume->name, volume->encrypted ? ", and its encryption is not used" : "");
}

void config_system_read(struct config_log *log, const struct config_node *root,
			struct config_declared *declared)
{
	static const struct config_schema schema = { .names = field_names, .count = F_COUNT };
	struct config_volume *volume = &declared->volume;
	const struct system_volume *system;
	struct config_field field[F_COUNT];
	bool partition;

	config_fields_read(log, root, &schema, field);
	config_upkeep_read(log, &field[F_TRIM], &field[F_SCRUB]);
	system = system_find(log, root, &field[F_NAME]);
	if (!system)
		return;
	volume_set(log, system, volume);
	if (log->no_memory)
		return;
	partition = provisioning_read(log, &field[F_PROVISIONING], system, volume);
	mount_read(log, &field[F_MOUNT], system, partition, volume);
	filesystem_read(log, &field[F_FILESYSTEM], system, volume);
	config_encryption_read(log, &field[F_ENCRYPTION], CONFIG_FORM_VOLUME, volume);
	declared->encryption = volume->encrypted ? field[F_ENCRYPTION].value : NULL;
	if (!partition)
		not_ours(log, root->place, volume);
}
