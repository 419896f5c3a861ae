// Heat maps. A map has rows and columns, each with a label and the key of the token it stands for (or null).
const tokens = {
  source: { labels: data.source, keys: keys.s },
  written: { labels: data.target_out, keys: keys.t },
  read: { labels: data.target_in, keys: [null, ...keys.t.slice(0, -1)] }, // token t is read one place later
};
const KINDS = {
  cross: { name: "Cross", long: "Cross-attention", rows: tokens.written, columns: tokens.source },
  encoder: { name: "Encoder", long: "Encoder self-attention", rows: tokens.source, columns: tokens.source },
  decoder: { name: "Decoder", long: "Decoder self-attention", rows: tokens.written, columns: tokens.read },
};

// One pixel a weight; the page stretches them. Negative values have a colour of their own.
function paint(canvas, values, shade = Math.sqrt) {
  const [height, width] = [values.length, values[0].length];
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const inks = [colour("weight"), colour("negative")].map((ink) => ink.split(",").map(Number));
  values.forEach((row, i) => row.forEach((value, j) => {
    const [red, green, blue] = inks[value < 0 ? 1 : 0];
    image.data.set([red, green, blue, 255 * shade(Math.min(1, Math.abs(value)))], 4 * (i * width + j));
  }));
  context.putImageData(image, 0, 0);
  return canvas;
}

// Bars of light over the rows and columns of a token.
function lightBars(frame, rows, columns) {
  const bar = (name, index, count) => {
    const [start, size] = name === "row" ? ["top", "height"] : ["left", "width"];
    const [across, full] = name === "row" ? ["left", "width"] : ["top", "height"];
    const element = make("i", { className: `light ${name}` });
    Object.assign(element.style, { [start]: `${(100 * index) / count}%`, [size]: `${100 / count}%`, [across]: 0, [full]: "100%" });
    return element;
  };
  return (key) => {
    for (const old of frame.querySelectorAll(".light")) old.remove();
    if (!key) return;
    columns.forEach((column, i) => column === key && frame.append(bar("column", i, columns.length)));
    rows.forEach((row, i) => row === key && frame.append(bar("row", i, rows.length)));
  };
}

// A map with labels, whose cells light their row's token; `read` tells of the cell under the pointer.
function drawMap(element, values, rows, columns, { least = "14px", corner = "", shade, read = () => {} } = {}) {
  const canvas = paint(make("canvas"), values, shade);
  const cells = make("div", { className: "cells" }, canvas);
  const label = (side) => (text, i) =>
    side.keys[i] ? tokenButton(side.keys[i], text, "label") : write(make("span", { className: "label" }), text);
  const columnLabels = make("div", { className: "columns" }, ...(columns.labels ?? []).map(label(columns)));
  const rowLabels = make("div", { className: "rows" }, ...rows.labels.map(label(rows)));
  element.style.setProperty("--rows", values.length);
  element.style.setProperty("--columns", values[0].length);
  element.style.setProperty("--least", least);
  element.replaceChildren(make("span", { className: "corner", textContent: corner }), columnLabels, rowLabels, cells);
  const bars = lightBars(cells, rows.keys, columns.keys);
  cells.addEventListener("pointermove", (event) => {
    const box = cells.getBoundingClientRect();
    const at = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
    const i = at((event.clientY - box.top) / box.height, values.length);
    const j = at((event.clientX - box.left) / box.width, values[0].length);
    light(rows.keys[i] ?? pinned);
    read(i, j, values[i][j]);
  });
  bars(lit);
  return { bars, repaint: () => paint(canvas, values, shade) };
}

// Maps that do not change.
function fixedMap(id, values, rows, columns, options) {
  const map = drawMap(byId(id), values, rows, columns, options);
  whenLit.push(map.bars);
  whenRedrawn.push(map.repaint);
}

const mean = (maps) => maps[0].map((row, i) => row.map((_, j) => maps.reduce((sum, map) => sum + map[i][j], 0) / maps.length));

// The choice of a head, and all that follows it.
let chosen = { kind: null, layer: null, head: null }; // null = the mean over them
let chosenWeights = [];
let queryRow = 0;
let large = null;
let thumbs = [];

function weightsOf({ kind, layer, head }) {
  const layers = data.attention[kind].weights;
  const heads = layer === null ? layers.flat() : layers[layer];
  return head === null ? mean(heads) : heads[head];
}

function nameOf({ kind, layer, head }) {
  const { weights } = data.attention[kind];
  if (weights.length === 1 && weights[0].length === 1) return KINDS[kind].long;
  if (layer === null) return `${KINDS[kind].long}, mean of all heads`;
  return `${KINDS[kind].long}, layer ${layer + 1}, ${head === null ? "mean of its heads" : `head ${head + 1}`}`;
}

