/* SPDX-License-Identifier: MIT */
/*
 * Power cuts during a reset: after a cut at any moment, with any subset of the unflushed sectors on
 * the disk, the device is still the original volume, or is recognized as being reset. It never
 * becomes a volume again, never counts as empty too early, and a second reset finishes the first.
 * Debian's cryptsetup, if installed, must not be able to recover the volume either.
 */
#define DISK_SIZE   (18u << 20) /* header area of 16 MiB, data, last MiB */
#define PENDING_MAX 160
#include "tests/disk.h"

#include <dlfcn.h>
#include <linux/falloc.h>
#include <sys/random.h>

#include "luks2/binary.h"
#include "disk/probe.h"
#include "disk/reset_mark.h"
#include "disk/wipe.h"

#define KEYS_END   (16u << 20)
#define COPY_SIZE  LUKS2_COPY_SIZE_MIN
#define EDGE	   (1u << 20)
#define PASSPHRASE "the passphrase"
#define REORDERED  8u
#define CRYPTSETUP "/usr/sbin/cryptsetup"

/* The initial state of the disk, and the contents that may be found until it is marked. */
struct scenario {
	const char *name;
	void (*prepare)(void);
	enum disk_content before;
};

static struct {
	const struct scenario *scenario;
	uint8_t *original;
	bool marked;   /* the mark is on stable storage */
	bool gone;     /* on stable storage, every sector of the header area is overwritten */
	bool discards; /* the disk supports discard */
	char key_file[96];
	unsigned cuts, second_resets, referee_runs;
} world;

/* The kernel's generator would take a third of the time. (xorshift64, Marsaglia 2003) */
ssize_t getrandom(void *bytes, size_t size, unsigned flags)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	(void)flags;
	for (size_t at = 0; at < size; at += sizeof(state)) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy((uint8_t *)bytes + at, &state,
		       size - at < sizeof(state) ? size - at : sizeof(state));
	}
	return (ssize_t)size;
}

/* A discarded range may read back as anything. */
int fallocate(int fd, int mode, off_t offset, off_t size)
{
	struct disk_write *write = &disk.pending[disk.pending_count];

	if (!world.discards) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (is_disk(fd)) {
		assert_int_equal(mode, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
		assert_true(disk.pending_count < PENDING_MAX);
		disk.calls++;
		*write =
			(struct disk_write){ (uint64_t)offset, (size_t)size, malloc((size_t)size) };
		assert_non_null(write->bytes);
		memset(write->bytes, 0x5a, (size_t)size);
		disk.pending_count++;
	}
	/* The C library's own: a system call has another layout on each 32-bit processor. */
	return ((int (*)(int, int, off_t, off_t))dlsym(
		RTLD_NEXT, sizeof(long) < 8 ? "fallocate64" : "fallocate"))(fd, mode, offset, size);
}

static void fill(uint8_t *image)
{
	uint64_t mixed = 1;

	for (size_t at = 0; at < DISK_SIZE; at++) {
		mixed = mixed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		image[at] = (uint8_t)(mixed >> 56 | 1);
	}
}

/* No sector is zero: old keys, and data. */
static void prepare_data(void)
{
	uint8_t *image = malloc(DISK_SIZE);

	assert_non_null(image);
	fill(image);
	disk_store(disk.path, image);
	free(image);
}

static struct mortise_luks2 *format(void)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = disk.path };
	const struct mortise_format what = { .struct_size = sizeof(what),
					     .key_size = 32,
					     .digest_iterations = 1000 };
	struct mortise_luks2 *header = NULL;

	prepare_data();
	assert_int_equal(mortise_luks2_format(&location, &what, &header, NULL), MORTISE_OK);
	return header;
}

static void prepare_volume(void)
{
	const struct mortise_kdf_choice cost = {
		.struct_size = sizeof(cost),
		.type = MORTISE_KDF_PBKDF2,
		.hash = "sha256",
		.forced_time = 1000,
	};
	const struct mortise_keyslot_new what = {
		.struct_size = sizeof(what),
		.keyslot = 0,
		.kdf = &cost,
	};
	struct mortise_luks2 *header = format();
	struct mortise_secret *given = NULL;

	assert_int_equal(mortise_secret_from(PASSPHRASE, strlen(PASSPHRASE), &given, NULL), 0);
	assert_int_equal(mortise_keyslot_add(header, &what, given, NULL, NULL, NULL), MORTISE_OK);
	mortise_secret_free(&given);
	mortise_luks2_free(&header);
}

