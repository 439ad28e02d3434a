/** The filters of the page as lines of the filter language. */

/** @typedef {typeof import("./state.js").state.filters} Filters */

/**
 * The filters as plain data.
 * @typedef {{locarno: string[], uspc: string[], owners: string[], expert: string[], from: string, to: string, title: string, ownerWords: string, inForce: string, designs: string, undated: string}} PlainFilters
 */

/** @param {Filters} [filters] none: no filter @returns {PlainFilters} */
export function plainFilters(filters) {
  const { from = "", to = "", title = "", ownerWords = "", inForce = "", designs = "", undated = "", expert = [] } = filters ?? {};
  const [locarno, uspc, owners] = [filters?.locarno, filters?.uspc, filters?.owners].map((part) => [...(part ?? [])]);
  return { locarno, uspc, owners, expert: [...expert], from, to, title: title.trim(), ownerWords: ownerWords.trim(), inForce, designs, undated };
}

/** Set the filters, in the sets that the page's parts hold. @param {Filters} filters @param {PlainFilters} plain */
export function setFilters(filters, plain) {
  for (const part of /** @type {const} */ (["locarno", "uspc", "owners"])) {
    filters[part].clear();
    for (const value of plain[part]) filters[part].add(value);
  }
  const { from, to, title, ownerWords, inForce, designs = "", undated = "", expert } = plain; // those kept by an earlier page lack the newest
  Object.assign(filters, { from, to, title, ownerWords, inForce, designs, undated, expert: [...expert] });
}

const SCHEMES = /** @type {const} */ (["locarno", "uspc"]);

/**
 * @param {Filters} filters
 * @param {"locarno" | "uspc" | "granted" | "owner" | "inforce" | "kind" | null} [without] a part that is left out, to count what it could be instead
 * @returns {string[]}
 */
export function filterLines(filters, without = null) {
  const lines = [];
  for (const scheme of SCHEMES) {
    if (scheme !== without && filters[scheme].size) lines.push(`${scheme}=${[...filters[scheme]].join(",")}`);
  }
  if (without !== "granted" && (filters.from || filters.to)) lines.push(`granted=${filters.from}..${filters.to}${filters.undated ? ",none" : ""}`);
  if (filters.title.trim()) lines.push(`title~${filters.title.trim()}`);
  if (without !== "owner" && filters.owners.size) lines.push(`owner=${[...filters.owners].map(quoted).join(",")}`);
  if (filters.ownerWords.trim()) lines.push(`owner~${filters.ownerWords.trim()}`);
  if (without !== "inforce" && filters.inForce) lines.push(`inforce=${filters.inForce}`);
  if (without !== "kind" && filters.designs) lines.push(`kind=${filters.designs}`);
  return [...lines, ...filters.expert];
}

/** A name in quotation marks; names are compared by their words, so those within it do not count. @param {string} name */
function quoted(name) {
  return `"${name.replace(/["\u201c-\u201f]/g, " ")}"`;
}

/**
 * What is shown of each active filter, and how it is removed.
 * @param {Filters} filters
 * @returns {{text: string, title?: string, remove: () => void}[]}
 */
export function activeFilters(filters) {
  /** @type {{text: string, title?: string, remove: () => void}[]} */
  const found = [];
  for (const scheme of SCHEMES) {
    const name = scheme === "locarno" ? "Locarno" : "US";
    for (const code of filters[scheme]) found.push({ text: `${name} ${code}`, remove: () => filters[scheme].delete(code) });
  }
  if (filters.from || filters.to) {
    found.push({
      text: `Granted ${filters.from || "…"} to ${filters.to || "…"}${filters.undated ? " or without a date" : ""}`,
      remove: () => Object.assign(filters, { from: "", to: "", undated: "" }),
    });
  }
  if (filters.title.trim()) {
    found.push({ text: `Title: ${filters.title.trim()}`, remove: () => Object.assign(filters, { title: "" }) });
  }
  for (const owner of filters.owners) found.push({ text: `Owner: ${owner}`, remove: () => filters.owners.delete(owner) });
  if (filters.ownerWords.trim()) {
    found.push({ text: `Owner: ${filters.ownerWords.trim()}`, remove: () => Object.assign(filters, { ownerWords: "" }) });
  }
  if (filters.inForce) found.push({ text: `In force on ${filters.inForce}`, remove: () => Object.assign(filters, { inForce: "" }) });
  if (filters.designs) found.push({ text: "Designs only", title: `kind=${filters.designs}`, remove: () => Object.assign(filters, { designs: "" }) });
  for (const line of filters.expert) {
    found.push({ text: line, remove: () => Object.assign(filters, { expert: filters.expert.filter((l) => l !== line) }) });
  }
  return found;
}
