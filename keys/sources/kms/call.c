/* SPDX-License-Identifier: MIT */
/* A unary gRPC call: a POST request over HTTP/2, with the status in the trailers. */
#include "keys/sources/kms/call.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"

#define STRING(x)    STRING_OF(x)
#define STRING_OF(x) #x

#define SERVICE	     "sidero.kms.KMSService"
/* Room for scheme, host, port, service and method. */
#define URL_MAX	     (16u + KEYS_KMS_HOST_MAX + 64u)

static enum mortise_code check_file(const char *what, const char *path, struct mortise_error *err)
{
	int fd;

	if (!path)
		return MORTISE_OK;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, MORTISE_E_USAGE, errno, "cannot read the %s %s", what, path);
	close(fd);
	return MORTISE_OK;
}

/* libcurl's message for a missing file does not always name the file. */
static enum mortise_code check_files(const struct keys_kms *kms, struct mortise_error *err)
{
	enum mortise_code code;

	if (!kms->cert != !kms->key)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "a client certificate for a KMS requires both the certificate and "
				 "its key; only the %s is given",
				 kms->cert ? "certificate" : "key");
	code = check_file("CA certificates", kms->ca, err);
	if (!code)
		code = check_file("certificate", kms->cert, err);
	if (!code)
		code = check_file("key of the certificate", kms->key, err);
	return code;
}

static size_t take_header(char *line, size_t size, size_t count, void *answer)
{
	keys_kms_answer_header(answer, line, size * count);
	return size * count;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *answer)
{
	return keys_kms_answer_body(answer, bytes, size * count) ? size * count : 0;
}

static int mark_socket(void *context, curl_socket_t socket, curlsocktype purpose)
{
	(void)context;
	(void)purpose;
	/* Another thread may run mkfs at the same time. */
	return fcntl(socket, F_SETFD, FD_CLOEXEC) ? CURL_SOCKOPT_ERROR : CURL_SOCKOPT_OK;
}

/*
 * Talos uses https_proxy for every KMS, with or without TLS. If it is not set, libcurl uses its
 * own variables: http_proxy for connections without TLS, and all_proxy.
 */
static const char *find_proxy(void)
{
	const char *value = getenv("https_proxy");

	if (!value || !*value)
		value = getenv("HTTPS_PROXY");
	return value && *value ? value : NULL;
}

static struct curl_slist *make_headers(const struct keys_kms_curl *curl)
{
	static const char deadline[] = "grpc-timeout: " STRING(KEYS_KMS_DEADLINE) "S";
	static const char *const lines[] = {
		"content-type: application/grpc",
		"te: trailers",
		deadline,
		/* Removes headers that libcurl adds and gRPC does not have. */
		"accept:",
		"expect:",
	};
	struct curl_slist *headers = NULL, *longer;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		longer = curl->slist_append(headers, lines[i]);
		if (!longer) {
			curl->slist_free_all(headers);
			return NULL;
		}
		headers = longer;
	}
	return headers;
}

/* Sets the address and how both sides authenticate. Nonzero: libcurl refused an option. */
static unsigned set_peer(const struct keys_kms_call *call, const struct keys_kms_curl *curl,
			 CURL *easy)
{
	const struct keys_kms_endpoint *endpoint = call->endpoint;
	const struct keys_kms *kms = call->kms;
	char url[URL_MAX];
	unsigned refused = 0;

	snprintf(url, sizeof(url), "%s://%s:%u/" SERVICE "/%s", endpoint->tls ? "https" : "http",
		 endpoint->host, endpoint->port, call->method);
	refused |= curl->easy_setopt(easy, CURLOPT_URL, url);
	refused |= curl->easy_setopt(easy, CURLOPT_HTTP_VERSION,
				     endpoint->tls ? (long)CURL_HTTP_VERSION_2TLS
						   : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	refused |= curl->easy_setopt(easy, CURLOPT_PROXY, find_proxy());
	refused |= curl->easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
	refused |= curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	refused |= curl->easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, mark_socket);
	if (!endpoint->tls)
		return refused;
	refused |= curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	refused |= curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	refused |= curl->easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (kms->ca) {
		/* Replaces the system's roots; their directory is still used unless cleared. */
		refused |= curl->easy_setopt(easy, CURLOPT_CAINFO, kms->ca);
		refused |= curl->easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (kms->cert) {
		refused |= curl->easy_setopt(easy, CURLOPT_SSLCERT, kms->cert);
		refused |= curl->easy_setopt(easy, CURLOPT_SSLKEY, kms->key);
		/*
		 * OpenSSL would prompt for the passphrase of a key on the terminal. GnuTLS does not
		 * prompt, and treats an empty passphrase as a sign that the key is encrypted.
		 */
		if (!strstr(curl->version_info(CURLVERSION_NOW)->ssl_version, "GnuTLS"))
			refused |= curl->easy_setopt(easy, CURLOPT_KEYPASSWD, "");
	}
	return refused;
}

/* Sets the request, where the response goes, and the timeout. Nonzero: an option was refused. */
static unsigned set_exchange(const struct keys_kms_call *call, struct keys_kms_answer *answer,
			     const struct keys_kms_curl *curl, CURL *easy)
{
	unsigned refused = 0;

	refused |= curl->easy_setopt(easy, CURLOPT_USERAGENT, "mortise/" MORTISE_VERSION);
	refused |= curl->easy_setopt(easy, CURLOPT_POST, 1L);
	refused |= curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				     (curl_off_t)mortise_secret_size(call->request));
	refused |= curl->easy_setopt(easy, CURLOPT_POSTFIELDS, mortise_secret_data(call->request));
	refused |= curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	refused |= curl->easy_setopt(easy, CURLOPT_HEADERDATA, answer);
	refused |= curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	refused |= curl->easy_setopt(easy, CURLOPT_WRITEDATA, answer);
	refused |= curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, keys_kms_deadline(call->kms));
	/* No alarm(2), since other threads are running. */
	refused |= curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Otherwise the timeout waits for a resolver thread that does not return. */
	(void)curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	return refused;
}

