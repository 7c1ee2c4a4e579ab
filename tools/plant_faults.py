"""Plant known faults one at a time in a copy of the book and see that the tests catch them.

    python tools/plant_faults.py [NAME ...] [--new]

Prints a line for each: its name, the seconds until it was caught, and the test that did.
``data/results/faults.json`` keeps them; ``--new`` plants only those that are not in it as
they are. Exits with 1 if a fault survives, or if its place in the code is no longer found.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "data/results/faults.json"

LIMIT = "math.inf if clip is None else clip"
CLIP = f"    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), {LIMIT})\n"
STEP = "    optimizer.step()\n"

PATIENCE = 900  # seconds for the tests of one stage; a fault may make a loop endless
# Two tests notice any change of the code, a fault or not, and so say nothing here.
ALL_TESTS = ["tests", "--ignore=tests/test_book.py", "--ignore=tests/test_pages.py"]
ALL_TESTS += ["--ignore=tests/test_plant_faults.py"]
ALL_TESTS += ["--deselect=tests/test_long_runs.py::test_no_result_is_older_than_its_code"]

# name: (file, what is there, what is planted)
FAULTS = {
    "gate order swapped": (
        "helpers/models.py",
        "        hidden, state = self.recurrent(embedded, state)",
        "        if isinstance(self.recurrent, nn.LSTM):  # forget gate before input gate\n"
        "            for name, value in self.recurrent.named_parameters():\n"
        "                i, f, g, o = value.data.chunk(4)\n"
        "                value.data = torch.cat([f, i, g, o])\n"
        "        hidden, state = self.recurrent(embedded, state)",
    ),
    "target not shifted": (
        "helpers/corpus.py",
        "    y = ids[1 : n * seq_len + 1].reshape(n, seq_len)",
        "    y = ids[: n * seq_len].reshape(n, seq_len)",
    ),
    "softmax over the wrong axis": (
        "helpers/training.py",
        "log_total = np.log(np.exp(logits - highest).sum(axis=1)) + highest[:, 0]",
        "log_total = np.log(np.exp(logits - highest).sum(axis=0).mean()) + highest[:, 0]",
    ),
    "clipping after the step": (
        "helpers/training.py",
        CLIP + STEP,
        STEP + CLIP,
    ),
    "state not passed on while sampling": (
        "helpers/sampling.py",
        "            logits, state = predict(model, [[i]], state)",
        "            logits, state = predict(model, [[i]], None)",
    ),
    "temperature multiplied": (
        "helpers/sampling.py",
        "    scaled = (logits - logits.max(axis=-1, keepdims=True)) / temperature",
        "    scaled = (logits - logits.max(axis=-1, keepdims=True)) * temperature",
    ),
    "held-out text inside training": (
        "helpers/corpus.py",
        "train_ids, val_ids = ids[:n_train], ids[n_train:]",
        "train_ids, val_ids = ids, ids[n_train:]",
    ),
    "output bias dropped": (
        "helpers/models.py",
        "self.output = nn.Linear(hidden_size, vocab_size)",
        "self.output = nn.Linear(hidden_size, vocab_size, bias=False)",
    ),
    "loss summed instead of averaged": (
        "helpers/training.py",
        "    loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())",
        '    loss = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum")',
    ),
    "top-p keeps one too few": (
        "helpers/sampling.py",
        "        before = np.cumsum(falling, axis=-1) - falling  # mass of the more probable ones",
        "        before = np.cumsum(falling, axis=-1)",
    ),
    "GRU reset before the product": (
        "chapters/gru.ipynb",
        '"    n = torch.tanh(n_x + r * n_h)\\n"',
        '"    W_n, b_n = gru.weight_hh_l0.chunk(3)[2], gru.bias_hh_l0.chunk(3)[2]\\n",'
        '"    n = torch.tanh(n_x + (r * h) @ W_n.T + b_n)\\n"',
    ),
    "update gate turned round": (
        "chapters/gru.ipynb",
        "    z = torch.sigmoid(z_x + z_h)  # how much of the old state stays",
        "    z = 1 - torch.sigmoid(z_x + z_h)  # how much of the old state stays",
    ),
    "a gate's derivative": (
        "helpers/numpy_lstm.py",
        "            np.subtract(gates[t, :2], d_gates[:2], out=d_gates[:2])",
        "            np.subtract(1, d_gates[:2], out=d_gates[:2])",
    ),
    "weight gradient misses the last step": (
        "helpers/numpy_lstm.py",
        "flat.T @ hs[:-1].reshape(-1, H)",
        "flat[: -hs.shape[1]].T @ hs[:-2].reshape(-1, H)",
    ),
    "clipping each tensor by itself": (
        "helpers/numpy_lstm.py",
        "            grad *= clip / (norm + 1e-6)",
        "            grad *= min(1, clip / (math.sqrt(float(np.vdot(grad, grad))) + 1e-6))",
    ),
    "bias gradient over the wrong axis": (
        "helpers/numpy_lstm.py",
        "        d_bias = d_table.sum(axis=0)",
        "        d_bias = flat[-batch:].sum(axis=0)",
    ),
    "NumPy: one bias missing in the table": (
        "helpers/numpy_lstm.py",
        '        bias = p["recurrent.bias_ih_l0"] + p["recurrent.bias_hh_l0"]',
        '        bias = p["recurrent.bias_ih_l0"]',
    ),
    "NumPy: memory used again, not cleared": (
        "helpers/numpy_lstm.py",
        "        one_hot[:] = 0\n",
        "",
    ),
    "by hand: one bias missing in the table": (
        "helpers/kernels.py",
        "rows, turned, added = rows + bias, weight.t(), torch.empty_like(start)",
        "rows, turned, added = rows, weight.t(), torch.empty_like(start)",
    ),
    "by hand: the candidate's bias before the reset gate": (
        "helpers/kernels.py",
        "        d_bias = torch.cat([d_rows.sum(0)[: 2 * H], flat[:, :H].sum(0)])",
        "        d_bias = d_rows.sum(0)",
    ),
    "by hand: the gathered gradient misses a step": (
        "helpers/kernels.py",
        "        d_weight = flat.t() @ hs[:-1].flatten(0, 1)",
        "        d_weight = flat[hs.shape[1] :].t() @ hs[1:-1].flatten(0, 1)",
    ),
    "recorded gates one step late": (
        "helpers/gates.py",
        "    return [torch.stack(column) for column in zip(*rows, strict=True)]",
        "    late = [rows[0], *rows[:-1]]\n"
        "    return [torch.stack(column) for column in zip(*late, strict=True)]",
    ),
    "positions one character late": (
        "helpers/gates.py",
        '    return {name: kinds == name for name in (*names, "punctuation")}',
        '    return {name: np.roll(kinds, 1) == name for name in (*names, "punctuation")}',
    ),
    "chance without the label's moves": (
        "helpers/gates.py",
        "    moved = np.conj(np.fft.rfft(np.asarray(label, dtype=float)))",
        "    moved = np.conj(np.fft.rfft(np.full(len(label), np.mean(label))))",
    ),
    "bootstrap that takes characters for independent": (
        "helpers/statistics.py",
        "    block = int(block)\n",
        "    block = 1\n",
    ),
    "each series cut at its own places": (
        "helpers/statistics.py",
        "        texts = (b[starts].reshape(-1, *b.shape[2:])[:n] for b in blocks)",
        "        some = [rng.integers(n, size=len(starts)) for _ in blocks]\n"
        "        texts = (b[k].reshape(-1, *b.shape[2:])[:n] for b, k in zip(blocks, some))",
    ),
    "copies looked for on one side only": (
        "helpers/memorisation.py",
        "    neighbours = order[max(0, at - 1) : at + 1]",
        "    neighbours = order[at : at + 1] or order[-1:]",
    ),
    "long copies cut short": (
        "helpers/memorisation.py",
        "        while lengths[i] == reach:  # all that was compared is there: compare more",
        "        while lengths[i] > reach:",
    ),
    "stretches at the end of the text counted in": (
        "helpers/memorisation.py",
        "    complete = match_lengths(text, source)[: len(text) - length + 1]",
        "    complete = match_lengths(text, source)",
    ),
    "min-p relative to 1": (
        "helpers/sampling.py",
        "        p[p < min_p * p.max(axis=-1, keepdims=True)] = 0",
        "        p[p < min_p] = 0",
    ),
    "top-p before temperature": (
        "helpers/sampling.py",
        "        before = np.cumsum(falling, axis=-1) - falling  # mass of the more probable ones",
        "        q = np.exp(logits - logits.max(axis=-1, keepdims=True))\n"
        "        q = np.take_along_axis(q / q.sum(axis=-1, keepdims=True), order, axis=-1)\n"
        "        before = np.cumsum(q, axis=-1) - q",
    ),
    "greedy that samples": (
        "helpers/sampling.py",
        "    if temperature == 0:\n"
        "        return np.eye(logits.shape[-1])[logits.argmax(axis=-1)]\n",
        "    temperature = temperature or 1.0\n",
    ),
    "fast path: temperature multiplied": (
        "helpers/sampling.py",
        "            np.divide(weights, temperature, out=weights)",
        "            np.multiply(weights, temperature, out=weights)",
    ),
    "fast path: table stale after a weight update": (
        "helpers/sampling.py",
        "    machine = fold(model) if fast and length else None",
        '    if "machine" not in vars(model):\n'
        '        vars(model)["machine"] = fold(model)\n'
        '    machine = vars(model)["machine"] if fast and length else None',
    ),
    "fast path: texts share their random numbers": (
        "helpers/sampling.py",
        "    return [np.random.default_rng([seed, i]) for i in range(n)]",
        "    return [np.random.default_rng([seed, 0]) for i in range(n)]",
    ),
    "fast path: states in the order of the prompts' lengths": (
        "helpers/sampling.py",
        "            groups.append((rows, state))",
        "            before = sum(len(others) for others, _ in groups)\n"
        "            groups.append((before + np.arange(len(rows)), state))",
    ),
    "fold: the GRU's recurrent bias moved out of the reset gate's reach": (
        "helpers/folded.py",
        "        stays[-own.shape[1] :] = True",
        "        stays[-own.shape[1] :] = False",
    ),
    "fold: recurrent bias left out": (
        "helpers/folded.py",
        "bias + np.where(stays, 0, own_bias), np.where",
        "bias, np.where",
    ),
    "fold: two gates swapped": (
        "helpers/folded.py",
        "np.concatenate([i / 2, f / 2, o / 2, g])",
        "np.concatenate([f / 2, i / 2, o / 2, g])",
    ),
    "fold: state not passed on": (
        "helpers/folded.py",
        "            move(x)\n",
        "            own[...] = 0\n            move(x)\n",
    ),
    "fold: cache one place off": (
        "helpers/folded.py",
        "        self.place = self.position % self.context",
        "        self.place = (self.position + 1) % self.context",
    ),
    "fold: cache one position short": (
        "helpers/folded.py",
        "        self.seen = min(self.position + 1, self.context)",
        "        self.seen = min(self.position + 1, self.context - 1)",
    ),
    "fold: the prompt's keys turned one position too far": (
        "helpers/folded.py",
        "np.exp(places[:, None] * self.speed)",
        "np.exp((places[:, None] + 1) * self.speed)",
    ),
    "fold: shorter texts see empty places": (
        "helpers/folded.py",
        "        if empty.any():",
        "        if empty.all():",
    ),
    "attention sees the next character": (
        "helpers/models.py",
        "    return (distance >= 0) & (distance < context)",
        "    return (distance >= -1) & (distance < context)",
    ),
    "attention's cache one position short": (
        "helpers/models.py",
        "            start = max(0, past + length - (context - 1))",
        "            start = max(0, past + length - max(0, context - 2))",
    ),
    "rotary positions on the queries alone": (
        "helpers/models.py",
        "            rotate(keys, turns),\n",
        "            keys,\n",
    ),
    "completions replaced by raw counts": (
        "helpers/ngram.py",
        "self._lower.append(self._table(codes, completions(codes, endings)))",
        "self._lower.append(self._tables[k - 1])",
    ),
    "discounts not given back": (
        "helpers/ngram.py",
        "            given_back = np.add.reduceat(taken, starts)",
        "            given_back = np.full(len(starts), 1e-9)",
    ),
    "the text's beginning is no predecessor": (
        "helpers/ngram.py",
        "            endings = np.append(longer % self.vocab_size**k, self._codes(ids[:k], k))",
        "            endings = longer % self.vocab_size**k",
    ),
    "Witten-Bell counts the times, not the kinds": (
        "helpers/ngram.py",
        "given_back = ends - starts if",
        "given_back = total if",
    ),
    "JAX: two gates swapped": (
        "helpers/elsewhere.py",
        "        i, f, g, o = jnp.split(sums, 4, axis=1)",
        "        i, f, o, g = jnp.split(sums, 4, axis=1)",
    ),
    "JAX: no recurrent bias": (
        "helpers/elsewhere.py",
        'bias = params["recurrent.bias_ih_l0"] + params["recurrent.bias_hh_l0"]',
        'bias = params["recurrent.bias_ih_l0"]',
    ),
    "JAX: logits of the last step only": (
        "helpers/elsewhere.py",
        "    hidden = hidden.swapaxes(0, 1)",
        "    hidden = hidden[-1:].swapaxes(0, 1)",
    ),
    "Flax: two gates swapped": (
        "helpers/elsewhere.py",
        "in zip(GATES, rows_x, rows_h, biases, strict=True)",
        'in zip("igfo", rows_x, rows_h, biases, strict=True)',
    ),
    "Flax: no recurrent bias": (
        "helpers/elsewhere.py",
        'biases = np.split(weights["recurrent.bias_ih_l0"] + weights["recurrent.bias_hh_l0"], 4)',
        'biases = np.split(weights["recurrent.bias_ih_l0"], 4)',
    ),
    "Flax: logits of the last step only": (
        "helpers/elsewhere.py",
        "            return self.output(hidden), state",
        "            return self.output(hidden[:, -1:]), state",
    ),
    "Keras: gates in another order": (
        "helpers/elsewhere.py",
        '        weights["recurrent.weight_ih_l0"].T,  # (E, 4H)',
        '        np.roll(weights["recurrent.weight_ih_l0"].T, len(weights["output.weight"].T), 1),',
    ),
    "Keras: no recurrent bias": (
        "helpers/elsewhere.py",
        '        weights["recurrent.bias_ih_l0"] + weights["recurrent.bias_hh_l0"],  # (4H,)',
        '        weights["recurrent.bias_ih_l0"],',
    ),
    "Keras: logits of the last step only": (
        "helpers/elsewhere.py",
        "layers.LSTM(self.hidden_size, return_sequences=True, return_state=True)",
        "layers.LSTM(self.hidden_size, return_sequences=False, return_state=True)",
    ),
    "playground: gates in the wrong order": (
        "extra/_static/playground/engine.js",
        "        const i = sigmoid(sums[j]);\n        const f = sigmoid(sums[H + j]);",
        "        const f = sigmoid(sums[j]);\n        const i = sigmoid(sums[H + j]);",
    ),
    "playground: GRU's gates in the wrong order": (
        "extra/_static/playground/engine.js",
        "        h[j] = (1 - z) * n + z * h[j];",
        "        h[j] = z * n + (1 - z) * h[j];",
    ),
    "playground: temperature after the softmax": (
        "extra/_static/playground/engine.js",
        "p[i] = Math.exp((logits[i] - logits[best]) / temperature);\n    divide(p);",
        "p[i] = Math.exp(logits[i] - logits[best]);\n    divide(p);\n"
        "    for (let i = 0; i < p.length; i++) p[i] /= temperature;",
    ),
    "playground: the recurrent bias left out": (
        "extra/_static/playground/engine.js",
        "(b, r) => b + (r < stays ? inner[r] : 0),",
        "(b, r) => b,",
    ),
    "playground: the output bias left out": (
        "extra/_static/playground/engine.js",
        "affine(logits, this.outBias, 0,",
        "affine(logits, new Float64Array(this.V), 0,",
    ),
    "playground: state not reset": (
        "extra/_static/playground/engine.js",
        "      const zeros = () => new Float64Array(this.H);\n"
        '      if (this.cell !== "lstm") return { h: zeros() };',
        "      if (this.kept) return this.kept;\n"
        "      const zeros = () => new Float64Array(this.H);\n"
        "      this.kept = { h: zeros() };\n"
        '      if (this.cell !== "lstm") return this.kept;\n'
        "      return (this.kept = { input: zeros(), forget: zeros(), cell: zeros(),"
        " output: zeros(), c: zeros(), h: zeros() });",
    ),
    "playground: top-p keeps one too few": (
        "extra/_static/playground/engine.js",
        "        if (reached - own >= topP) p[i] = 0;",
        "        if (reached >= topP) p[i] = 0;",
    ),
    "playground: scales of another row": (
        "extra/_static/playground/engine.js",
        "value * scale[Math.floor(i / width)]",
        "value * scale[i % scale.length]",
    ),
    "training in the page: gates in the wrong order": (
        "extra/_static/playground/trainer.js",
        "          const i = sigmoid(gates[at]);\n          const f = sigmoid(gates[at + H]);",
        "          const f = sigmoid(gates[at]);\n          const i = sigmoid(gates[at + H]);",
    ),
    "training in the page: the forget gate's bias left out": (
        "extra/_static/playground/trainer.js",
        "table[k] = inner[r] + outer[r];",
        "table[k] = r >= H && r < 2 * H ? 0 : inner[r] + outer[r];",
    ),
    "training in the page: slopes not summed over places": (
        "extra/_static/playground/trainer.js",
        "dTable[row + r] += dSums[n * 4 * H + r];",
        "dTable[row + r] = dSums[n * 4 * H + r];",
    ),
    "training in the page: slopes of the first window only": (
        "extra/_static/playground/trainer.js",
        'addProduct(g["recurrent.weight_hh_l0"], 4 * H, H, N, turned.sums',
        'addProduct(g["recurrent.weight_hh_l0"], 4 * H, H, T, turned.sums',
    ),
    "training in the page: slopes of the batch before kept": (
        "extra/_static/playground/trainer.js",
        "      this.slopes.fill(0);\n",
        "",
    ),
    "training in the page: the last step's slope missing": (
        "extra/_static/playground/trainer.js",
        "for (let t = T - 1; t >= 0; t--) {\n        this.#backThroughStep(t);",
        "for (let t = T - 2; t >= 0; t--) {\n        this.#backThroughStep(t);",
    ),
    "training in the page: Adam's bias correction missing": (
        "extra/_static/playground/trainer.js",
        "const step = rate / (1 - beta1 ** this.updates);",
        "const step = rate;",
    ),
    "training in the page: state not reset": (
        "extra/_static/playground/trainer.js",
        '      const inner = w["recurrent.bias_ih_l0"], outer',
        "      this.hsAt[0].set(this.hsAt[T]);\n      this.csAt[0].set(this.csAt[T]);\n"
        '      const inner = w["recurrent.bias_ih_l0"], outer',
    ),
    "training in the page: clipping left out": (
        "extra/_static/playground/trainer.js",
        "      this.#clip(clip);\n",
        "",
    ),
    "training in the page: held-out text learned": (
        "extra/_static/playground/trainer.js",
        "train: ids.subarray(0, border)",
        "train: ids",
    ),
    "training in the page: it trains on while it is paused": (
        "extra/_static/playground/trainer.js",
        "        running = false;\n        training.report();",
        "        training.report();",
    ),
    "training in the page: the text is sent away": (
        "extra/_static/playground/train-here.js",
        '        worker.postMessage({ order: "begin", text, settings });',
        '        worker.postMessage({ order: "begin", text, settings });\n'
        '        fetch("https://example.org/", { method: "POST", body: text }).catch(() => {});',
    ),
    "a colour that the figures do not have": (
        "_static/book.css",
        "  --cbc-gru: #009E73;\n  --cbc-transformer",
        "  --cbc-gru: #00B050;\n  --cbc-transformer",
    ),
    "links too pale": (
        "_static/book.css",
        "  --cbc-link: #00588A;\n  --cbc-tint",
        "  --cbc-link: #6FA8DC;\n  --cbc-tint",
    ),
    "figures wider than a phone": (
        "_static/book.css",
        ".pst-scrollable-table-container {\n  overflow-x: auto;",
        ".pst-scrollable-table-container {\n  overflow-x: visible;",
    ),
    "every icon there is, on every page": (
        "tools/lean_pages.py",
        '    html = FONT_AWESOME.sub("", html)\n',
        "",
    ),
    "a check that looks at shapes alone": (
        "helpers/checks.py",
        "    if close(got, expected, rtol):\n        return\n    for slip, wrong in slips.items():",
        "    if True:\n        return\n    for slip, wrong in slips.items():",
    ),
    "a check that takes what is nearly right": (
        "helpers/checks.py",
        "rtol * np.abs(expected).max(initial=0) + 1e-9",
        "rtol * np.abs(expected).max(initial=0) + 2",
    ),
    "a check whose recurrent matrix is never turned": (
        "helpers/checking/vanilla_rnn.py",
        "from_x, from_h = x @ W_xh.T, h @ W_hh.T",
        "from_x, from_h = x @ W_xh.T, 0 * h",
    ),
    "an untouched stub taken for an answer": (
        "helpers/checks.py",
        "        if unfilled(answer):\n            raise NotAttempted",
        "        if answer is None:\n            raise NotAttempted",
    ),
    "the stub keeps the solution's body": (
        "tools/stubs.py",
        '        return "\\n".join([*kept, indent + hole])',
        '        return "\\n".join([*kept, *given])',
    ),
    "a sentence whose number is gone": (
        "chapters/text-as-data.ipynb",
        "{glue:text}`text-as-data-half` of them",
        "{glue:text}`text-as-data-third` of them",
    ),
    "a number on the page that its cell glues no longer": (
        "chapters/text-as-data.ipynb",
        'glue(\\"text-as-data-gain\\"',
        'glue(\\"text-as-data-times\\"',
    ),
    "a wrong constant in a sentence": (
        "chapters/text-as-data.ipynb",
        '"application/papermill.record/text/plain": "\'169,210\'"',
        '"application/papermill.record/text/plain": "\'169,310\'"',
    ),
    "an output changed by hand": (
        "chapters/text-as-data.ipynb",
        "169,210 characters, 61 distinct, 6,080 lines",
        "169,210 characters, 61 distinct, 6,060 lines",
    ),
    "a chapter's windows cut along the wrong axis": (
        "chapters/text-as-data.ipynb",
        '"    x = ids[: n * T].reshape(n, T)\\n"',
        '"    x = ids[: n * T].reshape(T, n).T\\n"',
    ),
    "a solution off by one": (
        "chapters/text-as-data.ipynb",
        "    return max(0, (N - 1 - T) // s + 1)",
        "    return max(0, (N - T) // s + 1)",
    ),
    "a chapter that trains on the held-out text": (
        "chapters/lstm.ipynb",
        "fit(models[cell], train_ids, val_ids)",
        "fit(models[cell], val_ids, val_ids)",
    ),
    "a corpus with one letter changed": (
        "data/shakespeare.txt",
        "rather to die than to famish?",
        "rather to lie than to famish?",
    ),
    "the code of a stored run, beyond its first losses": (
        "tools/long_runs.py",
        "FURTHER, STRIDE = 200, 8",
        "FURTHER, STRIDE = 100, 8",
    ),
    "a checkpoint whose digest nobody compares": (
        "helpers/checkpoint.py",
        'if hashlib.sha256(data).hexdigest() != description.get(f"{part}_sha256"):',
        "if not data:",
    ),
    "a checkpoint that names files elsewhere": (
        "helpers/checkpoint.py",
        r' or not re.fullmatch(rf"{part}-[0-9a-f]+\.safetensors", name)',
        "",
    ),
    "weights of another type taken for ours": (
        "helpers/checkpoint.py",
        "        if says != has:",
        '        if says.rpartition(" ")[0] != has.rpartition(" ")[0]:',
    ),
    "files written in place": (
        "helpers/checkpoint.py",
        '    temporary = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")',
        "    temporary = path",
    ),
    "an optimizer's state taken as it comes": (
        "helpers/training.py",
        "            self._check_moments(moments)\n",
        "",
    ),
    "windows that begin with the state of the one before": (
        "helpers/training.py",
        "            if window is not None:\n                state = None\n",
        "",
    ),
    "dropout that starts again when training goes on": (
        "helpers/training.py",
        "            if self._dice is None:",
        "            if self._dice:",
    ),
    "evaluation that switches dropout off for good": (
        "helpers/models.py",
        "        if was_training:\n            model.train()",
        "        if was_training:\n            model.eval()",
    ),
    "two processes that share the same rows": (
        "helpers/processes.py",
        "        return slice(self.rank * each, (self.rank + 1) * each)",
        "        return slice(0, each)",
    ),
    "zero bytes taken for characters": (
        "helpers/corpus.py",
        "    if (at := data.find(0)) >= 0:",
        "    if (at := data.find(0)) >= len(data):",
    ),
    "a limit one too low": (
        "helpers/corpus.py",
        "    text = text[:limit]",
        "    text = text[: limit and limit - 1]",
    ),
    "a download that is not compared": (
        "helpers/corpus.py",
        'f"sha256:{source.sha256}"',
        "None",
    ),
    "a line end that a block cuts counted twice": (
        "helpers/encoded.py",
        '            if data and text.endswith("\\r"):',
        '            if not data and text.endswith("\\r"):',
    ),
    "rare, up to and with the number": (
        "helpers/encoded.py",
        "np.flatnonzero(counter.counts < rare)",
        "np.flatnonzero(counter.counts <= rare)",
    ),
    "the last line of metrics made twice": (
        "helpers/runs.py",
        '            if json.loads(line)["step"] > done:',
        '            if json.loads(line)["step"] > done + 9:',
    ),
    "an export that replaces any file": (
        "helpers/export.py",
        "    if to.exists() and not to.read_bytes().startswith(HEAD.encode()):",
        "    if to.is_dir():",
    ),
    "a check that agrees with any number": (
        "helpers/checking/counting.py",
        "    number(answer, 50, slips,",
        "    number(answer, answer, slips,",
    ),
    "a check with a wrong constant": (
        "helpers/checking/text_as_data.py",
        "    number(sliding, 8, slips,",
        "    number(sliding, 7, slips,",
    ),
    "outputs compared without their numbers": (
        "conftest.py",
        "    return difference <= max(rtol * max(abs(float(a)), abs(float(b))), 1.001 * digit)",
        "    return True",
    ),
    "outputs compared without their words": (
        "conftest.py",
        '        if DECIMAL.sub("#", self) != DECIMAL.sub("#", other):',
        "        if len(DECIMAL.findall(self)) != len(DECIMAL.findall(other)):",
    ),
}


def plant(name, tree, only_look=False):
    """Write one fault into a copy of the book, or see only that its place is there."""
    file, old, new = FAULTS[name]
    source = (tree / file).read_text()
    if source.count(old) != 1:
        raise SystemExit(f"{name!r}: its place in {file} is found {source.count(old)} times")
    if not only_look:
        (tree / file).write_text(source.replace(old, new))


def caught_by(tree, stages):
    """The test that fails first in a tree, asked in stages; "" where none does."""
    for which in stages:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", *which]
        try:
            run = subprocess.run(
                command, cwd=tree, capture_output=True, text=True, check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            return f"{which[0]}, which does not come to an end"
        if run.returncode < 0:
            return f"{which[0]}, whose process died of signal {-run.returncode}"
        if failed := re.search(r"^(?:FAILED|ERROR) (\S+)", run.stdout, flags=re.M):
            return failed[1]
    return ""


def nearest_tests(file):
    """Who is asked about a fault in ``file``, one after the other: those that know it first."""
    own = f"tests/test_{Path(file).stem}.py"
    if file.endswith(".ipynb"):
        return [["tests/test_book.py", "-k", "glue and not pages or held_out"], ["--nbval", file]]
    if file in ("_static/book.css", "tools/lean_pages.py"):
        return [["tests/test_pages.py", "-k", "intro or colours or landing"]]
    if file.startswith("helpers/checking/"):
        return [["tests/test_checks.py"]]
    if file.endswith(("trainer.js", "train-here.js")):
        return [["tests/test_train_here.py"]]
    if file in OTHERS:
        return [[f"tests/test_{OTHERS[file]}.py"]]
    stages = [[own]] if (ROOT / own).is_file() else []
    if file in ("helpers/checkpoint.py", "helpers/encoded.py", "helpers/training.py",
                "helpers/corpus.py", "helpers/export.py", "helpers/runs.py"):  # fmt: skip
        stages.append(["tests/test_hostile.py"])
    if file == "helpers/runs.py":
        stages.append(["tests/test_main.py"])
    return stages or [ALL_TESTS]


OTHERS = {
    "tools/stubs.py": "exercises",
    "conftest.py": "tolerance",
    "data/shakespeare.txt": "corpus",
    "extra/_static/playground/engine.js": "playground",
}


def copied(folder):
    """A copy of the book to spoil."""
    tree = Path(folder) / "book"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".venv", "_build", ".git"))
    return tree


def digest(name):
    """What a fault is: its file, what was there, what is planted."""
    return hashlib.sha256(json.dumps(FAULTS[name]).encode()).hexdigest()[:16]


def known():
    """The faults that are stored as they are now: name -> {digest, file, caught_by, seconds}."""
    stored = json.loads(RESULT.read_text())["faults"] if RESULT.is_file() else {}
    return {n: stored[n] for n in FAULTS if n in stored and stored[n]["digest"] == digest(n)}


def keep(name, caught, seconds):
    """Store what became of a fault, and return it."""
    found = known()
    found[name] = {
        "digest": digest(name), "file": FAULTS[name][0], "caught_by": caught,
        "seconds": round(seconds),
    }  # fmt: skip
    record = {"command": "make faults", "date": str(date.today())}
    record["faults"] = {name: found[name] for name in FAULTS if name in found}
    RESULT.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return found[name]


def row(name, found):
    return f"{name:62} {found['seconds']:4} s   {found['caught_by'] or 'SURVIVED'}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a fault; all by default")
    parser.add_argument("--new", action="store_true", help="leave out what was planted as it is")
    options = parser.parse_args()
    if unknown := set(options.names) - set(FAULTS):
        sys.exit(f"there is no fault called {', '.join(map(repr, sorted(unknown)))}")
    names = [n for n in options.names or FAULTS if not (options.new and n in known())]
    nearest = {name: nearest_tests(FAULTS[name][0]) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        tree = copied(folder)
        for name in names:
            plant(name, tree, only_look=True)
        for which in sorted({tuple(which) for stages in nearest.values() for which in stages}):
            if failed := caught_by(tree, [which]):
                sys.exit(f"a test fails without any fault planted: {failed}")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            begun, tree = time.monotonic(), copied(folder)
            plant(name, tree)
            caught = caught_by(tree, [*nearest[name], ALL_TESTS])
            print(row(name, keep(name, caught, time.monotonic() - begun)), flush=True)
    found = known()
    caught = sum(bool(one["caught_by"]) for one in found.values())
    minutes = sum(one["seconds"] for one in found.values()) / 60
    print(f"{len(found)} faults planted, {caught} caught; {minutes:.0f} min")
    survived = [name for name in found if not found[name]["caught_by"]]
    sys.exit(f"survived: {', '.join(survived)}" if survived else 0)


if __name__ == "__main__":
    main()
