"""Runs too long for a page: made here, stored in data/results/, read by the chapters.

    python tools/long_runs.py NAME [NAME ...]     python tools/long_runs.py --all

Each result holds its configuration, the versions, the machine, the date, the corpus's and
the code's SHA-256 and, for each model trained, the first twenty losses. A test repeats
those first steps (tests/test_long_runs.py), so that a stored result whose code or corpus
has changed its numbers does not go unnoticed.
"""

import argparse
import copy
import datetime
import hashlib
import json
import os
import platform
import sys
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from helpers.corpus import SOURCES, load_corpus  # noqa: E402
from helpers.models import CharRNN, count_parameters  # noqa: E402
from helpers.sampling import generate  # noqa: E402
from helpers.training import evaluate, fit  # noqa: E402

RESULTS = ROOT / "data" / "results"
CODE = ("helpers/corpus.py", "helpers/models.py", "helpers/training.py")
FIRST = 20  # losses of each run that a test repeats


def train(cell, corpus, seed, epochs=10, steps=None, bias=0, val=True):
    """One model by the reference recipe: the start is fixed by ``seed``, and so is the order.

    ``bias`` opens the forget gates of an LSTM before training.
    """
    source = load_corpus(corpus)
    train_ids, val_ids = source.split()
    torch.manual_seed(seed)
    model = CharRNN(len(source.vocab), cell=cell)
    if bias:
        open_forget_gate(model, bias)
    history = fit(
        model, train_ids, val_ids if val else None, epochs, steps, seed=seed, device="cpu"
    )
    return model, history


def curves(corpus="shakespeare", cells=("rnn", "lstm", "gru"), seeds=(0, 1, 2, 3, 4), epochs=30):
    """Training and held-out loss after each epoch of the reference recipe, over seeds."""
    runs = []
    for seed in seeds:
        for cell in cells:
            model, history = train(cell, corpus, seed, epochs)
            runs.append(
                {
                    "cell": cell,
                    "seed": seed,
                    "parameters": count_parameters(model),
                    **losses_of(history),
                }
            )
            print(f"  {cell}, seed {seed}: held-out {history.val_loss[-1]:.4f}", flush=True)
    return {"corpus": corpus, "epochs": epochs, "runs": runs}


def open_forget_gate(model, bias):
    """Add ``bias`` to the forget gate's rows of an LSTM's first bias vector."""
    hidden = model.config["hidden_size"]
    with torch.no_grad():
        model.recurrent.bias_ih_l0[hidden : 2 * hidden] += bias


def forget_bias(corpus="shakespeare", biases=(0, 1, 3), seeds=(0, 1, 2, 3, 4)):
    """What an opened forget gate does on the corpus, after each of ten epochs."""
    runs = []
    for seed in seeds:
        for bias in biases:
            _, history = train("lstm", corpus, seed, bias=bias)
            runs.append({"cell": "lstm", "bias": bias, "seed": seed, **losses_of(history)})
            print(f"  bias {bias}, seed {seed}: {history.val_loss[-1]:.4f}", flush=True)
    return {"corpus": corpus, "epochs": 10, "runs": runs}


# Recall: remember the first of so many characters while as many others go by.
LETTERS, QUESTION = 8, 8  # eight letters; a ninth character asks for the first one


def recall_batch(size, gap, generator):
    """Texts (size, gap + 1) of ``gap`` random letters and the question; the answers (size,)."""
    letters = torch.randint(LETTERS, (size, gap), generator=generator)
    question = torch.full((size, 1), QUESTION)
    return torch.cat([letters, question], dim=1), letters[:, 0]


