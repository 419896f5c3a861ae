// What is told of a sentence: other translations of it, and the attention. Asked for when it is opened.
import { attentionView } from "./attention.js";
import { correctionForm } from "./corrections.js";
import { announce, byId, make, press } from "./dom.js";
import * as output from "./output.js";
import { examine } from "./service.js";

const [panel, inside] = ["panel", "inside"].map(byId);
const tabs = [...byId("tabs").children];
let open = null; // {sentence, pair, known: {alternatives, attention}}
let tab = "alternatives";
let running = null;

export function close({ focus = false } = {}) {
  if (!open) return;
  running?.abort();
  open.sentence.element.setAttribute("aria-expanded", "false");
  if (focus) open.sentence.element.focus();
  open = null;
  panel.hidden = true;
}

// Opens the panel for a sentence, or closes it if it is open for that one.
export function toggle(sentence, pair) {
  if (open?.sentence === sentence) return close();
  close();
  open = { sentence, pair, known: {} };
  sentence.element.setAttribute("aria-expanded", "true");
  byId("sentence").textContent = sentence.part.source;
  byId("sentence").lang = pair.source;
  panel.hidden = false;
  byId("panel-title").focus({ preventScroll: true });
  panel.scrollIntoView({ block: "nearest", behavior: "smooth" });
  fill();
}

const WANTED = { alternatives: { alternatives: 4 }, attention: { attention: true } };
const VIEWS = { alternatives: alternativesView, attention: (sentence, part) => attentionOf(sentence, part) };

// No more alternatives are asked for than the service gives.
export function allow(most) {
  WANTED.alternatives.alternatives = Math.min(WANTED.alternatives.alternatives, most);
}

async function fill() {
  const { sentence, pair, known } = open;
  const wanted = tab;
  press(tabs, wanted);
  running?.abort();
  if (!known[wanted]) {
    const mine = running = new AbortController();
    inside.replaceChildren(make("p", { className: "note wait", textContent: "Asking the model" }));
    try {
      known[wanted] = await examine({ q: sentence.part.source, ...pair, ...WANTED[wanted] }, mine.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      const again = make("button", { type: "button", className: "tool", textContent: "Try again", onclick: fill });
      inside.replaceChildren(make("p", { className: "box" }, make("span", { textContent: error.message }), again));
      return;
    }
  }
  inside.replaceChildren(...VIEWS[wanted](sentence, known[wanted]));
}

// Words that the first choice does not have stand out.
function marked(text, other) {
  const own = new Set(other.split(/\s+/));
  return text.split(/(\s+)/).map((word) => (own.has(word) || !word.trim() ? word : make("ins", { textContent: word })));
}

const total = ({ log_probs: values }) => values.reduce((sum, value) => sum + value, 0);

function alternativesView(sentence, part) {
  const first = { ...sentence.part, decoded: sentence.part.text, text: sentence.original };
  const all = [first, part, ...part.alternatives, sentence.shown];
  const likely = (each) => Math.exp(total(each) - total(first));
  const rank = (each) => (each === first ? Infinity : each.own ? -1 : likely(each)); // as the numbers beside them
  const different = all.filter((each, i) => all.findIndex(({ text }) => text === each.text) === i)
    .sort((a, b) => rank(b) - rank(a));
  const buttons = different.map((each) => {
    const label = make("span", { lang: open.pair.target, dir: "auto" }, ...(each.text === first.text ? [each.text] : marked(each.text, first.text)));
    const share = make("span", { className: "number", textContent: each === first ? "first choice" : each.own ? "your own" : `${likely(each).toPrecision(2)}×` });
    return make("button", { type: "button", value: each.text, onclick: () => {
      output.replace(sentence, each);
      press(buttons, each.text);
      announce("The sentence was replaced.");
    } }, label, share);
  });
  press(buttons, sentence.text);
  const list = make("div", { className: "alternatives", role: "group", ariaLabel: "Translations of the sentence" }, ...buttons);
  const told = different.length > 1 ? "Choose one to put it into the translation. The numbers say how likely the model finds it, compared with the first choice."
    : "The model found no other translation.";
  return [list, make("p", { className: "note", textContent: told }), 
    ...correctionForm(sentence, open.pair, (text) => press(buttons, text))];
}

function attentionOf(sentence, part) {
  const views = attentionView(part);
  if (part.text === sentence.text) return views;
  return [make("p", { className: "note", dir: "auto", textContent: `The model's own first choice: ${part.text}` }), ...views];
}

for (const button of tabs) button.addEventListener("click", () => { tab = button.value; fill(); });
byId("close").addEventListener("click", () => close({ focus: true }));
