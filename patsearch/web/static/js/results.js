/** The grid of results, and the elements around it. */

import { card, figureName } from "./card.js";
import { byId, h, plural } from "./dom.js";
import { explain } from "./explain.js";
import { openPatent } from "./patent.js";
import { forgetMarks, leaveMarks, moreLike, searchAgain, searchIfShown, showMore } from "./search.js";
import { emit, markOf, on, state, toggleMark } from "./state.js";

/** @typedef {import("./state.js").Hit} Hit */

/** @type {import("./card.js").Actions} */
const actions = {
  open: (hit) => void openPatent(hit.patent, hit.drawing.id),
  like: (hit) => void moreLike({ id: hit.drawing.id, patent: hit.patent, label: `Like ${hit.patent}, ${figureName(hit.drawing)}` }),
  why: (hit) => void explain(hit),
  mark: (hit, kind) => toggleMark(hit.patent, hit.drawing.id, kind),
};

const list = () => byId("result-list");
/** Whether results that were marked as not relevant are shown after a search with the marks. */
let hiddenShown = false;
/** @returns {HTMLElement[]} the results that are not hidden */
const cards = () => [...list().querySelectorAll("[data-testid=result]")].filter((c) => !c.closest("li").hidden);

/** @param {"idle" | "searching" | "done" | "error"} to */
function setState(to) {
  const results = byId("results");
  results.dataset.state = to;
  results.setAttribute("aria-busy", String(to === "searching"));
}

/** @param {Hit[]} hits */
function make(hits) {
  const { saved } = state;
  return hits.map((hit) => card(hit, actions, { fresh: Boolean(saved?.fresh.has(hit.patent)) }));
}

/** A line above the results from which on all are far: the shapes of drawings that have nothing in common score as much. */
function divide() {
  list().querySelector(".divider")?.remove();
  const place = state.hits.findLastIndex((hit) => hit.likeness !== "far") + 1;
  if (!state.hits[place]?.likeness) return;
  const text = place ? "Mostly chance from here on" : "Mostly chance: nothing here has a similar shape";
  list().children[place]?.before(h("li", { class: "divider", data: { testid: "divider" } }, text));
}

/** @param {any} answer of the server */
function found(answer) {
  const held = list().contains(document.activeElement);
  list().replaceChildren(...make(state.hits));
  setState("done");
  const { saved } = state;
  const seconds = answer.query?.seconds;
  const time = typeof seconds === "number" ? ` in ${seconds < 0.1 ? seconds.toFixed(3) : seconds.toFixed(1)} s` : "";
  const count = `${state.more ? "The first " : ""}${plural(state.hits.length, "patent")}${time}`;
  byId("results-summary").textContent = saved ? `Saved search “${saved.name}”: ${saved.fresh.size} new of ${plural(state.hits.length, "patent")}` : count;
  showWarnings([...(answer.query?.notices ?? []), ...(answer.warnings ?? [])]);
  const first = cards()[0];
  if (first) first.tabIndex = 0;
  if (held) first?.focus({ preventScroll: true });
  after();
}

/** What the filter was read as, and what it leaves out. @param {string[]} texts */
function showWarnings(texts) {
  byId("warnings").hidden = !texts.length;
  byId("warnings").replaceChildren(...texts.map((text) => h("li", {}, text)));
}

/** @param {number} first place of the first result that came in addition */
function appended(first) {
  list().append(...make(state.hits.slice(first)));
  setState("done");
  byId("results-summary").textContent = `${state.more ? "The first " : ""}${plural(state.hits.length, "patent")}`;
  after();
  // Reading continues at the first new one; the page does not scroll.
  const next = list().querySelectorAll("article")[first];
  if (next) focusCard(next, { scroll: false });
}

/** What follows from the results: marks, buttons, the text where there are none. */
function after() {
  divide();
  showMarks();
  const any = state.hits.length > 0;
  byId("results-bar").hidden = !any && !state.saved;
  byId("show-more").hidden = !state.more;
  for (const id of ["report-html", "report-pdf", "save-search"]) byId(id).hidden = !any;
  byId("download-updated").hidden = !state.saved;
  showEmpty(any);
}

/** @param {boolean} any */
function showEmpty(any) {
  const empty = byId("empty");
  empty.hidden = any;
  if (any) return;
  if (state.asked || state.saved) {
    empty.replaceChildren(h("p", { class: "lead" }, "Nothing found"), h("p", { class: "muted" }, "Use fewer filters, or a lower minimum similarity."));
  } else {
    empty.replaceChildren(
      h("p", { class: "lead" }, "No search yet"),
      h("p", { class: "muted" }, "Drop a drawing here, paste one, or draw. The patents whose drawings look most like it appear here, most similar first."),
    );
  }
}

