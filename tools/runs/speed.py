"""The run of *Where the time goes*: rate and batch for the reference LSTM at half its epochs."""

import time

import numpy as np

from helpers.training import evaluate, fit
from tools.runs.common import FIRST, build, first_losses, long_run
from tools.runs.course import CURVE, PLAY, all_plays, play_and_curve

EPOCHS = 5
BEGIN = (1.2e-2, 32)  # learning rate, windows in a batch


def train_recipe(configuration, steps=None):
    """One model -> model, history, seconds of processor time; or its first ``steps`` alone."""
    model = build("lstm", len(all_plays().vocab), configuration["seed"])
    recipe = {name: configuration[name] for name in ("lr", "batch_size", "seed")}
    started = time.process_time()
    history = fit(
        model, play_and_curve()[0], epochs=EPOCHS, steps=steps, device="cpu", progress=False,
        **recipe,
    )  # fmt: skip
    return model, history, time.process_time() - started


def around(lr, batch_size):
    """A setting and its four neighbours: rate and batch twice and half as large."""
    yield from ((lr, batch_size), (2 * lr, batch_size), (lr / 2, batch_size))
    yield from ((lr, 2 * batch_size), (lr, batch_size // 2))


def best_setting(models):
    """The learning rate and batch of the lowest validation loss, mean of two seeds."""
    found = {}
    for model in models:
        found.setdefault((model["lr"], model["batch_size"]), []).append(model["loss"])
    return min(found, key=lambda setting: np.mean(found[setting]))


def search(corpus, finished):
    """Settings, two seeds each, until all four neighbours of the best one have been tried."""
    tried, here, best = set(), None, BEGIN
    while here != best:
        here = best
        for lr, batch_size in around(*here):
            if (lr, batch_size) not in tried:
                tried.add((lr, batch_size))
                for seed in (0, 1):
                    yield {"seed": seed, "lr": lr, "batch_size": batch_size}
        best = best_setting(finished)


@long_run(
    "recipe",
    corpus="shakespeare",
    repeat=lambda model, corpus: train_recipe(model, FIRST)[1].step_loss,
    plan=search,
    settings={"play": PLAY, "curve": CURVE, "epochs": EPOCHS},
)
def recipe(configuration, corpus):
    """The validation loss that each setting reaches, and its seconds."""
    model, history, seconds = train_recipe(configuration)
    loss = evaluate(model, play_and_curve()[1], progress=False)
    found = {"updates": len(history.step_loss), "cpu_seconds": round(seconds, 3)}
    return found | {"loss": round(loss, 6)} | first_losses(history.step_loss)
