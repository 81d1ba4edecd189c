// The page "Draw a digit": what the reader does, and what is shown of it.
"use strict";

(() => {
  const { FIELD, prepare, nudge, scatter, randomNumbers, checked, network, run, samePadding } = drawADigit;
  const SIZE = 280; // pixels of the board, both ways
  const KEY_STEP = 10; // pixels of the board that an arrow key moves the pen by
  const folder = new URL(".", document.currentScript.src).href;
  const element = (id) => document.getElementById(`draw-${id}`);

  // Lines of points from 0 to 100, drawn one after the other.
  const EXAMPLES = {
    0: [[50, 15, 28, 30, 24, 55, 34, 80, 52, 86, 70, 74, 76, 48, 68, 24, 50, 15]],
    1: [[40, 28, 54, 15, 52, 86]],
    2: [[28, 32, 38, 18, 58, 17, 68, 32, 60, 50, 28, 84, 74, 83]],
    3: [[30, 20, 60, 18, 68, 32, 48, 48, 68, 60, 66, 78, 48, 86, 28, 78]],
    4: [[36, 16, 28, 54, 74, 52], [64, 18, 60, 88]],
    5: [[70, 16, 36, 18, 32, 46, 58, 46, 68, 62, 60, 80, 30, 84]],
    6: [[62, 14, 38, 38, 30, 66, 42, 84, 62, 80, 66, 62, 50, 54, 32, 66]],
    7: [[26, 20, 72, 18, 58, 48, 46, 86]],
    8: [[66, 26, 48, 15, 34, 28, 62, 58, 60, 80, 44, 86, 32, 74, 38, 58, 66, 26]],
    9: [[66, 32, 52, 17, 34, 26, 36, 44, 54, 46, 66, 32, 62, 60, 54, 86]],
    "the letter A": [[26, 86, 50, 14, 74, 86], [35, 60, 65, 60]],
    "the letter X": [[26, 16, 74, 86], [74, 16, 26, 86]],
    "a scribble": [[20, 60, 34, 20, 40, 76, 52, 24, 58, 80, 70, 30, 76, 70, 30, 44, 80, 52]],
    nothing: [],
  };

  const state = {
    manifest: null,
    networks: new Map(), // name -> network, as they arrive
    digit: null, // a test image that is shown as it is, or null: the board
    pixels: new Float32Array(FIELD * FIELD),
    answers: new Map(), // name -> what `run` returned
    pen: { x: 140, y: 140, down: false },
    inspected: null, // { layer, cell }
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
    line.textContent = `${message} What did arrive works. Reload the page, or make the book again.`;
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
  function testDigits() {
    digitBytes ??= fetchBytes("digits", state.manifest.digits, "The file of test digits");
    return digitBytes;
  }

  const digitAt = (bytes, place) =>
    Float32Array.from(bytes.subarray(784 * place, 784 * (place + 1)), (byte) => Math.fround(byte / 255));

  // ---- the board ----

  const board = element("board");
  const ink = board.getContext("2d", { willReadFrequently: true });

  function inkOfBoard() {
    const { data } = ink.getImageData(0, 0, SIZE, SIZE);
    return Float32Array.from({ length: SIZE * SIZE }, (_, i) => data[4 * i + 3] / 255);
  }

  function stroke(fromX, fromY, toX, toY) {
    if (state.digit) clearBoard(); // the test image goes, the drawing begins
    ink.lineCap = ink.lineJoin = "round";
    ink.lineWidth = Number(element("pen").value);
    ink.beginPath();
    ink.moveTo(fromX, fromY);
    ink.lineTo(toX, toY);
    ink.stroke();
  }

  function clearBoard() {
    state.digit = null;
    ink.clearRect(0, 0, SIZE, SIZE);
    element("source").textContent = "Your drawing.";
  }

  function putOnBoard(values) {
    const image = ink.createImageData(SIZE, SIZE);
    values.forEach((x, i) => {
      image.data[4 * i + 3] = Math.round(255 * x);
    });
    ink.putImageData(image, 0, 0);
  }

  function drawExample(name) {
    clearBoard();
    for (const line of EXAMPLES[name]) {
      for (let i = 2; i < line.length; i += 2) {
        stroke(...line.slice(i - 2, i + 2).map((part) => (part * SIZE) / 100));
      }
    }
    element("source").textContent = `An example: ${name}.`;
    update();
  }

  function placeOf(event) {
    const frame = board.getBoundingClientRect();
    return [
      ((event.clientX - frame.left - board.clientLeft) * SIZE) / board.clientWidth,
      ((event.clientY - frame.top - board.clientTop) * SIZE) / board.clientHeight,
    ];
  }

  let last = null; // where the pointer was, while it draws
  board.addEventListener("pointerdown", (event) => {
    board.setPointerCapture(event.pointerId);
    last = placeOf(event);
    stroke(...last, ...last);
    update();
  });
  board.addEventListener("pointermove", (event) => {
    if (!last) return;
    const here = placeOf(event);
    stroke(...last, ...here);
    last = here;
    update();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    board.addEventListener(end, () => {
      last = null;
    });
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const within = (place) => Math.min(SIZE, Math.max(0, place));

  board.addEventListener("keydown", (event) => {
    const { pen } = state;
    if (event.key in ARROWS) {
      const [right, down] = ARROWS[event.key];
      const [x, y] = [within(pen.x + right * KEY_STEP), within(pen.y + down * KEY_STEP)];
      if (pen.down) stroke(pen.x, pen.y, x, y);
      Object.assign(pen, { x, y });
      say(`column ${x / KEY_STEP}, row ${y / KEY_STEP}${pen.down ? ", drawing" : ""}`);
    } else if (event.key === " " || event.key === "Enter") {
      pen.down = !pen.down;
      if (pen.down) stroke(pen.x, pen.y, pen.x, pen.y);
      say(pen.down ? "Pen down." : "Pen up.");
    } else if (event.key === "Delete" || event.key === "Backspace") {
      clearBoard();
      say("Cleared.");
    } else return;
    event.preventDefault(); // the page must not scroll
    showPen();
    update();
  });

  function showPen() {
    const mark = element("pen-mark");
    mark.style.left = `${(100 * state.pen.x) / SIZE}%`;
    mark.style.top = `${(100 * state.pen.y) / SIZE}%`;
    mark.classList.toggle("down", state.pen.down);
  }

  const say = (text) => {
    element("pen-said").textContent = text;
  };

  // ---- settings ----

  const steps = () => ({
    scale: element("scale").checked,
    smooth: element("smooth").checked,
    invert: element("invert").checked,
    centre: element("centre").value,
  });

  const nudges = () => ({
    right: Number(element("right").value),
    down: Number(element("down").value),
    turn: Number(element("turn").value),
    stroke: Number(element("stroke").value) / 100,
  });

  const isNudged = () => Object.values(nudges()).some((amount) => amount !== 0);

  // ---- pictures ----

  /** Paint numbers from -1 (blue) over 0 (paper) to 1 (red), or from 0 (paper) to 1 (ink). */
  function paint(canvas, values, width, { signed = false, scale = 1 } = {}) {
    const height = values.length / width;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    values.forEach((value, i) => {
      const x = Math.max(-1, Math.min(1, value / (scale || 1)));
      const pale = Math.round(255 * (1 - Math.abs(x)));
      const colour = !signed ? [pale, pale, pale] : x > 0 ? [255, pale, pale] : [pale, pale, 255];
      image.data.set([...colour, 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
  }

  const largest = (values) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

  // ---- answers ----

  const percent = (p) => `${(100 * p).toFixed(p > 0.9995 || p < 0.0005 ? 0 : 1)} %`;
  const number = (x) => x.toFixed(3).replace("-", "−");

  function buildTable() {
    const table = element("answers");
    const head = table.createTHead().insertRow();
    head.append(cell("th", "digit", { scope: "col" }));
    for (const { title } of state.manifest.models) head.append(cell("th", title, { scope: "col" }));
    const body = table.createTBody();
    for (let digit = 0; digit < 10; digit++) {
      const row = body.insertRow();
      row.append(cell("th", String(digit), { scope: "row" }));
      for (const { name } of state.manifest.models) {
        const data = row.insertCell();
        data.dataset.model = name;
        data.append(Object.assign(document.createElement("meter"), { min: 0, max: 1, value: 0 }));
        data.firstChild.setAttribute("aria-hidden", "true");
        data.append(cell("span", "…"));
      }
    }
  }

  function cell(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function showAnswers() {
    for (const data of element("answers").querySelectorAll("td")) {
      const answer = state.answers.get(data.dataset.model);
      if (!answer) continue;
      const digit = data.parentElement.sectionRowIndex;
      data.firstChild.value = answer.probabilities[digit];
      data.lastChild.textContent = percent(answer.probabilities[digit]);
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
      element("said").textContent = parts.length ? `${agreed}${parts.join("; ")}.` : "";
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

  /** Columns and rows in which a layer's numbers are shown. */
  function grid(output) {
    if (output.shape.length === 1) {
      const columns = 2 ** Math.ceil(Math.log2(output.shape[0]) / 2);
      return { columns, rows: Math.ceil(output.shape[0] / columns), side: 1 };
    }
    return { columns: 8, rows: output.shape[2] / 8, side: output.shape[0] };
  }

  /** Where in the output the number at a place of the picture is. */
  function indexAt(output, x, y) {
    const { columns, side } = grid(output);
    if (output.shape.length === 1) return y * columns + x;
    const map = Math.floor(y / side) * columns + Math.floor(x / side);
    return ((y % side) * side + (x % side)) * output.shape[2] + map;
  }

  function pictureOf(output, values = output.values) {
    const { columns, rows, side } = grid(output);
    const width = columns * side;
    return Array.from({ length: width * rows * side }, (_, i) =>
      values[indexAt(output, i % width, Math.floor(i / width))] ?? 0);
  }

  /** What each number that reaches the last layer adds to a class. */
  function votes(model, digit) {
    const { weights } = model.layers.at(-1);
    const input = state.answers.get(model.name).outputs.at(-2);
    return input.values.map((x, i) => x * weights.values[10 * i + digit]);
  }

  function buildLayers() {
    const model = shown();
    const place = element("layers");
    state.inspected = null;
    place.replaceChildren();
    element("inspection").textContent = "";
    if (!model) return;
    model.layers.forEach((_, index) => {
      const figure = document.createElement("figure");
      const canvas = cell("canvas", "", { tabindex: "0", role: "application" });
      const name = layerName(model, index);
      canvas.setAttribute("aria-label", `${name}. Arrow keys choose a number; how it was made is told below.`);
      canvas.className = model.layers[index].op;
      figure.append(cell("figcaption", name), canvas);
      place.append(figure);
      const at = { x: 0, y: 0 };
      canvas.addEventListener("pointermove", (event) => {
        at.x = Math.min(canvas.width - 1, Math.max(0, Math.floor((event.offsetX * canvas.width) / canvas.clientWidth)));
        at.y = Math.min(canvas.height - 1, Math.max(0, Math.floor((event.offsetY * canvas.height) / canvas.clientHeight)));
        inspect(index, at, "off");
      });
      canvas.addEventListener("focus", () => inspect(index, at, "polite"));
      canvas.addEventListener("keydown", (event) => {
        if (!(event.key in ARROWS)) return;
        event.preventDefault();
        const [right, down] = ARROWS[event.key];
        at.x = (at.x + right + canvas.width) % canvas.width;
        at.y = (at.y + down + canvas.height) % canvas.height;
        inspect(index, at, "polite");
      });
    });
    showLayers();
  }

  function inspect(layer, at, live) {
    element("inspection").setAttribute("aria-live", live);
    state.inspected = { layer, at: { ...at } };
    showInspection();
  }

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
        paint(canvas, Array.from(cast), width, { signed: true, scale: largest(cast) });
        canvas.previousSibling.textContent =
          `Layer ${index + 1}: votes for (red) and against (blue) a ${votesFor()}`;
      } else {
        const output = answer.outputs[index + 1];
        const { columns, side } = grid(output);
        paint(canvas, pictureOf(output), columns * side, { scale: largest(output.values) });
      }
    });
    showInspection();
  }

  // ---- how one number was made ----

  /** Three small pictures and the sum that they make. */
  function showProduct(place, what, inputs, weights, width) {
    const products = inputs.map((x, i) => x * weights[i]);
    const row = cell("div", "", { class: "draw-product" });
    for (const [name, values, signed] of [
      [what, inputs, false], ["× weights", weights, true], ["= products", products, true],
    ]) {
      const figure = document.createElement("figure");
      const canvas = cell("canvas", "", { "aria-hidden": "true" });
      paint(canvas, values, width, { signed, scale: largest(values) });
      figure.append(cell("figcaption", name), canvas);
      row.append(figure);
    }
    place.append(row);
    return products.reduce((sum, x) => sum + x, 0);
  }

  function numbersTable(values, width, caption) {
    const table = document.createElement("table");
    table.append(cell("caption", caption));
    for (let row = 0; row < values.length / width; row++) {
      const line = table.insertRow();
      for (let column = 0; column < width; column++) line.insertCell().textContent = values[row * width + column].toFixed(2).replace("-", "−");
    }
    return table;
  }

  function explainConvolution(place, layer, input, output, index) {
    const filters = output.shape[2];
    const filter = index % filters;
    const [m, n] = [Math.floor(index / filters / output.shape[1]), Math.floor(index / filters) % output.shape[1]];
    const [size, , channels] = input.shape;
    const kernelSize = layer.weights.shape[0];
    const { before } = samePadding(size, kernelSize, layer.stride);
    const cut = (channel) => {
      const [patch, kernel] = [[], []];
      for (let u = 0; u < kernelSize; u++) {
        for (let v = 0; v < kernelSize; v++) {
          const [row, column] = [layer.stride * m + u - before, layer.stride * n + v - before];
          const inside = row >= 0 && row < size && column >= 0 && column < size;
          patch.push(inside ? input.values[(row * size + column) * channels + channel] : 0);
          kernel.push(layer.weights.values[((u * kernelSize + v) * channels + channel) * filters + filter]);
        }
      }
      return { channel, patch, kernel, sum: patch.reduce((sum, x, i) => sum + x * kernel[i], 0) };
    };
    const parts = Array.from({ length: channels }, (_, channel) => cut(channel));
    const total = parts.reduce((sum, part) => sum + part.sum, 0);
    const strongest = parts.reduce((best, part) => (Math.abs(part.sum) > Math.abs(best.sum) ? part : best));
    const bias = layer.biases.values[filter];
    const from = channels > 1 ? `the patch in channel ${strongest.channel}` : "the patch";
    place.append(cell("p", `Map ${filter}, row ${m}, column ${n}.`));
    showProduct(place, from, strongest.patch, strongest.kernel, kernelSize);
    const products = strongest.patch.map((x, i) => x * strongest.kernel[i]);
    const tables = cell("div", "", { class: "draw-numbers" });
    tables.append(
      numbersTable(strongest.patch, kernelSize, "patch"),
      numbersTable(strongest.kernel, kernelSize, "kernel"),
      numbersTable(products, kernelSize, "products"),
    );
    place.append(tables);
    const others = channels > 1
      ? `These products add up to ${number(strongest.sum)}, the other ${channels - 1} channels bring ${number(total - strongest.sum)}. `
      : "";
    place.append(cell("p", `${others}Sum ${number(total)}, plus bias ${number(bias)}, is ${number(total + bias)}; after the ReLU ${number(Math.max(0, total + bias))}.`));
  }

  function explainPool(place, input, output, index) {
    const maps = output.shape[2];
    const map = index % maps;
    const [m, n] = [Math.floor(index / maps / output.shape[1]), Math.floor(index / maps) % output.shape[1]];
    const block = [0, 1].flatMap((u) => [0, 1].map((v) =>
      input.values[((2 * m + u) * input.shape[1] + 2 * n + v) * maps + map]));
    place.append(cell("p", `Map ${map}, row ${m}, column ${n}: the largest of these four is ${number(Math.max(...block))}.`));
    place.append(numbersTable(block, 2, "before pooling"));
  }

  function explainUnit(place, model, layer, input, output, unit) {
    const units = output.shape[0];
    const weights = Array.from(input.values, (_, i) => layer.weights.values[i * units + unit]);
    const sum = input.values.reduce((total, x, i) => total + x * weights[i], 0);
    const bias = layer.biases.values[unit];
    place.append(cell("p", `Unit ${unit}: sum ${number(sum)}, plus bias ${number(bias)}; after the ReLU ${number(output.values[unit])}.`));
    // The maps that reach a unit behind convolutions are laid side by side.
    const lay = (values) => (input.shape[2] === 1 ? Array.from(values) : pictureOf(input, values));
    const width = input.shape[2] === 1 ? FIELD : grid(input).columns * grid(input).side;
    showProduct(place, "what comes in", lay(input.values), lay(weights), width);
    const last = model.layers.at(-1).weights.values;
    const said = Array.from({ length: 10 }, (_, digit) => output.values[unit] * last[10 * unit + digit]);
    const order = [...said.keys()].sort((a, b) => said[b] - said[a]);
    place.append(cell("p", output.values[unit] === 0
      ? "It is off, and votes for nothing."
      : `It votes most for ${order[0]} (${number(said[order[0]])}) and most against ${order[9]} (${number(said[order[9]])}).`));
  }

  function explainVote(place, model, input, index) {
    const digit = votesFor();
    const weight = model.layers.at(-1).weights.values[10 * index + digit];
    const from = input.shape.length === 3
      ? `Pixel in row ${Math.floor(index / FIELD)}, column ${index % FIELD}` : `Unit ${index}`;
    place.append(cell("p", `${from}: ${number(input.values[index])} × weight ${number(weight)} = ${number(input.values[index] * weight)} for a ${digit}. With all others and bias ${number(model.layers.at(-1).biases.values[digit])} the logit is ${number(state.answers.get(model.name).logits[digit])}.`));
  }

  function showInspection() {
    const model = shown();
    const answer = model && state.answers.get(model.name);
    if (!state.inspected || !answer) return;
    const { layer: index, at } = state.inspected;
    const layer = model.layers[index];
    const [input, output] = [answer.outputs[index], answer.outputs[index + 1]];
    const place = element("inspection");
    place.replaceChildren();
    if (layer.op === "conv") explainConvolution(place, layer, input, output, indexAt(output, at.x, at.y));
    else if (layer.op === "pool") explainPool(place, input, output, indexAt(output, at.x, at.y));
    else if (layer.relu) explainUnit(place, model, layer, input, output, indexAt(output, at.x, at.y));
    else {
      const width = input.shape.length === 3 ? FIELD : grid(input).columns;
      explainVote(place, model, input, at.y * width + at.x);
    }
  }

  // ---- all of it, after a change ----

  let due = 0;
  /** Compute and show everything, at most once a frame. */
  function update() {
    due ||= requestAnimationFrame(() => {
      due = 0;
      const prepared = state.digit ?? prepare(inkOfBoard(), SIZE, steps());
      state.pixels = isNudged() ? nudge(prepared, nudges()) : prepared;
      paint(element("after"), Array.from(state.pixels), FIELD);
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
        element("source").textContent = "There is no such test image: none is misread so.";
        return;
      }
      const place = places[Math.floor(Math.random() * places.length)];
      const pixels = digitAt(bytes, place);
      clearBoard();
      if (scattered) putOnBoard(scatter(pixels, SIZE, Math.random));
      else {
        putOnBoard(Float32Array.from({ length: SIZE * SIZE }, (_, i) =>
          pixels[Math.floor(i / SIZE / 10) * FIELD + Math.floor((i % SIZE) / 10)]));
        state.digit = pixels;
      }
      element("source").textContent =
        `Test image ${positions[place]}, a ${labels[place]}` +
        (scattered ? ", drawn somewhere on the board." : ". MNIST's makers have prepared it: the steps do not touch it, the nudges do.");
      update();
    } catch (error) {
      complain(error.message);
    }
  }

  // ---- a hundred digits ----

  const pause = () => new Promise((resolve) => setTimeout(resolve));

  /** How many of a hundred test digits each network reads, with the settings as they are. */
  async function test(scattered) {
    for (const button of [element("test-steps"), element("test-nudges")]) button.disabled = true;
    try {
      const bytes = await testDigits();
      const { random: places, labels } = state.manifest.digits;
      const [tested, settings, moves] = [places.slice(0, 100), steps(), nudges()];
      const random = randomNumbers(1); // every row with the same scattering
      const right = new Map([...state.networks.keys()].map((name) => [name, 0]));
      for (const [count, place] of tested.entries()) {
        let pixels = digitAt(bytes, place);
        if (scattered) pixels = prepare(scatter(pixels, SIZE, random), SIZE, settings);
        pixels = nudge(pixels, moves);
        for (const [name, model] of state.networks) {
          right.set(name, right.get(name) + (run(model, pixels).answer === labels[place]));
        }
        if (count % 5 === 4) {
          element("progress").textContent = `${count + 1} of ${tested.length} digits`;
          await pause();
        }
      }
      const off = ["scale", "smooth", "invert"].filter((step) => !settings[step]).map((step) => `no ${step}`);
      if (settings.centre !== "mass") off.push(settings.centre === "box" ? "centred by box" : "not centred");
      const moved = Object.entries(moves).filter(([, amount]) => amount).map(([name, amount]) => `${name} ${amount}`);
      const name = [scattered ? off.join(", ") || "all steps" : "as MNIST has them", ...moved].join("; ");
      const row = element("scores").tBodies[0].insertRow();
      row.append(cell("th", name, { scope: "row" }));
      for (const model of state.manifest.models) {
        const count = right.get(model.name);
        row.insertCell().textContent = count === undefined ? "–" : `${Math.round((100 * count) / tested.length)} %`;
      }
      element("progress").textContent = `Done: ${name}.`;
    } catch (error) {
      complain(error.message);
    } finally {
      for (const button of [element("test-steps"), element("test-nudges")]) button.disabled = false;
    }
  }

  // ---- the beginning ----

  function fillChoices() {
    for (const name of Object.keys(EXAMPLES)) element("example").append(new Option(name, name));
    for (const { name, title } of state.manifest.models) element("model").append(new Option(title, name));
    const choices = [["random", "any"], ["all", "one that all misread"]];
    for (const { name, title } of state.manifest.models) choices.push([name, `one that ${title} misreads`]);
    for (const [value, text] of choices) element("which").append(new Option(text, value));
    element("class").append(new Option("the answer", "answer"));
    for (let digit = 0; digit < 10; digit++) element("class").append(new Option(String(digit), String(digit)));
    const head = element("scores").createTHead().insertRow();
    head.append(cell("th", "steps and nudges", { scope: "col" }));
    for (const { title } of state.manifest.models) head.append(cell("th", title, { scope: "col" }));
  }

  /** What a reader must know of this copy of the page. */
  function warn() {
    const { models, missing, sample } = state.manifest;
    const few = models.filter((model) => model.steps < model.defaultSteps);
    const lines = [];
    if (sample) lines.push("The networks of this copy learned from a sample of MNIST.");
    if (few.length) lines.push(`Trained for few steps, and so poor readers: ${few.map((m) => `${m.title} (${m.steps})`).join(", ")}.`);
    if (missing.length) lines.push(`This copy has no weights of: ${missing.map((m) => m.title).join(", ")}.`);
    element("warning").textContent = lines.join(" ");
    element("warning").hidden = lines.length === 0;
  }

  function listen() {
    element("clear").addEventListener("click", () => {
      clearBoard();
      update();
    });
    element("put-example").addEventListener("click", () => drawExample(element("example").value));
    element("put-digit").addEventListener("click", () => showDigit(element("which").value, false));
    element("scatter-digit").addEventListener("click", () => showDigit(element("which").value, true));
    for (const id of ["scale", "smooth", "invert", "centre"]) element(id).addEventListener("change", update);
    for (const id of ["right", "down", "turn", "stroke"]) element(id).addEventListener("input", update);
    element("no-nudge").addEventListener("click", () => {
      for (const id of ["right", "down", "turn", "stroke"]) element(id).value = 0;
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
    warn();
    listen();
    showPen();
    update();
    // The networks are large: they come when the reader does.
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      loadNetworks();
    }, { rootMargin: "400px" });
    near.observe(board);
  });
  Object.assign(drawADigit, { state, fetchBytes, loadNetworks });
})();
