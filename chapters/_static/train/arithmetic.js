// The one piece of arithmetic in which training spends its time, `addRows` of network.js, in
// WebAssembly: a sum of rows is kept in registers, sixteen columns at a time, four in each.
// With it a step takes one to two times as long as TensorFlow's (`python -m bench.browser`).
"use strict";

/** All of it in one function, from whose own text a worker is made. Each call has a memory of its own. */
function fastArithmetic(plain) {
  const PAGES = 640; // of 64 kB; a browser takes none before something is written there
  const BEYOND = 64; // bytes after the last array: up to fifteen columns are read that are not there

  // Instructions as WebAssembly names them, and their bytes.
  const INSTRUCTIONS = {
    "block": [0x02, 0x40],
    "loop": [0x03, 0x40],
    "end": [0x0b],
    "br_if": [0x0d],
    "local.get": [0x20],
    "local.set": [0x21],
    "i32.load": [0x28, 2],
    "i32.const": [0x41],
    "i32.eqz": [0x45],
    "i32.lt_u": [0x49],
    "i32.gt_s": [0x4a],
    "i32.add": [0x6a],
    "i32.sub": [0x6b],
    "i32.mul": [0x6c],
    "v128.load": [0xfd, 0x00, 2],
    "v128.load32_splat": [0xfd, 0x09, 2],
    "v128.store": [0xfd, 0x0b, 2],
    "v128.const": [0xfd, 0x0c],
    "i32x4.splat": [0xfd, 0x11],
    "f32x4.splat": [0xfd, 0x13],
    "i32x4.lt_s": [0xfd, 0x39],
    "v128.bitselect": [0xfd, 0x52],
    "f32x4.add": [0xfd, 0xe4, 0x01],
    "f32x4.mul": [0xfd, 0xe6, 0x01],
  };
  const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
  const PARAMETERS = { $to: I32, $columns: I32, $from: I32, $rows: I32, $times: I32, $length: I32, $scale: F32 };
  const LOCALS = { $width: I32, $k: I32, $row: I32, $x: V128, $sum0: V128, $sum1: V128, $sum2: V128, $sum3: V128 };

  /** Source for each four of the sixteen columns. */
  const four = (source) => [0, 1, 2, 3].map(source).join("\n");

  // Places and lengths are in bytes, of which each number has four.
  const SOURCE = `
    local.get $columns  i32.const 4  i32.mul  local.set $width
    loop                                            ;; for sixteen columns
      ${four((n) => `v128.const 0,0,0,0  local.set $sum${n}`)}
      i32.const 0  local.set $k
      block
        local.get $length  i32.eqz  br_if 0         ;; the list is empty
        loop                                        ;; for a row of the list
          local.get $rows  local.get $k  i32.add  i32.load 0
          local.get $width  i32.mul  local.get $from  i32.add  local.set $row
          local.get $times  local.get $k  i32.add  v128.load32_splat 0  local.set $x
          ${four((n) => `
            local.get $row  v128.load ${16 * n}  local.get $x  f32x4.mul
            local.get $sum${n}  f32x4.add  local.set $sum${n}`)}
          local.get $k  i32.const 4  i32.add  local.set $k
          local.get $k  local.get $length  i32.lt_u  br_if 0
        end
      end
      ${four((n) => `
        local.get $to                               ;; goes there:
        local.get $to  v128.load ${16 * n}
        local.get $sum${n}  local.get $scale  f32x4.splat  f32x4.mul  f32x4.add
        local.get $to  v128.load ${16 * n}          ;; or what was there, where no column is
        v128.const ${[0, 1, 2, 3].map((i) => 4 * n + i)}  local.get $columns  i32x4.splat  i32x4.lt_s
        v128.bitselect  v128.store ${16 * n}`)}
      local.get $to  i32.const 64  i32.add  local.set $to
      local.get $from  i32.const 64  i32.add  local.set $from
      local.get $columns  i32.const 16  i32.sub  local.set $columns
      local.get $columns  i32.const 0  i32.gt_s  br_if 0
    end`;

  // ---- from source to bytes ----

  /** A whole number in as few bytes as it needs, seven bits in each ("LEB128"). */
  function leb(value) {
    const rest = value >> 7;
    const isLast = rest === 0 && !(value & 64); // a sixth bit would be a sign
    return isLast ? [value] : [(value & 127) | 128, ...leb(rest)];
  }
  const sized = (bytes) => [...leb(bytes.length), ...bytes];
  const section = (id, ...items) => [id, ...sized([items.length, ...items.flat()])];
  const named = (text) => sized(Array.from(text, (letter) => letter.charCodeAt(0)));

  function assembled(source) {
    const locals = Object.keys({ ...PARAMETERS, ...LOCALS });
    return source.replace(/;;.*/g, "").trim().split(/\s+/).flatMap((word) => {
      if (word in INSTRUCTIONS) return INSTRUCTIONS[word];
      if (word.startsWith("$")) return locals.indexOf(word);
      if (word.includes(",")) return Array.from(new Uint8Array(Int32Array.from(word.split(",")).buffer));
      return leb(Number(word));
    });
  }

  function compiled(memory) {
    const types = Object.values(LOCALS).flatMap((type) => [1, type]);
    const code = [types.length / 2, ...types, ...assembled(SOURCE), 0x0b];
    const bytes = [
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // WebAssembly, version 1
      ...section(1, [0x60, ...sized(Object.values(PARAMETERS)), 0]), // a type, which returns nothing
      ...section(2, [...named("js"), ...named("memory"), 2, 0, 1]),
      ...section(3, [0]), // one function, of that type
      ...section(7, [...named("addRows"), 0, 0]),
      ...section(10, sized(code)),
    ];
    const module = new WebAssembly.Module(Uint8Array.from(bytes));
    return new WebAssembly.Instance(module, { js: { memory } }).exports.addRows;
  }

  let [memory, kernel] = [null, null];
  try {
    memory = new WebAssembly.Memory({ initial: PAGES });
    kernel = compiled(memory);
  } catch {
    return { ...plain, isFast: false }; // a browser of before 2023, or a policy that has none of it
  }

  let used = 0;
  /** The place of so many numbers in the memory that the kernel sees. */
  function place(size) {
    const start = used;
    used += 16 * Math.ceil(size / 4);
    if (used > memory.buffer.byteLength - BEYOND) throw new RangeError("The network has no room.");
    return [memory.buffer, start, size];
  }

  function addRows(to, toStart, columns, from, { rows, times, first, length }, scale) {
    kernel(to.byteOffset + 4 * toStart, columns, from.byteOffset, rows.byteOffset + 4 * first,
      times.byteOffset + 4 * first, 4 * length, scale);
  }

  return {
    addRows,
    isFast: true,
    floats: (size) => new Float32Array(...place(size)),
    wholes: (size) => new Int32Array(...place(size)),
  };
}

Object.assign(trainHere, { fastArithmetic });
