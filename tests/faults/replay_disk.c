/* SPDX-License-Identifier: MIT */
/*
 * The disk of replay: the contents on stable storage, and the changes that a power cut may lose or
 * tear, of each file in the folder. A state is made by writing the sectors that differ from the state
 * before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/faults/replay.h"
#include "tests/faults/trace.h"

#define PENDING_MAX 4096u
#define WATCHED_MAX 256u
#define POOL	    ".pool" /* has a second name of each file */

struct file {
	char name[TRACE_NAME_MAX + 1];
	int fd;
	uint64_t capacity; /* bytes */
	bool is_known;	   /* it exists, or the trace has created it */
	struct contents {
		uint8_t *bytes; /* zero behind size */
		uint64_t size;
		bool exists;
	} stable, wanted, now;	       /* now.bytes: the mapped file */
	uint64_t *hashes;	       /* of the stable sectors */
	unsigned *counted;	       /* the state that has counted this sector */
	uint64_t dirty_from, dirty_to; /* what the library has written since the last state */
};

struct change {
	struct trace_record record;
	struct file *file;
	const uint8_t *bytes;
};

static struct {
	struct file files[FILES_MAX];
	unsigned file_count;
	const uint8_t *trace, *at, *end;
	unsigned position;
	struct change pending[PENDING_MAX];
	unsigned pending_count;
	struct trace_record flush; /* .op: TRACE_FLUSH, or the end */
	uint64_t stable_hash;
	unsigned state;
	bool forgotten;
	uint64_t *seen;
	size_t seen_room, seen_count;
} disk;

static struct {
	bool on;
	unsigned count;
	struct watched {
		struct file *file;
		uint64_t offset, size;
		uint8_t *bytes;
	} writes[WATCHED_MAX];
} watch;

static pthread_mutex_t dirty_lock = PTHREAD_MUTEX_INITIALIZER;

/* FNV-1a on words, finished as in MurmurHash3: fast, and nothing here is hostile. */
uint64_t disk_hash(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t word;

	for (; size >= sizeof(word); size -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x100000001b3);
		hash ^= hash >> 29;
	}
	for (; size; size--)
		hash = (hash ^ *at++) * UINT64_C(0x100000001b3);
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return hash ^ hash >> 33;
}

static uint64_t sector_hash(const struct file *file, const struct contents *contents,
			    uint64_t sector)
{
	const uint64_t key[] = { (uint64_t)(file - disk.files), sector };

	return disk_hash(disk_hash(1, key, sizeof(key)), contents->bytes + sector * SECTOR, SECTOR);
}

static uint64_t name_hash(const struct file *file, const struct contents *contents)
{
	const uint64_t key[] = { (uint64_t)(file - disk.files), contents->exists, contents->size };

	return disk_hash(2, key, sizeof(key));
}

static struct file *find_file(const char *name)
{
	struct file *file = disk.files;

	for (; file < disk.files + disk.file_count; file++)
		if (!strcmp(file->name, name))
			return file;
	if (disk.file_count == FILES_MAX)
		give_up("too many files");
	snprintf(file->name, sizeof(file->name), "%s", name);
	disk.file_count++;
	return file;
}

static void read_file(const char *folder, const char *name, uint8_t *bytes, uint64_t size)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, bytes, size) != (ssize_t)size)
		give_up("cannot read %s", path);
	close(fd);
}

static void find_sizes(const char *before)
{
	DIR *folder = opendir(before);
	struct dirent *entry;
	struct stat st;

	if (!folder)
		give_up("cannot read %s", before);
	while ((entry = readdir(folder))) {
		struct file *file;

		if (fstatat(dirfd(folder), entry->d_name, &st, 0) || !S_ISREG(st.st_mode))
			continue;
		file = find_file(entry->d_name);
		file->stable.exists = file->is_known = true;
		file->stable.size = file->capacity = (uint64_t)st.st_size;
	}
	closedir(folder);
	for (const uint8_t *at = disk.trace; at < disk.end;) {
		struct trace_record record;

		memcpy(&record, at, sizeof(record));
		at += sizeof(record);
		if (record.op == TRACE_WRITE)
			at += record.size;
		if (*record.name) {
			struct file *file = find_file(record.name);

			if (file->capacity < record.offset + record.size)
				file->capacity = record.offset + record.size;
		}
	}
}

