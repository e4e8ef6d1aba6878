/* SPDX-License-Identifier: MIT */
/*
 * mortise: benchmarks. The conventions are those of mortise.h.
 */
#ifndef MORTISE_BENCH_H
#define MORTISE_BENCH_H

#include <mortise.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* -------------------------------------------------------------- benchmarks */

#define MORTISE_BENCHMARK_RUNS_MAX	256u
#define MORTISE_BENCHMARK_STEPS_MAX	12u

/* How long a benchmark may take, how often it repeats, and who is told. Zero: the default. */
struct mortise_benchmark {
	size_t struct_size;
	uint32_t time_limit_ms;	/* 10000; one run of each measurement is made in any case */
	uint32_t runs;		/* of each measurement, at most MORTISE_BENCHMARK_RUNS_MAX: 7, and
				 * more of those that take milliseconds */
	/*
	 * PROGRESS before each run: text is the measurement, done the runs made, total the runs
	 * expected. Canceled after the first run, a benchmark returns what it has measured.
	 */
	const struct mortise_events *events;
};

/* Repeated runs of one measurement. */
struct mortise_spread {
	unsigned runs;		/* 0: not measured */
	double min;
	double median;
	double p99;		/* nearest rank: the largest when there are less than 100 runs */
};

/*
 * Are these runs too few (less than 3) or too far apart (the median a quarter above the least
 * or, of less than 20, p99 twice the median) to draw conclusions from?
 */
bool mortise_spread_is_noisy(const struct mortise_spread *spread);
/* Do two measurements differ by more than they scatter: each median outside the other's min..p99? */
bool mortise_spread_differs(const struct mortise_spread *a, const struct mortise_spread *b);

/* The machine that a result was measured on; "" and 0 for what it does not tell. */
struct mortise_machine {
	size_t struct_size;
	char model[128];	/* of the board, as firmware names it */
	char kernel[128];	/* "Linux 6.1.0-18-amd64" */
	char architecture[32];	/* "x86_64" */
	char cpu[128];
	char cpu_features[256];	/* those that ciphers and Argon2 gain from, by blanks */
	unsigned cpus;		/* that this process may use */
	uint64_t memory;	/* bytes */
	uint64_t memory_available; /* bytes that could be had when asked */
	bool swap;
	char governor[32];	/* of CPU frequency */
	char huge_pages[16];	/* transparent: "always", "madvise", "never" */
	bool virtual_machine;
	char emulator[32];	/* "QEMU TCG", "User Mode Linux": its times mean nothing */
};

/* Fails for a bad struct_size alone: MORTISE_E_USAGE. */
enum mortise_code mortise_benchmark_machine(struct mortise_machine *out, struct mortise_error *err);

/* What one Argon2 cost takes here. Times in milliseconds, of the whole derivation. */
struct mortise_argon2_benchmark {
	size_t struct_size;
	struct mortise_spread time;
	struct mortise_spread first_pass;	/* with one pass only; not measured when that is all */
	/*
	 * The limit that memory sets: as many reads and writes in the same pattern, each address
	 * depending on what was read before as Argon2's do, without the compression between.
	 */
	struct mortise_spread limit;
	struct mortise_spread limit_first_pass;
	double cpu_ms;		/* processor time, all threads, of the fastest run */
	double bandwidth;	/* bytes a second that the median run moved: 2 KiB a block in the
				 * first pass, 3 KiB later */
	double guesses;		/* a second, that all processors and the memory of a machine like
				 * this reach, side by side: an upper bound by processor time */
};

/* kdf is Argon2id or Argon2i. MORTISE_E_MEMORY, before it is tried; MORTISE_E_USAGE. */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_argon2(const struct mortise_kdf *kdf, const struct mortise_benchmark *how,
			 struct mortise_argon2_benchmark *result, struct mortise_error *err);

/* One measured cost, of this machine or another. */
struct mortise_argon2_sample {
	struct mortise_kdf kdf;
	double time_ms;
	double first_pass_ms;	/* 0: not known */
};

