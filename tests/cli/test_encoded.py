import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from helpers.cli import encoded
from helpers.cli.encoded import encode_texts, find_texts, open_encoded, read_texts
from helpers.corpus import RARE, Vocabulary, load_corpus

MANY = "".join(map(chr, range(0x4E00, 0x4E00 + 700)))  # more than 256 Chinese characters


def put(folder, **files):
    for name, text in files.items():
        path = folder / f"{name.replace('_in_', '/')}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def encode(folder, text, **more):
    put(folder, text=text)
    return encode_texts([folder / "text.txt"], folder / "run", **more)


@pytest.mark.parametrize("block", [1, 2, 3, 5, 7, 2**17])
@pytest.mark.parametrize(
    "text",
    ["plain\nletters and no more", "naïve café\n", "“quoted” — 日本 🙂\n\n", MANY + "abc" + MANY],
    ids=["ascii", "latin", "mixed", "many"],
)
def test_ids_are_those_of_the_vocabulary_wherever_a_block_ends(tmp_path, monkeypatch, text, block):
    monkeypatch.setattr(encoded, "BLOCK", block)
    found = encode(tmp_path, text)
    assert found.vocab == Vocabulary(text)
    assert found.ids.tolist() == Vocabulary(text).encode(text).tolist()
    assert found.ids.dtype == (np.uint8 if len(found.vocab) <= 256 else np.uint16)
    assert not list((tmp_path / "run").glob("*part*"))


def test_a_vocabulary_that_grows_past_a_byte_in_the_middle_of_a_text(tmp_path, monkeypatch):
    monkeypatch.setattr(encoded, "BLOCK", 100)
    text = "abc" * 200 + MANY + "abc" * 50
    found = encode(tmp_path, text)
    assert found.vocab.decode(found.ids) == text
    assert found.ids.dtype == np.uint16


def test_more_characters_than_two_bytes_can_tell_apart(tmp_path):
    text = "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x13000)]))
    found = encode(tmp_path, text)
    assert found.ids.dtype == np.uint32
    assert found.vocab.decode(found.ids[-5:]) == text[-5:]


@pytest.mark.parametrize("block", [1, 2, 3, 4, 100])
def test_line_ends_and_byte_order_marks_as_in_load_corpus(tmp_path, monkeypatch, block):
    monkeypatch.setattr(encoded, "BLOCK", block)
    put(tmp_path, mine=b"\xef\xbb\xbfone\r\ntwo\rthree\n\r\r\n\r")
    path = tmp_path / "mine.txt"
    assert "".join(read_texts([path])) == load_corpus(path).text == "one\ntwo\nthree\n\n\n\n"


def test_files_are_joined_at_line_ends(tmp_path):
    put(tmp_path, a="one", b="two\n", c="three")
    paths, _ = find_texts([tmp_path / "c.txt", tmp_path / "a.txt", tmp_path / "b.txt"])
    assert "".join(read_texts(paths)) == "three\none\ntwo\n"


