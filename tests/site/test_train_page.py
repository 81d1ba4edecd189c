"""The page "Train it here" and its panels in a real browser, with the digits of the sample.

The page is made from the chapter's own HTML and scripts, has the policy of the site's pages, and
is opened from its folder, where browsers allow least. Beside it lies a page with a small panel.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import open_tab
from myst_page import rendered
from playwright.sync_api import Browser, Locator, Page, expect

from mnist_helpers.metrics import mean_interval
from pipeline.draw.sample import sample_script
from pipeline.notebooks import CHAPTERS
from pipeline.site.finish import finished
from pipeline.site.train_panel import MORE_SCRIPTS, SCRIPTS, panel, scripts

STATIC = CHAPTERS / "_static"
ENDLESS = 100_000  # steps, the most that can be asked for: no machine is through before it is told
SMALL = {"settings": "num_hidden=16&learning_rate=5", "controls": "learning_rate modulo"}
HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8" /><title>Train</title>'
    '<link rel="stylesheet" href="../_static/book.css" /></head>'
)
# What the theme gives to the page.
THEME = """<style>body { --pst-color-primary: #0a7d91; --pst-color-border: #888;
--pst-color-background: #fff; --pst-color-surface: #eee; --pst-color-text-base: #000;
--pst-color-text-muted: #444; --pst-color-danger: #a00; font: 16px sans-serif; }</style>"""


def write_page(path: Path, body: str) -> Path:
    path.write_text(
        finished(f"{HEAD}<body>{THEME}<main><h1>Train</h1>{body}</main></body></html>"),
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the pages, with scripts and data beside it."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("draw", "train"):
        shutil.copytree(STATIC / name, folder / "_static" / name)
    shutil.copy(STATIC / "book.css", folder / "_static")
    (folder / "_static" / "train" / "sample.js").write_bytes(sample_script())
    pages = folder / "chapters"
    pages.mkdir()
    source = (CHAPTERS / "train.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\{raw\} html\n(.*?)```", source, re.S)
    write_page(pages / "train.html", scripts(whole=True) + panel({}) + "".join(blocks))
    write_page(pages / "small.html", scripts(whole=False) + panel(SMALL))
    return pages


# Before any script of the page: long tasks, and what is said to a screen reader.
WATCH = """window.longTasks = [];
new PerformanceObserver((list) => list.getEntries().forEach((it) => longTasks.push(it.duration)))
  .observe({ type: "longtask" });"""


def open_page(browser: Browser, page: Path, address: str = "", **context) -> Page:
    context = {"viewport": {"width": 1000, "height": 800}} | context
    tab = open_tab(browser, f"{page.as_uri()}{address}", before=WATCH, **context)
    tab.set_default_timeout(60_000)
    return tab


@pytest.fixture(scope="module")
def opened(browser: Browser, site: Path) -> Iterator[Page]:
    tab = open_page(browser, site / "train.html")
    yield tab
    assert tab.complaints == []
    tab.context.close()


CHOOSE = "(address) => trainHere.panels[0].choose(trainHere.fromAddress(address))"


@pytest.fixture
def tab(opened: Page) -> Page:
    """The page, with the usual settings but for 100 steps, at its start."""
    opened.evaluate(CHOOSE, "num_steps=100")
    return opened


def press(tab: Page, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).first.click()


def train(tab: Page, address: str = "num_steps=100") -> None:
    """Train with settings to the end."""
    tab.evaluate(CHOOSE, address)
    press(tab, "Train")
    wait_for_the_end(tab)


def wait_for_the_end(tab: Page) -> None:
    expect(tab.locator(".train-said")).to_contain_text("Step ", timeout=60_000)
    expect(tab.locator(".train-play")).to_have_text("Go on")


def choice(tab: Page, name: str) -> Locator:
    return tab.get_by_role("combobox", name=name, exact=True)


def step_of(tab: Page) -> int:
    shown = re.search(r"step ([\d,]+)", tab.locator(".train-counted").inner_text())
    return int(shown[1].replace(",", ""))


def paused(tab: Page) -> int:
    """The step at which it holds once it is told to; it is on its way for a moment."""
    press(tab, "Pause")
    held = step_of(tab)
    for _ in range(20):
        before = held
        tab.wait_for_timeout(300)
        held = step_of(tab)
        if held == before:
            return held
    raise AssertionError(f"it goes on: {held}")


def sign(tab: Page, name: str) -> Locator:
    return tab.locator(".train-signs tr", has_text=name).locator("td").first


# ---- what a reader presses ----


def test_it_trains_to_the_end_goes_on_from_there_and_starts_again(tab: Page):
    press(tab, "Train")
    wait_for_the_end(tab)
    assert step_of(tab) == 100
    press(tab, "Go on")
    wait_for_the_end(tab)
    expect(tab.locator(".train-counted")).to_contain_text("step 200")
    press(tab, "Start again")
    assert step_of(tab) == 0 and tab.locator(".train-line[points]").count() == 3  # the keys alone


def test_a_pause_holds_it(tab: Page):
    tab.evaluate(CHOOSE, f"num_steps={ENDLESS}")
    press(tab, "Train")
    expect(tab.locator(".train-counted")).to_contain_text("steps a second")
    assert 0 < paused(tab) < ENDLESS
    expect(tab.locator(".train-said")).to_contain_text("Validation accuracy")


def test_one_step_is_one(tab: Page):
    for count in (1, 2):
        press(tab, "One step")
        expect(tab.locator(".train-counted")).to_contain_text(f"step {count} ")


def test_another_setting_begins_anew_and_stands_in_the_address(tab: Page):
    press(tab, "One step")
    expect(tab.locator(".train-counted")).to_contain_text("step 1 ")
    choice(tab, "learning rate").select_option("5")
    assert step_of(tab) == 0
    assert tab.evaluate("location.hash") == "#learning_rate=5&num_steps=100"


def test_an_address_sets_everything_it_names(browser: Browser, site: Path):
    address = "num_hidden=64&learning_rate=2&keep_prob=0.5&drop=units&beta=0.001&seed=3"
    address += "&mistakes=modulo,unscaled&runs=two&beside=seed:0"
    tab = open_page(browser, site / "train.html", f"#{address}")
    values = {"hidden units": "64", "learning rate": "2", "keep_prob": "0.5", "seed": "3"}
    values |= {"it drops": "units", "L2 penalty": "0.001", "runs": "two", "they differ in": "seed"}
    for label, value in values.items():
        expect(choice(tab, label)).to_have_value(value)
    expect(choice(tab, "the second has").locator("option:checked")).to_have_text("0")
    assert tab.locator("[data-mistake]:checked").count() == 2
    assert tab.evaluate("trainHere.toAddress(trainHere.panels[0].choice)") == address
    tab.context.close()


def test_a_link_to_a_place_on_the_page_leaves_the_run_and_its_settings_alone(tab: Page):
    train(tab, "learning_rate=0.05&num_steps=100")
    tab.evaluate("location.hash = 'take-it-home'")
    tab.wait_for_timeout(200)
    assert step_of(tab) == 100
    assert tab.evaluate("trainHere.panels[0].choice.settings.learning_rate") == 0.05
    tab.evaluate("location.hash = 'learning_rate=2'")  # settings do begin anew
    expect(tab.locator(".train-counted")).to_contain_text("step 0")


def test_a_value_that_came_by_an_address_is_offered_for_as_long_as_it_is_set(tab: Page):
    offered = tab.locator("[data-setting=batch_size] option")
    usual = offered.all_inner_texts()
    for size in ("32", "512"):
        tab.evaluate(CHOOSE, "batch_size=3667")
        assert offered.all_inner_texts() == [*usual, "3,667"]
        choice(tab, "batch size").select_option(label=size)
        choice(tab, "seed").select_option(index=1)
        assert offered.all_inner_texts() == usual
        assert tab.evaluate("trainHere.panels[0].choice.settings.batch_size") == int(size)


def test_every_value_on_offer_is_one_that_the_engine_takes(tab: Page):
    refused = tab.evaluate("""() => Object.entries(trainHere.CHOICES).flatMap(
      ([name, { values }]) => values.flatMap((it) => trainHere.check({ [name]: it }).refused))""")
    assert refused == []


def test_what_is_switched_on_is_trained_where_one_sees_it(tab: Page):
    tab.evaluate(CHOOSE, "num_steps=100&mistakes=unscaled")
    tab.get_by_role("button", name="Train with these").click()
    wait_for_the_end(tab)
    assert tab.evaluate("trainHere.panels[0].runs[0].settings.mistakes") == ["unscaled"]
    expect(tab.locator(".train-play").first).to_be_in_viewport()


def test_each_run_has_a_command_and_what_is_seen_inside_says_whose_it_is(tab: Page):
    whose = tab.get_by_text("The first of these runs, inside:")
    command = tab.locator(".train-line-to-copy code").first
    tab.evaluate(CHOOSE, "runs=two&beside=learning_rate:5")
    expect(whose).to_be_visible()
    first, second = command.inner_text().splitlines()
    assert "out-1.ipynb" in first and second.endswith("out-2.ipynb -p learning_rate 5")
    tab.evaluate(CHOOSE, "")
    expect(whose).to_be_hidden()
    assert command.inner_text().endswith("out.ipynb")


def test_every_mistake_can_be_switched_on_and_says_what_to_watch(tab: Page):
    switches = tab.locator("[data-train-part=mistakes] .train-switch")
    names = tab.evaluate("trainHere.MISTAKES.map(({ name }) => name)")
    assert switches.count() == len(names) == 8
    for number, name in enumerate(names):
        expect(switches.nth(number).locator("small")).to_have_text(re.compile(r"\w+ \w+.*[.?]$"))
        switches.nth(number).locator("input").check()
        assert name in tab.evaluate("trainHere.panels[0].settingsOfRuns()[0].mistakes")


# ---- what is shown ----


def test_three_curves_grow_on_axes_with_names_and_differ_in_more_than_colour(tab: Page):
    train(tab)
    loss, accuracy = tab.locator(".train-chart figcaption").all_inner_texts()
    assert loss == "Loss (nats)" and re.fullmatch(r"Accuracy \(%\)(, from \d+)?", accuracy)
    for chart in tab.locator(".train-chart svg").all():
        assert chart.get_by_text("step", exact=True).count() == 1
        kinds = ("minibatch", "training", "validation")
        for kind in kinds:
            points = chart.locator(f".train-line.{kind}").get_attribute("points").split()
            assert len(points) >= 3
        dashes = "line => getComputedStyle(line).strokeDasharray"
        styles = {chart.locator(f".train-line.{kind}").evaluate(dashes) for kind in kinds}
        marks = {
            chart.locator(f".train-mark.{kind}").evaluate("it => it.tagName") for kind in kinds
        }
        assert len(styles) == len(marks) == 3


def test_an_axis_of_accuracies_that_does_not_begin_at_0_says_so(tab: Page):
    for address, is_cut in (("num_steps=300", True), ("learning_rate=0.005&num_steps=100", False)):
        train(tab, address)
        chart = tab.locator(".train-chart").last
        first = ticks_of(chart).first.text_content()
        title = "Accuracy (%)" + (f", from {first}" if is_cut else "")
        assert (first != "0") is is_cut
        assert chart.locator("figcaption").inner_text() == title


def test_the_table_has_the_numbers_of_the_curves(tab: Page):
    train(tab)
    told = tab.evaluate("""() => { const [run] = trainHere.panels[0].runs;
      return run.evaluations.at(-1); }""")
    for kind, name in (("training", "training, at random"), ("validation", "validation")):
        row = tab.locator(".train-numbers table").first.locator("tr", has_text=name)
        loss, accuracy = row.locator("td").all_inner_texts()
        assert float(loss) == pytest.approx(told[kind]["loss"], abs=6e-4)
        assert accuracy == f"{told[kind]['accuracy']:.1f} %"


def test_weights_and_misread_digits_change_as_it_learns(tab: Page):
    def seen() -> list[str]:
        pictures = tab.locator(".train-weights canvas, .train-misread li:visible canvas")
        return pictures.evaluate_all("all => all.map((canvas) => canvas.toDataURL())")

    press(tab, "One step")
    expect(tab.locator(".train-misread figcaption")).to_contain_text("of 333 validation images")
    tab.wait_for_timeout(300)  # each picture has a frame of its own
    early = seen()
    press(tab, "Go on")
    wait_for_the_end(tab)
    tab.wait_for_timeout(800)
    late = seen()
    assert early[0] != late[0] and set(early[1:]) != set(late[1:])


def test_weights_misread_digits_and_answer_are_of_one_step(tab: Page):
    """They change within one frame, whose time the document's timeline has."""
    tab.evaluate("""() => { window.changes = {};
      for (const place of [".train-weights figcaption", ".train-misread figcaption",
        ".train-answers caption"]) {
        changes[place] = [];
        new MutationObserver(() => changes[place].push(document.timeline.currentTime))
          .observe(document.querySelector(place), { childList: true });
      } }""")
    train(tab, "num_steps=1000")
    tab.wait_for_timeout(300)
    changes = list(tab.evaluate("changes").values())
    assert len(changes[0]) > 1 and changes[0] == changes[1] == changes[2]


def test_starting_again_puts_away_what_was_seen_of_the_network(tab: Page):
    train(tab)
    expect(tab.locator(".train-misread li:visible").first).to_be_visible()
    press(tab, "Start again")
    expect(tab.locator(".train-misread li:visible")).to_have_count(0)
    expect(tab.locator(".train-weights canvas")).to_have_class("empty")
    expect(tab.locator(".train-answers td").first).to_have_text("–")


def test_a_drawing_is_answered_by_the_network_as_it_stands(tab: Page):
    rows = tab.locator(".train-answers td")
    answers = []
    press(tab, "One step")
    for _ in range(2):
        expect(tab.locator(".train-answers caption")).to_contain_text("as it stands")
        tab.wait_for_timeout(800)
        answers.append([float(text.removesuffix(" %")) for text in rows.all_inner_texts()])
        assert sum(answers[-1]) == pytest.approx(100, abs=1)
        press(tab, "Go on")
        wait_for_the_end(tab)
    assert answers[0] != answers[1]
    assert max(answers[1]) == answers[1][7]  # the example on the board is a 7
    board = tab.locator(".draw-board")
    board.click(position={"x": 100, "y": 60})  # the reader's own dot takes its place
    tab.wait_for_timeout(200)
    dot = [float(text.removesuffix(" %")) for text in rows.all_inner_texts()]
    assert dot != answers[1]


def test_an_empty_board_gets_no_answer(tab: Page):
    press(tab, "One step")
    expect(tab.locator(".train-answers caption")).to_contain_text("as it stands")
    press(tab, "Clear")
    expect(tab.locator(".train-answers caption")).to_contain_text("The board is empty")
    assert tab.locator(".train-answers td").all_inner_texts() == ["–"] * 10
    assert tab.locator(".train-answers .chosen").count() == 0
    press(tab, "Undo")
    expect(tab.locator(".train-answers caption")).to_contain_text("as it stands")


# ---- breaking it ----


def test_of_the_original_s_loop_it_counts_the_images_and_shows_the_gap(tab: Page):
    train(tab, "mistakes=modulo&num_steps=300&batch_size=128")
    expect(sign(tab, "images seen")).to_have_text("137 of 3,667 ◀ look")
    batches, random = map(
        float, re.findall(r"[\d.]+(?= %)", sign(tab, "minibatches").inner_text())
    )
    assert batches == 100 and random < 85
    expect(sign(tab, "minibatches")).to_contain_text("look")


def test_of_a_healthy_run_no_sign_is_bad(tab: Page):
    train(tab, "learning_rate=0.1&num_steps=300")
    assert tab.locator(".train-signs .wrong").count() == 0
    expect(sign(tab, "images seen")).to_have_text("3,667 of 3,667")


def test_the_first_nan_is_named_in_the_chart_and_among_the_signs(tab: Page):
    train(tab, "mistakes=log_softmax&learning_rate=10")
    where = re.search(r"step (\d+)", sign(tab, "first NaN").inner_text())[1]
    assert tab.locator(".train-nan-name").all_text_contents() == [f"NaN at step {where}"] * 2
    expect(tab.locator(".train-said")).to_contain_text(f"NaN) at step {where}")


def test_after_a_nan_it_goes_on_and_can_be_paused(tab: Page):
    train(tab, f"learning_rate=10&mistakes=log_softmax&num_steps={ENDLESS}")
    stopped = step_of(tab)
    press(tab, "Go on")
    expect(tab.locator(".train-play")).to_have_text("Pause")
    expect(tab.locator(".train-counted")).to_contain_text("steps a second")
    assert stopped < paused(tab) < ENDLESS


def test_a_network_that_is_lost_has_no_accuracy_and_no_answers(tab: Page):
    train(tab, "mistakes=log_softmax&learning_rate=10&num_steps=300")
    expect(tab.locator(".train-said")).to_contain_text("The network is lost")
    row = tab.locator(".train-numbers table").first.locator("tr", has_text="validation")
    assert row.locator("td").all_inner_texts() == ["NaN", "lost"]
    expect(sign(tab, "guessing")).to_have_text("lost ◀ look")
    expect(tab.locator(".train-misread figcaption")).to_contain_text("it answers nothing")
    expect(tab.locator(".train-misread li:visible")).to_have_count(0)
    assert tab.locator(".train-answers td").all_inner_texts() == ["–"] * 10


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("mistakes=all_zero", "hidden units"),
        ("learning_rate=10", "hidden units"),
        ("mistakes=unscaled", "first loss"),
        ("mistakes=shuffled_labels", "guessing"),
        ("mistakes=choose_on_test", "best on test"),
    ],
)
def test_what_is_wrong_shows_in_a_sign(tab: Page, address: str, name: str):
    train(tab, f"{address}&num_steps=300")
    expect(sign(tab, name)).to_contain_text("◀ look")


