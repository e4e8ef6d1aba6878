/* SPDX-License-Identifier: MIT */
/* Resets that the next run executes: giving the order and withdrawing it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sized.h"
#include "declared/declared.h"
#include "declared/reset/ordered.h"
#include "declared/reset/reset.h"

/* The orders of this machine, and the paths that they point to. */
struct book {
	struct reset_orders orders;
	char dir[VOLUME_PATH_MAX], root[VOLUME_PATH_MAX];
	int lock;
};

static void close_book(struct book *book)
{
	reset_orders_clear(&book->orders);
	if (book->lock >= 0)
		close(book->lock);
}

/* Takes the lock of runs and reads the orders. Call close_book(), also after a failure. */
static enum mortise_code open_book(struct book *book, const struct mortise_reset *reset,
				   struct mortise_error *err)
{
	enum mortise_code code;
	bool exists;

	*book = (struct book){ .lock = -1 };
	code = volume_run_lock(reset->events, &book->lock, err);
	if (code)
		return code;
	reset_find_state_dir(reset, book->dir, book->root, &exists);
	if (*book->dir)
		return reset_orders_load(&book->orders, book->root, book->dir, err);
	if (exists)
		return error_set(err, MORTISE_E_WAIT, 0,
				 "STATE, which holds the orders for the next boot, is not mounted; "
				 "run `mortise up STATE` first");
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "this machine has no STATE, which would hold the order for the next boot; "
			 "close the volume and reset it without --staged");
}

/* The same for the orders in META, which these replace. */
static enum mortise_code open_meta(struct book *book, const struct mortise_reset *reset,
				   struct mortise_error *err)
{
	*book = (struct book){ .lock = -1 };
	return volume_run_lock(reset->events, &book->lock, err);
}

/* META may have been written by others, so that a run does not execute any order in it. */
static enum mortise_code check_with_state(const struct reset_order *order,
					  struct mortise_error *err)
{
	enum mortise_code code = reset_order_check(order, err);

	if (code)
		error_prefix(err, "cannot stage the reset of %s together with that of STATE",
			     order->id);
	return code;
}

enum mortise_code mortise_reset_stage(struct mortise_reset *reset, struct mortise_error *err)
{
	enum mortise_code code;
	struct book book;

	if (reset->erases_state && !*reset->meta)
		return error_set(
			err, MORTISE_E_DEVICE, 0,
			"cannot stage the reset of STATE: it has no META, which would hold "
			"the order; reset it without --staged");
	code = reset->erases_state ? open_meta(&book, reset, err) : open_book(&book, reset, err);
	for (size_t i = 0; !code && i < reset->count; i++) {
		const struct reset_target *target = &reset->targets[i];
		struct reset_order order = { .full = reset->full };
		const bool by_label = *target->label && !target->given;

		snprintf(order.id, sizeof(order.id), "%s",
			 *target->label ? target->label : target->name);
		if (!by_label && !realpath(target->device, order.device))
			code = error_set(err, MORTISE_E_DEVICE, errno, "cannot resolve path %s",
					 target->device);
		reset_order_identify(&order, target->device, &target->probe);
		if (!code && reset->erases_state && strcmp(order.id, CONFIG_STATE) != 0)
			code = check_with_state(&order, err);
		if (!code)
			code = reset_orders_set(&book.orders, &order, err);
	}
	if (!code && reset->erases_state)
		code = reset_meta_store(reset->meta, reset->events, &book.orders, err);
	else if (!code)
		code = reset_orders_store(&book.orders, err);
	close_book(&book);
	return code;
}

/* The order that the name can mean: an id, or the name of a user, raw or swap volume. */
static const struct reset_order *find_order(const struct reset_orders *orders, const char *name)
{
	const struct reset_order *order = reset_orders_find(orders, name);

	for (size_t i = 0; !order && i < orders->count; i++) {
		const char *id = orders->order[i].id;

		if (volume_is_label(id) && id[1] == '-' && !strcmp(id + 2, name))
			order = &orders->order[i];
	}
	return order;
}

static bool is_named_state(const struct mortise_reset_options *options)
{
	for (size_t i = 0; i < options->name_count; i++)
		if (!strcmp(options->names[i], CONFIG_STATE))
			return true;
	return false;
}

/* Withdraws the order in META, for STATE and the volumes that were to be erased with it. */
static enum mortise_code withdraw_meta(const struct mortise_reset_options *options,
				       struct mortise_error *err)
{
	const struct mortise_up_options where = { .devices = options->devices,
						  .device_count = options->device_count,
						  .events = options->events };
	struct reset_orders orders = { .count = 0 };
	struct volume_meta_place place;
	enum mortise_code code;
	int lock = -1;

	code = volume_run_lock(options->events, &lock, err);
	if (!code)
		code = reset_meta_load(&where, &place, &orders, err);
	for (size_t i = 0; !code && i < options->name_count; i++)
		if (!find_order(&orders, options->names[i]))
			code = error_set(
				err, MORTISE_E_USAGE, 0,
				"no reset of \"%s\" is staged together with STATE; nothing "
				"was changed",
				options->names[i]);
	if (!code)
		code = mortise_meta_delete(place.path, options->events, MORTISE_META_RESET, err);
	reset_orders_clear(&orders);
	if (lock >= 0)
		close(lock);
	return code;
}

enum mortise_code mortise_reset_withdraw(const struct mortise_reset_options *options,
					 struct mortise_error *err)
{
	struct mortise_reset_options wanted;
	struct mortise_reset reset = { .count = 0 };
	enum mortise_code code = sized_input(SIZED(mortise_reset_options), &wanted, options, err);
	struct book book;

	if (code)
		return code;
	if (is_named_state(&wanted))
		return withdraw_meta(&wanted, err);
	reset.events = wanted.events;
	reset_find_state(&wanted, &reset);
	code = open_book(&book, &reset, err);
	for (size_t i = 0; !code && i < wanted.name_count; i++) {
		const struct reset_order *order = find_order(&book.orders, wanted.names[i]);

		if (order)
			reset_orders_remove(&book.orders, order->id);
		else
			code = error_set(err, MORTISE_E_USAGE, 0,
					 "no reset of \"%s\" is staged; nothing was changed",
					 wanted.names[i]);
	}
	if (!code)
		code = reset_orders_store(&book.orders, err);
	close_book(&book);
	return code;
}
