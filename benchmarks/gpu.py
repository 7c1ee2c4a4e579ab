"""What a GPU changes: python -m benchmarks.gpu, on a machine that has one.

Writes data/results/gpu.json: the reference recipe on the GPU and on one thread of the same
machine's CPU; an update by batch, size, precision and length of the text; the loop in Python
against NVIDIA's kernel, and both as a CUDA graph; writing. Milliseconds are medians of
several blocks of updates, the GPU waited for at the end of each.
"""

import json
import sys
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks import reference
from benchmarks.run import CELLS, SIZES, LoopLSTM, median_ms, same_start
from helpers.corpus import load_corpus
from helpers.models import CharRNN, CharTransformer
from helpers.sampling import generate
from helpers.training import evaluate, fit
from tools.records import record, write_record

ROOT = Path(__file__).resolve().parent.parent

RESULT = ROOT / "data" / "results" / "gpu.json"
V = 61
PRECISIONS = ("float32", "TF32", "bfloat16", "bfloat16, cached")


@contextmanager
def precision(name):
    """Matrix products in full, with TF32's 10 bits after the point, or in bfloat16 with 7.

    cuDNN's recurrent layers use TF32 unless they are told not to; other products do not.
    autocast keeps the short copies of the weights that it has made for as long as it lasts:
    "cached" is the mistake of putting it around all of a training, whose updates it then misses.
    """
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    short = name != "float32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = short
    bf16 = torch.autocast("cuda", dtype=torch.bfloat16, cache_enabled="cached" in name)
    try:
        with bf16 if "bfloat16" in name else nullcontext():
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def updating(model, batch, window, device):
    """A function that makes one update on random characters, and never waits for the GPU."""
    model.to(device).train()
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randint(V, (2, batch, window), generator=draw).to(device)
    adam = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True, capturable=device == "cuda")

    def update():
        adam.zero_grad()
        logits, _ = model(x)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), y.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0, foreach=True)
        adam.step()
        return loss

    return update


def update_ms(model, batch, window, device, times=10):
    """Milliseconds of one update of ``updating``."""
    return median_ms(updating(model, batch, window, device), times=times, device=device)


def graphed(action):
    """The action recorded once as a CUDA graph -> a function that replays it."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            action()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = action()

    def replay():
        graph.replay()
        return result

    return replay


def new(name, **sizes):
    torch.manual_seed(0)
    if name == "transformer":
        return CharTransformer(V, **SIZES | {"context": 50} | sizes)
    return CharRNN(V, cell=name, **sizes)


def recipe(device, epochs=5, limit=None):
    """fit by the reference recipe on the GPU and on the CPU, from the same weights."""
    corpus = load_corpus("coriolanus", limit=limit)
    train, held_out = corpus.split()
    found = {}
    for name in (*CELLS, "transformer"):
        runs = {}
        for place, where in (("gpu", device), ("cpu", "cpu")):
            fit(new(name), train, steps=3, device=where, progress=False)  # the first take longer
            model = new(name)
            history = fit(model, train, epochs=epochs, device=where, progress=False)
            runs[place] = {
                "seconds": round(history.seconds, 3),
                "train_loss": [round(x, 6) for x in history.train_loss],
                "held_out": round(evaluate(model.to("cpu"), held_out, progress=False), 6),
            }
        found[name] = runs
    return found


def precisions(device, epochs=10, limit=None, sizes=(128, 512, 1024, 2048), seeds=3):
    """An LSTM's update by its size in each precision; held-out losses of LSTM and Transformer."""
    corpus = load_corpus("coriolanus", limit=limit)
    train, held_out = corpus.split()
    took, models = {}, {}
    for name in PRECISIONS:
        with precision(name):
            took[name] = {h: update_ms(new("lstm", hidden_size=h), 64, 50, device) for h in sizes}
            for kind in ("lstm", "transformer"):
                trained = models[f"{kind}, {name}"] = []
                for seed in range(seeds):
                    torch.manual_seed(seed)
                    model = CharRNN(V, cell="lstm") if kind == "lstm" else new("transformer")
                    fit(model, train, epochs=epochs, device=device, seed=seed, progress=False)
                    trained.append(model)
    # Scored in full precision, wherever they were trained.
    held = {
        kind: [round(evaluate(m.to("cpu"), held_out, progress=False), 6) for m in trained]
        for kind, trained in models.items()
    }
    return {"ms": took, "held_out": held}


