/** Nothing found: which filter is at fault, and one click that removes it. */

import { facets } from "./api.js";
import { byId, h, plural } from "./dom.js";
import { activeFilters, filterLines } from "./filterlines.js";
import { filtersChanged } from "./filters.js";
import { on, state } from "./state.js";

/** Filters that are tried one by one: each costs a count. */
const MOST = 8;

/** @type {AbortController | null} */
let counting = null;

/** @returns {typeof state.filters} */
function copy() {
  const { locarno, uspc, owners } = state.filters;
  return { ...state.filters, locarno: new Set(locarno), uspc: new Set(uspc), owners: new Set(owners) };
}

/** Count what each filter alone keeps away. */
async function explain() {
  counting?.abort();
  const active = activeFilters(state.filters).slice(0, MOST);
  if (state.hits.length || !state.asked || state.saved || !active.length) return;
  const mine = new AbortController();
  counting = mine;
  try {
    const all = await facets(filterLines(state.filters), mine.signal);
    // Patents that the filters leave, and that score too little: another reason.
    if (all.patents) return;
    const counts = await Promise.all(
      active.map(async (_, place) => {
        const without = copy();
        activeFilters(without)[place].remove();
        return (await facets(filterLines(without), mine.signal)).patents;
      }),
    );
    if (!mine.signal.aborted) show(active, counts);
  } catch {
    // The text without counts stays.
  }
}

/** @param {ReturnType<typeof activeFilters>} active @param {number[]} counts */
function show(active, counts) {
  const faults = active.map((filter, place) => ({ ...filter, patents: counts[place] })).filter(({ patents }) => patents);
  const buttons = faults.map(({ text, patents, remove }) => {
    const button = h("button", { type: "button", data: { testid: "at-fault" } }, `Remove “${text}”: ${plural(patents, "patent")}`);
    button.addEventListener("click", () => {
      remove();
      filtersChanged();
      byId("results-heading").scrollIntoView({ block: "nearest" });
    });
    return button;
  });
  const said = !faults.length ? "No patent matches the filters, whichever one is removed." : faults.length > 1 ? "The filters exclude one another: removing any of these gives results." : "This filter leaves nothing:";
  byId("empty").replaceChildren(h("p", { class: "lead" }, "Nothing found"), h("p", { class: "muted" }, said), h("div", { class: "row at-fault" }, ...buttons));
}

export function startNothing() {
  on("found", () => void explain());
}
