"""Change the helpers in one small place at a time: do the unit tests notice?

    python tools/mutants.py [MODULE ...] [--share 0.1] [--least 60] [--seconds S] [--fresh]

The changes (mutants) are those of mutmut: an operator, a number, a text, an argument, a
value assigned. Each is written into a copy of the book under a temporary folder, and the
tests that execute its line are run there until one fails: a mutant is killed by a failing
test or by taking too long, and survives otherwise. Of each module a random sample is tried
(the same in every run, and part of every larger one). What was tried is kept in
``_build/mutants``, so a run goes on where it stopped, and after a change of the tests only
survivors are tried again. The table goes to ``data/results/mutants.json``.

The checks of the exercises (``checking/lstm`` and so on) are tried only where they are named.
They are tests themselves, full of random sizes and scales of which any would do, and
``tests/test_checks.py`` holds each of them against right and wrong answers.

Survivors that change nothing anybody could see are judged in ``tools/mutants_judged.toml``,
and only the others are shown.
"""

import argparse
import contextlib
import difflib
import gc
import hashlib
import importlib
import json
import math
import os
import platform
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "data/results/mutants.json"
JUDGED = ROOT / "tools/mutants_judged.toml"
STATE = ROOT / "_build/mutants"

SLOWEST = 3.0  # seconds: a test that takes longer is not used
TOGETHER = 8.0  # seconds of tests for one mutant, the nearest and quickest first
# A mutant gets 5 s of processor time and 4 times what its tests took; of real time, 20 times that.
GRACE, PATIENCE, WAITING = 5.0, 4.0, 20
MORE_MEMORY = 4 << 30  # bytes that a mutant may take beyond what is there
NOT_COPIED = [".git", ".venv", "venv", "_build", "__pycache__", ".pytest_cache", ".ruff_cache"]
# Loaded once; each mutant's process begins as a copy of one that has them.
LOADED = ["torch._dynamo", "numpy", "matplotlib.pyplot", "hypothesis.extra.numpy", "nbval.plugin"]
LOADED += ["safetensors.torch", "safetensors.numpy", "pooch", "typer.testing", "tqdm"]
SETTINGS = {"CHARBOOK_DEVICE": "cpu", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
SETTINGS |= {"TQDM_DISABLE": "1", "MPLBACKEND": "agg"}
PYTEST = ["-x", "-q", "-p", "no:cacheprovider", "--tb=no", "--assert=plain"]  # nobody reads why

KILLED, SURVIVED, TIMEOUT = "killed", "survived", "timeout"


@dataclass(frozen=True)
class Mutant:
    """One change of a module: its source after it, and where it is."""

    key: str  # scope, number within it, and a digest of the scope's source
    rank: str  # a digest that puts mutants in the random order of sampling
    lines: tuple  # the statement's first and last line, in the source before the change
    scope: tuple  # likewise of the function or class around it
    nodes: tuple  # what is replaced by what


def mutants_of(source, seed=0):
    """The parsed module and the list of all its mutants, in the order of the source.

    Left alone: docstrings, annotations, decorators, what is raised (the words of an error
    are for people) and calls of len and isinstance, as mutmut does. Of the three changes
    that mutmut makes to a text, the first is made.
    """
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.mutators import mutation_operators

    left_alone = (cst.Annotation, cst.Decorator, cst.Raise, cst.Import, cst.ImportFrom)
    wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    positions = wrapper.resolve(PositionProvider)
    rows = source.splitlines()
    found = []

    def span(node):
        return positions[node].start.line, positions[node].end.line

    class Visitor(cst.CSTVisitor):
        def __init__(self, name, scope):
            self.name, self.scope, self.statement, self.number = name, scope, None, 0
            text = "\n".join(rows[scope[0] - 1 : scope[1]])
            self.digest = hashlib.sha256(text.encode()).hexdigest()[:8]

        def on_visit(self, node):
            called = node.func if isinstance(node, cst.Call) else None
            if isinstance(node, left_alone) or (
                isinstance(called, cst.Name) and called.value in ("len", "isinstance")
            ):
                return False
            if isinstance(node, cst.SimpleStatementLine):
                if isinstance(node.body[0], cst.Expr) and isinstance(
                    node.body[0].value, cst.SimpleString | cst.ConcatenatedString
                ):
                    return False  # a docstring
                self.statement = span(node)
            for kind, operator in mutation_operators:
                if isinstance(node, kind):
                    made = list(operator(node))
                    for new in made[:1] if operator.__name__ == "operator_string" else made:
                        self.add(node, new)
            return True

        def on_leave(self, node):
            if isinstance(node, cst.SimpleStatementLine):
                self.statement = None

        def add(self, node, new):
            place = f"{self.name}:{self.number}"
            self.number += 1
            rank = hashlib.sha256(f"{seed}:{place}".encode()).hexdigest()
            lines = self.statement or (span(node) if node in positions else self.scope)
            found.append(Mutant(f"{place}:{self.digest}", rank, lines, self.scope, (node, new)))

    for statement in wrapper.module.body:
        first = rows[span(statement)[0] - 1][:40]
        name = getattr(getattr(statement, "name", None), "value", first)
        statement.visit(Visitor(name, span(statement)))
    return wrapper.module, found


def changed(module, mutant):
    """The source of a module with one mutant in it."""
    return module.deep_replace(*mutant.nodes).code


def difference(before, after):
    """What a mutant changes, as the lines of a diff: "- old", "+ new"."""
    rows = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [f"{row[0]} {row[1:].strip()}" for row in list(rows)[2:] if row[0] in "+-"]


def wilson(killed, tried, z=1.96):
    """The 95 % interval of a share from a sample (Wilson 1927), as (low, high)."""
    if tried == 0:
        return 0.0, 1.0
    share, extra = killed / tried, z * z / tried
    middle = share + extra / 2
    half = z * math.sqrt(share * (1 - share) / tried + extra / tried / 4)
    return (middle - half) / (1 + extra), (middle + half) / (1 + extra)


# --- running tests in a process of their own


def apart(work, seconds=None):
    """Call ``work()`` in a copy of this process. Returns its number, or "timeout".

    ``seconds`` are of processor time, so that a busy machine makes no difference. A process
    that is ended by a signal, or leaves by itself, gives -1.
    """
    child = os.fork()
    if child == 0:
        code = 70
        try:
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(silence, stream)
            if seconds is not None:
                # Nobody handles these signals, so they end the process.
                signal.setitimer(signal.ITIMER_PROF, seconds)
                signal.setitimer(signal.ITIMER_REAL, WAITING * seconds)
            code = work()
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return TIMEOUT if os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM) else -1
    code = os.WEXITSTATUS(status)
    return -1 if code == 70 else code


