/* SPDX-License-Identifier: MIT */
/* libcurl, loaded at the first call to a KMS, because it depends on some thirty libraries. */
#ifndef KEYS_KMS_CURL_H
#define KEYS_KMS_CURL_H

#include <curl/curl.h>

#include <mortise.h>

/* The functions of libcurl that keys/sources/kms/ calls. */
struct keys_kms_curl {
	__typeof__(&curl_global_init_mem) global_init_mem;
	__typeof__(&curl_version_info) version_info;
	__typeof__(&curl_easy_init) easy_init;
	__typeof__(&curl_easy_cleanup) easy_cleanup;
	__typeof__(&curl_easy_setopt) easy_setopt;
	__typeof__(&curl_easy_getinfo) easy_getinfo;
	__typeof__(&curl_easy_strerror) easy_strerror;
	__typeof__(&curl_multi_init) multi_init;
	__typeof__(&curl_multi_add_handle) multi_add_handle;
	__typeof__(&curl_multi_perform) multi_perform;
	__typeof__(&curl_multi_poll) multi_poll;
	__typeof__(&curl_multi_info_read) multi_info_read;
	__typeof__(&curl_multi_remove_handle) multi_remove_handle;
	__typeof__(&curl_multi_cleanup) multi_cleanup;
	__typeof__(&curl_slist_append) slist_append;
	__typeof__(&curl_slist_free_all) slist_free_all;
};

/*
 * Loads and initializes libcurl once in a process; any thread may call it. *curl remains valid.
 * MORTISE_E_UNSUPPORTED: libcurl is not installed, or lacks HTTP/2 or TLS.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kms_curl_load(const struct keys_kms_curl **curl,
							struct mortise_error *err);

#endif
