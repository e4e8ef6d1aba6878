#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads Prometheus's text exposition format 0.0.4 strictly, written from its specification, and
prints the samples as JSON: [{"name": ..., "labels": {...}, "value": ...}, ...]."""
import json
import re
import sys

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
UNITS = ("_ms", "_milliseconds", "_minutes", "_hours", "_kib", "_kb", "_mib", "_mb", "_sectors")


def fail(number, why):
    sys.exit(f"line {number}: {why}")


def read_label_value(number, text, at):
    """Reads from behind the opening quote to behind the closing one."""
    value = ""
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            at += 1
            if at == len(text) or text[at] not in '\\"n':
                fail(number, "unknown escape in a label value")
            value += "\n" if text[at] == "n" else text[at]
        else:
            value += text[at]
        at += 1
    if at == len(text):
        fail(number, "a label value without its closing quote")
    return value, at + 1


def read_labels(number, text, at):
    """Reads from behind the opening brace to behind the closing one."""
    labels = {}
    while text[at:at + 1] != "}":
        match = LABEL.match(text, at)
        if not match or text[match.end():match.end() + 2] != '="':
            fail(number, "a label is not name=\"value\"")
        name = match.group()
        if name in labels or name.startswith("__"):
            fail(number, f"label {name} is repeated or reserved")
        labels[name], at = read_label_value(number, text, match.end() + 2)
        if text[at:at + 1] == ",":
            at += 1
        elif text[at:at + 1] != "}":
            fail(number, "no comma between labels")
    return labels, at + 1


def read(text):
    if text and not text.endswith("\n"):
        sys.exit("the last line has no newline")
    types, helps, samples, closed, current = {}, set(), [], set(), None
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if any(ord(c) < 32 for c in line):
            fail(number, "control character")
        comment = re.fullmatch(r"# (HELP|TYPE) (\S+) (.*)", line)
        match = NAME.match(line)
        if comment:
            what, name, rest = comment.groups()
            if not NAME.fullmatch(name):
                fail(number, "invalid name")
            if name in closed or (what == "TYPE" and name in types) or (what == "HELP" and name in helps):
                fail(number, f"{what} of {name} is repeated, or comes behind another metric")
            if what == "TYPE":
                if rest not in ("counter", "gauge", "histogram", "summary", "untyped"):
                    fail(number, f"unknown type {rest}")
                types[name] = rest
            else:
                if not rest.strip() or re.search(r"\\(?![\\n])", rest):
                    fail(number, "no help, or an unknown escape in it")
                helps.add(name)
        elif match:
            name, at, labels = match.group(), match.end(), {}
            if line[at:at + 1] == "{":
                labels, at = read_labels(number, line, at + 1)
            words = line[at:].split()
            if line[at:at + 1] not in (" ", "\t") or len(words) != 1:
                fail(number, "not one value behind the name; the textfile collector refuses time stamps")
            samples.append({"name": name, "labels": labels, "value": float(words[0])})
        else:
            fail(number, "neither HELP, TYPE nor a sample")
        if name != current:
            closed.add(current)
            current = name
            if name in closed:
                fail(number, f"the lines of {name} are not together")
        if match and not comment and (name not in types or name not in helps):
            fail(number, f"{name} has a sample before its HELP and TYPE")
        if name.endswith(UNITS):
            fail(number, f"{name} has no base unit")
    series = [(s["name"], tuple(sorted(s["labels"].items()))) for s in samples]
    if len(set(series)) != len(series):
        sys.exit("a series is repeated")
    empty = set(types) - {s["name"] for s in samples}
    if empty:
        sys.exit(f"no samples: {sorted(empty)}")
    return samples


if __name__ == "__main__":
    json.dump(read(sys.stdin.buffer.read().decode("utf-8", "strict")), sys.stdout)
