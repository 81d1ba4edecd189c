// How a network learns, in loops that a reader can read: the training step of chapters 3 and 4.
// The forward pass is network.js'; what is here is the way back, and what one does with it.
"use strict";

/** All of it in one function, from whose own text a worker is made. */
function trainingEngine({ dense, run, softmax }, { defaultRng, maskDrawer, truncatedNormal }) {
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

  /** A dense layer as `run` takes it, of these weights and biases. */
  function layer(inputs, units, weights, bias, relu) {
    return {
      op: "dense",
      relu,
      weights: { shape: [inputs, units], values: weights },
      biases: { shape: [units], values: new Float32Array(units).fill(bias) },
    };
  }

  /** The network before training: logistic regression from zeros, or chapter 3's start. */
  function initialLayers({ num_hidden: hidden, seed, mistakes }) {
    if (hidden === 0) return [layer(NUM_PIXELS, NUM_LABELS, new Float32Array(NUM_PIXELS * NUM_LABELS), 0, false)];
    const zero = mistakes.includes("all_zero");
    const draw = (size, number) => (zero ? new Float32Array(size) : truncatedNormal(size, [seed, number], 0.1));
    const bias = zero ? 0 : 0.1;
    return [
      layer(NUM_PIXELS, hidden, draw(NUM_PIXELS * hidden, 1), bias, true),
      layer(hidden, NUM_LABELS, draw(hidden * NUM_LABELS, 2), bias, false),
    ];
  }

  // ---- losses: of one image, and the blame of its logits ----

  /** Softmax and logarithm in one, which nothing makes overflow. */
  function fusedLoss(logits, label) {
    const largest = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
    const blame = Float64Array.from(softmax(logits));
    blame[label] -= 1;
    return { loss: Math.log(sum) + largest - logits[label], blame };
  }

  /** −Σ y · log(p) as it is written, in float32: 0 · log(0) and 0 / 0 are no numbers. */
  function lossByHand(logits, label) {
    const largest = Math.max(...logits);
    const least = 2 ** -125; // what is smaller is 0 to TensorFlow's softmax
    const p = Float32Array.from(softmax(logits), (x, k) => (Math.exp(logits[k] - largest) < least ? 0 : x));
    const y = p.map((_, k) => (k === label ? 1 : 0));
    const slopes = p.map((x, k) => -y[k] * (1 / x));
    const pull = slopes.reduce((sum, slope, k) => sum + slope * p[k], 0);
    return {
      loss: -p.reduce((sum, x, k) => sum + y[k] * Math.log(x), 0),
      blame: Float64Array.from(p, (x, k) => x * (slopes[k] - pull)),
    };
  }

  // ---- the way back ----

  /** Add to the gradient of a layer's weights what one image says: its inputs times the blame. */
  function addProducts(gradient, inputs, blame) {
    const units = blame.length;
    for (let i = 0; i < inputs.length; i++) {
      const x = inputs[i];
      if (x === 0) continue; // what was not there is not to blame
      const row = i * units;
      for (let unit = 0; unit < units; unit++) gradient[row + unit] += x * blame[unit];
    }
  }

  /** The blame of a hidden layer's sums: through the weights that said it on, and the ReLU. */
  function hiddenBlame(hidden, weights, blame, kept) {
    const units = blame.length;
    const passed = new Float64Array(hidden.length);
    for (let i = 0; i < hidden.length; i++) {
      if (!(hidden[i] > 0)) continue; // off, or dropped
      for (let unit = 0; unit < units; unit++) passed[i] += weights[i * units + unit] * blame[unit];
      passed[i] *= kept;
    }
    return passed;
  }

  // ---- a run ----

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
    const layers = initialLayers(settings);
    const model = { layers };
    const lossOf = has("log_softmax") ? lossByHand : fusedLoss;

    // What is dropped, and what is left.
    const dropsWeights = keepProb < 1 && settings.drop === "weights";
    const dropsUnits = keepProb < 1 && settings.drop === "units" && layers.length > 1;
    const masks = dropsWeights ? layers.map(({ weights }) => new Float32Array(weights.values.length)) : [];
    const drawWeightMask = masks.map((mask, i) => maskDrawer(seed, i, mask.length, keepProb));
    const unitMask = new Float32Array(dropsUnits ? batchSize * settings.num_hidden : 0);
    const drawUnitMask = dropsUnits && maskDrawer(seed, 0, unitMask.length, keepProb);
    const used = layers.map(({ weights }) => (dropsWeights ? { ...weights, values: weights.values.slice() } : weights));

    const gradients = layers.map(({ weights, biases }) => ({
      weights: new Float32Array(weights.values.length),
      biases: new Float32Array(biases.values.length),
    }));
    const isDue = (steps) => steps === 0 || steps === settings.num_steps || (steps - 1) % EVALUATE_EVERY === 0;
    const seen = new Uint8Array(numTrain);
    const evaluated = []; // what `chosen` chooses from
    const trainingSample = defaultRng(seed).permutation(numTrain).subarray(0, TRAINING_SAMPLE);
    let stepsDone = 0;
    let [firstLoss, firstNaN] = [null, null];
    let [differentUnits, deadUnits] = [0, 0];

    function pixelsOf(part, position) {
      const values = new Float32Array(NUM_PIXELS);
      const start = NUM_PIXELS * position;
      for (let i = 0; i < NUM_PIXELS; i++) values[i] = ink[part.pixels[start + i]];
      return values;
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

    function backward(outputs, blame) {
      const kept = dropsUnits ? Math.fround(1 / keepProb) : 1;
      for (let i = layers.length - 1; i >= 0; i--) {
        addProducts(gradients[i].weights, outputs[i].values, blame);
        for (let unit = 0; unit < blame.length; unit++) gradients[i].biases[unit] += blame[unit];
        if (i > 0) blame = hiddenBlame(outputs[i].values, used[i].values, blame, kept);
      }
    }

    /** A step downhill, each weight by its own slope. */
    function update() {
      layers.forEach(({ weights, biases }, i) => {
        const penalty = i === layers.length - 1 ? beta : 0; // on the output's weights alone
        const [{ values }, gradient, mask, left] = [weights, gradients[i], masks[i], used[i].values];
        for (let j = 0; j < values.length; j++) {
          let slope = gradient.weights[j];
          if (penalty) slope += penalty * left[j];
          if (mask) slope *= mask[j];
          values[j] -= rate * slope;
        }
        for (let unit = 0; unit < biases.values.length; unit++) biases.values[unit] -= rate * gradient.biases[unit];
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
        const { loss, blame } = lossOf(logits, labels[position]);
        sum += loss;
        right += logits.indexOf(Math.max(...logits)) === labels[position];
        backward(outputs, blame.map((each) => each / batchSize));
      });
      update();
      const loss = sum / batchSize;
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
        sum += lossOf(answered.logits, partLabels[position]).loss;
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
        weights: layers[0].weights.values,
        model: { layers, ink: ink[255] },
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
      look({ number }) {
        worker.postMessage({ kind: "look", number, seen: network.look() });
      },
    };
    worker.onmessage = ({ data }) => answers[data.kind](data);
  }

  return { newRun, serve };
}

Object.assign(trainHere, { newRun: trainingEngine(drawADigit, trainHere).newRun });
