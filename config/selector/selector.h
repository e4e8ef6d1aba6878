/* SPDX-License-Identifier: MIT */
/*
 * Disk selectors: expressions in the Common Expression Language (cel.dev). Supported is Talos's
 * environment for disks except timestamps, durations, messages, NUL characters, and regular
 * expressions that POSIX does not have. Everything else is an error with its position.
 */
#ifndef CONFIG_SELECTOR_H
#define CONFIG_SELECTOR_H

#include <mortise.h>

#include "base/disk_facts.h"

#define CONFIG_SELECTOR_MAX 2048u /* bytes of an expression */

struct config_selector;

/*
 * Parses text and checks its types: its value must be a bool. MORTISE_E_CONFIG;
 * MORTISE_E_UNSUPPORTED if Talos may accept it. The error starts with line and column inside text
 * ("1:11: ").
 */
MORTISE_MUST_CHECK enum mortise_code
config_selector_parse(const char *text, struct config_selector **out, struct mortise_error *err);
void config_selector_free(struct config_selector *selector);

/* Parses text and discards the result. */
MORTISE_MUST_CHECK enum mortise_code config_selector_check(const char *text,
							   struct mortise_error *err);

/*
 * Evaluates the expression for this disk. MORTISE_E_CONFIG: it has no value because of an overflow,
 * a division by zero, an index out of range, an unknown system disk, a value of the wrong type, or
 * too many steps.
 */
MORTISE_MUST_CHECK enum mortise_code config_selector_matches(const struct config_selector *selector,
							     const struct disk_facts *disk,
							     bool *matches,
							     struct mortise_error *err);

#endif
