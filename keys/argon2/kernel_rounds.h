/* SPDX-License-Identifier: MIT */
/*
 * The two halves of a round of BLAKE2b on vectors of word pairs. Before it includes this file, a
 * kernel defines:
 *	vec			one or more independent pairs of 64-bit words
 *	load_vec, store_vec	aligned access
 *	xor_vec			XOR
 *	mix			x + y + 2 * low32(x) * low32(y)
 *	rotate32, 24, 16, 63	rotation of each word to the right
 *	join(x, y)		{ x[1], y[0] } of each pair
 */
#ifndef KEYS_ARGON2_KERNEL_ROUNDS_H
#define KEYS_ARGON2_KERNEL_ROUNDS_H

#define INLINE static inline __attribute__((always_inline))

/*
 * The sixteen words of one permutation as four rows of two vectors, or with vectors of two pairs
 * those of two permutations. Each vector has a name, because compilers keep arrays in memory.
 */
struct eight {
	vec a0, a1, b0, b1, c0, c1, d0, d1;
};

/* Half a round on two vectors at once: with one, each operation would wait for the last result. */
INLINE struct eight half_round(struct eight x)
{
	x.a0 = mix(x.a0, x.b0);
	x.a1 = mix(x.a1, x.b1);
	x.d0 = rotate32(xor_vec(x.d0, x.a0));
	x.d1 = rotate32(xor_vec(x.d1, x.a1));
	x.c0 = mix(x.c0, x.d0);
	x.c1 = mix(x.c1, x.d1);
	x.b0 = rotate24(xor_vec(x.b0, x.c0));
	x.b1 = rotate24(xor_vec(x.b1, x.c1));
	x.a0 = mix(x.a0, x.b0);
	x.a1 = mix(x.a1, x.b1);
	x.d0 = rotate16(xor_vec(x.d0, x.a0));
	x.d1 = rotate16(xor_vec(x.d1, x.a1));
	x.c0 = mix(x.c0, x.d0);
	x.c1 = mix(x.c1, x.d1);
	x.b0 = rotate63(xor_vec(x.b0, x.c0));
	x.b1 = rotate63(xor_vec(x.b1, x.c1));
	return x;
}

/* Eight vectors that are stride words apart. */
INLINE struct eight load_eight(const uint64_t *words, unsigned stride)
{
	return (struct eight){
		load_vec(words),	      load_vec(words + stride),
		load_vec(words + 2 * stride), load_vec(words + 3 * stride),
		load_vec(words + 4 * stride), load_vec(words + 5 * stride),
		load_vec(words + 6 * stride), load_vec(words + 7 * stride),
	};
}

INLINE void store_eight(uint64_t *words, unsigned stride, struct eight x)
{
	store_vec(words, x.a0);
	store_vec(words + stride, x.a1);
	store_vec(words + 2 * stride, x.b0);
	store_vec(words + 3 * stride, x.b1);
	store_vec(words + 4 * stride, x.c0);
	store_vec(words + 5 * stride, x.c1);
	store_vec(words + 6 * stride, x.d0);
	store_vec(words + 7 * stride, x.d1);
}

INLINE struct eight xor_eight(struct eight x, struct eight y)
{
	return (struct eight){
		xor_vec(x.a0, y.a0), xor_vec(x.a1, y.a1), xor_vec(x.b0, y.b0),
		xor_vec(x.b1, y.b1), xor_vec(x.c0, y.c0), xor_vec(x.c1, y.c1),
		xor_vec(x.d0, y.d0), xor_vec(x.d1, y.d1),
	};
}

INLINE void straight(uint64_t *words, unsigned stride)
{
	store_eight(words, stride, half_round(load_eight(words, stride)));
}

/*
 * The diagonals. The words of a, c and d move and those of b do not: b is ready last, and the
 * moves of the others are done by then.
 */
INLINE struct eight diagonal(struct eight x)
{
	struct eight turned = {
		join(x.a1, x.a0), join(x.a0, x.a1), x.b0, x.b1,
		join(x.c0, x.c1), join(x.c1, x.c0), x.d1, x.d0,
	};

	turned = half_round(turned);
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
		    xor_eight(load_eight(to, stride), diagonal(load_eight(words, stride))));
}

#endif
