"""What the claims are judged by, beside a slow version or a text whose answer can be counted."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.corpus import Vocabulary
from helpers.gates import Gates, record_gates
from helpers.studies.held import hold_unit
from helpers.training import fit
from tests.small import random_ids, tiny
from tools.runs import claims, gates

VOCAB = Vocabulary("\n abcde")  # seven characters, as many as `tiny` has
BREAK = 0
IDS = random_ids(4000)


@pytest.fixture(autouse=True)
def plays(monkeypatch):
    """Random text in place of all plays, which are large and in one order."""
    corpus = SimpleNamespace(vocab=VOCAB, split_by_plays=lambda: (None, None, IDS))
    for module in (claims, gates):
        monkeypatch.setattr(module, "all_plays", lambda: corpus)
    monkeypatch.setattr(claims, "play_and_curve", lambda: (IDS, IDS[:300]))
    monkeypatch.setattr(claims, "pieces", lambda: torch.as_tensor(IDS[:400]).view(4, 100))
    monkeypatch.setattr(claims, "known", claims.known.__wrapped__)
    return corpus


def min_char_rnn(model, limit, steps, length):
    """Karpathy's loop in NumPy: losses per character, the largest gradients, the last state."""
    named = ("recurrent.weight_ih_l0", "recurrent.weight_hh_l0", "recurrent.bias_ih_l0",
             "output.weight", "output.bias")  # fmt: skip
    at = dict(model.named_parameters())
    Wxh, Whh, bh, Why, by = params = [at[name].detach().numpy().copy() for name in named]
    memory, h, losses, largest = [np.zeros_like(p) for p in params], np.zeros(len(bh)), [], []
    for start in range(0, steps * length, length):
        xs, ys = IDS[start : start + length], IDS[start + 1 : start + length + 1]
        hs, ps, loss = {-1: h}, {}, 0
        for t, (x, y) in enumerate(zip(xs, ys, strict=True)):
            hs[t] = np.tanh(Wxh[:, x] + Whh @ hs[t - 1] + bh)
            scores = np.exp(Why @ hs[t] + by)
            ps[t] = scores / scores.sum()
            loss -= np.log(ps[t][y])
        dWxh, dWhh, dbh, dWhy, dby = grads = [np.zeros_like(p) for p in params]
        from_next = np.zeros_like(h)
        for t in reversed(range(length)):
            dy = ps[t].copy()
            dy[ys[t]] -= 1
            dWhy += np.outer(dy, hs[t])
            dby += dy
            raw = (1 - hs[t] ** 2) * (Why.T @ dy + from_next)
            dbh += raw
            dWxh[:, xs[t]] += raw
            dWhh += np.outer(raw, hs[t - 1])
            from_next = Whh.T @ raw
        h = hs[length - 1]
        largest.append(max(np.abs(g).max() for g in grads))
        for p, g, m in zip(params, grads, memory, strict=True):
            clamped = g if limit is None else np.clip(g, -limit, limit)
            m += clamped**2
            p -= 0.1 * clamped / (np.sqrt(m) + 1e-8)
        losses.append(loss / length)
    return losses, largest, h


@pytest.mark.parametrize("limit", [None, 0.5])
def test_the_clamp_is_judged_by_the_loop_it_was_written_for(limit):
    model = claims.small_start(seed=0, hidden=12).double()
    expected = min_char_rnn(model, limit, steps=12, length=9)
    losses, largest, state = claims.train_small(model, limit, steps=12, length=9)
    assert max(largest) > 0.5  # or no entry would have been clamped
    np.testing.assert_allclose(losses, expected[0], rtol=1e-9)
    np.testing.assert_allclose(largest, expected[1], rtol=1e-9)
    np.testing.assert_allclose(state[0, 0], expected[2], atol=1e-9)


@pytest.mark.parametrize("gate", ["input", "forget", "output"])
def test_a_network_without_a_gate_has_it_open_after_training_as_before(gate):
    model = claims.begin({"arm": f"without {gate}", "cell": "lstm", "seed": 1})
    before = record_gates(model, IDS[:50])
    fit(model, IDS, steps=3, seed=1, device="cpu", progress=False)
    recorded = record_gates(model, IDS[:50])
    for name in ("input", "forget", "output"):
        values = getattr(recorded, name)
        assert (values == 1).all() == (name == gate)
        assert np.array_equal(values, getattr(before, name)) == (name == gate)


def test_the_arm_with_relu_is_trained_and_scored_as_pytorchs_layer_with_relu():
    arm = claims.begin({"arm": "relu", "cell": "rnn", "seed": 1})
    other = claims.begin({"arm": "networks", "cell": "rnn", "seed": 1})
    same = nn.RNN(32, 128, nonlinearity="relu", batch_first=True)
    same.load_state_dict(other.recurrent.state_dict())
    other.recurrent = same
    settings = {"steps": 5, "seed": 1, "clip": None, "device": "cpu", "progress": False}
    losses = [fit(model, IDS, **settings).step_loss for model in (arm, other)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-6)
    assert claims.repeat({"arm": "relu", "cell": "rnn", "seed": 1}, None)[:5] == losses[0]
    assert claims.in_windows(arm) == claims.in_windows(other)


