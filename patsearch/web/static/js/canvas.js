/** The drawing surface: mouse, pen and touch; lines have the chosen width at any pressure. */

import { byId, isTyping } from "./dom.js";
import { addPictures } from "./pictures.js";
import { search } from "./search.js";
import { emit, on, state } from "./state.js";
import { Strokes, paintStroke } from "./strokes.js";

let strokes = new Strokes();
/** @type {HTMLCanvasElement} */
let canvas;
/** @type {HTMLCanvasElement} what is finished, so that a stroke under way paints itself alone */
let finished;
/** @type {import("./strokes.js").Stroke | null} */
let current = null;
/** @type {number | null} */
let pointer = null;
/** @type {"pen" | "line" | "eraser"} */
let tool = "pen";
let mirror = false;
/** @type {string | null} key of the query picture that this drawing became, and becomes again when it is changed */
let usedAs = null;
let frame = 0;

const width = () => Number(byId("line-width").value);

function repaint() {
  const pen = finished.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, finished.width, finished.height);
  for (const stroke of strokes.visible) paintStroke(pen, stroke, finished.width);
  show();
}

function show() {
  frame = 0;
  const pen = canvas.getContext("2d");
  pen.drawImage(finished, 0, 0);
  if (current) paintStroke(pen, current, canvas.width);
  if (mirror) axis(pen);
}

/** The axis is shown and never part of the drawing. @param {CanvasRenderingContext2D} pen */
function axis(pen) {
  pen.save();
  pen.setLineDash([10, 10]);
  pen.strokeStyle = "#7a9cc4";
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(canvas.width / 2, 0);
  pen.lineTo(canvas.width / 2, canvas.height);
  pen.stroke();
  pen.restore();
}

function refresh() {
  byId("undo").disabled = !strokes.canUndo;
  byId("redo").disabled = !strokes.canRedo;
  byId("clear-canvas").disabled = strokes.isEmpty;
  byId("use-drawing").disabled = strokes.isEmpty;
  byId("canvas-hint").hidden = Boolean(current) || !strokes.isEmpty;
}

/** @param {PointerEvent} event @returns {[number, number]} */
function at(event) {
  const on = canvas.getBoundingClientRect();
  return [((event.clientX - on.left) / on.width) * canvas.width, ((event.clientY - on.top) / on.height) * canvas.height];
}

/** @param {PointerEvent} event */
function down(event) {
  // One pointer draws; a second finger, or a palm next to a pen, does not.
  if (pointer !== null || (event.pointerType === "mouse" && event.button !== 0)) return;
  event.preventDefault();
  pointer = event.pointerId;
  canvas.setPointerCapture(pointer);
  // A pen's eraser end erases.
  const used = event.buttons & 32 ? "eraser" : tool;
  current = { tool: used, width: width(), mirror, points: [at(event)] };
  refresh();
  show();
}

/** @param {PointerEvent} event */
function move(event) {
  if (event.pointerId !== pointer || !current) return;
  if (current.tool === "line") current.points = [current.points[0], straight(current.points[0], at(event), event.shiftKey)];
  else for (const step of coalesced(event)) current.points.push(at(step));
  if (!frame) frame = requestAnimationFrame(show);
}

/** @param {PointerEvent} event */
function coalesced(event) {
  const steps = event.getCoalescedEvents?.() ?? [];
  return steps.length ? steps : [event];
}

/** With Shift, a line goes level, upright or halfway between. */
function straight(/** @type {[number, number]} */ [x, y], /** @type {[number, number]} */ to, /** @type {boolean} */ snap) {
  if (!snap) return to;
  const angle = Math.round(Math.atan2(to[1] - y, to[0] - x) / (Math.PI / 4)) * (Math.PI / 4);
  const length = Math.hypot(to[0] - x, to[1] - y);
  return /** @type {[number, number]} */ ([x + Math.cos(angle) * length, y + Math.sin(angle) * length]);
}

