/* SPDX-License-Identifier: MIT */
/*
 * mortise: LUKS2 disk encryption for Linux appliances.
 *
 * This is the one public header and the manual of the library. Conventions:
 *
 * - A function that can fail returns an enum mortise_code; MORTISE_OK is 0. Beside the
 *   code it fills a struct mortise_error, when the caller gave one, with a sentence that
 *   says what failed, where, and what to do. The library never prints and never exits.
 * - Sizes and offsets are bytes, in uint64_t or size_t. Times are milliseconds.
 * - What a function hands out by pointer belongs to the caller and has a _free function;
 *   what an accessor returns as "const" lives as long as the object it was read from.
 * - A struct that the caller allocates begins with size_t struct_size: set it to the sizeof of
 *   the struct. Members beyond that size have their default. A size that is smaller than the
 *   struct was in its first release, or a member beyond what this library knows that is not
 *   zero, is MORTISE_E_USAGE.
 * - There are no globals: two threads may work on two objects at the same time, and one
 *   object belongs to one thread at a time.
 * - Passphrases and keys travel in struct mortise_secret and nowhere else.
 *
 * Formats: LUKS2 On-Disk Format Specification 1.1.1; the configuration is Talos Linux's.
 */
#ifndef MORTISE_H
#define MORTISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define MORTISE_VERSION "0.1.0"

#if defined(__GNUC__)
#define MORTISE_MUST_CHECK __attribute__((warn_unused_result))
#else
#define MORTISE_MUST_CHECK
#endif

/* Limits of the format. */
#define MORTISE_KEYSLOTS_MAX	32u	/* ids 0..31 */
#define MORTISE_TOKENS_MAX	32u	/* ids 0..31 */
#define MORTISE_SEGMENTS_MAX	32u	/* ids 0..31 */
#define MORTISE_DIGESTS_MAX	8u	/* ids 0..7 */
#define MORTISE_ANY		(-1)	/* any keyslot, any token: the first that will do */
#define MORTISE_LABEL_MAX	47u	/* bytes of label and subsystem, NUL not counted */
#define MORTISE_UUID_LEN	36u
#define MORTISE_NAME_MAX	127u	/* bytes of a device-mapper name, NUL not counted */
#define MORTISE_CIPHER_MAX	128u	/* bytes of "cipher-mode-iv", NUL not counted */
#define MORTISE_HASH_MAX	32u	/* bytes of the name of a hash, NUL not counted */
#define MORTISE_SALT_MAX	64u	/* bytes of a keyslot's or digest's salt */
#define MORTISE_PASSPHRASE_MAX	(8u << 20) /* bytes */
#define MORTISE_PCRS		24u	/* of a TPM: 0..23 */
#define MORTISE_RECOVERY_LENGTH	71u	/* characters of a recovery key, dashes and all */

/* ------------------------------------------------------------------ errors */

/*
 * One code for each cause that a person or program can act on. The exit status that the
 * program gives for it, which is cryptsetup's, stands beside it.
 */
