"""Every page as a reader's browser shows it: offline, narrow, dark, printed, read aloud.

Each page is opened in Chromium on the screen of a phone, from a small server. Some are opened
from the disk on a wide screen too, and there and on the phone axe-core looks for violations of
WCAG 2.1 A and AA, in both colour modes: so many pages that each kind of element of the whole
site is on one of them. To look at a site that is built already: CHARBOOK_SITE=_build/html.
"""

import functools
import http.server
import io
import json
import re
import threading
from contextlib import suppress
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urlsplit

import matplotlib.pyplot as plt
import numpy as np
import pytest
import yaml
from playwright.sync_api import TimeoutError

from helpers.plotting import COLOURS
from tests.site.browser import axe_script, new_page, watch
from tools.site.architectures import on_dark_pages

ROOT = Path(__file__).resolve().parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [c["file"] for part in TOC["parts"] for c in part["chapters"]]
PAGES = [TOC["root"], *CHAPTERS, "genindex", "search"]
NOTEBOOKS = [c for c in CHAPTERS if (ROOT / f"{c}.ipynb").is_file()]
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

READY = "document.fonts.ready.then(() => window.MathJax?.startup?.promise).then(() => true)"

UNFOLD = """() => {
  for (const folded of document.querySelectorAll('article details')) folded.open = true;
  for (const button of document.querySelectorAll('.toggle-hidden .toggle-button')) button.click();
}"""
REACHABLE = """() => [...document.querySelectorAll(
  'article :is(pre, .cell_output > .output, .pst-scrollable-table-container)'
)].every(e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight
  || e.tabIndex === 0)"""
# A page has thousands of coloured words of code, links, and cells of tables. For colours, one of
# each kind in each kind of box is enough: a block in which nothing is new is taken away, and
# axe-core takes a fraction of the time. What has a style of its own is a kind of its own.
THIN = """() => {
  const seen = new Set(), BOX = '.cell_input, .cell_output, .admonition, figcaption, table, .pg';
  const kind = element => {
    const names = [];
    for (let e = element; e && !e.matches(BOX + ', article'); e = e.parentElement) {
      if (!e.matches('section, div:not([class*=highlight])')) names.push(e.localName, e.className);
      names.push(e.getAttribute('style') ?? '');
      if (e.matches('tr:nth-child(even)')) names.push('even');
    }
    const box = element.closest(BOX);
    return [...names, ...(box?.classList ?? []), box?.localName].join('|');
  };
  const isNew = element => !seen.has(kind(element)) && seen.add(kind(element));
  const old = [], words = [];
  for (const block of document.querySelectorAll('article :is(p, li, tr, pre, dd, dt, div.math)')) {
    if (block.closest('.pg')) continue;
    const inside = [...block.querySelectorAll('*')].filter(e => !e.closest('mjx-container *'));
    const fresh = [block, ...inside].filter(isNew);
    if (!fresh.length) old.push(block);
    else if (block.matches('pre'))
      words.push(...inside.filter(e => !e.children.length && !fresh.includes(e)));
  }
  for (const word of words) word.replaceWith(word.textContent);
  for (const block of old) block.remove();
}"""
# What makes an element of a page's HTML one of a kind: not the names of single ones. What a live
# figure draws is looked at in tests/site/test_live.py, whichever page it stands on.
NAMES = ("tag_", "admonition-", "charbook-live-")
ELEMENT = re.compile(r"<([a-z]\w*)((?:\s[^<>]*)?)>")
ATTRIBUTE = re.compile(r'(class|style|role)="([^"]*)"')
MODE = """mode => {
  document.documentElement.dataset.mode = document.documentElement.dataset.theme = mode;
}"""
# The rules of WCAG 2.0 and 2.1, A and AA: those on colours apart, for they are asked in each mode,
# and those again that a narrow window can break.
AXE = """async which => {
  const some = {
    colours: ['color-contrast', 'link-in-text-block'],
    narrow: ['scrollable-region-focusable', 'aria-hidden-focus', 'button-name', 'link-name',
             'nested-interactive', 'label', 'duplicate-id-aria'],
  };
  const result = await axe.run(document, {
    ...(some[which] ? {runOnly: some[which]} : {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
      rules: Object.fromEntries(some.colours.map(rule => [rule, {enabled: false}])),
    }),
    resultTypes: ['violations'], preload: false,
  });
  return result.violations.flatMap(v => v.nodes.slice(0, 5).map(n =>
    `${v.id}: ${n.html.slice(0, 120)} (${n.failureSummary.split('\\n').slice(1, 3).join(' ')})`));
}"""
# Text, pictures and boxes that reach over the edge and stand in nothing that scrolls.
CUT_OFF = """() => {
  const edge = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > edge) found.push(
    `the page is ${document.documentElement.scrollWidth} px wide on a screen of ${edge}`);
  for (const e of document.querySelectorAll('article *')) {
    const box = e.getBoundingClientRect();
    if (box.right < edge + 1 || !box.width || e.closest('mjx-assistive-mml')) continue;
    let holder = e.parentElement;
    while (holder && !['auto', 'scroll'].includes(getComputedStyle(holder).overflowX)) {
      holder = holder.parentElement;
    }
    if (!holder || holder.matches('html, body')) found.push(e.outerHTML.slice(0, 120));
  }
  return found;
}"""


