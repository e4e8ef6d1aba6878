/* SPDX-License-Identifier: MIT */
/*
 * A table of every operation that writes a header: the initial state of the disk, the operation,
 * and the condition that the disk must meet at any moment. For the tests of power cuts and of
 * failing devices.
 */
#ifndef LUKS2_OPERATIONS_H
#define LUKS2_OPERATIONS_H

#include "luks2/format.h"
#include "tests/cheap_keyslot.h"
#include "tests/luks2_disk.h"

#define OLD "the old passphrase"
#define NEW "the new passphrase"
#define SECOND "of another keyslot"

struct operation {
	const char *name;
	void (*prepare)(void);
	enum mortise_code (*act)(struct mortise_error *err);
	bool (*holds)(const char *path);	/* at any moment */
	bool (*done)(const char *path);		/* after act has succeeded */
	bool formats;
	bool stale;				/* the initial state has a stale copy */
};

static inline struct mortise_secret *secret(const char *text)
{
	struct mortise_secret *made = NULL;

	assert_int_equal(mortise_secret_from(text, strlen(text), &made, NULL), MORTISE_OK);
	return made;
}

static inline struct mortise_luks2 *load(const char *path, bool no_locks)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path,
						   .no_locks = no_locks };
	struct mortise_luks2 *header = NULL;

	if (mortise_luks2_load(&location, &header, NULL))
		return NULL;
	return header;
}

static inline bool unlock(struct mortise_luks2 *header, int keyslot, const char *passphrase)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = keyslot };
	struct mortise_secret *given = secret(passphrase);
	enum mortise_code code = mortise_keyslot_open(header, &search, given, NULL, NULL, NULL);

	mortise_secret_free(&given);
	return code == MORTISE_OK;
}

static inline bool listed(const struct mortise_luks2 *header, int keyslot)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };

	return mortise_keyslot_info(header, keyslot, &info, NULL) == MORTISE_OK;
}

/* Bytes of the keyslots area of the next format; 0: all up to the data. */
static uint64_t format_keyslots_size;

static inline enum mortise_code format_disk(const char *passphrase, struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = disk.path };
	const struct mortise_format format = {
		.struct_size = sizeof(format),
		.key_size = 32,
		.data_offset = DISK_SIZE,
		.keyslots_size = format_keyslots_size,
		.digest_iterations = 1000,
	};
	struct mortise_secret *given = secret(passphrase);
	struct mortise_luks2 *header = NULL;
	enum mortise_code code = mortise_luks2_format(&location, &format, &header, err);

	/* The header is marked as unfinished: from here on, the format is a normal update. */
	if (!code)
		spare.formatting = false;
	if (!code)
		code = mortise_keyslot_add(header, cheap_keyslot(0), given, NULL, NULL, err);
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	return code;
}

static inline enum mortise_code add_to(struct mortise_luks2 *header, int id, const char *passphrase,
				       struct mortise_error *err)
{
	struct mortise_secret *given = secret(passphrase);
	enum mortise_code code;

	code = mortise_keyslot_add(header, cheap_keyslot(id), given, NULL, NULL, err);
	mortise_secret_free(&given);
	return code;
}

/* Initial states. */

static inline void prepare_nothing(void)
{
	uint8_t *zeros = calloc(1, DISK_SIZE);

	assert_non_null(zeros);
	disk_store(disk.path, zeros);
	free(zeros);
}

static inline void prepare_one(void)
{
	prepare_nothing();
	assert_int_equal(format_disk(OLD, NULL), MORTISE_OK);
}

