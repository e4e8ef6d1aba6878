/* SPDX-License-Identifier: MIT */
/* A trace: what a run of the program did to the files in one folder, in this order. */
#ifndef FAULTS_TRACE_H
#define FAULTS_TRACE_H

#include <stdint.h>

#define TRACE_NAME_MAX 39u

enum trace_op {
	TRACE_WRITE,  /* the bytes follow this record */
	TRACE_SIZE,   /* size: that of the file from now on */
	TRACE_PUNCH,  /* from now on the range is zero */
	TRACE_CREATE, /* the file has a name, until a flush of the folder perhaps */
	TRACE_UNLINK, /* the same */
	TRACE_FLUSH,  /* of one file or, without a name, of the folder */
};

struct trace_record {
	uint64_t op;
	uint64_t offset, size; /* bytes */
	char name[TRACE_NAME_MAX + 1];
};

#endif
