"""The runs of *Is it memorising?*: the same pages trained on and left out, and planted lines.

Question: how much of a network's lower loss on its training text is memory of that text, and can
it be made to recite? The control that could have said no: each page is trained on by one network
and left out by its twin, which reads neighbouring pages; each planted line
likewise. The positive control: the same network on few pages, each of which it reads often.
"""

import functools

import numpy as np

from helpers.studies import memorisation, protocol
from helpers.training import evaluate, fit
from tools.runs.common import FIRST, build, first_losses, long_run, rounded, stored_blocks
from tools.runs.course import all_plays, play_and_curve

# Of all pages one half is trained on. Updates at which the network is judged; the last is the end.
PAGES = {"memorising": 240, "memorising-little": 16}
CHECKPOINTS = {"memorising": (90, 225, 450, 690), "memorising-little": (60, 180, 600, 1800)}
BATCH = {"memorising": 64, "memorising-little": 16}  # windows
SEEDS, TEMPERATURES, DRAWS = (42, 1), (0.3, 0.6, 1.0), 4
PROMPTS = ("\n\nAll:\n", "\n\nMessenger:\n", "\n\nFirst Senator:\n", "\n\nFirst Citizen:\n")
TESTED = 15_000  # characters of each test play


@functools.cache
def design(name):
    """Pages, the half that each belongs to, and the planted lines, of one of the runs."""
    pages = memorisation.pages(all_plays().text)[: PAGES[name]]
    return pages, memorisation.halves(len(pages)), memorisation.canaries(name == "memorising")


def training_ids(name, half):
    pages, halves, canaries = design(name)
    kept = [page for page, where in zip(pages, halves, strict=True) if where == half]
    planted = memorisation.plant(kept, [c for c in canaries if c.half == half], seed=half)
    return all_plays().vocab.encode(planted)


def begin(configuration):
    name, half, seed = configuration["text"], configuration["half"], configuration["seed"]
    return build("lstm", len(all_plays().vocab), seed), training_ids(name, half)


def train(model, ids, configuration, steps, callback=None):
    """The reference recipe with windows that start anywhere, so that no line is always cut."""
    return fit(
        model, ids, steps=steps, batch_size=BATCH[configuration["text"]], windows="random",
        seed=configuration["seed"], device="cpu", progress=False, callback=callback,
    )  # fmt: skip


def repeat(configuration, corpus):
    return train(*begin(configuration), configuration, FIRST).step_loss


class Judge:
    """What is stored of a network at each of the checkpoints."""

    def __init__(self, configuration):
        self.name, self.half = configuration["text"], configuration["half"]
        self.vocab = all_plays().vocab
        self.pages, self.halves, self.canaries = design(self.name)
        self.page_ids = [self.vocab.encode(page) for page in self.pages]
        self.tests = [ids[:TESTED] for ids in protocol.test_plays(all_plays())]

    def losses(self, model):
        pages = protocol.play_losses(model, self.page_ids)
        validation = evaluate(model, play_and_curve()[1], progress=False)
        return {
            "pages": rounded([page.mean() for page in pages], 4),
            "test_blocks": stored_blocks(protocol.play_losses(model, self.tests)),
            "validation": round(validation, 6),
            "exposure": rounded(
                [memorisation.exposure(model, self.vocab, c) for c in self.canaries], 3
            ),
        }

    def recited(self, model):
        """Of each page, how many characters of 50 it continues correctly after 50 others."""
        return memorisation.right_before_wrong(model, self.vocab, self.pages)

    def written(self, model):
        """Texts, and how far each can be followed in what was trained on and what was left out."""
        sources = {
            key: "".join(p for p, h in zip(self.pages, self.halves, strict=True) if h == half)
            for key, half in (("trained", self.half), ("left_out", 1 - self.half))
        }
        found = []
        for temperature in TEMPERATURES:
            texts = memorisation.texts(model, self.vocab, PROMPTS, DRAWS, temperature)
            rows = {
                k: [memorisation.match_lengths(t, s) for t in texts] for k, s in sources.items()
            }
            best = int(np.argmax([row.max() for row in rows["trained"]]))
            at = int(rows["trained"][best].argmax())
            found.append(
                {
                    "temperature": temperature,
                    "seen": {k: memorisation.seen(v) for k, v in rows.items()},
                    "longest": {k: [int(r.max()) for r in v] for k, v in rows.items()},
                    "longest_match": texts[best][at : at + int(rows["trained"][best].max())],
                    "text": texts[0],
                }
            )
        return found


def memorising(configuration, corpus):
    """One network; ``pages`` and ``exposure`` are of all pages and lines, trained on or not."""
    judge, found = Judge(configuration), {"checkpoints": []}
    model, ids = begin(configuration)

    due = CHECKPOINTS[configuration["text"]]

    def at_epoch_end(epoch, model, history):
        done, judged = len(history.step_loss), len(found["checkpoints"])
        if judged < len(due) and done >= due[judged]:
            found["checkpoints"].append({"updates": done} | judge.losses(model))

    history = train(model, ids, configuration, due[-1], at_epoch_end)
    found = {"characters": len(ids)} | found | {"recited": judge.recited(model)}
    if configuration["seed"] == SEEDS[0]:
        found["written"] = judge.written(model)
    return found | first_losses(history.step_loss)


for name in PAGES:
    long_run(
        name,
        corpus="shakespeare",
        repeat=repeat,
        plan=[{"text": name, "half": half, "seed": seed} for seed in SEEDS for half in (0, 1)],
        settings={"temperatures": TEMPERATURES, "prompts": PROMPTS},
    )(memorising)