# ---- several runs ----


def test_two_runs_differ_in_one_setting_and_share_their_axes(tab: Page):
    train(tab, "num_steps=100&runs=two&beside=learning_rate:10")
    first, second = tab.evaluate("trainHere.panels[0].settingsOfRuns()")
    assert {name for name in first if first[name] != second[name]} == {"learning_rate"}
    titles = tab.locator(".train-title").all_inner_texts()
    assert titles == [f"learning rate: {first['learning_rate']}", "learning rate: 10"]
    ticks = [
        chart.all_text_contents() for chart in map(ticks_of, tab.locator(".train-chart").all())
    ]
    assert ticks[0] == ticks[2] and ticks[1] == ticks[3]
    heads = tab.locator(".train-signs thead th").all_inner_texts()
    assert heads == titles


def ticks_of(chart: Locator) -> Locator:
    return chart.locator('text[text-anchor="end"]:not(.train-level-name)')


def test_five_seeds_have_the_mean_and_the_interval_of_the_book(tab: Page):
    train(tab, "num_steps=100&runs=five&num_hidden=16")
    settings = tab.evaluate("trainHere.panels[0].settingsOfRuns()")
    assert [each.pop("seed") for each in settings] == [0, 1, 2, 3, 4]
    assert all(each == settings[0] for each in settings)
    scores = tab.evaluate("""trainHere.panels[0].runs.map((run) =>
      run.evaluations.at(-1).validation.accuracy)""")
    mean, half = mean_interval(scores)
    *each, together = tab.locator(".train-numbers tbody td").all_inner_texts()
    assert each == [f"{score:.1f} %" for score in scores]
    assert together == f"{mean:.1f} ± {half:.1f} %"
    assert tab.locator(".train-chart").first.locator(".train-line.seed").count() == 5


