"""The command line in a test: one command, what it said, and a run folder to be spoilt."""

import json

from typer.testing import CliRunner

from helpers.cli.app import app

SMALL = ["--hidden-size", "6", "--embed-size", "5", "--seq-len", "12", "--batch-size", "6"]


def helpers(*arguments, stdin=None):
    """One command -> exit code, standard output, standard error."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def edit(folder, file="checkpoint.json", **changes):
    path = folder / file
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8"
    )


def only(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def line_of_error(found):
    """The one line of an error, without its label."""
    code, out, err = found
    assert out == ""
    assert "Traceback" not in err
    (line,) = err.splitlines()
    assert line.startswith("error: "), err
    return code, line[len("error: ") :]
