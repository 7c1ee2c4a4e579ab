"""The runs behind the claims ledger that no chapter has: stored in data/results/ledger.json.

    python -m tools.runs.ledger_runs [PART ...]

Without a part, all are made, which takes about a quarter of an hour on one core; with some,
the others stay as they are stored. The file has the form of those of tools/long_runs.py.

unclipped : RNN and LSTM by the reference recipe but for the clipping, which is off; with
    numbers of what they write and of what the LSTM's gates do
relu : an RNN with ReLU in place of tanh, with the clipping and without it
amount : an LSTM on the first 100,000 characters of the training text
window : RNN and LSTM with windows twice as long, and as many characters a batch
no_grad : times of sampling with and without PyTorch's record of operations, in pairs
real_texts, untrained_gates : the marks beside which the others are seen
"""

import argparse
import datetime
import itertools
import json
import os
import platform
import re
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from helpers.corpus import SOURCES, load_corpus
from helpers.gates import record_gates
from helpers.models import CharRNN
from helpers.sampling import generate, next_distribution, pick
from helpers.training import TrainingDiverged, evaluate, fit
from tools.runs import stamps

ROOT = Path(__file__).resolve().parents[2]

RESULT = ROOT / "data" / "results" / "ledger.json"
CORPUS = "shakespeare"
FIRST = 20  # losses of each run that a test repeats
SEEDS = (0, 1, 2, 3, 4)
TEMPERATURES = (0, 0.3, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5)
PROMPT = "\n\n"  # the end of a speech: what comes next is a speaker's name


# Models and training

RECIPES = {
    "unclipped": {"epochs": 30, "clip": None},
    "relu": {"epochs": 10},
    "amount": {"epochs": 30},
    "window": {"epochs": 30},
}


def new_model(cell, vocab_size, seed):
    """A fresh model; "relu" is the RNN with ReLU in its recurrence."""
    torch.manual_seed(seed)
    model = CharRNN(vocab_size, cell="rnn" if cell == "relu" else cell)
    if cell == "relu":
        model.recurrent.nonlinearity = "relu"
        model.recurrent.mode = "RNN_RELU"  # what nn.RNN(nonlinearity="relu") sets
    return model


