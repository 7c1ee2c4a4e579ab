"""The book's LSTM in JAX, Flax and Keras: the same numbers, and every row of the chapter's tables.

The frameworks are optional (requirements-frameworks.txt). Where they are missing, the tests
that need them are skipped, and say so.
"""

import importlib.util
import inspect
import os
import subprocess
import sys
from itertools import permutations, product
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.models import CharRNN
from helpers.studies import elsewhere
from helpers.studies.elsewhere import MODELS
from helpers.training import train_step

FRAMEWORKS = ("jax", "flax", "optax", "keras")
missing = [name for name in FRAMEWORKS if importlib.util.find_spec(name) is None]
needs_frameworks = pytest.mark.skipif(
    bool(missing), reason=f"{', '.join(missing)} not installed: {elsewhere.INSTALL}"
)
# Keras's own copying of its arrays, under NumPy 2.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

B, T, E, H, V = 3, 4, 5, 6, 7
each_framework = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module", autouse=True)
def _quickly_compiled():
    """Compiling takes most of the time here, and a few numbers need no optimised code.

    JAX reads this at its first use; afterwards it is taken back, or the chapters' kernels
    would inherit it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
        patch.setenv("JAX_PLATFORMS", "cpu")
        yield


def torch_model():
    """Weights three times their usual size: small ones leave every gate near one half."""
    torch.manual_seed(0)
    model = CharRNN(V, E, H, cell="lstm")
    with torch.no_grad():
        for p in model.parameters():
            p *= 3
    return model


def batch(seed=0):
    return np.random.default_rng(seed).integers(V, size=(2, B, T))


def with_one_bias(model):
    """The same function, its second bias at zero for good: what Keras and Flax train."""
    layer = model.recurrent
    with torch.no_grad():
        layer.bias_ih_l0 += layer.bias_hh_l0
        layer.bias_hh_l0.zero_()
    layer.bias_hh_l0.requires_grad_(False)
    return model


@pytest.fixture(scope="module")
def models():
    """One of each, made once: a framework's functions are compiled for each new model."""
    return {name: kind.from_torch(torch_model(), lr=1e-2) for name, kind in MODELS.items()}


# --- the same numbers


@needs_frameworks
@each_framework
def test_logits_and_state_equal_torch(models, name):
    x, _ = batch()
    h, c = np.random.default_rng(3).normal(size=(2, B, H)).astype(np.float32)
    expected, state = torch_model()(
        torch.as_tensor(x), (torch.tensor(h[None]), torch.tensor(c[None]))
    )
    turned = name == "Flax NNX"  # its carry is (c, h)
    logits, after = models[name](x, (c, h) if turned else (h, c))
    assert logits.shape == (B, T, V)
    np.testing.assert_allclose(logits, expected.detach(), atol=1e-5)
    for part, theirs in zip(after[::-1] if turned else after, state, strict=True):
        np.testing.assert_allclose(part, theirs[0].detach(), atol=1e-5)


@needs_frameworks
@each_framework
def test_without_a_state_it_starts_from_zeros(models, name):
    x, _ = batch(1)
    expected, _ = torch_model()(torch.as_tensor(x))
    np.testing.assert_allclose(models[name](x)[0], expected.detach(), atol=1e-5)


@needs_frameworks
@each_framework
def test_loss_and_every_gradient_equal_torch(models, name):
    (x, y), theirs = batch(), torch_model()
    loss, grads = models[name].loss_and_grads(x, y)
    logits, _ = theirs(torch.as_tensor(x))
    expected = F.cross_entropy(logits.flatten(0, 1), torch.as_tensor(y).flatten())
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-5)
    assert set(grads) == {n for n, _ in theirs.named_parameters()}
    for n, p in theirs.named_parameters():
        np.testing.assert_allclose(grads[n], p.grad, atol=1e-4, err_msg=n)


@needs_frameworks
@each_framework
def test_weights_come_back(models, name):
    """All arrays as they were; of the two biases only the sum, except in plain JAX."""
    theirs = torch_model().state_dict()
    ours = models[name].to_torch().state_dict()
    for n in theirs:
        if "recurrent.bias" not in n or name == "plain JAX":
            assert torch.equal(ours[n], theirs[n]), n
    both = [d["recurrent.bias_ih_l0"] + d["recurrent.bias_hh_l0"] for d in (ours, theirs)]
    torch.testing.assert_close(*both, atol=1e-6, rtol=0)


