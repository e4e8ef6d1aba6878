#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes random changes to one image and compares the header and the data with a model after each of them.
One in ten is made by cryptsetup, one in twelve is killed at one of its calls, and some must be refused. Every
hundredth state is read by cryptsetup, too.

MORTISE: the program. PAUSE: the library of pause.c, which chooses the moment to kill.
SOAK_OPERATIONS: how many (default: 100). SOAK_SEED: which (default: 1)."""
import collections
import copy
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from luks_image import Luks
from two_at_once import REFEREE, Running, differences, skip_without_referee, write
from verbs import CHEAP, MORTISE, log

SEED = int(os.environ.get('SOAK_SEED', '1'))
OPERATIONS = int(os.environ.get('SOAK_OPERATIONS', '100'))
PASSPHRASES = [f'p{number}' for number in range(8)]
DATA, PAYLOAD = 64 << 10, 2 << 20
LAYOUT = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '2064384', '--key-size', '256',
          '--sector-size', '512']
SLOTS_MAX = 6  # a reencryption needs areas for as many again
LUKS1_SLOTS = 8
OFFLINE = ['reencrypt', '-q', '--force-offline-reencrypt']
PRIORITIES = {'ignore': 0, 'normal': None, 'prefer': 2}
WRONG, REFUSED = 2, 1


class State:
    """What the image must hold. version 0: plain data, without a header."""

    def __init__(self):
        self.version, self.uuid, self.label, self.subsystem = 2, None, '', ''
        self.slots = {}  # number: [passphrase, priority]
        self.tokens = {}

    def copy(self):
        return copy.deepcopy(self)

    def seen(self):
        if not self.version:
            return {'version': 0}
        said = {'version': self.version,
                'slots': {str(number): slot for number, slot in self.slots.items()}}
        if self.uuid:
            said['uuid'] = self.uuid
        if self.version == 2:
            said.update(label=self.label, subsystem=self.subsystem, tokens=self.tokens)
        return said

    def drop_slot(self, number):
        del self.slots[number]
        for token in self.tokens.values():
            if str(number) in token['keyslots']:
                token['keyslots'].remove(str(number))


def lowest_free(used, limit):
    return next(number for number in range(limit) if number not in used)


class Soak:
    def __init__(self, chooser):
        self.random, self.state, self.backup = chooser, State(), None
        self.history, self.counts = collections.deque(maxlen=12), collections.Counter()
        self.verbs = collections.Counter()
        self.referee_checks = 0
        for name in PASSPHRASES:
            write(name, f'passphrase {name}'.encode())
        with open('image', 'wb') as file:
            file.truncate(PAYLOAD + DATA)
        self.must('luksFormat', '-q', *CHEAP, *LAYOUT, '--offset', '4096', 'image', 'p0')
        with open('image', 'r+b') as file:
            file.seek(PAYLOAD)
            file.write(chooser.randbytes(DATA))
        self.state.slots[0] = ['p0', None]
        luks = Luks('image')
        self.state.uuid = luks.uuid
        self.content = luks.data({'0': luks.open(0, b'passphrase p0')})

    def must(self, *arguments):
        subprocess.run([MORTISE, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # What the image holds.

    def read(self, expected):
        """The state on the disk, in the form of State.seen(), and the data. The passphrases of expected are
        tried first."""
        luks = Luks('image')
        if not luks.version:
            return {'version': 0}, luks.image[:DATA], luks
        slots, keys = {}, {}
        for number in luks.keyslots():
            wanted = expected.slots.get(number, ['', None])[0]
            found = None
            for name in sorted(PASSPHRASES, key=lambda name: name != wanted):
                key = luks.open(number, f'passphrase {name}'.encode())
                if key:
                    found = name
                    keys[luks.digest_of(number) if luks.version == 2 else None] = key
                    break
            priority = luks.json['keyslots'][str(number)].get('priority') if luks.version == 2 else None
            slots[str(number)] = [found, priority]
        said = {'version': luks.version, 'slots': slots}
        if expected.uuid:
            said['uuid'] = luks.uuid
        if luks.version == 2:
            said.update(label=luks.label, subsystem=luks.subsystem, tokens=luks.json['tokens'])
        return said, luks.data(keys, DATA), luks

    def check(self, *possible):
        """The state on the disk is one of these, which becomes the model's."""
        problems = []
        for state in possible:
            found, data, luks = self.read(state)
            if luks.version == 2 and not luks.whole:
                problems.append('the header copies are not equal')
                continue
            if found == state.seen() and data == self.content:
                self.state = state
                if luks.version:
                    state.uuid = luks.uuid
                return
            problems.append(differences(state.seen(), found) or 'the data has changed')
        raise AssertionError(' -- '.join(problems))

    def ask_referee(self):
        """cryptsetup agrees with the model about each passphrase and the metadata."""
        self.referee_checks += 1
        if not self.state.version:
            if not subprocess.run([REFEREE, 'isLuks', 'image'], check=False).returncode:
                raise AssertionError('cryptsetup finds a header')
            return
        if self.state.version == 2:
            dump = subprocess.run([REFEREE, 'luksDump', '--dump-json-metadata', 'image'], capture_output=True,
                                  check=True).stdout
            if json.loads(dump) != Luks('image').json:
                raise AssertionError('cryptsetup reads other metadata')
        opens = {}
        for name in PASSPHRASES:
            opens[name] = not subprocess.run([REFEREE, 'open', '--test-passphrase', '-d', name, 'image'],
                                             capture_output=True, check=False).returncode
        usable = {slot[0] for slot in self.state.slots.values() if slot[1] != 0}
        for name, opened in opens.items():
            if opened != (name in usable):
                raise AssertionError(f'cryptsetup: {name} opens: {opened}')
        for number, slot in self.state.slots.items():
            subprocess.run([REFEREE, 'open', '--test-passphrase', '-S', str(number), '-d', slot[0], 'image'],
                           check=True)

    # Running commands.

    def program(self):
        return REFEREE if self.random.random() < 0.1 else MORTISE

    def run(self, arguments, status, after, mine=False, program=None):
        """Runs a command that must end with this status and lead to the state after, or kills it."""
        program = program or (MORTISE if mine else self.program())
        name = 'cryptsetup' if program == REFEREE else 'mortise'
        self.history.append(f'{name} {" ".join(arguments)} -> {status}')
        before = self.state
        self.verbs[arguments[0]] += 1
        kill = program == MORTISE and self.random.random() < 1 / 12
        run = Running(program, arguments, self.random.randint(1, 60) if kill else 0)
        how = run.wait()
        if how == 'paused':
            run.stop()
            self.history[-1] += ' (killed)'
            self.counts['killed'] += 1
            self.after_kill(before, after)
            return
        got, said = run.finish()
        if got != status:
            raise AssertionError(f'status {got} instead of {status}: {said}')
        self.counts['cryptsetup' if program == REFEREE else 'mortise'] += 1
        if status:
            self.counts['refused'] += 1
            if not said and program == MORTISE:
                raise AssertionError('refused without a message')
        self.check(before if status else after)

    def after_kill(self, before, after):
        """The next command repairs what is half done: before, after, or in reencryption."""
        luks = Luks('image')
        if luks.version == 2 and not luks.whole:
            name = next(iter(before.slots.values()))[0]
            subprocess.run([MORTISE, 'open', '--test-passphrase', '-d', name, 'image'], capture_output=True,
                           check=False)
        self.check(before, after)

    def some_slot(self):
        number = self.random.choice(sorted(self.state.slots))
        return number, self.state.slots[number]

    def known(self):
        """A passphrase that opens a keyslot without its number."""
        return self.random.choice(sorted({slot[0] for slot in self.state.slots.values() if slot[1] != 0}))

    def unknown(self):
        return self.random.choice(sorted({*PASSPHRASES} - {slot[0] for slot in self.state.slots.values()}))

    # Operations. Each makes a command and predicts its outcome.

    def do_add(self):
        new, after = self.unknown(), self.state.copy()
        number = lowest_free(self.state.slots, 32)
        where = []
        if self.random.random() < 0.3:
            number = self.random.choice([n for n in range(12) if n not in self.state.slots])
            where = ['-S', str(number)]
        after.slots[number] = [new, None]
        if len(self.state.slots) < SLOTS_MAX:
            self.run(['luksAddKey', '-q', *CHEAP, *where, '-d', self.known(), 'image', new], 0, after)

    def do_add_refused(self):
        if self.random.random() < 0.5:
            self.run(['luksAddKey', '-q', *CHEAP, '-d', self.unknown(), 'image', self.known()], WRONG, None)
        else:
            number, _ = self.some_slot()
            self.run(['luksAddKey', '-q', *CHEAP, '-S', str(number), '-d', self.known(), 'image',
                      self.unknown()], REFUSED, None)

    def do_change(self):
        number, (old, priority) = self.some_slot()
        if priority == 0:
            return
        new, after = self.unknown(), self.state.copy()
        after.slots[number] = [new, priority]
        self.run(['luksChangeKey', '-q', *CHEAP, '-S', str(number), '-d', old, 'image', new], 0, after)

    def do_change_refused(self):
        self.run(['luksChangeKey', '-q', *CHEAP, '-d', self.unknown(), 'image', self.known()], WRONG, None)

    def do_convert_key(self):
        number, (passphrase, _) = self.some_slot()
        self.run(['luksConvertKey', '-q', *CHEAP, '--hash', self.random.choice(['sha256', 'sha512']), '-S',
                  str(number), '-d', passphrase, 'image'], 0, self.state.copy())

    def do_remove(self):
        passphrase = self.known()
        number = next(n for n, slot in self.state.slots.items() if slot[0] == passphrase)
        if self.others(number):
            after = self.state.copy()
            after.drop_slot(number)
            self.run(['luksRemoveKey', '-q', 'image', passphrase], 0, after)

    def others(self, number):
        """Another keyslot opens without its number."""
        return any(slot[1] != 0 for n, slot in self.state.slots.items() if n != number)

    def do_remove_refused(self):
        self.run(['luksRemoveKey', '-q', 'image', self.unknown()], WRONG, None)

    def do_kill(self):
        number, _ = self.some_slot()
        if self.others(number):
            after = self.state.copy()
            after.drop_slot(number)
            self.run(['luksKillSlot', '-q', 'image', str(number)], 0, after)

    def do_kill_refused(self):
        number = self.random.choice([n for n in range(32) if n not in self.state.slots])
        self.run(['luksKillSlot', '-q', 'image', str(number)], REFUSED, None)

    def do_priority(self):
        number, _ = self.some_slot()
        name = self.random.choice(sorted(PRIORITIES) if self.others(number) else ['normal', 'prefer'])
        after = self.state.copy()
        after.slots[number][1] = PRIORITIES[name]
        self.run(['config', '-q', '-S', str(number), '--priority', name, 'image'], 0, after)

    def do_priority_refused(self):
        number = self.random.choice([n for n in range(32) if n not in self.state.slots])
        self.run(['config', '-q', '-S', str(number), '--priority', 'prefer', 'image'], REFUSED, None, mine=True)

    def do_label(self):
        after = self.state.copy()
        after.label, after.subsystem = f'label{self.random.randrange(99)}', f's{self.random.randrange(99)}'
        self.run(['config', '-q', '--label', after.label, '--subsystem', after.subsystem, 'image'], 0, after)

    def do_uuid(self):
        after = self.state.copy()
        after.uuid = '%08x-0000-4000-8000-000000000000' % self.random.getrandbits(32)
        self.run(['luksUUID', '-q', '--uuid', after.uuid, 'image'], 0, after)

    def do_token_import(self):
        after = self.state.copy()
        number = lowest_free({int(n) for n in self.state.tokens}, 32)
        slots = self.random.sample(sorted(self.state.slots), self.random.randint(0, len(self.state.slots)))
        after.tokens[str(number)] = {'type': 'foreign', 'keyslots': [str(n) for n in slots],
                                     'note': self.random.randrange(1000)}
        write('token', json.dumps(after.tokens[str(number)]).encode())
        if len(self.state.tokens) < 6:
            self.run(['token', 'import', 'image', '--json-file', 'token'], 0, after)

    def do_token_import_refused(self):
        slot = self.random.choice([n for n in range(32) if n not in self.state.slots])
        write('token', json.dumps({'type': 'foreign', 'keyslots': [str(slot)]}).encode())
        self.run(['token', 'import', 'image', '--json-file', 'token'], REFUSED, None)

    def do_token_remove(self):
        number = str(self.random.randrange(6))
        after = self.state.copy()
        status = 0 if after.tokens.pop(number, None) else REFUSED
        self.run(['token', 'remove', 'image', '--token-id', number], status, after)

    def do_token_unassign(self):
        number, slot = str(self.random.randrange(6)), str(self.some_slot()[0])
        after, status = self.state.copy(), REFUSED
        if slot in after.tokens.get(number, {'keyslots': []})['keyslots']:
            after.tokens[number]['keyslots'].remove(slot)
            status = 0
        self.run(['token', 'unassign', 'image', '--token-id', number, '-S', slot], status, after, mine=True)

    def do_seal(self):
        self.run(['seal', '-q', 'image', '-d', self.known()], 0, self.state.copy(), mine=True)
        if '(killed)' not in self.history[-1]:
            self.run(['seal', '--check', '-q', 'image', '-d', self.known()], 0, self.state.copy(), mine=True)

    def do_backup(self):
        status = REFUSED if self.backup else 0
        if self.random.random() < 0.5 and os.path.exists('backup'):
            os.unlink('backup')
            status = 0
        kept = self.backup
        self.backup = None
        if not status and os.path.exists('backup'):
            os.unlink('backup')
        self.run(['luksHeaderBackup', 'image', '--header-backup-file', 'backup'], status, self.state.copy())
        if status:
            self.backup = kept
        elif '(killed)' not in self.history[-1]:
            self.backup = self.state.copy()

    def do_restore(self):
        if self.backup:
            self.run(['luksHeaderRestore', '-q', 'image', '--header-backup-file', 'backup'], 0,
                     self.backup.copy())

    def do_damage(self):
        """One byte of one copy, or all of it, is lost: the next reader mends it."""
        at = self.random.choice([0, 16384])
        with open('image', 'r+b') as file:
            if self.random.random() < 0.3:
                file.seek(at)
                file.write(self.random.randbytes(16384))
            else:
                file.seek(at + self.random.choice([0, 300, 4096, 4200, 10000]))
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))
        self.history.append(f'damage at {at}')
        self.run(self.random.choice([['repair', '-q', 'image'],
                                     ['open', '--test-passphrase', '-d', self.known(), 'image']]), 0,
                 self.state.copy())

    def do_open(self):
        self.run(['open', '--test-passphrase', '-d', self.known(), 'image'], 0, self.state)

    def do_open_refused(self):
        self.run(['open', '--test-passphrase', '-d', self.unknown(), 'image'], WRONG, None)

    def after_reencrypt(self, number):
        after = self.state.copy()
        slot = after.slots[number]
        new = lowest_free(after.slots, 32)
        for other in [n for n in after.slots if n != number]:
            after.drop_slot(other)
        for token in after.tokens.values():
            token['keyslots'] = [str(new) if n == str(number) else n for n in token['keyslots']]
        after.slots = {new: [slot[0], None]}
        return after

    def do_reencrypt(self):
        number, (passphrase, _) = self.some_slot()
        if number > 12:
            return
        after, before = self.after_reencrypt(number), self.state
        how = ['--resilience', self.random.choice(['checksum', 'journal', 'none']),
               '--hotzone-size', str(4096 * self.random.choice([1, 2, 3, 5, 16]))]
        arguments = [*OFFLINE, *CHEAP, '-S', str(number), '-d', passphrase, *how, 'image']
        self.backup = None
        if os.path.exists('backup'):
            os.unlink('backup')
        self.steps(arguments, [*OFFLINE, '--resume-only', '-d', passphrase, 'image'], before, after)

    def steps(self, arguments, resume, before, after):
        """A reencryption, killed again and again."""
        # Without a journal or checksums, the zone of a process that is killed is lost.
        killed = 'none' not in arguments and self.random.random() < 0.6
        self.history.append(' '.join(arguments))
        for count in range(50):
            last = count > 6 or not killed
            program = REFEREE if last and self.random.random() < 0.2 else MORTISE
            run = Running(program, arguments, 0 if last else self.random.randint(1, 150))
            if run.wait() == 'paused':
                run.stop()
                self.counts['killed'] += 1
                luks = Luks('image')
                if luks.version and 'requirements' in luks.json['config']:
                    arguments = resume
                    self.refuse_in_reencryption()
                    continue
                subprocess.run([MORTISE, 'open', '--test-passphrase', '-d', resume[-2], 'image'],
                               capture_output=True, check=False)
                self.check(before, after)
                return
            status, said = run.finish()
            if status:
                raise AssertionError(f'status {status}: {said}')
            self.counts['reencryption'] += 1
            self.verbs['reencrypt'] += 1
            self.check(after)
            return

    def refuse_in_reencryption(self):
        """A header in reencryption is changed by no other verb."""
        if self.random.random() < 0.5:
            return
        with open('image', 'rb') as file:
            before = file.read()
        verb = self.random.choice([['config', '-q', '--label', 'x', 'image'],
                                   ['luksAddKey', '-q', *CHEAP, '-d', self.known(), 'image', self.unknown()],
                                   ['token', 'remove', 'image', '--token-id', '0'],
                                   ['convert', '-q', '--type', 'luks1', 'image']])
        if not subprocess.run([MORTISE, *verb], capture_output=True, check=False).returncode:
            raise AssertionError(f'{verb} succeeded in a reencryption')
        self.counts['refused'] += 1
        with open('image', 'rb') as file:
            if Luks('image').whole and file.read()[32768:] != before[32768:]:
                raise AssertionError(f'{verb} wrote in a reencryption')

    def do_move(self):
        """Decryption and encryption in place."""
        _, (passphrase, priority) = self.some_slot()
        if priority == 0:
            return
        for name in 'head', 'backup':
            if os.path.exists(name):
                os.unlink(name)
        self.backup = None
        # cryptsetup 2.6.1 does not decrypt what was reencrypted before, whose digest is the second one.
        program = MORTISE
        if self.random.random() < 0.2 and '0' in Luks('image').json['digests']:
            program = REFEREE
        plain = self.state.copy()
        plain.version = 0
        self.whole_run(program, [*OFFLINE, '--decrypt', '--header', 'head', '-d', passphrase, 'image'],
                       passphrase, plain)
        os.unlink('head')
        with open('image', 'r+b') as file:
            file.truncate(2 * PAYLOAD + DATA)
        new, after = self.random.choice(PASSPHRASES), State()
        after.slots[0] = [new, None]
        program = REFEREE if self.random.random() < 0.2 else MORTISE
        arguments = [*OFFLINE, '--encrypt', '--reduce-device-size', '4M', *LAYOUT, *CHEAP, '-d', new, 'image']
        self.whole_run(program, arguments, new, after)
        with open('image', 'r+b') as file:
            file.truncate(PAYLOAD + DATA)
        self.check(after)

    def whole_run(self, program, arguments, passphrase, after):
        """A command that is killed a few times and then run once more."""
        self.history.append(' '.join([program, *arguments]))
        decrypts = '--decrypt' in arguments
        for left in range(self.random.choice([0, 0, 1, 3]) if program == MORTISE else 0, -1, -1):
            run = Running(program, arguments, self.random.randint(1, 200) if left else 0)
            if run.wait() == 'paused':
                run.stop()
                self.counts['killed'] += 1
                luks = Luks('head' if decrypts and os.path.exists('head') else 'image')
                if luks.version == 2 and luks.json['segments']['0']['type'] == 'linear' and \
                        'requirements' not in luks.json['config']:
                    break
                if luks.version and 'requirements' in luks.json['config']:
                    where = ['--header', 'head'] if decrypts else []
                    arguments = [*OFFLINE, '--resume-only', *where, '-d', passphrase, 'image']
                elif decrypts and os.path.exists('head'):
                    # The header may have left the image before the decryption has begun.
                    if luks.version and not Luks('image').version:
                        self.must('luksHeaderRestore', '-q', 'image', '--header-backup-file', 'head')
                    os.unlink('head')
                continue
            status, said = run.finish()
            if status:
                raise AssertionError(f'status {status}: {said}')
            break
        self.counts['move'] += 1
        self.verbs['reencrypt'] += 1
        self.check(after)

    def do_convert(self):
        """To LUKS1 if cryptsetup converts a copy, and back after some changes by cryptsetup."""
        shutil.copy('image', 'copy')
        status = subprocess.run([REFEREE, 'convert', '-q', '--type', 'luks1', 'copy'], capture_output=True,
                                check=False).returncode
        os.unlink('copy')
        after = self.state.copy()
        after.version, after.tokens, after.label, after.subsystem = 1, {}, '', ''
        for slot in after.slots.values():
            slot[1] = None
        self.run(['convert', '-q', '--type', 'luks1', 'image'], status, after)
        if self.state.version != 1:
            return
        # cryptsetup 2.6.1 converts back only what it has converted, with the areas at the start.
        program = MORTISE if self.history[-1].startswith('mortise') else None
        self.backup = None
        if os.path.exists('backup'):
            os.unlink('backup')
        for _ in range(self.random.randrange(3)):
            self.random.choice([self.do_luks1_add, self.do_luks1_kill, self.do_open, self.do_open_refused,
                                self.do_luks1_refused])()
        after = self.state.copy()
        after.version = 2
        while self.state.version == 1:
            self.run(['convert', '-q', '--type', 'luks2', 'image'], 0, after, program=program)

    def do_luks1_add(self):
        new, after = self.unknown(), self.state.copy()
        if len(self.state.slots) < SLOTS_MAX:
            after.slots[lowest_free(self.state.slots, LUKS1_SLOTS)] = [new, None]
            self.run(['luksAddKey', '-q', '--pbkdf-force-iterations', '1000', '-d', self.known(), 'image', new],
                     0, after, program=REFEREE)

    def do_luks1_kill(self):
        number, _ = self.some_slot()
        if self.others(number):
            after = self.state.copy()
            after.drop_slot(number)
            self.run(['luksKillSlot', '-q', 'image', str(number)], 0, after, program=REFEREE)

    def do_luks1_refused(self):
        self.run(['config', '-q', '--label', 'x', 'image'], REFUSED, None, mine=True)

    def operation(self, number):
        kinds = sorted(name for name in dir(self) if name.startswith('do_') and 'luks1' not in name)
        before = self.random.getstate()
        kind = self.random.choice(kinds)
        self.history.append(f'-- {number} {kind}')
        getattr(self, kind)()
        return before