class Chosen:
    """A pytest plugin: run these tests in this order, and those that were not there before."""

    def __init__(self, order, known):
        self.order, self.known = {test: i for i, test in enumerate(order)}, known

    def pytest_collection_modifyitems(self, items):
        new = len(self.order)
        items[:] = sorted(
            (i for i in items if i.nodeid in self.order or i.nodeid not in self.known),
            key=lambda item: self.order.get(item.nodeid, new),
        )


class Watching:
    """A pytest plugin: which lines of helpers each test executes, how long, how it ends."""

    def __init__(self, coverage):
        self.coverage, self.tests, self.now = coverage, {}, None
        sys.addaudithook(self.audit)

    def audit(self, event, _):
        started = event in ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn")
        if started and self.now:
            self.tests[self.now]["why not"] = "starts another process"

    def pytest_runtest_logstart(self, nodeid):
        self.now = nodeid
        # Of processor time, so that a busy machine does not leave other tests out.
        self.tests[nodeid] = {"start": time.process_time(), "why not": None}
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report):
        if not report.passed:
            self.tests[report.nodeid]["why not"] = report.outcome

    def pytest_runtest_logfinish(self, nodeid):
        test = self.tests[nodeid]
        test["seconds"] = time.process_time() - test.pop("start")
        if test["seconds"] > SLOWEST:
            test["why not"] = test["why not"] or f"slower than {SLOWEST:g} s"


