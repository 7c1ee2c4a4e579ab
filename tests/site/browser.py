"""Chromium for the tests that look at pages as a reader's browser shows them."""

import json
import os
from contextlib import contextmanager
from importlib import resources

import pytest
from playwright.sync_api import sync_playwright

from tools.site.chromium import launch

TWO_FRAMES = """() => new Promise((resolve) =>
    requestAnimationFrame(() => requestAnimationFrame(resolve)))"""
# The rules of WCAG 2.2, A and AA, but for those on colours; or the latter alone.
AXE = """async ([within, onColours]) => {
    const colours = ['color-contrast', 'link-in-text-block'];
    const { violations } = await axe.run(within, {
        ...(onColours ? {runOnly: colours} : {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
            rules: Object.fromEntries(colours.map((rule) => [rule, {enabled: false}])),
        }),
        resultTypes: ['violations'], preload: false,
    });
    return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)}`));
}"""


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


KEPT = {}  # contexts of a browser, by their options: to make one takes longer than to open a page


def new_page(browser, **options):
    """A page in a context with these options, as in a window of its own; the context is kept for
    the next such page, so that what holds for all its pages, as a clock does, wants another."""
    kept = browser, repr(options)
    if kept not in KEPT:
        KEPT[kept] = browser.new_context(**options)
    return KEPT[kept].new_page()


@contextmanager
def page_of(browser, folder, *scripts):
    """An empty page from the disk with scripts; what it complains of fails the test."""
    file = folder / "page.html"
    sources = "".join(f'<script src="{script.as_uri()}"></script>' for script in scripts)
    file.write_text(f"<!doctype html>{sources}", encoding="utf-8")
    page = new_page(browser)
    complaints = watch(page)
    page.goto(file.as_uri())
    yield page
    page.close()
    assert complaints == []


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


def axe_script():
    """axe-core's source: a package brings it along, and this repository has no copy."""
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def violations(page, within, modes=("dark", "light")):
    """What axe-core finds in a part of a page; of colours, what it finds in each of these modes."""
    page.evaluate(axe_script())
    found = page.evaluate(AXE, [within, False])
    for mode in modes:
        page.evaluate("mode => { document.documentElement.dataset.theme = mode; }", mode)
        page.evaluate(TWO_FRAMES)  # what is painted by a script is painted again
        found += [f"{mode}: {each}" for each in page.evaluate(AXE, [within, True])]
    return found
