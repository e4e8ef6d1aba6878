/* SPDX-License-Identifier: MIT */
/* mortise: errors, events and secrets. Include mortise.h, which states the conventions. */
#ifndef MORTISE_BASE_H
#define MORTISE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#define MORTISE_MUST_CHECK __attribute__((warn_unused_result))
#else
#define MORTISE_MUST_CHECK
#endif

#define MORTISE_PASSPHRASE_MAX	(8u << 20) /* bytes */
#define MORTISE_ERROR_TEXT	512	/* bytes, including the NUL */
#define MORTISE_ESCAPE_MAX	16u	/* bytes of one character after mortise_escape() */

/* --- errors --- */

/* The comments give the exit status of the program, as in cryptsetup(8), and the cause. */
enum mortise_code {
	MORTISE_OK = 0,
	MORTISE_E_USAGE,	/* 1: an argument is missing, out of bounds, or conflicts with another */
	MORTISE_E_SYSTEM,	/* 1: a system call failed that has no code of its own */
	MORTISE_E_KEY,		/* 2: no keyslot opens with the passphrase; wrong volume key */
	MORTISE_E_NO_KEYSLOT,	/* 1: the keyslot does not exist or cannot be used */
	MORTISE_E_NO_TOKEN,	/* 1: the token does not exist or cannot be used */
	MORTISE_E_MEMORY,	/* 3: not enough memory, or not enough for the KDF */
	MORTISE_E_DEVICE,	/* 4: the device or file does not exist or cannot be accessed */
	MORTISE_E_INACTIVE,	/* 4: no mapping with this name is active */
	MORTISE_E_BUSY,		/* 5: the device is in use */
	MORTISE_E_EXISTS,	/* 5: a mapping, file or keyslot already exists */
	MORTISE_E_NOT_LUKS2,	/* 1: no LUKS2 header; also LUKS1, unless accepted */
	MORTISE_E_CORRUPT,	/* 1: neither copy of the LUKS2 header is valid */
	MORTISE_E_POLICY,	/* 1: a header or file is valid but unsafe */
	MORTISE_E_UNSUPPORTED,	/* 1: neither the libraries nor the kernel support this */
	MORTISE_E_NO_SPACE,	/* 1: no free keyslot area, JSON area full, or device too small */
	MORTISE_E_CHANGED,	/* 1: another process has changed the header or device */
	MORTISE_E_NOT_EMPTY,	/* 1: the device holds data and is not formatted */
	MORTISE_E_CONFIG,	/* 1: the configuration is invalid */
	MORTISE_E_WAIT,		/* 1: depends on something that does not exist yet */
	MORTISE_E_KERNEL,	/* 1: the kernel lacks device-mapper, a target or an option */
	MORTISE_E_UNREACHABLE,	/* 1: a KMS or TPM does not answer or is busy; try again */
	MORTISE_E_SOURCE,	/* 1: a KMS or TPM is missing, refused, or answered wrongly */
	MORTISE_E_CANCELED,	/* 1: the event callback returned false */
	MORTISE_E_STALE,	/* 1: the TPM can no longer unseal this: other PCRs, policy or TPM */
	MORTISE_E_PIN,		/* 2: the token needs a PIN */
};

struct mortise_error {
	enum mortise_code code;
	int sys_errno;		/* errno of the system call that failed, or 0 */
	uint64_t offset;	/* byte offset on the device, or UINT64_MAX */
	char text[MORTISE_ERROR_TEXT]; /* one sentence in UTF-8, escaped: MORTISE_ESCAPE_LINE */
};

/* A short text for a code, such as "wrong key". Never NULL. */
const char *mortise_code_text(enum mortise_code code);
/* The exit status of the program for a code: 0..5. */
int mortise_exit_status(enum mortise_code code);
/* The version and the options of this build, as lines of "name value". */
const char *mortise_features(void);
/* The Argon2 implementation in use: "avx512", "portable", ..., "libargon2". Never NULL. */
const char *mortise_argon2_kernel(void);

/* --- text from disks, servers and TPMs --- */

