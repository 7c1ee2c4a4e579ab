import math
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from helpers import training
from helpers.corpus import disjoint_windows, load_corpus
from helpers.models import (
    CharRNN,
    CharTransformer,
    choose_device,
    count_parameters,
    detach,
    predict,
)
from helpers.ngram import NGram
from helpers.support.progress import progress_bar
from helpers.training import (
    Training,
    TrainingDiverged,
    character_losses,
    epoch_batches,
    evaluate,
    fit,
    train_step,
    warm_up_and_decay,
)
from tests.faults import planted
from tests.small import V, random_ids, tiny, weights

HERE = choose_device()  # where fit trains


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "published", "parameters"),
    [("rnn", 1.7572, 30_557), ("lstm", 1.8098, 92_765), ("gru", 1.6645, 72_029)],
)
def test_the_reference_recipe_ends_on_coriolanus_where_it_was_published(
    cell, published, parameters
):
    """Published for the same scenes as Tiny Shakespeare has them."""
    corpus = load_corpus("coriolanus", limit=100_000)
    torch.manual_seed(42)
    model = CharRNN(len(corpus.vocab), cell=cell)
    assert count_parameters(model) == parameters
    history = fit(model, corpus.split(0)[0])
    assert history.train_loss[-1] == pytest.approx(published, abs=0.005)


