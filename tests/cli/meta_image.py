#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Independent implementation of META, from the published layouts: Talos's ADV (siderolabs/go-adv,
comment in adv/talos/talos.go) and syslinux's ADV (libinstaller/setadv.c, adv.h).

    meta_image.py make FILE [TAG=TEXT]... [old:TAG=TEXT]...
    meta_image.py show FILE
    meta_image.py vectors > ../vectors/meta_adv.h
"""
import hashlib
import struct
import sys

COPY = 256 * 1024


def copy_of(entries):
    data = b"".join(struct.pack(">II", tag, len(value)) + value for tag, value in entries)
    head, tail = struct.pack(">I", 0x5A4B3C2D), struct.pack(">I", 0xA5B4C3D2)
    body = head + data.ljust(COPY - 40, b"\0")
    assert len(body) == COPY - 36
    return body + hashlib.sha256(body + bytes(32) + tail).digest() + tail


def old_half(entries):
    data = b"".join(struct.pack("BB", tag, len(value)) + value for tag, value in entries)
    data = data.ljust(500, b"\0")
    total = sum(struct.unpack("<125I", data))
    return (struct.pack("<II", 0x5A2D2FA5, (0xA3041767 - total) & 0xFFFFFFFF) + data +
            struct.pack("<I", 0xDD28BF64))


def image_of(entries, old):
    copy = copy_of(entries)
    end = old_half(old) * 2 if old else bytes(1024)
    return copy * 2 + bytes(512 * 1024 - 1024) + end


def show_copy(name, copy):
    start, tail = copy[:-36], copy[-4:]
    good = (start[:4] == bytes.fromhex("5a4b3c2d") and tail == bytes.fromhex("a5b4c3d2") and
            hashlib.sha256(start + bytes(32) + tail).digest() == copy[-36:-4])
    print(name, "good" if good else "bad")
    at = 4
    while good and at + 8 <= len(start):
        tag, size = struct.unpack(">II", start[at:at + 8])
        if tag == 0:
            break
        assert at + 8 + size <= len(start)
        print(name, tag, start[at + 8:at + 8 + size].hex())
        at += 8 + size
    if good:
        print(name, "rest", "zero" if not any(start[at:]) else "not zero")


def show_half(name, half):
    words = struct.unpack("<128I", half)
    good = (words[0] == 0x5A2D2FA5 and words[127] == 0xDD28BF64 and
            (sum(words[1:127]) - 0xA3041767) & 0xFFFFFFFF == 0)
    print(name, "good" if good else "zero" if not any(half) else "bad")
    at = 8
    while good and half[at]:
        print(name, half[at], half[at + 2:at + 2 + half[at + 1]].hex())
        at += 2 + half[at + 1]


def show(image):
    assert len(image) == 1 << 20
    show_copy("A", image[:COPY])
    show_copy("B", image[COPY:2 * COPY])
    print("between", "zero" if not any(image[2 * COPY:-1024]) else "not zero")
    show_half("old", image[-1024:-512])
    show_half("older", image[-512:])


SOME = [(9, b"null"), (12, b""), (255, b"the last tag")]
OLD = [(6, b"A"), (9, b"from the older block"), (200, bytes(range(250)))]


def vectors():
    def text(name, value):
        digits = value.hex()
        print(f"static const char {name}[] =")
        lines = [digits[i:i + 84] for i in range(0, len(digits), 84)]
        print("\n".join(f'\t"{line}"' for line in lines) + ";")

    print("""/* SPDX-License-Identifier: MIT */
/*
 * META as written by tests/cli/meta_image.py, an independent implementation of the published
 * layouts: the entries of a copy and its SHA-256, and one half of the older block.
 */
#ifndef TESTS_VECTORS_META_ADV_H
#define TESTS_VECTORS_META_ADV_H
""")
    text("meta_adv_empty_sha256", copy_of([])[-36:-4])
    some = copy_of(SOME)
    text("meta_adv_some_entries", some[4:4 + sum(8 + len(v) for _, v in SOME)])
    text("meta_adv_some_sha256", some[-36:-4])
    print("/* Only tag 12, which fills the copy: 262096 times the letter x. */")
    text("meta_adv_full_sha256", copy_of([(12, b"x" * 262096)])[-36:-4])
    print("/* Tags 6, 9 and 200. */")
    text("meta_adv_old_half", old_half(OLD))
    print("/* The same without tag 9. */")
    text("meta_adv_old_less", old_half([OLD[0], OLD[2]]))
    print("\n#endif")


def pairs(words):
    for word in words:
        tag, value = word.split("=", 1)
        yield int(tag), value.encode()


def main(words):
    if words[0] == "make":
        new = [word for word in words[2:] if not word.startswith("old:")]
        old = [word[4:] for word in words[2:] if word.startswith("old:")]
        with open(words[1], "wb") as out:
            out.write(image_of(pairs(new), list(pairs(old))))
    elif words[0] == "show":
        with open(words[1], "rb") as image:
            show(image.read())
    else:
        vectors()


main(sys.argv[1:])
