// The forward pass of the book's networks, in loops that a reader can read.
// Arrays are laid out as TensorFlow's: an image as (row, column, channel), the weights of a
// dense layer as (in, out), those of a convolution as (row, column, channel in, channel out).
"use strict";

/**
 * What a dense layer is made of: to += scale · Σ times[k] · row rows[k] of `from`, whose rows have
 * so many columns; over the k of a list, from `first` on.
 */
function plainArithmetic() {
  const sumsOf = new Map(); // by how many columns there are: an array to add up in

  function addRows(to, toStart, columns, from, { rows, times, first, length }, scale) {
    if (!sumsOf.has(columns)) sumsOf.set(columns, new Float64Array(columns));
    const sums = sumsOf.get(columns).fill(0);
    for (let k = first; k < first + length; k++) {
      const [start, x] = [rows[k] * columns, times[k]];
      for (let i = 0; i < columns; i++) sums[i] += x * from[start + i];
    }
    for (let i = 0; i < columns; i++) to[toStart + i] += scale * sums[i];
  }

  return {
    addRows,
    floats: (size) => new Float32Array(size),
    wholes: (size) => new Int32Array(size),
  };
}

/**
 * All of it in one function, from whose own text "Train it here" makes a worker. That page has a
 * faster arithmetic, which does the same.
 */
