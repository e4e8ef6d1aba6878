#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs two verbs at once on one image. The first one is stopped before one of its calls on the image, or
of its locks, while the second one runs until it ends or has to wait. Afterwards the header must be
as after the first and then the second verb, the second and then the first, or, if one of them failed and says
that another process is using the header, as after the other one alone.

MORTISE: the program. PAUSE: the library of pause.c. PAIRS=all: each pair, stopped before each call;
otherwise a sample that PAIRS_SEED selects, of PAIRS_RUNS runs. Arguments: names of verbs, of which both of a
pair must be; without them, all. A name that begins with "cryptsetup " is a verb of cryptsetup."""
import collections
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from luks_image import Luks
from verbs import CHEAP, MORTISE, UUID, log

PAUSE = os.path.realpath(os.environ['PAUSE'])
# Not the one of tests/quick, which preloads a library itself.
REFEREE = shutil.which('cryptsetup', path='/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin')
ALL = os.environ.get('PAIRS') == 'all'
SEED = int(os.environ.get('PAIRS_SEED', '1'))
RUNS = int(os.environ.get('PAIRS_RUNS', '30'))
EACH = 3  # runs of a pair
# Pairs that were wrong once, of which more runs are always made.
KNOWN = [('reencrypt --decrypt', 'luksAddKey', 12), ('open', 'luksConvertKey', 6)]
SMALL = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '1m', '--offset', '4096',
         '--key-size', '256', '--sector-size', '512']
OFFLINE = ['reencrypt', '-q', '--force-offline-reencrypt']
SECRETS = {'third': b'one more', 'old': b'secret', 'fourth': b'and one', 'new': b'another'}
DATA = 64 << 10
WATCHED = 'image:backup:saved:header:head'
# A verb that fails because of the other one says so.
CLEAR = re.compile('concurrent LUKS2 metadata update|already running|another process|another device|'
                   'another volume|already exists|which is in use|Unmet LUKS2 requirements|'
                   'No usable keyslot')
# cryptsetup reads the header and the area of a keyslot under two locks, and the version under none.
CLEAR_REFEREE = re.compile(CLEAR.pattern + '|No key available|not a valid LUKS')


class Verb:
    """arguments; start: the files at first, 'any' for those of the other verb. mine, referee: mortise or
    cryptsetup runs it. reads: writes nothing to the image. replaces: the header ends, or its UUID or
    version changes. steps: the programs that make several updates."""

    def __init__(self, name, arguments, start='any', mine=True, referee=True, reads=False, replaces=False,
                 steps=()):
        self.name, self.arguments, self.start = name, arguments, start
        self.reads, self.replaces, self.steps = reads, replaces, steps
        self.programs = ([MORTISE] if mine else []) + ([REFEREE] if referee else [])


VERBS = [
    Verb('luksFormat', ['luksFormat', '-q', *CHEAP, *SMALL, 'image', 'third'], replaces=True),
    Verb('luksAddKey', ['luksAddKey', '-q', *CHEAP, '-d', 'old', 'image', 'third']),
    Verb('luksAddKey -S', ['luksAddKey', '-q', *CHEAP, '-d', 'new', '-S', '5', 'image', 'fourth']),
    Verb('luksChangeKey', ['luksChangeKey', '-q', *CHEAP, '-d', 'old', 'image', 'third'], steps=[REFEREE]),
    Verb('luksConvertKey', ['luksConvertKey', '-q', *CHEAP, '--hash', 'sha512', '-d', 'old', 'image'],
         steps=[REFEREE]),
    Verb('luksRemoveKey', ['luksRemoveKey', '-q', 'image', 'new']),
    Verb('luksKillSlot', ['luksKillSlot', '-q', 'image', '0', '-d', 'new']),
    Verb('luksUUID', ['luksUUID', '-q', '--uuid', UUID, 'image'], replaces=True),
    Verb('config', ['config', '--label', 'l', '--subsystem', 's', 'image']),
    Verb('config --priority', ['config', '-S', '0', '--priority', 'prefer', 'image']),
    Verb('token import', ['token', 'import', 'image', '--json-file', 'token']),
    Verb('token remove', ['token', 'remove', 'image', '--token-id', '0']),
    Verb('token unassign', ['token', 'unassign', 'image', '--token-id', '0', '-S', '0'], referee=False),
    Verb('enroll', ['enroll', 'image', '--recovery-key', '-d', 'old', '--recovery-file', 'rk'],
         referee=False),
    Verb('seal', ['seal', '-q', 'image', '-d', 'old'], referee=False),
    Verb('repair', ['repair', '-q', '-d', 'old', 'image'], 'damaged'),
    Verb('luksHeaderBackup', ['luksHeaderBackup', 'image', '--header-backup-file', 'backup']),
    Verb('luksHeaderRestore', ['luksHeaderRestore', '-q', 'image', '--header-backup-file', 'saved']),
    Verb('erase', ['erase', '-q', 'image']),
    Verb('convert --type luks1', ['convert', '-q', '--type', 'luks1', 'image'], 'plain', replaces=True),
    Verb('convert --type luks2', ['convert', '-q', '--type', 'luks2', 'image'], 'luks1', replaces=True),
    Verb('reencrypt', [*OFFLINE, *CHEAP, '-S', '0', '-d', 'old', 'image'], steps=[MORTISE, REFEREE]),
    Verb('reencrypt --init-only', [*OFFLINE, *CHEAP, '-S', '0', '--init-only', '-d', 'old', 'image'],
         steps=[REFEREE]),
    Verb('reencrypt --resume-only', [*OFFLINE, '--resume-only', '-d', 'old', 'image'], 'begun',
         steps=[MORTISE, REFEREE]),
    Verb('reencrypt --decrypt', [*OFFLINE, '--decrypt', '--header', 'head', '-d', 'old', 'image'],
         replaces=True, steps=[MORTISE, REFEREE]),
    Verb('open', ['open', '--test-passphrase', '-d', 'old', 'image'], reads=True),
    Verb('open -S', ['open', '--test-passphrase', '-S', '1', '-d', 'new', 'image'], reads=True),
    Verb('luksDump', ['luksDump', '--dump-volume-key', '-q', '-d', 'old', 'image'], reads=True),
    Verb('isLuks', ['isLuks', 'image'], reads=True),
    Verb('check', ['check', 'image'], referee=False, reads=True),
    Verb('token export', ['token', 'export', 'image', '--token-id', '0'], reads=True),
]


def must(*arguments, program=MORTISE):
    subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def write(name, content):
    with open(name, 'wb') as file:
        file.write(content)


def prepare(kind):
    """The files of this kind, by name."""
    for name in os.listdir('.'):
        os.unlink(name)
    for name, passphrase in SECRETS.items():
        write(name, passphrase)
    write('token', b'{"type":"foreign","keyslots":["0"]}')
    with open('image', 'wb') as file:
        file.truncate((2 << 20) + DATA)
    if kind == 'luks1':
        must('luksFormat', '-q', '--type', 'luks1', '--pbkdf-force-iterations', '1000', '--offset', '4096',
             '--key-size', '256', 'image', 'old', program=REFEREE)
        must('luksAddKey', '-q', '--pbkdf-force-iterations', '1000', '-d', 'old', 'image', 'new',
             program=REFEREE)
    else:
        must('luksFormat', '-q', *CHEAP, *SMALL, *(['--luks2-keyslots-size', '2064384']
                                                  if kind == 'plain' else []), 'image', 'old')
        must('luksHeaderBackup', 'image', '--header-backup-file', 'saved')
        must('luksAddKey', '-q', *CHEAP, '-d', 'old', 'image', 'new')
    with open('image', 'r+b') as file:
        file.seek(2 << 20)
        file.write(random.Random(1).randbytes(DATA))
    if kind in ('full', 'damaged', 'begun'):
        must('token', 'import', 'image', '--json-file', 'token')
    if kind == 'begun':
        must(*OFFLINE, *CHEAP, '-S', '0', '--init-only', '-d', 'old', 'image')
    if kind == 'damaged':
        with open('image', 'r+b') as file:
            file.seek(5000)
            file.write(b'x')
    files = {}
    for name in os.listdir('.'):
        with open(name, 'rb') as file:
            files[name] = file.read()
        os.unlink(name)
    return files


def is_sealed(name):
    return subprocess.run([MORTISE, 'seal', '--check', '-q', name, '-d', 'old'], capture_output=True,
                          check=False).returncode


def hash_of(data):
    return data and hashlib.sha256(data[:DATA]).hexdigest()[:8]


def describe(name, uuid):
    """What a header says, without what is random. uuid: that of the image at first."""
    luks = Luks(name)
    if not luks.version:
        return hash_of(luks.image)
    keys, slots = {}, {}
    for number in luks.keyslots():
        opens = []
        for secret, passphrase in SECRETS.items():
            key = luks.open(number, passphrase)
            if key:
                opens.append(secret)
                keys[luks.digest_of(number) if luks.version == 2 else None] = key
                break
        slots[str(number)] = {'opens': opens}
    said = {'version': luks.version, 'whole': luks.whole, 'keyslots': slots,
            'uuid': {uuid: 'first', UUID: 'fixed'}.get(luks.uuid, 'other')}
    if luks.version == 2:
        said.update(label=luks.label, subsystem=luks.subsystem, tokens=luks.json['tokens'])
        for number, slot in luks.json['keyslots'].items():
            slots[number].update(digest=luks.digest_of(number), type=slot['type'], size=slot['key_size'],
                                 priority=slot.get('priority'), hash=slot.get('kdf', {}).get('hash'))
        said['segments'] = luks.json['segments']
        said['digests'] = {number: [sorted(digest['keyslots']), sorted(digest['segments'])]
                           for number, digest in luks.json['digests'].items()}
        said['config'] = {key: value for key, value in luks.json['config'].items() if key != 'mortise'}
        said['sealed'] = is_sealed(name) if 'mortise' in luks.json['config'] else None
    if name == 'image' and said['uuid'] != 'other':
        said['data'] = hash_of(luks.data(keys))
    return said


def differences(expected, found, where=''):
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        expected, found = dict(enumerate(expected)), dict(enumerate(found))
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return '' if expected == found else f'{where}: {expected} became {found}; '
    return ''.join(differences(expected.get(key), found.get(key), f'{where}/{key}')
                   for key in sorted({*expected, *found}, key=str))


class Running:
    """A process that stops where it pauses or has to wait."""

    def __init__(self, program, arguments, pause_at=0, count=False):
        self.read_end, write_end = os.pipe()
        environment = {'PATH': os.environ['PATH'], 'HOME': '/', 'PAUSE_FILES': WATCHED,
                       'PAUSE_AT': str(pause_at), 'PAUSE_FD': str(write_end), 'LD_PRELOAD': PAUSE}
        if count:
            environment['PAUSE_COUNT'] = 'count'
        self.output = tempfile.TemporaryFile()
        # In a session of its own: when the process group of the tests is orphaned while one of its
        # processes is stopped, the kernel sends SIGHUP to all of them.
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, env=environment, pass_fds=(write_end,),
                                        start_new_session=True)
        os.close(write_end)
        self.status = None

    def wait(self):
        """'ended', 'paused' or 'waits'."""
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return {b'p': 'paused', b'w': 'waits'}[os.read(self.read_end, 1)]
        self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
        os.close(self.read_end)
        return 'ended'

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def finish(self):
        """(status, output)"""
        self.output.seek(0)
        said = self.output.read().decode(errors='replace').strip()
        self.output.close()
        return self.status, said

    def stop(self):
        if self.status is None:
            self.process.kill()
            self.process.wait()


class Pairs:
    """All runs of one kind of start, in the current directory."""

    def __init__(self, start):
        self.files, self.known, self.counts = prepare(start), {}, {}
        self.restore()
        self.uuid = Luks('image').uuid
        self.first = self.describe_files()

    def restore(self):
        for name in os.listdir('.'):
            os.unlink(name)
        for name, content in self.files.items():
            write(name, content)

    def describe_files(self):
        return json.dumps([describe(name, self.uuid) if os.path.exists(name) else None
                           for name in ('image', 'backup', 'head')], sort_keys=True)

    def serial(self, *order):
        """The state after these commands, and the status of each."""
        if order not in self.known:
            self.restore()
            statuses = []
            for program, verb in order:
                run = Running(program, verb.arguments)
                while run.wait() != 'ended':
                    run.go_on()
                statuses.append(run.finish()[0])
            self.known[order] = self.describe_files(), statuses
        return self.known[order]

    def count(self, command):
        """How often a command calls what it can be stopped at."""
        if command not in self.counts:
            self.restore()
            run = Running(command[0], command[1].arguments, count=True)
            while run.wait() != 'ended':
                run.go_on()
            run.finish()
            with open('count', encoding='ascii') as file:
                self.counts[command] = int(file.read())
        return self.counts[command]

    def at_once(self, one, two, pause_at):
        """What both said, and whether one waited. Starts two when one is stopped."""
        self.restore()
        runs = [Running(one[0], one[1].arguments, pause_at)]
        state = [runs[0].wait(), None]
        current, waited, turns = 1, False, 0
        try:
            while 'ended' not in state or state[0] != state[1]:
                turns += 1
                if turns > 40:
                    return None, waited
                if current == 1 and len(runs) == 1:
                    runs.append(Running(two[0], two[1].arguments))
                else:
                    runs[current].go_on()
                state[current] = runs[current].wait()
                waited = waited or state[current] == 'waits'
                if state[1 - current] != 'ended':
                    current = 1 - current
        finally:
            for run in runs:
                run.stop()
        return [run.finish() for run in runs], waited

    def find_fault(self, one, two, pause_at):
        orders = [self.serial(one, two), self.serial(two, one)]
        alone = [self.serial(two), self.serial(one)]
        said, _ = self.at_once(one, two, pause_at)
        if not said:
            return 'each waits for the other'
        for status, text in said:
            if status < 0 or status > 8:
                return f'status {status}: {text}'
        found, statuses = self.describe_files(), [status for status, _ in said]
        if (found, statuses) in (orders[0], (orders[1][0], orders[1][1][::-1])):
            return self.ask_referee(found)
        for loser, (state, status) in enumerate(alone):
            clear = CLEAR if (one, two)[loser][0] == MORTISE else CLEAR_REFEREE
            if said[loser][0] and clear.search(said[loser][1]) and statuses[1 - loser] == status[0] \
                    and found == state:
                return self.ask_referee(found)
        if any(command[0] in command[1].steps for command in (one, two)):
            return self.find_step_fault((one, two), said)
        return self.explain(found, said, orders)

    def find_step_fault(self, commands, said):
        """The other verb ran between two updates of one that makes several."""
        for (program, _), (status, text) in zip(commands, said):
            if status and not (CLEAR if program == MORTISE else CLEAR_REFEREE).search(text):
                return f'in between, not clear: {said}'
        for name in 'image', 'backup', 'head':
            luks = Luks(name) if os.path.exists(name) else None
            if luks and luks.version and not luks.whole:
                return f'in between, {name} has one copy: {said}'
        if any(verb.replaces or verb.name in ('erase', 'luksHeaderRestore') for _, verb in commands):
            return None
        subprocess.run([MORTISE, *OFFLINE, '--resume-only', '-d', 'old', 'image'], capture_output=True,
                       check=False)
        after = describe('image', self.uuid)
        if isinstance(after, dict) and after['data'] == json.loads(self.first)[0]['data']:
            return self.ask_referee(json.dumps([after]))
        return f'in between, the data has changed: {said}'

    @staticmethod
    def explain(found, said, orders):
        lines = [f'as in no order: {said}']
        for state, status in orders:
            lines.append(f'unlike the order with status {status}: ' +
                         ('' if state == found else differences(json.loads(state), json.loads(found))))
        return '\n'.join(lines)

    @staticmethod
    def ask_referee(found):
        """Can cryptsetup read the header, and does a passphrase open each keyslot that has one?"""
        image = json.loads(found)[0]
        if not isinstance(image, dict):
            return None
        check = subprocess.run([REFEREE, 'luksDump', 'image'], capture_output=True, check=False)
        if check.returncode:
            return f'cryptsetup cannot read it: {check.stderr.decode()}'
        for number, slot in image['keyslots'].items():
            if not slot['opens'] or 'requirements' in image.get('config', {}):
                continue
            check = subprocess.run([REFEREE, 'open', '--test-passphrase', '-S', number, '-d', slot['opens'][0],
                                    'image'], capture_output=True, check=False)
            if check.returncode:
                return f'cryptsetup cannot open keyslot {number}: {check.stderr.decode()}'
            break
        return None


def beyond_cryptsetup(start, one, two):
    """cryptsetup 2.6.1 compares sequence numbers only if the UUID on the disk is the one that it writes, and
    it changes a LUKS1 header without a lock."""
    if start != 'luks1' and not one[1].replaces and not two[1].replaces:
        return False
    return any(program == REFEREE and not verb.reads for program, verb in (one, two))


def list_pairs(wanted):
    """[start, first command, second command]: each pair in both roles."""
    commands = [(program, verb) for verb in VERBS for program in verb.programs]
    pairs = []
    for one in commands:
        for two in commands:
            if one[0] == two[0] == REFEREE:
                continue
            names = {name_of(one), name_of(two)}
            if wanted and not names <= wanted:
                continue
            starts = {verb.start for verb in (one[1], two[1])} - {'any'} or {'full'}
            pairs += [(start, one, two) for start in sorted(starts) if not beyond_cryptsetup(start, one, two)]
    return pairs


def name_of(command):
    return ('cryptsetup ' if command[0] == REFEREE else '') + command[1].name


def list_runs(pairs, cases, chooser):
    """[start, one, two, call]"""
    known = {(one, two): runs for one, two, runs in KNOWN}
    chosen = pairs
    if not ALL and len(pairs) * EACH > RUNS:
        chosen = [pair for pair in pairs if tuple(map(name_of, pair[1:])) in known]
        chosen += chooser.sample([pair for pair in pairs if pair not in chosen], RUNS // EACH)
    for start, one, two in sorted(chosen, key=lambda pair: pair[0]):
        if start not in cases:
            cases[start] = Pairs(start)
        count = cases[start].count(one)
        runs = count if ALL else known.get((name_of(one), name_of(two)), max(EACH, RUNS // len(chosen)))
        # Spread over all calls.
        for part in range(min(runs, count)):
            first, end = part * count // min(runs, count), (part + 1) * count // min(runs, count)
            yield start, one, two, chooser.randint(first + 1, end)


def skip_without_referee():
    if not REFEREE:
        print('skipped: no cryptsetup to compare with')
        sys.exit(77)


def main():
    skip_without_referee()
    print(f'# PAIRS_SEED={SEED}')
    chooser = random.Random(SEED)
    pairs = list_pairs(set(sys.argv[1:]))
    cases, seen, failed, runs = {}, set(), 0, 0
    of_verb = collections.Counter()
    with tempfile.TemporaryDirectory(prefix='mortise-two.') as directory:
        os.chdir(directory)
        for start, one, two, call in list_runs(pairs, cases, chooser):
            names = f'{name_of(one)}, {name_of(two)} ({start})'
            wrong = cases[start].find_fault(one, two, call)
            runs += 1
            seen.add(names)
            of_verb.update({command[1].arguments[0] for command in (one, two)})
            if wrong:
                failed += 1
                print(f'# {names}, stopped before call {call}:')
                print('\n'.join('#   ' + line for line in wrong.splitlines()), flush=True)
        os.chdir('/')
    for verb, count in of_verb.items():
        log(verb, 'pairs', count)
    print(f'{"not ok" if failed else "ok"} 1 - {len(seen)} pairs at once, {runs} runs, {failed} wrong')
    print('1..1')
    return bool(failed)


if __name__ == '__main__':
    sys.exit(main())
