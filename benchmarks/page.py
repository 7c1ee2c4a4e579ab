"""How fast a page learns: python -m benchmarks.page [ROUNDS], with a Chromium.

The trainer's WebAssembly kernel, its plain JavaScript and `fit` on one thread of PyTorch train the
same network with the same batches of twelve windows, in turn. Printed are characters a second,
and medians and quartiles of the rounds' ratios. Nothing is stored, for the page itself shows its
reader what it does on the reader's machine.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from playwright.sync_api import sync_playwright

from benchmarks.run import seconds
from helpers.models import CharRNN
from helpers.training import fit
from tools.site.chromium import launch
from tools.site.live import STATIC, needed

V, E, B, T = 63, 32, 12, 50  # the page's
SIZES = (64, 128, 256)
PATIENCE = 1.0  # seconds of each part of a round, about
LEARNERS = """([V, E, B, T, H]) => {
    const config = {vocab_size: V, embed_size: E, hidden_size: H};
    const { Uniforms } = charbook.sampling;
    const learner = (kind) =>
        new charbook.learner.Learner(config, B, T, new Uniforms(1), charbook[kind][kind](H));
    globalThis.learners = {plain: learner("plain"), simd: learner("simd")};
    const random = new Uniforms(2);
    const draw = () => Uint16Array.from({length: B * T}, () => Math.floor(V * random.next()));
    globalThis.batch = [draw(), draw()];
}"""
UPDATES = """([kind, count]) => {
    const begun = performance.now();
    for (let k = 0; k < count; k++) learners[kind].trainStep(...batch, {rate: 1e-3});
    return (performance.now() - begun) / 1000;
}"""


def page_with_learners(browser, folder):
    file = Path(folder) / "page.html"
    scripts = [STATIC / f"{name}.js" for name in needed(["trainer"])]
    sources = "".join(f'<script src="{script.as_uri()}"></script>' for script in scripts)
    file.write_text(f"<!doctype html>{sources}", encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    return page


def in_rounds(page, hidden, rounds):
    """Seconds of an update by kind, (rounds,) each."""
    page.evaluate(LEARNERS, [V, E, B, T, hidden])
    torch.manual_seed(0)
    model = CharRNN(V, E, hidden, cell="lstm")
    ids = np.random.default_rng(0).integers(V, size=B * T * 20 + 1)

    def pytorch(count):
        return seconds(lambda: fit(model, ids, steps=count, batch_size=B, progress=False))

    actions = {
        "plain": lambda count: page.evaluate(UPDATES, ["plain", count]),
        "simd": lambda count: page.evaluate(UPDATES, ["simd", count]),
        "torch": pytorch,
    }
    for action in actions.values():
        action(20)  # the browser compiles in earnest what runs often
    counts = {kind: max(2, round(PATIENCE * 5 / action(5))) for kind, action in actions.items()}
    turns = [
        {k: action(counts[k]) / counts[k] for k, action in actions.items()} for _ in range(rounds)
    ]
    return {kind: np.array([turn[kind] for turn in turns]) for kind in actions}


def line(hidden, taken):
    low, median, high = np.percentile(taken["plain"] / taken["simd"], [25, 50, 75])
    pace = {kind: B * T / np.median(each) for kind, each in taken.items()}
    share = np.median(taken["torch"] / taken["simd"])
    return (
        f"{hidden:5} {pace['plain']:12,.0f} {pace['simd']:12,.0f} {pace['torch']:12,.0f}"
        f"   {median:5.2f} ({low:.2f} to {high:.2f}) {share:12.2f}"
    )


def main(rounds=7):
    torch.set_num_threads(1)
    print("             characters a second                 WebAssembly against")
    print("units   JavaScript  WebAssembly      PyTorch   JavaScript          PyTorch")
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = launch(playwright)
        page = page_with_learners(browser, folder)
        for hidden in SIZES:
            print(line(hidden, in_rounds(page, hidden, rounds)), flush=True)
        browser.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
