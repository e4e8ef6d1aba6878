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

/* The limits of a benchmark. Zero and NULL select the defaults. */
struct mortise_benchmark {
	size_t struct_size;
	uint32_t time_limit_ms;	/* default: 10000; each measurement runs at least once */
	uint32_t runs;		/* of each measurement, up to MORTISE_BENCHMARK_RUNS_MAX; default: 7,
				 * more if a run takes only milliseconds */
	/*
	 * PROGRESS before each run: text names the measurement, done is the number of runs so far,
	 * total the expected number. A benchmark canceled after the first run returns its results.
	 */
	const struct mortise_events *events;
};

/* The distribution of repeated runs of one measurement. */
struct mortise_spread {
	unsigned runs;		/* 0: not measured */
	double min;
	double median;
	double p99;		/* nearest rank: the maximum of fewer than 100 runs */
};

/*
 * True if no conclusion can be drawn: fewer than 3 runs, a median more than a quarter above the
 * minimum, or, with fewer than 20 runs, a p99 of more than twice the median.
 */
bool mortise_spread_is_noisy(const struct mortise_spread *spread);
/* True if each median lies outside min..p99 of the other measurement. */
bool mortise_spread_differs(const struct mortise_spread *a, const struct mortise_spread *b);

/* The machine of a result. Unknown members are "" or 0. */
struct mortise_machine {
	size_t struct_size;
	char model[128];	/* of the board, from firmware */
	char kernel[128];	/* "Linux 6.1.0-18-amd64" */
	char architecture[32];	/* "x86_64" */
	char cpu[128];
	char cpu_features[256];	/* that speed up ciphers or Argon2, separated by blanks */
	unsigned cpus;		/* available to this process */
	uint64_t memory;	/* bytes */
	uint64_t memory_available; /* bytes, at the time of the call */
	bool swap;
	char governor[32];	/* CPU frequency governor */
	char huge_pages[16];	/* transparent huge pages: "always", "madvise", "never" */
	bool virtual_machine;
	char emulator[32];	/* "QEMU TCG", "User Mode Linux": times are meaningless */
};

/* MORTISE_E_USAGE: invalid struct_size; there is no other error. */
enum mortise_code mortise_benchmark_machine(struct mortise_machine *out, struct mortise_error *err);

/* The time of one Argon2 cost on this machine, in milliseconds. */
struct mortise_argon2_benchmark {
	size_t struct_size;
	struct mortise_spread time;
	struct mortise_spread first_pass;	/* with one pass; not measured if the cost has only one */
	/*
	 * The limit set by memory: the same number of reads and writes in the same pattern, where
	 * each address depends on the data read before, but without the compression function.
	 */
	struct mortise_spread limit;
	struct mortise_spread limit_first_pass;
	double cpu_ms;		/* processor time of all threads in the fastest run */
	double bandwidth;	/* bytes per second of the median run: 2 KiB per block in the first
				 * pass, 3 KiB in later ones */
	double guesses;		/* per second, with all processors and memory of this hardware: an
				 * upper bound from processor time */
};

/* kdf: Argon2id or Argon2i. MORTISE_E_MEMORY: detected before it starts. MORTISE_E_USAGE. */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_argon2(const struct mortise_kdf *kdf, const struct mortise_benchmark *how,
			 struct mortise_argon2_benchmark *result, struct mortise_error *err);

/* A cost measured on this or another machine. An array element: its layout never changes. */
struct mortise_argon2_sample {
	struct mortise_kdf kdf;
	double time_ms;
	double first_pass_ms;	/* 0: unknown */
};

/* The limits of an unlock on the machine of the samples. */
struct mortise_argon2_target {
	size_t struct_size;
	enum mortise_kdf_type type;	/* default: argon2id */
	uint32_t time_ms;		/* default: 2000 */
	uint32_t memory_kib;		/* maximum; default: 1048576 */
	unsigned cpus;			/* maximum number of lanes; default: no limit */
};

