#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares docs/mortise-config.5 with the parser, and runs the examples of the documents.

    manual_config.py keys       each key that the parser accepts has an entry, and the reverse
    manual_config.py selectors  the same for the fields, units and functions of disk selectors
    manual_config.py examples   `mortise plan` brings up each example on empty files
    manual_config.py blocks FILE DIRECTORY
                                writes the blocks of code in a Markdown file or manual page to files
                                that are named after the heading, such as first-boot.2.sh

Several topics can be given, except for blocks. MORTISE is the program.
"""
import os
import re
import subprocess
import sys
import tempfile

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(TREE, "docs", "mortise-config.5")
MORTISE = os.path.realpath(os.environ["MORTISE"])
PROBE = "qqqqqqqqqq"
failed = 0


def result(good, what):
    global failed
    print("ok -" if good else "not ok -", what)
    failed += not good


def slurp(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def plan(work, text, *options):
    """Runs plan on a configuration. Returns the status and all output."""
    path = os.path.join(work, "config.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done = subprocess.run([MORTISE, "plan", "-f", path, *options], cwd=work, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, check=False)
    return done.returncode, done.stdout


# Keys. The parser lists the allowed keys when it meets an unknown one, so the test asks it for the
# keys of each mapping, and then whether each of these has a mapping or a list of mappings.

def nest(head, path, last):
    """YAML with the keys of path nested below head; "[]" is a list. last is alone in its line."""
    lines = list(head)
    indent = ""
    for key in path:
        if key == "[]":
            lines.append(indent + "-")
        else:
            lines.append(f"{indent}{key}:")
        indent += "  "
    lines.append(indent + last)
    return "\n".join(lines) + "\n", len(lines)


def allowed_keys(work, head, path):
    """The keys that the mapping at path may have; None if it is not a mapping that is read."""
    text, line = nest(head, path, PROBE + ": 1")
    _, output = plan(work, text)
    at_probe = [part for part in output.splitlines() if f"config.yaml:{line}:" in part]
    for message in at_probe:
        if "unknown key: no keys are allowed here" in message:
            return []
        found = re.search(r"unknown key; allowed here: (.*)", message)
        if found:
            return found.group(1).split(", ")
    return None


def walk(work, head, path, found):
    """Adds the path of each key below path that has no keys of its own."""
    keys = allowed_keys(work, head, path)
    if keys is None:
        keys = allowed_keys(work, head, path + ["[]"])
        path = path + ["[]"]
    if not keys:
        found.add(".".join(part for part in path if part != "[]"))
        return
    for key in keys:
        walk_key(work, head, path + [key], found)


def walk_key(work, head, path, found):
    # These appear in head: each document needs them.
    if len(path) == 1 and path[0] in ("apiVersion", "kind", "name", "version"):
        found.add(path[0])
    else:
        walk(work, head, path, found)


DOCUMENTS = {
    "VolumeConfig": ["apiVersion: v1alpha1", "kind: VolumeConfig", "name: EPHEMERAL"],
    "UserVolumeConfig": ["apiVersion: v1alpha1", "kind: UserVolumeConfig", "name: data"],
    "RawVolumeConfig": ["apiVersion: v1alpha1", "kind: RawVolumeConfig", "name: data"],
    "SwapVolumeConfig": ["apiVersion: v1alpha1", "kind: SwapVolumeConfig", "name: data"],
    "Machine configuration": ["version: v1alpha1"],
}
# Keys of machine that the parser reads; it ignores the others, so it cannot list them.
MACHINE = [["machine", "systemDiskEncryption"], ["machine", "install", "diskSelector"]]
MACHINE_KEYS = {"machine.install.disk"}


def parser_keys(work):
    """For each kind of document, the paths of its keys."""
    paths = {}
    for kind, head in DOCUMENTS.items():
        paths[kind] = set()
        walk(work, head, [], paths[kind])
        if kind == "Machine configuration":
            paths[kind].discard("machine")
            for path in MACHINE:
                walk(work, head, path, paths[kind])
            paths[kind] |= MACHINE_KEYS
    return paths


def page_entries(page):
    """For each subsection, its entries with what is in their parentheses."""
    entries = {}
    for name, body in re.findall(r"^\.S[sh] (.*)\n((?:(?!\.S[sh] ).*\n)*)", page, re.M):
        entries[name] = dict(re.findall(r"^\.It Li (\S+) Pq (.*)$", body, re.M))
    return entries


def find_entry(entries, section, path):
    """The section and entry that describe a path: exactly, or as the mapping around it."""
    for name, rest in [(section, path), ("All documents", path)] + [
            (".".join(path.split(".")[:i]), ".".join(path.split(".")[i:]))
            for i in range(path.count("."), 0, -1)]:
        if rest in entries.get(name, {}):
            return name, rest
    return None


def strings_of_tables():
    """The words in the tables of config/*.c: keys, and values that are words."""
    words = {}
    for name in sorted(os.listdir(os.path.join(TREE, "config"))):
        # The trust file has its own page; META's names are those of Go's structures.
        if not name.endswith(".c") or name.startswith(("trust", "state")):
            continue
        text = slurp(os.path.join(TREE, "config", name))
        tables = re.findall(r"\b(?:\w*names|yes|no|system_volumes|ciphers)\[[^\]]*\] = \{(.*?)\n?\t*\};",
                            text, re.S)
        for table in tables + re.findall(r"\.alias = (\".*?\")", text):
            for word in re.findall(r'"([^"\n]*)"', table):
                words[word] = name
    return words


def check_keys(work, page):
    entries = page_entries(page)
    used = set()
    for kind, paths in parser_keys(work).items():
        missing = []
        for path in sorted(paths):
            # The keys below STATE and EPHEMERAL are those of any encryption.
            inner = re.sub(r"^machine\.systemDiskEncryption\.(state|ephemeral)\.", "encryption.",
                           path)
            prefixes = {".".join(full.split(".")[:i]) for full in (path, inner)
                        for i in range(1, full.count(".") + 2)}
            used |= {find_entry(entries, kind, prefix) for prefix in prefixes}
            if not find_entry(entries, kind, inner):
                missing.append(path)
        result(paths and not missing, f"{kind}: each of {len(paths)} keys has an entry in the page"
               + (": missing " + ", ".join(missing) if missing else ""))
    described = [(section, entry, what) for section, some in entries.items()
                 if section not in ("Values", "Operators and functions")
                 for entry, what in some.items()]
    unknown = [f"{section}: {entry}" for section, entry, _ in described
               if (section, entry) not in used]
    result(len(described) > 40 and not unknown, f"each of {len(described)} entries is a key of the "
           "parser" + (": unknown " + ", ".join(unknown) if unknown else ""))
    vague = [f"{section}: {entry}" for section, entry, what in described
             if not re.search(r"default: |required|ignored|see each kind|empty", what)]
    result(not vague, "each entry has a default, or says that the key is required or ignored"
           + (": not " + ", ".join(vague) if vague else ""))
    words = strings_of_tables()
    known = set(re.findall(r"[\w/-]+", page))
    missing = [f"{word} ({name})" for word, name in words.items()
               if not set(re.findall(r"[\w/-]+", word)) <= known]
    result(len(words) > 60 and not missing, f"each of {len(words)} words in the tables of config/ "
           "is in the page" + (": missing " + ", ".join(missing) if missing else ""))


def check_selectors(_, page):
    names = slurp(os.path.join(TREE, "config", "selector", "cel_names.c"))
    calls = slurp(os.path.join(TREE, "config", "selector", "cel_call.c"))
    section = re.search(r"^\.Sh DISK SELECTORS\n(.*?)^\.Sh ", page, re.S | re.M).group(1)
    items = " ".join(re.findall(r"^\.It Li (.*)$", section, re.M))

    def compare(what, parser, manual):
        result(parser and set(parser) == set(manual),
               f"{what} of disk selectors" + "".join(
                   f": {text} {', '.join(sorted(some))}" for text, some in
                   (("not in the page", set(parser) - set(manual)),
                    ("not in the parser", set(manual) - set(parser))) if some))

    compare("fields", re.findall(r"FIELD\((\w+), [A-Z]", names), re.findall(r"disk\.(\w+) ", items))
    compare("units", re.findall(r'\{ "(\w+)", UINT64_C', names), re.findall(r"\b[kKMGTPE]i?B\b", items))
    compare("functions", re.findall(r'\{ "(\w+)",\s*CONFIG_CEL', calls) + ["has"],
            re.findall(r"(\w+)\(", items))


# Examples.

def unescape(text):
    """The characters of mdoc."""
    return text.replace(r"\(dq", '"').replace(r"\e", "\\").replace(r"\&", "").replace(r"\-", "-")


def examples(path):
    """(line, text) of each literal block in a page or of each block of YAML in Markdown."""
    text = slurp(path)
    pattern = (r"^```yaml\n(.*?)^```$" if path.endswith(".md")
               else r"^\.Bd -literal.*?\n(.*?)^\.Ed$")
    for found in re.finditer(pattern, text, re.S | re.M):
        yield (text.count("\n", 0, found.start()) + 2,
               found.group(1) if path.endswith(".md") else unescape(found.group(1)))


def user_volume(fragment):
    """STATE, and a user volume with some mappings."""
    return "apiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: example\n" + fragment


def complete(text):
    """The configuration of an example, which may show only mappings of a document."""
    if re.search(r"^kind: |^machine:", text, re.M):
        return text
    if re.match(r"(encryption|provisioning|filesystem|mount|trim|scrub|volumeType):", text):
        return user_volume(text)
    return None


def volumes(text):
    """The ids of the declared volumes."""
    ids = []
    for document in re.split(r"^---.*\n", text, flags=re.M):
        kind = re.search(r"^kind: (\w+)", document, re.M)
        name = re.search(r"^name: (\S+)", document, re.M)
        if re.search(r"^machine:", document, re.M):
            ids += [part.upper() for part in re.findall(r"^    (state|ephemeral):", document, re.M)]
        elif kind and name:
            prefix = {"VolumeConfig": "", "UserVolumeConfig": "u-", "RawVolumeConfig": "r-",
                      "SwapVolumeConfig": "s-"}.get(kind.group(1))
            if prefix is not None:
                ids.append(prefix + name.group(1))
    return list(dict.fromkeys(ids))


def check_example(work, text, *options):
    """True if plan brings up every volume of a configuration on empty files. Prints why not."""
    ids = volumes(text)
    devices = ["--device", "META=" + os.path.join(work, "META")]
    for name in ids:
        with open(os.path.join(work, name), "wb") as file:
            file.truncate(512 << 20)
        devices += ["--device", f"{name}={os.path.join(work, name)}"]
    status, output = plan(work, text, "--node-uuid", "8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815",
                          "--root", os.path.join(work, "root"), *devices, *options)
    planned = {line.split()[0] for line in output.splitlines()
               if re.match(r"\S+ +(mount|open|mkfs|wait) ", line)}
    # An unencrypted raw volume needs no step.
    missing = [name for name in ids if re.sub(r"^[urs]-", "", name) not in planned
               and not name.startswith("r-")]
    if status or missing or not ids:
        print(output.replace(work + "/", ""), "# not planned: ", missing, sep="")
        return False
    return True


def check_examples(work, page):
    os.mkdir(os.path.join(work, "root"))
    with open(os.path.join(work, "META"), "wb") as file:
        file.truncate(1 << 20)
    paths = [PAGE, os.path.join(TREE, "docs", "mortise.8"), os.path.join(TREE, "README.md"),
             os.path.join(TREE, "contrib", "README.md")]
    paths += [os.path.join(TREE, "docs", name) for name in sorted(os.listdir(os.path.join(TREE, "docs")))
              if name.endswith(".md")]
    count = 0
    for path in paths:
        for line, text in examples(path):
            where = f"{os.path.relpath(path, TREE)}:{line}"
            configuration = complete(text)
            if configuration:
                count += 1
                result(check_example(work, configuration), f"{where}: an example of a configuration")
            elif path == PAGE:
                result(False, f"{where}: the kind of this example is unknown")
    section = re.search(r"^\.Sh DISK SELECTORS\n(.*?)^\.Sh ", page, re.S | re.M).group(1)
    for text in map(unescape, re.findall(r"^\.Dl (.*)$", section, re.M)):
        count += 1
        result(check_example(work, user_volume(
            "volumeType: disk\nprovisioning:\n  diskSelector:\n    match: >-\n      " + text)),
               f"selector {text}")
    result(count >= 11, f"{count} examples found")
    # The check can fail: each mistake in an example that passes is an error.
    good = user_volume("encryption:\n  provider: luks2\n  keys:\n    - slot: 0\n      nodeID: {}\n")
    result(check_example(work, good), "the check accepts an example")
    for old, new in (("slot", "solt"), ("luks2", "luks3"), ("slot: 0", "slot: 32"),
                     ("UserVolumeConfig", "UserVolumesConfig")):
        with open(os.devnull, "w", encoding="utf-8") as null:
            said, sys.stdout = sys.stdout, null
            refused = not check_example(work, good.replace(old, new))
            sys.stdout = said
        result(refused, f"the check refuses {new}")


def headings_and_blocks(path):
    """(heading, None, None) or (None, language, text) of each heading and each block."""
    if path.endswith(".md"):
        pattern = r"^#+ ([^\n]*)$|^( *)```(\w+)\n(.*?)^\2```$"
        for title, indent, language, text in re.findall(pattern, slurp(path), re.S | re.M):
            yield title, language, re.sub("^" + indent, "", text, flags=re.M)
    else:
        pattern = r"^\.S[hs] ([^\n]*)$|^\.Bd -literal[^\n]*\n(.*?)^\.Ed$"
        for title, text in re.findall(pattern, slurp(path), re.S | re.M):
            yield title, "yaml" if complete(text) else "sh", unescape(text)


def write_blocks(path, directory):
    heading, count = "", 0
    for title, language, text in headings_and_blocks(path):
        if title:
            heading, count = re.sub(r"\W+", "-", title.lower()).strip("-"), 0
            continue
        count += 1
        with open(os.path.join(directory, f"{heading}.{count}.{language}"), "w",
                  encoding="utf-8") as file:
            file.write(text)


def main():
    if sys.argv[1:2] == ["blocks"] and len(sys.argv) == 4:
        write_blocks(*sys.argv[2:])
        return
    page = slurp(PAGE)
    topics = {"keys": check_keys, "selectors": check_selectors, "examples": check_examples}
    if not sys.argv[1:] or set(sys.argv[1:]) - set(topics):
        sys.exit(__doc__)
    for topic in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as work:
            topics[topic](work, page)
    sys.exit(failed != 0)


main()
