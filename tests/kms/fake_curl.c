/* SPDX-License-Identifier: MIT */
/* An unusable libcurl for kms.sh; FAKE selects its defect. */
#include <curl/curl.h>

#include <signal.h>
#include <stddef.h>

#define INCOMPLETE  1 /* functions are missing */
#define NO_HTTP2    2
#define NO_TLS	    3
#define NO_START    4
#define NO_OPTIONS  5
#define BROKEN_PIPE 6 /* writes to a closed socket, as a TLS library may */

#undef curl_easy_setopt

#if FAKE != INCOMPLETE

CURLcode curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f,
			      curl_realloc_callback r, curl_strdup_callback s,
			      curl_calloc_callback c)
{
	(void)flags;
	(void)m;
	(void)f;
	(void)r;
	(void)s;
	(void)c;
	return FAKE == NO_START ? CURLE_FAILED_INIT : CURLE_OK;
}

curl_version_info_data *curl_version_info(CURLversion age)
{
	static curl_version_info_data info = {
		.version = "9.9.9",
		.features = (FAKE == NO_HTTP2 ? 0 : CURL_VERSION_HTTP2) |
			    (FAKE == NO_TLS ? 0 : CURL_VERSION_SSL),
		.ssl_version = "NoTLS/1",
	};

	(void)age;
	return &info;
}

CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	(void)easy;
	(void)option;
	return FAKE == NO_OPTIONS ? CURLE_UNKNOWN_OPTION : CURLE_OK;
}

CURLcode curl_easy_perform(CURL *easy)
{
	(void)easy;
	raise(SIGPIPE);
	return CURLE_SEND_ERROR;
}

#undef curl_easy_getinfo

CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
	(void)easy;
	(void)info;
	return CURLE_FAILED_INIT;
}

const char *curl_easy_strerror(CURLcode code)
{
	(void)code;
	return "fake";
}

#endif

CURL *curl_easy_init(void)
{
	static int easy;

	return &easy;
}

void curl_easy_cleanup(CURL *easy)
{
	(void)easy;
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
	static struct curl_slist one;

	(void)list;
	(void)text;
	return &one;
}

void curl_slist_free_all(struct curl_slist *list)
{
	(void)list;
}
