# SPDX-License-Identifier: MIT
"""Read the log of dm-log-writes, and derive what a power cut can leave of it."""
import random
import struct
import sys

# Linux, Documentation/admin-guide/device-mapper/log-writes.rst and drivers/md/dm-log-writes.c
MAGIC = 0x6a736677736872
FLUSH, DISCARD, MARK = 1, 4, 8
SECTOR = 512
FEW = 8


def entries(path):
    """Yield (flags, byte, bytes written or the text of a mark), in the order of completion."""
    with open(path, "rb") as log:
        magic, version, count, size = struct.unpack("<QQQI", log.read(28))
        if (magic, version) != (MAGIC, 1):
            sys.exit(f"{path} is not a log of dm-log-writes")
        at = size
        for _ in range(count):
            log.seek(at)
            sector, sectors, flags, length = struct.unpack("<QQQQ", log.read(32))
            at += size
            if flags & MARK:
                yield flags, 0, log.read(length)
                continue
            # The contents of a discarded area are undefined, so discards are not replayed.
            if flags & DISCARD:
                continue
            log.seek(at)
            yield flags, sector * SECTOR, log.read(sectors * SECTOR)
            at += sectors * SECTOR


def torn(write):
    """Yield the parts of a write that may have reached the disk, in whole sectors."""
    at, data = write
    half = len(data) // 2 // SECTOR * SECTOR
    if half:
        yield "first sector", (at, data[:SECTOR])
        yield "first half", (at, data[:half])
        yield "second half", (at + half, data[half:])


def cuts(writes):
    """Yield the sets of writes that may be on the disk before a flush has ended: any of them.

    A key's area consists of many writes; only some of them are cut one by one.
    """
    count = len(writes)
    step = 1 if count <= FEW else FEW
    for i in sorted({*range(0, count, step), count - 1}):
        for name, part in torn(writes[i]):
            yield f"{i} writes and the {name} of another", writes[:i] + [part]
        yield f"{i + 1} writes", writes[:i + 1]
        yield f"all but write {i}", writes[:i] + writes[i + 1:]
        yield f"only write {i}", [writes[i]]
    yield "even writes", writes[::2]
    yield "odd writes", writes[1::2]
    yield "last half", writes[count // 2:]
    for i in range(8):
        chosen = random.Random(i)
        yield f"some writes ({i})", [write for write in writes if chosen.random() < 0.5]
