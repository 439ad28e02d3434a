/** Classes of one scheme as a tree of checkboxes with counts. Built once: counting never takes the focus away. */

import { h, icon } from "./dom.js";

/** @typedef {{code: string, title: string | null, count: number, children?: Node[]}} Node */

/**
 * One line of the tree.
 * @typedef {object} Row
 * @property {Node} node
 * @property {string} code
 * @property {string} text what it is found by
 * @property {Row | null} parent
 * @property {Row[]} children
 * @property {HTMLElement} item
 * @property {HTMLInputElement} box
 * @property {HTMLElement} counter
 * @property {HTMLElement | null} list
 * @property {HTMLButtonElement | null} opener
 */

export class ClassTree {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Row[]} */
  #tops = [];
  /** @type {Map<string, number>} */
  #counts = new Map();
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
    root.addEventListener("keydown", (event) => this.#move(event));
    root.addEventListener("focusin", (event) => {
      const row = [...this.#rows.values()].find(({ box }) => box === event.target);
      if (row) this.#enter(row);
    });
  }

  /** Said where nothing is found. @type {HTMLElement | null} */
  #missing = null;

  /** @param {Node[]} nodes */
  build(nodes) {
    this.#rows.clear();
    this.#tops = nodes.map((node) => this.#row(node, null));
    if (this.#tops.length) this.#root.replaceChildren(h("ul", {}, ...this.#tops.map((row) => row.item)));
    else this.#root.replaceChildren(h("p", { class: "muted small" }, "No patent here bears such a class."));
    this.#missing = h("p", { class: "muted small", hidden: true }, "No class here has this in its number or name. Try title words.");
    this.#root.append(this.#missing);
    this.refresh();
    this.#enter(this.#tops[0]);
  }

  /** @param {string} code @returns {string} "" where there is none */
  title(code) {
    const row = this.#tops.find((top) => top.code === code || (code.startsWith(top.code) && /^[-/]/.test(code.slice(top.code.length))));
    const node = row?.code === code ? row.node : row?.node.children?.find((child) => child.code === code);
    return node?.title ?? "";
  }

  /** New counts, in the tree as it is. @param {Node[]} nodes */
  count(nodes) {
    this.#counts = new Map(nodes.flatMap((n) => [[n.code, n.count], ...(n.children ?? []).map((c) => [c.code, c.count])]));
    for (const row of this.#rows.values()) this.#showCount(row);
  }

  /** @param {Row} row */
  #showCount(row) {
    const count = this.#counts.get(row.code) ?? 0;
    row.counter.textContent = count.toLocaleString("en");
    row.item.classList.toggle("none", count === 0);
  }

  /** Show what is chosen. */
  refresh() {
    for (const row of this.#rows.values()) {
      const covered = row.parent !== null && this.#chosen.has(row.parent.code);
      row.box.checked = covered || this.#chosen.has(row.code);
      row.box.disabled = covered;
      row.box.indeterminate = !row.box.checked && this.#hasChosenBelow(row.code);
    }
  }

  /** Show only what has a text in its code or title. @param {string} text */
  find(text) {
    const wanted = text.trim().toLowerCase();
    for (const top of this.#tops) {
      const itself = top.text.includes(wanted);
      if (wanted && !top.children.length) this.#fill(top);
      let below = false;
      for (const child of top.children) {
        const fits = child.text.includes(wanted);
        child.item.hidden = Boolean(wanted) && !itself && !fits;
        below ||= fits;
      }
      top.item.hidden = Boolean(wanted) && !itself && !below;
      if (top.opener) this.#open(top, Boolean(wanted) && below && !itself);
    }
    if (this.#missing) this.#missing.hidden = !this.#tops.length || this.#tops.some((top) => !top.item.hidden);
    this.#enter(this.#visible()[0]);
  }

  /** The rows that can be seen, from above. @returns {Row[]} */
  #visible() {
    const shown = (/** @type {Row} */ row) => !row.item.hidden;
    return this.#tops.filter(shown).flatMap((top) => [top, ...(top.list && !top.list.hidden ? top.children.filter(shown) : [])]);
  }

  /** Make a row the one that the Tab key reaches: the arrow keys move from there. @param {Row | undefined} row */
  #enter(row) {
    for (const other of this.#rows.values()) other.box.tabIndex = other === row ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const rows = this.#visible();
    const place = rows.findIndex((row) => row.box === document.activeElement);
    const row = rows[place];
    if (!row) return;
    const opened = row.opener?.getAttribute("aria-expanded") === "true";
    if (event.key === "ArrowRight" && row.opener && !opened) this.#open(row, true);
    else if (event.key === "ArrowLeft" && row.opener && opened) this.#open(row, false);
    else {
      const to = { ArrowDown: rows[place + 1], ArrowRight: rows[place + 1], ArrowUp: rows[place - 1], ArrowLeft: row.parent ?? rows[place - 1], Home: rows[0], End: rows.at(-1) }[event.key];
      if (!to) return;
      this.#enter(to);
      to.box.focus();
    }
    event.preventDefault();
  }

  /** @param {string} code */
  #hasChosenBelow(code) {
    return [...this.#chosen].some((chosen) => chosen.startsWith(code) && /^[-/]/.test(chosen.slice(code.length)));
  }

  /** @param {Node} node @param {Row | null} parent @returns {Row} */
  #row(node, parent) {
    const box = h("input", { type: "checkbox", tabindex: "-1", data: { code: node.code } });
    const counter = h("span", { class: "count" }, node.count.toLocaleString("en"));
    const title = node.title ? h("span", { class: "class-title" }, node.title) : null;
    const label = h("label", { title: node.title }, box, h("span", { class: "code" }, node.code), " ", title, " ", counter);
    const below = node.children ?? [];
    const opener = below.length
      ? h("button", { type: "button", class: "opener", tabindex: "-1", "aria-expanded": "false", "aria-label": `Classes below ${node.code}` }, icon("next"))
      : null;
    const list = below.length ? h("ul", { hidden: true }) : null;
    const item = h("li", {}, h("div", { class: "class-row" }, opener ?? h("span", { class: "opener" }), label), list);
    /** @type {Row} */
    const row = { node, code: node.code, text: `${node.code} ${node.title ?? ""}`.toLowerCase(), parent, children: [], item, box, counter, list, opener };
    this.#rows.set(node.code, row);
    this.#below.set(row, below);
    opener?.addEventListener("click", () => this.#open(row, opener.getAttribute("aria-expanded") !== "true"));
    box.addEventListener("change", () => this.#choose(row));
    return row;
  }

  /** Children that were not shown yet: a class may have a thousand. @type {Map<Row, Node[]>} */
  #below = new Map();

  /** @param {Row} row */
  #fill(row) {
    const nodes = this.#below.get(row) ?? [];
    if (row.children.length || !row.list) return;
    row.children = nodes.map((node) => this.#row(node, row));
    row.list.append(...row.children.map((child) => child.item));
    for (const child of row.children) this.#showCount(child);
    this.refresh();
  }

  /** @param {Row} row @param {boolean} open */
  #open(row, open) {
    if (open) this.#fill(row);
    if (row.list) row.list.hidden = !open;
    row.opener?.setAttribute("aria-expanded", String(open));
  }

  /** @param {Row} row */
  #choose(row) {
    if (row.box.checked) {
      // A class includes all classes below it.
      for (const code of [...this.#chosen]) if (/^[-/]/.test(code.slice(row.code.length)) && code.startsWith(row.code)) this.#chosen.delete(code);
      this.#chosen.add(row.code);
    } else this.#chosen.delete(row.code);
    this.refresh();
    this.#changed();
  }
}
