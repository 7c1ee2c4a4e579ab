"""The playground's engine and its weight files against Python, in a page without anything else."""

import dataclasses
import json
import math
import re
import time

import numpy as np
import pytest
import torch

from helpers import plotting
from helpers.checkpoint import save
from helpers.cli.export import PRECISIONS, export, read
from helpers.corpus import Vocabulary, load_corpus
from helpers.gates import Gates, record_gates
from helpers.models import ARCHITECTURES, CharRNN
from helpers.sampling import NO_GUESS, SamplingSettings, generate, next_distribution, pick
from helpers.training import evaluate, fit
from tests.site.conftest import PLAYGROUND
from tests.site.engine import CELLS, MODELS, give, js_logits, random_model, torch_logits
from tools.runs.common import build
from tools.site.architectures import script

HELD_OUT = "HAMLET:\nTo be, or not to be: that is the question;\nWhether 'tis nobler"

each_cell = pytest.mark.parametrize("cell", CELLS)
each_model = pytest.mark.parametrize("cell", MODELS)


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
    exactly = torch_logits(rounded.double(), vocab, text)  # in float32 torch itself errs by 1e-5
    assert np.abs(ours - exactly).max() < 1e-7
    assert np.abs(ours - torch_logits(model, vocab, text)).max() <= made["largest_error"] + 1e-5


@each_model
def test_the_books_models_equal_torch_within_the_stated_error(engine, cell):
    """Against the exact logits that the export stored, and torch with the rounded weights."""
    name = give(engine, MODELS[cell])
    model, vocab, description = read(MODELS[cell])
    check, stated = description["check"], description["largest_error"]
    ours = js_logits(engine, name, check["text"])
    error = np.abs(ours[check["places"]] - check["logits"]).max()
    assert 0 < error <= stated + 1e-5
    assert stated < (0.02 if description["precision"] == "float16" else 0.5)
    for text in (check["text"], HELD_OUT):  # torch in float64: in float32 it errs by 1e-5 itself
        theirs = torch_logits(model.double(), vocab, text)
        np.testing.assert_allclose(js_logits(engine, name, text), theirs, rtol=0, atol=1e-6)


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


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_distributions_equal_pythons(engine, settings):
    rng = np.random.default_rng(5)
    several = [rng.normal(0, 3, 9) for _ in range(20)]
    several += [np.zeros(9), np.repeat([2.0, 1.0, 2.0], 3), np.log([5, 3, 1, 1, 1, 1, 1, 1, 1e-9])]
    ours = engine.evaluate(
        """([several, s]) => {
            const { nextDistribution } = charbook.sampling;
            return several.map((z) => Array.from(nextDistribution(z, s)));
        }""",
        [[z.tolist() for z in several], settings],
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
        "([p, us]) => us.map((u) => charbook.sampling.pick(p, u))", [p.tolist(), uniforms]
    )
    assert ours == [pick(p, u) for u in uniforms]


