"""One process at a time trains in a folder."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

NAME = "training.lock"
BEYOND = 2**20  # where Windows locks a byte: nobody could read one within the owner's name


@contextmanager
def locked(folder, make=False):
    """Hold the lock of a folder, which is made first where ``make`` asks for that.

    The lock is the operating system's, and ends with the process however that ends: a file
    that a killed process left hinders nobody. A folder that was made and is empty in the end is
    removed. Raises ValueError, which names the owner, where another process holds the lock.
    """
    folder = Path(folder)
    made = make and not folder.exists()
    if make and folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; --out must name a folder")
    if make:
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():  # nothing to protect
        yield
        return
    file = _locked_file(folder)
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
    finally:
        if fcntl is None:  # Windows removes no open file, and so none that another process has
            file.close()
        with suppress(OSError):
            (folder / NAME).unlink()
        file.close()
        if made:
            with suppress(OSError):  # it holds something
                folder.rmdir()


def _locked_file(folder):
    """The open lock file of a folder, ours alone."""
    path = folder / NAME
    while True:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
        if not _lock(file):
            with file:
                file.seek(0)
                owner = file.read() or "another process"
            raise ValueError(f"{folder} is being trained by {owner}; choose another --out, or wait")
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(file.fileno())):
                return file
        file.close()  # its owner has removed it since it was opened


def _lock(file):
    """Whether the lock of an open file is ours now."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            file.seek(BEYOND)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks: as if there were nobody else
        pass
    return True
