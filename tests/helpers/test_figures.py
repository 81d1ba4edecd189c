"""Figures: their axes have names, the sample is called so, and nothing is set beside it."""

import io
import time

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.colors import to_rgb

from mnist_helpers import figures
from mnist_helpers.metrics import accuracy_interval
from mnist_helpers.records import Curve
from mnist_helpers.systems import comparable
from mnist_helpers.tables import beside_original

SAMPLE_LABEL = "5,000-digit sample, not MNIST"
NOT_COMPARABLE = [{"is_sample": True}, {"split": "official"}, {"data_set": "fashion_mnist"}]


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    with mpl.rc_context():
        yield
    plt.close("all")


def a_curve(num_steps=120, every=50) -> Curve:
    loss = np.geomspace(2.3, 0.1, num_steps).astype(np.float32)
    steps = [*range(0, num_steps, every), num_steps - 1]
    return Curve(loss, 100 - loss, steps, [float(90 + i) for i in range(len(steps))])


def suptitle(figure) -> str:
    return figure.get_suptitle()


def drawn(figure) -> None:
    """Draw a figure; whatever is wrong with it raises or warns here."""
    figure.savefig(io.BytesIO(), format="svg")


# ---- the sample ----


@pytest.mark.parametrize("is_sample", [False, True])
def test_every_figure_made_from_data_says_when_it_is_the_samples(toy_data, is_sample):
    data = toy_data(is_sample=is_sample)
    figures.use_house_style(data)
    made = [
        plt.figure(),
        plt.subplots(1, 2)[0],
        figures.show_digits(np.zeros((3, 784))),
        figures.plot_training({"run": a_curve()}),
        figures.plot_confusion(np.arange(10), np.arange(10), data),
    ]
    assert {suptitle(figure) for figure in made} == {SAMPLE_LABEL if is_sample else ""}


def test_the_next_data_set_puts_an_end_to_the_samples_label(toy_data):
    for data in (toy_data(), None):
        figures.use_house_style(toy_data(is_sample=True))
        figures.use_house_style(data)
        assert suptitle(plt.figure()) == ""


def test_the_samples_label_takes_room_of_its_own(toy_data):
    figures.use_house_style(toy_data(is_sample=True))
    for figure in (
        figures.show_digits(np.zeros((12, 784)), titles=["4 or 9 (9)"] * 12),
        figures.plot_training({"run": a_curve()}),
    ):
        figure.draw_without_rendering()
        label = figure.texts[0].get_window_extent()
        below = [*figure.axes, *(ax.title for ax in figure.axes)]
        assert not any(label.overlaps(thing.get_window_extent()) for thing in below)


@pytest.mark.parametrize("is_sample", [False, True])
def test_what_shows_something_else_than_the_data_has_no_label_and_no_room_for_one(
    toy_data, is_sample
):
    def top(data, label_taken_off) -> float:
        figures.use_house_style(data)
        figure, ax = plt.subplots()
        if label_taken_off:
            figures.show_no_label(figure)
            assert suptitle(figure) == ""
        drawn(figure)
        return ax.get_position().y1

    assert top(toy_data(is_sample=is_sample), True) == top(toy_data(), False)


# ---- beside the original ----


def test_the_originals_figure_is_drawn_as_a_line_with_its_name(toy_data):
    ax = plt.figure().add_subplot()
    figures.mark_original(ax, 92.1, toy_data())
    (line,) = ax.lines
    assert list(line.get_ydata()) == [92.1, 92.1]
    assert [text.get_text() for text in ax.texts] == ["original: 92.1 %"]


@pytest.mark.parametrize(("side", "place"), [("left", 0), ("right", 1)])
def test_the_originals_label_stands_on_the_side_that_is_free(toy_data, side, place):
    ax = plt.figure().add_subplot()
    figures.mark_original(ax, 92.1, toy_data(), side)
    (text,) = ax.texts
    assert text.xy == (place, 92.1)
    assert text.get_ha() == side


