// Pictures with patches that can be lit by the words that belong to them.
import { make } from "./dom.js";

const [GREY, DIMMED] = [128, 0.9]; // what did not look turns grey, nearly

// Puts a layer over a picture that dims its patches.
export function cover(frame) {
  const layer = make("canvas", { className: "dim", width: 1, height: 1, "aria-hidden": "true" });
  frame.append(layer);
  return layer;
}

// Dims patches by how little weight they have, compared with the most; no weights light all of them.
export function light(layer, weights) {
  const edge = weights ? Math.sqrt(weights.length) : 1;
  const most = weights ? Math.max(...weights) : 1;
  layer.width = layer.height = edge; // which also clears it
  if (!weights) return;
  const context = layer.getContext("2d");
  const image = context.createImageData(edge, edge);
  weights.forEach((weight, i) => image.data.set([GREY, GREY, GREY, 255 * DIMMED * (1 - (weight / most) ** 2)], 4 * i));
  context.putImageData(image, 0, 0);
}

// The words of a text as buttons where they have tokens; `show` is called with these, or with null once one is left.
export function wordButtons(words, show) {
  let held = null; // what was clicked stays lit
  const buttons = [];
  const hold = (button, tokens) => {
    held = held === button ? null : button;
    for (const each of buttons) each.setAttribute("aria-pressed", each === held);
    show(held ? tokens : null);
  };
  return words.map(({ text, tokens }) => {
    if (!tokens.length) return text;
    const button = make("button", { type: "button", className: "word", textContent: text, "aria-pressed": "false" });
    button.addEventListener("pointerenter", ({ pointerType }) => { if (pointerType === "mouse" && !held) show(tokens); });
    button.addEventListener("pointerleave", ({ pointerType }) => { if (pointerType === "mouse" && !held) show(null); });
    button.addEventListener("click", () => hold(button, tokens));
    buttons.push(button);
    return button;
  });
}