def watch(folder, test_file):
    """Run a file of tests under coverage. Returns ``{test: {seconds, why not, lines}}``.

    ``lines`` is ``{module: [line, ...]}`` of what the test executes in helpers.
    """
    report = folder / "watched.json"

    def work():
        import coverage
        import pytest

        enter(folder)
        tracer = coverage.Coverage(data_file=None, include=[str(folder / "helpers/*")])
        tracer.start()
        plugin = Watching(tracer)
        pytest.main(["-q", "-p", "no:cacheprovider", test_file], plugins=[plugin])
        tracer.stop()
        data = tracer.get_data()
        for test in plugin.tests.values():
            test["lines"] = {}
        for path in data.measured_files():
            module = Path(path).relative_to(folder / "helpers").with_suffix("").as_posix()
            lines = defaultdict(list)
            for line, contexts in data.contexts_by_lineno(path).items():
                for test in contexts:
                    lines[test].append(line)
            for test, executed in lines.items():
                if test in plugin.tests:
                    plugin.tests[test]["lines"][module] = executed
        report.write_text(json.dumps(plugin.tests))
        return 0

    if apart(work) != 0:
        raise SystemExit(f"{test_file}: its tests could not be run")
    return json.loads(report.read_text())


def enter(folder):
    """Make this process one that works in a copy of the book."""
    os.chdir(folder)
    sys.path[:] = [str(folder), *(p for p in sys.path if p not in (str(ROOT), str(ROOT / "tools")))]


def attempt(folder, path, source, tests, known):
    """Write a source into the copy, run the tests, put the old one back. KILLED, ... is told.

    ``tests`` is ``{test: seconds}`` in the order in which they run; ``known`` are all tests.
    """
    if not tests:
        return SURVIVED
    before = (folder / path).read_text()
    first, *others = dict.fromkeys(test.partition("::")[0] for test in tests)
    place = folder / "made"

    def work():
        import pytest

        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (now + MORE_MEMORY, now + MORE_MEMORY))
        sys.dont_write_bytecode = True
        enter(folder)
        for files in ([first], others):  # most mutants need not wait for the other files
            options = [*PYTEST, f"--basetemp={place}", *files]
            if files and (code := pytest.main(options, plugins=[Chosen(tests, known)])):
                return code
        return 0

    try:
        (folder / path).write_text(source)
        found = apart(work, GRACE + PATIENCE * sum(tests.values()))
    finally:
        (folder / path).write_text(before)
        shutil.rmtree(place, ignore_errors=True)
    if found == TIMEOUT:
        return TIMEOUT
    return SURVIVED if found == 0 else KILLED


@contextlib.contextmanager
def copy_of_the_book():
    """A temporary copy of what the tests need; nothing is ever changed in the book itself."""
    with tempfile.TemporaryDirectory(prefix="charbook-mutants-") as name:
        folder = Path(name).resolve() / "book"
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
        yield folder


def prepare():
    """Settings and packages that every mutant's process starts with; never the helpers."""
    os.environ.update(SETTINGS)
    for name in LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # what is there now need not be looked through, and so copied, in each process


# --- what is tried, and what is remembered


def modules(below=""):
    """Every module of helpers, or of a folder below it such as "checking/", by its name."""
    paths = (ROOT / "helpers" / below).glob("*.py")
    return sorted(below + p.stem for p in paths if p.stem != "__init__")


def test_files():
    """The unit tests: one file for each module, and those that go across modules."""
    names = [f"test_{name.strip('_')}" for name in (*modules(), "properties", "hostile")]
    return [f"tests/{n}.py" for n in names if (ROOT / "tests" / f"{n}.py").exists()]


