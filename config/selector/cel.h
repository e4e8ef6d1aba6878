/* SPDX-License-Identifier: MIT */
/*
 * The inside of meta/selector.h: tokens, typed nodes, values. After the language definition of
 * CEL (github.com/google/cel-spec, doc/langdef.md): numbers of different types never mix.
 */
#ifndef CONFIG_CEL_H
#define CONFIG_CEL_H

#include <stdarg.h>

#include "config/selector/selector.h"

enum {
	CONFIG_CEL_DEPTH_MAX = 128,	/* of a tree: "a || b || ..." grows by one each */
	CONFIG_CEL_NESTING_MAX = 32,	/* of parentheses, brackets, calls, signs */
	CONFIG_CEL_VARIABLES_MAX = 4,	/* of exists() in exists() */
	CONFIG_CEL_STEPS_MAX = 100000,	/* of one evaluation */
	CONFIG_CEL_PATTERN_STEPS = 100,	/* that one matches() counts for: it compiles its pattern */
	CONFIG_CEL_PATTERN_MAX = 256,	/* bytes of a regular expression */
};

enum config_cel_type {
	CONFIG_CEL_BOOL,
	CONFIG_CEL_INT,
	CONFIG_CEL_UINT,
	CONFIG_CEL_DOUBLE,
	CONFIG_CEL_STRING,
	CONFIG_CEL_DISK,
	CONFIG_CEL_LIST = 8,	/* a bit beside the type of the items */
};

enum config_cel_kind {
	CONFIG_CEL_END,
	CONFIG_CEL_NAME,
	CONFIG_CEL_LITERAL,	/* of the type in the token */
	CONFIG_CEL_OPERATOR,	/* one or two characters */
};

struct config_cel_token {
	enum config_cel_kind kind;
	size_t at;		/* offset in the text */
	size_t size;
	unsigned type;		/* of a LITERAL; what it is stands in value */
	union config_cel_constant {
		bool truth;
		int64_t integer;
		uint64_t natural;
		double real;
		const char *string;
		unsigned number; /* of a field or a variable */
	} value;
};

/* Operands are child[0], [1], [2] in the order of the text. */
enum config_cel_op {
	CONFIG_CEL_CONSTANT,
	CONFIG_CEL_FIELD,		/* of the disk: value.number */
	CONFIG_CEL_SYSTEM_DISK,
	CONFIG_CEL_VARIABLE,	/* value.number: how many lie outside of it */
	CONFIG_CEL_NOT,
	CONFIG_CEL_NEGATE,
	CONFIG_CEL_MULTIPLY,
	CONFIG_CEL_DIVIDE,
	CONFIG_CEL_REMAINDER,
	CONFIG_CEL_ADD,
	CONFIG_CEL_SUBTRACT,
	CONFIG_CEL_LESS,
	CONFIG_CEL_LESS_EQUAL,
	CONFIG_CEL_GREATER,
	CONFIG_CEL_GREATER_EQUAL,
	CONFIG_CEL_EQUAL,
	CONFIG_CEL_NOT_EQUAL,
	CONFIG_CEL_IN,
	CONFIG_CEL_AND,
	CONFIG_CEL_OR,
	CONFIG_CEL_CHOICE,
	CONFIG_CEL_ITEMS,		/* a list: child[0] is the first, next the one behind */
	CONFIG_CEL_INDEX,
	CONFIG_CEL_HAS,
	CONFIG_CEL_SIZE,
	CONFIG_CEL_STARTS_WITH,
	CONFIG_CEL_ENDS_WITH,
	CONFIG_CEL_CONTAINS,
	CONFIG_CEL_MATCHES,
	CONFIG_CEL_GLOB,
	CONFIG_CEL_TO_INT,
	CONFIG_CEL_TO_UINT,
	CONFIG_CEL_TO_DOUBLE,
	CONFIG_CEL_EXISTS,	/* child[0]: list, child[1]: condition; value.number: variable */
	CONFIG_CEL_EXISTS_ONE,
	CONFIG_CEL_ALL,
};

struct config_cel_node {
	enum config_cel_op op;
	unsigned type;
	size_t at;
	unsigned depth;
	union config_cel_constant value;
	struct config_cel_node *child[3];
	struct config_cel_node *next;
};