def train_recall(cell, gap, seed, bias=0, updates=1000):
    """Train on recall: (share of 512 new questions answered, losses as it went)."""
    torch.manual_seed(seed)
    model = CharRNN(LETTERS + 1, embed_size=16, hidden_size=64, cell=cell)
    if bias:
        open_forget_gate(model, bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for _ in range(updates):
        x, y = recall_batch(64, gap, generator)
        loss = torch.nn.functional.cross_entropy(model(x)[0][:, -1], y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    x, y = recall_batch(512, gap, torch.Generator().manual_seed(10_000 + seed))
    with torch.no_grad():
        answers = model(x)[0][:, -1].argmax(dim=1)
    return (answers == y).float().mean().item(), losses


def recall(gaps=(5, 20, 50), seeds=(0, 1, 2, 3, 4)):
    """Recall after so many characters, for each architecture and an LSTM with open gates."""
    runs = []
    for gap in gaps:
        for cell, bias in (("rnn", 0), ("lstm", 0), ("lstm", 3), ("gru", 0)):
            for seed in seeds:
                share, losses = train_recall(cell, gap, seed, bias)
                run = {"cell": cell, "bias": bias, "gap": gap, "seed": seed, "recalled": share}
                runs.append(run | {"first_losses": [round(x, 6) for x in losses[:FIRST]]})
            print(f"  {cell}, bias {bias}, gap {gap}: {share:.2f}", flush=True)
    return {"corpus": None, "updates": 1000, "chance": 1 / LETTERS, "runs": runs}


# The model that people train: two layers of 256, dropout, AdamW, long random windows.
LARGER = {"embed_size": 128, "hidden_size": 256, "cell": "lstm", "num_layers": 2, "dropout": 0.2}
LARGER_RECIPE = {"seq_len": 128, "batch_size": 64, "windows": "random", "clip": 1.0}


def train_larger(corpus, steps, callback=None):
    """The larger model, trained on all of the training part but its last tenth."""
    train_ids, _ = corpus.split()
    torch.manual_seed(0)
    model = CharRNN(len(corpus.vocab), **LARGER)
    adamw = torch.optim.AdamW(model.parameters(), lr=3e-4)
    history = fit(
        model, train_ids[: int(0.9 * len(train_ids))], steps=steps, seed=0, device="cpu",
        optimizer=adamw, callback=callback, **LARGER_RECIPE,
    )  # fmt: skip
    return model, history


def larger(corpus="shakespeare", steps=5000, points=40):
    """The larger model with its losses as it goes, judged once on the held-out text.

    The validation text, on which the best moment is chosen, is the last tenth of the
    training part. The held-out text is scored for that moment and for the end.
    """
    source = load_corpus(corpus)
    train_ids, held_out = source.split()
    validation = train_ids[int(0.9 * len(train_ids)) :]
    curve, best = [], {"validation": float("inf")}

    def score(epoch, model, history):
        done = len(history.step_loss)
        if done < steps * (len(curve) + 1) / points:
            return
        recent = history.step_loss[curve[-1]["step"] if curve else 0 :]
        row = {"step": done, "train": np.mean(recent), "validation": evaluate(model, validation)}
        curve.append({k: round(float(v), 6) for k, v in row.items()} | {"step": done})
        if row["validation"] < best["validation"]:
            best.update(row, weights=copy.deepcopy(model.state_dict()))
        print(f"  step {done}: {row['train']:.4f} {row['validation']:.4f}", flush=True)

    started = time.process_time()
    model, history = train_larger(source, steps, score)
    run = {
        "cell": "lstm",
        "seed": 0,
        "parameters": count_parameters(model),
        "cpu_seconds": round(time.process_time() - started),
        "curve": curve,
        "last": judge(model, source, held_out) | {"step": steps},
        "first_losses": [round(x, 6) for x in history.step_loss[:FIRST]],
    }
    model.load_state_dict(best["weights"])
    run["best"] = judge(model, source, held_out) | {"step": best["step"]}
    return {"corpus": corpus, "model": LARGER, "recipe": LARGER_RECIPE, "runs": [run]}


def judge(model, corpus, held_out):
    """Held-out loss and a text, drawn with top-p 0.9."""
    return {
        "held_out": round(evaluate(model, held_out), 6),
        "text": generate(model, corpus.vocab, "\n", 600, top_p=0.9, seed=0),
    }


def losses_of(history):
    """What is stored of a ``History``."""
    kept = {"train_loss": history.train_loss, "val_loss": history.val_loss}
    kept["first_losses"] = history.step_loss[:FIRST]
    rounded = {name: [round(x, 6) for x in values] for name, values in kept.items()}
    return rounded | {"seconds": round(history.seconds, 2)}


RUNS = {
    "curves": curves,
    "forget-bias": forget_bias,
    "recall": recall,
    "larger-shakespeare": larger,
    "larger-tinyshakespeare": partial(larger, "tinyshakespeare"),
}


def repeat(name, run, corpus):
    """The first losses of one stored run, computed again; what a test compares."""
    if name == "recall":
        return train_recall(run["cell"], run["gap"], run["seed"], run["bias"], FIRST)[1]
    if name.startswith("larger"):
        _, history = train_larger(load_corpus(corpus), FIRST)
    else:
        bias = run.get("bias", 0)
        _, history = train(run["cell"], corpus, run["seed"], steps=FIRST, bias=bias, val=False)
    return history.step_loss


def store(name):
    """Make one run and write its file, whole or not at all."""
    print(f"{name} ...", flush=True)
    body = RUNS[name]()
    record = {
        "name": name,
        "command": f"python tools/long_runs.py {name}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "corpus_sha256": body["corpus"] and SOURCES[body["corpus"]].sha256,
        "code_sha256": {path: sha256(ROOT / path) for path in CODE},
        **body,
    }
    RESULTS.mkdir(exist_ok=True)
    unfinished = RESULTS / f"{name}.part"
    unfinished.write_text(json.dumps(record, indent=1) + "\n")
    unfinished.replace(RESULTS / f"{name}.json")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every run")
    options = parser.parse_args()
    names = list(RUNS) if options.all else options.names
    if not names:
        parser.error(f"name a run ({', '.join(RUNS)}) or say --all")
    for name in names:
        store(name)


if __name__ == "__main__":
    main()