@pytest.mark.parametrize(
    "setting",
    [
        "{temperature: -1}", "{temperature: NaN}", "{temperature: Infinity}", "{top_k: 0}",
        "{top_k: 1.5}", "{top_p: 0}", "{top_p: 1.1}", "{min_p: -0.1}",
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(engine, setting):
    said = engine.evaluate(
        f"() => {{ try {{ charbook.sampling.nextDistribution([1, 2], {setting}); }}"
        " catch (error) { return String(error); } }"
    )
    assert said is not None
    assert said.startswith("RangeError")


def refusal(page, expression):
    """What an expression throws, as "name: message"; None where it throws nothing."""
    return page.evaluate(
        "expression => { try { eval(expression); return null; } catch (e) { return String(e); } }",
        expression,
    )


@pytest.mark.parametrize("settings", ["{}", "{temperature: 0}", "{top_k: 1}", "{min_p: 0.1}"])
@pytest.mark.parametrize("logits", ["[NaN, 1]", "[1, NaN]", "[0, Infinity]", "[-1 / 0, -1 / 0]"])
def test_logits_that_are_no_numbers_are_refused_in_pythons_words(engine, logits, settings):
    said = refusal(engine, f"charbook.sampling.nextDistribution({logits}, {settings})")
    assert said == f"Error: {NO_GUESS}"


@pytest.mark.parametrize("p", [[0.5, math.nan], [0.0, 0.0], [math.inf, 1.0]], ids=str)
def test_drawing_from_what_is_no_distribution_is_refused_as_in_python(engine, p):
    text = json.dumps(p)
    assert refusal(engine, f"charbook.sampling.pick({text}, 0.3)") == f"Error: {NO_GUESS}"
    with pytest.raises(ValueError, match=re.escape(NO_GUESS)):
        pick(np.array(p), 0.3)


@pytest.mark.parametrize("id_", ["-1", "3", "1.5", "NaN", "undefined", "'1'"])
def test_an_id_that_is_not_in_the_vocabulary_is_refused(engine, tmp_path, id_):
    name = give(engine, random_model("lstm", Vocabulary("abc"), tmp_path)[1]["path"])
    said = refusal(engine, f"loaded['{name}'].step(loaded['{name}'].start(), {id_})")
    assert re.fullmatch("RangeError: id .+ is outside the vocabulary's 0 to 2", said)


@pytest.mark.parametrize("seed", ["-1", "1.5", "NaN", "Infinity", "2 ** 53", "'1'", "true", "null"])
def test_a_seed_that_is_no_whole_number_is_refused(engine, seed):
    said = refusal(engine, f"new charbook.sampling.Uniforms({seed})")
    assert said.startswith("RangeError: seed must be a whole number from 0 to ")


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1, 2**32 + 5, 2**53 - 1])
def test_random_numbers_are_numpys(engine, seed):
    for i in (0, 3):
        ours = engine.evaluate(
            """([seed, i]) => { const random = new charbook.sampling.Uniforms(seed, i);
                return Array.from({length: 300}, () => random.next()); }""",
            [seed, i],
        )
        assert ours == np.random.default_rng([seed, i]).random(300).tolist()


def js_text(page, name, prompt, length, settings, random):
    return page.evaluate(
        f"""([name, prompt, length, settings]) => {{
            const model = loaded[name];
            const writer = new charbook.sampling.Writer(model, prompt, {random});
            let text = prompt;
            for (let i = 0; i < length; i++) text += model.characters[writer.next(settings)];
            return text;
        }}""",
        [name, prompt, length, settings],
    )


@each_cell
def test_500_characters_equal_pythons_for_the_same_uniform_numbers(engine, tmp_path, cell):
    """Unquantised weights; the numbers that NumPy draws for the seed are handed over."""
    corpus = load_corpus("coriolanus")
    sizes = {"embed_size": 24, "num_layers": 2} if cell == "transformer" else {}
    model = build(cell, len(corpus.vocab), seed=1, **sizes)
    fit(model, corpus.split()[0], steps=15)
    save(tmp_path / "run", model, corpus.vocab)
    name = give(engine, export(tmp_path / "run", tmp_path / f"{cell}-full.js", "float32")["path"])
    for seed, settings in enumerate([{}, {"temperature": 0.7, "top_k": 12, "top_p": 0.9}]):
        theirs = generate(model, corpus.vocab, HELD_OUT[:20], 500, seed=seed, **settings)
        numbers = np.random.default_rng([seed, 0]).random(500).tolist()
        given = f"{{ numbers: {numbers}, at: 0, next() {{ return this.numbers[this.at++]; }} }}"
        assert js_text(engine, name, HELD_OUT[:20], 500, settings, given) == theirs


def test_greedy_writes_the_first_of_equal_characters_as_python_does(engine, tmp_path):
    """On the path that writes text."""
    vocab = Vocabulary("abcde")
    model = CharRNN(len(vocab), 3, 4)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias[:] = torch.tensor([0.0, 2.0, 1.0, 2.0, 2.0])
    save(tmp_path / "run", model, vocab)
    name = give(engine, export(tmp_path / "run", tmp_path / "ties.js", "float32")["path"])
    random = "new charbook.sampling.Uniforms(1)"
    ours = js_text(engine, name, "e", 20, {"temperature": 0}, random)
    assert ours == generate(model, vocab, "e", 20, temperature=0) == "e" + "b" * 20


@each_model
def test_the_books_models_write_what_python_writes_for_a_seed(engine, cell):
    """With helpers.cli.export.read, a seed and nothing else in common."""
    name = give(engine, MODELS[cell])
    model, vocab, _ = read(MODELS[cell])
    for seed, settings in {3: {}, 2**40: {"temperature": 0.8, "top_p": 0.9}}.items():
        theirs = generate(model, vocab, "HAMLET:\n", 500, seed=seed, **settings)
        random = f"new charbook.sampling.Uniforms({seed})"
        assert js_text(engine, name, "HAMLET:\n", 500, settings, random) == theirs


