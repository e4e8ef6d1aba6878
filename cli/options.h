/* SPDX-License-Identifier: MIT */
/* The options of the program: one row each in option_table.c. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_DEVICES_MAX 64u	/* occurrences of --device NAME=/dev/X */

/* Each verb is a bit in the set of verbs that take an option. */
enum verb_id {
	VERB_OPEN,
	VERB_CLOSE,
	VERB_RESIZE,
	VERB_STATUS,
	VERB_BENCHMARK,
	VERB_REPAIR,
	VERB_REENCRYPT,
	VERB_ERASE,
	VERB_CONVERT,
	VERB_CONFIG,
	VERB_FORMAT,
	VERB_ADD_KEY,
	VERB_REMOVE_KEY,
	VERB_CHANGE_KEY,
	VERB_CONVERT_KEY,
	VERB_KILL_SLOT,
	VERB_UUID,
	VERB_IS_LUKS,
	VERB_DUMP,
	VERB_SUSPEND,
	VERB_RESUME,
	VERB_HEADER_BACKUP,
	VERB_HEADER_RESTORE,
	VERB_TOKEN,
	VERB_FOREIGN,		/* tcryptDump, bitlkDump, fvault2Dump */
	VERB_PLAN,
	VERB_UP,
	VERB_GROW,
	VERB_DOWN,
	VERB_ENROLL,
	VERB_APPLY,
	VERB_RESET,
	VERB_META,
	VERB_SEAL,
	VERB_TRIM,
	VERB_ATTACH,
	VERB_DETACH,
	VERB_CHECK,
	VERB_CONTINUE,
};

enum option_id {
	OPTION_HELP,
	OPTION_USAGE,
	OPTION_VERSION,
	OPTION_ACTIVE_NAME,
	OPTION_ADOPT,
	OPTION_ALIGN_PAYLOAD,
	OPTION_ALLOW_CIPHER,
	OPTION_ALLOW_DISCARDS,
	OPTION_BATCH_MODE,
	OPTION_BLOCK_SIZE,
	OPTION_CANCEL_DEFERRED,
	OPTION_CHECK,
	OPTION_CHECK_KEYS,
	OPTION_CIPHER,
	OPTION_COMPARE,
	OPTION_DEBUG,
	OPTION_DEBUG_JSON,
	OPTION_DECRYPT,
	OPTION_DEFERRED,
	OPTION_DESTROY_DATA,
	OPTION_DEVICE,
	OPTION_DEVICE_SIZE,
	OPTION_DISABLE_EXTERNAL_TOKENS,
	OPTION_DISABLE_KEYRING,
	OPTION_DISABLE_LOCKS,
	OPTION_DISABLE_VERACRYPT,
	OPTION_DROP,
	OPTION_DRY_RUN,
	OPTION_DUMP_JSON,
	OPTION_DUMP_VOLUME_KEY,
	OPTION_ENCRYPT,
	OPTION_EXTEND_PCR,
	OPTION_EXTERNAL_TOKENS_PATH,
	OPTION_FILE,
	OPTION_FORCE,
	OPTION_FORCE_OFFLINE_REENCRYPT,
	OPTION_FORCE_PASSWORD,
	OPTION_FORMAT,
	OPTION_FROM_CONFIG,
	OPTION_FULL,
	OPTION_HASH,
	OPTION_HEADER,
	OPTION_HEADER_BACKUP_FILE,
	OPTION_HOTZONE_SIZE,
	OPTION_INIT_ONLY,
	OPTION_INTEGRITY,
	OPTION_INTEGRITY_INLINE,
	OPTION_INTEGRITY_KEY_SIZE,
	OPTION_INTEGRITY_LEGACY_PADDING,
	OPTION_INTEGRITY_NO_JOURNAL,
	OPTION_INTEGRITY_NO_WIPE,
	OPTION_ITER_TIME,
	OPTION_IV_LARGE_SECTORS,
	OPTION_JSON,
	OPTION_JSON_FILE,
	OPTION_KEEP_KEY,
	OPTION_KEY_DESCRIPTION,
	OPTION_KEY_FILE,
	OPTION_KEY_SIZE,
	OPTION_KEY_SLOT,
	OPTION_KEYFILE_OFFSET,
	OPTION_KEYFILE_SIZE,
	OPTION_KEYSLOT_CIPHER,
	OPTION_KEYSLOT_KEY_SIZE,
	OPTION_KMS,
	OPTION_KMS_CA,
	OPTION_KMS_CERT,
	OPTION_KMS_KEY,
	OPTION_LABEL,
	OPTION_LIMIT_RATE,
	OPTION_LINK_VK_TO_KEYRING,
	OPTION_LOG,
	OPTION_LUKS2_KEYSLOTS_SIZE,
	OPTION_LUKS2_METADATA_SIZE,
	OPTION_MAPPING,
	OPTION_MAX_UNLOCK_TIME,
	OPTION_NEW_KEY_SLOT,
	OPTION_NEW_KEYFILE,
	OPTION_NEW_KEYFILE_OFFSET,
	OPTION_NEW_KEYFILE_SIZE,
	OPTION_NEW_TOKEN_ID,
	OPTION_NO_MOUNT,
	OPTION_NODE_UUID,
	OPTION_OFFSET,
	OPTION_PBKDF,
	OPTION_PBKDF_FORCE_ITERATIONS,
	OPTION_PBKDF_MEMORY,
	OPTION_PBKDF_PARALLEL,
	OPTION_PERF_NO_READ_WORKQUEUE,
	OPTION_PERF_NO_WRITE_WORKQUEUE,
	OPTION_PERF_SAME_CPU_CRYPT,
	OPTION_PERF_SUBMIT_FROM_CRYPT_CPUS,
	OPTION_PERSISTENT,
	OPTION_PRIORITY,
	OPTION_PROGRESS_FREQUENCY,
	OPTION_PROGRESS_JSON,
	OPTION_PROMETHEUS,
	OPTION_QUICK,
	OPTION_READONLY,
	OPTION_REBOOT,
	OPTION_RECOVERY,
	OPTION_RECOVERY_DIR,
	OPTION_RECOVERY_FILE,
	OPTION_RECOVERY_KEY,
	OPTION_RECREATE,
	OPTION_REDUCE_DEVICE_SIZE,
	OPTION_REFRESH,
	OPTION_REPLACE,
	OPTION_RESILIENCE,
	OPTION_RESILIENCE_HASH,
	OPTION_RESUME_ONLY,
	OPTION_ROOT,
	OPTION_RUNS,
	OPTION_SCALE,
	OPTION_SEALED,
	OPTION_SECTOR_SIZE,
	OPTION_SERIALIZE_MEMORY_HARD_PBKDF,
	OPTION_SHARED,
	OPTION_SIZE,
	OPTION_SKIP,
	OPTION_STAGED,
	OPTION_SUBSYSTEM,
	OPTION_SYSTEM_DISK,
	OPTION_TARGET_MEMORY,
	OPTION_TARGET_MS,
	OPTION_TCRYPT_BACKUP,
	OPTION_TCRYPT_HIDDEN,
	OPTION_TCRYPT_SYSTEM,
	OPTION_TCTI,
	OPTION_TEST_ARGS,
	OPTION_TEST_PASSPHRASE,
	OPTION_TIME_LIMIT,
	OPTION_TIMEOUT,
	OPTION_TOKEN_ID,
	OPTION_TOKEN_ONLY,
	OPTION_TOKEN_REPLACE,
	OPTION_TOKEN_TYPE,
	OPTION_TPM,
	OPTION_TPM_CHECK_SECUREBOOT,
	OPTION_TPM_PCRS,
	OPTION_TPM_PIN,
	OPTION_TPM_POLICY,
	OPTION_TRIES,
	OPTION_TRUST,
	OPTION_TRY_KEYS,
	OPTION_TYPE,
	OPTION_UNBOUND,
	OPTION_USE_DIRECTIO,
	OPTION_USE_FSYNC,
	OPTION_USE_RANDOM,
	OPTION_USE_URANDOM,
	OPTION_UUID,
	OPTION_VERACRYPT,
	OPTION_VERACRYPT_PIM,
	OPTION_VERACRYPT_QUERY_PIM,
	OPTION_VERBOSE,
	OPTION_VERIFY_PASSPHRASE,
	OPTION_VOLUME,
	OPTION_VOLUME_KEY_FILE,
	OPTION_VOLUME_KEY_KEYRING,
	OPTION_WAIT,
	OPTION_WITHDRAW,
	OPTION_WRITE_LOG,
	OPTION_YES,
	OPTION_COUNT,
};

