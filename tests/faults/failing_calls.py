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

from verbs import RUNS, log, prepare, run, supports

ALL = os.environ.get('FAULTS') == 'all'
SEED = int(os.environ.get('FAULT_SEED', '1'))
SAMPLE = 16
LIBRARY_SAMPLE = 5
IMAGES = ('image', 'header', 'data', 'backup')


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
            result = run(self.verb.arguments, FAULT=fault)
        except subprocess.TimeoutExpired:
            self.failures.append(f'{fault}: does not end')
            return False
        wrong = self.find_fault(result, fault)
        if wrong:
            self.failures.append(f'{fault}: {wrong}: {result.stderr.decode(errors="replace").strip()}')
        return result.returncode == self.verb.status

    def count(self):
        self.restore()
        result = run(self.verb.arguments, FAULT_COUNTS='counts')
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
    for everywhere in verb.tolerates:
        tried += 1
        if not case.try_fault(everywhere):
            case.failures.append(f'{everywhere}: failed')
    return case.failures, tried, tolerated


def main():
    print(f'# FAULT_SEED={SEED}')
    chooser = random.Random(SEED)
    wanted = sys.argv[1:]
    failed = number = total = 0
    for verb in RUNS:
        if not verb.fails or (wanted and verb.name not in wanted) or not supports(verb.verb):
            continue
        with tempfile.TemporaryDirectory(prefix='mortise-faults.') as directory:
            os.chdir(directory)
            failures, tried, tolerated = try_verb(verb, chooser)
            os.chdir('/')
        number += 1
        total += tried
        failed += bool(failures)
        log(verb.verb, 'calls', tried)
        print(f'{"not ok" if failures else "ok"} {number} - {verb.name}: {tried} failures, '
              f'{tolerated} tolerated')
        for line in failures:
            print(f'# {line}')
        sys.stdout.flush()
    print(f'1..{number}')
    print(f'# {total} failing calls')
    return failed != 0


sys.exit(main())