function forwardPasses({ addRows, floats, wholes } = plainArithmetic()) {
  // ---- unpacking ----

  function bytesOf(base64) {
    const letters = atob(base64);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
    return bytes;
  }

  const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
    for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
    return byte;
  });

  function crc32(bytes) {
    let crc = -1;
    for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 255];
    return (crc ^ -1) >>> 0;
  }

  /** The bytes that a script brought, or an error if they are not those that were packed. */
  function checked(base64, expected, title) {
    let bytes = null;
    try {
      bytes = bytesOf(base64);
    } catch {
      bytes = new Uint8Array(0); // no base64 at all
    }
    if (bytes.length !== expected.bytes || crc32(bytes) !== expected.crc) {
      throw new Error(`${title} arrived damaged and is not used.`);
    }
    return bytes;
  }

  function fromFloat16(half) {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  /** The arrays of a network as float32, from its bytes and their description. */
  function unpack(bytes, descriptions) {
    const view = new DataView(bytes.buffer);
    let offset = 0;
    return descriptions.map(({ shape, type }) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const values = new Float32Array(size);
      if (type === "float16") {
        for (let i = 0; i < size; i++) values[i] = fromFloat16(view.getUint16(offset + 2 * i, true));
        offset += 2 * size;
      } else {
        const units = shape.at(-1); // each with a scale of its own
        const start = offset + 4 * units;
        for (let i = 0; i < size; i++) {
          values[i] = view.getInt8(start + i) * view.getFloat32(offset + 4 * (i % units), true);
        }
        offset = start + size;
      }
      return { shape, values };
    });
  }

  // ---- layers ----

  const relu = (sum) => (sum > 0 ? sum : 0);

  /** Room for as many numbers as anybody wanted yet. */
  function growing(make) {
    let room = make(0);
    return (size) => (room.length < size ? (room = make(size)) : room);
  }
  const [rowsFor, timesFor, sumsFor] = [growing(wholes), growing(floats), growing(floats)];

  /** Which numbers are not zero, and what they are: paper, and units that are off, add nothing. */
  function listOf(values, rows = rowsFor(values.length), times = timesFor(values.length), first = 0) {
    let end = first;
    for (let i = 0; i < values.length; i++) {
      if (values[i] === 0) continue;
      rows[end] = i;
      times[end++] = values[i];
    }
    return { rows, times, first, length: end - first };
  }

  /** values (in,) by weights (in, out), plus biases (out,). Somebody may have made the list before. */
  function dense({ values, list = listOf(values) }, weights, biases, withRelu) {
    const units = biases.values.length;
    const sums = sumsFor(units);
    sums.set(biases.values);
    addRows(sums, 0, units, weights.values, list, 1);
    const output = new Float32Array(units);
    for (let unit = 0; unit < units; unit++) output[unit] = withRelu ? relu(sums[unit]) : sums[unit];
    return { shape: [units], values: output };
  }

  /** Padding "SAME": the size of the output, and the zeros before the input. See chapter 5. */
  function samePadding(size, kernelSize, stride) {
    const outputSize = Math.ceil(size / stride);
    const padding = Math.max((outputSize - 1) * stride + kernelSize - size, 0);
    return { outputSize, before: Math.floor(padding / 2) };
  }

  function convolve(input, kernels, biases, stride, withRelu) {
    const [size, , channels] = input.shape;
    const [kernelSize, , , filters] = kernels.shape;
    const { outputSize, before } = samePadding(size, kernelSize, stride);
    const values = new Float32Array(outputSize * outputSize * filters);
    const sums = new Float64Array(filters);
    for (let m = 0; m < outputSize; m++) {
      for (let n = 0; n < outputSize; n++) {
        sums.set(biases.values);
        for (let u = 0; u < kernelSize; u++) {
          const row = stride * m + u - before;
          if (row < 0 || row >= size) continue; // padding is zeros
          for (let v = 0; v < kernelSize; v++) {
            const column = stride * n + v - before;
            if (column < 0 || column >= size) continue;
            for (let c = 0; c < channels; c++) {
              const x = input.values[(row * size + column) * channels + c];
              if (x === 0) continue;
              const kernel = ((u * kernelSize + v) * channels + c) * filters;
              for (let f = 0; f < filters; f++) sums[f] += x * kernels.values[kernel + f];
            }
          }
        }
        values.set(withRelu ? sums.map(relu) : sums, (m * outputSize + n) * filters);
      }
    }
    return { shape: [outputSize, outputSize, filters], values };
  }

  /** The largest of each 2 × 2 numbers. */
  function maxPool(input) {
    const [size, , channels] = input.shape;
    const half = size / 2;
    const values = new Float32Array(half * half * channels).fill(-Infinity);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const place = ((row >> 1) * half + (column >> 1)) * channels;
        for (let c = 0; c < channels; c++) {
          const x = input.values[(row * size + column) * channels + c];
          if (x > values[place + c]) values[place + c] = x;
        }
      }
    }
    return { shape: [half, half, channels], values };
  }

  /** e to the power of each logit, all divided by the largest of these powers. */
  function powersOf(logits) {
    let largest = logits[0];
    for (let k = 1; k < logits.length; k++) largest = Math.max(largest, logits[k]);
    const powers = [];
    for (let k = 0; k < logits.length; k++) powers.push(Math.exp(logits[k] - largest));
    return powers;
  }

  function softmax(logits) {
    const powers = powersOf(logits);
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  }

  // ---- a network ----

  /** A network from its entry in the manifest and the bytes of its weights. */
  function network(entry, bytes) {
    const arrays = unpack(bytes, entry.arrays);
    const layers = entry.layers.map((layer) =>
      layer.op === "pool" ? layer : { ...layer, weights: arrays.shift(), biases: arrays.shift() },
    );
    return { ...entry, layers };
  }

  /** What every layer makes of an image: 784 numbers from 0 (paper) to 1 (ink), or a list of its ink. */
  function run(model, image) {
    const outputs = [image.list ? image : { shape: [28, 28, 1], values: new Float32Array(image) }];
    for (const { op, weights, biases, stride, relu: withRelu } of model.layers) {
      const input = outputs.at(-1);
      if (op === "conv") outputs.push(convolve(input, weights, biases, stride, withRelu));
      else if (op === "pool") outputs.push(maxPool(input));
      else outputs.push(dense(input, weights, biases, withRelu));
    }
    const logits = Array.from(outputs.at(-1).values);
    const probabilities = softmax(logits);
    return { outputs, logits, probabilities, answer: logits.indexOf(Math.max(...logits)) };
  }

  return { checked, crc32, dense, listOf, network, powersOf, run, samePadding, softmax };
}

const drawADigit = forwardPasses();
