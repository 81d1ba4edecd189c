// A board to draw on, with the mouse, a pen, a finger or the keyboard.
"use strict";

(() => {
  const SIZE = 280; // pixels of the board, both ways
  const KEY_STEP = 10; // pixels of the board that an arrow key moves the pen by

  // Lines of points from 0 to 100, drawn one after the other.
  const EXAMPLES = {
    0: [[50, 15, 28, 30, 24, 55, 34, 80, 52, 86, 70, 74, 76, 48, 68, 24, 50, 15]],
    1: [[40, 28, 54, 15, 52, 86]],
    2: [[28, 32, 38, 18, 58, 17, 68, 32, 60, 50, 28, 84, 74, 83]],
    3: [[30, 20, 60, 18, 68, 32, 48, 48, 68, 60, 66, 78, 48, 86, 28, 78]],
    4: [[36, 16, 28, 54, 74, 52], [64, 18, 60, 88]],
    5: [[70, 16, 36, 18, 32, 46, 58, 46, 68, 62, 60, 80, 30, 84]],
    6: [[62, 14, 38, 38, 30, 66, 42, 84, 62, 80, 66, 62, 50, 54, 32, 66]],
    7: [[26, 20, 72, 18, 58, 48, 46, 86]],
    8: [[66, 26, 48, 15, 34, 28, 62, 58, 60, 80, 44, 86, 32, 74, 38, 58, 66, 26]],
    9: [[66, 32, 52, 17, 34, 26, 36, 44, 54, 46, 66, 32, 62, 60, 54, 86]],
    "the letter A": [[26, 86, 50, 14, 74, 86], [35, 60, 65, 60]],
    "the letter X": [[26, 16, 74, 86], [74, 16, 26, 86]],
    "a scribble": [[20, 60, 34, 20, 40, 76, 52, 24, 58, 80, 70, 30, 76, 70, 30, 44, 80, 52]],
    nothing: [],
  };
  const UNDO = 20; // strokes that can be taken back
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const PRIMARY = 1; // of the buttons that are down: the left one, a pen's tip, a finger
  const within = (place) => Math.min(SIZE, Math.max(0, place));
  const yours = () => ({ source: "Your drawing.", placed: false });

  /** Leave ink along a line. A pixel that the pen's edge crosses is dark in part. */
  function line(ink, width, fromX, fromY, toX, toY) {
    const reach = width / 2;
    const [right, down] = [toX - fromX, toY - fromY];
    const squared = right * right + down * down;
    const first = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach - 1));
    const end = (a, b) => Math.min(SIZE, Math.ceil(Math.max(a, b) + reach + 1));
    for (let row = first(fromY, toY); row < end(fromY, toY); row++) {
      for (let column = first(fromX, toX); column < end(fromX, toX); column++) {
        const [x, y] = [column + 0.5 - fromX, row + 0.5 - fromY];
        const along = squared && Math.min(1, Math.max(0, (x * right + y * down) / squared));
        const distance = Math.hypot(x - along * right, y - along * down);
        const dark = Math.min(1, Math.max(0, reach + 0.5 - distance));
        const i = row * SIZE + column;
        ink[i] = Math.max(ink[i], dark);
      }
    }
  }

  /**
   * A canvas that can be drawn on. `mark` is the element that shows where the keyboard's pen is,
   * `penWidth` says how wide it draws, `say` tells a screen reader what a key did, and `changed`
   * is called after every change. Of what is made:
   *   ink    what is on the board, row after row, 0 (paper) to 1
   *   about  what that is: its `source` in a sentence, whether the page `placed` it there and not
   *          the reader, and whatever else the page notes of it
   */
  function makeBoard(canvas, { mark, penWidth, say, changed }) {
    const paper = canvas.getContext("2d");
    const pen = { x: 140, y: 140, down: false };
    const earlier = []; // the board before each stroke
    const board = { ink: new Float32Array(SIZE * SIZE), about: yours() };
    const draw = (...places) => line(board.ink, penWidth(), ...places);

    /** Show the ink. Nothing is ever read from the canvas: some browsers put noise there. */
    board.show = () => {
      const image = paper.createImageData(SIZE, SIZE);
      board.ink.forEach((x, i) => {
        image.data.fill(Math.round(255 * (1 - x)), 4 * i, 4 * i + 3);
        image.data[4 * i + 3] = 255; // paper, too, has its own colour, whatever the theme's is
      });
      paper.putImageData(image, 0, 0);
    };

    /** Keep the board as it is, for `undo`. What the page had put there makes room. */
    board.beginStroke = () => {
      lift();
      earlier.push({ ink: board.ink.slice(), about: board.about });
      if (earlier.length > UNDO) earlier.shift();
      if (board.about.placed) wipe();
    };

    board.undo = () => {
      const before = earlier.pop();
      lift();
      if (!before) return;
      Object.assign(board, before);
      changed();
    };

    function wipe() {
      board.about = yours();
      board.ink.fill(0);
    }

    board.clear = () => {
      board.beginStroke();
      wipe();
      changed();
    };

    /** Put something on the board in place of what is there. */
    board.put = (ink, about) => {
      board.beginStroke();
      board.ink = ink;
      board.about = { ...about, placed: true };
      changed();
    };

    board.drawExample = (name) => {
      const ink = new Float32Array(SIZE * SIZE);
      for (const points of EXAMPLES[name]) {
        for (let i = 2; i < points.length; i += 2) {
          line(ink, penWidth(), ...points.slice(i - 2, i + 2).map((part) => (part * SIZE) / 100));
        }
      }
      board.put(ink, { source: `An example: ${name}.` });
    };

    board.forget = () => {
      earlier.length = 0;
    };

    // ---- the pointer ----

    function placeOf(event) {
      const frame = canvas.getBoundingClientRect();
      return [
        ((event.clientX - frame.left - canvas.clientLeft) * SIZE) / canvas.clientWidth,
        ((event.clientY - frame.top - canvas.clientTop) * SIZE) / canvas.clientHeight,
      ];
    }

    let stroke = null; // the pointer that draws, and where it was last: { pointer, place }
    const draws = (event) => stroke?.pointer === event.pointerId;

    canvas.addEventListener("pointerdown", (event) => {
      // Not a second finger, nor another button; with Ctrl it is a Mac's right click.
      if (stroke || event.button !== 0 || event.ctrlKey) return;
      canvas.setPointerCapture(event.pointerId);
      board.beginStroke();
      const place = placeOf(event);
      stroke = { pointer: event.pointerId, place };
      draw(...place, ...place);
      changed();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!draws(event)) return;
      if (!(event.buttons & PRIMARY)) {
        stroke = null; // let go while another button was down, or where we could not see it
        return;
      }
      const here = placeOf(event);
      draw(...stroke.place, ...here);
      stroke.place = here;
      changed();
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => {
        if (draws(event)) stroke = null;
      });
    }
    canvas.addEventListener("contextmenu", (event) => {
      if (stroke) event.preventDefault(); // a finger that rests, or both buttons
    });

    // ---- the keyboard ----

    canvas.addEventListener("keydown", (event) => {
      if (event.key in ARROWS) {
        if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own, such as "back"
        const [right, down] = ARROWS[event.key];
        const [x, y] = [within(pen.x + right * KEY_STEP), within(pen.y + down * KEY_STEP)];
        if (pen.down) draw(pen.x, pen.y, x, y);
        Object.assign(pen, { x, y });
        say(`column ${x / KEY_STEP}, row ${y / KEY_STEP}${pen.down ? ", drawing" : ""}`);
        if (!pen.down) {
          event.preventDefault();
          return showPen();
        }
      } else if (event.key === " " || event.key === "Enter") {
        if (event.repeat) return event.preventDefault(); // it is held
        if (pen.down) lift();
        else {
          board.beginStroke();
          pen.down = true;
          draw(pen.x, pen.y, pen.x, pen.y);
        }
        say(pen.down ? "Pen down." : "Pen up.");
      } else if (event.key === "Delete" || event.key === "Backspace") {
        board.clear();
        say("Cleared.");
      } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
        board.undo();
        say("Undone.");
      } else return;
      event.preventDefault(); // the page must not scroll
      showPen();
      changed();
    });

    canvas.addEventListener("blur", lift);

    /** The keyboard's pen draws no more. */
    function lift() {
      pen.down = false;
      showPen();
    }

    function showPen() {
      mark.style.left = `${(100 * pen.x) / SIZE}%`;
      mark.style.top = `${(100 * pen.y) / SIZE}%`;
      mark.classList.toggle("down", pen.down);
    }

    showPen();
    return board;
  }

  Object.assign(drawADigit, { ARROWS, BOARD: SIZE, makeBoard });
})();
