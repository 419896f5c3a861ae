// The beam: a column for each token, the hypotheses in it from the best down.
const COLUMN = 30; // between two columns, with room for a cross
const tree = byId("tree");
const nodes = data.tree;

function ancestors(node) {
  const path = [];
  for (let at = node; at; at = at.parent === null ? null : nodes[at.parent]) path.unshift(at);
  return path;
}

const FATES = {
  kept: "went on", ended: "ended", limit: "cut off at the length limit", lost: "died: nothing after it was good enough",
  crowded: "no place was left in the beam", stopped: "given up: it could not win any more",
};

function drawTree() {
  const winner = new Set(ancestors(nodes.find((node) => node.rank === 0)));
  const columns = group(nodes);
  const short = (text) => ([...text].length > 14 ? `${[...text].slice(0, 13).join("")}…` : text);
  let x = 2;
  const box = new Map();
  for (const column of columns.values()) {
    const width = Math.max(44, ...column.map((node) => 18 + 7.2 * [...short(node.token).replace("▁", "")].length));
    for (const node of column) box.set(node, { x, y: 20 + node.place * 40, width, height: 24 });
    x += width + COLUMN;
  }
  const height = Math.max(...[...box.values()].map(({ y }) => y)) + 40;
  const picture = draw("svg", { width: x, height, viewBox: `0 0 ${x} ${height}`, role: "img", "aria-label": "The beam's tree" });
  const ordered = [...nodes].sort((a, b) => winner.has(a) - winner.has(b)); // the winner's lines on top
  for (const node of ordered) {
    if (node.parent === null) continue;
    const [from, to] = [box.get(nodes[node.parent]), box.get(node)];
    const [a, b, c, d] = [from.x + from.width, from.y + 12, to.x, to.y + 12];
    const path = draw("path", { d: `M${a} ${b}C${(a + c) / 2} ${b} ${(a + c) / 2} ${d} ${c} ${d}` });
    if (winner.has(node)) path.classList.add("best");
    picture.append(path);
  }
  for (const [step, [first]] of columns) {
    picture.append(draw("text", { class: "faint", x: box.get(first).x, y: 11 }, `token ${step}`));
  }
  for (const node of nodes) picture.append(drawNode(node, box.get(node), short(node.token), winner.has(node)));
  tree.replaceChildren(picture);
}

function drawNode(node, { x, y, width, height }, label, wins) {
  const shape = draw("g", { class: `${node.fate}${wins ? " best" : ""}`, transform: `translate(${x} ${y})` },
    draw("rect", { width, height, rx: 5 }),
    draw("text", { x: 7, y: 16 }, ...marked(label)),
    draw("text", { class: "faint", x: 7, y: 35 }, node.total.toFixed(2)));
  if (wins) shape.dataset.key = `t${node.step - 1}`;
  if (node.rank !== null) shape.append(draw("text", { class: "badge", x: width + 4, y: 16 }, `#${node.rank + 1}`));
  if (node.fate === "lost" || node.fate === "crowded") {
    shape.append(draw("path", { class: "cross", d: `M${width + 4} 8l8 8m0 -8l-8 8` }));
  }
  const told = `${ancestors(node).map((each) => each.token).join(" ")}: ${FATES[node.fate]}; log-probability ${node.total.toFixed(2)}, ` +
    `of the last token ${node.log_prob.toFixed(2)}`;
  shape.append(draw("title", {}, told));
  shape.addEventListener("pointerenter", () => { byId("node").textContent = told; });
  return shape;
}

const marked = (label) =>
  label.length > 1 && label.startsWith("▁") ? [draw("tspan", { class: "mark" }, "▁"), label.slice(1)] : [label];

function group(all) {
  const columns = new Map();
  for (const node of all) columns.set(node.step, [...(columns.get(node.step) ?? []), node]);
  return columns;
}

drawTree();
light(null);
