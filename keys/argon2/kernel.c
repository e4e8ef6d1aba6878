/* SPDX-License-Identifier: MIT */
/* The kernels in this build, and the checks whether this processor can run them. */
#include "keys/argon2/kernel.h"

#include <stddef.h>
#include <string.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__) && __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#endif

#include "keys/argon2/argon2.h"

/*
 * These checks are not in the kernels' own files, since those are compiled with flags that let
 * the compiler use the instructions to check for. The results include whether the operating
 * system saves the wide registers.
 */
#if defined(__x86_64__)
/*
 * Since 2.34 glibc queries the processor at program start. Querying it again takes a dozen
 * instructions, each of which causes an exit from a virtual machine: 70 us there, which is a
 * thirtieth of an unlock.
 */
#ifdef CPU_FEATURE_ACTIVE
#define HAS(here, elsewhere) CPU_FEATURE_ACTIVE(here)
#else
#define HAS(here, elsewhere) __builtin_cpu_supports(elsewhere)
#endif

static bool has_avx512(void)
{
	return HAS(AVX512F, "avx512f");
}

static bool has_avx2(void)
{
	return HAS(AVX2, "avx2");
}

static bool has_ssse3(void)
{
	return HAS(SSSE3, "ssse3");
}
#elif defined(__aarch64__)
static bool has_neon(void)
{
	/* HWCAP_ASIMD in <asm/hwcap.h>. */
	return getauxval(AT_HWCAP) & (1u << 1);
}
#endif

static bool is_always_usable(void)
{
	return true;
}

/* Ordered by speed, fastest first. */
static const struct {
	const struct keys_argon2_kernel *kernel;
	bool (*usable)(void);
} kernels[] = {
#if defined(__x86_64__)
	{ &keys_argon2_avx512, has_avx512 },	     { &keys_argon2_avx2, has_avx2 },
	{ &keys_argon2_ssse3, has_ssse3 },	     { &keys_argon2_sse2, is_always_usable },
#elif defined(__aarch64__)
	{ &keys_argon2_neon, has_neon },
#endif
	{ &keys_argon2_portable, is_always_usable },
};

const struct keys_argon2_kernel *keys_argon2_select(const char *name)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if ((!name || !strcmp(name, kernels[i].kernel->name)) && kernels[i].usable())
			return kernels[i].kernel;
	return NULL;
}

const struct keys_argon2_kernel *keys_argon2_kernel_at(unsigned index)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (kernels[i].usable() && !index--)
			return kernels[i].kernel;
	return NULL;
}
