/* SPDX-License-Identifier: MIT */
/* Volumes whose header is in STATE, for good or while they are decrypted in place. A directory is the mounted STATE. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <mortise-declared.h>

#include "declared/declared.h"
#include "declared/plan_known.h"
#include "declared/state_header.h"
#include "declared/steps.h"

static char directory[64], state_dir[80], config_path[96], device[96], file[128], list_path[128];
static const struct mortise_kdf_choice cost = {
	.struct_size = sizeof(cost), .forced_time = 4, .memory_kib = 32, .lanes = 1
};
static bool cancels;	    /* the next progress event cancels */
static bool says_encrypted; /* the configuration says so of STATE */

static void write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/mortise-header.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(config_path, sizeof(config_path), "%s/config.yaml", directory);
	snprintf(device, sizeof(device), "%s/device", directory);
	snprintf(state_dir, sizeof(state_dir), "%s/state", directory);
	snprintf(file, sizeof(file), "%s/header-r-data.luks2", state_dir);
	snprintf(list_path, sizeof(list_path), "%s/" KNOWN_FILE, state_dir);
	write_text(device, "");
	if (mkdir(state_dir, 0700))
		return -1;
	return truncate(device, 20L << 20);
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(config_path);
	(void)unlink(device);
	(void)unlink(file);
	(void)unlink(list_path);
	return rmdir(state_dir) | rmdir(directory);
}

/* A raw volume, which needs no file system. */
static struct mortise_config *config_of(const char *provider)
{
	struct mortise_config *config = NULL;
	struct mortise_error err = { .text = "" };
	char text[1024];

	snprintf(text, sizeof(text),
		 "apiVersion: v1alpha1\nkind: RawVolumeConfig\nname: data\nencryption:\n"
		 "  provider: %s\n  inPlace: true\n"
		 "  keys: [{slot: 0, static: {passphrase: correct horse}}]\n%s",
		 provider,
		 !says_encrypted ? ""
				 : "---\napiVersion: v1alpha1\nkind: VolumeConfig\n"
				   "name: STATE\nencryption:\n  provider: luks2\n"
				   "  keys: [{slot: 0, static: {passphrase: any}}]\n");
	write_text(config_path, text);
	if (mortise_config_read(config_path, &config, &err))
		fail_msg("%s", err.text);
	return config;
}

static struct mortise_luks2 *format_at(const struct mortise_location *location)
{
	const struct mortise_format format = { .struct_size = sizeof(format),
					       .sector_size = 512,
					       .data_offset_given = location->header };
	const struct mortise_keyslot_new what = { .struct_size = sizeof(what),
						  .keyslot = 0,
						  .kdf = &cost };
	struct mortise_secret *passphrase = NULL;
	struct mortise_luks2 *header = NULL;

	assert_int_equal(mortise_luks2_format(location, &format, &header, NULL), MORTISE_OK);
	assert_int_equal(mortise_secret_from("correct horse", 13, &passphrase, NULL), MORTISE_OK);
	assert_int_equal(mortise_keyslot_add(header, &what, passphrase, NULL, NULL, NULL),
			 MORTISE_OK);
	assert_int_equal(mortise_seal(header, "r-data", NULL), MORTISE_OK);
	mortise_secret_free(&passphrase);
	return header;
}

static struct mortise_luks2 *format_data(const char *path)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path };

	return format_at(&location);
}

static bool poll(void *context, const struct mortise_event *event)
{
	(void)context;
	return !cancels || event->type != MORTISE_EVENT_PROGRESS;
}

struct machine {
	struct mortise_volume_device place;
	struct mortise_events events;
	struct mortise_up_options options;
	struct mortise_config *config;
	struct mortise_plan *plans;
	struct volume_plan *plan;
	struct volume_run run;
};

static void power_on(struct machine *machine, const char *provider)
{
	static const char *const name = "r-data";
	struct mortise_error err = { .text = "" };

	*machine = (struct machine){ .place = { "r-data", device }, .events = { .call = poll } };
	machine->options = (struct mortise_up_options){
		.struct_size = sizeof(machine->options),
		.names = &name,
		.name_count = 1,
		.devices = &machine->place,
		.device_count = 1,
		.root = directory,
		.cost = &cost,
		.events = &machine->events,
	};
	machine->config = config_of(provider);
	assert_int_equal(
		volume_plans_new(machine->config, &machine->options, &machine->plans, &err),
		MORTISE_OK);
	machine->plan = machine->plans->volumes[0];
	assert_int_equal(volume_run_init(&machine->run, machine->config, &machine->options, &err),
			 MORTISE_OK);
	machine->run.known.state = KNOWN_LISTED;
	snprintf(machine->run.known.dir, sizeof(machine->run.known.dir), "%s", state_dir);
	assert_int_equal(
		known_load(&machine->run.known.list, directory, machine->run.known.dir, &err),
		MORTISE_OK);
}

