/** One patent that was found. */

import { thumbnail } from "./api.js";
import { h, icon, showScore } from "./dom.js";

/** @typedef {import("./state.js").Hit} Hit @typedef {import("./state.js").Drawing} Drawing */

/**
 * @typedef {object} Actions
 * @property {(hit: Hit) => void} open
 * @property {(hit: Hit) => void} like
 * @property {(hit: Hit) => void} why
 * @property {(hit: Hit, kind: "relevant" | "irrelevant") => void} mark
 */

/** @param {Drawing} drawing */
export function figureName(drawing) {
  return drawing.figure ? `FIG. ${drawing.figure}` : `sheet ${drawing.sheet}`;
}

/** Figure and view, as a caption. @param {Drawing} drawing */
export function caption(drawing) {
  return [figureName(drawing), drawing.view].filter(Boolean).join(", ");
}

/**
 * The number of a patent, linked to the office's page where there is one.
 * @param {{patent: string, link: string | null}} patent
 */
export function numberLink({ patent, link }) {
  // Only web addresses: a link is data, and could be a script.
  if (!link || !/^https?:\/\//i.test(link)) return h("span", { class: "number" }, patent);
  return h("a", { class: "number", href: link, rel: "noreferrer noopener", target: "_blank", title: "At the patent office, in a new tab" }, patent, icon("out"), h("span", { class: "unseen" }, " (opens in a new tab)"));
}

/**
 * Classes as tags; what they mean is their tooltip.
 * @param {{classes: Record<string, string[]>, class_titles: string[]}} patent
 * @param {number} [most]
 */
export function classTags({ classes, class_titles: titles }, most = 4) {
  const names = { locarno: "Locarno", uspc: "US class", cpc: "CPC", ipc: "IPC" };
  const codes = Object.entries(classes).flatMap(([scheme, list]) => list.map((code) => ({ scheme, code })));
  const tags = codes.slice(0, most).map(({ scheme, code }) => {
    const text = [`${names[/** @type {keyof typeof names} */ (scheme)] ?? scheme} ${code}`, ...titles].join("\n");
    return h("li", { title: text }, code);
  });
  if (codes.length > most) {
    const rest = codes.slice(most).map(({ code }) => code);
    tags.push(h("li", { title: rest.join(", ") }, `+${rest.length}`));
  }
  return h("ul", { class: "tags", "aria-label": `Classes: ${titles.join("; ") || "no titles"}` }, ...tags);
}

/** @param {string} name @param {string} text @param {Record<string, any>} props */
function action(name, text, props) {
  return h("button", { type: "button", ...props }, icon(name), h("span", {}, text));
}

/** @param {Hit} hit */
function score(hit) {
  const word = hit.likeness && h("span", { class: "likeness", title: "How similar the shapes are", data: { testid: "likeness" } }, hit.likeness);
  return h("span", { class: "score", title: "Similarity (1 = identical drawing)" }, h("span", { class: "unseen" }, "Similarity "), showScore(hit.score), word);
}

/**
 * @param {Hit} hit
 * @param {Actions} actions
 * @param {{fresh: boolean}} what
 */
export function card(hit, actions, { fresh }) {
  const id = `hit-${hit.rank}`;
  const image = h("img", { src: thumbnail(hit.drawing.id), alt: `${caption(hit.drawing)} of ${hit.patent}`, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(h("span", { class: "no-picture" }, "No picture")));
  const others = hit.drawings.filter((d) => d.id !== hit.drawing.id).slice(0, 5);
  const strip = others.length
    ? h("span", { class: "strip" }, ...others.map((d) => h("img", { src: thumbnail(d.id), alt: "", loading: "lazy", decoding: "async", title: caption(d) })))
    : null;
  const open = h("button", { type: "button", class: "open", "aria-label": `All drawings of ${hit.patent}, ${hit.title}`, data: { testid: "open-patent" }, on: { click: () => actions.open(hit) } }, h("span", { class: "picture" }, image), strip);
  const title = h("h3", { id, class: "title", title: hit.title }, hit.title || "Untitled");
  const head = h("div", { class: "card-head" }, title, score(hit));
  const facts = h("p", { class: "facts" }, numberLink(hit), hit.granted ? h("span", {}, h("span", { class: "unseen" }, "granted "), h("time", { datetime: hit.granted, title: "Granted" }, hit.granted)) : null, h("span", { class: "figure", title: caption(hit.drawing) }, figureName(hit.drawing)));
  const named = (/** @type {string} */ text) => `${text}: ${hit.patent}`;
  const buttons = h(
    "div",
    { class: "card-actions" },
    action("yes", "Relevant", { class: "mark yes", "aria-pressed": "false", "aria-label": named("Relevant"), title: "Relevant (r)", data: { mark: "relevant", testid: "relevant" }, on: { click: () => actions.mark(hit, "relevant") } }),
    action("no", "Not relevant", { class: "mark no", "aria-pressed": "false", "aria-label": named("Not relevant"), title: "Not relevant (n)", data: { mark: "irrelevant", testid: "irrelevant" }, on: { click: () => actions.mark(hit, "irrelevant") } }),
    action("more", "More like this", { class: "quiet", "aria-label": named("More like this"), title: "More like this (m)", data: { testid: "more-like" }, on: { click: () => actions.like(hit) } }),
    action("why", "Why", { class: "quiet", "aria-label": named("Why it matched"), title: "Why it matched (w)", data: { testid: "why" }, on: { click: () => actions.why(hit) } }),
  );
  return h(
    "li",
    {},
    h(
      "article",
      { class: "card", tabindex: "-1", "aria-labelledby": id, data: { testid: "result", patent: hit.patent, drawing: hit.drawing.id, rank: hit.rank, score: hit.score } },
      open,
      h("span", { class: "rank", "aria-hidden": "true" }, String(hit.rank)),
      fresh && h("span", { class: "fresh", data: { testid: "new-badge" } }, "new"),
      head,
      facts,
      hit.owners?.length ? h("p", { class: "owner", title: hit.owners.map((owner) => owner.name).join("; "), data: { testid: "owner" } }, hit.owners[0].name) : null,
      classTags(hit),
      buttons,
    ),
  );
}
