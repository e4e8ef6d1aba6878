# SPDX-License-Identifier: MIT
"""The table of verbs: what each writes, what must hold after a cut, and how the experiments run it.
failing_calls.py and power_cuts.py take their command lines from RUNS; reliability.py makes
docs/reliability.md from VERBS.

MORTISE: the program."""
import os
import random
import subprocess
import sys

MORTISE = os.path.realpath(os.environ.get('MORTISE', 'mortise'))
CHEAP = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000']
SMALL = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '1m', '--offset', '4096']
OFFLINE = ['reencrypt', '-q', '--force-offline-reencrypt', '-d', 'old']
TEST = ['open', '--test-passphrase', '-d', 'old', 'image']
UUID = '12345678-1234-4234-8234-123456789abc'


HEADER = 'one header copy after the other; key areas first'
KEYS = 'each keyslot opens, for the same volume key; the next command repairs both copies'
# Why a verb lacks an experiment.
REASONS = {
    'reads': 'it writes to no disk',
    'kernel': 'it changes only mappings and mounts',
    'parts': 'it runs the code of other verbs, which are tested; guests test how it joins them',
    'devices': 'it needs block devices, which the experiment has not',
    'file': 'it replaces one file in a mounted file system by rename(2) after a flush',
    'other': 'another experiment in this row makes these cuts',
    'refused': 'the verb of cryptsetup is refused by name',
    'lacks': 'this experiment does not cover it',
}


class Verb:
    """writes: to disks; None: nothing. holds: after a cut at any moment. why: reasons (REASONS) by
    experiment; '*': of all others that have no number."""

    def __init__(self, writes, holds, fuzzers='', **why):
        self.writes, self.holds, self.fuzzers, self.why = writes, holds, fuzzers, why

    def reason(self, experiment):
        reason = self.why.get(experiment, self.why.get('any'))
        return 'lacks' if reason != 'refused' and experiment in ('pairs', 'soak', 'secrets') else reason


def reads(fuzzers=''):
    return Verb(None, '', fuzzers, any='reads')


def mapping(fuzzers=''):
    return Verb(None, '', fuzzers, any='kernel')


def on_header(holds=KEYS, fuzzers='header', **why):
    return Verb(HEADER, holds, fuzzers, any='other', **why)


# The verbs of cli/verbs.c.
VERBS = {
    'open': Verb('a damaged header copy; flags with --persistent', KEYS, 'header, luks1, tokens, tpm, kms',
                 any='other'),
    'close': mapping('dm'),
    'status': Verb(None, '', 'dm, state', any='reads'),
    'refresh': Verb('flags in the header, with --persistent', KEYS, 'header, dm', any='parts'),
    'resize': mapping('dm'),
    'luksSuspend': mapping('dm'),
    'luksResume': mapping('dm'),
    'luksFormat': on_header('no header, an unfinished one, or a new one that opens'),
    'luksAddKey': on_header(),
    'luksRemoveKey': on_header(),
    'luksChangeKey': on_header('the old or the new passphrase opens; both copies are repaired'),
    'luksConvertKey': on_header(),
    'luksKillSlot': on_header(),
    'luksUUID': on_header(),
    'isLuks': reads('header, luks1'),
    'luksDump': reads('header, luks1'),
    'erase': on_header('each keyslot that is left opens'),
    'repair': on_header(),
    'check': reads('header'),
    'luksHeaderBackup': Verb('a new file, its header copies last', 'the file is complete or no backup',
                             'header', any='other'),
    'luksHeaderRestore': on_header('the old or the restored header, with all its keyslots'),
    'config': on_header(),
    'convert': on_header('a LUKS1 or a LUKS2 header that each passphrase opens', 'luks1'),
    'token': on_header(fuzzers='tokens'),
    'enroll': on_header(KEYS + '; a recovery key is in its file before its keyslot exists', 'tokens, tpm, kms'),
    'seal': on_header(),
    'attach': mapping('dm'),
    'detach': mapping('dm'),
    'apply': Verb('partitions, headers, file systems, META, config.yaml', 'the next run finishes',
                  'config, selector, trust, state, meta', any='parts', calls='devices'),
    'plan': reads('config, selector, trust, known, sysfs'),
    'up': Verb('headers, file systems, partitions', 'the next run brings the volumes to the declared state; '
               'no key is lost', 'config, trust, known, state, sysfs', any='parts', calls='devices'),
    'grow': Verb('partition table, size of the file system', 'the old or the new table, of which no copy is '
                 'lost', 'config, sysfs', any='other', replay='devices', calls='devices'),
    'down': mapping('config'),
    'continue': Verb('data and header, zone by zone', 'continues; all data is there', 'header', any='parts',
                     replay='devices', calls='devices'),
    'trim': Verb('the time in STATE', 'the old or the new time', 'config', any='file', calls='devices'),
    'reset': Verb('marks, keys, both ends, signatures', 'the old volume, or one that is being reset; it never '
                  'opens again', 'config, meta', any='other'),
    'meta': Verb('both copies of META, in turn', 'the old values or the new ones', 'meta', any='other'),
    'benchmark': reads('arguments'),
    'reencrypt': Verb('data and header, zone by zone', 'continues; all data is there', 'header', any='other'),
    'tcryptDump': Verb(None, '', any='refused'),
    'bitlkDump': Verb(None, '', any='refused'),
    'fvault2Dump': Verb(None, '', any='refused'),
}


