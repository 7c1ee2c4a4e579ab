"""The playground: its engine against Python, and its page in a reader's browser."""

import importlib.util
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import chromium, watch

from helpers.checkpoint import save
from helpers.corpus import SOURCES, Vocabulary, load_corpus
from helpers.export import PRECISIONS, export, read
from helpers.gates import Gates, record_gates
from helpers.models import CharRNN, evaluating, predict
from helpers.sampling import generate, next_distribution, pick
from helpers.training import evaluate, fit

ROOT = Path(__file__).resolve().parent.parent
PLAYGROUND = ROOT / "extra/_static/playground"
CELLS = ("rnn", "lstm", "gru")
MODELS = {cell: PLAYGROUND / "models" / f"{cell}.js" for cell in CELLS}
HELD_OUT = "HAMLET:\nTo be, or not to be: that is the question;\nWhether 'tis nobler"

each_cell = pytest.mark.parametrize("cell", CELLS)


@pytest.fixture(scope="module")
def browser():
    with chromium() as it:
        yield it


@pytest.fixture(scope="module")
def engine(browser, tmp_path_factory):
    """A page from the disk with the engine and nothing else."""
    page_file = tmp_path_factory.mktemp("engine") / "page.html"
    page_file.write_text(f'<!doctype html><script src="{PLAYGROUND.as_uri()}/engine.js"></script>')
    page = browser.new_page()
    complaints = watch(page)
    page.goto(page_file.as_uri())
    yield page
    assert complaints == []
    page.close()


def give(page, path):
    """Load an exported model into the page, as charbookModels[stem] and as a Model."""
    page.add_script_tag(url=Path(path).as_uri())
    page.evaluate(
        "n => { (globalThis.loaded ??= {})[n] = charbookEngine.load(charbookModels[n]); }",
        Path(path).stem,
    )
    return Path(path).stem


def js_logits(page, name, text):
    """Logits (T, V) after each character of a text."""
    rows = page.evaluate(
        """([name, text]) => {
            const model = loaded[name], state = model.start();
            return model.encode(text).map((id) => Array.from(model.step(state, id)));
        }""",
        [name, text],
    )
    return np.array(rows)


def torch_logits(model, vocab, text):
    with evaluating(model):
        return predict(model, vocab.encode(text)[None])[0][0]


def random_model(cell, vocab, folder, precision="float32", sizes=(5, 6)):
    """A network of unequal odd sizes with large weights, saved and exported."""
    torch.manual_seed(CELLS.index(cell))
    model = CharRNN(len(vocab), *sizes, cell=cell)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2)
    save(folder / "run", model, vocab)
    return model, export(folder / "run", folder / f"{cell}-{precision}.js", precision)


# ---------------------------------------------------------------- the engine against Python


@each_cell
def test_unquantised_logits_equal_torch(engine, tmp_path, cell):
    vocab = Vocabulary("abc\n é🙂")  # beyond 16 bits, where JavaScript counts two
    model, made = random_model(cell, vocab, tmp_path, sizes=(5, 7))
    name = give(engine, made["path"])
    text = "abcé🙂\n  cab" * 20
    ours = js_logits(engine, name, text)
    assert np.abs(ours - torch_logits(model, vocab, text)).max() < 1e-5
    assert np.array_equal(js_logits(engine, name, text), ours)  # from a zero state again


@each_cell
@pytest.mark.parametrize("precision", PRECISIONS)
def test_quantised_logits_equal_torch_within_the_stated_error(engine, tmp_path, cell, precision):
    vocab = Vocabulary("abc\n é—")
    model, made = random_model(cell, vocab, tmp_path, precision)
    name = give(engine, made["path"])
    rounded, _, description = read(made["path"])
    text = description["check"]["text"]
    ours = js_logits(engine, name, text)
    assert np.abs(ours - torch_logits(rounded, vocab, text)).max() < 1e-5
    assert np.abs(ours - torch_logits(model, vocab, text)).max() <= made["largest_error"] + 1e-5


@each_cell
def test_the_books_models_equal_torch_within_the_stated_error(engine, cell):
    """Against the exact logits that the export stored, and torch with the rounded weights."""
    name = give(engine, MODELS[cell])
    model, vocab, description = read(MODELS[cell])
    check, stated = description["check"], description["largest_error"]
    ours = js_logits(engine, name, check["text"])
    error = np.abs(ours[check["places"]] - check["logits"]).max()
    assert 0 < error <= stated + 1e-5
    assert stated < 0.01
    assert np.abs(ours - torch_logits(model, vocab, check["text"])).max() < 1e-5
    assert (
        np.abs(js_logits(engine, name, HELD_OUT) - torch_logits(model, vocab, HELD_OUT)).max()
        < 1e-5
    )


