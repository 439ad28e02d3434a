/** After a search: the classes that several results share, each a filter by one click. */

import { byId, h } from "./dom.js";
import { classTitle, filtersChanged } from "./filters.js";
import { on, state } from "./state.js";

const MOST = 5;
/** A class of one result alone is not common. */
const LEAST = 2;
const SCHEMES = /** @type {const} */ ({ uspc: "US", locarno: "Locarno" });
const OF_CLASSES = /(^| and )\s*(class|cpc|ipc|locarno|uspc)\s*!?=/i;

/** @typedef {{scheme: "uspc" | "locarno", code: string, main: string, count: number}} Common */

/**
 * The most common classes, main classes and those below them. A main class that is not more common than one below
 * it says less and is left out.
 * @param {{classes: Record<string, string[]>}[]} hits
 * @returns {Common[]} most common first
 */
export function commonClasses(hits) {
  /** @type {Map<string, Common>} */
  const counts = new Map();
  for (const { classes } of hits) {
    for (const scheme of /** @type {const} */ (["uspc", "locarno"])) {
      const codes = classes[scheme] ?? [];
      const mains = codes.map((code) => code.split(/[-/]/)[0]);
      for (const code of new Set([...codes, ...mains])) {
        const key = `${scheme} ${code}`;
        const one = counts.get(key) ?? { scheme, code, main: code.split(/[-/]/)[0], count: 0 };
        counts.set(key, { ...one, count: one.count + 1 });
      }
    }
  }
  const all = [...counts.values()].filter(({ count }) => count >= LEAST);
  const exact = (/** @type {Common} */ one) => one.code !== one.main || !all.some((other) => other.scheme === one.scheme && other.main === one.code && other.code !== one.code && other.count === one.count);
  return all.filter(exact).sort((a, b) => b.count - a.count).slice(0, MOST);
}

function show() {
  const { locarno, uspc, expert } = state.filters;
  const filtered = locarno.size > 0 || uspc.size > 0 || expert.some((line) => OF_CLASSES.test(line));
  const common = !state.asked || state.saved || filtered ? [] : commonClasses(state.hits);
  byId("suggested").hidden = !common.length;
  byId("suggested-classes").replaceChildren(...common.map(chip));
}

/** @param {Common} one */
function chip({ scheme, code, count }) {
  const title = classTitle(scheme, code);
  const name = `${SCHEMES[scheme]} ${code}`;
  const button = h(
    "button",
    { type: "button", title, "aria-label": `Only ${[name, title].filter(Boolean).join(", ")}: ${count} of these results`, data: { testid: "suggested-class", scheme, code } },
    h("span", { class: "code" }, name),
    title && h("span", { class: "class-title" }, title),
    h("span", { class: "count" }, String(count)),
  );
  button.addEventListener("click", () => {
    state.filters[scheme].add(code);
    filtersChanged();
    byId("results").focus({ preventScroll: true }); // the button is gone
  });
  return button;
}

export function startSuggestions() {
  for (const name of ["found", "appended", "started", "filters"]) on(name, show);
}
