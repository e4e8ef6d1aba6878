/* SPDX-License-Identifier: MIT */
/*
 * Metrics in the text format 0.0.4 of Prometheus, for the textfile collector of node_exporter. Units
 * are bytes and seconds. The label "volume" is the id, which is unique; names are not.
 */
#include <errno.h>
#include <string.h>

#include "cli/declared/prometheus.h"
#include "cli/output.h"
#include "cli/print.h"

/* Prints a label value. After control characters, backslashes and quotes are escaped, too. */
static void print_value(const char *text)
{
	size_t size = strlen(text);
	char piece[8 * MORTISE_ESCAPE_MAX + 1];

	while (size > 0) {
		const size_t length =
			mortise_escape(MORTISE_ESCAPE_LINE, &text, &size, piece, sizeof(piece) - 1);
		const char *at = piece;

		piece[length] = '\0';
		while (*at) {
			const int plain = (int)strcspn(at, "\\\"");

			print("%.*s", plain, at);
			at += plain;
			if (*at)
				print("\\%c", *at++);
		}
	}
}

static void print_label(char before, const char *name, const char *value)
{
	print("%c%s=\"", before, name);
	print_value(value);
	print("\"");
}

static unsigned count_lines(const char *text)
{
	unsigned lines = text[0] != '\0';

	for (; *text; text++)
		lines += *text == '\n' && text[1] != '\0';
	return lines;
}

enum {
	M_READY,
	M_ENCRYPTED,
	M_ERROR,
	M_FAILED_SYNCS,
	M_NOTICES,
	M_KEYSLOT,
	M_RECOVERY,
	M_SIZE,
	M_DISCARDS,
	M_FS_SIZE,
	M_FS_USED,
	M_FS_AVAILABLE,
	M_INODES,
	M_INODES_USED,
	M_LAST_UP_TIME,
	M_LAST_UP_ERROR,
	M_LAST_TRIM_TIME,
	M_LAST_TRIM_BYTES,
	M_COUNT,
};

static const struct {
	const char *name;
	const char *help;
} metrics[M_COUNT] = {
	[M_READY] = { "ready", "Whether the volume is ready for use." },
	[M_ENCRYPTED] = { "encrypted", "Whether the volume is declared to be encrypted." },
	[M_ERROR] = { "error", "Whether the volume has an error now." },
	[M_FAILED_SYNCS] = { "failed_syncs", "Keys that could not be updated." },
	[M_NOTICES] = { "notices", "Notices of the run that opened the volume." },
	[M_KEYSLOT] = { "keyslot", "The keyslot that opened the volume." },
	[M_RECOVERY] = { "recovery_keyslots", "Keyslots with a recovery key." },
	[M_SIZE] = { "size_bytes", "Size of the device." },
	[M_DISCARDS] = { "discards", "Whether the mapping passes discards to the device." },
	[M_FS_SIZE] = { "filesystem_size_bytes", "Size of the mounted file system." },
	[M_FS_USED] = { "filesystem_used_bytes", "Space in use." },
	[M_FS_AVAILABLE] = { "filesystem_available_bytes",
			     "Space available to users other than root." },
	[M_INODES] = { "filesystem_inodes", "Inodes of the mounted file system." },
	[M_INODES_USED] = { "filesystem_inodes_used", "Inodes in use." },
	[M_LAST_UP_TIME] = { "last_up_time_seconds",
			     "When the last up of this boot processed the volume." },
	[M_LAST_UP_ERROR] = { "last_up_error",
			      "Whether the last up of this boot failed to make the volume ready." },
	[M_LAST_TRIM_TIME] = { "last_trim_time_seconds", "When the file system was last trimmed." },
	[M_LAST_TRIM_BYTES] = { "last_trim_bytes", "Bytes that the last trim discarded." },
};

#define NONE (-1) /* the volume does not have this number */

struct numbers {
	int64_t of[M_COUNT];
};

static int64_t number_if(bool known, uint64_t number)
{
	return known ? (int64_t)number : NONE;
}

static struct numbers read_numbers(const struct mortise_volume_status *v)
{
	const bool open = v->mapping[0] != '\0', mounted = v->use.size > 0;

