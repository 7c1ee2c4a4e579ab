"""Text of any size, encoded once into a file of narrow ids that is mapped into memory.

``encode_texts`` reads files, folders, globs, named corpora or standard input in blocks and
writes one byte a character (two where there are more than 256 different ones). Training
draws its windows from the mapped file, so that a text of gigabytes needs no such memory.
NumPy alone: nothing here needs PyTorch.
"""

from __future__ import annotations

import codecs
import functools
import glob
import hashlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..corpus import (
    RARE,
    SOURCES,
    Vocabulary,
    line_feeds,
    locate,
    not_utf8,
    refuse_zeros,
    split_ids,
)
from ..support.files import UNFINISHED, expand_user, write_whole

IDS, DESCRIPTION = "text.ids", "text.json"
FORMAT, VERSION = "character-by-character text", 1
BLOCK = 2**17  # bytes read at once: what is made of them still fits the cache
WIDTHS = (np.uint8, np.uint16, np.uint32)
STDIN = "-"
MOST_NAMED = 10  # files that an error lists
# Why a path was passed over.
NO_TEXT, LINKED_FOLDER, READ_ALREADY = "no text", "a linked folder", "read under another name"


@dataclass(frozen=True)
class EncodedText:
    """Ids on disk with their vocabulary: ``ids`` (N,) is a memory map of a narrow type."""

    ids: np.ndarray
    vocab: Vocabulary
    sources: tuple = ()
    mapped: int = 0  # characters that RARE stands for

    def split(self, val_fraction=0.1):
        """(train_ids, val_ids): the last part is held out, as in ``Corpus.split``."""
        return split_ids(self.ids, val_fraction)


def find_texts(sources):
    """Expand names, files, folders, globs and "-" -> [path or "-"], and {path passed over: why}.

    A folder gives the files in it and below, in the order of their paths, without hidden
    ones and those that are no text (a zero byte in the first 8,000: git's rule). Folders that
    are linked in are passed over as well: they may lead back to where they are. So are links
    to files that are read under another name, wherever they come from.
    Raises FileNotFoundError where a source gives nothing, and what ``locate`` raises.
    """
    found, passed_over = [], {}
    for source in map(str, sources):
        path = expand_user(source)
        if source == STDIN:
            found.append(STDIN)
        elif source and source not in SOURCES and os.path.isdir(path):
            files, linked = _files_below(path)
            binary = [file for file in files if _is_binary(file)]
            texts = sorted(set(files).difference(binary), key=_parts)
            if not texts:
                raise FileNotFoundError(f"the folder {path} holds no text files")
            found += map(Path, texts)
            passed_over |= dict.fromkeys(map(Path, binary), NO_TEXT)
            passed_over |= dict.fromkeys(map(Path, linked), LINKED_FOLDER)
        elif source not in SOURCES and not os.path.isfile(path) and glob.has_magic(source):
            files = sorted(filter(os.path.isfile, glob.glob(str(path), recursive=True)))
            if not files:
                raise FileNotFoundError(f"no file matches {source!r}, looked for from {Path.cwd()}")
            found += map(Path, files)
        else:
            found.append(locate(source))
    again = _links_to_others(found)
    passed_over |= dict.fromkeys(again, READ_ALREADY)
    return [source for source in found if source not in again], passed_over


def _links_to_others(found):
    """The paths among those found that lead, by a link, to a file that has another one there."""
    folder = functools.cache(os.path.realpath)
    real = {
        path: os.path.realpath(path)
        if os.path.islink(path)
        else os.path.join(folder(os.path.dirname(path)), os.path.basename(path))
        for path in found
        if path != STDIN
    }
    names = {}
    for path in sorted(real, key=os.path.islink):  # the file's own name before those of links
        names.setdefault(real[path], path)
    return {
        path for path in real if names[real[path]] != path and os.path.abspath(path) != real[path]
    }


def _files_below(folder):
    """The files in a folder and below, and the folders that are linked in; no hidden ones."""
    files, linked = [], []
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        paths = [os.path.join(place, name) for name in sorted(names) if name[0] != "."]
        files += filter(os.path.isfile, paths)
        linked += filter(os.path.islink, (os.path.join(place, name) for name in folders))
    return files, linked


def _refuse(error):
    """A folder that cannot be read is an error, as a file is; ``os.walk`` would leave it out."""
    raise error


def _parts(path):
    return path.split(os.sep)


def _is_binary(path):
    with open(path, "rb") as file:
        return b"\0" in file.read(8000)


def read_texts(sources, progress=None):
    """The text of files and "-" in pieces (str) of at most about BLOCK characters.

    UTF-8, without a byte-order mark, line ends as ``\\n``; a file that does not end a line
    is followed by a line end where another comes after it. ``progress`` is called with the
    bytes of each block. Raises ValueError, with the place, for what is not UTF-8 and for a
    zero byte.
    """
    for i, source in enumerate(sources):
        last = "\n"
        for text in _read_text(source, progress):
            if text:
                last = text[-1]
                yield text
        if last != "\n" and i + 1 < len(sources):
            yield "\n"