/*
 * Chooses the cost with the most memory, then the most passes, that fits according to the samples:
 * *kdf, with its expected time in *expected_ms. Interpolates between samples and extrapolates
 * beyond them by memory, for the numbers of lanes in the samples. MORTISE_E_USAGE: no sample has
 * this type, or not even the minimum cost fits.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_argon2_choose(const struct mortise_argon2_sample *samples, size_t count,
		      const struct mortise_argon2_target *target, struct mortise_kdf *kdf,
		      double *expected_ms, struct mortise_error *err);

/* The maximum memory of a new keyslot on this machine in KiB, as luksFormat limits it. */
uint32_t mortise_argon2_memory_cap(void);

/* Measures the cost that a new keyslot would get for a key of key_size bytes. */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_kdf_choice(const struct mortise_kdf_choice *choice, uint32_t key_size,
			     const struct mortise_events *events, struct mortise_kdf *kdf,
			     struct mortise_error *err);

/*
 * PBKDF2 iterations per second of processor time, as in cryptsetup's table. key_size is in bytes.
 * MORTISE_E_UNSUPPORTED: unknown hash.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_benchmark_pbkdf2(const char *hash, uint32_t key_size,
							      const struct mortise_events *events,
							      uint32_t *iterations,
							      struct mortise_error *err);

/*
 * Milliseconds per MiB on one processor with the crypto library, in sectors of 512 bytes as in
 * keyslot areas; volumes are encrypted by the kernel. key_size is in bytes. MORTISE_E_UNSUPPORTED.
 */
MORTISE_MUST_CHECK enum mortise_code mortise_benchmark_cipher(const char *cipher, uint32_t key_size,
							      const struct mortise_benchmark *how,
							      struct mortise_spread *encrypt,
							      struct mortise_spread *decrypt,
							      struct mortise_error *err);

/* The times of the steps of an operation, in milliseconds. */
struct mortise_benchmark_steps {
	struct mortise_spread total;	/* of the whole operation, if it was measured */
	unsigned count;
	struct {
		const char *name;	/* static */
		struct mortise_spread time;
	} steps[MORTISE_BENCHMARK_STEPS_MAX];
};

/* Creating and opening a keyslot in a header in memory. */
struct mortise_keyslot_benchmark {
	size_t struct_size;
	struct mortise_kdf kdf;		/* the measured cost */
	double choice_ms;		/* time of choosing the cost; 0 if it was forced */
	struct mortise_benchmark_steps create;
	struct mortise_benchmark_steps open;
};

MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_keyslot(const struct mortise_kdf_choice *choice,
			  const struct mortise_benchmark *how,
			  struct mortise_keyslot_benchmark *result, struct mortise_error *err);

/* Measures reading and checking a header. Never writes. */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_header(const struct mortise_location *location,
			 const struct mortise_benchmark *how, struct mortise_benchmark_steps *steps,
			 struct mortise_error *err);

/*
 * Measures opening keyslot id. passphrase NULL: uses a random one, which takes the same time and
 * opens nothing; total is not measured then. MORTISE_E_KEY: wrong passphrase.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_unlock(struct mortise_luks2 *header, int id,
			 const struct mortise_secret *passphrase,
			 const struct mortise_benchmark *how, struct mortise_benchmark_steps *steps,
			 struct mortise_error *err);

/*
 * Measures creating and removing a mapping that is hidden and read-only and has a random key and
 * its own name, so that it neither reveals nor changes data.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_benchmark_mapping(struct mortise_luks2 *header, const struct mortise_benchmark *how,
			  struct mortise_benchmark_steps *steps, struct mortise_error *err);

/* ------------------------------------------------------ measuring dm-crypt */

/* The results of a run. */
struct mortise_dm_benchmark;

enum mortise_dm_backing {
	MORTISE_DM_ZERO,	/* dm-zero: only the cost of encryption */
	MORTISE_DM_RAM,		/* a RAM disk */
	MORTISE_DM_DEVICE,	/* the device in the options */
};

