"""Checks of the chapter *Counting before learning*."""

import math
from collections import Counter, defaultdict

import numpy as np

from .answers import NotRight, as_array, call, choice, compare, number, parts
from .judging import register


@register("two-spaces", wants="value")
def two_spaces(answer):
    answer = parts(answer, 3, "three words")
    ways = ("rises", "falls")
    why = {"rises": "do the added characters cost more than the average one?"}
    choice(answer[0], "falls", ways, why, "the loss per character")
    why = {"rises": "it is the exponential of the loss"}
    choice(answer[1], "falls", ways, why, "the perplexity")
    why = {"falls": "is there any character whose surprise gets smaller?"}
    choice(answer[2], "rises", ways, why, "the total")


@register("two-spaces-price", wants="value")
def two_spaces_price(answer):
    slips = {
        "that is what the second space costs; what of the character after it?": math.log(2),
        "a space that is certain costs nothing; is it certain?": 0,
        "how often is a space followed by a space now?": math.log(3),
    }
    number(answer, 2 * math.log(2), slips, rtol=5e-3, name="the price of a space")


@register("witten-bell")
def witten_bell(answer):
    """witten_bell(followers {context: Counter}, context, char, size) -> a probability."""
    rng = np.random.default_rng()
    text = "".join(rng.choice(list("aaabbcd"), 60))
    followers = defaultdict(Counter)
    for length in range(4):
        for i in range(length, len(text)):
            followers[text[i - length : i]][text[i]] += 1
    contexts = ["", *(text[i : i + k] for k in (1, 2, 3) for i in (3, 17, 30)), "dcz", "za"]
    for context in contexts:
        for char in "abcdef":
            right, slips = climbed(followers, context, char, 6)
            got = call(answer, followers, context, char, 6)
            compare(got, right, "the probability", slips, where=f" after {context!r}")


def climbed(followers, context, char, size):
    """The probability by the rule of Witten and Bell, and by some mistakes."""
    p = constant = 1 / size
    for length in range(len(context) + 1):
        only_longest = adding = None  # after a context that was never seen, anything may be done
        if seen := followers.get(context[len(context) - length :]):
            n, k = seen.total(), len(seen)
            p = (seen[char] + k * p) / (n + k)
            constant = (seen[char] + size * constant) / (n + size)
            only_longest = seen[char] / n
            adding = (seen[char] + k / size) / (n + k)
    return p, {
        "that is the constant V, not the number of different followers": constant,
        "what of the shorter contexts?": only_longest,
        "it falls back on the uniform distribution, not on the shorter context": adding,
    }


@register("split-then-slide")
def split_then_slide(answer):
    """split_then_slide(ids (N,), T) -> sliding windows (n, T) of nine tenths and of the rest."""
    for _ in range(3):
        N, T = (int(n) for n in np.random.default_rng().integers((60, 3), (120, 6)))
        got = call(answer, np.arange(N), T)  # ids that tell their place
        got = parts(got, 2, "two tables of windows, to count and held out")
        rest, held_out = (as_array(part, "a table of windows") for part in got)
        for part in (rest, held_out):
            if part.ndim != 2 or part.shape[1] != T:
                raise NotRight(f"windows of the shape (n, {T}) are expected, not {part.shape}")
            if not (np.diff(part, axis=1) == 1).all():
                raise NotRight("a window is not a stretch of the text")
        if set(rest.ravel()) & set(held_out.ravel()):
            raise NotRight("it leaks: some characters stand on both sides")
        if held_out.size and rest.size and held_out.min() < rest.max():
            raise NotRight("the held-out part is the last tenth, in one piece")
        border = int(0.9 * N)
        for part, size, name in ((rest, border, "first"), (held_out, N - border, "second")):
            if abs(len(part) - (size - T + 1)) > 1:
                few = len(part) < size - T + 1
                raise NotRight(
                    f"the {name} table has too {'few' if few else 'many'} windows: "
                    "one begins at each place, and a tenth of the text is held out"
                )


@register("word-perplexity")
def word_perplexity(answer):
    """word_perplexity(perplexity, characters, words) -> perplexity per word."""
    for _ in range(4):
        rng = np.random.default_rng()
        words = int(rng.integers(50, 400))
        characters = int(words * rng.uniform(3, 7))
        perplexity = float(rng.uniform(2, 9))
        ratio = characters / words
        slips = {
            "losses are multiplied by that; a perplexity is not a loss": perplexity * ratio,
            "the ratio is turned round": perplexity ** (1 / ratio),
            "that is the loss per word": math.log(perplexity) * ratio,
            "that is the perplexity of the whole text": perplexity ** min(characters, 300),
            "the ratio is an exponent of the perplexity, not of e": math.exp(ratio),
        }
        got = call(answer, perplexity, characters, words)
        compare(got, perplexity**ratio, "the perplexity per word", slips)


@register("which-is-better", wants="value")
def which_is_better(answer):
    why = {"characters": "compare both per word, or both per character"}
    choice(answer, "words", ("words", "characters"), why, "the better one")
