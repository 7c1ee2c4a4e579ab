"""The run of *Memorising*: an LSTM trained for longer and longer."""

from helpers.corpus import load_corpus
from helpers.sampling import generate
from tools.runs.common import long_run, losses_of, repeat_reference, train_reference

EPOCHS, TEMPERATURE, PROMPT = 60, 0.5, "\n\nAll:\n"


@long_run(
    "longer",
    repeat=repeat_reference,
    plan=[{"cell": "lstm", "seed": seed} for seed in (0, 1)],
    settings={"epochs": EPOCHS, "temperature": TEMPERATURE},
)
def longer(configuration, corpus, eval_every=10, texts=4):
    """Losses, and what the LSTM writes after every ten epochs."""
    vocab, written = load_corpus(corpus).vocab, {}

    def write(epoch, model, history):
        if epoch % eval_every == 0:
            new = [generate(model, vocab, PROMPT, 1000, TEMPERATURE, seed=k) for k in range(texts)]
            written[epoch] = [text.removeprefix(PROMPT) for text in new]

    _, history = train_reference(configuration, corpus, EPOCHS, callback=write)
    return losses_of(history) | {"written": written}