enum mortise_code {
	MORTISE_OK = 0,
	MORTISE_E_USAGE,	/* 1 an argument is missing, out of bounds, or clashes */
	MORTISE_E_SYSTEM,	/* 1 a system call failed in a way that has no code of its own */
	MORTISE_E_KEY,		/* 2 no keyslot opens with this passphrase, or wrong volume key */
	MORTISE_E_NO_KEYSLOT,	/* 1 the keyslot asked for is not there or not usable */
	MORTISE_E_NO_TOKEN,	/* 1 the token asked for is not there */
	MORTISE_E_MEMORY,	/* 3 not enough memory, or the KDF would need more than there is */
	MORTISE_E_DEVICE,	/* 4 the device or file is not there or cannot be accessed */
	MORTISE_E_INACTIVE,	/* 4 no active mapping of that name */
	MORTISE_E_BUSY,		/* 5 the device is in use */
	MORTISE_E_EXISTS,	/* 5 a mapping, file or keyslot of that name exists already */
	MORTISE_E_NOT_LUKS2,	/* 1 no LUKS2 header (LUKS1 and damaged magic among them) */
	MORTISE_E_CORRUPT,	/* 1 a LUKS2 header, but neither copy is usable */
	MORTISE_E_POLICY,	/* 1 a valid header that asks for what we refuse to do */
	MORTISE_E_UNSUPPORTED,	/* 1 neither the libraries nor the kernel can do this */
	MORTISE_E_NO_SPACE,	/* 1 no room: keyslot area, JSON area, device too small */
	MORTISE_E_CHANGED,	/* 1 another process changed the header meanwhile */
	MORTISE_E_NOT_EMPTY,	/* 1 the device holds something: not formatted */
	MORTISE_E_CONFIG,	/* 1 the configuration is not valid */
	MORTISE_E_WAIT,		/* 1 depends on something that is not there yet */
	MORTISE_E_KERNEL,	/* 1 the kernel lacks device-mapper, or a target or option of it */
	MORTISE_E_UNREACHABLE,	/* 1 a KMS or TPM does not answer, or is too busy: try again */
	MORTISE_E_SOURCE,	/* 1 a KMS or TPM is not there, refused, or answered nonsense */
	MORTISE_E_CANCELED,	/* 1 the event callback returned false */
	MORTISE_E_STALE,	/* 1 a TPM no longer unseals this: other PCRs, another policy or TPM */
};

#define MORTISE_ERROR_TEXT 512

struct mortise_error {
	enum mortise_code code;
	int sys_errno;		/* errno of the call that failed, 0 when there was none */
	uint64_t offset;	/* byte offset on the device, UINT64_MAX when it has no place */
	char text[MORTISE_ERROR_TEXT]; /* one sentence, UTF-8, no newline at its end */
};

/* ------------------------------------------------------------------ events */

struct mortise_step;

enum mortise_event_type {
	MORTISE_EVENT_POLL,	/* nothing to report: carry on? Sent several times a second */
	MORTISE_EVENT_PROGRESS,	/* of a long operation: text, done, total */
	MORTISE_EVENT_STEP_BEGIN, /* a step of a plan starts: step */
	MORTISE_EVENT_STEP_END,	/* it has ended: step, and error when it failed */
	MORTISE_EVENT_PROMPT,	/* a recovery key is needed: device, tries_left, answer */
	MORTISE_EVENT_NOTICE,	/* text, a sentence */
};

struct mortise_event {
	enum mortise_event_type type;
	const char *volume;	/* name in the configuration, "" for a volume that is not declared */
	const char *text;	/* PROGRESS: the operation ("overwriting keys"); NOTICE */
	uint64_t done;		/* PROGRESS: bytes, or what text counts */
	uint64_t total;		/* PROGRESS: 0 when it is not known */
	const struct mortise_step *step;
	const struct mortise_error *error; /* STEP_END: NULL when the step succeeded */
	const char *device;	/* PROMPT: path of the volume's device */
	unsigned tries_left;	/* PROMPT: after this one */
	struct mortise_secret **answer; /* PROMPT: receives a new secret; NULL stays: no answer */
};

/*
 * The one callback of long operations. It is called from the thread that called the library and
 * from threads that the library started; POLL possibly from several at once, everything else
 * one at a time. What event points to is valid during the call. Returning false cancels the
 * operation within a second: the device stays consistent, secrets are wiped, and the function
 * returns MORTISE_E_CANCELED.
 */
struct mortise_events {
	bool (*call)(void *context, const struct mortise_event *event);
	void *context;
};

/* A short text for a code: "wrong key", "device busy". Never NULL. */
const char *mortise_code_text(enum mortise_code code);

/* The exit status that goes with a code: 0..5 as in cryptsetup(8). */
int mortise_exit_status(enum mortise_code code);

/* What this build holds, as "name value" lines, NUL-terminated: versions, optional parts. */
const char *mortise_features(void);