def test_fit_is_the_plain_loop():
    ids = random_ids(200)
    model, plain = tiny(), tiny().to(HERE)
    history = fit(model, ids, epochs=2, seq_len=8, batch_size=4, lr=1e-2, clip=0.5, seed=3)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-2)
    order = torch.Generator().manual_seed(3)
    x, y = (torch.as_tensor(part, device=HERE) for part in disjoint_windows(ids, 8))
    losses = []
    for _ in range(2):
        for rows in torch.randperm(len(x), generator=order).split(4)[: len(x) // 4]:
            optimizer.zero_grad()
            loss = F.cross_entropy(plain(x[rows])[0].transpose(1, 2), y[rows])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
            optimizer.step()
            losses.append(loss.item())
    assert history.step_loss == pytest.approx(losses, abs=1e-6)
    torch.testing.assert_close(weights(model), weights(plain))
    assert history.train_loss == pytest.approx([np.mean(losses[:6]), np.mean(losses[6:])])


def test_the_gradient_is_clipped_before_the_step():
    x, y = (torch.as_tensor(part) for part in disjoint_windows(random_ids(40), 5))
    model = tiny()
    before = weights(model)
    sgd = torch.optim.SGD(model.parameters(), lr=1.0)
    _, norm, _ = train_step(model, x, y, sgd, clip=0.01)
    assert norm > 0.1
    assert (weights(model) - before).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_without_clipping_the_step_is_the_whole_gradient():
    x, y = (torch.as_tensor(part) for part in disjoint_windows(random_ids(40), 5))
    model = tiny()
    before = weights(model)
    _, norm, _ = train_step(model, x, y, torch.optim.SGD(model.parameters(), lr=1.0), clip=None)
    assert (weights(model) - before).norm().item() == pytest.approx(norm, rel=1e-3)


def test_the_loss_is_a_mean_over_characters_and_starts_near_log_v():
    small = fit(tiny(), random_ids(1000), steps=1, seq_len=5, batch_size=2)
    large = fit(tiny(), random_ids(1000), steps=1, seq_len=20, batch_size=40)
    assert small.step_loss[0] == pytest.approx(math.log(V), abs=0.3)
    assert large.step_loss[0] == pytest.approx(math.log(V), abs=0.3)


def test_a_text_that_repeats_is_learned():
    history = fit(tiny(), np.arange(1500) % V, epochs=15, seq_len=20, batch_size=8, lr=1e-2)
    assert history.train_loss[-1] < 0.1 < 1.0 < history.train_loss[0]


def test_every_disjoint_window_but_the_last_short_batch_is_seen_once_an_epoch():
    ids = torch.arange(10 * 4 + 1)
    batches = list(epoch_batches(ids, 4, 3, "disjoint", torch.Generator().manual_seed(1)))
    x = torch.cat([x for x, _ in batches])
    assert x.shape == (9, 4)  # 10 windows make 3 batches of 3
    assert len(set(x[:, 0].tolist())) == 9
    assert all(torch.equal(y, x + 1) for x, y in batches)


def test_the_order_changes_from_epoch_to_epoch():
    generator = torch.Generator().manual_seed(1)
    ids = torch.arange(400)
    first = [x for x, _ in epoch_batches(ids, 4, 3, "disjoint", generator)]
    second = [x for x, _ in epoch_batches(ids, 4, 3, "disjoint", generator)]
    assert not torch.equal(torch.cat(first), torch.cat(second))


def test_random_windows_start_anywhere_and_stay_inside():
    ids = torch.arange(30)
    generator = torch.Generator().manual_seed(0)
    batches = [b for _ in range(200) for b in epoch_batches(ids, 4, 2, "random", generator)]
    starts = torch.cat([x[:, 0] for x, _ in batches])
    assert set(starts.tolist()) == set(range(26))
    assert all(
        torch.equal(y, x + 1) and torch.equal(x, x[:, :1] + torch.arange(4)) for x, y in batches
    )


def test_a_stream_goes_on_where_the_batch_before_ended():
    ids = torch.arange(3 * 12 + 1)
    batches = list(epoch_batches(ids, 4, 3, "stream", None))
    assert len(batches) == 3
    for (x, _), (following, _) in pairwise(batches):
        assert torch.equal(x[:, -1] + 1, following[:, 0])
    assert batches[0][0][:, 0].tolist() == [0, 12, 24]
    assert all(torch.equal(y, x + 1) for x, y in batches)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_an_update_starts_from_the_state_and_gives_the_one_after(cell):
    """The loss is that of the batch with what was read before it in front; no update (lr 0)."""
    model, ids = tiny(cell).to(HERE), torch.as_tensor(random_ids(3 * 9)).view(3, 9).to(HERE)
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    with torch.no_grad():
        logits, end = model(ids[:, :8])
    expected = F.cross_entropy(logits[:, 4:].flatten(0, 1), ids[:, 5:].flatten())
    _, _, state = train_step(model, ids[:, :4], ids[:, 1:5], still)
    loss, _, after = train_step(model, ids[:, 4:8], ids[:, 5:], still, state=state)
    assert loss == pytest.approx(expected.item(), abs=1e-6)
    assert abs(loss - train_step(model, ids[:, 4:8], ids[:, 5:], still)[0]) > 1e-4
    for a, b in zip(after, end, strict=True):
        torch.testing.assert_close(a, b)
        assert not a.requires_grad


def test_seconds_are_those_of_the_updates_alone():
    """What happens between two updates, and after each epoch, is not counted."""
    training = Training(tiny(), random_ids(100), seq_len=8, batch_size=4)
    started, outside = time.perf_counter(), 0
    for _ in training.rest_of_epoch():
        pause = time.perf_counter()
        time.sleep(0.02)
        outside += time.perf_counter() - pause
    whole = time.perf_counter() - started
    assert 0 < training.history.seconds <= whole - outside


def test_stream_training_carries_the_state_and_starts_each_epoch_from_zero():
    ids = random_ids(3 * 8 + 1)
    model, plain = tiny("lstm"), tiny("lstm").to(HERE)
    history = fit(model, ids, epochs=2, seq_len=4, batch_size=3, windows="stream")
    optimizer = torch.optim.Adam(plain.parameters(), lr=3e-3)
    losses = []
    for _ in range(2):
        state = None
        for x, y in epoch_batches(torch.as_tensor(ids), 4, 3, "stream", None):
            loss, _, state = train_step(plain, x.to(HERE), y.to(HERE), optimizer, 5.0, state)
            losses.append(loss)
    assert history.step_loss == (losses if HERE.type == "cpu" else pytest.approx(losses, abs=1e-6))


def test_steps_are_exact_whatever_the_epoch():
    history = fit(tiny(), random_ids(100), steps=7, seq_len=8, batch_size=4)
    assert len(history.step_loss) == len(history.grad_norm) == 7
    assert len(history.train_loss) == 3  # 3 + 3 + 1
    assert history.train_loss[-1] == history.step_loss[-1]


def test_a_schedule_sets_the_rate_of_each_update_across_epochs():
    ids = random_ids(200)
    model, plain = tiny(), tiny().to(HERE)
    sgd = torch.optim.SGD(model.parameters(), lr=0.5)
    fit(
        model, ids, steps=9, seq_len=8, batch_size=6, clip=None, windows="stream",
        optimizer=sgd, schedule=lambda share: 1 - share,
    )  # fmt: skip
    text = torch.as_tensor(ids)
    batches = [b for _ in range(3) for b in epoch_batches(text, 8, 6, "stream", None)][:9]
    state = None
    for step, (x, y) in enumerate(batches):
        optimizer = torch.optim.SGD(plain.parameters(), lr=0.5 * (1 - step / 9))
        state = None if step % 4 == 0 else state  # four batches an epoch
        state = train_step(plain, x.to(HERE), y.to(HERE), optimizer, None, state)[2]
    assert torch.allclose(weights(model), weights(plain), atol=1e-6)


def test_the_rate_warms_up_to_its_full_value_and_falls_to_zero():
    factors = [warm_up_and_decay(i / 1000, warm_up=0.1) for i in range(1000)]
    assert 0 < factors[0] < 0.02
    assert factors.index(max(factors)) == pytest.approx(100, abs=1)
    assert max(factors) == pytest.approx(1, abs=1e-6)
    assert factors[550] == pytest.approx(0.5)
    assert 0 < factors[-1] < 0.002


def test_a_seed_fixes_the_run_and_another_changes_it():
    kwargs = {"epochs": 2, "seq_len": 8, "batch_size": 4}
    make = lambda: tiny("gru", num_layers=2, dropout=0.5)  # noqa: E731
    ids = random_ids(300)
    first = fit(make(), ids, seed=1, **kwargs).step_loss
    assert fit(make(), ids, seed=1, **kwargs).step_loss == first
    assert fit(make(), ids, seed=2, **kwargs).step_loss != first


def test_a_model_in_evaluation_mode_is_trained_with_its_dropout():
    make = lambda: tiny("gru", num_layers=2, dropout=0.5)  # noqa: E731
    recipe = {"steps": 3, "seq_len": 8, "batch_size": 4}
    losses = fit(make().eval(), random_ids(100), **recipe).step_loss
    assert losses == fit(make(), random_ids(100), **recipe).step_loss


def test_fit_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    model = CharRNN(V, 5, 6)
    torch.manual_seed(5)
    fit(model, random_ids(100), steps=2, seq_len=8, batch_size=4)
    assert torch.equal(torch.rand(1), expected)


def test_held_out_text_does_not_touch_training():
    ids = random_ids(300)
    kwargs = {"epochs": 2, "seq_len": 8, "batch_size": 4}
    runs = [tiny(), tiny(), tiny()]
    for model, val_ids in zip(runs, (None, random_ids(50, 1), random_ids(80, 2)), strict=True):
        history = fit(model, ids, val_ids, **kwargs)
        assert len(history.val_loss) == (0 if val_ids is None else 2)
    assert torch.equal(weights(runs[0]), weights(runs[1]))
    assert torch.equal(weights(runs[0]), weights(runs[2]))


def test_the_callback_sees_each_epoch_with_its_history():
    seen = []
    fit(
        tiny(), random_ids(100), random_ids(20), epochs=3, seq_len=8, batch_size=4,
        callback=lambda epoch, model, history: seen.append((epoch, len(history.val_loss))),
    )  # fmt: skip
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_ctrl_c_keeps_what_was_learned():
    def stop(epoch, model, history):
        if epoch == 2:
            raise KeyboardInterrupt

    model = tiny()
    before = weights(model)
    with pytest.warns(UserWarning, match="interrupted after 6 of 15 updates"):
        history = fit(model, random_ids(100), epochs=5, seq_len=8, batch_size=4, callback=stop)
    assert history.interrupted
    assert len(history.train_loss) == 2
    assert not torch.equal(weights(model), before)


def test_a_loss_that_is_no_number_stops_training_and_keeps_the_history():
    sgd = lambda m: torch.optim.SGD(m.parameters(), lr=math.inf)  # noqa: E731
    model = tiny()
    with pytest.raises(TrainingDiverged, match=r"at update 2.*learning rate") as caught:
        fit(model, random_ids(200), seq_len=8, batch_size=4, clip=None, optimizer=sgd(model))
    assert len(caught.value.history.step_loss) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seq_len": 0}, "seq_len must be a whole number of at least 1, not 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"epochs": -1}, "epochs must be a whole number"),
        ({"epochs": None}, "epochs must be a whole number"),
        ({"epochs": math.inf}, "epochs must be a whole number"),
        ({"epochs": True}, "epochs must be a whole number"),
        ({"steps": 0}, "steps must be a whole number"),
        ({"windows": "sliding"}, "'disjoint', 'random', 'stream', not 'sliding'"),
        ({"windows": ["stream"]}, "windows must be one of"),
        ({"clip": 0}, "clip must be above 0, or None"),
        ({"clip": float("nan")}, "clip must be above 0, or None"),
        ({"clip": "5"}, "clip must be above 0, or None"),
        ({"lr": -1}, "lr must be a finite number above 0, not -1"),
        ({"lr": math.nan}, "lr must be a finite number above 0, not nan"),
        ({"lr": None}, "lr must be a finite number above 0, not None"),
        ({"seed": -3}, "seed must be a whole number from 0"),
        ({"seed": None}, "seed must be a whole number from 0"),
        ({"device": "banana"}, "device is 'banana', and must name a device: 'cpu' or 'cuda'"),
        ({"seq_len": 100}, "enough for 0 windows of 100; one batch needs 4"),
        ({"batch_size": 13}, "enough for 12 windows of 8; one batch needs 13"),
        ({"train_ids": random_ids(100) / 2}, "ids are whole numbers, not float64"),
        ({"train_ids": [0, 99] * 50}, "id 99 is outside the vocabulary's 0 to 6"),
        ({"train_ids": [0, -1] * 50}, "id -1 is outside the vocabulary's 0 to 6"),
        ({"train_ids": []}, r"a text must have at least a character, as ids \(N,\), not \(0,\)"),
        ({"train_ids": [[1, 2]]}, r"as ids \(N,\), not \(1, 2\)"),
        ({"val_ids": [1]}, "at least two characters"),
        ({"val_ids": [0, 7]}, "id 7 is outside the vocabulary's 0 to 6"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_before_anything_is_changed(wrong, message):
    model = tiny().eval()
    before, rng_state = weights(model), torch.get_rng_state()
    with pytest.raises(ValueError, match=message):
        fit(model, **({"train_ids": random_ids(100), "seq_len": 8, "batch_size": 4} | wrong))
    assert not model.training
    assert torch.equal(weights(model), before)
    assert torch.equal(torch.get_rng_state(), rng_state)


def test_whole_numbers_of_every_kind_are_taken():
    sizes = {"seq_len": 8, "batch_size": 4, "steps": 3, "seed": 2}
    expected = fit(tiny(), random_ids(100), **sizes).step_loss
    for kind in (float, np.int64, np.uint8, np.float32, torch.tensor):
        given = {name: kind(value) for name, value in sizes.items()}
        assert fit(tiny(), random_ids(100), **given).step_loss == expected
        evaluate(tiny(), random_ids(20), window=kind(5))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_evaluation_is_the_mean_over_one_stream(cell):
    model, ids = tiny(cell), random_ids(41)
    with torch.no_grad():
        logits, _ = model(torch.as_tensor(ids[None, :-1]))
    expected = F.cross_entropy(logits[0], torch.as_tensor(ids[1:])).item()
    assert evaluate(model, ids) == pytest.approx(expected, abs=1e-6)
    chunked = character_losses(model, ids, chunk=7)
    np.testing.assert_allclose(chunked, character_losses(model, ids), atol=1e-6)


def test_windowed_evaluation_starts_each_window_from_zero():
    model, ids = tiny(), random_ids(24)
    parts = [evaluate(model, ids[start : start + 6]) for start in (0, 5, 10, 15)]
    tail = evaluate(model, ids[20:])
    expected = (5 * sum(parts) + 3 * tail) / 23
    assert evaluate(model, ids, window=5) == pytest.approx(expected, abs=1e-6)
    assert evaluate(model, ids, window=5) != pytest.approx(evaluate(model, ids), abs=1e-6)


def test_evaluation_switches_dropout_off_and_back_on():
    model = tiny(num_layers=2, dropout=0.5).train()
    assert evaluate(model, random_ids(50)) == evaluate(model, random_ids(50))
    assert model.training


def test_an_ngram_is_evaluated_like_a_network():
    ids = random_ids(200)
    model = NGram(1, V, smoothing="add-one").fit(ids)
    frequencies = (np.bincount(ids, minlength=V) + 1) / (len(ids) + V)
    assert evaluate(model, ids) == pytest.approx(-np.log(frequencies[ids[1:]]).mean())


@pytest.mark.parametrize("ids", [[], [1], [[1, 2]]])
def test_evaluation_needs_a_text(ids):
    with pytest.raises(ValueError, match="at least two characters"):
        evaluate(tiny(), np.array(ids, dtype=int))


@pytest.mark.parametrize("window", [0, 2.5, math.inf, True, "10"])
def test_a_window_that_is_no_length_is_refused(window):
    with pytest.raises(ValueError, match="window must be a whole number of at least 1, not"):
        evaluate(tiny(), random_ids(20), window=window)


def test_ids_that_the_model_does_not_know_are_not_evaluated():
    for ids, message in (([0, 7], "id 7 is outside"), ([0.0, 1.0], "whole numbers, not float64")):
        with pytest.raises(ValueError, match=message):
            evaluate(tiny(), ids)


def test_progress_can_be_switched_off(monkeypatch):
    """In training and in evaluation."""
    shown = []

    def bar(iterable=None, show=True, **settings):
        shown.append(show)
        return progress_bar(iterable, False, **settings)

    monkeypatch.setattr(training, "progress_bar", bar)
    for progress in (False, True):
        fit(
            tiny(), random_ids(100), random_ids(20), steps=2, seq_len=8, batch_size=4,
            progress=progress,
        )  # fmt: skip
    assert shown == [False, False, True, True]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_without_the_fast_layers_training_is_the_same_but_for_rounding(cell, monkeypatch):
    recipe = {"epochs": 2, "seq_len": 8, "batch_size": 4, "windows": "stream"}
    with_them = fit(tiny(cell), random_ids(200), **recipe)
    monkeypatch.setattr(training, "fast_layers", None)
    without = fit(tiny(cell), random_ids(200), **recipe)
    assert with_them.step_loss == pytest.approx(without.step_loss, abs=1e-5)


@pytest.mark.slow
def test_without_the_folder_of_fast_paths_everything_still_works(tmp_path):
    """In a copy of helpers from which the folder was deleted."""
    shutil.copytree(
        Path(training.__file__).parent, tmp_path / "helpers", ignore=shutil.ignore_patterns("fast")
    )
    program = (
        "import sys, numpy as np; from helpers.models import CharRNN, CharTransformer\n"
        "from helpers.training import evaluate, fit\n"
        "from helpers.corpus import Vocabulary; from helpers.sampling import generate\n"
        "ids = np.arange(200) % 7\n"
        "for model in (CharRNN(7, 5, 6, 'gru'), CharTransformer(7, 12, 2, 1, 5)):\n"
        "    fit(model, ids, ids, epochs=1, seq_len=8, batch_size=4)\n"
        "    evaluate(model, ids)\n"
        "    assert len(generate(model, Vocabulary('abcdefg'), ['a', 'bc'], 9, seed=0)[1]) == 11\n"
        "assert not any('fast' in name for name in sys.modules if name.startswith('helpers'))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_a_context_beyond_the_windows_is_warned_of(recwarn):
    ids = np.arange(200) % V
    for seq_len, windows in ((5, "disjoint"), (4, "stream")):
        fit(CharTransformer(V, 8, 2, 1, context=5), ids, seq_len=seq_len, batch_size=4, steps=1,
            windows=windows, progress=False)  # fmt: skip
    fit(tiny("lstm"), ids, seq_len=4, batch_size=4, steps=1, progress=False)
    assert not recwarn.list
    for windows in ("disjoint", "random"):
        with pytest.warns(UserWarning, match="looks at 5 characters but .* windows of 4"):
            fit(CharTransformer(V, 8, 2, 1, context=5), ids, seq_len=4, batch_size=4, steps=1,
                windows=windows, progress=False)  # fmt: skip


def test_batches_that_are_passed_over_leave_the_others_as_they_were():
    ids = torch.arange(100)
    for windows in ("disjoint", "random", "stream"):
        every = list(epoch_batches(ids, 4, 3, windows, torch.Generator().manual_seed(1)))
        late = list(epoch_batches(ids, 4, 3, windows, torch.Generator().manual_seed(1), start=5))
        assert len(late) == len(every) - 5
        assert all(torch.equal(a[0], b[0]) for a, b in zip(every[5:], late, strict=True))


@pytest.mark.parametrize("narrow", [np.uint8, np.uint16])
def test_a_text_on_disk_trains_as_the_same_text_in_memory(tmp_path, narrow):
    ids = random_ids(300)
    ids.astype(narrow).tofile(tmp_path / "ids")
    mapped = np.memmap(tmp_path / "ids", dtype=narrow, mode="c")
    for windows in ("disjoint", "random", "stream"):
        kwargs = {"steps": 9, "seq_len": 8, "batch_size": 6, "windows": windows}
        here, there = tiny(), tiny()
        expected = fit(here, ids, ids, **kwargs)
        found = fit(there, mapped, mapped, **kwargs)
        assert found.step_loss == expected.step_loss
        assert found.val_loss == expected.val_loss


@planted(train_step, test_the_gradient_is_clipped_before_the_step)
def test_fault_clipping_after_the_step(right, model, x, y, optimizer, clip):
    """The step has its full length; what is clipped is never used."""
    result = right(model, x, y, optimizer, None)
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    return result


@planted(
    detach, test_an_update_starts_from_the_state_and_gives_the_one_after, "lstm", error=RuntimeError
)
def test_fault_gradient_through_the_border(right, state):
    """Each update of a stream goes back through all before it; torch has freed their graphs."""
    return state


@planted((F, "cross_entropy"), test_the_loss_is_a_mean_over_characters_and_starts_near_log_v)
def test_fault_loss_summed(right, logits, targets):
    """Then the best rate hangs on the size of the batch."""
    return right(logits, targets, reduction="sum")


@planted(predict, test_windowed_evaluation_starts_each_window_from_zero)
def test_fault_state_not_reset(right, model, ids, state):
    """A window begins with what was left of the one before."""
    logits, model.left = right(model, ids, getattr(model, "left", None) if state is None else state)
    return logits, model.left


@planted(epoch_batches, test_the_order_changes_from_epoch_to_epoch)
def test_fault_the_same_order_each_epoch(right, ids, seq_len, batch_size, windows, generator):
    """A generator that is made anew, with the same seed, where it should go on."""
    return right(ids, seq_len, batch_size, windows, torch.Generator().manual_seed(1))
