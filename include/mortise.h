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
	MORTISE_E_STALE,	/* 1 a TPM no longer unseals this: other PCRs, another policy or TPM */
};

#define MORTISE_ERROR_TEXT 512

struct mortise_error {
	enum mortise_code code;
	int sys_errno;		/* errno of the call that failed, 0 when there was none */
	uint64_t offset;	/* byte offset on the device, UINT64_MAX when it has no place */
	char text[MORTISE_ERROR_TEXT]; /* one sentence, UTF-8, no newline at its end */
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
void mortise_secret_free(struct mortise_secret *secret);

/* The bytes, writable, valid until the secret is freed. Never NULL, even for size 0. */
uint8_t *mortise_secret_data(const struct mortise_secret *secret);
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
	const char *device;	/* the data: a block device or a regular file */
	const char *header;	/* a detached header: device or file; NULL: on device itself */
	bool readonly;		/* never write, not even to mend a bad copy */
	bool no_locks;		/* take no lock under /run/cryptsetup (and mend nothing) */
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
void mortise_luks2_free(struct mortise_luks2 *luks2);

/* Is there a readable LUKS2 header? Never writes. MORTISE_OK, MORTISE_E_NOT_LUKS2, ... */
MORTISE_MUST_CHECK enum mortise_code mortise_luks2_probe(const struct mortise_location *location,
							 struct mortise_error *err);

/* Called while a long step runs; done and total in bytes. NULL: nobody is told. */
struct mortise_progress {
	void (*call)(void *context, const char *step, uint64_t done, uint64_t total);
	void *context;
};

/* How to format. Zero and NULL mean the default in the comment. */
struct mortise_format {
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
	struct mortise_progress progress;
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

void mortise_header_info(const struct mortise_luks2 *luks2, struct mortise_header_info *info);

/* The text of config.flags[i] ("allow-discards") or requirements.mandatory[i]; NULL: no more. */
const char *mortise_header_flag(const struct mortise_luks2 *luks2, unsigned i);
const char *mortise_header_requirement(const struct mortise_luks2 *luks2, unsigned i);

/* Sets label and subsystem; NULL leaves one as it is, "" removes it. MORTISE_E_USAGE: too long. */
MORTISE_MUST_CHECK enum mortise_code mortise_header_set_label(struct mortise_luks2 *luks2,
							      const char *label,
							      const char *subsystem,
							      struct mortise_error *err);
/* Sets the UUID: 36 characters, taken in either case. */
MORTISE_MUST_CHECK enum mortise_code
mortise_header_set_uuid(struct mortise_luks2 *luks2, const char *uuid, struct mortise_error *err);

/*
 * The JSON metadata as json-c prints it, indented as cryptsetup does, without a final
 * newline. free(3) it.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_header_json(const struct mortise_luks2 *luks2,
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
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_info(const struct mortise_luks2 *luks2, int id,
							  struct mortise_keyslot_info *info,
							  struct mortise_error *err);

struct mortise_segment_info {
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
MORTISE_MUST_CHECK enum mortise_code mortise_segment_info(const struct mortise_luks2 *luks2, int id,
							  struct mortise_segment_info *info,
							  struct mortise_error *err);
/* The text of the segment's flags[i]; NULL: no more. */
const char *mortise_segment_flag(const struct mortise_luks2 *luks2, int id, unsigned i);

struct mortise_digest_info {
	const char *type;		/* "pbkdf2" */
	const char *hash;
	uint64_t iterations;
	struct mortise_salt salt;
	uint8_t digest[MORTISE_SALT_MAX];
	size_t digest_size;
};

MORTISE_MUST_CHECK enum mortise_code mortise_digest_info(const struct mortise_luks2 *luks2, int id,
							 struct mortise_digest_info *info,
							 struct mortise_error *err);

struct mortise_token_info {
	const char *type;
	uint32_t keyslots;		/* bit n: keyslot n */
	const char *key_description;	/* type luks2-keyring, else "" */
};

/* MORTISE_E_NO_TOKEN when id is not in use. */
MORTISE_MUST_CHECK enum mortise_code mortise_token_info(const struct mortise_luks2 *luks2, int id,
							struct mortise_token_info *info,
							struct mortise_error *err);

/* -------------------------------------------------------- keyslots and keys */

/* Which keyslots a passphrase may open. */
struct mortise_key_search {
	int keyslot;		/* an id, or MORTISE_ANY: by priority, then in JSON order */
	bool unbound;		/* unbound keyslots count too */
};

/*
 * Opens a keyslot: *volume_key (wanted or NULL) is a new secret, *opened (wanted or NULL)
 * the id. MORTISE_E_KEY: none opens with this passphrase. MORTISE_E_NO_KEYSLOT: the one
 * asked for is inactive, or there is none to try. MORTISE_E_MEMORY: said before it is tried.
 * MORTISE_E_POLICY: the keyslot is one that must not be used (null cipher, ...).
 */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_open(struct mortise_luks2 *luks2,
							  const struct mortise_key_search *search,
							  const struct mortise_secret *passphrase,
							  struct mortise_secret **volume_key,
							  int *opened, struct mortise_error *err);

/* Is this the volume key of the data segment? MORTISE_E_KEY when not. */
MORTISE_MUST_CHECK enum mortise_code
mortise_volume_key_verify(struct mortise_luks2 *luks2, const struct mortise_secret *volume_key,
			  struct mortise_error *err);

/* A new keyslot. Zero and NULL mean the default. */
struct mortise_keyslot_new {
	int keyslot;			/* an id that is free, or MORTISE_ANY: the first */
	struct mortise_kdf_choice kdf;
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
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_add(struct mortise_luks2 *luks2,
							 const struct mortise_keyslot_new *what,
							 const struct mortise_secret *passphrase,
							 const struct mortise_secret *volume_key,
							 int *added, struct mortise_error *err);

/*
 * Gives keyslot id a new passphrase and new cost, keeping the id, priority and token links.
 * There is no moment without a working key: the new area is written beside the old one.
 * When no second area is free the change is refused with MORTISE_E_NO_SPACE.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_change(struct mortise_luks2 *luks2, int id,
							    const struct mortise_keyslot_new *what,
							    const struct mortise_secret *passphrase,
							    const struct mortise_secret *volume_key,
							    struct mortise_error *err);

/* Removes keyslot id and wipes its area. MORTISE_E_NO_KEYSLOT. */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_remove(struct mortise_luks2 *luks2, int id,
							    struct mortise_error *err);

/* Removes every keyslot that is bound to a segment: nothing opens the data any more. */
MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_remove_all(struct mortise_luks2 *luks2,
								struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code mortise_keyslot_set_priority(struct mortise_luks2 *luks2,
								  int id,
								  enum mortise_priority priority,
								  struct mortise_error *err);

/* How many keyslots other than id open the data. */
unsigned mortise_keyslot_others(const struct mortise_luks2 *luks2, int id);

/* ------------------------------------------------------------------ tokens */

/* What to do with a token that is imported. */
struct mortise_token_import {
	int token;		/* id, or MORTISE_ANY: the first free */
	int keyslot;		/* link it to this keyslot; MORTISE_ANY: as its JSON says */
	bool unlinked;		/* link it to none */
	bool replace;		/* over an existing token of that id */
};

/*
 * Stores json[0..size-1], one JSON object with at least "type" and "keyslots"; unknown types
 * and members are kept as they are. *imported (or NULL) receives the id.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_token_import(struct mortise_luks2 *luks2,
							  const struct mortise_token_import *how,
							  const char *json, size_t size,
							  int *imported, struct mortise_error *err);
/* The token as compact JSON. free(3) it. */
MORTISE_MUST_CHECK enum mortise_code mortise_token_export(const struct mortise_luks2 *luks2, int id,
							  char **json, struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code mortise_token_remove(struct mortise_luks2 *luks2, int id,
							  struct mortise_error *err);

/* ------------------------------------- keys from a KMS, a TPM, or on paper */

/*
 * Where KMS and TPM are found. NULL: the default in the comment. Paths are of PEM files. Of
 * the environment only https_proxy is looked at; libcurl and tpm2-tss read theirs, and the latter
 * prints what a TPM refuses unless TSS2_LOG is "all+none".
 */
struct mortise_key_sources {
	const char *node_uuid;		/* the machine's: what a KMS knows it by, and nodeID */
	const char *kms_endpoint;	/* of tokens, which do not name their KMS: it is not asked */
	const char *kms_ca;		/* /etc/mortise/kms/ca.pem when it is there, else the
					 * roots that this system trusts */
	const char *kms_cert;		/* with kms_key: cert.pem and key.pem in the same place */
	const char *kms_key;
	const char *tcti;		/* as tctildr(3) takes it: /dev/tpmrm0, then /dev/tpm0 */
	const char *tpm_policy;		/* directory of tpm2-pcr-public-key.pem and
					 * tpm2-pcr-signature.json: /.extra, then /run/systemd */
};

enum mortise_enrol_kind {
	MORTISE_ENROL_KMS,	/* sealed by the KMS at sources->kms_endpoint; Talos's token */
	MORTISE_ENROL_TPM,	/* sealed by the TPM; Talos's token */
	MORTISE_ENROL_RECOVERY,	/* 256 random bits to be written down; systemd's token */
};

struct mortise_enrolment {
	enum mortise_enrol_kind kind;
	int keyslot;			/* MORTISE_ANY: the first whose token id is free too */
	uint32_t tpm_pcrs;		/* bit n: bound to what PCR n holds now, 0..23 */
	bool tpm_check_secureboot;	/* refuse when Secure Boot is off or in setup mode */
};

struct mortise_enrolled {
	int keyslot;
	int token;
	struct mortise_secret *recovery_key; /* MORTISE_ENROL_RECOVERY, else NULL: to be
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
mortise_enroll(struct mortise_luks2 *luks2, const struct mortise_enrolment *what,
	       const struct mortise_key_sources *sources, const struct mortise_secret *volume_key,
	       struct mortise_enrolled *enrolled, struct mortise_error *err);

/* Which tokens may open it. */
struct mortise_token_search {
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
mortise_token_open(struct mortise_luks2 *luks2, const struct mortise_token_search *search,
		   const struct mortise_key_sources *sources, struct mortise_secret **volume_key,
		   int *opened, int *token, struct mortise_error *err);

/*
 * Opens a keyslot that a systemd-recovery token marks, with a recovery key as a person types
 * it: with or without dashes, in any case. MORTISE_E_NO_TOKEN: no such token; MORTISE_E_KEY.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_recovery_open(struct mortise_luks2 *luks2,
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
MORTISE_MUST_CHECK enum mortise_code mortise_activate(struct mortise_luks2 *luks2, const char *name,
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

/* ------------------------------------------------------ the META partition */

/*
 * META: 1 MiB, never encrypted, where what must be known before STATE is open stands under
 * numbers: Talos's ADV, two copies with a checksum, and behind them syslinux's older one. A cut
 * while it is written leaves the old content or the new.
 */
enum mortise_meta_tag {
	MORTISE_META_STATE_ENCRYPTION = 9,	/* how STATE is encrypted, as JSON */
	MORTISE_META_UUID_OVERRIDE = 15,	/* instead of the machine's UUID */
};

struct mortise_meta_entry {
	uint8_t tag;		/* 1..255 */
	const char *name;	/* "StateEncryptionConfig"; "" for a tag without a known name */
	const void *value;
	size_t size;		/* bytes */
	bool old;		/* from the older block: no copy of Talos's has the tag */
};

/* What META held when it was read. */
struct mortise_meta;

/*
 * Reads META at device, a partition or a file; NULL: the partition that is labelled META. With
 * no good copy it is empty. MORTISE_E_DEVICE: there is none, or not exactly 1 MiB;
 * MORTISE_E_NOT_EMPTY: it holds something else; MORTISE_E_BUSY: locked for 10 seconds.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_meta_read(const char *device, struct mortise_meta **out, struct mortise_error *err);
/* NULL is allowed. Wipes: a value may hold a passphrase. */
void mortise_meta_free(struct mortise_meta *meta);
/* Entry i by ascending tag, false when there is none. */
bool mortise_meta_entry(const struct mortise_meta *meta, size_t i,
			struct mortise_meta_entry *entry);
/* The entry of a tag, false when there is none. */
bool mortise_meta_find(const struct mortise_meta *meta, uint8_t tag,
		       struct mortise_meta_entry *entry);

/*
 * Reads META under its lock, changes one tag and writes it; device as above. Nothing is written
 * when the value is there already, unless a cut has left the copies different: then they are
 * made alike. The longest value is 262096 bytes. MORTISE_E_NO_SPACE; MORTISE_E_USAGE: tag 0, no
 * UUID under MORTISE_META_UUID_OVERRIDE, or a value that would make META look like a file system.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_meta_set(const char *device, uint8_t tag,
						      const void *value, size_t size,
						      struct mortise_error *err);
/* The same without the tag, from the older block too. MORTISE_OK too when there is no such tag. */
MORTISE_MUST_CHECK enum mortise_code mortise_meta_delete(const char *device, uint8_t tag,
							 struct mortise_error *err);
/* A tag by its number ("9", "0x9"), not 0, or its name in any case; false when it is neither. */
bool mortise_meta_tag_parse(const char *text, uint8_t *tag);

/* -------------------------------------------------------- declared volumes */

/*
 * A configuration: the documents of one YAML stream that declare volumes. VolumeConfig,
 * UserVolumeConfig, RawVolumeConfig, SwapVolumeConfig and what a v1alpha1 machine configuration
 * says in machine.systemDiskEncryption; documents of other kinds are passed over.
 */
struct mortise_config;

/* A remark on a configuration; line and column from 1, 0 for the document as a whole. */
struct mortise_remark {
	bool error;		/* false: a notice */
	unsigned line;
	unsigned column;
	const char *text;
};

/*
 * Reads a configuration of at most 1 MiB. *out is set in either case, so that its remarks
 * can be shown; MORTISE_E_CONFIG when one of them is an error: nothing else can be done with
 * it then. MORTISE_E_DEVICE when the file cannot be read (*out is NULL).
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_config_read(const char *path, struct mortise_config **out, struct mortise_error *err);
void mortise_config_free(struct mortise_config *config);
/*
 * Adds a STATE that is not encrypted unless one is declared: a machine that carries its
 * configuration has one.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_config_add_state(struct mortise_config *config,
							      struct mortise_error *err);
/* Remark i, false when there is none. */
bool mortise_config_remark(const struct mortise_config *config, size_t i,
			   struct mortise_remark *remark);

/* "NAME=/dev/X": where a volume is, when partition labels cannot say. */
struct mortise_volume_device {
	const char *name;	/* as in the configuration, or the volume's id */
	const char *device;
};

/*
 * Asks a person; device is the path that volume was found at, *typed a new secret. False: nobody
 * is there, or nobody wants to.
 */
struct mortise_ask {
	bool (*call)(void *context, const char *volume, const char *device, unsigned tries_left,
		     struct mortise_secret **typed);
	void *context;
};

/* What was decided for each volume, and what the decisions rest on. */
struct mortise_plan;

struct mortise_up_options {
	const char *const *names;	/* only these volumes; NULL: all */
	size_t name_count;
	const struct mortise_volume_device *devices; /* META's among them */
	size_t device_count;
	struct mortise_key_sources sources; /* kms_endpoint is not used: keys declare theirs */
	struct mortise_kdf_choice cost;	/* Argon2id, of new keyslots for static and nodeID keys;
					 * random passphrases of KMS and TPM need none */
	uint32_t device_wait_ms;	/* wait so long for devices that are not there yet; not once
					 * more where there is a plan */
	uint32_t wait_ms;		/* ask a KMS again for so long when no other key opens */
	struct mortise_ask recovery;	/* asked for a recovery key when all else has failed, three
					 * times a volume; NULL: never. What is declared is then
					 * brought in step again */
	const char *extend_word;	/* once all volumes are ready, extend a PCR with it, so that
					 * the TPM unseals no more until the next boot; NULL: no */
	unsigned extend_pcr;		/* 0..23 */
	const char *root;		/* put before mount points; NULL: "" */
	const struct mortise_plan *plan; /* made of the same configuration a moment ago: volume
					 * keys that it found are not derived again; or NULL */
	bool check_keys;		/* try every keyslot, also those unchanged since the last sync */
	bool no_mount;			/* stop when the mapping is there */
};

enum mortise_step_kind {
	MORTISE_STEP_FORMAT,		/* an empty device gets a LUKS2 header with all its keys */
	MORTISE_STEP_OPEN,		/* /dev/mapper/luks2-ID is made */
	MORTISE_STEP_KEY_ADD,
	MORTISE_STEP_KEY_REPLACE,
	MORTISE_STEP_KEY_REMOVE,
	MORTISE_STEP_KEY_RECORD,	/* what was found in step is noted in the header */
	MORTISE_STEP_MKFS,		/* a file system, or at every boot a new swap area */
	MORTISE_STEP_MOUNT,		/* or the swap area is switched on */
	MORTISE_STEP_WAIT,		/* cannot be planned yet: what it waits for is in text */
	MORTISE_STEP_REFUSE,		/* will not be done: why is in text */
	MORTISE_STEP_FAIL,		/* planning it failed: why is in text */
	MORTISE_STEP_KEY_FAIL,		/* one key could not be had or checked: why is in text */
};

const char *mortise_step_kind_name(enum mortise_step_kind kind);

struct mortise_step {
	enum mortise_step_kind kind;
	const char *volume;		/* name in the configuration */
	const char *device;		/* path, "" when not found */
	int keyslot;			/* of key steps and OPEN, else -1 */
	const char *text;		/* the step as a sentence */
};

/*
 * Waits for devices as long as device_wait_ms says, looks at every one and decides; changes
 * nothing. Volumes that wait for another are planned as far as can be seen now.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_plan_make(const struct mortise_config *config,
						       const struct mortise_up_options *options,
						       struct mortise_plan **out,
						       struct mortise_error *err);
void mortise_plan_free(struct mortise_plan *plan);
/* Step i in order, false when there is none. */
bool mortise_plan_step(const struct mortise_plan *plan, size_t i, struct mortise_step *step);
/* What a person should know of what is declared, a sentence each; NULL when there is none. */
const char *mortise_plan_note(const struct mortise_plan *plan, size_t i);

/* How far a volume has come; the names are Talos's. */
enum mortise_phase {
	MORTISE_PHASE_WAITING,
	MORTISE_PHASE_FAILED,
	MORTISE_PHASE_MISSING,		/* no such partition */
	MORTISE_PHASE_LOCATED,
	MORTISE_PHASE_PREPARED,		/* the mapping is there */
	MORTISE_PHASE_READY,		/* mounted, or all that was asked for */
	MORTISE_PHASE_CLOSED,
};

const char *mortise_phase_name(enum mortise_phase phase);

struct mortise_volume_status {
	const char *name;
	const char *id;
	enum mortise_phase phase;
	const char *device;		/* partition, "" when not found */
	const char *mapping;		/* "/dev/mapper/luks2-STATE", "" when there is none */
	const char *mount_point;	/* "" when not mounted; "[swap]" for swap that is on */
	const char *filesystem;		/* "xfs", "ext4", "swap", "none" for a raw volume */
	bool encrypted;
	int keyslot;			/* that opened it, -1 when not known */
	const char *key_kind;		/* of that slot, "" when not known */
	const char *key_kinds;		/* all declared, sorted, by comma: "nodeID,static" */
	bool locked_to_state;		/* one of its keys is */
	const char *failed_syncs;	/* a sentence a line, "" when there were none */
	const char *notices;		/* likewise: a key enrolled again and why, what a TPM key is
					 * not bound to */
	uint32_t recovery_keyslots;	/* bit n: a systemd-recovery token marks keyslot n; of an
					 * open volume */
	const char *error;		/* why it failed or waits, or that it is open in the other
					 * way than is declared; "" */
	const char *text;		/* what was done: "formatted", "opened", "was open", ... */
};

/* A list of volumes and their state. */
struct mortise_report;

void mortise_report_free(struct mortise_report *report);
/* Volume i, false when there is none. */
bool mortise_report_volume(const struct mortise_report *report, size_t i,
			   struct mortise_volume_status *status);

/* Told of each step as it begins (done false) and ends. */
struct mortise_watch {
	void (*call)(void *context, const struct mortise_step *step, bool done,
		     const struct mortise_error *err);
	void *context;
};

/*
 * Plans and carries out, volume by volume, until none can get further. One at a time on a
 * machine: a second one waits for the first. *report is set whenever MORTISE_OK or a failure
 * of volumes is returned; MORTISE_OK means that all are ready (failed syncs do not count).
 */
MORTISE_MUST_CHECK enum mortise_code mortise_up(const struct mortise_config *config,
						const struct mortise_up_options *options,
						const struct mortise_watch *watch,
						struct mortise_report **report,
						struct mortise_error *err);

/*
 * The configuration that the machine carries, as mortise_apply stores it. With open, STATE is
 * brought up by what META says of it, changing nothing, and is left open. Without, a STATE that is
 * not mounted has the configuration be what META says of STATE, and no more:
 * mortise_config_is_complete is false. *out is also set when the stored file has errors, for its
 * remarks. MORTISE_E_WAIT: there is none yet, and err says what to do.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_config_stored(const struct mortise_up_options *options,
							   bool open,
							   const struct mortise_watch *watch,
							   struct mortise_config **out,
							   struct mortise_error *err);
bool mortise_config_is_complete(const struct mortise_config *config);

/*
 * Gives the machine its configuration, which declares STATE: brings all volumes up and, as soon
 * as STATE is ready, stores it there and STATE's part in META. staged: only stores it, for the
 * next boot; *report stays NULL. Refused, with nothing changed, when it would not bring STATE up
 * at the next boot or leave a volume without a key that opens it; those that hold something else
 * may be staged, to be reset. Else as mortise_up.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_apply(const struct mortise_config *config,
						   const struct mortise_up_options *options,
						   bool staged, const struct mortise_watch *watch,
						   struct mortise_report **report,
						   struct mortise_error *err);

/* Unmounts and closes, in the reverse order, whether open as declared or as it was before. */
MORTISE_MUST_CHECK enum mortise_code mortise_down(const struct mortise_config *config,
						  const struct mortise_up_options *options,
						  struct mortise_report **report,
						  struct mortise_error *err);

/* How the volumes stand now. Never writes to a device. */
MORTISE_MUST_CHECK enum mortise_code mortise_status(const struct mortise_config *config,
						    const struct mortise_up_options *options,
						    struct mortise_report **report,
						    struct mortise_error *err);

/* How far a reset has come; total 0: it cannot be told. */
struct mortise_reset_progress {
	/*
	 * step: "overwriting keys", static. False ends a step that only takes time, and the
	 * reset with it, unfinished. NULL call: nobody is told.
	 */
	bool (*call)(void *context, const char *volume, const char *step, uint64_t done,
		     uint64_t total);
	void *context;
};

struct mortise_reset_options {
	const char *const *names;	/* volumes: "STATE", "data", or an id "u-data" */
	size_t name_count;
	const struct mortise_volume_device *devices; /* META too */
	size_t device_count;
	bool full;			/* overwrite all of the device, not only what opens it */
	struct mortise_reset_progress progress;
};

/* What a reset is about to wipe. */
struct mortise_reset_target {
	const char *name;	/* as it was given */
	const char *device;	/* path */
	const char *content;	/* "LUKS2", "xfs", "a reset that was cut off", "nothing" */
	uint64_t size;		/* bytes */
	bool in_use;		/* open, mounted or swapped on: it is closed first */
};

struct mortise_reset;

/*
 * Finds the volumes, by device, by the label NAME of a system volume, or by u-NAME, r-NAME,
 * s-NAME; no configuration is needed. Nothing is changed. MORTISE_E_DEVICE, MORTISE_E_USAGE (no
 * volume of this name can be reset).
 */
MORTISE_MUST_CHECK enum mortise_code mortise_reset_find(const struct mortise_reset_options *options,
							struct mortise_reset **out,
							struct mortise_error *err);
void mortise_reset_free(struct mortise_reset *reset);
/* Target i, false when there is none. */
bool mortise_reset_target(const struct mortise_reset *reset, size_t i,
			  struct mortise_reset_target *target);
/* The META partition that forgets how STATE is encrypted; NULL when none does. */
const char *mortise_reset_meta(const struct mortise_reset *reset);

/*
 * Closes and wipes them: the keys first, so that nothing of it opens again, then both ends and
 * every signature, then discard. Resetting STATE drops its encryption from META; a META that has
 * no device given does not belong to a STATE that is given on another disk. Cut off in the
 * middle a volume counts as being reset: it is not formatted, and another reset finishes it.
 * Ends at the first that fails. MORTISE_E_BUSY, MORTISE_E_DEVICE.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_reset_run(struct mortise_reset *reset,
						       struct mortise_error *err);

/* -------------------------------------------------------------- benchmarks */

#define MORTISE_BENCHMARK_RUNS_MAX	256u
#define MORTISE_BENCHMARK_STEPS_MAX	12u

/* How long a benchmark may take, how often it repeats, and who is told. Zero: the default. */
struct mortise_benchmark {
	uint32_t time_limit_ms;	/* 10000; one run of each measurement is made in any case */
	uint32_t runs;		/* of each measurement, at most MORTISE_BENCHMARK_RUNS_MAX: 7, and
				 * more of those that take milliseconds */
	/* Told before each run; false ends it with what has been measured. NULL: nobody. */
	bool (*tell)(void *context, const char *step, unsigned run, unsigned runs);
	void *context;
};

/* Repeated runs of one measurement. */
struct mortise_spread {
	unsigned runs;		/* 0: not measured */
	double min;
	double median;
	double p99;		/* nearest rank: the largest when there are less than 100 runs */
};

/*
 * Are these runs too few (less than 3) or too far apart (the median a quarter above the least
 * or, of less than 20, p99 twice the median) to draw conclusions from?
 */
bool mortise_spread_is_noisy(const struct mortise_spread *spread);
/* Do two measurements differ by more than they scatter: each median outside the other's min..p99? */
bool mortise_spread_differs(const struct mortise_spread *a, const struct mortise_spread *b);

/* The machine that a result was measured on; "" and 0 for what it does not tell. */
struct mortise_machine {
	char model[128];	/* of the board, as firmware names it */
	char kernel[128];	/* "Linux 6.1.0-18-amd64" */
	char architecture[32];	/* "x86_64" */
	char cpu[128];
	char cpu_features[256];	/* those that ciphers and Argon2 gain from, by blanks */
	unsigned cpus;		/* that this process may use */
	uint64_t memory;	/* bytes */
	uint64_t memory_available; /* bytes that could be had when asked */
	bool swap;
	char governor[32];	/* of CPU frequency */
	char huge_pages[16];	/* transparent: "always", "madvise", "never" */
	bool virtual_machine;
	char emulator[32];	/* "QEMU TCG", "User Mode Linux": its times mean nothing */
};

void mortise_benchmark_machine(struct mortise_machine *machine);

/* What one Argon2 cost takes here. Times in milliseconds, of the whole derivation. */
struct mortise_argon2_benchmark {
	struct mortise_spread time;
	struct mortise_spread first_pass;	/* with one pass only; not measured when that is all */
	/*
	 * The limit that memory sets: as many reads and writes in the same pattern, each address
	 * depending on what was read before as Argon2's do, without the compression between.
	 */
	struct mortise_spread limit;
	struct mortise_spread limit_first_pass;
	double cpu_ms;		/* processor time, all threads, of the fastest run */
	double bandwidth;	/* bytes a second that the median run moved: 2 KiB a block in the
				 * first pass, 3 KiB later */
	double guesses;		/* a second, that all processors and the memory of a machine like
				 * this reach, side by side: an upper bound by processor time */
};

/* kdf is Argon2id or Argon2i. MORTISE_E_MEMORY, before it is tried; MORTISE_E_USAGE. */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_argon2(const struct mortise_kdf *kdf, const struct mortise_benchmark *how,
			 struct mortise_argon2_benchmark *result, struct mortise_error *err);

/* One measured cost, of this machine or another. */
struct mortise_argon2_sample {
	struct mortise_kdf kdf;
	double time_ms;
	double first_pass_ms;	/* 0: not known */
};

/* What an unlock may take on the machine that the samples are of. Zero: the default. */
struct mortise_argon2_target {
	enum mortise_kdf_type type;	/* argon2id */
	uint32_t time_ms;		/* 2000 */
	uint32_t memory_kib;		/* at most: 1048576 */
	unsigned cpus;			/* of that machine; not more lanes than this: any */
};

/*
 * The cost with the most memory, then the most passes, that the samples say to fit: *kdf, and
 * the time expected in *expected_ms. Costs between and beyond samples are interpolated by
 * memory, for the lanes that samples have. MORTISE_E_USAGE: no sample of this type, or not
 * even the least cost fits.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_argon2_choose(const struct mortise_argon2_sample *samples, size_t count,
		      const struct mortise_argon2_target *target, struct mortise_kdf *kdf,
		      double *expected_ms, struct mortise_error *err);

/* KiB of memory that a keyslot made here may ask for at most, as luksFormat caps it. */
uint32_t mortise_argon2_memory_cap(void);

/* The cost that a new keyslot would get for a key of key_size bytes, measured as it is then. */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_kdf_choice(const struct mortise_kdf_choice *choice, uint32_t key_size,
			     struct mortise_kdf *kdf, struct mortise_error *err);

/*
 * PBKDF2 iterations a second of processor time, as cryptsetup's table has them.
 * MORTISE_E_UNSUPPORTED: no such hash.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_benchmark_pbkdf2(const char *hash, uint32_t key_size,
							      uint32_t *iterations,
							      struct mortise_error *err);

/*
 * Milliseconds a MiB, on one processor, in the crypto library, in sectors of 512 bytes as
 * keyslot areas have them; volumes are the kernel's. key_size in bytes. MORTISE_E_UNSUPPORTED.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_benchmark_cipher(const char *cipher, uint32_t key_size,
							      const struct mortise_benchmark *how,
							      struct mortise_spread *encrypt,
							      struct mortise_spread *decrypt,
							      struct mortise_error *err);

/* Where the time of an operation goes; milliseconds. */
struct mortise_benchmark_steps {
	struct mortise_spread total;	/* of the operation in one piece, where it could be had */
	unsigned count;
	struct {
		const char *name;	/* static */
		struct mortise_spread time;
	} steps[MORTISE_BENCHMARK_STEPS_MAX];
};

/* Making and opening a keyslot in a header that exists in memory only. */
struct mortise_keyslot_benchmark {
	struct mortise_kdf kdf;		/* the cost that was used */
	double choice_ms;		/* choosing it, 0 when it was forced */
	struct mortise_benchmark_steps create;
	struct mortise_benchmark_steps open;
};

MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_keyslot(const struct mortise_kdf_choice *choice,
			  const struct mortise_benchmark *how,
			  struct mortise_keyslot_benchmark *result, struct mortise_error *err);

/* Reading and checking the header of a device; never writes. */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_header(const struct mortise_location *location,
			 const struct mortise_benchmark *how, struct mortise_benchmark_steps *steps,
			 struct mortise_error *err);

/*
 * What keyslot id costs here. passphrase NULL: a random one, which costs the same and opens
 * nothing, and total stays unmeasured. MORTISE_E_KEY: not this keyslot's.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_unlock(struct mortise_luks2 *luks2, int id,
			 const struct mortise_secret *passphrase,
			 const struct mortise_benchmark *how, struct mortise_benchmark_steps *steps,
			 struct mortise_error *err);

/*
 * Making and removing the mapping: hidden, read-only, under a random key and a name of its
 * own, so that no data can be seen through it or changed.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_mapping(struct mortise_luks2 *luks2, const struct mortise_benchmark *how,
			  struct mortise_benchmark_steps *steps, struct mortise_error *err);

/* ------------------------------------------------------ measuring dm-crypt */

/* What a run has found. Strings that it hands out belong to it. */
struct mortise_dm_benchmark;

enum mortise_dm_backing {
	MORTISE_DM_ZERO,	/* dm-zero: nothing below, the cost of encryption alone */
	MORTISE_DM_RAM,		/* a RAM disk */
	MORTISE_DM_DEVICE,	/* the device that was named */
};

/* "zero", "ram", "device". */
const char *mortise_dm_backing_name(enum mortise_dm_backing ground);

/* One measurement. Requests go to random places, past the page cache. */
struct mortise_dm_measurement {
	enum mortise_dm_backing ground;
	const char *cipher;		/* "" for the ground without dm-crypt */
	uint32_t key_size;		/* bytes */
	uint32_t sector_size;		/* bytes, of the encryption */
	uint32_t flags;			/* enum mortise_activation_flags */
	const char *driver;		/* that the kernel chose, "" when /proc/crypto does not say */
	bool write;
	uint32_t block_size;		/* bytes of a request */
	uint32_t depth;			/* requests under way on each volume */
	uint32_t jobs;			/* threads that submit them, on each volume */
	uint32_t volumes;		/* side by side, each on a part of the ground */
	uint64_t bytes;			/* moved */
	uint64_t duration_ns;
	/*
	 * Bytes a second, in slices of the time; p99 is the fastest. runs 0: so few requests that
	 * slices tell nothing, and all three are the mean.
	 */
	struct mortise_spread rate;
	uint64_t latency_p50_ns;	/* rounded up by at most 1/32 */
	uint64_t latency_p99_ns;
	uint64_t latency_p999_ns;
	uint64_t cpu_us;		/* of all processors, whoever they worked for */
	uint64_t energy_uj;		/* of all processor packages; UINT64_MAX: not counted */
	double bare_rate;		/* of the same requests on the bare ground, 0: not measured */
};

struct mortise_dm_benchmark_options {
	const char *device;	/* measured too; NULL: dm-zero and a RAM disk only */
	bool destroy_data;	/* writes to device: what is on it is lost */
	const char *cipher;	/* this one alone; NULL: all that the kernel has */
	uint32_t key_size;	/* bytes, with cipher; 0: 64 for XTS, 32 otherwise */
	bool quick;		/* the few measurements that show that it works */
	uint32_t time_limit_ms;	/* of the whole run: 120000, 10000 when quick */
	bool (*stop)(void *context);	/* asked a few times a second: end it? NULL: never */
	/* Told of each measurement, of about total, when it has been made; NULL: nobody is. */
	void (*measured)(void *context, const struct mortise_dm_measurement *measurement,
			 size_t done, size_t total);
	void *context;
};

/*
 * Measures. Mappings are hidden, have random keys and go when this process does, however it
 * ends. A RAM disk that holds anything but zeros is left alone. A ground or cipher that cannot
 * be had becomes a warning. *out is set with MORTISE_OK, also when stopped early.
 * MORTISE_E_DEVICE, MORTISE_E_BUSY: of the device. MORTISE_E_KERNEL: no dm-crypt.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_dm_benchmark_run(const struct mortise_dm_benchmark_options *options,
			 struct mortise_dm_benchmark **out, struct mortise_error *err);
/* NULL is allowed. */
void mortise_dm_benchmark_free(struct mortise_dm_benchmark *benchmark);

/* Measurement i, false when there is none. */
bool mortise_dm_benchmark_measurement(const struct mortise_dm_benchmark *benchmark, size_t i,
				      struct mortise_dm_measurement *measurement);
/* A sentence, NULL: no more. */
const char *mortise_dm_benchmark_warning(const struct mortise_dm_benchmark *benchmark, size_t i);
/* "io_uring" or "threads". */
const char *mortise_dm_benchmark_engine(const struct mortise_dm_benchmark *benchmark);

/* What to format and open with. */
struct mortise_dm_advice {
	const char *cipher;
	uint32_t key_size;		/* bytes */
	uint32_t sector_size;		/* bytes */
	uint32_t flags;			/* among those that a configuration may name */
	const char *reason;		/* sentences */
};

/* False when too little was measured. */
bool mortise_dm_benchmark_advice(const struct mortise_dm_benchmark *benchmark,
				 struct mortise_dm_advice *advice);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
