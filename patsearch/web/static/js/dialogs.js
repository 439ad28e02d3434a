/** Native dialogs: opening them, closing them by their buttons or a click outside, and the small ones. */

import { ApiError, signIn } from "./api.js";
import { byId } from "./dom.js";
import { read, write } from "./keep.js";

/** How a dialog is opened again where Forward or a reload comes to it; false: it cannot be. @type {Record<string, (...of: any[]) => unknown>} */
export const openers = { "help-dialog": () => openDialog("help-dialog") };

/** Whether the history goes back to before a dialog that was closed, which takes a moment. */
let goingBack = false;
/** The dialog that was opened in that moment. @type {{id: string, of: any[]} | null} */
let next = null;

/** The history has arrived. @returns {{id: string, of: any[]} | null} the dialog that was opened on the way there */
export function wentBack() {
  const opened = next;
  goingBack = false;
  next = null;
  return opened;
}

/**
 * Open a dialog as a step of the browser's history: Back closes it.
 * @param {string} id
 * @param {...unknown} of what its opener takes
 * @returns {HTMLDialogElement}
 */
export function openDialog(id, ...of) {
  const dialog = byId(id);
  if (!dialog.open) dialog.showModal();
  if (goingBack) {
    next = { id, of }; // a step of the history once that is back
    return dialog;
  }
  const step = { ...history.state, dialog: { id, of } };
  if (history.state?.dialog?.id === id) history.replaceState(step, "");
  else if (id !== "sign-in-dialog") history.pushState(step, "");
  return dialog;
}

/** Dialogs that the history closes. Their "close" event comes later, when Forward may have opened them again. @type {Set<Element>} */
const leaving = new Set();

/** Close a dialog because the history left its step. @param {HTMLDialogElement} dialog */
export function leaveDialog(dialog) {
  leaving.add(dialog);
  dialog.close();
}

export function startDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      if (leaving.delete(dialog) || history.state?.dialog?.id !== dialog.id) return;
      goingBack = true;
      history.back();
    });
    // Nothing that was typed or cropped is lost by a click outside the dialog.
    if (dialog.querySelector("form") || dialog.id === "crop-dialog") continue;
    dialog.addEventListener("pointerdown", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }
  byId("help-button").addEventListener("click", () => openDialog("help-dialog"));
}

/**
 * A dialog with a form, until it is closed.
 * @template T
 * @param {string} dialogId
 * @param {string} formId
 * @param {() => Promise<T | undefined>} submit undefined keeps the dialog open
 * @returns {Promise<T | null>} null where it was cancelled
 */
function askIn(dialogId, formId, submit) {
  const dialog = openDialog(dialogId);
  const form = byId(formId);
  return new Promise((resolve) => {
    /** @type {T | null} */
    let result = null;
    const onSubmit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const got = await submit();
      if (got === undefined) return;
      result = got;
      dialog.close();
    };
    form.addEventListener("submit", onSubmit);
    dialog.addEventListener(
      "close",
      () => {
        form.removeEventListener("submit", onSubmit);
        resolve(result);
      },
      { once: true },
    );
  });
}

/** @type {Promise<boolean> | null} one dialog, however many requests wait for it */
let signingIn = null;

/** Ask for the token. @returns {Promise<boolean>} whether the server took it */
export function askToken() {
  signingIn ??= tokenDialog().finally(() => (signingIn = null));
  return signingIn;
}

async function tokenDialog() {
  const [field, error] = [byId("token"), byId("sign-in-error")];
  field.value = "";
  error.hidden = true;
  const done = await askIn("sign-in-dialog", "sign-in-form", async () => {
    try {
      await signIn(field.value.trim());
      return true;
    } catch (problem) {
      error.textContent = problem instanceof ApiError ? problem.message : "The server does not answer.";
      error.hidden = false;
      field.select();
      return undefined;
    }
  });
  field.value = "";
  if (done) {
    byId("sign-out").hidden = false;
    remember(true);
  }
  return Boolean(done);
}

const SIGNED_IN = "patsearch.signed-in";

/** The page cannot read the cookie, so it keeps a separate note that the user signed in. @param {boolean} signedIn */
export function remember(signedIn) {
  try {
    if (signedIn) localStorage.setItem(SIGNED_IN, "1");
    else localStorage.removeItem(SIGNED_IN);
  } catch {
    // The button is then missing after the page was loaded again.
  }
}

export function wasSignedIn() {
  try {
    return localStorage.getItem(SIGNED_IN) === "1";
  } catch {
    return false;
  }
}

/**
 * Ask what is written on a record; what was typed for the last one of this tab is proposed.
 * @param {string} kind as the button says it
 * @returns {Promise<Record<string, string> | null>} null where it was cancelled
 */
export function askCover(kind) {
  const fields = [...byId("record-form").querySelectorAll("[name]")];
  const before = read("cover") ?? {};
  for (const field of fields) field.value = before[field.name] ?? "";
  byId("record-confirm").textContent = `Download ${kind}`;
  return askIn("record-dialog", "record-form", async () => {
    const cover = Object.fromEntries(fields.map(({ name, value }) => [name, value.trim()]));
    write("cover", cover);
    return cover;
  });
}

/** Ask for the name of a search. @param {string} proposal @returns {Promise<string | null>} */
export function askName(proposal) {
  const field = byId("search-name");
  field.value = proposal;
  queueMicrotask(() => field.select());
  return askIn("name-dialog", "name-form", async () => field.value.trim() || undefined);
}
