/* SPDX-License-Identifier: MIT */
/* The state of Secure Boot, read from the firmware (UEFI Specification, section 3.3). */
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "keys/sources/tpm/tpm.h"

#define EFI_GLOBAL_VARIABLE "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define ATTRIBUTES_SIZE	    4u /* bytes that efivarfs puts before the value */
#define REFUSED		    "failed to enroll the TPM2 key, as "
#define BECAUSE		    " (and checkSecurebootOnEnroll is enabled)"

/* Reads a variable of one byte. Returns 0 or errno. */
static int read_variable(const char *efivars, const char *name, uint8_t *value)
{
	char content[ATTRIBUTES_SIZE + 3], path[512];
	ssize_t got;

	if (snprintf(path, sizeof(path), "%s/%s-" EFI_GLOBAL_VARIABLE, efivars, name) >=
	    (int)sizeof(path))
		return ENAMETOOLONG;
	got = file_read_text(path, content, sizeof(content));
	if (got < 0)
		return errno;
	if (got != ATTRIBUTES_SIZE + 1)
		return EBADMSG;
	*value = (uint8_t)content[ATTRIBUTES_SIZE];
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
