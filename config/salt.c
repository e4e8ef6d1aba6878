/* SPDX-License-Identifier: MIT */
/* Reading and making the salt file of STATE, whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/secret.h"
#include "config/fields.h"
#include "config/salt.h"
#include "config/state_file.h"

/* As Talos writes it there are at most 10 + 32 * 10 bytes; other forms are not much longer. */
#define FILE_MAX 4096u

static enum mortise_code corrupt(const char *dir, const char *why, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_CORRUPT, 0,
			 "%s/%s: %s; restore the file from a copy: volumes that are locked to it "
			 "open with no other",
			 dir, CONFIG_SALT_FILE, why);
}

static enum mortise_code list_decode(const struct config_node *list, const char *dir,
				     uint8_t salt[static CONFIG_SALT_SIZE],
				     struct mortise_error *err)
{
	static const uint8_t zero[CONFIG_SALT_SIZE];
	const struct config_node *item = list->child;
	long long byte;
	size_t count = 0;

	for (; item; item = item->next, count++) {
		if (item->kind != CONFIG_SCALAR || !config_node_number(item, &byte) || byte < 0 ||
		    byte > 255)
			return corrupt(dir, "diskSalt holds something that is no byte", err);
		if (count < CONFIG_SALT_SIZE)
			salt[count] = (uint8_t)byte;
	}
	if (count != CONFIG_SALT_SIZE)
		return corrupt(dir, "diskSalt does not hold 32 bytes", err);
	if (secret_equal(salt, zero, CONFIG_SALT_SIZE))
		return corrupt(dir, "diskSalt is all zero", err);
	return MORTISE_OK;
}

static enum mortise_code tree_decode(const struct config_tree *tree, const char *dir,
				     uint8_t salt[static CONFIG_SALT_SIZE],
				     struct mortise_error *err)
{
	const struct config_node *root = tree->document_count == 1 ? tree->document[0] : NULL;
	const struct config_node *list = NULL;

	if (!root || root->kind != CONFIG_MAPPING)
		return corrupt(dir, "it does not hold one mapping with the key diskSalt", err);
	/* Other keys are a newer Talos's. */
	for (const struct config_node *key = root->child; key; key = key->next->next) {
		if (!config_node_is(key, "diskSalt"))
			continue;
		if (list)
			return corrupt(dir, "diskSalt is given twice", err);
		list = key->next;
	}
	if (!list || list->kind != CONFIG_LIST)
		return corrupt(dir, "it has no list diskSalt", err);
	return list_decode(list, dir, salt, err);
}

static enum mortise_code text_decode(const char *text, size_t size, const char *dir,
				     uint8_t salt[static CONFIG_SALT_SIZE],
				     struct mortise_error *err)
{
	struct config_remarks remarks = { 0 };
	struct config_log log = { .remarks = &remarks };
	struct config_tree *tree = config_tree_parse(text, size, &log);
	enum mortise_code code;

	if (log.no_memory)
		code = error_set(err, MORTISE_E_MEMORY, 0, "not enough memory to read %s/%s", dir,
				 CONFIG_SALT_FILE);
	else if (log.errors)
		code = corrupt(dir, remarks.remark[0].text, err);
	else
		code = tree_decode(tree, dir, salt, err);
	config_tree_free(tree);
	config_remarks_clear(&remarks);
	return code;
}

static enum mortise_code failed(const char *dir, const char *what, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_DEVICE, errno, "%s/%s: cannot %s", dir, CONFIG_SALT_FILE,
			 what);
}

/* The file's bytes; more than FILE_MAX are an error. */
static enum mortise_code file_read(int fd, const char *dir, char text[static FILE_MAX + 1],
				   size_t *size, struct mortise_error *err)
{
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st) < 0)
		return failed(dir, "look at it", err);
	if (!S_ISREG(st.st_mode))
		return corrupt(dir, "it is no regular file", err);
	*size = 0;
	do {
		got = read(fd, text + *size, FILE_MAX + 1 - *size);
		if (got < 0 && errno != EINTR)
			return failed(dir, "read it", err);
		*size += got > 0 ? (size_t)got : 0;
	} while (got != 0 && *size <= FILE_MAX);
	if (*size > FILE_MAX)
		return corrupt(dir, "it is too large for 32 bytes", err);
	return MORTISE_OK;
}

