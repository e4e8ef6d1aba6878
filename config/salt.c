/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "config/fields.h"
#include "config/salt.h"
#include "config/state_file.h"

/* Talos writes at most 10 + 32 * 10 bytes; other YAML styles are not much longer. */
#define FILE_MAX 4096u

static enum mortise_code set_corrupt(const char *dir, const char *why, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_CORRUPT, 0,
			 "%s/%s is damaged: %s; restore it from a copy: keys locked to STATE "
			 "need this salt",
			 dir, CONFIG_SALT_FILE, why);
}

static enum mortise_code decode_list(const struct config_node *list, const char *dir,
				     uint8_t salt[static CONFIG_SALT_SIZE],
				     struct mortise_error *err)
{
	static const uint8_t zero[CONFIG_SALT_SIZE];
	const struct config_node *item = list->child;
	long long byte;
	size_t count = 0;

	for (; item; item = item->next, count++) {
		if (!config_node_number(item, &byte) || byte < 0 || byte > 255)
			return set_corrupt(dir, "an item of diskSalt is not a byte", err);
		if (count < CONFIG_SALT_SIZE)
			salt[count] = (uint8_t)byte;
	}
	if (count != CONFIG_SALT_SIZE)
		return set_corrupt(dir, "diskSalt does not hold 32 bytes", err);
	if (secret_equal(salt, zero, CONFIG_SALT_SIZE))
		return set_corrupt(dir, "diskSalt is all zero", err);
	return MORTISE_OK;
}

static enum mortise_code decode_tree(const struct config_tree *tree, const char *dir,
				     uint8_t salt[static CONFIG_SALT_SIZE],
				     struct mortise_error *err)
{
	const struct config_node *root = tree->document_count == 1 ? tree->document[0] : NULL;
	const struct config_node *list = NULL;

	if (!root || root->kind != CONFIG_MAPPING)
		return set_corrupt(dir, "it is not a single mapping with the key diskSalt", err);
	/* A newer Talos may add other keys. */
	for (const struct config_node *key = root->child; key; key = key->next->next) {
		if (!config_node_is(key, "diskSalt"))
			continue;
		if (list)
			return set_corrupt(dir, "diskSalt is given twice", err);
		list = key->next;
	}
	if (!list || list->kind != CONFIG_LIST)
		return set_corrupt(dir, "the list diskSalt is missing", err);
	return decode_list(list, dir, salt, err);
}

static enum mortise_code decode_text(const char *text, size_t size, const char *dir,
				     uint8_t salt[static CONFIG_SALT_SIZE],
				     struct mortise_error *err)
{
	struct config_diagnostics diagnostics = { 0 };
	struct config_log log = { .diagnostics = &diagnostics };
	struct config_tree *tree = config_tree_parse(text, size, &log);
	enum mortise_code code;

	if (log.out_of_memory)
		code = error_set(err, MORTISE_E_MEMORY, 0, "cannot read %s/%s: not enough memory",
				 dir, CONFIG_SALT_FILE);
	else if (log.errors)
		code = set_corrupt(dir, diagnostics.diagnostic[0].text, err);
	else
		code = decode_tree(tree, dir, salt, err);
	config_tree_free(tree);
	config_diagnostics_clear(&diagnostics);
	return code;
}

static enum mortise_code set_error(const char *action, const char *dir, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_DEVICE, errno, "cannot %s %s/%s", action, dir,
			 CONFIG_SALT_FILE);
}

static enum mortise_code read_text(int fd, const char *dir, char text[static FILE_MAX + 1],
				   size_t *size, struct mortise_error *err)
{
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st) < 0)
		return set_error("read", dir, err);
	if (!S_ISREG(st.st_mode))
		return set_corrupt(dir, "not a regular file", err);
	got = file_read_fd(fd, text, FILE_MAX + 1);
	if (got < 0)
		return set_error("read", dir, err);
	if ((size_t)got > FILE_MAX)
		return set_corrupt(dir, "too large", err);
	*size = (size_t)got;
	return MORTISE_OK;
}

