/* SPDX-License-Identifier: MIT */
/*
 * mortise: LUKS2 disk encryption for Linux appliances. This header covers one device;
 * mortise-declared.h covers declared volumes and META, mortise-bench.h benchmarks. Conventions:
 *
 * - Functions that can fail return an enum mortise_code, MORTISE_OK (0) on success. They also fill
 *   *err unless it is NULL. The library never prints and never exits.
 * - Sizes and offsets are bytes, unless stated otherwise. Times are milliseconds.
 * - An object returned through a pointer belongs to the caller and has a _free function. It takes
 *   the address of the pointer, accepts NULL, and sets the pointer to NULL. A const value that an
 *   accessor returns belongs to the object and lives as long as it does.
 * - A struct that the caller allocates begins with struct_size: set it to the sizeof of the struct.
 *   Members beyond that size have their defaults. MORTISE_E_USAGE: the size is smaller than in the
 *   first release of the struct, or a member that this library does not know is not zero.
 * - Zero and NULL in an input select the default that the comment of the member gives.
 * - The library has no global state. Threads may use different objects at the same time; an object
 *   may be used by one thread at a time.
 * - Passphrases and keys are passed only in struct mortise_secret.
 *
 * Format: LUKS2 On-Disk Format Specification 1.1.1.
 */
#ifndef MORTISE_H
#define MORTISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mortise-base.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define MORTISE_VERSION "0.1.0"

#define MORTISE_KEYSLOTS_MAX	32u	/* ids 0..31 */
#define MORTISE_TOKENS_MAX	32u	/* ids 0..31 */
#define MORTISE_SEGMENTS_MAX	32u	/* ids 0..31 */
#define MORTISE_DIGESTS_MAX	8u	/* ids 0..7 */
#define MORTISE_ANY		(-1)	/* any keyslot or token */
#define MORTISE_LABEL_MAX	47u	/* bytes of label and subsystem, without the NUL */
#define MORTISE_UUID_LEN	36u	/* bytes, without the NUL */
#define MORTISE_NAME_MAX	127u	/* bytes of a device-mapper name, without the NUL */
#define MORTISE_CIPHER_MAX	128u	/* bytes of "cipher-mode-iv", without the NUL */
#define MORTISE_HASH_MAX	32u	/* bytes of a hash name, without the NUL */
#define MORTISE_SALT_MAX	64u	/* bytes of the salt of a keyslot or digest */
#define MORTISE_PCRS		24u	/* PCRs of a TPM: 0..23 */
#define MORTISE_RECOVERY_LENGTH	71u	/* characters of a recovery key, including dashes */

/* --- key derivation --- */

enum mortise_kdf_type {
	MORTISE_KDF_ARGON2ID,
	MORTISE_KDF_ARGON2I,
	MORTISE_KDF_PBKDF2,
};

/* The cost of deriving a key from a passphrase. The bounds apply to new keyslots. */
struct mortise_kdf {
	enum mortise_kdf_type type;
	char hash[MORTISE_HASH_MAX + 1]; /* PBKDF2 only */
	uint32_t time;		/* Argon2: passes, at least 4; PBKDF2: iterations, at least 1000 */
	uint32_t memory_kib;	/* Argon2: 32..4194304 */
	uint32_t lanes;		/* Argon2: 1..4 ("cpus" in the header) */
};

/* How to choose the cost of a new keyslot. */
struct mortise_kdf_choice {
	size_t struct_size;
	enum mortise_kdf_type type;	/* default: argon2id */
	const char *hash;		/* PBKDF2 only; default: "sha256" */
	uint32_t forced_time;		/* passes or iterations; default: by a benchmark */
	uint32_t memory_kib;		/* upper bound, exact with forced_time; default: 1048576 */
	uint32_t lanes;			/* upper bound; default: 4 */
	uint32_t target_ms;		/* time of an unlock; default: 2000 */
};

/* "argon2id", "argon2i", "pbkdf2". */
const char *mortise_kdf_name(enum mortise_kdf_type type);

/* --- headers --- */

/* A LUKS2 header in memory, with the open device or file that it was read from. */
struct mortise_luks2;

struct mortise_location {
	size_t struct_size;
	const char *device;	/* the data: a block device or a regular file */
	const char *header;	/* a detached header: a device or file; default: on device */
	bool readonly;		/* never write, not even to repair a copy */
	bool no_locks;		/* take no lock under /run/cryptsetup, and repair nothing */
	const struct mortise_events *events; /* copied; used for every operation on the header */
	const char *allow_cipher; /* accept this cipher for data and existing keyslots, although it
				   * is not on the list of accepted ciphers; default: none */
	uint32_t max_unlock_s;	/* refuse a keyslot or digest that would take longer than this many
				 * seconds on this machine; default: 60 */
	bool luks1;		/* also load a LUKS1 header, which only mortise_convert changes;
				 * default: MORTISE_E_NOT_LUKS2 */
};

/*
 * Reads both copies, checks every rule of the format, and uses the newer valid copy. Rewrites an
 * invalid or older copy, unless readonly or no_locks is set or the device has other signatures.
 * MORTISE_E_DEVICE, MORTISE_E_NOT_LUKS2, MORTISE_E_CORRUPT (the text names the rule),
 * MORTISE_E_UNSUPPORTED: LUKS1, in a build without it.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_luks2_load(const struct mortise_location *location, struct mortise_luks2 **out,
		   struct mortise_error *err);
void mortise_luks2_free(struct mortise_luks2 **header);
/*
 * Checks that mortise_luks2_load would find a header that it can use or mend. Never writes. Errors: as
 * mortise_luks2_load.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_luks2_probe(const struct mortise_location *location, struct mortise_error *err);

struct mortise_format {
	size_t struct_size;
	const char *cipher;		/* default: "aes-xts-plain64" */
	uint32_t key_size;		/* bytes of the volume key; default: 64 for XTS, else 32 */
	const struct mortise_secret *volume_key; /* default: random */
	const char *hash;		/* of splitter and digest; default: "sha256" */
	uint32_t sector_size;		/* bytes; default: by the device, 4096 for files */
	const char *label;		/* at most MORTISE_LABEL_MAX bytes; default: none */
	const char *subsystem;		/* at most MORTISE_LABEL_MAX bytes; default: none */
	const char *uuid;		/* default: random */
	uint64_t metadata_size;		/* bytes of one header copy; default: 16384 */
	uint64_t keyslots_size;		/* bytes; default: the space up to the data */
	uint64_t data_offset;		/* bytes; default: 16 MiB, 0 with a detached header */
	bool data_offset_given;		/* use data_offset even if it is 0 or the header is detached */
	uint64_t data_alignment;	/* bytes; default: 1 MiB or the optimal I/O size */
	uint32_t digest_iterations;	/* default: 1000 if random, else 125 ms */
	const char *integrity;		/* "hmac-sha256", "aead", ...; default: none. key_size is then
					 * that of the cipher alone */
	uint32_t integrity_key_size;	/* bytes, HMAC only; default: the size of the hash */
	bool integrity_legacy_padding;	/* as Linux before 5.4 stores the tags */
	bool integrity_inline;		/* tags in the metadata of the device's sectors, without
					 * dm-integrity; needs Linux 6.11 */
};

