// What the large panel shows of the network as it stands: weights, misread digits, a board to draw on.
"use strict";

(() => {
  const { FIELD, makeBoard, paint, prepare } = drawADigit;
  const { MISTAKES, command, make, percent, toAddress } = trainHere;
  const LOOK = 500; // ms between two looks; what is told of one look is old after that
  const MAPS = { columns: 8, most: 16, gap: 1 };
  const MISREAD = 16;
  const AS_MNIST = { scale: true, smooth: true, invert: true, centre: "mass" };
  const PEN = 22;
  const RESTED = 500; // ms after the last stroke until a screen reader is told the answer
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const part = (name) => document.querySelector(`[data-train-part="${name}"]`);

  /** The weights into the first units, each a picture of 28 × 28, beside each other. */
  function paintWeights(canvas, weights, units) {
    const { columns, most, gap } = MAPS;
    const shown = Math.min(units, most);
    const across = Math.min(shown, columns);
    const size = FIELD + gap;
    const width = across * size - gap;
    const height = Math.ceil(shown / across) * size - gap;
    const picture = new Array(width * height).fill(0);
    for (let unit = 0; unit < shown; unit++) {
      const [left, top] = [(unit % across) * size, Math.floor(unit / across) * size];
      for (let pixel = 0; pixel < FIELD * FIELD; pixel++) {
        const at = (top + Math.floor(pixel / FIELD)) * width + left + (pixel % FIELD);
        picture[at] = weights[pixel * units + unit];
      }
    }
    // A few weights at the rim are the largest by far: what is as large as 99 of 100 is darkest.
    const sizes = picture.filter((weight, i) => weight && i % 8 === 0).map(Math.abs).sort((a, b) => a - b);
    paint(canvas, picture, width, { signed: true, scale: sizes[Math.floor(0.99 * sizes.length)] });
  }

  function buildWeights(place) {
    const canvas = make("canvas", { class: "empty", width: 231, height: 57, role: "img", "aria-label": "Weights from the pixels to the first units" });
    const caption = make("figcaption");
    place.append(make("figure", { class: "train-weights" }, caption, canvas));
    return (look, settings) => {
      canvas.classList.toggle("empty", !look);
      if (!look) {
        canvas.width = canvas.width; // which wipes it
        caption.textContent = "The first layer's weights come when it trains.";
        return;
      }
      const { weights } = look;
      const { num_hidden: hidden } = settings;
      const units = weights.length / FIELD ** 2;
      paintWeights(canvas, weights, units);
      const into = hidden ? `${Math.min(units, MAPS.most)} of ${units} hidden units` : "the ten classes, 0 to 9";
      caption.textContent = `Weights into ${into}: blue is positive, red negative`;
    };
  }

  function buildMisread(place) {
    const caption = make("figcaption");
    const tiles = Array.from({ length: MISREAD }, () => {
      const canvas = make("canvas", { width: FIELD, height: FIELD, "aria-hidden": "true" });
      const said = make("span", {}, "");
      return { tile: make("li", { hidden: true }, canvas, said), canvas, said };
    });
    place.append(make("figure", { class: "train-misread" }, caption, make("ol", {}, ...tiles.map(({ tile }) => tile))));
    return (look) => {
      if (!look) {
        for (const { tile } of tiles) tile.hidden = true;
        caption.textContent = "The misread validation images come when it trains.";
        return;
      }
      const { isLost, misread, misreadCount, validationCount } = look;
      caption.textContent = isLost
        ? "The network is lost: its logits are no numbers, and it answers nothing."
        : `Misread: ${misreadCount} of ${validationCount} validation images. It says this (and it is that).`;
      tiles.forEach(({ tile, canvas, said }, i) => {
        tile.hidden = i >= misread.length;
        if (tile.hidden) return;
        const { pixels, answer, label } = misread[i];
        paint(canvas, Array.from(pixels), FIELD, { scale: 1 });
        said.textContent = `${answer} (${label})`;
      });
    };
  }

  /** The board of "Draw a digit", which the network answers as it stands. */
  function buildBoard(place) {
    const canvas = make("canvas", {
      class: "draw-board", width: 280, height: 280, tabindex: 0, role: "application",
      "aria-label": "Drawing board. Arrow keys move the pen, space puts it down or lifts it, Delete clears, Control and Z undoes.",
    });
    const mark = make("span", { class: "draw-pen-mark", "aria-hidden": "true" });
    const said = make("p", { class: "draw-hidden", role: "status" });
    const undo = make("button", { type: "button" }, "Undo");
    const clear = make("button", { type: "button" }, "Clear");
    const bars = Array.from({ length: 10 }, (_, digit) => {
      const share = make("td", {}, "–");
      return { share, row: make("tr", {}, make("th", { scope: "row" }, String(digit)), share) };
    });
    const caption = make("caption");
    place.append(
      make("div", { class: "train-drawing" },
        make("div", {}, make("div", { class: "draw-square" }, canvas, mark), make("div", { class: "draw-row" }, undo, clear), said),
        make("table", { class: "train-answers" }, caption, make("tbody", {}, ...bars.map(({ row }) => row)))));
    let model = null;
    let pixels = new Float32Array(FIELD ** 2); // what is drawn, as the network gets it
    let due = 0;
    let saying = 0;
    function redraw() {
      due ||= requestAnimationFrame(() => {
        due = 0;
        board.show();
        pixels = prepare(board.ink, drawADigit.BOARD, AS_MNIST);
        answer();
        clearTimeout(saying);
        saying = setTimeout(() => {
          if (model) said.textContent = caption.textContent;
        }, RESTED);
      });
    }
    /** What the network says, or why it says nothing. */
    function answer() {
      const said = model && pixels.some((ink) => ink > 0) ? trainHere.read(model, pixels) : null;
      const isAnswer = said !== null && said.answer >= 0;
      bars.forEach(({ share, row }, digit) => {
        const probability = isAnswer ? said.probabilities[digit] : undefined;
        share.style.setProperty("--share", probability ?? 0);
        share.textContent = isAnswer ? percent(100 * probability) : "–";
        row.classList.toggle("chosen", isAnswer && digit === said.answer);
      });
      if (isAnswer) caption.textContent = `On your drawing the network, as it stands, says ${said.answer}`;
      else if (said) caption.textContent = "On your drawing the network says NaN";
      else if (model) caption.textContent = "The board is empty: draw, and the network answers.";
      else caption.textContent = "Draw: the network answers when it has begun to train.";
    }
    const board = makeBoard(canvas, {
      mark, penWidth: () => PEN, changed: redraw,
      say: (text) => {
        said.textContent = text;
      },
    });
    undo.addEventListener("click", board.undo);
    clear.addEventListener("click", board.clear);
    board.drawExample("7");
    board.forget();
    return (look) => {
      model = look?.model ?? null;
      answer();
    };
  }

  /** A line to copy: what it is, the line, and a button. */
  function lineToCopy(name) {
    const code = make("code", { tabindex: 0, role: "group", "aria-label": name });
    const button = make("button", { type: "button" }, "Copy");
    const said = make("span", { role: "status", class: "train-copied" });
    button.setAttribute("aria-label", `Copy the ${name}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        said.textContent = "Copied.";
      } catch {
        getSelection().selectAllChildren(code); // where a page may not copy, the reader can
        said.textContent = "Selected: copy it with your keyboard.";
      }
    });
    return { code, row: make("div", { class: "train-line-to-copy" }, make("span", {}, name), code, button, said) };
  }

  function buildHome(place, panel) {
    const [line, link] = [lineToCopy("command"), lineToCopy("link")];
    place.append(line.row, link.row);
    return () => {
      const commands = panel.settingsOfRuns().map(command);
      line.code.textContent = commands.length === 1 ? commands[0]
        : commands.map((each, i) => each.replace("out.ipynb", `out-${i + 1}.ipynb`)).join("\n");
      const address = toAddress(panel.choice);
      link.code.textContent = `${location.href.split("#")[0]}${address ? `#${address}` : ""}`;
    };
  }

  /** Give the large panel what small ones have no room for. */
  trainHere.furnish = (panel) => {
    const inside = make("div", { class: "train-inside" });
    const whose = make("p", { class: "train-whose" }, "The first of these runs, inside:");
    panel.host.append(whose, inside);
    const shows = [buildWeights(inside), buildMisread(inside), buildBoard(inside)];
    const home = buildHome(part("home"), panel);
    const withThese = make("button", { type: "button" }, "Train with these");
    const tries = make("div", { class: "train-tries" }, withThese);
    part("mistakes").append(...MISTAKES.map(({ name }) => panel.aSwitch(name)));
    part("mistakes").after(tries);
    let looked = { run: null, step: -1, at: 0 };

    async function look(run) {
      const wait = (calm.matches ? 4 : 1) * LOOK;
      if (!run) {
        if (looked) for (const show of shows) show(null);
        looked = null;
        return;
      }
      looked ??= { run: null, step: -1, at: 0 };
      if (!run.signs || (looked.run === run && looked.step === run.step)) return;
      if ((looked.waiting && looked.run === run) || (panel.playing && performance.now() - looked.at < wait)) return;
      looked = { run, step: run.step, at: performance.now(), waiting: true };
      const seen = await run.engine.look();
      await new Promise(requestAnimationFrame); // all in one frame, so that they are of one step
      if (panel.runs[0] !== run) return;
      for (const show of shows) show(seen, run.settings);
      looked.waiting = false;
      if (!panel.playing) look(run); // it may have gone on meanwhile
    }

    panel.listeners.push(() => {
      home();
      whose.hidden = panel.choice.runs === "one";
      look(panel.runs[0]);
    });
    panel.showChoice();
    panel.show();
    function trainInSight() {
      panel.host.scrollIntoView({ behavior: calm.matches ? "auto" : "smooth", block: "start" });
      panel.play.focus({ preventScroll: true });
      panel.train();
    }
    withThese.addEventListener("click", trainInSight);
    for (const button of document.querySelectorAll("[data-train]")) {
      button.addEventListener("click", () => {
        panel.choose(trainHere.fromAddress(button.dataset.train));
        trainInSight();
      });
    }
    addEventListener("hashchange", () => {
      const address = location.hash.slice(1);
      if (address.includes("=")) panel.choose(trainHere.fromAddress(address)); // else it names a place on the page
    });
  };
})();
