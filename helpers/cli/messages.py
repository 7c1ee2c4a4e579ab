"""What the command line says, and how it fails: in one line, with an exit code, no traceback."""

from __future__ import annotations

import errno
import os
import sys
import unicodedata
from contextlib import contextmanager

import typer
from typer.core import TyperGroup

FAILED, WRONG, INTERRUPTED = 1, 2, 130  # exit codes
# Kinds of characters that a terminal would obey, or break a line at, instead of showing them.
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # of emoji, and in Persian


UsageError = typer.BadParameter.__base__  # of click, or of the copy that typer has of it


class Commands(TyperGroup):
    """The commands: a wrong usage is told in one line, as every error is; no command asks for help.

    Called by typer, which gives the words of the command line or None for those of the program.
    """

    def main(self, args=None, **settings):
        args = ["--help"] if not (sys.argv[1:] if args is None else args) else args
        try:
            sys.exit(super().main(args, **settings | {"standalone_mode": False}))
        except UsageError as error:
            # "Value error" is what the library that typer checks with says before typer's words.
            message = error.format_message().rstrip(".").replace("Value error, ", "")
            more = f" ({error.ctx.command_path} --help says more)" if error.ctx else ""
            tell_error(f"{message[0].lower()}{message[1:]}{more}")
            sys.exit(WRONG)


def use_utf8():
    """Make standard output and error UTF-8 wherever they lead.

    A path that is not UTF-8 is written as the bytes that it is to standard output, and with
    escapes to standard error.
    """
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors=errors)


def write(text):
    """To standard output, at once and as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(line):
    """To standard error, control characters as escapes."""
    print(visible(line), file=sys.stderr, flush=True)


def silent(line):
    pass


def visible(text):
    """A text whose control characters are escapes: "\\x1b[2J" for what clears a screen."""
    return "".join(
        c.encode("unicode_escape").decode("ascii")
        if unicodedata.category(c) in UNSEEN and c not in JOINERS
        else c
        for c in text
    )


@contextmanager
def plainly(folder):
    """Errors as one line that says what is wrong and what would be right, never a traceback."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever reads our output has enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except FileNotFoundError as error:
        fail(in_words(error, folder), WRONG)
    except OSError as error:
        fail(in_words(error, folder), FAILED)
    except (ArithmeticError, MemoryError, ImportError) as error:
        fail(str(error) or type(error).__name__, FAILED)
    except ValueError as error:
        fail(str(error), WRONG)
    except RuntimeError as error:
        if "out of memory" in str(error) or "allocate memory" in str(error):
            fail("out of memory: a smaller model, --batch-size or --seq-len needs less", FAILED)
        fail(str(error).partition("\n")[0], FAILED)


def in_words(error, folder):
    """What an error of the operating system means for whoever reads it."""
    if error.errno is None:  # one of our own, which says it already
        return str(error)
    place = error.filename or folder
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"the disk is full, so that {place} could not be written. A checkpoint that was "
            "saved before is whole; free some space and go on from it with --resume"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{place} may not be read or written here: choose another place, or change its "
            "permissions"
        )
    return f"{place}: {error.strerror}"


def fail(message, code):
    """End with an exit code, after one line of error."""
    tell_error(message)
    raise typer.Exit(code)


def tell_error(message):
    tell(f"error: {' '.join(message.split())}")