/*
 * Bytes of the volume key that this format has: the given one, or that of the cipher and the MAC.
 * MORTISE_E_USAGE: unknown integrity type.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_format_key_size(const struct mortise_format *format, uint32_t *size,
			struct mortise_error *err);

/*
 * Writes a header without keyslots over the device's contents: wipes signatures, zeros the space up
 * to the data, and fills the keyslots area with random bytes. *out knows the volume key, so
 * mortise_keyslot_add may follow without it; until then the header is marked as unfinished.
 * MORTISE_E_BUSY: the device is mapped or mounted. MORTISE_E_POLICY: the cipher is not accepted.
 * MORTISE_E_NO_SPACE, before the first write: the device is too small. Only a detached header file
 * that is empty or filled with zeros is extended.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_luks2_format(const struct mortise_location *location, const struct mortise_format *format,
		     struct mortise_luks2 **out, struct mortise_error *err);

/*
 * Overwrites the data of a volume with integrity, so that every sector has a valid tag; without this,
 * a sector cannot be read before it was written. volume_key may be NULL if header knows it. Sends
 * MORTISE_EVENT_PROGRESS. MORTISE_E_CANCELED: the rest has no tags. MORTISE_E_USAGE: no integrity.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_integrity_wipe(struct mortise_luks2 *header,
							    const struct mortise_secret *volume_key,
							    struct mortise_error *err);

struct mortise_header_info {
	size_t struct_size;
	uint64_t seqid;			/* cryptsetup prints it as "Epoch" */
	uint64_t metadata_size;		/* bytes of one copy */
	uint64_t keyslots_size;		/* bytes */
	const char *uuid;
	const char *label;		/* "" if there is none */
	const char *subsystem;		/* "" if there is none */
	bool detached;
	const char *device;		/* path of the data device */
	const char *header;		/* path of the header */
	uint32_t version;		/* 1: LUKS1; 2: LUKS2 */
	uint32_t key_size;		/* bytes of the volume key; LUKS1 only */
};

/* MORTISE_E_USAGE: invalid struct_size; there is no other error. */
enum mortise_code mortise_header_info(const struct mortise_luks2 *header,
				      struct mortise_header_info *info, struct mortise_error *err);
/* config.flags[i] ("allow-discards") or requirements.mandatory[i]; NULL past the last. */
const char *mortise_header_flag(const struct mortise_luks2 *header, unsigned i);
const char *mortise_header_requirement(const struct mortise_luks2 *header, unsigned i);
/*
 * Can the data be opened, if a key is available? MORTISE_E_POLICY: the header has a requirement that
 * the library does not know, or its segment is unsafe.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_header_usable(const struct mortise_luks2 *header,
							   struct mortise_error *err);
/* Sets label and subsystem. NULL: unchanged; "": removed. MORTISE_E_USAGE: too long. */
MORTISE_MUST_CHECK enum mortise_code
mortise_header_set_label(struct mortise_luks2 *header, const char *label, const char *subsystem,
			 struct mortise_error *err);
/* Sets the UUID: 36 characters in upper or lower case. */
MORTISE_MUST_CHECK enum mortise_code
mortise_header_set_uuid(struct mortise_luks2 *header, const char *uuid, struct mortise_error *err);
/* The JSON metadata, indented as by cryptsetup, without a final newline. free(3) it. */
MORTISE_MUST_CHECK enum mortise_code
mortise_header_json(const struct mortise_luks2 *header, char **json, struct mortise_error *err);

/*
 * Converts a header that is not in use to LUKS1 (version 1) or LUKS2 (version 2), in place. A power cut
 * at any moment leaves a header that each passphrase opens. MORTISE_E_BUSY: it is in use.
 * MORTISE_E_USAGE: it already has this version. MORTISE_E_UNSUPPORTED: the other version cannot
 * express it. MORTISE_E_NO_SPACE: no room to copy a keyslot area before its place is overwritten.
 * MORTISE_E_POLICY: mortise would refuse the result. To LUKS1: label, subsystem, flags,
 * priorities and the seal are lost.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_convert(struct mortise_luks2 *header, uint32_t version,
						     struct mortise_error *err);

struct mortise_salt {
	uint8_t bytes[MORTISE_SALT_MAX];
	size_t size;
};

enum mortise_priority {
	MORTISE_PRIORITY_IGNORE, /* 0 in the header */
	MORTISE_PRIORITY_NORMAL,
	MORTISE_PRIORITY_PREFER,
};

/* Members that do not apply to the type are 0 or "". */
struct mortise_keyslot_info {
	size_t struct_size;
	const char *type;		/* "luks2", "reencrypt", or an unknown type */
	bool unbound;			/* its key belongs to no segment */
	uint32_t key_size;		/* bytes of the volume key */
	enum mortise_priority priority;
	const char *cipher;		/* of the area */
	uint32_t area_key_size;		/* bytes */
	uint64_t area_offset;		/* bytes */
	uint64_t area_size;		/* bytes */
	const char *kdf_type;		/* as in the header, possibly an unknown type */
	struct mortise_kdf kdf;		/* valid for the three known types */
	struct mortise_salt salt;
	int64_t af_stripes;
	const char *af_hash;
	int digest;			/* id, or -1 */
	const char *reencrypt_mode;	/* this and the following: type "reencrypt" only */
	const char *reencrypt_direction;
	const char *reencrypt_resilience;
	const char *reencrypt_hash;
	uint64_t reencrypt_sector_size;	/* bytes */
	uint64_t reencrypt_shift_size;	/* bytes */
};

/* MORTISE_E_NO_KEYSLOT: keyslot id does not exist. */
MORTISE_MUST_CHECK enum mortise_code
mortise_keyslot_info(const struct mortise_luks2 *header, int id, struct mortise_keyslot_info *info,
		     struct mortise_error *err);