def train(what, cell, seed, characters=None, seq_len=50, clip=5.0, steps=None, callback=None):
    """One run -> model, history; a history that ends early where the loss was not finite."""
    corpus = load_corpus(CORPUS)
    ids = corpus.split()[0][:characters]
    recipe = {"clip": clip, "seq_len": seq_len, "batch_size": 64 * 50 // seq_len}
    recipe |= RECIPES[what] | {"steps": steps, "seed": seed, "device": "cpu"}
    model = new_model(cell, len(corpus.vocab), seed)
    try:
        history = fit(model, ids, callback=callback, progress=False, **recipe)
    except TrainingDiverged as error:
        history = error.history
    return model, history


def run(what, cell, seed, look_at=(), look=None, **setting):
    """Train and store what came of it, with the held-out loss after the epochs ``look_at``."""
    held_out = load_corpus(CORPUS).split()[1]
    seen = {}

    def callback(epoch, model, history):
        if epoch in look_at:
            seen[epoch] = {"held_out": round(evaluate(model, held_out, progress=False), 6)}
            seen[epoch] |= look(model, epoch) if look else {}

    _, history = train(what, cell, seed, callback=callback, **setting)
    finite = [loss for loss in history.step_loss if np.isfinite(loss)]
    diverged = None if len(finite) == len(history.step_loss) else len(history.step_loss)
    print(f"  {what} {cell} {seed} {setting}: ", end="")
    print({epoch: row["held_out"] for epoch, row in seen.items()}, diverged or "", flush=True)
    return {
        "what": what, "cell": cell, "seed": seed, **setting,
        "updates": len(history.step_loss),
        "diverged_at": diverged,
        "longest_gradient": round(float(np.nanmax(history.grad_norm)), 4),
        "train_loss": [round(loss, 6) for loss in history.train_loss],
        "after": {str(epoch): row for epoch, row in seen.items()},
        "first_losses": [round(loss, 6) for loss in history.step_loss[:FIRST]],
    }  # fmt: skip


def repeat(stored):
    """The first losses of one stored run, computed again."""
    setting = {k: stored[k] for k in ("characters", "seq_len", "clip") if k in stored}
    _, history = train(stored["what"], stored["cell"], stored["seed"], steps=FIRST, **setting)
    return history.step_loss


# What a text is like

NAME = re.compile(r"[A-Z][A-Za-z' ]*:")  # a line that holds a speaker's name


def words_of(text):
    """Lower-case words: runs of letters and apostrophes."""
    return re.findall(r"[a-z']+", text.lower())


class Reference:
    """The training text, as far as generated texts are compared with it."""

    def __init__(self, text):
        words = words_of(text)
        self.words = set(words)
        self.pairs = set(itertools.pairwise(words))
        self.triples = {text[i : i + 3] for i in range(len(text) - 2)}
        self.names = {line[:-1] for line in text.split("\n") if NAME.fullmatch(line)}

    def describe(self, text):
        """Numbers of one text, all between 0 and 1 but the three lengths."""
        words, lines = words_of(text), text.split("\n")
        known = [word in self.words for word in words]
        shuffled = np.random.default_rng(0).permutation(words).tolist()
        eights = [text[i : i + 8] for i in range(len(text) - 7)]
        triples = [text[i : i + 3] for i in range(len(text) - 2)]
        blank = [i for i in range(1, len(lines) - 2) if not lines[i] and lines[i - 1]]
        heads = [lines[i + 1] for i in blank if NAME.fullmatch(lines[i + 1])]
        return {
            "word_length": mean(len(word) for word in words),
            "real_words": mean(known),
            "real_word_length": mean(len(w) for w, k in zip(words, known, strict=True) if k),
            "types": len(set(words[:140])) / len(words[:140]),
            "repeated": 1 - len(set(eights)) / len(eights),
            "line_length": mean(len(line) for line in lines if line),
            "new_triples": mean(triple not in self.triples for triple in triples),
            "known_pairs": mean(p in self.pairs for p in itertools.pairwise(words)),
            "shuffled_pairs": mean(p in self.pairs for p in itertools.pairwise(shuffled)),
            "turns": len(blank),
            "turns_with_name": len(heads) / len(blank) if blank else None,
            "known_names": mean(head[:-1] in self.names for head in heads),
        }


def mean(values):
    values = list(values)
    return float(np.mean(values)) if values else None


def describe_texts(reference, texts):
    """Mean over texts of each number (None where no text had any), and over all texts' sd."""
    rows = [reference.describe(text) for text in texts]
    summary = {}
    for key in rows[0]:
        values = [row[key] for row in rows if row[key] is not None]
        summary[key] = None if not values else round(float(np.mean(values)), 4)
        summary[f"{key}_sd"] = None if len(values) < 2 else round(statistics.stdev(values), 4)
    return summary


def written(model, temperature, texts=5, length=1000):
    vocab = load_corpus(CORPUS).vocab
    new = generate(model, vocab, [PROMPT] * texts, length, temperature, seed=1)
    return [text.removeprefix(PROMPT) for text in new]


# What the gates do

KINDS = {
    "inside a word": r"(?<=[A-Za-z'])[A-Za-z']",
    "first letter": r"(?<![A-Za-z'])[A-Za-z]",
    "space": r" ",
    "sentence end": r"[.?!]",
    "other punctuation": r"[,;\-]",
    "colon": r":",
    "line end": r"\n",
    "speaker": r"(?<=\n\n)[^\n:]+(?=:\n)",
}
CONTRASTS = {  # gate, kind, other kind; "before" is the character just before one of that kind
    "forget: inside a word - space": ("forget", "inside a word", "space"),
    "forget: inside a word - line end": ("forget", "inside a word", "line end"),
    "forget: inside a word - sentence end": ("forget", "inside a word", "sentence end"),
    "input: first letter - inside a word": ("input", "first letter", "inside a word"),
    "input: space - inside a word": ("input", "space", "inside a word"),
    "output: line end - inside a word": ("output", "line end", "inside a word"),
    "output: colon - inside a word": ("output", "colon", "inside a word"),
    "output: before line end - elsewhere": ("output", "before line end", "elsewhere"),
    "output: before colon - elsewhere": ("output", "before colon", "elsewhere"),
}


def masks_of(text):
    """Kind of position -> a mask (T,); later kinds overrule earlier ones."""
    kinds = np.full(len(text), "", dtype="U17")
    for kind, pattern in KINDS.items():
        for match in re.finditer(pattern, text):
            kinds[match.start() : match.end()] = kind
    masks = {kind: kinds == kind for kind in KINDS}
    characters = np.array(list(text))
    for name, character in (("before line end", "\n"), ("before colon", ":")):
        masks[name] = np.append(characters[1:] == character, False)
    masks["elsewhere"] = ~(masks["before line end"] | masks["before colon"])
    return masks


def describe_gates(model, characters=8000):
    """Mean of each gate by kind of position, and each contrast over the units."""
    corpus = load_corpus(CORPUS)
    ids = corpus.split()[1][:characters]
    masks, gates = masks_of(corpus.vocab.decode(ids)), record_gates(model, ids)
    means = {
        gate: {kind: round(float(getattr(gates, gate)[mask].mean()), 5) for kind, mask in
               masks.items()}
        for gate in ("input", "forget", "output")
    }  # fmt: skip
    contrasts = {}
    for name, (gate, kind, other) in CONTRASTS.items():
        values = getattr(gates, gate)
        d = values[masks[kind]].mean(axis=0) - values[masks[other]].mean(axis=0)  # (H,)
        row = {"mean": d.mean(), "units": (d > 0).mean()}
        contrasts[name] = {k: round(float(v), 5) for k, v in row.items()}
    return {"means": means, "contrasts": contrasts}


# The five parts


def unclipped():
    corpus = load_corpus(CORPUS)
    reference = Reference(corpus.vocab.decode(corpus.split()[0]))
    runs = []
    for seed in SEEDS:
        for cell in ("rnn", "lstm"):

            def look(model, epoch, cell=cell):
                row = {"texts": {"1.0": describe_texts(reference, written(model, 1.0, 10, 500))}}
                if cell == "lstm":
                    row["gates"] = describe_gates(model)
                if cell == "lstm" and epoch == 30:
                    row["by_temperature"] = {
                        str(t): describe_texts(reference, written(model, t)) for t in TEMPERATURES
                    }
                return row

            runs.append(run("unclipped", cell, seed, (10, 30), look))
    return runs


def relu():
    return [run("relu", "relu", s, (10,), clip=clip) for s in SEEDS for clip in (None, 5.0)]


def amount(characters=100_000):
    corpus = load_corpus(CORPUS)
    reference = Reference(corpus.vocab.decode(corpus.split()[0][:characters]))

    def look(model, epoch):
        texts = {t: written(model, float(t), 10, 1000) for t in ("0.7", "1.0")}
        return {"texts": {t: describe_texts(reference, some) for t, some in texts.items()}}

    return [run("amount", "lstm", s, (30,), look, characters=characters) for s in SEEDS]


def window(seq_len=100):
    return [
        run("window", cell, seed, (10, 20, 30), seq_len=seq_len)
        for seed in SEEDS[:3]
        for cell in ("rnn", "lstm")
    ]


def real_texts():
    """The same numbers for pieces of the held-out text, 500 and 1,000 characters long."""
    corpus = load_corpus(CORPUS)
    train_text, text = (corpus.vocab.decode(part) for part in corpus.split())
    found = {}
    for name, known in (("all", train_text), ("100000", train_text[:100_000])):
        for length in (500, 1000):
            pieces = [text[i * length : (i + 1) * length] for i in range(len(text) // length)]
            found[f"{name}, {length}"] = describe_texts(Reference(known), pieces)
    return found


def seconds_of(model, ids, length, record):
    """Sample ``length`` characters one by one, with or without the record."""
    rng, state, unread = np.random.default_rng(0), None, torch.as_tensor(ids)[None]
    started = time.perf_counter()
    with torch.set_grad_enabled(record):
        for _ in range(length):
            logits, state = model(unread, state)
            p = next_distribution(logits[0, -1].detach().numpy())
            unread = torch.tensor([[pick(p, rng.random())]])
    return time.perf_counter() - started


def no_grad(pairs=25, length=400):
    """Seconds with the record over seconds without it, pair by pair."""
    vocab, ratios = load_corpus(CORPUS).vocab, {}
    for cell in ("rnn", "lstm", "gru"):
        model = new_model(cell, len(vocab), 0).eval()
        ids = vocab.encode(PROMPT)
        seconds_of(model, ids, length, True)  # the first is slow for other reasons
        ratios[cell] = [
            round(seconds_of(model, ids, length, True) / seconds_of(model, ids, length, False), 4)
            for _ in range(pairs)
        ]
        print(f"  no_grad {cell}: {statistics.median(ratios[cell]):.3f}", flush=True)
    return {"characters": length, "ratios": ratios}


def untrained_gates():
    vocab_size = len(load_corpus(CORPUS).vocab)
    return [describe_gates(new_model("lstm", vocab_size, seed)) for seed in SEEDS]


TRAINED = {"unclipped": unclipped, "relu": relu, "amount": amount, "window": window}
OTHERS = {"no_grad": no_grad, "real_texts": real_texts, "untrained_gates": untrained_gates}
PARTS = [*OTHERS, *TRAINED]
ROOTS = (*OTHERS.values(), *TRAINED.values())


def store(parts):
    """Make some parts and write the file, whole or not at all."""
    code = stamps.stamp(*ROOTS)
    record = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    if set(parts) != set(PARTS) and (why := stamps.stale(record, *ROOTS)):
        sys.exit(f"the other parts are older than their code: {why}")
    runs = [run for run in record.pop("runs", []) if run["what"] not in parts]
    kept = {name: record[name] for name in OTHERS if name in record}
    kept |= {name: OTHERS[name]() for name in OTHERS if name in parts}
    runs += [run for name in TRAINED if name in parts for run in TRAINED[name]()]
    runs.sort(key=lambda run: list(TRAINED).index(run["what"]))
    record = {
        "name": "ledger",
        "command": "python -m tools.runs.ledger_runs",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "corpus_sha256": SOURCES[CORPUS].sha256,
        "corpus": CORPUS,
        **kept,
        "runs": runs,
        "code": code,
    }
    stamps.write(RESULT, record)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--restamp", action="store_true",
        help="the code has changed in a way that cannot move the numbers: repeat the first "
        "losses, and believe it",
    )  # fmt: skip
    options = parser.parse_args()
    parts = options.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if options.restamp:
        stamps.restamp(RESULT, repeat, *ROOTS)
    else:
        store(parts)


if __name__ == "__main__":
    main()
