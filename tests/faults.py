"""Likely mistakes, planted where they would be made: an ordinary test must then fail.

They stand at the end of the modules of tests, each as what someone might have written in place
of the right function. To see them all: ``pytest tests -k fault``.
"""

import sys

import pytest


def planted(right, test, *arguments, error=AssertionError):
    """Make a test of a faulty function: with it in place of ``right``, ``test`` fails.

    right : a function or a method of ours, which is replaced wherever it was imported; for one
        of another library, the pair (owner, name)
    test, arguments : the ordinary test that should notice
    error : how it fails, where a library notices before our own assertion does

    The faulty function is called with the right one, and then as the right one is called.
    """

    def plant(wrong):
        def test_a_fault_is_noticed(monkeypatch):
            places = [right] if isinstance(right, tuple) else places_of(right)
            original = getattr(*places[0])

            def instead(*inputs, **named):
                return wrong(original, *inputs, **named)

            for owner, name in places:
                monkeypatch.setattr(owner, name, instead)
            with pytest.raises(error):
                test(*arguments)

        test_a_fault_is_noticed.__doc__ = wrong.__doc__
        return test_a_fault_is_noticed

    return plant


def places_of(function):
    """Where helpers and tests have a function: pairs (module or class, name)."""
    modules = [m for name, m in sys.modules.items() if name.startswith(("helpers", "tests"))]
    classes = {c for m in modules for c in vars(m).values() if isinstance(c, type)}
    owners = [*modules, *classes]
    return [(o, name) for o in owners for name, value in vars(o).items() if value is function]