def digest(*paths, also=()):
    """One digest of several files' contents, and of names beside them."""
    parts = [*(Path(p).read_bytes() for p in sorted(paths)), *(n.encode() for n in sorted(also))]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def watched(folder):
    """``{test: {seconds, why not, lines}}`` of all unit tests, from the last run where it holds."""
    kept = STATE / "tests.json"
    below = [*folder.glob("helpers/**/*.py"), folder / "conftest.py"]
    new = {}
    for name in test_files():
        old = json.loads(kept.read_text()) if kept.exists() else {}
        now = digest(*below, folder / name)
        if old.get(name, {}).get("digest") != now:
            print(f"  which lines does {name} execute?", flush=True)
            old[name] = {"digest": now, "tests": watch(folder, name)}
            write(kept, old)
        new[name] = old[name]
    return {test: about for name in new for test, about in new[name]["tests"].items()}


def choice(module, mutant, tests):
    """The tests for a mutant, ``{test: seconds}``: those that execute its line, then the rest
    of its module's own (a fixture or an import may have executed it for another test)."""
    own = f"tests/test_{module.strip('_')}.py"

    def covers(about, lines):
        return any(lines[0] <= n <= lines[1] for n in about["lines"].get(module, ()))

    usable = {t: a for t, a in tests.items() if not a["why not"]}
    nearest = [t for t, a in usable.items() if covers(a, mutant.lines)]
    if not nearest:
        nearest = [t for t, a in usable.items() if covers(a, mutant.scope)]
    if not nearest:  # what an import executes, such as a constant: all that use the module
        nearest = [t for t, a in usable.items() if module in a["lines"]]
    nearest = dict.fromkeys(nearest)
    order = sorted(
        (t for t in usable if t in nearest or t.startswith(own)),
        key=lambda t: (t not in nearest, not t.startswith(own), usable[t]["seconds"]),
    )
    chosen, total = {}, 0.0
    for test in order:
        total += usable[test]["seconds"]
        if total > TOGETHER:
            break
        chosen[test] = usable[test]["seconds"]
    return chosen


def write(path, content):
    """Write a file as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_text(json.dumps(content, indent=1) + "\n")
    path.with_suffix(".part").replace(path)


def judgement(module, rows, table):
    """Why a survivor is no fault, or None: the first row of the table that fits it.

    ``rows`` are the lines of its diff. A row of the table stands under a module or "any",
    and has these lines joined by " / " as ``change``, or a pattern of them as ``like``.
    """
    text = " / ".join(rows)
    for row in (*table.get(module, ()), *table.get("any", ())):
        if row.get("change") == text or re.fullmatch(row.get("like", "(?!)"), text):
            return row["why"]
    return None


def try_module(folder, name, tests, options, until):
    """Try a sample of one module's mutants; returns its row of the table."""
    source = (folder / f"helpers/{name}.py").read_text()
    module, found = mutants_of(source, options.seed)
    size = min(len(found), max(options.least, round(options.share * len(found))))
    sample = sorted(found, key=lambda mutant: mutant.rank)[:size]
    kept = STATE / f"{name}.json"
    known = json.loads(kept.read_text()) if kept.exists() and not options.fresh else {}
    if not known:
        control(folder, name, tests)
    for number, mutant in enumerate(sample, start=1):
        after = changed(module, mutant)
        chosen = choice(name, mutant, tests)
        # A kill stays a kill; a survivor is tried again when there are other tests.
        which = digest(*{folder / test.partition("::")[0] for test in chosen}, also=chosen)
        old = known.get(mutant.key)
        if old and (old["found"] != SURVIVED or old["tests"] == which):
            continue
        if time.monotonic() > until:
            break
        start = time.perf_counter()
        verdict = attempt(folder, f"helpers/{name}.py", after, chosen, tests.keys())
        seconds, rows = round(time.perf_counter() - start, 2), difference(source, after)
        known[mutant.key] = {"found": verdict, "seconds": seconds, "tests": which, "diff": rows}
        write(kept, known)
        if verdict == SURVIVED and not judgement(name, rows, options.judged):
            print(f"  {number} of {size}:", *rows, sep="\n    ", flush=True)
    tried = [known[mutant.key] for mutant in sample if mutant.key in known]
    return {
        "source": digest(folder / f"helpers/{name}.py"),
        **summary(name, len(found), tried, options),
    }


