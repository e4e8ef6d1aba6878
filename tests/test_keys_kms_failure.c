/* SPDX-License-Identifier: MIT */
/* Each libcurl failure has its own message, and a code that tells whether a retry may help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "keys/sources/kms/call.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Results of curl_easy_getinfo() after a failed transfer. The easy handle points to this struct. */
struct told {
	long sys, verdict, connect_code, local_port;
	double resolved, ready;
};

static CURLcode fake_getinfo(CURL *easy, CURLINFO info, ...)
{
	const struct told *told = easy;
	va_list ap;
	void *out;

	va_start(ap, info);
	out = va_arg(ap, void *);
	va_end(ap);
	switch ((int)info) {
	case CURLINFO_OS_ERRNO:
		*(long *)out = told->sys;
		break;
	case CURLINFO_SSL_VERIFYRESULT:
		*(long *)out = told->verdict;
		break;
	case CURLINFO_HTTP_CONNECTCODE:
		*(long *)out = told->connect_code;
		break;
	case CURLINFO_LOCAL_PORT:
		*(long *)out = told->local_port;
		break;
	case CURLINFO_NAMELOOKUP_TIME:
		*(double *)out = told->resolved;
		break;
	case CURLINFO_PRETRANSFER_TIME:
		*(double *)out = told->ready;
		break;
	default:
		fail_msg("unexpected info %d", (int)info);
	}
	return CURLE_OK;
}

static const char *fake_strerror(CURLcode code)
{
	(void)code;
	return "its general words";
}

#define LOST	 "the connection was lost before an answer arrived "
#define PERSISTS "; if this persists, "
#define CHECK_TLS                                                                \
	"; check that the server supports TLS and whether it requires a client " \
	"certificate"

