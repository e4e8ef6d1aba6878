/* SPDX-License-Identifier: MIT */
/* The connection to a TPM: through the kernel's devices, or through a given TCTI. */
#include "keys/sources/tpm/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "keys/sources/tpm/response.h"

#define PAUSE_MS 100

/* The first has the kernel's resource manager, and exists only for a TPM 2.0. */
static const char *const devices[] = { "/dev/tpmrm0", "/dev/tpm0" };

/* Waits before the next attempt. Returns false if no time is left for one. */
static bool pause_before_retry(const struct keys_tpm_context *context)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	if (clock_now_ms() + PAUSE_MS >= context->deadline)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

bool keys_tpm_again(const struct keys_tpm_context *context, TSS2_RC rc)
{
	return keys_tpm_busy(rc) && pause_before_retry(context);
}

void keys_tpm_keep(struct keys_tpm_context *context, ESYS_TR handle)
{
	if (context->kept_count < KEYS_TPM_KEPT_MAX)
		context->kept[context->kept_count++] = handle;
}

static enum mortise_code connect_tcti(struct keys_tpm_context *context, const char *tcti,
				      struct mortise_error *err)
{
	TSS2_RC rc = context->library.Tss2_TctiLdr_Initialize(tcti, &context->tcti);

	if (rc) {
		context->tcti = NULL;
		return error_set(
			err, MORTISE_E_SOURCE, 0,
			"cannot reach a TPM through the TCTI %s (0x%08x); check the TPM, "
			"and whether the library of the TCTI (libtss2-tcti-*) is installed",
			tcti, rc);
	}
	rc = context->library.Esys_Initialize(&context->esys, context->tcti, NULL);
	if (rc) {
		context->esys = NULL;
		return keys_tpm_failed(rc, "Esys_Initialize", err);
	}
	return MORTISE_OK;
}

/* Tries to open the device. Returns 0 or errno, which the TCTI for devices does not report. */
static int try_open(const char *device)
{
	int fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* A device without a driver, or a driver without a TPM. */
static bool is_absent(int sys)
{
	return sys == ENOENT || sys == ENODEV || sys == ENXIO;
}

/* *absent: the device does not exist, and err is not set. */
static enum mortise_code connect_device(struct keys_tpm_context *context, const char *device,
					bool *absent, struct mortise_error *err)
{
	enum mortise_code code;
	char tcti[64];
	int sys;

	*absent = false;
	snprintf(tcti, sizeof(tcti), "device:%s", device);
	do {
		sys = try_open(device);
		if (!sys) {
			code = connect_tcti(context, tcti, err);
			/* Another process may have opened it first. */
			sys = code ? try_open(device) : 0;
			if (!code || sys != EBUSY)
				return code;
		}
	} while (sys == EBUSY && pause_before_retry(context));
	*absent = is_absent(sys);
	if (*absent)
		return MORTISE_E_SOURCE;
	if (sys == EBUSY)
		return error_set(err, MORTISE_E_UNREACHABLE, sys,
				 "cannot open the TPM %s, which another program uses", device);
	return error_set(err, MORTISE_E_SOURCE, sys, "cannot open the TPM %s", device);
}

bool keys_tpm_exists(const char *tcti)
{
	bool exists = tcti;

	for (size_t i = 0; !exists && i < sizeof(devices) / sizeof(devices[0]); i++)
		exists = !is_absent(try_open(devices[i]));
	return exists;
}

bool keys_tpm_is_announced(void)
{
	return !access("/sys/firmware/acpi/tables/TPM2", F_OK);
}

enum mortise_code keys_tpm_open(struct keys_tpm_context *context, const char *tcti,
				uint64_t deadline, struct mortise_error *err)
{
	enum mortise_code code;
	bool absent;

	memset(context, 0, sizeof(*context));
	context->deadline = deadline;
	code = keys_tpm_library_load(&context->library, err);
	if (code)
		return code;
	if (tcti)
		return connect_tcti(context, tcti, err);
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		code = connect_device(context, devices[i], &absent, err);
		if (!absent)
			return code;
	}
	return error_set(err, MORTISE_E_SOURCE, 0, "this machine has no TPM 2.0 (%s, %s)",
			 devices[0], devices[1]);
}

static void flush_handle(struct keys_tpm_context *context, ESYS_TR handle)
{
	TSS2_RC rc;

	do
		rc = context->library.Esys_FlushContext(context->esys, handle);
	while (keys_tpm_again(context, rc));
}

void keys_tpm_flush(struct keys_tpm_context *context, unsigned count)
{
	while (context->kept_count > count)
		flush_handle(context, context->kept[--context->kept_count]);
}

void keys_tpm_close(struct keys_tpm_context *context)
{
	keys_tpm_flush(context, 0);
	if (context->esys)
		context->library.Esys_Finalize(&context->esys);
	if (context->tcti)
		context->library.Tss2_TctiLdr_Finalize(&context->tcti);
	keys_tpm_library_unload(&context->library);
}
