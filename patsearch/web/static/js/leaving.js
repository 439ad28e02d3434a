/** A warning before the page is left with marks or a drawing that are in no file: a closed tab loses them. */

import { drawingKept } from "./canvas.js";
import { read, write } from "./keep.js";
import { on, state } from "./state.js";

/** The work that was last put into a file. */
let filed = "";
/** Whether a key that loads the page again was pressed: nothing is lost then. */
let reloading = false;

/** What was done by hand, in short. */
function work() {
  const { strokes } = drawingKept();
  const marks = [...state.marks].map(([id, { kind }]) => `${kind} ${id}`).sort();
  const points = strokes.reduce((sum, stroke) => sum + stroke.points.length, 0);
  return marks.length || strokes.length ? JSON.stringify([marks, strokes.length, points]) : "";
}

/** @param {BeforeUnloadEvent} event */
function warn(event) {
  if (reloading && write("filed", filed)) return;
  event.preventDefault();
  event.returnValue = true; // for browsers that know this alone
}

/** Browsers keep a page ready for Back only without such a listener: it is there while something would be lost. */
function watch() {
  const now = work();
  if (now && now !== filed) window.addEventListener("beforeunload", warn);
  else window.removeEventListener("beforeunload", warn);
}

/** What is on the page may go, as after signing out. */
export function letGo() {
  filed = work();
  watch();
}

export function startLeaving() {
  filed = read("filed") ?? "";
  on("filed", () => {
    letGo();
    write("filed", filed);
  });
  for (const name of ["marks", "drawn"]) on(name, watch);
  document.addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
    if (key !== "F5" && !((ctrlKey || metaKey) && key.toLowerCase() === "r")) return;
    reloading = true;
    setTimeout(() => (reloading = false), 1000);
  });
}
