"""The book on paper: the command behind ``make pdf``, on a few pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

from tools.site import pdf

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def printed(browser, site, tmp_path_factory):
    """The PDF of three pages: the landing page, a chapter with exercises, and one that is all
    playground."""
    out = tmp_path_factory.mktemp("pdf") / "some.pdf"
    pages = ["intro", "chapters/gru", "chapters/train-here"]
    command = [sys.executable, "-m", "tools.site.pdf", site, out, *pages]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert list(out.parent.iterdir()) == [out]
    assert not list(site.glob(f"whole-book*{out.name}*"))
    return PdfReader(out)


@pytest.fixture(scope="module")
def texts(printed):
    """The text of each page."""
    return [page.extract_text().strip() for page in printed.pages]


@pytest.fixture(scope="module")
def chapter(site):
    """The chapter's article on the site."""
    html = (site / "chapters/gru.html").read_text(encoding="utf-8")
    return BeautifulSoup(html, "html.parser").select_one("article")


def bookmarks(entries):
    for entry in entries:
        if isinstance(entry, list):
            yield from bookmarks(entry)
        else:
            yield entry


def page_of(pdf, title):
    """The page, from 1, that a bookmark leads to."""
    entry = next(e for e in bookmarks(pdf.outline) if e.title == title)
    return pdf.get_destination_page_number(entry) + 1


def test_a_pdf_has_the_pages_in_order_with_bookmarks_and_equations(printed, texts):
    text = "\n".join(texts)
    top = [entry.title for entry in printed.outline if not isinstance(entry, list)]
    assert top[0] == "Character by Character"
    assert printed.metadata.title == "Character by Character"
    assert any(re.fullmatch(r"\d+\. GRU", title) for title in top), top
    assert text.index("Reading, running, checking") < text.index("update gate")
    assert "Skip to main content" not in text
    assert "\\begin{" not in text  # equations are set, not spelt
    assert not any(uri.startswith("file:") for uri in addresses(printed))


def test_bookmarks_are_the_headings_themselves(printed, chapter):
    titles = [entry.title for entry in bookmarks(printed.outline)]
    headings = [h.get_text().rstrip("#") for h in chapter.select("h1, h2")]
    assert len(headings) > 4
    start = titles.index(headings[0])
    assert [t for t in titles[start:] if t in headings][: len(headings)] == headings


def test_contents_name_the_page_of_each_chapter_and_pages_name_their_chapter(printed, texts):
    contents = next(p for p in texts if "Contents" in p.splitlines()[:2])
    for title in ("6. GRU", "Solutions"):
        number = page_of(printed, title)
        assert re.search(rf"{re.escape(title)}\s+{number}$", contents, flags=re.M), contents
        following = texts[number]  # counted from 0: the page after it
        assert following.splitlines()[:2] == [title, str(number + 1)], following


def test_solutions_stand_at_the_end_and_each_exercise_says_where(printed, texts, chapter):
    first = page_of(printed, "Solutions") - 1
    assert not any("Solution to Exercise" in text for text in texts[:first])
    told = [int(n) for text in texts[:first] for n in re.findall(r"Solution: page (\d+)", text)]
    assert len(told) == len(chapter.select("div.solution")) > 2
    assert told == sorted(told)
    for number in told:
        assert "Solution to" in texts[number - 1]


def test_nothing_is_printed_that_only_a_screen_can_do(texts):
    text = "\n".join(texts)
    for phrase in ("Play", "folded behind a button", "Train one here\nType", "Try it here"):
        assert phrase not in text


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("lstm", "_toc.yml has no page 'lstm'; one of its pages is chapters/"),
        ("intro", "is no built site"),
    ],
)
def test_a_page_or_a_site_that_is_not_there_is_refused_in_a_line(tmp_path, page, message, capsys):
    with pytest.raises(SystemExit):
        pdf.main([str(tmp_path), str(tmp_path / "out.pdf"), page])
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_two_books_in_the_making_do_not_share_a_file(tmp_path, monkeypatch):
    (tmp_path / "index.html").touch()
    written = set()

    def print_pdf(html, out):
        written.add(html)
        out.touch()

    monkeypatch.setattr(pdf, "print_pdf", print_pdf)
    monkeypatch.setattr(pdf, "one_page", lambda site, parts: "")
    monkeypatch.setattr(pdf, "page_numbers", lambda file: {})
    monkeypatch.setattr(pdf, "finish", lambda file, headings: 1)
    for name in ("a.pdf", "b.pdf"):
        pdf.main([str(tmp_path), str(tmp_path / name)])
    assert len(written) == 2
    assert not any(file.exists() for file in written)


def addresses(printed):
    """Where the links of a PDF lead that leave it."""
    found = []
    for page in printed.pages:
        for link in page.get("/Annots") or ():
            action = link.get_object().get("/A")
            if action and "/URI" in action.get_object():
                found.append(str(action.get_object()["/URI"]))
    return found