static inline void prepare_two(void)
{
	struct mortise_luks2 *header;

	prepare_one();
	header = load(disk.path, false);
	assert_non_null(header);
	assert_true(unlock(header, 0, OLD));
	assert_int_equal(add_to(header, 1, SECOND, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
}

/* The keyslots area has no room for a second keyslot. */
static inline void prepare_full(void)
{
	format_keyslots_size = AREA_SIZE;
	prepare_one();
	format_keyslots_size = 0;
}

static inline void damage(uint64_t offset)
{
	uint8_t *image = malloc(DISK_SIZE);

	assert_non_null(image);
	disk_fetch(disk.path, image);
	image[offset + LUKS2_BINARY_SIZE + 100] ^= 1;
	disk_store(disk.path, image);
	free(image);
}

static inline void prepare_bad_primary(void)
{
	prepare_two();
	damage(0);
}

static inline void prepare_bad_secondary(void)
{
	prepare_two();
	damage(COPY_SIZE);
}

static inline enum mortise_code act_change(struct mortise_error *err);

/* Only the primary has a change: the secondary still refers to the freed area. */
static inline void prepare_stale_secondary(void)
{
	uint8_t *before = malloc(DISK_SIZE), *after = malloc(DISK_SIZE);

	assert_non_null(before);
	assert_non_null(after);
	prepare_one();
	disk_fetch(disk.path, before);
	assert_int_equal(act_change(NULL), MORTISE_OK);
	disk_fetch(disk.path, after);
	memcpy(after + COPY_SIZE, before + COPY_SIZE, COPY_SIZE);
	disk_store(disk.path, after);
	free(before);
	free(after);
}

#include "tests/luks2_rescues.h"

/* Operations. */

static inline enum mortise_code act_format(struct mortise_error *err)
{
	return format_disk(NEW, err);
}

static inline enum mortise_code with_loaded(bool no_locks, const char *passphrase,
					    enum mortise_code (*what)(struct mortise_luks2 *header,
								      struct mortise_error *err),
					    struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = disk.path,
						   .no_locks = no_locks };
	struct mortise_luks2 *header = NULL;
	enum mortise_code code = mortise_luks2_load(&location, &header, err);

	if (!code && passphrase && !unlock(header, 0, passphrase))
		code = MORTISE_E_KEY;
	if (!code)
		code = what(header, err);
	mortise_luks2_free(&header);
	return code;
}

static inline enum mortise_code add_one(struct mortise_luks2 *header, struct mortise_error *err)
{
	return add_to(header, 1, SECOND, err);
}

static inline enum mortise_code change_zero(struct mortise_luks2 *header, struct mortise_error *err)
{
	struct mortise_secret *given = secret(NEW);
	enum mortise_code code;

	code = mortise_keyslot_change(header, 0, cheap_keyslot(0), given, NULL, err);
	mortise_secret_free(&given);
	return code;
}

static inline enum mortise_code remove_one(struct mortise_luks2 *header, struct mortise_error *err)
{
	return mortise_keyslot_remove(header, 1, err);
}

static inline enum mortise_code label_it(struct mortise_luks2 *header, struct mortise_error *err)
{
	return mortise_header_set_label(header, "a label", NULL, err);
}

static inline enum mortise_code import_token(struct mortise_luks2 *header,
					     struct mortise_error *err)
{
	static const char json[] = "{\"type\":\"x\",\"keyslots\":[\"0\"]}";
	const struct mortise_token_import how = { .struct_size = sizeof(how),
						  .token = 0,
						  .keyslot = MORTISE_ANY };

	return mortise_token_import(header, &how, json, sizeof(json) - 1, NULL, err);
}

static inline enum mortise_code link_token(struct mortise_luks2 *header, struct mortise_error *err)
{
	const struct mortise_token_import how = { .struct_size = sizeof(how),
						  .token = MORTISE_ANY,
						  .keyslot = MORTISE_ANY };
	enum mortise_code code = mortise_token_add_keyring(header, &how, "a key", NULL, err);

	return code ? code : mortise_token_assign(header, 0, 0, false, err);
}

static inline enum mortise_code import_orphan(struct mortise_luks2 *header,
					      struct mortise_error *err)
{
	static const char json[] = "{\"type\":\"clevis\",\"keyslots\":[]}";
	const struct mortise_token_import how = { .struct_size = sizeof(how),
						  .token = 0,
						  .keyslot = MORTISE_ANY };

	return mortise_token_import(header, &how, json, sizeof(json) - 1, NULL, err);
}

static inline enum mortise_code do_nothing(struct mortise_luks2 *header, struct mortise_error *err)
{
	(void)header;
	(void)err;
	return MORTISE_OK;
}

#define LOADED(name, no_locks, passphrase, what) \
	static inline enum mortise_code name(struct mortise_error *err) \
	{ return with_loaded(no_locks, passphrase, what, err); }

LOADED(act_add, false, OLD, add_one)
LOADED(act_change, false, OLD, change_zero)
LOADED(act_change_again, false, NEW, change_zero)
LOADED(act_remove, false, NULL, remove_one)
LOADED(act_erase, false, NULL, mortise_keyslot_remove_all)
LOADED(act_label, false, NULL, label_it)
LOADED(act_label_unlocked, true, NULL, label_it)
LOADED(act_add_unlocked, true, NEW, add_one)
LOADED(act_token, false, NULL, import_token)
LOADED(act_links, false, NULL, link_token)
LOADED(act_orphan, false, NULL, import_orphan)
LOADED(act_load, false, NULL, do_nothing)

/* Conditions. Every listed keyslot must open: one that does not would be a lost key. */

static inline bool judge(const char *path, bool (*verdict)(struct mortise_luks2 *header))
{
	struct mortise_luks2 *header = load(path, false);
	bool good = header && verdict(header);

	mortise_luks2_free(&header);
	return good;
}

static inline bool second_lives(struct mortise_luks2 *header)
{
	return !listed(header, 1) || unlock(header, 1, SECOND);
}

static inline bool old_opens(struct mortise_luks2 *header)
{
	return unlock(header, 0, OLD) && second_lives(header);
}

static inline bool new_opens(struct mortise_luks2 *header)
{
	return unlock(header, 0, NEW) && second_lives(header);
}

static inline bool either_opens(struct mortise_luks2 *header)
{
	return old_opens(header) || new_opens(header);
}

static inline bool all_listed_open(struct mortise_luks2 *header)
{
	return (!listed(header, 0) || unlock(header, 0, OLD)) && second_lives(header);
}

static inline bool second_opens(struct mortise_luks2 *header)
{
	return either_opens(header) && listed(header, 1);
}

static inline bool second_is_gone(struct mortise_luks2 *header)
{
	return old_opens(header) && !listed(header, 1);
}

static inline bool both_are_gone(struct mortise_luks2 *header)
{
	return !listed(header, 0) && !listed(header, 1);
}

static inline bool is_labeled(struct mortise_luks2 *header)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };

	assert_int_equal(mortise_header_info(header, &info, NULL), MORTISE_OK);
	return old_opens(header) && !strcmp(info.label, "a label");
}