@pytest.mark.parametrize("difference", NOT_COMPARABLE)
def test_the_originals_figure_is_not_drawn_where_it_may_not_be_compared(toy_data, difference):
    ax = plt.figure().add_subplot()
    figures.mark_original(ax, 92.1, toy_data(**difference))
    assert not ax.lines
    assert not ax.texts


def test_only_the_same_digits_in_the_same_split_are_comparable(toy_data):
    assert comparable(toy_data())
    for difference in NOT_COMPARABLE:
        assert not comparable(toy_data(**difference))


def rows(table) -> list[list[str]]:
    """The cells of a Markdown table, without its head."""
    lines = [line for line in table.data.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_has_the_originals_figure_ours_and_the_interval(toy_data):
    data = toy_data()
    table = beside_original({"MLP": (98.0, 97.987), "with Keras": (None, 50.0)}, data)
    low, high = accuracy_interval(97.987, len(data.test))
    assert rows(table)[0] == ["MLP", "98.0", "97.99", f"{low:.2f} – {high:.2f}"]
    assert rows(table)[1][:3] == ["with Keras", "–", "50.00"]
    assert "left out" not in table.data


@pytest.mark.parametrize("difference", NOT_COMPARABLE)
def test_the_table_leaves_the_originals_figure_out_and_says_why(toy_data, difference):
    data = toy_data(**difference)
    table = beside_original({"MLP": (98.0, 97.0)}, data)
    assert rows(table)[0][:3] == ["MLP", "–", "97.00"]
    assert "98" not in rows(table)[0][1]
    assert "The original's figures are left out" in table.data
    assert str(data) in table.data


# ---- digits ----


@pytest.mark.parametrize("shape", [(7, 784), (7, 28, 28), (7, 28, 28, 1)])
def test_digits_of_any_shape_are_drawn_one_in_each_place(shape):
    images = np.random.default_rng(0).random((7, 784)).astype(np.float32)
    figure = figures.show_digits(images.reshape(shape), columns=3)
    assert len(figure.axes) == 9  # three rows of three
    shown = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    np.testing.assert_array_equal(shown, images.reshape(7, 28, 28))
    assert not any(ax.axison for ax in figure.axes), "empty places should show no axes"
    drawn(figure)


def test_digits_have_the_titles_that_they_are_given():
    figure = figures.show_digits(np.zeros((3, 784)), titles=["a", "b", "c"], columns=2)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", ""]


def test_digits_take_the_width_of_the_text():
    figure = figures.show_digits(np.zeros((20, 784)))
    assert figure.get_size_inches()[0] == pytest.approx(figures.WIDTH)


# ---- training ----


def test_the_figure_of_training_has_names_on_its_axes(toy_data):
    figure = figures.plot_training({"run": a_curve()})
    left, right = figure.axes
    assert left.get_xlabel() == right.get_xlabel() == "step"
    assert "loss" in left.get_ylabel()
    assert right.get_ylabel() == "validation accuracy (%)"
    assert left.get_yscale() == "log"
    drawn(figure)


def test_no_name_of_the_figure_of_training_is_longer_than_its_axis(toy_data):
    """Under the sample's label the axes are lower, and one name was cut."""
    figures.use_house_style(toy_data(is_sample=True))
    figure = figures.plot_training({"run": a_curve()})
    figure.canvas.draw()
    for ax in figure.axes:
        assert ax.yaxis.label.get_window_extent().height < ax.get_window_extent().height


def test_the_figure_of_training_shows_what_was_measured(toy_data):
    curve = a_curve()
    figure = figures.plot_training({"run": curve})
    (loss,), (validation,) = (ax.lines for ax in figure.axes)
    steps, means = loss.get_data()
    assert steps[0] == figures.SMOOTH - 1
    assert steps[-1] == 119
    assert means[0] == pytest.approx(curve.loss[: figures.SMOOTH].mean())
    assert means[-1] == pytest.approx(curve.loss[-figures.SMOOTH :].mean())
    assert list(validation.get_xdata()) == curve.validation_steps
    assert list(validation.get_ydata()) == curve.validation_accuracy


@pytest.mark.parametrize("num_steps", [1, 3])
def test_a_run_of_few_steps_can_be_drawn(toy_data, num_steps):
    figure = figures.plot_training({"run": a_curve(num_steps)})
    assert len(figure.axes[0].lines[0].get_xdata()) == 1  # one mean over all of them
    drawn(figure)


def test_several_runs_can_be_told_apart(toy_data):
    figure = figures.plot_training({name: a_curve() for name in "abc"})
    for ax in figure.axes:
        assert len({line.get_color() for line in ax.lines}) == 3
        assert len({line.get_linestyle() for line in ax.lines}) == 3
    legend = figure.axes[1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]


def test_one_run_needs_no_legend(toy_data):
    figure = figures.plot_training({"run": a_curve()})
    assert all(ax.get_legend() is None for ax in figure.axes)


# ---- confusion ----


def test_the_figure_of_confusion_counts_the_mistakes(toy_data):
    classes = np.array([3, 3, 3, 5, 8])
    predictions = np.array([5, 5, 3, 3, 8])
    figure = figures.plot_confusion(predictions, classes, toy_data())
    (ax,) = figure.axes
    counts = ax.images[0].get_array()
    assert counts[3, 5] == 2  # a row is the true class
    assert counts[5, 3] == 1
    assert counts.sum() == 3, "what is right is left empty"
    assert {(text.get_position(), text.get_text()) for text in ax.texts} == {
        ((5, 3), "2"),
        ((3, 5), "1"),
    }
    assert ax.get_xlabel() == "predicted class"
    assert ax.get_ylabel() == "true class"
    drawn(figure)


def test_the_figure_of_confusion_names_the_classes(toy_data):
    names = tuple("abcdefghij")
    data = toy_data(data_set="fashion_mnist", class_names=names)
    figure = figures.plot_confusion(np.arange(10), np.arange(10), data)
    (ax,) = figure.axes
    assert tuple(label.get_text() for label in ax.get_xticklabels()) == names
    assert tuple(label.get_text() for label in ax.get_yticklabels()) == names


# ---- style ----


def test_colours_can_be_told_from_each_other_and_from_the_paper():
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    colours = [to_rgb(colour) for colour in figures.COLOURS]
    assert len(set(colours)) == len(colours)
    for colour in colours:
        assert 1.05 / (luminance(colour) + 0.05) > 2.0, f"{colour} is too pale on white"


def test_line_styles_repeat_only_after_many_lines():
    styles = [tuple(figures.line_style(i).values()) for i in range(20)]
    assert len(set(styles)) == 20


@pytest.fixture
def house_style(shell):
    """The house style as a notebook sets it."""
    figures.use_house_style()
    return shell


def test_ink_is_dark_on_light_paper(house_style):
    figure = figures.show_digits(np.zeros((1, 784)))
    image = figure.axes[0].images[0]
    assert image.get_cmap()(0.0)[:3] == (1.0, 1.0, 1.0)
    assert image.get_cmap()(1.0)[:3] == (0.0, 0.0, 0.0)


def test_where_there_is_no_ipython_none_is_started():
    """At the end of a script it would write its history to a file of the user's, or try to."""
    InteractiveShell.clear_instance()
    figures.use_house_style()
    assert not InteractiveShell.initialized()


def as_in_a_page(shell, figure) -> str:
    return shell.display_formatter.format(figure)[0]["image/svg+xml"]


def test_figures_are_sharp_at_any_size(house_style, toy_data):
    page = as_in_a_page(house_style, figures.plot_training({"run": a_curve()}))
    assert "<svg" in page


def test_the_same_figure_has_the_same_bytes(house_style, toy_data):
    pages = set()
    for _ in range(2):
        pages.add(as_in_a_page(house_style, figures.plot_training({"a": a_curve()})))
        time.sleep(0.01)
    assert len(pages) == 1
