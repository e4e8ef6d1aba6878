/* SPDX-License-Identifier: MIT */
/* Talos's system volumes and their VolumeConfig documents. */
#include <stdio.h>
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
	MOUNT_FREE,	    /* "mount" is allowed */
	MOUNT_FREE_NOEXEC,  /* "mount" is allowed, and secure implies noexec */
	MOUNT_FIXED_SECURE, /* "mount" is not allowed */
	MOUNT_FIXED_PLAIN,
};

/* The only list of system volumes. */
static const struct system_volume {
	const char *name;
	const char *mount_point;
	unsigned mode;
	enum mount_policy policy;
	enum config_filesystem filesystem;
	bool promoted; /* a partition if it has provisioning, else a directory in EPHEMERAL */
	bool grow;     /* by default */
} system_volumes[] = {
	{ CONFIG_STATE, "/system/state", 0700, MOUNT_FIXED_SECURE, CONFIG_FS_XFS, false, false },
	{ "EPHEMERAL", "/var", 0755, MOUNT_FREE, CONFIG_FS_XFS, false, true },
	{ "IMAGECACHE", "/system/imagecache/disk", 0700, MOUNT_FIXED_PLAIN, CONFIG_FS_EXT4, false,
	  false },
	{ "ETCD", "/var/lib/etcd", 0700, MOUNT_FREE_NOEXEC, CONFIG_FS_XFS, true, false },
	{ "CRI", "/var/lib/containerd", 0700, MOUNT_FREE, CONFIG_FS_XFS, true, false },
	{ "KUBELET", "/var/lib/kubelet", 0700, MOUNT_FREE, CONFIG_FS_XFS, true, false },
	{ "LOG", "/var/log", 0755, MOUNT_FREE_NOEXEC, CONFIG_FS_XFS, true, false },
};

#define SYSTEM_VOLUMES (sizeof(system_volumes) / sizeof(system_volumes[0]))

/* mount->secure is true by default. */
static void set_mount_options(const struct system_volume *system, const struct config_mount *mount,
			      struct config_volume *volume)
{
	volume->mount_secure = mount->secure && system->policy != MOUNT_FIXED_PLAIN;
	volume->mount_noexec = volume->mount_secure && system->policy != MOUNT_FREE;
	volume->mount_noatime = mount->noatime;
}

static void init_volume(struct config_log *log, const struct system_volume *system,
			struct config_volume *volume)
{
	volume->kind = CONFIG_VOLUME_SYSTEM;
	volume->name = config_strdup(log, system->name);
	volume->id = config_strdup(log, system->name);
	volume->filesystem = system->filesystem;
	volume->mount_point = config_strdup(log, system->mount_point);
	volume->mount_mode = system->mode;
	volume->provisioning.grow = system->grow;
	set_mount_options(system, &(struct config_mount){ .secure = true }, volume);
}

static const struct system_volume *find_by_name(const char *name)
{
	for (size_t i = 0; i < SYSTEM_VOLUMES; i++)
		if (strcmp(name, system_volumes[i].name) == 0)
			return &system_volumes[i];
	return NULL;
}

bool config_is_system_volume(const char *name)
{
	return find_by_name(name);
}

void config_system_volume_init(struct config_log *log, const char *name,
			       struct config_volume *volume)
{
	const struct system_volume *system = find_by_name(name);

	if (system)
		init_volume(log, system, volume);
}

static const struct system_volume *read_name(struct config_log *log, const struct config_node *root,
					     const struct config_field *name)
{
	const struct system_volume *system;
	const char *text = "";
	char names[128]; /* 68 are used */
	size_t used = 0;

	if (name->value && !config_field_text(log, name, &text))
		return NULL;
	system = find_by_name(text);
	if (system)
		return system;
	for (size_t i = 0; i < SYSTEM_VOLUMES; i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s\"%s\"",
					 i ? " " : "", system_volumes[i].name);
	config_error(log, name->key ? config_field_position(name) : root->position,
		     "only [%s] volumes are supported", names);
	return NULL;
}

static void read_mount(struct config_log *log, const struct config_field *field,
		       const struct system_volume *system, bool partition,
		       struct config_volume *volume)
{
	struct config_mount mount;

	config_mount_read(log, field, false, &mount);
	if (mount.given && system->policy >= MOUNT_FIXED_SECURE)
		config_error(log, field->key->position,
			     "mount config is not allowed for the \"%s\" volume", system->name);
	else if (mount.given && !partition)
		config_error(log, field->key->position,
			     "mount config for the \"%s\" volume is only supported when it is "
			     "provisioned onto a dedicated partition",
			     system->name);
	set_mount_options(system, &mount, volume);
}

static void read_filesystem(struct config_log *log, const struct config_field *field,
			    const struct system_volume *system, struct config_volume *volume)
{
	if (system->filesystem != CONFIG_FS_XFS && field->value && field->value->child)
		config_error(log, field->key->position,
			     "filesystem config is not allowed for the \"%s\" volume",
			     system->name);
	else
		config_filesystem_read(log, field, volume);
}

/* True if the volume is a partition, not a directory in EPHEMERAL. */
static bool read_provisioning(struct config_log *log, const struct config_field *field,
			      const struct system_volume *system, struct config_volume *volume)
{
	bool asked = config_provisioning_read(log, field, volume);

	if (asked && system == &system_volumes[0])
		config_error(log, field->key->position,
			     "provisioning config is not allowed for the \"" CONFIG_STATE
			     "\" volume");
	return asked || !system->promoted;
}

static void ignore_volume(struct config_log *log, struct config_position root,
			  struct config_volume *volume)
{
	free(volume->id);
	volume->id = NULL;
	config_notice(log, root,
		      "volume %s without provisioning is a directory in EPHEMERAL and is ignored%s",
		      volume->name, volume->encrypted ? ", with its encryption" : "");
}

void config_system_read(struct config_log *log, const struct config_node *root,
			struct config_declaration *declared)
{
	static const struct config_schema schema = { .names = field_names, .count = F_COUNT };
	struct config_volume *volume = &declared->volume;
	const struct system_volume *system;
	struct config_field field[F_COUNT];
	bool partition;

	config_fields_read(log, root, &schema, field);
	system = read_name(log, root, &field[F_NAME]);
	if (!system)
		return;
	init_volume(log, system, volume);
	if (log->out_of_memory)
		return;
	partition = read_provisioning(log, &field[F_PROVISIONING], system, volume);
	read_mount(log, &field[F_MOUNT], system, partition, volume);
	read_filesystem(log, &field[F_FILESYSTEM], system, volume);
	config_encryption_read(log, &field[F_ENCRYPTION], CONFIG_ORIGIN_DOCUMENT, volume);
	declared->encryption = volume->encrypted ? field[F_ENCRYPTION].value : NULL;
	config_upkeep_read(log, &field[F_TRIM], &field[F_SCRUB], volume);
	if (!partition)
		ignore_volume(log, root->position, volume);
}
