// Texts, sounds or pictures: which of them is shown, where there are models of several.
import { byId, press } from "./dom.js";
import * as trouble from "./trouble.js";

const TITLES = { texts: "Translate", sounds: "Transcribe", paint: "Paint", describe: "Describe" };
const PARTS = Object.keys(TITLES);

export const shown = () => PARTS.find((part) => !byId(part).hidden);

export function show(part) {
  for (const each of PARTS) byId(each).hidden = each !== part;
  press(byId("modes").children, part);
  document.title = `${TITLES[part]} · interlingua`;
}

// Offers what there are models of.
export function offer(settings) {
  const there = {
    texts: settings.language !== null, sounds: settings.sounds.length > 0,
    paint: settings.pictures.some(({ paints }) => paints), describe: settings.pictures.some(({ paints }) => !paints),
  };
  for (const button of byId("modes").children) button.hidden = !there[button.value];
  byId("modes").hidden = PARTS.filter((part) => there[part]).length < 2;
  byId("modes").addEventListener("click", ({ target }) => {
    if (!PARTS.includes(target.value)) return;
    trouble.clear(); // it was of the other
    show(target.value);
  });
  const wish = location.hash.slice(1);
  show(there[wish] ? wish : PARTS.find((part) => there[part]));
}