def _read_text(source, progress):
    """The pieces of one file."""
    name = "standard input" if source == STDIN else source
    file = sys.stdin.buffer if source == STDIN else open(source, "rb")  # noqa: SIM115
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, held_back, at_start = 0, "", True
    try:
        while True:
            data = file.read(BLOCK)
            refuse_zeros(data, name, offset)
            waiting = len(decoder.getstate()[0])  # bytes of a character that the block cut
            try:
                text = held_back + decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                at = offset - waiting + error.start
                raise not_utf8(name, error.object[error.start], at) from None
            offset += len(data)
            if at_start and text:
                text, at_start = text.removeprefix("\ufeff"), False
            held_back = ""
            if data and text.endswith("\r"):  # its "\n" may stand in the next block
                text, held_back = text[:-1], "\r"
            yield line_feeds(text)
            if progress is not None:
                progress(len(data))
            if not data:
                return
    finally:
        if source != STDIN:
            file.close()


def encode_texts(sources, folder, rare=0, progress=None):
    """Encode texts into ``folder`` -> EncodedText, mapped from the files written there.

    sources : what ``find_texts`` gives
    rare : characters that occur fewer times than this become RARE, one symbol for all

    One pass gives ids in the order of first appearance, and counts them where that is
    needed; a second one, in place, turns these into ids by code point, as ``Vocabulary`` has
    them.
    Raises ValueError for an empty text and what ``read_texts`` refuses.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{IDS}.{os.getpid()}{UNFINISHED}"
    # Every character occurs once, so that nothing need be counted for a rare of 1 or 0.
    counter, digest, width = _Counter(counting=rare > 1), hashlib.sha256(), WIDTHS[0]
    file = open(part, "w+b")  # noqa: SIM115
    try:
        for text in read_texts(sources, progress):
            ids, before, width = counter.encode(text), width, _narrowest(len(counter.codes))
            if width != before:
                file, _ = _rewrite(file, before, np.arange(len(counter.codes), dtype=width))
            file.write(ids if isinstance(ids, bytes) else ids.astype(width).tobytes())
        if not counter.codes:
            names = ["standard input" if s == STDIN else str(s) for s in sources[:MOST_NAMED]]
            names += ["…"] * (len(sources) > MOST_NAMED)
            raise ValueError(f"{', '.join(names)} is empty: there is nothing to learn from")
        vocab, table, mapped = _final_ids(counter, rare)
        before, width = width, _narrowest(len(vocab))
        file, n = _rewrite(file, before, table.astype(width), digest)
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.replace(part, folder / IDS)
    except BaseException:
        with suppress(OSError):  # closing writes what is left, which may fail again
            file.close()
        for path in (part, _wider(part)):
            path.unlink(missing_ok=True)
        raise
    description = {
        "format": FORMAT,
        "version": VERSION,
        "sources": [str(s) for s in sources],
        "characters": "".join(vocab.chars),
        "length": n,
        "type": np.dtype(width).name,
        "sha256": digest.hexdigest(),
        "mapped": mapped,
    }
    write_whole(folder / DESCRIPTION, json.dumps(description, indent=1) + "\n")
    return open_encoded(folder)


def open_encoded(folder, check=False):
    """The text that ``encode_texts`` left in a folder; ``check`` compares its SHA-256 too.

    Raises FileNotFoundError where there is none, ValueError where it was cut or edited.
    """
    folder = Path(folder)
    path = folder / DESCRIPTION
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no encoded text: {path} is missing")
    try:
        about = json.loads(path.read_bytes())
        if about["format"] != FORMAT or about["version"] != VERSION:
            raise ValueError(f"format {about['format']!r}, version {about['version']!r}")
        width = {np.dtype(width).name: np.dtype(width) for width in WIDTHS}[about["type"]]
        vocab, n, mapped = Vocabulary(about["characters"]), about["length"], about["mapped"]
        if type(n) is not int or type(mapped) is not int or n < 1:
            raise ValueError(f"{n!r} ids, {mapped!r} of them rare")
        wanted, sources = str(about["sha256"]), tuple(about["sources"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not whole, or was edited: {error}") from error
    ids = folder / IDS
    size = ids.stat().st_size if ids.is_file() else 0
    if size != n * width.itemsize:
        raise ValueError(
            f"{ids} was cut short or changed: it has {size:,} bytes and {DESCRIPTION} says "
            f"{n * width.itemsize:,}"
        )
    if check and sha256_of(ids) != wanted:
        raise ValueError(f"{ids} was changed since {DESCRIPTION} was written")
    text = np.memmap(ids, dtype=width, mode="c")  # "c", as torch warns of what is read-only
    if check and _highest(text) >= len(vocab):
        raise ValueError(f"{ids} has an id beyond the {len(vocab)} characters of {DESCRIPTION}")
    return EncodedText(text, vocab, sources, mapped)


def _highest(ids):
    """The highest id of a text of any size."""
    return max(int(ids[i : i + BLOCK].max()) for i in range(0, len(ids), BLOCK))


def sha256_of(path):
    """The SHA-256 of a file of any size."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Counter:
    """Ids in the order of first appearance and, where asked, how often each occurs."""

    def __init__(self, counting):
        self.counting = counting
        self.codes = []  # the code point of each id
        self.counts = np.zeros(0, dtype=np.int64)
        self.ids = np.full(sys.maxunicode + 1, NONE, dtype=np.uint32)  # by code point
        self.ascii = b""  # the ASCII characters that have an id

    def encode(self, text):
        """Text -> provisional ids, uint8 bytes where that is enough."""
        if text.isascii():
            data = text.encode("ascii")
            if new := data.translate(None, self.ascii):
                self._learn(np.unique(np.frombuffer(new, dtype=np.uint8)))
            narrow, table = len(self.codes) <= 256, self.ids[:256]
            if narrow:
                ids = data.translate(table.astype(np.uint8).tobytes())
            else:
                ids = table.take(np.frombuffer(data, dtype=np.uint8))
        else:
            codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
            ids = self.ids.take(codes)
            if ids.max() == NONE:
                self._learn(np.unique(codes[ids == NONE]))
                ids = self.ids.take(codes)
            narrow = len(self.codes) <= 256
            if narrow:
                ids = ids.astype(np.uint8).tobytes()
        if self.counting:
            n = len(self.codes)
            self.counts += _count_bytes(ids)[:n] if narrow else np.bincount(ids, minlength=n)
        return ids

    def _learn(self, codes):
        self.ids[codes] = np.arange(len(self.codes), len(self.codes) + len(codes))
        self.codes += codes.tolist()
        self.counts = np.append(self.counts, np.zeros(len(codes), dtype=np.int64))
        self.ascii = bytes(code for code in self.codes if code < 128)


