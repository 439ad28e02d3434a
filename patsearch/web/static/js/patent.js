/** The dialog with all drawings of a patent. */

import { getJson, thumbnail } from "./api.js";
import { caption, classTags, figureName, numberLink } from "./card.js";
import { byId, h, icon, plural } from "./dom.js";
import { openDialog, openers } from "./dialogs.js";
import { addLine } from "./filters.js";
import { showError } from "./notes.js";
import { moreLike } from "./search.js";

/** @typedef {import("./state.js").Drawing} Drawing */

/** The number that the dialog was last opened for: an answer that comes late is not shown. */
let wanted = "";

/**
 * @param {string} number
 * @param {string} [shown] id of the drawing that is shown first
 */
export async function openPatent(number, shown) {
  wanted = number;
  byId("patent-title").textContent = number;
  byId("patent-body").replaceChildren(h("p", { class: "muted", role: "status" }, "Loading …"));
  const dialog = openDialog("patent-dialog", number, shown);
  try {
    const patent = await getJson(`patents/${encodeURIComponent(number)}`);
    if (wanted === number && dialog.open) fill(patent, shown);
  } catch (error) {
    dialog.close();
    showError(error);
  }
}

openers["patent-dialog"] = (number, shown) => void openPatent(number, shown);

/** @param {any} patent @param {string} [shown] */
function fill(patent, shown) {
  byId("patent-title").textContent = patent.title || patent.patent;
  const large = h("img", { class: "large", alt: "" });
  const text = h("figcaption", {});
  /** @type {Drawing} */
  let current = patent.drawings.find((/** @type {Drawing} */ d) => d.id === shown) ?? patent.drawings[0];
  const likeLarge = likeButton(patent, () => current, "More like this drawing", "like-shown");

  const select = (/** @type {Drawing} */ drawing) => {
    current = drawing;
    large.src = thumbnail(drawing.id);
    large.alt = `${caption(drawing)} of ${patent.patent}`;
    text.textContent = caption(drawing);
    for (const button of picks) button.setAttribute("aria-pressed", String(button.dataset.drawing === drawing.id));
  };
  const picks = patent.drawings.map((/** @type {Drawing} */ drawing) =>
    h(
      "button",
      { type: "button", class: "pick", "aria-pressed": "false", "aria-label": `Show ${caption(drawing)}`, data: { drawing: drawing.id, testid: "pick-drawing" }, on: { click: () => select(drawing) } },
      h("img", { src: thumbnail(drawing.id), alt: "", loading: "lazy" }),
      h("span", {}, figureName(drawing)),
    ),
  );
  const items = patent.drawings.map((/** @type {Drawing} */ drawing, /** @type {number} */ place) =>
    h("li", {}, picks[place], likeButton(patent, () => drawing, "More like this", "like-drawing", `More like ${caption(drawing)}`)),
  );
  const thumbs = h("ul", { class: "picks", "aria-label": "Drawings" }, ...items);
  thumbs.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const place = picks.indexOf(event.target);
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (place < 0 || !by) return;
    event.preventDefault();
    picks[(place + by + picks.length) % picks.length].focus();
    select(patent.drawings[(place + by + picks.length) % picks.length]);
  });
  const figure = h("figure", {}, h("div", { class: "large-frame" }, large), text, likeLarge);
  byId("patent-body").replaceChildren(facts(patent), h("div", { class: "patent-columns" }, figure, thumbs));
  select(current);
  picks[patent.drawings.indexOf(current)]?.focus({ preventScroll: true });
}

/** @param {any} patent */
function facts(patent) {
  const line = (/** @type {string} */ name, /** @type {string | null} */ value) => value && h("span", {}, h("span", { class: "muted" }, `${name} `), value);
  const titles = patent.class_titles.length ? h("p", { class: "muted small class-titles" }, patent.class_titles.join("; ")) : null;
  return h(
    "div",
    { class: "patent-facts" },
    h("p", { class: "facts" }, numberLink(patent), line("kind", patent.kind), line("granted", patent.granted), line("filed", patent.filed), h("span", {}, plural(patent.drawings.length, "drawing"))),
    classTags(patent, 12),
    titles,
    bibliography(patent),
  );
}

/** Names of citers as the page calls them. @type {Record<string, string>} */
const CITERS = { examiner: "By the examiner", applicant: "By the applicant", third_party: "By a third party", other: "By others", unknown: "Cited" };

/** Owners, term, earlier documents and citations. @param {any} patent */
function bibliography(patent) {
  const parties = (/** @type {any[]} */ list) => list.map(({ name, country }) => (country ? `${name} (${country})` : name)).join(", ");
  const term = patent.term.map((/** @type {any} */ one) => `${one.country}: ${one.first ?? "?"} to ${one.last ?? "?"}${one.assumed ? ` (${one.assumed})` : ""}`).join("; ");
  const related = patent.related.map((/** @type {any} */ one) => [one.relation.replaceAll("-", " "), one.number, one.filed, one.patent].filter(Boolean).join(" "));
  const hague = patent.hague && [patent.hague.number, patent.hague.registered && `registered ${patent.hague.registered}`].filter(Boolean).join(", ");
  const rows = [
    ["Owner", parties(patent.owners)],
    ["Inventor", parties(patent.inventors)],
    ["Agent", parties(patent.agents)],
    ["In force", term],
    ["Status", patent.status],
    ["Goes back to", related.join("; ")],
    ["Hague", hague],
  ].filter(([, text]) => text);
  const list = rows.length ? h("dl", { class: "bibliography", data: { testid: "bibliography" } }, ...rows.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))) : null;
  return h("div", { class: "known" }, list, citations(patent));
}

/** What the patent cites, and the way to those that are in this index. @param {any} patent */
function citations(patent) {
  const count = Object.values(patent.citation_counts).reduce((sum, one) => sum + Number(one), 0);
  const filtered = (/** @type {string} */ text, /** @type {string} */ line, /** @type {string} */ testid) => {
    const button = h("button", { type: "button", class: "quiet small", data: { testid } }, icon("filter"), h("span", {}, text));
    button.addEventListener("click", () => {
      byId("patent-dialog").close();
      addLine(line);
    });
    return button;
  };
  const groups = Object.entries(CITERS).flatMap(([by, name]) => {
    const numbers = patent.citations[by] ?? [];
    const texts = patent.literature[by] ?? [];
    if (!numbers.length && !texts.length) return [];
    return [h("h4", {}, name), h("p", { class: "small" }, numbers.join(", ")), ...texts.map((/** @type {string} */ text) => h("p", { class: "small muted" }, text))];
  });
  const number = `"${patent.patent}"`;
  return h(
    "div",
    { class: "citations", data: { testid: "citations" } },
    groups.length ? h("details", {}, h("summary", {}, `Cites ${plural(count, "patent")}`), ...groups) : null,
    count ? filtered("Show those that it cites", `citedby=${number}`, "cited-here") : null,
    filtered("Show those that cite it", `cites=${number}`, "citing-here"),
  );
}

/**
 * @param {any} patent
 * @param {() => Drawing} which
 * @param {string} text
 * @param {string} testid
 * @param {string} [label]
 */
function likeButton(patent, which, text, testid, label) {
  const button = h("button", { type: "button", class: "quiet small", "aria-label": label, data: { testid } }, icon("more"), h("span", {}, text));
  button.addEventListener("click", () => {
    const drawing = which();
    byId("patent-dialog").close();
    void moreLike({ id: drawing.id, patent: patent.patent, label: `Like ${patent.patent}, ${figureName(drawing)}` });
  });
  return button;
}
