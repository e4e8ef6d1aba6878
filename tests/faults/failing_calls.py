#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes each system call and each allocation of each verb fail, once or from then on, on image files. The
program must not crash, must print the reason, and afterwards the volume must open with its old or new key.

MORTISE: the program. INTERPOSE: the library of interpose.c. FAULTS=all: each failure, and many of
other libraries' allocations; otherwise a sample of both, which FAULT_SEED selects. Arguments: names of
verbs; without them, all."""
import os
import random
import re
import signal
import subprocess
import sys
import tempfile

MORTISE = os.path.realpath(os.environ['MORTISE'])
INTERPOSE = os.path.realpath(os.environ['INTERPOSE'])
ALL = os.environ.get('FAULTS') == 'all'
SEED = int(os.environ.get('FAULT_SEED', '1'))
SAMPLE = 16
LIBRARY_SAMPLE = 5
CHEAP = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000']
SMALL = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '1m', '--offset', '4096']
OFFLINE = ['reencrypt', '-q', '--force-offline-reencrypt', '-d', 'old']
IMAGES = ('image', 'header', 'data', 'backup')


class Verb:
    """arguments; prepare: commands that make the files. opens: key files of which one opens image at any
    moment; done: one that opens it after success. any_state: the data may be lost, as intended.
    reads: writes nothing. status: of a run without failures."""

    def __init__(self, name, arguments, prepare='one', opens=('old',), done='old', **more):
        self.name, self.arguments, self.prepare = name, arguments, prepare
        self.opens, self.done = opens, done
        self.header = more.pop('header', 'image')
        self.any_state = more.pop('any_state', False)
        self.silent = more.pop('silent', False)
        self.reads = more.pop('reads', False)
        self.status = more.pop('status', 0)
        self.stdin = more.pop('stdin', b'')
        assert not more


VERBS = [
    Verb('luksFormat', ['luksFormat', '-q', *CHEAP, *SMALL, 'image', 'old'], 'nothing', any_state=True),
    Verb('luksAddKey', ['luksAddKey', '-q', *CHEAP, '-d', 'old', 'image', 'new']),
    Verb('luksChangeKey', ['luksChangeKey', '-q', *CHEAP, '-d', 'old', 'image', 'new'],
         opens=('old', 'new'), done='new'),
    Verb('luksConvertKey', ['luksConvertKey', '-q', *CHEAP, '--hash', 'sha512', '-d', 'old', 'image']),
    Verb('luksRemoveKey', ['luksRemoveKey', '-q', 'image', 'new'], 'two'),
    Verb('luksKillSlot', ['luksKillSlot', '-q', 'image', '1', '-d', 'old'], 'two'),
    Verb('luksUUID', ['luksUUID', '-q', '--uuid', '12345678-1234-4234-8234-123456789abc', 'image']),
    Verb('config', ['config', '--label', 'l', '--subsystem', 's', 'image']),
    Verb('config --priority', ['config', '-S', '0', '--priority', 'prefer', 'image']),
    Verb('token import', ['token', 'import', 'image', '--json-file', 'token']),
    Verb('token remove', ['token', 'remove', 'image', '--token-id', '0'], 'token'),
    Verb('token unassign', ['token', 'unassign', 'image', '--token-id', '0', '-S', '0'], 'token'),
    Verb('enroll', ['enroll', 'image', '--recovery-key', '-d', 'old', '--recovery-file', 'rk']),
    Verb('seal', ['seal', '-q', 'image', '-d', 'old']),
    Verb('repair', ['repair', '-q', 'image'], 'damaged'),
    Verb('luksHeaderBackup', ['luksHeaderBackup', 'image', '--header-backup-file', 'backup']),
    Verb('luksHeaderRestore', ['luksHeaderRestore', '-q', 'image', '--header-backup-file', 'backup'],
         'backup', opens=('old', 'new'), done='old'),
    Verb('erase', ['erase', '-q', 'image'], any_state=True, done=None),
    Verb('convert', ['convert', '-q', '--type', 'luks2', 'image'], 'luks1'),
    Verb('reencrypt', [*OFFLINE, *CHEAP, 'image'], 'data'),
    Verb('reencrypt --encrypt', [*OFFLINE, *CHEAP, '--encrypt', '--header', 'header', 'data'],
         'nothing', any_state=True, header='header'),
    Verb('reencrypt --decrypt', [*OFFLINE, '--decrypt', '--header', 'header', 'image'], 'data',
         any_state=True, done=None),
    Verb('open', ['open', '--test-passphrase', '-d', 'old', 'image'], reads=True),
    Verb('luksDump', ['luksDump', 'image'], reads=True),
    Verb('isLuks', ['isLuks', 'image'], silent=True, reads=True),
    Verb('check', ['check', 'image'], status=7, reads=True),
    Verb('token export', ['token', 'export', 'image', '--token-id', '0'], 'token', reads=True),
]


def run(arguments, stdin=b'', fault=None, counts=None):
    environment = {'PATH': os.environ['PATH'], 'HOME': '/'}
    if fault or counts:
        environment['LD_PRELOAD'] = INTERPOSE
    if fault:
        environment['FAULT'] = fault
    if counts:
        environment['FAULT_COUNTS'] = counts
    return subprocess.run([MORTISE, *arguments], input=stdin, env=environment, capture_output=True,
                          timeout=120, check=False)


def must(*arguments):
    result = run(arguments)
    if result.returncode:
        sys.exit(f'{arguments}: status {result.returncode}: {result.stderr.decode()}')


def prepare(kind):
    """Makes the initial files of this kind in the current directory."""
    size = {'nothing': 3 << 20, 'data': 3 << 20, 'luks1': 3 << 20}.get(kind, (2 << 20) + 4096)
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
    if kind == 'luks1':
        subprocess.run(['cryptsetup', 'luksFormat', '-q', '--type', 'luks1', '--pbkdf-force-iterations', '1000',
                        'image', 'old'], check=True)
        return
    must('luksFormat', '-q', *CHEAP, *SMALL, 'image', 'old')
    if kind == 'two':
        must('luksAddKey', '-q', *CHEAP, '-d', 'old', 'image', 'new')
    elif kind == 'token':
        must('token', 'import', 'image', '--json-file', 'token')
    elif kind == 'damaged':
        with open('image', 'r+b') as file:
            file.seek(5000)
            file.write(b'x')
    elif kind == 'backup':
        must('luksHeaderBackup', 'image', '--header-backup-file', 'backup')
        must('luksChangeKey', '-q', *CHEAP, '-d', 'old', 'image', 'new')


class Case:
    """A verb in its directory. Each run begins with the same files."""

    def __init__(self, verb):
        self.verb, self.files, self.failures = verb, {}, []
        prepare(verb.prepare)
        for name in os.listdir('.'):
            with open(name, 'rb') as file:
                self.files[name] = file.read()

    def restore(self):
        for name in os.listdir('.'):
            if name not in self.files:
                os.unlink(name)
        for name, content in self.files.items():
            with open(name, 'wb') as file:
                file.write(content)

    def opens(self, names):
        return any(run(['open', '--test-passphrase', '-d', name, self.verb.header]).returncode == 0
                   for name in names if name)

    def unchanged(self):
        for name in IMAGES:
            if name in self.files:
                with open(name, 'rb') as file:
                    if file.read() != self.files[name]:
                        return False
        return True

    def find_fault(self, result, fault):
        """What is wrong after a run, or None."""
        verb, said = self.verb, (result.stderr + result.stdout).decode(errors='replace').strip()
        if result.returncode == -signal.SIGSEGV and fault.startswith('library'):
            return None if self.unchanged() or self.opens(verb.opens) else 'nothing opens the volume'
        if result.returncode < 0:
            return f'ended by {signal.Signals(-result.returncode).name}'
        if result.returncode > 8:
            return f'status {result.returncode}'
        # A copy of the header that the disk does not give is rewritten from the other one.
        if verb.reads and not fault.startswith('read') and not self.unchanged():
            return 'the image has changed'
        if result.returncode != verb.status and not said and not verb.silent:
            return f'status {result.returncode} without a message'
        if result.returncode == verb.status and verb.done and not self.opens([verb.done]):
            return 'reported success, but is not done'
        if result.returncode != verb.status and not verb.any_state and not self.unchanged() \
                and not self.opens(verb.opens):
            return 'nothing opens the volume'
        if result.returncode != verb.status and fault.startswith(('alloc', 'map:')) and not verb.silent \
                and not re.search('memory|OpenSSL failed', said):
            return f'the message does not name memory: {said!r}'
        return None

    def try_fault(self, fault):
        self.restore()
        try:
            result = run(self.verb.arguments, self.verb.stdin, fault)
        except subprocess.TimeoutExpired:
            self.failures.append(f'{fault}: does not end')
            return False
        wrong = self.find_fault(result, fault)
        if wrong:
            self.failures.append(f'{fault}: {wrong}: {result.stderr.decode(errors="replace").strip()}')
        return result.returncode == self.verb.status

    def count(self):
        self.restore()
        result = run(self.verb.arguments, self.verb.stdin, counts='counts')
        wrong = self.find_fault(result, '')
        if result.returncode != self.verb.status or wrong:
            sys.exit(f'{self.verb.name}: status {result.returncode}: {wrong}: {result.stderr.decode()}')
        with open('counts', encoding='ascii') as file:
            return {line.split()[0]: int(line.split()[1]) for line in file}


def numbers(kind, count, chooser):
    size = LIBRARY_SAMPLE if kind == 'library' else SAMPLE
    if ALL:
        size = LIBRARY_SAMPLE * 40 if kind == 'library' else count
    if count <= size:
        return range(1, count + 1)
    return sorted(chooser.sample(range(1, count + 1), size))


def try_verb(verb, chooser):
    case = Case(verb)
    tried = tolerated = 0
    for kind, count in case.count().items():
        for number in numbers(kind, count, chooser):
            for lasting in ('', '-') if ALL else (chooser.choice(('', '-')),):
                tried += 1
                tolerated += case.try_fault(f'{kind}:{number}{lasting}')
    for everywhere in 'short', 'eintr':
        tried += 1
        if not case.try_fault(everywhere):
            case.failures.append(f'{everywhere}: failed')
    return case.failures, tried, tolerated


def main():
    print(f'# FAULT_SEED={SEED}')
    chooser = random.Random(SEED)
    wanted = sys.argv[1:]
    failed = number = total = 0
    for verb in VERBS:
        if wanted and verb.name not in wanted:
            continue
        with tempfile.TemporaryDirectory(prefix='mortise-faults.') as directory:
            os.chdir(directory)
            failures, tried, tolerated = try_verb(verb, chooser)
            os.chdir('/')
        number += 1
        total += tried
        failed += bool(failures)
        print(f'{"not ok" if failures else "ok"} {number} - {verb.name}: {tried} failures, '
              f'{tolerated} tolerated')
        for line in failures:
            print(f'# {line}')
        sys.stdout.flush()
    print(f'1..{number}')
    print(f'# {total} failing calls')
    return failed != 0


sys.exit(main())
