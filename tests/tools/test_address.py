"""The book's address is the same everywhere, and a notebook opened alone finds the helpers."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tools.site import address

ROOT = Path(__file__).resolve().parents[2]
SOME = "https://github.com/somebody/a-book"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Of the book, what an address goes into (of the chapters two), taken for the book."""
    tree = tmp_path / "the-book"
    (tree / "chapters").mkdir(parents=True)
    for name in ("pyproject.toml", "_config.yml", "README.md", "intro.md",
                 "chapters/text-as-data.ipynb", "chapters/counting.ipynb"):  # fmt: skip
        shutil.copy(ROOT / name, tree / name)
    monkeypatch.setattr(address, "ROOT", tree)
    return tree


def test_the_address_is_the_same_everywhere():
    assert address.main(["--check"]) == 0


def test_a_changed_file_is_named(copy, capsys):
    page = copy / "README.md"
    page.write_text(
        page.read_text(encoding="utf-8").replace(
            "<!-- address: errors -->", "<!-- address: errors -->!"
        ),
        encoding="utf-8",
    )
    assert address.main(["--check"]) == 1
    assert capsys.readouterr().out == "README.md\n"


def test_an_address_is_set_everywhere_and_taken_back(copy):
    before = {path: path.read_text(encoding="utf-8") for path in copy.rglob("*.ipynb")}
    address.main([SOME + ".git"])
    config = (copy / "_config.yml").read_text(encoding="utf-8")
    assert f'url: "{SOME}"' in config
    assert "use_issues_button: true" in config
    assert f"[issues]({SOME}/issues)" in (copy / "README.md").read_text(encoding="utf-8")
    assert all(SOME in path.read_text(encoding="utf-8") for path in before)
    assert address.main(["--check"]) == 0
    address.main(["--none"])
    assert {path: path.read_text(encoding="utf-8") for path in before} == before
    assert "github.com/somebody" not in (copy / "_config.yml").read_text(encoding="utf-8")


def test_a_wrong_address_is_refused(capsys):
    with pytest.raises(SystemExit):
        address.main(["github.com/somebody"])
    assert "no address such as https://github.com/OWNER/NAME" in capsys.readouterr().err


@pytest.fixture
def alone(copy, tmp_path):
    """A folder with one chapter, and a clean environment that has the book's packages.

    The packages (pip too) are lent by a .pth file, so that nothing is fetched; the helpers
    are not among them.
    """
    folder = tmp_path / "alone"
    folder.mkdir()
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder, environment


def run(notebook, environment, monkeypatch):
    """Run a notebook where it lies, with an environment's Python."""
    monkeypatch.setenv("PATH", f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip: "0" switches isolation off
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # no network
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    kernel = environment / "share/jupyter/kernels/python3"
    shutil.copytree(Path(sys.prefix) / "share/jupyter/kernels/python3", kernel)
    monkeypatch.setenv("JUPYTER_PATH", str(environment / "share/jupyter"))
    spec = '{"argv": ["%s", "-m", "ipykernel_launcher", "-f", "{connection_file}"], '
    spec += '"display_name": "alone", "language": "python"}'
    (kernel / "kernel.json").write_text(spec % (environment / "bin/python"), encoding="utf-8")
    stored = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        stored,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": notebook.parent}},
    )
    client.execute()
    return stored


def said(cell):
    return "".join(o.text for o in cell.outputs if o.output_type == "stream")


@pytest.mark.slow
def test_a_chapter_opened_alone_fetches_the_helpers(copy, alone, monkeypatch):
    folder, environment = alone
    for name in ("helpers", "data"):
        leave_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=leave_out)
    address.main([f"file://localhost{copy}"])  # older pips want a host
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *command], cwd=copy, check=True)
    stored = nbformat.read(copy / "chapters/text-as-data.ipynb", as_version=4)
    stored.cells = [c for c in stored.cells if c.cell_type == "code"]
    wanted = [said(c) for c in stored.cells]
    speaks = [i for i, text in enumerate(wanted) if text]
    del stored.cells[speaks[2] + 1 :]  # of the corpora, three cells have told by then
    nbformat.write(stored, folder / "text-as-data.ipynb")
    ran = run(folder / "text-as-data.ipynb", environment, monkeypatch)
    assert [said(c) for c in ran.cells][1:] == wanted[1 : speaks[2] + 1]  # the first: what pip said


def test_a_chapter_opened_alone_without_an_address_says_what_to_do(copy, alone, monkeypatch):
    folder, environment = alone
    address.main(["--none"])
    shutil.copy(copy / "chapters/text-as-data.ipynb", folder)
    with pytest.raises(CellExecutionError, match="No module named 'helpers': open me in a copy"):
        run(folder / "text-as-data.ipynb", environment, monkeypatch)