def test_a_folder_gives_its_texts_in_order_without_hidden_and_binary_files(tmp_path):
    put(tmp_path, b="b", a_in_z="z", a_in_y="y")
    (tmp_path / ".hidden").write_text("no", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("no", encoding="utf-8")
    (tmp_path / "a" / "cached.pyc").write_bytes(b"\x00\x01\xff")
    (tmp_path / "c.md").write_text("c", encoding="utf-8")
    found, passed_over = find_texts([tmp_path])
    names = [p.relative_to(tmp_path).as_posix() for p in found]
    assert names == ["a/y.txt", "a/z.txt", "b.txt", "c.md"]
    assert [p.name for p in passed_over] == ["cached.pyc"]


def test_globs_names_and_standard_input(tmp_path, monkeypatch):
    put(tmp_path, b="b", a="a", deep_in_c="c")
    assert [p.name for p in find_texts([f"{tmp_path}/*.txt"])[0]] == ["a.txt", "b.txt"]
    assert len(find_texts([f"{tmp_path}/**/*.txt"])[0]) == 3
    paths, _ = find_texts(["austen", "-"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped"), encoding="utf-8"))
    assert "".join(read_texts(paths)) == load_corpus("austen").text.rstrip("\n") + "\npiped"


@pytest.mark.parametrize(
    ("source", "message"),
    [("nowhere.txt", "no file called"), ("*.nothing", "no file matches"), ("bare", "no text")],
)
def test_a_source_that_gives_nothing_is_an_error(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bare").mkdir()
    with pytest.raises(FileNotFoundError, match=message):
        find_texts([source])


@pytest.mark.parametrize("block", [1, 2, 4, 100])
@pytest.mark.parametrize(
    ("data", "place"),
    [(b"caf\xe9 au lait", "0xe9 at offset 3"), ("naïve é".encode()[:-1], "0xc3 at offset 7")],
)
def test_bytes_that_are_not_utf8_are_located(tmp_path, monkeypatch, data, place, block):
    monkeypatch.setattr(encoded, "BLOCK", block)
    put(tmp_path, wrong=data)
    with pytest.raises(ValueError, match=f"wrong.txt is not UTF-8 text: byte {place}"):
        encode_texts([tmp_path / "wrong.txt"], tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


def test_rare_characters_become_one_symbol(tmp_path):
    text = "aaaabbbbé日c" + "ab" * 3
    found = encode(tmp_path, text, rare=2)
    assert found.vocab == Vocabulary("ab" + RARE)
    assert found.vocab.decode(found.ids) == "aaaabbbb" + RARE * 3 + "ab" * 3
    assert found.mapped == 3
    with pytest.raises(ValueError, match="no character occurs 100 times"):
        encode(tmp_path, text, rare=100)


@pytest.mark.parametrize("rare", [0, 1, 2, 3])
@pytest.mark.parametrize("block", [3, 100, 2**17])
@pytest.mark.parametrize(
    "text",
    ["aa b – b – bé “d” d\n", "aaab" + MANY + "b" + MANY[:300] + "é"],
    ids=["narrow", "wide"],
)
def test_what_is_rare_is_counted_over_all_blocks(tmp_path, monkeypatch, text, block, rare):
    monkeypatch.setattr(encoded, "BLOCK", block)
    counts = Counter(text)
    wanted = "".join(RARE if counts[c] < rare else c for c in text)
    found = encode(tmp_path, text, rare=rare)
    assert found.vocab.decode(found.ids) == wanted
    assert found.mapped == wanted.count(RARE)


def test_rare_characters_can_make_a_wide_text_narrow(tmp_path):
    found = encode(tmp_path, "ab" * 10 + MANY, rare=5)
    assert (len(found.vocab), found.ids.dtype, found.mapped) == (3, np.uint8, 700)
    assert found.vocab.decode(found.ids[:20]) == "ab" * 10


def test_an_empty_text_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"text\.txt is empty"):
        encode(tmp_path, "")


def test_the_split_is_that_of_a_corpus(tmp_path):
    expected = load_corpus("austen").split()
    found = encode_texts(find_texts(["austen"])[0], tmp_path).split()
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_text_that_was_cut_or_edited_is_refused(tmp_path):
    encode(tmp_path, "some text")
    run = tmp_path / "run"
    ids = run / "text.ids"
    ids.write_bytes(ids.read_bytes()[::-1])
    open_encoded(run)
    with pytest.raises(ValueError, match="was changed"):
        open_encoded(run, check=True)
    ids.write_bytes(ids.read_bytes()[:-1])
    with pytest.raises(ValueError, match="cut short or changed: it has 8 bytes"):
        open_encoded(run)
    for wrong in ("{", '{"format": "other"}', "[]", json.dumps({"format": encoded.FORMAT})):
        (run / "text.json").write_text(wrong, encoding="utf-8")
        with pytest.raises(ValueError, match="not whole, or was edited"):
            open_encoded(run)
    with pytest.raises(FileNotFoundError, match="no encoded text"):
        open_encoded(tmp_path)


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        encode(tmp_path, "some text")
    assert not list((tmp_path / "run").iterdir())


MEASURE = """
import resource, sys
from pathlib import Path
from helpers.cli.encoded import encode_texts

found = encode_texts([Path(sys.argv[1])], sys.argv[2])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

from helpers.models import CharRNN
from helpers.training import Training

def anonymous():
    return int(next(x for x in open("/proc/self/status") if x.startswith("RssAnon")).split()[1])

training = Training(CharRNN(len(found.vocab), 4, 4), found.split()[0], steps=3)
before = anonymous()
with training.own_randomness():
    for _ in training.rest_of_epoch():
        after = anonymous()
print(len(found.ids), peak, after - before)
"""


def test_progress_is_told_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(encoded, "BLOCK", 4)
    put(tmp_path, a="naïve café", b="日本")
    told = []
    "".join(read_texts([tmp_path / "a.txt", tmp_path / "b.txt"], told.append))
    assert (sum(told), max(told)) == (12 + 6, 4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_text(tmp_path):
    """But for the order of the windows in training: eight bytes for each fifty characters."""
    line = b"It is a truth universally acknowledged, that a text may be long.\n"
    peaks = []
    for megabytes in (4, 64):
        with open(tmp_path / "long.txt", "wb") as file:
            for _ in range(megabytes):
                file.write(line * (10**6 // len(line)))
        command = [sys.executable, "-c", MEASURE, tmp_path / "long.txt", tmp_path / "run"]
        root = Path(encoded.__file__).parents[2]
        out = subprocess.run(
            command, cwd=root, capture_output=True, encoding="utf-8", check=True
        ).stdout
        n, *kilobytes = map(int, out.split())
        assert n == megabytes * (10**6 // len(line)) * len(line)
        peaks.append(kilobytes)
    (encoding, training), (encoding_more, training_more) = peaks  # for 60,000 kB more of text
    assert encoding_more - encoding < 15_000
    assert training_more - training < 25_000


def test_a_folder_is_made_and_the_text_on_disk_stays_as_it_is(tmp_path):
    put(tmp_path, a="ab", b="c")
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    found = encode_texts(paths, tmp_path / "new" / "run")
    assert found.sources == tuple(map(str, paths))
    before = found.ids.tolist()
    found.ids[0] = 2  # allowed, and in memory alone
    assert open_encoded(tmp_path / "new" / "run", check=True).ids.tolist() == before


def test_what_is_missing_or_empty_is_named(tmp_path):
    put(tmp_path, a="", b="")
    with pytest.raises(ValueError, match=r"/a\.txt, /[^ ]*/b\.txt is empty"):
        encode_texts([tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "run")
    encode(tmp_path, "text")
    (tmp_path / "run" / encoded.IDS).unlink()
    with pytest.raises(ValueError, match="was cut short or changed: it has 0 bytes"):
        open_encoded(tmp_path / "run")