NONE = np.uint32(2**32 - 1)  # no id yet


def _count_bytes(data):
    """How often each byte value occurs: pairs are counted, which takes half as long."""
    whole = len(data) // 2 * 2
    pairs = np.bincount(np.frombuffer(data[:whole], dtype=np.uint16), minlength=2**16)
    pairs = pairs.reshape(256, 256)
    counts = pairs.sum(axis=0) + pairs.sum(axis=1)
    if whole < len(data):
        counts[data[-1]] += 1
    return counts


def _narrowest(n):
    """The narrowest type for n different ids."""
    return next(width for width in WIDTHS if n - 1 <= np.iinfo(width).max)


def _wider(path):
    """The second file beside an unfinished one, for ids of another type."""
    return path.with_name(f"wider-{path.name}")


def _rewrite(file, width, table, digest=None):
    """Replace the ids of an open file, of type ``width``, by table[id].

    In place where the type stays, else by a second file that takes the first one's name.
    Gives the open file, at its end, and the number of ids.
    """
    path = Path(file.name)
    target = file if width == table.dtype else open(_wider(path), "w+b")  # noqa: SIM115
    swap = np.resize(table, 256).tobytes() if width == table.dtype == np.uint8 else None
    read, n = 0, 0
    file.seek(0)
    while data := file.read(BLOCK * np.dtype(width).itemsize):
        read += len(data)
        n += len(data) // np.dtype(width).itemsize
        data = data.translate(swap) if swap else table[np.frombuffer(data, width)].tobytes()
        if target is file:
            file.seek(read - len(data))
        target.write(data)
        if digest is not None:
            digest.update(data)
        if target is file:
            file.seek(read)
    if target is not file:
        target.close()
        file.close()
        os.replace(_wider(path), path)
        target = open(path, "r+b")  # noqa: SIM115
    target.seek(0, os.SEEK_END)
    return target, n


def _final_ids(counter, rare):
    """(vocab, table: provisional id -> id, characters mapped to RARE)."""
    characters = [chr(code) for code in counter.codes]
    rare_ones = set()
    if counter.counting:
        rare_ones = set(np.flatnonzero(counter.counts < rare).tolist())
    if len(rare_ones) == len(characters):
        raise ValueError(
            f"no character occurs {rare} times, so that all would be mapped to one symbol: "
            "choose a smaller number for rare characters, or a longer text"
        )
    kept = [RARE if i in rare_ones else c for i, c in enumerate(characters)]
    vocab = Vocabulary(kept)
    place = {c: i for i, c in enumerate(vocab.chars)}
    table = np.array([place[c] for c in kept])
    return vocab, table, int(counter.counts[sorted(rare_ones)].sum())
