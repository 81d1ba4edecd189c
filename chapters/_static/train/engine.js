// How a network learns, in loops that a reader can read: the training step of chapters 3 and 4.
// The forward pass is network.js'; what is here is the way back, and what one does with it.
"use strict";

/** All of it in one function, from whose own text a worker is made. */
function trainingEngine(forwardPasses, newArithmetic, { defaultRng, maskDrawer, truncatedNormal }) {
  const NUM_PIXELS = 784;
  const NUM_LABELS = 10;
  const EVALUATE_EVERY = 50; // steps; as `train` does it: before the first, after it, and so on
  const TRAINING_SAMPLE = 500; // training images, drawn at random, on which it is measured, too
  const MISREAD = 24; // images that `look` brings along

  // ---- data ----

  /** Training, validation and test images, as `mnist_helpers.data` divides the published files. */
  function divide({ train, test }, split) {
    const part = ({ pixels, labels }, from, to = labels.length) => ({
      pixels: pixels.subarray(NUM_PIXELS * from, NUM_PIXELS * to),
      labels: labels.subarray(from, to),
    });
    const heldOut = Math.round(train.labels.length / 12);
    const head = Math.floor(test.labels.length / 10);
    return {
      train: part(train, heldOut),
      valid: split === "official" ? part(train, 0, heldOut) : part(test, 0, head),
      test: split === "official" ? part(test, 0) : part(test, head),
    };
  }

  /** Which images each step sees: a function from step to positions in the training set. */
  function batchesOf(numImages, { batch_size: size, seed, mistakes }) {
    const inFileOrder = (step) => {
      const offset = (step * size) % Math.max(1, numImages - size);
      const start = mistakes.includes("modulo") ? offset % 10 : offset;
      return Int32Array.from({ length: size }, (_, i) => start + i);
    };
    if (mistakes.includes("modulo") || mistakes.includes("file_order")) return inFileOrder;
    const rng = defaultRng(seed);
    const perEpoch = Math.floor(numImages / size);
    let [order, epoch] = [null, -1];
    return (step) => {
      for (; epoch < Math.floor(step / perEpoch); epoch++) order = rng.permutation(numImages);
      const start = (step % perEpoch) * size;
      return order.subarray(start, start + size);
    };
  }

  // ---- the network ----

  /** The network before training, as `run` takes it: logistic regression from zeros, or chapter 3's start. */
  function initialLayers({ num_hidden: hidden, seed, mistakes }, zeros) {
    const isZero = hidden === 0 || mistakes.includes("all_zero");
    const sizes = hidden === 0 ? [NUM_PIXELS, NUM_LABELS] : [NUM_PIXELS, hidden, NUM_LABELS];
    return sizes.slice(1).map((units, i) => {
      const [weights, biases] = [zeros(sizes[i] * units), zeros(units)];
      if (!isZero) {
        weights.set(truncatedNormal(weights.length, [seed, i + 1], 0.1));
        biases.fill(0.1);
      }
      return {
        op: "dense",
        relu: i < sizes.length - 2,
        weights: { shape: [sizes[i], units], values: weights },
        biases: { shape: [units], values: biases },
      };
    });
  }

  // ---- losses: of one image, and the blame of its logits ----

  /** Softmax and logarithm in one, which nothing makes overflow. */
  function fusedLoss(logits, probabilities, label) {
    const largest = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
    const blame = probabilities.slice();
    blame[label] -= 1;
    return { loss: Math.log(sum) + largest - logits[label], blame };
  }

  /** −Σ y · log(p) as it is written, in float32: 0 · log(0) and 0 / 0 are no numbers. */
  function lossByHand(logits, probabilities, label) {
    const largest = Math.max(...logits);
    const least = 2 ** -125; // what is smaller is 0 to TensorFlow's softmax
    const p = Float32Array.from(probabilities, (x, k) => (Math.exp(logits[k] - largest) < least ? 0 : x));
    const y = p.map((_, k) => (k === label ? 1 : 0));
    const slopes = p.map((x, k) => -y[k] * (1 / x));
    const pull = slopes.reduce((sum, slope, k) => sum + slope * p[k], 0);
    return {
      loss: -p.reduce((sum, x, k) => sum + y[k] * Math.log(x), 0),
      blame: Array.from(p, (x, k) => x * (slopes[k] - pull)),
    };
  }

  // ---- a run ----

  /** The blame of a hidden layer's sums, from that of the next: through the weights and the ReLU. */
  function passBlame(hidden, weights, nextBlame, blame, kept) {
    const units = nextBlame.length;
    for (let i = 0; i < hidden.length; i++) {
      let sum = 0;
      if (hidden[i] > 0) { // else it was off, or dropped
        for (let unit = 0; unit < units; unit++) sum += weights[i * units + unit] * nextBlame[unit];
      }
      blame[i] = kept * sum;
    }
  }

  /** A layer with numbers of its own, which do not change as the training goes on. */
  const copyOf = ({ weights, biases, ...rest }) => ({
    ...rest,
    weights: { ...weights, values: weights.values.slice() },
    biases: { ...biases, values: biases.values.slice() },
  });

  /** A network that learns. `sample` has the published files, as `runs.js` reads them. */
  function newRun(settings, sample) {
    const { batch_size: batchSize, learning_rate: rate, keep_prob: keepProb, beta, seed, mistakes } = settings;
    const has = (name) => mistakes.includes(name);
    const { train, valid, test } = divide(sample, has("test_head") ? "original" : "official");
    const numTrain = train.labels.length;
    const labels = has("shuffled_labels")
      ? Uint8Array.from(defaultRng(seed, 1).permutation(numTrain), (i) => train.labels[i])
      : train.labels;
    const ink = Float32Array.from({ length: 256 }, (_, byte) => (has("unscaled") ? byte : byte / 255));
    const batchAt = batchesOf(numTrain, settings);
    const { add, sums, zeros } = newArithmetic();
    const { dense, run, softmax } = forwardPasses({ add, sums });
    const layers = initialLayers(settings, zeros);
    const model = { layers };
    const lossOf = has("log_softmax") ? lossByHand : fusedLoss;

    // What is dropped, and what is left.
    const dropsWeights = keepProb < 1 && settings.drop === "weights";
    const dropsUnits = keepProb < 1 && settings.drop === "units" && layers.length > 1;
    const masks = dropsWeights ? layers.map(({ weights }) => new Float32Array(weights.values.length)) : [];
    const drawWeightMask = masks.map((mask, i) => maskDrawer(seed, i, mask.length, keepProb));
    const unitMask = new Float32Array(dropsUnits ? batchSize * settings.num_hidden : 0);
    const drawUnitMask = dropsUnits && maskDrawer(seed, 0, unitMask.length, keepProb);
    const used = layers.map(({ weights }) => (dropsWeights ? { ...weights, values: zeros(weights.values.length) } : weights));

    const gradients = layers.map(({ weights, biases }) => ({
      weights: zeros(weights.values.length),
      biases: zeros(biases.values.length),
    }));
    const blames = layers.map(({ biases }) => zeros(biases.values.length));
    const isDue = (steps) => steps === 0 || steps === settings.num_steps || (steps - 1) % EVALUATE_EVERY === 0;
    const seen = new Uint8Array(numTrain);
    const evaluated = []; // what `chosen` chooses from
    const trainingSample = defaultRng(seed).permutation(numTrain).subarray(0, TRAINING_SAMPLE);
    let stepsDone = 0;
    let [firstLoss, firstNaN] = [null, null];
    let [differentUnits, deadUnits] = [0, 0];

    const image = new Float32Array(NUM_PIXELS); // the one that is looked at
    function pixelsOf(part, position) {
      const start = NUM_PIXELS * position;
      for (let i = 0; i < NUM_PIXELS; i++) image[i] = ink[part.pixels[start + i]];
      return image;
    }

    function drawMasks() {
      masks.forEach((mask, i) => {
        drawWeightMask[i](mask);
        const { values } = layers[i].weights;
        for (let j = 0; j < mask.length; j++) used[i].values[j] = values[j] * mask[j];
      });
      if (dropsUnits) drawUnitMask(unitMask);
    }

    /** The inputs of each layer, and the logits, of one image in a minibatch. */
    function forward(pixels, place) {
      const outputs = [{ shape: [NUM_PIXELS], values: pixels }];
      layers.forEach(({ biases, relu }, i) => {
        const output = dense(outputs[i], used[i], biases, relu);
        if (relu && dropsUnits) {
          const start = place * output.values.length;
          for (let unit = 0; unit < output.values.length; unit++) output.values[unit] *= unitMask[start + unit];
        }
        outputs.push(output);
      });
      return outputs;
    }

    /** Add to the gradients what one image says: at each layer its inputs times the blame of its sums. */
    function backward(outputs, outputBlame) {
      const kept = dropsUnits ? Math.fround(1 / keepProb) : 1;
      for (let i = layers.length - 1; i >= 0; i--) {
        const [inputs, blame] = [outputs[i].values, blames[i]];
        const units = blame.length;
        if (i === layers.length - 1) blame.set(outputBlame);
        else passBlame(outputs[i + 1].values, used[i + 1].values, blames[i + 1], blame, kept);
        add(gradients[i].biases, 0, blame, 0, units, 1);
        for (let j = 0; j < inputs.length; j++) {
          const x = inputs[j]; // what was not there is not to blame
          if (x !== 0) add(gradients[i].weights, j * units, blame, 0, units, x);
        }
      }
    }

    /** A step downhill, each weight by its own slope. */
    function update() {
      layers.forEach(({ weights, biases }, i) => {
        const [gradient, mask] = [gradients[i], masks[i]];
        const size = gradient.weights.length;
        // The penalty is on the output's weights alone, those that are left.
        if (beta && i === layers.length - 1) add(gradient.weights, 0, used[i].values, 0, size, beta);
        if (mask) for (let j = 0; j < size; j++) gradient.weights[j] *= mask[j];
        add(weights.values, 0, gradient.weights, 0, size, -rate);
        add(biases.values, 0, gradient.biases, 0, gradient.biases.length, -rate);
      });
    }

    /** One training step; returns the loss and the accuracy (percent) of its minibatch before it. */
    function step() {
      const batch = batchAt(stepsDone);
      drawMasks();
      for (const { weights, biases } of gradients) {
        weights.fill(0);
        biases.fill(0);
      }
      let [sum, right] = [0, 0];
      batch.forEach((position, place) => {
        seen[position] = 1;
        const outputs = forward(pixelsOf(train, position), place);
        const logits = Array.from(outputs.at(-1).values);
        const { loss, blame } = lossOf(logits, softmax(logits), labels[position]);
        sum += loss;
        right += logits.indexOf(Math.max(...logits)) === labels[position];
        backward(outputs, blame.map((each) => each / batchSize));
      });
      update();
      const loss = Math.fround(sum / batchSize);
      firstLoss ??= loss;
      if (!Number.isFinite(loss)) firstNaN ??= { step: stepsDone, what: "loss" };
      stepsDone += 1;
      return { loss, accuracy: (100 * right) / batchSize };
    }

    // ---- measuring ----

    /** Mean loss and accuracy (percent) on images; nothing is dropped. `visit` gets what `run` returned. */
    function measure(part, partLabels, positions, visit = () => {}) {
      let [sum, right] = [0, 0];
      for (const position of positions) {
        const answered = run(model, pixelsOf(part, position));
        sum += lossOf(answered.logits, answered.probabilities, partLabels[position]).loss;
        right += answered.answer === partLabels[position];
        visit(answered, position);
      }
      return { loss: sum / positions.length, accuracy: (100 * right) / positions.length };
    }

    const all = (part) => Int32Array.from(part.labels.keys());
    const choosesOn = has("choose_on_test") ? "test" : "validation";
    const measureTest = () => measure(test, test.labels, all(test));

    const best = () => evaluated.reduce((one, other) =>
      (other[choosesOn].accuracy > one[choosesOn].accuracy ? other : one));

    /** How the network stands. The test images come in where one chooses on them, or has chosen. */
    function evaluate() {
      const everOn = new Uint8Array(settings.num_hidden);
      const found = {
        step: stepsDone,
        training: measure(train, labels, trainingSample),
        validation: measure(valid, valid.labels, all(valid), ({ outputs }) => {
          for (let unit = 0; unit < everOn.length; unit++) if (outputs[1].values[unit] > 0) everOn[unit] = 1;
        }),
        test: choosesOn === "test" ? measureTest() : null,
      };
      deadUnits = everOn.reduce((count, isOn) => count - isOn, everOn.length);
      differentUnits = countDifferent();
      if (isDue(stepsDone)) {
        evaluated.push(found);
        if (best() === found) found.test ??= measureTest();
      }
      return found;
    }

    /** The evaluation that is best on what one chooses on, and its accuracy on other images. */
    function chosen() {
      const found = best();
      const others = choosesOn === "test" ? "validation" : "test";
      return {
        on: choosesOn,
        step: found.step,
        accuracy: found[choosesOn].accuracy,
        others: { on: others, accuracy: found[others].accuracy },
      };
    }

    /** How many hidden units there are of which no two have the same weights. */
    function countDifferent() {
      const units = settings.num_hidden;
      const { values } = layers[0].weights;
      const same = (one, other) => {
        for (let i = 0; i < NUM_PIXELS; i++) if (values[i * units + one] !== values[i * units + other]) return false;
        return true;
      };
      const kinds = [];
      for (let unit = 0; unit < units; unit++) if (!kinds.some((kind) => same(kind, unit))) kinds.push(unit);
      return kinds.length;
    }

    function signs() {
      return {
        imagesSeen: seen.reduce((count, isSeen) => count + isSeen, 0),
        imagesThere: numTrain,
        epochs: (stepsDone * batchSize) / numTrain,
        firstLoss,
        firstNaN,
        differentUnits,
        deadUnits,
        units: settings.num_hidden,
      };
    }

    /** The network as it stands: to look at, and for `run` on a drawing. */
    function look() {
      const misread = [];
      let misreadCount = 0;
      measure(valid, valid.labels, all(valid), ({ answer, outputs }, index) => {
        const label = valid.labels[index];
        if (answer === label) return;
        misreadCount += 1;
        if (misread.length < MISREAD) misread.push({ index, label, answer, pixels: outputs[0].values.map((x) => x / ink[255]) });
      });
      return {
        step: stepsDone,
        units: layers[0].biases.values.length,
        weights: layers[0].weights.values.slice(),
        model: { layers: layers.map(copyOf), ink: ink[255] },
        misread,
        misreadCount,
        validationCount: valid.labels.length,
      };
    }

    return {
      chosen,
      evaluate,
      look,
      signs,
      step,
      get stepsDone() { return stepsDone; },
      get isEvaluationDue() { return isDue(stepsDone); },
    };
  }

  // ---- in a worker ----

  /** Answer the messages of `runs.js`: train a little, tell what is new, listen, go on. */
  function serve(worker) {
    const [SLICE, TELL_EVERY] = [25, 100]; // milliseconds
    const later = new MessageChannel(); // sooner than a timer, and messages get their turn
    let [network, until, training, lost] = [null, 0, false, false];
    let [from, losses, accuracies, evaluations] = [0, [], [], []];
    let [lastTold, spent, stepsTimed] = [0, 0, 0];

    function tell() {
      const isDone = network.stepsDone >= until;
      worker.postMessage({
        kind: "progress",
        step: network.stepsDone,
        training,
        done: isDone,
        stepsPerSecond: spent ? (1000 * stepsTimed) / spent : 0,
        curve: { from, loss: Float32Array.from(losses), accuracy: Float32Array.from(accuracies) },
        evaluations,
        chosen: network.chosen(),
        signs: network.signs(),
      });
      from += losses.length;
      [losses, accuracies, evaluations] = [[], [], []];
      [lastTold, spent, stepsTimed] = [performance.now(), 0, 0];
    }

    let evaluatedAt = -1;
    function evaluateOnce() {
      if (evaluatedAt === network.stepsDone) return;
      evaluations.push(network.evaluate());
      evaluatedAt = network.stepsDone;
    }

    function stepOnce() {
      const began = performance.now();
      const { loss, accuracy } = network.step();
      spent += performance.now() - began;
      stepsTimed += 1;
      losses.push(loss);
      accuracies.push(accuracy);
      if (!Number.isFinite(loss) && !lost) [training, lost] = [false, true]; // once: who goes on may
      if (network.isEvaluationDue) evaluateOnce();
    }

    function slice() {
      const end = performance.now() + SLICE;
      while (training && performance.now() < end) {
        if (network.stepsDone >= until) training = false;
        else stepOnce();
      }
      if (!training) evaluateOnce();
      if (!training || performance.now() - lastTold >= TELL_EVERY) tell();
      if (training) later.port2.postMessage(null);
    }
    later.port1.onmessage = () => training && slice();

    const answers = {
      start({ settings, sample }) {
        network = newRun(settings, sample);
        evaluateOnce();
        tell();
      },
      train(message) {
        const wasTraining = training;
        [until, training] = [message.until, true];
        if (!wasTraining) slice();
      },
      pause() {
        if (!training) return;
        training = false;
        evaluateOnce();
        tell();
      },
      step() {
        training = false;
        stepOnce();
        evaluateOnce();
        tell();
      },
      look() {
        worker.postMessage({ kind: "look", seen: network.look() });
      },
    };
    worker.onmessage = ({ data }) => answers[data.kind](data);
  }

  return { newRun, serve };
}

Object.assign(trainHere, {
  newRun: trainingEngine(forwardPasses, () => fastArithmetic(plainArithmetic()), trainHere).newRun,
});
