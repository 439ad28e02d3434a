/** Shortcuts of the whole page. */

import { toggleDrawing } from "./canvas.js";
import { byId, isTyping } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { actOn, focusFirst, moveFocus } from "./results.js";

/** @type {Record<string, () => boolean | void>} false: the key was not for this */
const KEYS = {
  "/": () => {
    byId("query").scrollIntoView({ block: "nearest" });
    byId("choose-files").focus();
  },
  "?": () => void openDialog("help-dialog"),
  g: () => focusFirst(),
  d: () => toggleDrawing(),
  r: () => actOn("relevant"),
  n: () => actOn("irrelevant"),
  m: () => actOn("like"),
  w: () => actOn("why"),
  a: () => !byId("search-again").disabled && byId("search-again").click(),
};

export function startKeys() {
  // The address after "#" is the search.
  byId("skip").addEventListener("click", (/** @type {Event} */ event) => {
    event.preventDefault();
    byId("results").focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.target instanceof HTMLInputElement && event.target.type === "range") return;
    if (moveFocus(event)) {
      event.preventDefault();
      return;
    }
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Enter") {
      // On a button inside the result, Enter is the button's.
      if (target.dataset?.testid === "result" && actOn("open")) event.preventDefault();
      return;
    }
    const work = KEYS[event.key];
    if (work && work() !== false) event.preventDefault();
  });
}
