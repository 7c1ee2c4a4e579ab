"""The checks of the exercises: what they accept, what they reject, and what they say.

python -m tests.exercises.test_judging      prints the table of all checks
"""

import re
import time

import numpy as np
import pytest
import torch

from helpers.exercises import answers as checks
from helpers.exercises import judging
from helpers.exercises.answers import NotRight
from helpers.exercises.judging import CORRECT, NOT_ATTEMPTED, NOT_RIGHT, all_checks, check, judged
from tests.exercises.cases import all_cases, all_exercises
from tools.notebooks.stubs import CALL

CASES = {case.name: case for case in all_cases()}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Sizes are tiny, and threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)]).step()  # torch loads half of itself
    yield
    torch.set_num_threads(before)


def test_every_check_has_an_exercise_and_cases():
    table = all_checks()
    used = {}
    for path, exercise in all_exercises():
        for cell in exercise.answers:
            used |= dict.fromkeys(CALL.findall(cell.source), path.stem)
    assert set(used) == set(table) == set(CASES)
    homes = {entry.chapter: used[name] for name, entry in table.items()}
    assert used == {name: homes[entry.chapter] for name, entry in table.items()}  # file by file
    assert len(CASES) == len(all_cases())


@pytest.mark.slow
@each_case
def test_accepts_the_solution_and_one_written_differently(case):
    for answer in (case.answer("solution"), case.other):
        started = time.process_time()
        verdict = judged(case.name, answer)
        assert verdict.status == CORRECT, verdict
        assert time.process_time() - started < 1
        assert not verdict.message


@each_case
def test_sees_that_the_stub_is_untouched(case):
    assert judged(case.name, case.answer("stub")).status == NOT_ATTEMPTED
    assert judged(case.name, ...).status == NOT_ATTEMPTED


@pytest.mark.slow
@each_case
def test_rejects_wrong_answers_and_names_what_is_off(case):
    assert len(case.wrong) >= 2
    for what, (answer, word) in case.wrong.items():
        verdicts = [judged(case.name, answer) for _ in range(2)]  # the inputs are fresh each time
        assert all(verdict.status == NOT_RIGHT for verdict in verdicts), what
        messages = [verdict.message for verdict in verdicts]
        assert all(word in message for message in messages), (what, messages)
        for message in messages:
            assert not given_away(message, case.answer("solution")), message


def given_away(message, solution):
    """Whether a verdict contains a number of a solution that is a number (or numbers)."""
    parts = solution if isinstance(solution, (list, tuple)) else [solution]
    numbers = [n for n in parts if isinstance(n, (int, float)) and abs(n) > 10]
    written = re.findall(r"\d+\.?\d*", message)
    return any(f"{n:.4g}" == f"{float(w):.4g}" for n in numbers for w in written)


def test_a_check_that_is_too_lenient_fails_here(monkeypatch):
    """The table above can fail: a check that looks at shapes alone lets wrong answers pass."""
    case = CASES["rnn-cell"]
    monkeypatch.setattr(checks, "close", lambda got, expected, rtol: True)
    passed = [what for what, (answer, _) in case.wrong.items() if judged(case.name, answer)]
    assert len(passed) >= 2


def test_a_check_neither_reads_nor_moves_the_random_state():
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    judged("rnn-cell", CASES["rnn-cell"].other)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])


def test_check_prints_its_verdict_once_and_returns_it(capsys):
    verdict = check("rnn-cell", ...)
    assert capsys.readouterr().out == "rnn-cell: not attempted yet\n"
    assert not verdict
    assert verdict._ipython_display_() is None
    assert check("rnn-cell", CASES["rnn-cell"].other)
    assert capsys.readouterr().out == "rnn-cell: correct\n"


def test_an_unknown_name_is_an_error_that_names_the_nearest():
    with pytest.raises(ValueError, match=r"no check named 'rnn-cel'; the nearest is 'rnn-cell'"):
        check("rnn-cel", 1)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (3.0, "a function is expected, and this is a float"),
        (None, "this is None"),
        (lambda *inputs: None, "is a `return` missing"),
        (lambda *inputs: "text", "should be numbers, and this is a text"),
        (lambda x: x, "takes 1 positional argument"),
        (lambda x, h, *weights: np.full_like(h, np.nan), "NaN"),
        (lambda x, h, *weights: x, "wrong shape"),
        (lambda x, h, *weights: h, "largest difference"),
    ],
)
def test_what_is_no_answer_at_all_is_refused(answer, word):
    assert word in judged("rnn-cell", answer).message


