// Heat maps. A map has rows and columns, each with a label and the key of the token it stands for (or null).
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
    const keys = together(key);
    columns.forEach((column, i) => keys.includes(column) && frame.append(bar("column", i, columns.length)));
    rows.forEach((row, i) => keys.includes(row) && frame.append(bar("row", i, rows.length)));
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
