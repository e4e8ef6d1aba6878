/* SPDX-License-Identifier: MIT */
/*
 * Disk selectors. Expressions marked (Talos) are from its documentation, tests or issues. The
 * expected result of each for a disk was derived by hand from the definition of CEL (cel-spec,
 * doc/langdef.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/selector/selector.h"

static const char *const links[] = {
	"/dev/disk/by-id/nvme-WD_BLACK_SN770_2TB_1",
	"/dev/disk/by-diskseq/16",
	NULL,
};

static const char *const no_links[] = { NULL };

/* The disk in Talos issue 11223. */
static const struct disk_facts nvme = {
	.size = UINT64_C(2000398934016),
	.io_size = 512,
	.sector_size = 512,
	.system_known = true,
	.bus_path = "/pci0000:00/0000:00:02.3/0000:03:00.0/nvme",
	.dev_path = "/dev/nvme0n1",
	.firmware_version = "731100WD",
	.modalias = "pci:1234:5678:9",
	.model = "WD_BLACK SN770 2TB",
	.serial = "SERIAL001",
	.sub_system = "/sys/class/block",
	.transport = "nvme",
	.uuid = "e8238fa6-bf53-0001-001b-448b47fe9711",
	.wwid = "eui.e8238fa6bf530001001b448b47fe9711",
	.pretty_size = "2.0 TB",
	.secondary_disks = links + 1,
	.symlinks = links,
};

/* The system disk, with few known attributes. */
static const struct disk_facts plain = {
	.size = UINT64_C(12) << 30,
	.io_size = 4096,
	.sector_size = 4096,
	.readonly = true,
	.rotational = true,
	.cdrom = true,
	.system = true,
	.system_known = true,
	.bus_path = "",
	.dev_path = "/dev/sda",
	.firmware_version = "",
	.modalias = "",
	.model = "",
	.serial = "",
	.sub_system = "",
	.transport = "",
	.uuid = "",
	.wwid = "",
	.pretty_size = "13 GB",
	.secondary_disks = no_links,
	.symlinks = no_links,
};

/* Returns '0' or '1'; 'x' if evaluating the text gives an error, '?' if it is not an expression. */
static char result(const char *text, const struct disk_facts *disk, struct mortise_error *err)
{
	struct config_selector *selector;
	bool matches = true;
	char answer;

	if (config_selector_parse(text, &selector, err))
		return '?';
	answer = config_selector_matches(selector, disk, &matches, err) ? 'x' : matches ? '1' : '0';
	config_selector_free(selector);
	return answer;
}

