/* SPDX-License-Identifier: MIT */
/* The verbs: one row each in verbs.c, one function each in the file of the same name. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "cli/command.h"

struct verb {
	const char *name;
	enum verb_id id;
	enum status (*run)(const struct command *c);	/* NULL: not supported */
	/* NULL, or a sentence that says which arguments conflict. */
	const char *(*check)(const struct command *c);
	size_t words_needed;
	const char *words;	/* their names in the help text */
	const char *help;
	bool extension;		/* not in cryptsetup: refused under that name */
};

/* Looks up a name or alias. *type receives the --type that the alias implies, or NULL. */
const struct verb *verb_find(const char *name, const char **type);
/* Row i, or NULL behind the last. */
const struct verb *verb_at(size_t i);
/* Alias i, or NULL behind the last. */
const char *verb_alias_at(size_t i);

/* Parses, checks and runs another command line, for a verb that stands for one. */
enum status command_run(const struct command *outer, int argc, char **argv);

const char *check_add_key(const struct command *c);
const char *check_attach(const struct command *c);
const char *check_apply(const struct command *c);
const char *check_reset(const struct command *c);
const char *check_benchmark(const struct command *c);
const char *check_close(const struct command *c);
const char *check_reencrypt(const struct command *c);
const char *check_resize(const struct command *c);
const char *check_refresh(const struct command *c);
const char *check_resume(const struct command *c);
const char *check_config(const struct command *c);
const char *check_dump(const struct command *c);
const char *check_enroll(const struct command *c);
const char *check_format(const struct command *c);
const char *check_kill_slot(const struct command *c);
const char *check_meta(const struct command *c);
const char *check_open(const struct command *c);
const char *check_seal(const struct command *c);
const char *check_status(const struct command *c);
const char *check_token(const struct command *c);

enum status run_attach(const struct command *c);
enum status run_detach(const struct command *c);
enum status run_apply(const struct command *c);
enum status run_benchmark(const struct command *c);
enum status run_check(const struct command *c);
enum status run_close(const struct command *c);
enum status run_reencrypt(const struct command *c);
enum status run_resize(const struct command *c);
enum status run_config(const struct command *c);
enum status run_continue(const struct command *c);
enum status run_convert(const struct command *c);
enum status run_down(const struct command *c);
enum status run_enroll(const struct command *c);
enum status run_erase(const struct command *c);
enum status run_is_luks(const struct command *c);
enum status run_luks_add_key(const struct command *c);
enum status run_luks_change_key(const struct command *c);
enum status run_luks_convert_key(const struct command *c);
enum status run_luks_dump(const struct command *c);
enum status run_luks_format(const struct command *c);
enum status run_luks_header_backup(const struct command *c);
enum status run_luks_header_restore(const struct command *c);
enum status run_luks_kill_slot(const struct command *c);
enum status run_luks_remove_key(const struct command *c);
enum status run_luks_resume(const struct command *c);
enum status run_luks_suspend(const struct command *c);
enum status run_luks_uuid(const struct command *c);
enum status run_meta(const struct command *c);
enum status run_open(const struct command *c);
enum status run_plan(const struct command *c);
enum status run_refresh(const struct command *c);
enum status run_repair(const struct command *c);
enum status run_reset(const struct command *c);
enum status run_seal(const struct command *c);
enum status run_status(const struct command *c);
enum status run_token(const struct command *c);
enum status run_trim(const struct command *c);
enum status run_up(const struct command *c);
enum status run_volume_status(const struct command *c);
/* status NAME if no mapping has this name. False: the configuration does not declare the volume. */
bool run_volume_row(const struct command *c, enum status *status);

#endif
