/* SPDX-License-Identifier: MIT */
/*
 * The table of options. Names, letters and the verbs that may take them are those of
 * cryptsetup 2.6.1; what only it has is listed so that it can be refused by name.
 */
#include "cli/option_table.h"

#define V(verb)	    (UINT64_C(1) << (VERB_##verb))

#define ALL	    UINT64_MAX
#define NONE	    UINT64_C(0)
/* Options of verbs that this build lacks fit none. */
#define DECLARED    (MORTISE_DECLARED ? V(APPLY) | V(PLAN) | V(UP) | V(DOWN) | V(STATUS) : NONE)
/* Verbs that bring volumes up; those of the META partition and of resetting. */
#define BRINGS_UP   (DECLARED & (V(APPLY) | V(UP)))
#define META	    (MORTISE_DECLARED ? V(META) : NONE)
#define RESETS	    (MORTISE_DECLARED ? V(RESET) : NONE)
#define MEASURES    (MORTISE_BENCHMARK ? V(BENCHMARK) : NONE)
/* The bit marks what cryptsetup does not know. */
#define OURS(verbs) ((verbs) ? (verbs) | OPTION_OURS : NONE)
#define FORMATS	    (V(FORMAT) | V(REENCRYPT))
#define SLOT_MAKERS (V(FORMAT) | V(ADD_KEY) | V(CHANGE_KEY) | V(CONVERT_KEY) | V(REENCRYPT))
#define SLOT_TAKERS                                                                    \
	(V(OPEN) | V(REENCRYPT) | V(CONFIG) | V(FORMAT) | V(ADD_KEY) | V(CHANGE_KEY) | \
	 V(CONVERT_KEY) | V(DUMP) | V(TOKEN) | V(RESUME))
/* Verbs that ask KMS and TPM; those that open by a token that is named. */
#define BY_TOKEN (V(OPEN) | V(ADD_KEY) | V(ENROLL))
#define SOURCES	 OURS(DECLARED | BY_TOKEN)

#define FLAG(n, l, verbs, have, help)                    \
	{                                                \
		n, l, KIND_FLAG, NULL, verbs, have, help \
	}
#define LACK(n, l, kind, verbs)                     \
	{                                           \
		n, l, kind, NULL, verbs, NONE, NULL \
	}