def test_a_button_of_the_text_sets_the_panel_and_trains(tab: Page):
    tab.get_by_role("button", name="with % 10").click()
    assert tab.evaluate("trainHere.panels[0].choice.settings.mistakes") == ["modulo"]
    wait_for_the_end(tab)


# ---- taking it home ----


def test_the_command_and_the_link_have_the_settings_and_can_be_copied(tab: Page):
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.evaluate(CHOOSE, "learning_rate=2&seed=3")
    command, link = tab.locator(".train-line-to-copy code").all_inner_texts()
    assert command.endswith("-p learning_rate 2 -p seed 3")
    assert link.endswith("train.html#learning_rate=2&seed=3")
    for name, text in (("command", command), ("link", link)):
        tab.get_by_role("button", name=f"Copy the {name}").click()
        expect(tab.locator(".train-copied", has_text="Copied.")).to_have_count(
            1 if name == "command" else 2
        )
        assert tab.evaluate("navigator.clipboard.readText()") == text


def test_where_a_page_may_not_copy_the_line_is_selected(browser: Browser, site: Path):
    tab = open_page(browser, site / "train.html")
    tab.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    tab.get_by_role("button", name="Copy the command").click()
    expect(tab.locator(".train-copied").first).to_contain_text("Selected")
    assert tab.evaluate("String(getSelection())").startswith("papermill ")
    tab.context.close()


