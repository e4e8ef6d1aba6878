/* SPDX-License-Identifier: MIT */
/* The table of verbs and their older names. A row without a function is refused by name. */
#include <string.h>

#include "cli/verbs.h"

/* Parts that a build may leave out. */
#define DECLARED(run)	(MORTISE_DECLARED ? (run) : NULL)
#define LUKS1(run)	(MORTISE_LUKS1 ? (run) : NULL)
#define MEASURES(run)	(MORTISE_BENCHMARK ? (run) : NULL)
#define REENCRYPTS(run) (MORTISE_REENCRYPTION ? (run) : NULL)

static const struct verb verbs[] = {
	{ "open", VERB_OPEN, run_open, check_open, 1, "<device> [--type <type>] [<name>]",
	  "open a device as /dev/mapper/<name>", false },
	{ "close", VERB_CLOSE, run_close, check_close, 1, "<name>", "remove the mapping", false },
	{ "status", VERB_STATUS, run_status, check_status, 1, "<name>",
	  "show the state of a mapping, or of all declared volumes", false },
	{ "refresh", VERB_OPEN, run_refresh, check_refresh, 1, "<name>",
	  "change the activation flags of a mapping", false },
	{ "resize", VERB_RESIZE, run_resize, check_resize, 1, "<name>",
	  "change the size of a mapping", false },
	{ "luksSuspend", VERB_SUSPEND, run_luks_suspend, NULL, 1, "<name>",
	  "freeze a mapping and wipe its key from memory", false },
	{ "luksResume", VERB_RESUME, run_luks_resume, check_resume, 1, "<name>",
	  "give a frozen mapping its key again", false },
	{ "luksFormat", VERB_FORMAT, run_luks_format, check_format, 1, "<device> [<new key file>]",
	  "create a LUKS2 header", false },
	{ "luksAddKey", VERB_ADD_KEY, run_luks_add_key, check_add_key, 1,
	  "<device> [<new key file>]", "add a keyslot", false },
	{ "luksRemoveKey", VERB_REMOVE_KEY, run_luks_remove_key, NULL, 1, "<device> [<key file>]",
	  "remove the keyslot that a passphrase opens", false },
	{ "luksChangeKey", VERB_CHANGE_KEY, run_luks_change_key, NULL, 1, "<device> [<key file>]",
	  "change the passphrase of a keyslot", false },
	{ "luksConvertKey", VERB_CONVERT_KEY, run_luks_convert_key, NULL, 1, "<device>",
	  "change the cost and cipher of a keyslot", false },
	{ "luksKillSlot", VERB_KILL_SLOT, run_luks_kill_slot, check_kill_slot, 2,
	  "<device> <key slot>", "remove a keyslot by number", false },
	{ "luksUUID", VERB_UUID, run_luks_uuid, NULL, 1, "<device>",
	  "print the UUID, or set it with --uuid", false },
	{ "isLuks", VERB_IS_LUKS, run_is_luks, NULL, 1, "<device>",
	  "report by exit status whether a device is LUKS", false },
	{ "luksDump", VERB_DUMP, run_luks_dump, check_dump, 1, "<device>", "print the header",
	  false },
	{ "erase", VERB_ERASE, run_erase, NULL, 1, "<device>",
	  "remove all keyslots; the data is lost", false },
	{ "repair", VERB_REPAIR, run_repair, NULL, 1, "<device>", "rewrite a damaged header copy",
	  false },
	{ "check", VERB_CHECK, run_check, NULL, 1, "<device>",
	  "report what is wrong with a header, and weak choices", true },
	{ "luksHeaderBackup", VERB_HEADER_BACKUP, run_luks_header_backup, NULL, 1, "<device>",
	  "store the header and all keyslots in a file", false },
	{ "luksHeaderRestore", VERB_HEADER_RESTORE, run_luks_header_restore, NULL, 1, "<device>",
	  "replace the header by a backup", false },
	{ "config", VERB_CONFIG, run_config, check_config, 1, "<device>",
	  "set labels and keyslot priorities", false },
	{ "convert", VERB_CONVERT, LUKS1(run_convert), NULL, 1, "<device>",
	  "convert a LUKS1 header to LUKS2, or back", false },
	{ "token", VERB_TOKEN, run_token, check_token, 2,
	  "<add|remove|import|export|unassign> <device>", "add, remove, import or export tokens",
	  false },
	{ "enroll", VERB_ENROLL, run_enroll, check_enroll, 1, "<device>",
	  "add a keyslot for a KMS, the TPM or a recovery key", true },
	{ "seal", VERB_SEAL, run_seal, check_seal, 1, "<device>",
	  "seal the header as it is now, or check its seal", true },
	{ "attach", VERB_ATTACH, run_attach, check_attach, 2,
	  "<name> <device> [<key file> [<options>]]", "open what a line of crypttab(5) describes",
	  true },
	{ "detach", VERB_DETACH, run_detach, check_attach, 1, "<name>",
	  "remove the mapping, if there is one", true },
	{ "apply", VERB_APPLY, DECLARED(run_apply), DECLARED(check_apply), 0, "",
	  "store a configuration and open its volumes", true },
	{ "plan", VERB_PLAN, DECLARED(run_plan), NULL, 0, "[<volume>...]", "show what up would do",
	  true },
	{ "up", VERB_UP, DECLARED(run_up), NULL, 0, "[<volume>...]",
	  "open and mount the declared volumes", true },
	{ "grow", VERB_GROW, DECLARED(run_up), NULL, 1, "<volume>...",
	  "enlarge volumes to the space that their disks have", true },
	{ "down", VERB_DOWN, DECLARED(run_down), NULL, 0, "[<volume>...]",
	  "unmount and close the declared volumes", true },
	{ "continue", VERB_CONTINUE, DECLARED(REENCRYPTS(run_continue)), NULL, 0, "[<volume>...]",
	  "re-encrypt open volumes whose reencryption up has begun", true },
	{ "trim", VERB_TRIM, DECLARED(run_trim), NULL, 0, "[<volume>...]",
	  "discard unused blocks of mounted volumes when due", true },
	{ "reset", VERB_RESET, DECLARED(run_reset), DECLARED(check_reset), 1, "<volume>...",
	  "erase volumes permanently", true },
	{ "meta", VERB_META, DECLARED(run_meta), check_meta, 1,
	  "<list|get|set|delete> [<tag>] [<file>]", "show and change the META partition", true },
	{ "benchmark", VERB_BENCHMARK, MEASURES(run_benchmark), MEASURES(check_benchmark), 0,
	  "[argon2|keyslot|unlock|dm-crypt|all] [<device>]",
	  "measure key derivation and disk encryption", false },
	{ "reencrypt", VERB_REENCRYPT, REENCRYPTS(run_reencrypt), REENCRYPTS(check_reencrypt), 0,
	  "<device> [<name>]",
	  "replace volume key, cipher or sector size; encrypt or decrypt in place", false },
	{ "tcryptDump", VERB_FOREIGN, NULL, NULL, 1, "<device>", NULL, false },
	{ "bitlkDump", VERB_FOREIGN, NULL, NULL, 1, "<device>", NULL, false },
	{ "fvault2Dump", VERB_FOREIGN, NULL, NULL, 1, "<device>", NULL, false },
};

