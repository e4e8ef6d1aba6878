# SPDX-License-Identifier: MIT
"""Reads a LUKS1 or LUKS2 header without mortise or cryptsetup, for tests that compare what they did."""
import base64
import ctypes
import ctypes.util
import functools
import hashlib
import json
import struct

BINARY_SIZE = 4096
MAGIC = (b'LUKS\xba\xbe', b'SKUL\xba\xbe')
STRIPES = 4000
SECTOR = 512

_crypto = ctypes.CDLL(ctypes.util.find_library('crypto') or 'libcrypto.so.3')
for _name in 'EVP_CIPHER_CTX_new', 'EVP_aes_256_xts', 'EVP_aes_128_xts':
    getattr(_crypto, _name).restype = ctypes.c_void_p
_crypto.EVP_CipherInit_ex.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_char_p] * 2 + [ctypes.c_int]
_crypto.EVP_CipherUpdate.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_char_p,
                                     ctypes.c_int]
_crypto.EVP_CIPHER_CTX_free.argtypes = [ctypes.c_void_p]


def decrypt(key, data, first_sector=0, sector_size=SECTOR):
    """AES-XTS with the IVs of plain64, which count sectors of 512 bytes."""
    cipher = {64: _crypto.EVP_aes_256_xts, 32: _crypto.EVP_aes_128_xts}[len(key)]()
    context = _crypto.EVP_CIPHER_CTX_new()
    out = ctypes.create_string_buffer(sector_size + 32)
    length = ctypes.c_int()
    plain = []
    for at in range(0, len(data), sector_size):
        number = first_sector + at // SECTOR
        _crypto.EVP_CipherInit_ex(context, cipher, None, key, struct.pack('<QQ', number, 0), 0)
        _crypto.EVP_CipherUpdate(context, out, ctypes.byref(length), data[at:at + sector_size], sector_size)
        plain.append(out.raw[:sector_size])
    _crypto.EVP_CIPHER_CTX_free(context)
    return b''.join(plain)


