// From a drawing of any size and place to an image as MNIST's: the step on which the rest hangs.
"use strict";

(() => {
  const FIELD = 28; // pixels of an MNIST image, both ways
  const BOX = 20; // pixels that a digit in it fills at most
  const FAINT = 0.1; // less ink than that is no part of the digit

  /** The smallest rectangle with all the ink, and the ink's centre of mass; null on empty paper. */
  function measure(ink, size) {
    let [left, top, right, bottom] = [size, size, -1, -1];
    let [mass, across, down] = [0, 0, 0];
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const x = ink[row * size + column];
        if (x < FAINT) continue;
        left = Math.min(left, column);
        right = Math.max(right, column + 1);
        top = Math.min(top, row);
        bottom = Math.max(bottom, row + 1);
        mass += x;
        across += x * (column + 0.5);
        down += x * (row + 0.5);
      }
    }
    if (mass === 0) return null;
    return {
      width: right - left,
      height: bottom - top,
      box: [(left + right) / 2, (top + bottom) / 2],
      mass: [across / mass, down / mass],
    };
  }

  /** The mean ink of a square of the drawing, parts of pixels counted as parts. */
  function meanInk(ink, size, left, top, side) {
    let sum = 0;
    for (let row = Math.max(0, Math.floor(top)); row < Math.min(size, top + side); row++) {
      const high = Math.min(row + 1, top + side) - Math.max(row, top);
      for (let column = Math.max(0, Math.floor(left)); column < Math.min(size, left + side); column++) {
        const wide = Math.min(column + 1, left + side) - Math.max(column, left);
        sum += ink[row * size + column] * high * wide;
      }
    }
    return sum / (side * side);
  }

  /** Ink or no ink at the middle of a square. */
  function inkInTheMiddle(ink, size, left, top, side) {
    const [row, column] = [Math.floor(top + side / 2), Math.floor(left + side / 2)];
    const inside = row >= 0 && row < size && column >= 0 && column < size;
    return inside && ink[row * size + column] >= 0.5 ? 1 : 0;
  }

  /**
   * An image of 28 × 28 from a drawing of size × size, ink 0 to 1.
   * steps: scale, smooth and invert are true or false, centre is "mass", "box" or "none".
   */
  function prepare(ink, size, steps) {
    const found = measure(ink, size);
    const pixels = new Float32Array(FIELD * FIELD);
    if (found) {
      // Each pixel of the image looks at a square of the drawing, this long a side.
      const side = steps.scale ? Math.max(found.width, found.height) / BOX : size / FIELD;
      const [from, to] =
        steps.centre === "none"
          ? [found.box, found.box.map((place) => (place * FIELD) / size)] // where it was drawn
          : [found[steps.centre], [FIELD / 2, FIELD / 2]];
      const left = from[0] - to[0] * side;
      const top = from[1] - to[1] * side;
      const look = steps.smooth ? meanInk : inkInTheMiddle;
      for (let row = 0; row < FIELD; row++) {
        for (let column = 0; column < FIELD; column++) {
          pixels[row * FIELD + column] = look(ink, size, left + column * side, top + row * side, side);
        }
      }
    }
    return steps.invert ? pixels : pixels.map((x) => 1 - x);
  }

  /** The image at a place between pixels; paper outside. */
  function between(pixels, size, x, y) {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const at = (r, c) => (r >= 0 && r < size && c >= 0 && c < size ? pixels[r * size + c] : 0);
    const [right, down] = [x - column, y - row];
    return (
      (1 - down) * ((1 - right) * at(row, column) + right * at(row, column + 1)) +
      down * ((1 - right) * at(row + 1, column) + right * at(row + 1, column + 1))
    );
  }

  /** Thicker (each pixel as dark as its darkest neighbour) or thinner (as its lightest), in part. */
  function changeStroke(pixels, amount) {
    const extreme = amount > 0 ? Math.max : Math.min;
    const at = (r, c) => (r >= 0 && r < FIELD && c >= 0 && c < FIELD ? pixels[r * FIELD + c] : 0);
    return pixels.map((x, i) => {
      const [row, column] = [Math.floor(i / FIELD), i % FIELD];
      const most = extreme(x, at(row - 1, column), at(row + 1, column), at(row, column - 1), at(row, column + 1));
      return x + Math.abs(amount) * (most - x);
    });
  }

  /** Move an image right and down (pixels), turn it clockwise (degrees), thicken it (-1 to 1). */
  function nudge(pixels, { right = 0, down = 0, turn = 0, stroke = 0 }) {
    const angle = (turn * Math.PI) / 180;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const middle = (FIELD - 1) / 2;
    const moved = new Float32Array(FIELD * FIELD);
    for (let row = 0; row < FIELD; row++) {
      for (let column = 0; column < FIELD; column++) {
        const [x, y] = [column - middle - right, row - middle - down];
        moved[row * FIELD + column] = between(
          pixels, FIELD, cos * x + sin * y + middle, cos * y - sin * x + middle,
        );
      }
    }
    return stroke === 0 ? moved : changeStroke(moved, stroke);
  }

  /** Numbers from 0 to 1 that are the same for the same seed (the generator mulberry32). */
  function randomNumbers(seed) {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  /** A digit of MNIST as if somebody had drawn it: anywhere on the board and of any size. */
  function scatter(pixels, size, random) {
    const { box, width, height } = measure(pixels, FIELD) ?? { box: [14, 14], width: 20, height: 20 };
    const zoom = (size * (0.3 + 0.5 * random())) / Math.max(width, height);
    const place = (length) => (length * zoom) / 2 + random() * (size - length * zoom);
    const [x, y] = [place(width), place(height)];
    const ink = new Float32Array(size * size);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        ink[row * size + column] = between(
          pixels, FIELD, (column + 0.5 - x) / zoom + box[0] - 0.5, (row + 0.5 - y) / zoom + box[1] - 0.5,
        );
      }
    }
    return ink;
  }

  Object.assign(drawADigit, { FIELD, prepare, nudge, scatter, randomNumbers });
})();
