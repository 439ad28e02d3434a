/** Whether the results shown are of another query than the one above them, and that a search is under way. */

import { byId } from "./dom.js";
import { compared, currentQuestion, isEmpty } from "./question.js";
import { search } from "./search.js";
import { on, state } from "./state.js";

/** Milliseconds after which a search says that it is under way; most are done by then. */
const PATIENCE = 300;

let timer = 0;

function show() {
  const question = currentQuestion();
  const stale = state.asked !== null && byId("results").dataset.state !== "searching" && compared(question) !== compared(state.asked);
  byId("results").dataset.stale = String(stale);
  byId("stale").hidden = !stale;
  byId("stale-search").hidden = isEmpty(question);
}

/** @param {boolean} searching */
function wait(searching) {
  clearTimeout(timer);
  byId("searching-note").textContent = "";
  if (searching) timer = window.setTimeout(() => (byId("searching-note").textContent = "Searching …"), PATIENCE);
}

export function startStale() {
  for (const name of ["pictures", "searching", "found", "failed", "started"]) on(name, show);
  byId("like").addEventListener("input", show);
  byId("stale-search").addEventListener("click", () => void search());
  on("searching", () => wait(true));
  for (const name of ["found", "appended", "failed", "started"]) on(name, () => wait(false));
}
