/* SPDX-License-Identifier: MIT */
/* The list of orders to erase volumes: reading, changing and writing it. */
#include "declared/reset/orders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "declared/state_json.h"
#include "luks2/header.h"
#include "luks2/json.h"

#define FILE_NAME      "resets.json"
#define FILE_MAX       (512u << 10) /* bytes; more than RESET_ORDERS_MAX entries need */
#define FORMAT_VERSION 1
#define DEPTH	       4 /* the list, its entries, their members */
#define MEMBERS	       5 /* of an entry */

static struct state_json get_file(const struct reset_orders *orders)
{
	return (struct state_json){
		.root = orders->root,
		.dir = orders->dir,
		.name = orders->name ? orders->name : FILE_NAME,
		.max = FILE_MAX,
		.limits = { DEPTH, RESET_ORDERS_MAX * (MEMBERS + 1) + MEMBERS },
	};
}

void reset_orders_clear(struct reset_orders *orders)
{
	free(orders->order);
	orders->order = NULL;
	orders->count = 0;
}

static struct reset_order *find_order(const struct reset_orders *orders, const char *id)
{
	for (size_t i = 0; i < orders->count; i++)
		if (!strcmp(orders->order[i].id, id))
			return &orders->order[i];
	return NULL;
}

const struct reset_order *reset_orders_find(const struct reset_orders *orders, const char *id)
{
	return find_order(orders, id);
}

enum mortise_code reset_orders_set(struct reset_orders *orders, const struct reset_order *order,
				   struct mortise_error *err)
{
	struct reset_order *entry = find_order(orders, order->id), *grown;

	if (!entry && orders->count == RESET_ORDERS_MAX)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "cannot record the order to erase %s: the list is full; withdraw "
				 "orders with `mortise reset --withdraw`",
				 order->id);
	if (!entry) {
		grown = realloc(orders->order, (orders->count + 1) * sizeof(*grown));
		if (!grown)
			return error_memory(err);
		orders->order = grown;
		entry = &grown[orders->count++];
	}
	*entry = *order;
	return MORTISE_OK;
}

void reset_orders_remove(struct reset_orders *orders, const char *id)
{
	struct reset_order *entry = find_order(orders, id);

	if (entry)
		*entry = orders->order[--orders->count];
}

/* Every member must be valid, and no other may be present. */
static bool parse_order(struct json_object *object, struct reset_order *order)
{
	struct json_object *full = luks2_json_get(object, "full", json_type_boolean);

	*order = (struct reset_order){ .full = json_object_get_boolean(full) };
	return full && state_json_copy(object, "id", order->id, sizeof(order->id)) && *order->id &&
	       state_json_copy(object, "device", order->device, sizeof(order->device)) &&
	       state_json_copy(object, "uuid", order->uuid, sizeof(order->uuid)) &&
	       state_json_copy(object, "partuuid", order->partuuid, sizeof(order->partuuid)) &&
	       json_object_object_length(object) == MEMBERS;
}

static enum mortise_code parse_list(struct reset_orders *orders, struct json_object *root,
				    struct mortise_error *err)
{
	struct json_object *resets = luks2_json_get(root, "resets", json_type_array);
	const struct state_json file = get_file(orders);
	enum mortise_code code = MORTISE_OK;
	uint64_t version;

	if (!luks2_json_integer(root, "version", INT32_MAX, &version) ||
	    version != FORMAT_VERSION || !resets || json_object_object_length(root) != 2)
		return state_json_damaged(&file, "it is not a list of resets of a known version",
					  err);
	for (size_t i = 0; !code && i < json_object_array_length(resets); i++) {
		struct reset_order order;

		if (!parse_order(json_object_array_get_idx(resets, i), &order))
			return state_json_damaged(&file, "an entry is invalid", err);
		code = reset_orders_set(orders, &order, err);
	}
	return code;
}

enum mortise_code reset_orders_load(struct reset_orders *orders, const char *root, const char *dir,
				    struct mortise_error *err)
{
	struct json_object *document;
	struct state_json file;
	enum mortise_code code;

