/* SPDX-License-Identifier: MIT */
/*
 * Disk selectors: expressions in the Common Expression Language (cel.dev), of which this is
 * what Talos's environment for disks has, but for maps, time, conversions to text, and
 * arithmetic on strings and lists. Anything else is an error at its place, and never guessed.
 */
#ifndef META_SELECTOR_H
#define META_SELECTOR_H

#include <mortise.h>

#define META_SELECTOR_MAX 2048u /* bytes of an expression */

/* A disk as Talos's Disks.block.talos.dev shows it. Texts are "" when not known, never NULL. */
struct meta_disk {
	uint64_t size;		/* bytes, as the next two */
	uint64_t io_size;
	uint64_t sector_size;
	bool readonly;
	bool rotational;
	bool cdrom;
	bool system;		/* system_disk */
	bool system_known;	/* false: no disk is known as that one; asking for it is an error */
	const char *bus_path;
	const char *dev_path;	/* "/dev/sda" */
	const char *firmware_version;
	const char *modalias;
	const char *model;
	const char *serial;
	const char *sub_system;
	const char *transport;	/* "nvme", "sata", "ata", "sas", "usb", "virtio", "mmc", ... */
	const char *uuid;
	const char *wwid;
	const char *const *symlinks; /* "/dev/disk/by-id/...", NULL behind the last */
};

struct meta_selector;

/*
 * Parses text and checks its types: it must say true or false. MORTISE_E_CONFIG, with line and
 * column inside text in front of the sentence ("1:11: ").
 */
MORTISE_MUST_CHECK enum mortise_code meta_selector_parse(const char *text,
							 struct meta_selector **out,
							 struct mortise_error *err);
void meta_selector_free(struct meta_selector *selector);

/* The same for a text that is only looked at. */
MORTISE_MUST_CHECK enum mortise_code meta_selector_check(const char *text,
							 struct mortise_error *err);

/*
 * Does the expression hold for this disk? MORTISE_E_CONFIG: it has no value, by an overflow, a
 * division by zero, an item beyond a list, a system disk that is not known, or too many steps.
 */
MORTISE_MUST_CHECK enum mortise_code meta_selector_matches(const struct meta_selector *selector,
							   const struct meta_disk *disk,
							   bool *matches,
							   struct mortise_error *err);

#endif
