// The choice of the languages.
import { byId, make } from "./dom.js";

const AUTO = "auto";
const [source, target, tag, swap] = ["source", "target", "tag", "swap"].map(byId);
let known = []; // {code, name, targets, tags}
let detected = null;

export const chosen = () => ({ source: source.value, target: target.value, ...(tag.hidden ? {} : { tag: tag.value }) });
const nameOf = (code) => known.find((each) => each.code === code)?.name ?? code;
const targetsOf = (code) => known.find((each) => each.code === code)?.targets ?? [];
const remember = () => { try { localStorage.languages = JSON.stringify(chosen()); } catch { /* not allowed to */ } };
const remembered = () => { try { return JSON.parse(localStorage.languages); } catch { return {}; } };

function options(select, codes, wish) {
  select.replaceChildren(...codes.map((code) =>
    make("option", { value: code, textContent: code === AUTO ? "Detect language" : nameOf(code) })));
  select.value = codes.includes(wish) ? wish : codes[0];
}

// The targets that the source allows, and whether there is a way back.
function follow(wish = target.value, tagWish = tag.value) {
  const all = known.flatMap((each) => each.targets);
  options(target, source.value === AUTO ? [...new Set(all)] : targetsOf(source.value), wish);
  offerTags(tagWish);
  detected = null;
  told();
}

// The tags of the models between the languages, where one is to be chosen.
function offerTags(wish = tag.value) {
  const own = known.filter(({ code }) => source.value === AUTO || code === source.value);
  const tags = [...new Set(own.flatMap((each) => each.tags[target.value] ?? []))];
  tag.replaceChildren(...tags.map((each) => make("option", { value: each, textContent: each })));
  tag.value = tags.includes(wish) ? wish : tags[0];
  tag.hidden = !tags.length;
}

function told() {
  const from = source.value === AUTO ? detected : source.value;
  const auto = [...source.options].find((option) => option.value === AUTO);
  if (auto) auto.textContent = detected ? `Detected: ${nameOf(detected)}` : "Detect language";
  const back = from !== null && targetsOf(target.value).includes(from);
  swap.disabled = !back;
  swap.title = back || from === null ? "Swap languages (Ctrl+Shift+S)"
    : `There is no model from ${nameOf(target.value)} to ${nameOf(from)} here`;
  byId("output").lang = target.value;
  byId("input").lang = from ?? "";
}

// Which language the service took the text for.
export function detect(code) {
  detected = source.value === AUTO ? code : null;
  told();
}

// Swaps them if there is a model for the way back; says whether it did.
export function swapLanguages() {
  if (swap.disabled) return false;
  const from = source.value === AUTO ? detected : source.value;
  source.value = target.value;
  follow(from);
  remember();
  return true;
}

// Fills the lists; `asked` holds what a link wants, `changed` is called whenever a language was chosen.
export function offer(languages, preset, asked, changed) {
  known = languages;
  const sources = known.filter((each) => each.targets.length).map((each) => each.code);
  const wish = { source: preset.source.code, target: preset.target.code, ...remembered(), ...asked };
  options(source, sources.length > 1 ? [AUTO, ...sources] : sources, wish.source);
  if (!sources.includes(wish.source) && wish.source !== AUTO) source.value = preset.source.code;
  follow(wish.target, wish.tag);
  source.addEventListener("change", () => { follow(); remember(); changed(); });
  target.addEventListener("change", () => { offerTags(); told(); remember(); changed(); });
  tag.addEventListener("change", () => { remember(); changed(); });
}