struct mortise_segment_info {
	size_t struct_size;
	const char *type;		/* "crypt", "linear", or an unknown type */
	uint64_t offset;		/* bytes */
	bool dynamic;			/* extends to the end of the device */
	uint64_t size;			/* bytes, unless dynamic */
	uint64_t iv_tweak;		/* 512-byte sectors */
	const char *cipher;		/* "" if the type has none */
	uint32_t sector_size;		/* bytes */
	const char *integrity;		/* "" if there is none */
};

/* MORTISE_E_USAGE: segment id does not exist. */
MORTISE_MUST_CHECK enum mortise_code
mortise_segment_info(const struct mortise_luks2 *header, int id, struct mortise_segment_info *info,
		     struct mortise_error *err);
/* flags[i] of segment id; NULL past the last. */
const char *mortise_segment_flag(const struct mortise_luks2 *header, int id, unsigned i);

struct mortise_digest_info {
	size_t struct_size;
	const char *type;		/* "pbkdf2" */
	const char *hash;
	uint64_t iterations;
	struct mortise_salt salt;
	uint8_t digest[MORTISE_SALT_MAX];
	size_t digest_size;		/* bytes */
};

/* MORTISE_E_USAGE: digest id does not exist. */
MORTISE_MUST_CHECK enum mortise_code
mortise_digest_info(const struct mortise_luks2 *header, int id, struct mortise_digest_info *info,
		    struct mortise_error *err);

struct mortise_token_info {
	size_t struct_size;
	const char *type;
	uint32_t keyslots;		/* bit n: keyslot n */
	const char *key_description;	/* of type luks2-keyring, else "" */
};

/* MORTISE_E_NO_TOKEN: token id does not exist. */
MORTISE_MUST_CHECK enum mortise_code
mortise_token_info(const struct mortise_luks2 *header, int id, struct mortise_token_info *info,
		   struct mortise_error *err);

/* --- keyslots and keys --- */

struct mortise_key_search {
	size_t struct_size;
	int keyslot;		/* an id, or MORTISE_ANY: by priority, then in JSON order */
	bool unbound;		/* also try unbound keyslots */
};

/*
 * Opens a keyslot. *volume_key receives a new secret and *opened the id; either may be NULL.
 * MORTISE_E_KEY: no keyslot opens with the passphrase; the text names skipped keyslots, and why.
 * MORTISE_E_NO_KEYSLOT: the keyslot does not exist, or none can be tried. MORTISE_E_MEMORY: detected
 * before the derivation starts.
 * MORTISE_E_POLICY: the cipher of the keyslot or of the data is not accepted, the keyslot would take
 * longer than max_unlock_s, or it is unsafe in another way.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_keyslot_open(struct mortise_luks2 *header, const struct mortise_key_search *search,
		     const struct mortise_secret *passphrase, struct mortise_secret **volume_key,
		     int *opened, struct mortise_error *err);
/* Checks a volume key against the digest of the data segment. MORTISE_E_KEY: it is wrong. */
MORTISE_MUST_CHECK enum mortise_code
mortise_volume_key_verify(struct mortise_luks2 *header, const struct mortise_secret *volume_key,
			  struct mortise_error *err);

struct mortise_keyslot_new {
	size_t struct_size;
	int keyslot;			/* a free id, or MORTISE_ANY: the first */
	const struct mortise_kdf_choice *kdf; /* default: all defaults */
	const char *hash;		/* of the splitter; default: "sha256" */
	const char *cipher;		/* of the area, with area_key_size; default: "aes-xts-plain64" */
	uint32_t area_key_size;		/* bytes; default: that of AES-XTS data, else 64 */
	bool unbound;			/* for a key that belongs to no segment */
	const struct mortise_secret *unbound_key; /* default: random */
	uint32_t unbound_key_size;	/* bytes, if the key is random */
	const char *allow_cipher;	/* accept this cipher for the area, although it is not on
					 * the list of accepted ciphers; default: none */
};