/*
 * Like curl_easy_perform(3), but polls for cancellation more often: libcurl calls its progress
 * callback only once a second while no data arrives.
 */
static CURLcode transfer_all(const struct keys_kms_curl *curl, CURLM *multi, CURL *easy,
			     const struct mortise_events *events)
{
	CURLMcode failed = curl->multi_add_handle(multi, easy);
	CURLcode result = CURLE_FAILED_INIT;
	const CURLMsg *message;
	int running = 1, left;

	if (failed)
		return result;
	while (!failed && running) {
		failed = curl->multi_perform(multi, &running);
		if (failed || !running)
			break;
		failed = curl->multi_poll(multi, NULL, 0, EVENTS_POLL_MS, NULL);
		if (events_canceled(events)) {
			result = CURLE_ABORTED_BY_CALLBACK;
			break;
		}
	}
	message = curl->multi_info_read(multi, &left);
	if (message && message->msg == CURLMSG_DONE)
		result = message->data.result;
	(void)curl->multi_remove_handle(multi, easy);
	return result;
}

/*
 * With CURLOPT_NOSIGNAL libcurl leaves SIGPIPE to its caller, and TLS libraries write to sockets
 * that the server has closed. Block SIGPIPE in this thread and consume the one that arrived,
 * unless one was already pending.
 */
static CURLcode perform(const struct keys_kms_curl *curl, CURLM *multi, CURL *easy,
			const struct mortise_events *events)
{
	const struct timespec now = { 0, 0 };
	sigset_t pipe, before, pending;
	bool was_pending;
	CURLcode result;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	result = transfer_all(curl, multi, easy, events);
	if (!was_pending)
		while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

static enum mortise_code check_version(const struct keys_kms_curl *curl, CURL *easy,
				       struct mortise_error *err)
{
	long version = CURL_HTTP_VERSION_NONE;

	(void)curl->easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	if (version == CURL_HTTP_VERSION_2_0)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "the server does not support HTTP/2, which gRPC requires; check that the "
			 "endpoint is a KMS");
}

enum mortise_code keys_kms_call(const struct keys_kms_call *call, struct keys_kms_answer *answer,
				struct mortise_error *err)
{
	struct keys_kms_transfer transfer = { 0 };
	struct curl_slist *headers = NULL;
	const struct keys_kms_curl *curl;
	enum mortise_code code;
	CURLM *multi = NULL;
	CURL *easy = NULL;
	unsigned refused;

	code = call->endpoint->tls ? check_files(call->kms, err) : MORTISE_OK;
	if (!code)
		code = keys_kms_curl_load(&curl, err);
	if (code)
		return code;
	multi = curl->multi_init();
	easy = curl->easy_init();
	headers = make_headers(curl);
	if (!multi || !easy || !headers) {
		code = error_memory(err);
		goto out;
	}
	refused = set_peer(call, curl, easy);
	refused |= set_exchange(call, answer, curl, easy);
	refused |= curl->easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	refused |= curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.words);
	if (refused) {
		code = error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "libcurl %s does not support all options that a call to a KMS "
				 "requires; install a newer one",
				 curl->version_info(CURLVERSION_NOW)->version);
		goto out;
	}
	transfer.curl = curl;
	transfer.easy = easy;
	transfer.result = perform(curl, multi, easy, call->kms->events);
	transfer.answered = answer->http_status != 0;
	/* take_body() aborts a body that is too large; keys_kms_answer_read() reports it. */
	if (transfer.result == CURLE_ABORTED_BY_CALLBACK)
		code = events_cancel_error(err);
	else if (transfer.result && !answer->overflow)
		code = keys_kms_failure(call, &transfer, err);
	else
		code = check_version(curl, easy, err);
out:
	if (easy)
		curl->easy_cleanup(easy);
	if (multi)
		curl->multi_cleanup(multi);
	curl->slist_free_all(headers);
	return code;
}