@needs_frameworks
@each_framework
def test_training_equals_torch_step_for_step(name):
    """With the clipping at work. Plain JAX has torch's two biases, the others one."""
    theirs = torch_model() if name == "plain JAX" else with_one_bias(torch_model())
    recipe = {"lr": 1e-2, "clip": 0.05}
    ours = MODELS[name].from_torch(theirs, **recipe)
    adam = torch.optim.Adam(theirs.parameters(), lr=recipe["lr"])
    for step in range(5):
        x, y = batch(step)
        expected, norm, _ = train_step(
            theirs, torch.as_tensor(x), torch.as_tensor(y), adam, recipe["clip"]
        )
        assert norm > recipe["clip"]
        assert ours.train_step(x, y) == pytest.approx(expected, abs=1e-4)


@needs_frameworks
def test_one_bias_trains_otherwise_than_two():
    """What makes the test above take one bias away: two that are added move twice as far."""
    losses = []
    for model in (torch_model(), with_one_bias(torch_model())):
        adam = torch.optim.Adam(model.parameters(), lr=1e-2)
        pair = [torch.as_tensor(part) for part in batch()]
        losses.append([train_step(model, *pair, adam)[0] for _ in range(3)])
    assert losses[0][0] == pytest.approx(losses[1][0], abs=1e-6)
    assert abs(losses[0][2] - losses[1][2]) > 1e-3


# --- what is refused


def test_a_missing_framework_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"jax.*requirements-frameworks\.txt"):
        elsewhere.require("jax")


@needs_frameworks
def test_keras_on_another_backend_is_refused(monkeypatch):
    keras = elsewhere.require("keras")
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ImportError, match="KERAS_BACKEND=jax"):
        elsewhere.require("keras")


def test_the_usual_sizes_are_those_of_the_book():
    ours, theirs = (inspect.signature(kind).parameters for kind in (CharRNN, elsewhere.JaxCharLSTM))
    for name in ("embed_size", "hidden_size"):
        assert theirs[name].default == ours[name].default


@pytest.mark.parametrize("kind", MODELS.values())
def test_only_a_one_layer_lstm_is_taken(kind):
    with pytest.raises(ValueError, match="gru"):
        kind.from_torch(CharRNN(V, E, H, cell="gru"))


@needs_frameworks
@each_framework
def test_inputs_and_targets_must_fit(models, name):
    model, (x, _) = models[name], batch()
    with pytest.raises(ValueError, match="batch, time"):
        model.train_step(x, x[:, 1:])
    for wrong in (-1, V):
        ids = np.where(x == x[0, 0], wrong, x)
        for use in (model, lambda ids, model=model: model.train_step(x, ids)):
            with pytest.raises(ValueError, match=f"id {wrong} is outside the vocabulary's 0 to 6"):
                use(ids)


# --- the tables of conventions: each cell is what a look at the framework gives

NAMES = "PyTorch", "Keras 3", "Flax NNX"
SIZES = {"E": 60, "H": 100, "V": 150}  # large enough for a spread to be told
SCALES = {
    "1": 1.0,
    "0.05": 0.05,
    "1/√H": SIZES["H"] ** -0.5,
    "1/√E": SIZES["E"] ** -0.5,
    "√(6/(E+4H))": (6 / (SIZES["E"] + 4 * SIZES["H"])) ** 0.5,
    "√(6/(H+V))": (6 / (SIZES["H"] + SIZES["V"])) ** 0.5,
}


def table_rows():
    """Every row of the chapter's tables: its name -> its three other cells."""
    chapter = Path(__file__).resolve().parents[2] / "chapters" / "elsewhere.ipynb"
    rows = {}
    for cell in nbformat.read(chapter, as_version=4).cells:
        if cell.cell_type == "markdown" and "| PyTorch | Keras 3 | Flax NNX |" in cell.source:
            lines = [line for line in cell.source.split("\n") if line.startswith("|")]
            for line in lines:
                name, *cells = (
                    part.strip().replace("`", "") for part in line.strip("|").split("|")
                )
                if not line.startswith("|---") and cells != list(NAMES):
                    rows[name] = tuple(cells)
    return rows


