/* SPDX-License-Identifier: MIT */
/* Partition tables whose last write was cut off. */
#ifndef DECLARED_HEAL_H
#define DECLARED_HEAL_H

#include <mortise.h>

/*
 * Looks for disks on which the kernel sees no partition because the entries in the first copy of
 * the table do not match their header, as a cut between the writes of the two leaves them: Linux
 * does not use the second copy by itself. Restores the first copy from it, tells the kernel, and
 * reports the disk by a notice. Other damage is left to the operator. What fails is reported, too.
 */
void volume_heal_tables(const struct mortise_events *events);

#endif
