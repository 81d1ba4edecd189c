// The page "Draw a digit": what the reader does, and what is shown of it.
"use strict";

(() => {
  const { FIELD, prepare, nudge, scatter, randomNumbers, checked, network, run } = drawADigit;
  const { cell, explain, grid, paint, pictureOf } = drawADigit;
  const { ARROWS, BOARD: SIZE, makeBoard } = drawADigit;
  const folder = new URL(".", document.currentScript.src).href;
  const element = (id) => document.getElementById(`draw-${id}`);

  const state = {
    manifest: null,
    networks: new Map(), // name -> network, as they arrive
    // A test image that is shown as it is, or null: what is on the board.
    get digit() { return board.about.digit ?? null; },
    get ink() { return board.ink; }, // what is on the board, 0 (paper) to 1
    pixels: new Float32Array(FIELD * FIELD),
    answers: new Map(), // name -> what `run` returned
    inspected: null, // { layer, at }: a place in the picture of a layer
  };

  // ---- loading ----

  const arrivals = new Map(); // name -> what takes the text that the script brings

  /** Load a script of the folder; it hands its bytes to `receive`. */
  function fetchBytes(name, expected, title) {
    return new Promise((resolve, reject) => {
      arrivals.set(name, (base64) => {
        try {
          resolve(checked(base64, expected, title));
        } catch (error) {
          reject(error);
        }
      });
      const script = document.createElement("script");
      script.src = `${folder}${name}.js?${expected.crc}`; // never an old copy
      script.addEventListener("load", () => reject(new Error(`${title} arrived damaged and is not used.`)));
      script.addEventListener("error", () => reject(new Error(`${title} could not be loaded.`)));
      document.head.append(script);
    });
  }

  drawADigit.receive = (name, base64) => arrivals.get(name)?.(base64);
  drawADigit.receiveManifest = (manifest) => {
    state.manifest = manifest;
  };

  function complain(message) {
    const line = document.createElement("p");
    line.textContent = `${message} Everything else works. Reload the page, or build the book again.`;
    element("trouble").append(line);
  }

  async function loadNetworks() {
    for (const entry of state.manifest.models) {
      try {
        state.networks.set(entry.name, network(entry, await fetchBytes(entry.name, entry, entry.title)));
        update();
      } catch (error) {
        complain(error.message);
      }
    }
    element("loading").textContent = `Loaded: ${state.networks.size} of ${state.manifest.models.length} networks.`;
    drawADigit.loaded = true;
  }

  let digitBytes = null; // a promise of the test images, once somebody wants one
  async function testDigits() {
    if (!state.manifest.digits) throw new Error("This copy of the page has no test images.");
    digitBytes ??= fetchBytes("digits", state.manifest.digits, "The file of test digits");
    digitBytes.catch(() => {
      digitBytes = null; // whoever asks again may have better luck
    });
    return digitBytes;
  }

  const digitAt = (bytes, place) =>
    Float32Array.from(bytes.subarray(784 * place, 784 * (place + 1)), (byte) => Math.fround(byte / 255));

  // ---- the board ----

  const board = makeBoard(element("board"), {
    mark: element("pen-mark"),
    penWidth: () => Number(element("pen").value),
    say: (text) => {
      element("pen-said").textContent = text;
    },
    changed: () => update(),
  });

  // ---- settings ----

  const steps = () => ({
    scale: element("scale").checked,
    smooth: element("smooth").checked,
    invert: element("invert").checked,
    centre: element("centre").value,
  });

  const NUDGES = ["right", "down", "turn", "stroke"];
  const nudges = () =>
    Object.fromEntries(NUDGES.map((kind) => [kind, Number(element(kind).value)]));

  const isNudged = () => Object.values(nudges()).some((amount) => amount !== 0);

  // ---- answers ----

  const signed = (amount) => `${amount > 0 ? "+" : ""}${amount}`.replace("-", "−");
  const percent = (p) => `${(100 * p).toFixed(p > 0.9995 || p < 0.0005 ? 0 : 1)} %`;

  /** A column for each network; its title may part where the column is narrow. */
  function addColumns(head) {
    for (const { title } of state.manifest.models) {
      head.append(cell("th", title.replace(/\w{6}(?=\w{4})/g, "$&\u00ad"), { scope: "col" }));
    }
  }

  function buildTable() {
    const table = element("answers");
    const head = table.createTHead().insertRow();
    head.append(cell("th", "digit", { scope: "col" }));
    addColumns(head);
    const body = table.createTBody();
    for (let digit = 0; digit < 10; digit++) {
      const row = body.insertRow();
      row.append(cell("th", String(digit), { scope: "row" }));
      for (const { name } of state.manifest.models) {
        const data = row.insertCell();
        data.dataset.model = name;
        data.textContent = "…";
      }
    }
  }

  function showAnswers() {
    for (const data of element("answers").querySelectorAll("td")) {
      const answer = state.answers.get(data.dataset.model);
      if (!answer) continue;
      const digit = data.parentElement.sectionRowIndex;
      data.style.setProperty("--share", answer.probabilities[digit]);
      data.textContent = percent(answer.probabilities[digit]);
      data.classList.toggle("chosen", digit === answer.answer);
    }
  }

  let saying = 0;
  /** Tell the answers in a sentence, once the pen has rested. */
  function announce() {
    clearTimeout(saying);
    saying = setTimeout(() => {
      const readers = new Map(); // digit -> who reads it
      for (const [name, { answer, probabilities }] of state.answers) {
        const who = `${state.networks.get(name).title} (${percent(probabilities[answer])})`;
        readers.set(answer, [...(readers.get(answer) ?? []), who]);
      }
      const parts = [...readers].map(([digit, who]) => `${digit}: ${who.join(", ")}`);
      const agreed = readers.size === 1 ? "All read " : "They disagree. ";
      const sentence = parts.length ? `${agreed}${parts.join("; ")}.` : "";
      for (const id of ["said", "echo"]) element(id).textContent = sentence;
    }, 500);
  }

  // ---- the layers at work ----

  const shown = () => state.networks.get(element("model").value);

  const layerName = (model, index) => {
    const { op, relu } = model.layers[index];
    const [rows, , maps] = state.answers.get(model.name).outputs[index + 1].shape;
    if (op === "conv") return `Layer ${index + 1}: ${maps} feature maps of ${rows} × ${rows}`;
    if (op === "pool") return `Layer ${index + 1}: the same, pooled to ${rows} × ${rows}`;
    return relu ? `Layer ${index + 1}: ${rows} hidden units` : `Layer ${index + 1}: votes`;
  };

  /** What each number that reaches the last layer adds to a class. */
  function votes(model, digit) {
    const { weights } = model.layers.at(-1);
    const input = state.answers.get(model.name).outputs.at(-2);
    return input.values.map((x, i) => x * weights.values[10 * i + digit]);
  }

  /** The pixel of a picture that lies so far from its edge. */
  const placeIn = (offset, shownSize, size) =>
    Math.min(size - 1, Math.max(0, Math.floor((offset * size) / shownSize)));

  function buildLayers() {
    const model = shown();
    const place = element("layers");
    state.inspected = null;
    place.replaceChildren();
    element("inspection").textContent = "";
    if (!model) return;
    model.layers.forEach((_, index) => {
      const figure = document.createElement("figure");
      const picture = cell("div", "", { class: `draw-picture ${model.layers[index].op}` });
      const canvas = cell("canvas", "", { tabindex: "0", role: "application" });
      const name = layerName(model, index);
      canvas.setAttribute("aria-label", `${name}. Arrow keys choose a number; the text beside it says how it was computed.`);
      picture.append(canvas, cell("span", "", { class: "draw-chosen", "aria-hidden": "true", hidden: "" }));
      figure.append(cell("figcaption", name), picture);
      place.append(figure);
      const at = { x: 0, y: 0 };
      for (const kind of ["pointerdown", "pointermove"]) {
        canvas.addEventListener(kind, (event) => {
          at.x = placeIn(event.offsetX, canvas.clientWidth, canvas.width);
          at.y = placeIn(event.offsetY, canvas.clientHeight, canvas.height);
          inspect(index, at);
        });
      }
      const tell = () => {
        inspect(index, at);
        element("told").textContent = whatIsTold();
      };
      canvas.addEventListener("focus", tell);
      canvas.addEventListener("keydown", (event) => {
        if (!(event.key in ARROWS)) return;
        event.preventDefault();
        const [right, down] = ARROWS[event.key];
        at.x = (at.x + right + canvas.width) % canvas.width;
        at.y = (at.y + down + canvas.height) % canvas.height;
        tell();
      });
    });
    showLayers();
  }

  function inspect(layer, at) {
    state.inspected = { layer, at: { ...at } };
    showInspection();
  }

  /** What a screen reader says of a number: the sentences, without the tables between them. */
  const whatIsTold = () => Array.from(element("inspection").querySelectorAll(":scope > p"), (line) => line.textContent).join(" ");

  const votesFor = () => {
    const { value } = element("class");
    return value === "answer" ? state.answers.get(shown().name).answer : Number(value);
  };

  function showLayers() {
    const model = shown();
    const answer = model && state.answers.get(model.name);
    if (!answer) return;
    const canvases = element("layers").querySelectorAll("canvas");
    model.layers.forEach((layer, index) => {
      const canvas = canvases[index];
      if (layer.op === "dense" && !layer.relu) {
        const input = answer.outputs[index];
        const cast = votes(model, votesFor());
        const width = input.shape.length === 3 ? FIELD : grid(input).columns;
        paint(canvas, Array.from(cast), width, { signed: true });
        canvas.closest("figure").firstChild.textContent =
          `Layer ${index + 1}: votes for (blue) and against (red) a ${votesFor()}`;
      } else {
        const output = answer.outputs[index + 1];
        const { columns, rows, side } = grid(output);
        paint(canvas, pictureOf(output), columns * side);
        canvas.parentElement.style.setProperty("--rows", rows);
      }
    });
    showInspection();
  }

  function showInspection() {
    const model = shown();
    const answer = model && state.answers.get(model.name);
    if (!state.inspected || !answer) return;
    const { layer, at } = state.inspected;
    element("layers").querySelectorAll("canvas").forEach((canvas, index) => {
      const mark = canvas.nextSibling;
      mark.hidden = index !== layer;
      Object.assign(mark.style, {
        left: `${(100 * at.x) / canvas.width}%`,
        top: `${(100 * at.y) / canvas.height}%`,
        width: `${100 / canvas.width}%`,
        height: `${100 / canvas.height}%`,
      });
    });
    explain(element("inspection"), model, answer, layer, at, votesFor());
  }

  // ---- all of it, after a change ----

  let due = 0;
  /** Compute and show everything, at most once a frame. */
  function update() {
    due ||= requestAnimationFrame(() => {
      due = 0;
      board.show();
      element("source").textContent = board.about.source;
      const prepared = state.digit ?? prepare(state.ink, SIZE, steps());
      state.pixels = isNudged() ? nudge(prepared, nudges()) : prepared;
      paint(element("after"), Array.from(state.pixels), FIELD, { scale: 1 });
      for (const [kind, amount] of Object.entries(nudges())) element(kind).nextElementSibling.textContent = signed(amount);
      for (const [name, model] of state.networks) state.answers.set(name, run(model, state.pixels));
      showAnswers();
      announce();
      const canvases = element("layers").childElementCount;
      if (shown() && canvases !== shown().layers.length) buildLayers();
      else showLayers();
    });
  }

  // ---- real digits ----

  /** Show a test image as MNIST has it, or scattered on the board as a drawing. */
  async function showDigit(which, scattered) {
    try {
      const bytes = await testDigits();
      const { random, wrong, labels, positions } = state.manifest.digits;
      const places = which === "random" ? random : wrong[which];
      if (!places.length) {
        element("source").textContent = "No test image is misread in this way.";
        return;
      }
      const place = places[Math.floor(Math.random() * places.length)];
      const pixels = digitAt(bytes, place);
      const name = `Test image ${positions[place]}, a ${labels[place]}`;
      if (scattered) {
        board.put(scatter(pixels, SIZE, Math.random), { source: `${name}, drawn somewhere on the board.` });
        return;
      }
      const enlarged = board.ink.map((_, i) =>
        pixels[Math.floor(i / SIZE / 10) * FIELD + Math.floor((i % SIZE) / 10)]);
      board.put(enlarged, {
        source: `${name}. MNIST's makers have prepared it, so the steps leave it unchanged; the nudges do not.`,
        digit: pixels,
      });
    } catch (error) {
      complain(error.message);
    }
  }

  // ---- a hundred digits ----

  const pause = () => new Promise((resolve) => setTimeout(resolve));

  let testing = false;
  /** While a test runs no other begins. A button that is disabled outright would lose the focus. */
  function setTesting(now) {
    testing = now;
    for (const button of [element("test-steps"), element("test-nudges")]) button.setAttribute("aria-disabled", now);
  }

  /** How many of a hundred test digits each network reads, with the settings as they are. */
  async function test(scattered) {
    if (testing) return;
    setTesting(true);
    try {
      const bytes = await testDigits();
      const { random: places, labels } = state.manifest.digits;
      const [tested, settings, moves] = [places.slice(0, 100), steps(), nudges()];
      const random = randomNumbers(1); // every row with the same scattering
      const readers = [...state.networks]; // those that are there now; others may arrive meanwhile
      const right = new Map(readers.map(([name]) => [name, 0]));
      for (const [count, place] of tested.entries()) {
        let pixels = digitAt(bytes, place);
        if (scattered) pixels = prepare(scatter(pixels, SIZE, random), SIZE, settings);
        pixels = nudge(pixels, moves);
        for (const [name, model] of readers) {
          right.set(name, right.get(name) + (run(model, pixels).answer === labels[place]));
        }
        if (count % 5 === 4) {
          element("counted").textContent = `${count + 1} of ${tested.length} digits`;
          await pause();
        }
      }
      const off = ["scale", "smooth", "invert"].filter((step) => !settings[step]).map((step) => `no ${step}`);
      if (settings.centre !== "mass") off.push(settings.centre === "box" ? "centred by box" : "not centred");
      const moved = Object.entries(moves).filter(([, amount]) => amount).map(([kind, amount]) => `${kind} ${signed(amount)}`);
      const name = [scattered ? off.join(", ") || "all steps" : "as MNIST has them", ...moved].join("; ");
      const row = element("scores").tBodies[0].insertRow();
      row.append(cell("th", name, { scope: "row" }));
      for (const model of state.manifest.models) {
        const count = right.get(model.name);
        row.insertCell().textContent = count === undefined ? "–" : `${Math.round((100 * count) / tested.length)} %`;
      }
      element("counted").textContent = "";
      element("progress").textContent = `Done: ${name}.`;
    } catch (error) {
      complain(error.message);
    } finally {
      setTesting(false);
    }
  }

  // ---- the beginning ----

  function fillChoices() {
    for (const { name, title } of state.manifest.models) element("model").append(new Option(title, name));
    const choices = [["random", "any"], ["all", "one that all misread"]];
    for (const { name, title } of state.manifest.models) choices.push([name, `one that ${title} misreads`]);
    for (const [value, text] of choices) element("which").append(new Option(text, value));
    element("class").append(new Option("the answer", "answer"));
    for (let digit = 0; digit < 10; digit++) element("class").append(new Option(String(digit), String(digit)));
    const head = element("scores").createTHead().insertRow();
    head.append(cell("th", "steps and nudges", { scope: "col" }));
    addColumns(head);
  }

  function listen() {
    element("clear").addEventListener("click", board.clear);
    element("undo").addEventListener("click", board.undo);
    for (const button of document.querySelectorAll("[data-example]")) {
      button.addEventListener("click", () => board.drawExample(button.dataset.example));
    }
    element("put-digit").addEventListener("click", () => showDigit(element("which").value, false));
    element("scatter-digit").addEventListener("click", () => showDigit(element("which").value, true));
    for (const id of ["scale", "smooth", "invert", "centre"]) element(id).addEventListener("change", update);
    for (const kind of NUDGES) element(kind).addEventListener("input", update);
    element("no-nudge").addEventListener("click", () => {
      for (const kind of NUDGES) element(kind).value = 0;
      update();
    });
    element("model").addEventListener("change", buildLayers);
    element("class").addEventListener("change", showLayers);
    element("test-steps").addEventListener("click", () => test(true));
    element("test-nudges").addEventListener("click", () => test(false));
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!state.manifest) {
      complain("The list of networks could not be loaded.");
      return;
    }
    fillChoices();
    buildTable();
    listen();
    board.drawExample("7");
    board.forget();
    // The networks are large: they come when the reader does.
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      loadNetworks();
    }, { rootMargin: "400px" });
    near.observe(element("board"));
  });
  Object.assign(drawADigit, { state, fetchBytes, loadNetworks });
})();
