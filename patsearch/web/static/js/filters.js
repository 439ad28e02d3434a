/** The filter panel: what is chosen goes to the state, and what the server counts comes back. */

import { ApiError, facets } from "./api.js";
import { ClassTree } from "./classtree.js";
import { byId, debounce, h, icon, plural } from "./dom.js";
import { activeFilters, filterLines, setFilters } from "./filterlines.js";
import { showError } from "./notes.js";
import { Owners } from "./owners.js";
import { leaveMarks, searchIfShown } from "./search.js";
import { emit, on, state } from "./state.js";
import { Years } from "./years.js";

const { filters } = state;
/** @type {{locarno: ClassTree, uspc: ClassTree}} */
let trees;
/** @type {Years} */
let years;
/** @type {Owners} */
let owners;
/** The server's today, on which the switch counts. */
let today = "";
/** The kinds of document in this index that are designs, as of a condition. */
let designKinds = "";
/** Patents without a date that pass all other filters. */
let undated = 0;
/** @type {AbortController | null} */
let counting = null;

const countSoon = debounce(() => void count(), 120);
const searchSoon = debounce(searchIfShown, 250);

/** A filter was changed: show it, count again, and repeat the search. */
export function filtersChanged() {
  emit("filters");
  countSoon();
  searchSoon();
}

/** Count what the filters select. Each part is counted without itself, to show what it could be instead. */
async function count() {
  counting?.abort();
  const mine = new AbortController();
  counting = mine;
  /** @type {Map<string, Promise<any>>} the same lines are requested once */
  const asked = new Map();
  const ask = (/** @type {any} */ without) => {
    const lines = filterLines(filters, without);
    const key = JSON.stringify(lines);
    if (!asked.has(key)) asked.set(key, facets(lines, mine.signal));
    return asked.get(key);
  };
  try {
    const [all, locarno, uspc, granted, owner, inForce, kind] = await Promise.all([ask(null), ask("locarno"), ask("uspc"), ask("granted"), ask("owner"), ask("inforce"), ask("kind")]);
    if (counting !== mine) return;
    const total = byId("facet-total");
    total.textContent = `${plural(all.patents, "patent")}, ${plural(all.drawings, "drawing")}`;
    trees.locarno.count(locarno.classes.locarno ?? []);
    trees.uspc.count(uspc.classes.uspc ?? []);
    years.count(granted.granted);
    undated = granted.patents - granted.granted.reduce((/** @type {number} */ sum, /** @type {{count: number}} */ { count: patents }) => sum + patents, 0);
    showUndated();
    owners.count(owner.owners, owner.owners_total);
    showInForce(inForce.in_force);
    byId("designs-count").textContent = designs(kind.kinds).reduce((sum, { count: patents }) => sum + patents, 0).toLocaleString("en");
  } catch (error) {
    showError(error);
  }
}

/** The whole index, without a filter. */
export async function loadFilters() {
  const all = await facets([]);
  trees.locarno.build(all.classes.locarno ?? []);
  trees.uspc.build(all.classes.uspc ?? []);
  years.build(all.granted);
  designKinds = designs(all.kinds).map(({ kind }) => kind).join(",");
  byId("designs-part").hidden = !designKinds;
  await count();
}

/** Filters by date leave out what has none; next to the warning, a way to include it. */
function showUndated() {
  byId("undated-part").hidden = !(filters.from || filters.to) || !(undated || filters.undated);
  byId("include-undated").checked = Boolean(filters.undated);
  byId("undated-name").textContent = `Include ${plural(undated, "patent")} without a date of grant`;
}

/** Those that are designs: S, and S1 since 2001. @param {{kind: string, count: number}[]} kinds */
function designs(kinds) {
  return kinds.filter(({ kind }) => /^S\d?$/i.test(kind));
}

/** What the index calls a class, if it does. @param {"locarno" | "uspc"} scheme @param {string} code */
export function classTitle(scheme, code) {
  return trees[scheme].title(code);
}

/** @param {{day: string, count: number}} counted */
function showInForce({ day, count: patents }) {
  today = day;
  byId("in-force-name").textContent = `In force on ${filters.inForce || day}`;
  byId("in-force-count").textContent = patents.toLocaleString("en");
}

/** Add a line to the filters, as of a patent's citations, and search with it. @param {string} line */
export function addLine(line) {
  if (!filters.expert.includes(line)) filters.expert = [...filters.expert, line];
  filtersChanged();
}

/** The fields that are typed into. */
const texts = () => [["granted-from", filters.from], ["granted-to", filters.to], ["title-words", filters.title], ["owner-words", filters.ownerWords]];

/** Set all filters, without a search. @param {import("./filterlines.js").PlainFilters} plain */
export function putFilters(plain) {
  setFilters(filters, plain);
  for (const [id, value] of texts()) byId(id).value = value; // also the one with the focus
  emit("filters");
  countSoon();
}

