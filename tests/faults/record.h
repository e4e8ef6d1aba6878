/* SPDX-License-Identifier: MIT */
/*
 * The recorder: RECORD=FILE writes a trace (trace.h) of the files in the folder RECORD_UNDER. Each
 * function is called after a call that succeeded, except record_flush: a write during a flush does
 * not count as flushed.
 */
#ifndef FAULTS_RECORD_H
#define FAULTS_RECORD_H

#include <stdbool.h>
#include <sys/types.h>

void record_start(void);
/* offset -1: the bytes before the position of fd. */
void record_write(int fd, const void *bytes, ssize_t size, off_t offset);
void record_size(int fd, off_t size);
void record_punch(int fd, int mode, off_t offset, off_t size);
void record_flush(int fd);
/* Does a call that may create this file have to be recorded, if it succeeds? Call it before. */
bool record_creates(int directory, const char *path, int flags);
void record_create(int fd);
void record_unlink(int directory, const char *path);

#endif