/*
 * Checks hash, area cipher and cost, as far as possible without a header; measures nothing. Call it
 * before formatting. MORTISE_E_USAGE, MORTISE_E_UNSUPPORTED, MORTISE_E_POLICY.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_keyslot_check(const struct mortise_keyslot_new *what, struct mortise_error *err);
/*
 * Adds a keyslot. volume_key: NULL uses the key that header knows from mortise_luks2_format or the
 * last mortise_keyslot_open; an unbound keyslot needs none. *added (may be NULL) receives the id. A
 * power cut leaves the old or the new header. MORTISE_E_USAGE: id in use. MORTISE_E_NO_SPACE.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_keyslot_add(struct mortise_luks2 *header, const struct mortise_keyslot_new *what,
		    const struct mortise_secret *passphrase,
		    const struct mortise_secret *volume_key, int *added, struct mortise_error *err);
/*
 * Gives keyslot id a new passphrase and cost; id, priority and token links stay. The new area is
 * written to another place first, so that a working key exists at every moment. If the keyslots area
 * has no space for it, the area is extended into unused space before the data, or the function fails
 * with MORTISE_E_NO_SPACE.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_keyslot_change(struct mortise_luks2 *header, int id, const struct mortise_keyslot_new *what,
		       const struct mortise_secret *passphrase,
		       const struct mortise_secret *volume_key, struct mortise_error *err);
/*
 * Removes keyslot id, wipes its area, and removes a token of a KMS, TPM or recovery key that is
 * useless without it. MORTISE_E_NO_KEYSLOT, also from set_priority.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_keyslot_remove(struct mortise_luks2 *header, int id, struct mortise_error *err);
/* Removes all keyslots that belong to a segment. The data can no longer be unlocked. */
MORTISE_MUST_CHECK enum mortise_code
mortise_keyslot_remove_all(struct mortise_luks2 *header, struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code
mortise_keyslot_set_priority(struct mortise_luks2 *header, int id, enum mortise_priority priority,
			     struct mortise_error *err);
/* The number of keyslots other than id that open the data. */
unsigned mortise_keyslot_others(const struct mortise_luks2 *header, int id);

/* --- the seal --- */

/*
 * The seal is a MAC under the volume key over the whole header, and shows a change that was made
 * without this library or without the volume key. Every function that changes a header seals it
 * again, if the header knows its volume key and the seal was valid or missing.
 */
enum mortise_seal_state {
	MORTISE_SEAL_NONE,	/* the header has no seal */
	MORTISE_SEAL_UNVERIFIED, /* the header has a seal, and its volume key is not known */
	MORTISE_SEAL_VALID,
	MORTISE_SEAL_BROKEN,	/* the header has changed since it was sealed */
};

struct mortise_seal_info {
	size_t struct_size;
	enum mortise_seal_state state;
	char changed[96];	/* BROKEN: "segments, tokens"; "" if the change cannot be located */
	char volume[128];	/* id of the declared volume, "" if the header belongs to none */
	uint64_t epoch;		/* number of times the header was sealed */
};

/*
 * Compares the header with its seal. volume and epoch are proven only if the seal is valid. The
 * header knows its volume key after mortise_luks2_format, mortise_keyslot_open and
 * mortise_volume_key_verify.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_seal_check(const struct mortise_luks2 *header, struct mortise_seal_info *info,
		   struct mortise_error *err);
/*
 * Seals the header as it is now, whatever the state of its seal was. volume: id of the declared
 * volume; NULL: unchanged; "": none. MORTISE_E_USAGE: the volume key is not known, or the id is
 * longer than 127 bytes.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_seal(struct mortise_luks2 *header, const char *volume, struct mortise_error *err);

/* --- backups of the header --- */

/*
 * Writes both copies and the keyslots area to a new file, as cryptsetup does, with mode 0400; flushes
 * the file and its directory, and reads the file back. After an error there is no file.
 * MORTISE_E_USAGE: the file exists or cannot be created. MORTISE_E_CHANGED: the header has changed
 * since it was loaded.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_header_backup(const struct mortise_luks2 *header, const char *file,
		      struct mortise_error *err);

/* How a backup differs from the header of the device. */
enum mortise_restore_difference {
	MORTISE_RESTORE_NO_HEADER = 1u << 0, /* the device has no readable LUKS2 header */
	MORTISE_RESTORE_UUID = 1u << 1,
	MORTISE_RESTORE_KEY = 1u << 2,	/* the digest of the volume key: the data may not open */
	MORTISE_RESTORE_OFFSET = 1u << 3, /* the start of the data */
	MORTISE_RESTORE_SIZE = 1u << 4,	/* the end of the keyslots area */
	MORTISE_RESTORE_EPOCH = 1u << 5, /* the header was sealed again after the backup, or may have
					  * been: where a TPM remembers the epoch, mortise_up()
					  * refuses the restored header */
	MORTISE_RESTORE_DETACHED = 1u << 6, /* the backup of a detached header; device holds data */
	MORTISE_RESTORE_IN_USE = 1u << 7, /* the device is mapped or mounted */
	MORTISE_RESTORE_REENCRYPT = 1u << 8, /* the device has an unfinished reencryption */
	MORTISE_RESTORE_REQUIREMENTS = 1u << 9, /* the device's header has unknown requirements */
};

struct mortise_restore {
	size_t struct_size;
	const char *file;	/* a backup by mortise_header_backup or cryptsetup */
	uint32_t allow;		/* differences to accept */
	bool compare_only;	/* write nothing */
};

/*
 * Replaces the header of a device by a backup, and reads it back. differences (may be NULL) receives
 * all of them. If a power cut or an error interrupts it, the old or the restored header is in force
 * with all its keyslots; docs/architecture.md names the exceptions, after which the restore can be
 * repeated. MORTISE_E_POLICY: a difference is not accepted, or the backup has requirements.
 * MORTISE_E_NOT_LUKS2, MORTISE_E_CORRUPT: the file is not a valid backup. MORTISE_E_NO_SPACE: file or
 * device is too short.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_header_restore(const struct mortise_location *location, const struct mortise_restore *how,
		       uint32_t *differences, struct mortise_error *err);

/* --- checking and repairing a header --- */

enum mortise_finding_kind {
	MORTISE_FINDING_COPY,	/* a header copy is invalid or older, or the copies differ */
	MORTISE_FINDING_FOREIGN, /* the place of an invalid copy may hold other data */
	MORTISE_FINDING_RULE,	/* the header breaks a rule of the format */
	MORTISE_FINDING_POLICY,	/* this library refuses to use the header or a part of it */
	MORTISE_FINDING_WEAK,	/* the cost of a keyslot is low */
	MORTISE_FINDING_AREA,	/* a keyslot area does not hold random bytes */
	MORTISE_FINDING_TOKEN,	/* a token belongs to no keyslot and cannot be used */
	MORTISE_FINDING_SEQUENCE, /* the sequence number is close to its end */
	MORTISE_FINDING_BACKUP,	/* the header and its backup are not equal */
};

struct mortise_finding {
	size_t struct_size;
	enum mortise_finding_kind kind;
	bool error;		/* the header or a part of it does not work; else a warning */
	bool repairable;	/* mortise_repair() mends it */
	uint64_t offset;	/* bytes on the header's device; UINT64_MAX: none */
	const char *text;	/* escaped as in struct mortise_error */
	const char *remedy;	/* what to do, "" if nothing is known */
};

struct mortise_check {
	size_t struct_size;
	const char *backup;	/* compare with this backup file; default: none */
	/* Called for each finding. Returning false ends the check with MORTISE_E_CANCELED. */
	bool (*report)(void *context, const struct mortise_finding *finding);
	void *context;
};

/* "copy", "foreign", "rule", ... */
const char *mortise_finding_name(enum mortise_finding_kind kind);
/*
 * Reports what is wrong with a header, and weak choices. Never writes. MORTISE_OK: the check is
 * complete, whatever was found. MORTISE_E_NOT_LUKS2: neither copy has a magic.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_check(const struct mortise_location *location, const struct mortise_check *how,
	      struct mortise_error *err);

struct mortise_repair {
	size_t struct_size;
	bool dry_run;		/* report, and write nothing */
	bool over_foreign;	/* rewrite an invalid copy although the device has another signature */
	bool copies_only;	/* only rewrite an invalid or older copy */
	/* Called for each repairable finding before it is mended; as above. NULL: no reports. */
	bool (*report)(void *context, const struct mortise_finding *finding);
	void *context;
};

/*
 * Rewrites an invalid or older copy from the valid one, makes copies equal, removes tokens that belong
 * to no keyslot, and resets a sequence number that is close to its end. A removed token breaks the
 * seal. MORTISE_E_CORRUPT: no copy is valid, or the device has another signature. MORTISE_E_NO_SPACE:
 * the device is too small for the header.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_repair(const struct mortise_location *location, const struct mortise_repair *how,
	       struct mortise_error *err);

/* --- tokens --- */

