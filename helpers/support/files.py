"""Files that are written whole or not at all, and paths that begin with ~."""

from __future__ import annotations

import os
import re
from pathlib import Path

UNFINISHED = ".part"  # how a name ends while the file is being written, after the process number


def write_whole(path, data):
    """Write bytes, or a text as UTF-8, under a temporary name, then move them into place.

    A crash or a full disk leaves the file that was there before. Raises OSError where the
    disk refuses.
    """
    path = Path(path)
    data = data.encode("utf-8") if isinstance(data, str) else data
    temporary = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folder):
    """Remove what a ``write_whole`` that was killed left in a folder; not what still runs."""
    for path in Path(folder).glob(f"*{UNFINISHED}"):
        process = re.search(rf"\.(\d+){re.escape(UNFINISHED)}$", path.name)
        if process and not _is_running(int(process[1])):
            path.unlink(missing_ok=True)


def _is_running(process):
    """Whether another process has this number; True where that cannot be asked."""
    if process == os.getpid():
        return False
    if os.name == "nt":  # there os.kill would end it
        return True
    try:
        os.kill(process, 0)  # signal 0 only asks
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def expand_user(path):
    """A path in which a leading ~ or ~name is that user's home, unless there is a file of that
    very name, or no such user: ``*.txt`` also finds the ~notes.txt that an editor left."""
    path = Path(path)
    if os.path.lexists(path):
        return path
    try:
        return path.expanduser()
    except RuntimeError:  # no such user
        return path