/* What computes Argon2 on this machine: "avx512", "portable", ..., "libargon2". Never NULL. */
const char *mortise_argon2_kernel(void);

/* ----------------------------------------------------------------- secrets */

/*
 * Bytes that are locked in memory where the system allows it, are left out of core dumps
 * and of child processes, and are wiped when freed.
 */
struct mortise_secret;

/* A new secret of size zero bytes, 0 <= size <= MORTISE_PASSPHRASE_MAX. */
MORTISE_MUST_CHECK enum mortise_code mortise_secret_new(size_t size, struct mortise_secret **out,
							struct mortise_error *err);

/* A new secret holding a copy of bytes[0..size-1]. The caller wipes its own copy. */
MORTISE_MUST_CHECK enum mortise_code mortise_secret_from(const void *bytes, size_t size,
							 struct mortise_secret **out,
							 struct mortise_error *err);

/* Wipes and frees; NULL is allowed. */
void mortise_secret_free(struct mortise_secret **secret);

/* The bytes, valid until the secret is freed. Never NULL, even for size 0. */
const uint8_t *mortise_secret_data(const struct mortise_secret *secret);
uint8_t *mortise_secret_writable(struct mortise_secret *secret);
size_t mortise_secret_size(const struct mortise_secret *secret);

/* Makes it shorter (never longer): bytes beyond size are wiped. */
void mortise_secret_truncate(struct mortise_secret *secret, size_t size);

/* Equal size and content, in time that depends on the sizes only. */
bool mortise_secret_equal(const struct mortise_secret *a, const struct mortise_secret *b);

/* --------------------------------------------------------------------- KDF */

enum mortise_kdf_type {
	MORTISE_KDF_ARGON2ID,
	MORTISE_KDF_ARGON2I,
	MORTISE_KDF_PBKDF2,
};

/* The cost of turning a passphrase into a key. */
struct mortise_kdf {
	enum mortise_kdf_type type;
	char hash[MORTISE_HASH_MAX + 1]; /* PBKDF2 only */
	uint32_t time;		/* Argon2: passes, >= 4 when creating. PBKDF2: iterations, >= 1000 */
	uint32_t memory_kib;	/* Argon2: 32..4194304 when creating */
	uint32_t lanes;		/* Argon2: 1..4 when creating ("cpus" in the header) */
};

/* How to choose a cost. Zero in any field means the default in its comment. */
struct mortise_kdf_choice {
	size_t struct_size;
	enum mortise_kdf_type type;	/* argon2id */
	const char *hash;		/* PBKDF2 only: "sha256" */
	uint32_t forced_time;		/* given: no benchmark, this many passes or iterations */
	uint32_t memory_kib;		/* upper bound, or exact with forced_time: 1048576 */
	uint32_t lanes;			/* upper bound: 4 */
	uint32_t target_ms;		/* 2000 */
};

/* "argon2id", "argon2i", "pbkdf2". */
const char *mortise_kdf_name(enum mortise_kdf_type type);

/* ------------------------------------------------------- one LUKS2 device */

/* A LUKS2 header in memory, and the open device or file that it stands on. */
struct mortise_luks2;

/* Where a header is, and how careful to be with it. */
struct mortise_location {
	size_t struct_size;
	const char *device;	/* the data: a block device or a regular file */
	const char *header;	/* a detached header: device or file; NULL: on device itself */
	bool readonly;		/* never write, not even to mend a bad copy */
	bool no_locks;		/* take no lock under /run/cryptsetup (and mend nothing) */
	const struct mortise_events *events; /* copied; also for all later operations on the header */
};

/*
 * Reads both copies, takes the newer good one and checks every rule of the format. A copy
 * that is bad or stale is rewritten from the good one, unless readonly or no_locks is set
 * or the device carries foreign signatures. MORTISE_E_DEVICE, MORTISE_E_NOT_LUKS2,
 * MORTISE_E_CORRUPT (the text says which rule).
 */
MORTISE_MUST_CHECK enum mortise_code mortise_luks2_load(const struct mortise_location *location,
							struct mortise_luks2 **out,
							struct mortise_error *err);
