"""The whole book as one PDF: `make pdf`, or

    python -m tools.site.pdf SITE OUT.pdf [PAGE ...]      (all pages in _toc.yml by default)

The articles of the built site are put one after another into one page, solutions behind
them all, links between them are turned into links within it, and a browser prints that: so
equations and figures look as they do on the site, bookmarks come from the headings, and the
file is tagged for screen readers. It is printed twice: the first time tells on which page
each chapter and each solution lies. How a browser is found: tools/site/chromium.py.
"""

import argparse
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pikepdf
import yaml
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

from tools.site.chromium import launch

ROOT = Path(__file__).resolve().parents[2]

TITLE = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
# What only a screen can do. A page that is all playground is left out as a whole.
NOT_PRINTED = (
    "script, a.headerlink, button, .prev-next-footer, .charbook-playground, .lv-mount, "
    ".cbc-screen, link, details:not([open]), .tag_hide-cell, .tag_hide-input > details"
)
ON_SCREEN_ONLY = ".charbook-train-here"
SOLUTIONS = "solutions"
STYLE = """
body { margin: 0; }
section.page { break-before: page; }
section.page:first-of-type { break-before: auto; }
nav.book-contents { break-before: page; font-family: var(--cbc-sans); }
nav.book-contents a { color: inherit; display: flex; justify-content: space-between; }
nav.book-contents li { list-style: none; margin: 0.3em 0; }
p.solution-page { font-size: 9pt; color: #444; }
.bd-article pre { font-size: 7.5pt; }
.admonition, .cell, div.exercise, div.solution { break-inside: auto !important; }
@page { @bottom-center { content: counter(page); font: 9pt sans-serif; color: #333; } }
"""
RUNNING_TITLE = (
    "section#{id} {{ page: {id}; }} @page {id} {{ @top-center {{ content: {title}; "
    "font: 9pt sans-serif; color: #333; }} }}\n"
)


