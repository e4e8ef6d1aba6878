/* SPDX-License-Identifier: MIT */
/* status NAME: print the state of a mapping, line for line as cryptsetup 2.6.1. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/device.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/signals.h"

#define SECTOR 512u /* bytes */

struct reencryption {
	struct mortise_reencrypt_info info; /* without resilience: it has none */
	bool is_left;			    /* it has ended, but the mapping is incomplete */
};

/* cryptsetup prints LUKS only if it finds the header, which a detached one is not. */
static bool header_found(const struct command *c, const struct mortise_mapping_info *info,
			 struct reencryption *reencryption)
{
	const bool luks1 = strcmp(info->type, "LUKS1") == 0;
	const char *detached = option_text(&c->options, OPTION_HEADER);
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.events = &signals_events,
		.device = detached ? detached : info->device,
		.readonly = true,
		.no_locks = option_set(&c->options, OPTION_DISABLE_LOCKS),
		.luks1 = luks1,
	};
	struct mortise_luks2 *header = NULL;
	struct mortise_header_info found = { .struct_size = sizeof(found) };
	bool same;

	if (luks1 && !MORTISE_LUKS1)
		return header_is_luks1(location.device);
	if (mortise_luks2_load(&location, &header, NULL))
		return false;
	(void)mortise_header_info(header, &found, NULL);
	same = strcmp(found.uuid, info->uuid) == 0 && (found.version == 1) == luks1;
	if (!same || mortise_reencrypt_info(header, &reencryption->info, NULL))
		reencryption->info.resilience = NULL;
	reencryption->is_left = !mortise_reencrypt_is_left(header, command_mapping(c, 0), NULL);
	mortise_luks2_free(&header);
	return same;
}

static const char *find_type(const struct command *c, const struct mortise_mapping_info *info,
			     struct reencryption *reencryption)
{
	bool found = info->type[0] != '\0';

	if (info->uuid[0] != '\0')
		found = header_found(c, info, reencryption);
	return found ? info->type : "n/a";
}

static void print_flags(uint32_t flags)
{
	/* As in 2.6.1, every word but the last is followed by a blank. */
	static const struct {
		uint32_t flag;
		const char *text;
	} words[] = {
		{ MORTISE_ALLOW_DISCARDS, "discards " },
		{ MORTISE_SAME_CPU_CRYPT, "same_cpu_crypt " },
		{ MORTISE_SUBMIT_FROM_CRYPT_CPUS, "submit_from_crypt_cpus " },
		{ MORTISE_NO_READ_WORKQUEUE, "no_read_workqueue " },
		{ MORTISE_NO_WRITE_WORKQUEUE, "no_write_workqueue" },
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!(flags & words[i].flag))
			continue;
		print("%s%s", any ? "" : "  flags:   ", words[i].text);
		any = true;
	}
	if (any)
		print("\n");
}

/* As cryptsetup does: "capi:cbc(aes)-plain64" is shown as "aes-cbc-plain64". */
static void print_cipher(const char *cipher)
{
	char mode[MORTISE_CIPHER_MAX + 1], name[MORTISE_CIPHER_MAX + 1];
	char iv[MORTISE_CIPHER_MAX + 1];

	if (sscanf(cipher, "capi:%128[^(](%128[^()])-%128s", mode, name, iv) == 3)
		print("  cipher:  %s-%s-%s\n", name, mode, iv);
	else
		print("  cipher:  %s\n", cipher);
}

static void print_mapping(const struct mortise_mapping_info *info)
{
	print_cipher(info->cipher);
	print("  keysize: %" PRIu32 " bits\n", info->key_size * 8);
	print("  key location: %s\n", info->key_in_keyring ? "keyring" : "dm-crypt");
	if (info->integrity[0] != '\0')
		print("  integrity: %s\n", info->integrity);
	if (info->integrity_key_size != 0)
		print("  integrity keysize: %" PRIu32 " bits\n", info->integrity_key_size * 8);
	print("  device:  %s\n", info->device[0] != '\0' ? info->device : "(null)");
	if (info->loop_file[0] != '\0')
		print("  loop:    %s\n", info->loop_file);
	print("  sector size:  %" PRIu32 "\n", info->sector_size);
	print("  offset:  %" PRIu64 " sectors\n", info->offset / SECTOR);
	print("  size:    %" PRIu64 " sectors\n", info->size / SECTOR);
	if (info->iv_offset != 0)
		print("  skipped: %" PRIu64 " sectors\n", info->iv_offset);
	print("  mode:    %s%s\n", info->readonly ? "readonly" : "read/write",
	      info->suspended ? " (suspended)" : "");
	print_flags(info->flags);
}

/* cryptsetup does not print how far it is. */
static void print_reencryption(const struct command *c, const struct reencryption *reencryption)
{
	const struct mortise_reencrypt_info *info = &reencryption->info;

	if (reencryption->is_left && !c->as_cryptsetup)
		print("  reencryption:  done, but the mapping is incomplete; run mortise reencrypt "
		      "--resume-only\n");
	if (!info->resilience)
		return;
	print("  reencryption:  in-progress\n");
	if (!c->as_cryptsetup)
		print("  done:    %" PRIu64 " of %" PRIu64 " sectors (%.1f%%)\n",
		      info->done / SECTOR, info->total / SECTOR,
		      info->total ? 100.0 * (double)info->done / (double)info->total : 0);
}

static enum status mapping_status(const struct command *c, const char *word)
{
	const char *before = strchr(word, '/') ? "" : "/dev/mapper/";
	struct reencryption reencryption = { .info.struct_size = sizeof(reencryption.info) };
	struct mortise_mapping_info info = { .struct_size = sizeof(info) };
	struct mortise_error err = { 0 };
	enum mortise_code code = mortise_mapping_info(command_mapping(c, 0), &info, &err);
	enum status status;

	if (code == MORTISE_E_INACTIVE && MORTISE_DECLARED && run_volume_row(c, &status))
		return status;
	if (code == MORTISE_E_INACTIVE) {
		print("%s%s is inactive.\n", before, word);
		return STATUS_DEVICE;
	}
	if (code != MORTISE_OK && code != MORTISE_E_UNSUPPORTED && info.cipher[0] == '\0')
		return fail(c, &err);
	print("%s%s is active%s.\n", before, word, info.in_use ? " and is in use" : "");
	print("  type:    %s\n", find_type(c, &info, &reencryption));
	if (code != MORTISE_OK)
		verbose(c, "%s", err.text);
	if (reencryption.info.resilience || reencryption.is_left)
		print_reencryption(c, &reencryption);
	if (info.cipher[0] != '\0')
		print_mapping(&info);
	return STATUS_OK;
}

/*
 * With a name and no option of declared volumes, this is cryptsetup's verb, which scripts rely on,
 * unless it would print that the mapping is inactive and a volume with the name is declared.
 * Otherwise it prints the table of declared volumes.
 */
enum status run_status(const struct command *c)
{
	if (MORTISE_DECLARED &&
	    (c->word_count == 0 || options_extension(&c->options) != OPTION_COUNT))
		return run_volume_status(c);
	return mapping_status(c, command_word(c, 0));
}
