/* SPDX-License-Identifier: MIT */
/* Logon keys by system call, to avoid a dependency on libkeyutils. */
#include "dm/host.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int dm_key_add(void *context, const char *description, const struct mortise_secret *key,
	       int32_t *serial)
{
	long id;

	(void)context;
	id = syscall(SYS_add_key, "logon", description, mortise_secret_data(key),
		     mortise_secret_size(key), KEY_SPEC_THREAD_KEYRING);
	if (id < 0)
		return errno;
	*serial = (int32_t)id;
	return 0;
}

void dm_key_remove(void *context, int32_t serial)
{
	(void)context;
	/* After an invalidation the kernel frees the payload now, not at the end of the thread. */
	(void)syscall(SYS_keyctl, KEYCTL_INVALIDATE, serial);
	(void)syscall(SYS_keyctl, KEYCTL_UNLINK, serial, KEY_SPEC_THREAD_KEYRING);
}