# ---- for everybody ----


def test_no_task_of_the_page_takes_fifty_milliseconds_while_it_trains(tab: Page):
    # Other tests run beside this one. A page that is slow by itself is slow each time.
    for _ in range(4):
        tab.evaluate("() => { longTasks.length = 0; }")
        train(tab, "num_steps=300")
        tab.wait_for_timeout(800)
        found = tab.evaluate("longTasks")
        if not found:
            return
    pytest.fail(f"tasks of {found} ms, each time")


def test_a_screen_reader_is_told_of_a_run_at_its_begin_and_its_end_alone(tab: Page):
    tab.evaluate("""() => { window.told = [];
      const place = document.querySelector(".train-said");
      new MutationObserver(() => told.push(place.textContent)).observe(place, { childList: true });
    }""")
    train(tab, "num_steps=300")
    told = [text for text in tab.evaluate("told") if text]
    assert len(told) == 2 and told[0] == "Training." and told[1].startswith("Step 300. ")
    assert tab.locator(".train-panel [role=status]").count() == 2  # this, and the board's pen


def test_a_screen_reader_is_told_the_answer_once_the_pen_rests(tab: Page):
    train(tab)
    board = tab.locator(".draw-board")
    board.focus()
    for key in ("Space", "ArrowDown", "ArrowDown", "Space"):
        board.press(key)
    said = tab.locator(".train-drawing [role=status]")
    expect(said).to_have_text(re.compile("the network, as it stands, says [0-9]"))
    assert said.inner_text() == tab.locator(".train-answers caption").inner_text()


