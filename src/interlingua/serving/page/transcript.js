// What was said: a draft while it grows, then words that can be heard.
import { byId, make } from "./dom.js";
import { percent } from "./words.js";

const [output, player] = ["transcript", "player"].map(byId);
const LEVELS = [0.8, 0.5, 0.2]; // below each, a word is marked more strongly
const FLAGS = {
  empty: "Nothing was heard: the sound is silent.",
  limit: "A part was cut off at the model's length limit.",
  repeated: "The model went in circles: a part of this is likely wrong.",
};
let words = []; // {element, start, end}, in order

export const text = () => output.textContent;

export function clear() {
  words = [];
  output.replaceChildren();
  finish([]);
}

// The text so far, which looks unfinished.
export function draft(soFar) {
  words = [];
  output.textContent = soFar;
  output.classList.add("draft");
}

// The whole answer.
export function show(answer) {
  words = answer.words.map((word) => {
    const level = LEVELS.filter((bound) => word.confidence < bound).length;
    const title = `${clock(word.start)}, sure: ${percent(word.confidence)}`;
    const properties = { className: `word level-${level}`, role: "button", tabIndex: 0, title, textContent: word.word };
    const element = make("span", properties);
    element.addEventListener("click", () => { if (getSelection().isCollapsed) hear(word); });
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      hear(word);
    });
    return { ...word, element };
  });
  output.replaceChildren(...words.flatMap(({ element }, i) => (i ? [" ", element] : [element])));
  const notes = answer.flags.map((flag) => FLAGS[flag] ?? flag);
  if (!answer.text && !notes.length) notes.push("The model heard no words in it.");
  finish(notes);
}

export const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;

function hear(word) {
  byId("said-at").textContent = `${word.word}: ${clock(word.start)}`;
  if (player.hidden) return; // the browser cannot play this kind of file
  player.currentTime = word.start;
  player.play();
}

function finish(notes) {
  output.classList.remove("draft");
  byId("said-at").textContent = "";
  byId("sound-notes").replaceChildren(...notes.map((note) => make("li", { textContent: note })));
  byId("sound-notes").hidden = notes.length === 0;
  byId("sound-hint").hidden = words.length === 0;
  byId("sound-copy").disabled = output.textContent === "";
}

// The word that is heard now stands out.
player.addEventListener("timeupdate", () => {
  const now = player.currentTime;
  for (const { element, start, end } of words) element.classList.toggle("heard", !player.paused && start <= now && now < end);
});
player.addEventListener("pause", () => words.forEach(({ element }) => element.classList.remove("heard")));
player.addEventListener("error", () => { player.hidden = true; });