/* A read-only file system has nothing to flush. */
static bool flush(int fd)
{
	return fsync(fd) == 0 || errno == EROFS || errno == EINVAL;
}

/* durable: return only when a power cut can no longer take away what was read. */
static enum mortise_code salt_load(int dir_fd, const char *dir, bool durable,
				   uint8_t salt[static CONFIG_SALT_SIZE], struct mortise_error *err)
{
	char text[FILE_MAX + 1];
	size_t size = 0;
	enum mortise_code code;
	int fd;

	fd = openat(dir_fd, CONFIG_SALT_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, MORTISE_E_WAIT, 0,
				 "%s/%s: encryption salt not available; it is made when STATE is "
				 "mounted for the first time",
				 dir, CONFIG_SALT_FILE);
	if (fd < 0)
		return failed(dir, "open it", err);
	code = file_read(fd, dir, text, &size, err);
	if (code == MORTISE_OK)
		code = text_decode(text, size, dir, salt, err);
	if (code == MORTISE_OK && durable && !(flush(fd) && flush(dir_fd)))
		code = failed(dir, "flush it", err);
	if (code != MORTISE_OK)
		secret_wipe(salt, CONFIG_SALT_SIZE);
	secret_wipe(text, sizeof(text));
	close(fd);
	return code;
}

enum mortise_code config_salt_read(const char *state_dir, uint8_t salt[static CONFIG_SALT_SIZE],
				   struct mortise_error *err)
{
	enum mortise_code code;
	int dir_fd;

	code = config_state_dir_open(state_dir, &dir_fd, err);
	if (code != MORTISE_OK)
		return code;
	code = salt_load(dir_fd, state_dir, false, salt, err);
	close(dir_fd);
	return code;
}

/* Talos's own form, to the byte. */
static size_t text_encode(const uint8_t salt[static CONFIG_SALT_SIZE],
			  char text[static FILE_MAX + 1])
{
	int size = sprintf(text, "diskSalt:\n");

	for (size_t i = 0; i < CONFIG_SALT_SIZE; i++)
		size += sprintf(text + size, "    - %u\n", salt[i]);
	return (size_t)size;
}

static enum mortise_code salt_store(int dir_fd, const char *dir,
				    const uint8_t salt[static CONFIG_SALT_SIZE],
				    struct mortise_error *err)
{
	char text[FILE_MAX + 1];
	const struct config_state_file file = {
		.name = CONFIG_SALT_FILE,
		.bytes = text,
		.size = text_encode(salt, text),
	};
	enum mortise_code code = config_state_file_store(dir_fd, dir, &file, err);

	secret_wipe(text, sizeof(text));
	return code;
}

static enum mortise_code lock(int dir_fd, const char *dir, struct mortise_error *err)
{
	int rc;

	do {
		rc = flock(dir_fd, LOCK_EX);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? failed(dir, "lock its directory", err) : MORTISE_OK;
}

enum mortise_code config_salt_ensure(const char *state_dir, uint8_t salt[static CONFIG_SALT_SIZE],
				     struct mortise_error *err)
{
	uint8_t fresh[CONFIG_SALT_SIZE];
	enum mortise_code code;
	int dir_fd;

	code = config_state_dir_open(state_dir, &dir_fd, err);
	if (code != MORTISE_OK)
		return code;
	code = lock(dir_fd, state_dir, err);
	if (code == MORTISE_OK)
		code = salt_load(dir_fd, state_dir, true, salt, err);
	if (code == MORTISE_E_WAIT) {
		code = random_bytes(fresh, sizeof(fresh), err);
		if (code == MORTISE_OK)
			code = salt_store(dir_fd, state_dir, fresh, err);
		/* What counts is what the file says, also when another made it. */
		if (code == MORTISE_OK)
			code = salt_load(dir_fd, state_dir, true, salt, err);
	}
	secret_wipe(fresh, sizeof(fresh));
	close(dir_fd);
	return code;
}