def test_a_number_can_be_selected_while_it_trains(tab: Page):
    tab.evaluate(CHOOSE, f"num_steps={ENDLESS}")
    press(tab, "Train")
    expect(tab.locator(".train-counted")).to_contain_text("steps a second")
    cells = tab.locator(".train-numbers td")
    before = cells.all_inner_texts()
    tab.evaluate("""() => {
      window.cell = document.querySelector(".train-numbers tbody td");
      getSelection().selectAllChildren(document.querySelector(".train-numbers th[scope=row]"));
    }""")
    tab.wait_for_timeout(1_000)
    assert cells.all_inner_texts() != before
    assert tab.evaluate("cell.isConnected")
    assert tab.evaluate("String(getSelection())") == "minibatch, mean of 50"
    press(tab, "Pause")


def test_the_button_that_starts_again_hands_the_focus_on(tab: Page):
    train(tab)
    tab.get_by_role("button", name="Start again").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_timeout(100)
    assert tab.evaluate("document.activeElement.className") == "train-play"


def test_all_of_it_works_from_the_keyboard(tab: Page):
    tab.locator(".train-play").focus()
    tab.keyboard.press("Enter")
    wait_for_the_end(tab)
    met = []
    for _ in range(40):
        tab.keyboard.press("Tab")
        met.append(tab.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
    stops = tab.locator(
        ".train-panel :is(button, select, canvas[tabindex]):not([disabled]):visible"
    )
    selects = {re.search(r'data-setting="(\w+)"', each)[1] for each in met if "<select" in each}
    assert selects == {*tab.evaluate("Object.keys(trainHere.CHOICES)"), "runs"} - {"drop"}  # off
    assert any("draw-board" in each for each in met) and stops.count() > 12


def test_whatever_can_be_focused_has_a_role_and_a_name(tab: Page):
    train(tab, "num_steps=100&runs=two")
    nodes = tab.context.new_cdp_session(tab).send("Accessibility.getFullAXTree")["nodes"]
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in nodes
        if not node["ignored"]
        and any(it["name"] == "focusable" for it in node.get("properties", []))
        and node["role"]["value"] != "RootWebArea"
    ]
    roles = {role for role, _ in found}
    assert {"button", "combobox", "checkbox", "application", "group"} <= roles
    assert "generic" not in roles and all(name for _, name in found), found
    tables = [node for node in nodes if node["role"]["value"] == "table"]
    assert len(tables) == 3 and all(node["name"]["value"] for node in tables)