@pytest.fixture(scope="module")
def server(site):
    """The address of the site on this machine's own network."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def kinds(html):
    """The kinds of elements in a page's article: tags with each class, role and colour."""
    found = set()
    for tag, attributes in ELEMENT.findall(html[html.find("<article") :]):
        has = dict(ATTRIBUTE.findall(attributes))
        classes = has.get("class", "").split()
        found |= {(tag, c) for c in classes if not c.startswith(NAMES)}
        found |= {(tag, has.get("role"))}
        found |= {
            (tag, style) for style in [has.get("style", "")] if re.search("colo|backg", style)
        }
    return found


def one_of_each_kind(pages):
    """Names of pages that together have every kind of element: {name: HTML} -> [name]."""
    have, chosen = {name: kinds(html) for name, html in pages.items()}, []
    while left := set().union(*have.values()) - set().union(*(have[name] for name in chosen)):
        chosen.append(max(have, key=lambda name: len(have[name] & left)))
    return chosen


def settle(page):
    """Wait for fonts and equations, unfold, and wait for the theme's scripts, which make what
    scrolls reachable by keyboard, 0.3 s later."""
    unfold(page)
    with suppress(TimeoutError):  # on a busy machine they wait longer; axe-core has the last word
        page.wait_for_function(REACHABLE, timeout=5000)


def unfold(page):
    page.wait_for_function(READY)
    page.evaluate(UNFOLD)


def violations(page):
    """What axe-core finds in a page that is open: without colours first, then in each mode."""
    page.evaluate(axe_script())
    found = {"any": page.evaluate(AXE, "all but colours")}
    page.evaluate(THIN)
    for mode in ("light", "dark"):
        page.evaluate(MODE, mode)
        found[mode] = page.evaluate(AXE, "colours")
    return found


@pytest.fixture(scope="module")
def sample(site):
    return one_of_each_kind(
        {name: (site / f"{name}.html").read_text(encoding="utf-8") for name in PAGES}
    )


@pytest.fixture(scope="module")
def from_disk(browser, site, sample):
    """name -> (complaints, violations) of pages opened from the disk on a wide screen."""
    seen = {}
    for name in sample:
        page = new_page(browser, viewport=WIDE, reduced_motion="reduce")
        complaints = watch(page)
        page.on(
            "request",
            lambda r, to=complaints: (
                to.append(r.url)
                if r.url.startswith("file:") and site.as_uri() not in r.url
                else None
            ),
        )
        page.goto((site / f"{name}.html").as_uri())
        settle(page)
        seen[name] = complaints, violations(page)
        page.close()
    return seen


def leaving(page, server):
    """A list that fills with the requests of a page that go to another server."""
    outside = []
    page.on(
        "request",
        lambda r: None if r.url.startswith((server, "data:", "blob:")) else outside.append(r.url),
    )
    return outside


def test_a_page_from_the_disk_asks_for_nothing_outside_and_complains_of_nothing(from_disk):
    assert {name: complaints for name, (complaints, _) in from_disk.items() if complaints} == {}


@pytest.mark.parametrize("mode", ["any", "light", "dark"])
def test_axe_finds_no_violation(from_disk, mode):
    assert {name: found[mode] for name, (_, found) in from_disk.items() if found[mode]} == {}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_on_a_phone_asks_no_other_server_and_nothing_is_cut_off(
    browser, server, sample, name
):
    """The page does not scroll sideways; what is wider scrolls in its own box."""
    page = new_page(browser, viewport=PHONE, reduced_motion="reduce")
    outside = leaving(page, server)
    page.goto(f"{server}/{name}.html")
    (settle if name in sample else unfold)(page)
    cut_off = page.evaluate(CUT_OFF)
    # A figure that was drawn for a phone is the one that is shown there.
    cut_off += page.evaluate(
        "[...document.querySelectorAll('picture img')].map(i => i.currentSrc)"
        ".filter(shown => !shown.includes('/narrow/'))"
    )
    found = []
    if name in sample:
        page.evaluate(axe_script())
        found = page.evaluate(AXE, "narrow")
    page.close()
    assert (outside, cut_off, found) == ([], [], [])


