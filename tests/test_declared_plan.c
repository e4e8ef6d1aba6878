/* SPDX-License-Identifier: MIT */
/* Plans that are given to another call, wait for STATE, or are older than their device. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include <mortise-declared.h>

#include "declared/steps.h"
#include "luks2/format.h"
#include "luks2/metadata.h"
#include "volume/record.h"

/* STATE, which has a file for its device, and two volumes. */
static const char document[] = "apiVersion: v1alpha1\n"
			       "kind: VolumeConfig\n"
			       "name: STATE\n"
			       "---\n"
			       "apiVersion: v1alpha1\n"
			       "kind: UserVolumeConfig\n"
			       "name: data\n"
			       "encryption:\n"
			       "  provider: luks2\n"
			       "  keys:\n"
			       "    - slot: 0\n"
			       "      static:\n"
			       "        passphrase: correct horse\n"
			       "    - slot: 1\n"
			       "      lockToState: true\n"
			       "      static:\n"
			       "        passphrase: correct horse\n"
			       "---\n"
			       "apiVersion: v1alpha1\n"
			       "kind: UserVolumeConfig\n"
			       "name: plain\n";

static char directory[64], config_path[96], path[3][96];
static const struct mortise_volume_device devices[] = {
	{ "STATE", path[0] },
	{ "u-data", path[1] },
	{ "u-plain", path[2] },
};

static void write_file(const char *name, const char *text, long size)
{
	FILE *file = fopen(name, "we");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
	if (size)
		assert_int_equal(truncate(name, size), 0);
}

static int set_up(void **state)
{
	static struct mortise_config *config;
	struct mortise_error err = { .text = "" };

	strcpy(directory, "/tmp/mortise-plan.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(config_path, sizeof(config_path), "%s/config.yaml", directory);
	write_file(config_path, document, 0);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/device%u", directory, i);
		write_file(path[i], "", 512L << 20);
	}
	assert_int_equal(mortise_config_read(config_path, &config, &err), MORTISE_OK);
	*state = config;
	return 0;
}

static int tear_down(void **state)
{
	struct mortise_config *config = *state;

	mortise_config_free(&config);
	(void)unlink(config_path);
	for (unsigned i = 0; i < 3; i++)
		(void)unlink(path[i]);
	return rmdir(directory);
}

static struct mortise_up_options options_for(const char *const *names, size_t count)
{
	return (struct mortise_up_options){
		.struct_size = sizeof(struct mortise_up_options),
		.names = names,
		.name_count = count,
		.devices = devices,
		.device_count = 3,
		.root = directory,
	};
}

static struct mortise_plan *plan_of(const struct mortise_config *config,
				    const struct mortise_up_options *options)
{
	struct mortise_error err = { .text = "" };
	struct mortise_plan *plan = NULL;

	if (mortise_plan_make(config, options, &plan, &err))
		fail_msg("%s", err.text);
	return plan;
}

static void assert_not_applied(const struct mortise_config *config, struct mortise_plan *plan,
			       const char *why)
{
	const struct mortise_up_options options = options_for(NULL, 0);
	struct mortise_report *report = NULL;
	struct mortise_error err = { .text = "" };

	for (unsigned staged = 0; staged < 2; staged++) {
		assert_int_equal(mortise_apply(config, &options, staged, plan, &report, &err),
				 MORTISE_E_USAGE);
		assert_string_equal(err.text, why);
		assert_null(report);
	}
}

/* A plan of other volumes or of another configuration stores nothing. */
static void test_apply_other_plan(void **state)
{
	static const char *const data = "data";
	struct mortise_up_options options = options_for(&data, 1);
	struct mortise_config *other = NULL;
	struct mortise_plan *plan;

	plan = plan_of(*state, &options);
	assert_not_applied(*state, plan,
			   "the plan does not include all volumes and a mounted STATE");
	mortise_plan_free(&plan);
	options = options_for(NULL, 0);
	options.no_mount = true;
	plan = plan_of(*state, &options);
	assert_not_applied(*state, plan,
			   "the plan does not include all volumes and a mounted STATE");
	mortise_plan_free(&plan);
	assert_int_equal(mortise_config_read(config_path, &other, NULL), MORTISE_OK);
	options = options_for(NULL, 0);
	plan = plan_of(other, &options);
	assert_not_applied(*state, plan, "the plan was made from another configuration");
	mortise_plan_free(&plan);
	mortise_config_free(&other);
}

