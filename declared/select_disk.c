/* SPDX-License-Identifier: MIT */
/* Finding the disk that matches a volume's disk selector. */
#include "declared/select_disk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "config/selector/selector.h"

/* A list that ends with "..." if the text is too small for it. */
struct list {
	char text[256];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void list_add(struct list *list, const char *format,
							   ...)
{
	static const char more[] = ", ...";
	char entry[200];
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(entry, sizeof(entry), format, arguments);
	va_end(arguments);
	if (size < 0 || list->used + sizeof(more) >= sizeof(list->text))
		return;
	if (list->used + (size_t)size + 2 + sizeof(more) >= sizeof(list->text)) {
		snprintf(list->text + list->used, sizeof(list->text) - list->used, "%s", more);
		list->used = sizeof(list->text);
		return;
	}
	list->used += (size_t)snprintf(list->text + list->used, sizeof(list->text) - list->used,
				       "%s%s", list->used ? ", " : "", entry);
}

static void list_disk(struct list *list, const struct disk_facts *disk)
{
	const bool large = disk->size >= UINT64_C(10) << 30;

	list_add(list, "%s (%" PRIu64 " %s%s%s)", disk->dev_path, disk->size >> (large ? 30 : 20),
		 large ? "GiB" : "MiB", *disk->transport ? ", " : "", disk->transport);
}

enum mortise_code volume_select_disk(const struct disk_list *disks,
				     const struct config_volume *volume, char *path, size_t room,
				     struct mortise_error *err)
{
	struct config_selector *selector = NULL;
	struct list all = { .used = 0 }, matching = { .used = 0 };
	size_t count = 0;
	enum mortise_code code;

	*path = '\0';
	code = config_selector_parse(volume->disk_selector, &selector, err);
	for (size_t i = 0; !code && i < disks->count; i++) {
		const struct disk_facts *disk = &disks->disk[i]->facts;
		bool matches;

		code = config_selector_matches(selector, disk, &matches, err);
		list_disk(&all, disk);
		if (code || !matches)
			continue;
		list_disk(&matching, disk);
		snprintf(path, room, "%s", disk->dev_path);
		count++;
	}
	config_selector_free(selector);
	if (code) {
		*path = '\0';
		error_prefix(err, "disk selector of %s", volume->name);
		return code;
	}
	if (count == 1)
		return MORTISE_OK;
	*path = '\0';
	if (count)
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "the disk selector of %s matches %zu disks instead of one: %s; "
				 "make it more specific, or use --device %s=/dev/X",
				 volume->name, count, matching.text, volume->name);
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "the disk selector of %s matches no disk; disks found: %s; change it, or "
			 "use --device %s=/dev/X",
			 volume->name, disks->count ? all.text : "none", volume->name);
}

enum mortise_code volume_find_disk(const struct config_volume *volume, char *path, size_t room,
				   struct mortise_error *err)
{
	struct disk_list disks;
	enum mortise_code code = disk_list_read("", &disks, err);

	if (!code)
		code = volume_select_disk(&disks, volume, path, room, err);
	disk_list_clear(&disks);
	return code;
}
