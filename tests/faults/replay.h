/* SPDX-License-Identifier: MIT */
/*
 * replay: makes the states that a power cut can leave of a recorded run, and checks each. replay.c
 * chooses the states, replay_disk.c makes them, replay_check.c checks them.
 */
#ifndef FAULTS_REPLAY_H
#define FAULTS_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR	  512u /* bytes: a power cut does not tear a sector */
#define FILES_MAX 16u
#define KEYS_MAX  4u

__attribute__((noreturn, format(printf, 1, 2))) void give_up(const char *format, ...);

/* --- the disk (replay_disk.c) --- */

/* A change that is not flushed. */
struct change;

/* Loads the files of the folder before, and the trace; states are made in the current folder. */
void disk_load(const char *before, const char *trace);
/*
 * Continues in the trace up to the next flush, or the end: false, if there is nothing left. The changes
 * that are pending then are disk_pending_count().
 */
bool disk_next(void);
/* The flush at which disk_next() has stopped takes effect. */
void disk_flush(void);
unsigned disk_pending_count(void);
/* Parts of a pending change that a cut applies or not: sectors. */
unsigned disk_parts(unsigned change);
/* Number of the last record of the trace up to here, for messages. */
unsigned disk_position(void);

/* A state: first what is stable, then pending changes in their order, part by part. */
void disk_begin_state(void);
void disk_apply(unsigned change, unsigned part);
/* false: this state has been before. Otherwise the current folder has it now. */
bool disk_end_state(void);
/* Gives the current folder this state in any case. */
void disk_make_state(void);
/* Programs have run in the current folder: the next state cannot rely on it. */
void disk_forget(void);
/*
 * Cuts of what the library does in a state, such as a repair: keep its writes from here on; how many
 * there are, and how many sectors one has; and the state again, with those before this one, and the
 * first sectors of it.
 */
void disk_watch(bool on);
unsigned disk_watched(void);
unsigned disk_watched_sectors(unsigned write);
void disk_make_watched(unsigned write, unsigned sectors);
/* After the last flush: does this folder have the same contents? NULL, or the name of a file. */
const char *disk_differs(const char *after);

/* The contents of a file in the current state, and its size. NULL: it does not exist. */
const uint8_t *disk_contents(const char *name, uint64_t *size);
uint64_t disk_hash(uint64_t start, const void *bytes, size_t size);

/* --- the checks (replay_check.c) --- */

enum replay_kind {
	REPLAY_OPENS,	/* a header; each of its keyslots opens */
	REPLAY_FORMAT,	/* perhaps not yet */
	REPLAY_BACKUP,	/* the same, and the file "backup" opens or has no header */
	REPLAY_META,	/* the values of META (replay_meta.c) */
	REPLAY_REENCRYPT, /* continues, and all data is there */
	REPLAY_ENCRYPT,	/* the data is plain, or continues, with a detached header */
	REPLAY_DECRYPT, /* the same in the other direction */
};

struct replay_check {
	enum replay_kind kind;
	const char *header, *data;	/* names of files */
	const char *keys[KEYS_MAX];		/* names of files with a passphrase */
	unsigned key_count;
	bool unsealed;			/* the seal may be broken meanwhile */
	const char *handed;		/* the file that must hold the last key before keyslot 1 exists */
};

/* Learns volume key, seal and data from the folder, before and after the run. */
void check_learn(const struct replay_check *check, const char *folder);
/* The metadata of the current state is one that the program has committed. */
void check_commit(const struct replay_check *check);
void check_add_commit(uint64_t hash);
bool check_is_committed(uint64_t hash);
void meta_commit(const struct replay_check *check);
const char *meta_check(const struct replay_check *check);
/* What is wrong with the current state, or NULL. */
const char *check_state(const struct replay_check *check);

#endif
