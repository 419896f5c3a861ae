// A picture, whose patches are buttons; and words, each with the picture lit where it belongs. Maps have words as rows and
// patches as columns. A patch's key is p3: the fourth, row by row.
const { size, grid } = data;
const edge = size / grid;
const percent = (share) => (share < 0.001 ? "<0.1%" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`);
const patchOf = (key) => (key?.[0] === "p" ? Number(key.slice(1)) : null);
const placeOf = (patch) => `row ${Math.floor(patch / grid) + 1}, column ${(patch % grid) + 1}`;
const patches = { names: Array.from({ length: grid * grid }, (_, i) => placeOf(i)), keys: Array.from({ length: grid * grid }, (_, i) => `p${i}`) };

async function loadImage(src) {
  const image = make("img", { src });
  await image.decode();
  return image;
}

// The picture, behind grey in a patch the more, the smaller its share is, from 0 to 1.
const GREY = [122, 124, 128]; // stands out from light and from dark pictures
const veil = make("canvas", { width: grid, height: grid });
function shine(canvas, picture, shares) {
  Object.assign(canvas, { width: size, height: size });
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  if (!shares) return canvas;
  const veiled = new ImageData(grid, grid);
  shares.forEach((share, i) => { veiled.data.set([...GREY, 225 * (1 - share)], 4 * i); });
  veil.getContext("2d").putImageData(veiled, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(veil, 0, 0, size, size);
  return canvas;
}
const sharesOf = (weights) => {
  const most = Math.max(1e-6, ...weights);
  return Array.from(weights, (weight) => weight / most);
};

const whole = await loadImage(data.picture);
const stage = {
  picture: () => whole, // what stands there
  shares: () => null, // how it is lit while no word is
  draw(shares = this.shares()) { shine(byId("picture"), this.picture(), shares); },
};

// One patch can be reached with the Tab key, the others from it with the arrows.
function layPatches() {
  const buttons = patches.keys.map((key, i) => {
    const button = make("button", { type: "button", className: "patch", ariaLabel: patches.names[i], tabIndex: i ? -1 : 0 });
    button.dataset.key = key;
    return button;
  });
  byId("patches").style.setProperty("--grid", grid);
  byId("patches").append(...buttons);
  byId("patches").addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid, ArrowDown: grid }[event.key];
    const next = buttons[buttons.indexOf(event.target) + move];
    if (!move) return;
    event.preventDefault();
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

let glimpses = []; // of each word its button and what is noted on it
let shownRow = 0; // the word whose maps the heads show: the last that was lit

function drawGlimpses(values, { rows }) {
  glimpses = rows.keys.map((key, i) => {
    const label = write(make("bdi"), rows.labels[i] === " " ? "␣" : rows.labels[i]);
    const note = make("small", { textContent: rows.notes[i] });
    const canvas = values ? [shine(make("canvas"), whole, sharesOf(values[i]))] : [];
    const button = make("button", { type: "button", className: `glimpse ${key[0] === "s" ? "source" : "target"}` }, ...canvas, label, note);
    button.dataset.key = key;
    button.classList.toggle("lit", together(lit).includes(key));
    return { button, note };
  });
  byId("glimpses").replaceChildren(...glimpses.map(({ button }) => button));
  if (!values) stage.draw();
}

function drawLit(values, { rows, brightness }) {
  drawGlimpses(values, { rows });
  shownRow = Math.min(shownRow, values.length - 1);
  const bars = (key) => {
    const row = rows.keys.findIndex((each) => together(key).includes(each));
    const patch = patchOf(key);
    if (row >= 0) shownRow = row;
    glimpses.forEach(({ button, note }, i) => {
      button.style.setProperty("--light", patch === null ? 0 : brightness(values, i, patch));
      note.textContent = patch === null ? rows.notes[i] : percent(values[i][patch]);
      button.classList.toggle("shown", i === shownRow);
    });
    stage.draw(row < 0 ? undefined : sharesOf(values[row]));
    byId("head-word").textContent = rows.labels[shownRow];
  };
  return { bars, repaint: () => {} };
}

function drawLitThumb(frame, values) {
  const canvas = make("canvas");
  frame.append(canvas);
  let drawn = null;
  const bars = () => {
    if (drawn !== shownRow) shine(canvas, whole, sharesOf(values[shownRow]));
    drawn = shownRow;
  };
  return { bars, repaint: () => {} };
}

layPatches();
