/* SPDX-License-Identifier: MIT */
/*
 * The inside of meta/selector.h: tokens, typed nodes, values. After the language definition of
 * CEL (github.com/google/cel-spec, doc/langdef.md): numbers of different types never mix.
 */
#ifndef META_CEL_H
#define META_CEL_H

#include <stdarg.h>

#include "meta/selector.h"

enum {
	META_CEL_DEPTH_MAX = 128,	/* of a tree: "a || b || ..." grows by one each */
	META_CEL_NESTING_MAX = 32,	/* of parentheses, brackets, calls, signs */
	META_CEL_VARIABLES_MAX = 4,	/* of exists() in exists() */
	META_CEL_STEPS_MAX = 100000,	/* of one evaluation */
	META_CEL_PATTERN_STEPS = 100,	/* that one matches() counts for: it compiles its pattern */
	META_CEL_PATTERN_MAX = 256,	/* bytes of a regular expression */
};

enum meta_cel_type {
	META_CEL_BOOL,
	META_CEL_INT,
	META_CEL_UINT,
	META_CEL_DOUBLE,
	META_CEL_STRING,
	META_CEL_DISK,
	META_CEL_LIST = 8,	/* a bit beside the type of the items */
};

enum meta_cel_kind {
	META_CEL_END,
	META_CEL_NAME,
	META_CEL_LITERAL,	/* of the type in the token */
	META_CEL_OPERATOR,	/* one or two characters */
};

struct meta_cel_token {
	enum meta_cel_kind kind;
	size_t at;		/* offset in the text */
	size_t size;
	unsigned type;		/* of a LITERAL; what it is stands in value */
	union meta_cel_constant {
		bool truth;
		int64_t integer;
		uint64_t natural;
		double real;
		const char *string;
		unsigned number; /* of a field or a variable */
	} value;
};

/* Operands are child[0], [1], [2] in the order of the text. */
enum meta_cel_op {
	META_CEL_CONSTANT,
	META_CEL_FIELD,		/* of the disk: value.number */
	META_CEL_SYSTEM_DISK,
	META_CEL_VARIABLE,	/* value.number: how many lie outside of it */
	META_CEL_NOT,
	META_CEL_NEGATE,
	META_CEL_MULTIPLY,
	META_CEL_DIVIDE,
	META_CEL_REMAINDER,
	META_CEL_ADD,
	META_CEL_SUBTRACT,
	META_CEL_LESS,
	META_CEL_LESS_EQUAL,
	META_CEL_GREATER,
	META_CEL_GREATER_EQUAL,
	META_CEL_EQUAL,
	META_CEL_NOT_EQUAL,
	META_CEL_IN,
	META_CEL_AND,
	META_CEL_OR,
	META_CEL_CHOICE,
	META_CEL_ITEMS,		/* a list: child[0] is the first, next the one behind */
	META_CEL_INDEX,
	META_CEL_HAS,
	META_CEL_SIZE,
	META_CEL_STARTS_WITH,
	META_CEL_ENDS_WITH,
	META_CEL_CONTAINS,
	META_CEL_MATCHES,
	META_CEL_GLOB,
	META_CEL_TO_INT,
	META_CEL_TO_UINT,
	META_CEL_TO_DOUBLE,
	META_CEL_EXISTS,	/* child[0]: list, child[1]: condition; value.number: variable */
	META_CEL_EXISTS_ONE,
	META_CEL_ALL,
};

struct meta_cel_node {
	enum meta_cel_op op;
	unsigned type;
	size_t at;
	unsigned depth;
	union meta_cel_constant value;
	struct meta_cel_node *child[3];
	struct meta_cel_node *next;
};

/* One text that is being read. The first failure stays: code and *err. */
struct meta_cel_reader {
	const char *text;
	size_t at;		/* behind token */
	struct meta_cel_token token; /* the one to be read next */
	struct meta_cel_node *nodes; /* room for as many as text has bytes, and one */
	size_t node_count;
	char *strings;		/* likewise: no literal gets longer by being read */
	size_t strings_size;
	unsigned nesting;
	struct {
		size_t at;
		size_t size;
		unsigned type;
	} variable[META_CEL_VARIABLES_MAX];
	unsigned variable_count;
	enum mortise_code code;
	struct mortise_error *err;
};