/* Closes the device; NULL is allowed. */
void mortise_luks2_free(struct mortise_luks2 **header);

/* Is there a readable LUKS2 header? Never writes. MORTISE_OK, MORTISE_E_NOT_LUKS2, ... */
MORTISE_MUST_CHECK enum mortise_code mortise_luks2_probe(const struct mortise_location *location,
							 struct mortise_error *err);

/* How to format. Zero and NULL mean the default in the comment. */
struct mortise_format {
	size_t struct_size;
	const char *cipher;		/* "aes-xts-plain64" */
	uint32_t key_size;		/* bytes of the volume key: 64 for xts, 32 otherwise */
	const struct mortise_secret *volume_key; /* random */
	const char *hash;		/* splitter and digest: "sha256" */
	uint32_t sector_size;		/* bytes: by the device, 4096 for files */
	const char *label;		/* none, at most MORTISE_LABEL_MAX bytes */
	const char *subsystem;		/* none, at most MORTISE_LABEL_MAX bytes */
	const char *uuid;		/* random */
	uint64_t metadata_size;		/* bytes of one header copy: 16384 */
	uint64_t keyslots_size;		/* bytes of the keyslots area: what is left before the data */
	uint64_t data_offset;		/* bytes: 16 MiB, 0 with a detached header */
	bool data_offset_given;		/* data_offset is meant even when it is 0 */
	uint64_t data_alignment;	/* bytes: as the device wants it */
	uint32_t digest_iterations;	/* 1000 for a random key; an eighth of a second for a given one */
};

/*
 * Makes a new header with no keyslot yet, over whatever was there: signatures wiped, the
 * space up to the data zeroed, the keyslots area filled with random bytes. *out knows the
 * new volume key: mortise_keyslot_add may follow with volume_key NULL. Until it has, the
 * header is marked as unfinished. MORTISE_E_BUSY when the device is mapped or mounted.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_luks2_format(const struct mortise_location *location,
							  const struct mortise_format *format,
							  struct mortise_luks2 **out,
							  struct mortise_error *err);

/* The facts about a header. Strings belong to the object. */
struct mortise_header_info {
	size_t struct_size;
	uint64_t seqid;			/* cryptsetup prints it as "Epoch" */
	uint64_t metadata_size;		/* bytes of one copy */
	uint64_t keyslots_size;		/* bytes */
	const char *uuid;
	const char *label;		/* "" when there is none */
	const char *subsystem;		/* "" when there is none */
	bool detached;
	const char *device;		/* path of the data */
	const char *header;		/* path of the header */
};

/* Fails for a bad struct_size alone: MORTISE_E_USAGE. */
enum mortise_code mortise_header_info(const struct mortise_luks2 *header,
				      struct mortise_header_info *info, struct mortise_error *err);

/* The text of config.flags[i] ("allow-discards") or requirements.mandatory[i]; NULL: no more. */
const char *mortise_header_flag(const struct mortise_luks2 *header, unsigned i);
const char *mortise_header_requirement(const struct mortise_luks2 *header, unsigned i);

/* Sets label and subsystem; NULL leaves one as it is, "" removes it. MORTISE_E_USAGE: too long. */
MORTISE_MUST_CHECK enum mortise_code mortise_header_set_label(struct mortise_luks2 *header,
							      const char *label,
							      const char *subsystem,
							      struct mortise_error *err);
/* Sets the UUID: 36 characters, taken in either case. */
MORTISE_MUST_CHECK enum mortise_code
mortise_header_set_uuid(struct mortise_luks2 *header, const char *uuid, struct mortise_error *err);

