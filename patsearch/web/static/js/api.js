/** Requests to the server: errors in words, signing in when it requires a token, another try when it is busy. */

const BASE = new URL("api/v1/", document.baseURI);
const TRIES = 5;
const LONGEST_WAIT = 10; // seconds

/** An error that can be shown to a reader. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where there was no answer
   * @param {string} message
   * @param {string | null} [hint]
   */
  constructor(status, message, hint = null) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/** What the page does when the server requires a token, or is busy; set by main.js. */
export const hooks = {
  /** @type {() => Promise<boolean>} whether the user signed in */
  signIn: async () => false,
  /** @type {(attempt: number, of: number) => void} attempt 0: no longer busy */
  busy: () => {},
};

/** @param {string} path */
export const address = (path) => new URL(path, BASE).href;

/** @param {string} drawing */
export const thumbnail = (drawing) => address(`drawings/${encodeURIComponent(drawing)}/thumbnail`);

/**
 * One request, with all that it takes to get an answer.
 * @param {string} path below /api/v1/
 * @param {RequestInit} [init]
 * @returns {Promise<Response>} an answer that is not an error
 * @throws {ApiError}
 */
export async function request(path, init = {}) {
  let waited = false;
  try {
    for (let attempt = 1; ; attempt += 1) {
      const response = await send(path, init);
      if (response.ok) return response;
      if (response.status === 401 && path !== "session" && (await hooks.signIn())) continue;
      if (response.status === 503 && attempt < TRIES) {
        waited = true;
        hooks.busy(attempt, TRIES - 1);
        await pause(response.headers.get("retry-after"), init.signal);
        continue;
      }
      throw await problem(response);
    }
  } finally {
    if (waited) hooks.busy(0, 0);
  }
}

/** @param {string} path @param {RequestInit} init */
async function send(path, init) {
  try {
    return await fetch(address(path), { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer.", "Check the connection, then try again.");
  }
}

/**
 * @param {string | null} header seconds
 * @param {AbortSignal | null | undefined} signal
 */
function pause(header, signal) {
  const seconds = Math.min(LONGEST_WAIT, Math.max(0.5, Number(header) || 1));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("Aborted", "AbortError"));
    });
  });
}

/** @param {Response} response */
async function problem(response) {
  try {
    const { error } = await response.json();
    return new ApiError(response.status, String(error.message), error.hint ?? null);
  } catch {
    // A proxy in between answers in its own way.
    return new ApiError(response.status, `The server answered with an error (${response.status}).`);
  }
}

/** @param {string} path @param {RequestInit} [init] */
export async function getJson(path, init) {
  return (await request(path, init)).json();
}

/** @param {string} path @param {FormData} body @param {AbortSignal} [signal] */
export async function postForm(path, body, signal) {
  return (await request(path, { method: "POST", body, signal })).json();
}

/**
 * A file that the server makes of a form, and its name.
 * @param {string} path @param {FormData} body
 * @returns {Promise<{blob: Blob, name: string}>}
 */
export async function postForFile(path, body) {
  const response = await request(path, { method: "POST", body });
  const told = response.headers.get("content-disposition") ?? "";
  const [encoded, plain] = [/filename\*=UTF-8''([^;]+)/.exec(told), /filename="([^"]+)"/.exec(told)];
  return { blob: await response.blob(), name: encoded ? decodeURIComponent(encoded[1]) : (plain?.[1] ?? "patsearch") };
}

/** @param {string} token */
export async function signIn(token) {
  const headers = { "content-type": "application/json" };
  await request("session", { method: "POST", headers, body: JSON.stringify({ token }) });
}

export async function signOut() {
  await request("session", { method: "DELETE" });
}

/**
 * @param {string[]} filters
 * @param {AbortSignal} [signal]
 */
export function facets(filters, signal) {
  const query = new URLSearchParams(filters.map((line) => ["filter", line]));
  return getJson(`facets?${query}`, { signal });
}
