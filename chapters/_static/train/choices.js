// What can be chosen on a panel: its names, its values, and what to watch when something is broken.
"use strict";

(() => {
  const { MISTAKES, fromLink, toLink } = trainHere;
  const format = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });
  const number = (x) => format.format(x);
  const orOff = (off) => (value) => (value === off ? `${value} (off)` : String(value));

  /** By the names that the chapters use: what to call it, its values, and how one is said. */
  const CHOICES = {
    num_hidden: {
      label: "hidden units",
      values: [0, 16, 32, 64, 128, 256],
      say: (units) => (units ? String(units) : "0: logistic regression"),
    },
    learning_rate: { label: "learning rate", values: [0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10] },
    batch_size: { label: "batch size", values: [1, 8, 32, 128, 512], say: number },
    seed: { label: "seed", values: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] },
    keep_prob: { label: "keep_prob", values: [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.25], say: orOff(1) },
    drop: { label: "it drops", values: ["weights", "units"] },
    beta: { label: "L2 penalty", values: [0, 0.0001, 0.001, 0.01, 0.1], say: orOff(0) },
    num_steps: { label: "steps", values: [100, 300, 500, 1000, 3000], say: number },
  };

  /** What to watch when one of the original's mistakes is made. */
  const WATCH = {
    modulo: "The minibatches go to 100 %, training images at random do not. Count the images seen.",
    file_order: "The same neighbours always come together. Hardly anything here shows it: the file is mixed by class.",
    test_head: "Other images, another score. Which of the two was meant to be touched? Only the code tells.",
    choose_on_test: "The best of many looks flatters: compare it with images nobody chose on.",
    log_softmax: "A probability becomes 0, and its logarithm is no number. Raise the learning rate to 10.",
    all_zero: "No hidden unit is on, so none learns. How many differ, and how many are dead?",
    unscaled: "Look at the first loss, and at the dead units.",
    shuffled_labels: "There is nothing to learn but images by heart: validation stays near guessing.",
  };

  const say = (name, value) => (CHOICES[name].say ?? String)(value);
  const isMistake = (name) => name in WATCH;
  const titleOf = (name) => CHOICES[name]?.label ?? MISTAKES.find((each) => each.name === name).title;

  /** The settings with one of them changed: to a value, or a mistake made or not. */
  function changed(settings, { name, value }) {
    if (!isMistake(name)) return { ...settings, [name]: value };
    const others = settings.mistakes.filter((each) => each !== name);
    return { ...settings, mistakes: value ? [...others, name] : others };
  }

  const valueOf = (settings, name) => (isMistake(name) ? settings.mistakes.includes(name) : settings[name]);

  /** What a panel shows, from an address: settings, how many runs, and in what a second differs. */
  function fromAddress(text) {
    const given = new URLSearchParams(text);
    const runs = ["two", "five"].find((kind) => kind === given.get("runs")) ?? "one";
    const [name, value] = (given.get("beside") ?? "").split(":");
    given.delete("runs");
    given.delete("beside");
    const { settings } = fromLink(given.toString());
    const chosen = CHOICES[name]?.values.find((each) => String(each) === value);
    let beside = { name: "learning_rate", value: 5 };
    if (isMistake(name)) beside = { name, value: value === "on" };
    else if (chosen !== undefined) beside = { name, value: chosen };
    return { settings: { ...settings }, runs, beside };
  }

  function toAddress({ settings, runs, beside }) {
    const parts = [toLink(settings)];
    if (runs !== "one") parts.push(`runs=${runs}`);
    if (runs === "two") {
      const value = isMistake(beside.name) ? (beside.value ? "on" : "off") : beside.value;
      parts.push(`beside=${beside.name}:${value}`);
    }
    return parts.filter(Boolean).join("&");
  }

  Object.assign(trainHere, {
    CHOICES, WATCH, changed, fromAddress, isMistake, number, say, titleOf, toAddress, valueOf,
  });
})();
