"""Progress bars, all of one kind."""

from __future__ import annotations

from tqdm import tqdm


def progress_bar(iterable=None, show=True, **settings):
    """A tqdm bar that shows itself after two seconds and leaves no trace; none if not ``show``.

    ``disable`` is only passed to switch it off, so that TQDM_DISABLE=1 in the environment
    switches it off as well. ``settings`` are tqdm's, such as total=100, unit="char".
    """
    quiet = {} if show else {"disable": True}
    return tqdm(iterable, **{"delay": 2, "leave": False, **settings, **quiet})
