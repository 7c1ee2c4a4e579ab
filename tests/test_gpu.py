"""What benchmarks/gpu.py measures, tried in small on whatever is here."""

import pytest
import torch

from benchmarks import gpu
from benchmarks.run import median_ms
from helpers.results import stored_run

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
    if part == "recipe":
        the_gpu_learns_as_the_processor_does(found, 2e-3 if DEVICE == "cuda" else 0)


def the_gpu_learns_as_the_processor_does(recipe, within):
    for name, runs in recipe.items():
        gpu_loss, cpu_loss = (runs[place]["train_loss"] for place in ("gpu", "cpu"))
        assert gpu_loss == pytest.approx(cpu_loss, abs=within), name


def test_the_losses_that_are_stored_of_the_gpu_are_those_of_the_processor_beside_it():
    the_gpu_learns_as_the_processor_does(STORED["recipe"], 2e-3)  # cuDNN multiplies in TF32


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