def test_a_function_without_return_is_no_stub():
    assert judged("rnn-cell", lambda *inputs: None).status == NOT_RIGHT
    assert judged("rnn-cell", lambda *inputs: (1, ...)).status == NOT_ATTEMPTED


def message(compare, *inputs, **options):
    with pytest.raises(NotRight) as caught:
        compare(*inputs, **options)
    return str(caught.value)


def judged_by(monkeypatch, judge, answer):
    """What a new check says."""
    monkeypatch.setitem(judging.TABLE, "new", judging.Check("new", "chapter", "function", judge))
    return judged("new", answer).message


def test_a_slip_is_named_only_if_it_explains_every_result(monkeypatch):
    def judge(answer):
        for x in (2.0, 3.0, 5.0):
            slips = {"squared": x * x, "doubled": 2 * x}  # alike for the first
            checks.compare(checks.call(answer, x), x, "the value", slips)

    assert judged_by(monkeypatch, judge, lambda x: 2 * x) == "the value: doubled"
    assert judged_by(monkeypatch, judge, lambda x: x * x) == "the value: squared"
    for neither in (lambda x: 4.0, lambda x: 2 * x if x < 5 else x, lambda x: x + (x == 3)):
        says = judged_by(monkeypatch, judge, neither)
        assert not {"doubled", "squared"} & set(says.split())


def test_a_usual_mistake_is_named_only_if_it_explains_every_wrong_result(monkeypatch):
    def judge(answer):
        for x in (7.0, 9.0):
            checks.number(checks.call(answer, x), x, name="x")

    assert judged_by(monkeypatch, judge, lambda x: -x) == "x has the wrong sign"
    assert judged_by(monkeypatch, judge, lambda x: 8.0) == "x is off by one"
    assert judged_by(monkeypatch, judge, lambda x: 6.0) == "x is too small"
    assert "too large for others" in judged_by(monkeypatch, judge, lambda x: 8.5)


def moves(change):
    def answer(value):
        change(value)
        return value

    return answer


def pushed(model):
    with torch.no_grad():
        model.bias += 1e-3


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (np.ones(3), lambda x: x.__setitem__(1, 1.001)),
        (np.ones(3), lambda x: x.resize(2, refcheck=False)),
        (torch.ones(3), lambda x: x.neg_()),
        ({"W": np.ones(3)}, lambda w: w["W"].__iadd__(1e-3)),
        ({"W": np.ones(3)}, lambda w: w.update(W=2)),
        ({"W": np.ones(3)}, lambda w: w.pop("W")),
        (([1], [np.ones(3)]), lambda rows: rows[1][0].fill(2)),
        ([3, 1, 2], lambda row: row.sort()),
        (torch.nn.Linear(2, 3), pushed),
    ],
)
def test_a_function_that_leaves_its_input_changed_is_told_so(value, change):
    says = "it changes its input value: work on a copy"
    assert message(checks.call, moves(change), value) == says
    checks.call(moves(lambda value: None), value)


def test_a_function_may_change_its_input_where_the_exercise_asks_for_it_or_restore_it():
    assert checks.call(moves(lambda x: x.fill(2)), np.ones(3), in_place=True)[0] == 2

    def there_and_back(w):
        w += 0.1
        w -= 0.1
        return w.sum()

    checks.call(there_and_back, np.full(3, 0.3))


def test_inputs_without_a_name_are_counted():
    says = "it changes its input number 2: work on a copy"
    assert message(checks.call, lambda *x: x[1].sort() or 1, 0, [3, 1]) == says


def test_a_result_that_may_be_none_is_asked_for():
    assert message(checks.call, lambda: None) == "it returns None: is a `return` missing?"
    assert checks.call(lambda: None, may_be_none=True) is None


IDS = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9])


