/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a program, this searches all its writable memory for a secret when it exits, and
 * appends "raw N hex N base64 N" to the file MEMORY_SEARCH_OUT. MEMORY_SEARCH holds the secret in
 * hex, each byte exclusive-or 0x5a, so that this does not copy it. The first 16 bytes of each form
 * are not searched for, because free(3) overwrites them. With MEMORY_SEARCH_LEAK, it first leaks
 * the three forms: the search must find them.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_MAX 128u
#define SKIPPED	   16u

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static unsigned nibble(char digit)
{
	return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a') + 10;
}

/* Byte i of the secret. The secret itself is never stored. */
static uint8_t byte_at(const char *mask, size_t i)
{
	return (uint8_t)((nibble(mask[2 * i]) << 4 | nibble(mask[2 * i + 1])) ^ 0x5a);
}

/* Byte i of a form: 0 raw, 1 hex, 2 base64, whose last, partial group is left out. */
static uint8_t form_at(unsigned form, const char *mask, size_t i)
{
	const size_t first = i / 4 * 3;

	if (form == 0)
		return byte_at(mask, i);
	if (form == 1)
		return (uint8_t) "0123456789abcdef"[byte_at(mask, i / 2) >> (i % 2 ? 0 : 4) & 15];
	return (uint8_t)base64[((unsigned)byte_at(mask, first) << 16 |
				(unsigned)byte_at(mask, first + 1) << 8 |
				(unsigned)byte_at(mask, first + 2)) >>
				       (18 - 6 * (i % 4)) &
			       63];
}

static size_t form_size(unsigned form, size_t size)
{
	return form == 0 ? size : form == 1 ? 2 * size : size / 3 * 4;
}

static unsigned count(unsigned form, const char *mask, const uint8_t *from, const uint8_t *to)
{
	const size_t size = form_size(form, strlen(mask) / 2);
	unsigned found = 0;

	for (; from + (size - SKIPPED) <= to; from++) {
		size_t i = SKIPPED;

		while (i < size && from[i - SKIPPED] == form_at(form, mask, i))
			i++;
		found += i == size;
	}
	return found;
}

__attribute__((constructor)) static void leak(void)
{
	const char *mask = getenv("MEMORY_SEARCH");

	for (unsigned form = 0; mask && getenv("MEMORY_SEARCH_LEAK") && form < 3; form++) {
		const size_t size = form_size(form, strlen(mask) / 2);
		uint8_t *copy = malloc(size);

		for (size_t i = 0; copy && i < size; i++)
			copy[i] = form_at(form, mask, i);
		free(copy);
	}
}

__attribute__((destructor)) static void search(void)
{
	const char *mask = getenv("MEMORY_SEARCH"), *out = getenv("MEMORY_SEARCH_OUT");
	static char maps[1 << 18];
	unsigned found[3] = { 0 };
	size_t used = 0;
	ssize_t got = 0;
	int fd;

	if (!mask || !out || strlen(mask) / 2 < 2 * SKIPPED || strlen(mask) / 2 > SECRET_MAX)
		return;
	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && used < sizeof(maps) - 1 &&
	       (got = read(fd, maps + used, sizeof(maps) - 1 - used)) > 0)
		used += (size_t)got;
	close(fd);
	for (char *line = maps; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		unsigned long from, to;
		char rights[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[0] != 'r' ||
		    rights[1] != 'w')
			continue;
		for (unsigned form = 0; form < 3; form++)
			found[form] +=
				count(form, mask, (const uint8_t *)from, (const uint8_t *)to);
	}
	fd = open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0)
		dprintf(fd, "raw %u hex %u base64 %u\n", found[0], found[1], found[2]);
	close(fd);
}
