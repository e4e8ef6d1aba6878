/* SPDX-License-Identifier: MIT */
/*
 * The table of options. Names, letters and permitted verbs follow cryptsetup 2.6.1. Options that
 * only cryptsetup has are listed so that they are refused by name.
 */
#include "cli/option_table.h"

#define V(verb) (UINT64_C(1) << (VERB_##verb))

#define ALL	UINT64_MAX
#define NONE	UINT64_C(0)
/* Verbs that this build lacks take no options. */
#define DECLARED                                                                                   \
	(MORTISE_DECLARED ? V(APPLY) | V(PLAN) | V(UP) | V(GROW) | V(DOWN) | V(STATUS) | V(TRIM) | \
				    V(CONTINUE)                                                    \
			  : NONE)
/* The verbs that open volumes, and those for META and for resetting. */
#define BRINGS_UP	 (DECLARED & (V(APPLY) | V(UP) | V(GROW)))
/* --from-config. */
#define CONFIGURED	 (MORTISE_DECLARED ? V(ENROLL) : NONE)
#define META		 (MORTISE_DECLARED ? V(META) : NONE)
#define RESETS		 (MORTISE_DECLARED ? V(RESET) : NONE)
#define MEASURES	 (MORTISE_BENCHMARK ? V(BENCHMARK) : NONE)
/* The help of options of a verb that this build may lack; without it, they are not listed. */
#define REENCRYPTS(help) (MORTISE_REENCRYPTION ? (help) : NULL)
/* The bit marks options that cryptsetup does not have. */
#define EXTENSION(verbs) ((verbs) ? (verbs) | OPTION_EXTENSION : NONE)
#define FORMATS		 (V(FORMAT) | V(REENCRYPT))
#define SLOT_MAKERS	 (V(FORMAT) | V(ADD_KEY) | V(CHANGE_KEY) | V(CONVERT_KEY) | V(REENCRYPT))
#define SLOT_TAKERS                                                                    \
	(V(OPEN) | V(REENCRYPT) | V(CONFIG) | V(FORMAT) | V(ADD_KEY) | V(CHANGE_KEY) | \
	 V(CONVERT_KEY) | V(DUMP) | V(TOKEN) | V(RESUME))
/* The verbs that format or open a keyslot. */
#define OPENS                                                                              \
	(V(OPEN) | V(FORMAT) | V(ADD_KEY) | V(CHANGE_KEY) | V(REMOVE_KEY) | V(KILL_SLOT) | \
	 V(DUMP) | V(ENROLL) | V(SEAL) | V(RESIZE) | V(RESUME) | V(CONVERT_KEY) | V(REENCRYPT))
/* The verbs that can unseal by a token, and those that contact a KMS or TPM. */
#define BY_TOKEN (V(OPEN) | V(ADD_KEY) | V(ENROLL) | V(SEAL) | V(RESIZE) | V(RESUME))
#define SOURCES	 EXTENSION(DECLARED | BY_TOKEN | V(REENCRYPT))
/* The verbs on a header, and those that read a passphrase or choose the cost of a keyslot. */
#define HEADERS                                                                           \
	(OPENS | V(REPAIR) | V(REENCRYPT) | V(ERASE) | V(CONVERT) | V(CONFIG) | V(UUID) | \
	 V(IS_LUKS) | V(SUSPEND) | V(RESUME) | V(CONVERT_KEY) | V(HEADER_BACKUP) |        \
	 V(HEADER_RESTORE) | V(CHECK) | V(TOKEN) | V(STATUS))
