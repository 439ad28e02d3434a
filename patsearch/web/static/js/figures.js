/** What the server finds in a picture of the query: the figures of a sheet or document, which the user may leave out. */

import { ApiError, postForm } from "./api.js";
import { toForm } from "./question.js";
import { emit, state } from "./state.js";

/** @typedef {import("./state.js").Picture} Picture */

/** Requests under way, by the picture's id. @type {Map<number, {stop: AbortController, done: Promise<void>}>} */
const running = new Map();

/** Ask the server what is in a picture as it is cropped and turned now. What is drawn here is known. @param {number} id */
export function readFigures(id) {
  running.get(id)?.stop.abort();
  running.delete(id);
  const picture = state.pictures.find((p) => p.id === id);
  if (!picture || picture.drawn) return;
  change(id, { found: null, chosen: null, problem: null });
  const stop = new AbortController();
  const done = ask({ ...picture, chosen: null }, stop.signal).finally(() => {
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
    if (!signal.aborted) change(picture.id, { found: answer.pictures[0], pages: answer.pictures[0].pages });
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
