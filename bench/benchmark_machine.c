/* SPDX-License-Identifier: MIT */
/* A description of the machine: without it, results cannot be interpreted. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "base/file.h"
#include "base/machine.h"
#include "base/sized.h"
#include "bench/benchmark.h"

/* Enough for the first processor's entry: 1.5 KiB on x86, mostly flags. */
#define FILE_MAX 8192

/* Features that ciphers, hashes and Argon2 use, as named in /proc/cpuinfo of x86 and Arm. */
static const char *const wanted_features[] = {
	"sse2",	     "ssse3",	   "avx2", "avx512f", "avx512vl", "aes",   "vaes",
	"pclmulqdq", "vpclmulqdq", "gfni", "sha_ni",  "neon",	  "asimd", "pmull",
	"sha1",	     "sha2",	   "sha3", "sha512",  "sve",	  "sve2",
};

/* Removes trailing blanks and newlines. "" if the file cannot be read. */
static void read_text(const char *path, char *text, size_t room)
{
	size_t size;

	(void)file_read_text(path, text, room);
	size = strlen(text);
	while (size && isspace((unsigned char)text[size - 1]))
		text[--size] = '\0';
}

/* Finds the value of the first line "key<blanks>: value", and its length; NULL without one. */
static const char *find_value(const char *text, const char *key, size_t *length)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *at;

		line += *line == '\n';
		if (strncmp(line, key, strlen(key)))
			continue;
		at = line + strlen(key);
		at += strspn(at, " \t");
		if (*at != ':')
			continue;
		at += 1 + strspn(at + 1, " \t");
		*length = strcspn(at, "\n");
		return at;
	}
	return NULL;
}

static void copy_value(const char *cpuinfo, const char *key, char *out, size_t room)
{
	size_t length;
	const char *value = find_value(cpuinfo, key, &length);

	if (value && !out[0])
		snprintf(out, room, "%.*s", (int)length, value);
}

static bool has_word(const char *list, size_t length, const char *word)
{
	const size_t size = strlen(word);

	for (const char *at = list; at < list + length; at += strcspn(at, " \n") + 1)
		if (!strncmp(at, word, size) && (at[size] == ' ' || at[size] == '\n' || !at[size]))
			return true;
	return false;
}

static void read_features(const char *cpuinfo, struct mortise_machine *machine)
{
	size_t length = 0, used = 0;
	const char *list = find_value(cpuinfo, "flags", &length);

	if (!list)
		list = find_value(cpuinfo, "Features", &length);
	for (size_t i = 0; list && i < sizeof(wanted_features) / sizeof(wanted_features[0]); i++) {
		if (!has_word(list, length, wanted_features[i]))
			continue;
		used += (size_t)snprintf(machine->cpu_features + used,
					 sizeof(machine->cpu_features) - used, "%s%s",
					 used ? " " : "", wanted_features[i]);
	}
	machine->virtual_machine = list && has_word(list, length, "hypervisor");
}

/* Reads the signature of the hypervisor. The CPUID leaf exists only in virtual machines. */
static void read_signature(char signature[static 13])
{
	memset(signature, 0, 13);
#if defined(__x86_64__) || defined(__i386__)
	unsigned eax, ebx = 0, ecx = 0, edx = 0;

	__cpuid(0x40000000, eax, ebx, ecx, edx);
	memcpy(signature, &ebx, 4);
	memcpy(signature + 4, &ecx, 4);
	memcpy(signature + 8, &edx, 4);
#endif
}

static void read_emulator(const char *cpuinfo, struct mortise_machine *machine)
{
	char signature[13];

	if (strstr(cpuinfo, "User Mode Linux")) {
		strcpy(machine->emulator, "User Mode Linux");
		return;
	}
	if (machine->virtual_machine)
		read_signature(signature);
	else
		signature[0] = '\0';
	if (!strcmp(signature, "TCGTCGTCGTCG") || strstr(machine->cpu, "QEMU TCG"))
		strcpy(machine->emulator, "QEMU TCG");
}

static void read_cpu(struct mortise_machine *machine)
{
	char cpuinfo[FILE_MAX];

	read_text("/proc/cpuinfo", cpuinfo, sizeof(cpuinfo));
	/* x86; RISC-V; MIPS; Arm, which may name the chip in the last line. */
	copy_value(cpuinfo, "model name", machine->cpu, sizeof(machine->cpu));
	copy_value(cpuinfo, "uarch", machine->cpu, sizeof(machine->cpu));
	copy_value(cpuinfo, "cpu model", machine->cpu, sizeof(machine->cpu));
	copy_value(cpuinfo, "Hardware", machine->cpu, sizeof(machine->cpu));
	if (!machine->cpu[0])
		copy_value(cpuinfo, "CPU part", machine->cpu, sizeof(machine->cpu));
	read_features(cpuinfo, machine);
	read_emulator(cpuinfo, machine);
}

static void read_model(struct mortise_machine *machine)
{
	char vendor[48], product[72];

	/* In a device tree, the text ends with a NUL. */
	read_text("/proc/device-tree/model", machine->model, sizeof(machine->model));
	if (machine->model[0])
		return;
	read_text("/sys/class/dmi/id/sys_vendor", vendor, sizeof(vendor));
	read_text("/sys/class/dmi/id/product_name", product, sizeof(product));
	snprintf(machine->model, sizeof(machine->model), "%s%s%s", vendor,
		 vendor[0] && product[0] ? " " : "", product);
}

/* The file contains "always [madvise] never": reads the word in brackets. */
static void read_huge_pages(struct mortise_machine *machine)
{
	char text[64];
	char *start, *end;

	read_text("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text));
	start = strchr(text, '[');
	end = start ? strchr(start, ']') : NULL;
	if (end)
		snprintf(machine->huge_pages, sizeof(machine->huge_pages), "%.*s",
			 (int)(end - start - 1), start + 1);
}

enum mortise_code mortise_benchmark_machine(struct mortise_machine *out, struct mortise_error *err)
{
	struct mortise_machine filled = {
		.cpus = machine_cpus(),
		.memory_available = machine_available(&machine_files),
	};
	struct mortise_machine *machine = &filled;
	struct utsname name;

	machine->memory = machine_memory(&machine_files, &machine->swap);
	if (machine->memory_available == UINT64_MAX)
		machine->memory_available = 0;
	if (!uname(&name)) {
		snprintf(machine->kernel, sizeof(machine->kernel), "%.60s %.60s", name.sysname,
			 name.release);
		snprintf(machine->architecture, sizeof(machine->architecture), "%.31s",
			 name.machine);
	}
	read_cpu(machine);
	read_model(machine);
	read_huge_pages(machine);
	read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", machine->governor,
		  sizeof(machine->governor));
	return sized_output(SIZED(mortise_machine), out, &filled, err);
}