/* "LINE:COLUMN: " and a sentence. Only the first one counts. Returns false. */
__attribute__((format(printf, 3, 4))) bool meta_cel_fail(struct meta_cel_reader *reader, size_t at,
							 const char *format, ...);
enum mortise_code meta_cel_error(struct mortise_error *err, const char *text, size_t at,
				 const char *format, va_list arguments);

/* Reads the token behind reader->token into it. */
bool meta_cel_advance(struct meta_cel_reader *reader);
bool meta_cel_is(const struct meta_cel_reader *reader, const char *operator_text);
/* Is the token, a name, this one? */
bool meta_cel_named(const struct meta_cel_reader *reader, const struct meta_cel_token *token,
		    const char *name);

/* The whole text as a tree; NULL when it is not an expression. */
struct meta_cel_node *meta_cel_expression(struct meta_cel_reader *reader);

/* A node with a type and up to three children; NULL when the tree is too deep. */
struct meta_cel_node *meta_cel_node(struct meta_cel_reader *reader, enum meta_cel_op op,
				    unsigned type, size_t at,
				    struct meta_cel_node *const child[3]);

/* Operators: with the type that comes of those of the operands, or failed with a sentence. */
struct meta_cel_node *meta_cel_operation(struct meta_cel_reader *reader, enum meta_cel_op op,
					 size_t at, struct meta_cel_node *const child[3]);

/* NAME: a variable, a constant, disk, system_disk. */
struct meta_cel_node *meta_cel_named_value(struct meta_cel_reader *reader,
					   const struct meta_cel_token *name);
/* DISK.NAME */
struct meta_cel_node *meta_cel_field(struct meta_cel_reader *reader, struct meta_cel_node *disk,
				     const struct meta_cel_token *name);
/* NAME(A, B), and A.NAME(B) when target is not NULL. The token is behind the parenthesis. */
struct meta_cel_node *meta_cel_call(struct meta_cel_reader *reader, struct meta_cel_node *target,
				    const struct meta_cel_token *name);
/* What stands between parentheses, commas, colons; for calls. */
struct meta_cel_node *meta_cel_inner(struct meta_cel_reader *reader);
/* Reads past the operator, which has to be there. */
bool meta_cel_expect(struct meta_cel_reader *reader, const char *operator_text);

/* "uint", "list of string". */
const char *meta_cel_type_name(unsigned type);

/* Fields of struct meta_disk by number; meta_cel_field_find returns -1 for none. */
struct meta_cel_field {
	const char *name;
	unsigned type;
	size_t offset;
};

const struct meta_cel_field *meta_cel_field_at(unsigned number);
int meta_cel_field_find(const char *name, size_t size);

/* Is pattern one that means the same in RE2, which CEL has, and in POSIX? A sentence, or NULL. */
const char *meta_cel_pattern_flaw(const char *pattern);
/* Does it fit anywhere in text? */
bool meta_cel_pattern_fits(const char *pattern, const char *text);
/* "*" stands for any bytes, all others for themselves: what Talos's glob() does. */
bool meta_cel_glob(const char *pattern, const char *text);
/* Code points. */
size_t meta_cel_length(const char *text);

/* What an expression comes to. */
struct meta_cel_value {
	unsigned type;
	union meta_cel_constant is;
	const char *const *strings;	     /* a list of the disk's, NULL behind the last */
	const struct meta_cel_node *items; /* a list of the text's */
};

struct meta_cel_run {
	const struct meta_disk *disk;
	unsigned steps;
	struct meta_cel_value variable[META_CEL_VARIABLES_MAX];
	const char *why;	/* there is no value, and where in the text it is missing */
	size_t why_at;
};

/* False: run->why says why not. */
bool meta_cel_evaluate(struct meta_cel_run *run, const struct meta_cel_node *node,
		       struct meta_cel_value *value);

/* Arithmetic, comparisons, conversions, NOT: NULL, or why there is no value. */
const char *meta_cel_compute(enum meta_cel_op op, const struct meta_cel_value operand[static 2],
			     struct meta_cel_value *value);

#endif
