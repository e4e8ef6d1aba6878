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

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	(void)multi;
	(void)easy;
	return CURLM_OK;
}

CURLMcode curl_multi_perform(CURLM *multi, int *running)
{
	(void)multi;
	*running = 0;
	raise(SIGPIPE);
	return CURLM_OK;
}

CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned count, int timeout_ms,
			  int *ready)
{
	(void)multi;
	(void)fds;
	(void)count;
	(void)timeout_ms;
	(void)ready;
	return CURLM_OK;
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *left)
{
	static CURLMsg message = { .msg = CURLMSG_DONE, .data.result = CURLE_SEND_ERROR };

	(void)multi;
	*left = 0;
	return &message;
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
	(void)multi;
	(void)easy;
	return CURLM_OK;
}

CURLM *curl_multi_init(void)
{
	static int multi;

	return &multi;
}

CURLMcode curl_multi_cleanup(CURLM *multi)
{
	(void)multi;
	return CURLM_OK;
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
