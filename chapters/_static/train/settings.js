// What a reader can set, as a link and as a command; the names are those of the notebook
// "The same in TensorFlow" (chapters/train-trip-home.ipynb).
"use strict";

(() => {
  const NUM_TRAIN = 3667; // images of the sample to learn from

  const DEFAULTS = Object.freeze({
    num_hidden: 128,
    learning_rate: 0.2,
    batch_size: 32,
    keep_prob: 1,
    drop: "weights",
    beta: 0,
    seed: 0,
    num_steps: 300,
    mistakes: Object.freeze([]),
  });

  /** The original's mistakes: what each is called. */
  const MISTAKES = Object.freeze([
    { name: "modulo", title: "% 10 in the offset" },
    { name: "file_order", title: "Batches in file order" },
    { name: "test_head", title: "Validation cut from the head of the test file" },
    { name: "choose_on_test", title: "Choosing on test" },
    { name: "log_softmax", title: "log(softmax) by hand" },
    { name: "all_zero", title: "Weights and biases all zero" },
    { name: "unscaled", title: "Pixels not scaled" },
    { name: "shuffled_labels", title: "Labels shuffled" },
  ]);

  const whole = (low, high) => ({
    holds: (value) => Number.isInteger(value) && value >= low && value <= high,
    words: `a whole number from ${low.toLocaleString("en")} to ${high.toLocaleString("en")}`,
  });
  const number = (holds, words) => ({ holds: (value) => Number.isFinite(value) && holds(value), words });

  const RULES = {
    num_hidden: {
      holds: (value) => value === 0 || whole(16, 256).holds(value),
      words: "0, for logistic regression, or a whole number from 16 to 256",
    },
    learning_rate: number((value) => value > 0, "a number above 0"),
    batch_size: whole(1, NUM_TRAIN),
    keep_prob: number((value) => value > 0 && value <= 1, "a number above 0, up to 1"),
    drop: { holds: (value) => value === "weights" || value === "units", words: "“weights” or “units”" },
    beta: number((value) => value >= 0, "a number, 0 or more"),
    seed: whole(0, 2 ** 32 - 1),
    num_steps: whole(1, 100000),
    mistakes: {
      holds: (value) => Array.isArray(value) && value.every((name) => MISTAKES.some((mistake) => mistake.name === name)),
      words: `some of ${MISTAKES.map(({ name }) => name).join(", ")}`,
    },
  };

  /** Settings with nothing left out, and which of those that came made no sense. */
  function check(given) {
    const settings = { ...DEFAULTS, mistakes: [] };
    const refused = [];
    for (const [name, value] of Object.entries(given)) {
      if (!Object.hasOwn(RULES, name)) {
        refused.push({ name, value, words: `${name} is not a setting of this page.` });
      } else if (!RULES[name].holds(value)) {
        refused.push({ name, value, words: `${name} is ${value}; it may be ${RULES[name].words}.` });
      } else {
        settings[name] = value;
      }
    }
    // Each once, and always in one order.
    settings.mistakes = MISTAKES.map(({ name }) => name).filter((name) => settings.mistakes.includes(name));
    return { settings, refused };
  }

  /** What differs from the defaults, by name. */
  function changes(given) {
    const { settings } = check(given);
    return Object.entries(settings).filter(([name, value]) => String(value) !== String(DEFAULTS[name]));
  }

  /** Settings as the end of an address, without the "#": only what differs from the defaults. */
  const toLink = (settings) => changes(settings).map(([name, value]) => `${name}=${value}`).join("&");

  /** The settings that an address asks for; what `check` returns of them. */
  function fromLink(text) {
    const given = {};
    for (const [name, value] of new URLSearchParams(text.replace(/^#/, ""))) {
      if (name === "mistakes") given[name] = value.split(",").filter(Boolean);
      else if (name === "drop") given[name] = value;
      else given[name] = value.trim() === "" ? value : Number(value);
    }
    return check(given);
  }

  /** The command that trains with these settings in TensorFlow. */
  function command(settings) {
    const options = changes(settings).map(([name, value]) =>
      name === "mistakes"
        ? `-y 'mistakes: [${value.map((each) => `"${each}"`).join(", ")}]'`
        : `-p ${name} ${value}`);
    return ["papermill chapters/train-trip-home.ipynb out.ipynb", ...options].join(" ");
  }

  /** Mean and half of its 95 % interval by Student's t, of two to ten runs. */
  function meanInterval(values) {
    const count = values.length;
    const t = [12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.306, 2.26216][count - 2];
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
    return [mean, t * Math.sqrt(variance / count)];
  }

  Object.assign(trainHere, { DEFAULTS, MISTAKES, NUM_TRAIN, check, command, fromLink, meanInterval, toLink });
})();
