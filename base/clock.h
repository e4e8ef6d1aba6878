/* SPDX-License-Identifier: MIT */
/* The monotonic clock, and the CPU time of a thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ns(void);
uint64_t clock_now_ms(void);

/* The CPU time of the calling thread, which does not depend on other load of the machine. */
uint64_t clock_thread_ns(void);

#endif