/* What an unlock may take on the machine that the samples are of. Zero: the default. */
struct mortise_argon2_target {
	size_t struct_size;
	enum mortise_kdf_type type;	/* argon2id */
	uint32_t time_ms;		/* 2000 */
	uint32_t memory_kib;		/* at most: 1048576 */
	unsigned cpus;			/* of that machine; not more lanes than this: any */
};

/*
 * The cost with the most memory, then the most passes, that the samples say to fit: *kdf, and
 * the time expected in *expected_ms. Costs between and beyond samples are interpolated by
 * memory, for the lanes that samples have. MORTISE_E_USAGE: no sample of this type, or not
 * even the least cost fits.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_argon2_choose(const struct mortise_argon2_sample *samples, size_t count,
		      const struct mortise_argon2_target *target, struct mortise_kdf *kdf,
		      double *expected_ms, struct mortise_error *err);

/* KiB of memory that a keyslot made here may ask for at most, as luksFormat caps it. */
uint32_t mortise_argon2_memory_cap(void);

/* The cost that a new keyslot would get for a key of key_size bytes, measured as it is then. */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_kdf_choice(const struct mortise_kdf_choice *choice, uint32_t key_size,
			     const struct mortise_events *events, struct mortise_kdf *kdf,
			     struct mortise_error *err);

/*
 * PBKDF2 iterations a second of processor time, as cryptsetup's table has them.
 * MORTISE_E_UNSUPPORTED: no such hash.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_benchmark_pbkdf2(const char *hash, uint32_t key_size,
							      const struct mortise_events *events,
							      uint32_t *iterations,
							      struct mortise_error *err);

/*
 * Milliseconds a MiB, on one processor, in the crypto library, in sectors of 512 bytes as
 * keyslot areas have them; volumes are the kernel's. key_size in bytes. MORTISE_E_UNSUPPORTED.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_benchmark_cipher(const char *cipher, uint32_t key_size,
							      const struct mortise_benchmark *how,
							      struct mortise_spread *encrypt,
							      struct mortise_spread *decrypt,
							      struct mortise_error *err);

/* Where the time of an operation goes; milliseconds. */
struct mortise_benchmark_steps {
	struct mortise_spread total;	/* of the operation in one piece, where it could be had */
	unsigned count;
	struct {
		const char *name;	/* static */
		struct mortise_spread time;
	} steps[MORTISE_BENCHMARK_STEPS_MAX];
};

/* Making and opening a keyslot in a header that exists in memory only. */
struct mortise_keyslot_benchmark {
	size_t struct_size;
	struct mortise_kdf kdf;		/* the cost that was used */
	double choice_ms;		/* choosing it, 0 when it was forced */
	struct mortise_benchmark_steps create;
	struct mortise_benchmark_steps open;
};

MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_keyslot(const struct mortise_kdf_choice *choice,
			  const struct mortise_benchmark *how,
			  struct mortise_keyslot_benchmark *result, struct mortise_error *err);

/* Reading and checking the header of a device; never writes. */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_header(const struct mortise_location *location,
			 const struct mortise_benchmark *how, struct mortise_benchmark_steps *steps,
			 struct mortise_error *err);

/*
 * What keyslot id costs here. passphrase NULL: a random one, which costs the same and opens
 * nothing, and total stays unmeasured. MORTISE_E_KEY: not this keyslot's.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_unlock(struct mortise_luks2 *header, int id,
			 const struct mortise_secret *passphrase,
			 const struct mortise_benchmark *how, struct mortise_benchmark_steps *steps,
			 struct mortise_error *err);

/*
 * Making and removing the mapping: hidden, read-only, under a random key and a name of its
 * own, so that no data can be seen through it or changed.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_mapping(struct mortise_luks2 *header, const struct mortise_benchmark *how,
			  struct mortise_benchmark_steps *steps, struct mortise_error *err);

/* ------------------------------------------------------ measuring dm-crypt */

/* What a run has found. Strings that it hands out belong to it. */
struct mortise_dm_benchmark;

