"""The browser behind the browser tests and the PDF: found, or installed.

    python -m tools.site.chromium        find one, else install one; say which

Found are, in this order: the one that CHARBOOK_CHROMIUM names, a Chromium or Chrome on the
PATH, Playwright's own. CHARBOOK_CHROMIUM=none hides them all, and nothing is installed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NONE = "none"
MISSING = (
    "there is no Chromium or Chrome: `make browser` installs one, or set CHARBOOK_CHROMIUM to "
    "the path of yours"
)


def find_chromium(playwright):
    """The path of a browser, or None. ``playwright`` is a running ``sync_playwright``."""
    named = os.environ.get("CHARBOOK_CHROMIUM")
    if named == NONE:
        return None
    candidates = [named, *map(shutil.which, NAMES), playwright.chromium.executable_path]
    return next((p for p in candidates if p and Path(p).is_file()), None)


def launch(playwright):
    """A browser without a window. Raises FileNotFoundError where there is none."""
    path = find_chromium(playwright)
    if path is None:
        raise FileNotFoundError(MISSING)
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


def starts():
    """The path of a browser that starts, or None; what stands in the way goes to stderr."""
    with sync_playwright() as playwright:
        try:
            launch(playwright).close()
        except FileNotFoundError:
            return None
        except Error as error:  # libraries of the system are missing, say
            print(str(error).strip().splitlines()[-1], file=sys.stderr)
            return None
        return find_chromium(playwright)


def ways():
    """Commands that may bring a browser, each a list of command lines: the likeliest first."""
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    debian = as_root and shutil.which("apt-get")
    own = [sys.executable, "-m", "playwright", "install"]
    if debian and "ID=debian" in Path("/etc/os-release").read_text(encoding="utf-8").split():
        # Debian's package brings the libraries along; Ubuntu's of that name is a snap.
        yield [
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
        ]
    yield [[*own, *(["--with-deps"] if debian else []), "chromium"]]


def install():
    """Try one way after the other; the path of the browser that starts then, or None."""
    for commands in ways():
        print("Installing a browser for the tests:", *commands[-1], flush=True)
        for command in commands:
            run = subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8",
                errors="replace", check=False,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            )  # fmt: skip
            if run.returncode:
                print((run.stderr.strip() or "it failed").splitlines()[-1], file=sys.stderr)
                break
        else:
            if path := starts():
                return path
    return None


def main():
    """Exit code 0 in any case: where there is no browser, tests are skipped and say so."""
    path = starts()
    if path is None and os.environ.get("CHARBOOK_CHROMIUM") != NONE:
        path = install()
    print(f"browser: {path or 'none; the tests that need one are skipped'}")


if __name__ == "__main__":
    main()