enum mortise_escape_form {
	MORTISE_ESCAPE_LINE,	/* as \xNN for each byte, including newlines and tabs */
	MORTISE_ESCAPE_LINES,	/* as \xNN for each byte, but keeps newlines and tabs */
	MORTISE_ESCAPE_JSON,	/* a JSON document: as \uNNNN */
};

/*
 * Copies up to room bytes of text, and escapes what could control a terminal or forge a log: control
 * characters, bidirectional formatting, and bytes that are not UTF-8. Returns the number of bytes
 * written, without a NUL, and advances *text and *size past the characters copied; MORTISE_ESCAPE_MAX bytes
 * of room are enough for one.
 */
size_t mortise_escape(enum mortise_escape_form form, const char **text, size_t *size, char *out,
		      size_t room);

/* --- events --- */

struct mortise_step; /* mortise-declared.h */

enum mortise_event_type {
	MORTISE_EVENT_POLL,	/* sent several times a second, only to ask whether to continue */
	MORTISE_EVENT_PROGRESS,	/* of a long operation: text, done, total */
	MORTISE_EVENT_STEP_BEGIN, /* a step of a plan begins: step */
	MORTISE_EVENT_STEP_END,	/* a step of a plan has ended: step, error */
	MORTISE_EVENT_PROMPT,	/* a recovery key is needed: device, tries_left, answer */
	MORTISE_EVENT_NOTICE,	/* text: a sentence */
	MORTISE_EVENT_RECOVERY_KEY, /* a new recovery key: text, device, step, answer */
};

struct mortise_event {
	enum mortise_event_type type;
	const char *volume;	/* name in the configuration, "" if the volume is not declared */
	const char *text;	/* PROGRESS: the operation, such as "overwriting keys"; NOTICE;
				 * RECOVERY_KEY: the volume's id */
	uint64_t done;		/* PROGRESS: bytes, unless text names another unit */
	uint64_t total;		/* PROGRESS: 0 if unknown */
	const struct mortise_step *step;
	const struct mortise_error *error; /* STEP_END: NULL if the step succeeded */
	const char *device;	/* PROMPT, RECOVERY_KEY: path of the volume's device */
	unsigned tries_left;	/* PROMPT: after this one */
	/*
	 * PROMPT: set it to a new secret, or leave it for no answer. RECOVERY_KEY: the key, which
	 * belongs to the library; set it to NULL if the key could not be handed over.
	 */
	struct mortise_secret **answer;
};

/*
 * The callback of long operations. Threads that the library has started call it, too: POLL possibly
 * from several at once, all other events one at a time. event is valid during the call. Returning
 * false cancels the operation within a second: the device stays consistent, secrets are wiped, and
 * the function returns MORTISE_E_CANCELED.
 */
struct mortise_events {
	bool (*call)(void *context, const struct mortise_event *event); /* NULL: no callback */
	void *context;
};

/* --- secrets --- */

/* Memory that is locked if possible, kept out of core dumps and children, and wiped when freed. */
struct mortise_secret;

/* Creates a secret of 0..MORTISE_PASSPHRASE_MAX zero bytes. MORTISE_E_MEMORY. */
MORTISE_MUST_CHECK enum mortise_code
mortise_secret_new(size_t size, struct mortise_secret **out, struct mortise_error *err);
/* Creates a secret with a copy of bytes, which the caller wipes. */
MORTISE_MUST_CHECK enum mortise_code
mortise_secret_from(const void *bytes, size_t size, struct mortise_secret **out,
		    struct mortise_error *err);
void mortise_secret_free(struct mortise_secret **secret);
/* The bytes. Never NULL, even if the size is 0. */
const uint8_t *mortise_secret_data(const struct mortise_secret *secret);
uint8_t *mortise_secret_writable(struct mortise_secret *secret);
size_t mortise_secret_size(const struct mortise_secret *secret);
/* Reduces the size, and wipes the bytes beyond it. */
void mortise_secret_truncate(struct mortise_secret *secret, size_t size);
/* Compares in time that depends only on the sizes. */
bool mortise_secret_equal(const struct mortise_secret *a, const struct mortise_secret *b);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
