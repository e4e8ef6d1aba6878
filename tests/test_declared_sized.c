/* SPDX-License-Identifier: MIT */
/* mortise-declared.h: options from older and newer callers, and accessors past the last element. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <mortise-declared.h>

static const char document[] = "apiVersion: v1alpha1\n"
			       "kind: UserVolumeConfig\n"
			       "name: data\n"
			       "encryption:\n"
			       "  provider: luks2\n"
			       "  keys:\n"
			       "    - slot: 0\n"
			       "      static:\n"
			       "        passphrase: correct horse\n";

static char directory[64], config_path[96], device_path[96];

/* A caller that was compiled with a later release. */
struct newer_options {
	struct mortise_up_options options;
	uint64_t unknown;
};

struct newer_reset_options {
	struct mortise_reset_options options;
	uint64_t unknown;
};

static void write_file(const char *path, const char *text, long size)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
	if (size)
		assert_int_equal(truncate(path, size), 0);
}

static int set_up(void **state)
{
	static struct mortise_config *config;

	strcpy(directory, "/tmp/mortise-sized.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(config_path, sizeof(config_path), "%s/config.yaml", directory);
	snprintf(device_path, sizeof(device_path), "%s/device", directory);
	write_file(config_path, document, 0);
	write_file(device_path, "", 64L << 20);
	assert_int_equal(mortise_config_read(config_path, &config, NULL), MORTISE_OK);
	*state = config;
	return 0;
}

static int tear_down(void **state)
{
	struct mortise_config *config = *state;

	mortise_config_free(&config);
	assert_null(config);
	(void)unlink(config_path);
	(void)unlink(device_path);
	return rmdir(directory);
}

/* Every function that takes the options refuses them, says why, and returns no object. */
static void assert_refused(const struct mortise_config *config,
			   const struct mortise_up_options *options, const char *why)
{
	static char dummy;
	struct mortise_config *stored = (void *)&dummy;
	struct mortise_report *report;
	struct mortise_plan *plan;
	struct mortise_error err;

	for (unsigned i = 0; i < 6; i++) {
		enum mortise_code code = MORTISE_OK;

		report = (void *)&dummy;
		plan = (void *)&dummy;
		memset(&err, 0, sizeof(err));
		if (i == 0)
			code = mortise_plan_make(config, options, &plan, &err);
		else if (i == 1)
			code = mortise_config_stored(options, &stored, &plan, &err);
		else if (i == 2)
			code = mortise_up(config, options, NULL, &report, &err);
		else if (i == 3)
			code = mortise_apply(config, options, false, NULL, &report, &err);
		else if (i == 4)
			code = mortise_down(config, options, &report, &err);
		else
			code = mortise_status(config, options, &report, &err);
		assert_int_equal(code, MORTISE_E_USAGE);
		assert_string_equal(err.text, why);
		assert_ptr_equal(i < 2 ? (void *)plan : (void *)report, NULL);
	}
	assert_null(stored);
}

static void test_up_options(void **state)
{
	const struct mortise_volume_device devices[] = { { "data", device_path } };
	struct newer_options newer = { .options = { .devices = devices, .device_count = 1 } };
	struct mortise_up_options *options = &newer.options;
	struct mortise_report *report = NULL;
	char why[128];

	assert_refused(*state, options,
		       "struct_size of struct mortise_up_options is 0; "
		       "set it to the size of the struct");
	/* Shorter than in the first release: members of that release are missing. */
	options->struct_size = offsetof(struct mortise_up_options, no_mount);
	snprintf(why, sizeof(why),
		 "struct_size of struct mortise_up_options is %zu; "
		 "set it to the size of the struct",
		 options->struct_size);
	assert_refused(*state, options, why);
	assert_refused(*state, NULL, "struct mortise_up_options is missing");
	options->struct_size = sizeof(*options);
	assert_int_equal(mortise_status(*state, options, &report, NULL), MORTISE_OK);
	mortise_report_free(&report);
	options->struct_size = sizeof(newer);
	assert_int_equal(mortise_status(*state, options, &report, NULL), MORTISE_OK);
	mortise_report_free(&report);
	newer.unknown = 1;
	snprintf(why, sizeof(why),
		 "struct mortise_up_options sets a member that libmortise %s does not know",
		 MORTISE_VERSION);
	assert_refused(*state, options, why);
}

/* A struct that the options refer to has a size, too. */
static void test_inner(void **state)
{
	struct mortise_key_sources sources = { .node_uuid = NULL };
	struct mortise_kdf_choice cost = { .forced_time = 4 };
	struct mortise_up_options options = { .struct_size = sizeof(options), .sources = &sources };

	assert_refused(*state, &options,
		       "struct_size of struct mortise_key_sources is 0; "
		       "set it to the size of the struct");
	sources.struct_size = sizeof(sources);
	options.cost = &cost;
	assert_refused(*state, &options,
		       "struct_size of struct mortise_kdf_choice is 0; "
		       "set it to the size of the struct");
}

static void test_reset_options(void **state)
{
	static const char *const names[] = { "data" };
	const struct mortise_volume_device devices[] = { { "data", device_path } };
	struct newer_reset_options newer = { .options = { .names = names,
							  .name_count = 1,
							  .devices = devices,
							  .device_count = 1 } };
	struct mortise_reset_options *options = &newer.options;
	const struct mortise_reset_target *target;
	struct mortise_reset *reset = NULL;
	struct mortise_error err;

	(void)state;
	assert_int_equal(mortise_reset_find(options, &reset, &err), MORTISE_E_USAGE);
	assert_string_equal(err.text, "struct_size of struct mortise_reset_options is 0; "
				      "set it to the size of the struct");
	options->struct_size = offsetof(struct mortise_reset_options, events);
	assert_int_equal(mortise_reset_find(options, &reset, &err), MORTISE_E_USAGE);
	options->struct_size = sizeof(newer);
	newer.unknown = 1;
	assert_int_equal(mortise_reset_find(options, &reset, &err), MORTISE_E_USAGE);
	assert_null(reset);
	newer.unknown = 0;
	assert_int_equal(mortise_reset_find(options, &reset, &err), MORTISE_OK);
	target = mortise_reset_target(reset, 0);
	assert_non_null(target);
	assert_string_equal(target->name, "data");
	assert_string_equal(target->device, device_path);
	assert_string_equal(target->content, "nothing");
	assert_int_equal(target->size, 64 << 20);
	assert_false(target->in_use);
	assert_null(mortise_reset_target(reset, 1));
	mortise_reset_free(&reset);
	assert_null(reset);
}

static void test_accessors(void **state)
{
	const struct mortise_volume_device devices[] = { { "u-data", device_path } };
	const struct mortise_up_options options = {
		.struct_size = sizeof(options),
		.devices = devices,
		.device_count = 1,
	};
	const struct mortise_volume_status *volume;
	const struct mortise_step *step;
	struct mortise_report *report = NULL;
	struct mortise_plan *plan = NULL;

	assert_int_equal(mortise_status(*state, &options, &report, NULL), MORTISE_OK);
	volume = mortise_report_volume(report, 0);
	assert_non_null(volume);
	assert_string_equal(volume->name, "data");
	assert_string_equal(volume->id, "u-data");
	assert_string_equal(volume->device, device_path);
	assert_int_equal(volume->phase, MORTISE_PHASE_LOCATED);
	assert_null(mortise_report_volume(report, 1));
	mortise_report_free(&report);
	assert_int_equal(mortise_plan_make(*state, &options, &plan, NULL), MORTISE_OK);
	step = mortise_plan_step(plan, 0);
	assert_non_null(step);
	assert_string_equal(step->volume, "data");
	assert_string_equal(step->device, device_path);
	for (size_t i = 0; i < 100 && step; i++)
		step = mortise_plan_step(plan, i);
	assert_null(step);
	mortise_plan_free(&plan);
}

/* The remarks of a configuration with errors are available. */
static void test_remarks(void **state)
{
	struct mortise_config *config = NULL;
	const struct mortise_remark *remark;

	(void)state;
	write_file(config_path,
		   "apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: data\nnom: x\n", 0);
	assert_int_equal(mortise_config_read(config_path, &config, NULL), MORTISE_E_CONFIG);
	remark = mortise_config_remark(config, 0);
	assert_non_null(remark);
	assert_true(remark->error);
	assert_int_equal(remark->line, 4);
	assert_non_null(strstr(remark->text, "nom"));
	for (size_t i = 0; i < 100 && remark; i++)
		remark = mortise_config_remark(config, i);
	assert_null(remark);
	mortise_config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_up_options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_inner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reset_options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_accessors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remarks, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