function showMarks() {
  for (const article of list().querySelectorAll("[data-testid=result]")) {
    const mark = markOf(article.dataset.patent);
    article.dataset.marked = mark ?? "";
    for (const button of article.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mark === mark));
    }
  }
  const kinds = [...state.marks.values()].map((m) => m.kind);
  const relevant = kinds.filter((k) => k === "relevant").length;
  byId("search-again").disabled = !kinds.length;
  byId("mark-summary").textContent = kinds.length ? `${relevant} relevant, ${kinds.length - relevant} not` : "";
  byId("clear-marks").hidden = !kinds.length;
  hide();
}

/** Hide what scores too little, and what a search has already taken for not relevant. */
function hide() {
  const minScore = Number(state.options.min_score ?? -1);
  const used = new Set(state.applied.irrelevant);
  const out = new Set([...state.marks].filter(([id, mark]) => mark.kind === "irrelevant" && used.has(id)).map(([, mark]) => mark.patent));
  let count = 0;
  for (const article of list().querySelectorAll("[data-testid=result]")) {
    const marked = out.has(article.dataset.patent);
    count += Number(marked);
    article.closest("li").hidden = Number(article.dataset.score) < minScore || (marked && !hiddenShown);
  }
  const button = byId("show-hidden");
  button.hidden = !count;
  button.setAttribute("aria-pressed", String(hiddenShown));
  button.textContent = hiddenShown ? `Hide ${count} not relevant` : `${count} hidden, show`;
}


/** @param {HTMLElement} article @param {{scroll?: boolean}} [how] */
function focusCard(article, { scroll = true } = {}) {
  for (const other of cards()) other.tabIndex = -1;
  article.tabIndex = 0;
  article.focus({ preventScroll: true });
  if (scroll) article.scrollIntoView({ block: "nearest" });
}

/** Go to the first result. @returns {boolean} whether there is one */
export function focusFirst() {
  const [first] = cards();
  if (first) focusCard(first);
  return Boolean(first);
}

/** How many results are in a row now. @param {HTMLElement[]} all */
function columns(all) {
  const top = all[0]?.offsetTop;
  const next = all.findIndex((c) => c.offsetTop !== top);
  return next < 0 ? all.length : next;
}

/** Move among the results. @param {KeyboardEvent} event @returns {boolean} whether the key was for this */
export function moveFocus(event) {
  const all = cards();
  const place = all.indexOf(/** @type {any} */ (document.activeElement?.closest?.("[data-testid=result]")));
  if (place < 0) return false;
  const row = columns(all);
  const to = { ArrowLeft: place - 1, ArrowRight: place + 1, ArrowUp: place - row, ArrowDown: place + row, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return false;
  if (all[to]) focusCard(all[to]);
  return true;
}

/** The result that the focus is in. @returns {Hit | null} */
export function focusedHit() {
  const article = /** @type {HTMLElement | null} */ (document.activeElement?.closest?.("[data-testid=result]") ?? null);
  return state.hits.find((hit) => hit.patent === article?.dataset.patent && String(hit.rank) === article.dataset.rank) ?? null;
}

/** Do something with the focused result. @param {"open" | "like" | "why" | "relevant" | "irrelevant"} what */
export function actOn(what) {
  const hit = focusedHit();
  if (!hit) return false;
  if (what === "relevant" || what === "irrelevant") actions.mark(hit, what);
  else actions[what](hit);
  return true;
}

export function startResults() {
  on("searching", () => setState("searching"));
  on("found", found);
  on("appended", appended);
  on("failed", () => setState(state.hits.length ? "done" : "error"));
  on("marks", showMarks);
  on("options", hide); // while the slider moves; the search is repeated when it stops
  on("started", () => {
    list().replaceChildren();
    byId("results-summary").textContent = "";
    showWarnings([]);
    setState("idle");
    after();
  });
  byId("show-more").addEventListener("click", () => void showMore());
  byId("search-again").addEventListener("click", () => void searchAgain());
  byId("show-hidden").addEventListener("click", () => {
    hiddenShown = !hiddenShown;
    hide();
  });
  byId("clear-marks").addEventListener("click", () => {
    const used = state.applied.relevant.length + state.applied.irrelevant.length > 0;
    if (used) leaveMarks();
    else forgetMarks();
    emit("filters");
    if (used) searchIfShown();
  });
  list().addEventListener("focusin", (event) => {
    const article = event.target.closest("[data-testid=result]");
    if (!article || article.tabIndex === 0) return;
    for (const other of cards()) other.tabIndex = -1;
    article.tabIndex = 0;
  });
  after();
}