static const struct {
	CURLcode result;
	const char *words;
	struct told told;
	bool tls, ca, cert, answered;
	enum mortise_code code;
	const char *sentence;
} failures[] = {
	{ .result = CURLE_OPERATION_TIMEDOUT,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "no answer within 10 s: its name was not resolved; check the DNS server" },
	{ .result = CURLE_OPERATION_TIMEDOUT,
	  .told = { .resolved = .1 },
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "no answer within 10 s: no connection was established; check that the host "
		      "is up and that no firewall drops packets" },
	{ .result = CURLE_OPERATION_TIMEDOUT,
	  .told = { .resolved = .1, .local_port = 1 },
	  .tls = true,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "no answer within 10 s: the TLS handshake did not complete; check that the "
		      "server supports TLS" },
	{ .result = CURLE_OPERATION_TIMEDOUT,
	  .told = { .resolved = .1, .local_port = 1 },
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "no answer within 10 s: the proxy established no connection" },
	{ .result = CURLE_OPERATION_TIMEDOUT,
	  .told = { .resolved = .1, .local_port = 1, .ready = .2 },
	  .tls = true,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "no answer within 10 s: the connection was established; the KMS may be "
		      "overloaded" },
	{ .result = CURLE_COULDNT_RESOLVE_HOST,
	  .words = "Could not resolve host: x\x1b[31m",
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "cannot resolve its name; check the name and the network (Could not resolve "
		      "host: x\\x1b[31m)" },
	{ .result = CURLE_COULDNT_RESOLVE_PROXY,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "cannot resolve the name of the proxy; check the name and the network (its "
		      "general words)" },
	{ .result = CURLE_COULDNT_CONNECT,
	  .words = "Failed to connect",
	  .told = { .sys = 111 /* ECONNREFUSED on Linux */ },
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "cannot connect; check that the KMS is running, the port and the network "
		      "(Failed to connect): Connection refused" },
	{ .result = CURLE_RECV_ERROR,
	  .words = "CONNECT tunnel failed, response 407",
	  .told = { .connect_code = 407 },
	  .code = MORTISE_E_SOURCE,
	  .sentence = "the proxy refuses to connect to the KMS: HTTP status 407; https_proxy, "
		      "http_proxy and no_proxy select the proxy" },
	{ .result = CURLE_COULDNT_CONNECT,
	  .told = { .connect_code = 503 },
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "the proxy refuses to connect to the KMS: HTTP status 503; https_proxy, "
		      "http_proxy and no_proxy select the proxy" },
	{ .result = CURLE_PEER_FAILED_VERIFICATION,
	  .words = "not yet",
	  .told = { .verdict = 9 },
	  .tls = true,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "the certificate of the KMS is not valid yet (not yet); check the clock of "
		      "this machine" },
	{ .result = CURLE_PEER_FAILED_VERIFICATION,
	  .words = "expired",
	  .told = { .verdict = 10 },
	  .tls = true,
	  .code = MORTISE_E_SOURCE,
	  .sentence = "the certificate of the KMS has expired, or the clock of this machine is "
		      "wrong (expired)" },
	{ .result = CURLE_PEER_FAILED_VERIFICATION,
	  .words = "subject name (a) does not match target host name 'b'",
	  .tls = true,
	  .code = MORTISE_E_SOURCE,
	  .sentence = "the certificate of the KMS is for another name (subject name (a) does not "
		      "match target host name 'b'); use the name in the certificate as endpoint" },
	{ .result = CURLE_PEER_FAILED_VERIFICATION,
	  .words = "unable to get local issuer certificate",
	  .told = { .verdict = 20 },
	  .tls = true,
	  .code = MORTISE_E_SOURCE,
	  .sentence = "cannot verify the certificate of the KMS (unable to get local issuer "
		      "certificate); give its CA with --kms-ca, and check the clock" },
	{ .result = CURLE_SSL_CERTPROBLEM,
	  .words = "unable to set private key file",
	  .tls = true,
	  .cert = true,
	  .code = MORTISE_E_USAGE,
	  .sentence = "cannot use the certificate cert.pem with the key key.pem (unable to set "
		      "private key file)" },
	{ .result = CURLE_SSL_CONNECT_ERROR,
	  .words = "error reading X.509 key or certificate file",
	  .tls = true,
	  .cert = true,
	  .code = MORTISE_E_USAGE,
	  .sentence = "cannot use the certificate cert.pem with the key key.pem (error reading "
		      "X.509 key or certificate file)" },
	{ .result = CURLE_SSL_CACERT_BADFILE,
	  .words = "error setting certificate file",
	  .tls = true,
	  .ca = true,
	  .code = MORTISE_E_USAGE,
	  .sentence = "ca.pem contains no CA certificate (error setting certificate file)" },
	{ .result = CURLE_SSL_CACERT_BADFILE,
	  .words = "error setting certificate file",
	  .tls = true,
	  .code = MORTISE_E_SOURCE,
	  .sentence = "this system has no root certificates (error setting certificate file); "
		      "install ca-certificates, or give the CA of the KMS with --kms-ca" },
	{ .result = CURLE_SSL_CONNECT_ERROR,
	  .words = "wrong version number",
	  .tls = true,
	  .code = MORTISE_E_SOURCE,
	  .sentence = "the TLS handshake with the KMS failed (wrong version number)" CHECK_TLS },
	{ .result = CURLE_SSL_CIPHER,
	  .tls = true,
	  .code = MORTISE_E_SOURCE,
	  .sentence = "the TLS handshake with the KMS failed (its general words)" CHECK_TLS },
	{ .result = CURLE_RECV_ERROR,
	  .words = "OpenSSL SSL_read: tlsv13 alert certificate required, errno 0",
	  .tls = true,
	  .code = MORTISE_E_SOURCE,
	  .sentence = "the TLS handshake with the KMS failed (OpenSSL SSL_read: tlsv13 alert "
		      "certificate required, errno 0)" CHECK_TLS },
	{ .result = CURLE_SSL_CONNECT_ERROR,
	  .words = "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to kms:443 ",
	  .tls = true,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = LOST "(OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to "
			   "kms:443)" PERSISTS
			   "the KMS may require a client certificate (--kms-cert, --kms-key)" },
	{ .result = CURLE_RECV_ERROR,
	  .words = "Connection reset",
	  .tls = true,
	  .cert = true,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = LOST "(Connection reset)" PERSISTS
			   "the KMS may not accept the CA of the client certificate" },
	{ .result = CURLE_HTTP2,
	  .words = "unexpected data while we expected SETTINGS frame",
	  .code = MORTISE_E_SOURCE,
	  .sentence =
		  "the server does not support HTTP/2, which gRPC requires (unexpected data while "
		  "we expected SETTINGS frame); check that the endpoint is a KMS and whether it "
		  "requires TLS" },
	{ .result = CURLE_UNSUPPORTED_PROTOCOL,
	  .words = "Received HTTP/0.9 when not allowed\n",
	  .code = MORTISE_E_SOURCE,
	  .sentence = "the server does not support HTTP/2, which gRPC requires (Received HTTP/0.9 "
		      "when not allowed); check that the endpoint is a KMS and whether it requires "
		      "TLS" },
	{ .result = CURLE_HTTP2,
	  .words = "Send failure: Broken pipe",
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = LOST "(Send failure: Broken pipe)" PERSISTS
			   "the server may require TLS (https://)" },
	{ .result = CURLE_GOT_NOTHING,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = LOST "(its general words)" PERSISTS "the server may require TLS (https://)" },
	{ .result = CURLE_SEND_ERROR,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = LOST "(its general words)" PERSISTS "the server may require TLS (https://)" },
	{ .result = CURLE_HTTP2_STREAM,
	  .words = "HTTP/2 stream 1 was not closed cleanly",
	  .answered = true,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "the connection was lost in the middle of the answer (HTTP/2 stream 1 was "
		      "not closed cleanly)" },
	{ .result = CURLE_PARTIAL_FILE,
	  .answered = true,
	  .code = MORTISE_E_UNREACHABLE,
	  .sentence = "the connection was lost in the middle of the answer (its general words)" },
	{ .result = CURLE_OUT_OF_MEMORY, .code = MORTISE_E_MEMORY, .sentence = "out of memory" },
	{ .result = CURLE_URL_MALFORMAT,
	  .code = MORTISE_E_SOURCE,
	  .sentence = "cannot call the KMS (its general words)" },
};

static void test_failures(void **state)
{
	static const struct keys_kms_curl curl = { .easy_getinfo = fake_getinfo,
						   .easy_strerror = fake_strerror };
	struct keys_kms_endpoint endpoint = { .host = "kms" };
	struct keys_kms_transfer transfer = { .curl = &curl };
	struct mortise_error err;
	struct keys_kms kms = { 0 };
	const struct keys_kms_call call = { &kms, &endpoint, "Seal", NULL };
	struct told told;

	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		endpoint.tls = failures[i].tls;
		kms.ca = failures[i].ca ? "ca.pem" : NULL;
		kms.cert = failures[i].cert ? "cert.pem" : NULL;
		kms.key = failures[i].cert ? "key.pem" : NULL;
		told = failures[i].told;
		transfer.easy = &told;
		transfer.result = failures[i].result;
		transfer.answered = failures[i].answered;
		strcpy(transfer.words, failures[i].words ? failures[i].words : "");
		assert_int_equal(keys_kms_failure(&call, &transfer, &err), failures[i].code);
		assert_int_equal(err.code, failures[i].code);
		assert_string_equal(err.text, failures[i].sentence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