SETTINGS = [
    {},
    {"temperature": 0},
    {"temperature": 0.5},
    {"temperature": 1.7, "top_k": 3},
    {"top_p": 0.6},
    {"top_p": 1e-9},
    {"temperature": 0.8, "top_k": 4, "top_p": 0.7},
    {"temperature": 2, "top_p": 0.5, "min_p": 0.2},
    {"min_p": 0.3},
    {"top_k": 99},
    {"top_k": 1},
]


def in_js(settings):
    names = {"top_k": "topK", "top_p": "topP", "min_p": "minP"}
    return {names.get(k, k): v for k, v in settings.items()}


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_distributions_equal_pythons(engine, settings):
    rng = np.random.default_rng(5)
    several = [rng.normal(0, 3, 9) for _ in range(20)]
    several += [np.zeros(9), np.repeat([2.0, 1.0, 2.0], 3), np.log([5, 3, 1, 1, 1, 1, 1, 1, 1e-9])]
    ours = engine.evaluate(
        "([several, s]) => several.map((z) => Array.from(charbookEngine.nextDistribution(z, s)))",
        [[z.tolist() for z in several], in_js(settings)],
    )
    for z, p in zip(several, ours, strict=True):
        theirs = next_distribution(z, **settings)
        assert np.abs(np.array(p) - theirs).max() < 1e-12
        assert np.array_equal(np.array(p) > 0, theirs > 0)


def test_drawing_equals_pythons(engine):
    rng = np.random.default_rng(6)
    p = np.array([0, 0.25, 0, 0.5, 0.25, 0])
    uniforms = [0.0, 0.25, 0.5, 0.75, 1 - 2**-53, *rng.random(200).tolist()]
    ours = engine.evaluate(
        "([p, us]) => us.map((u) => charbookEngine.pick(p, u))", [p.tolist(), uniforms]
    )
    assert ours == [pick(p, u) for u in uniforms]


@pytest.mark.parametrize(
    "setting",
    [
        "{temperature: -1}", "{temperature: NaN}", "{temperature: Infinity}", "{topK: 0}",
        "{topK: 1.5}", "{topP: 0}", "{topP: 1.1}", "{minP: -0.1}",
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(engine, setting):
    said = engine.evaluate(
        f"() => {{ try {{ charbookEngine.nextDistribution([1, 2], {setting}); }}"
        " catch (error) { return String(error); } }"
    )
    assert said is not None
    assert said.startswith("RangeError")


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1, 2**32 + 5, 2**53 - 1])
def test_random_numbers_are_numpys(engine, seed):
    for i in (0, 3):
        ours = engine.evaluate(
            """([seed, i]) => { const random = new charbookEngine.Uniforms(seed, i);
                return Array.from({length: 300}, () => random.next()); }""",
            [seed, i],
        )
        assert ours == np.random.default_rng([seed, i]).random(300).tolist()


def js_text(page, name, prompt, length, settings, random):
    return page.evaluate(
        f"""([name, prompt, length, settings]) => {{
            const model = loaded[name];
            const writer = new charbookEngine.Writer(model, prompt, {random});
            let text = prompt;
            for (let i = 0; i < length; i++) text += model.characters[writer.next(settings)];
            return text;
        }}""",
        [name, prompt, length, in_js(settings)],
    )


@each_cell
def test_500_characters_equal_pythons_for_the_same_uniform_numbers(engine, tmp_path, cell):
    """Unquantised weights; the numbers that NumPy draws for the seed are handed over."""
    corpus = load_corpus("shakespeare")
    torch.manual_seed(1)
    model = CharRNN(len(corpus.vocab), cell=cell)
    fit(model, corpus.split()[0], steps=15)
    save(tmp_path / "run", model, corpus.vocab)
    name = give(engine, export(tmp_path / "run", tmp_path / f"{cell}-full.js", "float32")["path"])
    for seed, settings in enumerate([{}, {"temperature": 0.7, "top_k": 12, "top_p": 0.9}]):
        theirs = generate(model, corpus.vocab, HELD_OUT[:20], 500, seed=seed, **settings)
        numbers = np.random.default_rng([seed, 0]).random(500).tolist()
        given = f"{{ numbers: {numbers}, at: 0, next() {{ return this.numbers[this.at++]; }} }}"
        assert js_text(engine, name, HELD_OUT[:20], 500, settings, given) == theirs