class Run:
    """One command line of a verb on files. arguments; prepare: what makes the files. opens: key files of
    which one opens the volume at any moment; done: one that opens it after success. any_state: the data
    may be lost, as intended. reads: writes nothing, unless a copy of the header is damaged. status: of a
    run without failures. cuts: kind of the check after a power cut (replay_check.c), None without one;
    keys: key files of all keyslots; again: other statuses of the same command after a cut; every: only
    each such state, because a check takes long; unsealed: the seal may be broken meanwhile; handed: the file
    of a new key, which must be complete before its keyslot. fails: failing_calls.py tries it.
    tolerates: libblkid does not tolerate EINTR, which a disk never returns, nor a process a pipe that
    takes half a word."""

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
        self.tolerates = more.pop('tolerates', ('short', 'eintr'))
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
    Run('luksHeaderRestore, an area moves', ['luksHeaderRestore', '-q', 'image', '--header-backup-file',
                                             'backup'],
        'backup in the way', opens=('old', 'new'), done='old', unsealed=True, fails=False),
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
    Run('meta set', ['meta', 'set', '12', 'token', '--device', 'META=image'], 'meta', any_state=True,
        done=None, cuts='meta', tolerates=()),
    Run('meta delete', ['meta', 'delete', '6', '--device', 'META=image'], 'meta', any_state=True,
        done=None, cuts='meta', fails=False),
    Run('reset', ['reset', '--yes', 'data', '--device', 'data=image'], any_state=True, done=None, cuts=None,
        tolerates=('short',)),
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


def supports(verb):
    """Does the build have this verb?"""
    return b'is not supported by this version' not in run([verb]).stderr


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
    large = 'nothing', 'data', 'large sectors', 'luks1', 'converted'
    size = 3 << 20 if kind in large else 1 << 20 if kind == 'meta' else (2 << 20) + 4096
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
    if kind == 'meta':
        must('meta', 'set', '12', 'old', '--device', 'META=image')
        must('meta', 'set', '6', 'new', '--device', 'META=image')
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
    elif kind.startswith('backup'):
        must('luksHeaderBackup', 'image', '--header-backup-file', 'backup')
        must('luksChangeKey', '-q', *CHEAP, '-d', 'old', 'image', 'new')
    # The area of the first keyslot is in use again.
    if kind == 'backup in the way':
        must('luksChangeKey', '-q', *CHEAP, '-d', 'new', 'image', 'new')
