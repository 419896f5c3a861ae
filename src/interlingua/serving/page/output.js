// The translation: a draft while it grows, then sentences that can be opened and words that can be shaded.
import { byId, make } from "./dom.js";
import { percent, takeApart, words } from "./words.js";

const output = byId("output");
const LEVELS = [0.8, 0.5, 0.2]; // below each, a word is marked more strongly
const FEWEST = 0.5; // words below this are listed as well
const FLAGS = {
  unmet: "Some terms of the glossary are missing.",
  limit: "The translation was cut off at the model's length limit.",
  repeated: "The model went in circles: a part of this is likely wrong.",
  split: "A line or sentence was too long for the model and was translated in parts.",
  control: "Control characters were taken for spaces.",
  unknown: "The model does not know some characters of the text; they got lost.",
  short: "The translation is shorter than usual: something may be missing.",
  uncovered: "The model hardly looked at some word: its translation may be missing.",
  pivot: "No model translates between these languages directly: this went through a third one.",
};
let sentences = []; // {element, part, original, text, shown, words}, in order
const replaced = new Map(); // what the reader chose instead, by the sentence of the source

export const text = () => output.textContent;
export const forgetChoices = () => replaced.clear();

export function busy(is) {
  output.setAttribute("aria-busy", is);
}

// Dims what does not belong to the text on the left any more.
export const stale = (is) => output.classList.toggle("stale", is);

export function clear() {
  output.replaceChildren();
  sentences = [];
  finish([]);
}

// The text so far, which replaces the one before and looks unfinished.
export function draft(soFar) {
  sentences = [];
  output.textContent = soFar;
  finish([]);
  output.classList.add("draft");
}

// The whole answer; `open` is called with a sentence that was clicked.
export function show(answer, open) {
  const { text: whole, parts, flags, not_kept: lost, terms = [] } = answer.translations[0];
  sentences = [];
  output.replaceChildren(...takeApart(whole, parts).map((piece) => {
    if (typeof piece === "string") return piece;
    const element = make("span", { className: "sentence", role: "button", tabIndex: 0, "aria-expanded": "false" });
    const sentence = { element, part: piece.part, original: piece.text };
    sentences.push(sentence);
    write(sentence, piece.text);
    const earlier = replaced.get(piece.part.source);
    if (earlier) write(sentence, earlier.text, earlier);
    element.addEventListener("click", () => { if (getSelection().isCollapsed) open(sentence); });
    element.addEventListener("keydown", (event) => {
      if ((event.key !== "Enter" && event.key !== " ") || event.ctrlKey) return;
      event.preventDefault();
      open(sentence);
    });
    return element;
  }));
  const notes = flags.map((flag) => FLAGS[flag] ?? flag);
  const missing = terms.filter(({ satisfied }) => !satisfied).map(({ source, target }) => `${target} (${source})`);
  if (missing.length) notes[flags.indexOf("unmet")] = `Missing terms of the glossary: ${[...new Set(missing)].join(", ")}`;
  const unknown = new Set(parts.flatMap((part) => part.unknown ?? []));
  if (unknown.size) notes[flags.indexOf("unknown")] = `Not in the model's vocabulary, and lost: ${[...unknown].join(" ")}`;
  if (lost.length) notes.push(`Missing or changed in the translation: ${lost.join(", ")}`);
  finish(notes);
}

// Puts another translation in a sentence's place.
export function replace(sentence, hypothesis) {
  replaced.set(sentence.part.source, hypothesis);
  write(sentence, hypothesis.text, hypothesis);
  listUnsure();
}

function write(sentence, text, hypothesis = sentence.part) {
  Object.assign(sentence, { text, shown: hypothesis });
  sentence.words = words(text, hypothesis, output.lang || undefined);
  sentence.element.replaceChildren(...sentence.words.map(({ text: word, probability }) => {
    if (probability === null) return word;
    const level = LEVELS.filter((bound) => probability < bound).length;
    return make("span", { className: `word level-${level}`, title: percent(probability), textContent: word });
  }));
}

function finish(notes) {
  stale(false);
  output.classList.remove("draft");
  byId("notes").replaceChildren(...notes.map((note) => make("li", { textContent: note })));
  byId("notes").hidden = notes.length === 0;
  byId("hint").hidden = sentences.length === 0;
  byId("copy").disabled = output.textContent === "";
  listUnsure();
}

// The same as the shades, as text.
function listUnsure() {
  const unsure = sentences.flatMap((sentence) => sentence.words)
    .filter(({ text: word, probability }) => probability !== null && probability < FEWEST && /[\p{L}\p{N}]/u.test(word))
    .sort((a, b) => a.probability - b.probability).slice(0, 6);
  const list = unsure.map(({ text: word, probability }) => `${word} (${percent(probability)})`).join(", ");
  byId("unsure").textContent = list ? `Least sure of: ${list}.` : sentences.length ? "Fairly sure of every word." : "";
}
