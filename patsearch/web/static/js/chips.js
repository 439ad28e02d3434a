/** The chips of the query's pictures: a picture, or the figures that the server found in it. */

import { thumbnail } from "./api.js";
import { openCrop } from "./crop.js";
import { byId, h, icon, plural } from "./dom.js";
import { change, chooseAll, chooseFigure, figuresRead, readFigures } from "./figures.js";
import { drawPicture } from "./paint.js";
import { searchIfShown } from "./search.js";
import { emit, state } from "./state.js";

const CHIP = 104; // CSS pixels

/** @typedef {import("./state.js").Picture} Picture */

/** @param {Picture} picture */
export function chip(picture) {
  const figures = picture.found?.figures ?? [];
  const several = figures.length > 1 || picture.pages > 1;
  const edit = h("button", { type: "button", class: "chip-edit", "aria-label": `Crop or turn ${picture.name}`, title: "Crop or turn" }, icon("crop"));
  edit.addEventListener("click", () => openCrop(picture));
  const out = h("button", { type: "button", class: "chip-remove", "aria-label": `Remove ${picture.name}`, title: "Remove" }, icon("close"));
  out.addEventListener("click", () => remove(picture.id));
  const name = h("span", { class: "chip-name", title: picture.name }, picture.name);
  const told = [...(picture.found?.remarks ?? []).map((text) => h("p", { class: "muted small" }, text.replace(`${picture.name}: `, ""))), picture.problem && h("p", { class: "field-error" }, picture.problem)];
  const classes = ["chip", picture.crop || picture.turn ? "edited" : "", several ? "document" : ""].filter(Boolean).join(" ");
  const proposed = picture.found?.crop && cropButton(picture, picture.found.crop);
  const shown = several ? tiles(picture) : h("div", { class: "chip-picture" }, preview(picture));
  return h("li", { class: classes, data: { testid: "chip" } }, shown, name, ...(several ? [choices(picture)] : []), ...told, proposed, edit, out);
}

/** A screenshot can be cropped to the drawing in it. @param {Picture} picture @param {string} crop x,y,width,height */
function cropButton(picture, crop) {
  const button = h("button", { type: "button", class: "small", "aria-label": `Crop ${picture.name} to its drawing` }, "Crop to the drawing");
  button.addEventListener("click", () => {
    const [x, y, w, h_] = crop.split(",").map(Number);
    change(picture.id, { crop: { x, y, w, h: h_ } });
    readFigures(picture.id);
    searchIfShown();
  });
  return h("div", { class: "row chip-choices" }, button);
}

/** The picture as it will be searched. @param {Picture} picture */
function preview(picture) {
  const figure = picture.found?.figures[0];
  if (picture.image) {
    const canvas = h("canvas", { role: "img", "aria-label": picture.name });
    drawPicture(canvas, picture, CHIP);
    return canvas;
  }
  if (figure) return h("img", { src: png(figure), alt: picture.name });
  const kind = /\.([a-z0-9]{1,5})$/i.exec(picture.name)?.[1] ?? "file";
  const state_ = picture.problem ? "cannot be read" : picture.drawn ? "no preview" : "reading …";
  return h("span", { class: "placeholder", role: "img", "aria-label": `${picture.name}, ${state_}` }, kind.toUpperCase(), h("small", {}, state_));
}

/** The figures, each with a tick. @param {Picture} picture */
function tiles(picture) {
  const figures = picture.found?.figures;
  if (!figures) return h("div", { class: "chip-picture" }, preview(picture));
  const list = figures.map((figure) => {
    const used = picture.chosen?.includes(figure.number) ?? true;
    const tick = h("input", { type: "checkbox", checked: used, "aria-label": `Use ${figure.name || picture.name}`, id: `figure-${picture.id}-${figure.number}` });
    tick.addEventListener("change", () => {
      chooseFigure(picture, figure.number, tick.checked);
      byId(tick.id).focus(); // the list was made again
      searchIfShown();
    });
    const image = h("img", { src: png(figure), alt: "", loading: "lazy" });
    return h("li", { class: used ? "figure" : "figure off", data: { testid: "figure" } }, h("label", {}, image, h("span", {}, tick, figure.name)));
  });
  return h("ul", { class: "figures", "aria-label": `Figures found in ${picture.name}` }, ...list);
}

