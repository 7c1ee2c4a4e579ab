"""python -m tools.runs: see the package."""

import argparse
import importlib
import pkgutil
import sys

from tools import runs
from tools.runs.common import RUNS, NotHere, check, store

for module in pkgutil.iter_modules(runs.__path__):  # each file declares its chapter's runs
    if module.name not in ("__main__", "playground_models"):
        importlib.import_module(f"{runs.__name__}.{module.name}")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m tools.runs",
        description=runs.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every run")
    parser.add_argument("--list", action="store_true", help="the names, and the files they are in")
    parser.add_argument(
        "--check", action="store_true", help="repeat the first losses of NAMEs, or all"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in RUNS]:
        parser.error(f"there is no run {unknown[0]!r}; there are {', '.join(RUNS)}")
    if options.list:
        for name, run in RUNS.items():
            print(f"{name:32} {run.train.__module__.rpartition('.')[2]}")
        return 0
    names = list(RUNS) if options.all or (options.check and not options.names) else options.names
    if not names:
        parser.error("name a run, or say --all, --list or --check")
    if options.check:
        return max([check_and_print(name) for name in names])
    for name in names:
        store(name)
    return 0


def check_and_print(name):
    """0 where a stored result comes out again, or where its corpus is not here; else 1."""
    try:
        wrong = check(name)
    except (FileNotFoundError, NotHere) as error:
        print(f"{name}: skipped, {error}", flush=True)
        return int(isinstance(error, FileNotFoundError))
    print(f"{name}: {'; '.join(wrong) or 'the same'}", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
