// Files: chosen or dropped, translated, and offered for download.
import { byId, make } from "./dom.js";
import { chosen } from "./languages.js";
import { translateFile } from "./service.js";

const [list, input, cover] = ["files", "file", "drop"].map(byId);
let formats = [];

async function take(file) {
  const said = make("span", { textContent: file.name });
  const state = make("span", { className: "number wait", textContent: "Translating" });
  const remove = make("button", { type: "button", className: "tool", textContent: "Remove", ariaLabel: `Remove ${file.name}` });
  const item = make("li", {}, said, state, remove);
  remove.addEventListener("click", () => item.remove());
  list.append(item);
  const { source, target } = chosen();
  try {
    if (!formats.some((format) => file.name.toLowerCase().endsWith(format))) {
      throw new Error(`Files of this kind cannot be translated. Known: ${formats.join(", ")}`);
    }
    const href = await translateFile(file, source, target);
    const link = make("a", { href, download: "", textContent: "Download the translation" });
    state.replaceWith(link, make("span", { className: "number", textContent: "kept for some minutes" }));
  } catch (error) {
    state.replaceWith(make("span", { className: "over", textContent: error.message }));
  }
}

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

// Lets files be given if the service takes them.
export function acceptFiles(settings) {
  if (!settings.filesTranslation) {
    byId("choose").hidden = true;
    return;
  }
  formats = settings.supportedFilesFormat;
  input.accept = formats.join(",");
  byId("about-files").textContent = `Files: ${formats.join(", ")} in UTF-8; choose one or drop it anywhere.`;
  byId("choose").title = formats.join(", ");
  byId("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => { [...input.files].forEach(take); input.value = ""; });
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
    [...event.dataTransfer.files].forEach(take);
  });
}
