/* SPDX-License-Identifier: MIT */
/*
 * Keyslot areas written by Debian's cryptsetup 2.6.1:
 *
 *   cryptsetup luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --hash HASH
 *     --cipher CIPHER --key-size BITS --volume-key-file VK --key-file PASS
 *     --luks2-metadata-size 16k --luks2-keyslots-size 512k
 *
 * with the passphrase "test" and a volume key whose byte i is 0x40 + 7 * i. A preloaded read(2)
 * returned a known stream for /dev/urandom, so that neither the stripes nor the areas (64 to 256
 * KB, not compressible) need to be stored: byte n of the stream is byte n % 8, from the low end, of
 * number n / 8 + 1 of SplitMix64 (Steele, Lea, Flood 2014) from state 0. The first 3999 stripes are
 * the bytes of the stream from offset stripes on. sha256 is the hash of the area in the file: 4000
 * * key_size bytes, and zeros up to a whole sector.
 */
static const struct {
	const char *cipher;
	size_t key_size;  /* of the volume key and of the area key */
	const char *hash; /* of PBKDF2 and of the anti-forensic splitter */
	uint64_t stripes; /* offset in the stream */
	const char *salt, *sha256;
} luks2_areas[] = {
	{ "aes-xts-plain64", 32, "sha256", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "c7518b0df5c544a3e1c76504a0ac8ddd389b03d6c66cff97196fee7069f486f8" },
	{ "aes-xts-plain64", 64, "sha512", 524544,
	  "3ce5cd6f0153e2ef07952170d18196e48a841856069afc04653cc1b7dc9de85a",
	  "b418e2a38cf65942472e0bcbb63ac66115ecc990af3c6d9d5f986cd9dccba0b6" },
	{ "aes-xts-plain", 64, "sha384", 524544,
	  "3ce5cd6f0153e2ef07952170d18196e48a841856069afc04653cc1b7dc9de85a",
	  "7ed5c608ef645dc07cb8b0b6dc74203296c2f94bb02f3a205e352aaff34c0cb2" },
	{ "aes-cbc-essiv:sha256", 16, "sha224", 524496,
	  "1ae078dbd92f2c342e2dced7490a8cf2a00710063f9307b6fea0847e4e0a0ba3",
	  "a6bae8c72c651080028d6dd34c2306eaeedbf144666604330a0ed6d95210f561" },
	{ "aes-cbc-essiv:sha256", 32, "sha1", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "331a9cfd7451e3925a799d1b2913ca92a1b36e6d18187427091f312ff741ebbb" },
	{ "aes-cbc-plain64", 24, "sha256", 524504,
	  "2e2dced7490a8cf2a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd83",
	  "e2edf5d7d46361d62ae97e91a336b7dc1dc91032f5449a86a3b82f48a4fbcaa6" },
	{ "aes-cbc-plain", 32, "ripemd160", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "157cf098da318b73dcf5de45f0d103fa11b802e3c1c228fce340f8c9a7457e28" },
	{ "aes-cbc-plain64be", 32, "blake2b-512", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "66f8808ab9bb72866f03ae6034b0b77e214ce4c4eb71705d71e547fb7f324ca1" },
	{ "aes-cbc-benbi", 32, "blake2s-256", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "080ae19953d7233cd8ed3d8d70235ea6d689b8507ba8a6ef70d0eec824638837" },
	{ "aes-cbc-eboiv", 32, "sha3-224", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "9efa36cd8699eb0aa0b0c38460971f8d15d564135cda7431be345ed78ec7eb44" },
	{ "aes-cbc-null", 32, "sha3-256", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "ba9930c8f4500792d258f06e5247ab702a26e024723ac6bfbb65fbc4f3aa2f57" },
	{ "aes-ctr-plain64", 32, "sha3-512", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "fa0fa61704ae1ff58866d0f1e157355c41b412f033b33f40dc90c7178630a387" },
	{ "aes-ecb", 32, "sm3", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "ef6774e04ee398984b8ecebfd37ac0d63b602d36beb4ae18e1096766a40d3d7c" },
	{ "camellia-cbc-plain64", 32, "sha3-384", 524512,
	  "a00710063f9307b6fea0847e4e0a0ba3b8a6bfb735f7dd832af96278cf49f753",
	  "80af210a2d6dfb71cc25dde56c6771424a205a4cf886f15e921d97586ce7f938" },
};
