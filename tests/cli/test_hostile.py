"""Files made to do harm, or damaged by chance: one clear line, nothing overwritten, nothing run.

A forged checkpoint has the right digests: whoever can write one file can write the other.
What a reader does by mistake (a misspelt name, an impossible size) is in test_main.py; what
a crash leaves behind is in test_checkpoint.py and test_encoded.py.
"""

import hashlib
import http.server
import json
import pickle
import random
import shutil
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes

from helpers import checkpoint, corpus
from helpers.checkpoint import CheckpointError
from helpers.cli import encoded, runs
from helpers.corpus import Vocabulary, load_corpus
from helpers.sampling import NO_GUESS
from tests.cli.command_line import SMALL, edit, helpers, line_of_error, only

DONE = 12  # updates of the run that is spoilt here; two of them in its second epoch or later


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "text.txt").write_text(load_corpus("austen").text[:1500], encoding="utf-8")
    code, _, err = helpers(
        "train", folder / "text.txt", "--out", folder / "run", "--steps", DONE, "--every", 10,
        *SMALL,
    )  # fmt: skip
    assert code == 0, err
    return folder / "run"


@pytest.fixture
def run(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "run"))


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_refused(folder, message, commands=("sample", "evaluate", "resume")):
    """Each command says so in a line, and leaves the folder as it is."""
    before = bytes_of(folder)
    for command in commands:
        arguments = (command, folder)
        if command == "resume":
            arguments = ("train", "--resume", folder, "--steps", DONE + 1)
        code, said = line_of_error(helpers(*arguments))
        assert code == 2, said
        assert message in said
        assert len(said) < 700
    assert bytes_of(folder) == before


def forge(folder, part, data):
    """Put other bytes in place of a part, with the digest that belongs to them."""
    only(folder, f"{part}-*").unlink()
    digest = hashlib.sha256(data).hexdigest()
    name = f"{part}-{digest[:16]}.safetensors"
    (folder / name).write_bytes(data)
    edit(folder, **{part: name, f"{part}_sha256": digest})


def change(folder, part, name, how):
    """Change one tensor of a part, or take it away where ``how`` gives None."""
    tensors = read_tensors(only(folder, f"{part}-*").read_bytes())
    if (new := how(tensors.get(name))) is None:
        del tensors[name]
    else:
        tensors[name] = new.contiguous()
    forge(folder, part, tensor_bytes(tensors))


# --- checkpoints: what is no part of one


def with_header(text, size=None):
    return struct.pack("<Q", len(text) if size is None else size) + text


MARK = Path("/tmp/charbook-code-was-run")


class Opens:
    """Unpickled, it would make a file."""

    def __reduce__(self):
        return open, (str(MARK), "w")


NO_TENSORS = {
    "nothing": b"",
    "zeros": bytes(100),
    "noise": random.Random(0).randbytes(5000),
    "a pickle": pickle.dumps({"embedding.weight": Opens()}),
    "a header of two exabytes": with_header(b"{}", 2**61),
    "a header of 200 megabytes": with_header(b"{" * 50, 2 * 10**8),
    "a header that is no JSON": with_header(b"{abc}"),
    "a tensor larger than the file": with_header(
        b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,399999999996]}}'
    ),
    "a shape beyond 64 bits": with_header(
        b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}'
    ),
}


@pytest.mark.parametrize("part", checkpoint.PARTS)
@pytest.mark.parametrize("name", NO_TENSORS)
def test_a_part_that_holds_no_tensors(run, name, part):
    forge(run, part, NO_TENSORS[name])
    commands = ("sample", "evaluate", "resume") if part == "weights" else ("resume",)
    assert_refused(run, "holds no tensors: ", commands)


def test_no_code_from_a_file_is_run(run):
    for path in run.iterdir():
        data = path.read_bytes()
        path.write_bytes(NO_TENSORS["a pickle"])
        for command in (["sample", run], ["evaluate", run], ["train", "--resume", run]):
            helpers(*command)
        path.write_bytes(data)
    assert not MARK.exists()
    pickle.loads(NO_TENSORS["a pickle"])["embedding.weight"].close()
    assert MARK.exists()  # it would have been seen
    MARK.unlink()


