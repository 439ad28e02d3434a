/** A rectangle on a picture: dragged with a pointer, or moved and resized with the keyboard. In pixels of the picture. */

const SMALLEST = 8; // CSS pixels: a shorter drag is a click

/** @typedef {import("./state.js").Crop} Crop */

export class CropBox {
  /** @type {{width: number, height: number}} */
  #size = { width: 1, height: 1 };
  /** @type {Crop} */
  #at = { x: 0, y: 0, w: 1, h: 1 };
  #stage;
  #box;
  #changed;

  /**
   * @param {HTMLElement} stage what the picture fills
   * @param {HTMLElement} box
   * @param {() => void} changed
   */
  constructor(stage, box, changed) {
    this.#stage = stage;
    this.#box = box;
    this.#changed = changed;
    stage.addEventListener("pointerdown", (event) => this.#drag(event));
    box.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Begin with a picture. @param {{width: number, height: number}} size @param {Crop | null} crop */
  place(size, crop) {
    this.#size = size;
    this.#box.hidden = false;
    this.set(crop ?? { x: 0, y: 0, w: size.width, h: size.height });
  }

  whole() {
    this.set({ x: 0, y: 0, w: this.#size.width, h: this.#size.height });
  }

  /** @returns {Crop} */
  rectangle() {
    return { ...this.#at };
  }

  /** @returns {Crop | null} null for the whole picture */
  crop() {
    const { x, y, w, h } = this.#at;
    return x === 0 && y === 0 && w === this.#size.width && h === this.#size.height ? null : this.rectangle();
  }

  /** @param {Crop} to anything; it is brought inside the picture */
  set({ x, y, w, h }) {
    const { width, height } = this.#size;
    x = Math.round(Math.min(Math.max(0, x), width - 1));
    y = Math.round(Math.min(Math.max(0, y), height - 1));
    w = Math.round(Math.min(Math.max(1, w), width - x));
    h = Math.round(Math.min(Math.max(1, h), height - y));
    this.#at = { x, y, w, h };
    // In hundredths, so that the box stays right when the window is resized.
    Object.assign(this.#box.style, {
      left: `${(x / width) * 100}%`,
      top: `${(y / height) * 100}%`,
      width: `${(w / width) * 100}%`,
      height: `${(h / height) * 100}%`,
    });
    this.#changed();
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const on = this.#stage.getBoundingClientRect();
    const inside = (/** @type {number} */ v) => Math.min(1, Math.max(0, v));
    return {
      x: inside((event.clientX - on.left) / on.width) * this.#size.width,
      y: inside((event.clientY - on.top) / on.height) * this.#size.height,
    };
  }

  /** @param {PointerEvent} down */
  #drag(down) {
    if (down.button !== 0) return;
    const start = this.#point(down);
    const from = this.rectangle();
    const target = /** @type {HTMLElement} */ (down.target);
    const { handle } = target.dataset;
    // The whole picture has no part to move: a drag on it draws a new one.
    const moves = target === this.#box && this.crop() !== null;
    if (target === this.#box || handle) this.#box.focus({ preventScroll: true });
    down.preventDefault();
    this.#stage.setPointerCapture(down.pointerId);

    const move = (/** @type {PointerEvent} */ event) => {
      const now = this.#point(event);
      if (moves) {
        const x = Math.min(Math.max(0, from.x + now.x - start.x), this.#size.width - from.w);
        const y = Math.min(Math.max(0, from.y + now.y - start.y), this.#size.height - from.h);
        this.set({ ...from, x, y });
        return;
      }
      if (!handle && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < SMALLEST) return;
      const fixed = handle ? opposite(from, handle) : start;
      this.set(between(fixed, now));
    };
    const up = () => {
      this.#stage.removeEventListener("pointermove", move);
      this.#stage.removeEventListener("pointerup", up);
      this.#stage.removeEventListener("pointercancel", up);
    };
    this.#stage.addEventListener("pointermove", move);
    this.#stage.addEventListener("pointerup", up);
    this.#stage.addEventListener("pointercancel", up);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    const { width, height } = this.#size;
    const step = Math.max(1, Math.round(Math.max(width, height) * (event.ctrlKey ? 0.002 : 0.02)));
    const [dx, dy] = [by[0] * step, by[1] * step];
    const at = this.rectangle();
    if (event.shiftKey) this.set({ ...at, w: at.w + dx, h: at.h + dy });
    else {
      const x = Math.min(Math.max(0, at.x + dx), width - at.w);
      const y = Math.min(Math.max(0, at.y + dy), height - at.h);
      this.set({ ...at, x, y });
    }
  }
}

/** The corner that stays while another is dragged. @param {Crop} at @param {string} handle */
function opposite({ x, y, w, h }, handle) {
  return { x: handle.includes("w") ? x + w : x, y: handle.includes("n") ? y + h : y };
}

/** @param {{x: number, y: number}} a @param {{x: number, y: number}} b @returns {Crop} */
function between(a, b) {
  return { x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), w: Math.abs(a.x - b.x), h: Math.abs(a.y - b.y) };
}
