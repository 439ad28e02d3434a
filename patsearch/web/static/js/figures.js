/** What the server finds in a picture of the query: the figures of a sheet or document, which the user may leave out. */

import { ApiError, postForm } from "./api.js";
import { shown } from "./paint.js";
import { toForm } from "./question.js";
import { emit, state } from "./state.js";

/** @typedef {import("./state.js").Picture} Picture */

/** Requests under way, by the picture's id. @type {Map<number, {stop: AbortController, done: Promise<void>}>} */
const running = new Map();

/**
 * Ask the server what is in a picture as it is cropped and turned now. What is drawn here is known.
 * @param {number} id
 * @param {boolean} [same] whether its figures are the same ones, so that what was chosen and done to them holds
 */
export function readFigures(id, same = false) {
  running.get(id)?.stop.abort();
  running.delete(id);
  const picture = state.pictures.find((p) => p.id === id);
  if (!picture || picture.drawn) return;
  change(id, same ? { problem: null } : { found: null, chosen: null, edits: new Map(), problem: null });
  const stop = new AbortController();
  const now = /** @type {Picture} */ (state.pictures.find((p) => p.id === id));
  const done = ask({ ...now, chosen: null }, stop.signal).finally(() => {
    if (running.get(id)?.stop === stop) running.delete(id);
  });
  running.set(id, { stop, done });
}

/** Until the server has read every picture: a search then finds them in its memory. */
export async function figuresRead() {
  await Promise.all([...running.values()].map(({ done }) => done));
}

/** @param {Picture} picture @param {AbortSignal} signal */
async function ask(picture, signal) {
  // With the options of the search: turned copies are encoded once, too.
  const form = toForm({ pictures: [picture], seeds: [], like: "", options: { ...state.options }, filters: [], marks: { relevant: [], irrelevant: [] } });
  try {
    const answer = await postForm("figures", form, signal);
    const [found] = answer.pictures;
    const ofBrowser = picture.image && !picture.image.sent;
    const image = ofBrowser ? picture.image : found.sheet && (await shown(found.sheet));
    if (!signal.aborted) change(picture.id, { found, pages: found.pages, image });
  } catch (error) {
    if (signal.aborted || !(error instanceof ApiError)) return;
    change(picture.id, { problem: error.message });
  }
}

/** @param {Picture} picture @param {number} number @param {boolean} used */
export function chooseFigure(picture, number, used) {
  const all = picture.found?.figures.map((figure) => figure.number) ?? [];
  const kept = new Set(picture.chosen ?? all);
  if (used) kept.add(number);
  else kept.delete(number);
  change(picture.id, { chosen: kept.size === all.length ? null : all.filter((n) => kept.has(n)) });
}

/** This figure alone. @param {Picture} picture @param {number} number */
export function chooseOnly(picture, number) {
  change(picture.id, { chosen: [number] });
}

/** Crop and turn one figure. @param {Picture} picture @param {number} number @param {import("./state.js").Edit} edit */
export function editFigure(picture, number, edit) {
  const edits = new Map(picture.edits);
  if (edit.crop || edit.turn) edits.set(number, edit);
  else edits.delete(number);
  change(picture.id, { edits });
  readFigures(picture.id, true);
}

/** All figures of a picture, or none. @param {Picture} picture @param {boolean} all */
export function chooseAll(picture, all) {
  change(picture.id, { chosen: all ? null : [] });
}

/**
 * The pictures of the question of the results shown must not change: a picture is replaced.
 * @param {number} id @param {Partial<Picture>} values
 */
export function change(id, values) {
  if (!state.pictures.some((p) => p.id === id)) return;
  state.pictures = state.pictures.map((p) => (p.id === id ? { ...p, ...values } : p));
  emit("pictures");
}
