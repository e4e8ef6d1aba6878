/* SPDX-License-Identifier: MIT */
/*
 * What must hold after a cut, with the library that repairs, opens and continues. Keys are derived once
 * for the same header and areas.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mortise.h>

#include "keys/area.h"
#include "luks2/format.h"
#include "luks2/private.h"
#include "tests/faults/replay.h"

#define COMMITS_MAX 4096u
#define MEMO_MAX    65536u
#define SALT_FROM   104u /* of the binary header: differs in a copy that was rewritten */
#define SALT_TO	    168u
#define SUM_FROM    448u
#define SUM_TO	    512u

static struct {
	struct mortise_secret *volume_keys[4];
	unsigned volume_key_count;
	bool sealed[2]; /* before and after the run */
	unsigned learned;
	uint64_t commits[COMMITS_MAX];
	unsigned commit_count;
	uint64_t memo[MEMO_MAX];
	const char *verdict[MEMO_MAX];
	uint8_t *data;
	uint64_t data_size;
	struct mortise_secret *passphrases[KEYS_MAX];
} known;

static char wrong[600];

static const char *wrong_header(const char *what, const struct mortise_error *err)
{
	snprintf(wrong, sizeof(wrong), "%s: %.400s", what, err->text);
	return wrong;
}

static void read_passphrases(const struct replay_check *check)
{
	for (unsigned i = 0; i < check->key_count; i++) {
		char text[512];
		int fd = open(check->keys[i], O_RDONLY | O_CLOEXEC);
		ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));

		if (fd < 0)
			continue;
		mortise_secret_free(&known.passphrases[i]);
		if (size > 0 && text[size - 1] == '\n')
			size--;
		if (size < 0 ||
		    mortise_secret_from(text, (size_t)size, &known.passphrases[i], NULL))
			give_up("cannot read %s", check->keys[i]);
		close(fd);
	}
}

static struct mortise_luks2 *load(const struct replay_check *check, bool readonly, bool locks,
				  const char *name, struct mortise_error *err)
{
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.device = check->kind >= REPLAY_REENCRYPT && check->data ? check->data : name,
		.header = check->kind >= REPLAY_REENCRYPT && check->data ? name : NULL,
		.readonly = readonly,
		.no_locks = !locks,
		.luks1 = true,
	};
	struct mortise_luks2 *header = NULL;

	return mortise_luks2_load(&location, &header, err) ? NULL : header;
}

static bool unlock(struct mortise_luks2 *header, int keyslot, struct mortise_secret **volume_key)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = keyslot,
						   .unbound = keyslot != MORTISE_ANY };

	for (unsigned i = 0; i < KEYS_MAX; i++)
		if (known.passphrases[i] &&
		    !mortise_keyslot_open(header, &search, known.passphrases[i], volume_key, NULL,
					  NULL))
			return true;
	return false;
}

static bool is_sealed(const struct mortise_luks2 *header)
{
	struct mortise_seal_info info = { .struct_size = sizeof(info) };

	return !mortise_seal_check(header, &info, NULL) && info.state == MORTISE_SEAL_VALID;
}

/* Each keyslot opens, for a volume key that the program has made. */
static const char *find_lost_key(const struct replay_check *check, struct mortise_luks2 *header)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		struct mortise_secret *key = NULL;
		bool same = false;

		if (mortise_keyslot_info(header, id, &info, NULL) ||
		    strcmp(info.type, "luks2") != 0)
			continue;
		if (!unlock(header, id, &key))
			return "a keyslot opens with no passphrase";
		for (unsigned i = 0; i < known.volume_key_count; i++)
			same |= mortise_secret_equal(key, known.volume_keys[i]);
		mortise_secret_free(&key);
		if (!same)
			return "a keyslot has another volume key";
	}
	if (known.sealed[0] && known.sealed[1] && !check->unsealed &&
	    luks2_header_volume_key(header) && !is_sealed(header))
		return "the seal is broken";
	return NULL;
}

/* Of the header without what a repair changes, and of its keyslot areas. */
static uint64_t hash_keys(const struct replay_check *check, const struct mortise_luks2 *header)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };
	uint64_t size, hash = 3;
	const uint8_t *bytes = disk_contents(check->header, &size);
	const uint64_t copy = luks2_header_is_luks1(header) ? 4096 : header->binary.copy_size;

	if (!bytes || size < copy)
		return 0;
	hash = disk_hash(hash, bytes, SALT_FROM);
	hash = disk_hash(hash, bytes + SALT_TO, SUM_FROM - SALT_TO);
	hash = disk_hash(hash, bytes + SUM_TO, copy - SUM_TO);
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (!mortise_keyslot_info(header, id, &info, NULL) &&
		    info.area_offset + info.area_size <= size)
			hash = disk_hash(hash, bytes + info.area_offset, info.area_size);
	return hash ? hash : 1;
}

static const char *find_lost_key_once(const struct replay_check *check,
				      struct mortise_luks2 *header)
{
	const uint64_t hash = hash_keys(check, header);
	unsigned at = (unsigned)(hash % MEMO_MAX);