struct option_value {
	bool set;
	const char *text;	/* belongs to argv */
	uint64_t number;
	int id;			/* keyslot or token number, -1 if not given */
};

/* The parsed command line, before any check for conflicts. */
struct options {
	struct option_value values[OPTION_COUNT];
	const char *devices[OPTIONS_DEVICES_MAX];	/* every --device, in order */
	size_t device_count;
	unsigned key_file_count;
	char **words;		/* the other arguments: a part of argv, reordered */
	size_t word_count;
};

struct option_problem {
	bool of_option;		/* text begins with the option: print no program name before it */
	const char *unknown;	/* the word of argv that is not an option, or NULL */
	char text[256];
};

/*
 * Parses argv[1..argc-1]. On failure returns false and fills *problem, which was zeroed. Stops at --help, --usage
 * and --version, as popt does.
 */
bool options_parse(struct options *options, int argc, char **argv, struct option_problem *problem);

/* The first given option that the verb does not take, or OPTION_COUNT. */
enum option_id options_misplaced(const struct options *options, enum verb_id verb);
/* The first given option that is not supported with the verb, or OPTION_COUNT. */
enum option_id options_lacking(const struct options *options, enum verb_id verb);
/* The first given option that cryptsetup does not have, or OPTION_COUNT. */
enum option_id options_extension(const struct options *options);

const char *option_name(enum option_id id);

bool option_set(const struct options *options, enum option_id id);
/* NULL if it was not given. */
const char *option_text(const struct options *options, enum option_id id);
/* 0 if it was not given. Sizes are bytes. */
uint64_t option_number(const struct options *options, enum option_id id);
uint32_t option_number32(const struct options *options, enum option_id id);
/* MORTISE_ANY if it was not given. */
int option_slot(const struct options *options, enum option_id id);

#endif
