/**
 * Searches as visits of the browser's history: Back and Forward go through them, a reload restores the one it was at, and
 * a dialog is a step that Back closes. What a visit holds is kept by keep.js under the name in `history.state`.
 */

import { getJson } from "./api.js";
import { readAddress, toAddress } from "./address.js";
import { drawingKept, restoreDrawing } from "./canvas.js";
import { figureName } from "./card.js";
import { byId, debounce, plural } from "./dom.js";
import { leaveDialog, openDialog, openers, wentBack } from "./dialogs.js";
import { readFigures } from "./figures.js";
import { plainFilters } from "./filterlines.js";
import { putFilters } from "./filters.js";
import { isMine, keepFile, keptFile, forget, newName, read, startKeeping, write } from "./keep.js";
import { clearNotes, note, showError } from "./notes.js";
import { changedOptions, optionNames, setOptions } from "./options.js";
import { pictureOf } from "./pictures.js";
import { reopenSaved } from "./records.js";
import { search, showNothing } from "./search.js";
import { emit, on, state } from "./state.js";

const MOST_VISITS = 50;

/**
 * @typedef {{key: string, name: string} & Pick<import("./state.js").Picture, "drawn" | "crop" | "turn" | "page" | "up" | "view" | "chosen" | "flatten"> & {edits: [number, import("./state.js").Edit][]}} KeptPicture
 * @typedef {object} Kept
 * @property {KeptPicture[]} pictures
 * @property {import("./state.js").Seed[]} seeds
 * @property {string} like
 * @property {import("./filterlines.js").PlainFilters} filters
 * @property {Record<string, string>} options
 * @property {[string, import("./state.js").Mark][]} marks
 * @property {import("./state.js").Applied} applied
 * @property {boolean} shown whether results were shown
 * @property {string | null} saved key of the saved search that was opened
 * @typedef {{visit: string, step: number, dialog?: {id: string, of: any[]}}} Step what `history.state` holds
 */

/** The visit that the page shows. @type {Step} */
let at = { visit: "", step: 0 };
/** What the current visit searched; null while it has no results. @type {Kept | null} */
let searched = null;
/** What the search under way searches. @type {Kept | null} */
let pending = null;
/** Raised by every search and every arrival: a restoration that is overtaken stops. */
let turn = 0;
/** The restoration under way; 0 for none. */
let restoring = 0;
/** Marks of the visit before, where the search that leaves it has none. @type {Kept["marks"] | null} */
let left = null;

/** @returns {Kept} */
function snapshot() {
  const pictures = state.pictures.map(({ key, name, drawn, crop, turn: turned, page, up, view, chosen, flatten, edits }) => ({ key, name, drawn, crop, turn: turned, page, up, view, chosen, flatten, edits: [...edits] }));
  const { seeds, like, marks, applied, saved } = state;
  return { pictures, seeds, like: like.trim(), filters: plainFilters(state.filters), options: changedOptions(), marks: [...marks], applied, shown: state.asked !== null, saved: saved?.key ?? null };
}

/** What makes two searches the same. @param {Kept} kept */
function sense({ pictures, seeds, like, filters, options, applied, saved }) {
  return JSON.stringify([pictures, seeds.map(({ id }) => id), like, filters, options, applied, saved]);
}

/** @param {Kept} kept */
function address({ seeds, like, filters, options, pictures, applied }) {
  const marks = applied.relevant.length + applied.irrelevant.length;
  const after = toAddress({ like, drawings: seeds.map(({ id }) => id), filters, options, pictures: pictures.length, marks });
  return after || location.pathname + location.search;
}

/** Keep what a visit holds; the oldest visits go. @param {string} visit @param {Kept} kept */
function keep(visit, kept) {
  const visits = [...(read("visits") ?? []).filter((/** @type {string} */ one) => one !== visit), visit];
  while (visits.length > 1 && (visits.length > MOST_VISITS || !write(`visit.${visit}`, kept))) write(`visit.${visits.shift()}`, null);
  write(`visit.${visit}`, kept);
  write("visits", visits);
}

/** Keep the page as it is now, in the visit that it shows. */
function keepNow() {
  if (restoring || !at.visit) return;
  const now = snapshot();
  keep(at.visit, now);
  if (!history.state?.dialog) history.replaceState(at, "", address(now));
}

/** Until no dialog is a step of the history: closing one goes back, which takes a moment. */
async function withoutDialog() {
  while (history.state?.dialog) await new Promise((resolve) => window.addEventListener("popstate", resolve, { once: true }));
}

/** The results of a search are shown: a new visit, unless it is the first or the same again. */
async function found() {
  const now = state.saved || !pending ? snapshot() : { ...pending, shown: true };
  pending = null;
  if (restoring) {
    searched = now;
    return;
  }
  const [before, marks] = [searched, left ?? now.marks];
  left = null;
  const same = before && sense(before) === sense(now);
  searched = now;
  if (same || !before) return keepNow();
  const mine = ++turn;
  await withoutDialog();
  if (mine !== turn) return;
  // Back shows what was searched then, with the marks that its results were given.
  keep(at.visit, { ...before, marks });
  history.replaceState(at, "", address(before));
  step(now);
}

