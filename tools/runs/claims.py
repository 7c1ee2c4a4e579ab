"""The run of *Often said*: what only the ledger of claims needs.

unclipped : RNN and LSTM by the reference recipe but for the clipping, which is off; with
    numbers of what they write and of what the LSTM's gates do
relu : an RNN with ReLU in place of tanh, with the clipping and without it
amount : an LSTM on the first 100,000 characters of the training text
window : RNN and LSTM with windows twice as long, and as many characters a batch
no_grad : times of sampling with and without PyTorch's record of operations, in pairs
real_texts, untrained_gates : the baselines of the others
"""

import itertools
import re
import statistics
import time

import numpy as np
import torch

from helpers.corpus import character_kinds, load_corpus
from helpers.gates import record_gates
from helpers.sampling import generate, next_distribution, pick
from helpers.training import TrainingDiverged, evaluate, fit
from tools.runs.common import FIRST, build, first_losses, long_run, rounded

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
AT = {"unclipped": (10, 30), "relu": (10,), "amount": (30,), "window": (10, 20, 30)}  # epochs
PLAN = [
    *({"what": "unclipped", "cell": c, "seed": s} for s in SEEDS for c in ("rnn", "lstm")),
    *({"what": "relu", "cell": "relu", "seed": s, "clip": c} for s in SEEDS for c in (None, 5.0)),
    *({"what": "amount", "cell": "lstm", "seed": s, "characters": 100_000} for s in SEEDS),
    *(
        {"what": "window", "cell": c, "seed": s, "seq_len": 100}
        for s in SEEDS[:3]
        for c in ("rnn", "lstm")
    ),
]


def new_model(cell, vocab_size, seed):
    """A fresh model; "relu" is the RNN with ReLU in its recurrence."""
    model = build("rnn" if cell == "relu" else cell, vocab_size, seed)
    if cell == "relu":
        model.recurrent.nonlinearity = "relu"
        model.recurrent.mode = "RNN_RELU"  # what nn.RNN(nonlinearity="relu") sets
    return model


def train(configuration, corpus, steps=None, callback=None):
    """One model -> its history; one that ends early where the loss was not finite."""
    source = load_corpus(corpus)
    ids = source.split()[0][: configuration.get("characters")]
    seq_len = configuration.get("seq_len", 50)
    recipe = {"seq_len": seq_len, "batch_size": 64 * 50 // seq_len}
    recipe |= {"clip": configuration.get("clip", 5.0)} | RECIPES[configuration["what"]]
    seed = configuration["seed"]
    model = new_model(configuration["cell"], len(source.vocab), seed)
    try:
        return fit(
            model, ids, steps=steps, seed=seed, device="cpu", callback=callback, progress=False,
            **recipe,
        )  # fmt: skip
    except TrainingDiverged as error:
        return error.history


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


def written(model, vocab, temperature, texts=5, length=1000):
    new = generate(model, vocab, [PROMPT] * texts, length, temperature, seed=1)
    return [text.removeprefix(PROMPT) for text in new]


def describe_written(configuration, corpus, model, epoch):
    """What is stored of a model's texts and gates beside its losses."""
    source = load_corpus(corpus)
    vocab, what, cell = source.vocab, configuration["what"], configuration["cell"]
    if what not in ("unclipped", "amount"):
        return {}
    known = vocab.decode(source.split()[0][: configuration.get("characters")])
    reference = Reference(known)

    def described(temperature, *many):
        return describe_texts(reference, written(model, vocab, temperature, *many))

    if what == "amount":
        return {"texts": {str(t): described(t, 10, 1000) for t in (0.7, 1.0)}}
    row = {"texts": {"1.0": described(1.0, 10, 500)}}
    if cell == "lstm":
        row["gates"] = describe_gates(model, corpus)
    if cell == "lstm" and epoch == 30:
        row["by_temperature"] = {str(t): described(t) for t in TEMPERATURES}
    return row


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
    """Kind of position -> a mask (T,), and those of the positions before some of them."""
    masks = character_kinds(text, KINDS)
    characters = np.array(list(text))
    for name, character in (("before line end", "\n"), ("before colon", ":")):
        masks[name] = np.append(characters[1:] == character, False)
    masks["elsewhere"] = ~(masks["before line end"] | masks["before colon"])
    return masks


def describe_gates(model, corpus, characters=8000):
    """Mean of each gate by kind of position, and each contrast over the units."""
    source = load_corpus(corpus)
    ids = source.split()[1][:characters]
    masks, gates = masks_of(source.vocab.decode(ids)), record_gates(model, ids)
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


# What is stored once


def real_texts(corpus):
    """The same numbers for pieces of the held-out text, 500 and 1,000 characters long."""
    source = load_corpus(corpus)
    train_text, text = (source.vocab.decode(part) for part in source.split())
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


def no_grad(vocab, pairs=25, length=400):
    """Seconds with the record over seconds without it, pair by pair."""
    ratios, ids = {}, vocab.encode(PROMPT)
    for cell in ("rnn", "lstm", "gru"):
        model = new_model(cell, len(vocab), 0).eval()
        seconds_of(model, ids, length, True)  # the first is slow for other reasons
        ratios[cell] = [
            round(seconds_of(model, ids, length, True) / seconds_of(model, ids, length, False), 4)
            for _ in range(pairs)
        ]
    return {"characters": length, "ratios": ratios}


def baselines(corpus, models):
    vocab = load_corpus(corpus).vocab
    untrained = [new_model("lstm", len(vocab), seed) for seed in SEEDS]
    return {
        "no_grad": no_grad(vocab),
        "real_texts": real_texts(corpus),
        "untrained_gates": [describe_gates(model, corpus) for model in untrained],
    }


@long_run(
    "ledger",
    repeat=lambda configuration, corpus: train(configuration, corpus, FIRST).step_loss,
    plan=PLAN,
    summary=baselines,
)
def ledger(configuration, corpus):
    """One model, with its held-out loss, texts and gates after some of the epochs."""
    held_out = load_corpus(corpus).split()[1]
    after = {}

    def evaluate_at(epoch, model, history):
        if epoch in AT[configuration["what"]]:
            loss = round(evaluate(model, held_out, progress=False), 6)
            found = describe_written(configuration, corpus, model, epoch)
            after[str(epoch)] = {"held_out": loss} | found

    history = train(configuration, corpus, callback=evaluate_at)
    updates = len(history.step_loss)
    return {
        "updates": updates,
        "diverged_at": None if np.isfinite(history.step_loss).all() else updates,
        "longest_gradient": round(float(np.nanmax(history.grad_norm)), 4),
        "train_loss": rounded(history.train_loss),
        "after": after,
        **first_losses(history.step_loss),
    }