struct mortise_token_import {
	size_t struct_size;
	int token;		/* an id, or MORTISE_ANY: the first free one */
	int keyslot;		/* link the token to this keyslot, or MORTISE_ANY: as in the JSON */
	bool unlinked;		/* link the token to no keyslot */
	bool replace;		/* replace an existing token with this id */
};

/*
 * Stores a JSON object with at least "type" and "keyslots"; keeps unknown types and members.
 * *imported (may be NULL) receives the id.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_token_import(struct mortise_luks2 *header, const struct mortise_token_import *how,
		     const char *json, size_t size, int *imported, struct mortise_error *err);
/* The token as compact JSON. free(3) it. These two: MORTISE_E_NO_TOKEN. */
MORTISE_MUST_CHECK enum mortise_code
mortise_token_export(const struct mortise_luks2 *header, int id, char **json,
		     struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code
mortise_token_remove(struct mortise_luks2 *header, int id, struct mortise_error *err);

/*
 * Stores a token of type luks2-keyring: the passphrase is the key with this description in the
 * kernel's keyrings. how: as for mortise_token_import; keyslot MORTISE_ANY: link it to all keyslots.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_token_add_keyring(struct mortise_luks2 *header, const struct mortise_token_import *how,
			  const char *key_description, int *added, struct mortise_error *err);
/*
 * Links a token to a keyslot, or with assigned false removes the link. MORTISE_E_NO_TOKEN;
 * MORTISE_E_NO_KEYSLOT: the keyslot does not exist, or is not linked.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_token_assign(struct mortise_luks2 *header, int token, int keyslot, bool assigned,
		     struct mortise_error *err);

/* --- keys in the kernel's keyrings --- */

/*
 * Reads a key, as keyctl(1) names it: "%TYPE:NAME", a number, or the name of a user key.
 * MORTISE_E_KEY: it does not exist, or cannot be read.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_keyring_read(const char *key, struct mortise_secret **out, struct mortise_error *err);
/*
 * Stores a key: "KEYRING::KEY", for example "@u::%user:data". KEYRING: "@t", "@p", "@s", "@u",
 * "@us", a number, or a name with or without "%:"; KEY: a name, with "%user:" or "%logon:". Replaces
 * an existing key. value NULL: only check target. MORTISE_E_USAGE: invalid target; MORTISE_E_KEY.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_keyring_store(const char *target, const struct mortise_secret *value,
		      struct mortise_error *err);

/* --- keys from a KMS, a TPM, or paper --- */

/*
 * Where to find KMS and TPM. Files are PEM. libcurl and tpm2-tss read their environment variables;
 * the library reads https_proxy. tpm2-tss prints TPM errors unless TSS2_LOG is "all+none".
 */
struct mortise_key_sources {
	size_t struct_size;
	const char *node_uuid;		/* identifies the machine to a KMS; default: the machine's */
	const char *kms_endpoint;	/* KMS of tokens, which do not name it; default: no KMS */
	const char *kms_ca;		/* default: /etc/mortise/kms/ca.pem, else the system's roots */
	const char *kms_cert;		/* with kms_key; default: cert.pem and key.pem, same place */
	const char *kms_key;
	const char *tcti;		/* as for tctildr(3); default: /dev/tpmrm0, then /dev/tpm0 */
	const char *tpm_policy;		/* directory of tpm2-pcr-public-key.pem and
					 * tpm2-pcr-signature.json; default: /.extra, then /run/systemd */
	const struct mortise_events *events; /* used while waiting for a KMS or TPM */
	uint32_t kms_timeout_ms;	/* of one call; default and maximum: 10000 */
	const struct mortise_secret *tpm_pin; /* of tokens of type systemd-tpm2 that need a PIN */
};

enum mortise_enroll_kind {
	MORTISE_ENROLL_KMS,	/* sealed by the KMS at kms_endpoint; Talos's token */
	MORTISE_ENROLL_TPM,	/* sealed by the TPM; Talos's or systemd's token */
	MORTISE_ENROLL_RECOVERY, /* 256 random bits to write down; systemd's token */
};

/* PCR 7, and PCR 15 if mortise_up() has recorded the identity of STATE in this boot. */
#define MORTISE_PCRS_DEFAULT	UINT32_C(0x80000000)

struct mortise_enrollment {
	size_t struct_size;
	enum mortise_enroll_kind kind;
	int keyslot;			/* MORTISE_ANY: the first whose token id is free, too */
	uint32_t tpm_pcrs;		/* bit n: bind to the present value of PCR n, and to the
					 * next boot's value of PCR 15; MORTISE_PCRS_DEFAULT */
	bool tpm_check_secureboot;	/* fail if Secure Boot is off or in setup mode */
	bool replace;			/* replace the recovery key that the keyslot holds */
	bool tpm_systemd;		/* MORTISE_ENROLL_TPM: systemd's token instead of Talos's;
					 * MORTISE_PCRS_DEFAULT is PCR 7 */
	const struct mortise_secret *tpm_pin; /* with tpm_systemd: also ask for this PIN; default:
					 * no PIN */
};

struct mortise_enrolled {
	size_t struct_size;
	int keyslot;
	int token;
	struct mortise_secret *recovery_key; /* MORTISE_ENROLL_RECOVERY: show it once, and free it */
	char notice[400];		/* says what the key is not bound to, "" for none */
};

/*
 * Adds a keyslot for a new random 256-bit passphrase, with minimum Argon2id cost, and its token, in
 * one update. volume_key: as for mortise_keyslot_add. Before KMS or TPM are contacted:
 * MORTISE_E_EXISTS, MORTISE_E_NO_SPACE. Then: MORTISE_E_UNREACHABLE, MORTISE_E_SOURCE,
 * MORTISE_E_UNSUPPORTED, MORTISE_E_POLICY (Secure Boot). After an error, the header is unchanged.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_enroll(struct mortise_luks2 *header, const struct mortise_enrollment *what,
	       const struct mortise_key_sources *sources, const struct mortise_secret *volume_key,
	       struct mortise_enrolled *enrolled, struct mortise_error *err);

struct mortise_token_search {
	size_t struct_size;
	int token;		/* an id, or MORTISE_ANY: in the order of ids */
	const char *type;	/* only this type; default: any */
	int keyslot;		/* the keyslot to open, or MORTISE_ANY */
};