static void format_data(void)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path[1] };
	const struct mortise_format format = { .struct_size = sizeof(format), .sector_size = 512 };
	const struct mortise_kdf_choice cost = {
		.struct_size = sizeof(cost), .forced_time = 4, .memory_kib = 32, .lanes = 1
	};
	const struct mortise_keyslot_new what = { .struct_size = sizeof(what),
						  .keyslot = 0,
						  .kdf = &cost };
	struct mortise_secret *passphrase = NULL;
	struct mortise_luks2 *header = NULL;

	assert_int_equal(mortise_luks2_format(&location, &format, &header, NULL), MORTISE_OK);
	assert_int_equal(mortise_secret_from("correct horse", 13, &passphrase, NULL), MORTISE_OK);
	assert_int_equal(mortise_keyslot_add(header, &what, passphrase, NULL, NULL, NULL),
			 MORTISE_OK);
	assert_int_equal(mortise_seal(header, "u-data", NULL), MORTISE_OK);
	mortise_secret_free(&passphrase);
	mortise_luks2_free(&header);
}

/* A new key that is locked to STATE is planned again when STATE is mounted. */
static void test_new_locked_key(void **state)
{
	const struct mortise_up_options options = options_for(NULL, 0);
	struct mortise_plan *plan;

	format_data();
	plan = plan_of(*state, &options);
	assert_int_equal(plan->volumes[1]->opened, 0);
	assert_false(plan->volumes[1]->failed);
	assert_true(plan->volumes[1]->waits);
	mortise_plan_free(&plan);
}

/* No file system is made on a device that has been filled since the plan was made. */
static void test_filled_device(void **state)
{
	const struct mortise_up_options options = options_for(NULL, 0);
	struct volume_result result = { .text = "" };
	struct volume_work work = { .result = &result };
	struct mortise_plan *plan = plan_of(*state, &options);
	struct mortise_error err = { .text = "" };
	struct volume_run run = { .options = &options };

	work.run = &run;
	work.plan = plan->volumes[2];
	assert_int_equal(work.plan->steps[0].kind, MORTISE_STEP_MKFS);
	write_file(path[2], "data of another program", 64L << 20);
	assert_int_equal(volume_do_step(&work, 0, &err), MORTISE_E_CHANGED);
	assert_non_null(strstr(err.text, "was empty and now holds unknown data"));
	mortise_plan_free(&plan);
}

static bool cancel(void *context, const struct mortise_event *event)
{
	(void)context;
	(void)event;
	return false;
}

/* A file system that is made in part would be unknown data to every later run. */
static void test_canceled_mkfs(void **state)
{
	const struct mortise_up_options options = options_for(NULL, 0);
	struct volume_result result = { .text = "" };
	struct mortise_plan *plan = plan_of(*state, &options);
	struct mortise_error err = { .text = "" };
	struct volume_run run = { .options = &options, .events = { .call = cancel } };
	struct volume_work work = { .run = &run, .plan = plan->volumes[2], .result = &result };
	struct disk_probe probe;

	if (volume_do_step(&work, 0, &err))
		fail_msg("%s", err.text);
	assert_int_equal(disk_probe(path[2], NULL, &probe, NULL), MORTISE_OK);
	assert_string_equal(probe.type, "xfs");
	mortise_plan_free(&plan);
}