/** One step forward. @param {Kept} kept */
function step(kept) {
  go({ visit: newName(), step: at.step + 1 });
  history.pushState(at, "", address(kept));
  keep(at.visit, snapshot());
}

/** @param {Step} to */
function go({ visit, step: place }) {
  at = { visit, step: place };
  state.canGoBack = place > 0;
  emit("visited");
}

/** Nothing of the searches of this tab is kept after "New search". */
async function forgotten() {
  void forget();
  searched = pending = left = null;
  at = { visit: "", step: at.step }; // the visit that is left keeps its address
  const mine = ++turn;
  await withoutDialog();
  if (mine === turn) step(snapshot());
}

/** Show what a step of the history holds. @param {Step} to */
async function arrive(to) {
  const opened = wentBack();
  for (const dialog of document.querySelectorAll("dialog[open]")) if (![to.dialog?.id, opened?.id].includes(dialog.id)) leaveDialog(/** @type {HTMLDialogElement} */ (dialog));
  if (to.visit !== at.visit) {
    go(to);
    const kept = read(`visit.${to.visit}`);
    await restore(kept ?? (await fromAddress()));
  }
  if (!to.dialog) keepNow(); // what a dialog changed is in the address now
  if (opened) openDialog(opened.id, ...opened.of);
  if (opened || !to.dialog) return;
  const open = openers[to.dialog.id];
  if (!open || open(...to.dialog.of) === false) history.replaceState(at, "");
}

/** What the address alone holds. @returns {Promise<Kept & {lost?: {pictures: number, marks: number}}>} */
async function fromAddress() {
  const { like, drawings, filters, options, pictures, marks } = readAddress(location.hash, optionNames());
  /** @type {import("./state.js").Seed[]} */
  const seeds = [];
  for (const id of drawings) {
    try {
      const drawing = await getJson(`drawings/${encodeURIComponent(id)}`);
      seeds.push({ id, patent: drawing.patent, label: `Like ${drawing.patent}, ${figureName(drawing)}` });
    } catch (error) {
      showError(error);
    }
  }
  const shown = Boolean(like || seeds.length || pictures);
  return { pictures: [], seeds, like, filters, options, marks: [], applied: { relevant: [], irrelevant: [] }, shown, saved: null, lost: { pictures, marks } };
}

/** Make the page what it was, and search again. @param {Kept & {lost?: {pictures: number, marks: number}}} kept */
async function restore(kept) {
  const mine = ++turn;
  const lost = { pictures: 0, marks: 0, ...kept.lost };
  const saved = kept.saved && (await keptFile(kept.saved));
  const pictures = [];
  for (const one of saved ? [] : kept.pictures) {
    const file = await keptFile(one.key);
    const picture = file && (await pictureOf(file, { ...one, edits: new Map(one.edits), key: isMine(one.key) ? one.key : keepFile(file) }));
    if (picture) pictures.push(picture);
    else lost.pictures += 1;
  }
  if (mine !== turn) return;
  restoring = mine;
  searched = left = null;
  try {
    Object.assign(state, { pictures, seeds: kept.seeds, like: kept.like, marks: new Map(kept.marks), applied: kept.applied });
    clearNotes();
    setOptions(kept.options);
    putFilters(kept.filters);
    emit("pictures");
    for (const picture of pictures) readFigures(picture.id, true);
    emit("marks");
    const some = pictures.length || kept.seeds.length || kept.like || kept.applied.relevant.length;
    if (saved) await reopenSaved(saved, new Map(kept.marks));
    else if (kept.shown && some) {
      const searching = search();
      sayLost(lost);
      await searching;
    } else {
      showNothing();
      sayLost(lost);
    }
  } finally {
    if (restoring === mine) restoring = 0;
  }
  if (mine === turn) keepNow();
}

/** @param {{pictures: number, marks: number}} lost */
function sayLost({ pictures, marks }) {
  const what = [pictures && plural(pictures, "picture"), marks && plural(marks, "mark")].filter(Boolean).join(" and ");
  if (what) note("info", `This search had ${what}, which an address does not hold.`, pictures ? "Add the pictures, and search." : null);
}

/** A step of the history that this page did not make: an address that was typed or pasted. */
function fresh() {
  const visit = newName();
  history.replaceState({ visit, step: at.step }, "", location.href);
  return /** @type {Step} */ (history.state);
}

/** Restore what this tab showed last, or what the address says. */
export async function startVisits() {
  for (const name of ["pictures", "marks", "filters"]) on(name, keepNow);
  on("options", debounce(keepNow, 200)); // sliders move fast
  window.addEventListener("pagehide", keepNow);
  byId("like").addEventListener("change", keepNow);
  on("searching", () => {
    if (!restoring) turn += 1;
    pending = snapshot();
  });
  on("found", () => void found());
  on("forgotten", () => void forgotten());
  on("leaving", () => (left = snapshot().marks));
  on("drawn", () => write("drawing", drawingKept()));
  window.addEventListener("popstate", (event) => void arrive(event.state?.visit ? event.state : fresh()));
  await startKeeping();
  const to = history.state?.visit ? history.state : fresh();
  if (!state.pictures.length && !state.asked) {
    const drawing = read("drawing");
    if (drawing) restoreDrawing(drawing);
    await arrive(to);
  } else {
    // Pictures were added in the meantime: they count.
    go(to);
    keepNow();
  }
}
