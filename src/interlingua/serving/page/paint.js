// Captions: painted patch by patch, with what each patch looked at.
import { announce, byId, make, press } from "./dom.js";
import { cover, light, wordButtons } from "./patches.js";
import { hasKey, paint } from "./service.js";
import * as trouble from "./trouble.js";
import { tokensOfWords } from "./words.js";

const COUNTS = [1, 4, 9]; // of pictures
const SEEDS = 1_000_000; // of those that are drawn here: numbers that can be told and typed
const DOWNLOADED = 512; // pixels of an edge, about: what a model paints is small
const [gallery, caption, select, guidance, seed] = ["gallery", "caption", "paint-model", "guidance", "seed"].map(byId);
let settings = null;
let painters = [];
let count = 1;
let running = null; // while the service works
let figures = []; // {canvas, layer, link, latest}

const model = () => painters.find((each) => each.model === select.value);
const tell = (text) => { byId("paint-pace").textContent = text; };

function prepare({ size }) {
  figures = Array.from({ length: count }, (_, i) => {
    const canvas = make("canvas", { width: size, height: size, role: "img", ariaLabel: `Picture ${i + 1}` });
    const frame = make("a", { className: "picture" }, canvas);
    const note = make("figcaption", { className: "number" });
    return { canvas, frame, note, layer: cover(frame), latest: 0, element: make("figure", {}, frame, note) };
  });
  gallery.replaceChildren(...figures.map(({ element }) => element));
  gallery.style.setProperty("--columns", Math.sqrt(count));
}

// Draws a picture, or as many of its patches as there are.
async function draw(figure, png, painted, grid) {
  const mine = figure.latest += 1;
  const image = make("img", { src: `data:image/png;base64,${png}` });
  await image.decode();
  if (figure.latest !== mine) return; // there is more of it already
  const [context, edge, patch] = [figure.canvas.getContext("2d"), figure.canvas.width, figure.canvas.width / grid];
  const row = Math.floor(painted / grid);
  context.clearRect(0, 0, edge, edge);
  context.drawImage(image, 0, 0);
  context.clearRect((painted % grid) * patch, row * patch, edge, patch);
  context.clearRect(0, (row + 1) * patch, edge, edge);
}

function offerDownload({ canvas, frame, note }, own) {
  const scale = Math.max(1, Math.floor(DOWNLOADED / canvas.width));
  const large = make("canvas", { width: scale * canvas.width, height: scale * canvas.height });
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, large.width, large.height);
  const title = `Seed ${own.seed}: click to download`;
  Object.assign(frame, { href: large.toDataURL("image/png"), download: `${own.seed}.png`, title });
  note.textContent = `seed ${own.seed}`;
}

function showWords({ prompt, source_tokens: tokens, pictures }) {
  if (!tokens) return;
  const show = (numbers) => figures.forEach(({ layer }, i) =>
    light(layer, numbers && pictures[i].attention.map((row) => numbers.reduce((sum, j) => sum + row[j], 0))));
  byId("caption-words").replaceChildren(...wordButtons(tokensOfWords(prompt, tokens), show));
  byId("caption-words").hidden = false;
  byId("paint-hint").hidden = false;
}

function clear() {
  byId("caption-words").hidden = true;
  byId("paint-hint").hidden = true;
  note([]);
  tell("");
}

function note(notes) {
  byId("paint-notes").replaceChildren(...notes.map((each) => make("li", { textContent: each })));
  byId("paint-notes").hidden = notes.length === 0;
}

function cancel() {
  running?.abort();
  running = null;
  byId("paint-cancel").hidden = true;
}

async function paintNow() {
  cancel();
  trouble.clear();
  clear();
  const prompt = caption.value.trim();
  const most = settings.maxCaptionCharacters;
  if (!prompt) return caption.focus();
  if ([...prompt].length > most) return trouble.show(new Error(`This caption is too long: at most ${most.toLocaleString("en")} characters can be painted.`));
  if (settings.keyRequired && !hasKey()) return trouble.show(new Error("Please enter your API key, at the top, then try again."));
  const { grid, attention, model: name } = model();
  const mine = running = new AbortController();
  const started = performance.now();
  prepare(model());
  tell("Painting");
  byId("paint-cancel").hidden = false;
  const own = seed.value ? Number(seed.value) : Math.floor(SEEDS * Math.random());
  const request = { prompt, model: name, n: count, guidance: Number(guidance.value), seed: own, attention };
  try {
    const answer = await paint(request, { signal: mine.signal, progress: ({ index, painted, b64_json: png }) => {
      if (running !== mine) return;
      draw(figures[index], png, painted, grid);
      tell(`Painting: ${Math.round(100 * painted / grid ** 2)}%`);
    } });
    if (running !== mine) return undefined;
    await Promise.all(answer.pictures.map((own, i) => draw(figures[i], own.b64_json, grid ** 2, grid)));
    if (running !== mine) return undefined;
    answer.pictures.forEach((own, i) => offerDownload(figures[i], own));
    showWords(answer);
    if (answer.unknown.length) note([`The model does not know: ${answer.unknown.join(" ")}`]);
    tell(`${((performance.now() - started) / 1000).toFixed(1)} s`);
    announce("The pictures are painted.");
  } catch (error) {
    if (running !== mine) return undefined;
    tell("");
    gallery.replaceChildren();
    trouble.show(error, paintNow);
  } finally {
    if (running === mine) cancel();
  }
  return undefined;
}

function showModel() {
  guidance.max = Math.max(4, model().guidance);
  guidance.value = model().guidance;
  showGuidance();
}

function showGuidance() {
  byId("guidance-value").textContent = Number(guidance.value).toFixed(2);
}

// Lets captions be painted, with the models that there are.
export function start(told, models) {
  [settings, painters] = [told, models];
  select.replaceChildren(...models.map(({ model: name }) => make("option", { value: name, textContent: name })));
  select.hidden = models.length < 2;
  const counts = COUNTS.filter((each) => each <= told.maxPictures);
  const buttons = counts.map((each) => make("button", { type: "button", value: String(each), textContent: String(each), ariaLabel: each === 1 ? "1 picture" : `${each} pictures` }));
  byId("samples").replaceChildren(...buttons);
  byId("samples").addEventListener("click", ({ target }) => {
    if (!target.value) return;
    count = Number(target.value);
    press(buttons, target.value);
  });
  buttons.at(-1).click();
  showModel();
  select.addEventListener("change", showModel);
  guidance.addEventListener("input", showGuidance);
  byId("paint-form").addEventListener("submit", (event) => { event.preventDefault(); paintNow(); });
  byId("paint-cancel").addEventListener("click", () => { cancel(); tell(""); gallery.replaceChildren(); });
}
