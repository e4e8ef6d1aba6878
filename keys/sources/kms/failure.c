/* SPDX-License-Identifier: MIT */
/* What libcurl could not do, as a sentence that tells what to do about it. */
#include <string.h>

#include "base/error.h"
#include "keys/sources/kms/call.h"
#include "keys/sources/kms/text.h"

#define WORDS_MAX	   160u

/* X509_V_ERR_* of OpenSSL, which libcurl hands out as they are. */
#define CERT_NOT_YET_VALID 9
#define CERT_HAS_EXPIRED   10

static enum mortise_code timed_out(const struct keys_kms_call *call,
				   const struct keys_kms_transfer *transfer,
				   struct mortise_error *err)
{
	double resolved = 0, ready = 0;
	const char *what;
	long port = 0;

	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME, &resolved);
	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME, &ready);
	/* The time of connecting counts TLS and proxies in; a port of ours is there before. */
	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_LOCAL_PORT, &port);
	if (!(resolved > 0))
		what = "its name was not resolved; does the DNS server answer?";
	else if (!port)
		what = "no connection was made; is the host up, does a firewall drop packets?";
	else if (!(ready > 0))
		what = call->endpoint->tls ? "no TLS handshake was made; does the server speak TLS?"
					   : "the proxy made no connection";
	else
		what = "it is connected but does not answer; is the KMS overloaded?";
	return error_set(err, MORTISE_E_UNREACHABLE, 0, "no answer within %d s: %s",
			 KEYS_KMS_DEADLINE, what);
}

static enum mortise_code unverified(const struct keys_kms_transfer *transfer, const char *words,
				    struct mortise_error *err)
{
	long verdict = 0;

	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	/* Machines without a clock that goes on begin in the past, until they ask for the time. */
	if (verdict == CERT_NOT_YET_VALID)
		return error_set(
			err, MORTISE_E_UNREACHABLE, 0,
			"the certificate of the KMS is not valid yet (%s): is the clock of "
			"this machine right?",
			words);
	if (verdict == CERT_HAS_EXPIRED)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the certificate of the KMS has expired, or the clock of this "
				 "machine is wrong (%s)",
				 words);
	if (strstr(words, "match"))
		return error_set(
			err, MORTISE_E_SOURCE, 0,
			"the certificate of the KMS is for another name (%s): the endpoint "
			"has to name the KMS as its certificate does",
			words);
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "the KMS does not prove who it is (%s): is its CA known here (--kms-ca), "
			 "is the clock right?",
			 words);
}

static enum mortise_code bad_roots(const struct keys_kms_call *call, const char *words,
				   struct mortise_error *err)
{
	if (call->kms->ca)
		return error_set(err, MORTISE_E_USAGE, 0, "%s holds no CA certificate (%s)",
				 call->kms->ca, words);
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "this system has no root certificates (%s): install ca-certificates, or "
			 "give the CA of the KMS with --kms-ca",
			 words);
}

static enum mortise_code not_connected(const struct keys_kms_transfer *transfer, const char *words,
				       struct mortise_error *err)
{
	long sys = 0;

	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &sys);
	return error_set(err, MORTISE_E_UNREACHABLE, (int)sys,
			 "no connection; is the KMS running, its port right, the network up? (%s)",
			 words);
}

/*
 * libcurl's codes do not tell a connection that went away from one that never can be, so some
 * of its words are looked for: its own, OpenSSL's and GnuTLS's.
 */
static const char *const gone[] = { "Send failure", "Recv failure", "SYSCALL", "reset",
				    "terminated" };

static bool went_away(const char *words)
{
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		if (strstr(words, gone[i]))
			return true;
	return false;
}

static enum mortise_code bad_certificate(const struct keys_kms_call *call, const char *words,
					 struct mortise_error *err)
{
	return error_set(err, MORTISE_E_USAGE, 0,
			 "the certificate %s and its key %s are of no use (%s)", call->kms->cert,
			 call->kms->key, words);
}

/*
 * A connection that ends where it should not. In TLS 1.3 this is also how a server refuses
 * the certificate of a client, or that there is none: after the handshake.
 */
