// Pictures: chosen or dropped, and put into words.
import { byId, copyText, make } from "./dom.js";
import { cover, light, wordButtons } from "./patches.js";
import { describe, hasKey } from "./service.js";
import * as trouble from "./trouble.js";
import { tokensOfWords } from "./words.js";

const SUFFIXES = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"];
const FLAGS = {
  limit: "The text was cut off at the model's length limit.",
  repeated: "The model went in circles: a part of this is likely wrong.",
};
const [output, preview, select, input] = ["description", "preview", "describe-model", "picture-file"].map(byId);
const layer = cover(byId("shown"));
let settings = null;
let describers = [];
let running = null; // while the service works

export const isPicture = (file) => file.type.startsWith("image/") || SUFFIXES.some((suffix) => file.name.toLowerCase().endsWith(suffix));

const tell = (text) => { byId("describe-pace").textContent = text; };
const megabytes = (bytes) => `${Math.floor(bytes / 1_048_576) || bytes / 1_048_576} MB`;

function clear() {
  light(layer, null);
  output.replaceChildren();
  byId("describe-hint").hidden = true;
  byId("describe-copy").disabled = true;
  note([]);
}

function note(notes) {
  byId("describe-notes").replaceChildren(...notes.map((each) => make("li", { textContent: each })));
  byId("describe-notes").hidden = notes.length === 0;
}

function cancel() {
  running?.abort();
  running = null;
  byId("describe-cancel").hidden = true;
}

function showPicture(picture) {
  if (preview.src) URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(picture);
  byId("shown").hidden = false;
  byId("picture-name").textContent = picture.name ?? "";
}

function showText({ text, tokens, attention, flags, width, height }, seconds) {
  const show = (numbers) => light(layer, numbers && attention[0].map((_, patch) =>
    numbers.reduce((sum, i) => sum + attention[i][patch], 0)));
  output.replaceChildren(...(attention ? wordButtons(tokensOfWords(text, tokens), show) : [text]));
  byId("describe-hint").hidden = !attention || !text;
  byId("describe-copy").disabled = !text;
  note([...flags.map((flag) => FLAGS[flag] ?? flag), ...(text ? [] : ["The model says nothing about it."])]);
  tell(`${width} × ${height} in ${seconds.toFixed(2)} s`);
}

// Describes a file.
export async function take(picture) {
  cancel();
  trouble.clear();
  clear();
  tell("");
  showPicture(picture);
  const most = settings.maxPictureBytes;
  if (picture.size > most) return trouble.show(new Error(`This picture is too large: at most ${megabytes(most)} can be described.`));
  if (settings.keyRequired && !hasKey()) return trouble.show(new Error("Please enter your API key, at the top, then try again."));
  const mine = running = new AbortController();
  const started = performance.now();
  tell("Looking at it");
  byId("describe-cancel").hidden = false;
  try {
    const answer = await describe(picture, describers.find(({ model }) => model === select.value), mine.signal);
    if (running === mine) showText(answer, (performance.now() - started) / 1000);
  } catch (error) {
    if (running !== mine) return undefined;
    tell("");
    trouble.show(error, () => take(picture));
  } finally {
    if (running === mine) cancel();
  }
  return undefined;
}

// Lets pictures be given, with the models that there are.
export function start(told, models) {
  [settings, describers] = [told, models];
  select.replaceChildren(...models.map(({ model }) => make("option", { value: model, textContent: model })));
  select.hidden = models.length < 2;
  byId("describe-limits").textContent = `PNG, JPEG, WebP, GIF, BMP and TIFF, up to ${megabytes(told.maxPictureBytes)}; choose one or drop it anywhere.`;
  input.accept = ["image/*", ...SUFFIXES].join(",");
  byId("choose-picture").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) take(file);
    input.value = "";
  });
  preview.addEventListener("error", () => { byId("shown").hidden = true; }); // the browser cannot show this kind
  byId("describe-cancel").addEventListener("click", () => { cancel(); tell(""); });
  byId("describe-copy").addEventListener("click", () => copyText(output.textContent, byId("describe-copy")));
}