def test_gates_equal_record_gates(engine):
    name = give(engine, MODELS["lstm"])
    model, vocab, _ = read(MODELS["lstm"])
    ours = engine.evaluate(
        """([name, text, fields]) => {
            const rows = [], model = loaded[name];
            const keep = (_, state) => rows.push(fields.map((f) => Array.from(state[f])));
            const { Uniforms, Writer } = charbook.sampling;
            new Writer(model, text, new Uniforms(0), keep).prime();
            return rows;
        }""",
        [name, HELD_OUT, list(Gates._fields)],
    )
    theirs = np.stack(record_gates(model, vocab.encode(HELD_OUT)), axis=1)  # (T, 6, H)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)  # a cell state may be 40


@each_model
def test_surprise_equals_evaluate(engine, cell):
    name = give(engine, MODELS[cell])
    model, vocab, _ = read(MODELS[cell])
    ours = engine.evaluate(
        "([n, t]) => charbook.sampling.surprises(loaded[n], loaded[n].encode(t))",
        [name, HELD_OUT],
    )
    assert ours[0] is None
    assert np.mean(ours[1:]) == pytest.approx(evaluate(model, vocab.encode(HELD_OUT)), abs=1e-5)


def test_an_unknown_character_is_named(engine):
    name = give(engine, MODELS["rnn"])
    said = engine.evaluate(
        """(name) => { try { loaded[name].encode("naïve 🙂"); } catch (error) {
            return [error instanceof charbook.engine.UnknownCharacters, error.unknown, error.first];
        } }""",
        name,
    )
    assert said == [True, ["ï", "🙂"], 3]


def test_files_of_another_kind_are_refused(engine):
    for wrong in ("undefined", "{}", '{format: "character-by-character model", version: 2}'):
        with pytest.raises(Exception, match="not a model"):
            engine.evaluate(f"() => charbook.engine.load({wrong})")


def test_it_writes_2000_characters_a_second(engine):
    """The LSTM, with both cuts on, which cost a sort; the best of up to twenty tries."""
    name = give(engine, MODELS["lstm"])
    speed = 0
    for _ in range(20):
        speed = max(
            speed,
            engine.evaluate(
                """(name) => {
                    const writer = new charbook.sampling.Writer(
                        loaded[name], "HAMLET:", new charbook.sampling.Uniforms(1));
                    const begun = performance.now();
                    for (let i = 0; i < 500; i++) writer.next({ top_k: 40, top_p: 0.95 });
                    return 500 / (performance.now() - begun) * 1000;
                }""",
                name,
            ),
        )
        if speed > 2000:
            break
        time.sleep(0.3)
    assert speed >= 2000, f"{speed:.0f} characters a second"


def test_what_the_page_states_again_is_what_python_has(engine):
    """Constants that JavaScript cannot import."""
    for name in ("architectures", "numbers", "page", "colours"):
        path = PLAYGROUND / f"{name}.js"
        engine.add_script_tag(**({"path": path} if path.exists() else {"content": script()}))
    stops = engine.evaluate("charbook.colours.COLOURS.light")
    for name, colours in {"amount": plotting.AMOUNT, "signed": plotting.SIGNED}.items():
        ramp = engine.evaluate("stops => Array.from(charbook.colours.ramp(stops))", stops[name])
        theirs = 255 * colours(np.linspace(0, 1, 256))[:, :3]
        assert np.abs(np.reshape(ramp, (256, 3)) - theirs).max() <= 1.01
    shown = engine.evaluate("all => all.map(charbook.page.visible)", list(plotting.VISIBLE))
    assert shown == list(plotting.VISIBLE.values())
    assert engine.evaluate("charbook.sampling.SETTINGS") == dataclasses.asdict(SamplingSettings())
    in_page = [name for name, a in ARCHITECTURES.items() if a.in_page]
    assert engine.evaluate("Object.keys(charbook.engine.classes)") == in_page == list(CELLS)
    table = engine.evaluate("charbook.architectures")
    assert [name for name, row in table.items() if row["inPage"]] == list(MODELS)
    engine.add_script_tag(path=PLAYGROUND / "settings.js")
    sliders = engine.evaluate("Object.keys(charbook.settings.SLIDERS)")
    assert sliders == [field.name for field in dataclasses.fields(SamplingSettings)]
