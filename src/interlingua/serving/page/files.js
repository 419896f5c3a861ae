// Files: chosen or dropped, translated, and offered for download.
import { byId, make } from "./dom.js";
import { chosen } from "./languages.js";
import { translateFile } from "./service.js";
import * as modes from "./modes.js";

const [list, input, cover] = ["files", "file", "drop"].map(byId);
const FORM_BYTES = 4096; // of a request that are not the file's
let limits = null;

async function check(file) {
  const formats = limits.supportedFilesFormat;
  if (!formats.some((format) => file.name.toLowerCase().endsWith(format))) {
    throw new Error(`Files of this kind cannot be translated. Known: ${formats.join(", ")}`);
  }
  const most = limits.maxFileCharacters;
  const bytes = Math.min(4 * most, limits.maxBodyBytes - FORM_BYTES); // a character has four at most
  if (file.size > bytes || [...await file.text()].length > most) {
    throw new Error(`This file is too large: at most ${most.toLocaleString("en")} characters can be translated.`);
  }
}

async function take(file) {
  const said = make("span", { dir: "auto", textContent: file.name });
  const state = make("span", { className: "number wait", textContent: "Translating" });
  const remove = make("button", { type: "button", className: "tool", textContent: "Remove", ariaLabel: `Remove ${file.name}` });
  const item = make("li", {}, said, state, remove);
  remove.addEventListener("click", () => item.remove());
  list.append(item);
  const languages = chosen();
  try {
    await check(file);
    const href = await translateFile(file, languages);
    const link = make("a", { href, download: "", textContent: "Download the translation" });
    state.replaceWith(link, make("span", { className: "number", textContent: `kept for ${limits.fileMinutes} min` }));
  } catch (error) {
    state.replaceWith(make("span", { className: "over", textContent: error.message }));
  }
}

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

// Lets files be given if the service takes them. `takers` are parts of the page that take others: each says which
// files are for it, and is called with one that was dropped.
export function acceptFiles(settings, takers) {
  limits = settings;
  byId("choose").hidden = !settings.filesTranslation;
  if (settings.filesTranslation) offerToChoose();
  if (settings.filesTranslation || takers.length) acceptDrops(takers);
}

function offerToChoose() {
  const formats = limits.supportedFilesFormat;
  const most = limits.maxFileCharacters.toLocaleString("en");
  input.accept = formats.join(",");
  byId("about-files").textContent = `Files: ${formats.join(", ")} in UTF-8, up to ${most} characters; choose one or drop it anywhere.`;
  byId("choose").title = formats.join(", ");
  byId("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => { [...input.files].forEach(take); input.value = ""; });
}

function acceptDrops(takers) {
  const shown = () => takers.find(({ part }) => part === modes.shown()) ?? takers[0];
  const takerOf = (file) => takers.find(({ isFor }) => isFor(file)) ?? (limits.filesTranslation ? undefined : shown());
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    cover.hidden = false;
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) cover.hidden = true; });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    cover.hidden = true;
    const files = [...event.dataTransfer.files];
    const other = files.find(takerOf); // one at a time
    if (other) {
      const { part, take: hand } = takerOf(other);
      modes.show(part);
      hand(other);
    }
    files.filter((file) => !takerOf(file)).forEach(take);
  });
}
