"""What the tests of this folder share: one browser, and a small site of the pages' live parts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.site.browser import chromium, new_page, page_of, watch
from tools.site import architectures
from tools.site.live import STATIC, figures, needed
from tools.site.playground import write_texts

ROOT = Path(__file__).resolve().parents[2]
PLAYGROUND = STATIC / "playground"

CONF = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
project = "Test"
extensions = ["myst_parser", "tools.site.architectures", "tools.site.playground",
    "tools.site.live"]
myst_enable_extensions = ["colon_fence"]
html_theme = "sphinx_book_theme"
html_context = {{"default_mode": "auto"}}
html_theme_options = {{"navbar_start": [], "navbar_end": [], "navbar_persistent": []}}
html_static_path = [{str(ROOT / "_static")!r}]
html_css_files = ["book.css"]
html_extra_path = [{str(ROOT / "extra")!r}]
exclude_patterns = ["out"]
"""
INTRODUCTION = "Here a network of the book runs."
TRAIN_HERE = (ROOT / "chapters/train-here.md").read_text(encoding="utf-8")
SOURCES_OF_PAGES = {
    "index": f"# With\n\n:::{{playground}}\n{INTRODUCTION}\n:::\n\n"
    "```{toctree}\n:glob:\n*\n```\n",
    "plain": "# Without\n\nNothing here.\n",
    "own": f"# Own\n\n:::{{playground}}\n:mode: surprise\n{INTRODUCTION}\n:::\n",
    "arrives": f"# Arrives\n\n:::{{playground}}\n:arrive:\n{INTRODUCTION}\n:::\n",
    "train": TRAIN_HERE[: TRAIN_HERE.index("\n:::\n") + 5],  # down to where the network is trained
}
LIVE = {name: f":::{{live}} {name}\nMove something.\n:::\n" for name in figures()}
SOURCES_OF_PAGES |= {f"live-{name}": f"# Live\n\n{figure}" for name, figure in LIVE.items()}
SOURCES_OF_PAGES["live"] = "# All\n\n" + "\n".join(LIVE.values())


@pytest.fixture(scope="package")  # not longer: Playwright's loop would be in other tests' way
def browser():
    with chromium() as it:
        yield it


@pytest.fixture(scope="module")
def engine(browser, tmp_path_factory):
    """A page from the disk with the scripts that compute and nothing else."""
    scripts = [STATIC / f"{name}.js" for name in needed(["transformer", "sampling"])]
    with page_of(browser, tmp_path_factory.mktemp("engine"), *scripts) as page:
        yield page


@pytest.fixture(scope="session")
def small_site(tmp_path_factory):
    """A small site in the book's theme, built once for all workers: pages with the playground,
    one without, one on which a network can be trained, and those of the live figures."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    source = shared / "small-site"
    with FileLock(shared / "small-site.lock"):
        if not source.exists():
            source.mkdir()
            (source / "conf.py").write_text(CONF, encoding="utf-8")
            for name, text in SOURCES_OF_PAGES.items():
                (source / f"{name}.md").write_text(text, encoding="utf-8")
            sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html"]
            subprocess.run([*sphinx, source, source / "out"], check=True)
    return source / "out"


@pytest.fixture(scope="session")
def static(tmp_path_factory):
    """The site's _static as far as figures use it, without building a site."""
    folder = tmp_path_factory.mktemp("live") / "_static"
    (folder / "playground").mkdir(parents=True)
    for path in PLAYGROUND.iterdir():
        (folder / "playground" / path.name).symlink_to(path)
    (folder / "live").symlink_to(STATIC / "live")
    (folder / "book.css").symlink_to(ROOT / "_static/book.css")
    (folder / "architectures.css").write_text(architectures.style_sheet(), encoding="ascii")
    script = architectures.script()
    (folder / "playground/architectures.js").write_text(script, encoding="ascii")
    write_texts(folder / "playground/texts")
    return folder


@pytest.fixture
def opened(browser, small_site):
    """Opens a page from the disk; afterwards it must not have complained, nor left the disk.
    With a ``clock``, time passes in it only as ``page.clock`` says."""
    pages, complaints = [], []

    def open_page(name="index", width=1280, clock=False, **options):
        options |= {"viewport": {"width": width, "height": 900}}
        page = browser.new_page(**options) if clock else new_page(browser, **options)
        pages.append(page)
        page.set_default_timeout(30_000)
        complaints.append(watch(page))
        page.goto((small_site / f"{name}.html").as_uri())
        if clock:
            page.clock.install(time=0)
            page.clock.pause_at(1000)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert [c for some in complaints for c in some] == []
