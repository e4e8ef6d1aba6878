/* SPDX-License-Identifier: MIT */
/* Keys in the kernel's keyrings, named as by keyctl(1). */
#include "volume/keyring.h"

#include <ctype.h>
#include <errno.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

#define TYPE_ROOM 32u /* bytes of a type with its NUL, as in the kernel */

/* "%TYPE:NAME", "%:NAME" for a keyring, or NAME of the default type. Returns NAME; NULL: invalid. */
static const char *split_type(const char *text, const char *otherwise, char type[static TYPE_ROOM])
{
	const char *colon = *text == '%' ? strchr(text, ':') : NULL;
	int size = colon ? (int)(colon - text - 1) : 0;

	if (*text == '%' && (!colon || size >= (int)TYPE_ROOM))
		return NULL;
	if (size)
		snprintf(type, TYPE_ROOM, "%.*s", size, text + 1);
	else
		snprintf(type, TYPE_ROOM, "%s", colon ? "keyring" : otherwise);
	text = colon ? colon + 1 : text;
	return *text ? text : NULL;
}

/* The number of a key. Negative: errno says why. */
static long find_key(const char *text, const char *otherwise)
{
	char type[TYPE_ROOM];
	const char *name;
	char *end;
	long serial;

	errno = 0;
	serial = strtol(text, &end, 0);
	if (isdigit((unsigned char)*text) && !*end && !errno && serial > 0 && serial <= INT32_MAX)
		return serial;
	name = split_type(text, otherwise, type);
	errno = EINVAL;
	return name ? syscall(SYS_request_key, type, name, NULL, 0) : -1;
}

enum mortise_code mortise_keyring_read(const char *key, struct mortise_secret **out,
				       struct mortise_error *err)
{
	return volume_keyring_get(find_key(key, "user"), key, out, err);
}

enum mortise_code volume_keyring_get(long serial, const char *name, struct mortise_secret **out,
				     struct mortise_error *err)
{
	enum mortise_code code;
	long size;

	if (serial < 0)
		return error_set(err, MORTISE_E_KEY, errno,
				 "no key \"%s\" in the keyrings of this process", name);
	size = syscall(SYS_keyctl, KEYCTL_READ, serial, NULL, 0);
	if (size < 0 || size > (long)MORTISE_PASSPHRASE_MAX)
		return error_set(err, MORTISE_E_KEY, size < 0 ? errno : 0,
				 "cannot read the key \"%s\"", name);
	code = mortise_secret_new((size_t)size, out, err);
	if (code)
		return code;
	if (syscall(SYS_keyctl, KEYCTL_READ, serial, mortise_secret_data(*out), (size_t)size) ==
	    size)
		return MORTISE_OK;
	mortise_secret_free(out);
	return error_set(err, MORTISE_E_KEY, 0, "the key \"%s\" changed while it was being read",
			 name);
}

/* A special keyring or the number of another one. */
static long find_keyring(const char *text)
{
	static const struct {
		const char *name;
		long serial;
	} special[] = {
		{ "@t", KEY_SPEC_THREAD_KEYRING },	  { "@p", KEY_SPEC_PROCESS_KEYRING },
		{ "@s", KEY_SPEC_SESSION_KEYRING },	  { "@u", KEY_SPEC_USER_KEYRING },
		{ "@us", KEY_SPEC_USER_SESSION_KEYRING },
	};

	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (!strcmp(text, special[i].name))
			return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, special[i].serial, 1);
	return find_key(text, "keyring");
}

enum mortise_code mortise_keyring_store(const char *target, const struct mortise_secret *value,
					struct mortise_error *err)
{
	const char *colons = strstr(target, "::"), *name = NULL;
	char keyring[256], type[TYPE_ROOM] = "";
	long serial;

	if (colons && colons > target && colons - target < (long)sizeof(keyring))
		name = split_type(colons + 2, "user", type);
	if (!name || (strcmp(type, "user") && strcmp(type, "logon")))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "invalid target \"%s\" for a key; use KEYRING::KEY, as in "
				 "@u::%%user:name",
				 target);
	snprintf(keyring, sizeof(keyring), "%.*s", (int)(colons - target), target);
	serial = find_keyring(keyring);
	if (serial == -1)
		return error_set(err, MORTISE_E_KEY, errno, "cannot find the keyring \"%s\"",
				 keyring);
	if (value && syscall(SYS_add_key, type, name, mortise_secret_data(value),
			     mortise_secret_size(value), serial) < 0)
		return error_set(err, MORTISE_E_KEY, errno, "cannot store the key \"%s\" in %s",
				 name, keyring);
	return MORTISE_OK;
}