/* EROFS, EINVAL: there is nothing to flush. */
static bool flush_fd(int fd)
{
	return fsync(fd) == 0 || errno == EROFS || errno == EINVAL;
}

/* durable: flush the file to disk, so that a power cut cannot lose the salt read. */
static enum mortise_code load_salt(int dir_fd, const char *dir, bool durable,
				   uint8_t salt[static CONFIG_SALT_SIZE], struct mortise_error *err)
{
	char text[FILE_MAX + 1];
	size_t size = 0;
	enum mortise_code code;
	int fd;

	fd = openat(dir_fd, CONFIG_SALT_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, MORTISE_E_WAIT, 0,
				 "encryption salt not available: %s/%s does not exist; it is "
				 "created when STATE is mounted for the first time",
				 dir, CONFIG_SALT_FILE);
	if (fd < 0)
		return set_error("open", dir, err);
	code = read_text(fd, dir, text, &size, err);
	if (code)
		goto out;
	code = decode_text(text, size, dir, salt, err);
	if (code)
		goto out;
	if (durable && !(flush_fd(fd) && flush_fd(dir_fd)))
		code = set_error("flush", dir, err);
out:
	if (code)
		secret_wipe(salt, CONFIG_SALT_SIZE);
	secret_wipe(text, sizeof(text));
	close(fd);
	return code;
}

enum mortise_code config_salt_read(const char *root, const char *state_dir,
				   uint8_t salt[static CONFIG_SALT_SIZE], struct mortise_error *err)
{
	enum mortise_code code;
	int dir_fd;

	code = config_state_dir_open(root, state_dir, &dir_fd, err);
	if (code != MORTISE_OK)
		return code;
	code = load_salt(dir_fd, state_dir, false, salt, err);
	close(dir_fd);
	return code;
}

/* Exactly Talos's style. */
static size_t encode_text(const uint8_t salt[static CONFIG_SALT_SIZE],
			  char text[static FILE_MAX + 1])
{
	int size = sprintf(text, "diskSalt:\n");

	for (size_t i = 0; i < CONFIG_SALT_SIZE; i++)
		size += sprintf(text + size, "    - %u\n", salt[i]);
	return (size_t)size;
}

static enum mortise_code store_salt(int dir_fd, const char *dir,
				    const uint8_t salt[static CONFIG_SALT_SIZE],
				    struct mortise_error *err)
{
	char text[FILE_MAX + 1];
	const struct config_state_file file = {
		.name = CONFIG_SALT_FILE,
		.bytes = text,
		.size = encode_text(salt, text),
	};
	enum mortise_code code = config_state_file_store(dir_fd, dir, &file, err);

	secret_wipe(text, sizeof(text));
	return code;
}

static enum mortise_code lock_dir(int dir_fd, const char *dir, struct mortise_error *err)
{
	int rc;

	do {
		rc = flock(dir_fd, LOCK_EX);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? set_error("lock the directory of", dir, err) : MORTISE_OK;
}

enum mortise_code config_salt_ensure(const char *root, const char *state_dir,
				     uint8_t salt[static CONFIG_SALT_SIZE],
				     struct mortise_error *err)
{
	uint8_t fresh[CONFIG_SALT_SIZE];
	enum mortise_code code;
	int dir_fd;

	code = config_state_dir_open(root, state_dir, &dir_fd, err);
	if (code != MORTISE_OK)
		return code;
	code = lock_dir(dir_fd, state_dir, err);
	if (code)
		goto out;
	code = load_salt(dir_fd, state_dir, true, salt, err);
	if (code != MORTISE_E_WAIT)
		goto out;
	code = random_bytes(fresh, sizeof(fresh), err);
	if (code)
		goto out;
	code = store_salt(dir_fd, state_dir, fresh, err);
	if (code)
		goto out;
	/* Another process, such as Talos, may have created the file first. */
	code = load_salt(dir_fd, state_dir, true, salt, err);
out:
	secret_wipe(fresh, sizeof(fresh));
	close(dir_fd);
	return code;
}
