"""Set the address of the book's public repository, everywhere at once.

    python -m tools.site.address https://github.com/OWNER/NAME     set it
    python -m tools.site.address --none                            there is none (yet)
    python -m tools.site.address --check                           is it the same everywhere?

It stands in ``pyproject.toml`` under ``[tool.charbook]``. From there it goes into the site's
buttons (``_config.yml``), the first cell of every notebook, README.md and intro.md. While
there is none, the site has no button that leads nowhere, and the first cells say what to do.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]

FIRST_CELL = '''\
import sys
sys.path.insert(0, "..")
REPOSITORY = "{address}"  # written here by tools/site/address.py
try:
    from helpers import BOOK  # in the folder beside chapters/, or installed
except ImportError as error:
    assert REPOSITORY and "BOOK" not in str(error), f"{{error}}: open me in a copy of the book"
    %pip install --quiet "character-by-character[notebooks] @ git+{{REPOSITORY}}"'''

# Passages between <!-- address: NAME --> and <!-- end -->: with an address, and without one.
PASSAGES = {
    "errors": (
        "Please report it in the [issues]({address}/issues).",
        "Please report it to the person who gave you this copy: the book has no public address.",
    ),
    "lab": (
        "get the [repository]({address}), run `make lab`, change things and run them again.",
        "run `make lab` in a copy of the book's repository, change things and run them again.",
    ),
    "colab": (
        "the rocket at the top of a chapter opens it there; the first cell fetches the rest.",
        'download <a href="book.zip">book.zip</a> (all chapters with what they need), unzip it and '
        "open one of the chapters in Colab; its first cell says what to do with the rest.",
    ),
}
COLAB = "https://colab.research.google.com"


def address():
    """The address that pyproject.toml holds; empty where there is none."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["charbook"][
        "repository"
    ]


def wanted(url):
    """What each file should hold: {path: text}."""
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in map(ROOT.joinpath, ("README.md", "intro.md"))
    }
    texts = {path: with_passages(text, url) for path, text in texts.items()}
    config, project = ROOT / "_config.yml", ROOT / "pyproject.toml"
    texts[config] = with_buttons(config.read_text(encoding="utf-8"), url)
    texts[project] = replaced(r'(?m)^repository = ".*"$', f'repository = "{url}"', project)
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        texts[path] = with_first_cell(path, url)
    return texts


def with_passages(text, url):
    for name, (there, none) in PASSAGES.items():
        passage = there.format(address=url) if url else none
        text = re.sub(
            rf"(<!-- address: {name} -->).*?(<!-- end -->)",
            lambda found, passage=passage: found[1] + passage + found[2],
            text,
            flags=re.S,
        )
    return text


def with_buttons(text, url):
    """The site's settings; Colab opens notebooks from github.com alone."""
    on_github = url.startswith("https://github.com/")
    settings = {
        "  url": f'"{url}"',
        "  colab_url": f'"{COLAB if on_github else ""}"',
        "  use_repository_button": str(bool(url)).lower(),
        "  use_issues_button": str(bool(url)).lower(),
    }
    for key, value in settings.items():
        text, count = re.subn(rf"(?m)^{key}:.*$", f"{key}: {value}", text)
        if count != 1:
            raise SystemExit(f"_config.yml has {count} lines for {key.strip()}, not one")
    return text


def with_first_cell(path, url):
    notebook = nbformat.read(path, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = FIRST_CELL.format(address=url)
    return nbformat.writes(notebook) + "\n"


def replaced(pattern, new, path):
    text, count = re.subn(pattern, new, path.read_text(encoding="utf-8"))
    if count != 1:
        raise SystemExit(f"{path.name}: {pattern} is found {count} times, not once")
    return text


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("url", nargs="?", help="such as https://github.com/OWNER/NAME")
    what.add_argument("--none", action="store_true", help="there is none (yet)")
    what.add_argument("--check", action="store_true", help="name the files that differ; exit 1")
    options = parser.parse_args(arguments)
    url = address() if options.check else (options.url or "").removesuffix("/").removesuffix(".git")
    if url and not re.fullmatch(r"(https|file)://[^\s\"']+", url):
        parser.error(f"{url!r} is no address such as https://github.com/OWNER/NAME")
    different = {
        path: text for path, text in wanted(url).items() if text != path.read_text(encoding="utf-8")
    }
    for path, text in different.items():
        print(path.relative_to(ROOT))
        if not options.check:
            path.write_text(text, encoding="utf-8")
    return int(options.check and bool(different))


if __name__ == "__main__":
    sys.exit(main())
