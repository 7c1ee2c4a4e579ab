"""Pages from the disk with live figures, for the tests that look at them."""

from contextlib import contextmanager

from tests.site.browser import TWO_FRAMES, new_page, watch
from tools.site import live

STYLES = ("book.css", "architectures.css", "playground/playground.css", "live/live.css")


@contextmanager
def figures_page(browser, static, names, mode="light", width=1280, before="", places=True):
    """A page from the disk with these figures, or with their scripts alone; what it complains of
    fails the test."""
    scripts = dict.fromkeys(script for name in names for script in live.scripts(name))
    html = "".join(
        [
            f'<!doctype html><html lang="en" data-theme="{mode}"><title>Live</title>',
            '<meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            *(f'<link rel="stylesheet" href="_static/{style}">' for style in STYLES),
            *(f'<script defer src="_static/{script}.js"></script>' for script in scripts),
            "<style>html, body { background: var(--cbc-ground); color: var(--cbc-ink) }</style>",
            '<main class="bd-content"><article class="bd-article"><h1>Live</h1>',
            *(f'<div class="lv-mount" data-live="{name}"></div>' for name in names if places),
            f"</article></main>{before}",
        ]
    )
    file = static.parent / f"{'-'.join(names)[:60]}-{mode}-{width}.html"
    file.write_text(html, encoding="utf-8")
    page = new_page(browser, viewport={"width": width, "height": 900})
    complaints = watch(page)
    page.goto(file.as_uri())
    yield page
    page.close()
    assert complaints == [], complaints


def filled(page):
    """Wait until every figure of the page stands in its place."""
    for mount in page.locator(".lv-mount").all():
        mount.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.lv-mount')].every(m => m.querySelector('.lv > *'))"
    )
    page.evaluate(TWO_FRAMES)  # pictures are drawn when their width is known