/*
 * The JSON metadata as json-c prints it, indented as cryptsetup does, without a final
 * newline. free(3) it.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_header_json(const struct mortise_luks2 *header,
							 char **json, struct mortise_error *err);

struct mortise_salt {
	uint8_t bytes[MORTISE_SALT_MAX];
	size_t size;
};

enum mortise_priority {
	MORTISE_PRIORITY_IGNORE = 0,
	MORTISE_PRIORITY_NORMAL = 1,
	MORTISE_PRIORITY_PREFER = 2,
};

/* A keyslot. Strings belong to the object; members that a type lacks are 0 or "". */
struct mortise_keyslot_info {
	size_t struct_size;
	const char *type;		/* "luks2", "reencrypt", or one we do not know */
	bool unbound;			/* its key belongs to no segment */
	uint32_t key_size;		/* bytes of the volume key */
	enum mortise_priority priority;
	const char *cipher;		/* of the area */
	uint32_t area_key_size;		/* bytes */
	uint64_t area_offset;		/* bytes */
	uint64_t area_size;		/* bytes */
	const char *kdf_type;		/* as in the header, also one we do not know */
	struct mortise_kdf kdf;		/* meaningful for the three known types */
	struct mortise_salt salt;
	int64_t af_stripes;
	const char *af_hash;
	int digest;			/* id, -1 for none */
	const char *reencrypt_mode;	/* type reencrypt: these four */
	const char *reencrypt_direction;
	const char *reencrypt_resilience; /* the area's type */
	const char *reencrypt_hash;
	uint64_t reencrypt_sector_size;
	uint64_t reencrypt_shift_size;
};

/* MORTISE_E_NO_KEYSLOT when id is not in use or beyond MORTISE_KEYSLOTS_MAX. */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_info(const struct mortise_luks2 *header,
							  int id, struct mortise_keyslot_info *info,
							  struct mortise_error *err);

struct mortise_segment_info {
	size_t struct_size;
	const char *type;		/* "crypt", "linear", or one we do not know */
	uint64_t offset;		/* bytes */
	bool dynamic;			/* to the end of the device */
	uint64_t size;			/* bytes, when not dynamic */
	uint64_t iv_tweak;		/* 512-byte sectors */
	const char *cipher;		/* "" when the type has none */
	uint32_t sector_size;		/* bytes */
	const char *integrity;		/* "" without */
};

/* MORTISE_E_USAGE when there is no such segment. */
MORTISE_MUST_CHECK enum mortise_code mortise_segment_info(const struct mortise_luks2 *header,
							  int id, struct mortise_segment_info *info,
							  struct mortise_error *err);
/* The text of the segment's flags[i]; NULL: no more. */
const char *mortise_segment_flag(const struct mortise_luks2 *header, int id, unsigned i);

struct mortise_digest_info {
	size_t struct_size;
	const char *type;		/* "pbkdf2" */
	const char *hash;
	uint64_t iterations;
	struct mortise_salt salt;
	uint8_t digest[MORTISE_SALT_MAX];
	size_t digest_size;
};

MORTISE_MUST_CHECK enum mortise_code mortise_digest_info(const struct mortise_luks2 *header, int id,
							 struct mortise_digest_info *info,
							 struct mortise_error *err);

struct mortise_token_info {
	size_t struct_size;
	const char *type;
	uint32_t keyslots;		/* bit n: keyslot n */
	const char *key_description;	/* type luks2-keyring, else "" */
};

/* MORTISE_E_NO_TOKEN when id is not in use. */
MORTISE_MUST_CHECK enum mortise_code mortise_token_info(const struct mortise_luks2 *header, int id,
							struct mortise_token_info *info,
							struct mortise_error *err);

/* -------------------------------------------------------- keyslots and keys */

/* Which keyslots a passphrase may open. */
struct mortise_key_search {
	size_t struct_size;
	int keyslot;		/* an id, or MORTISE_ANY: by priority, then in JSON order */
	bool unbound;		/* unbound keyslots count too */
};

