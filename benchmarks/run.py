"""What is timed, against what: `make bench`, or python -m benchmarks.run [PART ...].

A ratio is that of two things timed in turn (A B A B ...), on one thread; seven pairs or more,
after one that is not counted. Stored are all seconds, the median of the pairs' ratios and
their quartiles. The result, with machine, versions and date, is data/results/benchmarks.json;
a part that is made again replaces itself alone.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from benchmarks import reference, stages
from helpers.corpus import disjoint_windows, load_corpus
from helpers.models import CharRNN, CharTransformer
from helpers.numpy_lstm import NumpyCharLSTM
from helpers.sampling import generate
from helpers.training import fit, train_step
from tools.records import record, write_record

ROOT = Path(__file__).resolve().parent.parent

RESULT = ROOT / "data" / "results" / "benchmarks.json"
CELLS = ("rnn", "gru", "lstm")
SIZES = {"embed_size": 60, "num_heads": 3, "num_layers": 2}  # as many parameters as the LSTM
AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}


def seconds(action):
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def in_turn(plain, ours, pairs=9, times=1):
    """Time two actions in turn; how many times as long the first one takes."""
    plain(), ours()
    both = np.array([(seconds(plain), seconds(ours)) for _ in range(pairs)])
    ratios = times * both[:, 0] / both[:, 1]
    low, median, high = np.percentile(ratios, [25, 50, 75])
    rounded = {"ratio": median, "low": low, "high": high, "worst": ratios.min()}
    return {
        **{name: round(float(value), 3) for name, value in rounded.items()},
        "reference_seconds": [round(float(s), 5) for s in both[:, 0]],
        "seconds": [round(float(s), 5) for s in both[:, 1]],
    }


def median_ms(action, repeats=7, times=1, device="cpu"):
    """Milliseconds of one action: the median over blocks of ``times``, after a short warm-up.

    On "cuda" the clock is read only once the GPU has finished.
    """
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def block(n=times):
        for _ in range(n):
            action()
        wait()

    block(min(times, 3))
    median = float(np.median([seconds(block) for _ in range(repeats)]))
    return round(1000 * median / times, 4)


def same_start(cell, vocab_size, seed=0, **sizes):
    """The reference's model and ours with the same weights."""
    torch.manual_seed(seed)
    plain = reference.PlainRNN(vocab_size, cell, **sizes)
    ours = CharRNN(vocab_size, cell=cell, **sizes)
    ours.load_state_dict(plain.state_dict())
    return plain, ours


def training(steps=15, pairs=9, epochs=10):
    """fit against the reference loop, and whether both reach the same losses."""
    corpus = load_corpus("coriolanus")
    ids, _ = corpus.split()
    found = {}
    for cell in CELLS:
        plain, ours = same_start(cell, len(corpus.vocab))
        theirs = reference.train(plain, ids, epochs)
        losses = fit(ours, ids, epochs=epochs, progress=False).step_loss
        found[cell] = in_turn(
            lambda plain=plain: reference.train(plain, ids, steps=steps),
            lambda ours=ours: fit(ours, ids, steps=steps, progress=False),
            pairs,
        )
        apart = np.abs(np.subtract(theirs, losses))
        per_epoch = len(apart) // epochs
        ends = np.abs(np.mean(theirs[-per_epoch:]) - np.mean(losses[-per_epoch:]))
        found[cell] |= {"largest_difference": float(apart.max()), "last_epoch": float(ends)}
    return found


def numpy_step(pairs=15):
    """One update of nn.LSTM in the plain way against one of NumpyCharLSTM."""
    corpus = load_corpus("coriolanus")
    x, y = (part[:64] for part in disjoint_windows(corpus.split()[0], 50))
    plain, ours = same_start("lstm", len(corpus.vocab))
    ours = NumpyCharLSTM.from_torch(ours)
    adam = torch.optim.Adam(plain.parameters(), lr=3e-3)
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    return in_turn(lambda: train_step(plain, *tensors, adam), lambda: ours.train_step(x, y), pairs)


def numpy_kept(**environment):
    """The same with libraries kept to other instructions, in a process of its own."""
    code = "from benchmarks import run; import json; print(json.dumps(run.numpy_step()))"
    return elsewhere(code, **environment)


def numpy_stages(pairs=7):
    """Loss and gradients of one batch in each stage, in turn: seconds of each."""
    corpus = load_corpus("coriolanus")
    x, y = (part[:64] for part in disjoint_windows(corpus.split()[0], 50))
    model = NumpyCharLSTM(len(corpus.vocab))
    actions = {name: lambda f=f: f(model.params, x, y) for name, f in stages.STAGES.items()}
    actions["in place"] = lambda: model.loss_and_grads(x, y)
    actions["forward"] = lambda: model(x)
    turns = [{name: seconds(action) for name, action in actions.items()} for _ in range(pairs + 1)]
    return {name: [round(turn[name], 5) for turn in turns[1:]] for name in actions}