static void prepare_unfinished(void)
{
	struct mortise_luks2 *header;
	uint8_t *image = malloc(DISK_SIZE);

	header = format();
	mortise_luks2_free(&header);
	assert_non_null(image);
	disk_fetch(disk.path, image);
	memset(image + KEYS_END, 0, DISK_SIZE - KEYS_END);
	disk_store(disk.path, image);
	free(image);
}

/* The start of the device is overwritten. */
static void prepare_second(void)
{
	uint8_t *image = malloc(DISK_SIZE);

	prepare_volume();
	assert_non_null(image);
	disk_fetch(disk.path, image);
	memset(image, 0, COPY_SIZE);
	disk_store(disk.path, image);
	free(image);
}

/* After luksErase: both header copies, but no keyslot. */
static void prepare_erased(void)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = disk.path };
	struct mortise_luks2 *header = NULL;

	prepare_volume();
	assert_int_equal(mortise_luks2_load(&location, &header, NULL), MORTISE_OK);
	assert_int_equal(mortise_keyslot_remove_all(header, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
}

/* Only the magic of ext2, which is sufficient for libblkid. */
static void prepare_filesystem(void)
{
	uint8_t *image = calloc(1, DISK_SIZE);

	assert_non_null(image);
	memcpy(image + 1080, "\x53\xef", 2);
	memset(image + KEYS_END, 1, 4096);
	disk_store(disk.path, image);
	free(image);
}

static const struct scenario scenarios[] = {
	{ "a volume", prepare_volume, DISK_LUKS2 },
	{ "the second header only", prepare_second, DISK_LUKS2 },
	{ "erased", prepare_erased, DISK_LUKS2 },
	{ "a cut format", prepare_unfinished, DISK_UNFINISHED },
	{ "a file system", prepare_filesystem, DISK_FILESYSTEM },
	{ "unknown data", prepare_data, DISK_OTHER },
};

static enum disk_content content(const char *path)
{
	struct disk_probe probe;
	struct mortise_error err = { 0 };

	if (disk_probe(path, NULL, &probe, &err))
		disk_wrong("probing: %.150s", err.text);
	return probe.content;
}

static bool opens(const char *path)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path,
						   .readonly = true };
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = MORTISE_ANY };
	struct mortise_secret *given = NULL;
	struct mortise_luks2 *header = NULL;
	bool open;

	if (mortise_luks2_load(&location, &header, NULL))
		return false;
	assert_int_equal(mortise_secret_from(PASSPHRASE, strlen(PASSPHRASE), &given, NULL), 0);
	open = !mortise_keyslot_open(header, &search, given, NULL, NULL, NULL);
	mortise_secret_free(&given);
	mortise_luks2_free(&header);
	return open;
}

static bool has_key(void)
{
	return world.scenario->prepare == prepare_volume ||
	       world.scenario->prepare == prepare_second;
}

/* cryptsetup repairs the header if it can, and then tries the passphrase. */
static bool referee_opens(const char *path)
{
	char command[600];

	snprintf(command, sizeof(command),
		 CRYPTSETUP " repair -q %s >%s.log 2>&1; " CRYPTSETUP
			    " open --test-passphrase --key-file %s %s >>%s.log 2>&1",
		 path, disk.path, world.key_file, path, disk.path);
	world.referee_runs++;
	return system(command) == 0;
}