@pytest.mark.parametrize(("place", "word"), [(2, "the third"), (0, "the first"), (12, "number 13")])
def test_of_whole_numbers_the_first_that_is_wrong_is_named(place, word):
    wrong = IDS.copy()
    wrong[place] += 13
    says = f"the list of new ids differs from {word} on"
    assert message(checks.compare, wrong, IDS, "the list of new ids") == says
    assert message(checks.compare, wrong, IDS, "the ids") == f"the ids differ from {word} on"


@pytest.mark.parametrize("factor", [1.0004, 0.99996, 1.00004])
def test_no_factor_is_shown_as_one(factor):
    assert "times" not in message(checks.compare, factor * ROWS, ROWS, rtol=1e-6)
    assert "1.004 times" in message(checks.compare, 1.004 * ROWS, ROWS, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("the states", "have"),
        ("the gradient of the sums", "has"),
        ("the list of losses, one for each update,", "has"),
        ("the loss", "has"),
        ("layer 1's bias", "has"),
        ("the half-lives", "have"),
    ],
)
def test_verbs_agree_with_the_name(name, verb):
    assert message(checks.compare, -ROWS, ROWS, name) == f"{name} {verb} the wrong sign"


ROWS = np.array([[1.0, 2.0, -3.0], [4.0, 0.5, 6.0], [-7.0, 8.0, 9.5], [0.3, -2.0, 1.0]])


@pytest.mark.parametrize(
    ("got", "word"),
    [
        (-ROWS, "wrong sign"),
        (ROWS.T, "transposed"),
        (ROWS[::-1], "backwards"),
        (np.vstack([[0, 0, 0], ROWS[:-1]]), "too late"),
        (np.vstack([ROWS[1:], [0, 0, 0]]), "too early"),
        (4 * ROWS, "4 times"),
        (ROWS + 1, "same amount"),
        (ROWS[:3], "wrong shape"),
        (ROWS + np.eye(4, 3), "largest difference is 1"),
        (np.full((4, 3), np.inf), "infinite"),
    ],
)
def test_the_kinds_of_mistakes_in_arrays(got, word):
    assert word in message(checks.compare, got, ROWS)
    assert word in message(checks.compare, torch.tensor(np.array(got)), ROWS)
    checks.compare(ROWS.tolist(), ROWS)
    checks.compare(torch.tensor(ROWS, dtype=torch.float32), ROWS)


def test_a_result_orthogonal_to_the_right_one_is_no_division_by_zero():
    with np.errstate(all="raise"):
        assert "largest difference is 2" in message(checks.compare, np.array([1, -1]), np.ones(2))


@pytest.mark.parametrize(
    ("on_numpy", "on_torch", "named"),
    [
        (TypeError("a"), ValueError("b"), "ValueError: b"),
        (ValueError("a"), TypeError("Tensor"), "ValueError: a"),
        (TypeError("a"), TypeError("b"), "TypeError: a"),
        (AttributeError("a"), RuntimeError("b"), "RuntimeError: b"),
        (OverflowError("a"), RuntimeError("b"), "OverflowError: a"),
        (ValueError("an ndarray"), None, "the new state"),
        (None, ValueError("b"), "the new state"),
    ],
)
def test_of_two_mistakes_the_one_that_tells_more_is_named(on_numpy, on_torch, named):
    def answer(x, h, *weights):
        error = on_numpy if isinstance(x, np.ndarray) else on_torch
        if error is not None:
            raise error
        return 0 * h

    assert named in judged("rnn-cell", answer).message


def test_of_several_outputs_the_wrong_one_is_named():
    names = ("the states", "the last state")
    checks.compare((ROWS, ROWS[-1]), (ROWS, ROWS[-1]), names)
    assert "2 are expected" in message(checks.compare, ROWS, (ROWS, ROWS[-1]), names)
    assert "the last state has" in message(
        checks.compare, (ROWS, -ROWS[-1]), (ROWS, ROWS[-1]), names
    )
    slips = {"take the last one": (None, ROWS[0])}
    assert "the last state: take the last one" in message(
        checks.compare, (ROWS, ROWS[0]), (ROWS, ROWS[-1]), names, slips
    )


