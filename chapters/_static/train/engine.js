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
  const LEAST = 2 ** -126; // the smallest normal float32: on a CPU, TensorFlow takes less for 0

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
  function initialLayers({ num_hidden: hidden, seed, mistakes }, floats) {
    const isZero = hidden === 0 || mistakes.includes("all_zero");
    const sizes = hidden === 0 ? [NUM_PIXELS, NUM_LABELS] : [NUM_PIXELS, hidden, NUM_LABELS];
    return sizes.slice(1).map((units, i) => {
      const [weights, biases] = [floats(sizes[i] * units), floats(units)];
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
  const fusedLoss = (powersOf) => (logits, probabilities, label) => {
    const sum = powersOf(logits).reduce((total, power) => total + power, 0);
    const blame = probabilities.slice();
    blame[label] -= 1;
    return { loss: Math.log(sum) + Math.max(...logits) - logits[label], blame };
  };

  /** −Σ y · log(p) as it is written, in float32: 0 · log(0) and 0 / 0 are no numbers. */
  function lossByHand(logits, probabilities, label) {
    const p = Float32Array.from(probabilities, (x) => (x < LEAST ? 0 : x));
    const y = p.map((_, k) => (k === label ? 1 : 0));
    const slopes = p.map((x, k) => -y[k] * (1 / x));
    const pull = slopes.reduce((sum, slope, k) => sum + slope * p[k], 0);
    return {
      loss: -p.reduce((sum, x, k) => sum + y[k] * Math.log(x), 0),
      blame: Array.from(p, (x, k) => x * (slopes[k] - pull)),
    };
  }

  /** 1 for a right answer, 0 for a wrong one, NaN for none: where no logit is the largest. */
  const scoreOf = (answer, label) => (answer < 0 ? NaN : Number(answer === label));

  // ---- a run ----

  /** 0, 1, 2 and so on, from 0 again at `end`. */
  function counted(numbers, end) {
    for (let i = 0; i < numbers.length; i++) numbers[i] = i % end;
    return numbers;
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
    const { addRows, floats, wholes } = newArithmetic();
    const { dense, listOf, powersOf, run, softmax } = forwardPasses({ addRows, floats, wholes });
    const layers = initialLayers(settings, floats);
    const model = { layers };
    const lossOf = has("log_softmax") ? lossByHand : fusedLoss(powersOf);

    // What is dropped, and what is left.
    const dropsWeights = keepProb < 1 && settings.drop === "weights";
    const dropsUnits = keepProb < 1 && settings.drop === "units" && layers.length > 1;
    const masks = dropsWeights ? layers.map(({ weights }) => new Float32Array(weights.values.length)) : [];
    const drawWeightMask = masks.map((mask, i) => maskDrawer(seed, i, mask.length, keepProb));
    const unitMask = new Float32Array(dropsUnits ? batchSize * settings.num_hidden : 0);
    const drawUnitMask = dropsUnits && maskDrawer(seed, 0, unitMask.length, keepProb);
    const used = layers.map(({ weights }) => (dropsWeights ? { ...weights, values: floats(weights.values.length) } : weights));

    const inkOf = new Map([train, valid, test].map((part) => [part, listsOfInk(part)]));
    const ways = layers.map(newWay);
    const eachLabel = counted(wholes(batchSize * NUM_LABELS), NUM_LABELS);
    const eachImage = { rows: counted(wholes(batchSize), batchSize), times: floats(batchSize).fill(1), first: 0, length: batchSize };
    const isDue = (steps) => steps === 0 || steps === settings.num_steps || (steps - 1) % EVALUATE_EVERY === 0;
    const seen = new Uint8Array(numTrain);
    const evaluated = []; // what `chosen` chooses from
    const trainingSample = defaultRng(seed).permutation(numTrain).subarray(0, TRAINING_SAMPLE);
    let stepsDone = 0;
    let [firstLoss, firstNaN] = [null, null];
    let [differentUnits, deadUnits] = [0, 0];

    /** Of each image of a part, the pixels that have ink, and how much. */
    function listsOfInk({ pixels, labels }) {
      let inked = 0;
      for (const byte of pixels) if (byte) inked += 1;
      const [rows, times] = [wholes(inked), floats(inked)];
      let first = 0;
      return Array.from(labels, (_, position) => {
        const start = NUM_PIXELS * position;
        const list = listOf(pixels.subarray(start, start + NUM_PIXELS), rows, times, first);
        for (let k = first; k < first + list.length; k++) times[k] = ink[times[k]];
        first += list.length;
        return list;
      });
    }

    /** What a layer keeps of a minibatch until it learns from it. */
    function newWay({ weights }, i) {
      const [inputs, units] = weights.shape;
      const most = i === 0 ? Math.min(inputs * batchSize, inkOf.get(train)[0].rows.length) : inputs * batchSize;
      return {
        lists: [], // of each image, the inputs that are not zero
        rows: wholes(i && most), // where the lists of hidden units are
        times: floats(i && most),
        images: { rows: wholes(most), times: floats(most) }, // of each input, the images where it is not zero
        starts: new Int32Array(inputs + 2), // where those of each begin
        blame: floats(batchSize * units), // of the sums of each image
        back: floats(i && inputs * units), // the weights, transposed
        row: floats(Math.max(inputs, units)),
      };
    }

    const pixelsOf = ({ pixels }, position) =>
      Float32Array.from(pixels.subarray(NUM_PIXELS * position, NUM_PIXELS * (position + 1)), (byte) => byte / 255);

    function drawMasks() {
      masks.forEach((mask, i) => {
        drawWeightMask[i](mask);
        const { values } = layers[i].weights;
        for (let j = 0; j < mask.length; j++) used[i].values[j] = values[j] * mask[j];
      });
      if (dropsUnits) drawUnitMask(unitMask);
    }

    /** The logits of one image in a minibatch. Each layer keeps what it needs to learn from it. */
    function forward(image, place) {
      let input = { list: image };
      layers.forEach(({ biases, relu }, i) => {
        ways[i].lists[place] = input.list;
        input = dense(input, used[i], biases, relu);
        if (!relu) return;
        const { length } = input.values;
        if (dropsUnits) for (let unit = 0; unit < length; unit++) input.values[unit] *= unitMask[place * length + unit];
        const { rows, times } = ways[i + 1];
        input.list = listOf(input.values, rows, times, place * length);
      });
      return input.values;
    }

    /** The blame of a hidden layer's sums, from that of the output's: through the weights and the ReLU. */
    function passBlame({ values }, { blame, lists, back, row }, hiddenBlame) {
      const kept = dropsUnits ? Math.fround(1 / keepProb) : 1;
      const hidden = values.length / NUM_LABELS;
      for (let i = 0; i < values.length; i++) back[(i % NUM_LABELS) * hidden + Math.floor(i / NUM_LABELS)] = values[i];
      hiddenBlame.fill(0);
      lists.forEach(({ rows, first, length }, place) => {
        const list = { rows: eachLabel, times: blame, first: place * NUM_LABELS, length: NUM_LABELS };
        addRows(row.fill(0), 0, hidden, back, list, kept);
        // A unit that is not in the list was off, or dropped.
        for (let k = first; k < first + length; k++) hiddenBlame[place * hidden + rows[k]] = row[rows[k]];
      });
    }

    /** The lists of a minibatch, image by image, as lists for each input. */
    function sortByInput({ lists, images, starts }) {
      starts.fill(0);
      for (const { rows, first, length } of lists) {
        for (let k = first; k < first + length; k++) starts[rows[k] + 2] += 1;
      }
      for (let i = 2; i < starts.length; i++) starts[i] += starts[i - 1];
      lists.forEach(({ rows, times, first, length }, place) => {
        for (let k = first; k < first + length; k++) {
          const to = starts[rows[k] + 1]++; // which ends where the next one begins
          images.rows[to] = place;
          images.times[to] = times[k];
        }
      });
    }

    /** A step downhill, each weight by its own slope: the sum, over images, of its input times the blame of its unit. */
    function learn({ weights: { shape: [inputs, units], values }, biases }, i) {
      const { images, starts, blame, row } = ways[i];
      const [mask, left] = [masks[i], used[i].values];
      const penalty = i === layers.length - 1 ? beta : 0; // on the output's weights alone, those that are left
      sortByInput(ways[i]);
      addRows(biases.values, 0, units, blame, eachImage, -rate);
      for (let input = 0; input < inputs; input++) {
        const [first, length] = [starts[input], starts[input + 1] - starts[input]];
        const list = { ...images, first, length }; // what was not there is not to blame
        const start = input * units;
        if (!mask && !penalty) {
          if (length) addRows(values, start, units, blame, list, -rate);
          continue;
        }
        addRows(row.fill(0), 0, units, blame, list, 1);
        for (let unit = 0; unit < units; unit++) {
          const at = start + unit;
          values[at] -= rate * (row[unit] + penalty * left[at]) * (mask ? mask[at] : 1);
        }
      }
    }

    /** One training step; returns the loss and the accuracy (percent) of its minibatch before it. */
    function step() {
      const batch = batchAt(stepsDone);
      drawMasks();
      let [sum, right] = [0, 0];
      for (let place = 0; place < batchSize; place++) {
        const position = batch[place];
        seen[position] = 1;
        const logits = forward(inkOf.get(train)[position], place);
        const { loss, blame } = lossOf(logits, softmax(logits), labels[position]);
        sum += loss;
        right += scoreOf(logits.indexOf(Math.max(...logits)), labels[position]);
        for (let k = 0; k < NUM_LABELS; k++) ways.at(-1).blame[place * NUM_LABELS + k] = blame[k] / batchSize;
      }
      if (layers.length > 1) passBlame(used[1], ways[1], ways[0].blame);
      layers.forEach(learn);
      const loss = Math.fround(sum / batchSize);
      firstLoss ??= loss;
      if (!Number.isFinite(loss)) firstNaN ??= { step: stepsDone, what: "loss" };
      stepsDone += 1;
      return { loss, accuracy: (100 * right) / batchSize };
    }

    // ---- measuring ----

    /**
     * Mean loss and accuracy (percent) on images; nothing is dropped. `visit` gets what `run` returned.
     * The accuracy of a network that is lost, whose logits are no numbers, is none either.
     */
    function measure(part, partLabels, positions, visit = () => {}) {
      let [sum, right] = [0, 0];
      for (const position of positions) {
        const answered = run(model, { list: inkOf.get(part)[position] });
        sum += lossOf(answered.logits, answered.probabilities, partLabels[position]).loss;
        right += scoreOf(answered.answer, partLabels[position]);
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
      const { accuracy } = measure(valid, valid.labels, all(valid), ({ answer }, index) => {
        const label = valid.labels[index];
        if (answer === label || answer < 0) return;
        misreadCount += 1;
        if (misread.length < MISREAD) misread.push({ index, label, answer, pixels: pixelsOf(valid, index) });
      });
      return {
        step: stepsDone,
        units: layers[0].biases.values.length,
        weights: layers[0].weights.values.slice(),
        model: { layers: layers.map(copyOf), ink: ink[255] },
        isLost: Number.isNaN(accuracy),
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
