/* SPDX-License-Identifier: MIT */
/* Computes a case with libargon2, the reference implementation. */
#ifndef TESTS_ARGON2_REFEREE_H
#define TESTS_ARGON2_REFEREE_H

#include <argon2.h>

#include "tests/argon2/cases.h"

/* Returns a value of argon2_error_codes. */
static inline int referee(struct argon2_case *c, uint8_t *tag)
{
	argon2_context context = {
		.out = tag,
		.outlen = (uint32_t)c->tag_size,
		.pwd = c->passphrase,
		.pwdlen = (uint32_t)c->input.passphrase.size,
		.salt = c->salt,
		.saltlen = (uint32_t)c->input.salt.size,
		.secret = c->secret,
		.secretlen = (uint32_t)c->input.secret.size,
		.ad = c->associated,
		.adlen = (uint32_t)c->input.associated_data.size,
		.t_cost = c->kdf.time,
		.m_cost = c->kdf.memory_kib,
		.lanes = c->kdf.lanes,
		/*
		 * Starting a thread per lane and slice would take most of the time of small cases.
		 */
		.threads = 1,
		.version = c->input.version,
		.flags = ARGON2_DEFAULT_FLAGS,
	};

	return argon2_ctx(&context, c->kdf.type == MORTISE_KDF_ARGON2I ? Argon2_i : Argon2_id);
}

#endif