/** How many figures are used, and of which page. @param {Picture} picture */
function choices(picture) {
  const count = picture.found?.figures.length ?? 0;
  const used = picture.chosen?.length ?? count;
  const buttons = [["All", true], ["None", false]].map(([text, all]) => {
    const button = h("button", { type: "button", class: "small", "aria-label": `${text} of the figures of ${picture.name}`, disabled: used === (all ? count : 0) }, text);
    button.addEventListener("click", () => {
      chooseAll(picture, Boolean(all));
      searchIfShown();
    });
    return button;
  });
  const text = count && h("span", { class: "small", role: "status", data: { testid: "figures-used" } }, `${used} of ${plural(count, "figure")} used`);
  return h("div", { class: "row chip-choices" }, text, ...(count > 1 ? buttons : []), picture.pages > 1 && pageChoice(picture), ...(picture.found?.kind === "model" ? [upChoice(picture), turnButtons(picture)] : []));
}

const STEP = 30; // degrees
const PERSPECTIVE = { around: -50, above: 25 }; // the first of the seven views

/** A model is turned for a further view, its last figure. @param {Picture} picture */
function turnButtons(picture) {
  const ways = { left: [STEP, 0, "←"], right: [-STEP, 0, "→"], up: [0, -STEP, "↑"], down: [0, STEP, "↓"] };
  const buttons = Object.entries(ways).map(([way, [around, above, arrow]]) => {
    const button = h("button", { type: "button", class: "small", "aria-label": `Turn ${picture.name} ${way}`, id: `turn-${way}-${picture.id}` }, arrow);
    button.addEventListener("click", () => {
      const from = picture.view ?? PERSPECTIVE;
      const turned = { around: ((from.around + Number(around) + 540) % 360) - 180, above: Math.max(-90, Math.min(90, from.above + Number(above))) };
      const { chosen, view } = picture;
      change(picture.id, { view: turned });
      readFigures(picture.id);
      if (view && chosen) change(picture.id, { chosen }); // the same figures, the last of them turned
      // The list is made again, also when the server has answered.
      void figuresRead().then(() => document.activeElement === document.body && document.getElementById(button.id)?.focus());
      searchIfShown();
    });
    return button;
  });
  return h("span", { class: "row chip-choices", role: "group", "aria-label": `A view of ${picture.name} from another side` }, ...buttons);
}

/** Which axis of a model points up: files do not say. @param {Picture} picture */
function upChoice(picture) {
  const words = { "": "Up as usual", z: "Z is up", y: "Y is up" };
  const choice = h("select", { class: "chip-page", "aria-label": `Axis of ${picture.name} that points up` });
  for (const [value, text] of Object.entries(words)) choice.append(h("option", { value }, text));
  choice.value = picture.up;
  choice.addEventListener("change", () => {
    change(picture.id, { up: choice.value });
    readFigures(picture.id);
    searchIfShown();
  });
  return choice;
}

/** Which page of a file is searched. @param {Picture} picture */
function pageChoice(picture) {
  const choice = h("select", { class: "chip-page", "aria-label": `Pages of ${picture.name}` }, h("option", { value: "" }, "All pages with drawings"));
  for (let page = 1; page <= picture.pages; page++) {
    choice.append(h("option", { value: String(page) }, `Page ${page} of ${picture.pages}`));
  }
  choice.value = picture.page ? String(picture.page) : "";
  choice.addEventListener("change", () => {
    // A crop is of the page for which it was chosen.
    change(picture.id, { page: Number(choice.value) || null, crop: null });
    readFigures(picture.id);
    searchIfShown();
  });
  return choice;
}

/** @param {import("./state.js").Figure} figure */
const png = (figure) => `data:image/png;base64,${figure.picture}`;

/** @param {number} id */
function remove(id) {
  const place = state.pictures.findIndex((p) => p.id === id);
  state.pictures = state.pictures.filter((p) => p.id !== id);
  readFigures(id); // none any more
  emit("pictures");
  const left = byId("chips").querySelectorAll(".chip-remove");
  (left[Math.min(place, left.length - 1)] ?? byId("choose-files")).focus();
}

/** @param {import("./state.js").Seed} seed */
export function seedChip(seed) {
  const image = h("img", { src: thumbnail(seed.id), alt: "", width: CHIP, height: CHIP });
  const out = h("button", { type: "button", class: "chip-remove", "aria-label": `Remove ${seed.label}`, title: "Remove" }, icon("close"));
  out.addEventListener("click", () => {
    state.seeds = state.seeds.filter((s) => s !== seed);
    emit("pictures");
    byId("choose-files").focus();
  });
  return h("li", { class: "chip seed", data: { testid: "seed" } }, h("div", { class: "chip-picture" }, image), h("span", { class: "chip-name", title: seed.label }, seed.label), out);
}
