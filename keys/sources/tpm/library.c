/* SPDX-License-Identifier: MIT */
/* Loads tpm2-tss with dlopen(3). */
#include <dlfcn.h>
#include <string.h>

#include "base/error.h"
#include "keys/sources/tpm/library.h"

static const char *const files[] = {
	[KEYS_TPM_ESYS] = "libtss2-esys.so.0",
	[KEYS_TPM_MU] = "libtss2-mu.so.0",
	[KEYS_TPM_TCTILDR] = "libtss2-tctildr.so.0",
};

#define SYMBOL(file, name) { file, #name, offsetof(struct keys_tpm_library, name) },

static const struct {
	enum keys_tpm_library_file file;
	const char *name;
	size_t offset;
} symbols[] = { KEYS_TPM_SYMBOLS(SYMBOL) };

static enum mortise_code report_missing(struct mortise_error *err)
{
	const char *reason = dlerror();

	return error_set(
		err, MORTISE_E_UNSUPPORTED, 0,
		"keys of kind tpm require tpm2-tss 3.0 or newer (libtss2-esys, libtss2-mu, "
		"libtss2-tctildr, libtss2-tcti-device): %s",
		reason ? reason : "not installed");
}

enum mortise_code keys_tpm_library_load(struct keys_tpm_library *library, struct mortise_error *err)
{
	memset(library, 0, sizeof(*library));
	/* It stays in memory, since some of its dependencies register handlers for exit(3). */
	for (size_t i = 0; i < KEYS_TPM_LIBRARY_FILES; i++) {
		library->files[i] = dlopen(files[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
		if (!library->files[i])
			return report_missing(err);
	}
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *address = dlsym(library->files[symbols[i].file], symbols[i].name);

		if (!address)
			return report_missing(err);
		/* In POSIX, unlike C, pointers to functions and objects are represented alike. */
		memcpy((char *)library + symbols[i].offset, &address, sizeof(address));
	}
	return MORTISE_OK;
}

void keys_tpm_library_unload(struct keys_tpm_library *library)
{
	for (size_t i = 0; i < KEYS_TPM_LIBRARY_FILES; i++) {
		if (library->files[i])
			dlclose(library->files[i]);
	}
	memset(library, 0, sizeof(*library));
}
