/** The pictures of the query: chosen, dropped, pasted or drawn, and shown as chips. */

import { chip, seedChip } from "./chips.js";
import { byId, plural } from "./dom.js";
import { readFigures } from "./figures.js";
import { note } from "./notes.js";
import { keepFile } from "./keep.js";
import { startAnew } from "./search.js";
import { emit, on, state } from "./state.js";

const MIB = 1 << 20;
let nextId = 1;

/** @typedef {import("./state.js").Picture} Picture */

/** Until all pictures given so far are in the query: reading them takes a moment. @type {Promise<unknown>} */
let taking = Promise.resolve();

export const picturesTaken = () => taking;

/**
 * Add files to the query, within the server's limits.
 * @param {Iterable<File>} files
 * @param {number | null} [replace] id of a picture that the first file replaces
 * @param {boolean} [drawn] on the page's canvas
 * @returns {Promise<number | null>} id of the last one taken
 */
export function addPictures(files, replace = null, drawn = false) {
  const added = add(files, replace, drawn);
  taking = Promise.allSettled([taking, added]);
  return added;
}

/** @param {Iterable<File>} files @param {number | null} replace @param {boolean} drawn */
async function add(files, replace, drawn) {
  let last = null;
  for (const file of files) {
    const picture = await take(file, replace, drawn);
    if (!picture) continue;
    const place = state.pictures.findIndex((p) => p.id === replace);
    if (place >= 0) state.pictures = state.pictures.with(place, picture);
    else state.pictures = [...state.pictures, picture];
    // The user's own pictures and "more like this" are different questions.
    state.seeds = [];
    last = picture.id;
    emit("pictures");
    readFigures(picture.id);
  }
  return last;
}

/** Make these the pictures of the query. @param {Iterable<File>} files */
export async function setPictures(files) {
  Object.assign(state, { pictures: [], seeds: [] });
  await addPictures(files);
  emit("pictures");
}

/** @param {File} file @param {number | null} replace @param {boolean} drawn @returns {Promise<Picture | null>} */
async function take(file, replace, drawn) {
  const { limits } = state;
  const kept = state.pictures.filter((p) => p.id !== replace);
  const refuse = (/** @type {string} */ message, hint = "Send a smaller copy of the drawing.") => {
    note("warning", message, hint);
    return null;
  };
  if (!file.size) return refuse(`${file.name} is empty.`, "");
  if (limits) {
    if (kept.length >= limits.pictures) {
      return refuse(`${file.name} was left out.`, `One query takes up to ${plural(limits.pictures, "picture")}.`);
    }
    if (file.size > limits.picture_bytes) {
      return refuse(`${file.name} is larger than ${Math.floor(limits.picture_bytes / MIB)} MiB.`);
    }
    if (kept.reduce((sum, p) => sum + p.file.size, file.size) > limits.bytes * 0.98) {
      return refuse(`${file.name} was left out.`, `One query takes up to ${Math.floor(limits.bytes / MIB)} MiB in all.`);
    }
  }
  // Held in memory: a file that changes on the disk in the meantime could not be sent.
  const bytes = await file.arrayBuffer();
  const data = new File([bytes], file.name, { type: file.type });
  const picture = await pictureOf(data, { name: file.name || "picture", drawn });
  const { image } = picture;
  if (image && limits && image.width * image.height > limits.pixels) {
    return refuse(`${file.name} has more than ${Math.floor(limits.pixels / 1e6)} million pixels.`);
  }
  return { ...picture, key: keepFile(data) };
}

/** @param {File} file @param {Partial<Picture>} values what is known of it @returns {Promise<Picture>} */
export async function pictureOf(file, values) {
  const image = await decode(file);
  return { id: nextId++, key: "", file, name: "picture", image, drawn: false, crop: null, turn: 0, page: null, pages: 1, up: "", view: null, found: null, chosen: null, edits: new Map(), flatten: true, problem: null, ...values };
}

/** The picture as the browser shows it, upright; null where it cannot. @param {File} file @returns {Promise<import("./state.js").Shown | null>} */
async function decode(file) {
  const url = URL.createObjectURL(file);
  const element = new Image();
  element.src = url;
  try {
    await element.decode();
    return { element, width: element.naturalWidth, height: element.naturalHeight, sent: false };
  } catch {
    URL.revokeObjectURL(url);
    return null;
  }
}

/** Id of the element that had the focus before the chips were made again; it may be there only once the server has answered. */
let held = "";

function render() {
  const chips = [...state.seeds.map(seedChip), ...state.pictures.map(chip)];
  if (byId("chips").contains(document.activeElement)) held = document.activeElement.id;
  else if (document.activeElement !== document.body) held = "";
  byId("chips").replaceChildren(...chips);
  const again = held && document.getElementById(held);
  if (again) {
    again.focus({ preventScroll: true });
    held = "";
  }
  byId("chips").hidden = !chips.length;
  byId("query-empty").hidden = chips.length > 0;
  byId("drop-zone").classList.toggle("filled", chips.length > 0);
  byId("clear-query").hidden = !chips.length && !state.asked;
  byId("back-button").hidden = !state.canGoBack || !state.seeds.length;
  byId("like").value = state.like;
}

/** Wire the sources of pictures. */
export function startPictures() {
  const input = byId("file-input");
  byId("choose-files").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    void addPictures([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
  byId("clear-query").addEventListener("click", () => {
    startAnew();
    byId("choose-files").focus();
  });
  byId("back-button").addEventListener("click", () => history.back());
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((f) => f.type.startsWith("image/") || f.type === "application/pdf" || /\.(tiff?|stl|obj|glb|gltf|3mf|step|stp)$/i.test(f.name));
    if (!files.length) return;
    event.preventDefault();
    void addPictures(files);
  });
  startPasteButton();
  startDropping();
  for (const name of ["pictures", "found", "started", "visited"]) on(name, render);
  render();
}

function startPasteButton() {
  // Only offered where the page may read the clipboard: on this machine or over HTTPS.
  const button = byId("paste-button");
  button.hidden = !navigator.clipboard?.read;
  button.addEventListener("click", async () => {
    try {
      const files = [];
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((t) => t.startsWith("image/"));
        if (type) files.push(new File([await item.getType(type)], `pasted.${type.slice(6)}`, { type }));
      }
      if (files.length) await addPictures(files);
      else note("info", "The clipboard has no picture.", "Copy a picture first.");
    } catch {
      note("warning", "The browser did not let this page read the clipboard.", "Press Ctrl+V instead.");
    }
  });
}

function startDropping() {
  const veil = byId("drop-veil");
  let depth = 0; // dragenter and dragleave also come from every element inside
  const holdsFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  const show = (/** @type {boolean} */ on) => {
    if (!on) depth = 0;
    veil.hidden = !on;
  };
  document.addEventListener("dragstart", (event) => {
    if (event.target instanceof HTMLImageElement) event.preventDefault();
  });
  document.addEventListener("dragenter", (event) => {
    if (!holdsFiles(event)) return;
    depth += 1;
    show(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (holdsFiles(event) && --depth <= 0) show(false);
  });
  document.addEventListener("dragover", (event) => {
    if (holdsFiles(event)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    show(false);
    void addPictures([...event.dataTransfer.files]);
  });
}
