/** Puts the parts of the page together. */

import { getJson, hooks, signOut } from "./api.js";
import { startCanvas } from "./canvas.js";
import { startCrop } from "./crop.js";
import { askToken, remember, startDialogs, wasSignedIn } from "./dialogs.js";
import { byId, plural } from "./dom.js";
import { startExplain } from "./explain.js";
import { loadFilters, startFilters } from "./filters.js";
import { startFold } from "./fold.js";
import { forgetAll } from "./keep.js";
import { startKeys } from "./keys.js";
import { letGo, startLeaving } from "./leaving.js";
import { showBusy, showError } from "./notes.js";
import { startNothing } from "./nothing.js";
import { startOptions } from "./options.js";
import { startPictures } from "./pictures.js";
import { startRecords } from "./records.js";
import { startResults } from "./results.js";
import { startStale } from "./stale.js";
import { state } from "./state.js";
import { startSuggestions } from "./suggest.js";
import { startVisits } from "./visits.js";

async function loadIndex() {
  const index = await getJson("index");
  state.limits = index.limits;
  const info = byId("index-info");
  info.textContent = `${plural(index.patents, "patent")}, ${plural(index.drawings, "drawing")} · ${index.encoder.name}`;
  info.title = `Index ${index.path}, ${index.backend}, encoder ${index.encoder.name} (${String(index.encoder.sha256).slice(0, 12)}), ${index.encoder.dim} numbers a drawing`;
}

async function start() {
  hooks.signIn = askToken;
  hooks.busy = showBusy;
  startDialogs();
  startOptions();
  startPictures();
  startCanvas();
  startCrop();
  startFilters();
  startResults();
  startNothing();
  startSuggestions();
  startStale();
  startFold();
  startExplain();
  startRecords();
  startKeys();
  startLeaving();
  const out = byId("sign-out");
  out.hidden = !wasSignedIn();
  out.addEventListener("click", async () => {
    try {
      await signOut();
      remember(false);
      await forgetAll();
      letGo();
      history.replaceState(null, "", location.pathname);
      location.reload(); // nothing of the results stays on the page
    } catch (error) {
      showError(error);
    }
  });
  document.documentElement.dataset.ready = "true";
  try {
    await loadIndex();
    await loadFilters();
    await startVisits();
    document.documentElement.dataset.restored = "true";
  } catch (error) {
    byId("index-info").textContent = "The index is not available";
    showError(error);
  }
}

void start();
