"""What learns in the page against NumpyCharLSTM and the book's recipe, in a page of its own."""

import inspect

import numpy as np
import pytest

from helpers.corpus import Vocabulary, load_corpus, split_ids
from helpers.models import CharRNN
from helpers.ngram import NGram
from helpers.numpy_lstm import NumpyCharLSTM
from helpers.training import evaluate, fit
from tests.site.browser import page_of
from tools.site.live import STATIC, needed

SHORT = load_corpus("coriolanus", limit=2000).text


@pytest.fixture(scope="module")
def trainer(browser, tmp_path_factory):
    """A page from the disk with the scripts that learn and nothing else."""
    scripts = [STATIC / f"{name}.js" for name in needed(["trainer"])]
    with page_of(browser, tmp_path_factory.mktemp("trainer"), *scripts) as page:
        yield page


ARITHMETIC_OF = {"plain": "charbook.plain.plain()", "simd": "charbook.simd.simd(H)"}


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
@pytest.mark.parametrize("kind", ARITHMETIC_OF)
def test_products_equal_numpys(trainer, kind, turned):
    """Sizes that are no multiples of the blocks, rows longer than a part; what is turned is the
    same matrix, transposed."""
    rng = np.random.default_rng(0)
    for m, n, k in [(3, 4, 5), (7, 9, 300), (2, 3, 1), (6, 8, 513), (1, 1, 256), (13, 17, 260)]:
        a, b, out = rng.normal(size=(m, k)), rng.normal(size=(k, n)), rng.normal(size=(m, n))
        given = [(x.T if turned else x).ravel().tolist() for x in (a, b)]
        ours = trainer.evaluate(
            f"""([m, n, k, turned, given, start]) => {{
                const H = 4;
                const arithmetic = {ARITHMETIC_OF[kind]};
                const size = arithmetic.packedSize(k, n);
                const floats = {{a: m * k, b: k * n, out: m * n, buffer: size, after: 4}};
                const made = arithmetic.arrays(floats, {{}});
                const {{ a, b, out, buffer, after }} = made;
                a.set(given[0]); b.set(given[1]); out.set(start);
                const packed = arithmetic.pack(buffer, b, k, n, turned);
                arithmetic.product(out, m, n, k, a, turned, packed);
                if (after.some(Boolean)) throw new Error("written beyond the end");
                return Array.from(out);
            }}""",
            [m, n, k, turned, given, out.ravel().tolist()],
        )
        assert np.abs(np.reshape(ours, (m, n)) - (out + a @ b)).max() < 4e-6 * np.sqrt(k)


@pytest.mark.parametrize("kind", ARITHMETIC_OF)
def test_activations_are_exact_wherever_a_sum_lies(trainer, kind):
    """From where a sigmoid is 0 to where it is 1: i, f, g, o, c, tanh(c) and h, to 1e-6."""
    sums = np.concatenate(
        [np.linspace(-100, 100, 201), np.linspace(-2, 2, 203), [-1e30, 1e30, 0, -0.0]]
    )
    gates = np.stack([sums, sums[::-1], np.roll(sums, 7), np.roll(sums, 50)])  # (4, H)
    before = np.resize(np.linspace(-3, 3, 31), sums.shape)
    ours = trainer.evaluate(
        f"""([gates, before]) => {{
            const H = before.length;
            const arithmetic = {ARITHMETIC_OF[kind]};
            const floats = {{gates: 4 * H, before: H, c: H, tanhC: H, h: H}};
            const made = arithmetic.arrays(floats, {{}});
            made.gates.set(gates); made.before.set(before);
            arithmetic.activate(made.gates, made.before, made.c, made.tanhC, made.h, 1, H);
            return [...made.gates, ...made.c, ...made.tanhC, ...made.h];
        }}""",
        [gates.ravel().tolist(), before.tolist()],
    )
    i, f, g, o = gates.astype("float32").astype("float64")
    i, f, o = (1 / (1 + np.exp(-np.clip(gate, -700, 700))) for gate in (i, f, o))
    g = np.tanh(g)
    c = f * before + i * g
    expected = np.concatenate([i, f, g, o, c, np.tanh(c), o * np.tanh(c)])
    assert np.abs(np.array(ours) - expected).max() < 1e-6


# Arithmetic; B, T, E, H, V: vectors of four want an H of that kind, and nothing else. One network
# is nearly as large as those that the page offers.
SIZES = [
    ("plain", 3, 4, 5, 6, 7),
    ("plain", 7, 5, 3, 9, 11),
    ("simd", 3, 4, 5, 8, 7),
    ("simd", 7, 5, 3, 12, 11),
    ("simd", 6, 20, 32, 64, 63),
]


