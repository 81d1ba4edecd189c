"""The page "Draw a digit" in a real browser, with networks of random weights.

The page is made from the chapter's own HTML and scripts, has the policy of the
site's pages, and is opened from its folder, where browsers allow least.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import open_tab
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from mnist_helpers.data import Split
from mnist_helpers.records import save_record, save_weights
from pipeline.draw import pack as packing
from pipeline.draw import preparation
from pipeline.draw.pack import MODELS, browser_files, logits, main, pack
from pipeline.draw.robustness import NUDGES, nudge_scores, shifts_table, steps_table
from pipeline.notebooks import CHAPTERS, ChapterError
from pipeline.site.finish import finished

STATIC = CHAPTERS / "_static" / "draw"
MEGABYTES = 1_000_000
SHAPES = {
    "logistic_regression": [(784, 10)],
    "mlp": [(784, 1024), (1024, 10)],
    "regularized_mlp": [(784, 1024), (1024, 10)],
    "simple_cnn": [(5, 5, 1, 16), (5, 5, 16, 16), (784, 64), (64, 10)],
    "deeper_cnn": [(5, 5, 1, 32), (5, 5, 32, 64), (3136, 64), (64, 10)],
}


def random_weights(name: str) -> list[np.ndarray]:
    """Weights of a size that keeps the layers' outputs of one size."""
    rng = np.random.default_rng(len(name))
    arrays = []
    for shape in SHAPES[name]:
        spread = np.sqrt(2 / np.prod(shape[:-1]))
        arrays += [rng.normal(0, spread, shape), rng.normal(0, 0.1, shape[-1:])]
    return [array.astype(np.float32) for array in arrays]


def leave_run(
    records: Path, model: packing.Model, data, predictions: np.ndarray, num_steps: int = 20
) -> None:
    record = save_record(
        str(records),
        model=model.name,
        chapter=model.chapter,
        parameters={"seed": 0, "num_steps": num_steps},
        data=data,
        validation_accuracy=10.0,
        test_predictions=predictions,
        parameter_count=1,
        train_seconds=1.0,
        device="CPU",
    )
    save_weights(record, random_weights(model.name))


@pytest.fixture(scope="module")
def small_data(sample_mnist):
    """The sample with its first hundred test digits alone."""
    test = sample_mnist.test
    few = dataclasses.replace(test, pixels=test.pixels[:100], classes=test.classes[:100])
    return dataclasses.replace(sample_mnist, test=few)


@pytest.fixture(scope="module")
def build(small_data, tmp_path_factory) -> Path:
    """A build in which each network left a run, packed for the browser."""
    folder = tmp_path_factory.mktemp("build")
    for model in MODELS:
        predictions = logits(model.layers, random_weights(model.name), small_data.test.images)
        leave_run(folder / "records", model, small_data, predictions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "fetch", lambda *_: small_data)
        main(folder)
    return folder


def write_site(folder: Path, packed: Path) -> Path:
    """The chapter's HTML with its scripts, and the packed networks beside them."""
    static = folder / "_static" / "draw"
    shutil.copytree(STATIC, static)
    for path in packed.iterdir():
        shutil.copy(path, static)
    blocks = re.findall(
        r"```\{raw\} html\n(.*?)```", (CHAPTERS / "draw.md").read_text(encoding="utf-8"), re.S
    )
    page = folder / "chapters" / "draw.html"
    page.parent.mkdir()
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8" /><title>Draw</title>'
    page.write_text(
        finished(f"{head}</head><body>{''.join(blocks)}</body></html>"), encoding="utf-8"
    )
    return page


@pytest.fixture(scope="module")
def site(build, tmp_path_factory) -> Path:
    return write_site(tmp_path_factory.mktemp("site"), build / "draw")


def manifest_of(packed: Path) -> dict:
    text = (packed / "manifest.js").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(r"drawADigit\.receiveManifest\((.*)\);\n", text)[1])


# ---- packing ----


def test_a_large_array_is_off_by_half_a_step_of_its_units_scale_at_most():
    array = np.random.default_rng(0).normal(0, [1, 100], (10_000, 2)).astype(np.float32)
    description, content, unpacked = pack(array)
    assert description["type"] == "int8" and len(content) == 4 * 2 + array.size
    steps = np.abs(array).max(axis=0) / 127
    assert (np.abs(array - unpacked) <= 0.5001 * steps).all()


def test_a_unit_of_zeros_stays_zero():
    array = np.zeros((10_000, 2), np.float32)
    assert not pack(array)[2].any()


