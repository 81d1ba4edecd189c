// The panel "Train it here": what a reader chooses and presses, and what is shown while it learns.
"use strict";

(() => {
  const { CHOICES, MISTAKES, WATCH, changed, fromAddress, isMistake, makeChart } = trainHere;
  const { meanInterval, number, sample, say, titleOf, toAddress, valueOf } = trainHere;
  const FRAME = 150; // ms between two pictures; more where there are many runs, or a reader wants little motion
  const RECENT = 50; // minibatches whose mean the table shows
  const SEEDS = 5;
  const LN10 = Math.log(10);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  /** An element with attributes and children; a text is a child, too. */
  function make(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  }

  /** Give a menu its options. One that has them is left alone: it may be open. */
  function offer(select, options) {
    const isSame = options.length === select.length && options.every(({ text }, i) => text === select[i].text);
    if (!isSame) select.replaceChildren(...options);
  }

  /** Put tables into a place. Where they are as those before, only texts change, so that a reader can select one. */
  function putTables(place, tables) {
    const cellsOf = (table) => [...table.querySelectorAll("th, td")];
    const before = [...place.children];
    const isSame = tables.length === before.length && tables.every((table, i) => cellsOf(table).length === cellsOf(before[i]).length);
    if (!isSame) {
      place.replaceChildren(...tables);
      return;
    }
    const [old, fresh] = [before, tables].map((all) => all.flatMap(cellsOf));
    old.forEach((cell, i) => {
      if (cell.isEqualNode(fresh[i])) return;
      cell.className = fresh[i].className;
      cell.replaceChildren(...fresh[i].childNodes);
    });
  }

  /** Of what is not known yet a dash; of a network that is lost, no number either. */
  const percent = (x) => (x === undefined ? "–" : Number.isFinite(x) ? `${x.toFixed(1)} %` : "lost");
  const nats = (x) => (Number.isFinite(x) ? (x >= 100 ? number(Math.round(x)) : x.toFixed(3)) : "NaN");
  const mean = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;

  // ---- runs ----

  /** A run: its settings, and all that it has told so far. */
  class Run {
    constructor(settings, told, failed) {
      this.curve = { loss: [], accuracy: [] };
      this.evaluations = [];
      this.step = 0;
      this.speed = 0;
      this.signs = null;
      this.engine = trainHere.start(settings, {
        progress: (message) => {
          this.hear(message);
          told();
        },
        failed,
      });
      this.settings = settings;
    }

    hear({ step, training, stepsPerSecond, curve, evaluations, chosen, signs }) {
      for (const what of ["loss", "accuracy"]) {
        for (const value of curve?.[what] ?? []) this.curve[what].push(value);
      }
      this.evaluations.push(...evaluations);
      Object.assign(this, { step, training, chosen, signs, speed: stepsPerSecond || this.speed });
    }

    /** Whether there is nothing more to wait for: all steps are done, or a loss was no number. */
    isThrough(target) {
      return this.step >= target || (this.training === false && this.nan !== null);
    }

    get nan() {
      return this.signs?.firstNaN?.step ?? null;
    }

    points(set, what) {
      if (set === "minibatch") return this.curve[what].map((value, step) => [step, value]);
      return this.evaluations.map((each) => [each.step, each[set][what]]);
    }

    /** What the table shows of a curve; undefined where nothing is known yet. */
    last(set, what) {
      if (set !== "minibatch") return this.evaluations.at(-1)?.[set][what];
      const recent = this.curve[what].slice(-RECENT);
      return recent.length ? mean(recent) : undefined;
    }
  }

  // ---- the panel ----

  class Panel {
    /** `host` names in its data what a small panel begins with and which controls it has. */
    constructor(host) {
      this.host = host;
      this.controls = host.dataset.controls?.split(" ").filter(Boolean) ?? null; // null: all of them
      this.choice = fromAddress(host.dataset.settings ?? location.hash.slice(1));
      this.runs = [];
      this.target = 0;
      this.playing = false;
      this.shownAt = 0;
      this.listeners = [];
      this.build();
      this.reset();
    }

    get isSmall() {
      return this.controls !== null;
    }

    has(control) {
      return !this.isSmall || this.controls.includes(control);
    }

    // ---- building ----

    build() {
      this.play = make("button", { type: "button", class: "train-play" }, "Train");
      this.one = make("button", { type: "button" }, "One step");
      this.again = make("button", { type: "button" }, "Start again");
      this.counted = make("span", { class: "train-counted" });
      this.said = make("p", { class: "train-said", role: "status" });
      this.trouble = make("div", { role: "alert", class: "train-trouble" });
      this.form = make("div", { class: this.isSmall ? "train-few" : "train-settings" });
      const steps = this.isSmall ? [] : [this.one];
      const bar = make("div", { class: "train-bar" }, this.play, ...steps, this.again, this.counted);
      this.fields = {};
      for (const name of Object.keys(CHOICES)) {
        if (this.has(name)) this.form.append(this.field(name));
      }
      if (!this.isSmall) this.form.append(...this.runsFields());
      this.switches = {};
      if (this.isSmall) {
        for (const { name } of MISTAKES) if (this.has(name)) this.form.append(this.aSwitch(name));
      }
      this.pictures = make("div", { class: "train-charts" });
      this.numbers = make("div", { class: "train-numbers" });
      this.host.append(bar, this.form, this.trouble, this.pictures, this.numbers, this.said);
      if (this.isSmall) {
        const link = make("a", { href: `${this.host.dataset.page}#` }, "Open these settings in Train it here");
        this.host.append(make("p", { class: "train-open" }, link));
        this.link = link;
      }
      this.play.addEventListener("click", () => (this.playing ? this.pause() : this.train()));
      this.one.addEventListener("click", () => this.oneStep());
      this.again.addEventListener("click", () => this.restart());
    }

    field(name) {
      const { label } = CHOICES[name];
      const select = make("select", { "data-setting": name });
      select.addEventListener("change", () => {
        this.set({ name, value: this.offered(name)[select.selectedIndex] });
      });
      this.fields[name] = select;
      return make("label", {}, make("span", {}, label), select);
    }

    /** How many runs, and in what the second one differs. */
    runsFields() {
      const kinds = { one: "one", two: "two runs", five: "five seeds" };
      this.kind = make("select", { "data-setting": "runs" });
      for (const [value, text] of Object.entries(kinds)) this.kind.append(new Option(text, value));
      this.kind.addEventListener("change", () => this.choose({ runs: this.kind.value }));
      this.differs = make("select", { "data-setting": "differs" });
      const names = [...Object.keys(CHOICES).filter((name) => name !== "num_steps"), ...MISTAKES.map(({ name }) => name)];
      for (const name of names) this.differs.append(new Option(titleOf(name), name));
      this.otherwise = make("select", { "data-setting": "otherwise" });
      this.differs.addEventListener("change", () => {
        const name = this.differs.value;
        this.choose({ beside: { name, value: this.others(name)[0] } });
      });
      this.otherwise.addEventListener("change", () => {
        const { name } = this.choice.beside;
        this.choose({ beside: { name, value: this.others(name)[this.otherwise.selectedIndex] } });
      });
      this.second = [
        make("label", { hidden: true }, make("span", {}, "they differ in"), this.differs),
        make("label", { hidden: true }, make("span", {}, "the second has"), this.otherwise),
      ];
      return [make("label", {}, make("span", {}, "runs"), this.kind), ...this.second];
    }

    /** The values of a setting; one that only an address could give is among them. */
    offered(name) {
      const { values } = CHOICES[name];
      const value = this.choice.settings[name];
      return values.includes(value) ? values : [...values, value];
    }

    /** What a setting could be instead. */
    others(name) {
      const value = valueOf(this.choice.settings, name);
      return isMistake(name) ? [!value] : this.offered(name).filter((each) => each !== value);
    }

    /** A switch of "Break it"; on the large panel it says what to watch. */
    aSwitch(name) {
      const box = make("input", { type: "checkbox", "data-mistake": name });
      box.addEventListener("change", () => this.set({ name, value: box.checked }));
      this.switches[name] = box;
      const watch = this.isSmall ? [] : [make("small", {}, WATCH[name])];
      return make("label", { class: "train-switch" }, box, make("span", {}, titleOf(name), ...watch));
    }

    // ---- choosing ----

    set(change) {
      this.choose({ settings: changed(this.choice.settings, change) });
    }

    /** Show something else, and start again with it. */
    choose(change) {
      Object.assign(this.choice, change);
      this.reset();
      if (!this.isSmall) history.replaceState(null, "", `#${toAddress(this.choice)}`);
      this.say("");
    }

    showChoice() {
      const { settings, runs, beside } = this.choice;
      for (const [name, select] of Object.entries(this.fields)) {
        const values = this.offered(name);
        offer(select, values.map((value) => new Option(say(name, value), value)));
        select.selectedIndex = values.indexOf(settings[name]);
      }
      if (this.fields.drop) this.fields.drop.disabled = settings.keep_prob === 1;
      for (const [name, box] of Object.entries(this.switches)) box.checked = settings.mistakes.includes(name);
      if (this.link) this.link.href = `${this.host.dataset.page}#${toAddress(this.choice)}`;
      if (!this.kind) return;
      this.kind.value = runs;
      for (const label of this.second) label.hidden = runs !== "two";
      this.differs.value = beside.name;
      const others = this.others(beside.name);
      const texts = others.map((value) => (isMistake(beside.name) ? (value ? "on" : "off") : say(beside.name, value)));
      offer(this.otherwise, texts.map((text) => new Option(text)));
      this.otherwise.selectedIndex = Math.max(0, others.indexOf(beside.value));
    }

    /** The settings of each run that the choice asks for. */
    settingsOfRuns() {
      const { settings, runs, beside } = this.choice;
      if (runs === "five") {
        return Array.from({ length: SEEDS }, (_, i) => ({ ...settings, seed: settings.seed + i }));
      }
      if (runs === "one") return [settings];
      const others = this.others(beside.name);
      const value = others.includes(beside.value) ? beside.value : others[0];
      return [settings, changed(settings, { name: beside.name, value })];
    }

    /** What tells two runs apart; nothing where there is one chart. */
    titlesOfRuns() {
      if (this.choice.runs !== "two") return [""];
      const { name } = this.choice.beside;
      return this.settingsOfRuns().map((settings) => {
        const value = valueOf(settings, name);
        return `${titleOf(name)}: ${isMistake(name) ? (value ? "on" : "off") : say(name, value)}`;
      });
    }

    // ---- running ----

    dismiss() {
      for (const run of this.runs) run.engine.end();
      this.runs = [];
    }

    reset() {
      this.dismiss();
      this.playing = false;
      this.target = 0;
      this.trouble.replaceChildren();
      this.showChoice();
      const { runs, settings } = this.choice;
      this.charts = [];
      const places = this.titlesOfRuns().map((title) => {
        const place = make("div", { class: "train-pair" });
        if (title) place.append(make("p", { class: "train-title" }, title));
        const height = this.isSmall || runs === "two" ? 170 : 210;
        const loss = makeChart(place, {
          title: "Loss (nats)",
          axis: "log",
          height,
          level: { value: LN10, name: "ln 10: knows nothing", short: "ln 10" },
        });
        const accuracy = makeChart(place, { title: "Accuracy (%)", axis: "percent", height });
        this.charts.push({ loss, accuracy });
        return place;
      });
      this.pictures.replaceChildren(...places);
      for (const part of [this.pictures, this.numbers]) part.classList.toggle("two", runs === "two");
      this.last = settings.num_steps;
      this.show();
    }

    restart() {
      this.play.focus(); // the button that was pressed is of no use now
      this.reset();
      this.say("Back at step 0.");
    }

    begin() {
      this.trouble.replaceChildren();
      if (this.runs.length) return;
      const failed = (error) => this.fail(error.message ?? error);
      this.runs = this.settingsOfRuns().map((settings) => new Run(settings, () => this.changed(), failed));
    }

    fail(message) {
      this.playing = false;
      if (!this.step) this.dismiss(); // whoever presses again begins anew
      this.say("");
      this.trouble.replaceChildren(make("p", {}, message));
      this.show();
    }

    train() {
      this.begin();
      if (this.step >= this.target) this.target += this.choice.settings.num_steps;
      this.last = Math.max(this.last, this.target);
      this.playing = true;
      for (const run of this.runs) {
        run.training = true; // one that had stopped at a NaN goes on, too
        run.engine.train(this.target);
      }
      this.say("Training.");
      this.saidAt = performance.now();
      this.show();
    }

    pause() {
      for (const run of this.runs) run.engine.pause();
      this.playing = false;
      this.show();
      this.say(this.summary());
    }

    oneStep() {
      this.begin();
      this.playing = false;
      for (const run of this.runs) run.engine.step();
      this.last = Math.max(this.last, this.step + 1);
      this.saidAt = performance.now();
      this.show();
    }

    get step() {
      return this.runs.length ? Math.min(...this.runs.map((run) => run.step)) : 0;
    }

    // ---- showing ----

    /** Show what came, when it is time for the next picture. */
    changed() {
      if (this.due) return;
      const wait = FRAME * (calm.matches ? 8 : Math.max(1, this.runs.length / 2)) - (performance.now() - this.shownAt);
      // Due until it is shown: what comes between the two is shown with it, and not right after.
      this.due = setTimeout(() => requestAnimationFrame(() => {
        this.due = 0;
        this.show();
      }), Math.max(0, wait));
    }

    show() {
      this.shownAt = performance.now();
      if (this.playing && this.runs.every((run) => run.isThrough(this.target))) {
        this.playing = false;
        this.say(this.summary());
      } else if (this.playing && performance.now() - this.saidAt > 10_000) {
        this.saidAt = performance.now();
        this.say(this.summary());
      }
      this.play.textContent = this.playing ? "Pause" : this.step ? "Go on" : "Train";
      this.play.classList.toggle("playing", this.playing);
      this.one.disabled = this.playing;
      this.again.disabled = !this.runs.length;
      this.showCount();
      this.showCharts();
      this.showNumbers();
      for (const listener of this.listeners) listener();
    }

    showCount() {
      const [run] = this.runs;
      const seen = run?.signs ? ` · epoch ${run.signs.epochs.toFixed(1)}` : "";
      const fast = this.playing && run?.speed ? ` · ${number(Math.round(run.speed))} steps a second` : "";
      this.counted.textContent = `step ${number(this.step)}${seen}${fast}`;
    }

    showCharts() {
      const { runs } = this;
      if (this.choice.runs === "five") {
        const [{ loss, accuracy }] = this.charts;
        for (const [chart, what] of [[loss, "loss"], [accuracy, "accuracy"]]) {
          const each = runs.map((run) => ({ kind: "seed", points: run.points("validation", what) }));
          const shared = Math.min(...runs.map((run) => run.evaluations.length));
          const middle = runs.length
            ? runs[0].points("validation", what).slice(0, shared).map(([step], i) => [step, mean(runs.map((run) => run.evaluations[i].validation[what]))])
            : [];
          const nan = runs.map((run) => run.nan).filter((step) => step !== null);
          chart.draw({ series: [...each, { kind: "mean", points: middle }], last: this.last, nan: nan.length ? Math.min(...nan) : null });
        }
        return;
      }
      const kinds = ["minibatch", "training", "validation"];
      for (const what of ["loss", "accuracy"]) {
        const all = this.charts.map((_, i) => kinds.map((kind) => ({ kind, points: runs[i]?.points(kind, what) ?? [] })));
        this.charts.forEach((charts, i) => {
          const beside = all.filter((series) => series !== all[i]).flat();
          charts[what].draw({ series: all[i], beside, last: this.last, nan: runs[i]?.nan ?? null });
        });
      }
    }

    showNumbers() {
      const table = this.choice.runs === "five" ? this.tableOfSeeds() : this.tableOfCurves();
      const names = this.isSmall ? (this.host.dataset.signs?.split(" ") ?? []) : undefined;
      const signs = names?.length === 0 || this.choice.runs === "five" ? [] : [trainHere.tableOfSigns(this.runs, this.titlesOfRuns(), names)];
      putTables(this.numbers, [table, ...signs]);
    }

    tableOfCurves() {
      const titles = this.titlesOfRuns();
      const head = make("tr", {}, make("td", {}));
      for (const _ of titles) head.append(make("th", { scope: "col" }, "loss"), make("th", { scope: "col" }, "accuracy"));
      const above = make("tr", {}, make("td", {}), ...titles.map((title) => make("th", { scope: "colgroup", colspan: 2 }, title)));
      const rows = [
        ["minibatch", `minibatch, mean of ${RECENT}`],
        ["training", "training, at random"],
        ["validation", "validation"],
      ].map(([set, name]) => {
        const row = make("tr", {}, make("th", { scope: "row" }, sample(set), name));
        titles.forEach((_, i) => {
          const run = this.runs[i];
          const there = run?.last(set, "loss") !== undefined;
          row.append(make("td", {}, there ? nats(run.last(set, "loss")) : "–"), make("td", {}, there ? percent(run.last(set, "accuracy")) : "–"));
        });
        return row;
      });
      const heads = titles.length > 1 ? [above, head] : [head];
      return make("table", { "aria-label": "The curves in numbers" }, make("thead", {}, ...heads), make("tbody", {}, ...rows));
    }

    tableOfSeeds() {
      const head = make("tr", {}, make("th", { scope: "col" }, "seed"));
      const row = make("tr", {}, make("th", { scope: "row" }, sample("seed"), "validation"));
      this.settingsOfRuns().forEach(({ seed }, i) => {
        head.append(make("th", { scope: "col" }, String(seed)));
        row.append(make("td", {}, percent(this.runs[i]?.last("validation", "accuracy"))));
      });
      head.append(make("th", { scope: "col" }, sample("mean"), "mean"));
      row.append(make("td", { class: "train-mean" }, this.meanInWords()));
      return make("table", { "aria-label": "The seeds in numbers" }, make("thead", {}, head), make("tbody", {}, row));
    }

    meanInWords() {
      const scores = this.runs.map((run) => run.last("validation", "accuracy"));
      if (!scores.length || !scores.every(Number.isFinite)) return "–";
      const [middle, half] = meanInterval(scores);
      return `${middle.toFixed(1)} ± ${half.toFixed(1)} %`;
    }

    summary() {
      const { runs } = this;
      if (!runs.length || runs.some((run) => !run.evaluations.length)) return "";
      const begin = `Step ${number(this.step)}.`;
      if (this.choice.runs === "five") return `${begin} Validation accuracy, mean of five seeds: ${this.meanInWords()}.`;
      const titles = this.titlesOfRuns();
      const each = runs.map((run, i) => {
        const name = titles[i] ? `${titles[i]}: ` : "";
        if (run.nan !== null) {
          const lost = Number.isNaN(run.last("validation", "accuracy")) ? " The network is lost: it answers nothing." : "";
          return `${name}The loss is no number (NaN) at step ${run.nan}.${lost}`;
        }
        return `${name}Validation accuracy ${percent(run.last("validation", "accuracy"))}, training ${percent(run.last("training", "accuracy"))}.`;
      });
      return [begin, ...each].join(" ");
    }

    say(text) {
      this.said.textContent = text;
    }
  }

  Object.assign(trainHere, { LN10, Panel, make, nats, percent, panels: [] });

  document.addEventListener("DOMContentLoaded", () => {
    for (const host of document.querySelectorAll(".train-panel")) {
      const panel = new Panel(host);
      trainHere.panels.push(panel);
      if (!panel.isSmall) trainHere.furnish?.(panel);
    }
  });
})();