def pages_in_order():
    """The pages' names, as _toc.yml has them: [(part, [names])]."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [(p["caption"], [c["file"] for c in p["chapters"]]) for p in toc["parts"]]
    return [("", [toc["root"]]), *parts]


def anchor(name, fragment=""):
    """The id that an element of a page has in the one page."""
    return f"{name.replace('/', '-')}--{fragment}"


def article(site, name, names):
    """One page's title, article and solutions, with ids and links of their own; None where it
    is of no use on paper."""
    file = site / f"{name}.html"
    soup = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
    body = soup.select_one("article.bd-article")
    if body.select_one(ON_SCREEN_ONLY):
        return None
    for idle in body.select(NOT_PRINTED):
        idle.decompose()
    for section in body.select("section"):  # with nothing left but its heading
        if len(section.find_all(recursive=False)) == 1:
            section.decompose()
    for element in body.find_all(id=True):
        element["id"] = anchor(name, element["id"])
    for element in body.select("[src]"):
        element["src"] = (file.parent / unquote(element["src"])).resolve().as_uri()
    for link in body.select("a[href]"):
        url = urlsplit(link["href"])
        if url.scheme or url.netloc:
            continue
        target = (file.parent / unquote(url.path)).resolve() if url.path else file
        page = target.relative_to(site).with_suffix("").as_posix()
        if page in names:
            link["href"] = "#" + anchor(page, unquote(url.fragment))
        else:
            link.unwrap()  # a file of the site, which is not in the PDF
    for number in body.select(".section-number"):
        number.unwrap()
    title = body.h1.get_text().rstrip("#").strip()
    solutions = [solution.extract() for solution in body.select("div.solution")]
    for solution in solutions:
        exercise = body.find(id=solution["id"].removesuffix("-solution"))
        if exercise is not None:
            where = f'<p class="solution-page">Solution: page {page_of(solution["id"])}</p>'
            exercise.append(BeautifulSoup(where, "html.parser"))
    html = f'<section class="page" id="{anchor(name)}">{body.decode()}</section>'
    return title, html, "".join(solution.decode() for solution in solutions)


def page_of(target):
    """A link that shows on which page a target lies; the number is put in before the second
    print, and has its place in the first."""
    return f'<a href="#{target}" data-page="{target}">000</a>'


def one_page(site, parts):
    """The HTML of all pages together, after a table of contents."""
    names = [name for _, some in parts for name in some]
    made = {name: article(site, name, names) for name in names}
    names = [name for name in names if made[name] is not None]
    lines, titles = [], {}
    for part, some in parts[1:]:
        lines.append(f"<li><strong>{part}</strong></li>")
        for name in (n for n in some if n in names):
            lines.append(entry(made[name][0], anchor(name)))
    solved = [made[name] for name in names if made[name][2]]
    answers = "".join(f"<h2>{title}</h2>{solutions}" for title, _, solutions in solved)
    if answers:
        lines.append(entry("Solutions", SOLUTIONS))
        titles[SOLUTIONS] = "Solutions"
        answers = (
            f'<section class="page" id="{SOLUTIONS}"><article class="bd-article">'
            f"<h1>Solutions</h1>{answers}</article></section>"
        )
    contents = f'<nav class="book-contents"><h2>Contents</h2><ul>{"".join(lines)}</ul></nav>'
    titles |= {anchor(name): made[name][0] for name in names[1:]}
    running = "".join(
        RUNNING_TITLE.format(id=i, title='"' + title.replace('"', "'") + '"')
        for i, title in titles.items()
    )
    head = BeautifulSoup((site / f"{names[-1]}.html").read_text(encoding="utf-8"), "html.parser")
    depth = (site / f"{names[-1]}.html").parent
    styles = "".join(
        f'<link rel="stylesheet" href="{(depth / urlsplit(tag["href"]).path).resolve().as_uri()}">'
        for tag in head.select('link[rel="stylesheet"]')
    )
    mathjax = (site / "_static/mathjax/tex-chtml.js").as_uri()
    settings = (
        '{"options": {"processHtmlClass": "tex2jax_process|mathjax_process|math|output_area"}}'
    )
    first = made[names[0]][1]
    rest = "".join(made[name][1] for name in names[1:])
    return (
        f'<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{TITLE}</title>{styles}<style>{STYLE}{running}</style>"
        f'<script>window.MathJax = {settings}</script><script src="{mathjax}"></script></head>'
        f'<body><main class="bd-content"><div class="bd-article-container">'
        f"{first}{contents}{rest}{answers}</div></main></body></html>"
    )


def entry(title, target):
    """A line of the contents."""
    link = page_of(target).replace(">000<", f"><span>{title}</span> <span>000</span><")
    return f"<li>{link}</li>"


def print_pdf(html, out):
    """Let a browser print one HTML file; exit with one line where there is none."""
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except FileNotFoundError as missing:
            sys.exit(f"The PDF is printed by a browser, and {missing}.")
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.goto(html.as_uri())
        page.wait_for_function("window.MathJax?.startup?.promise?.then(() => true)")
        page.pdf(path=out, prefer_css_page_size=True, outline=True, tagged=True)
        browser.close()


def page_numbers(file):
    """On which page each target of a link lies: {name: page, from 1}."""
    with pikepdf.open(file) as pdf:
        numbers = {page.objgen: i for i, page in enumerate(pdf.pages, start=1)}
        targets = pdf.Root.get("/Dests", {})
        return {name.removeprefix("/"): numbers[place[0].objgen] for name, place in targets.items()}


def with_pages(book, numbers):
    """The HTML with the numbers of pages filled in."""
    soup = BeautifulSoup(book, "html.parser")
    for link in soup.select("a[data-page]"):
        (link.find_all("span") or [link])[-1].string = str(numbers[link["data-page"]])
    return str(soup)


def finish(file, headings):
    """Put the headings' own texts into the bookmarks, and pack the file (half the size).

    Chromium loses spaces in some titles, doubles others and weaves two pieces of code into
    each other; there is a bookmark for each heading, in order. Returns the number of pages.
    """
    with pikepdf.open(file, allow_overwriting_input=True) as pdf:
        with pdf.open_outline() as outline:
            bookmarks = list(in_order(outline.root))
            if len(bookmarks) == len(headings):
                for bookmark, heading in zip(bookmarks, headings, strict=True):
                    bookmark.title = heading
            else:
                print(f"{len(bookmarks)} bookmarks for {len(headings)} headings: left as they are",
                      file=sys.stderr)  # fmt: skip
        pdf.save(file, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return len(pdf.pages)


def in_order(bookmarks):
    for bookmark in bookmarks:
        yield bookmark
        yield from in_order(bookmark.children)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Print pages of the built site as one PDF.")
    parser.add_argument("site", type=Path, help="such as _build/html")
    parser.add_argument("out", type=Path, metavar="OUT.pdf")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="such as chapters/lstm")
    options = parser.parse_args(arguments)
    site, out, parts = options.site.resolve(), options.out.resolve(), pages_in_order()
    if unknown := set(options.pages) - {name for _, some in parts for name in some}:
        parser.error(f"_toc.yml has no page {min(unknown)!r}; one of its pages is {parts[1][1][0]}")
    if not (site / "index.html").is_file():
        parser.error(f"{site} is no built site: make book builds one")
    if options.pages:
        parts = [(part, [n for n in some if n in options.pages]) for part, some in parts]
        parts = [(part, some) for part, some in parts if some]
    # Among the pages, whose addresses it has; by its own name, for another may be in the making.
    html = site / f"whole-book-{out.name}.html"
    unfinished = out.with_name(f"{out.name}.part")
    book = one_page(site, parts)
    try:
        html.write_text(book, encoding="utf-8")
        print_pdf(html, unfinished)
        html.write_text(with_pages(book, page_numbers(unfinished)), encoding="utf-8")
        print_pdf(html, unfinished)
        found = BeautifulSoup(book, "html.parser").find_all(re.compile("^h[1-6]$"))
        pages = finish(unfinished, [" ".join(h.get_text().split()) for h in found])
        unfinished.replace(out)
    finally:
        html.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)
    print(f"{out}: {pages} pages, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