	if (known.memo[at] != hash || !hash) {
		known.verdict[at] = find_lost_key(check, header);
		known.memo[at] = hash;
	}
	return known.verdict[at];
}

static bool same_json(struct json_object *a, struct json_object *b)
{
	return a && b && json_object_equal(a, b);
}

static bool same_texts(const struct luks2_binary *a, const struct luks2_binary *b)
{
	return a->seqid == b->seqid && !strcmp(a->uuid, b->uuid) && !strcmp(a->label, b->label) &&
	       !strcmp(a->subsystem, b->subsystem);
}

/* After the header was loaded, both copies are valid and equal. */
static const char *find_unmended(const char *name)
{
	struct luks2_device *device = NULL;
	struct luks2_copy copy[2] = { 0 };
	struct mortise_error err = { 0 };
	const char *loss = NULL;

	if (luks2_device_open(name, true, &device, &err) || luks2_copies_read(device, copy, &err))
		loss = wrong_header("the copies cannot be read", &err);
	else if (!copy[0].valid || !copy[1].valid)
		loss = wrong_header("a copy was not repaired", &copy[copy[0].valid].why);
	else if (!same_texts(&copy[0].binary, &copy[1].binary) ||
		 !same_json(copy[0].metadata, copy[1].metadata))
		loss = "the copies differ after the repair";
	json_object_put(copy[0].metadata);
	json_object_put(copy[1].metadata);
	luks2_device_close(device);
	return loss;
}

static uint64_t hash_metadata(const struct mortise_luks2 *header)
{
	const struct luks2_binary *binary = &header->binary;
	const char *const texts[] = { binary->uuid, binary->label, binary->subsystem,
				      luks2_json_plain(header->metadata) };
	uint64_t hash = 4;

	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		hash = disk_hash(hash, texts[i], strlen(texts[i]));
	return hash;
}

bool check_is_committed(uint64_t hash)
{
	for (unsigned i = 0; i < known.commit_count; i++)
		if (known.commits[i] == hash)
			return true;
	return false;
}

void check_add_commit(uint64_t hash)
{
	if (check_is_committed(hash))
		return;
	if (known.commit_count == COMMITS_MAX)
		give_up("too many commits");
	known.commits[known.commit_count++] = hash;
}

void check_commit(const struct replay_check *check)
{
	struct mortise_luks2 *header;
	struct mortise_error err;
	uint64_t hash;

	if (check->kind == REPLAY_META) {
		meta_commit(check);
		return;
	}
	header = load(check, true, false, check->header, &err);
	hash = header ? hash_metadata(header) : 0;
	mortise_luks2_free(&header);
	if (hash)
		check_add_commit(hash);
}

/* A key that no user has seen must not be relied on. */
static const char *find_unhanded(const struct replay_check *check,
				 const struct mortise_luks2 *header)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };
	const struct mortise_secret *key = known.passphrases[check->key_count - 1];
	const uint8_t *bytes;
	uint64_t size;

	if (!check->handed || mortise_keyslot_info(header, 1, &info, NULL))
		return NULL;
	bytes = disk_contents(check->handed, &size);
	if (bytes && size == mortise_secret_size(key) &&
	    !memcmp(bytes, mortise_secret_data(key), size))
		return NULL;
	return "the new keyslot is there before its key is on the disk";
}

static const char *check_header(const struct replay_check *check)
{
	struct mortise_error err = { 0 };
	struct mortise_luks2 *header = load(check, false, true, check->header, &err);
	const char *loss;

	if (!header)
		return check->kind == REPLAY_FORMAT ? NULL : wrong_header("no header", &err);
	if (!check_is_committed(hash_metadata(header)))
		loss = "the metadata is neither the old nor the new";
	else if (check->kind == REPLAY_FORMAT && luks2_format_unfinished(header))
		loss = NULL;
	else
		loss = find_lost_key_once(check, header);
	if (!loss)
		loss = find_unhanded(check, header);
	if (!loss && !luks2_header_is_luks1(header))
		loss = find_unmended(check->header);
	mortise_luks2_free(&header);
	return loss;
}

/* A backup that is not complete must not look like one. */
static const char *check_backup(const struct replay_check *check)
{
	const struct replay_check backup = { .kind = REPLAY_BACKUP, .header = "backup" };
	const char *loss = check_header(check);
	struct mortise_luks2 *header;
	struct mortise_error err;
	uint64_t size;

	if (loss || !disk_contents("backup", &size))
		return loss;
	header = load(&backup, true, false, "backup", &err);
	if (header)
		loss = find_lost_key_once(&backup, header);
	mortise_luks2_free(&header);
	return loss;
}

/* --- data --- */

static const char *compare_plain(const struct replay_check *check)
{
	uint64_t size;
	const uint8_t *bytes = disk_contents(check->data ? check->data : check->header, &size);

	if (!bytes || size < known.data_size || memcmp(bytes, known.data, known.data_size) != 0)
		return "the data is not there";
	return NULL;
}