/* Returns whether a sector of the header area is unchanged, not counting sectors of zeros. */
static bool has_old(const uint8_t *image)
{
	static const uint8_t zeros[SECTOR];

	for (size_t at = 0; at < KEYS_END; at += SECTOR)
		if (memcmp(world.original + at, zeros, SECTOR) != 0 &&
		    !memcmp(world.original + at, image + at, SECTOR))
			return true;
	return false;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static enum mortise_code reset(const char *path, struct mortise_error *err)
{
	const struct disk_wipe how = { .full = false };
	struct luks2_device *device = NULL;
	enum mortise_code code = luks2_device_open(path, true, &device, err);

	if (!code)
		code = luks2_device_writable(device, err);
	if (!code)
		code = luks2_device_lock(device, true, err);
	if (!code)
		code = disk_wipe(device, &how, err);
	if (!code)
		code = disk_wipe_end(device, err);
	luks2_device_close(device);
	return code;
}

static void check_finished(const char *path, const char *when)
{
	static uint8_t image[DISK_SIZE];

	disk_fetch(path, image);
	if (content(path) != DISK_EMPTY)
		disk_wrong("not empty %s", when);
	if (!is_zero(image, EDGE) || !is_zero(image + DISK_SIZE - EDGE, EDGE))
		disk_wrong("its ends are not zero %s", when);
	if (has_old(image))
		disk_wrong("part of the header area is left %s", when);
}

static void check_cut(const uint8_t *image, unsigned variant)
{
	enum disk_content now = content(disk.cut);
	bool as_before = now == world.scenario->before;
	struct mortise_error err = { 0 };
	bool open = opens(disk.cut);

	world.cuts++;
	if (!as_before && now != DISK_RESETTING && !(world.gone && now == DISK_EMPTY))
		disk_wrong("call %u, variant %u: it counts as %d", disk.calls, variant, (int)now);
	if (as_before && (world.marked || open != has_key()))
		disk_wrong("call %u, variant %u: recovered, or damaged", disk.calls, variant);
	if (!as_before && open)
		disk_wrong("call %u, variant %u: opens", disk.calls, variant);
	if (now == DISK_EMPTY &&
	    (!is_zero(image, EDGE) || !is_zero(image + DISK_SIZE - EDGE, EDGE)))
		disk_wrong("call %u, variant %u: empty, but its ends are not zero", disk.calls,
			   variant);
	if (world.gone && has_old(image))
		disk_wrong("call %u, variant %u: an old sector is back", disk.calls, variant);
	if (variant % 4 == 0 && !access(CRYPTSETUP, X_OK) &&
	    referee_opens(disk.cut) != (as_before && has_key()))
		disk_wrong("call %u, variant %u: cryptsetup disagrees", disk.calls, variant);
	if (variant % 4 == 0) {
		world.second_resets++;
		disk_store(disk.cut, image);
		if (reset(disk.cut, &err))
			disk_wrong("call %u, variant %u: %.100s", disk.calls, variant, err.text);
		check_finished(disk.cut, "after a second reset");
	}
}

/*
 * In addition to the variants within a write: of the first pending writes, only one reaches the
 * disk, or all but one.
 */
static unsigned variant_of(unsigned variant, unsigned write)
{
	unsigned one = variant - DISK_CUTS;

	if (variant >= DISK_CUTS)
		return (write == one / 2) == (one % 2 == 0) ? 0 : 1;
	return variant < 8 ? variant : variant + 97 * write;
}

static void try_cuts(struct disk *unused)
{
	static uint8_t image[DISK_SIZE];

	(void)unused;
	if (!world.gone && !has_old(disk.stable)) {
		world.gone = true;
		if (is_zero(disk.stable + SECTOR, KEYS_END - SECTOR))
			disk_wrong("the keys were overwritten only with zeros");
	}
	disk.recording = false;
	for (unsigned variant = 0; variant < DISK_CUTS + REORDERED; variant += STRIDE) {
		memcpy(image, disk.stable, DISK_SIZE);
		for (unsigned i = 0; i < disk.pending_count; i++)
			disk_apply(image, &disk.pending[i], disk_reached, variant_of(variant, i));
		disk_store(disk.cut, image);
		check_cut(image, variant);
	}
	/* The pending writes are about to reach stable storage. */
	for (size_t i = 0; i < disk.pending_count; i++)
		if (!disk.pending[i].offset)
			world.marked = true;
	disk.recording = true;
}

static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		struct mortise_error err = { 0 };

		world.scenario = &scenarios[i];
		world.marked = world.gone = false;
		world.discards = i % 2 == 0;
		disk.before_flush = NULL;
		scenarios[i].prepare();
		disk_fetch(disk.path, world.original);
		disk_wrong("%s", "");
		assert_int_equal(content(disk.path), scenarios[i].before);
		assert_int_equal(opens(disk.path), has_key());
		disk.before_flush = try_cuts;
		disk_record(0, false);
		if (reset(disk.path, &err))
			fail_msg("%s: %s", scenarios[i].name, err.text);
		disk.recording = false;
		check_finished(disk.path, "when done");
		if (*disk.wrong)
			fail_msg("%s: %s", scenarios[i].name, disk.wrong);
		if (disk.pending_count)
			fail_msg("%s: ends with unflushed writes", scenarios[i].name);
	}
	print_message("%u cuts, %u second resets, %u runs of cryptsetup\n", world.cuts,
		      world.second_resets, world.referee_runs);
}