static void make_file(struct file *file, const char *before)
{
	const uint64_t sectors = (file->capacity + SECTOR - 1) / SECTOR;
	char path[100];

	file->capacity = sectors * SECTOR + SECTOR;
	file->stable.bytes = calloc(1, file->capacity);
	file->wanted.bytes = calloc(1, file->capacity);
	file->hashes = calloc(sectors + 1, sizeof(*file->hashes));
	file->counted = calloc(sectors + 1, sizeof(*file->counted));
	if (!file->stable.bytes || !file->wanted.bytes || !file->hashes || !file->counted)
		give_up("out of memory");
	if (file->stable.exists)
		read_file(before, file->name, file->stable.bytes, file->stable.size);
	memcpy(file->wanted.bytes, file->stable.bytes, file->capacity);
	for (uint64_t i = 0; i <= sectors; i++) {
		file->hashes[i] = sector_hash(file, &file->stable, i);
		disk.stable_hash ^= file->hashes[i];
	}
	disk.stable_hash ^= name_hash(file, &file->stable);
	snprintf(path, sizeof(path), POOL "/%s", file->name);
	file->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (file->fd < 0 || ftruncate(file->fd, (off_t)file->capacity))
		give_up("cannot create %s", path);
	file->now.bytes =
		mmap(NULL, file->capacity, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	if (file->now.bytes == MAP_FAILED || ftruncate(file->fd, 0))
		give_up("cannot map %s", path);
}

void disk_load(const char *before, const char *trace)
{
	int fd = open(trace, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !st.st_size)
		give_up("there is no trace");
	disk.trace = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (disk.trace == MAP_FAILED)
		give_up("cannot read the trace");
	close(fd);
	disk.at = disk.trace;
	disk.end = disk.trace + st.st_size;
	find_sizes(before);
	if (mkdir(POOL, 0700))
		give_up("cannot create a folder");
	for (unsigned i = 0; i < disk.file_count; i++)
		make_file(&disk.files[i], before);
	disk.forgotten = true;
}

bool disk_next(void)
{
	bool any = false;

	disk.flush = (struct trace_record){ 0 };
	while (disk.at < disk.end) {
		struct change *change = &disk.pending[disk.pending_count];

		memcpy(&change->record, disk.at, sizeof(change->record));
		disk.at += sizeof(change->record);
		disk.position++;
		if (change->record.op == TRACE_FLUSH) {
			disk.flush = change->record;
			return true;
		}
		any = true;
		change->bytes = disk.at;
		change->file = find_file(change->record.name);
		if (change->record.op == TRACE_WRITE)
			disk.at += change->record.size;
		if (++disk.pending_count == PENDING_MAX)
			give_up("too many changes without a flush");
	}
	return any;
}

unsigned disk_pending_count(void)
{
	return disk.pending_count;
}

unsigned disk_position(void)
{
	return disk.position;
}

unsigned disk_parts(unsigned change)
{
	const struct trace_record *record = &disk.pending[change].record;

	if (record->op != TRACE_WRITE && record->op != TRACE_PUNCH)
		return 1;
	return (unsigned)((record->offset + record->size + SECTOR - 1) / SECTOR -
			  record->offset / SECTOR);
}

/* The bytes of a part. */
static void part_range(const struct trace_record *record, unsigned part, uint64_t *from,
		       uint64_t *to)
{
	*from = (record->offset / SECTOR + part) * SECTOR;
	*to = *from + SECTOR;
	if (*from < record->offset)
		*from = record->offset;
	if (*to > record->offset + record->size)
		*to = record->offset + record->size;
}

static void set_size(struct contents *contents, uint64_t size)
{
	if (size < contents->size)
		memset(contents->bytes + size, 0, contents->size - size);
	contents->size = size;
}

static void apply(const struct change *change, struct contents *to, unsigned part)
{
	uint64_t from, end;

	switch (change->record.op) {
	case TRACE_SIZE:
		set_size(to, change->record.size);
		return;
	case TRACE_CREATE:
	case TRACE_UNLINK:
		to->exists = change->record.op == TRACE_CREATE;
		return;
	default:
		break;
	}
	part_range(&change->record, part, &from, &end);
	if (change->record.op == TRACE_WRITE && to->size < end)
		to->size = end;
	if (change->record.op == TRACE_WRITE)
		memcpy(to->bytes + from, change->bytes + (from - change->record.offset),
		       end - from);
	else if (from < to->size)
		memset(to->bytes + from, 0, (end < to->size ? end : to->size) - from);
}

static bool is_name(const struct change *change)
{
	return change->record.op == TRACE_CREATE || change->record.op == TRACE_UNLINK;
}

static void rehash(struct file *file, uint64_t from, uint64_t to)
{
	for (uint64_t i = from / SECTOR; i * SECTOR < to; i++) {
		disk.stable_hash ^= file->hashes[i];
		file->hashes[i] = sector_hash(file, &file->stable, i);
		disk.stable_hash ^= file->hashes[i];
	}
}

/* A size that becomes smaller changes everything behind. */
static void range_of(const struct change *change, uint64_t *from, uint64_t *to)
{
	*from = change->record.offset;
	*to = *from + change->record.size;
	if (change->record.op == TRACE_SIZE) {
		*from = change->record.size;
		*to = change->file->capacity;
	} else if (is_name(change)) {
		*to = *from;
	}
}

static void make_stable(struct change *change, unsigned index)
{
	struct file *file = change->file;
	uint64_t from, to;

	range_of(change, &from, &to);
	disk.stable_hash ^= name_hash(file, &file->stable);
	for (unsigned part = 0; part < disk_parts(index); part++)
		apply(change, &file->stable, part);
	disk.stable_hash ^= name_hash(file, &file->stable);
	rehash(file, from, to);
}

void disk_flush(void)
{
	unsigned kept = 0;

	/* The last state may have had less of these changes. */
	disk_begin_state();
	if (disk.flush.op != TRACE_FLUSH)
		return;
	for (unsigned i = 0; i < disk.pending_count; i++) {
		struct change *change = &disk.pending[i];
		const bool flushed =
			*disk.flush.name
				? !is_name(change) && !strcmp(change->file->name, disk.flush.name)
				: is_name(change);

		if (flushed)
			make_stable(change, i);
		else
			disk.pending[kept++] = *change;
	}
	/* What is wanted follows. */
	for (unsigned i = 0; i < disk.file_count; i++)
		memcpy(disk.files[i].wanted.bytes, disk.files[i].stable.bytes,
		       disk.files[i].capacity);
	disk.pending_count = kept;
	disk.forgotten = true;
}

void disk_begin_state(void)
{
	disk.state++;
	for (unsigned i = 0; i < disk.pending_count; i++) {
		struct file *file = disk.pending[i].file;
		uint64_t from, to;

		range_of(&disk.pending[i], &from, &to);
		memcpy(file->wanted.bytes + from, file->stable.bytes + from, to - from);
	}
	for (unsigned i = 0; i < disk.file_count; i++) {
		disk.files[i].wanted.size = disk.files[i].stable.size;
		disk.files[i].wanted.exists = disk.files[i].stable.exists;
	}
}

void disk_apply(unsigned change, unsigned part)
{
	apply(&disk.pending[change], &disk.pending[change].file->wanted, part);
}

static uint64_t state_hash(void)
{
	uint64_t hash = disk.stable_hash;

	for (unsigned i = 0; i < disk.pending_count; i++) {
		struct file *file = disk.pending[i].file;
		uint64_t from, to;

		range_of(&disk.pending[i], &from, &to);
		for (uint64_t at = from / SECTOR; at * SECTOR < to; at++) {
			if (file->counted[at] == disk.state)
				continue;
			file->counted[at] = disk.state;
			hash ^= file->hashes[at] ^ sector_hash(file, &file->wanted, at);
		}
	}
	for (unsigned i = 0; i < disk.file_count; i++)
		hash ^= name_hash(&disk.files[i], &disk.files[i].stable) ^
			name_hash(&disk.files[i], &disk.files[i].wanted);
	return hash ? hash : 1;
}

/* Returns whether hash is new. */
static bool remember(uint64_t hash)
{
	if (disk.seen_count * 2 >= disk.seen_room) {
		const size_t room = disk.seen_room ? disk.seen_room * 2 : 1 << 16;
		uint64_t *old = disk.seen;

		disk.seen = calloc(room, sizeof(*disk.seen));
		if (!disk.seen)
			give_up("out of memory");
		for (size_t i = 0; i < disk.seen_room; i++) {
			size_t at = old[i] & (room - 1);

			while (old[i] && disk.seen[at])
				at = (at + 1) & (room - 1);
			if (old[i])
				disk.seen[at] = old[i];
		}
		free(old);
		disk.seen_room = room;
	}
	for (size_t at = hash & (disk.seen_room - 1);; at = (at + 1) & (disk.seen_room - 1)) {
		if (disk.seen[at] == hash)
			return false;
		if (!disk.seen[at]) {
			disk.seen[at] = hash;
			disk.seen_count++;
			return true;
		}
	}
}

static void make_range(struct file *file, uint64_t from, uint64_t to)
{
	if (to > file->wanted.size)
		to = file->wanted.size;
	for (from = from / SECTOR * SECTOR; from < to; from += SECTOR) {
		const uint64_t size = to - from < SECTOR ? to - from : SECTOR;

		if (memcmp(file->now.bytes + from, file->wanted.bytes + from, size) != 0)
			memcpy(file->now.bytes + from, file->wanted.bytes + from, size);
	}
}

/* Anything may have been done to the folder. */
static void make_name(struct file *file)
{
	struct stat named, held;
	char path[100];
	bool same;

	if (fstat(file->fd, &held))
		give_up("fstat failed");
	if ((uint64_t)held.st_size != file->wanted.size) {
		if (ftruncate(file->fd, (off_t)file->wanted.size))
			give_up("cannot set the size of %s", file->name);
		disk.forgotten = true;
	}
	same = !stat(file->name, &named) && named.st_ino == held.st_ino;
	if (same == file->wanted.exists)
		return;
	(void)unlink(file->name);
	snprintf(path, sizeof(path), POOL "/%s", file->name);
	if (file->wanted.exists && link(path, file->name))
		give_up("cannot link %s", file->name);
}

bool disk_end_state(void)
{
	if (!remember(state_hash()))
		return false;
	disk_make_state();
	return true;
}

void disk_make_state(void)
{
	for (unsigned i = 0; i < disk.file_count; i++) {
		struct file *file = &disk.files[i];

		make_name(file);
		make_range(file, file->dirty_from, file->dirty_to);
		file->dirty_from = file->dirty_to = 0;
	}
	for (unsigned i = 0; disk.forgotten && i < disk.file_count; i++)
		make_range(&disk.files[i], 0, disk.files[i].wanted.size);
	for (unsigned i = 0; i < disk.pending_count; i++) {
		uint64_t from, to;

		range_of(&disk.pending[i], &from, &to);
		make_range(disk.pending[i].file, from, to);
	}
	disk.forgotten = false;
}

void disk_forget(void)
{
	disk.forgotten = true;
}

const char *disk_differs(const char *after)
{
	disk_begin_state();
	for (unsigned i = 0; i < disk.pending_count; i++)
		for (unsigned part = 0; part < disk_parts(i); part++)
			disk_apply(i, part);
	for (unsigned i = 0; i < disk.file_count; i++) {
		const struct file *file = &disk.files[i];
		uint8_t *bytes = malloc(file->wanted.size + 1);
		char path[600];
		struct stat st;
		bool same;

		snprintf(path, sizeof(path), "%s/%s", after, file->name);
		same = !stat(path, &st) == file->wanted.exists;
		if (same && file->wanted.exists && (uint64_t)st.st_size == file->wanted.size) {
			read_file(after, file->name, bytes, file->wanted.size);
			same = !memcmp(bytes, file->wanted.bytes, file->wanted.size);
		} else if (same && file->wanted.exists) {
			same = false;
		}
		free(bytes);
		if (!same)
			return file->name;
	}
	return NULL;
}

const uint8_t *disk_contents(const char *name, uint64_t *size)
{
	const struct file *file = find_file(name);
	struct stat st;

	if (!file->now.bytes || !file->wanted.exists || fstat(file->fd, &st))
		return NULL;
	*size = (uint64_t)st.st_size;
	return file->now.bytes;
}

void disk_watch(bool on)
{
	while (on && watch.count)
		free(watch.writes[--watch.count].bytes);
	watch.on = on;
}

unsigned disk_watched(void)
{
	return watch.count;
}

unsigned disk_watched_sectors(unsigned write)
{
	return (unsigned)((watch.writes[write].size + SECTOR - 1) / SECTOR);
}

static void put_watched(unsigned write, uint64_t size)
{
	const struct watched *at = &watch.writes[write];

	if (size > at->size)
		size = at->size;
	if (at->offset + size > at->file->wanted.size)
		give_up("the library extends %s", at->file->name);
	memcpy(at->file->now.bytes + at->offset, at->bytes, size);
}

void disk_make_watched(unsigned write, unsigned sectors)
{
	disk_make_state();
	for (unsigned i = 0; i < write; i++)
		put_watched(i, UINT64_MAX);
	put_watched(write, (uint64_t)sectors * SECTOR);
	disk.forgotten = true;
}

/* Without room for all of them, the first ones. */
static void watch_write(struct file *file, const void *bytes, size_t size, uint64_t offset)
{
	struct watched *write = &watch.writes[watch.count];

	if (!watch.on || watch.count == WATCHED_MAX)
		return;
	*write = (struct watched){ file, offset, size, malloc(size) };
	if (!write->bytes)
		give_up("out of memory");
	memcpy(write->bytes, bytes, size);
	watch.count++;
}

/* The library writes: the next state has to undo it. */
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	const struct iovec piece = { (void *)(uintptr_t)bytes, size };
	const uint64_t from = (uint64_t)offset, to = from + size;
	struct stat of_fd, of_file;

	if (fstat(fd, &of_fd))
		return -1;
	pthread_mutex_lock(&dirty_lock);
	for (unsigned i = 0; i < disk.file_count; i++) {
		struct file *file = &disk.files[i];

		if (fstat(file->fd, &of_file) || of_file.st_ino != of_fd.st_ino)
			continue;
		watch_write(file, bytes, size, from);
		if (file->dirty_to <= file->dirty_from)
			file->dirty_from = from;
		if (file->dirty_from > from)
			file->dirty_from = from;
		if (file->dirty_to < to)
			file->dirty_to = to;
	}
	pthread_mutex_unlock(&dirty_lock);
	return pwritev(fd, &piece, 1, offset);
}

/* Nothing relies on the host's disk. */
int fsync(int fd)
{
	(void)fd;
	return 0;
}
