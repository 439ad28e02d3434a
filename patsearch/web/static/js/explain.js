/** Why a drawing matched: the two pictures side by side, coloured where they agree. */

import { postForm, thumbnail } from "./api.js";
import { caption } from "./card.js";
import { byId, h, showScore } from "./dom.js";
import { openDialog, openers } from "./dialogs.js";
import { showError } from "./notes.js";
import { toForm } from "./question.js";
import { state } from "./state.js";

/** Below this grey nothing is coloured: there is a little agreement everywhere. */
const FLOOR = 0.3;

/** @type {AbortController | null} */
let running = null;

/** @param {import("./state.js").Hit} hit */
export async function explain(hit) {
  if (!state.asked) return;
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const status = byId("explain-status");
  status.textContent = "Comparing the pictures …";
  byId("explain-title").textContent = `Why ${hit.patent} matched`;
  byId("explain-body").replaceChildren(h("figure", {}, h("div", { class: "heat-frame" }, h("img", { src: thumbnail(hit.drawing.id), alt: "" })), h("figcaption", {}, `${hit.patent}, ${caption(hit.drawing)}`)));
  const dialog = openDialog("explain-dialog", hit.drawing.id);
  try {
    const answer = await postForm("explain", toForm(state.asked, { drawing: hit.drawing.id }), mine.signal);
    if (running !== mine) return;
    const likeness = answer.likeness ? `, ${answer.likeness}` : "";
    status.textContent = `Score ${showScore(answer.score)}${likeness}. Method: ${answer.method}. Coloured where the two agree most.`;
    const asked = answer.query.map((/** @type {any} */ one) => figure(one, `Your picture: ${one.name}`));
    const columns = [h("div", { class: "heat-column" }, ...asked), h("div", { class: "heat-column" }, figure(answer.found, `${hit.patent}, ${caption(hit.drawing)}`))];
    byId("explain-body").replaceChildren(...columns);
  } catch (error) {
    if (mine.signal.aborted) return;
    dialog.close();
    showError(error);
  }
}

openers["explain-dialog"] = (drawing) => {
  const hit = state.hits.find((one) => one.drawing.id === drawing);
  if (!hit) return false;
  return void explain(hit);
};

/** @param {{picture: string, heat: string}} pictures @param {string} text */
function figure({ picture, heat }, text) {
  const canvas = h("canvas", { class: "heat", "aria-hidden": "true", data: { testid: "heat" } });
  canvas.style.opacity = opacity();
  canvas.hidden = !byId("heat-on").checked;
  void colour(canvas, png(heat));
  const frame = h("div", { class: "heat-frame" }, h("img", { src: png(picture), alt: text }), canvas);
  return h("figure", {}, frame, h("figcaption", {}, text));
}

/** @param {string} base64 */
const png = (base64) => `data:image/png;base64,${base64}`;

const opacity = () => String(Number(byId("heat-opacity").value) / 100);

/** Grey becomes yellow to red that lets the lines through. @param {HTMLCanvasElement} canvas @param {string} source */
async function colour(canvas, source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const value = Math.max(0, (data[i] / 255 - FLOOR) / (1 - FLOOR));
    data[i] = 255 - 45 * value;
    data[i + 1] = 190 * (1 - value) + 20;
    data[i + 2] = 30;
    data[i + 3] = 255 * Math.min(0.9, value * 1.1);
  }
  pen.putImageData(pixels, 0, 0);
}

export function startExplain() {
  const all = () => [...byId("explain-body").querySelectorAll("canvas.heat")];
  byId("heat-on").addEventListener("change", () => {
    for (const canvas of all()) canvas.hidden = !byId("heat-on").checked;
  });
  byId("heat-opacity").addEventListener("input", () => {
    for (const canvas of all()) canvas.style.opacity = opacity();
  });
  byId("explain-dialog").addEventListener("close", () => running?.abort());
}
