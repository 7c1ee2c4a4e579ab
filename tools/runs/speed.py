"""The run of *Where the time goes*: a recipe that is as good in half of the time or less."""

import time

import numpy as np
import torch

from helpers.corpus import load_corpus
from helpers.training import evaluate, fit, warm_up_and_decay
from tools.runs.common import FIRST, build, first_losses, long_run, open_forget_gate, parts

HALF = {"epochs": 5}
FAST = HALF | {"lr": 1e-2}
WAYS = {
    "reference": {"epochs": 10},
    "half as long": HALF,
    "rate falls to zero": HALF | {"decay": True},
    "rate 5e-3": HALF | {"lr": 5e-3},
    "rate 1e-2": FAST,
    "batches of 32": HALF | {"epochs": 4, "batch_size": 32},
    "random windows": HALF | {"windows": "random"},
    "streams": HALF | {"windows": "stream"},
    "orthogonal start": HALF | {"orthogonal": True},
    "forget gates opened": HALF | {"bias": 1},
    "rate 1e-2, falls": FAST | {"decay": True},
    "rate 2e-2, falls": HALF | {"lr": 2e-2, "decay": True},
    "rate 1e-2, batches of 32": FAST | {"epochs": 4, "batch_size": 32},
    "rate 1e-2, random windows": FAST | {"windows": "random"},
    "rate 1e-2, streams": FAST | {"windows": "stream"},
    "rate 1e-2, orthogonal": FAST | {"orthogonal": True},
    "rate 1e-2, batches of 32, orthogonal": FAST
    | {"epochs": 4, "batch_size": 32, "orthogonal": True},
}


def train_recipe(configuration, corpus, first_of=None):
    """One model in one of WAYS -> model, history, seconds of processor time.

    With ``first_of``, the number of updates of a stored run, its first few alone.
    """
    cell, seed = configuration["cell"], configuration["seed"]
    recipe = dict(WAYS[configuration["way"]])
    train_ids, _ = parts(corpus, configuration["choosing"])
    model = build(cell, len(load_corpus(corpus).vocab), seed)
    if recipe.pop("orthogonal", False):
        for block in model.recurrent.weight_hh_l0.data.chunk(4 if cell == "lstm" else 3):
            torch.nn.init.orthogonal_(block)
    if bias := recipe.pop("bias", 0):
        open_forget_gate(model, bias)
    if recipe.pop("decay", False):
        part = FIRST / first_of if first_of else 1  # the rate depends on the length of the whole
        recipe["schedule"] = lambda share: warm_up_and_decay(share * part)
    if first_of:
        recipe["steps"] = FIRST
    started = time.process_time()
    history = fit(model, train_ids, seed=seed, device="cpu", **recipe)
    return model, history, time.process_time() - started


def ways_and_the_best(corpus, finished):
    """Each way, judged on the validation set; then, judged on the held-out text, the reference
    and the best of the others, with three other seeds.

    The best is chosen for each architecture by the mean of two seeds.
    """
    for cell in ("lstm", "gru"):
        for way in ways_of(cell):
            for seed in (0, 1):
                yield {"cell": cell, "seed": seed, "way": way, "choosing": True}
        for seed in (2, 3, 4):
            for way in ("reference", best_way(finished, cell)):
                yield {"cell": cell, "seed": seed, "way": way, "choosing": False}


def ways_of(cell):
    return [way for way in WAYS if cell == "lstm" or "bias" not in WAYS[way]]


def best_way(models, cell):
    """The way, other than the reference, of the lowest mean loss on the validation set."""

    def mean(way):
        same = {"cell": cell, "way": way, "choosing": True}
        return np.mean([m["loss"] for m in models if same.items() <= m.items()])

    return min(ways_of(cell)[1:], key=mean)


@long_run(
    "recipe", plan=ways_and_the_best, settings={"ways": WAYS},
    repeat=lambda stored, corpus: train_recipe(stored, corpus, stored["updates"])[1].step_loss,
    summary=lambda corpus, models: {"chosen": {c: best_way(models, c) for c in ("lstm", "gru")}},
)  # fmt: skip
def recipe(configuration, corpus):
    """The loss that each way reaches, and its seconds."""
    model, history, seconds = train_recipe(configuration, corpus)
    loss = evaluate(model, parts(corpus, configuration["choosing"])[1])
    found = {"updates": len(history.step_loss), "cpu_seconds": round(seconds, 3)}
    return found | {"loss": round(loss, 6)} | first_losses(history.step_loss)
