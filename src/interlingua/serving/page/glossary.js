// The reader's terms: one "source = target" a line, kept by the browser for each pair of languages.
import { byId } from "./dom.js";

const [box, area, note] = ["glossary-box", "glossary", "glossary-note"].map(byId);
const WAIT_MS = 600;
let name = "";
let limits = { maxTerms: Infinity, maxTermCharacters: Infinity };
let timer = null;

const kept = () => { try { return localStorage[name] ?? ""; } catch { return ""; } };
const keep = () => { try { localStorage[name] = area.value; } catch { /* not allowed to */ } };

// The terms, and the numbers of the lines that are none.
function read() {
  const [found, bad] = [new Map(), []];
  area.value.split("\n").forEach((line, i) => {
    if (!line.trim()) return;
    const [source, target, ...rest] = line.split(/\t| = |=/).map((side) => side.trim());
    const fits = source && target && !rest.length && [source, target].every((side) => [...side].length <= limits.maxTermCharacters);
    if (fits && (found.has(source) || found.size < limits.maxTerms)) found.set(source, target);
    else bad.push(i + 1);
  });
  return [Object.fromEntries(found), bad];
}

function tell() {
  const [terms, bad] = read();
  const count = Object.keys(terms).length;
  byId("glossary-count").textContent = count ? count.toLocaleString("en") : "";
  note.textContent = !bad.length ? "" : `Left out: ${bad.length > 1 ? "lines" : "line"} ${bad.slice(0, 9).join(", ")}`
    + `${bad.length > 9 ? " …" : ""}. A line is: source = target. At most ${limits.maxTerms} lines of ${limits.maxTermCharacters} characters a side.`;
}

// What to send along with a text.
export function terms() {
  const [found] = read();
  return Object.keys(found).length ? { glossary: found } : {};
}

// Shows the terms of a pair of languages.
export function show({ source, target }) {
  if (name === `glossary ${source} ${target}`) return;
  name = `glossary ${source} ${target}`;
  area.value = kept();
  tell();
}

// Begins to listen; `changed` is called when the terms are others.
export function start(settings, changed) {
  limits = settings;
  area.addEventListener("input", () => {
    keep();
    tell();
    clearTimeout(timer);
    timer = setTimeout(changed, WAIT_MS);
  });
  box.hidden = false;
}
