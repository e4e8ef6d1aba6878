/* SPDX-License-Identifier: MIT */
/*
 * The implementation of config/selector/selector.h: tokens, typed nodes, values. It follows CEL's
 * language definition (github.com/google/cel-spec, doc/langdef.md): numbers of different types
 * never mix.
 */
#ifndef CONFIG_CEL_H
#define CONFIG_CEL_H

#include <stdarg.h>

#include "config/selector/selector.h"

enum {
	CONFIG_CEL_DEPTH_MAX = 128,	/* of the tree; each operand of "a || b || ..." adds one */
	CONFIG_CEL_NESTING_MAX = 32,	/* of parentheses, brackets, calls, signs */
	CONFIG_CEL_VARIABLES_MAX = 4,	/* of nested macros such as exists() */
	CONFIG_CEL_STEPS_MAX = 100000,	/* of one evaluation */
	CONFIG_CEL_MEMORY_MAX = 65536,	/* bytes of the lists and texts of one evaluation */
	CONFIG_CEL_PATTERN_STEPS = 100,	/* the cost of one matches(), which compiles its pattern */
	CONFIG_CEL_PATTERN_MAX = 256,	/* bytes of a regular expression */
};

/*
 * The type of an expression: for a list, LIST | item << 4; for a map, MAP | key << 4 | value << 8.
 * Where this does not fit, and where the types of items differ, it is DYN: the type is then checked
 * when the expression is evaluated. The type of a value is one of these constants.
 */
enum config_cel_type {
	CONFIG_CEL_DYN,
	CONFIG_CEL_NULL,
	CONFIG_CEL_BOOL,
	CONFIG_CEL_INT,
	CONFIG_CEL_UINT,
	CONFIG_CEL_DOUBLE,
	CONFIG_CEL_STRING,
	CONFIG_CEL_BYTES,
	CONFIG_CEL_TYPE,
	CONFIG_CEL_DISK,
	CONFIG_CEL_LIST,
	CONFIG_CEL_MAP,
	CONFIG_CEL_BASE = 15,	/* the mask of one of these */
	CONFIG_CEL_SHIFT = 4,
};

enum config_cel_kind {
	CONFIG_CEL_END,
	CONFIG_CEL_NAME,
	CONFIG_CEL_LITERAL,	/* its type is in the token */
	CONFIG_CEL_OPERATOR,	/* one or two characters */
};

struct config_cel_token {
	enum config_cel_kind kind;
	size_t at;		/* offset in the text */
	size_t size;
	unsigned type;		/* of a LITERAL, as value */
	union config_cel_constant {
		bool truth;
		int64_t integer;
		uint64_t natural;
		double real;
		const char *string; /* and bytes, neither with NUL */
		const struct config_cel_list *list; /* and map */
		unsigned number; /* of a field, a variable, a function, a type */
	} value;
};

