/* SPDX-License-Identifier: MIT */
/*
 * Hostile trust files, kernel command lines, and lists of known volumes. The first byte selects the
 * parser for the rest of the input. No trust may permit more than the defaults plus what was read,
 * and joining two of them permits no more than either. An accepted list is written, and must read
 * the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "config/trust.h"
#include "declared/known.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

enum kind { TRUST_FILE, COMMAND_LINE, JOINED, KNOWN_LIST };
const char *const fuzz_kinds[] = { "trust files", "command lines", "joined", "lists of volumes",
				   NULL };

/* The files of known volumes are in memory. */
static struct {
	int list;      /* what is read */
	int temporary; /* what was written */
} file = { -1, -1 };

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_unlinkat(int dir, const char *path, int flags);
int __wrap_fsync(int fd);

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	if (!strcmp(path, KNOWN_FILE)) {
		check(!(flags & O_CREAT) && lseek(file.list, 0, SEEK_SET) == 0);
		return dup(file.list);
	}
	if (strcmp(path, "." KNOWN_FILE ".new") != 0)
		return __real_openat(dir, path, flags);
	check((flags & O_CREAT) && (flags & O_EXCL));
	check(file.temporary < 0);
	file.temporary = memfd_create("new", MFD_CLOEXEC);
	return dup(file.temporary);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	(void)from;
	check(from_dir == to_dir && !strcmp(to, KNOWN_FILE));
	close(file.list);
	file.list = file.temporary;
	file.temporary = -1;
	return 0;
}

int __wrap_unlinkat(int dir, const char *path, int flags)
{
	(void)dir;
	(void)flags;
	check(!strcmp(path, "." KNOWN_FILE ".new"));
	return 0;
}

int __wrap_fsync(int fd)
{
	(void)fd;
	return 0;
}

static void check_error(enum mortise_code code, const struct mortise_error *err)
{
	check(code == err->code && *err->text);
	for (const char *at = err->text; *at; at++)
		check((unsigned char)*at >= ' ' || *at == '\n');
}

static void check_list(const struct config_trust_list *list)
{
	check(list->given || !list->count);
	for (size_t i = 0; i < list->count; i++)
		check(list->text[i] != NULL);
}

static void check_trust(const struct config_trust *trust)
{
	check(trust->state_keys && !(trust->state_keys & ~UINT32_C(15)));
	check(trust->state_keys == 15 || trust->state_encrypted);
	check(!trust->kms_ca || trust->kms_ca[0] == '/');
	check(memchr(trust->source, 0, sizeof(trust->source)) != NULL);
	check(!*trust->source == !trust->given);
	check(!trust->given || !(trust->given >> CONFIG_TRUST_MEMBERS));
	check_list(&trust->kms_endpoints[0]);
	check_list(&trust->kms_endpoints[1]);
}

static struct config_trust *parse(bool words, const uint8_t *text, size_t size)
{
	struct config_trust *trust;
	struct mortise_error err;
	enum mortise_code code =
		words ? config_trust_parse_command_line((const char *)text, size, &trust, &err)
		      : config_trust_parse((const char *)text, size, "trust.yaml", &trust, &err);

	check(!trust == (code != MORTISE_OK));
	if (code) {
		check_error(code, &err);
		return NULL;
	}
	check_trust(trust);
	if (trust->given)
		fuzz_accepted(words ? COMMAND_LINE : TRUST_FILE);
	return trust;
}

/* The text of a file, a zero byte, and a command line. */
static void join(const uint8_t *text, size_t size)
{
	const uint8_t *end = memchr(text, 0, size);
	struct config_trust *file_says, *words_say = NULL, before;
	struct mortise_error err;
	enum mortise_code code;

	if (!end)
		return;
	file_says = parse(false, text, (size_t)(end - text));
	if (file_says)
		words_say = parse(true, end + 1, size - (size_t)(end + 1 - text));
	if (words_say) {
		before = *file_says;
		code = config_trust_join(file_says, words_say, &err);
		if (code)
			check_error(code, &err);
		else
			check_trust(file_says);
		check(!(file_says->state_keys & ~before.state_keys & 15) &&
		      !(file_says->state_keys & ~words_say->state_keys));
		check(file_says->state_encrypted ==
		      (before.state_encrypted || words_say->state_encrypted));
		check(file_says->headers_sealed ==
		      (before.headers_sealed || words_say->headers_sealed));
		check(!file_says->kms_insecure || before.kms_insecure || words_say->kms_insecure);
		if (!code && before.given && words_say->given)
			fuzz_accepted(JOINED);
	}
	config_trust_free(file_says);
	config_trust_free(words_say);
}

static void check_volume(const struct known_volume *volume)
{
	static const uint8_t none[VOLUME_IDENTITY_SIZE];

	check(*volume->id && strlen(volume->id) <= MORTISE_NAME_MAX);
	check(volume->status <= KNOWN_READY);
	check(strlen(volume->uuid) < DISK_UUID_ROOM && strlen(volume->partuuid) < DISK_UUID_ROOM);
	check(volume->encrypted ? *volume->uuid : !memcmp(volume->identity, none, sizeof(none)));
}

static void known(const uint8_t *text, size_t size)
{
	struct known_list list, again;
	struct mortise_error err;
	enum mortise_code code;

	known_list_init(&list);
	known_list_init(&again);
	check(!ftruncate(file.list, 0) && pwrite(file.list, text, size, 0) == (ssize_t)size);
	code = known_load(&list, NULL, "/", &err);
	if (code) {
		check_error(code, &err);
		check(!list.count);
		goto out;
	}
	fuzz_accepted(KNOWN_LIST);
	for (size_t i = 0; i < list.count; i++)
		check_volume(&list.volumes[i]);
	list.changed = true;
	check(!known_store(&list, &err) && file.temporary < 0);
	check(!known_load(&again, NULL, "/", &err));
	check(again.count == list.count &&
	      (!list.count ||
	       !memcmp(list.volumes, again.volumes, list.count * sizeof(*list.volumes))));
out:
	known_list_clear(&list);
	known_list_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_trust *trust;

	if (file.list < 0)
		file.list = memfd_create("list", MFD_CLOEXEC);
	check(file.list >= 0);
	if (!size)
		return 0;
	switch (data[0] % 4) {
	case 0:
	case 1:
		trust = parse(data[0] % 4, data + 1, size - 1);
		config_trust_free(trust);
		break;
	case 2:
		join(data + 1, size - 1);
		break;
	default:
		known(data + 1, size - 1);
		break;
	}
	return 0;
}
