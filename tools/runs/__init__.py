"""Runs too long for a page: made here, stored in data/results/, read by the chapters.

    python -m tools.runs NAME [NAME ...]      make these, or --all; --list names them
    python -m tools.runs --check [NAME ...]   repeat the first losses of what is stored

One file per chapter. A result holds its configurations, the versions, the machine, the date,
its corpus's SHA-256 and, of each model, the first twenty losses. That the configurations and
the SHA-256 are those of today, and that the first losses come out again, is what guards it
(tests/tools/test_runs.py).
"""
