/**
 * The search options. Each control in #options declares the field of the API's form that it sets by its `name`;
 * `data-off` is the value that leaves the field out, `data-words` what the closed options say of a change.
 */

import { byId } from "./dom.js";
import { picturesTaken } from "./pictures.js";
import { search, searchIfShown } from "./search.js";
import { emit, state } from "./state.js";

/** @typedef {any} Control an input or select */

/** What the form gets; "" leaves the field out. @param {Control} control */
function valueOf(control) {
  if (control.type === "checkbox") return control.checked ? control.value : "";
  return control.value === control.dataset.off || !control.validity.valid ? "" : control.value;
}

/** Whether a control is as the page has it at first. @param {Control} control */
function isUsual(control) {
  if (control.type === "checkbox") return control.checked === control.defaultChecked;
  if (control instanceof HTMLSelectElement) return Boolean(control.selectedOptions[0]?.defaultSelected);
  return control.value === control.defaultValue;
}

const controls = () => /** @type {Control[]} */ ([...byId("options").querySelectorAll("[name]")]);

export const optionNames = () => controls().map(({ name }) => name);

/** The options that are not as the page has them at first. @returns {Record<string, string>} */
export function changedOptions() {
  return Object.fromEntries(controls().filter((control) => valueOf(control) && !isUsual(control)).map((control) => [control.name, valueOf(control)]));
}

/** Take the controls' values into the state, and show them. */
function read() {
  /** @type {Record<string, string>} */
  const options = {};
  const words = [];
  for (const control of controls()) {
    const value = valueOf(control);
    if (value) options[control.name] = value;
    if (value && !isUsual(control)) words.push(control.dataset.words.replace("{}", value));
    const output = control.type === "range" && control.parentElement.querySelector("output");
    if (!output) continue;
    output.textContent = value || "off";
    control.setAttribute("aria-valuetext", value || "off");
  }
  state.options = options;
  byId("options-summary").textContent = words.length ? `(${words.join(", ")})` : "";
  emit("options");
}

/** Set the controls to what a saved search has; those that it does not name are as usual. @param {Record<string, any>} saved */
export function setOptions(saved) {
  for (const control of controls()) {
    const value = saved[control.name];
    if (control.type === "checkbox") control.checked = Boolean(value);
    else if (control instanceof HTMLSelectElement) {
      // A number of results that the page does not offer is the next that it does.
      const usual = [...control.options].find((option) => option.defaultSelected)?.value;
      const offered = [...control.options].find((option) => Number(option.value) >= Number(value ?? usual));
      if (offered) control.value = offered.value;
    } else control.value = value === null || value === undefined ? control.defaultValue : String(value);
  }
  read();
}

export function startOptions() {
  const options = byId("options");
  options.addEventListener("input", read);
  options.addEventListener("change", () => {
    read();
    searchIfShown();
  });
  read(); // browsers keep what was chosen when a page is loaded again

  const like = byId("like");
  state.like = like.value;
  like.addEventListener("input", () => (state.like = like.value));
  byId("query-form").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    void picturesTaken().then(search);
  });
}