def spread(values):
    """How fresh weights lie: "0", "uniform within ±0.05", "deviation 1/√E"."""
    if (values == values.flat[0]).all():
        return f"{values.flat[0]:g}"
    few = 0.01 + 1.4 / values.size**0.5  # three deviations of an estimate from so many
    for name, scale in SCALES.items():
        if np.abs(values).max() <= scale * 1.0001 and abs(values.std() * 3**0.5 / scale - 1) < few:
            return f"uniform within ±{name}"
        if abs(values.std() / scale - 1) < 0.02 and np.abs(values).max() > 1.9 * scale:
            return f"deviation {name}"
    return "none of these"


def is_orthogonal(matrix):
    return np.abs(matrix @ matrix.T - np.eye(len(matrix))).max() < 1e-4


@pytest.fixture(scope="module")
def fresh():
    """Each framework's own first weights, under the names of ``keras_weights``."""
    torch.manual_seed(0)
    sizes = SIZES["V"], SIZES["E"], SIZES["H"]
    ours = {n: p.detach().numpy() for n, p in CharRNN(*sizes, cell="lstm").named_parameters()}
    keras = elsewhere.KerasCharLSTM(*sizes).model
    flax = elsewhere.FlaxCharLSTM(*sizes).model
    return ours, [np.array(a) for a in keras.get_weights()], flax


def values(variable):
    return np.array(variable[...])


def fresh_input_matrix(fresh):
    ours, keras, flax = fresh
    gates = [getattr(flax.recurrent.cell, n).kernel for n in ("ii", "if_", "ig", "io")]
    (of_flax,) = {spread(values(kernel)) for kernel in gates}
    return spread(ours["recurrent.weight_ih_l0"]), spread(keras[1]), of_flax


def fresh_state_matrix(fresh):
    ours, keras, flax = fresh
    gates = [getattr(flax.recurrent.cell, n).kernel for n in ("hi", "hf", "hg", "ho")]
    whole = is_orthogonal(keras[2]) and not is_orthogonal(2 * keras[2][:, : SIZES["H"]])
    each = all(is_orthogonal(values(kernel)) for kernel in gates)
    return (
        spread(ours["recurrent.weight_hh_l0"]),
        "orthogonal, all four as one" if whole else "other",
        "orthogonal, each by itself" if each else "other",
    )


def fresh_biases(fresh, wanted):
    """Of the gates in ``wanted``, such as "f"."""
    ours, keras, flax = fresh
    blocks = [np.split(ours[f"recurrent.bias_{side}_l0"], 4) for side in ("ih", "hh")]
    where = ["ifgo".index(gate) for gate in wanted]
    (of_torch,) = {spread(np.concatenate([b[k] for k in where])) for b in blocks}
    of_keras = spread(np.concatenate([np.split(keras[3], 4)[k] for k in where]))
    of_flax = [values(getattr(flax.recurrent.cell, f"h{gate}").bias) for gate in wanted]
    return of_torch, of_keras, spread(np.concatenate(of_flax))


def fresh_embedding(fresh):
    ours, keras, flax = fresh
    tables = ours["embedding.weight"], keras[0], values(flax.embedding.embedding)
    return tuple(spread(table) for table in tables)


def fresh_output_matrix(fresh):
    ours, keras, flax = fresh
    tables = ours["output.weight"], keras[4], values(flax.output.kernel)
    return tuple(spread(table) for table in tables)


def fresh_output_bias(fresh):
    ours, keras, flax = fresh
    return spread(ours["output.bias"]), spread(keras[5]), spread(values(flax.output.bias))


def layers():
    """One small LSTM layer of each framework."""
    keras, nnx = elsewhere.require("keras", "flax.nnx")
    theirs = keras.layers.LSTM(H)
    theirs.build((None, T, E))
    return nn.LSTM(E, H), theirs, nnx.RNN(nnx.LSTMCell(E, H, rngs=nnx.Rngs(0)))


def size(*shape):
    """(24, 5) -> "(4H, E)"."""
    letters = {1: "1", 2: "2", B: "B", T: "T", E: "E", H: "H", 3 * H: "3H", 4 * H: "4H"}
    return "(" + ", ".join(letters[n] for n in shape) + ")"


def layer_names():
    _, theirs, flax = layers()
    assert type(flax.cell).__name__ == "LSTMCell"
    return "nn.LSTM", f"layers.{type(theirs).__name__}", f"nnx.{type(flax).__name__}(nnx.LSTMCell)"


