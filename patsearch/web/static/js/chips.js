/** The chips of the query's pictures: a picture, or the figures that the server found in it. */

import { thumbnail } from "./api.js";
import { openCrop, openFigure } from "./crop.js";
import { byId, h, icon, plural } from "./dom.js";
import { change, chooseAll, chooseFigure, chooseOnly, editFigure, readFigures } from "./figures.js";
import { drawPicture, png } from "./paint.js";
import { searchIfShown } from "./search.js";
import { emit, state } from "./state.js";

const CHIP = 104; // CSS pixels

/** @typedef {import("./state.js").Picture} Picture */

/** @param {Picture} picture */
export function chip(picture) {
  const figures = picture.found?.figures ?? [];
  const several = figures.length > 1 || picture.pages > 1 || Boolean(picture.found?.flat);
  const edit = h("button", { type: "button", class: "chip-edit", id: `edit-${picture.id}`, disabled: !picture.image && !picture.found, "aria-label": `Crop or turn ${picture.name}`, title: "Crop or turn" }, icon("crop"));
  edit.addEventListener("click", () => openCrop(picture));
  const out = h("button", { type: "button", class: "chip-remove", "aria-label": `Remove ${picture.name}`, title: "Remove" }, icon("close"));
  out.addEventListener("click", () => remove(picture.id));
  const name = h("span", { class: "chip-name", title: picture.name }, picture.name);
  const told = [...(picture.found?.remarks ?? []).map((text) => h("p", { class: "muted small" }, text.replace(`${picture.name}: `, ""))), picture.problem && h("p", { class: "field-error" }, picture.problem)];
  const classes = ["chip", picture.crop || picture.turn ? "edited" : "", several ? "document" : ""].filter(Boolean).join(" ");
  const proposed = picture.found?.crop && cropButton(picture, picture.found.crop);
  const shown = several ? tiles(picture) : h("div", { class: "chip-picture" }, preview(picture));
  return h("li", { class: classes, data: { testid: "chip" } }, shown, name, ...(several ? [choices(picture)] : []), ...told, proposed, (picture.found?.flat || !picture.flatten) && paperButton(picture), edit, out);
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

/** What was made of a photo of paper, or the photo as it is. @param {Picture} picture */
function paperButton(picture) {
  const text = picture.flatten ? "Use the photo as it is" : "Flatten the paper";
  const button = h("button", { type: "button", class: "small", "aria-label": `${text}: ${picture.name}`, id: `paper-${picture.id}` }, text);
  button.addEventListener("click", () => {
    change(picture.id, { flatten: !picture.flatten });
    readFigures(picture.id);
    searchIfShown();
  });
  return h("div", { class: "row chip-choices" }, button);
}

/** The picture as it will be searched. @param {Picture} picture */
function preview(picture) {
  const figure = picture.found?.figures[0];
  if (picture.image && !picture.image.sent) {
    const canvas = h("canvas", { role: "img", "aria-label": picture.name });
    drawPicture(canvas, picture, CHIP);
    return canvas;
  }
  if (figure) return h("img", { src: png(figure.picture), alt: picture.name });
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
      searchIfShown();
    });
    const image = h("img", { src: png(figure.picture), alt: "", loading: "lazy" });
    const classes = ["figure", used ? "" : "off", picture.edits.has(figure.number) ? "edited" : ""].filter(Boolean).join(" ");
    return h("li", { class: classes, data: { testid: "figure" } }, h("label", {}, image, h("span", {}, tick, figure.name)), figureButtons(picture, figure));
  });
  return h("ul", { class: "figures", "aria-label": `Figures found in ${picture.name}` }, ...list);
}

/** @param {Picture} picture @param {import("./state.js").Figure} figure */
function figureButtons(picture, figure) {
  const name = `${figure.name} of ${picture.name}`;
  const id = (/** @type {string} */ what) => `${what}-${picture.id}-${figure.number}`;
  const crop = h("button", { type: "button", class: "quiet icon-only", "aria-label": `Crop or turn ${name}`, title: "Crop or turn", id: id("crop") }, icon("crop"));
  crop.addEventListener("click", () => void openFigure(picture, figure));
  const turn = h("button", { type: "button", class: "quiet icon-only", "aria-label": `Turn ${name} right`, title: "Turn right", id: id("turn") }, icon("right"));
  turn.addEventListener("click", () => {
    const before = picture.edits.get(figure.number) ?? { crop: null, turn: 0 };
    editFigure(picture, figure.number, { ...before, turn: /** @type {any} */ ((before.turn + 90) % 360) });
    searchIfShown();
  });
  return h("span", { class: "figure-buttons" }, crop, turn);
}

/** How many figures are used, and of which page. @param {Picture} picture */
function choices(picture) {
  const count = picture.found?.figures.length ?? 0;
  const used = picture.chosen?.length ?? count;
  const figures = picture.found?.figures ?? [];
  const two = count === 2 && picture.found?.kind !== "model";
  /** @type {[string, string, boolean, () => void][]} */
  const ways = [
    [two ? "Both" : "All", `${two ? "Both" : "All"} of the figures of ${picture.name}`, used === count, () => chooseAll(picture, true)],
    ...(two
      ? figures.map((figure) => /** @type {[string, string, boolean, () => void]} */ ([`Only ${figure.name}`, `Only ${figure.name} of ${picture.name}`, used === 1 && picture.chosen?.[0] === figure.number, () => chooseOnly(picture, figure.number)]))
      : [/** @type {[string, string, boolean, () => void]} */ (["None", `None of the figures of ${picture.name}`, used === 0, () => chooseAll(picture, false)])]),
  ];
  const buttons = ways.map(([text, label, pressed, choose], place) => {
    const button = h("button", { type: "button", class: "small", "aria-label": label, "aria-pressed": String(pressed), id: `choose-${picture.id}-${place}` }, text);
    button.addEventListener("click", () => {
      choose();
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
      searchIfShown();
    });
    return button;
  });
  return h("span", { class: "row chip-choices", role: "group", "aria-label": `A view of ${picture.name} from another side` }, ...buttons);
}

/** Which axis of a model points up: files do not say. @param {Picture} picture */
function upChoice(picture) {
  const words = { "": "Up as usual", z: "Z is up", y: "Y is up" };
  const choice = h("select", { class: "chip-page", id: `up-${picture.id}`, "aria-label": `Axis of ${picture.name} that points up` });
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
  const choice = h("select", { class: "chip-page", id: `page-${picture.id}`, "aria-label": `Pages of ${picture.name}` }, h("option", { value: "" }, "All pages with drawings"));
  for (let page = 1; page <= picture.pages; page++) {
    choice.append(h("option", { value: String(page) }, `Page ${page} of ${picture.pages}`));
  }
  choice.value = picture.page ? String(picture.page) : "";
  choice.addEventListener("change", () => {
    // A crop is of the page for which it was chosen.
    change(picture.id, { page: Number(choice.value) || null, crop: null, image: null });
    readFigures(picture.id);
    searchIfShown();
  });
  return choice;
}

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
