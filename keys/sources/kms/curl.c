/* SPDX-License-Identifier: MIT */
/* Loads any installed build of libcurl, with an allocator that wipes memory. */
#include "keys/sources/kms/curl.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"

/* Debian's builds with OpenSSL and with GnuTLS. */
static const char *const libraries[] = { "libcurl.so.4", "libcurl-gnutls.so.4" };

#define SYMBOL(name)                                                \
	{                                                           \
		"curl_" #name, offsetof(struct keys_kms_curl, name) \
	}

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
	SYMBOL(global_init_mem),  SYMBOL(version_info),	       SYMBOL(easy_init),
	SYMBOL(easy_cleanup),	  SYMBOL(easy_setopt),	       SYMBOL(multi_init),
	SYMBOL(multi_add_handle), SYMBOL(multi_perform),       SYMBOL(multi_poll),
	SYMBOL(multi_info_read),  SYMBOL(multi_remove_handle), SYMBOL(multi_cleanup),
	SYMBOL(easy_getinfo),	  SYMBOL(easy_strerror),       SYMBOL(slist_append),
	SYMBOL(slist_free_all),
};

_Static_assert(sizeof(symbols) / sizeof(symbols[0]) ==
		       sizeof(struct keys_kms_curl) / sizeof(void (*)(void)),
	       "each function has a symbol");

/*
 * The only state that outlives a call: a library is loaded for the whole process, and only one
 * thread may call curl_global_init(). It is written once and read after pthread_once().
 */
static struct {
	pthread_once_t once;
	struct keys_kms_curl functions;
	struct mortise_error error;
} loaded = { .once = PTHREAD_ONCE_INIT };

/*
 * The key passes through libcurl's buffers, which libcurl frees without wiping them; this
 * allocator wipes them. It does not reach the buffers of nghttp2 (sent data) and of the TLS
 * library, which have allocators of their own, or a libcurl that the program has initialized
 * before.
 */
static void wiping_free(void *block)
{
	if (block)
		secret_wipe(block, malloc_usable_size(block));
	free(block);
}

static void *wiping_realloc(void *block, size_t size)
{
	const size_t old = block ? malloc_usable_size(block) : 0;
	void *grown;

	grown = malloc(size ? size : 1);
	if (!grown)
		return NULL;
	if (block)
		memcpy(grown, block, old < size ? old : size);
	wiping_free(block);
	return grown;
}

static enum mortise_code resolve_symbols(void *library, const char *name, struct mortise_error *err)
{
	void *symbol;

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		symbol = dlsym(library, symbols[i].name);
		if (!symbol)
			return error_set(err, MORTISE_E_UNSUPPORTED, 0, "%s lacks %s", name,
					 symbols[i].name);
		memcpy((char *)&loaded.functions + symbols[i].offset, &symbol, sizeof(symbol));
	}
	return MORTISE_OK;
}

static enum mortise_code load_library(const char *name, struct mortise_error *err)
{
	const curl_version_info_data *info;
	enum mortise_code code;
	void *library;

	library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0, "%s", dlerror());
	code = resolve_symbols(library, name, err);
	if (code)
		goto out;
	info = loaded.functions.version_info(CURLVERSION_NOW);
	if (!(info->features & CURL_VERSION_HTTP2) || !(info->features & CURL_VERSION_SSL))
		code = error_set(err, MORTISE_E_UNSUPPORTED, 0, "%s %s is built without %s", name,
				 info->version,
				 info->features & CURL_VERSION_HTTP2 ? "TLS" : "HTTP/2");
	if (!code && loaded.functions.global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free,
						      wiping_realloc, strdup, calloc))
		code = error_set(err, MORTISE_E_UNSUPPORTED, 0, "cannot initialize %s %s", name,
				 info->version);
out:
	if (code)
		dlclose(library);
	return code;
}

static void load_any_library(void)
{
	char reasons[MORTISE_ERROR_TEXT / 2] = "";
	struct mortise_error why;
	size_t length = 0;

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		if (!load_library(libraries[i], &why))
			return;
		length += (size_t)snprintf(reasons + length, sizeof(reasons) - length, "%s%s",
					   length ? "; " : "", why.text);
		if (length >= sizeof(reasons))
			break;
	}
	error_set(&loaded.error, MORTISE_E_UNSUPPORTED, 0,
		  "cannot load libcurl, which keys of kind kms require; install libcurl4 (%s)",
		  reasons);
}

enum mortise_code keys_kms_curl_load(const struct keys_kms_curl **curl, struct mortise_error *err)
{
	*curl = NULL;
	pthread_once(&loaded.once, load_any_library);
	if (loaded.error.code)
		return error_set(err, loaded.error.code, 0, "%s", loaded.error.text);
	*curl = &loaded.functions;
	return MORTISE_OK;
}