def _merge(split, key_size, hash_name):
    """The key of an area written by LUKS's anti-forensic splitter."""
    new, number = getattr(hashlib, hash_name), int.from_bytes
    size = new().digest_size
    parts = [(struct.pack('>I', at // size), at, min(size, key_size - at)) for at in range(0, key_size, size)]
    block = number(split[:key_size], 'big')
    for at in range(key_size, key_size * STRIPES, key_size):
        old = block.to_bytes(key_size, 'big')
        spread = b''.join([new(prefix + old[start:start + length]).digest()[:length]
                           for prefix, start, length in parts])
        block = number(spread, 'big') ^ number(split[at:at + key_size], 'big')
    return block.to_bytes(key_size, 'big')


@functools.lru_cache(maxsize=4096)
def _open_area(passphrase, kdf, area, key_size, area_key_size, af_hash):
    area_key = hashlib.pbkdf2_hmac(kdf[0], passphrase, kdf[1], kdf[2], area_key_size)
    return _merge(decrypt(area_key, area)[:key_size * STRIPES], key_size, af_hash)


@functools.lru_cache(maxsize=4096)
def _digest(hash_name, key, salt, iterations, size):
    return hashlib.pbkdf2_hmac(hash_name, key, salt, iterations, size)


class Copy:
    """One LUKS2 header copy of bytes: valid, sequence, json, label, subsystem, uuid."""

    def __init__(self, image, offset, secondary):
        self.valid = False
        raw = image[offset:offset + BINARY_SIZE]
        if len(raw) < BINARY_SIZE or raw[:6] != MAGIC[secondary] or raw[6:8] != b'\0\2':
            return
        self.size, self.sequence = struct.unpack('>QQ', raw[8:24])
        if self.size not in (16384 << n for n in range(9)):
            return
        copy = bytearray(image[offset:offset + self.size])
        stored, copy[448:512] = bytes(copy[448:480]), bytes(64)
        if struct.unpack('>Q', raw[256:264])[0] != offset or hashlib.sha256(copy).digest() != stored:
            return
        self.label, self.subsystem = _text(raw[24:72]), _text(raw[208:256])
        self.uuid = _text(raw[168:208])
        self.text = bytes(copy[BINARY_SIZE:]).split(b'\0')[0]
        self.json = json.loads(self.text)
        self.valid = True


def _text(raw):
    return raw.split(b'\0')[0].decode()


class Luks:
    """A header in an image. version: 0 without a header. whole: both copies are valid and equal."""

    def __init__(self, path):
        with open(path, 'rb') as file:
            self.image = file.read()
        self.version, self.whole = 0, False
        if self.image[:8] == MAGIC[0] + b'\0\1':
            self._read_luks1()
            return
        first = Copy(self.image, 0, 0)
        sizes = [first.size] if first.valid else [16384 << n for n in range(9)]
        second = next((copy for copy in (Copy(self.image, size, 1) for size in sizes) if copy.valid), first)
        copies = [copy for copy in (first, second) if copy.valid]
        if not copies:
            return
        copy = max(copies, key=lambda copy: copy.sequence)
        self.version = 2
        self.whole = first.valid and second is not first and first.sequence == second.sequence and \
            first.text == second.text
        self.sequence, self.label, self.subsystem = copy.sequence, copy.label, copy.subsystem
        self.uuid, self.json = copy.uuid, copy.json

    def _read_luks1(self):
        raw = self.image
        self.version, self.whole = 1, True
        self.cipher, self.hash = _text(raw[8:40]) + '-' + _text(raw[40:72]), _text(raw[72:104])
        self.payload, self.key_size = struct.unpack('>II', raw[104:112])
        self.digest, self.salt = raw[112:132], raw[132:164]
        self.iterations = struct.unpack('>I', raw[164:168])[0]
        self.uuid = _text(raw[168:208])
        self.slots = {}
        for number in range(8):
            at = 208 + 48 * number
            active, iterations = struct.unpack('>II', raw[at:at + 8])
            offset = struct.unpack('>I', raw[at + 40:at + 44])[0]
            if active == 0x00AC71F3:
                self.slots[number] = (iterations, raw[at + 8:at + 40], offset * SECTOR)

    def keyslots(self):
        return sorted(self.slots if self.version == 1 else map(int, self.json['keyslots']))

    def digest_of(self, keyslot):
        """The id of the digest of a LUKS2 keyslot, or None."""
        return next((number for number, digest in self.json['digests'].items()
                     if str(keyslot) in digest['keyslots']), None)

    def open(self, keyslot, passphrase):
        """The key in a keyslot with PBKDF2, or None."""
        if self.version == 1:
            return self._open_luks1(keyslot, passphrase)
        slot = self.json['keyslots'][str(keyslot)]
        number = self.digest_of(keyslot)
        if slot['type'] != 'luks2' or slot['kdf']['type'] != 'pbkdf2' or number is None:
            return None
        kdf, area, digest = slot['kdf'], slot['area'], self.json['digests'][number]
        offset = int(area['offset'])
        key = _open_area(passphrase, (kdf['hash'], base64.b64decode(kdf['salt']), kdf['iterations']),
                         self.image[offset:offset + -(-slot['key_size'] * STRIPES // SECTOR) * SECTOR],
                         slot['key_size'], area['key_size'], slot['af']['hash'])
        wanted = base64.b64decode(digest['digest'])
        made = _digest(digest['hash'], key, base64.b64decode(digest['salt']), digest['iterations'], len(wanted))
        return key if made == wanted else None

    def _open_luks1(self, keyslot, passphrase):
        iterations, salt, offset = self.slots[keyslot]
        area = self.image[offset:offset + -(-self.key_size * STRIPES // SECTOR) * SECTOR]
        key = _open_area(passphrase, (self.hash, salt, iterations), area, self.key_size, self.key_size,
                         self.hash)
        made = _digest(self.hash, key, self.salt, self.iterations, 20)
        return key if made == self.digest else None

    def data(self, keys, size=None):
        """The decrypted data, with keys by digest (LUKS1: None). None: no key for one of the segments."""
        if self.version == 1:
            segments = [{'type': 'crypt', 'offset': self.payload * SECTOR, 'size': 'dynamic', 'iv_tweak': 0,
                         'sector_size': SECTOR, 'digest': None}]
        else:
            segments = []
            for number, segment in sorted(self.json['segments'].items(), key=lambda pair: int(pair[0])):
                digest = next((name for name, digest in self.json['digests'].items()
                               if number in digest['segments']), None)
                if 'backup' not in str(segment.get('flags')):
                    segments.append({**segment, 'digest': digest})
        plain = []
        for segment in segments:
            offset = int(segment['offset'])
            end = len(self.image) if segment['size'] == 'dynamic' else offset + int(segment['size'])
            part = self.image[offset:end]
            if segment['type'] == 'crypt':
                if segment['digest'] not in keys:
                    return None
                part = decrypt(keys[segment['digest']], part, int(segment['iv_tweak']), segment['sector_size'])
            plain.append(part)
        return b''.join(plain)[:size]