/*
 * Opens a keyslot with a token of type sideroKMS (if kms_endpoint is set), talos-tpm2,
 * systemd-tpm2 or luks2-keyring (a "user" key in the caller's keyrings). Without an id, tokens of preferred
 * keyslots come first, and those to ignore are skipped. volume_key, opened, token: may be NULL.
 * MORTISE_E_NO_TOKEN: there is no token to try. MORTISE_E_PIN: a token needs tpm_pin. Otherwise the
 * error of the last token.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_token_open(struct mortise_luks2 *header, const struct mortise_token_search *search,
		   const struct mortise_key_sources *sources, struct mortise_secret **volume_key,
		   int *opened, int *token, struct mortise_error *err);
/*
 * The passphrase that a token of these types gives, whatever keyslots it is linked to.
 * MORTISE_E_NO_TOKEN, and the errors of its source.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_token_passphrase(struct mortise_luks2 *header, int token,
			 const struct mortise_key_sources *sources,
			 struct mortise_secret **passphrase, struct mortise_error *err);
/*
 * Gets the passphrase of a keyslot, from the first token that gives it; keyslot MORTISE_ANY: of any
 * keyslot. If the volume is in reencryption, it opens keyslots of both volume keys. sources: as for
 * mortise_token_open(). MORTISE_E_NO_TOKEN, MORTISE_E_PIN; otherwise the error of the last token.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_token_keyslot_passphrase(struct mortise_luks2 *header, int keyslot,
				 const struct mortise_key_sources *sources,
				 struct mortise_secret **passphrase, struct mortise_error *err);
/*
 * Opens a keyslot of a systemd-recovery token with a recovery key as typed by a user, with or
 * without dashes, in either case. MORTISE_E_NO_TOKEN: the header has none. MORTISE_E_KEY.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_recovery_open(struct mortise_luks2 *header, const struct mortise_secret *typed,
		      struct mortise_secret **volume_key, int *opened, struct mortise_error *err);
/* Extends a PCR (0..23) of the SHA-256 bank by the hash of word, as Talos and systemd do. */
MORTISE_MUST_CHECK enum mortise_code
mortise_tpm_extend(const struct mortise_key_sources *sources, unsigned pcr, const char *word,
		   struct mortise_error *err);

/* --- reencryption --- */

enum mortise_reencrypt_mode {
	MORTISE_REENCRYPT,	/* a new volume key, cipher or sector size */
	MORTISE_ENCRYPT,	/* data that is not encrypted yet */
	MORTISE_DECRYPT,	/* the header is detached */
};

struct mortise_reencrypt_keyslot {
	int keyslot;		/* an id of the header as it is */
	const struct mortise_secret *passphrase; /* opens it, and the new one */
};

struct mortise_reencrypt_new {
	size_t struct_size;
	enum mortise_reencrypt_mode mode;
	const char *cipher;		/* default: that of the data */
	uint32_t key_size;		/* bytes; default: the present size */
	uint32_t sector_size;		/* bytes; default: the present size */
	bool keep_key;			/* keep volume key and keyslots */
	const struct mortise_secret *volume_key; /* the new one; default: random */
	const char *resilience;		/* "checksum" (default), "journal", "none" */
	const char *resilience_hash;	/* of the checksums; default: "sha256" */
	uint64_t device_size;		/* bytes of the data; default: to the end of the device */
	const struct mortise_keyslot_new *keyslot; /* of the new keyslots; default: as the old ones */
	const struct mortise_reencrypt_keyslot *keyslots; /* that get new ones; keep_key: one */
	size_t keyslot_count;
	uint64_t moved_size;		/* mortise_decrypt_begin: bytes that are moved ahead; default:
					 * 1 MiB, maximum: the offset of the data */
	const char *active_name;	/* the mapping that uses the data; NULL: none may */
	bool mapped_only;		/* this mapping may be smaller than the data */
};

/*
 * Records in the header that a reencryption begins, in one update; the data stays as it is. For a new
 * volume key each given keyslot gets a second one with the same passphrase and tokens; the old ones,
 * also those that are not given, are removed when all data is done. MORTISE_E_USAGE: nothing would
 * change. MORTISE_E_KEY. MORTISE_E_NO_SPACE: no keyslot or area is free. MORTISE_E_BUSY.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_reencrypt_begin(struct mortise_luks2 *header, const struct mortise_reencrypt_new *what,
			struct mortise_error *err);

struct mortise_encrypt_new {
	size_t struct_size;
	uint64_t reduction;	/* bytes at the end of the device that the data does not need: half
				 * of them make room for the header; 0: the header is detached */
	const char *resilience;	/* with a detached header: "checksum" (default), "journal", "none" */
	const char *resilience_hash; /* of the checksums; default: "sha256" */
	uint64_t device_size;	/* bytes of the data, with a detached header; default: to the end */
	/* Adds keyslots, tokens and seal to the new header; at least one keyslot. */
	enum mortise_code (*fill)(void *context, struct mortise_luks2 *header,
				  struct mortise_error *err);
	void *context;
};

/*
 * Begins to encrypt the data on location->device in place: formats a header, and records in it that
 * the encryption begins; mortise_reencrypt_continue() does it. Unless location names a header, the
 * header takes the start of the device, and the data moves towards the end by the same size. A cut
 * at any moment leaves the data as it was, or a device that the same call, or
 * mortise_reencrypt_continue(), completes. format: data_offset is half of the reduction; the default
 * of sector_size is 512. Free *out. MORTISE_E_USAGE: the file system is larger than what remains.
 * MORTISE_E_NO_SPACE. MORTISE_E_BUSY: the device is in use. MORTISE_E_CHANGED: the device was
 * written to after that.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_encrypt_begin(const struct mortise_location *location, const struct mortise_format *format,
		      const struct mortise_encrypt_new *what, struct mortise_luks2 **out,
		      struct mortise_error *err);

/*
 * Begins to decrypt a device in place: moves the header to a new file, and records in it that the
 * decryption begins. The data moves to the start of the device. I/O to the active mapping waits, and
 * the mapping then leads to the moved data. *out is the header in the file; free it. what->resilience:
 * "datashift-checksum" (default) or "datashift-journal". If an error occurs after the header on the
 * device was overwritten, the file stays: with it the device still opens, and another call with the
 * header loaded from the file begins.
 * MORTISE_E_USAGE: the header is in another file, or the file exists. MORTISE_E_BUSY. MORTISE_E_NO_SPACE.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_decrypt_begin(struct mortise_luks2 *header, const char *file,
		      const struct mortise_reencrypt_new *what, struct mortise_luks2 **out,
		      struct mortise_error *err);

/*
 * Finds the active mapping of this header. name receives it, with room for room bytes, or "": there is
 * none. Pass it as active_name, to re-encrypt online.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_reencrypt_active(const struct mortise_luks2 *header, char *name, size_t room,
			 struct mortise_error *err);

/*
 * MORTISE_OK: a process was killed after the header recorded the end of the reencryption, and before the
 * mapping got its last table. I/O to the last zone waits until mortise_reencrypt_continue() with
 * active_name has completed the mapping. MORTISE_E_INACTIVE: nothing is left to complete.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_reencrypt_is_left(const struct mortise_luks2 *header, const char *name,
			  struct mortise_error *err);

struct mortise_reencrypt_info {
	size_t struct_size;
	enum mortise_reencrypt_mode mode;
	const char *resilience;
	const char *resilience_hash;	/* "" unless resilience is "checksum" */
	bool interrupted;	/* the last zone has to be recovered */
	uint64_t done;		/* bytes */
	uint64_t total;		/* bytes */
	bool unprotected;	/* no digest protects the metadata: see mortise_reencrypt_repair() */
};

