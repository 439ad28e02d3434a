/** The dialog in which a picture is cropped and turned. The server crops first and then turns, and so does this. */

import { CropBox } from "./cropbox.js";
import { byId } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { change, editFigure, readFigures } from "./figures.js";
import { drawPicture, shown } from "./paint.js";
import { searchIfShown } from "./search.js";

/**
 * @typedef {import("./state.js").Picture} Picture
 * @typedef {import("./state.js").Edit} Edit
 * @typedef {object} Edited what the dialog is for
 * @property {string} name
 * @property {import("./state.js").Shown | null} image
 * @property {Edit} before
 * @property {(edit: Edit) => void} use
 */

/** @type {Edited | null} */
let edited = null;
/** @type {import("./state.js").Turn} */
let turn = 0;
/** @type {CropBox | null} */
let box = null;

/** @param {Picture} picture */
export function openCrop(picture) {
  const use = (/** @type {Edit} */ edit) => {
    change(picture.id, edit);
    readFigures(picture.id);
  };
  open({ name: picture.name, image: picture.image, before: picture, use });
}

/** Of one figure of a picture. @param {Picture} picture @param {import("./state.js").Figure} figure */
export async function openFigure(picture, figure) {
  const image = await shown({ ...figure, picture: figure.whole ?? figure.picture });
  const before = picture.edits.get(figure.number) ?? { crop: null, turn: 0 };
  open({ name: `${figure.name || "the figure"} of ${picture.name}`, image, before, use: (edit) => editFigure(picture, figure.number, edit) });
}

/** @param {Edited} what */
function open(what) {
  edited = what;
  turn = what.before.turn;
  const { image } = what;
  byId("crop-title").textContent = `Crop or turn ${what.name}`;
  for (const id of ["crop-stage", "crop-help", "crop-numbers"]) byId(id).hidden = !image;
  byId("crop-none").hidden = Boolean(image);
  openDialog("crop-dialog");
  if (image) {
    const room = byId("crop-stage").parentElement.clientWidth;
    const side = Math.min(room * Math.max(1, image.height / image.width), window.innerHeight * 0.58, 900);
    const scale = Math.min(room / image.width, side / image.height);
    drawPicture(byId("crop-picture"), { image, crop: null, turn: 0 }, Math.max(image.width, image.height) * scale);
    box?.place(image, what.before.crop);
  }
  preview();
}

function preview() {
  byId("turn-value").textContent = String(turn);
  const canvas = byId("crop-preview");
  canvas.hidden = !edited?.image;
  if (!edited?.image || !box) return;
  drawPicture(canvas, { image: edited.image, crop: box.crop(), turn }, 190);
  const { x, y, w, h } = box.rectangle();
  for (const [name, value] of Object.entries({ x, y, w, h })) {
    const field = byId(`crop-${name}`);
    if (document.activeElement !== field) field.value = String(value);
  }
}

/** @param {number} by */
function rotate(by) {
  turn = /** @type {any} */ ((turn + by + 360) % 360);
  preview();
}

function readNumbers() {
  const value = (/** @type {string} */ name) => Math.round(Number(byId(`crop-${name}`).value) || 0);
  box?.set({ x: value("x"), y: value("y"), w: value("w"), h: value("h") });
}

function apply() {
  if (!edited) return;
  const crop = edited.image && box ? box.crop() : null;
  const { use } = edited;
  byId("crop-dialog").close();
  use({ crop, turn });
  searchIfShown();
}

export function startCrop() {
  box = new CropBox(byId("crop-stage"), byId("crop-box"), preview);
  byId("turn-left").addEventListener("click", () => rotate(-90));
  byId("turn-right").addEventListener("click", () => rotate(90));
  byId("crop-whole").addEventListener("click", () => box?.whole());
  byId("crop-apply").addEventListener("click", apply);
  for (const name of ["x", "y", "w", "h"]) byId(`crop-${name}`).addEventListener("input", readNumbers);
  for (const name of ["x", "y", "w", "h"]) byId(`crop-${name}`).addEventListener("blur", preview);
}
