# SPDX-License-Identifier: MIT
"""The keys of LUKS headers: area keys, derived by other implementations than mortise's, and volume keys."""
import base64
import ctypes
import hashlib
import json
import os
import struct
import subprocess
import tempfile


def derive(kdf, size, passphrase):
    """The area key, by other implementations than mortise's."""
    salt = base64.b64decode(kdf['salt'])
    if kdf['type'] == 'pbkdf2':
        return hashlib.pbkdf2_hmac(kdf['hash'], passphrase, salt, kdf['iterations'], size)
    key = ctypes.create_string_buffer(size)
    kind = {'argon2i': 1, 'argon2id': 2}[kdf['type']]
    argon2_hash = ctypes.CDLL('libargon2.so.1').argon2_hash
    u32, size_t, text = ctypes.c_uint32, ctypes.c_size_t, ctypes.c_char_p
    argon2_hash.argtypes = [u32, u32, u32, text, size_t, text, size_t, ctypes.c_void_p, size_t, text, size_t,
                            ctypes.c_int, u32]
    assert argon2_hash(kdf['time'], kdf['memory'], kdf['cpus'], passphrase, len(passphrase), salt, len(salt),
                       key, size, None, 0, kind, 0x13) == 0
    return key.raw


def read_keyslots(image):
    """The kdf and key size of each keyslot of a LUKS2 or LUKS1 header, or nothing."""
    with open(image, 'rb') as file:
        head = file.read(16384)
    if head[:6] != b'LUKS\xba\xbe':
        return
    if head[6:8] == b'\0\2':
        text = head[4096:].split(b'\0', 1)[0]
        # The header of the test of repair is damaged.
        slots = json.loads(text)['keyslots'].values() if text.startswith(b'{"keyslots"') else ()
        for slot in slots:
            if slot['type'] == 'luks2':
                yield slot['kdf'], slot['area']['key_size']
        return
    size, = struct.unpack('>I', head[108:112])
    for slot in range(8):
        active, iterations, salt = struct.unpack('>II32s', head[208 + 48 * slot:248 + 48 * slot])
        if active == 0x00ac71f3:
            yield {'type': 'pbkdf2', 'hash': head[72:104].split(b'\0')[0].decode(), 'iterations': iterations,
                   'salt': base64.b64encode(salt)}, size


class Keys:
    """Adds the keys of headers to secrets, once for each state of a header. passphrases: of its keyslots."""

    def __init__(self, mortise, passphrases):
        self.mortise, self.passphrases = mortise, dict(passphrases)
        self.known = {}

    def learn(self, secrets, paths):
        for path in paths:
            slots = list(read_keyslots(path))
            state = str(slots), len(self.passphrases)
            if not slots or self.known.get(path) == state:
                continue
            self.known[path] = state
            for name, passphrase in self.passphrases.items():
                for number, (kdf, size) in enumerate(slots):
                    secrets.add(f'area key {number} of {name} in {path}', derive(kdf, size, passphrase))
                volume_key = self.dump(path, passphrase)
                if volume_key:
                    secrets.add(f'volume key of {path}', volume_key)

    def dump(self, path, passphrase):
        with tempfile.TemporaryDirectory(prefix='mortise-keys.') as directory:
            with open(f'{directory}/passphrase', 'wb') as file:
                file.write(passphrase)
            done = subprocess.run([self.mortise, 'luksDump', '-q', '--dump-volume-key', '--volume-key-file',
                                   f'{directory}/key', '-d', f'{directory}/passphrase', path],
                                  capture_output=True, stdin=subprocess.DEVNULL, check=False)
            if done.returncode or not os.path.exists(f'{directory}/key'):
                return None
            with open(f'{directory}/key', 'rb') as file:
                return file.read()