/* MORTISE_E_USAGE: "Device is not in reencryption." MORTISE_E_UNSUPPORTED, MORTISE_E_CORRUPT. */
MORTISE_MUST_CHECK enum mortise_code
mortise_reencrypt_info(const struct mortise_luks2 *header, struct mortise_reencrypt_info *info,
		       struct mortise_error *err);

struct mortise_reencrypt_run {
	size_t struct_size;
	int keyslot;			/* the one that the passphrase opens, or MORTISE_ANY */
	uint64_t hotzone_size;		/* bytes at a time; default and maximum: 24 MiB */
	const struct mortise_events *events; /* for the progress; default: the header's */
	const char *active_name;	/* the mapping of the volume, which stays in use; NULL: offline */
	uint64_t rate;			/* bytes per second at most; default: no limit */
	const char *resilience;		/* change the protection to this one; default: keep it */
	const char *resilience_hash;	/* of checksums; used with resilience only */
	uint64_t device_size;		/* bytes of data, if nothing is done yet; default: as begun */
	bool mapped_only;		/* device_size is the size of the active mapping. The data behind
					 * the end of the mapping is lost with the old key */
};

/*
 * Continues a reencryption up to its end, after recovering the zone that a power cut has interrupted.
 * Offline, the data device must not be in use. Online, I/O to the zone that is being converted waits, and
 * all memory of the process is locked meanwhile (mlockall(2)). After a read error the mapping is as
 * before; after a write error, I/O to the zone fails until the volume has been closed and opened, or
 * another call has recovered the zone. The events report the progress; canceled, the function stops
 * after the current zone and returns MORTISE_E_CANCELED, and another call continues. passphrase: opens
 * keyslots of both volume keys; NULL: the header knows the keys, from mortise_reencrypt_unlock().
 * After an error or a power cut, another call continues, too.
 * MORTISE_E_KEY. MORTISE_E_POLICY: the header does not belong to these keys. MORTISE_E_BUSY.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_reencrypt_continue(struct mortise_luks2 *header, const struct mortise_secret *passphrase,
			   const struct mortise_reencrypt_run *how, struct mortise_error *err);

/*
 * Repairs the metadata of a reencryption: checks that the header belongs to the keys, and finishes an
 * interrupted zone. Metadata without a digest, from cryptsetup before 2.4.3, gets one: anyone who could
 * write to the device can have forged it, so the caller asks first (CVE-2021-4122). Parameters and errors: as
 * mortise_reencrypt_unlock().
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_reencrypt_repair(struct mortise_luks2 *header, const struct mortise_secret *passphrase,
			 int keyslot, struct mortise_error *err);

/*
 * Opens the keys of a volume in reencryption, and checks that its header belongs to them. keyslot: an
 * id or MORTISE_ANY. The header knows the keys afterwards, so that mortise_activate() can open the
 * volume, after finishing the zone that was interrupted, with as many parts as its data has. *volume_key
 * (may be NULL) receives the key for mortise_activate(), *opened (may be NULL) the keyslot.
 * MORTISE_E_KEY. MORTISE_E_POLICY: the header does not belong to these keys. MORTISE_E_USAGE: "Device is
 * not in reencryption."
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_reencrypt_unlock(struct mortise_luks2 *header, const struct mortise_secret *passphrase,
			 int keyslot, struct mortise_secret **volume_key, int *opened,
			 struct mortise_error *err);

/* --- mappings --- */

enum mortise_activation_flags {
	MORTISE_ALLOW_DISCARDS = 1u << 0,
	MORTISE_SAME_CPU_CRYPT = 1u << 1,
	MORTISE_SUBMIT_FROM_CRYPT_CPUS = 1u << 2,
	MORTISE_NO_READ_WORKQUEUE = 1u << 3,
	MORTISE_NO_WRITE_WORKQUEUE = 1u << 4,
	MORTISE_READONLY = 1u << 5,
	MORTISE_NO_KEYRING = 1u << 6,	/* pass the key in the table, not in the kernel keyring */
	MORTISE_PERSISTENT = 1u << 7,	/* store these flags in the header, and use no others */
	MORTISE_ONLY_GIVEN = 1u << 8,	/* ignore the flags in the header */
	MORTISE_NO_JOURNAL = 1u << 9,	/* of the tags: after a crash, sectors may not match them */
};

/*
 * Creates /dev/mapper/NAME, with flags and, without MORTISE_ONLY_GIVEN, those in the header. *dropped (may be NULL) receives the
 * flags that the kernel does not support. For a volume in reencryption call mortise_reencrypt_unlock()
 * before. MORTISE_E_EXISTS, MORTISE_E_BUSY, MORTISE_E_KERNEL, MORTISE_E_POLICY, MORTISE_E_KEY: wrong
 * volume key.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_activate(struct mortise_luks2 *header, const char *name,
		 const struct mortise_secret *volume_key, uint32_t flags, uint32_t *dropped,
		 struct mortise_error *err);

/* A mapping without a header: everything about it is given by the caller, and nothing is checked. */
struct mortise_plain {
	size_t struct_size;
	const char *device;		/* a block device or a regular file */
	const char *cipher;		/* default: "aes-cbc-essiv:sha256" */
	uint64_t offset;		/* bytes: start of the data on the device */
	uint64_t size;			/* bytes; default: to the end of the device */
	uint64_t iv_offset;		/* 512-byte sectors, added to the number of each sector */
	uint32_t sector_size;		/* bytes; default: 512 */
	bool iv_large_sectors;		/* number sectors of sector_size instead of 512 bytes */
	bool shared;			/* other mappings may use the device, and the same part of it */
};

