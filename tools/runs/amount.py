"""How much text each architecture needs, under the protocol of the experiments on the plays.

Question: from which amount of text on does a network beat the best n-gram model, on plays that
neither has seen? Held equal: the multiplications of one training run for each character of its
text, the rule by which width and rate are searched, and dropout (none from a million characters
on, which are read a few times only). Could have said no: n-gram models have their order and
smoothing chosen on the same validation plays. Trained on the first characters of the training
plays.
"""

import copy
import functools
import itertools
import time

import torch

from helpers.corpus import load_corpus
from helpers.models import CharRNN, CharTransformer, count_parameters
from helpers.ngram import NGram
from helpers.results import stored_run
from helpers.studies import protocol
from helpers.training import Training, character_losses, warm_up_and_decay
from tools.runs.common import long_run, rounded, stored_blocks, updates

EVALUATIONS, SEEDS = 10, (1, 2, 3)
REPEATED = 5  # losses; the networks are large

# Characters of training text -> what its runs are called. A training run may make so many
# multiplications (forward and backward) for each of them.
SIZES = {100_000: "100k", 300_000: "300k", 1_000_000: "1m", 3_795_598: "all"}
PER_CHARACTER = 3e6

# Where the search begins with the smallest text.
START = {
    "lstm": (128, 6e-3), "gru": (128, 3e-3), "rnn": (192, 2e-3), "transformer": (64, 3e-3)
}  # fmt: skip
MADE = {"lstm": 4, "gru": 3, "rnn": 2, "transformer": 2}  # how many of the sizes
WIDTHS = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
UPDATE = 512  # characters; more and smaller updates were better in a first look at validation
HEADS, LAYERS, CONTEXT = 4, 3, 64


class Dropped(CharRNN):
    """A ``CharRNN`` with dropout before and after its recurrent layer."""

    def __init__(self, *sizes, around):
        super().__init__(*sizes)
        self.around = torch.nn.Dropout(around)

    def forward(self, ids, state=None):
        hidden, state = self.recurrent(self.around(self.embedding(ids)), state)
        return self.output(self.around(hidden)), state


# Architectures side by side: characters -> the multiplications of one training run, and width
# and rate as the trials on a million characters chose them. Those chosen have equally many
# parameters, within 3 per cent: an RNN of 384 units came out level with one of 528, and the
# latter was taken. In the same processor time the Transformer has three quarters of the LSTM's
# multiplications.
BESIDE = {1_000_000: 3e12, 3_795_598: 4e12}
TIME_SHARE = 0.75
CHOSEN = {
    "lstm": (256, 6e-3), "transformer": (96, 3e-3), "gru": (300, 3e-3), "rnn": (528, 2e-3)
}  # fmt: skip
TRIED = {
    "lstm": [(192, 6e-3), (256, 6e-3), (256, 3e-3)],
    "transformer": [(96, 3e-3), (128, 3e-3), (96, 1.5e-3)],
    "gru": [(224, 6e-3), (300, 6e-3), (300, 3e-3)],
    "rnn": [(384, 2e-3), (528, 2e-3), (528, 1e-3)],
}
# What the runs are called: their trainings, and on which of the texts they were made.
ARMS = {
    "beside": ([("lstm", "multiplications"), ("transformer", "multiplications"),
                ("transformer", "time")], list(BESIDE)),
    "beside-rnn-gru": ([("gru", "multiplications"), ("rnn", "multiplications")], list(BESIDE)),
}  # fmt: skip


