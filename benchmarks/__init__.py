"""What is timed against what. One thread on the CPU, and the instructions that a library of
products chooses by itself: set here before any module loads torch or NumPy."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CHARBOOK_DEVICE", "cpu")


def as_installed(environment):
    """An environment without what tells a library of products which instructions to use."""
    choices = ("OPENBLAS_", "MKL_", "ONEDNN_", "ATEN_CPU_")
    return {n: value for n, value in environment.items() if not n.startswith(choices)}


if {"numpy", "torch"}.isdisjoint(sys.modules):  # a benchmark, and not a test of one
    for name in set(os.environ) - set(as_installed(os.environ)):
        del os.environ[name]