static inline bool has_token(struct mortise_luks2 *header)
{
	struct mortise_token_info info = { .struct_size = sizeof(info) };

	return old_opens(header) && !mortise_token_info(header, 0, &info, NULL);
}

static inline bool has_links(struct mortise_luks2 *header)
{
	struct mortise_token_info info = { .struct_size = sizeof(info) };

	return old_opens(header) && !mortise_token_info(header, 0, &info, NULL) &&
	       info.keyslots == 1u << 1 && !strcmp(info.key_description, "a key");
}

#define VERDICT(name, verdict) \
	static inline bool name(const char *path) { return judge(path, verdict); }

static inline bool has_no_token(struct mortise_luks2 *header)
{
	return old_opens(header) && !has_token(header);
}

VERDICT(done_no_token, has_no_token)
VERDICT(holds_old, old_opens)
VERDICT(holds_new, new_opens)
VERDICT(holds_either, either_opens)
VERDICT(holds_all_listed, all_listed_open)
VERDICT(done_second, second_opens)
VERDICT(done_second_gone, second_is_gone)
VERDICT(done_gone, both_are_gone)
VERDICT(done_label, is_labeled)
VERDICT(done_token, has_token)
VERDICT(done_links, has_links)

/* An interrupted format leaves no header, the old one, the new one, or one marked as unfinished. */
static inline bool holds_format(const char *path)
{
	struct mortise_luks2 *header = load(path, false);
	bool good = !header || luks2_format_unfinished(header) || either_opens(header);

	mortise_luks2_free(&header);
	return good;
}

