#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""After each verb, none of the passphrases, area keys and volume keys is left: in the memory of any process
that ended, in argv, the environment, the output with --debug, the files that the verb wrote, or /run. A
core dump in the middle of a derivation holds none either. tests/guest/secrets.sh has the verbs that need
device-mapper; a verb of cli/verbs.c that neither script runs is a failure.

verbs.py --guest: print the verbs that the guest runs. MORTISE: the program."""
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import keys
import watch

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
MORTISE = os.path.realpath(os.environ.get('MORTISE', 'mortise'))
GUEST = ('apply', 'attach', 'close', 'continue', 'detach', 'down', 'grow', 'luksResume', 'luksSuspend', 'open',
         'plan', 'reencrypt', 'refresh', 'reset', 'resize', 'status', 'trim', 'up')
CHEAP = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000']
SMALL = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '1m', '--offset', '4096']
NODE = '8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815'
PASSPHRASES = {'old': b'correct horse battery staple, 48 bytes in all ++',
               'new': b'another passphrase, of the new keyslot, 47 bytes'}
# What the tests themselves write: files that hold a secret on purpose.
INPUTS = {'old', 'new', 'volume-key', 'recovery', 'config.yaml', 'tag9'}
RUN = [Path(path) for path in ('/run/mortise', '/run/cryptsetup')]


def read_data(path):
    """The file without its holes."""
    pieces = []
    with open(path, 'rb') as file:
        at, end = 0, os.path.getsize(path)
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            stop = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            pieces.append(os.pread(file.fileno(), stop - at, at))
            at = stop
    return b''.join(pieces)


class Test:
    """Runs the verbs in a directory of its own, and counts what was searched."""

    def __init__(self):
        self.number = self.failed = 0
        self.searched = {}
        self.secrets = watch.Secrets(PASSPHRASES.items())
        self.keys = keys.Keys(MORTISE, PASSPHRASES)
        self.clean = set()  # files in which nothing was found
        self.servers = []

    def result(self, good, what, details=()):
        self.number += 1
        self.failed += not good
        print(f'{"ok" if good else "not ok"} {self.number} - {what}')
        for line in () if good else details:
            print(f'# {line}')
        sys.stdout.flush()

    def learn(self):
        """Adds the keys of all headers in the directory."""
        self.keys.learn(self.secrets, [path for path in Path('.').iterdir() if path.is_file()])

    def find_in_files(self, allowed):
        found = set()
        files = [path for path in Path('.').rglob('*') if path.name not in INPUTS | set(allowed)]
        for directory in RUN:
            files += directory.rglob('*') if directory.is_dir() else []
        for path in files:
            state = path.stat()
            state = path, state.st_ino, state.st_mtime_ns, state.st_size
            if path.is_file() and state not in self.clean:
                now = {f'{path}: {what}' for what in self.secrets.find(read_data(path))}
                found |= now
                if not now:
                    self.clean.add(state)
        return found

    def forgets(self, verb, *arguments, status=0, stdin=None, what='', shown=(), before=(), meta=False):
        """Runs a verb. shown: names of files, or "out", that may have secrets. meta: a child that only
        probes META ends with its buffers, which libblkid does not wipe."""
        self.learn()
        command = [*before, MORTISE, verb, *arguments]
        if isinstance(stdin, str):
            with open(stdin, 'rb') as file:
                run = watch.Run(command, file)
        else:
            run = watch.Run(command, stdin)
        for match in re.findall(rb'(?:[cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}',
                                Path('recovery').read_bytes() if Path('recovery').exists() else b''):
            self.keys.passphrases['recovery'] = match
            self.secrets.add('recovery key', match)
        self.learn()
        found = run.find(self.secrets, forks_may=meta) | self.find_in_files(shown)
        for name, text in ('out', run.out), ('err', run.err):
            if name not in shown:
                found |= {f'standard {name}: {secret}' for secret in self.secrets.find(text)}
        what = what or ' '.join([verb, *(word for word in arguments if word != '--debug')])[:90]
        good = run.status == status and not found and run.ends
        self.searched[verb] = self.searched.get(verb, 0) + len(run.ends + run.forks)
        self.result(good, what, [f'status {run.status}', *sorted(found),
                                 *run.err.decode(errors='replace').splitlines()[-5:]])
        return run

    def dies(self, verb, *arguments, what):
        """Aborts it in the middle of a derivation."""
        self.learn()
        run = watch.Run([MORTISE, verb, *arguments], abort_after=0.3)
        good = run.status == -6 and run.aborted
        self.result(good and not run.dumped, f'{what}: no core dump', [f'status {run.status}', run.err])
        found = [memory.find(self.secrets) for memory in run.aborted] if good else [(), ()]
        self.result(found[0], f'{what}: it is in the middle, and has a secret in its memory')
        # Crypto libraries keep what they use in their own memory, but no other copy.
        lines = {line for line in found[1] if '[heap]' not in line}
        self.result(not lines, f'{what}: it is in memory that is never dumped, and in the heap', lines)
        self.searched[verb] = self.searched.get(verb, 0) + 1

    def serve(self, command, ready):
        # pylint: disable=consider-using-with
        self.servers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL))
        for _ in range(3000):
            if ready():
                return
            time.sleep(0.1)
        sys.exit(f'{command[0]} does not start')


def fresh(size=20 << 20, name='image'):
    Path(name).unlink(missing_ok=True)
    with open(name, 'wb') as file:
        file.truncate(size)


def must(*arguments):
    done = subprocess.run([MORTISE, *arguments], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f'{arguments}: {done.stderr.decode()}')


def formatted(*options, passphrase='old', size=20 << 20, name='image'):
    fresh(size, name)
    must('luksFormat', '-q', *(CHEAP if '--pbkdf' not in options else ()), *SMALL, *options, name, passphrase)


def by_terminal(test, verb, *arguments, lines, what):
    """The passphrases are typed on a terminal, which must not show them."""
    leader, follower = pty.openpty()
    shown = [b'']

    def type_lines():
        for line in [*lines, b'']:
            before = len(shown)
            while not b''.join(shown[before:]).endswith(b': '):
                try:
                    shown.append(os.read(leader, 4096))
                except OSError:
                    return
            os.write(leader, line + b'\n')

    thread = threading.Thread(target=type_lines, daemon=True)
    thread.start()
    with os.fdopen(follower, 'rb+', buffering=0) as terminal:
        test.forgets(verb, *arguments, stdin=terminal, what=what, before=['setsid', '--ctty'])
    thread.join()
    os.close(leader)
    shown = b''.join(shown)
    test.result(b'passphrase' in shown and not test.secrets.find(shown), f'{what}: the terminal does not show it',
                [repr(shown)])


def test_controls(test):
    """What is leaked is found."""
    run = watch.Run([MORTISE, 'isLuks', PASSPHRASES['old'].decode()])
    found = ' '.join(run.find(test.secrets))
    test.result('old in raw at cmdline' in found and '[stack]' in found and 'command line' in found,
                'the arguments are found', [found])
    run = watch.Run(['python3', '-c', 'import base64\na = open("old", "rb").read()\n'
                     'b = a.hex()\nc = b.upper()\nd = base64.b64encode(a)\n'
                     'e = b"".join(a[i:i + 4][::-1] for i in range(0, len(a), 4))\n'
                     'import os\nos._exit(0)'])
    found = run.find(test.secrets)
    forms = {form for form in ('raw', 'hex', 'HEX', 'base64', 'words')
             if any(f'old in {form} at' in line for line in found)}
    test.result(len(forms) == 5, f'each form is found: {" ".join(sorted(forms))}', found)
    run = watch.Run(['sh', '-c', 'python3 -c "import os; a = open(\\"old\\").read(); b = a * 2; os._exit(0)"; :'])
    test.result(len(run.ends) == 2 and not run.forks and run.find(test.secrets), 'what a child leaks is found')


def test_basic(test):
    fresh()
    test.forgets('luksFormat', '-q', '--debug', *CHEAP, *SMALL, 'image', 'old')
    keyslot = ['--pbkdf', 'argon2id', '--pbkdf-memory', '1024', '--pbkdf-parallel', '4', '--pbkdf-force-iterations', '4']
    test.forgets('luksAddKey', '-q', '--debug', *keyslot, '-d', 'old', 'image', 'new')
    test.forgets('open', '--debug', '--test-passphrase', '-d', 'old', 'image')
    test.forgets('open', '--debug', '--test-passphrase', 'image', stdin='new', what='open, standard input')
    test.forgets('open', '--debug', '--test-passphrase', '-d', 'old', '-S', '1', 'image', status=2)
    by_terminal(test, 'open', '--test-passphrase', 'image', lines=[PASSPHRASES['new']], what='open, terminal')
    for arguments in ['image'], ['--dump-json-metadata', 'image']:
        test.forgets('luksDump', '--debug', *arguments)
    test.forgets('luksDump', '-q', '--dump-volume-key', '-d', 'old', 'image', shown=['out'])
    test.forgets('luksDump', '-q', '--debug', '--dump-volume-key', '-d', 'old', '--volume-key-file', 'volume-key',
                 'image', shown=['volume-key'])
    test.forgets('luksAddKey', '-q', '--debug', *CHEAP, '--volume-key-file', 'volume-key', 'image', 'new')
    test.forgets('luksConvertKey', '-q', '--debug', *CHEAP, '--hash', 'sha512', '-S', '1', '-d', 'new', 'image')
    test.forgets('luksChangeKey', '-q', '--debug', *CHEAP, '-S', '1', '-d', 'new', 'image', 'old')
    test.forgets('luksKillSlot', '-q', '--debug', '-d', 'new', 'image', '1')
    test.forgets('luksRemoveKey', '-q', '--debug', 'image', 'new')
    test.forgets('luksUUID', '-q', '--debug', '--uuid', NODE, 'image')
    test.forgets('isLuks', '--debug', 'image')
    test.forgets('config', '-q', '--debug', '--label', 'x', 'image')
    test.forgets('seal', '-q', '--debug', '-d', 'old', 'image')
    test.forgets('seal', '-q', '--debug', '--check', '-d', 'old', 'image')
    test.forgets('check', '--debug', '-d', 'old', 'image', status=7)
    test.forgets('attach', '--test-args', 'v', 'image', os.path.realpath('old'))
    test.forgets('token', 'add', '--debug', '--key-description', 'x', '-S', '0', 'image')
    test.forgets('token', 'export', '--debug', '--token-id', '0', 'image', '--json-file', 'token')
    test.forgets('token', 'import', '--debug', 'image', '--json-file', 'token')
    test.forgets('luksHeaderBackup', '--debug', 'image', '--header-backup-file', 'backup')
    test.forgets('luksHeaderRestore', '-q', '--debug', 'image', '--header-backup-file', 'backup')
    with open('image', 'r+b') as file:
        file.seek(4096)
        file.write(b'x')
    test.forgets('repair', '-q', '--debug', 'image')
    test.forgets('erase', '-q', '--debug', 'image')
    Path('backup').unlink()
    fresh()
    test.forgets('luksFormat', '-q', '--debug', *CHEAP, *SMALL, '--volume-key-file', 'volume-key', 'image', 'old',
                 what='luksFormat --volume-key-file')
    by_terminal(test, 'luksAddKey', *CHEAP, '-d', 'old', 'image', lines=[PASSPHRASES['new']] * 2,
                what='luksAddKey, terminal')


def test_convert(test):
    if not has('luks1 yes'):
        return
    fresh()
    must('luksFormat', '-q', *CHEAP, *SMALL, '--sector-size', '512', 'image', 'old')
    test.forgets('convert', '-q', '--debug', '--type', 'luks1', 'image')
    test.forgets('open', '--debug', '--test-passphrase', '-d', 'old', 'image', what='open of LUKS1')
    test.forgets('luksAddKey', '-q', '--debug', *CHEAP, '-d', 'old', 'image', 'new', status=1,
                 what='luksAddKey of LUKS1')
    test.forgets('convert', '-q', '--debug', '--type', 'luks2', 'image')


def test_enroll(test):
    formatted()
    test.forgets('enroll', '--debug', 'image', '--recovery-key', '-d', 'old', '--recovery-file', 'recovery')
    test.forgets('open', '--debug', '--test-passphrase', 'image', stdin='recovery', what='open, recovery key')
    if has('keys .*kms.*') and shutil.which('node'):
        packages = subprocess.check_output([TREE / 'tools/npm-packages'], text=True).strip()
        test.serve(['env', f'NODE_PATH={packages}', 'node', str(TREE / 'tests/kms/server.mjs'), '--port-file',
                    'port'], lambda: Path('port').exists() and Path('port').read_text(encoding='ascii'))
        port = Path('port').read_text(encoding='ascii').strip()
        endpoint = f'127.0.0.1:{port}'
        test.forgets('enroll', '--debug', 'image', '--kms', endpoint, '--node-uuid', NODE, '-d', 'old')
        test.forgets('open', '--debug', '--test-passphrase', '--token-only', '--kms', endpoint, '--node-uuid', NODE,
                     'image')
    if has('keys .*tpm.*') and shutil.which('swtpm') and shutil.which('tpm2_pcrextend'):
        tpm = os.path.realpath('tpm')
        os.mkdir(tpm)
        test.serve(['swtpm', 'socket', '--tpm2', '--tpmstate', f'dir={tpm}', '--server', f'type=unixio,path={tpm}/s',
                    '--ctrl', f'type=unixio,path={tpm}/s.ctrl', '--flags', 'not-need-init,startup-clear'],
                   lambda: Path('tpm/s').exists() and Path('tpm/s.ctrl').exists())
        tcti = f'swtpm:path={tpm}/s'
        subprocess.run(['tpm2_pcrextend', f'7:sha256={"ab" * 32}'], env={**os.environ, 'TPM2TOOLS_TCTI': tcti},
                       check=True)
        test.forgets('enroll', '--debug', 'image', '--tpm', '-d', 'old', '--tcti', tcti)
        test.forgets('open', '--debug', '--test-passphrase', '--token-only', '--token-type', 'talos-tpm2',
                     '--tcti', tcti, 'image')


def test_reencrypt(test):
    if not has('reencrypt yes'):
        return
    offline = ['-q', '--debug', '--force-offline-reencrypt', '-d', 'old']
    formatted(size=4 << 20)
    test.forgets('reencrypt', *offline, *CHEAP, '--init-only', 'image')
    test.forgets('open', '--debug', '--test-passphrase', '-d', 'old', 'image', what='open of a volume in reencryption')
    test.forgets('reencrypt', *offline, '--resume-only', 'image')
    test.forgets('reencrypt', *offline, *CHEAP, '--resilience', 'journal', '--hotzone-size', '256k', 'image')
    test.forgets('reencrypt', *offline, '--decrypt', '--header', 'header', 'image')
    Path('header').unlink()
    fresh(2 << 20, 'data')
    test.forgets('reencrypt', *offline, *CHEAP, '--encrypt', '--header', 'header', 'data')
    Path('header').unlink()


def test_declared(test):
    if not has('declared yes'):
        return
    formatted('--key-slot', '0')
    Path('config.yaml').write_text(f'''apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
encryption: {{provider: luks2, keys: [{{static: {{passphrase: "{PASSPHRASES['old'].decode()}"}}, slot: 0}}]}}
''', encoding='ascii')
    fresh(40 << 20, 'blank')
    for device in 'image', 'blank':
        for option in (), ('--json',):
            test.forgets('plan', *option, '-f', 'config.yaml', '--device', f'data={device}')
    for option in (), ('--json',):
        test.forgets('status', *option, '-f', 'config.yaml', '--device', 'data=image', status=1)
    key = {'EncryptionProvider': 'luks2',
           'EncryptionKeys': [{'KeySlot': 0, 'KeyStatic': {'KeyData': PASSPHRASES['old'].decode()}}]}
    Path('tag9').write_text(json.dumps(key), encoding='ascii')
    fresh(1 << 20, 'meta')
    meta = ['--device', 'META=meta']
    # META holds the passphrase of STATE, as Talos writes it; get prints it.
    test.forgets('meta', 'set', '9', 'tag9', *meta, meta=True, shown=['meta'])
    test.forgets('meta', 'set', '9', 'tag9', *meta, meta=True, shown=['meta'], what='meta set, unchanged')
    Path('tag10').write_text('value', encoding='ascii')
    test.forgets('meta', 'set', '10', 'tag10', *meta, meta=True, shown=['meta'])
    for option in (), ('--json',):
        test.forgets('meta', 'list', *option, *meta, meta=True, shown=['meta', 'out'])
    test.forgets('meta', 'get', '9', *meta, meta=True, shown=['meta', 'out'])
    # STATE cannot be mounted here; META is read, and its key is tried.
    test.forgets('plan', *meta, '--device', 'STATE=image', meta=True, shown=['meta'], status=0)
    test.forgets('up', '--wait', '0', *meta, '--device', 'STATE=image', meta=True, shown=['meta'], status=1)
    test.forgets('meta', 'delete', '9', *meta, meta=True, shown=['meta'])
    test.forgets('reset', '--yes', 'data', '--device', 'data=image')
    Path('meta').unlink()


def test_benchmark(test):
    if not has('benchmark yes'):
        return
    formatted()
    test.forgets('benchmark', 'unlock', 'image', '-d', 'old', '--runs', '1')


def test_crashes(test):
    """Each derivation takes much longer than what is waited for."""
    run = watch.Run(['sh', '-c', 'kill -ABRT $$'])
    test.result(run.status == -6 and run.aborted, 'a process that aborts')
    print(f'# core dumps are {"on" if run.dumped else "off"} here')
    slow = {'pbkdf2': ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '20000000'],
            'argon2id': ['--pbkdf', 'argon2id', '--pbkdf-memory', '4096', '--pbkdf-parallel', '4',
                         '--pbkdf-force-iterations', '5000']}
    for name, options in slow.items():
        formatted(size=4 << 20)
        test.dies('luksAddKey', '-q', *options, '-d', 'old', 'image', 'new', what=f'luksAddKey, {name}')
    if has('reencrypt yes'):
        formatted(size=4 << 20)
        test.dies('reencrypt', '-q', '--force-offline-reencrypt', *slow['pbkdf2'], '-d', 'old', 'image',
                  what='reencrypt, pbkdf2')


def has(line):
    version = subprocess.run([MORTISE, '--version'], capture_output=True, text=True, check=True).stdout
    return re.search(f'(?m)^{line}$', version)


def get_verbs():
    """The verbs of cli/verbs.c, without those that are refused."""
    table = (TREE / 'cli/verbs.c').read_text(encoding='utf-8').split('verbs[] = {', 1)[1].split('\n};', 1)[0]
    return [name for name, rest in re.findall(r'\{ "(\w+)", (VERB_\w+)', table) if rest != 'VERB_FOREIGN']


def main():
    if sys.argv[1:] == ['--guest']:
        print('\n'.join(GUEST))
        return 0
    try:
        watch.Run([MORTISE, '--version'])
    except (PermissionError, subprocess.SubprocessError):
        print('skipped: the memory of the program cannot be read')
        return 77
    test = Test()
    with tempfile.TemporaryDirectory(prefix='mortise-secrets.') as directory:
        os.chdir(directory)
        for name, passphrase in PASSPHRASES.items():
            Path(name).write_bytes(passphrase)
        try:
            for part in (test_controls, test_basic, test_convert, test_enroll, test_reencrypt, test_declared,
                         test_benchmark, test_crashes):
                if len(sys.argv) == 1 or part.__name__[5:] in sys.argv[1:]:
                    start = time.monotonic()
                    test.secrets = watch.Secrets(PASSPHRASES.items())
                    test.keys = keys.Keys(MORTISE, PASSPHRASES)
                    part(test)
                    print(f'# {part.__name__}: {time.monotonic() - start:.1f} s')
        finally:
            for server in test.servers:
                server.kill()
            os.chdir('/')
    if len(sys.argv) == 1:
        lacking = [verb for verb in get_verbs() if verb not in GUEST and verb not in test.searched
                   and supports(verb)]
        test.result(not lacking, 'each verb was run here or runs in the guest', lacking)
    log = os.environ.get('RELIABILITY_LOG')
    if log:
        with open(log, 'a', encoding='ascii') as file:
            file.write(''.join(f'{verb}\tsecrets\t{count}\n' for verb, count in test.searched.items()))
    print(f'1..{test.number}\n# {sum(test.searched.values())} address spaces searched')
    return test.failed != 0


def supports(verb):
    done = subprocess.run([MORTISE, verb], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return 'is not supported by this version' not in done.stderr


sys.exit(main())
