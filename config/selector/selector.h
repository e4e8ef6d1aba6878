/* SPDX-License-Identifier: MIT */
/*
 * Disk selectors: expressions in the Common Expression Language (cel.dev), of which this is
 * what Talos's environment for disks has, but for maps, time, conversions to text, and
 * arithmetic on strings and lists. Anything else is an error at its place, and never guessed.
 */
#ifndef CONFIG_SELECTOR_H
#define CONFIG_SELECTOR_H

#include <mortise.h>

#include "base/disk_facts.h"

#define CONFIG_SELECTOR_MAX 2048u /* bytes of an expression */

struct config_selector;

/*
 * Parses text and checks its types: it must say true or false. MORTISE_E_CONFIG, with line and
 * column inside text in front of the sentence ("1:11: ").
 */
MORTISE_MUST_CHECK enum mortise_code
config_selector_parse(const char *text, struct config_selector **out, struct mortise_error *err);
void config_selector_free(struct config_selector *selector);

/* The same for a text that is only looked at. */
MORTISE_MUST_CHECK enum mortise_code config_selector_check(const char *text,
							   struct mortise_error *err);

/*
 * Does the expression hold for this disk? MORTISE_E_CONFIG: it has no value, by an overflow, a
 * division by zero, an item beyond a list, a system disk that is not known, or too many steps.
 */
MORTISE_MUST_CHECK enum mortise_code config_selector_matches(const struct config_selector *selector,
							     const struct disk_facts *disk,
							     bool *matches,
							     struct mortise_error *err);

#endif
