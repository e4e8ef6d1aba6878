/* SPDX-License-Identifier: MIT */
/*
 * Argon2's compression function for x86-64 with AVX-512F. The whole block is in 16 registers;
 * register (x, y) has words 4x..4x+3 of row 2y in its low half and those of row 2y+1 in its high
 * half.
 */
#include "keys/argon2/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* Four registers that go through every step together; a single one would wait after each step. */
struct four {
	__m512i k0, k1, k2, k3;
};

INLINE __m512i mix_one(__m512i x, __m512i y)
{
	const __m512i product = _mm512_mul_epu32(x, y);

	return _mm512_add_epi64(_mm512_add_epi64(x, y), _mm512_add_epi64(product, product));
}

INLINE struct four mix(struct four x, struct four y)
{
	return (struct four){ mix_one(x.k0, y.k0), mix_one(x.k1, y.k1), mix_one(x.k2, y.k2),
			      mix_one(x.k3, y.k3) };
}

INLINE struct four xor_four(struct four x, struct four y)
{
	return (struct four){ _mm512_xor_si512(x.k0, y.k0), _mm512_xor_si512(x.k1, y.k1),
			      _mm512_xor_si512(x.k2, y.k2), _mm512_xor_si512(x.k3, y.k3) };
}

/*
 * Macros where an instruction needs an immediate operand: without -O, a function's parameter is
 * not a constant.
 */
#define ROTATE(x, bits)                                                                 \
	((struct four){ _mm512_ror_epi64((x).k0, bits), _mm512_ror_epi64((x).k1, bits), \
			_mm512_ror_epi64((x).k2, bits), _mm512_ror_epi64((x).k3, bits) })
#define TURN(x, order)                                                                      \
	((struct four){                                                                     \
		_mm512_permutex_epi64((x).k0, order), _mm512_permutex_epi64((x).k1, order), \
		_mm512_permutex_epi64((x).k2, order), _mm512_permutex_epi64((x).k3, order) })

#define LEFT  0x39 /* elements 1 2 3 0 of each half */
#define SWAP  0x4e /* elements 2 3 0 1 */
#define RIGHT 0x93 /* elements 3 0 1 2 */

INLINE void half_round(struct four *a, struct four *b, struct four *c, struct four *d)
{
	*a = mix(*a, *b);
	*d = xor_four(*d, *a);
	*d = ROTATE(*d, 32);
	*c = mix(*c, *d);
	*b = xor_four(*b, *c);
	*b = ROTATE(*b, 24);
	*a = mix(*a, *b);
	*d = xor_four(*d, *a);
	*d = ROTATE(*d, 16);
	*c = mix(*c, *d);
	*b = xor_four(*b, *c);
	*b = ROTATE(*b, 63);
}

/*
 * Rows: the diagonals are formed by turning (rotating) a, c and d within each half; b, which is
 * ready last, is not turned. The rows are not turned back. At that point all registers with the
 * same x are turned by the same number of places (3, 0, 1, 2 places for x = 0, 1, 2, 3), and a
 * column lies within one x. The moves for the columns therefore take the turn into account, and
 * the moves at the end undo both at once.
 *
 * A column consists of words 2j and 2j+1 of every row. In each of the four registers of its x,
 * these are the elements t = 2 * half + (word & 1), at place e of that half, where
 * word = (e + turned) % 4.
 */
#define WORD(i, turned)	       (((i) % 4 + (turned)) % 4)
#define ELEMENT(i, turned)     ((i) / 4 * 2 + WORD(i, turned) % 2)
#define PLACE(t, word, turned) ((t) / 2 * 4 + (((word)&2) + (t) % 2 + 4 - (turned)) % 4)
/*
 * The place that place i is filled from. FROM: the elements of columns move by `by` elements, in
 * rows turned by `turned` places. BACK: the reverse of that move, which also turns the rows back.
 */
#define FROM(i, by, turned)    PLACE((ELEMENT(i, turned) + (by)) % 4, WORD(i, turned), turned)
#define BACK(i, by, turned)    PLACE(((i) / 4 * 2 + (i) % 2 + 4 - (by)) % 4, (i) % 4, turned)
#define ORDER(f, by, turned)                                                                      \
	_mm512_setr_epi64(f(0, by, turned), f(1, by, turned), f(2, by, turned), f(3, by, turned), \
			  f(4, by, turned), f(5, by, turned), f(6, by, turned), f(7, by, turned))

INLINE struct four move_columns_1(struct four x)
{
	return (struct four){ _mm512_permutexvar_epi64(ORDER(FROM, 1, 3), x.k0),
			      _mm512_permutexvar_epi64(ORDER(FROM, 1, 0), x.k1),
			      _mm512_permutexvar_epi64(ORDER(FROM, 1, 1), x.k2),
			      _mm512_permutexvar_epi64(ORDER(FROM, 1, 2), x.k3) };
}

/* A move by two elements swaps the halves, however far the rows are turned. */
INLINE struct four move_columns_2(struct four x)
{
	return (struct four){ _mm512_shuffle_i64x2(x.k0, x.k0, SWAP),
			      _mm512_shuffle_i64x2(x.k1, x.k1, SWAP),
			      _mm512_shuffle_i64x2(x.k2, x.k2, SWAP),
			      _mm512_shuffle_i64x2(x.k3, x.k3, SWAP) };
}

