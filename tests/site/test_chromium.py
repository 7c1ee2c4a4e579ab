"""With a browser and without one: what is found, what is installed, what a run then says."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import browser as ours
from tools.site import chromium as tool

ROOT = Path(__file__).resolve().parents[2]


def bare(tmp_path, **more):
    """The environment of a machine that has no browser: a PATH with Python alone."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CHARBOOK", "PYTEST"))}
    environment |= {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "nowhere")}
    environment.pop("CI", None)
    return environment | more


def run(*command, env):
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=env, capture_output=True,
        encoding="utf-8", check=False,
    )  # fmt: skip


@pytest.fixture
def a_built_site(tmp_path):
    """Stands in for the site: what needs a browser is skipped before it looks at a page."""
    (tmp_path / "site").mkdir()
    return str(tmp_path / "site")


def test_without_a_browser_a_run_passes_and_its_last_lines_say_what_was_skipped(
    tmp_path, a_built_site
):
    tests = [
        "tests/site/test_pages.py::test_search_works_from_the_disk",
        "tests/site/test_pdf.py::test_a_pdf_has_the_pages_in_order_with_bookmarks_and_equations",
    ]
    env = bare(tmp_path, CHARBOOK_SITE=a_built_site)
    found = run("pytest", "-p", "no:cacheprovider", *tests, env=env)
    assert found.returncode == 0, found.stdout
    last = found.stdout.strip().splitlines()[-3:]
    assert f"2 tests were skipped: {tool.MISSING}" in last, found.stdout


def test_in_ci_a_missing_browser_is_a_failure(monkeypatch):
    monkeypatch.setattr(ours, "sync_playwright", contextlib.nullcontext)
    monkeypatch.setenv("CHARBOOK_CHROMIUM", "none")
    for ci, outcome in (("true", pytest.fail), ("", pytest.skip)):
        monkeypatch.setenv("CI", ci)
        with pytest.raises(outcome.Exception, match=re.escape(tool.MISSING)), ours.chromium():
            pass


def test_the_pdf_says_the_same(tmp_path, site):
    found = run("tools.site.pdf", str(site), str(tmp_path / "a.pdf"), "intro", env=bare(tmp_path))
    assert found.returncode == 1
    assert found.stderr.strip() == f"The PDF is printed by a browser, and {tool.MISSING}."
    assert not (tmp_path / "a.pdf").exists()


def test_the_browser_that_is_named_comes_first_and_none_hides_all(monkeypatch, tmp_path):
    class Playwright:
        class chromium:
            executable_path = str(tmp_path / "playwrights-own")

    for name in ("playwrights-own", "chromium", "mine"):
        (tmp_path / name).write_text("", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.delenv("CHARBOOK_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "")
    assert tool.find_chromium(Playwright) == str(tmp_path / "playwrights-own")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tool.find_chromium(Playwright) == str(tmp_path / "chromium")
    monkeypatch.setenv("CHARBOOK_CHROMIUM", str(tmp_path / "mine"))
    assert tool.find_chromium(Playwright) == str(tmp_path / "mine")
    monkeypatch.setenv("CHARBOOK_CHROMIUM", "none")
    assert tool.find_chromium(Playwright) is None


def test_one_way_after_the_other_is_tried_until_a_browser_starts(monkeypatch):
    tried, works = [], []
    monkeypatch.setattr(tool, "ways", lambda: [[["first"]], [["second"], ["third"]], [["never"]]])
    monkeypatch.setattr(tool, "starts", lambda: works and "/a/browser")

    def command(line, **_):
        tried.append(line[0])
        if line == ["third"]:
            works.append(True)
        return subprocess.CompletedProcess(line, line == ["first"], stderr="no network")

    monkeypatch.setattr(subprocess, "run", command)
    assert tool.install() == "/a/browser"
    assert tried == ["first", "second", "third"]


def test_nothing_is_installed_where_there_is_a_browser_or_none_is_wanted(monkeypatch, capsys):
    monkeypatch.setattr(tool, "install", lambda: pytest.fail("it installs"))
    monkeypatch.setattr(tool, "starts", lambda: "/a/browser")
    tool.main()
    monkeypatch.setattr(tool, "starts", lambda: None)
    monkeypatch.setenv("CHARBOOK_CHROMIUM", "none")
    tool.main()
    first, second = capsys.readouterr().out.splitlines()
    assert first == "browser: /a/browser"
    assert "skipped" in second


def test_a_browser_that_is_found_starts(browser):
    assert browser.version
