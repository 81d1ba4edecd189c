// The random numbers of the book's chapters, number for number: NumPy's PCG64, which orders the
// images, and TensorFlow's Philox, which draws weights and masks.
"use strict";

const trainHere = {};

/** All of it in one function, from whose own text a worker is made, also where no file may be read. */
function seededDraws() {
  // ---- NumPy: numpy.random.default_rng(seed) ----

  const MASK_32 = 0xffffffffn;
  const MASK_64 = (1n << 64n) - 1n;
  const MASK_128 = (1n << 128n) - 1n;

  /** The words of `SeedSequence(entropy).generate_state`: whole numbers stirred into 32 bits each. */
  function seedWords(entropy, count) {
    let hash = 0x43b0d7e5;
    const stir = (value) => {
      value = (value ^ hash) >>> 0;
      hash = Math.imul(hash, 0x931e8875) >>> 0;
      value = Math.imul(value, hash) >>> 0;
      return (value ^ (value >>> 16)) >>> 0;
    };
    const mix = (x, y) => {
      const mixed = (Math.imul(x, 0xca01f9dd) - Math.imul(y, 0x4973f715)) >>> 0;
      return (mixed ^ (mixed >>> 16)) >>> 0;
    };
    const pool = Array.from({ length: 4 }, (_, i) => stir(entropy[i] ?? 0));
    for (let from = 0; from < 4; from++) {
      for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mix(pool[to], stir(pool[from]));
    }
    let second = 0x8b51f9dd;
    return Array.from({ length: count }, (_, i) => {
      let value = (pool[i % 4] ^ second) >>> 0;
      second = Math.imul(second, 0x58f38ded) >>> 0;
      value = Math.imul(value, second) >>> 0;
      return (value ^ (value >>> 16)) >>> 0;
    });
  }

  /** O'Neill's PCG64 (XSL RR 128/64): a function that gives the next 64 bits. */
  function pcg64(start, stream) {
    const increment = ((stream << 1n) | 1n) & MASK_128;
    let state = 0n;
    const step = () => {
      state = (state * 0x2360ed051fc65da44385df649fccf645n + increment) & MASK_128;
    };
    step();
    state = (state + start) & MASK_128;
    step();
    return () => {
      step();
      const folded = (state >> 64n) ^ (state & MASK_64);
      const turn = state >> 122n;
      return ((folded >> turn) | (folded << (64n - turn))) & MASK_64;
    };
  }

  /** `default_rng(seed)`, of a whole number or of several, each below 2 ** 32. */
  function defaultRng(...entropy) {
    const words = seedWords(entropy, 8).map(BigInt);
    const [a, b, c, d] = [0, 2, 4, 6].map((i) => words[i] | (words[i + 1] << 32n));
    const next64 = pcg64((a << 64n) | b, (c << 64n) | d);
    let left = null; // the upper half of 64 bits, of which the lower was given
    function next32() {
      if (left !== null) {
        const half = left;
        left = null;
        return half;
      }
      const both = next64();
      left = Number(both >> 32n);
      return Number(both & MASK_32);
    }

    /** A whole number from 0 to most: of as many bits as it has, drawn until they are not more. */
    function upTo(most) {
      const mask = 2 ** (32 - Math.clz32(most)) - 1;
      let value = 0;
      do value = (next32() & mask) >>> 0;
      while (value > most);
      return value;
    }

    /** `permutation(size)`: the positions 0 to size − 1 in a random order. */
    function permutation(size) {
      const order = Int32Array.from({ length: size }, (_, i) => i);
      for (let i = size - 1; i > 0; i--) {
        const j = upTo(i);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    }

    return { permutation };
  }

  // ---- TensorFlow: Philox 4×32-10 (Salmon et al., 2011) ----

  /** The upper 32 bits of a product of two 32-bit numbers. */
  function upper(a, b) {
    const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
    const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
    const other = aLow * bHigh + (middle & 0xffff);
    return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(other / 65536)) >>> 0;
  }

  /** Write the four random words of a counter and a key to `words` from `place` on. */
  function philox(c0, c1, c2, c3, k0, k1, words, place) {
    for (let round = 0; round < 10; round++) {
      const [high0, low0] = [upper(c0, 0xd2511f53), Math.imul(c0, 0xd2511f53)];
      const [high1, low1] = [upper(c2, 0xcd9e8d57), Math.imul(c2, 0xcd9e8d57)];
      c0 = (high1 ^ c1 ^ k0) >>> 0;
      c2 = (high0 ^ c3 ^ k1) >>> 0;
      c1 = low1 >>> 0;
      c3 = low0 >>> 0;
      k0 = (k0 + 0x9e3779b9) >>> 0;
      k1 = (k1 + 0xbb67ae85) >>> 0;
    }
    words[place] = c0;
    words[place + 1] = c1;
    words[place + 2] = c2;
    words[place + 3] = c3;
  }

  /** A number from 0 to 1, 1 excluded, from the lowest 23 bits of a word. */
  const uniform = (word) => (word & 0x7fffff) / 2 ** 23;

  /** Box and Muller's two normal numbers, each step rounded to float32 as TensorFlow's are. */
  function twoNormals(first, second) {
    const { fround, log, sqrt, sin, cos } = Math;
    const radius = fround(sqrt(fround(-2 * fround(log(Math.max(uniform(first), fround(1e-7)))))));
    const angle = fround(2 * Math.PI * uniform(second));
    return [fround(fround(sin(angle)) * radius), fround(fround(cos(angle)) * radius)];
  }

  /** `tf.random.stateless_truncated_normal([size], seed, stddev)`: none beyond 2 · stddev. */
  function truncatedNormal(size, [seed0, seed1], stddev) {
    const mixed = new Uint32Array(4);
    philox(seed0, 0, seed1, 0, 0x3ec8f720, 0x02461e29, mixed, 0);
    const [k0, k1, c2, c3] = mixed;
    const values = new Float32Array(size);
    const words = new Uint32Array(4);
    for (let group = 0; group < size; group += 4) {
      let counter = 64 * group; // each four numbers have 256 counters for themselves
      for (let found = 0; found < 4; counter++) {
        philox(counter, 0, c2, c3, k0, k1, words, 0);
        for (const normal of [...twoNormals(words[0], words[1]), ...twoNormals(words[2], words[3])]) {
          if (found < 4 && Math.abs(normal) < 2) {
            if (group + found < size) values[group + found] = Math.fround(normal * Math.fround(stddev));
            found += 1;
          }
        }
      }
    }
    return values;
  }

  /**
   * The masks that `mnist_helpers.training.random_mask` draws within a compiled step: a function that
   * fills an array with 0 and 1 / keep_prob. `number` counts the masks of a step, from 0.
   *
   * After `set_seed(seed)` each random operation of the step has that seed and its own number;
   * each call takes its words from where the call before left off.
   */
  function maskDrawer(seed, number, size, keepProb) {
    const count = (size + 3) >> 2; // words, of four bytes each
    const words = new Uint32Array(4 * Math.ceil(count / 4));
    const bytes = new Uint8Array(words.buffer);
    const one = new Uint32Array(4);
    const graph = seed % 0x7fffffff;
    const seedOf = (operation) => (graph === 0 && operation === 0 ? 0x7fffffff : operation);
    let [wordsDrawn, thresholdsDrawn] = [0, 0]; // counters, of which TensorFlow sets aside more than it needs
    return (mask) => {
      for (let place = 0; place < count; place += 4) {
        const counter = wordsDrawn + place / 4;
        philox(counter >>> 0, Math.floor(counter / 2 ** 32), seedOf(2 * number), 0, graph, 0, words, place);
      }
      // A whole number from int32's least to one below its most: the most would be the least.
      for (let i = 0; i < count; i++) words[i] = (words[i] === 0xffffffff ? 0 : words[i]) ^ 0x80000000;
      wordsDrawn += 256 * count;
      philox(thresholdsDrawn, 0, seedOf(2 * number + 1), 0, graph, 0, one, 0);
      thresholdsDrawn += 256;
      const threshold = Math.floor(Math.fround(Math.fround(256 * keepProb) + uniform(one[0])));
      const largest = Math.min(255, Math.max(0, threshold - 1));
      const kept = Math.fround(1 / keepProb);
      for (let i = 0; i < size; i++) mask[i] = bytes[i] <= largest ? kept : 0;
    };
  }

  return { defaultRng, maskDrawer, pcg64, philox, truncatedNormal };
}

Object.assign(trainHere, seededDraws());