@pytest.mark.parametrize("colours", ["none", "active"])
def test_the_focus_is_seen_wherever_it_goes(browser: Browser, site: Path, colours: str):
    tab = open_page(browser, site / "train.html", forced_colors=colours)
    met = set()
    for _ in range(60):
        tab.keyboard.press("Tab")
        what, style, width = tab.evaluate("""() => { const it = document.activeElement;
          const { outlineStyle, outlineWidth } = getComputedStyle(it);
          return [it.className || it.dataset.setting || it.textContent, outlineStyle,
            parseFloat(outlineWidth)]; }""")
        if what in met:
            break
        met.add(what)
        assert style != "none" and width >= 1, what
    assert {"train-play", "learning_rate", "draw-board"} <= met
    tab.context.close()


def test_axe_finds_nothing_after_training(tab: Page):
    for address in ("num_steps=100", "num_steps=100&runs=two", "num_steps=100&runs=five"):
        train(tab, address)
        tab.wait_for_timeout(600)
        # The theme's colours are looked at on the site; landmarks are the theme's, too.
        options = {"rules": {rule: {"enabled": False} for rule in ("color-contrast", "region")}}
        found = Axe().run(tab, options=options | {"resultTypes": ["violations"], "preload": False})
        assert not found.violations_count, found.generate_report()