/*
 * Opens a keyslot: *volume_key (wanted or NULL) is a new secret, *opened (wanted or NULL)
 * the id. MORTISE_E_KEY: none opens with this passphrase. MORTISE_E_NO_KEYSLOT: the one
 * asked for is inactive, or there is none to try. MORTISE_E_MEMORY: said before it is tried.
 * MORTISE_E_POLICY: the keyslot is one that must not be used (null cipher, ...).
 */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_open(struct mortise_luks2 *header,
							  const struct mortise_key_search *search,
							  const struct mortise_secret *passphrase,
							  struct mortise_secret **volume_key,
							  int *opened, struct mortise_error *err);

/* Is this the volume key of the data segment? MORTISE_E_KEY when not. */
MORTISE_MUST_CHECK enum mortise_code
mortise_volume_key_verify(struct mortise_luks2 *header, const struct mortise_secret *volume_key,
			  struct mortise_error *err);

/* A new keyslot. Zero and NULL mean the default. */
struct mortise_keyslot_new {
	size_t struct_size;
	int keyslot;			/* an id that is free, or MORTISE_ANY: the first */
	const struct mortise_kdf_choice *kdf; /* NULL: the defaults */
	const char *hash;		/* of the splitter: "sha256" */
	const char *cipher;		/* of the area, with area_key_size: "aes-xts-plain64" */
	uint32_t area_key_size;		/* bytes: 64, or the data's when that is AES-XTS */
	bool unbound;			/* for the key given, which belongs to no segment */
	const struct mortise_secret *unbound_key; /* unbound: its key; NULL: random */
	uint32_t unbound_key_size;	/* bytes, when random */
};

/*
 * Would such a keyslot be taken, as far as can be told without a header? Checks hash, area
 * cipher and cost; measures nothing. To be called before formatting. MORTISE_E_USAGE,
 * MORTISE_E_UNSUPPORTED.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_check(const struct mortise_keyslot_new *what,
							   struct mortise_error *err);

/*
 * Adds a keyslot for passphrase. volume_key: NULL takes the one that this object knows, from
 * mortise_luks2_format or the last mortise_keyslot_open; unbound ones need none. MORTISE_E_EXISTS: the id is taken;
 * MORTISE_E_NO_SPACE: no id or no area is free. A cut at any moment leaves the old header.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_add(struct mortise_luks2 *header,
							 const struct mortise_keyslot_new *what,
							 const struct mortise_secret *passphrase,
							 const struct mortise_secret *volume_key,
							 int *added, struct mortise_error *err);

/*
 * Gives keyslot id a new passphrase and new cost, keeping the id, priority and token links.
 * There is no moment without a working key: the new area is written beside the old one.
 * When no second area is free the change is refused with MORTISE_E_NO_SPACE.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_change(struct mortise_luks2 *header, int id,
							    const struct mortise_keyslot_new *what,
							    const struct mortise_secret *passphrase,
							    const struct mortise_secret *volume_key,
							    struct mortise_error *err);

/* Removes keyslot id and wipes its area. MORTISE_E_NO_KEYSLOT. */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_remove(struct mortise_luks2 *header, int id,
							    struct mortise_error *err);