/* Where there was no header, there is none or the restored one. */
static inline bool holds_restored(const char *path)
{
	struct mortise_luks2 *header = load(path, false);
	bool good = !header || old_opens(header);

	mortise_luks2_free(&header);
	return good;
}

static const struct operation operations[] = {
	{ "format an empty device", prepare_nothing, act_format, holds_format, holds_new, true,
	  false },
	{ "format over a header", prepare_two, act_format, holds_format, holds_new, true, false },
	{ "add", prepare_one, act_add, holds_old, done_second, false, false },
	{ "change", prepare_one, act_change, holds_either, holds_new, false, false },
	{ "change, one of two", prepare_two, act_change, holds_either, done_second, false, false },
	{ "remove", prepare_two, act_remove, holds_old, done_second_gone, false, false },
	{ "erase", prepare_two, act_erase, holds_all_listed, done_gone, false, false },
	{ "label", prepare_two, act_label, holds_old, done_label, false, false },
	{ "token", prepare_two, act_token, holds_old, done_token, false, false },
	{ "links of a token", prepare_two, act_links, holds_old, done_links, false, false },
	{ "repair the primary", prepare_bad_primary, act_load, holds_old, holds_old, false, false },
	{ "repair the secondary", prepare_bad_secondary, act_load, holds_old, holds_old, false,
	  false },
	{ "repair a stale secondary", prepare_stale_secondary, act_load, holds_new, holds_new, false,
	  true },
	{ "repair the secondary and change", prepare_bad_secondary, act_change, holds_either,
	  done_second, false, false },
	{ "label without locks, bad primary", prepare_bad_primary, act_label_unlocked, holds_old,
	  done_label, false, false },
	{ "label without locks, bad secondary", prepare_bad_secondary, act_label_unlocked,
	  holds_old, done_label, false, false },
	{ "change in a full area", prepare_full, act_change, holds_either, holds_new, false, false },
	{ "add without locks, stale secondary", prepare_stale_secondary, act_add_unlocked,
	  holds_new, done_second, false, true },
	{ "repair", prepare_orphan, act_repair, holds_old, done_no_token, false, false },
	{ "repair a bad primary and more", prepare_orphan_bad_primary, act_repair, holds_old,
	  done_no_token, false, false },
	{ "repair a bad secondary and more", prepare_orphan_bad_secondary, act_repair, holds_old,
	  done_no_token, false, false },
	{ "restore", prepare_restore, act_restore, holds_either, holds_old, false, false },
	{ "restore, an area moves", prepare_restore_moving, act_restore, holds_either, holds_old,
	  false, false },
	{ "restore over a bad primary", prepare_restore_bad_primary, act_restore, holds_either,
	  holds_old, false, false },
	{ "restore over a bad secondary", prepare_restore_bad_secondary, act_restore, holds_either,
	  holds_old, false, false },
	{ "restore a backup with a bad primary", prepare_restore_bad_backup, act_restore,
	  holds_either, holds_old, false, false },
	{ "restore a bad secondary over one", prepare_restore_stale_backup, act_restore,
	  holds_either, holds_old, false, false },
	{ "restore over another volume", prepare_restore_other, act_restore, holds_either,
	  holds_old, false, false },
	{ "restore to an empty device", prepare_restore_nothing, act_restore, holds_restored,
	  holds_old, false, false },
};

#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

/* Prepares the disk for one run of an operation. */
static inline void operation_prepare(const struct operation *operation)
{
	disk.recording = false;
	operation->prepare();
	spare.formatting = operation->formats;
	spare.stale = operation->stale;
	spare.restoring = operation->act == act_restore;
}

#endif
