// Runs of the page: the data comes, each run gets a worker of its own, and they talk.
"use strict";

(() => {
  const { checked, run: read } = drawADigit;
  const folder = new URL(".", document.currentScript.src).href;

  // ---- data ----

  let arrived = null; // a promise of the sample, once somebody wants it

  async function inflated(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /** The published files out of one array: pixels and labels to learn from, then those to judge by. */
  async function unpacked({ train, test, ...expected }, base64) {
    const bytes = await inflated(checked(base64, expected, "The sample of digits"));
    let start = 0;
    const take = (length) => bytes.subarray(start, (start += length));
    const part = (images) => ({ pixels: take(784 * images), labels: take(images) });
    return { train: part(train), test: part(test) };
  }

  /** Load the script that brings the sample, once. */
  function load() {
    arrived ??= new Promise((resolve, reject) => {
      let sample = Promise.reject(new Error("The sample of digits arrived damaged and is not used."));
      sample.catch(() => {}); // it is told when the script has run
      trainHere.receive = (expected, base64) => {
        sample = unpacked(expected, base64);
      };
      const script = document.createElement("script");
      script.src = `${folder}sample.js`;
      script.addEventListener("load", () => resolve(sample));
      script.addEventListener("error", () => reject(new Error("The sample of digits could not be loaded.")));
      document.head.append(script);
    });
    arrived.catch(() => {
      arrived = null; // whoever asks again may have better luck
    });
    return arrived;
  }

  // ---- runs ----

  // No file may be read by a page that lies in a folder, so a worker is made from the functions' own text.
  const code = `"use strict";
    const newArithmetic = () => (${fastArithmetic})((${plainArithmetic})());
    (${trainingEngine})(${forwardPasses}, newArithmetic, (${seededDraws})()).serve(self);`;

  /** Begin a run of these settings; what it tells goes to `progress`, and an error to `failed`. */
  function start(given, { progress, failed = console.error }) {
    const { settings } = trainHere.check(given);
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const worker = new Worker(address);
    const waiting = []; // those who want to look, in order
    let ended = false;
    const takes = {
      progress,
      look: ({ seen }) => waiting.shift()(seen),
    };
    worker.onmessage = ({ data }) => takes[data.kind](data);
    worker.onerror = ({ message }) => failed(new Error(message));
    const begun = load().then((sample) => {
      URL.revokeObjectURL(address);
      if (!ended) worker.postMessage({ kind: "start", settings, sample });
    });
    begun.catch(failed);
    const tell = (message) => begun.then(() => worker.postMessage(message), () => {});
    return {
      settings,
      train: (until = settings.num_steps) => tell({ kind: "train", until }),
      pause: () => tell({ kind: "pause" }),
      step: () => tell({ kind: "step" }),
      look: () => new Promise((resolve) => {
        waiting.push(resolve);
        tell({ kind: "look" });
      }),
      end() {
        ended = true;
        worker.terminate();
      },
    };
  }

  Object.assign(trainHere, {
    load,
    start,
    read: (model, pixels) => read(model, pixels.map((x) => x * model.ink)),
  });
})();