/* Removes every keyslot that is bound to a segment: nothing opens the data any more. */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_remove_all(struct mortise_luks2 *header,
								struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_set_priority(struct mortise_luks2 *header,
								  int id,
								  enum mortise_priority priority,
								  struct mortise_error *err);

/* How many keyslots other than id open the data. */
unsigned mortise_keyslot_others(const struct mortise_luks2 *header, int id);

/* ------------------------------------------------------------------ tokens */

/* What to do with a token that is imported. */
struct mortise_token_import {
	size_t struct_size;
	int token;		/* id, or MORTISE_ANY: the first free */
	int keyslot;		/* link it to this keyslot; MORTISE_ANY: as its JSON says */
	bool unlinked;		/* link it to none */
	bool replace;		/* over an existing token of that id */
};

/*
 * Stores json[0..size-1], one JSON object with at least "type" and "keyslots"; unknown types
 * and members are kept as they are. *imported (or NULL) receives the id.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_token_import(struct mortise_luks2 *header,
							  const struct mortise_token_import *how,
							  const char *json, size_t size,
							  int *imported, struct mortise_error *err);
/* The token as compact JSON. free(3) it. */
MORTISE_MUST_CHECK enum mortise_code mortise_token_export(const struct mortise_luks2 *header,
							  int id, char **json,
							  struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code mortise_token_remove(struct mortise_luks2 *header, int id,
							  struct mortise_error *err);

/* ------------------------------------- keys from a KMS, a TPM, or on paper */

/*
 * Where KMS and TPM are found. NULL: the default in the comment. Paths are of PEM files. Of
 * the environment only https_proxy is looked at; libcurl and tpm2-tss read theirs, and the latter
 * prints what a TPM refuses unless TSS2_LOG is "all+none".
 */
struct mortise_key_sources {
	size_t struct_size;
	const char *node_uuid;		/* the machine's: what a KMS knows it by, and nodeID */
	const char *kms_endpoint;	/* of tokens, which do not name their KMS: it is not asked */
	const char *kms_ca;		/* /etc/mortise/kms/ca.pem when it is there, else the
					 * roots that this system trusts */
	const char *kms_cert;		/* with kms_key: cert.pem and key.pem in the same place */
	const char *kms_key;
	const char *tcti;		/* as tctildr(3) takes it: /dev/tpmrm0, then /dev/tpm0 */
	const char *tpm_policy;		/* directory of tpm2-pcr-public-key.pem and
					 * tpm2-pcr-signature.json: /.extra, then /run/systemd */
	const struct mortise_events *events; /* polled while a KMS or TPM is waited for */
};

enum mortise_enroll_kind {
	MORTISE_ENROLL_KMS,	/* sealed by the KMS at sources->kms_endpoint; Talos's token */
	MORTISE_ENROLL_TPM,	/* sealed by the TPM; Talos's token */
	MORTISE_ENROLL_RECOVERY,	/* 256 random bits to be written down; systemd's token */
};

struct mortise_enrollment {
	size_t struct_size;
	enum mortise_enroll_kind kind;
	int keyslot;			/* MORTISE_ANY: the first whose token id is free too */
	uint32_t tpm_pcrs;		/* bit n: bound to what PCR n holds now, 0..23 */
	bool tpm_check_secureboot;	/* refuse when Secure Boot is off or in setup mode */
};

struct mortise_enrolled {
	size_t struct_size;
	int keyslot;
	int token;
	struct mortise_secret *recovery_key; /* MORTISE_ENROLL_RECOVERY, else NULL: to be
					      * shown once; mortise_secret_free */
	char notice[400];		/* a sentence on what it is bound to, "" for none */
};

/*
 * Adds a keyslot for a new random passphrase, at Argon2id's least cost since nobody guesses
 * 256 bits, and its token, in one update. volume_key: as for mortise_keyslot_add.
 * MORTISE_E_EXISTS, MORTISE_E_NO_SPACE: nothing was asked of KMS or TPM. MORTISE_E_UNREACHABLE,
 * MORTISE_E_SOURCE, MORTISE_E_UNSUPPORTED (this build or machine), MORTISE_E_POLICY (Secure
 * Boot). The header is as it was unless MORTISE_OK.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_enroll(struct mortise_luks2 *header, const struct mortise_enrollment *what,
	       const struct mortise_key_sources *sources, const struct mortise_secret *volume_key,
	       struct mortise_enrolled *enrolled, struct mortise_error *err);

/* Which tokens may open it. */
struct mortise_token_search {
	size_t struct_size;
	int token;		/* an id, or MORTISE_ANY: in the order of their ids */
	const char *type;	/* this type alone; NULL: any */
	int keyslot;		/* the keyslot it is to open, or MORTISE_ANY */
};

/*
 * Opens by a token of type sideroKMS (asked when sources->kms_endpoint says whom), talos-tpm2
 * or luks2-keyring (a key of type "user" that the caller's keyrings reach). Without an id those
 * of preferred keyslots come first, and a keyslot to be ignored is not opened. *opened and *token
 * (wanted or NULL) receive ids. MORTISE_E_NO_TOKEN: there is none to try. Else the error of the
 * last one that failed.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_token_open(struct mortise_luks2 *header, const struct mortise_token_search *search,
		   const struct mortise_key_sources *sources, struct mortise_secret **volume_key,
		   int *opened, int *token, struct mortise_error *err);

/*
 * Opens a keyslot that a systemd-recovery token marks, with a recovery key as a person types
 * it: with or without dashes, in any case. MORTISE_E_NO_TOKEN: no such token; MORTISE_E_KEY.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_recovery_open(struct mortise_luks2 *header,
							   const struct mortise_secret *typed,
							   struct mortise_secret **volume_key,
							   int *opened, struct mortise_error *err);

/* Extends a PCR (0..23) of the SHA-256 bank with the hash of word, as Talos and systemd do. */
MORTISE_MUST_CHECK enum mortise_code mortise_tpm_extend(const struct mortise_key_sources *sources,
							unsigned pcr, const char *word,
							struct mortise_error *err);

/* ---------------------------------------------------------------- mappings */

enum mortise_activation_flags {
	MORTISE_ALLOW_DISCARDS = 1u << 0,
	MORTISE_SAME_CPU_CRYPT = 1u << 1,
	MORTISE_SUBMIT_FROM_CRYPT_CPUS = 1u << 2,
	MORTISE_NO_READ_WORKQUEUE = 1u << 3,
	MORTISE_NO_WRITE_WORKQUEUE = 1u << 4,
	MORTISE_READONLY = 1u << 5,
	MORTISE_NO_KEYRING = 1u << 6,	/* the key into the table, not the kernel's keyring */
	MORTISE_PERSISTENT = 1u << 7,	/* write these flags into the header */
};

/*
 * Makes /dev/mapper/NAME. flags are joined with those in the header. *dropped (or NULL)
 * receives the flags that this kernel does not know. MORTISE_E_EXISTS, MORTISE_E_BUSY,
 * MORTISE_E_KERNEL, MORTISE_E_KEY (not this volume's key), MORTISE_E_POLICY.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_activate(struct mortise_luks2 *header,
						      const char *name,
						      const struct mortise_secret *volume_key,
						      uint32_t flags, uint32_t *dropped,
						      struct mortise_error *err);

enum mortise_deactivation {
	MORTISE_CLOSE_NOW,
	MORTISE_CLOSE_DEFERRED,		/* after its last user */
	MORTISE_CLOSE_CANCEL_DEFERRED,
};

/* Removes a mapping. MORTISE_E_INACTIVE, MORTISE_E_BUSY. */
MORTISE_MUST_CHECK enum mortise_code
mortise_deactivate(const char *name, enum mortise_deactivation how, struct mortise_error *err);

/* MORTISE_OK when a mapping of this name is active, MORTISE_E_INACTIVE when not. */
MORTISE_MUST_CHECK enum mortise_code mortise_is_active(const char *name, struct mortise_error *err);

/* An active mapping. */
struct mortise_mapping_info {
	size_t struct_size;
	bool in_use;
	bool suspended;
	bool readonly;
	bool luks2;			/* its UUID says CRYPT-LUKS2 */
	char uuid[MORTISE_UUID_LEN + 1]; /* of the header, "" when not luks2 */
	char cipher[MORTISE_CIPHER_MAX + 1];
	uint32_t key_size;		/* bytes */
	bool key_in_keyring;
	char integrity[64];		/* "" without */
	char device[256];		/* path of the device below */
	char loop_file[256];		/* the file behind it, "" when it is no loop device */
	uint32_t sector_size;		/* bytes */
	uint64_t offset;		/* bytes */
	uint64_t size;			/* bytes */
	uint64_t iv_offset;		/* 512-byte sectors */
	uint32_t flags;			/* enum mortise_activation_flags, as the kernel has them */
};

MORTISE_MUST_CHECK enum mortise_code mortise_mapping_info(const char *name,
							  struct mortise_mapping_info *info,
							  struct mortise_error *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