def generating(length=300, pairs=7):
    """generate against the reference, one text and 64 side by side; ratios for a character."""
    corpus = load_corpus("coriolanus")
    found = {}
    for cell in CELLS:
        plain, ours = same_start(cell, len(corpus.vocab), seed=1)
        for name, prompts in (("one", "\n"), ("64", ["\n"] * 64)):
            found[f"{cell}, {name}"] = in_turn(
                lambda plain=plain: reference.generate(plain, corpus.vocab, "\n", length, seed=0),
                lambda ours=ours, prompts=prompts: generate(
                    ours, corpus.vocab, prompts, length, seed=0
                ),
                pairs, 1 if name == "one" else 64,
            )  # fmt: skip
    torch.manual_seed(1)
    model = CharTransformer(len(corpus.vocab), **SIZES, context=50).eval()
    found["transformer, one"] = in_turn(
        lambda: reference.generate_again(model, corpus.vocab, "\n", 200, seed=0),
        lambda: generate(model, corpus.vocab, "\n", 200, seed=0),
        pairs,
    )
    return found


def step_ms(model, batch, window, repeats=7):
    """One update on random characters, in milliseconds."""
    ids = torch.randint(61, (2, batch, window), generator=torch.Generator().manual_seed(0))
    adam = torch.optim.Adam(model.parameters(), fused=True)
    return median_ms(lambda: train_step(model, *ids, adam), repeats)


def growth():
    """The LSTM's update against hidden size, window, batch, and threads."""

    def lstm(**sizes):
        return CharRNN(61, cell="lstm", **sizes)

    found = {
        "hidden": {h: step_ms(lstm(hidden_size=h), 64, 50) for h in (32, 64, 128, 256, 512)},
        "window": {t: step_ms(lstm(), 64, t) for t in (12, 25, 50, 100, 200)},
        "batch": {b: step_ms(lstm(), b, 50) for b in (1, 4, 16, 64, 256)},
    }
    found["faults"] = {t: page_faults(lstm(), 64, t) for t in (50, 100)}
    for policy in ("passive", "active"):
        code = "from benchmarks import run; import json; print(json.dumps(run.threads()))"
        found[f"threads, {policy}"] = elsewhere(code, OMP_WAIT_POLICY=policy)
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
            try:
                found[f"threads, {policy}, other work"] = elsewhere(code, OMP_WAIT_POLICY=policy)
            finally:
                other.kill()
    return found


