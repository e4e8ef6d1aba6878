/* SPDX-License-Identifier: MIT */
/*
 * Calls a KMS through the internal functions, for kms.sh:
 *   kms_call [-u UUID] [-a CA] [-c CERT -k KEY] [-j THREADS] seal|unseal|both ENDPOINT [HEX]
 * Prints the response in hexadecimal, or the name of the error code and the message, and then exits
 * with status 1. "both" seals random bytes and unseals the result.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "keys/sources/kms/kms.h"
#include "base/secret.h"

#define THREADS_MAX 64u

struct job {
	struct keys_kms kms;
	const char *verb;
	uint8_t bytes[2 * KEYS_KMS_SEALED_MAX];
	size_t size;
	struct mortise_error err;
};

static enum mortise_code unseal(struct job *job)
{
	struct mortise_secret *data = NULL;
	enum mortise_code code;

	code = keys_kms_unseal(&job->kms, job->bytes, job->size, &data, &job->err);
	if (code)
		return code;
	job->size = mortise_secret_size(data);
	memcpy(job->bytes, mortise_secret_data(data), job->size);
	mortise_secret_free(&data);
	return MORTISE_OK;
}

static enum mortise_code seal(struct job *job)
{
	uint8_t sealed[KEYS_KMS_SEALED_MAX];
	enum mortise_code code;

	code = keys_kms_seal(&job->kms, job->bytes, sealed, &job->size, &job->err);
	memcpy(job->bytes, sealed, job->size);
	return code;
}

static enum mortise_code both(struct job *job)
{
	uint8_t data[KEYS_KMS_DATA_SIZE];
	enum mortise_code code;

	code = random_bytes(data, sizeof(data), &job->err);
	memcpy(job->bytes, data, sizeof(data));
	if (!code)
		code = seal(job);
	if (!code)
		code = unseal(job);
	if (!code && (job->size != sizeof(data) || memcmp(job->bytes, data, sizeof(data)) != 0))
		code = error_set(&job->err, MORTISE_E_KEY, 0, "unsealing returned other bytes");
	return code;
}

static void *run(void *context)
{
	struct job *job = context;

	job->err.code = MORTISE_OK;
	if (strcmp(job->verb, "seal") == 0)
		seal(job);
	else if (strcmp(job->verb, "unseal") == 0)
		unseal(job);
	else
		both(job);
	return NULL;
}

static int report(const struct job *job)
{
	static const struct {
		enum mortise_code code;
		const char *name;
	} names[] = {
		{ MORTISE_E_USAGE, "USAGE" },	{ MORTISE_E_UNREACHABLE, "UNREACHABLE" },
		{ MORTISE_E_SOURCE, "SOURCE" }, { MORTISE_E_UNSUPPORTED, "UNSUPPORTED" },
		{ MORTISE_E_KEY, "KEY" },
	};

	if (!job->err.code) {
		for (size_t i = 0; i < job->size; i++)
			printf("%02x", job->bytes[i]);
		printf("\n");
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == job->err.code)
			printf("%s: ", names[i].name);
	printf("%s\n", job->err.text);
	return 1;
}

/* Several threads at once, none of which has loaded libcurl before. */
static int run_all(const struct job *job, unsigned threads)
{
	pthread_t ids[THREADS_MAX];
	struct job *jobs;
	int status = 0;

	jobs = calloc(threads, sizeof(*jobs));
	if (!jobs)
		return 1;
	for (unsigned i = 0; i < threads; i++) {
		jobs[i] = *job;
		if (pthread_create(&ids[i], NULL, run, &jobs[i]))
			abort();
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		status |= report(&jobs[i]);
	}
	free(jobs);
	return status;
}

static size_t read_hex(const char *text, uint8_t *bytes, size_t room)
{
	size_t size = 0;

	for (; size < room && text[2 * size]; size++)
		if (sscanf(text + 2 * size, "%2hhx", &bytes[size]) != 1)
			return 0;
	return size;
}

int main(int argc, char **argv)
{
	static struct job job = { .kms.node_uuid = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed" };
	unsigned threads = 1;
	int option;

	while ((option = getopt(argc, argv, "u:a:c:k:j:")) != -1) {
		switch (option) {
		case 'u':
			job.kms.node_uuid = optarg;
			break;
		case 'a':
			job.kms.ca = optarg;
			break;
		case 'c':
			job.kms.cert = optarg;
			break;
		case 'k':
			job.kms.key = optarg;
			break;
		case 'j':
			threads = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind < 2 || !threads || threads > THREADS_MAX)
		return 2;
	job.verb = argv[optind];
	job.kms.endpoint = argv[optind + 1];
	if (argc - optind > 2)
		job.size = read_hex(argv[optind + 2], job.bytes, sizeof(job.bytes));
	return run_all(&job, threads);
}
