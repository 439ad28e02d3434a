/** Owners as checkboxes with counts. Those that are chosen are always shown, first. */

import { h } from "./dom.js";

/** @typedef {{owner: string, count: number}} OwnerCount */
/** @typedef {{item: HTMLElement, box: HTMLInputElement, counter: HTMLElement}} Row */

const SHOWN = 8;

export class Owners {
  /** Rows by the owner's name. @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {OwnerCount[]} */
  #counts = [];
  #total = 0;
  #all = false;
  #list = h("ul", { class: "owner-list" });
  #more = h("button", { type: "button", class: "quiet small", data: { testid: "more-owners" } });
  #root;
  #chosen;
  #changed;

  /**
   * @param {HTMLElement} root
   * @param {Set<string>} chosen of the state
   * @param {() => void} changed
   */
  constructor(root, chosen, changed) {
    this.#root = root;
    this.#chosen = chosen;
    this.#changed = changed;
    this.#more.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#render();
    });
  }

  /** @param {OwnerCount[]} counts those with the most patents @param {number} total of all owners */
  count(counts, total) {
    this.#counts = counts;
    this.#total = total;
    this.#render();
  }

  /** Show what is chosen. */
  refresh() {
    for (const [owner, { box }] of this.#rows) box.checked = this.#chosen.has(owner);
    this.#render();
  }

  #render() {
    const counts = new Map(this.#counts.map(({ owner, count }) => [owner, count]));
    const owners = [...new Set([...this.#chosen, ...counts.keys()])];
    if (!owners.length) {
      this.#root.replaceChildren(h("p", { class: "muted small" }, "No owners are known here."));
      return;
    }
    for (const owner of owners) if (!this.#rows.has(owner)) this.#rows.set(owner, this.#row(owner));
    for (const [owner, row] of this.#rows) {
      const count = counts.get(owner) ?? 0;
      row.counter.textContent = count.toLocaleString("en");
      row.item.classList.toggle("none", count === 0);
    }
    const shown = this.#all ? owners : owners.slice(0, Math.max(SHOWN, this.#chosen.size));
    // Counting never takes the focus away: the order changes when the list is left.
    if (!this.#list.contains(document.activeElement)) this.#list.replaceChildren(...shown.map((owner) => /** @type {Row} */ (this.#rows.get(owner)).item));
    const rest = this.#total - this.#counts.length;
    this.#more.textContent = this.#all ? "Show fewer" : `Show ${owners.length - shown.length} more`;
    this.#more.hidden = !this.#all && owners.length <= shown.length;
    const note = this.#all && rest > 0 ? h("p", { class: "muted small" }, `and ${rest.toLocaleString("en")} more: type words of a name`) : null;
    const parts = [this.#list, this.#more, note].filter(Boolean);
    if (parts.some((part, place) => this.#root.children[place] !== part) || this.#root.children.length !== parts.length) this.#root.replaceChildren(.../** @type {Node[]} */ (parts));
  }

  /** @param {string} owner @returns {Row} */
  #row(owner) {
    const box = h("input", { type: "checkbox", data: { owner } });
    box.checked = this.#chosen.has(owner);
    const counter = h("span", { class: "count" });
    const label = h("label", { title: owner }, box, h("span", { class: "owner-name" }, owner), " ", counter);
    box.addEventListener("change", () => {
      if (box.checked) this.#chosen.add(owner);
      else this.#chosen.delete(owner);
      this.#changed();
    });
    return { item: h("li", {}, label), box, counter };
  }
}
