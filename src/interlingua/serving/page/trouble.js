// What went wrong, in words, and trying again when that may help.
import { get } from "./service.js";
import { byId, make } from "./dom.js";

const box = byId("trouble");
const FIRST_S = 2; // between looks for a service that has gone; doubled each time
const MOST_S = 30;
let timer = null;
let attempt = null; // what would be tried again, while it makes sense

export function clear() {
  clearInterval(timer);
  attempt = null;
  box.hidden = true;
  box.replaceChildren();
}

// Shows an error; `again` does what failed once more.
export function show(error, again) {
  clear();
  const countdown = make("span", { className: "number", "aria-hidden": "true" });
  box.append(make("span", { textContent: error.message }), countdown);
  box.hidden = false;
  const helps = error.status === 0 || error.status === 429 || error.status >= 500;
  if (!again || !helps) return;
  attempt = error.status === 0 ? () => look(again, FIRST_S, countdown) : again;
  box.append(make("button", { type: "button", className: "tool", textContent: "Try now", onclick: () => attempt?.() }));
  if (error.status === 0) wait(FIRST_S, countdown, () => look(again, 2 * FIRST_S, countdown));
  else if (error.wait !== null) wait(error.wait, countdown, again);
}

function wait(seconds, countdown, then) {
  clearInterval(timer);
  let left = Math.max(1, seconds);
  const tell = () => { countdown.textContent = `Trying again in ${left} s`; };
  tell();
  timer = setInterval(() => {
    left -= 1;
    if (left > 0) return tell();
    clearInterval(timer);
    then();
  }, 1000);
}

// Whether the service is back; if not, look again later.
async function look(again, next, countdown) {
  const mine = attempt;
  try {
    await get("health");
  } catch {
    if (attempt === mine) wait(Math.min(next, MOST_S), countdown, () => look(again, 2 * next, countdown));
    return;
  }
  if (attempt !== mine) return; // something else has happened meanwhile
  clear();
  again();
}

addEventListener("online", () => attempt?.());
