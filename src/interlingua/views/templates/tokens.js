// Tokens and their light. A key names what is lit: s3 is the fourth token of the source, t0 the first of the target, w0
// the first word of a transcript.
const kin = new Map(); // of a key, the others that are lit with it
const together = (key) => (key ? [key, ...(kin.get(key) ?? [])] : []);
const whenLit = []; // functions to call with the key that is lit, or null
let lit = null;
let pinned = null;

// The sign that begins a word in subwords is shown, but faintly.
function write(element, label) {
  element.title = label;
  const mark = label.length > 1 && label.startsWith("▁");
  element.replaceChildren(...(mark ? [make("span", { className: "mark", textContent: "▁" }), label.slice(1)] : [label]));
  return element;
}

function tokenButton(key, label = labelOf(key), extra = "") {
  const side = key[0] === "s" ? "source" : "target";
  const button = write(make("button", { type: "button", className: `token ${side} ${extra}` }), label);
  button.dataset.key = key;
  return button;
}

function light(key) {
  if (key === lit) return;
  lit = key;
  for (const element of document.querySelectorAll(".lit")) element.classList.remove("lit");
  for (const each of together(key)) {
    for (const element of document.querySelectorAll(`[data-key=${each}], [data-row=${each}]`)) element.classList.add("lit");
  }
  for (const show of whenLit) show(key);
}

const keyUnder = (event) => event.target.closest?.("[data-key]")?.dataset.key ?? null;
document.addEventListener("pointerover", (event) => light(keyUnder(event) ?? pinned));
document.addEventListener("focusin", (event) => light(keyUnder(event) ?? pinned));
document.addEventListener("click", (event) => {
  const key = keyUnder(event);
  if (key) pinned = key === pinned ? null : key;
  else if (!event.target.closest("button, .cells")) pinned = null;
  light(key ?? pinned);
});

for (const element of document.querySelectorAll(".token, .piece")) write(element, element.textContent);
