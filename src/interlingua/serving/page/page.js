// The page: type on the left, read on the right.
import { announce, byId, copyText } from "./dom.js";
import * as describe from "./describe.js";
import { acceptFiles } from "./files.js";
import { chosen, detect, offer, swapLanguages } from "./languages.js";
import * as corrections from "./corrections.js";
import * as glossary from "./glossary.js";
import * as modes from "./modes.js";
import * as output from "./output.js";
import * as paint from "./paint.js";
import * as panel from "./panel.js";
import { get, hasKey, translate, useKey } from "./service.js";
import * as sounds from "./sounds.js";
import * as trouble from "./trouble.js";

const input = byId("input");
let settings = null;
let timer = null;
let running = null;

const length = () => [...input.value].length; // in characters as the service counts them

function count() {
  const [own, most] = [length(), settings.charLimit];
  byId("count").textContent = own > most ? `${(own - most).toLocaleString("en")} too many characters`
    : `${own.toLocaleString("en")} / ${most.toLocaleString("en")}`;
  byId("count").classList.toggle("over", own > most);
  byId("clear").hidden = own === 0;
  return own <= most;
}

function abort() {
  clearTimeout(timer);
  running?.abort();
  running = null;
  output.busy(false);
}

function stop() {
  abort();
  panel.close();
  trouble.clear();
  byId("pace").textContent = "";
  byId("model").textContent = "";
}

function draft(soFar) {
  output.draft(soFar);
  byId("pace").textContent = "Translating";
}

async function translateNow() {
  stop();
  const text = input.value.toWellFormed?.() ?? input.value;
  if (!text.trim()) return output.clear();
  if (!count()) return undefined;
  if (settings.keyRequired && !hasKey()) return trouble.show(new Error("Please enter your API key, at the top."));
  const mine = running = new AbortController();
  const [pair, terms, started] = [chosen(), glossary.terms(), performance.now()];
  output.busy(true);
  output.stale(true);
  try {
    const answer = await translate({ q: text, ...pair, ...terms }, { signal: mine.signal, progress: draft });
    if (running !== mine) return undefined;
    detect(answer.source);
    const used = { ...pair, source: answer.source, target: answer.target, ...terms };
    output.show(answer, (sentence) => panel.toggle(sentence, used));
    byId("pace").textContent = `${((performance.now() - started) / 1000).toFixed(1)} s`;
    byId("model").textContent = `Model: ${answer.model}`;
  } catch (error) {
    if (running !== mine) return undefined;
    byId("pace").textContent = "";
    trouble.show(error, translateNow);
  } finally {
    if (running === mine) output.busy(false);
  }
  return undefined;
}

function typed() {
  count();
  abort();
  output.stale(true);
  timer = setTimeout(translateNow, input.value.trim() ? settings.frontendTimeout : 0);
}

function changed() {
  glossary.show(chosen());
  output.forgetChoices();
  translateNow();
}

function swap() {
  const text = output.text();
  if (!swapLanguages()) return announce("There is no model for the way back.");
  if (text) input.value = text;
  count();
  return changed();
}

function shade(on) {
  byId("shade").setAttribute("aria-pressed", on);
  byId("output").classList.toggle("shaded", on);
  byId("legend").hidden = !on;
}

function shortcut(event) {
  const [key, command] = [event.key.toLowerCase(), event.ctrlKey || event.metaKey];
  if (modes.shown() !== "texts" && key !== "?") return;
  const typing = event.target.matches("input, textarea, select");
  if (command && key === "enter") translateNow();
  else if (command && event.shiftKey && key === "s") swap();
  else if (key === "escape" && !byId("about").open) panel.close({ focus: true });
  else if (key === "?" && !typing && !byId("about").open) byId("about").showModal();
  else return;
  if (key !== "escape") event.preventDefault();
}

function listen() {
  input.addEventListener("input", typed);
  byId("clear").addEventListener("click", () => { input.value = ""; typed(); input.focus(); });
  byId("swap").addEventListener("click", swap);
  byId("copy").addEventListener("click", () => copyText(output.text(), byId("copy")));
  byId("shade").addEventListener("click", () => shade(byId("shade").getAttribute("aria-pressed") !== "true"));
  byId("key").addEventListener("change", translateNow);
}

function listenEverywhere() {
  byId("help").addEventListener("click", () => byId("about").showModal());
  byId("key-box").addEventListener("submit", (event) => event.preventDefault());
  byId("key").addEventListener("change", () => useKey(byId("key").value));
  addEventListener("keydown", shortcut);
}

// What a link to this page holds: source, target, tag and the text.
function linked() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(["source", "target", "tag", "q"].filter((name) => given.get(name)).map((name) => [name, given.get(name)]));
}

async function start() {
  let languages = [];
  try {
    [languages, settings] = await Promise.all([get("languages"), get("frontend/settings")]);
    trouble.clear();
  } catch (error) {
    trouble.show(error, start);
    return;
  }
  byId("key-box").hidden = !settings.keyRequired;
  modes.offer(settings);
  listenEverywhere();
  if (settings.sounds.length) sounds.start(settings);
  const [painters, describers] = [true, false].map((paints) => settings.pictures.filter((each) => each.paints === paints));
  if (painters.length) paint.start(settings, painters);
  if (describers.length) describe.start(settings, describers);
  acceptFiles(settings, [
    ...(settings.sounds.length ? [{ part: "sounds", isFor: sounds.isSound, take: sounds.take }] : []),
    ...(describers.length ? [{ part: "describe", isFor: describe.isPicture, take: describe.take }] : []),
  ]);
  if (settings.language) startTexts(languages);
}

function startTexts(languages) {
  const { q, ...asked } = linked();
  offer(languages, settings.language, asked, changed);
  if (q) input.value = q;
  panel.allow(settings.maxAlternatives);
  corrections.allow(settings.corrections);
  glossary.show(chosen());
  glossary.start(settings, changed);
  listen();
  typed(); // what was typed already, or kept by the browser
}

byId("hint").hidden = true;
start();
