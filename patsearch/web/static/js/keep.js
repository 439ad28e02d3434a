/**
 * What this browser keeps of a tab's searches, so that a reload loses nothing: small things in sessionStorage, pictures in
 * IndexedDB. Nothing of it is sent anywhere. Without such storage the page works, and forgets when it is loaded again.
 */

const PREFIX = "patsearch.keep.";
const [DATABASE, STORE] = ["patsearch", "pictures"];
const MOST_BYTES = 256 << 20; // of all tabs together
const MOST_FILES = 500;
const LONGEST = 24 * 3600 * 1000; // milliseconds after which the pictures of a closed tab go
const PATIENCE = 500; // milliseconds that a tab which is loaded again takes to give its name back

/** @typedef {{tab: string, file: File, bytes: number, used: number}} Record_ */

/** The pictures of this page, also where the browser does not keep them. @type {Map<string, File>} */
const files = new Map();
/** @type {Promise<IDBDatabase | null> | null} */
let opening = null;
let tab = read("tab") ?? newName();
let off = false;
/** What is written or deleted now: one after the other. @type {Promise<unknown>} */
let writing = Promise.resolve();

/** A name that no other tab has. */
export function newName() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} name @param {unknown} value null removes it @returns {boolean} whether it is kept */
export function write(name, value) {
  if (off) return false;
  try {
    if (value === null) sessionStorage.removeItem(PREFIX + name);
    else sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/** @param {string} name @returns {any} null where nothing is kept */
export function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name) ?? "null");
  } catch {
    return null;
  }
}

/** Give this tab its name, and drop the pictures of tabs that were closed long ago. */
export async function startKeeping() {
  // A tab that was duplicated has the other one's name until it takes its own.
  if (!(await isAlone(tab))) {
    tab = newName();
    await isAlone(tab);
  }
  write("tab", tab);
  enqueue(dropOld);
}

/** Whether no other tab has this name; it is held until the tab is closed. @param {string} name */
function isAlone(name) {
  if (!navigator.locks) return Promise.resolve(true); // over plain HTTP: only duplicated tabs then share their pictures
  const waited = new AbortController();
  const timer = setTimeout(() => waited.abort(), PATIENCE);
  return new Promise((resolve) => {
    const held = navigator.locks.request(`${PREFIX}${name}`, { signal: waited.signal }, () => {
      clearTimeout(timer);
      resolve(true);
      return new Promise(() => {});
    });
    held.catch(() => resolve(false));
  });
}

/** @returns {Promise<IDBDatabase | null>} null where the browser has none for this page */
function database() {
  opening ??= new Promise((resolve) => {
    try {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = request.onblocked = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
  return opening;
}

/**
 * Work with the store of pictures.
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest | void} work
 * @returns {Promise<any>} what the request found; null where it failed
 */
async function within(mode, work) {
  const opened = await database();
  if (!opened) return null;
  return new Promise((resolve) => {
    try {
      const transaction = opened.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request?.result ?? null);
      transaction.onabort = transaction.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
}

/** @param {() => Promise<unknown>} work */
function enqueue(work) {
  writing = writing.then(work, work);
  return writing;
}

/** Keep a picture of this tab. @param {File} file @returns {string} the key that `keptFile` takes */
export function keepFile(file) {
  const key = `${tab}/${newName()}`;
  files.set(key, file);
  if (file.size <= MOST_BYTES) {
    void enqueue(async () => {
      await makeRoom(file.size);
      /** @type {Record_} */
      const record = { tab, file, bytes: file.size, used: Date.now() };
      await within("readwrite", (store) => store.put(record, key));
    });
  }
  return key;
}

/** Whether a key is of this tab: a tab that was duplicated keeps copies. @param {string} key */
export const isMine = (key) => key.startsWith(`${tab}/`);

/** @param {string} key @returns {Promise<File | null>} null where it is no longer kept */
export async function keptFile(key) {
  const held = files.get(key);
  if (held) return held;
  await writing;
  const record = await within("readonly", (store) => store.get(key));
  if (!record) return null;
  void enqueue(() => within("readwrite", (store) => store.put({ ...record, used: Date.now() }, key)));
  files.set(key, record.file);
  return record.file;
}

/** Forget all of this tab. */
export function forget() {
  files.clear();
  try {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(PREFIX) && name !== `${PREFIX}tab`) sessionStorage.removeItem(name);
  } catch {
    // Nothing was kept.
  }
  return enqueue(() => drop(({ tab: owner }) => owner === tab));
}

/** Forget all tabs, as after signing out, and keep nothing from now on. */
export async function forgetAll() {
  const forgotten = forget();
  off = true;
  await forgotten;
  await enqueue(() => within("readwrite", (store) => store.clear()));
}

const dropOld = () => drop(({ used }) => used < Date.now() - LONGEST);

/** @param {(record: Record_) => boolean} which */
function drop(which) {
  return within("readwrite", (store) => {
    const cursor = store.openCursor();
    cursor.onsuccess = () => {
      if (!cursor.result) return;
      if (which(cursor.result.value)) cursor.result.delete();
      cursor.result.continue();
    };
  });
}

/** The pictures that were used longest ago go. @param {number} bytes */
async function makeRoom(bytes) {
  /** @type {{key: IDBValidKey, bytes: number, used: number}[]} */
  const all = [];
  await within("readonly", (store) => {
    const cursor = store.openCursor();
    cursor.onsuccess = () => {
      if (!cursor.result) return;
      const { bytes: size, used } = cursor.result.value;
      all.push({ key: cursor.result.key, bytes: size, used });
      cursor.result.continue();
    };
  });
  all.sort((a, b) => a.used - b.used);
  let sum = all.reduce((total, one) => total + one.bytes, bytes);
  while (all.length && (sum > MOST_BYTES || all.length >= MOST_FILES)) {
    const oldest = /** @type {{key: IDBValidKey, bytes: number}} */ (all.shift());
    sum -= oldest.bytes;
    await within("readwrite", (store) => store.delete(oldest.key));
  }
}
