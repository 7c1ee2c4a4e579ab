"""What is timed computes the same: a tiny version of each pair of ``make bench``."""

import numpy as np
import pytest
import torch

from benchmarks import as_installed, reference, run, stages
from helpers.corpus import Vocabulary
from helpers.models import CharTransformer
from helpers.numpy_lstm import NumpyCharLSTM
from helpers.sampling import generate
from helpers.training import fit, train_step

V = 7
VOCAB = Vocabulary("abcdefg")
TEXT = np.random.default_rng(0).integers(V, size=1500)


@pytest.mark.slow
@pytest.mark.parametrize("cell", run.CELLS)
def test_fit_reaches_the_reference_loops_losses_after_ten_epochs(cell):
    plain, ours = run.same_start(cell, V, embed_size=5, hidden_size=6)
    expected = reference.train(plain, TEXT, epochs=10, seq_len=8, batch_size=9)
    found = fit(ours, TEXT, epochs=10, seq_len=8, batch_size=9).step_loss
    assert len(found) == 200
    assert found == pytest.approx(expected, abs=1e-3)
    assert found[-1] < found[0] - 0.01


def test_the_references_lstm_and_numpys_take_the_same_steps():
    plain, ours = run.same_start("lstm", V, embed_size=5, hidden_size=6)
    ours = NumpyCharLSTM.from_torch(ours)
    adam = torch.optim.Adam(plain.parameters(), lr=3e-3)
    for x, y in np.random.default_rng(1).integers(V, size=(100, 2, 3, 4)):
        expected, *_ = train_step(plain, torch.from_numpy(x), torch.from_numpy(y), adam)
        assert ours.train_step(x, y)[0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("stage", stages.STAGES)
def test_every_stage_has_the_same_loss_and_gradients(stage):
    model = NumpyCharLSTM(V, 5, 6, seed=1, dtype="float64")
    x, y = np.random.default_rng(2).integers(V, size=(2, 3, 4))
    expected_loss, expected, _ = model.loss_and_grads(x, y)
    loss, grads = stages.STAGES[stage](model.params, x, y)
    assert loss == pytest.approx(expected_loss, abs=1e-12)
    assert set(grads) == set(expected)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, expected[name], atol=1e-12, err_msg=name)


@pytest.mark.parametrize("cell", run.CELLS)
def test_generate_writes_the_references_text(cell):
    plain, ours = run.same_start(cell, V, seed=1, embed_size=5, hidden_size=6)
    expected = reference.generate(plain, VOCAB, "ab", 60, seed=3)
    assert generate(ours, VOCAB, "ab", 60, seed=3) == expected
    assert generate(ours, VOCAB, ["ab", "b"], 60, seed=3)[0] == expected


def test_generate_writes_the_text_of_a_transformer_without_a_cache():
    torch.manual_seed(1)
    model = CharTransformer(V, embed_size=8, num_heads=2, num_layers=1, context=5)
    expected = reference.generate_again(model, VOCAB, "ab", 40, context=5, seed=3)
    assert generate(model, VOCAB, "ab", 40, seed=3) == expected


def test_the_loop_in_python_is_nn_lstm():
    plain, _ = run.same_start("lstm", V, embed_size=5, hidden_size=6)
    ids = torch.from_numpy(TEXT[:12]).view(3, 4)
    expected, _ = plain(ids)
    plain.recurrent = run.LoopLSTM(plain.recurrent)
    torch.testing.assert_close(plain(ids)[0], expected)


def test_a_ratio_says_how_many_times_as_long_the_first_takes():
    slow, quick = (lambda n=n: sum(range(n)) for n in (200_000, 20_000))
    found = run.in_turn(slow, quick, pairs=7)
    assert 2 < found["low"] <= found["ratio"] <= found["high"]
    assert len(found["seconds"]) == len(found["reference_seconds"]) == 7


def test_a_median_is_that_of_blocks_of_several():
    calls = []
    run.median_ms(lambda: calls.append(1), repeats=5, times=4)
    assert len(calls) == 3 + 5 * 4


@pytest.mark.slow
def test_libraries_are_timed_as_installed_whatever_the_shell_asks_of_them():
    assert as_installed({**run.AVX2, "OPENBLAS_L2_SIZE": "1", "PATH": "/"}) == {"PATH": "/"}
    code = "import json, os, runpy, sys; sys.argv = ['run.py', 'none of them']\n"
    code += "printed, sys.stdout = sys.stdout, sys.stderr\n"
    code += "try: runpy.run_module('benchmarks.run', run_name='__main__')\n"
    code += "except KeyError: print(json.dumps(dict(os.environ)), file=printed)"
    left = run.elsewhere(code, OPENBLAS_CORETYPE="Haswell", CHARBOOK_DEVICE="cpu")
    assert "CHARBOOK_DEVICE" in left
    assert left == as_installed(left)


def test_the_product_of_onednn_is_the_product():
    a, b = torch.randn(3, 4), torch.randn(4, 5)
    found = torch.ops.aten.mkldnn_linear(a.to_mkldnn(), b.t().contiguous()).to_dense()
    torch.testing.assert_close(found, a @ b)