def main():
    skip_without_referee()
    print(f'# SOAK_SEED={SEED} SOAK_OPERATIONS={OPERATIONS}')
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='mortise-soak.') as directory:
        os.chdir(directory)
        soak, number = Soak(random.Random(SEED)), 0
        try:
            for number in range(1, OPERATIONS + 1):
                soak.operation(number)
                if number % 100 == 0:
                    soak.ask_referee()
            soak.ask_referee()
        except (AssertionError, subprocess.CalledProcessError, KeyError, OSError) as wrong:
            if os.environ.get('SOAK_KEEP'):
                shutil.copytree('.', os.environ['SOAK_KEEP'], dirs_exist_ok=True)
            print('\n'.join('# ' + line for line in soak.history))
            print(f'# {type(wrong).__name__}: {wrong}')
            print(f'not ok 1 - operation {number}\n1..1')
            return 1
        finally:
            os.chdir('/')
    for verb, count in soak.verbs.items():
        log(verb, 'soak', count)
    print(f'# {dict(soak.counts)}, {soak.referee_checks} states read by cryptsetup, '
          f'{hashlib.sha256(repr(soak.state.seen()).encode()).hexdigest()[:8]}, '
          f'{time.monotonic() - begin:.0f} s')
    print(f'ok 1 - {OPERATIONS} operations as in the model\n1..1')
    return 0


if __name__ == '__main__':
    sys.exit(main())