def matrix_names(side):
    """``side`` is "ih" (from the input) or "hh" (from the state)."""
    ours, theirs, flax = layers()
    of_torch = f"weight_{side}_l0"
    kernel = theirs.cell.kernel if side == "ih" else theirs.cell.recurrent_kernel
    names = ("ii", "if_", "ig", "io") if side == "ih" else ("hi", "hf", "hg", "ho")
    shapes = {getattr(flax.cell, name).kernel.shape for name in names}
    return (
        f"{of_torch} {size(*getattr(ours, of_torch).shape)}",
        f"{kernel.name} {size(*kernel.shape)}",
        f"{' '.join(names)}, {size(*shapes.pop())} each",
    )


def bias_names():
    ours, theirs, flax = layers()
    two = {size(*getattr(ours, f"bias_{side}_l0").shape) for side in ("ih", "hh")}
    of_state = [getattr(flax.cell, f"h{gate}").bias for gate in "ifgo"]
    of_input = [getattr(flax.cell, name).bias for name in ("ii", "if_", "ig", "io")]
    assert all(bias is None for bias in of_input)
    return (
        f"two of {two.pop()}",
        f"one of {size(*theirs.cell.bias.shape)}",
        f"{len(of_state)} of {size(*of_state[0].shape)}, with the state's matrices",
    )


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm_step(x, h, c, blocks):
    """Old state (B, H) twice -> new h; blocks: gate -> (W_x (H, E), W_h (H, H), bias (H,))."""
    sums = {gate: x @ W_x.T + h @ W_h.T + bias for gate, (W_x, W_h, bias) in blocks.items()}
    c = sigmoid(sums["f"]) * c + sigmoid(sums["i"]) * np.tanh(sums["g"])
    return sigmoid(sums["o"]) * np.tanh(c)


def only_fit(candidates, truth):
    """The one name whose values equal the truth; an error where none does, or two."""
    (found,) = (name for name, value in candidates if np.abs(value - truth).max() < 1e-5)
    return found