def test_the_five_networks_stay_under_three_megabytes(build):
    scripts = [path for path in (build / "draw").glob("*.js") if path.stem in SHAPES]
    assert len(scripts) == 5
    assert sum(path.stat().st_size for path in scripts) < 3 * MEGABYTES


def test_the_manifest_says_length_and_checksum_of_what_each_script_brings(build):
    for entry in manifest_of(build / "draw")["models"]:
        text = (build / "draw" / f"{entry['name']}.js").read_text(encoding="utf-8")
        content = base64.b64decode(re.search(r', "(.*)"\)', text)[1])
        assert (len(content), zlib.crc32(content)) == (entry["bytes"], entry["crc"])


def test_weights_that_did_not_make_the_record_are_refused(small_data, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "fetch", lambda *_: small_data)
    leave_run(tmp_path, MODELS[0], small_data, np.eye(10)[np.zeros(100, int)])
    with pytest.raises(ChapterError, match="02-logistic-regression: the weights of"):
        browser_files(tmp_path)


def test_of_two_runs_the_one_that_the_chapter_shows_is_taken(small_data, tmp_path):
    for num_steps in (20, 3):
        all_right = np.eye(10)[small_data.test.classes]
        leave_run(tmp_path, MODELS[1], small_data, all_right, num_steps)
    assert packing.chapters_run(MODELS[1], tmp_path)[0]["num_steps"] == 3


def test_without_weights_the_page_is_told_so(tmp_path):
    main(tmp_path)
    assert manifest_of(tmp_path / "draw")["models"] == []
    said = (tmp_path / "draw" / "warning.md").read_text(encoding="utf-8")
    assert "no weights of: Logistic regression, MLP" in said


def test_the_page_holds_no_script_of_its_own():
    text = (CHAPTERS / "draw.md").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|javascript:|\sstyle=", text)
    scripts = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    assert not re.search(r"\beval\(|new Function|innerHTML|https?://", scripts)


def test_says_that_the_networks_learned_little(build):
    said = (build / "draw" / "warning.md").read_text(encoding="utf-8")
    assert "a sample of MNIST" in said
    assert "few steps, and so poor readers: Logistic regression (20), MLP (20)" in said


# ---- what the build measures ----


def by_place(images: np.ndarray) -> np.ndarray:
    """A reader of five pictures that knows them by the middle of their ink."""
    columns = images.reshape(-1, 28, 28).sum(axis=1)
    middle = (columns @ np.arange(28)) / columns.sum(axis=1)
    return np.floor(middle).astype(int)


@pytest.fixture
def bars() -> Split:
    """A bar of four columns around each of 9, 11, … 17 and the next; that is its class."""
    columns = np.arange(9, 19, 2)
    pixels = np.zeros((5, 28, 28), np.uint8)
    for image, column in zip(pixels, columns, strict=True):
        image[4:24, column - 1 : column + 3] = 255
    return Split(pixels, columns.astype(np.uint8))


def test_a_shift_costs_whoever_reads_by_place(bars):
    scores = nudge_scores({"by place": by_place}, bars)
    amounts = NUDGES["right"][1]
    assert dict(zip(amounts, scores["right"]["by place"], strict=True)) == {
        amount: 100.0 if amount == 0 else 0.0 for amount in amounts
    }
    assert scores["stroke"]["by place"][NUDGES["stroke"][1].index(1)] == 100.0


def test_a_shift_is_judged_on_what_both_networks_read_unmoved(bars):
    many = Split(np.tile(bars.pixels, (20, 1, 1)), np.tile(bars.classes, 20))

    def half_blind(images: np.ndarray) -> np.ndarray:
        """Reads wherever a bar is moved, and every other image not at all."""
        read = many.classes.astype(int)
        read[::2] = 0
        return read

    text = shifts_table({"MLP": by_place, "half": half_blind}, many)
    assert "| MLP | 0 | 0 | 0 | – | – | – |" in text
    assert "| half | 100 | 100 | 100 | +100 ± 0.0 | +100 ± 0.0 | +100 ± 0.0 |" in text


def test_centring_takes_the_place_away(bars):
    text = steps_table({"by place": by_place, "13": lambda images: np.full(5, 13)}, bars)
    assert "| nothing | 20.0 | 20.0 |" in text  # all five stand in the middle
    assert "5 test digits" in text


# ---- in the browser ----


def visit(browser: Browser, page: Path, width: int = 1000) -> Page:
    """Open a page from its folder and wait for its networks."""
    tab = open_tab(browser, page.as_uri(), viewport={"width": width, "height": 800})
    tab.set_default_timeout(60_000)
    wait_for_networks(tab)
    return tab


