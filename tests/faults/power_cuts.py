#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Power cuts at any moment of each verb, on image files: the library of interpose.c records what a run
writes, and replay makes and checks each state that a cut can leave. In a sample of them, cryptsetup opens
the volume too, and the same command runs again.

MORTISE, INTERPOSE, REPLAY: the program, the library, and replay. CUTS=all: at least a million states.
CUT_SEED selects the random ones. RELIABILITY_LOG: a file to append "VERB<TAB>EXPERIMENT<TAB>STATES" to.
Arguments: names of runs; without them, all."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

from verbs import MORTISE, RUNS, log, prepare, run, supports

REPLAY = os.path.realpath(os.environ['REPLAY'])
ALL = os.environ.get('CUTS') == 'all'
SEED = int(os.environ.get('CUT_SEED', '1'))
# Random states for each flush; one command for so many states; of so many states that are continued, one is
# cut again.
RANDOM, SAMPLE, NESTED = (60000, 500, 20) if ALL else (24, 400, 10)


def quoted(words):
    return ' '.join(f"'{word}'" for word in words)


def after_cut(case):
    """The commands that must succeed after a cut, as a script."""
    opens = ' || '.join(f'open --test-passphrase -d {name} {case.header}' for name in case.opens)
    again = ' '.join(f'| {status}' for status in case.again)
    lines = ['exec 2>&1']
    if case.cuts == 'opens' and case.done:
        lines.append(f'{opens} || exit 1'.replace('open -', 'cryptsetup open -'))
    lines.append(f'{quoted([MORTISE, *case.arguments])} </dev/null')
    lines.append(f'case $? in 0 {again}) ;; *) echo "again: status $?"; exit 1 ;; esac')
    if case.done:
        lines.append(f'{opens} || exit 1'.replace('open -', f"'{MORTISE}' open -"))
    return '\n'.join(lines)


def replay(case, folder):
    """Returns the numbers of states and so on, or what is wrong."""
    os.mkdir('state')
    options = ['--kind', case.cuts, '--header', case.header, '--seed', str(SEED)]
    every = case.every
    options += ['--stride', str(1 if ALL else every), '--random', str(max(RANDOM // every, 4)),
                '--nested', str({'reencrypt': NESTED, 'encrypt': NESTED, 'decrypt': NESTED, 'meta': 0}.get(
                    case.cuts, 1))]
    for key in case.keys:
        options += ['--key', key]
    if case.data:
        options += ['--data', case.data]
    if case.unsealed:
        options.append('--unsealed')
    if case.handed:
        options += ['--handed', case.handed]
    if case.cuts in ('opens', 'format', 'backup'):
        options += ['--sample', str(SAMPLE), '--command', after_cut(case)]
    result = subprocess.run([REPLAY, *options, f'{folder}/before', f'{folder}/trace', f'{folder}/after'],
                            cwd='state', capture_output=True, text=True, check=False)
    if result.returncode:
        return f'status {result.returncode}: {result.stdout}{result.stderr}'
    return [int(word) for word in result.stdout.split()]


def try_case(case, folder):
    os.chdir(folder)
    os.mkdir('before')
    os.chdir('before')
    prepare(case.prepare)
    os.chdir(folder)
    shutil.copytree('before', 'after')
    os.chdir('after')
    result = run(case.arguments, RECORD=f'{folder}/trace', RECORD_UNDER=f'{folder}/after')
    os.chdir(folder)
    if result.returncode != case.status:
        return f'status {result.returncode}: {result.stderr.decode()}'
    return replay(case, folder)


def temporary():
    """In memory, if possible: a flush to a disk takes long, and nothing here relies on it."""
    memory = '/dev/shm'
    usable = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 256 << 20
    return tempfile.TemporaryDirectory(prefix='mortise-cuts.', dir=memory if usable else None)


def main():
    print(f'# CUT_SEED={SEED}')
    failed = number = total = 0
    for case in RUNS:
        if not case.cuts or (sys.argv[1:] and case.name not in sys.argv[1:]) or not supports(case.verb):
            continue
        begin = time.monotonic()
        with temporary() as folder:
            outcome = try_case(case, folder)
            os.chdir('/')
        number += 1
        if isinstance(outcome, str):
            failed += 1
            print(f'not ok {number} - {case.name}')
            print('# ' + outcome.strip().replace('\n', '\n# '))
            continue
        states, repeated, nested, commands, flushes = outcome
        states += nested
        total += states
        log(case.verb, 'replay', states)
        print(f'ok {number} - {case.name}: {states} states around {flushes} flushes, {nested} of them cut '
              f'again during the repair, {commands} with other programs; {repeated} repeated ({time.monotonic() - begin:.1f} s)')
        sys.stdout.flush()
    print(f'1..{number}')
    print(f'# {total} states')
    return failed != 0


sys.exit(main())