@pytest.mark.parametrize(
    ("got", "word"),
    [
        (-1.7, "sign"),
        (1.7 / np.log(2), "bits"),
        (1.7 / np.log(10), "base 10"),
        (3.4, "factor of 2"),
        (0.85, "factor of 2"),
        (np.exp(1.7), "perplexity"),
        (np.log(1.7), "loss"),
        (170, "percentage"),
        (5.0, "is too large"),
        (0.1, "is too small"),
        (np.nan, "NaN"),
        ([1.7, 1.7], "one number"),
        ("1.7", "text"),
        (None, "None"),
    ],
)
def test_the_kinds_of_mistakes_in_a_number(got, word):
    assert word in message(checks.number, got, 1.7)
    for right in (1.7, [1.7], torch.tensor(1.7), np.float32(1.7), np.array([[1.7]])):
        checks.number(right, 1.7)


def test_whole_numbers_are_off_by_one():
    assert "off by one" in message(checks.number, 8, 9)
    assert "too small" in message(checks.number, 7, 9)
    assert "called mean: take all" in message(
        checks.number, 7, 9, {"take all": 7}, name="called mean"
    )


def test_words_and_texts():
    checks.choice(" Falls ", "falls", ("rises", "falls"))
    assert "one of: 'rises', 'falls'" in message(checks.choice, "fall", "falls", ("rises", "falls"))
    assert "think of" in message(
        checks.choice, "rises", "falls", ("rises", "falls"), {"rises": "think of the total"}
    )
    checks.same_text("abc", "abc")
    assert "off by one" in message(checks.same_text, "ab", "abc")
    assert "character 1" in message(checks.same_text, "axc", "abc")
    assert "this is a list" in message(checks.same_text, ["abc"], "abc")


TWO = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        ((checks.number, 8, 9), "the number is off by one"),
        ((checks.number, 5, 0), "the number is too large"),
        ((checks.number, 3.0, 1.5), "the number is too large by a factor of 2"),
        ((checks.number, 0.75, 1.5), "the number is too small by a factor of 2"),
        ((checks.number, 2.25, 1.5), "the number is the square of what is asked for"),
        ((checks.number, 1.5, 2.25), "the number is the square root of what is asked for"),
        ((checks.number, 0.4, 2.5), "the number is one divided by what is asked for"),
        ((checks.number, 150, 1.5), "the number is a percentage, and a share is asked for"),
        (
            (checks.number, np.exp(1.5), 1.5),
            "the number is a perplexity, and the loss is asked for",
        ),
        (
            (checks.number, np.log(9.1), 9.1),
            "the number is a loss, and the perplexity is asked for",
        ),
        ((checks.number, 9.1 / np.log(2), 9.1), "the number is in bits, and nats are asked for"),
        ((checks.number, 9.1 * np.log(2), 9.1), "the number is in nats, and bits are asked for"),
        ((checks.number, 9.1 / np.log(10), 9.1), "the number looks like a logarithm to base 10"),
        ((checks.number, np.inf, 9.1), "the number is infinite or not a number (NaN)"),
        ((checks.number, "9", 9.1), "the number should be a number, and this is a text"),
        ((checks.number, [9, 1], 9.1), "one number is expected, and this has 2"),
        (
            (checks.number, range(10**6), 9.1),
            "the number has 1,000,000 entries, far more than are expected",
        ),
        ((checks.number, "9.1", 9.1), "the number should be a number, and this is a text"),
        ((checks.number, ["9.1"], 9.1), "the number should be numbers, and this is a text"),
        (
            (checks.number, 9.1 + 0j, 9.1),
            "the number should be real numbers, and these are complex",
        ),
        ((checks.number, None, 9.1), "the number is None, where numbers are expected"),
        ((checks.number, {9}, 9.1), "the number should be numbers, and this is a set"),
        ((checks.compare, -ROWS, ROWS), "the result has the wrong sign"),
        ((checks.compare, ROWS[:3, :].T, ROWS[:3, :]), "the result is transposed"),
        ((checks.compare, ROWS.T, ROWS), "the result is transposed: the shape is (3, 4)"),
        (
            (checks.compare, TWO.transpose(0, 2, 1), TWO),
            "the result has the axes in another order: (2, 4, 3)",
        ),
        (
            (checks.compare, ROWS[:3], ROWS),
            "the result has the wrong shape: (3, 3) where (4, 3) is expected",
        ),
        ((checks.compare, ROWS[::-1], ROWS), "the result runs backwards: the last is first"),
        (
            (checks.compare, np.roll(ROWS, -1, 0), ROWS),
            "the result is off by one: everything stands one place too early",
        ),
        (
            (checks.compare, np.roll(ROWS, 1, 0), ROWS),
            "the result is off by one: everything stands one place too late",
        ),
        (
            (checks.compare, ROWS / 8, ROWS),
            "the result is 0.125 times what it should be, everywhere: "
            "a factor, or a sum for a mean",
        ),
        ((checks.compare, ROWS - 3, ROWS), "the result is off by the same amount everywhere"),
        (
            (checks.compare, ROWS + 2 * np.eye(4, 3), ROWS),
            "the result: the largest difference is 2, where the numbers go up to 9.5",
        ),
        (
            (checks.compare, 1.0, (1.0, 2.0), ("one", "two")),
            "it returns 1 thing where 2 are expected: one, two",
        ),
        (
            (checks.compare, (1, 2, 3), (1.0, 2.0), ("one", "two")),
            "it returns 3 things where 2 are expected: one, two",
        ),
        ((checks.choice, "up", "down", ("up", "down")), "the answer: think again"),
        ((checks.choice, 3, "down", ("up", "down")), "the answer should be one of: 'up', 'down'"),
        (
            (checks.same_text, "ab", "abc"),
            "the text has 2 characters where 3 are expected: off by one",
        ),
        ((checks.same_text, "a", "abc"), "the text has 1 character where 3 are expected"),
        (
            (checks.same_text, "axc", "abc"),
            "the text is wrong from its character 1 on (counted from 0)",
        ),
        ((checks.same_text, ["abc"], "abc"), "the text should be a text, and this is a list"),
        ((checks.same_text, 0, "abc"), "the text should be a text, and this is an int"),
    ],
)
def test_a_mistake_is_named_in_a_whole_sentence(comparison, sentence):
    assert message(*comparison) == sentence


