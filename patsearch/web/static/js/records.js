/** The record of a search: reports, saving it, and opening a saved one. */

import { postForFile, postForm } from "./api.js";
import { askName } from "./dialogs.js";
import { byId } from "./dom.js";
import { clearNotes, note, showError } from "./notes.js";
import { setOptions } from "./options.js";
import { setPictures } from "./pictures.js";
import { currentQuestion, toForm } from "./question.js";
import { ask, forgetMarks } from "./search.js";
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
 * @param {string} [name] of the file, instead of the server's
 */
async function fetchFile(button, path, name) {
  const asked = form();
  if (!asked) return;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    const file = await postForFile(path, asked);
    download(file.blob, name ?? file.name);
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
  if (name) await fetchFile(byId("save-search"), `records?name=${encodeURIComponent(name)}`, fileName(name));
}

/**
 * Restore the question of a saved search: its pictures as the file keeps them, patent, filter, options and marks.
 * @param {any} record
 */
async function restore(record) {
  state.like = record.like ?? "";
  await setPictures(record.pictures.map((/** @type {{name: string, png: string}} */ picture) => pictureFile(picture)));
  setOptions(record.options);
  for (const part of [state.filters.locarno, state.filters.uspc, state.filters.owners]) part.clear();
  Object.assign(state.filters, { from: "", to: "", title: "", ownerWords: "", inForce: "", expert: record.where ? [record.where] : [] });
  for (const kind of /** @type {const} */ (["relevant", "irrelevant"])) {
    for (const id of record.options[kind] ?? []) state.marks.set(id, { kind, patent: patentOf(id) });
  }
  state.applied = markedIds();
  emit("filters");
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
    forgetMarks();
    const saved = { name: answer.name, record: answer.record, fresh: new Set(answer.new) };
    Object.assign(state, { asked: null, hits: answer.hits, more: false, saved });
    await restore(answer.record);
    state.asked = currentQuestion();
    emit("found", answer);
    const count = answer.new.length;
    if (count) note("info", `${count === 1 ? "One patent is" : `${count} patents are`} new since this search was last shown.`, "Download the updated file, so that they count as seen next time.");
    else note("info", "Nothing is new since this search was last shown.");
  });
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
    button.addEventListener("click", () => void fetchFile(button, `report?format=${kind}`));
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
