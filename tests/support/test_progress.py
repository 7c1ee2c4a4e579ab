"""Progress bars: what they show, and the two ways of switching them off."""

import os
import subprocess
import sys

import pytest

from helpers.support.progress import progress_bar

SHOW = """
from helpers.support.progress import progress_bar
for _ in progress_bar(range(2), delay=0, desc="learning", leave=True): pass
"""


def test_a_bar_that_is_not_shown_passes_everything_on():
    bar = progress_bar([5, 6], show=False)
    assert bar.disable
    assert list(bar) == [5, 6]


@pytest.mark.parametrize("switched_off", ["", "1"])
def test_the_environment_switches_bars_off(switched_off):
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env=os.environ | {"TQDM_DISABLE": switched_off},
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert ("learning: 100%" in done.stderr) == (not switched_off)


def test_of_what_takes_less_than_two_seconds_there_is_no_bar():
    code = SHOW.replace("delay=0, ", "").replace(", leave=True", "")
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"TQDM_DISABLE": ""},
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert done.stderr.strip() == ""
