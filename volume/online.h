/* SPDX-License-Identifier: MIT */
/*
 * Re-encrypting a volume while its mapping is in use. A second mapping, the helper, has the table that
 * the header describes. The zone that is converted is a part of the first mapping that leads to the
 * helper, which is suspended meanwhile: I/O to the zone waits above the encryption, and all other I/O
 * goes on. Afterwards the helper gets the table with the zone in its new form.
 */
#ifndef VOLUME_ONLINE_H
#define VOLUME_ONLINE_H

#include "dm/dm.h"
#include "volume/reencrypt.h"

struct online;

/*
 * Checks that the mapping belongs to the header, and takes over the helper that an interrupted process
 * has left. MORTISE_E_INACTIVE. MORTISE_E_USAGE: the mapping is another one, or the interrupted zone is
 * accessible in it. run must live longer; call online_close() in every case.
 */
MORTISE_MUST_CHECK enum mortise_code online_open(struct continuation *run, const char *name,
						 struct online **out, struct mortise_error *err);

/* After the recovery of an interrupted zone: compares the tables, and creates the helper. */
MORTISE_MUST_CHECK enum mortise_code online_begin(struct online *online,
						  struct mortise_error *err);

/* Makes I/O to the zone wait. */
MORTISE_MUST_CHECK enum mortise_code online_hold(struct online *online,
						 const struct luks2_zone *zone,
						 struct mortise_error *err);

/*
 * Lets I/O go on: result MORTISE_OK: with the table of the header as it is now. Else with the table as
 * it was, or, if the zone may be torn, with errors until it has been recovered. Returns result, or the
 * code of a failure.
 */
MORTISE_MUST_CHECK enum mortise_code online_release(struct online *online, bool torn,
						    enum mortise_code result,
						    struct mortise_error *err);

/*
 * Gives the mapping the table of the header, and removes the helper, unless a zone is torn. Returns
 * result, or the code of a failure.
 */
MORTISE_MUST_CHECK enum mortise_code online_finish(struct online *online, enum mortise_code result,
						   struct mortise_error *err);

/*
 * Moves data and commits the header with which move() begins a reencryption, while all I/O to the
 * mapping waits. The mapping then has the table of the header on disk; if it cannot get it, its I/O fails.
 */
MORTISE_MUST_CHECK enum mortise_code
online_move(struct online *online,
	    enum mortise_code (*move)(void *context, struct mortise_error *err), void *context,
	    struct mortise_error *err);

/* Bytes of a mapping that is smaller than the data; otherwise 0. */
uint64_t online_part(const struct online *online);

/* NULL is allowed. */
void online_close(struct online *online);

/*
 * MORTISE_E_USAGE: the mapping does not have the data of the header in size bytes (0: all). part: it may
 * have less of them.
 */
MORTISE_MUST_CHECK enum mortise_code online_check(const struct mortise_luks2 *header,
						  const char *name, uint64_t size, bool part,
						  struct mortise_error *err);

/* MORTISE_E_USAGE: the mapping has another volume key than key, the header's. */
MORTISE_MUST_CHECK enum mortise_code online_check_key(const struct mortise_luks2 *header,
						      const char *name,
						      const struct mortise_secret *key,
						      struct mortise_error *err);

/* Does a mapping below NAME exist that a reencryption of this header made? info receives it. */
bool online_has_helper(struct dm_control *control, const struct mortise_luks2 *header,
		       const char *name, const char *suffix, struct dm_info *info);

/* MORTISE_E_BUSY: the mapping leads to helpers that a killed cryptsetup has left. */
MORTISE_MUST_CHECK enum mortise_code online_check_overlay(struct dm_control *control,
							  const struct mortise_luks2 *header,
							  const char *name,
							  struct mortise_error *err);

/*
 * mortise_reencrypt_is_left(): gives the mapping the table of the header, in which the reencryption has
 * ended. run has only the header and the lock.
 */
MORTISE_MUST_CHECK enum mortise_code online_complete(struct continuation *run,
						     const struct mortise_reencrypt_run *how,
						     const struct mortise_secret *passphrase,
						     struct mortise_error *err);

#endif
