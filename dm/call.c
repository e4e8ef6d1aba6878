/* SPDX-License-Identifier: MIT */
/* Running an ioctl on the control node. */
#include "dm/control.h"
#include "base/error.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>

#define BUFFER_FIRST (16u << 10)
#define BUFFER_LAST  (4u << 20) /* holds a list of 25000 mappings */
#define ALIGNMENT    8u		/* of struct dm_ioctl and its payload */

/* The offset of the payload, for the request and the answer. */
#define DATA_START   ((uint32_t)sizeof(struct dm_ioctl))
_Static_assert(DATA_START % ALIGNMENT == 0, "the payload is aligned");

/* The bytes of a secret need not be aligned. */
static struct dm_ioctl *align_buffer(struct mortise_secret *memory)
{
	uint8_t *bytes = mortise_secret_writable(memory);
	size_t past = (uintptr_t)bytes % ALIGNMENT;

	return (void *)(bytes + (past ? ALIGNMENT - past : 0));
}

static void write_request(struct dm_ioctl *header, const struct dm_call *call, size_t room)
{
	/*
	 * 4.0.0 instead of the version in linux/dm-ioctl.h: the kernel refuses a minor number
	 * above its own.
	 */
	header->version[0] = DM_VERSION_MAJOR;
	header->data_size = (uint32_t)room;
	header->data_start = DATA_START;
	header->flags = call->flags;
	header->event_nr = call->event_nr;
	header->target_count = call->target_count;
	if (call->name)
		strncpy(header->name, call->name, sizeof(header->name) - 1);
	if (call->uuid)
		strncpy(header->uuid, call->uuid, sizeof(header->uuid) - 1);
	if (call->payload)
		memcpy((uint8_t *)header + DATA_START, mortise_secret_data(call->payload),
		       mortise_secret_size(call->payload));
}

/* Checks the sizes in the kernel's answer. */
static int read_reply(struct dm_reply *reply, const struct dm_ioctl *header, size_t room)
{
	reply->header = *header;
	reply->header.name[sizeof(reply->header.name) - 1] = '\0';
	reply->header.uuid[sizeof(reply->header.uuid) - 1] = '\0';
	if (header->data_size > room)
		return EPROTO;
	/* Without a payload data_size is the size of the header. */
	if (header->data_size <= sizeof(*header))
		return 0;
	if (header->data_start < offsetof(struct dm_ioctl, data) ||
	    header->data_start > header->data_size)
		return EPROTO;
	reply->data = (const uint8_t *)header + header->data_start;
	reply->size = header->data_size - header->data_start;
	return 0;
}

int dm_run(struct dm_control *control, const struct dm_call *call, struct dm_reply *reply)
{
	size_t payload = call->payload ? mortise_secret_size(call->payload) : 0;
	size_t room = BUFFER_FIRST;
	struct dm_ioctl *header;
	int sys;

	memset(reply, 0, sizeof(*reply));
	while (room < DATA_START + payload)
		room *= 2;
	for (; room <= BUFFER_LAST; room *= 2) {
		if (mortise_secret_new(room + ALIGNMENT, &reply->memory, NULL))
			return ENOMEM;
		header = align_buffer(reply->memory);
		write_request(header, call, room);
		sys = control->kernel.ioctl(control->kernel.context, call->request, header);
		if (sys)
			return sys;
		if (!(header->flags & DM_BUFFER_FULL_FLAG))
			return read_reply(reply, header, room);
		dm_reply_clear(reply);
	}
	return E2BIG;
}

void dm_reply_clear(struct dm_reply *reply)
{
	mortise_secret_free(&reply->memory);
	memset(reply, 0, sizeof(*reply));
}

int dm_message(struct dm_control *control, const char *encoded, const void *text, size_t size)
{
	struct dm_call call = { .request = DM_TARGET_MSG,
				.name = encoded,
				.flags = DM_SECURE_DATA_FLAG };
	struct mortise_secret *payload = NULL;
	const uint64_t sector = 0;
	struct dm_reply reply;
	int sys;

	/* struct dm_target_msg: a sector, then the text. */
	if (mortise_secret_new(sizeof(sector) + size, &payload, NULL))
		return ENOMEM;
	memcpy(mortise_secret_writable(payload) + sizeof(sector), text, size);
	call.payload = payload;
	sys = dm_run(control, &call, &reply);
	dm_reply_clear(&reply);
	mortise_secret_free(&payload);
	return sys;
}

dev_t dm_decode_device(uint64_t device)
{
	/* include/linux/kdev_t.h, huge_decode_dev */
	return makedev((unsigned)(device >> 8 & 0xfff),
		       (unsigned)((device & 0xff) | (device >> 12 & 0xfff00)));
}

enum mortise_code dm_set_errno(struct mortise_error *err, int sys, enum mortise_code code)
{
	if (err)
		err->sys_errno = sys;
	return code;
}

enum mortise_code dm_call_error(struct mortise_error *err, int sys, const char *task,
				const char *name)
{
	switch (sys) {
	case ENXIO:
		return dm_set_errno(
			err, sys,
			error_set(err, MORTISE_E_INACTIVE, 0, "Device %s is not active.", name));
	case EPERM:
	case EACCES:
		return dm_set_errno(err, sys,
				    error_set(err, MORTISE_E_DEVICE, 0,
					      "cannot %s %s: permission denied; run as root "
					      "(CAP_SYS_ADMIN)",
					      task, name));
	case ENOMEM:
		return error_set(err, MORTISE_E_MEMORY, sys, "cannot %s %s", task, name);
	case ENOTTY:
		return dm_set_errno(err, sys,
				    error_set(err, MORTISE_E_KERNEL, 0,
					      "cannot %s %s: the kernel's device-mapper is too old",
					      task, name));
	case EPROTO:
		return dm_set_errno(err, sys,
				    error_set(err, MORTISE_E_SYSTEM, 0,
					      "cannot %s %s: the kernel's answer is invalid", task,
					      name));
	case E2BIG:
		return dm_set_errno(err, sys,
				    error_set(err, MORTISE_E_SYSTEM, 0,
					      "cannot %s %s: the kernel's answer has more than %u "
					      "bytes",
					      task, name, BUFFER_LAST));
	default:
		return error_set(err, MORTISE_E_SYSTEM, sys,
				 "cannot %s %s (the kernel log may have details)", task, name);
	}
}