def test_a_page_with_something_of_its_own_is_looked_at():
    plain = '<article><p class="a">text</p>'
    for own in ('<p class="a b">', '<em class="a">', '<p style="color: #aaa">', '<p role="note">'):
        pages = {"first": plain, "second": plain, "third": plain + own, "fourth": "<article>"}
        assert one_of_each_kind(pages) == ["third"]
        pages["first"] += "<table>"
        assert sorted(one_of_each_kind(pages)) == ["first", "third"]


# What the tests above would not see, they would not guard: each of these must be found.
INTO = '(<article class="bd-article"[^>]*>)'
SPOILT = {
    "a picture without alt text": (r'(<img [^>]*?)alt="[^"]{20,}"', r"\1", "image-alt"),
    "one pale word among many": (
        "</article>", '<p>Here <em style="color: #aaa">one</em></p></article>',
        'contrast: <em style="color: #aaa">',
    ),
    "a pale row of a table": (
        INTO,
        r"\1<style>tr.odd-one { color: #aaa }</style><table>"
        + "<tr><td>black</td></tr>" * 6 + '<tr class="odd-one"><td>pale</td></tr></table>',
        "contrast: <td>pale</td>",
    ),
    "a link told by its colour alone": (
        "</head>",
        "<style>article p a { text-decoration: none !important; color: #00407a }</style></head>",
        "link-in-text-block",
    ),
    "a script from elsewhere": (
        "</head>", '<script src="https://example.org/a.js"></script></head>', "org/a.js",
    ),
    "a picture from elsewhere": (
        "</article>", '<img alt="picture" src="https://example.org/a.png"></article>', "org/a.png",
    ),
    "a wide box": (INTO, r'\1<div style="width: 900px">wide</div>', "wide on a screen"),
    "a wide box that is hidden": (
        INTO,
        r'\1<div style="overflow: hidden"><p style="width: 900px">wide</p></div>',
        '<p style="width: 900px',
    ),
    "a button without a name": (INTO, r"\1<button></button>", "button-name"),
    "no language": (r'<html lang="\w+"', "<html", "html-has-lang"),
}  # fmt: skip


def all_complaints(browser, server, html):
    """What the checks above say of a landing page with this HTML, on a phone."""
    page = new_page(browser, viewport=PHONE, reduced_motion="reduce")
    page.route("https://**", lambda route: route.abort())
    page.route("**/intro.html", lambda route: route.fulfill(body=html, content_type="text/html"))
    outside = leaving(page, server)
    page.goto(f"{server}/intro.html")
    settle(page)
    found = [*outside, *page.evaluate(CUT_OFF), *chain(*violations(page).values())]
    page.close()
    return found


def test_a_spoilt_page_is_refused(browser, server, site):
    """With every fault at once, each of which must be found; and with pale text, everywhere."""
    html = (site / "intro.html").read_text(encoding="utf-8")
    spoilt = html
    for pattern, replacement, _ in SPOILT.values():
        spoilt, times = re.subn(pattern, replacement, spoilt, count=1)
        assert times == 1
    found = all_complaints(browser, server, spoilt)
    for fault, (_, _, expected) in SPOILT.items():
        assert any(expected in complaint for complaint in found), (fault, found)
    pale = html.replace("</head>", "<style>article p { color: #aaa !important }</style></head>")
    assert any("color-contrast" in c for c in all_complaints(browser, server, pale))


def test_search_works_from_the_disk(browser, site):
    page = new_page(browser)
    complaints = watch(page)
    page.goto((site / "search.html").as_uri() + "?q=forget+gate")
    page.wait_for_selector("#search-results li a")
    links = page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    page.wait_for_timeout(300)  # it goes on to fetch summaries, where there is a server
    page.close()
    assert any("chapters/gates.html" in link for link in links)
    assert complaints == []
    for link in links:
        assert Path(unquote(urlsplit(link).path)).is_file(), link


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_chapter_offers_its_notebook(site, name):
    html = (site / f"{name}.html").read_text(encoding="utf-8")
    offered = re.findall(
        r'href="([^"]+\.ipynb)"[^>]*download|download[^>]*href="([^"]+\.ipynb)"', html
    )
    assert offered
    assert "not attempted yet" not in html  # of use where one can attempt it
    (address,) = {a or b for a, b in offered}
    given = json.loads((site / f"{name}.html").parent.joinpath(address).read_text(encoding="utf-8"))
    copy = site.parent / "notebooks" / f"{name}.ipynb"  # for students: tests/site/test_student.py
    assert given == json.loads(copy.read_text(encoding="utf-8"))


