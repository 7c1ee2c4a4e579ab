"""Sphinx extension: pages that load only what they use, and that axe-core finds no fault with.

As the theme writes it, a page loads 3.9 MB before anything is pressed. Taken away here:

- Font Awesome's script (1.5 MB of icons) and fonts. The few icons that the pages use are cut
  out of that script into a style sheet, ``_static/icons.css``.
- MathJax (1.2 MB) where there is no equation.
- The search index (0.2 MB, growing), which the theme loads on every page for a search while
  one types; that is off, and the search page loads it by itself.

- From the disk, the summaries under the search's results: a browser lets no page read another
  there, and each try would be an error on the console.

- What a check says of an exercise that nobody can have attempted on a page.
- The link from a solution's title to the exercise right above it, in the way of *Show*.

And mended: the bibliography's entries take the role of the list that they stand in
(``doc-biblioentry`` is deprecated, and no child for ``role="list"``), and code that scrolls can
be reached by keyboard also where it was folded when the page was loaded.
"""

import re
from pathlib import Path
from urllib.parse import quote

from docutils import nodes

ICON = re.compile(r'class="([^"]*\bfa[bsr]?\b[^"]*|[^"]*\bfa-(?:solid|brands|regular)\b[^"]*)"')
SCRIPTS = re.compile(
    r'\s*<script[^>]* src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>'
)
FONT_AWESOME = re.compile(r'\s*<script[^>]* src="[^"]*scripts/fontawesome\.js[^"]*"></script>')
UNATTEMPTED = re.compile(
    r'<div class="cell_output [^>]*>\s*<div class="output stream [^>]*>'
    r'<div class="highlight"><pre>(?:<span></span>)?(?:[\w-]+: not attempted yet\n)+</pre></div>\s*'
    r"</div>\s*</div>"
)
SOLUTION = re.compile(r"(<p class=\"admonition-title\">Solution to)<a [^>]*>([^<]*)</a>")
# The theme looks which boxes scroll, and lets the keyboard reach those, before the page is laid
# out and when the window changes. So it is told to look again when all is loaded or unfolded.
TAB_STOPS = """\
{
  const look = () => window.dispatchEvent(new Event("resize"));
  window.addEventListener("load", look);
  document.addEventListener("toggle", look, true);
  document.addEventListener("click", event => {
    if (event.target.closest?.(".toggle-button, .admonition-title")) look();
  });
}
"""
NO_SUMMARIES = (
    '<script>if (location.protocol === "file:") '
    "DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;</script>"
)
STYLES = {"fa-lg", "fa-solid", "fa-brands", "fa-regular", "fa-fw", "fa-spin"}  # not icons
# A picture of the icon as a mask keeps its colour that of the text, as with a font. Where the
# system chooses the colours, a background would be taken away: the icon then says which.
RULES = """\
:is(.fa-solid, .fas, .fab, .far, .fa-brands, .fa-regular):is(i, span)::before { content: none; }
:is(%(all)s) {
  display: inline-block; width: 1em; height: 1em; vertical-align: -0.125em; flex: none;
  background: currentColor; mask: var(--icon) center / contain no-repeat;
}
@media (forced-colors: active) {
  :is(%(all)s) { forced-color-adjust: none; background: ButtonText; }
}
"""


def no_idle_mathjax(app, pagename, templatename, context, doctree):
    """Leave MathJax out of a page without equations."""
    if doctree is not None and any(doctree.findall(is_math)):
        return
    context["script_files"] = [
        f for f in context.get("script_files", ()) if not is_mathjax(f)
    ]  # fmt: skip


def is_math(node):
    return isinstance(node, nodes.math | nodes.math_block)


def is_mathjax(file):
    text = f"{getattr(file, 'filename', '')} {getattr(file, 'attributes', {}).get('body', '')}"
    return "mathjax" in text.lower()


def icon_paths(script, names):
    """The drawings of Font Awesome's icons: name -> (width, height, path)."""
    found = {}
    for name in names:
        entry = re.search(
            rf'(?<=[{{,])"?{re.escape(name)}"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]',
            script,
        )
        if entry:
            found[name] = (int(entry[1]), int(entry[2]), entry[3])
    return found


def icon_rules(paths):
    """A style sheet that draws them."""
    rules = []
    for name, (width, height, path) in sorted(paths.items()):
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
            f'<path d="{path}"/></svg>'
        )
        address = quote(svg, safe=" =:/'<>")
        rules.append(f'.fa-{name} {{ --icon: url("data:image/svg+xml,{address}"); }}')
    every = ", ".join(f".fa-{name}:is(i, span)" for name in sorted(paths))
    return RULES % {"all": every} + "\n".join(rules) + "\n"


def lean(html, is_search):
    """One page's HTML without what it does not need; doing it twice changes nothing more."""
    html = UNATTEMPTED.sub("", FONT_AWESOME.sub("", html))
    html = SOLUTION.sub(r"\1\2", html)
    if not is_search:
        html = SCRIPTS.sub("", html)
    elif NO_SUMMARIES not in html:
        html = html.replace("</head>", f"{NO_SUMMARIES}</head>", 1)
    return html.replace('role="doc-biblioentry"', 'role="listitem"')


def finish(app, error):
    """After a build without errors, go over all pages."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    used = set()
    for page in out.rglob("*.html"):
        if "_static" in page.relative_to(out).parts:
            continue
        html = page.read_text(encoding="utf-8")
        for classes in ICON.findall(html):
            used |= {c[3:] for c in classes.split() if c.startswith("fa-") and c not in STYLES}
        lighter = lean(html, page.name == "search.html")
        if lighter != html:
            page.write_text(lighter, encoding="utf-8")
    script = (out / "_static/scripts/fontawesome.js").read_text(encoding="utf-8")
    (out / "_static/icons.css").write_text(icon_rules(icon_paths(script, used)), encoding="utf-8")


def setup(app):
    app.add_css_file("icons.css")
    app.add_js_file(None, body=TAB_STOPS)
    app.connect("html-page-context", no_idle_mathjax, priority=900)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
