/** The question: taken from the page at one moment, so that the next page and the report are of the same question. */

import { filterLines } from "./filterlines.js";
import { state } from "./state.js";

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
  return !pictures.some(isUsed) && !seeds.length && !like && !marks.relevant.length;
}

/** What of a question decides which drawings are compared: not filters, options and marks. @param {Question} question */
export function compared({ pictures, seeds, like }) {
  const parts = pictures.map(({ id, crop, turn, page, up, view, chosen, edits, flatten }) => [id, crop, turn, page, up, view, chosen, [...edits], flatten]);
  return JSON.stringify([parts, seeds.map((seed) => seed.id), like]);
}

/** Whether any figure of a picture is used. @param {import("./state.js").Picture} picture */
const isUsed = (picture) => picture.chosen?.length !== 0;

/** As the API takes them. @param {import("./state.js").Picture["edits"]} edits */
const editsText = (edits) => [...edits].map(([number, { crop, turn }]) => `${number}${crop ? ` crop ${crop.x},${crop.y},${crop.w},${crop.h}` : ""}${turn ? ` turn ${turn}` : ""}`).join("; ");

/**
 * The form that the API takes.
 * @param {Question} question
 * @param {{offset?: number, top?: number, drawing?: string}} [more]
 */
export function toForm(question, { offset = 0, top, drawing } = {}) {
  const form = new FormData();
  for (const picture of question.pictures.filter(isUsed)) {
    const { crop } = picture;
    form.append("image", picture.file, picture.name);
    form.append("crop", crop ? `${crop.x},${crop.y},${crop.w},${crop.h}` : "");
    form.append("turn", String(picture.turn));
    form.append("page", picture.page ? String(picture.page) : "");
    form.append("up", picture.up);
    form.append("view", picture.view ? `${picture.view.around},${picture.view.above}` : "");
    form.append("figures", picture.chosen?.join(",") ?? "");
    form.append("edits", editsText(picture.edits));
    form.append("flatten", picture.flatten ? "" : "no");
  }
  if (question.like) form.append("like", question.like);
  for (const line of question.filters) form.append("filter", line);
  // "More like this" means other patents.
  for (const patent of new Set(question.seeds.map((seed) => seed.patent))) form.append("filter", `patent!=${patent}`);
  const relevant = new Set([...question.seeds.map((seed) => seed.id), ...question.marks.relevant]);
  for (const id of relevant) form.append("relevant", id);
  for (const id of question.marks.irrelevant) if (!relevant.has(id)) form.append("irrelevant", id);
  for (const [name, value] of Object.entries(question.options)) form.append(name, value);
  // What is drawn here has another style than any patent.
  const drawn = question.pictures.length > 0 && question.pictures.every((picture) => picture.drawn);
  if (drawn && !question.like) form.set("style", "0");
  if (top) form.set("top", String(top));
  if (offset) form.append("offset", String(offset));
  if (drawing) form.append("drawing", drawing);
  return form;
}
