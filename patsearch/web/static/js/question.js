/** What is asked: taken from the page at one moment, so that the next page and the report are of the same question. */

import { filterLines } from "./filterlines.js";
import { state } from "./state.js";

const RERANK = "7,2,0.5";

/**
 * @typedef {object} Question
 * @property {import("./state.js").Picture[]} pictures
 * @property {import("./state.js").Seed[]} seeds
 * @property {string} like
 * @property {typeof state.options} options
 * @property {string[]} filters
 * @property {import("./state.js").Applied} marks
 */

/** @returns {Question} */
export function currentQuestion() {
  return {
    pictures: state.pictures.map((picture) => ({ ...picture })),
    seeds: [...state.seeds],
    like: state.like.trim(),
    options: { ...state.options },
    filters: filterLines(state.filters),
    marks: { relevant: [...state.applied.relevant], irrelevant: [...state.applied.irrelevant] },
  };
}

/** Whether there is nothing to search with. @param {Question} question */
export function isEmpty({ pictures, seeds, like, marks }) {
  return !pictures.length && !seeds.length && !like && !marks.relevant.length;
}

/**
 * The form that the API takes.
 * @param {Question} question
 * @param {{offset?: number, top?: number, drawing?: string}} [more]
 */
export function toForm(question, { offset = 0, top, drawing } = {}) {
  const form = new FormData();
  for (const picture of question.pictures) {
    const { crop } = picture;
    form.append("image", picture.file, picture.name);
    form.append("crop", crop ? `${crop.x},${crop.y},${crop.w},${crop.h}` : "");
    form.append("turn", String(picture.turn));
  }
  if (question.like) form.append("like", question.like);
  for (const line of question.filters) form.append("filter", line);
  const relevant = new Set([...question.seeds.map((seed) => seed.id), ...question.marks.relevant]);
  for (const id of relevant) form.append("relevant", id);
  for (const id of question.marks.irrelevant) if (!relevant.has(id)) form.append("irrelevant", id);
  const { options } = question;
  if (options.rotations) form.append("rotations", "true");
  if (options.mirror) form.append("mirror", "true");
  // Whoever draws here has another pen than any patent.
  const drawn = question.pictures.length > 0 && question.pictures.every((picture) => picture.drawn);
  if (options.shape || (drawn && !question.like)) form.append("shape", "true");
  if (options.rerank) form.append("rerank", RERANK);
  if (options.minScore > 0) form.append("min_score", options.minScore.toFixed(2));
  form.append("top", String(top ?? options.top));
  if (offset) form.append("offset", String(offset));
  if (drawing) form.append("drawing", drawing);
  return form;
}
