// The choice of a head, and all that follows it. KINDS names the maps that there are to choose from; of each its rows and
// columns, its weights (layers, heads, rows, columns), which layer and head to begin with, and perhaps how maps are drawn.
const whenChosen = []; // functions to call when another map is shown
let chosen = { kind: null, layer: null, head: null }; // null = the mean over them
let chosenWeights = [];
let large = null;
let thumbs = [];

function weightsOf({ kind, layer, head }) {
  const layers = KINDS[kind].weights;
  const heads = layer === null ? layers.flat() : layers[layer];
  return head === null ? mean(heads) : heads[head];
}

function nameOf({ kind, layer, head }) {
  const { weights } = KINDS[kind];
  if (weights.length === 1 && weights[0].length === 1) return KINDS[kind].long;
  if (layer === null) return `${KINDS[kind].long}, mean of all heads`;
  return `${KINDS[kind].long}, layer ${layer + 1}, ${head === null ? "mean of its heads" : `head ${head + 1}`}`;
}

// What is shown first: the mean over all heads.
function firstOf(weights) {
  return weights.length > 1 ? { layer: null, head: null } : { layer: 0, head: weights[0].length > 1 ? null : 0 };
}

function drawThumb(frame, values, { rows, columns, shadeOf = () => Math.sqrt }) {
  const canvas = make("canvas");
  const repaint = () => paint(canvas, values, shadeOf(values));
  repaint();
  frame.append(canvas);
  return { bars: lightBars(frame, rows.keys, columns.keys), repaint };
}

function drawLarge(values, { rows, columns, corner = "query ↓  key →", shadeOf = () => Math.sqrt }) {
  const read = (i, j, weight) => {
    byId("readout").textContent = `${rows.labels[i]} gives ${(columns.names ?? columns.labels)[j]} a weight of ${weight.toFixed(3)}`;
  };
  byId("large").style.setProperty("--cell", values.length <= 12 ? "32px" : "");
  return drawMap(byId("large"), values, rows, columns, { corner, read, shade: shadeOf(values) });
}

function chooseKind(kind) {
  const { weights, entropy, thumbOf = drawThumb } = KINDS[kind];
  const count = weights[0].length;
  const grid = byId("heads");
  grid.style.gridTemplateColumns = `max-content repeat(${count + (count > 1)}, minmax(2.75rem, 7rem))`;
  thumbs = [];
  const thumb = (choice, caption) => {
    const frame = make("span", { className: "thumb" });
    const button = make("button", { type: "button", ariaLabel: nameOf(choice) }, frame, caption);
    button.addEventListener("click", () => chooseHead(choice));
    thumbs.push({ button, choice, ...thumbOf(frame, weightsOf(choice), KINDS[kind]) });
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
  chooseHead({ kind, ...KINDS[kind].first });
}

function chooseHead(choice) {
  chosen = choice;
  chosenWeights = weightsOf(choice);
  const { largeOf = drawLarge } = KINDS[choice.kind];
  const same = (other) => other.layer === choice.layer && other.head === choice.head;
  for (const { button, choice: other } of thumbs) button.setAttribute("aria-pressed", same(other));
  byId("chosen").textContent = nameOf(choice);
  large = largeOf(chosenWeights, KINDS[choice.kind]);
  for (const follow of whenChosen) follow(choice);
  showMaps(lit);
}

function showMaps(key) {
  large.bars(key);
  for (const { bars } of thumbs) bars(key);
}

function offerKinds() {
  const kinds = Object.keys(KINDS).map((kind) => [kind, KINDS[kind].name]);
  choice(byId("kinds"), kinds, kinds[0][0], chooseKind);
  whenLit.push(showMaps);
  whenRedrawn.push(() => { large.repaint(); for (const { repaint } of thumbs) repaint(); });
}
