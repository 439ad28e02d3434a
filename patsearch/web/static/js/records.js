/** The record of a search: reports, saving it, and opening a saved one. */

import { postForFile, postForm } from "./api.js";
import { askCover, askName } from "./dialogs.js";
import { byId } from "./dom.js";
import { clearNotes, note, showError } from "./notes.js";
import { plainFilters } from "./filterlines.js";
import { putFilters } from "./filters.js";
import { keepFile } from "./keep.js";
import { setOptions } from "./options.js";
import { setPictures } from "./pictures.js";
import { currentQuestion, toForm } from "./question.js";
import { ask, leaveMarks } from "./search.js";
import { emit, markedIds, state } from "./state.js";

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The question of the results shown, for as many results as are shown, with all marks. */
function form() {
  if (!state.asked) return null;
  const top = Math.min(state.limits?.top ?? 1000, Math.max(Number(state.asked.options.top), state.hits.length));
  return toForm({ ...state.asked, marks: markedIds() }, { top });
}

/**
 * Wait for a file with the button switched off.
 * @param {HTMLButtonElement} button
 * @param {string} path
 * @param {{name?: string, fields?: Record<string, string>}} [more] name: of the file, instead of the server's
 */
async function fetchFile(button, path, { name, fields = {} } = {}) {
  const asked = form();
  if (!asked) return;
  for (const [field, value] of Object.entries(fields)) if (value) asked.set(field, value);
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    const file = await postForFile(path, asked);
    download(file.blob, name ?? file.name);
    emit("filed");
  } catch (error) {
    showError(error);
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}

/** A name that every file system takes. @param {string} name */
const fileName = (name) => `${name.replace(/[^\p{L}\p{N} ._-]+/gu, "-").slice(0, 80).trim() || "search"}.json`;

async function save() {
  const first = state.asked?.pictures[0]?.name ?? state.asked?.seeds[0]?.label ?? state.asked?.like ?? "";
  const name = await askName(first.replace(/\.[a-z0-9]{1,5}$/i, "") || "search");
  if (name) await fetchFile(byId("save-search"), `records?name=${encodeURIComponent(name)}`, { name: fileName(name) });
}

/**
 * Restore the question of a saved search: its pictures as the file keeps them, patent, filter, options and marks.
 * @param {any} record
 */
async function restore(record) {
  state.like = record.like ?? "";
  await setPictures(record.pictures.map((/** @type {{name: string, png: string}} */ picture) => pictureFile(picture)));
  setOptions(record.options);
  putFilters({ ...plainFilters(), expert: record.where ? [record.where] : [] });
  for (const kind of /** @type {const} */ (["relevant", "irrelevant"])) {
    for (const id of record.options[kind] ?? []) state.marks.set(id, { kind, patent: patentOf(id) });
  }
  state.applied = markedIds();
  emit("marks");
}

/** @param {{name: string, png: string}} picture */
function pictureFile({ name, png }) {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  return new File([bytes], name, { type: "image/png" });
}

/** The patent that a drawing's id begins with, as in USD907292-D00001-1. @param {string} id */
const patentOf = (id) => state.hits.find((hit) => hit.drawings.some((drawing) => drawing.id === id))?.patent ?? id.split("-").slice(0, -2).join("-");

/** @param {File} file */
async function openSaved(file) {
  clearNotes();
  const body = new FormData();
  body.append("record", file, file.name);
  await ask(null, async (signal) => {
    const answer = await postForm("records/rerun", body, signal);
    leaveMarks();
    const saved = { name: answer.name, record: answer.record, fresh: new Set(answer.new), key: keepFile(file) };
    Object.assign(state, { asked: null, hits: answer.hits, more: false, saved });
    await restore(answer.record);
    state.asked = currentQuestion();
    emit("found", answer);
    emit("filed");
    const count = answer.new.length;
    if (count) note("info", `${count === 1 ? "One patent is" : `${count} patents are`} new since this search was last shown.`, "Download the updated file, so that they count as seen next time.");
    else note("info", "Nothing is new since this search was last shown.");
  });
}

/** Open a saved search again as it was left. @param {File} file @param {typeof state.marks} marks */
export async function reopenSaved(file, marks) {
  await openSaved(file);
  state.marks = marks;
  emit("marks");
}

function downloadUpdated() {
  const { saved } = state;
  if (!saved) return;
  const text = JSON.stringify(saved.record, null, 1);
  download(new Blob([text], { type: "application/json" }), fileName(saved.name));
}

export function startRecords() {
  for (const kind of ["html", "pdf"]) {
    const button = byId(`report-${kind}`);
    button.addEventListener("click", async () => {
      const fields = await askCover(kind.toUpperCase());
      if (fields) await fetchFile(button, `report?format=${kind}`, { fields });
    });
  }
  byId("save-search").addEventListener("click", () => void save());
  byId("download-updated").addEventListener("click", downloadUpdated);
  const input = byId("open-saved-file");
  byId("open-saved").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    if (file) void openSaved(file);
  });
}