/* A wait for another program that updates a header ends when it is canceled. */
static void test_canceled_lock(void **state)
{
	static const char *const data = "data";
	const struct mortise_events events = { .call = cancel };
	struct mortise_up_options options = options_for(&data, 1);
	struct mortise_plan *plan = NULL;
	int fd;

	format_data();
	fd = open(path[1], O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	options.events = &events;
	(void)alarm(60);
	assert_int_equal(mortise_plan_make(*state, &options, &plan, NULL), MORTISE_E_CANCELED);
	(void)alarm(0);
	assert_null(plan);
	close(fd);
}

/* Options for a configuration of data alone. */
static struct mortise_up_options options_alone(void)
{
	static const char *const data = "data";
	struct mortise_up_options options = options_for(&data, 1);

	options.devices = &devices[1];
	options.device_count = 1;
	return options;
}

static struct mortise_config *config_with(const char *encryption)
{
	struct mortise_config *config = NULL;
	struct mortise_error err = { .text = "" };
	char text[1024];

	snprintf(text, sizeof(text),
		 "apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: data\nencryption:\n"
		 "  provider: luks2\n%s"
		 "  keys:\n    - {slot: 0, static: {passphrase: correct horse}}\n",
		 encryption);
	write_file(config_path, text, 0);
	if (mortise_config_read(config_path, &config, &err))
		fail_msg("%s", err.text);
	return config;
}

/* Step i of the plan of data, the only volume. */
static struct volume_step *find_step(struct mortise_plan *plan, enum mortise_step_kind kind)
{
	struct volume_plan *data = plan->volumes[0];

	for (size_t i = 0; i < data->step_count; i++)
		if (data->steps[i].kind == kind)
			return &data->steps[i];
	return NULL;
}

static enum mortise_code execute(struct mortise_config *config, struct mortise_plan *plan,
				 const struct mortise_up_options *options,
				 enum mortise_step_kind kind, struct mortise_error *err)
{
	const struct volume_step *step = find_step(plan, kind);
	struct volume_result result = { .text = "" };
	struct volume_run run;
	struct volume_work work = { .run = &run, .plan = plan->volumes[0], .result = &result };
	enum mortise_code code;

	assert_non_null(step);
	assert_int_equal(volume_run_init(&run, config, options, err), MORTISE_OK);
	volume_plan_attach(work.plan, &run);
	code = volume_do_step(&work, (size_t)(step - work.plan->steps), err);
	volume_plan_attach(work.plan, NULL);
	volume_run_clear(&run);
	return code;
}

static struct mortise_luks2 *load_data(void)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path[1] };
	struct mortise_luks2 *header = NULL;

	assert_int_equal(mortise_luks2_load(&location, &header, NULL), MORTISE_OK);
	return header;
}