def recipe(cell):
    """How the text of one update is laid out: recurrent networks carry their state on."""
    windows = "random" if cell == "transformer" else "stream"
    return {"windows": windows, "seq_len": CONTEXT, "batch_size": UPDATE // CONTEXT}


def dropout(size):
    return 0.1 if size < 1_000_000 else 0.0


@functools.cache
def texts():
    """The corpus, its training ids, and the validation plays."""
    corpus = load_corpus("shakespeare")
    return corpus, corpus.split_by_plays()[0], protocol.validation_plays(corpus)


def begin(cell, width, lr, size, seed, equal=None, steps=None):
    """A network, and its training as far as it has not begun.

    equal : None for PER_CHARACTER, or "multiplications" or "time" for the budget of BESIDE
    steps : updates, where the budget is not to say how many
    """
    corpus, train_ids, _ = texts()
    torch.manual_seed(seed)
    V = len(corpus.vocab)
    multiplications = BESIDE[size] if equal else PER_CHARACTER * size
    multiplications *= TIME_SHARE if equal == "time" else 1
    if cell == "transformer":
        model = CharTransformer(V, width, HEADS, LAYERS, CONTEXT, dropout(size))
    elif dropout(size):
        model = Dropped(V, 64, width, cell, around=dropout(size))
    else:
        model = CharRNN(V, 64, width, cell)
    per_update = 3 * protocol.multiplications(model) * UPDATE
    adam = torch.optim.AdamW(
        model.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True
    )
    training = Training(
        model, train_ids[:size], steps=steps or round(multiplications / per_update), clip=1.0,
        seed=seed, device="cpu", optimizer=adam, schedule=warm_up_and_decay,
        **recipe(cell),
    )  # fmt: skip
    return model, training


def first_losses(model, corpus):
    """The first losses of a stored model, computed again."""
    wanted = (model[key] for key in ("cell", "width", "lr", "size", "seed"))
    return first_of(begin(*wanted, model.get("equal"))[1])


def first_of(training):
    """The first REPEATED losses of a training that has not begun."""
    return list(itertools.islice(updates(training), REPEATED))


def train(cell, width, lr, size, seed, equal=None):
    """One training, stopped early: the network at its best on the validation plays, and what is
    stored of it."""
    started = time.process_time()
    model, training = begin(cell, width, lr, size, seed, equal)
    every = max(1, training.total // EVALUATIONS)
    curve, best = [], None
    for _ in updates(training):
        if training.done % every and not training.finished:
            continue
        curve.append(protocol.mean_loss(protocol.play_losses(model, texts()[2])))
        if curve[-1] == min(curve):
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    found = {"width": width, "lr": lr, "steps": training.total, "validation": min(curve)}
    found |= {"cpu_seconds": round(time.process_time() - started, 1), "curve": rounded(curve)}
    print(
        f"    {cell} {width} {lr:g} of {size:,}: {min(curve):.4f} {found['cpu_seconds']}",
        flush=True,
    )
    return model, found, training.history.step_loss[:REPEATED]


@functools.cache
def chosen(cell, size):
    """Width and rate for a size of text, and the trials: a hill climb.

    It begins where the search on the size below ended and goes to wider models or, if those do
    not pay, to narrower ones, and then to half the rate or else to twice the rate, each for as
    long as it pays; on all of the text to other widths alone. A trial is the first of the three
    seeds.
    """
    width, lr = START[cell]
    if smaller := [other for other in SIZES if other < size]:
        before = stored_run(run_name(cell, smaller[-1]))["runs"][0]
        width, lr = before["width"], before["lr"]
    trials = {}

    def attempt(width, lr):
        trials[width, lr] = train(cell, width, lr, size, SEEDS[0])

    def best():
        return min(trials, key=lambda wanted: trials[wanted][1]["validation"])

    def climb(step):
        while (wanted := step(*best())) not in trials:
            attempt(*wanted)
            if best() != wanted:
                return

    def other_width(width, by):
        return WIDTHS[min(max(WIDTHS.index(width) + by, 0), len(WIDTHS) - 1)]

    attempt(width, lr)
    climb(lambda width, lr: (other_width(width, +1), lr))
    if best()[0] == width:
        climb(lambda width, lr: (other_width(width, -1), lr))
    if size < max(SIZES):
        climb(lambda width, lr: (width, lr / 2))
        if best()[1] == lr:
            climb(lambda width, lr: (width, lr * 2))
    return best(), trials


def run_name(cell, size):
    return f"amount-{cell}-{SIZES[size]}"


def amount(configuration, corpus):
    """One of three trainings with the width and the rate that were chosen, scored once."""
    cell, size, seed = configuration.values()
    wanted, trials = chosen(cell, size)
    first = seed == SEEDS[0]
    model, found, losses = trials[wanted] if first else train(cell, *wanted, size, seed)
    found = found | {
        "parameters": count_parameters(model),
        "multiplications": protocol.multiplications(model),
        "first_losses": rounded(losses),
    }
    if first:
        found["trials"] = [tried for _, tried, _ in trials.values()]
    return found | scored(protocol.play_losses(model, protocol.test_plays(texts()[0])))


# What has been made so far; each search begins where the one on the smaller text ended.
for cell, sizes in MADE.items():
    for size in list(SIZES)[:sizes]:
        long_run(
            run_name(cell, size),
            corpus="shakespeare",
            repeat=first_losses,
            plan=[{"cell": cell, "size": size, "seed": seed} for seed in SEEDS],
            settings={
                "dropout": dropout(size),
                "evaluations": EVALUATIONS,
                "recipe": recipe(cell),
                "multiplications": PER_CHARACTER * size,
            },
        )(amount)


def side_by_side(arms, size):
    """The trainings of some architectures on a size of text: on a million characters the trials
    of width and rate, with the first seed; then three seeds of what they chose."""
    if size == min(BESIDE):
        for cell in dict.fromkeys(cell for cell, _ in arms):
            for width, lr in TRIED[cell]:
                if (width, lr) != CHOSEN[cell]:
                    yield configured(cell, size, SEEDS[0], "multiplications", width, lr)
    for cell, equal in arms:
        for seed in SEEDS:
            yield configured(cell, size, seed, equal, *CHOSEN[cell])


def configured(cell, size, seed, equal, width, lr):
    return {"cell": cell, "size": size, "seed": seed, "equal": equal, "width": width, "lr": lr}


def beside(configuration, corpus):
    """One training; what the trials chose is scored, once."""
    cell, size, seed, equal, width, lr = configuration.values()
    model, found, losses = train(cell, width, lr, size, seed, equal)
    found["first_losses"] = rounded(losses)
    if (width, lr) != CHOSEN[cell]:
        return found
    found["parameters"] = count_parameters(model)
    found["multiplications"] = protocol.multiplications(model)
    return found | scored(protocol.play_losses(model, protocol.test_plays(texts()[0])))


for prefix, (arms, sizes) in ARMS.items():
    for size in sizes:
        long_run(
            f"{prefix}-{SIZES[size]}", corpus="shakespeare", repeat=first_losses,
            plan=list(side_by_side(arms, size)), settings={"evaluations": EVALUATIONS},
        )(beside)  # fmt: skip


def scored(losses):
    """What is stored of a model's losses on the test plays."""
    return {"test": round(protocol.mean_loss(losses), 6), "test_blocks": stored_blocks(losses)}


def count(order, smoothing, size):
    """An n-gram model of the first ``size`` characters, and how it fares on validation."""
    corpus, train_ids, validation = texts()
    model = NGram(order, len(corpus.vocab), smoothing).fit(train_ids[:size])
    losses = [character_losses(model, ids, progress=False) for ids in validation]
    return model, protocol.mean_loss(losses)


@long_run(
    "amount-ngram", corpus="shakespeare", plan=[{"size": size, "seed": 0} for size in SIZES],
    repeat=lambda model, corpus: [count(2, "kneser-ney", model["size"])[1]],
)  # fmt: skip
def amount_counted(configuration, corpus):
    """The n-gram model whose order and smoothing the validation plays prefer, scored once.

    In place of first losses: the validation loss of order 2.
    """
    started = time.process_time()
    size = configuration["size"]
    tried = [(o, s) for o in range(3, 10) for s in ("kneser-ney", "witten-bell")]
    trials = [{"order": o, "smoothing": s, "validation": count(o, s, size)[1]} for o, s in tried]
    best = min(trials, key=lambda trial: trial["validation"])
    model, _ = count(best["order"], best["smoothing"], size)
    losses = [
        character_losses(model, ids, progress=False) for ids in protocol.test_plays(texts()[0])
    ]
    found = {"trials": trials, "cpu_seconds": round(time.process_time() - started, 1)}
    found["first_losses"] = rounded([count(2, "kneser-ney", size)[1]])
    return best | found | scored(losses)