def batches(device, sizes=(1, 16, 64, 256, 1024, 4096)):
    """Milliseconds of an update by the number of windows of 50."""
    return {
        name: {n: update_ms(new(name), n, 50, device) for n in sizes}
        for name in (*CELLS, "transformer")
    }


def lengths(device, sizes=(50, 100, 200, 400, 800, 1600, 3200)):
    """Milliseconds of an update on one text, by its length; the Transformer sees all of it."""

    def one(name, length):
        context = {"context": length} if name == "transformer" else {}
        return update_ms(new(name, **context), 1, length, device, times=5)

    return {name: {t: one(name, t) for t in sizes} for name in ("lstm", "transformer")}


def graphs(device, window=50):
    """An update by the loop in Python and by nn.LSTM, plain and as a graph."""

    def looped():
        model = same_start("lstm", V)[0]
        model.recurrent = LoopLSTM(model.recurrent)
        return model

    makers = {"loop": looped, "lstm": lambda: new("lstm")}
    found = {}
    for name, make in makers.items():
        found[name] = {"plain": update_ms(make(), 64, window, device)}
        if device == "cuda":
            plain, other = (
                updating(make(), 64, window, device),
                updating(make(), 64, window, device),
            )
            replay = graphed(other)
            for _ in range(3):  # as many as were made before recording
                plain()
            both = [(plain().item(), replay().item()) for _ in range(20)]
            found[name]["graph"] = median_ms(replay, times=10, device=device)
            found[name]["largest_difference"] = float(
                np.abs(np.subtract(*zip(*both, strict=True))).max()
            )
    return found


def writing(device, length=300, many=(1, 64, 1024)):
    """Characters a second: the model called on the GPU, that as a graph, and generate (CPU)."""
    corpus = load_corpus("coriolanus")
    model = new("lstm").eval()
    found = {}
    for n in many:
        rate = {}
        prompts = ["\n"] * n
        took = median_ms(
            lambda prompts=prompts: generate(model.cpu(), corpus.vocab, prompts, length, seed=0), 3
        )
        rate["generate"] = round(1000 * n * length / took)
        model.to(device)
        ids = torch.zeros(n, 1, dtype=torch.long, device=device)
        state = tuple(torch.zeros(1, n, 128, device=device) for _ in range(2))

        @torch.no_grad()
        def step(ids=ids, state=state):
            """One character of each text, drawn and written where the next step reads it."""
            logits, after = model(ids, state)
            for old, fresh in zip(state, after, strict=True):
                old.copy_(fresh)
            noise = torch.empty_like(logits[:, -1]).exponential_()
            ids.copy_((logits[:, -1].softmax(-1) / noise).argmax(-1, keepdim=True))

        rate["gpu"] = round(1000 * n / median_ms(step, 5, 100, device))
        if device == "cuda":
            rate["gpu, graph"] = round(1000 * n / median_ms(graphed(step), 5, 100, device))
        found[n] = rate
    plain = reference.PlainRNN(V).eval()
    took = median_ms(lambda: reference.generate(plain, corpus.vocab, "\n", length, seed=0), 3)
    found[1]["reference, cpu"] = round(1000 * length / took)
    return found


PARTS = {
    "recipe": recipe,
    "graphs": graphs,
    "batches": batches,
    "lengths": lengths,
    "precisions": precisions,
    "writing": writing,
}


def main(names, device="cuda", result=RESULT):
    torch.set_num_threads(1)
    stored = json.loads(result.read_text(encoding="utf-8"))["parts"] if result.exists() else {}
    for name in names or PARTS:
        started = time.perf_counter()
        stored[name] = PARTS[name](device)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
        parts = {part: stored[part] for part in PARTS if part in stored}
        machine = torch.cuda.get_device_name() if device == "cuda" else None
        write_record(record("gpu", {"parts": parts}, machine=machine), result.parent)


if __name__ == "__main__":
    main(sys.argv[1:])
