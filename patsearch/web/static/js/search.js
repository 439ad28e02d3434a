/** Searching, showing more, and going back. */

import { postForm } from "./api.js";
import { figuresRead } from "./figures.js";
import { clearNotes, note, showError } from "./notes.js";
import { currentQuestion, isEmpty, toForm } from "./question.js";
import { emit, markedIds, state } from "./state.js";

/** @typedef {{pictures: any[], seeds: any[], like: string, marks: any[], applied: any}} Before */

/** @type {AbortController | null} the current search: a newer one replaces it */
let running = null;
/** @type {Before[]} */
const before = [];

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
  before.push(snapshot());
  Object.assign(state, { pictures: [], seeds: [seed], like: "" });
  forgetMarks();
  emit("pictures");
  return search();
}

/** Whether there is an earlier question to go back to. */
export const canGoBack = () => before.length > 0;

export function goBack() {
  const last = before.pop();
  if (!last) return;
  Object.assign(state, { ...last, marks: new Map(last.marks) });
  emit("pictures");
  emit("marks");
  void search();
}

/** Forget the question and its results; filters and options stay. */
export function startAnew() {
  running?.abort();
  before.length = 0;
  Object.assign(state, { pictures: [], seeds: [], like: "", asked: null, hits: [], more: false, saved: null });
  forgetMarks();
  clearNotes();
  emit("pictures");
  emit("started");
}

export function forgetMarks() {
  state.marks.clear();
  state.applied = { relevant: [], irrelevant: [] };
  emit("marks");
}

/** @returns {Before} */
function snapshot() {
  const { pictures, seeds, like, marks, applied } = state;
  return { pictures, seeds, like, marks: [...marks], applied };
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
