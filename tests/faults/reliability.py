#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/reliability.md: the table of verbs and experiments.

reliability.py check: the table of verbs is complete, and the document has all of it.
reliability.py regex: the tests that make the figures, for ctest.
reliability.py update LOG: write the figures of a run into the document. LOG has a line
"VERB<TAB>EXPERIMENT<TAB>STATES" for each test; what it lacks keeps its figure."""
import os
import re
import sys

from verbs import REASONS, RUNS, VERBS

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
DOCUMENT = f'{TREE}/docs/reliability.md'
# Column, and the tests that log it.
EXPERIMENTS = {
    'replay': ('cuts, replayed', 'power_cuts'),
    'c': ('cuts, in the library', 'test_[a-z0-9_]*cuts'),
    'guest': ('cuts, in guests', 'guest_(rotation_cuts|reencrypt_cuts|reencrypt_kills)'),
    'calls': ('failing calls', 'failing_calls'),
    'pairs': ('two at once', 'two_at_once'),
    'soak': ('random operations', 'soak'),
    'secrets': ('address spaces searched', 'cli_secrets|guest_secrets'),
}
CUTS = ('replay', 'c', 'guest')
# The figures are between these lines.
BEGIN, END = '`FAULT_SEED` choose others.\n', '## Bugs that'


def program_verbs():
    with open(f'{TREE}/cli/verbs.c', encoding='utf-8') as file:
        return re.findall(r'^\t{ "([A-Za-z0-9]+)", VERB_', file.read(), re.M)


def read_document():
    with open(DOCUMENT, encoding='utf-8') as file:
        return file.read()


def read_rows(text):
    """{verb: [cells]} of the table of figures."""
    first = text[text.index(BEGIN):text.index(END)].split('\n\n')[1]
    rows = [[part.strip() for part in line.strip('|').split('|')]
            for line in first.splitlines() if line.startswith('| `')]
    return {row[0].strip('`'): row[1:] for row in rows}


def number(cell):
    text = cell.replace(',', '')
    return int(text) if text.isdigit() else None


def read_figures(text, log):
    """{(verb, experiment): states}"""
    figures, measured = {}, {}
    for verb, cells in read_rows(text).items():
        for experiment, part in zip(EXPERIMENTS, cells):
            if number(part) is not None:
                figures[verb, experiment] = number(part)
    with open(log, encoding='utf-8') as file:
        for line in file:
            verb, experiment, states = line.rstrip('\n').split('\t')
            key = verb, experiment
            measured[key] = measured.get(key, 0) + int(states)
    return figures | measured


def cell(verb, experiment, figures):
    states = figures.get((verb, experiment))
    return f'{states:,}' if states else VERBS[verb].reason(experiment)


def table(figures):
    lines = ['| verb | ' + ' | '.join(title for title, _ in EXPERIMENTS.values()) + ' | fuzzers |',
             '|---|' + '--:|' * len(EXPERIMENTS) + '---|']
    for name, verb in VERBS.items():
        cells = [cell(name, experiment, figures) for experiment in EXPERIMENTS]
        fuzzers = ', '.join(filter(None, ('arguments', verb.fuzzers.replace('arguments', ''))))
        lines.append(f'| `{name}` | ' + ' | '.join(cells) + f' | {fuzzers} |')
    sums = [sum(states for key, states in figures.items() if key[1] == experiment)
            for experiment in EXPERIMENTS]
    lines.append('| all | ' + ' | '.join(f'{states:,}' for states in sums) + ' | |')
    return lines


def invariants():
    lines = ['| verb | writes | what holds after a cut at any moment |', '|---|---|---|']
    for name, verb in VERBS.items():
        if verb.writes:
            lines.append(f'| `{name}` | {verb.writes} | {verb.holds} |')
    return lines


def update(log):
    text = read_document()
    figures = read_figures(text, log)
    unknown = sorted({verb for verb, _ in figures} - set(VERBS))
    if unknown:
        sys.exit(f'not in the table of verbs: {unknown}')
    reasons = [f'- *{name}*: {reason}' for name, reason in REASONS.items()]
    made = ['', *table(figures), '', 'A word instead of a number is the reason why the experiment does not '
            'apply:', '', *reasons, '', '### What each verb writes, and what must hold', '', *invariants(), '', '']
    begin = text.index(BEGIN) + len(BEGIN)
    text = text[:begin] + '\n'.join(made) + text[text.index(END):]
    with open(DOCUMENT, 'w', encoding='utf-8') as file:
        file.write(text)


def find_faults():
    verbs, runs = program_verbs(), {run.verb for run in RUNS}
    rows = read_rows(read_document())
    yield from (f'{verb} is missing in the table of verbs' for verb in verbs if verb not in VERBS)
    yield from (f'{verb} is not a verb of the program' for verb in [*VERBS, *runs] if verb not in verbs)
    yield from (f'{verb} is missing in docs/reliability.md' for verb in verbs if verb not in rows)
    for name, cells in rows.items():
        verb = VERBS.get(name)
        if not verb:
            yield f'docs/reliability.md: {name} is not a verb'
            continue
        for experiment, text in zip(EXPERIMENTS, cells):
            if number(text) is None and text not in REASONS:
                yield f'docs/reliability.md: {name} has neither a number nor a reason for {experiment}'
        has_cuts = any(number(cells[list(EXPERIMENTS).index(cuts)]) for cuts in CUTS)
        if verb.writes and not has_cuts and not {'parts', 'file'} & {verb.reason(cuts) for cuts in CUTS}:
            yield f'{name} writes, but no experiment cuts the power'
        for experiment, expected in (('replay', any(run.cuts for run in RUNS if run.verb == name)),
                                     ('calls', any(run.fails for run in RUNS if run.verb == name))):
            figure = number(cells[list(EXPERIMENTS).index(experiment)])
            if expected != (figure is not None):
                yield f'docs/reliability.md: {name}, {experiment}: run tools/reliability'
    for test in set(re.findall(r'`(tests/[a-z0-9_./]+)`', read_document())):
        if not os.path.exists(f'{TREE}/{test}'):
            yield f'docs/reliability.md: {test} does not exist'


def check():
    faults = list(find_faults())
    for fault in faults:
        print(f'not ok - {fault}')
    if not faults:
        print(f'ok - {len(VERBS)} verbs')
    return bool(faults)


def main():
    if sys.argv[1:] == ['check']:
        return check()
    if sys.argv[1:] == ['regex']:
        print('^(' + '|'.join(tests for _, tests in EXPERIMENTS.values()) + ')$')
        return 0
    if len(sys.argv) == 3 and sys.argv[1] == 'update':
        update(sys.argv[2])
        return 0
    sys.exit(__doc__)


sys.exit(main())
