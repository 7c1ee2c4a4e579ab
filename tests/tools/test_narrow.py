"""Figures drawn a second time, for a phone: kept for each, and offered on its page."""

import hashlib
import io
import json
from base64 import b64decode

import matplotlib.pyplot as plt
import pytest

from tools.notebooks import execute, narrow
from tools.site.narrow import with_second

CHAPTERS = sorted(execute.CHAPTERS.glob("*.ipynb"))
PHONE = 390  # pixels


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_stored_figure_has_a_second_one_and_nothing_else_is_kept(path):
    """After a change by hand: python -m tools.notebooks.execute chapters/NAME.ipynb."""
    first = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        name = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
        for output in cell.get("outputs", []):
            if name not in narrow.WIDE and "image/png" in output.get("data", {}):
                png = b64decode("".join(output["data"]["image/png"]))
                first[hashlib.sha256(png).hexdigest()] = name
    kept = {file.stem for file in (narrow.FOLDER / path.stem).glob("*.png")}
    assert kept - first.keys() == set()
    assert {name for sha, name in first.items() if sha not in kept} == set()


def shown(figure):
    """The figure for a phone, as pixels, and its smallest letters there in pixels."""
    pixels = plt.imread(io.BytesIO(b64decode(narrow.picture(figure))), format="png")
    points = min(text.get_fontsize() for text in narrow.texts(figure))
    on_sheet = 2 * figure.dpi * points / 72
    plt.close(figure)
    return pixels, on_sheet * PHONE / pixels.shape[1]


def test_panels_in_a_row_come_to_stand_in_a_column_with_letters_of_ten_pixels():
    figure, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained", sharey=True)
    for ax in axes:
        ax.plot([1, 2])
        ax.tick_params(labelsize=6)
    axes[0].set_ylabel("loss")
    pixels, letters = shown(figure)
    height, width = pixels.shape[:2]
    assert height > width  # it was less than half as high as wide
    assert letters > 9.9
    left, right = (ax.get_position().bounds for ax in axes)
    assert left[:1] == pytest.approx(right[:1], abs=0.02)
    assert left[1] > right[1] + right[3]
    assert [ax.get_ylabel() for ax in axes] == ["loss", "loss"]


def test_a_diagram_keeps_its_shape_and_gets_larger_letters():
    figure, ax = plt.subplots(figsize=(7, 3))
    ax.axis("off")
    ax.text(0.5, 0.5, "softmax", fontsize=11)
    ax.text(0, 0, ".", fontsize=11), ax.text(1, 1, ".", fontsize=11)
    _, letters = shown(figure)
    assert 9.9 < letters < 13
    assert figure.get_size_inches() == pytest.approx((7, 3))


def test_a_page_offers_the_second_picture():
    a, b = "a" * 64, "b" * 64
    page = f'<a href="../_images/{a}.png"><img alt="A" src="../_images/{a}.png" /></a>'
    page += f'<img src="../_images/{b}.png" />'
    assert with_second(page, {a: "lstm"}) == page.replace(
        '<img alt="A" src="../_images/' + a + '.png" />',
        '<picture><source media="screen and (max-width: 600px)" '
        f'srcset="../_static/narrow/lstm/{a}.png">'
        f'<img alt="A" src="../_images/{a}.png" /></picture>',
    )