static void power_off(struct machine *machine)
{
	volume_plan_attach(machine->plan, NULL);
	volume_run_clear(&machine->run);
	mortise_plan_free(&machine->plans);
	mortise_config_free(&machine->config);
}

/* Lists the volume that the header belongs to, unless it is NULL. */
static void list_volume(struct machine *machine, const struct mortise_luks2 *header,
			enum known_status status)
{
	struct known_volume volume = { .id = "r-data", .status = status };

	volume.detached = header && strcmp(luks2_header_device(header)->path, device) != 0;

	if (header) {
		volume.encrypted = true;
		snprintf(volume.uuid, sizeof(volume.uuid), "%s", luks2_header_uuid(header));
		assert_int_equal(volume_identity(header, "luks2-r-data", volume.identity, NULL),
				 MORTISE_OK);
	}
	assert_int_equal(known_set(&machine->run.known.list, &volume, NULL), MORTISE_OK);
	assert_int_equal(known_store(&machine->run.known.list, NULL), MORTISE_OK);
}

static const struct volume_step *plan_step(struct machine *machine, enum mortise_step_kind kind)
{
	struct mortise_error err = { .text = "" };
	const struct volume_step *found = NULL;
	char all[2048] = "";

	if (volume_plan_make(&machine->run, machine->plan, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < machine->plan->step_count; i++) {
		const struct volume_step *step = &machine->plan->steps[i];
		size_t used = strlen(all);

		snprintf(all + used, sizeof(all) - used, "%s; ", step->text);
		if (step->kind == kind)
			found = step;
	}
	if (!found)
		fail_msg("no such step: %s", all);
	assert_true(machine->plan->failed ==
		    (kind == MORTISE_STEP_REFUSE || kind == MORTISE_STEP_FAIL ||
		     kind == MORTISE_STEP_WAIT));
	return found;
}

static void assert_step(struct machine *machine, enum mortise_step_kind kind, const char *text)
{
	const struct volume_step *step = plan_step(machine, kind);

	if (!strstr(step->text, text))
		fail_msg("got: %s", step->text);
}

static enum mortise_code carry_out(struct machine *machine)
{
	struct volume_result result;
	enum mortise_code code;

	volume_carry_out(&machine->run, machine->plan, &result);
	volume_known_record(&machine->run, machine->plan, &result);
	code = result.why.code;
	volume_opening_clear(&result.opening);
	return code;
}

static enum known_status get_status(struct machine *machine, bool *encrypted)
{
	struct known_volume volume;

	assert_true(known_find(&machine->run.known.list, "r-data", &volume));
	*encrypted = volume.encrypted;
	return volume.status;
}

static void assert_status(struct machine *machine, enum known_status status, bool encrypted)
{
	bool is_encrypted;

	assert_int_equal(get_status(machine, &is_encrypted), status);
	assert_int_equal(is_encrypted, encrypted);
}

/* The place of the header gets data, as when the data begins to move. */
static void erase_header(void)
{
	static char data[1 << 20];
	FILE *out = fopen(device, "r+e");

	assert_non_null(out);
	memset(data, 'x', sizeof(data));
	assert_int_equal(fwrite(data, sizeof(data), 1, out), 1);
	assert_int_equal(fclose(out), 0);
}

/* Only the configuration of the machine has a volume decrypted, and only a known volume. */
static void test_decrypt_refused(void **state)
{
	struct mortise_luks2 *header = format_data(device);
	struct machine machine;

	(void)state;
	power_on(&machine, "none");
	machine.run.known.state = KNOWN_UNUSED;
	assert_step(&machine, MORTISE_STEP_REFUSE, "this machine has no STATE");
	machine.run.known.state = KNOWN_LATER;
	assert_step(&machine, MORTISE_STEP_WAIT, "STATE, which may hold its header, is not");
	machine.run.known.state = KNOWN_LISTED;
	assert_step(&machine, MORTISE_STEP_REFUSE, "is not known to this machine");
	list_volume(&machine, NULL, KNOWN_EXPECTED);
	assert_step(&machine, MORTISE_STEP_REFUSE, "is not known to this machine");
	machine.options.adopt = true;
	assert_step(&machine, MORTISE_STEP_DECRYPT, "decrypt in place ");
	machine.options.adopt = false;
	/* The machine has it as plain: an attacker has put another volume there. */
	list_volume(&machine, NULL, KNOWN_READY);
	assert_step(&machine, MORTISE_STEP_REFUSE, "was not encrypted on this machine");
	list_volume(&machine, header, KNOWN_READY);
	assert_step(&machine, MORTISE_STEP_DECRYPT, ": 4 MiB, about 1 s; STATE keeps the header");
	/* The configuration is on the disk as plain text. */
	machine.config->stored = true;
	assert_step(&machine, MORTISE_STEP_REFUSE, "is in a STATE without encryption");
	machine.config->stored = false;
	mortise_luks2_free(&header);
	header = format_data(device);
	assert_step(&machine, MORTISE_STEP_REFUSE, "is not that of r-data on this machine");
	/* A header with an old seal or none. */
	list_volume(&machine, header, KNOWN_READY);
	assert_int_equal(mortise_seal(header, "r-other", NULL), MORTISE_OK);
	assert_step(&machine, MORTISE_STEP_REFUSE, "sealed for volume r-other");
	mortise_luks2_free(&header);
	power_off(&machine);
}

/* An attacker who writes a configuration into a plain STATE can also write that STATE is encrypted. */
static void test_decrypt_planted(void **state)
{
	struct mortise_luks2 *header = format_data(device);
	struct machine machine;

	(void)state;
	says_encrypted = true;
	power_on(&machine, "none");
	says_encrypted = false;
	list_volume(&machine, header, KNOWN_READY);
	mortise_luks2_free(&header);
	assert_step(&machine, MORTISE_STEP_DECRYPT, "decrypt in place ");
	machine.config->stored = true;
	assert_step(&machine, MORTISE_STEP_REFUSE, "is in a STATE without encryption");
	power_off(&machine);
}

/* The header of the device is in the file; the device is not used otherwise meanwhile. */
static void test_decrypt(void **state)
{
	struct mortise_luks2 *header = format_data(device);
	struct machine machine;
	struct stat st;
	char other[160];

	(void)state;
	power_on(&machine, "none");
	list_volume(&machine, header, KNOWN_READY);
	mortise_luks2_free(&header);
	assert_step(&machine, MORTISE_STEP_DECRYPT, "decrypt in place ");
	cancels = true;
	assert_int_equal(carry_out(&machine), MORTISE_E_CANCELED);
	cancels = false;
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_status(&machine, KNOWN_DECRYPTING, true);
	power_off(&machine);
	power_on(&machine, "luks2");
	assert_step(&machine, MORTISE_STEP_FAIL, "declare provider: none, inPlace: true");
	machine.options.adopt = true;
	assert_step(&machine, MORTISE_STEP_FAIL, "declare provider: none, inPlace: true");
	power_off(&machine);
	power_on(&machine, "none");
	assert_step(&machine, MORTISE_STEP_DECRYPT, "continue to decrypt in place ");
	/* A planted STATE. */
	snprintf(other, sizeof(other), "%s.real", file);
	assert_int_equal(rename(file, other), 0);
	assert_step(&machine, MORTISE_STEP_FAIL, "nor STATE holds its header");
	assert_int_equal(symlink(other, file), 0);
	assert_step(&machine, MORTISE_STEP_FAIL, "a link or not a regular file");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(link(other, file), 0);
	assert_step(&machine, MORTISE_STEP_FAIL, "a link or not a regular file");
	assert_int_equal(unlink(file) | rename(other, file), 0);
	/* The configuration may be in a plain STATE now: no key, no continuation. */
	machine.config->stored = true;
	assert_step(&machine, MORTISE_STEP_DECRYPT, "continue to decrypt in place ");
	assert_int_equal(carry_out(&machine), MORTISE_OK);
	assert_int_equal(access(file, F_OK), -1);
	assert_status(&machine, KNOWN_READY, false);
	assert_int_equal(volume_plan_make(&machine.run, machine.plan, NULL), MORTISE_OK);
	assert_int_equal(machine.plan->step_count, 0);
	power_off(&machine);
}

/* Until the data moves, the header on the device counts. */
static void test_not_begun(void **state)
{
	struct mortise_luks2 *header = format_data(device);
	struct machine machine;

	(void)state;
	power_on(&machine, "none");
	list_volume(&machine, header, KNOWN_DECRYPTING);
	write_text(file, "a power cut left this");
	assert_step(&machine, MORTISE_STEP_DECRYPT, "decrypt in place ");
	power_off(&machine);
	power_on(&machine, "luks2");
	assert_step(&machine, MORTISE_STEP_OPEN, "open ");
	power_off(&machine);
	assert_int_equal(unlink(file), 0);
	/* A cut between the end of the copy and the first commit in it. */
	assert_int_equal(mortise_header_backup(header, file, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
	power_on(&machine, "none");
	assert_step(&machine, MORTISE_STEP_DECRYPT, "decrypt in place ");
	power_off(&machine);
	erase_header();
	power_on(&machine, "none");
	assert_step(&machine, MORTISE_STEP_DECRYPT, "decrypt in place ");
	assert_int_equal(carry_out(&machine), MORTISE_OK);
	assert_int_equal(access(file, F_OK), -1);
	assert_status(&machine, KNOWN_READY, false);
	/* An encrypted volume does not come back. */
	power_off(&machine);
	header = format_data(device);
	mortise_luks2_free(&header);
	power_on(&machine, "none");
	assert_step(&machine, MORTISE_STEP_REFUSE, "was not encrypted on this machine");
	power_off(&machine);
}

/* A volume with its header in STATE for good: nothing else takes its place. */
static void test_detached(void **state)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = device,
						   .header = file };
	struct mortise_luks2 *header;
	struct machine machine;
	char other[160];

	(void)state;
	snprintf(other, sizeof(other), "%s.real", file);
	write_text(file, "");
	header = format_at(&location);
	erase_header();
	power_on(&machine, "luks2");
	list_volume(&machine, header, KNOWN_READY);
	mortise_luks2_free(&header);
	assert_step(&machine, MORTISE_STEP_OPEN, "open ");
	machine.run.known.state = KNOWN_MISSING;
	assert_step(&machine, MORTISE_STEP_WAIT, "STATE, which may hold its header, is not");
	machine.run.known.state = KNOWN_LISTED;
	assert_int_equal(rename(file, other), 0);
	for (unsigned adopt = 0; adopt < 2; adopt++) {
		machine.options.adopt = adopt;
		assert_step(&machine, MORTISE_STEP_FAIL, "cannot be opened without its header");
		assert_int_equal(truncate(device, 0) | truncate(device, 20L << 20), 0);
		assert_step(&machine, MORTISE_STEP_FAIL, "cannot be opened without its header");
		header = format_data(device);
		mortise_luks2_free(&header);
		assert_step(&machine, MORTISE_STEP_FAIL, "cannot be opened without its header");
		assert_int_equal(rename(other, file), 0);
		assert_step(&machine, MORTISE_STEP_FAIL, "holds another LUKS2 header");
		assert_int_equal(truncate(device, 0) | truncate(device, 20L << 20), 0);
		assert_step(&machine, MORTISE_STEP_FAIL, "is empty: not used");
		assert_int_equal(rename(file, other), 0);
	}
	assert_int_equal(rename(other, file), 0);
	erase_header();
	power_off(&machine);
	power_on(&machine, "none");
	assert_step(&machine, MORTISE_STEP_DECRYPT, "decrypt in place ");
	power_off(&machine);
}

/* A file whose removal was interrupted does not count. */
static void test_left_over(void **state)
{
	struct mortise_luks2 *header;
	struct machine machine;

	(void)state;
	write_text(file, "");
	assert_int_equal(truncate(file, 17L << 20), 0);
	header = format_data(file);
	mortise_luks2_free(&header);
	power_on(&machine, "none");
	list_volume(&machine, NULL, KNOWN_READY);
	assert_int_equal(volume_plan_make(&machine.run, machine.plan, NULL), MORTISE_OK);
	assert_int_equal(machine.plan->step_count, 0);
	assert_int_equal(carry_out(&machine), MORTISE_OK);
	assert_int_equal(access(file, F_OK), -1);
	/* A planted STATE: to overwrite it would take hours. */
	write_text(file, "");
	assert_int_equal(truncate(file, INT64_C(1) << 40), 0);
	assert_step(&machine, MORTISE_STEP_FAIL, "it is too large for a header");
	power_off(&machine);
}

/* A link below the root leads to a directory below the root, also when the file itself is opened. */
static void test_linked_state(void **state)
{
	char link[96], real[PATH_MAX], wanted[PATH_MAX + 24], path[VOLUME_PATH_MAX];
	bool found;

	(void)state;
	snprintf(link, sizeof(link), "%s/link", directory);
	assert_int_equal(symlink("/state", link), 0);
	assert_non_null(realpath(state_dir, real));
	snprintf(wanted, sizeof(wanted), "%s/header-r-data.luks2", real);
	assert_int_equal(state_header_find(directory, link, "r-data", path, &found, NULL),
			 MORTISE_OK);
	assert_int_equal(unlink(link), 0);
	assert_false(found);
	assert_string_equal(path, wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_decrypt_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_decrypt_planted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_decrypt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_begun, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_detached, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_left_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_linked_state, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
