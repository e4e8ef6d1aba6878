/* SPDX-License-Identifier: MIT */
/* The options of crypttab(5): systemd's, and those of Debian's cryptdisks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/luks/attach.h"
#include "cli/print.h"

enum kind {
	FLAG = 'F',    /* a flag of open */
	VALUE = 'V',   /* an option of open with the same value */
	PLAIN = 'P',   /* likewise, ignored for LUKS as by cryptdisks and systemd */
	LUKS = 'L',    /* likewise, and says that the device is LUKS */
	TYPE = 'T',    /* what the device is */
	OWN = 'O',     /* see own_fact() and own_word() */
	NOTHING = 'N', /* concerns the caller of attach, or changes nothing */
	REFUSED = 'R', /* the text behind the name says why */
};

/* Kind, name, and the option of open. One string, because each pointer would cost three times its size. */
static const char rows[] = "Pcipher cipher\0"
			   "Psize key-size\0"
			   "Phash hash\0"
			   "Poffset offset\0"
			   "Pskip skip\0"
			   "Psector-size sector-size\0"
			   "Lkey-slot key-slot\0"
			   "Lkeyslot key-slot\0"
			   "Lheader header\0"
			   "Vkeyfile-size keyfile-size\0"
			   "Vkeyfile-offset keyfile-offset\0"
			   "Freadonly readonly\0"
			   "Fread-only readonly\0"
			   "Fdiscard allow-discards\0"
			   "Fallow-discards allow-discards\0"
			   "Fverify verify-passphrase\0"
			   "Fsame-cpu-crypt perf-same_cpu_crypt\0"
			   "Fsubmit-from-crypt-cpus perf-submit_from_crypt_cpus\0"
			   "Fno-read-workqueue perf-no_read_workqueue\0"
			   "Fno-write-workqueue perf-no_write_workqueue\0"
			   "Tluks luks\0"
			   "Tplain plain\0"
			   "Tbitlk bitlk\0"
			   "Tfvault2 fvault2\0"
			   "Ttcrypt tcrypt\0"
			   "Ttcrypt-hidden tcrypt\0"
			   "Ttcrypthidden tcrypt\0"
			   "Ttcrypt-system tcrypt\0"
			   "Ttcrypt-veracrypt tcrypt\0"
			   "Tveracrypt tcrypt\0"
			   "Oswap\0"
			   "Otmp\0"
			   "Otries\0"
			   "Otimeout\0"
			   "Ocheck\0"
			   "Ocheckargs\0"
			   "Okeyfile-erase\0"
			   "Oheadless\0"
			   "Otpm2-device\0"
			   "Otpm2-measure-pcr\0"
			   "Otry-empty-password\0"
			   "Nauto\0"
			   "Nnoauto\0"
			   "Nfail\0"
			   "Nnofail\0"
			   "N_netdev\0"
			   "Ninitramfs\0"
			   "Nnoearly\0"
			   "Nloud\0"
			   "Nquiet\0"
			   "Nkeyfile-timeout\0"
			   "Ntoken-timeout\0"
			   "Npassword-echo\0"
			   "Npassword-cache\0"
			   "Ntpm2-pcrs\0"
			   "Ntpm2-pin\0"
			   "Rkeyscript programs are not run; pipe its output to mortise "
			   "open --key-file=-\0"
			   "Rtpm2-signature use mortise open --tpm-policy\0"
			   "Rtpm2-pcrlock not supported\0"
			   "Rtpm2-measure-bank volume keys are not measured\0"
			   "Rpkcs11-uri PKCS#11 is not supported\0"
			   "Rfido2-device FIDO2 is not supported\0"
			   "Rfido2-cid FIDO2 is not supported\0"
			   "Rfido2-rp FIDO2 is not supported\0"
			   "Rlink-volume-key volume keys are not linked to a keyring\0";

struct row {
	enum kind kind;
	const char *open;
};