static const char *decrypt(const struct mortise_luks2 *header, const uint8_t *bytes, uint64_t size,
			   uint8_t **plain, uint64_t *plain_size)
{
	struct mortise_segment_info info = { .struct_size = sizeof(info) };
	struct keys_sectors sectors = { 0 };

	if (mortise_segment_info(header, 0, &info, NULL) || !bytes || size <= info.offset)
		return "there is no data";
	*plain_size = (size - info.offset) / info.sector_size * info.sector_size;
	*plain = malloc(*plain_size);
	if (!*plain)
		give_up("out of memory");
	memcpy(*plain, bytes + info.offset, *plain_size);
	sectors =
		(struct keys_sectors){ *plain, *plain_size, info.sector_size, info.iv_tweak / 512 };
	if (keys_sectors_crypt(info.cipher, luks2_header_volume_key(header), &sectors, false, NULL))
		return "the data cannot be decrypted";
	return NULL;
}

static const char *compare_encrypted(const struct replay_check *check, struct mortise_luks2 *header)
{
	const char *loss = unlock(header, MORTISE_ANY, NULL) ? NULL : "no keyslot opens";
	uint8_t *plain = NULL;
	uint64_t size, plain_size = 0;
	const uint8_t *bytes = disk_contents(check->data ? check->data : check->header, &size);

	if (!loss)
		loss = decrypt(header, bytes, size, &plain, &plain_size);
	if (!loss &&
	    (plain_size < known.data_size || memcmp(plain, known.data, known.data_size) != 0))
		loss = "the data is lost";
	free(plain);
	return loss;
}

/* Mends, continues, and compares. */
static const char *continue_and_compare(const struct replay_check *check, const char *name,
					bool *found)
{
	const struct mortise_reencrypt_run how = { .struct_size = sizeof(how),
						   .keyslot = MORTISE_ANY };
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_error err = { 0 };
	struct mortise_luks2 *header = load(check, false, true, name, &err);
	const char *loss = NULL;

	*found = header && !luks2_format_unfinished(header);
	mortise_luks2_free(&header);
	if (!*found)
		return wrong_header("no header", &err);
	/* Another process may use the lock of this UUID. */
	header = load(check, false, false, name, &err);
	if (!header)
		return wrong_header("no header after the repair", &err);
	if (!mortise_reencrypt_info(header, &info, NULL) &&
	    mortise_reencrypt_continue(header, known.passphrases[0], &how, &err))
		loss = wrong_header("it does not continue", &err);
	else if (check->kind == REPLAY_DECRYPT && !compare_plain(check))
		loss = NULL;
	else
		loss = compare_encrypted(check, header);
	if (!loss && check->kind != REPLAY_DECRYPT)
		loss = find_unmended(name);
	mortise_luks2_free(&header);
	return loss;
}

static const char *check_data(const struct replay_check *check)
{
	struct replay_check other = *check;
	bool found = false;
	uint64_t size;
	const char *loss;

	if (check->kind == REPLAY_REENCRYPT)
		return continue_and_compare(check, check->header, &found);
	loss = disk_contents(check->header, &size)
		       ? continue_and_compare(check, check->header, &found)
		       : NULL;
	if (found)
		return loss;
	/* Without the file of the header nothing has been done to the data. */
	if (check->kind == REPLAY_ENCRYPT)
		return compare_plain(check);
	other.header = check->data;
	other.data = NULL;
	other.kind = REPLAY_REENCRYPT;
	return continue_and_compare(&other, other.header, &found);
}

const char *check_state(const struct replay_check *check)
{
	if (check->kind >= REPLAY_REENCRYPT)
		return check_data(check);
	if (check->kind == REPLAY_META)
		return meta_check(check);
	return check->kind == REPLAY_BACKUP ? check_backup(check) : check_header(check);
}

static void learn_data(const struct replay_check *check, const struct mortise_luks2 *header,
		       const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	const off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *bytes = malloc((size_t)size);

	if (fd < 0 || !bytes || pread(fd, bytes, (size_t)size, 0) != size)
		give_up("cannot read the data");
	close(fd);
	if (check->kind == REPLAY_ENCRYPT) {
		known.data = bytes;
		known.data_size = (uint64_t)size;
		return;
	}
	if (!header || decrypt(header, bytes, (uint64_t)size, &known.data, &known.data_size))
		give_up("cannot decrypt the data");
	free(bytes);
}

void check_learn(const struct replay_check *check, const char *folder)
{
	const int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const unsigned time = known.learned++;
	struct replay_check here = *check;
	struct mortise_luks2 *header;
	struct mortise_error err;

	if (before < 0 || chdir(folder))
		give_up("cannot enter %s", folder);
	read_passphrases(check);
	if (check->kind == REPLAY_DECRYPT && !time) {
		here.header = check->data;
		here.data = NULL;
	}
	header = load(&here, true, false, here.header, &err);
	if (header && known.passphrases[0] &&
	    unlock(header, MORTISE_ANY, &known.volume_keys[known.volume_key_count]))
		known.volume_key_count++;
	if (header && time < 2)
		known.sealed[time] = is_sealed(header);
	if (check->kind >= REPLAY_REENCRYPT && !time)
		learn_data(check, header, check->data ? check->data : check->header);
	mortise_luks2_free(&header);
	if (fchdir(before))
		give_up("cannot return");
	close(before);
}