const struct option_row option_table[OPTION_COUNT] = {
	[OPTION_HELP] = FLAG("help", '?', ALL, ALL, "show this help"),
	[OPTION_USAGE] = FLAG("usage", 0, ALL, ALL, "show how it is called"),
	[OPTION_VERSION] = FLAG("version", 'V', ALL, ALL, "show the version"),
	[OPTION_ACTIVE_NAME] = LACK("active-name", 0, KIND_TEXT, ALL),
	[OPTION_ALIGN_PAYLOAD] = { "align-payload", 0, KIND_UINT32, "SECTORS", FORMATS, V(FORMAT),
				   "round the start of the data up to this" },
	[OPTION_ALLOW_DISCARDS] =
		FLAG("allow-discards", 0, V(OPEN), ALL, "pass discards (TRIM) down to the device"),
	[OPTION_BATCH_MODE] = FLAG("batch-mode", 'q', ALL, ALL, "ask no questions"),
	[OPTION_BLOCK_SIZE] = LACK("block-size", 'B', KIND_UINT32, ALL),
	[OPTION_CANCEL_DEFERRED] =
		FLAG("cancel-deferred", 0, V(CLOSE), ALL, "take a deferred close back"),
	[OPTION_CHECK_KEYS] = FLAG("check-keys", 0, OURS(DECLARED), ALL,
				   "try every key slot, also the unchanged ones"),
	[OPTION_CIPHER] = { "cipher", 'c', KIND_TEXT, "CIPHER", ALL, ALL,
			    "cipher of the data: aes-xts-plain64" },
	[OPTION_COMPARE] = FLAG("compare", 0, OURS(MEASURES), ALL, "two result files side by side"),
	[OPTION_DEBUG] = FLAG("debug", 0, ALL, ALL, "show codes and offsets of errors"),
	[OPTION_DEBUG_JSON] = LACK("debug-json", 0, KIND_FLAG, ALL),
	[OPTION_DECRYPT] = LACK("decrypt", 0, KIND_FLAG, ALL),
	[OPTION_DEFERRED] = FLAG("deferred", 0, V(CLOSE), ALL, "close when its last user has gone"),
	[OPTION_DESTROY_DATA] = FLAG("destroy-data", 0, OURS(MEASURES), ALL,
				     "write to the device that is measured"),
	[OPTION_DEVICE] = { "device", 0, KIND_LIST, "NAME=PATH",
			    OURS(DECLARED | MEASURES | META | RESETS), ALL,
			    "where a declared volume is; what is measured" },
	[OPTION_DEVICE_SIZE] =
		LACK("device-size", 0, KIND_SIZE, V(OPEN) | V(RESIZE) | V(REENCRYPT)),
	[OPTION_DISABLE_EXTERNAL_TOKENS] = FLAG("disable-external-tokens", 0, ALL, ALL,
						"try tokens of type luks2-keyring only"),
	[OPTION_DISABLE_KEYRING] = FLAG("disable-keyring", 0, ALL, ALL,
					"keep the volume key out of the kernel's keyring"),
	[OPTION_DISABLE_LOCKS] = FLAG("disable-locks", 0, ALL, ALL, "take no lock on the metadata"),
	[OPTION_DISABLE_VERACRYPT] = LACK("disable-veracrypt", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_DRY_RUN] = FLAG("dry-run", 0, OURS(DECLARED &V(APPLY)), ALL,
				"check and show the plan, change nothing"),
	[OPTION_DUMP_JSON] = FLAG("dump-json-metadata", 0, ALL, ALL, "show the metadata as JSON"),
	[OPTION_DUMP_VOLUME_KEY] = FLAG("dump-volume-key", 0, ALL, ALL, "show the volume key"),
	[OPTION_ENCRYPT] = LACK("encrypt", 'N', KIND_FLAG, ALL),
	[OPTION_EXTEND_PCR] = { "extend-pcr", 0, KIND_TEXT, "N:WORD", OURS(BRINGS_UP), ALL,
				"once all is ready, keep the TPM from unsealing" },
	[OPTION_FILE] = { "file", 'f', KIND_TEXT, "FILE", OURS(DECLARED), ALL,
			  "configuration: /etc/mortise/config.yaml" },
	[OPTION_FORCE_OFFLINE_REENCRYPT] =
		LACK("force-offline-reencrypt", 0, KIND_FLAG, V(REENCRYPT)),
	[OPTION_FORCE_PASSWORD] =
		FLAG("force-password", 0, ALL, ALL, "no check of quality (there is none)"),
	[OPTION_FULL] = FLAG("full", 0, OURS(RESETS), ALL,
			     "overwrite all of the device, not the keys only"),
	[OPTION_HASH] = { "hash", 'h', KIND_TEXT, "HASH", ALL, ALL,
			  "hash of splitter, digest and PBKDF2: sha256" },
	[OPTION_HEADER] = { "header", 0, KIND_TEXT, "PATH", ALL, ALL,
			    "the header is on this device or in this file" },
	[OPTION_HEADER_BACKUP_FILE] = LACK("header-backup-file", 0, KIND_TEXT, ALL),
	[OPTION_HOTZONE_SIZE] = LACK("hotzone-size", 0, KIND_SIZE, V(REENCRYPT)),
	[OPTION_INIT_ONLY] = LACK("init-only", 0, KIND_FLAG, ALL),
	[OPTION_INTEGRITY] = LACK("integrity", 'I', KIND_TEXT, FORMATS),
	[OPTION_INTEGRITY_LEGACY_PADDING] = LACK("integrity-legacy-padding", 0, KIND_FLAG, ALL),
	[OPTION_INTEGRITY_NO_JOURNAL] = LACK("integrity-no-journal", 0, KIND_FLAG, ALL),
	[OPTION_INTEGRITY_NO_WIPE] = LACK("integrity-no-wipe", 0, KIND_FLAG, FORMATS),
	[OPTION_ITER_TIME] = { "iter-time", 'i', KIND_UINT32, "MSECS",
			       SLOT_MAKERS | V(BENCHMARK) | BRINGS_UP, ALL,
			       "time that an unlock shall take: 2000" },
	[OPTION_IV_LARGE_SECTORS] = LACK("iv-large-sectors", 0, KIND_FLAG, V(OPEN)),
	[OPTION_JSON] = FLAG("json", 0, OURS(DECLARED | MEASURES | META), ALL,
			     "one JSON document on standard output"),
	[OPTION_JSON_FILE] = { "json-file", 0, KIND_TEXT, "FILE", ALL, ALL,
			       "read or write the token here" },
	[OPTION_KEEP_KEY] = LACK("keep-key", 0, KIND_FLAG, V(REENCRYPT)),
	[OPTION_KEY_DESCRIPTION] = LACK("key-description", 0, KIND_TEXT, ALL),
	[OPTION_KEY_FILE] = { "key-file", 'd', KIND_TEXT, "FILE", ALL, ALL,
			      "read the passphrase from a file, - for standard input" },
	[OPTION_KEY_SIZE] = { "key-size", 's', KIND_UINT32, "BITS",
			      V(OPEN) | V(BENCHMARK) | V(FORMAT) | V(REENCRYPT) | V(ADD_KEY) |
				      V(ENROLL),
			      ALL, "size of the volume key" },
	[OPTION_KEY_SLOT] = { "key-slot", 'S', KIND_SLOT, "SLOT",
			      SLOT_TAKERS | MEASURES | V(ENROLL), ALL, "number of a key slot" },
	[OPTION_KEYFILE_OFFSET] = { "keyfile-offset", 0, KIND_UINT64, "BYTES", ALL, ALL,
				    "skip this much of the key file" },
	[OPTION_KEYFILE_SIZE] = { "keyfile-size", 'l', KIND_UINT32, "BYTES", ALL, ALL,
				  "read this much of the key file" },
	[OPTION_KEYSLOT_CIPHER] = { "keyslot-cipher", 0, KIND_TEXT, "CIPHER", SLOT_MAKERS, ALL,
				    "cipher of the new key slot" },
	[OPTION_KEYSLOT_KEY_SIZE] = { "keyslot-key-size", 0, KIND_UINT32, "BITS", SLOT_MAKERS, ALL,
				      "its key size" },
	[OPTION_KMS] = { "kms", 0, KIND_TEXT, "ENDPOINT", OURS(BY_TOKEN), ALL,
			 "the KMS that seals, or that a token is of" },
	[OPTION_KMS_CA] = { "kms-ca", 0, KIND_TEXT, "FILE", SOURCES, ALL,
			    "certificates that a KMS is trusted by" },
	[OPTION_KMS_CERT] = { "kms-cert", 0, KIND_TEXT, "FILE", SOURCES, ALL,
			      "our certificate for a KMS" },
	[OPTION_KMS_KEY] = { "kms-key", 0, KIND_TEXT, "FILE", SOURCES, ALL, "its private key" },
	[OPTION_LABEL] = { "label", 0, KIND_TEXT, "TEXT", FORMATS | V(CONFIG), ALL,
			   "label in the header" },
	[OPTION_LUKS2_KEYSLOTS_SIZE] = { "luks2-keyslots-size", 0, KIND_SIZE, "SIZE", FORMATS, ALL,
					 "size of the area for key slots" },
	[OPTION_LUKS2_METADATA_SIZE] = { "luks2-metadata-size", 0, KIND_SIZE, "SIZE", FORMATS, ALL,
					 "size of one copy of the header" },
	[OPTION_MAPPING] = FLAG("mapping", 0, OURS(MEASURES), ALL,
				"measure the making of a mapping too, under a random key"),
	[OPTION_NEW_KEY_SLOT] = { "new-key-slot", 0, KIND_SLOT, "SLOT", V(ADD_KEY), ALL,
				  "number of the new key slot" },
	[OPTION_NEW_KEYFILE] = { "new-keyfile", 0, KIND_TEXT, "FILE", V(ADD_KEY), ALL,
				 "read the new passphrase from a file" },
	[OPTION_NEW_KEYFILE_OFFSET] = { "new-keyfile-offset", 0, KIND_UINT64, "BYTES", ALL, ALL,
					"skip this much of it" },
	[OPTION_NEW_KEYFILE_SIZE] = { "new-keyfile-size", 0, KIND_UINT32, "BYTES", ALL, ALL,
				      "read this much of it" },
	[OPTION_NEW_TOKEN_ID] = LACK("new-token-id", 0, KIND_SLOT, V(ADD_KEY)),
	[OPTION_NO_MOUNT] = FLAG("no-mount", 0, OURS(DECLARED & ~V(APPLY)), ALL,
				 "stop when the mappings are there"),
	[OPTION_NODE_UUID] = { "node-uuid", 0, KIND_TEXT, "UUID", SOURCES, ALL,
			       "instead of the machine's" },
	[OPTION_OFFSET] = { "offset", 'o', KIND_UINT64, "SECTORS",
			    V(OPEN) | V(REENCRYPT) | V(FORMAT), V(FORMAT), "start of the data" },
	[OPTION_PBKDF] = { "pbkdf", 0, KIND_TEXT, "NAME", SLOT_MAKERS | V(BENCHMARK), ALL,
			   "argon2id, argon2i or pbkdf2" },
	[OPTION_PBKDF_FORCE_ITERATIONS] = { "pbkdf-force-iterations", 0, KIND_UINT32, "NUMBER",
					    SLOT_MAKERS | MEASURES | BRINGS_UP, ALL,
					    "this cost, no benchmark" },
	[OPTION_PBKDF_MEMORY] = { "pbkdf-memory", 0, KIND_UINT32, "KIB", ALL, ALL,
				  "memory that an unlock may take" },
	[OPTION_PBKDF_PARALLEL] = { "pbkdf-parallel", 0, KIND_UINT32, "THREADS", ALL, ALL,
				    "threads that an unlock may take" },
	[OPTION_PERF_NO_READ_WORKQUEUE] =
		FLAG("perf-no_read_workqueue", 0, ALL, ALL, "dm-crypt reads without its queue"),
	[OPTION_PERF_NO_WRITE_WORKQUEUE] =
		FLAG("perf-no_write_workqueue", 0, ALL, ALL, "dm-crypt writes without its queue"),
	[OPTION_PERF_SAME_CPU_CRYPT] = FLAG("perf-same_cpu_crypt", 0, ALL, ALL,
					    "dm-crypt works on the processor that asked"),
	[OPTION_PERF_SUBMIT_FROM_CRYPT_CPUS] = FLAG("perf-submit_from_crypt_cpus", 0, ALL, ALL,
						    "dm-crypt writes where it encrypted"),
	[OPTION_PERSISTENT] =
		FLAG("persistent", 0, V(OPEN), ALL, "write these flags into the header"),
	[OPTION_PRIORITY] = { "priority", 0, KIND_TEXT, "WORD", V(CONFIG), ALL,
			      "of a key slot: ignore, normal, prefer" },
	[OPTION_PROGRESS_FREQUENCY] = LACK("progress-frequency", 0, KIND_UINT32, ALL),
	[OPTION_PROGRESS_JSON] = LACK("progress-json", 0, KIND_FLAG, FORMATS),
	[OPTION_QUICK] = FLAG("quick", 0, OURS(MEASURES), ALL, "a few short measurements"),
	[OPTION_READONLY] = FLAG("readonly", 'r', ALL, ALL, "make the mapping read-only"),
	[OPTION_RECOVERY] = FLAG("recovery", 0, OURS(BRINGS_UP), ALL,
				 "ask for a recovery key when no declared key opens"),
	[OPTION_RECOVERY_FILE] = { "recovery-file", 0, KIND_TEXT, "FILE", OURS(V(ENROLL)), ALL,
				   "write the recovery key to this new file" },
	[OPTION_RECOVERY_KEY] =
		FLAG("recovery-key", 0, OURS(V(ENROLL)), ALL, "enroll a key to be written down"),
	[OPTION_REDUCE_DEVICE_SIZE] = LACK("reduce-device-size", 0, KIND_SIZE, ALL),
	[OPTION_REFRESH] = LACK("refresh", 0, KIND_FLAG, V(OPEN)),
	[OPTION_RESILIENCE] = LACK("resilience", 0, KIND_TEXT, ALL),
	[OPTION_RESILIENCE_HASH] = LACK("resilience-hash", 0, KIND_TEXT, ALL),
	[OPTION_RESUME_ONLY] = LACK("resume-only", 0, KIND_FLAG, ALL),
	[OPTION_ROOT] = { "root", 0, KIND_TEXT, "DIR", OURS(DECLARED), ALL,
			  "put before mount points" },
	[OPTION_RUNS] = { "runs", 0, KIND_UINT32, "NUMBER", OURS(MEASURES), ALL,
			  "repeat a measurement so often: 7, more when short" },
	[OPTION_SCALE] = { "scale", 0, KIND_TEXT, "FILE", OURS(MEASURES), ALL,
			   "choose for the machine of this result file" },
	[OPTION_SECTOR_SIZE] = { "sector-size", 0, KIND_UINT32, "BYTES",
				 V(OPEN) | V(REENCRYPT) | V(FORMAT), V(FORMAT),
				 "sector of the encryption" },
	[OPTION_SERIALIZE_MEMORY_HARD_PBKDF] =
		LACK("serialize-memory-hard-pbkdf", 0, KIND_FLAG, V(OPEN)),
	[OPTION_SHARED] = LACK("shared", 0, KIND_FLAG, V(OPEN)),
	[OPTION_SIZE] = LACK("size", 'b', KIND_UINT64, V(OPEN) | V(RESIZE)),
	[OPTION_SKIP] = LACK("skip", 'p', KIND_UINT64, V(OPEN)),
	[OPTION_STAGED] = FLAG("staged", 0, OURS(DECLARED &V(APPLY)), ALL,
			       "store it for the next boot, change no volume"),
	[OPTION_SUBSYSTEM] = { "subsystem", 0, KIND_TEXT, "TEXT", FORMATS | V(CONFIG), ALL,
			       "subsystem label in the header" },
	[OPTION_TARGET_MEMORY] = { "target-memory", 0, KIND_SIZE, "SIZE", OURS(MEASURES), ALL,
				   "memory that an unlock may take: 1G" },
	[OPTION_TARGET_MS] = { "target-ms", 0, KIND_UINT32, "MSECS", OURS(MEASURES), ALL,
			       "time that an unlock may take: 2000" },
	[OPTION_TCRYPT_BACKUP] = LACK("tcrypt-backup", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_TCRYPT_HIDDEN] = LACK("tcrypt-hidden", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_TCRYPT_SYSTEM] = LACK("tcrypt-system", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_TCTI] = { "tcti", 0, KIND_TEXT, "TCTI", SOURCES, ALL,
			  "how the TPM is reached: /dev/tpmrm0, then /dev/tpm0" },
	[OPTION_TEST_ARGS] = FLAG("test-args", 0, ALL, ALL, "check the arguments, do nothing"),
	[OPTION_TEST_PASSPHRASE] =
		FLAG("test-passphrase", 0, V(OPEN), ALL, "try the passphrase, make no mapping"),
	[OPTION_TIME_LIMIT] = { "time-limit", 0, KIND_UINT32, "SECS", OURS(MEASURES), ALL,
				"measure no longer than this" },
	[OPTION_TIMEOUT] = { "timeout", 't', KIND_UINT32, "SECS", ALL, ALL,
			     "wait so long for a passphrase" },
	[OPTION_TOKEN_ID] = { "token-id", 0, KIND_SLOT, "TOKEN", ALL, BY_TOKEN | V(TOKEN),
			      "number of a token" },
	[OPTION_TOKEN_ONLY] =
		FLAG("token-only", 0, ALL, BY_TOKEN, "ask for no passphrase when no token opens"),
	[OPTION_TOKEN_REPLACE] =
		FLAG("token-replace", 0, V(TOKEN), ALL, "import over the token that is there"),
	[OPTION_TOKEN_TYPE] = { "token-type", 0, KIND_TEXT, "TYPE", ALL, BY_TOKEN,
				"open by tokens of this type alone" },
	[OPTION_TPM] = FLAG("tpm", 0, OURS(V(ENROLL)), ALL, "enroll a key that the TPM seals"),
	[OPTION_TPM_CHECK_SECUREBOOT] = FLAG("tpm-check-secureboot", 0, OURS(V(ENROLL)), ALL,
					     "only while Secure Boot is on"),
	[OPTION_TPM_PCRS] = { "tpm-pcrs", 0, KIND_TEXT, "LIST", OURS(V(ENROLL)), ALL,
			      "bind it to what these PCRs hold: 7" },
	[OPTION_TPM_POLICY] = { "tpm-policy", 0, KIND_TEXT, "DIR", SOURCES, ALL,
				"where the signed policy of PCR 11 is" },
	[OPTION_TRIES] = { "tries", 'T', KIND_UINT32, "NUMBER", ALL, ALL,
			   "ask so often on a terminal: 3" },
	[OPTION_TRY_KEYS] = FLAG("try-keys", 0, OURS(DECLARED &V(PLAN)), ALL,
				 "have each new key sealed, and throw it away"),
	[OPTION_TYPE] = { "type", 'M', KIND_TEXT, "TYPE", ALL, ALL, "luks or luks2" },
	[OPTION_UNBOUND] =
		FLAG("unbound", 0, V(ADD_KEY) | V(DUMP) | V(OPEN) | V(TOKEN),
		     V(ADD_KEY) | V(DUMP) | V(OPEN), "a key slot whose key belongs to no data"),
	[OPTION_USE_DIRECTIO] = LACK("use-directio", 0, KIND_FLAG, ALL),
	[OPTION_USE_FSYNC] = LACK("use-fsync", 0, KIND_FLAG, ALL),
	[OPTION_USE_RANDOM] =
		FLAG("use-random", 0, FORMATS, ALL, "volume key from getrandom(2), as always"),
	[OPTION_USE_URANDOM] =
		FLAG("use-urandom", 0, FORMATS, ALL, "volume key from getrandom(2), as always"),
	[OPTION_UUID] = { "uuid", 0, KIND_TEXT, "UUID", FORMATS | V(UUID), ALL,
			  "UUID for the header" },
	[OPTION_VERACRYPT] = LACK("veracrypt", 0, KIND_FLAG, ALL),
	[OPTION_VERACRYPT_PIM] = LACK("veracrypt-pim", 0, KIND_UINT32, V(OPEN) | V(FOREIGN)),
	[OPTION_VERACRYPT_QUERY_PIM] =
		LACK("veracrypt-query-pim", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_VERBOSE] = FLAG("verbose", 'v', ALL, ALL, "say more"),
	[OPTION_VERIFY_PASSPHRASE] =
		FLAG("verify-passphrase", 'y', ALL, ALL, "ask for the passphrase twice"),
	[OPTION_VOLUME_KEY_FILE] = { "volume-key-file", 0, KIND_TEXT, "FILE", ALL, ALL,
				     "the volume key is in this file" },
	[OPTION_WAIT] = { "wait", 0, KIND_UINT32, "SECS",
			  OURS(DECLARED &(V(APPLY) | V(PLAN) | V(UP))), ALL,
			  "ask a KMS again for so long: 30" },
	[OPTION_WRITE_LOG] = LACK("write-log", 0, KIND_FLAG, ALL),
	[OPTION_YES] = FLAG("yes", 0, OURS(RESETS), ALL, "do not ask whether it is meant"),
};

const struct option_alias option_aliases[] = {
	{ "master-key-file", OPTION_VOLUME_KEY_FILE },
	{ "dump-master-key", OPTION_DUMP_VOLUME_KEY },
	{ "new", OPTION_ENCRYPT },
	{ NULL, OPTION_COUNT },
};
