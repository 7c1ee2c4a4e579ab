"""What a mistake in the backward pass of an LSTM costs: the runs of *An LSTM in NumPy*."""

import torch
from torch import nn

from helpers.models import CharRNN
from helpers.training import evaluate, fit
from tools.runs.common import FIRST, first_losses, long_run, rounded
from tools.runs.course import CURVE, PLAY, SEEDS, all_plays, play_and_curve

HIDDEN, EPOCHS, TESTED = 32, 24, (8, 24)

# Whether a gradient goes back to the hidden state and to the cell state of the step before.
ARMS = {"right": (True, True), "cell": (True, False), "both": (False, False)}


class Cut(nn.Module):
    """An ``nn.LSTM`` with the same numbers forwards and less gradient backwards."""

    def __init__(self, lstm, through_h, through_c):
        super().__init__()
        self.lstm, self.through_h, self.through_c = lstm, through_h, through_c

    def forward(self, x, state=None):
        """Inputs (B, T, E) -> states (B, T, H), the last two (1, B, H) each."""
        zeros = x.new_zeros(1, len(x), self.lstm.hidden_size)
        h, c = (part[0] for part in state or (zeros, zeros))
        sums = x @ self.lstm.weight_ih_l0.T + self.lstm.bias_ih_l0 + self.lstm.bias_hh_l0
        states = []
        for of_x in sums.unbind(dim=1):
            h, c = h if self.through_h else h.detach(), c if self.through_c else c.detach()
            i, f, g, o = (of_x + h @ self.lstm.weight_hh_l0.T).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return torch.stack(states, dim=1), (h[None], c[None])


def begin(configuration):
    """A model before its first update, and its layer as it is for evaluation."""
    torch.manual_seed(configuration["seed"])
    model = CharRNN(len(all_plays().vocab), hidden_size=HIDDEN, cell="lstm")
    lstm = model.recurrent
    model.recurrent = Cut(lstm, *ARMS[configuration["arm"]])
    return model, lstm


def repeat(configuration, corpus):
    model, _ = begin(configuration)
    train_ids, seed = play_and_curve()[0], configuration["seed"]
    return fit(model, train_ids, steps=FIRST, seed=seed, device="cpu", progress=False).step_loss


@long_run(
    "wrong-gradients",
    corpus="shakespeare",
    repeat=repeat,
    plan=[{"arm": arm, "seed": seed} for seed in SEEDS[:3] for arm in ARMS],
    settings={"play": PLAY, "curve": CURVE, "hidden_size": HIDDEN, "tested_after": TESTED},
)
def wrong_gradients(configuration, corpus):
    """Losses of the four validation plays' beginning and of the test plays' first 50,000."""
    train_ids, val_ids = play_and_curve()
    test_ids = all_plays().split_by_plays()[2][:50_000]
    model, lstm = begin(configuration)
    found = {"validation": [], "test": []}

    def after_epoch(epoch, model, history):
        trained, model.recurrent = model.recurrent, lstm
        found["validation"].append(evaluate(model, val_ids, progress=False))
        if epoch in TESTED:
            found["test"].append(evaluate(model, test_ids, progress=False))
        model.recurrent = trained

    history = fit(
        model, train_ids, epochs=EPOCHS, seed=configuration["seed"], device="cpu",
        progress=False, callback=after_epoch,
    )  # fmt: skip
    losses = found | {"train": history.train_loss}
    return {name: rounded(values) for name, values in losses.items()} | first_losses(
        history.step_loss
    )
