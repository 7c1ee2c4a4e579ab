"""What benchmarks/gpu.py measures, tried in small on whatever is here."""

import pytest
import torch

from benchmarks import gpu
from benchmarks.run import median_ms
from helpers.corpus import load_corpus
from helpers.results import stored_run
from helpers.training import fit

pytestmark = pytest.mark.slow

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
STORED = stored_run("gpu")["parts"]
SMALL = {
    "recipe": lambda: gpu.recipe(DEVICE, epochs=1, limit=5000),
    "graphs": lambda: gpu.graphs(DEVICE, window=3),
    "batches": lambda: gpu.batches(DEVICE, sizes=(1, 3)),
    "lengths": lambda: gpu.lengths(DEVICE, sizes=(3, 4)),
    "writing": lambda: gpu.writing(DEVICE, length=3, many=(1, 2)),
}


@pytest.mark.parametrize("part", SMALL)
def test_a_part_measures_what_is_stored(part, monkeypatch):
    monkeypatch.setattr(gpu, "median_ms", lambda action, *_, **__: median_ms(action, 1))
    found = SMALL[part]()
    assert found.keys() == STORED[part].keys() or part == "writing"
    if part == "recipe" and DEVICE == "cpu":
        assert found["lstm"]["gpu"]["train_loss"] == found["lstm"]["cpu"]["train_loss"]


@pytest.mark.parametrize("cell", gpu.CELLS)
def test_the_losses_on_the_gpu_are_those_of_this_machine(cell):
    ids, _ = load_corpus("excerpts").split()
    here = fit(gpu.new(cell), ids, epochs=1, device="cpu").train_loss[0]
    for place, within in (("cpu", 1e-5), ("gpu", 2e-3)):  # cuDNN multiplies in TF32
        assert STORED["recipe"][cell][place]["train_loss"][0] == pytest.approx(here, abs=within)


@pytest.mark.skipif(
    DEVICE == "cpu", reason="they need a CUDA GPU; where there is one, `make test` runs them"
)
def test_a_graph_makes_the_updates_that_it_recorded():
    for name, found in gpu.graphs(DEVICE, window=3).items():
        assert found["largest_difference"] < 1e-5, name


@pytest.mark.skipif(
    DEVICE == "cpu", reason="they need a CUDA GPU; where there is one, `make test` runs them"
)
def test_bfloat16_around_a_whole_training_misses_its_updates():
    for name, follows in (("bfloat16", True), ("bfloat16, cached", False)):
        model = gpu.new("lstm").to(DEVICE)
        ids = torch.arange(5, device=DEVICE)[None]
        with gpu.precision(name):
            model(ids)
            torch.nn.init.zeros_(model.output.weight)  # an update
            logits, _ = model(ids)
        assert (logits == logits[:, :1]).all() == follows  # the bias alone, at each position