def test_the_landing_page_is_light_and_needs_no_script_to_be_read(browser, site, server):
    """Under 1.3 MB with the weights of the network that writes; and its text and its picture
    stand without scripts."""
    loaded = {}
    page = new_page(browser, viewport=WIDE)
    page.on("response", lambda r: loaded.setdefault(r.url, len(r.body())))
    page.goto(f"{server}/intro.html")
    settle(page)
    page.locator(".pg-text [data-place]").first.wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    page.close()
    assert any(url.endswith("models/lstm.js") for url in loaded)
    assert sum(loaded.values()) < 1_300_000, sorted(loaded.items(), key=lambda x: -x[1])[:8]

    page = new_page(browser, viewport=WIDE, java_script_enabled=False)
    page.goto((site / "intro.html").as_uri())
    for what in (
        "article h1",
        ".cbc-lead p",
        ".cbc-result p",
        ".cbc-result figure img",
        "article h2:has-text('Three ways in')",
    ):
        assert page.locator(what).first.is_visible(), what
    page.close()


# --- colours


def variables(mode):
    """The --cbc- colours of one mode: the book's own, and those of the architectures."""
    css = (ROOT / "_static/book.css").read_text(encoding="utf-8")
    block = re.search(rf'^html\[data-theme="{mode}"\][^{{]*{{([^}}]*--cbc-ink[^}}]*)}}', css, re.M)
    own = dict(re.findall(r"--cbc-([\w-]+): (#[0-9A-F]{6});", block[1]))
    shown = {"light": str, "dark": on_dark_pages}[mode]
    return own | {name: shown(colour) for name, colour in COLOURS.items()}


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def luminance(colour):
    parts = rgb(colour) / 255
    parts = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return parts @ [0.2126, 0.7152, 0.0722]


def contrast(a, b):
    """WCAG's contrast ratio of two colours."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_colours_of_architectures_can_be_seen_and_those_of_text_read(browser):
    """On dark pages they are what the style sheet makes of a figure's colours there."""
    light, dark = variables("light"), variables("dark")
    assert light.keys() == dark.keys()
    page = new_page(browser)
    for name, colour in COLOURS.items():
        page.set_content(
            f'<p style="background: {colour}; filter: invert(1) hue-rotate(180deg)">a</p>'
        )
        seen = picture(page.locator("p"))[1, 1]
        assert abs(seen - rgb(dark[name])).max() <= 1, name
        assert contrast(light[name], light["ground"]) >= 3, name
        assert contrast(dark[name], dark["ground"]) >= 3, name
    page.close()
    for mode in (light, dark):
        for ink in ("ink", "ink-muted", "link"):
            assert min(contrast(mode[ink], mode[x]) for x in ("ground", "raised")) >= 4.5, ink


def picture(locator):
    """What an element looks like: (height, width, 3), 0 to 255."""
    return np.round(255 * plt.imread(io.BytesIO(locator.screenshot()), format="png")[:, :, :3])


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_figures_can_be_read_in_both_modes(browser, site, mode):
    """The ground is the page's own, text stands out from it, and each line has its colour."""
    page = new_page(browser, viewport=WIDE, color_scheme=mode)
    page.goto((site / "intro.html").as_uri())
    settle(page)
    seen = picture(page.locator(".cbc-result figure img")).reshape(-1, 3)
    page.close()
    colours = variables(mode)
    near = lambda colour, by=24: (abs(seen - rgb(colour)).max(axis=1) < by).sum()  # noqa: E731
    assert near(colours["ground"]) > 0.8 * len(seen)
    for name in ("lstm", "transformer", "ngram"):
        assert near(colours[name]) > 50, name
    assert near("#000000" if mode == "light" else "#FFFFFF", by=80) > 500  # axes and labels


# --- on paper

HIDDEN_ON_PAPER = (
    ".bd-sidebar-primary", ".bd-sidebar-secondary", ".bd-header-article", ".prev-next-footer",
    "button.copybtn", "article details:not([open])",
)  # fmt: skip


def test_a_page_prints_without_what_one_presses(browser, site):
    """As dark as the screen may be, the paper is white."""
    page = new_page(browser, viewport=WIDE, color_scheme="dark")
    page.goto((site / "chapters/lstm.html").as_uri())
    page.wait_for_function(READY)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.emulate_media(media="print")
    for what in HIDDEN_ON_PAPER:
        found = page.locator(what)
        assert found.count(), what
        assert not any(found.nth(i).is_visible() for i in range(found.count())), what
    assert page.locator("article h1").is_visible()
    style = "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
    ink, ground = page.eval_on_selector("article p", style)
    filtered = page.eval_on_selector("article figure img", "e => getComputedStyle(e).filter")
    page.close()
    assert (ink, ground, filtered) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)", "none")