function chooseKind(kind) {
  const { rows, columns } = KINDS[kind];
  const { weights, entropy } = data.attention[kind];
  const count = weights[0].length;
  const grid = byId("heads");
  grid.style.gridTemplateColumns = `max-content repeat(${count + (count > 1)}, minmax(2.75rem, 7rem))`;
  thumbs = [];
  const thumb = (choice, caption) => {
    const values = weightsOf(choice);
    const canvas = paint(make("canvas"), values);
    const frame = make("span", { className: "thumb" }, canvas);
    const button = make("button", { type: "button", ariaLabel: nameOf(choice) }, frame, caption);
    button.addEventListener("click", () => chooseHead(choice));
    thumbs.push({ button, choice, bars: lightBars(frame, rows.keys, columns.keys), repaint: () => paint(canvas, values) });
    return button;
  };
  const label = (text) => make("span", { className: "label", textContent: text });
  const cells = weights.flatMap((heads, layer) => [
    label(`L${layer + 1}`),
    ...heads.map((_, head) => thumb({ kind, layer, head }, `${entropy[layer][head].toFixed(1)} bits`)),
    ...(count > 1 ? [thumb({ kind, layer, head: null }, "mean")] : []),
  ]);
  if (weights.length > 1) {
    const all = thumb({ kind, layer: null, head: null }, "mean of all");
    all.style.gridColumn = "-2";
    cells.push(all);
  }
  const names = weights[0].map((_, head) => label(`head ${head + 1}`));
  grid.replaceChildren(label(""), ...names, ...(count > 1 ? [label("")] : []), ...cells);
  const layer = Math.max(0, weights.length - 2);
  chooseHead({ kind, layer: kind === "cross" ? layer : 0, head: kind === "cross" && count > 1 ? null : 0 });
}

function chooseHead(choice) {
  chosen = choice;
  chosenWeights = weightsOf(choice);
  const { rows, columns } = KINDS[choice.kind];
  const same = (other) => other.layer === choice.layer && other.head === choice.head;
  for (const { button, choice: other } of thumbs) button.setAttribute("aria-pressed", same(other));
  byId("chosen").textContent = nameOf(choice);
  const read = (i, j, weight) => {
    byId("readout").textContent = `${rows.labels[i]} gives ${columns.labels[j]} a weight of ${weight.toFixed(3)}`;
  };
  byId("large").style.setProperty("--cell", chosenWeights.length <= 12 ? "32px" : "");
  large = drawMap(byId("large"), chosenWeights, rows, columns, { corner: "query ↓  key →", read });
  if (choice.kind === "cross") {
    joinedWeights = chosenWeights;
    byId("joined-of").textContent = nameOf(choice).toLowerCase();
    joinTokens();
  }
  showMaps(lit);
}

function showMaps(key) {
  large.bars(key);
  for (const { bars } of thumbs) bars(key);
  const row = KINDS[chosen.kind].rows.keys.indexOf(key);
  if (row >= 0) queryRow = row;
  showQuery();
}

// One row of the chosen map, as the equation reads.
function showQuery() {
  const { rows, columns } = KINDS[chosen.kind];
  const row = Math.min(queryRow, chosenWeights.length - 1);
  const most = Math.max(...chosenWeights[row]);
  const single = chosen.head !== null;
  const asked = chosen.kind === "encoder" ? "The query of " : "The query that chose ";
  const ending = single
    ? ` shares out its weight of 1; beside each weight, how far its score${data.head_dim ? " q·k/√d" : ""} lies behind the best:`
    : " shares out its weight of 1, in the mean of the heads:";
  byId("query-of").replaceChildren(asked, tokenButton(rows.keys[row]), ending);
  byId("weights").replaceChildren(...chosenWeights[row].map((weight, j) => {
    const masked = chosen.kind === "decoder" && data.mask && !data.mask[row][j];
    const key = columns.keys[j];
    const name = key ? tokenButton(key, columns.labels[j]) : write(make("span", { className: "token target" }), columns.labels[j]);
    const bar = make("i");
    bar.style.width = `${100 * weight}%`;
    const behind = weight < 0.0005 ? `< −${Math.log(most / 0.0005).toFixed(1)}` : weight === most ? "best" : `−${Math.abs(Math.log(weight / most)).toFixed(1)}`;
    return make("div", { className: "weight" }, name, make("div", { className: "share" }, bar),
      make("span", { textContent: masked ? "masked" : weight.toFixed(3) }),
      make("span", { className: "score", textContent: masked ? "−∞" : single ? behind : "" }));
  }));
  if (lit) for (const element of byId("query").querySelectorAll(`[data-key=${lit}]`)) element.classList.add("lit");
}

if (Object.keys(data.attention).length) {
  const kinds = Object.keys(KINDS).filter((kind) => data.attention[kind]).map((kind) => [kind, KINDS[kind].name]);
  choice(byId("kinds"), kinds, kinds[0][0], chooseKind);
  whenLit.push(showMaps);
  whenRedrawn.push(() => { large.repaint(); for (const { repaint } of thumbs) repaint(); });
}
if (data.mask) fixedMap("mask", data.mask, tokens.written, tokens.read, { shade: (value) => 0.6 * value });
if (data.position_code) {
  const { kind, values } = data.position_code;
  const places = values.map((_, i) => String(i));
  const rows = { labels: places, keys: places.map(() => null) };
  const learned = kind === "learned";
  // The sines of all frequencies, then the cosines; in the code itself they take turns.
  const parted = (row) => [0, 1].flatMap((odd) => row.filter((_, i) => i % 2 === odd));
  const largest = learned ? Math.max(1e-6, ...values.flat().map(Math.abs)) : 1;
  fixedMap("code", learned ? values : values.map(parted), rows, { labels: null, keys: [] },
    { least: "0px", shade: (value) => value / largest });
  // A source token and the target token read at the same place have the same code.
  const frame = byId("code").querySelector(".cells");
  const bars = lightBars(frame, places.map((_, i) => i), []);
  whenLit.push((key) => bars(key && Number(key.slice(1)) + (key[0] === "t" ? 1 : 0)));
}
