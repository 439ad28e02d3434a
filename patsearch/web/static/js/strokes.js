/** What was drawn, step by step, so that it can be undone: pure data and painting, no page. */

/**
 * @typedef {object} Stroke
 * @property {"pen" | "line" | "eraser" | "clear"} tool
 * @property {number} width
 * @property {boolean} mirror
 * @property {[number, number][]} points in pixels of the sheet
 */

export class Strokes {
  /** @type {Stroke[]} */
  #done = [];
  /** @type {Stroke[]} */
  #undone = [];

  /** @param {Stroke[]} [done] what was drawn before */
  constructor(done = []) {
    this.#done = [...done];
  }

  /** @param {Stroke} stroke */
  add(stroke) {
    this.#done.push(stroke);
    this.#undone = [];
  }

  undo() {
    const last = this.#done.pop();
    if (last) this.#undone.push(last);
  }

  redo() {
    const last = this.#undone.pop();
    if (last) this.#done.push(last);
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** Every step that was not undone. */
  get all() {
    return [...this.#done];
  }

  /** What is on the sheet: all since it was last cleared. */
  get visible() {
    return this.#done.slice(this.#done.findLastIndex((s) => s.tool === "clear") + 1);
  }

  /** Whether nothing was drawn; what was drawn and erased again counts as drawn. */
  get isEmpty() {
    return !this.visible.some((s) => s.tool !== "eraser");
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Stroke} stroke
 * @param {number} sheetWidth
 */
export function paintStroke(pen, stroke, sheetWidth) {
  pen.save();
  pen.lineCap = "round";
  pen.lineJoin = "round";
  pen.lineWidth = stroke.tool === "eraser" ? stroke.width * 4 : stroke.width;
  pen.strokeStyle = stroke.tool === "eraser" ? "#fff" : "#111";
  trace(pen, stroke);
  if (stroke.mirror) {
    pen.translate(sheetWidth, 0);
    pen.scale(-1, 1);
    trace(pen, stroke);
  }
  pen.restore();
}

/** @param {CanvasRenderingContext2D} pen @param {Stroke} stroke */
function trace(pen, { tool, points }) {
  const [first, ...rest] = points;
  if (!first) return;
  pen.beginPath();
  pen.moveTo(...first);
  if (!rest.length) pen.lineTo(first[0] + 0.01, first[1]); // a dot
  else if (tool === "line") pen.lineTo(...points[points.length - 1]);
  else smooth(pen, points);
  pen.stroke();
}

/** Through the middles between points, which takes the corners out of a fast hand. */
function smooth(/** @type {CanvasRenderingContext2D} */ pen, /** @type {[number, number][]} */ points) {
  for (let i = 1; i < points.length - 1; i += 1) {
    const [x, y] = points[i];
    const [nextX, nextY] = points[i + 1];
    pen.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  pen.lineTo(...points[points.length - 1]);
}