WEIGHTS = {
    "float64": (torch.Tensor.double, "output.weight is 46 x 6 float32; it is 46 x 6 float64"),
    "float16": (torch.Tensor.half, "it is 46 x 6 float16"),
    "whole numbers": (torch.Tensor.long, "it is 46 x 6 int64"),
    "complex": (lambda w: w.to(torch.complex64), "it is 46 x 6 complex64"),
    "transposed": (torch.Tensor.t, "it is 6 x 46 float32"),
    "empty": (lambda w: w[:0], "it is 0 x 6 float32"),
    "a character more": (lambda w: torch.cat([w, w[:1]]), "it is 47 x 6 float32"),
    "missing": (lambda w: None, "it is missing"),
    "not a number": (lambda w: w * float("nan"), "output.weight holds what is no finite number"),
    "infinite": (lambda w: w / 0, "output.weight holds what is no finite number"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_are_not_those_of_the_model(run, name):
    how, message = WEIGHTS[name]
    change(run, "weights", "output.weight", how)
    assert_refused(run, message)


def test_a_weight_that_the_model_does_not_have(run):
    change(run, "weights", "extra", lambda w: torch.ones(3))
    assert_refused(run, "by which extra is missing; it is 3 float32")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_too_large_to_compute_with(run, tmp_path):
    """They are numbers; what is computed with them, after a character or two, is not."""
    change(run, "weights", "output.weight", lambda w: torch.full_like(w, 3e38))
    code, said = line_of_error(helpers("evaluate", run))
    assert (code, "the loss is " in said) == (1, True), said
    code, _, err = helpers("sample", run, "--length", 500, "--seed", 0)
    assert (code, err) == (2, f"error: {NO_GUESS}\n")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_too_large_for_half_precision(run, tmp_path):
    change(run, "weights", "output.weight", lambda w: torch.full_like(w, 1e6))
    code, said = line_of_error(helpers("export", run, tmp_path / "m.js"))
    assert (code, said) == (2, "these weights are too large to be stored as float16")
    assert not (tmp_path / "m.js").exists()
    assert helpers("export", run, tmp_path / "m.js", "--precision", "float32")[0] == 0


STATES = {
    "shorter": lambda x: x.flatten()[:1],
    "a number alone": lambda x: x.flatten()[0],
    "float64": torch.Tensor.double,
    "missing": lambda x: None,
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("moment", ["exp_avg", "exp_avg_sq"])
def test_an_optimizers_state_that_does_not_fit(run, name, moment):
    """The fused Adam takes a shorter one, and writes past its end: this test once crashed."""
    change(run, "training", f"optimizer.1.{moment}", STATES[name])
    assert_refused(run, "the stored training is not whole: an optimizer's", ("resume",))


@pytest.mark.parametrize(
    "name", ["optimizer.1.step", "order", "dice.0.of.0", "step_loss", "grad_norm", "train_loss"]
)
def test_a_training_without_one_of_its_parts(run, name):
    change(run, "training", name, lambda x: None)
    assert_refused(run, "the stored training is not whole", ("resume",))


@pytest.mark.parametrize("name", ["order", "dice.0.of.0"])
def test_a_random_state_that_is_none(run, name):
    change(run, "training", name, lambda x: x[:9])
    assert_refused(run, "the stored training is not whole: Expected a CPUGenerator", ("resume",))


# --- checkpoints: what has been cut or stirred


def places(size):
    """Offsets in a file of so many bytes: at its ends, and thirty spread over it."""
    return sorted({0, 1, 7, 8, 9, size - 2, size - 1, *range(0, size, size // 30)})


@pytest.mark.parametrize("pattern", ["checkpoint.json", "text.json", "text.ids", "*.safetensors"])
def test_a_file_cut_at_many_places_or_with_one_byte_changed(run, pattern):
    """All that reads a run is asked. A changed letter in a name that only people read is no
    harm, so that a description may pass with one; nothing may pass cut."""
    noise = random.Random(0)
    for path in run.glob(pattern):
        whole = path.read_bytes().removesuffix(b"\n")
        for place in places(len(whole)):
            with pytest.raises((ValueError, FileNotFoundError)):
                resume_with(run, path, whole[:place])
            changed = bytearray(whole)
            changed[place] ^= noise.randrange(1, 256)
            if path.suffix == ".json":
                with suppress(ValueError, FileNotFoundError):
                    resume_with(run, path, changed)
            else:
                with pytest.raises(ValueError, match="changed"):
                    resume_with(run, path, changed)
        path.write_bytes(whole)
    runs.resume(run)


def resume_with(run, path, data):
    path.write_bytes(data)
    runs.resume(run)


DEEP = {"lists": b"[" * 100_000, "objects": b'{"a":' * 100_000}
NO_JSON = DEEP | {
    "noise": random.Random(1).randbytes(999),
    "zeros": bytes(50),
    "UTF-16": '{"format": 1}'.encode("utf-16"),
    "a number of 5,000 digits": b"1" * 5000,
}


@pytest.mark.parametrize("name", NO_JSON)
def test_a_description_that_is_no_description(run, name):
    (run / "text.json").write_bytes(NO_JSON[name])
    assert_refused(run, "text.json is not whole, or was edited", ("evaluate", "resume"))
    (run / "checkpoint.json").write_bytes(NO_JSON[name])
    no_json = name not in ("UTF-16",)  # which JSON may be written in
    message = "is not whole, or no JSON" if no_json else "is not a checkpoint of this book"
    assert_refused(run, f"checkpoint.json {message}")


LINES = DEEP | {"of an update that is not saved": b'{"step": %d}\n' % (DONE + 1)}


@pytest.mark.parametrize("name", LINES)
def test_metrics_that_do_not_belong_to_the_checkpoint_are_dropped(run, name):
    before = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(before + LINES[name])
    assert helpers("train", "--resume", run, "--steps", DONE)[0] == 0
    assert (run / "metrics.jsonl").read_bytes() == before


CONFIGS = {
    "hidden_size": (10**9, "was edited: Storage size"),
    "vocab_size": (10**12, "does not fit its description"),
    "num_layers": (10**9, "was edited: num_layers is 1000000000"),
    "embed_size": (10**30, "was edited"),
    "cell": ("mamba", "was edited: cell must be one of"),
    "dropout": (None, "was edited: dropout is None"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_sizes_are_refused_before_they_cost_memory_or_time(run, name):
    value, message = CONFIGS[name]
    config = checkpoint.load(run)[0].config
    edit(run, config=config | {name: value})
    started = time.process_time()
    assert_refused(run, message)
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    "name", ["", "..", "../x.safetensors", "/etc/passwd", "weights-\0.safetensors", "a" * 300, 7]
)
def test_the_name_of_a_part_leads_nowhere_else(run, name):
    edit(run, weights=name)
    assert_refused(run, "names no file of its folder that could hold the weights")


VALUES = (None, [], {}, "x", -1, True, 2.5, float("inf"), 10**30, "\ud800")


def leaves(tree, way=()):
    """The ways to everything in a JSON object, and into the first entry of each list."""
    for key, value in tree.items() if isinstance(tree, dict) else list(enumerate(tree))[:1]:
        yield (*way, key)
        if isinstance(value, (dict, list)):
            yield from leaves(value, (*way, key))


@pytest.mark.slow
@pytest.mark.parametrize("file", ["checkpoint.json", "text.json"])
def test_whatever_stands_in_a_description_the_answer_is_a_line(run, file):
    """Each entry takes each of ten other values: the run goes on, or a line says why not."""
    noise = random.Random(0)
    whole = json.loads((run / file).read_text(encoding="utf-8"))
    saved = bytes_of(run)
    refused = 0
    for way in leaves(whole):
        for value in noise.sample(VALUES, 4):
            changed = json.loads(json.dumps(whole))
            place = changed
            for key in way[:-1]:
                place = place[key]
            place[way[-1]] = value
            (run / file).write_text(json.dumps(changed), encoding="utf-8")
            code, _, err = helpers("train", "--resume", run, "--steps", DONE)
            if code:
                assert err.splitlines()[-1].startswith("error: "), (way, value, err)
                assert len(err.splitlines()) < 3, (way, value, err)
                refused += 1
            for path in run.iterdir():
                path.unlink()
            for name, data in saved.items():
                (run / name).write_bytes(data)
    assert refused > 20


def test_an_id_beyond_the_vocabulary(run):
    ids = bytearray((run / "text.ids").read_bytes())
    ids[-5] = 251
    (run / "text.ids").write_bytes(ids)
    edit(run, "text.json", sha256=hashlib.sha256(ids).hexdigest())
    assert_refused(run, "has an id beyond the 46 characters", ("evaluate", "resume"))


def test_weights_of_another_type_are_not_saved(tmp_path, run):
    model, vocab, _ = checkpoint.load(run)
    with pytest.raises(ValueError, match=r"float32 weights, not torch\.float64: model\.float\(\)"):
        checkpoint.save(tmp_path / "new", model.double(), vocab)
    assert not (tmp_path / "new").exists()


def test_a_checkpoint_error_is_a_value_error_that_names_the_folder(tmp_path):
    (tmp_path / "checkpoint.json").write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(CheckpointError, match="is not a checkpoint of this book") as caught:
        checkpoint.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


# --- texts

ALL_OF_UNICODE = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000)]))
NO_TEXTS = {
    "a zero byte": (b"ab\0c" * 500, "it has a zero byte at offset 2, as UTF-16 has"),
    "a zero byte first": (b"\0abc" * 500, "it has a zero byte at offset 0"),
    "UTF-16": ("hello\n".encode("utf-16") * 300, "it has a zero byte at offset 3"),
    "UTF-16, unmarked": ("hello\n".encode("utf-16-le") * 300, "a zero byte at offset 1"),
    "UTF-32": ("hello\n".encode("utf-32-le") * 300, "a zero byte at offset 1"),
    "a zero byte after many": (b"abc\n" * 50_000 + b"\0", "a zero byte at offset 200000"),
    "half a surrogate pair": (b"\xed\xa0\x80" * 500, "byte 0xed at offset 0"),
    "overlong": (b"a\xc0\xaf" * 500, "byte 0xc0 at offset 1"),
}


@pytest.mark.parametrize("name", NO_TEXTS)
def test_bytes_that_are_no_text(tmp_path, name):
    data, message = NO_TEXTS[name]
    path = tmp_path / "it.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is not UTF-8 text") as caught:
        load_corpus(path)
    assert message in str(caught.value)
    code, said = line_of_error(helpers("train", path, "--out", tmp_path / "run"))
    assert (code, said) == (2, str(caught.value))
    assert not (tmp_path / "run").exists()


STRANGE_TEXTS = {
    "one character": ("a" * 3000, 1),
    "line ends alone": ("\r" * 3000, 1),
    "ten megabytes on one line": ("abcdefghij" * 10**6, 10),
    "marks in the middle": ("\ufeff" * 3000, 1),
    "CRLF after a mark": ("\ufeffab\r\ncd\r\n" * 300, 6),  # the first mark alone is dropped
    "control characters": ("".join(map(chr, range(1, 32))) * 100, 30),  # \r becomes \n
}


@pytest.mark.parametrize("name", STRANGE_TEXTS)
def test_strange_texts_are_learned_from(tmp_path, name):
    text, distinct = STRANGE_TEXTS[name]
    path = tmp_path / "it.txt"
    path.write_bytes(text.encode())
    assert len(load_corpus(path).vocab) == distinct
    code, _, err = helpers("train", path, "--out", tmp_path / "run", "--steps", 1, *SMALL)
    assert code == 0, err
    assert encoded.open_encoded(tmp_path / "run").vocab == load_corpus(path).vocab
    assert helpers("sample", tmp_path / "run", "--length", 3)[0] == 0


@pytest.mark.slow
def test_a_million_distinct_characters(tmp_path):
    (tmp_path / "it.txt").write_bytes(ALL_OF_UNICODE.encode())
    train = ("train", tmp_path / "it.txt", "--out", tmp_path / "run", "--steps", 1, *SMALL)
    code, said = line_of_error(helpers(*train))
    assert code == 2
    assert "1,112,062 distinct characters" in said
    assert "--rare 5" in said
    (tmp_path / "it.txt").write_bytes((ALL_OF_UNICODE[:70_000] + "ab" * 500).encode())
    assert helpers(*train, "--rare", 5)[0] == 0
    assert len(encoded.open_encoded(tmp_path / "run").vocab) == 3


def test_an_error_does_not_show_thousands_of_characters():
    vocab = Vocabulary(ALL_OF_UNICODE[100:9100])
    assert len(repr(vocab)) < 1000
    with pytest.raises(ValueError, match="which has these 9000 characters: ") as caught:
        vocab.encode("a")
    assert len(str(caught.value)) < 1000


# --- a download

WANTED = b"First Citizen: before we proceed any further, hear me speak.\n" * 50


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that does what its address says."""

    def do_GET(self):
        getattr(self, self.path.strip("/").replace("-", "_"))()

    def log_message(self, *arguments):
        pass

    def answer(self, data, length=None, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(data)

    def right(self):
        self.answer(WANTED, len(WANTED))

    def moved(self):
        self.answer(b"", 0, 302, Location="/right")

    def another_text(self):
        self.answer(b"<html>Please log in to this network.</html>")

    def moved_to_another(self):
        self.answer(b"", 0, 302, Location="/another-text")

    def round_and_round(self):
        self.answer(b"", 0, 302, Location="/round-and-round")

    def moved_to_a_file(self):
        self.answer(b"", 0, 302, Location="file:///etc/passwd")

    def half(self):
        self.answer(WANTED[: len(WANTED) // 2], len(WANTED))

    def half_of_unknown_length(self):
        self.answer(WANTED[: len(WANTED) // 2])

    def gone(self):
        self.answer(b"", 0, 404)

    def silent(self):
        time.sleep(1)

    def stalls(self):
        self.answer(WANTED[:50], len(WANTED))
        self.wfile.flush()
        time.sleep(1)


@pytest.fixture(scope="module")
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def served(server, tmp_path, monkeypatch):
    """Name an address of the server: the corpus "tiny" is then to be had there."""
    import pooch

    def at(address):
        digest = hashlib.sha256(WANTED).hexdigest()
        source = corpus.Source("tiny.txt", digest, f"{server}/{address}")
        monkeypatch.setitem(corpus.SOURCES, "tiny", source)

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("CHARBOOK_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr(pooch.downloaders, "DEFAULT_TIMEOUT", 0.3)  # seconds; else 30
    return at


@pytest.mark.parametrize("address", ["right", "moved"])
def test_a_corpus_is_fetched_and_a_redirect_followed(served, tmp_path, address):
    served(address)
    assert load_corpus("tiny").text.encode() == WANTED
    assert bytes_of(tmp_path / "cache") == {"tiny.txt": WANTED}


REFUSED = {
    "another-text": "SHA256 hash of downloaded file",
    "moved-to-another": "SHA256 hash of downloaded file",
    "round-and-round": "TooManyRedirects",
    "moved-to-a-file": "No connection adapters were found for 'file:///etc/passwd'",
    "half": "IncompleteRead",
    "half-of-unknown-length": "SHA256 hash of downloaded file",
    "gone": "404 Client Error",
    "silent": "Read timed out",
    "stalls": "Read timed out",
}


@pytest.mark.parametrize("address", REFUSED)
@pytest.mark.parametrize("before", [None, b"an older edition"])
def test_a_download_that_goes_wrong_leaves_what_was_there(served, tmp_path, address, before):
    served(address)
    (tmp_path / "cache").mkdir()
    if before is not None:
        (tmp_path / "cache" / "tiny.txt").write_bytes(before)
    code, out, err = helpers("train", "tiny", "--out", tmp_path / "run")
    said = err.splitlines()[-1]  # pooch has told what it fetches
    assert (code, out) == (1, "")
    assert said.startswith("error: 'tiny' is not on this machine and could not be downloaded")
    assert REFUSED[address] in said
    assert "set CHARBOOK_DATA to that folder" in said
    assert "Traceback" not in err
    left = {} if before is None else {"tiny.txt": before}
    assert bytes_of(tmp_path / "cache") == left
    assert not (tmp_path / "run").exists()


# --- places that take nothing, or not all of it


@pytest.fixture
def no_more_than(monkeypatch):
    """No file may grow beyond so many bytes: what is written is truly cut short."""
    resource = pytest.importorskip("resource")  # Windows has none
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda n: resource.setrlimit(resource.RLIMIT_FSIZE, (n, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_half_a_checkpoint(run, no_more_than):
    size = only(run, "weights-*").stat().st_size
    saved = bytes_of(run)
    no_more_than(size // 2)
    code, _, err = helpers("train", "--resume", run, "--steps", DONE + 5)
    assert code == 1
    assert "the disk is full" in err.splitlines()[-1]
    assert "Traceback" not in err
    left = bytes_of(run)
    metrics = saved.pop("metrics.jsonl")
    assert left.pop("metrics.jsonl").startswith(metrics)
    assert left == saved


def test_a_disk_that_takes_half_a_text(tmp_path, no_more_than):
    (tmp_path / "it.txt").write_text("some words\n" * 2000, encoding="utf-8")
    no_more_than(9000)
    code, said = line_of_error(helpers("train", tmp_path / "it.txt", "--out", tmp_path / "run"))
    assert (code, "the disk is full" in said) == (1, True), said
    assert not (tmp_path / "run").exists()


def test_a_disk_that_takes_half_an_export(run, tmp_path, no_more_than):
    place = tmp_path / "m.js"
    assert helpers("export", run, place)[0] == 0
    before = place.read_bytes()
    no_more_than(len(before) // 2)
    code, said = line_of_error(helpers("export", run, place, "--precision", "float32"))
    assert (code, "the disk is full" in said) == (1, True), said
    assert place.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.js", "run"]


def test_an_export_does_not_replace_what_is_no_export(run, tmp_path):
    place = tmp_path / "app.js"
    place.write_text("// three weeks of work\n", encoding="utf-8")
    code, said = line_of_error(helpers("export", run, place))
    assert (code, "app.js is there and is no exported model" in said) == (2, True), said
    assert place.read_text(encoding="utf-8") == "// three weeks of work\n"
