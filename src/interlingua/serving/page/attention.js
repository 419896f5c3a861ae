// Where the model looked: the cross-attention from each target token to the source tokens.
import { make } from "./dom.js";
import { percent } from "./words.js";

const MOST = 120; // tokens of a side that can be shown
const SPACE = "\u2581"; // SentencePiece's sign for the space before a word

const mean = (maps) =>
  maps[0].map((row, i) => row.map((_, j) => maps.reduce((sum, map) => sum + map[i][j], 0) / maps.length));
const plain = (token) => token.replaceAll(SPACE, " ").trim() || "space";

function label(token) {
  const shown = token.split(SPACE).flatMap((piece, i) => (i ? [make("span", { className: "mark", textContent: SPACE }), piece] : [piece]));
  return shown.filter((piece) => piece !== "");
}

// One pixel a weight; the page stretches them.
function paint(weights) {
  const canvas = make("canvas", { width: weights[0].length, height: weights.length });
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--weight").split(",").map(Number);
  weights.flat().forEach((weight, i) => image.data.set([...ink, 255 * Math.sqrt(Math.min(1, weight))], 4 * i));
  context.putImageData(image, 0, 0);
  return canvas;
}

function drawMap(weights, rows, columns, light) {
  const cells = make("div", { className: "cells" }, paint(weights));
  const labels = (tokens) => tokens.map((token) => make("span", {}, ...label(token)));
  const map = make("div", { className: "map", "aria-hidden": "true" }, make("span", { className: "corner" }),
    make("div", { className: "across" }, ...labels(columns)), make("div", { className: "rows" }, ...labels(rows)), cells);
  map.style.setProperty("--rows", rows.length);
  map.style.setProperty("--columns", columns.length);
  cells.addEventListener("pointermove", (event) => {
    const box = cells.getBoundingClientRect();
    light(Math.max(0, Math.min(rows.length - 1, Math.floor(rows.length * (event.clientY - box.top) / box.height))));
  });
  const bar = make("i");
  cells.append(bar);
  const lightRow = (row) => {
    bar.style.top = `calc(${row} * var(--cell))`;
    map.querySelectorAll(".rows > span").forEach((each, i) => each.classList.toggle("lit", i === row));
  };
  return [map, lightRow];
}

// Elements that show the attention of an examined sentence.
export function attentionView(part) {
  const cross = part.attention?.cross;
  const say = (text) => [make("p", { className: "note", textContent: text })];
  if (!cross?.length || !cross[0].length) return say("This model has no attention to show.");
  const weightsOf = (layer) => mean(layer === "all" ? cross.flat() : cross[layer]);
  const all = weightsOf("all");
  if (Math.max(all.length, all[0].length) > MOST) return say("This sentence is too long to show its attention.");
  const rows = all.map((_, i) => part.tokens[i] ?? "end");
  const columns = all[0].map((_, j) => part.source_tokens[j] ?? "end");
  let [weights, lit] = [all, 0];

  const sources = columns.map((token) => make("span", { className: "token from", dir: "auto" }, ...label(token)));
  const targets = rows.map((token, i) => {
    const show = () => light(i);
    return make("button", { type: "button", className: "token to", dir: "auto", onfocus: show, onpointerenter: show, onclick: show }, ...label(token));
  });
  const readout = make("p", { className: "readout", role: "status" });
  const frame = make("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: "Map of the attention" });
  let lightRow = () => {};

  function light(row) {
    lit = row;
    const own = weights[row];
    const most = own.map((weight, j) => [weight, j]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(([weight]) => weight >= 0.05);
    sources.forEach((element, j) => {
      element.style.backgroundColor = `rgba(var(--weight), ${(0.06 + 0.5 * Math.sqrt(own[j])).toFixed(3)})`;
      element.classList.toggle("strong", most.some(([, strong]) => strong === j));
    });
    targets.forEach((element, i) => {
      element.classList.toggle("lit", i === row);
      element.setAttribute("aria-pressed", i === row);
    });
    readout.textContent = `“${plain(rows[row])}” looked at ${most.map(([weight, j]) => `${plain(columns[j])} ${percent(weight)}`).join(", ")}`;
    lightRow(row);
  }

  function draw() {
    const [map, bar] = drawMap(weights, rows, columns, light);
    lightRow = bar;
    frame.replaceChildren(map);
    light(lit);
  }
  const layers = make("select", { ariaLabel: "Layer" }, make("option", { value: "all", textContent: "Mean of all layers" }),
    ...cross.map((_, i) => make("option", { value: String(i), textContent: `Layer ${i + 1}` })));
  layers.addEventListener("change", () => { weights = weightsOf(layers.value); draw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (frame.isConnected) draw(); });
  draw();
  return [
    make("div", { className: "bar wraps" }, make("p", { className: "note", textContent: "Choose a token of the translation to see where the model looked while writing it." }),
      make("span", { className: "space" }), layers),
    make("div", { className: "attention" },
      make("div", {},
        make("div", { className: "tokens", role: "group", ariaLabel: "Tokens of the translation" }, ...targets), readout,
        make("div", { className: "tokens", role: "group", ariaLabel: "Tokens of the source" }, ...sources)),
      frame),
  ];
}
