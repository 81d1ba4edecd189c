// Curves that grow: a chart as SVG, so that a theme's colours and a contrast theme's reach it.
"use strict";

(() => {
  const NARROW = 260; // pixels; a chart that is narrower says less
  const MOST_POINTS = 40; // of a curve; more would be noise

  function svg(tag, attributes = {}, text = "") {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text) made.textContent = text;
    return made;
  }

  /** Points [x, y] as at most `most`: the means of neighbours, with the least and largest of them. */
  function thinned(points, most = MOST_POINTS) {
    const each = Math.max(1, Math.ceil(points.length / most));
    const found = [];
    for (let first = 0; first < points.length; first += each) {
      const some = points.slice(first, first + each).filter(([, y]) => Number.isFinite(y));
      if (!some.length) continue;
      const ys = some.map(([, y]) => y);
      found.push({
        x: some[some.length >> 1][0],
        y: ys.reduce((sum, y) => sum + y, 0) / ys.length,
        low: Math.min(...ys),
        high: Math.max(...ys),
      });
    }
    return found;
  }

  /** 1, 2 and 5 times powers of ten, from below `low` to above `high`. */
  function steps125(low, high) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power++) {
      for (const digit of [1, 2, 5]) found.push(digit * 10 ** power);
    }
    const from = found.findLastIndex((step) => step <= low);
    const to = found.findIndex((step) => step >= high);
    return found.slice(Math.max(0, from), to + 1);
  }

  const AXES = {
    /** Losses, each decade as high as the next. */
    log: {
      domain(values) {
        const positive = values.filter((y) => y > 0);
        const low = Math.max(1e-4, Math.min(0.5, ...positive));
        const ticks = steps125(low, Math.max(3, ...positive));
        return [ticks[0], ticks.at(-1)];
      },
      ticks: ([low, high]) => {
        const all = steps125(low, high);
        return all.length > 9 ? all.filter((step) => /^1/.test(step.toExponential())) : all;
      },
      place: (y, [low, high]) => Math.log(Math.max(y, low) / low) / Math.log(high / low),
      say: (y) => (y >= 1e4 ? y.toExponential(0).replace("e+", "e") : String(Number(y.toPrecision(2)))),
    },
    /** Percentages: from 0, or from higher where the later part of all curves is. */
    percent: {
      domain(values, later) {
        const least = later.length ? Math.min(...later) : 0;
        return [[90, 80, 50].find((floor) => least > floor + 1) ?? 0, 100];
      },
      ticks: ([low]) => [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => low + share * (100 - low)),
      place: (y, [low, high]) => (y - low) / (high - low),
      say: String,
    },
  };

  /** Round numbers of steps, at most five. */
  function stepTicks(last, most) {
    const size = steps125(1, last).find((step) => last / step <= most) ?? last;
    return Array.from({ length: Math.floor(last / size) + 1 }, (_, i) => i * size);
  }

  /**
   * A chart in `host`. `draw` takes
   *   series  [{ kind, points: [[x, y], …] }]: `kind` names its colour, dashes and mark in train.css
   *   beside  the series of a chart beside it, which has the same axis
   *   last    the step at which the axis ends
   *   nan     the step of the first number that is none, or null
   */
  function makeChart(host, { title, axis, level, height: wanted }) {
    const { domain, ticks, place, say } = AXES[axis];
    const figure = document.createElement("figure");
    figure.className = "train-chart";
    const caption = document.createElement("figcaption");
    caption.textContent = title;
    const picture = svg("svg", { role: "img" });
    picture.setAttribute("aria-label", `${title} against the step. The table has the numbers.`);
    const clip = `train-clip-${document.querySelectorAll(".train-chart").length}`;
    const [grid, curves, marks] = [svg("g"), svg("g", { "clip-path": `url(#${clip})` }), svg("g")];
    const window = svg("rect", { y: 6 });
    const clipPath = svg("clipPath", { id: clip });
    clipPath.append(window);
    picture.append(clipPath, grid, curves, marks);
    figure.append(caption, picture);
    host.append(figure);

    let shown = null; // what was drawn last, to draw again when the width changes
    let [width, height] = [0, 0];
    let margin = null;

    function measure() {
      width = figure.clientWidth;
      const narrow = width < NARROW;
      height = narrow ? 170 : wanted;
      margin = { left: narrow ? 32 : 40, right: 14, top: 10, bottom: 34 };
      picture.setAttribute("width", width);
      picture.setAttribute("height", height);
    }

    function drawGrid(range, last) {
      const right = width - margin.right;
      const bottom = height - margin.bottom;
      const x = (step) => margin.left + (step / last) * (right - margin.left);
      const y = (value) => bottom - place(value, range) * (bottom - margin.top);
      for (const [name, value] of [["x", margin.left - 4], ["width", right - margin.left + 10], ["height", bottom - margin.top + 8]]) {
        window.setAttribute(name, value);
      }
      const parts = [];
      for (const tick of ticks(range)) {
        parts.push(svg("line", { class: "train-grid", x1: margin.left, x2: right, y1: y(tick), y2: y(tick) }));
        parts.push(svg("text", { x: margin.left - 6, y: y(tick) + 4, "text-anchor": "end" }, say(tick)));
      }
      for (const step of stepTicks(last, width < NARROW ? 3 : 5)) {
        parts.push(svg("text", { x: x(step), y: bottom + 15, "text-anchor": "middle" }, trainHere.number(step)));
      }
      parts.push(svg("text", { x: (margin.left + right) / 2, y: height - 4, "text-anchor": "middle" }, "step"));
      if (level && place(level.value, range) > 0.02) {
        const at = y(level.value);
        parts.push(svg("line", { class: "train-level", x1: margin.left, x2: right, y1: at, y2: at }));
        const name = width < NARROW ? level.short : level.name;
        parts.push(svg("text", { class: "train-level-name", x: right, y: at - 4, "text-anchor": "end" }, name));
      }
      grid.replaceChildren(...parts);
      return { x, y };
    }

    function draw(what) {
      shown = what;
      if (!width) return;
      const { series, beside = [], last, nan } = what;
      const lines = series.map(({ kind, points }) => ({ kind, points: thinned(points) }));
      const all = [...lines, ...beside.map(({ points }) => ({ points: thinned(points) }))];
      const values = all.flatMap(({ points }) => points.flatMap(({ low, high }) => [low, high]));
      const later = all.flatMap(({ points }) => points.filter((p) => p.x > 0.3 * points.at(-1).x).map((p) => p.y));
      const range = domain(values, later.length ? later : values);
      caption.textContent = axis === "percent" && range[0] > 0 ? `${title}, from ${range[0]}` : title;
      const { x, y } = drawGrid(range, last);
      const at = (p, value) => `${x(p.x).toFixed(1)},${y(value).toFixed(1)}`;
      const drawn = [];
      for (const { kind, points } of lines) {
        if (!points.length) continue;
        if (kind === "minibatch" && points.some(({ low, high }) => high > low)) {
          const band = [...points.map((p) => at(p, p.high)), ...points.toReversed().map((p) => at(p, p.low))];
          drawn.push(svg("polygon", { class: "train-band", points: band.join(" ") }));
        }
        drawn.push(svg("polyline", { class: `train-line ${kind}`, points: points.map((p) => at(p, p.y)).join(" ") }));
      }
      curves.replaceChildren(...drawn);
      const signs = lines
        .filter(({ points }) => points.length)
        .map(({ kind, points }) => mark(kind, x(points.at(-1).x), y(points.at(-1).y)));
      if (nan !== null) {
        const where = x(nan);
        signs.push(svg("line", { class: "train-nan", x1: where, x2: where, y1: margin.top, y2: height - margin.bottom }));
        const side = where > width / 2 ? ["end", -5] : ["start", 5];
        signs.push(svg("text", { class: "train-nan-name", x: where + side[1], y: margin.top + 12, "text-anchor": side[0] }, `NaN at step ${nan}`));
      }
      if (!values.length) {
        signs.push(svg("text", { class: "train-empty", x: (margin.left + width) / 2, y: 0.62 * height, "text-anchor": "middle" }, width < NARROW ? "Press Train." : "Press Train: the curve grows here."));
      }
      marks.replaceChildren(...signs);
    }

    new ResizeObserver(() => {
      if (figure.clientWidth === width) return;
      measure();
      if (shown) draw(shown);
    }).observe(figure);
    return { figure, draw };
  }

  /** A dot, a square or a triangle: a curve is known by its mark, too. */
  function mark(kind, x, y) {
    const attributes = { class: `train-mark ${kind}` };
    if (kind === "validation" || kind === "mean") return svg("rect", { ...attributes, x: x - 4, y: y - 4, width: 8, height: 8 });
    if (kind === "training") {
      return svg("path", { ...attributes, d: `M${x - 5},${y + 4}L${x + 5},${y + 4}L${x},${y - 5}Z` });
    }
    return svg("circle", { ...attributes, cx: x, cy: y, r: kind === "seed" ? 2 : 4 });
  }

  /** A piece of a curve, for a table that says which is which. */
  function sample(kind) {
    const picture = svg("svg", { class: "train-key", width: 30, height: 14, "aria-hidden": "true" });
    picture.append(svg("polyline", { class: `train-line ${kind}`, points: "1,7 29,7" }), mark(kind, 15, 7));
    return picture;
  }

  Object.assign(trainHere, { makeChart, sample, thinned });
})();