/* The operands are child[0], [1], [2], in the order of the text. */
enum config_cel_op {
	CONFIG_CEL_CONSTANT,
	CONFIG_CEL_FIELD,		/* of the disk: value.number */
	CONFIG_CEL_MEMBER,	/* of a map or a DYN: value.string */
	CONFIG_CEL_SYSTEM_DISK,
	CONFIG_CEL_VARIABLE,	/* value.number: the number of enclosing variables */
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
	CONFIG_CEL_ITEMS,	/* a list, or the keys and values of a map: child[0] is the first, */
				/* linked by next */
	CONFIG_CEL_INDEX,
	CONFIG_CEL_HAS,		/* child[0]: a FIELD or MEMBER */
	/* Functions; value.number: of config_cel_accepts() */
	CONFIG_CEL_SIZE,
	CONFIG_CEL_STARTS_WITH,
	CONFIG_CEL_ENDS_WITH,
	CONFIG_CEL_CONTAINS,
	CONFIG_CEL_MATCHES,
	CONFIG_CEL_GLOB,
	CONFIG_CEL_CONVERT,	/* to the node's type */
	CONFIG_CEL_TYPE_OF,
	CONFIG_CEL_AS_DYN,
	/* Macros; child[0]: list or map, child[1]: condition; value.number: variable */
	CONFIG_CEL_EXISTS,
	CONFIG_CEL_EXISTS_ONE,
	CONFIG_CEL_ALL,
	CONFIG_CEL_FILTER,
	CONFIG_CEL_TRANSFORM,	/* map(); child[2]: the value, child[1]: condition or NULL */
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

/* The state of parsing one text. code and *err keep the first error. */
struct config_cel_reader {
	const char *text;
	size_t at;		/* after token */
	struct config_cel_token token; /* the next one to parse */
	struct config_cel_node *nodes; /* as many as text has bytes, plus one */
	size_t node_count;
	char *strings;		/* as many bytes: unescaping never lengthens a literal */
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

/* Sets the error "LINE:COLUMN: ..." unless there already is one. Returns false. */
__attribute__((format(printf, 3, 4))) bool config_cel_fail(struct config_cel_reader *reader,
							   size_t at, const char *format, ...);
/* The same with MORTISE_E_UNSUPPORTED: the expression may be valid in Talos. */
__attribute__((format(printf, 3, 4))) bool
config_cel_unsupported(struct config_cel_reader *reader, size_t at, const char *format, ...);
enum mortise_code config_cel_error(struct mortise_error *err, enum mortise_code code,
				   const char *text, size_t at, const char *format,
				   va_list arguments);

/* Reads the next token into reader->token. */
bool config_cel_advance(struct config_cel_reader *reader);
bool config_cel_is(const struct config_cel_reader *reader, const char *operator_text);
/* Is the token this name? */
bool config_cel_named(const struct config_cel_reader *reader, const struct config_cel_token *token,
		      const char *name);

/* Bytes of a number such as "1", "1.5", ".5", "1e9"; 0 if the text does not begin with one. */
size_t config_cel_measure_decimal(const char *text);
/* Unlike strtod(3), independent of the locale. False if the number is too long or too large. */
bool config_cel_parse_decimal(const char *text, size_t size, double *out);

/* Parses the whole text; NULL if it is not an expression. */
struct config_cel_node *config_cel_expression(struct config_cel_reader *reader);

/* Creates a node with up to three children; NULL if the tree is too deep. */
struct config_cel_node *config_cel_node(struct config_cel_reader *reader, enum config_cel_op op,
					unsigned type, size_t at,
					struct config_cel_node *const child[3]);

/* Creates the node of an operator. NULL with an error if the operands' types do not fit. */
struct config_cel_node *config_cel_operation(struct config_cel_reader *reader,
					     enum config_cel_op op, size_t at,
					     struct config_cel_node *const child[3]);

/* NAME: a variable, a constant, disk, system_disk. */
struct config_cel_node *config_cel_named_value(struct config_cel_reader *reader,
					       const struct config_cel_token *name);
/* DISK.NAME, MAP.NAME */
struct config_cel_node *config_cel_field(struct config_cel_reader *reader,
					 struct config_cel_node *of,
					 const struct config_cel_token *name);
/* NAME(A, B), or A.NAME(B) if target is not NULL. The token is the one after the parenthesis. */
struct config_cel_node *config_cel_call(struct config_cel_reader *reader,
					struct config_cel_node *target,
					const struct config_cel_token *name);
/* An expression inside parentheses or between commas or colons. */
struct config_cel_node *config_cel_inner(struct config_cel_reader *reader);
/* Consumes the operator; an error if it is missing. */
bool config_cel_expect(struct config_cel_reader *reader, const char *operator_text);

/* The types of a list and of a map. */
unsigned config_cel_list_of(unsigned item);
unsigned config_cel_map_of(unsigned key, unsigned value);
/* Of a list, the type of its items, of a map, that of its keys. */
unsigned config_cel_item_type(unsigned type);
/* The type of both: DYN if they differ. */
unsigned config_cel_join(unsigned a, unsigned b);
/* Could a value have both types? */
bool config_cel_compatible(unsigned a, unsigned b);

#define CONFIG_CEL_NAME_SIZE 40u
/* Writes "uint", "list(string)"; returns room. */
const char *config_cel_type_name(unsigned type, char room[static CONFIG_CEL_NAME_SIZE]);
/* The name of a base type. */
const char *config_cel_base_name(unsigned base);

/* Does the function accept an argument of this base type? */
bool config_cel_accepts(unsigned function, unsigned argument, unsigned base);

/* Fields of struct disk_facts by number; config_cel_field_find() returns -1 for an unknown name. */
struct config_cel_field {
	const char *name;
	unsigned type;
	size_t offset;
};

const struct config_cel_field *config_cel_field_at(unsigned number);
int config_cel_field_find(const char *name, size_t size);

/*
 * Why the pattern is refused: it must mean the same in RE2, which CEL uses, and in POSIX. NULL if
 * it is accepted.
 */
const char *config_cel_pattern_flaw(const char *pattern);
/* Does it match anywhere in text? */
bool config_cel_pattern_matches(const char *pattern, const char *text);
/* Like Talos's glob(): "*" matches any bytes, every other byte matches itself. */
bool config_cel_glob(const char *pattern, const char *text);
/* The number of code points. */
size_t config_cel_length(const char *text);

struct config_cel_value {
	unsigned type;
	union config_cel_constant is;
};

/* A map is a list of keys, each followed by its value. */
struct config_cel_list {
	size_t count;
	const struct config_cel_value *item;
	const char *const *strings; /* in place of item: a list in the disk's facts */
};

struct config_cel_run {
	const struct disk_facts *disk;
	unsigned steps;
	struct config_cel_value variable[CONFIG_CEL_VARIABLES_MAX];
	char *memory;		/* of CONFIG_CEL_MEMORY_MAX bytes; NULL until it is needed */
	size_t used;
	const char *why;	/* why the expression has no value */
	size_t why_at;		/* offset in the text */
};

/* False if there is no value: run->why. */
bool config_cel_evaluate(struct config_cel_run *run, const struct config_cel_node *node,
			 struct config_cel_value *value);

/* The functions below return NULL, or why there is no value. */
#define CONFIG_CEL_NO_OVERLOAD "no such overload: the values have the wrong types"
#define CONFIG_CEL_NO_MEMORY   "the expression needs too much memory"

/* Memory until the end of the evaluation; NULL: CONFIG_CEL_NO_MEMORY. */
void *config_cel_allocate(struct config_cel_run *run, size_t size);

/* Sets value->is to a new text. */
const char *config_cel_concatenate(struct config_cel_run *run, const char *left, const char *right,
				   struct config_cel_value *value);
/* Operators, except those that do not evaluate all their operands. */
const char *config_cel_compute(struct config_cel_run *run, enum config_cel_op op,
			       const struct config_cel_value operand[static 2],
			       struct config_cel_value *value);
/* Arithmetic with numbers of one type. */
const char *config_cel_calculate(enum config_cel_op op,
				 const struct config_cel_value operand[static 2],
				 struct config_cel_value *value);
/* -1, 0, 1; 2 if the values have no order. */
int config_cel_compare(const struct config_cel_value *a, const struct config_cel_value *b);
/* Counts steps: a list may contain another one many times. */
bool config_cel_equal(struct config_cel_run *run, const struct config_cel_value *a,
		      const struct config_cel_value *b);
/* to->type is the type to convert to. */
const char *config_cel_convert(struct config_cel_run *run, const struct config_cel_value *from,
			       struct config_cel_value *to);
/* The same from a number to a number. */
const char *config_cel_convert_number(const struct config_cel_value *from,
				      struct config_cel_value *to);
/* Item i of a list; of a map, a key or value. */
struct config_cel_value config_cel_item(const struct config_cel_list *list, size_t i);
/* The value of a key; false if the map does not have it. */
bool config_cel_find(struct config_cel_run *run, const struct config_cel_list *map,
		     const struct config_cel_value *key, struct config_cel_value *value);

#endif
