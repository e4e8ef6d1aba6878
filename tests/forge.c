/* SPDX-License-Identifier: MIT */
/*
 * A test tool: writes the JSON text from standard input to both header copies of an image, with
 * valid checksums, so that hostile metadata reaches the parser. Nothing is checked.
 * Usage: forge IMAGE [SUBSYSTEM [LABEL [UUID]]]; a text that is not given stays as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "luks2/private.h"

int main(int argc, char **argv)
{
	struct luks2_device *device = NULL;
	uint8_t first[LUKS2_BINARY_SIZE];
	struct luks2_binary binary;
	struct mortise_error err = { 0 };
	size_t room, used = 0;
	ssize_t got;
	char *json;

	if (argc < 2 || argc > 5 || luks2_device_open(argv[1], false, &device, &err) ||
	    luks2_device_read(device, first, sizeof(first), 0, &err) ||
	    luks2_binary_decode(first, 0, &binary, &err) || luks2_device_writable(device, &err)) {
		fprintf(stderr, "forge: %s\n", err.text);
		return 1;
	}
	if (argc > 2)
		snprintf(binary.subsystem, sizeof(binary.subsystem), "%s", argv[2]);
	if (argc > 3)
		snprintf(binary.label, sizeof(binary.label), "%s", argv[3]);
	if (argc > 4)
		snprintf(binary.uuid, sizeof(binary.uuid), "%s", argv[4]);
	room = (size_t)binary.copy_size - LUKS2_BINARY_SIZE;
	json = calloc(1, room);
	while (json && used < room && (got = read(0, json + used, room - used)) > 0)
		used += (size_t)got;
	if (!json || luks2_copy_write(device, &binary, 0, json, &err) ||
	    luks2_copy_write(device, &binary, binary.copy_size, json, &err)) {
		fprintf(stderr, "forge: %s\n", err.text);
		return 1;
	}
	free(json);
	luks2_device_close(device);
	return 0;
}
