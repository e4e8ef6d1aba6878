/* SPDX-License-Identifier: MIT */
/*
 * The two halves of BLAKE2b's round over pairs of words in vectors, for kernels that define
 * before they include this:
 *	vec			one or more pairs of 64-bit words, each pair on its own
 *	load, store, exclusive	aligned access, XOR
 *	mix			x + y + 2 * low32(x) * low32(y)
 *	rotate32, 24, 16, 63	to the right
 *	join(x, y)		{ x[1], y[0] } of each pair
 */
#ifndef KEYS_ARGON2_KERNEL_ROUNDS_H
#define KEYS_ARGON2_KERNEL_ROUNDS_H

#define INLINE static inline __attribute__((always_inline))

/*
 * The sixteen words of one permutation, four rows of two vectors; or the same of two. By
 * names: compilers leave arrays in memory.
 */
struct eight {
	vec a0, a1, b0, b1, c0, c1, d0, d1;
};

/* Half a round on two vectors at once: one alone would wait for each of its own results. */
INLINE struct eight half(struct eight x)
{
	x.a0 = mix(x.a0, x.b0);
	x.a1 = mix(x.a1, x.b1);
	x.d0 = rotate32(exclusive(x.d0, x.a0));
	x.d1 = rotate32(exclusive(x.d1, x.a1));
	x.c0 = mix(x.c0, x.d0);
	x.c1 = mix(x.c1, x.d1);
	x.b0 = rotate24(exclusive(x.b0, x.c0));
	x.b1 = rotate24(exclusive(x.b1, x.c1));
	x.a0 = mix(x.a0, x.b0);
	x.a1 = mix(x.a1, x.b1);
	x.d0 = rotate16(exclusive(x.d0, x.a0));
	x.d1 = rotate16(exclusive(x.d1, x.a1));
	x.c0 = mix(x.c0, x.d0);
	x.c1 = mix(x.c1, x.d1);
	x.b0 = rotate63(exclusive(x.b0, x.c0));
	x.b1 = rotate63(exclusive(x.b1, x.c1));
	return x;
}

/* Eight vectors that lie stride words apart. */
INLINE struct eight load_eight(const uint64_t *words, unsigned stride)
{
	return (struct eight){
		load(words),		  load(words + stride),
		load(words + 2 * stride), load(words + 3 * stride),
		load(words + 4 * stride), load(words + 5 * stride),
		load(words + 6 * stride), load(words + 7 * stride),
	};
}

INLINE void store_eight(uint64_t *words, unsigned stride, struct eight x)
{
	store(words, x.a0);
	store(words + stride, x.a1);
	store(words + 2 * stride, x.b0);
	store(words + 3 * stride, x.b1);
	store(words + 4 * stride, x.c0);
	store(words + 5 * stride, x.c1);
	store(words + 6 * stride, x.d0);
	store(words + 7 * stride, x.d1);
}

INLINE struct eight exclusive_eight(struct eight x, struct eight y)
{
	return (struct eight){
		exclusive(x.a0, y.a0), exclusive(x.a1, y.a1), exclusive(x.b0, y.b0),
		exclusive(x.b1, y.b1), exclusive(x.c0, y.c0), exclusive(x.c1, y.c1),
		exclusive(x.d0, y.d0), exclusive(x.d1, y.d1),
	};
}

INLINE void straight(uint64_t *words, unsigned stride)
{
	store_eight(words, stride, half(load_eight(words, stride)));
}

/*
 * The diagonals. b stays where it is and the others move past it: b is ready last, so what
 * it would wait for is done by then.
 */
INLINE struct eight diagonal(struct eight x)
{
	struct eight turned = {
		join(x.a1, x.a0), join(x.a0, x.a1), x.b0, x.b1,
		join(x.c0, x.c1), join(x.c1, x.c0), x.d1, x.d0,
	};

	turned = half(turned);
	return (struct eight){
		join(turned.a0, turned.a1), join(turned.a1, turned.a0), turned.b0, turned.b1,
		join(turned.c1, turned.c0), join(turned.c0, turned.c1), turned.d1, turned.d0,
	};
}

INLINE void diagonal_in_place(uint64_t *words, unsigned stride)
{
	store_eight(words, stride, diagonal(load_eight(words, stride)));
}

INLINE void diagonal_into(uint64_t *to, const uint64_t *words, unsigned stride)
{
	store_eight(to, stride,
		    exclusive_eight(load_eight(to, stride), diagonal(load_eight(words, stride))));
}

#endif