def wait_for_networks(tab: Page) -> None:
    expect(tab.locator("#draw-loading")).to_contain_text("Loaded: ", timeout=60_000)


def wait_until(tab: Page, holds: str) -> None:
    """Wait for a condition. Playwright's own way evaluates text, which the page forbids."""
    for _ in range(200):
        if tab.evaluate(holds):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"never came true: {holds}")


@pytest.fixture(scope="module")
def tab(browser, site) -> Iterator[Page]:
    opened = visit(browser, site)
    yield opened
    assert opened.complaints == []
    opened.close()


TWO_FRAMES = """() => new Promise((resolve) =>
    requestAnimationFrame(() => requestAnimationFrame(resolve)))"""
LOGITS = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const model = drawADigit.state.networks.get(name);
  return Array.from({ length: bytes.length / 784 }, (_, i) => {
    const pixels = Float32Array.from(bytes.subarray(784 * i, 784 * (i + 1)), (b) => b / 255);
    return drawADigit.run(model, pixels).logits;
  });
}"""


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_browser_computes_what_tensorflow_computes(tab: Page, sample_mnist, model):
    digits = sample_mnist.train
    packed = [pack(array)[2] for array in random_weights(model.name)]
    theirs = logits(model.layers, packed, digits.images[:1_000])
    ours = tab.evaluate(LOGITS, [model.name, base64.b64encode(digits.pixels[:1_000]).decode()])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(np.argmax(ours, 1), theirs.argmax(1))


def test_the_largest_network_answers_within_fifty_milliseconds(tab: Page):
    fastest = tab.evaluate("""() => {
      const model = drawADigit.state.networks.get("deeper_cnn");
      const ink = drawADigit.prepare(new Float32Array(784).fill(1), 28,
        { scale: true, smooth: true, invert: true, centre: "mass" });
      return Math.min(...Array.from({ length: 60 }, () => {
        const began = performance.now();
        drawADigit.run(model, ink);
        return performance.now() - began;
      }));
    }""")
    assert fastest < 50


PREPARED = """(steps) => {
  const ink = new Float32Array(280 * 280);
  for (let row = 20; row < 100; row++) for (let column = 30; column < 50; column++)
    ink[row * 280 + column] = 1;
  for (let row = 20; row < 30; row++) for (let column = 30; column < 70; column++)
    ink[row * 280 + column] = 1;
  const all = { scale: true, smooth: true, invert: true, centre: "mass" };
  return Array.from(drawADigit.prepare(ink, 280, { ...all, ...steps }));
}"""


def prepared(tab: Page, **steps) -> np.ndarray:
    """A drawing like a thick Γ, 80 high and 40 wide, in the upper left corner of the board."""
    return np.reshape(tab.evaluate(PREPARED, steps), (28, 28))


def centre_of_mass(image: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(image.shape) + 0.5
    return np.array([np.sum(rows * image), np.sum(columns * image)]) / image.sum()


def extent(image: np.ndarray) -> tuple[int, int]:
    rows, columns = np.nonzero(image > 0.01)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def test_prepares_a_drawing_as_mnist_was_prepared(tab: Page):
    image = prepared(tab)
    np.testing.assert_allclose(centre_of_mass(image), [14, 14], atol=0.01)
    high, wide = extent(image)
    assert high in (20, 21) and wide in (10, 11)  # a box between pixels touches one more
    assert image.sum() == pytest.approx((80 * 20 + 10 * 20) / 4**2, rel=1e-5)


def test_each_step_can_be_left_out(tab: Page):
    assert extent(prepared(tab, scale=False))[0] in (8, 9)  # 80 of the board's 280
    assert set(np.unique(prepared(tab, smooth=False))) == {0, 1}
    np.testing.assert_allclose(prepared(tab, invert=False), 1 - prepared(tab), atol=1e-6)
    by_box = prepared(tab, centre="box")
    np.testing.assert_allclose(by_box[4:24, 9:19].sum(), by_box.sum(), rtol=1e-5)
    assert centre_of_mass(by_box)[0] < 13.5
    where_it_was = prepared(tab, scale=False, centre="none")
    np.testing.assert_allclose(where_it_was[2:10, 3:7].sum(), where_it_was.sum(), rtol=1e-5)


STEPS = [
    {},
    {"scale": False},
    {"smooth": False},
    {"invert": False},
    {"centre": "box"},
    {"scale": False, "centre": "none"},
]


def test_the_build_prepares_and_nudges_as_the_page_does(tab: Page, sample_mnist):
    """Or its tables would speak of something else."""
    image = sample_mnist.test.images[0].reshape(28, 28)
    place = [0.3, 0.7, 0.2]
    by = {"right": 2, "down": -1, "turn": 20, "stroke": 0.5}
    ink, *prepared, nudged = tab.evaluate(
        """([pixels, place, steps, by]) => {
          const places = [...place];
          const ink = drawADigit.scatter(pixels, 280, () => places.shift());
          const all = { scale: true, smooth: true, invert: true, centre: "mass" };
          return [ink, ...steps.map((some) => drawADigit.prepare(ink, 280, { ...all, ...some })),
            drawADigit.nudge(pixels, by)].map((pixels) => Array.from(pixels)); }""",
        [image.ravel().tolist(), place, STEPS, by],
    )
    numbers = iter(place)
    theirs = preparation.scatter(image, lambda: next(numbers))
    np.testing.assert_allclose(np.reshape(ink, (280, 280)), theirs, atol=1e-5)
    for steps, ours in zip(STEPS, prepared, strict=True):
        expected = preparation.prepare(theirs, **steps)
        np.testing.assert_allclose(np.reshape(ours, (28, 28)), expected, atol=1e-4)
    np.testing.assert_allclose(
        np.reshape(nudged, (28, 28)), preparation.nudge(image[None], **by)[0], atol=1e-5
    )


def test_a_nudge_moves_turns_and_thickens(tab: Page):
    image = prepared(tab)
    nudge = "([pixels, by]) => Array.from(drawADigit.nudge(pixels, by))"

    def nudged(**by) -> np.ndarray:
        return np.reshape(tab.evaluate(nudge, [image.ravel().tolist(), by]), (28, 28))

    np.testing.assert_allclose(nudged(right=3, down=-2)[:-2, 3:], image[2:, :-3], atol=1e-6)
    np.testing.assert_allclose(nudged(turn=90), np.rot90(image, -1), atol=1e-5)
    assert nudged(stroke=1).sum() > 1.2 * image.sum()
    assert nudged(stroke=-1).sum() < 0.8 * image.sum()


def test_draws_and_answers_from_the_keyboard(tab: Page):
    tab.locator("#draw-clear").click()
    board = tab.locator("#draw-board")
    board.focus()
    for key in ("ArrowLeft", "Space", "ArrowDown", "ArrowDown", "ArrowDown"):
        board.press(key)
    expect(tab.locator("#draw-pen-said")).to_have_text("column 13, row 17, drawing")
    board.press("Space")
    expect(tab.locator("#draw-pen-said")).to_have_text("Pen up.")
    expect(tab.locator("#draw-said")).to_contain_text("Deeper CNN (")
    assert max(tab.evaluate("Array.from(drawADigit.state.pixels)")) > 0.9
    board.press("Delete")
    wait_until(tab, "drawADigit.state.pixels.every((x) => x === 0)")


@pytest.mark.parametrize("way", ["example", "undo", "elsewhere"])
def test_the_keyboards_pen_is_lifted_where_the_board_becomes_another(tab: Page, way: str):
    tab.locator("#draw-clear").click()
    board = tab.locator("#draw-board")
    board.focus()
    board.press("ArrowLeft")
    board.press("Space")
    {
        "example": lambda: tab.locator('[data-example="7"]').click(),
        "undo": lambda: board.press("Control+z"),
        "elsewhere": lambda: tab.locator("#draw-model").focus(),
    }[way]()
    ink = tab.evaluate("drawADigit.state.ink.reduce((sum, x) => sum + x)")
    for key in ("ArrowDown", "ArrowDown"):
        board.press(key)
    assert tab.evaluate("drawADigit.state.ink.reduce((sum, x) => sum + x)") == ink
    assert "down" not in tab.locator("#draw-pen-mark").get_attribute("class")


def test_a_key_that_is_held_is_one_press_and_the_browsers_own_keys_stay_its_own(tab: Page):
    tab.locator('[data-example="1"]').click()
    tab.locator("#draw-board").focus()
    for _ in range(4):  # the same key, not let go between
        tab.keyboard.down("Space")
    tab.keyboard.up("Space")
    expect(tab.locator("#draw-pen-said")).to_have_text("Pen down.")
    tab.keyboard.press("Control+z")
    expect(tab.locator("#draw-source")).to_have_text("An example: 1.")
    prevented = """() => {
      const key = new KeyboardEvent("keydown",
        { key: "ArrowLeft", altKey: true, cancelable: true });
      return !document.getElementById("draw-board").dispatchEvent(key); }"""
    assert not tab.evaluate(prevented)


def test_takes_strokes_back(tab: Page):
    board = tab.locator("#draw-board")
    tab.locator('[data-example="1"]').click()
    wait_until(tab, "drawADigit.state.pixels.some((x) => x > 0.9)")
    one = tab.evaluate("Array.from(drawADigit.state.pixels)")
    board.click(position={"x": 40, "y": 40})  # the reader's own dot takes the example's place
    expect(tab.locator("#draw-source")).to_have_text("Your drawing.")
    tab.locator("#draw-undo").click()
    expect(tab.locator("#draw-source")).to_have_text("An example: 1.")
    tab.evaluate(TWO_FRAMES)  # the page computes in the next
    assert tab.evaluate("Array.from(drawADigit.state.pixels)") == one


def test_draws_with_a_finger(browser, site):
    with browser.new_context(has_touch=True, viewport={"width": 360, "height": 640}) as context:
        tab = context.new_page()
        tab.goto(site.as_uri())
        wait_for_networks(tab)
        tab.locator("#draw-clear").tap()
        tab.locator("#draw-board").tap()
        wait_until(tab, "Math.max(...drawADigit.state.pixels) > 0.9")


VOTES = """() => {
  const canvas = document.createElement("canvas");
  drawADigit.paint(canvas, [1, -1], 2, { signed: true });
  const [r, , b, , R, , B] = canvas.getContext("2d").getImageData(0, 0, 2, 1).data;
  return `votes for (${b > r ? "blue" : "red"}) and against (${B > R ? "blue" : "red"})`;
}"""


def test_the_colours_of_votes_are_those_that_their_title_names(tab: Page):
    tab.locator("#draw-model").select_option("logistic_regression")
    expect(tab.locator("#draw-layers figcaption").last).to_contain_text(tab.evaluate(VOTES))


def test_a_tap_on_a_layer_explains_that_number_and_marks_it_alone(tab: Page):
    marked = "marks => marks.map((mark) => !mark.hidden)"
    marks = tab.locator("#draw-layers .draw-chosen")
    tab.locator("#draw-model").select_option("simple_cnn")
    tab.locator("#draw-model").select_option("mlp")
    assert marks.evaluate_all(marked) == [False, False]
    hidden = tab.locator("#draw-layers canvas").first  # 32 × 32 units
    box = hidden.bounding_box()
    hidden.click(position={"x": box["width"] * 3.5 / 32, "y": box["height"] * 2.5 / 32})
    expect(tab.locator("#draw-inspection")).to_contain_text("Unit 67:")
    assert marks.evaluate_all(marked) == [True, False]


def test_says_what_it_makes_of_no_digit(tab: Page):
    tab.locator('[data-example="a scribble"]').click()
    expect(tab.locator("#draw-echo")).to_contain_text("Deeper CNN (")
    expect(tab.locator("#draw-said")).to_have_text(tab.locator("#draw-echo").inner_text())


def test_draws_with_a_pointer(tab: Page):
    tab.locator("#draw-clear").click()
    box = tab.locator("#draw-board").bounding_box()
    tab.mouse.move(box["x"] + 140, box["y"] + 60)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 140, box["y"] + 220, steps=4)
    tab.mouse.up()
    wait_until(tab, "Math.max(...drawADigit.state.pixels) > 0.9")
    for entry in ("logistic_regression", "deeper_cnn"):
        shown = tab.locator(f'#draw-answers td[data-model="{entry}"]').all_inner_texts()
        assert sum(float(text.removesuffix(" %")) for text in shown) == pytest.approx(100, abs=1)


# In base64: of so many numbers one by one, Playwright makes seconds.
AS_TEXT = """(bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))"""


def ink_of(tab: Page) -> np.ndarray:
    text = tab.evaluate(f"({AS_TEXT})(new Uint8Array(drawADigit.state.ink.buffer))")
    return np.frombuffer(base64.b64decode(text), np.float32).reshape(280, 280)


def shown_on(tab: Page) -> np.ndarray:
    """The colours of the board: uint8, shape (280, 280, 4)."""
    context = 'document.getElementById("draw-board").getContext("2d")'
    text = tab.evaluate(f"({AS_TEXT})({context}.getImageData(0, 0, 280, 280).data)")
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(280, 280, 4)


def test_the_board_shows_the_ink_black_on_white_paper(tab: Page):
    tab.locator("#draw-clear").click()
    scale = tab.locator("#draw-board").evaluate("board => board.clientWidth / 280")
    tab.locator("#draw-board").click(position={"x": 141 * scale, "y": 101 * scale})
    wait_until(tab, "Math.max(...drawADigit.state.pixels) > 0.9")
    ink = ink_of(tab)
    grey = 255 * (1 - ink[..., None])
    np.testing.assert_allclose(shown_on(tab), grey * [1, 1, 1, 0] + [0, 0, 0, 255], atol=1)
    assert ink.sum() == pytest.approx(np.pi * 11**2, rel=0.01)  # a dot of the pen's width
    np.testing.assert_allclose(centre_of_mass(ink), [101, 141], atol=0.6)


def test_a_line_is_as_wide_as_the_pen(tab: Page):
    tab.locator("#draw-clear").click()
    box = tab.locator("#draw-board").bounding_box()
    tab.mouse.move(box["x"] + 60, box["y"] + 80)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 180, box["y"] + 170)
    tab.mouse.up()
    long = 150 * 280 / box["width"]
    assert ink_of(tab).sum() == pytest.approx(long * 22 + np.pi * 11**2, rel=0.01)


def test_a_browser_that_gives_noise_for_a_canvas_reads_the_same_digit(tab: Page):
    """As those do that protect their readers from being recognised by what they draw."""
    seen = []
    for noisy in (False, True):
        tab.evaluate(
            """(noisy) => {
              const its = CanvasRenderingContext2D.prototype;
              window.honest ??= its.getImageData;
              its.getImageData = noisy ? function (...where) {
                const image = window.honest.apply(this, where);
                image.data.forEach((_, i) => { image.data[i] = 256 * Math.random(); });
                return image;
              } : window.honest;
            }""",
            noisy,
        )
        for button in ('[data-example="3"]', '[data-example="nothing"]', "#draw-undo"):
            tab.locator(button).click()
        expect(tab.locator("#draw-source")).to_have_text("An example: 3.")
        tab.evaluate(TWO_FRAMES)  # the page computes in the next
        seen.append(tab.evaluate("Array.from(drawADigit.state.pixels)"))
    tab.evaluate("() => { CanvasRenderingContext2D.prototype.getImageData = honest; }")
    assert seen[0] == seen[1]
    assert max(seen[0]) > 0.9


@pytest.mark.parametrize("button", ["right", "middle"])
def test_only_the_left_button_draws(tab: Page, button):
    tab.locator("#draw-clear").click()
    box = tab.locator("#draw-board").bounding_box()
    tab.mouse.move(box["x"] + 60, box["y"] + 60)
    tab.mouse.down(button=button)
    tab.mouse.move(box["x"] + 200, box["y"] + 200)
    tab.mouse.up(button=button)
    assert not ink_of(tab).any()


def test_a_stroke_ends_with_the_left_button_whatever_the_others_do(tab: Page):
    tab.locator("#draw-clear").click()
    box = tab.locator("#draw-board").bounding_box()
    tab.mouse.move(box["x"] + 60, box["y"] + 60)
    tab.mouse.down()
    tab.mouse.down(button="right")
    tab.mouse.move(box["x"] + 60, box["y"] + 100)
    tab.mouse.up()
    drawn = ink_of(tab)
    tab.mouse.move(box["x"] + 200, box["y"] + 200)
    tab.mouse.up(button="right")
    assert drawn[95, 60] == 1
    np.testing.assert_array_equal(ink_of(tab), drawn)


def test_a_second_finger_neither_draws_nor_ends_the_stroke_of_the_first(browser, site):
    with browser.new_context(has_touch=True, viewport={"width": 360, "height": 640}) as context:
        tab = context.new_page()
        tab.goto(site.as_uri())
        tab.locator("#draw-clear").tap()
        box = tab.locator("#draw-board").bounding_box()
        scale = box["width"] / 280
        device = context.new_cdp_session(tab)

        def touch(kind: str, *places: tuple[int, int]) -> None:
            points = [
                {"x": box["x"] + x * scale, "y": box["y"] + y * scale, "id": finger}
                for finger, (x, y) in enumerate(places)
            ]
            device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", (60, 60))
        touch("touchStart", (60, 60), (200, 60))
        touch("touchMove", (60, 100), (200, 200))
        touch("touchEnd", (60, 100))
        touch("touchMove", (60, 200))
        touch("touchEnd")
        rows, columns = np.nonzero(ink_of(tab) > 0.5)
        assert rows.max() > 190  # the first was followed to its end
        assert columns.max() < 100  # where the second was, there is nothing


def test_a_contrast_theme_shows_the_ink_and_the_shares(browser, site):
    theme = {"forced_colors": "active", "color_scheme": "dark"}
    with browser.new_context(**theme) as context:
        tab = context.new_page()
        tab.goto(site.as_uri())
        wait_for_networks(tab)
        expect(tab.locator("#draw-said")).to_contain_text("Deeper CNN (")
        shown = {tuple(colour) for colour in shown_on(tab).reshape(-1, 4).tolist()}
        assert shown >= {(0, 0, 0, 255), (255, 255, 255, 255)}
        cells = tab.locator("#draw-answers td")
        shares = cells.evaluate_all(
            "cells => cells.map((c) => c.style.getPropertyValue('--share'))"
        )
        chosen = int(np.argmax([float(share) for share in shares]))
        row = screenshot(cells.nth(chosen))[-2]  # of the line at the foot of the cell
        white = np.flatnonzero((row == 255).all(axis=1))
        inside = cells.nth(chosen).evaluate("cell => cell.clientWidth")
        assert len(white) == pytest.approx(float(shares[chosen]) * inside, abs=2)


def screenshot(locator: Locator) -> np.ndarray:
    """What is to be seen of an element: uint8, shape (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB"))


def test_every_number_of_every_layer_is_explained(tab: Page):
    tab.locator('[data-example="7"]').click()
    said = {"conv": "plus bias", "pool": "largest of these four", "dense": "weight|plus bias"}
    for model in MODELS:
        tab.locator("#draw-model").select_option(model.name)
        canvases = tab.locator("#draw-layers canvas")
        expect(canvases).to_have_count(len(model.layers))
        for number, layer in enumerate(model.layers):
            canvases.nth(number).focus()
            canvases.nth(number).press("ArrowDown")
            canvases.nth(number).press("ArrowRight")
            expect(tab.locator("#draw-inspection")).to_contain_text(re.compile(said[layer["op"]]))


def test_of_a_number_only_the_sentences_are_told_and_only_where_it_is_chosen(tab: Page):
    tab.locator("#draw-model").select_option("simple_cnn")
    first = tab.locator("#draw-layers canvas").first
    first.focus()
    first.press("ArrowDown")
    told = tab.locator("#draw-told")
    expect(told).to_have_text(re.compile(r"^Map \d+, row \d+, column \d+\. .*after the ReLU"))
    assert tab.locator("#draw-inspection table").count() == 3
    assert tab.locator("#draw-inspection").get_attribute("aria-live") is None
    before = told.inner_text()
    tab.locator('[data-example="4"]').click()
    expect(tab.locator("#draw-said")).to_contain_text("Deeper CNN (")
    assert told.inner_text() == before


def test_the_sum_that_it_explains_is_the_number_that_it_shows(tab: Page):
    tab.locator("#draw-model").select_option("simple_cnn")
    second = tab.locator("#draw-layers canvas").nth(1)
    second.focus()
    for key in ("ArrowDown",) * 3 + ("ArrowRight",) * 3:
        second.press(key)
    said = tab.locator("#draw-inspection").inner_text().replace("−", "-")
    row, column = map(int, re.search(r"row (\d), column (\d)", said).groups())
    map_number = int(re.search(r"Map (\d+)", said)[1])
    told = float(re.search(r"after the ReLU (-?[\d.]+)\.", said)[1])
    output = tab.evaluate("""() => {
      const answer = drawADigit.state.answers.get("simple_cnn");
      return Array.from(answer.outputs[2].values); }""")
    assert told == pytest.approx(np.reshape(output, (7, 7, 16))[row, column, map_number], abs=6e-4)


def test_shows_test_digits_and_tests_a_hundred(tab: Page, small_data):
    tab.locator("#draw-put-digit").click()
    expect(tab.locator("#draw-source")).to_contain_text("Test image")
    said = tab.locator("#draw-source").inner_text()
    position, label = map(int, re.search(r"Test image (\d+), a (\d)", said).groups())
    assert small_data.test.classes[position] == label
    wait_until(tab, "drawADigit.state.digit !== null")
    shown = tab.evaluate("Array.from(drawADigit.state.digit)")
    np.testing.assert_allclose(shown, small_data.test.images[position], atol=1e-6)
    tab.locator("#draw-test-nudges").click()
    row = tab.locator("#draw-scores tbody tr").last
    expect(row).to_contain_text("as MNIST has them", timeout=60_000)
    right = [
        100 * np.mean(logits(m.layers, [pack(a)[2] for a in random_weights(m.name)],
                             small_data.test.images).argmax(1) == small_data.test.classes)
        for m in MODELS
    ]  # fmt: skip
    assert row.locator("td").all_inner_texts() == [f"{round(each)} %" for each in right]


def test_a_network_that_arrives_during_a_test_has_no_score_and_the_focus_stays(tab: Page):
    rows = tab.locator("#draw-scores tbody tr").count()
    tab.evaluate("""() => {
      const { networks } = drawADigit.state;
      const late = networks.get("deeper_cnn");
      networks.delete("deeper_cnn");
      window.pressed = [];
      const button = document.getElementById("draw-test-nudges");
      new MutationObserver((_, it) => {
        it.disconnect();
        networks.set("deeper_cnn", late);
        pressed.push(button.getAttribute("aria-disabled"));
        button.click(); // no second test beside the first
      }).observe(document.getElementById("draw-counted"), { childList: true });
    }""")
    button = tab.locator("#draw-test-nudges")
    button.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#draw-scores tbody tr")).to_have_count(rows + 1, timeout=60_000)
    shown = tab.locator("#draw-scores tbody tr").last.locator("td").all_inner_texts()
    assert shown[-1] == "–" and all(re.fullmatch(r"\d+ %", each) for each in shown[:-1])
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-disabled", "false")
    assert tab.evaluate("pressed") == ["true"]
    assert tab.locator("#draw-scores tbody tr").count() == rows + 1


def test_a_file_that_did_not_arrive_is_asked_for_again(browser, build, tmp_path):
    page = write_site(tmp_path, build / "draw")
    digits = tmp_path / "_static" / "draw" / "digits.js"
    away = digits.rename(tmp_path / "digits.js")
    tab = visit(browser, page)
    tab.locator("#draw-put-digit").click()
    expect(tab.locator("#draw-trouble")).to_contain_text("test digits could not be loaded")
    away.rename(digits)
    tab.locator("#draw-put-digit").click()
    expect(tab.locator("#draw-source")).to_contain_text("Test image")
    tab.close()


def test_a_damaged_file_is_named_and_the_others_work(browser, build, tmp_path):
    page = write_site(tmp_path, build / "draw")
    script = tmp_path / "_static" / "draw" / "mlp.js"
    text = script.read_text(encoding="utf-8")
    middle = len(text) // 2
    other = "A" if text[middle] != "A" else "B"
    script.write_text(text[:middle] + other + text[middle + 1 :], encoding="utf-8")
    (tmp_path / "_static" / "draw" / "simple_cnn.js").write_text(
        "cut off in the mid", encoding="utf-8"
    )
    (tmp_path / "_static" / "draw" / "deeper_cnn.js").unlink()
    tab = visit(browser, page)
    trouble = tab.locator("#draw-trouble")
    expect(trouble).to_contain_text("MLP arrived damaged and is not used.")
    expect(trouble).to_contain_text("Simple CNN arrived damaged and is not used.")
    expect(trouble).to_contain_text("Deeper CNN could not be loaded.")
    assert set(tab.evaluate("[...drawADigit.state.networks.keys()]")) == {
        "logistic_regression",
        "regularized_mlp",
    }
    tab.close()


def test_without_any_weights_the_page_says_so(browser, tmp_path):
    (tmp_path / "site").mkdir()
    main(tmp_path)
    tab = visit(browser, write_site(tmp_path / "site", tmp_path / "draw"))
    expect(tab.locator("#draw-loading")).to_have_text("Loaded: 0 of 0 networks.")
    tab.locator("#draw-put-digit").click()
    expect(tab.locator("#draw-trouble")).to_contain_text("has no test images")
    assert tab.complaints == []
    tab.close()


def test_without_javascript_the_page_says_what_is_missing(browser, site):
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(site.as_uri())
        expect(tab.locator("noscript p")).to_contain_text("needs JavaScript")
        expect(tab.locator("noscript p")).to_be_visible()


def test_a_phone_shows_all_of_it_and_nothing_jumps(browser, site):
    tab = browser.new_page(viewport={"width": 360, "height": 640})
    tab.add_init_script("""window.shifted = 0;
      new PerformanceObserver((list) => list.getEntries().forEach((e) => { shifted += e.value; }))
        .observe({ type: "layout-shift", buffered: true });""")
    tab.goto(site.as_uri())
    wait_for_networks(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert tab.evaluate("shifted") < 0.1
    heads = tab.locator("#draw-answers thead th")
    assert heads.count() == 1 + len(MODELS)
    assert heads.evaluate_all("cells => cells.every(c => c.scrollWidth <= c.clientWidth)")
    frame = """element => {
      const { width, height } = getComputedStyle(element, "::after");
      return [width, height].map((size) => parseFloat(size) / element.clientWidth); }"""
    tab.locator(".draw-seen p").evaluate("line => { line.style.fontSize = '2rem'; }")
    share = tab.locator(".draw-framed").evaluate(frame)  # however long the line beside it
    assert share == pytest.approx([20 / 28, 20 / 28], abs=0.03)  # its own border
    tab.close()
