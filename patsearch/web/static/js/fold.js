/** Room for the results: with results shown, the query is small; those of a new query come into view. */

import { toggleDrawing } from "./canvas.js";
import { byId } from "./dom.js";
import { compared, currentQuestion } from "./question.js";
import { on, state } from "./state.js";

/** Of the window's height: results that begin further down are scrolled to. */
const FOLD = 0.6;

/** What the results shown before compared. */
let last = "";

function fold() {
  const shown = state.hits.length > 0;
  byId("query").classList.toggle("compact", shown);
  const now = compared(state.asked ?? currentQuestion()) + (state.saved?.name ?? "");
  if (!shown || now === last) return;
  last = now;
  if (state.pictures.some((picture) => picture.drawn)) toggleDrawing(false);
  const results = byId("results");
  const { top } = results.getBoundingClientRect();
  if (top < 0 || top > FOLD * window.innerHeight) results.scrollIntoView({ block: "start" });
}

export function startFold() {
  on("found", fold);
  on("started", () => {
    last = "";
    byId("query").classList.remove("compact");
    document.title = TITLE;
  });
  on("found", () => (document.title = `${state.saved?.name ?? named()}: patsearch`));
}

const TITLE = document.title;

/** What the query is, in a few words, for the tab. */
function named() {
  const { pictures, seeds, like } = state;
  const names = [...pictures.map((picture) => picture.name), ...seeds.map((seed) => seed.label), ...(like.trim() ? [like.trim()] : [])];
  return names.length > 1 ? `${names[0]} and ${names.length - 1} more` : (names[0] ?? "Marked drawings");
}