/** Show the filters as they are in the state. */
function render() {
  trees.locarno.refresh();
  trees.uspc.refresh();
  years.refresh();
  owners.refresh();
  byId("in-force").checked = Boolean(filters.inForce);
  byId("designs-only").checked = Boolean(filters.designs);
  showUndated();
  for (const [id, value] of texts()) {
    const field = byId(id);
    if (field.value !== value && document.activeElement !== field) field.value = value;
  }
  const active = activeFilters(filters);
  const list = byId("active-filters");
  const chips = active.map(({ text, remove }) => chip(text, () => {
    remove();
    filtersChanged();
  }));
  const { relevant, irrelevant } = state.applied;
  if (relevant.length || irrelevant.length) {
    chips.push(chip(`Marks: ${relevant.length} relevant, ${irrelevant.length} not`, () => {
      leaveMarks();
      searchIfShown();
    }));
  }
  if (active.length > 1) {
    const all = h("button", { type: "button", class: "quiet", id: "clear-filters" }, "Clear all filters");
    all.addEventListener("click", () => {
      for (const one of active) one.remove();
      filtersChanged();
      byId("results-heading").focus();
    });
    chips.push(h("li", {}, all));
  }
  list.replaceChildren(...chips);
  list.hidden = !chips.length;
  const badge = byId("filter-count");
  badge.textContent = String(active.length);
  badge.hidden = !active.length;
}

/** @param {string} text @param {() => void} remove */
function chip(text, remove) {
  const button = h("button", { type: "button", "aria-label": `Remove filter ${text}` }, h("span", {}, text), icon("close"));
  button.addEventListener("click", () => {
    remove();
    // The chip is gone: the focus goes to the next one.
    (byId("active-filters").querySelector("button") ?? byId("results")).focus({ preventScroll: true });
  });
  return h("li", { class: "filter-chip", data: { testid: "filter-chip" } }, button);
}

async function addExpert() {
  const field = byId("expert");
  const problem = byId("expert-error");
  const line = field.value.trim();
  problem.hidden = true;
  field.removeAttribute("aria-invalid");
  if (!line || filters.expert.includes(line)) return;
  try {
    await facets([line]); // the server knows whether it can be read
  } catch (error) {
    if (!(error instanceof ApiError) || ![400, 422].includes(error.status)) return showError(error);
    problem.textContent = [error.message, error.hint].filter(Boolean).join(" ");
    problem.hidden = false;
    field.setAttribute("aria-invalid", "true");
    problem.scrollIntoView({ block: "nearest" });
    return;
  }
  filters.expert = [...filters.expert, line];
  field.value = "";
  filtersChanged();
}

function startFields() {
  const setDates = () => {
    const [from, to] = [byId("granted-from"), byId("granted-to")];
    if (!from.validity.valid || !to.validity.valid) return;
    // The dates may be given in either order.
    const [first, last] = from.value && to.value && from.value > to.value ? [to.value, from.value] : [from.value, to.value];
    if (first === filters.from && last === filters.to) return;
    Object.assign(filters, { from: first, to: last });
    filtersChanged();
  };
  const datesSoon = debounce(setDates, 500);
  byId("granted-from").addEventListener("change", datesSoon);
  byId("granted-to").addEventListener("change", datesSoon);
  byId("title-words").addEventListener(
    "input",
    debounce(() => {
      if (filters.title === byId("title-words").value) return;
      filters.title = byId("title-words").value;
      filtersChanged();
    }, 400),
  );
  byId("owner-words").addEventListener(
    "input",
    debounce(() => {
      if (filters.ownerWords === byId("owner-words").value) return;
      filters.ownerWords = byId("owner-words").value;
      filtersChanged();
    }, 400),
  );
  byId("in-force").addEventListener("change", () => {
    filters.inForce = byId("in-force").checked ? today : "";
    filtersChanged();
  });
  byId("designs-only").addEventListener("change", () => {
    filters.designs = byId("designs-only").checked ? designKinds : "";
    filtersChanged();
  });
  byId("include-undated").addEventListener("change", () => {
    filters.undated = byId("include-undated").checked ? "true" : "";
    filtersChanged();
  });
  byId("expert-add").addEventListener("click", () => void addExpert());
  byId("expert").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") void addExpert();
  });
  byId("class-find").addEventListener(
    "input",
    debounce(() => {
      for (const tree of Object.values(trees)) tree.find(byId("class-find").value);
    }, 150),
  );
}

export function startFilters() {
  trees = {
    locarno: new ClassTree(byId("tree-locarno"), filters.locarno, filtersChanged),
    uspc: new ClassTree(byId("tree-uspc"), filters.uspc, filtersChanged),
  };
  years = new Years(byId("years"), filters, filtersChanged);
  owners = new Owners(byId("owners"), filters.owners, filtersChanged);
  startFields();
  const toggle = byId("filter-toggle");
  toggle.addEventListener("click", () => {
    const open = byId("filters").classList.toggle("open");
    toggle.setAttribute("aria-expanded", String(open));
  });
  on("filters", render);
  on("marks", render);
  on("found", render);
  render();
}
