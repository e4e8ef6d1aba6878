#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keyslot areas of the disks in this directory. An area takes 250 KiB that do not compress; nearly
all of it is random. So only what opens it is kept, and the area is made again from that.

    area.py key HEADER SLOT                print the key of the area in hex; passphrase on stdin
    area.py place HEADER SLOT              print offset and size of the area in sectors
    area.py split HEADER SLOT VOLUME-KEY   write the area before its encryption

HEADER holds the first header copy. VOLUME-KEY is in hex. The result is an area as LUKS2 describes
it (specification 1.1.1, sections 2.4.1 and 3.2), with stripes that are the same each time.
"""
import base64
import ctypes
import hashlib
import json
import struct
import sys


def keyslot_of(path, slot):
    with open(path, "rb") as header:
        copy = header.read(16384)
    return json.loads(copy[4096:].rstrip(b"\0"))["keyslots"][slot]


def area_key(keyslot, passphrase):
    """Argon2id by the reference library."""
    kdf = keyslot["kdf"]
    assert kdf["type"] == "argon2id"
    salt = base64.b64decode(kdf["salt"])
    key = ctypes.create_string_buffer(keyslot["area"]["key_size"])
    failed = ctypes.CDLL("libargon2.so.1").argon2id_hash_raw(
        ctypes.c_uint32(kdf["time"]), ctypes.c_uint32(kdf["memory"]), ctypes.c_uint32(kdf["cpus"]),
        passphrase, ctypes.c_size_t(len(passphrase)), salt, ctypes.c_size_t(len(salt)),
        key, ctypes.c_size_t(len(key)))
    assert not failed
    return key.raw


def diffuse(name, block):
    size = hashlib.new(name).digest_size
    pieces = [block[at:at + size] for at in range(0, len(block), size)]
    return b"".join(hashlib.new(name, struct.pack(">I", number) + piece).digest()[:len(piece)]
                    for number, piece in enumerate(pieces))


def exclusive_or(first, second):
    return bytes(a ^ b for a, b in zip(first, second))


def split(keyslot, volume_key):
    size, stripes = len(volume_key), keyslot["af"]["stripes"]
    random = hashlib.shake_256(volume_key + b"stripes").digest(size * (stripes - 1))
    total = bytes(size)
    for at in range(0, len(random), size):
        total = diffuse(keyslot["af"]["hash"], exclusive_or(total, random[at:at + size]))
    return random + exclusive_or(total, volume_key)


def main(verb, path, slot, *arguments):
    keyslot = keyslot_of(path, slot)
    area = keyslot["area"]
    assert area["encryption"] == "aes-xts-plain64"
    if verb == "key":
        print(area_key(keyslot, sys.stdin.buffer.read()).hex())
    elif verb == "place":
        print(int(area["offset"]) // 512, int(area["size"]) // 512)
    elif verb == "split":
        sys.stdout.buffer.write(split(keyslot, bytes.fromhex(arguments[0])))


main(*sys.argv[1:])
