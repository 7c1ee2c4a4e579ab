"""What surrounds a notebook that is run here: the book's settings, and none of the user's own.

Used by the tests (conftest.py), execute.py and reproduce.py, so that a cell shows the same under
all three. ``OPENBLAS_CORETYPE`` and its kind stay: some processors need them to compute rightly.
Only what is timed goes without them (``benchmarks``).
"""

import os
from pathlib import Path

# What would change outputs: the kind of pictures, warnings, what runs at the start, asserts left
# out, colours and line breaks in what a command prints.
TAKEN_OUT = (
    "MPLBACKEND", "PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONOPTIMIZE",
    "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS",
)  # fmt: skip
SETTINGS = Path(__file__).resolve().parents[2] / "_build" / "settings"
SET = {
    "IPYTHONDIR": str(SETTINGS / "ipython"),  # a profile without a configuration
    "MATPLOTLIBRC": os.devnull,  # Matplotlib's own defaults
    "KERAS_HOME": str(SETTINGS / "keras"),
    "TQDM_DISABLE": "1",  # a progress bar would be an output
}
UNLESS_SET = {
    "CHARBOOK_DEVICE": "cpu",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",  # threads that spin stall a busy machine
}


def clean(environ):
    """Make environment variables (``os.environ``, or a copy of it) those for running notebooks."""
    for name in TAKEN_OUT:
        environ.pop(name, None)
    SETTINGS.mkdir(parents=True, exist_ok=True)  # or IPython warns
    environ.update(SET)
    for name, value in UNLESS_SET.items():
        environ.setdefault(name, value)
    return environ