	return (struct numbers){ {
		[M_READY] = v->phase == MORTISE_PHASE_READY,
		[M_ENCRYPTED] = v->encrypted,
		[M_ERROR] = v->error[0] != '\0',
		[M_FAILED_SYNCS] = number_if(open, count_lines(v->failed_syncs)),
		[M_NOTICES] = number_if(open, count_lines(v->notices)),
		[M_KEYSLOT] = v->keyslot,
		[M_RECOVERY] = number_if(open, (unsigned)__builtin_popcount(v->recovery_keyslots)),
		[M_SIZE] = number_if(v->size > 0, v->size),
		[M_DISCARDS] = number_if(open, v->discards),
		[M_FS_SIZE] = number_if(mounted, v->use.size),
		[M_FS_USED] = number_if(mounted, v->use.used),
		[M_FS_AVAILABLE] = number_if(mounted, v->use.available),
		[M_INODES] = number_if(v->use.inodes > 0, v->use.inodes),
		[M_INODES_USED] = number_if(v->use.inodes > 0, v->use.inodes_used),
		[M_LAST_UP_TIME] = number_if(v->last_up > 0, (uint64_t)v->last_up),
		[M_LAST_UP_ERROR] = number_if(v->last_up > 0, v->last_error[0] != '\0'),
		[M_LAST_TRIM_TIME] = number_if(v->last_trim > 0, (uint64_t)v->last_trim),
		[M_LAST_TRIM_BYTES] = number_if(v->last_trim > 0, v->last_trim_bytes),
	} };
}

static void print_head(const char *name, const char *help)
{
	print("# HELP mortise_%s %s\n# TYPE mortise_%s gauge\n", name, help, name);
}

/* A metric whose volumes all lack the number has no lines at all. */
static void print_metric(const struct mortise_report *report, unsigned which)
{
	const struct mortise_volume_status *volume;
	bool begun = false;
	char name[64];

	snprintf(name, sizeof(name), "volume_%s", metrics[which].name);
	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++) {
		const int64_t number = read_numbers(volume).of[which];

		if (number == NONE)
			continue;
		if (!begun)
			print_head(name, metrics[which].help);
		begun = true;
		print("mortise_%s", name);
		print_label('{', "volume", volume->id);
		print("} %lld\n", (long long)number);
	}
}

/* One row for each phase, 1 for the volume's own, so that rules can count and alert. */
static void print_phases(const struct mortise_report *report)
{
	const struct mortise_volume_status *volume;

	if (!mortise_report_volume(report, 0))
		return;
	print_head("volume_phase", "The phase of the volume: 1 for one of these rows, else 0.");
	for (size_t i = 0; (volume = mortise_report_volume(report, i)); i++) {
		for (int phase = 0; *mortise_phase_name((enum mortise_phase)phase); phase++) {
			print("mortise_volume_phase");
			print_label('{', "volume", volume->id);
			print_label(',', "phase", mortise_phase_name((enum mortise_phase)phase));
			print("} %d\n", volume->phase == (enum mortise_phase)phase);
		}
	}
}

static void print_info(const struct mortise_report *report)
{
	const struct mortise_volume_status *v;

	if (!mortise_report_volume(report, 0))
		return;
	print_head("volume_info", "Always 1; the labels describe the volume.");
	for (size_t i = 0; (v = mortise_report_volume(report, i)); i++) {
		print("mortise_volume_info");
		print_label('{', "volume", v->id);
		print_label(',', "name", v->name);
		print_label(',', "device", v->device);
		print_label(',', "disk", v->disk);
		print_label(',', "mapping", v->mapping);
		print_label(',', "mount_point", v->mount_point);
		print_label(',', "filesystem", v->filesystem);
		print_label(',', "uuid", v->uuid);
		print_label(',', "partition_uuid", v->partition_uuid);
		print_label(',', "key_kind", v->key_kind);
		print_label(',', "known", v->known);
		print_label(',', "seal", v->seal);
		print("} 1\n");
	}
}

enum status prometheus_print(const struct mortise_report *report)
{
	print_head("build_info", "Always 1; the label is the version.");
	print("mortise_build_info");
	print_label('{', "version", MORTISE_VERSION);
	print("} 1\n");
	print_head("status_error", "Whether the state of the volumes could not be read.");
	print("mortise_status_error %d\n", report == NULL);
	if (report) {
		print_info(report);
		print_phases(report);
		for (unsigned i = 0; i < M_COUNT; i++)
			print_metric(report, i);
	}
	if (ferror(stdout))
		return fail_with(STATUS_USAGE, "mortise: cannot write to standard output: %s",
				 strerror(errno));
	return STATUS_OK;
}