def numbers(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def gate_order():
    """Random weights are given to each layer; of all 24 orders one gives what it gives."""
    keras, nnx = elsewhere.require("keras", "flax.nnx")
    W_x, W_h, bias = numbers(4 * H, E), numbers(4 * H, H), numbers(4 * H)
    x, h, c = numbers(B, E), numbers(B, H), numbers(B, H) / 2
    parts = list(zip(*(np.split(a, 4) for a in (W_x, W_h, bias)), strict=True))
    by_order = [
        (" ".join(order), lstm_step(x, h, c, dict(zip(order, parts, strict=True))))
        for order in permutations("ifgo")
    ]
    ours = nn.LSTM(E, H)
    with torch.no_grad():
        for p, value in zip(ours.parameters(), (W_x, W_h, bias, 0 * bias), strict=True):
            p.copy_(torch.tensor(value))
        state = torch.tensor(h[None]), torch.tensor(c[None])
        of_torch = ours(torch.tensor(x[None]), state)[0][0].numpy()
    theirs = keras.layers.LSTMCell(H)
    theirs.build((None, E))
    theirs.set_weights([W_x.T, W_h.T, bias])
    of_keras = np.array(theirs(x, [h, c])[0])
    flax = nnx.LSTMCell(E, H, rngs=nnx.Rngs(0))
    for gate, part in zip("ifgo", parts, strict=True):
        getattr(flax, "if_" if gate == "f" else f"i{gate}").kernel[...] = part[0].T
        getattr(flax, f"h{gate}").kernel[...] = part[1].T
        getattr(flax, f"h{gate}").bias[...] = part[2]
    of_flax = np.array(flax((c, h), x)[1])
    assert only_fit(by_order, of_flax) == "i f g o", "a name does not mean what it says"
    return only_fit(by_order, of_torch), only_fit(by_order, of_keras), "each by its name"


def what_a_call_returns():
    ours, theirs, flax = layers()
    x = numbers(B, T, E)
    outputs, _ = ours(torch.tensor(x))
    assert outputs.shape == (B, T, H)
    last, steps = np.asarray(theirs(x)), np.asarray(flax(x))
    return (
        "all steps, and the state",
        "the last step" if last.shape == (B, H) else "other",
        "all steps" if steps.shape == (B, T, H) else "other",
    )


def state_order():
    """Which half of the state is h? The one that equals the last output."""
    keras, nnx = elsewhere.require("keras", "flax.nnx")
    x = numbers(B, 1, E)

    def told(parts, last):
        letters = ["h" if np.abs(np.asarray(p) - last).max() < 1e-6 else "c" for p in parts]
        (shape,) = {size(*p.shape) for p in parts}
        return f"{', '.join(letters)}; {shape} each"

    outputs, state = nn.LSTM(E, H, batch_first=True)(torch.tensor(x))
    of_torch = told([p.detach() for p in state], outputs[:, -1].detach().numpy())
    last, *state = keras.layers.LSTM(H, return_state=True)(x)
    of_keras = told(state, np.asarray(last))
    carry, outputs = nnx.RNN(nnx.LSTMCell(E, H, rngs=nnx.Rngs(0)), return_carry=True)(x)
    return of_torch, of_keras, told(carry, np.asarray(outputs)[:, -1])


def first_axis():
    """Inputs that are zero but at one place: how many states know of it?"""
    ours, theirs, flax = layers()
    theirs.return_sequences = True
    silent, struck = np.zeros((2, B, T, E), np.float32)
    struck[0, 0] = 1

    def told(layer):
        touched = np.abs(layer(struck) - layer(silent)).max(axis=2) > 1e-7  # the first two axes
        return "batch" if touched[0].all() and not touched[1:].any() else "time"

    def of_torch(x):
        return ours(torch.tensor(x))[0].detach().numpy()

    return told(of_torch), *(told(lambda x, f=f: np.asarray(f(x))) for f in (theirs, flax))


def losses():
    keras, optax = elsewhere.require("keras", "optax")
    logits, y = numbers(B, T, V), batch()[1]
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    wanted = -np.take_along_axis(log_p, y[..., None], axis=-1)[..., 0]  # (B, T)
    of_torch = F.cross_entropy(torch.tensor(logits).flatten(0, 1), torch.tensor(y).flatten())
    theirs = keras.losses.SparseCategoricalCrossentropy()
    of_optax = optax.softmax_cross_entropy_with_integer_labels(logits, y)
    return wanted, of_torch, theirs, of_optax, logits, np.exp(log_p), y


def loss_takes():
    wanted, of_torch, theirs, of_optax, logits, p, y = losses()
    assert of_torch.item() == pytest.approx(wanted.mean(), abs=1e-5)
    assert float(theirs(y, p)) == pytest.approx(wanted.mean(), abs=1e-5)
    assert abs(float(theirs(y, logits)) - wanted.mean()) > 0.1
    np.testing.assert_allclose(np.asarray(of_optax), wanted, atol=1e-5)
    return "logits", "probabilities", "logits"


def loss_returns():
    _, of_torch, theirs, of_optax, _, p, y = losses()
    shapes = of_torch.shape, theirs(y, p).shape, of_optax.shape
    return tuple({(): "the mean", (B, T): "one number a target"}[tuple(s)] for s in shapes)


def first_moves(gradient, epsilon):
    """How far the first Adam update moves a number, in learning rates."""
    keras, optax = elsewhere.require("keras", "optax")
    p = torch.zeros(1, requires_grad=True)
    p.grad = torch.tensor([gradient])
    torch.optim.Adam([p], lr=1.0, eps=epsilon).step()
    variable = keras.Variable(np.zeros(1, np.float32))
    keras.optimizers.Adam(1.0, epsilon=epsilon).apply([np.float32([gradient])], [variable])
    rule, zero = optax.adam(1.0, eps=epsilon), np.zeros(1, np.float32)
    moved, _ = rule.update(np.float32([gradient]), rule.init(zero))
    return -p.item(), -float(variable.value[0]), -float(moved[0])


def where_epsilon_is_added():
    """At the first update the corrected root is the gradient's size, the bare one 0.03 of it."""
    g, epsilon = 1e-4, 1e-5
    answers = {
        "after the correction": g / (g + epsilon),
        "before the correction": g / (g + epsilon / 0.001**0.5),
    }
    moves = first_moves(g, epsilon)
    return tuple(
        next(name for name, value in answers.items() if move == pytest.approx(value, rel=1e-3))
        for move in moves
    )


def adam_epsilon():
    keras, optax = elsewhere.require("keras", "optax")
    of_torch = torch.optim.Adam([torch.zeros(1)]).defaults["eps"]
    of_optax = inspect.signature(optax.adam).parameters["eps"].default
    return tuple(f"{e:.0e}" for e in (of_torch, keras.optimizers.Adam().epsilon, of_optax))


def adam_rate():
    keras, optax = elsewhere.require("keras", "optax")
    of_torch = torch.optim.Adam([torch.zeros(1)]).defaults["lr"]
    of_keras = float(keras.optimizers.Adam().learning_rate.value)
    needed = inspect.signature(optax.adam).parameters["learning_rate"].default is inspect._empty
    return f"{of_torch:g}", f"{of_keras:g}", "must be given" if needed else "other"


def clipping():
    """Two gradients of length 3 and 4, 5 together, clipped at 1."""
    keras, optax = elsewhere.require("keras", "optax")
    grads = np.float32([3, 0]), np.float32([0, 4])
    together = [g / 5 for g in grads]
    each = [g / np.linalg.norm(g) for g in grads]
    ps = [torch.zeros(2, requires_grad=True) for _ in grads]
    for p, g in zip(ps, grads, strict=True):
        p.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(ps, 1.0)
    by_global = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
    by_each = keras.optimizers.SGD(1.0, clipnorm=1.0)
    of_optax, _ = optax.clip_by_global_norm(1.0).update(list(grads), optax.EmptyState())
    np.testing.assert_allclose([p.grad for p in ps], together, rtol=1e-5)
    for rule, expected in ((by_global, together), (by_each, each)):
        start = [keras.Variable(0 * g) for g in grads]
        rule.apply(list(grads), start)
        np.testing.assert_allclose([-np.asarray(v.value) for v in start], expected, rtol=1e-5)
    np.testing.assert_allclose(of_optax, together, rtol=1e-5)
    return "clip_grad_norm_", "global_clipnorm=", "clip_by_global_norm"


ON_PYTORCH = """
import keras, numpy as np
try:
    keras.layers.Embedding(7, 5)(np.array([7]))
except IndexError:
    print("an error")
"""


def id_too_large():
    keras, nnx = elsewhere.require("keras", "flax.nnx")
    with pytest.raises(IndexError):
        nn.Embedding(V, E)(torch.tensor([V]))
    theirs = np.asarray(keras.layers.Embedding(V, E)(np.array([V])))
    flax = np.asarray(nnx.Embed(V, E, rngs=nnx.Rngs(0))(np.array([V])))
    on_jax, of_flax = ("nan, no error" if np.isnan(a).all() else "other" for a in (theirs, flax))
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", ON_PYTORCH]
    on_pytorch = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    return "an error", f"on JAX: {on_jax}; on PyTorch: {on_pytorch.stdout.strip()}", of_flax


def gru_step(x, h, blocks, reset, one_keeps):
    """One step of a GRU in NumPy; blocks: gate -> (W_x, W_h, b_x, b_h)."""
    from_x = {gate: x @ W_x.T + b_x for gate, (W_x, _, b_x, _) in blocks.items()}
    _, W_n, _, b_n = blocks["n"]
    r, z = (sigmoid(from_x[g] + h @ blocks[g][1].T + blocks[g][3]) for g in "rz")
    n = np.tanh(
        from_x["n"] + (r * (h @ W_n.T + b_n) if reset == "after" else (r * h) @ W_n.T + b_n)
    )
    return (1 - z) * n + z * h if one_keeps else z * n + (1 - z) * h


def gru_by(found):
    """All orders of blocks, places of the reset and directions of z, each with its values."""
    x, h, arrays = found
    parts = list(zip(*(np.split(a, 3) for a in arrays), strict=True))
    for order, reset, keeps in product(permutations("rzn"), ("after", "before"), (True, False)):
        blocks = dict(zip(order, parts, strict=True))
        yield (
            (" ".join(order), reset, "keeps" if keeps else "replaces"),
            gru_step(x, h, blocks, reset, keeps),
        )


@pytest.fixture(scope="module")
def grus():
    """Which GRU each framework's is: (order, reset, z = 1); Keras's on request at the end."""
    keras, nnx = elsewhere.require("keras", "flax.nnx")
    W_x, W_h, b_x, b_h = numbers(3 * H, E), numbers(3 * H, H), numbers(3 * H), numbers(1, 3 * H)[0]
    x, h = numbers(B, E), numbers(B, H) / 2
    ours = nn.GRU(E, H)
    with torch.no_grad():
        for p, value in zip(ours.parameters(), (W_x, W_h, b_x, b_h), strict=True):
            p.copy_(torch.tensor(value))
        of_torch = ours(torch.tensor(x[None]), torch.tensor(h[None]))[0][0].numpy()
    theirs, before = keras.layers.GRUCell(H), keras.layers.GRUCell(H, reset_after=False)
    for cell, bias in ((theirs, np.stack([b_x, b_h])), (before, b_x)):
        cell.build((None, E))
        cell.set_weights([W_x.T, W_h.T, bias])
    flax = nnx.GRUCell(E, H, rngs=nnx.Rngs(0))
    flax.dense_i.kernel[...], flax.dense_h.kernel[...] = W_x.T, W_h.T
    flax.dense_i.bias[...] = b_x
    both, one = (x, h, (W_x, W_h, b_x, b_h)), (x, h, (W_x, W_h, b_x, 0 * b_x))
    return (
        only_fit(gru_by(both), of_torch),
        only_fit(gru_by(both), np.asarray(theirs(x, [h])[0])),
        only_fit(gru_by(one), np.asarray(flax(h, x)[1])),
        only_fit(gru_by(one), np.asarray(before(x, [h])[0])),
    )


def gru_biases():
    keras, nnx = elsewhere.require("keras", "flax.nnx")
    theirs = keras.layers.GRU(H)
    theirs.build((None, T, E))
    flax = nnx.GRUCell(E, H, rngs=nnx.Rngs(0))
    assert flax.dense_h.bias is None
    (two,) = {size(*p.shape) for n, p in nn.GRU(E, H).named_parameters() if "bias" in n}
    return (
        f"two of {two}",
        f"one of {size(*theirs.cell.bias.shape)}",
        f"one of {size(*flax.dense_i.bias.shape)}, with the input's matrix",
    )


def gru_reset(grus):
    places = [place for _, place, _ in grus]
    assert places[3] == "before", "reset_after=False does not"
    return f"{places[0]} the product", f"{places[1]}; reset_after=False: before", places[2]


CHECKS = {
    "LSTM layer": layer_names,
    "matrix of the input": lambda: matrix_names("ih"),
    "matrix of the state": lambda: matrix_names("hh"),
    "order of the gates": gate_order,
    "biases": bias_names,
    "embedding, fresh": fresh_embedding,
    "matrix of the input, fresh": fresh_input_matrix,
    "matrix of the state, fresh": fresh_state_matrix,
    "forget bias, fresh": lambda fresh: fresh_biases(fresh, "f"),
    "other biases, fresh": lambda fresh: fresh_biases(fresh, "igo"),
    "output matrix, fresh": fresh_output_matrix,
    "output bias, fresh": fresh_output_bias,
    "a call returns": what_a_call_returns,
    "the state": state_order,
    "first axis": first_axis,
    "an id too large": id_too_large,
    "cross-entropy takes": loss_takes,
    "cross-entropy returns": loss_returns,
    "clipping all together": clipping,
    "Adam's learning rate": adam_rate,
    "Adam's ε": adam_epsilon,
    "ε is added": where_epsilon_is_added,
    "GRU: order of blocks": lambda grus: tuple(order for order, _, _ in grus[:3]),
    "GRU: biases": gru_biases,
    "GRU: the reset acts": gru_reset,
    "GRU: z = 1": lambda grus: tuple(direction for _, _, direction in grus[:3]),
}


def test_every_row_of_the_tables_is_checked():
    assert set(table_rows()) == set(CHECKS)


@needs_frameworks
@pytest.mark.parametrize("row", CHECKS)
def test_convention(row, request):
    wanted = CHECKS[row].__code__.co_varnames[: CHECKS[row].__code__.co_argcount]
    found = CHECKS[row](*(request.getfixturevalue(name) for name in wanted))
    assert found == table_rows()[row]


@needs_frameworks
def test_an_id_too_large_is_the_last_row_in_plain_jax():
    jnp = elsewhere.require("jax").numpy
    assert jnp.arange(5)[jnp.array([7])].item() == 4