/* "zero", "ram", "device". */
const char *mortise_dm_backing_name(enum mortise_dm_backing backing);

/* One measurement, of requests to random offsets that bypass the page cache. */
struct mortise_dm_measurement {
	enum mortise_dm_backing backing;
	const char *cipher;		/* "": the backing device without dm-crypt */
	uint32_t key_size;		/* bytes */
	uint32_t sector_size;		/* bytes of an encryption sector */
	uint32_t flags;			/* enum mortise_activation_flags */
	const char *driver;		/* chosen by the kernel; "" if /proc/crypto does not show it */
	bool write;
	uint32_t block_size;		/* bytes of a request */
	uint32_t depth;			/* concurrent requests on each volume */
	uint32_t jobs;			/* submitting threads on each volume */
	uint32_t volumes;		/* in parallel, each on a part of the backing device */
	uint64_t bytes;			/* transferred */
	uint64_t duration_ns;
	/*
	 * Bytes per second in slices of the time; p99 is the fastest slice. runs 0: there were too few
	 * requests for slices, and all three values are the mean.
	 */
	struct mortise_spread rate;
	uint64_t latency_p50_ns;	/* rounded up by at most 1/32 */
	uint64_t latency_p99_ns;
	uint64_t latency_p999_ns;
	uint64_t cpu_us;		/* busy time of all processors, whatever they executed */
	uint64_t energy_uj;		/* of all processor packages; UINT64_MAX: not measured */
	double bare_rate;		/* rate without dm-crypt; 0: not measured */
};

struct mortise_dm_benchmark_options {
	size_t struct_size;
	const char *device;	/* also measured; default: only dm-zero and a RAM disk */
	bool destroy_data;	/* also write to device; its data is lost */
	const char *cipher;	/* only this one; default: all ciphers of the kernel */
	uint32_t key_size;	/* bytes, with cipher; default: 64 for XTS, else 32 */
	bool quick;		/* only a few measurements */
	uint32_t time_limit_ms;	/* of the whole run; default: 120000, 10000 if quick */
	const struct mortise_events *events; /* cancellation ends the run early */
	/* Called after each measurement, of about total; may be NULL. */
	void (*measured)(void *context, const struct mortise_dm_measurement *measurement,
			 size_t done, size_t total);
	void *context;
};

/*
 * Runs the benchmark. Its mappings are hidden, have random keys, and disappear with this process,
 * however it ends. A RAM disk with any data is not used. An unavailable backing device or cipher
 * causes a warning. *out is set if the result is MORTISE_OK, also after an early end.
 * MORTISE_E_DEVICE, MORTISE_E_BUSY: the device. MORTISE_E_KERNEL: no dm-crypt.
 */
MORTISE_MUST_CHECK enum mortise_code
mortise_dm_benchmark_run(const struct mortise_dm_benchmark_options *options,
			 struct mortise_dm_benchmark **out, struct mortise_error *err);
void mortise_dm_benchmark_free(struct mortise_dm_benchmark **benchmark);

/* Measurement i; NULL past the last. */
const struct mortise_dm_measurement *
mortise_dm_benchmark_measurement(const struct mortise_dm_benchmark *benchmark, size_t i);
/* Warning i, a sentence; NULL past the last. */
const char *mortise_dm_benchmark_warning(const struct mortise_dm_benchmark *benchmark, size_t i);
/* "io_uring" or "threads". */
const char *mortise_dm_benchmark_engine(const struct mortise_dm_benchmark *benchmark);

/* The recommended options for formatting and opening. */
struct mortise_dm_advice {
	const char *cipher;
	uint32_t key_size;		/* bytes */
	uint32_t sector_size;		/* bytes */
	uint32_t flags;			/* enum mortise_activation_flags that a configuration can contain */
	const char *reason;		/* sentences */
};

/* NULL: not enough was measured. */
const struct mortise_dm_advice *
mortise_dm_benchmark_advice(const struct mortise_dm_benchmark *benchmark);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
