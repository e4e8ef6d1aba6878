#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A second implementation of the seal of docs/formats.md, with Python's own JSON, HMAC and HKDF.

seal_referee.py check IMAGE KEY      compare the seal of a header with the one computed here
seal_referee.py make IMAGE KEY [ID]  print the JSON of the header with a seal computed here

KEY is a file with the volume key. ID is the id of the declared volume.
"""

import base64
import hmac
import json
import re
import sys

PARTS = ("UUID", "segments", "digests", "keyslots", "tokens", "flags", "requirements", "record")
SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


class Number(str):
    """A number with a fraction or an exponent: its text."""


def read(image):
    """Return the UUID and the JSON of the first header copy. Bytes that are not UTF-8 are kept."""
    with open(image, "rb") as file:
        binary = file.read(4096)
        assert binary[:6] == b"LUKS\xba\xbe"
        text = file.read(int.from_bytes(binary[8:16], "big") - 4096)
    uuid = binary[168:208].split(b"\0")[0]
    text = text.split(b"\0")[0].decode("utf-8", "surrogateescape")
    return uuid, json.loads(text, parse_float=Number)


def string(value):
    """A JSON string as json-c writes it: UTF-8, and only the necessary escapes."""
    # A surrogate that an escape has left alone; one half of 0xdc80 to 0xdcff is a byte of its own.
    value = re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", value)
    text = "".join(SHORT.get(c, f"\\u{ord(c):04x}" if c < " " else c) for c in value)
    return b'"' + text.encode("utf-8", "surrogateescape") + b'"'


def canonical(value):
    """C(x), as bytes."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-8", "surrogateescape"))
        members = (string(name) + b":" + canonical(value[name]) for name in names)
        return b"{" + b",".join(members) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, Number):
        return value.encode()
    if isinstance(value, str):
        return string(value)
    return json.dumps(value).encode()  # null, true, false or an integer


def hkdf(key, info):
    """HKDF-SHA-256 without a salt; 32 bytes are one block."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")


def compute(uuid, metadata, volume_key):
    """Return the members of the seal for a header whose seal has been taken out."""
    key = hkdf(volume_key, b"mortise seal 1")

    def mac(*texts):
        return hmac.digest(key, b"\0".join(texts), "sha256")

    config = metadata["config"]
    texts = [uuid]
    texts += [canonical(metadata.get(name)) for name in PARTS[1:5]]
    texts += [canonical(config.get(name)) for name in ("flags", "requirements", "mortise")]
    parts = [mac(name.encode(), b"", text)[:8] for name, text in zip(PARTS, texts)]
    return {
        "all": base64.b64encode(mac(b"all", uuid, canonical(metadata))).decode(),
        "parts": base64.b64encode(b"".join(parts)).decode(),
    }


def differences(stored, computed):
    """The names of the members and parts that are not equal."""
    if set(stored) != {"all", "parts"}:
        yield "members"
    if stored["all"] != computed["all"]:
        yield "all"
    stored, computed = (base64.b64decode(seal["parts"]) for seal in (stored, computed))
    if len(stored) != 64:
        yield "size of parts"
    for i, name in enumerate(PARTS):
        if stored[8 * i : 8 * i + 8] != computed[8 * i : 8 * i + 8]:
            yield name


def main():
    verb, image, key_file, *rest = sys.argv[1:]
    with open(key_file, "rb") as file:
        volume_key = file.read()
    uuid, metadata = read(image)
    record = metadata["config"].setdefault("mortise", {"version": 1})
    stored = record.pop("seal", None)
    if verb == "check":
        wrong = list(differences(stored, compute(uuid, metadata, volume_key)))
        print("differs: " + ", ".join(wrong) if wrong else "equal")
        sys.exit(bool(wrong))
    record["epoch"] = str(int(record.get("epoch", "0")) + 1)
    if rest:
        record["volume"] = rest[0]
    record["seal"] = compute(uuid, metadata, volume_key)
    sys.stdout.buffer.write(canonical(metadata))


main()
