"""The playground's weight files: the command that made them makes their beginning again."""

import numpy as np
import pytest

from helpers.cli.export import read
from helpers.studies import protocol
from tests.site.engine import MODELS
from tools.records import corpus_sha256
from tools.runs import playground_models


@pytest.mark.slow
@pytest.mark.parametrize("cell", MODELS)
def test_the_weight_files_come_from_the_books_own_training(cell):
    """The stored first losses come again, and the weights score what is written beside them."""
    model, vocab, description = read(MODELS[cell])
    about = description["about"]
    corpus, fresh, history = playground_models.train(cell, steps=10)
    assert np.allclose(history.step_loss, about["first_losses"][:10], rtol=1e-3)
    assert fresh.config == description["config"]
    assert vocab == corpus.vocab
    assert about["corpus_sha256"] == corpus_sha256(playground_models.CORPUS)
    assert about["steps"] == playground_models.STEPS[cell]
    assert description["precision"] == playground_models.PRECISION[cell]
    tests = protocol.test_plays(corpus)
    loss = protocol.mean_loss(protocol.play_losses(model, tests))
    assert loss == pytest.approx(about["held_out_nats"], abs=1e-3)
    assert MODELS[cell].stat().st_size < 700_000
