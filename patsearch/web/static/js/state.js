/** What the page knows, in one place, and the events that announce a change. */

/**
 * @typedef {{x: number, y: number, w: number, h: number}} Crop pixels of the upright picture
 * @typedef {0 | 90 | 180 | 270} Turn degrees clockwise
 * @typedef {{crop: Crop | null, turn: Turn}} Edit
 * @typedef {{element: HTMLImageElement, width: number, height: number, sent: boolean}} Shown width, height: pixels, of which the element may be a reduced copy; sent: the server made it
 * @typedef {object} Picture
 * @property {number} id
 * @property {string} key under which this browser keeps the file
 * @property {File} file
 * @property {string} name
 * @property {Shown | null} image what crops are of; null where nobody can show it, or the file has several pages
 * @property {boolean} drawn on the page's canvas
 * @property {Crop | null} crop
 * @property {Turn} turn
 * @property {number | null} page of a PDF or TIFF with several, from 1; null for all with drawings
 * @property {number} pages
 * @property {"" | "y" | "z"} up axis of a 3D model that points up; "" for what files of its kind have
 * @property {{around: number, above: number} | null} view a further view of a 3D model, in degrees; -90 around is the front
 * @property {Found | null} found what the server found in it; null until it has answered
 * @property {number[] | null} chosen numbers of the figures that are used; null for all
 * @property {boolean} flatten whether the paper in a photo is flattened
 * @property {Map<number, Edit>} edits what is done to single figures, by their numbers
 * @property {string | null} problem why the server cannot read it
 *
 * @typedef {{number: number, name: string, page: number | null, label: string | null, picture: string, width: number, height: number, whole: string | null}} Figure picture: PNG in base64; width, height: pixels before its edit; whole: its picture before that
 * @typedef {{name: string, kind: "picture" | "document" | "model", pages: number, figures: Figure[], remarks: string[], crop: string | null, flat: boolean, sheet: {picture: string, width: number, height: number} | null}} Found crop: of the drawing in a screenshot, x,y,width,height; flat: a photo of paper, flattened; sheet: of a file that browsers do not show
 *
 * @typedef {{id: string, patent: string, label: string}} Seed an indexed drawing that is part of the query
 * @typedef {{id: string, figure: string | null, sheet: string, view: string | null, front_page?: boolean, score?: number}} Drawing
 * @typedef {object} Hit
 * @property {number} rank
 * @property {string} patent
 * @property {number} score
 * @property {string | null} [likeness]
 * @property {string} title
 * @property {string} kind
 * @property {string | null} granted
 * @property {string | null} filed
 * @property {string | null} link
 * @property {Record<string, string[]>} classes
 * @property {string[]} class_titles
 * @property {Party[]} owners
 * @property {string | null} expires
 * @property {Drawing} drawing
 * @property {Drawing[]} drawings
 *
 * @typedef {{name: string, country: string}} Party an owner, inventor or agent
 * @typedef {{kind: "relevant" | "irrelevant", patent: string}} Mark
 * @typedef {{relevant: string[], irrelevant: string[]}} Applied
 * @typedef {{bytes: number, picture_bytes: number, pictures: number, pixels: number, figures: number, top: number}} Limits
 * @typedef {{name: string, record: object, fresh: Set<string>, key: string}} Saved a saved search that was opened; key: of its file
 */

export const state = {
  /** @type {Limits | null} */
  limits: null,
  /** @type {Picture[]} */
  pictures: [],
  /** @type {Seed[]} */
  seeds: [],
  like: "",
  /** Fields of the API's form that the controls in #options set. @type {Record<string, string>} */
  options: {},
  filters: {
    /** @type {Set<string>} */ locarno: new Set(),
    /** @type {Set<string>} */ uspc: new Set(),
    from: "",
    to: "",
    title: "",
    /** Whole names. @type {Set<string>} */ owners: new Set(),
    ownerWords: "",
    /** The day on which a patent has to be in force; "" for any. */
    inForce: "",
    /** "true" where patents without a date pass the dates, too; "" where they do not. */
    undated: "",
    /** The kinds of document that are designs, such as "S,S1"; "" for any kind. */
    designs: "",
    /** @type {string[]} */ expert: [],
  },
  /** Marks by the id of the drawing. @type {Map<string, Mark>} */
  marks: new Map(),
  /** The marks that the results shown take into account. @type {Applied} */
  applied: { relevant: [], irrelevant: [] },
  /** The question of the results shown; null before the first search. @type {import("./question.js").Question | null} */
  asked: null,
  /** @type {Hit[]} */
  hits: [],
  more: false,
  /** @type {Saved | null} */
  saved: null,
  /** Whether an earlier search is a step back in the browser's history. */
  canGoBack: false,
};

const bus = new EventTarget();

/**
 * Announce a change: `pictures`, `filters`, `options`, `marks`, `searching`, `found`, `appended`,
 * `failed`, `started` (no results), `forgotten` (a new search begins), `leaving` (marks that the next search does not have),
 * `visited` (the place in the history), `drawn` (the drawing surface), `filed` (marks and drawing are in a file).
 * @param {string} name
 * @param {any} [detail]
 */
export function emit(name, detail) {
  bus.dispatchEvent(new CustomEvent(name, { detail }));
}

/**
 * @param {string} name
 * @param {(detail: any) => void} listener
 */
export function on(name, listener) {
  bus.addEventListener(name, (event) => listener(/** @type {CustomEvent} */ (event).detail));
}

/** @param {string} patent @returns {"relevant" | "irrelevant" | null} */
export function markOf(patent) {
  for (const mark of state.marks.values()) if (mark.patent === patent) return mark.kind;
  return null;
}

/**
 * Mark a patent by one of its drawings, or remove the same mark.
 * @param {string} patent
 * @param {string} drawing
 * @param {"relevant" | "irrelevant"} kind
 */
export function toggleMark(patent, drawing, kind) {
  const before = markOf(patent);
  for (const [id, mark] of state.marks) if (mark.patent === patent) state.marks.delete(id);
  if (before !== kind) state.marks.set(drawing, { kind, patent });
  emit("marks");
}

/** @returns {Applied} the marks as the API takes them */
export function markedIds() {
  const of = (/** @type {string} */ kind) => [...state.marks].filter(([, m]) => m.kind === kind).map(([id]) => id);
  return { relevant: of("relevant"), irrelevant: of("irrelevant") };
}
