"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

UNFINISHED = ".part"  # how the name of a file ends while it is being written


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