def test_a_contrast_theme_has_curves_of_its_own_colour(browser: Browser, site: Path):
    tab = open_page(browser, site / "train.html", "#num_steps=100", forced_colors="active")
    press(tab, "Train")
    wait_for_the_end(tab)
    stroke = "lines => [...new Set(lines.map((line) => getComputedStyle(line).stroke))]"
    strokes = tab.locator(".train-charts .train-line").evaluate_all(stroke)
    assert strokes == [tab.evaluate("getComputedStyle(document.body).color")]
    tab.context.close()


def test_where_little_motion_is_wanted_a_picture_stands_for_a_second(browser: Browser, site: Path):
    tab = open_page(browser, site / "train.html", f"#num_steps={ENDLESS}", reduced_motion="reduce")
    tab.evaluate("""() => { window.shown = []; const { panels: [panel] } = trainHere;
      panel.listeners.push(() => shown.push(performance.now())); }""")
    press(tab, "Train")
    for _ in range(60):
        shown = tab.evaluate("shown")[2:]  # the press and the first picture are at once
        if len(shown) >= 3:
            break
        tab.wait_for_timeout(500)
    assert len(shown) >= 3
    assert all(later - earlier > 950 for earlier, later in pairwise(shown))
    tab.context.close()


def test_what_comes_while_a_picture_is_due_is_shown_with_it(browser: Browser, site: Path):
    tab = open_page(browser, site / "train.html")
    asked = tab.evaluate("""async () => {
      const { panels: [panel] } = trainHere;
      let asked = 0;
      window.requestAnimationFrame = () => { asked += 1; };  // the browser is busy elsewhere
      panel.shownAt = -10_000;
      for (const _ of [1, 2]) {
        panel.changed();
        await new Promise((later) => setTimeout(later, 100));
      }
      return asked;
    }""")
    assert asked == 1
    tab.context.close()


