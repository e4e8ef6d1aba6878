/* SPDX-License-Identifier: MIT */
/*
 * The list of known volumes, ROOT/system/state/volumes.json: which volumes this machine has, so
 * that a run neither formats a known volume again nor opens another volume in its place. It is
 * trusted as far as STATE is.
 */
#ifndef DECLARED_KNOWN_H
#define DECLARED_KNOWN_H

#include <pthread.h>

#include "disk/uuids.h"
#include "volume/identity.h"

#define KNOWN_FILE	"volumes.json"
#define KNOWN_FILE_MAX	(256u << 10) /* bytes; more than KNOWN_MAX entries need */
#define KNOWN_MAX	512u	     /* entries */

enum known_status {
	KNOWN_EXPECTED,		/* declared when the list was created, and not ready since then */
	KNOWN_FORMATTING,	/* a format has begun, which may be unfinished */
	KNOWN_READY,		/* the volume was ready at least once */
	KNOWN_ENCRYPTING,	/* an encryption in place has begun: uuid is that of the plain file
				 * system, next that of the encrypted volume */
	KNOWN_DECRYPTING,	/* a decryption in place has begun, of this encrypted volume */
};

struct known_volume {
	char id[MORTISE_NAME_MAX + 1];
	enum known_status status;
	/* The members below are unset for KNOWN_EXPECTED. */
	bool encrypted;
	char uuid[DISK_UUID_ROOM]; /* of the LUKS2 header or file system; "": a raw volume */
	uint8_t identity[VOLUME_IDENTITY_SIZE]; /* of an encrypted volume, otherwise zero */
	uint8_t next[VOLUME_IDENTITY_SIZE]; /* while the volume key is replaced, otherwise zero */
	char partuuid[DISK_UUID_ROOM]; /* of its GPT partition, or "" */
	bool detached; /* its header is in STATE */
};

/* "expected", "ready"; the name in the file. */
const char *known_status_name(enum known_status status);

/* Threads may use a loaded list at the same time. */
struct known_list {
	pthread_mutex_t lock;
	const char *root;	/* of the mount points; see config_state_dir_open() */
	const char *dir;	/* where STATE is mounted, which begins with root */
	bool is_new;		/* there was no file */
	bool changed;		/* since it was read or stored */
	struct known_volume *volumes;
	size_t count;
};

void known_list_init(struct known_list *list);
void known_list_clear(struct known_list *list);

/*
 * Reads the list from the directory where STATE is mounted. root and dir must outlive the list.
 * Without a file, the list is empty and is_new. MORTISE_E_CORRUPT: the file is not a list.
 * MORTISE_E_DEVICE: it cannot be read. The list is empty after a failure.
 */
MORTISE_MUST_CHECK enum mortise_code known_load(struct known_list *list, const char *root,
						const char *dir, struct mortise_error *err);

/* Parses the bytes of the file into an empty list. dir names the file in err. MORTISE_E_CORRUPT. */
MORTISE_MUST_CHECK enum mortise_code known_parse(struct known_list *list, const char *text,
						 size_t size, struct mortise_error *err);

/* Is this the volume's identity, or the one after the volume key is replaced? */
bool known_matches(const struct known_volume *volume,
		   const uint8_t identity[static VOLUME_IDENTITY_SIZE]);

/* Copies the entry of a volume to *volume. False: the list has none. */
bool known_find(struct known_list *list, const char *id, struct known_volume *volume);

/* Adds or replaces the entry with this id, in memory. MORTISE_E_NO_SPACE: the list is full. */
MORTISE_MUST_CHECK enum mortise_code
known_set(struct known_list *list, const struct known_volume *volume, struct mortise_error *err);

/* Removes the entry with this id, in memory. */
void known_remove(struct known_list *list, const char *id);

/* Writes the list to STATE, unless the file already has these entries. */
MORTISE_MUST_CHECK enum mortise_code known_store(struct known_list *list,
						 struct mortise_error *err);

#endif