/* Changes the record without the volume key, as an attacker could. */
static void forge_rotation(const char *serial)
{
	struct mortise_luks2 *header = load_data();
	struct luks2_update *update = NULL;

	assert_int_equal(luks2_update_begin(header, &update, NULL), MORTISE_OK);
	assert_true(volume_record_set_rotation(luks2_update_metadata(update), serial));
	assert_int_equal(luks2_update_commit(&update, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
}

static bool cancel_progress(void *context, const struct mortise_event *event)
{
	(void)context;
	return event->type != MORTISE_EVENT_PROGRESS;
}

/* A changed serial replaces the volume key once; a cut continues, and the seal holds. */
static void test_rotation(void **state)
{
	struct mortise_up_options options = options_alone();
	const struct mortise_kdf_choice cost = {
		.struct_size = sizeof(cost), .forced_time = 4, .memory_kib = 32, .lanes = 1
	};
	struct mortise_config *config = config_with("  rotateVolumeKey: one\n");
	struct mortise_error err = { .text = "" };
	struct mortise_luks2 *header;
	struct mortise_plan *plan;

	(void)state;
	options.cost = &cost;
	assert_int_equal(truncate(path[1], 20L << 20), 0);
	format_data();
	plan = plan_of(config, &options);
	assert_non_null(find_step(plan, MORTISE_STEP_REENCRYPT));
	assert_non_null(
		strstr(find_step(plan, MORTISE_STEP_REENCRYPT)->text, "rotate volume key of "));
	options.events = &(const struct mortise_events){ .call = cancel_progress };
	assert_int_equal(execute(config, plan, &options, MORTISE_STEP_REENCRYPT, &err),
			 MORTISE_E_CANCELED);
	mortise_plan_free(&plan);
	options.events = NULL;
	/* Begun: it is continued under any serial. */
	plan = plan_of(config, &options);
	assert_false(plan->volumes[0]->failed);
	assert_non_null(strstr(find_step(plan, MORTISE_STEP_REENCRYPT)->text,
			       "continue to rotate volume key of "));
	assert_null(find_step(plan, MORTISE_STEP_KEY_REMOVE));
	if (execute(config, plan, &options, MORTISE_STEP_REENCRYPT, &err))
		fail_msg("%s", err.text);
	mortise_plan_free(&plan);
	header = load_data();
	assert_string_equal(volume_record_rotation(luks2_header_metadata(header)), "one");
	assert_true(luks2_keyslot_opens_data(luks2_header_metadata(header), 0));
	assert_false(luks2_keyslot_in_use(luks2_header_metadata(header), 1));
	mortise_luks2_free(&header);
	plan = plan_of(config, &options);
	assert_false(plan->volumes[0]->failed);
	assert_int_equal(plan->volumes[0]->opened, 0);
	assert_null(find_step(plan, MORTISE_STEP_REENCRYPT));
	assert_null(find_step(plan, MORTISE_STEP_KEY_RECORD));
	mortise_plan_free(&plan);
	mortise_config_free(&config);
}

/* Online, the step only begins; the next run opens the volume without finishing it. */
static void test_online(void **state)
{
	struct mortise_up_options options = options_alone();
	const struct mortise_kdf_choice cost = {
		.struct_size = sizeof(cost), .forced_time = 4, .memory_kib = 32, .lanes = 1
	};
	struct mortise_config *config =
		config_with("  rotateVolumeKey: one\n  reencrypt: {when: online}\n");
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_error err = { .text = "" };
	struct mortise_luks2 *header;
	struct mortise_plan *plan;

	(void)state;
	options.cost = &cost;
	assert_int_equal(truncate(path[1], 20L << 20), 0);
	format_data();
	for (unsigned i = 0; i < 2; i++) {
		plan = plan_of(config, &options);
		assert_false(plan->volumes[0]->failed);
		assert_non_null(
			strstr(find_step(plan, MORTISE_STEP_REENCRYPT)->text,
			       i ? "continue to rotate volume key of " : "rotate volume key of "));
		assert_non_null(strstr(find_step(plan, MORTISE_STEP_REENCRYPT)->text,
				       ", while it is in use: "));
		assert_true(find_step(plan, MORTISE_STEP_REENCRYPT)->online);
		assert_non_null(find_step(plan, MORTISE_STEP_OPEN));
		if (execute(config, plan, &options, MORTISE_STEP_REENCRYPT, &err))
			fail_msg("%s", err.text);
		/* Both keys are known, for the mapping with both forms. */
		assert_non_null(volume_plan_key(plan->volumes[0]));
		assert_non_null(luks2_header_next_key(plan->volumes[0]->header));
		mortise_plan_free(&plan);
		header = load_data();
		assert_int_equal(mortise_reencrypt_info(header, &info, NULL), MORTISE_OK);
		assert_int_equal(info.done, 0);
		assert_true(volume_record_online(luks2_header_metadata(header)));
		mortise_luks2_free(&header);
	}
	mortise_config_free(&config);
	/* Declared for the boot, it is done before the volume is opened. */
	config = config_with("  rotateVolumeKey: two\n");
	plan = plan_of(config, &options);
	assert_false(find_step(plan, MORTISE_STEP_REENCRYPT)->online);
	if (execute(config, plan, &options, MORTISE_STEP_REENCRYPT, &err))
		fail_msg("%s", err.text);
	mortise_plan_free(&plan);
	header = load_data();
	assert_int_equal(mortise_reencrypt_info(header, &info, NULL), MORTISE_E_USAGE);
	assert_string_equal(volume_record_rotation(luks2_header_metadata(header)), "one");
	mortise_luks2_free(&header);
	mortise_config_free(&config);
}

static void assert_refused(const char *encryption, bool adopt)
{
	struct mortise_up_options options = options_alone();
	struct mortise_config *config = config_with(encryption);
	struct mortise_plan *plan;

	options.adopt = adopt;
	plan = plan_of(config, &options);

	assert_non_null(find_step(plan, MORTISE_STEP_REFUSE));
	assert_null(find_step(plan, MORTISE_STEP_REENCRYPT));
	mortise_plan_free(&plan);
	mortise_config_free(&config);
}

/* With inPlace, data that is encrypted otherwise than declared is encrypted again. */
static void test_conversion(void **state)
{
	struct mortise_up_options options = options_alone();
	const struct mortise_kdf_choice cost = {
		.struct_size = sizeof(cost), .forced_time = 4, .memory_kib = 32, .lanes = 1
	};
	struct mortise_config *config;
	struct mortise_error err = { .text = "" };
	struct mortise_plan *plan;

	(void)state;
	options.cost = &cost;
	assert_int_equal(truncate(path[1], 20L << 20), 0);
	format_data();
	assert_refused("  keySize: 256\n", false);
	/* A file system with smaller blocks could not be mounted any more. */
	assert_refused("  keySize: 256\n  blockSize: 4096\n  inPlace: true\n", false);
	config = config_with("  keySize: 256\n  inPlace: true\n");
	plan = plan_of(config, &options);
	assert_false(plan->volumes[0]->failed);
	assert_non_null(strstr(find_step(plan, MORTISE_STEP_REENCRYPT)->text,
			       " as declared, aes-xts-plain64, 256-bit key: 4 MiB"));
	if (execute(config, plan, &options, MORTISE_STEP_REENCRYPT, &err))
		fail_msg("%s", err.text);
	mortise_plan_free(&plan);
	plan = plan_of(config, &options);
	assert_false(plan->volumes[0]->failed);
	assert_null(find_step(plan, MORTISE_STEP_REENCRYPT));
	assert_int_equal(mortise_secret_size(volume_plan_key(plan->volumes[0])), 32);
	mortise_plan_free(&plan);
	/* Nothing proves that a header without a seal was the volume's. */
	forge_rotation("one");
	mortise_config_free(&config);
	assert_refused("  inPlace: true\n", false);
	assert_refused("  inPlace: true\n", true);
}

/* Without a list that knows the file system, only an operator encrypts it; and only the declared one. */
static void test_encrypt_in_place(void **state)
{
	struct mortise_up_options options = options_alone();
	struct mortise_config *config =
		config_with("  inPlace: true\n"); /* the file system is xfs by default */
	struct mortise_plan *plan;
	struct volume_step *step;
	char command[160];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(command, sizeof(command), "mkfs.%s -q %s 2>/dev/null",
			 i ? "xfs -f -d size=450m" : "ext4", path[1]);
		if (system(command))
			skip();
		options.adopt = false;
		plan = plan_of(config, &options);
		assert_true(plan->volumes[0]->failed);
		assert_non_null(find_step(plan, MORTISE_STEP_REFUSE));
		mortise_plan_free(&plan);
		options.adopt = true;
		plan = plan_of(config, &options);
		step = find_step(plan, MORTISE_STEP_ENCRYPT);
		assert_true(!step == !i);
		assert_true(plan->volumes[0]->failed == !i);
		if (step)
			assert_non_null(strstr(step->text, " s; 18 MiB for the header from the "
							   "unused space behind the file system"));
		assert_true(!find_step(plan, MORTISE_STEP_KEY_ADD) == !i);
		assert_null(find_step(plan, MORTISE_STEP_FORMAT));
		assert_null(find_step(plan, MORTISE_STEP_MKFS));
		mortise_plan_free(&plan);
	}
	/* xfs that takes the whole device does not shrink. */
	snprintf(command, sizeof(command), "mkfs.xfs -q -f %s 2>/dev/null", path[1]);
	assert_int_equal(system(command), 0);
	plan = plan_of(config, &options);
	step = find_step(plan, MORTISE_STEP_REFUSE);
	assert_non_null(step);
	assert_non_null(strstr(step->text, "xfs file systems cannot shrink"));
	mortise_plan_free(&plan);
	mortise_config_free(&config);
}

/* The serial counts only under the seal. */
static void test_forged_rotation(void **state)
{
	static const char *const serials[] = { "one", "two" };
	const struct mortise_up_options options = options_alone();
	struct mortise_config *config = config_with("  rotateVolumeKey: one\n");
	struct mortise_plan *plan;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		format_data();
		forge_rotation(serials[i]);
		plan = plan_of(config, &options);
		assert_true(plan->volumes[0]->failed);
		assert_non_null(find_step(plan, MORTISE_STEP_REFUSE));
		assert_null(find_step(plan, MORTISE_STEP_REENCRYPT));
		mortise_plan_free(&plan);
	}
	mortise_config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_apply_other_plan, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_new_locked_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_filled_device, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_canceled_mkfs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_canceled_lock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rotation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_online, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_conversion, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_encrypt_in_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forged_rotation, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
