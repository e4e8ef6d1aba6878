/* SPDX-License-Identifier: MIT */
/* Secure Boot as the firmware tells it (UEFI Specification, section 3.3). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "keys/sources/tpm/tpm.h"

#define EFI_GLOBAL_VARIABLE "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define ATTRIBUTES_SIZE	    4u /* bytes that efivarfs puts before the value */
#define REFUSED		    "failed to enroll the TPM2 key, as "
#define BECAUSE		    " (and checkSecurebootOnEnroll is enabled)"

/* errno, or 0 and the value of a variable that has one byte. */
static int read_variable(const char *efivars, const char *name, uint8_t *value)
{
	uint8_t content[ATTRIBUTES_SIZE + 2];
	char path[512];
	ssize_t got;
	int fd, sys;

	if (snprintf(path, sizeof(path), "%s/%s-" EFI_GLOBAL_VARIABLE, efivars, name) >=
	    (int)sizeof(path))
		return ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	got = read(fd, content, sizeof(content));
	sys = got < 0 ? errno : 0;
	close(fd);
	if (sys)
		return sys;
	if (got != ATTRIBUTES_SIZE + 1)
		return EBADMSG;
	*value = content[ATTRIBUTES_SIZE];
	return 0;
}

enum mortise_code keys_secureboot_check(const char *efivars, struct mortise_error *err)
{
	uint8_t on = 0, setup = 1;
	int sys;

	sys = read_variable(efivars, "SecureBoot", &on);
	if (sys && sys != ENOENT)
		return error_set(err, MORTISE_E_POLICY, sys,
				 REFUSED "SecureBoot cannot be read from %s" BECAUSE, efivars);
	if (sys || on != 1)
		return error_set(err, MORTISE_E_POLICY, 0,
				 REFUSED "SecureBoot is disabled" BECAUSE);
	sys = read_variable(efivars, "SetupMode", &setup);
	if (sys)
		return error_set(err, MORTISE_E_POLICY, sys,
				 REFUSED "SetupMode cannot be read from %s" BECAUSE, efivars);
	if (setup)
		return error_set(err, MORTISE_E_POLICY, 0,
				 REFUSED "the system is in SecureBoot setup mode" BECAUSE);
	return MORTISE_OK;
}
