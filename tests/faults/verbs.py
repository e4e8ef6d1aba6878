# SPDX-License-Identifier: MIT
"""The table of verbs: what each writes, and how the experiments run it. failing_calls.py and power_cuts.py
take their command lines from RUNS; reliability.py makes docs/reliability.md from VERBS.

MORTISE: the program."""
import os
import random
import subprocess
import sys

MORTISE = os.path.realpath(os.environ['MORTISE'])
CHEAP = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000']
SMALL = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '1m', '--offset', '4096']
OFFLINE = ['reencrypt', '-q', '--force-offline-reencrypt', '-d', 'old']
TEST = ['open', '--test-passphrase', '-d', 'old', 'image']
UUID = '12345678-1234-4234-8234-123456789abc'


class Run:
    """One command line of a verb on files. arguments; prepare: what makes the files. opens: key files of
    which one opens the volume at any moment; done: one that opens it after success. any_state: the data
    may be lost, as intended. reads: writes nothing, unless a copy of the header is damaged. status: of a
    run without failures. cuts: kind of the check after a power cut (replay_check.c), None without one;
    keys: key files of all keyslots; again: other statuses of the same command after a cut; every: only
    each such state, because a check takes long; unsealed: the seal may be broken meanwhile; handed: the file
    of a new key, which must be complete before its keyslot. fails: failing_calls.py tries it."""

    def __init__(self, name, arguments, prepare='one', opens=('old',), done='old', **more):
        self.name, self.arguments, self.prepare = name, arguments, prepare
        self.opens, self.done = opens, done
        self.verb = arguments[0]
        self.header = more.pop('header', 'image')
        self.data = more.pop('data', None)
        self.any_state = more.pop('any_state', False)
        self.silent = more.pop('silent', False)
        self.reads = more.pop('reads', False)
        self.status = more.pop('status', 0)
        self.cuts = more.pop('cuts', None if self.reads else 'opens')
        self.keys = more.pop('keys', opens)
        self.again = more.pop('again', ())
        self.every = more.pop('every', 1)
        self.unsealed = more.pop('unsealed', False)
        self.handed = more.pop('handed', None)
        self.fails = more.pop('fails', True)
        assert not more


RUNS = [
    Run('luksFormat', ['luksFormat', '-q', *CHEAP, *SMALL, 'image', 'old'], 'nothing', any_state=True,
        cuts='format', every=4),
    Run('luksFormat, over a header', ['luksFormat', '-q', *CHEAP, *SMALL, 'image', 'new'],
        opens=('old', 'new'), done='new', any_state=True, cuts='format', every=4,
        fails=False),
    Run('luksAddKey', ['luksAddKey', '-q', *CHEAP, '-d', 'old', 'image', 'new'], keys=('old', 'new')),
    Run('luksChangeKey', ['luksChangeKey', '-q', *CHEAP, '-d', 'old', 'image', 'new'],
        opens=('old', 'new'), done='new', again=(2,)),
    Run('luksConvertKey', ['luksConvertKey', '-q', *CHEAP, '--hash', 'sha512', '-d', 'old', 'image']),
    Run('luksRemoveKey', ['luksRemoveKey', '-q', 'image', 'new'], 'two', keys=('old', 'new'), again=(2,)),
    Run('luksKillSlot', ['luksKillSlot', '-q', 'image', '1', '-d', 'old'], 'two', keys=('old', 'new'),
        again=(1,)),
    Run('luksUUID', ['luksUUID', '-q', '--uuid', UUID, 'image']),
    Run('config', ['config', '--label', 'l', '--subsystem', 's', 'image']),
    Run('config --priority', ['config', '-S', '0', '--priority', 'prefer', 'image']),
    Run('token import', ['token', 'import', 'image', '--json-file', 'token']),
    Run('token remove', ['token', 'remove', 'image', '--token-id', '0'], 'token', again=(1,)),
    Run('token unassign', ['token', 'unassign', 'image', '--token-id', '0', '-S', '0'], 'token',
        again=(1,)),
    Run('enroll', ['enroll', 'image', '--recovery-key', '-d', 'old', '--recovery-file', 'rk'],
        keys=('old', 'rk'), handed='rk', again=(1, 5)),
    Run('seal', ['seal', '-q', 'image', '-d', 'old'], 'unsealed'),
    Run('repair', ['repair', '-q', 'image'], 'damaged'),
    Run('luksHeaderBackup', ['luksHeaderBackup', 'image', '--header-backup-file', 'backup'],
        cuts='backup', every=4, again=(1,)),
    Run('luksHeaderRestore', ['luksHeaderRestore', '-q', 'image', '--header-backup-file', 'backup'],
        'backup', opens=('old', 'new'), done='old', unsealed=True),
    Run('erase', ['erase', '-q', 'image'], any_state=True, done=None),
    Run('convert', ['convert', '-q', '--type', 'luks2', 'image'], 'luks1', again=(1,)),
    Run('convert, back', ['convert', '-q', '--type', 'luks1', 'image'], 'converted', again=(1,),
        fails=False),
    Run('reencrypt', [*OFFLINE, *CHEAP, 'image'], 'data', cuts='reencrypt', every=40),
    Run('reencrypt, with a journal', [*OFFLINE, *CHEAP, '--resilience', 'journal', '--hotzone-size', '256K',
                                      'image'], 'large sectors', cuts='reencrypt', every=40, fails=False),
    Run('reencrypt --encrypt', [*OFFLINE, *CHEAP, '--encrypt', '--luks2-keyslots-size', '512k', '--header',
                              'header', 'data'], 'nothing', any_state=True, header='header', data='data', cuts='encrypt', every=40),
    Run('reencrypt --decrypt', [*OFFLINE, '--decrypt', '--header', 'header', 'image'], 'data',
        any_state=True, done=None, header='header', data='image', cuts='decrypt', every=40),
    Run('open', TEST, reads=True),
    Run('open, a damaged copy', TEST, 'damaged', cuts='opens', fails=False),
    Run('open, the other copy', TEST, 'damaged second', cuts='opens', fails=False),
    Run('luksDump', ['luksDump', 'image'], reads=True),
    Run('isLuks', ['isLuks', 'image'], silent=True, reads=True),
    Run('check', ['check', 'image'], status=7, reads=True),
    Run('token export', ['token', 'export', 'image', '--token-id', '0'], 'token', reads=True),
]


