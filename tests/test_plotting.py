import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from helpers import plotting


def test_spaces_and_line_ends_become_visible():
    assert plotting.visible("a b\nc\t") == "a␣b↵c⇥"


def test_each_architecture_has_a_colour_line_and_name_of_its_own():
    styles = [plotting.architecture(name) for name in plotting.NAMES]
    for key in ("color", "linestyle", "label"):
        assert len({str(s[key]) for s in styles}) == len(plotting.NAMES)
    for style in styles:
        plt.plot([0, 1], **style)  # refuses a line that is none
    plt.close()
    with pytest.raises(KeyError):
        plotting.architecture("perceptron")


def luminance(colour):
    """Relative luminance of WCAG 2.1."""
    channels = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("name", plotting.COLOURS)
def test_lines_stand_out_from_the_white_ground(name):
    """3:1, what WCAG 2.1 asks of graphics."""
    assert 1.05 / (luminance(plotting.COLOURS[name]) + 0.05) >= 3


def test_smooth_is_a_running_mean():
    values = np.array([1.0, 2.0, 6.0, 3.0])
    np.testing.assert_allclose(plotting.smooth(values, 3), [3.0, 11 / 3])
    np.testing.assert_allclose(plotting.smooth(values, 1), values)
    with pytest.raises(ValueError, match="width must be a whole number from 1 to 4, not 9"):
        plotting.smooth(values, 9)


def test_a_heatmap_puts_rows_down_and_columns_across():
    fig, ax = plt.subplots()
    image = plotting.heatmap(ax, [[1, 2, 3], [4, 5, 6]], "a ", "xy\n", "count")
    assert image.get_array().tolist() == [[1, 2, 3], [4, 5, 6]]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "␣"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y", "↵"]
    assert image.get_cmap() == plotting.AMOUNT
    assert image.get_clim() == (1, 6)
    assert ax.get_aspect() == "auto"  # it fills its axes, however many characters
    assert fig.axes[-1].get_ylabel() == "count"  # of the colour bar
    colours = {"cmap": plotting.SIGNED, "vmin": -7, "vmax": 7}
    image = plotting.heatmap(ax, [[1, -2, 3]], "a", "xyz", "sign", **colours)
    assert image.get_cmap() == plotting.SIGNED
    assert image.get_clim() == (-7, 7)
    with pytest.raises(ValueError, match="3 rows and 2 columns"):
        plotting.heatmap(ax, [[1, 2, 3], [4, 5, 6]], "abc", "xy", "count")
    plt.close(fig)


def test_the_style_has_no_text_below_nine_points():
    with matplotlib.rc_context():
        plotting.use_style()
        sizes = [v for k, v in plt.rcParams.items() if k.endswith("size") and isinstance(v, float)]
        text = [plt.rcParams[k] for k in ("font.size", "xtick.labelsize", "legend.fontsize")]
        assert sizes
        assert min(text) >= 9
        assert plt.rcParams["figure.constrained_layout.use"]  # so no label is cut off


def test_describe_prints_what_a_figure_draws(capsys):
    plotting.describe(loss=[1.0, 2.0, 6.0])
    assert capsys.readouterr().out == "loss: n 3, mean 3.0000, min 1.0000, max 6.0000\n"
    with pytest.raises(ValueError, match="loss is empty"):
        plotting.describe(loss=[])