static enum mortise_code broke_off(const struct keys_kms_call *call, bool answered,
				   const char *words, struct mortise_error *err)
{
	const char *hint = "does the server want TLS (https://)?";

	if (answered)
		return error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "the connection broke off in the middle of the answer (%s)",
				 words);
	if (call->endpoint->tls)
		hint = call->kms->cert ? "does the KMS know the CA of our certificate?"
				       : "does the KMS want a certificate (--kms-cert, --kms-key)?";
	return error_set(
		err, MORTISE_E_UNREACHABLE, 0,
		"the connection broke off before an answer came (%s); if it always does: %s", words,
		hint);
}

/* One whose connection went away may succeed: a load balancer's does when its servers are down. */
static enum mortise_code no_handshake(const struct keys_kms_call *call, const char *words,
				      struct mortise_error *err)
{
	if (went_away(words))
		return broke_off(call, false, words, err);
	if (call->kms->cert && strstr(words, "error reading X.509"))
		return bad_certificate(call, words, err);
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "no TLS with the KMS (%s): does the server speak TLS, does it want a "
			 "certificate?",
			 words);
}

/* 0: no proxy was asked, or it agreed. */
static long proxy_refusal(const struct keys_kms_transfer *transfer)
{
	long status = 0;

	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status / 100 == 2 ? 0 : status;
}

static enum mortise_code proxy_refused(long status, struct mortise_error *err)
{
	return error_set(err, status >= 500 ? MORTISE_E_UNREACHABLE : MORTISE_E_SOURCE, 0,
			 "the proxy makes no connection to the KMS: HTTP status %ld (https_proxy, "
			 "http_proxy and no_proxy say which proxy is asked)",
			 status);
}

enum mortise_code keys_kms_failure(const struct keys_kms_call *call,
				   const struct keys_kms_transfer *transfer,
				   struct mortise_error *err)
{
	const char *said = *transfer->words ? transfer->words
					    : transfer->curl->easy_strerror(transfer->result);
	const long refusal = proxy_refusal(transfer);
	char words[WORDS_MAX + 1];
	size_t length;

	length = strcspn(said, "\r\n");
	while (length && said[length - 1] == ' ')
		length--;
	keys_kms_text(words, sizeof(words), said, length);
	if (refusal)
		return proxy_refused(refusal, err);
	switch (transfer->result) {
	case CURLE_OPERATION_TIMEDOUT:
		return timed_out(call, transfer, err);
	case CURLE_COULDNT_RESOLVE_HOST:
		return error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "its name was not found; is it right, and the network up? (%s)",
				 words);
	case CURLE_COULDNT_RESOLVE_PROXY:
		return error_set(
			err, MORTISE_E_UNREACHABLE, 0,
			"the name of the proxy was not found; is it right, and the network "
			"up? (%s)",
			words);
	case CURLE_COULDNT_CONNECT:
		return not_connected(transfer, words, err);
	case CURLE_PEER_FAILED_VERIFICATION:
		return unverified(transfer, words, err);
	case CURLE_SSL_CERTPROBLEM:
		return bad_certificate(call, words, err);
	case CURLE_SSL_CACERT_BADFILE:
		return bad_roots(call, words, err);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
		return no_handshake(call, words, err);
	case CURLE_HTTP2:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		if (went_away(words))
			return broke_off(call, transfer->answered, words, err);
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the server does not speak HTTP/2, which gRPC needs (%s): is this "
				 "the address of a KMS, and does it want TLS?",
				 words);
	case CURLE_HTTP2_STREAM:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_PROXY:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		if (strstr(words, "alert"))
			return no_handshake(call, words, err);
		return broke_off(call, transfer->answered, words, err);
	case CURLE_OUT_OF_MEMORY:
		return error_set(err, MORTISE_E_MEMORY, 0, "no memory for asking a KMS");
	default:
		return error_set(err, MORTISE_E_SOURCE, 0, "the KMS could not be asked (%s)",
				 words);
	}
}