enum mortise_dm_backing {
	MORTISE_DM_ZERO,	/* dm-zero: nothing below, the cost of encryption alone */
	MORTISE_DM_RAM,		/* a RAM disk */
	MORTISE_DM_DEVICE,	/* the device that was named */
};

/* "zero", "ram", "device". */
const char *mortise_dm_backing_name(enum mortise_dm_backing ground);

/* One measurement. Requests go to random places, past the page cache. */
struct mortise_dm_measurement {
	enum mortise_dm_backing ground;
	const char *cipher;		/* "" for the ground without dm-crypt */
	uint32_t key_size;		/* bytes */
	uint32_t sector_size;		/* bytes, of the encryption */
	uint32_t flags;			/* enum mortise_activation_flags */
	const char *driver;		/* that the kernel chose, "" when /proc/crypto does not say */
	bool write;
	uint32_t block_size;		/* bytes of a request */
	uint32_t depth;			/* requests under way on each volume */
	uint32_t jobs;			/* threads that submit them, on each volume */
	uint32_t volumes;		/* side by side, each on a part of the ground */
	uint64_t bytes;			/* moved */
	uint64_t duration_ns;
	/*
	 * Bytes a second, in slices of the time; p99 is the fastest. runs 0: so few requests that
	 * slices tell nothing, and all three are the mean.
	 */
	struct mortise_spread rate;
	uint64_t latency_p50_ns;	/* rounded up by at most 1/32 */
	uint64_t latency_p99_ns;
	uint64_t latency_p999_ns;
	uint64_t cpu_us;		/* of all processors, whoever they worked for */
	uint64_t energy_uj;		/* of all processor packages; UINT64_MAX: not counted */
	double bare_rate;		/* of the same requests on the bare ground, 0: not measured */
};

struct mortise_dm_benchmark_options {
	size_t struct_size;
	const char *device;	/* measured too; NULL: dm-zero and a RAM disk only */
	bool destroy_data;	/* writes to device: what is on it is lost */
	const char *cipher;	/* this one alone; NULL: all that the kernel has */
	uint32_t key_size;	/* bytes, with cipher; 0: 64 for XTS, 32 otherwise */
	bool quick;		/* the few measurements that show that it works */
	uint32_t time_limit_ms;	/* of the whole run: 120000, 10000 when quick */
	const struct mortise_events *events; /* canceled, the run ends early */
	/* Told of each measurement, of about total, when it has been made; NULL: nobody is. */
	void (*measured)(void *context, const struct mortise_dm_measurement *measurement,
			 size_t done, size_t total);
	void *context;
};

/*
 * Measures. Mappings are hidden, have random keys and go when this process does, however it
 * ends. A RAM disk that holds anything but zeros is left alone. A ground or cipher that cannot
 * be had becomes a warning. *out is set with MORTISE_OK, also when stopped early.
 * MORTISE_E_DEVICE, MORTISE_E_BUSY: of the device. MORTISE_E_KERNEL: no dm-crypt.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_dm_benchmark_run(const struct mortise_dm_benchmark_options *options,
			 struct mortise_dm_benchmark **out, struct mortise_error *err);
/* NULL is allowed. */
void mortise_dm_benchmark_free(struct mortise_dm_benchmark **benchmark);

/* Measurement i, NULL when there is none. */
const struct mortise_dm_measurement *
mortise_dm_benchmark_measurement(const struct mortise_dm_benchmark *benchmark, size_t i);
/* A sentence, NULL: no more. */
const char *mortise_dm_benchmark_warning(const struct mortise_dm_benchmark *benchmark, size_t i);
/* "io_uring" or "threads". */
const char *mortise_dm_benchmark_engine(const struct mortise_dm_benchmark *benchmark);

/* What to format and open with. */
struct mortise_dm_advice {
	const char *cipher;
	uint32_t key_size;		/* bytes */
	uint32_t sector_size;		/* bytes */
	uint32_t flags;			/* among those that a configuration may name */
	const char *reason;		/* sentences */
};

/* NULL when too little was measured. */
const struct mortise_dm_advice *
mortise_dm_benchmark_advice(const struct mortise_dm_benchmark *benchmark);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