#define PASSPHRASES (OPENS | V(CONVERT_KEY) | V(RESUME) | V(REENCRYPT))
#define COSTS	    (SLOT_MAKERS | V(BENCHMARK) | BRINGS_UP)
/* Where cryptsetup accepts an option that only these verbs use, so does mortise. */
#define USED(verbs) ((verbs) | OPTION_IGNORED)

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
	[OPTION_USAGE] = FLAG("usage", 0, ALL, ALL, "show a short usage message"),
	[OPTION_VERSION] = FLAG("version", 'V', ALL, ALL, "show the version"),
	[OPTION_ACTIVE_NAME] = { "active-name", 0, KIND_TEXT, "NAME", ALL, USED(V(REENCRYPT)),
				 REENCRYPTS("re-encrypt this active mapping online") },
	[OPTION_ADOPT] = FLAG("adopt", 0, EXTENSION(DECLARED &(V(PLAN) | V(UP))), ALL,
			      "accept volumes that are not sealed or not known, as apply does"),
	[OPTION_ALIGN_PAYLOAD] = { "align-payload", 0, KIND_UINT32, "SECTORS", FORMATS, ALL,
				   "align the start of the data to a multiple of this" },
	[OPTION_ALLOW_CIPHER] = { "allow-cipher", 0, KIND_TEXT, "CIPHER", EXTENSION(OPENS), ALL,
				  "accept this cipher, although it is not on the list" },
	[OPTION_ALLOW_DISCARDS] =
		FLAG("allow-discards", 0, V(OPEN), ALL, "allow discard (TRIM) requests"),
	[OPTION_BATCH_MODE] = FLAG("batch-mode", 'q', ALL, ALL, "do not ask for confirmation"),
	[OPTION_BLOCK_SIZE] = LACK("block-size", 'B', KIND_UINT32, ALL),
	[OPTION_CANCEL_DEFERRED] =
		FLAG("cancel-deferred", 0, V(CLOSE), ALL, "cancel a deferred close"),
	[OPTION_CHECK] =
		FLAG("check", 0, EXTENSION(V(SEAL)), ALL, "check the seal and change nothing"),
	[OPTION_CHECK_KEYS] = FLAG("check-keys", 0, EXTENSION(DECLARED), ALL,
				   "try every keyslot, including unchanged ones"),
	[OPTION_CIPHER] = { "cipher", 'c', KIND_TEXT, "CIPHER", ALL,
			    USED(FORMATS | V(BENCHMARK) | V(OPEN)),
			    "cipher of the data (default: aes-xts-plain64)" },
	[OPTION_COMPARE] = FLAG("compare", 0, EXTENSION(MEASURES), ALL, "compare two result files"),
	[OPTION_DECRYPT] =
		FLAG("decrypt", 0, ALL, USED(V(REENCRYPT)), REENCRYPTS("decrypt the data")),
	[OPTION_DEBUG] =
		FLAG("debug", 0, ALL, ALL, "print headers, times, error codes and offsets"),
	[OPTION_DEBUG_JSON] = FLAG("debug-json", 0, ALL, ALL,
				   "as --debug, and print the metadata of each header"),
	[OPTION_DEFERRED] = FLAG("deferred", 0, V(CLOSE), ALL,
				 "close the mapping when its last user closes it"),
	[OPTION_DESTROY_DATA] = FLAG("destroy-data", 0, EXTENSION(MEASURES), ALL,
				     "also write to the measured device"),
	[OPTION_DEVICE] = { "device", 0, KIND_LIST, "NAME=PATH",
			    EXTENSION(DECLARED | CONFIGURED | MEASURES | META | RESETS), ALL,
			    "device of a declared volume; device to measure" },
	[OPTION_DEVICE_SIZE] = { "device-size", 0, KIND_SIZE, "BYTES",
				 V(OPEN) | V(RESIZE) | V(REENCRYPT), ALL,
				 "size of the mapping in bytes" },
	[OPTION_DISABLE_EXTERNAL_TOKENS] =
		FLAG("disable-external-tokens", 0, ALL, USED(BY_TOKEN | V(RESUME)),
		     "use only tokens of type luks2-keyring"),
	[OPTION_DISABLE_KEYRING] =
		FLAG("disable-keyring", 0, ALL, USED(V(OPEN) | V(RESIZE) | V(RESUME)),
		     "do not load the volume key into the kernel keyring"),
	[OPTION_DISABLE_LOCKS] =
		FLAG("disable-locks", 0, ALL, USED(HEADERS), "do not lock the metadata"),
	[OPTION_DISABLE_VERACRYPT] = LACK("disable-veracrypt", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_DROP] = FLAG("drop", 0, EXTENSION(RESETS), ALL, "delete the partitions afterwards"),
	[OPTION_DRY_RUN] = FLAG("dry-run", 0, EXTENSION((DECLARED & V(APPLY)) | V(REPAIR)), ALL,
				"show what would be done, and do nothing"),
	[OPTION_DUMP_JSON] =
		FLAG("dump-json-metadata", 0, ALL, USED(V(DUMP)), "print the metadata as JSON"),
	[OPTION_DUMP_VOLUME_KEY] =
		FLAG("dump-volume-key", 0, ALL, USED(V(DUMP)), "print the volume key"),
	[OPTION_ENCRYPT] = FLAG("encrypt", 'N', ALL, USED(V(REENCRYPT)),
				REENCRYPTS("encrypt the data of a plain device")),
	[OPTION_EXTEND_PCR] = { "extend-pcr", 0, KIND_TEXT, "N:WORD", EXTENSION(BRINGS_UP), ALL,
				"extend a PCR once all volumes are ready" },
	[OPTION_EXTERNAL_TOKENS_PATH] =
		LACK("external-tokens-path", 0, KIND_TEXT, EXTENSION(BY_TOKEN)),
	[OPTION_FILE] = { "file", 'f', KIND_TEXT, "FILE", EXTENSION(DECLARED | CONFIGURED), ALL,
			  "configuration file (default: /etc/mortise/config.yaml)" },
	[OPTION_FORCE] = FLAG("force", 0, EXTENSION((DECLARED & V(TRIM)) | V(HEADER_RESTORE)), ALL,
			      "trim before it is due; restore a header of another layout"),
	[OPTION_FORCE_OFFLINE_REENCRYPT] =
		FLAG("force-offline-reencrypt", 0, V(REENCRYPT), ALL,
		     REENCRYPTS("re-encrypt a file, or with larger sectors, offline")),
	[OPTION_FORCE_PASSWORD] = FLAG("force-password", 0, ALL, USED(SLOT_MAKERS),
				       "no effect: passphrase quality is never checked"),
	[OPTION_FORMAT] = { "format", 0, KIND_TEXT, "FORMAT", EXTENSION(V(ENROLL)), ALL,
			    "token of a TPM key: talos or systemd (default: talos)" },
	[OPTION_FROM_CONFIG] = FLAG("from-config", 0, EXTENSION(CONFIGURED), ALL,
				    "unlock a declared volume with a declared key"),
	[OPTION_FULL] = FLAG("full", 0, EXTENSION(RESETS), ALL,
			     "overwrite the whole device, not only the keys"),
	[OPTION_HASH] = { "hash", 'h', KIND_TEXT, "HASH", ALL,
			  USED(SLOT_MAKERS | V(BENCHMARK) | V(OPEN)),
			  "hash of splitter, digest and PBKDF2 (default: sha256)" },
	[OPTION_HEADER] = { "header", 0, KIND_TEXT, "PATH", ALL, USED(HEADERS),
			    "device or file with a detached header" },
	[OPTION_HOTZONE_SIZE] = { "hotzone-size", 0, KIND_SIZE, "BYTES", V(REENCRYPT), ALL,
				  REENCRYPTS("re-encrypt at most this much at a time (maximum: "
					     "24M)") },
	[OPTION_INIT_ONLY] = FLAG("init-only", 0, ALL, USED(V(REENCRYPT)),
				  REENCRYPTS("only write the header that begins it")),
	[OPTION_HEADER_BACKUP_FILE] = { "header-backup-file", 0, KIND_TEXT, "FILE", ALL,
					USED(V(HEADER_BACKUP) | V(HEADER_RESTORE) | V(CHECK)),
					"file with the backup of the header" },
	[OPTION_INTEGRITY] = { "integrity", 'I', KIND_TEXT, "TYPE", FORMATS, V(FORMAT),
			       "authenticate the data: hmac-sha256, aead, ..." },
	[OPTION_INTEGRITY_INLINE] = FLAG("integrity-inline", 0, EXTENSION(V(FORMAT)), ALL,
					 "store the tags in the sectors of the device"),
	[OPTION_INTEGRITY_KEY_SIZE] = { "integrity-key-size", 0, KIND_UINT32, "BITS",
					EXTENSION(V(FORMAT)), ALL, "size of the HMAC's key" },
	[OPTION_INTEGRITY_LEGACY_PADDING] =
		FLAG("integrity-legacy-padding", 0, ALL, USED(V(FORMAT)),
		     "pad the tags as Linux before 5.4"),
	[OPTION_INTEGRITY_NO_JOURNAL] = FLAG("integrity-no-journal", 0, ALL, USED(V(OPEN)),
					     "write data and tags without a journal"),
	[OPTION_INTEGRITY_NO_WIPE] = FLAG("integrity-no-wipe", 0, FORMATS, V(FORMAT),
					  "do not write the tags of the whole device"),
	[OPTION_ITER_TIME] = { "iter-time", 'i', KIND_UINT32, "MSECS",
			       SLOT_MAKERS | V(BENCHMARK) | BRINGS_UP, ALL,
			       "target time of an unlock (default: 2000)" },
	[OPTION_IV_LARGE_SECTORS] = FLAG("iv-large-sectors", 0, V(OPEN), ALL,
					 "plain: number sectors in units of the sector size"),
	[OPTION_JSON] = FLAG("json", 0, EXTENSION(DECLARED | MEASURES | META | V(CHECK)), ALL,
			     "print one JSON document to standard output"),
	[OPTION_JSON_FILE] = { "json-file", 0, KIND_TEXT, "FILE", ALL, USED(V(TOKEN)),
			       "file to read the token from or write it to" },
	[OPTION_KEEP_KEY] =
		FLAG("keep-key", 0, V(REENCRYPT), ALL, REENCRYPTS("keep the volume key")),
	[OPTION_KEY_DESCRIPTION] = { "key-description", 0, KIND_TEXT, "NAME", ALL, V(TOKEN),
				     "key in the kernel's keyrings that holds the passphrase" },
	[OPTION_KEY_FILE] = { "key-file", 'd', KIND_TEXT, "FILE", ALL, USED(PASSPHRASES | MEASURES),
			      "read the passphrase from a file (-: standard input)" },
	[OPTION_KEY_SIZE] = { "key-size", 's', KIND_UINT32, "BITS",
			      V(OPEN) | V(BENCHMARK) | V(FORMAT) | V(REENCRYPT) | V(ADD_KEY) |
				      V(ENROLL),
			      ALL, "size of the volume key" },
	[OPTION_KEY_SLOT] = { "key-slot", 'S', KIND_SLOT, "SLOT",
			      SLOT_TAKERS | MEASURES | V(ENROLL), ALL, "keyslot number" },
	[OPTION_KEYFILE_OFFSET] = { "keyfile-offset", 0, KIND_UINT64, "BYTES", ALL,
				    USED(PASSPHRASES | MEASURES),
				    "skip this many bytes of the key file" },
	[OPTION_KEYFILE_SIZE] = { "keyfile-size", 'l', KIND_UINT32, "BYTES", ALL,
				  USED(PASSPHRASES | MEASURES),
				  "read at most this many bytes of the key file" },
	[OPTION_KEYSLOT_CIPHER] = { "keyslot-cipher", 0, KIND_TEXT, "CIPHER", SLOT_MAKERS, ALL,
				    "cipher of the new keyslot's area" },
	[OPTION_KEYSLOT_KEY_SIZE] = { "keyslot-key-size", 0, KIND_UINT32, "BITS", SLOT_MAKERS, ALL,
				      "key size of the new keyslot's area" },
	[OPTION_KMS] = { "kms", 0, KIND_TEXT, "ENDPOINT", EXTENSION(BY_TOKEN | V(REENCRYPT)), ALL,
			 "KMS that seals the key, or that unseals a token" },
	[OPTION_KMS_CA] = { "kms-ca", 0, KIND_TEXT, "FILE", SOURCES, ALL,
			    "CA certificates for the KMS (PEM)" },
	[OPTION_KMS_CERT] = { "kms-cert", 0, KIND_TEXT, "FILE", SOURCES, ALL,
			      "client certificate for the KMS (PEM)" },
	[OPTION_KMS_KEY] = { "kms-key", 0, KIND_TEXT, "FILE", SOURCES, ALL,
			     "private key of the client certificate (PEM)" },
	[OPTION_LABEL] = { "label", 0, KIND_TEXT, "TEXT", FORMATS | V(CONFIG), ALL,
			   "label of the header" },
	[OPTION_LOG] = { "log", 0, KIND_TEXT, "kmsg|stderr", EXTENSION(DECLARED | RESETS), ALL,
			 "write messages to the kernel log" },
	[OPTION_LIMIT_RATE] = { "limit-rate", 0, KIND_SIZE, "BYTES",
				EXTENSION(V(REENCRYPT) | (DECLARED & V(CONTINUE))), ALL,
				REENCRYPTS("re-encrypt at most this much per second") },
	[OPTION_LINK_VK_TO_KEYRING] = { "link-vk-to-keyring", 0, KIND_TEXT, "KEYRING::KEY",
					EXTENSION(V(OPEN) | V(RESUME)), ALL,
					"store the volume key in a keyring" },
	[OPTION_LUKS2_KEYSLOTS_SIZE] = { "luks2-keyslots-size", 0, KIND_SIZE, "SIZE", FORMATS, ALL,
					 "size of the keyslots area" },
	[OPTION_LUKS2_METADATA_SIZE] = { "luks2-metadata-size", 0, KIND_SIZE, "SIZE", FORMATS, ALL,
					 "size of one header copy" },
	[OPTION_MAPPING] = FLAG("mapping", 0, EXTENSION(MEASURES), ALL,
				"also measure creating a mapping, with a random key"),
	[OPTION_MAX_UNLOCK_TIME] = { "max-unlock-time", 0, KIND_UINT32, "SECS",
				     EXTENSION((OPENS & ~V(FORMAT)) | BRINGS_UP |
					       (DECLARED & V(PLAN))),
				     ALL,
				     "refuse a keyslot that takes longer (default: 60, 30 in up)" },
	[OPTION_NEW_KEY_SLOT] = { "new-key-slot", 0, KIND_SLOT, "SLOT", V(ADD_KEY), ALL,
				  "number of the new keyslot" },
	[OPTION_NEW_KEYFILE] = { "new-keyfile", 0, KIND_TEXT, "FILE", V(ADD_KEY), ALL,
				 "read the new passphrase from a file" },
	[OPTION_NEW_KEYFILE_OFFSET] = { "new-keyfile-offset", 0, KIND_UINT64, "BYTES", ALL,
					USED(V(ADD_KEY) | V(CHANGE_KEY)),
					"skip this many bytes of the new key file" },
	[OPTION_NEW_KEYFILE_SIZE] = { "new-keyfile-size", 0, KIND_UINT32, "BYTES", ALL,
				      USED(V(ADD_KEY) | V(CHANGE_KEY)),
				      "read at most this many bytes of the new key file" },
	[OPTION_NEW_TOKEN_ID] = { "new-token-id", 0, KIND_SLOT, "TOKEN", V(ADD_KEY), ALL,
				  "token that holds the new passphrase" },
	[OPTION_NO_MOUNT] = FLAG("no-mount", 0, EXTENSION(DECLARED & ~V(APPLY)), ALL,
				 "stop once the mappings exist"),
	[OPTION_NODE_UUID] = { "node-uuid", 0, KIND_TEXT, "UUID", SOURCES, ALL,
			       "use this UUID instead of the machine's" },
	[OPTION_OFFSET] = { "offset", 'o', KIND_UINT64, "SECTORS",
			    V(OPEN) | V(REENCRYPT) | V(FORMAT), ALL,
			    "start of the data in sectors of 512 bytes" },
	[OPTION_PBKDF] = { "pbkdf", 0, KIND_TEXT, "argon2id|argon2i|pbkdf2",
			   SLOT_MAKERS | V(BENCHMARK), ALL,
			   "key derivation function of the keyslot" },
	[OPTION_PBKDF_FORCE_ITERATIONS] = { "pbkdf-force-iterations", 0, KIND_UINT32, "NUMBER",
					    SLOT_MAKERS | MEASURES | BRINGS_UP, ALL,
					    "use this cost, without a benchmark" },
	[OPTION_PBKDF_MEMORY] = { "pbkdf-memory", 0, KIND_UINT32, "KIB", ALL, USED(COSTS),
				  "memory limit of an unlock" },
	[OPTION_PBKDF_PARALLEL] = { "pbkdf-parallel", 0, KIND_UINT32, "THREADS", ALL, USED(COSTS),
				    "thread limit of an unlock" },
	[OPTION_PERF_NO_READ_WORKQUEUE] = FLAG("perf-no_read_workqueue", 0, ALL, USED(V(OPEN)),
					       "decrypt without the read workqueue"),
	[OPTION_PERF_NO_WRITE_WORKQUEUE] = FLAG("perf-no_write_workqueue", 0, ALL, USED(V(OPEN)),
						"encrypt without the write workqueue"),
	[OPTION_PERF_SAME_CPU_CRYPT] = FLAG("perf-same_cpu_crypt", 0, ALL, USED(V(OPEN)),
					    "encrypt on the processor that submits the request"),
	[OPTION_PERF_SUBMIT_FROM_CRYPT_CPUS] =
		FLAG("perf-submit_from_crypt_cpus", 0, ALL, USED(V(OPEN)),
		     "submit writes from the processor that encrypts"),
	[OPTION_PERSISTENT] =
		FLAG("persistent", 0, V(OPEN), ALL, "store the activation flags in the header"),
	[OPTION_PRIORITY] = { "priority", 0, KIND_TEXT, "ignore|normal|prefer", V(CONFIG), ALL,
			      "keyslot priority" },
	[OPTION_PROGRESS_FREQUENCY] = { "progress-frequency", 0, KIND_UINT32, "SECS", ALL,
					USED(FORMATS), "print the progress this often" },
	[OPTION_PROGRESS_JSON] =
		FLAG("progress-json", 0, FORMATS, ALL, "print the progress as JSON lines"),
	[OPTION_PROMETHEUS] = FLAG("prometheus", 0, EXTENSION(DECLARED &V(STATUS)), ALL,
				   "print metrics for Prometheus's textfile collector"),
	[OPTION_QUICK] =
		FLAG("quick", 0, EXTENSION(MEASURES), ALL, "make only a few short measurements"),
	[OPTION_READONLY] = FLAG("readonly", 'r', ALL, USED(V(OPEN)), "create a read-only mapping"),
	[OPTION_REBOOT] = FLAG("reboot", 0, EXTENSION((DECLARED & V(APPLY)) | RESETS), ALL,
			       "reboot the machine afterwards"),
	[OPTION_RECOVERY] = FLAG("recovery", 0, EXTENSION(BRINGS_UP), ALL,
				 "ask for a recovery key if no declared key opens"),
	[OPTION_RECOVERY_DIR] = { "recovery-dir", 0, KIND_TEXT, "DIR", EXTENSION(BRINGS_UP), ALL,
				  "write new recovery keys to files in this directory" },
	[OPTION_RECOVERY_FILE] = { "recovery-file", 0, KIND_TEXT, "FILE", EXTENSION(V(ENROLL)), ALL,
				   "write the recovery key to a new file" },
	[OPTION_RECOVERY_KEY] =
		FLAG("recovery-key", 0, EXTENSION(V(ENROLL)), ALL, "enroll a recovery key"),
	[OPTION_RECREATE] = FLAG("recreate", 0, EXTENSION(DECLARED &(V(APPLY) | V(PLAN))), ALL,
				 "create partitions again of known volumes that are missing"),
	[OPTION_REDUCE_DEVICE_SIZE] = { "reduce-device-size", 0, KIND_SIZE, "BYTES", ALL,
					USED(V(REENCRYPT)),
					REENCRYPTS(
						"bytes at the end that the data does not need") },
	[OPTION_REFRESH] =
		FLAG("refresh", 0, V(OPEN), ALL, "change the flags of an active mapping"),
	[OPTION_REPLACE] = FLAG("replace", 0, EXTENSION(V(ENROLL)), ALL,
				"replace the recovery key of the keyslot"),
	[OPTION_RESILIENCE] = { "resilience", 0, KIND_TEXT, "MODE", ALL, USED(V(REENCRYPT)),
				REENCRYPTS("protection: checksum (default), journal or none") },
	[OPTION_RESILIENCE_HASH] = { "resilience-hash", 0, KIND_TEXT, "HASH", ALL,
				     USED(V(REENCRYPT)),
				     REENCRYPTS("hash of the checksums (default: sha256)") },
	[OPTION_RESUME_ONLY] = FLAG("resume-only", 0, ALL, USED(V(REENCRYPT)),
				    REENCRYPTS("only continue what has begun")),
	[OPTION_ROOT] = { "root", 0, KIND_TEXT, "DIR", EXTENSION(DECLARED | CONFIGURED), ALL,
			  "prefix for mount points" },
	[OPTION_RUNS] = { "runs", 0, KIND_UINT32, "NUMBER", EXTENSION(MEASURES), ALL,
			  "runs of each measurement (default: 7, more if short)" },
	[OPTION_SCALE] = { "scale", 0, KIND_TEXT, "FILE", EXTENSION(MEASURES), ALL,
			   "choose for the machine of this result file" },
	[OPTION_SEALED] = FLAG("sealed", 0, EXTENSION(V(OPEN) | V(RESIZE) | V(RESUME)), ALL,
			       "refuse a header whose seal is missing or does not match"),
	[OPTION_SECTOR_SIZE] = { "sector-size", 0, KIND_UINT32, "BYTES",
				 V(OPEN) | V(REENCRYPT) | V(FORMAT), ALL,
				 "encryption sector size" },
	[OPTION_SERIALIZE_MEMORY_HARD_PBKDF] =
		LACK("serialize-memory-hard-pbkdf", 0, KIND_FLAG, V(OPEN)),
	[OPTION_SHARED] =
		FLAG("shared", 0, V(OPEN), ALL, "plain: other mappings may use the device"),
	[OPTION_SIZE] = { "size", 'b', KIND_UINT64, "SECTORS", V(OPEN) | V(RESIZE), ALL,
			  "size of the mapping in sectors of 512 bytes" },
	[OPTION_SKIP] = { "skip", 'p', KIND_UINT64, "SECTORS", V(OPEN), ALL,
			  "plain: add this to the number of each sector" },
	[OPTION_STAGED] = FLAG("staged", 0, EXTENSION((DECLARED & V(APPLY)) | RESETS), ALL,
			       "store the configuration, or order the reset, for the next boot"),
	[OPTION_SUBSYSTEM] = { "subsystem", 0, KIND_TEXT, "TEXT", FORMATS | V(CONFIG), ALL,
			       "subsystem label of the header" },
	[OPTION_SYSTEM_DISK] = { "system-disk", 0, KIND_TEXT, "PATH",
				 EXTENSION(DECLARED &(V(APPLY) | V(PLAN))), ALL,
				 "create missing partitions, on a blank machine on this disk" },
	[OPTION_TARGET_MEMORY] = { "target-memory", 0, KIND_SIZE, "SIZE", EXTENSION(MEASURES), ALL,
				   "memory limit of an unlock (default: 1G)" },
	[OPTION_TARGET_MS] = { "target-ms", 0, KIND_UINT32, "MSECS", EXTENSION(MEASURES), ALL,
			       "target time of an unlock (default: 2000)" },
	[OPTION_TCRYPT_BACKUP] = LACK("tcrypt-backup", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_TCRYPT_HIDDEN] = LACK("tcrypt-hidden", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_TCRYPT_SYSTEM] = LACK("tcrypt-system", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_TCTI] = { "tcti", 0, KIND_TEXT, "TCTI", SOURCES, ALL,
			  "TPM interface (default: /dev/tpmrm0, then /dev/tpm0)" },
	[OPTION_TEST_ARGS] = FLAG("test-args", 0, ALL, ALL, "check the arguments only"),
	[OPTION_TEST_PASSPHRASE] = FLAG("test-passphrase", 0, V(OPEN), ALL,
					"check the passphrase without creating a mapping"),
	[OPTION_TIME_LIMIT] = { "time-limit", 0, KIND_UINT32, "SECS", EXTENSION(MEASURES), ALL,
				"time limit of the measurements" },
	[OPTION_TIMEOUT] = { "timeout", 't', KIND_UINT32, "SECS", ALL,
			     USED(PASSPHRASES | BRINGS_UP), "passphrase prompt timeout" },
	[OPTION_TOKEN_ID] = { "token-id", 0, KIND_SLOT, "TOKEN", ALL, BY_TOKEN | V(TOKEN),
			      "token number" },
	[OPTION_TOKEN_ONLY] = FLAG("token-only", 0, ALL, BY_TOKEN,
				   "do not ask for a passphrase if no token opens"),
	[OPTION_TOKEN_REPLACE] =
		FLAG("token-replace", 0, V(TOKEN), ALL, "replace an existing token"),
	[OPTION_TOKEN_TYPE] = { "token-type", 0, KIND_TEXT, "TYPE", ALL, BY_TOKEN,
				"use only tokens of this type" },
	[OPTION_TPM] = FLAG("tpm", 0, EXTENSION(V(ENROLL)), ALL, "enroll a key sealed by the TPM"),
	[OPTION_TPM_CHECK_SECUREBOOT] = FLAG("tpm-check-secureboot", 0, EXTENSION(V(ENROLL)), ALL,
					     "enroll only if Secure Boot is enabled"),
	[OPTION_TPM_PCRS] = { "tpm-pcrs", 0, KIND_TEXT, "LIST", EXTENSION(V(ENROLL)), ALL,
			      "PCRs to bind the key to (default: 7)" },
	[OPTION_TPM_PIN] = FLAG("tpm-pin", 0, EXTENSION(V(ENROLL)), ALL,
				"ask for a PIN that the TPM key also requires"),
	[OPTION_TPM_POLICY] = { "tpm-policy", 0, KIND_TEXT, "DIR", SOURCES, ALL,
				"directory of the signed PCR 11 policy" },
	[OPTION_TRIES] = { "tries", 'T', KIND_UINT32, "NUMBER", ALL, USED(PASSPHRASES & ~V(FORMAT)),
			   "number of passphrase attempts (default: 3)" },
	[OPTION_TRUST] = { "trust", 0, KIND_TEXT, "FILE",
			   EXTENSION((DECLARED & ~V(DOWN)) | CONFIGURED), ALL,
			   "trust file (default: /etc/mortise/trust.yaml)" },
	[OPTION_TRY_KEYS] = FLAG("try-keys", 0, EXTENSION(DECLARED &V(PLAN)), ALL,
				 "seal each new key by its KMS or TPM, and discard it"),
	[OPTION_TYPE] = { "type", 'M', KIND_TEXT, "TYPE", ALL, USED(HEADERS),
			  "luks, luks2 or plain" },
	[OPTION_UNBOUND] = FLAG("unbound", 0, V(ADD_KEY) | V(DUMP) | V(OPEN) | V(TOKEN), ALL,
				"keyslot whose key belongs to no segment"),
	[OPTION_USE_DIRECTIO] = LACK("use-directio", 0, KIND_FLAG, ALL),
	[OPTION_USE_FSYNC] = LACK("use-fsync", 0, KIND_FLAG, ALL),
	[OPTION_USE_RANDOM] =
		FLAG("use-random", 0, FORMATS, ALL, "no effect: getrandom(2) is always used"),
	[OPTION_USE_URANDOM] =
		FLAG("use-urandom", 0, FORMATS, ALL, "no effect: getrandom(2) is always used"),
	[OPTION_UUID] = { "uuid", 0, KIND_TEXT, "UUID", FORMATS | V(UUID), ALL,
			  "UUID of the header" },
	[OPTION_VERACRYPT] = LACK("veracrypt", 0, KIND_FLAG, ALL),
	[OPTION_VERACRYPT_PIM] = LACK("veracrypt-pim", 0, KIND_UINT32, V(OPEN) | V(FOREIGN)),
	[OPTION_VERACRYPT_QUERY_PIM] =
		LACK("veracrypt-query-pim", 0, KIND_FLAG, V(OPEN) | V(FOREIGN)),
	[OPTION_VERBOSE] = FLAG("verbose", 'v', ALL, ALL, "print more details"),
	[OPTION_VERIFY_PASSPHRASE] = FLAG("verify-passphrase", 'y', ALL, USED(PASSPHRASES),
					  "ask for the passphrase twice"),
	[OPTION_VOLUME] = { "volume", 0, KIND_TEXT, "ID", EXTENSION(V(SEAL)), ALL,
			    "id of the declared volume, such as STATE or u-data" },
	[OPTION_VOLUME_KEY_FILE] = { "volume-key-file", 0, KIND_TEXT, "FILE", ALL,
				     USED(V(OPEN) | V(FORMAT) | V(ADD_KEY) | V(DUMP) | V(ENROLL) |
					  V(SEAL) | V(RESUME)),
				     "read the volume key from this file" },
	[OPTION_VOLUME_KEY_KEYRING] = { "volume-key-keyring", 0, KIND_TEXT, "KEY",
					EXTENSION(V(OPEN) | V(RESUME) | V(ADD_KEY) | V(SEAL) |
						  V(ENROLL)),
					ALL, "read the volume key from the kernel's keyrings" },
	[OPTION_WAIT] = { "wait", 0, KIND_UINT32, "SECS",
			  EXTENSION((DECLARED & (V(APPLY) | V(PLAN) | V(UP))) | CONFIGURED), ALL,
			  "how long to retry an unreachable KMS (default: 30)" },
	[OPTION_WITHDRAW] =
		FLAG("withdraw", 0, EXTENSION(RESETS), ALL, "withdraw the order of reset --staged"),
	[OPTION_WRITE_LOG] = LACK("write-log", 0, KIND_FLAG, ALL),
	[OPTION_YES] = FLAG("yes", 0, EXTENSION(RESETS), ALL, "do not ask for confirmation"),
};

const struct option_alias option_aliases[] = {
	{ "master-key-file", OPTION_VOLUME_KEY_FILE },
	{ "dump-master-key", OPTION_DUMP_VOLUME_KEY },
	{ "new", OPTION_ENCRYPT },
	{ NULL, OPTION_COUNT },
};
