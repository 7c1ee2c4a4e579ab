"""What the long runs stored: minutes or hours of training, as JSON in ``data/results``."""

from __future__ import annotations

import difflib
import json

from .corpus import BOOK_DATA


def stored_run(name):
    """The stored result of a long run by its name, such as ``"reference"``, as a dict.

    Raises FileNotFoundError, with the names that there are, where there is none.
    """
    folder = BOOK_DATA / "results"
    path = folder / f"{name}.json"
    if not path.is_file():
        names = sorted(p.stem for p in folder.glob("*.json"))
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise FileNotFoundError(
            f"there is no stored run {name!r} in {folder}.{hint} It has: {', '.join(names)}"
        )
    return json.loads(path.read_text(encoding="utf-8"))