def test_on_a_phone_controls_and_curves_are_on_the_first_screen(browser: Browser, site: Path):
    tab = open_page(browser, site / "train.html", viewport={"width": 360, "height": 640})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    charts = tab.locator(".train-charts").bounding_box()
    header = tab.locator(".train-panel").bounding_box()["y"]
    assert charts["y"] + charts["height"] - header < 520  # the theme's header and the title: 220
    press(tab, "Train")
    wait_for_the_end(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.context.close()


@pytest.mark.parametrize("width", [360, 390])
def test_on_a_phone_the_numbers_of_two_runs_fit(browser: Browser, site: Path, width: int):
    tab = open_page(browser, site / "train.html", viewport={"width": width, "height": 740})
    for beside in ("learning_rate:10", "test_head:on"):  # the shortest title, and the longest
        train(tab, f"num_steps=100&runs=two&beside={beside}")
        numbers = tab.locator(".train-numbers")
        assert numbers.evaluate("it => it.scrollWidth <= it.clientWidth")
        for table in numbers.locator("table").all():
            assert table.evaluate("it => it.scrollWidth <= it.clientWidth")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.context.close()


def test_data_that_did_not_arrive_are_named(browser: Browser, site: Path, tmp_path: Path):
    copy = tmp_path / "site"
    shutil.copytree(site.parent, copy)
    (copy / "_static" / "train" / "sample.js").unlink()
    tab = open_page(browser, copy / "chapters" / "train.html", "#num_steps=100")
    press(tab, "Train")
    expect(tab.locator(".train-trouble")).to_have_text("The sample of digits could not be loaded.")
    expect(tab.locator(".train-play")).to_have_text("Train")
    expect(tab.locator(".train-said")).to_have_text("")
    shutil.copy(site.parent / "_static" / "train" / "sample.js", copy / "_static" / "train")
    press(tab, "Train")  # it asks again
    wait_for_the_end(tab)
    expect(tab.locator(".train-trouble")).to_have_text("")
    tab.context.close()


# ---- without scripts, on paper, and in chapters ----


def test_without_javascript_there_is_a_sentence_with_a_link(browser: Browser, site: Path):
    tab = open_page(browser, site / "small.html", java_script_enabled=False)
    link = tab.locator(".train-without a")
    expect(link).to_be_visible()
    assert link.get_attribute("href") == "train.html#num_hidden=16&learning_rate=5"
    tab.context.close()


def test_on_paper_the_sentence_stands_in_place_of_the_panel(browser: Browser, site: Path):
    tab = open_page(browser, site / "small.html")
    expect(tab.locator(".train-without")).to_be_hidden()
    tab.emulate_media(media="print")
    expect(tab.locator(".train-without")).to_be_visible()
    assert tab.locator(".train-panel > :visible").count() == 1
    tab.context.close()


def test_a_small_panel_has_its_controls_alone_and_opens_the_page_with_its_settings(
    browser: Browser, site: Path
):
    tab = open_page(browser, site / "small.html")
    assert tab.locator(".train-panel :is(select, input)").count() == 2
    tab.get_by_label("% 10 in the offset").check()
    press(tab, "Train")
    wait_for_the_end(tab)
    tab.get_by_role("link", name="Open these settings").click()
    tab.wait_for_url("**/train.html#*")
    expect(choice(tab, "hidden units")).to_have_value("16")
    expect(choice(tab, "learning rate")).to_have_value("5")
    expect(tab.locator('[data-mistake="modulo"]')).to_be_checked()
    assert tab.complaints == []
    tab.context.close()


def test_the_directive_brings_the_scripts_once_for_all_panels_of_a_page(render: Callable):
    text = ":::{train}\n:settings: seed=1&num_hidden=0\n:controls: seed\n:signs: nan\n:::\n"
    page = render(f"::::{{admonition}} Predict\n{text}::::\n\n{text}")
    panels = page.select(".train-panel")
    assert [each["data-settings"] for each in panels] == ["seed=1&num_hidden=0"] * 2
    assert [each["data-signs"] for each in panels] == ["nan"] * 2
    files = [script["src"] for script in page.select('script[src^="../_static"]')]
    assert files == [f"../_static/{name}" for name in SCRIPTS]


def test_the_page_s_own_panel_brings_the_board_too(render: Callable):
    page = render(":::{train}\n:::\n")
    files = [script["src"] for script in page.select('script[src*="_static/draw"]')]
    assert {f"../_static/{name}" for name in MORE_SCRIPTS if "draw/" in name} < set(files)
    assert not page.select_one(".train-panel").has_attr("data-controls")


@pytest.fixture
def render(tmp_path: Path) -> Callable[[str], BeautifulSoup]:
    """A page made from MyST text."""

    def render(text: str) -> BeautifulSoup:
        page, complaints = rendered(tmp_path, "pipeline.site.train_panel", f"\n{text}")
        assert complaints == ""
        return page

    return render