def twin(trainer, sizes, scale=2):
    """The same network in NumPy and in the page (as ``learner``), with a few batches."""
    kind, batch, time, embed, hidden, vocab = sizes
    ours = NumpyCharLSTM(vocab, embed, hidden, seed=1, dtype="float64")
    for value in ours.params.values():
        value *= scale
    trainer.evaluate(
        f"""([config, B, T, weights]) => {{
            const H = config.hidden_size;
            const random = new charbook.sampling.Uniforms(0);
            const arithmetic = {ARITHMETIC_OF[kind]};
            globalThis.learner = new charbook.learner.Learner(config, B, T, random, arithmetic);
            for (const name in weights) learner.weights[name].set(weights[name]);
        }}""",
        [
            {"vocab_size": vocab, "embed_size": embed, "hidden_size": hidden},
            batch,
            time,
            {name: value.ravel().tolist() for name, value in ours.params.items()},
        ],
    )
    rng = np.random.default_rng(2)
    return ours, [rng.integers(0, vocab, (2, batch, time)) for _ in range(20)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_loss_and_gradients_equal_numpys(trainer, sizes):
    """To 1e-5, and again for the next batch: nothing is left over from the one before."""
    ours, batches = twin(trainer, sizes)
    for x, y in batches[:3]:
        loss, grads, _ = ours.loss_and_grads(x, y)
        theirs = trainer.evaluate(
            """([x, y]) => {
                const loss = learner.lossAndGrads(x, y);
                const all = Object.entries(learner.grads);
                return [loss, Object.fromEntries(all.map(([n, g]) => [n, Array.from(g)]))];
            }""",
            [x.ravel().tolist(), y.ravel().tolist()],
        )
        assert theirs[0] == pytest.approx(loss, abs=1e-5)
        assert theirs[1].keys() == grads.keys()
        for name, grad in grads.items():
            assert np.abs(np.reshape(theirs[1][name], grad.shape) - grad).max() < 1e-5, name
            assert np.abs(grad).max() > 1e-3, name


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_adam_with_clipping_takes_numpys_steps(trainer, sizes):
    """Twenty updates; the bound is such that some gradients are clipped and some are not."""
    ours, batches = twin(trainer, sizes)
    norms = []
    for x, y in batches:
        grads = ours.loss_and_grads(x, y)[1]
        norms.append(np.sqrt(sum((g**2).sum() for g in grads.values())))
    clip = float(np.median(norms)) / 2
    unclipped, _ = twin(trainer, sizes)
    losses, difference = [], 0
    for x, y in batches:
        losses.append(ours.train_step(x, y, lr=1e-2, clip=clip)[0])
        difference = max(
            difference, abs(unclipped.train_step(x, y, lr=1e-2, clip=None)[0] - losses[-1])
        )
    theirs = trainer.evaluate(
        """([batches, clip]) =>
            batches.map(([x, y]) => learner.trainStep(x, y, {rate: 1e-2, clip}))""",
        [[[b.ravel().tolist() for b in pair] for pair in batches], clip],
    )
    assert difference > 1e-3  # so that clipping cannot be left out unseen
    assert np.abs(np.array(theirs) - losses).max() < 1e-5
    weights = trainer.evaluate(
        """() => Object.fromEntries(
            Object.entries(learner.weights).map(([n, w]) => [n, Array.from(w)]))"""
    )
    for name, value in ours.params.items():
        assert np.abs(np.reshape(weights[name], value.shape) - value).max() < 1e-4, name


@pytest.mark.parametrize(
    ("spoil", "hidden", "taken"),
    [
        ("", 8, "simd"),
        ("", 6, "plain"),
        ("WebAssembly.validate = () => false;", 8, "plain"),
        ("WebAssembly = undefined;", 8, "plain"),
    ],
)
def test_where_there_are_no_vectors_plain_javascript_learns(
    browser, tmp_path, spoil, hidden, taken
):
    scripts = [STATIC / f"{name}.js" for name in needed(["trainer"])]
    with page_of(browser, tmp_path, *scripts) as page:
        buffers, losses = page.evaluate(
            f"""(H) => {{
                {spoil}
                const config = {{vocab_size: 7, embed_size: 3, hidden_size: H}};
                const random = new charbook.sampling.Uniforms(0);
                const learner = new charbook.learner.Learner(config, 1, 4, random);
                const losses = Array.from({{length: 30}}, () =>
                    learner.trainStep([0, 1, 2, 3], [1, 2, 3, 4], {{rate: 0.1}}));
                return [new Set([learner.flat.buffer, learner.dC.buffer]).size, losses];
            }}""",
            hidden,
        )
    assert buffers == {"simd": 1, "plain": 2}[taken]  # one memory, or an array each
    assert losses[0] > 1.5
    assert losses[-1] < 0.1


def test_first_weights_have_pytorchs_distributions(trainer):
    embedding, recurrent = trainer.evaluate(
        """() => {
            const config = {vocab_size: 50, embed_size: 32, hidden_size: 64};
            const random = new charbook.sampling.Uniforms(3);
            const { weights } = new charbook.learner.Learner(config, 3, 5, random);
            const both = ["embedding.weight", "recurrent.weight_hh_l0"];
            return both.map((name) => Array.from(weights[name]));
        }"""
    )
    assert np.mean(embedding) == pytest.approx(0, abs=0.1)
    assert np.std(embedding) == pytest.approx(1, abs=0.1)
    assert np.abs(recurrent).max() == pytest.approx(1 / 8, abs=1e-3)
    assert np.std(recurrent) == pytest.approx(1 / 8 / np.sqrt(3), rel=0.05)


def test_a_text_is_cut_as_in_python(trainer):
    text = "\ufeff" + SHORT.replace("\n", "\r\n") + "naïve 🙂 \uffff"
    ours = trainer.evaluate(
        """(text) => {
            const { characters, train, held } = charbook.corpus.prepare(text);
            return [characters, Array.from(train), Array.from(held)];
        }""",
        text,
    )
    plain = SHORT + "naïve 🙂 \uffff"
    vocab = Vocabulary(plain)
    assert ours[0] == "".join(vocab.chars)
    for theirs, part in zip(ours[1:], split_ids(vocab.encode(plain)), strict=True):
        assert theirs == part.tolist()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has 0 characters. It must have at least 1,000; for words to appear, 20,000 or more."),
        ("To be, or not to be.", "has 20 characters. It must have at least 1,000"),
        ("a" * 2000, "has one character only, over and over"),
        ("ab" * 500_001, "has 1,000,002 characters, and the page takes 1,000,000 at most"),
        ("".join(map(chr, range(0x4E00, 0x4E00 + 600))) * 3, "has 600 different characters"),
    ],
    ids=["empty", "short", "one character", "long", "many characters"],
)
def test_a_text_that_cannot_be_learned_is_refused_with_a_word_on_why(trainer, text, why):
    with pytest.raises(Exception, match=f"Error: This text {why}"):
        trainer.evaluate("(text) => charbook.corpus.prepare(text)", text)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_counting_has_the_loss_that_python_finds(trainer, order):
    vocab = Vocabulary(SHORT)
    train, held = split_ids(vocab.encode(SHORT))
    loss = trainer.evaluate(
        "([train, held, V, order]) => charbook.corpus.ngramLoss(train, held, V, order)",
        [train.tolist(), held.tolist(), len(vocab), order],
    )
    ngram = NGram(order, len(vocab), "witten-bell").fit(train)
    assert loss == pytest.approx(evaluate(ngram, held), abs=1e-9)