INLINE struct four move_columns_3(struct four x)
{
	return (struct four){ _mm512_permutexvar_epi64(ORDER(FROM, 3, 3), x.k0),
			      _mm512_permutexvar_epi64(ORDER(FROM, 3, 0), x.k1),
			      _mm512_permutexvar_epi64(ORDER(FROM, 3, 1), x.k2),
			      _mm512_permutexvar_epi64(ORDER(FROM, 3, 2), x.k3) };
}

#define MOVE_BACK(x, by)                                                      \
	((struct four){ _mm512_permutexvar_epi64(ORDER(BACK, by, 3), (x).k0), \
			_mm512_permutexvar_epi64(ORDER(BACK, by, 0), (x).k1), \
			_mm512_permutexvar_epi64(ORDER(BACK, by, 1), (x).k2), \
			_mm512_permutexvar_epi64(ORDER(BACK, by, 2), (x).k3) })

INLINE __m512i load_register(const uint64_t *words, unsigned x, unsigned y)
{
	return _mm512_load_si512(words + (4 * y + x) * 8);
}

INLINE void store_register(uint64_t *words, unsigned x, unsigned y, __m512i value)
{
	_mm512_store_si512(words + (4 * y + x) * 8, value);
}

/*
 * Registers (0..3, y) of previous ^ reference. Also stores in *to the value that the result is
 * XORed with at the end.
 */
INLINE struct four load_inputs(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
			       unsigned y, bool over)
{
	struct four x = {
		_mm512_xor_si512(load_register(previous, 0, y), load_register(reference, 0, y)),
		_mm512_xor_si512(load_register(previous, 1, y), load_register(reference, 1, y)),
		_mm512_xor_si512(load_register(previous, 2, y), load_register(reference, 2, y)),
		_mm512_xor_si512(load_register(previous, 3, y), load_register(reference, 3, y)),
	};

	store_register(to, 0, y, over ? _mm512_xor_si512(load_register(to, 0, y), x.k0) : x.k0);
	store_register(to, 1, y, over ? _mm512_xor_si512(load_register(to, 1, y), x.k1) : x.k1);
	store_register(to, 2, y, over ? _mm512_xor_si512(load_register(to, 2, y), x.k2) : x.k2);
	store_register(to, 3, y, over ? _mm512_xor_si512(load_register(to, 3, y), x.k3) : x.k3);
	return x;
}

INLINE void xor_into(uint64_t *to, unsigned y, struct four x)
{
	store_register(to, 0, y, _mm512_xor_si512(load_register(to, 0, y), x.k0));
	store_register(to, 1, y, _mm512_xor_si512(load_register(to, 1, y), x.k1));
	store_register(to, 2, y, _mm512_xor_si512(load_register(to, 2, y), x.k2));
	store_register(to, 3, y, _mm512_xor_si512(load_register(to, 3, y), x.k3));
}

INLINE void transpose(struct four *a, struct four *b, struct four *c, struct four *d)
{
	const struct four w = *a, x = *b, y = *c, z = *d;

	*a = (struct four){ w.k0, x.k0, y.k0, z.k0 };
	*b = (struct four){ w.k1, x.k1, y.k1, z.k1 };
	*c = (struct four){ w.k2, x.k2, y.k2, z.k2 };
	*d = (struct four){ w.k3, x.k3, y.k3, z.k3 };
}

INLINE void compress(uint64_t *to, const uint64_t *previous, const uint64_t *reference, bool over)
{
	struct four a = load_inputs(to, previous, reference, 0, over);
	struct four b = load_inputs(to, previous, reference, 1, over);
	struct four c = load_inputs(to, previous, reference, 2, over);
	struct four d = load_inputs(to, previous, reference, 3, over);

	/* Only names change: a is now the registers with x = 0 of the four row pairs. */
	transpose(&a, &b, &c, &d);
	half_round(&a, &b, &c, &d);
	a = TURN(a, RIGHT);
	c = TURN(c, LEFT);
	d = TURN(d, SWAP);
	half_round(&a, &b, &c, &d);
	transpose(&a, &b, &c, &d);
	half_round(&a, &b, &c, &d);
	a = move_columns_3(a);
	c = move_columns_1(c);
	d = move_columns_2(d);
	if (over)
		keys_argon2_prefetch_next(to);
	half_round(&a, &b, &c, &d);
	xor_into(to, 0, MOVE_BACK(a, 3));
	xor_into(to, 1, MOVE_BACK(b, 0));
	xor_into(to, 2, MOVE_BACK(c, 1));
	xor_into(to, 3, MOVE_BACK(d, 2));
}

static void fill_block(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
		       uint64_t *scratch)
{
	(void)scratch;
	compress(to, previous, reference, false);
}

static void fill_block_over(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
			    uint64_t *scratch)
{
	(void)scratch;
	compress(to, previous, reference, true);
}

const struct keys_argon2_kernel keys_argon2_avx512 = {
	.name = "avx512",
	.paired_rows = true,
	.fill = fill_block,
	.fill_over = fill_block_over,
};

#endif
