import hashlib
import os

import numpy as np
import pytest

from helpers import corpus
from helpers.corpus import (
    RARE,
    Vocabulary,
    character_kinds,
    disjoint_windows,
    load_corpus,
    split_ids,
)
from tests.faults import planted
from tests.needs import tiny_shakespeare


def test_the_books_corpus_has_its_published_size():
    found = load_corpus("austen")
    assert (len(found.text), len(found.vocab)) == (24_234, 58)


def test_encode_then_decode_gives_the_text_back():
    text = "naïve\tçafé\n日本 🙂 hello"
    vocab = Vocabulary(text)
    ids = vocab.encode(text)
    assert ids.dtype == np.int64
    assert vocab.decode(ids) == text
    assert vocab.decode(vocab.encode("")) == ""


def test_ids_follow_code_point_order_and_ignore_repeats():
    assert Vocabulary("banana").chars == ("a", "b", "n")
    assert Vocabulary("nab") == Vocabulary("banana")
    assert Vocabulary("banana").encode("nab").tolist() == [2, 0, 1]


def test_an_unknown_character_is_named_with_its_position():
    with pytest.raises(ValueError, match=r"'é' at position 2 .*these 3 characters: 'abn'"):
        Vocabulary("banana").encode("baéz")
    with pytest.raises(ValueError, match=r"ud800' at position 1 .*these 3 characters"):
        Vocabulary("banana").encode("a\ud800")  # half a character, as a broken file name has it


def test_one_character_can_stand_for_those_a_vocabulary_lacks():
    vocab = Vocabulary("ban" + RARE)
    assert vocab.decode(vocab.encode("baéz🙂n", unknown=RARE)) == f"ba{RARE * 3}n"
    with pytest.raises(ValueError, match="'é' at position 2"):
        vocab.encode("baéz")
    with pytest.raises(ValueError, match=r"'\?' at position 0 is not in the vocabulary"):
        vocab.encode("baéz", unknown="?")


@pytest.mark.parametrize("ids", [[3], [-1]])
def test_an_id_outside_the_vocabulary_is_an_error(ids):
    with pytest.raises(ValueError, match=f"id {ids[0]} is outside"):
        Vocabulary("ban").decode(ids)


def test_a_vocabulary_is_made_of_single_characters():
    with pytest.raises(ValueError, match="empty"):
        Vocabulary("")
    for no_character in ("ab", 1, None, b"c"):
        with pytest.raises(ValueError, match=f"single characters, not {no_character!r}$"):
            Vocabulary(["c", no_character])


def test_the_last_tenth_is_held_out_and_nothing_is_in_both_parts():
    found = load_corpus("austen")
    train_ids, val_ids = found.split()
    assert len(train_ids) == int(0.9 * len(found.text))
    assert found.vocab.decode(train_ids) + found.vocab.decode(val_ids) == found.text


def test_holding_nothing_out_leaves_the_whole_text():
    train_ids, val_ids = load_corpus("austen", limit=100).split(0)
    assert (len(train_ids), len(val_ids)) == (100, 0)


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan"), None, "0.1", False, [0]])
def test_an_impossible_split_is_an_error(fraction):
    with pytest.raises(ValueError, match="val_fraction"):
        load_corpus("austen").split(fraction)


def test_fractions_are_those_that_are_written():
    """1 - 0.9 is 0.09999999999999998 in floating point."""
    assert [len(part) for part in split_ids(np.arange(1000), 0.9)] == [100, 900]
    # The chapters' splits: a tenth, the whole characters of it rounded up.
    for n, n_train in ((24_234, 21_810), (1_115_394, 1_003_854), (30, 27)):
        assert len(split_ids(np.arange(n))[0]) == n_train


def test_a_text_too_short_to_split_is_an_error(tmp_path):
    (tmp_path / "short.txt").write_text("abcdefghij", encoding="utf-8")
    with pytest.raises(ValueError, match=r"too short to hold out 0\.1"):
        load_corpus(tmp_path / "short.txt").split()


def test_limit_keeps_the_first_characters():
    assert load_corpus("austen", limit=30).text == load_corpus("austen").text[:30]