def page_faults(model, batch, window, updates=10):
    """How often an update waits for the system to hand out a page of memory."""
    import resource  # not on Windows

    step_ms(model, batch, window, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step_ms(model, batch, window, updates - 1)
    return round((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / updates)


def threads():
    """One update of the LSTM on 1, 2 ... threads, in milliseconds."""
    found = {}
    for n in range(1, min(os.cpu_count() or 1, 4) + 1):
        torch.set_num_threads(n)
        found[n] = step_ms(CharRNN(61, cell="lstm"), 64, 50)
    return found


def elsewhere(code, **environment):
    """What a process of its own prints, as JSON."""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | environment, capture_output=True,
        encoding="utf-8", check=True,
    )  # fmt: skip
    return json.loads(run.stdout)


def against_transformer():
    """Milliseconds of an update on one text, by its length, for LSTM and Transformer.

    The Transformer's context is the length: with a shorter one it reads a text in pieces.
    """
    found = {}
    for window in (50, 100, 200, 400, 800):
        transformer = CharTransformer(61, **SIZES, context=window)
        found[window] = {
            "lstm": step_ms(CharRNN(61, cell="lstm"), 1, window),
            "transformer": step_ms(transformer, 1, window),
        }
    return found


def peak(repeats=15):
    """Billions of floating-point operations a second in products: large, and the loop's own."""
    found = {}
    for name, (m, k, n) in {"large": (1024, 1024, 1024), "loop": (64, 128, 512)}.items():
        a, b = torch.randn(m, k), torch.randn(k, n)
        A, B = a.numpy(), b.numpy()
        turned, ours = b.t().contiguous(), a.to_mkldnn()  # as the kernel of nn.LSTM multiplies
        for library, action in (
            ("torch", lambda a=a, b=b: a @ b),
            ("numpy", lambda A=A, B=B: A @ B),
            ("oneDNN", lambda a=ours, w=turned: torch.ops.aten.mkldnn_linear(a, w)),
        ):
            inner = 1 if name == "large" else 100
            ms = median_ms(
                lambda action=action, inner=inner: [action() for _ in range(inner)], repeats
            )
            found[f"{name}, {library}"] = round(inner * 2e-6 * m * k * n / ms, 1)
    return found


class LoopLSTM(nn.Module):
    """nn.LSTM's arithmetic with the loop over time in Python; takes the place of PlainRNN's."""

    def __init__(self, lstm):
        super().__init__()
        self.lstm = lstm

    def forward(self, x, state=None):
        w = self.lstm
        h = c = x.new_zeros(len(x), w.hidden_size)
        hs = []
        for x_t in x.unbind(1):
            sums = x_t @ w.weight_ih_l0.T + h @ w.weight_hh_l0.T + w.bias_ih_l0 + w.bias_hh_l0
            i, f, g, o = sums.chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            hs.append(h)
        return torch.stack(hs, dim=1), (h, c)


PRODUCTS = ("mm", "addmm", "bmm", "linear", "mkldnn_rnn_layer", "mkldnn_rnn_layer_backward")


def profiles(updates=5):
    """Where an update by hand, an update by nn.LSTM and sampling spend their time."""
    corpus = load_corpus("coriolanus")
    x, y = (torch.from_numpy(p[:64]) for p in disjoint_windows(corpus.split()[0], 50))
    plain, looped = (same_start("lstm", len(corpus.vocab))[0] for _ in range(2))
    looped.recurrent = LoopLSTM(looped.recurrent)
    optimizers = [torch.optim.Adam(m.parameters()) for m in (plain, looped)]
    actions = {
        "loop": lambda: train_step(looped, x, y, optimizers[1]),
        "nn.LSTM": lambda: train_step(plain, x, y, optimizers[0]),
        "sampling": lambda: reference.generate(plain, corpus.vocab, "\n", 20, seed=0),
    }
    found = {}
    for name, action in actions.items():
        took = median_ms(action)
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            for _ in range(updates):
                action()
        rows = [(e.key.removeprefix("aten::"), e.self_cpu_time_total, e.count)
                for e in profiled.key_averages() if e.self_cpu_time_total > 0]  # fmt: skip
        whole = sum(row[1] for row in rows)
        rows.sort(key=lambda row: -row[1])
        found[name] = {
            "ms": took,
            "calls": sum(row[2] for row in rows) // updates,
            "products": round(sum(row[1] for row in rows if row[0] in PRODUCTS) / whole, 3),
            "top": [[key, round(t / whole, 3), count // updates] for key, t, count in rows[:6]],
        }
    return found


def compiled():
    """torch.compile on the loop in Python (it needs a C++ compiler): milliseconds an update."""
    ids = torch.randint(61, (2, 64, 50), generator=torch.Generator().manual_seed(0))
    plain, looped = (same_start("lstm", 61)[0] for _ in range(2))
    looped.recurrent = LoopLSTM(looped.recurrent)
    found = {}
    models = {"loop": looped, "compiled": torch.compile(looped), "nn.LSTM": plain}
    for name, model in models.items():
        adam = torch.optim.Adam(model.parameters(), fused=True)
        found[name] = median_ms(lambda model=model, adam=adam: train_step(model, *ids, adam))
    return found


PARTS = {
    "training": training,
    "numpy": numpy_step,
    "numpy, AVX2": lambda: numpy_kept(**AVX2),
    "numpy alone, AVX2": lambda: numpy_kept(OPENBLAS_CORETYPE=AVX2["OPENBLAS_CORETYPE"]),
    "stages": numpy_stages,
    "generating": generating,
    "growth": growth,
    "transformer": against_transformer,
    "peak": peak,
    "profiles": profiles,
    "compiled": compiled,
}


def table(parts):
    """The ratios as lines of text: median, quartiles, lowest."""
    rows = {f"training, {cell}": r for cell, r in parts.get("training", {}).items()}
    rows |= {name: r for name, r in parts.items() if name.startswith("numpy")}
    rows |= {f"generating, {name}": r for name, r in parts.get("generating", {}).items()}
    yield f"{'times as fast as the reference':32} median   quartiles        lowest"
    for name, r in rows.items():
        spread = f"{r['low']:6.2f} to {r['high']:6.2f}"
        yield f"{name:32} {r['ratio']:6.2f}   {spread} {r['worst']:8.2f}"


def main(names):
    torch.set_num_threads(1)
    parts = json.loads(RESULT.read_text(encoding="utf-8"))["parts"] if RESULT.exists() else {}
    for name in names or PARTS:
        print(f"{name} ...", flush=True)
        parts[name] = PARTS[name]()
    parts = json.loads(json.dumps({name: parts[name] for name in PARTS if name in parts}))
    write_record(record("benchmarks", {"parts": parts}), RESULT.parent)
    print("\n".join(table(parts)))


if __name__ == "__main__":
    main(sys.argv[1:])
