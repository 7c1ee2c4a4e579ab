"""Runs too long for a page. One thread on the CPU, set here before any module loads torch."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CHARBOOK_DEVICE", "cpu")
