/* SPDX-License-Identifier: MIT */
/* The way to a TPM: the kernel's devices, or a TCTI that was asked for by name. */
#include "keys/sources/tpm/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "keys/sources/tpm/response.h"

#define PAUSE_MS 100

/* The first has the kernel's resource manager, and is there for a TPM 2.0 only. */
static const char *const devices[] = { "/dev/tpmrm0", "/dev/tpm0" };

int64_t keys_tpm_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False: no time is left for it. */
static bool wait_a_little(const struct keys_tpm_context *context)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	if (keys_tpm_clock_ms() + PAUSE_MS >= context->deadline)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

bool keys_tpm_again(const struct keys_tpm_context *context, TSS2_RC rc)
{
	return keys_tpm_busy(rc) && wait_a_little(context);
}

void keys_tpm_keep(struct keys_tpm_context *context, ESYS_TR handle)
{
	if (context->kept_count < KEYS_TPM_KEPT_MAX)
		context->kept[context->kept_count++] = handle;
}

static enum mortise_code begin(struct keys_tpm_context *context, const char *tcti,
			       struct mortise_error *err)
{
	TSS2_RC rc = context->library.Tss2_TctiLdr_Initialize(tcti, &context->tcti);

	if (rc) {
		context->tcti = NULL;
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "no TPM can be reached by the TCTI %s (0x%08x): is it there, and "
				 "is its library (libtss2-tcti-*) installed?",
				 tcti, rc);
	}
	rc = context->library.Esys_Initialize(&context->esys, context->tcti, NULL);
	if (rc) {
		context->esys = NULL;
		return keys_tpm_failed(rc, "Esys_Initialize", err);
	}
	return MORTISE_OK;
}

/* errno of opening it, 0 when that can be done. The TCTI for devices does not tell. */
static int open_error(const char *device)
{
	int fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* *absent: there is no such device, and err was left alone. */
static enum mortise_code begin_device(struct keys_tpm_context *context, const char *device,
				      bool *absent, struct mortise_error *err)
{
	enum mortise_code code;
	char tcti[64];
	int sys;

	*absent = false;
	snprintf(tcti, sizeof(tcti), "device:%s", device);
	do {
		sys = open_error(device);
		if (!sys) {
			code = begin(context, tcti, err);
			/* Somebody else may have been quicker. */
			sys = code ? open_error(device) : 0;
			if (!code || sys != EBUSY)
				return code;
		}
	} while (sys == EBUSY && wait_a_little(context));
	*absent = sys == ENOENT || sys == ENODEV || sys == ENXIO;
	if (*absent)
		return MORTISE_E_SOURCE;
	if (sys == EBUSY)
		return error_set(err, MORTISE_E_UNREACHABLE, sys,
				 "another program keeps the TPM for itself: %s", device);
	return error_set(err, MORTISE_E_SOURCE, sys, "the TPM cannot be opened: %s", device);
}

enum mortise_code keys_tpm_open(struct keys_tpm_context *context, const char *tcti,
				int64_t deadline, struct mortise_error *err)
{
	enum mortise_code code;
	bool absent;

	memset(context, 0, sizeof(*context));
	context->deadline = deadline;
	code = keys_tpm_library_load(&context->library, err);
	if (code)
		return code;
	if (tcti)
		return begin(context, tcti, err);
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		code = begin_device(context, devices[i], &absent, err);
		if (!absent)
			return code;
	}
	return error_set(err, MORTISE_E_SOURCE, 0, "this machine has no TPM 2.0 (%s, %s)",
			 devices[0], devices[1]);
}

static void flush(struct keys_tpm_context *context, ESYS_TR handle)
{
	TSS2_RC rc;

	do
		rc = context->library.Esys_FlushContext(context->esys, handle);
	while (keys_tpm_again(context, rc));
}

void keys_tpm_close(struct keys_tpm_context *context)
{
	while (context->kept_count)
		flush(context, context->kept[--context->kept_count]);
	if (context->esys)
		context->library.Esys_Finalize(&context->esys);
	if (context->tcti)
		context->library.Tss2_TctiLdr_Finalize(&context->tcti);
	keys_tpm_library_unload(&context->library);
}
