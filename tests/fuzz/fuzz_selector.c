/* SPDX-License-Identifier: MIT */
/* Hostile disk selectors: evaluating an accepted expression must give a result or an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/selector/selector.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_kinds[] = { "selectors", NULL };

static const char *const links[] = { "/dev/disk/by-id/a", "/dev/disk/by-path/b", NULL };

static const struct disk_facts disk = {
	.size = UINT64_C(1) << 40,
	.io_size = 512,
	.sector_size = 512,
	.system_known = true,
	.bus_path = "/pci0000:00/0000:00:02.0/virtio1",
	.dev_path = "/dev/vda",
	.firmware_version = "",
	.modalias = "virtio:d00000002v00001AF4",
	.model = "A model",
	.serial = "0123456789",
	.sub_system = "/sys/class/block",
	.transport = "virtio",
	.uuid = "",
	.wwid = "",
	.pretty_size = "2.0 TB",
	.secondary_disks = links + 1,
	.symlinks = links,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct config_selector *selector;
	struct mortise_error err = { .text = "" };
	bool matches;
	enum mortise_code code;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	code = config_selector_parse(text, &selector, &err);
	/* A rejected expression must have an error message. */
	if (code && (selector || err.code != code || !*err.text))
		abort();
	if (!code) {
		fuzz_accepted(0);
		code = config_selector_matches(selector, &disk, &matches, &err);
		if (code && (code != MORTISE_E_CONFIG || matches))
			abort();
	}
	config_selector_free(selector);
	free(text);
	return 0;
}
