/* SPDX-License-Identifier: MIT */
/* Keys of kind kms: the methods Seal and Unseal of sidero.kms.KMSService. */
#include "keys/sources/kms/kms.h"

#include <string.h>

#include "base/error.h"
#include "keys/sources/kms/call.h"
#include "keys/sources/kms/message.h"

/* Maximum bytes of a host name in an error message. */
#define SHOWN_MAX 100

/* A request and its answer. */
struct exchange {
	const struct keys_kms *kms;
	const char *method;
	struct keys_kms_request request;
	size_t room;		       /* maximum bytes of data that the caller accepts */
	struct keys_kms_answer answer; /* the caller clears it in every case */
	const uint8_t *data;	       /* points into answer */
	size_t data_size;
};

/* Creates the request with its frame header. A request to seal contains the key. */
static enum mortise_code make_request(const struct keys_kms_request *request,
				      struct mortise_secret **out, struct mortise_error *err)
{
	const size_t size = keys_kms_request_size(request);
	enum mortise_code code;

	code = mortise_secret_new(KEYS_KMS_FRAME_HEAD + size, out, err);
	if (code)
		return code;
	keys_kms_frame_head((uint32_t)size, mortise_secret_writable(*out));
	keys_kms_request_write(request, mortise_secret_writable(*out) + KEYS_KMS_FRAME_HEAD);
	return MORTISE_OK;
}

static enum mortise_code call_endpoint(struct exchange *exchange,
				       const struct keys_kms_endpoint *endpoint,
				       struct mortise_error *err)
{
	struct keys_kms_call call = { exchange->kms, endpoint, exchange->method, NULL };
	struct mortise_secret *request = NULL;
	enum mortise_code code;

	code = keys_kms_answer_new(&exchange->answer, err);
	if (!code)
		code = make_request(&exchange->request, &request, err);
	if (code)
		goto out;
	call.request = request;
	code = keys_kms_call(&call, &exchange->answer, err);
	if (!code)
		code = keys_kms_answer_read(&exchange->answer, &exchange->data,
					    &exchange->data_size, err);
	if (!code && exchange->data_size > exchange->room)
		code = error_set(err, MORTISE_E_SOURCE, 0,
				 "the KMS returned %zu bytes of data; the maximum is %zu",
				 exchange->data_size, exchange->room);
out:
	mortise_secret_free(&request);
	if (code)
		error_prefix(err, "%s://%.*s:%u", endpoint->scheme, SHOWN_MAX, endpoint->host,
			     endpoint->port);
	return code;
}

static enum mortise_code call_kms(struct exchange *exchange, struct mortise_error *err)
{
	struct keys_kms_endpoint endpoint;
	enum mortise_code code;

	code = keys_kms_endpoint_parse(exchange->kms->endpoint, &endpoint, err);
	return code ? code : call_endpoint(exchange, &endpoint, err);
}

enum mortise_code keys_kms_seal(const struct keys_kms *kms,
				const uint8_t data[static KEYS_KMS_DATA_SIZE],
				uint8_t sealed[static KEYS_KMS_SEALED_MAX], size_t *sealed_size,
				struct mortise_error *err)
{
	struct exchange exchange = {
		.kms = kms,
		.method = "Seal",
		.request = { kms->node_uuid, data, KEYS_KMS_DATA_SIZE },
		.room = KEYS_KMS_SEALED_MAX,
	};
	enum mortise_code code;

	*sealed_size = 0;
	code = call_kms(&exchange, err);
	if (!code) {
		memcpy(sealed, exchange.data, exchange.data_size);
		*sealed_size = exchange.data_size;
	}
	keys_kms_answer_clear(&exchange.answer);
	if (code)
		error_prefix(err, "failed to seal KMS passphrase");
	return code;
}

enum mortise_code keys_kms_unseal(const struct keys_kms *kms, const uint8_t *sealed,
				  size_t sealed_size, struct mortise_secret **data,
				  struct mortise_error *err)
{
	struct exchange exchange = {
		.kms = kms,
		.method = "Unseal",
		.request = { kms->node_uuid, sealed, sealed_size },
		.room = KEYS_KMS_SEALED_MAX,
	};
	enum mortise_code code;

	*data = NULL;
	code = call_kms(&exchange, err);
	if (!code)
		code = mortise_secret_from(exchange.data, exchange.data_size, data, err);
	keys_kms_answer_clear(&exchange.answer);
	if (code)
		error_prefix(err, "failed to unseal KMS passphrase");
	return code;
}
