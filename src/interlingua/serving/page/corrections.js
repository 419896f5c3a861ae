// A better translation of a sentence, written by the reader and saved for the model to learn from.
import { announce, make } from "./dom.js";
import * as output from "./output.js";
import { saveCorrection } from "./service.js";

let wanted = false;
export const allow = (is) => { wanted = is; };

// The form for a sentence; nothing where corrections are not saved.
export function correctionForm(sentence, pair, saved) {
  if (!wanted) return [];
  const area = make("textarea", { id: "better", dir: "auto", lang: pair.target, value: sentence.text, rows: 2 });
  const told = make("p", { className: "note", role: "status" });
  const button = make("button", { type: "submit", className: "tool", textContent: "Save correction" });
  const form = make("form", { id: "correction" }, make("label", { htmlFor: "better", textContent: "A better translation" }),
    area, make("div", { className: "bar" }, button, told));
  form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    save();
  });
  async function save() {
    const text = area.value.replace(/\s+/g, " ").trim();
    if (!text || button.disabled) return;
    button.disabled = true;
    try {
      const { source, target, tag } = pair;
      await saveCorrection({ q: sentence.part.source, translation: text, source, target, tag });
      output.replace(sentence, { text, tokens: [], log_probs: [], own: true });
      saved(text);
      told.textContent = "Saved. Thank you.";
      announce("The correction was saved.");
    } catch (error) {
      told.textContent = error.message;
    }
    button.disabled = false;
  }
  return [form];
}