def test_outside_a_check_arrays_are_handed_over_as_numpy():
    assert checks.call(lambda x: isinstance(x, np.ndarray), ROWS)
    stops = "it stops with ZeroDivisionError: division by zero"
    assert (
        message(checks.call, lambda *x: 1 / 0, ROWS, 2) == f"{stops} (inputs of the shapes (4, 3))"
    )
    assert message(checks.call, lambda x: 1 / 0, 2) == stops


def test_the_likelier_kind_of_arrays_is_tried_first():
    assert judging.kinds_for(lambda x: torch.tanh(x), "function") == ("torch", "numpy")
    assert judging.kinds_for(lambda x: np.tanh(x), "function") == ("numpy", "torch")
    assert judging.kinds_for(ROWS, "value") == ("numpy",)


@pytest.mark.parametrize(
    ("wants", "answer", "sentence"),
    [
        ("value", len, "a value is expected, and this is a function; was it called?"),
        ("class", [], "a class is expected, and this is a list"),
        ("class", len, "the class itself is expected, without brackets behind its name"),
        ("function", "f", "a function is expected, and this is a text"),
    ],
)
def test_an_answer_of_another_kind_is_refused_before_anything_is_judged(
    monkeypatch, wants, answer, sentence
):
    monkeypatch.setitem(judging.TABLE, "new", judging.Check("new", "chapter", wants, None))
    assert judged("new", answer) == judging.Verdict("new", NOT_RIGHT, sentence)


def table():
    """The table of checks, as text."""
    lines = [f"{'check':24} {'solution':14} {'another':14} untouched stub"]
    for name, case in CASES.items():
        right = [judged(name, a).status for a in (case.answer("solution"), case.other)]
        lines.append(
            f"{name:24} {right[0]:14} {right[1]:14} {judged(name, case.answer('stub')).status}"
        )
        for what, (answer, _) in case.wrong.items():
            lines.append(f"    {what}: {judged(name, answer).message}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