/* One text that is being read. The first failure stays: code and *err. */
struct config_cel_reader {
	const char *text;
	size_t at;		/* behind token */
	struct config_cel_token token; /* the one to be read next */
	struct config_cel_node *nodes; /* room for as many as text has bytes, and one */
	size_t node_count;
	char *strings;		/* likewise: no literal gets longer by being read */
	size_t strings_size;
	unsigned nesting;
	struct {
		size_t at;
		size_t size;
		unsigned type;
	} variable[CONFIG_CEL_VARIABLES_MAX];
	unsigned variable_count;
	enum mortise_code code;
	struct mortise_error *err;
};

/* "LINE:COLUMN: " and a sentence. Only the first one counts. Returns false. */
__attribute__((format(printf, 3, 4))) bool config_cel_fail(struct config_cel_reader *reader,
							   size_t at, const char *format, ...);
enum mortise_code config_cel_error(struct mortise_error *err, const char *text, size_t at,
				   const char *format, va_list arguments);

/* Reads the token behind reader->token into it. */
bool config_cel_advance(struct config_cel_reader *reader);
bool config_cel_is(const struct config_cel_reader *reader, const char *operator_text);
/* Is the token, a name, this one? */
bool config_cel_named(const struct config_cel_reader *reader, const struct config_cel_token *token,
		      const char *name);

/* The whole text as a tree; NULL when it is not an expression. */
struct config_cel_node *config_cel_expression(struct config_cel_reader *reader);

/* A node with a type and up to three children; NULL when the tree is too deep. */
struct config_cel_node *config_cel_node(struct config_cel_reader *reader, enum config_cel_op op,
					unsigned type, size_t at,
					struct config_cel_node *const child[3]);

/* Operators: with the type that comes of those of the operands, or failed with a sentence. */
struct config_cel_node *config_cel_operation(struct config_cel_reader *reader,
					     enum config_cel_op op, size_t at,
					     struct config_cel_node *const child[3]);

/* NAME: a variable, a constant, disk, system_disk. */
struct config_cel_node *config_cel_named_value(struct config_cel_reader *reader,
					       const struct config_cel_token *name);
/* DISK.NAME */
struct config_cel_node *config_cel_field(struct config_cel_reader *reader,
					 struct config_cel_node *disk,
					 const struct config_cel_token *name);
/* NAME(A, B), and A.NAME(B) when target is not NULL. The token is behind the parenthesis. */
struct config_cel_node *config_cel_call(struct config_cel_reader *reader,
					struct config_cel_node *target,
					const struct config_cel_token *name);
/* What stands between parentheses, commas, colons; for calls. */
struct config_cel_node *config_cel_inner(struct config_cel_reader *reader);
/* Reads past the operator, which has to be there. */
bool config_cel_expect(struct config_cel_reader *reader, const char *operator_text);

/* "uint", "list of string". */
const char *config_cel_type_name(unsigned type);

/* Fields of struct disk_facts by number; config_cel_field_find returns -1 for none. */
struct config_cel_field {
	const char *name;
	unsigned type;
	size_t offset;
};

const struct config_cel_field *config_cel_field_at(unsigned number);
int config_cel_field_find(const char *name, size_t size);

/* Is pattern one that means the same in RE2, which CEL has, and in POSIX? A sentence, or NULL. */
const char *config_cel_pattern_flaw(const char *pattern);
/* Does it fit anywhere in text? */
bool config_cel_pattern_fits(const char *pattern, const char *text);
/* "*" stands for any bytes, all others for themselves: what Talos's glob() does. */
bool config_cel_glob(const char *pattern, const char *text);
/* Code points. */
size_t config_cel_length(const char *text);

/* What an expression comes to. */
struct config_cel_value {
	unsigned type;
	union config_cel_constant is;
	const char *const *strings;	     /* a list of the disk's, NULL behind the last */
	const struct config_cel_node *items; /* a list of the text's */
};

struct config_cel_run {
	const struct disk_facts *disk;
	unsigned steps;
	struct config_cel_value variable[CONFIG_CEL_VARIABLES_MAX];
	const char *why;	/* there is no value, and where in the text it is missing */
	size_t why_at;
};

/* False: run->why says why not. */
bool config_cel_evaluate(struct config_cel_run *run, const struct config_cel_node *node,
			 struct config_cel_value *value);

/* Arithmetic, comparisons, conversions, NOT: NULL, or why there is no value. */
const char *config_cel_compute(enum config_cel_op op,
			       const struct config_cel_value operand[static 2],
			       struct config_cel_value *value);

#endif