	reset_orders_clear(orders);
	orders->root = root;
	orders->dir = dir;
	file = get_file(orders);
	code = state_json_read(&file, &document, err);
	if (!code && document)
		code = parse_list(orders, document, err);
	if (code)
		reset_orders_clear(orders);
	json_object_put(document);
	return code;
}

enum mortise_code reset_orders_parse(struct reset_orders *orders, const char *text, size_t size,
				     struct mortise_error *err)
{
	const struct state_json file = get_file(orders);
	struct json_object *document;
	enum mortise_code code = state_json_parse(&file, text, size, &document, err);

	if (!code)
		code = parse_list(orders, document, err);
	if (code)
		reset_orders_clear(orders);
	json_object_put(document);
	return code;
}

/* NULL: out of memory. */
static struct json_object *new_entry(const struct reset_order *order)
{
	struct json_object *object = json_object_new_object();

	if (object && luks2_json_add(object, "id", json_object_new_string(order->id)) &&
	    luks2_json_add(object, "device", json_object_new_string(order->device)) &&
	    luks2_json_add(object, "uuid", json_object_new_string(order->uuid)) &&
	    luks2_json_add(object, "partuuid", json_object_new_string(order->partuuid)) &&
	    luks2_json_add(object, "full", json_object_new_boolean(order->full)))
		return object;
	json_object_put(object);
	return NULL;
}

/* NULL: out of memory. */
static struct json_object *new_document(const struct reset_orders *orders)
{
	struct json_object *root = json_object_new_object();
	struct json_object *resets = json_object_new_array();
	bool ok = root && resets &&
		  luks2_json_add(root, "version", json_object_new_int(FORMAT_VERSION));

	for (size_t i = 0; ok && i < orders->count; i++)
		ok = luks2_json_append(resets, new_entry(&orders->order[i]));
	if (ok && luks2_json_add(root, "resets", json_object_get(resets))) {
		json_object_put(resets);
		return root;
	}
	json_object_put(resets);
	json_object_put(root);
	return NULL;
}

const char *reset_orders_text(const struct reset_orders *orders, struct json_object **root)
{
	*root = new_document(orders);
	return *root ? luks2_json_plain(*root) : NULL;
}

enum mortise_code reset_orders_store(const struct reset_orders *orders, struct mortise_error *err)
{
	const struct state_json file = get_file(orders);
	struct json_object *root = new_document(orders);
	enum mortise_code code = state_json_store(&file, root, err);

	json_object_put(root);
	return code;
}

void reset_order_identify(struct reset_order *order, const char *device,
			  const struct disk_probe *probe)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = device,
						   .readonly = true,
						   .no_locks = true };
	struct mortise_luks2 *header = NULL;
	struct mortise_error ignored;

	order->uuid[0] = '\0';
	disk_partition_uuid(device, order->partuuid);
	/* A swap area has another UUID at each boot. */
	if (probe->content == DISK_FILESYSTEM && strcmp(probe->type, "swap") != 0)
		disk_filesystem_uuid(device, probe->type, order->uuid);
	if (probe->content != DISK_LUKS2 || mortise_luks2_load(&location, &header, &ignored))
		return;
	snprintf(order->uuid, sizeof(order->uuid), "%s", luks2_header_uuid(header));
	mortise_luks2_free(&header);
}

enum mortise_code reset_order_check(const struct reset_order *order, struct mortise_error *err)
{
	struct stat st;

	if (!*order->device)
		return MORTISE_OK;
	if (stat(order->device, &st) || !S_ISBLK(st.st_mode))
		return error_set(err, MORTISE_E_DEVICE, 0, "%s is not a block device",
				 order->device);
	if (*order->uuid || *order->partuuid)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "%s has no UUID that tells it from another device", order->device);
}

bool reset_order_is_for(const struct reset_order *order, const char *device,
			const struct disk_probe *probe)
{
	struct reset_order now = { .full = order->full };

	reset_order_identify(&now, device, probe);
	if (strcmp(now.partuuid, order->partuuid) != 0)
		return false;
	return probe->content == DISK_RESETTING || !strcmp(now.uuid, order->uuid);
}