/** @param {PointerEvent} event */
function up(event) {
  if (event.pointerId !== pointer || !current) return;
  strokes.add(current);
  paintStroke(finished.getContext("2d"), current, finished.width);
  pointer = null;
  current = null;
  show();
  refresh();
  emit("drawn");
}

/** @param {"undo" | "redo"} step */
function go(step) {
  if (current) return;
  strokes[step]();
  repaint();
  refresh();
  emit("drawn");
}

function clear() {
  strokes.add({ tool: "clear", width: 0, mirror: false, points: [] });
  usedAs = null;
  repaint();
  refresh();
  emit("drawn");
  canvas.focus();
}

/** What is drawn, to be kept; points to a tenth of a pixel. */
export function drawingKept() {
  const to = (/** @type {number} */ value) => Math.round(value * 10) / 10;
  const all = strokes.all.map((stroke) => ({ ...stroke, points: stroke.points.map(([x, y]) => [to(x), to(y)]) }));
  return { strokes: all, used: usedAs, open: !byId("draw-panel").hidden };
}

/** @param {ReturnType<typeof drawingKept> | null} kept null for an empty sheet */
export function restoreDrawing(kept) {
  strokes = new Strokes(/** @type {any} */ (kept?.strokes ?? []));
  usedAs = kept?.used ?? null;
  current = null;
  repaint();
  refresh();
  if (kept) toggleDrawing(kept.open);
}

async function use() {
  const blob = await new Promise((resolve) => finished.toBlob(resolve, "image/png"));
  const replaced = state.pictures.find((picture) => picture.key === usedAs)?.id ?? null;
  const taken = await addPictures([new File([blob], "drawing.png", { type: "image/png" })], replaced, true);
  if (taken === null) return;
  usedAs = state.pictures.find((picture) => picture.id === taken)?.key ?? null;
  emit("drawn");
  if (byId("auto-search").checked) await search();
}

/** @param {typeof tool} chosen */
function choose(chosen) {
  tool = chosen;
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.tool === tool));
  }
  canvas.dataset.tool = tool;
}

function toggleMirror() {
  mirror = !mirror;
  byId("tool-mirror").setAttribute("aria-pressed", String(mirror));
  show();
}

/** @param {boolean} [open] */
export function toggleDrawing(open) {
  const panel = byId("draw-panel");
  const shown = open ?? panel.hidden;
  panel.hidden = !shown;
  byId("draw-toggle").setAttribute("aria-expanded", String(shown));
  if (shown) {
    show();
    panel.scrollIntoView({ block: "nearest" });
  }
  emit("drawn");
}

/** @param {KeyboardEvent} event */
function key(event) {
  if (byId("draw-panel").hidden || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const ctrl = event.ctrlKey || event.metaKey;
  const pressed = event.key.toLowerCase();
  if (ctrl && pressed === "z") go(event.shiftKey ? "redo" : "undo");
  else if (ctrl && pressed === "y") go("redo");
  else if (ctrl || event.altKey) return;
  else if (pressed === "p") choose("pen");
  else if (pressed === "l") choose("line");
  else if (pressed === "e") choose("eraser");
  else if (pressed === "s") toggleMirror();
  else return;
  event.preventDefault();
}

export function startCanvas() {
  canvas = byId("canvas");
  canvas.tabIndex = -1;
  finished = document.createElement("canvas");
  Object.assign(finished, { width: canvas.width, height: canvas.height });
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => choose(/** @type {any} */ (button).dataset.tool));
  }
  byId("tool-mirror").addEventListener("click", toggleMirror);
  byId("line-width").addEventListener("input", () => (byId("line-width-value").textContent = String(width())));
  byId("undo").addEventListener("click", () => go("undo"));
  byId("redo").addEventListener("click", () => go("redo"));
  byId("clear-canvas").addEventListener("click", clear);
  byId("use-drawing").addEventListener("click", () => void use());
  byId("draw-toggle").addEventListener("click", () => toggleDrawing());
  document.addEventListener("keydown", key);
  on("forgotten", () => {
    restoreDrawing(null);
    emit("drawn");
  });
  choose("pen");
  repaint();
  refresh();
}
