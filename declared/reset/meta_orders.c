/* SPDX-License-Identifier: MIT */
/* The order to erase STATE, which cannot be in STATE: META holds it, with the volumes to erase too. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "declared/meta_state.h"
#include "declared/reset/ordered.h"
#include "declared/reset/reset.h"

static enum mortise_code find_meta(const struct mortise_up_options *options,
				   struct volume_meta_place *place, struct mortise_error *err)
{
	const struct volume_devices devices = { options->devices, options->device_count };
	enum mortise_code code = volume_meta_find(&devices, place, err);

	if (place->foreign)
		place->path[0] = '\0';
	return code;
}

enum mortise_code reset_meta_load(const struct mortise_up_options *options,
				  struct volume_meta_place *place, struct reset_orders *orders,
				  struct mortise_error *err)
{
	const struct mortise_meta_entry *entry;
	struct mortise_meta *meta = NULL;
	enum mortise_code code;

	*orders = (struct reset_orders){ .dir = "META", .name = "MortiseReset" };
	code = find_meta(options, place, err);
	if (code || !*place->path)
		return code;
	code = mortise_meta_read(place->path, options->events, &meta, err);
	if (code)
		return code;
	entry = mortise_meta_find(meta, MORTISE_META_RESET);
	if (entry)
		code = reset_orders_parse(orders, entry->value, entry->size, err);
	mortise_meta_free(&meta);
	return code;
}

void reset_meta_show(const struct mortise_up_options *options, struct reset_orders *orders)
{
	struct volume_meta_place place;
	struct mortise_error ignored;
	struct reset_orders more;

	(void)!reset_meta_load(options, &place, &more, &ignored);
	for (size_t i = 0; i < more.count; i++)
		(void)!reset_orders_set(orders, &more.order[i], &ignored);
	reset_orders_clear(&more);
}

enum mortise_code reset_meta_store(const char *path, const struct mortise_events *events,
				   const struct reset_orders *orders, struct mortise_error *err)
{
	struct json_object *root;
	const char *text;
	enum mortise_code code;

	/* Without STATE, other volumes must not be erased: this order is not in STATE. */
	if (!reset_orders_find(orders, CONFIG_STATE))
		return mortise_meta_delete(path, events, MORTISE_META_RESET, err);
	text = reset_orders_text(orders, &root);
	code = text ? mortise_meta_set(path, events, MORTISE_META_RESET, text, strlen(text), err)
		    : error_memory(err);
	json_object_put(root);
	return code;
}

static bool is_wanted(const struct mortise_up_options *options)
{
	return !options->name_count || volume_is_wanted(&volume_state, options);
}

/* The device given for the volume; also META's. */
static const char *find_devices(const struct mortise_up_options *options, const char *id,
				struct mortise_volume_device *meta)
{
	const char *given = NULL;

	for (size_t i = 0; i < options->device_count; i++) {
		if (!strcmp(options->devices[i].name, id))
			given = options->devices[i].device;
		else if (!strcmp(options->devices[i].name, META_LABEL))
			*meta = options->devices[i];
	}
	return given;
}

/*
 * Erases one volume or, with check, only checks that it is not in use. *erased: its device holds what
 * the order names, and was erased.
 */
static enum mortise_code erase(const struct mortise_up_options *options,
			       const struct reset_order *order, bool check, bool *erased,
			       struct mortise_error *err)
{
	const char *const names[] = { order->id };
	struct mortise_volume_device devices[2] = { { NULL, NULL } };
	const char *given = find_devices(options, order->id, &devices[0]);
	struct mortise_reset_options what = {
		.struct_size = sizeof(what),
		.names = names,
		.name_count = 1,
		.devices = devices,
		.device_count = devices[0].name ? 1 : 0,
		.full = order->full,
		.events = options->events,
	};
	struct mortise_reset *reset = NULL;
	struct reset_target *target;
	enum mortise_code code;

	*erased = false;
	/* Write access to META must not be enough to erase a file or another disk of the machine. */
	code = given ? MORTISE_OK : reset_order_check(order, err);
	if (code) {
		error_prefix(err, "not erased");
		return code;
	}
	if (!given && *order->device)
		given = order->device;
	if (given)
		devices[what.device_count++] = (struct mortise_volume_device){ order->id, given };
	code = mortise_reset_find(&what, &reset, err);
	if (code)
		return code;
	target = &reset->targets[0];
	/* The list of known volumes is erased with STATE. */
	reset->erases_state = true;
	if (!reset_order_is_for(order, target->device, &target->probe))
		goto out;
	if (target->in_use)
		code = error_set(err, MORTISE_E_BUSY, 0,
				 "not erased yet, because %s is in use: " RESET_ORDERED,
				 target->device);
	else if (!check)
		code = reset_volume(reset, target, err);
	*erased = !code && !check;
out:
	mortise_reset_free(&reset);
	return code;
}

/*
 * Two rounds: nothing is erased while one of the volumes is in use. STATE comes last: as long as it
 * is there, another run finds the order to be unfinished.
 */
static bool erase_all(const struct mortise_up_options *options, struct reset_orders *orders)
{
	const struct reset_order state = *reset_orders_find(orders, CONFIG_STATE);
	struct mortise_error why;
	bool erased;

	reset_orders_remove(orders, CONFIG_STATE);
	for (size_t i = 0; i < 2 * (orders->count + 1); i++) {
		const bool check = i <= orders->count;
		const size_t at = i % (orders->count + 1);
		const struct reset_order *order = at < orders->count ? &orders->order[at] : &state;

		if (erase(options, order, check, &erased, &why)) {
			events_notify(options->events, order->id, why.text);
			return false;
		}
		if (!check)
			events_notify(
				options->events, order->id,
				erased ? "erased, " RESET_ORDERED
				       : "not erased: the order named another volume, and was "
					 "dropped");
	}
	return true;
}

/* False: STATE is another one than the order names, or cannot be examined. */
static bool is_for_state(const struct mortise_up_options *options,
			 const struct reset_orders *orders)
{
	const struct reset_order *order = reset_orders_find(orders, CONFIG_STATE);
	char device[VOLUME_PATH_MAX];
	struct mortise_error ignored;
	struct disk_probe probe;

	return order && !volume_locate(&volume_state, options, device, sizeof(device), &ignored) &&
	       !disk_probe(device, options->events, &probe, &ignored) &&
	       reset_order_is_for(order, device, &probe);
}

void reset_do_meta(const struct mortise_up_options *options)
{
	struct volume_meta_place place;
	struct reset_orders orders = { .count = 0 };
	struct mortise_error why = { 0 };

	/* Every run reads META; a failure that matters is reported where its values are needed. */
	if (!is_wanted(options) || reset_meta_load(options, &place, &orders, &why) || !orders.count)
		goto out;
	if (!is_for_state(options, &orders))
		events_notify(options->events, CONFIG_STATE,
			      "not erased: the order in META named another STATE, and was dropped");
	else if (!erase_all(options, &orders))
		goto out;
	if (mortise_meta_delete(place.path, options->events, MORTISE_META_RESET, &why))
		events_notify(options->events, "META", why.text);
out:
	reset_orders_clear(&orders);
}
