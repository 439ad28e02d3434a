/** Patents granted by year, as bars: click one, drag over several, or use arrow keys and Shift+Enter. */

import { h, plural } from "./dom.js";

/** @typedef {{year: number, count: number}} YearCount */

export class Years {
  /** @type {HTMLButtonElement[]} */
  #bars = [];
  #first = 0;
  /** The bar that a range begins at. */
  #anchor = 0;
  #root;
  #filters;
  #changed;

  /**
   * @param {HTMLElement} root
   * @param {{from: string, to: string}} filters
   * @param {() => void} changed
   */
  constructor(root, filters, changed) {
    this.#root = root;
    this.#filters = filters;
    this.#changed = changed;
    root.addEventListener("pointerdown", (event) => this.#drag(event));
    root.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {YearCount[]} counts */
  build(counts) {
    this.#bars = [];
    if (!counts.length) {
      this.#root.replaceChildren(h("p", { class: "muted small" }, "No dates are known here."));
      return;
    }
    this.#first = counts[0].year;
    const last = counts[counts.length - 1].year;
    for (let year = this.#first; year <= last; year += 1) {
      const bar = h("button", { type: "button", class: "year", tabindex: year === this.#first ? "0" : "-1", "aria-pressed": "false", data: { year } }, h("span", { class: "bar" }));
      this.#bars.push(bar);
    }
    const labels = h("div", { class: "year-labels", "aria-hidden": "true" }, h("span", {}, String(this.#first)), last > this.#first && h("span", {}, String(last)));
    this.#root.replaceChildren(h("div", { class: "bars" }, ...this.#bars), labels);
    this.count(counts);
  }

  /** @param {YearCount[]} counts */
  count(counts) {
    const byYear = new Map(counts.map(({ year, count }) => [year, count]));
    const most = Math.max(1, ...byYear.values());
    this.#bars.forEach((bar, place) => {
      const year = this.#first + place;
      const count = byYear.get(year) ?? 0;
      // A year with a single patent is still visible next to one with thousands.
      const height = count ? Math.max(6, (count / most) * 100) : 0;
      /** @type {HTMLElement} */ (bar.firstElementChild).style.height = `${height}%`;
      const text = `${year}: ${plural(count, "patent")}`;
      bar.setAttribute("aria-label", text);
      bar.title = text;
    });
    this.refresh();
  }

  /** Show which years are chosen. */
  refresh() {
    const { from, to } = this.#filters;
    const any = Boolean(from || to);
    this.#bars.forEach((bar, place) => {
      const year = String(this.#first + place);
      const inside = any && (!from || `${year}-12-31` >= from) && (!to || `${year}-01-01` <= to);
      bar.setAttribute("aria-pressed", String(inside));
    });
    this.#root.classList.toggle("chosen", any);
  }

  /** @param {number} a @param {number} b @param {boolean} done */
  #choose(a, b, done) {
    const [first, last] = a < b ? [a, b] : [b, a];
    Object.assign(this.#filters, { from: `${this.#first + first}-01-01`, to: `${this.#first + last}-12-31` });
    this.refresh();
    if (done) this.#changed();
  }

  /** Whether one year alone is chosen: choosing it again takes it away. @param {number} place */
  #isAlone(place) {
    const year = this.#first + place;
    return this.#filters.from === `${year}-01-01` && this.#filters.to === `${year}-12-31`;
  }

  #clear() {
    Object.assign(this.#filters, { from: "", to: "" });
    this.refresh();
    this.#changed();
  }

  /** @param {number} clientX */
  #placeAt(clientX) {
    const bars = /** @type {HTMLElement} */ (this.#root.firstElementChild).getBoundingClientRect();
    const place = Math.floor(((clientX - bars.left) / bars.width) * this.#bars.length);
    return Math.min(this.#bars.length - 1, Math.max(0, place));
  }

  /** @param {PointerEvent} down */
  #drag(down) {
    if (!this.#bars.length || down.button !== 0) return;
    const start = this.#placeAt(down.clientX);
    const alone = this.#isAlone(start);
    let end = start;
    this.#focus(start);
    this.#anchor = start;
    down.preventDefault();
    this.#root.setPointerCapture(down.pointerId);
    if (!alone) this.#choose(start, start, false);
    const move = (/** @type {PointerEvent} */ event) => {
      end = this.#placeAt(event.clientX);
      if (end !== start || !alone) this.#choose(start, end, false);
    };
    const up = () => {
      this.#root.removeEventListener("pointermove", move);
      if (alone && end === start) this.#clear();
      else this.#choose(start, end, true);
    };
    this.#root.addEventListener("pointermove", move);
    this.#root.addEventListener("pointerup", up, { once: true });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const place = this.#bars.indexOf(/** @type {any} */ (event.target));
    if (place < 0) return;
    const last = this.#bars.length - 1;
    const to = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: last }[event.key];
    if (to !== undefined) this.#focus(Math.min(last, Math.max(0, to)));
    else if (event.key === "Enter" || event.key === " ") {
      if (event.shiftKey) this.#choose(this.#anchor, place, true);
      else if (this.#isAlone(place)) this.#clear();
      else {
        this.#anchor = place;
        this.#choose(place, place, true);
      }
    } else return;
    event.preventDefault();
  }

  /** @param {number} place */
  #focus(place) {
    this.#bars.forEach((bar, i) => (bar.tabIndex = i === place ? 0 : -1));
    this.#bars[place].focus({ preventScroll: true });
  }
}
