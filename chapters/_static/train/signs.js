// How one could have noticed: what a training loop can count and compare, beside the curves.
"use strict";

(() => {
  const { LN10, make, nats, number, percent } = trainHere;
  const SHARE = 0.9; // of what a healthy loop shows; less is suspicious
  const GAP = 10; // points between two accuracies that ought to be alike
  const SETTLED = 100; // steps after which a network ought to know something

  /** Each sign by its name: from a run to what it says, and whether that looks wrong; or null. */
  const SIGNS = {
    images({ signs, step, settings }) {
      const healthy = Math.min(step * settings.batch_size, signs.imagesThere);
      return {
        name: "images seen",
        value: `${number(signs.imagesSeen)} of ${number(signs.imagesThere)}`,
        wrong: step > 1 && signs.imagesSeen < SHARE * healthy,
      };
    },
    apart(run) {
      const [batches, random] = [run.last("minibatch", "accuracy"), run.last("training", "accuracy")];
      if (batches === undefined || random === undefined) return null;
      return {
        name: "minibatches, and training images at random",
        value: `${percent(batches)}, ${percent(random)}`,
        wrong: run.step >= SETTLED && batches - random > GAP,
      };
    },
    guessing(run) {
      const validation = run.last("validation", "accuracy");
      return {
        name: "validation (guessing: 10 %)",
        value: percent(validation),
        wrong: Number.isNaN(validation) || (run.step >= SETTLED && validation < 10 + GAP),
      };
    },
    first({ signs }) {
      return {
        name: `first loss (knowing nothing: ${LN10.toFixed(2)})`,
        value: nats(signs.firstLoss),
        wrong: !(signs.firstLoss < 2 * LN10),
      };
    },
    nan({ nan }) {
      return { name: "first NaN", value: nan === null ? "none" : `step ${number(nan)}`, wrong: nan !== null };
    },
    units({ signs: { units, differentUnits, deadUnits } }) {
      if (!units) return null;
      return {
        name: "hidden units that differ; that are dead",
        value: `${differentUnits} of ${units}; ${deadUnits}`,
        wrong: differentUnits < units || deadUnits > units / 4,
      };
    },
    chosen({ chosen }) {
      if (!chosen) return null;
      return {
        name: `best on ${chosen.on}; there, on ${chosen.others.on}`,
        value: `${percent(chosen.accuracy)}; ${percent(chosen.others.accuracy)}`,
        wrong: chosen.on === "test",
      };
    },
  };

  /** The signs of runs that stand side by side, as a table; those of `names` alone. */
  function tableOfSigns(runs, titles, names = Object.keys(SIGNS)) {
    const table = make("table", { class: "train-signs" }, make("caption", {}, "How one could have noticed"));
    const body = make("tbody");
    if (titles.length > 1) {
      const heads = titles.map((title) => make("th", { scope: "col" }, title));
      table.append(make("thead", {}, make("tr", {}, make("td"), ...heads)));
    }
    for (const name of names) {
      const each = runs.map((run) => (run.signs ? SIGNS[name](run) : null));
      const first = each.find(Boolean);
      if (!first) continue;
      const cells = each.map((sign) =>
        make("td", { class: sign?.wrong ? "wrong" : "" }, sign ? `${sign.value}${sign.wrong ? " ◀ look" : ""}` : "–"));
      body.append(make("tr", {}, make("th", { scope: "row" }, first.name), ...cells));
    }
    if (!body.childElementCount) body.append(make("tr", {}, make("td", {}, "The signs come with the curves.")));
    table.append(body);
    return table;
  }

  trainHere.tableOfSigns = tableOfSigns;
})();