def log(verb, experiment, states):
    """For docs/reliability.md."""
    path = os.environ.get('RELIABILITY_LOG')
    if path:
        with open(path, 'a', encoding='ascii') as file:
            file.write(f'{verb}\t{experiment}\t{states}\n')


def run(arguments, **variables):
    environment = {'PATH': os.environ['PATH'], 'HOME': '/', **variables}
    if variables:
        environment['LD_PRELOAD'] = os.path.realpath(os.environ['INTERPOSE'])
    return subprocess.run([MORTISE, *arguments], stdin=subprocess.DEVNULL, env=environment,
                          capture_output=True, timeout=120, check=False)


def must(*arguments):
    result = run(arguments)
    if result.returncode:
        sys.exit(f'{arguments}: status {result.returncode}: {result.stderr.decode()}')


def referee(*arguments):
    subprocess.run(['cryptsetup', *arguments], check=True)


def damage(offset):
    with open('image', 'r+b') as file:
        file.seek(offset)
        file.write(b'x')


def format_luks1():
    referee('luksFormat', '-q', '--type', 'luks1', '--pbkdf-force-iterations', '1000', 'image', 'old')


def prepare(kind):
    """Makes the initial files of this kind in the current directory."""
    size = {'nothing': 3 << 20, 'data': 3 << 20, 'large sectors': 3 << 20, 'luks1': 3 << 20, 'converted': 3 << 20}.get(
        kind, (2 << 20) + 4096)
    for name, text in ('old', 'secret'), ('new', 'another'):
        with open(name, 'w', encoding='ascii') as file:
            file.write(text)
    with open('token', 'w', encoding='ascii') as file:
        file.write('{"type":"foreign","keyslots":["0"]}')
    with open('image', 'wb') as file:
        file.truncate(size)
    if kind == 'nothing':
        with open('data', 'wb') as file:
            file.write(random.Random(1).randbytes(256 << 10))
        return
    if kind in ('luks1', 'converted'):
        format_luks1()
        if kind == 'converted':
            must('convert', '-q', '--type', 'luks2', 'image')
        return
    # Checksums tell apart only sectors that a cut does not tear.
    sector = '512' if kind == 'data' else '4096'
    must('luksFormat', '-q', *CHEAP, *SMALL, '--sector-size', sector, 'image', 'old')
    if kind == 'two':
        must('luksAddKey', '-q', *CHEAP, '-d', 'old', 'image', 'new')
    elif kind == 'token':
        must('token', 'import', 'image', '--json-file', 'token')
    elif kind == 'damaged':
        damage(5000)
    elif kind == 'damaged second':
        damage(16384 + 5000)
    elif kind == 'unsealed':
        referee('config', 'image', '--label', 'changed')
    elif kind == 'backup':
        must('luksHeaderBackup', 'image', '--header-backup-file', 'backup')
        must('luksChangeKey', '-q', *CHEAP, '-d', 'old', 'image', 'new')
