"""Chromium for the tests that look at pages as a reader's browser shows them."""

import json
import os
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

from tools.site.chromium import launch


@contextmanager
def chromium():
    """A browser without a window. Where there is none, the test is skipped and says what to
    install; in CI it fails."""
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except FileNotFoundError as missing:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser, folder, *scripts):
    """An empty page from the disk with scripts; what it complains of fails the test."""
    file = folder / "page.html"
    sources = "".join(f'<script src="{script.as_uri()}"></script>' for script in scripts)
    file.write_text(f"<!doctype html>{sources}", encoding="utf-8")
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


@contextmanager
def traced(browser, page):
    """Record what a page does; ``longest_tasks`` reads it. Yields the record, filled at the end."""
    events = []
    browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    yield events
    events += json.loads(browser.stop_tracing())["traceEvents"]


def longest_tasks(events):
    """Processor milliseconds of each task of the page's main thread, the longest first.

    A task is measured in processor time, for on a machine with other work it also waits.
    """
    threads = {
        (e["pid"], e["tid"])
        for e in events
        if e["name"] == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    tasks = (
        e.get("tdur", e["dur"]) / 1000
        for e in events
        if e["ph"] == "X" and e["name"].endswith("RunTask") and (e["pid"], e["tid"]) in threads
    )
    return sorted(tasks, reverse=True)


def no_long_task(browser, page, act, most=50, tries=3):
    """Assert that no task takes ``most`` ms or longer while ``act(page)`` goes on; the best of a
    few tries counts, for on a machine with other work a single task is now and then long."""
    longest = []
    for _ in range(tries):
        with traced(browser, page) as events:
            act(page)
        tasks = longest_tasks(events)
        assert len(tasks) > 20
        longest.append([round(task) for task in tasks[:5]])
        if tasks[0] < most:
            return
    pytest.fail(f"the longest tasks of each try, in ms: {longest}")