def summary(name, total, tried, options):
    """One row of the table: how many, how many were killed, and who survived."""
    killed = sum(one["found"] != SURVIVED for one in tried)
    survivors = [one["diff"] for one in tried if one["found"] == SURVIVED]
    judged = {" / ".join(diff): judgement(name, diff, options.judged) for diff in survivors}
    low, high = wilson(killed, len(tried))
    return {
        "mutants": total,
        "tried": len(tried),
        "killed": killed,
        "timeouts": sum(one["found"] == TIMEOUT for one in tried),
        "survived": len(survivors),
        "equivalent": sum(judged[" / ".join(diff)] is not None for diff in survivors),
        "share_killed": round(killed / len(tried), 4) if tried else None,
        "interval": None if len(tried) == total else [round(low, 4), round(high, 4)],
        "seconds": round(sum(one["seconds"] for one in tried), 1),
        "survivors": [{"diff": d, "judged": judged[" / ".join(d)]} for d in survivors],
    }


def control(folder, name, tests):
    """Refuse to go on where the unchanged module fails its tests: every mutant would "die"."""
    path = f"helpers/{name}.py"
    whole = Mutant("", "", (0, 0), (0, 0), ())
    chosen = choice(name, whole, tests)
    if attempt(folder, path, (folder / path).read_text(), chosen, tests.keys()) != SURVIVED:
        raise SystemExit(f"{name}: the tests fail without any change")


def table(rows):
    """The lines of the table, and a last one for all modules."""
    heads = ("mutants", "tried", "killed", "timeouts", "survived", "equivalent", "seconds")
    yield f"{'module':14}" + "".join(f"{h:>11}" for h in heads) + f"{'killed':>9}  95 % interval"
    whole = {h: sum(row[h] for row in rows.values()) for h in heads}
    for name, row in (*rows.items(), ("all", whole)):
        share = f"{row['killed'] / row['tried']:9.1%}" if row["tried"] else f"{'-':>9}"
        low, high = row.get("interval") or (None, None)
        interval = f"  {low:.1%} to {high:.1%}" if low is not None else ""
        numbers = (f"{round(row[h]):11d}" for h in heads)
        yield f"{name:14}" + "".join(numbers) + share + interval


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="of helpers; default all")
    parser.add_argument("--share", type=float, default=0.0, help="of each module's mutants")
    parser.add_argument("--least", type=int, default=60, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after these")
    parser.add_argument("--fresh", action="store_true", help="forget what was tried before")
    options = parser.parse_args()
    if unknown := set(options.modules) - {*modules(), *modules("checking/")}:
        parser.error(f"no module of helpers: {', '.join(sorted(unknown))}")
    options.judged = tomllib.loads(JUDGED.read_text())
    until = time.monotonic() + options.seconds
    prepare()
    new = {}
    with copy_of_the_book() as folder:
        tests = watched(folder)
        for name in options.modules or modules():
            if time.monotonic() > until:
                break
            print(name, flush=True)
            new[name] = try_module(folder, name, tests, options, until)
    left_out = defaultdict(list)
    for test, about in tests.items():
        if about["why not"]:
            left_out[about["why not"]].append(test)
    old = json.loads(RESULT.read_text())["modules"] if RESULT.exists() else {}
    rows = dict(sorted((old | new).items()))
    print("\n".join(table(rows)))
    record = {
        "command": "make mutants",
        "date": str(date.today()),
        "python": platform.python_version(),
        "seed": options.seed,
        "tests": {"used": sum(not a["why not"] for a in tests.values()), "left out": left_out},
        "modules": rows,
    }
    write(RESULT, record)


if __name__ == "__main__":
    main()