static void test_values(void **state)
{
	/* The results for nvme and for plain. */
	static const struct {
		const char *text;
		const char *answers;
	} rows[] = {
		/* (Talos) */
		{ "system_disk", "01" },
		{ "!system_disk", "10" },
		{ "disk.transport == \"nvme\"", "10" },
		{ "disk.transport == 'nvme'", "10" },
		{ "disk.transport == \"nvme\" && !system_disk", "10" },
		{ "disk.transport == \"nvme\" && disk.size > 100u * GiB", "10" },
		{ "disk.size > 1000u * GiB && !disk.rotational", "10" },
		{ "disk.size > 120u * GB && disk.size < 1u * TB", "00" },
		{ "disk.size > 50u * GiB && !system_disk", "10" },
		{ "disk.transport == \"sata\" && !disk.rotational && !system_disk", "00" },
		{ "disk.transport == \"\" && disk.size >= 12u * GiB", "01" },
		{ "disk.size > 1000u && !disk.rotational", "10" },
		{ "disk.dev_path == \"/dev/sda\"", "01" },
		{ "disk.dev_path == '/dev/vda'", "00" },
		{ "disk.serial == \"SERIAL001\"", "10" },
		{ "'/dev/disk/by-diskseq/16' in disk.symlinks", "10" },
		{ "'/dev/vdb' in disk.symlinks || '/dev/disk/by-diskseq/16' in disk.symlinks",
		  "10" },
		{ "\"/dev/disk/by-id/md-name-talos:boot\" in disk.symlinks", "00" },
		{ "disk.transport == \"nvme\" && disk.model == \"WD_BLACK SN770 2TB\" && "
		  "!system_disk",
		  "10" },
		{ "disk.transport != \"\" && disk.transport == \"nvme\" && !disk.readonly &&\n"
		  "!disk.cdrom",
		  "10" },
		{ "glob(\"pci:1234:5678*\", disk.modalias) && !disk.rotational", "10" },
		{ "glob(\"/pci-0000:00:1f.2/*\", disk.bus_path)", "00" },
		{ "glob(\"e8238fa6-*-0001-*\", disk.uuid)", "10" },
		{ "glob('sd[a-z]', disk.dev_path)", "00" },
		{ "disk.symlinks.exists(s, s.startsWith('/dev/disk/by-id/nvme-WD_'))", "10" },
		/* (Talos) documentation, tests, issues and machines of its users. */
		{ "disk.transport == 'scsi' && disk.size < 2u * TiB", "00" },
		{ "disk.serial.startsWith('SERIAL') && !disk.cdrom", "10" },
		{ "disk.size == 1048576u && glob(\"pci:1234:5678*\", disk.modalias) && "
		  "disk.transport != \"\"\n&& disk.rotational &&\n!disk.readonly && !disk.cdrom",
		  "00" },
		{ "disk.size <= 262144u && disk.transport != \"\" && !disk.readonly && !disk.cdrom",
		  "00" },
		{ "glob(\"0000-0001-*\", disk.uuid) && disk.transport != \"\" && !disk.readonly",
		  "00" },
		{ "disk.symlinks[0] == \"no-such-symlink\"", "0x" },
		{ "disk.dev_path == \"/dev/nvme0n1\" || \"/dev/nvme0n1\" in disk.symlinks", "10" },
		{ "disk.dev_path == \"/dev/sda\" && disk.rotational == true", "01" },
		{ "disk.model == \"Corsair MP600 MICRO\" && !system_disk", "00" },
		{ "disk.symlinks.exists(s, s == \"/dev/disk/by-diskseq/16\")", "10" },
		/* Every field. */
		{ "disk.io_size == 512u", "10" },
		{ "disk.sector_size == 4096u", "01" },
		{ "disk.readonly", "01" },
		{ "disk.rotational", "01" },
		{ "disk.cdrom", "01" },
		{ "disk.firmware_version == '731100WD'", "10" },
		{ "disk.sub_system == '/sys/class/block'", "10" },
		{ "disk.wwid.startsWith('eui.')", "10" },
		{ "disk.pretty_size == '2.0 TB'", "10" },
		{ "disk.secondary_disks.exists(d, d.endsWith('/16'))", "10" },
		/* Precedence of operators. */
		{ "true || false && false", "11" },
		{ "(true || false) && false", "00" },
		{ "!false && false", "00" },
		{ "1 + 2 * 3 == 7", "11" },
		{ "(1 + 2) * 3 == 9", "11" },
		{ "10 - 3 - 2 == 5", "11" },
		{ "7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1", "11" },
		{ "-9223372036854775808 % -1 == 0", "11" },
		{ "1 + 1 < 3 == true", "11" },
		{ "- 2 + 3 == 1 && - (2 + 3) == -5 && --5 == 5 && !!true", "11" },
		{ "false ? false : true", "11" },
		{ "true ? false : true ? true : true", "00" },
		{ "(disk.rotational ? 1u : 2u) == 2u", "10" },
		/* Numbers. */
		{ "0x10 == 16 && 0XffU == 255u && 5U == 5u", "11" },
		{ "1.5 + .5 == 2.0 && 1e3 == 1000.0 && 25e-1 == 2.5", "11" },
		{ "double(disk.size) / 1e9 > 2000.0", "10" },
		{ "uint(2000) * GB < disk.size && disk.size < 2001u * GB", "10" },
		{ "int(2.9) == 2 && int(-2.9) == -2 && uint(7) == 7u && int(7u) == 7", "11" },
		{ "18446744073709551615u / EiB == 15u && 1u * PiB == 1024u * TiB", "11" },
		{ "1u * kB == 1000u && 1u * EB == 1000u * PB && MB * 1000u == GB && KiB < MiB",
		  "11" },
		{ "-9223372036854775808 < 0 && 9223372036854775807 > 0", "11" },
		{ "0.0 / 0.0 == 0.0 / 0.0", "00" },
		{ "0.0 / 0.0 != 0.0 / 0.0 && !(0.0 / 0.0 >= 0.0)", "11" },
		/* Comparisons at their bounds. */
		{ "2 < 2", "00" },
		{ "2 <= 2 && 2 >= 2 && !(2 > 2) && !(2 != 2)", "11" },
		{ "'a' < 'b' && 'B' < 'a' && 'a' < 'aa' && false < true", "11" },
		/* Texts. */
		{ "disk.model.contains('SN770') && disk.model.endsWith('2TB')", "10" },
		{ "disk.model.endsWith('WD_BLACK SN770 2TB and more')", "00" },
		{ "disk.model.startsWith('')", "11" },
		{ "size(disk.model) == 18 && disk.model.size() == 18", "10" },
		{ "size('\\u00e4\\U0001F4BE') == 2 && '\\u00e4' == '\\303\\244'", "00" },
		{ "'\\xe4' == '\\u00e4' && '\\101\\x42' == 'AB'", "11" },
		{ "'\\\\\\'\\\"\\t\\n' == \"\\\\'\\\"\\t\\n\"", "11" },
		{ "r'\\d' == '\\\\d' && R\"\\\" == '\\\\'", "11" },
		{ "disk.dev_path.matches('^/dev/nvme[0-9]+n1$')", "10" },
		{ "matches(disk.dev_path, r'sd.')", "01" },
		{ "disk.model.matches('^[[:upper:]_]{8} SN(7|8)70')", "10" },
		{ "disk.bus_path.matches('\\\\.3/[]0-3:]+\\\\.')", "10" },
		{ "disk.serial.matches('')", "11" },
		{ "disk.model.matches('[]?*]')", "00" },
		{ "disk.model.matches('[^]?*]')", "10" },
		/* Patterns. */
		{ "glob('*', '') && glob('', '') && !glob('', 'a') && glob('**', 'a')", "11" },
		{ "glob('a*b*c', 'aXbXbXc') && !glob('a*b*c', 'aXbXbX')", "11" },
		{ "glob('*ab', 'aab') && !glob('*ab', 'aabb') && !glob('a', 'ab')", "11" },
		/* Lists. */
		{ "disk.transport in ['sata', 'nvme']", "10" },
		{ "disk.size in [1u, 12u * GiB]", "01" },
		{ "size(disk.symlinks) == 2 && disk.symlinks.size() == 2", "10" },
		{ "size([1, 2, 3]) == 3 && [1, 2, 3][2] == 3", "11" },
		{ "disk.symlinks[0].contains('SN770')", "1x" },
		{ "disk.symlinks.all(s, s.startsWith('/dev/'))", "11" },
		{ "disk.symlinks.exists_one(s, s.contains('by-id'))", "10" },
		{ "disk.symlinks.exists_one(s, s.startsWith('/'))", "00" },
		{ "[1, 2].exists(x, [2, 3].exists(y, x == y))", "11" },
		{ "[1, 2].exists(x, [3, 4].exists(x, x == 2))", "00" },
		{ "[1, 2].all(disk, disk > 0)", "11" },
		{ "has(disk.serial) && has(disk.symlinks) && has(disk.size)", "10" },
		{ "has(disk.readonly)", "01" },
		/* An error is ignored if the other operand decides the result. */
		{ "1 / 0 == 1 || true", "11" },
		{ "1 / 0 == 1 && false", "00" },
		{ "true || 1 / 0 == 1", "11" },
		{ "1 / 0 == 1 || false", "xx" },
		{ "true && 1 % 0 == 1", "xx" },
		{ "[0, 1].exists(x, 1 / x == 1)", "11" },
		{ "[1, 0].all(x, 1 / x == 2)", "00" },
		{ "[0, 1].all(x, 1 / x == 1)", "xx" },
		{ "[0, 1].exists_one(x, 1 / x == 1)", "xx" },
		{ "1u - 2u == 0u", "xx" },
		{ "32u * EiB > 0u", "xx" },
		{ "9223372036854775807 + 1 > 0", "xx" },
		{ "9223372036854775807 * 2 > 0", "xx" },
		{ "-9223372036854775808 - 1 < 0", "xx" },
		{ "-9223372036854775808 / -1 > 0", "xx" },
		{ "-(-9223372036854775808) > 0", "xx" },
		{ "uint(-1) > 0u", "xx" },
		{ "uint(-1.5) > 0u || int(1e19) > 0", "xx" },
		{ "int(18446744073709551615u) > 0", "xx" },
		{ "18446744073709551615u + 1u > 0u", "xx" },
		{ "1u / 0u == 0u || 1u % 0u == 0u", "xx" },
		{ "[1, 2][2] == 1", "xx" },
		{ "[1, 2][-1] == 1", "xx" },
		{ "[1, 2,] == [1, 2] && [] == [] && [] != [1] && [[1]] == [[1]] && [1] != [2]",
		  "11" },
		{ "disk.symlinks == disk.symlinks && disk == disk && disk != null", "11" },
		{ "[1] + [2, 3] == [1, 2, 3] && [] + [] == []", "11" },
		{ "(disk.symlinks + ['/x']).size() == 3", "10" },
		{ "size([1, 2u, 'a', true]) == 4 && [1, 'a'][1] == 'a' && [1, 'a'][0] == 1", "11" },
		{ "'a' + 'b' == 'ab' && b'a' + b'b' == b'ab' && 'a' + '' + 'b' == 'ab'", "11" },
		{ "disk.dev_path + '-part1' == '/dev/sda-part1'", "01" },
		/* filter() and map(). */
		{ "disk.symlinks.filter(s, s.contains('by-id')).size() == 1", "10" },
		{ "disk.symlinks.filter(s, s.contains('by-id'))[0].endsWith('2TB_1')", "1x" },
		{ "disk.symlinks.filter(s, true) == disk.symlinks", "11" },
		{ "[1, 2, 3].map(x, x * x) == [1, 4, 9] && [].map(x, x) == []", "11" },
		{ "[1, 2, 3].map(x, x > 1, string(x)) == ['2', '3']", "11" },
		{ "disk.symlinks.map(s, size(s)).exists(n, n == 23)", "10" },
		{ "[1, 2].map(x, [x, x]).all(p, p[0] == p[1])", "11" },
		{ "[3, 4].filter(x, x > 3).map(y, y + 1) == [5]", "11" },
		{ "[0, 1].map(x, 1 / x) == [1]", "xx" },
		{ "[0, 1].filter(x, 1 / x == 1) == [1]", "xx" },
		/* Maps. */
		{ "{'a': 1, 'b': 2}['b'] == 2 && {'a': 1}.a == 1 && {1: 'x', 2: 'y'}[2] == 'y'",
		  "11" },
		{ "{disk.transport: true}['nvme']", "1x" },
		{ "{'nvme': 100u, 'sata': 200u}[disk.transport] == 100u", "1x" },
		{ "disk.transport in {'nvme': 1, 'sata': 2}", "10" },
		{ "{'a': 1, 'b': 2} == {'b': 2, 'a': 1} && {'a': 1} != {'a': 2} && {} == {}",
		  "11" },
		{ "size({'a': 1, 'b': 2,}) == 2 && {}.size() == 0 && {'a': [1]}.a[0] == 1", "11" },
		{ "has({'a': 1}.a) && !has({'a': 1}.b)", "11" },
		{ "{'a': 1, 'b': 2}.exists(k, k == 'b') && {'a': 1}.all(k, k == 'a')", "11" },
		{ "{'a': 1, 'b': 2}.map(k, k) == ['a', 'b'] && {1: 2}.filter(k, k > 1) == []",
		  "11" },
		{ "{'a': 1}['b'] == 1 || {'a': 1}.c == 1", "xx" },
		{ "{'a': {'b': {'c': 'd'}}}.a.b.c == 'd' && {'a': 1, 'a': 2}.a == 2", "11" },
		/* Conversions. */
		{ "string(1) == '1' && string(-5) == '-5' && string(18446744073709551615u) == "
		  "'18446744073709551615'",
		  "11" },
		{ "string(true) == 'true' && string('a') == 'a' && string(b'a') == 'a'", "11" },
		{ "string(1.5) == '1.5' && string(2000.0) == '2000' && string(1e6) == '1e+06'",
		  "11" },
		{ "string(0.1) == '0.1' && string(0.00001) == '1e-05' && string(123456.0) == "
		  "'123456'",
		  "11" },
		{ "string(-1.0 / 0.0) == '-Inf' && string(0.0 / 0.0) == 'NaN'", "11" },
		{ "string(disk.size) == '2000398934016' && string(disk.rotational) == 'false'",
		  "10" },
		{ "bytes('ab') == b'ab' && size(b'\\xff\\377') == 2 && size(bytes('\\u00e4')) == 2",
		  "11" },
		{ "b'\\xe4' != bytes('\\u00e4') && bytes('\\u00e4') == b'\\xc3\\xa4'", "11" },
		{ "int('42') == 42 && int('-7') == -7 && uint('42') == 42u", "11" },
		{ "double('1.5') == 1.5 && double('-1e3') == -1000.0 && double('7') == 7.0", "11" },
		{ "bool('true') && !bool('F') && bool(true)", "11" },
		{ "int('x') == 1 || uint('-1') == 1u || double('1.5.') == 1.5 || bool('yes')",
		  "xx" },
		{ "int('') == 0 || int('9223372036854775808') == 0 || double('') == 0.0", "xx" },
		{ "type(1) == int && type(1u) == uint && type('') == string && type(b'') == bytes",
		  "11" },
		{ "type([]) == list && type({}) == map && type(null) == null_type && type(int) == "
		  "type",
		  "11" },
		{ "type(disk.size) == uint && type(disk.symlinks) != string && type(1.0) == double",
		  "11" },
		{ "null == null && type(true) == bool", "11" },
		/* dyn(): the types are checked when the expression is evaluated. */
		{ "dyn(1) == 1u && dyn(1) == 1.0 && dyn(1) != 'a' && dyn(2u) > 1", "11" },
		{ "dyn(disk.size) > 120 && dyn(disk).size > 1u && dyn(disk).model != ''", "10" },
		{ "dyn(-1) < 1u && dyn(1u) > -1 && dyn(1.5) < 2 && dyn(18446744073709551615u) > 1",
		  "11" },
		{ "dyn([1, 2]).exists(x, x == 2) && dyn('a').size() == 1 && dyn({'a': 1}).a == 1",
		  "11" },
		{ "dyn('a') + 'b' == 'ab' && dyn([1])[0] == 1 && -dyn(1) == -1 && !dyn(false)",
		  "11" },
		{ "dyn(1) + 'a' == 'a'", "xx" },
		{ "dyn(1) + dyn('a') == 'a'", "xx" },
		{ "dyn(1) > 'a'", "xx" },
		{ "dyn(1) > dyn('a')", "xx" },
		{ "dyn('a') && true", "xx" },
		{ "(dyn(1) ? 1 : 2) == 1", "xx" },
		{ "dyn(1).exists(x, true)", "xx" },
		{ "dyn(1).a == 1 || dyn(disk).colour == ''", "xx" },
		{ "dyn(1).contains('a')", "xx" },
		{ "dyn(1) in dyn(2)", "xx" },
		{ "dyn({'a': 1})[0] == 1", "xx" },
		{ "disk.serial.matches(disk.serial) && disk.model.matches('^' + 'WD')", "10" },
		{ "disk.model.matches('(' + '')", "xx" },
		/* Three quotes, raw texts and bytes. */
		{ "'''a'b\nc''' == 'a\\'b\\nc' && \"\"\"a\"\"b\"\"\" == 'a\"\"b'", "11" },
		{ "r'''\\''' == '\\\\' && br'\\' == b'\\\\' && '''''' == '' && B\"a\" == b'a'",
		  "11" },
		/* Blanks and comments. */
		{ " \t\r\n\f true // || false\n && true", "11" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct mortise_error err = { .text = "" };
		char got[3] = { result(rows[i].text, &nvme, &err),
				result(rows[i].text, &plain, &err) };

		if (strcmp(got, rows[i].answers) != 0)
			fail_msg("%s: %s, expected %s (%s)", rows[i].text, got, rows[i].answers,
				 err.text);
	}
}

static void assert_refused(enum mortise_code expected, const char *text, const char *place,
			   const char *sentence)
{
	struct mortise_error err = { .code = MORTISE_OK, .text = "" };
	enum mortise_code code = config_selector_check(text, &err);

	if (code != expected || err.code != code || strncmp(err.text, place, strlen(place)) != 0 ||
	    !strstr(err.text, sentence))
		fail_msg("%s: %d, \"%s\", expected \"%s...%s\"", text, code, err.text, place,
			 sentence);
}

static void test_refused(void **state)
{
	/* The position, and a part of the error. */
	static const struct {
		const char *text;
		const char *place;
		const char *sentence;
	} rows[] = {
		/* (Talos): the same position and, except for the quotation marks, the same text. */
		{ "disk.size > 120",
		  "1:11: ", "no matching overload for '>' applied to (uint, int); sizes are uint" },
		{ "", "1:1: ", "ends too early" },
		{ "   ", "1:4: ", "ends too early" },
		{ "disk.size", "1:6: ", "must be a bool, not a uint" },
		{ "disk", "1:1: ", "must be a bool, not a disk" },
		{ "disk.symlinks", "1:6: ", "must be a bool, not a list(string)" },
		{ "1 + 1", "1:3: ", "must be a bool, not a int" },
		{ "disks.size > 1u", "1:1: ", "undeclared reference to \"disks\"" },
		{ "volume.name == 'xfs'", "1:1: ", "undeclared reference to \"volume\"" },
		{ "disk.sized > 1u", "1:6: ", "undefined field \"sized\"" },
		{ "!disk.busPath.contains('usb')", "1:7: ", "undefined field \"busPath\"" },
		{ "disk.siz", "1:6: ", "undefined field" },
		{ "disk.size.bytes == 1u", "1:11: ", "a uint has no fields" },
		{ "system_disk == 'yes'", "1:13: ", "(bool, string)" },
		{ "disk.size == 'a'", "1:11: ", "(uint, string)" },
		{ "disk == 1", "1:6: ", "(disk, int)" },
		{ "disk < disk", "1:6: ", "(disk, disk)" },
		{ "disk.symlinks == [1]", "1:15: ", "(list(string), list(int))" },
		{ "disk.symlinks < disk.symlinks", "1:15: ", "(list(string), list(string))" },
		{ "{'a': 1} == {'a': 'b'}", "1:10: ", "(map(string, int), map(string, string))" },
		{ "cdrom", "1:1: ", "undeclared reference to \"cdrom\"; did you mean disk.cdrom?" },
		{ "disk.size > 1u &&", "1:18: ", "ends too early" },
		{ "&& true", "1:1: ", "a value is missing" },
		{ "true true", "1:6: ", "unexpected text after" },
		{ "true)", "1:5: ", "unexpected text after" },
		{ "(true", "1:6: ", "\")\" is missing" },
		{ "true\n  && 1", "2:3: ", "'&&' applied to (bool, int)" },
		{ "1 || true", "1:3: ", "'||' applied to (int, bool)" },
		{ "!1", "1:1: ", "'!' applied to int" },
		{ "-1u == 1u", "1:1: ", "'-' applied to uint" },
		{ "-'a' == 'a'", "1:1: ", "'-' applied to string" },
		{ "'a' + b'b' == 'ab'", "1:5: ", "'+' applied to (string, bytes)" },
		{ "[1] + ['a'] == []", "1:5: ", "'+' applied to (list(int), list(string))" },
		{ "'a' - 'b' == 'ab'", "1:5: ", "'-' applied to (string, string)" },
		{ "{1: 2} + {2: 3} == {}",
		  "1:8: ", "'+' applied to (map(int, int), map(int, int))" },
		{ "dyn(true)", "1:1: ", "must be a bool, not a dyn" },
		{ "{'a': true}.a.b", "1:15: ", "a bool has no fields" },
		{ "{1: true}.a", "1:11: ", "a map(int, bool) has no fields" },
		{ "{1.5: true}[1.5]", "1:2: ", "a key of a map must be" },
		{ "{'a': 1}[1] == 1", "1:9: ", "'[' applied to (map(string, int), int)" },
		{ "{'a' 1} == {}", "1:6: ", "\":\" is missing" },
		{ "1 in {'a': 1}", "1:3: ", "'in' applied to (int, map(string, int))" },
		{ "disk.symlinks.filter(s, s)",
		  "1:25: ", "a condition must be a bool, not a string" },
		{ "disk.symlinks.map(s, s)", "1:15: ", "must be a bool, not a list(string)" },
		{ "disk.symlinks.map(s, s, s)", "1:22: ", "a condition must be a bool" },
		{ "disk.symlinks.filter(s, true, s)", "1:29: ", "\")\" is missing" },
		{ "type(1) == 1", "1:9: ", "'==' applied to (type, int)" },
		{ "bytes(1) == b'1'", "1:1: ", "bytes() does not take these" },
		{ "int(disk) == 1", "1:1: ", "int() does not take these" },
		{ "'''a'' == ''", "1:1: ", "unterminated string" },
		{ "b'\\u00e4' == b''", "1:3: ", "bytes have no code points" },
		{ "1.5 % 1.0 == 0.5", "1:5: ", "'%' applied to (double, double)" },
		{ "1 * 1u == 1", "1:3: ", "'*' applied to (int, uint)" },
		{ "1 in disk.symlinks", "1:3: ", "'in' applied to (int, list(string))" },
		{ "'a' in disk.model", "1:5: ", "'in' applied to (string, string)" },
		{ "disk.symlinks[0u] == ''", "1:14: ", "'[' applied to (list(string), uint)" },
		{ "disk.model[0] == ''", "1:11: ", "'[' applied to (string, int)" },
		{ "true ? 1 : 2u", "1:6: ", "not bool, int, uint" },
		{ "1 ? true : false", "1:3: ", "not int, bool, bool" },
		{ "true ? true", "1:12: ", "\":\" is missing" },
		{ "disk.size = 1u", "1:11: ", "write == for equal" },
		{ "true & true", "1:6: ", "write && for and" },
		{ "true | true", "1:6: ", "write || for or" },
		{ "true ; true", "1:6: ", "unexpected character" },
		{ "\xc3\xa4 == 1", "1:1: ", "unexpected character" },
		{ "disk.model == 'a", "1:15: ", "' is missing" },
		{ "disk.model == 'a\nb'", "1:15: ", "unterminated string" },
		{ "disk.model == r'\\", "1:15: ", "unterminated string" },
		{ "'\\q' == ''", "1:2: ", "unknown escape sequence" },
		{ "'\\x4' == ''", "1:2: ", "incomplete escape sequence" },
		{ "'\\u12' == ''", "1:2: ", "incomplete escape sequence" },
		{ "'\\08' == ''", "1:2: ", "incomplete escape sequence" },
		{ "'\\ud800' == ''", "1:2: ", "no character has this code point" },
		{ "'\\U00110000' == ''", "1:2: ", "no character has this code point" },
		{ "'\\", "1:2: ", "unknown escape sequence" },
		{ "12a == 12", "1:1: ", "contains a letter" },
		{ "0x == 0", "1:1: ", "contains a letter" },
		{ "1e == 1.0", "1:1: ", "contains a letter" },
		{ "1e301 == 1.0", "1:1: ", "too long or too large" },
		{ "18446744073709551616u == 0u", "1:1: ", "too large" },
		{ "9223372036854775808 == 0", "1:1: ", "too large for an int" },
		{ "-9223372036854775809 == 0", "1:2: ", "too large for an int" },
		{ "GiBs > 1u", "1:1: ", "undeclared" },
		{ "KB > 1u", "1:1: ", "undeclared" },
		{ "[,] == []", "1:2: ", "a value is missing" },
		{ "[1,,] == []", "1:4: ", "a value is missing" },
		{ "[1,] == 1", "1:6: ", "(list(int), int)" },
		{ "[1 == 1", "1:8: ", "\"]\" is missing" },
		{ "disk.model.starts_with('a')",
		  "1:12: ", "undeclared reference to \"starts_with()\"" },
		{ "disk.model.lowerAscii() == 'a'", "1:12: ", "undeclared" },
		{ "startsWith(disk.model, 'a')", "1:1: ", "undeclared" },
		{ "disk.model.glob('a')", "1:12: ", "undeclared" },
		{ "disk.model.startsWith(1)", "1:12: ", "startsWith() does not take these" },
		{ "disk.model.startsWith()", "1:12: ", "does not take these" },
		{ "disk.model.startsWith('a', 'b')", "1:12: ", "does not take these" },
		{ "glob('a', 'b', 'c', 'd')", "1:21: ", "too many arguments" },
		{ "size(1) == 1", "1:1: ", "size() does not take these" },
		{ "uint(true) == 1u", "1:1: ", "uint() does not take these" },
		{ "disk.model.(x)", "1:12: ", "a name is missing" },
		{ "has(disk.model == '')", "1:16: ", "has() needs a field" },
		{ "has(disk)", "1:5: ", "has() needs a field" },
		{ "disk.model.exists(s, true)", "1:12: ", "not a string" },
		{ "disk.symlinks.exists(1, true)", "1:22: ", "needs a name" },
		{ "disk.symlinks.exists(s)", "1:23: ", "\",\" is missing" },
		{ "disk.symlinks.exists(s, s)",
		  "1:25: ", "a condition must be a bool, not a string" },
		{ "disk.symlinks.exists(s, true) && s == ''", "1:34: ", "undeclared" },
		{ "[1].exists(a, [1].exists(b, [1].exists(c, [1].exists(d, [1].exists(e, true)))))",
		  "1:61: ", "nested too deeply" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_refused(MORTISE_E_CONFIG, rows[i].text, rows[i].place, rows[i].sentence);
}

/* Talos may accept these: for a partition, they are a notice only. */
static void test_unsupported(void **state)
{
	static const struct {
		const char *text;
		const char *place;
		const char *sentence;
	} rows[] = {
		{ "timestamp('2026-01-01T00:00:00Z') == timestamp('')",
		  "1:1: ", "timestamps and durations are not supported" },
		{ "duration('1h') == duration('60m')", "1:1: ", "are not supported" },
		{ "disk{size: 1u} == disk", "1:5: ", "messages are not supported" },
		{ "'a\\x00' == ''", "1:3: ", "NUL is not supported" },
		/* Patterns with different meanings in POSIX and RE2. */
		{ "disk.model.matches('[')", "1:20: ", "[ without ]" },
		{ "disk.model.matches('[[:alpha:')", "1:20: ", "[ without ]" },
		{ "disk.model.matches('(')", "1:20: ", "invalid regular expression" },
		{ "disk.model.matches('a\\\\')", "1:20: ", "invalid regular expression" },
		{ "disk.model.matches(r'\\d+')", "1:20: ", "write [0-9]" },
		{ "disk.model.matches(r'(a)\\1')", "1:20: ", "not supported" },
		{ "disk.model.matches(r'[\\]]')", "1:20: ", "a backslash between" },
		{ "disk.model.matches('[[.a.]]')", "1:20: ", "[. and [=" },
		{ "disk.model.matches('(?i)a')", "1:20: ", "(?...) and *?" },
		{ "disk.model.matches('a*?')", "1:20: ", "* + ? or { has nothing to repeat" },
		{ "disk.model.matches('a**')", "1:20: ", "nothing to repeat" },
		{ "disk.model.matches('*a')", "1:20: ", "nothing to repeat" },
		{ "disk.model.matches('a|*')", "1:20: ", "nothing to repeat" },
		{ "disk.model.matches('a{')", "1:20: ", "write {N}" },
		{ "disk.model.matches('a{,3}')", "1:20: ", "write {N}" },
		{ "disk.model.matches('a{1001}')", "1:20: ", "at most 1000" },
		{ "disk.model.matches('((a{40}){40}){2}')", "1:20: ", "at most 1000" },
		{ "disk.model.matches('a{99999999999999999999}')", "1:20: ", "write {N}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_refused(MORTISE_E_UNSUPPORTED, rows[i].text, rows[i].place,
			       rows[i].sentence);
}

/* Returns core with before repeated in front of it and after repeated behind it. */
static char *repeated(const char *before, const char *core, const char *after, size_t times)
{
	const size_t room = times * (strlen(before) + strlen(after)) + strlen(core) + 1;
	char *text = calloc(1, room);

	assert_non_null(text);
	for (size_t i = 0; i < times; i++)
		strcat(text, before);
	strcat(text, core);
	for (size_t i = 0; i < times; i++)
		strcat(text, after);
	return text;
}

static void assert_bound(const char *before, const char *core, const char *after, size_t most,
			 const char *sentence)
{
	struct mortise_error err = { .text = "" };
	char *text = repeated(before, core, after, most);

	assert_int_equal(result(text, &plain, &err), '1');
	free(text);
	text = repeated(before, core, after, most + 1);
	assert_int_equal(config_selector_check(text, &err), MORTISE_E_CONFIG);
	assert_non_null(strstr(err.text, sentence));
	free(text);
}

static void assert_pattern(size_t size, char expected)
{
	struct mortise_error err = { .text = "" };
	char text[512];
	const size_t before = strlen("disk.model.matches('");

	memset(text, 'a', sizeof(text));
	memcpy(text, "disk.model.matches('", before);
	snprintf(text + before + size, sizeof(text) - before - size, "')");
	assert_int_equal(result(text, &nvme, &err), expected);
}

static void test_bounds(void **state)
{
	(void)state;
	assert_pattern(256, '0');
	assert_pattern(257, '?');
	/* The expression itself is the first level. */
	assert_bound("(", "true", ")", 31, "nested brackets");
	assert_bound("!!", "true", "", 15, "too many operators");
	assert_bound("", "true", "||true", 127, "too deep");
	assert_bound(" ", "true", "", CONFIG_SELECTOR_MAX - 4, "longer than 2048 bytes");
}

/* Four nested loops over lists of 60 elements: 13 million steps, all of them necessary. */
static void test_step_limit(void **state)
{
	struct mortise_error err = { .text = "" };
	char list[256] = "[0", text[2048];

	(void)state;
	for (int i = 0; i < 59; i++)
		strcat(list, ",0");
	strcat(list, "]");
	snprintf(text, sizeof(text),
		 "%s.all(a, %s.all(b, %s.all(c, %s.all(d, a + b + c + d == 0))))", list, list, list,
		 list);
	assert_int_equal(result(text, &plain, &err), 'x');
	assert_non_null(strstr(err.text, "too many steps"));
	snprintf(text, sizeof(text), "%s.all(a, %s.all(b, disk.model.matches('(x{30}){30}')))",
		 list, list);
	assert_int_equal(result(text, &plain, &err), '0');
	snprintf(text, sizeof(text), "%s.all(a, %s.all(b, !disk.model.matches('(x{30}){30}')))",
		 list, list);
	assert_int_equal(result(text, &plain, &err), 'x');
	assert_non_null(strstr(err.text, "too many steps"));
}

/* A list of 2^40 items that takes 41 small lists; texts that are long together. */
static void test_memory_limit(void **state)
{
	struct mortise_error err = { .text = "" };
	char text[2048] = "[[1]]";

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(text, ".map(a,[a,a])");
	strcat(text, ".all(b, b == b)");
	assert_int_equal(result(text, &plain, &err), 'x');
	assert_non_null(strstr(err.text, "too many steps"));
	strcpy(text, "['a']");
	for (int i = 0; i < 17; i++)
		strcat(text, ".map(a,a+a)");
	strcat(text, ".size() == 1");
	assert_int_equal(result(text, &plain, &err), 'x');
	assert_non_null(strstr(err.text, "too much memory"));
	strcpy(text, "['aaaaaaaa'].map(a,a+a+a+a+a+a+a+a).map(a,a+a+a+a+a+a+a+a)");
	strcat(text, ".map(a,a+a+a+a+a+a+a+a).exists(t,[1,2,3,4,5,6,7,8,9].all(i,");
	strcat(text, "[1,2,3,4,5,6,7,8,9].all(j,!glob('*' + t + 'b', t))))");
	assert_int_equal(result(text, &plain, &err), 'x');
	assert_non_null(strstr(err.text, "too many steps"));
}

static void test_system_disk_unknown(void **state)
{
	struct disk_facts disk = nvme;
	struct mortise_error err = { .text = "" };

	(void)state;
	disk.system_known = false;
	assert_int_equal(result("!system_disk", &disk, &err), 'x');
	assert_string_equal(err.text, "1:2: the system disk is unknown: no disk has a "
				      "partition labeled META");
	assert_int_equal(err.code, MORTISE_E_CONFIG);
	assert_int_equal(result("disk.readonly && !system_disk", &disk, &err), '0');
	assert_int_equal(result("!system_disk && disk.readonly", &disk, &err), '0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unsupported),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_step_limit),
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_system_disk_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