def test_a_path_is_read_without_its_byte_order_mark_and_with_plain_line_ends(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert load_corpus(path).text == "one\ntwo\nthree\n"
    assert load_corpus(str(path)).text == "one\ntwo\nthree\n"


def test_a_file_whose_name_begins_with_a_tilde_or_is_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no file called '~notes\.txt'"):
        load_corpus("~notes.txt")
    (tmp_path / "~notes.txt").write_text("notes", encoding="utf-8")
    assert load_corpus("~notes.txt").text == "notes"
    with pytest.raises(FileNotFoundError, match=r"no file called 'a+\. The corpora are"):
        load_corpus("a" * 10_000)  # the text itself, where its path was asked for


def test_a_misspelt_name_suggests_the_right_one():
    with pytest.raises(FileNotFoundError, match=r"'shakespere'\. Did you mean 'shakespeare'\?"):
        load_corpus("shakespere")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        load_corpus(tmp_path / "nowhere.txt")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        load_corpus(tmp_path)
    with pytest.raises(FileNotFoundError, match="the name of a text is empty: give"):
        load_corpus("")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_told_from_what_is_not_there(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="is a pipe or a device: write its text into"):
        load_corpus(tmp_path / "pipe")


@pytest.mark.parametrize("name", [None, 3, [], b"austen"])
def test_what_can_be_no_name_is_refused(name):
    with pytest.raises(TypeError, match="a corpus is a name or the path of a text file, not "):
        load_corpus(name)


def test_bytes_that_are_not_utf8_are_located(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("caf\u00e9".encode("latin-1"))
    with pytest.raises(ValueError, match=r"not UTF-8 text: byte 0xe9 at offset 3"):
        load_corpus(path)


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(ValueError, match="is empty"):
        load_corpus(tmp_path / "empty.txt")


def test_a_corpus_that_is_not_the_published_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "tinyshakespeare.txt").write_text("First Citizen: not quite", encoding="utf-8")
    monkeypatch.setenv("CHARBOOK_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="not the published file"):
        load_corpus("tinyshakespeare")


def test_the_books_own_copies_are_checked_too(tmp_path, monkeypatch):
    (tmp_path / "austen.txt").write_text("It is a truth.", encoding="utf-8")
    monkeypatch.setattr(corpus, "BOOK_DATA", tmp_path)
    with pytest.raises(ValueError, match="not the published file"):
        load_corpus("austen")


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """No copy anywhere, an empty cache, and a pooch that cannot connect."""
    import pooch

    def refuse(*args, **kwargs):
        raise ConnectionRefusedError("no route to host")

    monkeypatch.delenv("CHARBOOK_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr(pooch, "retrieve", refuse)


@pytest.mark.usefixtures("no_network")
def test_without_the_network_the_error_names_the_alternatives():
    with pytest.raises(ConnectionError, match=r"CHARBOOK_DATA.*'shakespeare' or 'austen'"):
        load_corpus("tinyshakespeare")


def test_a_corpus_is_found_in_the_cache_without_the_network(tmp_path, monkeypatch):
    import pooch

    text = b"First Citizen"
    source = corpus.Source("tiny.txt", hashlib.sha256(text).hexdigest(), "http://127.0.0.1:9/tiny")
    monkeypatch.setitem(corpus.SOURCES, "tiny", source)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path)
    (tmp_path / "tiny.txt").write_bytes(text)
    assert load_corpus("tiny").text == "First Citizen"


def test_what_is_fetched_and_where_it_is_kept(tmp_path, monkeypatch):
    import pooch

    asked, there = [], tmp_path / "fetched.txt"
    there.write_text("First Citizen", encoding="utf-8")
    known = hashlib.sha256(b"First Citizen").hexdigest()
    monkeypatch.setitem(corpus.SOURCES, "tiny", corpus.Source("tiny.txt", known, "http://it/x"))
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    monkeypatch.setattr(pooch, "retrieve", lambda *a, **kw: asked.append((a, kw)) or str(there))
    assert load_corpus("tiny").text == "First Citizen"
    cache = tmp_path / "character-by-character"
    expected = ("http://it/x", f"sha256:{known}", "tiny.txt", cache)
    assert asked == [(expected, {"progressbar": True})]


def test_a_corpus_and_its_vocabulary_say_what_they_are():
    found = load_corpus("austen", limit=1000)
    assert repr(found) == "Corpus('austen', 1,000 characters, 43 distinct)"
    assert repr(Vocabulary("banana")) == "Vocabulary('abn')"


def test_tiny_shakespeare_is_the_published_file():
    found = tiny_shakespeare()
    assert (len(found.text), len(found.vocab)) == (1_115_394, 65)


def test_windows_are_disjoint_and_their_targets_one_step_ahead():
    x, y = disjoint_windows(np.arange(23), seq_len=5)
    assert x.shape == y.shape == (4, 5)
    assert x.ravel().tolist() == list(range(20))
    assert y.ravel().tolist() == list(range(1, 21))


def test_a_text_of_one_window_and_one_character_fills_a_window():
    x, y = disjoint_windows(np.arange(6), seq_len=5)
    assert (x.tolist(), y.tolist()) == ([[0, 1, 2, 3, 4]], [[1, 2, 3, 4, 5]])


def test_a_text_shorter_than_a_window_is_an_error():
    with pytest.raises(ValueError, match="has 5 characters; one window of 5 needs 6"):
        disjoint_windows(np.arange(5), seq_len=5)


def test_kinds_of_characters_by_patterns_of_which_the_last_decides():
    text = "I am,\n  7 am"
    kinds = character_kinds(text, {"letter": r"[a-z]+", "space": " ", "indent": r"(?m)^ +"}, "rest")
    assert list(kinds) == ["letter", "space", "indent", "rest"]
    rows = {kind: "".join(".x"[int(is_kind)] for is_kind in mask) for kind, mask in kinds.items()}
    assert rows == {
        "letter": "..xx......xx",
        "space":  ".x.......x..",
        "indent": "......xx....",
        "rest":   "x...xx..x...",
    }  # fmt: skip
    assert "rest" not in character_kinds(text, {"letter": "[a-z]"})
    assert character_kinds("", {"letter": "[a-z]"})["letter"].shape == (0,)


@planted(disjoint_windows, test_windows_are_disjoint_and_their_targets_one_step_ahead)
def test_fault_targets_are_the_inputs(right, ids, seq_len):
    """Every loss falls to zero, and nothing was learned."""
    x, _ = right(ids, seq_len)
    return x, x


@planted(split_ids, test_the_last_tenth_is_held_out_and_nothing_is_in_both_parts)
def test_fault_held_out_text_is_trained_on(right, ids, val_fraction):
    """The held-out loss is then as good as the training loss."""
    return ids, right(ids, val_fraction)[1]
