/* SPDX-License-Identifier: MIT */
/* Between a fuzzer and what runs it: driver.c, or libFuzzer with engine.c. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the fuzzer tests, up to FUZZ_KINDS_MAX names; NULL ends the list. */
#define FUZZ_KINDS_MAX 8u
extern const char *const fuzz_kinds[];

/* The fuzzer calls this for each input that the code under test accepted; kind: index of a name. */
void fuzz_accepted(unsigned kind);

#endif
