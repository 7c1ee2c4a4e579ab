"""A user's own settings reach neither what is stored nor what is compared with it."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools.notebooks import execute, stubs

ROOT = Path(__file__).resolve().parents[2]
CELLS = (
    "import sys, warnings\nimport matplotlib.pyplot as plt\n"
    "warnings.showwarning = lambda message, *place: print(message)",
    "warnings.warn('the user is told')\n'first'\n'last'",
    "assert 'mine' not in globals(); print(plt.rcParams['figure.figsize'])",
    "plt.plot([1, 2])\nplt.show()",
)


@pytest.fixture
def theirs(tmp_path):
    """The environment of a user who has settings, which all change what cells show."""
    profile = tmp_path / "ipython" / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "mine.py").write_text("mine = print('hello')", encoding="utf-8")
    setting = "c.InteractiveShell.ast_node_interactivity = 'all'"
    (profile / "ipython_config.py").write_text(setting, encoding="utf-8")
    (tmp_path / "startup.py").write_text("mine = 1", encoding="utf-8")
    (tmp_path / "matplotlibrc").write_text("figure.figsize: 1, 1", encoding="utf-8")
    return {
        **os.environ,
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"),
        "MPLBACKEND": "Agg",
        "PYTHONSTARTUP": str(tmp_path / "startup.py"),
        "PYTHONWARNINGS": "ignore",
    }


def stored(path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def python(*arguments, env=None):
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, encoding="utf-8")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_users_settings_change_nothing(tmp_path, theirs):
    (tmp_path / "book").mkdir()
    path = stored(tmp_path / "book" / "some.ipynb", *CELLS)
    code, said = python("tools.notebooks.execute", path, env=theirs)
    assert code == 0, said
    _, shown, size, plot = nbformat.read(path, as_version=4).cells
    assert [o.output_type for o in shown.outputs] == ["stream", "execute_result"]
    assert shown.outputs[0].text == "the user is told\n"
    assert size.outputs[0].text == "[6.4, 4.8]\n"
    assert execute.pictures(plot) == 1
    assert set(plot.outputs[0].data) == {"image/png", "text/plain"}  # the phone's is kept elsewhere
    suite = ("pytest", "-q", "-p", "conftest", "-c", "pyproject.toml", "--nbval", path)
    code, said = python(*suite, env=theirs)
    assert code == 0, said
    assert "4 passed" in said


@pytest.mark.slow
def test_a_notebook_that_would_lose_a_picture_is_not_stored(tmp_path):
    source = "from IPython.display import Image, display\nif {}: display(Image(b'GIF89a'))"
    path = stored(tmp_path / "some.ipynb", source.format("True"))
    execute.execute(path)
    notebook = nbformat.read(path, as_version=4)
    assert execute.pictures(notebook.cells[0]) == 1
    notebook.cells[0].source = source.format("False")
    nbformat.write(notebook, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"showed 1 pictures, and 0 now.*\nfrom IPython"):
        execute.execute(path)
    assert path.read_bytes() == before
    notebook.cells[0].outputs = []  # the picture is meant to go
    nbformat.write(notebook, path)
    execute.execute(path)
    assert execute.pictures(nbformat.read(path, as_version=4).cells[0]) == 0


def test_a_cell_that_fails_leaves_the_file(tmp_path):
    path = stored(tmp_path / "some.ipynb", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        execute.execute(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("tool", [execute, stubs])
@pytest.mark.parametrize("name", ["chapters/lstm", "chapters/lstn.ipynb", "README.md"])
def test_what_is_no_notebook_is_refused_in_a_line(tool, name, capsys):
    with pytest.raises(SystemExit):
        tool.main([name])
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(f"{name} is no notebook, such as chapters/lstm.ipynb")
