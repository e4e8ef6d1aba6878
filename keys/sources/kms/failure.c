/* SPDX-License-Identifier: MIT */
/* Error messages for libcurl's failures, with what to check or change. */
#include <string.h>

#include "base/error.h"
#include "keys/sources/kms/call.h"
#include "keys/sources/kms/text.h"

#define WORDS_MAX	   160u

/* OpenSSL's X509_V_ERR_*, which libcurl passes on unchanged. */
#define CERT_NOT_YET_VALID 9
#define CERT_HAS_EXPIRED   10

static enum mortise_code report_timeout(const struct keys_kms_call *call,
					const struct keys_kms_transfer *transfer,
					struct mortise_error *err)
{
	double resolved = 0, ready = 0;
	const char *what;
	long port = 0;

	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME, &resolved);
	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME, &ready);
	/* The connect time includes TLS and proxies; the local port is known as soon as TCP is. */
	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_LOCAL_PORT, &port);
	if (!(resolved > 0))
		what = "its name was not resolved; check the DNS server";
	else if (!port)
		what = "no connection was established; check that the host is up and that no "
		       "firewall drops packets";
	else if (!(ready > 0))
		what = call->endpoint->tls ? "the TLS handshake did not complete; check that the "
					     "server supports TLS"
					   : "the proxy established no connection";
	else
		what = "the connection was established; the KMS may be overloaded";
	return error_set(err, MORTISE_E_UNREACHABLE, 0, "no answer within %ld s: %s",
			 (keys_kms_deadline(call->kms) + 500) / 1000, what);
}

static enum mortise_code report_unverified(const struct keys_kms_transfer *transfer,
					   const char *words, struct mortise_error *err)
{
	long verdict = 0;

	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	/* Without a battery-backed clock, the time is in the past until the machine gets it. */
	if (verdict == CERT_NOT_YET_VALID)
		return error_set(
			err, MORTISE_E_UNREACHABLE, 0,
			"the certificate of the KMS is not valid yet (%s); check the clock of this "
			"machine",
			words);
	if (verdict == CERT_HAS_EXPIRED)
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the certificate of the KMS has expired, or the clock of this "
				 "machine is wrong (%s)",
				 words);
	if (strstr(words, "match"))
		return error_set(
			err, MORTISE_E_SOURCE, 0,
			"the certificate of the KMS is for another name (%s); use the name in the "
			"certificate as endpoint",
			words);
	return error_set(
		err, MORTISE_E_SOURCE, 0,
		"cannot verify the certificate of the KMS (%s); give its CA with --kms-ca, "
		"and check the clock",
		words);
}

static enum mortise_code report_bad_roots(const struct keys_kms_call *call, const char *words,
					  struct mortise_error *err)
{
	if (call->kms->ca)
		return error_set(err, MORTISE_E_USAGE, 0, "%s contains no CA certificate (%s)",
				 call->kms->ca, words);
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "this system has no root certificates (%s); install ca-certificates, or "
			 "give the CA of the KMS with --kms-ca",
			 words);
}

static enum mortise_code report_no_connection(const struct keys_kms_transfer *transfer,
					      const char *words, struct mortise_error *err)
{
	long sys = 0;

	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &sys);
	return error_set(err, MORTISE_E_UNREACHABLE, (int)sys,
			 "cannot connect; check that the KMS is running, the port and the network "
			 "(%s)",
			 words);
}

/*
 * libcurl's codes do not distinguish a lost connection from one that can never work. Therefore its
 * message is searched for these words of libcurl, OpenSSL and GnuTLS.
 */
static const char *const lost[] = { "Send failure", "Recv failure", "SYSCALL", "reset",
				    "terminated" };

static bool is_lost(const char *words)
{
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		if (strstr(words, lost[i]))
			return true;
	return false;
}

static enum mortise_code report_bad_certificate(const struct keys_kms_call *call, const char *words,
						struct mortise_error *err)
{
	return error_set(err, MORTISE_E_USAGE, 0,
			 "cannot use the certificate %s with the key %s (%s)", call->kms->cert,
			 call->kms->key, words);
}