@each_cell
def test_the_books_models_write_what_python_writes_for_a_seed(engine, cell):
    """With helpers.export.read, a seed and nothing else in common."""
    name = give(engine, MODELS[cell])
    model, vocab, _ = read(MODELS[cell])
    for seed, settings in {3: {}, 2**40: {"temperature": 0.8, "top_p": 0.9}}.items():
        theirs = generate(model, vocab, "HAMLET:\n", 500, seed=seed, **settings)
        random = f"new charbookEngine.Uniforms({seed})"
        assert js_text(engine, name, "HAMLET:\n", 500, settings, random) == theirs


def test_gates_equal_record_gates(engine):
    name = give(engine, MODELS["lstm"])
    model, vocab, _ = read(MODELS["lstm"])
    ours = engine.evaluate(
        """([name, text, fields]) => {
            const rows = [], model = loaded[name];
            const keep = (_, state) => rows.push(fields.map((f) => Array.from(state[f])));
            new charbookEngine.Writer(model, text, new charbookEngine.Uniforms(0), keep).prime();
            return rows;
        }""",
        [name, HELD_OUT, list(Gates._fields)],
    )
    theirs = np.stack(record_gates(model, vocab.encode(HELD_OUT)), axis=1)  # (T, 6, H)
    assert np.abs(np.array(ours) - theirs).max() < 1e-5


@each_cell
def test_surprise_equals_evaluate(engine, cell):
    name = give(engine, MODELS[cell])
    model, vocab, _ = read(MODELS[cell])
    ours = engine.evaluate(
        "([n, t]) => charbookEngine.surprises(loaded[n], loaded[n].encode(t))",
        [name, HELD_OUT],
    )
    assert ours[0] is None
    assert np.mean(ours[1:]) == pytest.approx(evaluate(model, vocab.encode(HELD_OUT)), abs=1e-5)


def test_an_unknown_character_is_named(engine):
    name = give(engine, MODELS["rnn"])
    said = engine.evaluate(
        """(name) => { try { loaded[name].encode("naïve 🙂"); } catch (error) {
            return [error instanceof charbookEngine.UnknownCharacters, error.unknown, error.first];
        } }""",
        name,
    )
    assert said == [True, ["ï", "🙂"], 3]


def test_files_of_another_kind_are_refused(engine):
    for wrong in ("undefined", "{}", '{format: "character-by-character model", version: 2}'):
        with pytest.raises(Exception, match="not a model"):
            engine.evaluate(f"() => charbookEngine.load({wrong})")


def test_it_writes_2000_characters_a_second(engine):
    """The LSTM, with both cuts on, which cost a sort; the best of a few tries."""
    name = give(engine, MODELS["lstm"])
    speed = 0
    for _ in range(5):
        speed = max(
            speed,
            engine.evaluate(
                """(name) => {
                    const writer = new charbookEngine.Writer(
                        loaded[name], "HAMLET:", new charbookEngine.Uniforms(1));
                    const begun = performance.now();
                    for (let i = 0; i < 500; i++) writer.next({ topK: 40, topP: 0.95 });
                    return 500 / (performance.now() - begun) * 1000;
                }""",
                name,
            ),
        )
        if speed > 4000:
            break
        time.sleep(0.3)
    assert speed >= 2000, f"{speed:.0f} characters a second"


# ---------------------------------------------------------------- the weight files


@pytest.fixture(scope="module")
def recipe():
    """tools/playground_models.py, the command that made the files."""
    spec = importlib.util.spec_from_file_location("recipe", ROOT / "tools/playground_models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_cell
def test_the_weight_files_come_from_the_books_own_training(recipe, cell):
    """The stored first losses come again, and the weights score what is written beside them."""
    model, vocab, description = read(MODELS[cell])
    about = description["about"]
    corpus, fresh = recipe.begin(cell)
    train_ids, held_ids = corpus.split()
    history = fit(fresh, train_ids, steps=20, seed=recipe.SEED)
    assert np.allclose(history.step_loss, about["first_losses"], rtol=1e-3)
    assert fresh.config == description["config"]
    assert vocab == corpus.vocab
    assert about["corpus_sha256"] == SOURCES[recipe.CORPUS].sha256
    assert about["epochs"] == recipe.EPOCHS
    assert description["precision"] == recipe.PRECISION
    assert evaluate(model, held_ids) == pytest.approx(about["held_out_nats"], abs=1e-3)
    assert MODELS[cell].stat().st_size < 300_000