@pytest.mark.parametrize(
    ("settings", "spoil", "said"),
    [
        ({"rate": 1e300, "updates": 10}, "", "After 2 updates"),
        ({"rate": 0.01, "updates": 1}, "progress", "After 1 update"),
    ],
    ids=["the loss", "the logits"],
)
def test_a_loss_that_is_no_number_ends_the_training(trainer, settings, spoil, said):
    """Whether it is the loss that shows it first or, after an update, the logits."""
    with pytest.raises(Exception, match=f"{said} the .*no number any more.*smaller learning rate"):
        trainer.evaluate(
            """([text, settings, spoil]) => {
                const post = (kind) => { if (kind === spoil) training.learner.flat.fill(NaN); };
                const training = new charbook.trainer.Training(text, settings, post);
                for (const _ of training.run());
            }""",
            [SHORT, {"units": 4, "seed": 1, **settings}, spoil],
        )


def test_a_text_that_is_scored_in_parts_has_nearly_the_loss_of_one_stream(trainer):
    """A short one exactly; and what is learned afterwards is not touched by it."""
    short, parts, change = trainer.evaluate(
        """(text) => {
            const { predictions, Uniforms } = charbook.sampling;
            const { characters, train: ids } = charbook.corpus.prepare(text);
            const V = Array.from(characters).length;
            const config = {vocab_size: V, embed_size: 8, hidden_size: 16};
            const learner = new charbook.learner.Learner(config, 30, 50, new Uniforms(1));
            const [x, y] = [ids.subarray(0, 1500), ids.subarray(1, 1501)];
            for (let k = 0; k < 100; k++) learner.trainStep(x, y, {rate: 0.02});
            const before = learner.lossAndGrads(x, y);
            const model = new charbook.engine.Model(learner.config, characters, learner.weights);
            const differences = [900, 7001].map((count) => {
                const held = ids.subarray(0, count);
                let total = 0, at = 0;
                for (const p of predictions(model, held)) {
                    if (p) total -= Math.log(p[held[at]]);
                    at++;
                }
                const steps = learner.heldOutLoss(held);
                let step;
                do step = steps.next(); while (!step.done);
                return step.value - total / (count - 1);
            });
            return [...differences, learner.lossAndGrads(x, y) - before];
        }""",
        load_corpus("austen", limit=9000).text,
    )
    assert abs(short) < 1e-5
    assert abs(parts) < 1e-3
    assert change == 0


