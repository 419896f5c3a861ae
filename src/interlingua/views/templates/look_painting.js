// A painting that grows token by token, and what else each patch might have been.
const { changes, sheet } = data.film;
const total = changes.length;
const starts = changes.reduce((sums, { length }) => [...sums, sums.at(-1) + length], [0]);
const [filmImage, choicesImage] = await Promise.all([loadImage(sheet.png), loadImage(data.choices.png)]);
const easel = make("canvas", { width: size, height: size });
let grown = 0; // tokens

function copyPatch(context, image, columns, number, patch) {
  const [x, y] = patch === null ? [0, 0] : [(patch % grid) * edge, Math.floor(patch / grid) * edge];
  context.drawImage(image, (number % columns) * edge, Math.floor(number / columns) * edge, edge, edge, x, y, edge, edge);
}

function showGrown(count) {
  const context = easel.getContext("2d");
  if (count < grown) {
    context.clearRect(0, 0, size, size);
    grown = 0;
  }
  for (; grown < count; grown++) changes[grown].forEach((patch, i) => copyPatch(context, filmImage, sheet.columns, starts[grown] + i, patch));
  byId("grown").value = count;
  byId("count").textContent = `${count} of ${total}`;
  light(count && count < total ? patches.keys[count - 1] : pinned);
  if (large) showMaps(lit);
  else stage.draw();
}

let playing = null;
function pause() {
  clearInterval(playing);
  playing = null;
  byId("play").textContent = "▶ Play";
}
byId("play").addEventListener("click", () => {
  if (playing) return pause();
  if (grown === total) showGrown(0);
  byId("play").textContent = "❚❚ Pause";
  playing = setInterval(() => {
    showGrown(grown + 1);
    if (grown === total) pause();
  }, Math.max(25, Math.min(90, 6000 / total)));
});
byId("grown").addEventListener("input", () => {
  pause();
  showGrown(Number(byId("grown").value));
});

// What a patch might have been: what was drawn, then the best others; pointed at, they stand in the picture.
function tellPatch(patch) {
  const { probability, rank, best } = data.predictions[patch];
  byId("patch-place").textContent = `Token ${patch + 1}: ${placeOf(patch)}`;
  const swatch = (image, columns, number) => {
    const canvas = make("canvas", { width: edge, height: edge });
    copyPatch(canvas.getContext("2d"), image, columns, number, null);
    return canvas;
  };
  const drawn = make("span", { className: "choice-of drawn" }, swatch(whole, grid, patch),
    make("span", {}, percent(probability), make("small", { textContent: rank ? `drawn, choice ${rank + 1}` : "drawn, the best" })));
  const others = best.flatMap(([, share], i) => {
    if (i === rank) return [];
    const button = make("button", { type: "button", className: "choice-of", ariaLabel: `Choice ${i + 1}, ${percent(share)}: see it in the picture` },
      swatch(choicesImage, data.choices.columns, patch * best.length + i), make("span", {}, percent(share), make("small", { textContent: `choice ${i + 1}` })));
    const see = () => {
      stage.draw();
      copyPatch(byId("picture").getContext("2d"), choicesImage, data.choices.columns, patch * best.length + i, patch);
    };
    for (const event of ["pointerenter", "focus", "click"]) button.addEventListener(event, see);
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => stage.draw());
    return [button];
  });
  byId("choices").replaceChildren(drawn, ...others);
  for (const button of byId("patches").children) button.classList.toggle("told", button.dataset.key === patches.keys[patch]);
}

stage.picture = () => easel;
let sure = false;
stage.shares = () => (sure ? data.predictions.map(({ probability }, i) => (i < grown ? Math.sqrt(probability) : 1)) : null);
whenLit.push((key) => { if (patchOf(key) !== null) tellPatch(patchOf(key)); });

function attentionKinds() {
  const weights = unpack(data.attention.roots, (root) => root * root).map((heads) =>
    heads.map((rows) => data.words.map((_, word) => Float32Array.from(rows, (row) => row[word])))); // (layers, heads, words, patches)
  const held = data.words.map((_, word) => mean(weights.flat())[word].reduce((sum, weight) => sum + weight, 0) / total);
  const rows = { labels: data.words, keys: data.words.map((_, i) => `s${i}`), notes: held.map(percent) };
  const brightness = (values, word, patch) => values[word][patch] / Math.max(...values.map((row) => row[patch]));
  return { words: { name: "", long: "Attention", rows, columns: patches, weights, entropy: data.attention.entropy, first: firstOf(weights),
    brightness, largeOf: drawLit, thumbOf: drawLitThumb } };
}

const KINDS = data.attention ? attentionKinds() : {};
if (data.attention) offerKinds();
tellPatch(data.predictions.reduce((least, { probability }, i, all) => (probability < all[least].probability ? i : least), 0));
showGrown(total);
choice(byId("show"), [["picture", "The picture"], ["sure", "How sure it was"]], "picture", (shown) => {
  sure = shown === "sure";
  stage.draw();
});
