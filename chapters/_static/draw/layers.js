// How a layer looks, and how each of its numbers was made.
"use strict";

(() => {
  const { FIELD, samePadding } = drawADigit;

  // ---- pictures ----

  const largest = (values) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

  /** Blue for 1, red for -1, paper for 0, as in the book's figures; or ink for 1. */
  function colour(x, signed) {
    const pale = Math.round(255 * (1 - Math.min(1, Math.abs(x))));
    if (!signed) return [pale, pale, pale];
    return x > 0 ? [pale, pale, 255] : [255, pale, pale];
  }

  /** A picture of numbers, row after row; the largest is the darkest. */
  function paint(canvas, values, width, { signed = false, scale = largest(values) } = {}) {
    const height = values.length / width;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    values.forEach((value, i) => {
      image.data.set([...colour(value / (scale || 1), signed), 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
  }

  function cell(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  /** Three decimals, with a true minus. */
  const number = (x) => x.toFixed(3).replace("-", "−");

  /** Columns and rows in which a layer's numbers are shown. */
  function grid(output) {
    if (output.shape.length === 1) {
      const columns = 2 ** Math.ceil(Math.log2(output.shape[0]) / 2);
      return { columns, rows: Math.ceil(output.shape[0] / columns), side: 1 };
    }
    return { columns: 8, rows: output.shape[2] / 8, side: output.shape[0] };
  }

  /** Where in the output the number at a place of the picture is. */
  function indexAt(output, x, y) {
    const { columns, side } = grid(output);
    if (output.shape.length === 1) return y * columns + x;
    const map = Math.floor(y / side) * columns + Math.floor(x / side);
    return ((y % side) * side + (x % side)) * output.shape[2] + map;
  }

  function pictureOf(output, values = output.values) {
    const { columns, rows, side } = grid(output);
    const width = columns * side;
    return Array.from({ length: width * rows * side }, (_, i) =>
      values[indexAt(output, i % width, Math.floor(i / width))] ?? 0);
  }

  // ---- how one number was made ----

  /** Three small pictures: what came in, its weights, and their products. */
  function showProduct(place, what, inputs, weights, width) {
    const products = inputs.map((x, i) => x * weights[i]);
    const row = cell("div", "", { class: "draw-product" });
    for (const [name, values, signed] of [
      [what, inputs, false], ["× weights", weights, true], ["= products", products, true],
    ]) {
      const figure = document.createElement("figure");
      const canvas = cell("canvas", "", { "aria-hidden": "true" });
      paint(canvas, values, width, { signed });
      figure.append(cell("figcaption", name), canvas);
      row.append(figure);
    }
    place.append(row);
  }

  /** Numbers to read, on their colours. */
  function numbersTable(values, width, caption, signed = false) {
    const table = document.createElement("table");
    table.append(cell("caption", caption));
    const scale = 2 * largest(values) || 1; // half as dark, for the numbers stand on it
    for (let row = 0; row < values.length / width; row++) {
      const line = table.insertRow();
      for (const value of values.slice(row * width, (row + 1) * width)) {
        const data = line.insertCell();
        data.textContent = value.toFixed(2).replace("-", "−");
        data.style.backgroundColor = `rgb(${colour(value / scale, signed)})`;
      }
    }
    return table;
  }

  function explainConvolution(place, layer, input, output, index) {
    const filters = output.shape[2];
    const filter = index % filters;
    const [m, n] = [Math.floor(index / filters / output.shape[1]), Math.floor(index / filters) % output.shape[1]];
    const [size, , channels] = input.shape;
    const kernelSize = layer.weights.shape[0];
    const { before } = samePadding(size, kernelSize, layer.stride);
    const cut = (channel) => {
      const [patch, kernel] = [[], []];
      for (let u = 0; u < kernelSize; u++) {
        for (let v = 0; v < kernelSize; v++) {
          const [row, column] = [layer.stride * m + u - before, layer.stride * n + v - before];
          const inside = row >= 0 && row < size && column >= 0 && column < size;
          patch.push(inside ? input.values[(row * size + column) * channels + channel] : 0);
          kernel.push(layer.weights.values[((u * kernelSize + v) * channels + channel) * filters + filter]);
        }
      }
      return { channel, patch, kernel, sum: patch.reduce((sum, x, i) => sum + x * kernel[i], 0) };
    };
    const parts = Array.from({ length: channels }, (_, channel) => cut(channel));
    const total = parts.reduce((sum, part) => sum + part.sum, 0);
    const strongest = parts.reduce((best, part) => (Math.abs(part.sum) > Math.abs(best.sum) ? part : best));
    const bias = layer.biases.values[filter];
    const from = channels > 1 ? `the patch in channel ${strongest.channel}` : "the patch";
    place.append(cell("p", `Map ${filter}, row ${m}, column ${n}.`));
    const products = strongest.patch.map((x, i) => x * strongest.kernel[i]);
    const tables = cell("div", "", { class: "draw-numbers" });
    tables.append(
      numbersTable(strongest.patch, kernelSize, from),
      numbersTable(strongest.kernel, kernelSize, "× kernel", true),
      numbersTable(products, kernelSize, "= products", true),
    );
    place.append(tables);
    const others = channels > 1
      ? `These products add up to ${number(strongest.sum)}, the other ${channels - 1} channels bring ${number(total - strongest.sum)}. `
      : "";
    place.append(cell("p", `${others}Sum ${number(total)}, plus bias ${number(bias)}, is ${number(total + bias)}; after the ReLU ${number(Math.max(0, total + bias))}.`));
  }

  function explainPool(place, input, output, index) {
    const maps = output.shape[2];
    const map = index % maps;
    const [m, n] = [Math.floor(index / maps / output.shape[1]), Math.floor(index / maps) % output.shape[1]];
    const block = [0, 1].flatMap((u) => [0, 1].map((v) =>
      input.values[((2 * m + u) * input.shape[1] + 2 * n + v) * maps + map]));
    place.append(cell("p", `Map ${map}, row ${m}, column ${n}: the largest of these four is ${number(Math.max(...block))}.`));
    place.append(numbersTable(block, 2, "before pooling"));
  }

  function explainUnit(place, model, layer, input, output, unit) {
    const units = output.shape[0];
    const weights = Array.from(input.values, (_, i) => layer.weights.values[i * units + unit]);
    const sum = input.values.reduce((total, x, i) => total + x * weights[i], 0);
    const bias = layer.biases.values[unit];
    place.append(cell("p", `Unit ${unit}: sum ${number(sum)}, plus bias ${number(bias)}; after the ReLU ${number(output.values[unit])}.`));
    // The maps that reach a unit behind convolutions are laid side by side.
    const lay = (values) => (input.shape[2] === 1 ? Array.from(values) : pictureOf(input, values));
    const width = input.shape[2] === 1 ? FIELD : grid(input).columns * grid(input).side;
    showProduct(place, "input", lay(input.values), lay(weights), width);
    const last = model.layers.at(-1).weights.values;
    const said = Array.from({ length: 10 }, (_, digit) => output.values[unit] * last[10 * unit + digit]);
    const order = [...said.keys()].sort((a, b) => said[b] - said[a]);
    place.append(cell("p", output.values[unit] === 0
      ? "It is off, and votes for nothing."
      : `It votes most for ${order[0]} (${number(said[order[0]])}) and most against ${order[9]} (${number(said[order[9]])}).`));
  }

  function explainVote(place, model, answer, index, digit) {
    const input = answer.outputs.at(-2);
    const { weights, biases } = model.layers.at(-1);
    const weight = weights.values[10 * index + digit];
    const from = input.shape.length === 3
      ? `Pixel in row ${Math.floor(index / FIELD)}, column ${index % FIELD}` : `Unit ${index}`;
    place.append(cell("p", `${from}: ${number(input.values[index])} × weight ${number(weight)} = ${number(input.values[index] * weight)} for a ${digit}. With all others and bias ${number(biases.values[digit])} the logit is ${number(answer.logits[digit])}.`));
  }

  /** Say how the number at a place of a layer's picture was made; the last layer votes for a digit. */
  function explain(place, model, answer, index, at, digit) {
    const layer = model.layers[index];
    const [input, output] = [answer.outputs[index], answer.outputs[index + 1]];
    place.replaceChildren();
    if (layer.op === "dense" && !layer.relu) {
      const width = input.shape.length === 3 ? FIELD : grid(input).columns;
      return explainVote(place, model, answer, at.y * width + at.x, digit);
    }
    const position = indexAt(output, at.x, at.y);
    if (layer.op === "conv") explainConvolution(place, layer, input, output, position);
    else if (layer.op === "pool") explainPool(place, input, output, position);
    else explainUnit(place, model, layer, input, output, position);
  }

  Object.assign(drawADigit, { cell, explain, grid, paint, pictureOf });
})();