@pytest.mark.parametrize(("text", "share"), [("abcdefghij" * 200, 1.0), (SHORT, 0.0)])
def test_stretches_that_are_repeated_are_counted(trainer, text, share):
    ours = trainer.evaluate(
        """(text) => {
            const { train, held } = charbook.corpus.prepare(text);
            return charbook.corpus.repeated(train, held);
        }""",
        text,
    )
    train, held = split_ids(Vocabulary(text).encode(text))
    places = [held[k : k + 20].tobytes() in train.tobytes() for k in range(len(held) - 19)]
    assert ours == pytest.approx(np.mean(places)) == share


@pytest.mark.parametrize("id_", [-1, 7, 0.5])
def test_ids_outside_the_vocabulary_are_refused(trainer, id_):
    twin(trainer, ("simd", 1, 2, 3, 4, 7))
    for x, y in ([0, id_], [1, 2]), ([1, 2], [0, id_]):
        with pytest.raises(Exception, match=f"id {id_} is outside the vocabulary's 0 to 6"):
            trainer.evaluate("([x, y]) => learner.lossAndGrads(x, y)", [x, y])


def test_a_sample_has_200_characters_by_code_point(trainer):
    samples = trainer.evaluate(
        """() => {
            const samples = [];
            const post = (kind, facts) => { if (kind === "sample") samples.push(facts.text); };
            const settings = {units: 4, rate: 0.01, updates: 1, seed: 1};
            const text = "🙂🙃".repeat(1000);
            for (const _ of new charbook.trainer.Training(text, settings, post).run());
            return samples;
        }"""
    )
    assert [len(sample) for sample in samples] == [200, 200]


def test_half_a_surrogate_pair_becomes_a_replacement_character(trainer):
    """As where a browser saves such a text; the vocabulary has the right size."""
    characters, size = trainer.evaluate(
        """() => {
            const text = "ab\\ud83d cd \\ude00 🙂".repeat(300);
            const settings = {units: 4, rate: 0.01, updates: 1, seed: 1};
            const training = new charbook.trainer.Training(text, settings, () => {});
            for (const _ of training.run());
            return [training.characters, training.facts().characters];
        }"""
    )
    assert characters == " abcd\ufffd🙂"
    assert size == len(characters)


def test_the_recipe_is_the_books(trainer):
    """But for the batch, which suits a page, and the rate, which the reader chooses."""
    defaults = {
        name: parameter.default
        for function in (CharRNN, fit)
        for name, parameter in inspect.signature(function).parameters.items()
    }
    ours = trainer.evaluate("charbook.trainer.DEFAULTS")
    assert ours == {name: defaults[name] for name in ours}
    for name in ("page", "training-form"):
        trainer.add_script_tag(path=STATIC / f"playground/{name}.js")
    sizes = trainer.evaluate("charbook.trainingForm.SIZES")
    (books,) = [size for size, text in sizes.items() if "as in the book" in text]
    assert int(books) == defaults["hidden_size"]


def test_a_run_of_so_many_seconds_ends_then_and_goes_on_for_as_many(trainer):
    """Seconds of work, not of waiting; the last network is scored and has written a sample. By a
    clock on which a millisecond passes whenever it is looked at."""
    spent, left, ends = trainer.evaluate(
        """(text) => {
            let time = 0;
            performance.now = () => time++;
            const ends = [], left = [];
            const post = (kind, facts) => {
                if (kind !== "progress") ends.push([kind, facts]);
                else if (facts.left !== null) left.push(facts.seconds + facts.left);
            };
            const settings = {units: 4, rate: 0.01, seconds: 0.3, seed: 1};
            const training = new charbook.trainer.Training(text, settings, post);
            const spent = [];
            for (let leg = 0; leg < 2; leg++) {
                const steps = training.run();
                steps.next();
                time += 400; // paused
                while (!steps.next().done);
                spent.push(training.spent);
                training.goal += 0.3;
            }
            delete performance.now;
            return [spent, left, ends.slice(-2).map(([kind, facts]) =>
                [kind, facts.updates - training.learner.updates])];
        }""",
        SHORT,
    )
    assert 0.3 <= spent[0] < 0.4
    assert 0.6 <= spent[1] < 0.7
    assert {0.3, 0.6} <= {round(seconds, 6) for seconds in left}
    assert ends == [["held", 0], ["sample", 0]]
