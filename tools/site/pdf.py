"""The whole book as one PDF: `make pdf`, or

    python -m tools.site.pdf SITE OUT.pdf [PAGE ...]      (all pages in _toc.yml by default)

The articles of the built site are put one after another into one page, links between them
are turned into links within it, and Chromium prints that: so equations and figures look as
they do on the site, bookmarks come from the headings, and the file is tagged for screen
readers. How a browser is found: tools/site/chromium.py.
"""

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
NOT_PRINTED = (
    "script, a.headerlink, button, .prev-next-footer, .pg-mount, link, "
    "details:not([open]), .tag_hide-cell, .tag_hide-input > details"
)
STYLE = """
body { margin: 0; }
section.page { break-before: page; }
section.page:first-of-type { break-before: auto; }
nav.book-contents { break-before: page; font-family: var(--cbc-sans); }
nav.book-contents a { color: inherit; }
nav.book-contents li { list-style: none; margin: 0.3em 0; }
"""
FOOTER = (
    '<div style="font: 8px sans-serif; width: 100%; text-align: center; color: #444">'
    '<span class="pageNumber"></span></div>'
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
    """One page's article, with ids and links that stay apart from the other pages'."""
    file = site / f"{name}.html"
    soup = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
    body = soup.select_one("article.bd-article")
    for idle in body.select(NOT_PRINTED):
        idle.decompose()
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
    return title, f'<section class="page" id="{anchor(name)}">{body.decode()}</section>'


def one_page(site, parts):
    """The HTML of all pages together, after a table of contents."""
    names = [name for _, some in parts for name in some]
    made = {name: article(site, name, names) for name in names}
    lines = []
    for part, some in parts[1:]:
        lines.append(f"<li><strong>{part}</strong></li>")
        lines += [f'<li><a href="#{anchor(n)}">{made[n][0]}</a></li>' for n in some]
    contents = f'<nav class="book-contents"><h2>Contents</h2><ul>{"".join(lines)}</ul></nav>'
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
        f"<title>{TITLE}</title>{styles}<style>{STYLE}</style>"
        f'<script>window.MathJax = {settings}</script><script src="{mathjax}"></script></head>'
        f'<body><main class="bd-content"><div class="bd-article-container">'
        f"{first}{contents}{rest}</div></main></body></html>"
    )


def print_pdf(html, out):
    """Let Chromium print one HTML file."""
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except FileNotFoundError as missing:
            sys.exit(f"The PDF is printed by a browser, and {missing}.")
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.goto(html.as_uri())
        page.wait_for_function("window.MathJax?.startup?.promise?.then(() => true)")
        page.pdf(
            path=out, prefer_css_page_size=True, outline=True, tagged=True,
            display_header_footer=True, header_template="<span></span>", footer_template=FOOTER,
        )  # fmt: skip
        browser.close()


def finish(file, headings):
    """Put the headings' own texts into the bookmarks, and pack the file (half the size).

    Chromium loses spaces in some titles and doubles others. Returns the number of pages.
    """
    with pikepdf.open(file, allow_overwriting_input=True) as pdf:
        with pdf.open_outline() as outline:
            for bookmark, heading in zip(in_order(outline.root), headings, strict=True):
                if bare(heading.partition(" ")[2] or heading) not in bare(bookmark.title):
                    raise ValueError(f"{bookmark.title!r} is not the heading {heading!r}")
                bookmark.title = heading
        pdf.save(file, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return len(pdf.pages)


def in_order(bookmarks):
    for bookmark in bookmarks:
        yield bookmark
        yield from in_order(bookmark.children)


def bare(text):
    return "".join(text.split())


def main(site, out, *names):
    site, out = Path(site).resolve(), Path(out).resolve()
    parts = pages_in_order()
    if names:
        parts = [(part, [n for n in some if n in names]) for part, some in parts]
        parts = [(part, some) for part, some in parts if some]
    html = site / "whole-book.html"
    book = one_page(site, parts)
    html.write_text(book, encoding="utf-8")
    try:
        print_pdf(html, out)
    finally:
        html.unlink()
    found = BeautifulSoup(book, "html.parser").find_all(re.compile("^h[1-6]$"))
    pages = finish(out, [" ".join(h.get_text().split()) for h in found])
    print(f"{out}: {pages} pages, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
