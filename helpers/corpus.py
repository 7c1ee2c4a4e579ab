"""From a file or a name to text, vocabulary, ids, a held-out split and windows.

NumPy alone: nothing here needs PyTorch.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .support import plays
from .support.arguments import ids_below, is_number, shown, whole_number
from .support.files import expand_user

# In an installed copy the data lie in the package, in a checkout of the book beside it.
HERE = Path(__file__).resolve().parent
BOOK_DATA = HERE / "data" if (HERE / "data").is_dir() else HERE.parent / "data"

# Unicode's replacement character stands for what is too rare in a text to be learned.
RARE = "\N{REPLACEMENT CHARACTER}"
MOST_SHOWN = 300  # characters of a vocabulary


@dataclass(frozen=True)
class Source:
    """Where a corpus known by name lives, and the SHA-256 that its bytes must have."""

    file: str
    sha256: str
    url: str | None = None


SOURCES = {
    "austen": Source(
        "austen.txt", "bd55f2df5e86f51c487442e18d078d9bda30a50e255bb2432e60f2a5a2106957"
    ),
    "tinyshakespeare": Source(
        "tinyshakespeare.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    ),
}


class Vocabulary:
    """The distinct characters of a text, in code-point order, and their integer ids.

    ``characters`` is any text or collection of single characters; repeats and order do
    not matter. ``encode`` and ``decode`` are inverse to each other.
    """

    def __init__(self, characters):
        characters = set(characters)
        if not characters:
            raise ValueError("a vocabulary needs at least one character, and the text is empty")
        for character in characters:
            if not isinstance(character, str) or len(character) != 1:
                raise ValueError(f"a vocabulary has single characters, not {shown(character)}")
        self.chars = tuple(sorted(characters))
        self._codes = np.array([ord(c) for c in self.chars], dtype=np.uint32)

    def __len__(self):
        return len(self.chars)

    def __contains__(self, char):
        return char in self.chars

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.chars == other.chars

    def __hash__(self):
        return hash(self.chars)

    def __repr__(self):
        return f"Vocabulary({self._shown()})"

    def _shown(self):
        """The characters as an error shows them: of many, the first."""
        shown = "".join(self.chars[:MOST_SHOWN])
        return repr(shown) if len(self) <= MOST_SHOWN else f"{shown!r} …"

    def encode(self, text, unknown=None):
        """Text of N characters -> int64 ids (N,).

        ``unknown`` is a character of the vocabulary that stands for all those it does not
        have (``RARE``, for a text that was read with its rare characters mapped to one).
        Without it, raises ValueError that names the first such character.
        """
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        ids = np.searchsorted(self._codes, codes).clip(max=len(self) - 1)
        missing = np.flatnonzero(self._codes[ids] != codes)
        if missing.size and unknown is not None:
            ids[missing] = self.encode(unknown)
        elif missing.size:
            position = int(missing[0])
            raise ValueError(
                f"character {text[position]!r} at position {position} is not in the vocabulary, "
                f"which has these {len(self)} characters: {self._shown()}"
            )
        return ids.astype(np.int64)

    def decode(self, ids):
        """Ids (N,), any integer sequence -> text of N characters.

        Raises ValueError for an id outside 0 … len(vocabulary) - 1.
        """
        ids = ids_below(ids, len(self)).ravel()
        if not ids.size:  # of any type, as an empty list is
            return ""
        return self._codes[ids].tobytes().decode("utf-32-le", "surrogatepass")


@dataclass(frozen=True)
class Corpus:
    """A text with its vocabulary. ``name`` is what it was loaded by; ``plays`` {slug: (start,
    end)} says where in it the plays are that it has whole."""

    name: str
    text: str
    vocab: Vocabulary
    plays: dict = field(default_factory=dict, compare=False)

    def __repr__(self):
        return f"Corpus({self.name!r}, {len(self.text):,} characters, {len(self.vocab)} distinct)"

    def split(self, val_fraction=0.1):
        """Ids of the first part of the text and of the last: (train_ids, val_ids), int64.

        The last ``val_fraction`` of the text is held out, in one piece. 0 holds nothing
        out. Raises ValueError where either part would have no character to predict.
        """
        return split_ids(self.vocab.encode(self.text), val_fraction)

    def split_by_plays(self):
        """Ids of the training, validation and test plays: (train_ids, val_ids, test_ids), int64.

        Which play is in which part is fixed. Raises ValueError for less than all plays.
        """
        return tuple(np.split(self.vocab.encode(self.text), plays.cuts(self.plays)))


def split_ids(ids, val_fraction=0.1):
    """``Corpus.split`` for ids (N,), of which a memory map is not read."""
    if not (is_number(val_fraction) and 0 <= val_fraction < 1):
        raise ValueError(
            f"val_fraction must be a number of at least 0 and below 1, not {shown(val_fraction)}"
        )
    # A tenth of 1,000 is 100, though 1 - 0.9 is a little less than 0.1 in floating point.
    n_train = math.floor(round(len(ids) * (1 - float(val_fraction)), 6))
    train_ids, val_ids = ids[:n_train], ids[n_train:]
    if len(train_ids) < 2 or (val_fraction > 0 and len(val_ids) < 2):
        raise ValueError(
            f"a text of {len(ids)} characters is too short to hold out {val_fraction:g} of it: "
            "each part needs at least two characters, one to read and one to predict"
        )
    return train_ids, val_ids


def load_corpus(name, limit=None):
    """A corpus by name (``"shakespeare"``, ``"austen"``, ``"tinyshakespeare"``) or by path.

    ``"shakespeare"`` is the complete plays and ``"coriolanus"``, say, one of them: they are read
    from the data of an installed package, by ``helpers.support.plays``.
    Any other name is looked up in the book's ``data/``, then in the folder that the environment
    variable ``CHARBOOK_DATA`` names, then in the user's cache, and only then downloaded;
    its SHA-256 is checked each time. Anything else is the path of a UTF-8 text file
    (a byte-order mark is dropped, and line ends become ``\\n``). ``limit`` keeps the first
    so many characters.

    Raises FileNotFoundError (no such name or file), TypeError (neither), ConnectionError (not
    here and cannot be downloaded), ValueError (empty, not UTF-8, zero bytes, wrong checksum, bad
    limit).
    """
    if limit is not None:
        limit = whole_number("limit", limit)
    if name in plays.NAMES:
        text, spans = plays.read(name, limit)
        return Corpus(name, text, Vocabulary(text), spans)
    path = locate(name)
    data = path.read_bytes()
    text = _decode(data, path)
    if not text:
        raise ValueError(f"{path} is empty: there is nothing to learn from")
    text = text[:limit]
    return Corpus(str(name), text, Vocabulary(text))


def locate(name):
    """The path of a corpus, downloaded if need be; a named one is checked. See load_corpus."""
    if not isinstance(name, str | os.PathLike):
        raise TypeError(f"a corpus is a name or the path of a text file, not {shown(name)}")
    if name in plays.NAMES:
        return plays.write(name, cache_folder())
    if name in SOURCES:
        path = on_this_machine(name) or _download(name, SOURCES[name])
        _check_sha256(path.read_bytes(), SOURCES[name], path)
        return path
    if not str(name):  # an unset variable of a shell; as a path it would be this folder
        raise FileNotFoundError("the name of a text is empty: give a corpus or a text file")
    path = expand_user(name)
    if os.path.isdir(path):
        raise FileNotFoundError(f"{path} is a folder: give the path of one text file")
    if not os.path.isfile(path):  # unlike Path's methods, False also for what cannot be a name
        if os.path.exists(path):
            raise FileNotFoundError(f"{path} is a pipe or a device: write its text into a file")
        near = difflib.get_close_matches(str(name), (*SOURCES, *plays.NAMES), n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise FileNotFoundError(
            f"there is no corpus and no file called {str(name)!r:.300}. {hint}"
            f"The corpora are {plays.ALL!r}, each play and {', '.join(map(repr, SOURCES))}; "
            f"anything else is read as the path of a text file, from {Path.cwd()}."
        )
    return path


def on_this_machine(name):
    """The path of a named corpus in the book's data or in CHARBOOK_DATA's folder, or None."""
    folders = filter(None, [BOOK_DATA, os.environ.get("CHARBOOK_DATA")])
    paths = [Path(folder) / SOURCES[name].file for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def _download(name, source):
    """Fetch a corpus into the user's cache, or say how else to get it."""
    if source.url is None:
        raise FileNotFoundError(
            f"{source.file} is neither in {BOOK_DATA} nor in the folder that CHARBOOK_DATA names; "
            "it is part of the book's repository, in data/"
        )
    import pooch

    try:
        return Path(
            pooch.retrieve(
                source.url, f"sha256:{source.sha256}", source.file, cache_folder(), progressbar=True
            )
        )
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"{name!r} is not on this machine and could not be downloaded from {source.url} "
            f"({type(error).__name__}: {error}). Without the network: put the file, named "
            f"{source.file}, into a folder and set CHARBOOK_DATA to that folder; or use a corpus "
            "that comes with the book, 'shakespeare' or 'austen'."
        ) from error