/*
 * Makes the key of a plain mapping, key_size bytes (1..1024), from a passphrase. hash (default:
 * "ripemd160"): a name, or "NAME:SIZE", where only the first SIZE bytes come from the hash and the
 * rest is zero. "plain" stands for the passphrase itself, with zeros behind it; "plain:SIZE" requires
 * that many bytes. MORTISE_E_USAGE; MORTISE_E_UNSUPPORTED: unknown hash.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_plain_key(const char *hash, uint32_t key_size, const struct mortise_secret *passphrase,
		  struct mortise_secret **key, struct mortise_error *err);
/*
 * Creates /dev/mapper/NAME without a header, and without looking at the device's contents. flags,
 * dropped: as for mortise_activate; the key is passed in the table. MORTISE_E_EXISTS,
 * MORTISE_E_BUSY, MORTISE_E_KERNEL, MORTISE_E_NO_SPACE; MORTISE_E_POLICY: the cipher does not
 * encrypt.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_plain_open(const struct mortise_plain *plain, const char *name,
		   const struct mortise_secret *key, uint32_t flags, uint32_t *dropped,
		   struct mortise_error *err);
/*
 * Runs mkswap or mkfs on a plain mapping, whose contents are lost: filesystem is "swap", "ext2",
 * "ext3", "ext4", "xfs", "btrfs" or "f2fs". Everyone may write to the root of the file system.
 * MORTISE_E_USAGE: another file system, or not a plain mapping; MORTISE_E_INACTIVE;
 * MORTISE_E_UNSUPPORTED: the program is missing; MORTISE_E_SYSTEM; MORTISE_E_CANCELED.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_plain_format(const char *name, const char *filesystem, const struct mortise_events *events,
		     struct mortise_error *err);

/*
 * Changes the size of a live mapping of this header, or of a plain mapping (header NULL), while it is
 * in use. size: bytes, a multiple of the sector size; 0: to the end of the device or, if the segment has
 * a fixed size, of the segment. Data that a smaller mapping hides stays on the device. volume_key: needed
 * if the key is in the keyring, otherwise NULL. MORTISE_E_INACTIVE; MORTISE_E_USAGE: the mapping belongs
 * to another header; MORTISE_E_NO_SPACE: the device is too small; MORTISE_E_KEY. After an error nothing
 * has changed.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_resize(struct mortise_luks2 *header, const char *name,
	       const struct mortise_secret *volume_key, uint64_t size, struct mortise_error *err);

/*
 * Suspends a mapping of a LUKS header, whose I/O waits from now on, and makes the kernel wipe the
 * volume key from memory. MORTISE_E_INACTIVE; MORTISE_E_USAGE: it is suspended, or has no LUKS
 * header. After an error nothing has changed.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_suspend(const char *name, struct mortise_error *err);
/*
 * Gives a suspended mapping of this header its key again, after verifying it, and resumes it. flags:
 * MORTISE_NO_KEYRING or 0. MORTISE_E_USAGE: it is not suspended, or belongs to another header;
 * MORTISE_E_KEY, MORTISE_E_POLICY, MORTISE_E_INACTIVE. After an error it is suspended.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_resume(struct mortise_luks2 *header, const char *name,
	       const struct mortise_secret *volume_key, uint32_t flags, struct mortise_error *err);

/*
 * Replaces the activation flags of a live mapping of this header, while it is in use: flags and,
 * without MORTISE_ONLY_GIVEN, those in the header. MORTISE_READONLY has no effect. Otherwise as
 * mortise_activate. header NULL: a plain mapping, whose key volume_key must be. MORTISE_E_USAGE: the
 * mapping is suspended, or belongs to another header.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_refresh(struct mortise_luks2 *header, const char *name,
		const struct mortise_secret *volume_key, uint32_t flags, uint32_t *dropped,
		struct mortise_error *err);

enum mortise_deactivation {
	MORTISE_CLOSE_NOW,
	MORTISE_CLOSE_DEFERRED,		/* when the last user closes it */
	MORTISE_CLOSE_CANCEL_DEFERRED,
};

/* Removes a mapping. MORTISE_E_INACTIVE, MORTISE_E_BUSY. */
MORTISE_MUST_CHECK enum mortise_code
mortise_deactivate(const char *name, enum mortise_deactivation how, struct mortise_error *err);
/* MORTISE_OK: a mapping with this name is active. MORTISE_E_INACTIVE, as from mapping_info. */
MORTISE_MUST_CHECK enum mortise_code mortise_is_active(const char *name, struct mortise_error *err);

struct mortise_mapping_info {
	size_t struct_size;
	bool in_use;
	bool suspended;
	bool readonly;
	bool luks2;			/* its UUID begins with CRYPT-LUKS2 */
	char uuid[MORTISE_UUID_LEN + 1]; /* of the header, "" unless LUKS2 or LUKS1 */
	char cipher[MORTISE_CIPHER_MAX + 1];
	uint32_t key_size;		/* bytes */
	bool key_in_keyring;
	char integrity[64];		/* "hmac(sha256)"; "" if there is none */
	char device[256];		/* path of the data device, "" if it has disappeared */
	char loop_file[256];		/* its backing file, "" unless it is a loop device */
	uint32_t sector_size;		/* bytes */
	uint64_t offset;		/* bytes */
	uint64_t size;			/* bytes */
	uint64_t iv_offset;		/* 512-byte sectors */
	uint32_t flags;			/* enum mortise_activation_flags, as the kernel has them */
	char type[16];			/* by its UUID: "LUKS2", "PLAIN", "TCRYPT", "VERITY", ...; "" if none */
	uint32_t integrity_key_size;	/* bytes of the key that the MAC takes */
};

/*
 * For a volume in reencryption, which has several targets, cipher, key and sector size are those of the
 * first encrypted one. MORTISE_E_UNSUPPORTED: it has other targets than dm-crypt. Of info, in_use, suspended, readonly,
 * luks2, uuid and type are set, and device if the volume is in reencryption. MORTISE_E_DEVICE, cipher is set: the data device has vanished; all
 * but device is set.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_mapping_info(const char *name, struct mortise_mapping_info *info,
		     struct mortise_error *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
