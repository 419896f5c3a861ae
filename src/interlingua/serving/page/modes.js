// Texts or sounds: which of them is shown, where there are models of both.
import { byId, press } from "./dom.js";
import * as trouble from "./trouble.js";

const PARTS = ["texts", "sounds"];

export const shown = () => PARTS.find((part) => !byId(part).hidden);

export function show(part) {
  for (const each of PARTS) byId(each).hidden = each !== part;
  press(byId("modes").children, part);
  document.title = `${part === "texts" ? "Translate" : "Transcribe"} · interlingua`;
}

// Offers what there are models of.
export function offer(settings) {
  const there = { texts: settings.language !== null, sounds: settings.sounds.length > 0 };
  byId("modes").hidden = !(there.texts && there.sounds);
  byId("modes").addEventListener("click", ({ target }) => {
    if (!PARTS.includes(target.value)) return;
    trouble.clear(); // it was of the other
    show(target.value);
  });
  const wish = location.hash.slice(1);
  show(there[wish] ? wish : PARTS.find((part) => there[part]));
}
