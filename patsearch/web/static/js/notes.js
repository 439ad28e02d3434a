/** Messages to the reader: errors and warnings, and that the server is busy. */

import { ApiError } from "./api.js";
import { byId, h, icon } from "./dom.js";

/**
 * Show a message until it is closed or the next search begins.
 * @param {"error" | "warning" | "info"} kind
 * @param {string} message
 * @param {string | null} [hint]
 */
export function note(kind, message, hint = null) {
  const close = h("button", { type: "button", class: "quiet icon-only", "aria-label": "Close this message" }, icon("close"));
  const text = h("p", {}, h("strong", {}, message), hint ? ` ${hint}` : null);
  const box = h("div", { class: `note ${kind}`, data: { testid: `note-${kind}` } }, text, close);
  close.addEventListener("click", () => box.remove());
  byId("notes").append(box);
}

/** @param {unknown} error */
export function showError(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (error instanceof ApiError) {
    note("error", error.message, error.hint);
    return;
  }
  console.error(error);
  note("error", "Something went wrong on this page.", "Load it again, and try once more.");
}

export function clearNotes() {
  byId("notes").replaceChildren();
}

/** @param {number} attempt @param {number} of */
export function showBusy(attempt, of) {
  byId("busy-note").textContent = attempt ? `The server is busy, trying again (${attempt} of ${of}) …` : "";
}
