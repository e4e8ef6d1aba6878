/* SPDX-License-Identifier: MIT */
/*
 * Structs that a caller of the library allocates. They begin with size_t struct_size, which tells
 * the library how many members the caller knows; a later release adds members at the end.
 */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <stddef.h>

#include <mortise.h>

/* No struct of the library is larger. A larger struct_size was never set. */
#define SIZED_MAX 16384u

/* The library's own size of a struct, and its size in the first release that had it. */
struct sized_type {
	const char *name;	/* "mortise_location" */
	size_t size;		/* bytes */
	size_t least;		/* bytes */
};

/*
 * Copies an input, which the caller filled, into copy: members that it does not have are zero.
 * MORTISE_E_USAGE: given is NULL, struct_size is less than type->least or more than SIZED_MAX, or
 * a member that this library does not know is not zero.
 */
MORTISE_MUST_CHECK enum mortise_code sized_input(const struct sized_type *type, void *copy,
						 const void *given, struct mortise_error *err);

/* MORTISE_E_USAGE: an output is NULL, or its struct_size is out of the same bounds. */
MORTISE_MUST_CHECK enum mortise_code sized_check(const struct sized_type *type, const void *given,
						 struct mortise_error *err);

/*
 * Copies filled into an output, which may be shorter or longer: members that this library does
 * not know become zero. Checks as sized_check() does; given keeps its struct_size.
 */
MORTISE_MUST_CHECK enum mortise_code sized_output(const struct sized_type *type, void *given,
						  const void *filled, struct mortise_error *err);

/*
 * The descriptor of "struct TYPE", which still has the size of its first release. For a struct that
 * has grown, SIZED_SINCE() names the first new member. It comes after the first release's size,
 * because the padding of an older caller's struct is undefined.
 */
#define SIZED(type)                                                                                \
	(&(const struct sized_type){ #type, sizeof(struct type), sizeof(struct type) })
#define SIZED_SINCE(type, member)                                                                  \
	(&(const struct sized_type){ #type, sizeof(struct type), offsetof(struct type, member) })

#endif
