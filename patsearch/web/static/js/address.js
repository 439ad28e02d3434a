/**
 * The address of a search: filters, number and options after the `#`, which browsers do not send to a server. Pictures and
 * marks are not part of it, only how many they are, so that whoever opens a copied address learns what is missing.
 */

import { plainFilters } from "./filterlines.js";

const LONGEST = 20_000;
const MOST = 200; // values of one name
const LONGEST_VALUE = 1000;

/** Fields of the filters, by their names in an address. */
const ONE = /** @type {const} */ ({ from: "from", to: "to", title: "title", owner_words: "ownerWords", in_force: "inForce", designs: "designs", undated: "undated" });
const SEVERAL = /** @type {const} */ ({ locarno: "locarno", uspc: "uspc", owner: "owners", filter: "expert" });

/**
 * @typedef {import("./filterlines.js").PlainFilters} PlainFilters
 * @typedef {{like: string, drawings: string[], filters: PlainFilters, options: Record<string, string>, pictures: number, marks: number}} Address
 */

/**
 * @param {Address} search
 * @returns {string} with its "#"; "" for a page without a search
 */
export function toAddress({ like, drawings, filters, options, pictures, marks }) {
  const query = new URLSearchParams();
  const add = (/** @type {string} */ name, /** @type {string | number} */ value) => value && query.append(name, String(value));
  add("like", like);
  for (const id of drawings) add("drawing", id);
  for (const [name, field] of Object.entries(SEVERAL)) for (const value of filters[field]) add(name, value);
  for (const [name, field] of Object.entries(ONE)) add(name, filters[field]);
  for (const [name, value] of Object.entries(options)) add(name, value);
  add("pictures", pictures);
  add("marks", marks);
  const text = query.toString();
  return text && text.length < LONGEST ? `#${text}` : "";
}

/**
 * @param {string} hash
 * @param {string[]} options names of the search options
 * @returns {Address}
 */
export function readAddress(hash, options) {
  const query = new URLSearchParams(hash.length <= LONGEST ? hash.slice(1) : "");
  const one = (/** @type {string} */ name) => (query.get(name) ?? "").slice(0, LONGEST_VALUE);
  const several = (/** @type {string} */ name) => query.getAll(name).slice(0, MOST).map((value) => value.slice(0, LONGEST_VALUE));
  const filters = plainFilters();
  for (const [name, field] of Object.entries(SEVERAL)) filters[field] = several(name);
  for (const [name, field] of Object.entries(ONE)) filters[field] = one(name);
  const count = (/** @type {string} */ name) => Math.min(MOST, Math.max(0, Math.floor(Number(one(name)) || 0)));
  return {
    like: one("like"),
    drawings: several("drawing"),
    filters,
    options: Object.fromEntries(options.map((name) => [name, one(name)]).filter(([, value]) => value)),
    pictures: count("pictures"),
    marks: count("marks"),
  };
}
