#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a program under ptrace(2), with all its children, and looks for secrets in the whole address space of
each process when it ends, and when it is about to die by SIGABRT.
For Linux on processors of 64 bits.

watch.py DIRECTORY PROGRAM: runs PROGRAM each time that arguments, with a NUL after each, are written to the
pipe DIRECTORY/arguments, and writes DIRECTORY/out, err and found, and then the exit status to the pipe
DIRECTORY/status. DIRECTORY/secrets has lines "passphrase TEXT" and "device PATH" of a header whose keys are
secrets, too. Ends if there are no arguments."""
import array
import base64
import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import keys

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
TRACEME, CONT, SETOPTIONS = 0, 7, 0x4200
FORK, VFORK, CLONE, EXEC, EXIT = 1, 2, 3, 4, 6
OPTIONS = sum(1 << event for event in (FORK, VFORK, CLONE, EXEC, EXIT)) | 1 << 20  # EXITKILL
WALL = 0x40000000
PIECE = 16
PAGE = os.sysconf('SC_PAGESIZE')


def ptrace(request, pid, data=0):
    if LIBC.ptrace(request, pid, None, data) < 0 and ctypes.get_errno() != 3:  # ESRCH: killed meanwhile
        raise OSError(ctypes.get_errno(), f'ptrace {request}')


def swap_words(piece):
    """As a key schedule in big-endian words is stored on a little-endian processor."""
    return b''.join(piece[i:i + 4][::-1] for i in range(0, len(piece), 4))


def get_forms(secret):
    """The forms of the secret to search for: pieces of it, because free(3) overwrites the first 16 bytes."""
    rest = secret[PIECE:] if len(secret) >= 2 * PIECE else secret
    ends = {rest[:PIECE], rest[-PIECE:]}
    pieces = ends | {secret[i:i + PIECE] for i in range(0, len(secret) - PIECE + 1, PIECE)}
    # The text of base64 depends on the position of its first byte modulo 3.
    texts = {base64.b64encode(rest[i:][:(len(rest) - i) // 3 * 3])[:24] for i in range(3)}
    return [*(('raw', piece) for piece in pieces),
            *(('words', swap_words(piece)) for piece in pieces if len(piece) == PIECE),
            *(('hex', piece.hex().encode()) for piece in ends),
            *(('HEX', piece.hex().upper().encode()) for piece in ends),
            *(('base64', text) for text in texts)]


class Secrets:
    """Named secrets."""

    def __init__(self, secrets=()):
        self.forms = {}
        for name, secret in secrets:
            self.add(name, secret)

    def add(self, name, secret):
        self.forms[bytes(secret)] = (name, get_forms(bytes(secret)))

    def find(self, memory):
        return {f'{name} in {form}' for name, forms in self.forms.values()
                for form, pattern in forms if pattern in memory}


class Memory:
    """The memory of a stopped process. core: only what a core dump holds."""

    def __init__(self, pid, core=False):
        self.pieces = []
        with open(f'/proc/{pid}/comm', encoding='ascii', errors='replace') as file:
            self.name = file.read().strip()
        with open(f'/proc/{pid}/smaps', encoding='ascii', errors='replace') as file:
            maps = re.split(r'(?m)^(?=[0-9a-f]+-[0-9a-f]+ )', file.read())[1:]
        # A kernel without CONFIG_PROC_PAGE_MONITOR has no pagemap.
        pagemap = f'/proc/{pid}/pagemap'
        pagemap = pagemap if os.path.exists(pagemap) else '/dev/null'
        with open(f'/proc/{pid}/mem', 'rb', buffering=0) as memory, open(pagemap, 'rb', buffering=0) as pages:
            for text in maps:
                self.add(memory, pages, text, core)
        for kind in 'cmdline', 'environ':
            with open(f'/proc/{pid}/{kind}', 'rb') as file:
                self.pieces.append((kind, file.read()))

    def add(self, memory, pages, text, core):
        words = text.split('\n', 1)[0].split(None, 5)
        sizes = dict(re.findall(r'(?m)^(\w+): +(\d+) kB$', text))
        flags = re.search(r'(?m)^VmFlags:(.*)$', text)
        flags = flags.group(1).split() if flags else []
        start, end = (int(word, 16) for word in words[0].split('-'))
        where = words[5] if len(words) > 5 else 'anonymous'
        # A mapping without private pages holds what its file holds.
        if where.startswith('/') and sizes.get('Anonymous') == '0' or where in ('[vvar]', '[vvar_vclock]'):
            return
        if sizes.get('Rss') == sizes.get('Swap') == '0' or core and 'dd' in flags:
            return
        data = b''.join(self.read(memory, at, to) for at, to in self.find_pages(pages, start, end))
        self.pieces.append((f'{words[0]} {words[1]} {where}', data))

    @staticmethod
    def find_pages(pages, start, end):
        """The parts of a mapping that have pages: most of a stack has none."""
        if pages.name != '/dev/null':
            pages.seek(start // PAGE * 8)
        begin = None
        entries = array.array('Q', pages.read((end - start) // PAGE * 8))
        for at, entry in enumerate(entries or [1 << 63] * ((end - start) // PAGE)):
            exists = entry >> 62  # present, or swapped
            if exists and begin is None:
                begin = start + at * PAGE
            elif not exists and begin is not None:
                yield begin, start + at * PAGE
                begin = None
        if begin is not None:
            yield begin, end

    @staticmethod
    def read(memory, at, end):
        data = bytearray()
        memory.seek(at)
        while len(data) < end - at:
            piece = memory.read(end - at - len(data))
            if not piece:
                break
            data += piece
        return bytes(data)

    def find(self, secrets):
        return {f'{self.name}: {what} at {where}' for where, data in self.pieces for what in secrets.find(data)}


def start_traced():
    ptrace(TRACEME, 0)
    # Fails for lack of privileges where the limit is lower.
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


class Run:
    """A finished run: status, out, err; ends: the memory of each process at its end, and forks: that of
    children that executed no other program; aborted: that of a process that got SIGABRT, once with all of
    its memory and once without what is never dumped; dumped: whether there was a core dump."""

    def __init__(self, command, stdin=None, abort_after=None):
        self.status = self.aborted = None
        self.dumped = False
        self.ends = []
        self.forks = []
        self.starts = []
        self.traced = {}
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=err,
                                       preexec_fn=start_traced)
            if abort_after:
                threading.Thread(target=abort, args=(process.pid, abort_after), daemon=True).start()
            self.follow(process.pid)
            process.returncode = self.status
            out.seek(0)
            err.seek(0)
            self.out, self.err = out.read(), err.read()

    def follow(self, first):
        while self.status is None or self.traced:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                break
            if os.WIFSTOPPED(status):
                self.stopped(pid, first, os.WSTOPSIG(status), status >> 16)
                continue
            self.traced.pop(pid, None)
            if pid == first:
                self.status = os.waitstatus_to_exitcode(status)
                self.dumped = os.WCOREDUMP(status)

    def stopped(self, pid, first, number, event):
        if pid not in self.traced:
            ptrace(SETOPTIONS, pid, OPTIONS)
            event = event or (EXEC if pid == first else 0)
            self.traced[pid] = self.forks
        if event == EXIT:
            with open(f'/proc/{pid}/status', encoding='ascii', errors='replace') as file:
                if f'\nTgid:\t{pid}\n' in file.read():
                    self.traced[pid].append(Memory(pid))
        elif event == EXEC:
            self.traced[pid] = self.ends
            for kind in 'cmdline', 'environ':
                with open(f'/proc/{pid}/{kind}', 'rb') as file:
                    self.starts.append(file.read())
        elif number == signal.SIGABRT and pid == first:
            self.aborted = Memory(pid), Memory(pid, core=True)
        deliver = not event and number not in (signal.SIGTRAP, signal.SIGSTOP)
        ptrace(CONT, pid, number if deliver else 0)

    def find(self, secrets, forks_may=False):
        """What the ends of all processes and their command lines and environments hold of the secrets."""
        found = set()
        for end in self.ends + ([] if forks_may else self.forks):
            found |= end.find(secrets)
        for start in self.starts:
            found |= {f'command line or environment: {what}' for what in secrets.find(start)}
        return found


def abort(pid, seconds):
    """SIGABRT after this much processor time, which other programs do not take from it."""
    tick = os.sysconf('SC_CLK_TCK')
    while True:
        try:
            with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as file:
                words = file.read().rsplit(')', 1)[1].split()
        except OSError:
            return
        if words[0] in 'ZX':
            return
        if (int(words[11]) + int(words[12])) / tick >= seconds:
            os.kill(pid, signal.SIGABRT)
            return
        time.sleep(0.01)


def read_secrets(path):
    with open(path, encoding='utf-8') as file:
        lines = [line.rstrip('\n').split(' ', 1) for line in file]
    passphrases = {text: text.encode() for kind, text in lines if kind == 'passphrase'}
    return passphrases, [text for kind, text in lines if kind == 'device']


def answer(directory, command, secrets, headers):
    headers.passphrases, devices = read_secrets(f'{directory}/secrets')
    for text, passphrase in headers.passphrases.items():
        secrets.add(text, passphrase)
    headers.learn(secrets, devices)
    run = Run(command)
    headers.learn(secrets, devices)
    found = run.find(secrets, forks_may=True)
    found |= {f'output: {what}' for what in secrets.find(run.out + run.err)}
    for name, data in ('out', run.out), ('err', run.err), ('found', '\n'.join(sorted(found)).encode()):
        with open(f'{directory}/{name}', 'wb') as file:
            file.write(data)
    with open(f'{directory}/status', 'w', encoding='ascii') as file:
        file.write(f'{run.status if run.status >= 0 else 128 - run.status} {len(run.ends + run.forks)}\n')


def main():
    directory, program = sys.argv[1:]
    secrets, headers = Secrets(), keys.Keys(program, {})
    while True:
        with open(f'{directory}/arguments', 'rb') as file:
            words = file.read().split(b'\0')[:-1]
        if not words:
            return
        try:
            answer(directory, [program.encode(), *words], secrets, headers)
        except Exception:  # pylint: disable=broad-exception-caught  # the caller waits for an answer
            traceback.print_exc()
            with open(f'{directory}/status', 'w', encoding='ascii') as file:
                file.write('99 0\n')


if __name__ == '__main__':
    main()