static const struct {
	const char *alias;
	const char *name;
	const char *type; /* NULL: as --type says */
} aliases[] = {
	{ "luksOpen", "open", "luks" },
	{ "luksClose", "close", NULL },
	{ "luksErase", "erase", "luks" },
	{ "luksConfig", "config", "luks2" },
	{ "remove", "close", NULL },
	{ "plainClose", "close", NULL },
	{ "loopaesClose", "close", NULL },
	{ "tcryptClose", "close", NULL },
	{ "bitlkClose", "close", NULL },
	{ "fvault2Close", "close", NULL },
	/* In cryptsetup, "create" has always meant a mapping without a header. */
	{ "create", "open", "plain" },
	{ "plainOpen", "open", "plain" },
	{ "loopaesOpen", "open", "loopaes" },
	{ "tcryptOpen", "open", "tcrypt" },
	{ "bitlkOpen", "open", "bitlk" },
	{ "fvault2Open", "open", "fvault2" },
};

const struct verb *verb_at(size_t i)
{
	return i < sizeof(verbs) / sizeof(verbs[0]) ? &verbs[i] : NULL;
}

const char *verb_alias_at(size_t i)
{
	return i < sizeof(aliases) / sizeof(aliases[0]) ? aliases[i].alias : NULL;
}

const struct verb *verb_find(const char *name, const char **type)
{
	const struct verb *verb;

	*type = NULL;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcmp(aliases[i].alias, name) == 0) {
			name = aliases[i].name;
			*type = aliases[i].type;
			break;
		}
	}
	for (size_t i = 0; (verb = verb_at(i)); i++) {
		if (strcmp(verb->name, name) == 0)
			break;
	}
	return verb;
}
