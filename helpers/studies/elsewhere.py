"""The character LSTM of ``CharRNN`` in plain JAX, Flax NNX and Keras 3, with torch's weights.

Three classes that are called like every model of the book. Each takes over the weights of
a ``CharRNN(cell="lstm")``, trains by the same recipe with its framework's own optimiser, and
gives weights and gradients back under PyTorch's names.

The frameworks (requirements-frameworks.txt) are imported when a class is first used, never
with this module. Conventions are those of the versions pinned there; the chapter
*The same model elsewhere* explains them, and tests/studies/test_elsewhere.py checks each.
"""

from __future__ import annotations

import functools
import importlib
import os

import numpy as np

from ..numpy_lstm import NumpyCharLSTM
from ..support import arguments
from ..support.arguments import ids_below, whole_number

INSTALL = "pip install -r requirements-frameworks.txt"
GATES = ("i", "f", "g", "o")  # PyTorch's order: input, forget, cell candidate, output


def require(*names):
    """The modules of these names; ImportError that says what to install where one is missing."""
    if "keras" in names:
        # Keras reads this once, at its first import.
        os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        modules = [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise ImportError(f"{' and '.join(names)} cannot be imported; {INSTALL}") from error
    if "keras" in names and modules[names.index("keras")].backend.backend() != "jax":
        raise ImportError(
            "Keras already runs on another backend here; set KERAS_BACKEND=jax before the "
            "first import of keras"
        )
    return modules if len(modules) > 1 else modules[0]


class _FromTorch:
    """What the three have in common; a subclass says how it loads and computes.

    vocab_size, embed_size, hidden_size : V, E, H
    seed : of the first weights, drawn as the framework draws them by default; None where
        others will be loaded
    lr, clip : Adam's learning rate; the norm to which all gradients together are clipped

    Called with ids (B, T) and a state, or None for zeros -> logits (B, T, V) as a NumPy
    array, and the state after, in the framework's own order.
    """

    def __init__(self, vocab_size, embed_size=32, hidden_size=128, seed=0, lr=3e-3, clip=5.0):
        self.vocab_size = whole_number("vocab_size", vocab_size)
        self.embed_size = whole_number("embed_size", embed_size)
        self.hidden_size = whole_number("hidden_size", hidden_size)
        seed = None if seed is None else arguments.seed(seed)
        self.lr, self.clip = lr, clip
        self._build(seed)

    @classmethod
    def from_torch(cls, model, **recipe):
        """The weights of a ``CharRNN(cell="lstm")`` of one layer; a fresh optimiser."""
        source = NumpyCharLSTM.from_torch(model, "float32")  # refuses every other model
        sizes = source.vocab_size, source.embed_size, source.hidden_size
        copy = cls(*sizes, seed=None, **recipe)
        copy.load(source.params)
        return copy

    def to_torch(self):
        """The same network as a ``CharRNN``, on the CPU."""
        holder = NumpyCharLSTM(self.vocab_size, self.embed_size, self.hidden_size)
        holder.params = self.weights()
        return holder.to_torch()

    def _zeros(self, batch):
        return np.zeros((batch, self.hidden_size), np.float32)

    def _ids(self, ids):
        """Ids as int32; JAX would do that too, and read ids out of range as others."""
        return ids_below(ids, self.vocab_size).astype(np.int32)

    def _batch(self, x, y):
        """Inputs and targets (B, T) as int32 arrays."""
        x, y = self._ids(x), self._ids(y)
        if x.shape != y.shape or x.ndim != 2:
            raise ValueError(f"x and y must both be (batch, time), not {x.shape} and {y.shape}")
        return x, y


# --- plain JAX


class JaxCharLSTM(_FromTorch):
    """Functions and a dict of arrays, the loop a ``lax.scan``. The state is (h, c).

    Nobody prescribes a layout here, so the dict has PyTorch's names, shapes and gate order,
    both biases included, and there is nothing to convert.
    """

    def _build(self, seed):
        require("jax")
        if seed is not None:
            sizes = self.vocab_size, self.embed_size, self.hidden_size
            self.load(NumpyCharLSTM(*sizes, seed=seed).params)

    def load(self, weights):
        import jax.numpy as jnp

        self.params = {name: jnp.array(value) for name, value in weights.items()}
        zeros = {name: jnp.zeros_like(value) for name, value in self.params.items()}
        self.moments, self.steps = (zeros, zeros), 0

    def weights(self):
        return {name: np.array(value) for name, value in self.params.items()}

    def __call__(self, ids, state=None):
        ids = self._ids(ids)
        state = (self._zeros(len(ids)),) * 2 if state is None else state
        logits, state = _jax_functions()["forward"](self.params, ids, state)
        return np.asarray(logits), state

    def loss_and_grads(self, x, y):
        """Inputs and targets (B, T) -> mean loss in nats, gradients by PyTorch's names."""
        loss, grads = _jax_functions()["loss_and_grads"](self.params, *self._batch(x, y))
        return float(loss), {name: np.array(grad) for name, grad in grads.items()}

    def train_step(self, x, y):
        """One update -> loss before it."""
        self.steps += 1
        self.params, self.moments, loss = _jax_functions()["update"](
            self.params, self.moments, self.steps, *self._batch(x, y), self.lr, self.clip
        )
        return float(loss)


def jax_forward(params, ids, state):
    """Arrays by PyTorch's names, ids (B, T), state (h, c) -> logits (B, T, V), state."""
    import jax
    import jax.numpy as jnp

    embedded = params["embedding.weight"][ids.T]  # (T, B, E): scan runs over the first axis
    bias = params["recurrent.bias_ih_l0"] + params["recurrent.bias_hh_l0"]
    from_inputs = embedded @ params["recurrent.weight_ih_l0"].T + bias  # (T, B, 4H)

    def step(state, from_input):
        h, c = state
        sums = from_input + h @ params["recurrent.weight_hh_l0"].T  # (B, 4H)
        i, f, g, o = jnp.split(sums, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    state, hidden = jax.lax.scan(step, state, from_inputs)  # hidden (T, B, H)
    hidden = hidden.swapaxes(0, 1)  # (B, T, H)
    return hidden @ params["output.weight"].T + params["output.bias"], state


@functools.cache
def _jax_functions():
    """The compiled functions, made once: a new one would be compiled anew."""
    jax = require("jax")
    jnp = jax.numpy

    def loss_of(params, x, y):
        h = jnp.zeros((len(x), params["recurrent.weight_hh_l0"].shape[1]))
        logits, _ = jax_forward(params, x, (h, h))
        log_p = jax.nn.log_softmax(logits)
        return -jnp.take_along_axis(log_p, y[..., None], axis=-1).mean()

    def update(params, moments, k, x, y, lr, clip):
        """Update number k (from 1) by Adam (Kingma and Ba 2015), as PyTorch has it."""
        loss, grads = jax.value_and_grad(loss_of)(params, x, y)
        norm = jnp.sqrt(sum((grad**2).sum() for grad in grads.values()))
        shrink = jnp.minimum(1, clip / (norm + 1e-6))

        def each(p, grad, m, s):
            m = m + 0.1 * (shrink * grad - m)
            s = s + 0.001 * ((shrink * grad) ** 2 - s)
            root = jnp.sqrt(s / (1 - 0.999**k))
            return p - lr * (m / (1 - 0.9**k)) / (root + 1e-8), m, s

        new = {n: each(p, grads[n], moments[0][n], moments[1][n]) for n, p in params.items()}
        params, m, s = ({n: parts[k] for n, parts in new.items()} for k in range(3))
        return params, (m, s), loss

    return {
        "forward": jax.jit(jax_forward),
        "loss_and_grads": jax.jit(jax.value_and_grad(loss_of)),
        "update": jax.jit(update),
    }


# --- Flax NNX


class FlaxCharLSTM(_FromTorch):
    """``nnx.Embed``, ``nnx.RNN`` around an ``nnx.LSTMCell``, ``nnx.Linear``; Optax's Adam.

    The state is Flax's carry, (c, h): PyTorch's pair the other way round.
    """

    def _build(self, seed):
        nnx, optax = require("flax.nnx", "optax")
        clip, adam = optax.clip_by_global_norm(self.clip), optax.adam(self.lr)
        self._transformation = optax.chain(clip, adam)
        sizes = self.vocab_size, self.embed_size, self.hidden_size

        def make():
            return _flax()["module"](*sizes, nnx.Rngs(seed or 0))

        if seed is None:
            # Shapes without numbers: what ``load`` forgot to fill would be an error.
            self.model = nnx.eval_shape(make)
        else:
            self.model = make()
            self.optimizer = nnx.Optimizer(self.model, self._transformation, wrt=nnx.Param)

    def load(self, weights):
        nnx, jnp = require("flax.nnx", "jax.numpy")
        for path, value in flax_weights(weights).items():
            _follow(self.model, path).set_value(jnp.array(value))
        self.optimizer = nnx.Optimizer(self.model, self._transformation, wrt=nnx.Param)

    def weights(self):
        arrays = {path: np.array(_follow(self.model, path)[...]) for path in self._paths()}
        return from_flax(arrays)

    def _paths(self):
        """The paths that ``flax_weights`` gives."""
        return flax_weights(NumpyCharLSTM(2, 2, 2).params)

    def __call__(self, ids, state=None):
        ids = self._ids(ids)
        state = (self._zeros(len(ids)),) * 2 if state is None else state
        logits, state = _flax()["forward"](self.model, ids, state)
        return np.asarray(logits), state

    def loss_and_grads(self, x, y):
        """Inputs and targets (B, T) -> mean loss in nats, gradients by PyTorch's names."""
        loss, grads = _flax()["loss_and_grads"](self.model, *self._batch(x, y))
        arrays = {path: np.array(_follow(grads, path)[...]) for path in self._paths()}
        return float(loss), as_gradients(from_flax(arrays))

    def train_step(self, x, y):
        """One update -> loss before it."""
        return float(_flax()["update"](self.model, self.optimizer, *self._batch(x, y)))


def flax_weights(weights):
    """PyTorch's arrays by name -> Flax's by path, such as "recurrent.cell.if_.kernel".

    Flax keeps a kernel for each gate, (numbers in, numbers out), and one bias for each, on
    the side of the state. ``if`` is a word of Python, hence ``if_``.
    """
    rows_x = np.split(weights["recurrent.weight_ih_l0"], 4)  # (H, E) for each gate
    rows_h = np.split(weights["recurrent.weight_hh_l0"], 4)  # (H, H)
    biases = np.split(weights["recurrent.bias_ih_l0"] + weights["recurrent.bias_hh_l0"], 4)
    arrays = {"embedding.embedding": weights["embedding.weight"]}  # (V, E)
    for gate, row_x, row_h, bias in zip(GATES, rows_x, rows_h, biases, strict=True):
        name_x = {"f": "if_"}.get(gate, "i" + gate)
        arrays[f"recurrent.cell.{name_x}.kernel"] = row_x.T  # (E, H)
        arrays[f"recurrent.cell.h{gate}.kernel"] = row_h.T  # (H, H)
        arrays[f"recurrent.cell.h{gate}.bias"] = bias  # (H,)
    arrays["output.kernel"] = weights["output.weight"].T  # (H, V)
    arrays["output.bias"] = weights["output.bias"]
    return arrays


def from_flax(arrays):
    """Flax's arrays by path -> PyTorch's by name; the bias in ``bias_ih``, ``bias_hh`` zero."""
    cell = "recurrent.cell."
    columns_x = [arrays[f"{cell}{name}.kernel"] for name in ("ii", "if_", "ig", "io")]
    columns_h = [arrays[f"{cell}h{gate}.kernel"] for gate in GATES]
    bias = np.concatenate([arrays[f"{cell}h{gate}.bias"] for gate in GATES])
    return {
        "embedding.weight": arrays["embedding.embedding"],
        "recurrent.weight_ih_l0": np.concatenate(columns_x, axis=1).T,
        "recurrent.weight_hh_l0": np.concatenate(columns_h, axis=1).T,
        "recurrent.bias_ih_l0": bias,
        "recurrent.bias_hh_l0": np.zeros_like(bias),
        "output.weight": arrays["output.kernel"].T,
        "output.bias": arrays["output.bias"],
    }


def as_gradients(grads):
    """Two biases that are added have the gradient of their sum, each of them."""
    return grads | {"recurrent.bias_hh_l0": grads["recurrent.bias_ih_l0"].copy()}


def _follow(tree, path):
    """What lies at "a.b.c" in a module, or in the state of its gradients."""
    for name in path.split("."):
        tree = getattr(tree, name) if hasattr(tree, name) else tree[name]
    return tree


@functools.cache
def _flax():
    """The module's class and the compiled functions, made once."""
    nnx, optax, jnp = require("flax.nnx", "optax", "jax.numpy")

    class Module(nnx.Module):
        def __init__(self, vocab_size, embed_size, hidden_size, rngs):
            self.embedding = nnx.Embed(vocab_size, embed_size, rngs=rngs)
            cell = nnx.LSTMCell(embed_size, hidden_size, rngs=rngs)
            # No random numbers for the first state: it is always given.
            self.recurrent = nnx.RNN(cell, return_carry=True, rngs=False)
            self.output = nnx.Linear(hidden_size, vocab_size, rngs=rngs)

        def __call__(self, ids, state):
            embedded = self.embedding(ids)  # (B, T, E)
            state, hidden = self.recurrent(embedded, initial_carry=state)  # the state first
            return self.output(hidden), state  # (B, T, V)

    def loss_of(model, x, y):
        h = jnp.zeros((len(x), model.recurrent.cell.hidden_features))
        logits, _ = model(x, (h, h))
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def update(model, optimizer, x, y):
        loss, grads = nnx.value_and_grad(loss_of)(model, x, y)
        optimizer.update(model, grads)
        return loss

    return {
        "module": Module,
        "forward": nnx.jit(lambda model, ids, state: model(ids, state)),
        "loss_and_grads": nnx.jit(nnx.value_and_grad(loss_of)),
        "update": nnx.jit(update),
    }


# --- Keras 3


class KerasCharLSTM(_FromTorch):
    """``Embedding``, ``LSTM``, ``Dense``, on Keras's JAX backend. The state is [h, c].

    ``model`` maps ids to logits from a zero state and is what ``fit`` and ``train_on_batch``
    train; ``reader``, of the same layers, takes and gives the state as well.
    """

    def _build(self, seed):
        keras = require("keras")
        if seed is not None:
            keras.utils.set_random_seed(seed)
        layers = keras.layers
        embedding = layers.Embedding(self.vocab_size, self.embed_size)
        recurrent = layers.LSTM(self.hidden_size, return_sequences=True, return_state=True)
        output = layers.Dense(self.vocab_size)
        ids = keras.Input((None,), dtype="int32")
        state = [keras.Input((self.hidden_size,)) for _ in range(2)]
        hidden, _, _ = recurrent(embedding(ids))  # (B, T, H)
        self.model = keras.Model(ids, output(hidden))
        hidden, *after = recurrent(embedding(ids), initial_state=state)
        self.reader = keras.Model([ids, *state], [output(hidden), *after])
        self._compile()

    def _compile(self):
        keras = require("keras")
        # Keras's own defaults are epsilon=1e-7 and no clipping; clipnorm would clip each
        # array by itself.
        self.model.compile(
            keras.optimizers.Adam(self.lr, epsilon=1e-8, global_clipnorm=self.clip),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self._forward = self._grads = None

    def load(self, weights):
        self.model.set_weights(keras_weights(weights))
        self._compile()

    def weights(self):
        return from_keras(self.model.get_weights())

    def __call__(self, ids, state=None):
        import jax

        ids = self._ids(ids)
        state = [self._zeros(len(ids))] * 2 if state is None else state
        if self._forward is None:
            self._forward = jax.jit(self.reader.stateless_call)
        (logits, *state), _ = self._forward(*_variables(self.reader), [ids, *state])
        return np.asarray(logits), state

    def loss_and_grads(self, x, y):
        """Inputs and targets (B, T) -> mean loss in nats, gradients by PyTorch's names."""
        import jax

        def loss_of(trainable, fixed, x, y):
            logits, _ = self.model.stateless_call(trainable, fixed, x)
            return self.model.loss(y, logits)

        if self._grads is None:
            self._grads = jax.jit(jax.value_and_grad(loss_of))
        loss, grads = self._grads(*_variables(self.model), *self._batch(x, y))
        return float(loss), as_gradients(from_keras([np.array(grad) for grad in grads]))

    def train_step(self, x, y):
        """One update -> loss before it."""
        return float(self.model.train_on_batch(*self._batch(x, y)))


def _variables(model):
    """The values of a Keras model's variables: those that train, those that do not."""
    kinds = model.trainable_variables, model.non_trainable_variables
    return tuple([variable.value for variable in kind] for kind in kinds)


def keras_weights(weights):
    """PyTorch's arrays by name -> the list that ``set_weights`` takes.

    Keras stands the gates side by side where PyTorch stacks them, in the same order (its
    name for the candidate is c), and has one bias.
    """
    return [
        weights["embedding.weight"],  # (V, E)
        weights["recurrent.weight_ih_l0"].T,  # (E, 4H)
        weights["recurrent.weight_hh_l0"].T,  # (H, 4H)
        weights["recurrent.bias_ih_l0"] + weights["recurrent.bias_hh_l0"],  # (4H,)
        weights["output.weight"].T,  # (H, V)
        weights["output.bias"],
    ]


def from_keras(arrays):
    """The list of ``get_weights`` -> PyTorch's arrays by name; the bias in ``bias_ih``."""
    table, kernel, recurrent_kernel, bias, out_kernel, out_bias = arrays
    return {
        "embedding.weight": table,
        "recurrent.weight_ih_l0": kernel.T,
        "recurrent.weight_hh_l0": recurrent_kernel.T,
        "recurrent.bias_ih_l0": bias,
        "recurrent.bias_hh_l0": np.zeros_like(bias),
        "output.weight": out_kernel.T,
        "output.bias": out_bias,
    }


MODELS = {"plain JAX": JaxCharLSTM, "Flax NNX": FlaxCharLSTM, "Keras 3": KerasCharLSTM}