/*
 * A connection that ends early. With TLS 1.3, a server that refuses the client's certificate, or
 * that requires one and gets none, ends the connection after the handshake, too.
 */
static enum mortise_code report_lost(const struct keys_kms_call *call, bool answered,
				     const char *words, struct mortise_error *err)
{
	const char *hint = "the server may require TLS (https://)";

	if (answered)
		return error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "the connection was lost in the middle of the answer (%s)", words);
	if (call->endpoint->tls)
		hint = call->kms->cert ? "the KMS may not accept the CA of the client certificate"
				       : "the KMS may require a client certificate (--kms-cert, "
					 "--kms-key)";
	return error_set(
		err, MORTISE_E_UNREACHABLE, 0,
		"the connection was lost before an answer arrived (%s); if this persists, %s",
		words, hint);
}

/*
 * If the connection was lost, another attempt may succeed: a load balancer closes connections
 * while its servers are down.
 */
static enum mortise_code report_no_handshake(const struct keys_kms_call *call, const char *words,
					     struct mortise_error *err)
{
	if (is_lost(words))
		return report_lost(call, false, words, err);
	if (call->kms->cert && strstr(words, "error reading X.509"))
		return report_bad_certificate(call, words, err);
	return error_set(err, MORTISE_E_SOURCE, 0,
			 "the TLS handshake with the KMS failed (%s); check that the server "
			 "supports TLS and whether it requires a client certificate",
			 words);
}

/* Returns the HTTP status of a proxy that refused; 0 if it did not, or if there is no proxy. */
static long proxy_refusal(const struct keys_kms_transfer *transfer)
{
	long status = 0;

	(void)transfer->curl->easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status / 100 == 2 ? 0 : status;
}

static enum mortise_code report_proxy_refusal(long status, struct mortise_error *err)
{
	return error_set(err, status >= 500 ? MORTISE_E_UNREACHABLE : MORTISE_E_SOURCE, 0,
			 "the proxy refuses to connect to the KMS: HTTP status %ld; https_proxy, "
			 "http_proxy and no_proxy select the proxy",
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
		return report_proxy_refusal(refusal, err);
	switch (transfer->result) {
	case CURLE_OPERATION_TIMEDOUT:
		return report_timeout(call, transfer, err);
	case CURLE_COULDNT_RESOLVE_HOST:
		return error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "cannot resolve its name; check the name and the network (%s)",
				 words);
	case CURLE_COULDNT_RESOLVE_PROXY:
		return error_set(err, MORTISE_E_UNREACHABLE, 0,
				 "cannot resolve the name of the proxy; check the name and the "
				 "network (%s)",
				 words);
	case CURLE_COULDNT_CONNECT:
		return report_no_connection(transfer, words, err);
	case CURLE_PEER_FAILED_VERIFICATION:
		return report_unverified(transfer, words, err);
	case CURLE_SSL_CERTPROBLEM:
		return report_bad_certificate(call, words, err);
	case CURLE_SSL_CACERT_BADFILE:
		return report_bad_roots(call, words, err);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
		return report_no_handshake(call, words, err);
	case CURLE_HTTP2:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		if (is_lost(words))
			return report_lost(call, transfer->answered, words, err);
		return error_set(err, MORTISE_E_SOURCE, 0,
				 "the server does not support HTTP/2, which gRPC requires (%s); "
				 "check that the endpoint is a KMS and whether it requires TLS",
				 words);
	case CURLE_HTTP2_STREAM:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_PROXY:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		if (strstr(words, "alert"))
			return report_no_handshake(call, words, err);
		return report_lost(call, transfer->answered, words, err);
	case CURLE_OUT_OF_MEMORY:
		return error_memory(err);
	default:
		return error_set(err, MORTISE_E_SOURCE, 0, "cannot call the KMS (%s)", words);
	}
}
