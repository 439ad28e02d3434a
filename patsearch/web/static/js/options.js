/** How is searched: turned, mirrored, ordered, how many. */

import { byId } from "./dom.js";
import { search, searchIfShown } from "./search.js";
import { emit, state } from "./state.js";

/** What is not as usual, in words beside the closed options. */
function summarize() {
  const { options } = state;
  const words = [];
  if (options.rotations) words.push("turned");
  if (options.mirror) words.push("mirrored");
  if (options.shape) words.push("by shape");
  if (options.rerank) words.push("re-ranked");
  if (options.minScore > 0) words.push(`score from ${options.minScore.toFixed(2)}`);
  if (options.top !== 20) words.push(`${options.top} at a time`);
  byId("options-summary").textContent = words.length ? `(${words.join(", ")})` : "";
}

function changed() {
  summarize();
  searchIfShown();
}

export function startOptions() {
  const { options } = state;
  for (const name of /** @type {const} */ (["rotations", "mirror", "shape", "rerank"])) {
    const box = byId(`opt-${name}`);
    options[name] = box.checked; // browsers keep what was chosen when a page is loaded again
    box.addEventListener("change", () => {
      options[name] = box.checked;
      changed();
    });
  }
  const slider = byId("min-score");
  const read = () => {
    options.minScore = Number(slider.value);
    const text = options.minScore > 0 ? options.minScore.toFixed(2) : "off";
    byId("min-score-value").textContent = text;
    slider.setAttribute("aria-valuetext", text);
  };
  slider.addEventListener("input", () => {
    read();
    emit("threshold");
  });
  slider.addEventListener("change", changed);
  const top = byId("top");
  const readTop = () => (options.top = Number(top.value));
  top.addEventListener("change", () => {
    readTop();
    changed();
  });
  read();
  readTop();
  summarize();

  const like = byId("like");
  state.like = like.value;
  like.addEventListener("input", () => (state.like = like.value));
  byId("query-form").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    void search();
  });
}