/* If a cut tears even a single sector, no part of the mark makes the device count as empty. */
static void test_torn_mark(void **state)
{
	uint8_t *image = malloc(DISK_SIZE), *marked = malloc(DISK_SIZE);
	struct luks2_device *device = NULL;

	(void)state;
	assert_non_null(image);
	assert_non_null(marked);
	prepare_volume();
	disk_fetch(disk.path, image);
	assert_int_equal(luks2_device_open(disk.path, false, &device, NULL), MORTISE_OK);
	assert_int_equal(luks2_device_writable(device, NULL), MORTISE_OK);
	assert_int_equal(disk_mark_put(device, KEYS_END, NULL), MORTISE_OK);
	luks2_device_close(device);
	disk_fetch(disk.path, marked);
	assert_int_equal(content(disk.path), DISK_RESETTING);
	memcpy(image + COPY_SIZE, marked + COPY_SIZE, SECTOR);
	for (size_t at = 1; at < SECTOR; at += 7) {
		uint8_t sector[SECTOR];

		memcpy(sector, image, SECTOR);
		memcpy(image, marked, at);
		disk_store(disk.cut, image);
		assert_int_not_equal(content(disk.cut), DISK_EMPTY);
		assert_int_not_equal(content(disk.cut), DISK_UNFINISHED);
		assert_false(opens(disk.cut));
		memcpy(image, sector, SECTOR);
		memcpy(image + at, marked + at, SECTOR - at);
		disk_store(disk.cut, image);
		assert_int_not_equal(content(disk.cut), DISK_EMPTY);
		memcpy(image, sector, SECTOR);
	}
	free(marked);
	free(image);
}

/* If a write fails, an error is returned, and the state is one that a cut can leave. */
static void test_failures(void **state)
{
	unsigned calls;

	(void)state;
	disk.before_flush = NULL;
	prepare_volume();
	disk_record(0, false);
	assert_int_equal(reset(disk.path, NULL), MORTISE_OK);
	disk.recording = false;
	calls = disk.calls;
	for (unsigned fail_at = 1; fail_at <= calls; fail_at += fail_at < 4 ? 1 : calls / 7) {
		struct mortise_error err = { 0 };
		enum disk_content now;

		prepare_volume();
		disk_fetch(disk.path, world.original);
		disk_record(fail_at, false);
		assert_int_not_equal(reset(disk.path, &err), MORTISE_OK);
		disk.recording = false;
		disk_forget_pending();
		now = content(disk.path);
		assert_true(*err.text && err.sys_errno);
		assert_true(now == DISK_RESETTING || (now == DISK_LUKS2 && fail_at <= 3));
		assert_int_equal(reset(disk.path, NULL), MORTISE_OK);
		check_finished(disk.path, "after a failure");
		assert_string_equal(disk.wrong, "");
	}
}

static int begin(void **state)
{
	int fd, result = disk_new(state);

	world.original = malloc(DISK_SIZE);
	snprintf(world.key_file, sizeof(world.key_file), "%s.key", disk.path);
	fd = open(world.key_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, PASSPHRASE, strlen(PASSPHRASE)) != (ssize_t)strlen(PASSPHRASE))
		return -1;
	close(fd);
	return world.original ? result : -1;
}

static int end(void **state)
{
	char log[96];

	snprintf(log, sizeof(log), "%s.log", disk.path);
	(void)unlink(log);
	(void)unlink(world.key_file);
	free(world.original);
	return disk_remove(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_torn_mark),
		cmocka_unit_test(test_failures),
	};
	const int result = cmocka_run_group_tests(tests, begin, end);

	disk_log("reset", world.cuts);
	return result;
}
