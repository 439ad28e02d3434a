/** Searching, and showing more. */

import { postForm } from "./api.js";
import { figuresRead } from "./figures.js";
import { clearNotes, note, showError } from "./notes.js";
import { currentQuestion, isEmpty, toForm } from "./question.js";
import { emit, markedIds, state } from "./state.js";

/** @type {AbortController | null} the current search: a newer one replaces it */
let running = null;

/** Search with what the page holds now. */
export async function search() {
  const question = currentQuestion();
  clearNotes();
  if (isEmpty(question)) {
    note("info", "The query is empty.", "Drop a drawing, paste one, draw, or give a patent number.");
    return;
  }
  await ask(question, async (signal) => {
    await figuresRead();
    const answer = await postForm("search", toForm(question), signal);
    Object.assign(state, { asked: question, hits: answer.hits, more: answer.page.more, saved: null });
    emit("found", answer);
  });
}

/** Search again if results are shown: a filter or an option was changed. */
export function searchIfShown() {
  if (state.asked && !isEmpty(currentQuestion())) void search();
}

/** The next page of the results shown. */
export async function showMore() {
  const question = state.asked;
  if (!question) return;
  await ask(question, async (signal) => {
    const answer = await postForm("search", toForm(question, { offset: state.hits.length }), signal);
    const first = state.hits.length;
    state.hits = [...state.hits, ...answer.hits];
    state.more = answer.page.more;
    emit("appended", first);
  });
}

/** Search with the same pictures and all marks. */
export function searchAgain() {
  state.applied = markedIds();
  return search();
}

/** Search with a drawing of the index instead of the pictures. @param {import("./state.js").Seed} seed */
export function moreLike(seed) {
  Object.assign(state, { pictures: [], seeds: [seed], like: "" });
  leaveMarks();
  emit("pictures");
  return search();
}

/** Forget the question, its results and the drawing; filters and options stay. */
export function startAnew() {
  emit("forgotten");
  Object.assign(state, { pictures: [], seeds: [], like: "" });
  forgetMarks();
  clearNotes();
  emit("pictures");
  showNothing();
}

/** No results, as at first. */
export function showNothing() {
  running?.abort();
  Object.assign(state, { asked: null, hits: [], more: false, saved: null });
  emit("started");
}

/** Forget the marks for a search without them; the search before keeps its marks. */
export function leaveMarks() {
  emit("leaving");
  forgetMarks();
}

export function forgetMarks() {
  state.marks.clear();
  state.applied = { relevant: [], irrelevant: [] };
  emit("marks");
}

/**
 * Run one request at a time; an older one is cancelled.
 * @param {unknown} question
 * @param {(signal: AbortSignal) => Promise<void>} work
 */
export async function ask(question, work) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  emit("searching", question);
  try {
    await work(mine.signal);
  } catch (error) {
    if (mine.signal.aborted) return;
    showError(error);
    emit("failed", error);
  } finally {
    if (running === mine) running = null;
  }
}
