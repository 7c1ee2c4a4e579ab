"""Chromium for the tests that look at pages as a reader's browser shows them."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

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
MISSING = (
    "no Chromium is found, which these tests drive. Install one: `apt-get install chromium` "
    "(Debian, Ubuntu), or `.venv/bin/playwright install chromium` (any system); or set "
    "CHARBOOK_CHROMIUM to the path of a Chrome or Chromium that you have"
)


def find_chromium(playwright):
    """The path of a browser: the one named, one on the PATH, Playwright's own; or None."""
    own = playwright.chromium.executable_path
    candidates = [os.environ.get("CHARBOOK_CHROMIUM"), *map(shutil.which, NAMES), own]
    return next((p for p in candidates if p and Path(p).is_file()), None)


def insist(path):
    """Where there is no browser, the test is skipped with a word on what to install; under
    CI it fails."""
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    return path


@contextmanager
def chromium():
    """A browser without a window."""
    with sync_playwright() as playwright:
        path = insist(find_chromium(playwright))
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser, folder, *scripts):
    """An empty page from the disk with scripts; what it complains of fails the test."""
    file = folder / "page.html"
    sources = "".join(f'<script src="{script.as_uri()}"></script>' for script in scripts)
    file.write_text(f"<!doctype html>{sources}")
    page = browser.new_page()
    complaints = watch(page)
    page.goto(file.as_uri())
    yield page
    assert complaints == []
    page.close()


def watch(page):
    """Collect what a page must not do: console errors, and requests that leave the disk."""
    complaints = []
    page.on(
        "console",
        lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda r: (
            None
            if r.url.startswith(("file:", "data:", "blob:", "about:"))
            else complaints.append(r.url)
        ),
    )
    return complaints