bool attach_word(struct attach *attach, const char *before, const char *after)
{
	const size_t size = strlen(before) + strlen(after) + 1;
	char *word = attach->room + attach->used;

	/* The last word stays NULL. */
	if (size > ATTACH_ROOM - attach->used || attach->word_count + 1 >= (int)ATTACH_WORDS_MAX) {
		print_to(stderr, "mortise: too many options for %s\n", attach->name);
		return false;
	}
	snprintf(word, size, "%s%s", before, after);
	attach->used += size;
	attach->words[attach->word_count++] = word;
	return true;
}

void attach_unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		unsigned code = 0;

		if (*text == '\\' && strspn(text + 1, "01234567") >= 3 && text[1] <= '3') {
			for (int i = 1; i <= 3; i++)
				code = code * 8 + (unsigned)(text[i] - '0');
			text += 3;
			/* "\000" would end the text. */
			*out++ = code ? (char)code : ' ';
			continue;
		}
		if (*text == '\\' && text[1])
			text++;
		*out++ = *text;
	}
	*out = '\0';
}

static enum status invalid(const struct attach *attach, const char *name, const char *value,
			   const char *what)
{
	return fail_with(STATUS_USAGE, "mortise: cannot attach %s: invalid option %s%s%s: %s",
			 attach->name, name, value ? "=" : "", value ? value : "", what);
}

/* NULL: the option alone. False: neither yes nor no. */
static bool parse_bool(const char *value, bool *yes)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	*yes = true;
	if (!value)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(value, words[i]) == 0) {
			*yes = i % 2;
			return true;
		}
	return false;
}

/* "90", "90s", "2min" as seconds: systemd's notation, as far as a prompt needs it. */
static bool parse_seconds(const char *value, char out[static 24])
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (end == value || *value == '-' || number > 1000000)
		return false;
	if (strcmp(end, "m") == 0 || strcmp(end, "min") == 0)
		number *= 60;
	else if (*end && strcmp(end, "s") != 0 && strcmp(end, "sec") != 0)
		return false;
	snprintf(out, 24, "%lu", number);
	return true;
}

/* tpm2-device=auto|PATH: tokens are always tried, so only a path says something. */
static bool tpm_device(struct attach *attach, const char *value)
{
	return !value || strcmp(value, "auto") == 0 || strcmp(attach->type, "luks") != 0 ||
	       attach_word(attach, "--tcti=device:", value);
}

static enum status own_fact(struct attach *attach, const char *name, const char *value)
{
	static const char measured[] = "volume keys are not measured";
	bool yes;
	const bool is_bool = parse_bool(value, &yes);

	if (strcmp(name, "swap") == 0) {
		attach->swap = true;
	} else if (strcmp(name, "tmp") == 0) {
		attach->tmp = value && *value ? value : "ext4";
	} else if (strcmp(name, "check") == 0) {
		if (value && strcmp(value, "blkid") != 0)
			return invalid(attach, name, value, "only the check blkid is supported");
		attach->check = true;
	} else if (strcmp(name, "checkargs") == 0) {
		attach->check_type = value && *value ? value : NULL;
	} else if (strcmp(name, "tpm2-measure-pcr") == 0) {
		if (!is_bool || yes)
			return invalid(attach, name, value, measured);
	} else if (strcmp(name, "tries") == 0 || strcmp(name, "timeout") == 0 ||
		   strcmp(name, "tpm2-device") == 0) {
		return STATUS_OK;
	} else if (!is_bool) {
		return invalid(attach, name, value, "use yes or no");
	} else if (strcmp(name, "keyfile-erase") == 0) {
		attach->erase_key = yes;
	} else if (strcmp(name, "headless") == 0) {
		attach->headless = yes;
	} else if (yes) {
		return invalid(attach, name, value, "name a KEYFILE that is empty");
	}
	return STATUS_OK;
}

static enum status own_word(struct attach *attach, const char *name, const char *value)
{
	char seconds[24] = "";
	bool added = true;

	if (strcmp(name, "tries") == 0) {
		if (!value)
			return invalid(attach, name, value, "a number is missing");
		/* 0 means without limit. */
		added = attach_word(attach, "--tries=",
				    strspn(value, "0") == strlen(value) ? "4294967295" : value);
	} else if (strcmp(name, "timeout") == 0) {
		if (!value || !parse_seconds(value, seconds))
			return invalid(attach, name, value, "use a number of seconds");
		added = attach_word(attach, "--timeout=", seconds);
	} else if (strcmp(name, "tpm2-device") == 0) {
		added = tpm_device(attach, value);
	}
	return added ? STATUS_OK : STATUS_USAGE;
}

