/* SPDX-License-Identifier: MIT */
/*
 * Which partitions are created, and where: rules, order and sizes as in Talos. Nothing here reads
 * or writes a disk; the candidates have been examined before.
 */
#ifndef DECLARED_PARTITION_H
#define DECLARED_PARTITION_H

#include "config/config.h"
#include "declared/plan.h"
#include "disk/choice.h"
#include "disk/disks.h"

#define PARTITION_META_SIZE (UINT64_C(1) << 20)

/* What a volume demands of its partition. */
struct partition_rule {
	const char *label;
	const char *type;	/* GUID, as text */
	const char *selector;	/* CEL; NULL: the system disk */
	int wave;		/* -2: META, -1: system volumes, 0: others */
	bool grow;
	uint64_t min;		/* bytes */
	struct config_size max;	/* not given: all that is free */
};

/* volume NULL: META. */
void partition_rule_of(const struct config_volume *volume, struct partition_rule *rule);

/* The order of creation: < 0 if a comes before b. No two volumes are equal. */
int partition_rule_compare(const struct partition_rule *a, const struct partition_rule *b);

/*
 * The size of a new partition in the largest free range, which has this many bytes: a multiple of
 * GPT_UNIT. 0: *why says which bound the range cannot hold.
 */
uint64_t partition_size(const struct partition_rule *rule, uint64_t free, const char **why);

/* A partition that is to be created. */
struct partition_planned {
	const struct config_volume *volume; /* NULL: META */
	struct partition_rule rule;
	struct disk_candidate *disk;	/* NULL: it cannot be created, for the reason in why */
	bool refused;		/* a disk was selected, but has no place for it */
	char why[400];
	struct gpt_partition place;
	uint64_t start, size;	/* bytes */
	char type[MORTISE_UUID_LEN + 1];
	char device[VOLUME_PATH_MAX]; /* its node, once it exists */
	bool wanted;		/* the plan of its volume can use it */
	bool created;
	struct mortise_partition shown;
};

/* What becomes of the disks of this machine. */
struct partition_layout {
	struct disk_list list;	/* the facts of the disks */
	struct disk_candidate *disks; /* in the order of their names */
	size_t disk_count;
	struct disk_candidate *system; /* NULL: unknown, for the reason in why */
	char why[400];
	bool at_once;		/* STATE is among them: all partitions are created with it */
	struct partition_planned *partitions; /* in the order of creation */
	size_t count;
};

/*
 * Chooses disk, place and size of each partition of layout, whose volume is set, in their order,
 * and adds it to the table of its candidate. Fails only with MORTISE_E_MEMORY.
 */
MORTISE_MUST_CHECK enum mortise_code partition_layout_choose(struct partition_layout *layout,
							     struct mortise_error *err);

/* The planned partition of a volume, of META for NULL; NULL: none is planned. */
struct partition_planned *partition_find(const struct partition_layout *layout,
					 const struct config_volume *volume);

#endif