def test_a_loss_from_a_state_is_that_of_each_play_read_from_it():
    model, state = tiny(), torch.full((1, 1, 6), 0.7)
    total = 0
    for row in torch.as_tensor(IDS[:400]).view(len(claims.TEST), -1):
        logits, _ = model(row[None, :-1], state)
        total += F.cross_entropy(logits[0], row[1:]).item() / len(claims.TEST)
    assert claims.loss_from(model, state) == pytest.approx(total, abs=1e-5)
    assert abs(claims.loss_from(model, 0 * state) - total) > 1e-4


class Echo(nn.Module):
    """A network that is sure of the character that stands so many places back."""

    def __init__(self, back):
        super().__init__()
        self.back = back

    def forward(self, ids, state=None):
        return 100.0 * F.one_hot(ids.roll(self.back - 1, dims=1), len(VOCAB)), state


@pytest.mark.parametrize("back", [1, 5, 6, 30, 31, 105])
def test_two_pasts_are_told_apart_as_far_back_as_the_guesses_depend_on_them(back):
    """Two random characters of seven differ in six cases of seven; those read in both, never."""
    found = claims.apart(Echo(back))
    tells = np.array(claims.KEPT) < back
    assert np.array(found)[tells] == pytest.approx(6 / 7, abs=0.08)  # four standard errors
    assert not np.array(found)[~tells].any()


def columns(**values):
    """Gates (T, 1) of one unit, zero where nothing is given."""
    zero = np.zeros(len(next(iter(values.values()))))
    return Gates(*(values.get(name, zero)[:, None] for name in Gates._fields))


def test_a_gates_difference_is_that_of_the_means_at_the_two_kinds_of_position(monkeypatch):
    text = "abc de abcd\n"
    kinds = np.array(list("Fil Fl Fiil."))  # first, inside, last
    forget = np.select([kinds == "i", kinds == " "], [0.9, 0.2], 0.5)
    forget[1] = 0.6  # of three inside a word: their mean is 0.8
    intake = np.select([kinds == "F", kinds == "i"], [0.3, 0.7], 0.1)
    monkeypatch.setattr(claims, "record_gates", lambda *_: columns(forget=forget, input=intake))
    corpus = SimpleNamespace(vocab=VOCAB, split_by_plays=lambda: (0, 0, VOCAB.encode(text)))
    monkeypatch.setattr(claims, "all_plays", lambda: corpus)
    assert claims.gates_of(None) == {
        "forget, inside a word - space": [0.6], "input, first letter - inside a word": [-0.4],
    }  # fmt: skip


def test_the_lines_unit_is_found_and_its_cost_is_that_of_line_breaks_alone(monkeypatch):
    model = tiny("lstm", hidden_size=14)
    recorded = record_gates(model, IDS[:300])
    recorded.c[:, 9] = -gates.places_in_line(IDS[:300])  # it counts down
    monkeypatch.setattr(claims, "record_gates", lambda *_: recorded)
    found = claims.line_unit(model, others=13)
    assert (found["unit"], found["r"]) == (9, -1)
    assert found["others"] == [*range(9), *range(10, 14)]

    def at_breaks(model):
        nats = []
        for row in torch.as_tensor(IDS[:400]).view(4, 100):
            scores = model(row[None, :-1])[0][0].log_softmax(dim=1)
            nats += [-scores[t, BREAK].item() for t in range(99) if row[t + 1] == BREAK]
        return np.mean(nats)

    assert found["free"] == pytest.approx(at_breaks(model), abs=1e-5)
    for unit in (0, 9):
        held = hold_unit(copy.deepcopy(model), unit, float(recorded.h[:, unit].mean()))
        assert found["costs"][unit] == pytest.approx(at_breaks(held) - found["free"], abs=3e-5)


def test_what_a_text_repeats_and_what_the_plays_do_not_have(plays):
    read = "bad\ncab bad cab "
    plays.split_by_plays = lambda: (VOCAB.encode(read), None, None)
    # Nine strings of eight characters, the last of which stands at the beginning, too.
    found = claims.counts(["cab bad cab bad "])
    assert found["real_words"] == 1
    assert found["repeated"] == round(1 - 8 / 9, 5)
    assert found["new_triples"] == 0
    assert claims.counts(["abcdecadabcdecab"])["repeated"] == 0  # seven come again, not eight
    mean = claims.counts(["cab bad cab bad ", "ccccccccc"])
    assert mean == {"real_words": 0.5, "repeated": 0.30556, "new_triples": 0.5}