static bool find_row(const char *name, struct row *row)
{
	const size_t length = strlen(name);

	/* "x-initrd.attach", "x-systemd.device-timeout=10": for other programs. */
	*row = (struct row){ .kind = NOTHING };
	if (strncmp(name, "x-", 2) == 0)
		return true;
	for (const char *at = rows; *at; at += strlen(at) + 1) {
		if (strncmp(at + 1, name, length) != 0 || (at[1 + length] & ~' ') != 0)
			continue;
		*row = (struct row){ (enum kind)at[0], at + 1 + length + (at[1 + length] == ' ') };
		return true;
	}
	return false;
}

static enum status read_fact(struct attach *attach, const char *name, char *value)
{
	struct row row;

	if (!find_row(name, &row))
		return invalid(attach, name, value, "unknown option");
	switch (row.kind) {
	case REFUSED:
		return invalid(attach, name, value, row.open);
	case TYPE:
		attach->type = row.open;
		break;
	case LUKS:
		if (!attach->type)
			attach->type = "luks";
		break;
	case PLAIN:
		attach->plain_only |= strcmp(name, "cipher") == 0;
		if (strcmp(name, "offset") == 0 && value)
			attach->offset = strtoull(value, NULL, 10) * 512;
		break;
	case OWN:
		return own_fact(attach, name, value);
	default:
		break;
	}
	return STATUS_OK;
}

static enum status add_words(struct attach *attach, const char *name, char *value)
{
	const bool luks = strcmp(attach->type, "luks") == 0;
	char before[48];
	struct row row;

	(void)find_row(name, &row);
	if (row.kind == OWN)
		return own_word(attach, name, value);
	if (row.kind != FLAG && row.kind != VALUE && row.kind != PLAIN && row.kind != LUKS)
		return STATUS_OK;
	if (row.kind == (luks ? PLAIN : LUKS)) {
		print_to(stderr, "mortise: %s: option %s is ignored for %s\n", attach->name, name,
			 attach->type);
		return STATUS_OK;
	}
	if (row.kind != FLAG && (!value || !*value))
		return invalid(attach, name, value, "a value is missing");
	/* As cryptdisks: the key file of a plain mapping is the key, with the key's size. */
	if (!luks && attach->key_file &&
	    (strcmp(name, "hash") == 0 || strcmp(name, "keyfile-size") == 0)) {
		if (!attach->random_key)
			print_to(stderr,
				 "mortise: %s: option %s is ignored: the key file is the key, "
				 "which cryptsetup does not hash (systemd does)\n",
				 attach->name, name);
		return STATUS_OK;
	}
	snprintf(before, sizeof(before), "--%s%s", row.open, row.kind == FLAG ? "" : "=");
	return attach_word(attach, before, value && row.kind != FLAG ? value : "") ? STATUS_OK
										   : STATUS_USAGE;
}

/* The end of an option: a comma that no backslash precedes. */
static char *option_end(char *text)
{
	while (*text && *text != ',')
		text += 1 + (*text == '\\' && text[1]);
	return text;
}

static enum status each_option(struct attach *attach, char *text,
			       enum status (*act)(struct attach *attach, const char *name,
						  char *value))
{
	enum status status = STATUS_OK;

	while (*text && status == STATUS_OK) {
		char *end = option_end(text), *value;
		const bool last = *end == '\0';

		*end = '\0';
		value = strchr(text, '=');
		if (value) {
			*value++ = '\0';
			attach_unescape(value);
		}
		if (*text)
			status = act(attach, text, value);
		text = last ? end : end + 1;
	}
	return status;
}

enum status attach_read_options(struct attach *attach, char *text)
{
	return each_option(attach, text, read_fact);
}

enum status attach_add_options(struct attach *attach, char *text)
{
	return each_option(attach, text, add_words);
}