def cache_folder():
    """The user's folder for what is fetched or made, which may not be there yet."""
    import pooch

    return Path(pooch.os_cache("character-by-character"))


def _check_sha256(data, source, path):
    digest = hashlib.sha256(data).hexdigest()
    if digest != source.sha256:
        raise ValueError(
            f"{path} is not the published file: its SHA-256 is {digest}, and it should be "
            f"{source.sha256}. Restore or delete it; to read it as it is, give its path "
            "instead of its name."
        )


def _decode(data, path):
    refuse_zeros(data, path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, data[error.start], error.start) from error
    return line_feeds(text)


def line_feeds(text):
    """A text whose lines end with LF, where they may have ended with CR LF or CR."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def not_utf8(name, byte, offset):
    """The error for a text with a byte that UTF-8 does not have there."""
    return ValueError(
        f"{name} is not UTF-8 text: byte 0x{byte:02x} at offset {offset}. Save it as UTF-8 (an "
        "old file may be Windows-1252 or Latin-1: iconv -f WINDOWS-1252 -t UTF-8)."
    )


def refuse_zeros(data, name, offset=0):
    """Raise ValueError for bytes, at ``offset`` of a file, with a zero among them.

    UTF-8 has the character NUL, but a text has not: such a file is UTF-16, or no text.
    """
    if (at := data.find(0)) >= 0:
        raise ValueError(
            f"{name} is not UTF-8 text: it has a zero byte at offset {offset + at}, as UTF-16 "
            "has (iconv -f UTF-16 -t UTF-8) and files that are no text."
        )


def disjoint_windows(ids, seq_len):
    """Cut ids (N,) into inputs and targets (n, seq_len), with n = (N - 1) // seq_len.

    Window k reads ids[k * seq_len : (k + 1) * seq_len]; its targets are the same stretch
    shifted by one, so each character but the first is a target at most once. What does
    not fill a window at the end is left out. Raises ValueError for a text too short for one.
    """
    seq_len = whole_number("seq_len", seq_len)
    ids = np.asarray(ids)
    n = (len(ids) - 1) // seq_len
    if n < 1:
        raise ValueError(
            f"the text has {len(ids)} characters; one window of {seq_len} needs {seq_len + 1} "
            "(the last one is only predicted). Use a longer text or a smaller seq_len."
        )
    x = ids[: n * seq_len].reshape(n, seq_len)
    y = ids[1 : n * seq_len + 1].reshape(n, seq_len)
    return x, y


def character_kinds(text, patterns, rest=None):
    """Masks of the characters of each kind in a text: {kind: (T,) bool}, in the order given.

    ``patterns`` {kind: regular expression}: all characters of its matches are of that kind,
    unless a later pattern matches them too. What none matches is of the kind ``rest``, or
    of none. So no character is of two kinds.
    """
    names = [*patterns, *([] if rest is None else [rest])]
    numbers = np.full(len(text), len(patterns))
    for number, pattern in enumerate(patterns.values()):
        for match in re.finditer(pattern, text):
            numbers[match.start() : match.end()] = number
    return {name: numbers == number for number, name in enumerate(names)}
