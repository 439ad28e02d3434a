/** How many pages a TIFF has: its directories, without those of thumbnails and masks. */

const SUBFILE = 254;
const NO_PAGE = 1 | 4; // of its bits: a smaller copy, a mask
const MOST_PAGES = 1000;

/**
 * 1 for other files and for what cannot be read.
 * @param {ArrayBuffer} data
 */
export function countPages(data) {
  const view = new DataView(data);
  try {
    const little = view.getUint16(0) === 0x4949;
    if ((!little && view.getUint16(0) !== 0x4d4d) || view.getUint16(2, little) !== 42) return 1;
    const seen = new Set();
    let pages = 0;
    for (let at = view.getUint32(4, little); at && !seen.has(at) && seen.size < MOST_PAGES; ) {
      seen.add(at);
      const entries = view.getUint16(at, little);
      let kind = 0;
      for (let entry = at + 2; entry < at + 2 + 12 * entries; entry += 12) {
        if (view.getUint16(entry, little) === SUBFILE) kind = view.getUint32(entry + 8, little);
      }
      if (!(kind & NO_PAGE)) pages += 1;
      at = view.getUint32(at + 2 + 12 * entries, little);
    }
    return Math.max(1, pages);
  } catch {
    return 1; // cut short: the server says what is wrong
  }
}
